//! Delivery reports: what a gateway of text messages tells later of the messages that it took.

use crate::common::{BY, Reply, TestApp};
use axum::http::{Method, StatusCode};
use chrono::Duration;
use crm::id::OutboxId;
use crm::outbox::Channel;
use crm::outbox::delivery::{self, Claimed};
use server::channels::reports::Reports;
use server::secret::Secret;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Where a gateway reports that can put the secret nowhere else.
const HERE: &str = "/callbacks/sms/0123456789abcdef0123456789abcdef";

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|word| (*word).to_owned()).collect()
}

/// A shop whose gateway reports by forms.
async fn shop(change: impl FnOnce(&mut Reports)) -> TestApp {
    TestApp::build(false, |config| {
        config.limits.requests_per_gateway = 10;
        config.sms.reports = Reports {
            secret: Some(Secret::Inline(SECRET.into())),
            id: "/id".into(),
            status: "/status".into(),
            delivered: words(&["1", "DELIVERED"]),
            failed: words(&["20", "FAILED"]),
            error: "/err".into(),
            answer: "100".into(),
            ..Reports::default()
        };
        change(&mut config.sms.reports);
    })
    .await
}

/// A code that somebody asked for, in the hands of a worker.
async fn claimed(app: &TestApp) -> Claimed {
    let phone = app.free_phone();
    let mut who = app.anybody();
    who.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
    let hold = Duration::minutes(1);
    let mut claimed = delivery::claim(&app.world.db, &BY, Channel::Sms, "test", hold, 10)
        .await
        .expect("claimed");
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

async fn is_sent(app: &TestApp, message: &Claimed, reference: &str) {
    delivery::sent(&app.world.db, &BY, message, Some(reference))
        .await
        .expect("written down");
}

/// The same, taken by a gateway that calls it this.
async fn sent(app: &TestApp, reference: &str) -> OutboxId {
    let message = claimed(app).await;
    is_sent(app, &message, reference).await;
    message.id
}

async fn tell(app: &TestApp, at: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let sent = body.as_bytes().to_vec();
    app.anybody().request(Method::POST, at, headers, sent).await
}

/// What is known of the messages that went.
async fn known(app: &TestApp) -> Vec<String> {
    app.texts(
        "SELECT reference || ' ' || state || CASE WHEN delivered_at IS NULL THEN '' ELSE ' arrived' END || \
         COALESCE(' ' || error, '') FROM outbox WHERE reference IS NOT NULL ORDER BY reference",
    )
    .await
}

#[tokio::test]
async fn staff_read_what_a_gateway_reports() {
    let app = shop(|_| {}).await;
    let mut agent = app.staff("agent").await;
    let at = format!("/admin/messages/{}", sent(&app, "A").await);
    assert!(agent.get("/admin/messages").await.text().contains("Ушло"));

    let reply = tell(&app, HERE, &[], "id=A&phone=79001000000&status=20&err=<b>absent</b>").await;
    assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, "100"));
    for page in ["/admin/messages?state=failed", &at] {
        let reply = agent.get(page).await;
        reply.assert_says("Не доставлено");
        assert!(reply.body.contains("20: &lt;b&gt;absent&lt;/b&gt;"), "{}", reply.body);
        assert!(!reply.body.contains("message.again"), "a code is gone");
    }

    app.world.clock.set(crm::testing::start() + Duration::minutes(5));
    tell(&app, HERE, &[], "id=A&status=1").await;
    let page = agent.get(&at).await;
    // The state, and the moment of it.
    assert_eq!(page.text().matches("Доставлено").count(), 2, "{}", page.text());
    assert!(!page.text().contains("absent"), "{}", page.text());
    agent.send("/admin/messages", "language", &[("language", "en")]).await;
    let list = agent.get("/admin/messages").await;
    list.assert_says("Delivered");
}

