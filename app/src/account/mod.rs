//! Coming in and going out, and what every page offers: language and theme.

pub mod chat;
pub mod documents;
pub mod factors;
pub mod help;
pub mod inbox;
pub mod join;
pub mod number;
pub mod outside;
pub mod questions;
pub mod second;
pub mod sign_in;
pub mod unsubscribe;

use crate::cx::{Cx, Theme, cookie};
use crate::route::{Form, Next};
use chrono::Duration;
use crm::lang::Lang;
use crm::{customer, signin};
use islands::AppError;
use serde::Deserialize;

/// How long a chosen language or theme is remembered.
const REMEMBERED: Duration = Duration::days(365);

/// The page that a form of every page was sent from.
fn same_page(cx: &Cx) -> Next {
    Next::to(cx.here())
}

/// Chooses the language.
#[derive(Deserialize)]
pub struct SetLanguage {
    language: String,
}

impl Form for SetLanguage {
    const NAME: &'static str = "language";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let lang = Lang::from_code(&self.language).ok_or(AppError::Refused)?;
        if let Some(customer) = &cx.customer {
            customer::store::change_language(&cx.db, customer, lang).await?;
        }
        if let Some(staff) = &cx.staff {
            signin::store::change_staff_language(&cx.db, staff, lang).await?;
        }
        cx.set_cookie(
            cookie::LANG,
            Some(lang.code().to_owned()),
            Some(cx.db.now() + REMEMBERED),
        );
        Ok(same_page(cx))
    }
}

/// Chooses the theme.
#[derive(Deserialize)]
pub struct SetTheme {
    theme: String,
}

impl Form for SetTheme {
    const NAME: &'static str = "theme";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let theme = Theme::from_code(&self.theme);
        cx.set_cookie(
            cookie::THEME,
            Some(theme.code().to_owned()),
            Some(cx.db.now() + REMEMBERED),
        );
        Ok(same_page(cx))
    }
}

/// Ends a customer's session.
#[derive(Deserialize)]
pub struct SignOut {}

impl Form for SignOut {
    const NAME: &'static str = "sign_out";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        if let Some(token) = cx.token(cookie::SESSION) {
            signin::store::sign_out(&cx.db, token).await?;
        }
        cx.set_cookie(cookie::SESSION, None, None);
        // To whom points were to be given is nobody's business who comes after.
        if cx.token(cookie::TRANSFER).is_some() {
            cx.set_cookie(cookie::TRANSFER, None, None);
        }
        chat::leave(cx);
        Ok(Next::to("/sign-in?done=signed_out"))
    }
}

/// Ends a session of staff.
#[derive(Deserialize)]
pub struct StaffSignOut {}

impl Form for StaffSignOut {
    const NAME: &'static str = "staff_sign_out";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        if let Some(token) = cx.token(cookie::STAFF) {
            signin::store::sign_out(&cx.db, token).await?;
        }
        cx.set_cookie(cookie::STAFF, None, None);
        Ok(Next::to("/admin/sign-in"))
    }
}
