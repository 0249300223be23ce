//! Promotions: what the shop offers for a while, in words, and the rules that carry it out.

use crate::id::{PromotionId, RuleId, StoreId};
use crate::lang::Localized;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod store;

/// How far a promotion is, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum Stage {
    /// It has a name alone.
    Idea,
    /// It says everything, and nobody is offered it.
    Draft,
    /// It is offered in its time.
    Published,
}

/// How it stands with a promotion at a moment: the stages that it goes through, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has a name alone.
    Idea,
    /// It says everything, and nobody is offered it.
    Draft,
    /// It waits for somebody else's consent.
    Approval,
    /// It is published, and its time is to come.
    Planned,
    /// It holds.
    Running,
    /// Its time is over.
    Ended,
    /// It is over, and what came of it is written down.
    Concluded,
}

impl State {
    /// Each of them, from the first to the last.
    pub const ALL: [Self; 7] = [
        Self::Idea,
        Self::Draft,
        Self::Approval,
        Self::Planned,
        Self::Running,
        Self::Ended,
        Self::Concluded,
    ];

    /// As addresses and the log name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idea => "idea",
            Self::Draft => "draft",
            Self::Approval => "approval",
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Ended => "ended",
            Self::Concluded => "concluded",
        }
    }

    /// The state of this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Its time is over: nothing of it changes any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Concluded)
    }
}

impl Stage {
    /// How it stands at a moment with a promotion of this period, as far as the two tell.
    pub fn at(self, now: DateTime<Utc>, starts_at: DateTime<Utc>, ends_at: DateTime<Utc>) -> State {
        match self {
            Self::Idea => State::Idea,
            Self::Draft => State::Draft,
            Self::Published if ends_at <= now => State::Ended,
            Self::Published if starts_at <= now => State::Running,
            Self::Published => State::Planned,
        }
    }
}

/// A shop in which a promotion holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The shop.
    pub id: StoreId,
    /// Its name.
    pub name: Localized,
    /// The town it is in.
    pub town: Localized,
}

/// A promotion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// Its id.
    pub id: PromotionId,
    /// What records call it.
    pub code: String,
    /// Counts its changes, from 1.
    pub version: i64,
    /// What it gives, in a line.
    pub title: Localized,
    /// On what conditions.
    pub conditions: Localized,
    /// The first moment it holds.
    pub starts_at: DateTime<Utc>,
    /// The first moment it holds no more.
    pub ends_at: DateTime<Utc>,
    /// It counts only for whoever switched it on.
    pub must_activate: bool,
    /// Where it holds; empty: in every shop.
    pub places: Vec<Place>,
    /// The rules that carry it out; empty: words alone.
    pub rules: Vec<RuleId>,
}

/// A promotion as it is written down; one of the same code is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPromotion {
    /// What records call it.
    pub code: String,
    /// What it gives, in a line.
    pub title: Localized,
    /// On what conditions.
    pub conditions: Localized,
    /// The first moment it holds.
    pub starts_at: DateTime<Utc>,
    /// The first moment it holds no more.
    pub ends_at: DateTime<Utc>,
    /// It counts only for whoever switched it on.
    pub must_activate: bool,
    /// Where it holds; empty: in every shop.
    pub stores: Vec<StoreId>,
    /// The rules that carry it out; empty: words alone.
    pub rules: Vec<RuleId>,
}
