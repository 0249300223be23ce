//! The parts of the help, as staff name and order them.

use super::changes;
use super::rules::fields::{line, whole};
use crate::cabinet::{back, flash, unsaid};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{AddBox, Field, FormBox, pairs};
use crm::audit::Last;
use crm::help::store::parts::{self, Part, Use};
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

/// Lets articles come into a part again, or no more.
#[derive(Deserialize)]
pub struct SwitchPart {
    part: String,
    open: bool,
}

impl Form for SwitchPart {
    const NAME: &'static str = "help.part_switch";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        parts::set_open(&cx.db, cx.staff()?, &self.part, self.open).await?;
        let done = if self.open { "reopened" } else { "closed" };
        Ok(Next::to(format!("{HERE}?done={done}")))
    }
}

/// Removes a part that no article stands in.
#[derive(Deserialize)]
pub struct RemovePart {
    part: String,
}

impl Form for RemovePart {
    const NAME: &'static str = "help.part_remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        parts::remove(&cx.db, cx.staff()?, &self.part).await?;
        Ok(Next::to(format!("{HERE}?done=removed")))
    }
}

/// All parts, each with its form.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let (t, of_rules) = (&cx.t().admin_help, &cx.t().admin_rules);
    let staff = cx.staff()?;
    let all = parts::list(&cx.db, staff).await?;
    let uses = parts::uses(&mut cx.db.read().await?, staff).await?;
    let quicker = changes::quicker(&cx, Last::Done("help.part_change", "")).await?;
    let can_be_removed =
        |code: &str| all.iter().any(|part| part.code == code) && uses.iter().all(|one| one.part != code);
    let used = unsaid(&cx, &[RemovePart::NAME], "part", can_be_removed, t.part_used);
    let mut forms = Vec::with_capacity(all.len());
    for part in all {
        forms.push(form(&cx, part, &uses)?);
    }
    let labels = pairs([("key", t.code), ("ru", of_rules.name_ru), ("en", of_rules.name_en)]);
    let done = [
        ("added", t.done_part_added),
        ("saved", of_rules.done_saved),
        ("closed", t.done_part_closed),
        ("reopened", t.done_part_reopened),
        ("removed", t.done_part_removed),
    ];
    let view = view! {
        {back("/admin/help", t.title)}
        <h1>{t.parts}</h1>
        <p class="lead">{t.parts_lead}</p>
        {flash(&cx, &done)}
        {used}
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
fn form(cx: &Cx, part: Part, uses: &[Use]) -> Result<Html, AppError> {
    let (t, of_rules) = (&cx.t().admin_help, &cx.t().admin_rules);
    let id = format!("part-{}", part.code);
    let is_this = |(name, value): &(String, String)| name == "_form" && *value == id;
    let sent = cx.outcome.as_ref().filter(|_| cx.was_sent(ChangePart::NAME));
    let is_open = sent.is_some_and(|sent| sent.values.iter().any(is_this));
    let seen = serde_json::to_string(&part).map_err(|_| AppError::Internal)?;
    let title = format!("{}. {}", part.position, cx.pick(&part.name));
    let closed = part
        .is_closed
        .then(|| view! { <span class="badge">{t.part_is_closed}</span> });
    let end = end(cx, &part, uses);
    let labels = pairs([
        ("ru", of_rules.name_ru),
        ("en", of_rules.name_en),
        ("position", t.place),
    ]);
    let view = view! {
        <details class="fold" open=is_open>
            <summary>{title} " " {closed}</summary>
            <FormBox<ChangePart> id=id labels=labels stale=t.stale_part>
                <input type="hidden" name="seen" value=seen/>
                <Field name="ru" label=of_rules.name_ru value=part.name.ru/>
                <Field name="en" label=of_rules.name_en value=part.name.en/>
                <Field name="position" label=t.place hint=t.place_hint value=part.position.to_string() inputmode="numeric"/>
                <button class="btn btn-primary">{of_rules.save}</button>
            </FormBox<ChangePart>>
            {end}
        </details>
    };
    Ok(view.into_html())
}

/// How a part is closed and removed, and which articles have to go elsewhere first.
fn end(cx: &Cx, part: &Part, uses: &[Use]) -> Html {
    let t = &cx.t().admin_help;
    let articles: Vec<_> = uses
        .iter()
        .filter(|one| one.part == part.code)
        .map(|one| {
            let href = format!("/admin/help/{}", one.article);
            view! { <li><a href=href><bdi>{cx.pick(&one.title)}</bdi></a></li> }
        })
        .collect();
    let is_unused = articles.is_empty();
    let used = (!is_unused).then(|| view! { <p>{t.part_has}</p> <ul class="list-disc ps-5">{articles}</ul> });
    let (open, words, text) = match part.is_closed {
        true => ("true", t.part_reopen, t.part_reopen_text),
        false => ("false", t.part_close, t.part_close_text),
    };
    let (switched, code) = (part.code.clone(), part.code.clone());
    let (switch_form, remove_form) = (format!("part-switch-{code}"), format!("part-remove-{code}"));
    let remove = is_unused.then(|| {
        view! {
            <details class="fold">
                <summary>{t.part_remove}</summary>
                <p>{t.part_remove_text}</p>
                <FormBox<RemovePart> id=remove_form class="actions" stale=t.part_used>
                    <input type="hidden" name="part" value=code/>
                    <button class="btn btn-danger">{t.part_remove}</button>
                </FormBox<RemovePart>>
            </details>
        }
    });
    view! {
        {used}
        <FormBox<SwitchPart> id=switch_form class="actions">
            <input type="hidden" name="part" value=switched/>
            <input type="hidden" name="open" value=open/>
            <button class="btn">{words}</button>
            <span class="hint">{text}</span>
        </FormBox<SwitchPart>>
        {remove}
    }
    .into_html()
}
