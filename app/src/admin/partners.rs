//! Partners whom data of customers may be passed to: what each gets and why, in the words that customers agree to.

use super::changes;
use crate::cabinet::{back, flash};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{AddBox, Field, FormBox, Head, TextArea, pairs, table_or};
use crm::audit::Last;
use crm::id::PartnerId;
use crm::lang::Localized;
use crm::partner::{self as partners, Partner, Words};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/admin/partners";

/// Adds a partner.
#[derive(Deserialize)]
pub struct AddPartner {
    key: String,
    name_ru: String,
    name_en: String,
    text_ru: String,
    text_en: String,
}

impl Form for AddPartner {
    const NAME: &'static str = "partner.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let words = words([self.name_ru, self.name_en], [self.text_ru, self.text_en]);
        let id = partners::add(&cx.db, cx.staff()?, &self.key, &words).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=added")))
    }
}

/// Changes the words of the partner at hand. `seen` is the version that was shown.
#[derive(Deserialize)]
pub struct ChangePartner {
    seen: i64,
    name_ru: String,
    name_en: String,
    text_ru: String,
    text_en: String,
}

impl Form for ChangePartner {
    const NAME: &'static str = "partner.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: PartnerId = cx.param("id")?;
        let words = words([self.name_ru, self.name_en], [self.text_ru, self.text_en]);
        partners::change(&cx.db, cx.staff()?, id, self.seen, &words).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=changed")))
    }
}

/// Has customers asked about the partner at hand, or no more.
#[derive(Deserialize)]
pub struct SwitchPartner {
    active: String,
}

impl Form for SwitchPartner {
    const NAME: &'static str = "partner.switch";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: PartnerId = cx.param("id")?;
        let is_active = self.active == "yes";
        partners::switch(&cx.db, cx.staff()?, id, is_active).await?;
        let done = if is_active { "started" } else { "stopped" };
        Ok(Next::to(format!("{HERE}/{id}?done={done}")))
    }
}

fn words([name_ru, name_en]: [String; 2], [text_ru, text_en]: [String; 2]) -> Words {
    Words {
        name: Localized::new(name_ru, name_en),
        text: Localized::new(text_ru, text_en),
    }
}

/// All partners.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_partners;
    let all = partners::list(&cx.db, cx.staff()?).await?;
    let rows: Vec<_> = all
        .iter()
        .map(|partner| {
            view! {
                <tr>
                    <td class="grow"><a href=format!("{HERE}/{}", partner.id)><bdi>{cx.pick(&partner.name)}</bdi></a></td>
                    <td><code>{partner.code.clone()}</code></td>
                    <td>{state(&cx, partner)}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![Head::Words(t.name), Head::Words(t.code), Head::Words(t.state)];
    let list = table_or(t.none, t.title, heads, rows);
    let labels = labels(&cx);
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        {list}
        <AddBox<AddPartner> title=t.new labels=labels>
            <Field name="key" label=t.code hint=t.code_hint/>
            <Field name="name_ru" label=t.name_ru/>
            <Field name="name_en" label=t.name_en/>
            <TextArea name="text_ru" label=t.text_ru hint=t.text_hint rows=5/>
            <TextArea name="text_en" label=t.text_en rows=5/>
            <div class="actions"><button class="btn btn-primary">{t.add}</button></div>
        </AddBox<AddPartner>>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

fn labels(cx: &Cx) -> Vec<(String, String)> {
    let t = &cx.t().admin_partners;
    pairs([
        ("key", t.code),
        ("name_ru", t.name_ru),
        ("name_en", t.name_en),
        ("text_ru", t.text_ru),
        ("text_en", t.text_en),
    ])
}

/// How a partner stands, as a word with a dot.
fn state(cx: &Cx, partner: &Partner) -> Html {
    let t = &cx.t().admin_partners;
    let (class, word) = match partner.is_active {
        true => ("status status-done", t.active),
        false => ("status", t.stopped),
    };
    view! { <span class=class>{word}</span> }.into_html()
}

/// One partner.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_partners;
    let id: PartnerId = cx.param("id")?;
    let partner = partners::read(&cx.db, cx.staff()?, id).await?;
    let quicker = changes::quicker(&cx, Last::Of(id.0)).await?;
    let title = cx.pick(&partner.name);
    let done = [
        ("added", t.done_added),
        ("changed", t.done_changed),
        ("stopped", t.done_stopped),
        ("started", t.done_started),
    ];
    let (active, switch, hint, class) = match partner.is_active {
        true => ("no", t.stop, t.stop_hint, "btn btn-danger-quiet"),
        false => ("yes", t.start, t.start_hint, "btn"),
    };
    let labels = labels(&cx);
    let (name, text) = (partner.name.clone(), partner.text.clone());
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &done)}
        {quicker}
        <p class="facts">
            {state(&cx, &partner)} <code>{partner.code.clone()}</code>
            <a href=format!("/consents/{}", partner.purpose())>{t.read(partner.version)}</a>
        </p>
        <section class="section narrow" aria-labelledby="words">
            <h2 id="words">{t.words}</h2>
            <p class="hint">{t.words_hint}</p>
            <FormBox<ChangePartner> labels=labels stale=cx.t().admin_shops.stale>
                <input type="hidden" name="seen" value=partner.version.to_string()/>
                <Field name="name_ru" label=t.name_ru value=name.ru/>
                <Field name="name_en" label=t.name_en value=name.en/>
                <TextArea name="text_ru" label=t.text_ru hint=t.text_hint value=text.ru rows=5/>
                <TextArea name="text_en" label=t.text_en value=text.en rows=5/>
                <div class="actions"><button class="btn btn-primary">{t.save}</button></div>
            </FormBox<ChangePartner>>
        </section>
        <section class="section narrow" aria-labelledby="passing">
            <h2 id="passing">{t.passing}</h2>
            <p class="hint">{hint}</p>
            <FormBox<SwitchPartner> class="actions">
                <input type="hidden" name="active" value=active/>
                <button class=class>{switch}</button>
            </FormBox<SwitchPartner>>
        </section>
    };
    Ok(Body::new(title, Frame::Admin, view))
}
