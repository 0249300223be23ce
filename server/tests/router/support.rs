//! What customers think of answers, and what the thread says comes next.

use crate::common::html::tags;
use crate::common::{Browser, TestApp, Town};
use axum::http::StatusCode;
use chrono::Duration;

/// Answers a request as the agent does.
async fn answer(agent: &mut Browser, number: &str) {
    let at = format!("/admin/requests/{number}");
    let form = agent.get(&at).await.form("request.answer");
    let sent = [
        ("seen", form.get("seen").expect("seen")),
        ("text", "Баллы придут завтра"),
    ];
    let reply = agent.send(&at, "request.answer", &sent).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text());
}

#[tokio::test]
async fn an_answer_is_rated_seen_by_staff_and_changed_for_a_week() {
    let mut town = Town::new().await;
    let at = format!("/support/{}", town.request);
    assert!(
        !town.anna.get(&at).await.body.contains("request.rate"),
        "nothing to rate yet"
    );
    let good = [("score", "4"), ("comment", "Быстро <b>")];
    let early = town.anna.send(&at, "request.rate", &good).await;
    assert_eq!(early.status, StatusCode::UNPROCESSABLE_ENTITY);
    early.assert_says("Сейчас оценить нельзя");

    answer(&mut town.agent, &town.request).await;
    let wrong = town
        .anna
        .send(&at, "request.rate", &[("score", ""), ("comment", "Так")])
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.message("request.rate", "score"), "Выберите из списка");
    assert_eq!(wrong.form("request.rate").get("comment"), Some("Так"));
    let rated = town.anna.send(&at, "request.rate", &good).await;
    rated.assert_leads_to(&format!("{at}?done=rated"));
    let page = town.anna.get(rated.location()).await;
    for words in [
        "Спасибо, оценка записана.",
        "Ваша оценка: 4 из 5.",
        "Изменить оценку можно до",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let form = page.form("request.rate");
    assert_eq!(
        (form.get("score"), form.get("comment")),
        (Some("4"), Some("Быстро <b>"))
    );

    let desk = format!("/admin/requests/{}", town.request);
    let seen = town.agent.get(&desk).await.text();
    assert!(
        seen.contains("Оценка покупателя: 4 из 5") && seen.contains("Быстро <b>"),
        "{seen}"
    );
    let others = town.boris.send(&at, "request.rate", &good).await;
    assert_eq!(others.status, StatusCode::NOT_FOUND);

    let app = &town.app;
    app.world.clock.set(app.world.db.now() + Duration::days(7));
    let page = town.anna.get(&at).await;
    page.assert_says("Ваша оценка: 4 из 5.");
    assert!(!page.body.contains("request.rate"), "a week is over");
}

#[tokio::test]
async fn a_thread_says_what_comes_next_and_when_once_enough_answers_tell() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut agent = app.staff("agent").await;
    let mut ask = async || {
        let sent = [("topic", "other"), ("text", "Где баллы?"), ("purchase", "")];
        let reply = anna.send("/support/new", "request.create", &sent).await;
        let at = reply.location().replace("?done=sent", "");
        let text = anna.get(&at).await.text();
        (at, text)
    };
    let usual = "получила первый ответ за 26 минут или быстрее";
    for _ in 0..10 {
        let (at, text) = ask().await;
        assert!(text.contains("Мы получили обращение и ответим здесь."), "{text}");
        assert!(!text.contains("получила первый ответ"), "too few: {text}");
        // Half a minute more is told as a minute.
        app.world
            .clock
            .set(app.world.db.now() + Duration::seconds(25 * 60 + 30));
        answer(&mut agent, at.trim_start_matches("/support/")).await;
    }
    let (at, text) = ask().await;
    assert!(text.contains(usual), "{text}");
    answer(&mut agent, at.trim_start_matches("/support/")).await;
    let answered = anna.get(&at).await.text();
    assert!(
        answered.contains("Мы ответили.") && !answered.contains(usual),
        "{answered}"
    );
    anna.send(&at, "request.close", &[]).await;
    assert!(anna.get(&at).await.text().contains("Вопрос решён."));
    let reopened = anna.send(&at, "request.reopen", &[]).await;
    assert_eq!(reopened.status, StatusCode::SEE_OTHER);
    let text = anna.get(&at).await.text();
    assert!(text.contains("Мы разбираемся") && !text.contains(usual), "{text}");
}

