//! Simulations: what a rule would have given on the real purchases of the last months. Nothing that it would have given is
//! booked.
//!
//! Somebody asks ([`start`]), and a worker of any node answers ([`run_next`]): it claims what waits longest ([`work`]), walks
//! through the purchases batch by batch, and writes after each how far it is.
//!
//! # What is simulated
//! - Every sale of the time, in order of time, is asked about as a till asks before anything is paid: by the rules that
//!   counted then, once with the simulated rule and once without it. What the other rules give is counted only as far as the
//!   simulated one changes it ([`Figures::change`]).
//! - The rule's own published versions are left out of both, so a new version is told with all that it gives. Its
//!   [`Validity`](crate::rule::Validity) is not asked: it holds all the time.
//! - Its caps and its budget count what it would have given, from nothing on. Those of the others count what they really had
//!   given by then.
//! - Memberships and earlier purchases are those of the time; what else is known of customers, articles and shops is what is
//!   known today. A receipt that was claimed later counts as if the customer had been known when it was bought. The first
//!   purchase is the first by its time.
//! - A receipt that does not say how it was bought or paid holds no condition about that ([`Stop::Unknown`]).
//! - What points paid earns nothing, as it did not then.
//! - Returns are left out: what came back later counts as sold. Receipts that were voided are left out as well, and what came
//!   back entirely is none of the earlier purchases of another one.
//! - That people would have bought more because of the rule is nobody's to say.

mod walk;

use super::PublishError;
use super::versions::hold;
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::{ProgramId, RuleId, SimulationId};
use crate::on;
use crate::rule::explain::Capped;
use crate::rule::{Occasion, Published, Rule, RuleVersion, Span};
use crate::shop::Shop;
use crate::staff::Right;
use crate::who::{Staff, System};
use crate::work::{self, Claims, claims, is_ours, let_go};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use std::collections::BTreeMap;
use walk::Walk;

/// The longest time that is looked back, in months.
pub const MOST_MONTHS: u32 = 24;
/// How many simulations of a rule are kept.
pub const KEPT: i64 = 20;
/// How many purchases are looked at between two notes of how far it is.
const BATCH: usize = 1024;
/// For how long a node has a simulation that it says nothing of.
pub const HOLD: Duration = Duration::seconds(60);

/// How far a simulation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum State {
    /// No node has it yet.
    Waiting,
    /// A node is on its way through the purchases.
    Running,
    /// There is a result.
    Done,
    /// It was begun [`work::MAX_TRIES`] times and came to no end.
    Failed,
    /// Somebody stopped it, or began another one of the same rule.
    Cancelled,
}

impl State {
    /// True while a result may still come.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}

/// A simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// Its id.
    pub id: SimulationId,
    /// The rule, and the version that was its last one then, perhaps a draft.
    pub rule: RuleVersion,
    /// What it said then.
    pub definition: Rule,
    /// How many months were looked back.
    pub months: u32,
    /// The first moment of the time that was looked at.
    pub from: DateTime<Utc>,
    /// The first moment no more: when it was asked for.
    pub until: DateTime<Utc>,
    /// The name of who asked.
    pub asked_by: String,
    /// How far it has come.
    pub state: State,
    /// How many purchases were looked at.
    pub done: i64,
    /// How many there are to look at; 0 until the first of them were.
    pub total: i64,
    /// What it would have given, once it is [`State::Done`].
    pub result: Option<Report>,
    /// When a node began it last.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended, in whatever way.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What a rule would have given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// In all.
    pub all: Figures,
    /// Month by month, the earliest first; those without a purchase are left out.
    pub months: Vec<Month>,
    /// What kept it from the other purchases, the most frequent first. Their sum and [`Figures::reached`] are all
    /// purchases.
    pub stopped: Vec<Stopped>,
}

/// What a rule would have given in a calendar month of the shop, as far as it was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Month {
    /// Its first day.
    pub first: NaiveDate,
    /// The figures.
    pub figures: Figures,
}

/// Figures of a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// Purchases that it was asked about.
    pub purchases: i64,
    /// Of them: those that it would have given something for.
    pub reached: i64,
    /// Who made these, each once; purchases of people who are not known are nobody's.
    pub customers: i64,
    /// What was really paid for what was bought in the purchases that it reached, in minor units.
    pub sales: i64,
    /// What the rule itself would have given.
    pub given: Amounts,
    /// Gifts, in pieces.
    pub gifts: i64,
    /// Coupons.
    pub coupons: i64,
    /// By how much everything that all rules and programs give would have become more: what it gives, less what others give
    /// because it took their place or because less was left to pay, and more where they multiply what it gives.
    pub change: Amounts,
}

