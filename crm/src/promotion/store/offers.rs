//! Promotions as one customer is offered them: whether each holds for them, why not, and how far they are. The rules that carry
//! a promotion out answer, as far as they ask who somebody is; what is to be bought for it, its conditions say in words.

use super::super::Promotion;
use super::unended;
use crate::db::{self, Bind, Conn, Db, ListQuery, scoped};
use crate::error::Error;
use crate::id::{ProgramId, PromotionId, RuleId};
use crate::lang::Localized;
use crate::on;
use crate::points::Before;
use crate::quote::failed;
use crate::rule::explain::{Capped, Failure, Found};
use crate::rule::store::{Timeline, asking, timeline};
use crate::rule::tier::{self, Measure, Standing, Tiers};
use crate::rule::{Condition, Decision, Range, Verdict, Window, words};
use crate::who::{Customer, Subject};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A promotion that holds now, and how it stands with a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The promotion.
    pub promotion: Promotion,
    /// How it stands with it.
    pub stand: Stand,
    /// Where it holds for them, or would once they switch it on: why, as far as it is not for everybody.
    pub because: Vec<Localized>,
    /// When the customer switched it on.
    pub activated_at: Option<DateTime<Utc>>,
}

/// How it stands with a promotion and a customer. By the first of its rules that is for them, or else the one that is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It holds for them.
    Holds,
    /// It holds for them once they switch it on.
    Off,
    /// Something is missing that they can do, or that comes of itself while the promotion holds.
    Near {
        /// What.
        why: Localized,
        /// How far they are, where something is counted.
        progress: Option<Progress>,
    },
    /// They have used it as often, or as much, as it may be.
    Used {
        /// When they did last; none where what they used is no longer known.
        at: Option<DateTime<Utc>>,
        /// It is so much a day, and may be used again tomorrow.
        is_for_today: bool,
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
    /// It holds for them, or does once they switch it on.
    pub const fn holds_or_would(&self) -> bool {
        matches!(self, Self::Holds | Self::Off)
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Holds => 0,
            Self::Off => 1,
            Self::Near { .. } => 2,
            Self::Used { .. } => 3,
            Self::Beyond { .. } => 4,
        }
    }
}

/// The promotions that hold now: first those that hold for this customer, then those within reach, then those that they have used
/// up, then the others; among each
/// the one that ends first at the head.
pub async fn of(conn: &mut Conn, me: Subject) -> Result<Vec<Offer>, Error> {
    let now = conn.now();
    let timeline = timeline(conn).await?;
    let unended = unended(conn, &timeline).await?;
    asked(conn, &timeline, me, unended.running(now).cloned().collect()).await
}

/// Those that hold for this customer, would once they switch them on, or are within reach, the one that ends first at the head: at
/// least `limit` of them where there are so many. The others are asked about only where one of the first `limit` does not hold.
pub async fn ending(conn: &mut Conn, me: Subject, limit: usize) -> Result<Vec<Offer>, Error> {
    let now = conn.now();
    let timeline = timeline(conn).await?;
    let unended = unended(conn, &timeline).await?;
    let first = unended.running(now).take(limit).cloned().collect();
    let mut offers = asked(conn, &timeline, me, first).await?;
    if !offers.iter().all(|one| one.stand.holds_or_would()) {
        let others = unended.running(now).skip(limit).cloned().collect();
        offers.extend(asked(conn, &timeline, me, others).await?);
        offers.retain(|one| one.stand.holds_or_would() || matches!(one.stand, Stand::Near { .. }));
    }
    offers.sort_by_key(|one| (one.promotion.ends_at, one.promotion.id));
    Ok(offers)
}

