//! What the shop offers today, and what of it is for whom.

use super::points::unit;
use super::{back, flash, gone, place, show_place};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::FormBox;
use crate::ui::barcode::CodeBars;
use crate::ui::html::{Html, IntoHtml};
use chrono::{DateTime, Datelike, Duration, NaiveDate, Utc};
use crm::coupon::{self, Coupon, State, store as coupons};
use crm::lang::Lang;
use crm::promotion::Promotion;
use crm::promotion::store::offers::{self, Offer, Over, Progress, Stand};
use crm::rule::tier::Measure;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Promotions that are over, on a page.
const OVER: usize = 20;

/// Switches a promotion on.
#[derive(Deserialize)]
pub struct ActivateOffer {
    offer: String,
}

impl Form for ActivateOffer {
    const NAME: &'static str = "offer.activate";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        offers::activate(&cx.db, cx.customer()?, &self.offer).await?;
        Ok(Next::to("/offers?done=on"))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().offers;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let before = cx.query("over").and_then(place);
    let over = offers::over(&mut conn, me, before, OVER as i64 + 1).await?;
    if before.is_some() {
        drop(conn);
        let view = view! {
            {back("/offers", t.title)}
            <h1>{t.over}</h1>
            {archive(&cx, over)}
        };
        return Ok(Body::new(t.over, Frame::Cabinet(Place::Offers), view));
    }
    let all = offers::of(&mut conn, me).await?;
    let held = coupons::of(&mut conn, me).await?;
    drop(conn);
    let is_empty = all.is_empty() && held.is_empty();
    let shown = |which: fn(&Stand) -> bool| -> Vec<Html> {
        let of_them = all.iter().filter(|offer| which(&offer.stand));
        of_them.map(|one| offer(&cx, one).into_html()).collect()
    };
    let mine = shown(|stand| matches!(stand, Stand::Holds | Stand::Off));
    let near = shown(|stand| matches!(stand, Stand::Near { .. }));
    let used = shown(|stand| matches!(stand, Stand::Used { .. }));
    let others = shown(|stand| matches!(stand, Stand::Beyond { .. }));
    let empty = is_empty.then(|| {
        view! { <div class="empty"><p>{t.empty}</p><a class="btn" href="/programs">{t.to_programs}</a></div> }
    });
    let count = i64::try_from(others.len()).unwrap_or(i64::MAX);
    let others = (count > 0).then(|| {
        view! {
            <section class="section">
                <h2>{t.for_others}</h2>
                <details class="fold narrow">
                    <summary>{t.show(count)}</summary>
                    <div class="stack">{others}</div>
                </details>
            </section>
        }
    });
    let view = view! {
        <div class="page-head">
            <h1>{t.title}</h1>
            <div class="actions">
                <a class="btn btn-sm" href="/what-if">{t.what_if}</a>
                <a class="btn btn-sm" href="/stores">{t.stores}</a>
                <a class="btn btn-sm" href="/programs">{t.programs}</a>
            </div>
        </div>
        {flash(&cx, &[("on", t.done_on)])}
        {gone(&cx)}
        {empty}
        {own(&cx, &held)}
        {list(t.for_you, mine)}
        {list(t.almost, near)}
        {list(t.used, used)}
        {others}
        {folded(&cx, over)}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Offers), view))
}

fn list(title: &'static str, offers: Vec<Html>) -> Option<Html> {
    (!offers.is_empty()).then(|| {
        view! {
            <section class="section">
                <h2>{title}</h2>
                <div class="stack narrow">{offers}</div>
            </section>
        }
        .into_html()
    })
}

