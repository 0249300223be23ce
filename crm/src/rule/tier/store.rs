//! Tiers in the database: drafts and published versions of what a program's tiers are, and where each customer stands.
//!
//! Versions are as those of rules ([`versions`]). The version that counts is asked about the whole history, as if it had
//! always counted. With one that says nothing nobody stands anywhere.
//!
//! Where a customer stands is reckoned whenever somebody asks. What was found last is kept as well, so that a change can be
//! written down and told; it is brought up to date with each purchase and by the daily work.

use super::{AHEAD, Bought, Standing, Tiers, Why};
use crate::db::{self, Bind, Conn, Db, ListQuery, Rows, Tx, scoped};
use crate::error::Error;
use crate::id::{CustomerId, NotificationId, ProgramId, TierChangeId, TierId};
use crate::lang::Localized;
use crate::notification;
use crate::on;
use crate::points::Difference;
use crate::points::store::LIST;
use crate::purchase::store as purchases;
use crate::rule::store::versions::{self, Statements, Versioned, statements};
use crate::rule::store::{PublishError, Timeline, timeline};
use crate::rule::{Condition, Effect, Fault, Occasion, Rule};
use crate::staff::Right;
use crate::webhook::event::Cause;
use crate::who::{Fresh, Staff, Subject, System};
use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// What is kept of a version of a program's tiers.
pub type Version = versions::Version<Tiers>;

impl Versioned for Tiers {
    const SQL: Statements = statements!("tier_versions", "program_id", "programs", "position", "'null'");

    fn faults(&self) -> Vec<Fault> {
        self.validate()
    }
}

/// Changes the draft of a program's tiers, or begins one. `seen` is the [`changed_at`](Version::changed_at) of the draft that
/// was changed, none for one that is begun: [`Error::Stale`] where somebody else was quicker. [`Error::NotFound`] for no
/// program.
pub async fn change(
    db: &Db,
    by: &Staff,
    program: ProgramId,
    seen: Option<DateTime<Utc>>,
    tiers: &Tiers,
) -> Result<(), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            versions::change(tx, program.0, by.id(), seen, tiers).await?;
            Ok(by.record(tx, "tiers.change", None, Some(program.0), "").await?)
        })
    })
    .await
}

/// Throws the draft of a program's tiers away. `seen` is its [`changed_at`](Version::changed_at) as it was shown: [`Error::Stale`]
/// where it was changed since. [`Error::NotFound`] where there is none.
pub async fn discard(db: &Db, by: &Staff, program: ProgramId, seen: DateTime<Utc>) -> Result<(), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            versions::discard::<Tiers>(tx, program.0, seen).await?;
            Ok(by.record(tx, "tiers.discard", None, Some(program.0), "").await?)
        })
    })
    .await
}

/// Publishes the draft of a program's tiers, from a moment on or from now, and tells its version. `seen` is the
/// [`changed_at`](Version::changed_at) of the draft as it was shown: [`Error::Stale`] where it was changed since.
/// [`Error::NotFound`] for no draft, and [`Flaw::TooLate`](crate::flaw::Flaw::TooLate) at `from` for a moment that is over.
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
            let (version, _) = versions::publish::<Tiers>(tx, program.0, Some(by.id()), Some(seen), from).await?;
            by.record(tx, "tiers.publish", None, Some(program.0), "").await?;
            Ok(version)
        })
    })
    .await
}

/// Withdraws the tiers of a program, from a moment on or from now, and tells the version that says so; a draft stays. Fails as
/// [`publish`] does, and with [`Error::NotFound`] where none were published.
pub async fn withdraw(
    db: &Db,
    by: &Fresh<'_, Staff>,
    program: ProgramId,
    from: Option<DateTime<Utc>>,
) -> Result<i64, Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let version = versions::withdraw::<Tiers>(tx, program.0, by.id(), from).await?;
            by.record(tx, "tiers.withdraw", None, Some(program.0), "").await?;
            Ok(version)
        })
    })
    .await
}

