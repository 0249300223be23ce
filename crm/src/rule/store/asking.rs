//! Rules are asked about what is bought: what they need to know is looked up for many purchases together, what they gave
//! is written down beside what it earned, and what their caps allow is held against what was given before.
//!
//! Caps of a customer are safe because the customer is locked first, as whoever moves points does. A budget belongs to
//! everybody: it is read without a lock, because most purchases get nothing of it, and whoever gets something locks it,
//! looks again, and asks again.

use super::timeline::Timeline;
use super::{Names, names_of};
use crate::coupon::store::{self as coupons, Issue};
use crate::db::{self, Bind, Conn, ListQuery, Rows, Tx};
use crate::id::{
    ArticleId, CategoryId, CustomerId, GrantId, LineId, ProgramId, PromotionId, PurchaseId, RuleId, StoreId,
};
use crate::merge;
use crate::on;
use crate::points::store::{self as points, LIST, Occasion, Sale};
use crate::purchase::{Way, store as purchases};
use crate::rule::{
    Asks, Basket, Buyer, Condition, Decision, Each, Effect, Facts, Given, Grant, History, Line, Membership, Outcome,
    Published, Rules, Usage, Used, Verdict, evaluate, tier, words,
};
use crate::who::Subject;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// What was bought before.
struct Bought {
    at: DateTime<Utc>,
    id: PurchaseId,
    day: NaiveDate,
    is_sale: bool,
    is_kept: bool,
    /// When it was booked for the customer: [`booked_at`].
    booked: Uuid,
    total: i64,
}

/// Which other purchases of a customer are booked when one is asked about.
#[derive(Default)]
enum Booked {
    /// The earlier ones: whoever walks through the past goes by time.
    #[default]
    Earlier,
    /// All that are there, but of these, which one transaction books, only the earlier ones.
    ByNow(HashSet<PurchaseId>),
    /// Those that were booked before this, as [`booked_at`] tells it, whatever their time.
    Before(Uuid),
}

/// When a purchase was booked for its customer, as an id that sorts by it: its own, or one of the moment at which it was claimed.
fn booked_at(id: PurchaseId, claimed_at: Option<DateTime<Utc>>) -> Uuid {
    claimed_at.map_or(id.0, |at| {
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
    })
}

/// The moment that an id tells.
fn moment(id: Uuid) -> DateTime<Utc> {
    let (seconds, nanos) = id.get_timestamp().map_or((0, 0), |told| told.to_unix());
    let seconds = i64::try_from(seconds).unwrap_or_default();
    DateTime::from_timestamp(seconds, nanos).unwrap_or_default()
}

/// What rules ask about, as far as they ask.
#[derive(Default)]
pub(super) struct Known {
    /// The birthday and the moment of registration.
    people: HashMap<CustomerId, (Option<NaiveDate>, DateTime<Utc>)>,
    children: HashMap<CustomerId, Vec<NaiveDate>>,
    invited: BTreeSet<CustomerId>,
    /// Which promotions were switched on, and when.
    activated: HashMap<CustomerId, Vec<(PromotionId, DateTime<Utc>)>>,
    bought: HashMap<CustomerId, Vec<Bought>>,
    articles: HashMap<ArticleId, (Option<CategoryId>, Option<String>)>,
    regions: HashMap<StoreId, String>,
    /// Of shops whose clock is not the chain's.
    zones: HashMap<StoreId, Tz>,
    segments: HashMap<CustomerId, Vec<String>>,
    /// The series of the coupons that purchases used which are booked.
    coupons: HashMap<PurchaseId, Vec<String>>,
    booked: Booked,
    /// By day.
    used: HashMap<(RuleId, CustomerId), BTreeMap<NaiveDate, Usage>>,
    pub(super) budgets: HashMap<RuleId, Usage>,
}

/// Who, what and where rules are to know about.
#[derive(Default)]
pub(super) struct Wanted {
    asks: Asks,
    /// From which day on earlier purchases are asked for; none: from the first one on.
    since: Option<NaiveDate>,
    /// Only what was given to customers before this purchase counts towards their caps; none: all of it.
    pub(super) before: Option<(DateTime<Utc>, PurchaseId)>,
    /// The same, by when purchases were booked ([`booked_at`]), and rewards given; none: all of it.
    booked_before: Option<(DateTime<Utc>, Uuid)>,
    counted: BTreeSet<RuleId>,
    pub(super) customers: BTreeSet<CustomerId>,
    pub(super) stores: BTreeSet<StoreId>,
    /// Purchases that are booked, and may have used coupons.
    pub(super) purchases: BTreeSet<PurchaseId>,
    pub(super) articles: BTreeSet<ArticleId>,
}

