//! The database: SQLite in a file by default, PostgreSQL when one machine is outgrown.
//!
//! One SQL text serves both. [`on!`](crate::on) runs it on whichever engine a connection is of, so that the compiler
//! checks the binds against both drivers. Reads take a [`Conn`] from [`Db::read`]; every change runs in
//! [`Db::write`], the only place that begins, commits and retries.

mod readers;

use crate::clock::Clock;
use crate::report::store as report;
use crate::rule::store::Snapshots;
use crate::shop::Shop;
use crate::webhook::event::{self, Cause, Happened};
use chrono::{DateTime, NaiveDate, Utc};
use readers::{Reader, Readers};
use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, PgPool, Postgres, Sqlite, SqlitePool, Transaction};
use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tracing::Instrument as _;

/// Runs one query on the engine at hand: `on!(conn, |c| sqlx::query(SQL).bind(id).execute(c).await)`.
#[macro_export]
macro_rules! on {
    ($conn:expr, |$c:ident| $query:expr) => {
        match $conn.engine() {
            $crate::db::Engine::Sqlite($c) => $query,
            $crate::db::Engine::Postgres($c) => $query,
        }
    };
}

/// What the database itself can do wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The driver reports an error.
    #[error("database: {0}")]
    Driver(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the schema could not be brought up to date, and is as it was before the step that failed: {0}")]
    Migration(sqlx::migrate::MigrateError),
    /// A newer program has brought the schema up to a version that this one does not know.
    #[error(
        "the database has schema {found}, and this program knows schemas up to {known}: a newer kabinet has brought it \
         up to date. Start that version or a newer one; to go back to this version, bring back a copy from before the \
         upgrade"
    )]
    Newer {
        /// The database's.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// A migration that was applied is not the one that this program holds.
    #[error(
        "migration {0} of the database is not the one that this program holds: it was applied by a program built from \
         other sources. Start a released version, the same that applied it or a newer one; nothing was changed"
    )]
    Foreign(i64),
    /// A migration began and did not end.
    #[error("migration {0} began and did not end: bring back the copy from before the upgrade and upgrade again")]
    Unfinished(i64),
    /// The schema is older than this program, and whoever asked does not change it.
    #[error("the schema is not up to date, {0} migration(s) are to come: `kabinet migrate` applies them")]
    Behind(usize),
    /// What is stored contradicts itself.
    #[error("inconsistent: {0}")]
    Inconsistent(String),
    /// A change took longer than [`LONGEST`], and was undone.
    #[error("a change took longer than {} s, and was undone", LONGEST.as_secs())]
    TooLong,
    /// The address of the database cannot be read.
    #[error("database address: {0}")]
    Address(String),
}

impl Error {
    /// A text had a NUL, which PostgreSQL keeps in none (SQLSTATE 22021): what was sent is wrong, not the database.
    pub fn is_nul(&self) -> bool {
        matches!(self, Self::Driver(sqlx::Error::Database(e)) if e.code().as_deref() == Some("22021"))
    }

    /// True where the database cannot be reached or has no room just now: nothing is wrong with what was asked, and it
    /// may be asked again. That is no connection in time, one that broke, a server that stops or starts (SQLSTATE class
    /// 57P), a lost connection (08), used up connections, disk or memory (53), a lock held by others for too long
    /// (55P03), one that two held against each other or in no order however often it was tried (40P01, 40001); with
    /// SQLite busy (5), locked (6), a failed write or read (10), a full disk (13), a file that cannot be opened (14); and
    /// a change that took too long and was undone.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Driver(
                sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Io(_)
                | sqlx::Error::BeginFailed,
            ) => true,
            Self::Driver(sqlx::Error::Database(e)) => match e.code().as_deref() {
                // Five characters are an SQLSTATE; SQLite's codes are shorter numbers.
                Some("55P03" | "40001" | "40P01") => true,
                Some(state) if state.len() == 5 => ["57P", "08", "53"].iter().any(|class| state.starts_with(class)),
                Some(code) => code
                    .parse::<i32>()
                    .is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14)),
                None => false,
            },
            Self::TooLong => true,
            _ => false,
        }
    }

    /// True where the same transaction may succeed when it is simply tried again: serialization failure (40001),
    /// deadlock (40P01), and SQLite's busy (5) with its extended codes.
    fn is_transient(&self) -> bool {
        let Self::Driver(sqlx::Error::Database(e)) = self else {
            return false;
        };
        match e.code().as_deref() {
            Some("40001" | "40P01") => true,
            Some(code) => code.parse::<i32>().is_ok_and(|code| code & 0xff == 5),
            None => false,
        }
    }
}

/// True when a statement broke a uniqueness rule: somebody else was first.
pub fn is_taken(e: &sqlx::Error) -> bool {
    e.as_database_error()
        .is_some_and(|e| e.kind() == sqlx::error::ErrorKind::UniqueViolation)
}

