//! Ways in that do not begin with a phone, and what has to be proved anew before it is changed.

use crate::common::{BY, Browser, Customer, PASSWORD, TestApp, details};
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;
use std::collections::BTreeSet;

const EMAIL: &str = "anna@example.com";
const OTHER: &str = "двадцать лодок у пристани";

/// The newest code that went to an address, whatever for.
pub(crate) async fn code(app: &TestApp, address: &str) -> String {
    let messages = crm::outbox::inbox(&app.world.db, 100).await.expect("the outbox");
    let newest = messages
        .iter()
        .find(|m| m.address == address && m.template.ends_with("_code"))
        .expect("a code was sent");
    let digits = newest.body.split(|c: char| !c.is_ascii_digit());
    digits
        .into_iter()
        .find(|part| part.len() == 6)
        .expect("six digits")
        .to_owned()
}

/// A customer with an e-mail address that is proved, a while after registration.
async fn with_email(app: &TestApp) -> Customer {
    let mut anna = app.customer("Анна").await;
    let added = anna
        .send("/profile/contacts", "contact.add_email", &[("email", EMAIL)])
        .await;
    added.assert_leads_to("/profile/contacts?done=email");
    let verify = anna.get("/profile/contacts").await.form("contact.verify");
    let asked = anna.submit("/profile/contacts", &verify).await;
    asked.assert_leads_to("/profile/contacts/code");
    let code = code(app, EMAIL).await;
    let proved = anna
        .send("/profile/contacts/code", "contact.prove", &[("code", &code)])
        .await;
    proved.assert_leads_to("/profile/contacts?done=proved_email");
    app.world.clock.set(start() + Duration::hours(1));
    anna
}

async fn by_email(app: &TestApp, who: &mut Browser, email: &str) -> String {
    let asked = who
        .send("/sign-in?by=email", "sign_in.start_by_email", &[("email", email)])
        .await;
    asked.assert_leads_to("/sign-in/code");
    let code = code(app, email).await;
    let reply = who.send("/sign-in/code", "sign_in.verify", &[("code", &code)]).await;
    reply.location().to_owned()
}

#[tokio::test]
async fn a_proved_address_opens_and_an_unproved_one_is_nobodys() {
    let app = TestApp::new().await;
    with_email(&app).await;
    assert_eq!(by_email(&app, &mut app.anybody(), EMAIL).await, "/");
    // Somebody else's address, typed into a profile and never proved, opens nothing.
    let mut boris = app.customer("Борис").await;
    boris
        .send(
            "/profile/contacts",
            "contact.add_email",
            &[("email", "eva@example.com")],
        )
        .await;
    let mut eva = app.anybody();
    assert_eq!(by_email(&app, &mut eva, "eva@example.com").await, "/sign-in/phone");
    // Her own card then, with the address proved from the beginning.
    let phone = app.free_phone();
    let given = eva
        .send("/sign-in/phone", "sign_in.give_phone", &[("phone", &phone)])
        .await;
    given.assert_leads_to("/sign-in/code");
    let code = app.code(&phone).await;
    let reply = eva.send("/sign-in/code", "sign_in.verify", &[("code", &code)]).await;
    assert_eq!(reply.location(), "/sign-in/details");
    assert!(
        eva.get("/sign-in/details").await.body.contains("eva@example.com"),
        "prefilled"
    );
    let mut sent = details("Ева");
    sent.retain(|(name, _)| *name != "email");
    sent.push(("email", "eva@example.com"));
    eva.send("/sign-in/details", "sign_in.details", &sent).await;
    let done = eva.send("/sign-in/review", "sign_in.register", &[]).await;
    done.assert_leads_to("/welcome?done=registered");
    let proved = "SELECT COUNT(*) FROM contacts WHERE value = 'eva@example.com' AND verified_at IS NOT NULL";
    assert_eq!(app.count(proved).await, 1);
    app.world.clock.set(start() + Duration::hours(2));
    assert_eq!(by_email(&app, &mut app.anybody(), "eva@example.com").await, "/");
}

