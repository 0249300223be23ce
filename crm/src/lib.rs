//! The CRM: what a customer, a point, a purchase and a request is, and what may be done with it.
//!
//! Every door into Kabinet (pages, imports, jobs, the command line) is thin and calls functions of this crate.
//! Types and rules compile everywhere, WebAssembly included; the feature `store` adds the database.
//!
//! # How to add an area
//! 1. `src/<area>/mod.rs`: the types and their validation; no database, no clock.
//! 2. `src/<area>/rules.rs`, if there is something to decide: pure functions with property tests.
//! 3. `src/<area>/store.rs` behind the feature `store`: SQL by [`on!`](crate::on), reads through
//!    [`db::Db::read`], changes through [`db::Db::write`]. Functions demand a proof of [`who`] asks.
//! 4. The tables in `migrations/sqlite` and `migrations/postgres` under the same version.
//! 5. Tests in `tests/<area>.rs`, through `both_engines!`.

pub mod article;
pub mod card;
pub mod consent;
pub mod contact;
pub mod coupon;
pub mod customer;
pub mod find;
pub mod flaw;
pub mod fraud;
pub mod help;
pub mod id;
pub mod interaction;
pub mod invite;
pub mod lang;
pub mod limits;
pub mod note;
pub mod outlook;
pub mod points;
pub mod program;
pub mod promotion;
pub mod purchase;
pub mod question;
pub mod questionnaire;
pub mod report;
pub mod request;
pub mod rule;
pub mod search;
pub mod shop;
pub mod signin;
pub mod staff;
pub mod stores;
pub mod task;
pub mod till;
pub mod timeline;
pub mod webhook;

#[cfg(feature = "store")]
pub mod audience;
#[cfg(feature = "store")]
pub mod audit;
#[cfg(feature = "store")]
pub mod backup;
#[cfg(feature = "store")]
pub mod catalogue;
#[cfg(feature = "store")]
pub mod checkup;
#[cfg(feature = "store")]
pub mod clock;
#[cfg(feature = "store")]
pub mod content;
#[cfg(feature = "store")]
pub mod db;
#[cfg(feature = "store")]
pub mod dialogue;
#[cfg(feature = "store")]
pub mod draft;
#[cfg(feature = "store")]
pub mod erasure;
#[cfg(feature = "store")]
pub mod error;
#[cfg(feature = "store")]
pub mod export;
#[cfg(feature = "store")]
pub mod extract;
#[cfg(feature = "store")]
pub mod factor;
#[cfg(feature = "store")]
pub mod identity;
#[cfg(feature = "store")]
pub mod import;
#[cfg(feature = "store")]
pub mod merge;
#[cfg(feature = "store")]
pub mod notification;
#[cfg(feature = "store")]
pub mod outbox;
#[cfg(feature = "store")]
pub mod partner;
#[cfg(feature = "store")]
pub mod quote;
#[cfg(feature = "store")]
pub mod rfm;
#[cfg(feature = "store")]
pub mod segment;
#[cfg(feature = "store")]
pub mod sheet;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "store")]
pub mod text;
#[cfg(feature = "store")]
pub mod who;
#[cfg(feature = "store")]
pub mod work;

#[cfg(feature = "store")]
pub use error::Error;
