//! How fast pages are read, and how much a customer writes: enough for everybody, and not without end (2.4.1).

use crate::common::TestApp;
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;

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
    assert!(slow.text().contains("Слишком часто"), "{}", slow.text());
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
