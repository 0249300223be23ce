//! When the turn of a customer comes by the calendar: birthdays and years with the club, and for which of them a rule of
//! [`Occasion::Day`](super::Occasion::Day) has given already.

use super::ask::birthday;
use super::{Buyer, Condition, Range, Rule, Whose};
use chrono::{Datelike, Days, NaiveDate};
use std::collections::BTreeSet;

/// Days of a year with the club. Condition and period count alike, so no leap year makes one rule give twice.
pub const YEAR: i64 = 365;

/// What brings a rule of days round: its first condition on a birthday, else on the time since the registration. Conditions
/// within `any` and `not` are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A birthday. The period is the year in which the birthday lies.
    Birthday {
        /// Whose.
        of: Whose,
        /// From how many days before.
        before: u16,
        /// Until how many days after.
        after: u16,
    },
    /// Days since the registration. The period is the year with the club, of [`YEAR`] days each; the turn comes on the first
    /// day of a year that the range holds.
    Tenure(Range),
}

impl Rule {
    /// What brings it round, if anything does.
    pub fn turn(&self) -> Option<Turn> {
        let mut tenure = None;
        let mut open: Vec<&Condition> = self.conditions.iter().rev().collect();
        while let Some(condition) = open.pop() {
            match condition {
                Condition::Birthday { of, before, after } => {
                    return Some(Turn::Birthday {
                        of: *of,
                        before: *before,
                        after: *after,
                    });
                }
                Condition::Tenure(range) => tenure = tenure.or(Some(*range)),
                Condition::All(nested) => open.extend(nested.iter().rev()),
                _ => {}
            }
        }
        tenure.map(Turn::Tenure)
    }
}

impl Turn {
    /// The periods of which a day is a turn for somebody; the earliest first. Mostly there is one at most.
    pub fn periods(self, buyer: &Buyer, day: NaiveDate) -> Vec<String> {
        match self {
            Self::Birthday { of, before, after } => {
                let births = match of {
                    Whose::Customer => buyer.birthday.as_slice(),
                    Whose::Child => &buyer.children,
                };
                let years: BTreeSet<i32> = births
                    .iter()
                    .flat_map(|birth| {
                        let near = (day.year() - 1..=day.year() + 1).map(move |year| (year, birthday(*birth, year)));
                        near.filter(move |(_, date)| {
                            let away = (*date - day).num_days();
                            (-i64::from(after)..=i64::from(before)).contains(&away) && date >= birth
                        })
                    })
                    .map(|(year, _)| year)
                    .collect();
                years.into_iter().map(Self::birthdays_of).collect()
            }
            Self::Tenure(range) => {
                let days = (day - buyer.registered).num_days();
                let is_turn = days >= 0 && first_days(range, days).any(|first| first == days);
                is_turn.then(|| format!("year-{}", days / YEAR)).into_iter().collect()
            }
        }
    }

    /// The name of the period of the birthdays of a year.
    pub fn birthdays_of(year: i32) -> String {
        format!("birthday-{year}")
    }

    /// The birthdays of which a day is a turn, by the index: month and day as one number, and the year.
    pub fn birthdays(before: u16, after: u16, day: NaiveDate) -> Vec<(i64, i32)> {
        let first = day.checked_sub_days(Days::new(after.into())).unwrap_or(day);
        let mut found = Vec::new();
        for date in first.iter_days().take(usize::from(before) + usize::from(after) + 1) {
            let number = i64::from(date.month() * 100 + date.day());
            found.push((number, date.year()));
            // Who was born on 29 February has it on the 28th.
            if number == 228 && !date.leap_year() {
                found.push((229, date.year()));
            }
        }
        found
    }

    /// The days of registration whose turn a day is, by the range of a tenure, from `oldest` on.
    pub fn registrations(range: Range, day: NaiveDate, oldest: NaiveDate) -> Vec<NaiveDate> {
        let most = (day - oldest).num_days();
        let back = |days: i64| day.checked_sub_days(Days::new(days.unsigned_abs()));
        first_days(range, most).filter_map(back).collect()
    }
}

