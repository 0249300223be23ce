//! Phones and e-mail addresses: how people write them and how they are kept.

use crate::flaw::Flaw;
use crate::id::ContactId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod change;
#[cfg(feature = "store")]
pub mod store;

/// What a contact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A phone number in E.164.
    Phone,
    /// An e-mail address in lower case.
    Email,
}

/// A way to reach a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Contact {
    /// Its id.
    pub id: ContactId,
    /// Phone or e-mail.
    pub kind: Kind,
    /// The number or address as it is kept.
    pub value: String,
    /// The first of its kind.
    pub is_primary: bool,
    /// When the customer proved to hold it.
    pub verified_at: Option<DateTime<Utc>>,
}

/// A phone number in E.164 (`+79001234567`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phone(String);

/// What the browser has to know of a country's numbers. The server asks the `phonenumber` library, whose metadata
/// are far too large to send.
struct Country {
    /// ISO 3166-1 alpha-2.
    code: &'static str,
    /// Country calling code (ITU-T E.164).
    calling: &'static str,
    /// What people dial before a national number.
    trunk: &'static str,
    /// Digits of a national number.
    digits: usize,
    /// How the national digits are grouped when shown.
    groups: &'static [usize],
}

/// Countries whose shops Kabinet is made for. National lengths: ITU-T national numbering plans.
const COUNTRIES: &[Country] = &[
    Country {
        code: "RU",
        calling: "7",
        trunk: "8",
        digits: 10,
        groups: &[3, 3, 2, 2],
    },
    Country {
        code: "KZ",
        calling: "7",
        trunk: "8",
        digits: 10,
        groups: &[3, 3, 2, 2],
    },
    Country {
        code: "BY",
        calling: "375",
        trunk: "80",
        digits: 9,
        groups: &[2, 3, 2, 2],
    },
    Country {
        code: "AM",
        calling: "374",
        trunk: "0",
        digits: 8,
        groups: &[2, 3, 3],
    },
    Country {
        code: "KG",
        calling: "996",
        trunk: "0",
        digits: 9,
        groups: &[3, 3, 3],
    },
    Country {
        code: "UZ",
        calling: "998",
        trunk: "",
        digits: 9,
        groups: &[2, 3, 2, 2],
    },
    Country {
        code: "GE",
        calling: "995",
        trunk: "0",
        digits: 9,
        groups: &[3, 2, 2, 2],
    },
];

impl Phone {
    /// Reads a number as people write it: spaces, brackets, hyphens, dots, `8` or `+7` or neither. This is the
    /// browser's check: a number of another country is only looked at for its length.
    pub fn plausible(raw: &str, country: &str) -> Result<Self, Flaw> {
        let mut digits = String::new();
        let raw = raw.trim();
        if raw.is_empty() {
            return Err(Flaw::Missing);
        }
        for c in raw.chars() {
            match c {
                '+' | '＋' if digits.is_empty() => {}
                ' ' | '\u{a0}' | '\u{202f}' | '\t' | '(' | ')' | '-' | '‐' | '‑' | '–' | '—' | '.' | '/' => {}
                // Digits of other scripts and full width: people paste them.
                c if c.is_numeric() => digits.push(ascii_digit(c).ok_or(Flaw::NotAPhone)?),
                _ => return Err(Flaw::NotAPhone),
            }
        }
        let home = COUNTRIES.iter().find(|c| c.code == country);
        let international = raw.starts_with(['+', '＋']);
        if let Some(home) = home {
            let national = |rest: &str| (rest.len() == home.digits).then(|| Self(format!("+{}{rest}", home.calling)));
            if let Some(found) = digits.strip_prefix(home.calling).and_then(national) {
                return Ok(found);
            }
            if !international {
                let found = digits
                    .strip_prefix(home.trunk)
                    .and_then(national)
                    .or_else(|| national(&digits));
                return found.ok_or(Flaw::NotAPhone);
            }
            if digits.starts_with(home.calling) {
                return Err(Flaw::NotAPhone);
            }
        }
        // E.164 allows up to 15 digits with the country's; fewer than 8 reach nobody.
        if international && (8..=15).contains(&digits.len()) {
            Ok(Self(format!("+{digits}")))
        } else {
            Err(Flaw::NotAPhone)
        }
    }

    /// Reads a number and asks the numbering plans whether it can exist. The server's check.
    #[cfg(feature = "store")]
    pub fn parse(raw: &str, country: &str) -> Result<Self, Flaw> {
        let plausible = Self::plausible(raw, country)?;
        let home = country.parse().ok();
        let number = phonenumber::parse(home, &plausible.0).map_err(|_| Flaw::NotAPhone)?;
        if !phonenumber::is_valid(&number) {
            return Err(Flaw::NotAPhone);
        }
        Ok(Self(number.format().mode(phonenumber::Mode::E164).to_string()))
    }

