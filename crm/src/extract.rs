//! Tables that staff take away as files: customers, lines of receipts, points, requests, with the columns that they choose. Columns
//! that say who somebody is are for those who may see it anyway.
//!
//! Somebody asks ([`ask`]), and a worker of any node makes the file ([`run_next`]): it goes through the table part by part and keeps the
//! file in pieces, so that memory stays flat. Whoever asked takes it away for a day ([`download`]); asking and each download are rows of
//! the log.

mod tables;
mod write;

pub use tables::{Column, Kind};

use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::export::data::{Cell, cells};
use crate::factor::Owner;
use crate::factor::store::hold;
use crate::flaw::Flaw;
use crate::id::{ExtractId, StaffId, StoreId};
use crate::lang::Lang;
use crate::on;
use crate::points::{Before, store as points};
use crate::staff::Right;
use crate::who::{Fresh, Staff, System};
use crate::work::{self, Claims, claims, is_ours, let_go};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use sqlx::types::Json;
use uuid::Uuid;
use write::Writer;

/// For how long a file can be taken away.
pub const KEPT: Duration = Duration::hours(24);
/// For how long a node has one that it says nothing of.
const HOLD: Duration = Duration::minutes(2);
/// After how long it is said that one is still being packed.
const RENEW: std::time::Duration = std::time::Duration::from_secs(30);
/// How many rows are read at once.
const BATCH: i64 = 1000;
/// The largest piece that is one row.
const PART: usize = 1 << 20;
/// How large a file may grow, in bytes.
const SIZE_MAX: i64 = 1 << 30;
/// How many pieces go together.
const TOGETHER: i64 = 50;
/// How many of somebody's may wait at a time.
const WAITING_MAX: usize = 3;
/// How many of somebody's are listed.
const LISTED: i64 = 20;

/// What a file is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Format {
    /// Text, as spreadsheets of the language of whoever asked read it.
    Csv,
    /// A workbook.
    Xlsx,
}

impl Format {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Csv, Self::Xlsx];

    /// As forms, the database and names of files have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }

    /// As `Content-Type` says it.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}

/// How far one has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum State {
    /// No node has it yet.
    Waiting,
    /// A node writes it.
    Running,
    /// There is a file.
    Done,
    /// It was begun [`work::MAX_TRIES`] times and came to no end.
    Failed,
    /// It grew larger than a file may be.
    TooLarge,
}

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Of what.
    pub kind: Kind,
    /// Names of columns, in any order.
    pub columns: Vec<String>,
    /// Written as what.
    pub format: Format,
    /// The first day; none: from the beginning.
    pub from: Option<NaiveDate>,
    /// The last day; none: up to now.
    pub to: Option<NaiveDate>,
    /// The shop, of [`Kind::Purchases`]; none: all of them.
    pub store: Option<StoreId>,
}

/// What somebody chose when they asked for a file of a kind last. Days are of that time and not kept.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Choice {
    /// Names of columns.
    #[sqlx(json)]
    pub columns: Vec<String>,
    /// Written as what.
    pub format: Format,
    /// The shop.
    #[sqlx(rename = "store_id")]
    pub store: Option<StoreId>,
}

/// A file that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Extract {
    /// Its id.
    pub id: ExtractId,
    /// Of what.
    pub kind: Kind,
    /// The names of its columns.
    #[sqlx(json)]
    pub columns: Vec<String>,
    /// Written as what.
    pub format: Format,
    /// The first day.
    pub from_day: Option<NaiveDate>,
    /// The last day.
    pub to_day: Option<NaiveDate>,
    /// How far it has come.
    pub state: State,
    /// How many rows are written.
    pub row_count: i64,
    /// How large it is, in bytes; 0 until it is done.
    pub size: i64,
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
    /// When it ended, in whatever way.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Extract {
    /// Until when the file can be had; none where there is none.
    pub fn until(&self) -> Option<DateTime<Utc>> {
        self.finished_at
            .filter(|_| self.state == State::Done)
            .map(|at| at + KEPT)
    }

    /// It says who somebody is.
    fn is_personal(&self) -> bool {
        let mut columns = self.kind.columns().iter();
        columns
            .any(|column| column.right == Some(Right::Customers) && self.columns.iter().any(|name| name == column.name))
    }

    /// What the log says of it.
    fn told(&self) -> String {
        let (kind, format) = (self.kind.as_str(), self.format.as_str());
        format!("{kind} {format} {}: {}", self.row_count, self.columns.join(" "))
    }
}

