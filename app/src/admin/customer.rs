//! A customer's card: everything the shop knows of one person, and what happened.

use super::{contacts, full_name, merge, points as moves, read_place, status, store_name, write_place};
use crate::cabinet::points::occasion;
use crate::cabinet::{flash, fresh_first};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::texts::AdminEvent;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Field, FormBox, Moment, icon};
use chrono::{DateTime, Duration, Utc};
use crm::card::{self, Card, State, store as cards};
use crm::consent::{Act, Consent, store as consents};
use crm::contact::Kind;
use crm::contact::change::{self as numbers, NumberChange};
use crm::coupon::{self, Coupon, State as CouponState, store as coupons};
use crm::customer::{BIRTHDAY_CHANGES, Channel, Profile, store as customers};
use crm::factor::removal::{self, Removal};
use crm::id::{CustomerId, TransactionId};
use crm::lang::{Lang, Localized};
use crm::points::store::{self as points, rewards, transfers};
use crm::points::{Balance, Reward};
use crm::program::{Program, store as programs};
use crm::purchase::{Filter, Kind as PurchaseKind, Page, store as purchases};
use crm::questionnaire::{Answer, store as questionnaire};
use crm::request::{Summary, Topic, store as requests};
use crm::segment;
use crm::staff::{Event, EventKind, Right, store as staff_store};
use crm::stores::{Category, Store, store as stores};
use crm::who::Reason;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::HashMap;

/// How many purchases a page shows.
const PURCHASES: usize = 20;
/// How many requests are shown, the last ones.
const REQUESTS: i64 = 50;
/// How many transfers are shown, the last ones.
const TRANSFERS: i64 = 20;
/// How many events are shown at first, and when more are asked for.
const EVENTS: [i64; 2] = [30, 500];

/// Ends every session of the customer.
#[derive(Deserialize)]
pub struct EndSessions {
    reason: String,
}

impl Form for EndSessions {
    const NAME: &'static str = "customer.end_sessions";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        staff_store::end_customer_sessions(&cx.db, cx.staff()?, id, &self.reason).await?;
        Ok(Next::to(format!("/admin/customers/{id}?done=ended")))
    }
}

/// Grants the customer the removal of a second factor that is lost.
#[derive(Deserialize)]
pub struct GrantRemoval {
    reason: String,
}

impl Form for GrantRemoval {
    const NAME: &'static str = "removal.grant";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        removal::grant(&cx.db, &cx.staff()?.fresh(&cx.db)?, id, &self.reason).await?;
        Ok(Next::to(format!("/admin/customers/{id}?done=granted")))
    }
}

/// Calls a change of the customer's main number off.
#[derive(Deserialize)]
pub struct StopNumberChange {
    reason: String,
}

impl Form for StopNumberChange {
    const NAME: &'static str = "number.stop";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        numbers::stop(&cx.db, &cx.staff()?.fresh(&cx.db)?, id, &self.reason).await?;
        Ok(Next::to(format!("/admin/customers/{id}?done=stopped")))
    }
}

/// Lets the customer change their birthday once more.
#[derive(Deserialize)]
pub struct AllowBirthday {
    reason: String,
}

impl Form for AllowBirthday {
    const NAME: &'static str = "birthday.allow";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        customers::allow_birthday(&cx.db, cx.staff()?, id, &self.reason).await?;
        Ok(Next::to(format!("/admin/customers/{id}?done=allowed")))
    }
}

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

fn language(cx: &Cx, lang: Lang) -> &'static str {
    let t = &cx.t().admin_customer;
    match lang {
        Lang::Ru => t.reads_russian,
        Lang::En => t.reads_english,
    }
}

