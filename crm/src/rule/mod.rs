//! Rules: what a purchase is given, and on what conditions, as data.
//!
//! A [`Rule`] is one version of what a marketer wrote. It is kept as JSON, is never changed once published, and is
//! named by everything that it gave. [`Rules::prepare`] makes a snapshot of the rules of a moment; [`evaluate()`] says
//! what a basket is given by it, and of each rule that did not apply why not ([`explain`]). Nothing here knows a
//! database or a clock, so the till, the cabinet, the explanation of a past posting and the simulation of a new rule
//! ask the same function.
//!
//! Money and points are hundredths, shares are hundredths of a percent ([`WHOLE`]). Sums saturate instead of overflowing, and
//! an effect gives at most [`POINTS_MAX`] points on a line, so that the books can add up what receipts earned.
//!
//! # What happens to a basket
//! 1. Rules are looked at by priority, the highest first, then by id. A rule *applies* when its occasion, its validity
//!    and all of its conditions hold, its caps and budget leave something, and no other rule of its group was granted.
//!    Conditions see the basket as it came, not what earlier rules took off: so they do not depend on each other.
//! 2. Conditions on lines choose the lines that the effects are for. A rule without any is for all of them. Lines of
//!    which nothing is bought (a quantity of zero or below) are never chosen.
//! 3. Discounts, in the same order, each from what the earlier ones left. No line goes below zero. Of a receipt that is
//!    paid already rules took off what the till took off by them ([`Line::taken`]): not more, and not less.
//! 4. Points that pay part of the basket are spread over the lines that may be paid so. What is left is *paid*.
//! 5. Points on what was paid, then multipliers of those points, then fixed points. Multipliers add up: twice and three
//!    times are four times, in whatever order. Whoever is known and no member of a program is given no points in it.
//! 6. Gifts, coupons and messages of the rules that gave what they had to give.
//!
//! Shares are rounded down line by line; what is given once for the whole purchase is split over the lines by the
//! largest remainder, so that the parts are exactly the whole and a return of one line knows its part.
//!
//! # How to add a condition
//! 1. A variant of [`Condition`] here, with its unit in the doc. Its JSON name is the variant in snake case; names that
//!    were published stay for ever, because old versions are read as long as there are postings of them.
//! 2. What is wrong with its values: [`Rule::validate`] in `check.rs`.
//! 3. What it asks about, if that is new: [`Basket`], [`Facts`] or [`Buyer`], and [`Found`](explain::Found) for what was
//!    found instead.
//! 4. Its prepared form in `prepare.rs`, a `Gate` (one answer for the basket) or a `Test` (an answer for each line),
//!    and its answer in `ask.rs`. The compiler names the places.
//! 5. A test of its boundaries in `tests.rs`, and a line in the generator of rules there, so that the properties hold
//!    for it as well.
//!
//! An effect is added the same way: [`Effect`], `check.rs`, and the step of `evaluate.rs` that it belongs to.

use crate::id::{ArticleId, CategoryId, ProgramId, PromotionId, RuleId, StoreId, TierId};
use crate::lang::Localized;
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc, Weekday};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod ask;
mod check;
mod evaluate;
pub mod explain;
mod personal;
mod prepare;
mod split;
#[cfg(feature = "store")]
pub mod store;
mod target;
#[cfg(test)]
mod tests;
pub mod tier;
mod tree;
mod turn;
#[cfg(feature = "store")]
pub mod words;

#[cfg(feature = "store")]
pub(crate) use ask::birthday;
pub use check::{Fault, Problem, partner_key};
pub use evaluate::{Decision, Given, Grant, Outcome, POINTS_MAX, Sums, Verdict, evaluate};
pub use prepare::{Asks, Rules, Unfit};
pub use target::Target;
pub use tree::Tree;
pub use turn::{Turn, YEAR};

/// 100 %, in hundredths of a percent.
pub const WHOLE: i64 = 10_000;

/// One version of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is called, also where a posting is explained.
    pub name: Localized,
    /// On which occasion it is asked.
    #[serde(default)]
    pub occasion: Occasion,
    /// The higher goes first.
    #[serde(default)]
    pub priority: i32,
    /// Of the rules of a group at most one is granted: the first that applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its discounts do not meet those of other rules on one line: lines that have one already are not chosen, and the
    /// lines that it took something off are closed to later discounts.
    #[serde(default)]
    pub alone: bool,
    /// When it holds.
    #[serde(default)]
    pub valid: Validity,
    /// All of them have to hold.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// What it gives.
    pub effects: Vec<Effect>,
    /// How much it gives at most.
    #[serde(default)]
    pub caps: Caps,
    /// The key of the partner who pays for the points that it gives; none: the shop. Of a multiplier that is what it adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funded_by: Option<String>,
}

