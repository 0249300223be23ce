//! Coming in: by phone and one-time code, or by password; registration on the way; sessions.

use crate::customer::PersonForm;
use crate::id::SessionId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod password;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "store")]
pub mod strength;

/// Digits of a one-time code.
pub const CODE_DIGITS: usize = 6;

/// What a person typed on the way to a card. It waits on the server, so that «Нет, исправить» loses nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Name, surname, birthday.
    #[serde(flatten)]
    pub person: PersonForm,
    /// E-mail address; may stay empty.
    pub email: String,
    /// Codes of the consents whose boxes are ticked.
    pub consents: Vec<String>,
    /// The password's hash, if one was chosen.
    pub password_hash: Option<String>,
}

/// How far an attempt has come.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The phone it is about, in E.164.
    pub phone: String,
    /// The phone is proved.
    pub is_verified: bool,
    /// When the last code was sent.
    pub code_sent_at: Option<DateTime<Utc>>,
    /// What was typed so far; complete and checked once it is there.
    pub draft: Option<Draft>,
}

/// A session as its owner sees it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Device {
    /// The session's id.
    pub id: SessionId,
    /// What the browser said of itself.
    pub device: String,
    /// The network it came from.
    pub network: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When it was last seen, to five minutes.
    pub seen_at: DateTime<Utc>,
}
