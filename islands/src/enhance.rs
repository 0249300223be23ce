//! The one island that any form can be wrapped in. Without it the form works all the same; with it fields are checked
//! as they are left, the form is sent without leaving the page, and what is wrong appears in place.

#![allow(missing_docs, reason = "the island macro makes public items without documentation")]

use leptos::prelude::*;
use leptos::web_sys::Element;

/// Wraps a form. Fields say by `data-check` how they are checked, a form by its `id` what is swapped. What the rules
/// have to know stands on the form: the shop's country (`data-country`), its day (`data-today`, ISO 8601), the least
/// age to join (`data-age`), and the words for each flaw under its key (`data-too-long`; `{n}` stands for the flaw's
/// number). A field with such an attribute of its own has words of its own. As attributes they cost the browser
/// nothing to read; as properties of the island they cost 20 kB of JSON.
#[island]
pub fn Enhance(
    /// The form.
    children: Children,
) -> impl IntoView {
    view! { <div use:attach>{children()}</div> }
}

/// Brings the wrapper to life in the browser; on the server it is never called.
fn attach(root: Element) {
    #[cfg(feature = "hydrate")]
    browser::attach(&root);
    #[cfg(not(feature = "hydrate"))]
    drop(root);
}

#[cfg(feature = "hydrate")]
mod browser {
    use crm::contact::{Email, Phone, show_phone};
    use crm::flaw::{self, Flaw};
    use wasm_bindgen::closure::Closure;
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::{JsFuture, spawn_local};
    use web_sys::{
        Document, DomParser, Element, Event, FocusEvent, FormData, Headers, HtmlElement, HtmlFormElement,
        HtmlInputElement, RequestInit, RequestRedirect, Response, SubmitEvent, SupportedType, UrlSearchParams,
    };

    /// Listens on the wrapper, so that the listeners survive when the form inside is replaced.
    pub(super) fn attach(root: &Element) {
        on(root, "focusout", |event| {
            let Some(field) = event.target().and_then(|t| t.dyn_into::<HtmlElement>().ok()) else {
                return;
            };
            let next = event.dyn_ref::<FocusEvent>().and_then(FocusEvent::related_target);
            left(&field, next.and_then(|n| n.dyn_into::<Element>().ok()).as_ref());
        });
        on(root, "input", |event| {
            // Once a message stands there it is looked at again with every key: it goes as soon as it is mended.
            let Some(field) = event.target().and_then(|t| t.dyn_into::<HtmlElement>().ok()) else {
                return;
            };
            if field.get_attribute("aria-invalid").is_some() {
                clear_or_keep(&field);
            }
        });
        let said = root.query_selector("[data-sending]").ok().flatten();
        on(root, "submit", move |event| {
            let Some(form) = event.target().and_then(|t| t.dyn_into::<HtmlFormElement>().ok()) else {
                return;
            };
            if form.has_attribute("data-plain") {
                return;
            }
            event.prevent_default();
            if form.has_attribute("aria-busy") {
                return;
            }
            let submitter = event.dyn_ref::<SubmitEvent>().and_then(SubmitEvent::submitter);
            let said = said.clone();
            spawn_local(async move {
                busy(&form, submitter.as_ref(), said.as_ref(), true);
                match send(&form, submitter.as_ref()).await {
                    // The next page is on its way, and until it is there the form is.
                    Ok(true) => {}
                    Ok(false) => busy(&form, submitter.as_ref(), said.as_ref(), false),
                    Err(_) => plain(&form, submitter.as_ref()),
                }
            });
        });
        let _ = root.set_attribute("data-ready", "");
    }

    fn on(root: &Element, name: &str, handler: impl FnMut(Event) + 'static) {
        let closure = Closure::<dyn FnMut(Event)>::new(handler);
        let _ = root.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
        // As long as the page.
        closure.forget();
    }

    fn document() -> Option<Document> {
        web_sys::window()?.document()
    }

    fn value(field: &Element) -> String {
        js_sys::Reflect::get(field, &"value".into())
            .ok()
            .and_then(|v| v.as_string())
            .unwrap_or_default()
    }

