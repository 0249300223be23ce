//! What staff see of messages, and what happens to codes when text messages run out.

use crate::common::{TestApp, Town};
use axum::http::StatusCode;
use chrono::Duration;
use crm::outbox::Channel;
use crm::outbox::delivery;

/// Makes the newest message a dead letter, the way a carrier does. It holds no code afterwards, if it did before.
async fn dead_letter(app: &TestApp, channel: Channel) {
    dead_of(app, channel, "550 no <such> mailbox").await;
}

/// The same, of what the carrier said.
async fn dead_of(app: &TestApp, channel: Channel, error: &str) {
    let by = crate::common::BY;
    let hold = Duration::minutes(1);
    let newest = app.newest_message().await;
    for message in delivery::claim(&app.world.db, &by, channel, "test", hold, 1000)
        .await
        .expect("claimed")
    {
        if message.id == newest {
            delivery::not_sent(&app.world.db, &by, &message, true, error)
                .await
                .expect("written down");
        }
    }
}

/// A town in which the newest message is an e-mail to Anna, without a code.
async fn answered() -> Town {
    let mut town = Town::new().await;
    town.app
        .execute("UPDATE contacts SET verified_at = created_at WHERE value = 'anna@example.com'")
        .await;
    town.answer().await;
    town
}

#[tokio::test]
async fn s08_no_page_for_staff_shows_a_code() {
    let mut town = Town::new().await;
    let phone = town.anna.phone.clone();
    let code = town.app.code(&phone).await;
    let at = town.path("/admin/messages/{id}").await.expect("a sample");
    for page in ["/admin/messages", "/admin/messages?state=queued", &at] {
        let reply = town.agent.get(page).await;
        assert_eq!(reply.status, StatusCode::OK);
        assert!(!reply.body.contains(&code), "{page}");
    }
    let reply = town.agent.get(&at).await;
    reply.assert_says("•••••• — код входа");
    reply.assert_says("Коды и ссылки для входа скрыты");
}

#[tokio::test]
async fn s23_every_look_at_a_message_is_logged() {
    let mut town = answered().await;
    let logged = async |town: &Town| {
        let sql = "SELECT COUNT(*) FROM audit a JOIN contacts c ON c.customer_id = a.customer_id \
                   WHERE a.action = 'message.read' AND a.object_id IS NOT NULL AND c.value = 'anna@example.com'";
        town.app.count(sql).await
    };
    let at = town.path("/admin/messages/{id}").await.expect("a sample");
    assert_eq!(logged(&town).await, 0);
    town.agent.get(&at).await;
    assert_eq!(logged(&town).await, 1);
    let lists = "SELECT COUNT(*) FROM audit WHERE action = 'message.list' AND reason = '1 shown'";
    assert_eq!(town.app.count(lists).await, 0);
    let reply = town.agent.get("/admin/messages?channel=email").await;
    reply.assert_says("anna@example.com");
    assert_eq!(town.app.count(lists).await, 1);
}

#[tokio::test]
async fn a_dead_letter_is_sent_again_once() {
    let mut town = answered().await;
    dead_letter(&town.app, Channel::Email).await;
    let at = town.path("/admin/messages/{id}").await.expect("a sample");
    let list = town.agent.get("/admin/messages?state=failed").await;
    assert!(list.body.contains(&format!("href=\"{at}\"")), "{}", list.text());
    assert!(list.body.contains("550 no &lt;such&gt; mailbox"), "{}", list.body);
    let form = town.agent.get(&at).await.form("message.again");
    let reply = town.agent.submit(&at, &form).await;
    assert_eq!(reply.location(), format!("{at}?done=again"));
    let page = town.agent.get(reply.location()).await;
    page.assert_says("Сообщение снова в очереди.");
    let audit = "SELECT COUNT(*) FROM audit WHERE action = 'message.again' AND customer_id IS NOT NULL";
    assert_eq!(town.app.count(audit).await, 1);
    assert_eq!(
        town.app
            .count("SELECT COUNT(*) FROM outbox WHERE state = 'queued' AND channel = 'email' AND tries = 0")
            .await,
        1
    );
    // The button was pressed in another window meanwhile.
    let late = town.agent.send(&at, "message.again", &[]).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("Это сообщение уже в очереди или ушло.");
    assert_eq!(town.app.count(audit).await, 1);
    let card = town
        .agent
        .get(&format!("/admin/customers/{}", town.anna.id().await))
        .await;
    assert!(
        card.body.contains("Сотрудник ещё раз отправил сообщение"),
        "{}",
        card.text()
    );
}

/// What went wrong stands in words of the page, and the carrier's own below, folded.
#[tokio::test]
async fn what_a_carrier_refused_is_told_in_words() {
    for (kind, words) in [
        ("refused", "сервер отправки ответил отказом"),
        ("unreachable", "с сервером отправки нет связи"),
        ("timed_out", "сервер отправки не ответил вовремя"),
        ("certificate", "сертификату сервера отправки нельзя доверять"),
        ("sign_in", "сервер отправки не принял логин и пароль магазина"),
    ] {
        let mut town = answered().await;
        dead_of(&town.app, Channel::Email, &format!("{kind}: 5.7.8 <not> today")).await;
        let list = town.agent.get("/admin/messages?state=failed").await;
        assert!(list.text().contains(words), "{words}: {}", list.text());
        assert!(!list.body.contains("today"), "{}", list.body);
        let at = town.path("/admin/messages/{id}").await.expect("a sample");
        let page = town.agent.get(&at).await;
        assert!(page.text().contains(words), "{words}: {}", page.text());
        assert!(page.body.contains("5.7.8 &lt;not&gt; today"), "{}", page.body);
        assert!(page.body.contains("Что ответил сервер"), "{}", page.body);
    }
}

