//! What every answer tells the browser, and what no page holds.

use crate::common::html::tags;
use crate::common::{HOME, SAME_SITE, Town};
use app::ROUTES;
use app::route::Access;
use axum::http::{Method, StatusCode};
use std::collections::BTreeSet;

const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; \
    manifest-src 'self'; worker-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[tokio::test]
async fn s02_s03_every_answer_carries_the_headers() {
    let mut town = Town::new().await;
    let mut replies = Vec::new();
    for route in ROUTES {
        let at = town.path(route.path).await.expect("a sample");
        replies.push(town.anna.get(&at).await);
        replies.push(town.agent.get(&at).await);
        replies.push(town.app.anybody().get(&at).await);
    }
    let mut anybody = town.app.anybody();
    replies.push(anybody.get("/nowhere").await);
    replies.push(anybody.get("/manifest.webmanifest").await);
    replies.push(anybody.get("/theme-165.css").await);
    replies.push(anybody.request(Method::POST, "/sign-in", &[], Vec::new()).await);
    replies.push(
        anybody
            .request(Method::DELETE, "/sign-in", &SAME_SITE, Vec::new())
            .await,
    );
    replies.push(anybody.send("/sign-in", "sign_in.start", &[("phone", "x")]).await);
    replies.push(anybody.send("/sign-in", "theme", &[("theme", "dark")]).await);
    for reply in replies {
        let at = format!("{} {}", reply.path, reply.status);
        assert_eq!(reply.header("content-security-policy"), POLICY, "{at}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{at}");
        assert_eq!(reply.header("referrer-policy"), "same-origin", "{at}");
        assert_eq!(reply.header("cross-origin-opener-policy"), "same-origin", "{at}");
        let permissions = reply.header("permissions-policy");
        // One page reads codes by the camera, and no other may open it.
        let camera = match reply.path.as_str() {
            "/purchases/claim" => "camera=(self)",
            _ => "camera=()",
        };
        assert!(
            permissions.contains(camera) && permissions.contains("microphone=()"),
            "{at}: {permissions}"
        );
        let hsts = reply.header("strict-transport-security");
        let seconds: u64 = hsts
            .strip_prefix("max-age=")
            .and_then(|h| h.split(';').next()?.parse().ok())
            .unwrap_or_default();
        assert!(seconds >= 31_536_000, "{at}: {hsts}");
        for header in ["server", "x-powered-by", "access-control-allow-origin"] {
            assert_eq!(reply.header(header), "", "{at} has {header}");
        }
    }
    assert!(HOME.starts_with("https://"), "else there would be no HSTS to look for");
}

#[tokio::test]
async fn s01_cookies_of_every_way_in_are_bound_to_the_host() {
    let mut town = Town::new().await;
    let mut who = town.app.anybody();
    let phone = town.app.free_phone();
    let mut replies = vec![
        who.send("/sign-in", "theme", &[("theme", "dark")]).await,
        who.send("/sign-in", "language", &[("language", "en")]).await,
        who.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await,
    ];
    let anna = town.anna.phone.clone();
    town.app
        .world
        .clock
        .set(crm::testing::start() + chrono::Duration::minutes(5));
    replies.push(town.app.anybody().prove(&anna).await);
    replies.push(town.agent.send("/admin/sign-in", "staff_sign_out", &[]).await);
    for reply in replies {
        let lines: Vec<_> = reply
            .headers
            .get_all("set-cookie")
            .iter()
            .map(|line| line.to_str().expect("text"))
            .collect();
        assert!(!lines.is_empty(), "{}", reply.path);
        for line in lines {
            assert!(line.starts_with("__Host-"), "{line}");
            for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
                assert!(line.contains(part), "{line}");
            }
            assert!(!line.contains("Domain"), "{line}");
        }
    }
}

#[tokio::test]
async fn s26_personal_pages_are_not_kept() {
    let mut town = Town::new().await;
    for route in ROUTES {
        let at = town.path(route.path).await.expect("a sample");
        for who in [&mut town.anna.browser, &mut town.boris.browser, &mut town.agent] {
            assert_eq!(who.get(&at).await.header("cache-control"), "no-store", "{at}");
        }
    }
}

#[tokio::test]
async fn s26_who_leaves_leaves_nothing_behind() {
    let mut town = Town::new().await;
    for (who, at, form) in [
        (&mut town.anna.browser, "/sign-in", "sign_out"),
        (&mut town.agent, "/admin/sign-in", "staff_sign_out"),
    ] {
        let reply = who.send(at, form, &[]).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER);
        assert_eq!(reply.header("clear-site-data"), "\"cache\", \"storage\"", "{form}");
    }
    // And it is said then only: it would throw away the language with every page.
    assert_eq!(town.boris.get("/sign-in").await.header("clear-site-data"), "");
    let chosen = town.boris.send("/card", "theme", &[("theme", "dark")]).await;
    assert_eq!(chosen.header("clear-site-data"), "");
}

