//! Name, surname and birthday.

use super::back;
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::{DateField, Field, FormBox};
use chrono::Datelike as _;
use crm::customer::{PersonForm, store as customers};
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
        )
        .await?;
        Ok(Next::to("/profile?done=person"))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().person;
    let mut conn = cx.db.read().await?;
    let person = customers::person(&mut conn, cx.customer()?.me()).await?;
    drop(conn);
    let labels = [("name", t.name), ("surname", t.surname), ("birthday", t.birthday)];
    let labels = labels.map(|(name, label)| (name.to_owned(), label.to_owned())).to_vec();
    let date = person
        .birthday
        .map(|d| [d.day(), d.month(), d.year().unsigned_abs()].map(|n| n.to_string()));
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <h1>{t.title}</h1>
        <FormBox<ChangePerson> check=true labels=labels>
            <Field name="name" label=t.name check="name" missing=t.name_missing value=person.name autocomplete="given-name"/>
            <Field name="surname" label=t.surname check="name" missing=t.surname_missing value=person.surname
                autocomplete="family-name"/>
            <DateField name="birthday" label=t.birthday hint=t.birthday_hint missing=t.birthday_missing
                value=date.unwrap_or_default() own=true/>
            <div class="actions">
                <button class="btn btn-primary">{t.save}</button>
                <a class="btn btn-quiet" href="/profile">{cx.t().common.cancel}</a>
            </div>
        </FormBox<ChangePerson>>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}
