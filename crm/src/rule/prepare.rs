//! Rules made ready to be asked: codes and ids as small numbers, conditions of the basket apart from those of lines.

use super::check::size;
use super::{
    Caps, Channel, Condition, Effect, Fault, Occasion, Payment, Published, Range, RuleVersion, Tree, Whose, Window,
};
use crate::id::{ArticleId, CategoryId, ProgramId, PromotionId, RuleId, StoreId, TierId};
use chrono::{DateTime, NaiveDate, Utc, Weekday};
use std::collections::{HashMap, HashSet};

/// A snapshot of rules, prepared once and asked often.
#[derive(Debug, Default)]
pub struct Rules {
    /// By priority, the highest first, then by id.
    pub(super) prepared: Vec<Prepared>,
    pub(super) names: Names,
    /// The programs that effects give points in.
    pub(super) programs: Vec<ProgramId>,
    /// The periods that conditions ask about.
    pub(super) windows: Vec<Window>,
    /// How many groups there are.
    pub(super) groups: usize,
    asks: Asks,
    published: Vec<Published>,
}

/// What a snapshot asks about besides the basket itself: nobody has to look up the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Birthdays of the customer, or days since the registration.
    pub person: bool,
    /// Birthdays of children.
    pub children: bool,
    /// Whether the customer was invited.
    pub invited: bool,
    /// Which promotions the customer switched on.
    pub activated: bool,
    /// Earlier purchases, in the periods of [`Rules::windows`].
    pub history: bool,
    /// Whether anything else is booked of the customer.
    pub first: bool,
    /// Tiers of the customer, which are made of all earlier purchases.
    pub tiers: bool,
    /// Categories or brands of articles.
    pub articles: bool,
    /// Regions of shops.
    pub regions: bool,
    /// By which clock the day and the time are told in a shop.
    pub clocks: bool,
    /// The segments that the customer is in.
    pub segments: bool,
    /// Coupons that were presented.
    pub coupons: bool,
    /// What was given before, for caps by day or by customer.
    pub used: bool,
    /// What was given before, for budgets.
    pub budgets: bool,
}

impl Asks {
    fn of(&mut self, condition: &Condition) {
        match condition {
            Condition::Category(_) | Condition::Brand(_) => self.articles = true,
            Condition::Region(_) => self.regions = true,
            Condition::Birthday { of: Whose::Child, .. } => (self.children, self.clocks) = (true, true),
            Condition::Birthday { .. } | Condition::Tenure(_) => (self.person, self.clocks) = (true, true),
            Condition::Weekday(_) | Condition::Hours { .. } | Condition::Period(_) => self.clocks = true,
            Condition::Segment(_) => self.segments = true,
            Condition::Coupon(_) => self.coupons = true,
            Condition::PurchaseCount { .. } | Condition::PurchaseSum { .. } => self.history = true,
            Condition::FirstPurchase => self.first = true,
            Condition::Tier { .. } => self.tiers = true,
            Condition::Invited => self.invited = true,
            Condition::Activated(_) => self.activated = true,
            _ => {}
        }
        for (_, inner) in condition.nested() {
            self.of(inner);
        }
    }
}

/// A rule that cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Something is wrong with it.
    #[error("rule {} in version {} has faults: {faults:?}", by.id, by.version)]
    Faulty {
        /// Which.
        by: RuleVersion,
        /// What.
        faults: Vec<Fault>,
    },
    /// Two versions of it are among the rules.
    #[error("rule {0} is there twice")]
    Twice(RuleId),
}

/// A number for each thing that a condition names. Lines carry the numbers of what they are.
#[derive(Debug, Default)]
pub(super) struct Names {
    next: u32,
    articles: HashMap<ArticleId, u32>,
    categories: HashMap<CategoryId, u32>,
    brands: HashMap<String, u32>,
    /// Regions, segments and series of coupons, which are compared each with their own kind only.
    codes: HashMap<String, u32>,
}

impl Names {
    pub(super) fn article(&self, id: ArticleId) -> Option<u32> {
        self.articles.get(&id).copied()
    }

    pub(super) fn category(&self, id: CategoryId) -> Option<u32> {
        self.categories.get(&id).copied()
    }

    pub(super) fn brand(&self, name: &str) -> Option<u32> {
        self.brands.get(name).copied()
    }

