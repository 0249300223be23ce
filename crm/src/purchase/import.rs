//! Importing purchases from a file of any size, in bounded memory.
//!
//! Files are unsorted, so the lines are staged in the database first (`import_lines`) and then booked receipt by receipt
//! in order of time. What makes a line unique is its source, its document and its place in it by the order of the file;
//! so an import may be run again, after an interruption too: what is there is left alone. A line that is refused keeps
//! its place, so that it can be put right in the file and imported again.

mod format;
mod lines;
pub(crate) mod mapped;
mod reason;

pub use format::Format;
pub(crate) use lines::split;
pub use reason::{Column, Reason};

use super::store::book;
use super::{Kind, LineOutcome, NewLine, NewPurchase, Way};
use crate::article::store as articles;
use crate::db::{self, Bind, Db, ListQuery, Rows, Tx, scoped};
use crate::error::Error;
use crate::id::{CustomerId, MembershipId, StoreId};
use crate::lang::{Lang, fold};
use crate::on;
use crate::points::store as points;
use crate::who::System;
use chrono::{DateTime, Utc};
use format::{Parser, Staged};
use lines::{Lines, Next};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

/// Chooses the shop of a receipt by its number.
pub type StoreOf = dyn Fn(&str) -> Option<StoreId> + Send + Sync;

/// What to import, and how.
pub struct Options<'a> {
    /// The format of the file.
    pub format: Format,
    /// Where the purchases come from: part of what makes a line unique, and of what a customer is known by.
    pub source: String,
    /// The encoding of the file, by its name (WHATWG Encoding Standard): `utf-8`, `windows-1252`.
    pub encoding: &'a str,
    /// Days by which every time is moved.
    pub shift_days: i64,
    /// Chooses shops where the file names none.
    pub store_of: Option<&'a StoreOf>,
    /// The language of the reasons in the list of refused lines.
    pub language: Lang,
}

impl Options<'_> {
    /// The usual way to read a format: under its own name, in UTF-8, as it is.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            source: format.name().into(),
            encoding: "utf-8",
            shift_days: 0,
            store_of: None,
            language: Lang::En,
        }
    }
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Reading the file.
    Reading {
        /// Lines read.
        lines: u64,
        /// Bytes of the file read, compressed where it is.
        bytes: u64,
        /// Bytes of the whole file.
        size: u64,
    },
    /// Booking what was read.
    Booking {
        /// Lines booked, or found to be there.
        lines: u64,
        /// Of how many.
        of: u64,
    },
}

/// Lines of one kind, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many lines.
    pub lines: u64,
    /// How many pieces; negative for returns.
    pub quantity: i64,
    /// What was paid, in minor units; negative for returns.
    pub amount: i64,
}

impl Sum {
    fn add(&mut self, quantity: i64, amount: i64) {
        self.lines += 1;
        self.quantity += quantity;
        self.amount += amount;
    }
}

/// What an import did. `taken + known + rejected = read`; the sums are over what was taken and what was known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines of data in the file; empty lines do not count.
    pub read: u64,
    /// Lines that are in the database because of this run.
    pub taken: u64,
    /// Lines that were there before.
    pub known: u64,
    /// Lines that were refused.
    pub rejected: u64,
    /// Receipts.
    pub documents: u64,
    /// Customers.
    pub customers: u64,
    /// What was sold.
    pub sold: Sum,
    /// What came back.
    pub returned: Sum,
    /// Lines that came back and found the line that they bring back.
    pub matched: u64,
    /// Lines that came back and stand alone.
    pub unmatched: u64,
    /// The list of refused lines, if there are any.
    pub rejects: Option<PathBuf>,
}

