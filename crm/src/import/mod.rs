//! Staff bring in customers, blank cards, articles and purchases in tables that other programs wrote.
//!
//! A file is read once, when it comes in ([`upload`]): its lines become rows of `import_rows`, texts as they stand there. Then staff
//! say which column is what, and a worker tries it ([`check`]): everything is done as it would be, and undone. What they then begin
//! ([`start`]) goes the same way in transactions of some hundred lines, each with the place that it has come to, so that after a stop it
//! goes on where it was ([`run_next`]). One bad line stops nothing: it is written down with the reason. Each kind of line has a key (a
//! phone, a code, a number), so that the same file once more takes nothing.

pub(crate) mod forget;
mod kinds;
mod read;
mod run;

pub use run::{KEPT, run_next, sweep};

use crate::db::{self, Bind, Conn, Db, Rows, Tx, scoped};
use crate::error::Error;
use crate::flaw::{Flaw, is_invisible};
use crate::id::{ImportId, StaffId};
use crate::lang::{Lang, fold};
use crate::on;
use crate::points::Before;
use crate::points::store as points;
use crate::request::Upload;
use crate::shop::MB;
use crate::staff::Right;
use crate::who::{Fresh, Staff};
use chrono::{DateTime, NaiveDate, Utc};
use sqlx::types::Json;
use std::collections::BTreeMap;
use tokio::sync::Semaphore;

/// How large a file may be, in megabytes.
pub const FILE_MB: usize = 20;
/// How many lines it may have; of more, the command line imports purchases.
pub const LINES_MAX: usize = 200_000;
/// How many columns.
pub const COLUMNS_MAX: usize = 100;
/// How many refused lines a page shows.
pub const SHOWN: i64 = 20;
/// How many lines are shown of each column.
const SAMPLES: i64 = 3;
/// Files are read one after the other: each may take some hundred megabytes meanwhile.
static TURN: Semaphore = Semaphore::const_new(1);
/// The longest name of a file, in characters.
const NAME_MAX: usize = 120;

/// What a browser offers to choose from.
pub const ACCEPT: &str =
    ".csv,.txt,.tsv,.xlsx,text/csv,application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// What the lines of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Kind {
    /// People, known by their phone.
    Customers,
    /// Plastic cards that are nobody's yet.
    Cards,
    /// What is sold, known by its code.
    Articles,
    /// Lines of receipts.
    Purchases,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Customers, Self::Cards, Self::Articles, Self::Purchases];

    /// As forms and the database name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Cards => "cards",
            Self::Articles => "articles",
            Self::Purchases => "purchases",
        }
    }

    /// The kind of this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// What a line of it tells.
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Self::Customers => CUSTOMERS,
            Self::Cards => CARDS,
            Self::Articles => ARTICLES,
            Self::Purchases => PURCHASES,
        }
    }
}

/// Something that a line tells.
#[derive(Debug)]
pub struct Field {
    /// As forms and mappings name it.
    pub name: &'static str,
    /// No line is taken without it.
    pub is_required: bool,
    ru: &'static str,
    en: &'static str,
    /// What other programs call it, folded.
    guesses: &'static [&'static str],
}

impl Field {
    /// What people call it.
    pub const fn text(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::Ru => self.ru,
            Lang::En => self.en,
        }
    }

    fn is_called(&self, column: &str) -> bool {
        let column = fold(column);
        column == self.name
            || column == fold(self.ru)
            || column == fold(self.en)
            || self.guesses.contains(&column.as_str())
    }
}