impl Wanted {
    /// What the rules of a purchase on a day ask about.
    pub(super) fn add(&mut self, rules: &Rules, day: NaiveDate) {
        let mut asks = rules.asks();
        if asks.history || asks.tiers || asks.first {
            let windows = rules.windows().iter().map(|window| window.days(day).0);
            // A tier is made of everything, and so is what comes before a first purchase.
            let first = windows.min().filter(|_| !asks.tiers && !asks.first);
            self.since = match self.asks.history {
                true => self.since.min(first),
                false => first,
            };
            asks.history = true;
        }
        let Asks {
            person,
            children,
            invited,
            activated,
            history,
            first,
            tiers,
            articles,
            regions,
            clocks,
            segments,
            coupons,
            used,
            budgets,
        } = &mut self.asks;
        *person |= asks.person;
        *children |= asks.children;
        *invited |= asks.invited;
        *activated |= asks.activated;
        *history |= asks.history;
        *first |= asks.first;
        *tiers |= asks.tiers;
        *articles |= asks.articles;
        *regions |= asks.regions;
        *clocks |= asks.clocks;
        *segments |= asks.segments;
        *coupons |= asks.coupons;
        *used |= asks.used;
        *budgets |= asks.budgets;
        let counted = rules.published().iter().filter(|published| {
            let caps = published.rule.caps;
            !caps.day.is_open() || !caps.customer.is_open()
        });
        self.counted.extend(counted.map(|published| published.by.id));
    }
}

/// What some purchases come to.
fn sums<'b>(of: impl Iterator<Item = &'b Bought>) -> History {
    of.fold(History::default(), |sums, one| History {
        count: sums.count + i64::from(one.is_kept),
        sum: sums.sum.saturating_add(one.total),
    })
}

fn ids<T: Copy>(part: &[T], id: impl Fn(T) -> Uuid) -> impl Iterator<Item = Bind> {
    part.iter().map(move |one| Bind::Id(id(*one)))
}

impl Usage {
    /// Together with more of it.
    pub(super) fn and(self, more: Self) -> Self {
        Self {
            value: self.value.saturating_add(more.value),
            times: self.times.saturating_add(more.times),
        }
    }
}

impl Known {
    pub(super) async fn load(conn: &mut Conn, wanted: &Wanted) -> Result<Self, sqlx::Error> {
        let mut known = Self::default();
        let customers: Vec<CustomerId> = wanted.customers.iter().copied().collect();
        for part in customers.chunks(LIST) {
            known.load_customers(conn, wanted, part).await?;
        }
        if wanted.asks.articles {
            let articles: Vec<ArticleId> = wanted.articles.iter().copied().collect();
            for part in articles.chunks(LIST) {
                let query =
                    ListQuery::new("SELECT id, category_id, brand FROM articles").within("id", ids(part, |id| id.0));
                let rows: Vec<(ArticleId, Option<CategoryId>, Option<String>)> = db::list(conn, query).await?;
                known
                    .articles
                    .extend(rows.into_iter().map(|(id, category, brand)| (id, (category, brand))));
            }
        }
        if wanted.asks.regions || wanted.asks.clocks {
            let shop = conn.shop().clone();
            let stores: Vec<StoreId> = wanted.stores.iter().copied().collect();
            for part in stores.chunks(LIST) {
                let query =
                    ListQuery::new("SELECT id, region, time_zone FROM stores").within("id", ids(part, |id| id.0));
                let rows: Vec<(StoreId, Option<String>, Option<String>)> = db::list(conn, query).await?;
                for (id, region, zone) in rows {
                    known.regions.extend(region.map(|region| (id, region)));
                    known
                        .zones
                        .extend(zone.map(|zone| (id, shop.zone_of(Some(zone.as_str())))));
                }
            }
        }
        if wanted.asks.coupons {
            let purchases: Vec<PurchaseId> = wanted.purchases.iter().copied().collect();
            known.coupons = coupons::series_of(conn, &purchases).await?;
        }
        if wanted.asks.budgets {
            let query = ListQuery::new("SELECT rule_id, value, times FROM rule_usages");
            let rows: Vec<(RuleId, i64, i64)> = db::list(conn, query).await?;
            known
                .budgets
                .extend(rows.into_iter().map(|(id, value, times)| (id, Usage { value, times })));
        }
        Ok(known)
    }

