//! Drafts beside published versions, as the terms of programs and the articles of the help have them alike: at most one draft
//! of a thing, and at most one version that lies ahead. Rules and tiers keep theirs among the versions
//! ([`versions`](crate::rule::store::versions)).
//!
//! To give drafts to something else: a table of them with the columns `changed_at` and `changed_by`, beside one of versions
//! with `version` and `published_at`, in both migrations; then `Drafted` for what they say.

use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::StaffId;
use crate::on;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::types::Json;
use uuid::Uuid;

/// What is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft<T> {
    /// What the next version would say.
    pub content: T,
    /// When it was changed last.
    pub changed_at: DateTime<Utc>,
    /// The name of who did it.
    pub changed_by: String,
}

/// What has drafts.
pub(crate) trait Drafted: Serialize + DeserializeOwned + Send + Sync + Unpin + 'static {
    /// The statements over its tables, made by [`drafts!`].
    const SQL: Drafts;
}

/// The statements over a table of drafts. `$1` is whose they are.
pub(crate) struct Drafts {
    pub(crate) of: &'static str,
    pub(crate) keep: &'static str,
    pub(crate) forget: &'static str,
    pub(crate) last: &'static str,
}

/// `drafts!("program_drafts", "program_id", "terms", "program_versions")`: the table of drafts, its columns of whose they are
/// and of what they say, and the table of versions.
macro_rules! drafts {
    ($drafts:literal, $id:literal, $content:literal, $versions:literal) => {
        $crate::draft::Drafts {
            of: concat!(
                "SELECT d.",
                $content,
                ", d.changed_at, s.name FROM ",
                $drafts,
                " d JOIN staff s ON s.id = d.changed_by WHERE d.",
                $id,
                " = $1"
            ),
            keep: concat!(
                "INSERT INTO ",
                $drafts,
                " (",
                $id,
                ", ",
                $content,
                ", changed_at, changed_by) VALUES ($1, $2, $3, $4) ON CONFLICT (",
                $id,
                ") DO UPDATE SET ",
                $content,
                " = excluded.",
                $content,
                ", changed_at = excluded.changed_at, changed_by = excluded.changed_by"
            ),
            forget: concat!("DELETE FROM ", $drafts, " WHERE ", $id, " = $1"),
            last: concat!(
                "SELECT version, published_at FROM ",
                $versions,
                " WHERE ",
                $id,
                " = $1 ORDER BY version DESC LIMIT 1"
            ),
        }
    };
}
pub(crate) use drafts;

/// The draft of something, if there is any.
pub(crate) async fn of<T: Drafted>(conn: &mut Conn, id: Uuid) -> Result<Option<Draft<T>>, sqlx::Error> {
    let row: Option<(Json<T>, DateTime<Utc>, String)> =
        on!(conn, |c| sqlx::query_as(T::SQL.of).bind(id).fetch_optional(c).await)?;
    Ok(row.map(|(Json(content), changed_at, changed_by)| Draft {
        content,
        changed_at,
        changed_by,
    }))
}

/// [`Error::Stale`] where the draft of something that is held is another one than was shown by its [`Draft::changed_at`], none
/// where there was none.
pub(crate) async fn is_as_seen<T: Drafted>(
    conn: &mut Conn,
    id: Uuid,
    seen: Option<DateTime<Utc>>,
) -> Result<(), Error> {
    let held = of::<T>(conn, id).await?;
    if held.map(|draft| draft.changed_at) == seen {
        Ok(())
    } else {
        Err(Error::Stale)
    }
}

/// Keeps a draft, in place of the one that was there.
pub(crate) async fn keep<T: Drafted>(tx: &mut Tx, id: Uuid, by: StaffId, content: &T) -> Result<(), sqlx::Error> {
    let now = tx.now();
    on!(tx, |c| sqlx::query(T::SQL.keep)
        .bind(id)
        .bind(Json(content))
        .bind(now)
        .bind(by)
        .execute(c)
        .await
        .map(drop))
}

/// Makes what was taken back a draft again, unless there is another one by now.
pub(crate) async fn give_back<T: Drafted>(tx: &mut Tx, id: Uuid, by: StaffId, content: &T) -> Result<(), sqlx::Error> {
    match of::<T>(tx, id).await? {
        Some(_) => Ok(()),
        None => keep(tx, id, by, content).await,
    }
}

/// Throws a draft away that is as it was seen. [`Error::Stale`] where it is another one by now, or none.
pub(crate) async fn discard<T: Drafted>(tx: &mut Tx, id: Uuid, seen: DateTime<Utc>) -> Result<(), Error> {
    is_as_seen::<T>(tx, id, Some(seen)).await?;
    forget::<T>(tx, id).await
}

/// Throws away what became a version. [`Error::Stale`] where there is no draft.
pub(crate) async fn forget<T: Drafted>(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    let rows = on!(tx, |c| sqlx::query(T::SQL.forget)
        .bind(id)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 { Err(Error::Stale) } else { Ok(()) }
}

/// What is to be published of something that is held, from a moment on or from now: the draft as it was seen, the last version
/// before it (0: there is none), and from when on it counts. [`Error::Stale`] where there is another draft, or where a version
/// lies ahead already; [`Flaw::TooLate`] at `from` for a moment that is over.
pub(crate) async fn next<T: Drafted>(
    tx: &mut Tx,
    id: Uuid,
    seen: DateTime<Utc>,
    from: Option<DateTime<Utc>>,
) -> Result<(T, i64, DateTime<Utc>), Error> {
    let now = tx.now();
    let last: Option<(i64, DateTime<Utc>)> = on!(tx, |c| sqlx::query_as(T::SQL.last).bind(id).fetch_optional(c).await)?;
    let held = of::<T>(tx, id).await?.ok_or(Error::Stale)?;
    if held.changed_at != seen || last.is_some_and(|(_, begun)| begun > now) {
        return Err(Error::Stale);
    }
    let from = from.unwrap_or(now);
    if from < now {
        return Err(Error::field("from", Flaw::TooLate));
    }
    Ok((held.content, last.map_or(0, |(version, _)| version), from))
}