macro_rules! extracts {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, columns, format, from_day, to_day, state, row_count, size, asked_at, finished_at FROM extracts ",
            $rest
        )
    };
}

/// What somebody asked for last, the newest first.
pub async fn list(conn: &mut Conn, by: &Staff) -> Result<Vec<Extract>, Error> {
    const SQL: &str = extracts!("WHERE staff_id = $1 ORDER BY asked_at DESC, id DESC LIMIT $2");
    by.may(Right::Export)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(by.id())
        .bind(LISTED)
        .fetch_all(c)
        .await)?)
}

/// What somebody chose for a kind last; none: they never asked for one. A column may take a right that they have no more.
pub async fn last(conn: &mut Conn, by: &Staff, kind: Kind) -> Result<Option<Choice>, Error> {
    const SQL: &str = "SELECT columns, format, store_id FROM extract_choices WHERE staff_id = $1 AND kind = $2";
    by.may(Right::Export)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(by.id())
        .bind(kind)
        .fetch_optional(c)
        .await)?)
}

/// The columns that somebody may have, of those of a kind.
fn allowed(by: &Staff, kind: Kind, names: &[String]) -> Result<Vec<&'static Column>, Error> {
    let chosen: Vec<_> = kind
        .columns()
        .iter()
        .filter(|column| names.iter().any(|name| name == column.name))
        .collect();
    for column in &chosen {
        if let Some(right) = column.right {
            by.may(right)?;
        }
    }
    Ok(chosen)
}

/// Asks for a file, for somebody who has just proved who they are: what leaves in it is out of our hands. [`Error::Forbidden`] for a
/// column that takes a right which they have not. Fields: `columns` with [`Flaw::Missing`], and with [`Flaw::TooManyWaiting`] where others
/// of theirs are not made yet; `to` with [`Flaw::Backwards`]; `store` with [`Flaw::NotAChoice`]. What they chose is kept for the next time
/// ([`last`]).
pub async fn ask(db: &Db, by: &Fresh<'_, Staff>, wish: &Wish) -> Result<ExtractId, Error> {
    const SQL: &str = "INSERT INTO extracts (id, staff_id, kind, columns, format, language, from_day, to_day, state, asked_at, \
                       store_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', $9, $10)";
    const CHOICE: &str = "INSERT INTO extract_choices (staff_id, kind, columns, format, store_id) VALUES ($1, $2, $3, $4, $5) \
                          ON CONFLICT (staff_id, kind) DO UPDATE SET columns = excluded.columns, format = excluded.format, \
                          store_id = excluded.store_id";
    const STORE: &str = "SELECT COUNT(*) FROM stores WHERE id = $1";
    const OPEN: &str = "SELECT COUNT(*) FROM extracts WHERE staff_id = $1 AND state IN ('waiting', 'running')";
    by.may(Right::Export)?;
    let columns = allowed(by, wish.kind, &wish.columns)?;
    if columns.is_empty() {
        return Err(Error::field("columns", Flaw::Missing));
    }
    if let (Some(from), Some(to)) = (wish.from, wish.to)
        && to < from
    {
        return Err(Error::field("to", Flaw::Backwards));
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let names = &names;
    let store = wish.store.filter(|_| wish.kind == Kind::Purchases);
    db.write(|tx| {
        scoped(async move {
            let (id, now) = (ExtractId::new(), tx.now());
            if let Some(store) = store {
                let known: i64 = on!(tx, |c| sqlx::query_scalar(STORE).bind(store).fetch_one(c).await)?;
                if known == 0 {
                    return Err(Error::field("store", Flaw::NotAChoice));
                }
            }
            // Two at once are counted one after the other.
            hold(tx, Owner::Staff(by.id())).await?;
            let open: i64 = on!(tx, |c| sqlx::query_scalar(OPEN).bind(by.id()).fetch_one(c).await)?;
            if usize::try_from(open).unwrap_or_default() >= WAITING_MAX {
                return Err(Error::field("columns", Flaw::TooManyWaiting { max: WAITING_MAX }));
            }
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(by.id())
                .bind(wish.kind)
                .bind(Json(names))
                .bind(wish.format)
                .bind(by.language())
                .bind(wish.from)
                .bind(wish.to)
                .bind(now)
                .bind(store)
                .execute(c)
                .await
                .map(drop))?;
            on!(tx, |c| sqlx::query(CHOICE)
                .bind(by.id())
                .bind(wish.kind)
                .bind(Json(names))
                .bind(wish.format)
                .bind(store)
                .execute(c)
                .await
                .map(drop))?;
            let mut told = format!("{} {}: {}", wish.kind.as_str(), wish.format.as_str(), names.join(" "));
            let narrowed = [("from", wish.from), ("to", wish.to)];
            for (what, day) in narrowed.into_iter().filter_map(|(what, day)| Some((what, day?))) {
                told += &format!("; {what} {day}");
            }
            if let Some(store) = store {
                told += &format!("; store {}", store.0);
            }
            by.record(tx, "extract.ask", None, Some(id.0), &told).await?;
            Ok(id)
        })
    })
    .await
}

