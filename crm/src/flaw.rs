//! What can be wrong with a value that a person typed. The same rules run in the browser and on the server;
//! pages turn a [`Flaw`] into words.

use crate::lang::{Lang, Localized};
use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

/// Why a value was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "flaw")]
pub enum Flaw {
    /// Nothing was typed.
    Missing,
    /// Longer than `max` characters.
    TooLong {
        /// How many are allowed.
        max: usize,
    },
    /// Shorter than `min` characters.
    TooShort {
        /// How many are needed.
        min: usize,
    },
    /// Characters that do not belong into a name.
    NotAName,
    /// Invisible control characters.
    ControlCharacters,
    /// Not a phone number of the shop's country or in international form.
    NotAPhone,
    /// Not an e-mail address.
    NotAnEmail,
    /// No such day in the calendar.
    NotADate,
    /// A day that has not come yet.
    InTheFuture,
    /// A birthday too long ago.
    TooOld,
    /// Younger than `age` years.
    TooYoung {
        /// The age from which the club is open.
        age: u32,
    },
    /// Characters that do not belong into a code.
    NotACode,
    /// Characters that do not belong into the key of a partner.
    NotAKey,
    /// Not the address of a web server: `https://` and a name.
    NotAUrl,
    /// An address within a private network, where the shop calls nobody.
    PrivateAddress,
    /// Not the IANA name of a time zone.
    NotATimeZone,
    /// Not hours of a day, from and until, in their order.
    NotHours,
    /// Not a time of the day.
    NotATime,
    /// Not one of the choices offered.
    NotAChoice,
    /// Looked up, it is nobody, or several.
    NotTheOne,
    /// The box has to be ticked.
    MustAgree,
    /// The code does not match; how many tries are left.
    WrongCode {
        /// Tries left; with none the code is dead.
        left: u32,
    },
    /// The code has expired or was replaced.
    ExpiredCode,
    /// Phone or password do not match.
    WrongPassword,
    /// The code is none of the app's just now, or was used already.
    WrongSecond,
    /// The passkey is none of ours, or its answer does not fit the question.
    WrongPasskey,
    /// A password that is on every list of stolen ones, or made of one's own data.
    WeakPassword,
    /// No receipt has this code.
    NoReceipt,
    /// A photo in which no QR code of a receipt was found.
    NoQr,
    /// Somebody else has the receipt already.
    ClaimedBefore,
    /// It is too late for this.
    TooLate,
    /// It was changed as often as one may; staff allow it once more.
    ByRequest,
    /// Belongs to somebody already.
    Taken,
    /// Something else has it already.
    TakenBy {
        /// What it is called.
        name: String,
    },
    /// A number or address that another customer has proved to hold. Only who proved it as well is told so.
    TakenElsewhere,
    /// One has to remain.
    LastOne,
    /// Not a number of points, or none at all.
    NotPoints,
    /// A moment that is over.
    InThePast,
    /// Not a number.
    NotANumber,
    /// An end before its beginning.
    Backwards,
    /// A number below `min` or above `max`.
    OutOfRange {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// No article has the code that stands in this line, counted from 1.
    NoArticle {
        /// The line.
        line: usize,
    },
    /// Cannot be read from this line on, counted from 1.
    Unreadable {
        /// The line.
        line: usize,
    },
    /// No customer has the card or phone that stands in this line, counted from 1.
    NoCustomer {
        /// The line.
        line: usize,
    },
    /// A list of more lines than are read at once.
    TooManyLines {
        /// How many are.
        max: usize,
    },
    /// There are not as many points.
    NotEnoughPoints {
        /// How many are missing, in hundredths.
        missing: i64,
    },
    /// More points than may be given now.
    PointsLimit {
        /// How many may be given, in hundredths.
        left: i64,
    },
    /// Nobody who may be given points has this card or phone.
    NoReceiver,
    /// Nobody else has this code of an invitation.
    NoInvitation,
    /// The main phone number changes or just has, and points are not given away.
    Frozen,
    /// No plastic card that belongs to nobody yet has this number.
    NoBlankCard,
    /// It would lie within itself.
    Circle,
    /// Tiers of more than one program.
    SeveralPrograms,
    /// More files than one message takes.
    TooManyFiles {
        /// How many it takes.
        max: usize,
    },
    /// A file without a name, or with one that leads through folders or hides something.
    FileName {
        /// Which of the files, counted from 1.
        file: usize,
    },
    /// A file of a kind that is not taken.
    FileKind {
        /// Which of the files, counted from 1.
        file: usize,
    },
    /// A file that is something else than its name says.
    FileLies {
        /// Which of the files, counted from 1.
        file: usize,
    },
    /// A file with nothing in it.
    EmptyFile {
        /// Which of the files, counted from 1.
        file: usize,
    },
    /// A file that is too large.
    FileTooLarge {
        /// Which of the files, counted from 1.
        file: usize,
        /// Megabytes that one may have.
        max: usize,
    },
    /// More than one may send within a day.
    FilesOfADay {
        /// Megabytes a day.
        max: usize,
    },
    /// More files that are not made yet than one may ask for.
    TooManyWaiting {
        /// How many may wait at a time.
        max: usize,
    },
    /// A phone, an address or the number of a card, where everybody would read it.
    Private,
    /// A text names a variable that nobody fills in.
    UnknownVariable {
        /// What stands between its braces.
        name: String,
    },
    /// A text lacks a variable that it is written for.
    MissingVariable {
        /// Its name.
        name: String,
    },
    /// A note names somebody who does not work with requests here.
    UnknownLogin {
        /// What stands behind the `@`.
        name: String,
    },
    /// Nothing has this number.
    NoSuchNumber,
    /// A file that is no table, or that cannot be read as one.
    NotATable,
}

impl Flaw {
    /// The name under which the words for it are kept.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::TooLong { .. } => "too_long",
            Self::TooShort { .. } => "too_short",
            Self::NotAName => "not_a_name",
            Self::ControlCharacters => "control_characters",
            Self::NotAPhone => "not_a_phone",
            Self::NotAnEmail => "not_an_email",
            Self::NotADate => "not_a_date",
            Self::InTheFuture => "in_the_future",
            Self::TooOld => "too_old",
            Self::TooYoung { .. } => "too_young",
            Self::NotACode => "not_a_code",
            Self::NotAKey => "not_a_key",
            Self::NotAUrl => "not_a_url",
            Self::PrivateAddress => "private_address",
            Self::NotATimeZone => "not_a_time_zone",
            Self::NotHours => "not_hours",
            Self::NotATime => "not_a_time",
            Self::NotAChoice => "not_a_choice",
            Self::NotTheOne => "not_the_one",
            Self::MustAgree => "must_agree",
            Self::WrongCode { .. } => "wrong_code",
            Self::ExpiredCode => "expired_code",
            Self::WrongPassword => "wrong_password",
            Self::WrongSecond => "wrong_second",
            Self::WrongPasskey => "wrong_passkey",
            Self::WeakPassword => "weak_password",
            Self::NoReceipt => "no_receipt",
            Self::NoQr => "no_qr",
            Self::ClaimedBefore => "claimed_before",
            Self::TooLate => "too_late",
            Self::ByRequest => "by_request",
            Self::Taken => "taken",
            Self::TakenBy { .. } => "taken_by",
            Self::TakenElsewhere => "taken_elsewhere",
            Self::LastOne => "last_one",
            Self::NotPoints => "not_points",
            Self::InThePast => "in_the_past",
            Self::NotANumber => "not_a_number",
            Self::Backwards => "backwards",
            Self::OutOfRange { .. } => "out_of_range",
            Self::NoArticle { .. } => "no_article",
            Self::Unreadable { .. } => "unreadable",
            Self::NoCustomer { .. } => "no_customer",
            Self::TooManyLines { .. } => "too_many_lines",
            Self::NotEnoughPoints { .. } => "not_enough_points",
            Self::PointsLimit { .. } => "points_limit",
            Self::NoReceiver => "no_receiver",
            Self::NoInvitation => "no_invitation",
            Self::Frozen => "frozen",
            Self::NoBlankCard => "no_blank_card",
            Self::Circle => "circle",
            Self::SeveralPrograms => "several_programs",
            Self::TooManyFiles { .. } => "too_many_files",
            Self::FileName { .. } => "file_name",
            Self::FileKind { .. } => "file_kind",
            Self::FileLies { .. } => "file_lies",
            Self::EmptyFile { .. } => "empty_file",
            Self::FileTooLarge { .. } => "file_too_large",
            Self::FilesOfADay { .. } => "files_of_a_day",
            Self::TooManyWaiting { .. } => "too_many_waiting",
            Self::Private => "private",
            Self::UnknownVariable { .. } => "unknown_variable",
            Self::MissingVariable { .. } => "missing_variable",
            Self::UnknownLogin { .. } => "unknown_login",
            Self::NoSuchNumber => "no_such_number",
            Self::NotATable => "not_a_table",
        }
    }

    /// The number that the words name, where there is one.
    pub fn number(&self) -> Option<i64> {
        match *self {
            Self::TooLong { max }
            | Self::TooManyFiles { max }
            | Self::FilesOfADay { max }
            | Self::TooManyWaiting { max }
            | Self::TooManyLines { max } => i64::try_from(max).ok(),
            Self::FileName { file }
            | Self::FileKind { file }
            | Self::FileLies { file }
            | Self::EmptyFile { file }
            | Self::FileTooLarge { file, .. } => i64::try_from(file).ok(),
            Self::NoArticle { line } | Self::Unreadable { line } | Self::NoCustomer { line } => {
                i64::try_from(line).ok()
            }
            Self::TooShort { min } => i64::try_from(min).ok(),
            Self::TooYoung { age } => Some(age.into()),
            Self::WrongCode { left } => Some(left.into()),
            _ => None,
        }
    }
}