/// One way to write leads on from the list, also where it is empty.
#[tokio::test]
async fn the_list_has_one_way_to_write() {
    let mut town = crate::common::Town::new().await;
    for list in [town.anna.get("/support").await, town.boris.get("/support").await] {
        let ways = list.body.matches("href=\"/support/new\"").count();
        assert_eq!(ways, 1, "{}", list.body);
    }
}

/// A request says from which page it was written, to both sides; what names no page of ours says nothing.
#[tokio::test]
async fn a_request_says_from_which_page_it_was_written() {
    let mut town = crate::common::Town::new().await;
    let offer = town.app.some_promotion().await.to_string();
    // The request tells why the card is opened.
    let customer = format!("/admin/customers/{}?request=", town.anna.id().await);
    let promotion = format!("/admin/promotions/{offer}");
    let (offer, movement) = (format!("offer/{offer}"), format!("points/{}", uuid::Uuid::nil()));
    for (at, about, words, theirs, staffs) in [
        (
            "/programs/club",
            "program/club",
            "программа",
            "/programs/club",
            "/admin/programs/club",
        ),
        ("/offers", offer.as_str(), "акция", "/offers", promotion.as_str()),
        (
            "/help/lost-card",
            "help/lost-card",
            "ответ в справке",
            "/help/lost-card",
            "/help/lost-card",
        ),
        ("", movement.as_str(), "движение баллов", "/points", customer.as_str()),
        ("", "coupon/TEA-10", "купон", "/offers", customer.as_str()),
    ] {
        if !at.is_empty() {
            let page = town.anna.get(at).await;
            assert!(page.body.contains(&format!("about={about}\"")), "{at}: {}", page.body);
        }
        let here = format!("/support/new?about={about}");
        let page = town.anna.get(&here).await;
        assert!(
            page.text().contains(&format!("с какой страницы вы пишете: {words}")),
            "{}",
            page.text()
        );
        let form = page
            .form("request.create")
            .with("topic", "other")
            .with("text", "Вопрос");
        let sent = town.anna.submit(&here, &form).await;
        let number = sent
            .location()
            .trim_start_matches("/support/")
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        let thread = town.anna.get(&format!("/support/{number}")).await;
        assert!(
            thread.text().contains(&format!("Со страницы: {words}")),
            "{about}: {}",
            thread.text()
        );
        assert!(thread.body.contains(&format!("href=\"{theirs}\"")), "{about}: {theirs}");
        let seen = town.agent.get(&format!("/admin/requests/{number}")).await;
        assert!(
            seen.text().contains(&format!("Написано со страницы: {words}")),
            "{about}: {}",
            seen.text()
        );
        let staffs = if staffs.ends_with('=') {
            format!("{staffs}{number}")
        } else {
            staffs.to_owned()
        };
        assert!(seen.body.contains(&format!("href=\"{staffs}\"")), "{about}: {staffs}");
    }
    for nonsense in [
        "",
        "club",
        "admin/club",
        "help/../admin",
        "program/<b>",
        "//evil.example",
    ] {
        let fields = [
            ("topic", "other"),
            ("text", "Вопрос"),
            ("purchase", ""),
            ("about", nonsense),
        ];
        let sent = town.anna.send("/support/new", "request.create", &fields).await;
        town.app.assert_row("request.create").await;
        let at = sent.location().split('?').next().unwrap_or_default().to_owned();
        assert!(at.starts_with("/support/"), "{nonsense}: {}", sent.text());
        assert!(!town.anna.get(&at).await.text().contains("Со страницы"), "{nonsense}");
    }
    assert_eq!(
        town.app
            .count("SELECT COUNT(*) FROM requests WHERE about IS NOT NULL")
            .await,
        5
    );
}

