//! What happened to a customer, in words.

use super::super::log_words::done;
use super::super::talk;
use crate::cabinet::period::Period;
use crate::cabinet::points::occasion;
use crate::cx::Cx;
use crate::format;
use crate::ui::Moment;
use crate::ui::html::{Html, IntoHtml};
use crm::consent::Consent;
use crm::id::{InteractionId, TaskId, TransactionId};
use crm::interaction::{Interaction, Way};
use crm::points::Reward;
use crm::program::Program;
use crm::request::Topic;
use crm::timeline::{Event, EventKind, Filter, Group, Place};
use leptos::prelude::*;
use std::collections::HashMap;

/// How many events a page of the history has.
pub(super) const SHOWN: usize = 50;

/// What is asked of the history: which events, and from where on.
pub(super) struct Asked {
    groups: Vec<Group>,
    period: Period,
    after: Option<Place>,
}

impl Asked {
    /// Reads it from the address.
    pub(super) fn read(cx: &Cx) -> Self {
        let is_ticked = |group: &Group| cx.queries("kind").any(|code| code == group.code());
        Self {
            groups: Group::ALL.into_iter().filter(is_ticked).collect(),
            period: Period::read(cx),
            after: cx.query("after").and_then(place),
        }
    }

    /// The events to look for.
    pub(super) fn filter(&self) -> Filter {
        Filter {
            groups: self.groups.clone(),
            from: self.period.first,
            to: self.period.last,
        }
    }

    /// From where on.
    pub(super) fn after(&self) -> Option<Place> {
        self.after
    }

    /// The address of the same, from a place on.
    fn address(&self, here: &str, after: Option<Place>) -> String {
        let kinds = self.groups.iter().map(|group| ("kind", group.code()));
        let after = after.map(show_place).unwrap_or_default();
        let others = [
            ("from", self.period.from.as_str()),
            ("to", self.period.to.as_str()),
            ("after", after.as_str()),
        ];
        let others = others.into_iter().filter(|(_, value)| !value.is_empty());
        let asked = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kinds.chain(others))
            .finish();
        format!("{here}?{asked}#history")
    }
}

/// A place in the history as an address carries it: `<microseconds>_<source>_<id>`.
fn show_place(place: Place) -> String {
    format!("{}_{}_{}", place.at.timestamp_micros(), place.source, place.id)
}

/// The place that an address carries; none where it is unreadable.
fn place(text: &str) -> Option<Place> {
    let mut parts = text.splitn(3, '_');
    let mut next = || parts.next();
    let (at, source, id) = (next()?, next()?, next()?);
    // What is no moment or no id in other addresses is none here.
    let (at, id) = crate::cabinet::place(&format!("{at}_{id}"))?;
    Some(Place {
        at,
        source: source.parse().ok()?,
        id,
    })
}

/// The history with its filters and the way on.
pub(super) fn history(cx: &Cx, words: &Words<'_>, asked: &Asked, events: &[Event], next: Option<Place>) -> Html {
    let t = &cx.t().admin_customer;
    let kinds: Vec<_> = Group::ALL
        .into_iter()
        .map(|group| {
            let is_ticked = asked.groups.contains(&group);
            view! {
                <label class="check">
                    <input class="checkbox" type="checkbox" name="kind" value=group.code() checked=is_ticked/>
                    <span>{kind(cx, group)}</span>
                </label>
            }
        })
        .collect();
    let is_narrowed = !asked.groups.is_empty() || asked.period.is_any();
    let here = words.here.to_owned();
    let reset = is_narrowed.then(|| {
        view! { <a class="btn btn-quiet" href=format!("{here}#history")>{t.reset}</a> }
    });
    let list = match events.is_empty() {
        true => view! { <p class="muted">{t.no_events}</p> }.into_html(),
        false => timeline(cx, words, events),
    };
    let first = asked
        .after
        .map(|_| view! { <a class="btn" href=asked.address(words.here, None)>{t.to_newest}</a> });
    let next = next.map(|next| {
        let href = asked.address(words.here, Some(next));
        view! { <a class="btn" href=href rel="next">{cx.t().common.more}</a> }
    });
    view! {
        <section class="section" aria-labelledby="history">
            <h2 id="history">{t.history}</h2>
            <form class="stack" action=format!("{here}#history")>
                <fieldset class="field">
                    <legend>{t.kinds}</legend>
                    <div class="actions">{kinds}</div>
                </fieldset>
                <div class="filters">
                    {asked.period.fields(cx)}
                    <button class="btn">{t.show}</button>
                    {reset}
                </div>
            </form>
            {list}
            <div class="pages"><span></span><div class="actions">{first} {next}</div></div>
        </section>
    }
    .into_html()
}

