//! Seals over the audit log, so that it shows when somebody changed it behind the program's back.
//!
//! Every minute the rows that stand in no seal yet are put into one: SHA-256 over the hash of the seal before and over each row.
//! Whoever changes, removes or slips in a row afterwards has to make every later seal anew; and the newest hash is written to the
//! program's log each hour, so that it stands somewhere else as well.
//!
//! Ids do not tell which rows are new. On PostgreSQL several transactions write at once, and a row that is committed last may have
//! been given its id, and its moment, first. So nothing is reckoned from ids: what is in no seal is looked for among the rows from
//! [`LATE`] before the last one that was sealed, which no transaction of ours takes.
//!
//! The erasure of a customer takes reason and network out of their rows. So these two go into the seal as a hash of their own, over
//! a random nonce too; with the nonce gone nobody can try out what stood there, and the seal holds. Empty they are lawful where the
//! log says that the customer was erased, and nowhere else.
//!
//! What no seal shows: what is done to a row before its minute is over; and that the end of the log was cut off together with its
//! seals, unless the hash that was kept elsewhere is asked about ([`verify`]).

use crate::db::{self, Bind, Conn, Db, Lock, Rows, Tx, scoped};
use crate::error::Error;
use crate::on;
use crate::who::System;
use crate::work;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// By how much a row may be committed after others with later moments. A transaction takes seconds.
const LATE: TimeDelta = TimeDelta::hours(6);
/// The most rows of one seal.
const MOST: i64 = 2000;
/// So many seals are looked through at once.
const TOGETHER: i64 = 20;
/// For how long a row may stand in no seal.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// A seal.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Seal {
    /// Its number: 1, 2, 3 and so on.
    pub id: i64,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// How many rows stand in it.
    pub row_count: i64,
    hash: Vec<u8>,
    until: DateTime<Utc>,
}