    /// What a field or, where it says nothing itself, its form says under a name.
    fn told(field: &Element, name: &str) -> Option<String> {
        let name = format!("data-{name}");
        let place = field.closest(&format!("[{name}]")).ok()??;
        place.get_attribute(&name)
    }

    /// The shop's day.
    fn today(field: &Element) -> Option<chrono::NaiveDate> {
        let told = told(field, "today")?;
        let mut parts = told.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        flaw::date(day, month, year).ok()
    }

    /// What is wrong with a field or, where it is a part of one, with its group. `None` where nothing is checked.
    fn judge(field: &Element) -> Option<(Element, Result<(), Flaw>)> {
        if let Ok(Some(group)) = field.closest("[data-check-group]") {
            let part = |name: &str| {
                let found = group.query_selector(&format!("[data-part={name}]")).ok().flatten();
                found.map(|e| value(&e)).unwrap_or_default()
            };
            let date = flaw::date(&part("day"), &part("month"), &part("year"));
            let today = today(field)?;
            let result = match group.get_attribute("data-check-group").as_deref() {
                Some("child") => date.and_then(|d| flaw::child_birthday(d, today)),
                _ => {
                    let age = told(field, "age")?.parse().ok()?;
                    date.and_then(|d| flaw::birthday(d, today, age))
                }
            };
            return Some((group, result.map(drop)));
        }
        let kind = field.get_attribute("data-check")?;
        let value = value(field);
        let result = match kind.split(':').next()? {
            "name" => flaw::name(&value).map(drop),
            "phone" => Phone::plausible(&value, &told(field, "country")?).map(drop),
            "email" => Email::check(&value).map(drop),
            "password" => {
                let min = kind.split_once(':').and_then(|(_, min)| min.parse().ok());
                flaw::password(&value, min.unwrap_or(flaw::PASSWORD_MIN)).map(drop)
            }
            "text" => flaw::text(&value, kind.split_once(':')?.1.parse().ok()?).map(drop),
            _ => return None,
        };
        Some((field.clone(), result))
    }

    /// A field was left: says what is wrong, unless it is empty, for nobody wants to be told off for passing by.
    fn left(field: &HtmlElement, next: Option<&Element>) {
        let Some((place, result)) = judge(field) else {
            return;
        };
        if next.is_some_and(|next| place.contains(Some(next))) {
            return;
        }
        if field.get_attribute("data-check").as_deref() == Some("phone")
            && let Some(country) = told(field, "country")
            && let Ok(phone) = Phone::plausible(&value(field), &country)
        {
            let _ = js_sys::Reflect::set(field, &"value".into(), &show_phone(phone.as_str()).into());
        }
        match result {
            Err(Flaw::Missing) => {}
            Err(flaw) => show(&place, Some(&words(&place, &flaw))),
            Ok(()) => show(&place, None),
        }
    }

    fn clear_or_keep(field: &HtmlElement) {
        if let Some((place, Ok(()))) = judge(field) {
            show(&place, None);
        }
    }

    fn words(place: &Element, flaw: &Flaw) -> String {
        let text = told(place, &flaw.key().replace('_', "-")).unwrap_or_default();
        text.replace("{n}", &flaw.number().map(|n| n.to_string()).unwrap_or_default())
    }

    /// Puts a message at a field or takes it away.
    fn show(place: &Element, message: Option<&str>) {
        let Some(name) = place.get_attribute("data-name") else {
            return;
        };
        let Some(line) = document().and_then(|d| d.get_element_by_id(&format!("{name}-message"))) else {
            return;
        };
        line.set_text_content(message);
        let fields = place.query_selector_all("input, select, textarea").ok();
        let mark = |field: &Element| {
            let _ = match message {
                Some(_) => field.set_attribute("aria-invalid", "true"),
                None => field.remove_attribute("aria-invalid"),
            };
        };
        if place.has_attribute("data-check-group") {
            for i in 0..fields.as_ref().map_or(0, web_sys::NodeList::length) {
                if let Some(field) = fields
                    .as_ref()
                    .and_then(|f| f.item(i))
                    .and_then(|n| n.dyn_into::<Element>().ok())
                {
                    mark(&field);
                }
            }
        } else {
            mark(place);
        }
    }

