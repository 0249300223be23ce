//! Articles: what is sold. An article is known by its code.

#[cfg(feature = "store")]
pub mod store;