    pub(super) fn code(&self, code: &str) -> Option<u32> {
        self.codes.get(code).copied()
    }
}

/// A number of its own for each key that is new.
fn numbers<K: Clone + Eq + std::hash::Hash>(keys: &[K], known: &mut HashMap<K, u32>, next: &mut u32) -> Set {
    let mut set: Vec<u32> = keys
        .iter()
        .map(|key| {
            *known.entry(key.clone()).or_insert_with(|| {
                *next += 1;
                *next
            })
        })
        .collect();
    set.sort_unstable();
    let first = set.first().copied().unwrap_or(0);
    let last = set.last().copied().unwrap_or(0);
    let mut bits = vec![0; (last - first) as usize / 64 + 1];
    for number in set {
        bits[(number - first) as usize / 64] |= 1_u64 << ((number - first) % 64);
    }
    Set { first, bits }
}

/// Numbers as bits from the first one on. Things are numbered as rules name them, so those of one rule lie together.
#[derive(Debug)]
pub(super) struct Set {
    first: u32,
    bits: Vec<u64>,
}

impl Set {
    /// True when one of these is in it.
    pub(super) fn has_any(&self, numbers: &[u32]) -> bool {
        numbers.iter().any(|number| {
            let place = number.wrapping_sub(self.first);
            let bits = self.bits.get(place as usize / 64);
            bits.is_some_and(|bits| bits >> (place % 64) & 1 == 1)
        })
    }
}

/// Choices of an enum as bits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bits(u8);

impl Bits {
    pub(super) fn of<T: Copy>(choices: &[T], bit: impl Fn(T) -> u8) -> Self {
        Self(choices.iter().fold(0, |bits, choice| bits | 1 << bit(*choice)))
    }

    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

pub(super) fn days(days: &[Weekday]) -> Bits {
    Bits::of(days, |day| day as u8)
}

pub(super) fn payments(payments: &[Payment]) -> Bits {
    Bits::of(payments, |payment| payment as u8)
}

pub(super) fn channels(channels: &[Channel]) -> Bits {
    Bits::of(channels, |channel| channel as u8)
}

/// A rule.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) by: RuleVersion,
    pub(super) occasion: Occasion,
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) until: Option<DateTime<Utc>>,
    /// The number of its group.
    pub(super) group: Option<usize>,
    pub(super) alone: bool,
    /// It takes something off; it gives points.
    pub(super) discounts: bool,
    pub(super) earns: bool,
    /// Conditions with one answer for the basket, and those with an answer for each line.
    pub(super) gates: Vec<Step>,
    pub(super) choices: Vec<Step>,
    pub(super) effects: Vec<Prize>,
    pub(super) caps: Caps,
    /// Some cap counts what was given before.
    pub(super) counted: bool,
}

/// A condition and its number among the rule's.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) clause: u16,
    pub(super) node: Node,
}

#[derive(Debug)]
pub(super) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Gate(Gate),
    Test(Test),
}

/// What has one answer for the basket.
#[derive(Debug)]
pub(super) enum Gate {
    BasketSum(Range),
    Contains {
        lines: Vec<Node>,
        quantity: Range,
        sum: Range,
    },
    Store(Vec<StoreId>),
    Region(Set),
    Weekday(Bits),
    Hours {
        from: u16,
        to: u16,
        days: Bits,
    },
    Period {
        from: NaiveDate,
        to: NaiveDate,
    },
    Birthday {
        of: Whose,
        before: u16,
        after: u16,
    },
    Tier {
        program: ProgramId,
        tiers: Vec<TierId>,
    },
    Member(Vec<ProgramId>),
    Tenure(Range),
    Invited,
    Activated(Vec<PromotionId>),
    /// The numbers are places in [`Rules::windows`].
    Count(usize, Range),
    Sum(usize, Range),
    First,
    Segment(Set),
    Payment(Bits),
    Channel(Bits),
    Coupon(Set),
}

/// What has an answer for each line.
#[derive(Debug)]
pub(super) enum Test {
    Is(Set),
    Price(Range),
    Quantity(Range),
    Sum(Range),
}

