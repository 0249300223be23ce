//! The cabinet as its customer sees it, looked at by staff: for a while, for a reason, and read only. It belongs to one session
//! of staff, and no page of it is shown that the customer does not read of ([`Staff::view`]). A [`crate::who::Viewer`] is no
//! [`crate::who::Customer`]: what changes something, and what shows a secret, does not take it.

use super::Right;
use super::store::REASON_MAX;
use crate::customer::store as customers;
use crate::db::{Db, scoped};
use crate::error::Error;
use crate::flaw;
use crate::id::{CustomerId, ViewId};
use crate::on;
use crate::who::{Reason, Staff};
use chrono::Duration;

/// How long it lasts.
pub const LASTS: Duration = Duration::minutes(15);

/// Ends the look of a session.
const END: &str = "UPDATE views SET ended_at = $2 WHERE session_id = $1 AND ended_at IS NULL";

/// Begins to look at a customer's cabinet; one that the session looked at before is over. Field: `reason`, which the customer
/// reads. [`Error::Stale`] where the account is no more.
pub async fn begin(db: &Db, by: &Staff, customer: CustomerId, reason: &str) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO views (id, staff_id, session_id, customer_id, reason, begun_at, ends_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    const HOLD: &str = "UPDATE sessions SET seen_at = seen_at WHERE id = $1";
    by.may(Right::ViewAs)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, customer, Reason::Card).await?;
            customers::is_alive(tx, customer).await?;
            // Of two at once the second ends what the first began.
            on!(tx, |c| sqlx::query(HOLD).bind(by.session()).execute(c).await.map(drop))?;
            let (id, now) = (ViewId::new(), tx.now());
            on!(tx, |c| sqlx::query(END)
                .bind(by.session())
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(by.id())
                .bind(by.session())
                .bind(customer)
                .bind(reason)
                .bind(now)
                .bind(now + LASTS)
                .execute(c)
                .await
                .map(drop))?;
            by.record(tx, "view.begin", Some(customer), Some(id.0), reason).await?;
            Ok(())
        })
    })
    .await
}

/// Ends the look of this session; whose cabinet it was. [`Error::Stale`] where it is over already.
pub async fn end(db: &Db, by: &Staff) -> Result<CustomerId, Error> {
    let viewing = by.viewing().ok_or(Error::Stale)?;
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let rows = on!(tx, |c| sqlx::query(END)
                .bind(by.session())
                .bind(now)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::Stale);
            }
            by.record(tx, "view.end", Some(viewing.customer), Some(viewing.id.0), "")
                .await?;
            Ok(viewing.customer)
        })
    })
    .await
}
