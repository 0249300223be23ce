//! Addresses that somebody else writes down count only when a proxy of ours wrote them; and the proxies that are shipped let
//! through what the site takes.

use crate::common::{Browser, PASSWORD, TestApp};
use axum::http::StatusCode;
use server::config::Config;
use server::router::{self, App};
use std::sync::Arc;

/// The same site behind a proxy at this address.
fn behind(app: &TestApp, proxy: [u8; 4]) -> axum::Router {
    let config = Config {
        trusted_proxies: vec![proxy.into()],
        ..(*app.app.config).clone()
    };
    router::build(&App {
        config: Arc::new(config),
        ..app.app.clone()
    })
}

async fn guess(who: &Browser, forwarded: &str) -> StatusCode {
    let mut who = who.clone();
    who.headers.push(("x-forwarded-for", forwarded.to_owned()));
    let sent = [("login", "agent"), ("password", "не тот пароль совсем")];
    who.send("/admin/sign-in", "staff.sign_in", &sent).await.status
}

#[tokio::test]
async fn s22_a_stranger_does_not_change_networks_by_saying_so() {
    let app = TestApp::new().await;
    app.employ("agent").await;
    let thief = app.anybody();
    let mut answers = Vec::new();
    for n in 0..10 {
        answers.push(guess(&thief, &format!("203.0.113.{n}, 198.51.100.{n}")).await);
    }
    assert_eq!(answers[..8], [StatusCode::UNPROCESSABLE_ENTITY; 8]);
    assert_eq!(answers[8..], [StatusCode::TOO_MANY_REQUESTS; 2]);
    let [a, b, c, d] = thief.address;
    assert_eq!(
        app.text("SELECT DISTINCT network FROM failures").await,
        format!("{a}.{b}.{c}.{d}")
    );
    assert_eq!(
        app.count("SELECT COUNT(*) FROM audit WHERE network LIKE '203.0.113.%'")
            .await,
        0
    );
    // Other headers of the kind are nobody's word at all.
    for name in [
        "forwarded",
        "x-real-ip",
        "x-client-ip",
        "true-client-ip",
        "cf-connecting-ip",
    ] {
        let mut who = thief.clone().with(name, "203.0.113.77");
        let sent = [("login", "agent"), ("password", PASSWORD)];
        assert_eq!(
            who.send("/admin/sign-in", "staff.sign_in", &sent).await.status,
            StatusCode::TOO_MANY_REQUESTS,
            "{name}"
        );
    }
}

#[tokio::test]
async fn s22_behind_our_proxy_each_visitor_counts_for_themselves() {
    let app = TestApp::new().await;
    app.employ("agent").await;
    let mut proxy = app.anybody();
    proxy.app.router = behind(&app, proxy.address);
    for n in 0..9 {
        // What stands before the proxy's own entry anybody may have written.
        let expected = if n < 8 {
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            StatusCode::TOO_MANY_REQUESTS
        };
        assert_eq!(
            guess(&proxy, &format!("192.0.2.{n}, 203.0.113.5")).await,
            expected,
            "{n}"
        );
    }
    assert_eq!(
        guess(&proxy, "203.0.113.6").await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "a neighbour"
    );
    // Somebody who reaches us past the proxy is no proxy.
    let mut past = app.anybody();
    past.app.router = proxy.app.router.clone();
    assert_eq!(guess(&past, "203.0.113.5").await, StatusCode::UNPROCESSABLE_ENTITY);
    let [a, b, c, d] = past.address;
    let own = app.everything(&[]).await;
    assert!(
        own.iter()
            .any(|row| row.starts_with("failures") && row.contains(&format!("{a}.{b}.{c}.{d}")))
    );
    // What is no address is none.
    assert_eq!(
        guess(&proxy, "evil, ' OR 1=1, 999.1.1.1").await,
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

/// The proxies' walls stand aside where a form brings files, and nowhere else. Each file has its own way to say where that is:
/// here a `*` at the end stands for whatever follows.
#[test]
fn the_proxies_that_are_shipped_let_files_through_where_forms_bring_them() {
    let between = |text: &str, from: &str, to: &str| -> String {
        let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from:?}"));
        let (found, _) = rest
            .split_once(to)
            .unwrap_or_else(|| panic!("no {to:?} after {from:?}"));
        found.to_owned()
    };
    let nginx = between(include_str!("../../../deploy/nginx.conf"), "location ~ ^/(", ") {");
    let nginx = nginx.split('|').map(|path| match path.strip_suffix('$') {
        Some(whole) => format!("/{whole}"),
        None => format!("/{path}*"),
    });
    let haproxy = include_str!("../../../deploy/haproxy.cfg");
    let haproxy = between(haproxy, "gt 131072 } !{ path_beg /api/ ", " }");
    let haproxy = haproxy.split(' ').map(|path| format!("{path}*"));
    let caddy = include_str!("../../../deploy/Caddyfile");
    let files = between(caddy, "@files path ", "\n");
    assert_eq!(between(caddy, "@pages not path /api/* ", "\n"), files, "all the others");
    let caddy = files.split(' ').map(str::to_owned);

    for (proxy, allowed) in [
        ("nginx.conf", nginx.collect::<Vec<_>>()),
        ("haproxy.cfg", haproxy.collect()),
        ("Caddyfile", caddy.collect()),
    ] {
        let is_let_through = |allowed: &str, path: &str| match allowed.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == allowed,
        };
        let takers = || app::ROUTES.iter().filter(|route| route.takes_files());
        for route in takers() {
            assert!(
                allowed.iter().any(|allowed| is_let_through(allowed, route.path)),
                "deploy/{proxy} stops files to {}: {allowed:?}",
                route.path
            );
            let largest = (route.file_mb().unwrap_or_default() + 1) * crm::shop::MB;
            assert!(largest <= 32 << 20, "{} takes more than the proxies", route.path);
        }
        for allowed in &allowed {
            assert!(
                takers().any(|route| is_let_through(allowed, route.path)),
                "deploy/{proxy} lets files through to {allowed}, which takes none"
            );
            // Whoever writes the file of another proxy goes by this.
            let named = format!("`{}`", allowed.trim_end_matches('*'));
            let told = include_str!("../../../docs/operations.md");
            assert!(told.contains(&named), "docs/operations.md does not name {named}");
        }
    }
}
