//! Claims: a receipt that was given without a card is attached to whoever holds it, once.

use super::Way;
use super::code::receipt_code;
use super::photo::Photo;
use crate::customer::store as customers;
use crate::db::{Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::{self, Check, Flaw};
use crate::id::{CustomerId, LineId, PurchaseId, StoreId};
use crate::limits;
use crate::on;
use crate::points::TransactionKind;
use crate::points::store::{self as points, Occasion, Sale, Sold, returns};
use crate::request::Upload;
use crate::rule::store::timeline;
use crate::rule::tier;
use crate::staff::Right;
use crate::staff::store::REASON_MAX;
use crate::who::{Customer, Fresh, Reason, Staff};
use chrono::{DateTime, Duration, Utc};
use std::collections::{BTreeSet, HashSet};

/// How many codes a customer may try within an hour: those of fiscal receipts are no secrets to who saw the next one.
const TRIES: u32 = 10;

#[derive(sqlx::FromRow)]
struct Row {
    id: PurchaseId,
    customer_id: Option<CustomerId>,
    store_id: Option<StoreId>,
    at: DateTime<Utc>,
    channel: Option<String>,
    payments: String,
    is_voided: bool,
}

/// Attaches the receipt of a code to a customer: it earns by the terms that counted when it was bought, in the programs of
/// which they are a member now; what came back of it earns nothing. One that is theirs already is left as it is. The field
/// is `receipt`: [`Flaw::NoReceipt`], [`Flaw::ClaimedBefore`] by somebody else, [`Flaw::TooLate`]; and [`Error::TooMany`].
pub async fn claim(db: &Db, by: &Customer, raw: &str) -> Result<PurchaseId, Error> {
    let code = receipt_code(raw).ok_or_else(|| match raw.trim() {
        "" => Error::field("receipt", Flaw::Missing),
        _ => Error::field("receipt", Flaw::NoReceipt),
    })?;
    take_try(db, by).await?;
    claim_by_code(db, by, &code).await
}

/// The same by a photo of the receipt's QR code. What is wrong with the photo stands at `files`.
pub async fn claim_by_photo(db: &Db, by: &Customer, files: &[Upload]) -> Result<PurchaseId, Error> {
    let photo = Photo::check(files, db.shop().attachments)?;
    // To look for a code takes more than anything else that a form may ask for.
    take_try(db, by).await?;
    claim_by_code(db, by, &photo.code().await?).await
}

async fn claim_by_code(db: &Db, by: &Customer, code: &str) -> Result<PurchaseId, Error> {
    db.write(|tx| {
        scoped(async move {
            let (purchase, is_new) = claim_in(tx, by.id(), code).await?;
            if is_new {
                by.record(tx, "purchase.claim", Some(purchase.0)).await?;
            }
            Ok(purchase)
        })
    })
    .await
}

/// The same by staff, to whom the customer has shown the receipt. One that is theirs already is [`Flaw::Taken`]. A field more:
/// `reason`, which is written down.
pub async fn claim_by_staff(
    db: &Db,
    by: &Fresh<'_, Staff>,
    customer: CustomerId,
    raw: &str,
    reason: &str,
) -> Result<PurchaseId, Error> {
    by.may(Right::Purchases)?;
    let mut check = Check::new();
    let code = check.field(
        "receipt",
        receipt_code(raw).ok_or(match raw.trim() {
            "" => Flaw::Missing,
            _ => Flaw::NoReceipt,
        }),
    );
    let reason = check.field("reason", flaw::text(reason, REASON_MAX));
    let (Some(code), Some(reason)) = (&code, &reason) else {
        return Err(Error::Invalid(check.flaws()));
    };
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, customer, Reason::Card).await?;
            customers::is_alive(tx, customer).await?;
            let (purchase, is_new) = claim_in(tx, customer, code).await?;
            if !is_new {
                return Err(Error::field("receipt", Flaw::Taken));
            }
            by.record(tx, "purchase.attach", Some(customer), Some(purchase.0), reason)
                .await?;
            Ok(purchase)
        })
    })
    .await
}

async fn take_try(db: &Db, by: &Customer) -> Result<(), Error> {
    let key = &format!("claim:{}", by.id());
    // Counted by itself: what is refused is undone, and would be forgotten.
    let may = db
        .write(|tx| scoped(async move { limits::take(tx, key, TRIES).await }))
        .await?;
    if may {
        Ok(())
    } else {
        Err(Error::TooMany { retry_after: 3600 })
    }
}

/// What is known of a receipt that is held.
macro_rules! held {
    ($where:literal) => {
        // Changes nothing: whoever else claims or voids it is done by then.
        concat!(
            "UPDATE purchases SET total = total WHERE kind = 'sale' AND ",
            $where,
            " RETURNING id, customer_id, store_id, at, channel, payments, voided_at IS NOT NULL AS is_voided"
        )
    };
}