#[tokio::test]
async fn what_was_proved_is_the_main_address_and_what_was_typed_is_not() {
    const MAIN: &str = "SELECT value FROM contacts WHERE kind = 'email' AND is_primary";
    let app = TestApp::new().await;
    // Comes by one address and types another one, perhaps somebody else's, into the form.
    let mut eva = app.anybody();
    assert_eq!(by_email(&app, &mut eva, "eva@example.com").await, "/sign-in/phone");
    let phone = app.free_phone();
    eva.send("/sign-in/phone", "sign_in.give_phone", &[("phone", &phone)])
        .await;
    let code = app.code(&phone).await;
    eva.send("/sign-in/code", "sign_in.verify", &[("code", &code)]).await;
    let mut sent = details("Ева");
    sent.retain(|(name, _)| *name != "email");
    sent.push(("email", "other@example.com"));
    eva.send("/sign-in/details", "sign_in.details", &sent).await;
    let done = eva.send("/sign-in/review", "sign_in.register", &[]).await;
    done.assert_leads_to("/welcome?done=registered");
    assert_eq!(app.text(MAIN).await, "eva@example.com");
    assert_eq!(app.count("SELECT COUNT(*) FROM contacts WHERE kind = 'email'").await, 2);
    // Nor does it become the main one by a form that no page offers.
    let hex = app
        .text("SELECT lower(hex(id)) FROM contacts WHERE value = 'other@example.com'")
        .await;
    let id = hex.parse::<uuid::Uuid>().expect("an id").to_string();
    let page = eva.get("/profile/contacts").await;
    assert!(!page.body.contains("value=\"contact.primary\""), "{}", page.text());
    let refused = eva
        .send("/profile/contacts", "contact.primary", &[("contact", &id)])
        .await;
    // Without a form that could tell it, the page does.
    refused.assert_says("Этого сделать нельзя");
    assert_eq!(app.text(MAIN).await, "eva@example.com");
}

#[tokio::test]
async fn whose_a_contact_is_only_those_learn_who_prove_it() {
    let app = TestApp::new().await;
    with_email(&app).await;
    let mut boris = app.customer("Борис").await;
    let added = boris
        .send("/profile/contacts", "contact.add_email", &[("email", EMAIL)])
        .await;
    added.assert_leads_to("/profile/contacts?done=email");
    let verify = boris.get("/profile/contacts").await.form("contact.verify");
    let asked = boris.submit("/profile/contacts", &verify).await;
    asked.assert_leads_to("/profile/contacts/code");
    let right = code(&app, EMAIL).await;
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for (typed, told) in [
        (wrong, "Код не подошёл. Осталось 4 попытки"),
        (
            right.as_str(),
            "Этот контакт уже подтверждён в другом кабинете. Если он ваш, напишите в поддержку",
        ),
    ] {
        let refused = boris
            .send("/profile/contacts/code", "contact.prove", &[("code", typed)])
            .await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.message("contact.prove", "code"), told);
    }
    let proved = "SELECT COUNT(*) FROM contacts WHERE value = 'anna@example.com' AND verified_at IS NOT NULL";
    assert_eq!(app.count(proved).await, 1);
}

#[tokio::test]
async fn s10_nobody_learns_by_email_whether_there_is_an_account() {
    let app = TestApp::new().await;
    with_email(&app).await;
    let mut seen = Vec::new();
    for email in [EMAIL, "nobody@example.com"] {
        let mut who = app.anybody();
        let sent = "SELECT COUNT(*) FROM outbox";
        let before = app.count(sent).await;
        let asked = who
            .send("/sign-in?by=email", "sign_in.start_by_email", &[("email", email)])
            .await;
        let page = who.get("/sign-in/code").await;
        let wrong = if code(&app, email).await == "000000" {
            "000001"
        } else {
            "000000"
        };
        let refused = who.send("/sign-in/code", "sign_in.verify", &[("code", wrong)]).await;
        let words = |text: String| text.replace(email, "EMAIL");
        seen.push((
            asked.location().to_owned(),
            app.count(sent).await - before,
            words(page.text()),
            refused.status,
            words(refused.text()),
        ));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].1, 1, "one message each");
}

