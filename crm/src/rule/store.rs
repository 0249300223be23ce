//! Rules in the database: drafts, published versions ([`versions`]), and what each of them gave.

pub(crate) mod asking;
pub mod awaited;
pub mod days;
mod explaining;
mod naming;
pub(crate) mod rewarding;
pub mod simulating;
mod timeline;
pub mod versions;

pub use explaining::{Parts, parts_of};
pub(crate) use naming::names_of;
pub use naming::{NamedTier, Names, names, names_given};
pub(crate) use timeline::{REVISION, Snapshots, Timeline, timeline};

use super::{Effect, Fault, Rule, RuleVersion};
use crate::db::{Conn, Db, Lock, Tx, scoped};
use crate::error::{Error, holds_database_errors};
use crate::id::{ProgramId, RuleId, StaffId};
use crate::lang::Localized;
use crate::on;
use crate::staff::Right;
use crate::who::{Fresh, Staff, System};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use versions::{Statements, Versioned, statements};

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

/// What is kept of a version of a rule.
pub type Version = versions::Version<Rule>;

impl Versioned for Rule {
    const SQL: Statements = statements!("rule_versions", "rule_id", "rules", "created_at", "NULL");

    fn faults(&self) -> Vec<Fault> {
        self.validate()
    }
}

/// A rule in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: RuleId,
    /// The version that counts now, if any does: its definition is there.
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
            versions::write(tx, id.0, Some(by.id()), rule).await?;
            by.record(tx, "rule.create", None, Some(id.0), "").await?;
            Ok(id)
        })
    })
    .await
}

/// Changes the draft of a rule, or begins one. `seen` is the [`changed_at`](Version::changed_at) of the draft that was changed, none for
/// one that is begun: [`Error::Stale`] where somebody else was quicker. [`Error::NotFound`] for no rule.
pub async fn change(db: &Db, by: &Staff, id: RuleId, seen: Option<DateTime<Utc>>, rule: &Rule) -> Result<(), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            versions::change(tx, id.0, by.id(), seen, rule).await?;
            Ok(by.record(tx, "rule.change", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// The draft of a rule, for whoever is about to change it. [`Error::NotFound`] where there is none.
pub async fn draft_of(conn: &mut Conn, by: &Staff, id: RuleId) -> Result<Version, Error> {
    by.may(Right::Rules)?;
    let all = versions_of(conn, id).await?;
    all.into_iter()
        .find(|version| version.effective_at.is_none())
        .ok_or(Error::NotFound)
}

/// Throws the draft of a rule away. `seen` is its [`changed_at`](Version::changed_at) as it was shown: [`Error::Stale`] where it was
/// changed since. [`Error::NotFound`] where there is none.
pub async fn discard(db: &Db, by: &Staff, id: RuleId, seen: DateTime<Utc>) -> Result<(), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            versions::discard::<Rule>(tx, id.0, seen).await?;
            Ok(by.record(tx, "rule.discard", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Publishes the draft of a rule, from a moment on or from now. `seen` is the [`changed_at`](Version::changed_at) of the draft as it was
/// shown: [`Error::Stale`] where it was changed since. [`Error::NotFound`] for no draft, and
/// [`Flaw::TooLate`](crate::flaw::Flaw::TooLate) at `from` for a moment that is over: what was bought by then was told what it
/// gets.
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
            let version = versions::withdraw::<Rule>(tx, id.0, by.id(), from).await?;
            by.record(tx, "rule.withdraw", None, Some(id.0), "").await?;
            Ok(RuleVersion { id, version })
        })
    })
    .await
}

/// Calls a version of a rule off that was published and does not count yet: what counts until its moment goes on.
/// [`Error::NotFound`] where there is no such version, it counts by now, or it was called off before.
pub async fn call_off(db: &Db, by: &Fresh<'_, Staff>, id: RuleId, version: i64) -> Result<(), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            versions::call_off::<Rule>(tx, id.0, by.id(), version).await?;
            Ok(by.record(tx, "rule.call_off", None, Some(id.0), "").await?)
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
                    versions::hold::<Rule>(tx, id.0).await?;
                    id
                }
                None => enter(tx, None).await?,
            };
            versions::write(tx, id.0, None, rule).await?;
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

async fn publish_draft(
    tx: &mut Tx,
    id: RuleId,
    by: Option<StaffId>,
    seen: Option<DateTime<Utc>>,
    from: Option<DateTime<Utc>>,
) -> Result<RuleVersion, PublishError> {
    let (version, rule) = versions::publish::<Rule>(tx, id.0, by, seen, from).await?;
    let unknown = names(tx, &[&rule]).await?.unknown(&rule);
    if !unknown.is_empty() {
        return Err(PublishError::Faulty(unknown));
    }
    if !rule.caps.budget.is_open() {
        begin_budget(tx, id).await?;
    }
    Ok(RuleVersion { id, version })
}

