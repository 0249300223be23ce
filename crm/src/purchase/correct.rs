//! Receipts that staff correct: whose one is, and in which shop it was. What came back of one, or that it was a mistake, is in
//! [`super::amend`].

use super::amend::{self, Effect};
use super::claim;
use super::void::{self, VoidError};
use crate::customer::store as customers;
use crate::db::{self, Bind, Db, Rows, Tx, scoped};
use crate::error::Error;
use crate::flaw::{self, Flaw};
use crate::id::{ArticleId, CustomerId, LineId, PurchaseId, StoreId};
use crate::on;
use crate::points::store as points;
use crate::report::store as report;
use crate::staff::Right;
use crate::staff::store::REASON_MAX;
use crate::who::{Fresh, Reason, Staff, System};
use chrono::{DateTime, Utc};

/// Takes a sale off a customer whose it is not. For them it is void: what it earned is taken back, what points had paid goes
/// back, and it stays in the books under its number with its id behind it. A copy under the number itself is nobody's, so that
/// tills find it and whoever bought it can claim it. Field: `reason`, which is written down and told to the customer.
/// [`Error::NotFound`] for what is not theirs; [`Error::Stale`] for one that is void already, and for one of which something came back.
pub async fn detach(
    db: &Db,
    by: &Fresh<'_, Staff>,
    customer: CustomerId,
    purchase: PurchaseId,
    reason: &str,
) -> Result<(), Error> {
    by.may(Right::Purchases)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            take_off(tx, by, customer, purchase, reason).await?;
            Ok(())
        })
    })
    .await
}

/// The same, and gives it to whose it is, by the terms of the day on which it was bought. [`Error::Stale`] where that account is
/// nobody's any more, too; [`Flaw::NotTheOne`] at `to` where both are one.
pub async fn hand_over(
    db: &Db,
    by: &Fresh<'_, Staff>,
    (customer, purchase): (CustomerId, PurchaseId),
    to: CustomerId,
    reason: &str,
) -> Result<(), Error> {
    by.may(Right::Purchases)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    if to == customer {
        return Err(Error::field("to", Flaw::NotTheOne));
    }
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, to, Reason::Card).await?;
            customers::hold(tx, to).await?;
            customers::is_alive(tx, to).await?;
            let copy = take_off(tx, by, customer, purchase, reason).await?;
            claim::give(tx, to, copy).await?;
            by.record(tx, "purchase.attach", Some(to), Some(copy.0), reason).await?;
            Ok(())
        })
    })
    .await
}

/// Takes a receipt off, and tells whose it was; the copy that is nobody's.
async fn take_off(
    tx: &mut Tx,
    by: &Staff,
    customer: CustomerId,
    purchase: PurchaseId,
    reason: &str,
) -> Result<PurchaseId, Error> {
    by.open_in(tx, customer, Reason::Card).await?;
    let before = amend::settled(tx, customer).await?;
    void_one(tx, customer, purchase).await?;
    let after = points::balance(tx, System::at_the_command_line().subject(customer)).await?;
    let (copy, document) = copy(tx, purchase).await?;
    by.record(tx, "purchase.detach", Some(customer), Some(purchase.0), reason)
        .await?;
    let points = Effect::between(&before, &after).total();
    amend::tell(tx, customer, (&document, purchase.0), points, reason).await?;
    Ok(copy)
}

/// Voids it for its customer. Other systems are not told that it is void: the goods were sold.
async fn void_one(tx: &mut Tx, customer: CustomerId, purchase: PurchaseId) -> Result<(), Error> {
    const VOID: &str = "UPDATE purchases SET voided_at = $3 WHERE id = $1 AND customer_id = $2 AND kind = 'sale' \
                        AND voided_at IS NULL RETURNING at";
    const THEIRS: &str = "SELECT COUNT(*) FROM purchases WHERE id = $1 AND customer_id = $2 AND kind = 'sale'";
    let now = tx.now();
    let voided: Option<DateTime<Utc>> = on!(tx, |c| sqlx::query_scalar(VOID)
        .bind(purchase)
        .bind(customer)
        .bind(now)
        .fetch_optional(c)
        .await)?;
    let Some(at) = voided else {
        let theirs: i64 = on!(tx, |c| sqlx::query_scalar(THEIRS)
            .bind(purchase)
            .bind(customer)
            .fetch_one(c)
            .await)?;
        return Err(if theirs > 0 { Error::Stale } else { Error::NotFound });
    };
    tx.touch(at);
    void::undo(tx, purchase, Some(customer)).await.map_err(|e| match e {
        VoidError::Crm(e) => e,
        VoidError::Returned | VoidError::NotEnough { .. } => Error::Stale,
    })
}

#[derive(sqlx::FromRow)]
struct LineRow {
    ordinal: i64,
    article_id: ArticleId,
    quantity: i64,
    price: i64,
    discount: i64,
    amount: i64,
}