#[tokio::test]
async fn s15_contacts_and_the_password_change_only_with_fresh_proof() {
    let app = TestApp::new().await;
    let mut anna = with_email(&app).await;
    let before = app.everything(&["sessions", "idempotency_keys"]).await;
    let page = anna.get("/profile/contacts").await;
    page.assert_says("подтвердите, что это вы");
    let id = id_of_email(&app).await;
    for (at, form, fields) in [
        (
            "/profile/contacts",
            "contact.add_phone",
            vec![("phone", "+79005550009")],
        ),
        (
            "/profile/contacts",
            "contact.add_email",
            vec![("email", "x@example.com")],
        ),
        ("/profile/contacts", "contact.remove", vec![("contact", id.as_str())]),
        ("/profile/contacts", "contact.primary", vec![("contact", id.as_str())]),
        ("/profile/contacts", "contact.verify", vec![("contact", id.as_str())]),
        ("/profile/security", "password.set", vec![("password", OTHER)]),
        ("/profile/security", "password.remove", vec![]),
    ] {
        let reply = anna.send(at, form, &fields).await;
        assert_eq!(reply.location(), format!("/confirm?next={at}"), "{form}");
    }
    assert_eq!(
        app.everything(&["sessions", "idempotency_keys"]).await,
        before,
        "nothing changed"
    );
    // A code to one of the proved contacts is proof, in this session alone, and it gets another token (7.2.4).
    let old = anna.cookies["__Host-kabinet"].clone();
    let ask = anna.get("/confirm?next=/profile/contacts").await.form("confirm.send");
    let asked = anna.submit("/confirm?next=/profile/contacts", &ask).await;
    asked.assert_leads_to("/confirm/code?next=/profile/contacts");
    let sent_to = if ask.get("contact") == Some(id.as_str()) {
        EMAIL
    } else {
        &anna.phone.clone()
    };
    let code = code(&app, sent_to).await;
    let reply = anna
        .send(
            "/confirm/code?next=/profile/contacts",
            "confirm.code",
            &[("code", &code)],
        )
        .await;
    reply.assert_leads_to("/profile/contacts");
    assert_ne!(anna.cookies["__Host-kabinet"], old);
    let mut thief = app.anybody();
    thief.cookies.insert("__Host-kabinet".into(), old);
    assert_eq!(
        thief.get("/card").await.location(),
        "/sign-in?next=/card",
        "s13: the old token is dead"
    );
    let added = anna
        .send("/profile/contacts", "contact.add_email", &[("email", "x@example.com")])
        .await;
    assert_eq!(added.location(), "/profile/contacts?done=email");
    app.world
        .clock
        .set(start() + Duration::hours(1) + Duration::minutes(16));
    let late = anna
        .send("/profile/contacts", "contact.add_email", &[("email", "y@example.com")])
        .await;
    assert_eq!(
        late.location(),
        "/confirm?next=/profile/contacts",
        "proof does not stay fresh"
    );
}

/// The id of the one contact of this kind.
async fn id_of_email(app: &TestApp) -> String {
    let hex = app
        .text("SELECT lower(hex(id)) FROM contacts WHERE kind = 'email'")
        .await;
    hex.parse::<uuid::Uuid>().expect("an id").to_string()
}

#[tokio::test]
async fn s14_a_new_password_ends_the_other_sessions_and_is_told() {
    let app = TestApp::new().await;
    let mut anna = with_email(&app).await;
    let mut elsewhere = app.anybody();
    assert_eq!(by_email(&app, &mut elsewhere, EMAIL).await, "/");
    app.world.clock.set(start() + Duration::hours(2));
    let mut here = app.anybody();
    assert_eq!(by_email(&app, &mut here, EMAIL).await, "/");
    let weak = here
        .send(
            "/profile/security",
            "password.set",
            &[("password", "парольпарольпароль")],
        )
        .await;
    assert_eq!(weak.status, StatusCode::UNPROCESSABLE_ENTITY);
    let set = here
        .send("/profile/security", "password.set", &[("password", PASSWORD)])
        .await;
    set.assert_leads_to("/profile/security?done=password");
    assert_eq!(here.get("/card").await.status, StatusCode::OK, "the one at hand stays");
    for who in [&mut anna.browser, &mut elsewhere] {
        assert_eq!(who.get("/card").await.location(), "/sign-in?next=/card");
    }
    let told = crm::outbox::inbox(&app.world.db, 1)
        .await
        .expect("the outbox")
        .remove(0);
    assert_eq!(
        (told.template.as_str(), told.address.as_str()),
        ("password_changed", EMAIL)
    );
    assert!(!told.body.contains(PASSWORD));
    let sent = [("phone", anna.phone.as_str()), ("password", PASSWORD)];
    let reply = app
        .anybody()
        .send("/sign-in?by=password", "sign_in.password", &sent)
        .await;
    assert_eq!(reply.location(), "/");
}

