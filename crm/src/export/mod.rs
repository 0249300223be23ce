//! What customers take home: an archive with everything that is held about them, to read and for machines.
//!
//! Somebody asks ([`ask`]), and a worker of any node makes it ([`run_next`]): it claims what waits longest ([`work`]), collects
//! ([`data`]), packs, and tells the customer. The archive stays for [`KEPT`]; then [`sweep`] takes it away.

pub mod data;
mod zip;

use crate::customer::store as customers;
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw;
use crate::id::{AttachmentId, CustomerId, ExportId};
use crate::on;
use crate::signin::notice;
use crate::staff::Right;
use crate::staff::store::REASON_MAX;
use crate::who::{Customer, Fresh, Reason, Staff, Subject, System};
use crate::work::{self, Claims, claims, is_ours, let_go};
use chrono::{DateTime, Duration, Utc};
use data::{Data, Packed};
use std::io;
use zip::Archive;

/// How often somebody may ask.
pub const EVERY: Duration = Duration::days(1);
/// For how long an archive stays.
pub const KEPT: Duration = Duration::days(7);
/// For how long a node has one that it says nothing of: many times what the largest takes.
pub const HOLD: Duration = Duration::minutes(10);
/// The largest piece that is one row.
const PART: usize = 1 << 20;
/// So much of the files that were sent to support and back goes into an archive, in bytes; the last ones first. The others are
/// still to be had from their requests.
const FILES_MAX: i64 = 200 << 20;

/// How far an export has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum State {
    /// No node has it yet.
    Waiting,
    /// A node collects.
    Running,
    /// There is an archive.
    Done,
    /// It was begun [`work::MAX_TRIES`] times and came to no end.
    Failed,
}

/// An export.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Export {
    /// Its id.
    pub id: ExportId,
    /// How far it has come.
    pub state: State,
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
    /// When it ended, in whatever way.
    pub finished_at: Option<DateTime<Utc>>,
    /// How large the archive is, in bytes; 0 until there is one.
    pub size: i64,
}

impl Export {
    /// Until when the archive can be had; none where there is no archive.
    pub fn until(&self) -> Option<DateTime<Utc>> {
        self.finished_at
            .filter(|_| self.state == State::Done)
            .map(|at| at + KEPT)
    }

    /// From when on the customer may ask again: at once where it failed.
    pub fn again_at(&self) -> DateTime<Utc> {
        match self.state {
            State::Failed => self.asked_at,
            _ => self.asked_at + EVERY,
        }
    }
}

/// What a customer asked for last, unless it is gone already.
pub async fn latest(conn: &mut Conn, of: Subject) -> Result<Option<Export>, Error> {
    const SQL: &str = "SELECT id, state, asked_at, finished_at, size FROM exports WHERE customer_id = $1 \
                       ORDER BY asked_at DESC, id DESC LIMIT 1";
    let found: Option<Export> = on!(conn, |c| sqlx::query_as(SQL).bind(of.id()).fetch_optional(c).await)?;
    let now = conn.now();
    Ok(found.filter(|export| export.until().is_none_or(|until| now < until)))
}

/// Asks for an archive, for somebody who has just proved who they are. [`Error::TooMany`] where they asked within [`EVERY`].
pub async fn ask(db: &Db, by: &Fresh<'_, Customer>) -> Result<ExportId, Error> {
    db.write(|tx| {
        scoped(async move {
            let id = ask_in(tx, by.me()).await?;
            by.record(tx, "export.ask", Some(id.0)).await?;
            Ok(id)
        })
    })
    .await
}

/// The same by staff, for a customer who asked them. They never see it: the customer alone downloads it. Field: `reason`, which
/// is written down.
pub async fn ask_by_staff(
    db: &Db,
    by: &Fresh<'_, Staff>,
    customer: CustomerId,
    reason: &str,
) -> Result<ExportId, Error> {
    by.may(Right::PersonalData)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            let subject = by.open_in(tx, customer, Reason::Card).await?;
            customers::is_alive(tx, customer).await?;
            let id = ask_in(tx, subject).await?;
            by.record(tx, "export.begin", Some(customer), Some(id.0), reason)
                .await?;
            Ok(id)
        })
    })
    .await
}

