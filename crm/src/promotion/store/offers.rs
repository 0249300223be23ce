//! Promotions as one customer is offered them: whether each holds for them, why not, and how far they are. The rules that carry
//! a promotion out answer, as far as they ask who somebody is; what is to be bought for it, its conditions say in words.

use super::super::Promotion;
use super::running;
use crate::db::Conn;
use crate::error::Error;
use crate::id::{ProgramId, RuleId};
use crate::lang::Localized;
use crate::quote::failed;
use crate::rule::explain::{Failure, Found};
use crate::rule::store::{asking, names_of, timeline};
use crate::rule::tier::{self, Measure, Standing, Tiers};
use crate::rule::{Condition, Decision, Range, Verdict, Window, words};
use crate::who::Subject;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// A promotion that holds now, and how it stands with a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The promotion.
    pub promotion: Promotion,
    /// How it stands with it.
    pub stand: Stand,
}

/// How it stands with a promotion and a customer. By the first of its rules that is for them, or else the one that is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It holds for them.
    Holds,
    /// Something is missing that they can do, or that comes of itself while the promotion holds.
    Near {
        /// What.
        why: Localized,
        /// How far they are, where something is counted.
        progress: Option<Progress>,
    },
    /// It is for others.
    Beyond {
        /// For whom; none: no rule of it counts just now.
        why: Option<Localized>,
    },
}

/// How far somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is counted: purchases, or what was paid, in minor units.
    pub measure: Measure,
    /// How much there is.
    pub done: i64,
    /// How much is needed.
    pub of: i64,
}

impl Stand {
    fn rank(&self) -> u8 {
        match self {
            Self::Holds => 0,
            Self::Near { .. } => 1,
            Self::Beyond { .. } => 2,
        }
    }
}

/// The promotions that hold now: first those that hold for this customer, then those within reach, then the others; among each
/// the one that ends first at the head.
pub async fn of(conn: &mut Conn, me: Subject) -> Result<Vec<Offer>, Error> {
    let (now, shop) = (conn.now(), conn.shop().clone());
    let (today, zone) = (shop.day(now), shop.zone());
    let promotions = running(conn, now).await?;
    let linked: BTreeSet<RuleId> = promotions.iter().flat_map(|one| one.rules.iter().copied()).collect();
    let timeline = timeline(conn).await?;
    let (rules, decisions) = asking::for_whom(conn, &timeline, me, &linked).await?;
    let conditions: Vec<&Condition> = decisions.iter().filter_map(|one| failed(&rules, one)).collect();
    let names = names_of(conn, &conditions, words::NAMED).await?;
    let standings = standings(conn, me, &conditions).await?;
    let stand = |decision: &Decision, ends_at: DateTime<Utc>| {
        let Verdict::Failed(failure) = decision.verdict else {
            return Stand::Holds;
        };
        let Some(published) = rules.get(decision.by) else {
            return Stand::Beyond { why: None };
        };
        let why = words::to_customer(&rules, &published.rule, &failure, &names, &zone);
        let last = shop.day(ends_at - Duration::microseconds(1));
        let near = match (failure, failed(&rules, decision)) {
            (Failure::Condition { found, .. }, Some(condition)) => near(condition, found, (today, last), &standings),
            (Failure::NotYet(from), _) if from < ends_at => Some(None),
            _ => None,
        };
        match near {
            Some(progress) => Stand::Near { why, progress },
            None => Stand::Beyond { why: Some(why) },
        }
    };
    let offer = |promotion: Promotion| {
        let mine = decisions.iter().filter(|one| promotion.rules.contains(&one.by.id));
        let best = mine.map(|one| stand(one, promotion.ends_at)).min_by_key(Stand::rank);
        let stand = match best {
            Some(stand) => stand,
            None if promotion.rules.is_empty() => Stand::Holds,
            None => Stand::Beyond { why: None },
        };
        Offer { promotion, stand }
    };
    let mut offers: Vec<Offer> = promotions.into_iter().map(offer).collect();
    offers.sort_by_key(|offer| offer.stand.rank());
    Ok(offers)
}

/// Where a customer stands among the tiers that conditions ask about.
async fn standings(
    conn: &mut Conn,
    me: Subject,
    conditions: &[&Condition],
) -> Result<BTreeMap<ProgramId, (Tiers, Standing)>, Error> {
    let mut standings = BTreeMap::new();
    for condition in conditions {
        if let Condition::Tier { program, .. } = condition
            && let Some(standing) = tier::store::standing(conn, me, *program).await?
        {
            standings.insert(*program, standing);
        }
    }
    Ok(standings)
}

/// Whether a condition that does not hold is within reach from the first of these days to the last, and how far somebody is
/// where it counts something. None: it is not.
fn near(
    condition: &Condition,
    found: Found,
    (today, last): (NaiveDate, NaiveDate),
    standings: &BTreeMap<ProgramId, (Tiers, Standing)>,
) -> Option<Option<Progress>> {
    let days = (last - today).num_days();
    let short = |measure, range: &Range| match (range.at_least, found) {
        (Some(of), Found::Number(done)) if done < of => Some(Some(Progress { measure, done, of })),
        _ => None,
    };
    let is_over = |window: &Window| matches!(window, Window::Between { to, .. } if *to < today);
    match condition {
        Condition::PurchaseCount { window, count } if !is_over(window) => short(Measure::Count, count),
        Condition::PurchaseSum { window, sum } if !is_over(window) => short(Measure::Sum, sum),
        Condition::Tier { program, tiers: wanted } => {
            let Some((tiers, standing)) = standings.get(program) else {
                // No member: who joins begins to be counted.
                return Some(None);
            };
            let wanted = tiers.tiers.iter().filter(|tier| wanted.contains(&tier.id));
            let of = wanted.map(|tier| tier.threshold).min()?;
            let done = standing.counted.max(0);
            (done < of).then_some(Some(Progress {
                measure: tiers.measure,
                done,
                of,
            }))
        }
        Condition::Member(_) => Some(None),
        Condition::Tenure(range) => match (range.at_least, found) {
            (Some(of), Found::Number(n)) if n < of && of - n <= days => Some(None),
            _ => None,
        },
        Condition::Birthday { before, .. } => match found {
            Found::Birthday { until, .. } if i64::from(until) - i64::from(*before) <= days => Some(None),
            _ => None,
        },
        _ => None,
    }
}