    async fn load_customers(
        &mut self,
        conn: &mut Conn,
        wanted: &Wanted,
        part: &[CustomerId],
    ) -> Result<(), sqlx::Error> {
        let of = || ids(part, |id| id.0);
        let query = ListQuery::new("SELECT id, birthday, registered_at FROM customers").within("id", of());
        if wanted.asks.person {
            let rows: Vec<(CustomerId, Option<NaiveDate>, DateTime<Utc>)> = db::list(conn, query).await?;
            self.people
                .extend(rows.into_iter().map(|(id, birthday, at)| (id, (birthday, at))));
        }
        if wanted.asks.children {
            let query = ListQuery::new("SELECT customer_id, birthday FROM children").within("customer_id", of());
            for (id, birthday) in db::list::<(CustomerId, NaiveDate)>(conn, query).await? {
                self.children.entry(id).or_default().push(birthday);
            }
        }
        if wanted.asks.invited {
            let query = ListQuery::new("SELECT invited_id FROM invitations").within("invited_id", of());
            let rows: Vec<(CustomerId,)> = db::list(conn, query).await?;
            self.invited.extend(rows.into_iter().map(|(id,)| id));
        }
        if wanted.asks.segments {
            let query = ListQuery::new(
                "SELECT m.customer_id, s.code FROM segment_members m JOIN segments s ON s.id = m.segment_id",
            )
            .within("m.customer_id", of());
            for (id, code) in db::list::<(CustomerId, String)>(conn, query).await? {
                self.segments.entry(id).or_default().push(code);
            }
        }
        if wanted.asks.activated {
            let query =
                ListQuery::new("SELECT customer_id, promotion_id, at FROM activations").within("customer_id", of());
            for (id, promotion, at) in db::list::<(CustomerId, PromotionId, DateTime<Utc>)>(conn, query).await? {
                self.activated.entry(id).or_default().push((promotion, at));
            }
        }
        if wanted.asks.history {
            let shop = conn.shop().clone();
            let since = wanted.since.filter(|since| *since > NaiveDate::MIN);
            for one in purchases::counted(conn, part, since.map(|since| shop.midnight(since))).await? {
                self.bought.entry(one.customer_id).or_default().push(Bought {
                    at: one.at,
                    id: one.id,
                    day: shop.day(one.at),
                    is_sale: one.is_sale,
                    is_kept: one.is_kept,
                    booked: booked_at(one.id, one.claimed_at),
                    total: one.total,
                });
            }
        }
        if wanted.asks.used {
            type Row = (RuleId, CustomerId, NaiveDate, i64, i64);
            const SELECT: &str = "SELECT rule_id, customer_id, day, \
                CAST(SUM(CASE WHEN kind IN ('discount', 'points') THEN amount ELSE 0 END) AS BIGINT), \
                COUNT(DISTINCT COALESCE(purchase_id, reward_id, id)) FROM grants";
            const BOOKED: &str = "purchase_id IS NULL AND at < ? OR EXISTS (SELECT 1 FROM purchases p \
                WHERE p.id = grants.purchase_id AND (p.claimed_at IS NULL AND p.id < ? OR p.claimed_at < ?))";
            // What was given to an account counts for whom it went to.
            let heirs = merge::heirs(conn, part).await?;
            let all: Vec<CustomerId> = part.iter().chain(heirs.keys()).copied().collect();
            let mut query = ListQuery::new(SELECT)
                .within("rule_id", wanted.counted.iter().map(|id| Bind::Id(id.0)))
                .within("customer_id", ids(&all, |id| id.0));
            if let Some((at, id)) = wanted.before {
                query = query.filter("(at, purchase_id) < (?, ?)", [Bind::Time(at), Bind::Id(id.0)]);
            }
            if let Some((at, booked)) = wanted.booked_before {
                let binds = [Bind::Time(at), Bind::Id(booked), Bind::Time(moment(booked))];
                query = query.filter(BOOKED, binds);
            }
            let query = query.tail("GROUP BY rule_id, customer_id, day");
            for (rule, customer, day, value, times) in db::list::<Row>(conn, query).await? {
                let customer = heirs.get(&customer).copied().unwrap_or(customer);
                let days = self.used.entry((rule, customer)).or_default();
                let used = days.entry(day).or_default();
                *used = used.and(Usage { value, times });
            }
        }
        Ok(())
    }

    /// Adds what a rule gave, to be known about the next purchase.
    pub(super) fn add(&mut self, rule: RuleId, customer: Option<CustomerId>, day: NaiveDate, more: Usage) {
        if let Some(customer) = customer {
            let days = self.used.entry((rule, customer)).or_default();
            let used = days.entry(day).or_default();
            *used = used.and(more);
        }
        let used = self.budgets.entry(rule).or_default();
        *used = used.and(more);
    }

