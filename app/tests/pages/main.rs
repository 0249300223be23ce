//! What pages read from addresses and write for people, asked directly. A program of its own: compiling the library once
//! more for its tests took longer than all of them.

mod changes;
mod devices;
mod formats;
mod looks;
mod markdown;
mod places;
mod points;
mod purchases;
mod search;
mod stores;
mod the_view_of_requests;
mod words;