/// A connection of either engine, borrowed for one query.
pub enum Engine<'c> {
    /// SQLite.
    Sqlite(&'c mut sqlx::SqliteConnection),
    /// PostgreSQL.
    Postgres(&'c mut sqlx::PgConnection),
}

/// What transactions wait for each other about where no row would make them. All stand here, so that two with one number do not
/// compile.
#[derive(Clone, Copy, Debug)]
#[repr(i64)]
pub(crate) enum Lock {
    /// Whoever may give something by rules shares it from before they read them; whoever begins a budget has it alone.
    Giving = 0x6b61_6269_6e65_7401,
    /// Whoever seals the audit log has it alone; whoever takes nonces away shares it.
    Sealing = 0x6b61_6269_6e65_7402,
    /// Whoever changes staff or roles: of two at once the second sees what the first did.
    Staff = 0x6b61_6269_6e65_7403,
    /// Whoever writes words of somebody new shares it, and whoever takes words away has it alone: a word that nobody has any more
    /// goes with its keys, and must not be somebody's by then.
    Words = 0x6b61_6269_6e65_7404,
    /// Whoever changes topics: of two at once the second sees what the first did.
    Topics = 0x6b61_6269_6e65_7405,
    /// Whoever writes macros: of two at once the second sees what the first did.
    Macros = 0x6b61_6269_6e65_7406,
    /// Whoever counts days for reports: one node at a time.
    Counting = 0x7265_706f_7274,
}

enum Inner {
    SqliteRead(Reader),
    SqliteWrite(Transaction<'static, Sqlite>),
    PostgresRead(PoolConnection<Postgres>),
    PostgresWrite(Transaction<'static, Postgres>),
}

/// A connection to read by. Inside [`Db::write`] it is the transaction itself.
pub struct Conn {
    inner: Inner,
    shop: Arc<Shop>,
    rules: Arc<Snapshots>,
    now: DateTime<Utc>,
}

impl Conn {
    /// The engine's own connection, for [`on!`](crate::on).
    pub fn engine(&mut self) -> Engine<'_> {
        match &mut self.inner {
            Inner::SqliteRead(c) => Engine::Sqlite(c.get()),
            Inner::SqliteWrite(c) => Engine::Sqlite(c),
            Inner::PostgresRead(c) => Engine::Postgres(c),
            Inner::PostgresWrite(c) => Engine::Postgres(c),
        }
    }

    /// The moment this connection was taken: one transaction has one time.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The shop's settings.
    pub fn shop(&self) -> &Arc<Shop> {
        &self.shop
    }

    /// The rules that were read before, kept between transactions.
    pub(crate) fn rules(&self) -> &Arc<Snapshots> {
        &self.rules
    }

    /// Shares a lock until the transaction ends, or has it alone. On SQLite, where one writes at a time, and outside of a
    /// transaction there is nothing to do.
    pub(crate) async fn lock(&mut self, lock: Lock, alone: bool) -> Result<(), sqlx::Error> {
        let Inner::PostgresWrite(c) = &mut self.inner else {
            return Ok(());
        };
        let sql = match alone {
            true => "SELECT pg_advisory_xact_lock($1)",
            false => "SELECT pg_advisory_xact_lock_shared($1)",
        };
        sqlx::query(sql).bind(lock as i64).execute(&mut **c).await.map(drop)
    }

    /// Has whatever goes by a name alone until the transaction ends, such as what is counted of one network.
    pub(crate) async fn lock_name(&mut self, name: &str) -> Result<(), sqlx::Error> {
        const SQL: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
        let Inner::PostgresWrite(c) = &mut self.inner else {
            return Ok(());
        };
        sqlx::query(SQL).bind(name).execute(&mut **c).await.map(drop)
    }

    /// True in a transaction that may change something: what it sees of its own may never come to be.
    pub(crate) fn is_writing(&self) -> bool {
        matches!(self.inner, Inner::SqliteWrite(_) | Inner::PostgresWrite(_))
    }

    /// True on PostgreSQL: for the few named functions where the engines truly differ.
    pub fn is_postgres(&self) -> bool {
        matches!(self.inner, Inner::PostgresRead(_) | Inner::PostgresWrite(_))
    }
}

/// What [`Db::write`] runs: a future that borrows the transaction for `'tx` and its surroundings for `'env`. An async
/// closure would read better, but the compiler cannot yet prove its future `Send` when it borrows (rust-lang/rust
/// #110338), and a page's future has to be.
pub struct Change<'tx, 'env: 'tx, T> {
    future: std::pin::Pin<Box<dyn Future<Output = T> + Send + 'tx>>,
    _env: std::marker::PhantomData<&'tx &'env ()>,
}

impl<'tx, 'env: 'tx, T> IntoFuture for Change<'tx, 'env, T> {
    type Output = T;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'tx>>;

    fn into_future(self) -> Self::IntoFuture {
        self.future
    }
}

/// Makes a [`Change`] of an async block: `db.write(|tx| scoped(async move { … }))`.
pub fn scoped<'tx, 'env: 'tx, T>(future: impl Future<Output = T> + Send + 'tx) -> Change<'tx, 'env, T> {
    Change {
        future: Box::pin(future),
        _env: std::marker::PhantomData,
    }
}

/// A transaction: what was changed in it happens as a whole or not at all.
pub struct Tx {
    conn: Conn,
    happened: Happened,
    touched: BTreeSet<NaiveDate>,
}

