//! Pairs of accounts that may be of one person, of all customers, for staff to work through: the newest accounts first. What staff
//! found to be two persons is remembered, and proposed no more, until they think better of it.

use super::Likeness;
use crate::db::{self, Bind, Conn, Db, ListQuery, scoped};
use crate::error::Error;
use crate::id::CustomerId;
use crate::on;
use crate::points::Before;
use crate::staff::Right;
use crate::who::Staff;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// How many pairs a page has at most.
pub const PAIRS: usize = 20;
/// How many accounts are looked through at once.
const TOGETHER: i64 = 1000;
/// How often that is done for a page: where there are few pairs, a page has few, and the next one goes on.
const ROUNDS: usize = 20;

/// Two accounts that may be of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The newer account.
    pub newer: CustomerId,
    /// The name that it has, and the surname.
    pub newer_name: (String, String),
    /// The older one.
    pub older: CustomerId,
    /// The name that it has, and the surname.
    pub older_name: (String, String),
    /// What they have in common.
    pub by: Vec<Likeness>,
}

/// A page of pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// The pairs.
    pub pairs: Vec<Pair>,
    /// After which pair, the newer account first, the next page begins; none where all were looked through.
    pub next: Option<(CustomerId, CustomerId)>,
}

/// Pairs with the same phone, e-mail, or name and birthday; those after a pair, the newer account of it first. Written into the
/// audit log.
pub async fn pairs(db: &Db, by: &Staff, after: Option<(CustomerId, CustomerId)>) -> Result<Pairs, Error> {
    may(by)?;
    let mut conn = db.read().await?;
    let found = look_through(&mut conn, after).await?;
    drop(conn);
    let reason = &format!("{} shown", found.pairs.len());
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "duplicate.list", None, None, reason).await?) }))
        .await?;
    Ok(found)
}

fn may(by: &Staff) -> Result<(), Error> {
    by.may(Right::Customers)?;
    by.may(Right::Merge)
}

async fn look_through(conn: &mut Conn, after: Option<(CustomerId, CustomerId)>) -> Result<Pairs, sqlx::Error> {
    const ACCOUNTS: &str = "SELECT id FROM customers WHERE id <= $1 AND merged_into IS NULL AND erased_at IS NULL \
                            ORDER BY id DESC LIMIT $2";
    let (first, last) = (CustomerId(Uuid::nil()), CustomerId(Uuid::max()));
    let (mut newer, mut older) = after.unwrap_or((last, last));
    let mut found = Pairs::default();
    for _ in 0..ROUNDS {
        let accounts: Vec<CustomerId> = on!(conn, |c| sqlx::query_scalar(ACCOUNTS)
            .bind(newer)
            .bind(TOGETHER)
            .fetch_all(c)
            .await)?;
        let Some(to) = accounts.last().copied() else {
            return Ok(found);
        };
        among(conn, &mut found.pairs, (newer, older), to).await?;
        if found.pairs.len() > PAIRS {
            found.pairs.truncate(PAIRS);
            found.next = found.pairs.last().map(|pair| (pair.newer, pair.older));
            return Ok(found);
        }
        if (accounts.len() as i64) < TOGETHER {
            return Ok(found);
        }
        (newer, older) = (to, first);
    }
    found.next = Some((newer, older));
    Ok(found)
}

/// Adds the pairs after a pair whose newer account is among those down to `to`; one more than a page has is enough.
async fn among(
    conn: &mut Conn,
    pairs: &mut Vec<Pair>,
    (newer, older): (CustomerId, CustomerId),
    to: CustomerId,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "WITH found AS (\
        SELECT m.customer_id AS newer, t.customer_id AS older, t.kind AS what FROM contacts m \
        JOIN contacts t ON t.value = m.value AND t.kind = m.kind AND t.customer_id < m.customer_id \
        WHERE m.customer_id <= $1 AND m.customer_id >= $3 \
        UNION SELECT m.id, t.id, 'person' FROM customers m \
        JOIN customers t ON t.search = m.search AND t.birthday = m.birthday AND t.id < m.id \
        WHERE m.id <= $1 AND m.id >= $3 AND m.search <> '') \
        SELECT f.newer, f.older, f.what, n.name, n.surname, o.name, o.surname FROM found f \
        JOIN customers n ON n.id = f.newer JOIN customers o ON o.id = f.older \
        WHERE (f.newer < $1 OR f.older < $2) AND n.merged_into IS NULL AND n.erased_at IS NULL \
        AND o.merged_into IS NULL AND o.erased_at IS NULL \
        AND NOT EXISTS (SELECT 1 FROM distinct_customers d WHERE d.older_id = f.older AND d.newer_id = f.newer) \
        ORDER BY f.newer DESC, f.older DESC, f.what LIMIT $4";
    // A row for each thing that a pair has in common, of which there are three.
    let most = 3 * (PAIRS as i64 + 1);
    type Found = (CustomerId, CustomerId, String, String, String, String, String);
    let rows: Vec<Found> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(newer)
        .bind(older)
        .bind(to)
        .bind(most)
        .fetch_all(c)
        .await)?;
    for (newer, older, what, name, surname, older_name, older_surname) in rows {
        let likeness = match what.as_str() {
            "phone" => Likeness::Phone,
            "email" => Likeness::Email,
            _ => Likeness::Person,
        };
        match pairs.last_mut() {
            Some(last) if (last.newer, last.older) == (newer, older) => last.by.push(likeness),
            _ => pairs.push(Pair {
                newer,
                newer_name: (name, surname),
                older,
                older_name: (older_name, older_surname),
                by: vec![likeness],
            }),
        }
    }
    Ok(())
}

