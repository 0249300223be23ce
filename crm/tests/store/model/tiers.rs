//! Where customers should stand, told without days that pass: the highest tier that was earned on any day of the grace.

use super::Time;
use chrono::{Duration, NaiveDate};

/// Tiers by what was bought in a number of days, kept for some more.
#[derive(Clone)]
pub(crate) struct Tiers {
    /// From how much on, the lowest first.
    pub(crate) thresholds: Vec<i64>,
    pub(crate) window: i64,
    pub(crate) grace: i64,
}

/// What was bought and brought back.
pub(crate) struct Counted {
    tiers: Tiers,
    /// Whose, on which day, and for how much; nothing any more once it is void.
    all: Vec<(usize, NaiveDate, i64)>,
}

/// The shop of the tests is in Moscow, three hours ahead all year.
fn day(at: Time) -> NaiveDate {
    (at + Duration::hours(3)).date_naive()
}

impl Counted {
    pub(crate) fn new(tiers: Tiers) -> Self {
        Self { tiers, all: Vec::new() }
    }

    /// Counts a receipt; its place.
    pub(crate) fn add(&mut self, who: usize, at: Time, sum: i64) -> usize {
        self.all.push((who, day(at), sum));
        self.all.len() - 1
    }

    /// A receipt is void.
    pub(crate) fn void(&mut self, place: usize) {
        self.all[place].2 = 0;
    }

    /// The place of a customer's tier.
    pub(crate) fn tier(&self, who: usize, at: Time) -> Option<usize> {
        let today = day(at);
        (0..=self.tiers.grace)
            .filter_map(|ago| self.earned(who, today - Duration::days(ago)))
            .max()
    }

    fn earned(&self, who: usize, on: NaiveDate) -> Option<usize> {
        let since = on - Duration::days(self.tiers.window - 1);
        let mine = self
            .all
            .iter()
            .filter(|(whose, day, _)| *whose == who && (since..=on).contains(day));
        let sum: i64 = mine.map(|(_, _, sum)| sum).sum();
        self.tiers.thresholds.iter().rposition(|threshold| *threshold <= sum)
    }
}
