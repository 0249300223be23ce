//! Sessions of both kinds: their tokens, their ends, their terms.

use crate::common::{Browser, TestApp};
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;
use std::collections::BTreeSet;

const IN: &str = "/admin/requests";

async fn is_in(who: &mut Browser) -> bool {
    who.get(IN).await.status == StatusCode::OK
}

#[tokio::test]
async fn s13_tokens_are_256_bits_of_chance_and_kept_as_hashes() {
    let app = TestApp::new().await;
    app.employ("agent").await;
    let mut tokens = BTreeSet::new();
    for _ in 0..8 {
        let mut who = app.anybody();
        let sent = [("login", "agent"), ("password", crate::common::PASSWORD)];
        who.send("/admin/sign-in", "staff.sign_in", &sent).await;
        tokens.insert(who.cookies["__Host-kabinet_staff_attempt"].clone());
        who.send("/sign-in", "sign_in.start", &[("phone", &app.free_phone())])
            .await;
        tokens.insert(who.cookies["__Host-kabinet_attempt"].clone());
    }
    assert_eq!(tokens.len(), 16, "no two alike");
    for place in 0..42 {
        let signs: BTreeSet<_> = tokens.iter().map(|token| token.as_bytes()[place]).collect();
        assert!(signs.len() >= 6, "place {place} varies: {signs:?}");
    }
    let rows = app.everything(&[]).await;
    for token in &tokens {
        assert_eq!(token.len(), 43, "256 bits in base64");
        let hex: String = token.bytes().map(|b| format!("{b:02X}")).collect();
        assert!(
            !rows
                .iter()
                .any(|row| row.contains(token.as_str()) || row.contains(&hex))
        );
    }
}

#[tokio::test]
async fn s14_disabling_somebody_ends_their_sessions() {
    let app = TestApp::new().await;
    let secret = app.employ("agent").await;
    let mut first = app.enter("agent", &secret).await;
    // A code of the app counts once.
    app.world.clock.set(start() + Duration::minutes(1));
    let mut second = app.enter("agent", &secret).await;
    let mut other = app.staff("other").await;
    assert!(is_in(&mut first).await && is_in(&mut second).await && is_in(&mut other).await);
    let account = crm::staff::store::by_login(&mut app.world.db.read().await.expect("a connection"), "agent")
        .await
        .expect("the database")
        .expect("the account");
    crm::staff::store::disable(&app.world.db, &crate::common::BY, account.id)
        .await
        .expect("disabled");
    assert_eq!(first.get(IN).await.location(), "/admin/sign-in?next=/admin/requests");
    assert!(!is_in(&mut second).await);
    assert!(is_in(&mut other).await, "nobody else's");
    // Nor is there a way back, and it says no more than to a stranger.
    let sent = [("login", "agent"), ("password", crate::common::PASSWORD)];
    let refused = app.anybody().send("/admin/sign-in", "staff.sign_in", &sent).await;
    let nobody = [("login", "nobody"), ("password", crate::common::PASSWORD)];
    let unknown = app.anybody().send("/admin/sign-in", "staff.sign_in", &nobody).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.text(), unknown.text());
}

/// A customer sees where they are signed in, ends one of the sessions, then all others.
#[tokio::test]
async fn s14_a_customer_sees_and_ends_their_sessions() {
    let app = TestApp::new().await;
    let mut here = app.customer("Анна").await;
    let mut others = Vec::new();
    for (minute, device) in (1..).zip(["Телефон", "Планшет", "Телевизор"]) {
        app.world.clock.set(start() + Duration::minutes(minute));
        let mut who = app.anybody().with("user-agent", device);
        assert_eq!(who.prove(&here.phone).await.location(), "/");
        others.push(who);
    }
    let page = here.get("/devices").await;
    let form = page.form("device.end");
    assert_eq!(
        crate::common::html::forms(&page.body)
            .iter()
            .filter(|form| form.name == "device.end")
            .count(),
        3
    );
    let reply = here.submit("/devices", &form).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text());
    let mut alive = 0;
    for who in &mut others {
        alive += usize::from(who.get("/card").await.status == StatusCode::OK);
    }
    assert_eq!(alive, 2, "one has ended, on the server");
    here.send("/devices", "device.end_others", &[]).await;
    for who in &mut others {
        assert_eq!(who.get("/card").await.location(), "/sign-in?next=/card");
    }
    assert_eq!(here.get("/card").await.status, StatusCode::OK, "the one at hand stays");
}

