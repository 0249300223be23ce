//! What a browser downloads for a page the first time: found by walking the site as a customer.

use crate::load::Target;
use crate::report::{Budget, Report};
use anyhow::{Result, ensure};
use regex_lite::Regex;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Sizes as they cross the wire, in bytes, by kind.
#[derive(Default)]
struct Weight {
    html: usize,
    css: usize,
    js: usize,
    wasm: usize,
    rest: usize,
}

/// Weighs every kind of page that links lead to from the home page.
pub async fn measure(report: &mut Report, target: &dyn Fn(&str) -> Target) -> Result<()> {
    let links = Regex::new(r##"href="(/[^"#?]*)"##)?;
    // One page of each kind: an id, a number of a request or the code of a program stands for all.
    let sample = Regex::new(r"/[0-9a-f-]{36}|/\d+|^/programs/.+|^/consents/.+")?;
    let parts = Regex::new(r#"(?:href|src)="(/(?:pkg/|theme)[^"]+)""#)?;
    let mut files: HashMap<String, usize> = HashMap::new();
    let mut pages: BTreeMap<String, Weight> = BTreeMap::new();
    let mut waiting = VecDeque::from(["/".to_owned()]);
    while let Some(path) = waiting.pop_front() {
        let kind = sample.replace_all(&path, "/…").into_owned();
        if pages.contains_key(&kind) {
            continue;
        }
        let page = target(&path);
        let plain = page.ask("identity").await?;
        let is_html = plain
            .headers
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        if plain.status != 200 || !is_html {
            continue;
        }
        let html = String::from_utf8(plain.body.to_vec())?;
        let mut weight = Weight {
            html: page.ask("br").await?.body.len(),
            ..Weight::default()
        };
        let mut addresses: Vec<&str> = parts
            .captures_iter(&html)
            .filter_map(|c| Some(c.get(1)?.as_str()))
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        for address in addresses {
            if !files.contains_key(address) {
                let answer = target(address).ask("br").await?;
                ensure!(answer.status == 200, "{address} answered {}", answer.status);
                files.insert(address.to_owned(), answer.body.len());
            }
            let size = files[address];
            match address.rsplit('.').next() {
                Some("css") => weight.css += size,
                Some("js") => weight.js += size,
                Some("wasm") => weight.wasm += size,
                _ => weight.rest += size,
            }
        }
        pages.insert(kind, weight);
        waiting.extend(
            links
                .captures_iter(&html)
                .filter_map(|c| Some(c.get(1)?.as_str().to_owned())),
        );
    }

    report.section("A page's first load, Brotli, in kB (1,000 bytes): HTML + style + JavaScript + WebAssembly");
    let kb = |bytes: usize| bytes as f64 / 1000.0;
    for (path, w) in &pages {
        let all = w.html + w.css + w.js + w.wasm + w.rest;
        let parts = format!(
            "{path}  {:.1} + {:.1} + {:.1} + {:.1}",
            kb(w.html),
            kb(w.css),
            kb(w.js),
            kb(w.wasm)
        );
        report.line(&parts, kb(all), "kB", Budget::AtMost(90.0));
    }
    let most = |part: fn(&Weight) -> usize| kb(pages.values().map(part).max().unwrap_or_default());
    report.line(
        "JavaScript and WebAssembly, the heaviest page",
        most(|w| w.js + w.wasm),
        "kB",
        Budget::AtMost(60.0),
    );
    report.line("style", most(|w| w.css), "kB", Budget::AtMost(15.0));
    Ok(())
}
