//! What a customer would get for what they think of buying, how it is best paid, and whether another day or another way to
//! pay would bring more. Nothing is kept, and nothing is promised: the till asks anew.

use super::{Quote, earns, told};
use crate::article::store as articles;
use crate::coupon::{Coupon, State, store as coupons};
use crate::db::{self, Bind, Conn, Db, ListQuery};
use crate::error::Error;
use crate::id::{ArticleId, PromotionId, PurchaseId, StoreId};
use crate::lang::Localized;
use crate::on;
use crate::points::store as points;
use crate::promotion::Promotion;
use crate::promotion::store::offers::{self, Stand};
use crate::purchase::{self, Way};
use crate::rule::store::asking::{self, Answer, Deal};
use crate::rule::store::{Timeline, timeline};
use crate::rule::{Channel, Line, Outcome, Payment, Rules};
use crate::shop::moment_in;
use crate::stores::store as stores;
use crate::who::Subject;
use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use chrono_tz::Tz;
use std::collections::BTreeSet;

/// The most lines of a plan that name an article; a sum may stand beside them.
pub const LINES_MAX: usize = 20;
/// So many of the customer's own coupons are tried, those that end first.
const COUPONS_MAX: usize = 5;
/// So many days after the planned one are looked at.
const AHEAD: u64 = 7;
/// Points that would expire within this time after the purchase are as good as lost unless they pay.
pub const SOON: Duration = Duration::days(30);

/// What somebody thinks of buying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// When.
    pub at: DateTime<Utc>,
    /// Where, if that is known.
    pub store: Option<StoreId>,
    /// How it will be paid, if that is known; points are no such way.
    pub payment: Option<Payment>,
    /// What.
    pub items: Vec<Item>,
}

/// A line of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The article; none: just something at this price, which no rule knows more of.
    pub article: Option<ArticleId>,
    /// How many.
    pub quantity: i64,
    /// The price of one, in minor units.
    pub price: i64,
}

/// What a plan would bring. Money is in minor units, points are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// As a till would quote it where no points pay.
    pub quote: Quote,
    /// Where points would be earned: from when they could be spent, and until when; program by program.
    pub earned: Vec<Earned>,
    /// How it may be paid, the best first. Money alone is always among them.
    pub payments: Vec<Paying>,
    /// What would bring more; the most first.
    pub better: Vec<Better>,
    /// Offers that would bring more once they are switched on; the most first.
    pub offers: Vec<Suggested>,
    /// Coupons of the customer's own that would bring more where they are shown at the till, each alone; the most first.
    pub coupons: Vec<Useful>,
}

/// A coupon that would bring more for a plan. Money is in minor units, points are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Useful {
    /// What it is for.
    pub name: Localized,
    /// How much more would be taken off.
    pub discount: i64,
    /// How much more would be earned.
    pub earns: i64,
    /// The names of what would be handed over besides.
    pub gifts: Vec<String>,
}

/// An offer that is not switched on, and that would bring more for a plan. Money is in minor units, points are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggested {
    /// What records call it.
    pub code: String,
    /// What it gives, in a line.
    pub title: Localized,
    /// How much more would be taken off.
    pub discount: i64,
    /// How much more would be earned.
    pub earns: i64,
}

/// Points that a plan would earn in a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earned {
    /// The program's name.
    pub name: Localized,
    /// How many, in hundredths.
    pub points: i64,
    /// From when on they could be spent.
    pub active_from: DateTime<Utc>,
    /// When they would expire.
    pub expires_at: DateTime<Utc>,
}

/// A way to pay for a plan, with what it brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paying {
    /// Whose points pay; none: money alone.
    pub program: Option<Localized>,
    /// How many points pay.
    pub points: i64,
    /// Of them: what would have expired within [`SOON`].
    pub expiring: i64,
    /// What is left to pay in money.
    pub money: i64,
    /// What is earned then, in all programs together.
    pub earns: i64,
}

impl Paying {
    /// What it costs in truth: the money and the points that are gone, less those that would have been lost anyway and those
    /// that are earned. A point is worth a unit of money.
    pub fn cost(&self) -> i64 {
        self.money + self.points - self.expiring - self.earns
    }
}

/// What could be done otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Buy on another day, at the same time of day.
    Day(NaiveDate),
    /// Pay in another way.
    Payment(Payment),
}

