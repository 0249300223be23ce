//! Birthdays of children, with the parent's consent.

use super::{back, flash, gone};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::{Check, DateField, FormBox, pairs};
use chrono::NaiveDate;
use crm::customer::Child;
use crm::customer::store::{self as customers, ChildForm};
use crm::id::ChildId;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Adds a child's birthday.
#[derive(Deserialize)]
pub struct AddChild {
    day: String,
    month: String,
    year: String,
    agreed: Option<String>,
}

impl Form for AddChild {
    const NAME: &'static str = "child.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let Self {
            day,
            month,
            year,
            agreed,
        } = self;
        let form = ChildForm {
            day,
            month,
            year,
            agreed: agreed.is_some(),
        };
        customers::add_child(&cx.db, cx.customer()?, &form, cx.lang).await?;
        Ok(Next::to("/profile/children?done=added"))
    }
}

/// Removes a child's birthday.
#[derive(Deserialize)]
pub struct RemoveChild {
    child: ChildId,
}

impl Form for RemoveChild {
    const NAME: &'static str = "child.remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        customers::remove_child(&cx.db, cx.customer()?, self.child, cx.lang).await?;
        Ok(Next::to("/profile/children?done=removed"))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().children;
    let mut conn = cx.db.read().await?;
    let children = customers::children(&mut conn, cx.subject()?).await?;
    drop(conn);
    let rows: Vec<_> = children.iter().map(|child| row(&cx, child)).collect();
    let list =
        (!rows.is_empty()).then(|| view! { <div class="panel panel-flush narrow"><ul class="rows">{rows}</ul></div> });
    let labels = pairs([("child", t.birthday), ("child_consent", t.consent)]);
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {flash(&cx, &[("added", t.done_added), ("removed", t.done_removed)])}
        {gone(&cx)}
        {list}
        <section class="section" aria-labelledby="add">
            <h2 id="add">{t.add_title}</h2>
            <FormBox<AddChild> check=true labels=labels>
                <DateField name="child" label=t.birthday hint=t.birthday_hint missing=t.birthday_missing/>
                <Check name="agreed" flaw="child_consent">
                    {t.agree} " "
                    <a href="/consents/child" target="_blank" rel="noopener">
                        {t.read}<span class="sr-only">{t.new_tab}</span>
                    </a>
                </Check>
                <div class="actions"><button class="btn btn-primary">{t.add}</button></div>
            </FormBox<AddChild>>
        </section>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

fn row(cx: &Cx, child: &Child) -> impl IntoView + use<> {
    let t = &cx.t().children;
    let id = child.id.to_string();
    let date = format::date(cx.lang, child.birthday);
    let age = match years(child.birthday, cx.today()) {
        0 => t.under_one.to_owned(),
        n => t.years(n),
    };
    view! {
        <li class="row">
            <span class="row-main"><b>{date.clone()}</b><small>{age}</small></span>
            <FormBox<RemoveChild> id=format!("remove-{id}") class="row-form">
                <input type="hidden" name="child" value=id.clone()/>
                <button class="btn btn-sm btn-quiet">{t.remove}<span class="sr-only">": " {date.clone()}</span></button>
            </FormBox<RemoveChild>>
        </li>
    }
}

fn years(birthday: NaiveDate, today: NaiveDate) -> i64 {
    today.years_since(birthday).map_or(0, i64::from)
}
