//! Phones and e-mail addresses.

use super::devices::EndOthers;
use super::{back, flash, fresh_first, gone, offer_to_end_others};
use crate::account::sign_in::set_attempt;
use crate::cx::{Cx, cookie};
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::html::IntoHtml;
use crate::ui::{Field, FormBox};
use crm::contact::change::{self, NumberChange};
use crm::contact::{Contact, Kind, store as contacts};
use crm::id::ContactId;
use crm::signin::confirm;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Adds a phone.
#[derive(Deserialize)]
pub struct AddPhone {
    phone: String,
}

impl Form for AddPhone {
    const NAME: &'static str = "contact.add_phone";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        contacts::add(&cx.db, &cx.customer()?.fresh(&cx.db)?, Kind::Phone, &self.phone).await?;
        Ok(Next::to("/profile/contacts?done=phone"))
    }
}

/// Adds an e-mail address.
#[derive(Deserialize)]
pub struct AddEmail {
    email: String,
}

impl Form for AddEmail {
    const NAME: &'static str = "contact.add_email";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        contacts::add(&cx.db, &cx.customer()?.fresh(&cx.db)?, Kind::Email, &self.email).await?;
        Ok(Next::to("/profile/contacts?done=email"))
    }
}

/// Removes a phone or an e-mail address.
#[derive(Deserialize)]
pub struct RemoveContact {
    contact: ContactId,
}

impl Form for RemoveContact {
    const NAME: &'static str = "contact.remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        contacts::remove(&cx.db, &cx.customer()?.fresh(&cx.db)?, self.contact).await?;
        Ok(Next::to("/profile/contacts?done=removed"))
    }
}

/// Sends a code to a phone or an e-mail address that is not proved yet.
#[derive(Deserialize)]
pub struct VerifyContact {
    contact: ContactId,
}

impl Form for VerifyContact {
    const NAME: &'static str = "contact.verify";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.customer()?.fresh(&cx.db)?;
        let token = confirm::start_contact(&cx.db, &by, self.contact, &cx.visitor).await?;
        set_attempt(cx, cookie::ATTEMPT, &token);
        Ok(Next::to("/profile/contacts/code"))
    }
}

/// Makes a proved phone or e-mail address the primary one.
#[derive(Deserialize)]
pub struct MakePrimary {
    contact: ContactId,
}

