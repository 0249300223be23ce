//! Erasing who the customer is: what goes, what stays and why, and thinking better of it.

use super::{back, flash, fresh_first, gone};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Check, FormBox, pairs};
use crm::erasure;
use crm::points::store as points;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Asks for it.
#[derive(Deserialize)]
pub struct AskErasure {
    agreed: Option<String>,
}

impl Form for AskErasure {
    const NAME: &'static str = "erasure.ask";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        erasure::ask(&cx.db, &cx.customer()?.fresh(&cx.db)?, self.agreed.is_some()).await?;
        Ok(Next::to("/profile/erase?done=asked"))
    }
}

/// Thinks better of it.
#[derive(Deserialize)]
pub struct CancelErasure {}

impl Form for CancelErasure {
    const NAME: &'static str = "erasure.cancel";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        erasure::cancel(&cx.db, cx.customer()?).await?;
        Ok(Next::to("/profile/erase?done=cancelled"))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().erase;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let on_its_way = erasure::of(&mut conn, me).await?;
    let balance = points::balance(&mut conn, me).await?;
    drop(conn);
    let held = balance.active + balance.pending;
    let what_of_points = if held > 0 {
        t.points(cx.points(held))
    } else {
        t.no_points.to_owned()
    };
    let end = match on_its_way {
        Some(erasure) => view! { <p class="panel">{t.on_its_way(cx.moment(erasure.due_at))}</p> }.into_html(),
        None => ask(&cx),
    };
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead(i64::from(cx.shop().erasure_days))}</p>
        </div>
        {flash(&cx, &[("asked", t.done_asked), ("cancelled", t.done_cancelled)])}
        {gone(&cx)}
        <div class="narrow stack">
            <section class="panel" aria-labelledby="goes">
                <h2 id="goes">{t.goes}</h2>
                <ul class="list-disc ps-5">
                    <li>{t.goes_person}</li>
                    <li>{t.goes_ways}</li>
                    <li>{t.goes_words}</li>
                    <li>{t.goes_card}</li>
                </ul>
            </section>
            <section class="panel" aria-labelledby="stays">
                <h2 id="stays">{t.stays}</h2>
                <p>{t.stays_text}</p>
                <p>{what_of_points}</p>
            </section>
            <p>{t.home_first} " " <a href="/profile/data">{cx.t().export.title}</a></p>
            {end}
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

fn ask(cx: &Cx) -> Html {
    let t = &cx.t().erase;
    if let Some(first) = fresh_first(cx) {
        return first;
    }
    let labels = pairs([("agreed", t.agreed_label)]);
    view! {
        <FormBox<AskErasure> labels=labels>
            <Check name="agreed">{t.agreed}</Check>
            <div class="actions"><button class="btn btn-danger">{t.erase}</button></div>
        </FormBox<AskErasure>>
    }
    .into_html()
}

/// On every page of the cabinet, while there is time: that everything goes, and the way back.
pub(crate) fn bar(cx: &Cx) -> Option<Html> {
    let t = &cx.t().erase;
    let at = cx.customer.as_ref()?.erased_on()?;
    Some(
        view! {
            <div class="notice notice-warn">
                <div>
                    <p>{t.bar(cx.moment(at))}</p>
                    <FormBox<CancelErasure> id="erasure-cancel" action="/profile/erase" class="actions">
                        <button class="btn btn-sm">{t.cancel}</button>
                    </FormBox<CancelErasure>>
                </div>
            </div>
        }
        .into_html(),
    )
}
