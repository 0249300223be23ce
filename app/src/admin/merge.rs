//! Accounts of one customer, as staff merge them: proposals on the customer's page, what would become of both, and the way back.

use super::full_name;
use crate::cabinet::fresh_first;
use crate::cabinet::merge::{in_the_way, refused, undoing, what};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Field, FormBox, pairs};
use crm::find::store as find;
use crm::flaw::Flaw;
use crm::id::CustomerId;
use crm::merge::{self, Duplicate, Likeness, Merged, Obstacle};
use crm::staff::Right;
use crm::who::Subject;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Looks another account up, to merge it with the one at hand: by phone, e-mail, card or name, if it is the only one.
#[derive(Deserialize)]
pub struct FindOther {
    other: String,
}

impl Form for FindOther {
    const NAME: &'static str = "merge.find";
    const REPEATS: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (staff, id) = (cx.staff()?, cx.param::<CustomerId>("id")?);
        staff.may(Right::Merge)?;
        if self.other.trim().is_empty() {
            return Err(AppError::field("other", Flaw::Missing));
        }
        let hits = find::search(&cx.db, staff, &self.other).await?;
        let mut others = hits.iter().filter(|hit| hit.id != id);
        match (others.next(), others.next()) {
            (Some(other), None) => Ok(Next::to(format!("/admin/customers/{id}/merge/{}", other.id))),
            _ => Err(AppError::field("other", Flaw::NotTheOne)),
        }
    }
}

/// Merges the other account into the one at hand.
#[derive(Deserialize)]
pub struct MergeAccounts {
    reason: String,
}

impl Form for MergeAccounts {
    const NAME: &'static str = "merge.do";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (id, other) = both(cx)?;
        merge::merge_by_staff(&cx.db, &cx.staff()?.fresh(&cx.db)?, id, other, &self.reason)
            .await
            .map_err(refused)?;
        Ok(Next::to(format!("/admin/customers/{id}?done=merged")))
    }
}

/// Undoes the merge of the customer at hand.
#[derive(Deserialize)]
pub struct PartAccounts {
    reason: String,
}

impl Form for PartAccounts {
    const NAME: &'static str = "merge.part";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        merge::undo_by_staff(&cx.db, &cx.staff()?.fresh(&cx.db)?, id, &self.reason)
            .await
            .map_err(refused)?;
        Ok(Next::to(format!("/admin/customers/{id}?done=parted")))
    }
}

fn both(cx: &Cx) -> Result<(CustomerId, CustomerId), AppError> {
    Ok((cx.param("id")?, cx.param("other")?))
}

