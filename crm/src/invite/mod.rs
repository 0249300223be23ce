//! Invitations: a customer hands a code on, and whoever registers by it is invited by them.

use chrono::{DateTime, Utc};

#[cfg(feature = "store")]
pub mod store;

/// Letters and digits of a code: without those that are taken for one another (0 and O, 1, I and L).
pub const SIGNS: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";
/// How many a code has: with a million codes one guess in 850,000 hits, and finds a first name.
pub const LENGTH: usize = 8;

/// A code as it was typed or followed, as it is kept; none for what is no code.
pub fn code(raw: &str) -> Option<String> {
    let is_between = |c: &char| !c.is_whitespace() && *c != '-';
    let code: String = raw
        .chars()
        .filter(is_between)
        .take(LENGTH + 1)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let is_code = code.len() == LENGTH && code.bytes().all(|sign| SIGNS.contains(&sign));
    is_code.then_some(code)
}

/// A code as people read it: in two halves.
pub fn show(code: &str) -> String {
    match code.split_at_checked(LENGTH / 2) {
        Some((first, second)) if !second.is_empty() => format!("{first}-{second}"),
        _ => code.to_owned(),
    }
}

/// How far an invitation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The friend registered.
    Registered,
    /// The friend bought something, and no rule gave anything for it.
    Bought,
    /// The friend bought something, and the inviter had been rewarded often enough in that month.
    Capped,
    /// Rules gave something for the friend's first purchase.
    Rewarded {
        /// How many points are left of it, in hundredths.
        points: i64,
    },
    /// The friend brought the purchase back, and all points that it had given went with it.
    TakenBack,
}

/// Somebody who came by a customer's invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The first name and the initial of the surname: no more of them is anybody else's to know.
    pub name: String,
    /// When they registered.
    pub at: DateTime<Utc>,
    /// With `at` the place to read on from.
    pub place: uuid::Uuid,
    /// How far it has come.
    pub state: State,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_taken_as_people_write_it() {
        for raw in ["ABCD-2345", "abcd2345", " ab cd 23-45 "] {
            assert_eq!(code(raw).as_deref(), Some("ABCD2345"), "{raw}");
        }
        for raw in [
            "",
            "ABCD-234",
            "ABCD-23456",
            "ABCD-234O",
            "ABCD-1345",
            "ABCD-234Д",
            "../../..",
        ] {
            assert_eq!(code(raw), None, "{raw}");
        }
        assert_eq!(show("ABCD2345"), "ABCD-2345");
        assert_eq!(show("ДA"), "ДA");
    }
}
