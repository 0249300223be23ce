//! `kabinet doctor` beside a running server: nothing to say when all is well, and of each thing that is wrong exactly
//! that.

use crate::common::{Installation, client, execute, told};
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// What the doctor says of everything that is not well: check, state, found.
fn complaints(here: &Installation) -> Vec<(String, String, String)> {
    let output = here.run(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", told(&output)));
    let text = |line: &Value, key: &str| line[key].as_str().expect("a text").to_owned();
    let lines = report["lines"].as_array().expect("lines");
    let found: Vec<_> = lines
        .iter()
        .map(|line| (text(line, "check"), text(line, "state"), text(line, "found")))
        .filter(|(_, state, _)| state != "ok")
        .collect();
    let is_wrong = found.iter().any(|(_, state, _)| state == "wrong");
    assert_eq!(report["ok"], !is_wrong);
    assert_eq!(output.status.success(), !is_wrong, "{}", told(&output));
    // Everything that is not well comes with what to do about it.
    for line in lines {
        assert_eq!(line["advice"].is_string(), line["state"] != "ok", "{line}");
    }
    found
}

/// That the doctor complains of one thing alone.
fn complains_of(here: &Installation, check: &str, state: &str, part: &str) {
    let found = complaints(here);
    let [(name, how, said)] = &found[..] else {
        panic!("{check}: {found:?}")
    };
    assert_eq!((name.as_str(), how.as_str()), (check, state), "{said}");
    assert!(said.contains(part), "{said}");
}

/// An installation in which all is well, with a copy of an hour ago.
fn healthy() -> Installation {
    let here = Installation::new();
    here.buy("1");
    here.employ("olga");
    std::fs::create_dir_all(here.path("site/pkg")).expect("a folder");
    std::fs::create_dir(here.path("copies")).expect("a folder");
    here.succeed(&["backup", "copies/night.db"]);
    use std::os::unix::fs::PermissionsExt as _;
    let ours = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(here.path("kabinet.db"), ours).expect("ours alone");
    here.with("KABINET_BACKUP_DIR", "copies")
}

#[tokio::test]
async fn where_all_is_well_it_has_nothing_to_say() {
    let here = healthy();
    let _server = here.serve().await;
    assert_eq!(complaints(&here), []);
    let said = here.succeed(&["doctor"]);
    for check in [
        "ledger",
        "staff",
        "text messages",
        "audit log",
        "backups",
        "cookies",
        "headers",
        "open files",
        "clock",
        "disk",
    ] {
        assert!(said.contains(&format!("ok       {check}")), "{check}: {said}");
    }
}

#[tokio::test]
async fn of_the_database_it_sees_what_is_wrong() {
    let here = healthy();
    let _server = here.serve().await;
    let url = here.database_url();
    let queue = "INSERT INTO outbox (id, channel, address, template, language, subject, body, state, created_at) \
                 VALUES (X'00', 'sms', '+79000000002', 'code', 'ru', '', '', 'queued', '2026-11-01T00:00:00+00:00')";
    execute(&url, queue).await;
    complains_of(&here, "messages", "wrong", "minutes");
    execute(&url, "UPDATE outbox SET state = 'failed'").await;
    complains_of(&here, "messages", "warning", "1 could not be carried");
    // One that waits for its hour is no reason to get up.
    let wait = "UPDATE outbox SET state = 'queued', due_at = '2999-01-01T00:00:00+00:00', \
                first_due_at = '2999-01-01T00:00:00+00:00'";
    execute(&url, wait).await;
    assert_eq!(complaints(&here), []);
    execute(&url, "DELETE FROM outbox").await;

    here.succeed(&["staff", "disable", "olga"]);
    complains_of(&here, "staff", "wrong", "no administrator can come in");
    here.succeed(&["staff", "enable", "olga"]);
    here.succeed(&["staff", "role", "olga", "agent"]);
    complains_of(&here, "staff", "wrong", "no administrator can come in");
    here.succeed(&["staff", "role", "olga", "administrator"]);
    execute(
        &url,
        "UPDATE accounts SET balance = balance + 1 WHERE customer_id IS NOT NULL AND kind = 'pending'",
    )
    .await;
    complains_of(&here, "ledger", "wrong", "a balance is the sum of its postings");
    execute(
        &url,
        "UPDATE accounts SET balance = balance - 1 WHERE customer_id IS NOT NULL AND kind = 'pending'",
    )
    .await;
    assert_eq!(complaints(&here), []);

    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'from tomorrow', TRUE, X'00', 0)";
    execute(&url, newer).await;
    complains_of(&here, "schema", "wrong", "newer kabinet");
}

