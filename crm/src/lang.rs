//! Languages, texts in each of them, and the folding that search compares by.

use chrono::{Datelike, NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

const MONTHS_RU: [&str; 12] = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
];
const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A language that the product speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Lang {
    /// Russian.
    #[default]
    Ru,
    /// English.
    En,
}

impl Lang {
    /// Every language, the first being the product's own.
    pub const ALL: [Self; 2] = [Self::Ru, Self::En];

    /// The language's code (ISO 639-1).
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ru => "ru",
            Self::En => "en",
        }
    }

    /// The language with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.code() == code)
    }

    /// The months' names as they stand in a date, January first.
    pub const fn months(self) -> [&'static str; 12] {
        match self {
            Self::Ru => MONTHS_RU,
            Self::En => MONTHS_EN,
        }
    }

    /// A day in words, as the cabinet says it: `21 ноября 2026`.
    pub fn date_in_words(self, day: NaiveDate) -> String {
        let month = self.months()[day.month0() as usize];
        format!("{}\u{a0}{month} {}", day.day(), day.year())
    }

    /// The same without its year when it is this one: `21 ноября`.
    pub fn day_in_words(self, day: NaiveDate, today: NaiveDate) -> String {
        if day.year() != today.year() {
            return self.date_in_words(day);
        }
        format!("{}\u{a0}{}", day.day(), self.months()[day.month0() as usize])
    }

    /// A day, short and with its year, as it stands in messages and tables: `21.11.2026` or `21 Nov 2026`.
    pub fn date(self, day: NaiveDate) -> String {
        let form = match self {
            Self::Ru => "%d.%m.%Y",
            Self::En => "%-d %b %Y",
        };
        day.format(form).to_string()
    }

    /// The same with the time of day: `21.11.2026 14:05` or `21 Nov 2026 14:05`.
    pub fn moment(self, local: NaiveDateTime) -> String {
        format!("{} {}", self.date(local.date()), local.format("%H:%M"))
    }

    /// The first language of an `Accept-Language` header (RFC 9110, 12.5.4) that the product speaks, by weight.
    pub fn from_accept(header: &str) -> Option<Self> {
        header
            .split(',')
            .filter_map(|part| {
                let mut pieces = part.trim().split(';');
                let lang = Self::from_code(pieces.next()?.split('-').next()?.trim().to_ascii_lowercase().as_str())?;
                let weight = pieces
                    .find_map(|p| p.trim().strip_prefix("q=")?.parse::<f32>().ok())
                    .unwrap_or(1.0);
                (weight > 0.0).then_some((lang, weight))
            })
            // The first of equal weights wins, so not max_by, which takes the last.
            .fold(None, |best: Option<(Self, f32)>, next| match best {
                Some(held) if held.1 >= next.1 => Some(held),
                _ => Some(next),
            })
            .map(|(lang, _)| lang)
    }
}

/// A text in every language. A record that lacks one does not load.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Localized {
    /// In Russian.
    pub ru: String,
    /// In English.
    pub en: String,
}

impl Localized {
    /// A text in both.
    pub fn new(ru: impl Into<String>, en: impl Into<String>) -> Self {
        let (ru, en) = (ru.into(), en.into());
        Self { ru, en }
    }

    /// The text in a language.
    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::Ru => &self.ru,
            Lang::En => &self.en,
        }
    }
}

/// Which form of a word goes with a number (CLDR 48, cardinal plural rules, for whole numbers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plural {
    /// 1, and in Russian 21, 31, … but not 11.
    One,
    /// In Russian 2 to 4, 22 to 24, … but not 12 to 14.
    Few,
    /// Every other number.
    Many,
}

impl Plural {
    /// The form for a whole number.
    pub const fn of(lang: Lang, n: i64) -> Self {
        let n = n.unsigned_abs();
        match (lang, n % 10, n % 100) {
            (Lang::En, ..) if n == 1 => Self::One,
            (Lang::En, ..) => Self::Many,
            (Lang::Ru, 1, hundreds) if hundreds != 11 => Self::One,
            (Lang::Ru, 2..=4, hundreds) if hundreds < 12 || hundreds > 14 => Self::Few,
            (Lang::Ru, ..) => Self::Many,
        }
    }
}

/// Folds a text for search: lower case in every script, `ё` as `е`, runs of white space as one space.
/// Done here because SQLite lowers ASCII only.
pub fn fold(text: &str) -> String {
    let lower = text.to_lowercase().replace('ё', "е");
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_language_wins_and_the_first_of_equals() {
        assert_eq!(Lang::from_accept("de-DE,de;q=0.9,en;q=0.8,ru;q=0.7"), Some(Lang::En));
        assert_eq!(Lang::from_accept("ru-RU,en"), Some(Lang::Ru));
        assert_eq!(Lang::from_accept("de, en;q=0"), None);
    }

    #[test]
    fn plurals_of_the_teens_are_many() {
        use Plural::{Few, Many, One};
        let of = |lang, numbers: &[i64]| numbers.iter().map(|n| Plural::of(lang, *n)).collect::<Vec<_>>();
        assert_eq!(
            of(Lang::Ru, &[0, 1, 2, 5, 11, 12, 14, 21, 22, 101, 111, 112]),
            [Many, One, Few, Many, Many, Many, Many, One, Few, One, Many, Many]
        );
        assert_eq!(of(Lang::En, &[0, 1, 2, 11, 21]), [Many, One, Many, Many, Many]);
    }

    #[test]
    fn a_date_is_written_as_its_reader_writes_it() {
        let at = NaiveDate::from_ymd_opt(2026, 3, 7).and_then(|day| day.and_hms_opt(9, 5, 0));
        let at = at.expect("a moment");
        assert_eq!(Lang::Ru.moment(at), "07.03.2026 09:05");
        assert_eq!(Lang::En.moment(at), "7 Mar 2026 09:05");
        let (day, later) = (at.date(), at.date() + chrono::Days::new(300));
        assert_eq!(Lang::Ru.day_in_words(day, day), "7\u{a0}марта");
        assert_eq!(Lang::Ru.day_in_words(day, later), "7\u{a0}марта 2026");
        assert_eq!(Lang::En.date_in_words(day), "7\u{a0}March 2026");
    }

    #[test]
    fn folding_knows_cyrillic() {
        assert_eq!(fold("  Семёнов\u{a0} ПЁТР "), "семенов петр");
    }
}