/// Calls a version of the tiers of a program off that was published and does not count yet: what counts until its moment goes on.
/// [`Error::NotFound`] where there is no such version, it counts by now, or it was called off before.
pub async fn call_off(db: &Db, by: &Fresh<'_, Staff>, program: ProgramId, version: i64) -> Result<(), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            versions::call_off::<Tiers>(tx, program.0, by.id(), version).await?;
            Ok(by.record(tx, "tiers.call_off", None, Some(program.0), "").await?)
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
            versions::hold::<Tiers>(tx, program.0).await?;
            versions::write(tx, program.0, None, tiers).await?;
            let (version, _) = versions::publish::<Tiers>(tx, program.0, None, None, from).await?;
            Ok(version)
        })
    })
    .await
}

/// Every version of a program's tiers, the newest first, the draft among them, for a page. That they were looked at is written
/// down.
pub async fn history(db: &Db, by: &Staff, program: ProgramId) -> Result<Vec<Version>, Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "tiers.read", None, Some(program.0), "").await?;
            versions_of(tx, by, program).await
        })
    })
    .await
}

/// The same for whoever is about to change them.
pub async fn versions_of(conn: &mut Conn, by: &Staff, program: ProgramId) -> Result<Vec<Version>, Error> {
    by.may(Right::Rules)?;
    Ok(versions::of_one(conn, program.0).await?)
}

/// Whether tiers of a program were ever published.
pub async fn are_published(conn: &mut Conn, _by: &System, program: ProgramId) -> Result<bool, Error> {
    let all: Vec<Version> = versions::of_one(conn, program.0).await?;
    Ok(all.iter().any(|version| version.effective_at.is_some()))
}

/// Every published version: by program, then by the moment from which they count, then by version.
#[derive(Default)]
pub(crate) struct Published(BTreeMap<ProgramId, Vec<Dated>>);

struct Dated {
    version: i64,
    effective_at: DateTime<Utc>,
    says: Says,
}

enum Says {
    Tiers(Tiers),
    /// The tiers are withdrawn.
    Nothing,
    /// It cannot be read.
    Unreadable,
}

impl Published {
    pub(crate) async fn read(conn: &mut Conn) -> Result<Self, sqlx::Error> {
        const SQL: &str = "SELECT program_id, version, definition, effective_at FROM tier_versions \
                           WHERE state = 'published' AND called_off_at IS NULL \
                           ORDER BY program_id, effective_at, version";
        type Row = (ProgramId, i64, Json<serde_json::Value>, DateTime<Utc>);
        let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
        let mut published: BTreeMap<ProgramId, Vec<Dated>> = BTreeMap::new();
        for (program, version, definition, effective_at) in rows {
            let says = match serde_json::from_value(definition.0) {
                Ok(Some(tiers)) => Says::Tiers(tiers),
                Ok(None) => Says::Nothing,
                // Another release may have written it. Who buys must not wait until somebody mends it.
                Err(e) => {
                    tracing::error!(%program, version, error = %e, "tiers cannot be read");
                    Says::Unreadable
                }
            };
            published.entry(program).or_default().push(Dated {
                version,
                effective_at,
                says,
            });
        }
        Ok(Self(published))
    }

    /// The programs that have tiers at any time.
    pub(crate) fn programs(&self) -> impl Iterator<Item = ProgramId> {
        self.0.keys().copied()
    }

    /// The version of a program's tiers that counts at a moment, with what it says; nothing where they are withdrawn. None
    /// where no version counts yet, or nobody can tell what it says.
    pub(crate) fn at(&self, program: ProgramId, at: DateTime<Utc>) -> Option<(i64, Option<&Tiers>)> {
        let versions = self.0.get(&program)?;
        let last = versions
            .partition_point(|version| version.effective_at <= at)
            .checked_sub(1)?;
        let version = &versions[last];
        match &version.says {
            Says::Tiers(tiers) => Some((version.version, Some(tiers))),
            Says::Nothing => Some((version.version, None)),
            Says::Unreadable => None,
        }
    }

    /// The tiers of a version; none where it says nothing, or nobody can tell what.
    pub(crate) fn of_version(&self, program: ProgramId, version: i64) -> Option<&Tiers> {
        let found = self.0.get(&program)?.iter().find(|one| one.version == version)?;
        match &found.says {
            Says::Tiers(tiers) => Some(tiers),
            Says::Nothing | Says::Unreadable => None,
        }
    }
}

/// Where somebody stands, as it is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    tier: Option<TierId>,
    since: Option<NaiveDate>,
    why: Why,
}

/// Who is no member, was never looked at, or where there are no tiers any more.
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

