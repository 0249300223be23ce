//! The formats that an import reads: from a line of text to a line of a receipt.

use super::lines::split;
use super::reason::{Column, Reason};
use crate::purchase::{Original, amount};
use crate::rule::{Channel, Payment};
use chrono::{DateTime, Days, Duration, NaiveDate, NaiveDateTime, TimeZone as _, Utc};
use std::str::FromStr;

/// A format of purchase files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CSV of the data set "Online Retail" (UCI 352).
    OnlineRetail,
    /// Text of the data set "CDNOW", four columns parted by spaces.
    Cdnow,
    /// Our own CSV; see `docs/import.md`.
    Kabinet,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::OnlineRetail, Self::Cdnow, Self::Kabinet];

    /// Its name on the command line, and the source of its purchases unless another is given.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnlineRetail => "online-retail",
            Self::Cdnow => "cdnow",
            Self::Kabinet => "kabinet",
        }
    }

    /// The columns that must be there, and those that may.
    const fn columns(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::OnlineRetail => (
                &[
                    "InvoiceNo",
                    "InvoiceDate",
                    "StockCode",
                    "Quantity",
                    "UnitPrice",
                    "CustomerID",
                    "Description",
                ],
                &[],
            ),
            Self::Cdnow => (&["customer_id", "date", "number_of_cds", "dollar_value"], &[]),
            Self::Kabinet => (
                &["document", "at", "article", "quantity", "price"],
                &[
                    "customer", "name", "discount", "store", "original", "channel", "payment",
                ],
            ),
        }
    }

    /// True where each line is a receipt of its own, numbered within what it names as its document.
    pub(super) const fn numbers_lines(self) -> bool {
        matches!(self, Self::Cdnow)
    }

    /// True for a document that cancels others.
    pub(super) fn is_cancellation(self, document: &str) -> bool {
        self == Self::OnlineRetail && document.starts_with('C')
    }

    /// Which line a negative one brings back.
    pub(super) fn original(self, document: &str, named: &str) -> Original {
        match self {
            Self::OnlineRetail if self.is_cancellation(document) => Original::Latest,
            Self::Kabinet if named.is_empty() => Original::Latest,
            Self::Kabinet => Original::Document(named.to_owned()),
            Self::OnlineRetail | Self::Cdnow => Original::None,
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|format| format.name() == s)
            .ok_or_else(|| format!("one of {names}"))
    }
}

/// A line of a receipt, as the file has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Staged {
    pub(super) document: String,
    pub(super) at: DateTime<Utc>,
    pub(super) customer: String,
    pub(super) store: String,
    pub(super) article: String,
    pub(super) name: String,
    /// Never 0.
    pub(super) quantity: i64,
    pub(super) price: i64,
    pub(super) discount: i64,
    pub(super) original: String,
    /// The words of a [`Way`].
    pub(super) channel: String,
    pub(super) payments: String,
}

/// A line that is not taken; the document, where it could be read, in which it keeps its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) reason: Reason,
    pub(super) document: Option<String>,
}

/// Reads lines of one file.
pub(super) struct Parser {
    format: Format,
    /// For each column of the format, the required ones first, its place in the file.
    places: Vec<Option<usize>>,
    width: usize,
    zone: chrono_tz::Tz,
    shift_days: i64,
    fields: Vec<String>,
}

