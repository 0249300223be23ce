//! What stands before every route, whichever it is: requests as no browser of ours makes them, on pages, on the routes
//! that are no pages, and on one that is added here.

use crate::common::{Browser, HOME, Reply, SAME_SITE, TestApp, Town};
use app::ROUTES;
use app::route::Access;
use axum::http::{Method, StatusCode};
use axum::routing::any;
use server::api;
use server::guard::Proof;
use server::router::{self, Other};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const METHODS: [&str; 8] = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"];

/// What every answer carries, whatever made it.
fn assert_has_headers(reply: &Reply, what: &str) {
    for (name, part) in [
        ("content-security-policy", "default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("permissions-policy", "microphone=()"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("strict-transport-security", "max-age=63072000"),
    ] {
        assert!(reply.header(name).contains(part), "{what} {}: no {name}", reply.status);
    }
    assert!(!reply.header("cache-control").is_empty(), "{what}: no cache-control");
    assert_eq!(reply.header("access-control-allow-origin"), "", "{what}");
}

fn method(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).expect("a method")
}

/// Every path that the site answers to.
async fn every_path(town: &Town) -> Vec<String> {
    let mut paths: Vec<String> = router::others(&town.app.app)
        .into_iter()
        .map(|other| other.path)
        .collect();
    assert!(paths.iter().any(|path| path == "/healthz"), "{paths:?}");
    for route in ROUTES {
        paths.push(town.path(route.path).await.expect("a sample"));
    }
    paths.push("/nowhere".into());
    paths.push("/pkg/kabinet.0.css".into());
    paths
}

/// What a route has in its path is an id, which the log may have, or is called a secret, which it may not.
#[tokio::test]
async fn s23_each_part_of_an_address_is_one_that_was_thought_about() {
    let town = Town::new().await;
    let others = router::others(&town.app.app);
    let pages = app::ROUTES.iter().map(|route| route.path);
    for path in pages.chain(others.iter().map(|other| other.path.as_str())) {
        for part in path.split('/').filter_map(|part| part.strip_prefix('{')) {
            let name = part.trim_end_matches('}');
            assert!(
                name == "secret" || server::guard::LOGGED.contains(&name),
                "{path}: is {name} a secret, or may the log have it (guard::LOGGED)?"
            );
        }
    }
}

/// Those of the other routes that are proved by a key or a secret are the API's, and `api.rs` walks over them, the two for
/// delivery reports, which `reports.rs` asks, and the link to unsubscribe, which `unsubscribe.rs` does. Who gets what of a thing
/// that is there, `access.rs` says of each.
#[tokio::test]
async fn s17_every_route_is_in_a_table_and_none_escapes_the_check_of_origin() {
    let town = Town::new().await;
    let others = router::others(&town.app.app);
    for other in &others {
        let is_for_programs = [
            server::api::PREFIX,
            server::callbacks::PREFIX,
            server::unsubscribe::PREFIX,
        ]
        .iter()
        .any(|prefix| other.path.starts_with(prefix));
        assert_eq!(other.proof == Proof::Key, is_for_programs, "{}", other.path);
    }
    // What is open to everybody says nothing of anybody.
    let anna = town.anna.name.clone();
    for other in &others {
        let mut who = town.anna.browser.clone();
        let reply = who.get(&other.path).await;
        // Where there are no outside providers, nothing leads to one.
        if other.proof == Proof::Key {
            let closed = match other.path.starts_with(server::unsubscribe::PREFIX) {
                true => [StatusCode::NOT_FOUND; 2],
                false => [StatusCode::UNAUTHORIZED, StatusCode::METHOD_NOT_ALLOWED],
            };
            assert!(closed.contains(&reply.status), "{}: {}", other.path, reply.status);
            continue;
        }
        let expected = match other.path.as_str() {
            // It leads on, her to where staff come in.
            "/admin" | server::exports::STAFF_PATH => StatusCode::SEE_OTHER,
            server::live::STAFF => StatusCode::UNAUTHORIZED,
            server::live::PRESENCE => StatusCode::METHOD_NOT_ALLOWED,
            path if path.contains('{') => StatusCode::NOT_FOUND,
            _ => StatusCode::OK,
        };
        assert_eq!(reply.status, expected, "{}", other.path);
        assert!(
            !reply.body.contains(&anna) && !reply.headers.contains_key("set-cookie"),
            "{}",
            other.path
        );
    }
}