fn sums(cx: &Cx, balance: &Balance) -> Html {
    let t = &cx.t().admin_customer;
    let expiry = balance.next_expiry.map(|expiry| {
        view! {
            <div><dt>{t.expires(cx.day(expiry.at))}</dt><dd>{cx.points(expiry.points)}</dd></div>
        }
    });
    view! {
        <dl class="tiles-num">
            <div><dt>{t.active}</dt><dd class="points">{cx.points(balance.active)}</dd></div>
            <div><dt>{t.pending}</dt><dd>{cx.points(balance.pending)}</dd></div>
            {expiry}
        </dl>
    }
    .into_html()
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

fn reach(cx: &Cx, profile: &Profile) -> Html {
    let t = &cx.t().admin_customer;
    let [phones, emails] = [Kind::Phone, Kind::Email].map(|kind| {
        let of_kind: Vec<_> = profile
            .contacts
            .iter()
            .filter(|contact| contact.kind == kind)
            .cloned()
            .collect();
        contacts(cx, &of_kind)
    });
    let birthday = profile
        .person
        .birthday
        .map_or_else(|| t.unknown.to_owned(), |day| format::date(cx.lang, day));
    let address = profile.person.address.clone();
    let address = address.map(|address| view! { <div><dt>{t.address}</dt><dd dir="auto">{address}</dd></div> });
    let password = if profile.person.has_password {
        t.has_password
    } else {
        t.no_password
    };
    let inside = view! {
        <dl class="kv">
            <div><dt>{t.phones}</dt><dd>{phones}</dd></div>
            <div><dt>{t.emails}</dt><dd>{emails}</dd></div>
            <div><dt>{t.birthday}</dt><dd>{birthday}</dd></div>
            {address}
            <div><dt>{t.signs_in}</dt><dd>{password}</dd></div>
        </dl>
    };
    side(t.contacts, inside)
}

/// A birthday that the customer may not change any more, and how to let them once.
fn birthday(cx: &Cx, profile: &Profile) -> Option<Html> {
    let t = &cx.t().admin_customer;
    let was_sent = cx
        .outcome
        .as_ref()
        .is_some_and(|outcome| outcome.form == AllowBirthday::NAME);
    if profile.person.birthday_changes < BIRTHDAY_CHANGES && !was_sent {
        return None;
    }
    let labels = vec![("reason".to_owned(), t.reason.to_owned())];
    let inside = view! {
        <p>{t.birthday_used}</p>
        <details class="fold" open=was_sent>
            <summary>{t.birthday_allow}</summary>
            <FormBox<AllowBirthday> labels=labels stale=t.birthday_stale>
                <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                <button class="btn">{t.birthday_allow}</button>
            </FormBox<AllowBirthday>>
        </details>
    };
    Some(side(t.birthday, inside))
}

/// Where the customer is signed in, and how to end that when it is not them.
fn signed_in(cx: &Cx, sessions: i64) -> Html {
    let t = &cx.t().admin_customer;
    let was_sent = cx
        .outcome
        .as_ref()
        .is_some_and(|outcome| outcome.form == EndSessions::NAME);
    let labels = vec![("reason".to_owned(), t.reason.to_owned())];
    let end = (sessions > 0 || was_sent).then(|| {
        view! {
            <details class="fold" open=was_sent>
                <summary>{t.end_sessions}</summary>
                <p class="hint">{t.end_sessions_hint}</p>
                <FormBox<EndSessions> labels=labels stale=t.stale_sessions>
                    <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                    <button class="btn btn-danger-quiet">{t.end_sessions}</button>
                </FormBox<EndSessions>>
            </details>
        }
    });
    let open = if sessions > 0 {
        t.sessions(sessions)
    } else {
        t.no_sessions.to_owned()
    };
    side(t.open_now, view! { <p>{open}</p> {end} })
}

/// A second factor that the customer has lost, and what support does about it.
fn second_step(cx: &Cx, removal: Option<&Removal>) -> Option<Html> {
    let t = &cx.t().admin_customer;
    let was_sent = cx
        .outcome
        .as_ref()
        .is_some_and(|outcome| outcome.form == GrantRemoval::NAME);
    if let Some(at) = removal.and_then(|removal| removal.due_at) {
        return Some(side(t.removal, view! { <p>{t.removal_due(cx.moment(at))}</p> }));
    }
    if removal.is_none() && !was_sent {
        return None;
    }
    let asked = removal.map(|removal| view! { <p>{t.removal_asked(cx.moment(removal.asked_at))}</p> });
    let labels = vec![("reason".to_owned(), t.removal_how.to_owned())];
    let inside = match fresh_first(cx) {
        Some(first) => first,
        None => view! {
            <FormBox<GrantRemoval> labels=labels stale=t.removal_stale>
                <Field name="reason" label=t.removal_how hint=t.reason_hint missing=t.removal_how_missing enterkeyhint="done"/>
                <button class="btn btn-danger-quiet">{t.removal_grant}</button>
            </FormBox<GrantRemoval>>
        }
        .into_html(),
    };
    Some(side(t.removal, view! { {asked} {inside} }))
}

/// Another main number on its way, and until when points are not spent because of one.
fn number_change(cx: &Cx, change: Option<&NumberChange>, frozen: Option<DateTime<Utc>>) -> Option<Html> {
    let t = &cx.t().admin_customer;
    let was_sent = cx
        .outcome
        .as_ref()
        .is_some_and(|outcome| outcome.form == StopNumberChange::NAME);
    if frozen.is_none() && !was_sent {
        return None;
    }
    let due = change.map(|change| view! { <p>{t.number_due(cx.moment(change.due_at), cx.phone(&change.phone))}</p> });
    let frozen = frozen.map(|at| view! { <p>{t.number_frozen(cx.moment(at))}</p> });
    let labels = vec![("reason".to_owned(), t.reason.to_owned())];
    let stop = (change.is_some() || was_sent).then(|| match fresh_first(cx) {
        Some(first) => first,
        None => view! {
            <FormBox<StopNumberChange> labels=labels stale=t.number_stale>
                <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                <button class="btn btn-danger-quiet">{t.number_stop}</button>
            </FormBox<StopNumberChange>>
        }
        .into_html(),
    });
    Some(side(t.number, view! { {due} {frozen} {stop} }))
}

fn card_numbers(cx: &Cx, cards: &[Card]) -> Html {
    let t = &cx.t().admin_customer;
    let cards: Vec<_> = cards
        .iter()
        .map(|card| {
            let kind = match card.kind {
                card::Kind::Virtual => t.card_virtual,
                card::Kind::Plastic => t.card_plastic,
            };
            let state = match card.state {
                State::Active => view! { <span class="status status-done">{t.card_active}</span> },
                State::Blocked => view! { <span class="status status-bad">{t.card_blocked}</span> },
            };
            view! {
                <div>
                    <dt>{card::show(&card.number)} <small class="muted">" " {kind}</small></dt>
                    <dd>{state}</dd>
                </div>
            }
        })
        .collect();
    let inside = match cards.is_empty() {
        true => view! { <p class="muted">{t.no_cards}</p> }.into_html(),
        false => view! { <dl class="kv">{cards}</dl> }.into_html(),
    };
    side(t.cards, inside)
}

/// Programs with the points in each; one that was left stands there as long as it holds some.
fn memberships(cx: &Cx, programs: &[Program], balance: &Balance) -> Html {
    let t = &cx.t().admin_customer;
    let held = |id| {
        balance
            .programs
            .iter()
            .find(|held| held.program == id)
            .map_or(0, |held| held.active)
    };
    let line = |name: String, since: Option<_>, held: i64| {
        let since = match since {
            Some(at) => view! { {t.member_since} " " <Moment at=at shown=cx.day(at)/> }.into_html(),
            None => t.no_member.into_html(),
        };
        view! {
            <div>
                <dt>{name} <small class="muted">" " {since}</small></dt>
                <dd class="points">{cx.points(held)}</dd>
            </div>
        }
    };
    let listed = programs
        .iter()
        .map(|program| line(cx.pick(&program.name), program.joined_at, held(program.id)));
    let rest = balance
        .programs
        .iter()
        .filter(|held| programs.iter().all(|program| program.id != held.program));
    let rest = rest.map(|held| line(cx.pick(&held.name), None, held.active));
    let lines: Vec<_> = listed.chain(rest).collect();
    side(t.programs, view! { <dl class="kv">{lines}</dl> })
}

fn coupons_of(cx: &Cx, held: &[Coupon]) -> Html {
    let t = &cx.t().admin_customer;
    let now = cx.db.now();
    let lines: Vec<_> = held
        .iter()
        .map(|one| {
            let (class, words) = match one.state(now) {
                CouponState::Active => ("status status-done", t.coupon_active),
                CouponState::Used => ("status status-wait", t.coupon_used),
                CouponState::Expired => ("status status-wait", t.coupon_expired),
            };
            let until = t.coupon_until(cx.day(one.expires_at - Duration::microseconds(1)));
            view! {
                <div>
                    <dt><bdi>{cx.pick(&one.name)}</bdi> <small class="muted">" " {coupon::show(&one.code)} ", " {until}</small></dt>
                    <dd><span class=class>{words}</span></dd>
                </div>
            }
        })
        .collect();
    let inside = match lines.is_empty() {
        true => view! { <p class="muted">{t.no_coupons}</p> }.into_html(),
        false => view! { <dl class="kv">{lines}</dl> }.into_html(),
    };
    side(t.coupons, inside)
}

/// The lists that rules ask about.
fn segments_of(cx: &Cx, listed: &[(String, Localized)]) -> Html {
    let t = &cx.t().admin_customer;
    let names: Vec<String> = listed.iter().map(|(_, name)| cx.pick(name)).collect();
    let words = match names.is_empty() {
        true => t.no_segments.to_owned(),
        false => names.join(", "),
    };
    side(t.segments, view! { <p>{words}</p> })
}

fn agreed(cx: &Cx, consents: &[Consent]) -> Html {
    let t = &cx.t().admin_customer;
    let lines: Vec<_> = consents
        .iter()
        .map(|consent| {
            let act = match consent.act {
                Act::Given => view! { <span class="status status-done">{t.given}</span> },
                Act::Withdrawn => view! { <span class="status status-wait">{t.withdrawn}</span> },
            };
            view! {
                <li>
                    <a href=format!("/consents/{}?version={}", consent.code, consent.version)>{cx.pick(&consent.title)}</a>
                    <div class="facts">
                        {act} <Moment at=consent.at shown=cx.day(consent.at)/> <span>{t.version(consent.version)}</span>
                    </div>
                </li>
            }
        })
        .collect();
    let inside = match lines.is_empty() {
        true => view! { <p class="muted">{t.no_consents}</p> }.into_html(),
        false => view! { <ul class="stack">{lines}</ul> }.into_html(),
    };
    side(t.consents, inside)
}

fn likes(cx: &Cx, profile: &Profile, categories: &[Category], shops: &[Store]) -> Html {
    let t = &cx.t().admin_customer;
    let or_none = |words: Vec<String>| {
        if words.is_empty() {
            t.unknown.to_owned()
        } else {
            words.join(", ")
        }
    };
    let liked = categories
        .iter()
        .filter(|category| profile.categories.contains(&category.id));
    let channels = Channel::ALL
        .into_iter()
        .filter(|channel| profile.channels.contains(channel));
    let channels = channels.map(|channel| match channel {
        Channel::Sms => t.by_sms,
        Channel::Email => t.by_email,
        Channel::Phone => t.by_phone,
    });
    let shop = shops
        .iter()
        .find(|shop| Some(shop.id) == profile.person.favourite_store_id);
    let shop = shop.map(|shop| format!("{}, {}", shop.town.get(cx.lang), shop.name.get(cx.lang)));
    let wishes = &profile.wishes;
    let own = [
        (t.brands, &wishes.brands),
        (t.sizes, &wishes.sizes),
        (t.occasions, &wishes.occasions),
        (t.wishes, &wishes.wishes),
    ];
    let own: Vec<_> = own
        .into_iter()
        .filter(|(_, words)| !words.is_empty())
        .map(|(title, words)| view! { <div><dt>{title}</dt><dd dir="auto">{words.clone()}</dd></div> })
        .collect();
    let inside = view! {
        <dl class="kv">
            <div><dt>{t.categories}</dt><dd>{or_none(liked.map(|category| cx.pick(&category.name)).collect())}</dd></div>
            {own}
            <div><dt>{t.store}</dt><dd>{or_none(shop.into_iter().collect())}</dd></div>
            <div><dt>{t.channels}</dt><dd>{or_none(channels.map(str::to_owned).collect())}</dd></div>
        </dl>
    };
    side(t.preferences, inside)
}

/// What they tell by the questionnaire. What is guarded takes a right of its own, and is shown when it is asked for.
fn about(cx: &Cx, here: &str, told: &[Answer], guarded: Option<&[Answer]>) -> Html {
    let t = &cx.t().admin_customer;
    let line = |answer: &Answer| {
        view! { <div><dt>{cx.pick(&answer.title)}</dt><dd>{cx.pick(&answer.name)}</dd></div> }
    };
    let lines: Vec<_> = told.iter().chain(guarded.unwrap_or_default()).map(line).collect();
    let may = cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Income));
    let more = match guarded {
        Some([]) => Some(view! { <p class="muted">{t.no_income}</p> }.into_html()),
        Some(_) => None,
        None => may.then(|| {
            let href = format!("{here}?income=shown#about");
            view! { <p><a href=href rel="nofollow">{t.show_income}</a></p> <p class="hint">{t.show_income_hint}</p> }
                .into_html()
        }),
    };
    let inside = match lines.is_empty() {
        true => view! { <p class="muted">{t.no_answers}</p> }.into_html(),
        false => view! { <dl class="kv">{lines}</dl> }.into_html(),
    };
    view! { <section class="section" id="about"><h2>{t.questionnaire}</h2> {inside} {more}</section> }.into_html()
}

