//! What the service worker keeps on a device for when there is no network: what is in the pages, how it learns whose they
//! are, and how browsers come by it.

use crate::common::html::{Tag, tags};
use crate::common::{Reply, TestApp, Town};
use axum::http::StatusCode;
use std::collections::BTreeSet;

/// The mark by which a page says whose it is; the empty text where it speaks to no worker.
fn mark(page: &Reply) -> String {
    assert_eq!(page.status, StatusCode::OK, "{}", page.path);
    let tags = tags(&page.body);
    let told = tags.iter().find_map(|tag| tag.get("data-worker"));
    told.unwrap_or_default().to_owned()
}

fn rotating(page: &Reply) -> Tag {
    let found = tags(&page.body).into_iter().find(|tag| tag.has("data-rotating"));
    found.expect("a place for the code")
}

#[tokio::test]
async fn s26_the_card_that_is_kept_holds_what_a_till_needs_and_no_more() {
    let mut town = Town::new().await;
    let (card, kept) = (town.anna.get("/card").await, town.anna.get("/card/offline").await);
    assert_eq!(
        kept.header("cache-control"),
        "no-store",
        "but for the worker nobody keeps it"
    );
    let (card, place) = (rotating(&card), rotating(&kept));
    for told in [
        "data-number",
        "data-secret",
        "data-now",
        "data-left",
        "data-ahead",
        "data-behind",
    ] {
        assert!(place.has(told), "{told}");
        assert_eq!(place.get(told), card.get(told), "{told}");
    }
    let number = crm::card::show(place.get("data-number").expect("a number"));
    let words = kept.text();
    assert!(words.contains(&number.replace('\u{a0}', " ")), "{words}");
    assert!(!words.contains("Анна") && !words.contains("Баллы"), "{words}");
    // Nothing that leads on into the cabinet, and nothing that is sent.
    let tags = tags(&kept.body);
    for name in ["form", "input", "button", "nav"] {
        assert!(tags.iter().all(|tag| tag.name != name), "<{name}>");
    }
    let links = tags.iter().filter(|tag| tag.name == "a");
    let links: BTreeSet<_> = links.filter_map(|tag| tag.get("href")).collect();
    assert_eq!(links, BTreeSet::from(["#main", "/", "/card"]));
    assert_eq!(mark(&kept), "", "a copy asks for no copy");
}

#[tokio::test]
async fn a_card_of_plastic_is_kept_without_a_code_and_no_card_is_told() {
    let app = TestApp::new().await;
    let mut boris = app.customer("Борис").await;
    app.execute("UPDATE cards SET kind = 'plastic'").await;
    let kept = boris.get("/card/offline").await;
    assert!(tags(&kept.body).iter().all(|tag| !tag.has("data-rotating")));
    // The screen stays on all the same, with a network and without.
    for page in [&boris.get("/card").await, &kept] {
        let scripts: Vec<_> = tags(&page.body);
        assert!(
            scripts.iter().any(|tag| tag.get("src") == Some("/awake.js")),
            "{}",
            page.path
        );
    }
    kept.assert_says("Если сканер не читает штрихкод");
    app.execute("UPDATE cards SET state = 'blocked'").await;
    let none = boris.get("/card/offline").await;
    assert_eq!(none.status, StatusCode::OK);
    none.assert_says("нет карты");
}

#[tokio::test]
async fn s26_each_person_has_a_mark_of_their_own() {
    let mut town = Town::new().await;
    let anna = mark(&town.anna.get("/").await);
    assert_eq!(anna.len(), 16);
    assert_eq!(mark(&town.anna.get("/card").await), anna, "on every page the same");
    assert_ne!(mark(&town.boris.get("/").await), anna);
    town.anna.send("/card", "theme", &[("theme", "dark")]).await;
    let dark = mark(&town.anna.get("/").await);
    town.anna.send("/card", "language", &[("language", "en")]).await;
    let english = mark(&town.anna.get("/").await);
    assert_eq!(BTreeSet::from([&anna, &dark, &english]).len(), 3, "it looks otherwise");
    // Who is not signed in, and staff, have nothing that would be kept.
    assert_eq!(mark(&town.app.anybody().get("/sign-in").await), "");
    assert_eq!(mark(&town.agent.get("/admin/requests").await), "");
}

#[tokio::test]
async fn that_there_is_no_network_is_told_in_the_language_of_the_person() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let page = anna.get("/offline").await;
    page.assert_says("Нет сети");
    assert!(!page.text().contains("Анна"), "it is nobody's");
    let leads = |page: &Reply| tags(&page.body).iter().any(|tag| tag.get("href") == Some("/card"));
    assert!(leads(&page));
    anna.send("/card", "language", &[("language", "en")]).await;
    let page = anna.get("/offline").await;
    assert!(page.text().contains("No connection") && leads(&page), "{}", page.text());
}

#[tokio::test]
async fn browsers_ask_for_the_worker_anew_each_time() {
    let site = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(site.path().join("pkg")).expect("a folder");
    for file in ["sw.js", "pkg/offline.0.js", "robots.txt"] {
        std::fs::write(site.path().join(file), "// A file").expect("written");
    }
    let folder = site.path().to_owned();
    let app = TestApp::build(false, |config| config.site_dir = folder).await;
    for (path, kind, cache) in [
        ("/sw.js", "javascript", "no-cache"),
        ("/pkg/offline.0.js", "javascript", "public, max-age=31536000, immutable"),
        ("/robots.txt", "text/plain", "public, max-age=3600"),
    ] {
        let reply = app.anybody().get(path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert_eq!(reply.header("cache-control"), cache, "{path}");
        assert!(reply.header("content-type").contains(kind), "{path}");
        // What the worker asks for is bound by the policy of its own file.
        let policy = reply.header("content-security-policy");
        assert!(
            policy.contains("worker-src 'self'") && policy.contains("connect-src 'self'"),
            "{policy}"
        );
        // It lies at the root and reaches no further.
        assert_eq!(reply.header("service-worker-allowed"), "", "{path}");
    }
}
