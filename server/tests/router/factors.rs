//! Second factors and passkeys, through the forms that people use.

use crate::common::{Browser, Customer, HOME, PASSWORD, Reply, TestApp};
use axum::http::StatusCode;
use chrono::Duration;
use crm::factor::totp::Secret;
use crm::testing::authenticator::Authenticator;
use crm::testing::start;

const SECOND: &str = "/profile/second-factor";
const PASSKEYS: &str = "/profile/passkeys";

/// What an attribute of the page says, as a browser reads it.
fn attribute(page: &Reply, name: &str) -> String {
    let found = crate::common::html::tags(&page.body)
        .into_iter()
        .find_map(|tag| tag.get(name).map(str::to_owned));
    found.unwrap_or_else(|| panic!("{} has {name}: {}", page.path, page.text()))
}

/// The secret that a page shows to be typed off.
fn secret(page: &Reply) -> Secret {
    let at = page
        .body
        .find("class=\"secret\"")
        .unwrap_or_else(|| panic!("a secret: {}", page.text()));
    let shown = crate::common::html::text(&page.body[at - 3..]);
    let letters = shown.chars().filter(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    Secret::parse(&letters.take(32).collect::<String>()).expect("base 32")
}

/// The recovery codes that a page shows.
fn codes(page: &Reply) -> Vec<String> {
    let (_, rest) = page
        .body
        .split_once("class=\"codes\"")
        .unwrap_or_else(|| panic!("codes: {}", page.text()));
    let list = rest.split_once("</ol>").expect("the end").0;
    list.split("<code>")
        .skip(1)
        .map(|code| {
            code.split("</code>")
                .next()
                .unwrap_or_default()
                .chars()
                .filter(char::is_ascii_digit)
                .collect()
        })
        .collect()
}

/// Turns the codes of an app on; the secret and the recovery codes.
async fn turn_on(who: &mut Browser) -> (Secret, Vec<String>) {
    assert_eq!(
        who.send(SECOND, "factor.offer", &[]).await.location(),
        format!("{SECOND}#app")
    );
    let secret = secret(&who.get(SECOND).await);
    let code = secret.code(who.app.world.db.now());
    let on = who.send(SECOND, "factor.confirm", &[("code", &code)]).await;
    on.assert_leads_to(&format!("{SECOND}?done=on"));
    let codes = codes(&who.get(SECOND).await);
    assert_eq!(codes.len(), 10);
    assert_eq!(
        who.send(SECOND, "recovery.keep", &[]).await.location(),
        format!("{SECOND}?done=kept")
    );
    (secret, codes)
}

/// Answers the question of a page with a device and sends the form.
async fn answer(who: &mut Browser, page: &Reply, form: &str, device: &mut Authenticator) -> Reply {
    let options = attribute(page, "data-options");
    let credential = if attribute(page, "data-passkey") == "create" {
        device.create(&options)
    } else {
        device.get(&options)
    };
    let form = page.form(form).with("credential", &credential);
    who.submit(&page.path, &form).await
}

/// Adds a passkey on a new device.
async fn add_passkey(who: &mut Browser) -> Authenticator {
    let mut device = Authenticator::new(HOME);
    let page = who.get(PASSKEYS).await;
    let added = answer(who, &page, "passkey.add", &mut device).await;
    added.assert_leads_to(&format!("{PASSKEYS}?done=added"));
    device
}

/// Another browser of the same person, with the code from the phone typed in a while later.
async fn first_step(anna: &Customer, minutes: i64) -> (Browser, Reply) {
    let app = &anna.browser.app;
    app.world.clock.set(start() + Duration::minutes(minutes));
    let mut who = app.anybody();
    let reply = who.prove(&anna.phone).await;
    (who, reply)
}

async fn is_in(who: &mut Browser) -> bool {
    who.get("/sign-in").await.location() == "/"
}

#[tokio::test]
async fn s12_a_code_from_the_phone_never_bypasses_the_second_factor() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let (secret, _) = turn_on(&mut anna).await;
    let (mut who, reply) = first_step(&anna, 5).await;
    assert_eq!(reply.location(), "/sign-in/second");
    assert!(!is_in(&mut who).await, "the phone alone opens nothing");
    for page in ["/", "/card", "/profile/security"] {
        assert!(who.get(page).await.location().starts_with("/sign-in"), "{page}");
    }
    // Nor does the way of somebody new lead around it.
    for (page, form) in [
        ("/sign-in/details", "sign_in.details"),
        ("/sign-in/review", "sign_in.register"),
    ] {
        let reply = who.send(page, form, &crate::common::details("Анна")).await;
        assert_eq!(reply.status, StatusCode::CONFLICT, "{form}");
    }
    let wrong = who
        .send("/sign-in/second", "sign_in.second", &[("code", "000000")])
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.message("sign_in.second", "code").contains("Код не подошёл"));
    let code = secret.code(app.world.db.now());
    let reply = who
        .send("/sign-in/second?next=/points", "sign_in.second", &[("code", &code)])
        .await;
    assert_eq!(reply.location(), "/points");
    assert!(is_in(&mut who).await);
    // The same code in another attempt is used up.
    app.world
        .clock
        .set(start() + Duration::minutes(5) + Duration::seconds(31));
    let mut thief = app.anybody();
    assert_eq!(thief.prove(&anna.phone).await.location(), "/sign-in/second");
    let again = thief
        .send("/sign-in/second", "sign_in.second", &[("code", &code)])
        .await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "a code is taken once");
}