/// A password is changed by whoever knows the one until now (6.2.2, 6.2.3); who forgot it proves by a code who they are.
#[tokio::test]
async fn s06_a_password_is_changed_with_the_one_until_now_or_a_new_proof() {
    const AT: &str = "/profile/security";
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let page = anna.get(AT).await;
    assert!(page.form("password.set").get("current").is_none(), "there is none yet");
    let set = anna.send(AT, "password.set", &[("password", PASSWORD)]).await;
    set.assert_leads_to("/profile/security?done=password");
    let form = anna.get(AT).await.form("password.set").with("password", OTHER);
    assert_eq!(form.get("current"), Some(""));
    let missing = anna.submit(AT, &form).await;
    assert_eq!(missing.message("password.set", "current"), "Напишите прежний пароль");
    let wrong = anna
        .submit(AT, &form.clone().with("current", "не тот пароль совсем"))
        .await;
    assert_eq!(wrong.message("password.set", "current"), "Пароль не подошёл");
    assert!(!wrong.body.contains("не тот пароль совсем"), "it is not sent back");
    let changed = anna.submit(AT, &form.clone().with("current", PASSWORD)).await;
    changed.assert_leads_to("/profile/security?done=password");
    let by = async |password: &str| {
        let sent = [("phone", anna.phone.as_str()), ("password", password)];
        let reply = app
            .anybody()
            .send("/sign-in?by=password", "sign_in.password", &sent)
            .await;
        reply.location().to_owned()
    };
    assert_eq!((by(OTHER).await.as_str(), by(PASSWORD).await.as_str()), ("/", ""));
    // Forgotten.
    app.world.clock.set(start() + Duration::minutes(5));
    let at = "/confirm?next=/profile/security";
    assert!(anna.get(AT).await.body.contains(&format!("href=\"{at}\"")));
    let ask = anna.get(at).await.form("confirm.send");
    assert_eq!(
        anna.submit(at, &ask).await.location(),
        "/confirm/code?next=/profile/security"
    );
    let digits = code(&app, &anna.phone.clone()).await;
    let proved = anna
        .send(
            "/confirm/code?next=/profile/security",
            "confirm.code",
            &[("code", &digits)],
        )
        .await;
    proved.assert_leads_to(AT);
    let form = anna.get(AT).await.form("password.set");
    assert!(form.get("current").is_none());
    let changed = anna.submit(AT, &form.with("password", PASSWORD)).await;
    changed.assert_leads_to("/profile/security?done=password");
    // Staff who forgot it get another at the command line.
    let mut agent = app.staff("agent").await;
    let sent = [("current", "не тот пароль совсем"), ("password", OTHER)];
    let wrong = agent.send("/admin/security", "staff.password", &sent).await;
    assert_eq!(wrong.message("staff.password", "current"), "Пароль не подошёл");
    let changed = agent
        .send(
            "/admin/security",
            "staff.password",
            &[("current", PASSWORD), ("password", OTHER)],
        )
        .await;
    changed.assert_leads_to("/admin/security?done=password");
}

