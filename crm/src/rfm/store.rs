//! RFM in the database: a daily job walks over all customers part by part, writes down what each bought, finds the cuts between the
//! fifths, and then scores them. Nothing else writes it, and nothing hangs on it but what staff look at; it may be a day old.

use super::{Group, Scores, cuts, score};
use crate::content::{set_setting, setting};
use crate::db::{self, Bind, Conn, Db, Rows, scoped};
use crate::error::Error;
use crate::id::CustomerId;
use crate::on;
use crate::who::{Subject, System};
use chrono::{DateTime, Months, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The fact about the database that says on which day it was counted, and how many are in each group.
const COUNTED: &str = "rfm";
/// How many customers are looked at before what was found is written down.
const BATCH: i64 = 1_000;

/// What was found last of all customers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The day.
    pub day: NaiveDate,
    /// Each group that somebody is in, the best first.
    pub groups: Vec<InGroup>,
}

/// Those in a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InGroup {
    /// Which.
    pub group: Group,
    /// How many customers.
    pub customers: i64,
    /// What they paid in twelve months less what was given back, in minor units.
    pub paid: i64,
}

/// The scores of a customer, as they were counted last; none of whoever bought nothing.
pub async fn of(conn: &mut Conn, of: Subject) -> Result<Option<Scores>, Error> {
    const SQL: &str = "SELECT recency, frequency, monetary FROM customer_rfm WHERE customer_id = $1 AND recency > 0";
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .fetch_optional(c)
        .await)?)
}

/// What was found last, if anything was.
pub async fn counted(db: &Db) -> Result<Option<Counted>, Error> {
    let found = setting(db, COUNTED).await?;
    Ok(found.and_then(|found| serde_json::from_str(&found).ok()))
}

/// Counts where that was not done today: true where it was done now. It may run twice or on several nodes with the same result. Ends
/// early when `goes_on` says so, and begins anew the next time.
pub async fn run_due(db: &Db, by: &System, goes_on: impl Fn() -> bool) -> Result<bool, Error> {
    // Who was erased, went into another account, or had what they bought voided: nothing of theirs was found today.
    const GONE: &str = "DELETE FROM customer_rfm WHERE counted_on <> $1";
    let today = db.shop().day(db.now());
    if counted(db).await?.is_some_and(|counted| counted.day == today) {
        return Ok(false);
    }
    if !add_up(db, today, &goes_on).await? {
        return Ok(false);
    }
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(GONE).bind(today).execute(c).await.map(drop))?;
            Ok::<_, Error>(())
        })
    })
    .await?;
    let Some(groups) = tell(db, today, &goes_on).await? else {
        return Ok(false);
    };
    let all = Counted { day: today, groups };
    let text = &serde_json::to_string(&all).map_err(|e| db::Error::Inconsistent(e.to_string()))?;
    db.write(|tx| scoped(async move { set_setting(tx, by, COUNTED, text).await }))
        .await?;
    Ok(true)
}