    /// What is known about a purchase.
    pub(super) fn facts(&self, timeline: &Timeline, rules: &Rules, deal: &Deal, conn: &Conn) -> Facts {
        let day = conn.shop().day(deal.at);
        let buyer = deal.customer.map(|id| {
            let (birthday, registered) = self.people.get(&id).copied().unwrap_or((None, deal.at));
            let all = self.bought.get(&id).map_or(&[][..], Vec::as_slice);
            let is_earlier = |one: &Bought| (one.at, one.id) < (deal.at, deal.purchase);
            let is_booked = |one: &Bought| match &self.booked {
                Booked::Earlier => is_earlier(one),
                Booked::ByNow(together) => one.id != deal.purchase && (!together.contains(&one.id) || is_earlier(one)),
                Booked::Before(this) => one.id != deal.purchase && one.booked < *this,
            };
            let booked: Vec<&Bought> = all.iter().filter(|one| is_booked(one)).collect();
            let before: Vec<&Bought> = booked.iter().copied().filter(|one| is_earlier(one)).collect();
            let mut so_far: Vec<tier::Bought> = Vec::new();
            if rules.asks().tiers {
                so_far.extend(before.iter().map(|one| tier::Bought {
                    day: one.day,
                    sum: one.total,
                    is_kept: one.is_kept,
                }));
                so_far.sort_unstable_by_key(|one| one.day);
            }
            let membership = |program: &ProgramId| {
                let tiers = timeline.tiers(*program, deal.at).filter(|_| rules.asks().tiers);
                Membership {
                    program: *program,
                    tier: tiers.and_then(|(_, tiers)| tiers.standing(&so_far, day).tier),
                }
            };
            let history = rules.windows().iter().map(|window| {
                let (first, last) = window.days(day);
                let is_in = |one: &Bought| (first..=last).contains(&one.day);
                let earlier = before.iter().copied().filter(|one| is_in(one));
                let by_now = booked.iter().copied();
                let by_now = by_now.filter(|one| is_in(one) || window.lasts(day, one.day));
                ((*window, sums(earlier)), (*window, sums(by_now)))
            });
            let (history, by_now) = history.unzip();
            let others = booked.iter().filter(|one| one.is_sale).count();
            // What was bought before is not given for it.
            let switched = self.activated.get(&id).map_or(&[][..], Vec::as_slice).iter();
            let activated = switched
                .filter(|(_, at)| *at <= deal.at)
                .map(|(promotion, _)| *promotion);
            Buyer {
                birthday,
                children: self.children.get(&id).cloned().unwrap_or_default(),
                registered: conn.shop().day(registered),
                memberships: deal.member.iter().map(membership).collect(),
                segments: self.segments.get(&id).cloned().unwrap_or_default(),
                history,
                by_now,
                invited: self.invited.contains(&id),
                activated: activated.collect(),
                booked: Some(i64::try_from(others).unwrap_or(i64::MAX)),
            }
        });
        let limited = |asked: &&Published| {
            let caps = asked.rule.caps;
            [caps.day, caps.customer, caps.budget]
                .iter()
                .any(|limit| !limit.is_open())
        };
        let used = rules.published().iter().filter(limited).map(|published| {
            let rule = published.by.id;
            let days = deal.customer.and_then(|customer| self.used.get(&(rule, customer)));
            let used = Used {
                purchase: 0,
                day: days.and_then(|days| days.get(&day).copied()).unwrap_or_default(),
                customer: days.map_or(Usage::default(), |days| {
                    days.values().fold(Usage::default(), |sum, one| sum.and(*one))
                }),
                budget: self.budgets.get(&rule).copied().unwrap_or_default(),
            };
            (rule, used)
        });
        Facts {
            store: deal.store,
            region: deal.store.and_then(|store| self.regions.get(&store).cloned()),
            channel: deal.way.channel,
            payments: deal.way.payments.clone(),
            coupons: deal
                .coupons
                .iter()
                .chain(self.coupons.get(&deal.purchase).into_iter().flatten())
                .cloned()
                .collect(),
            buyer,
            used: used.collect(),
            ..Facts::default()
        }
    }

    /// The time zone by which the day and the time of a deal are told.
    pub(super) fn zone(&self, deal: &Deal, conn: &Conn) -> Tz {
        let own = deal.store.and_then(|store| self.zones.get(&store).copied());
        own.unwrap_or_else(|| conn.shop().zone())
    }

    /// The lines, each with what is known of its article.
    pub(super) fn basket(&self, deal: &Deal) -> Basket {
        let line = |line: &Line| {
            let (category, brand) = self.articles.get(&line.article).cloned().unwrap_or_default();
            Line {
                categories: category.into_iter().collect(),
                brand,
                ..line.clone()
            }
        };
        Basket {
            lines: deal.lines.iter().map(line).collect(),
            points_used: deal.points_used,
        }
    }
}

/// Something that is bought, by whom and where.
#[derive(Clone)]
pub(crate) struct Deal {
    /// What is not yet booked is later than every other purchase.
    pub(crate) purchase: PurchaseId,
    pub(crate) at: DateTime<Utc>,
    pub(crate) customer: Option<CustomerId>,
    /// The programs that the customer is a member of, and that are open.
    pub(crate) member: Vec<ProgramId>,
    pub(crate) store: Option<StoreId>,
    pub(crate) way: Way,
    /// The series of the coupons that are presented and good.
    pub(crate) coupons: Vec<String>,
    /// Without categories and brand.
    pub(crate) lines: Vec<Line>,
    /// What of it points pay, in hundredths.
    pub(crate) points_used: i64,
}

/// The rules that were asked about a deal, and what they answered.
pub(crate) type Answer = (Arc<Rules>, Outcome);

/// What each of these deals of one customer would be given, where no other is made before it. Nothing is kept, and no budget
/// is promised.
pub(crate) async fn quote(conn: &mut Conn, timeline: &Timeline, deals: &[Deal]) -> Result<Vec<Answer>, sqlx::Error> {
    let mut wanted = Wanted::default();
    let rules: Vec<Arc<Rules>> = deals.iter().map(|deal| timeline.with_programs(deal.at)).collect();
    for (deal, rules) in deals.iter().zip(&rules) {
        wanted.add(rules, conn.shop().day(deal.at));
        wanted.customers.extend(deal.customer);
        wanted.stores.extend(deal.store);
        wanted.articles.extend(deal.lines.iter().map(|line| line.article));
    }
    let mut known = Known::load(conn, &wanted).await?;
    known.booked = Booked::ByNow(HashSet::new());
    let answer = |(deal, rules): (&Deal, Arc<Rules>)| {
        let facts = known.facts(timeline, &rules, deal, conn);
        let outcome = evaluate(&rules, &known.basket(deal), &facts, deal.at, &known.zone(deal, conn));
        (rules, outcome)
    };
    Ok(deals.iter().zip(rules).map(answer).collect())
}

