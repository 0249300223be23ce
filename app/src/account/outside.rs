//! Outside providers on the pages where people come in: their buttons, and words for when nothing came of one.

use super::factors::known;
use crate::cx::Cx;
use crate::route::{Next, with_next, with_untrusted_next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self, icon};
use crm::identity::store as identity;
use islands::AppError;
use leptos::prelude::*;

/// A button for each provider that lets customers in, or staff. They are links, because they lead to another site.
pub fn buttons(cx: &Cx, is_for_staff: bool) -> Option<impl IntoView + use<>> {
    let t = &cx.t().outside;
    let next = with_untrusted_next("", cx.query("next"));
    let buttons: Vec<_> = cx
        .providers
        .iter()
        .filter(|provider| provider.is_for_staff == is_for_staff)
        .map(|provider| {
            let href = format!("/sign-in/with/{}{next}", provider.id);
            let words = t.sign_in(cx.pick(&provider.name));
            view! { <li><a class="btn btn-wide" href=href rel="nofollow">{words}</a></li> }
        })
        .collect();
    (!buttons.is_empty()).then(|| {
        view! {
            <nav class="outside" aria-label=t.title>
                <p class="muted">{t.or}</p>
                <ul>{buttons}</ul>
            </nav>
        }
    })
}

/// A button for each provider by which whoever is signed in came, and which can say that it asked them just now: there they
/// prove anew who they are. Nothing where there is none.
pub(crate) async fn confirm_buttons(cx: &Cx) -> Result<Option<Html>, AppError> {
    let t = &cx.t().outside;
    let is_admin = cx.path.starts_with("/admin");
    let linked = identity::providers(&cx.db, known(cx)?).await?;
    let home = if is_admin {
        "/admin/security"
    } else {
        "/profile/security"
    };
    let next = Next::to_untrusted(cx.query("next"), home);
    let buttons: Vec<_> = cx
        .providers
        .iter()
        .filter(|provider| provider.confirms && provider.is_for_staff == is_admin && linked.contains(&provider.id))
        .map(|provider| {
            let way = with_next(&format!("/sign-in/with/{}", provider.id), next.path());
            let words = t.confirm(cx.pick(&provider.name));
            view! { <li><a class="btn btn-wide" href=format!("{way}&confirm=1") rel="nofollow">{words}</a></li> }
        })
        .collect();
    Ok((!buttons.is_empty()).then(|| view! { <ul class="outside">{buttons}</ul> }.into_html()))
}

/// Says why somebody who went to a provider is back here: the words that go with the code in `?outside=`.
pub fn trouble(cx: &Cx) -> Option<impl IntoView + use<>> {
    let t = &cx.t().outside;
    let (title, text) = match cx.query("outside").filter(|_| cx.outcome.is_none())? {
        "down" => (t.down, t.down_text),
        "denied" => (t.denied, t.denied_text),
        "stale" => (t.stale, t.stale_text),
        "failed" => (t.failed, t.failed_text),
        "taken" => (t.taken, t.taken_text),
        "refused" => (t.refused, t.refused_text),
        "declined" => (t.declined, t.declined_text),
        // Who has no other way is told whom to ask for what.
        "unasked" if cx.path.starts_with("/admin") => (t.unasked, t.unasked_staff),
        "unasked" => (t.unasked, t.unasked_text),
        "another" => (t.another, t.another_text),
        _ => return None,
    };
    Some(view! {
        <div class="notice notice-warn" role="alert">
            {icon(icon::BELL)}
            <div><p><b>{title}</b></p><p>{text}</p></div>
        </div>
    })
}
