//! A customer's card: everything the shop knows of one person, and what happened.

mod acts;
mod next;
mod notes;
mod panel;
mod timeline;

use super::acts::why::{self, Card};
use super::{audit, changes, fraud, full_name, merge, pages, points as moves, status, store_name, talk, tasks as todo};
use crate::cabinet::{flash, place, show_place};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame};
use crate::ui::Moment;
use crate::ui::html::{Html, IntoHtml};
pub use acts::{AllowBirthday, EndSessions, GrantRemoval, StopNumberChange};
use acts::{birthday, number_change, second_step, signed_in};
use crm::card::store as cards;
use crm::consent::{Aim, store as consents};
use crm::contact::change as numbers;
use crm::coupon::store as coupons;
use crm::customer::{Channel, store as customers};
use crm::factor::removal;
use crm::fraud::{stop, store as alerts};
use crm::id::{CustomerId, InteractionId, TaskId, TransactionId};
use crm::interaction::store as interactions;
use crm::note::store as noted;
use crm::outlook::{Facts, steps, store as outlook};
use crm::points::Before;
use crm::points::store::{self as points, adjustments, rewards, transfers};
use crm::program::store as programs;
use crm::purchase::{Filter, Kind as PurchaseKind, Purchase, store as purchases};
use crm::questionnaire::store as questionnaire;
use crm::request::{Summary, store as requests};
use crm::rfm::store as rfm;
use crm::rule::tier::store as tiers;
use crm::segment;
use crm::staff::{Right, store as staff_store};
use crm::stores::store as stores;
use crm::task::store as tasks;
use crm::timeline::{EventKind, store as events};
use islands::AppError;
use leptos::prelude::*;
pub use notes::{AddNote, PinNote, RemoveNote};
use panel::{about, agreed, card_numbers, children, coupons_of, language, likes, memberships, reach, segments_of};
use timeline::{Asked, Words, history};

