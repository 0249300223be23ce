//! Changes that another site asks for (ASVS 5.0, 3.5.1–3).

use crate::common::{HOME, SAME_SITE, Town, body};
use app::route::{Access, FormEntry};
use app::{EVERYWHERE, ROUTES};
use axum::http::{Method, StatusCode};
use crm::who::Token;

/// Every form with a page that offers it.
async fn every_form(town: &Town) -> Vec<(String, Access, FormEntry)> {
    let mut found = Vec::new();
    for route in ROUTES {
        let at = town.path(route.path).await.expect("a sample");
        found.extend(route.forms.iter().map(|form| (at.clone(), route.access, *form)));
    }
    found.extend(
        EVERYWHERE
            .iter()
            .map(|form| ("/sign-in".to_owned(), Access::Public, *form)),
    );
    found
}

fn filled(form: &str) -> String {
    let fields = [
        ("phone", "+79005550009"),
        ("language", "en"),
        ("theme", "dark"),
        ("login", "agent"),
        ("password", crate::common::PASSWORD),
        ("text", "Здравствуйте"),
    ];
    body(form, Token::random().secret(), &fields)
}

#[tokio::test]
async fn s04_a_change_from_another_site_is_refused() {
    let mut town = Town::new().await;
    let foreign: [&[(&str, &str)]; 8] = [
        &[("sec-fetch-site", "cross-site"), ("origin", HOME)],
        &[("sec-fetch-site", "same-site"), ("origin", HOME)],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.example")],
        &[("origin", "http://club.example.com")],
        &[("origin", "https://club.example.com.evil.example")],
        &[("origin", "null")],
        &[],
    ];
    let before = town.app.everything(&[]).await;
    for (at, access, form) in every_form(&town).await {
        for headers in foreign {
            let who = if access == Access::Staff {
                &mut town.agent
            } else {
                &mut town.anna.browser
            };
            let cookies = who.cookies.clone();
            let reply = who
                .request(Method::POST, &at, headers, filled(form.name).into_bytes())
                .await;
            assert_eq!(
                reply.status,
                StatusCode::FORBIDDEN,
                "{} at {at} with {headers:?}",
                form.name
            );
            assert_eq!(who.cookies, cookies, "{} at {at} with {headers:?}", form.name);
        }
    }
    assert_eq!(town.app.everything(&[]).await, before, "nothing changed");
}

/// What the test above shows to be refused is taken when it comes from our own page.
#[tokio::test]
async fn s04_either_header_of_our_own_page_is_enough() {
    let town = Town::new().await;
    for headers in [&SAME_SITE[..1], &SAME_SITE[1..]] {
        let mut who = town.app.anybody();
        let reply = who
            .request(Method::POST, "/sign-in", headers, filled("theme").into_bytes())
            .await;
        assert_eq!((reply.location(), who.cookies.len()), ("/sign-in", 1), "{headers:?}");
    }
}

#[tokio::test]
async fn s04_nothing_changes_by_get_or_head() {
    let mut town = Town::new().await;
    // Staff leave a trace when they look; nothing else may happen.
    let but = ["audit"];
    let before = town.app.everything(&but).await;
    for (at, access, form) in every_form(&town).await {
        let at = format!("{at}?{}", filled(form.name));
        for method in [Method::GET, Method::HEAD] {
            let who = if access == Access::Staff {
                &mut town.agent
            } else {
                &mut town.anna.browser
            };
            let cookies = who.cookies.clone();
            who.request(method, &at, &SAME_SITE, Vec::new()).await;
            assert_eq!(who.cookies, cookies, "{at}");
        }
    }
    assert_eq!(town.app.everything(&but).await, before, "nothing changed");
}

#[tokio::test]
async fn s04_only_a_forms_own_kind_of_body_is_read() {
    let mut town = Town::new().await;
    let before = town.app.everything(&[]).await;
    for (at, access, form) in every_form(&town).await {
        let json = format!(r#"{{"_fn":"{}","_key":"0123456789abcdef","theme":"dark"}}"#, form.name);
        for (kind, sent) in [
            ("application/json", json),
            ("text/plain", filled(form.name)),
            ("multipart/form-data; boundary=x", filled(form.name)),
            ("", filled(form.name)),
        ] {
            let who = if access == Access::Staff {
                &mut town.agent
            } else {
                &mut town.anna.browser
            };
            let headers = [SAME_SITE[0], SAME_SITE[1], ("content-type", kind)];
            let reply = who.request(Method::POST, &at, &headers, sent.into_bytes()).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{} at {at} as {kind:?}", form.name);
        }
    }
    assert_eq!(town.app.everything(&[]).await, before, "nothing changed");
}

#[tokio::test]
async fn s04_other_methods_reach_nothing() {
    let mut town = Town::new().await;
    let before = town.app.everything(&[]).await;
    for method in [
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
    ] {
        let reply = town
            .anna
            .request(method.clone(), "/sign-in", &SAME_SITE, filled("theme").into_bytes())
            .await;
        assert!(reply.status.is_client_error(), "{method}: {}", reply.status);
    }
    assert_eq!(town.app.everything(&[]).await, before, "nothing changed");
}