impl Seal {
    /// Its hash, in hexadecimal digits.
    pub fn hash(&self) -> String {
        hex(&self.hash)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A row of the log as it was written.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Row {
    id: Uuid,
    at: DateTime<Utc>,
    actor: String,
    actor_id: Option<Uuid>,
    action: String,
    customer_id: Option<Uuid>,
    object_id: Option<Uuid>,
    reason: String,
    network: String,
}

/// Takes parts into a hash so that they stay apart: each with its length before it, one that is missing as a mark.
struct Parts(Sha256);

impl Parts {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn put(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    fn put_id(&mut self, id: Option<Uuid>) {
        match id {
            Some(id) => self.put(id.as_bytes()),
            None => self.0.update(u64::MAX.to_be_bytes()),
        }
    }

    fn put_moment(&mut self, at: DateTime<Utc>) {
        self.put(&at.timestamp_micros().to_be_bytes());
    }

    fn end(self) -> Vec<u8> {
        self.0.finalize().to_vec()
    }
}

impl Row {
    /// What erasure may take away, as it goes into the seal.
    fn erasable(&self, nonce: &[u8]) -> Vec<u8> {
        let mut parts = Parts::new();
        parts.put(nonce);
        parts.put(self.reason.as_bytes());
        parts.put(self.network.as_bytes());
        parts.end()
    }

    fn put_into(&self, seal: &mut Parts, erasable: &[u8]) {
        seal.put(self.id.as_bytes());
        seal.put_moment(self.at);
        seal.put(self.actor.as_bytes());
        seal.put_id(self.actor_id);
        seal.put(self.action.as_bytes());
        seal.put_id(self.customer_id);
        seal.put_id(self.object_id);
        seal.put(erasable);
    }
}

/// The beginning of a seal: what comes before its rows.
fn begin(previous: &[u8], id: i64, at: DateTime<Utc>) -> Parts {
    let mut parts = Parts::new();
    parts.put(previous);
    parts.put(&id.to_be_bytes());
    parts.put_moment(at);
    parts
}

/// The newest seal.
pub async fn newest(db: &Db, _by: &System) -> Result<Option<Seal>, Error> {
    Ok(newest_in(&mut db.read().await?).await?)
}

async fn newest_in(conn: &mut Conn) -> Result<Option<Seal>, sqlx::Error> {
    const SQL: &str = "SELECT id, at, row_count, hash, until FROM audit_seals ORDER BY id DESC LIMIT 1";
    on!(conn, |c| sqlx::query_as(SQL).fetch_optional(c).await)
}

/// Since when the oldest row waits for a seal; `None` where none does.
pub async fn waiting_since(db: &Db, _by: &System) -> Result<Option<DateTime<Utc>>, Error> {
    let mut conn = db.read().await?;
    let newest = newest_in(&mut conn).await?;
    let rows = unsealed(&mut conn, newest.as_ref(), 1).await?;
    Ok(rows.first().map(|row| row.at))
}

/// Rows that stand in no seal, in their order.
async fn unsealed(conn: &mut Conn, newest: Option<&Seal>, limit: i64) -> Result<Vec<Row>, sqlx::Error> {
    const SQL: &str = "SELECT a.id, a.at, a.actor, a.actor_id, a.action, a.customer_id, a.object_id, a.reason, a.network \
                       FROM audit a WHERE a.at >= $1 AND NOT EXISTS (SELECT 1 FROM audit_sealed s WHERE s.id = a.id) \
                       ORDER BY a.at, a.id LIMIT $2";
    let from = newest.map_or(DateTime::<Utc>::UNIX_EPOCH, |seal| seal.until - LATE);
    on!(conn, |c| sqlx::query_as(SQL).bind(from).bind(limit).fetch_all(c).await)
}

/// Seals what is new; how many rows. Of several nodes that do so at once one finds them.
pub async fn run_due(db: &Db, by: &System) -> Result<i64, Error> {
    let mut sealed = 0;
    // Most of the time nothing is new, and the one writer of SQLite is not asked for nothing.
    while waiting_since(db, by).await?.is_some() {
        let rows = db.write(|tx| scoped(seal(tx))).await?;
        sealed += rows;
        if rows < MOST {
            break;
        }
    }
    Ok(sealed)
}

async fn seal(tx: &mut Tx) -> Result<i64, Error> {
    const SQL: &str = "INSERT INTO audit_seals (id, at, first_row, last_row, until, row_count, hash) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    tx.lock(Lock::Sealing, true).await?;
    let before = newest_in(tx).await?;
    let rows = unsealed(tx, before.as_ref(), MOST).await?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(0);
    };
    let (id, previous) = before.map_or((1, Vec::new()), |seal| (seal.id + 1, seal.hash));
    let now = tx.now();
    let mut parts = begin(&previous, id, now);
    let mut sealed = Rows::new("INSERT INTO audit_sealed (id, seal_id, nonce, erasable)", "");
    for row in &rows {
        let nonce = rand::random::<[u8; 16]>().to_vec();
        let erasable = row.erasable(&nonce);
        row.put_into(&mut parts, &erasable);
        sealed.push([
            Bind::Id(row.id),
            Bind::Int(id),
            Bind::Bytes(nonce),
            Bind::Bytes(erasable),
        ]);
    }
    let (count, hash) = (rows.len() as i64, parts.end());
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(now)
        .bind(first.id)
        .bind(last.id)
        .bind(last.at)
        .bind(count)
        .bind(&hash)
        .execute(c)
        .await
        .map(drop))?;
    db::insert(tx, sealed).await?;
    Ok(count)
}

/// What is wrong with the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A seal is gone.
    #[error("seal {0} is gone")]
    NoSeal(i64),
    /// A row is gone.
    #[error("row {row}, which stands in seal {seal}, is gone")]
    NoRow {
        /// The row.
        row: Uuid,
        /// Its seal.
        seal: i64,
    },
    /// The reason or the network of a row was changed.
    #[error("row {row}, which stands in seal {seal}, has another reason or network than it was sealed with")]
    Rewritten {
        /// The row.
        row: Uuid,
        /// Its seal.
        seal: i64,
    },
    /// Something else of the rows of a seal, or the seal itself, was changed.
    #[error("seal {seal} of {at}: its rows, or the seal before it, are not those that were sealed")]
    Changed {
        /// The seal.
        seal: i64,
        /// When it was made.
        at: DateTime<Utc>,
    },
    /// A row that is old enough stands in no seal.
    #[error("row {row} of {at} stands in no seal: its seal is gone, it was slipped in, or nothing is sealed any more")]
    Unsealed {
        /// The row.
        row: Uuid,
        /// The moment that it bears.
        at: DateTime<Utc>,
    },
    /// A seal has another hash than the one that was kept elsewhere.
    #[error("seal {0} has not the hash that was kept elsewhere: it was made anew")]
    NotTheKnown(i64),
}

