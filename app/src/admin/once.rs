//! A secret that is shown once: the form that makes it hands it to the browser, and the page of what it belongs to shows
//! it. It stands nowhere else.

use crate::cx::{Cx, cookie};
use crate::ui::html::{Html, IntoHtml};
use chrono::Duration;
use leptos::prelude::*;
use std::fmt::Display;

/// How long a secret waits to be shown.
const SHOWN_WITHIN: Duration = Duration::minutes(5);

/// Hands the secret of something to this browser: `of` is the id of what it belongs to.
pub(super) fn hand_over(cx: &Cx, of: impl Display, secret: &str) {
    let until = cx.db.now() + SHOWN_WITHIN;
    cx.set_cookie(cookie::ONCE, Some(format!("{of}:{secret}")), Some(until));
}

/// The secret of something, if this browser has not shown it yet. That of anything else is left to its own page: here it
/// would be taken for the wrong one.
pub(super) fn panel(cx: &Cx, of: impl Display, title: &'static str, text: &'static str) -> Option<Html> {
    let held = cx.token(cookie::ONCE)?.secret();
    let secret = held.strip_prefix(&format!("{of}:"))?.to_owned();
    cx.set_cookie(cookie::ONCE, None, None);
    let view = view! {
        <div class="panel" role="status">
            <h2>{title}</h2>
            <p>{text}</p>
            <p class="secret"><code>{secret}</code></p>
        </div>
    };
    Some(view.into_html())
}