/// Writes down what each customer bought; false where it ended early.
async fn add_up(db: &Db, today: NaiveDate, goes_on: &impl Fn() -> bool) -> Result<bool, Error> {
    type Bought = (CustomerId, DateTime<Utc>, i64, i64);
    const NEXT: &str = "SELECT id FROM customers WHERE id > $1 ORDER BY id LIMIT $2";
    const BOUGHT: &str = "SELECT p.customer_id, MAX(CASE WHEN p.kind = 'sale' THEN p.at END), \
        COUNT(CASE WHEN p.kind = 'sale' THEN 1 END), CAST(SUM(p.total) AS BIGINT) \
        FROM purchases p JOIN customers c ON c.id = p.customer_id \
        WHERE p.customer_id > $1 AND p.customer_id <= $2 AND p.at >= $3 AND p.at <= $4 AND p.voided_at IS NULL \
        AND c.erased_at IS NULL AND c.merged_into IS NULL \
        GROUP BY p.customer_id HAVING COUNT(CASE WHEN p.kind = 'sale' THEN 1 END) > 0";
    let first = today.checked_sub_months(Months::new(12)).unwrap_or(today);
    let first = db.shop().midnight(first);
    let mut after = CustomerId(Uuid::nil());
    loop {
        if !goes_on() {
            return Ok(false);
        }
        let mut conn = db.read().await?;
        let now = conn.now();
        let ids: Vec<CustomerId> = on!(conn, |c| sqlx::query_scalar(NEXT)
            .bind(after)
            .bind(BATCH)
            .fetch_all(c)
            .await)?;
        let Some(last) = ids.last().copied() else {
            return Ok(true);
        };
        let bought: Vec<Bought> = on!(conn, |c| sqlx::query_as(BOUGHT)
            .bind(after)
            .bind(last)
            .bind(first)
            .bind(now)
            .fetch_all(c)
            .await)?;
        drop(conn);
        let bought = &bought;
        db.write(|tx| {
            scoped(async move {
                let mut rows = Rows::new(
                    "INSERT INTO customer_rfm (customer_id, last_at, purchases, paid, counted_on)",
                    "ON CONFLICT (customer_id) DO UPDATE SET last_at = excluded.last_at, purchases = excluded.purchases, \
                     paid = excluded.paid, counted_on = excluded.counted_on",
                );
                for (customer, last_at, purchases, paid) in bought {
                    rows.push([
                        Bind::Id(customer.0),
                        Bind::Time(*last_at),
                        Bind::Int(*purchases),
                        Bind::Int(*paid),
                        Bind::Day(today),
                    ]);
                }
                Ok::<_, Error>(db::insert(tx, rows).await?)
            })
        })
        .await?;
        after = last;
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    customer_id: CustomerId,
    last_at: DateTime<Utc>,
    purchases: i64,
    paid: i64,
    #[sqlx(flatten)]
    scores: Scores,
}

/// Tells everybody's scores by the fifths, and how many are in each group; none where it ended early. Only what is not so already is
/// written.
async fn tell(db: &Db, today: NaiveDate, goes_on: &impl Fn() -> bool) -> Result<Option<Vec<InGroup>>, Error> {
    const COUNT: &str = "SELECT COUNT(*) FROM customer_rfm";
    const LATELY: &str = "SELECT last_at FROM customer_rfm ORDER BY last_at LIMIT 1 OFFSET $1";
    const OFTEN: &str = "SELECT purchases FROM customer_rfm ORDER BY purchases LIMIT 1 OFFSET $1";
    const MUCH: &str = "SELECT paid FROM customer_rfm ORDER BY paid LIMIT 1 OFFSET $1";
    const NEXT: &str = "SELECT customer_id, last_at, purchases, paid, recency, frequency, monetary FROM customer_rfm \
                        WHERE customer_id > $1 ORDER BY customer_id LIMIT $2";
    let mut conn = db.read().await?;
    let count: i64 = on!(conn, |c| sqlx::query_scalar(COUNT).fetch_one(c).await)?;
    let (mut lately, mut often, mut much) = (Vec::new(), Vec::new(), Vec::new());
    for place in cuts(count) {
        let at: Option<DateTime<Utc>> = on!(conn, |c| sqlx::query_scalar(LATELY).bind(place).fetch_optional(c).await)?;
        lately.extend(at);
        for (sql, found) in [(OFTEN, &mut often), (MUCH, &mut much)] {
            let cut: Option<i64> = on!(conn, |c| sqlx::query_scalar(sql).bind(place).fetch_optional(c).await)?;
            found.extend(cut);
        }
    }
    drop(conn);
    let mut groups: BTreeMap<Group, (i64, i64)> = BTreeMap::new();
    let mut after = CustomerId(Uuid::nil());
    loop {
        if !goes_on() {
            return Ok(None);
        }
        let mut conn = db.read().await?;
        let known: Vec<Row> = on!(conn, |c| sqlx::query_as(NEXT)
            .bind(after)
            .bind(BATCH)
            .fetch_all(c)
            .await)?;
        drop(conn);
        let Some(last) = known.last() else {
            break;
        };
        after = last.customer_id;
        let mut changed = Vec::new();
        for row in known {
            let scores = Scores {
                recency: score(&row.last_at, &lately),
                frequency: score(&row.purchases, &often),
                monetary: score(&row.paid, &much),
            };
            let (customers, paid) = groups.entry(scores.group()).or_default();
            *customers += 1;
            *paid += row.paid;
            if scores != row.scores {
                changed.push((row, scores));
            }
        }
        if changed.is_empty() {
            continue;
        }
        let changed = &changed;
        db.write(|tx| {
            scoped(async move {
                let mut rows = Rows::new(
                    "INSERT INTO customer_rfm (customer_id, last_at, purchases, paid, counted_on, recency, frequency, monetary, segment)",
                    "ON CONFLICT (customer_id) DO UPDATE SET recency = excluded.recency, frequency = excluded.frequency, \
                     monetary = excluded.monetary, segment = excluded.segment",
                );
                for (row, scores) in changed {
                    rows.push([
                        Bind::Id(row.customer_id.0),
                        Bind::Time(row.last_at),
                        Bind::Int(row.purchases),
                        Bind::Int(row.paid),
                        Bind::Day(today),
                        Bind::Int(scores.recency),
                        Bind::Int(scores.frequency),
                        Bind::Int(scores.monetary),
                        Bind::Word(scores.group().as_str()),
                    ]);
                }
                Ok::<_, Error>(db::insert(tx, rows).await?)
            })
        })
        .await?;
    }
    let group = |(group, (customers, paid))| InGroup { group, customers, paid };
    Ok(Some(groups.into_iter().map(group).collect()))
}
