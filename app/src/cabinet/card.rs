//! The card, bright and large, to be shown at the till.

use super::flash;
use crate::cx::Cx;
use crate::route::{Body, Frame, Place};
use crate::ui::barcode::Barcode;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crm::card::{self, Card, Kind, State, store as cards};
use crm::points::store as points;
use islands::AppError;
use leptos::prelude::*;

/// The card to show: of those that tills take, the newest.
pub(super) fn shown(cards: &[Card]) -> Option<&Card> {
    cards.iter().find(|card| card.state == State::Active)
}

/// What stands on the card, in the link on the home page and on the card's own page alike.
pub(super) fn face(cx: &Cx, card: &Card, name: &str, active: i64) -> Html {
    let t = &cx.t().card;
    view! {
        <span class="card-head"><span>{cx.shop().name.clone()}</span> <small><bdi>{name.to_owned()}</bdi></small></span>
        <span class="card-code"><Barcode number=card.number.clone()/> <span>{card::show(&card.number)}</span></span>
        <span class="card-foot"><span><small>{t.points}</small> <b>{cx.points(active)}</b></span></span>
    }
    .into_html()
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().card;
    let customer = cx.customer()?;
    let mut conn = cx.db.read().await?;
    let cards = cards::of(&mut conn, customer.me()).await?;
    let balance = points::balance(&mut conn, customer.me()).await?;
    drop(conn);
    let welcome = flash(&cx, &[("registered", t.welcome)]);
    let main = shown(&cards);
    let large = match main {
        Some(card) => view! {
            <div class="narrow stack">
                <div class="card-face card-large">{face(&cx, card, customer.name(), balance.active)}</div>
                <p class="muted">{t.hint}</p>
            </div>
        }
        .into_html(),
        None => view! {
            <div class="empty">
                {icon(icons::CREDIT_CARD)}
                <p>{t.none}</p>
                <a class="btn btn-primary" href="/support/new">{t.ask}</a>
            </div>
        }
        .into_html(),
    };
    let others: Vec<_> = cards
        .iter()
        .filter(|card| main.is_none_or(|main| main.id != card.id))
        .map(|card| other(&cx, card))
        .collect();
    let others = (!others.is_empty()).then(|| {
        view! {
            <section class="section narrow">
                <h2>{t.others}</h2>
                <div class="panel panel-flush"><ul class="rows">{others}</ul></div>
            </section>
        }
    });
    let view = view! {
        {welcome}
        <h1>{t.title}</h1>
        {large}
        {others}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Card), view))
}

/// A card beside the one that is shown.
fn other(cx: &Cx, card: &Card) -> Html {
    let t = &cx.t().card;
    let kind = match card.kind {
        Kind::Virtual => t.electronic,
        Kind::Plastic => t.plastic,
    };
    let (state, class) = match card.state {
        State::Active => (t.active, "status status-done"),
        State::Blocked => (t.blocked, "status status-bad"),
    };
    view! {
        <li class="row">
            <span class="row-main"><b>{card::show(&card.number)}</b> <small>{kind} ", " {t.issued(cx.day(card.issued_at))}</small></span>
            <span class=class>{state}</span>
        </li>
    }
    .into_html()
}
