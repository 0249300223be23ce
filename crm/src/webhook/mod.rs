//! Webhooks: the shop's other systems are told of what happened, by the scheme of Standard Webhooks
//! (<https://www.standardwebhooks.com>): a small JSON body, signed, sent until it is taken.
//!
//! # How to add a kind of event
//! 1. Its variant in [`Kind`], in [`Kind::ALL`] and with its word.
//! 2. Its cause in `event`, with what is told of it: ids, money and points in minor units, nothing of a person but the
//!    customer's id.
//! 3. `tx.happened(…)` where it happens.
//! 4. Its words on the page of webhooks, its row in `docs/api.md`.

#[cfg(feature = "store")]
pub mod address;
#[cfg(feature = "store")]
pub mod delivery;
#[cfg(feature = "store")]
pub(crate) mod event;
#[cfg(feature = "store")]
pub mod secret;
#[cfg(feature = "store")]
pub mod store;

use serde::{Deserialize, Serialize};

/// What a receiver can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A customer's points became more or fewer, or what was pending became active.
    BalanceChanged,
    /// A sale or a return was booked.
    PurchaseBooked,
    /// A receipt was voided.
    PurchaseVoided,
    /// A customer wrote to support.
    RequestOpened,
    /// A customer registered.
    CustomerRegistered,
    /// A customer has another tier of a program, or none any more.
    TierChanged,
    /// Staff tried the receiver out.
    Test,
}

impl Kind {
    /// Those that a receiver chooses from, in the order in which pages list them.
    pub const ALL: [Self; 6] = [
        Self::BalanceChanged,
        Self::PurchaseBooked,
        Self::PurchaseVoided,
        Self::RequestOpened,
        Self::CustomerRegistered,
        Self::TierChanged,
    ];

    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BalanceChanged => "balance.changed",
            Self::PurchaseBooked => "purchase.booked",
            Self::PurchaseVoided => "purchase.voided",
            Self::RequestOpened => "request.opened",
            Self::CustomerRegistered => "customer.registered",
            Self::TierChanged => "tier.changed",
            Self::Test => "webhook.test",
        }
    }

    /// The one of this name among those to choose from.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum State {
    /// Waits to be sent, for the first time or again.
    Pending,
    /// Was taken.
    Delivered,
    /// Was not, and is not sent any more.
    Failed,
}

impl State {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// Why a receiver is told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum Because {
    /// Staff paused it.
    Paused,
    /// It answered 410: it wants nothing any more.
    Gone,
    /// It has taken nothing for days.
    Failing,
}

/// What the shop allows, as its configuration says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Receivers may stand in private networks and on this machine, and are reached there by http too.
    pub private_networks: bool,
    /// For how many days events and what became of them are kept.
    pub keep_days: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            private_networks: false,
            keep_days: 30,
        }
    }
}

impl Policy {
    /// What is wrong with values that cannot work, each with its key and what to do.
    pub fn problems(&self) -> Vec<String> {
        // A delivery is tried for more than three days.
        let days = self.keep_days;
        (!(4..=3650).contains(&days))
            .then(|| format!("webhooks.keep_days: {days} is not from 4, for as long as deliveries are tried, to 3650"))
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_by_their_words() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.as_str()), Some(kind));
        }
        assert_eq!(Kind::from_word("webhook.test"), None, "nobody chooses it");
        assert_eq!(Kind::from_word("tier.lost"), None, "nothing causes it");
    }

    #[test]
    fn what_is_tried_for_three_days_is_kept_for_longer() {
        assert_eq!(Policy::default().problems(), Vec::<String>::new());
        let short = Policy {
            keep_days: 3,
            ..Policy::default()
        };
        assert!(short.problems()[0].starts_with("webhooks.keep_days: 3 "));
    }
}
