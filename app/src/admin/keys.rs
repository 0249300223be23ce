//! Single keys of staff pages: what they do, and whether they do it. `public/desk.js` listens to them, and `public/find.js` to
//! the one that leads into the search.

use crate::cabinet::{back, flash};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::FormBox;
use crate::ui::html::{Html, IntoHtml};
use crm::request::macros::{self, Macro};
use crm::staff::{Right, store as staff_store};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Where they are listed.
pub const HERE: &str = "/admin/keys";

/// Switches single keys off for whoever asks, or on again.
#[derive(Deserialize)]
pub struct SwitchKeys {
    on: String,
}

impl Form for SwitchKeys {
    const NAME: &'static str = "keys.switch";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let is_on = self.on == "yes";
        staff_store::set_shortcuts(&cx.db, cx.staff()?, is_on).await?;
        let done = if is_on { "on" } else { "off" };
        Ok(Next::to(format!("{HERE}?done={done}")))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_keys;
    let staff = cx.staff()?;
    staff.may(Right::Requests)?;
    let (to, words) = match staff.has_shortcuts() {
        true => ("no", t.switch_off),
        false => ("yes", t.switch_on),
    };
    let mut conn = cx.db.read().await?;
    let all = macros::list(&mut conn, staff).await?;
    drop(conn);
    let off = (!staff.has_shortcuts()).then(|| view! { <p class="notice">{t.are_off}</p> });
    let view = view! {
        {back("/admin/requests", cx.t().frame.requests)}
        <h1>{t.title}</h1>
        {flash(&cx, &[("on", t.done_on), ("off", t.done_off)])}
        <p class="lead">{t.lead}</p>
        {off}
        {list(&cx, &all)}
        <FormBox<SwitchKeys> class="actions">
            <input type="hidden" name="on" value=to/>
            <button class="btn">{words}</button>
        </FormBox<SwitchKeys>>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// Each key with what it does, and the macros that have one.
fn list(cx: &Cx, all: &[Macro]) -> Html {
    let t = &cx.t().admin_keys;
    let keys = [
        ("j", t.next),
        ("k", t.previous),
        ("Enter", t.open),
        ("x", t.choose),
        ("r", t.answer),
        ("n", t.note),
        ("m", t.macros),
        ("1 … 9", t.digits),
        ("a", t.assign),
        ("u", t.release),
        ("w", t.wait),
        ("o", t.reopen),
        ("c", t.close),
        ("s", t.sort),
        ("f", t.find),
        ("/", t.search),
    ];
    // After `g`, in this order of places; the script leads where it finds the letter.
    let places = [
        ("q", t.queue),
        ("m", t.go_mine),
        ("u", t.go_unassigned),
        ("o", t.go_overdue),
        ("i", t.go_inbox),
        ("t", t.go_tasks),
    ];
    let has_tasks = cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Customers));
    let row = |key: String, words: &'static str, go: Option<&'static str>| {
        view! { <dt><kbd data-go=go>{key}</kbd></dt> <dd>{words}</dd> }
    };
    let rows: Vec<_> = keys
        .into_iter()
        .map(|(key, words)| row(key.to_owned(), words, None))
        .collect();
    let places: Vec<_> = places
        .into_iter()
        .filter(|(letter, _)| *letter != "t" || has_tasks)
        .map(|(letter, words)| row(format!("g {letter}"), words, Some(letter)))
        .collect();
    let more: Vec<_> = [("g 1 … 9", t.go_kept), ("?", t.help)]
        .into_iter()
        .map(|(key, words)| row(key.to_owned(), words, None))
        .collect();
    let mut prepared: Vec<_> = all.iter().filter(|one| macros::digit(all, one).is_some()).collect();
    prepared.sort_by_key(|one| one.digit);
    let prepared: Vec<_> = prepared
        .into_iter()
        .map(|one| view! { <dt>{of_macro(all, one)}</dt> <dd><bdi>{one.name.clone()}</bdi></dd> })
        .collect();
    view! { <dl class="keys">{rows} {places} {more} {prepared}</dl> }.into_html()
}

/// What is pressed for one of the macros that somebody has. No answer goes out unseen: one that sends it takes Enter as well.
pub(super) fn of_macro(all: &[Macro], one: &Macro) -> Option<Html> {
    let digit = macros::digit(all, one)?;
    let enter = one.sends.then(|| view! { " " <kbd>"Enter"</kbd> });
    Some(view! { <kbd>{digit}</kbd> {enter} }.into_html())
}

/// The script of the desk, and what it shows at `?` where single keys are on. `all`: the macros of the page.
pub(super) fn sheet(cx: &Cx, all: &[Macro]) -> Html {
    let t = &cx.t().admin_keys;
    let has_shortcuts = cx.staff.as_ref().is_some_and(|staff| staff.has_shortcuts());
    let sheet = has_shortcuts.then(|| {
        view! {
            <dialog class="panel" aria-labelledby="keys">
                <h2 id="keys">{t.title}</h2>
                {list(cx, all)}
                <p><a href=HERE>{t.settings}</a></p>
                <form method="dialog"><button class="btn">{t.shut}</button></form>
            </dialog>
        }
    });
    view! {
        {sheet}
        <script type="module" src="/desk.js" data-desk=""></script>
    }
    .into_html()
}

/// The way to the page of the keys.
pub(super) fn link(cx: &Cx) -> Html {
    view! { <p class="hint"><a href=HERE>{cx.t().admin_keys.title}</a></p> }.into_html()
}
