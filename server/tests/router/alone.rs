//! Tests of what belongs to a whole process: its log, its turns for hashing, its count of hashes. Each runs in a process
//! of its own, which is this program once more.

use crate::common::{Browser, PASSWORD, TestApp, Town, details};
use axum::http::StatusCode;
use chrono::Duration;
use crm::signin::password::testing;
use crm::testing::start;
use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// Set in a process that runs one test only.
const ALONE: &str = "KABINET_TEST_ALONE";

/// Whether this process runs the test of that name only. If not, the test is run in a process of its own, and has to pass.
fn is_alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program)
        .args(["--exact", &format!("alone::{test}"), "--nocapture"])
        .env(ALONE, "1")
        .output()
        .expect("it runs");
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let end: String = told
        .chars()
        .rev()
        .take(4000)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    assert!(output.status.success() && told.contains("1 passed"), "{end}");
    false
}

/// What every test here can see of the process's log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Somebody with a password; their phone.
async fn with_password(app: &TestApp) -> String {
    let phone = app.free_phone();
    let mut who = app.anybody();
    who.prove(&phone).await;
    let mut sent = details("Анна");
    sent.retain(|(field, _)| *field != "password");
    sent.push(("password", PASSWORD));
    who.send("/sign-in/details", "sign_in.details", &sent).await;
    who.send("/sign-in/review", "sign_in.register", &[]).await;
    phone
}