const fn must(name: &'static str, ru: &'static str, en: &'static str, guesses: &'static [&'static str]) -> Field {
    Field {
        name,
        is_required: true,
        ru,
        en,
        guesses,
    }
}

const fn may(name: &'static str, ru: &'static str, en: &'static str, guesses: &'static [&'static str]) -> Field {
    Field {
        is_required: false,
        ..must(name, ru, en, guesses)
    }
}

const CUSTOMERS: &[Field] = &[
    must(
        "phone",
        "Телефон",
        "Phone",
        &[
            "номер телефона",
            "мобильный телефон",
            "мобильный",
            "тел",
            "тел.",
            "phone number",
            "mobile",
        ],
    ),
    may(
        "name",
        "Имя",
        "First name",
        &["first_name", "firstname", "given name", "имя покупателя"],
    ),
    may(
        "surname",
        "Фамилия",
        "Surname",
        &["last name", "last_name", "lastname", "family name"],
    ),
    may(
        "email",
        "Эл. почта",
        "E-mail",
        &["email", "почта", "электронная почта", "e-mail адрес", "адрес почты"],
    ),
    may(
        "birthday",
        "День рождения",
        "Birthday",
        &["дата рождения", "birth date", "birthdate", "date of birth", "др"],
    ),
    may("language", "Язык", "Language", &["lang"]),
    may(
        "address",
        "Город или адрес",
        "Town or address",
        &["город", "адрес", "city", "town", "address"],
    ),
    may(
        "card",
        "Номер карты",
        "Card number",
        &["карта", "card", "card_number", "номер пластиковой карты"],
    ),
    may(
        "number",
        "Номер в вашей системе",
        "Number in your system",
        &[
            "id",
            "код",
            "код покупателя",
            "код клиента",
            "номер покупателя",
            "customer",
            "customer_id",
            "external_id",
        ],
    ),
];

const CARDS: &[Field] = &[must(
    "number",
    "Номер карты",
    "Card number",
    &[
        "номер",
        "карта",
        "штрихкод",
        "штрих-код",
        "card",
        "card_number",
        "barcode",
        "ean13",
        "ean-13",
    ],
)];

const ARTICLES: &[Field] = &[
    must(
        "code",
        "Артикул",
        "Code",
        &["код", "код товара", "sku", "article", "номенклатурный код"],
    ),
    must(
        "name",
        "Название",
        "Name",
        &["наименование", "товар", "номенклатура", "title", "description"],
    ),
    may(
        "category",
        "Код категории",
        "Category code",
        &["категория", "группа", "код группы", "category", "category_code"],
    ),
    may(
        "brand",
        "Марка",
        "Brand",
        &["бренд", "торговая марка", "производитель", "manufacturer"],
    ),
    may(
        "payable",
        "Оплата баллами",
        "Payable with points",
        &["можно оплатить баллами", "payable_with_points"],
    ),
];

/// As our own format has them (`purchase::import::mapped::FIELDS`).
const PURCHASES: &[Field] = &[
    must(
        "document",
        "Номер чека",
        "Receipt number",
        &["чек", "документ", "номер документа", "receipt", "invoiceno"],
    ),
    must(
        "at",
        "Дата и время",
        "Date and time",
        &["дата", "дата чека", "время", "date", "datetime", "invoicedate"],
    ),
    must(
        "article",
        "Артикул",
        "Article code",
        &["код товара", "sku", "code", "stockcode"],
    ),
    must(
        "quantity",
        "Количество",
        "Quantity",
        &["кол-во", "количество товара", "qty"],
    ),
    must(
        "price",
        "Цена",
        "Price",
        &["цена за единицу", "цена, руб.", "unitprice", "unit price"],
    ),
    may(
        "customer",
        "Номер покупателя",
        "Customer number",
        &[
            "покупатель",
            "код покупателя",
            "код клиента",
            "клиент",
            "customerid",
            "customer_id",
        ],
    ),
    may(
        "name",
        "Название товара",
        "Article name",
        &["название", "наименование", "товар", "номенклатура", "description"],
    ),
    may(
        "discount",
        "Скидка на строку",
        "Discount on the line",
        &["скидка", "сумма скидки"],
    ),
    may(
        "store",
        "Код магазина",
        "Store code",
        &["магазин", "store_code", "shop"],
    ),
    may(
        "original",
        "Исходный чек",
        "Original receipt",
        &["возврат по чеку", "чек продажи"],
    ),
    may("channel", "Способ покупки", "Channel", &["канал"]),
    may("payment", "Способ оплаты", "Payment", &["оплата", "вид оплаты"]),
];

/// Which field is in which column, counted from 0.
pub type Mapping = BTreeMap<String, usize>;

/// The columns whose names say what is in them.
fn guess(kind: Kind, columns: &[String]) -> Mapping {
    let mut mapping = Mapping::new();
    for field in kind.fields() {
        let taken: Vec<usize> = mapping.values().copied().collect();
        let found = columns
            .iter()
            .enumerate()
            .find(|(i, column)| !taken.contains(i) && field.is_called(column));
        if let Some((i, _)) = found {
            mapping.insert(field.name.to_owned(), i);
        }
    }
    mapping
}

/// A day as spreadsheets of either language write it: `2026-11-27`, `27.11.2026`.
pub(crate) fn day(text: &str) -> Option<NaiveDate> {
    ["%Y-%m-%d", "%d.%m.%Y"]
        .iter()
        .find_map(|form| NaiveDate::parse_from_str(text.trim(), form).ok())
        // Two figures are a year of the first century.
        .filter(|day| *day >= NaiveDate::from_ymd_opt(1800, 1, 1).unwrap_or_default())
}

/// How far an import has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum State {
    /// The file is there; nobody has said yet which column is what.
    Ready,
    /// No node has it yet.
    Waiting,
    /// A node goes through the lines.
    Running,
    /// All lines were looked at.
    Done,
    /// It was begun [`crate::work::MAX_TRIES`] times and came to no end.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

impl State {
    /// True while lines may still be looked at.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Import {
    /// Its id.
    pub id: ImportId,
    /// What its lines are.
    pub kind: Kind,
    /// The name of the file.
    pub name: String,
    /// Who brought it in.
    pub by_name: String,
    /// The names of its columns; those without a name are empty.
    #[sqlx(json)]
    pub columns: Vec<String>,
    /// Which field is in which column.
    #[sqlx(json)]
    pub mapping: Mapping,
    /// How many lines it has.
    pub total: i64,
    /// What was begun last is undone again.
    pub is_trial: bool,
    /// How far it has come.
    pub state: State,
    /// Lines that are there because of it.
    pub added: i64,
    /// Lines that filled in what was empty, or changed what an article is called.
    pub changed: i64,
    /// Lines that were there.
    pub known: i64,
    /// Lines that were refused.
    pub refused: i64,
    /// When it came in.
    pub created_at: DateTime<Utc>,
    /// When it ended, in whatever way.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Import {
    /// How many lines were looked at.
    pub const fn done(&self) -> i64 {
        self.added + self.changed + self.known + self.refused
    }

    /// It was tried, and can be begun.
    pub fn can_start(&self) -> bool {
        self.state == State::Done && self.is_trial
    }

    /// It was broken off before its end, and can go on.
    pub fn can_go_on(&self) -> bool {
        matches!(self.state, State::Cancelled | State::Failed) && !self.is_trial
    }

    /// What is in the file is still kept.
    pub fn has_lines(&self, now: DateTime<Utc>) -> bool {
        self.state.is_open() || now < self.finished_at.unwrap_or(self.created_at) + KEPT
    }
}

macro_rules! imports {
    ($rest:literal) => {
        concat!(
            "SELECT i.id, i.kind, i.name, s.name AS by_name, i.columns, i.mapping, i.total, i.is_trial, i.state, i.added, \
             i.changed, i.known, i.refused, i.created_at, i.finished_at FROM imports i JOIN staff s ON s.id = i.staff_id ",
            $rest
        )
    };
}

/// The imports, the newest first; those before a place.
pub async fn list(conn: &mut Conn, by: &Staff, before: Option<Before>, limit: i64) -> Result<Vec<Import>, Error> {
    const SQL: &str = imports!("WHERE (i.created_at, i.id) < ($1, $2) ORDER BY i.created_at DESC, i.id DESC LIMIT $3");
    by.may(Right::Import)?;
    let (at, id) = before.unwrap_or((points::far(), uuid::Uuid::max()));
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(at)
        .bind(id)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

async fn get(conn: &mut Conn, id: ImportId) -> Result<Import, Error> {
    const SQL: &str = imports!("WHERE i.id = $1");
    let found: Option<Import> = on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
    found.ok_or(Error::NotFound)
}

/// A line that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its number in the file, from 1.
    pub line: i64,
    /// Why, in words of the language of whoever brought it in.
    pub reason: String,
    /// What stands in it.
    pub cells: Vec<String>,
}

/// An import with what is shown of its lines.
#[derive(Debug)]
pub struct Opened {
    /// It.
    pub import: Import,
    /// The first lines.
    pub samples: Vec<Vec<String>>,
    /// The first lines that were refused.
    pub refused: Vec<Refusal>,
}

/// Opens an import. What is in its file may be of customers, so that whoever opens it is written down, except while it runs: then no
/// line is told. Fails with [`Error::NotFound`].
pub async fn open(db: &Db, by: &Staff, id: ImportId) -> Result<Opened, Error> {
    const SAMPLE: &str = "SELECT cells FROM import_rows WHERE import_id = $1 ORDER BY line LIMIT $2";
    by.may(Right::Import)?;
    let import = get(&mut db.read().await?, id).await?;
    if import.state.is_open() {
        return Ok(Opened {
            import,
            samples: Vec::new(),
            refused: Vec::new(),
        });
    }
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "import.read", None, Some(id.0), "").await?) }))
        .await?;
    let mut conn = db.read().await?;
    let samples: Vec<String> = on!(conn, |c| sqlx::query_scalar(SAMPLE)
        .bind(id)
        .bind(SAMPLES)
        .fetch_all(c)
        .await)?;
    Ok(Opened {
        import,
        samples: samples.iter().map(|cells| texts(cells)).collect(),
        refused: refused(&mut conn, id, SHOWN).await?,
    })
}

