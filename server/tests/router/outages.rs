//! What is said when the database does not do its part; the fault tests break real ones.

use crate::common::TestApp;
use chrono::Duration;

#[tokio::test]
async fn s24_a_database_that_fails_is_told_of_by_a_page_with_the_requests_number() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    app.execute("ALTER TABLE sessions RENAME TO gone").await;
    let page = anna.get("/").await;
    assert_eq!(page.status.as_u16(), 500);
    assert!(page.body.contains("У нас что-то сломалось"), "{}", page.text());
    assert!(page.body.contains("Номер запроса:"), "{}", page.text());
    assert!(!page.body.contains("sessions"), "{}", page.text());
    let sent = anna.send("/support/new", "request.create", &[("text", "x")]).await;
    assert_eq!(sent.status.as_u16(), 500);
    assert!(sent.body.contains("Номер запроса:"), "{}", sent.text());
    app.execute("ALTER TABLE gone RENAME TO sessions").await;
    assert_eq!(anna.get("/").await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_page_is_shown_where_the_use_of_a_session_cannot_be_written_down() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    app.execute("CREATE TRIGGER stuck BEFORE UPDATE ON sessions BEGIN SELECT RAISE(ABORT, 'stuck'); END")
        .await;
    app.world.clock.set(app.world.db.now() + Duration::minutes(10));
    assert_eq!(anna.get("/").await.status.as_u16(), 200);
}

#[tokio::test]
async fn s25_figures_and_descriptions_of_the_inside_are_not_public() {
    let app = TestApp::new().await;
    let mut stranger = app.anybody();
    for path in [
        "/metrics",
        "/openapi.json",
        "/api/openapi.json",
        "/docs",
        "/swagger",
        "/debug",
        "/site.json",
        "/.git/config",
        "/kabinet.toml",
    ] {
        assert_eq!(stranger.get(path).await.status.as_u16(), 404, "{path}");
    }
    // What programs may ask is told to staff, and to programs with a key.
    let sign_in = "/admin/sign-in?next=/api/docs";
    assert_eq!(stranger.get(server::api::DOCS).await.location(), sign_in);
    assert_eq!(stranger.get("/api/v1/openapi.json").await.status.as_u16(), 401);
}
