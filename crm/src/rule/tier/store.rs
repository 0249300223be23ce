//! Tiers in the database: drafts and published versions of what a program's tiers are, and where each customer stands.
//!
//! Versions are as those of rules: at most one draft, and any number of published ones, each with the moment from which it
//! counts. The version that counts is asked about the whole history, as if it had always counted.
//!
//! Where a customer stands is reckoned whenever somebody asks. What was found last is kept as well, so that a change can be
//! written down and told; it is brought up to date with each purchase and by the daily work.

use super::{Bought, Standing, Tiers, Why};
use crate::db::{self, Bind, Conn, Db, ListQuery, Rows, Tx, scoped};
use crate::error::Error;
use crate::id::{CustomerId, ProgramId, StaffId, TierChangeId, TierId};
use crate::on;
use crate::points::store::LIST;
use crate::rule::store::{PublishError, REVISION, Timeline, from_when, timeline};
use crate::staff::Right;
use crate::webhook::event::Cause;
use crate::who::{Fresh, Staff, Subject, System};
use chrono::{DateTime, NaiveDate, Utc};
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// What is kept of a version.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Version {
    /// Its number, from 1.
    pub version: i64,
    /// What the tiers are. A draft may have faults.
    #[sqlx(json)]
    pub definition: Tiers,
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

/// Writes the draft of a program's tiers, or writes another one over it. [`Error::NotFound`] for no program.
pub async fn draft(db: &Db, by: &Staff, program: ProgramId, tiers: &Tiers) -> Result<(), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            write(tx, program, Some(by.id()), tiers).await?;
            Ok(by.record(tx, "tiers.draft", None, Some(program.0), "").await?)
        })
    })
    .await
}

/// Publishes the draft of a program's tiers, from a moment on or from now, and tells its version. `seen` is the
/// [`Version::changed_at`] of the draft as it was shown: [`Error::Stale`] where it was changed since. [`Error::NotFound`]
/// for no draft, and [`Flaw::TooLate`](crate::flaw::Flaw::TooLate) at `from` for a moment that is over.
pub async fn publish(
    db: &Db,
    by: &Fresh<'_, Staff>,
    program: ProgramId,
    seen: DateTime<Utc>,
    from: Option<DateTime<Utc>>,
) -> Result<i64, PublishError> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let version = publish_draft(tx, program, Some(by.id()), Some(seen), from).await?;
            by.record(tx, "tiers.publish", None, Some(program.0), "").await?;
            Ok(version)
        })
    })
    .await
}

/// Publishes the tiers of a program, for the command line and the demonstration. A draft of them is replaced.
pub async fn publish_by_system(
    db: &Db,
    _by: &System,
    program: ProgramId,
    tiers: &Tiers,
    from: Option<DateTime<Utc>>,
) -> Result<i64, PublishError> {
    db.write(|tx| {
        scoped(async move {
            write(tx, program, None, tiers).await?;
            publish_draft(tx, program, None, None, from).await
        })
    })
    .await
}

/// Every version of a program's tiers, the newest first, the draft among them.
pub async fn versions(conn: &mut Conn, by: &Staff, program: ProgramId) -> Result<Vec<Version>, Error> {
    const SQL: &str = "SELECT v.version, v.definition, v.changed_at, c.name AS changed_by, v.effective_at, \
                       v.published_at, p.name AS published_by FROM tier_versions v \
                       LEFT JOIN staff c ON c.id = v.changed_by LEFT JOIN staff p ON p.id = v.published_by \
                       WHERE v.program_id = $1 ORDER BY v.version DESC";
    by.may(Right::Rules)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(program).fetch_all(c).await)?)
}

/// Sees to it that nobody else changes the tiers of a program until the transaction ends.
async fn hold(tx: &mut Tx, program: ProgramId) -> Result<(), Error> {
    const SQL: &str = "UPDATE programs SET position = position WHERE id = $1";
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(program)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 { Err(Error::NotFound) } else { Ok(()) }
}

