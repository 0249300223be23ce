//! Notes on customers: what colleagues should know whenever they look at the card.

use crate::id::{NoteId, StaffId};
use chrono::{DateTime, Utc};

#[cfg(feature = "store")]
pub mod store;

/// The longest note, in characters.
pub const NOTE_MAX: usize = 2000;

/// A note.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Note {
    /// Its id.
    pub id: NoteId,
    /// Who wrote it.
    pub staff_id: StaffId,
    /// What they are called.
    pub staff: String,
    /// What it says.
    pub body: String,
    /// It stands above the others.
    pub is_pinned: bool,
    /// When it was written.
    pub at: DateTime<Utc>,
}

/// Where a page of notes ends: what its last note is ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// It is one of those that are pinned, which come first.
    pub is_pinned: bool,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// Its id.
    pub id: NoteId,
}

impl Note {
    /// Its place in the list.
    pub fn place(&self) -> Place {
        Place {
            is_pinned: self.is_pinned,
            at: self.at,
            id: self.id,
        }
    }
}