/// Every step of coming in by everybody there can be behind a phone or a login.
#[tokio::test]
async fn s10_known_and_unknown_cost_the_same_hashes_and_messages() {
    if !is_alone("s10_known_and_unknown_cost_the_same_hashes_and_messages") {
        return;
    }
    let app = TestApp::new().await;
    let with = with_password(&app).await;
    let without = app.customer("Борис").await.phone.clone();
    let unknown = app.free_phone();
    app.employ("agent").await;
    app.employ("former").await;
    app.execute("UPDATE staff SET disabled_at = '2026-01-01T00:00:00Z' WHERE login = 'former'")
        .await;
    app.world.clock.set(start() + Duration::minutes(2));
    let sent = "SELECT COUNT(*) FROM outbox";
    let mut seen: Vec<Vec<String>> = Vec::new();
    for phone in [&with, &without, &unknown] {
        let mut who = app.anybody();
        let mut steps = Vec::new();
        // The phone as it was typed, and as it is shown.
        let is_id = |word: &&str| word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let words = |text: String| {
            text.split_whitespace()
                .filter(|word| !is_id(word))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let shown = words(crm::contact::show_phone(phone));
        let step = async |who: &mut Browser, at: &str, form: &str, fields: &[(&str, &str)]| {
            let (hashes, messages) = (testing::hashed(), app.count(sent).await);
            let reply = who.send(at, form, fields).await;
            let text = words(reply.text())
                .replace(phone.as_str(), "PHONE")
                .replace(&shown, "PHONE");
            let cookies: Vec<_> = reply
                .headers
                .get_all("set-cookie")
                .iter()
                .filter_map(|line| Some(line.to_str().ok()?.split_once('=')?.0.to_owned()))
                .collect();
            format!(
                "{form}: {} {:?} {:?} {cookies:?}, {} hashes, {} messages: {text}",
                reply.status,
                reply.location(),
                reply.header("retry-after"),
                testing::hashed() - hashes,
                app.count(sent).await - messages,
            )
        };
        let code = [("phone", phone.as_str())];
        steps.push(step(&mut who, "/sign-in", "sign_in.start", &code).await);
        steps.push(step(&mut who, "/sign-in", "sign_in.start", &code).await);
        steps.push(step(&mut who, "/sign-in/code", "sign_in.verify", &[("code", "")]).await);
        steps.push(step(&mut who, "/sign-in/code", "sign_in.resend", &[]).await);
        let wrong = if app.code(phone).await == "000000" {
            "000001"
        } else {
            "000000"
        };
        for _ in 0..6 {
            steps.push(step(&mut who, "/sign-in/code", "sign_in.verify", &[("code", wrong)]).await);
        }
        steps.push(step(&mut who, "/sign-in/details", "sign_in.details", &details("Анна")).await);
        steps.push(step(&mut who, "/sign-in/review", "sign_in.register", &[]).await);
        for _ in 0..9 {
            let fields = [("phone", phone.as_str()), ("password", "совсем другой пароль")];
            steps.push(step(&mut who, "/sign-in?by=password", "sign_in.password", &fields).await);
        }
        let fields = [("phone", phone.as_str()), ("password", "")];
        steps.push(step(&mut who, "/sign-in?by=password", "sign_in.password", &fields).await);
        seen.push(steps);
    }
    for (who, steps) in seen.iter().enumerate().skip(1) {
        for (n, step) in steps.iter().enumerate() {
            assert_eq!(step, &seen[0][n], "step {n} of {who}");
        }
    }
    let all = seen[0].join("\n");
    assert_eq!(
        all.matches(", 1 hashes").count(),
        8,
        "each wrong password is one hash, throttled ones none: {all}"
    );
    assert_eq!(all.matches(" 1 messages").count(), 1, "{all}");

    let mut staff = Vec::new();
    for login in ["agent", "former", "nobody"] {
        let mut who = app.anybody();
        let mut steps = Vec::new();
        for _ in 0..9 {
            let before = testing::hashed();
            let sent = [("login", login), ("password", "совсем другой пароль")];
            let reply = who.send("/admin/sign-in", "staff.sign_in", &sent).await;
            steps.push(format!(
                "{} {} {}",
                reply.status,
                testing::hashed() - before,
                reply.text()
            ));
        }
        staff.push(steps);
    }
    assert_eq!(staff[0], staff[1]);
    assert_eq!(staff[0], staff[2]);
}

#[tokio::test]
async fn s24_without_a_turn_for_hashing_the_answer_is_503_and_when_to_come_again() {
    if !is_alone("s24_without_a_turn_for_hashing_the_answer_is_503_and_when_to_come_again") {
        return;
    }
    let app = TestApp::new().await;
    let phone = with_password(&app).await;
    app.employ("agent").await;
    let busy = testing::occupy().await.expect("every turn");
    let mut who = app.anybody();
    for (at, form, fields) in [
        (
            "/sign-in?by=password",
            "sign_in.password",
            vec![("phone", phone.as_str()), ("password", PASSWORD)],
        ),
        (
            "/admin/sign-in",
            "staff.sign_in",
            vec![("login", "agent"), ("password", PASSWORD)],
        ),
    ] {
        let reply = who.send(at, form, &fields).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{form}");
        assert_eq!(reply.header("retry-after"), "5", "{form}");
        assert!(!reply.body.contains(PASSWORD));
        // What needs no hash is answered as ever.
        assert_eq!(who.get("/sign-in").await.status, StatusCode::OK);
    }
    // The page of sign-in ties its question to a passkey to the browser; nobody has begun to come in.
    let kept: Vec<_> = who.cookies.keys().collect();
    assert_eq!(kept, ["__Host-kabinet_attempt"]);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM attempts WHERE finished_at IS NULL")
            .await,
        0
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM failures").await, 0);
    drop(busy);
    // Nor does anybody wait where as many wait already as can be served in time: a free turn is not for who comes behind them.
    let crowd = testing::crowd().expect("every place");
    let sent = [("login", "agent"), ("password", PASSWORD)];
    let reply = who.send("/admin/sign-in", "staff.sign_in", &sent).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.header("retry-after"), "5");
    drop(crowd);
    let fields = [("phone", phone.as_str()), ("password", PASSWORD)];
    assert_eq!(
        who.send("/sign-in?by=password", "sign_in.password", &fields)
            .await
            .location(),
        "/"
    );

    // Whoever hangs up does not free their turn before the hash is done: never more at once than there are turns.
    let turns = testing::free_turns();
    let before = testing::hashed();
    let mut waiting = Vec::new();
    for _ in 0..turns * 3 {
        let (mut who, phone) = (app.anybody(), phone.clone());
        waiting.push(tokio::spawn(async move {
            who.send(
                "/sign-in?by=password",
                "sign_in.password",
                &[("phone", &phone), ("password", PASSWORD)],
            )
            .await
        }));
    }
    let all_taken = async {
        while testing::free_turns() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), all_taken)
        .await
        .expect("each hash takes a turn for as long as it lasts");
    let taken = testing::hashed() - before;
    for task in waiting {
        task.abort();
    }
    tokio::task::yield_now().await;
    // Those that were being hashed are at it still, and count.
    assert!(taken <= turns as u64 + 1, "{taken} at once with {turns} turns");
}

