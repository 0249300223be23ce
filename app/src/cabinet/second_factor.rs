//! The second step of signing in: turned on and off by the customer, with recovery codes for when the phone is lost.

use super::devices::EndOthers;
use super::{back, flash, fresh_first, gone, offer_to_end_others};
use crate::account::factors::{app_section, codes_section, known, told};
use crate::cx::Cx;
use crate::route::{Body, Frame, Place};
use crm::factor::store as factors;
use islands::AppError;
use leptos::prelude::*;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let of = known(&cx)?;
    let overview = factors::overview(&cx.db, of).await?;
    let others = offer_to_end_others::<EndOthers>(&cx, &["on", "removed", "kept"]).await?;
    let first = fresh_first(&cx);
    let pending = match of.fresh(&cx.db) {
        Ok(by) => Some(factors::pending(&cx.db, &by).await?),
        Err(_) => None,
    };
    let t = &cx.t().factors;
    let view = view! {
        {back("/profile/security", cx.t().security.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {flash(&cx, &told(&cx))}
        {others}
        {gone(&cx)}
        {first}
        {app_section(&cx, &overview, pending.as_ref())}
        {codes_section(&cx, &overview, pending.as_ref())}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}