/// The coupons of the customer: those that are good as bars and text, the others below.
fn own(cx: &Cx, held: &[Coupon]) -> Option<Html> {
    let t = &cx.t().offers;
    let now = cx.db.now();
    let (good, over): (Vec<_>, Vec<_>) = held.iter().partition(|one| one.state(now) == State::Active);
    let good: Vec<_> = good
        .into_iter()
        .map(|one| {
            let typed = coupon::show(&one.code);
            let left = (one.uses > 1).then(|| format!(", {}", t.coupon_left(one.uses - one.used)));
            view! {
                <article class="panel card-codes codes">
                    <h3>{cx.pick(&one.name)}</h3>
                    <p class="muted">{until(cx, one.expires_at)} {left}</p>
                    <CodeBars code=one.code.clone() label=t.coupon_bars(&typed)/>
                    <p><code>{typed}</code></p>
                    <p class="ways no-print">{ask_about(cx, one)}</p>
                </article>
            }
        })
        .collect();
    let hint = (!good.is_empty()).then(|| view! { <p class="muted">{t.coupons_hint}</p> });
    let over: Vec<_> = over
        .into_iter()
        .map(|one| {
            let words = match one.state(now) {
                State::Used => t.coupon_used,
                State::Expired | State::Active => t.coupon_expired,
            };
            let ended = until_day(cx, one.expires_at);
            view! {
                <li class="row">
                    <span class="row-main"><b>{cx.pick(&one.name)}</b> <small>{ended}</small> {ask_about(cx, one)}</span>
                    <span class="row-end">{words}</span>
                </li>
            }
        })
        .collect();
    let over = (!over.is_empty()).then(|| {
        view! {
            <details class="fold narrow">
                <summary>{t.coupons_over}</summary>
                <div class="panel panel-flush"><ul class="rows">{over}</ul></div>
            </details>
        }
    });
    (!held.is_empty()).then(|| {
        view! {
            <section class="section" aria-labelledby="coupons">
                <h2 id="coupons">{t.coupons}</h2>
                {hint}
                <div class="stack narrow">{good}</div>
                {over}
            </section>
        }
        .into_html()
    })
}

/// The way to write about a coupon, also of one that is over: why it did nothing is asked afterwards.
fn ask_about(cx: &Cx, coupon: &Coupon) -> Html {
    let href = format!("/support/new?about=coupon/{}", coupon.id);
    view! {
        <a href=href>{cx.t().offers.coupon_write} <span class="sr-only">": " {cx.pick(&coupon.name)}</span></a>
    }
    .into_html()
}

/// Until which day something was good.
fn until_day(cx: &Cx, ends_at: DateTime<Utc>) -> String {
    cx.t()
        .offers
        .ended(format::day(cx.lang, last_day(cx, ends_at), cx.today()))
}

/// What is over, folded away under what holds.
fn folded(cx: &Cx, over: Vec<Over>) -> Option<Html> {
    let t = &cx.t().offers;
    (!over.is_empty()).then(|| {
        view! {
            <section class="section">
                <h2>{t.over}</h2>
                <details class="fold narrow">
                    <summary>{t.over_show}</summary>
                    {archive(cx, over)}
                </details>
            </section>
        }
        .into_html()
    })
}

/// What is over, and what it brought; one more than a page shows leads on.
fn archive(cx: &Cx, over: Vec<Over>) -> Html {
    let t = &cx.t().offers;
    let last = over.get(OVER.saturating_sub(1)).filter(|_| over.len() > OVER);
    let next = last.map(|last| format!("/offers?over={}", show_place((last.ended_at, last.id.0))));
    let next = next.map(|href| super::more(cx, href));
    let is_counted = over.iter().take(OVER).any(|one| one.is_counted);
    let rows: Vec<_> = over
        .into_iter()
        .take(OVER)
        .map(|one| {
            let ended = until_day(cx, one.ended_at);
            let brought: Vec<String> = [
                (one.discount > 0).then(|| t.brought_off(cx.money(one.discount))),
                (one.points > 0).then(|| {
                    format!(
                        "{} {}",
                        format::signed_points(cx.lang, one.points),
                        unit(cx, one.points)
                    )
                }),
            ]
            .into_iter()
            .flatten()
            .collect();
            let brought = match (brought.is_empty(), one.is_counted) {
                (false, _) => Some(brought.join(", ")),
                (true, true) => Some(t.brought_nothing.to_owned()),
                (true, false) => None,
            };
            view! {
                <li class="row">
                    <span class="row-main"><b>{cx.pick(&one.title)}</b> <small>{ended}</small></span>
                    {brought.map(|brought| view! { <span class="row-end">{brought}</span> })}
                </li>
            }
        })
        .collect();
    if rows.is_empty() {
        return view! { <p class="muted">{t.over_no_more}</p> }.into_html();
    }
    view! {
        <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
        {is_counted.then(|| view! { <p class="hint">{t.over_hint}</p> })}
        {next}
    }
    .into_html()
}