/// What was looked at, and the first thing that is wrong.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many seals.
    pub seals: i64,
    /// How many rows stand in them.
    pub rows: i64,
    /// Of how many the reason and the network were erased with their customer.
    pub erased: i64,
    /// The newest seal.
    pub newest: Option<Seal>,
    /// What is wrong; nothing is looked at after it.
    pub fault: Option<Fault>,
}

/// A row of the log beside what its seal knows of it. Without a moment it is gone.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Sealed {
    id: Uuid,
    seal_id: i64,
    nonce: Option<Vec<u8>>,
    erasable: Vec<u8>,
    at: Option<DateTime<Utc>>,
    actor: Option<String>,
    actor_id: Option<Uuid>,
    action: Option<String>,
    customer_id: Option<Uuid>,
    object_id: Option<Uuid>,
    reason: Option<String>,
    network: Option<String>,
}

impl Sealed {
    fn row(&self) -> Option<Row> {
        Some(Row {
            id: self.id,
            at: self.at?,
            actor: self.actor.clone()?,
            actor_id: self.actor_id,
            action: self.action.clone()?,
            customer_id: self.customer_id,
            object_id: self.object_id,
            reason: self.reason.clone()?,
            network: self.network.clone()?,
        })
    }
}

/// Compares the whole log with its seals, up to the first fault. `known` is the number of a seal and its hash in hexadecimal
/// digits, as it was kept elsewhere.
pub async fn verify(db: &Db, _by: &System, known: Option<(i64, &str)>) -> Result<Report, Error> {
    const SEALS: &str = "SELECT id, at, row_count, hash, until FROM audit_seals WHERE id > $1 ORDER BY id LIMIT $2";
    const SEALED: &str = "SELECT s.id, s.seal_id, s.nonce, s.erasable, a.at, a.actor, a.actor_id, a.action, \
                          a.customer_id, a.object_id, a.reason, a.network \
                          FROM audit_sealed s LEFT JOIN audit a ON a.id = s.id WHERE s.seal_id BETWEEN $1 AND $2";
    const LOST: &str = "SELECT s.seal_id FROM audit_sealed s \
                        WHERE NOT EXISTS (SELECT 1 FROM audit_seals t WHERE t.id = s.seal_id) ORDER BY s.seal_id LIMIT 1";
    const UNSEALED: &str = "SELECT a.id, a.at FROM audit a WHERE a.at < $1 \
                            AND NOT EXISTS (SELECT 1 FROM audit_sealed s WHERE s.id = a.id) ORDER BY a.at, a.id LIMIT 1";
    let mut conn = db.read().await?;
    let now = conn.now();
    let (mut report, mut erased) = (Report::default(), HashMap::new());
    loop {
        let seals: Vec<Seal> = on!(conn, |c| sqlx::query_as(SEALS)
            .bind(report.seals)
            .bind(TOGETHER)
            .fetch_all(c)
            .await)?;
        let (Some(first), Some(last)) = (seals.first(), seals.last()) else {
            break;
        };
        let rows: Vec<Sealed> = on!(conn, |c| sqlx::query_as(SEALED)
            .bind(first.id)
            .bind(last.id)
            .fetch_all(c)
            .await)?;
        let mut by_seal: BTreeMap<i64, Vec<Sealed>> = BTreeMap::new();
        for row in rows {
            by_seal.entry(row.seal_id).or_default().push(row);
        }
        for seal in seals {
            let rows = by_seal.remove(&seal.id).unwrap_or_default();
            report.fault = compare(&mut conn, &mut report, &seal, rows, known, &mut erased).await?;
            if report.fault.is_some() {
                return Ok(report);
            }
            report.seals = seal.id;
            report.newest = Some(seal);
        }
    }
    // A seal that was kept elsewhere and is not here any more was cut off with the end of the log.
    let cut_off = known.map(|(id, _)| id).filter(|id| *id < 1 || *id > report.seals);
    let lost: Option<i64> = on!(conn, |c| sqlx::query_scalar(LOST).fetch_optional(c).await)?;
    if let Some(id) = lost.or(cut_off) {
        report.fault = Some(Fault::NoSeal(id));
        return Ok(report);
    }
    let unsealed: Option<(Uuid, DateTime<Utc>)> = on!(conn, |c| sqlx::query_as(UNSEALED)
        .bind(now - PATIENCE)
        .fetch_optional(c)
        .await)?;
    report.fault = unsealed.map(|(row, at)| Fault::Unsealed { row, at });
    Ok(report)
}

