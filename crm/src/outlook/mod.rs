//! What a customer is worth, how often they come, and what to do with them next: rules in code, few and explained.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

#[cfg(feature = "store")]
pub mod store;

/// For so long a customer may wait for an answer, where no service level says how long, before it is the first thing to do.
pub const ANSWER_WITHIN: TimeDelta = TimeDelta::hours(24);
/// Points are worth a word when they expire within so many days, and when there are as many of them, in hundredths.
const EXPIRES_WITHIN: i64 = 14;
/// See [`EXPIRES_WITHIN`].
const EXPIRING_LEAST: i64 = 100_00;
/// A birthday is worth a word so many days before.
const BIRTHDAY_WITHIN: i64 = 7;
/// Who was here so many days ago at most does not stay away.
const AWAY_LEAST: i64 = 7;

/// What somebody bought in the last twelve months. Sums are in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// What was paid less what was given back.
    pub sum: i64,
    /// How many purchases.
    pub purchases: i64,
    /// What was paid for one on an average, before anything came back.
    pub average: i64,
}

/// How often somebody comes. Several purchases of a day are one visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// The median of the days between two visits; none before there are three visits.
    pub usual: Option<i64>,
    /// How many days ago the last one was.
    pub since: i64,
}

/// The rhythm of visits on these days, sorted, as it is seen on a day; none without a visit.
pub fn rhythm(days: &[NaiveDate], today: NaiveDate) -> Option<Rhythm> {
    let last = days.last()?;
    let mut gaps: Vec<i64> = days
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).num_days())
        .filter(|gap| *gap > 0)
        .collect();
    gaps.sort_unstable();
    let middle = gaps.len() / 2;
    let usual = match gaps.len() {
        0 | 1 => None,
        n if n % 2 == 1 => gaps.get(middle).copied(),
        _ => Some((gaps[middle - 1] + gaps[middle] + 1) / 2),
    };
    Some(Rhythm {
        usual,
        since: (today - *last).num_days(),
    })
}

impl Rhythm {
    /// Whether somebody stays away: for more than twice as long as usual, and more than a week.
    pub fn stays_away(&self) -> bool {
        self.usual.is_some_and(|usual| self.since > (2 * usual).max(AWAY_LEAST))
    }
}

/// In how many days a birthday is, from today on; of the 29th of February in other years on the 1st of March.
fn days_until(birthday: NaiveDate, today: NaiveDate) -> Option<i64> {
    let in_year = |year: i32| birthday.with_year(year).or_else(|| NaiveDate::from_ymd_opt(year, 3, 1));
    let next = in_year(today.year()).filter(|day| *day >= today);
    let next = next.or_else(|| in_year(today.year() + 1))?;
    Some((next - today).num_days())
}

/// A request that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its number.
    pub number: i64,
    /// Since when it waits.
    pub since: DateTime<Utc>,
    /// By when the answer is due: as the service level of its topic and priority says, by the hours of its calendar, or after
    /// [`ANSWER_WITHIN`] where nothing is promised.
    pub due_at: DateTime<Utc>,
}

/// What is known of a customer that says what to do next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The request whose answer is due first.
    pub waiting: Option<Waiting>,
    /// There is a phone or an e-mail address that was proved.
    pub is_reachable: bool,
    /// The points that expire next, in hundredths, and when.
    pub expiry: Option<(i64, DateTime<Utc>)>,
    /// How often they come.
    pub rhythm: Option<Rhythm>,
    /// Their birthday.
    pub birthday: Option<NaiveDate>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An answer is overdue.
    Answer {
        /// The request's number.
        number: i64,
        /// Since when it is awaited.
        since: DateTime<Utc>,
    },
    /// No contact of theirs was proved.
    Contact,
    /// Points expire.
    Points {
        /// How many, in hundredths.
        points: i64,
        /// When.
        at: DateTime<Utc>,
    },
    /// They stay away.
    Away {
        /// Every how many days they come.
        usual: i64,
        /// How many days ago they came last.
        since: i64,
    },
    /// Their birthday is near.
    Birthday {
        /// In how many days.
        days: i64,
    },
}

