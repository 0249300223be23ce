//! The inbox of a member of staff: notes that name them, for `@login` in a note puts a line into the inbox of whoever it is,
//! requests that were given to them, what service levels say of requests ([`super::level`]), tasks that were given to them, whose hour
//! has come, or that they gave and are over ([`crate::task`]), and what waits for their consent or what became of what they asked for
//! ([`crate::staff::approval`]).

use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::{CustomerId, MessageId, NoticeId, PromotionId, PurchaseId, StaffId};
use crate::lang::Localized;
use crate::on;
use crate::points::Before;
use crate::request::level::Told;
use crate::staff::Right;
use crate::staff::approval::Step;
use crate::task::News;
use crate::who::Staff;
use chrono::{DateTime, Duration, Utc};
use sqlx::types::Json;
use std::cmp::Reverse;
use uuid::Uuid;

/// The logins that a note names, each once, as they are kept. The `@` within an address names nobody.
fn logins(note: &str) -> Vec<String> {
    let is_of_login = |c: char| c.is_alphanumeric() || "._-@+".contains(c);
    let mut found: Vec<String> = Vec::new();
    for word in note.split(|c: char| !is_of_login(c)) {
        // The full stop at the end is the sentence's.
        let login = word
            .strip_prefix('@')
            .map(|rest| rest.trim_end_matches(['.', '-', '_', '@', '+']));
        let Some(login) = login.filter(|login| !login.is_empty()) else {
            continue;
        };
        let login = login.to_lowercase();
        if !found.contains(&login) {
            found.push(login);
        }
    }
    found
}

/// Whom a note names. Fails with a flaw at `text` that says who is not there, or has nothing to do with requests.
pub(super) async fn named(conn: &mut Conn, note: &str) -> Result<Vec<StaffId>, Error> {
    const SQL: &str = "SELECT s.id, r.rights FROM staff s JOIN roles r ON r.code = s.role \
                       WHERE s.login = $1 AND s.disabled_at IS NULL";
    let mut named = Vec::new();
    for login in logins(note) {
        let found: Option<(StaffId, Json<Vec<Right>>)> =
            on!(conn, |c| sqlx::query_as(SQL).bind(&login).fetch_optional(c).await)?;
        match found {
            Some((id, Json(rights))) if rights.contains(&Right::Requests) => named.push(id),
            _ => return Err(Error::field("text", Flaw::UnknownLogin { name: login })),
        }
    }
    Ok(named)
}

