//! Components that know nothing of the CRM's tables: frame, form, field, icon, barcode, chart.

pub mod barcode;
pub mod chart;
pub mod form;
pub mod frame;
pub mod html;
pub mod icon;
pub mod markdown;
pub mod passkey;
pub mod qr;
pub mod table;

pub use form::{
    AddBox, Check, ChoiceOption, Choices, DateField, ErrorSummary, Field, FieldMessage, FileField, FilesField, FormBox,
    Select, TextArea,
};
pub use icon::icon;
pub use passkey::{Asked, PasskeyField};
pub use qr::QrCode;
pub use table::{DataTable, Head, table_or};

use crate::ui::html::IntoHtml;
use leptos::prelude::*;

/// A moment, short for the eye and exact for hovering and for screen readers.
#[component]
pub fn Moment(
    /// When.
    at: chrono::DateTime<chrono::Utc>,
    /// What is shown.
    shown: String,
    /// What the wall clock showed, where that is another one than the shop's.
    #[prop(optional)]
    local: Option<chrono::NaiveDateTime>,
) -> impl IntoView {
    let cx = crate::cx::cx();
    let local = local.unwrap_or_else(|| cx.shop().local(at));
    let exact = format!(
        "{}, {}",
        crate::format::date(cx.lang, local.date()),
        local.format("%H:%M:%S")
    );
    view! { <time datetime=at.to_rfc3339() title=exact>{shown}</time> }
}

/// Prints the page. It takes a script; without one there is no button.
#[component]
pub fn PrintButton() -> impl IntoView {
    let words = crate::cx::cx().t().common.print;
    view! {
        <button class="btn later" type="button" hidden data-print="">{words}</button>
        <script type="module" src="/print.js"></script>
    }
}

/// Names or codes, each with its words: the labels of a form's fields, the choices of a list.
pub fn pairs<'a>(all: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    let owned = |(name, words): (&str, &str)| (name.to_owned(), words.to_owned());
    all.into_iter().map(owned).collect()
}

/// Paragraphs of a text that a person wrote: empty lines part them, single breaks stay.
pub fn paragraphs(text: &str) -> impl IntoView + use<> {
    let paragraphs: Vec<_> = text
        .split("\n\n")
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .map(|p| view! { <p dir="auto">{p.to_owned()}</p> })
        .collect();
    paragraphs.into_html()
}