    /// Shows that a form is on its way, on itself and on what was pressed, and says so to whoever does not see it.
    fn busy(form: &HtmlFormElement, submitter: Option<&HtmlElement>, said: Option<&Element>, is_busy: bool) {
        let form: &HtmlElement = form;
        for place in [Some(form), submitter].into_iter().flatten() {
            let _ = match is_busy {
                true => place.set_attribute("aria-busy", "true"),
                false => place.remove_attribute("aria-busy"),
            };
        }
        if let Some(said) = said {
            let words = said.get_attribute("data-sending").filter(|_| is_busy);
            said.set_text_content(words.as_deref());
        }
    }

    /// Sends a form and shows what came of it; whether the browser goes to another page. Any trouble is an error: the browser
    /// then sends it the plain way, under the same idempotency key.
    async fn send(form: &HtmlFormElement, submitter: Option<&HtmlElement>) -> Result<bool, JsValue> {
        let window = web_sys::window().ok_or(JsValue::NULL)?;
        let data = FormData::new_with_form(form)?;
        if let Some((name, value)) = submitter.and_then(|s| Some((s.get_attribute("name")?, s.get_attribute("value")?)))
        {
            data.append_with_str(&name, &value)?;
        }
        // What a button does not need stays here: files are large.
        if let Some(name) = submitter.and_then(|s| s.get_attribute("data-without")) {
            data.delete(&name);
        }
        // Files go in parts, as the browser itself would send them.
        let body: JsValue = if form.has_attribute("enctype") {
            data.into()
        } else {
            UrlSearchParams::new_with_str_sequence_sequence(&data)?.into()
        };
        let headers = Headers::new()?;
        headers.set("kabinet-enhance", "1")?;
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_body(&body);
        init.set_headers(&headers);
        init.set_redirect(RequestRedirect::Manual);
        let response = JsFuture::from(window.fetch_with_str_and_init(&window.location().href()?, &init)).await?;
        let response: Response = response.dyn_into()?;
        if response.status() == 204 {
            let next = response.headers().get("kabinet-next")?.ok_or(JsValue::NULL)?;
            window.location().assign(&next)?;
            return Ok(true);
        }
        let text = JsFuture::from(response.text()?)
            .await?
            .as_string()
            .ok_or(JsValue::NULL)?;
        let page = DomParser::new()?.parse_from_string(&text, SupportedType::TextHtml)?;
        // A page without the form is none that came back to be mended.
        let came = page.get_element_by_id(&form.id()).ok_or(JsValue::NULL)?;
        document().ok_or(JsValue::NULL)?.set_title(&page.title());
        form.replace_with_with_node_1(&came)?;
        // Chosen files cannot be written into another field, so their field goes along, unless it is what is wrong.
        if let Some(chosen) = form.query_selector("[type=file]")?
            && !value(&chosen).is_empty()
            && let Some(place) = came.query_selector("[type=file]:not([aria-invalid]), [data-again]")?
        {
            place.replace_with_with_node_1(&chosen)?;
            show(&chosen, None);
        }
        if let Some(summary) = came.query_selector(".errors")? {
            summary.dyn_into::<HtmlElement>()?.focus()?;
        }
        Ok(false)
    }

    /// Sends the form as a browser without us would.
    fn plain(form: &HtmlFormElement, submitter: Option<&HtmlElement>) {
        let _ = form.set_attribute("data-plain", "");
        let named = submitter.and_then(|s| Some((s.get_attribute("name")?, s.get_attribute("value")?)));
        if let Some((name, value)) = named
            && let Some(input) = document().and_then(|d| d.create_element("input").ok())
            && let Ok(input) = input.dyn_into::<HtmlInputElement>()
        {
            input.set_type("hidden");
            input.set_name(&name);
            input.set_value(&value);
            let _ = form.append_child(&input);
        }
        let _ = form.submit();
    }
}
