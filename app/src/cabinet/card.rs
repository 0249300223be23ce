//! The card, bright and large, to be shown at the till: its number as bars, the code that changes every half minute, and what
//! helps where a card is lost or made of plastic.

use super::{flash, fresh_first, long_list, meaning, unsaid};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::barcode::{Barcode, Code128Barcode};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::{Field, FormBox, QrCode, pairs};
use crm::card::code::{STEP_SECONDS, Secret};
use crm::card::{self, Card, Kind, State, store as cards};
use crm::id::CardId;
use crm::points::store as points;
use crm::who::Customer;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Blocks a card that is lost; a new one takes the place of the last electronic one.
#[derive(Deserialize)]
pub struct BlockCard {
    card: CardId,
}

impl Form for BlockCard {
    const NAME: &'static str = "card.block";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        cards::block(&cx.db, &cx.customer()?.fresh(&cx.db)?, self.card).await?;
        Ok(Next::to("/card?done=blocked"))
    }
}

/// Binds a plastic card that belongs to nobody yet.
#[derive(Deserialize)]
pub struct BindCard {
    number: String,
}

impl Form for BindCard {
    const NAME: &'static str = "card.bind";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        cards::bind(&cx.db, &cx.customer()?.fresh(&cx.db)?, &self.number).await?;
        Ok(Next::to("/card?done=bound"))
    }
}

/// The card to show: of those that tills take, the newest electronic one, for it has codes; else the newest.
pub(super) fn shown(cards: &[Card]) -> Option<&Card> {
    let taken = |card: &&Card| card.state == State::Active;
    let electronic = cards.iter().filter(taken).find(|card| card.kind == Kind::Virtual);
    electronic.or_else(|| cards.iter().find(taken))
}

/// The number of a card as people read it. Staff who look at the cabinet take nothing along that a till would take.
fn number(cx: &Cx, card: &Card) -> String {
    match &cx.viewer {
        Some(_) => format!("•••• {}", card.number.get(9..).unwrap_or_default()),
        None => card::show(&card.number),
    }
}

/// What stands on the card, in the link on the home page and on the card's own page alike.
pub(super) fn face(cx: &Cx, card: &Card, name: &str, active: i64) -> Html {
    let t = &cx.t().card;
    let bars = cx
        .viewer
        .is_none()
        .then(|| view! { <Barcode number=card.number.clone()/> " " });
    view! {
        <span class="card-head"><span>{cx.shop().name.clone()}</span> <small><bdi>{name.to_owned()}</bdi></small></span>
        <span class="card-code">{bars} <span>{number(cx, card)}</span></span>
        <span class="card-foot"><span><small>{t.points}</small> <b>{cx.points(active)}</b></span></span>
    }
    .into_html()
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().card;
    let (me, name) = (cx.subject()?, cx.name()?);
    let mut conn = cx.db.read().await?;
    let cards = cards::of(&mut conn, me).await?;
    let balance = points::balance(&mut conn, me).await?;
    drop(conn);
    let main = shown(&cards);
    let secret = match &cx.customer {
        Some(customer) => secret(&cx, customer, main).await,
        None => None,
    };
    let is_last = |card: &Card| {
        let is_electronic = |card: &&Card| card.kind == Kind::Virtual && card.state == State::Active;
        !cards.iter().filter(is_electronic).any(|other| other.id != card.id)
    };
    let large = match main {
        Some(card) => {
            let means = secret
                .is_some()
                .then(|| meaning(&cx, t.what_rotating, t.rotating_means, "changing-code"));
            let rotating = secret.map(|secret| rotating(&cx, card, &secret));
            view! {
                <div class="narrow stack">
                    <div class="card-face card-large" data-awake="">{face(&cx, card, name, balance.active)}</div>
                    {keep_awake()}
                    <p class="muted">{t.hint}</p>
                    {rotating}
                    {means}
                    {cx.viewer.is_none().then(|| other_codes(&cx, card))}
                    <p class="ways"><a href="/help/home-screen">{t.home_screen}</a></p>
                    {lost(&cx, card, is_last(card))}
                </div>
            }
            .into_html()
        }
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
        .map(|card| other(&cx, card, is_last(card)))
        .collect();
    let others = (!others.is_empty()).then(|| {
        view! {
            <section class="section narrow">
                <h2>{t.others}</h2>
                <div class="panel panel-flush">{long_list(&cx, others, "rows")}</div>
            </section>
        }
    });
    let is_there = |id: &str| {
        cards
            .iter()
            .any(|card| card.state == State::Active && card.id.to_string() == id)
    };
    let done = [("blocked", t.done_blocked), ("bound", t.done_bound)];
    let view = view! {
        {flash(&cx, &done)}
        <h1>{t.title}</h1>
        {unsaid(&cx, &[BlockCard::NAME], "card", is_there, t.gone)}
        {large}
        {others}
        {plastic(&cx)}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Card), view))
}

