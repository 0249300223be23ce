//! The second step of signing in: turned on and off by the customer, with recovery codes for when the phone is lost.

use super::devices::EndOthers;
use super::{back, flash, fresh_first, gone, meaning, offer_to_end_others};
use crate::account::factors::{app_section, codes_section, known, told};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::FormBox;
use crate::ui::html::{Html, IntoHtml};
use crm::factor::removal::{self, Removal};
use crm::factor::store as factors;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Calls off the removal that was asked for.
#[derive(Deserialize)]
pub struct CancelRemoval {}

impl Form for CancelRemoval {
    const NAME: &'static str = "removal.cancel";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        removal::cancel(&cx.db, cx.customer()?).await?;
        Ok(Next::to("/profile/second-factor?done=cancelled"))
    }
}

/// Says that somebody asked for the second factor to be removed. It takes no fresh proof to keep it.
fn asked(cx: &Cx, removal: &Removal) -> Html {
    let t = &cx.t().removal;
    let text = match removal.due_at {
        None => t.pending_text(cx.moment(removal.asked_at)),
        Some(at) => t.granted_text(cx.moment(at)),
    };
    view! {
        <section class="panel" aria-labelledby="removal">
            <h2 id="removal">{t.pending}</h2>
            <p>{text}</p>
            <p>{t.not_me}</p>
            <FormBox<CancelRemoval> class="actions"><button class="btn btn-primary">{t.cancel}</button></FormBox<CancelRemoval>>
        </section>
    }
    .into_html()
}

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
    let removal = removal::of(&mut cx.db.read().await?, cx.customer()?.me()).await?;
    let mut words = told(&cx).to_vec();
    words.push(("cancelled", cx.t().removal.done_cancelled));
    let t = &cx.t().factors;
    let view = view! {
        {back("/profile/security", cx.t().security.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
            {meaning(&cx, t.what_second, t.second_means, "second-step")}
        </div>
        {flash(&cx, &words)}
        {others}
        {gone(&cx)}
        {removal.map(|removal| asked(&cx, &removal))}
        {first}
        {app_section(&cx, &overview, pending.as_ref())}
        {codes_section(&cx, &overview, pending.as_ref())}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}