fn kind(cx: &Cx, group: Group) -> &'static str {
    let t = &cx.t().admin_customer;
    match group {
        Group::Purchases => t.kind_purchases,
        Group::Points => t.kind_points,
        Group::Requests => t.kind_requests,
        Group::Calls => t.kind_calls,
        Group::Visits => t.kind_visits,
        Group::OtherTalks => t.kind_other_talks,
        Group::Tasks => t.kind_tasks,
        Group::Messages => t.kind_messages,
        Group::Consents => t.kind_consents,
        Group::SignIns => t.kind_sign_ins,
        Group::Changes => t.kind_changes,
    }
}

/// Where the words for codes in a history come from.
pub(super) struct Words<'a> {
    pub(super) topics: Vec<Topic>,
    pub(super) programs: &'a [Program],
    pub(super) consents: &'a [Consent],
    pub(super) rewards: &'a HashMap<TransactionId, Reward>,
    /// The requests that points were corrected for.
    pub(super) corrected: &'a HashMap<TransactionId, i64>,
    pub(super) talks: &'a HashMap<InteractionId, Interaction>,
    pub(super) tasks: &'a HashMap<TaskId, String>,
    pub(super) reads_messages: bool,
    pub(super) here: &'a str,
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
        EventKind::Interaction => talked(cx, words, event),
        EventKind::Task => {
            let action = match code {
                "done" => "task.done",
                _ => "task.cancel",
            };
            let how = done(&cx.t().admin_action, action).unwrap_or(action);
            let title = words.tasks.get(&TaskId(event.id)).cloned();
            (how.to_owned(), None, title.filter(|title| !title.is_empty()))
        }
        EventKind::Sent => {
            let channel = match code {
                "email" => cx.t().admin_customer.by_email,
                _ => cx.t().admin_customer.by_sms,
            };
            let href = event.object.filter(|_| words.reads_messages);
            (t.sent(channel), href.map(|id| format!("/admin/messages/{id}")), None)
        }
        EventKind::ConsentGiven => (t.consent_given(consent()), None, None),
        EventKind::ConsentWithdrawn => (t.consent_withdrawn(consent()), None, None),
        EventKind::Joined => (t.joined(program()), None, None),
        EventKind::Left => (t.left(program()), None, None),
        EventKind::SignIn => (t.sign_in.to_owned(), None, Some(code.chars().take(120).collect())),
        EventKind::Points => {
            let why = match code {
                "accrual" => t.accrual,
                "activation" => t.activation,
                "expiry" if event.amount > 0 => t.expiry_undone,
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
            let for_request = event.object.and_then(|id| words.corrected.get(&TransactionId(id)));
            let href = for_request.map(|number| format!("/admin/requests/{number}"));
            let more = more.or_else(|| for_request.map(|number| cx.t().admin_points.for_request(*number)));
            (text, href, more)
        }
        EventKind::Change => {
            let receipt = receipt.filter(|_| matches!(code, "purchase.claim" | "purchase.purpose"));
            let words = done(&cx.t().admin_action, code).unwrap_or(code);
            (words.to_owned(), receipt, None)
        }
    }
}

/// A talk in words, likewise.
fn talked(cx: &Cx, words: &Words<'_>, event: &Event) -> (String, Option<String>, Option<String>) {
    let t = &cx.t().admin_event;
    let way = Way::from_code(&event.code).map_or("", |way| talk::way(cx, way));
    let id = InteractionId(event.id);
    let href = Some(format!("{}/talks/{id}", words.here));
    let Some(one) = words.talks.get(&id) else {
        return (way.to_owned(), href, None);
    };
    let text = t.talk(way, cx.pick(&one.outcome_name));
    let text = match one.is_corrected {
        true => t.talk_corrected(text),
        false => text,
    };
    (text, href, Some(one.note.clone()).filter(|note| !note.is_empty()))
}
