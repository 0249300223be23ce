//! Tills and other systems that ask through the API, and the keys that they prove it by.

use crate::flaw::{self, Flaw};
use crate::id::{ApiKeyId, StoreId, TillId};
use crate::lang::Localized;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod catalogue;
#[cfg(feature = "store")]
pub mod counter;
#[cfg(feature = "store")]
pub mod receipt;
#[cfg(feature = "store")]
pub mod redeem;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "store")]
pub mod waiting;

/// What a key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Finds customers by card or phone, and enrols new ones.
    Customers,
    /// Asks what a basket earns, and books receipts, returns and voids.
    Purchases,
    /// Reserves points and lets them pay.
    Points,
    /// Writes shops, categories, articles and blank cards.
    Catalogue,
    /// Reads the books: postings by day, what is owed by age.
    Accounting,
}

impl Scope {
    /// Each of them, in the order in which pages list them.
    pub const ALL: [Self; 5] = [
        Self::Customers,
        Self::Purchases,
        Self::Points,
        Self::Catalogue,
        Self::Accounting,
    ];

    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Purchases => "purchases",
            Self::Points => "points",
            Self::Catalogue => "catalogue",
            Self::Accounting => "accounting",
        }
    }

    /// The one of this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// A till as an administrator enters it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTill {
    /// What people and logs call it: `moscow-1`.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Where its receipts come from: numbers are unique within a source, and tills of one source may take back each other's
    /// goods.
    pub source: String,
    /// Where it stands; none: each receipt names its shop.
    pub store: Option<StoreId>,
}

/// The longest code or source, in characters.
pub const CODE_MAX: usize = 40;

/// A code or source as it is kept: 2 to 40 characters of `a` to `z`, digits, `-` and `_`.
pub fn code(raw: &str) -> Result<String, Flaw> {
    let code = raw.trim().to_lowercase();
    match code.chars().count() {
        0 => Err(Flaw::Missing),
        1 => Err(Flaw::TooShort { min: 2 }),
        n if n > CODE_MAX => Err(Flaw::TooLong { max: CODE_MAX }),
        _ if !code
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_') =>
        {
            Err(Flaw::NotACode)
        }
        _ => Ok(code),
    }
}

impl NewTill {
    /// The same as it is kept, with what is wrong at `key`, `name` and `source`: what is typed into a field named `code` is a
    /// secret.
    pub fn check(&self, check: &mut flaw::Check) -> Option<Self> {
        let code = check.field("key", code(&self.code));
        let name = check.field("name", flaw::text(&self.name, 80));
        let source = check.field("source", source(&self.source));
        Some(Self {
            code: code?,
            name: name?,
            source: source?,
            store: self.store,
        })
    }
}

/// Sources that stand for something else.
const NOT_SOURCES: [&str; 3] = ["web", "staff", "till"];

fn source(raw: &str) -> Result<String, Flaw> {
    code(raw).and_then(|source| {
        if NOT_SOURCES.contains(&source.as_str()) {
            Err(Flaw::Taken)
        } else {
            Ok(source)
        }
    })
}

/// A till in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: TillId,
    /// What people and logs call it.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Where its receipts come from.
    pub source: String,
    /// Where it stands.
    pub store: Option<Localized>,
    /// When it was switched off.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When any key of it was used last, to within a minute.
    pub used_at: Option<DateTime<Utc>>,
    /// How many keys are good.
    pub keys: i64,
}

/// A key of a till, without its secret, which is shown once and never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Its last characters.
    pub hint: String,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was used last, to within a minute.
    pub used_at: Option<DateTime<Utc>>,
    /// From when on it is good for nothing.
    pub revoked_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_lower_case_letters_digits_and_dashes() {
        assert_eq!(code(" Moscow-1 "), Ok("moscow-1".into()));
        for (raw, flaw) in [
            ("", Flaw::Missing),
            ("a", Flaw::TooShort { min: 2 }),
            ("касса", Flaw::NotACode),
            ("a b", Flaw::NotACode),
            ("a/b", Flaw::NotACode),
        ] {
            assert_eq!(code(raw), Err(flaw), "{raw:?}");
        }
        assert_eq!(code(&"a".repeat(41)), Err(Flaw::TooLong { max: 40 }));
        assert_eq!(source("web"), Err(Flaw::Taken));
    }

    #[test]
    fn scopes_are_known_by_their_words() {
        for scope in Scope::ALL {
            assert_eq!(Scope::from_word(scope.as_str()), Some(scope));
        }
        assert_eq!(Scope::from_word("everything"), None);
    }
}
