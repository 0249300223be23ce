//! The page of the conversation: from a phone to a card, a known phone, what customers ask, and what is kept of it.

use crate::common::html::{tags, text};
use crate::common::{Browser, Reply, TestApp, details};
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;

const HERE: &str = "/chat";

/// Says something by the form that is there; the page that comes then.
async fn say(who: &mut Browser, words: &str) -> Reply {
    let page = who.get(HERE).await;
    let (form, field) = if page.body.contains("value=\"chat.code\"") {
        ("chat.code", "code")
    } else {
        ("chat.say", "text")
    };
    let reply = who.send(HERE, form, &[(field, words)]).await;
    assert_eq!(reply.location(), "/chat#newest", "{words}: {}", reply.text());
    who.get(HERE).await
}

/// Presses a button that is offered.
async fn choose(who: &mut Browser, words: &str) -> Reply {
    let page = who.get(HERE).await;
    let buttons = tags(&page.body).into_iter().filter(|tag| tag.name == "button");
    let mut buttons = buttons.filter(|tag| tag.text.trim() == words);
    let code = buttons.find_map(|tag| tag.get("value").map(str::to_owned));
    let code = code.unwrap_or_else(|| panic!("{words} is offered: {}", page.text()));
    let reply = who.send(HERE, "chat.choose", &[("choice", &code)]).await;
    assert_eq!(reply.location(), "/chat#newest", "{words}: {}", reply.text());
    who.get(HERE).await
}

/// What was answered last.
fn last(page: &Reply) -> String {
    let log = page.body.split("role=\"log\"").nth(1).expect("a log");
    let log = log.split("</ol>").next().unwrap_or_default();
    let message = log.rsplit("<li").next().unwrap_or_default();
    text(&format!("<li{message}"))
}

#[tokio::test]
async fn an_unknown_phone_gets_a_card_step_by_step() {
    let app = TestApp::new().await;
    let phone = app.free_phone();
    let mut who = app.anybody();
    let page = who.get(HERE).await;
    assert!(who.cookies.is_empty(), "whoever only looks leaves nothing");
    assert!(page.text().contains("Войти или получить карту") && !page.text().contains("Баланс"));
    assert!(
        say(&mut who, "баланс")
            .await
            .text()
            .contains("Это откроется, когда у вас будет карта.")
    );
    assert!(last(&say(&mut who, "12").await).contains("Напишите номер телефона"));
    say(&mut who, &phone).await;
    let code = app.code(&phone).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert!(last(&say(&mut who, wrong).await).contains("Осталось попыток: 4"));
    let page = say(&mut who, &code).await;
    assert!(page.text().contains("карты ещё нет") && last(&page).contains("Как вас зовут?"));
    // Nothing but the registration, still.
    assert!(say(&mut who, "покупки").await.text().contains("Это откроется"));
    for (typed, asks) in [
        ("Анна <3", "Как вас зовут?"),
        ("Анна", "Ваша фамилия?"),
        ("Лебедева", "Адрес почты?"),
        ("пропустить", "день рождения"),
        ("31.2.1990", "день рождения"),
        ("3.5.1990", "Вы согласны"),
    ] {
        let answer = last(&say(&mut who, typed).await);
        assert!(answer.contains(asks), "{typed}: {answer}");
    }
    let answer = choose(&mut who, "Нет").await;
    assert!(answer.text().contains("Без этого согласия карту не оформить."));
    let mut page = choose(&mut who, "Да").await;
    while !last(&page).contains("Проверьте, всё ли верно") {
        page = choose(&mut who, "Да").await;
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM customers").await, 0);
    let page = choose(&mut who, "Да").await;
    assert!(last(&page).contains("Готово, карта ваша."), "{}", page.text());
    assert!(page.body.contains("href=\"/card\""));
    assert!(!page.body.contains(&code), "the code is kept nowhere");
    assert_eq!(who.get("/card").await.status, StatusCode::OK);
    let names: Vec<&str> = who.cookies.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["__Host-kabinet", "__Host-kabinet_device"],
        "the session alone is left, and what the browser is known by"
    );
    assert!(last(&choose(&mut who, "Баланс").await).contains("На карте баллов: 0."));
}

