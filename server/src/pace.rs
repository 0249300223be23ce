//! How fast pages are read, by one session and from one network, and how fast programs ask (ASVS 5.0, 2.4.1). Whoever copies
//! the site by a program is slowed down, and a person never notices. Each node counts in bounded memory, and tells the others
//! once a second ([`share`]): a row for each page would cost more than it saves.

use chrono::{DateTime, Utc};
use crm::db::Db;
use crm::limits::{self, Limits};
use crm::who::{System, Token};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The span that limits are for, in seconds.
const SPAN: i64 = 60;
/// How many sessions and networks are counted within a minute: with more, those that come last are not.
const MOST: usize = 100_000;
/// Whoever asked a node less often within the minute is not told of: that is most people, and no limit is so low.
const QUIET: u32 = 10;
/// How often nodes tell each other.
const EVERY: Duration = Duration::from_secs(1);

/// Counts of the minute at hand.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    minute: i64,
    by_key: HashMap<i64, Count>,
}

/// How often one of them asked.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// This node.
    ours: u32,
    /// Of that, what the others were told of.
    told: u32,
    /// The other nodes, as far as they have told.
    others: u32,
}

/// What is left of the minute at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// It was one request too many.
    pub(crate) refused: bool,
    /// How many more may come.
    pub(crate) requests: u32,
    /// Seconds until it begins anew.
    pub(crate) seconds: u32,
}

impl Count {
    /// Counts one more; how many there were, here and elsewhere.
    fn add(&mut self) -> u32 {
        self.ours = self.ours.saturating_add(1);
        self.ours.saturating_add(self.others)
    }
}

impl Counts {
    /// Those of the minute at hand.
    fn at(&mut self, now: DateTime<Utc>) -> &mut HashMap<i64, Count> {
        let minute = now.timestamp().div_euclid(SPAN);
        if self.minute != minute {
            self.minute = minute;
            self.by_key.clear();
        }
        &mut self.by_key
    }
}

impl Pace {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a page, and says for how many seconds nothing more is shown where that was one too many.
    pub fn refuse(&self, network: &str, session: Option<&Token>, now: DateTime<Utc>, limits: &Limits) -> Option<u32> {
        let of_network = Some((key("network", network), limits.pages_per_network));
        let of_session = session.map(|token| (key("session", token.secret()), limits.pages_per_session));
        let mut counts = self.lock();
        let by_key = counts.at(now);
        for (key, limit) in of_network.into_iter().chain(of_session).filter(|(_, limit)| *limit > 0) {
            let is_counted = by_key.len() < MOST || by_key.contains_key(&key);
            // Of a network that has had its share no session is counted any more: who sends another one each time would fill all
            // the room that there is, and nobody else would be counted.
            if is_counted && by_key.entry(key).or_default().add() > limit {
                return Some(left(now));
            }
        }
        None
    }

    /// Counts a request of a program that has proved who it is, so there are not many; a limit of 0 is none.
    pub(crate) fn take(&self, kind: &'static str, whose: &str, now: DateTime<Utc>, limit: u32) -> Left {
        let count = self.lock().at(now).entry(key(kind, whose)).or_default().add();
        Left {
            refused: limit > 0 && count > limit,
            requests: limit.saturating_sub(count),
            seconds: left(now),
        }
    }

    /// Tells the database what was counted here since the last time, and learns what other nodes have counted.
    pub async fn exchange(&self, db: &Db, by: &System) -> Result<(), crm::Error> {
        let now = db.now();
        let (minute, news) = self.news(now);
        let begins = DateTime::from_timestamp(minute * SPAN, 0).unwrap_or(now);
        if !news.is_empty() {
            let sums = limits::exchange(db, by, begins, &news).await?;
            self.learn(minute, &news, &sums);
        }
        Ok(())
    }

    /// What nobody else knows yet, and of which minute.
    fn news(&self, now: DateTime<Utc>) -> (i64, Vec<(i64, u32)>) {
        let mut counts = self.lock();
        let by_key = counts.at(now).iter();
        let new = by_key.filter(|(_, count)| count.ours >= QUIET && count.ours > count.told);
        let mut news: Vec<_> = new.map(|(key, count)| (*key, count.ours - count.told)).collect();
        // Nodes that tell of the same take the rows in the same order.
        news.sort_unstable();
        (counts.minute, news)
    }

    /// What was told, and what all nodes together have told of the same.
    fn learn(&self, minute: i64, news: &[(i64, u32)], sums: &[(i64, i64)]) {
        let mut counts = self.lock();
        if counts.minute != minute {
            return;
        }
        for (key, told) in news {
            if let Some(count) = counts.by_key.get_mut(key) {
                count.told = count.told.saturating_add(*told);
            }
        }
        for (key, sum) in sums {
            if let Some(count) = counts.by_key.get_mut(key) {
                let sum = u32::try_from(*sum).unwrap_or(u32::MAX);
                count.others = sum.saturating_sub(count.told);
            }
        }
    }
}

