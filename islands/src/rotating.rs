//! The island that shows the code of a card and changes it every half minute. It makes the codes by itself, so that they go
//! on where there is no network, as in the middle of a shop.

#![allow(missing_docs, reason = "the island macro makes public items without documentation")]

use leptos::prelude::*;
use leptos::web_sys::Element;

/// Wraps the place of the code, `data-rotating`, which is hidden until then. It says of which card (`data-number`), from what
/// the codes are made (`data-secret`), the server's time when the page was made (`data-now`, in milliseconds since 1970), and
/// the words for the seconds left and for a clock that is wrong (`data-left`, `data-ahead`, `data-behind`, with `{n}`). In it
/// stand an `svg` with a path, a `progress`, and lines for the words (`data-line`, `data-clock`).
#[island]
pub fn Rotating(
    /// The place of the code.
    children: Children,
) -> impl IntoView {
    view! { <div use:attach>{children()}</div> }
}

/// Brings the place to life in the browser; on the server it is never called.
fn attach(root: Element) {
    #[cfg(feature = "hydrate")]
    browser::attach(&root);
    #[cfg(not(feature = "hydrate"))]
    drop(root);
}

#[cfg(feature = "hydrate")]
mod browser {
    use crate::passkey::browser::{call, get};
    use crate::qr;
    use crm::card::code::{STEP_SECONDS, Secret, step_of, text};
    use js_sys::{Date, Promise};
    use wasm_bindgen::JsCast;
    use wasm_bindgen::closure::Closure;
    use wasm_bindgen_futures::{JsFuture, spawn_local};
    use web_sys::{Element, Window};

    pub(super) fn attach(root: &Element) {
        // Where anything is missing the place stays hidden: the page is complete without it.
        let _ = start(root);
        let _ = root.set_attribute("data-ready", "");
    }

    fn find(within: &Element, selector: &str) -> Option<Element> {
        within.query_selector(selector).ok().flatten()
    }

    fn start(root: &Element) -> Option<()> {
        let window = web_sys::window()?;
        let place = find(root, "[data-rotating]")?;
        let told = |name: &str| place.get_attribute(name);
        let (number, words) = (told("data-number")?, told("data-left")?);
        let secret = Secret::parse(&told("data-secret")?)?;
        let ahead = ahead(&window, told("data-now")?.parse().ok()?)?;
        tell_of_clock(&place, ahead);
        let (picture, dark) = (find(&place, "svg")?, find(&place, "path")?);
        let (bar, line) = (find(&place, "progress")?, find(&place, "[data-line]")?);
        let mut shown = None;
        // The clock of the device runs on while it sleeps; how far it is from the server's was seen when the page came.
        let mut tick = move || {
            let seconds = ((Date::now() - ahead) / 1000.0) as i64;
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
        keep_awake(&window)
    }

    /// By how many milliseconds the clock of the device is ahead of the server's, which said `server` when it made the page:
    /// what the clock said when the page began to arrive.
    fn ahead(window: &Window, server: f64) -> Option<f64> {
        let performance = window.performance()?;
        let navigation = performance.get_entries_by_type("navigation").get(0);
        let arrived = get(&navigation, "responseStart").ok().and_then(|at| at.as_f64());
        Some(performance.time_origin() + arrived? - server)
    }

    /// Says that the clock is wrong, where that is more than a code lasts.
    fn tell_of_clock(place: &Element, ahead: f64) {
        if ahead.abs() <= (STEP_SECONDS * 1000) as f64 {
            return;
        }
        let words = if ahead > 0.0 { "data-ahead" } else { "data-behind" };
        let minutes = (ahead.abs() / 60_000.0).round().max(1.0);
        if let (Some(words), Some(line)) = (place.get_attribute(words), find(place, "[data-clock]")) {
            line.set_text_content(Some(&words.replace("{n}", &minutes.to_string())));
            let _ = line.remove_attribute("hidden");
        }
    }

    /// Keeps the screen on while the page is seen, where the browser can. It lets go by itself when the page is left, so it is
    /// asked again when somebody comes back.
    fn keep_awake(window: &Window) -> Option<()> {
        let document = window.document()?;
        let navigator = window.navigator();
        let ask = move || -> Option<()> {
            let lock = get(navigator.as_ref(), "wakeLock").ok()?;
            let asked = call(&lock, "request", &"screen".into()).ok()?;
            let asked: Promise = asked.dyn_into().ok()?;
            // A device that saves its battery refuses.
            spawn_local(async move { drop(JsFuture::from(asked).await) });
            Some(())
        };
        let _ = ask();
        let seen = document.clone();
        let back = Closure::<dyn FnMut()>::new(move || {
            if !seen.hidden() {
                let _ = ask();
            }
        });
        let _ = document.add_event_listener_with_callback("visibilitychange", back.as_ref().unchecked_ref());
        // As long as the page.
        back.forget();
        Some(())
    }
}