/// Whoever comes in once more leaves the session that the browser had: nobody's token is left behind (7.2.4).
#[tokio::test]
async fn s13_the_session_that_a_browser_had_ends_when_it_comes_in_again() {
    let app = TestApp::new().await;
    let secret = app.employ("agent").await;
    let mut agent = app.enter("agent", &secret).await;
    let mut elsewhere = app.anybody();
    app.world.clock.set(start() + Duration::minutes(1));
    elsewhere.cookies = app.enter("agent", &secret).await.cookies;
    let mut old = app.anybody();
    old.cookies = agent.cookies.clone();
    app.world.clock.set(start() + Duration::minutes(2));
    let sent = [("login", "agent"), ("password", crate::common::PASSWORD)];
    agent.send("/admin/sign-in", "staff.sign_in", &sent).await;
    let code = secret.code(app.world.db.now());
    let reply = agent
        .send("/admin/sign-in/second", "staff.second", &[("code", &code)])
        .await;
    reply.assert_leads_to("/admin");
    assert!(is_in(&mut agent).await && !is_in(&mut old).await);
    assert!(is_in(&mut elsewhere).await, "those of other browsers stay");
    let replaced = "SELECT COUNT(*) FROM audit WHERE action = 'sign_out' AND actor = 'staff' AND reason = 'replaced'";
    assert_eq!(app.count(replaced).await, 1);
}

/// Seeing where one is signed in is free; ending it takes a fresh proof, and leaving does not (7.5.2).
#[tokio::test]
async fn s14_another_session_is_ended_with_a_fresh_proof_alone() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let secret = app.employ("agent").await;
    let mut agent = app.enter("agent", &secret).await;
    app.world.clock.set(start() + Duration::minutes(1));
    let mut others = [app.anybody(), app.enter("agent", &secret).await];
    others[0].prove(&anna.phone).await;
    let forms = [
        (
            "/devices",
            anna.get("/devices").await,
            ["device.end", "device.end_others"],
        ),
        (
            "/admin/security",
            agent.get("/admin/security").await,
            ["staff.end_session", "staff.end_others"],
        ),
    ];
    app.world.clock.set(start() + Duration::minutes(17));
    for (at, page, names) in &forms {
        let who: &mut Browser = if *at == "/devices" { &mut anna } else { &mut agent };
        let confirm = if *at == "/devices" {
            "/confirm"
        } else {
            "/admin/confirm"
        };
        for name in names {
            let reply = who.submit(at, &page.form(name)).await;
            assert_eq!(reply.location(), format!("{confirm}?next={at}"), "{name}");
        }
        let page = who.get(at).await;
        page.assert_says("подтвердите, что это вы");
        assert!(
            names
                .iter()
                .all(|name| !page.body.contains(&format!("value=\"{name}\""))),
            "{at}"
        );
    }
    assert_eq!(
        app.count("SELECT COUNT(*) FROM sessions WHERE ended_at IS NOT NULL")
            .await,
        0
    );
    assert_eq!(
        anna.send("/devices", "sign_out", &[]).await.location(),
        "/sign-in?done=signed_out"
    );
    assert_eq!(
        agent.send("/admin/security", "staff_sign_out", &[]).await.location(),
        "/admin/sign-in"
    );
    assert_eq!(
        app.count("SELECT COUNT(*) FROM sessions WHERE ended_at IS NOT NULL")
            .await,
        2
    );
    // Proved anew, the others go.
    app.world.clock.set(start() + Duration::minutes(20));
    let mut again = app.anybody();
    assert_eq!(again.prove(&anna.phone).await.location(), "/");
    let ended = again.send("/devices", "device.end_others", &[]).await;
    assert_eq!(ended.location(), "/devices?done=others");
    let mut agent = app.enter("agent", &secret).await;
    let ended = agent.send("/admin/security", "staff.end_others", &[]).await;
    assert_eq!(ended.location(), "/admin/security?done=others");
    assert_eq!(others[0].get("/card").await.location(), "/sign-in?next=/card");
    assert!(!is_in(&mut others[1]).await && is_in(&mut agent).await);
}