/// What a deal would be given, as [`quote`] tells it, with each of these promotions switched on, one at a time.
pub(crate) async fn quote_with(
    conn: &mut Conn,
    timeline: &Timeline,
    deal: &Deal,
    promotions: &[PromotionId],
) -> Result<Vec<Outcome>, sqlx::Error> {
    let Some(customer) = deal.customer.filter(|_| !promotions.is_empty()) else {
        return Ok(Vec::new());
    };
    let rules = timeline.with_programs(deal.at);
    let mut wanted = Wanted {
        customers: BTreeSet::from([customer]),
        stores: deal.store.into_iter().collect(),
        articles: deal.lines.iter().map(|line| line.article).collect(),
        ..Wanted::default()
    };
    wanted.add(&rules, conn.shop().day(deal.at));
    let mut known = Known::load(conn, &wanted).await?;
    known.booked = Booked::ByNow(HashSet::new());
    let mut outcomes = Vec::with_capacity(promotions.len());
    for promotion in promotions {
        known.activated.entry(customer).or_default().push((*promotion, deal.at));
        let facts = known.facts(timeline, &rules, deal, conn);
        let outcome = evaluate(&rules, &known.basket(deal), &facts, deal.at, &known.zone(deal, conn));
        outcomes.push(outcome);
        known.activated.entry(customer).or_default().pop();
    }
    Ok(outcomes)
}

/// What a purchase that is booked would be given by the rules of its own time, by what is known now of all that was booked before
/// it, or before it was claimed: so the reason is told that there was then, although what came late is earlier. Of one import
/// what is earlier was booked earlier. Budgets are left out: what was left of one at that moment is not kept. None where no
/// rule counted then.
pub(crate) async fn once_more(
    conn: &mut Conn,
    timeline: &Timeline,
    deal: &Deal,
    claimed_at: Option<DateTime<Utc>>,
) -> Result<Option<Answer>, sqlx::Error> {
    let Some(rules) = timeline.at(deal.at) else {
        return Ok(None);
    };
    let booked = booked_at(deal.purchase, claimed_at);
    let mut wanted = Wanted {
        booked_before: Some((deal.at, booked)),
        customers: deal.customer.into_iter().collect(),
        stores: deal.store.into_iter().collect(),
        purchases: BTreeSet::from([deal.purchase]),
        articles: deal.lines.iter().map(|line| line.article).collect(),
        ..Wanted::default()
    };
    wanted.add(&rules, conn.shop().day(deal.at));
    wanted.asks.budgets = false;
    let mut known = Known::load(conn, &wanted).await?;
    known.booked = Booked::Before(booked);
    let facts = known.facts(timeline, &rules, deal, conn);
    let outcome = evaluate(&rules, &known.basket(deal), &facts, deal.at, &known.zone(deal, conn));
    Ok(Some((rules, outcome)))
}

/// For whom some rules are, whoever asks.
pub(crate) struct ForWhom {
    /// Each stripped of all that is not about the customer ([`Rule::for_whom`]).
    pub(crate) rules: Rules,
    /// The names of what is left of them.
    pub(crate) names: Names,
    /// Whether any of them asks who is a member.
    is_of_members: bool,
}

/// Whether a condition asks which programs somebody is a member of, itself or in what lies within it.
fn is_of_members(condition: &Condition) -> bool {
    let is_one = matches!(condition, Condition::Member(_) | Condition::Tier { .. });
    is_one || condition.nested().iter().any(|(_, inner)| is_of_members(inner))
}

/// For whom some rules are that count now. It is kept with them.
pub(crate) async fn stripped(
    conn: &mut Conn,
    timeline: &Timeline,
    asked: &BTreeSet<RuleId>,
) -> Result<Arc<ForWhom>, sqlx::Error> {
    let now = conn.now();
    if let Some(known) = timeline.for_whom(asked, now) {
        return Ok(known);
    }
    let counting = timeline.in_force(now).filter(|(by, _)| asked.contains(&by.id));
    let stripped = counting.map(|(by, rule)| Published {
        by,
        rule: rule.for_whom(),
    });
    let rules = Rules::prepare_within(timeline.categories(), stripped.collect()).unwrap_or_else(|e| {
        tracing::error!(error = %e, "rules cannot be prepared");
        Rules::default()
    });
    let published = rules.published().iter();
    let conditions: Vec<&Condition> = published.flat_map(|published| &published.rule.conditions).collect();
    let names = names_of(conn, &conditions, words::NAMED).await?;
    let is_of_members = conditions.iter().any(|condition| is_of_members(condition));
    let read = Arc::new(ForWhom {
        rules,
        names,
        is_of_members,
    });
    if !conn.is_writing() {
        timeline.keep_for_whom(asked.clone(), now, read.clone());
    }
    Ok(read)
}

