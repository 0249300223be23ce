//! Consents: what was agreed to, when, to which version of the text, and how to take it back.

use super::{back, flash};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::html::IntoHtml;
use crate::ui::{FormBox, Moment};
use crm::consent::{Act, AskedAt, Consent, Purpose, store as consents};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Gives or withdraws one consent.
#[derive(Deserialize)]
pub struct ChangeConsent {
    consent: String,
    version: i64,
    act: String,
}

impl Form for ChangeConsent {
    const NAME: &'static str = "consent.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (act, done) = match self.act.as_str() {
            "give" => (Act::Given, "given"),
            "withdraw" => (Act::Withdrawn, "withdrawn"),
            _ => return Err(AppError::Refused),
        };
        consents::change(&cx.db, cx.customer()?, &self.consent, act, self.version, cx.lang).await?;
        Ok(Next::to(format!("/profile/consents?done={done}")))
    }
}

/// The last act for each purpose, of a history that begins with the newest.
pub fn latest(history: Vec<Consent>) -> Vec<Consent> {
    let mut found: Vec<Consent> = Vec::new();
    for consent in history {
        if found.iter().all(|known| known.code != consent.code) {
            found.push(consent);
        }
    }
    found
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().consents;
    let mut conn = cx.db.read().await?;
    let asked = consents::purposes(&mut conn, AskedAt::Registration).await?;
    let child = consents::purposes(&mut conn, AskedAt::Child).await?;
    let history = consents::history(&mut conn, cx.customer()?.me()).await?;
    drop(conn);
    let acts: Vec<_> = history.iter().map(|consent| act(&cx, consent)).collect();
    let last = latest(history);
    let of = |purpose: &Purpose| last.iter().find(|consent| consent.code == purpose.code);
    let child = child
        .iter()
        .map(|purpose| panel(&cx, purpose, of(purpose), true).into_html());
    let panels: Vec<_> = asked
        .iter()
        .map(|purpose| panel(&cx, purpose, of(purpose), false).into_html())
        .chain(child)
        .collect();
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {flash(&cx, &[("given", t.done_given), ("withdrawn", t.done_withdrawn)])}
        <div class="stack narrow">{panels}</div>
        {(!acts.is_empty()).then(|| view! {
            <section class="section narrow" aria-labelledby="history">
                <h2 id="history">{t.history}</h2>
                <ul class="timeline">{acts}</ul>
            </section>
        })}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

fn panel(cx: &Cx, purpose: &Purpose, last: Option<&Consent>, is_for_child: bool) -> impl IntoView + use<> {
    let t = &cx.t().consents;
    let code = purpose.code.clone();
    let title = cx.pick(&purpose.title);
    let is_given = last.is_some_and(|consent| consent.act == Act::Given);
    let is_newest = last.is_some_and(|consent| consent.version == purpose.version);
    let (class, word) = match last.map(|consent| consent.act) {
        Some(Act::Given) => ("status status-done", t.given),
        Some(Act::Withdrawn) => ("status", t.withdrawn),
        None => ("status", t.never),
    };
    let when = last.map(|consent| {
        let day = format::date(cx.lang, cx.shop().day(consent.at));
        view! { " " <span class="muted">{t.on(day, consent.version)}</span> }
    });
    let changed = (is_given && !is_newest).then(|| view! { <p>{t.changed(purpose.version)}</p> });
    let note = match (is_for_child, purpose.required) {
        (true, _) => {
            view! { <p class="muted">{t.child} " " <a href="/profile/children">{t.to_children}</a></p> }.into_html()
        }
        (false, true) => view! {
            <p class="muted">{t.required} " " <a href="/support/new?topic=profile">{t.to_support}</a></p>
        }
        .into_html(),
        (false, false) => ().into_html(),
    };
    let can_give = !(is_for_child || is_given && is_newest);
    let can_withdraw = !is_for_child && !purpose.required && is_given;
    let give_words = if is_given { t.give_new } else { t.give };
    let form = (can_give || can_withdraw).then(|| {
        let (give, withdraw, version) = (title.clone(), title.clone(), purpose.version.to_string());
        view! {
            <FormBox<ChangeConsent> id=format!("consent-{code}") class="actions">
                <input type="hidden" name="consent" value=code.clone()/>
                <input type="hidden" name="version" value=version/>
                {can_give.then(|| view! {
                    <button class="btn btn-sm" name="act" value="give">{give_words}<span class="sr-only">": " {give}</span></button>
                })}
                {can_withdraw.then(|| view! {
                    <button class="btn btn-sm" name="act" value="withdraw">{t.withdraw}<span class="sr-only">": " {withdraw}</span></button>
                })}
            </FormBox<ChangeConsent>>
        }
    });
    view! {
        <section class="panel">
            <h2>{title.clone()}</h2>
            <p><span class=class>{word}</span>{when}</p>
            {changed}
            {note}
            <p>
                <a href=format!("/consents/{}", purpose.code)>
                    {t.read(purpose.version)}<span class="sr-only">": " {title.clone()}</span>
                </a>
            </p>
            {form}
        </section>
    }
}

fn act(cx: &Cx, consent: &Consent) -> impl IntoView + use<> {
    let t = &cx.t().consents;
    let word = match consent.act {
        Act::Given => t.given,
        Act::Withdrawn => t.withdrawn,
    };
    let title = cx.pick(&consent.title);
    let version = consent.version;
    let href = format!("/consents/{}?version={version}", consent.code);
    let (at, shown) = (consent.at, cx.moment(consent.at));
    view! {
        <li>
            <span>{word} ": " <a href=href>{title}</a></span>
            <small><Moment at=at shown=shown/> ", " {t.version(version)}</small>
        </li>
    }
}
