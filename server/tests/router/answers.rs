//! What a page says when something was wrong.

use crate::common::{Browser, PASSWORD, SAME_SITE, TestApp, Town, body, details};
use axum::http::{Method, StatusCode};
use crm::who::Token;

#[tokio::test]
async fn what_was_typed_stays_and_each_field_says_what_is_wrong() {
    let app = TestApp::new().await;
    let mut who = app.anybody();
    who.prove(&app.free_phone()).await;
    let sent = [
        ("name", "Анна <b>"),
        ("surname", ""),
        ("day", "31"),
        ("month", "2"),
        ("year", "1990"),
        ("email", "anna@"),
        ("password", "короткий"),
        ("consents[]", "loyalty_rules"),
    ];
    let key = Token::random();
    let page = who
        .send_keyed("/sign-in/details", "sign_in.details", key.secret(), &sent)
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.body.contains("<title>Ошибка: О вас"),
        "a screen reader hears it first"
    );
    let form = page.form("sign_in.details");
    assert_eq!(form.get("_key"), Some(key.secret()));
    for (name, value) in sent.iter().filter(|(name, _)| *name != "password") {
        assert_eq!(form.get(name), Some(*value), "{name}");
    }
    assert_eq!(form.get("password"), Some(""));
    assert!(!page.body.contains("короткий"), "a password is not sent back");
    for (field, message) in [
        ("name", "Только буквы, пробел, дефис и апостроф"),
        ("surname", "Напишите фамилию"),
        ("birthday", "Такой даты нет: проверьте день, месяц и год"),
        ("email", "Проверьте адрес, например anna@example.com"),
        ("password", "Нужно хотя бы 15 знаков"),
        ("consent_personal_data", "Без этого согласия продолжить нельзя"),
    ] {
        assert_eq!(page.message("sign_in.details", field), message);
        // The summary leads to the field.
        let id = format!("sign_in-details-{field}");
        assert!(
            page.body.contains(&format!("href=\"#{id}\"")),
            "{field} is in the summary"
        );
        assert!(page.body.contains(&format!("id=\"{id}\"")), "{field} can be found");
    }
    page.assert_says("Исправьте 6 строк");
    // Of the boxes only those that were ticked.
    assert_eq!(form.fields.iter().filter(|(name, _)| name == "consents[]").count(), 1);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM attempts WHERE draft IS NOT NULL").await,
        0
    );
}

#[tokio::test]
async fn the_island_gets_the_same_page_and_status() {
    let app = TestApp::new().await;
    let plain = app
        .anybody()
        .send("/sign-in", "sign_in.start", &[("phone", "12")])
        .await;
    let fetched = app
        .anybody()
        .with("kabinet-enhance", "1")
        .send("/sign-in", "sign_in.start", &[("phone", "12")])
        .await;
    assert_eq!(
        (plain.status, fetched.status),
        (StatusCode::UNPROCESSABLE_ENTITY, StatusCode::UNPROCESSABLE_ENTITY)
    );
    assert_eq!(plain.text(), fetched.text());
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_page_that_says_so() {
    let mut town = Town::new().await;
    let before = town.app.everything(&[]).await;
    for route in app::ROUTES.iter().filter(|route| !route.forms.is_empty()) {
        let at = town.path(route.path).await.expect("a sample");
        let (over, under) = if at.ends_with("/setup") {
            (16 * 1024 + 1, 15 * 1024)
        } else if ["sign-in", "/confirm", "/admin/join/"]
            .iter()
            .any(|part| at.contains(part))
        {
            (4 * 1024 + 1, 3 * 1024)
        } else {
            (64 * 1024 + 1, 60 * 1024)
        };
        let who = if at.starts_with("/admin/") {
            &mut town.agent
        } else {
            &mut town.anna.browser
        };
        let sent = vec![b'x'; over];
        let reply = who.request(Method::POST, &at, &SAME_SITE, sent).await;
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE, "{at}");
        assert!(
            reply.text().contains("Слишком большой запрос"),
            "{at}: {}",
            reply.text()
        );
        let reply = who.request(Method::POST, &at, &SAME_SITE, vec![b'x'; under]).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{at}: read, and nothing of ours");
    }
    assert_eq!(town.app.everything(&[]).await, before);
}

#[tokio::test]
async fn what_none_of_our_pages_sends_is_refused() {
    let town = Town::new().await;
    let before = town.app.everything(&[]).await;
    let key = "0123456789abcdef";
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("no name", format!("_key={key}").into_bytes()),
        ("no key", b"_fn=theme&theme=dark".to_vec()),
        ("a short key", b"_fn=theme&_key=1&theme=dark".to_vec()),
        (
            "a long key",
            format!("_fn=theme&_key={}&theme=dark", "k".repeat(101)).into_bytes(),
        ),
        ("an unknown form", format!("_fn=drop_tables&_key={key}").into_bytes()),
        (
            "a form of another page",
            format!("_fn=sign_in.register&_key={key}").into_bytes(),
        ),
        ("a field missing", format!("_fn=sign_in.start&_key={key}").into_bytes()),
        (
            "a field twice",
            format!("_fn=sign_in.start&_key={key}&phone=1&phone=2").into_bytes(),
        ),
        (
            "a nested field",
            format!("_fn=sign_in.start&_key={key}&phone[a][b]=1").into_bytes(),
        ),
        (
            "raw bytes that are no UTF-8",
            [
                b"_fn=sign_in.start&_key=0123456789abcdef&phone=".to_vec(),
                vec![0xff, 0xfe],
            ]
            .concat(),
        ),
        (
            "an unknown language",
            format!("_fn=language&_key={key}&language=xx").into_bytes(),
        ),
    ];
    for (what, sent) in bodies {
        let reply = town
            .app
            .anybody()
            .request(Method::POST, "/sign-in", &SAME_SITE, sent)
            .await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{what}");
        assert!(reply.text().contains("Запрос не принят"), "{what}: {}", reply.text());
    }
    // Escaped bytes that are no UTF-8 become the sign for it, which is no phone.
    let sent = format!("_fn=sign_in.start&_key={key}&phone=%ff%fe").into_bytes();
    let reply = town
        .app
        .anybody()
        .request(Method::POST, "/sign-in", &SAME_SITE, sent)
        .await;
    assert!(
        [StatusCode::FORBIDDEN, StatusCode::UNPROCESSABLE_ENTITY].contains(&reply.status),
        "{}",
        reply.status
    );
    assert_eq!(town.app.everything(&[]).await, before);
}

