//! Requests of one customer that become one, and part again; a request whose end becomes another one.
//!
//! Messages stay in the request that they were said in. One that goes into another one is closed and points to it
//! (`requests.merged_into`), and whoever opens either sees the messages of both in the order of time. There is one level: into
//! a request that holds others more may go, but it goes into none itself.

use super::level::store as levels;
use super::link::{self, To};
use super::live;
use super::store::{Begun, CLOSED, Held, REOPENED, begin, note_step};
use super::{Author, Status, Summary};
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::{CustomerId, MessageId, RequestId, RequestMergeId, StaffId};
use crate::on;
use crate::staff::Right;
use crate::webhook::event::Cause;
use crate::who::{Reason, Staff, Subject};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;

/// For how many days requests part again.
const UNDO_DAYS: i64 = 14;

/// How many requests of a customer are offered.
const OFFERED: i64 = 30;

/// The requests of a customer that may go into one of theirs, the last touched first.
pub async fn candidates(conn: &mut Conn, of: Subject, into: RequestId) -> Result<Vec<Summary>, Error> {
    const SELECT: &str = "SELECT r.id, r.number, t.name AS topic, r.status, r.created_at, r.updated_at, FALSE AS unread \
                          FROM requests r JOIN topics t ON t.id = r.topic_id";
    let query = ListQuery::new(SELECT)
        .filter("r.customer_id = ?", [Bind::Id(of.id().0)])
        .filter("r.id <> ?", [Bind::Id(into.0)])
        .filter(
            "r.merged_into IS NULL AND NOT EXISTS (SELECT 1 FROM requests x WHERE x.merged_into = r.id)",
            [],
        )
        .tail("ORDER BY r.updated_at DESC, r.id DESC")
        .limit(OFFERED);
    Ok(db::list(conn, query).await?)
}

/// A request that went into another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Merged {
    /// Its number.
    pub number: i64,
    /// When it went.
    pub at: DateTime<Utc>,
}

impl Merged {
    /// Whether it may still come out again.
    pub fn may_part(&self, now: DateTime<Utc>) -> bool {
        now < self.at + TimeDelta::days(UNDO_DAYS)
    }
}

/// Those that went into a request, the first first.
pub async fn of(conn: &mut Conn, by: &Staff, request: RequestId) -> Result<Vec<Merged>, Error> {
    const SQL: &str = "SELECT r.number, m.at FROM request_merges m JOIN requests r ON r.id = m.merged_id \
                       WHERE m.kept_id = $1 AND m.undone_at IS NULL ORDER BY m.at, m.id";
    by.may(Right::Requests)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(request).fetch_all(c).await)?)
}

/// Lets requests of the same customer go into one. Whoever waits longest for staff in any of them waits in that one. Fails with
/// a flaw at `others` where there are none, or one that cannot go, and then none goes.
pub async fn merge(db: &Db, by: &Staff, number: i64, others: &[String]) -> Result<(), Error> {
    let no_choice = || Error::field("others", Flaw::NotAChoice);
    by.may(Right::Requests)?;
    let others: Option<BTreeSet<i64>> = others.iter().map(|number| number.parse().ok()).collect();
    let others = &others.ok_or_else(no_choice)?;
    if others.is_empty() {
        return Err(Error::field("others", Flaw::Missing));
    }
    if others.contains(&number) {
        return Err(no_choice());
    }
    db.write(|tx| {
        scoped(async move {
            // In one order, so that two who do it at once wait for each other.
            let (mut kept, mut going) = (None, Vec::new());
            for one in others.iter().copied().chain([number]).collect::<BTreeSet<_>>() {
                let held = Held::by_number(tx, one, None).await?;
                if one == number {
                    kept = Some(held);
                } else if held.number == one {
                    going.push(held);
                } else {
                    return Err(no_choice());
                }
            }
            let kept = kept.ok_or(Error::NotFound)?;
            for one in &going {
                if one.customer_id != kept.customer_id || one.id == kept.id || holds_others(tx, one.id).await? {
                    return Err(no_choice());
                }
            }
            for one in &going {
                put_into(tx, by, &kept, one).await?;
            }
            bring_together(tx, &kept, &going).await?;
            for one in going.iter().chain([&kept]) {
                live::note(tx, one.id, live::Kind::Answered).await?;
            }
            Ok(())
        })
    })
    .await
}

async fn holds_others(tx: &mut Tx, request: RequestId) -> Result<bool, sqlx::Error> {
    const SQL: &str = "SELECT COUNT(*) FROM requests WHERE merged_into = $1";
    let others: i64 = on!(tx, |c| sqlx::query_scalar(SQL).bind(request).fetch_one(c).await)?;
    Ok(others > 0)
}

