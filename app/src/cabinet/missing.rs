//! Where somebody looks who misses points: the last receipts that brought none, or fewer than the programs' shares, each with
//! the way to why. Whoever expected more of a rule finds the other receipts from here. Below them stand the rewards: which came,
//! which wait for what, and why one did not come.

use super::back;
use super::points::{occasion, unit};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame, Place};
use crate::ui::Moment;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use chrono::Duration;
use crm::points::{Short, store as points};
use crm::purchase::{Filter, store as purchases};
use crm::rule::Occasion;
use crm::rule::store::awaited::{self, Ahead, Awaited};
use islands::AppError;
use leptos::prelude::*;

/// How many of the last receipts are looked at.
const LAST: i64 = 50;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().missing;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let short = points::short(&mut conn, me, LAST).await?;
    let (last, _) = purchases::page(&mut conn, me, &Filter::default(), None, 1).await?;
    let awaited = awaited::of(&mut conn, me).await?;
    drop(conn);
    let has_purchases = !last.is_empty();
    let rows: Vec<_> = short.iter().map(|one| row(&cx, one)).collect();
    let list = match (rows.is_empty(), has_purchases) {
        (false, _) => view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_html(),
        (true, true) => view! { <div class="panel empty">{icon(icons::CHECK)} <p>{t.none}</p></div> }.into_html(),
        (true, false) => view! {
            <div class="panel empty">
                {icon(icons::RECEIPT_TEXT)}
                <p>{t.no_purchases}</p>
                <a class="btn btn-primary" href="/card">{cx.t().purchases.show_card}</a>
            </div>
        }
        .into_html(),
    };
    let other = has_purchases.then(|| {
        view! {
            <p>{t.more_expected}</p>
            <p class="actions"><a class="btn" href="/purchases">{t.other}</a></p>
        }
    });
    let view = view! {
        {back("/points", cx.t().points.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead(LAST)}</p>
        </div>
        <div class="narrow stack">
            {list}
            {other}
            {rewards(&cx, &awaited)}
            <p>{t.else_}</p>
            <p class="actions">
                <a class="btn" href="/purchases/claim">{t.claim}</a>
                <a class="btn" href="/support/new">{t.write}</a>
            </p>
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Home), view))
}

fn row(cx: &Cx, one: &Short) -> Html {
    let t = &cx.t().missing;
    let document = cx.t().common.document(&one.document);
    let store = one.store.as_ref().map(|name| format!("{}, ", cx.pick(name)));
    let words = match (one.earned, one.share) {
        (0, 0) => t.nothing.to_owned(),
        (earned, share) => t.fewer(cx.points(earned), cx.points(share)),
    };
    let unit = (one.share > 0).then(|| unit(cx, one.share));
    view! {
        <li>
            <a class="row" href=format!("/purchases/{}/why", one.purchase)>
                <span class="row-icon">{icon(icons::RECEIPT_TEXT)}</span>
                <span class="row-main">
                    <b>{document}</b>
                    <small>{store} <Moment at=one.at shown=cx.moment(one.at)/></small>
                    <span>{words} " " {unit}</span>
                </span>
                <span class="row-go">{icon(icons::CHEVRON_RIGHT)}</span>
            </a>
        </li>
    }
    .into_html()
}

/// How rewards stand: each came, waits, or did not come.
fn rewards(cx: &Cx, awaited: &[Awaited]) -> Option<Html> {
    let rows: Vec<_> = awaited.iter().map(|one| reward(cx, one)).collect();
    (!rows.is_empty()).then(|| {
        view! {
            <section class="section" aria-labelledby="rewards">
                <h2 id="rewards">{cx.t().missing.rewards}</h2>
                <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
            </section>
        }
        .into_html()
    })
}

/// A reward: when it came last, with the way to the points, and what is to be expected of it.
fn reward(cx: &Cx, one: &Awaited) -> Html {
    let t = &cx.t().missing;
    let came = one.came.map(|at| {
        let (day, words) = (cx.shop().day(at), t.reward_came(cx.day(at)));
        let words = match one.has_points {
            true => view! { <a href=format!("/points?from={day}&to={day}")>{words}</a> }.into_html(),
            false => words.into_html(),
        };
        view! { <span class="status status-done">{words}</span> }
    });
    let ahead = one.ahead.as_ref().map(|ahead| expected(cx, one, ahead));
    let is_open = matches!(one.ahead, Some(Ahead::Act | Ahead::Friends(_)));
    let until = one.until.filter(|_| is_open);
    // The first moment at which it holds no more is mostly a midnight.
    let until = until.map(|until| {
        let last = cx.day(until - Duration::microseconds(1));
        view! { <small>{t.reward_until(last)}</small> }
    });
    view! {
        <li class="row">
            <span class="row-icon">{icon(icons::SPARKLES)}</span>
            <span class="row-main">
                <b><bdi>{cx.pick(&one.name)}</bdi></b>
                <small>{occasion(cx, one.occasion)}</small>
                {came}
                {ahead}
                {until}
            </span>
        </li>
    }
    .into_html()
}

/// What is to be expected of a reward, with the way to where the customer does something for it.
fn expected(cx: &Cx, one: &Awaited, ahead: &Ahead) -> Html {
    let t = &cx.t().missing;
    let day = |day| format::day(cx.lang, day, cx.today());
    let waits = "status status-wait";
    let (class, words, href) = match ahead {
        Ahead::Act => match one.occasion {
            Occasion::Questionnaire => (waits, t.reward_questionnaire.to_owned(), "/questionnaire"),
            Occasion::Profile => (waits, t.reward_profile.to_owned(), "/profile"),
            _ => (waits, t.reward_friend.to_owned(), "/invite"),
        },
        Ahead::Friends(friends) => (waits, t.reward_friends(*friends), "/invite"),
        Ahead::On(on) if one.came.is_some() => (waits, t.reward_again(day(*on)), ""),
        Ahead::On(on) => (waits, t.reward_on(day(*on)), ""),
        Ahead::Closed(from) => ("status", t.reward_closed(day(*from)), "/invite"),
        Ahead::Not { day: None, why } => ("status", t.reward_not(cx.pick(why)), ""),
        Ahead::Not { day: Some(on), why } => ("status", t.reward_missed(day(*on), cx.pick(why)), ""),
    };
    let words = match href {
        "" => words.into_html(),
        href => view! { <a href=href>{words}</a> }.into_html(),
    };
    view! { <span class=class>{words}</span> }.into_html()
}
