//! A walk through purchases of the past, in order of time. What is kept in memory on the way: one batch of purchases with
//! what is known of their customers, and a few numbers of each customer that the rule has reached.

use super::{Amounts, Figures, Month, Report, Stop, Stopped};
use crate::db::{self, Bind, Conn, ListQuery};
use crate::error::Error;
use crate::id::{ArticleId, CustomerId, LineId, PurchaseId, RuleId, StoreId};
use crate::on;
use crate::points::store::{LIST, Sold, Stays};
use crate::purchase::Way;
use crate::rule::explain::{Failure, Found};
use crate::rule::store::asking::{Deal, Known, Wanted};
use crate::rule::store::timeline::{Timeline, timeline};
use crate::rule::{Given, Line, Outcome, Published, RuleVersion, Rules, Usage, Used, Validity, Verdict, evaluate};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// After so many purchases others have their turn: each takes some ten microseconds.
const TURN: usize = 64;

/// The rules of a span between two changes, without the simulated one and with it.
struct Pair {
    without: Rules,
    with: Rules,
}

/// What the rule would have given a customer.
#[derive(Clone, Copy)]
struct Reached {
    /// The last day on which it did, and what on it.
    day: NaiveDate,
    today: Usage,
    ever: Usage,
}

/// A purchase of the past.
struct Past {
    deal: Deal,
    rules: Arc<Pair>,
    is_voided: bool,
    /// For what was bought, in minor units.
    paid: i64,
    /// What rules really gave for it.
    given: BTreeMap<RuleId, Usage>,
}

#[derive(sqlx::FromRow)]
struct PurchaseRow {
    id: PurchaseId,
    customer_id: Option<CustomerId>,
    at: DateTime<Utc>,
    claimed_at: Option<DateTime<Utc>>,
    store_id: Option<StoreId>,
    channel: Option<String>,
    payments: String,
    is_voided: bool,
}

/// A walk with what it has seen so far.
pub(super) struct Walk {
    rule: Published,
    timeline: Arc<Timeline>,
    until: DateTime<Utc>,
    /// The last purchase that was seen.
    last: (DateTime<Utc>, PurchaseId),
    /// The rules of the span that it is in.
    rules: Option<(usize, Arc<Pair>)>,
    /// What all rules had really given by then.
    budgets: HashMap<RuleId, Usage>,
    /// What the simulated one would have given, in all and to whom.
    used: Usage,
    customers: HashMap<CustomerId, Reached>,
    all: Figures,
    months: BTreeMap<NaiveDate, Figures>,
    stopped: Vec<Stopped>,
}

