//! The shops: where they are and when they are open.

use super::back;
use crate::cx::Cx;
use crate::route::{Body, Frame, Place};
use crate::texts::Texts;
use crate::ui::icon::{self, icon};
use chrono::Weekday;
use crm::lang::Lang;
use crm::stores::{Hours, Store, store as stores};
use islands::AppError;
use leptos::prelude::*;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().stores;
    let mut conn = cx.db.read().await?;
    let all = stores::list(&mut conn, cx.lang).await?;
    drop(conn);
    // The list comes sorted by town.
    let towns: Vec<_> = all
        .chunk_by(|a, b| a.town == b.town)
        .map(|shops| {
            let town = cx.pick(&shops[0].town);
            let cards: Vec<_> = shops.iter().map(|shop| card(&cx, shop)).collect();
            view! {
                <section class="section">
                    <h2>{town}</h2>
                    {cards}
                </section>
            }
        })
        .collect();
    let empty = towns.is_empty().then(|| {
        view! { <div class="empty"><p>{t.empty}</p><a class="btn" href="/support/new">{t.write_us}</a></div> }
    });
    let view = view! {
        {back("/offers", cx.t().offers.title)}
        <h1>{t.title}</h1>
        <div class="tiles">{towns}</div>
        {empty}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Offers), view))
}

fn card(cx: &Cx, shop: &Store) -> impl IntoView + use<> {
    let t = &cx.t().stores;
    let name = cx.pick(&shop.name);
    let (on_phone, on_map) = (name.clone(), name.clone());
    let hours: Vec<_> = hours(cx.lang, &shop.hours)
        .into_iter()
        .map(|line| view! { <li>{line}</li> })
        .collect();
    let phone = shop.phone.as_ref().map(|phone| {
        view! {
            <a class="btn btn-sm" href=format!("tel:{phone}")>
                {icon(icon::PHONE)} {cx.phone(phone)} <span class="sr-only">": " {on_phone}</span>
            </a>
        }
    });
    let map = shop.latitude.zip(shop.longitude).map(|(latitude, longitude)| {
        view! {
            <a class="btn btn-sm" href=map_url(latitude, longitude) target="_blank" rel="noopener noreferrer">
                {icon(icon::MAP_PIN)} {t.on_map} <span class="sr-only">": " {on_map} {t.new_tab}</span>
            </a>
        }
    });
    view! {
        <article class="program">
            <header><div><h3>{name}</h3><p class="muted">{cx.pick(&shop.address)}</p></div></header>
            <ul class="muted">{hours}</ul>
            <div class="actions">{phone}{map}</div>
        </article>
    }
}

/// OpenStreetMap with a mark at the place, both in millionths of a degree.
pub fn map_url(latitude: i64, longitude: i64) -> String {
    let degrees = |millionths: i64| {
        let sign = if millionths < 0 { "-" } else { "" };
        let n = millionths.unsigned_abs();
        format!("{sign}{}.{:06}", n / 1_000_000, n % 1_000_000)
    };
    let (lat, lon) = (degrees(latitude), degrees(longitude));
    format!("https://www.openstreetmap.org/?mlat={lat}&mlon={lon}#map=17/{lat}/{lon}")
}

const WEEK: [Weekday; 7] = [
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
    Weekday::Sun,
];

/// Opening hours, with days in a row that are alike joined: «пн–пт 9:00–21:00», «сб, вс закрыто».
pub fn hours(lang: Lang, hours: &Hours) -> Vec<String> {
    let t = &Texts::of(lang).stores;
    let names = [t.mon, t.tue, t.wed, t.thu, t.fri, t.sat, t.sun];
    let week: Vec<_> = WEEK
        .into_iter()
        .enumerate()
        .map(|(i, day)| (i, hours.on(day)))
        .collect();
    week.chunk_by(|a, b| a.1 == b.1)
        .map(|run| {
            let days = match run {
                [..] if run.len() == 7 => t.daily.to_owned(),
                [(first, _)] => names[*first].to_owned(),
                [(first, _), (last, _)] => format!("{}, {}", names[*first], names[*last]),
                [(first, _), .., (last, _)] => format!("{}–{}", names[*first], names[*last]),
                [] => String::new(),
            };
            let time = match run.first().and_then(|(_, time)| *time) {
                None => t.closed.to_owned(),
                Some([0, 1440]) => t.all_day.to_owned(),
                Some([open, close]) => format!("{}–{}", clock(open), clock(close)),
            };
            format!("{days} {time}")
        })
        .collect()
}

/// A minute of the day on a clock: `9:00`, and the last one `24:00`.
fn clock(minute: u16) -> String {
    format!("{}:{:02}", minute / 60, minute % 60)
}
