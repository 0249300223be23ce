//! Accounts that may be of one person, pair by pair: each leads to what would become of both, or is of two persons. Those that were
//! found to be so stand on a page of their own, with the way back.

use super::{full_name, merge, pages};
use crate::cabinet::{self, back, flash, show_place, unsaid};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{DataTable, FormBox, Head};
use crm::id::CustomerId;
use crm::merge::pairs::{self, Different, Pair, Place};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

pub(super) const HERE: &str = "/admin/duplicates";
/// What was found to be two persons.
const DIFFERENT: &str = "/admin/duplicates/different";

/// Says that two accounts are of two persons.
#[derive(Deserialize)]
pub struct DismissPair {
    newer: CustomerId,
    older: CustomerId,
}

impl Form for DismissPair {
    const NAME: &'static str = "duplicate.dismiss";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        pairs::dismiss(&cx.db, cx.staff()?, self.newer, self.older).await?;
        let pair = format!("&pair={}.{}", self.newer, self.older);
        Ok(Next::to(done(cx, "dismissed") + &pair))
    }
}

/// Undoes that.
#[derive(Deserialize)]
pub struct ProposePair {
    newer: CustomerId,
    older: CustomerId,
}

impl Form for ProposePair {
    const NAME: &'static str = "duplicate.propose";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        pairs::propose(&cx.db, cx.staff()?, self.newer, self.older).await?;
        Ok(Next::to(done(cx, "proposed")))
    }
}

/// The same page, with a word of what was done.
fn done(cx: &Cx, what: &str) -> String {
    let at = match cx.path.as_str() {
        DIFFERENT => place_of_different(cx).map(address_of_different),
        _ => place(cx).map(address),
    };
    match at {
        Some(at) => format!("{at}&done={what}"),
        None => format!("{}?done={what}", cx.path),
    }
}

/// After which pair the page begins.
fn place(cx: &Cx) -> Option<(CustomerId, CustomerId)> {
    let id = |name| cx.query(name).and_then(|id| id.parse().ok());
    id("newer").zip(id("older"))
}

/// The address of what comes after a pair.
fn address((newer, older): (CustomerId, CustomerId)) -> String {
    format!("{HERE}?newer={newer}&older={older}")
}

