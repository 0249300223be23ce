//! Passkeys of a customer: a way in without typing anything.

use super::devices::EndOthers;
use super::{back, flash, fresh_first, gone, meaning, offer_to_end_others};
use crate::account::factors::{known, passkeys_section, told};
use crate::cx::Cx;
use crate::route::{Body, Frame, Place};
use crm::factor::store as factors;
use islands::AppError;
use leptos::prelude::*;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let of = known(&cx)?;
    let overview = factors::overview(&cx.db, of).await?;
    let others = offer_to_end_others::<EndOthers>(&cx, &["added", "removed"]).await?;
    let first = fresh_first(&cx);
    let question = match of.fresh(&cx.db) {
        Ok(by) => factors::ask_new_passkey(&cx.db, &by).await?,
        Err(_) => None,
    };
    let t = &cx.t().factors;
    let view = view! {
        {back("/profile/security", cx.t().security.title)}
        <div>
            <h1>{t.passkeys_title}</h1>
            <p class="lead">{t.passkeys_lead}</p>
            {meaning(&cx, t.what_passkey, t.passkey_means, "passkeys")}
        </div>
        {flash(&cx, &told(&cx))}
        {others}
        {gone(&cx)}
        {first}
        {passkeys_section(&cx, &overview, of.fresh(&cx.db).is_ok(), question)}
    };
    Ok(Body::new(t.passkeys_title, Frame::Cabinet(Place::Elsewhere), view))
}
