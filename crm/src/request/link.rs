//! What a request has to do with something else: another request, a receipt, a line of one.

use super::Status;
use super::store::Held;
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::{CustomerId, LineId, LinkId, PurchaseId, RequestId};
use crate::lang::Localized;
use crate::on;
use crate::staff::Right;
use crate::who::{Staff, Subject};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

/// How two requests belong together, as staff say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bond {
    /// They have to do with each other.
    Related,
    /// They ask the same.
    Duplicate,
}

/// What kind of link it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Kind {
    /// See [`Bond::Related`].
    Related,
    /// See [`Bond::Duplicate`].
    Duplicate,
    /// The end of one became the other.
    Split,
    /// A receipt.
    Receipt,
    /// A line of a receipt.
    Line,
}

/// A link, as the page of a request shows it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Link {
    /// Its id.
    pub id: LinkId,
    /// What kind it is.
    pub kind: Kind,
    /// The number of the other request.
    pub number: Option<i64>,
    /// What that is about.
    pub topic: Option<Json<Localized>>,
    /// Where that stands.
    pub status: Option<Status>,
    /// The receipt, of a line too.
    pub purchase: Option<PurchaseId>,
    /// Its number.
    pub document: Option<String>,
    /// When it was.
    pub bought_at: Option<DateTime<Utc>>,
    /// The line's article.
    pub article: Option<String>,
}

/// Everything that a request has to do with, in the order in which it was found. Who has opened the request has opened these.
pub async fn of(conn: &mut Conn, by: &Staff, request: RequestId) -> Result<Vec<Link>, Error> {
    const SQL: &str = "SELECT l.id, l.kind, o.number, t.name AS topic, o.status, l.purchase_id AS purchase, p.document, \
                       p.at AS bought_at, a.name AS article FROM request_links l \
                       LEFT JOIN requests o ON o.id = CASE WHEN l.request_id = $1 THEN l.other_id ELSE l.request_id END \
                       LEFT JOIN topics t ON t.id = o.topic_id LEFT JOIN purchases p ON p.id = l.purchase_id \
                       LEFT JOIN purchase_lines i ON i.id = l.line_id LEFT JOIN articles a ON a.id = i.article_id \
                       WHERE l.request_id = $1 OR l.other_id = $1 ORDER BY l.at, l.id";
    by.may(Right::Requests)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(request).fetch_all(c).await)?)
}

/// A line of one of the customer's last purchases, to be chosen.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Bought {
    /// The receipt.
    pub purchase: PurchaseId,
    /// Its number.
    pub document: String,
    /// When it was.
    pub at: DateTime<Utc>,
    /// The line.
    pub line: LineId,
    /// Its article.
    pub article: String,
}

/// The lines of the customer's last purchases, so many purchases at most.
pub async fn bought(conn: &mut Conn, of: Subject, purchases: i64) -> Result<Vec<Bought>, Error> {
    const SQL: &str = "SELECT p.id AS purchase, p.document, p.at, l.id AS line, a.name AS article \
                       FROM purchases p JOIN purchase_lines l ON l.purchase_id = p.id JOIN articles a ON a.id = l.article_id \
                       WHERE p.id IN (SELECT q.id FROM purchases q WHERE q.customer_id = $1 AND q.voided_at IS NULL \
                       ORDER BY q.at DESC, q.id DESC LIMIT $2) ORDER BY p.at DESC, p.id DESC, l.ordinal";
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .bind(purchases)
        .fetch_all(c)
        .await)?)
}

/// What a new link leads to.
#[derive(Clone, Copy)]
pub(super) struct To {
    pub(super) kind: Kind,
    pub(super) other: Option<RequestId>,
    pub(super) purchase: Option<PurchaseId>,
    pub(super) line: Option<LineId>,
}