#[tokio::test]
async fn s04_no_method_from_another_site_reaches_a_handler_of_any_route() {
    let mut town = Town::new().await;
    let before = town.app.everything(&[]).await;
    for at in every_path(&town).await {
        for name in METHODS {
            for headers in [
                &[("origin", "https://evil.example")][..],
                &[("sec-fetch-site", "cross-site")],
                &[],
            ] {
                let who = if at.starts_with("/admin") {
                    &mut town.agent
                } else {
                    &mut town.anna.browser
                };
                let reply = who.request(method(name), &at, headers, Vec::new()).await;
                // A browser has no key, and its cookies are none.
                let closed = if at.starts_with(server::api::PREFIX) {
                    [StatusCode::UNAUTHORIZED, StatusCode::METHOD_NOT_ALLOWED]
                } else if at.starts_with(server::callbacks::PREFIX) || at.starts_with(server::unsubscribe::PREFIX) {
                    [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED]
                } else {
                    [StatusCode::FORBIDDEN; 2]
                };
                assert!(
                    closed.contains(&reply.status),
                    "{name} {at} with {headers:?}: {}",
                    reply.status
                );
                assert_has_headers(&reply, &format!("{name} {at}"));
            }
        }
    }
    assert_eq!(town.app.everything(&[]).await, before, "nothing changed");
}

#[tokio::test]
async fn s04_headers_of_origin_count_only_once_and_readable() {
    let town = Town::new().await;
    let mut who = town.app.anybody();
    for headers in [
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-origin")],
        &[("origin", HOME), ("origin", "https://evil.example")],
        &[("sec-fetch-site", "same-origin"), ("origin", HOME), ("origin", HOME)],
        &[("sec-fetch-site", "sаme-origin"), ("origin", HOME)],
        &[("sec-fetch-site", "Same-Origin")],
        &[("sec-fetch-site", "")],
        &[("origin", "")],
        &[("origin", "https://club.example.com/")],
        &[("origin", "https://CLUB.example.com.")],
    ] {
        let sent = crate::common::body("theme", "0123456789abcdef", &[("theme", "dark")]);
        let reply = who.request(Method::POST, "/sign-in", headers, sent.into_bytes()).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    assert!(who.cookies.is_empty());
}

/// A route that is added later has all of it without a word; one for programs is named so, and then a cookie is no proof.
#[tokio::test]
async fn s04_a_route_that_is_added_is_guarded_and_one_with_a_key_sees_no_cookie() {
    let town = Town::new().await;
    let seen = async |request: axum::extract::Request| {
        let cookies = request.headers().get_all("cookie").iter().count();
        let body = axum::body::to_bytes(request.into_body(), usize::MAX).await;
        format!("{cookies} cookies, {} bytes", body.map_or(-1, |body| body.len() as i64))
    };
    let others = vec![
        Other::open("/added", any(seen)),
        Other::keyed("/programs-only/{id}", any(seen)),
    ];
    let mut who = town.anna.browser.clone();
    who.app.router = router::guarded(&town.app.app, others);
    let evil = [("origin", "https://evil.example")];
    let sent = || b"abc".to_vec();

    assert_eq!(who.get("/added").await.body, "1 cookies, 0 bytes");
    assert_eq!(
        who.request(Method::POST, "/added", &SAME_SITE, sent()).await.body,
        "1 cookies, 3 bytes"
    );
    for name in METHODS {
        let reply = who.request(method(name), "/added", &evil, sent()).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{name}");
        assert!(!reply.body.contains("cookies,"), "the handler did not see it");
        // An answer to CONNECT has no body.
        if name == "CONNECT" {
            continue;
        }
        let reply = who.request(method(name), "/programs-only/7", &evil, sent()).await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (StatusCode::OK, "0 cookies, 3 bytes"),
            "{name}"
        );
        assert_has_headers(&reply, name);
    }
    // Near it there is no hole.
    for at in [
        "/programs-only/7/",
        "/programs-only",
        "//programs-only/7",
        "/programs-only/7/8",
    ] {
        let reply = who.request(Method::POST, at, &evil, sent()).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{at}");
    }
    // Too much is too much for both, announced or not.
    for at in ["/added", "/programs-only/7"] {
        let long = vec![b'x'; 64 * 1024 + 1];
        let reply = who.request(Method::POST, at, &SAME_SITE, long.clone()).await;
        assert!(reply.body.ends_with(" cookies, -1 bytes"), "{at}: {}", reply.body);
        let length = (long.len()).to_string();
        let headers = [SAME_SITE[0], SAME_SITE[1], ("content-length", length.as_str())];
        let reply = who.request(Method::POST, at, &headers, long).await;
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE, "{at}");
    }
}

