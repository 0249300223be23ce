//! Webhooks, as staff look after them.

use crate::common::{TestApp, Town};
use axum::http::StatusCode;
use chrono::Duration;

const RECEIVER: [(&str, &str); 4] = [
    ("url", "https://erp.example.com/hooks"),
    ("description", "Склад «Север»"),
    ("events[]", "purchase.booked"),
    ("events[]", "customer.registered"),
];

/// The secret that a page shows.
fn shown(body: &str) -> Option<String> {
    let at = body.find("<code>whsec_")? + "<code>".len();
    body[at..].split('<').next().map(str::to_owned)
}

#[tokio::test]
async fn a_receiver_is_added_tried_out_changed_and_removed() {
    let app = TestApp::new().await;
    let mut staff = app.staff("admin").await;
    assert!(staff.get("/admin/webhooks").await.text().contains("Пока никому"));
    let added = staff.send("/admin/webhooks", "webhook.add", &RECEIVER).await;
    let at = added.location().split('?').next().unwrap_or_default().to_owned();
    assert!(at.starts_with("/admin/webhooks/"), "{}", added.text());
    assert!(!added.location().contains("whsec_"));
    let page = staff.get(&at).await;
    let secret = shown(&page.body).expect("the secret is shown");
    page.assert_says("Склад «Север»");
    assert_eq!(shown(&staff.get(&at).await.body), None, "and only once");

    let made = staff.send(&at, "webhook.secret", &[]).await;
    made.assert_leads_to(&format!("{at}?done=secret"));
    let page = staff.get(&at).await;
    assert!(shown(&page.body).is_some_and(|new| new != secret));
    assert!(page.text().contains("Прежний секрет подписывает тоже до"));

    // What is sent, and how it went.
    let tried = staff.send(&at, "webhook.test", &[]).await;
    tried.assert_leads_to(&format!("{at}?done=test"));
    app.execute(
        "UPDATE webhook_deliveries SET state = 'failed', attempts = 10, next_at = NULL, status = 503, \
         error = 'no <b>room</b>', milliseconds = 1250",
    )
    .await;
    let page = staff.get(&at).await;
    for words in ["webhook.test", "Не доставлено", "503 no <b>room</b>"] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    assert!(!page.body.contains("<b>room"));
    assert!(
        staff
            .get(&format!("{at}?state=pending"))
            .await
            .text()
            .contains("Здесь ничего нет")
    );
    let delivery = page
        .form("webhook.redeliver")
        .get("delivery")
        .expect("its id")
        .to_owned();
    let again = staff.send(&at, "webhook.redeliver", &[("delivery", &delivery)]).await;
    again.assert_leads_to(&format!("{at}?done=again"));
    let waiting = "SELECT COUNT(*) FROM webhook_deliveries WHERE state = 'pending' AND attempts = 0";
    assert_eq!(app.count(waiting).await, 1);
    app.execute("UPDATE webhook_deliveries SET state = 'failed', attempts = 10, next_at = NULL")
        .await;
    let again = staff.send(&at, "webhook.redeliver_failed", &[("since", "hour")]).await;
    again.assert_leads_to(&format!("{at}?done=all_again"));
    app.assert_row("webhook.redeliver").await;
    assert_eq!(app.count(waiting).await, 1);
    let odd = staff.send(&at, "webhook.redeliver_failed", &[("since", "1970")]).await;
    assert_eq!(odd.status, StatusCode::FORBIDDEN);

    let seen = staff.get(&at).await.form("webhook.change");
    let seen = seen.get("seen").expect("a field").to_owned();
    let changed = [
        ("seen", seen.as_str()),
        ("url", "https://erp.example.com/v2"),
        ("description", "Склад"),
        ("events[]", "balance.changed"),
    ];
    let changed = staff.send(&at, "webhook.change", &changed).await;
    changed.assert_leads_to(&format!("{at}?done=changed"));
    assert!(
        staff
            .get("/admin/webhooks")
            .await
            .text()
            .contains("https://erp.example.com/v2")
    );
    let off = staff.send(&at, "webhook.switch", &[("on", "false")]).await;
    off.assert_leads_to(&format!("{at}?done=off"));
    assert!(staff.get(&at).await.text().contains("На паузе"));
    // Somebody's page that is older than the pause.
    let late = staff.send(&at, "webhook.test", &[]).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", late.text());
    late.assert_says("Сначала включите");
    staff.send(&at, "webhook.switch", &[("on", "true")]).await;
    let removed = staff.send(&at, "webhook.remove", &[]).await;
    removed.assert_leads_to("/admin/webhooks?done=removed");
    assert_eq!(staff.get(&at).await.status, StatusCode::NOT_FOUND);
    let rows = app.everything(&[]).await;
    for action in [
        "create",
        "secret",
        "test",
        "redeliver",
        "change",
        "pause",
        "resume",
        "remove",
        "read",
        "list",
    ] {
        let action = format!("webhook.{action}");
        assert!(
            rows.iter().any(|row| row.starts_with("audit") && row.contains(&action)),
            "{action}"
        );
    }
    let secret = secret.trim_start_matches("whsec_");
    assert!(!rows.iter().any(|row| row.starts_with("audit") && row.contains(secret)));
}

