//! What somebody of staff is writing in a request and has not sent: kept for them, request by request, and for nobody else.

use super::store::Held;
use super::{TEXT_MAX, text};
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::RequestId;
use crate::on;
use crate::staff::Right;
use crate::who::{Staff, System};
use chrono::TimeDelta;

/// How long a draft is kept that nobody comes back to.
const KEEP: TimeDelta = TimeDelta::days(30);

/// What is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Draft {
    /// An answer to the customer.
    Answer,
    /// A note for colleagues.
    Note,
}

/// Keeps a draft; an empty one is none. Fails with a flaw at `text`.
pub async fn keep(db: &Db, by: &Staff, number: i64, draft: Draft, raw: &str) -> Result<(), Error> {
    by.may(Right::Requests)?;
    let body = match text(raw) {
        Err(Flaw::Missing) => None,
        other => Some(other.map_err(|flaw| Error::field("text", flaw))?),
    };
    let body = body.as_deref();
    db.write(|tx| {
        scoped(async move {
            let held = Held::by_number(tx, number, None).await?;
            match body {
                Some(body) => put(tx, by, held.id, draft, body).await,
                None => forget(tx, by, held.id, draft).await,
            }
        })
    })
    .await
}

async fn put(tx: &mut Tx, by: &Staff, request: RequestId, draft: Draft, body: &str) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO request_drafts (request_id, staff_id, kind, body, changed_at) VALUES ($1, $2, $3, $4, $5) \
                       ON CONFLICT (request_id, staff_id, kind) DO UPDATE SET body = excluded.body, \
                       changed_at = excluded.changed_at";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(request)
        .bind(by.id())
        .bind(draft)
        .bind(body)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Puts a text below what somebody is writing. Fails with a flaw at `text` where it would be too long together.
pub(super) async fn append(tx: &mut Tx, by: &Staff, request: RequestId, draft: Draft, more: &str) -> Result<(), Error> {
    let body = match of(tx, by, request, draft).await? {
        Some(before) => format!("{before}\n\n{more}"),
        None => more.to_owned(),
    };
    if body.chars().count() > TEXT_MAX {
        return Err(Error::field("text", Flaw::TooLong { max: TEXT_MAX }));
    }
    put(tx, by, request, draft, &body).await
}

/// What somebody is writing in a request.
pub async fn of(conn: &mut Conn, by: &Staff, request: RequestId, draft: Draft) -> Result<Option<String>, Error> {
    const SQL: &str = "SELECT body FROM request_drafts WHERE request_id = $1 AND staff_id = $2 AND kind = $3";
    by.may(Right::Requests)?;
    Ok(on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(request)
        .bind(by.id())
        .bind(draft)
        .fetch_optional(c)
        .await)?)
}

/// It was sent, or is not wanted any more.
pub(super) async fn forget(tx: &mut Tx, by: &Staff, request: RequestId, draft: Draft) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM request_drafts WHERE request_id = $1 AND staff_id = $2 AND kind = $3";
    on!(tx, |c| sqlx::query(SQL)
        .bind(request)
        .bind(by.id())
        .bind(draft)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Removes what nobody comes back for.
pub async fn sweep(db: &Db, _by: &System) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM request_drafts WHERE (request_id, staff_id, kind) IN \
                       (SELECT request_id, staff_id, kind FROM request_drafts WHERE changed_at < $1 \
                       ORDER BY changed_at LIMIT $2)";
    db::sweep(db, SQL, db.now() - KEEP).await
}
