//! A database of one engine that a part fills by SQL for itself, and a member of staff who asks for pages of it.

use crate::load::Target;
use crate::postgres::{self, Database, psql};
use crate::process::Process;
use crate::report::Report;
use crate::{Args, kabinet, sqlite};
use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use uuid::Uuid;

const TOKEN: &str = "a-token-of-staff-of-the-benchmark-which-no-browser-ever-gets";

/// A database with whatever differs between the engines; gone at the end.
pub(crate) enum Engine {
    Sqlite(PathBuf),
    Postgres(Database),
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Self::Sqlite(file) = self {
            for ending in ["", "-wal", "-shm"] {
                // The folder goes with what stays behind.
                let _ = std::fs::remove_file(format!("{}{ending}", file.display()));
            }
        }
    }
}

impl Engine {
    /// A new database of each engine, with what it is called; without a server it says so of PostgreSQL.
    pub(crate) fn each(report: &Report, folder: &Path, name: &'static str) -> Result<Vec<(Self, &'static str)>> {
        let mut all = vec![(Self::Sqlite(folder.join(format!("{name}.db"))), "SQLite")];
        match std::env::var(postgres::SERVER) {
            Ok(server) => all.push((Self::Postgres(Database::make(&server, name, "")?), "PostgreSQL")),
            Err(_) => report.note(&format!("PostgreSQL is left out: {} names no server", postgres::SERVER)),
        }
        Ok(all)
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(file) => sqlite(file),
            Self::Postgres(database) => database.url(),
        }
    }

    /// Gives it the schema and the first content.
    pub(crate) fn migrate(&self, args: &Args) -> Result<()> {
        let mut migrate = kabinet(args, &self.url());
        Process::start(migrate.arg("migrate").stdout(Stdio::null()))?
            .wait()
            .context("kabinet migrate")
    }

    /// An id as SQL writes it.
    pub(crate) fn id(&self, id: Uuid) -> String {
        match self {
            Self::Sqlite(_) => format!("x'{}'", id.simple()),
            Self::Postgres(_) => format!("'{id}'::UUID"),
        }
    }

    /// Bytes as SQL writes them.
    fn bytes(&self, bytes: &[u8]) -> String {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Sqlite(_) => format!("x'{hex}'"),
            Self::Postgres(_) => format!("'\\x{hex}'"),
        }
    }

    /// Runs SQL; tells the first value of its answer, if it has one.
    pub(crate) fn run(&self, sql: &str) -> Result<Option<String>> {
        match self {
            Self::Sqlite(file) => {
                let db = rusqlite::Connection::open(file)?;
                db.busy_timeout(Duration::from_secs(10))?;
                let mut statement = db.prepare(sql)?;
                let mut rows = statement.query([])?;
                Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
            }
            Self::Postgres(database) => Ok(Some(database.ask(sql)?).filter(|said| !said.is_empty())),
        }
    }

    /// The first value of an answer that has one.
    pub(crate) fn ask(&self, sql: &str) -> Result<String> {
        self.run(sql)?.with_context(|| format!("no answer to {sql}"))
    }

    /// Runs statements that write many rows into these tables. Nobody reads meanwhile, and what they refer to is not looked
    /// up row by row.
    pub(crate) fn fill(&self, tables: &[&str], statements: &[String]) -> Result<()> {
        match self {
            Self::Sqlite(file) => {
                let db = rusqlite::Connection::open(file)?;
                db.execute_batch(
                    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; \
                     PRAGMA cache_size = -256000",
                )?;
                for statement in statements {
                    db.execute_batch(statement).with_context(|| statement.clone())?;
                }
                db.execute_batch("PRAGMA journal_mode = WAL")?;
            }
            Self::Postgres(database) => {
                let named: Vec<String> = tables.iter().map(|table| format!("'{table}'::regclass")).collect();
                database.ask(&format!(
                    "DO $$ DECLARE r record; BEGIN FOR r IN SELECT conname, conrelid::regclass AS held FROM pg_constraint \
                     WHERE contype = 'f' AND conrelid IN ({}) LOOP \
                     EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', r.held, r.conname); END LOOP; END $$",
                    named.join(", ")
                ))?;
                for statement in statements {
                    database.ask(statement)?;
                }
                // By itself: not within a transaction.
                psql(&database.url(), "VACUUM ANALYZE")?;
            }
        }
        Ok(())
    }

    // What the engines write otherwise. Rows are made of their numbers, from 0 on.

    /// So many numbers, as `n.i`.
    pub(crate) fn numbers(&self, count: u64) -> String {
        let last = count.saturating_sub(1);
        match self {
            Self::Sqlite(_) => format!(
                "(WITH RECURSIVE s (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < {last}) SELECT i FROM s) n"
            ),
            Self::Postgres(_) => format!("generate_series(0::BIGINT, {last}::BIGINT) AS n (i)"),
        }
    }

    /// The id of the row of a kind with a number: ids are in the order of numbers.
    pub(crate) fn made(&self, kind: u8, number: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("UNHEX(PRINTF('01900000{kind:02x}%022x', {number}))"),
            Self::Postgres(_) => format!("('01900000{kind:02x}' || LPAD(TO_HEX({number}), 22, '0'))::UUID"),
        }
    }

    /// The same as a value.
    pub(crate) fn made_id(kind: u8, number: u64) -> Uuid {
        Uuid::from_u128((0x0190_0000 << 96) | (u128::from(kind) << 88) | u128::from(number))
    }

    /// A text as bytes.
    pub(crate) fn as_bytes(&self, text: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("CAST({text} AS BLOB)"),
            Self::Postgres(_) => format!("CONVERT_TO({text}, 'UTF8')"),
        }
    }

    /// A text in both languages, the same in either.
    pub(crate) fn words(&self, text: &str) -> String {
        let json = format!("'{{\"ru\": \"' || {text} || '\", \"en\": \"' || {text} || '\"}}'");
        match self {
            Self::Sqlite(_) => json,
            Self::Postgres(_) => format!("({json})::JSONB"),
        }
    }

    /// A moment by its seconds since 1970.
    pub(crate) fn moment(&self, seconds: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("STRFTIME('%Y-%m-%dT%H:%M:%S+00:00', {seconds}, 'unixepoch')"),
            Self::Postgres(_) => format!("TO_TIMESTAMP({seconds})"),
        }
    }

    /// A moment that a table holds, as addresses carry it: microseconds since 1970.
    pub(crate) fn micros(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("(UNIXEPOCH({column}) * 1000000)"),
            Self::Postgres(_) => format!("(EXTRACT(EPOCH FROM {column}) * 1000000)::BIGINT"),
        }
    }

    /// An id that a table holds, as text without hyphens, which addresses may carry as well.
    pub(crate) fn text(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("LOWER(HEX({column}))"),
            Self::Postgres(_) => format!("REPLACE({column}::TEXT, '-', '')"),
        }
    }

    /// Notes that what the server would do on its first day was done, so that it does not begin to while it is measured.
    pub(crate) fn settle(&self, last_customer: Uuid) -> Result<()> {
        let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        self.run(&format!(
            "INSERT INTO settings (key, value) VALUES ('ledger_verified_at', '{now}'), ('words_filled', '{last_customer}') \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        ))?;
        self.run("DELETE FROM unindexed_requests").map(drop)
    }

    /// Enters an administrator; their id.
    pub(crate) fn enter_staff(&self) -> Result<Uuid> {
        let (now, staff) = (chrono::Utc::now().to_rfc3339(), Uuid::now_v7());
        self.run(&format!(
            "INSERT INTO staff (id, login, name, role, language, password_hash, created_at) \
             VALUES ({}, 'bench', 'Bench', 'administrator', 'ru', '', '{now}')",
            self.id(staff)
        ))?;
        Ok(staff)
    }

    /// Opens a session of theirs as the product stores it: by the hash of its token.
    pub(crate) fn sign_in(&self, staff: Uuid) -> Result<()> {
        let now = chrono::Utc::now();
        let (at, until) = (now.to_rfc3339(), (now + chrono::TimeDelta::hours(12)).to_rfc3339());
        let (id, by) = (self.id(Uuid::now_v7()), self.id(staff));
        let token = self.bytes(&Sha256::digest(TOKEN));
        self.run(&format!(
            "INSERT INTO sessions (id, token_hash, staff_id, device, network, created_at, seen_at, expires_at) \
             VALUES ({id}, {token}, {by}, 'bench', '127.0.0.1', '{at}', '{at}', '{until}')"
        ))?;
        Ok(())
    }
}

/// A page as that member of staff asks for it.
pub(crate) fn by_staff(address: SocketAddr, path: &str) -> Target {
    Target {
        address,
        path: path.to_owned(),
        who: ("cookie", format!("kabinet_staff={TOKEN}; lang=ru")),
        post: None,
    }
}

/// How long answers took, in milliseconds.
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn new(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    /// Asks for pages in turns, one after the other, a connection each; each answer has to hold its mark.
    pub(crate) async fn of(address: SocketAddr, turns: u32, pages: &[(&str, &str)]) -> Result<Vec<Self>> {
        let mut times = vec![Vec::new(); pages.len()];
        // The first turn warms up.
        for turn in 0..=turns {
            for ((path, mark), times) in pages.iter().zip(&mut times) {
                let asked = Instant::now();
                let answer = by_staff(address, path).ask("identity").await?;
                let took = asked.elapsed().as_secs_f64() * 1000.0;
                ensure!(answer.status == 200, "{path}: {}", answer.status);
                if turn == 0 {
                    let body = String::from_utf8_lossy(&answer.body);
                    ensure!(body.contains(mark), "{path} does not hold {mark}");
                } else {
                    times.push(took);
                }
            }
        }
        Ok(times.into_iter().map(Self::new).collect())
    }

    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let at = (self.0.len() as f64 * share) as usize;
        self.0
            .get(at.min(self.0.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }
}