/// Money off and points.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Amounts {
    /// Off prices, in minor units.
    pub discount: i64,
    /// Points by program, in hundredths; none of them is 0.
    pub points: BTreeMap<ProgramId, i64>,
}

/// What kept a rule from purchases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// The first thing that did.
    pub by: Stop,
    /// From how many.
    pub purchases: i64,
}

/// The first thing that keeps a rule from a purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// This condition does not hold, for [`Rule::clause`] of [`Simulation::definition`].
    Condition(u16),
    /// Whether this condition holds is not known: receipts that do not say how they were paid, or where.
    Unknown(u16),
    /// It had given what this cap or its budget allows.
    UsedUp(Capped),
    /// Another rule of its group was granted: this one.
    Group(RuleId),
    /// The lines have a discount of this rule, with which it does not go together.
    Closed(RuleId),
    /// There was nothing to give: nothing was paid, no points to multiply, or no member of the program.
    Nothing,
    /// Nobody was known who could have been given it.
    Nobody,
}

/// The time that is looked at: the months up to a moment, from the midnight that begins the day as many months before.
fn span(shop: &Shop, until: DateTime<Utc>, months: u32) -> (DateTime<Utc>, DateTime<Utc>) {
    let first = Span::Months(months).before(shop.day(until));
    (shop.midnight(first), until)
}

/// Asks what a rule would have given in the last months (up to [`MOST_MONTHS`]): its draft, or where there is none the version
/// that was published last. Simulations of the same rule that have not ended are cancelled, and only the newest [`KEPT`] stay.
///
/// Fails with [`PublishError::Faulty`] for a draft that could not be published either, with [`Error::NotFound`] where the rule
/// is not there or is withdrawn, and with [`Flaw::NotAChoice`] at `months`, or at `occasion` for a rule that is not asked
/// about purchases.
pub async fn start(db: &Db, by: &Staff, rule: RuleId, months: u32) -> Result<SimulationId, PublishError> {
    const LAST: &str = "SELECT version, definition FROM rule_versions WHERE rule_id = $1 AND called_off_at IS NULL \
                        ORDER BY version DESC LIMIT 1";
    const REPLACE: &str = "UPDATE simulations SET state = 'cancelled', finished_at = $2, claimed_by = NULL, \
                           claimed_until = NULL WHERE rule_id = $1 AND state IN ('waiting', 'running')";
    const ENTER: &str = "INSERT INTO simulations (id, rule_id, version, definition, months, asked_by, state, created_at) \
                         VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7)";
    const FORGET: &str = "DELETE FROM simulations WHERE rule_id = $1 AND id NOT IN (SELECT id FROM simulations \
                          WHERE rule_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2)";
    by.may(Right::Rules)?;
    if !(1..=MOST_MONTHS).contains(&months) {
        return Err(Error::field("months", Flaw::NotAChoice).into());
    }
    db.write(|tx| {
        scoped(async move {
            hold::<Rule>(tx, rule.0).await?;
            let last: Option<(i64, Option<Json<Rule>>)> =
                on!(tx, |c| sqlx::query_as(LAST).bind(rule).fetch_optional(c).await)?;
            let (version, definition) = last.ok_or(Error::NotFound)?;
            let Json(definition) = definition.ok_or(Error::NotFound)?;
            let faults = definition.validate();
            if !faults.is_empty() {
                return Err(PublishError::Faulty(faults));
            }
            if definition.occasion != Occasion::Purchase {
                return Err(Error::field("occasion", Flaw::NotAChoice).into());
            }
            let (id, now) = (SimulationId::new(), tx.now());
            on!(tx, |c| sqlx::query(REPLACE)
                .bind(rule)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            on!(tx, |c| sqlx::query(ENTER)
                .bind(id)
                .bind(rule)
                .bind(version)
                .bind(Json(&definition))
                .bind(i64::from(months))
                .bind(by.id())
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            on!(tx, |c| sqlx::query(FORGET)
                .bind(rule)
                .bind(KEPT)
                .execute(c)
                .await
                .map(drop))?;
            by.record(tx, "rule.simulate", None, Some(rule.0), "").await?;
            Ok(id)
        })
    })
    .await
}

/// Stops a simulation; the node that runs it notices at the end of its batch. [`Error::Stale`] where it has ended.
pub async fn cancel(db: &Db, by: &Staff, id: SimulationId) -> Result<(), Error> {
    const SQL: &str = "UPDATE simulations SET state = 'cancelled', finished_at = $2, claimed_by = NULL, \
                       claimed_until = NULL WHERE id = $1 AND state IN ('waiting', 'running') RETURNING rule_id";
    const KNOWN: &str = "SELECT rule_id FROM simulations WHERE id = $1";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let cancelled: Option<RuleId> = on!(tx, |c| sqlx::query_scalar(SQL)
                .bind(id)
                .bind(now)
                .fetch_optional(c)
                .await)?;
            let Some(rule) = cancelled else {
                let known: Option<RuleId> = on!(tx, |c| sqlx::query_scalar(KNOWN).bind(id).fetch_optional(c).await)?;
                return Err(if known.is_some() { Error::Stale } else { Error::NotFound });
            };
            Ok(by.record(tx, "rule.simulate_cancel", None, Some(rule.0), "").await?)
        })
    })
    .await
}

