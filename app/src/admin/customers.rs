//! The search: a customer by anything that they can say of themselves.

use super::{full_name, keep, looked_for};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{DataTable, FormBox, Head, icon};
use crm::audience;
use crm::find::{Hit, probes, store as finding};
use crm::staff::Right;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

pub(super) const HERE: &str = "/admin/customers";

/// True where a search would tell nothing: no letter and no digit in it, or but one letter. One digit is a request.
pub fn is_too_short(text: &str, country: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    probes(text, country).is_empty() || (letters == 1 && text.chars().filter(|c| c.is_alphanumeric()).count() == 1)
}

/// Looks for customers. What is typed is kept here, and the address of the page gets an id in its place: names and phones
/// would stay in histories and logs.
#[derive(Deserialize)]
pub struct FindCustomers {
    q: String,
}

impl Form for FindCustomers {
    const NAME: &'static str = "customer.find";
    const REPEATS: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        Ok(Next::to(match keep(cx, Right::Customers, &self.q).await? {
            Some(id) => format!("{HERE}?find={id}"),
            None => HERE.to_owned(),
        }))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_customers;
    cx.staff()?.may(Right::Customers)?;
    let (find, text) = looked_for(&cx)
        .await?
        .map(|(id, text)| (id.to_string(), text))
        .unwrap_or_default();
    let found = if text.is_empty() {
        say(t.empty)
    } else if is_too_short(&text, &cx.shop().country) {
        say(t.too_short)
    } else {
        let hits = finding::search(&cx.db, cx.staff()?, &text).await?;
        if hits.is_empty() {
            say(t.nobody)
        } else {
            all(&cx, &hits, &find)
        }
    };
    let others = audience::may(cx.staff()?).then(|| {
        view! { <p><a href=super::audience::HERE>{cx.t().admin_audience.title}</a></p> }
    });
    let alike = cx.staff()?.has(Right::Merge).then(|| {
        view! { <p><a href=super::duplicates::HERE>{cx.t().admin_duplicates.title}</a></p> }
    });
    let view = view! {
        <h1>{t.title}</h1>
        <div role="search">
            <FormBox<FindCustomers> class="search">
                <label class="label" for="find">{t.find}</label>
                <p class="hint" id="find-hint">{t.hint}</p>
                <div class="actions">
                    <input class="input" id="find" type="search" name="q" value=text aria-describedby="find-hint"
                        autocomplete="off" dir="auto" spellcheck="false"/>
                    <button class="btn btn-primary">{t.search}</button>
                </div>
            </FormBox<FindCustomers>>
        </div>
        {found}
        {others}
        {alike}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// One sentence in the place of what there is not.
pub(super) fn say(words: &'static str) -> Html {
    view! { <div class="empty">{icon(icon::SEARCH)} <p role="status">{words}</p></div> }.into_html()
}

fn all(cx: &Cx, hits: &[Hit], find: &str) -> Html {
    let t = &cx.t().admin_customers;
    let n = hits.len() as i64;
    let words = if hits.len() < finding::HITS {
        t.found(n)
    } else {
        t.found_many(n)
    };
    view! { <p role="status">{words}</p> {table(cx, hits, find)} }.into_html()
}

/// Customers, one below the other. What was looked for goes along: by a whole phone or card it tells why the card is opened.
pub(super) fn table(cx: &Cx, hits: &[Hit], find: &str) -> Html {
    let t = &cx.t().admin_customers;
    let rows: Vec<_> = hits
        .iter()
        .map(|hit| {
            view! {
                <tr>
                    <td class="grow">
                        <a href=format!("{HERE}/{}?find={find}", hit.id)><bdi>{full_name(cx, &hit.name, &hit.surname)}</bdi></a>
                    </td>
                    <td>{hit.phone.as_deref().map(|phone| cx.phone(phone))}</td>
                    <td>{hit.email.clone()}</td>
                    <td class="num">{hit.card.as_deref().map(crm::card::show)}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.name),
        Head::Words(t.phone),
        Head::Words(t.email),
        Head::Number(t.card),
    ];
    view! { <DataTable label=t.title heads=heads rows=rows.into_html()/> }.into_html()
}
