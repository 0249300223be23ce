//! Tills and their keys, as staff give them out.

use crate::api::till;
use crate::common::html::tags;
use crate::common::{Reply, TestApp, Town};
use axum::http::{Method, StatusCode};
use chrono::Duration;
use crm::till::Scope;
use serde_json::json;

const TILL: [(&str, &str); 4] = [
    ("key", "Klin-2"),
    ("name", "Касса «У окна»"),
    ("source", "pos"),
    ("store", ""),
];

/// The key that a page shows.
fn shown(body: &str) -> Option<String> {
    let at = body.find("<code>kbt_")? + "<code>".len();
    body[at..].split('<').next().map(str::to_owned)
}

async fn opens(app: &TestApp, key: &str) -> bool {
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str())];
    let reply = app
        .anybody()
        .request(Method::GET, "/api/v1/openapi.json", &headers, Vec::new())
        .await;
    reply.status == StatusCode::OK
}

#[tokio::test]
async fn a_key_is_shown_once_exchanged_without_a_pause_and_revoked() {
    let app = TestApp::new().await;
    let mut staff = app.staff("admin").await;
    assert!(staff.get("/admin/tills").await.text().contains("Касс пока нет"));
    let added = staff.send("/admin/tills", "till.add", &TILL).await;
    let at = added.location().split('?').next().unwrap_or_default().to_owned();
    assert!(at.starts_with("/admin/tills/"), "{}", added.text());
    assert!(
        staff.get("/admin/tills").await.text().contains("klin-2"),
        "in small letters"
    );

    let scopes = [("scopes[]", "customers"), ("scopes[]", "purchases")];
    let made = staff.send(&at, "till.key", &scopes).await;
    made.assert_leads_to(&format!("{at}?done=key"));
    assert!(!made.location().contains("kbt_"));
    let page = staff.get(&at).await;
    let key = shown(&page.body).expect("the key is shown");
    assert!(opens(&app, &key).await);
    assert_eq!(shown(&staff.get(&at).await.body), None, "and only once");

    staff.send(&at, "till.key", &scopes).await;
    let second = shown(&staff.get(&at).await.body).expect("shown");
    assert_ne!(second, key);
    let page = staff.get(&at).await;
    let first = page
        .body
        .split("name=\"key\" value=\"")
        .nth(2)
        .and_then(|rest| rest.split('"').next());
    let first = first.expect("the first key is the last of the list").to_owned();
    assert!(opens(&app, &key).await && opens(&app, &second).await, "both are good");
    let revoked = staff.send(&at, "till.revoke", &[("key", &first)]).await;
    revoked.assert_leads_to(&format!("{at}?done=revoked"));
    assert!(!opens(&app, &key).await && opens(&app, &second).await);

    let off = staff.send(&at, "till.switch", &[("on", "false")]).await;
    off.assert_leads_to(&format!("{at}?done=off"));
    assert!(!opens(&app, &second).await);
    staff.send(&at, "till.switch", &[("on", "true")]).await;
    assert!(opens(&app, &second).await);
    for action in [
        "till.create",
        "till.key.create",
        "till.key.revoke",
        "till.disable",
        "till.enable",
    ] {
        let rows = app.everything(&[]).await;
        assert!(
            rows.iter().any(|row| row.starts_with("audit") && row.contains(action)),
            "{action}"
        );
    }
}

#[tokio::test]
async fn a_secret_that_nobody_looked_at_waits_for_its_own_page() {
    let app = TestApp::new().await;
    let mut staff = app.staff("admin").await;
    let page_of = |added: &Reply| added.location().split('?').next().unwrap_or_default().to_owned();
    let till = page_of(&staff.send("/admin/tills", "till.add", &TILL).await);
    let other = TILL.map(|(name, value)| (name, if name == "key" { "klin-3" } else { value }));
    let other = page_of(&staff.send("/admin/tills", "till.add", &other).await);
    let receiver = [
        ("url", "https://erp.example.com/hooks"),
        ("description", "Склад"),
        ("events[]", "purchase.booked"),
    ];
    let webhook = page_of(&staff.send("/admin/webhooks", "webhook.add", &receiver).await);
    assert!(!staff.get(&till).await.body.contains("whsec_"));
    assert!(staff.get(&webhook).await.body.contains("<code>whsec_"));
    staff.send(&till, "till.key", &[("scopes[]", "points")]).await;
    for elsewhere in [&webhook, &other] {
        let page = staff.get(elsewhere).await;
        assert!(
            page.status == StatusCode::OK && !page.body.contains("<code>kbt_"),
            "{elsewhere}"
        );
    }
    assert!(shown(&staff.get(&till).await.body).is_some());
}