#[tokio::test]
async fn s12_a_recovery_code_helps_once() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let (_, codes) = turn_on(&mut anna).await;
    for (minutes, expected) in [(5, StatusCode::SEE_OTHER), (10, StatusCode::UNPROCESSABLE_ENTITY)] {
        let (mut who, _) = first_step(&anna, minutes).await;
        let reply = who
            .send("/sign-in/second", "sign_in.second", &[("code", &codes[3])])
            .await;
        assert_eq!(reply.status, expected, "after {minutes} minutes");
    }
}

#[tokio::test]
async fn s11_wrong_codes_lock_nobody_else_out() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let (secret, _) = turn_on(&mut anna).await;
    let (mut thief, _) = first_step(&anna, 5).await;
    let mut last = StatusCode::OK;
    for _ in 0..9 {
        last = thief
            .send("/sign-in/second", "sign_in.second", &[("code", "000000")])
            .await
            .status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let (mut who, _) = first_step(&anna, 6).await;
    let code = secret.code(app.world.db.now());
    let reply = who.send("/sign-in/second", "sign_in.second", &[("code", &code)]).await;
    assert_eq!(reply.location(), "/", "from another network the owner comes in");
}

#[tokio::test]
async fn s15_old_proof_changes_no_second_factor() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    add_passkey(&mut anna).await;
    let (secret, _) = turn_on(&mut anna).await;
    app.world.clock.set(start() + Duration::minutes(20));
    let nil = uuid::Uuid::nil().to_string();
    // Asking for a page shows the session alive; that is no change of anything.
    anna.get(SECOND).await;
    let before = app.everything(&[]).await;
    let about = [
        ("factor", nil.as_str()),
        ("name", "x"),
        ("code", "1"),
        ("question", "x"),
        ("credential", "{}"),
    ];
    for (page, forms) in [
        (
            SECOND,
            &[
                "factor.offer",
                "factor.confirm",
                "factor.remove",
                "recovery.make",
                "recovery.keep",
            ][..],
        ),
        (PASSKEYS, &["passkey.add", "passkey.rename", "factor.remove"]),
    ] {
        for form in forms {
            let reply = anna.send(page, form, &about).await;
            assert_eq!(reply.location(), format!("/confirm?next={page}"), "{form}");
        }
        let shown = anna.get(page).await;
        assert_eq!(shown.status, StatusCode::OK);
        assert!(
            !shown.body.contains("class=\"secret\"") && !shown.body.contains("data-options"),
            "{page}"
        );
    }
    assert_eq!(app.everything(&[]).await, before, "nothing changed");
    // The password or a code from the phone would not be proof enough: the page offers neither.
    let confirm = anna.get("/confirm").await;
    assert!(!confirm.body.contains("confirm.send") && !confirm.body.contains("confirm.password"));
    let code = secret.code(app.world.db.now());
    let at = format!("/confirm?next={SECOND}");
    assert_eq!(
        anna.send(&at, "confirm.second", &[("code", &code)]).await.location(),
        SECOND
    );
    app.assert_row("confirm").await;
    let reply = anna.send(SECOND, "recovery.make", &[]).await;
    app.assert_row("recovery.make").await;
    assert_eq!(reply.location(), format!("{SECOND}#codes"));
}

