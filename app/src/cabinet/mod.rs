//! Pages of a customer who is signed in, a file a page.

pub mod bought;
pub mod card;
pub mod children;
pub mod claim;
pub mod confirm;
pub mod consents;
pub mod contacts;
pub mod data;
pub mod devices;
pub mod erase;
pub mod expiry;
pub mod home;
pub mod invite;
pub mod looks;
pub mod merge;
pub mod messages;
pub mod missing;
pub mod notifications;
pub mod number;
pub mod offers;
pub mod offline;
pub mod often;
pub mod passkeys;
pub mod period;
pub mod person;
pub mod points;
pub mod preferences;
pub mod profile;
pub mod programs;
pub mod providers;
pub mod purchases;
pub mod questionnaire;
pub mod quiet;
pub mod receipt;
pub mod second_factor;
pub mod security;
pub mod spending;
pub mod statement;
pub mod stores;
pub mod support;
pub mod trace;
pub mod transfer;
pub mod welcome;
pub mod what_if;
pub mod why;

use crate::cx::Cx;
use crate::route::Form;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self, icon};
use crate::ui::{ChoiceOption, ErrorSummary, FormBox};
use chrono::{DateTime, Datelike, Utc};
use crm::points::Before;
use crm::report::store::explained::{self, Look};
use crm::signin::store as signin;
use crm::staff::store as staff;
use crm::stores::Store;
use islands::AppError;
use leptos::prelude::*;