#[tokio::test]
async fn what_is_wrong_with_a_till_is_said_at_its_field() {
    let app = TestApp::new().await;
    let mut staff = app.staff("admin").await;
    staff.send("/admin/tills", "till.add", &TILL).await;
    let wrong = |name: &'static str, value: &'static str| {
        TILL.map(|(field, right)| if field == name { (field, value) } else { (field, right) })
    };
    for (name, value, words) in [
        ("key", "klin-2", "уже"),
        ("key", "касса", "латинские"),
        ("key", "", "Введите код"),
        ("name", " ", "Введите название"),
        ("source", "web", "уже"),
        ("store", "0197a000-0000-7000-8000-000000000000", "Выберите из списка"),
    ] {
        let reply = staff.send("/admin/tills", "till.add", &wrong(name, value)).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{name} = {value}");
        assert!(reply.text().contains(words), "{name} = {value}: {}", reply.text());
        let code = if name == "key" { value } else { "Klin-2" };
        assert_eq!(
            reply.form("till.add").get("key").unwrap_or_default(),
            code,
            "what was typed stays"
        );
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM tills").await, 1);
    let at = format!("/admin/tills/{}", app.some_till().await);
    let none = staff.send(&at, "till.key", &[]).await;
    assert_eq!(
        none.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "a key that is good for nothing"
    );
    for _ in 0..3 {
        let made = staff.send(&at, "till.key", &[("scopes[]", "points")]).await;
        assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text());
    }
    let fourth = staff.send(&at, "till.key", &[("scopes[]", "points")]).await;
    assert_eq!(
        fourth.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "three at most are good at once"
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM api_keys").await, 3);
}

#[tokio::test]
async fn s15_keys_are_given_out_by_whom_has_the_right_and_proved_it_moments_ago() {
    let mut town = Town::new().await;
    let at = format!("/admin/tills/{}", town.app.some_till().await);
    let mut agent = town.app.staff_as("only_agent", "agent").await;
    let key = [("scopes[]", "points")];
    assert_eq!(agent.get(&at).await.status, StatusCode::FORBIDDEN);
    assert_eq!(agent.send(&at, "till.key", &key).await.status, StatusCode::FORBIDDEN);
    assert!(!agent.get("/admin/requests").await.body.contains("/admin/tills"));
    town.app
        .world
        .clock
        .set(town.app.world.db.now() + Duration::minutes(20));
    let stale = town.agent.send(&at, "till.key", &key).await;
    assert!(
        stale.location().starts_with("/admin/confirm"),
        "{} {}",
        stale.status,
        stale.location()
    );
    assert_eq!(town.app.count("SELECT COUNT(*) FROM api_keys").await, 0);
}

/// Who looks after the tills sees which returns wait for the receipt of their sale, and whose they are if they may see customers.
#[tokio::test]
async fn returns_that_wait_for_their_receipt_stand_on_a_page_until_it_comes() {
    const WAITING: &str = "/admin/tills/waiting";
    let app = TestApp::new().await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let anna = app.customer("Анна").await.id().await;
    app.execute(
        "INSERT INTO roles (code, name, rights, position) \
         VALUES ('keeper', '{\"ru\": \"К\", \"en\": \"K\"}', '[\"tills\"]', 8)",
    )
    .await;
    let mut admin = app.staff("admin").await;
    let mut keeper = app.staff_as("keeper", "keeper").await;
    let mut agent = app.staff_as("only_agent", "agent").await;
    let list = keeper.get("/admin/tills").await;
    assert!(list.body.contains(&format!("href=\"{WAITING}\"")), "{}", list.body);
    admin.get(WAITING).await.assert_says("Ни один возврат не ждёт чека");

    let now = app.world.db.now();
    let tea = json!({"article": "tea", "quantity": 1, "price": 25_000});
    let back = json!({"article": "tea", "quantity": 1, "price": 25_000, "original": {"document": "S-1", "line": 1}});
    let returned = json!({"document": "R-1", "at": now, "customer": anna.to_string(), "lines": [back]});
    let returned = till.post("/returns", &returned).await;
    assert_eq!(returned.status, StatusCode::CREATED, "{}", returned.body);
    app.world.clock.set(now + Duration::minutes(5));
    let page = admin.get(WAITING).await;
    assert_eq!(page.status, StatusCode::OK);
    let shown = page.words();
    for words in ["till-1", "№ R-1", "№ S-1", "Лебедева Анна", "250", "5 минут"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let receipt = format!("href=\"/admin/customers/{anna}/purchases/");
    assert!(page.body.contains(&receipt), "{}", page.body);
    let page = keeper.get(WAITING).await;
    page.assert_says("R-1");
    assert!(
        !page.body.contains("Анна") && !page.body.contains(&anna.to_string()),
        "{}",
        page.body
    );
    assert_eq!(agent.get(WAITING).await.status, StatusCode::FORBIDDEN);
    app.assert_row("return.read").await;

    let sold = json!({"document": "S-1", "at": now, "customer": anna.to_string(), "lines": [tea]});
    let sold = till.post("/purchases", &sold).await;
    assert_eq!(sold.status, StatusCode::CREATED, "{}", sold.body);
    let page = admin.get(WAITING).await;
    page.assert_says("Ни один возврат не ждёт чека");
    assert!(!page.body.contains("R-1"), "{}", page.body);
}

#[tokio::test]
async fn the_api_is_described_to_staff() {
    let app = TestApp::new().await;
    let mut staff = app.staff("admin").await;
    let page = staff.get(server::api::DOCS).await;
    assert_eq!(page.status, StatusCode::OK);
    let text = page.text();
    for words in [
        "/api/v1/purchases/{document}/void",
        "Idempotency-Key",
        "not_enough_points",
    ] {
        assert!(text.contains(words), "{words}");
    }
    // Where the type of a problem leads is there.
    assert!(page.body.contains("id=\"not_enough_points\""));
    // The document is in English on a page that is in Russian, and nothing else of it is.
    assert!(page.body.contains("<html lang=\"ru\""));
    let start = page.body.find("<main").expect("what is on the page");
    let mut english = Vec::new();
    for tag in tags(&page.body[start..]) {
        match tag.name.strip_prefix('/') {
            None => english.push(tag.get("lang") == Some("en") || english.last() == Some(&true)),
            Some("main") => break,
            Some(_) => {
                english.pop();
            }
        }
        let is_english = english.last() == Some(&true);
        // A sentence of the one or of the other; names of programs stand in both.
        let text = tag.text.trim();
        let in_russian = text.chars().any(|c| matches!(c, 'а'..='я'));
        assert!(!(in_russian && is_english), "{text}");
        assert!(in_russian || is_english || text.split(' ').count() < 3, "{text}");
    }
}