/// A field's name and what is wrong with its value.
pub type FieldFlaw = (String, Flaw);

/// Collects what is wrong with a form, field by field, so that a person hears of everything at once.
#[derive(Debug, Default)]
pub struct Check(Vec<FieldFlaw>);

impl Check {
    /// Starts with nothing wrong.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value, or `None` with the flaw noted at the field.
    pub fn field<T>(&mut self, name: &str, value: Result<T, Flaw>) -> Option<T> {
        value.map_err(|flaw| self.0.push((name.to_owned(), flaw))).ok()
    }

    /// A text of so many characters in both languages, with what is wrong at `<field>_ru` and `<field>_en`.
    pub fn words(&mut self, field: &str, words: &Localized, max: usize) -> Localized {
        self.in_both(at(field), |lang| text(words.get(lang), max))
    }

    /// The same where either language may be empty.
    pub fn words_if_any(&mut self, field: &str, words: &Localized, max: usize) -> Localized {
        self.in_both(at(field), |lang| match text(words.get(lang), max) {
            Err(Flaw::Missing) => Ok(String::new()),
            other => other,
        })
    }

    /// Words of a form that asks for one text alone: at `ru` and `en`.
    pub fn only_words(&mut self, words: &Localized, max: usize) -> Localized {
        self.in_both(|lang| lang.code().to_owned(), |lang| text(words.get(lang), max))
    }

