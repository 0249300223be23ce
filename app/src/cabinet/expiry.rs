//! The calendar of points: in which month and on which day which of them expire, and when they can be spent.

use super::points::{origin, unit};
use super::{back, meaning, place, show_place};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use chrono::{DateTime, Datelike, Utc};
use crm::points::{Before, By, LotState, Remaining, store as points};
use islands::AppError;
use leptos::prelude::*;

/// Lots of one list on one page, or fewer: neither a month nor a day is parted where that can be helped.
const SHOWN: usize = 200;

/// The year and the month of a moment.
type Month = (i32, u32);

fn month(cx: &Cx, at: DateTime<Utc>) -> Month {
    let day = cx.shop().day(at);
    (day.year(), day.month())
}

/// A part of one of the lists.
#[derive(Default)]
struct Part {
    lots: Vec<Remaining>,
    /// Where the next one begins.
    next: Option<Before>,
    /// The months of the page before and of the next one: where they are of this one as well, it has no more than a part of them.
    parted: [Option<Month>; 2],
}

async fn part(cx: &Cx, by: By, after: Option<Before>) -> Result<Part, AppError> {
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let mut lots = points::remaining(&mut conn, me, by, after, SHOWN as i64 + 1).await?;
    drop(conn);
    let before = after.map(|(at, _)| month(cx, at));
    let beyond = match lots.len() > SHOWN {
        true => lots.pop().map(|lot| by.at(&lot)),
        false => None,
    };
    let Some(beyond) = beyond else {
        return Ok(Part {
            lots,
            next: None,
            parted: [before, None],
        });
    };
    let day = cx.shop().day(beyond);
    let months = lots
        .iter()
        .take_while(|lot| month(cx, by.at(lot)) != month(cx, beyond))
        .count();
    let days = lots.iter().take_while(|lot| cx.shop().day(by.at(lot)) != day).count();
    if let Some(whole) = [months, days].into_iter().find(|whole| *whole > 0) {
        lots.truncate(whole);
    }
    let next = lots.last().map(|lot| (by.at(lot), lot.lot.0));
    Ok(Part {
        lots,
        next,
        parted: [before, Some(month(cx, beyond))],
    })
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().expiry;
    let [after, waits_after] = ["after", "waiting"].map(|name| cx.query(name).and_then(place));
    let is_later = after.is_some() || waits_after.is_some();
    // A page that goes on with one list shows that one alone.
    let expiring = match waits_after {
        None => part(&cx, By::Expiry, after).await?,
        Some(_) => Part::default(),
    };
    let waiting = match after {
        None => part(&cx, By::Activation, waits_after).await?,
        Some(_) => Part::default(),
    };
    // Later months stand folded, and the list may go on elsewhere: the page says all the same when the last of them are gone.
    let month_of = |lot: Option<&Remaining>| lot.map(|lot| month(&cx, lot.expires_at));
    let ends_here = month_of(expiring.lots.first()) == month_of(expiring.lots.last());
    let last = match ends_here && expiring.next.is_none() {
        true => None,
        false => points::last_to_expire(&mut cx.db.read().await?, cx.subject()?).await?,
    };
    let last = last.map(|(at, sum)| {
        let sum = format!("{} {}", cx.points(sum), unit(&cx, sum));
        view! { <p>{t.last(cx.day(at), sum)}</p> }
    });
    let link = |name: &str, next: Option<Before>| {
        let href = next.map(|next| format!("/points/expiry?{name}={}", show_place(next)));
        href.map(|href| super::more(&cx, href))
    };
    let (more, more_waiting) = (link("after", expiring.next), link("waiting", waiting.next));
    let expiring = months(
        &cx,
        t.expiring,
        &expiring,
        |lot| lot.expires_at,
        |cx, lot| match lot.state {
            LotState::Pending => Some(cx.t().points.waits(cx.day(lot.activates_at))),
            LotState::Active | LotState::Expired => None,
        },
    );
    let waiting = months(
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
            {waiting.is_some().then(|| {
                meaning(&cx, cx.t().points.what_pending, cx.t().points.pending_means, "when-points-become-active")
            })}
            {waiting}
            {more_waiting}
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Home), view))
}

/// What else there is to say of a lot.
type Note = fn(&Cx, &Remaining) -> Option<String>;

/// So many points, in words.
fn told(cx: &Cx, lots: &[&Remaining]) -> String {
    let sum: i64 = lots.iter().map(|lot| lot.points).sum();
    format!("{} {}", cx.points(sum), unit(cx, sum))
}

/// Lots by the month of a moment of theirs, which they are sorted by: the nearest stands open, of the others the sum is seen.
fn months(cx: &Cx, title: &'static str, part: &Part, at: fn(&Remaining) -> DateTime<Utc>, note: Note) -> Option<Html> {
    let lots: Vec<&Remaining> = part.lots.iter().collect();
    let months: Vec<_> = lots
        .chunk_by(|a, b| month(cx, at(a)) == month(cx, at(b)))
        .enumerate()
        .map(|(i, lots)| {
            let first = lots.first().map(|lot| at(lot));
            let name = first.map(|at| format::month(cx.lang, cx.shop().day(at)));
            let name = name.unwrap_or_default();
            // Of a part of a month the sum would be wrong.
            let (is_nearest, is_parted) = (i == 0, part.parted.contains(&first.map(|at| month(cx, at))));
            let words = match is_parted {
                true => name,
                false => cx.t().expiry.month(name, told(cx, lots)),
            };
            view! {
                <details class="fold" open=is_nearest>
                    <summary>{words}</summary>
                    {days(cx, lots, at, note)}
                </details>
            }
        })
        .collect();
    (!months.is_empty())
        .then(|| view! { <section class="section"><h2>{title}</h2> <div>{months}</div></section> }.into_html())
}

/// The same by days. What comes of one program alone is said by its own line.
fn days(cx: &Cx, lots: &[&Remaining], at: fn(&Remaining) -> DateTime<Utc>, note: Note) -> Vec<Html> {
    let days = lots.chunk_by(|a, b| cx.shop().day(at(a)) == cx.shop().day(at(b)));
    days.map(|lots| {
        let date = lots.first().map(|lot| cx.shop().day(at(lot)));
        let date = date.map(|date| format::day_and_weekday(cx.lang, date, cx.today()));
        let programs = programs(cx, lots, note);
        let sum = (programs.len() > 1).then(|| view! { <span>{told(cx, lots)}</span> });
        view! {
            <section class="day">
                <div class="day-head"><h3>{date}</h3> {sum}</div>
                <div class="panel panel-flush">{programs}</div>
            </section>
        }
        .into_html()
    })
    .collect()
}

/// The lots of a day, program by program, each with what had brought the points.
fn programs(cx: &Cx, lots: &[&Remaining], note: Note) -> Vec<Html> {
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
