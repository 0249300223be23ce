//! The audit log: who did or read what, and why. Rows are only ever added; the database refuses the rest.

pub mod log;
pub mod seal;

use crate::db::{self, Conn, Tx};
use crate::error::Error;
use crate::id::{ArticleId, AuditId, CategoryId, CustomerId, HelpArticleId, PromotionId, StoreId};
use crate::lang::Localized;
use crate::on;
use crate::points::{Before, store::far};
use crate::staff::Right;
use crate::who::{Staff, Subject, Visitor};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;
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

impl Actor {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::Customer, Self::Staff, Self::Till, Self::System, Self::Anonymous];

    /// As the log and addresses name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
            Self::Till => "till",
            Self::System => "system",
            Self::Anonymous => "anonymous",
        }
    }
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

/// Writes down what came to a customer without a session: on the way in, by a link, or by the system.
pub(crate) async fn without_session(
    tx: &mut Tx,
    actor: Actor,
    customer: CustomerId,
    action: &str,
    reason: &str,
    visitor: &Visitor,
) -> Result<(), sqlx::Error> {
    let entry = Entry {
        actor,
        actor_id: (actor == Actor::Customer).then_some(customer.0),
        action,
        customer: Some(customer),
        object: None,
        reason,
        network: &visitor.network,
    };
    record(tx, entry).await
}

/// Who looked, as the customer may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A member of staff, by what their role is called; their own name is the shop's affair.
    Staff(Localized),
    /// A till, by its name.
    Till(String),
}

/// What a member of staff or a till did with a customer's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// When; of several the last time.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: Reader,
    /// What, as `area.verb`.
    pub action: String,
    /// Why, in a word; of a till its scope, and by what it found the customer.
    pub reason: String,
    /// The number of the request that it was about.
    pub request: Option<i64>,
    /// How often: reads of the same that follow soon are told as one.
    pub times: i64,
}

/// For how long reads of the same by the same reader are told as one.
const TOGETHER: TimeDelta = TimeDelta::minutes(10);

/// How many rows of the log are read at once: a reader who looks again and again makes more of them than are told.
const READ: usize = 500;

#[derive(sqlx::FromRow)]
struct LookRow {
    id: AuditId,
    at: DateTime<Utc>,
    actor_id: Option<Uuid>,
    object_id: Option<Uuid>,
    role: Option<Json<Localized>>,
    till: Option<String>,
    request: Option<i64>,
    action: String,
    reason: String,
}

impl LookRow {
    /// What two reads have in common that are told as one.
    fn is_like(&self, other: &Self) -> bool {
        (self.actor_id, self.object_id) == (other.actor_id, other.object_id)
            && (&self.action, &self.reason) == (&other.action, &other.reason)
    }

    fn told(self, times: i64) -> Look {
        let by = match (self.role, self.till) {
            (Some(Json(role)), _) => Reader::Staff(role),
            (None, till) => Reader::Till(till.unwrap_or_default()),
        };
        Look {
            at: self.at,
            by,
            action: self.action,
            reason: self.reason,
            request: self.request,
            times,
        }
    }
}

/// What staff and tills read and changed of a customer, newest first, those before `before`; and the place where the next
/// page begins, if there is more. That the customer was looked at because of a request is left out: the request that was
/// read says so itself. So is that staff told why they open a card: what they read there says so.
pub async fn of_customer(
    conn: &mut Conn,
    of: Subject,
    before: Option<Before>,
    limit: usize,
) -> Result<(Vec<Look>, Option<Before>), Error> {
    const SQL: &str = "SELECT a.id, a.at, a.actor_id, a.object_id, r.name AS role, t.name AS till, q.number AS request, \
                       a.action, a.reason FROM audit a LEFT JOIN staff s ON s.id = a.actor_id \
                       LEFT JOIN roles r ON r.code = s.role LEFT JOIN tills t ON t.id = a.actor_id \
                       LEFT JOIN requests q ON q.id = a.object_id \
                       WHERE a.customer_id = $1 AND a.actor IN ('staff', 'till') AND (a.at, a.id) < ($2, $3) \
                       AND NOT (a.action = 'customer.read' AND a.reason = 'request') AND a.action <> 'customer.why' \
                       ORDER BY a.at DESC, a.id DESC LIMIT $4";
    let (at, id) = before.unwrap_or((far(), Uuid::max()));
    let rows: Vec<LookRow> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .bind(at)
        .bind(id)
        .bind(READ as i64)
        .fetch_all(c)
        .await)?;
    let mut has_more = rows.len() == READ;
    let mut looks: Vec<(LookRow, i64)> = Vec::new();
    let mut last = None;
    for row in rows {
        let place = (row.at, row.id.0);
        let is_read = row.action.ends_with(".read");
        let known = looks
            .iter()
            .position(|(look, _)| is_read && look.is_like(&row) && look.at - row.at < TOGETHER);
        match known {
            Some(known) => looks[known].1 += 1,
            None if looks.len() == limit => {
                has_more = true;
                break;
            }
            None => looks.push((row, 1)),
        }
        last = Some(place);
    }
    let looks = looks.into_iter().map(|(row, times)| row.told(times)).collect();
    Ok((looks, last.filter(|_| has_more)))
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

