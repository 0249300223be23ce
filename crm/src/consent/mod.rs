//! Consents: for what a customer's data may be used. Each act names the version of the text that was read.

use crate::id::{ConsentTextId, PurposeId};
use crate::lang::Localized;
use chrono::{DateTime, Utc};

#[cfg(feature = "store")]
pub mod store;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum Act {
    /// Agreed.
    Given,
    /// Taken back.
    Withdrawn,
}

/// On which occasion a consent is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum AskedAt {
    /// When a person registers.
    Registration,
    /// When a parent enters a child's birthday.
    Child,
}

/// A purpose with the newest version of its text.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Purpose {
    /// Its id.
    pub id: PurposeId,
    /// Its lasting name.
    pub code: String,
    /// Without it there is no membership.
    pub required: bool,
    /// The text a person agrees to.
    pub text_id: ConsentTextId,
    /// The text's version, from 1.
    pub version: i64,
    /// What the box says.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub title: Localized,
    /// The whole text, paragraphs parted by an empty line.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub body: Localized,
}

/// One act of a customer.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Consent {
    /// The purpose's lasting name.
    pub code: String,
    /// Given or withdrawn.
    pub act: Act,
    /// The version of the text.
    pub version: i64,
    /// What the box said then.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub title: Localized,
    /// When.
    pub at: DateTime<Utc>,
}
