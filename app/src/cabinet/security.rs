//! How a customer comes in, and what keeps others out.

use super::{back, flash, fresh_first};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self, icon};
use crate::ui::{Field, FormBox, pairs};
use crm::signin::confirm::{self, Ways};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Sets another password.
#[derive(Deserialize)]
pub struct SetPassword {
    #[serde(default)]
    current: String,
    password: String,
}

impl Form for SetPassword {
    const NAME: &'static str = "password.set";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.customer()?.fresh(&cx.db)?;
        confirm::set_password(&cx.db, &by, &self.current, &self.password, &cx.visitor).await?;
        Ok(Next::to("/profile/security?done=password"))
    }
}

/// Removes the password.
#[derive(Deserialize)]
pub struct RemovePassword {}

impl Form for RemovePassword {
    const NAME: &'static str = "password.remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        confirm::remove_password(&cx.db, &cx.customer()?.fresh(&cx.db)?).await?;
        Ok(Next::to("/profile/security?done=no_password"))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().security;
    let ways = confirm::ways(&cx.db, cx.customer()?).await?;
    let second = if ways.second_factor {
        cx.t().factors.is_on
    } else {
        cx.t().factors.is_off
    };
    let has_providers = cx.providers.iter().any(|provider| !provider.is_for_staff);
    let done = [("password", t.done_password), ("no_password", t.done_no_password)];
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {flash(&cx, &done)}
        <section class="section narrow" aria-labelledby="password">
            <h2 id="password">{t.password}</h2>
            <p class="muted">{if ways.password { t.has_password } else { t.has_no_password }}</p>
            {password(&cx, &ways)?}
        </section>
        <section class="section" aria-labelledby="more">
            <h2 id="more">{t.more}</h2>
            <div class="panel panel-flush">
                <ul class="rows">
                    {row("/profile/second-factor", icon::SHIELD_CHECK, cx.t().factors.title, second)}
                    {row("/profile/passkeys", icon::KEY_ROUND, cx.t().factors.passkeys_title, cx.t().factors.passkeys_text)}
                    {row("/profile/contacts", icon::PHONE, cx.t().profile.contacts, t.contacts_text)}
                    {has_providers.then(|| row("/profile/providers", icon::KEY_ROUND, cx.t().providers.title, cx.t().providers.text))}
                    {row("/devices", icon::MONITOR_SMARTPHONE, cx.t().profile.devices, t.devices_text)}
                </ul>
            </div>
        </section>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

fn password(cx: &Cx, ways: &Ways) -> Result<Html, AppError> {
    let t = &cx.t().security;
    if let Some(first) = fresh_first(cx) {
        return Ok(first);
    }
    let labels = pairs([("current", t.current), ("password", t.new_password)]);
    let (hint, check) = if ways.second_factor {
        (t.password_hint_beside, "password:8")
    } else {
        (t.password_hint, "password")
    };
    // Who proved anew who they are has done so by the password, or by what serves who forgot it.
    let asks_current = ways.password && !cx.customer()?.has_proved_anew();
    // A field is made inside its form, which knows what was typed.
    let current = move || {
        asks_current.then(|| {
            view! {
                <Field name="current" label=t.current kind="password" missing=t.current_missing
                    autocomplete="current-password"/>
                <p class="ways"><a href="/confirm?next=/profile/security">{t.forgot}</a></p>
            }
        })
    };
    let view = view! {
        <FormBox<SetPassword> check=true labels=labels>
            {current()}
            <Field name="password" label=t.new_password hint=hint kind="password" check=check
                missing=t.password_missing autocomplete="new-password" enterkeyhint="done"/>
            <div class="actions"><button class="btn btn-primary">{t.set_password}</button></div>
        </FormBox<SetPassword>>
        {ways.password.then(|| view! {
            <FormBox<RemovePassword> class="actions">
                <button class="btn btn-danger-quiet">{t.remove_password}</button>
            </FormBox<RemovePassword>>
        })}
    };
    Ok(view.into_html())
}

fn row(href: &'static str, inside: &'static str, title: &'static str, text: &'static str) -> impl IntoView {
    view! {
        <li>
            <a class="row" href=href>
                <span class="row-icon">{icon(inside)}</span>
                <span class="row-main"><b>{title}</b><small>{text}</small></span>
                <span class="row-go">{icon(icon::CHEVRON_RIGHT)}</span>
            </a>
        </li>
    }
}
