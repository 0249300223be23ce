//! What the audit log says, in words: what was done, and why where that is data. The log itself keeps codes and numbers, which are the
//! same in each language.

use super::audience::{self, Choices};
use super::audit::actor;
use super::changes::value;
use super::sorting::priority_word;
use super::status_word;
use crate::cabinet::looks::{field_name, page_name};
use crate::cx::Cx;
use crate::texts::{AdminAction, AdminReason};
use chrono::{DateTime, Utc};
use crm::audit::{Actor, reasoned};
use crm::request::desk::Priority;
use crm::request::store::queues;
use crm::request::{Status, store as requests};
use crm::staff::{Right, store as staff_store};
use islands::AppError;
use serde_json::Value;
use std::collections::HashMap;

/// What was done, by the action as the log calls it: `admin_action.json` has all of them.
pub fn done(t: &AdminAction, action: &str) -> Option<&'static str> {
    t.named(&action.replace('.', "_"))
}

/// Why, or what changed: what people wrote stays as it is. What the audience was narrowed to has its name among `choices`, what lists of
/// requests and tasks were among `names`.
pub(super) fn reason(cx: &Cx, choices: &Choices, names: &Names, action: &str, reason: &str) -> String {
    let t = &cx.t().admin_reason;
    let told = match action {
        "audit.read" | "audit.export" | "audience.read" | "request.queue" | "task.list" => {
            looked_for(cx, choices, names, reason)
        }
        "view.read" => reason.split_once(' ').and_then(|(path, why)| {
            let page = page_name(cx.t(), path)?;
            Some(t.page(page, why))
        }),
        "customer.correct" | "child.drop" | "contact.enter" | "contact.drop" => Some(corrected(cx, reason)),
        "staff.hand_over" => reason
            .split_once(" → ")
            .and_then(|(count, to)| Some(format!("{} → {to}", counted(t, count)?))),
        _ => None,
    };
    told.or_else(|| counted(t, reason))
        .or_else(|| codes(t, reason))
        .unwrap_or_else(|| reason.to_owned())
}

/// Why staff corrected a customer's data, and field by field what it was and what it is since.
fn corrected(cx: &Cx, reason: &str) -> String {
    let (words, changed) = reasoned(reason);
    let t = &cx.t().admin_changes;
    let lines = changed.into_iter().map(|one| {
        let name = field_name(cx.t(), &one.field).unwrap_or(&one.field);
        let [was, is] = [&one.was, &one.is].map(|held| value(cx, &one.field, held, &|_: &str, _: &Value| None));
        t.l_changed(name, is, was)
    });
    std::iter::once(words.to_owned())
        .chain(lines)
        .collect::<Vec<_>>()
        .join("; ")
}

/// A number and what there were so many of: `12 shown`.
fn counted(t: &AdminReason, text: &str) -> Option<String> {
    let (n, of) = text.split_once(' ')?;
    let n = n.parse().ok()?;
    Some(match of {
        "shown" => t.shown(n),
        "rows" => t.rows(n),
        "found" => t.found(n),
        "deliveries" => t.deliveries(n),
        "tasks" => t.task_count(n),
        "requests" => t.request_count(n),
        _ => return None,
    })
}

/// Codes and numbers, `customers csv 12`, and perhaps what somebody wrote behind a colon; nothing where one of them has no words.
fn codes(t: &AdminReason, text: &str) -> Option<String> {
    let (codes, rest) = text.split_once(": ").unwrap_or((text, ""));
    // Of a text its kind and its own code.
    if let Some((kind, code)) = codes.split_once('.') {
        return t.named(kind).map(|kind| format!("{kind}: {code}"));
    }
    let words = codes.split([' ', ',']).filter(|code| !code.is_empty()).map(|code| {
        let is_number = code.bytes().all(|b| b.is_ascii_digit());
        t.named(code).or(is_number.then_some(code))
    });
    let words = words.collect::<Option<Vec<&str>>>()?.join(", ");
    let rest = counted(t, rest).unwrap_or_else(|| rest.to_owned());
    Some(match (words.is_empty(), rest.is_empty()) {
        (true, _) => return None,
        (false, true) => words,
        (false, false) => format!("{words}: {rest}"),
    })
}

