//! The questionnaire: what customers tell of themselves if they like to, so that the shop knows for whom it is. Questions and
//! choices are records by version; no answer is an answer as well. What is guarded, as an income, staff see by the right
//! [`Income`](crate::staff::Right::Income) alone, and each time is written down.

use crate::lang::Localized;
use serde::Serialize;

#[cfg(feature = "store")]
pub mod managing;
#[cfg(feature = "store")]
pub mod store;

/// A question as it is asked now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// What forms call it.
    pub code: String,
    /// Its version.
    pub version: i64,
    /// Staff see answers to it by a right of its own.
    pub is_guarded: bool,
    /// The question.
    pub title: Localized,
    /// What the answer is used for.
    pub why: Localized,
    /// The answers that there are.
    pub choices: Vec<Choice>,
}

/// An answer that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// What forms call it.
    pub code: String,
    /// Its words.
    pub name: Localized,
}

/// What a customer told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Answer {
    /// The question's code.
    pub question: String,
    /// The question as it was asked.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub title: Localized,
    /// The code of the answer.
    pub choice: String,
    /// The answer.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub name: Localized,
    /// Staff see it by a right of its own.
    pub is_guarded: bool,
}