impl Parser {
    /// From the first line, the names of the columns; tells whether that line was data already. Fails with the names
    /// that are missing.
    pub(super) fn new(
        format: Format,
        first: &str,
        zone: chrono_tz::Tz,
        shift_days: i64,
    ) -> Result<(Self, bool), Vec<&'static str>> {
        let mut parser = Self {
            format,
            places: Vec::new(),
            width: 0,
            zone,
            shift_days,
            fields: Vec::new(),
        };
        let (required, optional) = format.columns();
        let header: Vec<&str> = match format {
            Format::Cdnow => first.split_ascii_whitespace().collect(),
            _ => split(first, ',', &mut parser.fields)
                .unwrap_or_default()
                .iter()
                .map(|name| name.trim())
                .collect(),
        };
        // The file as published has no header; a data line of it is four numbers.
        let is_data = format == Format::Cdnow
            && header.len() == required.len()
            && header.iter().all(|field| field.parse::<f64>().is_ok());
        let place = |name: &&str| header.iter().position(|column| column.eq_ignore_ascii_case(name));
        let places: Vec<Option<usize>> = if is_data {
            (0..required.len()).map(Some).collect()
        } else {
            required.iter().chain(optional).map(place).collect()
        };
        let width = header.len();
        let missing: Vec<&str> = required
            .iter()
            .zip(&places)
            .filter(|(_, place)| place.is_none())
            .map(|(name, _)| *name)
            .collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        (parser.places, parser.width) = (places, width);
        Ok((parser, is_data))
    }

    /// Reads lines whose fields were told apart elsewhere, in the order of our own format's columns.
    pub(super) fn of_fields(zone: chrono_tz::Tz) -> Self {
        let (required, optional) = Format::Kabinet.columns();
        let width = required.len() + optional.len();
        Self {
            format: Format::Kabinet,
            places: (0..width).map(Some).collect(),
            width,
            zone,
            shift_days: 0,
            fields: Vec::new(),
        }
    }

    /// The fields of such a line.
    pub(super) fn fields(&self, fields: &[String]) -> Result<Staged, Refused> {
        self.kabinet(fields)
    }

    /// One line.
    pub(super) fn parse(&mut self, line: &str) -> Result<Staged, Refused> {
        if self.format == Format::Cdnow {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            return match fields.len() == self.width {
                true => self.cdnow(&fields),
                false => Err(Refused {
                    reason: Reason::Fields {
                        expected: self.width,
                        found: fields.len(),
                    },
                    document: None,
                }),
            };
        }
        let mut fields = std::mem::take(&mut self.fields);
        let result = match split(line, ',', &mut fields) {
            None => Err(self.garbled(line, Reason::OpenQuote)),
            Some(found) if found.len() != self.width => Err(self.garbled(
                line,
                Reason::Fields {
                    expected: self.width,
                    found: found.len(),
                },
            )),
            Some(fields) if self.format == Format::OnlineRetail => self.online_retail(fields),
            Some(fields) => self.kabinet(fields),
        };
        self.fields = fields;
        result
    }

    /// A line whose fields cannot be told apart: its document is guessed from the place where it stands in good lines.
    fn garbled(&self, line: &str, reason: Reason) -> Refused {
        let field = self
            .places
            .first()
            .copied()
            .flatten()
            .and_then(|place| line.split(',').nth(place));
        let document = field
            .and_then(|field| word(field, Column::Document, 100).ok())
            .filter(|word| !word.is_empty());
        Refused { reason, document }
    }

    fn field<'a>(&self, fields: &'a [String], column: usize) -> &'a str {
        self.places
            .get(column)
            .copied()
            .flatten()
            .and_then(|place| fields.get(place))
            .map_or("", |field| field.trim())
    }

    fn online_retail(&self, fields: &[String]) -> Result<Staged, Refused> {
        let [document, at, article, quantity, price, customer, name] =
            [0, 1, 2, 3, 4, 5, 6].map(|i| self.field(fields, i));
        let customer = customer.strip_suffix(".0").unwrap_or(customer);
        let line = self.csv(&Texts {
            document,
            at,
            article,
            quantity,
            price,
            customer,
            name,
            ..Texts::default()
        })?;
        if self.format.is_cancellation(document) && line.quantity > 0 {
            let reason = Reason::PositiveCancellation;
            return Err(Refused {
                reason,
                document: Some(line.document),
            });
        }
        Ok(line)
    }

    fn kabinet(&self, fields: &[String]) -> Result<Staged, Refused> {
        let [document, at, article, quantity, price] = [0, 1, 2, 3, 4].map(|i| self.field(fields, i));
        let [customer, name, discount, store, original] = [5, 6, 7, 8, 9].map(|i| self.field(fields, i));
        let [channel, payments] = [10, 11].map(|i| self.field(fields, i));
        self.csv(&Texts {
            document,
            at,
            article,
            quantity,
            price,
            customer,
            name,
            discount,
            store,
            original,
            channel,
            payments,
        })
    }

    fn csv(&self, texts: &Texts) -> Result<Staged, Refused> {
        let document = word(texts.document, Column::Document, 100)
            .and_then(|d| {
                if d.is_empty() {
                    Err(Reason::Missing(Column::Document))
                } else {
                    Ok(d)
                }
            })
            .map_err(|reason| Refused { reason, document: None })?;
        let line = || -> Result<Staged, Reason> {
            let quantity = quantity(texts.quantity)?;
            let price = money(texts.price).ok_or(Reason::NotMoney(Column::Price))?;
            let discount = match texts.discount {
                "" => 0,
                text => money(text).ok_or(Reason::NotMoney(Column::Discount))?,
            };
            if price < 0 {
                return Err(Reason::NegativePrice);
            }
            amount(quantity, price, discount).ok_or(Reason::TooLarge)?;
            let article = word(texts.article, Column::Article, 64)?;
            if article.is_empty() {
                return Err(Reason::Missing(Column::Article));
            }
            Ok(Staged {
                document: document.clone(),
                at: self.time(texts.at).ok_or(Reason::NotATime)?,
                customer: word(texts.customer, Column::Customer, 64)?,
                store: word(texts.store, Column::Store, 64)?,
                article,
                name: word(texts.name, Column::Name, 200)?,
                quantity,
                price,
                discount,
                original: word(texts.original, Column::Original, 100)?,
                channel: channel(texts.channel)?,
                payments: payments(texts.payments)?,
            })
        };
        line().map_err(|reason| Refused {
            reason,
            document: Some(document.clone()),
        })
    }

    /// CDNOW: customer, day, number of discs, what was paid for all of them. What is paid is kept to the cent: the price
    /// of one is rounded up, and what that makes too much is a discount.
    fn cdnow(&self, fields: &[&str]) -> Result<Staged, Refused> {
        let at = |column: usize| {
            self.places
                .get(column)
                .copied()
                .flatten()
                .and_then(|place| fields.get(place).copied())
        };
        let [customer, day, discs, paid] = [0, 1, 2, 3].map(|column| at(column).unwrap_or_default());
        let whose = || -> Result<(String, DateTime<Utc>), Reason> {
            let customer = word(customer, Column::Customer, 64)?;
            let date = NaiveDate::parse_from_str(day, "%Y%m%d").ok().filter(|_| day.len() == 8);
            let at = date
                .and_then(|date| date.and_hms_opt(12, 0, 0))
                .and_then(|noon| self.local(noon));
            Ok((customer, at.ok_or(Reason::NotATime)?))
        };
        let (customer, at) = whose().map_err(|reason| Refused { reason, document: None })?;
        let document = format!("{customer}-{day}");
        let line = || -> Result<(i64, i64, i64), Reason> {
            let quantity = quantity(discs)?;
            let paid = money(paid).ok_or(Reason::NotMoney(Column::Price))?;
            if paid < 0 || quantity < 0 {
                return Err(Reason::NegativePrice);
            }
            let price = (paid + quantity - 1) / quantity;
            let discount = quantity * price - paid;
            amount(quantity, price, discount).ok_or(Reason::TooLarge)?;
            Ok((quantity, price, discount))
        };
        match line() {
            Err(reason) => Err(Refused {
                reason,
                document: Some(document),
            }),
            Ok((quantity, price, discount)) => Ok(Staged {
                document,
                at,
                customer,
                article: "CD".into(),
                name: "CD".into(),
                quantity,
                price,
                discount,
                ..Staged::default()
            }),
        }
    }

    /// A time as the file has it: with an offset from UTC (RFC 3339), else the time of day where the shop is.
    fn time(&self, text: &str) -> Option<DateTime<Utc>> {
        if self.format == Format::Kabinet
            && let Ok(at) = DateTime::parse_from_rfc3339(text)
        {
            return self.local(at.with_timezone(&self.zone).naive_local());
        }
        let formats: &[&str] = match self.format {
            Format::OnlineRetail => &["%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M"],
            _ => &["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"],
        };
        self.local(
            formats
                .iter()
                .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?,
        )
    }

    /// The moment at which clocks in the shop show this, moved by the days that were asked for. Where they show it twice
    /// the first time counts, where they skip it the hour after.
    fn local(&self, time: NaiveDateTime) -> Option<DateTime<Utc>> {
        use chrono::{Datelike as _, SubsecRound as _};
        let days = Days::new(self.shift_days.unsigned_abs());
        let time = if self.shift_days < 0 {
            time.checked_sub_days(days)
        } else {
            time.checked_add_days(days)
        }?
        .trunc_subsecs(6);
        let find = |time: NaiveDateTime| self.zone.from_local_datetime(&time).earliest();
        let at = find(time).or_else(|| find(time + Duration::hours(1)))?.to_utc();
        (1970..2200).contains(&at.year()).then_some(at)
    }
}

