//! What lives in the browser, and the one error that crosses the wire.
//!
//! The crate is compiled twice: with `ssr` into the server, where an island renders its HTML, and with `hydrate` into
//! WebAssembly, where it comes to life. Texts reach islands as attributes, so no dictionary is sent.

pub mod copy;
pub mod enhance;
mod error;
pub mod passkey;

pub use copy::CopyField;
pub use enhance::Enhance;
pub use error::AppError;
pub use passkey::Passkey;