async fn write(tx: &mut Tx, program: ProgramId, by: Option<StaffId>, tiers: &Tiers) -> Result<(), Error> {
    const CHANGE: &str = "UPDATE tier_versions SET definition = $2, changed_at = $3, changed_by = $4 \
                          WHERE program_id = $1 AND state = 'draft'";
    const BEGIN: &str = "INSERT INTO tier_versions (program_id, version, state, definition, changed_at, changed_by) \
                         SELECT $1, COALESCE(MAX(version), 0) + 1, 'draft', $2, $3, $4 FROM tier_versions \
                         WHERE program_id = $1";
    hold(tx, program).await?;
    let now = tx.now();
    for sql in [CHANGE, BEGIN] {
        let rows = on!(tx, |c| sqlx::query(sql)
            .bind(program)
            .bind(Json(tiers))
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

async fn publish_draft(
    tx: &mut Tx,
    program: ProgramId,
    by: Option<StaffId>,
    seen: Option<DateTime<Utc>>,
    from: Option<DateTime<Utc>>,
) -> Result<i64, PublishError> {
    const DRAFT: &str =
        "SELECT version, definition, changed_at FROM tier_versions WHERE program_id = $1 AND state = 'draft'";
    const PUBLISH: &str = "UPDATE tier_versions SET state = 'published', effective_at = $3, published_at = $4, \
                           published_by = $5 WHERE program_id = $1 AND version = $2";
    hold(tx, program).await?;
    let draft: Option<(i64, Json<Tiers>, DateTime<Utc>)> =
        on!(tx, |c| sqlx::query_as(DRAFT).bind(program).fetch_optional(c).await)?;
    let (version, Json(tiers), changed_at) = draft.ok_or(Error::NotFound)?;
    if seen.is_some_and(|seen| seen != changed_at) {
        return Err(Error::Stale.into());
    }
    let faults = tiers.validate();
    if !faults.is_empty() {
        return Err(PublishError::Faulty(faults));
    }
    let now = tx.now();
    let effective_at = from_when(now, from)?;
    on!(tx, |c| sqlx::query(PUBLISH)
        .bind(program)
        .bind(version)
        .bind(effective_at)
        .bind(now)
        .bind(by)
        .execute(c)
        .await
        .map(drop))?;
    db::next_number(tx, REVISION).await?;
    Ok(version)
}

/// Every published version: by program, then by the moment from which they count, then by version.
#[derive(Default)]
pub(crate) struct Published(BTreeMap<ProgramId, Vec<Dated>>);

struct Dated {
    version: i64,
    effective_at: DateTime<Utc>,
    /// None: it cannot be read.
    tiers: Option<Tiers>,
}

impl Published {
    pub(crate) async fn read(conn: &mut Conn) -> Result<Self, sqlx::Error> {
        const SQL: &str = "SELECT program_id, version, definition, effective_at FROM tier_versions \
                           WHERE state = 'published' ORDER BY program_id, effective_at, version";
        type Row = (ProgramId, i64, Json<serde_json::Value>, DateTime<Utc>);
        let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
        let mut published: BTreeMap<ProgramId, Vec<Dated>> = BTreeMap::new();
        for (program, version, definition, effective_at) in rows {
            // Another release may have written it. Who buys must not wait until somebody mends it.
            let tiers = serde_json::from_value(definition.0)
                .inspect_err(|e| tracing::error!(%program, version, error = %e, "tiers cannot be read"))
                .ok();
            published.entry(program).or_default().push(Dated {
                version,
                effective_at,
                tiers,
            });
        }
        Ok(Self(published))
    }

    /// The programs that have tiers at any time.
    pub(crate) fn programs(&self) -> impl Iterator<Item = ProgramId> {
        self.0.keys().copied()
    }

    /// The tiers of a program that count at a moment, with their version.
    pub(crate) fn at(&self, program: ProgramId, at: DateTime<Utc>) -> Option<(i64, &Tiers)> {
        let versions = self.0.get(&program)?;
        let last = versions
            .partition_point(|version| version.effective_at <= at)
            .checked_sub(1)?;
        Some((versions[last].version, versions[last].tiers.as_ref()?))
    }
}

/// Where somebody stands, as it is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    tier: Option<TierId>,
    since: Option<NaiveDate>,
    why: Why,
}

/// Who is no member, or was never looked at.
const NOWHERE: Place = Place {
    tier: None,
    since: None,
    why: Why::Earned,
};

impl Place {
    /// Why, in a word and the day on which a grace is over.
    const fn why(self) -> (&'static str, Option<NaiveDate>) {
        match self.why {
            Why::Earned => ("earned", None),
            Why::Grace { until } => ("grace", Some(until)),
            Why::Kept => ("kept", None),
        }
    }
}

/// The opposite of [`Place::why`].
fn why(word: &str, until: Option<NaiveDate>) -> Why {
    match (word, until) {
        (_, Some(until)) => Why::Grace { until },
        ("kept", None) => Why::Kept,
        _ => Why::Earned,
    }
}

/// What was found last.
#[derive(PartialEq, Eq)]
struct Kept {
    version: i64,
    place: Place,
    /// The day on which to look again.
    due_on: NaiveDate,
}

/// What some customers bought, whoever counts it, by day.
async fn bought(conn: &mut Conn, of: &[CustomerId]) -> Result<HashMap<CustomerId, Vec<Bought>>, sqlx::Error> {
    let shop = conn.shop().clone();
    let query = ListQuery::new("SELECT customer_id, at, total FROM purchases")
        .within("customer_id", of.iter().map(|id| Bind::Id(id.0)))
        .filter("voided_at IS NULL", []);
    let mut bought: HashMap<CustomerId, Vec<Bought>> = HashMap::new();
    for (customer, at, sum) in db::list::<(CustomerId, DateTime<Utc>, i64)>(conn, query).await? {
        let day = shop.day(at);
        bought.entry(customer).or_default().push(Bought { day, sum });
    }
    for list in bought.values_mut() {
        list.sort_unstable_by_key(|one| one.day);
    }
    Ok(bought)
}

/// Since which day some customers are members of programs.
async fn members(
    conn: &mut Conn,
    of: &[CustomerId],
) -> Result<HashMap<(CustomerId, ProgramId), NaiveDate>, sqlx::Error> {
    let shop = conn.shop().clone();
    let query = ListQuery::new("SELECT customer_id, program_id, joined_at FROM memberships")
        .within("customer_id", of.iter().map(|id| Bind::Id(id.0)))
        .filter("left_at IS NULL", []);
    let rows: Vec<(CustomerId, ProgramId, DateTime<Utc>)> = db::list(conn, query).await?;
    let joined = |(customer, program, at)| ((customer, program), shop.day(at));
    Ok(rows.into_iter().map(joined).collect())
}

async fn kept(tx: &mut Tx, of: &[CustomerId]) -> Result<HashMap<(CustomerId, ProgramId), Kept>, sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        customer_id: CustomerId,
        program_id: ProgramId,
        version: i64,
        tier_id: Option<TierId>,
        since: Option<NaiveDate>,
        why: String,
        until: Option<NaiveDate>,
        due_on: NaiveDate,
    }
    const SELECT: &str =
        "SELECT customer_id, program_id, version, tier_id, since, why, until, due_on FROM tier_standings";
    let query = ListQuery::new(SELECT).within("customer_id", of.iter().map(|id| Bind::Id(id.0)));
    let rows: Vec<Row> = db::list(tx, query).await?;
    let kept = |row: Row| {
        let place = Place {
            tier: row.tier_id,
            since: row.since,
            why: why(&row.why, row.until),
        };
        let kept = Kept {
            version: row.version,
            place,
            due_on: row.due_on,
        };
        ((row.customer_id, row.program_id), kept)
    };
    Ok(rows.into_iter().map(kept).collect())
}

