//! What the page of a request offers beside the conversation itself: what it has to do with, requests that go together, what is
//! prepared.

pub mod links;
pub mod merging;
pub mod prepared;