/// A file that is being handed out, piece by piece.
pub struct Download {
    /// What it is.
    pub extract: Extract,
    db: Db,
    next: i64,
}

impl Download {
    /// The next piece; none at the end.
    pub async fn part(&mut self) -> Result<Option<Vec<u8>>, Error> {
        const SQL: &str = "SELECT bytes FROM extract_parts WHERE extract_id = $1 AND ordinal = $2";
        let mut conn = self.db.read().await?;
        let part: Option<Vec<u8>> = on!(conn, |c| sqlx::query_scalar(SQL)
            .bind(self.extract.id)
            .bind(self.next)
            .fetch_optional(c)
            .await)?;
        self.next += 1;
        Ok(part)
    }
}

/// Hands a file to whoever asked for it, as long as they have the rights that it took, and has just proved who they are; that they took
/// it is written down. [`Error::NotFound`] for what is somebody else's, not made yet, or gone.
pub async fn download(db: &Db, by: &Fresh<'_, Staff>, id: ExtractId) -> Result<Download, Error> {
    const SQL: &str = extracts!("WHERE id = $1 AND staff_id = $2 AND state = 'done' AND finished_at > $3");
    by.may(Right::Export)?;
    let mut conn = db.read().await?;
    let since = conn.now() - KEPT;
    let found: Option<Extract> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(id)
        .bind(by.id())
        .bind(since)
        .fetch_optional(c)
        .await)?;
    drop(conn);
    let extract = found.ok_or(Error::NotFound)?;
    allowed(by, extract.kind, &extract.columns)?;
    let told = &extract.told();
    db.write(|tx| {
        scoped(async move { Ok::<_, Error>(by.record(tx, "extract.download", None, Some(id.0), told).await?) })
    })
    .await?;
    Ok(Download {
        extract,
        db: db.clone(),
        next: 0,
    })
}

const CLAIMS: Claims = claims!(
    "extracts",
    "asked_at",
    "row_count = 0, ",
    "id, staff_id, kind, columns, format, language, from_day, to_day, store_id"
);

