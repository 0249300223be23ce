//! The inbox of a member of staff: notes in which colleagues name them, requests that were given to them, and those that run late.
//! Looking at it reads all of it.

use crate::cabinet::{back, more, place, show_place};
use crate::cx::Cx;
use crate::route::{Body, Frame};
use crate::ui::Moment;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crm::request::level::Told;
use crm::request::mention::{self, Notice};
use islands::AppError;
use leptos::prelude::*;

/// Where it is.
pub const HERE: &str = "/admin/inbox";
/// Lines on one page.
const SHOWN: usize = 30;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_desk;
    let staff = cx.staff()?;
    let before = cx.query("before").and_then(place);
    let mut all = mention::inbox(&cx.db, staff, before, SHOWN as i64 + 1).await?;
    let has_more = all.len() > SHOWN;
    all.truncate(SHOWN);
    // What came while the page was made is not among them, and stays new.
    if let Some(newest) = all.first().filter(|_| cx.is_visit && staff.unread() > 0) {
        mention::mark_read(&cx.db, staff, newest.at).await?;
    }
    let next = all
        .last()
        .filter(|_| has_more)
        .map(|last| show_place((last.at, last.id.0)));
    let next = next.map(|next| more(&cx, format!("{HERE}?before={next}")));
    let rows: Vec<_> = all.iter().map(|one| row(&cx, one)).collect();
    let list = if rows.is_empty() {
        view! { <div class="panel empty">{icon(icons::BELL)} <p>{t.inbox_none}</p></div> }.into_html()
    } else {
        view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> {next} }.into_html()
    };
    let first = before.map(|_| view! { <p><a href=HERE>{cx.t().points.from_the_start}</a></p> });
    let view = view! {
        {back("/admin/requests", cx.t().frame.requests)}
        <h1>{t.inbox}</h1>
        <div class="narrow stack">{first} {list}</div>
    };
    Ok(Body::new(t.inbox, Frame::Admin, view))
}

fn row(cx: &Cx, one: &Notice) -> Html {
    let t = &cx.t().admin_desk;
    let number = one.number;
    let words = match one.level {
        Some(Told::Warning) => t.level_warning(number),
        Some(Told::Breach) => t.level_breach(number),
        Some(Told::Escalation) => t.level_escalation(number),
        Some(Told::Returned) => t.level_returned(number),
        Some(Told::Given) => t.given_you(number),
        None => t.named_you(one.by_whom.clone().unwrap_or_default(), number),
    };
    let new = one
        .read_at
        .is_none()
        .then(|| view! { <span class="badge badge-brand">{cx.t().notifications.new}</span> });
    // The note stands in its conversation under this mark.
    let mark = one.message.map(|message| format!("#m-{message}")).unwrap_or_default();
    let href = format!("/admin/requests/{number}{mark}");
    view! {
        <li>
            <a class="row" href=href>
                <span class="row-main">
                    <b>{words}</b>
                    <span dir="auto">{one.beginning.clone()}</span>
                    <small><Moment at=one.at shown=cx.moment(one.at)/></small>
                </span>
                {new}
            </a>
        </li>
    }
    .into_html()
}
