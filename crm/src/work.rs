//! Work that waits in a table until a worker of any node takes it: what waits longest comes first, and one node has it.
//!
//! A claim that is not renewed runs out; then another node begins the work anew, [`MAX_TRIES`] times in all. Every `UPDATE` of
//! what is claimed holds only for the claim (`is_ours!`), so that of two nodes one writes down what came of it.
//!
//! To have something else done so: a table with `state` (`waiting`, `running`, `done`, `failed`), `finished_at`, `claimed_by`,
//! `claimed_until` and `tries`, with an index of what is waiting or running by when it was asked for, in both migrations; then
//! `claims!`.

use crate::db::{Db, Tx, scoped};
use crate::error::Error;
use crate::on;
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use uuid::Uuid;

/// How often work is begun: what no node survives is not begun for ever.
pub const MAX_TRIES: i64 = 3;

/// The statements that claim from a table. `$1` is now.
pub(crate) struct Claims {
    pub(crate) any: &'static str,
    pub(crate) give_up: &'static str,
    /// Where the engines truly differ: on PostgreSQL nodes step over what another one is about to claim; on SQLite there is
    /// one writer.
    pub(crate) claim_sqlite: &'static str,
    pub(crate) claim_postgres: &'static str,
}

/// `claims!("exports", "asked_at", "", "id, customer_id")`: the table, the column of when it was asked for, what else is set
/// when it begins, and what is told of it.
macro_rules! claims {
    ($table:literal, $asked:literal, $set:literal, $told:literal) => {
        $crate::work::Claims {
            any: concat!(
                "SELECT id FROM ",
                $table,
                " WHERE ",
                $crate::work::is_free!(),
                " LIMIT 1"
            ),
            give_up: concat!(
                "UPDATE ",
                $table,
                " SET state = 'failed', finished_at = $1, ",
                $crate::work::let_go!(),
                " WHERE ",
                $crate::work::is_free!(),
                " AND tries >= $2"
            ),
            claim_sqlite: $crate::work::claim_sql!($table, $asked, $set, $told, ""),
            claim_postgres: $crate::work::claim_sql!($table, $asked, $set, $told, "FOR UPDATE SKIP LOCKED"),
        }
    };
}
pub(crate) use claims;

macro_rules! claim_sql {
    ($table:literal, $asked:literal, $set:literal, $told:literal, $lock:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (SELECT id FROM ",
            $table,
            " WHERE ",
            $crate::work::is_free!(),
            " ORDER BY ",
            $asked,
            ", id LIMIT 1 ",
            $lock,
            ") UPDATE ",
            $table,
            " SET state = 'running', claimed_by = $2, claimed_until = $3, ",
            $set,
            "tries = tries + 1 WHERE id IN (SELECT id FROM due) RETURNING ",
            $told
        )
    };
}
pub(crate) use claim_sql;

/// True for what may be claimed at `$1`.
macro_rules! is_free {
    () => {
        "state IN ('waiting', 'running') AND (claimed_until IS NULL OR claimed_until <= $1)"
    };
}
pub(crate) use is_free;

/// True for `$1` as long as it is in the hands of the claim `$2`.
macro_rules! is_ours {
    () => {
        "id = $1 AND claimed_by = $2 AND state = 'running'"
    };
}
pub(crate) use is_ours;

/// Ends a claim, in an `UPDATE`.
macro_rules! let_go {
    () => {
        "claimed_by = NULL, claimed_until = NULL"
    };
}
pub(crate) use let_go;