/// What some customers bought, by day.
async fn bought(conn: &mut Conn, of: &[CustomerId]) -> Result<HashMap<CustomerId, Vec<Bought>>, sqlx::Error> {
    let shop = conn.shop().clone();
    let mut bought: HashMap<CustomerId, Vec<Bought>> = HashMap::new();
    for one in purchases::counted(conn, of, None).await? {
        bought.entry(one.customer_id).or_default().push(Bought {
            day: shop.day(one.at),
            sum: one.total,
            is_kept: one.is_kept,
        });
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

async fn kept(conn: &mut Conn, of: &[CustomerId]) -> Result<HashMap<(CustomerId, ProgramId), Kept>, sqlx::Error> {
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
    let rows: Vec<Row> = db::list(conn, query).await?;
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

/// Where a member stands, and the day on which to look again if nothing is bought before.
fn place(tiers: Option<&Tiers>, bought: &[Bought], joined: NaiveDate, today: NaiveDate) -> (Place, NaiveDate) {
    let Some(tiers) = tiers else {
        let ahead = today.checked_add_days(Days::new(AHEAD as u64));
        return (NOWHERE, ahead.unwrap_or(today));
    };
    let history = since_joining(bought, joined);
    let Standing { tier, since, why, .. } = tiers.standing(&history, today);
    (Place { tier, since, why }, tiers.changes_on(&history, today))
}

/// What a member bought, with the day of joining, on which a tier that needs nothing begins at the latest.
fn since_joining(bought: &[Bought], joined: NaiveDate) -> Vec<Bought> {
    let place = bought.partition_point(|one| one.day < joined);
    let mut history = bought.to_vec();
    let begin = Bought {
        day: joined,
        sum: 0,
        is_kept: false,
    };
    history.insert(place, begin);
    history
}

/// What the tier of two accounts would be called if they were one: program by program, where they would have one.
pub(crate) async fn together(
    conn: &mut Conn,
    timeline: &Timeline,
    both: [CustomerId; 2],
) -> Result<BTreeMap<ProgramId, Localized>, sqlx::Error> {
    let now = conn.now();
    let today = conn.shop().day(now);
    let bought = bought(conn, &both).await?;
    let mut all: Vec<Bought> = bought.into_values().flatten().collect();
    all.sort_unstable_by_key(|one| one.day);
    let members = members(conn, &both).await?;
    let mut names = BTreeMap::new();
    for (program, _, tiers) in timeline.with_tiers(now) {
        // The membership of the account that stays counts, where it has one.
        let joined = both.iter().find_map(|customer| members.get(&(*customer, program)));
        let (Some(tiers), Some(joined)) = (tiers, joined) else {
            continue;
        };
        let (place, _) = place(Some(tiers), &all, *joined, today);
        if let Some(tier) = place.tier.and_then(|id| tiers.get(id)) {
            names.insert(program, tier.name.clone());
        }
    }
    Ok(names)
}

/// Whoever changes what a customer bought waits here for the others, and sees what they did.
async fn hold(tx: &mut Tx, customers: &[CustomerId]) -> Result<(), sqlx::Error> {
    const HOLD: &str = "SELECT id FROM customers WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";
    let ids: Vec<Uuid> = customers.iter().map(|id| id.0).collect();
    db::hold(tx, HOLD, &ids).await
}

/// Brings the tiers of customers up to date, and tells how many changes it wrote down. Where no program has tiers, nothing
/// is asked.
pub(crate) async fn refresh(
    tx: &mut Tx,
    timeline: &Timeline,
    customers: &BTreeSet<CustomerId>,
) -> Result<u64, sqlx::Error> {
    let now = tx.now();
    let today = tx.shop().day(now);
    let programs: Vec<_> = timeline.with_tiers(now).collect();
    if programs.is_empty() {
        return Ok(0);
    }
    let customers: Vec<CustomerId> = customers.iter().copied().collect();
    let mut changed = 0;
    for part in customers.chunks(LIST) {
        hold(tx, part).await?;
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
        let mut told = Vec::new();
        for customer in part {
            let bought = bought.get(customer).map_or(&[][..], Vec::as_slice);
            for (program, version, tiers) in &programs {
                let key = (*customer, *program);
                let before = kept.remove(&key);
                let was = before.as_ref().map_or(NOWHERE, |before| before.place);
                let (place, due_on) = match members.get(&key) {
                    Some(joined) => place(*tiers, bought, *joined, today),
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
                tx.touch(now);
                if place.tier != was.tier {
                    tx.happened(Cause::Stands(*customer, *program));
                }
                // Where somebody stands from the first is no news, and neither is what they left.
                if place.tier != was.tier && before.is_some() && members.contains_key(&key) {
                    let tier = tiers.and_then(|tiers| tiers.tiers.iter().find(|tier| Some(tier.id) == place.tier));
                    told.push((*customer, tier.map(|tier| &tier.name)));
                }
            }
        }
        db::insert(tx, standings).await?;
        db::insert(tx, changes).await?;
        for (customer, name) in told {
            let new = notification::New {
                kind: notification::Kind::Tier,
                about: "",
                name,
                points: None,
                transfer: None,
                key: format!("tier {}", NotificationId::new()),
            };
            notification::put(tx, customer, new).await?;
        }
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

/// Compares where members stand, as it is kept, with what their purchases say. Who is to be looked at again by the daily work
/// is left out. An empty answer is the only good one.
pub async fn verify(db: &Db, _: &System) -> Result<Vec<Difference>, Error> {
    const KEPT: &str = "SELECT customer_id FROM tier_standings WHERE customer_id > $1                         GROUP BY customer_id ORDER BY customer_id LIMIT $2";
    let mut differences = Vec::new();
    let mut last = CustomerId(Uuid::nil());
    loop {
        let mut conn = db.read().await?;
        let part: Vec<CustomerId> = on!(conn, |c| sqlx::query_scalar(KEPT)
            .bind(last)
            .bind(LIST as i64)
            .fetch_all(c)
            .await)?;
        let Some(end) = part.last() else { break };
        last = *end;
        let suspects = compare(&mut conn, &part).await?;
        drop(conn);
        if suspects.is_empty() {
            continue;
        }
        // Something may have been bought between two looks: once more, with nobody buying meanwhile.
        let part = &part;
        let found = db.write(|tx| {
            scoped(async move {
                hold(tx, part).await?;
                Ok::<_, Error>(compare(tx, part).await?)
            })
        });
        differences.extend(found.await?);
    }
    Ok(differences)
}

/// What differs of some customers. Tiers are told by their numbers from 1, the lowest, and 0 for none, and days as days of the
/// common era, 0 for none.
async fn compare(conn: &mut Conn, of: &[CustomerId]) -> Result<Vec<Difference>, sqlx::Error> {
    let now = conn.now();
    let today = conn.shop().day(now);
    let timeline = timeline(conn).await?;
    let bought = bought(conn, of).await?;
    let members = members(conn, of).await?;
    let kept = kept(conn, of).await?;
    let mut differences = Vec::new();
    for (program, version, tiers) in timeline.with_tiers(now) {
        let number = |id: Option<TierId>| {
            let all = tiers.map_or(&[][..], |tiers| tiers.tiers.as_slice());
            // One that is none of them gets a number behind them.
            id.map_or(0, |id| {
                (1..)
                    .zip(all)
                    .find(|(_, tier)| tier.id == id)
                    .map_or(i64::MAX, |(n, _)| n)
            })
        };
        let day = |day: Option<NaiveDate>| day.map_or(0, |day| i64::from(day.num_days_from_ce()));
        for customer in of {
            let key = (*customer, program);
            let (Some(joined), Some(kept)) = (members.get(&key), kept.get(&key)) else {
                continue;
            };
            if kept.version != version || kept.due_on <= today {
                continue;
            }
            let bought = bought.get(customer).map_or(&[][..], Vec::as_slice);
            let (is, _) = place(tiers, bought, *joined, today);
            let was = kept.place;
            let (_, until) = is.why();
            let (_, kept_until) = was.why();
            let compared = [
                ("a tier is what the purchases say", number(is.tier), number(was.tier)),
                ("a tier began when the purchases say", day(is.since), day(was.since)),
                ("a grace ends when the purchases say", day(until), day(kept_until)),
            ];
            let differs = |(what, expected, found): (&'static str, i64, i64)| Difference {
                what,
                id: customer.0,
                expected,
                found,
            };
            differences.extend(compared.into_iter().filter(|(_, is, was)| is != was).map(differs));
        }
    }
    Ok(differences)
}

/// How many members of a program stand in each tier, as it is kept; none: in no tier.
pub async fn counts(conn: &mut Conn, by: &Staff, program: ProgramId) -> Result<Vec<(Option<TierId>, i64)>, Error> {
    const SQL: &str = "SELECT s.tier_id, COUNT(*) FROM memberships m LEFT JOIN tier_standings s                        ON s.customer_id = m.customer_id AND s.program_id = m.program_id                        WHERE m.program_id = $1 AND m.left_at IS NULL GROUP BY s.tier_id";
    by.may(Right::Rules)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(program).fetch_all(c).await)?)
}

/// How many members [`preview`] asks about at most: somebody waits for the answer.
pub const PREVIEW_MAX: usize = 20_000;

/// Who would stand elsewhere with other tiers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// How many members were asked about.
    pub members: i64,
    /// Whether these are all.
    pub is_whole: bool,
    /// How many stand in one tier today and would stand in another one; none: in no tier.
    pub moves: BTreeMap<(Option<TierId>, Option<TierId>), i64>,
}

impl Preview {
    /// How many would stand elsewhere.
    pub fn moved(&self) -> i64 {
        self.moves.values().sum()
    }
}

/// How many members would stand elsewhere today if these were the tiers, compared with those that count now. Asks the same as
/// whoever publishes them, and writes nothing but that somebody asked.
pub async fn preview(db: &Db, by: &Staff, program: ProgramId, tiers: &Tiers) -> Result<Preview, Error> {
    const MEMBERS: &str = "SELECT customer_id, joined_at FROM memberships WHERE program_id = $1 AND left_at IS NULL                            AND customer_id > $2 ORDER BY customer_id LIMIT $3";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move { Ok::<_, Error>(by.record(tx, "tiers.preview", None, Some(program.0), "").await?) })
    })
    .await?;
    let mut preview = Preview::default();
    let mut last = CustomerId(Uuid::nil());
    for _ in 0..PREVIEW_MAX.div_ceil(LIST) {
        let mut conn = db.read().await?;
        let (now, shop) = (conn.now(), conn.shop().clone());
        let today = shop.day(now);
        let timeline = timeline(&mut conn).await?;
        let counts = timeline.tiers(program, now).map(|(_, tiers)| tiers);
        let rows: Vec<(CustomerId, DateTime<Utc>)> = on!(conn, |c| sqlx::query_as(MEMBERS)
            .bind(program)
            .bind(last)
            .bind(LIST as i64)
            .fetch_all(c)
            .await)?;
        preview.is_whole = rows.len() < LIST;
        let customers: Vec<CustomerId> = rows.iter().map(|(customer, _)| *customer).collect();
        let bought = bought(&mut conn, &customers).await?;
        for (customer, joined) in rows {
            let bought = bought.get(&customer).map_or(&[][..], Vec::as_slice);
            let joined = shop.day(joined);
            let tier = |tiers| place(tiers, bought, joined, today).0.tier;
            let (is, would) = (tier(counts), tier(Some(tiers)));
            preview.members += 1;
            if is != would {
                *preview.moves.entry((is, would)).or_default() += 1;
            }
            last = customer;
        }
        if preview.is_whole {
            break;
        }
    }
    Ok(preview)
}