/// Why a file could not be imported. Whatever it says, nothing was booked twice, and the import can be run again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be opened.
    #[error("cannot open the file: {0}")]
    Open(io::Error),
    /// The file ends in the middle or is damaged.
    #[error("cannot read on after line {line} ({read} lines of data until there): {source}; nothing of it was booked")]
    Read {
        /// The last line that could be read.
        line: i64,
        /// How many lines of data that makes.
        read: u64,
        /// What went wrong.
        source: io::Error,
    },
    /// There is nothing in the file.
    #[error("the file is empty: not even a line with the names of the columns")]
    Empty,
    /// The first line does not name the columns.
    #[error("line 1: the format {format} needs the columns {}", missing.join(", "))]
    Columns {
        /// The format.
        format: Format,
        /// The columns that are missing.
        missing: Vec<&'static str>,
    },
    /// The file is in UTF-16, or in another encoding than it should be.
    #[error("line 1: the file is not in {0}; name its encoding or convert it")]
    Encoding(&'static str),
    /// No encoding of this name is known.
    #[error("there is no encoding named {0}")]
    NoEncoding(String),
    /// The name of the source is used otherwise.
    #[error("{0:?} cannot be the name of a source: up to 60 characters, and not web, staff or till")]
    Source(String),
    /// The list of refused lines cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Rejects {
        /// The list.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Somebody else imports from the same source.
    #[error("another import of the source {0} ran at the same time; run this one again")]
    Busy(String),
    /// The database.
    #[error(transparent)]
    Crm(#[from] Error),
}

impl From<db::Error> for ImportError {
    fn from(e: db::Error) -> Self {
        Self::Crm(e.into())
    }
}

/// Lines that are staged in one transaction, and booked in one.
const BATCH: usize = 5_000;

/// The list of refused lines: made with the first of them.
struct Rejects {
    path: PathBuf,
    writer: Option<csv::Writer<std::fs::File>>,
    language: Lang,
    count: u64,
}

impl Rejects {
    /// Beside the file; a list of an earlier run goes.
    fn beside(file: &Path, language: Lang) -> Result<Self, ImportError> {
        let mut path = file.as_os_str().to_owned();
        path.push(".rejected.csv");
        let path = PathBuf::from(path);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(ImportError::Rejects { path, source }),
            _ => Ok(Self {
                path,
                writer: None,
                language,
                count: 0,
            }),
        }
    }

    fn add(&mut self, line: i64, reason: &Reason) -> Result<(), ImportError> {
        self.count += 1;
        let text = reason.text(self.language);
        let mut write = || -> csv::Result<()> {
            if self.writer.is_none() {
                let mut writer = csv::Writer::from_path(&self.path)?;
                writer.write_record(["line", "reason"])?;
                self.writer = Some(writer);
            }
            let Some(writer) = &mut self.writer else { return Ok(()) };
            writer.write_record([line.to_string().as_str(), &text])
        };
        write().map_err(|e| ImportError::Rejects {
            path: self.path.clone(),
            source: e.into(),
        })
    }

    /// Closes the list, and tells where it is.
    fn finish(&mut self) -> Result<Option<PathBuf>, ImportError> {
        let Some(mut writer) = self.writer.take() else {
            return Ok(None);
        };
        writer.flush().map_err(|source| ImportError::Rejects {
            path: self.path.clone(),
            source,
        })?;
        Ok(Some(self.path.clone()))
    }
}

/// Imports purchases from a file, plain or gzip. `progress` is told how far it is after each batch.
pub async fn run(
    db: &Db,
    by: &System,
    file: &Path,
    options: &Options<'_>,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Summary, ImportError> {
    let source = options.source.as_str();
    let length = source.trim().chars().count();
    if length == 0 || length > 60 || ["web", "staff", "till"].contains(&source) {
        return Err(ImportError::Source(source.into()));
    }
    let mut lines = Lines::open(file).map_err(ImportError::Open)?;
    let mut rejects = Rejects::beside(file, options.language)?;
    clear(db, source).await?;
    let read = stage(db, &mut lines, options, &mut rejects, &mut progress).await?;
    unify_times(db, source).await?;

    let mut summary = Summary {
        read,
        ..Summary::default()
    };
    let in_file = read - rejects.count;
    let stores = stores(db).await?;
    let mut after = (DateTime::<Utc>::UNIX_EPOCH, String::new());
    while let Some(page) = page(db, source, &after, BATCH).await? {
        let Some(last) = page.last() else { break };
        after = (last.at, last.document.clone());
        let desk = Desk {
            options,
            stores: &stores,
        };
        let (desk, page) = (&desk, &page);
        let done = db.write(|tx| scoped(desk.book(tx, by, page))).await?;
        for (line, reason) in &done.rejected {
            rejects.add(*line, reason)?;
        }
        done.add_to(&mut summary);
        progress(Progress::Booking {
            lines: summary.taken + summary.known,
            of: in_file,
        });
    }
    summary.customers = count_customers(db, source).await?;
    summary.rejected = rejects.count;
    summary.rejects = rejects.finish()?;
    clear(db, source).await?;
    if summary.taken + summary.known + summary.rejected != summary.read {
        return Err(ImportError::Busy(source.into()));
    }
    Ok(summary)
}

