//! What is answered when something inside fails: a page that says so, and never what was asked for.

use crate::common::{Reply, SAME_SITE, TestApp, Town};
use crate::traces::OWN;
use app::ROUTES;
use app::route::Access;
use axum::http::{Method, StatusCode};
use axum::routing::any;
use server::router::{self, Other};

fn assert_says_nothing(reply: &Reply, what: &str) {
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{what}");
    assert!(
        reply.text().contains("У нас что-то сломалось"),
        "{what}: {}",
        reply.text()
    );
    let id = reply
        .body
        .split_once("<code>")
        .and_then(|(_, rest)| rest.split('<').next())
        .unwrap_or_default();
    assert!(
        id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
        "{what} names the request: {id:?}"
    );
    let seen = format!("{:?} {}", reply.headers, reply.body).to_lowercase();
    for word in [
        "sqlite",
        "select ",
        "no such table",
        "panicked",
        "boom:",
        "thread '",
        ".rs:",
        "secret",
        "backtrace",
    ] {
        assert!(!seen.contains(word), "{what} says {word}");
    }
    assert!(
        reply
            .header("content-security-policy")
            .starts_with("default-src 'none'"),
        "{what}"
    );
    assert_eq!(reply.header("cache-control"), "no-store", "{what}");
}

/// A handler that panics, before it awaits anything and after, for a stranger, a customer and staff.
#[tokio::test]
async fn s24_a_handler_that_panics_is_a_page_of_an_error() {
    let town = Town::new().await;
    let boom = async |request: axum::extract::Request| -> &'static str {
        if request.uri().query().is_some() {
            tokio::task::yield_now().await;
        }
        panic!("boom: the secret of the inside")
    };
    let router = router::guarded(&town.app.app, vec![Other::open("/boom", any(boom))]);
    for who in [&town.anna.browser, &town.agent, &town.app.anybody()] {
        let mut who = who.clone();
        who.app.router = router.clone();
        for at in ["/boom", "/boom?later"] {
            assert_says_nothing(&who.get(at).await, at);
            assert_says_nothing(&who.request(Method::POST, at, &SAME_SITE, b"a=b".to_vec()).await, at);
        }
        // The site goes on.
        assert_eq!(who.get("/consents/personal_data").await.status, StatusCode::OK);
    }
}

/// Without an answer to the question who asks, nobody is let in and nothing is changed.
#[tokio::test]
async fn s24_without_sessions_nobody_is_let_in() {
    let mut town = Town::new().await;
    town.app.execute("ALTER TABLE sessions RENAME TO sessions_gone").await;
    let before = town.app.everything(&[]).await;
    for route in ROUTES {
        let at = town.path(route.path).await.expect("a sample");
        for who in [&mut town.anna.browser, &mut town.agent] {
            assert_says_nothing(&who.get(&at).await, &at);
            for form in route.forms {
                assert_says_nothing(&who.send(&at, form.name, &[]).await, form.name);
            }
        }
        // Who brings no cookie is a stranger as ever.
        let reply = town.app.anybody().get(&at).await;
        match route.access {
            Access::Customer | Access::Staff => assert_eq!(reply.status, StatusCode::SEE_OTHER, "{at}"),
            _ => assert!(reply.status != StatusCode::INTERNAL_SERVER_ERROR, "{at}"),
        }
    }
    assert_eq!(town.app.everything(&[]).await, before, "nothing changed");
    assert_eq!(town.app.anybody().get("/healthz").await.status, StatusCode::OK);
}

/// When what a step of signing in needs is gone, the step is not taken.
#[tokio::test]
async fn s24_signing_in_fails_closed() {
    // The password needs the first two, what comes after it the rest.
    for (table, is_second) in [
        ("ALTER TABLE failures RENAME TO gone", false),
        ("ALTER TABLE staff RENAME TO gone", false),
        ("ALTER TABLE failures RENAME TO gone", true),
        ("ALTER TABLE factors RENAME TO gone", true),
        ("ALTER TABLE audit RENAME TO gone", true),
    ] {
        let app = TestApp::new().await;
        let secret = app.employ("agent").await;
        let mut who = app.anybody();
        let sent = [("login", "agent"), ("password", crate::common::PASSWORD)];
        let reply = if is_second {
            let reply = who.send("/admin/sign-in", "staff.sign_in", &sent).await;
            assert_eq!(reply.location(), "/admin/sign-in/second", "{table}");
            app.execute(table).await;
            let code = secret.code(app.world.db.now());
            who.send("/admin/sign-in/second", "staff.second", &[("code", &code)])
                .await
        } else {
            app.execute(table).await;
            who.send("/admin/sign-in", "staff.sign_in", &sent).await
        };
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{table}");
        assert!(!reply.headers.contains_key("set-cookie"), "{table}");
        assert!(!who.cookies.contains_key("__Host-kabinet_staff"), "{table}");
        assert_eq!(app.count("SELECT COUNT(*) FROM sessions").await, 0, "{table}");
        assert!(!reply.body.contains("gone") && !reply.body.contains("SQL"), "{table}");
    }
    // A code is not sent when it cannot be counted, and does not open when it cannot be used up.
    let app = TestApp::new().await;
    let phone = app.free_phone();
    let mut who = app.anybody();
    who.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
    let code = app.code(&phone).await;
    app.execute("CREATE TRIGGER stuck BEFORE UPDATE ON codes BEGIN SELECT RAISE(ABORT, 'stuck'); END")
        .await;
    let reply = who.send("/sign-in/code", "sign_in.verify", &[("code", &code)]).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM attempts WHERE proved_at IS NOT NULL")
            .await,
        0
    );
    app.execute("CREATE TRIGGER full BEFORE INSERT ON codes BEGIN SELECT RAISE(ABORT, 'full'); END")
        .await;
    let reply = app
        .anybody()
        .send("/sign-in", "sign_in.start", &[("phone", &app.free_phone())])
        .await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(app.count("SELECT COUNT(*) FROM outbox").await, 1);
    // Where it cannot be asked whether there is a second factor, the password alone opens nothing.
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let password = ("password", crate::common::PASSWORD);
    let set = anna.send("/profile/security", "password.set", &[password]).await;
    assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.text());
    app.execute("ALTER TABLE factors RENAME TO gone").await;
    let sent = [("phone", anna.phone.as_str()), password];
    let mut who = app.anybody();
    let reply = who.send("/sign-in?by=password", "sign_in.password", &sent).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!who.cookies.contains_key("__Host-kabinet"));
}

/// Who staff are shown is written down first; what cannot be written down is not shown.
#[tokio::test]
async fn s23_what_cannot_be_written_down_is_not_shown() {
    let mut town = Town::new().await;
    // Why the card is opened is known by then, so that nothing else is asked.
    let card = format!("/admin/customers/{}", town.anna.id().await);
    assert_eq!(town.agent.get(&card).await.status, StatusCode::OK);
    town.app
        .execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END")
        .await;
    let phone = crm::contact::show_phone(&town.anna.phone);
    for route in ROUTES
        .iter()
        .filter(|route| route.access == Access::Staff && route.path.contains('{'))
        .filter(|route| !OWN.contains(&route.path))
    {
        let at = town.path(route.path).await.expect("a sample");
        let reply = town.agent.get(&at).await;
        assert_says_nothing(&reply, &at);
        assert!(!reply.body.contains("Анна") && !reply.body.contains(&phone), "{at}");
    }
    let found = town.agent.find("Лебедева").await;
    let reply = town.agent.get(&found).await;
    assert_says_nothing(&reply, "search");
}
