//! Accounts at outside providers that let the customer in.

use super::devices::EndOthers;
use super::{back, flash, fresh_first, gone, offer_to_end_others};
use crate::account::outside;
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::FormBox;
use crate::ui::html::IntoHtml;
use crate::ui::icon::{self, icon};
use crm::id::IdentityId;
use crm::identity::{Linked, store as identity};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Unlinks an account.
#[derive(Deserialize)]
pub struct Unlink {
    identity: IdentityId,
}

impl Form for Unlink {
    const NAME: &'static str = "provider.unlink";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let customer = cx.customer()?;
        let linked = identity::linked(&cx.db, customer).await?;
        let one = linked.iter().find(|one| one.id == self.identity);
        let called = called(cx, &one.ok_or(AppError::NotFound)?.provider);
        identity::unlink(&cx.db, &customer.fresh(&cx.db)?, self.identity, &called).await?;
        Ok(Next::to("/profile/providers?done=unlinked"))
    }
}

/// What people call a provider; one that is asked no more by its name in the configuration.
fn called(cx: &Cx, id: &str) -> String {
    let known = cx.providers.iter().find(|provider| provider.id == id);
    known.map_or_else(|| id.to_owned(), |provider| cx.pick(&provider.name))
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().providers;
    let linked = identity::linked(&cx.db, cx.customer()?).await?;
    let done = [
        ("linked", t.done_linked),
        ("already", t.done_already),
        ("unlinked", t.done_unlinked),
    ];
    let sessions = offer_to_end_others::<EndOthers>(&cx, &["linked", "unlinked"]).await?;
    let first = fresh_first(&cx);
    let is_fresh = first.is_none();
    let others: Vec<_> = cx
        .providers
        .iter()
        .filter(|provider| !provider.is_for_staff && linked.iter().all(|one| one.provider != provider.id))
        .map(|provider| {
            let href = format!("/sign-in/with/{}?link=1", provider.id);
            view! { <li><a class="btn" href=href rel="nofollow">{t.link(cx.pick(&provider.name))}</a></li> }
        })
        .collect();
    let has_others = !others.is_empty();
    let list = if linked.is_empty() {
        view! { <p class="muted">{t.none}</p> }.into_html()
    } else {
        let rows: Vec<_> = linked.iter().map(|one| row(&cx, one, is_fresh)).collect();
        view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_html()
    };
    let view = view! {
        {back("/profile/security", cx.t().security.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {outside::trouble(&cx)}
        {flash(&cx, &done)}
        {sessions}
        {gone(&cx)}
        {first}
        {list}
        {(is_fresh && has_others).then(|| view! { <ul class="outside">{others}</ul> })}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

fn row(cx: &Cx, one: &Linked, is_fresh: bool) -> impl IntoView + use<> {
    let t = &cx.t().providers;
    let name = called(cx, &one.provider);
    let used = one.used_at.map(|at| t.used(cx.ago(at)));
    let unlink = is_fresh.then(|| {
        let (id, name) = (one.id.to_string(), name.clone());
        let labels = vec![("identity".to_owned(), name.clone())];
        view! {
            <FormBox<Unlink> id=format!("unlink-{id}") class="row-form" labels=labels>
                <input type="hidden" name="identity" value=id/>
                <button class="btn btn-sm">{t.unlink}<span class="sr-only">": " {name}</span></button>
            </FormBox<Unlink>>
        }
    });
    view! {
        <li class="row row-wrap">
            <span class="row-icon">{icon(icon::KEY_ROUND)}</span>
            <span class="row-main">
                <b>{name}</b>
                <small><bdi>{one.shown.clone()}</bdi></small>
                <small>{t.since(cx.moment(one.linked_at))}</small>
                {used.map(|used| view! { <small>{used}</small> })}
            </span>
            <span class="row-acts">{unlink}</span>
        </li>
    }
}
