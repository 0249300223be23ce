//! How fast pages are read: by one session and from one network, within a minute (ASVS 5.0, 2.4.1). Whoever copies the
//! site by a program is slowed down, and a person never notices. Each node counts for itself, in bounded memory.

use chrono::{DateTime, Utc};
use crm::limits::Limits;
use crm::who::Token;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

/// The span that limits are for, in seconds.
const SPAN: i64 = 60;
/// How many sessions and networks are counted within a minute: with more, those that come last are not.
const MOST: usize = 100_000;

/// Counts of the minute at hand.
#[derive(Debug, Default)]
pub struct Pace {
    /// Keys are hashes that no other process makes alike: who reads the memory learns of no session.
    hasher: RandomState,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    minute: i64,
    by_key: HashMap<u64, u32>,
}

impl Pace {
    /// Counts a page, and says for how many seconds nothing more is shown where that was one too many.
    pub fn refuse(&self, network: &str, session: Option<&Token>, now: DateTime<Utc>, limits: &Limits) -> Option<u32> {
        let of_network = Some((self.hasher.hash_one(("network", network)), limits.pages_per_network));
        let of_session = session.map(|token| {
            let key = self.hasher.hash_one(("session", token.secret()));
            (key, limits.pages_per_session)
        });
        let seconds = now.timestamp();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = seconds.div_euclid(SPAN);
        if counts.minute != minute {
            counts.minute = minute;
            counts.by_key.clear();
        }
        let mut is_over = false;
        for (key, limit) in of_network.into_iter().chain(of_session).filter(|(_, limit)| *limit > 0) {
            let has_room = counts.by_key.len() < MOST;
            let count = match counts.by_key.get_mut(&key) {
                Some(count) => count,
                None if has_room => counts.by_key.entry(key).or_default(),
                None => continue,
            };
            *count = count.saturating_add(1);
            is_over |= *count > limit;
        }
        drop(counts);
        let left = SPAN - seconds.rem_euclid(SPAN);
        is_over.then(|| u32::try_from(left).unwrap_or(1))
    }
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

    #[test]
    fn a_minute_has_room_for_so_many_pages_of_a_session_and_of_a_network() {
        let (pace, limits) = (Pace::default(), limits(2, 3));
        let at = |seconds: i64| DateTime::from_timestamp(6000 + seconds, 0).unwrap_or_default();
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
        assert_eq!(pace.counts.lock().expect("a lock").by_key.len(), MOST);
        assert_eq!(pace.refuse("0", None, DateTime::default(), &limits(1, 1)), Some(60));
        let pace = Pace::default();
        for _ in 0..100 {
            assert_eq!(pace.refuse("a", None, DateTime::default(), &limits(0, 0)), None);
        }
        assert!(pace.counts.lock().expect("a lock").by_key.is_empty());
    }
}
