//! Tiers of a program: which one a customer has on a day, why, and what the next one needs.
//!
//! A tier is the result of the whole history up to a day and of nothing else. So the work that brings tiers up to date
//! may run late, twice or on several nodes, and a purchase that arrives late is counted on its own day. A discount that
//! grows with what was bought in a period is a rule with [`Condition::PurchaseSum`](super::Condition::PurchaseSum), or
//! with [`Condition::Tier`](super::Condition::Tier) where it is to be kept for a while.

#[cfg(feature = "store")]
pub mod store;

use super::{Fault, Problem, Span, Window};
use crate::id::TierId;
use crate::lang::Localized;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// How many days ahead [`Tiers::changes_on`] looks.
const AHEAD: usize = 366;

/// How many days ahead [`Tiers::lost_on`] looks: who keeps a tier for longer need not be told until when.
const FAR: usize = 3 * 366;

/// The tiers of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tiers {
    /// What is counted.
    pub measure: Measure,
    /// In which period.
    pub window: Window,
    /// What happens to a tier that is not earned any more.
    pub downgrade: Downgrade,
    /// How long it is kept all the same; none: not a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<Span>,
    /// The tiers, the lowest first.
    pub tiers: Vec<Tier>,
}

/// A tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Its id.
    pub id: TierId,
    /// What it is called.
    pub name: Localized,
    /// From how much on: minor units, or purchases. The lowest may begin at 0.
    pub threshold: i64,
}

/// What makes a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// What was paid less what was given back, in minor units.
    Sum,
    /// How many purchases of which something is kept.
    Count,
}

/// What happens to a tier that is not earned any more, when its grace is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Downgrade {
    /// It is kept for good.
    Never,
    /// The next lower one takes its place, and has a grace of its own.
    Step,
    /// The one that is earned takes its place.
    Earned,
}

/// A purchase, or a return with a sum below zero, on a day of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bought {
    /// The day.
    pub day: NaiveDate,
    /// What was paid, in minor units.
    pub sum: i64,
    /// Something was bought, and not all of it came back.
    pub is_kept: bool,
}

/// Where a customer stands on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The tier, if there is one.
    pub tier: Option<TierId>,
    /// The day on which it began.
    pub since: Option<NaiveDate>,
    /// What was counted in the period.
    pub counted: i64,
    /// Why it is this one.
    pub why: Why,
    /// The next higher one.
    pub next: Option<Next>,
}

/// Why a customer has a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Why {
    /// What was counted is enough for it; or for none, where there is none.
    Earned,
    /// It was earned before and is kept until the day before this one, unless it is earned again.
    Grace {
        /// The first day on which it is lost.
        until: NaiveDate,
    },
    /// It was earned before, and is never lost.
    Kept,
}

/// What the next tier needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Next {
    /// The tier.
    pub tier: TierId,
    /// From how much on.
    pub threshold: i64,
    /// How much is missing.
    pub missing: i64,
}

impl Next {
    /// True when it is within reach: a fifth is missing at most, or one purchase.
    pub fn is_near(&self, measure: Measure) -> bool {
        let is_little = self.missing.saturating_mul(5) <= self.threshold;
        self.missing > 0 && (is_little || (measure == Measure::Count && self.missing == 1))
    }
}

impl Tiers {
    /// Everything that is wrong with them; pointers are JSON pointers.
    pub fn validate(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut add = |pointer: String, problem| faults.push(Fault { pointer, problem });
        if self.tiers.is_empty() {
            add("/tiers".into(), Problem::Missing);
        }
        let mut least = 0;
        for (i, tier) in self.tiers.iter().enumerate() {
            if tier.threshold < least {
                add(
                    format!("/tiers/{i}/threshold"),
                    Problem::OutOfRange {
                        min: least,
                        max: i64::MAX,
                    },
                );
            }
            least = tier.threshold.max(least).saturating_add(1);
            if self.tiers[..i].iter().any(|other| other.id == tier.id) {
                add(format!("/tiers/{i}/id"), Problem::NotAChoice);
            }
            for (lang, name) in [("ru", &tier.name.ru), ("en", &tier.name.en)] {
                if name.trim().is_empty() {
                    add(format!("/tiers/{i}/name/{lang}"), Problem::Missing);
                }
            }
        }
        let graceless = match self.grace {
            // Without a grace the steps would be of a day each.
            None => self.downgrade == Downgrade::Step,
            Some(Span::Days(length) | Span::Months(length)) => length == 0,
        };
        if graceless {
            add("/grace".into(), Problem::Missing);
        }
        faults
    }

