//! The site through its real router, one request at a time: who gets in, what is refused, what a page says then.
//! One program for all of it, for it is large to link.

mod access;
mod alone;
mod answers;
mod api;
mod bad_input;
mod books;
mod choices;
mod codes;
mod common;
mod factors;
mod failures;
mod fields;
mod forgery;
mod fragments;
mod headers;
mod health;
mod invitations;
mod layers;
mod messages;
mod outages;
mod outside;
mod pace;
mod passwords;
mod programs;
mod proxies;
mod redirects;
mod rules;
mod sessions;
mod sign_in;
mod tills;
mod traces;
mod transfers;
mod twice;
mod ways;
mod webhooks;
