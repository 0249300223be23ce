//! Promotions: what the shop offers for a while, in words.

use crate::id::{PromotionId, StoreId};
use crate::lang::Localized;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod store;

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
    /// Where it holds; empty: in every shop.
    pub places: Vec<Place>,
}

/// A promotion in short.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Brief {
    /// What it gives, in a line.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub title: Localized,
    /// On what conditions.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub conditions: Localized,
    /// The first moment it holds no more.
    pub ends_at: DateTime<Utc>,
}

/// A promotion to be written down; one of the same code is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Where it holds; empty: in every shop.
    pub stores: Vec<StoreId>,
}
