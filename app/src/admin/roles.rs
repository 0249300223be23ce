//! Roles: what each lets somebody do, and those that the shop makes itself.

use super::changes;
use super::rules::fields::line;
use super::versions::list;
use crate::cabinet::{back, flash, fresh_first, unsaid};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Choices, Field, FormBox, pairs};
use crm::audit::Last;
use crm::flaw::Flaw;
use crm::lang::Localized;
use crm::staff::roles::{self, Entry, NewRole};
use crm::staff::{Right, Role};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/admin/roles";

/// A role as a form sends it.
fn entered(ru: &str, en: &str, rights: &[String]) -> Result<NewRole, AppError> {
    let rights: Option<Vec<Right>> = rights.iter().map(|word| Right::from_word(word)).collect();
    Ok(NewRole {
        name: Localized::new(line(ru), line(en)),
        rights: rights.ok_or_else(|| AppError::field("rights", Flaw::NotAChoice))?,
    })
}

/// Makes a role.
#[derive(Deserialize)]
pub struct AddRole {
    key: String,
    name_ru: String,
    name_en: String,
    #[serde(default)]
    rights: Vec<String>,
}

impl Form for AddRole {
    const NAME: &'static str = "role.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let new = entered(&self.name_ru, &self.name_en, &self.rights)?;
        roles::create(&cx.db, &by, &self.key, &new).await?;
        Ok(Next::to(format!("{HERE}?done=added")))
    }
}

/// Changes a role. `seen` is what it said when it was shown.
#[derive(Deserialize)]
pub struct ChangeRole {
    seen: String,
    role: String,
    name_ru: String,
    name_en: String,
    #[serde(default)]
    rights: Vec<String>,
}

impl Form for ChangeRole {
    const NAME: &'static str = "role.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let seen: NewRole = serde_json::from_str(&self.seen).map_err(|_| AppError::Refused)?;
        let new = entered(&self.name_ru, &self.name_en, &self.rights)?;
        roles::change(&cx.db, &by, &Role::new(self.role), &seen, &new).await?;
        Ok(Next::to(format!("{HERE}?done=saved")))
    }
}

/// Removes a role that nobody has.
#[derive(Deserialize)]
pub struct RemoveRole {
    role: String,
}

impl Form for RemoveRole {
    const NAME: &'static str = "role.remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        roles::remove(&cx.db, &by, &Role::new(self.role)).await?;
        Ok(Next::to(format!("{HERE}?done=removed")))
    }
}

/// What a right lets somebody do.
pub(super) fn right(cx: &Cx, right: Right) -> &'static str {
    let t = &cx.t().admin_roles;
    match right {
        Right::Requests => t.r_requests,
        Right::Customers => t.r_customers,
        Right::Messages => t.r_messages,
        Right::Points => t.r_points,
        Right::Goodwill => t.r_goodwill,
        Right::Staff => t.r_staff,
        Right::Audit => t.r_audit,
        Right::Tills => t.r_tills,
        Right::Rules => t.r_rules,
        Right::Shops => t.r_shops,
        Right::Help => t.r_help,
        Right::Income => t.r_income,
        Right::Documents => t.r_documents,
        Right::Questions => t.r_questions,
        Right::Texts => t.r_texts,
        Right::Merge => t.r_merge,
        Right::Desk => t.r_desk,
        Right::Levels => t.r_levels,
        Right::Tasks => t.r_tasks,
        Right::Cards => t.r_cards,
        Right::Purchases => t.r_purchases,
        Right::Contacts => t.r_contacts,
        Right::PersonalData => t.r_personal_data,
        Right::ViewAs => t.r_view_as,
        Right::Macros => t.r_macros,
        Right::Reports => t.r_reports,
        Right::Partners => t.r_partners,
        Right::Fraud => t.r_fraud,
        Right::Import => t.r_import,
        Right::Export => t.r_export,
    }
}

/// The rights that whoever asks may put into a role, to be ticked.
fn choices(cx: &Cx, ticked: &[Right]) -> Result<Vec<(String, String, bool)>, AppError> {
    let me = cx.staff()?;
    let may = |one: &Right| me.has(*one) || me.role().code() == Role::ADMINISTRATOR;
    Ok(Right::ALL
        .into_iter()
        .filter(may)
        .map(|one| {
            (
                one.as_str().to_owned(),
                right(cx, one).to_owned(),
                ticked.contains(&one),
            )
        })
        .collect())
}

