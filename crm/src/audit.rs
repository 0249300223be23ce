//! The audit log: who did or read what, and why. Rows are only ever added; the database refuses the rest.

use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::id::{ArticleId, AuditId, CategoryId, CustomerId, PromotionId, StoreId};
use crate::on;
use crate::staff::{Right, Role};
use crate::who::{Staff, Subject};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
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

/// What differs between two records, field by field, as it is written into the log: `phone: null → "+79000009901"`.
pub(crate) fn difference<T: Serialize>(before: &T, after: &T) -> String {
    let fields = |record: &T| match serde_json::to_value(record) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (fields(before), fields(after));
    let changed = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
    let changed = changed.map(|(name, value)| {
        let was = before.get(name).unwrap_or(&Value::Null);
        format!("{name}: {was} → {value}")
    });
    changed.collect::<Vec<_>>().join("; ")
}

/// A field that was changed: what stood there, and what stands there since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its name.
    pub field: String,
    /// What stood there.
    pub was: Value,
    /// What stands there since.
    pub is: Value,
}

/// What [`difference`] wrote, read back; of any other text nothing.
fn read_back(mut text: &str) -> Vec<Changed> {
    let mut found = Vec::new();
    while let Some((field, rest)) = text.split_once(": ") {
        let Some((was, rest)) = value(rest, " → ") else { break };
        let Some((is, rest)) = value(rest, "; ") else { break };
        let field = field.to_owned();
        found.push(Changed { field, was, is });
        text = rest;
    }
    found
}

/// The value that a text begins with, up to a mark or to its end, and what follows. In a text within it the mark may stand, too.
fn value<'a>(text: &'a str, mark: &str) -> Option<(Value, &'a str)> {
    let mut ends = text.match_indices(mark).map(|(end, _)| end).chain([text.len()]);
    ends.find_map(|end| {
        let value = serde_json::from_str(&text[..end]).ok()?;
        Some((value, text.get(end + mark.len()..).unwrap_or_default()))
    })
}

/// What a member of staff did with something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: DateTime<Utc>,
    /// The name of who did it.
    pub by: String,
    /// What, as `area.verb`.
    pub action: String,
    /// What it changed.
    pub changed: Vec<Changed>,
}

/// Something that staff keep, of which they see what was done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// A shop.
    Store(StoreId),
    /// A category.
    Category(CategoryId),
    /// An article.
    Article(ArticleId),
    /// A promotion.
    Promotion(PromotionId),
}

/// What staff did with something, the newest first. Who merely looked did nothing.
pub async fn of_object(conn: &mut Conn, by: &Staff, object: Object, limit: i64) -> Result<Vec<Act>, Error> {
    const SQL: &str = "SELECT a.at, s.name, a.action, a.reason FROM audit a JOIN staff s ON s.id = a.actor_id \
                       WHERE a.object_id = $1 AND a.actor = 'staff' AND a.action NOT LIKE '%.read' \
                       ORDER BY a.at DESC, a.id DESC LIMIT $2";
    let (id, right) = match object {
        Object::Store(id) => (id.0, Right::Shops),
        Object::Category(id) => (id.0, Right::Shops),
        Object::Article(id) => (id.0, Right::Shops),
        Object::Promotion(id) => (id.0, Right::Rules),
    };
    by.may(right)?;
    let rows: Vec<(DateTime<Utc>, String, String, String)> =
        on!(conn, |c| sqlx::query_as(SQL).bind(id).bind(limit).fetch_all(c).await)?;
    let act = |(at, by, action, reason): (DateTime<Utc>, String, String, String)| Act {
        at,
        by,
        action,
        changed: read_back(&reason),
    };
    Ok(rows.into_iter().map(act).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_written_and_read_back() {
        let before =
            json!({"code": "a", "name": {"ru": "Чай; чёрный", "en": "\"Tea\": → x"}, "pays": true, "brand": null});
        let after =
            json!({"code": "a", "name": {"ru": "Чай", "en": "Tea"}, "pays": false, "brand": "x: 1 → 2; y: 3 → 4"});
        let text = difference(&before, &after);
        let read: Vec<_> = read_back(&text)
            .into_iter()
            .map(|one| (one.field, one.was, one.is))
            .collect();
        let field = |name: &str| (name.to_owned(), before[name].clone(), after[name].clone());
        assert_eq!(read, ["brand", "name", "pays"].map(field), "{text}");
        assert_eq!(difference(&before, &before), "");
        for other in ["", "search", "phone: private", "name: \"a\" b"] {
            assert_eq!(read_back(other), [], "{other}");
        }
    }
}
