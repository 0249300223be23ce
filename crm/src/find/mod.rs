//! The one search box of staff: what a text can mean, and whom and what it finds.

use crate::contact::Phone;
use crate::id::{CustomerId, PurchaseId};
use crate::lang::{Localized, fold};
use crate::purchase::{self, code::receipt_code};
use crate::request::Status;
use chrono::{DateTime, Utc};

pub mod names;
#[cfg(feature = "store")]
pub mod store;

/// A customer that a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Hit {
    /// Their id.
    pub id: CustomerId,
    /// Their name.
    pub name: String,
    /// Their surname.
    pub surname: String,
    /// Their first phone in E.164.
    pub phone: Option<String>,
    /// Their first e-mail address.
    pub email: Option<String>,
    /// The number of their newest card that tills take.
    pub card: Option<String>,
}

/// A receipt that a search found. One that is nobody's has no page; its code is not told, for whoever brings it has to show the
/// paper.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct ReceiptHit {
    /// Its id.
    pub id: PurchaseId,
    /// Its number.
    pub document: String,
    /// What it is.
    pub kind: purchase::Kind,
    /// When it was.
    pub at: DateTime<Utc>,
    /// What it comes to.
    pub total: i64,
    /// It was voided.
    pub is_voided: bool,
    /// The shop that it was in, where that is known.
    #[cfg_attr(feature = "store", sqlx(json(nullable)))]
    pub shop: Option<Localized>,
    /// The town of the shop.
    #[cfg_attr(feature = "store", sqlx(json(nullable)))]
    pub town: Option<Localized>,
    /// Whose it is; nobody's where it was made without a card.
    pub customer_id: Option<CustomerId>,
    /// Their name.
    pub name: String,
    /// Their surname.
    pub surname: String,
}

/// A request that a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct RequestHit {
    /// Its number.
    pub number: i64,
    /// What it is about.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub topic: Localized,
    /// Whose turn it is.
    pub status: Status,
    /// The last message or change.
    pub updated_at: DateTime<Utc>,
    /// The customer's name.
    pub name: String,
    /// The customer's surname.
    pub surname: String,
}

/// What a search by staff can mean. One text can mean several things: `1234` is a request, a receipt, and the end of a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A whole phone number in E.164.
    Phone(String),
    /// The last digits of one, four or more.
    PhoneEnd(String),
    /// The beginning of an e-mail address, or all of it.
    Email(String),
    /// A card's number.
    Card(String),
    /// The last digits of one, four or more.
    CardEnd(String),
    /// A request's number.
    Request(i64),
    /// A customer's code in the system that they were imported from.
    Code(String),
    /// The code of a receipt, as it is kept: see [`receipt_code`].
    ReceiptCode(String),
    /// A receipt's number.
    Receipt(String),
    /// Words of a name, or their beginnings, in any order.
    Name(Vec<String>),
}

impl Probe {
    /// What kind it is, for the log: it says nothing of what was looked for.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Phone(_) => "phone",
            Self::PhoneEnd(_) => "phone_end",
            Self::Email(_) => "email",
            Self::Card(_) => "card",
            Self::CardEnd(_) => "card_end",
            Self::Request(_) => "request",
            Self::Code(_) => "code",
            Self::ReceiptCode(_) => "receipt_code",
            Self::Receipt(_) => "receipt",
            Self::Name(_) => "name",
        }
    }
}

