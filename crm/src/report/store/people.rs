//! Who registered, joined, left and was erased, by day and favourite shop: kept, so that a report of a year does not ask a million
//! customers.
//!
//! What is kept of a day may be another thing years later: a contact is proved, another shop becomes the favourite one, a card is
//! merged. None of that marks the day. So all days are looked at once a day, and the last two each round, so that who came just now is
//! told; only what is not kept so is written.

use super::{Counted, NIL, add, keep, moments};
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::Error;
use crate::on;
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What is counted of a day. Customers are in no part; those of a program are whoever is or was a member of it.
const FIGURES: [&str; 7] = [
    "registered",
    "verified",
    "erased",
    "program_registered",
    "program_verified",
    "joined",
    "left",
];

/// Counts the last two days, and all of them where that was not done today. Ends early when `goes_on` says so.
pub(super) async fn run_due(db: &Db, goes_on: impl Fn() -> bool) -> Result<(), Error> {
    const KNOWN: &str = "SELECT day FROM report_figures WHERE figure = 'people' AND day = $1";
    let today = db.shop().day(db.now());
    let mut conn = db.read().await?;
    let known: Option<NaiveDate> = on!(conn, |c| sqlx::query_scalar(KNOWN).bind(today).fetch_optional(c).await)?;
    let (first, last) = match known {
        Some(_) => (today.pred_opt().unwrap_or(today), today),
        None => span(&mut conn, today).await?,
    };
    drop(conn);
    for day in first.iter_days().take_while(|day| *day <= last) {
        if !goes_on() {
            return Ok(());
        }
        count(db, day).await?;
    }
    if known.is_some() {
        return Ok(());
    }
    // A zero that says that all days were counted on this one.
    let all = &Counted::from([(("people", NIL, NIL), 0)]);
    db.write(|tx| scoped(async move { Ok(keep(tx, today, all).await?) }))
        .await
}

/// Has all days counted again in the next round.
pub(super) async fn again(tx: &mut Tx) -> Result<(), sqlx::Error> {
    const SQL: &str = "DELETE FROM report_figures WHERE figure = 'people'";
    on!(tx, |c| sqlx::query(SQL).execute(c).await.map(drop))
}

/// The first and the last day of which there is something, or something is kept. Who left or was erased had come before.
async fn span(conn: &mut Conn, today: NaiveDate) -> Result<(NaiveDate, NaiveDate), sqlx::Error> {
    const FIRST: [&str; 2] = [
        "SELECT MIN(registered_at) FROM customers",
        "SELECT MIN(joined_at) FROM memberships",
    ];
    let kept = ListQuery::new("SELECT MIN(day), MAX(day) FROM report_figures");
    let kept = kept.within("figure", FIGURES.map(Bind::Word));
    let kept: Vec<(Option<NaiveDate>, Option<NaiveDate>)> = db::list(conn, kept).await?;
    let mut days = BTreeSet::from([today]);
    for (first, last) in kept {
        days.extend(first);
        days.extend(last);
    }
    for sql in FIRST {
        let at: Option<DateTime<Utc>> = on!(conn, |c| sqlx::query_scalar(sql).fetch_one(c).await)?;
        days.extend(at.map(|at| conn.shop().day(at)));
    }
    let (first, last) = (days.first().copied(), days.last().copied());
    Ok((first.unwrap_or(today), last.unwrap_or(today)))
}

/// Counts a day, and writes down what is kept otherwise. Two nodes that do it at once find the same, and where they do not, the next
/// round does.
async fn count(db: &Db, day: NaiveDate) -> Result<(), Error> {
    let mut conn = db.read().await?;
    let kept = kept(&mut conn, day).await?;
    let mut counted = found(&mut conn, day).await?;
    drop(conn);
    // Where there is nothing any more, there is a zero.
    for place in kept.keys() {
        counted.entry(*place).or_default();
    }
    counted.retain(|place, value| kept.get(place).copied() != Some(*value));
    if counted.is_empty() {
        return Ok(());
    }
    let counted = &counted;
    db.write(|tx| scoped(async move { Ok(keep(tx, day, counted).await?) }))
        .await
}

