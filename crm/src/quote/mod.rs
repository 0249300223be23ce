//! What a basket is worth to whoever buys it. A till asks before it is paid ([`crate::till::receipt::quote`]), a customer long
//! before ([`what_if`]) and long after ([`why`]): each time the rules that book receipts are asked, and answer alike.

pub mod what_if;
pub mod why;

use crate::article::store as articles;
use crate::coupon::Presented;
use crate::db::Conn;
use crate::id::{ArticleId, ProgramId};
use crate::lang::Localized;
use crate::points::store as points;
use crate::rule::explain::Failure;
use crate::rule::{self, Condition, Effect, Given, Outcome, Place, RuleVersion, Rules, Verdict, words};
use crate::till::receipt::Points;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// What a basket is worth to whoever buys it. Money is in minor units, points are hundredths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// What it costs, less what rules take off.
    pub total: i64,
    /// What rules take off.
    pub discount: i64,
    /// Each line, in the order of the basket.
    pub lines: Vec<QuotedLine>,
    /// What it would earn now.
    pub earns: Vec<Points>,
    /// How many points may pay for it, of one program.
    pub payable: Option<Payable>,
    /// What became of each rule, in the order in which they were asked.
    pub rules: Vec<QuotedRule>,
    /// What to say.
    pub messages: Vec<(Place, Localized)>,
    /// What to hand over: code, name, how many.
    pub gifts: Vec<(String, String, i64)>,
    /// Coupons for the next time, by their series.
    pub coupons: Vec<String>,
    /// The coupons that were sent, and what would become of each.
    pub presented: Vec<Presented>,
}

/// What a line of a basket is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotedLine {
    /// What rules take off, beside the till's own discount: the `rule_discount` of the receipt, where the till takes it off.
    pub discount: i64,
    /// What it costs then.
    pub total: i64,
    /// The points that it would earn, in all programs together.
    pub points: i64,
    /// Which rules take off how much.
    pub discounts: Vec<(RuleVersion, i64)>,
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotedRule {
    /// Which.
    pub by: RuleVersion,
    /// What it is called.
    pub name: Localized,
    /// What it takes off.
    pub discount: i64,
    /// The points that it gives.
    pub points: i64,
    /// The first reason why it does not apply; none where it does.
    pub reason: Option<Reason>,
}

/// Why a rule does not apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// In figures.
    pub failure: Failure,
    /// The condition that does not hold, by its JSON pointer in the rule.
    pub pointer: Option<String>,
    /// In words.
    pub words: Localized,
}

/// How many points may pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payable {
    /// The program's code.
    pub program: String,
    /// How many the customer could spend in all.
    pub available: i64,
    /// The most that may pay here.
    pub most: i64,
    /// The least.
    pub least: i64,
    /// In steps of so many.
    pub step: i64,
    /// Until when none may pay, because the customer's main phone number changes or just has.
    pub frozen_until: Option<DateTime<Utc>>,
}

/// The condition that kept a rule from applying, where one did.
pub(crate) fn failed<'a>(rules: &'a Rules, decision: &rule::Decision) -> Option<&'a Condition> {
    let Verdict::Failed(Failure::Condition { clause, .. }) = decision.verdict else {
        return None;
    };
    let published = rules.get(decision.by).filter(|published| !published.is_share())?;
    published.rule.clause(clause).map(|clause| clause.condition)
}

/// What rules answered, with names and words. Neither what is earned program by program nor what points may pay is in it.
pub(crate) async fn told(conn: &mut Conn, rules: &Rules, outcome: &Outcome) -> Result<Quote, sqlx::Error> {
    let zone = conn.shop().zone();
    let gifts: BTreeSet<ArticleId> = outcome
        .grants
        .iter()
        .filter_map(|grant| match grant.given {
            Given::Gift { article, .. } => Some(article),
            _ => None,
        })
        .collect();
    let names = articles::names(conn, &gifts).await?;
    let conditions: Vec<&Condition> = outcome
        .decisions
        .iter()
        .filter_map(|decision| failed(rules, decision))
        .collect();
    let named = rule::store::names_of(conn, &conditions, words::NAMED).await?;
    let line = |sums: &rule::Sums| QuotedLine {
        discount: sums.discount,
        total: sums.paid,
        points: sums.points,
        discounts: Vec::new(),
    };
    let rule = |decision: &rule::Decision| {
        let published = rules.get(decision.by).filter(|published| !published.is_share())?;
        let reason = |failure: Failure| Reason {
            failure,
            pointer: match failure {
                Failure::Condition { clause, .. } => published.rule.clause(clause).map(|clause| clause.pointer),
                _ => None,
            },
            words: words::reason(rules, &published.rule, &failure, &named, &zone),
        };
        Some(QuotedRule {
            by: decision.by,
            name: published.rule.name.clone(),
            discount: 0,
            points: 0,
            reason: match decision.verdict {
                Verdict::Applied { .. } => None,
                Verdict::Failed(failure) => Some(reason(failure)),
            },
        })
    };
    let mut quote = Quote {
        total: outcome.total.paid,
        discount: outcome.total.discount,
        lines: outcome.lines.iter().map(line).collect(),
        rules: outcome.decisions.iter().filter_map(rule).collect(),
        ..Quote::default()
    };
    for grant in &outcome.grants {
        let effect = rules
            .get(grant.by)
            .and_then(|published| published.rule.effects.get(usize::from(grant.effect)));
        let rule = quote.rules.iter_mut().find(|rule| rule.by == grant.by);
        match (grant.given, effect) {
            (Given::Discount(off), _) => {
                if let Some(rule) = rule {
                    rule.discount += off;
                }
                let line = grant.line.and_then(|place| quote.lines.get_mut(place as usize));
                let Some(line) = line else { continue };
                match line.discounts.iter_mut().find(|(by, _)| *by == grant.by) {
                    Some((_, sum)) => *sum += off,
                    None => line.discounts.push((grant.by, off)),
                }
            }
            (Given::Points { points, .. }, _) => {
                if let Some(rule) = rule {
                    rule.points += points;
                }
            }
            (Given::Gift { article, quantity }, _) => {
                if let Some((code, name)) = names.get(&article).cloned() {
                    quote.gifts.push((code, name, quantity));
                }
            }
            (Given::Coupon, Some(Effect::Coupon { series })) => quote.coupons.push(series.clone()),
            (Given::Message, Some(Effect::Message { to, text })) => quote.messages.push((*to, text.clone())),
            (Given::Coupon | Given::Message, _) => {}
        }
    }
    Ok(quote)
}

/// What a basket would earn in each program of which the customer is a member.
pub(crate) async fn earns(
    conn: &mut Conn,
    member: &[ProgramId],
    outcome: &Outcome,
) -> Result<Vec<Points>, sqlx::Error> {
    let names = points::names(conn, &member.iter().copied().collect()).await?;
    let earned = |program: &ProgramId| {
        outcome
            .points
            .iter()
            .find(|(known, _)| known == program)
            .map_or(0, |(_, n)| *n)
    };
    let points = |program: &ProgramId| {
        let (code, name) = names.get(program)?.clone();
        Some(Points {
            program: code,
            name,
            points: earned(program),
        })
    };
    Ok(member.iter().filter_map(points).collect())
}
