//! One search for everything: what it finds of what is typed, for whom, and what is written down of it.

use crate::common::html::tags;
use crate::common::{Browser, Reply, TestApp, Town};
use axum::http::StatusCode;

/// Types into the search of the bar; the page of what was found.
async fn ask(who: &mut Browser, text: &str) -> Reply {
    let at = who.find_at("/admin/find", text).await;
    assert!(at.starts_with("/admin/find?find="), "{at}");
    let page = who.get(&at).await;
    assert_eq!(page.status, StatusCode::OK, "{text}: {}", page.text());
    page
}

/// Where the links of a page lead that begin like this.
fn links(page: &Reply, beginning: &str) -> Vec<String> {
    tags(&page.body)
        .iter()
        .filter_map(|tag| tag.get("href").map(str::to_owned))
        .filter(|href| href.starts_with(beginning))
        .collect()
}

#[tokio::test]
async fn one_box_finds_customers_receipts_requests_and_articles() {
    let mut town = Town::new().await;
    let anna = town.anna.id().await.to_string();
    let phone = town.anna.phone.clone();
    let card = "SELECT n.number FROM cards n JOIN customers c ON c.id = n.customer_id WHERE c.name = 'Анна' LIMIT 1";
    let card = town.app.text(card).await;
    let customer = format!("/admin/customers/{anna}");
    for text in [
        "Анна Лебедева",
        "лебедева ан",
        // With a slip of the hand, and in the other script.
        "Лебедва Анна",
        "Лбеедева Анна",
        "Lebedeva Anna",
        phone.as_str(),
        &phone.replace("+7", "8"),
        &crm::contact::show_phone(&phone),
        &phone[phone.len() - 5..],
        "ANNA@example.com",
        card.as_str(),
        &card[card.len() - 4..],
    ] {
        let page = ask(&mut town.agent, text).await;
        let found = links(&page, "/admin/customers/");
        // What was typed is known there by its id.
        let there = format!("{customer}?find=");
        assert!(found.iter().any(|href| href.starts_with(&there)), "{text}: {found:?}");
        assert!(page.text().contains("Лебедева Анна"), "{text}");
    }
    let page = ask(&mut town.agent, "a-1").await;
    let receipt = format!("{customer}/purchases/{}", town.purchase);
    assert_eq!(links(&page, &customer), std::slice::from_ref(&receipt));
    assert_eq!(town.agent.get(&receipt).await.status, StatusCode::OK);
    let request = format!("/admin/requests/{}", town.request);
    for text in [town.request.clone(), format!("№ {}", town.request)] {
        let page = ask(&mut town.agent, &text).await;
        assert_eq!(links(&page, "/admin/requests/"), [request.as_str()], "{text}");
    }
    let page = ask(&mut town.agent, "ЧАЙНИК").await;
    let articles = links(&page, "/admin/articles/");
    assert_eq!(articles.len(), 1, "{articles:?}");
    assert_eq!(town.agent.get(&articles[0]).await.status, StatusCode::OK);
    for (text, said) in [("такого здесь нет", "Ничего не нашлось"), ("я", "Слишком коротко")]
    {
        let page = ask(&mut town.agent, text).await;
        assert!(page.text().contains(said), "{text}: {}", page.text());
    }
    // Words of a request are looked for in the queue, by what is kept.
    let page = ask(&mut town.agent, "Где мои баллы").await;
    let queue = links(&page, "/admin/requests?status=all&find=");
    assert_eq!(queue.len(), 1, "{}", page.body);
    assert!(town.agent.get(&queue[0]).await.text().contains("Лебедева Анна"));
    // Nothing typed leads to the page alone.
    let nothing = town.agent.send("/admin/find", "find", &[("q", "  ")]).await;
    assert_eq!(nothing.location(), "/admin/find");
}

#[tokio::test]
async fn a_receipt_that_is_nobodys_is_found_and_given_to_who_shows_it() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    app.some_store().await;
    app.execute(
        "INSERT INTO purchases (id, source, document, kind, store_id, at, line_count, total, receipt_code) \
         SELECT randomblob(16), 'till', 'N-7', 'sale', s.id, '2026-11-20T10:00:00+00:00', 0, 123450, \
         'RU-9960440300112233-12345-987654321' FROM stores s",
    )
    .await;
    let qr = "t=20261120T1300&s=1234.50&fn=9960440300112233&i=0012345&fp=0987654321&n=1";
    let mut agent = app.staff_as("petrov", "agent").await;
    let mut lead = app.staff_as("lada", "lead").await;
    for text in ["n-7", qr] {
        let page = ask(&mut agent, text).await;
        let words = page.words();
        for said in [
            "Чек № N-7",
            "ничей",
            "Клин, Клин",
            "1 234,50",
            "13:00",
            "коллега с правом",
        ] {
            assert!(words.contains(said), "{text}, {said}: {words}");
        }
        assert!(
            links(&page, "/admin/customers/").is_empty(),
            "it has no page: {}",
            page.body
        );
    }
    // Its code tells the paper alone: whoever gives it to a customer has seen that.
    let page = ask(&mut lead, "N-7").await;
    page.assert_says("Добавить чек без карты");
    assert!(!page.body.contains("9960440300112233"), "{}", page.body);
    let acts = format!("/admin/customers/{}/acts", anna.id().await);
    let form = lead.get(&acts).await.form("purchase.attach");
    let form = form.with("receipt", qr).with("reason", "Показала чек");
    let added = lead.submit(&acts, &form).await;
    added.assert_leads_to(&format!("{acts}?done=attached"));
    let page = ask(&mut agent, qr).await;
    let found = links(&page, "/admin/customers/");
    assert_eq!(found.len(), 1, "{}", page.body);
    assert!(!page.text().contains("ничей"), "{}", page.text());
    agent.get(&found[0]).await.assert_says("N-7");
    // One that was voided is nobody's to have.
    app.execute("UPDATE purchases SET customer_id = NULL, voided_at = at")
        .await;
    let page = ask(&mut lead, "N-7").await;
    page.assert_says("отменён");
    assert!(!page.text().contains("Добавить чек без карты"), "{}", page.text());
}

