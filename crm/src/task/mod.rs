//! What a member of staff is to do for a customer until a day, or an hour of it: written down, watched, handed on, ended. Whoever it is
//! given to, and whoever gave it, is told in their inbox.

use crate::id::{CustomerId, StaffId, TaskId};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Timelike as _, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod store;

/// The longest title, in characters.
pub const TITLE_MAX: usize = 200;

/// Of a task that is due some time of its day: the minute after its last one.
pub const ALL_DAY: i64 = 24 * 60;

/// How it is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// By calling.
    Call,
    /// By writing.
    Letter,
    /// Otherwise.
    #[default]
    Other,
}

impl Kind {
    /// All of them with what forms call each.
    pub const ALL: [(Self, &'static str); 3] = [(Self::Call, "call"), (Self::Letter, "letter"), (Self::Other, "other")];

    /// What forms call it.
    pub fn code(self) -> &'static str {
        let found = Self::ALL.into_iter().find(|(kind, _)| *kind == self);
        found.map_or("", |(_, code)| code)
    }
}

/// What became of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is to be done.
    Open,
    /// It was done.
    Done,
    /// It is not to be done any more.
    Cancelled,
}

/// What of a task somebody is told in their inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum News {
    /// A colleague gave it to them.
    Given,
    /// Its hour has come.
    Due,
    /// A colleague did what they had given.
    Done,
    /// A colleague called off what they had given.
    Cancelled,
}

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was done.
    Done,
    /// It is not to be done.
    Cancelled,
}

/// A task as it is written down; nothing of it is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTask {
    /// What is to be done.
    pub title: String,
    /// Until which day, as a field of dates sends it.
    pub due: String,
    /// Until which hour of it, as a field of times sends it; may be empty.
    pub time: String,
    /// The code of a [`Kind`]; empty: otherwise.
    pub kind: String,
    /// By whom, by their id.
    pub owner: String,
    /// The number of the request that it is about; may be empty.
    pub request: String,
}

/// A task that was written down before, or is made up.
#[derive(Clone, Debug)]
pub struct Past {
    /// For whom.
    pub customer: CustomerId,
    /// What is to be done.
    pub title: String,
    /// Until when.
    pub due_on: NaiveDate,
    /// Until which minute of that day, or [`ALL_DAY`].
    pub due_minute: i64,
    /// How it is done.
    pub kind: Kind,
    /// By whom.
    pub owner: StaffId,
    /// Who wrote it down.
    pub by: StaffId,
    /// When.
    pub at: DateTime<Utc>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// For whom.
    pub customer_id: CustomerId,
    /// What they are called.
    pub name: String,
    /// Their surname.
    pub surname: String,
    /// The number of the request that it is about.
    pub request: Option<i64>,
    /// What is to be done.
    pub title: String,
    /// Until when.
    pub due_on: NaiveDate,
    /// Until which minute of that day, or [`ALL_DAY`].
    pub due_minute: i64,
    /// How it is done.
    pub kind: Kind,
    /// By whom.
    pub owner_id: StaffId,
    /// What they are called.
    pub owner: String,
    /// What became of it.
    pub state: State,
    /// When it was changed last.
    pub changed_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Task {
    /// Whether its time is over and it is not. `now` is the time where the shop is.
    pub fn is_overdue(&self, now: NaiveDateTime) -> bool {
        self.state == State::Open && (self.due_on, self.due_minute) < (now.date(), minute(now))
    }

    /// The hour until which it is due, as `15:00`; none: some time of its day.
    pub fn due_time(&self) -> Option<String> {
        (self.due_minute < ALL_DAY).then(|| format!("{:02}:{:02}", self.due_minute / 60, self.due_minute % 60))
    }

    /// Its place in a list.
    pub fn place(&self) -> Place {
        match self.ended_at {
            None => Place::Due(self.due_on, self.due_minute, self.id),
            Some(at) => Place::Ended(at, self.id),
        }
    }
}

/// The minute of its day that a time is in.
pub fn minute(at: NaiveDateTime) -> i64 {
    i64::from(at.hour() * 60 + at.minute())
}

/// Which tasks to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Open ones, what is due first first.
    Open,
    /// Of these, those whose day or hour is over.
    Overdue,
    /// Open ones that one wrote down oneself and colleagues are to do.
    Given,
    /// Those that ended, the last first.
    Ended,
}

impl Which {
    /// As the log calls them.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Overdue => "overdue",
            Self::Given => "given",
            Self::Ended => "ended",
        }
    }
}

/// Where a page of tasks ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Of open ones: the day, the minute of it and the task.
    Due(NaiveDate, i64, TaskId),
    /// Of ended ones: when it ended, and the task.
    Ended(DateTime<Utc>, TaskId),
}

/// What somebody still has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Load {
    /// Everything that is open.
    pub open: i64,
    /// Of it: what is due today and not overdue.
    pub today: i64,
    /// Of it: what is overdue.
    pub overdue: i64,
}

/// The same of a colleague.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct OwnerLoad {
    /// Who.
    pub id: StaffId,
    /// What they are called.
    pub name: String,
    /// Everything that is open.
    pub open: i64,
    /// Of it: what is overdue.
    pub overdue: i64,
}
