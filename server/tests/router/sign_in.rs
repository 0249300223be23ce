//! Coming in and going out, as a stranger, a customer and a thief would try it.

use crate::common::{Browser, PASSWORD, Reply, TestApp, details};
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;
use crm::who::Token;

/// A customer with a password, signed in.
async fn with_password(app: &TestApp, name: &str) -> (Browser, String) {
    let phone = app.free_phone();
    let mut who = app.anybody();
    who.prove(&phone).await;
    let mut sent = details(name);
    sent.retain(|(field, _)| *field != "password");
    sent.push(("password", PASSWORD));
    assert_eq!(
        who.send("/sign-in/details", "sign_in.details", &sent).await.location(),
        "/sign-in/review"
    );
    assert_eq!(
        who.send("/sign-in/review", "sign_in.register", &[]).await.location(),
        "/welcome?done=registered"
    );
    (who, phone)
}

async fn by_password(who: &mut Browser, phone: &str, password: &str) -> Reply {
    who.send(
        "/sign-in?by=password",
        "sign_in.password",
        &[("phone", phone), ("password", password)],
    )
    .await
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A page as a stranger sees it, without what is new each time it is shown and the phone that they typed themselves.
fn faceless(reply: &Reply, phone: &str) -> String {
    let words = reply
        .text()
        .replace(phone, "PHONE")
        .replace(&words(&crm::contact::show_phone(phone)), "PHONE");
    format!("{} {} {}", reply.status, reply.location(), words)
}

#[tokio::test]
async fn s10_nobody_learns_by_code_whether_there_is_an_account() {
    let app = TestApp::new().await;
    let known = app.customer("Анна").await.phone.clone();
    let unknown = app.free_phone();
    app.world.clock.set(start() + Duration::minutes(1));
    let mut seen = Vec::new();
    for phone in [&known, &unknown] {
        let mut who = app.anybody();
        let sent = "SELECT COUNT(*) FROM outbox";
        let before = app.count(sent).await;
        let mut steps = vec![faceless(
            &who.send("/sign-in", "sign_in.start", &[("phone", phone)]).await,
            phone,
        )];
        steps.push(format!("{} messages", app.count(sent).await - before));
        steps.push(faceless(&who.get("/sign-in/code").await, phone));
        steps.push(faceless(
            &who.send("/sign-in/code", "sign_in.verify", &[("code", "")]).await,
            phone,
        ));
        let wrong = if app.code(phone).await == "000000" {
            "000001"
        } else {
            "000000"
        };
        steps.push(faceless(
            &who.send("/sign-in/code", "sign_in.verify", &[("code", wrong)]).await,
            phone,
        ));
        steps.push(faceless(&who.send("/sign-in/code", "sign_in.resend", &[]).await, phone));
        let message = crm::outbox::inbox(&app.world.db, 1)
            .await
            .expect("the outbox")
            .remove(0);
        steps.push(format!(
            "{} {} {}",
            message.template,
            message.subject,
            message.body.replace(&app.code(phone).await, "CODE")
        ));
        seen.push(steps);
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0][4].starts_with("422"), "{:?}", seen[0]);
}