/// Whether a customer is one of those whom some rules are for: asks each as it is [`stripped`]. A rule that applies is for this
/// customer; why another one is not, its first failure says, of the stripped rule. `activated` are the promotions that they
/// switched on, where any of the rules asks.
pub(crate) async fn for_whom(
    conn: &mut Conn,
    timeline: &Timeline,
    of: Subject,
    asked: &ForWhom,
    activated: &[(PromotionId, DateTime<Utc>)],
) -> Result<Vec<Decision>, sqlx::Error> {
    let now = conn.now();
    let rules = &asked.rules;
    let member = match asked.is_of_members {
        true => points::member_of(conn, timeline, of, now).await?,
        false => Vec::new(),
    };
    let deal = Deal {
        purchase: PurchaseId(Uuid::max()),
        at: now,
        customer: Some(of.id()),
        member,
        store: None,
        way: Way::default(),
        coupons: Vec::new(),
        lines: Vec::new(),
        points_used: 0,
    };
    let mut wanted = Wanted {
        customers: BTreeSet::from([of.id()]),
        ..Wanted::default()
    };
    wanted.add(rules, conn.shop().day(now));
    wanted.asks.activated = false;
    let mut known = Known::load(conn, &wanted).await?;
    known.activated.insert(of.id(), activated.to_vec());
    let facts = known.facts(timeline, rules, &deal, conn);
    let outcome = evaluate(rules, &Basket::default(), &facts, now, &conn.shop().zone());
    Ok(outcome.decisions)
}

/// The points of lines, in hundredths.
pub(crate) type LinePoints = Vec<(LineId, i64)>;

/// What rules answered about sales.
pub(crate) struct Answers {
    /// Of each sale; none where only the programs' own shares count.
    outcomes: Vec<Option<Outcome>>,
    /// What they gave, to be written down once the sales are.
    pub(crate) grants: Rows,
    /// Of the points: what partners pay on each line in each program, by their keys. The rest is the shop's.
    pub(crate) funded: BTreeMap<(LineId, ProgramId), BTreeMap<String, i64>>,
    /// The coupons among it, to be issued then.
    pub(crate) coupons: Vec<Issue>,
}

impl Answers {
    /// What a sale earned, by program and line; none where only the programs' own shares count.
    pub(crate) fn earned(&self, place: usize, sale: &Sale) -> Option<Vec<(ProgramId, LinePoints)>> {
        let outcome = self.outcomes.get(place)?.as_ref()?;
        let mut earned: BTreeMap<ProgramId, BTreeMap<u32, i64>> = BTreeMap::new();
        for grant in &outcome.grants {
            if let (Given::Points { program, points }, Some(line)) = (grant.given, grant.line) {
                let sum = earned.entry(program).or_default().entry(line).or_default();
                *sum = sum.saturating_add(points);
            }
        }
        let lines = |lines: BTreeMap<u32, i64>| {
            let line = |(place, points): (u32, i64)| Some((sale.lines.get(place as usize)?.line, points));
            lines.into_iter().filter_map(line).collect()
        };
        Some(
            earned
                .into_iter()
                .map(|(program, points)| (program, lines(points)))
                .collect(),
        )
    }
}

