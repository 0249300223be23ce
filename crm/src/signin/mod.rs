//! Coming in: by phone and one-time code, or by password; registration on the way; sessions.

use crate::customer::PersonForm;
use crate::id::SessionId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod attempts;
#[cfg(feature = "store")]
pub mod codes;
#[cfg(feature = "store")]
pub mod confirm;
#[cfg(feature = "store")]
pub mod history;
#[cfg(feature = "store")]
pub mod known;
#[cfg(feature = "store")]
pub mod notice;
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
#[cfg(feature = "store")]
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What the address is; `None` while nobody has said one.
    pub kind: Option<crate::contact::Kind>,
    /// The phone in E.164 or the e-mail address that codes go to.
    pub address: Option<String>,
    /// An e-mail address that was proved before the phone.
    pub email: Option<String>,
    /// Whom an outside provider says it is.
    pub outside: Option<crate::identity::Outside>,
    /// The phone is proved, and nobody has it yet.
    pub is_verified: bool,
    /// Everything is proved but the second factor.
    pub needs_second: bool,
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
