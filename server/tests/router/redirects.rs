//! Redirects lead to paths of our own (ASVS 5.0, 3.7.2).

use crate::common::{PASSWORD, TestApp, Town, encode};
use axum::http::StatusCode;

const HOSTILE: [&str; 13] = [
    "//evil.example",
    "///evil.example",
    "https://evil.example",
    "HTTPS://evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/a\r\nlocation: https://evil.example",
    "/a\u{0}b",
    "javascript:alert(1)",
    "evil.example",
    "?next=//evil.example",
    "/пароль",
];

fn with_next(path: &str, next: &str) -> String {
    format!(
        "{path}{}{}",
        if path.contains('?') { '&' } else { '?' },
        encode(&[("next", next)])
    )
}

#[tokio::test]
async fn s05_a_hostile_next_leads_home() {
    let mut town = Town::new().await;
    let phone = town.anna.phone.clone();
    for (i, next) in HOSTILE.iter().enumerate() {
        let login = format!("agent{i}");
        let secret = town.app.employ(&login).await;
        let mut agent = town.app.anybody();
        let sent = [("login", login.as_str()), ("password", PASSWORD)];
        let reply = agent
            .send(&with_next("/admin/sign-in", next), "staff.sign_in", &sent)
            .await;
        assert_eq!(reply.location(), "/admin/sign-in/second", "{next:?}");
        let code = secret.code(town.app.world.db.now());
        let at = with_next("/admin/sign-in/second", next);
        let reply = agent.send(&at, "staff.second", &[("code", &code)]).await;
        assert_eq!(reply.location(), "/admin", "{next:?}");
        // By code, all the way along. A minute between the codes, and an hour now and then.
        let minutes = i64::try_from(i).expect("few") * 20 + 5;
        town.app
            .world
            .clock
            .set(crm::testing::start() + chrono::Duration::minutes(minutes));
        let mut who = town.app.anybody();
        let asked = who
            .send(&with_next("/sign-in", next), "sign_in.start", &[("phone", &phone)])
            .await;
        assert_eq!(asked.location(), "/sign-in/code", "{next:?}");
        let code = town.app.code(&phone).await;
        let reply = who
            .send(&with_next("/sign-in/code", next), "sign_in.verify", &[("code", &code)])
            .await;
        assert_eq!(reply.location(), "/", "{next:?}");
        // Nor do the links of the page carry it on.
        let page = town.app.anybody().get(&with_next("/sign-in", next)).await;
        assert!(!page.body.contains("evil.example"), "{next:?}");
    }
    // Whoever reads the page of a signed-in customer is sent home, wherever the address says.
    assert_eq!(
        town.anna.get(&with_next("/sign-in", "//evil.example")).await.location(),
        "/"
    );
}

#[tokio::test]
async fn s05_a_next_of_our_own_is_kept_to_the_end() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    app.world
        .clock
        .set(crm::testing::start() + chrono::Duration::minutes(1));
    let mut who = app.anybody();
    let asked = who.get("/consents/personal_data").await;
    assert_eq!(asked.status, StatusCode::OK);
    let asked = who
        .send("/sign-in?next=/purchases", "sign_in.start", &[("phone", &anna.phone)])
        .await;
    assert_eq!(asked.location(), "/sign-in/code?next=/purchases");
    let code = app.code(&anna.phone).await;
    let reply = who.send(asked.location(), "sign_in.verify", &[("code", &code)]).await;
    assert_eq!(reply.location(), "/purchases");
    // Staff stay in their part of the house.
    let sent = |login| [("login", login), ("password", PASSWORD)];
    for (login, next, leads) in [
        ("agent", "/purchases", "/admin"),
        ("other", "/admin/customers", "/admin/customers"),
    ] {
        let secret = app.employ(login).await;
        let mut who = app.anybody();
        let asked = who
            .send(&format!("/admin/sign-in?next={next}"), "staff.sign_in", &sent(login))
            .await;
        assert_eq!(asked.location(), format!("/admin/sign-in/second?next={next}"));
        let code = secret.code(app.world.db.now());
        let reply = who.send(asked.location(), "staff.second", &[("code", &code)]).await;
        assert_eq!(reply.location(), leads);
    }
}

#[tokio::test]
async fn s05_what_was_asked_of_a_page_is_kept_to_the_end() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    app.world
        .clock
        .set(crm::testing::start() + chrono::Duration::minutes(1));
    let mut who = app.anybody();
    let asked = who
        .get("/purchases?from=2026-01-01&q=%D1%87%D0%B0%D0%B9+%26+1%25")
        .await;
    let next = "next=/purchases?from=2026-01-01%26q=%25D1%2587%25D0%25B0%25D0%25B9%2B%2526%2B1%2525";
    assert_eq!(asked.location(), format!("/sign-in?{next}"));
    let reply = who
        .send(asked.location(), "sign_in.start", &[("phone", &anna.phone)])
        .await;
    assert_eq!(reply.location(), format!("/sign-in/code?{next}"));
    let code = app.code(&anna.phone).await;
    let reply = who.send(reply.location(), "sign_in.verify", &[("code", &code)]).await;
    assert_eq!(
        reply.location(),
        "/purchases?from=2026-01-01&q=%D1%87%D0%B0%D0%B9+%26+1%25"
    );
    assert_eq!(who.get(reply.location()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn s05_a_hostile_referer_changes_nothing() {
    let app = TestApp::new().await;
    let mut who = app
        .anybody()
        .with("referer", "https://evil.example/?next=//evil.example");
    for enhanced in [false, true] {
        if enhanced {
            who = who.with("kabinet-enhance", "1");
        }
        for (form, fields) in [
            ("theme", [("theme", "dark")]),
            ("sign_in.start", [("phone", "x")]),
            ("nonsense", [("a", "b")]),
        ] {
            let reply = who.send("/sign-in", form, &fields).await;
            let headers = format!("{:?}", reply.headers);
            assert!(
                !headers.contains("evil") && !reply.body.contains("evil"),
                "{form}: {headers}"
            );
        }
    }
}

/// The island follows by itself: it is told where, in a header, and nothing else leads it.
#[tokio::test]
async fn s05_code_of_ours_is_told_where_to_go_in_a_header() {
    let app = TestApp::new().await;
    let mut who = app.anybody().with("kabinet-enhance", "1");
    let reply = who
        .send(
            "/sign-in?next=//evil.example",
            "sign_in.start",
            &[("phone", &app.free_phone())],
        )
        .await;
    assert_eq!(
        (reply.status, reply.header("kabinet-next"), reply.header("location")),
        (StatusCode::NO_CONTENT, "/sign-in/code", "")
    );
}

/// Language and theme come back to the page they were chosen on, filters and all.
#[tokio::test]
async fn s05_choices_return_to_the_same_page() {
    let app = TestApp::new().await;
    let reply = app
        .anybody()
        .send(
            "/sign-in?by=password&next=//evil.example",
            "theme",
            &[("theme", "dark")],
        )
        .await;
    let location = reply.location();
    assert!(
        location.starts_with("/sign-in?") && location.contains("by=password"),
        "{location}"
    );
}
