//! Tables as spreadsheets read them when they are opened by a double click.

use crate::lang::Lang;
use std::io::Write;

/// What such a file begins with, the mark of UTF-8: without it Excel takes the letters for those of another code page.
pub const MARK: &[u8] = "\u{feff}".as_bytes();

/// Rows as the spreadsheet's language parts them: with a decimal comma a Russian one does so by semicolons, with a decimal
/// point an English one by commas. They need not be of one length. Dates written by ISO 8601 are read as dates in both.
pub fn writer<W: Write>(lang: Lang, into: W) -> csv::Writer<W> {
    csv::WriterBuilder::new()
        .flexible(true)
        .delimiter(match lang {
            Lang::Ru => b';',
            Lang::En => b',',
        })
        .terminator(csv::Terminator::CRLF)
        .from_writer(into)
}

/// A text that a spreadsheet takes for a text. One that begins like a formula would be reckoned, whoever chose the name.
pub fn text(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

/// Hundredths as a number that a spreadsheet reckons with.
pub fn figure(lang: Lang, hundredths: i64) -> String {
    let point = match lang {
        Lang::Ru => ',',
        Lang::En => '.',
    };
    let sign = if hundredths < 0 { "-" } else { "" };
    let whole = hundredths.unsigned_abs();
    format!("{sign}{}{point}{:02}", whole / 100, whole % 100)
}
