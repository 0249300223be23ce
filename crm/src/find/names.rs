//! Names as the search compares them: as they sound, in whatever script and spelling they are written.
//!
//! A word of a name has a *skeleton*: Latin letters that stand for sounds, so that Щербаков, Shcherbakov and Scherbakov are one,
//! and Юлия, Yulia, Iuliia and Julia. Cyrillic and the usual ways to write it in Latin letters (GOST 7.79, ICAO Doc 9303, and what
//! people do by ear) lead there by one function; what differs among those ways only is left out.
//!
//! A slip of the hand is found by leaving letters out: two words that differ by one letter that is missing, too many, another one
//! or in its neighbour's place have a *key* in common, the skeleton of each without one of its letters. So words that are like a
//! word are found by equality, which every index can do.

use std::collections::BTreeSet;

/// The longest word that is compared, in letters.
const WORD_MAX: usize = 40;
/// Shorter words are only found as they are: without a letter too little is left of them.
const KEYS_FROM: usize = 3;

/// The words of a text that have a letter: in lower case, without marks at their letters and without apostrophes.
pub fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in text.to_lowercase().chars() {
        let is_left_out = matches!(c, '\u{300}'..='\u{36f}' | '\'' | '`' | '‘' | '’' | 'ʹ' | 'ʼ');
        let is_begun = words.last().is_some_and(|word| !word.is_empty());
        if is_left_out {
            continue;
        }
        if !c.is_alphanumeric() {
            if is_begun {
                words.push(String::new());
            }
        } else if let Some(word) = words.last_mut() {
            word.push(plain(c));
        }
    }
    let words = words.into_iter().filter(|word| word.chars().any(char::is_alphabetic));
    words.map(|word| word.chars().take(WORD_MAX).collect()).collect()
}

/// A letter without its mark.
fn plain(c: char) -> char {
    match c {
        'ё' => 'е',
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'ď' | 'đ' | 'ð' => 'd',
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' | 'ə' | 'æ' | 'œ' => 'e',
        'ğ' | 'ģ' => 'g',
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => 'i',
        'ķ' => 'k',
        'ł' | 'ľ' | 'ļ' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ő' => 'o',
        'ř' | 'ŕ' => 'r',
        'ś' | 'š' | 'ş' | 'ș' | 'ß' => 's',
        'ť' | 'ţ' | 'ț' | 'þ' => 't',
        'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' | 'ų' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        other => other,
    }
}

/// Latin letters that stand for one sound together, the longer ones first.
const GROUPS: [(&str, char); 14] = [
    ("shch", 'w'),
    ("sch", 'w'),
    ("shh", 'w'),
    ("tch", 'q'),
    ("sh", 'w'),
    ("ch", 'q'),
    ("zh", 'j'),
    ("kh", 'h'),
    ("ph", 'f'),
    ("th", 't'),
    ("gh", 'g'),
    ("ck", 'k'),
    ("cz", 'c'),
    ("tz", 'c'),
];

/// A word of [`words`] as it sounds. Ш and щ are `w`, ч is `q`, ж is `j`, ц is `c`.
pub fn skeleton(word: &str) -> String {
    let mut skeleton = String::with_capacity(word.len());
    let mut rest = word;
    loop {
        let group = GROUPS
            .iter()
            .find_map(|(group, sound)| Some((rest.strip_prefix(group)?, *sound)));
        if let Some((after, sound)) = group {
            push(&mut skeleton, sound);
            rest = after;
            continue;
        }
        let mut letters = rest.chars();
        let Some(letter) = letters.next() else {
            return skeleton;
        };
        rest = letters.as_str();
        match sounds(letter, rest.starts_with(['e', 'i', 'y'])) {
            Some(sounds) => sounds.chars().for_each(|sound| push(&mut skeleton, sound)),
            None => push(&mut skeleton, letter),
        }
    }
}

/// What a letter sounds like; none for one that stands for itself. A Latin c is another one before e, i and y.
fn sounds(letter: char, is_soft: bool) -> Option<&'static str> {
    Some(match letter {
        'а' => "a",
        'б' => "b",
        'в' | 'w' => "v",
        'г' | 'ґ' => "g",
        'д' => "d",
        'е' | 'э' => "e",
        'є' => "ie",
        'ж' => "j",
        'з' => "z",
        'и' | 'й' | 'ы' | 'і' | 'ї' | 'y' | 'j' => "i",
        'к' | 'q' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' | 'ў' => "u",
        'ф' => "f",
        'х' => "h",
        'ц' => "c",
        'ч' => "q",
        'ш' | 'щ' => "w",
        'ъ' | 'ь' => "",
        'ю' => "iu",
        'я' => "ia",
        'c' if is_soft => "c",
        'c' => "k",
        'x' => "ks",
        _ => return None,
    })
}