#[tokio::test]
async fn s17_nobody_reports_who_does_not_know_the_secret() {
    let (by_address, by_header) = (shop(|_| {}).await, shop(|r| r.header = "X-Gateway".into()).await);
    let closed = TestApp::new().await;
    let short = shop(|r| r.secret = Some(Secret::Inline("short".into()))).await;
    let gone = shop(|r| {
        r.secret = Some(Secret::File {
            file: "/nowhere/secret".into(),
        });
    })
    .await;
    let longer = format!("{HERE}0");
    let right = ("x-gateway", SECRET);
    let in_capitals = format!("/callbacks/sms/{}", SECRET.to_uppercase());
    type Tried<'a> = (&'a TestApp, &'a str, &'a [(&'a str, &'a str)]);
    let refused: [Tried<'_>; 12] = [
        (&by_address, "/callbacks/sms/x", &[]),
        (&by_address, &HERE[..HERE.len() - 1], &[]),
        (&by_address, &longer, &[]),
        (&by_address, &in_capitals, &[]),
        (&by_address, "/callbacks/sms", &[]),
        (&by_address, "/callbacks/sms", &[right]),
        (&by_header, HERE, &[]),
        (&by_header, "/callbacks/sms", &[("x-gateway", "")]),
        (&by_header, "/callbacks/sms", &[("x-gateway", "0123456789abcdef")]),
        (&closed, HERE, &[right]),
        (&short, "/callbacks/sms/short", &[]),
        (&gone, "/callbacks/sms/%20", &[]),
    ];
    for app in [&by_address, &by_header, &closed, &short, &gone] {
        sent(app, "A").await;
    }
    for (app, at, headers) in refused {
        let before = app.everything(&[]).await;
        let reply = tell(app, at, headers, "id=A&status=1").await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (StatusCode::NOT_FOUND, "Not Found\n"),
            "{at} {headers:?}"
        );
        assert_eq!(app.everything(&[]).await, before, "{at} {headers:?}");
    }
    // Each of the two ways is one, whatever a browser says of itself.
    let foreign = ("origin", "https://evil.example");
    for (app, at, headers) in [
        (&by_address, HERE, &[foreign][..]),
        (&by_header, "/callbacks/sms", &[foreign, right]),
    ] {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            let reply = app.anybody().request(method.clone(), at, headers, Vec::new()).await;
            assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {at}");
        }
        assert_eq!(tell(app, at, headers, "id=A&status=1").await.status, StatusCode::OK);
        assert_eq!(known(app).await, ["A sent arrived"], "{at}");
    }
}

#[tokio::test]
async fn reports_come_late_twice_and_in_any_order_and_nobody_learns_which_messages_there_are() {
    let app = shop(|_| {}).await;
    sent(&app, "A").await;
    let unknown = tell(&app, HERE, &[], "id=Z&status=1").await;
    assert_eq!(known(&app).await, ["A sent"]);
    for (body, expected) in [
        // On its way; a way of saying so that nobody described; nothing at all.
        ("id=A&status=0", "A sent"),
        ("id=A&status=sent", "A sent"),
        ("id=A", "A sent"),
        ("", "A sent"),
        ("id=A&status=20&err=7", "A failed 20: 7"),
        ("id=A&status=20&err=8", "A failed 20: 7"),
        ("id=A&status=0", "A failed 20: 7"),
        ("id=A&status=1", "A sent arrived"),
        ("id=A&status=1", "A sent arrived"),
        ("id=A&status=20", "A sent arrived"),
    ] {
        app.world.clock.set(app.world.db.now() + Duration::minutes(1));
        let reply = tell(&app, HERE, &[], body).await;
        assert_eq!((reply.status, &reply.body), (unknown.status, &unknown.body), "{body}");
        let names = |reply: &Reply| reply.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&reply), names(&unknown), "{body}");
        assert_eq!(known(&app).await, [expected], "{body}");
    }
}

