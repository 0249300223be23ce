//! Consents: for what a customer's data may be used. Each act names the version of the text that was read.

use crate::customer::Channel;
use crate::id::{ConsentId, ConsentTextId, PurposeId};
use crate::lang::{Lang, Localized};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod pace;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "store")]
pub mod unsubscribe;

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

/// What promotional messages are about. Each is agreed to for every channel by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// Offers, new things, gifts.
    Marketing,
    /// Questions about purchases and service.
    Surveys,
}

impl Aim {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Marketing, Self::Surveys];

    /// As receipts and links name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Marketing => "marketing",
            Self::Surveys => "surveys",
        }
    }
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
    /// What the messages are about that it allows, if it is for messages.
    pub aim: Option<Aim>,
    /// What they come by.
    pub channel: Option<Channel>,
    /// To whom it allows data to be passed, if it is for that, as the text calls them.
    #[cfg_attr(feature = "store", sqlx(json(nullable)))]
    pub partner: Option<Localized>,
    /// It can be agreed to: its partner, if it has one, is active.
    pub is_open: bool,
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
    /// Its id.
    pub id: ConsentId,
    /// The purpose's lasting name.
    pub code: String,
    /// What the messages are about that it allows, if it is for messages.
    pub aim: Option<Aim>,
    /// What they come by.
    pub channel: Option<Channel>,
    /// To whom it allows data to be passed, if it is for that, as they were called then.
    #[cfg_attr(feature = "store", sqlx(json(nullable)))]
    pub partner: Option<Localized>,
    /// Given or withdrawn.
    pub act: Act,
    /// The version of the text.
    pub version: i64,
    /// What the box said then.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub title: Localized,
    /// The whole text of that version.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub body: Localized,
    /// The language in which it was read.
    pub language: Lang,
    /// By which way: `web`, `import`, the `link` of a message.
    pub source: String,
    /// When.
    pub at: DateTime<Utc>,
}
