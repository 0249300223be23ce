//! Proving anew who one is before what is dangerous, and then on to where one wanted to go.

use super::back;
use crate::account::factors::confirm_ways;
use crate::account::outside;
use crate::account::sign_in::set_attempt;
use crate::cx::{Cx, cookie};
use crate::route::{Body, Form, Frame, Next, Place, with_untrusted_next};
use crate::ui::{Field, FormBox, pairs};
use crm::contact::{Contact, Kind};
use crm::id::ContactId;
use crm::signin::attempts::{self, Purpose};
use crm::signin::{confirm, store as signin};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Sends a code to one of the customer's contacts.
#[derive(Deserialize)]
pub struct SendCode {
    contact: ContactId,
}

impl Form for SendCode {
    const NAME: &'static str = "confirm.send";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = confirm::start(&cx.db, cx.customer()?, self.contact, &cx.visitor).await?;
        set_attempt(cx, cookie::ATTEMPT, &token);
        Ok(Next::to(onward("/confirm/code", cx)))
    }
}

/// Takes the code.
#[derive(Deserialize)]
pub struct ByCode {
    code: String,
}

impl Form for ByCode {
    const NAME: &'static str = "confirm.code";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = cx.token(cookie::ATTEMPT).ok_or(AppError::Stale)?;
        let opened = confirm::by_code(&cx.db, cx.customer()?, token, &self.code, &cx.visitor).await?;
        cx.set_cookie(cookie::ATTEMPT, None, None);
        Ok(there(cx, &opened))
    }
}

/// Sends another code.
#[derive(Deserialize)]
pub struct Resend {}

impl Form for Resend {
    const NAME: &'static str = "confirm.resend";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = cx.token(cookie::ATTEMPT).ok_or(AppError::Stale)?;
        cx.customer()?;
        signin::resend(&cx.db, token, Purpose::Confirm, &cx.visitor).await?;
        Ok(Next::to(onward("/confirm/code", cx)))
    }
}

/// Takes the password.
#[derive(Deserialize)]
pub struct ByPassword {
    password: String,
}

impl Form for ByPassword {
    const NAME: &'static str = "confirm.password";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let opened = confirm::by_password(&cx.db, cx.customer()?, &self.password, &cx.visitor).await?;
        Ok(there(cx, &opened))
    }
}

/// With the session's new token to where the customer wanted to go.
pub(crate) fn there(cx: &Cx, opened: &crm::who::Opened) -> Next {
    cx.set_session(cookie::SESSION, opened);
    Next::to_untrusted(cx.query("next"), "/profile/security")
}

/// Keeps the page that the customer wanted along the way.
pub(super) fn onward(path: &str, cx: &Cx) -> String {
    with_untrusted_next(path, cx.query("next"))
}

/// Where the customer comes back to, whatever they choose.
fn origin(cx: &Cx) -> String {
    Next::to_untrusted(cx.query("next"), "/profile").path().to_owned()
}

