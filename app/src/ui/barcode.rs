//! EAN-13 as SVG, black on white in every theme: scanners need the light quiet zones on both sides.

use barcoders::sym::ean13::EAN13;
use leptos::prelude::*;

/// The bars of a card number; nothing when the number is none.
#[component]
pub fn Barcode(
    /// Thirteen digits.
    number: String,
) -> impl IntoView {
    let modules = EAN13::new(&number).map(|code| code.encode()).unwrap_or_default();
    // Runs of dark modules become one rectangle each; 11 and 7 modules of quiet zone (GS1 General Specifications, 5.2).
    let mut bars = String::new();
    let mut at = 0;
    while at < modules.len() {
        let width = modules[at..].iter().take_while(|m| **m == modules[at]).count();
        if modules[at] == 1 {
            bars.push_str(&format!("M{} 0h{width}v60h-{width}z", at + 11));
        }
        at += width;
    }
    let spoken = crate::cx::cx().t().common.barcode(&number);
    view! {
        <svg class="barcode" viewBox="0 -4 113 68" role="img" aria-label=spoken preserveAspectRatio="none" shape-rendering="crispEdges">
            <path fill="#fff" d="M0-4h113v68H0z"></path>
            <path fill="#000" d=bars></path>
        </svg>
    }
}