/// Children: their birthdays, and nothing else is known.
fn children(cx: &Cx, profile: &Profile) -> Option<Html> {
    let t = &cx.t().admin_customer;
    let lines: Vec<_> = profile
        .children
        .iter()
        .map(|child| view! { <li>{format::date(cx.lang, child.birthday)}</li> })
        .collect();
    (!lines.is_empty()).then(|| side(t.children, view! { <ul>{lines}</ul> }))
}

/// Where the words for codes in a history come from.
struct Words<'a> {
    topics: Vec<Topic>,
    programs: &'a [Program],
    consents: &'a [Consent],
    rewards: &'a HashMap<TransactionId, Reward>,
    here: &'a str,
}

fn timeline(cx: &Cx, words: &Words<'_>, events: &[Event]) -> Html {
    let lines: Vec<_> = events
        .iter()
        .map(|event| {
            let (text, href, more) = told(cx, words, event);
            let text = match href {
                Some(href) => view! { <a href=href>{text}</a> }.into_html(),
                None => text.into_html(),
            };
            let more = more.map(|more| view! { <small dir="auto">{more}</small> });
            view! {
                <li>
                    <Moment at=event.at shown=cx.moment(event.at)/> " " {text} {more}
                </li>
            }
        })
        .collect();
    view! { <ol class="timeline">{lines}</ol> }.into_html()
}

