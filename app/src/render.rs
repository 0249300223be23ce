//! From a page to the HTML that is sent: rendered in order into one body, with the tags that start the islands only
//! where there is an island.
//!
//! Pages load everything before their view is made, so there is nothing to stream: the status is known before the
//! first byte, and an error can still become a proper page.

use crate::admin::places;
use crate::cx::{Cx, Module};
use crate::route::{Access, Answer, Body, File, Frame, Route, with_next};
use crate::ui::html::Html;
use crate::ui::{ErrorSummary, frame};
use futures::future::BoxFuture;
use hydration_context::SsrSharedContext;
use islands::AppError;
use leptos::prelude::*;
use leptos::reactive::computed::ScopedFuture;
use std::sync::Arc;

/// What a page came to.
pub enum Rendered {
    /// HTML with its status.
    Html {
        /// The status.
        status: u16,
        /// The document.
        html: String,
    },
    /// A file to be saved.
    File(File),
    /// Go there instead.
    Redirect(String),
}

/// Renders a page of the table.
pub async fn page(cx: &Cx, route: &Route) -> Rendered {
    if let Some(there) = elsewhere(cx, route.access) {
        return Rendered::Redirect(there);
    }
    match (cx.has_inbox, route.access) {
        (false, Access::Demonstration) => error(cx, &AppError::NotFound).await,
        _ => match route.answer {
            Answer::Page(page) => document(cx, page(cx.clone())).await,
            Answer::File(file) => match file(cx.clone()).await {
                Ok(file) => Rendered::File(file),
                Err(e) => error(cx, &e).await,
            },
        },
    }
}

/// Renders an error as a page of its own.
pub async fn error(cx: &Cx, error: &AppError) -> Rendered {
    let error = error.clone();
    document(cx, Box::pin(async move { Err(error) })).await
}

/// Where somebody is sent who may not see a page, or need not.
pub fn elsewhere(cx: &Cx, access: Access) -> Option<String> {
    let sign_in = |page: &str| {
        let there = cx.here();
        let is_home = there == "/";
        Some(if is_home {
            page.to_owned()
        } else {
            with_next(page, &there)
        })
    };
    match access {
        Access::Customer if cx.customer.is_none() && cx.viewing().is_none() => sign_in("/sign-in"),
        Access::Staff if cx.staff.is_none() => sign_in("/admin/sign-in"),
        Access::SignedOut if cx.customer.is_some() => Some("/".into()),
        _ => None,
    }
}

/// Where somebody proves anew who they are, to come back here afterwards.
pub fn confirm(cx: &Cx) -> String {
    let page = if cx.path.starts_with("/admin") {
        "/admin/confirm"
    } else {
        "/confirm"
    };
    with_next(page, &cx.here())
}

async fn document(cx: &Cx, page: BoxFuture<'static, Result<Body, AppError>>) -> Rendered {
    let owner = Owner::new_root(Some(Arc::new(SsrSharedContext::new_islands())));
    let page = owner.with(|| {
        provide_context(cx.clone());
        ScopedFuture::new_untracked(page)
    });
    let (status, body) = match page.await {
        Ok(body) => match &cx.outcome {
            None => (200, body),
            Some(outcome) => (
                outcome.error.status().max(422),
                owner.with(|| with_refusal(cx, body, &outcome.error)),
            ),
        },
        Err(AppError::SignedOut) => return Rendered::Redirect("/sign-in".into()),
        Err(AppError::NotFresh) => return Rendered::Redirect(confirm(cx)),
        Err(error) => (error.status(), owner.with(|| error_page(cx, &error))),
    };
    let html = owner.with(|| frame::document(cx, body).to_html());
    owner.unset_with_forced_cleanup();
    Rendered::Html {
        status,
        html: with_loaders(cx, html),
    }
}