/// Beside a second factor eight characters are enough, and then it stays until the password is longer or gone (6.2.1).
#[tokio::test]
async fn s06_eight_characters_are_enough_beside_a_second_factor_which_then_stays() {
    const AT: &str = "/profile/security";
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let short = [("password", "рысь-ёж7")];
    let refused = anna.send(AT, "password.set", &short).await;
    assert_eq!(refused.message("password.set", "password"), "Нужно хотя бы 15 знаков");
    assert!(refused.text().contains("Не короче 15 знаков"));
    turn_on(&mut anna).await;
    let page = anna.get(AT).await;
    page.assert_says("Не короче 8 знаков");
    let refused = anna.send(AT, "password.set", &[("password", "рысь-ёж")]).await;
    assert_eq!(refused.message("password.set", "password"), "Нужно хотя бы 8 знаков");
    let set = anna.send(AT, "password.set", &short).await;
    set.assert_leads_to("/profile/security?done=password");
    // The page says what comes first, and the server holds to it.
    let page = anna.get(SECOND).await;
    page.assert_says("сначала задайте пароль длиннее");
    assert!(!page.body.contains("value=\"factor.remove\""));
    let totp = app
        .text("SELECT lower(hex(id)) FROM factors WHERE kind = 'totp'")
        .await
        .parse::<uuid::Uuid>()
        .expect("an id")
        .to_string();
    let refused = anna.send(SECOND, "factor.remove", &[("factor", &totp)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(app.count("SELECT COUNT(*) FROM factors WHERE kind = 'totp'").await, 1);
    let removed = anna.send(AT, "password.remove", &[]).await;
    assert_eq!(removed.location(), "/profile/security?done=no_password");
    let off = anna.get(SECOND).await.form("factor.remove");
    let off = anna.submit(SECOND, &off).await;
    off.assert_leads_to(&format!("{SECOND}?done=removed"));
}

/// Recovery codes are shown in one browser until they are saved, and are nowhere else, then as argon2id hashes (6.5.2).
#[tokio::test]
async fn s08_recovery_codes_are_kept_nowhere_as_they_are() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    anna.send(SECOND, "factor.offer", &[]).await;
    let app_secret = secret(&anna.get(SECOND).await);
    let code = app_secret.code(app.world.db.now());
    anna.send(SECOND, "factor.confirm", &[("code", &code)]).await;
    let shown = codes(&anna.get(SECOND).await);
    assert_eq!(shown, codes(&anna.get(SECOND).await), "a page may be looked at twice");
    let is_stored = async || {
        let rows = app.everything(&[]).await;
        let is_in = |code: &String| {
            let hex: String = code.bytes().map(|b| format!("{b:02X}")).collect();
            rows.iter().any(|row| row.contains(code.as_str()) || row.contains(&hex))
        };
        shown.iter().any(is_in)
    };
    assert!(!is_stored().await, "not while they wait");
    // On another device of hers they are not shown, and saying that they are saved saves nothing.
    let (mut elsewhere, _) = first_step(&anna, 5).await;
    let code = app_secret.code(app.world.db.now());
    let reply = elsewhere
        .send("/sign-in/second", "sign_in.second", &[("code", &code)])
        .await;
    assert_eq!(reply.location(), "/");
    let page = elsewhere.get(SECOND).await;
    assert!(
        !page.body.contains("class=\"codes\"") && page.body.contains("recovery.make"),
        "{}",
        page.text()
    );
    let kept = elsewhere.send(SECOND, "recovery.keep", &[]).await;
    assert_eq!(kept.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        anna.send(SECOND, "recovery.keep", &[]).await.location(),
        format!("{SECOND}?done=kept")
    );
    app.assert_row("recovery.keep").await;
    assert!(!is_stored().await, "nor when they are saved");
    let hashes = "SELECT COUNT(*) FROM factors WHERE kind = 'recovery' AND data LIKE '$argon2id$%'";
    assert_eq!(app.count(hashes).await, 10);
    let (mut who, _) = first_step(&anna, 10).await;
    let reply = who
        .send("/sign-in/second", "sign_in.second", &[("code", &shown[9])])
        .await;
    reply.assert_leads_to("/");
}

/// Who has lost the app and the recovery codes asks with a code from the phone, is seen by staff, and waits; and whoever
/// did not ask calls it off (6.4.4).
#[tokio::test]
async fn s12_a_lost_second_factor_is_asked_for_granted_and_called_off() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    turn_on(&mut anna).await;
    let mut agent = app.staff_as("agent", "agent").await;
    let card = format!("/admin/customers/{}", anna.id().await);
    assert!(!agent.get(&card).await.body.contains("removal.grant"), "nobody asked");
    let (mut who, reply) = first_step(&anna, 1).await;
    assert_eq!(reply.location(), "/sign-in/second");
    let asked = who.send("/sign-in/second", "sign_in.lost", &[]).await;
    asked.assert_leads_to("/sign-in/second?done=asked");
    let page = who.get(asked.location()).await;
    page.assert_says("Просьба принята");
    assert!(!is_in(&mut who).await, "asking opens nothing");
    // She sees it wherever she is signed in, and keeps her second step with one button.
    let page = anna.get(SECOND).await;
    page.assert_says("Поддержка ещё ничего не решила");
    let kept = anna.submit(SECOND, &page.form("removal.cancel")).await;
    kept.assert_leads_to(&format!("{SECOND}?done=cancelled"));
    app.assert_row("removal.cancel").await;
    let refused = agent.send(&card, "removal.grant", &[("reason", "Паспорт")]).await;
    assert_eq!(
        refused.status,
        StatusCode::CONFLICT.max(StatusCode::UNPROCESSABLE_ENTITY),
        "{}",
        refused.text()
    );
    // Asked for again, and granted by staff with a reason.
    who.send("/sign-in/second", "sign_in.lost", &[]).await;
    let page = agent.get(&card).await;
    page.assert_says("Просит отключить второй шаг");
    let form = page.form("removal.grant");
    let silent = agent.submit(&card, &form).await;
    assert_eq!(silent.message("removal.grant", "reason"), "Напишите, как убедились");
    let granted = agent.submit(&card, &form.with("reason", "Паспорт и карта")).await;
    granted.assert_leads_to(&format!("{card}?done=granted"));
    assert!(!agent.get(&card).await.body.contains("value=\"removal.grant\""));
    // By the link in any message it is called off without signing in, and by looking at it alone it is not.
    let message = crm::outbox::inbox(&app.world.db, 1).await.expect("read").remove(0);
    assert_eq!(
        (message.template.as_str(), &message.address),
        ("removal_granted", &anna.phone)
    );
    let (_, rest) = message.body.split_once(HOME).expect("a link");
    let link = rest.split_whitespace().next().expect("its end").to_owned();
    let mut anybody = app.anybody();
    let page = anybody.get(&link).await;
    page.assert_says("Оставить второй шаг?");
    let pending = "SELECT COUNT(*) FROM factor_removals WHERE ended_at IS NULL";
    assert_eq!(app.count(pending).await, 1);
    let kept = anybody.submit(&link, &page.form("removal.cancel_by_link")).await;
    kept.assert_leads_to(&format!("{link}?done=kept"));
    assert!(
        anybody
            .get(kept.location())
            .await
            .text()
            .contains("второй шаг остаётся")
    );
    assert_eq!(app.count(pending).await, 0);
    let late = anybody.send(&link, "removal.cancel_by_link", &[]).await;
    assert!(
        late.status.is_client_error() && late.text().contains("Отменять нечего"),
        "{}",
        late.text()
    );
    // With the password alone it cannot be asked for.
    let set = anna
        .send("/profile/security", "password.set", &[("password", PASSWORD)])
        .await;
    set.assert_leads_to("/profile/security?done=password");
    let mut who = app.anybody();
    let sent = [("phone", anna.phone.as_str()), ("password", PASSWORD)];
    who.send("/sign-in?by=password", "sign_in.password", &sent).await;
    let page = who.get("/sign-in/second").await;
    assert!(
        page.text().contains("Войдите по коду") && !page.body.contains("sign_in.lost"),
        "{}",
        page.text()
    );
    assert!(
        who.send("/sign-in/second", "sign_in.lost", &[])
            .await
            .status
            .is_client_error()
    );
    assert_eq!(app.count(pending).await, 0);
    // Staff whose proof is old prove it anew first.
    let (mut who, _) = first_step(&anna, 20).await;
    who.send("/sign-in/second", "sign_in.lost", &[]).await;
    let late = agent.send(&card, "removal.grant", &[("reason", "Паспорт")]).await;
    assert_eq!(late.location(), format!("/admin/confirm?next={card}"));
}

