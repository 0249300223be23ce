//! A member of staff's own second factors, sessions and password; and proving anew who they are.

use crate::account::factors::{app_section, codes_section, confirm_ways, known, passkeys_section, told};
use crate::account::outside;
use crate::cabinet::devices::device_name;
use crate::cabinet::{flash, fresh_first, gone, offer_to_end_others};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Field, FormBox, pairs};
use crm::factor::store as factors;
use crm::id::SessionId;
use crm::signin::Device;
use crm::staff::store as staff;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Changes the password.
#[derive(Deserialize)]
pub struct SetPassword {
    current: String,
    password: String,
}

impl Form for SetPassword {
    const NAME: &'static str = "staff.password";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        staff::change_password(&cx.db, &by, &self.current, &self.password, &cx.visitor).await?;
        Ok(Next::to("/admin/security?done=password"))
    }
}

/// Ends one of one's own sessions.
#[derive(Deserialize)]
pub struct EndSession {
    session: SessionId,
}

impl Form for EndSession {
    const NAME: &'static str = "staff.end_session";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        staff::end_session(&cx.db, &cx.staff()?.fresh(&cx.db)?, Some(self.session)).await?;
        Ok(Next::to("/admin/security?done=ended"))
    }
}

/// Ends every session of one's own but the one at hand.
#[derive(Deserialize)]
pub struct EndOthers {}

impl Form for EndOthers {
    const NAME: &'static str = "staff.end_others";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        staff::end_session(&cx.db, &cx.staff()?.fresh(&cx.db)?, None).await?;
        Ok(Next::to("/admin/security?done=others"))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let me = cx.staff()?;
    let of = known(&cx)?;
    let overview = factors::overview(&cx.db, of).await?;
    let sessions = staff::sessions(&cx.db, me).await?;
    let first = fresh_first(&cx);
    let is_fresh = first.is_none();
    let (pending, question) = match of.fresh(&cx.db) {
        Ok(by) => (
            Some(factors::pending(&cx.db, &by).await?),
            factors::ask_new_passkey(&cx.db, &by).await?,
        ),
        Err(_) => (None, None),
    };
    let t = &cx.t().admin_security;
    let mut words = told(&cx).to_vec();
    words.extend([
        ("password", t.done_password),
        ("ended", t.done_ended),
        ("others", t.done_others),
    ]);
    let others = offer_to_end_others::<EndOthers>(&cx, &["on", "removed", "kept", "added"]).await?;
    let has_others = sessions.len() > 1;
    let rows: Vec<_> = sessions
        .iter()
        .map(|session| {
            let is_this = session.id == me.session();
            let end = (!is_this && is_fresh).then(|| end(&cx, session));
            row(&cx, session, is_this, end)
        })
        .collect();
    let words_of_password = &cx.t().security;
    let labels = pairs([
        ("current", words_of_password.current),
        ("password", words_of_password.new_password),
    ]);
    let view = view! {
        <h1>{t.title}</h1>
        {flash(&cx, &words)}
        {others}
        {gone(&cx)}
        {first}
        {app_section(&cx, &overview, pending.as_ref())}
        {codes_section(&cx, &overview, pending.as_ref())}
        {passkeys_section(&cx, &overview, is_fresh, question)}
        {is_fresh.then(|| view! {
            <section class="section narrow" aria-labelledby="password">
                <h2 id="password">{t.password}</h2>
                <FormBox<SetPassword> check=true labels=labels>
                    <Field name="current" label=words_of_password.current hint=t.forgot kind="password"
                        missing=words_of_password.current_missing autocomplete="current-password"/>
                    <Field name="password" label=words_of_password.new_password hint=words_of_password.password_hint
                        kind="password" check="password" missing=words_of_password.password_missing
                        autocomplete="new-password" enterkeyhint="done"/>
                    <button class="btn">{words_of_password.set_password}</button>
                </FormBox<SetPassword>>
            </section>
        })}
        <section class="section" aria-labelledby="sessions">
            <h2 id="sessions">{t.sessions}</h2>
            <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
            {(has_others && is_fresh).then(|| view! {
                <FormBox<EndOthers> class="actions">
                    <button class="btn btn-danger-quiet">{cx.t().devices.end_others}</button>
                </FormBox<EndOthers>>
            })}
        </section>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// Ends a session of one's own.
fn end(cx: &Cx, session: &Device) -> Html {
    let t = &cx.t().devices;
    let (id, name) = (session.id.to_string(), device_name(cx, &session.device));
    view! {
        <FormBox<EndSession> id=format!("end-{id}") class="row-form">
            <input type="hidden" name="session" value=id/>
            <button class="btn btn-sm">{t.end}<span class="sr-only">": " {name}</span></button>
        </FormBox<EndSession>>
    }
    .into_html()
}

/// A session of somebody of staff, and what ends it.
pub(super) fn row(cx: &Cx, session: &Device, is_this: bool, end: Option<Html>) -> Html {
    let t = &cx.t().devices;
    let name = device_name(cx, &session.device);
    let last = if is_this {
        t.now.to_owned()
    } else {
        t.seen(cx.ago(session.seen_at))
    };
    let network = (!session.network.is_empty()).then(|| t.network(&session.network));
    let badge = is_this.then(|| view! { " " <span class="badge badge-brand">{t.this}</span> });
    let since = t.since(cx.moment(session.created_at));
    view! {
        <li class="row row-wrap">
            <div class="row-main">
                <b>{name}{badge}</b>
                <small>{last}</small>
                <small>{since}</small>
                {network.map(|network| view! { <small>{network}</small> })}
            </div>
            <div class="row-acts">{end}</div>
        </li>
    }
    .into_html()
}

/// Asks for the second factor once more, before what is dangerous. Who has none here gave theirs at a provider, and is sent
/// there.
pub async fn confirm(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().confirm;
    let words = &cx.t().admin_security;
    let has_second = factors::overview(&cx.db, known(&cx)?).await?.has_second;
    let (lead, ways) = if has_second {
        (words.confirm_lead, confirm_ways(&cx, true).await?.into_html())
    } else {
        let none = || view! { <p>{words.confirm_none}</p> }.into_html();
        let buttons = outside::confirm_buttons(&cx).await?;
        (words.confirm_lead_outside, buttons.unwrap_or_else(none))
    };
    let view = view! {
        <div class="narrow">
            {outside::trouble(&cx)}
            <h1>{t.title}</h1>
            <p class="lead">{lead}</p>
            {ways}
        </div>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}