/// Puts a copy that is nobody's in the place of a receipt, under its number and its code; the copy, and its number.
async fn copy(tx: &mut Tx, purchase: PurchaseId) -> Result<(PurchaseId, String), Error> {
    const HEAD: &str = "SELECT document, receipt_code FROM purchases WHERE id = $1";
    const AWAY: &str = "UPDATE purchases SET document = $2, receipt_code = NULL WHERE id = $1";
    const COPY: &str = "INSERT INTO purchases (id, source, document, kind, store_id, at, line_count, total, till_id, receipt_code, \
                        channel, payments) SELECT $2, source, $3, kind, store_id, at, line_count, total, till_id, $4, channel, \
                        payments FROM purchases WHERE id = $1";
    const LINES: &str = "SELECT ordinal, article_id, quantity, price, discount, amount FROM purchase_lines \
                         WHERE purchase_id = $1 ORDER BY ordinal";
    let new = PurchaseId::new();
    let (document, code): (String, Option<String>) =
        on!(tx, |c| sqlx::query_as(HEAD).bind(purchase).fetch_one(c).await)?;
    on!(tx, |c| sqlx::query(AWAY)
        .bind(purchase)
        .bind(format!("{document}~{purchase}"))
        .execute(c)
        .await
        .map(drop))?;
    on!(tx, |c| sqlx::query(COPY)
        .bind(purchase)
        .bind(new)
        .bind(&document)
        .bind(code.as_deref())
        .execute(c)
        .await
        .map(drop))?;
    let lines: Vec<LineRow> = on!(tx, |c| sqlx::query_as(LINES).bind(purchase).fetch_all(c).await)?;
    let mut rows = Rows::new(
        "INSERT INTO purchase_lines (id, purchase_id, ordinal, article_id, quantity, price, discount, amount)",
        "",
    );
    for line in lines {
        rows.push([
            Bind::Id(LineId::new().0),
            Bind::Id(new.0),
            Bind::Int(line.ordinal),
            Bind::Id(line.article_id.0),
            Bind::Int(line.quantity),
            Bind::Int(line.price),
            Bind::Int(line.discount),
            Bind::Int(line.amount),
        ]);
    }
    db::insert(tx, rows).await?;
    Ok((new, document))
}

/// Corrects in which shop something was bought. What it earned stays as it is. `seen` is the one that stood there: [`Error::Stale`]
/// where it is another one by now. Fields: `store`, with [`Flaw::NotAChoice`] for
/// none and for the one that stands there; `reason`, which is written down. [`Error::NotFound`] for what is not theirs.
pub async fn set_store(
    db: &Db,
    by: &Staff,
    (customer, purchase): (CustomerId, PurchaseId),
    seen: Option<StoreId>,
    store: Option<StoreId>,
    reason: &str,
) -> Result<(), Error> {
    // Nobody else corrects it meanwhile.
    const HOLD: &str = "UPDATE purchases SET store_id = store_id \
                        WHERE id = $1 AND customer_id = $2 AND voided_at IS NULL RETURNING store_id";
    const CODE: &str = "SELECT code FROM stores WHERE id = $1";
    const SET: &str = "UPDATE purchases SET store_id = $2 WHERE id = $1 RETURNING at";
    by.may(Right::Purchases)?;
    let mut check = flaw::Check::new();
    let store = check.field("store", store.ok_or(Flaw::NotAChoice));
    let reason = check.field("reason", flaw::text(reason, REASON_MAX));
    let (Some(store), Some(reason)) = (store, &reason) else {
        return Err(Error::Invalid(check.flaws()));
    };
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, customer, Reason::Card).await?;
            let held: Option<Option<StoreId>> = on!(tx, |c| sqlx::query_scalar(HOLD)
                .bind(purchase)
                .bind(customer)
                .fetch_optional(c)
                .await)?;
            let held = held.ok_or(Error::NotFound)?;
            if held != seen {
                return Err(Error::Stale);
            }
            let was: Option<String> = on!(tx, |c| sqlx::query_scalar(CODE).bind(held).fetch_optional(c).await)?;
            let is: Option<String> = on!(tx, |c| sqlx::query_scalar(CODE).bind(store).fetch_optional(c).await)?;
            let is = is.filter(|_| held != Some(store));
            let is = is.ok_or(Error::field("store", Flaw::NotAChoice))?;
            let at: DateTime<Utc> = on!(tx, |c| sqlx::query_scalar(SET)
                .bind(purchase)
                .bind(store)
                .fetch_one(c)
                .await)?;
            tx.touch(at);
            report::touch_points(tx, purchase).await?;
            let reason = format!("{reason} ({} → {is})", was.as_deref().unwrap_or("—"));
            by.record(tx, "purchase.store", Some(customer), Some(purchase.0), &reason)
                .await?;
            Ok(())
        })
    })
    .await
}