#[derive(sqlx::FromRow)]
struct Row {
    id: SimulationId,
    rule_id: RuleId,
    version: i64,
    definition: Json<Rule>,
    months: i64,
    asked_by: String,
    state: State,
    done: i64,
    total: i64,
    result: Option<Json<Report>>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl Row {
    fn told(self, shop: &Shop) -> Simulation {
        let months = u32::try_from(self.months).unwrap_or_default();
        let (from, until) = span(shop, self.created_at, months);
        Simulation {
            id: self.id,
            rule: RuleVersion {
                id: self.rule_id,
                version: self.version,
            },
            definition: self.definition.0,
            months,
            from,
            until,
            asked_by: self.asked_by,
            state: self.state,
            done: self.done,
            total: self.total,
            result: self.result.map(|json| json.0),
            started_at: self.started_at,
            finished_at: self.finished_at,
        }
    }
}

macro_rules! simulations {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.rule_id, s.version, s.definition, s.months, a.name AS asked_by, s.state, s.done, s.total, \
             s.result, s.created_at, s.started_at, s.finished_at FROM simulations s JOIN staff a ON a.id = s.asked_by ",
            $rest
        )
    };
}

/// One simulation. Fails with [`Error::NotFound`].
pub async fn show(conn: &mut Conn, by: &Staff, id: SimulationId) -> Result<Simulation, Error> {
    const SQL: &str = simulations!("WHERE s.id = $1");
    by.may(Right::Rules)?;
    let row: Option<Row> = on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
    Ok(row.ok_or(Error::NotFound)?.told(conn.shop()))
}

/// The newest simulations of a rule, the newest first; at most [`KEPT`] are there.
pub async fn list(conn: &mut Conn, by: &Staff, rule: RuleId, limit: i64) -> Result<Vec<Simulation>, Error> {
    const SQL: &str = simulations!("WHERE s.rule_id = $1 ORDER BY s.created_at DESC, s.id DESC LIMIT $2");
    by.may(Right::Rules)?;
    let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL).bind(rule).bind(limit).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|row| row.told(conn.shop())).collect())
}

/// The newest simulation of a rule, if there is any.
pub async fn latest(conn: &mut Conn, by: &Staff, rule: RuleId) -> Result<Option<Simulation>, Error> {
    Ok(list(conn, by, rule, 1).await?.pop())
}

const CLAIMS: Claims = claims!(
    "simulations",
    "created_at",
    "started_at = $1, done = 0, total = 0, ",
    "id, rule_id, version, definition, months, created_at"
);

#[derive(sqlx::FromRow)]
struct ClaimedRow {
    id: SimulationId,
    rule_id: RuleId,
    version: i64,
    /// Read by the node that runs it: what it cannot read must not keep it from what else waits.
    definition: Json<serde_json::Value>,
    months: i64,
    created_at: DateTime<Utc>,
}

/// A simulation in the hands of one node. Where it is dropped, another node takes it once the claim has run out.
pub struct Run {
    id: SimulationId,
    claim: String,
    batch: usize,
    walk: Walk,
    done: i64,
    total: i64,
}

