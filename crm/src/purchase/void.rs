//! Voids: a receipt that was a mistake counts no more. It stays in the books, and so does all that it moved; the opposite
//! is booked beside it.

use super::store;
use crate::db::{self, Db, Tx, scoped};
use crate::error::{Error, holds_database_errors};
use crate::id::{CustomerId, LineId, PurchaseId};
use crate::invite::store as invitations;
use crate::on;
use crate::points::TransactionKind;
use crate::points::store::{SpendError, returns};
use crate::rule::store::timeline;
use crate::rule::tier;
use crate::webhook::event::Cause;
use crate::who::System;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// Why a receipt was not voided; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum VoidError {
    /// Something of it came back: void those returns first.
    #[error("something of it was returned: void the returns first")]
    Returned,
    /// Points that the return gave back have been spent since, and cannot pay for the goods again.
    #[error("{missing} hundredths of a point are missing")]
    NotEnough {
        /// How many are missing, in hundredths.
        missing: i64,
    },
    /// Everything else.
    #[error(transparent)]
    Crm(#[from] Error),
}

holds_database_errors!(VoidError);

impl From<SpendError> for VoidError {
    fn from(e: SpendError) -> Self {
        match e {
            SpendError::NotEnough { missing } => Self::NotEnough { missing },
            SpendError::Crm(e) => Self::Crm(e),
            other => Self::Crm(db::Error::Inconsistent(other.to_string()).into()),
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: LineId,
    quantity: i64,
    returned: i64,
    original_line_id: Option<LineId>,
}

/// Voids a receipt, once: what a sale earned is taken back and what points had paid for goes back, as if all of it came
/// back; a return is undone, so that its sale stands as before. [`Error::NotFound`] for a receipt that is not there.
pub async fn void(db: &Db, by: &System, source: &str, document: &str) -> Result<PurchaseId, VoidError> {
    db.write(|tx| scoped(void_in(tx, by, source, document))).await
}

/// The same, within a transaction.
pub async fn void_in(tx: &mut Tx, _by: &System, source: &str, document: &str) -> Result<PurchaseId, VoidError> {
    const VOID: &str = "UPDATE purchases SET voided_at = $3, receipt_code = NULL WHERE source = $1 AND document = $2 AND voided_at IS NULL \
         RETURNING id, customer_id, at";
    const KNOWN: &str = "SELECT id FROM purchases WHERE source = $1 AND document = $2";
    let now = tx.now();
    // Its code is free again: the same paper is sent anew, under another number and as it should have been.
    let voided: Option<(PurchaseId, Option<CustomerId>, DateTime<Utc>)> = on!(tx, |c| sqlx::query_as(VOID)
        .bind(source)
        .bind(document)
        .bind(now)
        .fetch_optional(c)
        .await)?;
    let Some((id, customer, at)) = voided else {
        let known: Option<PurchaseId> = on!(tx, |c| sqlx::query_scalar(KNOWN)
            .bind(source)
            .bind(document)
            .fetch_optional(c)
            .await)?;
        return Ok(known.ok_or(Error::NotFound)?);
    };
    tx.happened(Cause::Voided(id));
    tx.touch(at);
    undo(tx, id, customer).await?;
    Ok(id)
}

/// Takes back whatever a receipt moved that has just been voided.
pub(super) async fn undo(tx: &mut Tx, id: PurchaseId, customer: Option<CustomerId>) -> Result<(), VoidError> {
    const LINES: &str = "UPDATE purchase_lines SET returned = returned WHERE purchase_id = $1 \
                         RETURNING id, quantity, returned, original_line_id";
    const UNDO: &str = "UPDATE purchase_lines SET returned = returned - $2 WHERE id = $1";
    let now = tx.now();
    let lines: Vec<Row> = on!(tx, |c| sqlx::query_as(LINES).bind(id).fetch_all(c).await)?;
    if lines.iter().any(|line| line.quantity > 0 && line.returned > 0) {
        return Err(VoidError::Returned);
    }
    let mut sold: Vec<LineId> = lines
        .iter()
        .filter(|line| line.quantity > 0)
        .map(|line| line.id)
        .collect();
    sold.sort_unstable();
    let mut undone = BTreeSet::new();
    for line in &lines {
        if let Some(original) = line.original_line_id {
            on!(tx, |c| sqlx::query(UNDO)
                .bind(original)
                .bind(-line.quantity)
                .execute(c)
                .await
                .map(drop))?;
            undone.insert(original);
        }
    }
    let undone: Vec<LineId> = undone.into_iter().collect();
    if !undone.is_empty() {
        returns::give_again(tx, id, now, &undone).await?;
        returns::pay_again(tx, id, now, &undone).await?;
    }
    if !sold.is_empty() {
        returns::give_back(tx, id, now, &sold).await?;
        returns::take_back(tx, TransactionKind::Void, id, now, &sold).await?;
        invitations::forget(tx, id).await?;
    }
    let timeline = timeline(tx).await?;
    let mut buyers = store::owners(tx, &undone).await?;
    buyers.extend(customer);
    tier::store::refresh(tx, &timeline, &buyers).await?;
    Ok(())
}