/// Something that would bring more than the plan does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Better {
    /// What.
    pub change: Change,
    /// What rules would take off then.
    pub discount: i64,
    /// What it would earn then, in all programs together.
    pub earns: i64,
}

/// An article that somebody may think of buying.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Found {
    /// Its id.
    pub id: ArticleId,
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// What one cost last, in minor units; none where it was never sold.
    pub price: Option<i64>,
}

/// What an article cost when it was sold last, as it was booked.
const FOUND: &str = "SELECT a.id, a.code, a.name, (SELECT l.price FROM purchase_lines l WHERE l.article_id = a.id \
                     AND l.quantity > 0 ORDER BY l.id DESC LIMIT 1) AS price FROM articles a";

/// Articles whose name or code holds a text, in the order of the alphabet; `limit` at most.
pub async fn find(conn: &mut Conn, _by: Subject, text: &str, limit: i64) -> Result<Vec<Found>, Error> {
    // No text holds the character that PostgreSQL takes in none.
    let text = crate::lang::fold(&text.replace('\0', ""));
    let text = db::like(text.trim());
    let part = format!("%{text}%");
    let query = ListQuery::new(FOUND)
        .filter(
            "a.search LIKE ? ESCAPE '\\' OR LOWER(a.code) LIKE ? ESCAPE '\\'",
            [Bind::Text(part.clone()), Bind::Text(part)],
        )
        .tail("ORDER BY a.search, a.code")
        .limit(limit);
    Ok(db::list(conn, query).await?)
}

/// Articles by their codes; what is not known is left out.
pub async fn by_codes(conn: &mut Conn, _by: Subject, codes: &BTreeSet<&str>) -> Result<Vec<Found>, Error> {
    let codes = codes.iter().map(|code| Bind::Text((*code).replace('\0', "")));
    Ok(db::list(conn, ListQuery::new(FOUND).within("a.code", codes)).await?)
}

/// The articles of a customer's receipt with how many were bought, in its order. Fails with [`Error::NotFound`] where it is
/// not theirs.
pub async fn of_receipt(conn: &mut Conn, of: Subject, id: PurchaseId) -> Result<Vec<(Found, i64)>, Error> {
    const LINES: &str = "SELECT l.article_id, l.quantity FROM purchase_lines l JOIN purchases p ON p.id = l.purchase_id \
                         WHERE p.id = $1 AND p.customer_id = $2 AND l.quantity > 0 ORDER BY l.ordinal";
    let lines: Vec<(ArticleId, i64)> = on!(conn, |c| sqlx::query_as(LINES)
        .bind(id)
        .bind(of.id())
        .fetch_all(c)
        .await)?;
    if lines.is_empty() {
        return Err(Error::NotFound);
    }
    let ids: BTreeSet<ArticleId> = lines.iter().map(|(article, _)| *article).collect();
    let query = ListQuery::new(FOUND).within("a.id", ids.iter().map(|id| Bind::Id(id.0)));
    let found: Vec<Found> = db::list(conn, query).await?;
    let mut bought: Vec<(Found, i64)> = Vec::new();
    for (article, quantity) in lines {
        if let Some((_, sum)) = bought.iter_mut().find(|(one, _)| one.id == article) {
            *sum += quantity;
        } else if let Some(one) = found.iter().find(|one| one.id == article) {
            bought.push((one.clone(), quantity));
        }
    }
    Ok(bought)
}

