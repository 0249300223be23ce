//! Whether a rule is for a basket, and if not, why not.

use super::explain::{Capped, Failure, Found};
use super::prepare::{Bits, Gate, Node, Prepared, Step, Test, channels, days, payments};
use super::{Basket, Buyer, Facts, History, Rules, Used, Whose, Window};
use crate::id::ProgramId;
use chrono::{DateTime, Datelike, NaiveDate, Utc, Weekday};
use std::ops::Range;

/// A line as conditions see it.
pub(super) struct Row {
    pub(super) amount: i64,
    price: i64,
    pub(super) quantity: i64,
    /// Its numbers in [`View::numbers`].
    numbers: Range<usize>,
}

/// How far birthdays are, in days.
#[derive(Clone, Copy, Default)]
struct Birthdays {
    since: Option<u16>,
    until: Option<u16>,
}

/// The basket and the facts, in the terms of the snapshot.
pub(super) struct View<'a> {
    facts: &'a Facts,
    pub(super) rows: Vec<Row>,
    numbers: Vec<u32>,
    /// All of them, each once.
    present: Vec<u32>,
    /// The places of the lines of which something is bought.
    bought: Vec<u32>,
    sum: i64,
    at: DateTime<Utc>,
    day: NaiveDate,
    weekday: Weekday,
    minute: u16,
    region: Option<u32>,
    segments: Vec<u32>,
    coupons: Vec<u32>,
    payments: Bits,
    channel: Bits,
    /// What was bought before, and what is booked by now.
    history: Vec<Option<(History, History)>>,
    own: Birthdays,
    children: Birthdays,
}

impl<'a> View<'a> {
    pub(super) fn new(
        rules: &Rules,
        basket: &Basket,
        facts: &'a Facts,
        at: DateTime<Utc>,
        day: NaiveDate,
        minute: u16,
    ) -> Self {
        let names = &rules.names;
        let mut rows = Vec::with_capacity(basket.lines.len());
        let mut numbers = Vec::with_capacity(basket.lines.len() * 2);
        let mut bought = Vec::with_capacity(basket.lines.len());
        let mut sum = 0_i64;
        for (line, place) in basket.lines.iter().zip(0_u32..) {
            let first = numbers.len();
            numbers.extend(names.article(line.article));
            numbers.extend(line.categories.iter().filter_map(|id| names.category(*id)));
            numbers.extend(line.brand.as_ref().and_then(|brand| names.brand(brand)));
            let amount = line.amount();
            rows.push(Row {
                amount,
                price: line.price,
                quantity: line.quantity,
                numbers: first..numbers.len(),
            });
            if line.quantity > 0 {
                bought.push(place);
            }
            sum = sum.saturating_add(amount);
        }
        let mut present = numbers.clone();
        present.sort_unstable();
        present.dedup();
        let codes = |codes: &[String]| codes.iter().filter_map(|code| names.code(code)).collect();
        let nobody = Buyer::default();
        let buyer = facts.buyer.as_ref().unwrap_or(&nobody);
        let of = |known: &[(Window, History)], window: &Window| {
            let found = known.iter().find(|(known, _)| known == window);
            found.map(|(_, sums)| *sums)
        };
        let history = |window: &Window| {
            let before = of(&buyer.history, window)?;
            Some((before, of(&buyer.by_now, window).unwrap_or(before)))
        };
        Self {
            facts,
            rows,
            numbers,
            present,
            bought,
            sum,
            at,
            day,
            weekday: day.weekday(),
            minute,
            region: facts.region.as_ref().and_then(|region| names.code(region)),
            segments: codes(&buyer.segments),
            coupons: codes(&facts.coupons),
            payments: payments(&facts.payments),
            channel: facts.channel.map_or(Bits::default(), |channel| channels(&[channel])),
            history: rules.windows.iter().map(history).collect(),
            own: Birthdays::of(buyer.birthday.as_slice(), day),
            children: Birthdays::of(&buyer.children, day),
        }
    }

    /// Whether points of a program may be given: to its members, and to nobody that is known, for whoever claims them.
    pub(super) fn may_earn(&self, program: ProgramId) -> bool {
        let buyer = self.facts.buyer.as_ref();
        buyer.is_none_or(|buyer| buyer.memberships.iter().any(|m| m.program == program))
    }