/// What a text that staff typed can mean, for a shop in `country`. Nothing at all for a text that means nothing.
pub fn probes(raw: &str, country: &str) -> Vec<Probe> {
    let text: String = raw
        .chars()
        .take(100)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let folded = fold(&text);
    if folded.contains('@') {
        return vec![Probe::Email(folded)];
    }
    // All of it, for a code that is cut short is another one.
    let code = receipt_code(raw);
    // What the QR of a fiscal receipt says means nothing else.
    if let Some(code) = &code
        && raw.contains('=')
    {
        return vec![Probe::ReceiptCode(code.clone())];
    }
    let mut probes = Vec::new();
    let is_marked = folded.starts_with(['#', '№']);
    // Numbers of other systems are a word with a digit in it, and names have none. Their letters are as they were typed.
    let number = text.trim().trim_start_matches(['#', '№']).trim_start();
    let is_number = number.chars().any(|c| c.is_ascii_digit()) && !number.contains(char::is_whitespace);
    if folded.chars().any(char::is_alphabetic) {
        let words: Vec<String> = names::words(&text).into_iter().take(4).collect();
        if !words.is_empty() && !is_number {
            probes.push(Probe::Name(words));
        }
    } else {
        let bare = folded.trim_start_matches(['#', '№']).trim_start();
        let digits: String = bare.chars().filter(char::is_ascii_digit).collect();
        let phone = Phone::plausible(bare, country).ok().filter(|_| !is_marked);
        let may_be_an_end = !is_marked && phone.is_none() && digits.len() >= 4;
        probes.extend(phone.map(|phone| Probe::Phone(phone.as_str().to_owned())));
        if digits.len() == 13 {
            probes.push(Probe::Card(digits.clone()));
        }
        // A number of 18 digits still fits an i64.
        if let Some(number) = bare.parse().ok().filter(|_| digits == bare && digits.len() <= 18) {
            probes.push(Probe::Request(number));
        }
        if may_be_an_end {
            if digits.len() < 13 {
                probes.push(Probe::CardEnd(digits.clone()));
            }
            probes.push(Probe::PhoneEnd(digits));
        }
    }
    // Two words are a name, and a code may be typed in groups: then one of them has a digit.
    let may_be_a_code = text.chars().any(|c| c.is_ascii_digit()) || !text.trim().contains(char::is_whitespace);
    probes.extend(code.filter(|_| may_be_a_code).map(Probe::ReceiptCode));
    if is_number {
        if !is_marked {
            probes.push(Probe::Code(number.to_owned()));
        }
        probes.push(Probe::Receipt(number.to_owned()));
    }
    probes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_understood() {
        let of = |raw| probes(raw, "RU");
        let number = |text: &str| [Probe::Code(text.into()), Probe::Receipt(text.into())];
        let phone = Probe::Phone("+79000000001".into());
        for raw in [
            "+7 900 000-00-01",
            "89000000001",
            "8 (900) 000 00 01",
            "７９００００００００１",
            "\u{0}79000000001",
        ] {
            assert!(of(raw).contains(&phone), "{raw}: {:?}", of(raw));
            let is_end = |probe: &Probe| matches!(probe, Probe::PhoneEnd(_) | Probe::CardEnd(_));
            assert!(!of(raw).iter().any(is_end), "{raw}");
        }
        let ends = [Probe::CardEnd("0001".into()), Probe::PhoneEnd("0001".into())];
        assert_eq!(of("00 01"), ends);
        assert_eq!(of("00-01"), [&ends[..], &number("00-01")].concat());
        assert_eq!(of("0001"), [&[Probe::Request(1)][..], &ends, &number("0001")].concat());
        assert_eq!(of("12"), [&[Probe::Request(12)][..], &number("12")].concat());
        assert_eq!(of("№ 1234"), [Probe::Request(1234), Probe::Receipt("1234".into())]);
        assert_eq!(
            of("2900000000018"),
            [
                &[
                    Probe::Card("2900000000018".into()),
                    Probe::Request(2_900_000_000_018),
                    Probe::PhoneEnd("2900000000018".into()),
                    Probe::ReceiptCode("2900000000018".into())
                ][..],
                &number("2900000000018")
            ]
            .concat()
        );
        assert_eq!(
            of("29 0000 0000 018").first(),
            Some(&Probe::Card("2900000000018".into()))
        );
        assert_eq!(of(" Anna@Example.com"), [Probe::Email("anna@example.com".into())]);
        assert_eq!(of(" ПЁТР  Ив"), [Probe::Name(vec!["петр".into(), "ив".into()])]);
        assert_eq!(of("EXT-777"), number("EXT-777"));
        assert_eq!(of("№ R-7"), [Probe::Receipt("R-7".into())]);
        // A code as the receipt shows it, or as the QR of a fiscal one is read.
        let code = |text: &str| Probe::ReceiptCode(text.into());
        assert!(of(" abcd-1234 efgh ").contains(&code("ABCD1234EFGH")));
        assert_eq!(of("abcd1234"), [&[code("ABCD1234")][..], &number("abcd1234")].concat());
        let name = |words: &[&str]| Probe::Name(words.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(of("Semyonov"), [name(&["semyonov"]), code("SEMYONOV")]);
        assert_eq!(of("Petr Semyonov"), [name(&["petr", "semyonov"])]);
        let printed = "t=20261121T123000&s=123456.50&fn=9960440300112233&i=0012345&fp=0987654321&n=1";
        // However long what stands before is: a code that is cut short would be another one.
        for raw in [printed.to_owned(), format!("t={}&{printed}", "2".repeat(60))] {
            let expected = [code("RU-9960440300112233-12345-987654321")];
            assert_eq!(probes(&raw, "RU"), expected, "{raw}");
        }
        for nothing in ["", "  ", "---", "#", "\u{0}", "%", "😀", "ʼ"] {
            assert_eq!(of(nothing), [], "{nothing}");
        }
    }
}