impl Tx {
    /// Notes what happens in this transaction, for other systems that want to be told.
    pub(crate) fn happened(&mut self, cause: Cause) {
        self.happened.note(cause);
    }

    /// Notes that what happened at a moment is not as it was: reports count its day again.
    pub(crate) fn touch(&mut self, at: DateTime<Utc>) {
        let day = self.conn.shop.day(at);
        self.touched.insert(day);
    }

    /// Nobody is told of what happens in this transaction: it brings in what happened long ago.
    pub(crate) fn keep_silent(&mut self) {
        self.happened.silence();
    }
}

impl Deref for Tx {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}

#[derive(Clone)]
enum Pools {
    Sqlite { read: Arc<Readers>, write: SqlitePool },
    Postgres(PgPool),
}

/// The key of a change that may arrive twice, and what was asked under it.
#[derive(Debug)]
pub struct Key {
    /// Whose keys they are: two customers may choose the same one.
    pub scope: String,
    /// The key.
    pub key: String,
    /// A hash of what was asked: the same key with another body is an error.
    pub fingerprint: Vec<u8>,
}

/// The database with what every function of the CRM needs beside it: the clock and the shop's settings.
#[derive(Clone)]
pub struct Db {
    pools: Pools,
    clock: Clock,
    shop: Arc<Shop>,
    rules: Arc<Snapshots>,
    key: Option<Arc<(Key, AtomicBool)>>,
    /// How many want a connection of sqlx's pool, which does not count them itself.
    waiting: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self.pools, Pools::Sqlite { .. }) {
            "Db(SQLite)"
        } else {
            "Db(PostgreSQL)"
        })
    }
}

/// How long a change may take from its moment ([`Conn::now`]) until it is committed. What takes longer is undone, so that whoever
/// tells what happened up to a moment knows when all of it is there.
pub const LONGEST: Duration = Duration::from_secs(10 * 60);

/// How long somebody waits for a connection to PostgreSQL, for a lock that another change holds, and on SQLite for
/// another process that writes. Then they are told to come again rather than left waiting.
const PATIENCE: Duration = Duration::from_secs(10);

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// How the schema of a database relates to this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The newest migration that was applied; none in a database that is new or not there yet.
    pub version: Option<i64>,
    /// What this program would apply: version and name.
    pub pending: Vec<(i64, String)>,
}

/// Looks at the schema of the database at `url` and changes nothing. Fails as [`Db::open`] would when it is of a newer
/// program or of another one.
pub async fn schema(url: &str) -> Result<Schema, Error> {
    const HAS_SQLITE: &str = "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
    const HAS_POSTGRES: &str = "SELECT COUNT(*) FROM pg_class WHERE oid = to_regclass('_sqlx_migrations')";
    if is_postgres(url) {
        let mut conn = postgres_options(url)?.connect().await?;
        let is_there: i64 = sqlx::query_scalar(HAS_POSTGRES).fetch_one(&mut conn).await?;
        compare(&mut conn, &POSTGRES, is_there > 0).await
    } else {
        let options = sqlite_options(url)?;
        if !options.get_filename().exists() {
            return Ok(Schema {
                version: None,
                pending: SQLITE.iter().map(|m| (m.version, m.description.to_string())).collect(),
            });
        }
        let mut conn = options.pragma("query_only", "1").connect().await?;
        let is_there: i64 = sqlx::query_scalar(HAS_SQLITE).fetch_one(&mut conn).await?;
        let found = compare(&mut conn, &SQLITE, is_there > 0).await;
        conn.close().await?;
        found
    }
}

async fn compare<C: Migrate>(conn: &mut C, migrator: &Migrator, has_table: bool) -> Result<Schema, Error> {
    let refused = |e| refused(e, migrator);
    let mut applied = Vec::new();
    if has_table {
        if let Some(version) = conn.dirty_version(&migrator.table_name).await.map_err(refused)? {
            return Err(Error::Unfinished(version));
        }
        applied = conn
            .list_applied_migrations(&migrator.table_name)
            .await
            .map_err(refused)?;
    }
    for one in &applied {
        match migrator.iter().find(|m| m.version == one.version) {
            None => return Err(refused(MigrateError::VersionMissing(one.version))),
            Some(known) if known.checksum != one.checksum => return Err(Error::Foreign(one.version)),
            Some(_) => {}
        }
    }
    Ok(Schema {
        version: applied.iter().map(|m| m.version).max(),
        pending: migrator
            .iter()
            .filter(|m| applied.iter().all(|one| one.version != m.version))
            .map(|m| (m.version, m.description.to_string()))
            .collect(),
    })
}

