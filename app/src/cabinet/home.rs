//! Home: what matters today before everything else, then card, points and what happened last.

use super::card::{face, shown};
use super::offers::{address, last_day, until};
use super::points::unit;
use super::programs::counted;
use super::purchases::row;
use super::{support, welcome};
use crate::admin::rules::words::Words;
use crate::cx::Cx;
use crate::route::{Body, Frame, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use chrono::{DateTime, Datelike, Duration, Timelike, Utc};
use crm::card::store as cards;
use crm::coupon::{Coupon, State, store as coupons};
use crm::customer::Reminders;
use crm::customer::store as customers;
use crm::db::Conn;
use crm::id::ProgramId;
use crm::points::{Balance, store as points};
use crm::program::{Program, store as programs};
use crm::promotion::store::offers::{self, Offer, Stand};
use crm::purchase::{Purchase, store as purchases};
use crm::request::{Summary, store as requests};
use crm::rule::store::names_given;
use crm::rule::tier::store as tiers;
use crm::rule::{Condition, Effect, Occasion, Rule, Whose};
use islands::AppError;
use leptos::prelude::*;

/// How many purchases, offers and requests are shown.
const PURCHASES: i64 = 3;
const OFFERS: usize = 2;
const REQUESTS: i64 = 5;
/// Points that expire within this time are shown in apricot.
const SOON: Duration = Duration::days(30);
/// Points that expire within this time are among what matters today.
const URGENT: Duration = Duration::days(7);
/// How many days before a birthday it is among what matters.
const BIRTHDAY: i64 = 7;
/// How much of what matters is shown: more would be none of it.
const MATTERS: usize = 3;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().home;
    let (me, name) = (cx.subject()?, cx.name()?);
    let mut conn = cx.db.read().await?;
    let cards = cards::of(&mut conn, me).await?;
    let balance = points::balance(&mut conn, me).await?;
    let latest = purchases::latest(&mut conn, me, PURCHASES).await?;
    let requests = requests::current(&mut conn, me, REQUESTS).await?;
    let offers = offers::ending(&mut conn, me, OFFERS).await?;
    let programs = programs::list(&mut conn, me).await?;
    let matters = matters(&cx, &mut conn, &balance, &requests, &offers, &programs).await?;
    drop(conn);
    let card = shown(&cards).map(|card| {
        view! { <a class="card-face" href="/card">{face(&cx, card, name, balance.active)}</a> }
    });
    let is_new = latest.is_empty() && balance.programs.is_empty();
    let view = view! {
        <h1>{greeting(&cx)} ", " <bdi>{name.to_owned()}</bdi></h1>
        {cx.needs_tour().then(|| tour(&cx))}
        {today(&cx, matters)}
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

/// Whoever was not shown around yet may be.
fn tour(cx: &Cx) -> Html {
    let t = &cx.t().home;
    view! {
        <div class="notice">
            <div>
                <p>{t.tour}</p>
                <p class="actions"><a class="btn btn-sm" href=welcome::HERE>{t.tour_do}</a></p>
            </div>
        </div>
    }
    .into_html()
}

/// Something that matters today.
struct Matter {
    icon: &'static str,
    title: String,
    text: String,
    href: String,
}

/// What matters today: a birthday that is today, then the most urgent first. What takes queries of its own is asked about only
/// where what is loaded anyhow says that there may be something, and while there is room.
async fn matters(
    cx: &Cx,
    conn: &mut Conn,
    balance: &Balance,
    requests: &[Summary],
    offers: &[Offer],
    programs: &[Program],
) -> Result<Vec<Matter>, AppError> {
    let t = &cx.t().home;
    let me = cx.subject()?;
    let now = cx.db.now();
    // What ends before has its last day today or tomorrow.
    let by = cx.shop().midnight(cx.today() + Duration::days(2));
    let reminders = customers::reminders(conn, me, by).await?;
    let next = next_birthday(cx, &reminders);
    let mut found = Vec::new();
    if let Some((0, whose)) = next {
        found.extend(birthday(cx, conn, (0, whose), programs).await?);
    }
    if let Some(request) = requests.iter().find(|request| request.unread) {
        found.push(Matter {
            icon: icons::MESSAGE_CIRCLE,
            title: t.m_answer.to_owned(),
            text: cx.pick(&request.topic),
            href: format!("/support/{}", request.number),
        });
    } else if reminders.is_answered {
        found.push(Matter {
            icon: icons::MESSAGE_CIRCLE,
            title: t.m_answer.to_owned(),
            text: cx.t().notifications.question.to_owned(),
            // Where it is read, and does not matter any more.
            href: "/notifications".into(),
        });
    }
    if let Some(next) = balance.next_expiry.filter(|next| next.at - now < URGENT) {
        found.push(Matter {
            icon: icons::HOURGLASS,
            title: t.m_expiry.to_owned(),
            text: t.m_expiry_text(
                cx.day(next.at),
                format!("{} {}", cx.points(next.points), unit(cx, next.points)),
            ),
            href: "/points/expiry".into(),
        });
    }
    found.extend(ending(cx, conn, offers, by, reminders.coupon_ends).await?);
    if let Some(contact) = &reminders.unverified {
        let shown = match contact.starts_with('+') {
            true => cx.phone(contact),
            false => contact.clone(),
        };
        found.push(Matter {
            icon: icons::SHIELD_CHECK,
            title: t.m_verify(shown),
            text: t.m_verify_text.to_owned(),
            href: "/profile/contacts".into(),
        });
    }
    if let Some(next) = next.filter(|(days, _)| *days > 0 && found.len() < MATTERS) {
        found.extend(birthday(cx, conn, next, programs).await?);
    }
    if found.len() < MATTERS && reminders.stands {
        found.extend(near_tier(cx, conn, programs).await?);
    }
    if found.len() < MATTERS {
        found.extend(questionnaire(cx, conn, programs).await?);
    }
    found.truncate(MATTERS);
    Ok(found)
}

/// The offer or the coupon that ends first, by a moment. What is still to be switched on comes first: it is lost without.
async fn ending(
    cx: &Cx,
    conn: &mut Conn,
    offers: &[Offer],
    by: DateTime<Utc>,
    coupon_ends: bool,
) -> Result<Option<Matter>, AppError> {
    let ending = offers
        .iter()
        .filter(|one| one.stand.holds_or_would() && one.promotion.ends_at <= by);
    let offer = ending.min_by_key(|one| (one.stand != Stand::Off, one.promotion.ends_at));
    let coupon = match coupon_ends {
        true => {
            let good = |one: &Coupon| one.state(cx.db.now()) == State::Active && one.expires_at <= by;
            coupons::of(conn, cx.subject()?).await?.into_iter().find(good)
        }
        false => None,
    };
    let is_coupon = match (offer, &coupon) {
        (Some(offer), Some(coupon)) => offer.stand != Stand::Off && coupon.expires_at < offer.promotion.ends_at,
        (None, Some(_)) => true,
        (_, None) => false,
    };
    if let Some(coupon) = coupon.filter(|_| is_coupon) {
        return Ok(Some(Matter {
            icon: icons::TAG,
            title: cx.t().home.m_coupon(cx.pick(&coupon.name)),
            text: until(cx, coupon.expires_at),
            href: "/offers#coupons".into(),
        }));
    }
    Ok(offer.map(|one| {
        let text = until(cx, one.promotion.ends_at);
        Matter {
            icon: icons::TAG,
            title: cx.pick(&one.promotion.title),
            text: match one.stand {
                Stand::Off => format!("{text}, {}", cx.t().offers.to_switch_on),
                _ => text,
            },
            href: address(&one.promotion),
        }
    }))
}

/// In how many days the customer's birthday comes or one of a child's, whichever is first; none where it is not soon.
fn next_birthday(cx: &Cx, reminders: &Reminders) -> Option<(i64, Whose)> {
    let own = reminders.birthday.iter().map(|birth| (Whose::Customer, birth));
    let children = reminders.children.iter().map(|birth| (Whose::Child, birth));
    let days = own
        .chain(children)
        .map(|(whose, birth)| (customers::days_to(*birth, cx.today()), whose));
    days.filter(|(days, _)| *days <= BIRTHDAY).min_by_key(|(days, _)| *days)
}

/// A birthday that is so many days away, with what the shop gives for it.
async fn birthday(
    cx: &Cx,
    conn: &mut Conn,
    (days, whose): (i64, Whose),
    programs: &[Program],
) -> Result<Option<Matter>, AppError> {
    let t = &cx.t().home;
    let mut gives = customers::birthday_gives(conn, whose).await?;
    gives.retain(|rule| is_for_member(rule, programs));
    let text = match gives.is_empty() {
        true if whose == Whose::Customer => t.m_birthday_wish.to_owned(),
        // That a child has a birthday, parents know.
        true => return Ok(None),
        false => {
            let names = names_given(conn, &gives).await?;
            let words = Words { cx, names: &names };
            let told = gives
                .iter()
                .map(|rule| format!("{}: {}", cx.pick(&rule.name), words.gives(rule)));
            told.collect::<Vec<_>>().join("; ")
        }
    };
    let title = match (whose, days) {
        (Whose::Customer, 0) => t.m_birthday_today.to_owned(),
        (Whose::Customer, _) => t.m_birthday.to_owned(),
        (Whose::Child, 0) => t.m_child_today.to_owned(),
        (Whose::Child, n) => t.m_child(n),
    };
    Ok(Some(Matter {
        icon: icons::SPARKLES,
        title,
        text,
        href: "/offers".into(),
    }))
}

/// Points, and what is for members, are given to members alone.
fn is_for_member(rule: &Rule, programs: &[Program]) -> bool {
    let is_in = |id: ProgramId| programs.iter().any(|one| one.id == id && one.joined_at.is_some());
    let of_mine = rule.conditions.iter().all(|condition| match condition {
        Condition::Member(ids) => ids.iter().any(|id| is_in(*id)),
        _ => true,
    });
    of_mine && rule.effects.iter().filter_map(Effect::program).all(is_in)
}

/// A tier that is within reach.
async fn near_tier(cx: &Cx, conn: &mut Conn, programs: &[Program]) -> Result<Option<Matter>, AppError> {
    let all = tiers::standings(conn, cx.subject()?).await?;
    let mut near = all.iter().filter_map(|(program, tiers, standing)| {
        let next = standing.next.filter(|next| next.is_near(tiers.measure))?;
        let program = programs.iter().find(|one| one.id == *program)?;
        let name = cx.pick(&tiers.get(next.tier)?.name);
        Some(Matter {
            icon: icons::COINS,
            title: cx.t().home.m_tier(&name),
            text: cx.t().home.m_tier_text(counted(cx, tiers, next.missing)),
            href: format!("/programs/{}", program.code),
        })
    });
    Ok(near.next())
}

/// The questionnaire, as long as there is something for it.
async fn questionnaire(cx: &Cx, conn: &mut Conn, programs: &[Program]) -> Result<Option<Matter>, AppError> {
    let mut gives = customers::gives_for(conn, cx.subject()?, Occasion::Questionnaire).await?;
    gives.retain(|rule| is_for_member(rule, programs));
    if gives.is_empty() {
        return Ok(None);
    }
    let names = names_given(conn, &gives).await?;
    let words = Words { cx, names: &names };
    let told: Vec<String> = gives.iter().map(|rule| words.gives(rule)).collect();
    Ok(Some(Matter {
        icon: icons::CIRCLE_USER_ROUND,
        title: cx.t().home.m_questionnaire.to_owned(),
        text: told.join("; "),
        href: "/questionnaire".into(),
    }))
}

/// Nothing to say is nothing shown.
fn today(cx: &Cx, matters: Vec<Matter>) -> Option<Html> {
    let rows: Vec<_> = matters
        .into_iter()
        .map(|one| {
            view! {
                <li>
                    <a class="row" href=one.href>
                        <span class="row-icon row-icon-points">{icon(one.icon)}</span>
                        <span class="row-main"><b>{one.title}</b> <small>{one.text}</small></span>
                        <span class="row-go">{icon(icons::CHEVRON_RIGHT)}</span>
                    </a>
                </li>
            }
        })
        .collect();
    (!rows.is_empty()).then(|| {
        view! {
            <section class="section narrow" aria-labelledby="today">
                <h2 id="today">{cx.t().home.today}</h2>
                <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
            </section>
        }
        .into_html()
    })
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

fn running_offers(cx: &Cx, offers: &[Offer]) -> Option<Html> {
    let t = &cx.t().home;
    let items: Vec<_> = offers
        .iter()
        .take(OFFERS)
        .map(|offer| {
            let offer = &offer.promotion;
            let last = last_day(cx, offer.ends_at);
            view! {
                <article class="offer">
                    <p class="offer-gain" aria-hidden="true">{cx.t().offers.until_leaf} " " <b>{last.day()}</b> " " {crate::format::months(cx.lang)[last.month0() as usize]}</p>
                    <div class="offer-body"><h3><a href=address(offer)>{cx.pick(&offer.title)}</a></h3> <p class="sr-only">{until(cx, offer.ends_at)}</p> <p class="line-clamp-3">{cx.pick(&offer.conditions)}</p></div>
                </article>
            }
        })
        .collect();
    (!items.is_empty()).then(|| {
        view! {
            <section class="section">
                <div class="section-head"><h2>{t.offers}</h2> <a href="/offers">{t.all_offers}</a></div>
                {items}
                <p class="ways"><a href="/stores">{t.offers_near}</a></p>
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