/// What the codes of a card are made of; an electronic one has codes.
pub(super) async fn secret(cx: &Cx, customer: &Customer, card: Option<&Card>) -> Option<Secret> {
    let card = card.filter(|card| card.kind == Kind::Virtual)?;
    let secret = cards::secret(&cx.db, customer, card.id).await;
    // Where it cannot be written down just now, the card is shown all the same.
    secret.map_err(AppError::from).ok()
}

/// What keeps the screen on while a card is shown, whichever it is.
pub(super) fn keep_awake() -> impl IntoView {
    view! { <script type="module" src="/awake.js"></script> }
}

/// The code that changes every half minute. It takes a script; without one the place stays hidden.
pub(super) fn rotating(cx: &Cx, card: &Card, secret: &Secret) -> Html {
    let t = &cx.t().card;
    let (secret, number) = (secret.text(), card.number.clone());
    let now = cx.db.now().timestamp_millis();
    view! {
        <section
            class="section later"
            aria-labelledby="rotating"
            hidden
            data-rotating=""
            data-secret=secret
            data-number=number
            data-now=now
            data-left=t.left("{n}")
            data-ahead=t.clock_ahead("{n}")
            data-behind=t.clock_behind("{n}")
        >
            <h2 id="rotating">{t.rotating}</h2>
            <p class="muted">{t.rotating_text}</p>
            <svg class="qr qr-large" role="img" aria-label=t.rotating_label shape-rendering="crispEdges">
                <rect width="100%" height="100%" fill="#fff"></rect>
                <path fill="#000"></path>
            </svg>
            <progress class="progress" max=STEP_SECONDS aria-label=t.rotating_bar></progress>
            <p class="muted" data-line="">{t.left(STEP_SECONDS)}</p>
            <p role="status" hidden data-clock=""></p>
        </section>
    }
    .into_html()
}

/// The number once more, for scanners that read no EAN-13 from a screen.
pub(super) fn other_codes(cx: &Cx, card: &Card) -> Html {
    let t = &cx.t().card;
    view! {
        <section class="section card-codes" aria-labelledby="codes">
            <h2 id="codes">{t.codes}</h2>
            <p class="muted">{t.codes_text}</p>
            <QrCode text=card.number.clone() label=t.qr class="qr qr-large"/>
            <Code128Barcode number=card.number.clone() label=t.code_128/>
        </section>
    }
    .into_html()
}

/// What blocking a card means, and the button. `is_last`: there is no other electronic card, so a new one takes its place.
fn lost(cx: &Cx, card: &Card, is_last: bool) -> Html {
    let t = &cx.t().card;
    let (id, number) = (card.id.to_string(), number(cx, card));
    let (text, button) = if is_last {
        (t.replace_text(&number), t.replace)
    } else {
        (t.block_text(&number), t.block)
    };
    let was_sent = cx.outcome.as_ref().is_some_and(|outcome| {
        let about = outcome.values.iter().find(|(name, _)| name == "card");
        outcome.form == BlockCard::NAME && about.is_some_and(|(_, value)| *value == id)
    });
    let act = fresh_first(cx).unwrap_or_else(|| {
        view! {
            <FormBox<BlockCard> id=format!("block-{id}") class="actions" stale=t.gone>
                <input type="hidden" name="card" value=id/>
                <button class="btn btn-danger-quiet">{button}<span class="sr-only">": " {number}</span></button>
            </FormBox<BlockCard>>
        }
        .into_html()
    });
    view! {
        <details class="fold" open=was_sent>
            <summary>{t.lost}</summary>
            <p>{text}</p>
            {act}
        </details>
    }
    .into_html()
}

/// Asks for the number of a plastic card.
fn plastic(cx: &Cx) -> Html {
    let t = &cx.t().card;
    let labels = pairs([("number", t.number)]);
    let ask = fresh_first(cx).unwrap_or_else(|| {
        view! {
            <FormBox<BindCard> labels=labels>
                <Field name="number" label=t.number hint=t.number_hint missing=t.number_missing inputmode="numeric" enterkeyhint="done"/>
                <div class="actions"><button class="btn">{t.bind}</button></div>
            </FormBox<BindCard>>
        }
        .into_html()
    });
    view! {
        <section class="section narrow" aria-labelledby="plastic">
            <h2 id="plastic">{t.bind_title}</h2>
            <p>{t.bind_text}</p>
            {ask}
        </section>
    }
    .into_html()
}

/// A card beside the one that is shown.
fn other(cx: &Cx, card: &Card, is_last: bool) -> Html {
    let t = &cx.t().card;
    let kind = match card.kind {
        Kind::Virtual => t.electronic,
        Kind::Plastic => t.plastic,
    };
    let (state, class) = match card.state {
        State::Active => (t.active, "status status-done"),
        State::Blocked => (t.blocked, "status status-bad"),
    };
    let block = (card.state == State::Active).then(|| view! { <div class="row-more">{lost(cx, card, is_last)}</div> });
    view! {
        <li class="row row-wrap">
            <span class="row-main"><b>{number(cx, card)}</b> <small>{kind} ", " {t.issued(cx.day(card.issued_at))}</small></span>
            <span class=class>{state}</span>
            {block}
        </li>
    }
    .into_html()
}