/// Reads a text as a file of a format, its header in the first line, and tells how many lines were taken and refused.
#[doc(hidden)] // for the fuzzers
pub fn read_text(format: Format, text: &str) -> (usize, usize) {
    let mut lines = text.lines();
    let Ok((mut parser, _)) = Parser::new(format, lines.next().unwrap_or_default(), chrono_tz::UTC, 0) else {
        return (0, 0);
    };
    let (mut taken, mut refused) = (0, 0);
    for line in lines {
        match parser.parse(line) {
            Ok(_) => taken += 1,
            // The words of a refusal are written for each line.
            Err(line) => refused += usize::from(!line.reason.text(Lang::Ru).is_empty()),
        }
    }
    (taken, refused)
}

/// Reads the file into the staging table, and tells how many lines of data it has.
async fn stage(
    db: &Db,
    lines: &mut Lines,
    options: &Options<'_>,
    rejects: &mut Rejects,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<u64, ImportError> {
    let encoding = encoding_rs::Encoding::for_label(options.encoding.trim().as_bytes())
        .ok_or_else(|| ImportError::NoEncoding(options.encoding.into()))?;
    let mut read = 0;
    let mut buffer = Vec::new();
    let mut parser: Option<Parser> = None;
    let mut batch: Vec<(i64, Staged)> = Vec::with_capacity(BATCH);
    loop {
        let next = lines.next(&mut buffer).map_err(|source| ImportError::Read {
            line: lines.number,
            read,
            source,
        })?;
        if next != Next::End && buffer.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if batch.len() == BATCH || (next == Next::End && !batch.is_empty()) {
            let (source, rows) = (&options.source, &batch);
            // A line that is staged already is one of another import.
            db.write(|tx| scoped(insert(tx, source, rows)))
                .await
                .map_err(|e| match &e {
                    Error::Database(db::Error::Driver(taken)) if db::is_taken(taken) => {
                        ImportError::Busy(source.clone())
                    }
                    _ => e.into(),
                })?;
            batch.clear();
            progress(Progress::Reading {
                lines: read,
                bytes: lines.position(),
                size: lines.size,
            });
        }
        if next == Next::End {
            break;
        }
        let text = encoding.decode_without_bom_handling_and_without_replacement(&buffer);
        let parser = match &mut parser {
            Some(parser) => parser,
            None => {
                if buffer.starts_with(b"\xff\xfe") || buffer.starts_with(b"\xfe\xff") {
                    return Err(ImportError::Encoding(encoding.name()));
                }
                let first = text.as_deref().ok_or(ImportError::Encoding(encoding.name()))?;
                let (made, is_data) = Parser::new(options.format, first, db.shop().zone(), options.shift_days)
                    .map_err(|missing| ImportError::Columns {
                        format: options.format,
                        missing,
                    })?;
                let made = parser.insert(made);
                if !is_data {
                    continue;
                }
                made
            }
        };
        read += 1;
        let parsed = match text {
            _ if next == Next::TooLong => Err((Reason::TooLongLine, None)),
            None => {
                let (legible, _) = encoding.decode_without_bom_handling(&buffer);
                let document = match parser.parse(&legible) {
                    Ok(line) => Some(line.document),
                    Err(refused) => refused.document,
                };
                Err((Reason::Encoding { name: encoding.name() }, document))
            }
            Some(text) => parser
                .parse(&text)
                .map_err(|refused| (refused.reason, refused.document)),
        };
        match parsed {
            Ok(line) => batch.push((lines.number, line)),
            Err((reason, document)) => {
                rejects.add(lines.number, &reason)?;
                if let Some(document) = document {
                    // A quantity of nothing keeps its place; a time beyond all others never is the receipt's.
                    batch.push((
                        lines.number,
                        Staged {
                            document,
                            at: points::far(),
                            ..Staged::default()
                        },
                    ));
                }
            }
        }
    }
    if parser.is_none() {
        return Err(ImportError::Empty);
    }
    Ok(read)
}

async fn insert(tx: &mut Tx, source: &str, batch: &[(i64, Staged)]) -> Result<(), Error> {
    let mut rows = Rows::new(
        "INSERT INTO import_lines (source, line, document, at, customer, store, article, name, quantity, price, \
         discount, original, channel, payments)",
        "",
    );
    for (number, line) in batch {
        rows.push([
            Bind::Text(source.to_owned()),
            Bind::Int(*number),
            Bind::Text(line.document.clone()),
            Bind::Time(line.at),
            Bind::Text(line.customer.clone()),
            Bind::Text(line.store.clone()),
            Bind::Text(line.article.clone()),
            Bind::Text(line.name.clone()),
            Bind::Int(line.quantity),
            Bind::Int(line.price),
            Bind::Int(line.discount),
            Bind::Text(line.original.clone()),
            Bind::Text(line.channel.clone()),
            Bind::Text(line.payments.clone()),
        ]);
    }
    Ok(db::insert(tx, rows).await?)
}

/// Empties the staging table of a source, in parts so that nobody waits long.
pub(crate) async fn clear(db: &Db, source: &str) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM import_lines WHERE source = $1 AND line <= \
                       (SELECT MIN(line) FROM import_lines WHERE source = $1) + $2";
    loop {
        let deleted = db
            .write(|tx| {
                scoped(async move {
                    let result = on!(tx, |c| sqlx::query(SQL)
                        .bind(source)
                        .bind(10 * BATCH as i64)
                        .execute(c)
                        .await
                        .map(|r| r.rows_affected()))?;
                    Ok::<_, Error>(result)
                })
            })
            .await?;
        if deleted == 0 {
            return Ok(());
        }
    }
}