/// Adds a sound. Doubles are one, ts is ц, and there is no i before another vowel: that is where spellings differ most
/// (Мария, Марья, Maria, Mariya; Фёдор, Fedor, Fyodor).
fn push(skeleton: &mut String, sound: char) {
    let last = skeleton.chars().next_back();
    match (last, sound) {
        (Some(last), sound) if last == sound => {}
        (Some('t'), 's') => {
            skeleton.pop();
            push(skeleton, 'c');
        }
        (Some('i'), 'a' | 'e' | 'o' | 'u') => {
            skeleton.pop();
            push(skeleton, if sound == 'o' { 'e' } else { sound });
        }
        _ => skeleton.push(sound),
    }
}

/// The keys of a word: its skeleton, and that of what is left of it without each of its letters. Words that differ by one slip
/// have one in common.
pub fn keys(word: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::from([skeleton(word)]);
    if word.chars().count() >= KEYS_FROM {
        for (at, letter) in word.char_indices() {
            let (before, after) = (&word[..at], &word[at + letter.len_utf8()..]);
            keys.insert(skeleton(&format!("{before}{after}")));
        }
    }
    keys.remove("");
    keys
}

/// The ways to read what was typed: x is ks, and in GOST 7.79 it is х.
pub fn readings(typed: &str) -> Vec<String> {
    let mut readings = vec![typed.to_owned()];
    if typed.contains('x') {
        readings.push(typed.replace('x', "kh"));
    }
    readings
}

/// How many slips lead from one word to the other: letters that are missing, too many, other ones, or changed places with their
/// neighbour (Damerau's distance, in which no letter slips twice).
pub fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let width = b.len() + 1;
    let mut table = vec![0; (a.len() + 1) * width];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            let here = i * width + j;
            table[here] = if i == 0 || j == 0 {
                i + j
            } else {
                let other = usize::from(a[i - 1] != b[j - 1]);
                let changed = table[here - width - 1] + other;
                let mut least = changed.min(table[here - width] + 1).min(table[here - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(table[here - 2 * width - 2] + 1);
                }
                least
            };
        }
    }
    table.last().copied().unwrap_or_default()
}

/// How far a word that was typed is from a word of a name: nothing for the same, little for its beginning and for the same in
/// another script or spelling, more with each slip.
fn distance(typed: &str, word: &str) -> usize {
    if typed == word {
        return 0;
    }
    if word.starts_with(typed) {
        return 1;
    }
    let sound = skeleton(word);
    let by_sound = readings(typed).into_iter().map(|reading| {
        let typed = skeleton(&reading);
        2 * slips(&typed, &sound) + 1
    });
    let by_sound = by_sound.min().unwrap_or(usize::MAX);
    if is_cyrillic(typed) == is_cyrillic(word) {
        by_sound.min(2 * slips(typed, word))
    } else if sound.starts_with(&skeleton(typed)) {
        by_sound.min(2)
    } else {
        by_sound
    }
}

fn is_cyrillic(word: &str) -> bool {
    word.chars().any(|c| ('\u{400}'..='\u{4ff}').contains(&c))
}

/// The farthest that a word may be away from the one that is meant: a slip as it sounds.
const FARTHEST: usize = 3;

/// How far words that were typed are from a name: the lower, the likelier. None where one of them is not in it.
pub fn far(typed: &[String], name: &[String]) -> Option<usize> {
    let nearest = |typed: &String| name.iter().map(|word| distance(typed, word)).min();
    typed
        .iter()
        .map(|typed| nearest(typed).filter(|far| *far <= FARTHEST))
        .sum()
}