#[tokio::test]
async fn s10_nobody_learns_by_password_whether_there_is_an_account() {
    let app = TestApp::new().await;
    let (_, with) = with_password(&app, "Анна").await;
    let without = app.customer("Борис").await.phone.clone();
    let unknown = app.free_phone();
    let mut seen = Vec::new();
    for phone in [&with, &without, &unknown] {
        let reply = by_password(&mut app.anybody(), phone, "совсем другой пароль").await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
        seen.push(faceless(&reply, phone));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    app.employ("agent").await;
    let mut staff = Vec::new();
    for login in ["agent", "nobody"] {
        let sent = [("login", login), ("password", "совсем другой пароль")];
        staff.push(
            app.anybody()
                .send("/admin/sign-in", "staff.sign_in", &sent)
                .await
                .text(),
        );
    }
    assert_eq!(staff[0], staff[1]);
}

#[tokio::test]
async fn a_right_password_opens_and_a_mended_one_does_too() {
    let app = TestApp::new().await;
    let (_, phone) = with_password(&app, "Анна").await;
    let mut who = app.anybody();
    assert_eq!(by_password(&mut who, &phone, PASSWORD).await.location(), "/");
    assert!(who.cookies.contains_key("__Host-kabinet"));
    // Mistyped first: the page that comes back is sent again as it is, under the key that it kept.
    let mut who = app.anybody();
    let page = by_password(&mut who, &phone, "не тот пароль совсем").await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let again = page.form("sign_in.password").with("password", PASSWORD);
    assert_eq!(again.get("phone"), Some(phone.as_str()));
    let reply = who.submit("/sign-in?by=password", &again).await;
    reply.assert_leads_to("/");
    assert!(
        who.cookies.contains_key("__Host-kabinet"),
        "signed in at the second try"
    );
}

/// The session was opened and the answer was lost: the same form is sent once more under its key, and brings another one.
#[tokio::test]
async fn a_password_whose_answer_was_lost_opens_when_it_is_sent_again() {
    let app = TestApp::new().await;
    let (_, phone) = with_password(&app, "Анна").await;
    app.employ("agent").await;
    let key = Token::random();
    let path = "/sign-in?by=password";
    let right = [("phone", phone.as_str()), ("password", PASSWORD)];
    let staff = [("login", "agent"), ("password", PASSWORD)];
    for _ in 0..2 {
        let mut who = app.anybody();
        let reply = who.send_keyed(path, "sign_in.password", key.secret(), &right).await;
        reply.assert_leads_to("/");
        assert_eq!(who.get("/card").await.status, StatusCode::OK);
        let mut who = app.anybody();
        let reply = who
            .send_keyed("/admin/sign-in", "staff.sign_in", key.secret(), &staff)
            .await;
        reply.assert_leads_to("/admin/sign-in/second");
        assert!(who.cookies.contains_key("__Host-kabinet_staff_attempt"));
    }
    // Guesses count as they do under keys of their own.
    let mut guesser = app.anybody();
    let wrong = [("phone", phone.as_str()), ("password", "не тот пароль совсем")];
    for n in 0..9 {
        let reply = guesser.send_keyed(path, "sign_in.password", key.secret(), &wrong).await;
        let expected = if n < 8 {
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            StatusCode::TOO_MANY_REQUESTS
        };
        assert_eq!(reply.status, expected, "{n}");
    }
}

#[tokio::test]
async fn a_mended_code_is_taken() {
    let app = TestApp::new().await;
    let phone = app.free_phone();
    let mut who = app.anybody();
    who.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
    let code = app.code(&phone).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let page = who.send("/sign-in/code", "sign_in.verify", &[("code", wrong)]).await;
    assert_eq!(
        page.message("sign_in.verify", "code"),
        "Код не подошёл. Осталось 4 попытки"
    );
    let again = page.form("sign_in.verify").with("code", &code);
    assert_eq!(who.submit("/sign-in/code", &again).await.location(), "/sign-in/details");
}

#[tokio::test]
async fn s08_a_code_dies_after_five_tries_after_ten_minutes_and_with_the_next_one() {
    let app = TestApp::new().await;
    let phone = app.free_phone();
    let mut who = app.anybody();
    who.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
    let code = app.code(&phone).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        who.send("/sign-in/code", "sign_in.verify", &[("code", wrong)]).await;
    }
    let dead = "Этот код больше не действует. Запросите новый";
    let reply = who.send("/sign-in/code", "sign_in.verify", &[("code", &code)]).await;
    assert_eq!(reply.message("sign_in.verify", "code"), dead);

    app.world.clock.set(start() + Duration::minutes(1));
    assert_eq!(
        who.send("/sign-in/code", "sign_in.resend", &[]).await.location(),
        "/sign-in/code?done=sent"
    );
    let code = app.code(&phone).await;
    app.world.clock.set(start() + Duration::minutes(12));
    let reply = who.send("/sign-in/code", "sign_in.verify", &[("code", &code)]).await;
    assert_eq!(reply.message("sign_in.verify", "code"), dead);

    who.send("/sign-in/code", "sign_in.resend", &[]).await;
    let code = app.code(&phone).await;
    // Not in another browser, which did not ask.
    let mut thief = app.anybody();
    assert_eq!(
        thief
            .send("/sign-in/code", "sign_in.verify", &[("code", &code)])
            .await
            .status,
        StatusCode::CONFLICT
    );
    let other = app.free_phone();
    thief.send("/sign-in", "sign_in.start", &[("phone", &other)]).await;
    if app.code(&other).await != code {
        assert_eq!(
            thief
                .send("/sign-in/code", "sign_in.verify", &[("code", &code)])
                .await
                .status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
    }
    assert_eq!(
        who.send("/sign-in/code", "sign_in.verify", &[("code", &code)])
            .await
            .location(),
        "/sign-in/details"
    );
    let reply = who.send("/sign-in/code", "sign_in.verify", &[("code", &code)]).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "a code opens once");
}