/// What went wrong with a migration, in words that say what to do.
fn refused(e: MigrateError, migrator: &Migrator) -> Error {
    let known = migrator.iter().map(|m| m.version).max().unwrap_or_default();
    match e {
        MigrateError::VersionMissing(found) if found > known => Error::Newer { found, known },
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => Error::Foreign(version),
        MigrateError::Dirty(version) => Error::Unfinished(version),
        MigrateError::Execute(e) => Error::Driver(e),
        other => Error::Migration(other),
    }
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// Reads an address of PostgreSQL. What is wrong with it is told without the address, which may hold a password.
/// How many statements a connection keeps prepared: all that there are.
const STATEMENTS: usize = 500;

fn postgres_options(url: &str) -> Result<PgConnectOptions, Error> {
    PgConnectOptions::from_str(url).map_err(|_| {
        Error::Address(
            "it is not like postgres://user:password@host:5432/database; characters other than letters and digits in \
             the password are written as % and two hexadecimal digits"
                .into(),
        )
    })
}

/// Brings the schema up to date by a connection of its own: a node that waits for another one's migration waits as long as it
/// takes.
pub(crate) async fn migrate_postgres(options: &PgConnectOptions) -> Result<(), Error> {
    let mut migrating = options.connect().await?;
    POSTGRES.run(&mut migrating).await.map_err(|e| refused(e, &POSTGRES))?;
    Ok(migrating.close().await?)
}

fn sqlite_options(url: &str) -> Result<SqliteConnectOptions, Error> {
    if !url.starts_with("sqlite:") {
        return Err(Error::Address(
            "starts neither with sqlite: nor with postgres://".into(),
        ));
    }
    SqliteConnectOptions::from_str(url).map_err(|e| Error::Address(e.to_string()))
}

/// How much of a pool of connections is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// Which one: `read` and `write` of SQLite, or `postgres`.
    pub name: &'static str,
    /// How many connections there may be.
    pub limit: usize,
    /// How many are lent out.
    pub in_use: usize,
    /// How many are open and wait for somebody who wants them.
    pub idle: usize,
    /// How many want one and have none yet.
    pub waiting: usize,
}