#[tokio::test]
async fn no_begins_the_registration_anew() {
    let app = TestApp::new().await;
    let phone = app.free_phone();
    let mut who = app.anybody();
    say(&mut who, &phone).await;
    let code = app.code(&phone).await;
    say(&mut who, &code).await;
    for typed in ["Инна", "Ошибкина", "пропустить", "3.5.1990"] {
        say(&mut who, typed).await;
    }
    let mut page = choose(&mut who, "Да").await;
    while !last(&page).contains("Проверьте, всё ли верно") {
        page = choose(&mut who, "Да").await;
    }
    assert!(last(&page).contains("Ошибкина"));
    let page = choose(&mut who, "Нет").await;
    assert!(last(&page).contains("Как вас зовут?"), "{}", page.text());
    assert_eq!(app.count("SELECT COUNT(*) FROM customers").await, 0);
    for typed in ["Анна", "Лебедева", "пропустить", "3.5.1990"] {
        say(&mut who, typed).await;
    }
    let mut page = choose(&mut who, "Да").await;
    while !last(&page).contains("Готово") {
        page = choose(&mut who, "Да").await;
    }
    assert_eq!(app.text("SELECT surname FROM customers").await, "Лебедева");
}

#[tokio::test]
async fn a_known_phone_comes_in_and_asks_what_customers_ask() {
    let app = TestApp::new().await;
    let anna = app
        .customer("Анна")
        .await
        .with_purchase("A-1", "Чайник", 2_500_00)
        .await;
    app.some_promotion().await;
    app.world.clock.set(start() + Duration::minutes(1));
    let mut who = app.anybody();
    say(&mut who, &anna.phone).await;
    let code = app.code(&anna.phone).await;
    let page = say(&mut who, &code).await;
    assert!(last(&page).contains("Вы вошли."), "{}", page.text());
    assert!(choose(&mut who, "Покупки").await.text().contains("2500 ₽"));
    assert!(last(&choose(&mut who, "Акции").await).contains("Неделя чая"));
    for (words, path, told) in [
        ("Сменить телефон", "/profile/contacts", "Сейчас ваш основной номер"),
        ("Подарить баллы", "/points/transfer", "Дарить баллы можно будет с"),
    ] {
        let page = choose(&mut who, words).await;
        assert!(page.body.contains(&format!("href=\"{path}\"")), "{words}");
        assert!(page.text().contains(told), "{words}: {}", page.text());
    }
    choose(&mut who, "Обращение").await;
    choose(&mut who, "Карта").await;
    let page = say(&mut who, "Карта не читается\nуже неделю").await;
    assert!(last(&page).contains("Карта не читается"));
    let page = choose(&mut who, "Да").await;
    assert!(last(&page).contains("отправлено"), "{}", page.text());
    assert!(page.body.contains("href=\"/support/1\""));
    // Staff have it among all others.
    let mut agent = app.staff("agent").await;
    assert!(
        agent
            .get("/admin/requests/1")
            .await
            .text()
            .contains("Карта не читается")
    );
    // Both ways lead there.
    for at in ["/support", "/help"] {
        assert!(who.get(at).await.body.contains("href=\"/chat\""), "{at}");
    }
}