/// The pairs.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_duplicates;
    let after = place(&cx);
    let found = pairs::pairs(&cx.db, cx.staff()?, after).await?;
    let is_there = |id: &str| found.pairs.iter().any(|pair| pair.newer.to_string() == id);
    let lost = unsaid(&cx, &[DismissPair::NAME], "newer", is_there, cx.t().form.stale);
    let rows: Vec<_> = found.pairs.iter().map(|pair| row(&cx, pair)).collect();
    let heads = vec![
        Head::Words(t.newer),
        Head::Words(t.older),
        Head::Words(t.common),
        Head::Unseen(t.acts),
    ];
    let list = if rows.is_empty() {
        let words = match (found.next.is_some(), after.is_some()) {
            (true, _) => t.none_here,
            (false, true) => t.none_further,
            (false, false) => t.none,
        };
        view! { <div class="empty"><p role="status">{words}</p></div> }.into_html()
    } else {
        view! { <DataTable label=t.title heads=heads rows=rows.into_html()/> }.into_html()
    };
    let first = after.map(|_| (HERE.to_owned(), t.to_start));
    let next = found.next.map(|next| (address(next), t.next));
    let view = view! {
        {back(super::customers::HERE, cx.t().admin_customers.title)}
        <h1>{t.title}</h1>
        {flash(&cx, &[("proposed", t.done_proposed)])}
        {dismissed(&cx)}
        <p class="lead">{t.lead}</p>
        {lost}
        {list}
        {pages(None, first, next)}
        <p><a href=DIFFERENT>{t.different}</a></p>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// What was just found to be two persons, with the way back. The form stays to say that it came too late.
fn dismissed(cx: &Cx) -> Option<Html> {
    let t = &cx.t().admin_duplicates;
    let was_sent = cx.was_sent(ProposePair::NAME);
    cx.query("done")
        .filter(|done| *done == "dismissed" && (cx.outcome.is_none() || was_sent))?;
    let pair = cx.query("pair").and_then(|pair| pair.split_once('.'));
    let undo = pair.map(|(newer, older)| {
        let (newer, older) = (newer.to_owned(), older.to_owned());
        view! {
            <FormBox<ProposePair> class="actions" stale=t.undo_late>
                <input type="hidden" name="newer" value=newer/>
                <input type="hidden" name="older" value=older/>
                <button class="btn">{t.undo}</button>
            </FormBox<ProposePair>>
        }
    });
    let view = view! {
        <div class="flash" role="status">
            <p>{t.done_dismissed}</p>
            {undo}
        </div>
    };
    Some(view.into_html())
}

fn row(cx: &Cx, pair: &Pair) -> Html {
    let t = &cx.t().admin_duplicates;
    let name = |(name, surname): &(String, String)| full_name(cx, name, surname);
    let (newer, older) = (pair.newer.to_string(), pair.older.to_string());
    let form = format!("duplicate-dismiss-{newer}-{older}");
    let there = format!("/admin/customers/{older}/merge/{newer}");
    let both = format!(": {}, {}", name(&pair.newer_name), name(&pair.older_name));
    view! {
        <tr>
            <td class="grow"><bdi>{name(&pair.newer_name)}</bdi></td>
            <td class="grow"><bdi>{name(&pair.older_name)}</bdi></td>
            <td>{merge::in_common(cx, &pair.by)}</td>
            <td>
                <div class="actions">
                    <a class="btn btn-sm" href=there>{t.compare}<span class="sr-only">{both.clone()}</span></a>
                    <FormBox<DismissPair> id=form class="switch">
                        <input type="hidden" name="newer" value=newer/>
                        <input type="hidden" name="older" value=older/>
                        <button class="btn btn-sm btn-quiet">{t.dismiss}<span class="sr-only">{both}</span></button>
                    </FormBox<DismissPair>>
                </div>
            </td>
        </tr>
    }
    .into_html()
}

/// After which pair that was found to be two persons the page begins.
fn place_of_different(cx: &Cx) -> Option<Place> {
    let older = cx.query("older").and_then(|id| id.parse().ok());
    cx.query("after").and_then(cabinet::place).zip(older)
}

/// The address of what comes after it.
fn address_of_different((after, older): Place) -> String {
    format!("{DIFFERENT}?after={}&older={older}", show_place(after))
}

/// What was found to be two persons: who said so and when, and the way back.
pub async fn different(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_duplicates;
    let after = place_of_different(&cx);
    let (found, next) = pairs::different(&cx.db, cx.staff()?, after).await?;
    let is_there = |form: &str| found.iter().any(|pair| form_of(pair) == form);
    let lost = unsaid(&cx, &[ProposePair::NAME], "_form", is_there, t.undo_late);
    let rows: Vec<_> = found.iter().map(|pair| different_row(&cx, pair)).collect();
    let list = if rows.is_empty() {
        let words = match after.is_some() {
            true => t.different_none_further,
            false => t.different_none,
        };
        view! { <div class="empty"><p role="status">{words}</p></div> }.into_html()
    } else {
        view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_html()
    };
    let first = after.map(|_| (DIFFERENT.to_owned(), t.to_start));
    let next = next.map(|next| (address_of_different(next), t.next));
    let view = view! {
        {back(HERE, t.title)}
        <h1>{t.different}</h1>
        {flash(&cx, &[("proposed", t.done_proposed_again)])}
        <p class="lead">{t.different_lead}</p>
        {lost}
        {list}
        {pages(None, first, next)}
    };
    Ok(Body::new(t.different, Frame::Admin, view))
}

/// The id of the form that takes back what was said of a pair.
fn form_of(pair: &Different) -> String {
    format!("duplicate-propose-{}-{}", pair.newer, pair.older)
}

fn different_row(cx: &Cx, pair: &Different) -> Html {
    let t = &cx.t().admin_duplicates;
    let name = |(name, surname): &(String, String)| full_name(cx, name, surname);
    let (newer_name, older_name) = (name(&pair.newer_name), name(&pair.older_name));
    let both = format!(": {newer_name}, {older_name}");
    let (newer, older) = (pair.newer.to_string(), pair.older.to_string());
    let there = format!("/admin/customers/{older}/merge/{newer}");
    view! {
        <li class="row row-wrap">
            <span class="row-main">
                <b><bdi>{newer_name}</bdi> ", " <bdi>{older_name}</bdi></b>
                <small>{t.said(cx.moment(pair.at), &pair.colleague)}</small>
            </span>
            <span class="row-acts">
                <a class="btn btn-sm" href=there>{t.compare}<span class="sr-only">{both.clone()}</span></a>
                <FormBox<ProposePair> id=form_of(pair) class="row-form" stale=t.undo_late>
                    <input type="hidden" name="newer" value=newer/>
                    <input type="hidden" name="older" value=older/>
                    <button class="btn btn-sm">{t.propose}<span class="sr-only">{both}</span></button>
                </FormBox<ProposePair>>
            </span>
        </li>
    }
    .into_html()
}