/// Counts somebody among those who wait, for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn at(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Db {
    /// Opens the database at `sqlite:path` (made when it is not there) or `postgres://…` and brings its schema up to
    /// date. Fails when the address cannot be read, nobody answers, or the schema is of a newer version. Several nodes
    /// may do it at once: on PostgreSQL one migrates and the others wait for it.
    pub async fn open(url: &str, shop: Shop, clock: Clock) -> Result<Self, Error> {
        Self::connect(url, shop, clock, true).await
    }

    /// Opens a database whose schema is up to date already, and changes nothing about it.
    pub async fn open_as_it_is(url: &str, shop: Shop, clock: Clock) -> Result<Self, Error> {
        match schema(url).await?.pending.len() {
            0 => Self::connect(url, shop, clock, false).await,
            pending => Err(Error::Behind(pending)),
        }
    }

    async fn connect(url: &str, shop: Shop, clock: Clock, migrate: bool) -> Result<Self, Error> {
        let pools = if is_postgres(url) {
            let options = postgres_options(url)?;
            // Only where something is to come: even to look, the migrator wants to be allowed to make tables, which the role
            // of an application need not be.
            if migrate && !schema(url).await?.pending.is_empty() {
                migrate_postgres(&options).await?;
            }
            let pool = sqlx::postgres::PgPoolOptions::new()
                .max_connections(16)
                .acquire_timeout(PATIENCE)
                .connect_with(
                    options
                        .options([("lock_timeout", format!("{}s", PATIENCE.as_secs()))])
                        .statement_cache_capacity(STATEMENTS),
                )
                .await?;
            Pools::Postgres(pool)
        } else {
            let options = sqlite_options(url)?
                .journal_mode(SqliteJournalMode::Wal)
                // The ledger is money: an acknowledged change survives the loss of power.
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(PATIENCE)
                .statement_cache_capacity(STATEMENTS)
                .pragma("cache_size", "-16000")
                .pragma("temp_store", "memory")
                .disable_statement_logging();
            let write = SqlitePoolOptions::new()
                .max_connections(1)
                .acquire_timeout(Duration::from_secs(30))
                // A file needs no question whether it is still there.
                .test_before_acquire(false)
                // On a full disk SQLite ends a transaction of itself, and sqlx takes the connection to be in it for
                // ever: it is closed before anybody else gets it. The ping waits for a rollback that is under way.
                .after_release(|conn, _| {
                    Box::pin(async move {
                        conn.ping().await?;
                        Ok(!conn.is_in_transaction())
                    })
                })
                .connect_with(
                    options
                        .clone()
                        .create_if_missing(migrate)
                        .pragma("wal_autocheckpoint", "8000"),
                )
                .await?;
            if migrate {
                SQLITE.run(&write).await.map_err(|e| refused(e, &SQLITE))?;
            }
            let readers = std::thread::available_parallelism().map_or(4, usize::from).clamp(2, 16) * 2;
            let read = Readers::open(options.pragma("query_only", "1"), readers).await?;
            Pools::Sqlite { read, write }
        };
        Ok(Self {
            pools,
            clock,
            shop: Arc::new(shop),
            rules: Arc::default(),
            key: None,
            waiting: Arc::default(),
        })
    }

    /// The same database, for one change that may arrive twice: the first transaction of [`Db::write`] stores the key.
    pub fn with_key(&self, key: Key) -> Self {
        Self {
            key: Some(Arc::new((key, AtomicBool::new(false)))),
            ..self.clone()
        }
    }

    /// Holds more of the database in memory, for a process that imports and ends: the same pages of many indexes come up again
    /// and again. Fails when the database does not answer.
    pub async fn hold_more(&self) -> Result<(), Error> {
        if let Pools::Sqlite { write, .. } = &self.pools {
            sqlx::query("PRAGMA cache_size = -64000").execute(write).await?;
        }
        Ok(())
    }

    /// The time now.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The shop's settings.
    pub fn shop(&self) -> &Arc<Shop> {
        &self.shop
    }

    /// Whether other nodes may stand on it as well.
    pub fn is_shared(&self) -> bool {
        matches!(self.pools, Pools::Postgres(_))
    }

    /// Whether the database answers.
    pub async fn is_there(&self) -> bool {
        let answered = async {
            let mut conn = self.read().await?;
            Ok::<_, Error>(on!(conn, |c| sqlx::query("SELECT 1").execute(c).await.map(drop))?)
        };
        answered.await.is_ok()
    }

    /// How much of each pool is in use.
    pub fn pools(&self) -> Vec<PoolUse> {
        fn of<DB: sqlx::Database>(name: &'static str, pool: &sqlx::Pool<DB>, waiting: &AtomicUsize) -> PoolUse {
            let (size, idle) = (pool.size() as usize, pool.num_idle());
            PoolUse {
                name,
                limit: pool.options().get_max_connections() as usize,
                in_use: size.saturating_sub(idle),
                idle,
                waiting: waiting.load(Ordering::Relaxed),
            }
        }
        match &self.pools {
            Pools::Sqlite { read, write } => vec![read.in_use(), of("write", write, &self.waiting)],
            Pools::Postgres(pool) => vec![of("postgres", pool, &self.waiting)],
        }
    }

    /// A connection to read by.
    pub async fn read(&self) -> Result<Conn, Error> {
        let inner = match &self.pools {
            Pools::Sqlite { read, .. } => Inner::SqliteRead(read.acquire().await?),
            Pools::Postgres(pool) => {
                let _waiting = Waiting::at(&self.waiting);
                Inner::PostgresRead(pool.acquire().await?)
            }
        };
        Ok(Conn {
            inner,
            shop: self.shop.clone(),
            rules: self.rules.clone(),
            now: self.now(),
        })
    }

    /// Runs a change in a transaction of its own. It is committed when `change` succeeds, undone when it fails, and
    /// run again, up to five times, when the engine says that it merely collided with another one; so `change` must
    /// have no effect outside the transaction, and awaits nothing but the database.
    pub async fn write<'env, T, E, F>(&self, change: F) -> Result<T, E>
    where
        F: for<'tx> Fn(&'tx mut Tx) -> Change<'tx, 'env, Result<T, E>> + Sync,
        T: Send,
        E: From<Error> + AsDatabaseError + Send,
    {
        let mut tries = 0;
        let started = std::time::Instant::now();
        loop {
            let span = tracing::debug_span!("transaction", again = tries);
            let result = self.write_once(&change).instrument(span).await;
            match &result {
                // SQLite says busy only after all the patience there is.
                Err(e)
                    if tries < 5 && started.elapsed() < PATIENCE && e.database().is_some_and(Error::is_transient) =>
                {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(5 << tries)).await;
                }
                _ => return result,
            }
        }
    }

    async fn write_once<'env, T, E, F>(&self, change: &F) -> Result<T, E>
    where
        F: for<'tx> Fn(&'tx mut Tx) -> Change<'tx, 'env, Result<T, E>> + Sync,
        T: Send,
        E: From<Error> + AsDatabaseError + Send,
    {
        let waiting = Waiting::at(&self.waiting);
        let inner = match &self.pools {
            Pools::Sqlite { write, .. } => {
                Inner::SqliteWrite(write.begin_with("BEGIN IMMEDIATE").await.map_err(Error::from)?)
            }
            Pools::Postgres(pool) => Inner::PostgresWrite(pool.begin().await.map_err(Error::from)?),
        };
        drop(waiting);
        let begun = std::time::Instant::now();
        let conn = Conn {
            inner,
            shop: self.shop.clone(),
            rules: self.rules.clone(),
            now: self.now(),
        };
        let mut tx = Tx {
            conn,
            happened: Happened::default(),
            touched: BTreeSet::new(),
        };
        let mut stored = None;
        if let Some(held) = self.key.as_deref().filter(|held| !held.1.load(Ordering::SeqCst)) {
            if !store_key(&mut tx, &held.0).await.map_err(Error::from)? {
                return Err(E::repeated());
            }
            stored = Some(&held.1);
        }
        let value = change(&mut tx).await?;
        let happened = std::mem::take(&mut tx.happened);
        event::write_down(&mut tx, happened).await.map_err(Error::from)?;
        let touched = std::mem::take(&mut tx.touched);
        report::mark(&mut tx, &touched).await.map_err(Error::from)?;
        if begun.elapsed() > LONGEST {
            return Err(Error::TooLong.into());
        }
        match tx.conn.inner {
            Inner::SqliteWrite(tx) => tx.commit().await.map_err(Error::from)?,
            Inner::PostgresWrite(tx) => tx.commit().await.map_err(Error::from)?,
            Inner::SqliteRead(_) | Inner::PostgresRead(_) => {}
        }
        if let Some(stored) = stored {
            stored.store(true, Ordering::SeqCst);
        }
        Ok(value)
    }

    /// What is known of a key: the fingerprint of what was asked and, once it was given, the answer.
    pub async fn key_answer(&self, scope: &str, key: &str) -> Result<Option<(Vec<u8>, Option<String>)>, Error> {
        let mut conn = self.read().await?;
        const SQL: &str = "SELECT fingerprint, answer FROM idempotency_keys WHERE scope = $1 AND key = $2";
        Ok(on!(conn, |c| sqlx::query_as(SQL)
            .bind(scope)
            .bind(key)
            .fetch_optional(c)
            .await)?)
    }

    /// Frees the key again when the change failed although its transaction stands, as a wrong password that was
    /// counted: what was mended is sent under the same key.
    pub async fn release_key(&self) -> Result<(), Error> {
        const SQL: &str = "DELETE FROM idempotency_keys WHERE scope = $1 AND key = $2 AND answer IS NULL";
        let Some((key, _)) = self.key.as_deref().filter(|held| held.1.load(Ordering::SeqCst)) else {
            return Ok(());
        };
        let plain = Self {
            key: None,
            ..self.clone()
        };
        plain
            .write(|tx| {
                scoped(async move {
                    on!(tx, |c| sqlx::query(SQL)
                        .bind(&key.scope)
                        .bind(&key.key)
                        .execute(c)
                        .await
                        .map(drop))?;
                    Ok(())
                })
            })
            .await
    }

    /// Remembers the answer that was given under a key.
    pub async fn store_answer(&self, scope: &str, key: &str, answer: &str) -> Result<(), Error> {
        let plain = Self {
            key: None,
            ..self.clone()
        };
        plain.write(|tx| scoped(keep_answer(tx, scope, key, answer))).await
    }
}

