//! The audit log: who did or read what, and why. Rows are only ever added; the database refuses the rest.

use crate::db::{Conn, Tx};
use crate::id::{AuditId, CustomerId};
use crate::on;
use crate::staff::Role;
use crate::who::Subject;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Who acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Actor {
    /// A customer, about themselves.
    Customer,
    /// A member of staff.
    Staff,
    /// A till or another system that asks through the API.
    Till,
    /// A job or the command line.
    System,
    /// Nobody we know (yet).
    Anonymous,
}

/// One row to write.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Who.
    pub actor: Actor,
    /// Their id, when known.
    pub actor_id: Option<Uuid>,
    /// What, as `area.verb`: `customer.read`, `request.answer`, `sign_in.refused`.
    pub action: &'a str,
    /// Whose data it was about.
    pub customer: Option<CustomerId>,
    /// The thing itself, where it is not the customer.
    pub object: Option<Uuid>,
    /// Why, in a word.
    pub reason: &'a str,
    /// The address it came from.
    pub network: &'a str,
}

/// Writes a row, in the transaction of what it tells of.
pub async fn record(tx: &mut Tx, entry: Entry<'_>) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO audit (id, at, actor, actor_id, action, customer_id, object_id, reason, network) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(AuditId::new())
        .bind(now)
        .bind(entry.actor)
        .bind(entry.actor_id)
        .bind(entry.action)
        .bind(entry.customer)
        .bind(entry.object)
        .bind(entry.reason)
        .bind(entry.network)
        .execute(c)
        .await
        .map(drop))
}

/// Who looked, as the customer may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A member of staff, by their role; the name is the shop's own affair.
    Staff(Role),
    /// A till, by its name.
    Till(String),
}

/// What a member of staff or a till did with a customer's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: Reader,
    /// What, as `area.verb`.
    pub action: String,
    /// Why, in a word; of a till its scope, and by what it found the customer.
    pub reason: String,
}

#[derive(sqlx::FromRow)]
struct LookRow {
    at: DateTime<Utc>,
    role: Option<Role>,
    till: Option<String>,
    action: String,
    reason: String,
}

/// What staff and tills read and changed of a customer, newest first.
pub async fn of_customer(conn: &mut Conn, of: Subject, limit: i64) -> Result<Vec<Look>, sqlx::Error> {
    const SQL: &str = "SELECT a.at, s.role, t.name AS till, a.action, a.reason FROM audit a \
                       LEFT JOIN staff s ON s.id = a.actor_id LEFT JOIN tills t ON t.id = a.actor_id \
                       WHERE a.customer_id = $1 AND a.actor IN ('staff', 'till') ORDER BY a.at DESC, a.id DESC LIMIT $2";
    let rows: Vec<LookRow> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .bind(limit)
        .fetch_all(c)
        .await)?;
    let look = |row: LookRow| {
        let by = match (row.role, row.till) {
            (Some(role), _) => Reader::Staff(role),
            (None, till) => Reader::Till(till.unwrap_or_default()),
        };
        Look {
            at: row.at,
            by,
            action: row.action,
            reason: row.reason,
        }
    };
    Ok(rows.into_iter().map(look).collect())
}