/// After a change of what opens the cabinet its page offers to end the sessions elsewhere (7.4.3).
#[tokio::test]
async fn s14_after_a_change_of_factors_the_other_sessions_can_be_ended() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let (mut elsewhere, _) = first_step(&anna, 1).await;
    assert!(is_in(&mut elsewhere).await);
    turn_on(&mut anna).await;
    for at in ["?done=on", "?done=kept", "?done=removed"] {
        anna.get(&format!("{SECOND}{at}")).await.form("device.end_others");
    }
    for at in [SECOND.to_owned(), format!("{PASSKEYS}?done=renamed")] {
        assert!(!anna.get(&at).await.body.contains("device.end_others"), "{at}");
    }
    add_passkey(&mut anna).await;
    let page = anna.get(&format!("{PASSKEYS}?done=added")).await;
    let ended = anna.submit(PASSKEYS, &page.form("device.end_others")).await;
    ended.assert_leads_to("/devices?done=others");
    assert!(!is_in(&mut elsewhere).await && is_in(&mut anna).await);
    let page = anna.get(&format!("{PASSKEYS}?done=added")).await;
    assert!(!page.body.contains("device.end_others"), "nothing is left to end");
    // Staff likewise.
    let secret = app.employ("agent").await;
    let mut agent = app.enter("agent", &secret).await;
    app.world.clock.set(start() + Duration::minutes(3));
    app.enter("agent", &secret).await;
    let page = agent.get("/admin/security?done=kept").await;
    page.assert_says("А на других устройствах?");
    assert!(
        !agent
            .get("/admin/security")
            .await
            .text()
            .contains("А на других устройствах?")
    );
    let ended = agent.submit("/admin/security", &page.form("staff.end_others")).await;
    assert_eq!(ended.location(), "/admin/security?done=others");
}

