//! The program as it is run: what it does with signals, what it tells those who watch, what its commands say. Each test
//! has an installation of its own, mostly over SQLite in a folder that is gone afterwards.

mod clients;
mod command_line;
mod common;
mod doctor;
mod figures;
#[path = "../ports/mod.rs"]
mod ports;
mod staff;
mod stopping;
mod tls;
mod traces;
