//! The demonstration.
/// The setting that marks a demonstration.
pub const MARK: &str = "demonstration";