/// Tells what a plan would bring. Lines beyond [`LINES_MAX`] and a sum, and such as cost more than a receipt may hold, are left
/// out: pages tell of them before.
pub async fn forecast(db: &Db, me: Subject, plan: &Plan) -> Result<Forecast, Error> {
    points::bring_up_to_date(db, me).await?;
    let mut conn = db.read().await?;
    let timeline = timeline(&mut conn).await?;
    let deal = Deal {
        purchase: PurchaseId(uuid::Uuid::max()),
        at: plan.at,
        customer: Some(me.id()),
        member: points::member_of(&mut conn, &timeline, me, plan.at).await?,
        store: plan.store,
        way: Way {
            channel: Some(Channel::Till),
            payments: plan.payment.into_iter().collect(),
        },
        coupons: Vec::new(),
        lines: lines(&mut conn, &plan.items).await?,
        points_used: 0,
    };
    let zone = stores::zone_of(&mut conn, plan.store).await?;
    let (changes, mut deals) = changes(zone, plan, &deal);
    deals.insert(0, deal);
    let answers = asking::quote(&mut conn, &timeline, &deals).await?;
    let (Some(deal), Some(((rules, planned), others))) = (deals.first(), answers.split_first()) else {
        return Err(Error::NotFound);
    };
    let quote = Quote {
        earns: earns(&mut conn, &deal.member, planned).await?,
        ..told(&mut conn, rules, planned).await?
    };
    let gain = |answer: &Answer| (answer.1.total.discount, answer.1.total.points);
    let (discount, points) = (planned.total.discount, planned.total.points);
    let better = changes.into_iter().zip(others).map(|(change, answer)| {
        let (discount, earns) = gain(answer);
        Better {
            change,
            discount,
            earns,
        }
    });
    let mut better: Vec<Better> = better
        .filter(|other| other.discount + other.earns > discount + points)
        .collect();
    better.sort_by_key(|other| -(other.discount + other.earns));
    let offers = suggested(&mut conn, &timeline, me, deal, planned).await?;
    let coupons = useful(&mut conn, &timeline, me, deal, (rules, planned)).await?;
    let names = points::names(&mut conn, &deal.member.iter().copied().collect()).await?;
    let earned = planned
        .points
        .iter()
        .filter(|(_, points)| *points > 0)
        .filter_map(|(program, points)| {
            let (active_from, expires_at) = timeline.programs().life(*program, plan.at)?;
            Some(Earned {
                name: names.get(program)?.1.clone(),
                points: *points,
                active_from,
                expires_at,
            })
        });
    Ok(Forecast {
        earned: earned.collect(),
        payments: payments(&mut conn, &timeline, me, deal, planned).await?,
        quote,
        better,
        offers,
        coupons,
    })
}

/// The offers that are not switched on, and what each would bring more than is planned.
async fn suggested(
    conn: &mut Conn,
    timeline: &Timeline,
    me: Subject,
    deal: &Deal,
    planned: &Outcome,
) -> Result<Vec<Suggested>, Error> {
    let off = offers::of(conn, me).await?.into_iter();
    let off = off.filter(|offer| offer.stand == Stand::Off && offer.promotion.ends_at > deal.at);
    let off: Vec<Promotion> = off.map(|offer| offer.promotion).collect();
    let ids: Vec<PromotionId> = off.iter().map(|promotion| promotion.id).collect();
    let outcomes = asking::quote_with(conn, timeline, deal, &ids).await?;
    let suggested = off.into_iter().zip(outcomes).map(|(promotion, outcome)| Suggested {
        code: promotion.code,
        title: promotion.title,
        discount: outcome.total.discount - planned.total.discount,
        earns: outcome.total.points - planned.total.points,
    });
    let mut suggested: Vec<Suggested> = suggested.filter(|one| one.discount + one.earns > 0).collect();
    suggested.sort_by_key(|one| -(one.discount + one.earns));
    Ok(suggested)
}

/// The customer's coupons that are good then and that rules ask for, and what each would bring more than is planned. Of several
/// of a series the first that ends is enough.
async fn useful(
    conn: &mut Conn,
    timeline: &Timeline,
    me: Subject,
    deal: &Deal,
    (rules, planned): (&Rules, &Outcome),
) -> Result<Vec<Useful>, Error> {
    let asked = rules.published().iter();
    let asked: BTreeSet<&str> = asked.flat_map(|published| published.rule.asked_series()).collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let mut tried: Vec<Coupon> = Vec::new();
    for coupon in coupons::of(conn, me).await? {
        let is_good = coupon.state(deal.at) == State::Active && asked.contains(coupon.series.as_str());
        let is_new = tried.iter().all(|one| one.series != coupon.series);
        if is_good && is_new && tried.len() < COUPONS_MAX {
            tried.push(coupon);
        }
    }
    let with_coupon = |coupon: &Coupon| Deal {
        coupons: vec![coupon.series.clone()],
        ..deal.clone()
    };
    let deals: Vec<Deal> = tried.iter().map(with_coupon).collect();
    let answers = asking::quote(conn, timeline, &deals).await?;
    let before = told(conn, rules, planned).await?.gifts;
    let mut useful = Vec::new();
    for (coupon, (rules, outcome)) in tried.into_iter().zip(answers) {
        let gifts = told(conn, &rules, &outcome).await?.gifts.into_iter();
        let gifts = gifts.filter(|gift| !before.contains(gift)).map(|(_, name, _)| name);
        let one = Useful {
            name: coupon.name,
            discount: outcome.total.discount - planned.total.discount,
            earns: outcome.total.points - planned.total.points,
            gifts: gifts.collect(),
        };
        if one.discount + one.earns > 0 || !one.gifts.is_empty() {
            useful.push(one);
        }
    }
    useful.sort_by_key(|one| -(one.discount + one.earns));
    Ok(useful)
}