/// Closes a request, with a pointer to the one that it went into, and writes down what it was.
async fn put_into(tx: &mut Tx, by: &Staff, kept: &Held, one: &Held) -> Result<(), Error> {
    const NOTE: &str = "INSERT INTO request_merges (id, kept_id, merged_id, status, waiting_since, closed_at, at, merged_by, \
                        kept_closed_at, kept_reopened_at) \
                        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, (SELECT reopened_at FROM requests WHERE id = $2))";
    const CLOSE: &str = "UPDATE requests SET merged_into = $2, status = $3, waiting_since = NULL, \
                         closed_at = COALESCE(closed_at, $4), updated_at = $4 WHERE id = $1";
    let (now, at) = (tx.now(), one.moment(tx));
    levels::wait_as_long(tx, kept.id, one.id).await?;
    on!(tx, |c| sqlx::query(NOTE)
        .bind(RequestMergeId::new())
        .bind(kept.id)
        .bind(one.id)
        .bind(one.status)
        .bind(one.waiting_since)
        .bind(one.closed_at)
        .bind(now)
        .bind(by.id())
        .bind(kept.closed_at)
        .execute(c)
        .await
        .map(drop))?;
    on!(tx, |c| sqlx::query(CLOSE)
        .bind(one.id)
        .bind(kept.id)
        .bind(Status::Closed)
        .bind(at)
        .execute(c)
        .await
        .map(drop))?;
    levels::follow(tx, one.id, at, false).await?;
    let (customer, reason) = (Some(one.customer_id), Reason::Request.as_str());
    Ok(by.record(tx, "request.merge", customer, Some(one.id.0), reason).await?)
}

/// The request that is left stands where the one stands in which most is to be done.
async fn bring_together(tx: &mut Tx, kept: &Held, going: &[Held]) -> Result<(), Error> {
    const SQL: &str = "UPDATE requests SET status = $2, waiting_since = $3, closed_at = $4, \
                       reopened_at = COALESCE($5, reopened_at), updated_at = $6 WHERE id = $1";
    let all = || going.iter().chain([kept]);
    let status = if kept.status.is_waiting_for_staff() {
        kept.status
    } else if all().any(|one| one.status.is_waiting_for_staff()) {
        Status::Open
    } else if all().any(|one| one.status == Status::Waiting) {
        Status::Waiting
    } else {
        Status::Closed
    };
    let waiting_since = all().filter_map(|one| one.waiting_since).min();
    let at = kept.moment(tx);
    let is_reopened = kept.status == Status::Closed && status != Status::Closed;
    if is_reopened {
        note_step(tx, kept.id, REOPENED, at).await?;
    }
    on!(tx, |c| sqlx::query(SQL)
        .bind(kept.id)
        .bind(status)
        .bind(waiting_since.filter(|_| status.is_waiting_for_staff()))
        .bind(kept.closed_at.filter(|_| status == Status::Closed))
        .bind(is_reopened.then_some(at))
        .bind(at)
        .execute(c)
        .await
        .map(drop))?;
    levels::follow(tx, kept.id, at, false).await
}

/// A request that went into another one, as it was before.
#[derive(sqlx::FromRow)]
struct Before {
    id: RequestMergeId,
    /// The number of the one that it went into.
    kept: i64,
    merged_id: RequestId,
    status: Status,
    waiting_since: Option<DateTime<Utc>>,
    closed_at: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
    kept_closed_at: Option<DateTime<Utc>>,
    kept_reopened_at: Option<DateTime<Utc>>,
}

macro_rules! before {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, k.number AS kept, m.merged_id, m.status, m.waiting_since, m.closed_at, m.at, m.kept_closed_at, \
             m.kept_reopened_at \
             FROM request_merges m JOIN requests r ON r.id = m.merged_id JOIN requests k ON k.id = m.kept_id \
             WHERE m.undone_at IS NULL AND ",
            $rest
        )
    };
}

/// Lets a request come out again, as it was when it went; the one that is left waits no more for what the other one brought into it.
/// What was said since stays where it was said. Fails with [`Error::NotFound`] where it is not in this one, and with
/// [`Error::Stale`] once it is too late.
pub async fn part(db: &Db, by: &Staff, number: i64, merged: i64) -> Result<(), Error> {
    const BEFORE: &str = before!("m.kept_id = $1 AND r.number = $2");
    by.may(Right::Requests)?;
    db.write(|tx| {
        scoped(async move {
            let kept = Held::by_number(tx, number, None).await?;
            let before: Option<Before> = on!(tx, |c| sqlx::query_as(BEFORE)
                .bind(kept.id)
                .bind(merged)
                .fetch_optional(c)
                .await)?;
            let before = before.ok_or(Error::NotFound)?;
            let was = Merged {
                number: merged,
                at: before.at,
            };
            if !was.may_part(tx.now()) {
                return Err(Error::Stale);
            }
            come_out(tx, Some(by.id()), &kept, &before).await?;
            let (customer, reason) = (Some(kept.customer_id), Reason::Request.as_str());
            by.record(tx, "request.part", customer, Some(before.merged_id.0), reason)
                .await?;
            for one in [before.merged_id, kept.id] {
                live::note(tx, one, live::Kind::Answered).await?;
            }
            Ok(())
        })
    })
    .await
}

