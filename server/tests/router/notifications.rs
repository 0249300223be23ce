//! The bell, the page of notifications, and the page of everything that was sent.

use crate::common::{BY, SAME_SITE, Town};
use axum::http::{Method, StatusCode};
use chrono::Duration;

const PAGE: &str = "/notifications";
const UNREAD: &str = "SELECT COUNT(*) FROM notifications WHERE read_at IS NULL";

/// A town in which Anna was answered, and nobody else was told anything.
async fn answered() -> Town {
    let mut town = Town::new().await;
    town.app.execute("DELETE FROM notifications").await;
    town.answer().await;
    town
}

#[tokio::test]
async fn a_bell_counts_what_is_new_until_somebody_looks() {
    let mut town = answered().await;
    let home = town.anna.get("/").await;
    home.assert_says("Уведомления, новых: 1");
    assert!(!town.boris.get("/").await.text().contains("Уведомления, новых"));
    // Where a browser looks ahead, and where only the headers are asked for, nobody has seen it.
    let ahead = [("sec-purpose", "prefetch")];
    town.anna.request(Method::GET, PAGE, &ahead, Vec::new()).await;
    town.anna.request(Method::HEAD, PAGE, &[], Vec::new()).await;
    assert_eq!(town.app.count(UNREAD).await, 1);
    // A form that is sent from the page is no visit either.
    let sent = crate::common::body("theme", "0123456789abcdef", &[("theme", "dark")]);
    town.anna
        .request(Method::POST, PAGE, &SAME_SITE, sent.into_bytes())
        .await;
    assert_eq!(town.app.count(UNREAD).await, 1);
    town.boris.get(PAGE).await;
    assert_eq!(town.app.count(UNREAD).await, 1, "it is not his");

    let page = town.anna.get(PAGE).await;
    let words = format!("Есть ответ на обращение №\u{a0}{}", town.request);
    let words = words.replace('\u{a0}', " ");
    let text = page.words();
    assert!(text.contains(&words) && text.contains("Новое"), "{text}");
    assert!(!text.contains("Уведомления, новых"), "what is looked at is not counted");
    assert!(page.body.contains(&format!("href=\"/support/{}\"", town.request)));
    assert_eq!(town.app.count(UNREAD).await, 0);
    assert!(!town.anna.get("/").await.text().contains("Уведомления, новых"));
    let again = town.anna.get(PAGE).await.text();
    assert!(!again.contains("Новое"), "{again}");
    let nothing = town.boris.get(PAGE).await;
    nothing.assert_says("Пока ничего нового. Посмотреть акции");
}

#[tokio::test]
async fn a_request_that_support_closed_is_told() {
    let mut town = answered().await;
    let at = format!("/admin/requests/{}", town.request);
    let seen = town.agent.get(&at).await.form("request.answer");
    let seen = seen.get("seen").expect("a field").to_owned();
    let sent = [("seen", seen.as_str()), ("status", "closed")];
    let reply = town.agent.send(&at, "request.status", &sent).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text());
    assert_eq!(town.app.count(UNREAD).await, 2);
    let text = town.anna.get(PAGE).await.text().replace('\u{a0}', " ");
    let words = format!("Обращение № {} закрыто", town.request);
    assert!(text.contains(&words), "{text}");
}

#[tokio::test]
async fn notifications_come_page_by_page() {
    let mut town = answered().await;
    town.app
        .execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) \
             INSERT INTO notifications (id, customer_id, kind, about, key, at) \
             SELECT randomblob(16), o.customer_id, 'answer', '9' || n.i, 'n' || n.i, o.at FROM notifications o, n",
        )
        .await;
    let first = town.anna.get(PAGE).await;
    assert_eq!(first.body.matches("href=\"/support/").count(), 30);
    let (_, next) = first
        .body
        .split_once("href=\"/notifications?before=")
        .expect("a second page");
    let next = next.split('"').next().expect("its address");
    let second = town.anna.get(&format!("{PAGE}?before={next}")).await;
    assert_eq!(second.body.matches("href=\"/support/").count(), 11);
    assert!(!second.body.contains("?before="));
    for nowhere in ["?before=x", "?before=1_2", "?before="] {
        assert_eq!(town.anna.get(&format!("{PAGE}{nowhere}")).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn s08_what_was_sent_is_shown_without_its_codes_to_whom_it_was_sent() {
    let mut town = Town::new().await;
    let code = town.app.code(&town.anna.phone).await;
    let empty = town.anna.get("/profile/messages").await.text();
    assert!(empty.contains("ещё ничего не присылали"), "{empty}");
    crm::outbox::deliver_to_inbox(&town.app.world.db, &BY)
        .await
        .expect("gone");
    town.app
        .execute("UPDATE outbox SET customer_id = (SELECT customer_id FROM contacts k WHERE k.value = outbox.address)")
        .await;
    let page = town.anna.get("/profile/messages").await;
    page.assert_says("•••••• — код входа");
    assert!(!page.body.contains(&code));
    let boris = town.boris.get("/profile/messages").await;
    assert!(!boris.body.contains(&code));
    let letters = town.anna.get("/profile/messages?channel=email").await;
    letters.assert_says("По почте мы вам ещё ничего не присылали");
    letters.assert_says("Показать всё, что присылали");
    // A later page of one channel leads back to the first one of it, whether there is something or not.
    let nil = uuid::Uuid::nil();
    let later = (crm::testing::start() + Duration::days(1)).timestamp_micros();
    for (before, words) in [(later, "•••••• — код входа"), (0, "Раньше мы ничего не присылали")]
    {
        let page = town
            .anna
            .get(&format!("/profile/messages?channel=sms&before={before}_{nil}"))
            .await;
        page.assert_says(words);
        let (_, rest) = page.body.split_once("</nav>").expect("the channels");
        let tags = crate::common::html::tags(rest);
        let back: Vec<_> = tags.iter().filter(|tag| tag.text.trim() == "К последним").collect();
        assert_eq!(back.len(), 1, "{rest}");
        assert_eq!(back[0].get("href"), Some("/profile/messages?channel=sms"), "{rest}");
    }
    assert_eq!(
        town.anna.get("/profile/messages?channel=fax").await.status,
        StatusCode::OK
    );
}
