//! What customers found out by themselves: readers of the help who say that it was of use, conversations, and looks at what the
//! cabinet explains, after which nobody wrote to support. An estimate of the requests that were spared, and no more: some would
//! not have written anyway.
//!
//! A day is counted once the next one is over too, for so long a request may follow. Then the looks of that day are gone: who
//! looked is of no more use.

use super::{Counted, NIL, keep, moments};
use crate::db::{Conn, Db, Lock, Tx, scoped};
use crate::error::Error;
use crate::on;
use crate::who::Customer;
use chrono::{Days, NaiveDate};

/// What the cabinet explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What a purchase would bring.
    WhatIf,
    /// Why a receipt brought what it brought.
    Why,
    /// What became of points that are missing.
    Missing,
}

impl Look {
    /// As it is stored.
    const fn as_str(self) -> &'static str {
        match self {
            Self::WhatIf => "what_if",
            Self::Why => "why",
            Self::Missing => "missing",
        }
    }
}

/// How far back days are counted that were not: conversations are kept no longer.
const BACK: u64 = 28;

/// Notes that a customer looked, once a day.
pub async fn note(db: &Db, by: &Customer, look: Look) -> Result<(), Error> {
    const KNOWN: &str = "SELECT kind FROM explanations WHERE customer_id = $1 AND day = $2 AND kind = $3";
    const SQL: &str = "INSERT INTO explanations (customer_id, day, kind) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let day = db.shop().day(db.now());
    let mut conn = db.read().await?;
    let known: Option<String> = on!(conn, |c| sqlx::query_scalar(KNOWN)
        .bind(by.id())
        .bind(day)
        .bind(look.as_str())
        .fetch_optional(c)
        .await)?;
    drop(conn);
    // Most looks of a day are one after the other, and the one writer of SQLite is not asked for nothing.
    if known.is_some() {
        return Ok(());
    }
    db.write(|tx| {
        scoped(async move {
            Ok(on!(tx, |c| sqlx::query(SQL)
                .bind(by.id())
                .bind(day)
                .bind(look.as_str())
                .execute(c)
                .await
                .map(drop))?)
        })
    })
    .await
}

/// Counts the days that can be counted by now and were not.
pub(super) async fn run_due(db: &Db) -> Result<(), Error> {
    const LAST: &str = "SELECT MAX(day) FROM report_figures WHERE figure = 'helped'";
    let today = db.shop().day(db.now());
    let back = |days| today.checked_sub_days(Days::new(days)).unwrap_or(today);
    let mut conn = db.read().await?;
    let last: Option<NaiveDate> = on!(conn, |c| sqlx::query_scalar(LAST).fetch_one(c).await)?;
    drop(conn);
    let first = last
        .and_then(|last| last.succ_opt())
        .unwrap_or(back(BACK))
        .max(back(BACK));
    for day in first.iter_days().take_while(|day| *day <= back(2)) {
        db.write(|tx| scoped(count(tx, day))).await?;
    }
    Ok(())
}

async fn count(tx: &mut Tx, day: NaiveDate) -> Result<(), Error> {
    const KNOWN: &str = "SELECT COUNT(*) FROM report_figures WHERE figure = 'helped' AND day = $1";
    const GONE: &str = "DELETE FROM explanations WHERE day <= $1";
    // Who looked is gone once the day is counted: another node that came a moment later would find nobody.
    tx.lock(Lock::Counting, true).await?;
    let known: i64 = on!(tx, |c| sqlx::query_scalar(KNOWN).bind(day).fetch_one(c).await)?;
    if known > 0 {
        return Ok(());
    }
    let counted = found(tx, day).await?;
    keep(tx, day, &counted).await?;
    on!(tx, |c| sqlx::query(GONE).bind(day).execute(c).await.map(drop))?;
    Ok(())
}

/// What customers found out on a day, each of them once, whatever they did for it: nobody would have written twice. Zeroes stand
/// there as well: they say that the day was counted.
async fn found(conn: &mut Conn, day: NaiveDate) -> Result<Counted, sqlx::Error> {
    const HELPED: &str = "SELECT COUNT(*) FROM help_votes WHERE day = $1 AND useful";
    const ALONE: &str = "WITH found AS (SELECT c.customer_id, 'chat' AS how FROM conversation_messages m \
        JOIN conversations c ON c.id = m.conversation_id WHERE m.at >= $1 AND m.at < $2 AND m.author = 'person' \
        AND c.customer_id IS NOT NULL UNION SELECT e.customer_id, 'look' FROM explanations e WHERE e.day = $4) \
        SELECT COUNT(DISTINCT f.customer_id), COUNT(DISTINCT CASE WHEN f.how = 'chat' THEN f.customer_id END), \
        COUNT(DISTINCT CASE WHEN f.how = 'look' THEN f.customer_id END) FROM found f WHERE NOT EXISTS \
        (SELECT 1 FROM requests r WHERE r.customer_id = f.customer_id AND r.created_at >= $1 AND r.created_at < $3)";
    let after = |days| day.checked_add_days(Days::new(days)).unwrap_or(day);
    let (first, next) = moments(conn, day, after(1));
    let until = conn.shop().midnight(after(2));
    let helped: i64 = on!(conn, |c| sqlx::query_scalar(HELPED).bind(day).fetch_one(c).await)?;
    let (alone, chats, looks): (i64, i64, i64) = on!(conn, |c| sqlx::query_as(ALONE)
        .bind(first)
        .bind(next)
        .bind(until)
        .bind(day)
        .fetch_one(c)
        .await)?;
    Ok(Counted::from([
        (("helped", NIL, NIL), helped),
        (("alone", NIL, NIL), alone),
        (("chats", NIL, NIL), chats),
        (("looks", NIL, NIL), looks),
    ]))
}
