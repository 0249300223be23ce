//! What is held about the customer, to take home: asked for once a day, made by a job, kept for a week.

use super::{back, flash, fresh_first};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::FormBox;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self, icon};
use crm::export::{self, Export, State};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Asks for an archive.
#[derive(Deserialize)]
pub struct AskExport {}

impl Form for AskExport {
    const NAME: &'static str = "export.ask";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        export::ask(&cx.db, &cx.customer()?.fresh(&cx.db)?).await?;
        Ok(Next::to("/profile/data?done=asked"))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().export;
    let mut conn = cx.db.read().await?;
    let last = export::latest(&mut conn, cx.subject()?).await?;
    drop(conn);
    let first = fresh_first(&cx);
    let is_fresh = first.is_none();
    let may_ask = last.as_ref().is_none_or(|last| last.again_at() <= cx.db.now());
    // Sent from a page of yesterday, the form has to say itself that it is too early.
    let was_sent = cx.outcome.is_some();
    let ask = (is_fresh && (may_ask || was_sent)).then(|| {
        view! {
            <FormBox<AskExport> class="actions">
                <button class="btn btn-primary">{t.collect}</button>
            </FormBox<AskExport>>
        }
    });
    let again = last
        .as_ref()
        .filter(|_| !may_ask)
        .map(|last| view! { <p class="muted">{t.once(cx.moment(last.again_at()))}</p> });
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {flash(&cx, &[("asked", t.done_asked)])}
        <div class="narrow stack">
            <p>{t.what}</p>
            {first}
            {last.as_ref().map(|last| state(&cx, last, is_fresh))}
            {again}
            {ask}
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

fn state(cx: &Cx, export: &Export, is_fresh: bool) -> Html {
    let t = &cx.t().export;
    match (export.state, export.finished_at.zip(export.until())) {
        (State::Done, Some((at, until))) => {
            let size = t.kilobytes(crate::format::integer((export.size + 1023) / 1024));
            let text = t.ready_text(cx.moment(at), size, cx.moment(until));
            let href = format!("/profile/data/{}", export.id);
            let link = is_fresh.then(|| {
                view! { <p><a class="btn" href=href>{icon(icon::DOWNLOAD)} {t.download}</a></p> }
            });
            view! {
                <section class="panel" aria-labelledby="ready">
                    <h2 id="ready">{t.ready}</h2>
                    <p>{text} " " {t.keep_safe}</p>
                    {link}
                </section>
            }
            .into_html()
        }
        (State::Failed, _) => view! { <p class="notice notice-bad">{t.failed}</p> }.into_html(),
        _ => view! {
            <div class="panel" data-progress="">
                <p>{t.waiting}</p>
                <p><a class="btn" href="/profile/data">{t.refresh}</a></p>
            </div>
            <script type="module" src="/progress.js"></script>
        }
        .into_html(),
    }
}
