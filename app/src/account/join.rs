//! Where the link of an invitation leads: who invites, what it gives, and the way to a card. The code goes along in a cookie.

use crate::admin::rules::words::Words;
use crate::cabinet::invite::given;
use crate::cx::{Cx, cookie};
use crate::route::{Body, Frame};
use chrono::Duration;
use crm::Error;
use crm::flaw::Flaw;
use crm::invite::store as invitations;
use crm::rule::Rule;
use crm::rule::store as rules;
use islands::AppError;
use leptos::prelude::*;

/// How long a browser keeps a code that it was given.
const KEPT: Duration = Duration::days(30);

/// Keeps the code that an address carries until somebody registers in this browser. What is no code is not kept.
pub(super) fn keep_code(cx: &Cx, raw: &str) {
    if let Some(code) = crm::invite::code(raw) {
        cx.set_cookie(cookie::INVITE, Some(code), Some(cx.db.now() + KEPT));
    }
}

/// Keeps the code that somebody typed who registers, or forgets the one that is kept where they took it out. Field: `invite`.
pub(super) async fn typed(cx: &Cx, raw: &str) -> Result<(), AppError> {
    if raw.is_empty() {
        if cx.token(cookie::INVITE).is_some() {
            cx.set_cookie(cookie::INVITE, None, None);
        }
        return Ok(());
    }
    let mut conn = cx.db.read().await?;
    match invitations::inviter(&mut conn, raw).await {
        Ok(_) => keep_code(cx, raw),
        Err(Error::NotFound) => return Err(AppError::field("invite", Flaw::NoInvitation)),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().invite;
    let code: String = cx.param("secret")?;
    let mut conn = cx.db.read().await?;
    let name = invitations::inviter(&mut conn, &code).await?;
    let gives = invitations::gives(&mut conn).await?;
    let all: Vec<&Rule> = gives.friend.iter().collect();
    let names = rules::names(&mut conn, &all).await?;
    drop(conn);
    keep_code(&cx, &code);
    let words = Words { cx: &cx, names: &names };
    let title = t.join_title(&name);
    let view = view! {
        <h1><bdi>{title.clone()}</bdi></h1>
        <p class="lead">{t.join_lead(&cx.shop().name)}</p>
        {given(&words, t.join_gives, &gives.friend)}
        <p class="actions"><a class="btn btn-primary" href="/sign-in">{t.join}</a></p>
    };
    Ok(Body::new(title, Frame::Plain, view))
}