    /// The number in E.164.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn ascii_digit(c: char) -> Option<char> {
    if c.is_ascii_digit() {
        return Some(c);
    }
    // Blocks whose ten digits follow one another: full width, Arabic-Indic, extended Arabic-Indic, Devanagari.
    ['０', '٠', '۰', '०'].iter().find_map(|zero| {
        let value = u32::from(c).checked_sub(u32::from(*zero))?;
        char::from_digit(value, 10)
    })
}

/// How a number in E.164 is shown: `+7 900 123-45-67` where the country is known, else as it is.
pub fn show_phone(e164: &str) -> String {
    let Some(rest) = e164.strip_prefix('+') else {
        return e164.to_owned();
    };
    let found = COUNTRIES.iter().find_map(|c| {
        rest.strip_prefix(c.calling)
            .filter(|n| n.len() == c.digits)
            .map(|n| (c, n))
    });
    let Some((country, mut national)) = found else {
        return e164.to_owned();
    };
    let mut shown = format!("+{}", country.calling);
    for (i, size) in country.groups.iter().enumerate() {
        let (group, left) = national.split_at(*size);
        // Spaces up to the second group, then hyphens, as the numbers stand on shop signs; none may break a line.
        shown.push(if i < 2 { '\u{a0}' } else { '\u{2011}' });
        shown.push_str(group);
        national = left;
    }
    shown
}

/// An e-mail address, in lower case: two spellings of one address are one contact.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Reads an address by RFC 5321/5322's grammar, with a domain that has a dot.
    pub fn parse(raw: &str) -> Result<Self, Flaw> {
        Self::check(raw).map(|address| Self(address.to_lowercase()))
    }

    /// The same as the browser checks it: as it was typed, for the tables of letters are too large to send.
    pub fn check(raw: &str) -> Result<&str, Flaw> {
        let raw = raw.trim();
        if raw.is_empty() {
            return Err(Flaw::Missing);
        }
        if raw.len() > 254 {
            return Err(Flaw::TooLong { max: 254 });
        }
        let options = email_address::Options::default()
            .with_required_tld()
            .without_display_text()
            .without_domain_literal();
        let email = email_address::EmailAddress::parse_with_options(raw, options).map_err(|_| Flaw::NotAnEmail)?;
        // Quoted local parts are lawful and never real; they break other people's systems.
        if email.local_part().starts_with('"') {
            return Err(Flaw::NotAnEmail);
        }
        Ok(raw)
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPELLINGS: [&str; 12] = [
        "+79000000001",
        "89000000001",
        "79000000001",
        "9000000001",
        "+7 (900) 000-00-01",
        "8 (900) 000 00 01",
        "8-900-000-00-01",
        "+7.900.000.00.01",
        "  +7 900 0000001 ",
        "8\u{a0}900\u{a0}000‑00‑01",
        "７９００００００００１",
        "+7 900/000/00/01",
    ];

    #[test]
    fn a_phone_in_twelve_spellings_is_one_phone() {
        for raw in SPELLINGS {
            assert_eq!(Phone::plausible(raw, "RU"), Ok(Phone("+79000000001".into())), "{raw}");
        }
    }

    #[cfg(feature = "store")]
    #[test]
    fn browser_and_library_agree() {
        for raw in SPELLINGS {
            assert_eq!(Phone::parse(raw, "RU").ok(), Phone::plausible(raw, "RU").ok(), "{raw}");
        }
        assert_eq!(
            Phone::parse("+44 20 7946 0958", "RU"),
            Ok(Phone("+442079460958".into()))
        );
        assert_eq!(Phone::parse("+7 000 000-00-00", "RU"), Err(Flaw::NotAPhone));
    }

    #[test]
    fn what_is_no_phone_is_refused() {
        for raw in [
            "123",
            "phone",
            "+7 900 000",
            "8 900 000 00 011",
            "+",
            "<script>",
            "900000000a",
        ] {
            assert_eq!(Phone::plausible(raw, "RU"), Err(Flaw::NotAPhone), "{raw}");
        }
        assert_eq!(Phone::plausible(" ", "RU"), Err(Flaw::Missing));
    }

    #[test]
    fn a_phone_is_shown_in_groups() {
        assert_eq!(show_phone("+79000000001"), "+7\u{a0}900\u{a0}000‑00‑01");
        assert_eq!(show_phone("+442079460958"), "+442079460958");
    }

    #[test]
    fn addresses() {
        assert_eq!(
            Email::parse(" Anna.O'Neill+shop@Example.COM "),
            Ok(Email("anna.o'neill+shop@example.com".into()))
        );
        assert!(Email::parse("анна@пример.рф").is_ok());
        for bad in [
            "anna",
            "a@b",
            "a b@example.com",
            "Anna <a@example.com>",
            "a@[127.0.0.1]",
            "\"a b\"@example.com",
            "a@@example.com",
        ] {
            assert_eq!(Email::parse(bad), Err(Flaw::NotAnEmail), "{bad}");
        }
    }
}
