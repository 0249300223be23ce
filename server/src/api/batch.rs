//! Many receipts at once, of a till that was cut off.

use super::problem::{Details, Problem};
use super::shapes::{Batch, BatchResult, Receipt, Sent as Outcome};
use super::{Answer, Call, Once, Sent};
use axum::http::StatusCode;
use crm::till::Scope;
use crm::till::receipt::{self, NewReceipt};

/// The most receipts of a batch.
const MOST: usize = 500;

/// Books receipts in whatever order they come, each by itself: one that does not fit keeps nobody else out. A batch that
/// was cut off in the middle is sent again; what is booked already is told as known.
#[utoipa::path(post, path = "/api/v1/purchases/batch", tag = "purchases", request_body = Batch, security(("key" = ["purchases", "points"])),
    params(("Idempotency-Key" = String, Header, description = "8 to 100 characters", min_length = 8, max_length = 100)),
    responses(
        (status = 200, description = "What became of each", body = BatchResult),
        (status = 409, description = "`key_reused`", body = Details),
        (status = 422, description = "Fields do not fit: nothing of it is booked", body = Details)))]
pub(super) async fn book(call: Call, once: Once, sent: Sent<Batch>) -> Result<Answer, Problem> {
    call.may(Scope::Purchases)?;
    let batch = &sent.body;
    if batch.purchases.len() + batch.returns.len() > MOST {
        return Err(Problem::invalid().at("", "too_many", format!("A batch has at most {MOST} receipts")));
    }
    if let Some(known) = call.claim(&once, &sent).await? {
        return Ok(known);
    }
    let purchases = batch.purchases.iter().cloned().map(NewReceipt::from);
    let returns = batch.returns.iter().cloned().map(NewReceipt::from);
    let mut result = BatchResult {
        booked: 0,
        known: 0,
        rejected: 0,
        receipts: Vec::new(),
    };
    for new in purchases.chain(returns) {
        let document = new.document.clone();
        match receipt::book(&call.app.db, &call.till, &new).await {
            Ok(receipt) => {
                if receipt.known {
                    result.known += 1;
                } else {
                    result.booked += 1;
                }
                result.receipts.push(Outcome {
                    document,
                    receipt: Some(Receipt::from(receipt)),
                    problem: None,
                });
            }
            Err(e) => {
                let problem = Problem::from(e);
                // Nothing is wrong with the receipt: the batch is to be sent again. What fails for any other reason would fail
                // again, and what comes after it would never be booked.
                if problem.details().status == 503 {
                    return Err(problem);
                }
                result.rejected += 1;
                result.receipts.push(Outcome {
                    document,
                    receipt: None,
                    problem: Some(problem.details().clone()),
                });
            }
        }
    }
    let answer = Answer::new(StatusCode::OK, &result)?;
    call.keep(&once, &sent, answer).await
}
