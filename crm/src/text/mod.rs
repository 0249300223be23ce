//! Texts of the shop as staff edit them: what messages say, what people agree to, topics of requests, what the dialogue is asked
//! and says. What counts of each stands in a table of its own kind, where it is read; here it is drafted, checked and published.

use crate::content;
use crate::flaw::{self, Check, Flaw};
use crate::lang::{Lang, Localized};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::str::FromStr;

pub mod store;

/// The longest subject, title or name, in characters.
const HEAD_MAX: usize = 200;
/// The longest text of a message or of a consent, in characters.
const BODY_MAX: usize = 20_000;
/// The longest phrase of the dialogue, and the most that people type for a command, in characters.
const PHRASE_MAX: usize = 1000;
/// The last place that a topic or a command can have.
const PLACE_MAX: i64 = 1000;

/// A kind of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Kind {
    /// A message by e-mail or SMS.
    Template,
    /// What people agree to.
    Consent,
    /// A topic of requests.
    Topic,
    /// What the dialogue is asked.
    Command,
    /// What the dialogue says.
    Phrase,
}

impl Kind {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::Template, Self::Consent, Self::Topic, Self::Command, Self::Phrase];

    /// As addresses name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Consent => "consent",
            Self::Topic => "topic",
            Self::Command => "command",
            Self::Phrase => "phrase",
        }
    }

    /// It has a subject, a title or a name.
    pub fn has_head(self) -> bool {
        self != Self::Phrase
    }

    /// It has a text.
    pub fn has_body(self) -> bool {
        self != Self::Topic
    }

    /// It stands in an order, and may be closed.
    pub fn has_place(self) -> bool {
        matches!(self, Self::Topic | Self::Command)
    }
}

/// No kind of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no kind of text")]
pub struct NoKind;

impl FromStr for Kind {
    type Err = NoKind;

    fn from_str(code: &str) -> Result<Self, NoKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == code).ok_or(NoKind)
    }
}

/// What a version of a text says; which parts it has its kind tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The subject of a message, the title of a consent, the name of a topic or a command.
    pub head: Localized,
    /// What a message, a consent or the dialogue says; what people type for a command, parted by commas.
    pub body: Localized,
    /// The place of a topic or a command among the others.
    pub position: i64,
    /// The code of the topic that a topic stands below.
    pub parent: Option<String>,
    /// A topic can be chosen, a command is offered. Everything else is always there.
    pub is_open: bool,
}

impl Text {
    /// The same as it is kept, with what is wrong at `head_ru`, `body_en`, `position` and so on. Parts that its kind has not are
    /// empty.
    pub fn checked(&self, kind: Kind, code: &str, check: &mut Check) -> Self {
        let variables = Variables::of(kind, code);
        let is_unknown = |name: &String| !variables.known.contains(name);
        let mut words = |field: &str, text: &Localized, max: usize| {
            let [ru, en] = Lang::ALL.map(|lang| {
                let checked = flaw::text(text.get(lang), max);
                let checked = checked.and_then(|text| match names(&text).into_iter().find(is_unknown) {
                    Some(name) => Err(Flaw::UnknownVariable { name }),
                    None => Ok(text),
                });
                check
                    .field(&format!("{field}_{}", lang.code()), checked)
                    .unwrap_or_default()
            });
            Localized { ru, en }
        };
        let (mut head, mut body) = (Localized::default(), Localized::default());
        if kind.has_head() {
            // A subject is a line.
            let line = |text: &str| text.replace(char::is_control, " ");
            let lines = Localized::new(line(&self.head.ru), line(&self.head.en));
            head = words("head", &lines, HEAD_MAX);
        }
        if kind.has_body() {
            let is_short = matches!(kind, Kind::Command | Kind::Phrase);
            body = words("body", &self.body, if is_short { PHRASE_MAX } else { BODY_MAX });
        }
        for lang in Lang::ALL.into_iter().filter(|lang| !body.get(*lang).is_empty()) {
            let named = names(&format!("{} {}", head.get(lang), body.get(lang)));
            if let Some(name) = variables.needed.difference(&named).next() {
                let name = name.clone();
                let field = format!("body_{}", lang.code());
                check.field::<()>(&field, Err(Flaw::MissingVariable { name }));
            }
        }
        if !kind.has_place() {
            return Self {
                head,
                body,
                is_open: true,
                ..Self::default()
            };
        }
        let out = Flaw::OutOfRange { min: 1, max: PLACE_MAX };
        let is_within = (1..=PLACE_MAX).contains(&self.position);
        check.field("position", if is_within { Ok(()) } else { Err(out) });
        Self {
            head,
            body,
            position: self.position,
            parent: self.parent.clone().filter(|_| kind == Kind::Topic),
            is_open: self.is_open,
        }
    }
}

/// Variables that a text can do without: whom it greets, from whom it is, where the cabinet is, and when it was.
const SPARE: [&str; 4] = ["name", "shop", "url", "at"];

/// What a text may name between braces, and what it has to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// What is filled in.
    pub known: BTreeSet<String>,
    /// What the text is written for.
    pub needed: BTreeSet<String>,
}

