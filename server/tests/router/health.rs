//! What a proxy and a supervisor ask: does it live, may requests be sent here.

use crate::common::TestApp;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn every_answer_carries_the_id_of_its_request() {
    let app = TestApp::new().await;
    let mut anybody = app.anybody();
    let mut seen = std::collections::BTreeSet::new();
    for path in [
        "/sign-in",
        "/healthz",
        "/nowhere",
        "/manifest.webmanifest",
        "/purchases",
    ] {
        let id = anybody.get(path).await.header("x-request-id").to_owned();
        assert!(
            id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
            "{path}: {id:?}"
        );
        assert!(seen.insert(id), "{path}");
    }
}

#[tokio::test]
async fn s25_metrics_are_not_public() {
    let app = TestApp::new().await;
    for path in ["/metrics", "/metrics/"] {
        assert_eq!(app.anybody().get(path).await.status.as_u16(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_server_about_to_stop_is_alive_and_not_ready_and_still_serves() {
    let app = TestApp::new().await;
    let mut proxy = app.anybody();
    let ready = proxy.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.body.as_str()), (200, "ready\n"));
    app.is_draining.store(true, Ordering::Relaxed);
    let stopping = proxy.get("/readyz").await;
    assert_eq!((stopping.status.as_u16(), stopping.body.as_str()), (503, "stopping\n"));
    assert_eq!(proxy.get("/healthz").await.status.as_u16(), 200);
    assert_eq!(proxy.get("/sign-in").await.status.as_u16(), 200);
    // Neither is kept by anybody on the way.
    assert_eq!(stopping.header("cache-control"), "no-store");
}
