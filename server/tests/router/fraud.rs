//! Odd patterns as staff look through them: who may, what is written down, what is decided, and what the customer hears of it.

use crate::common::{BY, Browser, Customer, TestApp};
use crate::rules::put;
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;

const LIST: &str = "/admin/fraud";
const RULES: &str = "/admin/fraud/rules";

async fn look(app: &TestApp) -> u64 {
    crm::fraud::finding::look(&app.world.db, &BY, || true)
        .await
        .expect("looked")
}

/// Anna, who bought eight times on one day, and the page of what was found.
async fn suspected(app: &TestApp) -> (Customer, String) {
    let mut anna = app.customer("Анна").await;
    for document in ["A-1", "A-2", "A-3", "A-4", "A-5", "A-6", "A-7", "A-8"] {
        anna = anna.with_purchase(document, "Чайник", 150_00).await;
    }
    assert_eq!(look(app).await, 1);
    let id = app.text("SELECT lower(hex(id)) FROM fraud_alerts").await;
    let id: crm::id::FraudAlertId = id.parse().expect("an id");
    (anna, format!("{LIST}/{id}"))
}

#[tokio::test]
async fn an_alert_tells_what_speaks_for_it_and_is_decided_once() {
    let app = TestApp::new().await;
    let (anna, at) = suspected(&app).await;
    let card = format!("/admin/customers/{}", anna.id().await);
    let mut lead = app.staff_as("lada", "lead").await;
    let list = lead.get(LIST).await;
    for words in ["Много покупок за день", "8 чеков за день", "Лебедева Анна"]
    {
        assert!(list.text().contains(words), "{words}: {}", list.text());
    }
    assert!(list.body.contains(&format!("href=\"{at}\"")), "{}", list.body);
    for (query, is_there) in [
        ("?rule=many_purchases", true),
        ("?rule=ring", false),
        ("?state=dismissed", false),
        ("?state=confirmed&rule=many_purchases", false),
        ("?rule=%00&state=x&after=1_x", true),
        ("?after=1_00000000-0000-0000-0000-000000000000", false),
    ] {
        let page = lead.get(&format!("{LIST}{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        assert_eq!(page.body.contains(&at), is_there, "{query}: {}", page.text());
    }
    let page = lead.get(&at).await;
    for words in [
        "8 чеков за день",
        "Порог правила: 8 чеков за день",
        "Одному человеку",
        "A-1",
        "A-8",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    assert!(
        page.body.contains(&format!("href=\"{card}/purchases/")),
        "{}",
        page.body
    );
    let on_the_card = lead.get(&card).await;
    assert!(
        on_the_card.body.contains(&format!("href=\"{at}\"")),
        "{}",
        on_the_card.text()
    );

    let silent = put(&mut lead, &at, "fraud.dismiss", &[("reason", " ")]).await;
    assert_eq!(silent.message("fraud.dismiss", "reason"), "Напишите почему");
    // More of it was found while the page was open: it has to be looked at again.
    let late = lead.get(&at).await.form("fraud.confirm").with("reason", "Чужие чеки");
    app.world.clock.set(start() + Duration::seconds(5));
    anna.with_purchase("A-9", "Чайник", 150_00).await;
    assert_eq!(look(&app).await, 0, "it is the same alert");
    let stale = lead.submit(&at, &late).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY);
    stale.assert_says("нашлось что-то ещё");
    let done = put(&mut lead, &at, "fraud.dismiss", &[("reason", "Кассир школы")]).await;
    done.assert_leads_to(&format!("{at}?done=dismissed"));
    let page = lead.get(&at).await;
    page.assert_says("Причина: Кассир школы");
    assert!(!page.body.contains("fraud.confirm"), "it is decided");
    assert!(lead.get(&format!("{LIST}?state=dismissed")).await.body.contains(&at));
    assert!(!lead.get(LIST).await.body.contains(&at));
    assert!(!lead.get(&card).await.body.contains(&at), "nothing is open any more");
    assert_eq!(look(&app).await, 0, "it does not come back");
    // Each look and each decision is a row, which names the alert and no customer.
    for action in [
        "SELECT COUNT(*) FROM audit WHERE action = 'fraud.queue' AND actor = 'staff'",
        "SELECT COUNT(*) FROM audit WHERE action = 'fraud.read' AND object_id IS NOT NULL",
        "SELECT COUNT(*) FROM audit WHERE action = 'fraud.dismiss' AND object_id IS NOT NULL",
    ] {
        assert!(app.count(action).await > 0, "{action}");
    }
    let named = "SELECT COUNT(*) FROM audit WHERE action LIKE 'fraud.%' AND customer_id IS NOT NULL";
    assert_eq!(app.count(named).await, 0);
}

#[tokio::test]
async fn spending_is_stopped_from_an_alert_and_the_customer_is_told() {
    let app = TestApp::new().await;
    let (mut anna, at) = suspected(&app).await;
    let who = anna.id().await.to_string();
    let mut lead = app.staff_as("lada", "lead").await;
    let form = lead.get(&at).await.form("fraud.stop");
    let silent = lead.submit(&at, &form).await;
    assert_eq!(
        silent.message(&format!("fraud.stop.{who}"), "reason"),
        "Напишите почему"
    );
    let sent = [("customer", who.as_str()), ("reason", "Проверяем чеки")];
    let stopped = lead.send(&at, "fraud.stop", &sent).await;
    stopped.assert_leads_to(&format!("{at}?done=stopped"));
    let again = lead.send(&at, "fraud.stop", &sent).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    again.assert_says("уже приостановлена");
    let page = anna.get("/points").await;
    page.assert_says("Мы проверяем операции с баллами");
    let views = anna.get("/profile/views").await;
    for words in ["Приостановлена оплата вашими баллами", "Причина: Проверяем чеки"]
    {
        assert!(views.text().contains(words), "{words}: {}", views.text());
    }
    assert!(!views.text().contains("fraud"), "{}", views.text());
    let told = crm::outbox::inbox(&app.world.db, 100).await.expect("the outbox");
    assert!(
        told.iter()
            .any(|m| m.template == "spending_stopped" && m.address == anna.phone)
    );
    let card = lead.get(&format!("/admin/customers/{who}")).await;
    card.assert_says("Проверяем чеки");
    // Whoever lifts it has just proved who they are.
    let fields = [("customer", who.as_str()), ("reason", "Всё верно")];
    app.world.clock.set(start() + Duration::minutes(16));
    let there = format!("/admin/confirm?next={at}");
    let late = lead.get(&at).await;
    assert!(late.body.contains(&format!("href=\"{there}\"")), "{}", late.text());
    assert!(!late.body.contains("fraud.lift"), "nothing is typed in vain");
    lead.send(&at, "fraud.lift", &fields).await.assert_leads_to(&there);
    anna.get("/points").await.assert_says("Мы проверяем операции с баллами");
    let mut lead = app.staff_as("lidia", "lead").await;
    let lifted = lead.send(&at, "fraud.lift", &fields).await;
    lifted.assert_leads_to(&format!("{at}?done=lifted"));
    assert!(!anna.get("/points").await.text().contains("Мы проверяем"));
    // Somebody whom the alert is not about is not stopped from its page.
    let boris = app.customer("Борис").await.id().await.to_string();
    let other = lead
        .send(&at, "fraud.stop", &[("customer", &boris), ("reason", "Просто так")])
        .await;
    assert!(other.status.is_client_error(), "{}", other.status);
    assert_eq!(app.count("SELECT COUNT(*) FROM spending_stops").await, 1);
}

#[tokio::test]
async fn s17_odd_patterns_are_for_whoever_has_the_right() {
    let app = TestApp::new().await;
    let (mut anna, at) = suspected(&app).await;
    let who = anna.id().await.to_string();
    let mut agent = app.staff_as("petrov", "agent").await;
    for page in [LIST, RULES, &at] {
        assert_eq!(agent.get(page).await.status, StatusCode::FORBIDDEN, "{page}");
        assert_eq!(
            anna.get(page).await.location(),
            format!("/admin/sign-in?next={page}"),
            "{page}"
        );
    }
    let refused = async |agent: &mut Browser, page: &str, form: &str, fields: &[(&str, &str)]| {
        let reply = agent.send(page, form, fields).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{form}: {}", reply.text());
    };
    refused(&mut agent, &at, "fraud.dismiss", &[("seen", "1"), ("reason", "Так")]).await;
    refused(&mut agent, &at, "fraud.confirm", &[("seen", "1"), ("reason", "Так")]).await;
    refused(&mut agent, &at, "fraud.stop", &[("customer", &who), ("reason", "Так")]).await;
    refused(&mut agent, &at, "fraud.lift", &[("customer", &who), ("reason", "Так")]).await;
    let rule = [("rule", "ring"), ("seen", "1"), ("days", "1")];
    refused(&mut agent, RULES, "fraud.rule", &rule).await;
    // Neither the card nor the bar tells of it.
    let card = agent.get(&format!("/admin/customers/{who}")).await;
    assert_eq!(card.status, StatusCode::OK);
    assert!(!card.body.contains(LIST), "{}", card.text());
    assert_eq!(
        app.count("SELECT COUNT(*) FROM fraud_alerts WHERE state = 'open'")
            .await,
        1
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM spending_stops").await, 0);
}

#[tokio::test]
async fn limits_are_set_on_their_page() {
    let app = TestApp::new().await;
    let mut lead = app.staff_as("lada", "lead").await;
    let page = lead.get(RULES).await;
    for words in [
        "Много покупок за день",
        "Баллы потрачены",
        "Одна карта на одной кассе",
        "Баллы по кругу",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    // The first form is that of the first rule.
    let form = page.form("fraud.rule");
    assert_eq!(
        (form.get("rule"), form.get("least")),
        (Some("many_purchases"), Some("8"))
    );
    assert_eq!(
        form.get("days"),
        None,
        "a limit that it does not go by is not asked for"
    );
    let wrong = lead.submit(RULES, &form.clone().with("least", "ноль")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!wrong.message("fraud.rule.many_purchases", "least").is_empty());
    let mut right = lead.get(RULES).await.form("fraud.rule");
    right.fields.retain(|(name, _)| name != "least");
    let saved = lead.submit(RULES, &right.with("least", "2")).await;
    saved.assert_leads_to(&format!("{RULES}?done=saved"));
    let anna = app.customer("Анна").await.with_purchase("A-1", "Чайник", 150_00).await;
    assert_eq!(look(&app).await, 0);
    anna.with_purchase("A-2", "Чайник", 150_00).await;
    assert_eq!(look(&app).await, 1);
    let log = app.text("SELECT reason FROM audit WHERE action = 'fraud.rule'").await;
    assert_eq!(log, "many_purchases: least: 8 → 2");
}
