//! The people who work at the shop.

use crate::flaw::Flaw;
use crate::id::StaffId;
use crate::lang::Lang;
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod approval;
#[cfg(feature = "store")]
pub mod managing;
#[cfg(feature = "store")]
pub mod roles;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "store")]
pub mod view;
#[cfg(feature = "store")]
pub mod why;

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
    /// Gives points for goodwill, and asks a colleague for more than their role may give by itself.
    Goodwill,
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
    /// Opens the files of requests: photos, receipts, whatever else customers send.
    Documents,
    /// Looks through what customers ask in public, shows it, and answers.
    Questions,
    /// Writes and publishes what messages, consents, topics and the dialogue say.
    Texts,
    /// Merges accounts of one customer, and undoes that.
    Merge,
    /// Leads the desk of support: sets up its queues and tags, and closes what only a lead closes.
    Desk,
    /// Says how soon requests are answered and when there is work, is told where that is broken, and reads how often.
    Levels,
    /// Sees what colleagues are to do for customers, ends it and hands it on.
    Tasks,
    /// Blocks customers' cards, and hands out others.
    Cards,
    /// Corrects whose a receipt is, and where it was; books returns that a till did not send, and voids.
    Purchases,
    /// Adds, confirms and removes customers' contacts.
    Contacts,
    /// Corrects customers' data, has it collected or erased when they ask.
    PersonalData,
    /// Looks at the cabinet as its customer sees it.
    ViewAs,
    /// Writes macros of requests for everybody.
    Macros,
    /// Reads reports, saves them, has them sent.
    Reports,
    /// Keeps partners whom data of customers may be passed to.
    Partners,
    /// Looks through odd patterns, decides what they are, stops the spending of points.
    Fraud,
    /// Brings in customers, cards, articles and purchases from files.
    Import,
    /// Takes tables of what is kept away as files; of customers only what another right shows.
    Export,
}

impl Right {
    /// Each of them, as lists show them.
    pub const ALL: [Self; 30] = [
        Self::Requests,
        Self::Customers,
        Self::Messages,
        Self::Points,
        Self::Goodwill,
        Self::Staff,
        Self::Audit,
        Self::Tills,
        Self::Rules,
        Self::Shops,
        Self::Help,
        Self::Income,
        Self::Documents,
        Self::Questions,
        Self::Texts,
        Self::Merge,
        Self::Desk,
        Self::Levels,
        Self::Tasks,
        Self::Cards,
        Self::Purchases,
        Self::Contacts,
        Self::PersonalData,
        Self::ViewAs,
        Self::Macros,
        Self::Reports,
        Self::Partners,
        Self::Fraud,
        Self::Import,
        Self::Export,
    ];

    /// Whoever has one of these has an inbox: something may come into it.
    pub const TOLD: [Self; 5] = [
        Self::Requests,
        Self::Customers,
        Self::Points,
        Self::Goodwill,
        Self::Rules,
    ];

    /// As forms and the database name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Customers => "customers",
            Self::Messages => "messages",
            Self::Points => "points",
            Self::Goodwill => "goodwill",
            Self::Staff => "staff",
            Self::Audit => "audit",
            Self::Tills => "tills",
            Self::Rules => "rules",
            Self::Shops => "shops",
            Self::Help => "help",
            Self::Income => "income",
            Self::Documents => "documents",
            Self::Questions => "questions",
            Self::Texts => "texts",
            Self::Merge => "merge",
            Self::Desk => "desk",
            Self::Levels => "levels",
            Self::Tasks => "tasks",
            Self::Cards => "cards",
            Self::Purchases => "purchases",
            Self::Contacts => "contacts",
            Self::PersonalData => "personal_data",
            Self::ViewAs => "view_as",
            Self::Macros => "macros",
            Self::Reports => "reports",
            Self::Partners => "partners",
            Self::Fraud => "fraud",
            Self::Import => "import",
            Self::Export => "export",
        }
    }

    /// The right of this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.as_str() == word)
    }
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

    /// Those that come with the program, which nobody changes.
    pub const BUILT_IN: [&str; 6] = [
        Self::AGENT,
        "lead",
        Self::MARKETER,
        "analyst",
        "partner_manager",
        Self::ADMINISTRATOR,
    ];

    /// The role with this code; whether there is one only the database knows.
    pub fn new(code: impl Into<String>) -> Self {
        Self(code.into())
    }

    /// Its code.
    pub fn code(&self) -> &str {
        &self.0
    }

    /// It came with the program.
    pub fn is_built_in(&self) -> bool {
        Self::BUILT_IN.contains(&self.code())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_named_as_the_database_has_them() {
        for right in Right::ALL {
            assert_eq!(serde_json::to_value(right).expect("a word"), right.as_str());
            assert_eq!(Right::from_word(right.as_str()), Some(right));
        }
        assert_eq!(Right::from_word("everything"), None);
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
