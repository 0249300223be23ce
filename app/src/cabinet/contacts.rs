//! Phones and e-mail addresses.

use super::{back, flash, gone};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::{Field, FormBox};
use crm::contact::{Contact, Kind, store as contacts};
use crm::id::ContactId;
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
        contacts::add(&cx.db, cx.customer()?, Kind::Phone, &self.phone).await?;
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
        contacts::add(&cx.db, cx.customer()?, Kind::Email, &self.email).await?;
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
        contacts::remove(&cx.db, cx.customer()?, self.contact).await?;
        Ok(Next::to("/profile/contacts?done=removed"))
    }
}

/// Makes an e-mail address the primary one.
#[derive(Deserialize)]
pub struct MakePrimary {
    contact: ContactId,
}

impl Form for MakePrimary {
    const NAME: &'static str = "contact.primary";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        contacts::make_primary(&cx.db, cx.customer()?, self.contact).await?;
        Ok(Next::to("/profile/contacts?done=primary"))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().contacts;
    let mut conn = cx.db.read().await?;
    let all = contacts::of(&mut conn, cx.customer()?.me()).await?;
    drop(conn);
    let (phones, emails): (Vec<_>, Vec<_>) = all.into_iter().partition(|c| c.kind == Kind::Phone);
    let label = |name: &str, words: &str| vec![(name.to_owned(), words.to_owned())];
    let done = [
        ("phone", t.done_phone),
        ("email", t.done_email),
        ("removed", t.done_removed),
        ("primary", t.done_primary),
    ];
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <h1>{t.title}</h1>
        {flash(&cx, &done)}
        {gone(&cx)}
        <section class="section narrow" aria-labelledby="phones">
            <h2 id="phones">{t.phones}</h2>
            {list(&cx, phones)}
            <p class="muted">{t.change_phone} " " <a href="/support/new?topic=profile">{t.write_us}</a></p>
            <FormBox<AddPhone> check=true labels=label("phone", t.phone)>
                <Field name="phone" label=t.another_phone hint=t.phone_hint kind="tel" check="phone" missing=t.phone_missing
                    autocomplete="tel" inputmode="tel" enterkeyhint="done"/>
                <div class="actions"><button class="btn">{t.add_phone}</button></div>
            </FormBox<AddPhone>>
        </section>
        <section class="section narrow" aria-labelledby="emails">
            <h2 id="emails">{t.emails}</h2>
            {list(&cx, emails)}
            <FormBox<AddEmail> check=true labels=label("email", t.email)>
                <Field name="email" label=t.another_email hint=t.email_hint kind="email" check="email" missing=t.email_missing
                    autocomplete="email" inputmode="email" enterkeyhint="done"/>
                <div class="actions"><button class="btn">{t.add_email}</button></div>
            </FormBox<AddEmail>>
        </section>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

fn list(cx: &Cx, contacts: Vec<Contact>) -> impl IntoView + use<> {
    if contacts.is_empty() {
        return view! { <p class="muted">{cx.t().contacts.no_email}</p> }.into_any();
    }
    let rows: Vec<_> = contacts.into_iter().map(|contact| row(cx, &contact)).collect();
    view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_any()
}

fn row(cx: &Cx, contact: &Contact) -> impl IntoView + use<> {
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
    let primary = (!is_phone && !contact.is_primary).then(|| {
        let (id, shown) = (id.clone(), shown.clone());
        view! {
            <FormBox<MakePrimary> id=format!("primary-{id}") class="row-form">
                <input type="hidden" name="contact" value=id/>
                <button class="btn btn-sm btn-quiet">{t.make_primary}<span class="sr-only">": " {shown}</span></button>
            </FormBox<MakePrimary>>
        }
    });
    // The primary phone is the way in.
    let remove = (!is_phone || !contact.is_primary).then(|| {
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
    view! {
        <li class="row row-wrap">
            <span class="row-main">
                <b><bdi>{shown}</bdi>{badge}</b>
                <span class=class>{word}</span>
            </span>
            <span class="row-acts">{primary}{remove}</span>
        </li>
    }
}