#[tokio::test]
async fn a_new_browser_is_told_of_and_a_known_one_is_not_whatever_it_says_of_itself() {
    const DEVICE: &str = "__Host-kabinet_device";
    let app = TestApp::new().await;
    let anna = with_email(&app).await;
    assert!(anna.cookies.contains_key(DEVICE));
    let told = "SELECT COUNT(*) FROM outbox WHERE template = 'new_device'";
    let says = |name: &str| vec![("user-agent", name.to_owned())];
    let mut laptop = app.anybody();
    laptop.headers = says("Laptop 1");
    laptop
        .send("/sign-in?by=email", "sign_in.start_by_email", &[("email", EMAIL)])
        .await;
    assert!(!laptop.cookies.contains_key(DEVICE), "nobody has come in yet");
    app.world.clock.set(start() + Duration::hours(2));
    assert_eq!(by_email(&app, &mut laptop, EMAIL).await, "/");
    assert_eq!(app.count(told).await, 1);
    // The same browser after an update.
    app.world.clock.set(start() + Duration::hours(3));
    laptop.send("/sign-in", "sign_out", &[]).await;
    laptop.headers = says("Laptop 2");
    assert_eq!(by_email(&app, &mut laptop, EMAIL).await, "/");
    assert_eq!(app.count(told).await, 1, "it is known");
    // Another one that says the same of itself.
    app.world.clock.set(start() + Duration::hours(4));
    let mut other = app.anybody();
    other.headers = says("Laptop 2");
    assert_eq!(by_email(&app, &mut other, EMAIL).await, "/");
    assert_eq!(app.count(told).await, 2);
    // What somebody made up is no token of ours, and is not kept.
    app.world.clock.set(start() + Duration::hours(5));
    let mut forger = app.anybody();
    forger.cookies.insert(DEVICE.into(), "A".repeat(43));
    assert_eq!(by_email(&app, &mut forger, EMAIL).await, "/");
    assert_eq!(app.count(told).await, 3);
    assert_ne!(forger.cookies[DEVICE], "A".repeat(43));
    // Who ends what is open elsewhere hears of the next sign-in there.
    let ended = forger.send("/devices", "device.end_others", &[]).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER, "{}", ended.text());
    assert_eq!(app.count("SELECT COUNT(*) FROM known_devices").await, 1);
    app.world.clock.set(start() + Duration::hours(6));
    assert_eq!(by_email(&app, &mut other, EMAIL).await, "/");
    assert_eq!(app.count(told).await, 4);
    // Two people who share a browser are both known in it.
    app.world.clock.set(start() + Duration::hours(7));
    other.send("/sign-in", "sign_out", &[]).await;
    let before = other.cookies[DEVICE].clone();
    let boris = app.customer("Борис").await;
    app.world.clock.set(start() + Duration::minutes(7 * 60 + 5));
    assert_eq!(other.prove(&boris.phone).await.location(), "/");
    assert_eq!(other.cookies[DEVICE], before);
    app.world.clock.set(start() + Duration::hours(8));
    other.send("/sign-in", "sign_out", &[]).await;
    assert_eq!(by_email(&app, &mut other, EMAIL).await, "/");
    assert_eq!(app.count(told).await, 4, "still known");
}