/// Writes a link down, unless there is the same one already.
pub(super) async fn put(tx: &mut Tx, by: &Staff, request: RequestId, to: To) -> Result<bool, Error> {
    const SQL: &str = "INSERT INTO request_links (id, request_id, kind, other_id, purchase_id, line_id, at, linked_by) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    const OTHER: &str = "SELECT COUNT(*) FROM request_links WHERE (request_id = $1 AND other_id = $2) \
                         OR (request_id = $2 AND other_id = $1)";
    const RECEIPT: &str =
        "SELECT COUNT(*) FROM request_links WHERE request_id = $1 AND purchase_id = $2 AND line_id IS NULL";
    const LINE: &str = "SELECT COUNT(*) FROM request_links WHERE request_id = $1 AND line_id = $2";
    let (known, id) = match (to.other, to.purchase, to.line) {
        (Some(other), ..) => (OTHER, Some(other.0)),
        (_, _, Some(line)) => (LINE, Some(line.0)),
        (_, purchase, _) => (RECEIPT, purchase.map(|purchase| purchase.0)),
    };
    let known: i64 = on!(tx, |c| sqlx::query_scalar(known)
        .bind(request)
        .bind(id)
        .fetch_one(c)
        .await)?;
    if known > 0 {
        return Ok(false);
    }
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(LinkId::new())
        .bind(request)
        .bind(to.kind)
        .bind(to.other)
        .bind(to.purchase)
        .bind(to.line)
        .bind(now)
        .bind(by.id())
        .execute(c)
        .await
        .map(drop))?;
    Ok(true)
}

/// Links a request with another one, whoever's that is. Fails with flaws at `number`.
pub async fn with_request(db: &Db, by: &Staff, number: i64, bond: Bond, other: &str) -> Result<(), Error> {
    by.may(Right::Requests)?;
    let other = typed_number(other).map_err(|flaw| Error::field("number", flaw))?;
    db.write(|tx| {
        scoped(async move {
            let strange = |e| match e {
                Error::NotFound => Error::field("number", Flaw::NoSuchNumber),
                e => e,
            };
            // Both are held, in one order: of two who link them with each other from either side the second is told.
            let (held, found) = if number < other {
                let held = Held::by_number(tx, number, None).await?;
                (held, Held::by_number(tx, other, None).await.map_err(strange)?)
            } else {
                let found = Held::by_number(tx, other, None).await.map_err(strange)?;
                (Held::by_number(tx, number, None).await?, found)
            };
            if found.id == held.id {
                return Err(Error::field("number", Flaw::NoSuchNumber));
            }
            let kind = match bond {
                Bond::Related => Kind::Related,
                Bond::Duplicate => Kind::Duplicate,
            };
            let to = To {
                kind,
                other: Some(found.id),
                purchase: None,
                line: None,
            };
            if !put(tx, by, held.id, to).await? {
                return Err(Error::field("number", Flaw::Taken));
            }
            note(tx, by, "request.link", &held).await
        })
    })
    .await
}

/// A number as it was typed, with or without the sign before it.
fn typed_number(raw: &str) -> Result<i64, Flaw> {
    match raw.trim().trim_start_matches(['#', '№']).trim() {
        "" => Err(Flaw::Missing),
        number => number.parse().map_err(|_| Flaw::NotANumber),
    }
}

/// A receipt of the customer, or a line of one, as a form brings it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// The id of a receipt or of a line, from the list; empty: what is typed counts.
    pub about: String,
    /// The number of a receipt.
    pub document: String,
    /// The place of a line in it, from 1; empty: the receipt as a whole.
    pub line: String,
}

/// Links a request with a receipt of its customer, or with a line of one. Fails with flaws at `about`, `document` and `line`.
pub async fn with_purchase(db: &Db, by: &Staff, number: i64, chosen: &Chosen) -> Result<(), Error> {
    by.may(Right::Requests)?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::by_number(tx, number, None).await?;
            let (purchase, line) = match chosen.about.trim() {
                "" => by_document(tx, held.customer_id, chosen).await?,
                id => by_id(tx, held.customer_id, id).await?,
            };
            let to = To {
                kind: if line.is_some() { Kind::Line } else { Kind::Receipt },
                other: None,
                purchase: Some(purchase),
                line,
            };
            if !put(tx, by, held.id, to).await? {
                let field = if chosen.about.trim().is_empty() {
                    "document"
                } else {
                    "about"
                };
                return Err(Error::field(field, Flaw::Taken));
            }
            note(tx, by, "request.link", &held).await
        })
    })
    .await
}