#[tokio::test]
async fn s08_codes_are_limited_by_address() {
    let app = TestApp::new().await;
    let phone = app.free_phone();
    let (mut home, mut answers) = (app.anybody(), Vec::new());
    for i in 0..9 {
        app.world.clock.set(start() + Duration::minutes(i));
        answers.push(
            home.send("/sign-in", "sign_in.start", &[("phone", &phone)])
                .await
                .status,
        );
    }
    assert_eq!(answers[..8], [StatusCode::SEE_OTHER; 8]);
    assert_eq!(answers[8], StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(app.count("SELECT COUNT(*) FROM outbox").await, 8);
    // From other networks too, but not for ever.
    let mut sent = 0;
    for i in 0..20 {
        app.world.clock.set(start() + Duration::minutes(10 + i));
        let mut elsewhere = app.anybody();
        let reply = elsewhere.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
        sent += usize::from(reply.status == StatusCode::SEE_OTHER);
    }
    assert_eq!((sent, app.count("SELECT COUNT(*) FROM outbox").await), (16, 24));
    // At once is too soon, and the page says so beside what was typed.
    let phone = app.free_phone();
    let mut hasty = app.anybody();
    hasty.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
    let reply = hasty.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(reply.header("retry-after"), "30");
    reply.assert_says("Слишком часто. Попробуйте через 30 секунд");
    assert_eq!(reply.form("sign_in.start").get("phone"), Some(phone.as_str()));
}

#[tokio::test]
async fn s11_a_stranger_cannot_lock_a_customer_out() {
    let app = TestApp::new().await;
    let (_, phone) = with_password(&app, "Анна").await;
    let mut thief = app.anybody();
    for _ in 0..8 {
        assert_eq!(
            by_password(&mut thief, &phone, "ещё одна догадка").await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
    }
    // Enough for this network, even with the right one.
    assert_eq!(
        by_password(&mut thief, &phone, PASSWORD).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(by_password(&mut app.anybody(), &phone, PASSWORD).await.location(), "/");
    app.world.clock.set(start() + Duration::minutes(1));
    assert_eq!(thief.prove(&phone).await.location(), "/", "by code always");
}

#[tokio::test]
async fn s13_a_session_is_new_at_every_sign_in() {
    let app = TestApp::new().await;
    let (first, phone) = with_password(&app, "Анна").await;
    let mut who = app.anybody();
    // A cookie that somebody planted is not taken over.
    let planted = "A".repeat(43);
    who.cookies.insert("__Host-kabinet".into(), planted.clone());
    assert_eq!(by_password(&mut who, &phone, PASSWORD).await.location(), "/");
    let fresh = who.cookies["__Host-kabinet"].clone();
    assert_ne!(fresh, planted);
    assert_ne!(fresh, first.cookies["__Host-kabinet"]);
    assert!(fresh.len() >= 22, "128 bits at least");
    let mut thief = app.anybody();
    thief.cookies.insert("__Host-kabinet".into(), planted);
    assert_eq!(
        thief.get("/sign-in").await.status,
        StatusCode::OK,
        "the planted one opens nothing"
    );
    // The database knows no token, only hashes.
    let all = app.everything(&[]).await;
    for secret in [&fresh, &first.cookies["__Host-kabinet"]] {
        let hex: String = secret.bytes().map(|b| format!("{b:02X}")).collect();
        assert!(
            !all.iter()
                .any(|row| row.contains(secret.as_str()) || row.contains(&hex))
        );
    }
    // An attempt's token is replaced at each start, and gone when it has led in.
    app.world.clock.set(start() + Duration::minutes(1));
    let mut who = app.anybody();
    who.cookies.insert("__Host-kabinet_attempt".into(), "B".repeat(43));
    who.prove(&phone).await;
    assert!(!who.cookies.contains_key("__Host-kabinet_attempt"), "{:?}", who.cookies);
}

#[tokio::test]
async fn s14_sign_out_ends_the_session_on_the_server() {
    let app = TestApp::new().await;
    let (mut who, _) = with_password(&app, "Анна").await;
    let mut thief = app.anybody();
    thief.cookies = who.cookies.clone();
    assert_eq!(thief.get("/sign-in").await.location(), "/", "signed in");
    let reply = who.send("/consents/personal_data", "sign_out", &[]).await;
    assert_eq!(reply.location(), "/sign-in?done=signed_out");
    assert!(!who.cookies.contains_key("__Host-kabinet"));
    assert_eq!(
        thief.get("/sign-in").await.status,
        StatusCode::OK,
        "the copied cookie opens nothing"
    );
    let mut agent = app.staff("agent").await;
    let mut thief = app.anybody();
    thief.cookies = agent.cookies.clone();
    assert_eq!(
        agent.send("/admin/sign-in", "staff_sign_out", &[]).await.location(),
        "/admin/sign-in"
    );
    let before = app.everything(&["audit"]).await;
    thief.send("/admin/sign-in", "language", &[("language", "en")]).await;
    assert_eq!(app.everything(&["audit"]).await, before, "nobody's language changed");
}

#[tokio::test]
async fn s16_sessions_end_when_idle_and_at_their_term() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let is_in = async |who: &mut Browser| who.get("/sign-in").await.location() == "/";
    app.world.clock.set(start() + Duration::days(29));
    assert!(is_in(&mut anna).await);
    app.world.clock.set(start() + Duration::days(29 + 31));
    assert!(!is_in(&mut anna).await, "a month away");
    let mut boris = app.customer("Борис").await;
    let from = start() + Duration::days(60);
    for day in (0..180).step_by(20) {
        app.world.clock.set(from + Duration::days(day));
        assert!(is_in(&mut boris).await, "day {day}");
    }
    app.world.clock.set(from + Duration::days(181));
    assert!(!is_in(&mut boris).await, "half a year");
}

#[tokio::test]
async fn s23_sign_ins_and_refusals_are_written_down_without_secrets() {
    let app = TestApp::new().await;
    let (_, phone) = with_password(&app, "Анна").await;
    by_password(&mut app.anybody(), &phone, "ошибка в пароле").await;
    by_password(&mut app.anybody(), &phone, PASSWORD).await;
    for (action, expected) in [("sign_in", 2), ("sign_in.refused", 1)] {
        let found = match action {
            "sign_in" => app.count("SELECT COUNT(*) FROM audit WHERE action = 'sign_in'").await,
            _ => {
                app.count("SELECT COUNT(*) FROM audit WHERE action = 'sign_in.refused'")
                    .await
            }
        };
        assert_eq!(found, expected, "{action}");
    }
    let code = app.code(&phone).await;
    for row in app.everything(&["outbox"]).await {
        assert!(!row.contains("ошибка в пароле") && !row.contains(PASSWORD), "{row}");
        assert!(!row.starts_with("audit") || !row.contains(&code), "{row}");
    }
}

/// Somebody who registers goes back for a word, and nothing is lost on the way.
#[tokio::test]
async fn going_back_to_correct_keeps_everything() {
    let app = TestApp::new().await;
    let mut who = app.anybody();
    who.prove(&app.free_phone()).await;
    let mut sent = details("Анна-Мария");
    sent.retain(|(field, _)| !["password", "email"].contains(field));
    sent.extend([
        ("password", PASSWORD),
        ("email", "anna@example.com"),
        ("consents[]", "marketing_sms"),
    ]);
    who.send("/sign-in/details", "sign_in.details", &sent).await;
    let review = who.get("/sign-in/review").await;
    assert!(
        review.text().contains("Анна-Мария") && review.text().contains("3 мая 1990"),
        "{}",
        review.text()
    );
    assert!(!review.body.contains(PASSWORD));
    let page = who.get("/sign-in/details").await;
    assert!(!page.body.contains(PASSWORD));
    let form = page.form("sign_in.details");
    for (name, value) in sent
        .iter()
        .filter(|(name, _)| *name != "password" && *name != "consents[]")
    {
        assert_eq!(form.get(name), Some(*value), "{name}");
    }
    let ticked: Vec<_> = form
        .fields
        .iter()
        .filter(|(name, _)| name == "consents[]")
        .map(|(_, v)| v.as_str())
        .collect();
    assert_eq!(ticked.len(), 3, "{ticked:?}");
    assert_eq!(form.get("keep_password"), Some("yes"));
    // Sent as it stands, with one word mended: the password is the one typed before.
    assert_eq!(
        who.submit("/sign-in/details", &form.with("name", "Мария"))
            .await
            .location(),
        "/sign-in/review"
    );
    who.send("/sign-in/review", "sign_in.register", &[]).await;
    assert_eq!(
        app.count("SELECT COUNT(*) FROM customers WHERE name = 'Мария' AND password_hash IS NOT NULL")
            .await,
        1
    );
}

/// Without a proved phone there is no registration, and no step can be skipped.
#[tokio::test]
async fn no_step_can_be_skipped() {
    let app = TestApp::new().await;
    let mut who = app.anybody();
    who.send("/sign-in", "sign_in.start", &[("phone", &app.free_phone())])
        .await;
    for page in ["/sign-in/details", "/sign-in/review"] {
        assert_eq!(who.get(page).await.status, StatusCode::CONFLICT, "{page}");
    }
    assert_eq!(
        who.send("/sign-in/details", "sign_in.details", &details("Анна"))
            .await
            .status,
        StatusCode::CONFLICT
    );
    assert_eq!(
        who.send("/sign-in/review", "sign_in.register", &[]).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM customers").await, 0);
}