    /// Where a customer stands on a day of the shop, by what they bought until then, that day included; what is later is
    /// not looked at. `bought` is sorted by day.
    pub fn standing(&self, bought: &[Bought], today: NaiveDate) -> Standing {
        let (held, mut counted) = self.walk(bought, today);
        let tier = |place: usize| self.tiers.get(place);
        let above = held.place.map_or(0, |place| place + 1);
        Standing {
            tier: held.place.and_then(tier).map(|tier| tier.id),
            since: held.since,
            counted: counted.on(today),
            why: held.why(self),
            next: tier(above).map(|next| Next {
                tier: next.id,
                threshold: next.threshold,
                missing: next.threshold.saturating_sub(counted.on(today)).max(0),
            }),
        }
    }

    /// The next day on which a customer stands differently although nothing more is bought; or, where that is more than a
    /// year away, the last one that was looked at. What is there of later days already is counted on its day.
    pub fn changes_on(&self, bought: &[Bought], today: NaiveDate) -> NaiveDate {
        let (mut held, mut counted) = self.walk(bought, today);
        let before = (held.place, held.why(self));
        let mut last = today;
        for day in today.iter_days().skip(1).take(AHEAD) {
            last = day;
            held.pass(self, self.earned(counted.on(day)), day);
            if (held.place, held.why(self)) != before {
                break;
            }
        }
        last
    }

    /// The first day on which a customer's tier is lost if nothing more is bought; none where there is none to lose, where it
    /// is kept for good, and where that is years away.
    pub fn lost_on(&self, bought: &[Bought], today: NaiveDate) -> Option<NaiveDate> {
        let (mut held, mut counted) = self.walk(bought, today);
        let place = held.place?;
        today.iter_days().skip(1).take(FAR).find(|day| {
            held.pass(self, self.earned(counted.on(*day)), *day);
            held.place < Some(place)
        })
    }

    /// The tier of this id.
    pub fn get(&self, id: TierId) -> Option<&Tier> {
        self.tiers.iter().find(|tier| tier.id == id)
    }

    /// Lets the days pass from the first purchase until today.
    fn walk<'a>(&'a self, bought: &'a [Bought], today: NaiveDate) -> (Held, Counted<'a>) {
        let mut held = Held::new(self);
        let mut counted = Counted::new(self, bought);
        let first = bought.first().map_or(today, |first| first.day.min(today));
        // Day by day: simpler than knowing beforehand on which days something changes, and some years are microseconds.
        for day in first.iter_days().take_while(|day| *day <= today) {
            held.pass(self, self.earned(counted.on(day)), day);
        }
        (held, counted)
    }

    /// The place of the highest tier that is earned with this much.
    fn earned(&self, counted: i64) -> Option<usize> {
        self.tiers
            .partition_point(|tier| tier.threshold <= counted)
            .checked_sub(1)
    }
}

/// What a period holds, as days pass.
struct Counted<'a> {
    tiers: &'a Tiers,
    bought: &'a [Bought],
    /// The first purchase in the period, and the first after it.
    from: usize,
    to: usize,
    sum: i128,
    count: i64,
}

impl<'a> Counted<'a> {
    fn new(tiers: &'a Tiers, bought: &'a [Bought]) -> Self {
        Self {
            tiers,
            bought,
            from: 0,
            to: 0,
            sum: 0,
            count: 0,
        }
    }