    fn in_both(&mut self, name: impl Fn(Lang) -> String, read: impl Fn(Lang) -> Result<String, Flaw>) -> Localized {
        let [ru, en] = Lang::ALL.map(|lang| self.field(&name(lang), read(lang)).unwrap_or_default());
        Localized { ru, en }
    }

    /// What was found.
    pub fn flaws(self) -> Vec<FieldFlaw> {
        self.0
    }

    /// True when nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a field is called in each language.
fn at(field: &str) -> impl Fn(Lang) -> String {
    move |lang| format!("{field}_{}", lang.code())
}

/// Characters that change the direction or the joining of text without being seen: harmless in prose,
/// a disguise in a name.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

/// The longest name or surname, in characters.
pub const NAME_MAX: usize = 60;

/// A name or surname: letters of any script, with spaces, hyphens, apostrophes and full stops between them.
pub fn name(raw: &str) -> Result<String, Flaw> {
    let name = raw.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() {
        return Err(Flaw::Missing);
    }
    if name.chars().count() > NAME_MAX {
        return Err(Flaw::TooLong { max: NAME_MAX });
    }
    let fits = |c: char| {
        c.is_alphabetic()
            || matches!(
                c,
                '\u{300}'..='\u{36f}' | ' ' | '-' | '‐' | '\'' | '’' | 'ʼ' | '`' | '.' | '·'
            )
    };
    if raw.chars().any(is_invisible) || !name.chars().all(fits) || !name.chars().any(char::is_alphabetic) {
        return Err(Flaw::NotAName);
    }
    Ok(name)
}

/// Free text of up to `max` characters: line breaks stay, other control characters are refused.
pub fn text(raw: &str, max: usize) -> Result<String, Flaw> {
    let text = raw.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim();
    if text.is_empty() {
        return Err(Flaw::Missing);
    }
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(Flaw::ControlCharacters);
    }
    if text.chars().count() > max {
        return Err(Flaw::TooLong { max });
    }
    Ok(text.to_owned())
}

