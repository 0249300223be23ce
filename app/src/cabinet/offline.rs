//! What the service worker keeps on a device for when there is no network (`offline/sw.js`): a page that says so, and the card
//! with as little of its owner as a till needs.

use super::card::{keep_awake, other_codes, rotating, secret, shown};
use crate::cx::Cx;
use crate::route::{Body, Frame};
use crate::ui::barcode::Barcode;
use crate::ui::html::IntoHtml;
use crm::card::{self, store as cards};
use islands::AppError;
use leptos::prelude::*;

/// In place of every page but the card.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().offline;
    let view = view! {
        <div class="empty">
            <h1>{t.title}</h1>
            <p>{t.text}</p>
            <p class="actions">
                <a class="btn btn-primary" href="/card">{t.card}</a>
                // An empty address is that of the page that was asked for.
                <a class="btn" href="">{t.again}</a>
            </p>
        </div>
    };
    Ok(Body::new(t.title, Frame::Kept, view))
}

/// In place of the card's own page: the number, and what the codes are made of. Neither name, points nor forms.
pub async fn card(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().offline;
    let customer = cx.customer()?;
    let mut conn = cx.db.read().await?;
    let cards = cards::of(&mut conn, customer.me()).await?;
    drop(conn);
    let main = shown(&cards);
    let secret = secret(&cx, customer, main).await;
    let large = match main {
        Some(card) => {
            let rotating = secret.map(|secret| rotating(&cx, card, &secret));
            view! {
                <div class="card-face card-large" data-awake="">
                    <span class="card-head"><span>{cx.shop().name.clone()}</span></span>
                    <span class="card-code"><Barcode number=card.number.clone()/> <span>{card::show(&card.number)}</span></span>
                </div>
                {keep_awake()}
                <p class="muted">{t.kept}</p>
                {rotating}
                {other_codes(&cx, card)}
            }
            .into_html()
        }
        None => view! { <p>{cx.t().card.none}</p> }.into_html(),
    };
    let view = view! {
        <h1>{cx.t().card.title}</h1>
        {large}
        <p class="actions"><a class="btn" href="/card">{t.again}</a></p>
    };
    Ok(Body::new(cx.t().card.title, Frame::Kept, view))
}