#[tokio::test]
async fn s03_every_kind_of_request_has_its_answer_with_the_headers_on_it() {
    let mut town = Town::new().await;
    let long = format!("/{}", "a".repeat(9000));
    let query = format!("/sign-in?next=/{}", "b".repeat(9000));
    let answers = [
        // Methods
        ("HEAD", "/sign-in", StatusCode::OK),
        ("HEAD", "/healthz", StatusCode::OK),
        ("HEAD", "/", StatusCode::SEE_OTHER),
        ("OPTIONS", "/sign-in", StatusCode::METHOD_NOT_ALLOWED),
        ("OPTIONS", "/nowhere", StatusCode::METHOD_NOT_ALLOWED),
        ("TRACE", "/sign-in", StatusCode::METHOD_NOT_ALLOWED),
        ("TRACE", "/healthz", StatusCode::METHOD_NOT_ALLOWED),
        ("PUT", "/profile/person", StatusCode::METHOD_NOT_ALLOWED),
        ("DELETE", "/devices", StatusCode::METHOD_NOT_ALLOWED),
        ("CONNECT", "/sign-in", StatusCode::METHOD_NOT_ALLOWED),
        ("BREW", "/sign-in", StatusCode::METHOD_NOT_ALLOWED),
        ("POST", "/healthz", StatusCode::METHOD_NOT_ALLOWED),
        // Paths that are nearly ours
        ("GET", "/sign-in/", StatusCode::NOT_FOUND),
        ("GET", "/healthz/", StatusCode::NOT_FOUND),
        ("GET", "//sign-in", StatusCode::NOT_FOUND),
        ("GET", "/sign-in//code", StatusCode::NOT_FOUND),
        ("GET", "/sign%2Din", StatusCode::NOT_FOUND),
        ("GET", "/sign-in%2Fcode", StatusCode::NOT_FOUND),
        ("GET", "/SIGN-IN", StatusCode::NOT_FOUND),
        ("GET", "/sign-in;a=b", StatusCode::NOT_FOUND),
        ("GET", "/./sign-in", StatusCode::NOT_FOUND),
        ("GET", "/admin/../sign-in", StatusCode::NOT_FOUND),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", StatusCode::NOT_FOUND),
        ("GET", "/consents/personal_data%2F..", StatusCode::NOT_FOUND),
        ("GET", "/pkg/", StatusCode::NOT_FOUND),
        ("GET", "/%", StatusCode::NOT_FOUND),
        ("GET", "/%ff%fe", StatusCode::NOT_FOUND),
        // Addresses in other forms
        ("GET", "https://club.example.com/sign-in", StatusCode::OK),
        ("GET", "http://evil.example/sign-in", StatusCode::OK),
        ("OPTIONS", "*", StatusCode::METHOD_NOT_ALLOWED),
        // Lengths
        ("GET", &long, StatusCode::URI_TOO_LONG),
        ("GET", &query, StatusCode::URI_TOO_LONG),
        ("POST", &query, StatusCode::URI_TOO_LONG),
    ];
    let before = town.app.everything(&[]).await;
    for (name, at, expected) in answers {
        let short: String = at.chars().take(40).collect();
        let mut anybody = town.app.anybody();
        let reply = anybody.request(method(name), at, &SAME_SITE, Vec::new()).await;
        assert_eq!(reply.status, expected, "{name} {short}");
        assert_has_headers(&reply, &format!("{name} {short}"));
        if name == "HEAD" {
            assert_eq!(reply.body, "", "{short}");
        }
        if expected == StatusCode::METHOD_NOT_ALLOWED && !["/nowhere", "*"].contains(&at) {
            assert!(
                reply.header("allow").contains("GET"),
                "{name} {short}: {}",
                reply.header("allow")
            );
        }
        assert!(!reply.body.contains("evil.example"), "{name} {short}");
    }
    assert_eq!(town.app.everything(&[]).await, before, "nothing changed");
    // A customer's cookie twice, in two headers or in one, is one cookie.
    let cookie = format!("__Host-kabinet={}", town.anna.cookies["__Host-kabinet"]);
    let mut twice = town.app.anybody();
    let headers = [("cookie", cookie.as_str()), ("cookie", cookie.as_str())];
    assert_eq!(
        twice.request(Method::GET, "/card", &headers, Vec::new()).await.status,
        StatusCode::OK
    );
    assert_eq!(town.boris.get("/card").await.status, StatusCode::OK);
}