/// Errors that may carry one of the database.
pub trait AsDatabaseError {
    /// The database's error, if it is one.
    fn database(&self) -> Option<&Error>;
    /// The error for a key that was used already.
    fn repeated() -> Self;
}

impl AsDatabaseError for Error {
    fn database(&self) -> Option<&Error> {
        Some(self)
    }
    fn repeated() -> Self {
        Self::Inconsistent("an idempotency key came twice".into())
    }
}

impl AsDatabaseError for crate::Error {
    fn database(&self) -> Option<&Error> {
        if let Self::Database(e) = self { Some(e) } else { None }
    }
    fn repeated() -> Self {
        Self::Repeated
    }
}

/// Stores a key; false when it is there already.
async fn store_key(tx: &mut Tx, key: &Key) -> Result<bool, sqlx::Error> {
    const SQL: &str = "INSERT INTO idempotency_keys (scope, key, fingerprint, created_at) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (scope, key) DO NOTHING";
    let now = tx.now();
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(&key.scope)
        .bind(&key.key)
        .bind(&key.fingerprint)
        .bind(now)
        .execute(c)
        .await
        .map(|r| r.rows_affected()))?;
    Ok(rows == 1)
}

/// Keeps the answer that is given under a key, in the transaction of the change. The first one stays.
pub async fn keep_answer(tx: &mut Tx, scope: &str, key: &str, answer: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE idempotency_keys SET answer = $3 WHERE scope = $1 AND key = $2 AND answer IS NULL";
    Ok(on!(tx, |c| sqlx::query(SQL)
        .bind(scope)
        .bind(key)
        .bind(answer)
        .execute(c)
        .await
        .map(drop))?)
}

/// How many rows one transaction of [`sweep`] removes: nobody who writes waits for it longer than a moment.
const SWEPT: i64 = 2000;

/// Removes rows that nobody needs any more, a part in each transaction. `sql` deletes up to `$2` rows that are from before
/// `$1`.
pub(crate) async fn sweep(db: &Db, sql: &'static str, before: DateTime<Utc>) -> Result<(), crate::Error> {
    loop {
        let swept = db
            .write(|tx| {
                scoped(async move {
                    Ok::<_, crate::Error>(on!(tx, |c| sqlx::query(sql)
                        .bind(before)
                        .bind(SWEPT)
                        .execute(c)
                        .await
                        .map(|done| done.rows_affected()))?)
                })
            })
            .await?;
        if swept < SWEPT as u64 {
            return Ok(());
        }
    }
}

/// The next number of a sequence, from 1.
pub async fn next_number(tx: &mut Tx, name: &str) -> Result<i64, sqlx::Error> {
    const SQL: &str = "INSERT INTO sequences (name, value) VALUES ($1, 1) \
                       ON CONFLICT (name) DO UPDATE SET value = sequences.value + 1 RETURNING value";
    on!(tx, |c| sqlx::query_scalar(SQL).bind(name).fetch_one(c).await)
}

