//! The calendar of points: on which day which of them expire, and on which they can be spent.

use super::points::{origin, unit};
use super::{back, meaning, place, show_place};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use chrono::{DateTime, Utc};
use crm::points::{Before, By, LotState, Remaining, store as points};
use islands::AppError;
use leptos::prelude::*;

/// Lots of one list on one page, or fewer: a day is not parted.
const SHOWN: usize = 100;

/// A part of one of the lists, and where the next one begins.
async fn part(cx: &Cx, by: By, after: Option<Before>) -> Result<(Vec<Remaining>, Option<Before>), AppError> {
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let mut lots = points::remaining(&mut conn, me, by, after, SHOWN as i64 + 1).await?;
    drop(conn);
    if lots.len() <= SHOWN {
        return Ok((lots, None));
    }
    let day = |lot: &Remaining| cx.shop().day(by.at(lot));
    let beyond = lots.pop().map(|lot| day(&lot));
    let whole = lots.iter().take_while(|lot| Some(day(lot)) != beyond).count();
    if whole > 0 {
        lots.truncate(whole);
    }
    let next = lots.last().map(|lot| (by.at(lot), lot.lot.0));
    Ok((lots, next))
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().expiry;
    let [after, waits_after] = ["after", "waiting"].map(|name| cx.query(name).and_then(place));
    let is_later = after.is_some() || waits_after.is_some();
    // A page that goes on with one list shows that one alone.
    let (expiring, more) = match waits_after {
        None => part(&cx, By::Expiry, after).await?,
        Some(_) => Default::default(),
    };
    let (waiting, more_waiting) = match after {
        None => part(&cx, By::Activation, waits_after).await?,
        Some(_) => Default::default(),
    };
    // Where the list goes on elsewhere, the page says all the same when the last of them are gone.
    let last = match more {
        Some(_) => points::last_to_expire(&mut cx.db.read().await?, cx.subject()?).await?,
        None => None,
    };
    let last = last.map(|(at, sum)| {
        let sum = format!("{} {}", cx.points(sum), unit(&cx, sum));
        view! { <p>{t.last(cx.day(at), sum)}</p> }
    });
    let link = |name: &str, next: Option<Before>| {
        let href = next.map(|next| format!("/points/expiry?{name}={}", show_place(next)));
        href.map(|href| super::more(&cx, href))
    };
    let (more, more_waiting) = (link("after", more), link("waiting", more_waiting));
    let expiring: Vec<&Remaining> = expiring.iter().collect();
    let waiting: Vec<&Remaining> = waiting.iter().collect();
    let expiring = days(
        &cx,
        t.expiring,
        &expiring,
        |lot| lot.expires_at,
        |cx, lot| match lot.state {
            LotState::Pending => Some(cx.t().points.waits(cx.day(lot.activates_at))),
            LotState::Active | LotState::Expired => None,
        },
    );
    let waiting = days(
        &cx,
        t.waiting,
        &waiting,
        |lot| lot.activates_at,
        |cx, lot| Some(cx.t().expiry.until(cx.day(lot.expires_at))),
    );
    let none = (expiring.is_none() && waiting.is_none()).then(|| {
        view! {
            <div class="panel empty">
                {icon(icons::HOURGLASS)}
                <p>{t.none}</p>
                <a class="btn" href="/points">{t.back}</a>
            </div>
        }
    });
    let view = view! {
        {back("/points", t.back)}
        <div>
            <h1>{t.title}</h1>
            {expiring.is_some().then(|| view! { <p class="lead">{t.lead}</p> })}
        </div>
        <div class="narrow stack">
            {is_later.then(|| view! { <p><a href="/points/expiry">{t.from_the_start}</a></p> })}
            {none}
            {last}
            {expiring.is_some().then(|| {
                meaning(&cx, cx.t().points.what_expires, cx.t().points.expires_means, "when-points-expire")
            })}
            {expiring}
            {more}
            {waiting}
            {more_waiting}
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Home), view))
}

/// Lots by the day of a moment of theirs, which they are sorted by; `note` says what else there is to say of one.
fn days(
    cx: &Cx,
    title: &'static str,
    lots: &[&Remaining],
    at: fn(&Remaining) -> DateTime<Utc>,
    note: fn(&Cx, &Remaining) -> Option<String>,
) -> Option<Html> {
    let days: Vec<_> = lots
        .chunk_by(|a, b| cx.shop().day(at(a)) == cx.shop().day(at(b)))
        .map(|lots| {
            let date = lots.first().map(|lot| cx.shop().day(at(lot)));
            let date = date.map(|date| format::day_and_weekday(cx.lang, date, cx.today()));
            let sum: i64 = lots.iter().map(|lot| lot.points).sum();
            view! {
                <section class="day">
                    <div class="day-head"><h3>{date}</h3> <span>{cx.points(sum)} " " {unit(cx, sum)}</span></div>
                    <div class="panel panel-flush">{programs(cx, lots, note)}</div>
                </section>
            }
        })
        .collect();
    (!days.is_empty())
        .then(|| view! { <section class="section"><h2>{title}</h2> <div>{days}</div></section> }.into_html())
}

/// The lots of a day, program by program, each with what had brought the points.
fn programs(cx: &Cx, lots: &[&Remaining], note: fn(&Cx, &Remaining) -> Option<String>) -> Vec<Html> {
    let t = &cx.t().receipt;
    let mut programs: Vec<Vec<&Remaining>> = Vec::new();
    for &lot in lots {
        match programs.iter_mut().find(|known| known[0].program == lot.program) {
            Some(known) => known.push(lot),
            None => programs.push(vec![lot]),
        }
    }
    let program = |lots: Vec<&Remaining>| {
        let name = lots.first().map(|lot| cx.pick(&lot.name));
        let sum: i64 = lots.iter().map(|lot| lot.points).sum();
        let rows: Vec<_> = lots
            .into_iter()
            .map(|lot| {
                let note = note(cx, lot).map(|note| view! { <br/> <small class="muted">{note}</small> });
                view! {
                    <tr>
                        <th scope="row">{origin(cx, &lot.origin)} {note}</th>
                        <td class="num">{cx.points(lot.points)}</td>
                    </tr>
                }
            })
            .collect();
        view! {
            <details class="entry">
                <summary><span>{name}</span> <b class="minus">{cx.points(sum)}</b></summary>
                <div class="fold">
                    <table class="data">
                        <caption class="sr-only">{t.came_from}</caption>
                        <thead><tr><th scope="col">{t.came_from}</th><th scope="col" class="num">{t.points}</th></tr></thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </details>
        }
        .into_html()
    };
    programs.into_iter().map(program).collect()
}
