//! Drafts and versions, as rules and the tiers of programs have them alike.
//!
//! Whatever has versions has at most one draft, which may be changed and thrown away, and any number of published versions,
//! which the database itself refuses to change. A version counts from its `effective_at` on until another one does; of two
//! with the same moment the later one counts. To withdraw something is to publish a version that says nothing. One that does not
//! count yet can be called off: it is kept and passed over, and what counts until its moment goes on.
//!
//! To give versions to something else: a table of them with the same columns, a draft's unique index and the triggers that
//! refuse changes, in both migrations; then [`Versioned`] for what they say.

use super::PublishError;
use super::timeline::REVISION;
use crate::db::{self, Conn, Tx};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::StaffId;
use crate::on;
use crate::rule::Fault;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::types::Json;
use uuid::Uuid;

/// What is kept of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version<T> {
    /// Its number, from 1.
    pub version: i64,
    /// What it says; none: from then on nothing counts. A draft always says something, perhaps with faults.
    pub definition: Option<T>,
    /// When it was written, or changed last.
    pub changed_at: DateTime<Utc>,
    /// The name of who did it; none: the command line.
    pub changed_by: Option<String>,
    /// From when on it counts; none: it is a draft.
    pub effective_at: Option<DateTime<Utc>>,
    /// When it was published.
    pub published_at: Option<DateTime<Utc>>,
    /// The name of who published it.
    pub published_by: Option<String>,
    /// When it was called off, before it counted: it never will.
    pub called_off_at: Option<DateTime<Utc>>,
    /// The name of who called it off.
    pub called_off_by: Option<String>,
}

impl<T> Version<T> {
    /// From when on it counts; none for a draft and for one that was called off.
    pub fn counts_from(&self) -> Option<DateTime<Utc>> {
        self.effective_at.filter(|_| self.called_off_at.is_none())
    }
}

/// What has drafts and versions. Publications are counted under [`REVISION`].
pub(crate) trait Versioned: Serialize + DeserializeOwned + Send + Sync + Unpin + 'static {
    /// The statements over its tables, made by [`statements!`].
    const SQL: Statements;

    /// What is wrong with it: what has faults is not published.
    fn faults(&self) -> Vec<Fault>;
}

/// The statements over a table of versions. `$1` is whose they are.
pub(crate) struct Statements {
    pub(crate) hold: &'static str,
    pub(crate) seen: &'static str,
    pub(crate) change: &'static str,
    pub(crate) begin: &'static str,
    pub(crate) discard: &'static str,
    pub(crate) draft: &'static str,
    pub(crate) publish: &'static str,
    pub(crate) last: &'static str,
    pub(crate) make_room: &'static str,
    pub(crate) withdraw: &'static str,
    pub(crate) call_off: &'static str,
    pub(crate) one: &'static str,
    pub(crate) all: &'static str,
}

/// `statements!("rule_versions", "rule_id", "rules", "created_at", "NULL")`: the table of versions, its column of whose they
/// are, the table of those with a column to hold them by, and what a version holds that says nothing.
macro_rules! statements {
    ($versions:literal, $id:literal, $table:literal, $column:literal, $nothing:literal) => {
        $crate::rule::store::versions::Statements {
            hold: concat!("UPDATE ", $table, " SET ", $column, " = ", $column, " WHERE id = $1"),
            seen: concat!(
                "SELECT changed_at FROM ",
                $versions,
                " WHERE ",
                $id,
                " = $1 AND state = 'draft'"
            ),
            change: concat!(
                "UPDATE ",
                $versions,
                " SET definition = $2, changed_at = $3, changed_by = $4 WHERE ",
                $id,
                " = $1 AND state = 'draft'"
            ),
            begin: concat!(
                "INSERT INTO ",
                $versions,
                " (",
                $id,
                ", version, state, definition, changed_at, changed_by) \
                 SELECT $1, COALESCE(MAX(version), 0) + 1, 'draft', $2, $3, $4 FROM ",
                $versions,
                " WHERE ",
                $id,
                " = $1"
            ),
            discard: concat!("DELETE FROM ", $versions, " WHERE ", $id, " = $1 AND state = 'draft'"),
            draft: concat!(
                "SELECT version, definition, changed_at FROM ",
                $versions,
                " WHERE ",
                $id,
                " = $1 AND state = 'draft'"
            ),
            publish: concat!(
                "UPDATE ",
                $versions,
                " SET state = 'published', effective_at = $3, published_at = $4, published_by = $5 \
                 WHERE ",
                $id,
                " = $1 AND version = $2"
            ),
            last: concat!(
                "SELECT MAX(version), CAST(SUM(CASE WHEN state = 'published' AND called_off_at IS NULL THEN 1 ELSE 0 END) \
                 AS BIGINT) FROM ",
                $versions,
                " WHERE ",
                $id,
                " = $1"
            ),
            make_room: concat!(
                "UPDATE ",
                $versions,
                " SET version = version + 1 WHERE ",
                $id,
                " = $1 AND state = 'draft' \
                 RETURNING version - 1"
            ),
            withdraw: concat!(
                "INSERT INTO ",
                $versions,
                " (",
                $id,
                ", version, state, definition, changed_at, changed_by, effective_at, \
                 published_at, published_by) VALUES ($1, $2, 'published', ",
                $nothing,
                ", $3, $4, $5, $3, $4)"
            ),
            call_off: concat!(
                "UPDATE ",
                $versions,
                " SET called_off_at = $3, called_off_by = $4 WHERE ",
                $id,
                " = $1 AND version = $2 AND effective_at > $3 AND called_off_at IS NULL"
            ),
            one: concat!(
                $crate::rule::store::versions::select!($versions, $id),
                " WHERE v.",
                $id,
                " = $1 ORDER BY v.version DESC"
            ),
            all: concat!(
                $crate::rule::store::versions::select!($versions, $id),
                " ORDER BY v.",
                $id,
                ", v.called_off_at IS NULL, v.version"
            ),
        }
    };
}
pub(crate) use statements;

