//! How much may be had for nothing: text messages cost money, and there are people who let them be sent to numbers that
//! pay them a share. So each message by SMS is counted: codes by number, by network, by country and by day, and what tells of
//! a change by number, by country and by day.
//!
//! Counts stand in the database, so that all nodes share them, in slots of five minutes that a sweep removes. How often
//! pages are read and tills ask is limited too, but nodes count that by themselves and tell each other now and then: a row for
//! each page would cost more than it saves.

#[cfg(feature = "store")]
mod store;

#[cfg(feature = "store")]
pub use store::{Notice, SmsDay, check_sms, exchange, is_used_up, notify, sms_today, sweep, take};
#[cfg(feature = "store")]
pub(crate) use store::{hears_no_more, notify_now, take_today, within_today};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The limits, as the shop sets them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Codes by SMS to one number within an hour.
    pub sms_per_number: u32,
    /// Codes by SMS that one network asks for within an hour: a shop's wireless network serves a queue.
    pub sms_per_network: u32,
    /// Messages by SMS that tell one number of changes within an hour; what is more is told in the cabinet alone.
    pub sms_notices_per_number: u32,
    /// Messages by SMS within a day of the shop, to everybody.
    pub sms_per_day: u32,
    /// Messages by SMS within an hour to each calling code that is not named below, the shop's own country excepted.
    pub sms_elsewhere: u32,
    /// The same for numbers that begin with these digits; the longest one counts, 0 sends nothing there.
    pub sms_prefixes: BTreeMap<String, u32>,
    /// Pages that one session asks for within a minute; 0: as many as it likes.
    pub pages_per_session: u32,
    /// Pages that one network asks for within a minute: a whole shop may stand behind one address. 0: as many as it likes.
    pub pages_per_network: u32,
    /// Requests that one customer writes to support within an hour.
    pub requests_per_customer: u32,
    /// Messages that one customer adds to their requests within an hour.
    pub messages_per_customer: u32,
    /// Questions that one customer asks in public within a day of the shop; 0: nobody asks.
    pub questions_per_day: u32,
    /// How many requests one till may send within a minute; 0 is no limit.
    pub requests_per_till: u32,
    /// How many requests with delivery reports the gateway of text messages may send within a minute; 0 is no limit.
    pub requests_per_gateway: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sms_per_number: 24,
            sms_per_network: 60,
            sms_notices_per_number: 12,
            sms_per_day: 5000,
            sms_elsewhere: 20,
            sms_prefixes: BTreeMap::new(),
            pages_per_session: 240,
            pages_per_network: 3000,
            requests_per_customer: 20,
            messages_per_customer: 60,
            questions_per_day: 5,
            requests_per_till: 600,
            requests_per_gateway: 600,
        }
    }
}

impl Limits {
    /// What is wrong with values that cannot work, each with its key and what to do.
    pub fn problems(&self) -> Vec<String> {
        let digits = |prefix: &String| !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
        let mut found: Vec<_> = self
            .sms_prefixes
            .keys()
            .filter(|prefix| !digits(prefix))
            .map(|prefix| {
                format!("limits.sms_prefixes: {prefix:?} is not the beginning of a number in digits like 375")
            })
            .collect();
        const SMS: &str = "sign in by SMS";
        for (key, value, what) in [
            ("sms_per_number", self.sms_per_number, SMS),
            ("sms_per_network", self.sms_per_network, SMS),
            ("sms_per_day", self.sms_per_day, SMS),
            (
                "sms_notices_per_number",
                self.sms_notices_per_number,
                "learn of a change by SMS",
            ),
            ("requests_per_customer", self.requests_per_customer, "write to support"),
            ("messages_per_customer", self.messages_per_customer, "answer support"),
        ] {
            if value == 0 {
                found.push(format!("limits.{key}: 0 would let nobody {what}"));
            }
        }
        found
    }
}