type Found = (PurchaseId, Option<LineId>);

async fn by_id(tx: &mut Tx, of: CustomerId, id: &str) -> Result<Found, Error> {
    const RECEIPT: &str = "SELECT id FROM purchases WHERE id = $1 AND customer_id = $2";
    const LINE: &str = "SELECT p.id, l.id FROM purchase_lines l JOIN purchases p ON p.id = l.purchase_id \
                        WHERE l.id = $1 AND p.customer_id = $2";
    let no_choice = || Error::field("about", Flaw::NotAChoice);
    let id: PurchaseId = id.parse().map_err(|_| no_choice())?;
    let receipt: Option<PurchaseId> = on!(tx, |c| sqlx::query_scalar(RECEIPT)
        .bind(id)
        .bind(of)
        .fetch_optional(c)
        .await)?;
    if let Some(receipt) = receipt {
        return Ok((receipt, None));
    }
    let line: Option<(PurchaseId, LineId)> = on!(tx, |c| sqlx::query_as(LINE)
        .bind(LineId(id.0))
        .bind(of)
        .fetch_optional(c)
        .await)?;
    line.map(|(receipt, line)| (receipt, Some(line))).ok_or_else(no_choice)
}

/// Numbers of receipts are another till's too: the customer's newest counts.
async fn by_document(tx: &mut Tx, of: CustomerId, chosen: &Chosen) -> Result<Found, Error> {
    const RECEIPT: &str =
        "SELECT id FROM purchases WHERE customer_id = $1 AND document = $2 ORDER BY at DESC, id DESC LIMIT 1";
    const LINE: &str = "SELECT id FROM purchase_lines WHERE purchase_id = $1 AND ordinal = $2";
    let document = chosen.document.trim().trim_start_matches(['#', '№']).trim();
    if document.is_empty() {
        return Err(Error::field("about", Flaw::Missing));
    }
    // PostgreSQL keeps no text with a zero byte in it, and takes none to look for.
    let document = &document.replace('\0', " ");
    let receipt: Option<PurchaseId> = on!(tx, |c| sqlx::query_scalar(RECEIPT)
        .bind(of)
        .bind(document)
        .fetch_optional(c)
        .await)?;
    let receipt = receipt.ok_or_else(|| Error::field("document", Flaw::NoSuchNumber))?;
    if chosen.line.trim().is_empty() {
        return Ok((receipt, None));
    }
    let ordinal = typed_number(&chosen.line).map_err(|flaw| Error::field("line", flaw))?;
    let line: Option<LineId> = on!(tx, |c| sqlx::query_scalar(LINE)
        .bind(receipt)
        .bind(ordinal)
        .fetch_optional(c)
        .await)?;
    let line = line.ok_or_else(|| Error::field("line", Flaw::NoSuchNumber))?;
    Ok((receipt, Some(line)))
}

/// Takes a link away. What was divided stays so, and its link with it. Fails with [`Error::NotFound`].
pub async fn remove(db: &Db, by: &Staff, number: i64, id: LinkId) -> Result<(), Error> {
    const SQL: &str =
        "DELETE FROM request_links WHERE id = $1 AND kind <> 'split' AND (request_id = $2 OR other_id = $2)";
    by.may(Right::Requests)?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::by_number(tx, number, None).await?;
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(held.id)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::NotFound);
            }
            note(tx, by, "request.unlink", &held).await
        })
    })
    .await
}

async fn note(tx: &mut Tx, by: &Staff, action: &str, held: &Held) -> Result<(), Error> {
    let reason = crate::who::Reason::Request.as_str();
    Ok(by
        .record(tx, action, Some(held.customer_id), Some(held.id.0), reason)
        .await?)
}
