//! Language and theme: what the browser asks for, what was chosen, what the customer keeps.

use crate::common::{Reply, TestApp};

fn lang(page: &Reply) -> &str {
    let (_, rest) = page.body.split_once("<html lang=\"").expect("a language");
    rest.split('"').next().unwrap_or_default()
}

#[tokio::test]
async fn the_browser_says_which_language_until_somebody_chooses() {
    let app = TestApp::new().await;
    for (accepted, expected) in [
        ("ru", "ru"),
        ("en", "en"),
        ("en-GB,en;q=0.9,ru;q=0.1", "en"),
        ("ru-RU, en;q=0.8", "ru"),
        ("de, en;q=0.5, ru;q=0.4", "en"),
        ("en;q=0, ru", "ru"),
        ("de", "ru"),
        ("", "ru"),
        ("*;;;q=,,", "ru"),
    ] {
        let page = app.anybody().with("accept-language", accepted).get("/sign-in").await;
        assert_eq!(lang(&page), expected, "{accepted:?}");
    }
    assert_eq!(lang(&app.anybody().get("/sign-in").await), "ru", "the shop's own");
    let mut who = app.anybody().with("accept-language", "en");
    assert_eq!(
        who.send("/sign-in", "language", &[("language", "ru")]).await.location(),
        "/sign-in"
    );
    assert_eq!(lang(&who.get("/sign-in").await), "ru", "chosen");
    assert_eq!(
        who.send("/sign-in?by=password", "language", &[("language", "en")])
            .await
            .location(),
        "/sign-in?by=password"
    );
    assert_eq!(lang(&who.get("/sign-in").await), "en", "chosen again");
    who.cookies.insert("__Host-lang".into(), "xx".into());
    assert_eq!(
        lang(&who.with("accept-language", "ru").get("/sign-in").await),
        "en",
        "what is no language is not looked at"
    );
}

#[tokio::test]
async fn a_customers_language_goes_with_them() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let page = "/consents/personal_data";
    assert_eq!(
        anna.send(page, "language", &[("language", "en")]).await.location(),
        page
    );
    // On another device, whatever its browser says; and messages speak it too.
    app.world
        .clock
        .set(crm::testing::start() + chrono::Duration::minutes(1));
    let mut other = app.anybody().with("accept-language", "ru");
    assert_eq!(lang(&other.get(page).await), "ru");
    other.prove(&anna.phone).await;
    assert_eq!(lang(&other.get(page).await), "en");
    assert_eq!(
        app.count("SELECT COUNT(*) FROM customers WHERE language = 'en'").await,
        1
    );
}

/// The theme of a page; none where it is as the device is set.
fn theme(page: &Reply) -> Option<String> {
    let (_, rest) = page.body.split_once("data-theme=\"")?;
    Some(rest.split('"').next().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_theme_is_kept_and_only_known_ones_are() {
    let app = TestApp::new().await;
    let mut who = app.anybody();
    assert_eq!(theme(&who.get("/sign-in").await), None, "as the device is set");
    for chosen in ["dark", "light"] {
        who.send("/sign-in", "theme", &[("theme", chosen)]).await;
        assert_eq!(theme(&who.get("/sign-in").await).as_deref(), Some(chosen));
        assert_eq!(
            theme(&who.get("/nowhere").await).as_deref(),
            Some(chosen),
            "pages of errors too"
        );
    }
    who.send("/sign-in", "theme", &[("theme", "\"><script>")]).await;
    assert_eq!(theme(&who.get("/sign-in").await), None);
    who.cookies.insert("__Host-theme".into(), "\"><script>".into());
    assert!(!who.get("/sign-in").await.body.contains("\"><script>"));
}

#[tokio::test]
async fn a_theme_that_was_chosen_is_again_as_the_device_says() {
    const MARK: &str = "aria-pressed=\"true\"";
    let app = TestApp::new().await;
    for (mut who, path) in [
        (app.anybody(), "/sign-in"),
        (app.customer("Анна").await.browser, "/profile"),
        (app.anybody(), "/admin/sign-in"),
        (app.staff("agent").await, "/admin/security"),
    ] {
        for (chosen, kept, words) in [
            ("dark", Some("dark"), "Тёмная тема"),
            ("light", Some("light"), "Светлая тема"),
            ("auto", None, "Тема как на устройстве"),
        ] {
            let form = who.get(path).await.form("theme");
            let offered: Vec<&str> = form.buttons.iter().map(|(_, value)| value.as_str()).collect();
            assert_eq!(offered, ["auto", "light", "dark"], "{path}");
            let done = who.submit(path, &form.with("theme", chosen)).await;
            done.assert_leads_to(path);
            let page = who.get(path).await;
            assert_eq!(theme(&page).as_deref(), kept, "{path}");
            // The page tells which of the three it is.
            assert_eq!(page.body.matches(MARK).count(), 1, "{path}");
            let (_, marked) = page.body.split_once(MARK).expect("one is marked");
            let (marked, _) = marked.split_once("</button>").expect("a button ends");
            assert!(marked.contains(words), "{path}: {marked}");
        }
    }
}

#[tokio::test]
async fn a_text_that_was_agreed_to_stays_readable() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    app.execute(
        "INSERT INTO consent_texts (id, purpose_id, version, title, body, published_at) SELECT randomblob(16), purpose_id, 2, \
         title, '{\"ru\": \"Новый текст\", \"en\": \"New\"}', published_at FROM consent_texts t JOIN consent_purposes p \
         ON p.id = t.purpose_id WHERE p.code = 'personal_data'",
    )
    .await;
    let newest = anna.get("/consents/personal_data").await.text();
    assert!(
        newest.contains("Новый текст") && newest.contains("Версия 2"),
        "{newest}"
    );
    let consents = anna.get("/profile/consents").await;
    let of_then = "/consents/personal_data?version=1";
    assert!(consents.body.contains(of_then), "{}", consents.text());
    let first = anna.get(of_then).await;
    let text = first.text();
    assert!(text.contains("Версия 1") && !text.contains("Новый текст"), "{text}");
    assert!(text.contains("Сейчас действует версия 2"), "{text}");
    for other in ["3", "0", "x", "-1"] {
        let path = format!("/consents/personal_data?version={other}");
        assert_eq!(
            anna.get(&path).await.status,
            axum::http::StatusCode::NOT_FOUND,
            "{other}"
        );
    }
}