/// A rule's version by its name: what stands behind everything that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleVersion {
    /// The rule.
    pub id: RuleId,
    /// Its version, from 1.
    pub version: i64,
}

/// A rule that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The rule and its version.
    pub by: RuleVersion,
    /// What it says.
    pub rule: Rule,
}

/// On which occasion rules are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// Something is bought.
    #[default]
    Purchase,
    /// Somebody registered.
    Registration,
    /// Somebody whom the customer invited bought for the first time.
    Referral,
    /// The customer told everything about themselves that they were asked for.
    Profile,
    /// The customer answered the questionnaire, but for what is guarded in it.
    Questionnaire,
    /// A day came: the daily work asks about whoever has a birthday or completes a time with the club near it. A rule of
    /// this occasion has a [`Turn`].
    Day,
}

impl Occasion {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Purchase,
        Self::Registration,
        Self::Referral,
        Self::Profile,
        Self::Questionnaire,
        Self::Day,
    ];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Registration => "registration",
            Self::Referral => "referral",
            Self::Profile => "profile",
            Self::Questionnaire => "questionnaire",
            Self::Day => "day",
        }
    }

    /// The occasion with this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|occasion| occasion.as_str() == word)
    }
}

/// When a rule holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validity {
    /// The first moment it holds; none: always did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// The first moment it holds no more; none: for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

impl Validity {
    /// Whether it holds at a moment.
    pub fn holds(self, at: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// What has to hold. The first six ask about a line and choose the lines of the effects; the others ask about the
/// basket, the place, the time or the customer. Lists mean any of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// The line is of one of these articles.
    Article(Vec<ArticleId>),
    /// The line's article is in one of these categories, or in one that lies within them.
    Category(Vec<CategoryId>),
    /// The line's article is of one of these brands.
    Brand(Vec<String>),
    /// The price of one, in minor units.
    Price(Range),
    /// How many the line has.
    Quantity(Range),
    /// What the line costs before the discounts of rules, in minor units.
    LineSum(Range),

    /// What the basket costs before the discounts of rules, in minor units.
    BasketSum(Range),
    /// Lines that all of these choose are in the basket, together in this number and for this sum.
    Contains {
        /// Conditions on a line.
        lines: Vec<Condition>,
        /// How many of them together.
        #[serde(default, skip_serializing_if = "Range::is_open")]
        quantity: Range,
        /// What they cost together before the discounts of rules, in minor units.
        #[serde(default, skip_serializing_if = "Range::is_open")]
        sum: Range,
    },
    /// In one of these shops.
    Store(Vec<StoreId>),
    /// In a shop of one of these regions.
    Region(Vec<String>),
    /// On one of these days of the week, where the shop is.
    Weekday(Vec<Weekday>),
    /// At these hours of the shop's wall clock, in minutes of the day.
    Hours {
        /// The first minute.
        from: u16,
        /// The first minute no more, up to 1440; not after `from`: of the next day.
        to: u16,
        /// The days on which they begin; empty: every day. What is after midnight belongs to the day before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        days: Vec<Weekday>,
    },
    /// On these days of the calendar, where the shop is.
    Period(Dates),
    /// Near a birthday. Who was born on 29 February has it on the 28th in other years.
    Birthday {
        /// Whose.
        of: Whose,
        /// From how many days before.
        #[serde(default)]
        before: u16,
        /// Until how many days after.
        #[serde(default)]
        after: u16,
    },
    /// The customer has one of these tiers of a program.
    Tier {
        /// The program.
        program: ProgramId,
        /// The tiers.
        tiers: Vec<TierId>,
    },
    /// The customer is a member of one of these programs.
    Member(Vec<ProgramId>),
    /// Days since the customer registered, where the shop is.
    Tenure(Range),
    /// How many purchases the customer made before, in a period, of which something is kept.
    PurchaseCount {
        /// The period.
        window: Window,
        /// How many. The most holds for what is booked by now as well, whatever its time.
        count: Range,
    },
    /// What the customer paid before, in a period, in minor units.
    PurchaseSum {
        /// The period.
        window: Window,
        /// How much. The most holds for what is booked by now as well, whatever its time.
        sum: Range,
    },
    /// Nothing else that the customer bought is booked, whatever its time and whatever came back of it.
    FirstPurchase,
    /// The customer registered by somebody's invitation.
    Invited,
    /// The customer switched one of these promotions on.
    Activated(Vec<PromotionId>),
    /// The customer is in one of these segments.
    Segment(Vec<String>),
    /// Something is paid in one of these ways.
    Payment(Vec<Payment>),
    /// Bought in one of these ways.
    Channel(Vec<Channel>),
    /// A coupon of one of these series was presented.
    Coupon(Vec<String>),

    /// All of these.
    All(Vec<Condition>),
    /// At least one of these.
    Any(Vec<Condition>),
    /// The opposite.
    Not(Box<Condition>),
}

impl Condition {
    /// The conditions in it, each with the rest of its JSON pointer.
    fn nested(&self) -> Vec<(String, &Self)> {
        let (name, nested) = match self {
            Self::All(nested) => ("all", nested),
            Self::Any(nested) => ("any", nested),
            Self::Contains { lines, .. } => ("contains/lines", lines),
            Self::Not(inner) => return vec![("/not".into(), inner)],
            _ => return Vec::new(),
        };
        let pointer = |(i, condition)| (format!("/{name}/{i}"), condition);
        nested.iter().enumerate().map(pointer).collect()
    }