/// What a form does not ask for is not taken from it (ASVS 5.0, 15.3.3).
#[tokio::test]
async fn s18_fields_that_nobody_asked_for_do_nothing() {
    let app = TestApp::new().await;
    let mut who = app.anybody();
    who.prove(&app.free_phone()).await;
    let mut sent = details("Анна");
    sent.extend([
        ("id", "1"),
        ("role", "administrator"),
        ("password_hash", "x"),
        ("verified_at", "2020-01-01"),
        ("draft[password_hash]", "x"),
    ]);
    let reply = who.send("/sign-in/details", "sign_in.details", &sent).await;
    if reply.status == StatusCode::SEE_OTHER {
        who.send("/sign-in/review", "sign_in.register", &[]).await;
    }
    assert_eq!(
        app.count("SELECT COUNT(*) FROM customers WHERE password_hash IS NOT NULL")
            .await,
        0
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM staff").await, 0);
}

#[tokio::test]
async fn s24_a_page_that_does_not_exist_says_so_and_names_the_request() {
    let mut town = Town::new().await;
    let mut anybody = town.app.anybody();
    for at in [
        "/nowhere",
        "/pkg/site.json",
        "/site.json",
        "/../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/consents/none",
        "/.git/config",
        "/%00",
    ] {
        for who in [&mut anybody, &mut town.anna.browser, &mut town.agent] {
            let page = who.get(at).await;
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{at}");
            assert!(page.text().contains("Такой страницы нет"), "{at}: {}", page.text());
            assert_eq!(page.header("content-type"), "text/html; charset=utf-8", "{at}");
        }
    }
    let ids = [anybody.get("/nowhere").await, anybody.get("/nowhere").await].map(|page| request_id(&page.body));
    assert_ne!(ids[0], ids[1]);
}

fn request_id(html: &str) -> String {
    let (_, rest) = html.split_once("<code>").expect("the request's id");
    let id = rest.split('<').next().unwrap_or_default().to_owned();
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    id
}

/// When the database fails, the page says nothing of it.
#[tokio::test]
async fn s24_an_error_says_nothing_of_the_inside() {
    let app = TestApp::new().await;
    let mut who = app.anybody();
    who.prove(&app.free_phone()).await;
    app.execute("DROP TABLE consent_texts").await;
    let pages: Vec<_> = vec![
        who.get("/consents/personal_data").await,
        who.get("/sign-in/details").await,
        who.send("/sign-in/details", "sign_in.details", &details("Анна")).await,
    ];
    for page in pages {
        assert_eq!(page.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", page.path);
        let seen = page.body.to_lowercase();
        for word in ["sql", "consent_texts", "no such table", "panicked", "error:", "src/"] {
            assert!(!seen.contains(word), "{} says {word}", page.path);
        }
        page.assert_says("У нас что-то сломалось");
        request_id(&page.body);
    }
}

/// The errors of this page, in the language of the reader.
#[tokio::test]
async fn errors_speak_the_readers_language() {
    let app = TestApp::new().await;
    let english = || app.anybody().with("accept-language", "en");
    assert!(english().get("/nowhere").await.body.contains("lang=\"en\""));
    let page = english().send("/sign-in", "sign_in.start", &[("phone", "")]).await;
    let message = page.message("sign_in.start", "phone");
    assert!(message.is_ascii() && !message.is_empty(), "{message}");
    let refused = english().request(Method::POST, "/sign-in", &[], Vec::new()).await;
    assert!(
        refused.text().is_ascii() || !refused.text().contains("Запрос"),
        "{}",
        refused.text()
    );
}

#[tokio::test]
async fn a_form_belongs_to_its_page() {
    let app = TestApp::new().await;
    let mut who: Browser = app.anybody();
    // Language and theme belong to every page, even to one that does not exist.
    let reply = who.send("/nowhere?a=b", "theme", &[("theme", "dark")]).await;
    assert_eq!(reply.location(), "/nowhere?a=b");
    assert_eq!(
        who.send("/nowhere", "sign_in.start", &[("phone", "x")]).await.status,
        StatusCode::FORBIDDEN
    );
    let sent = body(
        "sign_in.password",
        "0123456789abcdef",
        &[("phone", "+79000000000"), ("password", PASSWORD)],
    );
    let reply = who
        .request(Method::POST, "/consents/personal_data", &SAME_SITE, sent.into_bytes())
        .await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}