/// Every line that was refused, for a file; that it was taken away is written down.
pub async fn errors(db: &Db, by: &Staff, id: ImportId) -> Result<(Import, Vec<Refusal>), Error> {
    by.may(Right::Import)?;
    let mut conn = db.read().await?;
    let import = get(&mut conn, id).await?;
    let refused = refused(&mut conn, id, i64::MAX).await?;
    drop(conn);
    let told = &format!("{} {}", import.kind.as_str(), refused.len());
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "import.errors", None, Some(id.0), told).await?) }))
        .await?;
    Ok((import, refused))
}

async fn refused(conn: &mut Conn, id: ImportId, limit: i64) -> Result<Vec<Refusal>, Error> {
    const SQL: &str = "SELECT f.line, f.reason, r.cells FROM import_refusals f JOIN import_rows r \
                       ON r.import_id = f.import_id AND r.line = f.line WHERE f.import_id = $1 ORDER BY f.line LIMIT $2";
    let rows: Vec<(i64, String, String)> = on!(conn, |c| sqlx::query_as(SQL).bind(id).bind(limit).fetch_all(c).await)?;
    let told = |(line, reason, cells): (i64, String, String)| Refusal {
        line,
        reason,
        cells: texts(&cells),
    };
    Ok(rows.into_iter().map(told).collect())
}

