//! The people who work at the shop.

use crate::flaw::Flaw;
use crate::id::StaffId;
use crate::lang::Lang;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[cfg(feature = "store")]
pub mod store;

/// One thing that staff may do or not. A role is a set of them, kept in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Reads requests, answers them, assigns them.
    Requests,
    /// Finds customers and opens their cards.
    Customers,
    /// Sees what was sent to people, and sends it again.
    Messages,
    /// Gives and takes points, consents to what colleagues give and take, brings transfers back.
    Points,
    /// Adds and disables staff, and gives them roles.
    Staff,
    /// Reads the audit log.
    Audit,
    /// Adds tills and gives them keys.
    Tills,
    /// Writes and publishes rules of discounts and points, programs and their tiers, promotions.
    Rules,
    /// Writes shops and categories down, and looks up what is sold.
    Shops,
    /// Writes and publishes articles of the help.
    Help,
    /// Reads what customers tell of their income.
    Income,
    /// Looks through what customers ask in public, shows it, and answers.
    Questions,
    /// Writes and publishes what messages, consents, topics and the dialogue say.
    Texts,
    /// Merges accounts of one customer, and undoes that.
    Merge,
}

/// The code of a role: `agent`, `marketer`, `administrator`, or one that the shop made itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::Type), sqlx(transparent))]
#[serde(transparent)]
pub struct Role(String);

impl Role {
    /// Answers customers.
    pub const AGENT: &str = "agent";
    /// Writes rules of discounts and points.
    pub const MARKETER: &str = "marketer";
    /// Runs the system.
    pub const ADMINISTRATOR: &str = "administrator";

    /// The role with this code; whether there is one only the database knows.
    pub fn new(code: impl Into<String>) -> Self {
        Self(code.into())
    }

    /// Its code.
    pub fn code(&self) -> &str {
        &self.0
    }
}

/// Who is offered as assignee.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Colleague {
    /// Their id.
    pub id: StaffId,
    /// Their name.
    pub name: String,
}

/// A member of staff as an administrator enters them.
#[derive(Clone, Debug)]
pub struct NewStaff {
    /// What they sign in as.
    pub login: String,
    /// The name that colleagues see.
    pub name: String,
    /// Their role. One that is not there is [`Flaw::NotAChoice`] at `role`.
    pub role: Role,
    /// The language they read.
    pub language: Lang,
    /// The password's hash, never the password.
    pub password_hash: String,
}

/// A login as it is kept: in lower case, 2 to 60 characters without spaces.
pub fn login(raw: &str) -> Result<String, Flaw> {
    let login = raw.trim().to_lowercase();
    match login.chars().count() {
        0 => Err(Flaw::Missing),
        1 => Err(Flaw::TooShort { min: 2 }),
        n if n > 60 => Err(Flaw::TooLong { max: 60 }),
        _ if login.chars().any(|c| !c.is_alphanumeric() && !"._-@+".contains(c)) => Err(Flaw::NotAName),
        _ => Ok(login),
    }
}

/// What happened to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A purchase; `object` is the receipt, `amount` its total.
    Sale,
    /// A return; likewise.
    Return,
    /// A request was written; `object` is it, `amount` its number, `code` its topic.
    Request,
    /// The customer wrote in a request; likewise.
    Message,
    /// Staff answered in a request; likewise.
    Answer,
    /// Staff left a note in a request; likewise.
    Note,
    /// A consent was given; `code` is its purpose.
    ConsentGiven,
    /// A consent was withdrawn; likewise.
    ConsentWithdrawn,
    /// A program was joined; `object` is it, `code` its code.
    Joined,
    /// A program was left; likewise.
    Left,
    /// A session was opened; `code` is what the browser says of itself.
    SignIn,
    /// Points moved; `object` is the transaction, `code` its kind, `amount` what the customer has more of, all
    /// programs and states together.
    Points,
    /// Something was changed; `code` is the action as the audit log calls it.
    Change,
}

/// One line of a customer's history: what happened, in codes and numbers that a page puts into words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub kind: EventKind,
    /// The thing itself: see [`EventKind`].
    pub object: Option<Uuid>,
    /// See [`EventKind`].
    pub code: String,
    /// See [`EventKind`]; 0 where it says nothing.
    pub amount: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins() {
        assert_eq!(login(" Anna.K "), Ok("anna.k".into()));
        for (bad, flaw) in [
            ("", Flaw::Missing),
            ("a", Flaw::TooShort { min: 2 }),
            ("a b", Flaw::NotAName),
            ("a\u{0}b", Flaw::NotAName),
            ("<b>", Flaw::NotAName),
        ] {
            assert_eq!(login(bad), Err(flaw), "{bad:?}");
        }
        assert_eq!(login(&"a".repeat(61)), Err(Flaw::TooLong { max: 60 }));
    }
}
