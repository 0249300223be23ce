//! Where the customer is signed in, and how to end it.

use super::{back, flash, fresh_first, gone};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::FormBox;
use crate::ui::icon::{self, icon};
use crm::id::SessionId;
use crm::signin::{Device, store as signin};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

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
        {(has_others && is_fresh).then(|| view! {
            <FormBox<EndOthers> class="actions">
                <button class="btn btn-danger-quiet">{t.end_others}</button>
            </FormBox<EndOthers>>
        })}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
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
