//! What can be wrong with a rule that somebody wrote.

use super::{Caps, Condition, Dates, Each, Effect, Limit, Occasion, Place, Range, Rule, Span, WHOLE, Window};
use crate::flaw::Flaw;
use crate::lang::Localized;
use crate::purchase::AMOUNT_MAX;
use serde::{Deserialize, Serialize};

/// The longest name, code of a group, segment, region or series, in characters.
const NAME_MAX: usize = 200;
/// The longest key of a partner, in characters.
const PARTNER_MAX: usize = 40;
/// The longest message, in characters.
const TEXT_MAX: usize = 500;
/// The longest list, of articles say.
const LIST_MAX: usize = 10_000;
/// How many conditions a rule may have, all counted.
const CONDITIONS_MAX: usize = 100;
/// How deep they may lie in each other.
const DEPTH_MAX: usize = 5;
/// How many effects.
const EFFECTS_MAX: usize = 20;
/// The largest multiple, and share of points, in hundredths of a percent: a hundred times.
const TIMES_MAX: i64 = 100 * WHOLE;
/// The largest number of things, and of days.
const COUNT_MAX: i64 = 100_000;
/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// Half a year: windows of two birthdays do not meet.
const BIRTHDAY_MAX: u16 = 182;

/// The key of a partner as it is kept: up to 40 characters of `a` to `z`, digits and `-`.
pub fn partner_key(raw: &str) -> Result<String, Flaw> {
    let key = raw.trim();
    match key.len() {
        0 => Err(Flaw::Missing),
        _ if !key
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') =>
        {
            Err(Flaw::NotAKey)
        }
        n if n > PARTNER_MAX => Err(Flaw::TooLong { max: PARTNER_MAX }),
        _ => Ok(key.to_owned()),
    }
}

/// Something that is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Where, as a JSON pointer into the rule (RFC 6901).
    pub pointer: String,
    /// What.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Problem {
    /// Something has to stand there.
    Missing,
    /// More characters than allowed.
    TooLong {
        /// How many are allowed.
        max: usize,
    },
    /// More entries than allowed.
    TooMany {
        /// How many are allowed.
        max: usize,
    },
    /// Conditions lie too deep in each other.
    TooDeep {
        /// How deep they may.
        max: usize,
    },
    /// A number outside of what is allowed.
    OutOfRange {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// The end comes before the beginning, or with it.
    Backwards,
    /// Only conditions on a line belong here.
    NotOfLines,
    /// Makes sense only where something is bought.
    NeedsPurchase,
    /// What is asked day by day needs a birthday or the days since the registration, to come round for somebody.
    NeedsTurn,
    /// Not one of the choices here.
    NotAChoice,
    /// Not a key, as [`partner_key`] reads it.
    NotAKey,
    /// Only a rule that gives points can be paid for by somebody else.
    NeedsPoints,
    /// The shop has no such thing.
    Unknown,
}

