//! Which rewards a customer may expect, and why one did not come. The rules are asked as they are when they give something
//! (`rewarding`), about the moment at which the customer's turn came lately, or comes next.

use super::names_of;
use super::rewarding::{Desk, Event, is_given};
use super::timeline::{Timeline, timeline};
use crate::db::Conn;
use crate::error::Error;
use crate::id::{CustomerId, ProgramId};
use crate::invite::store::{self as invitations, Standing};
use crate::lang::Localized;
use crate::on;
use crate::rule::explain::Failure;
use crate::rule::{
    Buyer, Condition, Effect, Facts, Occasion, Outcome, Published, Rule, RuleVersion, Rules, Verdict, words,
};
use crate::who::Subject;
use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use std::collections::BTreeSet;
use std::sync::Arc;

/// For how many days it is told that a reward did not come.
const LATELY: u64 = 60;
/// How many days a turn is looked for: each birthday comes in a year, and so does each year with the club.
const AHEAD: usize = 367;

/// A reward that counts now, as it stands with a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// The rule.
    pub by: RuleVersion,
    /// What it is called.
    pub name: Localized,
    /// What it is for.
    pub occasion: Occasion,
    /// Whether it gives points, which stand in the statement.
    pub has_points: bool,
    /// The first moment it holds no more.
    pub until: Option<DateTime<Utc>>,
    /// When it came last.
    pub came: Option<DateTime<Utc>>,
    /// What is to be expected of it from now on, if anything is.
    pub ahead: Option<Ahead>,
}

/// What is to be expected of a reward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// It comes once the customer has done what it is for.
    Act,
    /// It comes when one of so many friends buys for the first time.
    Friends(i64),
    /// It comes on this day.
    On(NaiveDate),
    /// It came as often as it may in a month; from this day on it comes again.
    Closed(NaiveDate),
    /// It does not come, or did not on a day.
    Not {
        /// On which day it was the customer's turn.
        day: Option<NaiveDate>,
        /// The first thing that keeps it from coming.
        why: Localized,
    },
}

/// What was found of a rule, before it is put into words.
enum Found {
    Ahead(Ahead),
    Failed(Option<NaiveDate>, Failure),
}

/// How the rewards that count now stand with a customer, those of programs that they are no member of left out. Whom a rule of
/// a segment is for is nobody else's to know.
pub async fn of(conn: &mut Conn, of: Subject) -> Result<Vec<Awaited>, Error> {
    const REGISTERED: &str = "SELECT registered_at FROM customers WHERE id = $1";
    let timeline = timeline(conn).await?;
    let now = conn.now();
    let occasions = Occasion::ALL
        .into_iter()
        .filter(|occasion| *occasion != Occasion::Purchase);
    let asked: Vec<(Occasion, Arc<Rules>)> = occasions
        .filter_map(|occasion| Some((occasion, timeline.on(occasion, now)?)))
        .collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let today = conn.shop().day(now);
    let since = today.checked_sub_days(Days::new(LATELY)).unwrap_or(today);
    let all: Vec<Arc<Rules>> = asked.iter().map(|(_, rules)| rules.clone()).collect();
    let desk = Desk::load(conn, &all, since, &BTreeSet::from([of.id()])).await?;
    let friends = invitations::standing(conn, of).await?;
    let registered: DateTime<Utc> = on!(conn, |c| sqlx::query_scalar(REGISTERED)
        .bind(of.id())
        .fetch_one(c)
        .await)?;

    let mut found: Vec<(Awaited, &Rules, &Published, Option<Found>)> = Vec::new();
    for (occasion, rules) in &asked {
        let rules: &Rules = rules;
        let asking = Asking {
            conn,
            timeline: &timeline,
            desk: &desk,
            rules,
            occasion: *occasion,
            customer: of.id(),
            registered: conn.shop().day(registered),
            since,
            today,
        };
        let Some(buyer) = asking.answer(now).0.buyer else {
            continue;
        };
        for published in rules.published() {
            let rule = &published.rule;
            if !rule.valid.holds(now) || is_elsewhere(rule, &buyer) {
                continue;
            }
            let given = desk.given(of.id()).iter().filter(|past| past.rule == published.by.id);
            let came = given.map(|past| past.at).max();
            let ahead = match occasion {
                Occasion::Purchase => None,
                Occasion::Registration | Occasion::Profile | Occasion::Questionnaire if came.is_some() => None,
                Occasion::Registration => asking.registration(published, registered),
                Occasion::Profile | Occasion::Questionnaire => Some(asking.act(published)),
                Occasion::Referral => Some(asking.referral(published, &friends)),
                Occasion::Day => asking.turn(published, &buyer),
            };
            let is_secret = matches!(ahead, Some(Found::Failed(..))) && !rule.named_segments().is_empty();
            let ahead = ahead.filter(|_| !is_secret);
            if came.is_none() && ahead.is_none() {
                continue;
            }
            let awaited = Awaited {
                by: published.by,
                name: rule.name.clone(),
                occasion: *occasion,
                has_points: rule.effects.iter().any(|effect| effect.program().is_some()),
                until: rule.valid.until,
                came,
                ahead: None,
            };
            found.push((awaited, rules, published, ahead));
        }
    }

    let failed: Vec<&Condition> = found
        .iter()
        .filter_map(|(_, _, published, found)| match found {
            Some(Found::Failed(_, Failure::Condition { clause, .. })) => {
                published.rule.clause(*clause).map(|clause| clause.condition)
            }
            _ => None,
        })
        .collect();
    let names = names_of(conn, &failed, words::NAMED).await?;
    let zone = conn.shop().zone();
    let told = found.into_iter().map(|(awaited, rules, published, found)| {
        let ahead = found.map(|found| match found {
            Found::Ahead(ahead) => ahead,
            Found::Failed(day, failure) => {
                let why = words::to_customer(rules, &published.rule, &failure, &names, &zone);
                Ahead::Not { day, why }
            }
        });
        Awaited { ahead, ..awaited }
    });
    Ok(told.collect())
}

