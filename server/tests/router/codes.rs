//! One-time codes: how many there can be, how long they live, whom they open to, and what is kept of them.

use crate::common::{Browser, TestApp};
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

async fn ask(app: &TestApp, phone: &str) -> (Browser, String) {
    let mut who = app.anybody();
    let asked = who.send("/sign-in", "sign_in.start", &[("phone", phone)]).await;
    asked.assert_leads_to("/sign-in/code");
    let code = app.code(phone).await;
    (who, code)
}

async fn types(who: &mut Browser, code: &str) -> (StatusCode, String) {
    let reply = who.send("/sign-in/code", "sign_in.verify", &[("code", code)]).await;
    (reply.status, reply.location().to_owned())
}

/// Six digits are 20 bits (ASVS 5.0, 6.5.4). That each of them comes in each place, zeros in front too, shows in a few
/// hundred.
#[tokio::test]
async fn s08_codes_are_six_digits_of_chance() {
    let app = TestApp::new().await;
    let mut codes = BTreeSet::new();
    for _ in 0..250 {
        let (_, code) = ask(&app, &app.free_phone()).await;
        assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
        codes.insert(code);
    }
    assert!(codes.len() >= 247, "{codes:?}");
    for place in 0..6 {
        let digits: BTreeSet<_> = codes.iter().map(|code| code.as_bytes()[place]).collect();
        assert_eq!(digits.len(), 10, "place {place} has {digits:?}");
    }
}

#[tokio::test]
async fn s08_a_code_lives_ten_minutes_and_not_a_second_more() {
    let app = TestApp::new().await;
    for (seconds, opens) in [(599, true), (600, false), (601, false), (86_400, false)] {
        app.world.clock.set(start());
        let (mut who, code) = ask(&app, &app.free_phone()).await;
        app.world.clock.set(start() + Duration::seconds(seconds));
        assert_eq!(
            types(&mut who, &code).await.1 == "/sign-in/details",
            opens,
            "after {seconds} s"
        );
    }
}