/// What topics, queues and colleagues are called, by their ids.
pub(super) type Names = HashMap<String, String>;

/// The names of what lists of requests and tasks are narrowed to, as far as whoever reads the log may know them.
pub(super) async fn names(cx: &Cx) -> Result<Names, AppError> {
    let staff = cx.staff()?;
    let mut conn = cx.db.read().await?;
    let mut names = Names::new();
    for one in staff_store::colleagues(&mut conn, staff).await? {
        names.insert(one.id.to_string(), one.name);
    }
    let mut topics = requests::topics(&mut conn).await?;
    if staff.has(Right::Requests) {
        topics.extend(requests::closed_topics(&mut conn, staff).await?);
        for queue in queues::list(&mut conn, staff).await? {
            names.insert(queue.id.to_string(), cx.pick(&queue.name));
        }
    }
    names.extend(topics.iter().map(|topic| (topic.id.to_string(), cx.pick(&topic.name))));
    Ok(names)
}

/// A part of what a list of requests or tasks was narrowed to, in the words of those pages.
fn listed(cx: &Cx, names: &Names, part: &str, value: &str) -> Option<String> {
    let (t, of_requests) = (&cx.t().admin_reason, &cx.t().admin_requests);
    let named = || names.get(value).cloned().unwrap_or_else(|| value.to_owned());
    let (label, words) = match part {
        "status" => {
            let words = match value {
                "unclosed" => of_requests.unclosed,
                "overdue" => of_requests.tab_overdue,
                code => status_word(cx, Status::ALL.into_iter().find(|status| status.code() == code)?),
            };
            (of_requests.status, words.to_owned())
        }
        "assignee" => {
            let words = match value {
                "me" => t.themselves.to_owned(),
                "nobody" => of_requests.nobody.to_owned(),
                _ => named(),
            };
            (of_requests.assignee, words)
        }
        "topic" => (of_requests.topic, named()),
        "queue" => (of_requests.queue, named()),
        "tag" => (of_requests.tag, value.to_owned()),
        "priority" => {
            let words = priority_word(cx, Priority::from_code(value)?);
            (of_requests.priority, words.to_owned())
        }
        "find" => return Some(t.words.to_owned()),
        "tasks" => return t.named(&format!("tasks_{value}")).map(str::to_owned),
        _ => return None,
    };
    Some(format!("{label}: {words}"))
}

/// What was looked for in the log itself, in the audience or in a list, and how much that was: `12 shown, by staff, action points`.
fn looked_for(cx: &Cx, choices: &Choices, names: &Names, text: &str) -> Option<String> {
    let t = &cx.t().admin_reason;
    let (count, asked) = text.split_once(", ")?;
    let part = |part: &str| -> Option<String> {
        let (name, value) = part.split_once(' ')?;
        let moment = || value.parse::<DateTime<Utc>>().ok().map(|at| cx.moment(at));
        Some(match name {
            "by" if value == "one" => t.by_one.to_owned(),
            "by" => {
                let by = Actor::ALL.into_iter().find(|actor| actor.as_str() == value)?;
                t.by(actor(cx, by))
            }
            "action" => t.action(done(&cx.t().admin_action, value).unwrap_or(value)),
            "from" => t.from(moment()?),
            "until" => t.until(moment()?),
            _ => audience::told(cx, choices, name, value).or_else(|| listed(cx, names, name, value))?,
        })
    };
    let asked = asked.split(", ").filter(|asked| !asked.is_empty());
    let asked: Vec<String> = asked
        .map(|asked| part(asked).unwrap_or_else(|| asked.to_owned()))
        .collect();
    let parts: Vec<String> = std::iter::once(counted(t, count)?).chain(asked).collect();
    Some(parts.join(", "))
}
