//! How fast pages are read, and how much a customer writes: enough for everybody, and not without end (2.4.1).

use crate::common::{Browser, TestApp};
use axum::http::{Method, StatusCode};
use chrono::Duration;
use crm::testing::start;
use server::router::{self, App};
use std::sync::Arc;

#[tokio::test]
async fn a_session_that_reads_too_fast_is_told_when_to_go_on_and_nobody_else_waits() {
    let app = TestApp::build(false, |config| {
        config.limits.pages_per_session = 5;
        config.limits.pages_per_network = 100;
    })
    .await;
    let mut anna = app.customer("Анна").await;
    let mut boris = app.customer("Борис").await;
    app.world.clock.set(start() + Duration::seconds(80));
    for n in 0..5 {
        assert_eq!(anna.get("/card").await.status, StatusCode::OK, "page {n}");
    }
    let slow = anna.get("/card").await;
    assert_eq!(slow.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(slow.header("retry-after"), "40");
    slow.assert_says("Слишком часто");
    assert!(!slow.text().contains("Анна") && slow.header("content-security-policy").contains("default-src 'none'"));
    // The same from another network, and for what changes something.
    let before = app.everything(&[]).await;
    let mut elsewhere = app.anybody();
    elsewhere.cookies = anna.cookies.clone();
    assert_eq!(elsewhere.get("/points").await.status, StatusCode::TOO_MANY_REQUESTS);
    let sent = anna
        .send("/profile/contacts", "contact.add_email", &[("email", "a@example.com")])
        .await;
    assert_eq!(sent.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(app.everything(&[]).await, before, "nothing changed");
    // What is no page is not counted, and nobody else waits.
    for path in ["/healthz", "/readyz", "/manifest.webmanifest"] {
        assert_eq!(anna.get(path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(boris.get("/card").await.status, StatusCode::OK);
    app.world.clock.set(start() + Duration::seconds(120));
    assert_eq!(anna.get("/card").await.status, StatusCode::OK, "the next minute");
}

#[tokio::test]
async fn a_network_that_reads_too_fast_is_slowed_down_whatever_cookies_it_makes_up() {
    let app = TestApp::build(false, |config| {
        config.limits.pages_per_session = 5;
        config.limits.pages_per_network = 20;
    })
    .await;
    let mut thief = app.anybody();
    for n in 0..20 {
        thief.cookies.insert("__Host-kabinet".into(), format!("made up {n}"));
        assert_eq!(thief.get("/sign-in").await.status, StatusCode::OK, "page {n}");
    }
    for path in [
        "/sign-in",
        "/admin/sign-in",
        "/consents/personal_data",
        "/sign-in/with/test",
    ] {
        assert_eq!(thief.get(path).await.status, StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
    assert_eq!(app.anybody().get("/sign-in").await.status, StatusCode::OK);
}

#[tokio::test]
async fn whatever_asks_the_database_is_counted_and_files_are_not() {
    let app = TestApp::build(false, |config| {
        config.limits.pages_per_session = 4;
        config.limits.pages_per_network = 1000;
    })
    .await;
    let anna = app.customer("Анна").await;
    let id = "00000000-0000-0000-0000-000000000000";
    let paths = [
        format!("/profile/data/{id}"),
        format!("/profile/consents/{id}/receipt.txt"),
        "/nowhere".to_owned(),
        "/admin".to_owned(),
    ];
    for (n, path) in (2_i32..).zip(&paths) {
        app.world.clock.set(start() + Duration::minutes(n.into()));
        let mut who = anna.browser.clone();
        // Staff are counted by their own cookie.
        let session = who.cookies["__Host-kabinet"].clone();
        who.cookies.insert("__Host-kabinet_staff".into(), session);
        for _ in 0..4 {
            assert_ne!(who.get(path).await.status, StatusCode::TOO_MANY_REQUESTS, "{path}");
        }
        let slow = who.get(path).await;
        assert_eq!(slow.status, StatusCode::TOO_MANY_REQUESTS, "{path}");
        assert!(!slow.text().contains("Анна"), "{path}");
        // So are forms that come from elsewhere, whose refusal is a page.
        if path == "/nowhere" {
            let foreign = [("origin", "https://evil.example")];
            let sent = who.request(Method::POST, path, &foreign, Vec::new()).await;
            assert_eq!(sent.status, StatusCode::TOO_MANY_REQUESTS);
        }
        for file in ["/pkg/none.0.css", "/robots.txt", "/healthz"] {
            assert_ne!(who.get(file).await.status, StatusCode::TOO_MANY_REQUESTS, "{file}");
        }
    }
}

#[tokio::test]
async fn keys_that_are_none_are_looked_up_so_often_and_a_till_beside_them_goes_on() {
    let app = TestApp::build(false, |config| config.limits.pages_per_network = 5).await;
    let id = app.some_till().await;
    let scopes = [crm::till::Scope::Catalogue];
    let key = crm::till::store::create_key_by_system(&app.world.db, &crate::common::BY, id, &scopes)
        .await
        .expect("a key");
    let mut shop = app.anybody();
    let ask = async |who: &mut Browser, key: &str| {
        let bearer = format!("Bearer {key}");
        who.request(
            Method::GET,
            "/api/v1/stores",
            &[("authorization", bearer.as_str())],
            Vec::new(),
        )
        .await
    };
    assert_eq!(ask(&mut shop, key.secret()).await.status, StatusCode::OK);
    for n in 0..5 {
        let reply = ask(&mut shop, &format!("kbt_{n}")).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{n}");
    }
    let slow = ask(&mut shop, "kbt_6").await;
    assert_eq!(slow.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(slow.body.contains("too_many") && !slow.header("retry-after").is_empty());
    assert_eq!(ask(&mut shop, key.secret()).await.status, StatusCode::OK);
    assert_eq!(ask(&mut app.anybody(), "kbt_7").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_other_nodes_were_asked_counts_as_well() {
    let app = TestApp::build(false, |config| {
        config.limits.pages_per_session = 15;
        config.limits.pages_per_network = 1000;
    })
    .await;
    let mut anna = app.customer("Анна").await;
    // Another node over the same database.
    let other = App {
        pace: Arc::default(),
        ..app.app.clone()
    };
    let mut there = anna.browser.clone();
    there.app.router = router::build(&other);
    app.world.clock.set(start() + Duration::minutes(5));
    for n in 0..10 {
        assert_eq!(anna.get("/card").await.status, StatusCode::OK, "page {n}");
        assert_eq!(there.get("/card").await.status, StatusCode::OK, "page {n}");
    }
    let by = &crate::common::BY;
    app.app.pace.exchange(&app.world.db, by).await.expect("told");
    other.pace.exchange(&app.world.db, by).await.expect("told");
    assert_eq!(there.get("/card").await.status, StatusCode::TOO_MANY_REQUESTS);
    app.world.clock.set(start() + Duration::minutes(6));
    assert_eq!(there.get("/card").await.status, StatusCode::OK, "the next minute");
}

#[tokio::test]
async fn a_customer_who_writes_one_request_after_another_is_told_to_wait() {
    let app = TestApp::build(false, |config| config.limits.requests_per_customer = 2).await;
    let mut anna = app.customer("Анна").await;
    let sent = [("topic", "other"), ("text", "Где баллы?"), ("purchase", "")];
    for _ in 0..2 {
        let taken = anna.send("/support/new", "request.create", &sent).await;
        assert_eq!(taken.status, StatusCode::SEE_OTHER, "{}", taken.text());
    }
    let refused = anna.send("/support/new", "request.create", &sent).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header("retry-after"), "3600");
    assert_eq!(
        refused.form("request.create").get("text"),
        Some("Где баллы?"),
        "what was typed stays"
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM requests").await, 2);
}
