//! What is written down of who came in, who was refused, what staff read and what anybody changed.

use crate::common::html::forms;
use crate::common::{Browser, TestApp, Town};
use app::ROUTES;
use app::route::Access;
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;
use std::collections::BTreeSet;

const ROWS: &str = "SELECT COUNT(*) FROM audit";

/// Pages of staff that show their own factors and sessions and nothing of anybody else: what is changed there is
/// written down, a look at it tells nobody's anything.
pub(crate) const OWN: [&str; 17] = [
    "/admin/keys",
    "/admin/security",
    "/admin/confirm",
    // Whose cabinet is looked at: each page of that is a row.
    "/admin/view",
    "/api/docs",
    // Everybody may know what is sold where.
    "/admin/stores",
    "/admin/categories",
    "/admin/articles",
    // Figures of the shop, of nobody in particular.
    "/admin/reports",
    "/admin/reports/{kind}",
    "/admin/reports/{kind}/table.csv",
    // How requests are parted among staff, and how often which word stands on them.
    "/admin/queues",
    "/admin/queues/{id}",
    "/admin/tags",
    // What is looked for, and from how many on.
    "/admin/fraud/rules",
    // Which files were brought in, and which one took away: what is in them is shown by the page of each, or by the file.
    "/admin/imports",
    "/admin/exports",
];

async fn last(app: &TestApp) -> String {
    app.text("SELECT actor || ' ' || action || ' ' || reason FROM audit ORDER BY at DESC, id DESC LIMIT 1")
        .await
}

#[tokio::test]
async fn s23_every_way_in_and_every_refusal_is_a_row() {
    let app = TestApp::new().await;
    let secret = app.employ("agent").await;
    let anna = app.customer("Анна").await;
    assert_eq!(last(&app).await, "customer sign_in registration");
    app.world.clock.set(start() + Duration::minutes(1));
    let mut who = app.anybody();
    who.send("/sign-in", "sign_in.start", &[("phone", &anna.phone)]).await;
    let code = app.code(&anna.phone).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    who.send("/sign-in/code", "sign_in.verify", &[("code", wrong)]).await;
    assert_eq!(last(&app).await, "anonymous sign_in.refused code");
    app.world.clock.set(start() + Duration::minutes(2));
    who.send("/sign-in/code", "sign_in.verify", &[("code", &code)]).await;
    assert_eq!(last(&app).await, "customer sign_in code");
    app.world.clock.set(start() + Duration::minutes(3));
    let sent = [("phone", anna.phone.as_str()), ("password", "не тот пароль совсем")];
    app.anybody()
        .send("/sign-in?by=password", "sign_in.password", &sent)
        .await;
    assert_eq!(last(&app).await, "anonymous sign_in.refused password");
    app.world.clock.set(start() + Duration::minutes(4));
    app.enter("agent", &secret).await;
    assert_eq!(last(&app).await, "staff sign_in password");
    app.world.clock.set(start() + Duration::minutes(5));
    app.anybody()
        .send(
            "/admin/sign-in",
            "staff.sign_in",
            &[("login", "agent"), ("password", "не тот пароль совсем")],
        )
        .await;
    assert_eq!(last(&app).await, "anonymous sign_in.refused password");
    // Each names the network that it came from, and the moment by our own clock.
    assert_eq!(
        app.count("SELECT COUNT(*) FROM audit WHERE network = '' AND action LIKE 'sign_in%'")
            .await,
        0
    );
    assert_eq!(
        app.count("SELECT COUNT(*) FROM audit WHERE at < '2026-11-21' AND action LIKE 'sign_in%'")
            .await,
        0
    );
}