/// Collects faults.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, pointer: impl Into<String>, problem: Problem) {
        self.0.push(Fault {
            pointer: pointer.into(),
            problem,
        });
    }

    fn number(&mut self, pointer: impl Into<String>, number: i64, min: i64, max: i64) {
        if !(min..=max).contains(&number) {
            self.add(pointer, Problem::OutOfRange { min, max });
        }
    }

    fn text(&mut self, pointer: &str, text: &str, max: usize) {
        if text.trim().is_empty() {
            self.add(pointer, Problem::Missing);
        } else if text.chars().count() > max {
            self.add(pointer, Problem::TooLong { max });
        }
    }

    fn localized(&mut self, pointer: &str, text: &Localized, max: usize) {
        self.text(&format!("{pointer}/ru"), &text.ru, max);
        self.text(&format!("{pointer}/en"), &text.en, max);
    }

    fn list<T>(&mut self, pointer: &str, list: &[T]) {
        if list.is_empty() {
            self.add(pointer, Problem::Missing);
        } else if list.len() > LIST_MAX {
            self.add(pointer, Problem::TooMany { max: LIST_MAX });
        }
    }

    fn names(&mut self, pointer: &str, names: &[String]) {
        self.list(pointer, names);
        for (i, name) in names.iter().take(LIST_MAX).enumerate() {
            self.text(&format!("{pointer}/{i}"), name, NAME_MAX);
        }
    }

    fn range(&mut self, pointer: &str, range: Range) {
        match (range.at_least, range.at_most) {
            (None, None) => self.add(pointer, Problem::Missing),
            (Some(least), Some(most)) if least > most => self.add(format!("{pointer}/at_most"), Problem::Backwards),
            _ => {
                for (name, bound) in [("at_least", range.at_least), ("at_most", range.at_most)] {
                    self.number(format!("{pointer}/{name}"), bound.unwrap_or(0), 0, i64::MAX);
                }
            }
        }
    }

    fn dates(&mut self, pointer: &str, dates: Dates) {
        match (dates.from, dates.to) {
            (None, None) => self.add(pointer, Problem::Missing),
            (Some(from), Some(to)) if from > to => self.add(format!("{pointer}/to"), Problem::Backwards),
            _ => {}
        }
    }

    fn window(&mut self, pointer: &str, window: Window) {
        match window {
            Window::Ever | Window::Month | Window::Year => {}
            Window::Last(span) => self.span(&format!("{pointer}/last"), span),
            Window::Between { from, to } => {
                if from > to {
                    self.add(format!("{pointer}/between/to"), Problem::Backwards);
                }
            }
        }
    }

    fn span(&mut self, pointer: &str, span: Span) {
        match span {
            Span::Days(days) => self.number(format!("{pointer}/days"), days.into(), 1, 3660),
            Span::Months(months) => self.number(format!("{pointer}/months"), months.into(), 1, 120),
        }
    }

    fn condition(&mut self, pointer: &str, condition: &Condition, depth: usize) {
        if depth > DEPTH_MAX {
            return self.add(pointer, Problem::TooDeep { max: DEPTH_MAX });
        }
        let at = |name: &str| format!("{pointer}/{name}");
        match condition {
            Condition::Article(list) => self.list(&at("article"), list),
            Condition::Category(list) => self.list(&at("category"), list),
            Condition::Brand(names) => self.names(&at("brand"), names),
            Condition::Price(range) => self.range(&at("price"), *range),
            Condition::Quantity(range) => self.range(&at("quantity"), *range),
            Condition::LineSum(range) => self.range(&at("line_sum"), *range),
            Condition::BasketSum(range) => self.range(&at("basket_sum"), *range),
            Condition::Contains { lines, quantity, sum } => {
                self.list(&at("contains/lines"), lines);
                match (quantity.is_open(), sum.is_open()) {
                    (true, true) => self.add(at("contains/quantity"), Problem::Missing),
                    (false, true) => self.range(&at("contains/quantity"), *quantity),
                    (true, false) => self.range(&at("contains/sum"), *sum),
                    (false, false) => {
                        self.range(&at("contains/quantity"), *quantity);
                        self.range(&at("contains/sum"), *sum);
                    }
                }
                for (i, line) in lines.iter().enumerate() {
                    self.of_lines(&format!("{pointer}/contains/lines/{i}"), line);
                }
            }
            Condition::Store(list) => self.list(&at("store"), list),
            Condition::Region(names) => self.names(&at("region"), names),
            Condition::Weekday(days) => self.list(&at("weekday"), days),
            Condition::Hours { from, to, .. } => {
                self.number(at("hours/from"), (*from).into(), 0, (DAY - 1).into());
                self.number(at("hours/to"), (*to).into(), 0, DAY.into());
                // The same minute twice could be the whole day as well as no time at all.
                if from == to {
                    self.add(at("hours/to"), Problem::Backwards);
                }
            }
            Condition::Period(dates) => self.dates(&at("period"), *dates),
            Condition::Birthday { before, after, .. } => {
                self.number(at("birthday/before"), (*before).into(), 0, BIRTHDAY_MAX.into());
                self.number(at("birthday/after"), (*after).into(), 0, BIRTHDAY_MAX.into());
            }
            Condition::Tier { tiers, .. } => self.list(&at("tier/tiers"), tiers),
            Condition::Member(list) => self.list(&at("member"), list),
            Condition::Tenure(range) => self.range(&at("tenure"), *range),
            Condition::PurchaseCount { window, count } => {
                self.window(&at("purchase_count/window"), *window);
                self.range(&at("purchase_count/count"), *count);
            }
            Condition::PurchaseSum { window, sum } => {
                self.window(&at("purchase_sum/window"), *window);
                self.range(&at("purchase_sum/sum"), *sum);
            }
            Condition::FirstPurchase | Condition::Invited => {}
            Condition::Activated(list) => self.list(&at("activated"), list),
            Condition::Segment(names) => self.names(&at("segment"), names),
            Condition::Payment(list) => self.list(&at("payment"), list),
            Condition::Channel(list) => self.list(&at("channel"), list),
            Condition::Coupon(names) => self.names(&at("coupon"), names),
            Condition::All(list) => self.list(&at("all"), list),
            Condition::Any(list) => self.list(&at("any"), list),
            Condition::Not(_) => {}
        }
        for (rest, inner) in condition.nested() {
            self.condition(&format!("{pointer}{rest}"), inner, depth + 1);
        }
    }

    /// What is in `contains` asks about lines and nothing else.
    fn of_lines(&mut self, pointer: &str, condition: &Condition) {
        match condition {
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) => {
                for (rest, inner) in condition.nested() {
                    self.of_lines(&format!("{pointer}{rest}"), inner);
                }
            }
            _ if condition.is_of_lines() => {}
            _ => self.add(pointer, Problem::NotOfLines),
        }
    }

    fn effect(&mut self, pointer: &str, effect: &Effect, occasion: Occasion) {
        let at = |name: &str| format!("{pointer}/{name}");
        match effect {
            Effect::PercentOff { share, each } => {
                self.number(at("percent_off/share"), *share, 1, WHOLE);
                if *each == Each::Unit {
                    self.add(at("percent_off/each"), Problem::NotAChoice);
                }
            }
            Effect::AmountOff { amount, .. } => self.number(at("amount_off/amount"), *amount, 1, AMOUNT_MAX),
            Effect::CheapestFree { of } => self.number(at("cheapest_free/of"), *of, 2, COUNT_MAX),
            Effect::PointsShare { share, .. } => self.number(at("points_share/share"), *share, 1, TIMES_MAX),
            Effect::PointsPer { points, per, .. } => {
                self.number(at("points_per/points"), *points, 1, AMOUNT_MAX);
                self.number(at("points_per/per"), *per, 1, AMOUNT_MAX);
            }
            Effect::PointsTimes { factor, .. } => {
                self.number(at("points_times/factor"), *factor, WHOLE + 1, TIMES_MAX);
            }
            Effect::PointsFixed { points, .. } => self.number(at("points_fixed/points"), *points, 1, AMOUNT_MAX),
            Effect::Gift { quantity, .. } => self.number(at("gift/quantity"), *quantity, 1, COUNT_MAX),
            Effect::Coupon { series } => self.text(&at("coupon/series"), series, NAME_MAX),
            Effect::Message { text, .. } => self.localized(&at("message/text"), text, TEXT_MAX),
        }
        let is_of_purchase = match effect {
            Effect::PercentOff { .. }
            | Effect::AmountOff { .. }
            | Effect::CheapestFree { .. }
            | Effect::PointsShare { .. }
            | Effect::PointsPer { .. }
            | Effect::PointsTimes { .. }
            | Effect::Gift { .. } => true,
            Effect::PointsFixed { each, .. } => *each != Each::Purchase,
            Effect::Message { to, .. } => *to != Place::Customer,
            Effect::Coupon { .. } => false,
        };
        let is_purchase = occasion == Occasion::Purchase;
        if is_of_purchase && !is_purchase {
            self.add(pointer, Problem::NeedsPurchase);
        }
        if is_purchase
            && matches!(
                effect,
                Effect::Message {
                    to: Place::Customer,
                    ..
                }
            )
        {
            self.add(at("message/to"), Problem::NotAChoice);
        }
    }

    fn caps(&mut self, caps: &Caps) {
        for (name, cap) in [("line", caps.line), ("purchase", caps.purchase)] {
            self.number(format!("/caps/{name}"), cap.unwrap_or(1), 1, i64::MAX);
        }
        let limits = [("day", caps.day), ("customer", caps.customer), ("budget", caps.budget)];
        for (name, Limit { value, times }) in limits {
            self.number(format!("/caps/{name}/value"), value.unwrap_or(1), 1, i64::MAX);
            self.number(format!("/caps/{name}/times"), times.unwrap_or(1), 1, i64::MAX);
        }
    }
}