#[tokio::test]
async fn s12_a_passkey_is_both_factors_and_counts_once_in_its_browser() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    turn_on(&mut anna).await;
    let mut device = add_passkey(&mut anna).await;
    let mut who = app.anybody();
    let page = who.get("/sign-in").await;
    let cookies = who.cookies.clone();
    let mut thief = app.anybody();
    thief.get("/sign-in").await;
    // What a device answered in one browser is nothing in another, and stays good where it belongs.
    let credential = device.get(&attribute(&page, "data-options"));
    let form = page.form("sign_in.passkey").with("credential", &credential);
    let stolen = thief.submit("/sign-in", &form).await;
    assert_eq!(stolen.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!is_in(&mut thief).await);
    let reply = who.submit("/sign-in", &form).await;
    reply.assert_leads_to("/");
    assert!(is_in(&mut who).await);
    // Caught on the way and sent once more, under a key of its own.
    let mut again = app.anybody();
    again.cookies = cookies;
    let replayed = form.clone().with("_key", crm::who::Token::random().secret());
    let twice = again.submit("/sign-in", &replayed).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!is_in(&mut again).await);
    // The password's second step takes it too.
    let (mut who, _) = first_step(&anna, 5).await;
    let page = who.get("/sign-in/second").await;
    let reply = answer(&mut who, &page, "sign_in.second_passkey", &mut device).await;
    reply.assert_leads_to("/");
}