/// The same over a real connection, where a program can write what no library would let it.
#[tokio::test]
async fn s03_what_is_written_by_hand_has_its_answer_too() {
    let town = Town::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = town
        .app
        .router
        .clone()
        .into_make_service_with_connect_info::<std::net::SocketAddr>();
    let server = tokio::spawn(async move { axum::serve(listener, service).await });
    let ask = async |request: String| {
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let closing = "connection: close\r\n\r\n";
    for (request, expected) in [
        ("GET /sign-in HTTP/1.0\r\n\r\n".to_owned(), "HTTP/1.0 200"),
        (format!("GET /sign-in HTTP/1.1\r\nhost: a\r\n{closing}"), "HTTP/1.1 200"),
        (
            format!("GET http://evil.example/sign-in HTTP/1.1\r\nhost: a\r\n{closing}"),
            "HTTP/1.1 200",
        ),
        (format!("OPTIONS * HTTP/1.1\r\nhost: a\r\n{closing}"), "HTTP/1.1 403"),
        (
            format!("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n{closing}"),
            "HTTP/1.1 403",
        ),
        (
            format!("TRACE /sign-in HTTP/1.1\r\nhost: a\r\ncookie: a=b\r\n{closing}"),
            "HTTP/1.1 403",
        ),
        (
            format!("POST /sign-in HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n{closing}abc"),
            "HTTP/1.1 403",
        ),
        (
            format!(
                "POST /sign-in HTTP/1.1\r\nhost: a\r\nsec-fetch-site: same-origin\r\ncontent-type: application/x-www-form-urlencoded\r\ntransfer-encoding: chunked\r\n{closing}2000\r\n{}\r\n0\r\n\r\n",
                "x".repeat(0x2000)
            ),
            "HTTP/1.1 413",
        ),
        (
            format!("GET /{} HTTP/1.1\r\nhost: a\r\n{closing}", "a".repeat(20_000)),
            "HTTP/1.1 414",
        ),
    ] {
        let short: String = request.chars().take(60).collect();
        let answer = ask(request).await;
        assert!(
            answer.starts_with(expected),
            "{short:?}: {}",
            answer.lines().next().unwrap_or_default()
        );
        let head = answer.split("\r\n\r\n").next().unwrap_or_default();
        assert!(
            head.contains("content-security-policy: default-src 'none'"),
            "{short:?}: {head}"
        );
        assert!(!head.contains("evil.example"), "{short:?}: {head}");
        assert!(!head.contains("\r\nserver:"), "{short:?}: {head}");
    }
    // What is no HTTP at all is turned away before there is a request: a status, and not a word more.
    for request in [
        format!("GET /a b HTTP/1.1\r\nhost: a\r\n{closing}"),
        "\u{16}\u{3}\u{1}\r\n\r\n".to_owned(),
        format!("POST /sign-in HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n{closing}abc"),
        format!("POST /sign-in HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n{closing}abc"),
        format!("POST /sign-in HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n{closing}abc"),
    ] {
        let answer = ask(request.clone()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        assert!(
            head.is_empty() || head.starts_with("HTTP/1.1 400"),
            "{request:?}: {head}"
        );
        assert_eq!(body, "", "{request:?}");
    }
    server.abort();
}

/// A proxy has sent a body that nobody wants to its end when the answer comes: a connection that closed under it would be a
/// fault of ours to it, and its own 502 would be what people see.
#[tokio::test]
async fn a_body_that_nobody_wants_is_taken_before_the_answer() {
    let app = TestApp::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = app
        .router
        .clone()
        .into_make_service_with_connect_info::<std::net::SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, service).await });
    for (path, bytes, expected) in [
        ("/api/v1/purchases/batch", api::BODY_LIMIT + 1, "HTTP/1.1 413"),
        ("/api/v1/purchases/batch", api::BODY_LIMIT, "HTTP/1.1 401"),
        ("/support/new", 2_000_000, "HTTP/1.1 413"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nsec-fetch-site: same-origin\r\ncontent-length: {bytes}\r\n\
             connection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("written");
        // An answer in haste would have closed the connection by then.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let taken = stream.write_all(&vec![b'x'; bytes]).await;
        assert!(taken.is_ok(), "{path}, {bytes} bytes: {taken:?}");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("a whole answer");
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.lines().next().unwrap_or_default();
        assert!(status.starts_with(expected), "{path}, {bytes} bytes: {status}");
    }
    serving.abort();
}

