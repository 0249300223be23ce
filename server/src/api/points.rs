//! Points that pay: reserved, then captured or let go.

use super::problem::{Details, Problem};
use super::shapes::{Capture, NewReservation, Nothing, Reservation};
use super::{Answer, At, Call, Once, Sent};
use axum::Json;
use crm::db::scoped;
use crm::id::{CustomerId, ReservationId};
use crm::till::redeem;
use uuid::Uuid;

/// Reserves points of a customer for a while: nobody else spends them. How many is the customer's choice.
#[utoipa::path(post, path = "/api/v1/reservations", tag = "points", request_body = NewReservation, security(("key" = ["points"])),
    params(("Idempotency-Key" = String, Header, description = "8 to 100 characters", min_length = 8, max_length = 100)),
    responses(
        (status = 201, description = "Reserved", body = Reservation),
        (status = 404, description = "There is no such customer", body = Details),
        (status = 409, description = "`not_enough_points`, `frozen`, `key_reused`; `reused`: the key is that of an older \
            reservation, whose answer is not kept any more", body = Details)))]
pub(super) async fn reserve(call: Call, once: Once, sent: Sent<NewReservation>) -> Result<Answer, Problem> {
    let (till, body, key) = (&call.till, &sent.body, once.key());
    call.once(&once, &sent, |tx| {
        scoped(async move {
            let wish = redeem::Wish {
                customer: CustomerId(body.customer),
                program: body.program.as_deref(),
                points: body.points,
                key,
            };
            let held = redeem::reserve(tx, till, &wish).await?;
            Answer::made(true, &Reservation::from(held))
        })
    })
    .await
}

/// A reservation as it stands now.
#[utoipa::path(get, path = "/api/v1/reservations/{reservation}", tag = "points", security(("key" = ["points"])),
    params(("reservation" = Uuid, Path, description = "As it was answered before")),
    responses(
        (status = 200, description = "The reservation", body = Reservation),
        (status = 404, description = "There is no such reservation in the source of this till", body = Details)))]
pub(super) async fn get(call: Call, At(id): At<Uuid>) -> Result<Json<Reservation>, Problem> {
    let mut conn = call.app.db.read().await?;
    let held = redeem::find(&mut conn, &call.till, ReservationId(id)).await?;
    Ok(Json(held.into()))
}

/// Takes reserved points, all or a part, for something that is no receipt, as a prize. A receipt takes them itself.
#[utoipa::path(post, path = "/api/v1/reservations/{reservation}/capture", tag = "points", request_body = Capture, security(("key" = ["points"])),
    params(("reservation" = Uuid, Path, description = "As it was answered before"),
        ("Idempotency-Key" = String, Header, description = "8 to 100 characters", min_length = 8, max_length = 100)),
    responses(
        (status = 200, description = "Taken", body = Reservation),
        (status = 404, description = "There is no such reservation in the source of this till", body = Details),
        (status = 409, description = "`not_enough_points`, `reservation_ended`, `reused`, `key_reused`", body = Details)))]
pub(super) async fn capture(call: Call, once: Once, At(id): At<Uuid>, sent: Sent<Capture>) -> Result<Answer, Problem> {
    let (till, points) = (&call.till, sent.body.points);
    call.once(&once, &sent, |tx| {
        scoped(async move {
            let held = redeem::capture(tx, till, ReservationId(id), points).await?;
            Answer::made(false, &Reservation::from(held))
        })
    })
    .await
}

/// Lets a reservation go: its points can be spent elsewhere. One that has ended is left as it is.
#[utoipa::path(post, path = "/api/v1/reservations/{reservation}/cancel", tag = "points", request_body = Nothing, security(("key" = ["points"])),
    params(("reservation" = Uuid, Path, description = "As it was answered before"),
        ("Idempotency-Key" = String, Header, description = "8 to 100 characters", min_length = 8, max_length = 100)),
    responses(
        (status = 200, description = "Let go", body = Reservation),
        (status = 404, description = "There is no such reservation in the source of this till", body = Details),
        (status = 409, description = "`reservation_ended`: it was captured; `key_reused`", body = Details)))]
pub(super) async fn cancel(call: Call, once: Once, At(id): At<Uuid>, sent: Sent<Nothing>) -> Result<Answer, Problem> {
    let till = &call.till;
    call.once(&once, &sent, |tx| {
        scoped(async move {
            let held = redeem::cancel(tx, till, ReservationId(id)).await?;
            Answer::made(false, &Reservation::from(held))
        })
    })
    .await
}
