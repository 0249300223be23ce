//! The parts of the help, as staff name and order them.

use super::changes;
use super::rules::fields::{line, whole};
use crate::cabinet::{back, flash};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{AddBox, Field, FormBox, pairs};
use crm::audit::Last;
use crm::help::store::parts::{self, Part};
use crm::lang::Localized;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// The page.
pub(super) const HERE: &str = "/admin/help-parts";

/// A name as a form sends it.
fn named(ru: &str, en: &str) -> Localized {
    Localized::new(line(ru), line(en))
}

/// Adds a part.
#[derive(Deserialize)]
pub struct AddPart {
    key: String,
    ru: String,
    en: String,
}

impl Form for AddPart {
    const NAME: &'static str = "help.part_add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        parts::add(&cx.db, cx.staff()?, &self.key, &named(&self.ru, &self.en)).await?;
        Ok(Next::to(format!("{HERE}?done=added")))
    }
}

/// Changes a part. `seen` is the part as it was shown, in JSON.
#[derive(Deserialize)]
pub struct ChangePart {
    seen: String,
    ru: String,
    en: String,
    position: String,
}

impl Form for ChangePart {
    const NAME: &'static str = "help.part_change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let seen: Part = serde_json::from_str(&self.seen).map_err(|_| AppError::Refused)?;
        let position = whole(&self.position).map_err(|flaw| AppError::field("position", flaw))?;
        parts::change(&cx.db, cx.staff()?, &seen, &named(&self.ru, &self.en), position).await?;
        Ok(Next::to(format!("{HERE}?done=saved")))
    }
}

/// All parts, each with its form.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let (t, of_rules) = (&cx.t().admin_help, &cx.t().admin_rules);
    let all = parts::list(&cx.db, cx.staff()?).await?;
    let quicker = changes::quicker(&cx, Last::Done("help.part_change", "")).await?;
    let mut forms = Vec::with_capacity(all.len());
    for part in all {
        forms.push(form(&cx, part)?);
    }
    let labels = pairs([("key", t.code), ("ru", of_rules.name_ru), ("en", of_rules.name_en)]);
    let view = view! {
        {back("/admin/help", t.title)}
        <h1>{t.parts}</h1>
        <p class="lead">{t.parts_lead}</p>
        {flash(&cx, &[("added", t.done_part_added), ("saved", of_rules.done_saved)])}
        {quicker}
        <div class="narrow stack">{forms}</div>
        <AddBox<AddPart> title=t.new_part labels=labels>
            <Field name="key" label=t.code hint=t.part_code_hint/>
            <Field name="ru" label=of_rules.name_ru/>
            <Field name="en" label=of_rules.name_en/>
            <button class="btn btn-primary">{t.save_part}</button>
        </AddBox<AddPart>>
    };
    Ok(Body::new(t.parts, Frame::Admin, view))
}

/// The form of one part, folded away until it was sent and not taken.
fn form(cx: &Cx, part: Part) -> Result<Html, AppError> {
    let (t, of_rules) = (&cx.t().admin_help, &cx.t().admin_rules);
    let id = format!("part-{}", part.code);
    let is_this = |(name, value): &(String, String)| name == "_form" && *value == id;
    let sent = cx.outcome.as_ref().filter(|_| cx.was_sent(ChangePart::NAME));
    let is_open = sent.is_some_and(|sent| sent.values.iter().any(is_this));
    let seen = serde_json::to_string(&part).map_err(|_| AppError::Internal)?;
    let title = format!("{}. {}", part.position, cx.pick(&part.name));
    let labels = pairs([
        ("ru", of_rules.name_ru),
        ("en", of_rules.name_en),
        ("position", t.place),
    ]);
    let view = view! {
        <details class="fold" open=is_open>
            <summary>{title}</summary>
            <FormBox<ChangePart> id=id labels=labels stale=t.stale_part>
                <input type="hidden" name="seen" value=seen/>
                <Field name="ru" label=of_rules.name_ru value=part.name.ru/>
                <Field name="en" label=of_rules.name_en value=part.name.en/>
                <Field name="position" label=t.place hint=t.place_hint value=part.position.to_string() inputmode="numeric"/>
                <button class="btn btn-primary">{of_rules.save}</button>
            </FormBox<ChangePart>>
        </details>
    };
    Ok(view.into_html())
}