/// An event in words, where it leads, and what else there is to say.
fn told(cx: &Cx, words: &Words<'_>, event: &Event) -> (String, Option<String>, Option<String>) {
    let t = &cx.t().admin_event;
    let code = event.code.as_str();
    let topic = || {
        words
            .topics
            .iter()
            .find(|topic| topic.code == code)
            .map_or(code.to_owned(), |topic| cx.pick(&topic.name))
    };
    let program = || {
        words
            .programs
            .iter()
            .find(|program| program.code == code)
            .map_or(code.to_owned(), |program| cx.pick(&program.name))
    };
    let consent = || {
        words
            .consents
            .iter()
            .find(|consent| consent.code == code)
            .map_or(code.to_owned(), |consent| cx.pick(&consent.title))
    };
    let receipt = event.object.map(|id| format!("{}/purchases/{id}", words.here));
    let request = Some(format!("/admin/requests/{}", event.amount));
    match event.kind {
        EventKind::Sale => (t.sale(cx.money(event.amount)), receipt, None),
        EventKind::Return => (t.returned(cx.money(-event.amount)), receipt, None),
        EventKind::Request => (t.request(event.amount, topic()), request, None),
        EventKind::Message => (t.message(event.amount), request, None),
        EventKind::Answer => (t.answer(event.amount), request, None),
        EventKind::Note => (t.note(event.amount), request, None),
        EventKind::ConsentGiven => (t.consent_given(consent()), None, None),
        EventKind::ConsentWithdrawn => (t.consent_withdrawn(consent()), None, None),
        EventKind::Joined => (t.joined(program()), None, None),
        EventKind::Left => (t.left(program()), None, None),
        EventKind::SignIn => (t.sign_in.to_owned(), None, Some(code.chars().take(120).collect())),
        EventKind::Points => {
            let why = match code {
                "accrual" => t.accrual,
                "activation" => t.activation,
                "expiry" => t.expiry,
                "return" => t.points_return,
                "redemption" => t.redemption,
                "adjustment" => t.adjustment,
                "refund" => t.refund,
                "transfer" => t.transfer,
                "void" => t.void,
                "merge" => t.merge,
                other => other,
            };
            let reward = event.object.and_then(|id| words.rewards.get(&TransactionId(id)));
            let why = match (reward, code) {
                (Some(reward), "accrual") => occasion(cx, reward.occasion),
                _ => why,
            };
            // By which rule, and in which of its versions.
            let more = reward.map(|reward| cx.t().points.rule_version(cx.pick(&reward.name), reward.by.version));
            // An activation moves points between two accounts of the customer: the sum says nothing.
            let text = match event.amount {
                0 => why.to_owned(),
                amount => t.points(format::signed_points(cx.lang, amount), why),
            };
            (text, None, more)
        }
        EventKind::Change => {
            let receipt = receipt.filter(|_| code == "purchase.claim");
            (change(t, code).unwrap_or(code).to_owned(), receipt, None)
        }
    }
}

