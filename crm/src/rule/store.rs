//! Rules in the database: drafts, published versions, and what each of them gave.
//!
//! A rule has at most one draft, which may be changed and thrown away, and any number of published versions, which the
//! database itself refuses to change. A version counts from its `effective_at` on until another one does; of two with the
//! same moment the later one counts. To withdraw a rule is to publish a version that says nothing.

pub(crate) mod asking;
pub mod days;
mod explaining;
mod naming;
pub(crate) mod rewarding;
pub mod simulating;
mod timeline;

pub use explaining::{Explained, Parts, explain, parts_of};
pub use naming::{Names, names};
pub(crate) use timeline::{REVISION, Snapshots, Timeline, timeline};

use super::{Fault, Rule, RuleVersion};
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::{Error, holds_database_errors};
use crate::flaw::Flaw;
use crate::id::{RuleId, StaffId};
use crate::on;
use crate::staff::Right;
use crate::who::{Fresh, Staff, System};
use chrono::{DateTime, Utc};
use sqlx::types::Json;

/// Why a rule, or the tiers of a program, were not published, or a rule is not simulated.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Something is wrong with what it says.
    #[error("it has faults: {0:?}")]
    Faulty(Vec<Fault>),
    /// Everything else.
    #[error(transparent)]
    Crm(#[from] Error),
}

holds_database_errors!(PublishError);

/// What is kept of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number, from 1.
    pub version: i64,
    /// What it says; none: the rule is withdrawn. A draft always says something, perhaps with faults.
    pub rule: Option<Rule>,
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
}

/// A rule in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: RuleId,
    /// The version that counts now, if any does: its [`Version::rule`] is there.
    pub current: Option<Version>,
    /// The next one that is published and does not count yet.
    pub next: Option<Version>,
    /// What is being written.
    pub draft: Option<Version>,
    /// What it was called last, also where it is withdrawn.
    pub last: Option<Rule>,
    /// What it gave, of money and points together, in hundredths.
    pub value: i64,
    /// How often: to how many purchases, and on how many other occasions.
    pub times: i64,
}

/// Writes a draft of a new rule. It may have faults as long as it is not published.
pub async fn create(db: &Db, by: &Staff, rule: &Rule) -> Result<RuleId, Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let id = enter(tx, Some(by.id())).await?;
            draft(tx, id, Some(by.id()), rule).await?;
            by.record(tx, "rule.create", None, Some(id.0), "").await?;
            Ok(id)
        })
    })
    .await
}

/// Changes the draft of a rule, or begins one. `seen` is the [`Version::changed_at`] of the draft that was changed, none for
/// one that is begun: [`Error::Stale`] where somebody else was quicker. [`Error::NotFound`] for no rule.
pub async fn change(db: &Db, by: &Staff, id: RuleId, seen: Option<DateTime<Utc>>, rule: &Rule) -> Result<(), Error> {
    const DRAFT: &str = "SELECT changed_at FROM rule_versions WHERE rule_id = $1 AND state = 'draft'";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            let there: Option<DateTime<Utc>> = on!(tx, |c| sqlx::query_scalar(DRAFT).bind(id).fetch_optional(c).await)?;
            if there != seen {
                return Err(Error::Stale);
            }
            draft(tx, id, Some(by.id()), rule).await?;
            Ok(by.record(tx, "rule.change", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// The draft of a rule, for whoever is about to change it. [`Error::NotFound`] where there is none.
pub async fn draft_of(conn: &mut Conn, by: &Staff, id: RuleId) -> Result<Version, Error> {
    by.may(Right::Rules)?;
    let all = versions(conn, id).await?;
    all.into_iter()
        .find(|version| version.effective_at.is_none())
        .ok_or(Error::NotFound)
}

/// Throws the draft of a rule away. [`Error::NotFound`] where there is none.
pub async fn discard(db: &Db, by: &Staff, id: RuleId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM rule_versions WHERE rule_id = $1 AND state = 'draft'";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::NotFound);
            }
            Ok(by.record(tx, "rule.discard", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Publishes the draft of a rule, from a moment on or from now. `seen` is the [`Version::changed_at`] of the draft as it was
/// shown: [`Error::Stale`] where it was changed since. [`Error::NotFound`] for no draft, and [`Flaw::TooLate`] at `from` for
/// a moment that is over: what was bought by then was told what it gets.
pub async fn publish(
    db: &Db,
    by: &Fresh<'_, Staff>,
    id: RuleId,
    seen: DateTime<Utc>,
    from: Option<DateTime<Utc>>,
) -> Result<RuleVersion, PublishError> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let published = publish_draft(tx, id, Some(by.id()), Some(seen), from).await?;
            by.record(tx, "rule.publish", None, Some(id.0), "").await?;
            Ok(published)
        })
    })
    .await
}

