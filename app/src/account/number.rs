//! The link in the message about another main number: it calls the change off without a sign-in.

use crate::cabinet::{flash, gone};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::FormBox;
use crm::contact::change;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Calls the change off, by the link that the number until now was sent.
#[derive(Deserialize)]
pub struct KeepNumber {}

impl Form for KeepNumber {
    const NAME: &'static str = "number.cancel_by_link";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let link: String = cx.param("secret")?;
        change::cancel_by_link(&cx.db, &link, &cx.visitor).await?;
        Ok(Next::to(format!("{}?done=kept", cx.path)))
    }
}

/// Where that link leads. Whether there is anything to call off is told to whoever presses the button.
pub async fn keep(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().number_change;
    let link: String = cx.param("secret")?;
    if !change::is_link(&link) {
        return Err(AppError::NotFound);
    }
    let done = flash(&cx, &[("kept", t.link_done)]);
    let ask = done.is_none().then(|| {
        view! {
            <p class="lead">{t.link_text}</p>
            <FormBox<KeepNumber> class="actions" stale=t.link_stale>
                <button class="btn btn-primary btn-wide">{t.link_keep}</button>
            </FormBox<KeepNumber>>
        }
    });
    let view = view! { <h1>{t.link_title}</h1> {done} {gone(&cx)} {ask} };
    Ok(Body::new(t.link_title, Frame::Plain, view))
}
