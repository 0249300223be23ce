//! Baskets and receipts.

use super::part::{Part, Wanted, cursor, place};
use super::problem::{Details, Problem};
use super::shapes::{BoughtList, NewPurchase, NewQuote, NewReturn, Nothing, Quote, Receipt};
use super::{Answer, At, Call, Once, PREFIX, Query, Sent};
use axum::Json;
use crm::db::scoped;
use crm::id::CustomerId;
use crm::till::Scope;
use crm::till::receipt::{self, NewReceipt};
use uuid::Uuid;

/// The receipts of a customer from the source of this till, the newest first, voided ones too.
#[utoipa::path(get, path = "/api/v1/customers/{customer}/purchases", tag = "purchases", security(("key" = ["purchases"])),
    params(
        ("customer" = Uuid, Path, description = "As it was answered before"),
        ("after" = Option<String>, Query, description = "The `next` of the part before; left out: from the beginning"),
        ("limit" = Option<i64>, Query, description = "How many at most; 100 where it is left out", minimum = 1, maximum = 500)),
    responses(
        (status = 200, description = "A part of the list; the header Link names the next one", body = BoughtList),
        (status = 404, description = "There is no such customer", body = Details),
        (status = 422, description = "`invalid`: the cursor is not one of this list, or the limit is out of its range", body = Details)))]
pub(super) async fn of_customer(
    call: Call,
    At(id): At<Uuid>,
    Query(wanted): Query<Wanted>,
) -> Result<Part<BoughtList>, Problem> {
    call.may(Scope::Purchases)?;
    // A cursor of somebody else's list is foreign here.
    let list = format!("purchases {id}");
    let (before, limit) = (wanted.before(&list)?, wanted.limit()?);
    let mut conn = call.app.db.read().await?;
    let (found, next) = receipt::of_customer(&mut conn, &call.till, CustomerId(id), before, limit).await?;
    let next = next.map(|next| cursor(&list, &place(next)));
    Ok(Part {
        body: BoughtList {
            purchases: found.into_iter().map(Into::into).collect(),
            next: next.clone(),
        },
        path: format!("{PREFIX}/customers/{id}/purchases"),
        next: (next, limit),
    })
}

/// What would this basket earn where no points pay for it, and how many points may? Keeps nothing.
#[utoipa::path(post, path = "/api/v1/quotes", tag = "purchases", request_body = NewQuote, security(("key" = ["purchases"])),
    responses(
        (status = 200, description = "What it is worth", body = Quote),
        (status = 404, description = "`card_unknown`", body = Details),
        (status = 409, description = "`card_blocked`, `card_blank`, `identify_first`", body = Details)))]
pub(super) async fn quote(call: Call, sent: Sent<NewQuote>) -> Result<Json<Quote>, Problem> {
    let quote = receipt::quote(&call.app.db, &call.till, &sent.body.into()).await?;
    Ok(Json(quote.into()))
}

/// Books a sale, once: the same number with the same content is left as it is. What counts is its own time, however late it
/// comes. Without a customer it can be claimed in the cabinet by its code. What was sold ten minutes ago or before, or while its
/// reservation held, is paid by as many of its points as are left, though it has lapsed since: `unpaid` says how many were not. A coupon that is not good keeps nothing from being booked: `presented` says
/// why it does nothing.
#[utoipa::path(post, path = "/api/v1/purchases", tag = "purchases", request_body = NewPurchase, security(("key" = ["purchases", "points"])),
    params(("Idempotency-Key" = String, Header, description = "8 to 100 characters", min_length = 8, max_length = 100)),
    responses(
        (status = 201, description = "Booked", body = Receipt),
        (status = 200, description = "It was there before", body = Receipt),
        (status = 404, description = "`card_unknown`, or no such reservation", body = Details),
        (status = 409, description = "`document_conflict`, `code_taken`, `card_blocked`, `card_blank`, `identify_first`, \
            `not_enough_points`, `too_much`, `reservation_ended`, `made_after`, `reused`, `key_reused`", body = Details)))]
pub(super) async fn book(call: Call, once: Once, sent: Sent<NewPurchase>) -> Result<Answer, Problem> {
    let new = sent.body.clone().into();
    book_receipt(&call, &once, &sent, &new).await
}

/// Books what came back, once. Its points come back, and those that paid for it go back. The receipt that it names may
/// still be on its way.
#[utoipa::path(post, path = "/api/v1/returns", tag = "purchases", request_body = NewReturn, security(("key" = ["purchases"])),
    params(("Idempotency-Key" = String, Header, description = "8 to 100 characters", min_length = 8, max_length = 100)),
    responses(
        (status = 201, description = "Booked", body = Receipt),
        (status = 200, description = "It was there before", body = Receipt),
        (status = 409, description = "`not_bought`, `document_conflict`, `key_reused`", body = Details)))]
pub(super) async fn give_back(call: Call, once: Once, sent: Sent<NewReturn>) -> Result<Answer, Problem> {
    let new = sent.body.clone().into();
    book_receipt(&call, &once, &sent, &new).await
}

async fn book_receipt<T>(call: &Call, once: &Once, sent: &Sent<T>, new: &NewReceipt) -> Result<Answer, Problem> {
    let till = &call.till;
    call.once(once, sent, |tx| {
        scoped(async move {
            let booked = receipt::book_in(tx, till, new).await?;
            Answer::made(!booked.known, &Receipt::from(booked))
        })
    })
    .await
}

/// A receipt as it stands now.
#[utoipa::path(get, path = "/api/v1/purchases/{document}", tag = "purchases", security(("key" = ["purchases"])),
    params(("document" = String, Path, description = "Its number")),
    responses(
        (status = 200, description = "The receipt", body = Receipt),
        (status = 404, description = "There is no such receipt in the source of this till", body = Details)))]
pub(super) async fn find(call: Call, At(document): At<String>) -> Result<Json<Receipt>, Problem> {
    let mut conn = call.app.db.read().await?;
    let found = receipt::find(&mut conn, &call.till, &document).await?;
    Ok(Json(found.into()))
}

/// Voids a receipt, a sale or a return: it was a mistake and counts no more. Once more changes nothing.
#[utoipa::path(post, path = "/api/v1/purchases/{document}/void", tag = "purchases", request_body = Nothing, security(("key" = ["purchases"])),
    params(("document" = String, Path, description = "Its number"),
        ("Idempotency-Key" = String, Header, description = "8 to 100 characters", min_length = 8, max_length = 100)),
    responses(
        (status = 200, description = "The receipt, voided", body = Receipt),
        (status = 404, description = "There is no such receipt in the source of this till", body = Details),
        (status = 409, description = "`returned`, `not_enough_points`, `key_reused`", body = Details)))]
pub(super) async fn void(
    call: Call,
    once: Once,
    At(document): At<String>,
    sent: Sent<Nothing>,
) -> Result<Answer, Problem> {
    let (till, document) = (&call.till, &document);
    call.once(&once, &sent, |tx| {
        scoped(async move {
            let voided = receipt::void(tx, till, document).await?;
            Answer::made(false, &Receipt::from(voided))
        })
    })
    .await
}
