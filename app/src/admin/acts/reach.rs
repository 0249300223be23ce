//! What staff do with a customer's phones and e-mail addresses: enter another one, confirm it, remove one that is theirs no more.

use super::{done, labels, reason, reason_called, was_about};
use crate::cx::Cx;
use crate::route::{Form, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Field, FormBox, pairs};
use crm::contact::{Contact, Kind, store as contacts};
use crm::id::{ContactId, CustomerId};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Enters a phone that the customer told.
#[derive(Deserialize)]
pub struct EnterPhone {
    phone: String,
    reason: String,
}

impl Form for EnterPhone {
    const NAME: &'static str = "contact.enter_phone";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        enter(cx, Kind::Phone, &self.phone, &self.reason).await
    }
}

/// Enters an e-mail address that the customer told.
#[derive(Deserialize)]
pub struct EnterEmail {
    email: String,
    reason: String,
}

impl Form for EnterEmail {
    const NAME: &'static str = "contact.enter_email";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        enter(cx, Kind::Email, &self.email, &self.reason).await
    }
}

async fn enter(cx: &Cx, kind: Kind, typed: &str, reason: &str) -> Result<Next, AppError> {
    let id: CustomerId = cx.param("id")?;
    contacts::add_by_staff(&cx.db, &cx.staff()?.fresh(&cx.db)?, id, kind, typed, reason).await?;
    done(id, "entered")
}

/// Confirms a contact of a customer whom staff have made sure of.
#[derive(Deserialize)]
pub struct ConfirmContact {
    contact: ContactId,
    reason: String,
}

impl Form for ConfirmContact {
    const NAME: &'static str = "contact.confirm";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        contacts::verify_by_staff(&cx.db, &cx.staff()?.fresh(&cx.db)?, id, self.contact, &self.reason).await?;
        done(id, "confirmed")
    }
}

/// Removes a contact that is the customer's no more.
#[derive(Deserialize)]
pub struct DropContact {
    contact: ContactId,
    reason: String,
}

impl Form for DropContact {
    const NAME: &'static str = "contact.drop";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        contacts::remove_by_staff(&cx.db, &cx.staff()?.fresh(&cx.db)?, id, self.contact, &self.reason).await?;
        done(id, "dropped")
    }
}

/// Whether a contact may be removed: the main phone is the way in.
pub(super) fn may_go(contact: &Contact) -> bool {
    contact.kind == Kind::Email || !contact.is_primary
}

pub(super) fn section(cx: &Cx, all: &[Contact], has_second: bool, is_fresh: bool) -> Html {
    let t = &cx.t().acts;
    let lines: Vec<_> = all
        .iter()
        .map(|contact| row(cx, contact, has_second, is_fresh))
        .collect();
    let list = match lines.is_empty() {
        true => view! { <p class="muted">{t.no_contacts}</p> }.into_html(),
        false => view! { <ul class="stack">{lines}</ul> }.into_html(),
    };
    let is_open = all.iter().any(|contact| contact.verified_at.is_none());
    let second = (has_second && is_open).then(|| view! { <p>{t.confirm_second}</p> });
    let of_contacts = &cx.t().contacts;
    let enter = is_fresh.then(|| {
        view! {
            <details class="fold" open=cx.was_sent(EnterPhone::NAME)>
                <summary>{t.enter_phone}</summary>
                <p class="hint">{t.enter_hint}</p>
                <FormBox<EnterPhone> labels=labels(t, &[("phone", of_contacts.phone)]) stale=t.account_gone>
                    <Field name="phone" label=of_contacts.phone kind="tel" missing=of_contacts.phone_missing inputmode="tel"/>
                    {reason(t)}
                    <button class="btn">{t.enter_phone}</button>
                </FormBox<EnterPhone>>
            </details>
            <details class="fold" open=cx.was_sent(EnterEmail::NAME)>
                <summary>{t.enter_email}</summary>
                <p class="hint">{t.enter_hint}</p>
                <FormBox<EnterEmail> labels=labels(t, &[("email", of_contacts.email)]) stale=t.account_gone>
                    <Field name="email" label=of_contacts.email kind="email" missing=of_contacts.email_missing inputmode="email"/>
                    {reason(t)}
                    <button class="btn">{t.enter_email}</button>
                </FormBox<EnterEmail>>
            </details>
        }
    });
    view! {
        <section class="section" aria-labelledby="contacts">
            <h2 id="contacts">{t.contacts}</h2>
            {second}
            {list}
            {enter}
        </section>
    }
    .into_html()
}

fn row(cx: &Cx, contact: &Contact, has_second: bool, is_fresh: bool) -> Html {
    let (t, of_contacts) = (&cx.t().acts, &cx.t().contacts);
    let id = contact.id.to_string();
    let shown = match contact.kind {
        Kind::Phone => cx.phone(&contact.value),
        Kind::Email => contact.value.clone(),
    };
    let is_proved = contact.verified_at.is_some();
    let (class, word) = match is_proved {
        true => ("status status-done", of_contacts.verified),
        false => ("status", of_contacts.unverified),
    };
    let confirm = (is_fresh && !is_proved && !has_second).then(|| {
        let (id, shown) = (id.clone(), shown.clone());
        let is_open = was_about(cx, ConfirmContact::NAME, "contact", &id);
        view! {
            <details class="fold" open=is_open>
                <summary>{t.confirm} <span class="sr-only">": " {shown}</span></summary>
                <p class="hint">{t.confirm_hint}</p>
                <FormBox<ConfirmContact>
                    id=format!("contact-confirm-{id}")
                    labels=pairs([("reason", t.confirm_how)])
                    stale=t.contact_stale
                >
                    <input type="hidden" name="contact" value=id/>
                    {reason_called(t, t.confirm_how)}
                    <button class="btn">{t.confirm}</button>
                </FormBox<ConfirmContact>>
            </details>
        }
    });
    let remove = (is_fresh && may_go(contact)).then(|| {
        let (id, shown) = (id.clone(), shown.clone());
        let is_open = was_about(cx, DropContact::NAME, "contact", &id);
        view! {
            <details class="fold" open=is_open>
                <summary>{t.drop} <span class="sr-only">": " {shown}</span></summary>
                {is_proved.then(|| view! { <p class="hint">{t.drop_contact_hint}</p> })}
                <FormBox<DropContact> id=format!("contact-drop-{id}") labels=labels(t, &[]) stale=t.account_gone>
                    <input type="hidden" name="contact" value=id/>
                    {reason(t)}
                    <button class="btn btn-danger-quiet">{t.drop}</button>
                </FormBox<DropContact>>
            </details>
        }
    });
    view! {
        <li>
            <bdi>{shown}</bdi> " " <span class=class>{word}</span>
            {confirm}
            {remove}
        </li>
    }
    .into_html()
}