fn offer(cx: &Cx, offer: &Offer) -> impl IntoView + use<> {
    let t = &cx.t().offers;
    let promotion = &offer.promotion;
    let last = last_day(cx, promotion.ends_at);
    let month = format::months(cx.lang)[last.month0() as usize];
    let words = until(cx, promotion.ends_at);
    let since = t.since(format::day(cx.lang, cx.shop().day(promotion.starts_at), cx.today()));
    let (title, write) = (
        cx.pick(&promotion.title),
        format!("/support/new?about=offer/{}", promotion.id),
    );
    let class = if last == cx.today() {
        "badge badge-warn"
    } else {
        "muted"
    };
    // What is to be turned on is read first.
    let stand = stand(cx, offer);
    let (stand, turn_on) = if matches!(offer.stand, Stand::Off) {
        (None, stand)
    } else {
        (stand, None)
    };
    view! {
        <article class="offer" id=format!("offer-{}", promotion.code)>
            <p class="offer-gain" aria-hidden="true">{t.until_leaf} <b>{last.day()}</b> {month}</p>
            <div class="offer-body">
                <h3>{cx.pick(&promotion.title)}</h3>
                <p><span class=class>{words}</span> <span class="muted">", " {since}</span></p>
                {stand}
                <p>{cx.pick(&promotion.conditions)}</p>
                {places(cx, promotion)}
                {turn_on}
                <p class="ways no-print"><a href=write>{t.write} <span class="sr-only">": " {title}</span></a></p>
            </div>
        </article>
    }
}

/// Whether a promotion holds for the customer, and what is missing.
fn stand(cx: &Cx, offer: &Offer) -> Option<Html> {
    let t = &cx.t().offers;
    let promotion = &offer.promotion;
    let view = match &offer.stand {
        // What is for everybody needs no word of it.
        Stand::Holds if promotion.rules.is_empty() && offer.activated_at.is_none() => return None,
        Stand::Holds => {
            let since = offer.activated_at.map(|at| t.on_since(cx.day(at)));
            view! {
                <p><span class="badge badge-brand">{t.holds}</span> " " <span class="muted">{because(cx, offer)} " " {since}</span></p>
            }
            .into_html()
        }
        Stand::Off => {
            let (id, code) = (format!("on-{}", promotion.code), promotion.code.clone());
            let title = cx.pick(&promotion.title);
            view! {
                <p>{t.switch_on_hint} " " {because(cx, offer)}</p>
                <FormBox<ActivateOffer> id=id class="actions">
                    <input type="hidden" name="offer" value=code/>
                    <button class="btn btn-primary btn-sm">{t.switch_on} <span class="sr-only">": " {title}</span></button>
                </FormBox<ActivateOffer>>
            }
            .into_html()
        }
        Stand::Near { why, progress: None } => view! { <p><b>{cx.pick(why)}</b></p> }.into_html(),
        Stand::Near {
            why,
            progress: Some(Progress { measure, done, of }),
        } => {
            let missing = match measure {
                Measure::Count => t.purchases_of(format::integer(*done), format::integer(*of)),
                Measure::Sum => t.sum_missing(cx.money(of - done)),
            };
            // Who is short of a tier is to read of which.
            let why = match measure {
                Measure::Count => None,
                Measure::Sum => Some(cx.pick(why)),
            };
            let id = format!("near-{}", promotion.id);
            let why = why.map(|why| view! { <p>{why}</p> });
            view! {
                <p id=id.clone()><b>{missing}</b></p>
                <progress class="progress" max=of.to_string() value=(*done).max(0).to_string() aria-labelledby=id></progress>
                {why}
            }
            .into_html()
        }
        Stand::Used { at, is_for_today } => {
            let when = at.map(|at| t.used_at(cx.moment(at)));
            let again = is_for_today.then_some(t.used_again);
            view! { <p><span class="badge">{t.used_up}</span> " " <span class="muted">{when} " " {again}</span></p> }
                .into_html()
        }
        Stand::Beyond { why } => {
            let why = why.as_ref().map_or_else(|| t.not_now.to_owned(), |why| cx.pick(why));
            view! { <p>{why}</p> }.into_html()
        }
    };
    Some(view)
}

/// Why an offer is for the customer, a sentence for each reason.
fn because(cx: &Cx, offer: &Offer) -> String {
    let told = offer.because.iter().map(|why| format!("{}.", cx.pick(why)));
    told.collect::<Vec<_>>().join(" ")
}

/// Where a promotion holds: the shops by town, folded away when there are many.
fn places(cx: &Cx, promotion: &Promotion) -> impl IntoView + use<> {
    let t = &cx.t().offers;
    if promotion.places.is_empty() {
        return view! { <p>{t.everywhere} ". " <a href="/stores">{t.addresses}</a></p> }.into_html();
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
    let href = format!("/stores?offer={}", promotion.code);
    let all = || view! { <a href=href>{t.addresses}</a> };
    if count <= 2 {
        view! { <ul>{lines}</ul> <p>{all()}</p> }.into_html()
    } else {
        view! {
            <details class="fold">
                <summary>{t.in_shops(count)}</summary>
                <ul>{lines}</ul>
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

/// Where an offer stands on its page.
pub(super) fn address(promotion: &Promotion) -> String {
    format!("/offers#offer-{}", promotion.code)
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