async fn ask_in(tx: &mut Tx, of: Subject) -> Result<ExportId, Error> {
    const SQL: &str = "INSERT INTO exports (id, customer_id, state, asked_at) VALUES ($1, $2, 'waiting', $3)";
    // Those who ask at the same moment go one after the other.
    customers::hold(tx, of.id()).await?;
    let (id, now) = (ExportId::new(), tx.now());
    if let Some(last) = latest(tx, of).await?
        && now < last.again_at()
    {
        let seconds = (last.again_at() - now).num_seconds() + 1;
        let retry_after = u32::try_from(seconds).unwrap_or(u32::MAX);
        return Err(Error::TooMany { retry_after });
    }
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(of.id())
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    Ok(id)
}

/// An archive that is being handed out, piece by piece: as a whole it is too large for memory.
pub struct Download {
    db: Db,
    id: ExportId,
    next: i64,
}

impl Download {
    /// The next piece; none at the end.
    pub async fn part(&mut self) -> Result<Option<Vec<u8>>, Error> {
        const SQL: &str = "SELECT bytes FROM export_parts WHERE export_id = $1 AND ordinal = $2";
        let mut conn = self.db.read().await?;
        let part: Option<Vec<u8>> = on!(conn, |c| sqlx::query_scalar(SQL)
            .bind(self.id)
            .bind(self.next)
            .fetch_optional(c)
            .await)?;
        self.next += 1;
        Ok(part)
    }
}

/// The archive, for whose data it holds and who has just proved who they are: it tells everything at once, and a cabinet that
/// lies open on a table does not hand it out. [`Error::NotFound`] for what is not theirs, not made yet, or gone.
pub async fn archive(db: &Db, by: &Fresh<'_, Customer>, id: ExportId) -> Result<Download, Error> {
    const DONE: &str = "SELECT COUNT(*) FROM exports \
                        WHERE id = $1 AND customer_id = $2 AND state = 'done' AND finished_at > $3";
    let mut conn = db.read().await?;
    let since = conn.now() - KEPT;
    let found: i64 = on!(conn, |c| sqlx::query_scalar(DONE)
        .bind(id)
        .bind(by.id())
        .bind(since)
        .fetch_one(c)
        .await)?;
    drop(conn);
    if found == 0 {
        return Err(Error::NotFound);
    }
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "export.download", Some(id.0)).await?) }))
        .await?;
    Ok(Download {
        db: db.clone(),
        id,
        next: 0,
    })
}

/// An export in the hands of one node.
struct Claimed {
    id: ExportId,
    customer: CustomerId,
    claim: String,
}

const CLAIMS: Claims = claims!("exports", "asked_at", "", "id, customer_id");

/// Makes the archive that was asked for first, and tells whether there was one to make. `page` writes the part that people
/// read. What fails is begun again, by any node, once the claim has run out.
pub async fn run_next(db: &Db, by: &System, page: fn(&Data) -> String) -> Result<bool, Error> {
    let claimed: Option<((ExportId, CustomerId), String)> = work::claim(db, &CLAIMS, HOLD).await?;
    let Some(((id, customer), claim)) = claimed else {
        return Ok(false);
    };
    let claimed = Claimed { id, customer, claim };
    let mut conn = db.read().await?;
    let mut data = data::gather(&mut conn, by.subject(claimed.customer)).await?;
    drop(conn);
    let files = data.pack_files(FILES_MAX);
    let mut archive = Archive::new(data.shop.local(data.at));
    // Years of receipts take a second to write and pack, and pages are not to wait for it.
    archive = packed(&claimed, archive, move |archive| {
        let json = serde_json::to_vec_pretty(&data)?;
        archive.add("index.html", page(&data).as_bytes())?;
        archive.add("data.json", &json)
    })
    .await?;
    let mut kept = 0;
    for Packed { id, name } in files {
        // One file after the other, and what is packed is written down: so much and no more is in memory.
        let bytes = content(&mut db.read().await?, id).await?;
        archive = packed(&claimed, archive, move |archive| archive.add(&name, &bytes)).await?;
        let pieces = archive.whole_pieces(PART);
        if !pieces.is_empty() && !keep(db, &claimed, &pieces, &mut kept).await? {
            return Ok(true);
        }
    }
    archive = packed(&claimed, archive, Archive::finish).await?;
    let (size, rest) = (archive.len(), archive.rest());
    if keep(db, &claimed, &rest, &mut kept).await? {
        let claimed = &claimed;
        db.write(|tx| scoped(finish(tx, claimed, size))).await?;
    }
    Ok(true)
}

