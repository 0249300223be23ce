//! What the audit log says, in words: what was done, and why where that is data. The log itself keeps codes and numbers, which are the
//! same in each language.

use super::audience::{self, Choices};
use super::audit::actor;
use super::changes::value;
use crate::cabinet::looks::{field_name, page_name};
use crate::cx::Cx;
use crate::texts::{AdminAction, AdminReason};
use chrono::{DateTime, Utc};
use crm::audit::{Actor, reasoned};
use serde_json::Value;

/// What was done, by the action as the log calls it: `admin_action.json` has all of them.
pub fn done(t: &AdminAction, action: &str) -> Option<&'static str> {
    t.named(&action.replace('.', "_"))
}

/// Why, or what changed: what people wrote stays as it is. What the audience was narrowed to has its name among `choices`.
pub(super) fn reason(cx: &Cx, choices: &Choices, action: &str, reason: &str) -> String {
    let t = &cx.t().admin_reason;
    let told = match action {
        "audit.read" | "audit.export" | "audience.read" => looked_for(cx, choices, reason),
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

/// What was looked for in the log itself or in the audience, and how much that was: `12 shown, by staff, action points`.
fn looked_for(cx: &Cx, choices: &Choices, text: &str) -> Option<String> {
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
            _ => audience::told(cx, choices, name, value)?,
        })
    };
    let asked = asked.split(", ").filter(|asked| !asked.is_empty());
    let asked: Vec<String> = asked
        .map(|asked| part(asked).unwrap_or_else(|| asked.to_owned()))
        .collect();
    let parts: Vec<String> = std::iter::once(counted(t, count)?).chain(asked).collect();
    Some(parts.join(", "))
}
