//! The people who work at the shop.

use crate::contact::Phone;
use crate::flaw::Flaw;
use crate::id::{CustomerId, StaffId};
use crate::lang::{Lang, fold};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[cfg(feature = "store")]
pub mod store;

/// One thing that staff may do or not. A role is a set of them, kept in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Reads requests, answers them, assigns them.
    Requests,
    /// Finds customers and opens their cards.
    Customers,
    /// Sees what was sent to people, and sends it again.
    Messages,
    /// Gives and takes points, consents to what colleagues give and take, brings transfers back.
    Points,
    /// Adds and disables staff, and gives them roles.
    Staff,
    /// Reads the audit log.
    Audit,
    /// Adds tills and gives them keys.
    Tills,
    /// Writes and publishes rules of discounts and points, programs and their tiers, promotions.
    Rules,
    /// Writes shops and categories down, and looks up what is sold.
    Shops,
    /// Writes and publishes articles of the help.
    Help,
    /// Reads what customers tell of their income.
    Income,
    /// Looks through what customers ask in public, shows it, and answers.
    Questions,
    /// Writes and publishes what messages, consents, topics and the dialogue say.
    Texts,
    /// Merges accounts of one customer, and undoes that.
    Merge,
    /// Reads reports, saves them, has them sent.
    Reports,
}

/// The code of a role: `agent`, `marketer`, `administrator`, or one that the shop made itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::Type), sqlx(transparent))]
#[serde(transparent)]
pub struct Role(String);

impl Role {
    /// Answers customers.
    pub const AGENT: &str = "agent";
    /// Writes rules of discounts and points.
    pub const MARKETER: &str = "marketer";
    /// Runs the system.
    pub const ADMINISTRATOR: &str = "administrator";

    /// The role with this code; whether there is one only the database knows.
    pub fn new(code: impl Into<String>) -> Self {
        Self(code.into())
    }

    /// Its code.
    pub fn code(&self) -> &str {
        &self.0
    }
}

/// Who is offered as assignee.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Colleague {
    /// Their id.
    pub id: StaffId,
    /// Their name.
    pub name: String,
}

/// A member of staff as an administrator enters them.
#[derive(Clone, Debug)]
pub struct NewStaff {
    /// What they sign in as.
    pub login: String,
    /// The name that colleagues see.
    pub name: String,
    /// Their role. One that is not there is [`Flaw::NotAChoice`] at `role`.
    pub role: Role,
    /// The language they read.
    pub language: Lang,
    /// The password's hash, never the password.
    pub password_hash: String,
}

/// A login as it is kept: in lower case, 2 to 60 characters without spaces.
pub fn login(raw: &str) -> Result<String, Flaw> {
    let login = raw.trim().to_lowercase();
    match login.chars().count() {
        0 => Err(Flaw::Missing),
        1 => Err(Flaw::TooShort { min: 2 }),
        n if n > 60 => Err(Flaw::TooLong { max: 60 }),
        _ if login.chars().any(|c| !c.is_alphanumeric() && !"._-@+".contains(c)) => Err(Flaw::NotAName),
        _ => Ok(login),
    }
}

/// A customer that a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Hit {
    /// Their id.
    pub id: CustomerId,
    /// Their name.
    pub name: String,
    /// Their surname.
    pub surname: String,
    /// Their first phone in E.164.
    pub phone: Option<String>,
    /// Their first e-mail address.
    pub email: Option<String>,
    /// The number of their newest card that tills take.
    pub card: Option<String>,
}

/// What a search by staff can mean. One text can mean several things: `1234` is a request, and the end of a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A whole phone number in E.164.
    Phone(String),
    /// The last digits of one.
    PhoneEnd(String),
    /// The beginning of an e-mail address, or all of it.
    Email(String),
    /// A card's number.
    Card(String),
    /// A request's number.
    Request(i64),
    /// The beginnings of name and surname, in any order, folded.
    Name(Vec<String>),
}

impl Probe {
    /// What kind it is, for the log: it says nothing of what was looked for.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Phone(_) => "phone",
            Self::PhoneEnd(_) => "phone_end",
            Self::Email(_) => "email",
            Self::Card(_) => "card",
            Self::Request(_) => "request",
            Self::Name(_) => "name",
        }
    }
}

