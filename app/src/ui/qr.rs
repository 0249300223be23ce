//! QR codes as SVG, black on white in every theme: cameras need the light quiet zone around them.

use leptos::prelude::*;
use qrcode::{Color, EcLevel, QrCode as Modules};

/// Light modules on each side (ISO/IEC 18004, 5.3.8).
const QUIET: usize = 4;

/// A text as a QR code; nothing when it is too long for one.
#[component]
pub fn QrCode(
    /// What it says.
    #[prop(into)]
    text: String,
    /// What a screen reader says instead.
    label: &'static str,
) -> impl IntoView {
    let code = Modules::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let modules = code.to_colors();
    // Runs of dark modules become one stroke each.
    let mut dark = String::new();
    for (y, row) in modules.chunks(width).enumerate() {
        let mut x = 0;
        while x < width {
            let run = row[x..].iter().take_while(|module| **module == row[x]).count();
            if row[x] == Color::Dark {
                dark.push_str(&format!("M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET));
            }
            x += run;
        }
    }
    let side = width + 2 * QUIET;
    Some(view! {
        <svg class="qr" viewBox=format!("0 0 {side} {side}") role="img" aria-label=label shape-rendering="crispEdges">
            <path fill="#fff" d=format!("M0 0h{side}v{side}H0z")></path>
            <path fill="#000" d=dark></path>
        </svg>
    })
}
