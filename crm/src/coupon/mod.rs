//! Coupons: what a series of them is, and the code of one, which people read out and type.

use crate::id::CouponId;
use crate::lang::Localized;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod store;

/// A series as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// What rules call it.
    pub code: String,
    /// What its coupons are for.
    pub name: Localized,
    /// For how many days after the one on which it is issued a coupon is good.
    pub valid_days: Option<i64>,
    /// The last day on which any is.
    pub last_day: Option<NaiveDate>,
    /// How often each may be used.
    pub uses: i64,
    /// By whoever brings it; otherwise by whom it was issued to.
    pub bearer: bool,
}

/// How it stands with a coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is good.
    Active,
    /// It was used as often as it may be.
    Used,
    /// Its time is over.
    Expired,
}

/// A coupon that a rule gave to a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coupon {
    /// Its id.
    pub id: CouponId,
    /// Its code.
    pub code: String,
    /// The code of its series.
    pub series: String,
    /// What it is for.
    pub name: Localized,
    /// When what it was given for happened.
    pub issued_at: DateTime<Utc>,
    /// The first moment at which it is good no more.
    pub expires_at: DateTime<Utc>,
    /// How often it may be used.
    pub uses: i64,
    /// How often it was.
    pub used: i64,
}

impl Coupon {
    /// How it stands with it at a moment.
    pub fn state(&self, now: DateTime<Utc>) -> State {
        if self.used >= self.uses {
            State::Used
        } else if self.expires_at <= now {
            State::Expired
        } else {
            State::Active
        }
    }
}

/// Why a coupon does nothing for a purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no code of a coupon: something was left out or typed wrong.
    Mistyped,
    /// No coupon has this code.
    Unknown,
    /// What it was given for came back.
    Withdrawn,
    /// It is good for one customer, and nobody said who buys.
    NeedsCustomer,
    /// It is somebody else's.
    Foreign,
    /// It was issued after the purchase.
    NotYet,
    /// Its time was over.
    Expired,
    /// It was used as often as it may be.
    Used,
    /// It is good, and no rule that asks for it gave anything: it stays as it was.
    NotApplied,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Mistyped,
        Self::Unknown,
        Self::Withdrawn,
        Self::NeedsCustomer,
        Self::Foreign,
        Self::NotYet,
        Self::Expired,
        Self::Used,
        Self::NotApplied,
    ];

    /// What other systems know it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mistyped => "mistyped",
            Self::Unknown => "unknown",
            Self::Withdrawn => "withdrawn",
            Self::NeedsCustomer => "needs_customer",
            Self::Foreign => "foreign",
            Self::NotYet => "not_yet",
            Self::Expired => "expired",
            Self::Used => "used",
            Self::NotApplied => "not_applied",
        }
    }
}

/// A coupon that was presented, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Its code as it was sent.
    pub coupon: String,
    /// Code and name of its series, where the coupon is known.
    pub series: Option<(String, Localized)>,
    /// Why it does nothing; none: a rule that asks for it gave something.
    pub refusal: Option<Refusal>,
}

/// The letters and digits of codes: without 0 and O, 1 and I, which people take for one another.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// How many characters a code has, the last of which checks the others.
const LENGTH: usize = 10;

/// The last character of a code, from those before it: Luhn's algorithm modulo 32. It finds every character that is wrong, and
/// two neighbours that changed places, but for 2 and Z.
fn check_character(code: &str) -> Option<char> {
    let mut sum = 0;
    for (place, c) in code.chars().rev().enumerate() {
        let value = ALPHABET.iter().position(|known| char::from(*known) == c)?;
        let weighted = if place % 2 == 0 { value * 2 } else { value };
        sum += weighted / 32 + weighted % 32;
    }
    ALPHABET.get((32 - sum % 32) % 32).map(|c| char::from(*c))
}

/// A code as it is kept, from what a person typed or a scanner read; none where it cannot be one.
pub fn code(raw: &str) -> Option<String> {
    let typed = raw.chars().filter(|c| !c.is_whitespace() && *c != '-');
    let code: String = typed.map(|c| c.to_ascii_uppercase()).collect();
    let (body, check) = code.split_at_checked(LENGTH - 1)?;
    (code.len() == LENGTH && check_character(body) == check.chars().next()).then_some(code)
}

/// A code as people read it: `7KQ2M-XA4RM`.
pub fn show(code: &str) -> String {
    match code.split_at_checked(LENGTH / 2) {
        Some((first, second)) => format!("{first}-{second}"),
        None => code.to_owned(),
    }
}

/// A new code: 45 random bits.
#[cfg(feature = "store")]
pub(crate) fn new_code() -> String {
    let mut code: String = (1..LENGTH)
        .map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]))
        .collect();
    code.extend(check_character(&code));
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn one_wrong_character_is_found(body in "[2-9A-HJ-NP-Z]{9}", place in 0..LENGTH, other in 0..32_usize) {
            let mut whole = body.clone();
            whole.extend(check_character(&body));
            prop_assert_eq!(code(&whole), Some(whole.clone()));
            let mut wrong: Vec<char> = whole.chars().collect();
            wrong[place] = char::from(ALPHABET[other]);
            let wrong: String = wrong.into_iter().collect();
            prop_assert_eq!(code(&wrong).is_some(), wrong == whole, "{}", wrong);
        }

        #[test]
        fn neighbours_that_changed_places_are_found(body in "[2-9A-HJ-NP-Z]{9}", place in 0..LENGTH - 1) {
            let mut whole = body.clone();
            whole.extend(check_character(&body));
            let mut wrong: Vec<char> = whole.chars().collect();
            wrong.swap(place, place + 1);
            let blind = ['2', 'Z'].contains(&wrong[place]) && ['2', 'Z'].contains(&wrong[place + 1]);
            let wrong: String = wrong.into_iter().collect();
            prop_assert!(wrong == whole || blind || code(&wrong).is_none(), "{} {}", whole, wrong);
        }
    }

    #[test]
    fn codes_are_typed_in_many_ways() {
        let whole = {
            let mut whole = "7KQ2MXA4R".to_owned();
            whole.extend(check_character(&whole));
            whole
        };
        let typed = format!(" {}-{} ", whole[..5].to_lowercase(), &whole[5..]);
        assert_eq!(code(&typed), Some(whole.clone()));
        assert_eq!(code(&show(&whole)), Some(whole.clone()));
        for wrong in [
            "",
            "7KQ2M",
            "0KQ2MXA4RM",
            "ЁЁЁЁЁ",
            "7KQ2MXA4\u{0}R",
            &format!("{whole}2"),
        ] {
            assert_eq!(code(wrong), None, "{wrong}");
        }
    }

    #[cfg(feature = "store")]
    #[test]
    fn new_codes_are_codes() {
        let new = new_code();
        assert_eq!(code(&new), Some(new));
    }
}
