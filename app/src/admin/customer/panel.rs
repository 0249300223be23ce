//! Who the customer is: contacts, cards, programs, consents, what they told of themselves.

use super::super::contacts;
use super::side;
use crate::cx::Cx;
use crate::format;
use crate::ui::Moment;
use crate::ui::html::{Html, IntoHtml};
use chrono::Duration;
use crm::card::{self, Card, State};
use crm::consent::{Act, Consent};
use crm::contact::Kind;
use crm::coupon::{self, Coupon, State as CouponState};
use crm::customer::{Channel, Profile};
use crm::lang::{Lang, Localized};
use crm::points::Balance;
use crm::program::Program;
use crm::questionnaire::Answer;
use crm::staff::Right;
use crm::stores::{Category, Store};
use leptos::prelude::*;

pub(super) fn language(cx: &Cx, lang: Lang) -> &'static str {
    let t = &cx.t().admin_customer;
    match lang {
        Lang::Ru => t.reads_russian,
        Lang::En => t.reads_english,
    }
}

pub(super) fn reach(cx: &Cx, profile: &Profile) -> Html {
    let t = &cx.t().admin_customer;
    let [phones, emails] = [Kind::Phone, Kind::Email].map(|kind| contacts(cx, &profile.contacts, kind));
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

pub(super) fn card_numbers(cx: &Cx, cards: &[Card]) -> Html {
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
pub(super) fn memberships(cx: &Cx, programs: &[Program], balance: &Balance) -> Html {
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

pub(super) fn coupons_of(cx: &Cx, held: &[Coupon]) -> Html {
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
pub(super) fn segments_of(cx: &Cx, listed: &[(String, Localized)]) -> Html {
    let t = &cx.t().admin_customer;
    let names: Vec<String> = listed.iter().map(|(_, name)| cx.pick(name)).collect();
    let words = match names.is_empty() {
        true => t.no_segments.to_owned(),
        false => names.join(", "),
    };
    side(t.segments, view! { <p>{words}</p> })
}

pub(super) fn agreed(cx: &Cx, consents: &[Consent]) -> Html {
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

pub(super) fn likes(cx: &Cx, profile: &Profile, categories: &[Category], shops: &[Store]) -> Html {
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
pub(super) fn about(cx: &Cx, here: &str, told: &[Answer], guarded: Option<&[Answer]>) -> Html {
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
pub(super) fn children(cx: &Cx, profile: &Profile) -> Option<Html> {
    let t = &cx.t().admin_customer;
    let lines: Vec<_> = profile
        .children
        .iter()
        .map(|child| view! { <li>{format::date(cx.lang, child.birthday)}</li> })
        .collect();
    (!lines.is_empty()).then(|| side(t.children, view! { <ul>{lines}</ul> }))
}