/// Marked secrets are sent through every door, right and wrong; then everything that is kept is read.
#[tokio::test]
async fn s23_no_secret_is_in_the_log_the_audit_or_the_database() {
    if !is_alone("s23_no_secret_is_in_the_log_the_audit_or_the_database") {
        return;
    }
    let log = Log::default();
    let kept = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || kept.clone())
        .init();
    let marks = [
        "МЕТКА-один: синие чайники",
        "МЕТКА-два: синие чайники",
        "МЕТКА-три: синие чайники",
    ];
    let town = Town::new().await;
    let app = &town.app;
    app.world.clock.set(start() + Duration::minutes(5));
    let mut secrets: Vec<String> = marks.iter().map(|mark| (*mark).to_owned()).collect();

    // Registration with a password; codes right and wrong.
    let phone = app.free_phone();
    let mut who = app.anybody();
    who.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
    secrets.push(who.cookies["__Host-kabinet_attempt"].clone());
    let code = app.code(&phone).await;
    who.send("/sign-in/code", "sign_in.verify", &[("code", "МЕТКА-код")])
        .await;
    secrets.push("МЕТКА-код".into());
    who.send("/sign-in/code", "sign_in.verify", &[("code", &code)]).await;
    let mut sent = details("Вера");
    sent.retain(|(field, _)| *field != "password");
    sent.push(("password", marks[0]));
    let reply = who.send("/sign-in/details", "sign_in.details", &sent).await;
    reply.assert_leads_to("/sign-in/review");
    who.send("/sign-in/review", "sign_in.register", &[]).await;
    secrets.push(who.cookies["__Host-kabinet"].clone());
    secrets.push(who.cookies["__Host-kabinet_device"].clone());
    // By password, right and wrong; staff too, and a password typed where the login belongs.
    let right = [("phone", phone.as_str()), ("password", marks[0])];
    assert_eq!(
        app.anybody()
            .send("/sign-in?by=password", "sign_in.password", &right)
            .await
            .location(),
        "/"
    );
    let wrong = [("phone", phone.as_str()), ("password", marks[1])];
    app.anybody()
        .send("/sign-in?by=password", "sign_in.password", &wrong)
        .await;
    app.anybody()
        .send(
            "/admin/sign-in",
            "staff.sign_in",
            &[("login", "agent"), ("password", marks[2])],
        )
        .await;
    app.anybody()
        .send(
            "/admin/sign-in",
            "staff.sign_in",
            &[("login", marks[2]), ("password", "x")],
        )
        .await;
    // A login is folded.
    secrets.push(marks[2].to_lowercase());
    secrets.push(town.agent.cookies["__Host-kabinet_staff"].clone());
    // Into addresses and into what fails.
    let encoded = crate::common::encode(&[("password", marks[1])]);
    app.anybody().get(&format!("/sign-in?{encoded}")).await;
    app.anybody().send("/nowhere", "sign_in.password", &right).await;
    // Addresses that are secrets themselves, and some that are nearly ones of ours.
    let others: Vec<String> = server::router::others(&app.app)
        .into_iter()
        .map(|other| other.path)
        .collect();
    let routes = app::ROUTES.iter().map(|route| route.path);
    let links: Vec<&str> = routes
        .chain(others.iter().map(String::as_str))
        .filter_map(|path| path.strip_suffix("{secret}"))
        .collect();
    assert!(
        links.contains(&"/number-change/") && links.contains(&"/unsubscribe/"),
        "{links:?}"
    );
    for link in links {
        for (before, after) in [("", ""), ("", "/"), ("/", "")] {
            let token = crm::who::Token::random();
            let path = format!("{before}{link}{}{after}", token.secret());
            app.anybody().get(&path).await;
            // Refused, which is a line as well.
            app.anybody()
                .request(
                    axum::http::Method::POST,
                    &path,
                    &[("origin", "https://evil.example")],
                    Vec::new(),
                )
                .await;
            secrets.push(token.secret().to_owned());
        }
    }
    let foreign = [("origin", "https://evil.example")];
    let body = crate::common::body("sign_in.password", "0123456789abcdef", &right).into_bytes();
    app.anybody()
        .request(axum::http::Method::POST, "/sign-in", &foreign, body)
        .await;
    who.get("/card").await;
    secrets.push(PASSWORD.into());

    let told = String::from_utf8_lossy(&log.0.lock().expect("the log")).into_owned();
    assert!(
        told.contains("a change from another site was refused") && told.matches("done").count() > 20,
        "the log was written"
    );
    let rows = app.everything(&[]).await;
    for secret in &secrets {
        let hex: String = secret.bytes().map(|b| format!("{b:02X}")).collect();
        let in_address = form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
        for form in [secret, &hex, &in_address] {
            assert!(!told.contains(form.as_str()), "the log holds {secret}");
            assert!(
                !rows.iter().any(|row| row.contains(form.as_str())),
                "the database holds {secret}"
            );
        }
    }
    // A code is in its message, which goes to the phone, and nowhere else.
    let in_hex = code.bytes().map(|b| format!("{b:02X}")).collect::<String>();
    let in_hex = format!("'{in_hex}'");
    let holds_code =
        |text: &str| text.contains(&in_hex) || text.split(|c: char| !c.is_ascii_digit()).any(|part| part == code);
    let holders: Vec<_> = rows
        .iter()
        .filter(|row| !row.starts_with("outbox") && holds_code(row))
        .collect();
    assert!(holders.is_empty(), "{holders:?}");
    assert!(
        !told
            .lines()
            .any(|line| line.contains(&code) && !line.contains(&format!(".{code}"))),
        "the log holds {code}"
    );
}
