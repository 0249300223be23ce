//! Files as they are written: text at once, a workbook on a thread aside, which keeps it in a file of its own.

use super::Format;
use super::tables::{Column, What};
use crate::db;
use crate::error::Error;
use crate::export::data::Cell;
use crate::lang::Lang;
use crate::sheet;
use crate::shop::Shop;
use chrono::{DateTime, Utc};
use rust_xlsxwriter::{Workbook, XlsxError};
use std::fs::File;
use std::io::{Read as _, Seek as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How many rows a sheet has; with more there is another one. Programs take 1,048,576.
const SHEET_ROWS: u32 = 1_000_000;
/// The longest text of a cell, in characters; programs take 32,767.
const CELL_MAX: usize = 32_000;

/// A cell as it is written.
#[derive(Debug, PartialEq)]
enum Value {
    Empty,
    Text(String),
    Whole(i64),
    Hundredths(i64),
}

/// A file that grows.
pub(super) enum Writer {
    Csv(Csv),
    Xlsx(Xlsx),
}

pub(super) struct Csv {
    lang: Lang,
    whats: Vec<What>,
    bytes: Vec<u8>,
}

pub(super) struct Xlsx {
    lang: Lang,
    whats: Vec<What>,
    rows: mpsc::Sender<Vec<Vec<Value>>>,
    made: JoinHandle<Result<File, XlsxError>>,
}

/// What is left of a file at its end.
pub(super) enum Rest {
    Bytes(Vec<u8>),
    File(File),
}

fn broken(error: impl std::fmt::Display) -> Error {
    db::Error::Inconsistent(format!("a table could not be written: {error}")).into()
}

impl Writer {
    pub(super) fn begin(format: Format, lang: Lang, columns: &[&'static Column]) -> Result<Self, Error> {
        let whats = columns.iter().map(|column| column.what).collect();
        let heads: Vec<String> = columns.iter().map(|column| column.text(lang).to_owned()).collect();
        match format {
            Format::Csv => {
                let mut csv = Csv {
                    lang,
                    whats,
                    bytes: sheet::MARK.to_vec(),
                };
                csv.write(vec![heads.into_iter().map(Value::Text).collect()])?;
                Ok(Self::Csv(csv))
            }
            Format::Xlsx => {
                // Whoever reads is as fast as whoever writes.
                let (rows, come) = mpsc::channel(2);
                let made = tokio::task::spawn_blocking(move || workbook(&heads, come));
                Ok(Self::Xlsx(Xlsx {
                    lang,
                    whats,
                    rows,
                    made,
                }))
            }
        }
    }

    /// Writes rows.
    pub(super) async fn rows(&mut self, shop: &Shop, rows: Vec<Vec<Cell>>) -> Result<(), Error> {
        let (lang, whats) = match self {
            Self::Csv(csv) => (csv.lang, &csv.whats),
            Self::Xlsx(xlsx) => (xlsx.lang, &xlsx.whats),
        };
        let rows = rows
            .into_iter()
            .map(|row| {
                let cells = row.into_iter().zip(whats);
                cells.map(|(cell, what)| value(shop, lang, *what, cell)).collect()
            })
            .collect();
        match self {
            Self::Csv(csv) => csv.write(rows),
            // Where nobody takes them, the end says why.
            Self::Xlsx(xlsx) => {
                let _ = xlsx.rows.send(rows).await;
                Ok(())
            }
        }
    }

    /// What can be kept already, as soon as it is a piece of that size.
    pub(super) fn ready(&mut self, size: usize) -> Vec<u8> {
        match self {
            Self::Csv(csv) if csv.bytes.len() >= size => std::mem::take(&mut csv.bytes),
            Self::Csv(_) | Self::Xlsx(_) => Vec::new(),
        }
    }

    pub(super) async fn end(self) -> Result<Rest, Error> {
        match self {
            Self::Csv(csv) => Ok(Rest::Bytes(csv.bytes)),
            Self::Xlsx(Xlsx { rows, made, .. }) => {
                drop(rows);
                Ok(Rest::File(made.await.map_err(broken)?.map_err(broken)?))
            }
        }
    }
}

impl Rest {
    /// The next piece; none at the end.
    pub(super) async fn next(&mut self, size: usize) -> Result<Option<Vec<u8>>, Error> {
        let bytes = match self {
            Self::Bytes(bytes) => std::mem::take(bytes),
            Self::File(file) => {
                let mut file = file.try_clone().map_err(broken)?;
                let read = move || {
                    let mut bytes = Vec::new();
                    let most = u64::try_from(size).unwrap_or(u64::MAX);
                    file.by_ref().take(most).read_to_end(&mut bytes).map(|_| bytes)
                };
                tokio::task::spawn_blocking(read)
                    .await
                    .map_err(broken)?
                    .map_err(broken)?
            }
        };
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}

impl Csv {
    /// As a spreadsheet of the language reads it.
    fn write(&mut self, rows: Vec<Vec<Value>>) -> Result<(), Error> {
        let mut writer = sheet::writer(self.lang, &mut self.bytes);
        for row in rows {
            let cells = row.into_iter().map(|value| match value {
                Value::Empty => String::new(),
                Value::Text(text) => sheet::text(&text),
                Value::Whole(number) => number.to_string(),
                Value::Hundredths(number) => sheet::figure(self.lang, number),
            });
            writer.write_record(cells).map_err(broken)?;
        }
        writer.flush().map_err(broken)
    }
}

fn value(shop: &Shop, lang: Lang, what: What, cell: Cell) -> Value {
    match (cell, what) {
        (Cell::Empty, _) => Value::Empty,
        (Cell::Number(number), What::Hundredths) => Value::Hundredths(number),
        (Cell::Number(number), _) => Value::Whole(number),
        (Cell::Flag(is_so), _) => Value::Text(
            match (is_so, lang) {
                (true, Lang::Ru) => "да",
                (false, Lang::Ru) => "нет",
                (true, Lang::En) => "yes",
                (false, Lang::En) => "no",
            }
            .into(),
        ),
        (Cell::Text(text), What::Moment) => match text.parse::<DateTime<Utc>>() {
            Ok(at) => Value::Text(shop.local(at).format("%Y-%m-%d %H:%M").to_string()),
            Err(_) => Value::Text(text),
        },
        (Cell::Text(text), _) => Value::Text(text),
    }
}

/// Writes rows as they come into a workbook; none of them stays in memory.
fn workbook(heads: &[String], mut come: mpsc::Receiver<Vec<Vec<Value>>>) -> Result<File, XlsxError> {
    let mut book = Workbook::new();
    let (mut sheet, mut row) = (0, SHEET_ROWS);
    let head = || heads.iter().cloned().map(Value::Text).collect::<Vec<_>>();
    let mut write = |cells: Vec<Value>| -> Result<(), XlsxError> {
        if row >= SHEET_ROWS {
            book.add_worksheet_with_constant_memory();
            sheet = book.worksheets().len() - 1;
            row = 0;
            line(&mut book, sheet, row, head())?;
            row += 1;
        }
        line(&mut book, sheet, row, cells)?;
        row += 1;
        Ok(())
    };
    while let Some(rows) = come.blocking_recv() {
        for cells in rows {
            write(cells)?;
        }
    }
    if book.worksheets().is_empty() {
        book.add_worksheet_with_constant_memory();
        line(&mut book, 0, 0, head())?;
    }
    let mut file = tempfile::tempfile()?;
    book.save_to_writer(&mut file)?;
    file.rewind()?;
    Ok(file)
}

fn line(book: &mut Workbook, sheet: usize, row: u32, cells: Vec<Value>) -> Result<(), XlsxError> {
    let sheet = book.worksheet_from_index(sheet)?;
    for (column, value) in (0_u16..).zip(cells) {
        match value {
            Value::Empty => {}
            Value::Text(text) if text.chars().count() > CELL_MAX => {
                sheet.write_string(row, column, text.chars().take(CELL_MAX).collect::<String>())?;
            }
            Value::Text(text) => {
                sheet.write_string(row, column, text)?;
            }
            #[expect(clippy::cast_precision_loss, reason = "a spreadsheet has no other numbers")]
            Value::Whole(number) => {
                sheet.write_number(row, column, number as f64)?;
            }
            #[expect(clippy::cast_precision_loss, reason = "a spreadsheet has no other numbers")]
            Value::Hundredths(number) => {
                sheet.write_number(row, column, number as f64 / 100.0)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_reckon_is_text() {
        let mut csv = Csv {
            lang: Lang::Ru,
            whats: Vec::new(),
            bytes: Vec::new(),
        };
        let row = [
            Value::Text("=1+1".into()),
            Value::Text("+7 912".into()),
            Value::Text("@a".into()),
            Value::Text("-1".into()),
            Value::Text("Анна; \"К\"".into()),
            Value::Hundredths(-4_15),
            Value::Whole(-3),
            Value::Empty,
        ];
        csv.write(vec![row.into()]).expect("written");
        let written = String::from_utf8(csv.bytes).expect("text");
        assert_eq!(written, "'=1+1;'+7 912;'@a;'-1;\"Анна; \"\"К\"\"\";-4,15;-3;\r\n");
    }

    #[tokio::test]
    async fn a_workbook_with_nothing_in_it_has_heads_all_the_same() {
        let columns: Vec<_> = super::super::Kind::Points.columns().iter().collect();
        let writer = Writer::begin(Format::Xlsx, Lang::En, &columns).expect("begun");
        let mut rest = writer.end().await.expect("saved");
        let bytes = rest.next(1 << 20).await.expect("read").expect("some");
        assert!(bytes.starts_with(b"PK"));
        assert!(rest.next(1 << 20).await.expect("read").is_none());
    }
}