/// What the fuzzers ask: of a file that is a table how many columns it has, and of each line below them its number and how many
/// cells.
#[doc(hidden)]
pub fn read_table(name: &str, bytes: &[u8]) -> Option<(usize, Vec<(i64, usize)>)> {
    let sheet = read::sheet(name, bytes).ok()?;
    let rows = sheet.rows.iter().map(|line| (line.number, texts(&line.cells).len()));
    Some((sheet.columns.len(), rows.collect()))
}

/// The cells of a row.
fn texts(cells: &str) -> Vec<String> {
    serde_json::from_str(cells).unwrap_or_default()
}

/// Takes a file in, of somebody who has just proved who they are: what it brings in is many people's. Fields: `files`, with
/// [`Flaw::Missing`], [`Flaw::FileTooLarge`], [`Flaw::NotATable`], [`Flaw::EmptyFile`] and [`Flaw::TooManyLines`].
pub async fn upload(db: &Db, by: &Fresh<'_, Staff>, kind: Kind, file: Option<&Upload>) -> Result<ImportId, Error> {
    by.may(Right::Import)?;
    let wrong = |flaw| Error::field("files", flaw);
    let file = file.ok_or_else(|| wrong(Flaw::Missing))?;
    let is_odd = |c: char| c.is_control() || is_invisible(c) || matches!(c, '/' | '\\');
    if file.name.trim().is_empty() || file.name.chars().count() > NAME_MAX || file.name.chars().any(is_odd) {
        return Err(wrong(Flaw::FileName { file: 1 }));
    }
    if file.bytes.len() > FILE_MB * MB {
        return Err(wrong(Flaw::FileTooLarge { file: 1, max: FILE_MB }));
    }
    let Ok(turn) = TURN.acquire().await else {
        return Err(Error::Busy);
    };
    let theirs = file.clone();
    // The turn moves along: a caller that hangs up does not end it early.
    let read = tokio::task::spawn_blocking(move || {
        let _held = turn;
        read::sheet(&theirs.name, &theirs.bytes)
    });
    // A reader that breaks over a file has not read it.
    let sheet = read.await.unwrap_or(Err(Flaw::NotATable)).map_err(wrong)?;
    let mapping = guess(kind, &sheet.columns);
    let (name, sheet, mapping) = (&file.name, &sheet, &mapping);
    db.write(|tx| scoped(keep(tx, by, kind, name, sheet, mapping))).await
}

