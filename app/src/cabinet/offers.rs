//! What the shop offers today.

use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame, Place};
use crate::ui::html::IntoHtml;
use chrono::{DateTime, Datelike, Duration, NaiveDate, Utc};
use crm::lang::Lang;
use crm::promotion::{Promotion, store as promotions};
use islands::AppError;
use leptos::prelude::*;
use std::collections::BTreeMap;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().offers;
    let mut conn = cx.db.read().await?;
    let running = promotions::running(&mut conn, cx.db.now()).await?;
    drop(conn);
    let is_empty = running.is_empty();
    let offers: Vec<_> = running.iter().map(|promotion| offer(&cx, promotion)).collect();
    let list = if is_empty {
        view! { <div class="empty"><p>{t.empty}</p><a class="btn" href="/programs">{t.to_programs}</a></div> }
            .into_html()
    } else {
        view! { <div class="stack narrow">{offers}</div> }.into_html()
    };
    let view = view! {
        <div class="page-head">
            <h1>{t.title}</h1>
            <div class="actions">
                <a class="btn btn-sm" href="/what-if">{t.what_if}</a>
                <a class="btn btn-sm" href="/stores">{t.stores}</a>
                <a class="btn btn-sm" href="/programs">{t.programs}</a>
            </div>
        </div>
        {list}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Offers), view))
}

fn offer(cx: &Cx, promotion: &Promotion) -> impl IntoView + use<> {
    let t = &cx.t().offers;
    let last = last_day(cx, promotion.ends_at);
    let month = format::months(cx.lang)[last.month0() as usize];
    let words = until(cx, promotion.ends_at);
    let since = t.since(format::day(cx.lang, cx.shop().day(promotion.starts_at), cx.today()));
    let class = if last == cx.today() {
        "badge badge-warn"
    } else {
        "muted"
    };
    view! {
        <article class="offer">
            <p class="offer-gain" aria-hidden="true">{t.until_leaf} <b>{last.day()}</b> {month}</p>
            <div class="offer-body">
                <h2>{cx.pick(&promotion.title)}</h2>
                <p><span class=class>{words}</span> <span class="muted">", " {since}</span></p>
                <p>{cx.pick(&promotion.conditions)}</p>
                {places(cx, promotion)}
            </div>
        </article>
    }
}

/// Where a promotion holds: the shops by town, folded away when there are many.
fn places(cx: &Cx, promotion: &Promotion) -> impl IntoView + use<> {
    let t = &cx.t().offers;
    if promotion.places.is_empty() {
        return view! { <p>{t.everywhere}</p> }.into_html();
    }
    let mut towns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for place in &promotion.places {
        towns
            .entry(cx.pick(&place.town))
            .or_default()
            .push(cx.pick(&place.name));
    }
    let lines: Vec<_> = towns
        .into_iter()
        .map(|(town, shops)| view! { <li>{town} ": " {shops.join(", ")}</li> })
        .collect();
    let count = i64::try_from(promotion.places.len()).unwrap_or(i64::MAX);
    let all = || view! { <a href="/stores">{t.addresses}</a> };
    if count <= 2 {
        view! { <ul class="offer-places">{lines}</ul> <p>{all()}</p> }.into_html()
    } else {
        view! {
            <details class="fold">
                <summary>{t.in_shops(count)}</summary>
                <ul class="offer-places">{lines}</ul>
                <p>{all()}</p>
            </details>
        }
        .into_html()
    }
}

/// The last day on which something holds that ends at a moment.
pub(super) fn last_day(cx: &Cx, ends_at: DateTime<Utc>) -> NaiveDate {
    cx.shop().day(ends_at - Duration::microseconds(1))
}

/// Until when something holds, in words: «сегодня последний день», «до среды, 25 ноября».
pub fn until(cx: &Cx, ends_at: DateTime<Utc>) -> String {
    let t = &cx.t().offers;
    let (last, today) = (last_day(cx, ends_at), cx.today());
    let day = format::day(cx.lang, last, today);
    match (last - today).num_days() {
        ..=0 => t.last_day.to_owned(),
        1 => t.until_tomorrow(day),
        2..=7 => t.until_weekday(day, until_weekday(cx.lang, last)),
        _ => t.until(day),
    }
}

/// A weekday after «до» or "until".
fn until_weekday(lang: Lang, day: NaiveDate) -> &'static str {
    const RU: [&str; 7] = [
        "понедельника",
        "вторника",
        "среды",
        "четверга",
        "пятницы",
        "субботы",
        "воскресенья",
    ];
    let index = day.weekday().num_days_from_monday() as usize;
    match lang {
        Lang::Ru => RU[index],
        Lang::En => format::weekday(lang, index),
    }
}
