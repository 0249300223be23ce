//! Another main phone number, from page to page: it waits, the number until now keeps itself by a link, staff call it off, and
//! tills wait.

use crate::api::{problem, read, till};
use crate::common::{BY, Browser, Reply, TestApp};
use crate::ways::code;
use axum::http::StatusCode;
use chrono::Duration;
use crm::contact::change;
use crm::till::Scope;
use serde_json::json;

const CONTACTS: &str = "/profile/contacts";
const LIVE: &str = "SELECT COUNT(*) FROM number_changes WHERE done_at IS NULL AND cancelled_at IS NULL";
const MAIN: &str = "SELECT value FROM contacts WHERE kind = 'phone' AND is_primary";

/// A second phone of somebody who has just come in, proved by its code.
pub(crate) async fn second_phone(app: &TestApp, who: &mut Browser) -> String {
    let phone = app.free_phone();
    who.send(CONTACTS, "contact.add_phone", &[("phone", &phone)]).await;
    let verify = who.get(CONTACTS).await.form("contact.verify");
    who.submit(CONTACTS, &verify).await;
    let code = code(app, &phone).await;
    let proved = who
        .send("/profile/contacts/code", "contact.prove", &[("code", &code)])
        .await;
    proved.assert_leads_to("/profile/contacts?done=proved_phone");
    phone
}

/// Makes the second phone the main one; the page that follows.
pub(crate) async fn begin(who: &mut Browser) -> Reply {
    let primary = who.get(CONTACTS).await.form("contact.primary");
    let begun = who.submit(CONTACTS, &primary).await;
    begun.assert_leads_to("/profile/contacts?done=changing");
    who.get(begun.location()).await
}

/// The newest link that keeps the number, and to whom it went.
async fn link(app: &TestApp) -> (String, String) {
    let messages = crm::outbox::inbox(&app.world.db, 100).await.expect("the outbox");
    let newest = messages.iter().find(|m| m.template == "number_begun").expect("sent");
    let at = newest.body.find("/number-change/").expect("a link");
    let link = newest.body[at..].split_whitespace().next().expect("its end");
    (link.to_owned(), newest.address.clone())
}

#[tokio::test]
async fn s15_another_main_number_waits_and_the_old_one_keeps_itself_by_a_link() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let old = anna.phone.clone();
    let new = second_phone(&app, &mut anna).await;
    let page = begin(&mut anna).await;
    for words in ["Просьба принята", "Осталось 24 ч 0 мин", "Станет основным"] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    assert!(
        !page.body.contains("value=\"contact.primary\""),
        "it is on its way already"
    );
    // A script counts down from there, in the words of the page.
    for part in [
        "data-due=\"86400\"",
        "data-left=\"Осталось {hours} ч {minutes} мин.\"",
        "src=\"/due.js\"",
    ] {
        assert_eq!(page.body.matches(part).count(), 1, "{part}");
    }
    assert_eq!(app.text(MAIN).await, old);
    // Without a sign-in, by the message that went to the number until now: looking at it does nothing.
    let (first, to) = link(&app).await;
    assert_eq!(to, old);
    let mut anybody = app.anybody();
    assert_eq!(
        anybody.get(&first[..first.len() - 1]).await.status,
        StatusCode::NOT_FOUND
    );
    let page = anybody.get(&first).await;
    page.assert_says("Оставить прежний номер?");
    assert_eq!(app.count(LIVE).await, 1);
    let kept = anybody.submit(&first, &page.form("number.cancel_by_link")).await;
    kept.assert_leads_to(&format!("{first}?done=kept"));
    let page = anybody.get(kept.location()).await;
    page.assert_says("Номер остаётся прежним");
    assert_eq!(app.count(LIVE).await, 0);
    let late = anybody.send(&first, "number.cancel_by_link", &[]).await;
    assert!(
        late.status.is_client_error() && late.text().contains("Отменять нечего"),
        "{}",
        late.text()
    );
    let made_up = format!("/number-change/{}", "A".repeat(43));
    let forged = anybody.send(&made_up, "number.cancel_by_link", &[]).await;
    assert!(forged.status.is_client_error(), "{}", forged.status);
    assert!(!anna.get("/").await.body.contains("number.cancel"));
    // By the bar on any page of the cabinet.
    begin(&mut anna).await;
    for at in ["/", "/card", CONTACTS] {
        let page = anna.get(at).await;
        assert_eq!(page.body.matches("value=\"number.cancel\"").count(), 1, "{at}");
    }
    let back = anna.get("/").await.form("number.cancel");
    let kept = anna.submit(CONTACTS, &back).await;
    kept.assert_leads_to("/profile/contacts?done=kept");
    app.assert_row("number.cancel").await;
    let nothing = anna.send(CONTACTS, "number.cancel", &[]).await;
    assert!(nothing.status.is_client_error(), "{}", nothing.status);
    // Left alone it comes, and both numbers open until the old one is removed.
    begin(&mut anna).await;
    app.world.clock.set(app.world.db.now() + Duration::hours(24));
    assert_eq!(change::run_due(&app.world.db, &BY).await.expect("done"), 1);
    assert_eq!(app.text(MAIN).await, new);
    let page = anna.get("/").await;
    page.assert_says("Копить можно");
    assert!(!page.body.contains("number.cancel"), "nothing is left to call off");
    for phone in [&old, &new] {
        assert_eq!(app.anybody().prove(phone).await.location(), "/");
    }
    app.world.clock.set(app.world.db.now() + Duration::hours(24));
    assert!(!anna.get("/").await.text().contains("Копить можно"));
}