/// The fields of a line before they are read.
#[derive(Default)]
struct Texts<'a> {
    document: &'a str,
    at: &'a str,
    article: &'a str,
    quantity: &'a str,
    price: &'a str,
    customer: &'a str,
    name: &'a str,
    discount: &'a str,
    store: &'a str,
    original: &'a str,
    channel: &'a str,
    payments: &'a str,
}

/// A word or a name: white space as single spaces, no control characters, not too long.
fn word(text: &str, column: Column, max: usize) -> Result<String, Reason> {
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Reason::ControlCharacters(column));
    }
    let mut word = String::with_capacity(text.len());
    for part in text.split_whitespace() {
        if !word.is_empty() {
            word.push(' ');
        }
        word.push_str(part);
    }
    if word.len() > max && word.chars().count() > max {
        return Err(Reason::TooLong { column, max });
    }
    Ok(word)
}

/// The word for a way to buy.
fn channel(text: &str) -> Result<String, Reason> {
    let word = word(&text.to_lowercase(), Column::Channel, 100)?;
    match word.is_empty() || Channel::from_word(&word).is_some() {
        true => Ok(word),
        false => Err(Reason::UnknownWay {
            column: Column::Channel,
            word,
        }),
    }
}

/// Words for ways to pay, parted by spaces.
fn payments(text: &str) -> Result<String, Reason> {
    let words = word(&text.to_lowercase(), Column::Payment, 100)?;
    match words.split_whitespace().find(|word| Payment::from_word(word).is_none()) {
        Some(word) => Err(Reason::UnknownWay {
            column: Column::Payment,
            word: word.to_owned(),
        }),
        None => Ok(words),
    }
}