/// Tells those whom a note names of it; who those are. Whoever names themselves knows already.
pub(super) async fn tell(
    tx: &mut Tx,
    by: &Staff,
    named: &[StaffId],
    message: MessageId,
    at: DateTime<Utc>,
) -> Result<Vec<StaffId>, Error> {
    const SQL: &str = "INSERT INTO staff_notices (id, staff_id, message_id, at) VALUES ($1, $2, $3, $4)";
    let told: Vec<StaffId> = named.iter().copied().filter(|staff| *staff != by.id()).collect();
    for staff in &told {
        on!(tx, |c| sqlx::query(SQL)
            .bind(NoticeId::new())
            .bind(staff)
            .bind(message)
            .bind(at)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(told)
}

/// A line of the inbox.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// The number of the request; 0 where it is about none.
    pub number: i64,
    /// What is told of its service level, or that it was given to them.
    #[sqlx(default)]
    pub level: Option<Told>,
    /// What is told of a task.
    #[sqlx(default)]
    pub task: Option<News>,
    /// What is told of a consent; neither this nor a level nor a task: a note names somebody.
    #[sqlx(default)]
    pub step: Option<Step>,
    /// How many points are to be corrected, or come or go by a correction of a receipt, in hundredths.
    #[sqlx(default)]
    pub points: Option<i64>,
    /// Whose, or for whom the task is.
    #[sqlx(default)]
    pub customer: Option<CustomerId>,
    /// The receipt whose correction waits, or waited.
    #[sqlx(default)]
    pub receipt: Option<PurchaseId>,
    /// Its number.
    #[sqlx(default)]
    pub document: Option<String>,
    /// The promotion that waits, or waited.
    #[sqlx(default)]
    pub promotion: Option<PromotionId>,
    /// What it is called.
    #[sqlx(default)]
    #[sqlx(json(nullable))]
    pub title: Option<Localized>,
    /// The note.
    #[sqlx(default)]
    pub message: Option<MessageId>,
    /// Who wrote it, gave or ended the task, asked for consent, or decided.
    #[sqlx(default)]
    pub by_whom: Option<String>,
    /// How it begins, what is to be done, or the reason of a correction: up to 160 characters.
    #[sqlx(default)]
    pub beginning: String,
    /// When.
    pub at: DateTime<Utc>,
    /// When whoever is told saw it.
    pub read_at: Option<DateTime<Utc>>,
}

/// What somebody is told, the newest first, what came before `before`. Written into the audit log.
pub async fn inbox(db: &Db, by: &Staff, before: Option<Before>, limit: i64) -> Result<Vec<Notice>, Error> {
    const NOTES: &str = "SELECT n.id, n.message_id AS message, r.number, s.name AS by_whom, \
                       SUBSTR(m.body, 1, 160) AS beginning, n.at, n.read_at FROM staff_notices n \
                       JOIN messages m ON m.id = n.message_id JOIN requests r ON r.id = m.request_id \
                       LEFT JOIN staff s ON s.id = m.staff_id \
                       WHERE n.staff_id = $1 AND (n.at, n.id) < ($2, $3) ORDER BY n.at DESC, n.id DESC LIMIT $4";
    const LEVELS: &str = "SELECT n.id, r.number, n.kind AS level, n.at, n.read_at FROM level_notices n \
                          JOIN requests r ON r.id = n.request_id \
                          WHERE n.staff_id = $1 AND (n.at, n.id) < ($2, $3) ORDER BY n.at DESC, n.id DESC LIMIT $4";
    const TASKS: &str = "SELECT n.id, COALESCE(r.number, 0) AS number, n.kind AS task, t.customer_id AS customer, \
                         s.name AS by_whom, SUBSTR(t.title, 1, 160) AS beginning, n.at, n.read_at FROM task_notices n \
                         JOIN tasks t ON t.id = n.task_id LEFT JOIN requests r ON r.id = t.request_id \
                         LEFT JOIN staff s ON s.id = n.by_id \
                         WHERE n.staff_id = $1 AND (n.at, n.id) < ($2, $3) ORDER BY n.at DESC, n.id DESC LIMIT $4";
    // What somebody may not consent to any more is not told any more; of requests and tasks those hear who may open them.
    const APPROVALS: &str = "SELECT n.id, COALESCE(r.number, 0) AS number, n.kind AS step, COALESCE(a.points, c.points) AS points, \
                             COALESCE(a.customer_id, b.customer_id) AS customer, b.id AS receipt, b.document, \
                             n.promotion_id AS promotion, p.title, s.name AS by_whom, \
                             COALESCE(SUBSTR(COALESCE(a.reason, c.reason), 1, 160), '') AS beginning, n.at, n.read_at \
                             FROM approval_notices n JOIN staff s ON s.id = n.by_id \
                             LEFT JOIN adjustments a ON a.id = n.adjustment_id \
                             LEFT JOIN receipt_corrections c ON c.id = n.receipt_correction_id \
                             LEFT JOIN purchases b ON b.id = c.purchase_id \
                             LEFT JOIN requests r ON r.id = a.request_id LEFT JOIN promotions p ON p.id = n.promotion_id \
                             WHERE n.staff_id = $1 AND (n.at, n.id) < ($2, $3) AND (n.kind <> 'asked' \
                             OR n.promotion_id IS NULL AND $5 OR n.promotion_id IS NOT NULL AND $6) \
                             ORDER BY n.at DESC, n.id DESC LIMIT $4";
    by.may_be_told()?;
    db.write(|tx| {
        scoped(async move {
            let last = (tx.now() + Duration::days(1), Uuid::max());
            let (at, id) = before.unwrap_or(last);
            let mut found: Vec<Notice> = on!(tx, |c| sqlx::query_as(APPROVALS)
                .bind(by.id())
                .bind(at)
                .bind(id)
                .bind(limit)
                .bind(by.has(Right::Points))
                .bind(by.has(Right::Rules))
                .fetch_all(c)
                .await)?;
            let of_requests: &[&'static str] = if by.has(Right::Requests) { &[NOTES, LEVELS] } else { &[] };
            let of_tasks: &[&'static str] = if by.has(Right::Customers) { &[TASKS] } else { &[] };
            for &sql in of_requests.iter().chain(of_tasks) {
                let some: Vec<Notice> = on!(tx, |c| sqlx::query_as(sql)
                    .bind(by.id())
                    .bind(at)
                    .bind(id)
                    .bind(limit)
                    .fetch_all(c)
                    .await)?;
                found.extend(some);
            }
            found.sort_by_key(|one| Reverse((one.at, one.id.0)));
            found.truncate(usize::try_from(limit).unwrap_or_default());
            let reason = format!("{} shown", found.len());
            by.record(tx, "inbox.read", None, None, &reason).await?;
            Ok(found)
        })
    })
    .await
}

/// Notes that somebody has seen their inbox: everything up to a moment is read.
pub async fn mark_read(db: &Db, by: &Staff, until: DateTime<Utc>) -> Result<(), Error> {
    const NOTES: &str = "UPDATE staff_notices SET read_at = $2 WHERE staff_id = $1 AND read_at IS NULL AND at <= $3";
    const LEVELS: &str = "UPDATE level_notices SET read_at = $2 WHERE staff_id = $1 AND read_at IS NULL AND at <= $3";
    const TASKS: &str = "UPDATE task_notices SET read_at = $2 WHERE staff_id = $1 AND read_at IS NULL AND at <= $3";
    const APPROVALS: &str = "UPDATE approval_notices SET read_at = $2 WHERE staff_id = $1 AND read_at IS NULL AND at <= $3 \
        AND (kind <> 'asked' OR (promotion_id IS NULL AND $4) OR (promotion_id IS NOT NULL AND $5))";
    by.may_be_told()?;
    // What somebody has no right to for now was not shown to them.
    let of_requests: &[&'static str] = match by.has(Right::Requests) {
        true => &[NOTES, LEVELS],
        false => &[],
    };
    let of_tasks: &[&'static str] = if by.has(Right::Customers) { &[TASKS] } else { &[] };
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            for sql in of_requests.iter().chain(of_tasks) {
                on!(tx, |c| sqlx::query(*sql)
                    .bind(by.id())
                    .bind(now)
                    .bind(until)
                    .execute(c)
                    .await
                    .map(drop))?;
            }
            on!(tx, |c| sqlx::query(APPROVALS)
                .bind(by.id())
                .bind(now)
                .bind(until)
                .bind(by.has(Right::Points))
                .bind(by.has(Right::Rules))
                .execute(c)
                .await
                .map(drop))?;
            Ok(())
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::logins;

    #[test]
    fn logins_are_found_and_addresses_are_none() {
        for (note, expected) in [
            ("@petrov, взгляни", &["petrov"][..]),
            ("Спросим (@Anna.K) и @petrov.", &["anna.k", "petrov"]),
            ("@petrov @petrov", &["petrov"]),
            ("@ivan@shop.ru!", &["ivan@shop.ru"]),
            ("почта anna@example.com", &[]),
            ("@ @. один @", &[]),
            ("", &[]),
        ] {
            assert_eq!(logins(note), expected, "{note}");
        }
    }
}
