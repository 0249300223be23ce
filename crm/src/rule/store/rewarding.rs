//! Rules are asked on another occasion than a purchase: somebody registered, told everything about themselves, brought a
//! friend, or a day came. What they give is a reward: each rule gives it once for a period, and of the rules of a group one.
//!
//! | occasion | period |
//! |---|---|
//! | registration, profile, questionnaire | once and for all |
//! | referral | the first purchase of each friend |
//! | day | the year of the birthday, or the year with the club ([`Turn`](crate::rule::Turn)) |
//!
//! The customer is locked before it is looked what was given, and the table holds each period once: whoever asks late, twice
//! or from several processes at once gives the same.

use super::asking::{Budgets, Deal, Known, Wanted, lock, series_given};
use super::timeline::{Timeline, timeline};
use crate::consent::Aim;
use crate::coupon::store::{self as coupons, Issue};
use crate::db::{self, Bind, Conn, ListQuery, Rows, Tx};
use crate::error::Error;
use crate::id::{CustomerId, GrantId, ProgramId, PurchaseId, RewardId, RuleId};
use crate::lang::Localized;
use crate::merge;
use crate::notification;
use crate::outbox::promotion;
use crate::points::store::rewards::{self, Earning};
use crate::points::store::{LIST, Stays};
use crate::purchase::Way;
use crate::rule::{
    Basket, Decision, Effect, Facts, Given, Grant, Occasion, Outcome, Place, Published, Rules, Usage, Verdict, evaluate,
};
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// What rules are asked about.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    pub(crate) occasion: Occasion,
    pub(crate) at: DateTime<Utc>,
    /// The first purchase of the friend who was invited.
    pub(crate) purchase: Option<PurchaseId>,
}

/// What a rule gave before.
pub(super) struct Past {
    pub(super) rule: RuleId,
    group: Option<String>,
    period: String,
    pub(super) at: DateTime<Utc>,
}

/// Whether a rule, or another one of its group, gave something for a period.
pub(super) fn is_given(past: &[Past], published: &Published, period: &str) -> bool {
    let group = &published.rule.group;
    past.iter()
        .filter(|past| past.period == period)
        .any(|past| past.rule == published.by.id || (group.is_some() && past.group == *group))
}

/// What a rule gives to a customer now.
struct Due<'r> {
    published: &'r Published,
    period: String,
    grants: Vec<Grant>,
}

/// What has to be known of some customers.
pub(super) struct Desk {
    known: Known,
    stays: Stays,
    given: HashMap<CustomerId, Vec<Past>>,
}

impl Desk {
    /// What all of these rules ask about customers, from a day on.
    pub(super) async fn load(
        conn: &mut Conn,
        rules: &[Arc<Rules>],
        day: NaiveDate,
        customers: &BTreeSet<CustomerId>,
    ) -> Result<Self, sqlx::Error> {
        type Row = (CustomerId, RuleId, Option<String>, String, DateTime<Utc>);
        const GIVEN: &str = "SELECT customer_id, rule_id, rule_group, period, at FROM rewards";
        let mut wanted = Wanted::default();
        wanted.customers.extend(customers);
        for rules in rules {
            wanted.add(rules, day);
        }
        let known = Known::load(conn, &wanted).await?;
        let stays = Stays::load(conn, customers).await?;
        let mut given: HashMap<CustomerId, Vec<Past>> = HashMap::new();
        let all: Vec<CustomerId> = customers.iter().copied().collect();
        for part in all.chunks(LIST) {
            // What an account was given before it was merged is not given again.
            let heirs = merge::heirs(conn, part).await?;
            let whose = part.iter().chain(heirs.keys()).map(|id| Bind::Id(id.0));
            let query = ListQuery::new(GIVEN).within("customer_id", whose);
            for (customer, rule, group, period, at) in db::list::<Row>(conn, query).await? {
                let customer = heirs.get(&customer).copied().unwrap_or(customer);
                let past = Past {
                    rule,
                    group,
                    period,
                    at,
                };
                given.entry(customer).or_default().push(past);
            }
        }
        Ok(Self { known, stays, given })
    }

    /// What a customer was given before.
    pub(super) fn given(&self, customer: CustomerId) -> &[Past] {
        self.given.get(&customer).map_or(&[][..], Vec::as_slice)
    }

