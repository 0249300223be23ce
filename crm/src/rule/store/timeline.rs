//! The rules of a moment. They are read and prepared once and kept between transactions, under a number in the database
//! that every publication raises: a transaction reads that number and no more. What is offered of them, promotions, is kept here
//! as well; triggers raise the number, whoever changes one.

use super::asking::ForWhom;
use crate::db::{Conn, Lock};
use crate::id::{CategoryId, ProgramId, RuleId};
use crate::lang::Localized;
use crate::on;
use crate::points::store::{self as points, Programs};
use crate::promotion::store::Unended;
use crate::rule::tier::{self, Tiers};
use crate::rule::{Condition, Effect, Occasion, Published, Rule, RuleVersion, Rules, Tree};
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Under this name the number of publications, of rules and of tiers, stands among the database's sequences. A category that
/// is put into another one counts as well.
pub(crate) const REVISION: &str = "rules";

/// What was read last.
#[derive(Default)]
pub(crate) struct Snapshots(Mutex<Option<Arc<Timeline>>>);

/// Every published version of rules and tiers, with the programs, and what was prepared of them.
pub(crate) struct Timeline {
    revision: i64,
    programs: Programs,
    tiers: tier::store::Published,
    categories: Tree,
    /// The rules of which any version has a budget.
    budgets: HashSet<RuleId>,
    /// By rule, then by the moment from which they count, then by version.
    versions: Vec<Version>,
    /// The moments at which anything changes.
    changes: Vec<DateTime<Utc>>,
    /// What counts on an occasion between two of them, by how many come before it.
    prepared: Mutex<HashMap<(Occasion, usize), Arc<Rules>>>,
    /// For whom some of the rules are, likewise.
    for_whom: Mutex<HashMap<Asked, Arc<ForWhom>>>,
    /// The promotions that were not over when they were read.
    unended: Mutex<Option<Arc<Unended>>>,
}

/// How many changes come before, and which rules are asked.
type Asked = (usize, BTreeSet<RuleId>);

struct Version {
    by: RuleVersion,
    effective_at: DateTime<Utc>,
    /// None: the rule is withdrawn.
    rule: Option<Rule>,
}

#[derive(sqlx::FromRow)]
struct VersionRow {
    rule_id: RuleId,
    version: i64,
    definition: Option<Json<serde_json::Value>>,
    effective_at: DateTime<Utc>,
}

