//! The inbox of a member of staff: notes in which colleagues name them, requests that were given to them, those that run late, their
//! tasks and those that they gave, what waits for their consent, and what became of what they asked for. Looking at it reads all of it.

use super::points::APPROVALS;
use super::tasks;
use crate::cabinet::{back, more, place, show_place};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame};
use crate::ui::Moment;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crm::request::level::Told;
use crm::request::mention::{self, Notice};
use crm::staff::Right;
use crm::staff::approval::Step;
use crm::task::News;
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
    let up = staff
        .has(Right::Requests)
        .then(|| back("/admin/requests", cx.t().frame.requests));
    let view = view! {
        {up}
        <h1>{t.inbox}</h1>
        <div class="narrow stack">{first} {list}</div>
    };
    Ok(Body::new(t.inbox, Frame::Admin, view))
}

fn row(cx: &Cx, one: &Notice) -> Html {
    let (words, href) = match (one.task, one.step) {
        (Some(news), _) => of_task(cx, one, news),
        (None, Some(step)) => consent(cx, one, step),
        (None, None) => of_request(cx, one),
    };
    let is_beside = one.number > 0 && (one.task.is_some() || one.step.is_some());
    let about = is_beside.then(|| view! { <small>{cx.t().admin_points.for_request(one.number)}</small> });
    let new = one
        .read_at
        .is_none()
        .then(|| view! { <span class="badge badge-brand">{cx.t().notifications.new}</span> });
    view! {
        <li>
            <a class="row" href=href>
                <span class="row-main">
                    <b>{words}</b>
                    <span dir="auto">{one.beginning.clone()}</span>
                    {about}
                    <small><Moment at=one.at shown=cx.moment(one.at)/></small>
                </span>
                {new}
            </a>
        </li>
    }
    .into_html()
}

/// What is told of a request, and where it leads.
fn of_request(cx: &Cx, one: &Notice) -> (String, String) {
    let t = &cx.t().admin_desk;
    let number = one.number;
    let words = match one.level {
        Some(Told::Warning) => t.level_warning(number),
        Some(Told::Breach) => t.level_breach(number),
        Some(Told::Escalation) => t.level_escalation(number),
        Some(Told::Returned) => t.level_returned(number),
        Some(Told::Given) => t.given_you(number),
        Some(Told::Taken) => t.taken_from_you(number),
        None => t.named_you(one.by_whom.clone().unwrap_or_default(), number),
    };
    // The note stands in its conversation under this mark.
    let mark = one.message.map(|message| format!("#m-{message}")).unwrap_or_default();
    (words, format!("/admin/requests/{number}{mark}"))
}

/// What is told of a task, likewise: what is to be done stands among one's own, what a colleague ended in the history of the customer.
fn of_task(cx: &Cx, one: &Notice, news: News) -> (String, String) {
    let t = &cx.t().admin_desk;
    let by = one.by_whom.clone().unwrap_or_default();
    let words = match news {
        News::Given => t.task_given(by),
        News::Due => t.task_due.to_owned(),
        News::Done => t.task_done(by),
        News::Cancelled => t.task_cancelled(by),
    };
    let is_over = matches!(news, News::Done | News::Cancelled);
    let history = one.customer.filter(|_| is_over);
    let history = history.map(|id| format!("/admin/customers/{id}?kind=tasks#history"));
    (words, history.unwrap_or_else(|| tasks::HERE.to_owned()))
}

/// What is told of a consent, likewise. It names no customer: whose points or receipt it is the page says that it leads to.
fn consent(cx: &Cx, one: &Notice, step: Step) -> (String, String) {
    let t = &cx.t().admin_desk;
    let by = one.by_whom.clone().unwrap_or_default();
    if let Some(promotion) = one.promotion {
        let title = one.title.as_ref().map(|title| cx.pick(title)).unwrap_or_default();
        let words = match step {
            Step::Asked => t.promotion_asked(by, title),
            Step::Approved => t.promotion_approved(by, title),
            Step::Refused => t.promotion_refused(by, title),
        };
        return (words, format!("/admin/promotions/{promotion}"));
    }
    if let Some(receipt) = one.receipt {
        let number = one.document.clone().unwrap_or_default();
        let points = format::points(cx.lang, one.points.unwrap_or_default());
        let words = match step {
            Step::Asked => return (t.receipt_asked(by, number, points), APPROVALS.to_owned()),
            Step::Approved => t.receipt_approved(by, number),
            Step::Refused => t.receipt_refused(by, number),
        };
        let there = one
            .customer
            .map(|id| format!("/admin/customers/{id}/purchases/{receipt}"));
        return (words, there.unwrap_or_else(|| HERE.to_owned()));
    }
    let points = format::signed_points(cx.lang, one.points.unwrap_or_default());
    let words = match step {
        Step::Asked => return (t.points_asked(by, points), APPROVALS.to_owned()),
        Step::Approved => t.points_approved(by, points),
        Step::Refused => t.points_refused(by, points),
    };
    let customer = one.customer.map(|id| match one.number {
        0 => format!("/admin/customers/{id}"),
        number => format!("/admin/customers/{id}?request={number}"),
    });
    (words, customer.unwrap_or_else(|| HERE.to_owned()))
}
