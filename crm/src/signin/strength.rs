//! How hard a new password is to guess. zxcvbn knows the passwords that are stolen most often, and patterns of words,
//! dates and keyboards, all of it in English; what people here make passwords of is added by rule.
//!
//! Length is judged in [`crate::flaw`]; every character is welcome, and none has to be there.

use crate::flaw::{Flaw, PASSWORD_MIN, PASSWORD_MIN_BESIDE};
use std::collections::{BTreeSet, HashSet};
use std::sync::OnceLock;
use zxcvbn::{Score, zxcvbn};

/// Words that Russian passwords begin with. A list of sixteen is enough: alone none of them is long enough, and what is
/// made of them by repeating or counting is seen by the rules.
const COMMON: [&str; 16] = [
    "пароль",
    "привет",
    "любовь",
    "солнышко",
    "наташа",
    "максим",
    "андрей",
    "марина",
    "россия",
    "москва",
    "спартак",
    "зенит",
    "кабинет",
    "люблю",
    "тебя",
    "меня",
];

/// The least that a password has to be.
struct Least {
    /// Characters.
    length: usize,
    /// What has to be left of it once everything that others know is taken out.
    rest: usize,
    /// What zxcvbn says of it.
    score: Score,
}

/// Of one that opens by itself: more than 10^8 guesses.
const ALONE: Least = Least {
    length: PASSWORD_MIN,
    rest: 8,
    score: Score::Three,
};
/// Of one that opens nothing without a second factor: more than 10^6 guesses, which is what limits of tries need.
const BESIDE: Least = Least {
    length: PASSWORD_MIN_BESIDE,
    rest: 6,
    score: Score::Two,
};
/// How many different characters have to be left.
const REST_DISTINCT: usize = 5;

/// How many characters zxcvbn looks at.
const BEGINNING: usize = 40;

static STOLEN: OnceLock<HashSet<String>> = OnceLock::new();

/// Takes a list of stolen passwords, one a line: from now on none of them is taken. What is shorter than a password
/// may be is left out, so that a list of millions stays small in memory. Returns how many are known; a second call
/// changes nothing.
pub fn refuse_stolen(list: impl Iterator<Item = String>) -> usize {
    let long_enough = |line: &String| line.chars().count() >= PASSWORD_MIN_BESIDE;
    STOLEN
        .get_or_init(|| list.map(|line| fold(line.trim())).filter(long_enough).collect())
        .len()
}

/// Checks a new password that opens by itself. `own` is what others know of its owner: names, phone, e-mail, birthday,
/// the shop.
pub fn check(password: &str, own: &[&str]) -> Result<(), Flaw> {
    check_least(&ALONE, password, own)
}

/// Checks a new password that stands beside a second factor.
pub(crate) fn check_beside(password: &str, own: &[&str]) -> Result<(), Flaw> {
    check_least(&BESIDE, password, own)
}

fn check_least(least: &Least, password: &str, own: &[&str]) -> Result<(), Flaw> {
    crate::flaw::password(password, least.length)?;
    let folded = fold(password);
    let is_stolen = STOLEN.get().is_some_and(|list| list.contains(&folded));
    let own = parts(own);
    if is_stolen || !is_more_than(&folded, &own, least.rest) || !is_hard_to_guess(&folded, &own, least.score) {
        return Err(Flaw::WeakPassword);
    }
    Ok(())
}

fn fold(text: &str) -> String {
    text.to_lowercase().replace('ё', "е")
}