/// Compares one seal with its rows and with the seal before it, which is the newest that the report knows.
async fn compare(
    conn: &mut Conn,
    report: &mut Report,
    seal: &Seal,
    mut rows: Vec<Sealed>,
    known: Option<(i64, &str)>,
    erased: &mut HashMap<Uuid, bool>,
) -> Result<Option<Fault>, Error> {
    if seal.id != report.seals + 1 {
        return Ok(Some(Fault::NoSeal(report.seals + 1)));
    }
    let previous = report.newest.as_ref().map(|newest| newest.hash.as_slice());
    let mut parts = begin(previous.unwrap_or_default(), seal.id, seal.at);
    rows.sort_by_key(|row| (row.at, row.id));
    for sealed in &rows {
        let (row, seal) = (sealed.id, seal.id);
        let Some(whole) = sealed.row() else {
            return Ok(Some(Fault::NoRow { row, seal }));
        };
        let is_as_sealed = sealed
            .nonce
            .as_ref()
            .is_some_and(|nonce| whole.erasable(nonce) == sealed.erasable);
        if !is_as_sealed {
            let is_empty = whole.reason.is_empty() && whole.network.is_empty();
            if !(is_empty && was_erased(conn, whole.customer_id, erased).await?) {
                return Ok(Some(Fault::Rewritten { row, seal }));
            }
            report.erased += 1;
        }
        whole.put_into(&mut parts, &sealed.erasable);
    }
    if rows.len() as i64 != seal.row_count || parts.end() != seal.hash {
        return Ok(Some(Fault::Changed {
            seal: seal.id,
            at: seal.at,
        }));
    }
    report.rows += seal.row_count;
    let is_another = known.is_some_and(|(id, hash)| id == seal.id && !hash.eq_ignore_ascii_case(&seal.hash()));
    Ok(is_another.then_some(Fault::NotTheKnown(seal.id)))
}

/// Whether the log says that a customer was erased.
async fn was_erased(
    conn: &mut Conn,
    customer: Option<Uuid>,
    known: &mut HashMap<Uuid, bool>,
) -> Result<bool, sqlx::Error> {
    const SQL: &str = "SELECT COUNT(*) FROM audit WHERE customer_id = $1 AND action = 'erasure.done'";
    let Some(customer) = customer else { return Ok(false) };
    if let Some(known) = known.get(&customer) {
        return Ok(*known);
    }
    let rows: i64 = on!(conn, |c| sqlx::query_scalar(SQL).bind(customer).fetch_one(c).await)?;
    known.insert(customer, rows > 0);
    Ok(rows > 0)
}

/// The same once a day: of all processes the first that asks after a day has gone by. `None` where it was done today already; where
/// it fails, it is done again some hours later.
pub async fn verify_daily(db: &Db, by: &System) -> Result<Option<Report>, Error> {
    work::once_a_day(db, "audit_verified_at", verify(db, by, None)).await
}