/// The migrations of both engines as (version, name): a test compares them.
#[doc(hidden)]
pub fn migration_versions() -> [Vec<(i64, String)>; 2] {
    [&SQLITE, &POSTGRES].map(|m| m.iter().map(|m| (m.version, m.description.to_string())).collect())
}

/// A text for the inside of a pattern of `LIKE … ESCAPE '\'`: every character of it stands for itself.
pub(crate) fn like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// A value to bind in a [`list`].
pub enum Bind {
    /// Text.
    Text(String),
    /// Text, or none.
    MaybeText(Option<String>),
    /// Text that stands in the program: the word for a kind or a state.
    Word(&'static str),
    /// Such a word, or none.
    MaybeWord(Option<&'static str>),
    /// A number.
    Int(i64),
    /// An id.
    Id(uuid::Uuid),
    /// An id, or none.
    MaybeId(Option<uuid::Uuid>),
    /// A time.
    Time(DateTime<Utc>),
    /// A day of the calendar.
    Day(NaiveDate),
    /// A day of the calendar, or none.
    MaybeDay(Option<NaiveDate>),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Binds a list of values to a query of either engine.
macro_rules! bind_all {
    ($query:expr, $binds:expr) => {{
        let mut q = $query;
        for bind in $binds {
            q = match bind {
                Bind::Text(v) => q.bind(v),
                Bind::MaybeText(v) => q.bind(v),
                Bind::Word(v) => q.bind(v),
                Bind::MaybeWord(v) => q.bind(v),
                Bind::Int(v) => q.bind(v),
                Bind::Id(v) => q.bind(v),
                Bind::MaybeId(v) => q.bind(v),
                Bind::Time(v) => q.bind(v),
                Bind::Day(v) => q.bind(v),
                Bind::MaybeDay(v) => q.bind(v),
                Bind::Bytes(v) => q.bind(v),
            };
        }
        q
    }};
}

/// A query with filters: fixed fragments, each with at most its own binds. Beside [`Rows`] the only place where SQL is
/// put together; `AssertSqlSafe` is said in this module alone, and a test holds that.
#[derive(Default)]
pub struct ListQuery {
    sql: String,
    binds: Vec<Bind>,
    has_where: bool,
}

impl ListQuery {
    /// Starts with `SELECT … FROM …`.
    pub fn new(select: &'static str) -> Self {
        Self {
            sql: select.into(),
            ..Self::default()
        }
    }

    /// Starts with a list of spans of time, each with its first moment and the first one after it, that the rest of the
    /// query knows as `spans (first, next)`.
    pub fn over(spans: &[(DateTime<Utc>, DateTime<Utc>)], select: &'static str) -> Self {
        let mut query = Self::new("WITH spans (first, next) AS (VALUES ");
        for (i, (first, next)) in spans.iter().enumerate() {
            query.sql.push_str(if i == 0 { "" } else { ", " });
            query.sql.push_str(&format!("(${}, ${})", 2 * i + 1, 2 * i + 2));
            query.binds.extend([Bind::Time(*first), Bind::Time(*next)]);
        }
        query.sql.push_str(") ");
        query.sql.push_str(select);
        query
    }

    /// Adds a condition; each `?` in it stands for the next of `binds`.
    pub fn filter(self, condition: &'static str, binds: impl IntoIterator<Item = Bind>) -> Self {
        self.condition(condition, binds, None)
    }

    /// The same with a list in the condition, as in `x IN (@)`: the `@` stands for all of `values`.
    pub fn filter_in(
        mut self,
        condition: &'static str,
        binds: impl IntoIterator<Item = Bind>,
        values: impl IntoIterator<Item = Bind>,
    ) -> Self {
        let list = self.places(values).unwrap_or_else(|| "NULL".to_owned());
        self.condition(condition, binds, Some(&list))
    }

    fn condition(mut self, condition: &'static str, binds: impl IntoIterator<Item = Bind>, list: Option<&str>) -> Self {
        self.sql.push_str(if self.has_where { " AND (" } else { " WHERE (" });
        self.has_where = true;
        let mut binds = binds.into_iter();
        for c in condition.chars() {
            match (c, list) {
                ('?', _) => {
                    self.binds.extend(binds.next());
                    self.sql.push_str(&format!("${}", self.binds.len()));
                }
                ('@', Some(list)) => self.sql.push_str(list),
                _ => self.sql.push(c),
            }
        }
        self.sql.push(')');
        self
    }

    /// Binds values, and the list of their places; none where there are no values. The last is repeated up to the next power
    /// of two, so that few texts have to be prepared.
    fn places(&mut self, values: impl IntoIterator<Item = Bind>) -> Option<String> {
        let first = self.binds.len();
        self.binds.extend(values);
        let count = self.binds.len() - first;
        let places = (0..count.next_power_of_two()).map(|i| format!("${}", first + 1 + i.min(count - 1)));
        (count > 0).then(|| places.collect::<Vec<_>>().join(", "))
    }

    /// Adds the condition that `column` is one of these values.
    pub fn within(mut self, column: &'static str, values: impl IntoIterator<Item = Bind>) -> Self {
        self.sql.push_str(if self.has_where { " AND " } else { " WHERE " });
        self.has_where = true;
        match self.places(values) {
            Some(list) => self.sql.push_str(&format!("{column} IN ({list})")),
            None => self.sql.push_str("FALSE"),
        }
        self
    }

    /// Goes on with another `SELECT` of the same columns, with filters of its own: the rows of both come together.
    pub fn and_all(mut self, select: &'static str) -> Self {
        self.sql.push_str(" UNION ALL ");
        self.sql.push_str(select);
        self.has_where = false;
        self
    }

    /// Adds what comes last: grouping, order.
    pub fn tail(mut self, tail: &'static str) -> Self {
        self.sql.push(' ');
        self.sql.push_str(tail);
        self
    }

    /// Adds a limit.
    pub fn limit(mut self, rows: i64) -> Self {
        self.binds.push(Bind::Int(rows));
        self.sql.push_str(&format!(" LIMIT ${}", self.binds.len()));
        self
    }
}

/// Runs a query with filters.
pub async fn list<T>(conn: &mut Conn, query: ListQuery) -> Result<Vec<T>, sqlx::Error>
where
    T: Send + Unpin,
    for<'r> T: sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + sqlx::FromRow<'r, sqlx::postgres::PgRow>,
{
    on!(conn, |c| {
        bind_all!(sqlx::query_as::<_, T>(sqlx::AssertSqlSafe(query.sql)), query.binds)
            .fetch_all(c)
            .await
    })
}

/// Locks rows by a query of PostgreSQL, `… = ANY($1) … FOR UPDATE`, until the transaction ends. On SQLite whoever writes is
/// alone anyway.
pub(crate) async fn hold(tx: &mut Tx, query: &'static str, ids: &[uuid::Uuid]) -> Result<(), sqlx::Error> {
    match tx.engine() {
        Engine::Sqlite(_) => Ok(()),
        Engine::Postgres(c) => sqlx::query(query).bind(ids).execute(c).await.map(drop),
    }
}

/// Rows to insert together: a million lines cannot afford a statement each.
pub struct Rows {
    insert: &'static str,
    columns: usize,
    tail: &'static str,
    binds: Vec<Bind>,
}

impl Rows {
    /// Starts with `INSERT INTO table (columns)`; `tail` is what follows the values (`ON CONFLICT …`, `RETURNING …`).
    pub fn new(insert: &'static str, tail: &'static str) -> Self {
        Self {
            insert,
            columns: insert.matches(',').count() + 1,
            tail,
            binds: Vec::new(),
        }
    }

    /// Adds a row, a value for each column.
    pub fn push<const N: usize>(&mut self, row: [Bind; N]) {
        debug_assert_eq!(N, self.columns, "{}", self.insert);
        self.binds.extend(row);
    }

    /// True when there is nothing to insert.
    pub fn is_empty(&self) -> bool {
        self.binds.is_empty()
    }

    /// The statements with their binds. A few rows, as those of a receipt, go in together, more of them by powers of two, so
    /// that each table has twelve texts to prepare.
    /// SQLite looks up a named parameter by walking through all before it, the square of their number for each
    /// statement; so there they have no names.
    fn statements(self, numbered: bool) -> impl Iterator<Item = (String, Vec<Bind>)> {
        let Self {
            insert,
            columns,
            tail,
            binds,
        } = self;
        let mut binds = binds.into_iter();
        std::iter::from_fn(move || {
            let left = binds.len() / columns;
            if left == 0 {
                return None;
            }
            let rows = if left <= 8 { left } else { 1 << left.ilog2().min(7) };
            let mut sql = format!("{insert} VALUES ");
            for row in 0..rows {
                let value = |i| {
                    if numbered {
                        format!("${}", row * columns + i)
                    } else {
                        "?".to_owned()
                    }
                };
                let values: Vec<String> = (1..=columns).map(value).collect();
                sql.push_str(if row == 0 { "(" } else { ", (" });
                sql.push_str(&values.join(", "));
                sql.push(')');
            }
            sql.push(' ');
            sql.push_str(tail);
            Some((sql, binds.by_ref().take(rows * columns).collect()))
        })
    }
}

/// Inserts rows.
pub async fn insert(tx: &mut Tx, rows: Rows) -> Result<(), sqlx::Error> {
    for (sql, binds) in rows.statements(tx.is_postgres()) {
        on!(tx, |c| bind_all!(sqlx::query(sqlx::AssertSqlSafe(sql)), binds)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}

/// Inserts rows whose tail says `RETURNING`.
pub async fn insert_returning<T>(tx: &mut Tx, rows: Rows) -> Result<Vec<T>, sqlx::Error>
where
    T: Send + Unpin,
    for<'r> T: sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + sqlx::FromRow<'r, sqlx::postgres::PgRow>,
{
    let mut returned = Vec::new();
    for (sql, binds) in rows.statements(tx.is_postgres()) {
        returned.extend(on!(tx, |c| {
            bind_all!(sqlx::query_as::<_, T>(sqlx::AssertSqlSafe(sql)), binds)
                .fetch_all(c)
                .await
        })?);
    }
    Ok(returned)
}