/// Lets nodes that stand on one database tell each other, for as long as the process lives. Where there is one node alone, there
/// is nothing to tell.
pub async fn share(pace: Arc<Pace>, db: Db) {
    let by = System::at_the_command_line();
    let mut is_well = true;
    while db.is_shared() {
        tokio::time::sleep(EVERY).await;
        let exchanged = pace.exchange(&db, &by).await;
        if let (Err(e), true) = (&exchanged, is_well) {
            tracing::warn!(error = %e, "nodes cannot tell each other how fast they are asked: each counts for itself");
        }
        is_well = exchanged.is_ok();
    }
}

/// What is counted, as nobody can read it.
fn key(kind: &str, whose: &str) -> i64 {
    let hash: [u8; 32] = Sha256::digest(format!("{kind}\n{whose}")).into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Seconds until the minute at hand is over.
fn left(now: DateTime<Utc>) -> u32 {
    u32::try_from(SPAN - now.timestamp().rem_euclid(SPAN)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(session: u32, network: u32) -> Limits {
        Limits {
            pages_per_session: session,
            pages_per_network: network,
            ..Limits::default()
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(6000 + seconds, 0).unwrap_or_default()
    }

    #[test]
    fn a_minute_has_room_for_so_many_pages_of_a_session_and_of_a_network() {
        let (pace, limits) = (Pace::default(), limits(2, 3));
        let [anna, boris] = [Token::random(), Token::random()];
        assert_eq!(pace.refuse("a", Some(&anna), at(10), &limits), None);
        assert_eq!(pace.refuse("a", Some(&anna), at(10), &limits), None);
        assert_eq!(
            pace.refuse("b", Some(&anna), at(15), &limits),
            Some(45),
            "from elsewhere too"
        );
        assert_eq!(pace.refuse("a", Some(&boris), at(20), &limits), None);
        assert_eq!(
            pace.refuse("a", None, at(59), &limits),
            Some(1),
            "the network has had its share"
        );
        assert_eq!(pace.refuse("a", Some(&anna), at(60), &limits), None, "the next minute");
    }

    #[test]
    fn what_is_counted_is_bounded_and_zero_limits_nothing() {
        let pace = Pace::default();
        for n in 0..MOST + 10 {
            assert_eq!(
                pace.refuse(&n.to_string(), None, DateTime::default(), &limits(1, 1)),
                None
            );
        }
        assert_eq!(pace.lock().by_key.len(), MOST);
        assert_eq!(pace.refuse("0", None, DateTime::default(), &limits(1, 1)), Some(60));
        let pace = Pace::default();
        for _ in 0..100 {
            assert_eq!(pace.refuse("a", None, DateTime::default(), &limits(0, 0)), None);
        }
        assert!(pace.lock().by_key.is_empty());
    }

    #[test]
    fn a_network_that_has_had_its_share_takes_no_more_room() {
        let (pace, limits) = (Pace::default(), limits(10, 2));
        let asked = (0..100).map(|_| pace.refuse("a", Some(&Token::random()), at(1), &limits));
        assert_eq!(asked.filter(Option::is_none).count(), 2);
        assert_eq!(pace.lock().by_key.len(), 3, "the network, and two sessions");
    }

    #[test]
    fn a_minute_has_room_for_so_many_requests_of_a_till() {
        let pace = Pace::default();
        assert_eq!(pace.take("till", "one", at(10), 2).requests, 1);
        assert!(!pace.take("till", "one", at(10), 2).refused);
        let over = pace.take("till", "one", at(15), 2);
        assert_eq!((over.refused, over.requests, over.seconds), (true, 0, 45));
        assert!(!pace.take("till", "other", at(15), 2).refused);
        assert!(!pace.take("reports", "one", at(15), 2).refused);
        assert!(!pace.take("till", "one", at(60), 2).refused, "the next minute");
        assert!(
            !(0..1000).any(|_| pace.take("till", "one", at(61), 0).refused),
            "no limit"
        );
    }

    #[test]
    fn nodes_learn_from_each_other_what_was_asked_often() {
        let (one, other) = (Pace::default(), Pace::default());
        for _ in 0..QUIET - 1 {
            one.take("till", "a", at(1), 100);
        }
        assert_eq!(one.news(at(1)).1, [], "not often");
        one.take("till", "a", at(1), 100);
        for _ in 0..30 {
            other.take("till", "a", at(1), 100);
        }
        let till = key("till", "a");
        let (minute, news) = one.news(at(2));
        assert_eq!(news, [(till, 10)]);
        one.learn(minute, &news, &[(till, 10)]);
        assert_eq!(one.news(at(3)).1, [], "it was told");
        let (minute, news) = other.news(at(2));
        other.learn(minute, &news, &[(till, 40)]);
        assert_eq!(other.take("till", "a", at(3), 100).requests, 59, "10 there and 31 here");
        // What comes after the minute is of no use any more.
        one.take("till", "a", at(61), 100);
        one.learn(minute, &news, &[(till, 40)]);
        assert_eq!(one.take("till", "a", at(61), 100).requests, 98);
    }
}