/// Withdraws a rule, from a moment on or from now; its draft stays. Fails as [`publish`] does, and with [`Error::NotFound`]
/// where it never was published.
pub async fn withdraw(
    db: &Db,
    by: &Fresh<'_, Staff>,
    id: RuleId,
    from: Option<DateTime<Utc>>,
) -> Result<RuleVersion, Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let withdrawn = withdraw_in(tx, id, Some(by.id()), from).await?;
            by.record(tx, "rule.withdraw", None, Some(id.0), "").await?;
            Ok(withdrawn)
        })
    })
    .await
}

/// Publishes a new rule, or another version of one that is there, for the command line and the demonstration. A draft of it
/// is replaced.
pub async fn publish_by_system(
    db: &Db,
    _by: &System,
    id: Option<RuleId>,
    rule: &Rule,
    from: Option<DateTime<Utc>>,
) -> Result<RuleVersion, PublishError> {
    db.write(|tx| {
        scoped(async move {
            let id = match id {
                Some(id) => {
                    hold(tx, id).await?;
                    id
                }
                None => enter(tx, None).await?,
            };
            draft(tx, id, None, rule).await?;
            publish_draft(tx, id, None, None, from).await
        })
    })
    .await
}

async fn enter(tx: &mut Tx, by: Option<StaffId>) -> Result<RuleId, sqlx::Error> {
    const SQL: &str = "INSERT INTO rules (id, created_at, created_by) VALUES ($1, $2, $3)";
    let (id, now) = (RuleId::new(), tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(now)
        .bind(by)
        .execute(c)
        .await
        .map(drop))?;
    Ok(id)
}