/// Whether a rule gives nothing but points of programs that the customer is no member of.
fn is_elsewhere(rule: &Rule, buyer: &Buyer) -> bool {
    let is_member = |program: ProgramId| buyer.memberships.iter().any(|one| one.program == program);
    let mut programs = rule.effects.iter().map(Effect::program);
    programs.all(|program| program.is_some_and(|program| !is_member(program)))
}

/// The rules of an occasion, asked about a customer.
struct Asking<'a> {
    conn: &'a Conn,
    timeline: &'a Timeline,
    desk: &'a Desk,
    rules: &'a Rules,
    occasion: Occasion,
    customer: CustomerId,
    /// The day of the registration.
    registered: NaiveDate,
    since: NaiveDate,
    today: NaiveDate,
}

impl Asking<'_> {
    fn answer(&self, at: DateTime<Utc>) -> (Facts, Outcome) {
        let event = Event {
            occasion: self.occasion,
            at,
            purchase: None,
        };
        let desk = self.desk;
        desk.answer(self.rules, self.conn, self.timeline, event, self.customer)
    }

    /// Why a rule gives nothing at a moment; none where it gives something.
    fn failure(&self, by: RuleVersion, at: DateTime<Utc>) -> Option<Failure> {
        let (_, outcome) = self.answer(at);
        let decision = outcome.decisions.iter().find(|decision| decision.by == by)?;
        match decision.verdict {
            Verdict::Failed(failure) => Some(failure),
            Verdict::Applied { .. } => None,
        }
    }

    /// The same of a moment that is over, where this version of the rule counted by then.
    fn failed(&self, by: RuleVersion, at: DateTime<Utc>) -> Option<Failure> {
        self.timeline.on(self.occasion, at)?.get(by)?;
        self.failure(by, at)
    }

    /// What the customer does by themselves.
    fn act(&self, published: &Published) -> Found {
        match self.failure(published.by, self.conn.now()) {
            Some(failure) => Found::Failed(None, failure),
            None => Found::Ahead(Ahead::Act),
        }
    }

    /// A registration is over: only why it brought nothing is told, and not for ever.
    fn registration(&self, published: &Published, at: DateTime<Utc>) -> Option<Found> {
        let failure = self
            .failed(published.by, at)
            .filter(|_| self.registered >= self.since)?;
        Some(Found::Failed(Some(self.registered), failure))
    }

    fn referral(&self, published: &Published, friends: &Standing) -> Found {
        if let Some(day) = friends.closed_until {
            return Found::Ahead(Ahead::Closed(day));
        }
        let bought = friends.unrewarded.map(|at| (self.conn.shop().day(at), at));
        let bought = bought.filter(|(day, _)| *day >= self.since);
        if let Some((day, failure)) = bought.and_then(|(day, at)| Some((day, self.failed(published.by, at)?))) {
            return Found::Failed(Some(day), failure);
        }
        match self.act(published) {
            Found::Ahead(Ahead::Act) if friends.waiting > 0 => Found::Ahead(Ahead::Friends(friends.waiting)),
            other => other,
        }
    }

    /// What a day brings: the last turn that brought nothing, unless it is the customer's turn today, or the next one.
    fn turn(&self, published: &Published, buyer: &Buyer) -> Option<Found> {
        let (by, turn) = (published.by, published.rule.turn()?);
        let past = self.desk.given(self.customer);
        let is_turn = |day: &NaiveDate| {
            let mut periods = turn.periods(buyer, *day).into_iter();
            periods.any(|period| !is_given(past, published, &period))
        };
        let next: Vec<NaiveDate> = self.today.iter_days().take(AHEAD).filter(is_turn).collect();
        if next.first() != Some(&self.today) {
            let days = self.since.iter_days().take_while(|day| *day < self.today);
            let last = days.filter(|day| *day >= self.registered && is_turn(day)).last();
            let missed = last.and_then(|day| Some((day, self.failed(by, self.end_of(day))?)));
            if let Some((day, failure)) = missed {
                return Some(Found::Failed(Some(day), failure));
            }
        }
        // The days of one birthday follow each other.
        let run = next
            .chunk_by(|a, b| a.succ_opt() == Some(*b))
            .next()
            .unwrap_or_default();
        if let Some(day) = run.iter().find(|day| self.failure(by, self.end_of(**day)).is_none()) {
            return Some(Found::Ahead(Ahead::On(*day)));
        }
        let at = run.first().map_or(self.conn.now(), |day| self.end_of(*day));
        self.failure(by, at).map(|failure| Found::Failed(None, failure))
    }

    /// The last moment of a day; today: now.
    fn end_of(&self, day: NaiveDate) -> DateTime<Utc> {
        let next = day.succ_opt().unwrap_or(day);
        match day == self.today {
            true => self.conn.now(),
            false => self.conn.shop().midnight(next) - Duration::microseconds(1),
        }
    }
}
