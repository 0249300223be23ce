//! Pages of a customer who is signed in, a file a page.

pub mod children;
pub mod consents;
pub mod contacts;
pub mod devices;
pub mod offers;
pub mod person;
pub mod preferences;
pub mod profile;
pub mod programs;
pub mod stores;
pub mod support;

use crate::cx::Cx;
use crate::ui::ErrorSummary;
use crate::ui::icon::{self, icon};
use islands::AppError;
use leptos::prelude::*;

/// Says what was done, after the redirect: the words that go with the code in `?done=`.
pub fn flash(cx: &Cx, words: &[(&str, &'static str)]) -> Option<impl IntoView + use<>> {
    let done = cx.query("done").filter(|_| cx.outcome.is_none())?;
    let (_, words) = words.iter().find(|(code, _)| *code == done)?;
    Some(view! { <p class="flash" role="status">{*words}</p> })
}

/// The way back to the page above.
fn back(href: &'static str, words: &'static str) -> impl IntoView {
    view! { <a class="back" href=href>{icon(icon::ARROW_LEFT)} {words}</a> }
}

/// Says that what a button was for is no longer there: its form is not on the page, so it cannot say so itself.
fn gone(cx: &Cx) -> Option<impl IntoView + use<>> {
    let outcome = cx.outcome.as_ref().filter(|o| o.error == AppError::NotFound)?;
    Some(view! { <ErrorSummary error=AppError::NotFound form=outcome.form.replace('.', "-") labels=Vec::new()/> })
}
