//! What browsers download: the files that the build made, and two made from configuration.

use app::cx::{Module, Scan, Site};
use app::texts::Texts;
use crm::shop::Shop;
use serde::Deserialize;
use std::path::Path;

/// The build that this program belongs to.
pub const BUILD: &str = env!("KABINET_BUILD_ID");

#[derive(Deserialize)]
struct SiteJson {
    build: String,
    css: String,
    islands: Module,
    rotating: Module,
    offline: String,
    live: String,
    scan: Scan,
}

/// Reads the addresses of the built files. Fails with what to do when the folder is missing or of another build: the
/// islands would stay dead without a word.
pub fn load(dir: &Path, shop: &Shop) -> Result<Site, String> {
    let file = dir.join("site.json");
    let text = std::fs::read_to_string(&file).map_err(|e| {
        format!(
            "{}: {e}; `make site` builds the folder, `site_dir` says where it is",
            file.display()
        )
    })?;
    let json: SiteJson = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))?;
    if json.build != BUILD {
        return Err(format!(
            "{} is of build {}, the program of build {BUILD}; build both from the same source (`make site`)",
            file.display(),
            json.build
        ));
    }
    Ok(Site {
        css: json.css,
        islands: json.islands,
        rotating: json.rotating,
        offline: json.offline,
        live: json.live,
        scan: json.scan,
        theme: format!("/theme-{}.css", shop.hue),
        api: crate::api::description(),
    })
}

/// The brand's colour: everything else is derived from it in the style sheet.
pub fn theme_css(shop: &Shop) -> String {
    format!(":root{{--brand-hue:{}}}", shop.hue)
}

/// The web app's manifest (W3C Web Application Manifest). Its shortcut leads from the icon on a home screen straight to the card.
pub fn manifest(shop: &Shop) -> serde_json::Value {
    let card = Texts::of(shop.language).card.title;
    serde_json::json!({
        "name": shop.name,
        "short_name": shop.name,
        "lang": shop.language.code(),
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#faf7f0",
        "theme_color": "#faf7f0",
        "icons": [
            {"src": "/icon-192.png", "sizes": "192x192", "type": "image/png"},
            {"src": "/icon-512.png", "sizes": "512x512", "type": "image/png"},
            {"src": "/icon-maskable-512.png", "sizes": "512x512", "type": "image/png", "purpose": "maskable"}
        ],
        "shortcuts": [
            {"name": card, "url": "/card", "icons": [{"src": "/icon-192.png", "sizes": "192x192", "type": "image/png"}]}
        ]
    })
}