/// Staff who are told that somebody else is in a customer's cabinet shut everybody out of it (7.4.5).
#[tokio::test]
async fn s14_staff_end_a_customers_sessions_from_the_card() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut boris = app.customer("Борис").await;
    let mut agent = app.staff_as("agent", "agent").await;
    let at = format!("/admin/customers/{}", anna.id().await);
    let page = agent.get(&at).await;
    page.assert_says("1 открытый вход");
    let form = page.form("customer.end_sessions");
    let silent = agent.submit(&at, &form).await;
    assert_eq!(silent.message("customer.end_sessions", "reason"), "Напишите, почему");
    assert_eq!(anna.get("/card").await.status, StatusCode::OK);
    let ended = agent.submit(&at, &form.with("reason", "Звонила: вошёл чужой")).await;
    ended.assert_leads_to(&format!("{at}?done=ended"));
    assert_eq!(anna.get("/card").await.location(), "/sign-in?next=/card");
    assert_eq!(boris.get("/card").await.status, StatusCode::OK);
    let page = agent.get(ended.location()).await;
    page.assert_says("Все входы покупателя завершены");
    assert!(page.body.contains("Сотрудник завершил все входы"), "{}", page.text());
    assert!(!page.body.contains("customer.end_sessions"), "nothing is open any more");
    let told = crm::outbox::inbox(&app.world.db, 1).await.expect("read").remove(0);
    assert_eq!((told.template.as_str(), &told.address), ("sessions_ended", &anna.phone));
    let row = "SELECT reason FROM audit WHERE action = 'customer.end_sessions' AND actor = 'staff'";
    assert_eq!(app.texts(row).await, ["Звонила: вошёл чужой"]);
    // A role without the right to customers does nothing of it.
    app.execute("INSERT INTO roles (code, name, rights, position) VALUES ('clerk', '{}', '[\"requests\"]', 9)")
        .await;
    let mut clerk = app.staff_as("clerk", "clerk").await;
    let at = format!("/admin/customers/{}", boris.id().await);
    let refused = clerk.send(&at, "customer.end_sessions", &[("reason", "так")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(boris.get("/card").await.status, StatusCode::OK);
}

#[tokio::test]
async fn s16_sessions_of_staff_end_when_idle_for_two_hours_and_after_twelve() {
    let app = TestApp::new().await;
    let mut agent = app.staff("agent").await;
    app.world.clock.set(start() + Duration::minutes(119));
    assert!(is_in(&mut agent).await);
    app.world.clock.set(start() + Duration::minutes(119 + 121));
    assert!(!is_in(&mut agent).await, "two hours away");
    let from = start() + Duration::days(1);
    app.world.clock.set(from);
    let secret = app.employ("busy").await;
    let mut busy = app.enter("busy", &secret).await;
    for hour in 1..12 {
        app.world.clock.set(from + Duration::hours(hour));
        assert!(is_in(&mut busy).await, "hour {hour}");
    }
    app.world.clock.set(from + Duration::hours(12));
    assert!(!is_in(&mut busy).await, "half a day, however busy");
    // And the browser is told to forget it then.
    let sent = [("login", "busy"), ("password", crate::common::PASSWORD)];
    let mut again = app.anybody();
    again.send("/admin/sign-in", "staff.sign_in", &sent).await;
    let code = secret.code(app.world.db.now());
    let reply = again
        .send("/admin/sign-in/second", "staff.second", &[("code", &code)])
        .await;
    let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
    assert!(
        cookies.iter().any(|c| c
            .to_str()
            .is_ok_and(|c| c.contains("kabinet_staff=") && c.contains("Max-Age=43200"))),
        "{cookies:?}"
    );
}

/// Who came into a cabinet and who was kept out is told to its owner, by what and whence, and to nobody else; for so long and no
/// longer.
#[tokio::test]
async fn a_customer_sees_who_came_in_and_who_was_kept_out() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut boris = app.customer("Борис").await;
    let phone = anna.phone.clone();
    let set = [("current", ""), ("password", crate::common::PASSWORD)];
    anna.send("/profile/security", "password.set", &set).await;
    let mut stranger = app
        .anybody()
        .with("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0");
    let [a, b, c, _] = stranger.address;
    for password in ["не тот пароль", crate::common::PASSWORD] {
        let sent = [("phone", phone.as_str()), ("password", password)];
        stranger.send("/sign-in?by=password", "sign_in.password", &sent).await;
    }
    app.world.clock.set(start() + Duration::minutes(2));
    let mut other = app.anybody();
    other.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
    let code = app.code(&phone).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    other.send("/sign-in/code", "sign_in.verify", &[("code", wrong)]).await;

    let kept = "SELECT way || ' ' || is_let_in FROM sign_ins ORDER BY at, id";
    let expected = ["registration 1", "registration 1", "password 0", "password 1", "code 0"];
    assert_eq!(app.texts(kept).await, expected);
    let page = anna.get("/devices").await.text();
    for told in [
        "Входы и попытки",
        "регистрация",
        "по паролю",
        "Не впустили",
        "по коду из SMS",
        "Firefox, Linux",
        &format!("Сеть {a}.{b}.{c}.*"),
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    let page = boris.get("/devices").await.text();
    assert!(page.contains("регистрация") && !page.contains("по паролю"), "{page}");

    // Page by page, also where many are of one moment.
    let more = "INSERT INTO sign_ins (id, customer_id, at, way, is_let_in, device, network) \
                WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 41) \
                SELECT randomblob(16), s.customer_id, s.at, 'email', 1, '', '' FROM n, sign_ins s \
                JOIN contacts c ON c.customer_id = s.customer_id WHERE c.value = $1 AND s.way = 'code'";
    app.run(more, &phone).await;
    let (mut at, mut seen) = ("/devices".to_owned(), 0);
    loop {
        let page = anna.get(&at).await;
        seen += page.text().matches("по коду из письма").count();
        let links = crate::common::html::tags(&page.body);
        let next = links
            .iter()
            .filter_map(|tag| tag.get("href"))
            .find(|href| href.contains("before="));
        let Some(next) = next else { break };
        at = next.split('#').next().unwrap_or_default().to_owned();
    }
    assert_eq!(seen, 41);
    for days in [89, 91] {
        app.world.clock.set(start() + Duration::days(days));
        crm::signin::store::sweep(&app.world.db, &crate::common::BY)
            .await
            .expect("swept");
        let left = app.count("SELECT COUNT(*) FROM sign_ins").await;
        assert_eq!(left > 0, days < 90, "{days}");
    }
}