/// Does some of the packing aside.
async fn packed(
    claimed: &Claimed,
    mut archive: Archive,
    pack: impl FnOnce(&mut Archive) -> io::Result<()> + Send + 'static,
) -> Result<Archive, Error> {
    let packed = tokio::task::spawn_blocking(move || pack(&mut archive).map(|()| archive)).await;
    let packed = packed
        .map_err(|e| e.to_string())
        .and_then(|packed| packed.map_err(|e| e.to_string()));
    Ok(packed.map_err(|e| db::Error::Inconsistent(format!("export {}: {e}", claimed.id)))?)
}

/// What is in a file of a request.
async fn content(conn: &mut Conn, id: AttachmentId) -> Result<Vec<u8>, Error> {
    const SQL: &str = "SELECT bytes FROM attachment_parts WHERE attachment_id = $1 ORDER BY ordinal";
    let parts: Vec<Vec<u8>> = on!(conn, |c| sqlx::query_scalar(SQL).bind(id).fetch_all(c).await)?;
    Ok(parts.concat())
}

/// Keeps the next pieces of an archive, of which `kept` are there; false where another node has the export by now. The first
/// ones take the place of what a node left that did not come to the end.
async fn keep(db: &Db, claimed: &Claimed, bytes: &[u8], kept: &mut i64) -> Result<bool, Error> {
    const GOES_ON: &str = concat!("UPDATE exports SET claimed_until = $3 WHERE ", is_ours!());
    const CLEAR: &str = "DELETE FROM export_parts WHERE export_id = $1";
    const KEEP: &str = "INSERT INTO export_parts (export_id, ordinal, bytes) VALUES ($1, $2, $3)";
    let first = *kept;
    let is_ours = db
        .write(|tx| {
            scoped(async move {
                let until = tx.now() + HOLD;
                let rows = on!(tx, |c| sqlx::query(GOES_ON)
                    .bind(claimed.id)
                    .bind(&claimed.claim)
                    .bind(until)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))?;
                if rows == 0 {
                    return Ok::<_, Error>(false);
                }
                if first == 0 {
                    on!(tx, |c| sqlx::query(CLEAR).bind(claimed.id).execute(c).await.map(drop))?;
                }
                for (ordinal, part) in (first..).zip(bytes.chunks(PART)) {
                    on!(tx, |c| sqlx::query(KEEP)
                        .bind(claimed.id)
                        .bind(ordinal)
                        .bind(part)
                        .execute(c)
                        .await
                        .map(drop))?;
                }
                Ok(true)
            })
        })
        .await?;
    *kept += i64::try_from(bytes.chunks(PART).count()).unwrap_or_default();
    Ok(is_ours)
}

/// The archive is there as a whole: tells the customer, unless another node has the export by now.
async fn finish(tx: &mut Tx, claimed: &Claimed, size: usize) -> Result<(), Error> {
    const DONE: &str = concat!(
        "UPDATE exports SET state = 'done', finished_at = $3, size = $4, ",
        let_go!(),
        " WHERE ",
        is_ours!()
    );
    let now = tx.now();
    let rows = on!(tx, |c| sqlx::query(DONE)
        .bind(claimed.id)
        .bind(&claimed.claim)
        .bind(now)
        .bind(i64::try_from(size).unwrap_or(i64::MAX))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        return Ok(());
    }
    notice::send(tx, claimed.customer, "export_ready", &[]).await
}

/// Takes away the archives that nobody can have any more, and what is known of them.
pub async fn sweep(db: &Db, _by: &System) -> Result<(), Error> {
    const PARTS: &str = "DELETE FROM export_parts WHERE export_id IN (SELECT id FROM exports WHERE finished_at <= $1)";
    const EXPORTS: &str = "DELETE FROM exports WHERE finished_at <= $1";
    db.write(|tx| {
        scoped(async move {
            let until = tx.now() - KEPT;
            for sql in [PARTS, EXPORTS] {
                on!(tx, |c| sqlx::query(sql).bind(until).execute(c).await.map(drop))?;
            }
            Ok(())
        })
    })
    .await
}