macro_rules! select {
    ($versions:literal, $id:literal) => {
        concat!(
            "SELECT v.",
            $id,
            " AS id, v.version, v.definition, v.changed_at, c.name AS changed_by, v.effective_at, \
             v.published_at, p.name AS published_by, v.called_off_at, o.name AS called_off_by FROM ",
            $versions,
            " v LEFT JOIN staff c ON c.id = v.changed_by LEFT JOIN staff p ON p.id = v.published_by \
             LEFT JOIN staff o ON o.id = v.called_off_by"
        )
    };
}
pub(crate) use select;

#[derive(sqlx::FromRow)]
struct Row<T> {
    id: Uuid,
    version: i64,
    definition: Option<Json<Option<T>>>,
    changed_at: DateTime<Utc>,
    changed_by: Option<String>,
    effective_at: Option<DateTime<Utc>>,
    published_at: Option<DateTime<Utc>>,
    published_by: Option<String>,
    called_off_at: Option<DateTime<Utc>>,
    called_off_by: Option<String>,
}

impl<T> From<Row<T>> for Version<T> {
    fn from(row: Row<T>) -> Self {
        Self {
            version: row.version,
            definition: row.definition.and_then(|json| json.0),
            changed_at: row.changed_at,
            changed_by: row.changed_by,
            effective_at: row.effective_at,
            published_at: row.published_at,
            published_by: row.published_by,
            called_off_at: row.called_off_at,
            called_off_by: row.called_off_by,
        }
    }
}

