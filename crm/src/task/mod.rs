//! What a member of staff is to do for a customer until a day: written down, watched, handed on, ended.

use crate::id::{CustomerId, StaffId, TaskId};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod store;

/// The longest title, in characters.
pub const TITLE_MAX: usize = 200;

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
    /// Until when, as a field of dates sends it.
    pub due: String,
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
    /// Whether its day is over and it is not.
    pub fn is_overdue(&self, today: NaiveDate) -> bool {
        self.state == State::Open && self.due_on < today
    }

    /// Its place in a list.
    pub fn place(&self) -> Place {
        match self.ended_at {
            None => Place::Due(self.due_on, self.id),
            Some(at) => Place::Ended(at, self.id),
        }
    }
}

/// Which tasks to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Open ones, what is due first first.
    Open,
    /// Of these, those whose day is over.
    Overdue,
    /// Those that ended, the last first.
    Ended,
}

/// Where a page of tasks ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Of open ones: the day and the task.
    Due(NaiveDate, TaskId),
    /// Of ended ones: when it ended, and the task.
    Ended(DateTime<Utc>, TaskId),
}

/// What somebody still has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Load {
    /// Everything that is open.
    pub open: i64,
    /// Of it: what is due today.
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