/// Whether two names are one, spelt nearly alike: each word of either is in the other, at most a slip away as it sounds.
pub fn are_alike(a: &[String], b: &[String]) -> bool {
    let is_in = |a: &[String], b: &[String]| !a.is_empty() && far(a, b).is_some();
    is_in(a, b) && is_in(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_sounds_the_same_in_each_script_and_spelling() {
        for (sound, spellings) in [
            ("mara", "Мария Марья Maria Mariya Marija María"),
            ("ula", "Юлия Yulia Julia Iuliia Yuliya Julija"),
            ("fedor", "Фёдор Федор Fyodor Fedor Fiodor"),
            ("werbakov", "Щербаков Shcherbakov Scherbakov Shherbakov"),
            ("dmitri", "Дмитрий Dmitry Dmitriy Dmitrii Dmitri"),
            ("cvetkov", "Цветков Tsvetkov Czvetkov"),
            ("evgeni", "Евгений Yevgeny Evgeniy Evgenii"),
            ("ksena", "Ксения Ksenia Xenia Kseniya"),
            ("viktor", "Виктор Victor Viktor"),
            ("natala", "Наталья Наталия Natalia Natalya Natal'ya"),
            ("aleksandr", "Александр Aleksandr Alexandr"),
            ("zaicev", "Зайцев Zaytsev Zaitsev Zajcev"),
            ("jukov", "Жуков Zhukov"),
            ("filip", "Филипп Филип Philip Filipp"),
            ("qaikovski", "Чайковский Tchaikovsky Chaikovskiy"),
            ("andreva", "Андреева Andreeva Andreyeva"),
        ] {
            for spelling in spellings.split(' ') {
                assert_eq!(words(spelling).len(), 1, "{spelling}");
                assert_eq!(skeleton(&words(spelling)[0]), sound, "{spelling}");
            }
        }
        assert!(
            readings("xoroshev")
                .iter()
                .any(|word| skeleton(word) == skeleton("хорошев"))
        );
    }

    #[test]
    fn words_have_letters_and_no_marks() {
        assert_eq!(words("  О'Нил-Смирнова, Анна"), ["онил", "смирнова", "анна"]);
        assert_eq!(words("Семе\u{308}нов Й"), ["семенов", "й"]);
        assert_eq!(words("José  Łukasz"), ["jose", "lukasz"]);
        assert_eq!(words("K2 2026 — % 😀"), ["k2"]);
        assert_eq!(words(""), [""; 0]);
        assert_eq!(words(&"я".repeat(500)), ["я".repeat(WORD_MAX)]);
    }

    #[test]
    fn one_slip_of_any_kind_leaves_a_key_in_common() {
        let letters: Vec<char> = "абвгдежзийклмнопрстуфхцчшщъыьэюяabcdefghijklmnopqrstuvwxyz"
            .chars()
            .collect();
        for word in ["щербаков", "илья", "анна", "филипп", "юлия", "stephen", "schulz", "ян"]
        {
            let (all, own): (Vec<char>, _) = (word.chars().collect(), keys(word));
            assert!(own.contains(&skeleton(word)));
            for at in 0..=all.len() {
                let mut slipped = Vec::new();
                for letter in &letters {
                    let mut more = all.clone();
                    more.insert(at, *letter);
                    slipped.push(more);
                    if at < all.len() && all.len() >= KEYS_FROM {
                        let mut other = all.clone();
                        other[at] = *letter;
                        slipped.push(other);
                    }
                }
                if at + 1 < all.len() && all.len() >= KEYS_FROM {
                    let mut changed = all.clone();
                    changed.swap(at, at + 1);
                    slipped.push(changed);
                    let mut less = all.clone();
                    less.remove(at);
                    slipped.push(less);
                }
                for slipped in slipped {
                    let slipped: String = slipped.into_iter().collect();
                    assert!(!own.is_disjoint(&keys(&slipped)), "{word} {slipped}");
                }
            }
        }
    }

    #[test]
    fn slips_are_counted() {
        for (a, b, expected) in [
            ("анна", "анна", 0),
            ("анна", "ана", 1),
            ("анна", "аннна", 1),
            ("анна", "анма", 1),
            ("иван", "ивна", 1),
            ("иван", "ванч", 2),
            ("", "ян", 2),
        ] {
            assert_eq!(slips(a, b), expected, "{a} {b}");
            assert_eq!(slips(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn the_same_is_nearer_than_its_beginning_and_that_than_a_slip() {
        let typed = ["анна".to_owned(), "сем".to_owned()];
        let far_from = |name: &str| far(&typed, &words(name));
        let near = ["Сем Анна", "Семёнова Анна", "Semenova Anna", "Семёнова Алла"].map(far_from);
        assert_eq!(near[0], Some(0));
        assert!(near.is_sorted() && near.iter().all(Option::is_some), "{near:?}");
        for other in ["Семёнова Иван", "Петрова Анна", "Петров Иван", ""] {
            assert_eq!(far_from(other), None, "{other}");
        }
    }

    #[test]
    fn names_are_alike_where_each_word_of_either_is_in_the_other() {
        let are = |a: &str, b: &str| (are_alike(&words(a), &words(b)), are_alike(&words(b), &words(a)));
        for (a, b) in [
            ("Семёнова Анна", "Семенова Анна"),
            ("Семёнова Анна", "Анна Семнова"),
            ("Семёнова Анна", "Semyonova Anna"),
            ("Семёнова Юлия", "Semenova Julia"),
        ] {
            assert_eq!(are(a, b), (true, true), "{a}, {b}");
        }
        for (a, b) in [
            ("Семёнова Анна", "Семёнова Ольга"),
            ("Семёнова Анна", "Петрова Анна"),
            ("Семёнова Анна", "Анна"),
            ("Иванов Иван", "Петров Иван Иванович"),
            ("", ""),
            ("Семёнова Анна", ""),
        ] {
            assert_eq!(are(a, b), (false, false), "{a}, {b}");
        }
    }
}
