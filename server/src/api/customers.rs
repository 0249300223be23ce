//! Who stands at the counter, and who joins there.

use super::problem::{Details, Problem};
use super::shapes::{Customer, Enrol, Identify};
use super::{Answer, At, Call, Once, Sent};
use axum::Json;
use crm::db::scoped;
use crm::id::CustomerId;
use crm::till::counter::{self, Joining, Shown};
use uuid::Uuid;

/// Who is it? Changes nothing; sent by POST so that neither card nor phone stands in an address.
#[utoipa::path(post, path = "/api/v1/customers/identify", tag = "customers", request_body = Identify, security(("key" = ["customers"])),
    responses(
        (status = 200, description = "The customer", body = Customer),
        (status = 403, description = "`scope_missing`, `phone_not_allowed`", body = Details),
        (status = 404, description = "`card_unknown`, `phone_unknown`", body = Details),
        (status = 409, description = "`card_blocked`, `card_blank`", body = Details)))]
pub(super) async fn identify(call: Call, sent: Sent<Identify>) -> Result<Json<Customer>, Problem> {
    let shown = match sent.body {
        Identify::Card(number) => Shown::Card(number),
        Identify::Phone(phone) => Shown::Phone(phone),
    };
    let present = counter::identify(&call.app.db, &call.till, &shown).await?;
    Ok(Json(present.into()))
}

/// Begins a record with nothing but a phone. What is bought from now on counts; the record is completed by whoever proves
/// the phone in the cabinet, and the card that was handed out is theirs.
#[utoipa::path(post, path = "/api/v1/customers", tag = "customers", request_body = Enrol, security(("key" = ["customers"])),
    params(("Idempotency-Key" = String, Header, description = "8 to 100 characters", min_length = 8, max_length = 100)),
    responses(
        (status = 201, description = "The new customer", body = Customer),
        (status = 200, description = "The same phone joined before, and did not complete the registration yet", body = Customer),
        (status = 404, description = "`card_unknown`", body = Details),
        (status = 409, description = "`phone_taken`, `card_taken`, `card_blocked`, `key_reused`", body = Details)))]
pub(super) async fn enrol(call: Call, once: Once, sent: Sent<Enrol>) -> Result<Answer, Problem> {
    let joining = Joining {
        phone: sent.body.phone.clone(),
        card: sent.body.card.clone(),
        language: sent.body.language.unwrap_or(call.app.db.shop().language),
    };
    let (till, joining) = (&call.till, &joining);
    call.once(&once, &sent, |tx| {
        scoped(async move {
            let (customer, is_new) = counter::enrol(tx, till, joining).await?;
            let present = counter::present(tx, till, customer).await?;
            Answer::made(is_new, &Customer::from(present))
        })
    })
    .await
}

/// What a customer has just now.
#[utoipa::path(get, path = "/api/v1/customers/{customer}", tag = "customers", security(("key" = ["customers"])),
    params(("customer" = Uuid, Path, description = "As it was answered before")),
    responses(
        (status = 200, description = "The customer", body = Customer),
        (status = 404, description = "There is no such customer", body = Details)))]
pub(super) async fn get(call: Call, At(id): At<Uuid>) -> Result<Json<Customer>, Problem> {
    let present = counter::meet(&call.app.db, &call.till, CustomerId(id)).await?;
    Ok(Json(present.into()))
}
