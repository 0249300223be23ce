//! What customers are owed and until when, in words, and the list of what should have been done before now.

use super::{passed, read_place, status, write_place};
use crate::cx::Cx;
use crate::route::{Body, Frame};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{DataTable, Head, Moment, icon};
use chrono::{DateTime, Utc};
use crm::request::level::Kind;
use crm::request::level::store::{self as levels, Due, Overdue};
use islands::AppError;
use leptos::prelude::*;

const HERE: &str = "/admin/overdue";
/// How many lines a page shows.
const PAGE: usize = 50;

/// What is to be done: `ответить`.
fn what(cx: &Cx, kind: Kind) -> &'static str {
    let t = &cx.t().admin_levels;
    match kind {
        Kind::FirstAnswer | Kind::NextAnswer => t.to_answer,
        Kind::Solution => t.to_solve,
    }
}

/// A moment, of today the time alone.
fn moment(cx: &Cx, at: DateTime<Utc>) -> String {
    if cx.shop().day(at) == cx.today() {
        cx.time(at)
    } else {
        cx.moment(at)
    }
}

/// Until when something is to be done, and how long that is, or has been.
pub(super) fn words(cx: &Cx, due: &Due) -> Html {
    let (t, now) = (&cx.t().admin_levels, cx.db.now());
    let what = what(cx, due.kind);
    match due.due_at {
        None => view! { <span>{t.paused(what)}</span> }.into_html(),
        Some(at) if at < now => {
            let words = t.late(passed(cx, at), moment(cx, at), what);
            let paused = due.is_paused.then_some(t.late_paused);
            view! { <span class="status status-bad">{t.late_head}</span> " " <span>{words} {paused}</span> }.into_html()
        }
        Some(at) => {
            // As long as something that began so long ago.
            let left = passed(cx, now - (at - now));
            view! { <span>{t.due(left, moment(cx, at), what)}</span> }.into_html()
        }
    }
}

/// How many requests are late, on top of the queue, whatever it is narrowed to.
pub(super) fn notice(cx: &Cx, count: i64) -> Option<Html> {
    let words = cx.t().admin_levels.late_count(count);
    (count > 0).then(|| view! { <p class="ways"><a class="status status-bad" href=HERE>{words}</a></p> }.into_html())
}

/// The list.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_levels;
    let after = cx.query("after").and_then(read_place);
    // One more than is shown tells whether there is another page.
    let mut rows = levels::overdue(&cx.db, cx.staff()?, after, PAGE as i64 + 1).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(|last| write_place(last.place()));
    let next = next.map(|next| {
        let href = format!("{HERE}?after={next}");
        view! { <a class="btn" href=href>{cx.t().admin_requests.next} {icon(icon::CHEVRON_RIGHT)}</a> }
    });
    let list = match rows.is_empty() {
        true => view! { <p class="muted" role="status">{t.none_late}</p> }.into_html(),
        false => table(&cx, &rows),
    };
    let queue = cx.t().admin_requests.title;
    let view = view! {
        <a class="back" href="/admin/requests">{icon(icon::ARROW_LEFT)} {queue}</a>
        <h1>{t.late_title}</h1>
        <p class="lead">{t.late_lead}</p>
        {list}
        <div class="actions">{next}</div>
    };
    Ok(Body::new(t.late_title, Frame::Admin, view))
}

fn table(cx: &Cx, rows: &[Overdue]) -> Html {
    let (t, of_queue) = (&cx.t().admin_levels, &cx.t().admin_requests);
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let assignee = row.assignee.clone().unwrap_or_else(|| of_queue.nobody.to_owned());
            view! {
                <tr>
                    <td class="num">{row.number}</td>
                    <td class="grow">
                        <a href=format!("/admin/requests/{}", row.number)>{cx.pick(&row.topic)}</a>
                    </td>
                    <td>{what(cx, row.kind)}</td>
                    <td class="num"><Moment at=row.due_at shown=cx.moment(row.due_at)/></td>
                    <td class="num">{passed(cx, row.due_at)}</td>
                    <td><bdi>{assignee}</bdi></td>
                    <td>{status(cx, row.status)}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Number(of_queue.number),
        Head::Words(of_queue.request),
        Head::Words(t.what_head),
        Head::Number(t.due_head),
        Head::Number(t.late_head),
        Head::Words(of_queue.assignee),
        Head::Words(of_queue.status),
    ];
    view! { <DataTable label=t.late_title heads=heads rows=rows.into_html()/> }.into_html()
}