#[tokio::test]
async fn s08_a_dead_code_is_not_sent_again() {
    let mut town = Town::new().await;
    dead_letter(&town.app, Channel::Sms).await;
    let at = town.path("/admin/messages/{id}").await.expect("a sample");
    let page = town.agent.get(&at).await;
    assert!(!page.body.contains("message.again"), "{}", page.body);
    page.assert_says("В сообщении был код");
    let reply = town.agent.send(&at, "message.again", &[]).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        town.app
            .count("SELECT COUNT(*) FROM outbox WHERE state = 'failed'")
            .await,
        1
    );
}

#[tokio::test]
async fn the_list_is_narrowed_and_turned_by_its_address() {
    let mut town = answered().await;
    let found = async |town: &mut Town, query: &str| {
        let reply = town.agent.get(&format!("/admin/messages{query}")).await;
        assert_eq!(reply.status, StatusCode::OK, "{query}");
        (
            reply.body.matches("<td><a href=\"/admin/messages/").count(),
            reply.text(),
        )
    };
    let all = usize::try_from(town.app.count("SELECT COUNT(*) FROM outbox").await).expect("a few");
    assert_eq!(found(&mut town, "").await.0, all);
    assert_eq!(found(&mut town, "?channel=email").await.0, 1);
    assert_eq!(found(&mut town, "?channel=sms&template=request_answered").await.0, 0);
    assert_eq!(found(&mut town, "?template=request_answered").await.0, 1);
    for (to, count) in [("anna@", 1), (town.anna.phone.clone().as_str(), 2)] {
        let sent = [("channel", ""), ("template", ""), ("to", to)];
        let narrowed = town.agent.send("/admin/messages", "message.find", &sent).await;
        let query = narrowed.location().replace("/admin/messages", "");
        assert_eq!(found(&mut town, &query).await.0, count, "{to}");
    }
    assert_eq!(
        found(&mut town, "?state=x&channel=y&after=z").await.0,
        all,
        "nonsense narrows nothing"
    );
    assert!(
        found(&mut town, "?state=failed")
            .await
            .1
            .contains("Сообщений, которые не дошли, нет.")
    );
    assert!(
        found(&mut town, "?template=unknown")
            .await
            .1
            .contains("По этому отбору ничего нет.")
    );

    // A page and the rest of it.
    for n in 0..60 {
        town.app
            .world
            .clock
            .set(crm::testing::start() + Duration::minutes(10 + n));
        let mut who = town.app.anybody();
        let phone = town.app.free_phone();
        who.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
    }
    let first = town.agent.get("/admin/messages").await;
    let at = first.body.find("/admin/messages?after=").expect("another page");
    let end = first.body[at..].find('"').expect("the end of the address");
    let next = first.body[at..at + end].to_owned();
    let (shown, _) = found(&mut town, "").await;
    assert_eq!(shown, 50);
    let query = next.strip_prefix("/admin/messages").expect("ours").to_owned();
    assert_eq!(found(&mut town, &query).await.0, all + 10);

    town.agent
        .send("/admin/messages", "language", &[("language", "en")])
        .await;
    assert!(
        found(&mut town, "?state=failed")
            .await
            .1
            .contains("No message has failed.")
    );
}

#[tokio::test]
async fn s08_when_the_days_text_messages_are_spent_the_other_ways_stay_open() {
    let app = TestApp::new().await;
    let mut agent = app.staff("agent").await;
    assert!(
        agent
            .get("/admin/messages")
            .await
            .text()
            .contains("Кодов по SMS сегодня: 0 из 5 000.")
    );
    // Midnight in Moscow.
    app.execute("INSERT INTO limits (key, starts_at, count) VALUES ('sms.day', '2026-11-20T21:00:00+00:00', 5000)")
        .await;
    let page = agent.get("/admin/messages").await;
    page.assert_says("На сегодня SMS закончились");
    let mut who = app.anybody();
    let before = app.everything(&["idempotency_keys"]).await;
    let reply = who
        .send("/sign-in", "sign_in.start", &[("phone", &app.free_phone())])
        .await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    reply.assert_says("Слишком много попыток. Попробуйте через 9 часов");
    assert_eq!(
        app.everything(&["idempotency_keys"]).await,
        before,
        "nothing was sent or counted"
    );
    assert_eq!(who.get("/sign-in?by=password").await.status, StatusCode::OK);
    app.world.clock.set(crm::testing::start() + Duration::hours(9));
    let reply = who
        .send("/sign-in", "sign_in.start", &[("phone", &app.free_phone())])
        .await;
    assert_eq!(reply.location(), "/sign-in/code");
}

#[tokio::test]
async fn s08_a_transport_closes_the_development_inbox() {
    let mail = TestApp::build(true, |config| config.mail.host = "mail.example.com".into()).await;
    let sms = TestApp::build(true, |config| config.sms.url = "https://sms.example.com".into()).await;
    let none = TestApp::demonstration().await;
    for (app, expected) in [
        (mail, StatusCode::NOT_FOUND),
        (sms, StatusCode::NOT_FOUND),
        (none, StatusCode::OK),
    ] {
        let mut who = app.anybody().at_home();
        assert_eq!(who.get("/inbox").await.status, expected);
        let page = who.get("/sign-in").await;
        assert_eq!(page.body.contains("href=\"/inbox\""), expected == StatusCode::OK);
        assert_eq!(page.text().contains("уходят по-настоящему"), expected != StatusCode::OK);
    }
}
