//! Talks with customers beside requests: calls, visits and others, each by a script and with what came of it.

use crate::id::{CustomerId, InteractionId, StaffId};
use crate::lang::Localized;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod scripts;
#[cfg(feature = "store")]
pub mod store;

/// For so long whoever wrote a talk down may mend it; then another entry corrects it.
pub const MEND_WITHIN: TimeDelta = TimeDelta::hours(1);
/// The longest note, in characters.
pub const NOTE_MAX: usize = 1000;
/// The longest talk, in minutes.
pub const MINUTES_MAX: i64 = 600;
/// The script of a talk that goes by none.
pub const FREE: &str = "free";
/// What came of a talk, in any script, after which a request is to be written down.
pub const REQUEST: &str = "request";

/// The way of a talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The customer called.
    CallIn,
    /// Staff called.
    CallOut,
    /// The customer came.
    Visit,
    /// Some other way.
    Other,
}

impl Way {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::CallIn, Self::CallOut, Self::Visit, Self::Other];

    /// As it is stored, and as forms name it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::CallIn => "call_in",
            Self::CallOut => "call_out",
            Self::Visit => "visit",
            Self::Other => "other",
        }
    }

    /// The one of this name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.code() == code)
    }
}

/// A script: what is said step by step, and what may come of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Script {
    /// What it is called by.
    pub code: String,
    /// Its version, from 1.
    pub version: i64,
    /// Its name.
    pub name: Localized,
    /// What to say and to ask, in its order.
    pub steps: Vec<Localized>,
    /// What may come of it: code and name.
    pub outcomes: Vec<(String, Localized)>,
}

/// A talk as it is written down; nothing of it is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The way, by its code.
    pub channel: String,
    /// The script, by its code.
    pub script: String,
    /// What came of it, by its code in the script.
    pub outcome: String,
    /// What colleagues should know of it.
    pub note: String,
    /// How many minutes it took.
    pub minutes: String,
}

/// A talk of before, or one that is made up.
#[derive(Clone, Debug)]
pub struct Past {
    /// With whom.
    pub customer: CustomerId,
    /// Who talked.
    pub staff: StaffId,
    /// What they wrote down.
    pub entry: Entry,
    /// When.
    pub at: DateTime<Utc>,
}

/// A talk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Interaction {
    /// Its id.
    pub id: InteractionId,
    /// With whom.
    pub customer_id: CustomerId,
    /// Who talked.
    pub staff_id: StaffId,
    /// What they are called.
    pub staff: String,
    /// The way.
    pub channel: Way,
    /// The script, by its code.
    pub script: String,
    /// The script's name.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub script_name: Localized,
    /// What came of it, by its code.
    pub outcome: String,
    /// The same in words.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub outcome_name: Localized,
    /// What colleagues should know of it; may be empty.
    pub note: String,
    /// How many minutes it took.
    pub minutes: Option<i64>,
    /// The entry that it corrects.
    pub corrects_id: Option<InteractionId>,
    /// There is a later entry that corrects it.
    pub is_corrected: bool,
    /// When it was written down.
    pub at: DateTime<Utc>,
    /// When it was mended last.
    pub changed_at: DateTime<Utc>,
}

impl Interaction {
    /// Whether somebody may still mend it at a moment.
    pub fn may_mend(&self, who: StaffId, now: DateTime<Utc>) -> bool {
        self.staff_id == who && now - self.at < MEND_WITHIN
    }
}