/// Sees to it that nobody else changes the versions of something until the transaction ends. [`Error::NotFound`] where it is
/// not there.
pub(crate) async fn hold<T: Versioned>(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    let rows = on!(tx, |c| sqlx::query(T::SQL.hold)
        .bind(id)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// Writes a draft, or another one over it, of something that is held.
pub(crate) async fn write<T: Versioned>(
    tx: &mut Tx,
    id: Uuid,
    by: Option<StaffId>,
    definition: &T,
) -> Result<(), Error> {
    let now = tx.now();
    for sql in [T::SQL.change, T::SQL.begin] {
        let rows = on!(tx, |c| sqlx::query(sql)
            .bind(id)
            .bind(Json(definition))
            .bind(now)
            .bind(by)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        if rows > 0 {
            break;
        }
    }
    Ok(())
}

/// Changes a draft, or begins one. `seen` is the [`Version::changed_at`] of the draft that was changed, none for one that is
/// begun: [`Error::Stale`] where somebody else was quicker.
pub(crate) async fn change<T: Versioned>(
    tx: &mut Tx,
    id: Uuid,
    by: StaffId,
    seen: Option<DateTime<Utc>>,
    definition: &T,
) -> Result<(), Error> {
    hold::<T>(tx, id).await?;
    let there: Option<DateTime<Utc>> = on!(tx, |c| sqlx::query_scalar(T::SQL.seen).bind(id).fetch_optional(c).await)?;
    if there != seen {
        return Err(Error::Stale);
    }
    write(tx, id, Some(by), definition).await
}

/// Throws a draft away. `seen` is its [`Version::changed_at`] as it was shown: [`Error::Stale`] where somebody else was quicker.
/// [`Error::NotFound`] where there is none.
pub(crate) async fn discard<T: Versioned>(tx: &mut Tx, id: Uuid, seen: DateTime<Utc>) -> Result<(), Error> {
    hold::<T>(tx, id).await?;
    let there: Option<DateTime<Utc>> = on!(tx, |c| sqlx::query_scalar(T::SQL.seen).bind(id).fetch_optional(c).await)?;
    if there.ok_or(Error::NotFound)? != seen {
        return Err(Error::Stale);
    }
    on!(tx, |c| sqlx::query(T::SQL.discard).bind(id).execute(c).await.map(drop))?;
    Ok(())
}

/// Publishes a draft, from a moment on or from now, and tells its version and what it says. Where `seen` is given, the draft
/// has to be the one that was shown.
pub(crate) async fn publish<T: Versioned>(
    tx: &mut Tx,
    id: Uuid,
    by: Option<StaffId>,
    seen: Option<DateTime<Utc>>,
    from: Option<DateTime<Utc>>,
) -> Result<(i64, T), PublishError> {
    hold::<T>(tx, id).await?;
    let draft: Option<(i64, Json<T>, DateTime<Utc>)> =
        on!(tx, |c| sqlx::query_as(T::SQL.draft).bind(id).fetch_optional(c).await)?;
    let (version, Json(definition), changed_at) = draft.ok_or(Error::NotFound)?;
    if seen.is_some_and(|seen| seen != changed_at) {
        return Err(Error::Stale.into());
    }
    let faults = definition.faults();
    if !faults.is_empty() {
        return Err(PublishError::Faulty(faults));
    }
    let now = tx.now();
    let effective_at = from_when(now, from)?;
    on!(tx, |c| sqlx::query(T::SQL.publish)
        .bind(id)
        .bind(version)
        .bind(effective_at)
        .bind(now)
        .bind(by)
        .execute(c)
        .await
        .map(drop))?;
    db::next_number(tx, REVISION).await?;
    Ok((version, definition))
}

/// Publishes a version that says nothing, from a moment on or from now, and tells which; a draft stays.
/// [`Error::NotFound`] where nothing was published before.
pub(crate) async fn withdraw<T: Versioned>(
    tx: &mut Tx,
    id: Uuid,
    by: StaffId,
    from: Option<DateTime<Utc>>,
) -> Result<i64, Error> {
    hold::<T>(tx, id).await?;
    let (last, published): (Option<i64>, Option<i64>) =
        on!(tx, |c| sqlx::query_as(T::SQL.last).bind(id).fetch_one(c).await)?;
    let (Some(last), Some(1..)) = (last, published) else {
        return Err(Error::NotFound);
    };
    let now = tx.now();
    let effective_at = from_when(now, from)?;
    // The draft stands behind the last version, whatever was published meanwhile.
    let moved: Option<i64> = on!(tx, |c| sqlx::query_scalar(T::SQL.make_room)
        .bind(id)
        .fetch_optional(c)
        .await)?;
    let version = moved.unwrap_or(last + 1);
    on!(tx, |c| sqlx::query(T::SQL.withdraw)
        .bind(id)
        .bind(version)
        .bind(now)
        .bind(by)
        .bind(effective_at)
        .execute(c)
        .await
        .map(drop))?;
    db::next_number(tx, REVISION).await?;
    Ok(version)
}

/// Calls a version off that was published and does not count yet. [`Error::NotFound`] where there is no such version, it counts by
/// now, or it was called off before.
pub(crate) async fn call_off<T: Versioned>(tx: &mut Tx, id: Uuid, by: StaffId, version: i64) -> Result<(), Error> {
    hold::<T>(tx, id).await?;
    let now = tx.now();
    let rows = on!(tx, |c| sqlx::query(T::SQL.call_off)
        .bind(id)
        .bind(version)
        .bind(now)
        .bind(by)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        return Err(Error::NotFound);
    }
    db::next_number(tx, REVISION).await?;
    Ok(())
}

/// The moment from which on something counts that is published now: [`Flaw::TooLate`] at `from` for one that is over.
fn from_when(now: DateTime<Utc>, from: Option<DateTime<Utc>>) -> Result<DateTime<Utc>, Error> {
    match from {
        Some(from) if from < now => Err(Error::field("from", Flaw::TooLate)),
        Some(from) => Ok(from),
        None => Ok(now),
    }
}

/// Every version of one, the newest first, its draft among them.
pub(crate) async fn of_one<T: Versioned>(conn: &mut Conn, id: Uuid) -> Result<Vec<Version<T>>, sqlx::Error> {
    let rows: Vec<Row<T>> = on!(conn, |c| sqlx::query_as(T::SQL.one).bind(id).fetch_all(c).await)?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Every version of all, by whose they are: those that were called off, and then the others, each the oldest first. So what is found
/// last is what was said last and not called off, where there is such a version.
pub(crate) async fn of_all<T: Versioned>(conn: &mut Conn) -> Result<Vec<(Uuid, Version<T>)>, sqlx::Error> {
    let rows: Vec<Row<T>> = on!(conn, |c| sqlx::query_as(T::SQL.all).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
}