/// Attaches the receipt; false where it was the customer's already.
async fn claim_in(tx: &mut Tx, customer: CustomerId, code: &str) -> Result<(PurchaseId, bool), Error> {
    const HOLD: &str = held!("receipt_code = $1");
    let oldest = tx.now() - Duration::days(tx.shop().points.claim_days);
    let known: Option<Row> = on!(tx, |c| sqlx::query_as(HOLD).bind(code).fetch_optional(c).await)?;
    let no = |flaw| Error::field("receipt", flaw);
    let row = known.filter(|row| !row.is_voided).ok_or_else(|| no(Flaw::NoReceipt))?;
    match row.customer_id {
        Some(holder) if holder == customer => return Ok((row.id, false)),
        Some(_) => return Err(no(Flaw::ClaimedBefore)),
        None if row.at < oldest => return Err(no(Flaw::TooLate)),
        None => {}
    }
    let id = row.id;
    attach(tx, customer, row).await?;
    Ok((id, true))
}

/// Gives a receipt that is nobody's to a customer, however old it is and whether it has a code or not.
pub(super) async fn give(tx: &mut Tx, customer: CustomerId, purchase: PurchaseId) -> Result<(), Error> {
    const HOLD: &str = held!("id = $1 AND customer_id IS NULL AND voided_at IS NULL");
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(HOLD).bind(purchase).fetch_optional(c).await)?;
    attach(tx, customer, row.ok_or(Error::Stale)?).await
}

async fn attach(tx: &mut Tx, customer: CustomerId, row: Row) -> Result<(), Error> {
    const CLAIM: &str = "UPDATE purchases SET customer_id = $2, claimed_at = $3 WHERE id = $1";
    // What came back of it before it was anybody's.
    const RETURNS: &str = "UPDATE purchases SET customer_id = $2 WHERE customer_id IS NULL AND id IN \
        (SELECT r.purchase_id FROM purchase_lines r JOIN purchase_lines o ON o.id = r.original_line_id \
        WHERE o.purchase_id = $1) RETURNING at";
    const HOLD_LINES: &str = "UPDATE purchase_lines SET returned = returned WHERE purchase_id = $1 AND quantity > 0";
    const LINES: &str = "SELECT l.id AS line, l.article_id AS article, l.quantity, l.price, l.discount, \
                         CAST(COALESCE((SELECT SUM(g.amount) FROM grants g WHERE g.line_id = l.id AND g.kind = 'discount' \
                         AND g.purchase_id = l.purchase_id), 0) AS BIGINT) AS taken, a.payable \
                         FROM purchase_lines l JOIN articles a ON a.id = l.article_id \
                         WHERE l.purchase_id = $1 AND l.quantity > 0 ORDER BY l.ordinal";
    const BACK: &str = "SELECT r.purchase_id, o.id FROM purchase_lines o JOIN purchase_lines r ON r.original_line_id = o.id \
                        JOIN purchases p ON p.id = r.purchase_id WHERE o.purchase_id = $1 AND p.voided_at IS NULL \
                        ORDER BY o.id, p.at, p.id";
    let now = tx.now();
    on!(tx, |c| sqlx::query(CLAIM)
        .bind(row.id)
        .bind(customer)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    tx.touch(row.at);
    let back: Vec<DateTime<Utc>> = on!(tx, |c| sqlx::query_scalar(RETURNS)
        .bind(row.id)
        .bind(customer)
        .fetch_all(c)
        .await)?;
    for at in back {
        tx.touch(at);
    }
    on!(tx, |c| sqlx::query(HOLD_LINES).bind(row.id).execute(c).await.map(drop))?;
    let lines: Vec<Sold> = on!(tx, |c| sqlx::query_as(LINES).bind(row.id).fetch_all(c).await)?;
    let sale = Sale {
        purchase: row.id,
        customer: Some(customer),
        at: row.at,
        member_at: now,
        store: row.store_id,
        way: Way::from_words(row.channel.as_deref(), &row.payments),
        coupons: Vec::new(),
        points_used: 0,
        occasion: Occasion::Claimed,
        lines,
    };
    let timeline = timeline(tx).await?;
    // What else they bought is booked already, whatever its time.
    points::accrue(tx, &timeline, &[sale], &HashSet::new()).await?;
    // What came back of it earned nothing after all; it stands with the return that brought it.
    let back: Vec<(PurchaseId, LineId)> = on!(tx, |c| sqlx::query_as(BACK).bind(row.id).fetch_all(c).await)?;
    let mut seen = BTreeSet::new();
    for (back, line) in back
        .into_iter()
        .filter(|(_, line)| seen.insert(*line))
        .collect::<Vec<_>>()
    {
        returns::take_back(tx, TransactionKind::Return, back, now, &[line]).await?;
    }
    tier::store::refresh(tx, &timeline, &BTreeSet::from([customer])).await?;
    Ok(())
}
