//! Who stands at the counter, and who joins there.

use super::problem::{Details, Problem};
use super::shapes::{Ask, Asked, Customer, Enrol, Identify};
use super::{Answer, At, Call, Once, Sent};
use axum::Json;
use crm::db::scoped;
use crm::id::CustomerId;
use crm::till::counter::{self, Joining, Shown, Way};
use crm::who::Token;
use uuid::Uuid;

/// Who is it? That a till asked is written down. Sent by POST so that neither card nor phone stands in an address. The code
/// that a phone shows is good once; the same till may send it again within half a minute, where the answer got lost.
#[utoipa::path(post, path = "/api/v1/customers/identify", tag = "customers", request_body = Identify, security(("key" = ["customers"])),
    responses(
        (status = 200, description = "The customer", body = Customer),
        (status = 403, description = "`scope_missing`, `phone_not_allowed`, `confirmation_needed`", body = Details),
        (status = 404, description = "`card_unknown`, `phone_unknown`", body = Details),
        (status = 409, description = "`card_blocked`, `card_blank`, `card_code_wrong`, `card_code_replayed`, `code_wrong`, \
            `code_over`", body = Details)))]
pub(super) async fn identify(call: Call, sent: Sent<Identify>) -> Result<Json<Customer>, Problem> {
    let shown = match sent.body {
        Identify::Card(scanned) => Shown::card(&scanned),
        Identify::Phone(phone) => Shown::Phone(phone),
        Identify::Confirmation(told) => Shown::Code {
            confirmation: Token::received(&told.confirmation),
            code: told.code,
        },
    };
    let present = counter::identify(&call.app.db, &call.till, &shown).await?;
    Ok(Json(present.into()))
}

/// Sends a code to the phone of whoever stands at the counter; they tell it to the cashier. Where the shop finds customers by
/// phone only so, this is the way (`points.identify_by_phone`).
#[utoipa::path(post, path = "/api/v1/customers/confirmations", tag = "customers", request_body = Ask, security(("key" = ["customers"])),
    params(("Idempotency-Key" = String, Header, description = "8 to 100 characters", min_length = 8, max_length = 100)),
    responses(
        (status = 201, description = "The code is on its way", body = Asked),
        (status = 403, description = "`scope_missing`, `phone_not_allowed`", body = Details),
        (status = 404, description = "`phone_unknown`", body = Details),
        (status = 409, description = "`key_reused`", body = Details)))]
pub(super) async fn confirm(call: Call, once: Once, sent: Sent<Ask>) -> Result<Answer, Problem> {
    let (till, phone) = (&call.till, sent.body.phone.as_str());
    call.once(&once, &sent, |tx| {
        scoped(async move {
            let (token, expires_at) = counter::ask(tx, till, phone).await?;
            let confirmation = token.secret().to_owned();
            Answer::made(
                true,
                &Asked {
                    confirmation,
                    expires_at,
                },
            )
        })
    })
    .await
}

/// Begins a record with nothing but a phone. What is bought from then on counts; the record is completed by whoever proves
/// the phone in the cabinet, and the card that was handed out is theirs.
#[utoipa::path(post, path = "/api/v1/customers", tag = "customers", request_body = Enrol, security(("key" = ["customers"])),
    params(("Idempotency-Key" = String, Header, description = "8 to 100 characters", min_length = 8, max_length = 100)),
    responses(
        (status = 201, description = "The new customer", body = Customer),
        (status = 200, description = "The same phone joined before, and did not complete the registration yet", body = Customer),
        (status = 404, description = "`card_unknown`", body = Details),
        (status = 409, description = "`phone_taken`, `card_taken`, `card_blocked`, `identify_first`, `key_reused`", body = Details)))]
pub(super) async fn enrol(call: Call, once: Once, sent: Sent<Enrol>) -> Result<Answer, Problem> {
    let joining = Joining {
        phone: sent.body.phone.clone(),
        card: sent.body.card.clone(),
        language: sent.body.language.unwrap_or(call.app.db.shop().language),
        at: sent.body.at,
    };
    let (till, joining) = (&call.till, &joining);
    call.once(&once, &sent, |tx| {
        scoped(async move {
            let (customer, is_new) = counter::enrol(tx, till, joining).await?;
            let subject = counter::open(tx, till, customer, Way::Joining).await?;
            let present = counter::present(tx, subject).await?;
            Answer::made(is_new, &Customer::from(present))
        })
    })
    .await
}

/// What a customer has just now. That a till asked is written down.
#[utoipa::path(get, path = "/api/v1/customers/{customer}", tag = "customers", security(("key" = ["customers"])),
    params(("customer" = Uuid, Path, description = "As it was answered before")),
    responses(
        (status = 200, description = "The customer", body = Customer),
        (status = 404, description = "There is no such customer", body = Details)))]
pub(super) async fn get(call: Call, At(id): At<Uuid>) -> Result<Json<Customer>, Problem> {
    let present = counter::meet(&call.app.db, &call.till, CustomerId(id)).await?;
    Ok(Json(present.into()))
}