/// Where a customer stands among the tiers of a program, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The tiers.
    pub tiers: Tiers,
    /// Where the customer stands today.
    pub standing: Standing,
    /// The first day on which the tier is lost if nothing more is bought ([`Tiers::lost_on`]).
    pub lost_on: Option<NaiveDate>,
}

/// The tiers of a program, and where a customer stands among them today; none where it has no tiers, or they are no member.
pub async fn standing(conn: &mut Conn, of: Subject, program: ProgramId) -> Result<Option<(Tiers, Standing)>, Error> {
    let outlook = outlook(conn, of, program).await?;
    Ok(outlook.map(|outlook| (outlook.tiers, outlook.standing)))
}

/// The same, and how long the tier lasts.
pub async fn outlook(conn: &mut Conn, of: Subject, program: ProgramId) -> Result<Option<Outlook>, Error> {
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
    let (bought, today) = (since_joining(&bought, *joined), conn.shop().day(now));
    Ok(Some(Outlook {
        standing: tiers.standing(&bought, today),
        lost_on: tiers.lost_on(&bought, today),
        tiers: tiers.clone(),
    }))
}

/// Where a customer stands today in each program that has tiers and that they are a member of, with the tiers.
pub async fn standings(conn: &mut Conn, of: Subject) -> Result<Vec<(ProgramId, Tiers, Standing)>, Error> {
    let timeline = timeline(conn).await?;
    let now = conn.now();
    let (customer, today) = (of.id(), conn.shop().day(now));
    let members = members(conn, &[customer]).await?;
    let joined = timeline.with_tiers(now).filter_map(|(program, _, tiers)| {
        let joined = members.get(&(customer, program))?;
        Some((program, tiers?, *joined))
    });
    let joined: Vec<_> = joined.collect();
    // It takes the whole history, which is not read for nothing.
    if joined.is_empty() {
        return Ok(Vec::new());
    }
    let bought = bought(conn, &[customer]).await?.remove(&customer).unwrap_or_default();
    let found = joined.into_iter().map(|(program, tiers, joined)| {
        let standing = tiers.standing(&since_joining(&bought, joined), today);
        (program, tiers.clone(), standing)
    });
    Ok(found.collect())
}