#[tokio::test]
async fn of_a_budget_of_text_messages_that_is_spent_it_says_so() {
    let here = healthy().with("KABINET_LIMITS__SMS_PER_DAY", "1");
    let server = here.serve().await;
    assert_eq!(complaints(&here), []);
    let body = "_fn=sign_in.start&_key=0123456789abcdef&phone=%2B79001234567";
    assert_eq!(server.send("/sign-in", body).await.status(), 303);
    complains_of(&here, "text messages", "wrong", "1 of 1 of today are sent");
}

#[tokio::test]
async fn of_files_it_sees_what_is_wrong() {
    use std::os::unix::fs::PermissionsExt as _;
    let here = healthy();
    let _server = here.serve().await;
    let copy = std::fs::File::options()
        .write(true)
        .open(here.path("copies/night.db"))
        .expect("the copy");
    let age = |hours: u64| {
        let then = SystemTime::now() - Duration::from_secs(hours * 3600 + 60);
        copy.set_modified(then).expect("an older copy");
    };
    age(30);
    complains_of(&here, "backups", "warning", "30 hours");
    age(51);
    complains_of(&here, "backups", "wrong", "51 hours");
    age(1);
    copy.set_permissions(std::fs::Permissions::from_mode(0o644))
        .expect("everybody's");
    complains_of(&here, "backups", "warning", "may read");
    std::fs::remove_file(here.path("copies/night.db")).expect("removed");
    complains_of(&here, "backups", "wrong", "none");
    here.succeed(&["backup", "copies/night.db"]);

    let database = here.path("kabinet.db");
    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o644)).expect("everybody's");
    complains_of(&here, "database file", "warning", "may read");
    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o600)).expect("ours alone");

    here.write_site("another");
    complains_of(&here, "site folder", "wrong", "build another");
}

#[tokio::test]
async fn of_postgresql_it_says_what_it_does_not_look_at() {
    let world = crm::testing::postgres().await;
    let here = Installation::new().with("KABINET_DATABASE_URL", &world.url);
    here.buy("1");
    here.employ("olga");
    std::fs::create_dir_all(here.path("site/pkg")).expect("a folder");
    let _server = here.serve().await;
    let found = complaints(&here);
    let told: Vec<_> = found
        .iter()
        .map(|(check, state, _)| (check.as_str(), state.as_str()))
        .collect();
    assert_eq!(told, [("disk", "unseen"), ("backups", "unseen")], "{found:?}");
    // It is no failure either.
    let said = here.succeed(&["doctor"]);
    for line in ["unseen   disk: not looked at", "unseen   backups: not looked at"] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[tokio::test]
async fn of_a_server_that_stops_or_is_gone_it_says_so() {
    let here = healthy().with("KABINET_DRAIN_SECONDS", "300");
    let mut server = here.serve().await;
    server.terminate();
    server.logged("not ready any more").await;
    complains_of(&here, "public address", "wrong", "stopping");
    server.terminate();
    server.ended().await;
    let found = complaints(&here);
    let wrong: Vec<&str> = found
        .iter()
        .filter(|line| line.1 == "wrong")
        .map(|line| line.0.as_str())
        .collect();
    assert_eq!(wrong, ["server", "public address"]);
}

/// What a proxy may do to an answer.
type Harm = fn(&mut Response);

/// A proxy before a server, which harms what passes and says in `X-Forwarded-For` what it is told to.
async fn proxy(behind: SocketAddr, harm: Harm, forwarded: Option<&'static str>) -> SocketAddr {
    let client = client();
    let pass = async move |request: Request<Body>| {
        let (parts, body) = request.into_parts();
        let url = format!("http://{behind}{}", parts.uri);
        let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
        let mut sent = client.request(parts.method, url).headers(parts.headers).body(body);
        if let Some(forwarded) = forwarded {
            sent = sent.header("x-forwarded-for", forwarded);
        }
        let answer = sent.send().await.expect("the server answers");
        let mut response = Response::builder().status(answer.status());
        *response.headers_mut().expect("headers") = answer.headers().clone();
        // The body is whole by now.
        response
            .headers_mut()
            .expect("headers")
            .remove(header::TRANSFER_ENCODING);
        let mut response = response
            .body(Body::from(answer.bytes().await.expect("a body")))
            .expect("a response");
        harm(&mut response);
        response
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(pass)).await });
    address
}