/// Sees to it that nobody else changes a rule until the transaction ends.
async fn hold(tx: &mut Tx, id: RuleId) -> Result<(), Error> {
    const SQL: &str = "UPDATE rules SET created_at = created_at WHERE id = $1";
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// Writes the draft of a rule that is held.
async fn draft(tx: &mut Tx, id: RuleId, by: Option<StaffId>, rule: &Rule) -> Result<(), sqlx::Error> {
    const CHANGE: &str = "UPDATE rule_versions SET definition = $2, changed_at = $3, changed_by = $4 \
                          WHERE rule_id = $1 AND state = 'draft'";
    const BEGIN: &str = "INSERT INTO rule_versions (rule_id, version, state, definition, changed_at, changed_by) \
                         SELECT $1, COALESCE(MAX(version), 0) + 1, 'draft', $2, $3, $4 FROM rule_versions WHERE rule_id = $1";
    let now = tx.now();
    for sql in [CHANGE, BEGIN] {
        let rows = on!(tx, |c| sqlx::query(sql)
            .bind(id)
            .bind(Json(rule))
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

/// The moment from which on something counts that is published now.
pub(super) fn from_when(now: DateTime<Utc>, from: Option<DateTime<Utc>>) -> Result<DateTime<Utc>, Error> {
    match from {
        Some(from) if from < now => Err(Error::field("from", Flaw::TooLate)),
        Some(from) => Ok(from),
        None => Ok(now),
    }
}

async fn publish_draft(
    tx: &mut Tx,
    id: RuleId,
    by: Option<StaffId>,
    seen: Option<DateTime<Utc>>,
    from: Option<DateTime<Utc>>,
) -> Result<RuleVersion, PublishError> {
    const DRAFT: &str =
        "SELECT version, definition, changed_at FROM rule_versions WHERE rule_id = $1 AND state = 'draft'";
    const PUBLISH: &str = "UPDATE rule_versions SET state = 'published', effective_at = $3, published_at = $4, \
                           published_by = $5 WHERE rule_id = $1 AND version = $2";
    hold(tx, id).await?;
    let draft: Option<(i64, Json<Rule>, DateTime<Utc>)> =
        on!(tx, |c| sqlx::query_as(DRAFT).bind(id).fetch_optional(c).await)?;
    let (version, Json(rule), changed_at) = draft.ok_or(Error::NotFound)?;
    if seen.is_some_and(|seen| seen != changed_at) {
        return Err(Error::Stale.into());
    }
    let faults = rule.validate();
    if !faults.is_empty() {
        return Err(PublishError::Faulty(faults));
    }
    let now = tx.now();
    let effective_at = from_when(now, from)?;
    on!(tx, |c| sqlx::query(PUBLISH)
        .bind(id)
        .bind(version)
        .bind(effective_at)
        .bind(now)
        .bind(by)
        .execute(c)
        .await
        .map(drop))?;
    if !rule.caps.budget.is_open() {
        begin_budget(tx, id).await?;
    }
    db::next_number(tx, REVISION).await?;
    Ok(RuleVersion { id, version })
}

async fn withdraw_in(
    tx: &mut Tx,
    id: RuleId,
    by: Option<StaffId>,
    from: Option<DateTime<Utc>>,
) -> Result<RuleVersion, Error> {
    const LAST: &str = "SELECT MAX(version), CAST(SUM(CASE WHEN state = 'published' THEN 1 ELSE 0 END) AS BIGINT) \
                        FROM rule_versions WHERE rule_id = $1";
    // The draft stands behind the last version, whatever was published meanwhile.
    const MOVE: &str = "UPDATE rule_versions SET version = version + 1 WHERE rule_id = $1 AND state = 'draft' \
                        RETURNING version - 1";
    const SQL: &str = "INSERT INTO rule_versions (rule_id, version, state, changed_at, changed_by, effective_at, \
                       published_at, published_by) VALUES ($1, $2, 'published', $3, $4, $5, $3, $4)";
    hold(tx, id).await?;
    let (last, published): (Option<i64>, Option<i64>) = on!(tx, |c| sqlx::query_as(LAST).bind(id).fetch_one(c).await)?;
    let (Some(last), Some(1..)) = (last, published) else {
        return Err(Error::NotFound);
    };
    let now = tx.now();
    let effective_at = from_when(now, from)?;
    let moved: Option<i64> = on!(tx, |c| sqlx::query_scalar(MOVE).bind(id).fetch_optional(c).await)?;
    let version = moved.unwrap_or(last + 1);
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(version)
        .bind(now)
        .bind(by)
        .bind(effective_at)
        .execute(c)
        .await
        .map(drop))?;
    db::next_number(tx, REVISION).await?;
    Ok(RuleVersion { id, version })
}

/// Begins to count what a rule gives, with what it gave before.
async fn begin_budget(tx: &mut Tx, id: RuleId) -> Result<(), sqlx::Error> {
    const BEGIN: &str = "INSERT INTO rule_usages (rule_id, value, times) VALUES ($1, 0, 0) ON CONFLICT (rule_id) \
                         DO UPDATE SET times = rule_usages.times";
    // Only now: whoever was giving something has ended.
    const COUNT: &str = "UPDATE rule_usages SET value = (SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM grants \
                         WHERE rule_id = $1 AND kind IN ('discount', 'points')), \
                         times = (SELECT COUNT(DISTINCT COALESCE(purchase_id, reward_id, id)) FROM grants WHERE rule_id = $1) \
                         WHERE rule_id = $1";
    for sql in [BEGIN, COUNT] {
        on!(tx, |c| sqlx::query(sql).bind(id).execute(c).await.map(drop))?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct VersionRow {
    rule_id: RuleId,
    version: i64,
    definition: Option<Json<Rule>>,
    changed_at: DateTime<Utc>,
    changed_by: Option<String>,
    effective_at: Option<DateTime<Utc>>,
    published_at: Option<DateTime<Utc>>,
    published_by: Option<String>,
}

impl From<VersionRow> for Version {
    fn from(row: VersionRow) -> Self {
        Self {
            version: row.version,
            rule: row.definition.map(|json| json.0),
            changed_at: row.changed_at,
            changed_by: row.changed_by,
            effective_at: row.effective_at,
            published_at: row.published_at,
            published_by: row.published_by,
        }
    }
}

macro_rules! versions {
    ($where:literal) => {
        concat!(
            "SELECT v.rule_id, v.version, v.definition, v.changed_at, c.name AS changed_by, v.effective_at, v.published_at, \
             p.name AS published_by FROM rule_versions v LEFT JOIN staff c ON c.id = v.changed_by \
             LEFT JOIN staff p ON p.id = v.published_by",
            $where,
            " ORDER BY v.rule_id, v.version"
        )
    };
}

/// Every rule, those that were begun last first. That they were looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<Vec<Entry>, Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "rule.list", None, None, "").await?;
            entries(tx).await
        })
    })
    .await
}

