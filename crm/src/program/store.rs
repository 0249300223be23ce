//! Programs and memberships in the database.

pub mod managing;

use super::{Membership, Program, Version};
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::id::{CustomerId, MembershipId, ProgramId};
use crate::on;
use crate::rule::store::timeline;
use crate::rule::tier;
use crate::who::{Customer, Subject, System};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// The programs one can be in, with what the customer is to each.
pub async fn list(conn: &mut Conn, subject: Subject) -> Result<Vec<Program>, Error> {
    const SQL: &str = "SELECT p.id, p.code, p.automatic, v.version, v.name, v.summary, v.terms, v.share, v.delay_days, \
                       v.term_days, m.joined_at \
                       FROM programs p JOIN program_versions v ON v.program_id = p.id \
                       LEFT JOIN memberships m ON m.program_id = p.id AND m.customer_id = $1 AND m.left_at IS NULL \
                       WHERE (p.closed_at IS NULL OR m.id IS NOT NULL) \
                       AND v.version = (SELECT MAX(n.version) FROM program_versions n WHERE n.program_id = p.id \
                       AND n.published_at <= $2) ORDER BY p.position";
    let now = conn.now();
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(subject.id())
        .bind(now)
        .fetch_all(c)
        .await)?)
}

/// One program. Fails with [`Error::NotFound`].
pub async fn get(conn: &mut Conn, subject: Subject, code: &str) -> Result<Program, Error> {
    list(conn, subject)
        .await?
        .into_iter()
        .find(|p| p.code == code)
        .ok_or(Error::NotFound)
}

/// A program as a version of its terms described it. One that lies ahead is [`Error::NotFound`], as one that never was.
pub async fn of_version(conn: &mut Conn, subject: Subject, program: ProgramId, version: i64) -> Result<Program, Error> {
    const SQL: &str = "SELECT p.id, p.code, p.automatic, v.version, v.name, v.summary, v.terms, v.share, v.delay_days, \
                       v.term_days, m.joined_at \
                       FROM programs p JOIN program_versions v ON v.program_id = p.id \
                       LEFT JOIN memberships m ON m.program_id = p.id AND m.customer_id = $1 AND m.left_at IS NULL \
                       WHERE p.id = $2 AND v.version = $3 AND v.published_at <= $4";
    let now = conn.now();
    let found: Option<Program> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(subject.id())
        .bind(program)
        .bind(version)
        .bind(now)
        .fetch_optional(c)
        .await)?;
    found.ok_or(Error::NotFound)
}

/// The versions of a program's terms that count or did, the newest first.
pub async fn versions(conn: &mut Conn, program: ProgramId) -> Result<Vec<Version>, Error> {
    const SQL: &str = "SELECT version, published_at FROM program_versions \
                       WHERE program_id = $1 AND published_at <= $2 ORDER BY version DESC";
    let now = conn.now();
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(program)
        .bind(now)
        .fetch_all(c)
        .await)?)
}

/// When a customer was a member of a program, the last time first.
pub async fn memberships(conn: &mut Conn, subject: Subject, program: ProgramId) -> Result<Vec<Membership>, Error> {
    const SQL: &str = "SELECT terms_version, joined_at, left_at FROM memberships \
                       WHERE customer_id = $1 AND program_id = $2 ORDER BY joined_at DESC, id DESC";
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(subject.id())
        .bind(program)
        .fetch_all(c)
        .await)?)
}

/// The program with this code, for the command line and the demonstration. Fails with [`Error::NotFound`].
pub async fn by_code(conn: &mut Conn, _by: &System, code: &str) -> Result<ProgramId, Error> {
    const SQL: &str = "SELECT id FROM programs WHERE code = $1";
    let id: Option<ProgramId> = on!(conn, |c| sqlx::query_scalar(SQL).bind(code).fetch_optional(c).await)?;
    id.ok_or(Error::NotFound)
}

/// Joins a program under the terms that were shown. Being a member already changes nothing; terms that have been
/// replaced since they were shown are [`Error::Stale`].
pub async fn join(db: &Db, by: &Customer, code: &str, terms: i64) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            let program = get(tx, by.me(), code).await?;
            if program.joined_at.is_some() {
                return Ok(());
            }
            if program.version != terms {
                return Err(Error::Stale);
            }
            let now = tx.now();
            enter(tx, program.id, by.id(), terms, now).await?;
            stand(tx, by.id()).await?;
            by.record(tx, "program.join", Some(program.id.0)).await?;
            Ok(())
        })
    })
    .await
}

/// Leaves a program: no new points from now on; those earned stay and keep their own terms. Not being a member
/// changes nothing.
pub async fn leave(db: &Db, by: &Customer, code: &str) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE memberships SET left_at = $3 WHERE customer_id = $1 AND program_id = $2 AND left_at IS NULL";
    db.write(|tx| {
        scoped(async move {
            let program = get(tx, by.me(), code).await?;
            let now = tx.now();
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(by.id())
                .bind(program.id)
                .bind(now)
                .execute(c)
                .await
                .map(|r| r.rows_affected()))?;
            if rows > 0 {
                stand(tx, by.id()).await?;
                by.record(tx, "program.leave", Some(program.id.0)).await?;
            }
            Ok(())
        })
    })
    .await
}

/// Brings the tiers of a customer up to date who joined or left.
pub(crate) async fn stand(tx: &mut Tx, customer: CustomerId) -> Result<(), sqlx::Error> {
    let timeline = timeline(tx).await?;
    tier::store::refresh(tx, &timeline, &BTreeSet::from([customer]))
        .await
        .map(drop)
}

/// Makes a customer a member of every automatic program from a moment on.
pub(crate) async fn enter_automatic(tx: &mut Tx, customer: CustomerId, at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    const SQL: &str = "SELECT p.id, CAST(MAX(v.version) AS BIGINT) FROM programs p JOIN program_versions v ON v.program_id = p.id \
                       WHERE p.automatic AND p.closed_at IS NULL AND v.published_at <= $1 GROUP BY p.id";
    let now = tx.now();
    let programs: Vec<(ProgramId, i64)> = on!(tx, |c| sqlx::query_as(SQL).bind(now).fetch_all(c).await)?;
    for (program, version) in programs {
        enter(tx, program, customer, version, at).await?;
    }
    Ok(())
}

/// Writes a membership.
pub(crate) async fn enter(
    tx: &mut Tx,
    program: ProgramId,
    customer: CustomerId,
    terms: i64,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO memberships (id, program_id, customer_id, terms_version, joined_at) \
                       VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    on!(tx, |c| sqlx::query(SQL)
        .bind(MembershipId::new())
        .bind(program)
        .bind(customer)
        .bind(terms)
        .bind(at)
        .execute(c)
        .await
        .map(drop))
}