/// Begins to count what a rule gives, with what it gave before. Who gave something without knowing that it counts has ended by
/// then, and nobody begins.
async fn begin_budget(tx: &mut Tx, id: RuleId) -> Result<(), sqlx::Error> {
    const BEGIN: &str = "INSERT INTO rule_usages (rule_id, value, times) VALUES ($1, 0, 0) ON CONFLICT (rule_id) \
                         DO UPDATE SET times = rule_usages.times";
    // Only now: whoever was giving something, by this version or an earlier one, has ended.
    const COUNT: &str = "UPDATE rule_usages SET value = (SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM grants \
                         WHERE rule_id = $1 AND kind IN ('discount', 'points')), \
                         times = (SELECT COUNT(DISTINCT COALESCE(purchase_id, reward_id, id)) FROM grants WHERE rule_id = $1) \
                         WHERE rule_id = $1";
    tx.lock(Lock::Giving, true).await?;
    for sql in [BEGIN, COUNT] {
        on!(tx, |c| sqlx::query(sql).bind(id).execute(c).await.map(drop))?;
    }
    Ok(())
}

/// Every rule, those that were begun last first. That they were looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<Vec<Entry>, Error> {
    by.may(Right::Rules)?;
    // What was given is summed outside of a transaction that writes: tills do not wait for it.
    let found = entries(&mut db.read().await?).await?;
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "rule.list", None, None, "").await?) }))
        .await?;
    Ok(found)
}

async fn entries(conn: &mut Conn) -> Result<Vec<Entry>, Error> {
    const GIVEN: &str = "SELECT rule_id, CAST(SUM(CASE WHEN kind IN ('discount', 'points') THEN amount ELSE 0 END) \
                         AS BIGINT), COUNT(DISTINCT COALESCE(purchase_id, reward_id, id)) FROM grants GROUP BY rule_id";
    let now = conn.now();
    let all = versions::of_all::<Rule>(conn).await?;
    let given: Vec<(RuleId, i64, i64)> = on!(conn, |c| sqlx::query_as(GIVEN).fetch_all(c).await)?;
    let mut entries: Vec<Entry> = Vec::new();
    for (id, version) in all {
        let id = RuleId(id);
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
        entry.last = version.definition.clone().or(entry.last.take());
        if version.called_off_at.is_some() {
            continue;
        }
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
        entry.current.take_if(|version| version.definition.is_none());
    }
    entries.reverse();
    Ok(entries)
}

/// Every rule by what it said last, drafts too, the newest rule first.
pub(crate) async fn last_of_all(conn: &mut Conn) -> Result<Vec<(RuleId, Rule)>, sqlx::Error> {
    let mut last: BTreeMap<RuleId, Rule> = BTreeMap::new();
    for (id, version) in versions::of_all::<Rule>(conn).await? {
        if let Some(rule) = version.definition {
            last.insert(RuleId(id), rule);
        }
    }
    Ok(last.into_iter().rev().collect())
}

/// A rule that gives points of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Giver {
    /// The rule.
    pub id: RuleId,
    /// What it is called.
    pub name: Localized,
    /// It multiplies what the program itself pays, so that with another share it gives another number of points.
    pub multiplies: bool,
}

/// The rules that give points of a program just now.
pub async fn givers(conn: &mut Conn, by: &Staff, program: ProgramId) -> Result<Vec<Giver>, Error> {
    by.may(Right::Rules)?;
    let now = conn.now();
    let timeline = timeline(conn).await?;
    let giver = |(version, rule): (RuleVersion, &Rule)| {
        let mut of_program = rule
            .effects
            .iter()
            .filter(|effect| effect.program() == Some(program))
            .peekable();
        of_program.peek()?;
        Some(Giver {
            id: version.id,
            name: rule.name.clone(),
            multiplies: of_program.any(|effect| matches!(effect, Effect::PointsTimes { .. })),
        })
    };
    Ok(timeline.in_force(now).filter_map(giver).collect())
}

/// One rule: all its versions, the newest first, its draft among them. That it was looked at is written down. Fails with
/// [`Error::NotFound`].
pub async fn history(db: &Db, by: &Staff, id: RuleId) -> Result<Vec<Version>, Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "rule.read", None, Some(id.0), "").await?;
            versions_of(tx, id).await
        })
    })
    .await
}

async fn versions_of(conn: &mut Conn, id: RuleId) -> Result<Vec<Version>, Error> {
    const KNOWN: &str = "SELECT id FROM rules WHERE id = $1";
    let all = versions::of_one(conn, id.0).await?;
    if all.is_empty() {
        let known: Option<RuleId> = on!(conn, |c| sqlx::query_scalar(KNOWN).bind(id).fetch_optional(c).await)?;
        known.ok_or(Error::NotFound)?;
    }
    Ok(all)
}