/// How many conditions there are in one, itself counted.
pub(super) fn size(condition: &Condition) -> usize {
    1 + condition
        .nested()
        .into_iter()
        .map(|(_, inner)| size(inner))
        .sum::<usize>()
}

impl Rule {
    /// Everything that is wrong with it; nothing when it may be published.
    pub fn validate(&self) -> Vec<Fault> {
        let mut faults = Faults::default();
        faults.localized("/name", &self.name, NAME_MAX);
        if let Some(group) = &self.group {
            faults.text("/group", group, NAME_MAX);
        }
        if let (Some(from), Some(until)) = (self.valid.from, self.valid.until)
            && from >= until
        {
            faults.add("/valid/until", Problem::Backwards);
        }
        if self.conditions.iter().map(size).sum::<usize>() > CONDITIONS_MAX {
            faults.add("/conditions", Problem::TooMany { max: CONDITIONS_MAX });
        }
        for (i, condition) in self.conditions.iter().enumerate() {
            let pointer = format!("/conditions/{i}");
            if self.occasion != Occasion::Purchase && condition.is_of_purchase() {
                faults.add(&pointer, Problem::NeedsPurchase);
            }
            faults.condition(&pointer, condition, 1);
        }
        if self.occasion == Occasion::Day && self.turn().is_none() {
            faults.add("/conditions", Problem::NeedsTurn);
        }
        match self.effects.len() {
            0 => faults.add("/effects", Problem::Missing),
            n if n > EFFECTS_MAX => faults.add("/effects", Problem::TooMany { max: EFFECTS_MAX }),
            _ => {}
        }
        for (i, effect) in self.effects.iter().enumerate() {
            faults.effect(&format!("/effects/{i}"), effect, self.occasion);
        }
        faults.caps(&self.caps);
        if let Some(partner) = &self.funded_by {
            if partner_key(partner).as_ref() != Ok(partner) {
                faults.add("/funded_by", Problem::NotAKey);
            }
            // Only points are billed to a partner.
            if self.effects.iter().all(|effect| effect.program().is_none()) {
                faults.add("/funded_by", Problem::NeedsPoints);
            }
        }
        faults.0
    }
}