/// Ends the staging: a receipt has one time, the earliest of its lines. Done again, it changes nothing.
pub(crate) async fn unify_times(db: &Db, source: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE import_lines SET at = m.at FROM (SELECT document, MIN(at) AS at FROM import_lines \
        WHERE source = $1 GROUP BY document HAVING MIN(at) <> MAX(at)) m \
        WHERE import_lines.source = $1 AND import_lines.document = m.document";
    db.write(|tx| {
        scoped(async move {
            if tx.is_postgres() {
                // A table that was empty a minute ago is read by the wrong index until somebody counts its rows.
                on!(tx, |c| sqlx::query("ANALYZE import_lines").execute(c).await.map(drop))?;
            }
            on!(tx, |c| sqlx::query(SQL).bind(source).execute(c).await.map(drop))?;
            Ok(())
        })
    })
    .await
}

#[derive(sqlx::FromRow)]
struct LineRow {
    line: i64,
    document: String,
    at: DateTime<Utc>,
    customer: String,
    store: String,
    article: String,
    name: String,
    quantity: i64,
    price: i64,
    discount: i64,
    original: String,
    channel: String,
    payments: String,
}

/// The next lines in order of time, whole receipts only; nothing at the end.
async fn page(
    db: &Db,
    source: &str,
    after: &(DateTime<Utc>, String),
    mut limit: usize,
) -> Result<Option<Vec<LineRow>>, Error> {
    const SQL: &str = "SELECT line, document, at, customer, store, article, name, quantity, price, discount, original, \
        channel, payments FROM import_lines WHERE source = $1 AND (at, document) > ($2, $3) ORDER BY at, document, line LIMIT $4";
    let mut conn = db.read().await?;
    loop {
        let mut rows: Vec<LineRow> = on!(conn, |c| sqlx::query_as(SQL)
            .bind(source)
            .bind(after.0)
            .bind(&after.1)
            .bind(limit as i64)
            .fetch_all(c)
            .await)?;
        let Some(last) = rows.last() else { return Ok(None) };
        if rows.len() < limit {
            return Ok(Some(rows));
        }
        // The last receipt may go on beyond the limit.
        let cut = rows
            .iter()
            .position(|row| row.document == last.document)
            .unwrap_or_default();
        if cut > 0 {
            rows.truncate(cut);
            return Ok(Some(rows));
        }
        limit *= 2;
    }
}

/// The shops by their codes.
pub(crate) async fn stores(db: &Db) -> Result<HashMap<String, StoreId>, Error> {
    let mut conn = db.read().await?;
    let rows: Vec<(String, StoreId)> = on!(conn, |c| sqlx::query_as("SELECT code, id FROM stores")
        .fetch_all(c)
        .await)?;
    Ok(rows.into_iter().collect())
}

async fn count_customers(db: &Db, source: &str) -> Result<u64, Error> {
    const SQL: &str = "SELECT COUNT(DISTINCT customer) FROM import_lines \
                       WHERE source = $1 AND customer <> '' AND quantity <> 0";
    let mut conn = db.read().await?;
    let count: i64 = on!(conn, |c| sqlx::query_scalar(SQL).bind(source).fetch_one(c).await)?;
    Ok(count.unsigned_abs())
}