/// A number with up to two decimals (and zeros after them), in hundredths.
fn money(text: &str) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || !all_digits(whole) || !all_digits(decimals) {
        return None;
    }
    let decimals = decimals.trim_end_matches('0');
    let hundredths = match decimals.len() {
        0 => 0,
        1 => decimals.parse::<i64>().ok()? * 10,
        2 => decimals.parse().ok()?,
        _ => return None,
    };
    let value = whole.parse::<i64>().ok()? * 100 + hundredths;
    Some(if negative { -value } else { value })
}

/// A whole number that is not 0; `6.0` is one.
fn quantity(text: &str) -> Result<i64, Reason> {
    match money(text) {
        Some(0) => Err(Reason::NoQuantity),
        Some(hundredths) if hundredths % 100 == 0 => Ok(hundredths / 100),
        _ => Err(Reason::NotANumber),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser(format: Format, header: &str) -> Parser {
        Parser::new(format, header, chrono_tz::Europe::Moscow, 0)
            .expect("the columns are there")
            .0
    }

    #[test]
    fn money_has_two_decimals() {
        for (text, value) in [("4.15", 415), ("4", 400), ("0.1", 10), ("-1.5", -150), ("2.500", 250)] {
            assert_eq!(money(text), Some(value), "{text}");
        }
        for text in [
            "",
            "-",
            ".5",
            "1.234",
            "1,5",
            "1e3",
            "NaN",
            "+1",
            "1 000",
            "9999999999999",
        ] {
            assert_eq!(money(text), None, "{text}");
        }
    }

    #[test]
    fn clocks_that_were_put_forward_show_the_hour_after() {
        let p = parser(Format::Kabinet, "document,at,article,quantity,price");
        // Moscow skipped 02:00 to 03:00 on 27 March 2011.
        let skipped = p.time("2011-03-27 02:30").expect("a time");
        assert_eq!(skipped.to_rfc3339(), "2011-03-26T23:30:00+00:00");
        assert_eq!(
            p.time("2026-01-01T00:00:00+01:00").expect("a time").to_rfc3339(),
            "2025-12-31T23:00:00+00:00"
        );
        for text in ["31.12.2025", "2025-02-31 10:00", "", "2025-01-01", "0001-01-01 10:00"] {
            assert_eq!(p.time(text), None, "{text}");
        }
    }

    #[test]
    fn discs_cost_what_was_paid_for_them_to_the_cent() {
        let mut p = parser(Format::Cdnow, " customer_id  date number_of_cds  dollar_value");
        let line = p.parse(" 00002 19970112  3   77.00").expect("a line");
        assert_eq!((line.quantity, line.price, line.discount), (3, 2567, 1));
        assert_eq!(amount(line.quantity, line.price, line.discount), Some(7700));
        assert_eq!(line.document, "00002-19970112");
    }

    #[test]
    fn a_file_without_its_columns_is_told_which() {
        let zone = chrono_tz::UTC;
        let missing = |format, header| Parser::new(format, header, zone, 0).err();
        assert_eq!(
            missing(Format::Kabinet, "document;at;article"),
            Some(vec!["document", "at", "article", "quantity", "price"])
        );
        assert_eq!(
            missing(
                Format::OnlineRetail,
                "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice"
            ),
            Some(vec!["CustomerID"])
        );
        assert!(Parser::new(Format::Cdnow, " 00001 19970101  1   11.77", zone, 0).is_ok_and(|(_, data)| data));
        assert!(missing(Format::Cdnow, "00001,19970101,1,11.77").is_some());
    }

    #[test]
    fn a_refused_line_keeps_its_place_where_its_document_is_known() {
        let mut p = parser(Format::Kabinet, "document,at,article,quantity,price,name");
        let refused = |p: &mut Parser, line: &str| p.parse(line).expect_err("refused");
        assert_eq!(refused(&mut p, "7,\"x").document, Some("7".into()));
        assert_eq!(refused(&mut p, "7,x").document, Some("7".into()));
        let at = "2026-01-01 10:00";
        let told = refused(&mut p, &format!("7,{at},A,0,1.00,x"));
        assert_eq!(
            told,
            Refused {
                reason: Reason::NoQuantity,
                document: Some("7".into())
            }
        );
        assert_eq!(
            refused(&mut p, &format!("7,{at},A,1,1.00,a\u{7}b")).reason,
            Reason::ControlCharacters(Column::Name)
        );
        assert_eq!(
            refused(&mut p, &format!("7,{at},A,1,-1.00,x")).reason,
            Reason::NegativePrice
        );
        assert_eq!(
            refused(&mut p, &format!(",{at},A,1,1.00,x")).reason,
            Reason::Missing(Column::Document)
        );
        assert_eq!(
            refused(&mut p, &format!("7,{at},A,1.5,1.00,x")).reason,
            Reason::NotANumber
        );
        assert_eq!(
            refused(&mut p, &format!("7,{at},A,1,1.00,\"x")).reason,
            Reason::OpenQuote
        );
        let mut ways = parser(Format::Kabinet, "document,at,article,quantity,price,payment,channel");
        let good = ways.parse(&format!("7,{at},A,1,1.00, Card  cash,APP")).expect("a line");
        assert_eq!((good.payments.as_str(), good.channel.as_str()), ("card cash", "app"));
        for (fields, column, word) in [
            ("cash barter,", Column::Payment, "barter"),
            (",till app", Column::Channel, "till app"),
        ] {
            let told = refused(&mut ways, &format!("7,{at},A,1,1.00,{fields}"));
            let reason = Reason::UnknownWay {
                column,
                word: word.into(),
            };
            assert_eq!(
                told,
                Refused {
                    reason,
                    document: Some("7".into())
                }
            );
        }
        assert_eq!(refused(&mut p, "7").reason, Reason::Fields { expected: 6, found: 1 });
        assert_eq!(
            refused(&mut p, &format!("7,{at},A,99999999,99999999,x")).reason,
            Reason::TooLarge
        );
    }
}