/// What it gives, in the order of the rule's effects. Programs are places in [`Rules::programs`].
#[derive(Debug)]
pub(super) enum Prize {
    Discount(Discount),
    Points { program: usize, how: Points },
    Gift { article: ArticleId, quantity: i64 },
    Coupon,
    Message,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Discount {
    Percent { share: i64, each: super::Each },
    Amount { amount: i64, each: super::Each },
    CheapestFree { of: i64 },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Points {
    Share(i64),
    Per { points: i64, per: i64 },
    Times(i64),
    Fixed { points: i64, each: super::Each },
}

/// The place of a thing in a list, where it is put if it was not there.
fn place<T: PartialEq>(list: &mut Vec<T>, thing: T) -> usize {
    list.iter().position(|known| *known == thing).unwrap_or_else(|| {
        list.push(thing);
        list.len() - 1
    })
}

impl Rules {
    /// Makes a snapshot of rules, each in the one version that counts. Their order does not matter. No category lies within
    /// another.
    pub fn prepare(published: Vec<Published>) -> Result<Self, Unfit> {
        Self::prepare_within(&Tree::default(), published)
    }

    /// The same, where categories lie within others.
    pub fn prepare_within(tree: &Tree, mut published: Vec<Published>) -> Result<Self, Unfit> {
        let mut seen = HashSet::new();
        for Published { by, rule } in &published {
            let faults = rule.validate();
            if !faults.is_empty() {
                return Err(Unfit::Faulty { by: *by, faults });
            }
            if !seen.insert(by.id) {
                return Err(Unfit::Twice(by.id));
            }
        }
        published.sort_by_key(|p| (std::cmp::Reverse(p.rule.priority), p.by));
        let mut rules = Self::default();
        let mut groups = Vec::new();
        for Published { by, rule } in &published {
            let (mut gates, mut choices, mut clause) = (Vec::new(), Vec::new(), 0);
            rules.asks.used |= !rule.caps.day.is_open() || !rule.caps.customer.is_open();
            rules.asks.budgets |= !rule.caps.budget.is_open();
            for condition in &rule.conditions {
                rules.asks.of(condition);
                rules.step(tree, condition, &mut clause, &mut gates, &mut choices);
            }
            let effects: Vec<_> = rule.effects.iter().map(|effect| rules.prize(effect)).collect();
            let caps = rule.caps;
            rules.prepared.push(Prepared {
                by: *by,
                occasion: rule.occasion,
                from: rule.valid.from,
                until: rule.valid.until,
                group: rule.group.as_ref().map(|group| place(&mut groups, group)),
                alone: rule.alone,
                discounts: effects.iter().any(|prize| matches!(prize, Prize::Discount(_))),
                earns: effects.iter().any(|prize| matches!(prize, Prize::Points { .. })),
                gates,
                choices,
                effects,
                caps,
                counted: [caps.day, caps.customer, caps.budget]
                    .iter()
                    .any(|limit| !limit.is_open()),
            });
        }
        rules.groups = groups.len();
        rules.published = published;
        Ok(rules)
    }

    /// The periods that a buyer's history has to be summed up for.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// What has to be looked up before they are asked.
    pub fn asks(&self) -> Asks {
        self.asks
    }

    /// The rules, in the order in which they are asked.
    pub fn published(&self) -> &[Published] {
        &self.published
    }

    /// The version of a rule that is in the snapshot.
    pub fn get(&self, by: RuleVersion) -> Option<&Published> {
        self.published.iter().find(|p| p.by == by)
    }

    /// Sorts a condition of a rule under what it asks about. What is in an `all` could as well stand beside it.
    fn step(
        &mut self,
        tree: &Tree,
        condition: &Condition,
        clause: &mut u16,
        gates: &mut Vec<Step>,
        choices: &mut Vec<Step>,
    ) {
        if let Condition::All(nested) = condition {
            *clause += 1;
            for inner in nested {
                self.step(tree, inner, clause, gates, choices);
            }
            return;
        }
        let step = Step {
            clause: *clause,
            node: self.node(tree, condition),
        };
        // At most as many as a rule may have.
        *clause += u16::try_from(size(condition)).unwrap_or(u16::MAX);
        if condition.is_of_lines() { choices } else { gates }.push(step);
    }

    fn nodes(&mut self, tree: &Tree, conditions: &[Condition]) -> Vec<Node> {
        conditions.iter().map(|condition| self.node(tree, condition)).collect()
    }

    fn node(&mut self, tree: &Tree, condition: &Condition) -> Node {
        let names = &mut self.names;
        Node::Gate(match condition {
            Condition::Article(ids) => return Node::Test(Test::Is(numbers(ids, &mut names.articles, &mut names.next))),
            Condition::Category(ids) => {
                let within = tree.within(ids);
                return Node::Test(Test::Is(numbers(&within, &mut names.categories, &mut names.next)));
            }
            Condition::Brand(brands) => {
                return Node::Test(Test::Is(numbers(brands, &mut names.brands, &mut names.next)));
            }
            Condition::Price(range) => return Node::Test(Test::Price(*range)),
            Condition::Quantity(range) => return Node::Test(Test::Quantity(*range)),
            Condition::LineSum(range) => return Node::Test(Test::Sum(*range)),
            Condition::All(nested) => return Node::All(self.nodes(tree, nested)),
            Condition::Any(nested) => return Node::Any(self.nodes(tree, nested)),
            Condition::Not(inner) => return Node::Not(Box::new(self.node(tree, inner))),
            Condition::BasketSum(range) => Gate::BasketSum(*range),
            Condition::Contains { lines, quantity, sum } => Gate::Contains {
                lines: self.nodes(tree, lines),
                quantity: *quantity,
                sum: *sum,
            },
            Condition::Store(ids) => Gate::Store(ids.clone()),
            Condition::Region(codes) => Gate::Region(numbers(codes, &mut names.codes, &mut names.next)),
            Condition::Weekday(list) => Gate::Weekday(days(list)),
            Condition::Hours { from, to, days: list } => Gate::Hours {
                from: *from,
                to: *to,
                days: if list.is_empty() { Bits(u8::MAX) } else { days(list) },
            },
            Condition::Period(dates) => Gate::Period {
                from: dates.from.unwrap_or(NaiveDate::MIN),
                to: dates.to.unwrap_or(NaiveDate::MAX),
            },
            Condition::Birthday { of, before, after } => Gate::Birthday {
                of: *of,
                before: *before,
                after: *after,
            },
            Condition::Tier { program, tiers } => Gate::Tier {
                program: *program,
                tiers: tiers.clone(),
            },
            Condition::Member(programs) => Gate::Member(programs.clone()),
            Condition::Tenure(range) => Gate::Tenure(*range),
            Condition::Invited => Gate::Invited,
            Condition::Activated(promotions) => Gate::Activated(promotions.clone()),
            Condition::PurchaseCount { window, count } => Gate::Count(place(&mut self.windows, *window), *count),
            Condition::PurchaseSum { window, sum } => Gate::Sum(place(&mut self.windows, *window), *sum),
            Condition::FirstPurchase => Gate::First,
            Condition::Segment(codes) => Gate::Segment(numbers(codes, &mut names.codes, &mut names.next)),
            Condition::Payment(list) => Gate::Payment(payments(list)),
            Condition::Channel(list) => Gate::Channel(channels(list)),
            Condition::Coupon(codes) => Gate::Coupon(numbers(codes, &mut names.codes, &mut names.next)),
        })
    }

    fn prize(&mut self, effect: &Effect) -> Prize {
        let mut points = |program: &ProgramId, how| Prize::Points {
            program: place(&mut self.programs, *program),
            how,
        };
        match effect {
            Effect::PercentOff { share, each } => Prize::Discount(Discount::Percent {
                share: *share,
                each: *each,
            }),
            Effect::AmountOff { amount, each } => Prize::Discount(Discount::Amount {
                amount: *amount,
                each: *each,
            }),
            Effect::CheapestFree { of } => Prize::Discount(Discount::CheapestFree { of: *of }),
            Effect::PointsShare { program, share } => points(program, Points::Share(*share)),
            Effect::PointsPer {
                program,
                points: n,
                per,
            } => points(program, Points::Per { points: *n, per: *per }),
            Effect::PointsTimes { program, factor } => points(program, Points::Times(*factor)),
            Effect::PointsFixed {
                program,
                points: n,
                each,
            } => points(
                program,
                Points::Fixed {
                    points: *n,
                    each: *each,
                },
            ),
            Effect::Gift { article, quantity } => Prize::Gift {
                article: *article,
                quantity: *quantity,
            },
            Effect::Coupon { .. } => Prize::Coupon,
            Effect::Message { .. } => Prize::Message,
        }
    }
}