async fn entries(conn: &mut Conn) -> Result<Vec<Entry>, Error> {
    const SQL: &str = versions!("");
    const GIVEN: &str = "SELECT rule_id, CAST(SUM(CASE WHEN kind IN ('discount', 'points') THEN amount ELSE 0 END) \
                         AS BIGINT), COUNT(DISTINCT COALESCE(purchase_id, reward_id, id)) FROM grants GROUP BY rule_id";
    let now = conn.now();
    let rows: Vec<VersionRow> = on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
    let given: Vec<(RuleId, i64, i64)> = on!(conn, |c| sqlx::query_as(GIVEN).fetch_all(c).await)?;
    let mut entries: Vec<Entry> = Vec::new();
    for row in rows {
        let id = row.rule_id;
        if entries.last().is_none_or(|entry| entry.id != id) {
            let sums = given.iter().find(|(rule, ..)| *rule == id);
            entries.push(Entry {
                id,
                current: None,
                next: None,
                draft: None,
                last: None,
                value: sums.map_or(0, |(_, value, _)| *value),
                times: sums.map_or(0, |(.., times)| *times),
            });
        }
        let Some(entry) = entries.last_mut() else { continue };
        let version = Version::from(row);
        entry.last = version.rule.clone().or(entry.last.take());
        let since = |held: &Option<Version>| held.as_ref().and_then(|held| held.effective_at);
        match version.effective_at {
            None => entry.draft = Some(version),
            Some(at) if at <= now => {
                if since(&entry.current).is_none_or(|held| held <= at) {
                    entry.current = Some(version);
                }
            }
            Some(at) => {
                if since(&entry.next).is_none_or(|held| at <= held) {
                    entry.next = Some(version);
                }
            }
        }
    }
    for entry in &mut entries {
        entry.current.take_if(|version| version.rule.is_none());
    }
    entries.reverse();
    Ok(entries)
}

/// One rule: all its versions, the newest first, its draft among them. That it was looked at is written down. Fails with
/// [`Error::NotFound`].
pub async fn history(db: &Db, by: &Staff, id: RuleId) -> Result<Vec<Version>, Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "rule.read", None, Some(id.0), "").await?;
            versions(tx, id).await
        })
    })
    .await
}

async fn versions(conn: &mut Conn, id: RuleId) -> Result<Vec<Version>, Error> {
    const SQL: &str = versions!(" WHERE v.rule_id = $1");
    let rows: Vec<VersionRow> = on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_all(c).await)?;
    if rows.is_empty() {
        let known: Option<RuleId> = on!(conn, |c| sqlx::query_scalar("SELECT id FROM rules WHERE id = $1")
            .bind(id)
            .fetch_optional(c)
            .await)?;
        known.ok_or(Error::NotFound)?;
    }
    Ok(rows.into_iter().rev().map(Into::into).collect())
}
