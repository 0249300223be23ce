//! Another phone on its way to become the main one, as every page of the cabinet says it, and the way back.

use super::meaning;
use crate::cx::Cx;
use crate::route::{Form, Next};
use crate::ui::FormBox;
use crate::ui::html::{Html, IntoHtml};
use crm::contact::change;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Calls the change off. It takes no fresh proof to keep the number that one has.
#[derive(Deserialize)]
pub struct CancelNumberChange {}

impl Form for CancelNumberChange {
    const NAME: &'static str = "number.cancel";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        change::cancel(&cx.db, cx.customer()?).await?;
        Ok(Next::to("/profile/contacts?done=kept"))
    }
}

/// On every page of the cabinet: how long until the number changes, which `public/due.js` counts down, and until when points are
/// not spent.
pub(crate) fn bar(cx: &Cx) -> Option<Html> {
    let t = &cx.t().number_change;
    let customer = cx.customer.as_ref()?;
    let frozen = customer.frozen_until()?;
    let frozen = t.frozen(cx.moment(frozen));
    let inside = match customer.number_due() {
        None => view! { <p>{frozen}</p> }.into_html(),
        Some(due) => {
            let left = (due - cx.db.now()).num_seconds().max(0);
            let words = t.left(left / 3600, left / 60 % 60);
            view! {
                <p>
                    {t.bar(cx.moment(due))} " "
                    <span data-due=left.to_string() data-left=t.left("{hours}", "{minutes}")>{words}</span>
                </p>
                <script type="module" src="/due.js"></script>
                <p>{frozen}</p>
                <FormBox<CancelNumberChange> action="/profile/contacts" class="actions">
                    <button class="btn btn-sm">{t.cancel}</button>
                </FormBox<CancelNumberChange>>
            }
            .into_html()
        }
    };
    let means = match customer.is_stopped() {
        true => view! { <p>{t.stopped} " " <a href="/support/new">{t.write}</a></p> }.into_html(),
        false => meaning(cx, t.what_frozen, t.frozen_means, "change-phone"),
    };
    Some(view! { <div class="notice notice-warn"><div>{inside} {means}</div></div> }.into_html())
}
