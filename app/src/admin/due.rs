//! What customers are owed and until when, in words.

use super::passed;
use crate::cx::Cx;
use crate::ui::html::{Html, IntoHtml};
use chrono::{DateTime, Utc};
use crm::request::Promise;
use crm::request::level::store::Due;
use leptos::prelude::*;

/// What is to be done: `ответить`.
fn what(cx: &Cx, kind: Promise) -> &'static str {
    let t = &cx.t().admin_levels;
    match kind {
        Promise::FirstAnswer | Promise::NextAnswer => t.to_answer,
        Promise::Solution => t.to_solve,
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

/// How long something may still take, as long as it did that began so long ago.
fn left(cx: &Cx, at: DateTime<Utc>) -> String {
    let now = cx.db.now();
    passed(cx, now - (at - now))
}

/// The same as [`words`] in a list, where room is dear: how long there is, or has been.
pub(super) fn short(cx: &Cx, due: &Due) -> Html {
    let t = &cx.t().admin_levels;
    match due.due_at {
        Some(at) if at < cx.db.now() => view! {
            <span class="status status-bad">{t.late_head}</span> " " <span>{passed(cx, at)}</span>
        }
        .into_html(),
        Some(at) => view! { <span>{t.due_short(left(cx, at), what(cx, due.kind))}</span> }.into_html(),
        None => words(cx, due),
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
        Some(at) => view! { <span>{t.due(left(cx, at), moment(cx, at), what)}</span> }.into_html(),
    }
}
