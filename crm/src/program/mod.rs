//! Loyalty programs: what they give, and who is a member.

use crate::id::ProgramId;
use crate::lang::Localized;
use chrono::{DateTime, Utc};

#[cfg(feature = "store")]
pub mod store;

/// A program as it stands today, and what a customer is to it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Program {
    /// Its id.
    pub id: ProgramId,
    /// Its lasting name, as in addresses.
    pub code: String,
    /// Everybody who registers is a member.
    pub automatic: bool,
    /// The version of its terms.
    pub version: i64,
    /// Its name.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub name: Localized,
    /// One or two sentences.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub summary: Localized,
    /// The terms, paragraphs parted by an empty line.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub terms: Localized,
    /// What it pays, in hundredths of a percent of the paid price.
    pub share: i64,
    /// Days until points can be spent.
    pub delay_days: i64,
    /// Days from then on until they expire.
    pub term_days: i64,
    /// Since when the customer is a member, if they are.
    pub joined_at: Option<DateTime<Utc>>,
}

/// A version of a program's terms that counts or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Version {
    /// Its number, from 1.
    pub version: i64,
    /// Since when it counts.
    pub published_at: DateTime<Utc>,
}

/// A time for which a customer was a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Membership {
    /// The version of the terms under which they joined.
    pub terms_version: i64,
    /// Since when.
    pub joined_at: DateTime<Utc>,
    /// Until when; none: they still are.
    pub left_at: Option<DateTime<Utc>>,
}

impl Membership {
    /// True when they were a member at a moment.
    pub fn holds(&self, at: DateTime<Utc>) -> bool {
        self.joined_at <= at && self.left_at.is_none_or(|left| at < left)
    }
}