/// How many purchases a page shows.
const PURCHASES: usize = 20;
/// How many requests a page shows.
const REQUESTS: usize = 20;
/// How many transfers a page shows.
const TRANSFERS: usize = 20;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_customer;
    let staff = cx.staff()?;
    let id: CustomerId = cx.param("id")?;
    let before = cx.query("before").and_then(place);
    let later_requests = cx.query("requests").and_then(|cursor| cursor.parse().ok());
    let history_of = Asked::read(&cx);
    let subject = match why::open(&cx, id).await? {
        Card::Open(subject) => subject,
        Card::Ask(body) => return Ok(body),
    };
    // Asked for by a link of its own, for each time is written down.
    let income = match cx.query("income") {
        Some("shown") => Some(questionnaire::guarded(&cx.db, staff, id).await?),
        _ => None,
    };
    let quicker = changes::quicker(&cx, changes::sent(&cx, "task")).await?;
    let mut conn = cx.db.read().await?;
    let told = questionnaire::open(&mut conn, subject).await?;
    let profile = customers::profile(&mut conn, subject).await?;
    let cards = cards::of(&mut conn, subject).await?;
    let balance = points::balance(&mut conn, subject).await?;
    let allowance = adjustments::allowance(&mut conn, staff).await?;
    let given_before = cx.query("transfers").and_then(place);
    let mut transfers = transfers::list(&mut conn, subject, given_before, TRANSFERS as i64 + 1).await?;
    let more_given = transfers.len() > TRANSFERS;
    transfers.truncate(TRANSFERS);
    let more_given = transfers.last().filter(|_| more_given);
    let more_given = more_given.map(|last| show_place((last.created_at, last.id.0)));
    let programs = programs::list(&mut conn, subject).await?;
    let consents = consents::history(&mut conn, subject).await?;
    let (bought, earlier) = purchases::page(&mut conn, subject, &Filter::default(), before, PURCHASES).await?;
    let asked = requests::list(&mut conn, subject, later_requests, REQUESTS as i64 + 1).await?;
    let open = requests::open_count(&mut conn, subject).await?;
    let topics = requests::topics(&mut conn).await?;
    let categories = stores::categories(&mut conn).await?;
    let shops = stores::list(&mut conn, cx.lang).await?;
    let (events, more) = events::page(
        &mut conn,
        subject,
        &history_of.filter(),
        history_of.after(),
        timeline::SHOWN,
    )
    .await?;
    let of_kind = |kind| {
        events
            .iter()
            .filter(move |event| event.kind == kind)
            .map(|event| event.id)
    };
    let moved: Vec<TransactionId> = of_kind(EventKind::Points).map(TransactionId).collect();
    let rewards = rewards::of(&mut conn, subject, &moved).await?;
    let corrected = adjustments::requests(&mut conn, subject, &moved).await?;
    let talked: Vec<InteractionId> = of_kind(EventKind::Interaction).map(InteractionId).collect();
    let talks = interactions::some(&mut conn, subject, &talked).await?;
    let ended: Vec<TaskId> = of_kind(EventKind::Task).map(TaskId).collect();
    let ended = tasks::titles(&mut conn, subject, &ended).await?;
    let later_notes = cx.query("notes").and_then(notes::place);
    let read = noted::of(&mut conn, subject, later_notes, notes::SHOWN as i64 + 1).await?;
    let tasks_open = tasks::of(&mut conn, subject).await?;
    let owners = tasks::colleagues(&mut conn, staff).await?;
    let (value, rhythm) = outlook::bought(&mut conn, subject).await?;
    let scores = rfm::of(&mut conn, subject).await?;
    let waiting = outlook::waiting(&mut conn, subject).await?;
    let standings = tiers::standings(&mut conn, subject).await?;
    let sessions = staff_store::open_sessions(&mut conn, subject).await?;
    let removal = removal::of(&mut conn, subject).await?;
    let change = numbers::of(&mut conn, subject).await?;
    let frozen = numbers::frozen(&mut conn, subject).await?;
    let odd = alerts::of_customer(&mut conn, staff, subject).await?;
    let stopped = stop::of(&mut conn, subject).await?;
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
        corrected: &corrected,
        talks: &talks,
        tasks: &ended,
        reads_messages: staff.has(Right::Messages),
        here: &here,
    };
    let facts = Facts {
        waiting,
        is_reachable: profile.contacts.iter().any(|contact| contact.verified_at.is_some()),
        expiry: balance.next_expiry.map(|expiry| (expiry.points, expiry.at)),
        rhythm,
        birthday: person.birthday,
    };
    let to_do = steps(&facts, cx.db.now(), cx.today());
    let may_call = next::agrees(&consents, Aim::Marketing, Channel::Phone);
    let of_points = &cx.t().admin_points;
    let done = [
        ("entered", t.done_entered),
        ("ended", t.done_ended),
        ("granted", t.done_granted),
        ("stopped", t.done_stopped),
        ("allowed", t.done_allowed),
        ("merged", t.done_merged),
        ("parted", t.done_parted),
        ("adjusted", of_points.done_adjusted),
        ("asked", of_points.done_asked),
        ("reversed", of_points.done_reversed),
        ("noted", t.done_noted),
        ("pinned", t.done_pinned),
        ("unpinned", t.done_unpinned),
        ("removed", t.done_removed),
        ("talk", t.done_talk),
    ];
    let done = [&done[..], &todo::done(&cx)[..]].concat();
    let log = staff.has(Right::Audit).then(|| {
        view! { <a class="btn btn-quiet" href=format!("{}?customer={id}", audit::HERE)>{t.audit_log}</a> }
    });
    let view = view! {
        <div class="pane-head">
            <h1><bdi>{name.clone()}</bdi></h1>
            <p class="facts">
                <span>{t.since} " " <Moment at=person.registered_at shown=cx.day(person.registered_at)/></span>
                <span>{language(&cx, person.language)}</span>
            </p>
        </div>
        <p class="actions"><a class="btn" href=format!("{here}/acts")>{cx.t().acts.title}</a> {log}</p>
        {flash(&cx, &done)}
        {quicker}
        {next::figures(&cx, &balance, (value, rhythm, scores), open)}
        {talk::links(&cx, id)}
        {moves::adjust(&cx, &programs, &balance, &allowance)}
        <div class="cols">
            <div>
                {next::steps(&cx, id, &to_do, may_call)}
                {todo::section(&cx, &tasks_open, &owners)}
                {notes::section(&cx, &here, &read, later_notes.is_some())}
                {receipts(&cx, &here, &bought, earlier, before.is_some())}
                {moves::moved(&cx, &here, &transfers, more_given)}
                {asked_for(&cx, &here, &asked, later_requests.is_some())}
                {history(&cx, &words, &history_of, &events, more)}
            </div>
            <div>
                {fraud::section(&cx, &odd, stopped.as_ref())}
                {reach(&cx, &profile)}
                {birthday(&cx, &profile)}
                {signed_in(&cx, sessions)}
                {number_change(&cx, change.as_ref(), frozen)}
                {second_step(&cx, removal.as_ref())}
                {merges}
                {card_numbers(&cx, &cards)}
                {next::tiers(&cx, &programs, &standings)}
                {next::may(&cx, &consents)}
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

fn receipts(cx: &Cx, here: &str, bought: &[Purchase], earlier: Option<Before>, is_later: bool) -> Html {
    let t = &cx.t().admin_customer;
    let rows: Vec<_> = bought
        .iter()
        .map(|purchase| {
            let state = match (purchase.kind, purchase.returned) {
                (PurchaseKind::Return, _) => Some(view! { <span class="status status-bad">{t.is_return}</span> }),
                (PurchaseKind::Sale, true) => Some(view! { <span class="status status-wait">{t.has_return}</span> }),
                (PurchaseKind::Sale, false) => None,
            };
            let of = purchase.store.as_ref();
            let store = of.map(|store| store_name(cx, store));
            view! {
                <tr>
                    <td><Moment at=purchase.at shown=cx.moment_in(of, purchase.at) local=cx.local_in(of, purchase.at)/></td>
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
    let first = is_later.then(|| (format!("{here}#purchases"), t.latest));
    let next = earlier.map(show_place);
    let next = next.map(|next| (format!("{here}?before={next}#purchases"), t.earlier));
    view! {
        <section class="section" aria-labelledby="purchases">
            <h2 id="purchases">{t.purchases}</h2>
            {table}
            {pages(None, first, next)}
        </section>
    }
    .into_html()
}

/// What they asked support; one more than a page shows leads on.
fn asked_for(cx: &Cx, here: &str, asked: &[Summary], is_later: bool) -> Html {
    let t = &cx.t().admin_customer;
    let last = asked.get(REQUESTS.saturating_sub(1)).filter(|_| asked.len() > REQUESTS);
    let next = last.map(|last| (format!("{here}?requests={}#requests", last.cursor()), t.earlier));
    let first = is_later.then(|| (format!("{here}#requests"), t.latest));
    let rows: Vec<_> = asked
        .iter()
        .take(REQUESTS)
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
    let may_write = cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Requests));
    let acts = &cx.t().acts;
    let write = may_write.then(|| {
        view! {
            <p class="ways">
                <a href=format!("{here}/acts#take-down")>{acts.take}</a>
                <a href=format!("{here}/acts#write")>{acts.write}</a>
            </p>
        }
    });
    view! {
        <section class="section" aria-labelledby="requests">
            <h2 id="requests">{t.requests}</h2>
            {table}
            {write}
            {pages(None, first, next)}
        </section>
    }
    .into_html()
}

/// A part of the side column.
fn side(title: &'static str, inside: impl IntoView + 'static) -> Html {
    view! { <section class="section"><h2>{title}</h2> {inside.into_html()}</section> }.into_html()
}
