//! Attempts: one way in, or one thing to be proved on the way, bound to a browser by its token.

use super::{Attempt, Draft};
use crate::contact::Kind;
use crate::db::{Conn, Db, Tx};
use crate::error::Error;
use crate::factor::Owner;
use crate::id::{AttemptId, CustomerId, StaffId};
use crate::identity::Outside;
use crate::lang::Lang;
use crate::on;
use crate::who::{Token, Visitor};
use chrono::{DateTime, Duration, Utc};
use sqlx::types::Json;

/// How long an attempt waits for its end: long enough to look for a birthday certificate, not for a day.
pub const LIFE: Duration = Duration::hours(2);

/// What an attempt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Purpose {
    /// A customer comes in, or registers.
    SignIn,
    /// A member of staff comes in.
    Staff,
    /// A customer proves to hold a phone or an e-mail address.
    Contact,
    /// A customer proves anew who they are.
    Confirm,
    /// A customer proves to a till that a phone is theirs.
    Counter,
    /// A customer proves that another account is theirs as well.
    Merge,
}

#[derive(sqlx::FromRow)]
pub(crate) struct AttemptRow {
    pub(crate) id: AttemptId,
    pub(crate) kind: Option<Kind>,
    pub(crate) address: Option<String>,
    pub(crate) proved_at: Option<DateTime<Utc>>,
    pub(crate) email: Option<String>,
    #[sqlx(json(nullable))]
    pub(crate) identity: Option<Outside>,
    pub(crate) customer_id: Option<CustomerId>,
    pub(crate) staff_id: Option<StaffId>,
    pub(crate) way: String,
    pub(crate) language: Lang,
    #[sqlx(json(nullable))]
    pub(crate) draft: Option<Draft>,
}

impl AttemptRow {
    /// Where codes go. [`Error::Stale`] while nobody has said where.
    pub(crate) fn address(&self) -> Result<(Kind, &str), Error> {
        self.kind.zip(self.address.as_deref()).ok_or(Error::Stale)
    }

    /// The phone, once it is proved. [`Error::Stale`] before.
    pub(crate) fn proved_phone(&self) -> Result<(&str, DateTime<Utc>), Error> {
        match (self.address()?, self.proved_at) {
            ((Kind::Phone, phone), Some(at)) => Ok((phone, at)),
            _ => Err(Error::Stale),
        }
    }
}

/// The attempt of this browser, if it is still open; else [`Error::Stale`].
pub(crate) async fn row(conn: &mut Conn, token: &Token, purpose: Purpose) -> Result<AttemptRow, Error> {
    const SQL: &str = "SELECT id, kind, address, proved_at, email, identity, customer_id, staff_id, way, language, draft \
                       FROM attempts WHERE token_hash = $1 AND purpose = $2 AND finished_at IS NULL AND expires_at > $3";
    let now = conn.now();
    let row: Option<AttemptRow> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(token.hash())
        .bind(purpose)
        .bind(now)
        .fetch_optional(c)
        .await)?;
    row.ok_or(Error::Stale)
}

/// How far the attempt of this browser has come. Fails with [`Error::Stale`] when there is none.
pub async fn attempt(db: &Db, token: &Token, purpose: Purpose) -> Result<Attempt, Error> {
    const SENT: &str = "SELECT created_at FROM codes WHERE attempt_id = $1 ORDER BY created_at DESC LIMIT 1";
    let mut conn = db.read().await?;
    let row = row(&mut conn, token, purpose).await?;
    let code_sent_at = on!(conn, |c| sqlx::query_scalar(SENT).bind(row.id).fetch_optional(c).await)?;
    let is_verified = row.proved_phone().is_ok();
    let needs_second = row.customer_id.is_some() || row.staff_id.is_some();
    Ok(Attempt {
        kind: row.kind,
        address: row.address,
        email: row.email,
        outside: row.identity,
        is_verified,
        needs_second,
        code_sent_at,
        draft: row.draft,
    })
}

/// What an attempt begins with.
#[derive(Clone, Copy, Default)]
pub(crate) struct Begin<'a> {
    /// Where codes go.
    pub(crate) address: Option<(Kind, &'a str)>,
    /// Whom the first factor led to.
    pub(crate) customer: Option<CustomerId>,
    pub(crate) staff: Option<StaffId>,
    /// How the first factor was given.
    pub(crate) way: &'a str,
    /// Whom an outside provider says it is.
    pub(crate) outside: Option<&'a Outside>,
}

/// Begins an attempt; the token is for the browser.
pub(crate) async fn begin(
    tx: &mut Tx,
    purpose: Purpose,
    what: Begin<'_>,
    lang: Lang,
    visitor: &Visitor,
) -> Result<(AttemptId, Token), sqlx::Error> {
    const SQL: &str = "INSERT INTO attempts (id, token_hash, purpose, kind, address, identity, customer_id, staff_id, way, \
                       network, language, created_at, expires_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let (id, token, now) = (AttemptId::new(), Token::random(), tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(token.hash())
        .bind(purpose)
        .bind(what.address.map(|(kind, _)| kind))
        .bind(what.address.map(|(_, address)| address))
        .bind(what.outside.map(Json))
        .bind(what.customer)
        .bind(what.staff)
        .bind(what.way)
        .bind(&visitor.network)
        .bind(lang)
        .bind(now)
        .bind(now + LIFE)
        .execute(c)
        .await
        .map(drop))?;
    Ok((id, token))
}

/// Ends the ways in that wait for their second half: what was proved for them counts no more.
pub(crate) async fn drop_half_done(tx: &mut Tx, owner: Owner) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE attempts SET finished_at = $3, draft = NULL, identity = NULL \
                       WHERE (customer_id = $1 OR staff_id = $2) AND purpose IN ('sign_in', 'staff') \
                       AND finished_at IS NULL";
    let ((customer, staff), now) = (owner.columns(), tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(customer)
        .bind(staff)
        .bind(now)
        .execute(c)
        .await
        .map(drop))
}

/// Ends an attempt; what was typed goes.
pub(crate) async fn finish(tx: &mut Tx, attempt: AttemptId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE attempts SET finished_at = $2, draft = NULL, identity = NULL WHERE id = $1";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(attempt)
        .bind(now)
        .execute(c)
        .await
        .map(drop))
}
