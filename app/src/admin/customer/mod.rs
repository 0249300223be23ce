//! A customer's card: everything the shop knows of one person, and what happened.

mod acts;
mod panel;
mod timeline;

use super::{full_name, merge, points as moves, read_place, status, store_name, write_place};
use crate::cabinet::flash;
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Moment, icon};
pub use acts::{AllowBirthday, EndSessions, GrantRemoval, StopNumberChange};
use acts::{birthday, number_change, second_step, signed_in};
use crm::card::store as cards;
use crm::consent::store as consents;
use crm::contact::change as numbers;
use crm::coupon::store as coupons;
use crm::customer::store as customers;
use crm::factor::removal;
use crm::id::{CustomerId, TransactionId};
use crm::points::store::{self as points, rewards, transfers};
use crm::program::store as programs;
use crm::purchase::{Filter, Kind as PurchaseKind, Page, store as purchases};
use crm::questionnaire::store as questionnaire;
use crm::request::{Summary, store as requests};
use crm::segment;
use crm::staff::{EventKind, store as staff_store};
use crm::stores::store as stores;
use crm::who::Reason;
use islands::AppError;
use leptos::prelude::*;
use panel::{
    about, agreed, card_numbers, children, coupons_of, language, likes, memberships, reach, segments_of, sums,
};
pub use timeline::change;
use timeline::{Words, timeline};

/// How many purchases a page shows.
const PURCHASES: usize = 20;
/// How many requests are shown, the last ones.
const REQUESTS: i64 = 50;
/// How many transfers are shown, the last ones.
const TRANSFERS: i64 = 20;
/// How many events are shown at first, and when more are asked for.
const EVENTS: [i64; 2] = [30, 500];

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_customer;
    let staff = cx.staff()?;
    let id: CustomerId = cx.param("id")?;
    let before = cx.query("before").and_then(read_place);
    let is_whole = cx.query("history") == Some("all");
    let most = EVENTS[usize::from(is_whole)];
    let subject = staff.open(&cx.db, id, Reason::Card).await?;
    // Asked for by a link of its own, for each time is written down.
    let income = match cx.query("income") {
        Some("shown") => Some(questionnaire::guarded(&cx.db, staff, id).await?),
        _ => None,
    };
    let mut conn = cx.db.read().await?;
    let told = questionnaire::open(&mut conn, subject).await?;
    let profile = customers::profile(&mut conn, subject).await?;
    let cards = cards::of(&mut conn, subject).await?;
    let balance = points::balance(&mut conn, subject).await?;
    let transfers = transfers::list(&mut conn, subject, TRANSFERS).await?;
    let programs = programs::list(&mut conn, subject).await?;
    let consents = consents::history(&mut conn, subject).await?;
    let bought = purchases::list(&mut conn, subject, &Filter::default(), before, PURCHASES).await?;
    let asked = requests::list(&mut conn, subject, None, REQUESTS).await?;
    let topics = requests::topics(&mut conn).await?;
    let categories = stores::categories(&mut conn).await?;
    let shops = stores::list(&mut conn, cx.lang).await?;
    let events = staff_store::timeline(&mut conn, subject, most).await?;
    let moved = events.iter().filter(|event| event.kind == EventKind::Points);
    let moved: Vec<TransactionId> = moved.filter_map(|event| event.object).map(TransactionId).collect();
    let rewards = rewards::of(&mut conn, subject, &moved).await?;
    let sessions = staff_store::open_sessions(&mut conn, subject).await?;
    let removal = removal::of(&mut conn, subject).await?;
    let change = numbers::of(&mut conn, subject).await?;
    let frozen = numbers::frozen(&mut conn, subject).await?;
    let held = coupons::of(&mut conn, subject).await?;
    let listed = segment::of(&mut conn, subject).await?;
    drop(conn);
    let merges = merge::section(&cx, subject).await?;
    let person = &profile.person;
    let name = full_name(&cx, &person.name, &person.surname);
    let here = format!("/admin/customers/{id}");
    let words = Words {
        topics,
        programs: &programs,
        consents: &consents,
        rewards: &rewards,
        here: &here,
    };
    let may_be_more = !is_whole && events.len() as i64 == most;
    let more = may_be_more.then(|| {
        view! { <p class="more-link"><a class="btn" href=format!("{here}?history=all#history")>{t.whole_history}</a></p> }
    });
    let of_points = &cx.t().admin_points;
    let done = [
        ("ended", t.done_ended),
        ("granted", t.done_granted),
        ("stopped", t.done_stopped),
        ("allowed", t.done_allowed),
        ("merged", t.done_merged),
        ("parted", t.done_parted),
        ("adjusted", of_points.done_adjusted),
        ("asked", of_points.done_asked),
        ("reversed", of_points.done_reversed),
    ];
    let view = view! {
        <div class="pane-head">
            <h1><bdi>{name.clone()}</bdi></h1>
            <p class="facts">
                <span>{t.since} " " <Moment at=person.registered_at shown=cx.day(person.registered_at)/></span>
                <span>{language(&cx, person.language)}</span>
            </p>
        </div>
        {flash(&cx, &done)}
        {sums(&cx, &balance)}
        {moves::adjust(&cx, &programs, &balance)}
        <div class="cols">
            <div>
                {receipts(&cx, &here, &bought, before.is_some())}
                {moves::moved(&cx, &transfers)}
                {asked_for(&cx, &asked)}
                <section class="section" aria-labelledby="history">
                    <h2 id="history">{t.history}</h2>
                    {timeline(&cx, &words, &events)}
                    {more}
                </section>
            </div>
            <div>
                {reach(&cx, &profile)}
                {birthday(&cx, &profile)}
                {signed_in(&cx, sessions)}
                {number_change(&cx, change.as_ref(), frozen)}
                {second_step(&cx, removal.as_ref())}
                {merges}
                {card_numbers(&cx, &cards)}
                {memberships(&cx, &programs, &balance)}
                {coupons_of(&cx, &held)}
                {segments_of(&cx, &listed)}
                {agreed(&cx, &consents)}
                {likes(&cx, &profile, &categories, &shops)}
                {about(&cx, &here, &told, income.as_deref())}
                {children(&cx, &profile)}
            </div>
        </div>
    };
    Ok(Body::new(name, Frame::Admin, view))
}