async fn asked(
    conn: &mut Conn,
    timeline: &Timeline,
    me: Subject,
    promotions: Vec<Promotion>,
) -> Result<Vec<Offer>, Error> {
    let (now, shop) = (conn.now(), conn.shop().clone());
    let (today, zone) = (shop.day(now), shop.zone());
    let linked: BTreeSet<RuleId> = promotions.iter().flat_map(|one| one.rules.iter().copied()).collect();
    let for_whom = asking::stripped(conn, timeline, &linked).await?;
    let (rules, names) = (&for_whom.rules, &for_whom.names);
    // What nobody has to switch on, and no rule carries out, is for everybody.
    let switched = match promotions.iter().any(|one| one.must_activate) || rules.asks().activated {
        true => activations(conn, me).await?,
        false => Vec::new(),
    };
    let decisions = asking::for_whom(conn, timeline, me, &for_whom, &switched).await?;
    let activated: BTreeMap<PromotionId, DateTime<Utc>> = switched.into_iter().collect();
    let conditions: Vec<&Condition> = decisions.iter().filter_map(|one| failed(rules, one)).collect();
    let standings = standings(conn, me, &conditions).await?;
    let used = uses(conn, me, &decisions).await?;
    let stand = |decision: &Decision, promotion: &Promotion| {
        let Verdict::Failed(failure) = decision.verdict else {
            return Stand::Holds;
        };
        let Some(published) = rules.get(decision.by) else {
            return Stand::Beyond { why: None };
        };
        if let Some(is_for_today) = used_up(&failure) {
            let at = used.get(&decision.by.id).copied();
            return Stand::Used { at, is_for_today };
        }
        let why = words::to_customer(rules, &published.rule, &failure, names, &zone);
        let ends_at = promotion.ends_at;
        let last = shop.day(ends_at - Duration::microseconds(1));
        let near = match (failure, failed(rules, decision)) {
            (_, Some(Condition::Activated(ids))) if promotion.must_activate && ids.contains(&promotion.id) => {
                return Stand::Off;
            }
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
        let best = mine
            .map(|one| (stand(one, &promotion), one.by))
            .min_by_key(|(stand, _)| stand.rank());
        let activated_at = activated.get(&promotion.id).copied();
        let is_off = promotion.must_activate && activated_at.is_none();
        let by = best.as_ref().and_then(|(_, by)| rules.get(*by));
        let stand = match best.map(|(stand, _)| stand) {
            // No rule asks for it, or there is none.
            Some(Stand::Holds) if is_off => Stand::Off,
            None if is_off && promotion.rules.is_empty() => Stand::Off,
            Some(stand) => stand,
            None if promotion.rules.is_empty() => Stand::Holds,
            None => Stand::Beyond { why: None },
        };
        let because = match (&stand, by) {
            (Stand::Holds | Stand::Off, Some(published)) => words::because(&published.rule, names),
            _ => Vec::new(),
        };
        Offer {
            promotion,
            stand,
            because,
            activated_at,
        }
    };
    let mut offers: Vec<Offer> = promotions.into_iter().map(offer).collect();
    offers.sort_by_key(|offer| offer.stand.rank());
    Ok(offers)
}

/// Whether a rule failed because the customer has used it up, and whether for today alone.
fn used_up(failure: &Failure) -> Option<bool> {
    match failure {
        Failure::UsedUp { what, .. } => match what {
            Capped::DayValue | Capped::DayTimes => Some(true),
            Capped::CustomerValue | Capped::CustomerTimes => Some(false),
            Capped::BudgetValue | Capped::BudgetTimes => None,
        },
        _ => None,
    }
}

/// When a customer was last given something by each of the rules that they have used up.
async fn uses(
    conn: &mut Conn,
    me: Subject,
    decisions: &[Decision],
) -> Result<BTreeMap<RuleId, DateTime<Utc>>, sqlx::Error> {
    const SELECT: &str = "SELECT g.rule_id, MAX(g.at) FROM grants g";
    let is_used = |one: &&Decision| matches!(&one.verdict, Verdict::Failed(failure) if used_up(failure).is_some());
    let rules: BTreeSet<RuleId> = decisions.iter().filter(is_used).map(|one| one.by.id).collect();
    if rules.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = ListQuery::new(SELECT)
        .filter("g.customer_id = ?", [Bind::Id(me.id().0)])
        .within("g.rule_id", rules.iter().map(|id| Bind::Id(id.0)))
        .tail("GROUP BY g.rule_id");
    let rows: Vec<(RuleId, DateTime<Utc>)> = db::list(conn, query).await?;
    Ok(rows.into_iter().collect())
}

/// A promotion that is over, and what the rules that carried it out gave this customer while it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// Its id.
    pub id: PromotionId,
    /// What it gave, in a line.
    pub title: Localized,
    /// The first moment it held no more.
    pub ended_at: DateTime<Utc>,
    /// It named rules: what it brought can be told.
    pub is_counted: bool,
    /// What they took off, in minor units.
    pub discount: i64,
    /// The points that they gave, in hundredths. What was taken back for returns is among them.
    pub points: i64,
}