/// Remembers that two accounts are of two persons: they are proposed no more. Fails with [`Error::NotFound`] where they are not two
/// that stand by themselves.
pub async fn dismiss(db: &Db, by: &Staff, one: CustomerId, other: CustomerId) -> Result<(), Error> {
    const STANDING: &str =
        "SELECT COUNT(*) FROM customers WHERE id IN ($1, $2) AND merged_into IS NULL AND erased_at IS NULL";
    const SQL: &str = "INSERT INTO distinct_customers (older_id, newer_id, staff_id, at) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (older_id, newer_id) DO NOTHING";
    may(by)?;
    let (older, newer) = (one.min(other), one.max(other));
    db.write(|tx| {
        scoped(async move {
            let standing: i64 = on!(tx, |c| sqlx::query_scalar(STANDING)
                .bind(older)
                .bind(newer)
                .fetch_one(c)
                .await)?;
            if standing != 2 {
                return Err(Error::NotFound);
            }
            let now = tx.now();
            let new = on!(tx, |c| sqlx::query(SQL)
                .bind(older)
                .bind(newer)
                .bind(by.id())
                .bind(now)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            // Whose ever log is read: it is told in both.
            if new > 0 {
                by.record(tx, "duplicate.dismiss", Some(newer), Some(older.0), "")
                    .await?;
                by.record(tx, "duplicate.dismiss", Some(older), Some(newer.0), "")
                    .await?;
            }
            Ok(())
        })
    })
    .await
}

/// Thinks better of it: two accounts may be of one person after all, and are proposed again. [`Error::Stale`] where nobody says any more
/// that they are not.
pub async fn propose(db: &Db, by: &Staff, one: CustomerId, other: CustomerId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM distinct_customers WHERE older_id = $1 AND newer_id = $2";
    may(by)?;
    let (older, newer) = (one.min(other), one.max(other));
    db.write(|tx| {
        scoped(async move {
            let gone = on!(tx, |c| sqlx::query(SQL)
                .bind(older)
                .bind(newer)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if gone == 0 {
                return Err(Error::Stale);
            }
            by.record(tx, "duplicate.propose", Some(newer), Some(older.0), "")
                .await?;
            by.record(tx, "duplicate.propose", Some(older), Some(newer.0), "")
                .await?;
            Ok(())
        })
    })
    .await
}

/// Two accounts that staff found to be of two persons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Different {
    /// The newer account.
    pub newer: CustomerId,
    /// The name that it has, and the surname.
    pub newer_name: (String, String),
    /// The older one.
    pub older: CustomerId,
    /// The name that it has, and the surname.
    pub older_name: (String, String),
    /// Who said so.
    pub colleague: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A place among them: when it was said and of which newer account, and the older one.
pub type Place = (Before, CustomerId);

/// A page of what staff found to be two persons, the last first, those after a place; and where the next page begins, if there is one.
/// An account that went into another one is no pair. Written into the audit log.
pub async fn different(db: &Db, by: &Staff, after: Option<Place>) -> Result<(Vec<Different>, Option<Place>), Error> {
    // Each is said by hand, so there are not so many that their order would need an index.
    const SQL: &str = "SELECT d.newer_id, d.older_id, n.name, n.surname, o.name, o.surname, s.name, d.at \
                       FROM distinct_customers d JOIN customers n ON n.id = d.newer_id \
                       JOIN customers o ON o.id = d.older_id JOIN staff s ON s.id = d.staff_id";
    type Found = (
        CustomerId,
        CustomerId,
        String,
        String,
        String,
        String,
        String,
        DateTime<Utc>,
    );
    may(by)?;
    let mut query = ListQuery::new(SQL).filter("n.merged_into IS NULL AND o.merged_into IS NULL", []);
    if let Some(((at, newer), older)) = after {
        query = query.filter(
            "(d.at, d.newer_id, d.older_id) < (?, ?, ?)",
            [Bind::Time(at), Bind::Id(newer), Bind::Id(older.0)],
        );
    }
    // One more than is shown tells whether there is another page.
    let query = query
        .tail("ORDER BY d.at DESC, d.newer_id DESC, d.older_id DESC")
        .limit(PAIRS as i64 + 1);
    let mut conn = db.read().await?;
    let mut rows: Vec<Found> = db::list(&mut conn, query).await?;
    drop(conn);
    let is_more = rows.len() > PAIRS;
    rows.truncate(PAIRS);
    let found: Vec<Different> = rows
        .into_iter()
        .map(
            |(newer, older, name, surname, older_name, older_surname, colleague, at)| Different {
                newer,
                newer_name: (name, surname),
                older,
                older_name: (older_name, older_surname),
                colleague,
                at,
            },
        )
        .collect();
    let next = found
        .last()
        .filter(|_| is_more)
        .map(|last| ((last.at, last.newer.0), last.older));
    let reason = &format!("different: {} shown", found.len());
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "duplicate.list", None, None, reason).await?) }))
        .await?;
    Ok((found, next))
}