/// The lines as rules see them.
async fn lines(conn: &mut Conn, items: &[Item]) -> Result<Vec<Line>, Error> {
    let unpayable = articles::unpayable(conn, items.iter().filter_map(|item| item.article)).await?;
    let line = |item: &Item| {
        purchase::amount(item.quantity, item.price, 0)?;
        let article = item.article.unwrap_or(ArticleId(uuid::Uuid::nil()));
        Some(Line {
            article,
            categories: Vec::new(),
            brand: None,
            quantity: item.quantity,
            price: item.price,
            discount: 0,
            payable: !unpayable.contains(&article),
            taken: None,
        })
    };
    Ok(items.iter().take(LINES_MAX + 1).filter_map(line).collect())
}

/// What else could be done, and the deals that it would be. Days are those of the shop.
fn changes(zone: Tz, plan: &Plan, deal: &Deal) -> (Vec<Change>, Vec<Deal>) {
    let local = plan.at.with_timezone(&zone).naive_local();
    let days = (1..=AHEAD).filter_map(|n| {
        let day = local.date().checked_add_days(Days::new(n))?;
        let deal = Deal {
            at: moment_in(zone, day.and_time(local.time())),
            ..deal.clone()
        };
        Some((Change::Day(day), deal))
    });
    let ways = Payment::ALL.into_iter().filter(|way| plan.payment != Some(*way));
    let ways = ways.map(|way| {
        let deal = Deal {
            way: Way {
                payments: vec![way],
                ..deal.way.clone()
            },
            ..deal.clone()
        };
        (Change::Payment(way), deal)
    });
    days.chain(ways).unzip()
}

/// How it may be paid, the best first: by money alone, and of each program by as many points as may pay, or by those alone
/// that would expire soon.
async fn payments(
    conn: &mut Conn,
    timeline: &Timeline,
    me: Subject,
    deal: &Deal,
    planned: &Outcome,
) -> Result<Vec<Paying>, Error> {
    let payable = deal.lines.iter().zip(&planned.lines).filter(|(line, _)| line.payable);
    let costs: i64 = payable.map(|(_, sums)| sums.paid).sum();
    let policy = conn.shop().points.clone();
    let spendable = points::spendable(conn, me, deal.at, deal.at + SOON).await?;
    let names = points::names(conn, &spendable.iter().map(|held| held.program).collect()).await?;
    let open = spendable
        .iter()
        .filter(|held| timeline.programs().is_open(held.program, deal.at));
    let mut ways = Vec::new();
    for held in open {
        let Some((_, name)) = names.get(&held.program) else {
            continue;
        };
        let most = policy.most_payable(costs, held.points);
        let soon = policy.most_payable(costs, held.expiring);
        for points in BTreeSet::from([most, soon]) {
            if points > 0 {
                ways.push((name.clone(), points, points.min(held.expiring)));
            }
        }
    }
    let with_points = |(_, points, _): &(Localized, i64, i64)| Deal {
        points_used: *points,
        ..deal.clone()
    };
    let deals: Vec<Deal> = ways.iter().map(with_points).collect();
    let answers = asking::quote(conn, timeline, &deals).await?;
    let alone = Paying {
        program: None,
        points: 0,
        expiring: 0,
        money: planned.total.paid,
        earns: planned.total.points,
    };
    let paying = ways
        .into_iter()
        .zip(answers)
        .map(|((name, points, expiring), (_, outcome))| Paying {
            program: Some(name),
            points,
            expiring,
            money: outcome.total.paid,
            earns: outcome.total.points,
        });
    let mut all: Vec<Paying> = std::iter::once(alone).chain(paying).collect();
    all.sort_by_key(|way| (way.cost(), way.points));
    Ok(all)
}