impl Form for MakePrimary {
    const NAME: &'static str = "contact.primary";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let due = contacts::make_primary(&cx.db, &cx.customer()?.fresh(&cx.db)?, self.contact).await?;
        Ok(Next::to(match due {
            None => "/profile/contacts?done=primary",
            Some(_) => "/profile/contacts?done=changing",
        }))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().contacts;
    let mut conn = cx.db.read().await?;
    let all = contacts::of(&mut conn, cx.subject()?).await?;
    let change = change::of(&mut conn, cx.subject()?).await?;
    drop(conn);
    let (phones, emails): (Vec<_>, Vec<_>) = all.into_iter().partition(|c| c.kind == Kind::Phone);
    let label = |name: &str, words: &str| vec![(name.to_owned(), words.to_owned())];
    let done = [
        ("phone", t.done_phone),
        ("email", t.done_email),
        ("removed", t.done_removed),
        ("primary", t.done_primary),
        ("changing", t.done_changing),
        ("kept", t.done_kept),
        ("proved_phone", t.done_proved_phone),
        ("proved_email", t.done_proved_email),
    ];
    let others = offer_to_end_others::<EndOthers>(&cx, &["primary", "changing"]).await?;
    let first = fresh_first(&cx);
    let is_fresh = first.is_none();
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <h1>{t.title}</h1>
        {flash(&cx, &done)}
        {others}
        {gone(&cx)}
        {first}
        <section class="section narrow" aria-labelledby="phones">
            <h2 id="phones">{t.phones}</h2>
            {list(&cx, phones, is_fresh, change.as_ref())}
            <p class="muted">{t.change_phone}</p>
            {is_fresh.then(|| view! {
            <FormBox<AddPhone> check=true labels=label("phone", t.phone)>
                <Field name="phone" label=t.another_phone hint=t.phone_hint kind="tel" check="phone" missing=t.phone_missing
                    autocomplete="tel" inputmode="tel" enterkeyhint="done"/>
                <div class="actions"><button class="btn">{t.add_phone}</button></div>
            </FormBox<AddPhone>>
            })}
        </section>
        <section class="section narrow" aria-labelledby="emails">
            <h2 id="emails">{t.emails}</h2>
            {list(&cx, emails, is_fresh, None)}
            {is_fresh.then(|| view! {
            <FormBox<AddEmail> check=true labels=label("email", t.email)>
                <Field name="email" label=t.another_email hint=t.email_hint kind="email" check="email" missing=t.email_missing
                    autocomplete="email" inputmode="email" enterkeyhint="done"/>
                <div class="actions"><button class="btn">{t.add_email}</button></div>
            </FormBox<AddEmail>>
            })}
        </section>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

fn list(cx: &Cx, contacts: Vec<Contact>, is_fresh: bool, change: Option<&NumberChange>) -> impl IntoView + use<> {
    if contacts.is_empty() {
        return view! { <p class="muted">{cx.t().contacts.no_email}</p> }.into_html();
    }
    let rows: Vec<_> = contacts
        .into_iter()
        .map(|contact| {
            row(
                cx,
                &contact,
                is_fresh,
                change.filter(|change| change.phone == contact.value),
            )
        })
        .collect();
    view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_html()
}

/// `change` is the one that makes it the main one.
fn row(cx: &Cx, contact: &Contact, is_fresh: bool, change: Option<&NumberChange>) -> impl IntoView + use<> {
    let t = &cx.t().contacts;
    let id = contact.id.to_string();
    let is_phone = contact.kind == Kind::Phone;
    let shown = if is_phone {
        cx.phone(&contact.value)
    } else {
        contact.value.clone()
    };
    let (class, word) = if contact.verified_at.is_some() {
        ("status status-done", t.verified)
    } else {
        ("status", t.unverified)
    };
    let is_proved = contact.verified_at.is_some();
    let verify = (is_fresh && !is_proved).then(|| {
        let (id, shown) = (id.clone(), shown.clone());
        view! {
            <FormBox<VerifyContact> id=format!("verify-{id}") class="row-form">
                <input type="hidden" name="contact" value=id/>
                <button class="btn btn-sm">{t.verify}<span class="sr-only">": " {shown}</span></button>
            </FormBox<VerifyContact>>
        }
    });
    let primary = (is_fresh && !contact.is_primary && is_proved && change.is_none()).then(|| {
        let (id, shown) = (id.clone(), shown.clone());
        view! {
            <FormBox<MakePrimary> id=format!("primary-{id}") class="row-form" stale=t.change_runs>
                <input type="hidden" name="contact" value=id/>
                <button class="btn btn-sm btn-quiet">{t.make_primary}<span class="sr-only">": " {shown}</span></button>
            </FormBox<MakePrimary>>
        }
    });
    // The primary phone is the way in.
    let remove = (is_fresh && (!is_phone || !contact.is_primary)).then(|| {
        let shown = shown.clone();
        view! {
            <FormBox<RemoveContact> id=format!("remove-{id}") class="row-form">
                <input type="hidden" name="contact" value=id/>
                <button class="btn btn-sm btn-quiet">{t.remove}<span class="sr-only">": " {shown}</span></button>
            </FormBox<RemoveContact>>
        }
    });
    let badge = contact
        .is_primary
        .then(|| view! { " " <span class="badge badge-brand">{t.primary}</span> });
    let becomes = change.map(|change| {
        let at = cx.moment(change.due_at);
        view! { <small>{t.becomes_primary(at)}</small> }
    });
    view! {
        <li class="row row-wrap">
            <span class="row-main">
                <b><bdi>{shown}</bdi>{badge}</b>
                <span class=class>{word}</span>
                {becomes}
            </span>
            <span class="row-acts">{verify}{primary}{remove}</span>
        </li>
    }
}
