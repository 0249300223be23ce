//! Words as people look for them, the same wherever something is searched: folded, without those that say nothing, and without
//! their endings.

use crate::lang::fold;

/// The longest text that is searched for, in characters.
pub const TEXT_MAX: usize = 100;
/// The most words of it that count.
pub(crate) const WORDS_MAX: usize = 8;

/// The words of a text, folded.
pub(crate) fn words(text: &str) -> Vec<String> {
    let folded = fold(text);
    let words = folded.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Words that stand in every question.
const COMMON: &str = "а без бы быть в вам вас во вы где для до если есть еще же за зачем и из или к как какая какие \
    какое какой когда кто ли меня мне мои мой моя мою можно мы на надо не нет но ну нужно о об он от по покажи \
    покажите почему при про с свой свою сделать сейчас сколько со так то у уже хочу что чтобы это этот я \
    a about am an and are at be but by can could did do does for from get have how i if in is it its me my no not of \
    on or our should so that the there this to want was we what when where which who why will with would you your";

/// How Russian and English words end; the longest come first.
const ENDINGS: [&str; 50] = [
    "иями", "ться", "ями", "ами", "ией", "иям", "иях", "ого", "его", "ому", "ему", "ыми", "ими", "ing", "ть", "ов",
    "ев", "ей", "ой", "ий", "ый", "ом", "ем", "ам", "ям", "ах", "ях", "ую", "юю", "ая", "яя", "ое", "ее", "ые", "ие",
    "ью", "ия", "ию", "es", "ы", "и", "а", "я", "у", "ю", "е", "о", "ь", "й", "s",
];

/// A word without its ending, so that «баллов» finds «баллы» and "points" finds "point". Three letters stay at least.
pub(crate) fn stem(word: &str) -> &str {
    let is_long = |stem: &&str| stem.chars().count() >= 3;
    let mut stems = ENDINGS.iter().filter_map(|ending| word.strip_suffix(*ending));
    stems.find(is_long).unwrap_or(word)
}

/// What of a text is looked for: its words without endings, and without those that say nothing.
pub(crate) fn sought(text: &str) -> Vec<String> {
    let text: String = text.chars().take(TEXT_MAX).collect();
    let words = words(&text).into_iter().filter(|word| !is_common(word));
    words.take(WORDS_MAX).map(|word| stem(&word).to_owned()).collect()
}

/// Whether each word of what is looked for stands in one of these texts; what says nothing is in all of them.
pub fn finds(asked: &str, texts: &[&str]) -> bool {
    let texts: Vec<String> = texts.iter().map(|text| fold(text)).collect();
    sought(asked)
        .iter()
        .all(|word| texts.iter().any(|text| text.contains(word.as_str())))
}

/// Whether a word stands in every question and says nothing of what it is about.
pub(crate) fn is_common(word: &str) -> bool {
    COMMON.split_whitespace().any(|common| common == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_stands_somewhere() {
        let texts = ["Тверь", "улица Королёва, 12", "Tver"];
        for asked in ["королева тверь", "ТВЕРИ", "12 королёва", "tver", "", "на ?!"] {
            assert!(finds(asked, &texts), "{asked}");
        }
        for asked in ["клин", "тверь 13", "%"] {
            assert_eq!(finds(asked, &texts), asked == "%", "{asked}");
        }
    }

    #[test]
    fn endings_do_not_count_and_short_words_keep_theirs() {
        for (word, expected) in [
            ("баллами", "балл"),
            ("карту", "карт"),
            ("вернуть", "верну"),
            ("чеки", "чек"),
            ("дни", "дни"),
            ("points", "point"),
            ("bus", "bus"),
            ("sms", "sms"),
        ] {
            assert_eq!(stem(word), expected, "{word}");
        }
    }
}