/// The words and numbers of what is known, and numbers without their punctuation.
fn parts(own: &[&str]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for text in own.iter().map(|text| fold(text.trim())) {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        found.extend(text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
        // A Russian phone is written with 7, with 8, or with neither.
        found.extend(digits.get(1..).map(str::to_owned));
        found.insert(digits);
        found.insert(text);
    }
    let mut found: Vec<String> = found.into_iter().filter(|part| part.chars().count() > 2).collect();
    // The longest first: an e-mail address goes as a whole.
    found.sort_by_key(|part| std::cmp::Reverse(part.len()));
    found
}

/// Whether there is a password left without one's own data, the words of everybody, phones, dates and repetitions.
fn is_more_than(password: &str, own: &[String], least: usize) -> bool {
    let mut rest = password.to_owned();
    // In the wrong layout of the keyboard they are the same words.
    let typed = own.iter().map(|part| part.chars().map(key).collect());
    for part in own.iter().cloned().chain(typed).chain(COMMON.map(str::to_owned)) {
        rest = rest.replace(&part, "");
    }
    let rest = without_repeats(&without_numbers(&rest));
    let distinct = rest.chars().collect::<BTreeSet<_>>().len();
    rest.chars().count() >= least && distinct >= REST_DISTINCT
}

/// Without the runs of digits that are a phone or a day, punctuation between their digits included.
fn without_numbers(text: &str) -> String {
    let mut rest = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if !c.is_ascii_digit() && c != '+' {
            rest.push(c);
            continue;
        }
        let mut run = c.to_string();
        while let Some(next) = chars.next_if(|c| c.is_ascii_digit() || matches!(c, '-' | '.' | '/' | '(' | ')' | ' ')) {
            run.push(next);
        }
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let is_known = |text: &str| is_phone(&digits(text)) || is_day(&digits(text));
        // A phone may be written with spaces, and two of them may stand side by side.
        if !is_known(&run) {
            let unknown = run.split(' ').filter(|part| !is_known(part));
            rest.extend(unknown.flat_map(|part| part.split('-')).filter(|part| !is_known(part)));
        }
    }
    rest
}

fn is_phone(digits: &str) -> bool {
    let ten = match digits.len() {
        10 => digits,
        11 if digits.starts_with(['7', '8']) => &digits[1..],
        _ => return false,
    };
    ten.starts_with(['3', '4', '8', '9'])
}

/// Day, month and year in one of the orders that people write, the year with four digits or two.
fn is_day(digits: &str) -> bool {
    let number = |from: usize, to: usize| {
        digits
            .get(from..to)
            .and_then(|part| part.parse::<u32>().ok())
            .unwrap_or(0)
    };
    let fits = |day, month| (1..=31).contains(&day) && (1..=12).contains(&month);
    match digits.len() {
        8 => fits(number(0, 2), number(2, 4)) || fits(number(6, 8), number(4, 6)),
        6 => fits(number(0, 2), number(2, 4)) || fits(number(4, 6), number(2, 4)),
        4 => (1900..2100).contains(&number(0, 4)),
        _ => false,
    }
}

/// Without what says again what stands right before it: «абвабв» is «абв».
fn without_repeats(text: &str) -> String {
    let mut rest: Vec<char> = Vec::new();
    for c in text.chars() {
        rest.push(c);
        for length in 1..=rest.len() / 2 {
            let (before, last) = rest.split_at(rest.len() - length);
            if before.ends_with(last) {
                rest.truncate(rest.len() - length);
                break;
            }
        }
    }
    rest.into_iter().collect()
}

/// What zxcvbn says of the password as it is, and of the keys under which it stands on an English keyboard: «йцукен» is
/// «qwerty» then, and a word typed in the wrong layout a word.
fn is_hard_to_guess(password: &str, own: &[String], least: Score) -> bool {
    let mut known: Vec<&str> = own.iter().map(String::as_str).chain(COMMON).collect();
    let keys = |text: &str| text.chars().map(key).collect::<String>();
    let typed: Vec<String> = known.iter().map(|word| keys(word)).collect();
    known.extend(typed.iter().map(String::as_str));
    // Its time grows with the cube of the length, and what begins well does not become worse.
    let beginning: String = password.chars().take(BEGINNING).collect();
    [keys(&beginning), beginning]
        .iter()
        .all(|password| zxcvbn(password, &known).score() >= least)
}