/// Where links to a shop's place on a map lead.
const MAPS: [&str; 2] = ["https://www.openstreetmap.org/", "https://yandex.ru/maps/"];

#[tokio::test]
async fn s02_no_page_holds_what_the_policy_forbids() {
    let mut town = Town::new().await;
    let mut pages = Vec::new();
    for route in ROUTES {
        let at = town.path(route.path).await.expect("a sample");
        let mut anybody = town.app.anybody();
        let who = match route.access {
            Access::Customer => &mut town.anna.browser,
            Access::Staff => &mut town.agent,
            _ => &mut anybody,
        };
        pages.push(who.get(&at).await);
        for form in route.forms {
            // Whatever comes of it, an error at a field or a page of its own.
            pages.push(who.send(&at, form.name, &[]).await);
        }
    }
    pages.push(town.anna.get("/nowhere").await);
    pages.push(town.agent.get("/admin/nowhere").await);
    // The steps between the phone and the card.
    let mut new = town.app.anybody();
    let phone = town.app.free_phone();
    new.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
    pages.push(new.get("/sign-in/code").await);
    let code = town.app.code(&phone).await;
    new.send("/sign-in/code", "sign_in.verify", &[("code", &code)]).await;
    pages.push(new.get("/sign-in/details").await);
    new.send("/sign-in/details", "sign_in.details", &crate::common::details("Вера"))
        .await;
    pages.push(new.get("/sign-in/review").await);
    let mut loaders = BTreeSet::new();
    for page in pages.iter().filter(|page| page.body.starts_with("<!DOCTYPE html>")) {
        let at = format!("{} {}", page.path, page.status);
        let tags = tags(&page.body);
        let has = |what: &str| tags.iter().any(|tag| tag.name == what || tag.get(what).is_some());
        let needs = [
            ("leptos-island", "/pkg/kabinet-loader.0.js"),
            ("data-rotating", "/pkg/rotating-loader.0.js"),
            ("data-worker", "/pkg/offline.0.js"),
            ("data-live", "/pkg/live.0.js"),
            ("data-bar", "/find.js"),
            ("data-due", "/due.js"),
            ("data-near", "/near.js"),
            ("data-scan", "/pkg/scan.0.js"),
            ("data-suggest", "/suggest.js"),
            ("data-progress", "/progress.js"),
            ("data-awake", "/awake.js"),
            ("data-desk", "/desk.js"),
            ("data-print", "/print.js"),
            ("data-share", "/share.js"),
        ];
        let needed = needs.into_iter().filter(|(what, _)| has(what));
        let expected: Vec<&str> = needed.map(|(_, script)| script).collect();
        let scripts: Vec<_> = tags.iter().filter(|tag| tag.name == "script").collect();
        loaders.extend(expected.clone());
        let loaded: Vec<_> = scripts
            .iter()
            .map(|script| script.get("src").unwrap_or("nothing"))
            .collect();
        assert_eq!(loaded, expected, "{at}: a script for each thing that needs one");
        assert!(
            scripts.iter().all(|script| script.text.trim().is_empty()),
            "{at}: nothing inline"
        );
        assert_eq!(
            page.body.contains(".wasm"),
            expected.contains(&"/pkg/rotating-loader.0.js"),
            "{at}: no WebAssembly comes before the page but the code of a card"
        );
        for tag in &tags {
            assert!(
                tag.name != "style" && tag.name != "iframe" && tag.name != "base",
                "{at} has <{}>",
                tag.name
            );
            for (name, value) in &tag.attributes {
                assert!(
                    name != "style" && !name.starts_with("on"),
                    "{at}: <{} {name}={value:?}>",
                    tag.name
                );
                assert!(
                    !value.trim().to_ascii_lowercase().starts_with("javascript:"),
                    "{at}: {value}"
                );
                if matches!(name.as_str(), "src" | "href" | "action") {
                    // An empty one is the page itself: to ask for it once more.
                    let ours = value.is_empty()
                        || value.starts_with(['/', '#', '?'])
                        || value.starts_with("tel:")
                        || value.starts_with("mailto:")
                        // Maps open elsewhere, and are not told who comes.
                        || (MAPS.iter().any(|map| value.starts_with(map)) && tag.get("rel") == Some("noopener noreferrer"));
                    assert!(ours && !value.starts_with("//"), "{at}: {name}={value:?} leads away");
                }
            }
        }
    }
    assert_eq!(loaders.len(), 12, "each script is loaded somewhere: {loaders:?}");
}
