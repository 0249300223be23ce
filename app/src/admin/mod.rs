//! Staff pages: the queue of requests, one request, customers and what is known of them. They work without the scripts that
//! some ship. Whatever they show of a customer is opened through `crm`, which writes down who looked.

pub mod acts;
pub mod api;
pub mod audience;
pub mod audit;
pub mod bulk;
mod changes;
pub mod coming;
pub mod coupons;
pub mod customer;
pub mod customers;
pub mod dialogue;
mod due;
pub mod duplicates;
pub mod extracts;
pub mod find;
pub mod fraud;
pub mod goods;
pub mod help;
pub mod help_parts;
pub mod imports;
pub mod inbox;
pub mod kept;
pub mod keys;
pub mod levels;
pub mod log_words;
pub mod macros;
pub mod merge;
pub mod messages;
mod once;
pub mod partners;
pub mod places;
pub mod points;
pub mod programs;
pub mod promotions;
pub mod questionnaire;
pub mod questions;
pub mod queues;
pub mod receipt;
pub mod reports;
pub mod request;
pub mod request_parts;
pub mod requests;
pub mod roles;
pub mod rules;
pub mod scripts;
pub mod security;
pub mod segments;
pub mod shops;
pub mod sorting;
pub mod staff;
pub mod tags;
pub mod talk;
pub mod tasks;
pub mod texts;
pub mod tiers;
pub mod tills;
mod versions;
pub mod view;
pub mod waiting;
pub mod webhooks;

use crate::cx::Cx;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use chrono::{DateTime, TimeDelta, Utc};
use crm::contact::{Contact, Kind};
use crm::find::store as finding;
use crm::id::SearchId;
use crm::lang::Lang;
use crm::purchase::StoreName;
use crm::request::Status;
use crm::staff::Right;
use islands::AppError;
use leptos::prelude::*;

/// The ways on through a list: what is to be said of the page at hand, back to the start and on to the next page, each an
/// address with its words.
fn pages(said: Option<String>, first: Option<(String, &'static str)>, next: Option<(String, &'static str)>) -> Html {
    let first = first.map(|(href, words)| view! { <a class="btn" href=href>{words}</a> });
    let next = next.map(|(href, words)| {
        view! { <a class="btn" href=href rel="next">{words} {icon(icons::CHEVRON_RIGHT)}</a> }
    });
    view! { <div class="pages"><span>{said}</span><div class="actions">{first} {next}</div></div> }.into_html()
}

/// A person as lists name them: in Russian the surname leads. Of who joined by phone no name may be known yet.
fn full_name(cx: &Cx, name: &str, surname: &str) -> String {
    let name = match cx.lang {
        Lang::Ru => format!("{surname} {name}"),
        Lang::En => format!("{name} {surname}"),
    };
    match name.trim() {
        "" => cx.t().admin.nameless.to_owned(),
        name => name.to_owned(),
    }
}

/// A shop with its town.
fn store_name(cx: &Cx, store: &StoreName) -> String {
    format!("{}, {}", store.town.get(cx.lang), store.name.get(cx.lang))
}

/// What a status is called.
fn status_word(cx: &Cx, status: Status) -> &'static str {
    let t = &cx.t().admin;
    match status {
        Status::New => t.status_new,
        Status::Open => t.status_open,
        Status::Waiting => t.status_waiting,
        Status::Closed => t.status_closed,
    }
}

/// A status as a word with a dot.
fn status(cx: &Cx, status: Status) -> impl IntoView + use<> {
    let class = match status {
        Status::New => "status status-new",
        Status::Open => "status status-open",
        Status::Waiting => "status status-wait",
        Status::Closed => "status status-done",
    };
    view! { <span class=class>{status_word(cx, status)}</span> }
}

/// How long since: `12 минут`.
fn passed(cx: &Cx, since: DateTime<Utc>) -> String {
    let t = &cx.t().admin;
    let passed = cx.db.now() - since;
    if passed < TimeDelta::minutes(1) {
        t.moment.to_owned()
    } else if passed < TimeDelta::hours(1) {
        t.minutes(passed.num_minutes())
    } else if passed < TimeDelta::days(1) {
        t.hours(passed.num_hours())
    } else {
        cx.t().common.days(passed.num_days())
    }
}

/// The numbers or the addresses among these, one below the other, with what is known of each.
fn contacts(cx: &Cx, all: &[Contact], kind: Kind) -> impl IntoView + use<> {
    let t = &cx.t().admin;
    let contacts: Vec<_> = all
        .iter()
        .filter(|contact| contact.kind == kind)
        .map(|contact| {
            let (href, shown) = match contact.kind {
                Kind::Phone => (format!("tel:{}", contact.value), cx.phone(&contact.value)),
                Kind::Email => (format!("mailto:{}", contact.value), contact.value.clone()),
            };
            let unproved = contact
                .verified_at
                .is_none()
                .then(|| view! { <div><small class="muted">{t.unproved}</small></div> });
            view! { <div><a href=href>{shown}</a></div> {unproved} }
        })
        .collect();
    match contacts.is_empty() {
        true => t.none.into_html(),
        false => contacts.into_html(),
    }
}

/// What was looked for, by the id that stands in the address in its place. What is gone narrows nothing.
async fn looked_for(cx: &Cx) -> Result<Option<(SearchId, String)>, AppError> {
    let Some(id) = cx.query("find").and_then(|id| id.parse().ok()) else {
        return Ok(None);
    };
    let text = finding::kept_search(&mut cx.db.read().await?, cx.staff()?, id).await?;
    Ok(text.map(|text| (id, text)))
}

/// Keeps what somebody with this right looks for; nothing for an empty text.
async fn keep(cx: &Cx, right: Right, text: &str) -> Result<Option<SearchId>, AppError> {
    cx.staff()?.may(right)?;
    keep_text(cx, text).await
}

/// The same, of somebody who may look.
async fn keep_text(cx: &Cx, text: &str) -> Result<Option<SearchId>, AppError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(finding::keep_search(&cx.db, cx.staff()?, text).await?))
}