#[tokio::test]
async fn the_main_number_changes_to_a_proved_one_and_the_old_one_is_told() {
    let app = TestApp::new().await;
    let anna = with_email(&app).await;
    // The phone is lost; the e-mail address still opens.
    let mut who = app.anybody();
    assert_eq!(by_email(&app, &mut who, EMAIL).await, "/");
    let new = app.free_phone();
    who.send("/profile/contacts", "contact.add_phone", &[("phone", &new)])
        .await;
    let page = who.get("/profile/contacts").await;
    assert!(
        !page.body.contains("value=\"contact.primary\""),
        "an unproved number cannot be the main one"
    );
    let verify = page.form("contact.verify");
    who.submit("/profile/contacts", &verify).await;
    let code = code(&app, &new).await;
    who.send("/profile/contacts/code", "contact.prove", &[("code", &code)])
        .await;
    // What was proved is a way in: the ways until now are told of it, and not the new one itself.
    let messages = crm::outbox::inbox(&app.world.db, 100).await.expect("the outbox");
    let told: Vec<_> = messages.iter().filter(|m| m.template == "contact_added").collect();
    let by: Vec<_> = told.iter().map(|m| m.address.as_str()).collect();
    assert_eq!(by, [EMAIL, anna.phone.as_str()]);
    assert!(
        told[0].body.contains(&crm::contact::show_phone(&new)),
        "{}",
        told[0].body
    );
    assert!(told[1].body.contains(EMAIL), "{}", told[1].body);
    let primary = who.get("/profile/contacts").await.form("contact.primary");
    let changed = who.submit("/profile/contacts", &primary).await;
    changed.assert_leads_to("/profile/contacts?done=changing");
    app.assert_row("number.begin").await;
    // Whoever has the lost phone may be signed in on it (7.4.3).
    who.get(changed.location()).await.form("device.end_others");
    // The lost number is told, and need not do anything for the change to come.
    let told = "SELECT COUNT(*) FROM outbox WHERE template = 'number_begun' AND channel = 'sms'";
    assert_eq!(app.count(told).await, 1);
    app.world.clock.set(start() + Duration::hours(26));
    let done = crm::contact::change::run_due(&app.world.db, &BY).await;
    assert_eq!(done.expect("done"), 1);
    let told = "SELECT COUNT(*) FROM outbox WHERE template = 'phone_changed' AND channel = 'sms'";
    assert_eq!(app.count(told).await, 1);
    let messages = crm::outbox::inbox(&app.world.db, 100).await.expect("the outbox");
    let told = messages.iter().filter(|m| m.template == "phone_changed");
    let told: BTreeSet<_> = told.map(|m| m.address.as_str()).collect();
    assert_eq!(
        told,
        BTreeSet::from([anna.phone.as_str(), EMAIL]),
        "the number that was the main one, too"
    );
    // The old one can go now, and no longer opens.
    let mut who = app.anybody();
    assert_eq!(by_email(&app, &mut who, EMAIL).await, "/");
    let remove = who.get("/profile/contacts").await.form("contact.remove");
    let removed = who.submit("/profile/contacts", &remove).await;
    removed.assert_leads_to("/profile/contacts?done=removed");
    app.world.clock.set(start() + Duration::hours(28));
    assert_eq!(app.anybody().prove(&new).await.location(), "/");
    assert_eq!(
        app.anybody().prove(&anna.phone).await.location(),
        "/sign-in/details",
        "nobody's number now"
    );
}

#[tokio::test]
async fn s08_a_code_for_one_thing_opens_no_other() {
    let app = TestApp::new().await;
    let mut anna = with_email(&app).await;
    let ask = anna.get("/confirm").await.form("confirm.send");
    anna.submit("/confirm", &ask).await;
    let code = code(&app, &anna.phone.clone()).await;
    // While it is open: nobody else proves anything by it.
    let mut boris = app.customer("Борис").await;
    let attempt = anna.cookies["__Host-kabinet_attempt"].clone();
    boris.cookies.insert("__Host-kabinet_attempt".into(), attempt);
    let reply = boris.send("/confirm/code", "confirm.code", &[("code", &code)]).await;
    assert_eq!(
        reply.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "somebody else's attempt"
    );
    // The attempt of this browser is one to prove anew, not to come in and not to prove a contact.
    for (at, form) in [
        ("/profile/contacts/code", "contact.prove"),
        ("/confirm/code", "confirm.code"),
    ] {
        let reply = anna.send(at, form, &[("code", &code)]).await;
        if form == "confirm.code" {
            reply.assert_leads_to("/profile/security");
        } else {
            assert_eq!(reply.status, StatusCode::CONFLICT, "{form}");
        }
    }
    // Each step is a row: the contact that was proved before, the code that was asked for, and what was proved by it.
    for action in ["contact.verify", "confirm.code", "confirm"] {
        app.assert_row(action).await;
    }
}

#[tokio::test]
async fn s23_signing_out_is_a_row() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    anna.send("/card", "sign_out", &[]).await;
    let rows = "SELECT COUNT(*) FROM audit WHERE action = 'sign_out' AND actor = 'customer' AND network <> ''";
    assert_eq!(app.count(rows).await, 1);
}