/// What would become of two accounts, and the form that makes them one.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_merge;
    let (id, other) = both(&cx)?;
    let preview = merge::preview_by_staff(&cx.db, cx.staff()?, id, other).await?;
    let [kept, absorbed] = [&preview.kept, &preview.absorbed].map(|side| {
        let person = &side.profile.person;
        full_name(&cx, &person.name, &person.surname)
    });
    let end = match (preview.obstacle, fresh_first(&cx)) {
        (Some(obstacle), _) => view! { <p class="notice notice-warn">{in_the_way(&cx, obstacle)}</p> }.into_html(),
        (None, Some(first)) => first,
        (None, None) => {
            let labels = pairs([("reason", t.reason)]);
            view! {
                <FormBox<MergeAccounts> labels=labels stale=cx.t().merge.stale>
                    <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                    <div class="actions"><button class="btn btn-danger-quiet">{t.merge}</button></div>
                </FormBox<MergeAccounts>>
            }
            .into_html()
        }
    };
    // The other way round, unless it is the same way.
    let swap = (preview.obstacle != Some(Obstacle::Same)).then(|| {
        view! { <p><a href=format!("/admin/customers/{other}/merge/{id}")>{t.swap}</a></p> }
    });
    let view = view! {
        <div class="pane-head">
            <h1>{t.title}</h1>
            <p class="facts">
                <span>{t.kept} " " <a href=format!("/admin/customers/{id}")><bdi>{kept}</bdi></a></span>
                <span>{t.absorbed} " " <a href=format!("/admin/customers/{other}")><bdi>{absorbed}</bdi></a></span>
            </p>
        </div>
        <div class="narrow stack">
            {what(&cx, &preview)}
            <p>{t.told}</p>
            {end}
            {swap}
        </div>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// On a customer's page: the account that theirs went into or that went into theirs, and accounts that may be theirs as well.
pub(super) async fn section(cx: &Cx, subject: Subject) -> Result<Option<Html>, AppError> {
    let t = &cx.t().admin_merge;
    let (staff, id) = (cx.staff()?, subject.id());
    if !staff.has(Right::Merge) {
        return Ok(None);
    }
    let mut conn = cx.db.read().await?;
    let merged = merge::of(&mut conn, subject).await?;
    let gone = merge::gone_into(&mut conn, subject).await?;
    drop(conn);
    let inside = match (merged, gone) {
        (Some(merged), _) => parting(cx, id, &merged),
        (None, Some(heir)) => {
            view! { <p>{t.gone} " " <a href=format!("/admin/customers/{heir}")>{t.there}</a></p> }.into_html()
        }
        (None, None) => {
            let found = merge::duplicates(&cx.db, staff, id).await?;
            proposals(cx, id, &found)
        }
    };
    Ok(Some(
        view! { <section class="section"><h2>{t.section}</h2> {inside}</section> }.into_html(),
    ))
}

fn parting(cx: &Cx, id: CustomerId, merged: &Merged) -> Html {
    let t = &cx.t().admin_merge;
    let (words, other) = if merged.kept == id {
        (t.came, merged.absorbed)
    } else {
        (t.gone, merged.kept)
    };
    let end = match (merged.obstacle, fresh_first(cx)) {
        (Some(obstacle), _) => view! { <p class="notice notice-warn">{in_the_way(cx, obstacle)}</p> }.into_html(),
        (None, Some(first)) => first,
        (None, None) => {
            let was_sent = cx.was_sent(PartAccounts::NAME);
            let labels = pairs([("reason", t.reason)]);
            view! {
                <details class="fold" open=was_sent>
                    <summary>{t.part}</summary>
                    {undoing(cx, merged)}
                    <FormBox<PartAccounts> labels=labels stale=cx.t().merge.undo_stale>
                        <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                        <button class="btn btn-danger-quiet">{t.part}</button>
                    </FormBox<PartAccounts>>
                </details>
            }
            .into_html()
        }
    };
    let until = cx.t().merge.undo_until(cx.moment(merged.undo_until));
    view! {
        <p>{words} " " <a href=format!("/admin/customers/{other}")>{t.there}</a></p>
        <p>{until}</p>
        {end}
    }
    .into_html()
}

/// What two accounts have in common.
pub(super) fn in_common(cx: &Cx, by: &[Likeness]) -> String {
    let t = &cx.t().admin_merge;
    let words = by.iter().map(|by| match by {
        Likeness::Phone => t.by_phone,
        Likeness::Email => t.by_email,
        Likeness::Person => t.by_person,
        Likeness::Spelling => t.by_spelling,
        Likeness::Card => t.by_card,
    });
    words.collect::<Vec<_>>().join(", ")
}

fn proposals(cx: &Cx, id: CustomerId, found: &[Duplicate]) -> Html {
    let t = &cx.t().admin_merge;
    let lines: Vec<_> = found
        .iter()
        .map(|one| {
            let name = full_name(cx, &one.name, &one.surname);
            view! {
                <li>
                    <a href=format!("/admin/customers/{id}/merge/{}", one.id)><bdi>{name}</bdi></a>
                    <div class="facts">{t.common(in_common(cx, &one.by))}</div>
                </li>
            }
        })
        .collect();
    let list = match lines.is_empty() {
        true => view! { <p class="muted">{t.none}</p> }.into_html(),
        false => view! { <ul class="stack">{lines}</ul> }.into_html(),
    };
    let was_sent = cx.was_sent(FindOther::NAME);
    let labels = pairs([("other", t.other)]);
    view! {
        {list}
        <details class="fold" open=was_sent>
            <summary>{t.find}</summary>
            <FormBox<FindOther> labels=labels>
                <Field name="other" label=t.other hint=t.other_hint missing=t.other_missing enterkeyhint="search"/>
                <button class="btn">{t.look}</button>
            </FormBox<FindOther>>
        </details>
    }
    .into_html()
}
