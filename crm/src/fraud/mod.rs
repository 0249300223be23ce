//! Odd patterns: what may be fraud, found by rules with limits that staff set. A rule never decides: it writes an alert down with
//! what speaks for it, and staff look at it, dismiss or confirm it, and stop the spending of points where they have to.
//!
//! [`finding`] looks, [`store`] is what staff do with what was found, [`stop`] keeps points from being spent.
//!
//! # How to add a rule
//! A word in [`Rule`], a record in `content/records.json` with its words in `content/*/fraud_rules.json`, a function in
//! [`finding`], and the sentence of `app::admin::fraud` that says what was found.

use crate::id::{CustomerId, FraudAlertId, PurchaseId};
use crate::lang::Localized;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[cfg(feature = "store")]
pub mod finding;
#[cfg(feature = "store")]
pub mod stop;
#[cfg(feature = "store")]
pub mod store;

/// The most receipts that are counted of one customer.
pub const COUNTED_MAX: i64 = 1_000;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Many purchases of one customer within one day of the shop. A receipt does not say which card was shown, so it is the customer
    /// who is counted.
    ManyPurchases,
    /// Points were spent, and then the goods came back that had earned them.
    SpentAndReturned,
    /// A customer has a large share of the receipts of one till. Receipts do not say who was at it.
    OneTill,
    /// Points went from one to another and came back to whoever began, by three or four transfers.
    Ring,
}

/// A limit of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// See [`Limits::least`].
    Least,
    /// See [`Limits::days`].
    Days,
    /// See [`Limits::share`].
    Share,
}

impl Field {
    /// Its name in forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Least => "least",
            Self::Days => "days",
            Self::Share => "share",
        }
    }
}

impl Rule {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::ManyPurchases, Self::SpentAndReturned, Self::OneTill, Self::Ring];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ManyPurchases => "many_purchases",
            Self::SpentAndReturned => "spent_and_returned",
            Self::OneTill => "one_till",
            Self::Ring => "ring",
        }
    }

    /// The rule of this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == word)
    }

    /// The most that a limit may be; the least is one. What happened longer ago than that many days is not looked at.
    pub const fn most(self, field: Field) -> i64 {
        match (field, self) {
            // With more it would never be found.
            (Field::Least, Self::ManyPurchases | Self::OneTill) => COUNTED_MAX,
            (Field::Least, _) => 1_000_000,
            (Field::Days, _) => 60,
            (Field::Share, _) => 100,
        }
    }

    /// The limits that it goes by; the others of its record mean nothing.
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Self::ManyPurchases => &[Field::Least],
            Self::SpentAndReturned => &[Field::Least, Field::Days],
            Self::OneTill => &[Field::Least, Field::Days, Field::Share],
            Self::Ring => &[Field::Days],
        }
    }
}

/// The limits of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// From how many purchases on; of points spent, from how many whole points on.
    pub least: i64,
    /// Within how many days.
    pub days: i64,
    /// From how many per cent on.
    pub share: i64,
}

impl Limits {
    /// One of them.
    pub const fn get(&self, field: Field) -> i64 {
        match field {
            Field::Least => self.least,
            Field::Days => self.days,
            Field::Share => self.share,
        }
    }
}

/// What became of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has decided yet.
    Open,
    /// It was nothing.
    Dismissed,
    /// It was fraud.
    Confirmed,
}

impl State {
    /// Each of them, as lists show them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Dismissed, Self::Confirmed];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Dismissed => "dismissed",
            Self::Confirmed => "confirmed",
        }
    }
}

/// A rule as staff set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which.
    pub rule: Rule,
    /// It is looked for.
    pub enabled: bool,
    /// What it is called.
    pub name: Localized,
    /// Why it is odd.
    pub why: Localized,
    /// Its limits.
    pub limits: Limits,
    /// When it was changed last.
    pub changed_at: DateTime<Utc>,
}

/// An alert in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Row {
    /// Its id.
    pub id: FraudAlertId,
    /// What was found.
    pub rule: Rule,
    /// What became of it.
    pub state: State,
    /// Whom it is about; of a ring, whoever closed it.
    pub customer_id: CustomerId,
    /// Their name.
    pub name: String,
    /// Their surname.
    pub surname: String,
    /// How many purchases or transfers, or how many points in hundredths.
    pub measure: i64,
    /// Of how many receipts.
    pub out_of: Option<i64>,
    /// When it was found.
    pub found_at: DateTime<Utc>,
}

/// An alert with what was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Alert {
    /// Its id.
    pub id: FraudAlertId,
    /// What was found.
    pub rule: Rule,
    /// What became of it.
    pub state: State,
    /// How many purchases or transfers, or how many points in hundredths.
    pub measure: i64,
    /// Of how many receipts.
    pub out_of: Option<i64>,
    /// The rule's limits as they were.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub limits: Limits,
    /// When it was found.
    pub found_at: DateTime<Utc>,
    /// When it was decided about, or when more was found.
    pub changed_at: DateTime<Utc>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// Why.
    pub reason: String,
}

/// What a piece of evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum EvidenceKind {
    /// A receipt.
    Purchase,
    /// A transfer of points.
    Transfer,
    /// A spending of points.
    Transaction,
}

impl EvidenceKind {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Transfer => "transfer",
            Self::Transaction => "transaction",
        }
    }
}

/// Something that speaks for an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Evidence {
    /// Its own id, as a place in the list.
    pub id: Uuid,
    /// What it is.
    pub kind: EvidenceKind,
    /// When.
    pub at: DateTime<Utc>,
    /// Whose.
    pub customer_id: CustomerId,
    /// Their name.
    pub name: String,
    /// Their surname.
    pub surname: String,
    /// The receipt that it is, or that was paid.
    pub purchase_id: Option<PurchaseId>,
    /// Whose that receipt is.
    pub owner_id: Option<CustomerId>,
    /// The number of the receipt.
    pub document: Option<String>,
    /// It is a return.
    pub is_return: bool,
    /// What was paid, in minor units.
    pub total: Option<i64>,
    /// The shop, in every language.
    #[cfg_attr(feature = "store", sqlx(json(nullable)))]
    pub store: Option<Localized>,
    /// The till.
    pub till: Option<String>,
    /// The points that went, in hundredths.
    pub points: Option<i64>,
    /// Who was given them.
    pub to_id: Option<CustomerId>,
    /// Their name.
    pub to_name: Option<String>,
    /// Their surname.
    pub to_surname: Option<String>,
}

/// A customer whom an alert is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Party {
    /// Who.
    pub id: CustomerId,
    /// Their name.
    pub name: String,
    /// Their surname.
    pub surname: String,
    /// Until when they do not spend points, because staff said so.
    pub stopped_until: Option<DateTime<Utc>>,
    /// The account is there: neither erased nor gone into another.
    pub is_alive: bool,
}

/// A stop to spending.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Stop {
    /// When it is over by itself.
    pub ends_at: DateTime<Utc>,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub by: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_named_as_the_database_has_them() {
        for rule in Rule::ALL {
            assert_eq!(serde_json::to_value(rule).expect("a word"), rule.as_str());
            assert_eq!(Rule::from_word(rule.as_str()), Some(rule));
        }
        assert_eq!(Rule::from_word("everything"), None);
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).expect("a word"), state.as_str());
        }
    }
}
