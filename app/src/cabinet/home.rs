//! Home: what matters today, in one column.

use super::card::{face, shown};
use super::offers::{last_day, until};
use super::points::unit;
use super::purchases::row;
use super::support;
use crate::cx::Cx;
use crate::route::{Body, Frame, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use chrono::{Datelike, Duration, Timelike};
use crm::card::store as cards;
use crm::points::{Balance, store as points};
use crm::program::{Program, store as programs};
use crm::promotion::{Brief, store as promotions};
use crm::purchase::{Purchase, store as purchases};
use crm::request::{Summary, store as requests};
use islands::AppError;
use leptos::prelude::*;

/// How many purchases, offers and requests are shown.
const PURCHASES: i64 = 3;
const OFFERS: i64 = 2;
const REQUESTS: i64 = 5;
/// Points that expire within this time are shown in apricot.
const SOON: Duration = Duration::days(30);

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().home;
    let customer = cx.customer()?;
    let me = customer.me();
    let mut conn = cx.db.read().await?;
    let cards = cards::of(&mut conn, me).await?;
    let balance = points::balance(&mut conn, me).await?;
    let latest = purchases::latest(&mut conn, me, PURCHASES).await?;
    let requests = requests::current(&mut conn, me, REQUESTS).await?;
    let offers = promotions::ending(&mut conn, cx.db.now(), OFFERS).await?;
    let programs = programs::list(&mut conn, me).await?;
    drop(conn);
    let card = shown(&cards).map(|card| {
        view! { <a class="card-face" href="/card">{face(&cx, card, customer.name(), balance.active)}</a> }
    });
    let is_new = latest.is_empty() && balance.programs.is_empty();
    let view = view! {
        <h1>{greeting(&cx)} ", " <bdi>{customer.name().to_owned()}</bdi></h1>
        <div class="cols">
            <div>
                {card}
                {balance_panel(&cx, &balance, is_new)}
                {last_purchases(&cx, &latest)}
            </div>
            <div>
                {open_requests(&cx, &requests)}
                {running_offers(&cx, &offers)}
                {to_join(&cx, &programs)}
            </div>
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Home), view))
}

/// By the clock of the shop.
fn greeting(cx: &Cx) -> &'static str {
    let t = &cx.t().home;
    match cx.shop().local(cx.db.now()).hour() {
        5..12 => t.morning,
        12..18 => t.afternoon,
        18..23 => t.evening,
        _ => t.night,
    }
}

fn balance_panel(cx: &Cx, balance: &Balance, is_new: bool) -> Html {
    let t = &cx.t().home;
    let pending = (balance.pending != 0).then(|| {
        view! { <div><dt>{t.pending}</dt><dd>{crate::format::signed_points(cx.lang, balance.pending)}</dd></div> }
    });
    let held_until = balance
        .programs
        .iter()
        .filter_map(|program| program.reserved_until)
        .max();
    let reserved = held_until.map(|at| {
        view! {
            <div><dt>{t.spendable}</dt><dd>{cx.points(balance.spendable().max(0))}</dd></div>
            <div><dt>{t.reserved(cx.time(at))}</dt><dd>{cx.points(balance.reserved)}</dd></div>
        }
    });
    let expiry = balance.next_expiry.map(|next| {
        let soon = (next.at - cx.db.now() < SOON).then_some("soon");
        view! { <div class=soon><dt><a href="/points/expiry">{t.expires(cx.day(next.at))}</a></dt><dd>{cx.points(next.points)}</dd></div> }
    });
    let has_parts = reserved.is_some() || pending.is_some() || expiry.is_some();
    let parts = has_parts.then(|| view! { <dl class="balance-parts">{reserved} {pending} {expiry}</dl> });
    let note = match (is_new, balance.active < 0) {
        (true, _) => Some(t.first_points),
        (_, true) => Some(t.debt),
        _ => None,
    };
    view! {
        <section class="panel balance" aria-labelledby="balance">
            <h2 id="balance">{t.balance}</h2>
            <p class="balance-sum"><b>{cx.points(balance.active)}</b> " " {unit(cx, balance.active)}</p>
            {note.map(|note| view! { <p class="muted">{note}</p> })}
            {parts}
            {(!is_new).then(|| view! { <div class="actions"><a class="btn btn-sm" href="/points">{t.where_from}</a></div> })}
        </section>
    }
    .into_html()
}

fn last_purchases(cx: &Cx, latest: &[Purchase]) -> Html {
    let t = &cx.t().home;
    if latest.is_empty() {
        return view! {
            <section class="section">
                <h2>{t.purchases}</h2>
                <div class="panel empty">
                    {icon(icons::RECEIPT_TEXT)}
                    <p>{t.first_purchase}</p>
                    <a class="btn btn-primary" href="/card">{t.show_card}</a>
                </div>
            </section>
        }
        .into_html();
    }
    let rows: Vec<_> = latest.iter().map(|purchase| row(cx, purchase)).collect();
    view! {
        <section class="section">
            <div class="section-head"><h2>{t.purchases}</h2> <a href="/purchases">{t.all_purchases}</a></div>
            <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
        </section>
    }
    .into_html()
}

fn open_requests(cx: &Cx, requests: &[Summary]) -> Option<Html> {
    let t = &cx.t().home;
    let rows: Vec<_> = requests.iter().map(|request| support::row(cx, request)).collect();
    (!rows.is_empty()).then(|| {
        view! {
            <section class="section">
                <div class="section-head"><h2>{t.requests}</h2> <a href="/support">{t.all_requests}</a></div>
                <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
            </section>
        }
        .into_html()
    })
}

fn running_offers(cx: &Cx, offers: &[Brief]) -> Option<Html> {
    let t = &cx.t().home;
    let items: Vec<_> = offers
        .iter()
        .map(|offer| {
            let last = last_day(cx, offer.ends_at);
            view! {
                <article class="offer">
                    <p class="offer-gain" aria-hidden="true">{cx.t().offers.until_leaf} " " <b>{last.day()}</b> " " {crate::format::months(cx.lang)[last.month0() as usize]}</p>
                    <div class="offer-body"><h3>{cx.pick(&offer.title)}</h3> <p class="sr-only">{until(cx, offer.ends_at)}</p> <p class="line-clamp-3">{cx.pick(&offer.conditions)}</p></div>
                </article>
            }
        })
        .collect();
    (!items.is_empty()).then(|| {
        view! {
            <section class="section">
                <div class="section-head"><h2>{t.offers}</h2> <a href="/offers">{t.all_offers}</a></div>
                {items}
            </section>
        }
        .into_html()
    })
}

fn to_join(cx: &Cx, programs: &[Program]) -> Option<Html> {
    let t = &cx.t().home;
    let rows: Vec<_> = programs
        .iter()
        .filter(|program| program.joined_at.is_none())
        .map(|program| {
            view! {
                <li>
                    <a class="row" href=format!("/programs/{}", program.code)>
                        <span class="row-icon row-icon-brand">{icon(icons::SPARKLES)}</span>
                        <span class="row-main"><b>{cx.pick(&program.name)}</b> <small>{cx.pick(&program.summary)}</small></span>
                        <span class="row-go">{icon(icons::CHEVRON_RIGHT)}</span>
                    </a>
                </li>
            }
        })
        .collect();
    (!rows.is_empty()).then(|| {
        view! {
            <section class="section">
                <h2>{t.programs}</h2>
                <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
            </section>
        }
        .into_html()
    })
}