/// What a member bought, with the day of joining, on which a tier that needs nothing begins at the latest.
fn history(bought: &[Bought], joined: NaiveDate) -> Vec<Bought> {
    let place = bought.partition_point(|one| one.day < joined);
    let mut history = bought.to_vec();
    history.insert(place, Bought { day: joined, sum: 0 });
    history
}

/// Brings the tiers of customers up to date, and tells how many changes it wrote down. Where no program has tiers, nothing
/// is asked.
pub(crate) async fn refresh(
    tx: &mut Tx,
    timeline: &Timeline,
    customers: &BTreeSet<CustomerId>,
) -> Result<u64, sqlx::Error> {
    // Whoever changes what a customer bought waits here for the others, and sees what they did.
    const HOLD: &str = "UPDATE customers SET updated_at = updated_at";
    let now = tx.now();
    let today = tx.shop().day(now);
    let programs: Vec<_> = timeline.with_tiers(now).collect();
    if programs.is_empty() {
        return Ok(0);
    }
    let customers: Vec<CustomerId> = customers.iter().copied().collect();
    let mut changed = 0;
    for part in customers.chunks(LIST) {
        let query = ListQuery::new(HOLD).within("id", part.iter().map(|id| Bind::Id(id.0)));
        db::list::<(i64,)>(tx, query).await?;
        let bought = bought(tx, part).await?;
        let members = members(tx, part).await?;
        let mut kept = kept(tx, part).await?;
        let mut standings = Rows::new(
            "INSERT INTO tier_standings (customer_id, program_id, version, tier_id, since, why, until, due_on)",
            "ON CONFLICT (customer_id, program_id) DO UPDATE SET version = excluded.version, \
             tier_id = excluded.tier_id, since = excluded.since, why = excluded.why, until = excluded.until, \
             due_on = excluded.due_on",
        );
        let mut changes = Rows::new(
            "INSERT INTO tier_changes (id, customer_id, program_id, version, tier_id, since, why, until, at)",
            "",
        );
        for customer in part {
            let bought = bought.get(customer).map_or(&[][..], Vec::as_slice);
            for (program, version, tiers) in &programs {
                let key = (*customer, *program);
                let before = kept.remove(&key);
                let was = before.as_ref().map_or(NOWHERE, |before| before.place);
                let (place, due_on) = match members.get(&key) {
                    Some(joined) => {
                        let history = history(bought, *joined);
                        let Standing { tier, since, why, .. } = tiers.standing(&history, today);
                        (Place { tier, since, why }, tiers.changes_on(&history, today))
                    }
                    None if was == NOWHERE => continue,
                    // They left.
                    None => (NOWHERE, today),
                };
                let found = Kept {
                    version: *version,
                    place,
                    due_on,
                };
                if before.as_ref() == Some(&found) {
                    continue;
                }
                let (word, until) = place.why();
                standings.push([
                    Bind::Id(customer.0),
                    Bind::Id(program.0),
                    Bind::Int(*version),
                    Bind::MaybeId(place.tier.map(|id| id.0)),
                    Bind::MaybeDay(place.since),
                    Bind::Word(word),
                    Bind::MaybeDay(until),
                    Bind::Day(due_on),
                ]);
                if place == was {
                    continue;
                }
                changed += 1;
                changes.push([
                    Bind::Id(TierChangeId::new().0),
                    Bind::Id(customer.0),
                    Bind::Id(program.0),
                    Bind::Int(*version),
                    Bind::MaybeId(place.tier.map(|id| id.0)),
                    Bind::MaybeDay(place.since),
                    Bind::Word(word),
                    Bind::MaybeDay(until),
                    Bind::Time(now),
                ]);
                if place.tier != was.tier {
                    tx.happened(Cause::Stands(*customer, *program));
                }
            }
        }
        db::insert(tx, standings).await?;
        db::insert(tx, changes).await?;
    }
    Ok(changed)
}