/// The tiers of each program that has some now.
pub async fn current(conn: &mut Conn) -> Result<BTreeMap<ProgramId, Tiers>, Error> {
    let timeline = timeline(conn).await?;
    let all = timeline.with_tiers(conn.now());
    let some = all.filter_map(|(program, _, tiers)| Some((program, tiers?.clone())));
    Ok(some.collect())
}

/// What a rule gives to whoever has one of these tiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Benefit {
    /// The tiers.
    pub tiers: BTreeSet<TierId>,
    /// The rule, without what it says to cashiers and on receipts.
    pub rule: Rule,
}

/// What the tiers of a program give now: the rules that ask for one of them, in the order in which they are asked. Rules for
/// some segments are left out: whom they are for is nobody else's to know.
pub async fn benefits(conn: &mut Conn, program: ProgramId) -> Result<Vec<Benefit>, Error> {
    let timeline = timeline(conn).await?;
    let now = conn.now();
    let mut benefits = Vec::new();
    for occasion in Occasion::ALL {
        let Some(rules) = timeline.on(occasion, now) else {
            continue;
        };
        for published in rules.published() {
            let holds = published.rule.valid.holds(now);
            let tiers = asked_for(&published.rule.conditions, program);
            let mut rule = published.rule.clone();
            rule.effects.retain(|effect| !matches!(effect, Effect::Message { .. }));
            if holds && !tiers.is_empty() && !rule.effects.is_empty() && !has_segment(&rule.conditions) {
                benefits.push(Benefit { tiers, rule });
            }
        }
    }
    Ok(benefits)
}

