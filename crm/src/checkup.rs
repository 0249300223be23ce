//! What somebody who looks after a running installation wants to know of its database.

use crate::db::Db;
use crate::error::Error;
use crate::on;
use crate::outbox::delivery::due_since;
use crate::points::Difference;
use crate::staff::Right;
use crate::who::System;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::types::Json;
use uuid::Uuid;

/// How messages are getting along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbox {
    /// Since when one that waits to be carried could have gone; later than now where all wait for their hour.
    pub due_since: Option<DateTime<Utc>>,
    /// How many could not be carried.
    pub failed: i64,
}

/// Looks at the queue of messages.
pub async fn outbox(db: &Db, _: &System) -> Result<Outbox, Error> {
    const DUE: &str = concat!("SELECT ", due_since!(), " FROM outbox WHERE state = 'queued'");
    // A phone that is switched off is nothing that whoever runs the server could mend.
    const FAILED: &str = "SELECT COUNT(*) FROM outbox WHERE state = 'failed' AND undelivered_at IS NULL";
    let mut conn = db.read().await?;
    Ok(Outbox {
        due_since: on!(conn, |c| sqlx::query_scalar(DUE).fetch_one(c).await)?,
        failed: on!(conn, |c| sqlx::query_scalar(FAILED).fetch_one(c).await)?,
    })
}

/// How many can come in who may look after their colleagues: without one, nobody lets anybody in but the command line.
pub async fn managers(db: &Db, _: &System) -> Result<usize, Error> {
    const SQL: &str = "SELECT r.rights FROM staff s JOIN roles r ON r.code = s.role WHERE s.disabled_at IS NULL \
                       AND NOT EXISTS (SELECT 1 FROM staff_invites i WHERE i.staff_id = s.id AND i.used_at IS NULL \
                       AND NOT i.is_reset)";
    let mut conn = db.read().await?;
    let roles: Vec<Json<Vec<Right>>> = on!(conn, |c| sqlx::query_scalar(SQL).fetch_all(c).await)?;
    Ok(roles.iter().filter(|role| role.0.contains(&Right::Staff)).count())
}

/// Lines of returns that have waited for their sale for more than a day: how many, and the number that the oldest of them names. What
/// is voided waits for nothing.
pub async fn returns_without_sale(db: &Db, _: &System) -> Result<(i64, Option<String>), Error> {
    const SQL: &str = "SELECT COUNT(*) OVER (), w.document FROM waiting_returns w \
                       JOIN purchase_lines l ON l.id = w.line_id JOIN purchases p ON p.id = l.purchase_id \
                       WHERE p.at < $1 AND p.voided_at IS NULL ORDER BY p.at, p.id LIMIT 1";
    let mut conn = db.read().await?;
    let day_ago = conn.now() - TimeDelta::days(1);
    let found: Option<(i64, String)> = on!(conn, |c| sqlx::query_as(SQL).bind(day_ago).fetch_optional(c).await)?;
    Ok(found.map_or((0, None), |(count, document)| (count, Some(document))))
}

/// By how much the database's clock is ahead of ours. SQLite has none of its own: there `None`.
pub async fn clock_difference(db: &Db, _: &System) -> Result<Option<TimeDelta>, Error> {
    const SQL: &str = "SELECT clock_timestamp()";
    let mut conn = db.read().await?;
    let before = db.now();
    let crate::db::Engine::Postgres(c) = conn.engine() else {
        return Ok(None);
    };
    let there: DateTime<Utc> = sqlx::query_scalar(SQL).fetch_one(c).await?;
    // The answer was made somewhere between the two.
    Ok(Some(there - (before + (db.now() - before) / 2)))
}

/// Compares the newest transactions of the ledger: quick however long the history is. `points::store::verify` compares
/// all of it.
pub async fn newest_of_the_ledger(db: &Db, _: &System, transactions: i64) -> Result<Vec<Difference>, Error> {
    const CHECKS: [(&str, &str); 2] = [
        (
            "a transaction sums to zero",
            "SELECT transaction_id, CAST(0 AS BIGINT), CAST(SUM(amount) AS BIGINT) FROM postings \
             WHERE transaction_id IN (SELECT id FROM transactions ORDER BY id DESC LIMIT $1) \
             GROUP BY transaction_id HAVING SUM(amount) <> 0",
        ),
        // The program's own accounts have a posting in every transaction: summing those up is not quick.
        (
            "a balance is the sum of its postings",
            "SELECT a.id, CAST(SUM(o.amount) AS BIGINT), a.balance FROM accounts a \
             JOIN postings o ON o.account_id = a.id WHERE a.customer_id IN \
             (SELECT customer_id FROM transactions ORDER BY id DESC LIMIT $1) \
             GROUP BY a.id, a.balance HAVING SUM(o.amount) <> a.balance",
        ),
    ];
    let mut conn = db.read().await?;
    let mut differences = Vec::new();
    for (what, sql) in CHECKS {
        let rows: Vec<(Uuid, i64, i64)> = on!(conn, |c| sqlx::query_as(sql).bind(transactions).fetch_all(c).await)?;
        differences.extend(rows.into_iter().map(|(id, expected, found)| Difference {
            what,
            id,
            expected,
            found,
        }));
    }
    Ok(differences)
}

/// SHA-256 over every posting in the order of their ids, in hexadecimal digits. Two databases with the same one hold the
/// same ledger, whatever engines they are on.
pub async fn ledger_hash(db: &Db, _: &System) -> Result<String, Error> {
    let mut conn = db.read().await?;
    Ok(on!(conn, |c| hash_of(sqlx::query_as(POSTINGS).fetch(c)).await)?)
}

/// A posting as the hash takes it: its id, its transaction, its account, its amount.
pub(crate) type Posting = (Uuid, Uuid, Uuid, i64);

/// The postings in the order of the hash.
pub(crate) const POSTINGS: &str = "SELECT id, transaction_id, account_id, amount FROM postings ORDER BY id";

/// See [`ledger_hash`].
pub(crate) async fn hash_of(
    mut rows: impl futures::Stream<Item = Result<Posting, sqlx::Error>> + Unpin,
) -> Result<String, sqlx::Error> {
    use futures::TryStreamExt as _;
    let mut hash = Sha256::new();
    while let Some((id, transaction, account, amount)) = rows.try_next().await? {
        hash.update(id);
        hash.update(transaction);
        hash.update(account);
        hash.update(amount.to_be_bytes());
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