/// The key of a Russian letter, by the character on it in the English layout.
fn key(c: char) -> char {
    const RUSSIAN: &str = "йцукенгшщзхъфывапролджэячсмитьбю";
    const ENGLISH: &str = "qwertyuiop[]asdfghjkl;'zxcvbnm,.";
    RUSSIAN
        .chars()
        .zip(ENGLISH.chars())
        .find(|(russian, _)| *russian == c)
        .map_or(c, |(_, english)| english)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [&str; 6] = [
        "Анна-Мария",
        "Лебедева",
        "+79005550001",
        "anna.l@example.com",
        "03.05.1990",
        "Сосна",
    ];

    fn assert_weak(password: &str) {
        assert_eq!(check(password, &OWN), Err(Flaw::WeakPassword), "{password}");
    }

    #[test]
    fn s07_what_everybody_types_is_refused() {
        for weak in [
            "passwordpassword",
            "password1234567",
            "qwertyuiopasdfgh",
            "qwertyuiop123456",
            "1qaz2wsx3edc4rfv",
            "123456789012345",
            "aaaaaaaaaaaaaaaa",
            "iloveyouiloveyou",
            "йцукенгшщзхъфыва",
            "йцукенйцукенйцукен",
            "фывапролджэячсмить",
            "парольпарольпароль",
            "пароль123пароль123",
            "Пароль-Пароль-Пароль",
            "привет привет привет",
            "люблю тебя люблю",
            "gfhjkmgfhjkmgfhjkm",
            "абвабвабвабвабвабв",
            "1111111111111111",
            "0123456789012345",
        ] {
            assert_weak(weak);
        }
    }

    #[test]
    fn s07_ones_own_data_phones_and_days_are_refused() {
        for weak in [
            "Анна Лебедева 1990",
            "лебедева03051990",
            "79005550001790055",
            "8 (900) 555-00-01 Анна",
            "anna.l@example.com",
            "СоснаСоснаСосна",
            "сосна-анна-мария",
            "03.05.1990-03.05.1990",
            "89161234567 8916",
            "12121990-31121995",
            "Лебедева!Лебедева",
            "kt,tltdf kt,tltdf",
            "рыщмх Анна рыщмх Анна",
        ] {
            assert_weak(weak);
        }
    }

    #[test]
    fn s06_what_is_long_and_ones_own_is_taken_whatever_it_is_made_of() {
        for good in [
            "корова летит над луной",
            "пятьдесят лошадей у реки",
            "correct horse battery staple",
            "Zq8$kT!vW2#mLp0",
            "три синих чайника и Анна",
            "море волнуется 7 раз подряд",
            "日本語のパスワードはとても長い",
            "🐄🌙🚀🍏🪁🎻🧩🛶🦉🌵🧲🪐🎯🧭🪶",
            "   с пробелами по краям   ",
        ] {
            assert_eq!(check(good, &OWN), Ok(()), "{good}");
        }
    }

    #[test]
    fn s06_sixty_four_characters_and_two_hundred_are_taken() {
        let words = "лодка плывёт мимо старой мельницы, а мельник машет ей шапкой; так было и вчера. ";
        let long: String = words.chars().cycle().take(64).collect();
        assert_eq!(check(&long, &OWN), Ok(()));
        let longest: String = words.chars().cycle().take(200).collect();
        assert_eq!(check(&longest, &OWN), Ok(()));
        assert_eq!(check(&format!("{longest}!"), &OWN), Err(Flaw::TooLong { max: 200 }));
        assert_eq!(check("коротко", &OWN), Err(Flaw::TooShort { min: 15 }));
        assert_eq!(check("", &OWN), Err(Flaw::Missing));
    }

    #[test]
    fn s06_eight_characters_are_enough_beside_a_second_factor() {
        let check = |password| check_beside(password, &OWN);
        for good in ["Zq8$kT!v", "рысь-ёж7"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check("Zq8$kT!"), Err(Flaw::TooShort { min: 8 }));
        for weak in ["password", "qwertyui", "12345678", "лебедева", "89161234567"] {
            assert_eq!(check(weak), Err(Flaw::WeakPassword), "{weak}");
        }
    }

    #[test]
    fn s07_a_list_of_stolen_passwords_is_kept_to() {
        let stolen = "Тихий вечер над рекой, 14";
        assert_eq!(check(stolen, &OWN), Ok(()), "good as far as the rules go");
        let list = ["short", stolen, "another long one that leaked"].map(str::to_owned);
        assert_eq!(refuse_stolen(list.into_iter()), 2);
        assert_weak(stolen);
        assert_weak("тихий вечер над рекой, 14");
    }

    #[test]
    fn nothing_that_can_be_typed_breaks_the_check() {
        use proptest::prelude::*;
        proptest!(ProptestConfig::with_cases(24), |(password in "\\PC{0,60}", own in proptest::collection::vec("\\PC{0,20}", 0..4))| {
            let own: Vec<&str> = own.iter().map(String::as_str).collect();
            let _ = check(&password, &own);
        });
    }
}