/// Takes what waits longest, if anything does, for as long as `hold`; with the claim under which it is ours.
pub(crate) async fn claim<T>(db: &Db, sql: &'static Claims, hold: Duration) -> Result<Option<(T, String)>, Error>
where
    T: Send + Unpin + 'static,
    for<'r> T: sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + sqlx::FromRow<'r, sqlx::postgres::PgRow>,
{
    // Most of the time nobody asks, and the one writer of SQLite is not asked for nothing.
    let mut conn = db.read().await?;
    let now = conn.now();
    let any: Option<Uuid> = on!(conn, |c| sqlx::query_scalar(sql.any).bind(now).fetch_optional(c).await)?;
    drop(conn);
    if any.is_none() {
        return Ok(None);
    }
    let claim = Uuid::now_v7().to_string();
    let taken: Option<T> = db.write(|tx| scoped(take(tx, sql, hold, &claim))).await?;
    Ok(taken.map(|row| (row, claim)))
}

async fn take<T>(tx: &mut Tx, sql: &Claims, hold: Duration, claim: &str) -> Result<Option<T>, Error>
where
    T: Send + Unpin + 'static,
    for<'r> T: sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + sqlx::FromRow<'r, sqlx::postgres::PgRow>,
{
    let now = tx.now();
    on!(tx, |c| sqlx::query(sql.give_up)
        .bind(now)
        .bind(MAX_TRIES)
        .execute(c)
        .await
        .map(drop))?;
    let sql = if tx.is_postgres() {
        sql.claim_postgres
    } else {
        sql.claim_sqlite
    };
    Ok(on!(tx, |c| sqlx::query_as::<_, T>(sql)
        .bind(now)
        .bind(claim)
        .bind(now + hold)
        .fetch_optional(c)
        .await)?)
}

/// Gives what a claim holds back, for any node: `sql` says how it waits again (`let_go!`, `is_ours!`).
pub(crate) async fn give_back(db: &Db, sql: &'static str, id: Uuid, claim: &str) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(sql).bind(id).bind(claim).execute(c).await.map(drop))?;
            Ok(())
        })
    })
    .await
}

/// How long whoever takes what is done once a day has it. Then it was not done, and somebody else takes it.
const TAKEN: Duration = Duration::hours(3);

/// Does something once a day, by one process: the first that asks after a day has gone by. `None` where it was done today already.
/// What fails, or ends with its process, counts as not done. `key` names it among the facts about the database.
pub(crate) async fn once_a_day<T>(
    db: &Db,
    key: &str,
    work: impl Future<Output = Result<T, Error>> + Send,
) -> Result<Option<T>, Error> {
    let now = db.now();
    let before = now - Duration::days(1);
    if !note(db, key, before + TAKEN, before).await? {
        return Ok(None);
    }
    let done = work.await?;
    note(db, key, now, now).await?;
    Ok(Some(done))
}

/// Takes what is done by one process once in a while, done or not: true for the first that asks after it has gone by.
pub(crate) async fn once_in(db: &Db, key: &str, pause: Duration) -> Result<bool, Error> {
    let now = db.now();
    note(db, key, now, now - pause).await
}

/// Notes when something was done, unless that was after `before`.
async fn note(db: &Db, key: &str, at: DateTime<Utc>, before: DateTime<Utc>) -> Result<bool, Error> {
    // The moments are texts of one length in UTC, so that they compare as texts.
    const NOTE: &str = "INSERT INTO settings (key, value) VALUES ($1, $2) \
        ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE settings.value <= $3";
    db.write(|tx| {
        scoped(async move {
            let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
            let rows = on!(tx, |c| sqlx::query(NOTE)
                .bind(key)
                .bind(text(at))
                .bind(text(before))
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            Ok(rows == 1)
        })
    })
    .await
}

/// A round of what is due, of which nothing needs anything else: what fails keeps nothing after it waiting. It comes again with
/// the next round.
#[derive(Debug, Default)]
pub struct Round {
    failed: Option<Error>,
}

impl Round {
    /// What came of one thing; nothing where it failed.
    pub fn took<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(e) if self.failed.is_none() => {
                self.failed = Some(e);
                None
            }
            // Whoever began the round is told of the first one only.
            Err(e) => {
                tracing::error!(error = %e, "something else of the round failed");
                None
            }
        }
    }

    /// Ends it, with the first failure.
    pub fn end(self) -> Result<(), Error> {
        self.failed.map_or(Ok(()), Err)
    }
}