/// Two who ask for the same phone: each code opens to its own browser, and neither call undoes the other.
#[tokio::test]
async fn s08_a_code_opens_to_the_attempt_that_asked() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    app.world.clock.set(start() + Duration::minutes(1));
    let (mut mine, my_code) = ask(&app, &anna.phone).await;
    app.world.clock.set(start() + Duration::minutes(2));
    let (mut other, other_code) = ask(&app, &anna.phone).await;
    if my_code != other_code {
        assert_eq!(types(&mut other, &my_code).await.0, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(types(&mut mine, &other_code).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let mut copied = mine.clone();
    assert_eq!(
        types(&mut mine, &my_code).await.1,
        "/",
        "the later call did not undo it"
    );
    assert_eq!(
        types(&mut copied, &my_code).await.0,
        StatusCode::CONFLICT,
        "the attempt is over"
    );
    assert_eq!(types(&mut other, &other_code).await.1, "/");
    // A cookie made up opens nothing, whatever code is typed.
    let mut thief = app.anybody();
    thief.cookies.insert("__Host-kabinet_attempt".into(), "A".repeat(43));
    assert_eq!(types(&mut thief, &other_code).await.0, StatusCode::CONFLICT);
}

#[tokio::test]
async fn s08_codes_are_limited_by_network() {
    let app = TestApp::new().await;
    let mut crowd = app.anybody();
    for n in 0..60 {
        let phone = app.free_phone();
        let reply = crowd.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
        assert_eq!(reply.location(), "/sign-in/code", "{n}");
    }
    let phone = app.free_phone();
    let reply = crowd.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(reply.header("retry-after"), "3600");
    assert_eq!(app.count("SELECT COUNT(*) FROM outbox").await, 60);
    // Others are not kept waiting, and after an hour nobody is.
    ask(&app, &phone).await;
    app.world.clock.set(start() + Duration::minutes(61));
    assert_eq!(
        crowd
            .send("/sign-in", "sign_in.start", &[("phone", &phone)])
            .await
            .location(),
        "/sign-in/code"
    );
}

/// Asking again gives no more guesses than the limits do: 8 codes with 5 tries each.
#[tokio::test]
async fn s08_guesses_run_out() {
    let app = TestApp::new().await;
    let phone = app.free_phone();
    let mut thief = app.anybody();
    thief.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
    let mut tried = 0;
    for minute in 1..59 {
        for _ in 0..6 {
            let code = app.code(&phone).await;
            let wrong = if code == "000000" { "000001" } else { "000000" };
            let reply = thief.send("/sign-in/code", "sign_in.verify", &[("code", wrong)]).await;
            tried += usize::from(reply.message("sign_in.verify", "code").starts_with("Код не подошёл"));
        }
        app.world.clock.set(start() + Duration::minutes(minute));
        thief.send("/sign-in/code", "sign_in.resend", &[]).await;
    }
    // The fifth wrong one says that the code is dead.
    assert_eq!(tried, 8 * 4);
    assert_eq!(app.count("SELECT COALESCE(SUM(tries), 0) FROM codes").await, 8 * 5);
}

/// From many networks at once there are no more than 60 codes a day to one phone.
#[tokio::test]
async fn s08_codes_to_one_phone_are_limited_by_day() {
    let app = TestApp::new().await;
    let phone = app.free_phone();
    let mut sent = 0;
    for hour in 0..6 {
        for stranger in 0..4 {
            for minute in 0..5 {
                app.world
                    .clock
                    .set(start() + Duration::minutes(hour * 61 + stranger * 8 + minute));
                let mut who = app.anybody();
                let reply = who.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
                sent += usize::from(reply.location() == "/sign-in/code");
            }
        }
    }
    assert_eq!(sent, 60);
    app.world.clock.set(start() + Duration::hours(31));
    ask(&app, &phone).await;
}

/// The database holds a code only as a hash under a key, beside the message on its way to the phone.
#[tokio::test]
async fn s08_only_a_keyed_hash_is_kept() {
    let app = TestApp::new().await;
    let phone = app.free_phone();
    let (mut who, code) = ask(&app, &phone).await;
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02X}")).collect::<String>();
    let hash = app.text("SELECT hex(code_hash) FROM codes").await;
    let attempt = app.text("SELECT hex(id) FROM attempts").await;
    let attempt: Vec<u8> = (0..16)
        .map(|i| u8::from_str_radix(&attempt[2 * i..2 * i + 2], 16).expect("hex"))
        .collect();
    let bound = [&attempt, code.as_bytes()].concat();
    // Who has the table without the key cannot try a million codes on it.
    for plain in [code.as_bytes(), &bound] {
        assert_ne!(hash, hex(&Sha256::digest(plain)));
    }
    let key = app.text("SELECT value FROM settings WHERE key = 'code_key'").await;
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length");
    mac.update(&bound);
    assert_eq!(
        hash,
        hex(&mac.finalize().into_bytes()),
        "bound to the attempt, under the key"
    );
    assert!(key.len() >= 43, "256 bits");
    let in_hex = hex(code.as_bytes());
    let assert_nowhere = |rows: BTreeSet<String>| {
        for row in rows {
            assert!(!row.contains(&format!("'{code}'")) && !row.contains(&in_hex), "{row}");
            // Digits of a time are no code.
            assert!(!row.contains(&format!(" {code} ")), "{row}");
        }
    };
    assert_nowhere(app.everything(&["outbox"]).await);
    assert_eq!(types(&mut who, &code).await.1, "/sign-in/details");
    assert_nowhere(app.everything(&["outbox"]).await);
}

/// A stranger who asks for codes and guesses them leaves the owner a way in: wrong codes count for their own attempt only,
/// and no network can use up the codes of a phone.
#[tokio::test]
async fn s11_a_stranger_cannot_use_up_somebodys_codes() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    app.world.clock.set(start() + Duration::minutes(1));
    let (mut owner, code) = ask(&app, &anna.phone).await;
    let mut thief = app.anybody();
    for minute in 2..14 {
        app.world.clock.set(start() + Duration::seconds(60 + minute * 31));
        thief.send("/sign-in", "sign_in.start", &[("phone", &anna.phone)]).await;
        for _ in 0..6 {
            thief
                .send("/sign-in/code", "sign_in.verify", &[("code", "000000")])
                .await;
        }
    }
    let reply = thief.send("/sign-in", "sign_in.start", &[("phone", &anna.phone)]).await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS, "enough for the stranger");
    assert_eq!(
        types(&mut owner, &code).await.1,
        "/",
        "the code that was sent before still opens"
    );
    // And a new one is sent at once, though a stranger has just asked for theirs.
    ask(&app, &anna.phone).await;
    let (mut owner, code) = ask(&app, &anna.phone).await;
    assert_eq!(types(&mut owner, &code).await.1, "/");
}