#[tokio::test]
async fn s15_staff_see_a_change_of_number_and_call_it_off_with_a_reason() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    second_phone(&app, &mut anna).await;
    let mut agent = app.staff_as("agent", "agent").await;
    let card = format!("/admin/customers/{}", anna.id().await);
    assert!(
        !agent.get(&card).await.body.contains("number.stop"),
        "nothing to call off"
    );
    begin(&mut anna).await;
    let page = agent.get(&card).await;
    page.assert_says("До тех пор покупатель может отменить");
    let form = page.form("number.stop");
    let silent = agent.submit(&card, &form).await;
    assert_eq!(silent.message("number.stop", "reason"), "Напишите, почему");
    assert_eq!(app.count(LIVE).await, 1);
    let stopped = agent
        .submit(&card, &form.with("reason", "Звонила с прежнего номера"))
        .await;
    stopped.assert_leads_to(&format!("{card}?done=stopped"));
    assert_eq!(app.count(LIVE).await, 0);
    let looks = anna.get("/profile/views").await;
    for words in ["Отменена смена вашего основного номера", "Звонила с прежнего номера"]
    {
        assert!(looks.text().contains(words), "{words}: {}", looks.text());
    }
    let late = agent.send(&card, "number.stop", &[("reason", "Ещё раз")]).await;
    assert!(
        late.status.is_client_error() && late.text().contains("Отменять уже нечего"),
        "{}",
        late.text()
    );
    // Who has not proved for a while who they are does so first.
    begin(&mut anna).await;
    app.world.clock.set(app.world.db.now() + Duration::minutes(16));
    let old = agent.send(&card, "number.stop", &[("reason", "Ещё раз")]).await;
    assert_eq!(old.location(), format!("/admin/confirm?next={card}"));
    assert_eq!(app.count(LIVE).await, 1);
}

#[tokio::test]
async fn s15_tills_wait_while_the_number_changes() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    let who = anna.id().await.to_string();
    let till = till(&app, "counter", &[Scope::Customers, Scope::Purchases, Scope::Points]).await;
    let lines = json!([{"article": "tea", "name": "Чай", "quantity": 1, "price": 100_000}]);
    let sell = async |document: &str| {
        let sale = json!({"document": document, "at": app.world.db.now(), "customer": who, "lines": lines});
        let sold = till.post("/purchases", &sale).await;
        assert_eq!(sold.status, StatusCode::CREATED, "{}", sold.body);
        read(&sold)
    };
    sell("S-1").await;
    // Two weeks later what it earned can be spent.
    app.world.clock.set(app.world.db.now() + Duration::days(15));
    let mut browser = app.anybody();
    assert_eq!(browser.prove(&anna.phone).await.location(), "/");
    second_phone(&app, &mut browser).await;
    let basket = json!({"customer": who, "lines": lines});
    let wish = json!({"customer": who, "points": 1_000});
    let before = read(&till.post("/quotes", &basket).await);
    assert_eq!(before["payable"]["most"], 3_000, "{before}");
    begin(&mut browser).await;
    let until = json!(app.world.db.now() + Duration::hours(48));
    let quote = read(&till.post("/quotes", &basket).await);
    assert_eq!(
        (&quote["payable"]["most"], &quote["payable"]["frozen_until"]),
        (&json!(0), &until),
        "{quote}"
    );
    let refused = till.post("/reservations", &wish).await;
    assert_eq!(problem(&refused, StatusCode::CONFLICT, "frozen")["until"], until);
    // Earning goes on.
    assert_eq!(sell("S-2").await["earned"][0]["points"], 3_000);
    let back = browser.get("/").await.form("number.cancel");
    browser.submit(CONTACTS, &back).await;
    let held = till.post("/reservations", &wish).await;
    assert_eq!(held.status, StatusCode::CREATED, "{}", held.body);
}