/// The days since the registration on which a turn comes, up to `most`: the first that the range holds, and the first of each
/// further year.
fn first_days(range: Range, most: i64) -> impl Iterator<Item = i64> {
    let least = range.at_least.unwrap_or(0).max(0);
    let most = most.min(range.at_most.unwrap_or(i64::MAX));
    let further = std::iter::successors((least / YEAR + 1).checked_mul(YEAR), |days| days.checked_add(YEAR));
    std::iter::once(least)
        .chain(further)
        .take_while(move |days| *days <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn turn(conditions: &str) -> Option<Turn> {
        super::super::tests::rule(&[conditions]).turn()
    }

    #[test]
    fn a_birthday_comes_before_a_tenure_and_not_from_within_any_or_not() {
        let own = r#"{"birthday": {"of": "customer", "before": 2}}"#;
        let tenure = r#"{"tenure": {"at_least": 30}}"#;
        let birthday = Some(Turn::Birthday {
            of: Whose::Customer,
            before: 2,
            after: 0,
        });
        assert_eq!(turn(&format!("{tenure}, {own}")), birthday);
        assert_eq!(turn(&format!(r#"{{"all": [{own}]}}"#)), birthday);
        assert_eq!(turn(tenure), Some(Turn::Tenure(Range::from(30))));
        assert_eq!(turn(&format!(r#"{{"any": [{own}]}}, {{"not": {tenure}}}"#)), None);
    }

    #[test]
    fn the_period_of_a_birthday_is_its_own_year() {
        let turn = Turn::Birthday {
            of: Whose::Customer,
            before: 7,
            after: 3,
        };
        let born = |text: &str| Buyer {
            birthday: Some(day(text)),
            ..Buyer::default()
        };
        let new_year = born("1990-01-02");
        assert_eq!(turn.periods(&new_year, day("2026-12-25")), [""; 0]);
        for date in ["2026-12-26", "2026-12-31", "2027-01-02", "2027-01-05"] {
            assert_eq!(turn.periods(&new_year, day(date)), ["birthday-2027"], "{date}");
        }
        assert_eq!(turn.periods(&new_year, day("2027-01-06")), [""; 0]);
        // Born on 29 February: on the 28th in other years, once in a leap year.
        let exactly = Turn::Birthday {
            of: Whose::Customer,
            before: 0,
            after: 0,
        };
        let leap = born("1992-02-29");
        assert_eq!(exactly.periods(&leap, day("2027-02-28")), ["birthday-2027"]);
        assert_eq!(exactly.periods(&leap, day("2027-03-01")), [""; 0]);
        assert_eq!(exactly.periods(&leap, day("2028-02-28")), [""; 0]);
        assert_eq!(exactly.periods(&leap, day("2028-02-29")), ["birthday-2028"]);
        // Nobody has a birthday before they were born.
        assert_eq!(exactly.periods(&born("2028-02-29"), day("2027-02-28")), [""; 0]);
        assert_eq!(Turn::birthdays(0, 0, day("2027-02-28")), [(228, 2027), (229, 2027)]);
        assert_eq!(Turn::birthdays(0, 0, day("2028-02-28")), [(228, 2028)]);
        assert_eq!(
            Turn::birthdays(1, 1, day("2026-12-31")),
            [(1230, 2026), (1231, 2026), (101, 2027)]
        );
    }

    #[test]
    fn a_tenure_comes_round_on_the_first_day_of_each_year_that_it_holds() {
        let since = |text: &str| Buyer {
            registered: day(text),
            ..Buyer::default()
        };
        let anna = since("2023-03-01");
        let periods = |range, date: &str| Turn::Tenure(range).periods(&anna, day(date));
        // 2024 is a leap year: 365 days are over on 29 February, and on 1 March nothing comes once more.
        assert_eq!(periods(Range::from(365), "2024-02-28"), [""; 0]);
        assert_eq!(periods(Range::from(365), "2024-02-29"), ["year-1"]);
        assert_eq!(periods(Range::from(365), "2024-03-01"), [""; 0]);
        assert_eq!(periods(Range::from(365), "2025-02-28"), ["year-2"]);
        assert_eq!(periods(Range::from(100), "2023-06-09"), ["year-0"]);
        let once = Range {
            at_least: Some(365),
            at_most: Some(400),
        };
        assert_eq!(periods(once, "2025-02-28"), [""; 0]);
        assert_eq!(periods(Range::up_to(10), "2023-03-01"), ["year-0"]);
        assert_eq!(
            Turn::registrations(Range::from(365), day("2025-02-28"), day("2022-01-01")),
            [day("2024-02-29"), day("2023-03-01"), day("2022-03-01")]
        );
    }
}
