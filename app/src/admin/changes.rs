//! What was done with something by staff, by another system or when its time had come, as its page shows it: who, when, and what
//! they changed.

use super::versions::list;
use crate::cx::Cx;
use crate::ui::Moment;
use crate::ui::html::{Html, IntoHtml};
use crm::audit::{self, Act, Changed, Last, Object};
use islands::AppError;
use leptos::prelude::*;
use serde_json::Value;

/// How many stand on a page.
const MOST: i64 = 50;

/// What staff did with something: the words for each of its fields, and a value of a field
/// where it takes more than its text.
pub(super) async fn section(
    cx: &Cx,
    object: Object,
    labels: &[(&str, &'static str)],
    show: impl Fn(&str, &Value) -> Option<String>,
) -> Result<Html, AppError> {
    let t = &cx.t().admin_changes;
    let acts = audit::of_object(&mut cx.db.read().await?, cx.staff()?, object, MOST).await?;
    let value = |field: &str, held: &Value| value(cx, field, held, &show);
    let line = |changed: Changed| {
        let label = labels.iter().find(|(field, _)| *field == changed.field);
        let label = label.map_or(changed.field.as_str(), |(_, label)| label);
        let (was, is) = (value(&changed.field, &changed.was), value(&changed.field, &changed.is));
        t.l_changed(label, is, was)
    };
    let rows: Vec<_> = acts
        .into_iter()
        .map(|act| {
            let (at, did) = (act.at, did(cx, &act));
            let by = act.by.unwrap_or_else(|| t.by_clock.to_owned());
            let changed: Vec<_> = act.changed.into_iter().map(line).collect();
            view! {
                <li class="panel">
                    <p><b>{did}</b> " " <Moment at=at shown=cx.moment(at)/> ", " <bdi>{by}</bdi></p>
                    {list(changed)}
                </li>
            }
        })
        .collect();
    let inside = match rows.is_empty() {
        true => view! { <p class="muted">{t.none}</p> }.into_html(),
        false => view! { <ol class="stack list-none">{rows}</ol> }.into_html(),
    };
    let view = view! {
        <section class="section" aria-labelledby="changes">
            <h2 id="changes">{t.title}</h2>
            <p class="hint">{t.hint}</p>
            {inside}
        </section>
    };
    Ok(view.into_html())
}

/// Where a colleague was quicker with what a form was sent to change: who changed it last, and when.
pub(super) async fn quicker(cx: &Cx, of: Last<'_>) -> Result<Option<Html>, AppError> {
    let Some(sent) = &cx.outcome else { return Ok(None) };
    if sent.error != AppError::Stale {
        return Ok(None);
    }
    let last = audit::last_change(&mut cx.db.read().await?, cx.staff()?, of).await?;
    let words = cx.t().admin_changes.last;
    let said = last.map(|(at, by)| {
        view! { <p class="notice">{words} " " <Moment at=at shown=cx.moment(at)/> ", " <bdi>{by}</bdi></p> }.into_html()
    });
    Ok(said)
}

/// The thing that a field of the form that was sent and not taken names.
pub(super) fn sent(cx: &Cx, field: &str) -> Last<'static> {
    let sent = cx.outcome.iter().flat_map(|sent| &sent.values);
    let id = sent
        .filter(|(name, _)| name == field)
        .find_map(|(_, id)| id.parse().ok());
    Last::Of(id.unwrap_or_default())
}

/// What somebody did, in a word.
fn did(cx: &Cx, act: &Act) -> String {
    let t = &cx.t().admin_changes;
    match act.action.split_once('.').map(|(_, verb)| verb) {
        Some("create") => t.created,
        Some("change") => t.changed,
        Some("close") => t.closed,
        Some("reopen") => t.reopened,
        Some("draft") => t.drafted,
        Some("discard") => t.discarded,
        Some("publish") => t.published,
        Some("cancel") => t.cancelled,
        Some("withdraw") => t.withdrawn,
        Some("end") => t.ended,
        Some("schedule") => t.scheduled,
        Some("apply") => t.applied,
        Some("sent") => t.sent,
        Some("import") => t.imported,
        Some("note") => t.noted,
        Some("ask") => t.asked,
        Some("approve") => t.approved,
        Some("refuse") => t.refused,
        Some("conclude") => t.concluded,
        _ => return act.action.clone(),
    }
    .to_owned()
}

/// A value of a field as people read it, where that takes more than its text.
pub(super) fn value(cx: &Cx, field: &str, value: &Value, show: &impl Fn(&str, &Value) -> Option<String>) -> String {
    show(field, value).unwrap_or_else(|| plain(cx, value))
}

/// A value as people read it: of a text in two languages both, for either may be what changed.
fn plain(cx: &Cx, value: &Value) -> String {
    let t = &cx.t().admin_changes;
    match value {
        Value::Null => t.nothing.to_owned(),
        Value::Bool(true) => t.yes.to_owned(),
        Value::Bool(false) => t.no.to_owned(),
        Value::String(text) => format!("«{text}»"),
        Value::Object(both) => {
            let texts = ["ru", "en"].into_iter().filter_map(|lang| both.get(lang)?.as_str());
            format!("«{}»", texts.collect::<Vec<_>>().join(" / "))
        }
        other => other.to_string(),
    }
}
