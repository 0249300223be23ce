//! The island that copies a field: its button puts what stands in the field on the clipboard. Without JavaScript there is no
//! button, and the field can be selected by hand.

#![allow(missing_docs, reason = "the island macro makes public items without documentation")]

use leptos::prelude::*;
use leptos::web_sys::Element;

/// Wraps a field (`data-copy`), a button that is hidden until it works, and a line (`role="status"`) for the words that the
/// button carries in `data-copied`.
#[island]
pub fn CopyField(
    /// Field, button and line.
    children: Children,
) -> impl IntoView {
    view! { <div use:attach>{children()}</div> }
}

/// Brings the button to life in the browser; on the server it is never called.
fn attach(root: Element) {
    #[cfg(feature = "hydrate")]
    browser::attach(&root);
    #[cfg(not(feature = "hydrate"))]
    drop(root);
}

#[cfg(feature = "hydrate")]
mod browser {
    use js_sys::{Function, Promise, Reflect};
    use wasm_bindgen::closure::Closure;
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::{JsFuture, spawn_local};
    use web_sys::{Element, Event, HtmlInputElement};

    pub(super) fn attach(root: &Element) {
        let found = |selector: &str| root.query_selector(selector).ok().flatten();
        let field = found("[data-copy]").and_then(|field| field.dyn_into::<HtmlInputElement>().ok());
        if let (Some(field), Some(button), Some(line)) = (field, found("button[hidden]"), found("[role=status]")) {
            let _ = button.remove_attribute("hidden");
            let words = button.get_attribute("data-copied");
            let pressed = Closure::<dyn FnMut(Event)>::new(move |_| {
                let (field, line, words) = (field.clone(), line.clone(), words.clone());
                spawn_local(async move {
                    // Where the browser does not allow it, what is selected can be copied by hand.
                    field.select();
                    if copy(&field.value()).await.is_ok() {
                        line.set_text_content(words.as_deref());
                    }
                });
            });
            let _ = button.add_event_listener_with_callback("click", pressed.as_ref().unchecked_ref());
            // As long as the page.
            pressed.forget();
        }
        let _ = root.set_attribute("data-ready", "");
    }

    async fn copy(text: &str) -> Result<(), JsValue> {
        let navigator = web_sys::window().ok_or(JsValue::NULL)?.navigator();
        let clipboard = Reflect::get(navigator.as_ref(), &"clipboard".into())?;
        let write = Reflect::get(&clipboard, &"writeText".into())?.dyn_into::<Function>()?;
        JsFuture::from(write.call1(&clipboard, &text.into())?.dyn_into::<Promise>()?).await?;
        Ok(())
    }
}