/// Offers the ways.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().confirm;
    let ways = confirm::ways(&cx.db, cx.customer()?).await?;
    let providers = match ways.second_factor {
        true => None,
        false => outside::confirm_buttons(&cx).await?,
    };
    let view = view! {
        <a class="back" href=origin(&cx)>{crate::ui::icon(crate::ui::icon::ARROW_LEFT)} {t.back}</a>
        <div class="narrow">
            {outside::trouble(&cx)}
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
            {confirm_ways(&cx, ways.second_factor).await?}
            {(ways.password && !ways.second_factor).then(|| by_password(&cx))}
            {(!ways.second_factor).then(|| by_contact(&cx, &ways.contacts))}
            {providers}
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

fn by_password(cx: &Cx) -> impl IntoView + use<> {
    let t = &cx.t().confirm;
    let labels = pairs([("password", t.password)]);
    view! {
        <FormBox<ByPassword> labels=labels>
            <Field name="password" label=t.password kind="password" missing=t.password_missing
                autocomplete="current-password" enterkeyhint="go"/>
            <button class="btn btn-primary btn-wide">{t.confirm}</button>
        </FormBox<ByPassword>>
    }
}

fn by_contact(cx: &Cx, contacts: &[Contact]) -> impl IntoView + use<> {
    let t = &cx.t().confirm;
    let buttons: Vec<_> = contacts
        .iter()
        .map(|contact| {
            let (id, shown) = (contact.id.to_string(), shown(cx, contact.kind, &contact.value));
            view! {
                <FormBox<SendCode> id=format!("confirm-{id}") class="actions">
                    <input type="hidden" name="contact" value=id/>
                    <button class="btn btn-wide">{t.send(shown)}</button>
                </FormBox<SendCode>>
            }
        })
        .collect();
    buttons
}

fn shown(cx: &Cx, kind: Kind, address: &str) -> String {
    match kind {
        Kind::Phone => cx.phone(address),
        Kind::Email => address.to_owned(),
    }
}

/// Asks for the code.
pub async fn code(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().confirm;
    cx.customer()?;
    let (kind, address) = waiting(&cx, Purpose::Confirm).await?;
    let words = &cx.t().sign_in;
    let labels = pairs([("code", words.code)]);
    let view = view! {
        <a class="back" href=onward("/confirm", &cx)>{crate::ui::icon(crate::ui::icon::ARROW_LEFT)} {t.other_way}</a>
        <div class="narrow">
            <h1>{t.title}</h1>
            <p class="lead">{words.code_sent(shown(&cx, kind, &address))}</p>
            <FormBox<ByCode> labels=labels check=true>
                {code_field(words)}
                <button class="btn btn-primary btn-wide">{t.confirm}</button>
            </FormBox<ByCode>>
            <FormBox<Resend> class="actions"><button class="btn btn-quiet">{words.resend}</button></FormBox<Resend>>
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

/// Where the code went that an attempt of this browser waits for.
async fn waiting(cx: &Cx, purpose: Purpose) -> Result<(Kind, String), AppError> {
    let token = cx.token(cookie::ATTEMPT).ok_or(AppError::Stale)?;
    let attempt = attempts::attempt(&cx.db, token, purpose).await?;
    attempt.kind.zip(attempt.address).ok_or(AppError::Stale)
}

fn code_field(t: &'static crate::texts::SignIn) -> impl IntoView {
    view! {
        <Field name="code" label=t.code hint=t.code_hint missing=t.code_missing autocomplete="one-time-code"
            class="input-code" inputmode="numeric" enterkeyhint="go" autofocus=true/>
    }
}

/// Takes the code that proves a contact.
#[derive(Deserialize)]
pub struct ProveContact {
    code: String,
}

impl Form for ProveContact {
    const NAME: &'static str = "contact.prove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = cx.token(cookie::ATTEMPT).ok_or(AppError::Stale)?;
        let kind = confirm::contact(&cx.db, cx.customer()?, token, &self.code, &cx.visitor).await?;
        cx.set_cookie(cookie::ATTEMPT, None, None);
        Ok(Next::to(match kind {
            Kind::Phone => "/profile/contacts?done=proved_phone",
            Kind::Email => "/profile/contacts?done=proved_email",
        }))
    }
}

/// Sends another code to the contact.
#[derive(Deserialize)]
pub struct ResendToContact {}

impl Form for ResendToContact {
    const NAME: &'static str = "contact.resend";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = cx.token(cookie::ATTEMPT).ok_or(AppError::Stale)?;
        cx.customer()?;
        signin::resend(&cx.db, token, Purpose::Contact, &cx.visitor).await?;
        Ok(Next::to("/profile/contacts/code"))
    }
}

/// Asks for the code that went to a new contact.
pub async fn contact_code(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().contacts;
    cx.customer()?;
    let (kind, address) = waiting(&cx, Purpose::Contact).await?;
    let words = &cx.t().sign_in;
    let labels = pairs([("code", words.code)]);
    let title = match kind {
        Kind::Phone => t.prove_phone,
        Kind::Email => t.prove_email,
    };
    let view = view! {
        {back("/profile/contacts", t.title)}
        <div class="narrow">
            <h1>{title}</h1>
            <p class="lead">{words.code_sent(shown(&cx, kind, &address))}</p>
            <FormBox<ProveContact> labels=labels check=true>
                {code_field(words)}
                <button class="btn btn-primary btn-wide">{t.prove}</button>
            </FormBox<ProveContact>>
            <FormBox<ResendToContact> class="actions">
                <button class="btn btn-quiet">{words.resend}</button>
            </FormBox<ResendToContact>>
        </div>
    };
    Ok(Body::new(title, Frame::Cabinet(Place::Elsewhere), view))
}