/// All roles, and a form for those that may be changed.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_roles;
    let all = roles::list(&cx.db, cx.staff()?).await?;
    let role = cx
        .outcome
        .iter()
        .flat_map(|sent| &sent.values)
        .find(|(name, _)| name == "role");
    let begins = role.map(|(_, role)| format!("{role};")).unwrap_or_default();
    let quicker = changes::quicker(&cx, Last::Done("role.change", &begins)).await?;
    let first = fresh_first(&cx);
    let mut folds = Vec::with_capacity(all.len());
    for role in &all {
        folds.push(fold(&cx, role, first.is_none())?);
    }
    let removable = |role: &str| all.iter().any(|one| one.code.code() == role && one.members == 0);
    let labels = labels(&cx, &[("key", t.code)]);
    let (was_sent, choices) = (cx.was_sent(AddRole::NAME), choices(&cx, &[])?);
    let add = match first {
        Some(first) => view! { <h2 id="add">{t.new}</h2> {first} }.into_html(),
        None => view! {
            <details class="fold" open=was_sent>
                <summary><h2 id="add">{t.new}</h2></summary>
                <FormBox<AddRole> labels=labels>
                    <Field name="key" label=t.code hint=t.code_hint/>
                    <Field name="name_ru" label=t.name_ru/>
                    <Field name="name_en" label=t.name_en/>
                    <Choices name="rights" legend=t.rights options=choices/>
                    <button class="btn btn-primary">{t.create}</button>
                </FormBox<AddRole>>
            </details>
        }
        .into_html(),
    };
    let words = [
        ("added", t.done_added),
        ("saved", t.done_saved),
        ("removed", t.done_removed),
    ];
    let view = view! {
        {back("/admin/staff", cx.t().admin_staff.title)}
        <h1>{t.title}</h1>
        {flash(&cx, &words)}
        {quicker}
        {unsaid(&cx, &[RemoveRole::NAME], "role", removable, t.stale_remove)}
        <p class="lead">{t.lead}</p>
        <div class="narrow stack">{folds}</div>
        <section class="section narrow" aria-labelledby="add">
            {add}
        </section>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

fn labels(cx: &Cx, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let t = &cx.t().admin_roles;
    let own = [("name_ru", t.name_ru), ("name_en", t.name_en), ("rights", t.rights)];
    pairs(more.iter().copied().chain(own))
}

/// One role, folded away until its form was sent and not taken.
fn fold(cx: &Cx, role: &Entry, is_fresh: bool) -> Result<Html, AppError> {
    let t = &cx.t().admin_roles;
    let code = role.code.code().to_owned();
    let id = format!("role-{code}");
    let is_this = |(name, value): &(String, String)| name == "_form" && *value == id;
    let sent = cx.outcome.as_ref().filter(|_| cx.was_sent(ChangeRole::NAME));
    let is_open = sent.is_some_and(|sent| sent.values.iter().any(is_this));
    let inside = match role.is_changed_by(cx.staff()?) && is_fresh {
        true => form(cx, role, id)?,
        false => {
            let rights: Vec<_> = role.rights.iter().map(|one| right(cx, *one).to_owned()).collect();
            let note = if role.code.is_built_in() {
                t.built_in
            } else {
                t.not_yours
            };
            let rights = match rights.is_empty() {
                true => view! { <p class="muted">{t.no_rights}</p> }.into_html(),
                false => list(rights),
            };
            view! { <p class="hint">{note}</p> {rights} }.into_html()
        }
    };
    let view = view! {
        <details class="fold" open=is_open>
            <summary><span><bdi>{cx.pick(&role.name)}</bdi> " · " {t.members(role.members)}</span></summary>
            <p><code>{code}</code></p>
            {inside}
        </details>
    };
    Ok(view.into_html())
}

/// The forms of a role that may be changed.
fn form(cx: &Cx, role: &Entry, id: String) -> Result<Html, AppError> {
    let t = &cx.t().admin_roles;
    let code = role.code.code().to_owned();
    let choices = choices(cx, &role.rights)?;
    let remove = (role.members == 0).then(|| {
        let code = code.clone();
        view! {
            <FormBox<RemoveRole> id=format!("remove-{code}") class="actions" stale=t.stale_remove>
                <input type="hidden" name="role" value=code/>
                <button class="btn btn-danger-quiet">{t.remove}</button>
            </FormBox<RemoveRole>>
        }
    });
    let (ru, en) = (role.name.ru.clone(), role.name.en.clone());
    let seen = serde_json::to_string(&role.words()).map_err(|_| AppError::Internal)?;
    let view = view! {
        <FormBox<ChangeRole> id=id labels=labels(cx, &[]) stale=cx.t().admin_shops.stale>
            <input type="hidden" name="seen" value=seen/>
            <input type="hidden" name="role" value=code/>
            <Field name="name_ru" label=t.name_ru value=ru/>
            <Field name="name_en" label=t.name_en value=en/>
            <Choices name="rights" legend=t.rights options=choices/>
            <p class="hint">{t.at_once}</p>
            <button class="btn btn-primary">{t.save}</button>
        </FormBox<ChangeRole>>
        {remove}
    };
    Ok(view.into_html())
}