/// Punctuation and other words around it hide no command; what is none is answered by the help, and can be sent as it is.
#[tokio::test]
async fn people_write_in_their_own_words() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let who = &mut anna.browser;
    for words in ["Баланс?", "А сколько у меня баллов"] {
        let answer = last(&say(who, words).await);
        assert!(answer.contains("На карте баллов: 0."), "{words}: {answer}");
    }
    let text = "Вчера потеряла карту на Тверской";
    let page = say(who, text).await;
    assert!(page.body.contains("href=\"/help/lost-card\""), "{}", page.text());
    let write = |page: &Reply| {
        let hrefs = page.body.split("href=\"").filter_map(|rest| rest.split('"').next());
        let last = hrefs.filter(|href| href.starts_with("/support/new?said=")).last();
        last.expect("a way to support").to_owned()
    };
    let at = write(&page);
    let form = who.get(&at).await.form("request.create");
    assert_eq!(form.get("text"), Some(text), "it need not be typed again");
    let mut boris = app.customer("Борис").await;
    let his = boris.get(&at).await;
    assert_eq!(his.status, StatusCode::OK);
    assert!(!his.body.contains(text), "it is not his");
    assert_eq!(boris.get("/support/new?said=x").await.status, StatusCode::OK);
    let page = say(who, "Где мой попугай?").await;
    assert!(last(&page).contains("Такой команды мы не знаем"), "{}", page.text());
    let form = who.get(&write(&page)).await.form("request.create");
    assert_eq!(form.get("text"), Some("Где мой попугай?"));
    // «Да» may be followed by more.
    choose(who, "Обращение").await;
    choose(who, "Карта").await;
    say(who, "Не читается").await;
    let page = say(who, "да, верно").await;
    assert!(last(&page).contains("отправлено"), "{}", page.text());
}

#[tokio::test]
async fn a_second_step_is_taken_on_its_page() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    anna.send("/profile/second-factor", "factor.offer", &[]).await;
    app.execute("UPDATE factors SET confirmed_at = created_at").await;
    app.world.clock.set(start() + Duration::minutes(1));
    let mut who = app.anybody();
    say(&mut who, &anna.phone).await;
    let code = app.code(&anna.phone).await;
    let page = say(&mut who, &code).await;
    assert!(page.body.contains("href=\"/sign-in/second\""), "{}", page.text());
    assert!(!who.cookies.contains_key("__Host-kabinet"), "not in yet");
    assert_eq!(who.get("/sign-in/second").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_does_not_fit_is_told_at_its_field() {
    let app = TestApp::new().await;
    let mut who = app.anybody();
    let reply = who.send(HERE, "chat.say", &[("text", " ")]).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(reply.message("chat.say", "text"), "Напишите сообщение");
    assert_eq!(app.count("SELECT COUNT(*) FROM conversations").await, 0);
    let phone = app.free_phone();
    say(&mut who, &phone).await;
    let reply = who.send(HERE, "chat.code", &[("code", "")]).await;
    assert_eq!(reply.message("chat.code", "code"), "Введите код из сообщения");
    assert_eq!(who.send(HERE, "chat.choose", &[]).await.status, StatusCode::FORBIDDEN);
}

/// A computer that several people use.
#[tokio::test]
async fn what_was_said_is_not_there_for_whoever_comes_after() {
    let app = TestApp::new().await;
    let phone = app.free_phone();
    let mut who = app.anybody();
    say(&mut who, &phone).await;
    assert!(who.get(HERE).await.body.contains(&phone));
    assert!(!app.anybody().get(HERE).await.body.contains(&phone), "another browser");
    let mut other = app.anybody();
    other.cookies.insert("__Host-kabinet_chat".into(), "x".repeat(43));
    assert!(!other.get(HERE).await.body.contains(&phone), "a token that was made up");
    // Somebody else comes in there by the page of signing in, and leaves again.
    let boris = app.free_phone();
    who.prove(&boris).await;
    who.send("/sign-in/details", "sign_in.details", &details("Борис")).await;
    who.send("/sign-in/review", "sign_in.register", &[]).await;
    assert!(!who.get(HERE).await.body.contains(&phone));
    who.send("/card", "sign_out", &[]).await;
    assert!(
        !who.get(HERE).await.body.contains(&phone),
        "what was said before is gone"
    );
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_said_once() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let key = crm::who::Token::random();
    for _ in 0..2 {
        let reply = anna
            .send_keyed(HERE, "chat.choose", key.secret(), &[("choice", "balance")])
            .await;
        reply.assert_leads_to("/chat#newest");
    }
    let said = "SELECT COUNT(*) FROM conversation_messages WHERE author = 'person'";
    assert_eq!(app.count(said).await, 1);
}
