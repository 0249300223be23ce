//! The code of a card that changes every half minute. It makes the codes by itself, so that they go on where there is no
//! network, as in the middle of a shop.
//!
//! A module of its own and no island: it brings an encoder of QR codes and a hash, needs nothing of Leptos, and no other page
//! has it.
//!
//! It brings the place `data-rotating` to life, which is hidden until then. The place says of which card (`data-number`), from
//! what the codes are made (`data-secret`), the server's time when the page was made (`data-now`, in milliseconds since 1970),
//! or in a page that was kept by how many milliseconds this device was ahead of it then (`data-drift`, which `offline/sw.js`
//! writes), and the words for the seconds left and for a clock that is wrong (`data-left`, `data-ahead`, `data-behind`, with
//! `{n}`). In it stand an `svg` with a path, a `progress`, and lines for the words (`data-line`, `data-clock`).

use crm::card::code::{STEP_SECONDS, Secret, step_of, text};
use crm::card::qr;
use js_sys::Date;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{Element, PerformanceNavigationTiming, Window};

/// Called as soon as the module is there.
#[wasm_bindgen(start)]
pub fn start() {
    // Where anything is missing the place stays hidden: the page is complete without it.
    let _ = web_sys::window().and_then(|window| bring_to_life(&window));
}

fn find(within: &Element, selector: &str) -> Option<Element> {
    within.query_selector(selector).ok().flatten()
}

fn bring_to_life(window: &Window) -> Option<()> {
    let document = window.document()?;
    let place = document.query_selector("[data-rotating]").ok().flatten()?;
    let told = |name: &str| place.get_attribute(name);
    let (number, words) = (told("data-number")?, told("data-left")?);
    let secret = Secret::parse(&told("data-secret")?)?;
    let ahead = match told("data-drift") {
        Some(kept) => kept.parse().ok()?,
        None => ahead(window, told("data-now")?.parse().ok()?)?,
    };
    tell_of_clock(&place, ahead);
    let (picture, dark) = (find(&place, "svg")?, find(&place, "path")?);
    let (bar, line) = (find(&place, "progress")?, find(&place, "[data-line]")?);
    let mut shown = None;
    // The clock of the device runs on while it sleeps; how far it is from the server's was seen when the page came.
    let mut tick = move || {
        let seconds = (Date::now() as i64 - ahead).div_euclid(1000);
        let step = step_of(seconds);
        if shown != Some(step)
            && let Some(code) = qr::drawing(&text(&number, &secret.digits(step)))
        {
            shown = Some(step);
            let _ = picture.set_attribute("viewBox", &format!("0 0 {0} {0}", code.side));
            let _ = dark.set_attribute("d", &code.dark);
        }
        let left = (STEP_SECONDS - seconds.rem_euclid(STEP_SECONDS)).to_string();
        let _ = bar.set_attribute("value", &left);
        line.set_text_content(Some(&words.replace("{n}", &left)));
    };
    tick();
    let _ = place.remove_attribute("hidden");
    let every = Closure::<dyn FnMut()>::new(tick);
    let _ = window.set_interval_with_callback_and_timeout_and_arguments_0(every.as_ref().unchecked_ref(), 1000);
    // As long as the page.
    every.forget();
    Some(())
}

/// By how many milliseconds the clock of the device is ahead of the server's, which said `server` when it made the page:
/// what the clock said when the page began to arrive. Whole numbers: to read and write others takes much code.
fn ahead(window: &Window, server: i64) -> Option<i64> {
    let performance = window.performance()?;
    let navigation = performance.get_entries_by_type("navigation").get(0);
    let arrived = navigation
        .dyn_into::<PerformanceNavigationTiming>()
        .ok()?
        .response_start();
    Some((performance.time_origin() + arrived) as i64 - server)
}

/// Says that the clock is wrong, where that is more than a code lasts.
fn tell_of_clock(place: &Element, ahead: i64) {
    let seconds = ahead.abs() / 1000;
    if seconds <= STEP_SECONDS {
        return;
    }
    let words = if ahead > 0 { "data-ahead" } else { "data-behind" };
    let minutes = ((seconds + 30) / 60).max(1);
    if let (Some(words), Some(line)) = (place.get_attribute(words), find(place, "[data-clock]")) {
        line.set_text_content(Some(&words.replace("{n}", &minutes.to_string())));
        let _ = line.remove_attribute("hidden");
    }
}