#[tokio::test]
async fn a_passkey_is_confirmed_with_renamed_and_removed() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut device = add_passkey(&mut anna).await;
    app.world.clock.set(start() + Duration::minutes(20));
    let at = format!("/confirm?next={PASSKEYS}");
    let page = anna.get(&at).await;
    assert!(
        page.body.contains("confirm.send"),
        "without a second factor a code is enough as well"
    );
    let reply = answer(&mut anna, &page, "confirm.passkey", &mut device).await;
    reply.assert_leads_to(PASSKEYS);
    let page = anna.get(PASSKEYS).await;
    let renamed = page.form("passkey.rename").with("name", "Ноутбук <b>");
    assert_eq!(
        anna.submit(PASSKEYS, &renamed).await.location(),
        format!("{PASSKEYS}?done=renamed")
    );
    let page = anna.get(PASSKEYS).await;
    page.assert_says("Ноутбук <b>");
    let removed = page.form("factor.remove");
    assert_eq!(
        anna.submit(PASSKEYS, &removed).await.location(),
        format!("{PASSKEYS}?done=removed")
    );
    assert!(anna.get(PASSKEYS).await.text().contains("Пока ни одного"));
    assert!(is_in(&mut anna).await, "no session ended");
    for action in [
        "factor.passkey_add",
        "confirm",
        "factor.passkey_rename",
        "factor.passkey_remove",
    ] {
        app.assert_row(action).await;
    }
}