// The proxy has to answer while the doctor is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_proxy_that_does_harm_it_says_which() {
    let harms: [(&str, &str, &str, Harm); 8] = [
        ("headers", "wrong", "content-security-policy is missing", |r| {
            r.headers_mut().remove("content-security-policy");
        }),
        ("headers", "wrong", "x-content-type-options comes twice", |r| {
            r.headers_mut()
                .append("x-content-type-options", HeaderValue::from_static("nosniff"));
        }),
        ("headers", "wrong", "cache-control is \"public\"", |r| {
            r.headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("public"));
        }),
        ("cookies", "wrong", "without httponly", |r| {
            if let Some(line) = r.headers_mut().remove(header::SET_COOKIE) {
                let line = line.to_str().expect("text").replace("; HttpOnly", "");
                r.headers_mut()
                    .insert(header::SET_COOKIE, line.parse().expect("a header"));
            }
        }),
        ("compression", "warning", "as they are", |r| {
            r.headers_mut().remove(header::CONTENT_ENCODING);
        }),
        ("clock of the public address", "wrong", "beside ours", |r| {
            let then = HeaderValue::from_static("Sun, 01 Nov 2026 00:00:00 GMT");
            r.headers_mut().insert(header::DATE, then);
        }),
        ("metrics", "wrong", "answers 200", |r| {
            if r.status() == StatusCode::NOT_FOUND {
                *r.status_mut() = StatusCode::OK;
            }
        }),
        ("public address", "wrong", "not by kabinet", |r| {
            *r.body_mut() = Body::from("It works");
            r.headers_mut().remove(header::CONTENT_LENGTH);
        }),
    ];
    for (check, state, part, harm) in harms {
        let here = healthy();
        let proxy = proxy(here.address, harm, None).await;
        let here = here.with("KABINET_PUBLIC_URL", &format!("http://{proxy}"));
        let _server = here.serve().await;
        complains_of(&here, check, state, part);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s22_it_sees_a_proxy_that_is_not_trusted_or_does_not_name_its_clients() {
    let nothing: Harm = |_| {};
    for (trusted, forwarded, part) in [
        (
            "[]",
            Some("203.0.113.9"),
            "0 requests with an address from a trusted proxy",
        ),
        (
            "[\"127.0.0.1\"]",
            None,
            "0 requests with an address from a trusted proxy",
        ),
        ("[\"127.0.0.1\"]", Some("203.0.113.9"), ""),
    ] {
        let here = healthy().with("KABINET_TRUSTED_PROXIES", trusted);
        let proxy = proxy(here.address, nothing, forwarded).await;
        let here = here.with("KABINET_PUBLIC_URL", &format!("http://{proxy}"));
        let _server = here.serve().await;
        if part.is_empty() {
            assert_eq!(complaints(&here), []);
        } else {
            complains_of(&here, "clients' addresses", "wrong", part);
        }
    }
}

#[tokio::test]
async fn what_is_not_meant_for_customers_is_named() {
    let here = healthy().with("KABINET_PUBLIC_URL", "http://club.example.com");
    let found = complaints(&here);
    assert!(found.iter().any(|(check, state, said)| {
        check == "configuration" && state == "wrong" && said.contains("http://club.example.com")
    }));
    let here = here.with("KABINET_PUBLIC_URL", "https://club.example.com");
    let found = complaints(&here);
    assert!(found.iter().any(|(check, state, said)| {
        check == "configuration" && state == "wrong" && said.contains("trusted_proxies is empty")
    }));
    // Customers come in by codes, which have to reach them.
    let no_codes = |found: &[(String, String, String)], part: &str| {
        found
            .iter()
            .any(|(check, state, said)| check == "sms" && state == "wrong" && said.contains(part))
    };
    assert!(no_codes(&found, "nobody can receive a code"), "{found:?}");
    let here = here
        .with("KABINET_MAIL__HOST", "127.0.0.1")
        .with("KABINET_MAIL__FROM", "club@example.com");
    let found = complaints(&here);
    assert!(no_codes(&found, "nobody new can register"), "{found:?}");
    // And whoever cannot come in wants to call or to write.
    let out_of_reach = |found: &[(String, String, String)]| {
        found.iter().any(|(check, state, said)| {
            check == "configuration" && state == "warning" && said.contains("neither shop.phone nor shop.email")
        })
    };
    assert!(out_of_reach(&found), "{found:?}");
    let here = here.with("KABINET_SHOP__EMAIL", "club@example.com");
    let found = complaints(&here);
    assert!(!out_of_reach(&found), "{found:?}");
}

#[tokio::test]
async fn of_carriers_that_are_not_there_it_says_which() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = closed.local_addr().expect("its address").port().to_string();
    drop(closed);
    let here = healthy();
    let _server = here.serve().await;
    let mail = here
        .with("KABINET_MAIL__HOST", "127.0.0.1")
        .with("KABINET_MAIL__PORT", &port)
        .with("KABINET_MAIL__TLS", "none")
        .with("KABINET_MAIL__FROM", "club@example.com");
    complains_of(&mail, "mail", "wrong", "onnect");
}