/// A gateway may report before its answer to the sending was written down.
#[tokio::test]
async fn a_report_that_comes_too_early_is_looked_at_again() {
    let app = shop(|_| {}).await;
    let message = claimed(&app).await;
    let reply = tell(&app, HERE, &[], "id=A&status=1").await;
    assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, "100"));
    is_sent(&app, &message, "A").await;
    for _ in 0..600 {
        if known(&app).await == ["A sent arrived"] {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{:?}", known(&app).await);
}

#[tokio::test]
async fn one_request_may_hold_many_reports() {
    let json = shop(|r| {
        (r.each, r.id, r.status) = ("/results".into(), "/messageId".into(), "/status/groupName".into());
        r.error = "/error/name".into();
    })
    .await;
    for reference in ["A", "B", "C", "D"] {
        sent(&json, reference).await;
    }
    let body = r#"{"results": [
        {"messageId": "A", "status": {"groupName": "DELIVERED"}, "error": {"name": "NO_ERROR"}},
        {"messageId": "Z", "status": {"groupName": "DELIVERED"}},
        {"messageId": "B", "status": {"groupName": "FAILED"}, "error": {"name": "EC_ABSENT"}},
        {"messageId": "C", "status": {"groupName": "PENDING"}},
        {"messageId": null, "status": "DELIVERED"},
        {"messageId": "D", "status": {"groupName": "FAILED"}},
        {"messageId": "D", "status": {"groupName": "DELIVERED"}}
    ]}"#;
    let kind = [("content-type", "application/json")];
    assert_eq!(tell(&json, HERE, &kind, body).await.status, StatusCode::OK);
    let expected = [
        "A sent arrived",
        "B failed FAILED: EC_ABSENT",
        "C sent",
        "D sent arrived",
    ];
    assert_eq!(known(&json).await, expected);

    // A field for each, with a line for each thing.
    let lines = shop(|r| (r.each, r.id, r.status) = ("/data".into(), "/1".into(), "/2".into())).await;
    for reference in ["A", "B"] {
        sent(&lines, reference).await;
    }
    let body = crate::common::encode(&[("data[0]", "sms_status\nA\n1\n"), ("data[1]", "sms_status\nB\n20\n")]);
    assert_eq!(tell(&lines, HERE, &[], &body).await.body, "100");
    assert_eq!(known(&lines).await, ["A sent arrived", "B failed 20"]);
}

#[tokio::test]
async fn too_large_a_report_is_not_read() {
    let app = shop(|_| {}).await;
    sent(&app, "A").await;
    let report = "id=A&status=1&rest=";
    let body = |length: usize| format!("{report}{}", "x".repeat(length - report.len()));
    let long = body(64 * 1024 + 1);
    let length = long.len().to_string();
    for headers in [&[("content-length", length.as_str())][..], &[]] {
        let reply = tell(&app, HERE, headers, &long).await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large\n")
        );
    }
    assert_eq!(known(&app).await, ["A sent"]);
    assert_eq!(tell(&app, HERE, &[], &body(64 * 1024)).await.status, StatusCode::OK);
    assert_eq!(known(&app).await, ["A sent arrived"]);
}

#[tokio::test]
async fn a_gateway_that_reports_too_fast_is_told_when_to_come_again_and_strangers_do_not_count() {
    let app = shop(|_| {}).await;
    sent(&app, "A").await;
    for _ in 0..20 {
        let reply = tell(&app, "/callbacks/sms/x", &[], "id=A&status=1").await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND);
    }
    for _ in 0..10 {
        assert_eq!(tell(&app, HERE, &[], "id=A&status=0").await.status, StatusCode::OK);
    }
    let over = tell(&app, HERE, &[], "id=A&status=1").await;
    assert_eq!(over.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(over.header("retry-after"), "60");
    assert_eq!(known(&app).await, ["A sent"]);
    app.world.clock.set(app.world.db.now() + Duration::seconds(60));
    assert_eq!(tell(&app, HERE, &[], "id=A&status=1").await.status, StatusCode::OK);
    assert_eq!(known(&app).await, ["A sent arrived"]);
}

#[tokio::test]
async fn s24_a_report_that_cannot_be_written_down_is_asked_for_again() {
    let app = shop(|_| {}).await;
    sent(&app, "A").await;
    app.execute("ALTER TABLE outbox RENAME TO gone").await;
    let reply = tell(&app, HERE, &[], "id=A&status=1").await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n")
    );
    assert_eq!(reply.header("retry-after"), "10");
    app.execute("ALTER TABLE gone RENAME TO outbox").await;
    assert_eq!(tell(&app, HERE, &[], "id=A&status=1").await.status, StatusCode::OK);
    assert_eq!(known(&app).await, ["A sent arrived"]);
}
