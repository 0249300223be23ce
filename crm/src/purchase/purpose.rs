//! What a purchase was for: told by the customer on the receipt, or by staff who heard it.

use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::{CustomerId, PurchaseId};
use crate::lang::Localized;
use crate::on;
use crate::staff::Right;
use crate::who::{Customer, Staff};
use sqlx::types::Json;

/// What purchases may be for, code and name, in their order.
pub async fn all(conn: &mut Conn) -> Result<Vec<(String, Localized)>, Error> {
    const SQL: &str = "SELECT code, name FROM purchase_purposes ORDER BY position, code";
    let rows: Vec<(String, Json<Localized>)> = on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(code, name)| (code, name.0)).collect())
}

/// A customer tells it of a purchase of theirs; an empty code takes it back. Field: `purpose`. [`Error::NotFound`] for what is not
/// theirs.
pub async fn tell(db: &Db, by: &Customer, id: PurchaseId, code: &str) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            set(tx, by.id(), id, code).await?;
            Ok(by.record(tx, "purchase.purpose", Some(id.0)).await?)
        })
    })
    .await
}

/// Staff write it down for a customer, likewise. `seen` is the code that stood there, or nothing: [`Error::Stale`] where it is another
/// one by now.
pub async fn note(
    db: &Db,
    by: &Staff,
    (customer, id): (CustomerId, PurchaseId),
    seen: &str,
    code: &str,
) -> Result<(), Error> {
    // Nobody else says so meanwhile.
    const HOLD: &str = "UPDATE purchases SET purpose = purpose WHERE id = $1 AND customer_id = $2 RETURNING purpose";
    by.may(Right::Customers)?;
    db.write(|tx| {
        scoped(async move {
            let held: Option<Option<String>> = on!(tx, |c| sqlx::query_scalar(HOLD)
                .bind(id)
                .bind(customer)
                .fetch_optional(c)
                .await)?;
            if held.ok_or(Error::NotFound)?.unwrap_or_default() != seen {
                return Err(Error::Stale);
            }
            set(tx, customer, id, code).await?;
            by.record(tx, "purchase.purpose", Some(customer), Some(id.0), "")
                .await?;
            Ok(())
        })
    })
    .await
}

async fn set(tx: &mut Tx, customer: CustomerId, id: PurchaseId, code: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE purchases SET purpose = $3 WHERE id = $1 AND customer_id = $2";
    let code = Some(code).filter(|code| !code.is_empty());
    let purposes = all(tx).await?;
    if code.is_some_and(|code| purposes.iter().all(|(known, _)| known != code)) {
        return Err(Error::field("purpose", Flaw::NotAChoice));
    }
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(customer)
        .bind(code)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    match rows {
        0 => Err(Error::NotFound),
        _ => Ok(()),
    }
}