/// Every page of staff leaves a row, and one that shows a customer or a message names it; their own pages show no
/// customer.
#[tokio::test]
async fn s23_every_page_that_staff_open_is_a_row() {
    let mut town = Town::new().await;
    let anna = town.anna.id().await;
    let phone = crm::contact::show_phone(&town.anna.phone);
    let club = "SELECT hex(id) FROM programs WHERE code = 'club'";
    let club = town.app.text(club).await;
    let lost_card = town
        .app
        .text("SELECT hex(id) FROM help_articles WHERE code = 'lost-card'")
        .await;
    for route in ROUTES.iter().filter(|route| route.access == Access::Staff) {
        let mut at = town.path(route.path).await.expect("a sample");
        if matches!(at.as_str(), "/admin/customers" | "/admin/find") {
            at = town.agent.find_at(&at, "Лебедева").await;
        }
        let before = town.app.everything(&[]).await;
        let reply = town.agent.get(&at).await;
        assert_eq!(reply.status, StatusCode::OK, "{at}");
        if OWN.contains(&route.path) {
            let shown = reply.text();
            assert!(!shown.contains("Анна") && !shown.contains(&phone), "{at}: {shown}");
            continue;
        }
        let after = town.app.everything(&[]).await;
        let new: Vec<_> = after
            .difference(&before)
            .filter(|row| row.starts_with("audit"))
            .collect();
        assert!(!new.is_empty(), "{at} left no row");
        assert!(new.iter().all(|row| row.contains("'staff'")), "{at}: {new:?}");
        // What was never edited has no id yet.
        if at.starts_with("/admin/texts/") {
            assert!(new.iter().any(|row| row.contains("template.welcome")), "{at}: {new:?}");
            continue;
        }
        if at.starts_with("/admin/scripts/") {
            assert!(new.iter().any(|row| row.contains("free")), "{at}: {new:?}");
            continue;
        }
        if at.starts_with("/admin/questionnaire/") {
            assert!(new.iter().any(|row| row.contains("'sex'")), "{at}: {new:?}");
            continue;
        }
        if route.path.contains('{') {
            // A code for coming in is a message to a phone, whoever's that is: the row says which message.
            let named = [
                "/admin/articles/",
                "/admin/categories/",
                "/admin/coupons/",
                "/admin/fraud/",
                "/admin/imports/",
                "/admin/macros/",
                "/admin/messages/",
                "/admin/partners/",
                "/admin/promotions/",
                "/admin/questions/",
                "/admin/rules/",
                "/admin/segments/",
                "/admin/staff/",
                "/admin/stores/",
                "/admin/tills/",
                "/admin/webhooks/",
            ];
            let id = match named.iter().find_map(|before| at.strip_prefix(before)) {
                Some(id) => id.split('/').next().unwrap_or_default().to_owned(),
                None if at.starts_with("/admin/programs/") => club.clone(),
                None if at.starts_with("/admin/help/") => lost_card.clone(),
                None => anna.to_string(),
            };
            let id = id.replace('-', "").to_uppercase();
            assert!(
                new.iter().any(|row| row.contains(&id)),
                "{at} does not say whose: {new:?}"
            );
        }
    }
}