    /// What is counted on a day; days come in their order.
    fn on(&mut self, day: NaiveDate) -> i64 {
        let (first, last) = self.tiers.window.days(day);
        while let Some(one) = self.bought.get(self.to).filter(|one| one.day <= day.min(last)) {
            self.add(one, 1);
            self.to += 1;
        }
        while let Some(one) = self.bought[..self.to].get(self.from).filter(|one| one.day < first) {
            self.add(one, -1);
            self.from += 1;
        }
        match self.tiers.measure {
            Measure::Sum => i64::try_from(self.sum).unwrap_or(if self.sum < 0 { i64::MIN } else { i64::MAX }),
            Measure::Count => self.count,
        }
    }

    fn add(&mut self, one: &Bought, sign: i64) {
        self.sum += i128::from(one.sum) * i128::from(sign);
        if one.is_kept && one.sum > 0 {
            self.count += sign;
        }
    }
}

/// The tier that is held, as days pass. Tiers are places among the program's.
struct Held {
    place: Option<usize>,
    since: Option<NaiveDate>,
    /// The one that is earned.
    earned: Option<usize>,
    /// Of each tier that is not earned any more: the day on which its grace is over.
    until: Vec<NaiveDate>,
}

impl Held {
    fn new(tiers: &Tiers) -> Self {
        Self {
            place: None,
            since: None,
            earned: None,
            until: vec![NaiveDate::MIN; tiers.tiers.len()],
        }
    }

    /// A day begins on which a tier is earned.
    fn pass(&mut self, tiers: &Tiers, earned: Option<usize>, day: NaiveDate) {
        let grace = tiers.grace.map_or(day, |grace| grace.after(day));
        let above = |place: Option<usize>| place.map_or(0, |place| place + 1);
        // Each tier has its own grace: with the highest of a year lost, the one that was earned in the next year holds.
        for lost in self.until.iter_mut().take(above(self.earned)).skip(above(earned)) {
            *lost = grace;
        }
        self.earned = earned;
        let kept = self.until.iter().rposition(|until| day < *until).max(earned);
        if kept >= self.place {
            return self.take(kept, day);
        }
        match tiers.downgrade {
            Downgrade::Never => {}
            Downgrade::Earned => self.take(kept, day),
            Downgrade::Step => {
                let lower = self.place.and_then(|place| place.checked_sub(1));
                if let Some(lower) = lower {
                    self.until[lower] = self.until[lower].max(grace);
                }
                self.take(lower, day);
            }
        }
    }

    fn take(&mut self, place: Option<usize>, day: NaiveDate) {
        if place != self.place {
            self.place = place;
            self.since = place.map(|_| day);
        }
    }