/// What a text that staff typed can mean, for a shop in `country`. Nothing at all for a text that means nothing.
pub fn probes(raw: &str, country: &str) -> Vec<Probe> {
    let text: String = raw
        .chars()
        .take(100)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let folded = fold(&text);
    if folded.contains('@') {
        return vec![Probe::Email(folded)];
    }
    if folded.chars().any(char::is_alphabetic) {
        return vec![Probe::Name(folded.split(' ').take(4).map(str::to_owned).collect())];
    }
    let bare = folded.trim_start_matches(['#', '№']).trim_start();
    let is_marked = bare.len() < folded.len();
    let digits: String = bare.chars().filter(char::is_ascii_digit).collect();
    let phone = Phone::plausible(bare, country).ok().filter(|_| !is_marked);
    let is_phone = phone.is_some();
    let mut probes: Vec<Probe> = phone
        .into_iter()
        .map(|phone| Probe::Phone(phone.as_str().to_owned()))
        .collect();
    if digits.len() == 13 {
        probes.push(Probe::Card(digits.clone()));
    }
    // A number of 18 digits still fits an i64.
    if let Some(number) = bare.parse().ok().filter(|_| digits == bare && digits.len() <= 18) {
        probes.push(Probe::Request(number));
    }
    if !is_marked && !is_phone && digits.len() >= 4 {
        probes.push(Probe::PhoneEnd(digits));
    }
    probes
}

/// What happened to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A purchase; `object` is the receipt, `amount` its total.
    Sale,
    /// A return; likewise.
    Return,
    /// A request was written; `object` is it, `amount` its number, `code` its topic.
    Request,
    /// The customer wrote in a request; likewise.
    Message,
    /// Staff answered in a request; likewise.
    Answer,
    /// Staff left a note in a request; likewise.
    Note,
    /// A consent was given; `code` is its purpose.
    ConsentGiven,
    /// A consent was withdrawn; likewise.
    ConsentWithdrawn,
    /// A program was joined; `object` is it, `code` its code.
    Joined,
    /// A program was left; likewise.
    Left,
    /// A session was opened; `code` is what the browser says of itself.
    SignIn,
    /// Points moved; `object` is the transaction, `code` its kind, `amount` what the customer has more of, all
    /// programs and states together.
    Points,
    /// Something was changed; `code` is the action as the audit log calls it.
    Change,
}

/// One line of a customer's history: what happened, in codes and numbers that a page puts into words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub kind: EventKind,
    /// The thing itself: see [`EventKind`].
    pub object: Option<Uuid>,
    /// See [`EventKind`].
    pub code: String,
    /// See [`EventKind`]; 0 where it says nothing.
    pub amount: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_understood() {
        let of = |raw| probes(raw, "RU");
        let phone = Probe::Phone("+79000000001".into());
        for raw in [
            "+7 900 000-00-01",
            "89000000001",
            "8 (900) 000 00 01",
            "７９００００００００１",
            "\u{0}79000000001",
        ] {
            assert!(of(raw).contains(&phone), "{raw}: {:?}", of(raw));
            assert!(
                !of(raw).iter().any(|probe| matches!(probe, Probe::PhoneEnd(_))),
                "{raw}"
            );
        }
        assert_eq!(of("00-01"), [Probe::PhoneEnd("0001".into())]);
        assert_eq!(of("0001"), [Probe::Request(1), Probe::PhoneEnd("0001".into())]);
        assert_eq!(of("12"), [Probe::Request(12)]);
        assert_eq!(of("№ 1234"), [Probe::Request(1234)]);
        assert_eq!(
            of("2900000000018"),
            [
                Probe::Card("2900000000018".into()),
                Probe::Request(2_900_000_000_018),
                Probe::PhoneEnd("2900000000018".into())
            ]
        );
        assert_eq!(
            of("29 0000 0000 018").first(),
            Some(&Probe::Card("2900000000018".into()))
        );
        assert_eq!(of(" Anna@Example.com"), [Probe::Email("anna@example.com".into())]);
        assert_eq!(of(" ПЁТР  Ив"), [Probe::Name(vec!["петр".into(), "ив".into()])]);
        for nothing in ["", "  ", "---", "#", "\u{0}", "%", "😀"] {
            assert_eq!(of(nothing), [], "{nothing}");
        }
    }

    #[test]
    fn logins() {
        assert_eq!(login(" Anna.K "), Ok("anna.k".into()));
        for (bad, flaw) in [
            ("", Flaw::Missing),
            ("a", Flaw::TooShort { min: 2 }),
            ("a b", Flaw::NotAName),
            ("a\u{0}b", Flaw::NotAName),
            ("<b>", Flaw::NotAName),
        ] {
            assert_eq!(login(bad), Err(flaw), "{bad:?}");
        }
        assert_eq!(login(&"a".repeat(61)), Err(Flaw::TooLong { max: 60 }));
    }
}