/// Asks the rules of each sale's own time about it, in the order given. `together` are the purchases that this transaction
/// books; `member` tells the open programs that a sale's customer was a member of.
pub(crate) async fn ask(
    tx: &mut Tx,
    timeline: &Timeline,
    sales: &[Sale],
    together: &HashSet<PurchaseId>,
    member: impl Fn(&Sale) -> Vec<ProgramId>,
) -> Result<Answers, sqlx::Error> {
    let mut answers = Answers {
        outcomes: Vec::new(),
        grants: Rows::new(
            "INSERT INTO grants (id, purchase_id, line_id, customer_id, rule_id, version, effect, kind, program_id, amount, \
             day, at)",
            "",
        ),
        funded: BTreeMap::new(),
        coupons: Vec::new(),
    };
    let rules: Vec<Option<Arc<Rules>>> = sales.iter().map(|sale| timeline.at(sale.at)).collect();
    let mut wanted = Wanted::default();
    for (sale, rules) in sales.iter().zip(&rules) {
        if let Some(rules) = rules {
            wanted.add(rules, tx.shop().day(sale.at));
            wanted.customers.extend(sale.customer);
            wanted.stores.extend(sale.store);
            wanted.articles.extend(sale.lines.iter().map(|line| line.article));
            // A new one has used none yet.
            wanted
                .purchases
                .extend(Some(sale.purchase).filter(|_| sale.occasion != Occasion::New));
        }
    }
    if rules.iter().all(Option::is_none) {
        return Ok(answers);
    }
    if wanted.asks.used || wanted.asks.history {
        lock(tx, &wanted.customers).await?;
    }
    let mut known = Known::load(tx, &wanted).await?;
    known.booked = Booked::ByNow(together.clone());
    let mut budgets = Budgets::default();
    for (sale, rules) in sales.iter().zip(rules) {
        let Some(rules) = rules else {
            answers.outcomes.push(None);
            continue;
        };
        let bringing = coupons::Deal {
            customer: sale.customer,
            at: sale.at,
            purchase: sale.purchase,
        };
        let presented = match rules.asks().coupons && !sale.coupons.is_empty() {
            true => coupons::hold(tx, &sale.coupons, bringing).await?,
            false => Vec::new(),
        };
        let deal = Deal {
            purchase: sale.purchase,
            at: sale.at,
            customer: sale.customer,
            member: member(sale),
            store: sale.store,
            way: sale.way.clone(),
            coupons: presented.iter().map(|(_, series)| series.clone()).collect(),
            lines: sale.lines.iter().map(points::Sold::line).collect(),
            points_used: sale.points_used,
        };
        let (basket, zone) = (known.basket(&deal), known.zone(&deal, tx));
        let given = given(tx, sale).await?;
        let mut outcome = loop {
            let mut facts = known.facts(timeline, &rules, &deal, tx);
            // Of what is claimed all lines are asked about once more.
            for (rule, _, value) in given.iter().filter(|_| sale.occasion == Occasion::Grown) {
                let used = &mut facts.used.entry(*rule).or_default().purchase;
                *used = used.saturating_add(*value);
            }
            let outcome = evaluate(&rules, &basket, &facts, sale.at, &zone);
            let limited = outcome.decisions.iter().filter(|decision| {
                matches!(decision.verdict, Verdict::Applied { .. })
                    && rules.get(decision.by).is_some_and(|p| !p.rule.caps.budget.is_open())
            });
            let limited: BTreeSet<RuleId> = limited.map(|decision| decision.by.id).collect();
            if !budgets.lock(tx, &mut known, &limited).await? {
                break outcome;
            }
        };
        let asked = asked_series(&rules, &outcome);
        let used = presented.iter().filter(|(_, series)| asked.contains(series.as_str()));
        coupons::spend(tx, used.map(|(coupon, _)| *coupon).collect(), bringing).await?;
        outcome.grants.retain(|grant| {
            let is_same =
                |(rule, effect, _): &(RuleId, i64, i64)| (*rule, *effect) == (grant.by.id, grant.effect.into());
            let was_given = given.iter().any(is_same);
            !(was_given && is_once(&rules, grant))
        });
        let day = tx.shop().day(sale.at);
        let mut counted: BTreeMap<RuleId, i64> = BTreeMap::new();
        for grant in outcome.grants.iter().filter(|grant| is_kept(&rules, sale, grant)) {
            let value = write(&mut answers, &rules, sale, grant, day);
            let sum = counted.entry(grant.by.id).or_default();
            *sum = sum.saturating_add(value);
        }
        for Decision { by, .. } in &outcome.decisions {
            let Some(value) = counted.remove(&by.id) else { continue };
            let times = i64::from(given.iter().all(|(rule, ..)| *rule != by.id));
            let more = |used: &mut Usage| *used = used.and(Usage { value, times });
            if let Some(customer) = sale.customer {
                let days = known.used.entry((by.id, customer)).or_default();
                more(days.entry(day).or_default());
            }
            // It counts also while a version without the budget is in force.
            if timeline.has_budget(by.id) {
                more(known.budgets.entry(by.id).or_default());
                more(budgets.given.entry(by.id).or_default());
            }
        }
        answers.outcomes.push(Some(outcome));
    }
    budgets.write(tx).await?;
    Ok(answers)
}

/// The series of coupons that rules asked for which gave something.
pub(crate) fn asked_series<'r>(rules: &'r Rules, outcome: &Outcome) -> BTreeSet<&'r str> {
    let applied = outcome
        .decisions
        .iter()
        .filter(|decision| matches!(decision.verdict, Verdict::Applied { .. }));
    let rules = applied.filter_map(|decision| rules.get(decision.by));
    rules.flat_map(|published| published.rule.asked_series()).collect()
}

/// What rules gave for a purchase before: the rule, which of its effects, and how much counts towards caps.
async fn given(tx: &mut Tx, sale: &Sale) -> Result<Vec<(RuleId, i64, i64)>, sqlx::Error> {
    const SQL: &str = "SELECT rule_id, effect, \
                       CAST(SUM(CASE WHEN kind IN ('discount', 'points') THEN amount ELSE 0 END) AS BIGINT) \
                       FROM grants WHERE purchase_id = $1 GROUP BY rule_id, effect";
    if sale.occasion == Occasion::New {
        return Ok(Vec::new());
    }
    on!(tx, |c| sqlx::query_as(SQL).bind(sale.purchase).fetch_all(c).await)
}

/// Whether something is given once for a purchase, however many lines it has. Discounts are what the till took off.
fn is_once(rules: &Rules, grant: &Grant) -> bool {
    let rule = rules.get(grant.by).map(|published| &published.rule);
    let effect = rule.and_then(|rule| rule.effects.get(usize::from(grant.effect)));
    match effect {
        Some(Effect::PointsFixed { each, .. }) => *each == Each::Purchase,
        Some(Effect::Gift { .. } | Effect::Coupon { .. } | Effect::Message { .. }) => true,
        _ => false,
    }
}

