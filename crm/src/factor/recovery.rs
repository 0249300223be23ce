//! Recovery codes: ten, each good once in place of the second factor. They are digits alone, because they are typed
//! into the same field as the codes of an app, on a keyboard of digits, in every language.

use super::Owner;
use sha2::{Digest, Sha256};

/// How many are made.
pub const COUNT: usize = 10;
/// Digits of one: 53 bits.
pub const DIGITS: usize = 16;

/// A new one from the operating system's generator.
pub(crate) fn random() -> String {
    format!("{:0DIGITS$}", rand::random_range(0..10_u64.pow(DIGITS as u32)))
}

/// As it is stored: random enough that a plain hash can neither be guessed nor looked up.
pub(crate) fn hash(owner: Owner, code: &str) -> String {
    let hash = Sha256::new()
        .chain_update(owner.id().as_bytes())
        .chain_update(code)
        .finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// In groups of four, which no line break parts.
pub fn grouped(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let groups: Vec<String> = chars.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join("\u{a0}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{CustomerId, StaffId};

    #[test]
    fn a_code_has_fifty_bits_and_sixteen_digits() {
        assert!(10_f64.powi(DIGITS as i32).log2() >= 50.0);
        let codes: std::collections::BTreeSet<String> = (0..100).map(|_| random()).collect();
        assert_eq!(codes.len(), 100, "none comes twice");
        assert!(
            codes
                .iter()
                .all(|c| c.len() == DIGITS && c.bytes().all(|b| b.is_ascii_digit()))
        );
        assert_eq!(grouped("1234567890123456"), "1234\u{a0}5678\u{a0}9012\u{a0}3456");
    }

    #[test]
    fn the_same_code_of_two_people_is_stored_differently() {
        let id = uuid::Uuid::nil();
        let other = uuid::Uuid::max();
        let hash = |owner| hash(owner, "1234567890123456");
        assert_ne!(
            hash(Owner::Customer(CustomerId(id))),
            hash(Owner::Staff(StaffId(other)))
        );
    }
}
