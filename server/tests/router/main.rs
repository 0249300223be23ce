//! The site through its real router, one request at a time: who gets in, what is refused, what a page says then.
//! One program for all of it, for it is large to link.

mod access;
mod answers;
mod bad_input;
mod choices;
mod common;
mod forgery;
mod fragments;
mod headers;
mod health;
mod outside;
mod redirects;
mod sign_in;
mod twice;
