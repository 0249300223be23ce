//! Adding a receipt that was given without the card.

use super::back;
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::{Field, FormBox};
use crm::purchase::claim;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Attaches a receipt by its code.
#[derive(Deserialize)]
pub struct ClaimReceipt {
    receipt: String,
}

impl Form for ClaimReceipt {
    const NAME: &'static str = "purchase.claim";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id = claim::claim(&cx.db, cx.customer()?, &self.receipt).await?;
        Ok(Next::to(format!("/purchases/{id}?done=claimed")))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().claim;
    cx.customer()?;
    let days = cx.shop().points.claim_days;
    let labels = vec![("receipt".to_owned(), t.code.to_owned())];
    let view = view! {
        {back("/purchases", cx.t().purchases.title)}
        <h1>{t.title}</h1>
        <p class="lead">{t.lead(days)}</p>
        <FormBox<ClaimReceipt> labels=labels>
            <Field name="receipt" label=t.code hint=t.hint missing=t.missing autofocus=true enterkeyhint="done"/>
            <div class="actions">
                <button class="btn btn-primary">{t.add}</button>
                <a class="btn btn-quiet" href="/purchases">{cx.t().common.cancel}</a>
            </div>
        </FormBox<ClaimReceipt>>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Purchases), view))
}
