//! The link of a promotional e-mail: opened by a person, sent a form to by their mail provider (RFC 8058), tried by others.

use crate::common::{BY, Customer, Reply, TestApp};
use axum::http::{Method, StatusCode};
use chrono::Duration;
use crm::consent::Aim;
use crm::db::scoped;
use crm::lang::Localized;
use crm::outbox::{Channel, delivery, promotion};

/// What a mail provider sends.
const ONE_CLICK: &[u8] = b"List-Unsubscribe=One-Click";
const GIVEN: &str = "SELECT c.act FROM consents c JOIN consent_texts t ON t.id = c.text_id \
                     JOIN consent_purposes p ON p.id = t.purpose_id WHERE p.code = 'marketing_email' \
                     ORDER BY c.at DESC, c.id DESC LIMIT 1";

/// Somebody who was sent an offer by e-mail, and the path of the link in it.
pub(crate) async fn written(app: &TestApp) -> (Customer, String) {
    let mut anna = app.customer("Анна").await;
    let added = anna
        .send(
            "/profile/contacts",
            "contact.add_email",
            &[("email", "anna.petrova@example.com")],
        )
        .await;
    assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.text());
    app.execute("UPDATE contacts SET verified_at = created_at").await;
    let fields = [("consent", "marketing_email"), ("version", "1"), ("act", "give")];
    anna.send("/profile/consents", "consent.change", &fields).await;
    let (db, customer) = (&app.world.db, anna.id().await);
    let text = &Localized::new("чай дешевле", "tea for less");
    let sent = db.write(|tx| {
        scoped(async move { promotion::send(tx, customer, Aim::Marketing, "reward", &[("text", text)]).await })
    });
    sent.await.expect("written").expect("she agrees");
    let claimed = delivery::claim(db, &BY, Channel::Email, "test", Duration::minutes(1), 10)
        .await
        .expect("claimed");
    let link = claimed
        .iter()
        .find_map(|message| message.unsubscribe.clone())
        .expect("a link");
    let path = link.strip_prefix(crate::common::HOME).expect("an address of this site");
    (anna, path.to_owned())
}

/// Sent by a program from nowhere: without a cookie, and without a word of where it comes from.
async fn post(app: &TestApp, at: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    app.anybody().request(Method::POST, at, headers, body.to_vec()).await
}

#[tokio::test]
async fn s04_a_mail_provider_unsubscribes_from_nowhere_and_by_the_link_alone() {
    let app = TestApp::new().await;
    let (_, at) = written(&app).await;
    // Looking changes nothing: providers open links ahead of their readers.
    let before = app.everything(&[]).await;
    for method in [Method::GET, Method::HEAD] {
        let reply = app.anybody().request(method, &at, &[], Vec::new()).await;
        assert_eq!(reply.status, StatusCode::OK);
    }
    // Another link is nothing, and what is no unsubscribing is refused.
    let mut other = at.clone();
    let last = if other.pop() == Some('0') { '1' } else { '0' };
    other.push(last);
    for (at, body, expected) in [
        (other.as_str(), ONE_CLICK, StatusCode::NOT_FOUND),
        (&at.replace("marketing", "surveys"), ONE_CLICK, StatusCode::NOT_FOUND),
        ("/unsubscribe/x", ONE_CLICK, StatusCode::NOT_FOUND),
        (&at, b"", StatusCode::FORBIDDEN),
        (
            &at,
            b"_fn=theme&_key=0123456789abcdef&theme=dark",
            StatusCode::FORBIDDEN,
        ),
    ] {
        let reply = post(&app, at, &[], body).await;
        assert_eq!(reply.status, expected, "{at}");
        assert!(!reply.headers.contains_key("set-cookie"), "{at}");
    }
    // Near it, the guard is as everywhere.
    for near in [
        format!("{at}/"),
        format!("{at}/x"),
        format!("/{at}"),
        "/unsubscribe".to_owned(),
    ] {
        assert_eq!(
            post(&app, &near, &[], ONE_CLICK).await.status,
            StatusCode::FORBIDDEN,
            "{near}"
        );
    }
    assert_eq!(app.everything(&[]).await, before, "nothing changed");
    assert_eq!(app.text(GIVEN).await, "given");

    let multipart = "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n";
    let kind = ("content-type", "multipart/form-data; boundary=x");
    for _ in 0..2 {
        assert_eq!(post(&app, &at, &[], ONE_CLICK).await.status, StatusCode::OK);
        assert_eq!(
            post(&app, &at, &[kind], multipart.as_bytes()).await.status,
            StatusCode::OK
        );
        assert_eq!(app.text(GIVEN).await, "withdrawn");
    }
    let withdrawn = "SELECT COUNT(*) FROM consents WHERE act = 'withdrawn' AND source = 'link'";
    assert_eq!(app.count(withdrawn).await, 1, "once");
}

#[tokio::test]
async fn a_person_unsubscribes_by_the_page_without_signing_in() {
    let app = TestApp::new().await;
    let (mut anna, at) = written(&app).await;
    let mut anybody = app.anybody();
    let page = anybody.get(&at).await;
    let text = page.text();
    assert!(
        text.contains("Акции и подарки") && text.contains("a•••@example.com"),
        "{text}"
    );
    for private in ["anna.petrova", "Анна", &anna.phone, &anna.id().await.to_string()] {
        assert!(!page.body.contains(private), "{private}");
    }
    // The form holds what a provider sends, and nothing else changes by this page.
    let begin = page.body.find("<form").expect("a form");
    let form = &page.body[begin..];
    assert!(
        form.contains("name=\"List-Unsubscribe\"") && form.contains("value=\"One-Click\""),
        "{form}"
    );
    assert_eq!(page.body.matches("<form").count(), 1);
    let done = post(&app, &at, &crate::common::SAME_SITE, ONE_CLICK).await;
    done.assert_says("Готово, вы отписаны");
    assert!(!done.body.contains("<form"));
    let again = anybody.get(&at).await;
    again.assert_says("Готово, вы отписаны");
    // She sees in the cabinet how it came about, and may think better of it.
    let page = anna.get("/profile/consents").await;
    let (_, rest) = page.body.split_once("href=\"/profile/consents/").expect("a receipt");
    let (id, _) = rest.split_once('/').expect("its id");
    let receipt = anna.get(&format!("/profile/consents/{id}/receipt.txt")).await;
    assert!(
        receipt.body.contains("Как: по ссылке из сообщения\n"),
        "{}",
        receipt.body
    );
    let fields = [("consent", "marketing_email"), ("version", "1"), ("act", "give")];
    anna.send("/profile/consents", "consent.change", &fields).await;
    assert_eq!(app.text(GIVEN).await, "given");
}

/// Whoever is signed in is nobody here, so that no page can come to rely on it.
#[tokio::test]
async fn s04_the_link_sees_no_cookie() {
    let app = TestApp::new().await;
    let (mut anna, at) = written(&app).await;
    anna.send("/profile", "theme", &[("theme", "dark")]).await;
    assert!(anna.get("/profile").await.body.contains("data-theme=\"dark\""));
    let page = anna.get(&at).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        !page.body.contains("data-theme"),
        "the cookie of the theme came through"
    );
}
