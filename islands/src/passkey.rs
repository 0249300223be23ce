//! The island that asks the browser for a passkey: it puts the answer into the form around it and sends that as any
//! other form is sent. The browser's own functions turn JSON into what it asks the device, and the answer into JSON.

#![allow(missing_docs, reason = "the island macro makes public items without documentation")]

use leptos::prelude::*;
use leptos::web_sys::Element;

/// Wraps a form that holds the field of a passkey. The field says by `data-passkey` whether one is to be made (`create`)
/// or shown (`get`), by `data-options` what the device is asked, by `data-at-once` that passkeys are offered in the
/// list under the field for the phone, and what to say in which case.
#[island]
pub fn Passkey(
    /// The form.
    children: Children,
) -> impl IntoView {
    view! { <div use:attach>{children()}</div> }
}

/// Brings the form to life in the browser; on the server it is never called.
fn attach(root: Element) {
    #[cfg(feature = "hydrate")]
    browser::attach(&root);
    #[cfg(not(feature = "hydrate"))]
    drop(root);
}

#[cfg(feature = "hydrate")]
pub(crate) mod browser {
    use js_sys::{Function, JSON, Object, Promise, Reflect};
    use wasm_bindgen::closure::Closure;
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::{JsFuture, spawn_local};
    use web_sys::{AbortController, AbortSignal, Element, Event, HtmlFormElement};

    pub(super) fn attach(root: &Element) {
        let found = |selector: &str| root.query_selector(selector).ok().flatten();
        if let (Some(field), Some(button)) = (found("[data-passkey]"), found("button[hidden]")) {
            match class() {
                Some(class) => offer(&class, field, &button),
                None => {
                    // The page keeps room for it.
                    button.remove();
                    say(&field, "data-unsupported");
                }
            }
        }
        let _ = root.set_attribute("data-ready", "");
    }

    /// `PublicKeyCredential`, where it knows how to read and write JSON (Web Authentication, level 3).
    fn class() -> Option<JsValue> {
        let class = get(web_sys::window()?.as_ref(), "PublicKeyCredential").ok()?;
        let knows = |name: &str| get(&class, name).is_ok_and(|f| f.is_function());
        let knows_all = knows("parseCreationOptionsFromJSON") && knows("parseRequestOptionsFromJSON");
        knows_all.then_some(class)
    }

    fn offer(class: &JsValue, field: Element, button: &Element) {
        let _ = button.remove_attribute("hidden");
        let waiting = AbortController::new().ok();
        if let (true, Some(waiting)) = (field.has_attribute("data-at-once"), &waiting) {
            let (class, field, signal) = (class.clone(), field.clone(), waiting.signal());
            spawn_local(async move {
                // Nobody asked for it yet: whatever goes wrong is nobody's concern.
                if is_offered_at_once(&class).await {
                    let _ = ask(&class, &field, Some(&signal)).await;
                }
            });
        }
        let class = class.clone();
        let pressed = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
            event.prevent_default();
            if let Some(waiting) = &waiting {
                waiting.abort();
            }
            let (class, field) = (class.clone(), field.clone());
            spawn_local(async move {
                if ask(&class, &field, None).await.is_err() {
                    say(&field, "data-cancelled");
                }
            });
        });
        let _ = button.add_event_listener_with_callback("click", pressed.as_ref().unchecked_ref());
        // As long as the page.
        pressed.forget();
    }

    /// A property of something of the browser's that has no type here.
    fn get(of: &JsValue, name: &str) -> Result<JsValue, JsValue> {
        Reflect::get(of, &name.into())
    }

    /// Calls a method of it.
    fn call(of: &JsValue, name: &str, argument: &JsValue) -> Result<JsValue, JsValue> {
        get(of, name)?.dyn_into::<Function>()?.call1(of, argument)
    }

    /// Whether the browser lists passkeys under a field before anybody presses a button.
    async fn is_offered_at_once(class: &JsValue) -> bool {
        let asked = call(class, "isConditionalMediationAvailable", &JsValue::UNDEFINED);
        match asked.and_then(JsCast::dyn_into::<Promise>) {
            Ok(promise) => JsFuture::from(promise).await.is_ok_and(|answer| answer.is_truthy()),
            Err(_) => false,
        }
    }

    /// Asks, puts the answer into the field and sends the form. With a signal nothing appears until somebody chooses.
    async fn ask(class: &JsValue, field: &Element, at_once: Option<&AbortSignal>) -> Result<(), JsValue> {
        let what = field.get_attribute("data-passkey").ok_or(JsValue::NULL)?;
        let parse = if what == "create" {
            "parseCreationOptionsFromJSON"
        } else {
            "parseRequestOptionsFromJSON"
        };
        let options = JSON::parse(&field.get_attribute("data-options").unwrap_or_default())?;
        let request = Object::new();
        Reflect::set(&request, &"publicKey".into(), &call(class, parse, &options)?)?;
        if let Some(signal) = at_once {
            Reflect::set(&request, &"mediation".into(), &"conditional".into())?;
            Reflect::set(&request, &"signal".into(), signal)?;
        }
        let navigator = web_sys::window().ok_or(JsValue::NULL)?.navigator();
        let credentials = get(navigator.as_ref(), "credentials")?;
        let answer = JsFuture::from(call(&credentials, &what, &request)?.dyn_into::<Promise>()?).await?;
        let json = JSON::stringify(&call(&answer, "toJSON", &JsValue::UNDEFINED)?)?;
        Reflect::set(field, &"value".into(), &json)?;
        let form = field.closest("form")?.ok_or(JsValue::NULL)?;
        form.dyn_into::<HtmlFormElement>()?.submit()
    }

    /// Puts words of the field's into the line for its message.
    fn say(field: &Element, words: &str) {
        let line = field.get_attribute("data-message");
        let line = line.and_then(|id| web_sys::window()?.document()?.get_element_by_id(&id));
        if let Some(line) = line {
            let _ = line.set_attribute("role", "status");
            line.set_text_content(field.get_attribute(words).as_deref());
        }
    }
}