/// A figure, its shop and its part, and how many.
type Row = (String, Option<Uuid>, Option<Uuid>, i64);

fn placed(rows: Vec<Row>) -> Counted {
    let mut counted = Counted::new();
    for (figure, store, part, value) in rows {
        if let Some(figure) = FIGURES.into_iter().find(|one| *one == figure) {
            add(&mut counted, (figure, store.unwrap_or(NIL), part.unwrap_or(NIL)), value);
        }
    }
    counted
}

/// What is kept of a day.
async fn kept(conn: &mut Conn, day: NaiveDate) -> Result<Counted, sqlx::Error> {
    let query = ListQuery::new("SELECT figure, store_id, part_id, value FROM report_figures")
        .within("figure", FIGURES.map(Bind::Word))
        .filter("day = ?", [Bind::Day(day)]);
    Ok(placed(db::list(conn, query).await?))
}

/// What there is of a day. Who was merged into another one counts nowhere; memberships are of whoever has them now. `CROSS JOIN` has
/// SQLite begin with those of the day.
async fn found(conn: &mut Conn, day: NaiveDate) -> Result<Counted, sqlx::Error> {
    macro_rules! registered {
        () => {
            "c.registered_at >= $1 AND c.registered_at < $2 AND c.merged_into IS NULL"
        };
    }
    macro_rules! verified {
        () => {
            " AND EXISTS (SELECT 1 FROM contacts k WHERE k.customer_id = c.id AND k.verified_at IS NOT NULL)"
        };
    }
    const SQL: &str = concat!(
        "SELECT 'registered', c.favourite_store_id, CAST(NULL AS UUID), COUNT(*) FROM customers c WHERE ",
        registered!(),
        " GROUP BY c.favourite_store_id \
         UNION ALL SELECT 'verified', c.favourite_store_id, CAST(NULL AS UUID), COUNT(*) FROM customers c WHERE ",
        registered!(),
        verified!(),
        " GROUP BY c.favourite_store_id \
         UNION ALL SELECT 'erased', c.favourite_store_id, CAST(NULL AS UUID), COUNT(*) FROM customers c \
         WHERE c.erased_at >= $1 AND c.erased_at < $2 AND c.merged_into IS NULL GROUP BY c.favourite_store_id \
         UNION ALL SELECT 'program_registered', c.favourite_store_id, j.program_id, COUNT(DISTINCT c.id) \
         FROM customers c CROSS JOIN memberships j WHERE j.customer_id = c.id AND ",
        registered!(),
        " GROUP BY c.favourite_store_id, j.program_id \
         UNION ALL SELECT 'program_verified', c.favourite_store_id, j.program_id, COUNT(DISTINCT c.id) \
         FROM customers c CROSS JOIN memberships j WHERE j.customer_id = c.id AND ",
        registered!(),
        verified!(),
        " GROUP BY c.favourite_store_id, j.program_id \
         UNION ALL SELECT 'joined', c.favourite_store_id, j.program_id, COUNT(*) FROM memberships j CROSS JOIN customers c \
         WHERE c.id = j.customer_id AND j.joined_at >= $1 AND j.joined_at < $2 GROUP BY c.favourite_store_id, j.program_id \
         UNION ALL SELECT 'left', c.favourite_store_id, j.program_id, COUNT(*) FROM memberships j CROSS JOIN customers c \
         WHERE c.id = j.customer_id AND j.left_at >= $1 AND j.left_at < $2 GROUP BY c.favourite_store_id, j.program_id"
    );
    let (first, next) = moments(conn, day, day.succ_opt().unwrap_or(day));
    let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL).bind(first).bind(next).fetch_all(c).await)?;
    Ok(placed(rows))
}