/// The page with why a form was not taken, on top of it where the form itself is not there any more to say so.
fn with_refusal(cx: &Cx, body: Body, error: &AppError) -> Body {
    let page = body.view.to_html();
    // Where nothing is wrong, the form only asked for the page once more.
    let is_fine = matches!(error, AppError::Invalid { flaws } if flaws.is_empty());
    if is_fine || page.contains("class=\"errors\"") {
        return Body {
            view: Html::new(page),
            ..body
        };
    }
    // Its fields are gone as well.
    let error = match error {
        AppError::Invalid { .. } => AppError::Stale,
        other => other.clone(),
    };
    let stale = cx.t().form.stale;
    let refusal = view! { <ErrorSummary error=error form="page".into() labels=Vec::new() stale=stale/> };
    Body {
        view: Html::new(refusal.to_html() + &page),
        ..body
    }
}

/// The page of an error: what happened, what is safe, what to do, and the request's id.
fn error_page(cx: &Cx, error: &AppError) -> Body {
    let t = &cx.t().error;
    let (title, text) = match error {
        AppError::NotFound => (t.not_found, t.not_found_text),
        AppError::Forbidden if cx.viewing().is_some() => (t.viewing, t.viewing_text),
        AppError::Forbidden => (t.forbidden, t.forbidden_text),
        AppError::Refused => (t.refused, t.refused_text),
        AppError::Stale => (t.stale, t.stale_text),
        AppError::TooMany { .. } => (t.too_many, t.too_many_text),
        AppError::Busy => (t.busy, t.busy_text),
        AppError::Unavailable => (t.unavailable, t.unavailable_text),
        AppError::TooLarge => (t.too_large, t.too_large_text),
        AppError::SignedOut | AppError::NotFresh | AppError::Invalid { .. } | AppError::Internal => {
            (t.internal, t.internal_text)
        }
    };
    let is_admin = cx.path.starts_with("/admin");
    let home = if is_admin { places::HOME } else { "/" };
    // What passes by itself is worth asking for again: an empty address is that of the page itself, query and all.
    let passes = matches!(
        error,
        AppError::TooMany { .. } | AppError::Busy | AppError::Unavailable | AppError::Internal
    );
    let again = passes.then(|| view! { <a class="btn btn-primary" href="">{t.again}</a> });
    let home_class = if passes { "btn" } else { "btn btn-primary" };
    let view = view! {
        <div class="empty">
            <h1>{title}</h1>
            <p>{text}</p>
            <p class="hint">{t.request_id} " " <code>{cx.request_id.clone()}</code></p>
            <p class="actions">{again} <a class=home_class href=home>{t.home}</a></p>
        </div>
    };
    Body::new(
        title,
        if is_admin && cx.staff.is_some() {
            Frame::Admin
        } else {
            Frame::Plain
        },
        view,
    )
}

/// Adds the loaders of what there is to bring to life.
fn with_loaders(cx: &Cx, html: String) -> String {
    let Module { loader, js, wasm } = &cx.site.rotating;
    // Somebody holds the card's code out at a till: its module is fetched with the page. Islands come once the page stands.
    let code = (html.contains(" data-rotating") && !loader.is_empty()).then(|| {
        format!(
            "<link rel=\"modulepreload\" href=\"{js}\"><link rel=\"preload\" href=\"{wasm}\" as=\"fetch\" \
             type=\"application/wasm\" crossorigin><script type=\"module\" src=\"{loader}\"></script>"
        )
    });
    // Pages of whoever is signed in speak to the service worker, and learn of what comes.
    let scripts: String = [
        ("<leptos-island", &cx.site.islands.loader),
        (" data-worker", &cx.site.offline),
        (" data-live", &cx.site.live),
    ]
    .into_iter()
    .filter(|(what, script)| html.contains(what) && !script.is_empty())
    .map(|(_, script)| format!("<script type=\"module\" src=\"{script}\"></script>"))
    .collect();
    let tags = code.unwrap_or_default() + &scripts;
    if tags.is_empty() {
        return html;
    }
    html.replacen("</head>", &(tags + "</head>"), 1)
}