/// The words for a change, by the action as the audit log calls it.
pub fn change(t: &AdminEvent, action: &str) -> Option<&'static str> {
    Some(match action {
        "customer.change" => t.change_person,
        "points.ask" => t.points_ask,
        "points.refuse" => t.points_refuse,
        "customer.preferences" => t.change_preferences,
        "birthday.allow" => t.birthday_allow,
        "questionnaire.tell" => t.questionnaire_tell,
        "questionnaire.withdraw" => t.questionnaire_withdraw,
        "contact.add" => t.contact_add,
        "contact.primary" => t.contact_primary,
        "contact.remove" => t.contact_remove,
        "number.begin" => t.number_begin,
        "number.cancel" => t.number_cancel,
        "number.stop" => t.number_stop,
        "number.done" => t.number_done,
        "merge.ask" => t.merge_ask,
        "merge.do" => t.merge_do,
        "merge.undo" => t.merge_undo,
        "child.add" => t.child_add,
        "child.remove" => t.child_remove,
        "request.close" => t.request_close,
        "request.reopen" => t.request_reopen,
        "request.rate" => t.request_rate,
        "request.status" => t.request_status,
        "request.assign" => t.request_assign,
        "request.unassign" => t.request_unassign,
        "message.again" => t.message_again,
        "session.end" => t.session_end,
        "customer.end_sessions" => t.sessions_ended,
        "removal.ask" => t.removal_ask,
        "removal.grant" => t.removal_grant,
        "removal.cancel" => t.removal_cancel,
        "removal.done" => t.removal_done,
        "contact.verify" => t.contact_verify,
        "password.change" => t.password_change,
        "factor.totp_on" => t.factor_totp_on,
        "factor.totp_remove" => t.factor_totp_remove,
        "factor.passkey_add" => t.factor_passkey_add,
        "factor.passkey_rename" => t.factor_passkey_rename,
        "factor.passkey_remove" => t.factor_passkey_remove,
        "recovery.make" => t.recovery_make,
        "recovery.keep" => t.recovery_keep,
        "identity.link" => t.identity_link,
        "identity.unlink" => t.identity_unlink,
        "card.block" => t.card_block,
        "card.bind" => t.card_bind,
        "card.refused" => t.card_refused,
        "invite.begin" => t.invite_begin,
        "promotion.activate" => t.promotion_activate,
        "purchase.claim" => t.purchase_claim,
        "erasure.ask" => t.erasure_ask,
        "erasure.cancel" => t.erasure_cancel,
        "erasure.done" => t.erasure_done,
        "export.ask" => t.export_ask,
        "export.download" => t.export_download,
        "audit.export" => t.audit_export,
        "question.ask" => t.question_ask,
        "question.publish" => t.question_publish,
        "question.unpublish" => t.question_unpublish,
        "question.decline" => t.question_decline,
        "question.move" => t.question_move,
        _ => return None,
    })
}
