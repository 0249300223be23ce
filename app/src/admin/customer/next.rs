//! What a customer is worth, how often they come, and what to do with them next.

use super::super::audience::group_name;
use super::super::talk;
use super::side;
use crate::cabinet::programs::counted;
use crate::cx::Cx;
use crate::ui::html::{Html, IntoHtml};
use crm::consent::{Act, Aim, Consent};
use crm::customer::Channel;
use crm::id::{CustomerId, ProgramId};
use crm::interaction::Way;
use crm::outlook::{Rhythm, Step, Value};
use crm::points::Balance;
use crm::program::Program;
use crm::rfm::Scores;
use crm::rule::tier::{Standing, Tiers};
use leptos::prelude::*;

/// Points, purchases and visits as figures.
pub(super) fn figures(
    cx: &Cx,
    balance: &Balance,
    (value, rhythm, scores): (Value, Option<Rhythm>, Option<Scores>),
    open: i64,
) -> Html {
    let t = &cx.t().admin_customer;
    let expiry = balance.next_expiry.map(|expiry| {
        view! {
            <div><dt>{t.expires(cx.day(expiry.at))}</dt><dd>{cx.points(expiry.points)}</dd></div>
        }
    });
    let average =
        (value.purchases > 0).then(|| view! { <div><dt>{t.average}</dt><dd>{cx.money(value.average)}</dd></div> });
    let usual = rhythm.and_then(|rhythm| rhythm.usual);
    let usual = usual.map(|days| view! { <div><dt>{t.usually}</dt><dd>{t.every(days)}</dd></div> });
    let last = rhythm.map(|rhythm| view! { <div><dt>{t.last_visit}</dt><dd>{ago(cx, rhythm.since)}</dd></div> });
    let rfm = scores.map(|scores| {
        let words = &cx.t().admin_audience;
        let group = words.card(group_name(cx, scores.group()));
        let scores = words.scores(scores.frequency, scores.monetary, scores.recency);
        view! { <div><dt>{group}</dt><dd>{scores}</dd></div> }
    });
    let open = (open > 0).then(|| {
        view! { <div><dt>{t.open_requests}</dt><dd><a href="#requests">{crate::format::integer(open)}</a></dd></div> }
    });
    view! {
        <dl class="tiles-num">
            <div><dt>{t.active}</dt><dd class="points">{cx.points(balance.active)}</dd></div>
            <div><dt>{t.pending}</dt><dd>{cx.points(balance.pending)}</dd></div>
            {expiry}
            <div><dt>{t.value(value.purchases)}</dt><dd>{cx.money(value.sum)}</dd></div>
            {average}
            {usual}
            {last}
            {rfm}
            {open}
        </dl>
    }
    .into_html()
}

fn ago(cx: &Cx, days: i64) -> String {
    match days {
        0 => cx.t().admin_customer.today.to_owned(),
        days => cx.t().common.days_ago(days),
    }
}

/// Whether a customer agrees to what it is about by a channel: what they did last counts. Consents come newest first.
pub(super) fn agrees(consents: &[Consent], aim: Aim, channel: Channel) -> bool {
    consents
        .iter()
        .find(|consent| consent.aim == Some(aim) && consent.channel == Some(channel))
        .is_some_and(|consent| consent.act == Act::Given)
}

/// What to do next, each with why and a button that leads there.
pub(super) fn steps(cx: &Cx, id: CustomerId, steps: &[Step], may_call: bool) -> Html {
    let t = &cx.t().admin_customer;
    // What serves the shop is said by phone to whoever agreed to it; others hear it when they turn to us.
    let offer = |script: &str| match may_call {
        true => (talk::address(id, Way::CallOut, script), t.next_call, None),
        false => (talk::address(id, Way::Visit, script), t.next_note, Some(t.next_no_call)),
    };
    let lines: Vec<_> = steps
        .iter()
        .map(|step| {
            let (words, (href, act, hint)) = match *step {
                Step::Answer { number, since } => (
                    t.next_answer(cx.moment(since), number),
                    (format!("/admin/requests/{number}"), t.next_answer_do, None),
                ),
                Step::Contact => (
                    t.next_contact.to_owned(),
                    (talk::address(id, Way::CallOut, "contact"), t.next_contact_do, None),
                ),
                Step::Points { points, at } => (t.next_points(cx.day(at), cx.points(points)), offer("points")),
                Step::Away { usual, since } => (t.next_away(ago(cx, since), t.every(usual)), offer("away")),
                Step::Birthday { days: 0 } => (t.next_birthday_today.to_owned(), offer("birthday")),
                Step::Birthday { days } => (t.next_birthday(days), offer("birthday")),
            };
            let hint = hint.map(|hint| view! { <p class="hint">{hint}</p> });
            view! { <li class="stack"><p>{words}</p> {hint} <p><a class="btn" href=href>{act}</a></p></li> }
        })
        .collect();
    let list = match lines.is_empty() {
        true => view! { <p class="muted">{t.next_none}</p> }.into_html(),
        false => view! { <ul class="stack">{lines}</ul> }.into_html(),
    };
    view! {
        <section class="section" aria-labelledby="next">
            <h2 id="next">{t.next}</h2>
            {list}
        </section>
    }
    .into_html()
}

/// The tiers, with how far the next one is.
pub(super) fn tiers(cx: &Cx, programs: &[Program], standings: &[(ProgramId, Tiers, Standing)]) -> Option<Html> {
    let t = &cx.t().programs;
    let lines: Vec<_> = standings
        .iter()
        .map(|(program, tiers, standing)| {
            let program = programs.iter().find(|one| one.id == *program);
            let program = program.map(|program| cx.pick(&program.name)).unwrap_or_default();
            let name = |id| tiers.get(id).map(|tier| cx.pick(&tier.name)).unwrap_or_default();
            let held = standing.tier.map_or_else(|| t.tier_none.to_owned(), name);
            let next = standing.next.map(|next| {
                let words = t.tier_next(counted(cx, tiers, next.missing), name(next.tier));
                let (max, value) = (next.threshold.to_string(), standing.counted.max(0).to_string());
                let label = words.clone();
                view! {
                    <p class="hint">{words}</p>
                    <progress class="progress" max=max value=value aria-label=label></progress>
                }
            });
            view! { <li><p><b>{held}</b> <small class="muted">" " {program}</small></p> {next}</li> }
        })
        .collect();
    let title = cx.t().admin_customer.tiers;
    (!lines.is_empty()).then(|| side(title, view! { <ul class="stack">{lines}</ul> }))
}

/// By which channels offers may be made.
pub(super) fn may(cx: &Cx, consents: &[Consent]) -> Html {
    let t = &cx.t().admin_customer;
    let lines: Vec<_> = Channel::ALL
        .into_iter()
        .map(|channel| {
            let words = match channel {
                Channel::Sms => t.by_sms,
                Channel::Email => t.by_email,
                Channel::Phone => t.by_phone,
            };
            let (class, may) = match agrees(consents, Aim::Marketing, channel) {
                true => ("status status-done", t.may_yes),
                false => ("status status-wait", t.may_no),
            };
            view! { <div><dt>{words}</dt><dd><span class=class>{may}</span></dd></div> }
        })
        .collect();
    side(t.may, view! { <dl class="kv">{lines}</dl> })
}