/// A date typed as day, month and year.
pub fn date(day: &str, month: &str, year: &str) -> Result<NaiveDate, Flaw> {
    if [day, month, year].iter().all(|part| part.trim().is_empty()) {
        return Err(Flaw::Missing);
    }
    let number = |part: &str| part.trim().parse::<u32>().map_err(|_| Flaw::NotADate);
    let year = i32::try_from(number(year)?).map_err(|_| Flaw::NotADate)?;
    NaiveDate::from_ymd_opt(year, number(month)?, number(day)?).ok_or(Flaw::NotADate)
}

/// A birthday of a person of at least `age` years on the day `today`.
pub fn birthday(date: NaiveDate, today: NaiveDate, age: u32) -> Result<NaiveDate, Flaw> {
    if date > today {
        return Err(Flaw::InTheFuture);
    }
    match today.years_since(date) {
        Some(years) if years > 120 => Err(Flaw::TooOld),
        Some(years) if years >= age => Ok(date),
        _ => Err(Flaw::TooYoung { age }),
    }
}

/// A child's birthday: from today back to the 18th birthday.
pub fn child_birthday(date: NaiveDate, today: NaiveDate) -> Result<NaiveDate, Flaw> {
    if date > today {
        return Err(Flaw::InTheFuture);
    }
    if today.years_since(date).is_none_or(|years| years >= 18) || date.year() < 1900 {
        return Err(Flaw::TooOld);
    }
    Ok(date)
}

/// The longest password that is taken, in characters; hashing time does not depend on the length.
pub const PASSWORD_MAX: usize = 200;
/// The shortest that opens by itself: 15 characters (NIST SP 800-63B-4, 3.1.1.2).
pub const PASSWORD_MIN: usize = 15;
/// The shortest beside a second factor, without which it opens nothing (the same; ASVS 5.0, 6.2.1).
pub const PASSWORD_MIN_BESIDE: usize = 8;

/// A new password of `min` characters or more: its length alone is judged here, every character is allowed.
pub fn password(raw: &str, min: usize) -> Result<&str, Flaw> {
    match raw.chars().count() {
        0 => Err(Flaw::Missing),
        n if n < min => Err(Flaw::TooShort { min }),
        n if n > PASSWORD_MAX => Err(Flaw::TooLong { max: PASSWORD_MAX }),
        _ => Ok(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_many_peoples_pass_and_disguises_do_not() {
        for good in [
            "Пётр",
            "O'Neill",
            "Жан-Клод",
            "da  Silva",
            "ʼАбд",
            "محمد",
            "Nguyễn",
            "J. R.",
        ] {
            assert!(name(good).is_ok(), "{good}");
        }
        assert_eq!(name(" Анна \u{a0} Мария "), Ok("Анна Мария".into()));
        for bad in [
            "<b>Ann</b>",
            "Robert'); DROP TABLE",
            "Ann😀",
            "Ann\u{202e}a",
            "a\u{0}b",
            "42",
            "--",
            "'",
        ] {
            assert_eq!(name(bad), Err(Flaw::NotAName), "{bad:?}");
        }
        assert_eq!(name("  "), Err(Flaw::Missing));
        assert_eq!(name(&"я".repeat(61)), Err(Flaw::TooLong { max: 60 }));
    }

    #[test]
    fn the_31st_of_february_is_no_date() {
        assert_eq!(date("31", "2", "1990"), Err(Flaw::NotADate));
        assert_eq!(date("29", "2", "1900"), Err(Flaw::NotADate));
        assert!(date(" 29", "02 ", "2000").is_ok());
        assert_eq!(date("", " ", ""), Err(Flaw::Missing));
        assert_eq!(date("1", "", "2000"), Err(Flaw::NotADate));
    }

    #[test]
    fn a_birthday_counts_from_the_day_itself() {
        let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap_or_default();
        let today = day(2026, 11, 21);
        assert!(birthday(day(2012, 11, 21), today, 14).is_ok());
        assert_eq!(birthday(day(2012, 11, 22), today, 14), Err(Flaw::TooYoung { age: 14 }));
        assert_eq!(birthday(day(2027, 1, 1), today, 14), Err(Flaw::InTheFuture));
        assert_eq!(birthday(day(1850, 1, 1), today, 14), Err(Flaw::TooOld));
    }

    #[test]
    fn text_keeps_lines_and_emoji_and_refuses_control_characters() {
        assert_eq!(text(" a\r\nb 😀 ", 10), Ok("a\nb 😀".into()));
        assert_eq!(text("a\u{7}b", 10), Err(Flaw::ControlCharacters));
        assert_eq!(text("abc", 2), Err(Flaw::TooLong { max: 2 }));
    }
}
