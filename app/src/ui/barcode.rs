//! EAN-13 and Code 128 as SVG, black on white in every theme: scanners need the light quiet zones on both sides.

use barcoders::sym::code128::Code128;
use barcoders::sym::ean13::EAN13;
use leptos::prelude::*;

/// Modules of quiet zone before and after an EAN-13 (GS1 General Specifications, 5.2).
const EAN_QUIET: (usize, usize) = (11, 7);
/// The same of a Code 128 (ISO/IEC 15417, 4.4).
const CODE_128_QUIET: (usize, usize) = (10, 10);

/// The bars of a card number; nothing when the number is none.
#[component]
pub fn Barcode(
    /// Thirteen digits.
    number: String,
) -> impl IntoView {
    let modules = EAN13::new(&number).map(|code| code.encode()).unwrap_or_default();
    bars(&modules, EAN_QUIET, crate::cx::cx().t().common.barcode(&number))
}

/// The same number as Code 128, for scanners that were set up for nothing else.
#[component]
pub fn Code128Barcode(
    /// Thirteen digits.
    number: String,
    /// What a screen reader says instead.
    label: &'static str,
) -> impl IntoView {
    // Pairs of digits (set C), and the odd one by itself (set B).
    let (pairs, odd) = number.split_at_checked(12).unwrap_or((number.as_str(), ""));
    let code = Code128::new(format!("\u{106}{pairs}\u{181}{odd}"));
    let modules = code.map(|code| code.encode()).unwrap_or_default();
    bars(&modules, CODE_128_QUIET, label.to_owned())
}

/// A code of capital letters and digits as Code 128 (set B).
#[component]
pub fn CodeBars(
    /// The code.
    code: String,
    /// What a screen reader says instead.
    label: String,
) -> impl IntoView {
    let code = Code128::new(format!("\u{181}{code}"));
    let modules = code.map(|code| code.encode()).unwrap_or_default();
    bars(&modules, CODE_128_QUIET, label)
}

/// Runs of dark modules become one rectangle each.
fn bars(modules: &[u8], (before, after): (usize, usize), spoken: String) -> impl IntoView + use<> {
    let mut bars = String::new();
    let mut at = 0;
    while at < modules.len() {
        let width = modules[at..].iter().take_while(|m| **m == modules[at]).count();
        if modules[at] == 1 {
            bars.push_str(&format!("M{} 0h{width}v60h-{width}z", at + before));
        }
        at += width;
    }
    let width = modules.len() + before + after;
    view! {
        <svg class="barcode" viewBox=format!("0 -4 {width} 68") role="img" aria-label=spoken preserveAspectRatio="none"
            shape-rendering="crispEdges">
            <path fill="#fff" d=format!("M0-4h{width}v68H0z")></path>
            <path fill="#000" d=bars></path>
        </svg>
    }
}