    /// True when it asks about something that only a purchase has, or something in it does.
    fn is_of_purchase(&self) -> bool {
        match self {
            Self::BasketSum(_)
            | Self::Contains { .. }
            | Self::Store(_)
            | Self::Region(_)
            | Self::Hours { .. }
            | Self::Payment(_)
            | Self::Channel(_)
            | Self::Coupon(_) => true,
            Self::All(nested) | Self::Any(nested) => nested.iter().any(Self::is_of_purchase),
            Self::Not(inner) => inner.is_of_purchase(),
            other => other.is_of_lines(),
        }
    }

    /// True when it is about a line, or something in it is.
    fn is_of_lines(&self) -> bool {
        match self {
            Self::Article(_)
            | Self::Category(_)
            | Self::Brand(_)
            | Self::Price(_)
            | Self::Quantity(_)
            | Self::LineSum(_) => true,
            Self::All(nested) | Self::Any(nested) => nested.iter().any(Self::is_of_lines),
            Self::Not(inner) => inner.is_of_lines(),
            _ => false,
        }
    }
}

/// Numbers between two bounds, both included; a bound that is left out does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<i64>,
    /// The most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<i64>,
}

impl Range {
    /// From a number on.
    pub const fn from(least: i64) -> Self {
        Self {
            at_least: Some(least),
            at_most: None,
        }
    }

    /// Up to a number.
    pub const fn up_to(most: i64) -> Self {
        Self {
            at_least: None,
            at_most: Some(most),
        }
    }

    /// True when the number is in it.
    pub fn holds(self, number: i64) -> bool {
        self.at_least.is_none_or(|least| least <= number) && self.at_most.is_none_or(|most| number <= most)
    }

    /// True when it has no bound.
    pub const fn is_open(&self) -> bool {
        self.at_least.is_none() && self.at_most.is_none()
    }
}

/// Days of the calendar between two, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dates {
    /// The first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NaiveDate>,
    /// The last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<NaiveDate>,
}

/// Whose birthday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The customer's.
    Customer,
    /// One of the children's.
    Child,
}

/// A way to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payment {
    /// Coins and notes.
    Cash,
    /// A bank card.
    Card,
    /// A transfer from account to account (in Russia the Faster Payments System).
    Transfer,
    /// A gift certificate of the shop.
    Certificate,
    /// On credit or by instalments.
    Credit,
    /// In a way that has no name here.
    Other,
}

impl Payment {
    /// Each of them, in the order in which pages list them.
    pub const ALL: [Self; 6] = [
        Self::Cash,
        Self::Card,
        Self::Transfer,
        Self::Certificate,
        Self::Credit,
        Self::Other,
    ];

    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Card => "card",
            Self::Transfer => "transfer",
            Self::Certificate => "certificate",
            Self::Credit => "credit",
            Self::Other => "other",
        }
    }

    /// The one of this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == word)
    }
}

/// A way to buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// At a till.
    Till,
    /// At a till that one serves oneself.
    SelfService,
    /// In the shop's site.
    Online,
    /// In the shop's app.
    App,
}

impl Channel {
    /// Each of them, in the order in which pages list them.
    pub const ALL: [Self; 4] = [Self::Till, Self::SelfService, Self::Online, Self::App];

    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Till => "till",
            Self::SelfService => "self_service",
            Self::Online => "online",
            Self::App => "app",
        }
    }

    /// The one of this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == word)
    }
}

/// A length of time in the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// Days.
    Days(u32),
    /// Months; a day that a month lacks is its last.
    Months(u32),
}

