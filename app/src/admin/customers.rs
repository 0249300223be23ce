//! The search: a customer by anything that they can say of themselves.

use super::{full_name, keep, looked_for};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{DataTable, Field, FormBox, Head, Select, icon, pairs};
use crm::audience;
use crm::contact::Phone;
use crm::customer::enter::{self, Typed};
use crm::find::{Hit, Probe, probes, store as finding};
use crm::flaw::Flaw;
use crm::lang::Lang;
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

/// Registers somebody who calls or stands at the desk.
#[derive(Deserialize)]
pub struct EnterCustomer {
    phone: String,
    name: String,
    surname: String,
    email: String,
    language: String,
    card: String,
}

impl Form for EnterCustomer {
    const NAME: &'static str = "customer.enter";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let language = Lang::from_code(&self.language);
        let typed = Typed {
            phone: self.phone,
            name: self.name,
            surname: self.surname,
            email: self.email,
            language: language.ok_or_else(|| AppError::field("language", Flaw::NotAChoice))?,
            card: self.card,
        };
        let id = enter::enter(&cx.db, cx.staff()?, &typed).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=entered")))
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
    let mut is_nobody = false;
    let found = if let Some(phone) = taken(&cx) {
        whose(&cx, &phone).await?
    } else if text.is_empty() {
        say(t.empty)
    } else if is_too_short(&text, &cx.shop().country) {
        say(t.too_short)
    } else {
        let hits = finding::search(&cx.db, cx.staff()?, &text).await?;
        if hits.is_empty() {
            is_nobody = true;
            say(t.nobody)
        } else {
            all(&cx, &hits, &find)
        }
    };
    let may_enter = cx.staff()?.has(Right::PersonalData);
    let form = may_enter.then(|| entering(&cx, &text, is_nobody));
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
        {form}
        {others}
        {alike}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// The phone of whoever was to be registered, where it is somebody's.
fn taken(cx: &Cx) -> Option<Phone> {
    let sent = cx.outcome.as_ref().filter(|sent| sent.form == EnterCustomer::NAME)?;
    let AppError::Invalid { flaws } = &sent.error else {
        return None;
    };
    if !flaws.iter().any(|(name, flaw)| name == "phone" && *flaw == Flaw::Taken) {
        return None;
    }
    let (_, typed) = sent.values.iter().find(|(name, _)| name == "phone")?;
    Phone::parse(typed, &cx.shop().country).ok()
}

/// Whose phone it is, as a search by it shows them.
async fn whose(cx: &Cx, phone: &Phone) -> Result<Html, AppError> {
    let hits = finding::search(&cx.db, cx.staff()?, phone.as_str()).await?;
    let find = keep(cx, Right::Customers, phone.as_str()).await?;
    let find = find.map(|id| id.to_string()).unwrap_or_default();
    let words = cx.t().admin_customers.taken;
    Ok(view! { <p role="status">{words}</p> {table(cx, &hits, &find)} }.into_html())
}

/// The form by which somebody is registered; unfolded where nobody was found. A phone that was looked for stands in it.
fn entering(cx: &Cx, text: &str, is_nobody: bool) -> Html {
    let (t, of_person) = (&cx.t().admin_customers, &cx.t().person);
    let phone = probes(text, &cx.shop().country)
        .into_iter()
        .find_map(|probe| match probe {
            Probe::Phone(phone) if is_nobody => Some(phone),
            _ => None,
        })
        .unwrap_or_default();
    let languages = Lang::ALL.map(|lang| {
        let name = match lang {
            Lang::Ru => "Русский",
            Lang::En => "English",
        };
        (lang.code().to_owned(), name.to_owned())
    });
    let language = cx.t().preferences.language;
    let labels = pairs([
        ("phone", t.phone),
        ("name", of_person.name),
        ("surname", of_person.surname),
        ("email", t.email),
        ("language", language),
        ("card", t.blank_card),
    ]);
    let is_open = is_nobody || cx.was_sent(EnterCustomer::NAME);
    let chosen = cx.shop().language.code();
    let phone_missing = cx.t().contacts.phone_missing;
    view! {
        <section class="section narrow" aria-labelledby="enter">
            <details class="fold" open=is_open>
                <summary><h2 id="enter">{t.enter}</h2></summary>
                <p class="hint">{t.enter_hint}</p>
                <FormBox<EnterCustomer> labels=labels>
                    <Field name="phone" label=t.phone value=phone missing=phone_missing kind="tel" inputmode="tel"/>
                    <Field name="name" label=of_person.name optional=true/>
                    <Field name="surname" label=of_person.surname optional=true/>
                    <Field name="email" label=t.email hint=t.email_hint optional=true kind="email" inputmode="email"/>
                    <Select name="language" label=language options=languages.to_vec() value=chosen/>
                    <Field name="card" label=t.blank_card hint=t.blank_card_hint optional=true inputmode="numeric"
                        enterkeyhint="done"/>
                    <button class="btn">{t.enter_do}</button>
                </FormBox<EnterCustomer>>
            </details>
        </section>
    }
    .into_html()
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
