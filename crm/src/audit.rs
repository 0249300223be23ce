//! The audit log: who did or read what, and why. Rows are only ever added; the database refuses the rest.

use crate::db::Tx;
use crate::id::{AuditId, CustomerId};
use crate::on;
use uuid::Uuid;

/// Who acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Actor {
    /// A customer, about themselves.
    Customer,
    /// A member of staff.
    Staff,
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
