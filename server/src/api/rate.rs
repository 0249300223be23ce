//! What an answer says of how much a till may still ask, and requests whose key is none.

use crate::pace::Left;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::{DateTime, Utc};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// The span of a limit, in seconds.
const SPAN: i64 = 60;

/// How many networks are remembered within a minute: with more, those that come last are not.
const MOST: usize = 100_000;

/// Requests of a minute whose key is none, by network: finding that out costs a look into the database. A key that was good
/// lately is looked at all the same, for a whole shop may stand behind one address.
#[derive(Debug, Default)]
pub(crate) struct Strangers(Mutex<Tries>);

#[derive(Debug, Default)]
struct Tries {
    minute: i64,
    by_network: HashMap<String, u32>,
    /// Hashes of the keys that were good in this minute and in the one before.
    good: [HashSet<Vec<u8>>; 2],
}

impl Tries {
    fn at(&mut self, now: DateTime<Utc>) -> &mut Self {
        let minute = now.timestamp().div_euclid(SPAN);
        if self.minute != minute {
            self.minute = minute;
            self.by_network.clear();
            let [last, _] = std::mem::take(&mut self.good);
            self.good = [HashSet::new(), last];
        }
        self
    }
}

impl Strangers {
    /// For how many seconds no key of this network is looked at that nobody knows; a limit of 0 is none.
    pub(crate) fn refuse(&self, network: &str, key: &[u8], now: DateTime<Utc>, limit: u32) -> Option<u32> {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tries = tries.at(now);
        let is_known = tries.good.iter().any(|good| good.contains(key));
        let is_over = limit > 0 && tries.by_network.get(network).is_some_and(|count| *count >= limit);
        let left = SPAN - now.timestamp().rem_euclid(SPAN);
        (is_over && !is_known).then(|| u32::try_from(left).unwrap_or(1))
    }

    /// Notes what a key turned out to be.
    pub(crate) fn note(&self, network: &str, key: Vec<u8>, is_good: bool, now: DateTime<Utc>) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tries = tries.at(now);
        if is_good {
            let [good, _] = &mut tries.good;
            good.insert(key);
        } else if tries.by_network.len() < MOST || tries.by_network.contains_key(network) {
            let count = tries.by_network.entry(network.to_owned()).or_default();
            *count = count.saturating_add(1);
        }
    }
}

impl Left {
    /// Says so in an answer (draft-ietf-httpapi-ratelimit-headers-10).
    pub(super) fn write(&self, headers: &mut HeaderMap, limit: u32) {
        if limit == 0 {
            return;
        }
        let lines = [
            ("ratelimit-policy", format!("\"till\";q={limit};w={SPAN}")),
            ("ratelimit", format!("\"till\";r={};t={}", self.requests, self.seconds)),
        ];
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_of_a_network_are_looked_at_so_often_and_good_keys_always() {
        let strangers = Strangers::default();
        let at = |seconds: i64| DateTime::from_timestamp(6000 + seconds, 0).unwrap_or_default();
        strangers.note("a", b"till".to_vec(), true, at(0));
        for n in 0..2_u8 {
            assert_eq!(strangers.refuse("a", &[n], at(1), 2), None);
            strangers.note("a", vec![n], false, at(1));
        }
        assert_eq!(strangers.refuse("a", b"x", at(15), 2), Some(45));
        assert_eq!(strangers.refuse("a", b"till", at(15), 2), None, "it was good");
        assert_eq!(strangers.refuse("b", b"x", at(15), 2), None, "another network");
        assert_eq!(strangers.refuse("a", b"x", at(15), 0), None, "no limit");
        assert_eq!(strangers.refuse("a", b"x", at(60), 2), None, "the next minute");
        for n in 0..2_u8 {
            strangers.note("a", vec![n], false, at(61));
        }
        assert_eq!(strangers.refuse("a", b"till", at(61), 2), None, "good a minute ago");
        strangers.note("a", b"x".to_vec(), false, at(180));
        assert_eq!(strangers.refuse("a", b"till", at(180), 1), Some(60), "too long ago");
    }

    #[test]
    fn an_answer_says_what_is_left() {
        let mut headers = HeaderMap::new();
        let left = Left {
            refused: false,
            requests: 599,
            seconds: 30,
        };
        left.write(&mut headers, 600);
        assert_eq!(headers["ratelimit-policy"], "\"till\";q=600;w=60");
        assert_eq!(headers["ratelimit"], "\"till\";r=599;t=30");
    }
}