    /// Whether a condition of the basket holds, or what was found instead.
    fn gate(&self, gate: &Gate) -> Result<(), Found> {
        let buyer = || self.facts.buyer.as_ref().ok_or(Found::Nobody);
        let number = |range: &super::Range, n| if range.holds(n) { Ok(()) } else { Err(Found::Number(n)) };
        // What comes late was not there when others were told how many there are: a third purchase is the third once.
        let up_to_now = |range: &super::Range, before, by_now| {
            number(range, before)?;
            range
                .at_most
                .map_or(Ok(()), |most| number(&super::Range::up_to(most), by_now))
        };
        let any = |held: bool| if held { Ok(()) } else { Err(Found::Missing) };
        match gate {
            Gate::BasketSum(range) => number(range, self.sum),
            Gate::Contains { lines, quantity, sum } => {
                let (mut pieces, mut cost) = (0_i64, 0_i64);
                for &line in &self.bought {
                    let row = &self.rows[line as usize];
                    if lines.iter().all(|node| self.holds(node, Some(row))) {
                        pieces = pieces.saturating_add(row.quantity);
                        cost = cost.saturating_add(row.amount);
                    }
                }
                // A bound from zero up holds without a single line; what is contained has to be there.
                any(pieces > 0)?;
                number(quantity, pieces)?;
                number(sum, cost)
            }
            Gate::Store(stores) => match self.facts.store {
                Some(store) if stores.contains(&store) => Ok(()),
                Some(store) => Err(Found::Store(store)),
                None => Err(Found::Unknown),
            },
            Gate::Region(regions) => match self.region {
                Some(region) if regions.has_any(&[region]) => Ok(()),
                _ => Err(self.facts.store.map_or(Found::Unknown, Found::Store)),
            },
            Gate::Weekday(list) if list.meets(days(&[self.weekday])) => Ok(()),
            Gate::Weekday(_) => Err(Found::Day(self.day)),
            Gate::Hours { from, to, days: list } => {
                let today = list.meets(days(&[self.weekday]));
                let yesterday = || list.meets(days(&[self.weekday.pred()]));
                let held = if from < to {
                    today && (*from..*to).contains(&self.minute)
                } else {
                    (self.minute >= *from && today) || (self.minute < *to && yesterday())
                };
                if held {
                    Ok(())
                } else {
                    Err(Found::Time {
                        day: self.weekday,
                        minute: self.minute,
                    })
                }
            }
            Gate::Period { from, to } if (*from..=*to).contains(&self.day) => Ok(()),
            Gate::Period { .. } => Err(Found::Day(self.day)),
            Gate::Birthday { of, before, after } => {
                buyer()?;
                let birthdays = match of {
                    Whose::Customer => self.own,
                    Whose::Child => self.children,
                };
                let until = birthdays.until.ok_or(Found::Unknown)?;
                if until <= *before || birthdays.since.is_some_and(|since| since <= *after) {
                    Ok(())
                } else {
                    Err(Found::Birthday {
                        since: birthdays.since,
                        until,
                    })
                }
            }
            Gate::Tier { program, tiers } => {
                let memberships = &buyer()?.memberships;
                let tier = memberships.iter().find(|m| m.program == *program).and_then(|m| m.tier);
                if tier.is_some_and(|tier| tiers.contains(&tier)) {
                    Ok(())
                } else {
                    Err(Found::Tier(tier))
                }
            }
            Gate::Member(programs) => any(buyer()?.memberships.iter().any(|m| programs.contains(&m.program))),
            Gate::Tenure(range) => number(range, (self.day - buyer()?.registered).num_days()),
            Gate::Invited => any(buyer()?.invited),
            Gate::Activated(promotions) => any(buyer()?.activated.iter().any(|one| promotions.contains(one))),
            Gate::Count(window, range) => {
                buyer()?;
                let (before, by_now) = self.history[*window].ok_or(Found::Unknown)?;
                up_to_now(range, before.count, by_now.count)
            }
            Gate::Sum(window, range) => {
                buyer()?;
                let (before, by_now) = self.history[*window].ok_or(Found::Unknown)?;
                up_to_now(range, before.sum, by_now.sum)
            }
            Gate::First => match buyer()?.booked.ok_or(Found::Unknown)? {
                0 => Ok(()),
                others => Err(Found::Number(others)),
            },
            Gate::Segment(segments) => {
                buyer()?;
                any(segments.has_any(&self.segments))
            }
            Gate::Payment(list) if list.meets(self.payments) => Ok(()),
            Gate::Payment(_) => Err(self
                .facts
                .payments
                .first()
                .map_or(Found::Unknown, |first| Found::Payment(*first))),
            Gate::Channel(list) if list.meets(self.channel) => Ok(()),
            Gate::Channel(_) => Err(self.facts.channel.map_or(Found::Unknown, Found::Channel)),
            Gate::Coupon(series) => any(series.has_any(&self.coupons)),
        }
    }

    fn test(&self, test: &Test, row: &Row) -> bool {
        match test {
            Test::Is(numbers) => numbers.has_any(&self.numbers[row.numbers.clone()]),
            Test::Price(range) => range.holds(row.price),
            Test::Quantity(range) => range.holds(row.quantity),
            Test::Sum(range) => range.holds(row.amount),
        }
    }