impl Span {
    /// The day this long before another.
    pub fn before(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Days(days) => day.checked_sub_days(Days::new(days.into())),
            Self::Months(months) => day.checked_sub_months(Months::new(months)),
        }
        .unwrap_or(NaiveDate::MIN)
    }

    /// The day this long after another.
    pub fn after(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Days(days) => day.checked_add_days(Days::new(days.into())),
            Self::Months(months) => day.checked_add_months(Months::new(months)),
        }
        .unwrap_or(NaiveDate::MAX)
    }
}

/// A period that ends today, or that is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Window {
    /// Since ever.
    Ever,
    /// The last days or months, today included.
    Last(Span),
    /// This calendar month.
    Month,
    /// This calendar year.
    Year,
    /// These days.
    Between {
        /// The first.
        from: NaiveDate,
        /// The last.
        to: NaiveDate,
    },
}

impl Window {
    /// Its first and its last day as it is on a day, both included.
    pub fn days(self, today: NaiveDate) -> (NaiveDate, NaiveDate) {
        let first = match self {
            Self::Ever => NaiveDate::MIN,
            Self::Last(span) => span.before(today).succ_opt().unwrap_or(today),
            Self::Month => today.with_day(1).unwrap_or(today),
            Self::Year => today.with_ordinal(1).unwrap_or(today),
            Self::Between { from, to } => return (from, to),
        };
        (first, today)
    }

    /// Whether it still is the same period on a later day: what is bought on the first of them counts on the second.
    pub fn lasts(self, day: NaiveDate, later: NaiveDate) -> bool {
        let (first, last) = self.days(later);
        day < later && first <= day && later <= last
    }
}

/// What a rule gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// A share off what the chosen lines cost.
    PercentOff {
        /// In hundredths of a percent.
        share: i64,
        /// Rounded down on each line, or once for the purchase.
        each: Each,
    },
    /// An amount off.
    AmountOff {
        /// In minor units.
        amount: i64,
        /// Off what: the purchase's chosen lines together, each of them, or each unit.
        each: Each,
    },
    /// For each `of` units among the chosen lines the cheapest one is free: with 7 units and 3 the two cheapest of all.
    CheapestFree {
        /// How many have to be bought for one of them to be free.
        of: i64,
    },
    /// Points: a share of what was paid for each chosen line.
    PointsShare {
        /// In which program.
        program: ProgramId,
        /// In hundredths of a percent.
        share: i64,
    },
    /// Points for each full amount that was paid for the chosen lines together.
    PointsPer {
        /// In which program.
        program: ProgramId,
        /// How many, in hundredths.
        points: i64,
        /// For how much, in minor units.
        per: i64,
    },
    /// The points that the chosen lines have by [`Effect::PointsShare`] and [`Effect::PointsPer`] of all rules become as
    /// many times more.
    PointsTimes {
        /// In which program.
        program: ProgramId,
        /// In hundredths of a percent: 20,000 doubles.
        factor: i64,
    },
    /// Points once. On an occasion without lines they are given all the same; else nothing for what was not paid.
    PointsFixed {
        /// In which program.
        program: ProgramId,
        /// How many, in hundredths.
        points: i64,
        /// For what: the purchase, each chosen line, or each unit.
        each: Each,
    },
    /// A gift that the till hands over.
    Gift {
        /// What.
        article: ArticleId,
        /// How many.
        quantity: i64,
    },
    /// A coupon for the next time.
    Coupon {
        /// Of which series.
        series: String,
    },
    /// Something to say.
    Message {
        /// Where.
        to: Place,
        /// What.
        text: Localized,
    },
}

impl Effect {
    /// The program that it gives points of, if it does.
    pub fn program(&self) -> Option<ProgramId> {
        match self {
            Self::PointsShare { program, .. }
            | Self::PointsPer { program, .. }
            | Self::PointsTimes { program, .. }
            | Self::PointsFixed { program, .. } => Some(*program),
            _ => None,
        }
    }
}

/// For what an effect gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Each {
    /// Once for the chosen lines together.
    Purchase,
    /// For each chosen line.
    Line,
    /// For each unit of the chosen lines.
    Unit,
}

/// Where a message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// On the receipt.
    Receipt,
    /// To the cashier.
    Cashier,
    /// On a kiosk or the customer's display.
    Kiosk,
    /// To the customer, by e-mail or text message, where they agreed to that. Not on a purchase, which has a receipt.
    Customer,
}

