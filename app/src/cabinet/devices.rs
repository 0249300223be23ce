//! Where the customer is signed in, and how to end it.

use super::{back, flash, fresh_first, gone, meaning, place, show_place};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self, icon};
use crate::ui::{FormBox, Moment};
use crm::id::SessionId;
use crm::signin::history::{self, SignIn};
use crm::signin::{Device, store as signin};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Sign-ins on a page.
const SHOWN: usize = 20;

/// Ends one session.
#[derive(Deserialize)]
pub struct EndDevice {
    device: SessionId,
}

impl Form for EndDevice {
    const NAME: &'static str = "device.end";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        signin::end_device(&cx.db, &cx.customer()?.fresh(&cx.db)?, Some(self.device)).await?;
        Ok(Next::to("/devices?done=ended"))
    }
}

/// Ends every session but the one at hand.
#[derive(Deserialize)]
pub struct EndOthers {}

impl Form for EndOthers {
    const NAME: &'static str = "device.end_others";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        signin::end_device(&cx.db, &cx.customer()?.fresh(&cx.db)?, None).await?;
        Ok(Next::to("/devices?done=others"))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().devices;
    let customer = cx.customer()?;
    let mut devices = signin::devices(&cx.db, customer).await?;
    // The one in hand comes first, whenever the others were seen.
    devices.sort_by_key(|device| device.id != customer.session());
    let has_others = devices.len() > 1;
    let first = fresh_first(&cx).filter(|_| has_others);
    let is_fresh = first.is_none();
    let rows: Vec<_> = devices
        .iter()
        .map(|device| row(&cx, device, device.id == customer.session(), is_fresh))
        .collect();
    let before = cx.query("before").and_then(place);
    let mut conn = cx.db.read().await?;
    let sign_ins = history::list(&mut conn, customer.me(), before, SHOWN as i64 + 1).await?;
    drop(conn);
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {flash(&cx, &[("ended", t.done_ended), ("others", t.done_others)])}
        {gone(&cx)}
        {first}
        <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
        {meaning(&cx, t.what_network, t.network_means, "devices")}
        {(has_others && is_fresh).then(|| view! {
            <FormBox<EndOthers> class="actions">
                <button class="btn btn-danger-quiet">{t.end_others}</button>
            </FormBox<EndOthers>>
        })}
        {past(&cx, &sign_ins, before.is_some())}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

/// Who came in and who was kept out, the last first; one more than a page shows leads on.
fn past(cx: &Cx, all: &[SignIn], is_further: bool) -> Html {
    let t = &cx.t().devices;
    let shown = all.get(..SHOWN).unwrap_or(all);
    let next = shown
        .last()
        .filter(|_| all.len() > SHOWN)
        .map(|last| format!("/devices?before={}#history", show_place((last.at, last.id.0))));
    let rows: Vec<_> = shown.iter().map(|one| attempt(cx, one)).collect();
    let list = match rows.is_empty() {
        true => view! { <p class="muted">{t.no_more}</p> }.into_html(),
        false => view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_html(),
    };
    view! {
        <section class="section" aria-labelledby="history">
            <h2 id="history">{t.history}</h2>
            <p class="hint">{t.history_hint(history::DAYS)}</p>
            {is_further.then(|| view! { <p><a href="/devices#history">{t.from_the_start}</a></p> })}
            {list}
            {next.map(|href| super::more(cx, href))}
        </section>
    }
    .into_html()
}

fn attempt(cx: &Cx, one: &SignIn) -> Html {
    let t = &cx.t().devices;
    let (class, words) = match one.is_let_in {
        true => ("status status-done", t.let_in),
        false => ("status status-bad", t.refused),
    };
    let network = (!one.network.is_empty()).then(|| view! { <small>{t.network(&one.network)}</small> });
    view! {
        <li class="row">
            <span class="row-main">
                <b>{device_name(cx, &one.device)}</b>
                <small><Moment at=one.at shown=cx.moment(one.at)/> ", " {way(cx, &one.way)}</small>
                {network}
            </span>
            <span class=class>{words}</span>
        </li>
    }
    .into_html()
}

/// How somebody came in, or tried to.
fn way(cx: &Cx, way: &str) -> String {
    let t = &cx.t().devices;
    let words = match way {
        "code" => t.way_code,
        "email" => t.way_email,
        "password" => t.way_password,
        "passkey" => t.way_passkey,
        "registration" => t.way_registration,
        "second" => t.way_second,
        other => {
            let id = other.strip_prefix("provider:").unwrap_or_default();
            let provider = cx.providers.iter().find(|provider| provider.id == id);
            return provider.map_or_else(|| t.way_other.to_owned(), |one| t.way_provider(cx.pick(&one.name)));
        }
    };
    words.to_owned()
}

fn row(cx: &Cx, device: &Device, is_this: bool, is_fresh: bool) -> impl IntoView + use<> {
    let t = &cx.t().devices;
    let seen = Seen::of(&device.device);
    let name = device_name(cx, &device.device);
    let inside = match seen.system {
        Some("iPhone") => icon::SMARTPHONE,
        Some("Android") => icon::SMARTPHONE,
        Some("iPad") => icon::TABLET,
        _ => icon::LAPTOP,
    };
    let last = if is_this {
        t.now.to_owned()
    } else {
        t.seen(cx.ago(device.seen_at))
    };
    let since = t.since(cx.moment(device.created_at));
    let network = (!device.network.is_empty()).then(|| t.network(&device.network));
    let badge = is_this.then(|| view! { " " <span class="badge badge-brand">{t.this}</span> });
    let end = (!is_this && is_fresh).then(|| {
        let (id, name) = (device.id.to_string(), name.clone());
        view! {
            <FormBox<EndDevice> id=format!("end-{id}") class="row-form">
                <input type="hidden" name="device" value=id/>
                <button class="btn btn-sm">{t.end}<span class="sr-only">": " {name}</span></button>
            </FormBox<EndDevice>>
        }
    });
    view! {
        <li class="row row-wrap">
            <span class="row-icon">{icon(inside)}</span>
            <span class="row-main">
                <b>{name}{badge}</b>
                <small>{last}</small>
                <small>{since}</small>
                {network.map(|network| view! { <small>{network}</small> })}
            </span>
            <span class="row-acts">{end}</span>
        </li>
    }
}

/// What a browser and its system are called, from what it says of itself.
pub(crate) fn device_name(cx: &Cx, agent: &str) -> String {
    let t = &cx.t().devices;
    let seen = Seen::of(agent);
    let browser = match seen.browser {
        Some(YANDEX) => Some(t.yandex),
        other => other,
    };
    match (browser, seen.system) {
        (Some(browser), Some(system)) => format!("{browser}, {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => t.unknown.to_owned(),
    }
}

/// Its name depends on the language.
pub const YANDEX: &str = "Yandex";

/// What a browser says of itself, as far as people call it by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The browser.
    pub browser: Option<&'static str>,
    /// The system that it runs on.
    pub system: Option<&'static str>,
}

impl Seen {
    /// Reads a `User-Agent`. Every browser names those it descends from, so the order matters: the most particular
    /// mark comes first.
    pub fn of(agent: &str) -> Self {
        let first = |marks: &[(&str, &'static str)]| marks.iter().find(|(mark, _)| agent.contains(mark)).map(|m| m.1);
        let browser = first(&[
            ("YaBrowser", YANDEX),
            ("SamsungBrowser", "Samsung Internet"),
            ("Edg", "Edge"),
            ("OPR/", "Opera"),
            ("Firefox", "Firefox"),
            ("FxiOS", "Firefox"),
            ("Chrome", "Chrome"),
            ("CriOS", "Chrome"),
            ("Safari", "Safari"),
        ]);
        let system = first(&[
            ("iPhone", "iPhone"),
            ("iPad", "iPad"),
            ("Android", "Android"),
            ("Windows", "Windows"),
            ("Macintosh", "macOS"),
            ("CrOS", "ChromeOS"),
            ("Linux", "Linux"),
        ]);
        Self { browser, system }
    }
}