/// When accounts part, so do requests of which one is the other's again.
pub(crate) async fn come_apart(tx: &mut Tx, [one, other]: [CustomerId; 2]) -> Result<(), Error> {
    const APART: &str =
        before!("r.customer_id IN ($1, $2) AND k.customer_id <> r.customer_id ORDER BY k.number, r.number");
    let apart: Vec<Before> = on!(tx, |c| sqlx::query_as(APART).bind(one).bind(other).fetch_all(c).await)?;
    for before in apart {
        let kept = Held::by_number(tx, before.kept, None).await?;
        come_out(tx, None, &kept, &before).await?;
    }
    Ok(())
}

async fn come_out(tx: &mut Tx, by: Option<StaffId>, kept: &Held, before: &Before) -> Result<(), Error> {
    const OUT: &str = "UPDATE requests SET merged_into = NULL, status = $2, waiting_since = $3, closed_at = $4, \
                       updated_at = $5 WHERE id = $1";
    const UNDONE: &str = "UPDATE request_merges SET undone_at = $2, undone_by = $3 WHERE id = $1";
    const BEFORE: &str = "UPDATE requests SET reopened_at = $2 WHERE id = $1";
    let (now, at) = (tx.now(), kept.moment(tx));
    on!(tx, |c| sqlx::query(OUT)
        .bind(before.merged_id)
        .bind(before.status)
        .bind(before.waiting_since)
        .bind(before.closed_at)
        .bind(at)
        .execute(c)
        .await
        .map(drop))?;
    // Just before it went.
    levels::turn_back(tx, before.merged_id, before.at - TimeDelta::microseconds(1)).await?;
    levels::follow(tx, before.merged_id, at, false).await?;
    on!(tx, |c| sqlx::query(UNDONE)
        .bind(before.id)
        .bind(now)
        .bind(by)
        .execute(c)
        .await
        .map(drop))?;
    let mut left = Left::of(kept);
    let has_come = before.waiting_since.is_some() || before.kept_closed_at.is_some();
    // Nobody has taken a step since by which it would wait for something else.
    if has_come && kept.status != Status::Closed && kept.waiting_since == before.waiting_since {
        let here = said(tx, kept.id).await?;
        let is_idle = here.last().is_none_or(|last| last.at <= before.at);
        left = match before.kept_closed_at.filter(|_| is_idle) {
            Some(closed_at) => {
                on!(tx, |c| sqlx::query(BEFORE)
                    .bind(kept.id)
                    .bind(before.kept_reopened_at)
                    .execute(c)
                    .await
                    .map(drop))?;
                note_step(tx, kept.id, CLOSED, at).await?;
                Left::closed(closed_at)
            }
            None => Left::after(&here, kept),
        };
        levels::owe_no_answer(tx, kept.id, at).await?;
    }
    left.put(tx, kept.id, at).await?;
    levels::follow(tx, kept.id, at, false).await
}

/// What was said, as far as it says whose turn it is.
#[derive(Clone, Copy, sqlx::FromRow)]
struct Said {
    author: Author,
    at: DateTime<Utc>,
}

/// What was said in a request and those that went into it, oldest first, without notes.
async fn said(tx: &mut Tx, request: RequestId) -> Result<Vec<Said>, sqlx::Error> {
    const SQL: &str = "SELECT m.author, m.at FROM messages m JOIN requests x ON x.id = m.request_id \
                       WHERE (x.id = $1 OR x.merged_into = $1) AND NOT m.internal ORDER BY m.at, m.id";
    on!(tx, |c| sqlx::query_as(SQL).bind(request).fetch_all(c).await)
}

/// Since when the customer waits for an answer to the last of it; none where staff spoke last.
fn owed(said: &[Said]) -> Option<DateTime<Utc>> {
    let unanswered = said.iter().rev().take_while(|one| one.author == Author::Customer);
    unanswered.last().map(|one| one.at)
}

/// Where a request stands of which something went.
#[derive(Clone, Copy)]
struct Left {
    status: Status,
    waiting_since: Option<DateTime<Utc>>,
    closed_at: Option<DateTime<Utc>>,
}

impl Left {
    /// Where it stood before.
    fn of(held: &Held) -> Self {
        Self {
            status: held.status,
            waiting_since: held.waiting_since,
            closed_at: held.closed_at,
        }
    }