impl From<VersionRow> for Version {
    fn from(row: VersionRow) -> Self {
        let by = RuleVersion {
            id: row.rule_id,
            version: row.version,
        };
        let read = |json: Json<serde_json::Value>| {
            // Another release may have written it. Who buys must not wait until somebody mends a rule.
            let rule: Rule = serde_json::from_value(json.0)
                .inspect_err(
                    |e| tracing::error!(rule = %by.id, version = by.version, error = %e, "a rule cannot be read"),
                )
                .ok()?;
            let faults = rule.validate();
            if !faults.is_empty() {
                tracing::error!(rule = %by.id, version = by.version, ?faults, "a rule has faults and is left out");
            }
            faults.is_empty().then_some(rule)
        };
        Self {
            by,
            effective_at: row.effective_at,
            rule: row.definition.and_then(read),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The rules and programs as they stand in the database. In a transaction that writes no budget begins until it ends.
pub(crate) async fn timeline(conn: &mut Conn) -> Result<Arc<Timeline>, sqlx::Error> {
    const SQL: &str = "SELECT value FROM sequences WHERE name = $1";
    const VERSIONS: &str = "SELECT rule_id, version, definition, effective_at FROM rule_versions \
                            WHERE state = 'published' AND called_off_at IS NULL \
                            ORDER BY rule_id, effective_at, version";
    const WITHIN: &str = "SELECT id, parent_id FROM categories WHERE parent_id IS NOT NULL";
    conn.lock(Lock::Giving, false).await?;
    let (programs, revision) = points::programs(conn).await?;
    let revision: Option<i64> = match revision {
        Some(revision) => Some(revision),
        None => on!(conn, |c| sqlx::query_scalar(SQL).bind(REVISION).fetch_optional(c).await)?,
    };
    let revision = revision.unwrap_or_default();
    let known = locked(&conn.rules().0).clone();
    if let Some(known) = known.filter(|known| known.revision == revision && known.programs == programs) {
        return Ok(known);
    }
    let rows: Vec<VersionRow> = match revision {
        0 => Vec::new(),
        _ => on!(conn, |c| sqlx::query_as(VERSIONS).fetch_all(c).await)?,
    };
    let tiers = match revision {
        0 => tier::store::Published::default(),
        _ => tier::store::Published::read(conn).await?,
    };
    let within: Vec<(CategoryId, CategoryId)> = match revision {
        0 => Vec::new(),
        _ => on!(conn, |c| sqlx::query_as(WITHIN).fetch_all(c).await)?,
    };
    let versions: Vec<Version> = rows.into_iter().map(Into::into).collect();
    let with_budget = versions.iter().filter(|version| {
        let rule = version.rule.as_ref();
        rule.is_some_and(|rule| !rule.caps.budget.is_open())
    });
    let budgets = with_budget.map(|version| version.by.id).collect();
    let mut changes: Vec<_> = versions.iter().map(|version| version.effective_at).collect();
    changes.extend(programs.changes());
    changes.sort_unstable();
    changes.dedup();
    let timeline = Arc::new(Timeline {
        revision,
        programs,
        tiers,
        categories: within.into_iter().collect(),
        budgets,
        versions,
        changes,
        prepared: Mutex::default(),
        for_whom: Mutex::default(),
        unended: Mutex::default(),
    });
    *locked(&conn.rules().0) = Some(timeline.clone());
    Ok(timeline)
}

impl Published {
    /// True when it is what a program pays of its own, which is asked as if it were a rule, so that rules can multiply it.
    pub(crate) fn is_share(&self) -> bool {
        matches!(self.rule.effects[..], [Effect::PointsShare { program, .. }] if program.0 == self.by.id.0)
    }
}

impl Timeline {
    /// The programs.
    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Which categories lie within which, as it is today.
    pub(super) fn categories(&self) -> &Tree {
        &self.categories
    }

    /// Whether what a rule gives is counted because some version of it, perhaps a later one, has a budget.
    pub(super) fn has_budget(&self, rule: RuleId) -> bool {
        self.budgets.contains(&rule)
    }

    /// The tiers of a program that count at a moment, with their version; none where it is closed by then.
    pub(crate) fn tiers(&self, program: ProgramId, at: DateTime<Utc>) -> Option<(i64, &Tiers)> {
        let (version, tiers) = self.tier_version(program, at)?;
        Some((version, tiers?))
    }

    /// The version of a program's tiers that counts at a moment, with what it says; nothing where they are withdrawn. None
    /// where the program is closed by then, or nobody can tell what it says.
    pub(crate) fn tier_version(&self, program: ProgramId, at: DateTime<Utc>) -> Option<(i64, Option<&Tiers>)> {
        let is_open = self.programs.is_open(program, at);
        self.tiers.at(program, at).filter(|_| is_open)
    }

    /// The tiers of a version of a program's, whenever it counted.
    pub(crate) fn tiers_of_version(&self, program: ProgramId, version: i64) -> Option<&Tiers> {
        self.tiers.of_version(program, version)
    }

    /// The programs that have tiers at a moment or had some before, each with [`tier_version`](Self::tier_version).
    pub(crate) fn with_tiers(&self, at: DateTime<Utc>) -> impl Iterator<Item = (ProgramId, i64, Option<&Tiers>)> {
        let programs = self.tiers.programs();
        programs.filter_map(move |program| {
            let (version, tiers) = self.tier_version(program, at)?;
            Some((program, version, tiers))
        })
    }

    /// The rules to ask about what was bought at a moment; none where nothing but the programs' own shares counted.
    pub(crate) fn at(&self, at: DateTime<Utc>) -> Option<Arc<Rules>> {
        self.on(Occasion::Purchase, at)
    }

    /// The rules to ask on an occasion at a moment; none where there is none.
    pub(crate) fn on(&self, occasion: Occasion, at: DateTime<Utc>) -> Option<Arc<Rules>> {
        let has_rules = self.in_force(at).any(|(_, rule)| rule.occasion == occasion);
        has_rules.then(|| self.prepared(occasion, at))
    }

    /// The rules of purchases at a moment, the programs' own shares among them.
    pub(crate) fn with_programs(&self, at: DateTime<Utc>) -> Arc<Rules> {
        self.prepared(Occasion::Purchase, at)
    }

    /// The rules of an occasion alone: nothing has to be known for those of another.
    fn prepared(&self, occasion: Occasion, at: DateTime<Utc>) -> Arc<Rules> {
        let prepare = || {
            let mut published = self.published(at);
            published.retain(|one| one.rule.occasion == occasion);
            let prepared = Rules::prepare_within(&self.categories, published);
            // Every version was looked at when it was read.
            Arc::new(prepared.unwrap_or_else(|e| {
                tracing::error!(error = %e, "rules cannot be prepared");
                Rules::default()
            }))
        };
        locked(&self.prepared)
            .entry((occasion, self.span(at)))
            .or_insert_with(prepare)
            .clone()
    }

    /// For whom some of the rules are at a moment, if that is kept.
    pub(super) fn for_whom(&self, rules: &BTreeSet<RuleId>, at: DateTime<Utc>) -> Option<Arc<ForWhom>> {
        locked(&self.for_whom).get(&(self.span(at), rules.clone())).cloned()
    }

    /// Keeps for whom some of the rules are at a moment.
    pub(super) fn keep_for_whom(&self, rules: BTreeSet<RuleId>, at: DateTime<Utc>, asked: Arc<ForWhom>) {
        locked(&self.for_whom).insert((self.span(at), rules), asked);
    }

    /// The promotions that are kept, if they are.
    pub(crate) fn unended(&self) -> Option<Arc<Unended>> {
        locked(&self.unended).clone()
    }

    /// Keeps promotions.
    pub(crate) fn keep_unended(&self, read: Arc<Unended>) {
        *locked(&self.unended) = Some(read);
    }

    /// Between which two changes a moment is: the rules of one span are the same.
    pub(super) fn span(&self, at: DateTime<Utc>) -> usize {
        self.changes.partition_point(|change| *change <= at)
    }

    /// The rules of a moment before they are prepared, the programs' own shares among them.
    pub(super) fn published(&self, at: DateTime<Utc>) -> Vec<Published> {
        let shares = self.programs.shares(at).map(|(program, version, share)| Published {
            by: RuleVersion {
                id: RuleId(program.0),
                version,
            },
            rule: Rule {
                name: Localized::new("Программа", "Program"),
                occasion: Occasion::Purchase,
                priority: 0,
                group: None,
                alone: false,
                valid: crate::rule::Validity::default(),
                conditions: vec![Condition::Member(vec![program])],
                effects: vec![Effect::PointsShare { program, share }],
                caps: crate::rule::Caps::default(),
                funded_by: None,
            },
        });
        let rules = self.in_force(at).map(|(by, rule)| Published { by, rule: rule.clone() });
        rules.chain(shares).collect()
    }

    /// Of each rule the version that counts at a moment, but for those that are withdrawn by then.
    pub(super) fn in_force(&self, at: DateTime<Utc>) -> impl Iterator<Item = (RuleVersion, &Rule)> {
        let rules = self.versions.chunk_by(|a, b| a.by.id == b.by.id);
        rules.filter_map(move |versions| {
            let last = versions
                .partition_point(|version| version.effective_at <= at)
                .checked_sub(1)?;
            let version = &versions[last];
            Some((version.by, version.rule.as_ref()?))
        })
    }
}