/// The tiers of a program that conditions ask for. What is asked for the other way round is no gift.
fn asked_for(conditions: &[Condition], program: ProgramId) -> BTreeSet<TierId> {
    let mut found = BTreeSet::new();
    for condition in conditions {
        match condition {
            Condition::Tier { program: of, tiers } if *of == program => found.extend(tiers),
            Condition::All(nested) | Condition::Any(nested) => found.extend(asked_for(nested, program)),
            _ => {}
        }
    }
    found
}

fn has_segment(conditions: &[Condition]) -> bool {
    conditions.iter().any(|condition| match condition {
        Condition::Segment(_) => true,
        Condition::All(nested) | Condition::Any(nested) => has_segment(nested),
        Condition::Not(inner) => has_segment(std::slice::from_ref(&**inner)),
        _ => false,
    })
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

/// How a customer's tiers changed in one program, the newest change first, each with the tiers as they were then; none where
/// the program had withdrawn them.
pub async fn changes_in(
    conn: &mut Conn,
    of: Subject,
    program: ProgramId,
) -> Result<Vec<(Change, Option<Tiers>)>, Error> {
    let all = changes(conn, of).await?;
    let timeline = timeline(conn).await?;
    let here = all.into_iter().filter(|change| change.program == program);
    let with_tiers = |change: Change| {
        let tiers = timeline.tiers_of_version(program, change.version).cloned();
        (change, tiers)
    };
    Ok(here.map(with_tiers).collect())
}
