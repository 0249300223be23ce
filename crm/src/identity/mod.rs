//! Accounts elsewhere that let somebody in here. One is known by its issuer and subject and by nothing else: an e-mail
//! address that a provider names is text to show and to fill a form with, never a reason to let anybody in.

use crate::id::IdentityId;
use crate::lang::Localized;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub mod store;

/// Whom an outside provider says somebody is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// The provider's name in the configuration.
    pub provider: String,
    /// What the shop calls the provider.
    #[serde(default)]
    pub called: Localized,
    /// Who vouches: the issuer of the ID token, or the address of the provider.
    pub issuer: String,
    /// The account there. Never given to somebody else by the issuer.
    pub subject: String,
    /// What its owner knows it by: an e-mail address, a name.
    pub shown: String,
    /// Fills the registration in.
    pub name: Option<String>,
    /// Likewise.
    pub surname: Option<String>,
    /// Likewise; to be proved like any other.
    pub email: Option<String>,
    /// Likewise, as `2000-12-31`.
    pub birthday: Option<String>,
    /// When its owner proved there who they are, where the provider says so. Of this one way: an attempt does not keep it.
    #[serde(skip)]
    pub proved_at: Option<DateTime<Utc>>,
}

/// An outside account as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Linked {
    /// Its id here.
    pub id: IdentityId,
    /// The provider's name in the configuration.
    pub provider: String,
    /// What its owner knows it by.
    pub shown: String,
    /// Since when.
    pub linked_at: DateTime<Utc>,
    /// When somebody last came in by it.
    pub used_at: Option<DateTime<Utc>>,
}

/// A birthday as providers write it, `2000-12-31` or `31.12.2000`, in the first of the two forms. What is not known of it
/// is zeros, as in `0000-12-31`.
pub fn birthday(raw: &str) -> Option<String> {
    let number = |part: &str, digits: std::ops::RangeInclusive<usize>| {
        let is_number = digits.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| part.parse::<u16>().ok()).flatten()
    };
    let (year, month, day) = match *raw.trim().split(['-', '.']).collect::<Vec<_>>() {
        [year, month, day] if raw.contains('-') => (year, month, day),
        [day, month, year] => (year, month, day),
        _ => return None,
    };
    let (year, month, day) = (number(year, 4..=4)?, number(month, 1..=2)?, number(day, 1..=2)?);
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

/// Whether somebody who gives up an outside account can still come in. Another outside account does not count: whether
/// its provider is asked is up to the shop, not to the customer.
pub const fn is_way_left(verified_contacts: i64, has_password: bool, passkeys: i64) -> bool {
    verified_contacts > 0 || has_password || passkeys > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn birthdays_are_read_as_providers_write_them() {
        for (raw, expected) in [
            ("2000-12-31", Some("2000-12-31")),
            ("31.12.2000", Some("2000-12-31")),
            ("1.2.1990", Some("1990-02-01")),
            ("0000-12-23", Some("0000-12-23")),
            (" 1990-05-03 ", Some("1990-05-03")),
            ("31.12", None),
            ("12/31/2000", None),
            ("2000-12-31T00:00:00", None),
            ("+200-1-1", None),
            ("", None),
        ] {
            assert_eq!(birthday(raw).as_deref(), expected, "{raw}");
        }
    }

    #[test]
    fn the_last_way_in_stays() {
        assert!(!is_way_left(0, false, 0));
        assert!(is_way_left(1, false, 0) && is_way_left(0, true, 0) && is_way_left(0, false, 1));
    }
}
