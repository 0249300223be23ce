//! The help: what everybody reads, finds and says of it.

use crate::common::html::tags;
use crate::common::{Reply, TestApp};
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;
use std::collections::BTreeSet;

/// Addresses within the site that a page leads to.
fn leads_to(page: &Reply) -> BTreeSet<String> {
    let tags = tags(&page.body);
    let links = tags
        .iter()
        .filter(|tag| tag.name == "a")
        .filter_map(|tag| tag.get("href"));
    links.filter(|href| href.starts_with('/')).map(str::to_owned).collect()
}

/// Codes of the articles that a page lists, in their order.
fn listed(page: &Reply) -> Vec<String> {
    let tags = tags(&page.body);
    let rows = tags.iter().filter(|tag| tag.get("class") == Some("row"));
    rows.filter_map(|tag| tag.get("href")?.strip_prefix("/help/").map(str::to_owned))
        .collect()
}

/// The articles speak of the product as it is: whatever one of them leads to is there, in both languages.
#[tokio::test]
async fn every_article_opens_and_leads_to_pages_that_are_there() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut tried = BTreeSet::new();
    for lang in ["ru", "en"] {
        let switched = anna.send("/help", "language", &[("language", lang)]).await;
        assert_eq!(switched.status, StatusCode::SEE_OTHER);
        let codes = listed(&anna.get("/help").await);
        assert!(codes.len() >= 24, "{}", codes.len());
        for code in codes {
            let at = format!("/help/{code}");
            let page = anna.get(&at).await;
            assert_eq!(page.status, StatusCode::OK, "{at}");
            assert!(
                !page.body.contains("](") && !page.body.contains("**"),
                "{at} is rendered"
            );
            for there in leads_to(&page) {
                if !tried.insert(there.clone()) {
                    continue;
                }
                let reply = anna.get(&there).await;
                let is_there = reply.status == StatusCode::OK || reply.location() == "/";
                assert!(is_there, "{at} leads to {there}: {}", reply.status);
            }
        }
    }
    assert!(
        tried.contains("/purchases/claim") && tried.contains("/what-if"),
        "{tried:?}"
    );
}

#[tokio::test]
async fn a_search_puts_titles_first_and_what_it_does_not_find_is_noted() {
    let app = TestApp::new().await;
    let mut anybody = app.anybody();
    let found = anybody
        .get("/help?q=%D0%91%D0%90%D0%9B%D0%9B%D0%9E%D0%92%20%D1%81%D0%B3%D0%BE%D1%80%D1%8F%D1%82")
        .await;
    let codes = listed(&found);
    assert_eq!(
        codes.first().map(String::as_str),
        Some("when-points-expire"),
        "{codes:?}"
    );
    assert!(
        codes.contains(&"give-points".to_owned()),
        "it is only in its text: {codes:?}"
    );
    assert!(!codes.contains(&"lost-card".to_owned()), "{codes:?}");
    let nothing = anybody.get("/help?q=helicopter+anna@example.com+42").await;
    assert_eq!(listed(&nothing), [""; 0]);
    assert!(
        nothing.text().contains("Такого ответа у нас пока нет"),
        "{}",
        nothing.text()
    );
    assert!(leads_to(&nothing).contains("/support/new"));
    let noted = "SELECT text || ' ' || hits FROM help_searches ORDER BY hits";
    let expected = ["helicopter 0".to_owned(), format!("баллов сгорят {}", codes.len())];
    assert_eq!(app.texts(noted).await, expected);
    // What a browser fetches ahead of time nobody has looked for.
    let mut ahead = anybody.clone().with("sec-purpose", "prefetch");
    ahead.get("/help?q=unicorn").await;
    assert_eq!(app.texts(noted).await, expected);
    // Nor is a search without a word.
    for empty in ["/help?q=", "/help?q=+", "/help?q=%3F"] {
        assert_eq!(anybody.get(empty).await.status, StatusCode::OK, "{empty}");
    }
    assert_eq!(app.texts(noted).await, expected);
}

