//! Name, surname and birthday.

use super::back;
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::{DateField, Field, FormBox, TextArea, pairs};
use chrono::Datelike as _;
use crm::customer::{BIRTHDAY_CHANGES, PersonForm, store as customers};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Changes name, surname and birthday.
#[derive(Deserialize)]
pub struct ChangePerson {
    name: String,
    surname: String,
    day: String,
    month: String,
    year: String,
    #[serde(default)]
    address: String,
}

impl Form for ChangePerson {
    const NAME: &'static str = "profile.person";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let Self {
            name,
            surname,
            day,
            month,
            year,
            address,
        } = self;
        customers::change_person(
            &cx.db,
            cx.customer()?,
            &PersonForm {
                name,
                surname,
                day,
                month,
                year,
            },
            &address,
        )
        .await?;
        Ok(Next::to("/profile?done=person"))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().person;
    let mut conn = cx.db.read().await?;
    let person = customers::person(&mut conn, cx.subject()?).await?;
    drop(conn);
    let labels = pairs([
        ("name", t.name),
        ("surname", t.surname),
        ("birthday", t.birthday),
        ("address", t.address),
    ]);
    let date = person
        .birthday
        .map(|d| [d.day(), d.month(), d.year().unsigned_abs()].map(|n| n.to_string()));
    let left = BIRTHDAY_CHANGES - person.birthday_changes;
    let hint = match left {
        ..=0 => t.birthday_used.to_owned(),
        n => format!("{}. {}", t.birthday_hint, t.birthday_left(n)),
    };
    let ask = (left <= 0).then(|| view! { <p><a href="/support/new?topic=profile">{t.ask}</a></p> });
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <h1>{t.title}</h1>
        <FormBox<ChangePerson> check=true labels=labels>
            <Field name="name" label=t.name check="name" missing=t.name_missing value=person.name autocomplete="given-name"/>
            <Field name="surname" label=t.surname check="name" missing=t.surname_missing value=person.surname
                autocomplete="family-name"/>
            <DateField name="birthday" label=t.birthday hint=hint missing=t.birthday_missing
                value=date.unwrap_or_default() own=true/>
            {ask}
            <TextArea name="address" label=t.address hint=t.address_hint value=person.address.unwrap_or_default()
                optional=true rows=2/>
            <div class="actions">
                <button class="btn btn-primary">{t.save}</button>
                <a class="btn btn-quiet" href="/profile">{cx.t().common.cancel}</a>
            </div>
        </FormBox<ChangePerson>>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}