async fn keep(
    tx: &mut Tx,
    by: &Staff,
    kind: Kind,
    name: &str,
    sheet: &read::Sheet,
    mapping: &Mapping,
) -> Result<ImportId, Error> {
    const SQL: &str = "INSERT INTO imports (id, staff_id, kind, name, language, columns, mapping, total, is_trial, state, \
                       created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'ready', $10)";
    /// Rows that go in together.
    const TOGETHER: usize = 1000;
    let (id, now) = (ImportId::new(), tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(by.id())
        .bind(kind)
        .bind(name)
        .bind(by.language())
        .bind(Json(&sheet.columns))
        .bind(Json(mapping))
        .bind(i64::try_from(sheet.rows.len()).unwrap_or(i64::MAX))
        .bind(true)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    for part in sheet.rows.chunks(TOGETHER) {
        let mut rows = Rows::new("INSERT INTO import_rows (import_id, line, cells, flaw)", "");
        for line in part {
            rows.push([
                Bind::Id(id.0),
                Bind::Int(line.number),
                Bind::Text(line.cells.clone()),
                Bind::MaybeWord(line.flaw),
            ]);
        }
        db::insert(tx, rows).await?;
    }
    by.record(tx, "import.upload", None, Some(id.0), kind.as_str()).await?;
    Ok(id)
}

/// Says which column is what, and has the whole file tried: nothing of it stays. The fields are `columns[…]`: [`Flaw::Missing`] where
/// no line is taken without one, [`Flaw::NotAChoice`] for a column that is not there. [`Error::Stale`] while it runs, and when its lines
/// are gone; [`Error::Forbidden`] for cards of customers, without the right to hand them out.
pub async fn check(db: &Db, by: &Staff, id: ImportId, mapping: &Mapping) -> Result<(), Error> {
    const SQL: &str = "UPDATE imports SET mapping = $2, is_trial = $3, state = 'waiting', asked_at = $4, finished_at = NULL, \
                       line = 0, added = 0, changed = 0, known = 0, refused = 0, tries = 0 WHERE id = $1";
    by.may(Right::Import)?;
    db.write(|tx| {
        scoped(async move {
            let import = held(tx, id).await?;
            let mut check = crate::flaw::Check::new();
            for field in import.kind.fields() {
                let flaw = match mapping.get(field.name) {
                    None if field.is_required => Flaw::Missing,
                    Some(column) if *column >= import.columns.len() => Flaw::NotAChoice,
                    _ => continue,
                };
                check.field::<()>(&format!("columns[{}]", field.name), Err(flaw));
            }
            check.result()?;
            if mapping
                .keys()
                .any(|name| import.kind.fields().iter().all(|field| field.name != name))
            {
                return Err(Error::NotFound);
            }
            may_hand_out(by, import.kind, mapping)?;
            let now = tx.now();
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(Json(mapping))
                .bind(true)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            forget_refusals(tx, id).await?;
            Ok(by
                .record(tx, "import.check", None, Some(id.0), import.kind.as_str())
                .await?)
        })
    })
    .await
}

/// Begins an import that was tried, for somebody who has just proved who they are. [`Error::Stale`] where it was not, or has begun.
pub async fn start(db: &Db, by: &Fresh<'_, Staff>, id: ImportId) -> Result<(), Error> {
    const SQL: &str = "UPDATE imports SET is_trial = $2, state = 'waiting', asked_at = $3, finished_at = NULL, line = 0, \
                       added = 0, changed = 0, known = 0, refused = 0, tries = 0 WHERE id = $1";
    by.may(Right::Import)?;
    db.write(|tx| {
        scoped(async move {
            let import = held(tx, id).await?;
            if !import.can_start() {
                return Err(Error::Stale);
            }
            may_hand_out(by, import.kind, &import.mapping)?;
            let now = tx.now();
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(false)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            forget_refusals(tx, id).await?;
            let told = format!("{} {}", import.kind.as_str(), import.total);
            Ok(by.record(tx, "import.start", None, Some(id.0), &told).await?)
        })
    })
    .await
}

/// Stops an import, or its trial; the node that runs it notices at the end of its batch. [`Error::Stale`] where it has ended.
pub async fn cancel(db: &Db, by: &Staff, id: ImportId) -> Result<(), Error> {
    const SQL: &str = "UPDATE imports SET state = 'cancelled', finished_at = $2, claimed_by = NULL, claimed_until = NULL \
                       WHERE id = $1 AND state IN ('waiting', 'running')";
    by.may(Right::Import)?;
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(now)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                get(tx, id).await?;
                return Err(Error::Stale);
            }
            Ok(by.record(tx, "import.cancel", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Has an import that was broken off go on where it was, for somebody who has just proved who they are. [`Error::Stale`] for any other.
pub async fn go_on(db: &Db, by: &Fresh<'_, Staff>, id: ImportId) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE imports SET state = 'waiting', asked_at = $2, finished_at = NULL, tries = 0 WHERE id = $1";
    by.may(Right::Import)?;
    db.write(|tx| {
        scoped(async move {
            if !held(tx, id).await?.can_go_on() {
                return Err(Error::Stale);
            }
            let now = tx.now();
            on!(tx, |c| sqlx::query(SQL).bind(id).bind(now).execute(c).await.map(drop))?;
            Ok(by.record(tx, "import.go_on", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// The import, for whoever changes what is done with it: they go one after the other. [`Error::Stale`] while it runs, and when its
/// lines are gone.
async fn held(tx: &mut Tx, id: ImportId) -> Result<Import, Error> {
    const HOLD: &str = "UPDATE imports SET tries = tries WHERE id = $1";
    on!(tx, |c| sqlx::query(HOLD).bind(id).execute(c).await.map(drop))?;
    let import = get(tx, id).await?;
    if import.state.is_open() || !import.has_lines(tx.now()) {
        return Err(Error::Stale);
    }
    Ok(import)
}

/// A file that gives cards to customers is for those who may do so one by one.
fn may_hand_out(by: &Staff, kind: Kind, mapping: &Mapping) -> Result<(), Error> {
    match kind == Kind::Customers && mapping.contains_key("card") {
        true => by.may(Right::Cards),
        false => Ok(()),
    }
}

async fn forget_refusals(tx: &mut Tx, id: ImportId) -> Result<(), sqlx::Error> {
    const SQL: &str = "DELETE FROM import_refusals WHERE import_id = $1";
    on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))
}

/// Who brought an import in, for what it does to customers.
#[derive(Clone, Copy, Debug)]
struct Doing {
    id: ImportId,
    by: StaffId,
    lang: Lang,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purchase::import::mapped;

    #[test]
    fn columns_are_known_by_what_other_programs_call_them() {
        let columns = [
            "Код клиента",
            "Фамилия",
            "ИМЯ ",
            "Номер телефона",
            "",
            "e-mail",
            "Дата рождения",
            "Имя",
        ];
        let mapping = guess(Kind::Customers, &columns.map(str::to_owned));
        let expected = [
            ("birthday", 6),
            ("email", 5),
            ("name", 2),
            ("number", 0),
            ("phone", 3),
            ("surname", 1),
        ];
        assert_eq!(mapping, expected.map(|(name, i)| (name.to_owned(), i)).into());
        let own = mapped::FIELDS.map(str::to_owned);
        assert_eq!(
            guess(Kind::Purchases, &own).len(),
            own.len(),
            "our own format needs no choosing"
        );
        assert_eq!(PURCHASES.len(), own.len());
        for field in PURCHASES {
            assert!(mapped::FIELDS.contains(&field.name), "{}", field.name);
        }
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.as_str()), Some(kind));
            for guess in kind.fields().iter().flat_map(|field| field.guesses) {
                assert_eq!(fold(guess), *guess, "what is compared with is folded");
            }
        }
    }

    #[test]
    fn days_as_people_write_them() {
        let expected = NaiveDate::from_ymd_opt(2026, 11, 27);
        assert_eq!(
            (day("2026-11-27"), day(" 27.11.2026 "), day("27.11.26")),
            (expected, expected, None)
        );
        assert_eq!((day("31.02.2026"), day("tomorrow"), day("")), (None, None, None));
    }
}
