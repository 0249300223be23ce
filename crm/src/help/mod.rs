//! The help: what readers find by themselves, so that nobody has to be asked.
//!
//! Articles are records that staff write: a draft, and published versions, of which the latest that has begun is shown until it
//! expires or is withdrawn. There are some dozens of them, so they are read together, and searched here: alike on both engines.

use crate::flaw::{self, Check, Flaw};
use crate::id::HelpArticleId;
use crate::lang::{Lang, Localized};
use crate::search::{is_common, sought, stem, words};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeSet;

#[cfg(feature = "store")]
pub mod store;

/// The longest title, in characters.
const TITLE_MAX: usize = 120;
/// The longest summary, in characters.
const SUMMARY_MAX: usize = 300;
/// The most keywords, in characters together.
const KEYWORDS_MAX: usize = 500;
/// The longest text of an article, in characters.
const BODY_MAX: usize = 20_000;
/// The longest answer to what was missing, in characters.
pub const MISSING_MAX: usize = 1000;
/// The longest text that is searched for, in characters.
pub const SEARCH_MAX: usize = crate::search::TEXT_MAX;
/// So much of a message is read for what may answer it, in characters: people say first what it is about.
const MESSAGE_MAX: usize = 600;
/// Shorter words of a message say nothing of what it is about.
const LETTERS_MIN: usize = 3;

/// A part of the help.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Category {
    /// Its lasting name.
    pub code: String,
    /// Its name.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub name: Localized,
}

/// What a version of an article says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The code of the category that it stands in.
    pub category: String,
    /// The code of the topic of requests that it may answer.
    pub topic: Option<String>,
    /// Its title.
    pub title: Localized,
    /// One or two sentences for lists.
    pub summary: Localized,
    /// Words that people may look for and that the text does not say.
    pub keywords: Localized,
    /// The text, in a small part of Markdown.
    pub body: Localized,
    /// The last day on which it is shown.
    pub expires_on: Option<NaiveDate>,
}

impl Content {
    /// The same as it is kept, with what is wrong at `title_ru`, `body_en` and so on. A draft has a title and may lack the
    /// rest; what is published on a day is whole, and has not expired by then.
    pub fn checked(&self, check: &mut Check, published_on: Option<NaiveDate>) -> Self {
        let needed: fn(&mut Check, &str, &Localized, usize) -> Localized = match published_on {
            Some(_) => Check::words,
            None => Check::words_if_any,
        };
        let title = check.words("title", &self.title, TITLE_MAX);
        let summary = needed(check, "summary", &self.summary, SUMMARY_MAX);
        let keywords = check.words_if_any("keywords", &self.keywords, KEYWORDS_MAX);
        let body = needed(check, "body", &self.body, BODY_MAX);
        let is_over = |last: NaiveDate| published_on.is_some_and(|day| last < day);
        if self.expires_on.is_some_and(is_over) {
            check.field::<()>("expires", Err(Flaw::InThePast));
        }
        Self {
            title,
            summary,
            keywords,
            body,
            ..self.clone()
        }
    }

    /// What keeps it from being published on a day.
    pub fn lacks(&self, published_on: NaiveDate) -> Vec<flaw::FieldFlaw> {
        let mut check = Check::new();
        self.checked(&mut check, Some(published_on));
        check.flaws()
    }
}

/// An article as readers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Shown {
    /// Its id.
    pub id: HelpArticleId,
    /// Its lasting name, as in addresses.
    pub code: String,
    /// The version.
    pub version: i64,
    /// What it says.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub content: Content,
    /// Since when.
    pub published_at: DateTime<Utc>,
}

/// What a word weighs in the keywords of an article; in its title it weighs more, in its text less.
const KEYWORD: u32 = 3;

/// What each word weighs in an article: the best place where one begins with it. None where it is nowhere.
fn weights(content: &Content, lang: Lang, sought: &[String]) -> Vec<Option<u32>> {
    let places = [
        (&content.title, 3 * KEYWORD),
        (&content.keywords, KEYWORD),
        (&content.summary, 1),
        (&content.body, 1),
    ];
    let places = places.map(|(text, weight)| (words(text.get(lang)), weight));
    let best = |word: &String| {
        let has = |words: &[String]| words.iter().any(|one| one.starts_with(word.as_str()));
        places.iter().find(|(words, _)| has(words)).map(|(_, weight)| *weight)
    };
    sought.iter().map(best).collect()
}

/// The articles that answer a text in a language, the best first; of equal ones the first. A text without a word that says
/// something finds nothing.
pub fn search<'a>(shown: &'a [Shown], lang: Lang, text: &str) -> Vec<&'a Shown> {
    let sought = sought(text);
    if sought.is_empty() {
        return Vec::new();
    }
    // Every word has to be there.
    best_first(shown, |article| {
        weights(&article.content, lang, &sought).into_iter().sum()
    })
}

/// The articles that may answer a message, the best first. A message has many words, so not all of them have to be there; but one
/// has to stand in the title or among the keywords.
pub fn suggest<'a>(shown: &'a [Shown], lang: Lang, message: &str) -> Vec<&'a Shown> {
    let message: String = message.chars().take(MESSAGE_MAX).collect();
    let words = words(&message);
    let sought: BTreeSet<&str> = words
        .iter()
        .filter(|word| word.chars().count() >= LETTERS_MIN && !is_common(word))
        .map(|word| stem(word))
        .collect();
    let sought: Vec<String> = sought.into_iter().map(str::to_owned).collect();
    best_first(shown, |article| {
        let found: Vec<u32> = weights(&article.content, lang, &sought).into_iter().flatten().collect();
        found
            .iter()
            .any(|weight| *weight >= KEYWORD)
            .then(|| found.iter().sum())
    })
}