/// What to do next with a customer, the most urgent first.
pub fn steps(facts: &Facts, now: DateTime<Utc>, today: NaiveDate) -> Vec<Step> {
    let answer = facts
        .waiting
        .filter(|one| now > one.due_at)
        .map(|Waiting { number, since, .. }| Step::Answer { number, since });
    let contact = (!facts.is_reachable).then_some(Step::Contact);
    let points = facts
        .expiry
        .filter(|(points, at)| *points >= EXPIRING_LEAST && *at - now <= TimeDelta::days(EXPIRES_WITHIN))
        .map(|(points, at)| Step::Points { points, at });
    let away = facts.rhythm.filter(Rhythm::stays_away);
    let away = away.and_then(|rhythm| {
        Some(Step::Away {
            usual: rhythm.usual?,
            since: rhythm.since,
        })
    });
    let birthday = facts.birthday.and_then(|birthday| days_until(birthday, today));
    let birthday = birthday
        .filter(|days| *days <= BIRTHDAY_WITHIN)
        .map(|days| Step::Birthday { days });
    [answer, contact, points, away, birthday]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, month, day).unwrap_or_default()
    }

    #[test]
    fn a_rhythm_is_the_median_of_what_lies_between_visits() {
        assert_eq!(rhythm(&[], day(11, 21)), None);
        let twice = [day(11, 1), day(11, 1), day(11, 9)];
        let expected = Rhythm { usual: None, since: 12 };
        assert_eq!(rhythm(&twice, day(11, 21)), Some(expected), "two visits have no rhythm");
        assert!(!expected.stays_away());
        // Nine, three and forty days: one long holiday changes nothing.
        let visits = [day(9, 1), day(9, 10), day(9, 13), day(10, 23), day(11, 1)];
        let found = rhythm(&visits, day(11, 20));
        assert_eq!(found.map(|one| (one.usual, one.since)), Some((Some(9), 19)));
        assert!(found.is_some_and(|one| one.stays_away()), "more than twice as long");
        let found = rhythm(&visits, day(11, 19));
        assert!(
            found.is_some_and(|one| !one.stays_away()),
            "twice as long is not yet long"
        );
        let daily = rhythm(&[day(11, 1), day(11, 2), day(11, 3)], day(11, 10));
        assert!(
            daily.is_some_and(|one| one.usual == Some(1) && !one.stays_away()),
            "a week is no absence"
        );
    }

    #[test]
    fn a_birthday_comes_every_year() {
        let born = |month, of_month| NaiveDate::from_ymd_opt(1988, month, of_month).unwrap_or_default();
        assert_eq!(days_until(born(11, 21), day(11, 21)), Some(0));
        assert_eq!(days_until(born(11, 20), day(11, 21)), Some(364));
        assert_eq!(days_until(born(2, 29), day(2, 28)), Some(1));
        assert_eq!(days_until(born(1, 2), day(12, 30)), Some(3));
    }

    #[test]
    fn what_is_to_be_done_next_is_told_by_what_is_known() {
        let now = day(11, 21).and_time(chrono::NaiveTime::MIN).and_utc();
        let settled = Facts {
            is_reachable: true,
            ..Facts::default()
        };
        assert_eq!(steps(&settled, now, day(11, 21)), []);
        let since = now - ANSWER_WITHIN;
        let due = |due_at| Waiting {
            number: 7,
            since,
            due_at,
        };
        let almost = Facts {
            waiting: Some(due(now)),
            expiry: Some((EXPIRING_LEAST - 1, now)),
            birthday: Some(day(11, 29)),
            ..settled
        };
        assert_eq!(steps(&almost, now, day(11, 21)), []);
        let at = now + TimeDelta::days(EXPIRES_WITHIN);
        let rhythm = Rhythm {
            usual: Some(9),
            since: 21,
        };
        let all = Facts {
            waiting: Some(due(now - TimeDelta::seconds(1))),
            is_reachable: false,
            expiry: Some((EXPIRING_LEAST, at)),
            rhythm: Some(rhythm),
            birthday: Some(day(11, 28)),
        };
        let expected = [
            Step::Answer { number: 7, since },
            Step::Contact,
            Step::Points {
                points: EXPIRING_LEAST,
                at,
            },
            Step::Away { usual: 9, since: 21 },
            Step::Birthday { days: 7 },
        ];
        assert_eq!(steps(&all, now, day(11, 21)), expected);
        let later = Facts {
            expiry: Some((EXPIRING_LEAST, at + TimeDelta::seconds(1))),
            ..settled
        };
        assert_eq!(steps(&later, now, day(11, 21)), []);
    }
}