#[tokio::test]
async fn of_many_five_are_shown_and_the_way_to_all() {
    let app = TestApp::new().await;
    let mut agent = app.staff("agent").await;
    for _ in 0..6 {
        app.customer("Вера").await;
    }
    let page = ask(&mut agent, "Вера Лебедева").await;
    assert_eq!(links(&page, "/admin/customers/").len(), 5);
    let more = links(&page, "/admin/customers?find=");
    assert_eq!(more.len(), 1, "{}", page.body);
    let all = agent.get(&more[0]).await;
    assert_eq!(links(&all, "/admin/customers/").len(), 6);
}

#[tokio::test]
async fn a_search_is_a_row_and_says_nothing_of_what_was_typed() {
    let mut town = Town::new().await;
    ask(&mut town.agent, "Лебедева Анна").await;
    let last = "SELECT action || ' ' || reason FROM audit ORDER BY at DESC, id DESC LIMIT 1";
    assert_eq!(town.app.text(last).await, "customer.search search name: 1 found");
    ask(&mut town.agent, "A-1").await;
    assert_eq!(
        town.app.text(last).await,
        "customer.search search code, receipt: 1 found"
    );
}

/// An agent looks up what is sold and what customers read in the help: that they may open, and change nothing of it.
#[tokio::test]
async fn an_agent_finds_articles_and_answers_of_the_help() {
    let town = Town::new().await;
    let mut agent = town.app.staff_as("petrov", "agent").await;
    let page = ask(&mut agent, "чайник").await;
    let found = links(&page, "/admin/articles/");
    assert_eq!(found.len(), 1, "{}", page.text());
    assert!(links(&page, "/admin/articles?").is_empty(), "the list is not theirs");
    let article = agent.get(&found[0]).await;
    assert_eq!(article.status, StatusCode::OK);
    article.assert_says("Чайник");
    assert!(!article.body.contains("article.change"), "{}", article.text());
    town.app.assert_row("article.read").await;
    assert_eq!(agent.get("/admin/articles").await.status, StatusCode::FORBIDDEN);
    let page = ask(&mut agent, "карту украли").await;
    assert!(
        links(&page, "/help/").contains(&"/help/lost-card".to_owned()),
        "{}",
        page.text()
    );
    assert_eq!(agent.get("/help/lost-card").await.status, StatusCode::OK);
    // What is a draft of the help is nobody's answer yet.
    let page = ask(&mut agent, "вертолёт").await;
    assert!(links(&page, "/help/").is_empty(), "{}", page.text());
}

/// Each kind is found by whoever has the right to it.
#[tokio::test]
async fn a_role_finds_what_it_may_open() {
    let town = Town::new().await;
    town.app
        .execute(
            "INSERT INTO roles (code, name, rights, position) VALUES \
             ('seller', '{\"ru\": \"П\", \"en\": \"S\"}', '[\"shops\"]', 7), \
             ('clerk', '{\"ru\": \"К\", \"en\": \"C\"}', '[\"requests\"]', 8), \
             ('reader', '{\"ru\": \"Ч\", \"en\": \"R\"}', '[\"audit\"]', 9)",
        )
        .await;
    let texts = ["лебедева", "чайник", "A-1", town.request.as_str()];
    for (role, expected) in [
        ("seller", &["/admin/articles/"][..]),
        ("clerk", &["/admin/articles/", "/admin/requests/"][..]),
    ] {
        let mut who = town.app.staff_as(role, role).await;
        let mut seen = 0;
        for text in texts {
            let page = ask(&mut who, text).await;
            for other in ["/admin/customers/", "/admin/articles/", "/admin/requests/"] {
                let found = links(&page, other);
                assert!(
                    expected.contains(&other) || found.is_empty(),
                    "{role} {text}: {found:?}"
                );
                for at in &found {
                    assert_eq!(who.get(at).await.status, StatusCode::OK, "{role}: {at}");
                }
                seen += found.len();
            }
        }
        assert_eq!(seen, expected.len(), "{role}");
    }
    let mut reader = town.app.staff_as("reader", "reader").await;
    assert_eq!(reader.get("/admin/find").await.status, StatusCode::FORBIDDEN);
    let refused = reader.send("/admin/find", "find", &[("q", "лебедева")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
}
