//! The history in the database. Each source is asked by an index of its own for no more than a page of it, and for nothing older than
//! the page that those before it fill, so that a long history costs what a short one does; then the newest of all sources are the
//! page.

use super::{Event, Filter, Group, Place};
use crate::db::{self, Bind, Conn, ListQuery};
use crate::error::Error;
use crate::who::Subject;
use chrono::{DateTime, Days, Utc};
use std::cmp::Reverse;

/// Where events come from: fragments of a query.
struct Source {
    group: Group,
    select: &'static str,
    customer: &'static str,
    /// What else must hold.
    only: &'static str,
    from: &'static str,
    until: &'static str,
    /// Before a place of a source behind this one, of this one, and of one before it.
    before: &'static str,
    before_row: &'static str,
    not_after: &'static str,
    order: &'static str,
}

/// `source!(group, rows, customer's column, time, id, condition)`; the rows are those of an [`Event`].
macro_rules! source {
    ($group:ident, $rows:literal, $customer:literal, $at:literal, $id:literal, $only:literal) => {
        Source {
            group: Group::$group,
            select: concat!("SELECT ", $at, " AS at, ", $id, " AS id, ", $rows),
            customer: concat!($customer, " = ?"),
            only: $only,
            from: concat!($at, " >= ?"),
            until: concat!($at, " < ?"),
            before: concat!($at, " < ?"),
            before_row: concat!("(", $at, ", ", $id, ") < (?, ?)"),
            not_after: concat!($at, " <= ?"),
            order: concat!("ORDER BY ", $at, " DESC, ", $id, " DESC"),
        }
    };
}

/// What staff merely read is in [`crate::audit::of_customer`]; what tells of itself in another source is not told once more as
/// a change, and a step on the way to one is none.
const SOURCES: [Source; 14] = [
    source!(
        Purchases,
        "p.kind, p.id AS object, '' AS code, p.total AS amount FROM purchases p",
        "p.customer_id",
        "p.at",
        "p.id",
        "TRUE"
    ),
    source!(
        Requests,
        "CASE WHEN m.internal THEN 'note' WHEN m.author = 'staff' THEN 'answer' ELSE 'message' END AS kind, r.id AS object, \
         t.code, r.number AS amount FROM requests r JOIN topics t ON t.id = r.topic_id \
         JOIN messages m ON m.request_id = r.id",
        "r.customer_id",
        "m.at",
        "m.id",
        "m.at > r.created_at"
    ),
    source!(
        Requests,
        "'request' AS kind, r.id AS object, t.code, r.number AS amount FROM requests r JOIN topics t ON t.id = r.topic_id",
        "r.customer_id",
        "r.created_at",
        "r.id",
        "TRUE"
    ),
    source!(
        Calls,
        "'interaction' AS kind, i.id AS object, i.channel AS code, CAST(0 AS BIGINT) AS amount FROM interactions i",
        "i.customer_id",
        "i.at",
        "i.id",
        "i.channel IN ('call_in', 'call_out')"
    ),
    source!(
        Visits,
        "'interaction' AS kind, i.id AS object, i.channel AS code, CAST(0 AS BIGINT) AS amount FROM interactions i",
        "i.customer_id",
        "i.at",
        "i.id",
        "i.channel = 'visit'"
    ),
    source!(
        OtherTalks,
        "'interaction' AS kind, i.id AS object, i.channel AS code, CAST(0 AS BIGINT) AS amount FROM interactions i",
        "i.customer_id",
        "i.at",
        "i.id",
        "i.channel = 'other'"
    ),
    source!(
        Tasks,
        "'task' AS kind, t.id AS object, t.state AS code, CAST(0 AS BIGINT) AS amount FROM tasks t",
        "t.customer_id",
        "t.ended_at",
        "t.id",
        "t.state <> 'open'"
    ),
    source!(
        Messages,
        "'sent' AS kind, o.id AS object, o.channel AS code, CAST(0 AS BIGINT) AS amount FROM outbox o",
        "o.customer_id",
        "o.created_at",
        "o.id",
        "TRUE"
    ),
    source!(
        Consents,
        "'consent_' || a.act AS kind, a.id AS object, p.code, CAST(0 AS BIGINT) AS amount FROM consents a \
         JOIN consent_texts t ON t.id = a.text_id JOIN consent_purposes p ON p.id = t.purpose_id",
        "a.customer_id",
        "a.at",
        "a.id",
        "TRUE"
    ),
    source!(
        Consents,
        "'left' AS kind, p.id AS object, p.code, CAST(0 AS BIGINT) AS amount FROM memberships m \
         JOIN programs p ON p.id = m.program_id",
        "m.customer_id",
        "m.left_at",
        "m.id",
        "m.left_at IS NOT NULL"
    ),
    source!(
        Consents,
        "'joined' AS kind, p.id AS object, p.code, CAST(0 AS BIGINT) AS amount FROM memberships m \
         JOIN programs p ON p.id = m.program_id",
        "m.customer_id",
        "m.joined_at",
        "m.id",
        "TRUE"
    ),
    source!(
        Points,
        "'points' AS kind, t.id AS object, t.kind AS code, (SELECT CAST(COALESCE(SUM(p.amount), 0) AS BIGINT) \
         FROM postings p JOIN accounts a ON a.id = p.account_id \
         WHERE p.transaction_id = t.id AND a.customer_id = t.customer_id) AS amount FROM transactions t",
        "t.customer_id",
        "t.at",
        "t.id",
        "TRUE"
    ),
    source!(
        SignIns,
        "'sign_in' AS kind, s.id AS object, s.device AS code, CAST(0 AS BIGINT) AS amount FROM sessions s",
        "s.customer_id",
        "s.created_at",
        "s.id",
        "TRUE"
    ),
    source!(
        Changes,
        "'change' AS kind, a.object_id AS object, a.action AS code, CAST(0 AS BIGINT) AS amount FROM audit a",
        "a.customer_id",
        "a.at",
        "a.id",
        "a.action NOT LIKE '%.read' AND a.action NOT IN ('request.create', 'request.reply', 'request.answer', 'request.note', \
         'interaction.add', 'task.done', 'task.cancel', 'consent.give', 'consent.withdraw', 'program.join', 'program.leave', 'sign_in', 'sign_in.second', \
         'sign_out', 'confirm', 'confirm.code', 'contact.code', 'factor.offer', 'points.adjust', 'points.approve', \
         'transfer.create', 'transfer.cancel', 'transfer.reverse', 'customer.why', 'view.end')"
    ),
];

