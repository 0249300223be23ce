//! The words of the pages: `cx.t().home.title`, `cx.t().home.greeting(name)`, `cx.t().common.points(n)`.

use crm::lang::{Lang, Plural};
use std::fmt::Display;

include!(concat!(env!("OUT_DIR"), "/texts.rs"));

impl Texts {
    /// The texts of a language.
    pub fn of(lang: Lang) -> &'static Self {
        match lang {
            Lang::Ru => &RU,
            Lang::En => &EN,
        }
    }
}

fn plural(lang: Lang, n: i64, forms: &[&'static str; 3]) -> &'static str {
    match Plural::of(lang, n) {
        Plural::One => forms[0],
        Plural::Few => forms[1],
        Plural::Many => forms[2],
    }
}

fn fill(text: &str, values: &[(&str, &dyn Display)]) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    // One pass over the text: a value that holds braces is not filled again.
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            out.push_str(&value.to_string());
        }
        rest = after;
    }
    out + rest
}
