//! The customer's own data: a row for each part, with what it holds now.

use super::{consents, flash};
use crate::admin::rules::words::Words;
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self, icon};
use crm::consent::{Act, store as consent_store};
use crm::contact::Kind;
use crm::customer::{Missing, Profile, store as customers};
use crm::rule::store as rules;
use crm::rule::{Occasion, Rule};
use crm::signin::store as signin;
use crm::stores::store as stores;
use islands::AppError;
use leptos::prelude::*;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().profile;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let profile = customers::profile(&mut conn, me).await?;
    let given = consents::latest(consent_store::history(&mut conn, me).await?);
    let shops = stores::list(&mut conn, cx.lang).await?;
    let gives = customers::gives_for(&mut conn, me, Occasion::Profile).await?;
    let all: Vec<&Rule> = gives.iter().collect();
    let names = rules::names(&mut conn, &all).await?;
    drop(conn);
    let words = Words { cx: &cx, names: &names };
    // Where somebody is signed in they see alone.
    let devices = match &cx.customer {
        Some(customer) => t.devices_count(count(signin::devices(&cx.db, customer).await?.len())),
        None => String::new(),
    };

    let person = &profile.person;
    let name = format!("{} {}", person.name, person.surname);
    let birthday = person
        .birthday
        .map_or_else(|| t.no_birthday.to_owned(), |day| format::date(cx.lang, day));
    let primary = |kind: Kind| {
        profile
            .contacts
            .iter()
            .find(|c| c.kind == kind && c.is_primary)
            .map(|c| c.value.clone())
    };
    let contacts = match (primary(Kind::Phone), primary(Kind::Email)) {
        (Some(phone), Some(email)) => format!("{}, {email}", cx.phone(&phone)),
        (Some(phone), None) => format!("{}, {}", cx.phone(&phone), t.no_email),
        (None, Some(email)) => email,
        (None, None) => t.no_contacts.to_owned(),
    };
    let children = match profile.children.len() {
        0 => t.no_children.to_owned(),
        n => t.children_count(count(n)),
    };
    let favourite = shops.iter().find(|shop| Some(shop.id) == person.favourite_store_id);
    let preferences = favourite.map_or_else(
        || t.preferences_text.to_owned(),
        |shop| t.favourite(cx.pick(&shop.name)),
    );
    let given = given.iter().filter(|consent| consent.act == Act::Given).count();
    let view = view! {
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.since(cx.day(person.registered_at))}</p>
        </div>
        {flash(&cx, &[("person", t.done_person), ("preferences", t.done_preferences)])}
        {to_tell(&words, &profile, &gives)}
        <section class="section" aria-labelledby="about">
            <h2 id="about">{t.about}</h2>
            <div class="panel panel-flush">
                <ul class="rows">
                    {row("/profile/person", icon::USER_ROUND, name, birthday)}
                    {row("/profile/contacts", icon::PHONE, t.contacts, contacts)}
                    {row("/profile/children", icon::BABY, t.children, children)}
                    {row("/profile/preferences", icon::HEART, t.preferences, preferences)}
                    {row("/questionnaire", icon::CIRCLE_USER_ROUND, t.questionnaire, t.questionnaire_text)}
                    {row("/merge", icon::CREDIT_CARD, t.merge, t.merge_text)}
                </ul>
            </div>
        </section>
        <section class="section" aria-labelledby="safety">
            <h2 id="safety">{t.safety}</h2>
            <div class="panel panel-flush">
                <ul class="rows">
                    {row("/profile/consents", icon::SHIELD_CHECK, t.consents, t.consents_count(count(given)))}
                    {row("/profile/quiet", icon::CLOCK, t.quiet, t.quiet_text)}
                    {row("/profile/messages", icon::INBOX, t.messages, t.messages_text)}
                    {row("/profile/security", icon::KEY_ROUND, t.security, t.security_text)}
                    {row("/devices", icon::MONITOR_SMARTPHONE, t.devices, devices)}
                    {row("/profile/views", icon::EYE, t.views, t.views_text)}
                    {row("/profile/data", icon::DOWNLOAD, t.data, t.data_text)}
                    {row("/profile/erase", icon::TRASH_2, t.erase, t.erase_text)}
                </ul>
            </div>
        </section>
        <section class="section" aria-labelledby="club">
            <h2 id="club">{t.club}</h2>
            <div class="panel panel-flush">
                <ul class="rows">
                    {row("/programs", icon::SPARKLES, t.programs, t.programs_text)}
                    {row("/invite", icon::USERS, t.invite, t.invite_text)}
                    {row("/stores", icon::STORE, t.stores, t.stores_text)}
                </ul>
            </div>
        </section>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

/// What is still to be told for what rules give for a whole profile.
fn to_tell(words: &Words<'_>, profile: &Profile, gives: &[Rule]) -> Option<Html> {
    let t = &words.cx.t().profile;
    let missing = profile.missing();
    if missing.is_empty() || gives.is_empty() {
        return None;
    }
    let lines: Vec<_> = missing
        .into_iter()
        .map(|missing| {
            let (href, words) = match missing {
                Missing::Name => ("/profile/person", t.tell_name),
                Missing::Birthday => ("/profile/person", t.tell_birthday),
                Missing::Email => ("/profile/contacts", t.tell_email),
                Missing::Preferences => ("/profile/preferences", t.tell_preferences),
            };
            view! { <li><a href=href>{words}</a></li> }
        })
        .collect();
    let gives: Vec<String> = gives.iter().map(|rule| words.gives(rule)).collect();
    Some(
        view! {
            <section class="panel" aria-labelledby="to-tell">
                <h2 id="to-tell">{t.to_tell}</h2>
                <p>{t.to_tell_gives(gives.join("; "))}</p>
                <ul class="list-disc ps-5">{lines}</ul>
            </section>
        }
        .into_html(),
    )
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn row(href: &'static str, inside: &'static str, title: impl Into<String>, text: impl Into<String>) -> impl IntoView {
    view! {
        <li>
            <a class="row" href=href>
                <span class="row-icon">{icon(inside)}</span>
                <span class="row-main"><b dir="auto">{title.into()}</b><small>{text.into()}</small></span>
                <span class="row-go">{icon(icon::CHEVRON_RIGHT)}</span>
            </a>
        </li>
    }
}
