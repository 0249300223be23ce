//! The store on both engines: every function that changes or reads the database, through its front door. One program for
//! all of it, because each program is linked with everything once more.

mod backup;
mod cards;
mod common;
mod consents;
mod factors;
mod histories;
mod identity;
mod import;
mod late;
mod limits;
mod model;
mod notifications;
mod outbox;
mod points;
mod programs;
mod promotional;
mod promotions;
mod purchases;
mod requests;
mod rewards;
mod rights;
mod rules;
mod schema;
mod sendable;
mod signin;
mod simulations;
mod spending;
mod staff;
mod stores;
mod tiers;
mod tills;
mod together;
mod transfers;
mod webhooks;
mod what_if;
