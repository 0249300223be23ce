//! Questions that customers ask where everybody reads them, and what the shop answers. Staff look at each before anybody else
//! does.

use crate::id::{CustomerId, QuestionId, TopicId};
use crate::lang::{Lang, Localized};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod store;

/// The longest question, in characters.
pub const TEXT_MAX: usize = 1000;
/// The longest answer, in characters.
pub const ANSWER_MAX: usize = 4000;
/// The longest reason to decline one, in characters.
pub const REASON_MAX: usize = 500;
/// The longest text that is searched for, in characters.
pub const SEARCH_MAX: usize = 100;

/// How it stands with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody but staff sees it.
    New,
    /// Everybody reads it.
    Published,
    /// It will not be shown.
    Declined,
    /// It is answered in private, as a request.
    Moved,
}

impl State {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::New, Self::Published, Self::Declined, Self::Moved];

    /// As addresses name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Published => "published",
            Self::Declined => "declined",
            Self::Moved => "moved",
        }
    }
}

/// A question as a form brings it; nothing of it is checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewQuestion {
    /// The topic's code.
    pub topic: String,
    /// What is asked.
    pub text: String,
    /// Everybody sees the first name of whoever asks; else only that it is a customer.
    pub is_named: bool,
    /// What looks like a phone, an address or a card in it is none, says whoever asks.
    pub is_harmless: bool,
}

/// What staff make of a question, as a form brings it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// What is shown of it.
    pub body: String,
    /// The answer; may be empty.
    pub answer: String,
    /// The code of the article of the help that says more; empty for none.
    pub article: String,
}

/// A question as everybody reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Shown {
    /// Its id.
    pub id: QuestionId,
    /// What it is about.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub topic: Localized,
    /// The first name of whoever asked; empty where they chose none.
    pub name: String,
    /// The language that it is written in.
    pub language: Lang,
    /// What is asked.
    pub body: String,
    /// What the shop says.
    pub answer: Option<String>,
    /// The code of the article of the help that says more.
    pub article: Option<String>,
    /// Since when it is shown.
    pub published_at: DateTime<Utc>,
    /// When it was answered.
    pub answered_at: Option<DateTime<Utc>>,
}

/// A question as whoever asked it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Own {
    /// Its id.
    pub id: QuestionId,
    /// What it is about.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub topic: Localized,
    /// What they asked, in their own words.
    pub asked: String,
    /// How it stands with it.
    pub state: State,
    /// Why it was declined.
    pub reason: Option<String>,
    /// The number of the request that it became.
    pub request: Option<i64>,
    /// There is an answer.
    pub is_answered: bool,
    /// When they asked.
    pub asked_at: DateTime<Utc>,
}

/// A question in the list of staff.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Row {
    /// Its id.
    pub id: QuestionId,
    /// What it is about.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub topic: Localized,
    /// How it begins: up to 160 characters.
    pub beginning: String,
    /// There is an answer.
    pub is_answered: bool,
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
}

/// A question as staff see it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Whole {
    /// Its id.
    pub id: QuestionId,
    /// Who asked.
    pub customer_id: CustomerId,
    /// Their name.
    pub customer_name: String,
    /// Their surname.
    pub customer_surname: String,
    /// Its topic.
    pub topic_id: TopicId,
    /// What the topic is called.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub topic: Localized,
    /// The name that everybody sees; empty for none.
    pub name: String,
    /// The language that it is written in.
    pub language: Lang,
    /// What was asked.
    pub asked: String,
    /// What is shown of it.
    pub body: String,
    /// How it stands with it.
    pub state: State,
    /// Why it was declined.
    pub reason: Option<String>,
    /// The number of the request that it became.
    pub request: Option<i64>,
    /// What the shop says.
    pub answer: Option<String>,
    /// The code of the article of the help that says more.
    pub article: Option<String>,
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
    /// When it was changed last. Goes back with a change, so that nobody changes what they have not read.
    pub changed_at: DateTime<Utc>,
    /// Since when it is shown, or when it was first.
    pub published_at: Option<DateTime<Utc>>,
    /// When it was answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// The name of who answered.
    pub answered_by: Option<String>,
    /// How often the answer was of use.
    pub useful: i64,
    /// How often it was not.
    pub useless: i64,
}

/// From how many digits on a number may be a phone or a card.
const DIGITS: usize = 10;

/// What of a text looks like an e-mail address, a phone or the number of a card: everybody would read it.
pub fn private(text: &str) -> Vec<String> {
    let is_address = |word: &&str| {
        word.split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
    };
    let words = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    let addresses = words.clone().filter(is_address).map(str::to_owned);
    let is_of_number = |c: char| c.is_numeric() || " \u{a0}-–()+".contains(c);
    let digits = |run: &str| run.chars().filter(|c| c.is_numeric()).count();
    let numbers = text
        .split(|c: char| !is_of_number(c))
        .filter(|run| digits(run) >= DIGITS);
    // A number with points in it, which are otherwise those of days and sums.
    let is_day = |part: &str| chrono::NaiveDate::parse_from_str(part, "%d.%m.%Y").is_ok();
    let is_pointed = |word: &&str| {
        let is_number = word.contains('.') && word.chars().all(|c| c.is_numeric() || ".-–()".contains(c));
        is_number && digits(word) >= DIGITS && !word.split(['-', '–']).any(is_day)
    };
    let pointed = words.filter(is_pointed).map(str::to_owned);
    let numbers = numbers.map(|run| run.trim().to_owned());
    addresses.chain(numbers).chain(pointed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_addresses_and_cards_are_found() {
        for (text, expected) in [
            ("Мой номер +7 (900) 123-45-67, звоните", "+7 (900) 123-45-67"),
            ("89001234567", "89001234567"),
            ("Карта 2900000000018.", "2900000000018"),
            ("карта 4000 0012 3456 7899", "4000 0012 3456 7899"),
            ("пишите на <anna@example.com>!", "anna@example.com"),
            ("Мой номер 8.900.123.45.67.", "8.900.123.45.67"),
            ("звоните: 8.900.123-45-68", "8.900.123-45-68"),
        ] {
            assert_eq!(private(text), [expected], "{text}");
        }
        let both = private("anna@example.com или 8 900 123 45 67");
        assert_eq!(both, ["anna@example.com", "8 900 123 45 67"]);
        for harmless in [
            "",
            "Чек 123456 от 21.11.2026 12:30 на 2500,00",
            "Скидка 10 % с 1 по 30 число?",
            "@сосна",
            "Артикул 123456789",
            "С 01.11.2026-30.11.2026 за 2500.00",
        ] {
            assert_eq!(private(harmless), [""; 0], "{harmless}");
        }
    }
}