    fn why(&self, tiers: &Tiers) -> Why {
        match self.place {
            Some(place) if self.earned < Some(place) => match tiers.downgrade {
                Downgrade::Never => Why::Kept,
                Downgrade::Step | Downgrade::Earned => Why::Grace {
                    until: self.until[place],
                },
            },
            _ => Why::Earned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(n: u128) -> TierId {
        TierId(uuid::Uuid::from_u128(n))
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn tiers(window: Window, downgrade: Downgrade, grace: Option<Span>) -> Tiers {
        let tier = |n, threshold| Tier {
            id: id(n),
            name: Localized::new("Ступень", "Tier"),
            threshold,
        };
        Tiers {
            measure: Measure::Sum,
            window,
            downgrade,
            grace,
            tiers: vec![tier(1, 1_000_00), tier(2, 5_000_00), tier(3, 20_000_00)],
        }
    }

    fn bought(list: &[(&str, i64)]) -> Vec<Bought> {
        list.iter()
            .map(|(on, sum)| Bought {
                day: day(on),
                sum: *sum,
                is_kept: *sum > 0,
            })
            .collect()
    }

    const YEAR: Window = Window::Last(Span::Months(12));

    #[test]
    fn a_threshold_is_reached_on_the_spot() {
        let tiers = tiers(YEAR, Downgrade::Earned, None);
        let history = bought(&[("2026-03-01", 999_99), ("2026-03-02", 1), ("2026-04-01", 4_000_00)]);
        let at = |on| tiers.standing(&history, day(on));
        assert_eq!(at("2026-03-01").tier, None);
        assert_eq!(
            at("2026-03-01").next,
            Some(Next {
                tier: id(1),
                threshold: 1_000_00,
                missing: 1
            })
        );
        assert_eq!(
            (at("2026-03-02").tier, at("2026-03-02").since),
            (Some(id(1)), Some(day("2026-03-02")))
        );
        let best = at("2026-04-01");
        assert_eq!(
            (best.tier, best.counted, best.why),
            (Some(id(2)), 5_000_00, Why::Earned)
        );
        assert_eq!(best.next.map(|n| n.missing), Some(15_000_00));
        assert_eq!(tiers.standing(&[], day("2026-04-01")).tier, None);
    }

    #[test]
    fn the_day_on_which_a_tier_is_lost_is_told_before() {
        let history = bought(&[("2024-02-29", 1_000_00)]);
        let lost = |downgrade, grace, on| tiers(YEAR, downgrade, grace).lost_on(&history, day(on));
        let month = Some(Span::Days(30));
        assert_eq!(lost(Downgrade::Earned, None, "2024-02-29"), Some(day("2025-03-01")));
        assert_eq!(lost(Downgrade::Earned, month, "2024-02-29"), Some(day("2025-03-31")));
        assert_eq!(lost(Downgrade::Earned, month, "2025-03-30"), Some(day("2025-03-31")));
        assert_eq!(lost(Downgrade::Earned, month, "2025-03-31"), None, "it is lost");
        assert_eq!(lost(Downgrade::Never, None, "2024-02-29"), None);
        let ever = tiers(Window::Ever, Downgrade::Earned, None);
        assert_eq!(ever.lost_on(&history, day("2024-02-29")), None);
    }

    #[test]
    fn a_rolling_year_ends_on_its_day() {
        let tiers = tiers(YEAR, Downgrade::Earned, None);
        let history = bought(&[("2024-02-29", 1_000_00)]);
        assert_eq!(tiers.standing(&history, day("2025-02-27")).tier, Some(id(1)));
        assert_eq!(tiers.standing(&history, day("2025-02-28")).tier, Some(id(1)));
        assert_eq!(tiers.standing(&history, day("2025-03-01")).tier, None);
    }

    #[test]
    fn a_grace_keeps_what_is_lost_and_ends_when_it_is_earned_again() {
        let tiers = tiers(YEAR, Downgrade::Earned, Some(Span::Days(30)));
        let mut history = bought(&[("2025-01-10", 5_000_00)]);
        let until = day("2026-02-09");
        let at = |history: &[Bought], on| tiers.standing(history, day(on));
        assert_eq!(at(&history, "2026-01-09").why, Why::Earned);
        let graced = at(&history, "2026-01-10");
        assert_eq!(
            (graced.tier, graced.why, graced.counted),
            (Some(id(2)), Why::Grace { until }, 0)
        );
        assert_eq!(at(&history, "2026-02-08").tier, Some(id(2)));
        assert_eq!(at(&history, "2026-02-09").tier, None);
        history.extend(bought(&[("2026-02-08", 5_000_00)]));
        let again = at(&history, "2026-02-09");
        assert_eq!((again.tier, again.why), (Some(id(2)), Why::Earned));
        assert_eq!(again.since, Some(day("2025-01-10")));
    }

    #[test]
    fn a_calendar_year_holds_through_the_next_one() {
        let tiers = tiers(Window::Year, Downgrade::Earned, Some(Span::Months(12)));
        let history = bought(&[("2027-05-05", 5_000_00), ("2028-07-01", 1_000_00)]);
        let at = |on| tiers.standing(&history, day(on));
        // 2028 is a leap year: a grace of 365 days would end too early.
        assert_eq!(at("2028-12-31").tier, Some(id(2)));
        assert_eq!(
            at("2028-12-31").why,
            Why::Grace {
                until: day("2029-01-01")
            }
        );
        let next = at("2029-01-01");
        assert_eq!(
            (next.tier, next.why),
            (
                Some(id(1)),
                Why::Grace {
                    until: day("2030-01-01")
                }
            )
        );
        assert_eq!(at("2030-01-01").tier, None);
    }

    #[test]
    fn a_step_is_one_tier_each_grace() {
        let tiers = tiers(YEAR, Downgrade::Step, Some(Span::Months(1)));
        let history = bought(&[("2025-01-10", 20_000_00)]);
        let at = |on| tiers.standing(&history, day(on)).tier;
        assert_eq!(at("2026-02-09"), Some(id(3)));
        assert_eq!(at("2026-02-10"), Some(id(2)));
        assert_eq!(at("2026-03-09"), Some(id(2)));
        assert_eq!(at("2026-03-10"), Some(id(1)));
        assert_eq!(at("2026-04-10"), None);
    }

    #[test]
    fn what_is_never_lost_stays() {
        let tiers = tiers(Window::Last(Span::Days(1)), Downgrade::Never, None);
        let history = bought(&[("2020-01-01", 20_000_00)]);
        let standing = tiers.standing(&history, day("2026-11-26"));
        assert_eq!((standing.tier, standing.why), (Some(id(3)), Why::Kept));
        assert_eq!(standing.next, None);
    }

    #[test]
    fn returns_count_against_the_sum_and_are_no_purchase() {
        let mut tiers = tiers(Window::Ever, Downgrade::Earned, None);
        let history = bought(&[("2026-01-01", 5_000_00), ("2026-01-02", -1)]);
        assert_eq!(tiers.standing(&history, day("2026-01-01")).tier, Some(id(2)));
        assert_eq!(tiers.standing(&history, day("2026-01-02")).tier, Some(id(1)));
        tiers.measure = Measure::Count;
        assert_eq!(tiers.standing(&history, day("2026-01-02")).counted, 1);
        let mut back = history;
        back[0].is_kept = false;
        assert_eq!(
            tiers.standing(&back, day("2026-01-02")).counted,
            0,
            "all of it came back"
        );
        let huge = bought(&[
            ("2026-01-01", i64::MAX),
            ("2026-01-01", i64::MAX),
            ("2026-01-02", i64::MIN),
        ]);
        tiers.measure = Measure::Sum;
        assert_eq!(tiers.standing(&huge, day("2026-01-01")).counted, i64::MAX);
        assert_eq!(tiers.standing(&huge, day("2026-01-02")).counted, i64::MAX - 1);
    }

    #[test]
    fn days_of_a_campaign_count_only_themselves() {
        let window = Window::Between {
            from: day("2026-03-01"),
            to: day("2026-03-31"),
        };
        let tiers = tiers(window, Downgrade::Earned, None);
        let history = bought(&[("2026-02-28", 7), ("2026-03-01", 1_000_00), ("2026-04-01", 7)]);
        assert_eq!(tiers.standing(&history, day("2026-02-28")).counted, 0);
        assert_eq!(tiers.standing(&history, day("2026-12-31")).counted, 1_000_00);
        assert_eq!(tiers.standing(&history, day("2026-12-31")).tier, Some(id(1)));
    }

    #[test]
    fn thresholds_rise_and_steps_need_a_grace() {
        let mut tiers = tiers(YEAR, Downgrade::Step, Some(Span::Days(1)));
        assert_eq!(tiers.validate(), []);
        tiers.grace = None;
        tiers.tiers[1].threshold = 1_000_00;
        tiers.tiers[2].name.en = " ".into();
        let pointers: Vec<_> = tiers.validate().into_iter().map(|f| f.pointer).collect();
        assert_eq!(pointers, ["/tiers/1/threshold", "/tiers/2/name/en", "/grace"]);
        tiers.tiers[1].id = id(1);
        assert!(tiers.validate().iter().any(|f| f.pointer == "/tiers/1/id"));
        tiers.downgrade = Downgrade::Earned;
        assert!(tiers.validate().iter().all(|f| f.pointer != "/grace"));
        tiers.grace = Some(Span::Months(0));
        assert!(tiers.validate().iter().any(|f| f.pointer == "/grace"));
    }

    #[test]
    fn the_next_change_is_known_beforehand() {
        let tiers = tiers(YEAR, Downgrade::Earned, Some(Span::Days(30)));
        let history = bought(&[("2025-01-10", 5_000_00)]);
        let next = |history: &[Bought], on| tiers.changes_on(history, day(on));
        assert_eq!(next(&history, "2025-01-10"), day("2026-01-10"), "the grace begins");
        assert_eq!(next(&history, "2026-01-10"), day("2026-02-09"), "and ends");
        assert_eq!(next(&history, "2026-02-09"), day("2027-02-10"), "nothing comes after");
        assert_eq!(next(&[], "2026-02-09"), day("2027-02-10"));
        // A till's clock may be ahead.
        let ahead = bought(&[("2025-01-11", 1_000_00)]);
        assert_eq!(next(&ahead, "2025-01-10"), day("2025-01-11"));
    }

    fn histories() -> impl Strategy<Value = Vec<Bought>> {
        let one = (0_i64..1_000, -2_000_00_i64..8_000_00);
        prop::collection::vec(one, 0..20).prop_map(|mut list| {
            list.sort();
            let first = day("2024-01-01");
            list.into_iter()
                .map(|(days, sum)| Bought {
                    day: first + chrono::Duration::days(days),
                    sum,
                    is_kept: sum > 0,
                })
                .collect()
        })
    }

    fn windows() -> impl Strategy<Value = Window> {
        prop_oneof![
            Just(Window::Ever),
            Just(Window::Month),
            Just(Window::Year),
            (1_u32..400).prop_map(|n| Window::Last(Span::Days(n))),
            (1_u32..14).prop_map(|n| Window::Last(Span::Months(n))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_counted_is_what_lies_in_the_period(history in histories(), window in windows(), on in 0_i64..1_200) {
            let today = day("2024-01-01") + chrono::Duration::days(on);
            let (first, last) = window.days(today);
            let inside = history.iter().filter(|one| (first..=last).contains(&one.day));
            let standing = tiers(window, Downgrade::Earned, None).standing(&history, today);
            prop_assert_eq!(standing.counted, inside.map(|one| one.sum).sum::<i64>());
        }

        #[test]
        fn nothing_changes_before_the_day_that_is_told(
            history in histories(), window in windows(), on in 0_i64..1_200, grace in prop::option::of(1_u32..60),
        ) {
            let today = day("2024-01-01") + chrono::Duration::days(on);
            let tiers = tiers(window, Downgrade::Earned, grace.map(Span::Days));
            let at = |day| {
                let standing = tiers.standing(&history, day);
                (standing.tier, standing.since, standing.why)
            };
            let next = tiers.changes_on(&history, today);
            prop_assert!(next > today);
            for day in today.iter_days().take_while(|day| *day < next) {
                prop_assert_eq!(at(day), at(today));
            }
            prop_assert!(at(next) != at(today) || (next - today).num_days() == 366);
        }

        #[test]
        fn nobody_stands_below_what_they_earned(
            history in histories(), window in windows(), on in 0_i64..1_200, grace in prop::option::of(1_u32..60),
        ) {
            let today = day("2024-01-01") + chrono::Duration::days(on);
            let plain = tiers(window, Downgrade::Earned, None);
            let earned = plain.earned(plain.standing(&history, today).counted).map(|place| plain.tiers[place].id);
            prop_assert_eq!(plain.standing(&history, today).tier, earned, "without a grace a tier is what is earned");
            for downgrade in [Downgrade::Never, Downgrade::Step, Downgrade::Earned] {
                let standing = tiers(window, downgrade, grace.or(Some(7)).map(Span::Days)).standing(&history, today);
                prop_assert!(standing.tier >= earned);
                prop_assert_eq!(standing.why == Why::Earned, standing.tier == earned);
            }
        }
    }
}