    /// What rules answer about a customer, and by what they know.
    pub(super) fn answer(
        &self,
        rules: &Rules,
        conn: &Conn,
        timeline: &Timeline,
        event: Event,
        customer: CustomerId,
    ) -> (Facts, Outcome) {
        let deal = Deal {
            // Later than every other purchase: all of them were made before.
            purchase: PurchaseId(Uuid::max()),
            at: event.at,
            customer: Some(customer),
            member: self.stays.of(timeline.programs(), Some(customer), event.at, event.at),
            store: None,
            way: Way::default(),
            coupons: Vec::new(),
            lines: Vec::new(),
            points_used: 0,
        };
        let facts = Facts {
            occasion: event.occasion,
            ..self.known.facts(timeline, rules, &deal, conn)
        };
        let outcome = evaluate(rules, &Basket::default(), &facts, event.at, &conn.shop().zone());
        (facts, outcome)
    }

    /// What a customer is due.
    fn ask<'r>(
        &self,
        rules: &'r Rules,
        conn: &Conn,
        timeline: &Timeline,
        event: Event,
        customer: CustomerId,
    ) -> Vec<Due<'r>> {
        let (facts, outcome) = self.answer(rules, conn, timeline, event, customer);
        let day = conn.shop().day(event.at);
        let given = self.given(customer);
        let applied = |decision: &&Decision| matches!(decision.verdict, Verdict::Applied { .. });
        let due = outcome.decisions.iter().filter(applied).filter_map(|decision| {
            let published = rules.get(decision.by)?;
            let rule = &published.rule;
            let periods = match (event.occasion, event.purchase) {
                (Occasion::Day, _) => rule.turn()?.periods(facts.buyer.as_ref()?, day),
                (_, Some(purchase)) => vec![purchase.to_string()],
                (occasion, None) => vec![occasion.as_str().to_owned()],
            };
            let period = periods.into_iter().find(|period| !is_given(given, published, period))?;
            let theirs = outcome.grants.iter().filter(|grant| grant.by == decision.by);
            Some(Due {
                published,
                period,
                grants: theirs.copied().collect(),
            })
        });
        due.filter(|due| !due.grants.is_empty()).collect()
    }
}

/// Which of these customers are due something. Nothing is kept.
pub(super) async fn who_is_due(
    conn: &mut Conn,
    timeline: &Timeline,
    event: Event,
    customers: &BTreeSet<CustomerId>,
) -> Result<BTreeSet<CustomerId>, sqlx::Error> {
    let Some(rules) = timeline.on(event.occasion, event.at) else {
        return Ok(BTreeSet::new());
    };
    let day = conn.shop().day(event.at);
    let desk = Desk::load(conn, std::slice::from_ref(&rules), day, customers).await?;
    let is_due = |customer: &&CustomerId| !desk.ask(&rules, conn, timeline, event, **customer).is_empty();
    Ok(customers.iter().filter(is_due).copied().collect())
}

/// Asks the rules of an occasion about somebody, now.
pub(crate) async fn on(tx: &mut Tx, occasion: Occasion, customer: CustomerId) -> Result<(), sqlx::Error> {
    let timeline = timeline(tx).await?;
    let event = Event {
        occasion,
        at: tx.now(),
        purchase: None,
    };
    give(tx, &timeline, event, &BTreeSet::from([customer])).await.map(drop)
}