#[tokio::test]
async fn a_reader_says_once_a_day_whether_it_helped_and_what_was_missing() {
    let app = TestApp::new().await;
    let at = "/help/lost-card";
    const VOTES: &str = "SELECT useful || ' ' || COALESCE(missing, '-') FROM help_votes ORDER BY voted_at, useful";
    let mut anybody = app.anybody();
    let asked = anybody.get(at).await.form("help.vote");
    assert_eq!(
        asked.buttons,
        [("useful", "true"), ("useful", "false")].map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    let yes = anybody.send(at, "help.vote", &[("useful", "true")]).await;
    assert_eq!(yes.location(), format!("{at}?done=useful#useful"), "{}", yes.text());
    assert!(
        anybody
            .get(&format!("{at}?done=useful"))
            .await
            .text()
            .contains("Спасибо")
    );
    let no = anybody.send(at, "help.vote", &[("useful", "false")]).await;
    assert_eq!(no.location(), format!("{at}?done=useless#useful"), "{}", no.text());
    assert_eq!(app.texts(VOTES).await, ["0 -"], "one vote, as they see it last");
    let asks = format!("{at}?done=useless");
    assert!(anybody.get(&asks).await.form("help.missing").get("missing").is_some());
    let empty = anybody.send(&asks, "help.missing", &[("missing", " ")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(empty.message("help.missing", "missing"), "Напишите, чего не хватило");
    let long = "я".repeat(1001);
    let long = anybody.send(&asks, "help.missing", &[("missing", &long)]).await;
    assert_eq!(long.status, StatusCode::UNPROCESSABLE_ENTITY);
    let told = anybody.send(&asks, "help.missing", &[("missing", "Адреса")]).await;
    assert_eq!(told.location(), format!("{at}?done=told#useful"), "{}", told.text());
    assert_eq!(app.texts(VOTES).await, ["0 Адреса"]);

    // Somebody else, and the same one tomorrow.
    let mut anna = app.customer("Анна").await;
    anna.send(at, "help.vote", &[("useful", "true")]).await;
    anna.send(at, "help.vote", &[("useful", "true")]).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM help_votes").await, 2);
    app.world.clock.set(start() + Duration::days(1));
    anybody.send(at, "help.vote", &[("useful", "true")]).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM help_votes").await, 3);
    let her_id = anna.id().await.0.simple().to_string();
    let everything = app.everything(&[]).await;
    let votes: Vec<_> = everything.iter().filter(|row| row.starts_with("help_")).collect();
    assert!(
        votes
            .iter()
            .all(|row| !row.to_lowercase().replace('-', "").contains(&her_id)),
        "nobody is named"
    );
    for nonsense in [&[("useful", "perhaps")][..], &[]] {
        let refused = anybody.send(at, "help.vote", nonsense).await;
        assert!(refused.status.is_client_error(), "{}", refused.status);
    }
    let nowhere = anybody.send("/help/nothing", "help.vote", &[("useful", "true")]).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}

/// Before a customer writes, the answers about a topic stand above the form, and what was asked for stays.
#[tokio::test]
async fn answers_stand_before_the_form_of_a_request() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await.with_purchase("A-1", "Чайник", 250_000).await;
    let without = anna.get("/support/new").await;
    assert_eq!(listed(&without), [""; 0], "no topic yet");
    assert!(
        without.text().contains("Может быть, ответ уже есть"),
        "{}",
        without.text()
    );
    let card = anna.get("/support/new?topic=card").await;
    let codes = listed(&card);
    assert!(codes.contains(&"lost-card".to_owned()), "{codes:?}");
    assert!(!codes.contains(&"claim-a-receipt".to_owned()), "{codes:?}");
    assert_eq!(card.form("request.create").get("topic"), Some("card"));
    let receipt = anna.get("/purchases").await;
    let receipt = leads_to(&receipt)
        .into_iter()
        .find_map(|href| {
            href.strip_prefix("/purchases/")
                .filter(|id| id.len() == 36)
                .map(str::to_owned)
        })
        .expect("a receipt");
    let about = anna.get(&format!("/support/new?receipt={receipt}")).await;
    assert!(
        listed(&about).contains(&"claim-a-receipt".to_owned()),
        "a receipt is about a purchase"
    );
    let kept = format!("/support/new?topic=points_missing&receipt={receipt}");
    assert!(leads_to(&about).contains(&kept), "{:?}", leads_to(&about));
    // Ways there, for whoever is signed in and whoever is not.
    for at in ["/", "/support", "/card"] {
        assert!(leads_to(&anna.get(at).await).contains("/help"), "{at}");
    }
    assert!(leads_to(&app.anybody().get("/sign-in").await).contains("/help"));
}
