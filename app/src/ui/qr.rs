//! QR codes as SVG, black on white in every theme: cameras need the light quiet zone around them.

use crm::card::qr;
use leptos::prelude::*;

/// A text as a QR code; nothing when it is too long for one.
#[component]
pub fn QrCode(
    /// What it says.
    #[prop(into)]
    text: String,
    /// What a screen reader says instead.
    label: &'static str,
    /// Classes.
    #[prop(default = "qr")]
    class: &'static str,
) -> impl IntoView {
    let qr::Drawing { side, dark } = qr::drawing(&text)?;
    Some(view! {
        <svg class=class viewBox=format!("0 0 {side} {side}") role="img" aria-label=label shape-rendering="crispEdges">
            <path fill="#fff" d=format!("M0 0h{side}v{side}H0z")></path>
            <path fill="#000" d=dark></path>
        </svg>
    })
}