#[derive(sqlx::FromRow)]
struct Claimed {
    id: ExtractId,
    staff_id: StaffId,
    kind: Kind,
    #[sqlx(json)]
    columns: Vec<String>,
    format: Format,
    language: Lang,
    from_day: Option<NaiveDate>,
    to_day: Option<NaiveDate>,
    store_id: Option<StoreId>,
}

/// A file in the hands of one node.
struct Run {
    job: Claimed,
    claim: String,
    /// How many rows are written.
    rows: i64,
    /// How many pieces are kept, and how many bytes.
    parts: i64,
    size: i64,
    /// How many bytes there may be.
    size_max: i64,
}

/// Makes the file that waits longest, and tells whether there was one. Where `goes_on` says no between two parts, it is given back and
/// begun anew by any node; so it is where one was killed, once its claim has run out.
pub async fn run_next(db: &Db, by: &System, goes_on: impl Fn() -> bool) -> Result<bool, Error> {
    run_next_up_to(db, by, SIZE_MAX, goes_on).await
}

/// The same with files of so many bytes at most, as tests need it.
#[doc(hidden)]
pub async fn run_next_up_to(db: &Db, _by: &System, size_max: i64, goes_on: impl Fn() -> bool) -> Result<bool, Error> {
    let claimed: Option<(Claimed, String)> = work::claim(db, &CLAIMS, HOLD).await?;
    let Some((job, claim)) = claimed else { return Ok(false) };
    // What a node left that did not come to the end.
    drop_parts(db, job.id).await?;
    let mut run = Run {
        job,
        claim,
        rows: 0,
        parts: 0,
        size: 0,
        size_max,
    };
    run.write(db, goes_on).await?;
    Ok(true)
}

impl Run {
    async fn write(&mut self, db: &Db, goes_on: impl Fn() -> bool) -> Result<(), Error> {
        let columns: Vec<&'static Column> = self
            .job
            .kind
            .columns()
            .iter()
            .filter(|column| self.job.columns.iter().any(|name| name == column.name))
            .collect();
        let mut writer = Writer::begin(self.job.format, self.job.language, &columns)?;
        let shop = db.shop().clone();
        let from = self.job.from_day.map_or(DateTime::UNIX_EPOCH, |day| shop.midnight(day));
        let mut after = (from, Uuid::nil());
        loop {
            let rows = self.part(&mut db.read().await?, after).await?;
            let Some(last) = rows.last() else { break };
            after = place(last).ok_or_else(|| db::Error::Inconsistent("a row of a table without its place".into()))?;
            self.rows += i64::try_from(rows.len()).unwrap_or_default();
            let chosen = rows.iter().map(|row| self.chosen(row, &columns)).collect();
            writer.rows(&shop, chosen).await?;
            let ready = writer.ready(PART);
            if !self.keep(db, &ready).await? {
                return Ok(());
            }
            if !goes_on() {
                return self.give_back(db).await;
            }
        }
        let mut ending = std::pin::pin!(writer.end());
        let mut rest = loop {
            match tokio::time::timeout(RENEW, &mut ending).await {
                Ok(rest) => break rest?,
                // A large workbook is packed for minutes, and nobody else is to begin it meanwhile.
                Err(_) => {
                    if !self.keep(db, &[]).await? {
                        return Ok(());
                    }
                }
            }
        };
        while let Some(bytes) = rest.next(PART).await? {
            if !self.keep(db, &bytes).await? {
                return Ok(());
            }
        }
        self.finish(db).await
    }

    /// The next rows of the table, by moment and id.
    async fn part(&self, conn: &mut Conn, (at, id): Before) -> Result<Vec<Vec<Cell>>, Error> {
        let shop = conn.shop().clone();
        let until = self.job.to_day.and_then(|day| day.succ_opt());
        let until = until.map_or(points::far(), |day| shop.midnight(day));
        let sql = self.job.kind.sql();
        let language = self.job.language.code();
        Ok(on!(conn, |c| {
            let query = sqlx::query(sql).bind(id).bind(at).bind(until).bind(BATCH);
            // What a query does not name must not be bound either.
            let query = match self.job.kind {
                Kind::Requests => query.bind(language),
                Kind::Purchases => query.bind(self.job.store_id),
                Kind::Customers | Kind::Points => query,
            };
            let rows = query.fetch_all(c).await?;
            rows.iter().map(cells).collect::<Result<Vec<_>, sqlx::Error>>()
        })?)
    }