/// The daily work: looks again at each member whose day has come, and at those whom the version that counts was not asked
/// about yet. Tells how many changes it wrote down. It may come late, twice, or from several processes at once.
pub async fn run_due(db: &Db, _: &System) -> Result<u64, Error> {
    const DUE: &str = "SELECT m.customer_id FROM memberships m LEFT JOIN tier_standings s \
        ON s.customer_id = m.customer_id AND s.program_id = m.program_id \
        WHERE m.program_id = $1 AND m.left_at IS NULL AND m.customer_id > $2 \
        AND (s.version IS NULL OR s.version <> $3 OR s.due_on <= $4) ORDER BY m.customer_id LIMIT $5";
    let mut conn = db.read().await?;
    let now = conn.now();
    let today = conn.shop().day(now);
    let all = timeline(&mut conn).await?;
    drop(conn);
    let programs: Vec<_> = all.with_tiers(now).map(|(id, version, _)| (id, version)).collect();
    let mut changed = 0;
    for (program, version) in programs {
        let mut last = CustomerId(Uuid::nil());
        loop {
            let mut conn = db.read().await?;
            let due: Vec<CustomerId> = on!(conn, |c| sqlx::query_scalar(DUE)
                .bind(program)
                .bind(last)
                .bind(version)
                .bind(today)
                .bind(LIST as i64)
                .fetch_all(c)
                .await)?;
            drop(conn);
            let Some(end) = due.last() else { break };
            last = *end;
            let due = &due.into_iter().collect();
            changed += db
                .write(|tx| {
                    scoped(async move {
                        let timeline = timeline(tx).await?;
                        Ok::<_, Error>(refresh(tx, &timeline, due).await?)
                    })
                })
                .await?;
        }
    }
    Ok(changed)
}