/// What happened to a customer, the newest first, `limit` events from `after` on; and where the next page begins, if there is more.
/// Of one moment, sources come in their order.
pub async fn page(
    conn: &mut Conn,
    of: Subject,
    filter: &Filter,
    after: Option<Place>,
    limit: usize,
) -> Result<(Vec<Event>, Option<Place>), Error> {
    let shop = conn.shop().clone();
    let mut from = filter.from.map(|day| shop.midnight(day));
    let until = filter.to.and_then(|day| day.checked_add_days(Days::new(1)));
    let until = until.map(|day| shop.midnight(day));
    let mut found: Vec<(usize, Event)> = Vec::new();
    for (number, source) in SOURCES.iter().enumerate() {
        if filter.groups.is_empty() || filter.groups.contains(&source.group) {
            let events: Vec<Event> = db::list(conn, query(number, source, of, from, until, after, limit)).await?;
            found.extend(events.into_iter().map(|event| (number, event)));
            found.sort_by_key(|(number, event)| (Reverse(event.at), *number, Reverse(event.id)));
            found.truncate(limit + 1);
            // Once there is more than a page, nothing older comes onto it: the other sources are asked for what is newer.
            if let Some((_, last)) = found.get(limit) {
                from = Some(last.at);
            }
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(|(source, event)| Place {
        at: event.at,
        source: *source,
        id: event.id,
    });
    Ok((found.into_iter().map(|(_, event)| event).collect(), last))
}

/// The events of one source that may stand on the page, and one more.
fn query(
    number: usize,
    source: &Source,
    of: Subject,
    from: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    after: Option<Place>,
    limit: usize,
) -> ListQuery {
    let mut query = ListQuery::new(source.select).filter(source.customer, [Bind::Id(of.id().0)]);
    if let Some(from) = from {
        query = query.filter(source.from, [Bind::Time(from)]);
    }
    if let Some(until) = until {
        query = query.filter(source.until, [Bind::Time(until)]);
    }
    if let Some(place) = after {
        query = match number.cmp(&place.source) {
            std::cmp::Ordering::Less => query.filter(source.before, [Bind::Time(place.at)]),
            std::cmp::Ordering::Equal => query.filter(source.before_row, [Bind::Time(place.at), Bind::Id(place.id)]),
            std::cmp::Ordering::Greater => query.filter(source.not_after, [Bind::Time(place.at)]),
        };
    }
    // Last: of two lower bounds SQLite seeks by the first, and messages have one here as well.
    query.filter(source.only, []).tail(source.order).limit(limit as i64 + 1)
}