#[tokio::test]
async fn what_is_wrong_with_a_receiver_is_said_at_its_field() {
    let app = TestApp::new().await;
    let mut staff = app.staff("admin").await;
    let wrong = |name: &'static str, value: &'static str| {
        RECEIVER.map(|(field, right)| if field == name { (field, value) } else { (field, right) })
    };
    for (name, value, words) in [
        ("url", "", "Введите адрес"),
        ("url", "erp.example.com", "целиком"),
        ("url", "http://erp.example.com/", "целиком"),
        ("url", "https://127.0.0.1:5432/", "нет в интернете"),
        ("url", "https://[::1]/", "нет в интернете"),
        ("url", "https://169.254.169.254/latest/meta-data/", "нет в интернете"),
        ("description", " ", "Введите название"),
        ("events[]", "tier.lost", "Выберите из списка"),
    ] {
        let reply = staff.send("/admin/webhooks", "webhook.add", &wrong(name, value)).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{name} = {value}");
        assert!(reply.text().contains(words), "{name} = {value}: {}", reply.text());
    }
    let nothing = staff.send("/admin/webhooks", "webhook.add", &RECEIVER[..2]).await;
    assert_eq!(
        nothing.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "it wants to be told of nothing"
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM webhooks").await, 0);
}

#[tokio::test]
async fn a_customer_who_registers_is_told_of_without_a_name() {
    let app = TestApp::new().await;
    let mut staff = app.staff("admin").await;
    staff.send("/admin/webhooks", "webhook.add", &RECEIVER).await;
    let anna = app.customer("Анна").await;
    let told = app.texts("SELECT payload FROM webhook_events").await;
    assert_eq!(
        told,
        [format!(
            "{{\"type\":\"customer.registered\",\"timestamp\":\"2026-11-21T12:00:00.000000Z\",\
             \"data\":{{\"customer\":\"{}\"}}}}",
            anna.id().await
        )]
    );
}

#[tokio::test]
async fn s15_receivers_are_added_by_whom_has_the_right_and_proved_it_moments_ago() {
    let mut town = Town::new().await;
    let at = format!("/admin/webhooks/{}", town.app.some_webhook().await);
    let mut agent = town.app.staff_as("only_agent", "agent").await;
    assert_eq!(agent.get(&at).await.status, StatusCode::FORBIDDEN);
    assert_eq!(agent.get("/admin/webhooks").await.status, StatusCode::FORBIDDEN);
    assert_eq!(agent.send(&at, "webhook.test", &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        agent.send(&at, "webhook.secret", &[]).await.status,
        StatusCode::FORBIDDEN
    );
    assert!(!agent.get("/admin/requests").await.body.contains("/admin/webhooks"));
    let later = town.app.world.db.now() + Duration::minutes(20);
    town.app.world.clock.set(later);
    let before = town.app.everything(&["sessions", "audit", "idempotency_keys"]).await;
    for (page, form, fields) in [
        ("/admin/webhooks", "webhook.add", &RECEIVER[..]),
        (
            at.as_str(),
            "webhook.change",
            &[&RECEIVER[..], &[("seen", "")]].concat()[..],
        ),
        (at.as_str(), "webhook.secret", &[][..]),
        (at.as_str(), "webhook.switch", &[("on", "false")][..]),
        (at.as_str(), "webhook.remove", &[][..]),
    ] {
        let stale = town.agent.send(page, form, fields).await;
        assert!(
            stale.location().starts_with("/admin/confirm"),
            "{form}: {} {}",
            stale.status,
            stale.location()
        );
    }
    let after = town.app.everything(&["sessions", "audit", "idempotency_keys"]).await;
    assert_eq!(before, after);
}