/// Says what was done, after the redirect: the words that go with the code in `?done=`.
pub fn flash(cx: &Cx, words: &[(&str, &'static str)]) -> Option<impl IntoView + use<>> {
    let done = cx.query("done").filter(|_| cx.outcome.is_none())?;
    let (_, words) = words.iter().find(|(code, _)| *code == done)?;
    Some(view! { <p class="flash" role="status">{*words}</p> })
}

/// What a hard word means, beside it: in short, and where the help tells all of it.
pub(crate) fn meaning(cx: &Cx, question: &'static str, answer: &'static str, article: &'static str) -> Html {
    let href = format!("/help/{article}");
    view! {
        <details class="fold">
            <summary>{question}</summary>
            <p>{answer} " " <a href=href>{cx.t().help.in_full}<span class="sr-only">": " {question}</span></a></p>
        </details>
    }
    .into_html()
}

/// A list that may be long: so many of its rows stand open, and the others are folded away behind how many they are.
pub(crate) fn long_list(cx: &Cx, mut rows: Vec<Html>, class: &'static str) -> Html {
    const OPEN: usize = 20;
    let rest = rows.split_off(rows.len().min(OPEN));
    let count = i64::try_from(rest.len()).unwrap_or_default();
    let rest = (count > 0).then(|| {
        view! {
            <details class="fold">
                <summary>{cx.t().common.show_more(count)}</summary>
                <ul class=class>{rest}</ul>
            </details>
        }
    });
    view! { <ul class=class>{rows}</ul> {rest} }.into_html()
}

/// Notes that a customer looked at what the cabinet explains, for the report on what they find out by themselves; staff who look at
/// it are none. Where it cannot be written down the page is shown all the same.
pub(crate) async fn looked(cx: &Cx, look: Look) {
    if cx.is_visit
        && let Some(me) = &cx.customer
        && let Err(error) = explained::note(&cx.db, me, look).await
    {
        tracing::warn!(%error, "a look is not counted");
    }
}

/// The way back to the page above.
pub(crate) fn back(href: &'static str, words: &'static str) -> impl IntoView {
    view! { <a class="back" href=href>{icon(icon::ARROW_LEFT)} {words}</a> }
}

/// Shops to choose from, those of each town under its name. They come in the order of their towns.
pub(crate) fn by_town(cx: &Cx, shops: &[Store]) -> Vec<(String, Vec<ChoiceOption>)> {
    let choice = |shop: &Store| (shop.id.to_string(), cx.pick(&shop.name));
    shops
        .chunk_by(|a, b| a.town == b.town)
        .filter_map(|of| Some((cx.pick(&of.first()?.town), of.iter().map(choice).collect())))
        .collect()
}

/// The way on, to the next page of a list.
pub(crate) fn more(cx: &Cx, href: String) -> Html {
    view! { <p class="more-link"><a class="btn" href=href rel="next">{cx.t().common.more}</a></p> }.into_html()
}

/// Says that what a button was for is no longer there: its form is not on the page, so it cannot say so itself.
pub(crate) fn gone(cx: &Cx) -> Option<impl IntoView + use<>> {
    let outcome = cx.outcome.as_ref().filter(|o| o.error == AppError::NotFound)?;
    Some(
        view! { <ErrorSummary error=AppError::NotFound form=outcome.form.replace('.', "-") labels=Vec::new() stale=cx.t().form.stale/> },
    )
}

/// Says what came of one of these buttons where it is no longer on the page to say so itself. `field` names what a button is
/// for, and `is_there` tells by its value whether the page still has it.
pub(crate) fn unsaid(
    cx: &Cx,
    forms: &[&str],
    field: &str,
    is_there: impl Fn(&str) -> bool,
    stale: &'static str,
) -> Option<Html> {
    let outcome = cx.outcome.as_ref().filter(|o| forms.contains(&o.form.as_str()))?;
    let about = outcome.values.iter().find(|(name, _)| name == field);
    if about.is_some_and(|(_, value)| is_there(value)) {
        return None;
    }
    let (error, form) = (outcome.error.clone(), outcome.form.replace('.', "-"));
    Some(view! { <ErrorSummary error=error form=form labels=Vec::new() stale=stale/> }.into_html())
}

/// After a change of what opens the cabinet, or staff's pages: offers to end the sessions elsewhere (ASVS 5.0, 7.4.3). `F`
/// ends them; `after` are the codes in `?done=` of such changes. Nothing where there is no session elsewhere.
pub(crate) async fn offer_to_end_others<F: Form + 'static>(cx: &Cx, after: &[&str]) -> Result<Option<Html>, AppError> {
    if cx.outcome.is_some() || !cx.query("done").is_some_and(|done| after.contains(&done)) {
        return Ok(None);
    }
    let sessions = if cx.path.starts_with("/admin") {
        staff::sessions(&cx.db, cx.staff()?).await?
    } else {
        signin::devices(&cx.db, cx.customer()?).await?
    };
    if sessions.len() < 2 {
        return Ok(None);
    }
    let t = &cx.t().devices;
    let view = view! {
        <section class="panel" aria-labelledby="others">
            <h2 id="others">{t.others_title}</h2>
            <p>{t.others_text}</p>
            <FormBox<F> id="end-others-after" class="actions"><button class="btn">{t.end_others}</button></FormBox<F>>
        </section>
    };
    Ok(Some(view.into_html()))
}

/// Where who somebody is was proved too long ago for what follows: says so and leads to where it is proved anew. Asked
/// before anything is typed, so that nothing typed is lost.
pub(crate) fn fresh_first(cx: &Cx) -> Option<Html> {
    if cx.path.starts_with("/admin") {
        cx.staff.as_ref()?.fresh(&cx.db).err()?;
    } else {
        cx.customer.as_ref()?.fresh(&cx.db).err()?;
    }
    let t = &cx.t().confirm;
    let href = crate::render::confirm(cx);
    Some(
        view! {
            <div class="panel">
                <p>{t.first}</p>
                <p><a class="btn" href=href>{t.begin}</a></p>
            </div>
        }
        .into_html(),
    )
}

/// A place in a list as an address carries it: `<microseconds>_<id>`.
pub fn show_place((at, id): Before) -> String {
    format!("{}_{id}", at.timestamp_micros())
}

/// The place in an address. What is none is the beginning: nobody's page breaks over an address cut short. Times
/// before 1970 and after 9999 are none either: the databases do not order them alike.
pub fn place(text: &str) -> Option<Before> {
    let (at, id) = text.split_once('_')?;
    let at =
        DateTime::<Utc>::from_timestamp_micros(at.parse().ok()?).filter(|at| (1970..=9999).contains(&at.year()))?;
    Some((at, id.parse::<crm::id::PurchaseId>().ok()?.0))
}
