//! Purchases out of a table of which staff said which column is what ([`crate::import`]): the same lines, the same books and the same
//! source as those of a file in our own format, so that what one way brought in the other one finds.

use super::format::{Parser, Staged};
use super::{Desk, Format, LineRow, Options};
pub(crate) use super::{clear, stores, unify_times};
use crate::db::{Db, Tx};
use crate::error::Error;
use crate::id::StoreId;
use crate::lang::Lang;
use crate::on;
use crate::points::store as points;
use crate::who::System;
use chrono::{DateTime, Utc};
use std::borrow::Cow;
use std::collections::HashMap;

/// The fields of a line, as our own format names its columns.
pub(crate) const FIELDS: [&str; 12] = [
    "document", "at", "article", "quantity", "price", "customer", "name", "discount", "store", "original", "channel",
    "payment",
];

/// The source of what comes in so, and of the numbers of its customers.
pub(crate) const SOURCE: &str = Format::Kabinet.name();

/// How many lines are booked in one transaction, about: a receipt is booked as a whole.
const BATCH: usize = 500;

/// A line that was read, to be staged; one that was refused keeps its place.
pub(crate) struct Read(i64, Staged);

/// Reads a line, its texts in the order of [`FIELDS`]; with why it is refused, if it is.
pub(crate) fn read(
    zone: chrono_tz::Tz,
    number: i64,
    mut texts: [String; FIELDS.len()],
    lang: Lang,
) -> (Option<Read>, Option<String>) {
    let [_, at, _, quantity, price, _, _, discount, ..] = &mut texts;
    *at = moment(at).into_owned();
    *quantity = whole(decimal(quantity));
    *price = decimal(price);
    *discount = decimal(discount);
    match Parser::of_fields(zone).fields(&texts) {
        Ok(line) => (Some(Read(number, line)), None),
        Err(refused) => {
            // A quantity of nothing keeps its place; a time beyond all others never is the receipt's.
            let kept = refused.document.map(|document| {
                let line = Staged {
                    document,
                    at: points::far(),
                    ..Staged::default()
                };
                Read(number, line)
            });
            (kept, Some(refused.reason.text(lang)))
        }
    }
}

/// A number as spreadsheets of either language write it: `1 490,50` is `1490.50`, and so is `1,490.50`.
fn decimal(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    match (text.rfind(','), text.rfind('.')) {
        (Some(_), None) => text.replace(',', "."),
        (Some(comma), Some(point)) if comma < point => text.replace(',', ""),
        (Some(_), Some(_)) => text.replace('.', "").replace(',', "."),
        (None, _) => text,
    }
}

/// Pieces as scales write them: `2.000` is 2.
fn whole(text: String) -> String {
    match text.split_once('.') {
        Some((whole, rest)) if rest.bytes().all(|b| b == b'0') => whole.to_owned(),
        _ => text,
    }
}

/// A time whose day may be written as people do, and which may have no time of the day: then it is noon.
fn moment(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    let (day, time) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    let Some(day) = crate::import::day(day) else {
        return Cow::Borrowed(text);
    };
    match time.trim() {
        // Midnight to the second is how spreadsheets write a day.
        "" | "00:00:00" => Cow::Owned(format!("{day} 12:00")),
        // RFC 3339, with what follows the time.
        _ if text.contains('T') => Cow::Borrowed(text),
        time => Cow::Owned(format!("{day} {time}")),
    }
}

/// Stages lines under a key of the import.
pub(crate) async fn stage(tx: &mut Tx, key: &str, lines: Vec<Read>) -> Result<(), Error> {
    let lines: Vec<_> = lines.into_iter().map(|Read(number, line)| (number, line)).collect();
    super::insert(tx, key, &lines).await
}

/// Receipts that are booked together.
pub(crate) struct Page(Vec<LineRow>);

/// The next receipts, in order of time; none at the end. What was booked is staged no more, so they are always the first.
pub(crate) async fn next(db: &Db, key: &str) -> Result<Option<Page>, Error> {
    let first = (DateTime::<Utc>::UNIX_EPOCH, String::new());
    Ok(super::page(db, key, &first, BATCH).await?.map(Page))
}

/// What became of the lines of a page.
#[derive(Debug, Default)]
pub(crate) struct Booked {
    /// Lines that are there because of this.
    pub(crate) taken: i64,
    /// Lines that were there.
    pub(crate) known: i64,
    /// Lines that were refused, and why.
    pub(crate) refused: Vec<(i64, String)>,
}

/// Books the receipts of a page.
pub(crate) async fn book(
    tx: &mut Tx,
    by: &System,
    stores: &HashMap<String, StoreId>,
    page: &Page,
    lang: Lang,
) -> Result<Booked, Error> {
    let options = Options::new(Format::Kabinet);
    let desk = Desk {
        options: &options,
        stores,
    };
    let done = desk.book(tx, by, &page.0).await?;
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    Ok(Booked {
        taken: count(done.taken),
        known: count(done.known),
        refused: done
            .rejected
            .iter()
            .map(|(line, reason)| (*line, reason.text(lang)))
            .collect(),
    })
}

/// Takes a page out of what is staged, in the transaction that booked it.
pub(crate) async fn forget(tx: &mut Tx, key: &str, page: &Page) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM import_lines WHERE source = $1 AND (at, document) <= ($2, $3)";
    let Some(last) = page.0.last() else { return Ok(()) };
    Ok(on!(tx, |c| sqlx::query(SQL)
        .bind(key)
        .bind(last.at)
        .bind(&last.document)
        .execute(c)
        .await
        .map(drop))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_as_people_write_them() {
        for (typed, read) in [
            ("1490,50", "1490.50"),
            ("1 490,50", "1490.50"),
            ("1\u{a0}490.5", "1490.5"),
            ("1,490.50", "1490.50"),
            ("1.490,50", "1490.50"),
            ("-3", "-3"),
            ("", ""),
        ] {
            assert_eq!(decimal(typed), read, "{typed}");
        }
        assert_eq!((whole("2.000".into()), whole("1.5".into())), ("2".into(), "1.5".into()));
        for (typed, read) in [
            ("27.11.2026 16:20", "2026-11-27 16:20"),
            ("27.11.2026", "2026-11-27 12:00"),
            ("2026-11-27", "2026-11-27 12:00"),
            ("2026-11-27 00:00:00", "2026-11-27 12:00"),
            ("2026-11-27T16:20:00+03:00", "2026-11-27T16:20:00+03:00"),
            ("yesterday", "yesterday"),
        ] {
            assert_eq!(moment(typed), read, "{typed}");
        }
    }
}