#[derive(sqlx::FromRow)]
struct OverRow {
    id: PromotionId,
    #[sqlx(json)]
    title: Localized,
    ends_at: DateTime<Utc>,
    rules: i64,
    discount: i64,
    points: i64,
}

/// The promotions that are over, the last one first, with what each brought a customer: `limit` of them after a place in the list.
pub async fn over(conn: &mut Conn, me: Subject, before: Option<Before>, limit: i64) -> Result<Vec<Over>, Error> {
    const SQL: &str = "SELECT p.id, p.title, p.ends_at, \
        (SELECT COUNT(*) FROM promotion_rules r WHERE r.promotion_id = p.id) AS rules, \
        CAST(COALESCE(SUM(CASE WHEN g.kind = 'discount' THEN g.amount ELSE 0 END), 0) AS BIGINT) AS discount, \
        CAST(COALESCE(SUM(CASE WHEN g.kind = 'points' THEN g.amount ELSE 0 END), 0) AS BIGINT) AS points \
        FROM promotions p LEFT JOIN promotion_rules l ON l.promotion_id = p.id \
        LEFT JOIN grants g ON g.rule_id = l.rule_id AND g.customer_id = $1 AND g.at >= p.starts_at AND g.at < p.ends_at \
        WHERE p.stage = 'published' AND p.ends_at <= $2 AND (p.ends_at, p.id) < ($3, $4) \
        GROUP BY p.id, p.title, p.ends_at ORDER BY p.ends_at DESC, p.id DESC LIMIT $5";
    let now = conn.now();
    // What ends at this very moment is over.
    let (at, id) = before.unwrap_or((now + Duration::microseconds(1), Uuid::nil()));
    let rows: Vec<OverRow> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(me.id())
        .bind(now)
        .bind(at)
        .bind(id)
        .bind(limit)
        .fetch_all(c)
        .await)?;
    let over = |row: OverRow| Over {
        id: row.id,
        title: row.title,
        ended_at: row.ends_at,
        is_counted: row.rules > 0,
        discount: row.discount,
        points: row.points,
    };
    Ok(rows.into_iter().map(over).collect())
}

/// What a customer switched on, and when.
async fn activations(conn: &mut Conn, me: Subject) -> Result<Vec<(PromotionId, DateTime<Utc>)>, sqlx::Error> {
    const SQL: &str = "SELECT promotion_id, at FROM activations WHERE customer_id = $1";
    on!(conn, |c| sqlx::query_as(SQL).bind(me.id()).fetch_all(c).await)
}

/// Switches a promotion on by its code: what the customer buys from now on counts for it. Once more changes nothing.
/// [`Error::NotFound`] where it does not hold now, or needs no switching.
pub async fn activate(db: &Db, by: &Customer, code: &str) -> Result<(), Error> {
    const KNOWN: &str = "SELECT id FROM promotions WHERE code = $1 AND must_activate AND stage = 'published' \
                         AND starts_at <= $2 AND ends_at > $2";
    const PUT: &str =
        "INSERT INTO activations (customer_id, promotion_id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let known: Option<PromotionId> = on!(tx, |c| sqlx::query_scalar(KNOWN)
                .bind(code)
                .bind(now)
                .fetch_optional(c)
                .await)?;
            let id = known.ok_or(Error::NotFound)?;
            let rows = on!(tx, |c| sqlx::query(PUT)
                .bind(by.id())
                .bind(id)
                .bind(now)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows > 0 {
                by.record(tx, "promotion.activate", Some(id.0)).await?;
            }
            Ok(())
        })
    })
    .await
}

/// Where a customer stands among tiers, if conditions ask.
async fn standings(
    conn: &mut Conn,
    me: Subject,
    conditions: &[&Condition],
) -> Result<BTreeMap<ProgramId, (Tiers, Standing)>, Error> {
    if !conditions.iter().any(|one| matches!(one, Condition::Tier { .. })) {
        return Ok(BTreeMap::new());
    }
    let all = tier::store::standings(conn, me).await?;
    let each = all
        .into_iter()
        .map(|(program, tiers, standing)| (program, (tiers, standing)));
    Ok(each.collect())
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