/// Of a long conversation the last messages stand open, and none is left out.
#[tokio::test]
async fn the_beginning_of_a_long_conversation_is_folded_away() {
    let mut town = Town::new().await;
    let more = "INSERT INTO messages (id, request_id, author, staff_id, internal, body, search, at) \
                WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 33) \
                SELECT randomblob(16), m.request_id, 'customer', NULL, 0, 'Ещё вопрос ' || i, '', m.at FROM n, messages m \
                JOIN requests r ON r.id = m.request_id WHERE r.number = $1 + 0";
    let at = format!("/support/{}", town.request);
    assert!(
        !town.anna.get(&at).await.text().contains("ранн"),
        "a short one is there as a whole"
    );
    town.app.run(more, &town.request).await;
    let page = town.anna.get(&at).await;
    page.assert_says("Показать 4 ранних сообщения");
    let live = page.body.split("data-thread").nth(1).expect("the conversation");
    let live = live.split("</ol>").next().expect("its end");
    assert_eq!(live.matches("data-message").count(), 30);
    assert_eq!(page.body.matches("data-message").count(), 34);
}

/// A conversation with the shop says that there was more, and where.
#[tokio::test]
async fn a_chat_says_that_it_shows_the_last_of_it() {
    let town = Town::new().await;
    let mut anna = town.anna;
    anna.send("/chat", "chat.say", &[("text", "Баланс")]).await;
    assert!(
        !anna.get("/chat").await.text().contains("последние"),
        "all of it is there"
    );
    let more = "INSERT INTO conversation_messages (id, conversation_id, at, author, body) \
                WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120) \
                SELECT randomblob(16), m.conversation_id, m.at, 'person', $1 || i FROM n, \
                (SELECT conversation_id, at FROM conversation_messages LIMIT 1) m";
    town.app.run(more, "Снова ").await;
    let page = anna.get("/chat").await;
    page.assert_says("Здесь последние 100 сообщений");
    assert!(page.body.contains("href=\"/profile/data\""), "{}", page.text());
}

/// On the card of a customer staff page through what grows: requests, and everything that happened.
#[tokio::test]
async fn staff_page_through_the_requests_and_the_history_of_a_customer() {
    let mut town = Town::new().await;
    let more = "INSERT INTO requests (id, number, customer_id, topic_id, status, language, created_at, updated_at, \
                waiting_since, customer_seen_at) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 69) \
                SELECT randomblob(16), r.number + 1000 + i, r.customer_id, r.topic_id, r.status, r.language, r.created_at, \
                r.updated_at, r.waiting_since, r.customer_seen_at FROM n, requests r WHERE r.number = $1 + 0";
    town.app.run(more, &town.request).await;
    let card = format!("/admin/customers/{}", town.anna.id().await);
    for (list, section, each) in [
        ("requests=", "id=\"requests\"", "<tr>"),
        ("after=", "id=\"history\"", "<li>"),
    ] {
        let (mut at, mut seen, mut pages) = (card.clone(), 0, 0);
        loop {
            let page = town.agent.get(&at).await;
            let inside = page.body.split(section).nth(1).expect("the section");
            let inside = inside.split("</section>").next().expect("its end");
            // The head of a table is a row as well.
            seen += inside.matches(each).count() - usize::from(each == "<tr>");
            pages += 1;
            let links = tags(&page.body);
            let next = links
                .iter()
                .filter_map(|tag| tag.get("href"))
                .find(|href| href.contains(list));
            let Some(next) = next.filter(|_| pages < 9) else { break };
            at = next.split('#').next().unwrap_or_default().to_owned();
        }
        match list {
            "requests=" => assert_eq!((seen, pages), (70, 4)),
            _ => assert!(seen > 70 && pages == 2, "{seen} events on {pages} pages"),
        }
    }
    for nonsense in ["requests=x", "after=1", "after=x_1", "after=1_-1"] {
        assert_eq!(
            town.agent.get(&format!("{card}?{nonsense}")).await.status,
            StatusCode::OK,
            "{nonsense}"
        );
    }
}
