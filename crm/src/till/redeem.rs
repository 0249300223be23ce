//! Points that pay at a till. A reservation is known to the tills of its source alone.

use super::{Scope, counter};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::id::{CustomerId, ReservationId};
use crate::on;
use crate::points::store::{SpendError, spending};
use crate::points::{self, Reservation};
use crate::who::{Subject, Till};

/// What a till wants to be promised.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Whose points.
    pub customer: CustomerId,
    /// Of which program, by its code; none: the first that everybody is a member of.
    pub program: Option<&'a str>,
    /// How many, in hundredths.
    pub points: i64,
    /// The till's own key: the same wish under it is the same reservation.
    pub key: &'a str,
}

/// Reserves points. Fails with [`Error::NotFound`] for nobody, and for a program that is not open.
pub async fn reserve(tx: &mut Tx, by: &Till, wish: &Wish<'_>) -> Result<Reservation, SpendError> {
    const SQL: &str = "SELECT COALESCE(merged_into, id) FROM customers WHERE id = $1";
    let system = by.with(Scope::Points)?;
    let found: Option<CustomerId> = on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(wish.customer)
        .fetch_optional(c)
        .await)?;
    let customer = found.ok_or(Error::NotFound)?;
    let wanted = points::Wish {
        source: by.source().to_owned(),
        // Tills of one source may well count alike.
        key: format!("{} {}", by.id(), wish.key),
        program: counter::program(tx, wish.program).await?,
        points: wish.points,
    };
    spending::reserve_in(tx, &system, system.subject(customer), &wanted).await
}

/// A reservation as it stands. [`Error::NotFound`] for one of another source.
pub async fn find(conn: &mut Conn, by: &Till, id: ReservationId) -> Result<Reservation, SpendError> {
    let subject = holder(conn, by, id).await?;
    spending::find(conn, subject, id).await
}

/// Takes reserved points for something that is no receipt.
pub async fn capture(tx: &mut Tx, by: &Till, id: ReservationId, points: i64) -> Result<Reservation, SpendError> {
    let system = by.with(Scope::Points)?;
    let subject = holder(tx, by, id).await?;
    spending::capture_in(tx, &system, subject, id, points, None).await
}

/// Lets a reservation go.
pub async fn cancel(tx: &mut Tx, by: &Till, id: ReservationId) -> Result<Reservation, SpendError> {
    let system = by.with(Scope::Points)?;
    let subject = holder(tx, by, id).await?;
    spending::cancel_in(tx, &system, subject, id).await
}

pub(super) async fn holder(conn: &mut Conn, by: &Till, id: ReservationId) -> Result<Subject, SpendError> {
    const SQL: &str = "SELECT customer_id FROM reservations WHERE id = $1 AND source = $2";
    let system = by.with(Scope::Points)?;
    let found: Option<CustomerId> = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(id)
        .bind(by.source())
        .fetch_optional(c)
        .await)?;
    Ok(system.subject(found.ok_or(Error::NotFound)?))
}