/// A page of staff leaves a row in the log of who read what: a browser that fetches ahead of time has read nothing.
#[tokio::test]
async fn s23_a_page_of_staff_fetched_ahead_of_time_is_neither_made_nor_written_down() {
    let mut town = Town::new().await;
    let rows = "SELECT COUNT(*) FROM audit";
    let before = town.app.count(rows).await;
    for route in ROUTES.iter().filter(|route| route.access == Access::Staff) {
        let at = town.path(route.path).await.expect("a sample");
        for purpose in ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip"] {
            let reply = town
                .agent
                .request(Method::GET, &at, &[("sec-purpose", purpose)], Vec::new())
                .await;
            assert_eq!(
                (reply.status, reply.body.as_str()),
                (StatusCode::SERVICE_UNAVAILABLE, ""),
                "{at}"
            );
            assert_has_headers(&reply, &at);
        }
    }
    assert_eq!(town.app.count(rows).await, before);
    // A customer's own pages may be fetched so.
    let reply = town
        .anna
        .request(Method::GET, "/card", &[("sec-purpose", "prefetch")], Vec::new())
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    let at = town.path("/admin/customers/{id}").await.expect("a sample");
    assert_eq!(town.agent.get(&at).await.status, StatusCode::OK);
    assert!(
        town.app.count(rows).await > before,
        "a page that is opened is written down"
    );
}

/// A page that stands under two slashes leads back to itself and not to a host of that name.
#[tokio::test]
async fn s05_a_path_that_looks_like_a_host_leads_nowhere_else() {
    let town = Town::new().await;
    for at in [
        "//evil.example",
        "//evil.example/a?b=c",
        "///evil.example",
        "/\\evil.example",
        "//evil.example/%2e%2e",
    ] {
        for form in ["theme", "language", "sign_out"] {
            let mut who: Browser = town.app.anybody();
            let reply = who.send(at, form, &[("theme", "dark"), ("language", "en")]).await;
            let to = reply.location().to_owned();
            assert!(
                to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/\\"),
                "{form} at {at}: {to:?}"
            );
            let mut who = town.app.anybody().with("kabinet-enhance", "1");
            let reply = who.send(at, form, &[("theme", "dark"), ("language", "en")]).await;
            let to = reply.header("kabinet-next");
            assert!(
                to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/\\"),
                "{form} at {at}: {to:?}"
            );
        }
        let page = TestApp::anybody(&town.app).get(at).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{at}");
    }
}