/// Every form that a page of a customer or of staff offers, sent as it stands or filled in: if anything changed, a row says
/// who changed it.
#[tokio::test]
async fn s23_every_change_is_a_row() {
    let mut town = Town::new().await;
    // Looking at a page marks answers as read and shows the session alive; that is no change of anything.
    let (mut changed, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for route in ROUTES
        .iter()
        .filter(|route| matches!(route.access, Access::Customer | Access::Staff))
    {
        let at = town.path(route.path).await.expect("a sample");
        let mut anna = town.anna.browser.clone();
        let who: &mut Browser = if route.access == Access::Staff {
            &mut town.agent
        } else {
            &mut anna
        };
        let page = who.get(&at).await;
        for form in forms(&page.body) {
            if app::EVERYWHERE.iter().any(|every| every.name == form.name) {
                continue;
            }
            // One that only looks for answers changes nothing, and one that keeps a draft keeps it for its writer alone.
            let is_aside = |name: &str, value: &str| name == "find" || (name, value) == ("act", "keep");
            let buttons: Vec<_> = form
                .buttons
                .iter()
                .filter(|(name, value)| !is_aside(name, value))
                .collect();
            let choices = if buttons.is_empty() {
                vec![None]
            } else {
                buttons.into_iter().map(Some).collect()
            };
            for button in choices.into_iter().take(1) {
                let mut sent = form.clone();
                sent.fields.extend(button.cloned());
                for (name, value) in &mut sent.fields {
                    match name.as_str() {
                        "_key" => *value = crm::who::Token::random().secret().to_owned(),
                        "phone" => *value = "+79005550077".into(),
                        "email" => *value = "new@example.com".into(),
                        "name" => *value = "Аня".into(),
                        "text" => *value = "Здравствуйте".into(),
                        "day" if value.is_empty() => *value = "4".into(),
                        "month" if value.is_empty() => *value = "4".into(),
                        "year" if value.is_empty() => *value = "2021".into(),
                        "topic" => *value = "other".into(),
                        _ => {}
                    }
                }
                if form.name == "child.add" {
                    sent = sent.with("agreed", "yes");
                }
                if form.name == "request.status" {
                    sent = sent.with("status", "open");
                }
                // A question to a passkey is used up by any answer, and what is looked for is kept until it is looked up,
                // which is a row: that alone is no change.
                let but = ["audit", "idempotency_keys", "ceremonies", "searches"];
                // Later than the one before, so that a change to what was there already shows by its time.
                let clock = &town.app.world.clock;
                clock.set(town.app.world.db.now() + Duration::milliseconds(1));
                let (rows, before) = (town.app.count(ROWS).await, town.app.everything(&but).await);
                let reply = who.submit(&at, &sent).await;
                if town.app.everything(&but).await != before {
                    changed.insert(form.name.clone());
                    if town.app.count(ROWS).await == rows {
                        let after = town.app.everything(&but).await;
                        let new: Vec<_> = after.symmetric_difference(&before).collect();
                        silent.insert(format!("{} at {at}: {}: {new:?}", form.name, reply.status));
                    }
                }
            }
        }
    }
    assert!(silent.is_empty(), "changed without a row: {silent:?}");
    assert!(changed.len() >= 14, "only these changed anything: {changed:?}");
}

/// What staff look for is a name, a phone, an address: it stands in no page's address, which histories and logs keep
/// (14.2.1). Going on and back works all the same.
#[tokio::test]
async fn s23_what_staff_look_for_stands_in_no_address() {
    let mut town = Town::new().await;
    let phone = town.anna.phone.clone();
    let found = town.agent.find(&phone).await;
    assert!(!found.contains(&phone[4..]), "{found}");
    for _ in 0..2 {
        let page = town.agent.get(&found).await;
        page.assert_says("Лебедева Анна");
        assert!(
            page.body.contains(&format!("value=\"{phone}\"")),
            "what was typed stays in the field"
        );
    }
    // Whoever is sent the address looks for nothing.
    let mut other = town.app.staff("other").await;
    assert!(!other.get(&found).await.text().contains("Лебедева"));
    assert!(!town.anna.get(&found).await.text().contains("Лебедева"));
    // The same of the queue, whose order and pages keep what is looked for.
    let fields = [
        ("status", "all"),
        ("assignee", ""),
        ("topic", ""),
        ("q", "Где мои баллы"),
    ];
    let queue = town.agent.send("/admin/requests", "request.find", &fields).await;
    let queue = queue.location().to_owned();
    assert!(
        queue.starts_with("/admin/requests?find=") && queue.ends_with("&status=all"),
        "{queue}"
    );
    let page = town.agent.get(&queue).await;
    assert!(page.text().contains("Лебедева Анна") && page.body.contains("value=\"Где мои баллы\""));
    let sorted = queue.replace("&status", "&sort=newest&status").replace('&', "&amp;");
    assert!(page.body.contains(&format!("href=\"{sorted}\"")), "{sorted}");
    let nothing = [
        ("status", "all"),
        ("assignee", ""),
        ("topic", ""),
        ("q", "чего здесь нет"),
    ];
    let empty = town.agent.send("/admin/requests", "request.find", &nothing).await;
    assert!(!town.agent.get(empty.location()).await.text().contains("Лебедева"));
    // And of messages.
    let fields = [("channel", ""), ("template", ""), ("to", phone.as_str())];
    let messages = town.agent.send("/admin/messages", "message.find", &fields).await;
    assert!(
        messages.location().starts_with("/admin/messages?find="),
        "{}",
        messages.location()
    );
    let shown = crm::contact::show_phone(&phone)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(town.agent.get(messages.location()).await.text().contains(&shown));
    // The same form once more with other words, as from a page that was gone back to.
    let form = town.agent.get(&found).await.form("customer.find");
    let first = town
        .agent
        .submit("/admin/customers", &form.clone().with("q", "Лебедева"))
        .await;
    let second = town
        .agent
        .submit("/admin/customers", &form.with("q", "никого такого"))
        .await;
    assert!(town.agent.get(first.location()).await.text().contains("Лебедева"));
    assert!(
        town.agent
            .get(second.location())
            .await
            .text()
            .contains("Никого не нашлось")
    );
    // No page of staff has a field whose words would go into an address.
    for route in ROUTES.iter().filter(|route| route.access == Access::Staff) {
        let at = town.path(route.path).await.expect("a sample");
        let page = town.agent.get(&at).await;
        let mut is_get = false;
        for tag in crate::common::html::tags(&page.body) {
            if tag.name == "form" {
                is_get = tag.get("method") != Some("post");
            }
            // A day tells nothing of anybody.
            let is_field = tag.name == "input" && !matches!(tag.get("type"), Some("hidden" | "date"));
            let is_typed = tag.name == "textarea" || is_field;
            assert!(!(is_get && is_typed), "{at}: {tag:?}");
        }
    }
}

/// Rows of the log are added, and nothing else: the database itself refuses.
#[tokio::test]
async fn s23_rows_cannot_be_changed_or_removed() {
    use sqlx::Connection as _;
    let app = TestApp::new().await;
    app.customer("Анна").await;
    let before = app.everything(&[]).await;
    let mut conn = sqlx::SqliteConnection::connect(&app.world.url)
        .await
        .expect("the database");
    for sql in [
        "UPDATE audit SET reason = ''",
        "DELETE FROM audit",
        "UPDATE audit SET at = at",
    ] {
        let error = sqlx::query(sql).execute(&mut conn).await.expect_err(sql).to_string();
        assert!(error.contains("append-only"), "{sql}: {error}");
    }
    assert_eq!(app.everything(&[]).await, before);
}

/// Whoever is read learns by whom, by role alone, why, and how often; nobody else does.
#[tokio::test]
async fn s23_a_customer_sees_who_looked_at_their_data_and_why() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut boris = app.customer("Борис").await;
    let mut agent = app.staff_as("petrov", "agent").await;
    let nobody = "Ваши данные пока никто не открывал.";
    assert!(anna.get("/profile").await.body.contains("href=\"/profile/views\""));
    assert!(anna.get("/profile/views").await.text().contains(nobody));
    let at = format!("/admin/customers/{}", anna.id().await);
    for _ in 0..3 {
        agent.get(&at).await;
    }
    let reason = [("reason", "Звонила: телефон украден")];
    let ended = agent.send(&at, "customer.end_sessions", &reason).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER, "{}", ended.text());
    app.world.clock.set(start() + Duration::minutes(1));
    let phone = anna.phone.clone();
    anna.prove(&phone).await;
    let page = anna.get("/profile/views").await.text();
    for words in [
        "Завершены все ваши входы в кабинет",
        "Причина: Звонила: телефон украден",
        "Открыта ваша карточка: контакты, покупки, баллы",
        "Причина: вы звонили",
        "Агент поддержки",
        // Each time the page was opened, and once more to end the sessions.
        "4 раза",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("petrov"), "{page}");
    assert!(boris.get("/profile/views").await.text().contains(nobody));
}
