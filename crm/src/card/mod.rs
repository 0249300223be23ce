//! Loyalty cards and their numbers.

use crate::id::CardId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub mod code;
pub mod qr;
#[cfg(feature = "store")]
pub mod store;

/// What a card is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Shown on a screen.
    Virtual,
    /// Handed out at the till.
    Plastic,
}

/// Whether a till takes the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It does.
    Active,
    /// It does not: lost or replaced.
    Blocked,
}

/// A card of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Card {
    /// Its id.
    pub id: CardId,
    /// EAN-13, as printed.
    pub number: String,
    /// Virtual or plastic.
    pub kind: Kind,
    /// Active or blocked.
    pub state: State,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
}

/// The check digit of the first twelve digits of an EAN-13 (GS1 General Specifications, 7.9): weights 1 and 3 in turn.
pub fn check_digit(twelve: &str) -> Option<char> {
    if twelve.len() != 12 {
        return None;
    }
    let mut sum = 0;
    for (i, c) in twelve.chars().enumerate() {
        sum += c.to_digit(10)? * if i % 2 == 0 { 1 } else { 3 };
    }
    char::from_digit((10 - sum % 10) % 10, 10)
}

/// The card number in what a person typed or a scanner read: thirteen digits whose check digit fits.
pub fn number(raw: &str) -> Option<String> {
    let digits: String = raw.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let twelve = digits.get(..12)?;
    (digits.len() == 13 && check_digit(twelve) == digits.chars().last()).then_some(digits)
}

/// A number as people read it aloud: `2 901234 567890`.
pub fn show(number: &str) -> String {
    match (number.get(..1), number.get(1..7), number.get(7..)) {
        (Some(a), Some(b), Some(c)) => format!("{a}\u{a0}{b}\u{a0}{c}"),
        _ => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_of_known_codes() {
        // The example of the GS1 General Specifications, and an ISBN.
        assert_eq!(check_digit("629104150021"), Some('3'));
        assert_eq!(check_digit("978030640615"), Some('7'));
        assert_eq!(check_digit("12345"), None);
        assert_eq!(number("629104150021-3"), Some("6291041500213".into()));
        assert_eq!(number("6291041500214"), None);
        assert_eq!(number("６２９１０４１５００２１３"), None);
    }
}