impl Walk {
    /// Before the first purchase.
    pub(super) async fn begin(
        conn: &mut Conn,
        mut rule: Published,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Self, Error> {
        const GIVEN: &str = "SELECT rule_id, \
            CAST(SUM(CASE WHEN kind IN ('discount', 'points') THEN amount ELSE 0 END) AS BIGINT), \
            COUNT(DISTINCT COALESCE(purchase_id, reward_id, id)) FROM grants WHERE at < $1 GROUP BY rule_id";
        // What is planned for next month shall be told by the months before.
        rule.rule.valid = Validity::default();
        let given: Vec<(RuleId, i64, i64)> = on!(conn, |c| sqlx::query_as(GIVEN).bind(from).fetch_all(c).await)?;
        Ok(Self {
            rule,
            timeline: timeline(conn).await?,
            until,
            last: (from, PurchaseId(Uuid::nil())),
            rules: None,
            budgets: given
                .into_iter()
                .map(|(id, value, times)| (id, Usage { value, times }))
                .collect(),
            used: Usage::default(),
            customers: HashMap::new(),
            all: Figures::default(),
            months: BTreeMap::new(),
            stopped: Vec::new(),
        })
    }

    /// Looks at the next purchases, `limit` at most, and tells how many there were.
    pub(super) async fn step(&mut self, conn: &mut Conn, limit: usize) -> Result<usize, Error> {
        let purchases = self.purchases(conn, limit).await?;
        let (Some(first), Some(last)) = (purchases.first(), purchases.last()) else {
            return Ok(0);
        };
        let mut wanted = Wanted::default();
        wanted.before = Some((first.deal.at, first.deal.purchase));
        self.last = (last.deal.at, last.deal.purchase);
        for Past { deal, rules, .. } in &purchases {
            wanted.add(&rules.with, conn.shop().day(deal.at));
            wanted.customers.extend(deal.customer);
            wanted.stores.extend(deal.store);
            wanted.purchases.insert(deal.purchase);
            wanted.articles.extend(deal.lines.iter().map(|line| line.article));
        }
        let mut known = Known::load(conn, &wanted).await?;
        known.budgets = std::mem::take(&mut self.budgets);
        for (place, past) in purchases.iter().enumerate() {
            if place % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
            // A sale of which nothing was bought asks no rule.
            if !past.is_voided && !past.deal.lines.is_empty() {
                self.look(past, &known, conn);
            }
            let day = conn.shop().day(past.deal.at);
            for (rule, more) in &past.given {
                known.add(*rule, past.deal.customer, day, *more);
            }
        }
        self.budgets = known.budgets;
        Ok(purchases.len())
    }

    /// The next purchases, in order of time.
    async fn purchases(&mut self, conn: &mut Conn, limit: usize) -> Result<Vec<Past>, Error> {
        const SALES: &str = "SELECT id, customer_id, at, claimed_at, store_id, channel, payments, \
            voided_at IS NOT NULL AS is_voided FROM purchases WHERE kind = 'sale' AND (at, id) > ($1, $2) AND at < $3 \
            ORDER BY at, id LIMIT $4";
        const LINES: &str = "SELECT purchase_id, id, article_id, quantity, price, discount FROM purchase_lines";
        const GIVEN: &str = "SELECT purchase_id, line_id, rule_id, kind, amount FROM grants";
        const PAID: &str = "SELECT l.purchase_id, CAST(SUM(w.points) AS BIGINT) FROM line_payments w \
            JOIN purchase_lines l ON l.id = w.line_id";
        type LineRow = (PurchaseId, LineId, ArticleId, i64, i64, i64);
        type GivenRow = (PurchaseId, Option<LineId>, RuleId, String, i64);
        let rows: Vec<PurchaseRow> = on!(conn, |c| sqlx::query_as(SALES)
            .bind(self.last.0)
            .bind(self.last.1)
            .bind(self.until)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(c)
            .await)?;
        let stays = Stays::load(conn, &rows.iter().filter_map(|row| row.customer_id).collect()).await?;
        let mut sold: HashMap<PurchaseId, Vec<Sold>> = HashMap::new();
        let mut given: HashMap<PurchaseId, BTreeMap<RuleId, Usage>> = HashMap::new();
        let mut points_used: HashMap<PurchaseId, i64> = HashMap::new();
        for part in rows.chunks(LIST) {
            let of = || part.iter().map(|row| Bind::Id(row.id.0));
            let mut taken: HashMap<LineId, i64> = HashMap::new();
            let query = ListQuery::new(GIVEN).within("purchase_id", of());
            for (purchase, line, rule, kind, amount) in db::list::<GivenRow>(conn, query).await? {
                let is_discount = kind == "discount";
                if let (Some(line), true) = (line, is_discount) {
                    *taken.entry(line).or_default() += amount;
                }
                let used = given.entry(purchase).or_default().entry(rule).or_default();
                let value = if is_discount || kind == "points" { amount } else { 0 };
                *used = Usage {
                    value: used.value.saturating_add(value),
                    times: 1,
                };
            }
            let query = ListQuery::new(LINES)
                .within("purchase_id", of())
                .filter("quantity > 0", [])
                .tail("ORDER BY purchase_id, ordinal");
            for (purchase, line, article, quantity, price, discount) in db::list::<LineRow>(conn, query).await? {
                sold.entry(purchase).or_default().push(Sold {
                    line,
                    article,
                    quantity,
                    price,
                    discount,
                    taken: taken.get(&line).copied().unwrap_or_default(),
                    payable: true,
                });
            }
            let query = ListQuery::new(PAID)
                .within("l.purchase_id", of())
                .tail("GROUP BY l.purchase_id");
            points_used.extend(db::list::<(PurchaseId, i64)>(conn, query).await?);
        }
        let past = |row: PurchaseRow| {
            let lines = sold.remove(&row.id).unwrap_or_default();
            let member_at = row.claimed_at.unwrap_or(row.at);
            Ok(Past {
                paid: lines.iter().map(Sold::paid).sum(),
                given: given.remove(&row.id).unwrap_or_default(),
                rules: self.rules(row.at)?,
                is_voided: row.is_voided,
                deal: Deal {
                    purchase: row.id,
                    at: row.at,
                    customer: row.customer_id,
                    member: stays.of(self.timeline.programs(), row.customer_id, member_at, row.at),
                    store: row.store_id,
                    way: Way::from_words(row.channel.as_deref(), &row.payments),
                    coupons: Vec::new(),
                    lines: lines.iter().map(unpaid).collect(),
                    points_used: points_used.get(&row.id).copied().unwrap_or_default(),
                },
            })
        };
        rows.into_iter().map(past).collect()
    }

    /// The rules of a moment. Purchases come in order of time, so only those of one span are kept.
    fn rules(&mut self, at: DateTime<Utc>) -> Result<Arc<Pair>, Error> {
        let span = self.timeline.span(at);
        if let Some((known, pair)) = &self.rules
            && *known == span
        {
            return Ok(pair.clone());
        }
        let mut published = self.timeline.published(at);
        published.retain(|other| other.by.id != self.rule.by.id);
        let unfit = |e: crate::rule::Unfit| db::Error::Inconsistent(e.to_string());
        let tree = self.timeline.categories();
        let without = Rules::prepare_within(tree, published.clone()).map_err(unfit)?;
        published.push(self.rule.clone());
        let with = Rules::prepare_within(tree, published).map_err(unfit)?;
        let pair = Arc::new(Pair { without, with });
        self.rules = Some((span, pair.clone()));
        Ok(pair)
    }

    /// What the rule would have given for a purchase, or what kept it from that.
    fn look(&mut self, past: &Past, known: &Known, conn: &Conn) {
        let Past { deal, rules, paid, .. } = past;
        let (shop, by) = (conn.shop(), self.rule.by);
        let (day, zone) = (shop.day(deal.at), known.zone(deal, conn));
        let mut facts = known.facts(&self.timeline, &rules.with, deal, conn);
        facts.used.insert(by.id, self.used_by(deal.customer, day));
        let basket = known.basket(deal);
        let with = evaluate(&rules.with, &basket, &facts, deal.at, &zone);
        let verdict = with.decisions.iter().find(|decision| decision.by == by);
        let Some(verdict) = verdict.map(|decision| decision.verdict) else {
            return;
        };

        let is_known = deal.customer.is_some();
        let mut seen = Figures {
            purchases: 1,
            ..figures(&with, by, is_known)
        };
        // One that was not asked to give changes nothing of what the others do.
        if matches!(verdict, Verdict::Applied { .. } | Verdict::Failed(Failure::Nothing)) {
            let without = evaluate(&rules.without, &basket, &facts, deal.at, &zone);
            seen.change = amounts(&with, is_known).less(&amounts(&without, is_known));
        }
        let month = day.with_day(1).unwrap_or(day);
        let mut customers = [0, 0];
        if seen.reached > 0 {
            seen.sales = *paid;
            let more = Usage {
                value: seen.given.value(),
                times: 1,
            };
            self.used = self.used.and(more);
            if let Some(customer) = deal.customer {
                customers = self.reach(customer, day, more);
            }
        } else {
            self.stop(match verdict {
                Verdict::Failed(failure) => stop(failure),
                // What it gives is for whoever claims the receipt, and nobody has.
                Verdict::Applied { .. } => Stop::Nobody,
            });
        }
        let sums = [&mut self.all, self.months.entry(month).or_default()];
        for (sums, customers) in sums.into_iter().zip(customers) {
            sums.add(&seen);
            sums.customers += customers;
        }
    }

    /// What the caps of the rule count on a day.
    fn used_by(&self, customer: Option<CustomerId>, day: NaiveDate) -> Used {
        let reached = customer.and_then(|customer| self.customers.get(&customer));
        Used {
            purchase: 0,
            day: reached
                .filter(|reached| reached.day == day)
                .map_or(Usage::default(), |reached| reached.today),
            customer: reached.map_or(Usage::default(), |reached| reached.ever),
            budget: self.used,
        }
    }

    /// Notes what a customer was given: how many customers that makes more, in all and in the month.
    fn reach(&mut self, customer: CustomerId, day: NaiveDate, more: Usage) -> [i64; 2] {
        let month = |day: NaiveDate| (day.year(), day.month());
        let before = self.customers.get(&customer).copied();
        let today = before
            .filter(|before| before.day == day)
            .map_or(more, |before| before.today.and(more));
        let ever = before.map_or(more, |before| before.ever.and(more));
        self.customers.insert(customer, Reached { day, today, ever });
        let is_new_here = before.is_none_or(|before| month(before.day) != month(day));
        [i64::from(before.is_none()), i64::from(is_new_here)]
    }

    fn stop(&mut self, by: Stop) {
        match self.stopped.iter_mut().find(|known| known.by == by) {
            Some(known) => known.purchases += 1,
            None => self.stopped.push(Stopped { by, purchases: 1 }),
        }
    }

    /// What it has seen so far.
    pub(super) fn report(&self) -> Report {
        let mut stopped = self.stopped.clone();
        stopped.sort_by_key(|one| std::cmp::Reverse(one.purchases));
        let month = |(first, figures): (&NaiveDate, &Figures)| Month {
            first: *first,
            figures: figures.clone(),
        };
        Report {
            all: self.all.clone(),
            months: self.months.iter().map(month).collect(),
            stopped,
        }
    }
}

/// A line as a till asks about it before it is paid: what rules really took off is on it again, and every rule takes off
/// what it would.
fn unpaid(sold: &Sold) -> Line {
    Line {
        taken: None,
        ..sold.line()
    }
}

/// Points are given to whoever is known; a discount is for everybody.
fn is_theirs(given: &Given, is_known: bool) -> bool {
    is_known || matches!(given, Given::Discount(_))
}

/// What a rule gives of an outcome.
fn figures(outcome: &Outcome, by: RuleVersion, is_known: bool) -> Figures {
    let mut figures = Figures::default();
    let grants = outcome.grants.iter().filter(|grant| grant.by == by);
    for grant in grants.filter(|grant| is_theirs(&grant.given, is_known)) {
        figures.reached = 1;
        match grant.given {
            Given::Gift { quantity, .. } => figures.gifts += quantity,
            Given::Coupon => figures.coupons += 1,
            Given::Message => {}
            given => figures.given.count(&given),
        }
    }
    figures
}

/// What all rules together give of an outcome.
fn amounts(outcome: &Outcome, is_known: bool) -> Amounts {
    let mut amounts = Amounts::default();
    for grant in &outcome.grants {
        if is_theirs(&grant.given, is_known) {
            amounts.count(&grant.given);
        }
    }
    amounts
}

fn stop(failure: Failure) -> Stop {
    match failure {
        Failure::Condition {
            clause,
            found: Found::Unknown,
        } => Stop::Unknown(clause),
        Failure::Condition { clause, .. } => Stop::Condition(clause),
        Failure::UsedUp { what, .. } => Stop::UsedUp(what),
        Failure::Group(by) => Stop::Group(by.id),
        Failure::Closed(by) => Stop::Closed(by.id),
        // The first three cannot be: it is a rule for purchases, and it holds all the time.
        Failure::Occasion(_) | Failure::NotYet(_) | Failure::Over(_) | Failure::Nothing => Stop::Nothing,
    }
}

impl Amounts {
    fn count(&mut self, given: &Given) {
        match *given {
            Given::Discount(amount) => self.discount = self.discount.saturating_add(amount),
            Given::Points { program, points } => {
                let sum = self.points.entry(program).or_default();
                *sum = sum.saturating_add(points);
            }
            Given::Gift { .. } | Given::Coupon | Given::Message => {}
        }
    }

    /// With other amounts `times` over.
    fn plus(&mut self, other: &Self, times: i64) {
        self.discount = self.discount.saturating_add(other.discount * times);
        for (program, points) in &other.points {
            let sum = self.points.entry(*program).or_default();
            *sum = sum.saturating_add(points * times);
        }
        self.points.retain(|_, points| *points != 0);
    }

    fn less(mut self, other: &Self) -> Self {
        self.plus(other, -1);
        self
    }

    /// What counts towards caps: money and points together.
    fn value(&self) -> i64 {
        self.points
            .values()
            .fold(self.discount, |sum, points| sum.saturating_add(*points))
    }
}

impl Figures {
    /// Adds all but the customers, of whom each counts once.
    fn add(&mut self, more: &Self) {
        self.purchases += more.purchases;
        self.reached += more.reached;
        self.sales = self.sales.saturating_add(more.sales);
        self.given.plus(&more.given, 1);
        self.gifts = self.gifts.saturating_add(more.gifts);
        self.coupons += more.coupons;
        self.change.plus(&more.change, 1);
    }
}