    /// By what is still said in it: it waits for staff only where the customer spoke last.
    fn after(said: &[Said], held: &Held) -> Self {
        let owed = owed(said);
        let status = if owed.is_some() { held.status } else { Status::Waiting };
        Self {
            status,
            waiting_since: owed.filter(|_| status.is_waiting_for_staff()),
            closed_at: None,
        }
    }

    /// Closed, as it was.
    fn closed(at: DateTime<Utc>) -> Self {
        Self {
            status: Status::Closed,
            waiting_since: None,
            closed_at: Some(at),
        }
    }

    async fn put(self, tx: &mut Tx, request: RequestId, at: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str =
            "UPDATE requests SET status = $2, waiting_since = $3, closed_at = $4, updated_at = $5 WHERE id = $1";
        on!(tx, |c| sqlx::query(SQL)
            .bind(request)
            .bind(self.status)
            .bind(self.waiting_since)
            .bind(self.closed_at)
            .bind(at)
            .execute(c)
            .await
            .map(drop))
    }
}

/// Begins a request of its own with a message of the customer and all that was said after it; its number. Both know of each
/// other by a link. Fails with [`Error::NotFound`] for a message that is not there, and with [`Error::Stale`] for one that no
/// request can begin with: the first, or not the customer's.
pub async fn split(db: &Db, by: &Staff, number: i64, message: MessageId) -> Result<i64, Error> {
    const FROM: &str = "SELECT m.request_id, m.at, m.author, m.internal, EXISTS (SELECT 1 FROM messages e \
                        WHERE e.request_id = m.request_id AND NOT e.internal AND (e.at, e.id) < (m.at, m.id)) AS is_later \
                        FROM messages m JOIN requests x ON x.id = m.request_id \
                        WHERE m.id = $1 AND (x.id = $2 OR x.merged_into = $2)";
    const MOVE: &str = "UPDATE messages SET request_id = $2 WHERE request_id = $1 AND (at, id) >= ($3, $4)";
    const BEGUN: &str = "UPDATE requests SET status = $2, assignee_id = $3, updated_at = $4, waiting_since = $5, \
                         answered_at = $6, customer_seen_at = (SELECT o.customer_seen_at FROM requests o WHERE o.id = $7) \
                         WHERE id = $1";
    by.may(Right::Requests)?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::by_number(tx, number, None).await?;
            let from: Option<(RequestId, DateTime<Utc>, Author, bool, bool)> = on!(tx, |c| sqlx::query_as(FROM)
                .bind(message)
                .bind(held.id)
                .fetch_optional(c)
                .await)?;
            let (from, since, author, internal, is_later) = from.ok_or(Error::NotFound)?;
            if internal || author != Author::Customer || !is_later {
                return Err(Error::Stale);
            }
            let begun = Begun {
                customer: held.customer_id,
                topic: held.topic_id,
                purchase: None,
                about: None,
                language: held.language,
                at: since,
            };
            let (id, begun) = begin(tx, begun).await?;
            on!(tx, |c| sqlx::query(MOVE)
                .bind(from)
                .bind(id)
                .bind(since)
                .bind(message)
                .execute(c)
                .await
                .map(drop))?;
            let at = held.moment(tx);
            let said_there = said(tx, id).await?;
            let waiting_since = owed(&said_there);
            let status = if waiting_since.is_some() {
                Status::Open
            } else {
                Status::Waiting
            };
            let answered_at = said_there
                .iter()
                .find(|one| one.author == Author::Staff)
                .map(|one| one.at);
            on!(tx, |c| sqlx::query(BEGUN)
                .bind(id)
                .bind(status)
                .bind(held.assignee_id)
                .bind(at)
                .bind(waiting_since)
                .bind(answered_at)
                .bind(from)
                .execute(c)
                .await
                .map(drop))?;
            let mut left = Left::of(&held);
            let here = said(tx, held.id).await?;
            if held.status.is_waiting_for_staff() && owed(&here).is_none() {
                left = Left::after(&here, &held);
                levels::owe_no_answer(tx, held.id, at).await?;
            }
            left.put(tx, held.id, at).await?;
            for one in [id, held.id] {
                levels::follow(tx, one, at, false).await?;
            }
            let to = To {
                kind: link::Kind::Split,
                other: Some(id),
                purchase: None,
                line: None,
            };
            link::put(tx, by, held.id, to).await?;
            tx.happened(Cause::Opened(id));
            let (customer, reason) = (Some(held.customer_id), Reason::Request.as_str());
            by.record(tx, "request.split", customer, Some(id.0), reason).await?;
            live::note(tx, id, live::Kind::Opened).await?;
            live::note(tx, held.id, live::Kind::Answered).await?;
            Ok(begun)
        })
    })
    .await
}
