//! A stop to the spending of a customer's points, by staff: for a while points are neither reserved nor given away, as after
//! another main number ([`crate::contact::change`]); what is bought earns as ever. It is over by itself, staff lift it sooner, and
//! the customer is told of both, so that whoever was stopped by mistake can say so.

use super::Stop;
use crate::customer::store as customers;
use crate::db::{Conn, Db, scoped};
use crate::error::Error;
use crate::factor::Owner;
use crate::factor::store::hold;
use crate::flaw;
use crate::id::{CustomerId, FraudAlertId, SpendingStopId};
use crate::lang::Lang;
use crate::on;
use crate::signin::notice;
use crate::staff::Right;
use crate::staff::store::REASON_MAX;
use crate::who::{Fresh, Reason, Staff, Subject};
use chrono::Duration;

/// After how many days a stop is over by itself. Staff may stop again.
pub const DAYS: i64 = 14;

/// Stops the spending of somebody whom an alert is about. Field: `reason`, which is written down. [`Error::Stale`] where it is
/// stopped already or the account is gone, [`Error::NotFound`] where the alert is not about them.
pub async fn begin(db: &Db, by: &Staff, alert: FraudAlertId, customer: CustomerId, reason: &str) -> Result<(), Error> {
    const ABOUT: &str = "SELECT COUNT(*) FROM fraud_evidence WHERE customer_id = $1 AND alert_id = $2";
    const OVER: &str = "UPDATE spending_stops SET lifted_at = ends_at WHERE customer_id = $1 AND lifted_at IS NULL \
                        AND ends_at <= $2";
    const NEW: &str = "INSERT INTO spending_stops (id, customer_id, alert_id, staff_id, reason, created_at, ends_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    const LANGUAGE: &str = "SELECT language FROM customers WHERE id = $1";
    by.may(Right::Fraud)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, customer, Reason::Card).await?;
            let about: i64 = on!(tx, |c| sqlx::query_scalar(ABOUT)
                .bind(customer)
                .bind(alert)
                .fetch_one(c)
                .await)?;
            if about == 0 {
                return Err(Error::NotFound);
            }
            // Of this and a merge at the same moment one sees what the other did.
            hold(tx, Owner::Customer(customer)).await?;
            customers::is_alive(tx, customer).await?;
            let (id, now) = (SpendingStopId::new(), tx.now());
            let ends_at = now + Duration::days(DAYS);
            on!(tx, |c| sqlx::query(OVER)
                .bind(customer)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            let rows = on!(tx, |c| sqlx::query(NEW)
                .bind(id)
                .bind(customer)
                .bind(alert)
                .bind(by.id())
                .bind(reason)
                .bind(now)
                .bind(ends_at)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::Stale);
            }
            by.record(tx, "spending.stop", Some(customer), Some(id.0), reason)
                .await?;
            let lang: Lang = on!(tx, |c| sqlx::query_scalar(LANGUAGE).bind(customer).fetch_one(c).await)?;
            let until = lang.moment(tx.shop().local(ends_at));
            notice::send(tx, customer, "spending_stopped", &[("until", &until)]).await
        })
    })
    .await
}

/// Lifts it before it is over: whoever is stopped may spend at once what they took, so it takes a fresh proof. Field: `reason`, which is
/// written down. [`Error::Stale`] where there is none.
pub async fn lift(db: &Db, by: &Fresh<'_, Staff>, customer: CustomerId, reason: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE spending_stops SET lifted_at = $2, lifted_by = $3, lift_reason = $4 WHERE customer_id = $1 \
                       AND lifted_at IS NULL AND ends_at > $2 RETURNING id";
    by.may(Right::Fraud)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, customer, Reason::Card).await?;
            let now = tx.now();
            let id: Option<SpendingStopId> = on!(tx, |c| sqlx::query_scalar(SQL)
                .bind(customer)
                .bind(now)
                .bind(by.id())
                .bind(reason)
                .fetch_optional(c)
                .await)?;
            let id = id.ok_or(Error::Stale)?;
            by.record(tx, "spending.lift", Some(customer), Some(id.0), reason)
                .await?;
            notice::send(tx, customer, "spending_resumed", &[]).await
        })
    })
    .await
}

/// The stop that lasts, if there is one.
pub async fn of(conn: &mut Conn, subject: Subject) -> Result<Option<Stop>, Error> {
    const SQL: &str = "SELECT x.ends_at, x.reason, s.name AS \"by\" FROM spending_stops x JOIN staff s ON s.id = x.staff_id \
                       WHERE x.customer_id = $1 AND x.lifted_at IS NULL AND x.ends_at > $2";
    let now = conn.now();
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(subject.id())
        .bind(now)
        .fetch_optional(c)
        .await)?)
}