fn receipts(cx: &Cx, here: &str, page: &Page, is_later: bool) -> Html {
    let t = &cx.t().admin_customer;
    let rows: Vec<_> = page
        .months
        .iter()
        .flat_map(|(_, purchases)| purchases)
        .map(|purchase| {
            let state = match (purchase.kind, purchase.returned) {
                (PurchaseKind::Return, _) => Some(view! { <span class="status status-bad">{t.is_return}</span> }),
                (PurchaseKind::Sale, true) => Some(view! { <span class="status status-wait">{t.has_return}</span> }),
                (PurchaseKind::Sale, false) => None,
            };
            let store = purchase.store.as_ref().map(|store| store_name(cx, store));
            view! {
                <tr>
                    <td><Moment at=purchase.at shown=cx.moment(purchase.at)/></td>
                    <td><a href=format!("{here}/purchases/{}", purchase.id)>{cx.t().common.document(&purchase.document)}</a></td>
                    <td class="grow">{store}</td>
                    <td>{state}</td>
                    <td class="num">{format::integer(purchase.lines)}</td>
                    <td class="num points">{format::signed_points(cx.lang, purchase.points)}</td>
                    <td class="num">{cx.money(purchase.total)}</td>
                </tr>
            }
        })
        .collect();
    let table = match (rows.is_empty(), is_later) {
        (true, _) => view! { <p class="muted">{t.no_purchases}</p> }.into_html(),
        (false, _) => view! {
            <div class="data-wrap" role="group" aria-label=t.purchases tabindex="0">
                <table class="data">
                    <caption class="sr-only">{t.purchases}</caption>
                    <thead>
                        <tr>
                            <th scope="col">{t.when}</th>
                            <th scope="col">{t.receipt}</th>
                            <th scope="col">{t.store}</th>
                            <th scope="col">{t.returns}</th>
                            <th scope="col" class="num">{t.lines}</th>
                            <th scope="col" class="num">{t.points}</th>
                            <th scope="col" class="num">{t.total}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_html(),
    };
    let first = is_later.then(|| view! { <a class="btn" href=format!("{here}#purchases")>{t.latest}</a> });
    let next = page.next.map(|next| {
        let href = format!("{here}?before={}#purchases", write_place(next));
        view! { <a class="btn" href=href>{t.earlier} {icon(icon::CHEVRON_RIGHT)}</a> }
    });
    view! {
        <section class="section" aria-labelledby="purchases">
            <h2 id="purchases">{t.purchases}</h2>
            {table}
            <div class="pages"><span></span><div class="actions">{first} {next}</div></div>
        </section>
    }
    .into_html()
}

fn asked_for(cx: &Cx, asked: &[Summary]) -> Html {
    let t = &cx.t().admin_customer;
    let rows: Vec<_> = asked
        .iter()
        .map(|request| {
            view! {
                <tr>
                    <td>{status(cx, request.status)}</td>
                    <td class="grow">
                        <a href=format!("/admin/requests/{}", request.number)>
                            {t.request_number(request.number, cx.pick(&request.topic))}
                        </a>
                    </td>
                    <td class="num"><Moment at=request.created_at shown=cx.day(request.created_at)/></td>
                    <td class="num"><Moment at=request.updated_at shown=cx.ago(request.updated_at)/></td>
                </tr>
            }
        })
        .collect();
    let table = match rows.is_empty() {
        true => view! { <p class="muted">{t.no_requests}</p> }.into_html(),
        false => view! {
            <div class="data-wrap" role="group" aria-label=t.requests tabindex="0">
                <table class="data">
                    <caption class="sr-only">{t.requests}</caption>
                    <thead>
                        <tr>
                            <th scope="col">{t.status}</th>
                            <th scope="col">{t.request}</th>
                            <th scope="col" class="num">{t.written}</th>
                            <th scope="col" class="num">{t.updated}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_html(),
    };
    view! {
        <section class="section" aria-labelledby="requests">
            <h2 id="requests">{t.requests}</h2>
            {table}
        </section>
    }
    .into_html()
}

/// A part of the side column.
fn side(title: &'static str, inside: impl IntoView + 'static) -> Html {
    view! { <section class="section"><h2>{title}</h2> {inside.into_html()}</section> }.into_html()
}