/// Takes the simulation that waits longest, if any does, to look at `batch` purchases at a time.
pub async fn claim(db: &Db, _by: &System, batch: usize) -> Result<Option<Run>, Error> {
    const TOTAL: &str = "SELECT COUNT(*) FROM purchases WHERE kind = 'sale' AND at >= $1 AND at < $2";
    let claimed: Option<(ClaimedRow, String)> = work::claim(db, &CLAIMS, HOLD).await?;
    let Some((row, claim)) = claimed else { return Ok(None) };
    let rule: Rule = serde_json::from_value(row.definition.0)
        .map_err(|e| db::Error::Inconsistent(format!("rule {} of a simulation: {e}", row.rule_id)))?;
    let by = RuleVersion {
        id: row.rule_id,
        version: row.version,
    };
    let mut conn = db.read().await?;
    let months = u32::try_from(row.months).unwrap_or_default();
    let (from, until) = span(conn.shop(), row.created_at, months);
    let total: i64 = on!(conn, |c| sqlx::query_scalar(TOTAL)
        .bind(from)
        .bind(until)
        .fetch_one(c)
        .await)?;
    Ok(Some(Run {
        id: row.id,
        claim,
        batch,
        walk: Walk::begin(&mut conn, Published { by, rule }, from, until).await?,
        done: 0,
        total,
    }))
}

impl Run {
    /// Looks at the next purchases and writes down how far it is, or the result after the last of them. True while there are
    /// more; false as well where somebody cancelled it, or where another node has it.
    pub async fn step(&mut self, db: &Db) -> Result<bool, Error> {
        let mut conn = db.read().await?;
        let seen = self.walk.step(&mut conn, self.batch).await?;
        drop(conn);
        self.done += i64::try_from(seen).unwrap_or(i64::MAX);
        let goes_on = seen == self.batch;
        let run = &*self;
        let is_ours = db
            .write(|tx| {
                scoped(async move {
                    Ok::<_, Error>(if goes_on {
                        run.save(tx).await?
                    } else {
                        run.finish(tx).await?
                    })
                })
            })
            .await?;
        Ok(goes_on && is_ours)
    }

    async fn save(&self, tx: &mut Tx) -> Result<bool, sqlx::Error> {
        const SQL: &str = concat!(
            "UPDATE simulations SET done = $3, total = $4, claimed_until = $5 WHERE ",
            is_ours!()
        );
        let until = tx.now() + HOLD;
        on!(tx, |c| sqlx::query(SQL)
            .bind(self.id)
            .bind(&self.claim)
            .bind(self.done)
            .bind(self.total.max(self.done))
            .bind(until)
            .execute(c)
            .await
            .map(|done| done.rows_affected() == 1))
    }

    async fn finish(&self, tx: &mut Tx) -> Result<bool, sqlx::Error> {
        const SQL: &str = concat!(
            "UPDATE simulations SET state = 'done', done = $3, total = $3, result = $4, finished_at = $5, ",
            let_go!(),
            " WHERE ",
            is_ours!()
        );
        let now = tx.now();
        on!(tx, |c| sqlx::query(SQL)
            .bind(self.id)
            .bind(&self.claim)
            .bind(self.done)
            .bind(Json(self.walk.report()))
            .bind(now)
            .execute(c)
            .await
            .map(|done| done.rows_affected() == 1))
    }

    /// Gives it back, for any node to begin it anew: this one stops.
    pub async fn give_back(self, db: &Db) -> Result<(), Error> {
        const SQL: &str = concat!(
            "UPDATE simulations SET state = 'waiting', done = 0, total = 0, tries = tries - 1, ",
            let_go!(),
            " WHERE ",
            is_ours!()
        );
        work::give_back(db, SQL, self.id.0, &self.claim).await
    }
}

/// Runs the simulation that waits longest to its end, and tells whether there was one. Where `goes_on` says no between two
/// batches, it is given back. What fails is begun again, by any node, once the claim has run out.
pub async fn run_next(db: &Db, by: &System, goes_on: impl Fn() -> bool) -> Result<bool, Error> {
    let Some(mut run) = claim(db, by, BATCH).await? else {
        return Ok(false);
    };
    while run.step(db).await? {
        if !goes_on() {
            run.give_back(db).await?;
            break;
        }
    }
    Ok(true)
}