/// Whether what was given is written down: what a program gives of its own stands with what the line earned; whoever is not
/// known has taken the discount alone; and of what is claimed later, gifts and words were given to whoever bought.
fn is_kept(rules: &Rules, sale: &Sale, grant: &Grant) -> bool {
    let is_rule = rules.get(grant.by).is_some_and(|published| !published.is_share());
    let is_theirs = match (sale.customer, sale.occasion) {
        (None, _) => matches!(grant.given, Given::Discount(_)),
        (Some(_), Occasion::Claimed) => matches!(grant.given, Given::Points { .. } | Given::Coupon),
        (Some(_), Occasion::New | Occasion::Grown) => true,
    };
    is_rule && is_theirs
}

/// Writes down what was given, and tells how much of it counts towards caps.
fn write(answers: &mut Answers, rules: &Rules, sale: &Sale, grant: &Grant, day: NaiveDate) -> i64 {
    let id = GrantId::new();
    let (kind, program, amount, value) = match grant.given {
        Given::Discount(amount) => ("discount", None, amount, amount),
        Given::Points { program, points } => ("points", Some(program), points, points),
        Given::Gift { quantity, .. } => ("gift", None, quantity, 0),
        Given::Coupon => ("coupon", None, 1, 0),
        Given::Message => ("message", None, 1, 0),
    };
    if let (Some(customer), Some(series)) = (sale.customer, series_given(rules, grant)) {
        answers.coupons.push(Issue {
            series: series.to_owned(),
            customer,
            grant: id,
            at: sale.at,
        });
    }
    let line = grant.line.and_then(|place| sale.lines.get(place as usize));
    let partner = rules
        .get(grant.by)
        .and_then(|published| published.rule.funded_by.as_ref());
    if let (Given::Points { program, points }, Some(line), Some(partner)) = (grant.given, line, partner) {
        let funded = answers.funded.entry((line.line, program)).or_default();
        let sum = funded.entry(partner.clone()).or_default();
        *sum = sum.saturating_add(points);
    }
    answers.grants.push([
        Bind::Id(id.0),
        Bind::Id(sale.purchase.0),
        Bind::MaybeId(line.map(|line| line.line.0)),
        Bind::MaybeId(sale.customer.map(|id| id.0)),
        Bind::Id(grant.by.id.0),
        Bind::Int(grant.by.version),
        Bind::Int(grant.effect.into()),
        Bind::Word(kind),
        Bind::MaybeId(program.map(|id| id.0)),
        Bind::Int(amount),
        Bind::Day(day),
        Bind::Time(sale.at),
    ]);
    value
}

/// The series of which a grant gives a coupon.
pub(super) fn series_given<'r>(rules: &'r Rules, grant: &Grant) -> Option<&'r str> {
    match rules.get(grant.by)?.rule.effects.get(usize::from(grant.effect))? {
        Effect::Coupon { series } => Some(series),
        _ => None,
    }
}

/// Waits until nobody else gives these customers anything.
pub(super) async fn lock(tx: &mut Tx, customers: &BTreeSet<CustomerId>) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = customers.iter().map(|id| id.0).collect();
    points::lock(tx, &ids).await
}

/// Budgets that this transaction takes from.
#[derive(Default)]
pub(super) struct Budgets {
    held: BTreeSet<RuleId>,
    pub(super) given: BTreeMap<RuleId, Usage>,
}

impl Budgets {
    /// Holds budgets until the transaction ends; true where one of them was not as it had been read.
    pub(super) async fn lock(
        &mut self,
        tx: &mut Tx,
        known: &mut Known,
        rules: &BTreeSet<RuleId>,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "UPDATE rule_usages SET times = times WHERE rule_id = $1 RETURNING value, times";
        let mut changed = false;
        for rule in rules {
            if !self.held.insert(*rule) {
                continue;
            }
            let found: Option<(i64, i64)> = on!(tx, |c| sqlx::query_as(SQL).bind(rule).fetch_optional(c).await)?;
            let (value, times) = found.unwrap_or_default();
            // What this transaction gave by a version without the budget is not written yet.
            let given = self.given.get(rule).copied().unwrap_or_default();
            let now = Usage { value, times }.and(given);
            changed |= known.budgets.insert(*rule, now).unwrap_or_default() != now;
        }
        Ok(changed)
    }

    pub(super) async fn write(self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        let mut rows = Rows::new(
            "INSERT INTO rule_usages (rule_id, value, times)",
            "ON CONFLICT (rule_id) DO UPDATE SET value = rule_usages.value + excluded.value, \
             times = rule_usages.times + excluded.times",
        );
        for (rule, Usage { value, times }) in self.given {
            rows.push([Bind::Id(rule.0), Bind::Int(value), Bind::Int(times)]);
        }
        db::insert(tx, rows).await
    }
}