/// How much a rule gives at most. Values are hundredths, of money and of points alike; those of one rule are added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// On one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// In one purchase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase: Option<i64>,
    /// To one customer on one day of the shop.
    #[serde(default, skip_serializing_if = "Limit::is_open")]
    pub day: Limit,
    /// To one customer.
    #[serde(default, skip_serializing_if = "Limit::is_open")]
    pub customer: Limit,
    /// To all customers together: its budget.
    #[serde(default, skip_serializing_if = "Limit::is_open")]
    pub budget: Limit,
}

/// How much and how often at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// How much together, in hundredths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
    /// How many times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<i64>,
}

impl Limit {
    /// True when nothing is limited.
    pub const fn is_open(&self) -> bool {
        self.value.is_none() && self.times.is_none()
    }
}

/// What is bought. Money is in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basket {
    /// Its lines.
    pub lines: Vec<Line>,
    /// What points pay of it; more than the lines that may be paid so cost is not taken.
    #[serde(default)]
    pub points_used: i64,
}

/// A line of a basket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What is bought.
    pub article: ArticleId,
    /// The categories that it is in. Those above them are known to the snapshot.
    #[serde(default)]
    pub categories: Vec<CategoryId>,
    /// Its brand.
    #[serde(default)]
    pub brand: Option<String>,
    /// How many.
    pub quantity: i64,
    /// The price of one.
    pub price: i64,
    /// What the till took off the whole line by itself.
    #[serde(default)]
    pub discount: i64,
    /// Whether points may pay for it.
    pub payable: bool,
    /// What the till took off the whole line because of rules, beside its own discount; none: nothing is paid yet.
    #[serde(default)]
    pub taken: Option<i64>,
}

impl Line {
    /// What it costs before any rule; nothing where nothing is bought.
    pub fn amount(&self) -> i64 {
        self.quantity
            .max(0)
            .saturating_mul(self.price)
            .saturating_sub(self.discount)
            .max(0)
    }
}

/// What is known besides the basket. What is not known holds no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// What happened.
    #[serde(default)]
    pub occasion: Occasion,
    /// In which shop.
    #[serde(default)]
    pub store: Option<StoreId>,
    /// In which region that shop is.
    #[serde(default)]
    pub region: Option<String>,
    /// In which way.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// How it is paid.
    #[serde(default)]
    pub payments: Vec<Payment>,
    /// The series of the coupons that were presented and are good.
    #[serde(default)]
    pub coupons: Vec<String>,
    /// Who buys, if anybody is known.
    #[serde(default)]
    pub buyer: Option<Buyer>,
    /// What rules with caps gave before; a rule that is not here gave nothing.
    #[serde(default)]
    pub used: BTreeMap<RuleId, Used>,
}

/// What is known of a customer. Days are the shop's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buyer {
    /// The birthday.
    #[serde(default)]
    pub birthday: Option<NaiveDate>,
    /// The children's.
    #[serde(default)]
    pub children: Vec<NaiveDate>,
    /// The day of registration.
    pub registered: NaiveDate,
    /// Memberships that hold at the moment.
    #[serde(default)]
    pub memberships: Vec<Membership>,
    /// The segments they are in.
    #[serde(default)]
    pub segments: Vec<String>,
    /// What they bought before, in the periods that [`Rules::windows`] asks for.
    #[serde(default)]
    pub history: Vec<(Window, History)>,
    /// The same of all that is booked by now, also with a later time in the same period. A period that is not here has nothing
    /// more.
    #[serde(default)]
    pub by_now: Vec<(Window, History)>,
    /// They registered by somebody's invitation.
    #[serde(default)]
    pub invited: bool,
    /// The promotions that they had switched on by then.
    #[serde(default)]
    pub activated: Vec<PromotionId>,
    /// How many other purchases of theirs are booked, also with a later time, and whatever came back; none: nobody counted.
    #[serde(default)]
    pub booked: Option<i64>,
}

/// A customer's membership in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// The program.
    pub program: ProgramId,
    /// The tier in it.
    #[serde(default)]
    pub tier: Option<TierId>,
}

/// What was bought in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// How many purchases of which something is kept.
    pub count: i64,
    /// What was paid less what was given back, in minor units.
    pub sum: i64,
}

/// What a rule gave before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Used {
    /// For this very purchase, of which these are lines that came later, in hundredths.
    #[serde(default)]
    pub purchase: i64,
    /// To this customer, today.
    #[serde(default)]
    pub day: Usage,
    /// To this customer.
    #[serde(default)]
    pub customer: Usage,
    /// To everybody.
    #[serde(default)]
    pub budget: Usage,
}

/// How much and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// In hundredths.
    #[serde(default)]
    pub value: i64,
    /// How many times.
    #[serde(default)]
    pub times: i64,
}
