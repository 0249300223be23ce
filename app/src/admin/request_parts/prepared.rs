//! The menu of macros at a request: what each would answer here, and what it does.

use crate::admin::keys;
use crate::admin::macros::does;
use crate::admin::request::{again, number, seen};
use crate::cx::Cx;
use crate::format;
use crate::route::{Form, Next};
use crate::ui::FormBox;
use crate::ui::html::{Html, IntoHtml};
use chrono::{DateTime, Utc};
use crm::id::MacroId;
use crm::lang::Lang;
use crm::request::macros::{self, Macro, Values, fill};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Uses a macro in the request of the page.
#[derive(Deserialize)]
pub struct UseMacro {
    seen: i64,
    id: MacroId,
}

impl Form for UseMacro {
    const NAME: &'static str = "request.macro";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (number, seen) = (number(cx)?, seen(self.seen)?);
        let is_sent = macros::run(&cx.db, cx.staff()?, number, self.id, seen, format::points).await?;
        again(cx, if is_sent { "answered" } else { "macro" })
    }
}

/// The menu. The script of the desk finds it by `data-macros`, narrows it while somebody types, and presses a button by its
/// digit; to one that sends (`data-sends`) it only leads.
pub(in crate::admin) fn menu(cx: &Cx, all: &[Macro], lang: Lang, values: &Values, updated_at: DateTime<Utc>) -> Html {
    let t = &cx.t().admin_desk;
    // A key is promised where it does something.
    let has_shortcuts = cx.staff.as_ref().is_some_and(|staff| staff.has_shortcuts());
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            let answer = one.answer(lang).map(|answer| fill(answer, values));
            let answer =
                answer.map(|answer| view! { <small class="muted" lang=lang.code() dir="auto">{answer}</small> });
            let words = format!("{} {}", one.code, one.name).to_lowercase();
            let digit = macros::digit(all, one).filter(|_| has_shortcuts);
            let shown = digit.and_then(|_| keys::of_macro(all, one));
            let text = format!("macro-{}", one.id);
            view! {
                <li data-words=words>
                    <button
                        class="btn btn-sm"
                        name="id"
                        value=one.id.to_string()
                        aria-keyshortcuts=digit.map(|digit| digit.to_string())
                        aria-describedby=text.clone()
                        data-sends=one.sends.then_some("")
                    >
                        <bdi>{one.name.clone()}</bdi>
                    </button>
                    " " {shown} " " <code>{one.code.clone()}</code> " " <small>{does(cx, one)}</small>
                    <div id=text>{answer}</div>
                </li>
            }
        })
        .collect();
    // The status depends on what was read, so the form says what that was.
    let seen = updated_at.timestamp_micros().to_string();
    let list = match rows.is_empty() {
        true => view! { <p class="muted">{t.no_macros}</p> }.into_html(),
        false => view! {
            <FormBox<UseMacro> class="form form-wide" stale=cx.t().admin_request.stale_status>
                <input type="hidden" name="seen" value=seen/>
                <ul class="stack list-none">{rows}</ul>
            </FormBox<UseMacro>>
        }
        .into_html(),
    };
    let is_open = cx.was_sent(UseMacro::NAME);
    view! {
        <details class="fold" open=is_open data-macros=t.find_macro>
            <summary>{t.macros}</summary>
            <div data-swap="macros">{list}</div>
            <p><a href="/admin/macros">{t.to_macros}</a></p>
        </details>
    }
    .into_html()
}