/// Asks the rules of an occasion about customers, books what they give, and tells who was given something.
pub(crate) async fn give(
    tx: &mut Tx,
    timeline: &Timeline,
    event: Event,
    customers: &BTreeSet<CustomerId>,
) -> Result<BTreeSet<CustomerId>, sqlx::Error> {
    let mut rewarded = BTreeSet::new();
    let Some(rules) = timeline.on(event.occasion, event.at) else {
        return Ok(rewarded);
    };
    lock(tx, customers).await?;
    let day = tx.shop().day(event.at);
    let mut desk = Desk::load(tx, std::slice::from_ref(&rules), day, customers).await?;
    let mut budgets = Budgets::default();
    let mut rows = Rows::new(
        "INSERT INTO rewards (id, customer_id, occasion, rule_id, version, rule_group, period, purchase_id, at)",
        "",
    );
    let mut grants = Rows::new(
        "INSERT INTO grants (id, reward_id, customer_id, rule_id, version, effect, kind, program_id, amount, day, at)",
        "",
    );
    let (mut earnings, mut letters, mut issues, mut told) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let kind_told = match event.occasion {
        Occasion::Referral => notification::Kind::Invitation,
        _ => notification::Kind::Reward,
    };
    for customer in customers {
        let due = loop {
            let due = desk.ask(&rules, tx, timeline, event, *customer);
            let limited = due.iter().filter(|due| !due.published.rule.caps.budget.is_open());
            let limited: BTreeSet<RuleId> = limited.map(|due| due.published.by.id).collect();
            if !budgets.lock(tx, &mut desk.known, &limited).await? {
                break due;
            }
        };
        for Due {
            published,
            period,
            grants: given,
        } in due
        {
            let (id, by) = (RewardId::new(), published.by);
            rewarded.insert(*customer);
            rows.push([
                Bind::Id(id.0),
                Bind::Id(customer.0),
                Bind::Word(event.occasion.as_str()),
                Bind::Id(by.id.0),
                Bind::Int(by.version),
                Bind::MaybeText(published.rule.group.clone()),
                Bind::Text(period),
                Bind::MaybeId(event.purchase.map(|id| id.0)),
                Bind::Time(event.at),
            ]);
            // A message tells by itself, when its reader wants to be written to.
            if notification::is_news(tx, event.at) && given.iter().any(|grant| grant.given != Given::Message) {
                let points = given.iter().map(|grant| match grant.given {
                    Given::Points { points, .. } => points,
                    _ => 0,
                });
                let points = points.fold(0, i64::saturating_add);
                told.push((
                    *customer,
                    id,
                    &published.rule.name,
                    Some(points).filter(|points| *points > 0),
                ));
            }
            let mut value = 0_i64;
            let mut points_in: BTreeMap<ProgramId, i64> = BTreeMap::new();
            for grant in given {
                let grant_id = GrantId::new();
                let (kind, program, amount) = match grant.given {
                    Given::Points { program, points } => {
                        let sum = points_in.entry(program).or_default();
                        *sum = sum.saturating_add(points);
                        value = value.saturating_add(points);
                        ("points", Some(program), points)
                    }
                    Given::Discount(amount) => ("discount", None, amount),
                    Given::Gift { quantity, .. } => ("gift", None, quantity),
                    Given::Coupon => {
                        issues.extend(series_given(&rules, &grant).map(|series| Issue {
                            series: series.to_owned(),
                            customer: *customer,
                            grant: grant_id,
                            at: event.at,
                        }));
                        ("coupon", None, 1)
                    }
                    Given::Message => {
                        letters.extend(letter(published, &grant).map(|text| (*customer, text)));
                        ("message", None, 1)
                    }
                };
                grants.push([
                    Bind::Id(grant_id.0),
                    Bind::Id(id.0),
                    Bind::Id(customer.0),
                    Bind::Id(by.id.0),
                    Bind::Int(by.version),
                    Bind::Int(grant.effect.into()),
                    Bind::Word(kind),
                    Bind::MaybeId(program.map(|id| id.0)),
                    Bind::Int(amount),
                    Bind::Day(day),
                    Bind::Time(event.at),
                ]);
            }
            earnings.extend(points_in.into_iter().map(|(program, points)| Earning {
                reward: id,
                customer: *customer,
                program,
                points,
                partner: published.rule.funded_by.clone(),
            }));
            let usage = Usage { value, times: 1 };
            desk.known.add(by.id, Some(*customer), day, usage);
            // It counts also while a version without the budget is in force.
            if timeline.has_budget(by.id) {
                let given = budgets.given.entry(by.id).or_default();
                *given = given.and(usage);
            }
        }
    }
    db::insert(tx, rows).await?;
    rewards::accrue(tx, timeline.programs(), event.at, earnings).await?;
    db::insert(tx, grants).await?;
    coupons::issue(tx, issues).await?;
    budgets.write(tx).await?;
    for (customer, text) in letters {
        tell(tx, customer, text).await?;
    }
    for (customer, id, name, points) in told {
        let new = notification::New {
            kind: kind_told,
            about: "",
            name: Some(name),
            points,
            transfer: None,
            key: format!("reward {id}"),
        };
        notification::put(tx, customer, new).await?;
    }
    Ok(rewarded)
}

/// What a rule says to the customer by a message.
fn letter<'r>(published: &'r Published, grant: &Grant) -> Option<&'r Localized> {
    match published.rule.effects.get(usize::from(grant.effect))? {
        Effect::Message {
            to: Place::Customer,
            text,
        } => Some(text),
        _ => None,
    }
}

/// Writes to a customer what a rule says, where they agreed to be told of gifts, and when they want to be.
async fn tell(tx: &mut Tx, customer: CustomerId, text: &Localized) -> Result<(), sqlx::Error> {
    match promotion::send(tx, customer, Aim::Marketing, "reward", &[("text", text)]).await {
        Ok(_) => Ok(()),
        Err(Error::Database(db::Error::Driver(e))) => Err(e),
        Err(e) => {
            tracing::error!(error = %e, "a reward is given, and nobody is told");
            Ok(())
        }
    }
}