impl Variables {
    /// Those of a text: what it names as it comes with the program, for that is what the program fills in.
    pub fn of(kind: Kind, code: &str) -> Self {
        let Some(text) = content::shipped(kind, code) else {
            return Self::default();
        };
        let (ru, en) = (names(&text.ru), names(&text.en));
        let needed = ru.intersection(&en).filter(|name| !SPARE.contains(&name.as_str()));
        Self {
            needed: needed.cloned().collect(),
            known: ru.union(&en).cloned().collect(),
        }
    }
}

/// What a text names between braces. One that is not closed names itself with the rest, which nobody fills in.
fn names(text: &str) -> BTreeSet<String> {
    let parts = text.split('{').skip(1);
    let name = |part: &str| match part.split_once('}') {
        Some((name, _)) => name.to_owned(),
        None => format!("{{{part}"),
    };
    parts.map(name).collect()
}

/// How a text goes by SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sms {
    /// All of it is in the alphabet of GSM (3GPP TS 23.038), where more goes into a message; else it is sent as UCS-2.
    pub is_gsm: bool,
    /// How many characters of that alphabet it takes.
    pub units: usize,
    /// How many messages it is paid as.
    pub parts: usize,
}

/// The characters of the alphabet that take one place.
const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿\
                   abcdefghijklmnopqrstuvwxyzäöñüà";
/// Those that take two.
const GSM_LONG: &str = "\u{c}^{}\\[~]|€";

/// How a text goes by SMS: in one message, or in parts that are shorter because each says which it is. No character is cut in two.
pub fn sms(text: &str) -> Sms {
    let gsm = |c: char| match c {
        c if GSM.contains(c) => Some(1),
        c if GSM_LONG.contains(c) => Some(2),
        _ => None,
    };
    let in_gsm: Option<Vec<usize>> = text.chars().map(gsm).collect();
    let is_gsm = in_gsm.is_some();
    let sizes = in_gsm.unwrap_or_else(|| text.chars().map(char::len_utf16).collect());
    let (alone, together) = if is_gsm { (160, 153) } else { (70, 67) };
    let units: usize = sizes.iter().sum();
    let mut parts = 1;
    if units > alone {
        let mut room = together;
        for size in sizes {
            if size > room {
                (parts, room) = (parts + 1, together);
            }
            room -= size;
        }
    }
    Sms { is_gsm, units, parts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_as_they_are_paid() {
        let of = |text: &str| {
            let Sms { is_gsm, units, parts } = sms(text);
            (is_gsm, units, parts)
        };
        assert_eq!(of(""), (true, 0, 1));
        assert_eq!(of(&"a".repeat(160)), (true, 160, 1));
        assert_eq!(of(&"a".repeat(161)), (true, 161, 2));
        assert_eq!(of(&"a".repeat(306)), (true, 306, 2));
        assert_eq!(of(&"a".repeat(307)), (true, 307, 3));
        assert_eq!(of(&"€".repeat(80)), (true, 160, 1));
        // Of 153 places the last one stays empty, for the sign takes two.
        assert_eq!(of(&"€".repeat(153)), (true, 306, 3));
        assert_eq!(of(&"я".repeat(70)), (false, 70, 1));
        assert_eq!(of(&"я".repeat(71)), (false, 71, 2));
        assert_eq!(of(&"я".repeat(135)), (false, 135, 3));
        assert_eq!(of(&"😀".repeat(35)), (false, 70, 1));
        assert_eq!(of(&"😀".repeat(67)), (false, 134, 3));
    }

    #[test]
    fn a_text_names_what_is_filled_in_and_nothing_else() {
        let both = |text: &str| Localized::new(text, text);
        let text = |head: &str, body: &str| Text {
            head: both(head),
            body: both(body),
            ..Text::default()
        };
        let flaws = |kind, code: &str, text: &Text| {
            let mut check = Check::new();
            let kept = text.checked(kind, code, &mut check);
            assert!(kept.is_open || kind.has_place());
            check.flaws()
        };
        let good = text("Код", "{code}, {minutes}");
        assert_eq!(flaws(Kind::Template, "sign_in_code", &good), []);
        let mistyped = flaws(Kind::Template, "sign_in_code", &text("Код", "{cod}, {minutes}"));
        let name = "cod".to_owned();
        assert_eq!(mistyped.len(), 2);
        assert_eq!(
            mistyped.first(),
            Some(&("body_ru".to_owned(), Flaw::UnknownVariable { name }))
        );
        let open = flaws(Kind::Template, "sign_in_code", &text("{shop", "{code}, {minutes}"));
        let name = "{shop".to_owned();
        assert_eq!(
            open.first(),
            Some(&("head_ru".to_owned(), Flaw::UnknownVariable { name }))
        );
        let missing = flaws(Kind::Template, "sign_in_code", &text("Код", "{code}"));
        let name = "minutes".to_owned();
        assert_eq!(
            missing.first(),
            Some(&("body_ru".to_owned(), Flaw::MissingVariable { name }))
        );
        // What stands in the subject need not be said twice.
        let in_head = text("{number}", "Ответили");
        assert_eq!(flaws(Kind::Template, "request_answered", &in_head), []);
        let consent = flaws(Kind::Consent, "personal_data", &text("Согласие", "{shop}"));
        assert_eq!(consent.len(), 2, "nothing is filled in there");
        let at = flaws(Kind::Topic, "card", &text("Карта", ""));
        let out = Flaw::OutOfRange { min: 1, max: PLACE_MAX };
        assert_eq!(at, [("position".to_owned(), out)]);
    }
}