/// The articles that weigh something, the heaviest first.
fn best_first(shown: &[Shown], weight: impl Fn(&Shown) -> Option<u32>) -> Vec<&Shown> {
    let mut found: Vec<_> = shown
        .iter()
        .filter_map(|article| Some((weight(article)?, article)))
        .collect();
    found.sort_by_key(|(weight, _)| Reverse(*weight));
    found.into_iter().map(|(_, article)| article).collect()
}

/// A text as it is written down that it was looked for: its words, folded, without what is an address or a number: people type
/// their own into every field. None where nothing is left.
pub fn noted(text: &str) -> Option<String> {
    let text: String = text.chars().take(SEARCH_MAX).collect();
    let parts: Vec<&str> = text.split_whitespace().filter(|part| !part.contains('@')).collect();
    let is_number = |word: &String| word.chars().any(char::is_numeric);
    let words: Vec<_> = words(&parts.join(" "))
        .into_iter()
        .filter(|word| !is_number(word))
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn article(code: &str, title: &str, keywords: &str, body: &str) -> Shown {
        let both = |text: &str| Localized {
            ru: text.into(),
            en: format!("English {text}"),
        };
        Shown {
            id: HelpArticleId(uuid::Uuid::nil()),
            code: code.into(),
            version: 1,
            content: Content {
                title: both(title),
                keywords: both(keywords),
                body: both(body),
                ..Content::default()
            },
            published_at: DateTime::default(),
        }
    }

    #[test]
    fn titles_come_before_keywords_and_those_before_texts() {
        let all = [
            article("body", "Возврат", "вещь", "Сгорят ли **баллы**? [Нет](/points)"),
            article("none", "Адреса", "", "Магазины"),
            article("keywords", "Срок", "баллы сгорание", "Через год"),
            article("title", "Когда сгорают баллы", "", "Через год"),
            article("again", "Баллы и сгорание", "", "Через год"),
        ];
        let found = |text: &str| -> Vec<&str> {
            let found = search(&all, Lang::Ru, text);
            found.into_iter().map(|article| article.code.as_str()).collect()
        };
        assert_eq!(found("баллов"), ["title", "again", "keywords", "body"]);
        assert_eq!(
            found("  Когда у меня СГОРЯТ баллы? "),
            ["body"],
            "every word has to be there"
        );
        assert_eq!(found("магаз"), ["none"], "by its beginning");
        assert_eq!(found("газины"), [""; 0], "and by nothing else");
        for nothing in ["", "  ", "как мне", "%", "_", "\u{0}", "вертолёт"] {
            assert_eq!(found(nothing), [""; 0], "{nothing:?}");
        }
        let english = search(&all, Lang::En, "englishman");
        assert!(english.is_empty(), "a beginning of what is typed is not enough");
        assert_eq!(search(&all, Lang::En, "ENGL").len(), 5);
    }

    #[test]
    fn a_message_finds_what_it_names_though_not_all_of_its_words_are_there() {
        let all = [
            article("body", "Возврат", "вещь", "Сгорят ли баллы вертолёта?"),
            article("keywords", "Срок", "баллы сгорание", "Через год"),
            article("title", "Когда сгорают баллы", "", "Через год"),
        ];
        let found = |message: &str| -> Vec<&str> {
            let found = suggest(&all, Lang::Ru, message);
            found.into_iter().map(|article| article.code.as_str()).collect()
        };
        let message = "Здравствуйте! Вчера купила чайник, и с карты пропали БАЛЛЫ. Где мои баллы?";
        assert_eq!(found(message), ["title", "keywords"]);
        assert_eq!(search(&all, Lang::Ru, message).len(), 0, "a search asks for every word");
        assert_eq!(found("вертолёт"), [""; 0], "a word of the text alone is not enough");
        for nothing in ["", "  ", "как мне до", "\u{0}%_"] {
            assert_eq!(found(nothing), [""; 0], "{nothing:?}");
        }
    }

    #[test]
    fn of_what_is_looked_for_neither_numbers_nor_addresses_are_noted() {
        assert_eq!(noted(" Где МОЙ  Чек?").as_deref(), Some("где мой чек"));
        let typed = "карта 2900000000018 +7 (900) 123-45-67 anna@example.com";
        assert_eq!(noted(typed).as_deref(), Some("карта"));
        assert_eq!(noted("a\u{0}b").as_deref(), Some("a b"));
        for nothing in ["", "42", "anna@example.com", "?!"] {
            assert_eq!(noted(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_draft_has_a_title_and_what_is_published_is_whole() {
        let day = |d| NaiveDate::from_ymd_opt(2026, 11, d).unwrap_or_default();
        let at = |flaws: Vec<flaw::FieldFlaw>| flaws.into_iter().map(|(field, _)| field).collect::<Vec<_>>();
        let draft = Content {
            title: Localized::new("Чек", ""),
            expires_on: Some(day(20)),
            ..Content::default()
        };
        let mut check = Check::new();
        draft.checked(&mut check, None);
        assert_eq!(at(check.flaws()), ["title_en"]);
        let all = ["title_en", "summary_ru", "summary_en", "body_ru", "body_en"];
        assert_eq!(at(draft.lacks(day(20))), all, "the last day is one of its days");
        assert_eq!(at(draft.lacks(day(21))), [&all[..], &["expires"]].concat());
    }
}
