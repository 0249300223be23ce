//! The history of a customer: what they did, what was done for them, and what they were told, in one line of time.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[cfg(feature = "store")]
pub mod store;

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
    /// Staff talked with the customer; `object` is the talk, `code` the way.
    Interaction,
    /// A task for the customer ended; `object` is it, `code` its state: done or cancelled.
    Task,
    /// A message was written to the customer; `object` is it, `code` what it goes by.
    Sent,
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
    /// The row that tells of it.
    pub id: Uuid,
    /// The thing itself: see [`EventKind`].
    pub object: Option<Uuid>,
    /// See [`EventKind`].
    pub code: String,
    /// See [`EventKind`]; 0 where it says nothing.
    pub amount: i64,
}

/// Events that are read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Purchases and returns.
    Purchases,
    /// Movements of points.
    Points,
    /// Requests, and what was said in them.
    Requests,
    /// Calls, by whomever.
    Calls,
    /// Visits.
    Visits,
    /// Talks that are neither.
    OtherTalks,
    /// Tasks that ended.
    Tasks,
    /// Messages to the customer.
    Messages,
    /// Consents, and programs that were joined or left.
    Consents,
    /// Sessions.
    SignIns,
    /// Changes, by whomever.
    Changes,
}

impl Group {
    /// Each of them, in the order in which pages offer them.
    pub const ALL: [Self; 11] = [
        Self::Purchases,
        Self::Points,
        Self::Requests,
        Self::Calls,
        Self::Visits,
        Self::OtherTalks,
        Self::Tasks,
        Self::Messages,
        Self::Consents,
        Self::SignIns,
        Self::Changes,
    ];

    /// As an address names it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Purchases => "purchases",
            Self::Points => "points",
            Self::Requests => "requests",
            Self::Calls => "calls",
            Self::Visits => "visits",
            Self::OtherTalks => "other_talks",
            Self::Tasks => "tasks",
            Self::Messages => "messages",
            Self::Consents => "consents",
            Self::SignIns => "sign_ins",
            Self::Changes => "changes",
        }
    }

    /// The one that an address names.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.code() == code)
    }
}

/// Which events to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of these groups alone; of all where none is named.
    pub groups: Vec<Group>,
    /// From this day on, where the shop is.
    pub from: Option<NaiveDate>,
    /// Up to this day, it included.
    pub to: Option<NaiveDate>,
}

/// Where a page of the history ends: the moment, the number of the source, the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When the last event was.
    pub at: DateTime<Utc>,
    /// Which of the sources it came from: of events at one moment the first source comes first.
    pub source: usize,
    /// Its row.
    pub id: Uuid,
}
