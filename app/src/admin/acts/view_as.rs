//! A customer's cabinet as they see it: begun from their page, a bar on every page of it, and the end.

use super::reason;
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{FormBox, pairs};
use crm::id::CustomerId;
use crm::staff::view;
use crm::who::Viewing;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// The page where it ends.
pub(crate) const HERE: &str = "/admin/view";

/// Begins to look at the cabinet.
#[derive(Deserialize)]
pub struct BeginView {
    reason: String,
}

impl Form for BeginView {
    const NAME: &'static str = "view.begin";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        view::begin(&cx.db, cx.staff()?, cx.param("id")?, &self.reason).await?;
        Ok(Next::to("/"))
    }
}

/// Ends it.
#[derive(Deserialize)]
pub struct EndView {}

impl Form for EndView {
    const NAME: &'static str = "view.end";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let customer: CustomerId = view::end(&cx.db, cx.staff()?).await?;
        Ok(Next::to(format!("/admin/customers/{customer}/acts?done=view_ended")))
    }
}

/// What the session of staff looks at just now.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().acts;
    let inside = match cx.staff()?.viewing() {
        Some(viewing) => {
            let href = format!("/admin/customers/{}", viewing.customer);
            view! {
                <p>{until(&cx, viewing)}</p>
                <p><a href=href>{t.view_customer}</a></p>
                <FormBox<EndView> class="actions" stale=t.view_over><button class="btn btn-primary">{t.view_end}</button></FormBox<EndView>>
            }
            .into_html()
        }
        None => view! { <p>{t.view_over}</p> }.into_html(),
    };
    let view = view! {
        <h1>{t.view}</h1>
        <div class="narrow stack">{inside}</div>
    };
    Ok(Body::new(t.view, Frame::Admin, view))
}

/// Until when, and how long that is.
fn until(cx: &Cx, viewing: &Viewing) -> String {
    let left = (viewing.ends_at - cx.db.now()).num_seconds();
    cx.t().acts.view_until((left + 59) / 60, cx.time(viewing.ends_at))
}

/// On every page of the cabinet while it is looked at: whose eyes these are, for how long, and the end.
pub(crate) fn bar(cx: &Cx) -> Option<Html> {
    let t = &cx.t().acts;
    let viewing = cx.viewing()?;
    Some(
        view! {
            <div class="notice notice-warn">
                <div>
                    <p><b>{t.view_bar}</b> " " {until(cx, viewing)}</p>
                    <FormBox<EndView> action=HERE class="actions">
                        <button class="btn btn-sm">{t.view_end}</button>
                    </FormBox<EndView>>
                </div>
            </div>
        }
        .into_html(),
    )
}

/// On the page of what staff do for a customer.
pub(super) fn section(cx: &Cx) -> Html {
    let t = &cx.t().acts;
    let labels = pairs([("reason", t.reason)]);
    view! {
        <section class="section" aria-labelledby="view-as">
            <h2 id="view-as">{t.view}</h2>
            <p class="hint">{t.view_hint(view::LASTS.num_minutes())}</p>
            <details class="fold" open=cx.was_sent(BeginView::NAME)>
                <summary>{t.view_begin}</summary>
                <FormBox<BeginView> labels=labels stale=t.account_gone>
                    {reason(t)}
                    <button class="btn">{t.view_begin}</button>
                </FormBox<BeginView>>
            </details>
        </section>
    }
    .into_html()
}
