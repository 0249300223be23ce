//! The same form twice: an impatient finger, a browser that tries again, an island that fell back.

use crate::common::{SAME_SITE, TestApp, body, details};
use axum::http::{Method, StatusCode};
use crm::who::Token;

#[tokio::test]
async fn one_key_does_one_thing_and_gets_one_answer() {
    let app = TestApp::new().await;
    let phone = app.free_phone();
    let mut who = app.anybody();
    who.prove(&phone).await;
    who.send("/sign-in/details", "sign_in.details", &details("Анна")).await;
    let key = Token::random();
    let first = who
        .send_keyed("/sign-in/review", "sign_in.register", key.secret(), &[])
        .await;
    assert_eq!(first.location(), "/welcome?done=registered");
    let counts = async || {
        (
            app.count("SELECT COUNT(*) FROM customers").await,
            app.count("SELECT COUNT(*) FROM cards").await,
        )
    };
    assert_eq!(counts().await, (1, 1));
    let mut again = app.anybody();
    again.cookies = who.cookies.clone();
    again
        .send_keyed("/sign-in/review", "sign_in.register", key.secret(), &[])
        .await;
    assert_eq!(counts().await, (1, 1));

    let mut who = app.anybody();
    let other = app.free_phone();
    let sent = "SELECT COUNT(*) FROM outbox WHERE template = 'sign_in_code'";
    let before = app.count(sent).await;
    // The second finger is faster than the first answer, with its cookie.
    let mut second = who.clone();
    for who in [&mut who, &mut second] {
        let key = "0123456789abcdef-start";
        let reply = who
            .send_keyed("/sign-in", "sign_in.start", key, &[("phone", &other)])
            .await;
        assert_eq!(reply.location(), "/sign-in/code");
    }
    assert_eq!(app.count(sent).await, before + 1);
    assert_eq!(who.get("/sign-in/code").await.status, StatusCode::OK);
}

#[tokio::test]
async fn one_key_with_another_body_is_refused() {
    let app = TestApp::new().await;
    let mut who = app.anybody();
    let key = Token::random();
    let phones = [app.free_phone(), app.free_phone()];
    who.send_keyed("/sign-in", "sign_in.start", key.secret(), &[("phone", &phones[0])])
        .await;
    // The attempt's cookie has come meanwhile; the second finger was on the page before it.
    who.cookies.clear();
    let reply = who
        .send_keyed("/sign-in", "sign_in.start", key.secret(), &[("phone", &phones[1])])
        .await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(app.count("SELECT COUNT(*) FROM outbox").await, 1);
    // Nor does it help to send it to another page.
    let reply = who
        .send_keyed("/sign-in/code", "sign_in.start", key.secret(), &[("phone", &phones[0])])
        .await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_at_once_have_one_effect() {
    let app = TestApp::new().await;
    let phone = app.free_phone();
    let mut who = app.anybody();
    who.prove(&phone).await;
    who.send("/sign-in/details", "sign_in.details", &details("Анна")).await;
    let sent = body("sign_in.register", Token::random().secret(), &[]).into_bytes();
    let all: Vec<_> = (0..20)
        .map(|_| {
            let (mut who, sent) = (who.clone(), sent.clone());
            tokio::spawn(async move { who.request(Method::POST, "/sign-in/review", &SAME_SITE, sent).await })
        })
        .collect();
    let mut came_in = 0;
    for reply in all {
        let reply = reply.await.expect("an answer");
        // One is first; the others get its answer, or are sent to look at the page again while it is being made.
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text());
        came_in += usize::from(reply.headers.contains_key("set-cookie"));
    }
    assert!(came_in >= 1);
    for sql in [
        "SELECT COUNT(*) FROM customers",
        "SELECT COUNT(*) FROM cards",
        "SELECT COUNT(*) FROM sessions",
    ] {
        assert_eq!(app.count(sql).await, 1, "{sql}");
    }
    assert_eq!(
        app.count("SELECT COUNT(*) FROM outbox WHERE template = 'sign_in_code'")
            .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s08_a_code_opens_once_however_many_send_it() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    app.world
        .clock
        .set(crm::testing::start() + chrono::Duration::minutes(1));
    let mut who = app.anybody();
    who.send("/sign-in", "sign_in.start", &[("phone", &anna.phone)]).await;
    let code = app.code(&anna.phone).await;
    let sessions = app.count("SELECT COUNT(*) FROM sessions").await;
    let all: Vec<_> = (0..20)
        .map(|_| {
            let (mut who, code) = (who.clone(), code.clone());
            tokio::spawn(async move { who.send("/sign-in/code", "sign_in.verify", &[("code", &code)]).await })
        })
        .collect();
    let mut opened = 0;
    for reply in all {
        opened += usize::from(reply.await.expect("an answer").location() == "/");
    }
    assert_eq!(
        (opened, app.count("SELECT COUNT(*) FROM sessions").await - sessions),
        (1, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_contact_is_added_once_however_often_it_is_sent() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    let fields = [("email", "once@example.com")];
    let key = Token::random();
    let sent = body("contact.add_email", key.secret(), &fields).into_bytes();
    let all: Vec<_> = (0..20)
        .map(|_| {
            let (mut who, sent) = (anna.browser.clone(), sent.clone());
            tokio::spawn(async move { who.request(Method::POST, "/profile/contacts", &SAME_SITE, sent).await })
        })
        .collect();
    for reply in all {
        let reply = reply.await.expect("an answer");
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text());
    }
    assert_eq!(
        app.count("SELECT COUNT(*) FROM contacts WHERE value = 'once@example.com'")
            .await,
        1
    );
    // Later too: the stored answer, though the address is taken by now.
    let mut who = anna.browser.clone();
    let again = who
        .send_keyed("/profile/contacts", "contact.add_email", key.secret(), &fields)
        .await;
    assert_eq!(again.location(), "/profile/contacts?done=email");
    let other = [("email", "other@example.com")];
    let again = who
        .send_keyed("/profile/contacts", "contact.add_email", key.secret(), &other)
        .await;
    assert_eq!(again.status, StatusCode::FORBIDDEN, "one key, one thing");
    assert_eq!(app.count("SELECT COUNT(*) FROM contacts WHERE kind = 'email'").await, 1);
    // A key is its owner's: the same one of somebody else is another.
    let mut boris = app.customer("Борис").await;
    let reply = boris
        .send_keyed("/profile/contacts", "contact.add_email", key.secret(), &other)
        .await;
    assert_eq!(reply.location(), "/profile/contacts?done=email");
}

/// What was wrong is mended and sent under the key that the page kept.
#[tokio::test]
async fn a_mended_form_is_taken_under_its_key() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let page = anna
        .send("/profile/contacts", "contact.add_email", &[("email", "anna@")])
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mended = page.form("contact.add_email").with("email", "anna@example.com");
    assert_eq!(
        anna.submit("/profile/contacts", &mended).await.location(),
        "/profile/contacts?done=email"
    );
}
