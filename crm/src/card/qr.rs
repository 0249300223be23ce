//! QR codes as SVG, drawn alike on the server and in the browser.

use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules on each side (ISO/IEC 18004, 5.3.8).
const QUIET: i32 = 4;

/// A QR code to be drawn, in modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    /// Its side, with the light modules around it.
    pub side: i32,
    /// The dark modules, as the data of a path.
    pub dark: String,
}

/// A text as a QR code; `None` when it is too long for one.
pub fn drawing(text: &str) -> Option<Drawing> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size();
    // Runs of dark modules become one stroke each.
    let mut dark = String::new();
    for y in 0..size {
        let mut x = 0;
        while x < size {
            let is_dark = code.get_module(x, y);
            let run = (x..size).take_while(|at| code.get_module(*at, y) == is_dark).count();
            if is_dark {
                dark.push_str(&format!("M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET));
            }
            x += i32::try_from(run).unwrap_or(size);
        }
    }
    let side = size + 2 * QUIET;
    Some(Drawing { side, dark })
}
