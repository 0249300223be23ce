//! The people who work at the shop.

use crate::id::StaffId;
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod store;

/// What a member of staff may do. Roles become sets of rights of their own once they can be edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::Type), sqlx(type_name = "TEXT", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Answers customers.
    Agent,
    /// Runs the system, and may do all that agents may.
    Administrator,
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