#[tokio::test]
async fn s09_a_password_alone_opens_nothing_to_staff() {
    let app = TestApp::new().await;
    app.employ_bare("agent").await;
    let mut agent = app.anybody();
    let sent = [("login", "agent"), ("password", PASSWORD)];
    // Somebody else who knows the password was faster, and came as far as the question for a new passkey.
    let mut hasty = app.anybody();
    hasty.send("/admin/sign-in", "staff.sign_in", &sent).await;
    let asked = hasty.get("/admin/sign-in/setup").await;
    let reply = agent
        .send("/admin/sign-in?next=/admin/customers", "staff.sign_in", &sent)
        .await;
    let setup = "/admin/sign-in/setup?next=/admin/customers";
    assert_eq!(reply.location(), setup);
    let is_outside = async |who: &mut Browser| {
        who.get("/admin/requests")
            .await
            .location()
            .starts_with("/admin/sign-in")
    };
    assert!(is_outside(&mut agent).await);
    let early = agent.send(setup, "staff.setup_done", &[]).await;
    assert_eq!(early.status, StatusCode::UNPROCESSABLE_ENTITY, "not yet");
    assert!(is_outside(&mut agent).await);
    let page = agent.get(setup).await;
    let secret = secret(&page);
    let wrong = agent.send(setup, "staff.setup_totp", &[("code", "12")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let code = secret.code(app.world.db.now());
    assert_eq!(
        agent
            .send(setup, "staff.setup_totp", &[("code", &code)])
            .await
            .location(),
        setup
    );
    assert!(is_outside(&mut agent).await, "the recovery codes come first");
    // Another browser with the same password is asked for the code, and cannot slip in over the open setup.
    let mut thief = app.anybody();
    let reply = thief.send("/admin/sign-in", "staff.sign_in", &sent).await;
    assert_eq!(reply.location(), "/admin/sign-in/second");
    for (form, fields) in [
        ("staff.setup_done", &[][..]),
        ("staff.setup_totp", &[("code", code.as_str())]),
    ] {
        let reply = thief.send("/admin/sign-in/setup", form, fields).await;
        assert_eq!(reply.status, StatusCode::CONFLICT, "{form}");
    }
    assert!(is_outside(&mut thief).await);
    let late = answer(&mut hasty, &asked, "staff.setup_passkey", &mut Authenticator::new(HOME)).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "there is a second factor by now");
    assert!(is_outside(&mut hasty).await);
    assert_eq!(codes(&agent.get(setup).await).len(), 10);
    assert_eq!(
        agent.send(setup, "staff.setup_done", &[]).await.location(),
        "/admin/customers"
    );
    assert!(!is_outside(&mut agent).await);
}

#[tokio::test]
async fn s09_staff_with_a_passkey_come_in_by_it_and_keep_the_last_one() {
    let app = TestApp::new().await;
    app.employ_bare("agent").await;
    let mut device = Authenticator::new(HOME);
    let sent = [("login", "agent"), ("password", PASSWORD)];
    let setup = "/admin/sign-in/setup";
    let mut agent = app.anybody();
    assert_eq!(
        agent.send("/admin/sign-in", "staff.sign_in", &sent).await.location(),
        setup
    );
    let page = agent.get(setup).await;
    assert_eq!(
        answer(&mut agent, &page, "staff.setup_passkey", &mut device)
            .await
            .location(),
        setup
    );
    assert_eq!(agent.send(setup, "staff.setup_done", &[]).await.location(), "/admin");
    let mut agent = app.anybody();
    let second = agent.send("/admin/sign-in", "staff.sign_in", &sent).await;
    assert_eq!(second.location(), "/admin/sign-in/second");
    let page = agent.get("/admin/sign-in/second").await;
    let reply = answer(&mut agent, &page, "staff.second_passkey", &mut device).await;
    reply.assert_leads_to("/admin");
    let page = agent.get("/admin/security").await;
    assert!(
        !page.body.contains("factor.remove"),
        "the last one is not offered to be removed"
    );
    let id = page.form("passkey.rename").get("factor").expect("its id").to_owned();
    let reply = agent.send("/admin/security", "factor.remove", &[("factor", &id)]).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", reply.text());
    assert_eq!(
        app.count("SELECT COUNT(*) FROM factors WHERE kind = 'passkey'").await,
        1
    );
    // Later on the second factor once more.
    app.world.clock.set(start() + Duration::minutes(20));
    let reply = agent.send("/admin/security", "factor.offer", &[]).await;
    assert_eq!(reply.location(), "/admin/confirm?next=/admin/security");
    let page = agent.get("/admin/confirm?next=/admin/security").await;
    let reply = answer(&mut agent, &page, "confirm.passkey", &mut device).await;
    reply.assert_leads_to("/admin/security");
    app.assert_row("confirm").await;
    let reply = agent.send("/admin/security", "factor.offer", &[]).await;
    assert_eq!(reply.location(), "/admin/security#app");
    // Beside the codes of an app the passkey can go.
    let shown = secret(&agent.get("/admin/security").await);
    let code = shown.code(app.world.db.now());
    agent
        .send("/admin/security", "factor.confirm", &[("code", &code)])
        .await;
    let removed = agent.send("/admin/security", "factor.remove", &[("factor", &id)]).await;
    removed.assert_leads_to("/admin/security?done=removed");
    assert_eq!(
        app.count("SELECT COUNT(*) FROM factors WHERE kind = 'passkey'").await,
        0
    );
    app.assert_row("factor.passkey_remove").await;
}

#[tokio::test]
async fn the_inbox_shows_codes_of_the_demonstrations_staff_that_open() {
    let app = TestApp::demonstration().await;
    let secret = app.employ("agent").await;
    let code = secret.code(app.world.db.now());
    assert!(app.anybody().at_home().get("/inbox").await.text().contains(&code));
    let app = TestApp::new().await;
    app.employ("agent").await;
    let nowhere = app.anybody().at_home().get("/inbox").await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}
