//! Why a rule did not apply: figures that a page puts into words, and that are kept with a posting. Together with the
//! version of the rule, which says what was expected, they explain it for good.

use super::{Channel, Condition, Occasion, Payment, Rule, RuleVersion};
use crate::id::{StoreId, TierId};
use chrono::{DateTime, NaiveDate, Utc, Weekday};
use serde::{Deserialize, Serialize};

/// The first thing that kept a rule from applying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Failure {
    /// It is for another occasion than this one.
    Occasion(Occasion),
    /// It holds only from this moment on.
    NotYet(DateTime<Utc>),
    /// It holds no more since this moment.
    Over(DateTime<Utc>),
    /// A condition does not hold.
    Condition {
        /// Which one, for [`Rule::clause`].
        clause: u16,
        /// What was found instead of what it expects.
        found: Found,
    },
    /// A cap or the budget is used up.
    UsedUp {
        /// Which.
        what: Capped,
        /// What it allows: hundredths, or how many times.
        allowed: i64,
        /// What was used of it before.
        used: i64,
    },
    /// Another rule of its group was granted.
    Group(RuleVersion),
    /// The lines that it chose have a discount of this rule, with which it does not go together.
    Closed(RuleVersion),
    /// There was nothing to give: nothing was paid, or no points to multiply.
    Nothing,
}

/// A cap that can be used up by earlier purchases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capped {
    /// The value to one customer on one day.
    DayValue,
    /// How many times to one customer on one day.
    DayTimes,
    /// The value to one customer.
    CustomerValue,
    /// How many times to one customer.
    CustomerTimes,
    /// The value of the budget.
    BudgetValue,
    /// How many times in all.
    BudgetTimes,
}

/// What was found where a condition expects something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Found {
    /// Nobody is known who buys.
    Nobody,
    /// It is not known.
    Unknown,
    /// Nothing of what was asked for.
    Missing,
    /// What is not allowed is there.
    Present,
    /// Of so many lines that the conditions before had chosen, none fits.
    Lines(u32),
    /// A number in the unit of the condition.
    Number(i64),
    /// Another shop.
    Store(StoreId),
    /// Another way to buy.
    Channel(Channel),
    /// Another way to pay; the first of them.
    Payment(Payment),
    /// Another tier of the program, or none.
    Tier(Option<TierId>),
    /// Another day of the calendar.
    Day(NaiveDate),
    /// Another time of the shop's wall clock.
    Time {
        /// The day of the week.
        day: Weekday,
        /// The minute of the day.
        minute: u16,
    },
    /// A birthday that is too far away, in days.
    Birthday {
        /// Since the last one, if there was one already.
        since: Option<u16>,
        /// Until the next one.
        until: u16,
    },
}

/// A condition of a rule, by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause<'a> {
    /// Where it stands in the rule's JSON (RFC 6901).
    pub pointer: String,
    /// What it expects.
    pub condition: &'a Condition,
}

impl Rule {
    /// The condition that a [`Failure`] means. Conditions are counted from 0 as they are read, each before those in it.
    pub fn clause(&self, number: u16) -> Option<Clause<'_>> {
        let mut left = usize::from(number);
        let top = self.conditions.iter().enumerate();
        top.map(|(i, condition)| (format!("/conditions/{i}"), condition))
            .find_map(|(pointer, condition)| find(pointer, condition, &mut left))
    }
}

/// The condition with `left` others before it, counting from this one.
fn find<'a>(pointer: String, condition: &'a Condition, left: &mut usize) -> Option<Clause<'a>> {
    let Some(less) = left.checked_sub(1) else {
        return Some(Clause { pointer, condition });
    };
    *left = less;
    let nested = condition.nested().into_iter();
    nested
        .map(|(rest, inner)| (format!("{pointer}{rest}"), inner))
        .find_map(|(pointer, inner)| find(pointer, inner, left))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{condition, rule};
    use super::*;

    #[test]
    fn clauses_are_counted_as_they_are_read() {
        let rule = rule(&[
            r#""first_purchase""#,
            r#"{"any": [{"all": [{"price": {"at_least": 1}}, {"channel": ["app"]}]}, {"not": {"quantity": {"at_most": 2}}}]}"#,
            r#"{"contains": {"lines": [{"line_sum": {"at_least": 5}}], "sum": {"at_least": 5}}}"#,
            r#"{"weekday": ["Mon"]}"#,
        ]);
        let pointers: Vec<_> = (0..=10).map(|n| rule.clause(n).map(|c| c.pointer)).collect();
        let expected = [
            "/conditions/0",
            "/conditions/1",
            "/conditions/1/any/0",
            "/conditions/1/any/0/all/0",
            "/conditions/1/any/0/all/1",
            "/conditions/1/any/1",
            "/conditions/1/any/1/not",
            "/conditions/2",
            "/conditions/2/contains/lines/0",
            "/conditions/3",
        ];
        assert_eq!(
            pointers,
            expected
                .map(|p| Some(p.to_owned()))
                .into_iter()
                .chain([None])
                .collect::<Vec<_>>()
        );
        let json = serde_json::to_value(&rule).expect("a rule is JSON");
        for number in 0..10 {
            let clause = rule.clause(number).expect("one of the ten");
            let there = json.pointer(&clause.pointer).expect("the pointer leads somewhere");
            assert_eq!(condition(&there.to_string()), *clause.condition);
        }
    }

    #[test]
    fn failures_are_kept_as_json() {
        let failures = [
            Failure::Nothing,
            Failure::NotYet(DateTime::UNIX_EPOCH),
            Failure::Condition {
                clause: 3,
                found: Found::Birthday { since: None, until: 40 },
            },
            Failure::Condition {
                clause: 0,
                found: Found::Tier(None),
            },
            Failure::UsedUp {
                what: Capped::DayTimes,
                allowed: 1,
                used: 1,
            },
        ];
        let json = serde_json::to_string(&failures).expect("failures are JSON");
        assert_eq!(
            json,
            concat!(
                r#"["nothing",{"not_yet":"1970-01-01T00:00:00Z"},"#,
                r#"{"condition":{"clause":3,"found":{"birthday":{"since":null,"until":40}}}},"#,
                r#"{"condition":{"clause":0,"found":{"tier":null}}},"#,
                r#"{"used_up":{"what":"day_times","allowed":1,"used":1}}]"#
            )
        );
        let back: [Failure; 5] = serde_json::from_str(&json).expect("and back");
        assert_eq!(back, failures);
    }
}