/// What one batch did.
#[derive(Default)]
struct Done {
    taken: u64,
    known: u64,
    documents: u64,
    sold: Sum,
    returned: Sum,
    matched: u64,
    rejected: Vec<(i64, Reason)>,
}

impl Done {
    fn add_to(&self, summary: &mut Summary) {
        summary.taken += self.taken;
        summary.known += self.known;
        summary.documents += self.documents;
        summary.matched += self.matched;
        summary.unmatched += self.returned.lines - self.matched;
        for (sum, part) in [(&mut summary.sold, self.sold), (&mut summary.returned, self.returned)] {
            sum.lines += part.lines;
            sum.quantity += part.quantity;
            sum.amount += part.amount;
        }
    }
}

/// Books staged lines.
struct Desk<'a> {
    options: &'a Options<'a>,
    stores: &'a HashMap<String, StoreId>,
}

/// A receipt on its way from the staging table to the books.
struct Draft<'a> {
    document: String,
    at: DateTime<Utc>,
    customer: &'a str,
    store: Option<StoreId>,
    way: Way,
    /// Its lines, each with its place.
    lines: Vec<(i64, &'a LineRow)>,
}

impl Desk<'_> {
    async fn book(&self, tx: &mut Tx, by: &System, rows: &[LineRow]) -> Result<Done, Error> {
        // History is no news: a million lines would be a million events.
        tx.keep_silent();
        let mut done = Done::default();
        let mut drafts = Vec::new();
        for receipt in rows.chunk_by(|a, b| a.document == b.document) {
            self.draft(receipt, &mut drafts, &mut done.rejected);
        }

        let mut names: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        for (_, line) in drafts.iter().flat_map(|draft| &draft.lines) {
            // What was written down without a price is a note of the stock room more often than a name.
            let name = Some(line.name.as_str()).filter(|name| !name.is_empty() && line.price > 0);
            let known = names.entry(&line.article).or_default();
            *known = known.or(name);
        }
        let articles = articles::ensure(tx, by, &names).await?;
        let customers = self.customers(tx, &drafts).await?;

        let mut purchases = Vec::with_capacity(drafts.len());
        for draft in &drafts {
            let mut lines = Vec::with_capacity(draft.lines.len());
            for (ordinal, line) in &draft.lines {
                let article = articles.get(&line.article).copied().ok_or_else(|| {
                    db::Error::Inconsistent(format!("the article {} could not be added", line.article))
                })?;
                lines.push(NewLine {
                    ordinal: *ordinal,
                    article,
                    quantity: line.quantity,
                    price: line.price,
                    discount: line.discount,
                    rule_discount: 0,
                    original: self.options.format.original(&draft.document, &line.original),
                });
            }
            let is_return = draft.lines.iter().all(|(_, line)| line.quantity < 0);
            purchases.push(NewPurchase {
                source: self.options.source.clone(),
                document: draft.document.clone(),
                kind: if is_return { Kind::Return } else { Kind::Sale },
                customer: customers.get(draft.customer).copied(),
                store: draft.store,
                at: draft.at,
                way: draft.way.clone(),
                points_used: 0,
                coupons: Vec::new(),
                lines,
            });
        }
        let booked = book(tx, by, &purchases).await?;

        for ((draft, purchase), booked) in drafts.iter().zip(&purchases).zip(booked) {
            let mut is_there = false;
            for (((_, row), line), outcome) in draft.lines.iter().zip(&purchase.lines).zip(booked.lines) {
                let original = match outcome {
                    LineOutcome::Conflict => {
                        done.rejected.push((row.line, Reason::Changed));
                        continue;
                    }
                    LineOutcome::Known(original) => {
                        done.known += 1;
                        original
                    }
                    LineOutcome::Taken(original) => {
                        done.taken += 1;
                        original
                    }
                    LineOutcome::Waiting => {
                        done.taken += 1;
                        None
                    }
                };
                is_there = true;
                let sum = if line.quantity < 0 {
                    &mut done.returned
                } else {
                    &mut done.sold
                };
                sum.add(
                    line.quantity,
                    super::amount(line.quantity, line.price, line.discount).unwrap_or_default(),
                );
                done.matched += u64::from(original.is_some());
            }
            done.documents += u64::from(is_there);
        }
        Ok(done)
    }

    /// Makes receipts of the staged lines of one document.
    fn draft<'r>(&self, rows: &'r [LineRow], drafts: &mut Vec<Draft<'r>>, rejected: &mut Vec<(i64, Reason)>) {
        let placed = (1..).zip(rows).filter(|(_, row)| row.quantity != 0);
        if self.options.format.numbers_lines() {
            for (ordinal, row) in placed {
                let document = format!("{}-{ordinal}", row.document);
                let store = self.options.store_of.and_then(|of| of(&document));
                drafts.push(Draft {
                    document,
                    at: row.at,
                    customer: &row.customer,
                    store,
                    way: Way::default(),
                    lines: vec![(1, row)],
                });
            }
            return;
        }
        let first = |field: fn(&LineRow) -> &str| {
            placed
                .clone()
                .map(|(_, row)| field(row))
                .find(|value| !value.is_empty())
                .unwrap_or_default()
        };
        let customer = first(|row| &row.customer);
        let code = first(|row| &row.store);
        let channel = first(|row| &row.channel);
        let way = Way::from_words(Some(channel), first(|row| &row.payments));
        let mut lines = Vec::with_capacity(rows.len());
        for (ordinal, row) in placed.clone() {
            if !row.customer.is_empty() && row.customer != customer {
                rejected.push((
                    row.line,
                    Reason::OtherCustomer {
                        customer: customer.to_owned(),
                    },
                ));
            } else if !code.is_empty() && !self.stores.contains_key(code) {
                rejected.push((row.line, Reason::UnknownStore { code: code.to_owned() }));
            } else {
                lines.push((ordinal, row));
            }
        }
        if let Some((_, row)) = lines.first() {
            let store = self.stores.get(code).copied();
            let store = store.or_else(|| self.options.store_of.and_then(|of| of(&row.document)));
            drafts.push(Draft {
                document: row.document.clone(),
                at: row.at,
                customer,
                store,
                way,
                lines,
            });
        }
    }

    /// The customers of these receipts. Who is not known yet becomes a customer, and a member of the automatic programs,
    /// with their first purchase.
    async fn customers<'r>(&self, tx: &mut Tx, drafts: &[Draft<'r>]) -> Result<HashMap<String, CustomerId>, Error> {
        let source = &self.options.source;
        let mut wanted: BTreeMap<&'r str, DateTime<Utc>> = BTreeMap::new();
        for draft in drafts.iter().filter(|draft| !draft.customer.is_empty()) {
            wanted.entry(draft.customer).or_insert(draft.at);
        }
        let mut found: HashMap<String, CustomerId> = HashMap::new();
        let numbers: Vec<&str> = wanted.keys().copied().collect();
        for part in numbers.chunks(256) {
            let query = ListQuery::new("SELECT external_id, COALESCE(merged_into, id) FROM customers")
                .filter("source = ?", [Bind::Text(source.clone())])
                .within(
                    "external_id",
                    part.iter().map(|number| Bind::Text((*number).to_owned())),
                );
            found.extend(db::list::<(String, CustomerId)>(tx, query).await?);
        }
        let mut rows = Rows::new(
            "INSERT INTO customers (id, name, surname, search, language, source, external_id, registered_at, updated_at)",
            "",
        );
        let mut memberships = Rows::new(
            "INSERT INTO memberships (id, program_id, customer_id, terms_version, joined_at)",
            "",
        );
        let (programs, _) = points::programs(tx).await?;
        let (now, language) = (tx.now(), tx.shop().language);
        let name = match language {
            Lang::Ru => "Покупатель",
            Lang::En => "Customer",
        };
        for (number, at) in wanted {
            if found.contains_key(number) {
                continue;
            }
            let id = CustomerId::new();
            found.insert(number.to_owned(), id);
            rows.push([
                Bind::Id(id.0),
                Bind::Word(name),
                Bind::Text(number.to_owned()),
                Bind::Text(fold(&format!("{number} {name}"))),
                Bind::Word(language.code()),
                Bind::Text(source.clone()),
                Bind::Text(number.to_owned()),
                Bind::Time(at),
                Bind::Time(now),
            ]);
            for (program, version) in programs.automatic(at) {
                memberships.push([
                    Bind::Id(MembershipId::new().0),
                    Bind::Id(program.0),
                    Bind::Id(id.0),
                    Bind::Int(version),
                    Bind::Time(at),
                ]);
            }
        }
        db::insert(tx, rows).await?;
        db::insert(tx, memberships).await?;
        Ok(found)
    }
}
