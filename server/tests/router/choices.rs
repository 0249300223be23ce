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

#[tokio::test]
async fn a_theme_is_kept_and_only_known_ones_are() {
    let app = TestApp::new().await;
    let mut who = app.anybody();
    let theme = |page: &Reply| {
        page.body
            .split_once("data-theme=\"")
            .map(|(_, rest)| rest.split('"').next().unwrap_or_default().to_owned())
    };
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
