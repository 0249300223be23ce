//! How fast programs may ask, tills and others. Each node counts for itself, in memory: what a limit protects is a node's
//! own time.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// The span of a limit, in seconds.
const SPAN: i64 = 60;

/// Counts of the minute at hand, by who asks. There are as many as have proved who they are.
#[derive(Debug)]
pub(crate) struct Rate<K>(Mutex<(i64, HashMap<K, u32>)>);

impl<K> Default for Rate<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// What is left of the minute at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// It was one request too many.
    pub(crate) refused: bool,
    /// How many more may come.
    pub(super) requests: u32,
    /// Seconds until it begins anew.
    pub(crate) seconds: u32,
}

impl<K: Eq + Hash> Rate<K> {
    /// Counts a request; a limit of 0 is none.
    pub(crate) fn take(&self, who: K, now: DateTime<Utc>, limit: u32) -> Left {
        let seconds = now.timestamp();
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = seconds.div_euclid(SPAN);
        if counts.0 != minute {
            *counts = (minute, HashMap::new());
        }
        let count = counts.1.entry(who).or_default();
        *count = count.saturating_add(1);
        Left {
            refused: limit > 0 && *count > limit,
            requests: limit.saturating_sub(*count),
            seconds: u32::try_from(SPAN - seconds.rem_euclid(SPAN)).unwrap_or(1),
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
    use crm::id::TillId;

    #[test]
    fn a_minute_has_room_for_so_many_requests_of_a_till() {
        let rate = Rate::default();
        let [one, other] = [TillId::new(), TillId::new()];
        let at = |seconds: i64| DateTime::from_timestamp(6000 + seconds, 0).unwrap_or_default();
        assert_eq!(rate.take(one, at(10), 2).requests, 1);
        assert!(!rate.take(one, at(10), 2).refused);
        let over = rate.take(one, at(15), 2);
        assert_eq!((over.refused, over.requests, over.seconds), (true, 0, 45));
        assert!(!rate.take(other, at(15), 2).refused);
        assert!(!rate.take(one, at(60), 2).refused, "the next minute");
        assert!(!(0..1000).any(|_| rate.take(one, at(61), 0).refused), "no limit");
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