/// Why something was changed, in the words of whoever did, and below what differs since: see [`reasoned`].
pub(crate) fn because<T: Serialize>(reason: &str, before: &T, after: &T) -> String {
    format!("{reason}\n{}", difference(before, after))
}

/// What [`because`] wrote: the words, and what was changed. A line of what differs has no break in it, the words may. Of any other
/// text all is words.
pub fn reasoned(text: &str) -> (&str, Vec<Changed>) {
    let Some((words, line)) = text.rsplit_once('\n') else {
        return (text, Vec::new());
    };
    match read_back(line) {
        changed if changed.is_empty() => (text, changed),
        changed => (words, changed),
    }
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

/// What was done with something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: DateTime<Utc>,
    /// The name of who did it, or of the system that sent it; none: the time had come.
    pub by: Option<String>,
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
    /// An article of the help.
    HelpArticle(HelpArticleId),
    /// A promotion.
    Promotion(PromotionId),
}

/// What was done with something by staff, by another system and when its time had come, the newest first. Who merely looked, or
/// saved the log of it, did nothing.
pub async fn of_object(conn: &mut Conn, by: &Staff, object: Object, limit: i64) -> Result<Vec<Act>, Error> {
    const SQL: &str = "SELECT a.at, COALESCE(s.name, t.name), a.action, a.reason FROM audit a \
                       LEFT JOIN staff s ON s.id = a.actor_id LEFT JOIN tills t ON t.id = a.actor_id \
                       WHERE a.object_id = $1 AND a.actor IN ('staff', 'till', 'system') \
                       AND a.action NOT LIKE '%.read' AND a.action <> 'audit.export' ORDER BY a.at DESC, a.id DESC LIMIT $2";
    let (right, id) = match object {
        Object::Store(id) => (Right::Shops, id.0),
        Object::Category(id) => (Right::Shops, id.0),
        Object::Article(id) => (Right::Shops, id.0),
        Object::HelpArticle(id) => (Right::Help, id.0),
        Object::Promotion(id) => (Right::Rules, id.0),
    };
    by.may(right)?;
    let rows: Vec<(DateTime<Utc>, Option<String>, String, String)> =
        on!(conn, |c| sqlx::query_as(SQL).bind(id).bind(limit).fetch_all(c).await)?;
    let act = |(at, by, action, reason): (DateTime<Utc>, Option<String>, String, String)| Act {
        at,
        by,
        action,
        changed: read_back(&reason),
    };
    Ok(rows.into_iter().map(act).collect())
}

/// What is asked about, where somebody wants to know who changed it last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last<'a> {
    /// A thing, by its id.
    Of(Uuid),
    /// What is known of a customer.
    Customer(CustomerId),
    /// What has none, by what was done: an action, and what the reason begins with.
    Done(&'a str, &'a str),
}

/// When staff changed something last, and the name of who did: for a colleague who was not quick enough.
pub async fn last_change(conn: &mut Conn, _by: &Staff, of: Last<'_>) -> Result<Option<(DateTime<Utc>, String)>, Error> {
    const OF: &str = "SELECT a.at, s.name FROM audit a JOIN staff s ON s.id = a.actor_id WHERE a.object_id = $1 \
                      AND a.action NOT LIKE '%.read' AND a.action <> 'audit.export' \
                      ORDER BY a.at DESC, a.id DESC LIMIT 1";
    const DONE: &str = "SELECT a.at, s.name FROM audit a JOIN staff s ON s.id = a.actor_id WHERE a.action = $1 \
                        AND a.reason LIKE $2 ESCAPE '\\' ORDER BY a.at DESC, a.id DESC LIMIT 1";
    const CUSTOMER: &str = "SELECT a.at, s.name FROM audit a JOIN staff s ON s.id = a.actor_id WHERE a.customer_id = $1 \
                            AND a.action IN ('customer.correct', 'questionnaire.note') \
                            ORDER BY a.at DESC, a.id DESC LIMIT 1";
    let found = match of {
        Last::Customer(customer) => on!(conn, |c| sqlx::query_as(CUSTOMER)
            .bind(customer)
            .fetch_optional(c)
            .await)?,
        Last::Of(id) => on!(conn, |c| sqlx::query_as(OF).bind(id).fetch_optional(c).await)?,
        Last::Done(action, begins) => {
            let begins = format!("{}%", db::like(begins));
            on!(conn, |c| sqlx::query_as(DONE)
                .bind(action)
                .bind(&begins)
                .fetch_optional(c)
                .await)?
        }
    };
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn why_something_was_changed_stands_above_what_differs() {
        let (before, after) = (json!({"name": "A\nna"}), json!({"name": "Anna"}));
        let text = because("Passport\nshown: 1 → 2", &before, &after);
        let (words, changed) = reasoned(&text);
        assert_eq!(words, "Passport\nshown: 1 → 2");
        let is = (changed[0].was.clone(), changed[0].is.clone());
        assert_eq!((changed.len(), is), (1, (json!("A\nna"), json!("Anna"))));
        for words in ["Passport", "", "Passport\nshown"] {
            assert_eq!(reasoned(words), (words, Vec::new()));
        }
    }

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