    fn holds(&self, node: &Node, row: Option<&Row>) -> bool {
        match node {
            Node::All(nodes) => nodes.iter().all(|node| self.holds(node, row)),
            Node::Any(nodes) => nodes.iter().any(|node| self.holds(node, row)),
            Node::Not(node) => !self.holds(node, row),
            Node::Gate(gate) => self.gate(gate).is_ok(),
            Node::Test(test) => row.is_some_and(|row| self.test(test, row)),
        }
    }

    /// The first reason why a rule is not for this basket, or how much it may give. The lines that it chooses are added
    /// to `chosen`.
    pub(super) fn ask(&self, rule: &Prepared, chosen: &mut Vec<u32>) -> Result<i64, Failure> {
        if rule.occasion != self.facts.occasion {
            return Err(Failure::Occasion(rule.occasion));
        }
        if let Some(from) = rule.from
            && self.at < from
        {
            return Err(Failure::NotYet(from));
        }
        if let Some(until) = rule.until
            && self.at >= until
        {
            return Err(Failure::Over(until));
        }
        for Step { clause, node } in &rule.gates {
            let found = match node {
                Node::Gate(gate) => self.gate(gate),
                _ if self.holds(node, None) => Ok(()),
                Node::Not(_) => Err(Found::Present),
                _ => Err(Found::Missing),
            };
            found.map_err(|found| Failure::Condition { clause: *clause, found })?;
        }
        let first = chosen.len();
        chosen.extend_from_slice(&self.bought);
        for Step { clause, node } in &rule.choices {
            let before = chosen.len() - first;
            let mut kept = first;
            // Most rules name what is nowhere in the basket: that is seen without looking at every line.
            let absent = matches!(node, Node::Test(Test::Is(numbers)) if !numbers.has_any(&self.present));
            for place in if absent { 0..0 } else { first..chosen.len() } {
                let line = chosen[place];
                if self.holds(node, Some(&self.rows[line as usize])) {
                    chosen[kept] = line;
                    kept += 1;
                }
            }
            if kept == first {
                return Err(Failure::Condition {
                    clause: *clause,
                    found: Found::Lines(before.try_into().unwrap_or(u32::MAX)),
                });
            }
            chosen.truncate(kept);
        }
        let purchase = rule.caps.purchase.map_or(i64::MAX, |cap| {
            // Of a receipt that has grown there may be nothing left.
            cap.saturating_sub(self.used(rule).purchase).max(0)
        });
        if rule.counted {
            self.left(rule).map(|left| left.min(purchase))
        } else {
            Ok(purchase)
        }
    }

    /// What the rule gave before.
    fn used(&self, rule: &Prepared) -> Used {
        self.facts.used.get(&rule.by.id).copied().unwrap_or_default()
    }

    /// What earlier purchases left of the rule's caps and budget.
    fn left(&self, rule: &Prepared) -> Result<i64, Failure> {
        let used = self.used(rule);
        let caps = &rule.caps;
        let limits = [
            (caps.day, used.day, Capped::DayValue, Capped::DayTimes),
            (
                caps.customer,
                used.customer,
                Capped::CustomerValue,
                Capped::CustomerTimes,
            ),
            (caps.budget, used.budget, Capped::BudgetValue, Capped::BudgetTimes),
        ];
        let mut left = i64::MAX;
        for (limit, used, value, times) in limits {
            for (what, allowed, used) in [(times, limit.times, used.times), (value, limit.value, used.value)] {
                if let Some(allowed) = allowed
                    && used >= allowed
                {
                    return Err(Failure::UsedUp { what, allowed, used });
                }
            }
            left = left.min(
                limit
                    .value
                    .map_or(i64::MAX, |allowed| allowed.saturating_sub(used.value)),
            );
        }
        Ok(left)
    }
}

impl Birthdays {
    /// The nearest of some birthdays.
    fn of(births: &[NaiveDate], today: NaiveDate) -> Self {
        let mut nearest = Self::default();
        for birth in births {
            let this = birthday(*birth, today.year());
            let (last, next) = if this < today {
                (this, birthday(*birth, today.year() + 1))
            } else if this > today {
                (birthday(*birth, today.year() - 1), this)
            } else {
                (this, this)
            };
            let days = |from: NaiveDate, to: NaiveDate| u16::try_from((to - from).num_days()).ok();
            let least = |a: Option<u16>, b: Option<u16>| a.into_iter().chain(b).min();
            nearest.until = least(nearest.until, days(today, next));
            if last >= *birth {
                nearest.since = least(nearest.since, days(last, today));
            }
        }
        nearest
    }
}

/// The birthday in a year: 28 February for 29 February in a year without it.
pub(crate) fn birthday(birth: NaiveDate, year: i32) -> NaiveDate {
    birth
        .with_year(year)
        .or_else(|| NaiveDate::from_ymd_opt(year, 2, 28))
        .unwrap_or(birth)
}