    /// The chosen cells of a row, whose first two are its place.
    fn chosen(&self, row: &[Cell], columns: &[&'static Column]) -> Vec<Cell> {
        let all = self.job.kind.columns();
        columns
            .iter()
            .map(|column| {
                let place = all.iter().position(|one| one.name == column.name);
                let cell = place.and_then(|place| row.get(place + 2));
                cell.cloned().unwrap_or(Cell::Empty)
            })
            .collect()
    }

    /// Keeps the next piece, and writes down how far it is; false where another node has it by now, or the file is too large.
    async fn keep(&mut self, db: &Db, bytes: &[u8]) -> Result<bool, Error> {
        const GOES_ON: &str = concat!(
            "UPDATE extracts SET claimed_until = $3, row_count = $4 WHERE ",
            is_ours!()
        );
        const KEEP: &str = "INSERT INTO extract_parts (extract_id, ordinal, bytes) VALUES ($1, $2, $3)";
        let size = self.size + i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        if size > self.size_max {
            self.end_too_large(db).await?;
            return Ok(false);
        }
        let run = &*self;
        let is_ours = db
            .write(|tx| {
                scoped(async move {
                    let until = tx.now() + HOLD;
                    let rows = on!(tx, |c| sqlx::query(GOES_ON)
                        .bind(run.job.id)
                        .bind(&run.claim)
                        .bind(until)
                        .bind(run.rows)
                        .execute(c)
                        .await
                        .map(|done| done.rows_affected()))?;
                    if rows == 0 {
                        return Ok::<_, Error>(false);
                    }
                    if bytes.is_empty() {
                        return Ok(true);
                    }
                    on!(tx, |c| sqlx::query(KEEP)
                        .bind(run.job.id)
                        .bind(run.parts)
                        .bind(bytes)
                        .execute(c)
                        .await
                        .map(drop))?;
                    Ok(true)
                })
            })
            .await?;
        if !bytes.is_empty() {
            self.parts += 1;
            self.size = size;
        }
        Ok(is_ours)
    }

    /// The file is there as a whole, unless another node has it by now.
    async fn finish(&self, db: &Db) -> Result<(), Error> {
        const SQL: &str = concat!(
            "UPDATE extracts SET state = 'done', finished_at = $3, size = $4, row_count = $5, ",
            let_go!(),
            " WHERE ",
            is_ours!()
        );
        db.write(|tx| {
            scoped(async move {
                let now = tx.now();
                let rows = on!(tx, |c| sqlx::query(SQL)
                    .bind(self.job.id)
                    .bind(&self.claim)
                    .bind(now)
                    .bind(self.size)
                    .bind(self.rows)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))?;
                if rows == 1 {
                    made(tx, &self.job, self.rows).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// It is larger than a file may be, unless another node has it by now: nothing of it stays.
    async fn end_too_large(&self, db: &Db) -> Result<(), Error> {
        const SQL: &str = concat!(
            "UPDATE extracts SET state = 'too_large', finished_at = $3, row_count = $4, ",
            let_go!(),
            " WHERE ",
            is_ours!()
        );
        let rows = db
            .write(|tx| {
                scoped(async move {
                    let now = tx.now();
                    Ok::<_, Error>(on!(tx, |c| sqlx::query(SQL)
                        .bind(self.job.id)
                        .bind(&self.claim)
                        .bind(now)
                        .bind(self.rows)
                        .execute(c)
                        .await
                        .map(|done| done.rows_affected()))?)
                })
            })
            .await?;
        match rows {
            0 => Ok(()),
            _ => drop_parts(db, self.job.id).await,
        }
    }

    async fn give_back(&self, db: &Db) -> Result<(), Error> {
        const SQL: &str = concat!(
            "UPDATE extracts SET state = 'waiting', tries = tries - 1, ",
            let_go!(),
            " WHERE ",
            is_ours!()
        );
        work::give_back(db, SQL, self.job.id.0, &self.claim).await
    }
}

/// Where a row stands in its table.
fn place(row: &[Cell]) -> Option<Before> {
    match row {
        [Cell::Text(id), Cell::Text(at), ..] => Some((at.parse().ok()?, id.parse().ok()?)),
        _ => None,
    }
}

/// How many rows somebody's file came to, which nobody knew when it was asked for.
async fn made(tx: &mut Tx, job: &Claimed, rows: i64) -> Result<(), sqlx::Error> {
    let reason = format!("{} {} {rows}", job.kind.as_str(), job.format.as_str());
    let entry = crate::audit::Entry {
        actor: crate::audit::Actor::Staff,
        actor_id: Some(job.staff_id.0),
        action: "extract.made",
        customer: None,
        object: Some(job.id.0),
        reason: &reason,
        network: "",
    };
    crate::audit::record(tx, entry).await
}

/// Takes the pieces of a file away, some at a time: everybody else would wait for gigabytes in one transaction.
async fn drop_parts(db: &Db, id: ExtractId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM extract_parts WHERE extract_id = $1 \
                       AND ordinal < (SELECT MIN(p.ordinal) + $2 FROM extract_parts p WHERE p.extract_id = $1)";
    loop {
        let gone = db
            .write(|tx| {
                scoped(async move {
                    Ok::<_, Error>(on!(tx, |c| sqlx::query(SQL)
                        .bind(id)
                        .bind(TOGETHER)
                        .execute(c)
                        .await
                        .map(|done| done.rows_affected()))?)
                })
            })
            .await?;
        if gone == 0 {
            return Ok(());
        }
    }
}

/// Sees to it that nobody has a file any more that says who customers are, for somebody who may be in it was erased: those that are
/// made are over, and the others begin anew. Their pieces go with the next [`sweep`].
pub(crate) async fn expire_personal(tx: &mut Tx) -> Result<(), Error> {
    const ALL: &str = extracts!("ORDER BY id");
    const ANEW: &str = concat!(
        "UPDATE extracts SET state = 'waiting', tries = 0, ",
        let_go!(),
        " WHERE id = $1 AND state = 'running'"
    );
    const OVER: &str = "UPDATE extracts SET finished_at = $2 WHERE id = $1 AND finished_at IS NOT NULL";
    let all: Vec<Extract> = on!(tx, |c| sqlx::query_as(ALL).fetch_all(c).await)?;
    let over = tx.now() - KEPT;
    for one in all.iter().filter(|one| one.is_personal()) {
        on!(tx, |c| sqlx::query(ANEW).bind(one.id).execute(c).await.map(drop))?;
        on!(tx, |c| sqlx::query(OVER)
            .bind(one.id)
            .bind(over)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}

/// Takes away the files that nobody can have any more. That they were asked for stands in the log.
pub async fn sweep(db: &Db, _by: &System) -> Result<(), Error> {
    const OLD: &str = "SELECT id FROM extracts WHERE finished_at <= $1";
    let mut conn = db.read().await?;
    let until = conn.now() - KEPT;
    let old: Vec<ExtractId> = on!(conn, |c| sqlx::query_scalar(OLD).bind(until).fetch_all(c).await)?;
    drop(conn);
    for id in old {
        remove(db, id).await?;
    }
    Ok(())
}

/// Takes a file away with all that is known of it here.
async fn remove(db: &Db, id: ExtractId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM extracts WHERE id = $1";
    drop_parts(db, id).await?;
    db.write(|tx| scoped(async move { Ok(on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))?) }))
        .await
}