/// The tiers of a program, and where a customer stands among them today; none where it has no tiers, or they are no member.
pub async fn standing(conn: &mut Conn, of: Subject, program: ProgramId) -> Result<Option<(Tiers, Standing)>, Error> {
    let timeline = timeline(conn).await?;
    let now = conn.now();
    let Some((_, tiers)) = timeline.tiers(program, now) else {
        return Ok(None);
    };
    let customer = of.id();
    let members = members(conn, &[customer]).await?;
    let Some(joined) = members.get(&(customer, program)) else {
        return Ok(None);
    };
    let bought = bought(conn, &[customer]).await?.remove(&customer).unwrap_or_default();
    let standing = tiers.standing(&history(&bought, *joined), conn.shop().day(now));
    Ok(Some((tiers.clone(), standing)))
}

/// Once when a customer stood differently than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// In which program.
    pub program: ProgramId,
    /// The version of its tiers.
    pub version: i64,
    /// The tier, if there was one.
    pub tier: Option<TierId>,
    /// The day on which it began.
    pub since: Option<NaiveDate>,
    /// Why it was this one.
    pub why: Why,
    /// When it was noticed.
    pub at: DateTime<Utc>,
}

/// How a customer's tiers changed, the newest change first.
pub async fn changes(conn: &mut Conn, of: Subject) -> Result<Vec<Change>, Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        program_id: ProgramId,
        version: i64,
        tier_id: Option<TierId>,
        since: Option<NaiveDate>,
        why: String,
        until: Option<NaiveDate>,
        at: DateTime<Utc>,
    }
    const SQL: &str = "SELECT program_id, version, tier_id, since, why, until, at FROM tier_changes \
                       WHERE customer_id = $1 ORDER BY id DESC";
    let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL).bind(of.id()).fetch_all(c).await)?;
    let change = |row: Row| Change {
        program: row.program_id,
        version: row.version,
        tier: row.tier_id,
        since: row.since,
        why: why(&row.why, row.until),
        at: row.at,
    };
    Ok(rows.into_iter().map(change).collect())
}
