//! Second factors: codes of an app, recovery codes, passkeys, and what demands them.

use crate::common::people::{self, SYSTEM, contact, one, row, sql};
use chrono::Duration;
use crm::both_engines;
use crm::db::Db;
use crm::error::Error;
use crm::factor::passkey::{self, Answer, Question};
use crm::factor::store::{self as factors, Pending};
use crm::factor::totp::Secret;
use crm::factor::{By, Known, removal};
use crm::flaw::Flaw;
use crm::lang::Lang;
use crm::signin::attempts::Purpose;
use crm::signin::confirm;
use crm::signin::password;
use crm::signin::store::{self as signin, Entered, StaffEntered};
use crm::staff::{NewStaff, Role};
use crm::testing::World;
use crm::testing::authenticator::Authenticator;
use crm::who::{self, Customer, Opened, Staff, System, Token, Visitor};
use futures::future::join_all;

const PHONE: &str = "+79000000001";
const PASSWORD: &str = "корова летит над луной";
/// The shop's address in tests.
const ORIGIN: &str = "http://localhost:3000";

fn visitor() -> Visitor {
    from("192.0.2.7")
}

fn from(network: &str) -> Visitor {
    Visitor {
        network: network.into(),
        device: "Test".into(),
        ..Visitor::default()
    }
}

/// A customer with a password and a proved phone, just signed in.
async fn anna(world: &World) -> Customer {
    let id = row(world, "Анна", "Лебедева").await;
    contact(world, id, crm::contact::Kind::Phone, PHONE).await;
    let hash = &password::hash(PASSWORD).await.expect("hashed");
    sql!(world, "UPDATE customers SET password_hash = $2 WHERE id = $1", id, hash);
    sql!(
        world,
        "UPDATE contacts SET verified_at = created_at WHERE customer_id = $1",
        id
    );
    crm::content::load(&world.db, &SYSTEM).await.expect("content loads");
    match signin::by_password(&world.db, PHONE, PASSWORD, Lang::Ru, &visitor()).await {
        Ok(Entered::In(opened)) => customer(&world.db, &opened).await,
        _ => panic!("a password is enough so far"),
    }
}

/// Somebody else who has just signed in.
async fn stranger(world: &World) -> Customer {
    let id = people::customer(world, "Борис", "К").await.session();
    let token = Token::random();
    let (hash, now) = (&token.hash(), world.db.now());
    sql!(
        world,
        "UPDATE sessions SET token_hash = $2, authenticated_at = $3 WHERE id = $1",
        id,
        hash,
        now
    );
    let found = who::customer(&world.db, &token, &visitor()).await.expect("read");
    found.expect("signed in")
}

async fn customer(db: &Db, opened: &Opened) -> Customer {
    let found = who::customer(db, &opened.token, &visitor()).await.expect("read");
    found.expect("signed in")
}

async fn staff_of(db: &Db, opened: &Opened) -> Staff {
    let found = who::staff(db, &opened.token, &visitor()).await.expect("read");
    found.expect("signed in")
}

/// A member of staff with a password and nothing else.
async fn employ(world: &World, login: &str) -> crm::id::StaffId {
    crm::content::load(&world.db, &SYSTEM).await.expect("content loads");
    let new = NewStaff {
        login: login.into(),
        name: login.into(),
        role: Role::new(Role::AGENT),
        language: Lang::Ru,
        password_hash: password::hash(PASSWORD).await.expect("hashed"),
    };
    crm::staff::store::create(&world.db, &SYSTEM, &new)
        .await
        .expect("employed")
}

fn by<'a>(db: &Db, customer: &'a Customer) -> By<'a> {
    Known::Customer(customer).fresh(db).expect("fresh")
}

async fn pending(db: &Db, by: &By<'_>) -> Pending {
    factors::pending(db, by).await.expect("read")
}

/// Turns the codes of an app on; the secret and the recovery codes.
async fn turn_on(db: &Db, by: &By<'_>) -> (Secret, Vec<String>) {
    factors::offer_totp(db, by).await.expect("offered");
    let secret = pending(db, by).await.totp.expect("a secret");
    factors::confirm_totp(db, by, &secret.code(db.now()), &visitor())
        .await
        .expect("the code fits");
    let codes = pending(db, by).await.codes;
    factors::keep_codes(db, by).await.expect("kept");
    (secret, codes)
}

/// The attempt that a right password leads to.
async fn first_step(db: &Db) -> Token {
    match signin::by_password(db, PHONE, PASSWORD, Lang::Ru, &visitor()).await {
        Ok(Entered::SecondFactor(token)) => token,
        _ => panic!("the second factor is asked for"),
    }
}

async fn second(db: &Db, token: &Token, code: &str) -> Result<Opened, Error> {
    factors::second_by_code(db, token, Purpose::SignIn, code, &visitor()).await
}

fn flaw<T>(result: Result<T, Error>) -> Flaw {
    match result {
        Err(Error::Invalid(mut flaws)) => flaws.remove(0).1,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was taken"),
    }
}

fn answer<'a>(question: &'a Question, credential: &'a str) -> Answer<'a> {
    Answer {
        question: &question.sealed,
        credential,
    }
}

/// Gives a customer a passkey on a device of theirs.
async fn with_passkey(db: &Db, by: &By<'_>) -> Authenticator {
    let mut device = Authenticator::new(ORIGIN);
    let question = factors::ask_new_passkey(db, by)
        .await
        .expect("asked")
        .expect("possible");
    let credential = device.create(&question.options);
    factors::add_passkey(db, by, "Телефон", answer(&question, &credential))
        .await
        .expect("added");
    device
}

both_engines!(what_is_offered_counts_once_its_first_code_was_right, async |world| {
    let db = &world.db;
    let anna = anna(world).await;
    let by = by(db, &anna);
    factors::offer_totp(db, &by).await.expect("offered");
    let first = pending(db, &by).await.totp.expect("a secret");
    factors::offer_totp(db, &by).await.expect("offered anew");
    let secret = pending(db, &by).await.totp.expect("a secret");
    assert_ne!(first, secret, "what was offered before is gone");
    let overview = factors::overview(db, Known::Customer(&anna)).await.expect("read");
    assert!(!overview.has_second && overview.totp.is_none());
    let wrong = factors::confirm_totp(db, &by, &first.code(db.now()), &visitor()).await;
    assert_eq!(flaw(wrong), Flaw::WrongSecond);
    let code = secret.code(db.now());
    factors::confirm_totp(db, &by, &format!(" {} {} ", &code[..3], &code[3..]), &visitor())
        .await
        .expect("as it is copied");
    let overview = factors::overview(db, Known::Customer(&anna)).await.expect("read");
    assert!(overview.has_second && overview.codes_wait && overview.codes_left == 0);
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM outbox WHERE template = 'factor_changed'"
        ),
        1
    );
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM audit WHERE action = 'factor.totp_on'"),
        1
    );
});

both_engines!(s12_a_password_alone_no_longer_opens, async |world| {
    let db = &world.db;
    let anna = anna(world).await;
    let (secret, _) = turn_on(db, &by(db, &anna)).await;
    let token = first_step(db).await;
    // Nothing is open yet, and another attempt's token does not help.
    assert!(who::customer(db, &token, &visitor()).await.expect("read").is_none());
    let code = secret.code(db.now() + Duration::seconds(30));
    assert!(matches!(second(db, &Token::random(), &code).await, Err(Error::Stale)));
    assert!(matches!(
        factors::second_by_code(db, &token, Purpose::Staff, &code, &visitor()).await,
        Err(Error::Stale)
    ));
    let opened = second(db, &token, &code).await.expect("both factors");
    assert_eq!(customer(db, &opened).await.id(), anna.id());
    assert!(
        matches!(second(db, &token, &code).await, Err(Error::Stale)),
        "the attempt is over"
    );
});

both_engines!(a_code_is_never_taken_twice, async |world| {
    let db = &world.db;
    let anna = anna(world).await;
    let (secret, _) = turn_on(db, &by(db, &anna)).await;
    // The one that turned it on is used up, and those before it too.
    for code in [secret.code(db.now()), secret.code(db.now() - Duration::seconds(30))] {
        let token = first_step(db).await;
        assert_eq!(flaw(second(db, &token, &code).await), Flaw::WrongSecond);
    }
    world.clock.set(db.now() + Duration::seconds(60));
    let code = secret.code(db.now());
    let (one, two) = (first_step(db).await, first_step(db).await);
    let (one, two) = tokio::join!(second(db, &one, &code), second(db, &two, &code));
    assert_eq!(
        [&one, &two].iter().filter(|r| r.is_ok()).count(),
        1,
        "at once, one is let in"
    );
});

both_engines!(s11_wrong_codes_are_slowed_where_they_come_from_alone, async |world| {
    let db = &world.db;
    let anna = anna(world).await;
    let (secret, _) = turn_on(db, &by(db, &anna)).await;
    world.clock.set(db.now() + Duration::seconds(60));
    let token = first_step(db).await;
    let mut last = None;
    for _ in 0..9 {
        last = Some(factors::second_by_code(db, &token, Purpose::SignIn, "000000", &from("203.0.113.1")).await);
    }
    assert!(matches!(last, Some(Err(Error::TooMany { .. }))), "after eight");
    second(db, &token, &secret.code(db.now()))
        .await
        .expect("the owner comes in from elsewhere");
});

both_engines!(
    s08_codes_of_an_app_that_are_guessed_at_once_have_eight_tries,
    async |world| {
        let db = &world.db;
        let anna = anna(world).await;
        turn_on(db, &by(db, &anna)).await;
        world.clock.set(db.now() + Duration::seconds(60));
        let token = &first_step(db).await;
        let told = join_all((0..30).map(|_| async move { second(db, token, "000000").await.map(drop) })).await;
        assert_eq!(people::guesses(&told), (8, 22), "{told:?}");
    }
);

both_engines!(a_recovery_code_is_good_once_and_new_ones_kill_the_old, async |world| {
    let db = &world.db;
    let anna = anna(world).await;
    let (_, codes) = turn_on(db, &by(db, &anna)).await;
    assert_eq!(codes.len(), 10);
    // Kept as hashes only.
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM factors WHERE kind = 'recovery' AND data LIKE '$argon2id$%'"
        ),
        10
    );
    let typed = format!("{} {}", &codes[0][..8], &codes[0][8..]);
    let token = first_step(db).await;
    let opened = second(db, &token, &typed).await.expect("in place of the app");
    let anna = customer(db, &opened).await;
    let token = first_step(db).await;
    assert_eq!(flaw(second(db, &token, &codes[0]).await), Flaw::WrongSecond, "once");
    let by = by(db, &anna);
    factors::make_codes(db, &by).await.expect("made");
    let new = pending(db, &by).await.codes;
    // Until they are saved they are nowhere but in the browser that they were made in.
    assert_eq!(new, pending(db, &by).await.codes);
    let stored = one!(
        world,
        String,
        "SELECT data FROM factors WHERE kind = 'recovery' AND confirmed_at IS NULL"
    );
    assert!(new.iter().all(|code| !stored.contains(code.as_str())), "{stored}");
    let elsewhere = first_step(db).await;
    let opened = second(db, &elsewhere, &codes[2]).await.expect("another session");
    let other = customer(db, &opened).await;
    let other = Known::Customer(&other).fresh(db).expect("fresh");
    assert!(pending(db, &other).await.codes.is_empty());
    assert!(matches!(factors::keep_codes(db, &other).await, Err(Error::Stale)));
    assert_eq!(
        flaw(second(db, &token, &new[0]).await),
        Flaw::WrongSecond,
        "not before they are saved"
    );
    factors::keep_codes(db, &by).await.expect("kept");
    assert!(matches!(factors::keep_codes(db, &by).await, Err(Error::Stale)));
    assert!(
        pending(db, &by).await.codes.is_empty(),
        "shown until they are saved, and never again"
    );
    assert_eq!(
        flaw(second(db, &token, &codes[1]).await),
        Flaw::WrongSecond,
        "the old are dead"
    );
    second(db, &token, &new[1]).await.expect("the new are good");
});

both_engines!(
    turning_it_off_takes_the_recovery_codes_along_and_ends_no_session,
    async |world| {
        let db = &world.db;
        let anna = anna(world).await;
        let by = by(db, &anna);
        turn_on(db, &by).await;
        let totp = factors::overview(db, Known::Customer(&anna))
            .await
            .expect("read")
            .totp
            .expect("on");
        factors::remove(db, &by, totp.id).await.expect("off");
        assert!(matches!(factors::remove(db, &by, totp.id).await, Err(Error::NotFound)));
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM factors"), 0);
        assert_eq!(
            one!(world, i64, "SELECT COUNT(*) FROM sessions WHERE ended_at IS NOT NULL"),
            0
        );
        assert!(
            matches!(factors::make_codes(db, &by).await, Err(Error::Stale)),
            "nothing to recover"
        );
        assert!(matches!(
            signin::by_password(db, PHONE, PASSWORD, Lang::Ru, &visitor()).await,
            Ok(Entered::In(_))
        ));
    }
);

both_engines!(
    s06_a_short_password_stands_beside_a_second_factor_alone,
    async |world| {
        use crm::signin::confirm::{remove_password, set_password};
        const SHORT: &str = "Zq8$kT!v";
        let db = &world.db;
        let anna = anna(world).await;
        let fresh = anna.fresh(db).expect("fresh");
        let set = async |current: &str, typed: &str| set_password(db, &fresh, current, typed, &visitor()).await;
        assert_eq!(flaw(set(PASSWORD, SHORT).await), Flaw::TooShort { min: 15 });
        let by = by(db, &anna);
        turn_on(db, &by).await;
        let totp = async || {
            let found = factors::overview(db, Known::Customer(&anna)).await.expect("read");
            (found.totp.expect("on").id, found.password_short)
        };
        assert_eq!(flaw(set(PASSWORD, "Zq8$kT!").await), Flaw::TooShort { min: 8 });
        set(PASSWORD, SHORT)
            .await
            .expect("beside the second factor it is enough");
        let (id, short) = totp().await;
        assert!(short);
        assert_eq!(flaw(factors::remove(db, &by, id).await), Flaw::TooShort { min: 15 });
        assert_eq!(totp().await.0, id, "it is still there");
        // A longer one, and it may go; so it may without any password.
        set(SHORT, "двадцать лодок у пристани").await.expect("longer");
        assert!(!totp().await.1);
        set("двадцать лодок у пристани", SHORT).await.expect("short again");
        remove_password(db, &fresh).await.expect("removed");
        let (id, short) = totp().await;
        assert!(!short);
        factors::remove(db, &by, id).await.expect("off");
        assert_eq!(flaw(set("", SHORT).await), Flaw::TooShort { min: 15 });
    }
);

both_engines!(
    s06_a_short_password_and_turning_the_second_factor_off_do_not_slip_past_each_other,
    async |world| {
        use crm::signin::confirm::set_password;
        let db = &world.db;
        let anna = anna(world).await;
        let fresh = anna.fresh(db).expect("fresh");
        let by = by(db, &anna);
        turn_on(db, &by).await;
        let overview = factors::overview(db, Known::Customer(&anna)).await.expect("read");
        let id = overview.totp.expect("on").id;
        // While a short one is being set, whoever turns the second factor off waits, and then knows of it.
        let setting = db.write::<_, Error, _>(|tx| {
            crm::db::scoped(async move {
                const SQL: &str = "UPDATE customers SET password_short = $1";
                crm::on!(tx, |c| sqlx::query(SQL).bind(true).execute(c).await.map(drop))?;
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                Ok(())
            })
        });
        let turning_off = async {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            factors::remove(db, &by, id).await
        };
        let (set, off) = tokio::join!(setting, turning_off);
        set.expect("set");
        assert_eq!(flaw(off), Flaw::TooShort { min: 15 });
        sql!(world, "UPDATE customers SET password_short = $1", false);
        // Both at once.
        let here = visitor();
        let (set, off) = tokio::join!(
            set_password(db, &fresh, PASSWORD, "Zq8$kT!v", &here),
            factors::remove(db, &by, id)
        );
        assert!(set.is_ok() != off.is_ok(), "one of them: {set:?} {off:?}");
    }
);

both_engines!(
    s06_a_password_is_changed_by_the_one_until_now_or_a_new_proof,
    async |world| {
        use crm::signin::confirm::set_password;
        const NEW: &str = "двадцать лодок у пристани";
        let db = &world.db;
        let anna = anna(world).await;
        let fresh = anna.fresh(db).expect("fresh");
        assert!(!anna.has_proved_anew());
        let set = async |current: &str| set_password(db, &fresh, current, NEW, &visitor()).await;
        assert_eq!(flaw(set("").await), Flaw::Missing);
        assert_eq!(flaw(set("не тот пароль совсем").await), Flaw::WrongPassword);
        assert_eq!(
            one!(world, i64, "SELECT COUNT(*) FROM failures"),
            1,
            "a wrong one is counted"
        );
        set(PASSWORD).await.expect("the right one");
        // Who has forgotten it proves by another way who they are, in this session.
        world.clock.set(db.now() + Duration::minutes(1));
        let contacts = crm::signin::confirm::ways(db, &anna).await.expect("read").contacts;
        let token = crm::signin::confirm::start(db, &anna, contacts[0].id, &visitor())
            .await
            .expect("sent");
        let message = crm::outbox::inbox(db, 1).await.expect("read").remove(0);
        let code = message
            .body
            .split(|c: char| !c.is_ascii_digit())
            .find(|part| part.len() == 6);
        let opened = crm::signin::confirm::by_code(db, &anna, &token, code.expect("a code"), &visitor())
            .await
            .expect("proved");
        let anna = customer(db, &opened).await;
        assert!(anna.has_proved_anew());
        let fresh = anna.fresh(db).expect("fresh");
        set_password(db, &fresh, "", PASSWORD, &visitor())
            .await
            .expect("without");
    }
);

both_engines!(s15_old_proof_changes_no_factor, async |world| {
    let db = &world.db;
    let anna = anna(world).await;
    let (secret, _) = turn_on(db, &by(db, &anna)).await;
    world.clock.set(db.now() + Duration::minutes(16));
    assert!(matches!(Known::Customer(&anna).fresh(db), Err(Error::NotFresh)));
    let wrong = factors::confirm_by_code(db, Known::Customer(&anna), "000000", &visitor()).await;
    assert_eq!(flaw(wrong), Flaw::WrongSecond);
    let code = secret.code(db.now());
    let opened = factors::confirm_by_code(db, Known::Customer(&anna), &code, &visitor())
        .await
        .expect("proved anew");
    let anna = customer(db, &opened).await;
    assert!(Known::Customer(&anna).fresh(db).is_ok());
    // Neither the password nor a code sent to a contact is enough any more.
    let by_password = crm::signin::confirm::by_password(db, &anna, PASSWORD, &visitor()).await;
    assert!(matches!(by_password, Err(Error::Forbidden)));
    let ways = crm::signin::confirm::ways(db, &anna).await.expect("read");
    assert!(ways.second_factor);
    let token = crm::signin::confirm::start(db, &anna, ways.contacts[0].id, &visitor())
        .await
        .expect("sent");
    let told = one!(world, String, "SELECT body FROM outbox WHERE template = 'confirm_code'");
    let mut numbers = told.split(|c: char| !c.is_ascii_digit());
    let code = numbers.find(|number| number.len() == 6).expect("a code");
    let by_code = crm::signin::confirm::by_code(db, &anna, &token, code, &visitor()).await;
    assert!(matches!(by_code, Err(Error::Forbidden)));
});

both_engines!(a_passkey_lets_its_owner_in_without_a_name, async |world| {
    let db = &world.db;
    let anna = anna(world).await;
    let mut device = with_passkey(db, &by(db, &anna)).await;
    let browser = Token::random();
    let question = passkey::ask_to_sign_in(db, &browser)
        .await
        .expect("asked")
        .expect("possible");
    let credential = device.get(&question.options);
    let opened = factors::sign_in_by_passkey(db, &browser, answer(&question, &credential), &visitor())
        .await
        .expect("in");
    assert_eq!(customer(db, &opened).await.id(), anna.id());
    // The same answer once more, under the same question, is refused.
    let again = factors::sign_in_by_passkey(db, &browser, answer(&question, &credential), &visitor()).await;
    assert!(matches!(again, Err(Error::Stale)));
    // Under a new question it fits no challenge.
    let question = passkey::ask_to_sign_in(db, &browser)
        .await
        .expect("asked")
        .expect("possible");
    let again = factors::sign_in_by_passkey(db, &browser, answer(&question, &credential), &visitor()).await;
    assert_eq!(flaw(again), Flaw::WrongPasskey);
    // A customer's passkey asks no more of the other ways.
    assert!(matches!(
        signin::by_password(db, PHONE, PASSWORD, Lang::Ru, &visitor()).await,
        Ok(Entered::In(_))
    ));
});

both_engines!(
    a_passkeys_answer_counts_in_its_own_browser_in_time_and_as_it_was_asked,
    async |world| {
        let db = &world.db;
        let anna = anna(world).await;
        let mut device = with_passkey(db, &by(db, &anna)).await;
        let browser = Token::random();
        let ask = async || {
            passkey::ask_to_sign_in(db, &browser)
                .await
                .expect("asked")
                .expect("possible")
        };
        let take = async |token: &Token, question: &Question, credential: &str| {
            factors::sign_in_by_passkey(db, token, answer(question, credential), &visitor()).await
        };
        let question = ask().await;
        let credential = device.get(&question.options);
        let elsewhere = take(&Token::random(), &question, &credential).await;
        assert!(matches!(elsewhere, Err(Error::Stale)), "another browser");
        let forged = Question {
            sealed: question.sealed.replacen('A', "B", 1),
            ..question.clone()
        };
        assert!(
            matches!(take(&browser, &forged, &credential).await, Err(Error::Stale)),
            "forged"
        );
        let confirm = factors::ask_to_confirm(db, Known::Customer(&anna))
            .await
            .expect("asked")
            .expect("a passkey");
        let for_another_end = take(&browser, &confirm, &credential).await;
        assert!(matches!(for_another_end, Err(Error::Stale)), "another purpose");
        // A device that did not make sure of its owner, and one before a page of somebody else's.
        for spoil in [
            (|device: &mut Authenticator| device.verifies = false) as fn(&mut Authenticator),
            |device| device.origin = "https://evil.example".into(),
            // A copy of the device that was left behind.
            |device| device.counter = 0,
        ] {
            let mut device = device.clone();
            spoil(&mut device);
            let question = ask().await;
            let credential = device.get(&question.options);
            assert_eq!(flaw(take(&browser, &question, &credential).await), Flaw::WrongPasskey);
        }
        let question = ask().await;
        let credential = device.get(&question.options);
        world.clock.set(db.now() + Duration::minutes(5));
        assert!(
            matches!(take(&browser, &question, &credential).await, Err(Error::Stale)),
            "too late"
        );
        let question = ask().await;
        let credential = device.get(&question.options);
        let mut copy = device.clone();
        copy.counter -= 1;
        take(&browser, &question, &credential)
            .await
            .expect("and nothing of that was spoilt for good");
        let question = ask().await;
        let credential = copy.get(&question.options);
        let left_behind = take(&browser, &question, &credential).await;
        assert_eq!(flaw(left_behind), Flaw::WrongPasskey, "by one answer, too");
    }
);

both_engines!(
    s12_a_passkey_serves_as_second_factor_of_its_owner_alone,
    async |world| {
        let db = &world.db;
        let anna = anna(world).await;
        let by = by(db, &anna);
        turn_on(db, &by).await;
        let mut device = with_passkey(db, &by).await;
        let boris = stranger(world).await;
        let mut others = with_passkey(db, &Known::Customer(&boris).fresh(db).expect("fresh")).await;
        // What the same browser was asked for another end is no second factor.
        let token = first_step(db).await;
        let question = passkey::ask_to_sign_in(db, &token)
            .await
            .expect("asked")
            .expect("possible");
        let credential = device.get(&question.options);
        let other_end =
            factors::second_by_passkey(db, &token, Purpose::SignIn, answer(&question, &credential), &visitor()).await;
        assert!(matches!(other_end, Err(Error::Stale)));
        for (device, is_hers) in [(&mut others, false), (&mut device, true)] {
            let token = first_step(db).await;
            let question = factors::ask_second(db, &token, Purpose::SignIn)
                .await
                .expect("asked")
                .expect("a passkey");
            let credential = device.get(&question.options);
            let taken =
                factors::second_by_passkey(db, &token, Purpose::SignIn, answer(&question, &credential), &visitor())
                    .await;
            if is_hers {
                assert_eq!(customer(db, &taken.expect("hers")).await.id(), anna.id());
            } else {
                assert_eq!(flaw(taken), Flaw::WrongPasskey);
            }
        }
    }
);

both_engines!(passkeys_are_named_renamed_and_removed_by_their_owner, async |world| {
    let db = &world.db;
    let anna = anna(world).await;
    let by = by(db, &anna);
    with_passkey(db, &by).await;
    let held = factors::overview(db, Known::Customer(&anna))
        .await
        .expect("read")
        .passkeys
        .remove(0);
    assert_eq!((held.name.as_str(), held.used_at), ("Телефон", None));
    assert_eq!(
        flaw(factors::rename_passkey(db, &by, held.id, " ").await),
        Flaw::Missing
    );
    factors::rename_passkey(db, &by, held.id, "Ноутбук")
        .await
        .expect("renamed");
    let overview = factors::overview(db, Known::Customer(&anna)).await.expect("read");
    assert_eq!(overview.passkeys[0].name, "Ноутбук");
    let boris = stranger(world).await;
    let not_his = Known::Customer(&boris).fresh(db).expect("fresh");
    assert!(matches!(
        factors::rename_passkey(db, &not_his, held.id, "x").await,
        Err(Error::NotFound)
    ));
    assert!(matches!(
        factors::remove(db, &not_his, held.id).await,
        Err(Error::NotFound)
    ));
    factors::remove(db, &by, held.id).await.expect("removed");
    assert!(matches!(
        factors::rename_passkey(db, &by, held.id, "x").await,
        Err(Error::NotFound)
    ));
});

/// The attempt that a code from the phone leads to, which stops at the second factor.
async fn by_code(world: &World) -> Token {
    let db = &world.db;
    world.clock.set(db.now() + Duration::minutes(1));
    let token = signin::start(db, PHONE, Lang::Ru, &visitor()).await.expect("sent");
    let message = crm::outbox::inbox(db, 1).await.expect("read").remove(0);
    let code = message
        .body
        .split(|c: char| !c.is_ascii_digit())
        .find(|part| part.len() == 6);
    let verified = signin::verify(db, &token, code.expect("a code"), &visitor()).await;
    assert!(matches!(verified, Ok(crm::signin::store::Verified::SecondFactor)));
    token
}

/// A member of staff who has just come in.
async fn agent(world: &World) -> Staff {
    let id = employ(world, "agent").await;
    let secret = factors::give_totp(&world.db, &SYSTEM, id).await.expect("given");
    let (token, _) = staff_first(&world.db, "agent").await;
    let code = secret.code(world.db.now());
    let opened = factors::second_by_code(&world.db, &token, Purpose::Staff, &code, &visitor()).await;
    staff_of(&world.db, &opened.expect("in")).await
}

/// The link in the newest message.
async fn link(db: &Db) -> String {
    let message = crm::outbox::inbox(db, 1).await.expect("read").remove(0);
    let (_, rest) = message.body.split_once("/second-step/").expect("a link");
    rest.split_whitespace().next().expect("its end").to_owned()
}

both_engines!(
    s12_a_lost_second_factor_goes_after_a_proof_a_word_of_staff_and_three_days,
    async |world| {
        let db = &world.db;
        let anna = anna(world).await;
        contact(world, anna.id(), crm::contact::Kind::Email, "anna@example.com").await;
        sql!(world, "UPDATE contacts SET verified_at = created_at");
        let (_, codes) = turn_on(db, &by(db, &anna)).await;
        let fresh = anna.fresh(db).expect("fresh");
        crm::signin::confirm::set_password(db, &fresh, PASSWORD, "Zq8$kT!v", &visitor())
            .await
            .expect("short, beside the second factor");
        let pending = async || {
            let mut conn = db.read().await.expect("a connection");
            removal::of(&mut conn, anna.me()).await.expect("read")
        };
        // The password alone is no proof of a contact.
        let password = match signin::by_password(db, PHONE, "Zq8$kT!v", Lang::Ru, &visitor()).await {
            Ok(Entered::SecondFactor(token)) => token,
            _ => panic!("the second factor is asked for"),
        };
        assert!(!removal::may_ask(db, &password).await.expect("read"));
        assert!(matches!(
            removal::ask(db, &password, &visitor()).await,
            Err(Error::Forbidden)
        ));
        assert!(matches!(
            removal::ask(db, &Token::random(), &visitor()).await,
            Err(Error::Stale)
        ));
        let agent = agent(world).await;
        let staff = async || agent.fresh(db).expect("fresh");
        let early = removal::grant(db, &staff().await, anna.id(), "Паспорт").await;
        assert!(matches!(early, Err(Error::Stale)), "nobody asked");
        let token = by_code(world).await;
        removal::ask(db, &token, &visitor()).await.expect("asked");
        removal::ask(db, &token, &visitor()).await.expect("once is enough");
        let told = |template: &'static str| async move {
            let all = crm::outbox::inbox(db, 100).await.expect("read");
            let mut to: Vec<_> = all
                .into_iter()
                .filter(|m| m.template == template)
                .map(|m| m.address)
                .collect();
            to.sort();
            to
        };
        let both = [PHONE, "anna@example.com"];
        assert_eq!(told("removal_asked").await, both, "every contact, once");
        assert_eq!(pending().await.expect("asked").due_at, None);
        world.clock.set(db.now() + Duration::hours(73));
        assert_eq!(
            removal::run_due(db, &SYSTEM).await.expect("run"),
            0,
            "without a word of staff it waits"
        );
        let silent = Known::Staff(&agent).fresh(db);
        assert!(matches!(silent, Err(Error::NotFresh)), "nor with a proof from before");
        // A day later somebody at the counter makes sure.
        sql!(
            world,
            "UPDATE sessions SET seen_at = $1, expires_at = $2",
            db.now(),
            db.now() + Duration::days(9)
        );
        let agent = refreshed(world, &agent).await;
        let fresh = agent.fresh(db).expect("fresh");
        assert_eq!(flaw(removal::grant(db, &fresh, anna.id(), " ").await), Flaw::Missing);
        removal::grant(db, &fresh, anna.id(), "Паспорт и карта")
            .await
            .expect("granted");
        assert!(matches!(
            removal::grant(db, &fresh, anna.id(), "Ещё раз").await,
            Err(Error::Stale)
        ));
        assert_eq!(told("removal_granted").await, both);
        let due = pending().await.expect("granted").due_at.expect("when");
        assert_eq!(due, db.now() + Duration::hours(72));
        world.clock.set(due - Duration::seconds(1));
        assert_eq!(removal::run_due(db, &SYSTEM).await.expect("run"), 0);
        world.clock.set(due);
        let (one, two) = tokio::join!(removal::run_due(db, &SYSTEM), removal::run_due(db, &SYSTEM));
        assert_eq!(one.expect("run") + two.expect("run"), 1, "once, on any node");
        assert_eq!(pending().await, None);
        assert_eq!(told("removal_done").await, both);
        assert_eq!(
            one!(world, i64, "SELECT COUNT(*) FROM factors WHERE customer_id IS NOT NULL"),
            0
        );
        // The short password went too; a code opens.
        let by_password = signin::by_password(db, PHONE, "Zq8$kT!v", Lang::Ru, &visitor()).await;
        assert_eq!(flaw(by_password.map(drop)), Flaw::WrongPassword);
        world.clock.set(db.now() + Duration::minutes(1));
        let token = signin::start(db, PHONE, Lang::Ru, &visitor()).await.expect("sent");
        let message = crm::outbox::inbox(db, 1).await.expect("read").remove(0);
        let code = message
            .body
            .split(|c: char| !c.is_ascii_digit())
            .find(|part| part.len() == 6);
        let verified = signin::verify(db, &token, code.expect("a code"), &visitor()).await;
        assert!(matches!(verified, Ok(crm::signin::store::Verified::SignedIn(_))));
        assert_eq!(codes.len(), 10);
        let rows = "SELECT COUNT(*) FROM audit WHERE action IN ('removal.ask', 'removal.grant', 'removal.done')";
        assert_eq!(one!(world, i64, rows), 3);
    }
);

/// The same member of staff, whose proof is of now.
async fn refreshed(world: &World, agent: &Staff) -> Staff {
    let token = Token::random();
    let (hash, session, now) = (&token.hash(), agent.session(), world.db.now());
    sql!(
        world,
        "UPDATE sessions SET token_hash = $2, authenticated_at = $3 WHERE id = $1",
        session,
        hash,
        now
    );
    let found = who::staff(&world.db, &token, &visitor()).await.expect("read");
    found.expect("signed in")
}

both_engines!(s12_a_removal_is_called_off_from_anywhere, async |world| {
    let db = &world.db;
    let anna = anna(world).await;
    let (secret, codes) = turn_on(db, &by(db, &anna)).await;
    let agent = agent(world).await;
    let ask = async || {
        let token = by_code(world).await;
        removal::ask(db, &token, &visitor()).await.expect("asked");
        token
    };
    let is_pending = async || {
        let mut conn = db.read().await.expect("a connection");
        removal::of(&mut conn, anna.me()).await.expect("read").is_some()
    };
    // From a session.
    assert!(matches!(removal::cancel(db, &anna).await, Err(Error::NotFound)));
    ask().await;
    let boris = stranger(world).await;
    assert!(
        matches!(removal::cancel(db, &boris).await, Err(Error::NotFound)),
        "not his"
    );
    removal::cancel(db, &anna).await.expect("called off");
    assert!(!is_pending().await);
    // By the link of any message, which stays the same when staff have granted it.
    ask().await;
    let first = link(db).await;
    removal::grant(db, &agent.fresh(db).expect("fresh"), anna.id(), "Паспорт")
        .await
        .expect("granted");
    assert_eq!(link(db).await, first);
    let (id, mark) = first.split_once('_').expect("two parts");
    let other = if mark.starts_with('0') { "1" } else { "0" };
    let forged = format!("{id}_{other}{}", &mark[1..]);
    for wrong in ["", "x", &forged] {
        let called = removal::cancel_by_link(db, wrong, &visitor()).await;
        assert!(matches!(called, Err(Error::NotFound)), "{wrong}");
    }
    assert!(is_pending().await);
    removal::cancel_by_link(db, &first, &visitor())
        .await
        .expect("called off");
    assert!(!is_pending().await);
    let again = removal::cancel_by_link(db, &first, &visitor()).await;
    assert!(matches!(again, Err(Error::Stale)));
    world.clock.set(db.now() + Duration::days(4));
    assert_eq!(removal::run_due(db, &SYSTEM).await.expect("run"), 0);
    // By who has the second factor after all.
    let token = ask().await;
    second(db, &token, &codes[0]).await.expect("in");
    assert!(!is_pending().await);
    // And what nobody came for is forgotten; asking again and again is not without end.
    ask().await;
    world.clock.set(db.now() + Duration::days(14) + Duration::seconds(1));
    assert!(!is_pending().await);
    let hours = world.db.now();
    for n in 0..4 {
        world.clock.set(hours + Duration::minutes(n));
        let token = by_code(world).await;
        let asked = removal::ask(db, &token, &visitor()).await;
        if n < 3 {
            asked.expect("asked");
            let code = secret.code(db.now());
            second(db, &token, &code).await.expect("in");
        } else {
            assert!(matches!(asked, Err(Error::TooMany { .. })));
        }
    }
});

/// The attempt that the right password of a member of staff leads to, and whether it is to set something up.
async fn staff_first(db: &Db, login: &str) -> (Token, bool) {
    match signin::staff_by_password(db, login, PASSWORD, Lang::Ru, &visitor()).await {
        Ok(StaffEntered::SecondFactor(token)) => (token, false),
        Ok(StaffEntered::SetUp(token)) => (token, true),
        Err(e) => panic!("{e:?}"),
    }
}

both_engines!(s09_staff_set_up_a_second_factor_before_anything_opens, async |world| {
    let db = &world.db;
    employ(world, "agent").await;
    let (token, is_setup) = staff_first(db, "agent").await;
    assert!(is_setup);
    assert!(matches!(
        factors::finish_setup(db, &token, &visitor()).await,
        Err(Error::Stale)
    ));
    let secret = factors::setup(db, &token)
        .await
        .expect("read")
        .pending
        .totp
        .expect("offered");
    let code = secret.code(db.now());
    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert_eq!(
        flaw(factors::setup_totp(db, &token, wrong, &visitor()).await),
        Flaw::WrongSecond
    );
    factors::setup_totp(db, &token, &code, &visitor())
        .await
        .expect("set up");
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM sessions"),
        0,
        "the codes are to be saved first"
    );
    // Whoever knows the password alone cannot walk in over the setup that another attempt did.
    let (thief, is_setup) = staff_first(db, "agent").await;
    assert!(!is_setup);
    assert!(matches!(factors::setup(db, &thief).await, Err(Error::Stale)));
    assert!(matches!(
        factors::setup_totp(db, &thief, &code, &visitor()).await,
        Err(Error::Stale)
    ));
    let question = factors::ask_setup_passkey(db, &thief)
        .await
        .expect("asked")
        .expect("possible");
    let credential = Authenticator::new(ORIGIN).create(&question.options);
    assert!(matches!(
        factors::setup_passkey(db, &thief, "Ключ", answer(&question, &credential)).await,
        Err(Error::Stale)
    ));
    assert!(matches!(
        factors::finish_setup(db, &thief, &visitor()).await,
        Err(Error::Stale)
    ));
    assert_eq!(factors::setup(db, &token).await.expect("read").pending.codes.len(), 10);
    let opened = factors::finish_setup(db, &token, &visitor()).await.expect("in");
    assert_eq!(staff_of(db, &opened).await.name(), "agent");
    // And from then on the second factor.
    let (token, _) = staff_first(db, "agent").await;
    let code = secret.code(db.now() + Duration::seconds(30));
    factors::second_by_code(db, &token, Purpose::Staff, &code, &visitor())
        .await
        .expect("in");
});

both_engines!(
    s09_a_passkey_is_as_good_for_staff_and_the_last_factor_stays,
    async |world| {
        let db = &world.db;
        employ(world, "agent").await;
        let (token, _) = staff_first(db, "agent").await;
        let mut device = Authenticator::new(ORIGIN);
        let question = factors::ask_setup_passkey(db, &token)
            .await
            .expect("asked")
            .expect("possible");
        let credential = device.create(&question.options);
        factors::setup_passkey(db, &token, "Ключ", answer(&question, &credential))
            .await
            .expect("set up");
        let opened = factors::finish_setup(db, &token, &visitor()).await.expect("in");
        let agent = staff_of(db, &opened).await;
        let by = Known::Staff(&agent).fresh(db).expect("fresh");
        let passkey = factors::overview(db, Known::Staff(&agent))
            .await
            .expect("read")
            .passkeys
            .remove(0);
        assert!(matches!(
            factors::remove(db, &by, passkey.id).await,
            Err(Error::Forbidden)
        ));
        let (token, is_setup) = staff_first(db, "agent").await;
        assert!(!is_setup);
        let question = factors::ask_second(db, &token, Purpose::Staff)
            .await
            .expect("asked")
            .expect("a passkey");
        let credential = device.get(&question.options);
        factors::second_by_passkey(db, &token, Purpose::Staff, answer(&question, &credential), &visitor())
            .await
            .expect("in");
        // It is no way into the customers' cabinet.
        let browser = Token::random();
        let question = passkey::ask_to_sign_in(db, &browser)
            .await
            .expect("asked")
            .expect("possible");
        let credential = device.get(&question.options);
        let other_door = factors::sign_in_by_passkey(db, &browser, answer(&question, &credential), &visitor()).await;
        assert_eq!(flaw(other_door), Flaw::WrongPasskey);
        factors::offer_totp(db, &by).await.expect("offered");
        let pending = pending(db, &by).await;
        assert!(pending.codes.is_empty(), "there are recovery codes already");
        let code = pending.totp.expect("a secret").code(db.now());
        factors::confirm_totp(db, &by, &code, &visitor())
            .await
            .expect("the code fits");
        factors::remove(db, &by, passkey.id)
            .await
            .expect("there is another now");
        assert!(
            who::staff(db, &opened.token, &visitor()).await.expect("read").is_some(),
            "no session ended"
        );
    }
);

both_engines!(staff_are_told_that_somebody_has_their_password, async |world| {
    let db = &world.db;
    const TOLD: &str = "SELECT COUNT(*) FROM outbox WHERE template = 'staff_kept_out'";
    const TRIES: &str = "SELECT COUNT(*) FROM failures";
    let [agent, quiet] = [employ(world, "agent").await, employ(world, "quiet").await];
    sql!(
        world,
        "UPDATE staff SET email = 'agent@example.com' WHERE id = $1",
        agent
    );
    let secret = factors::give_totp(db, &SYSTEM, agent).await.expect("given");
    factors::give_totp(db, &SYSTEM, quiet).await.expect("given");
    let wrong = async |token: &Token, there: &Visitor| {
        // Neither of now nor of a step beside it.
        let codes = [-30, 0, 30].map(|seconds| secret.code(db.now() + Duration::seconds(seconds)));
        let mut others = ["000000", "000001", "000002", "000003"].into_iter();
        let typed = others.find(|code| codes.iter().all(|right| right != code));
        let typed = typed.expect("one of four is none of three");
        flaw(factors::second_by_code(db, token, Purpose::Staff, typed, there).await)
    };
    let (token, _) = staff_first(db, "agent").await;
    world.clock.set(db.now() + Duration::minutes(1));
    // Once for an attempt, however often it is tried.
    for _ in 0..2 {
        assert_eq!(wrong(&token, &from("203.0.113.9")).await, Flaw::WrongSecond);
        assert_eq!(one!(world, i64, TOLD), 1);
    }
    const BODY: &str = "SELECT body FROM outbox WHERE template = 'staff_kept_out' AND address = 'agent@example.com' AND channel = 'email'";
    let body = one!(world, String, BODY);
    assert!(
        body.contains("203.0.113.9") && body.contains("/admin/security"),
        "from where, and what to do: {body}"
    );
    // What is right, and a wrong password, is no news.
    factors::second_by_code(db, &token, Purpose::Staff, &secret.code(db.now()), &visitor())
        .await
        .expect("in");
    let guess = signin::staff_by_password(db, "agent", "не тот пароль", Lang::Ru, &visitor()).await;
    assert!(guess.is_err());
    assert_eq!(one!(world, i64, TOLD), 1);
    // The next attempt is.
    world.clock.set(db.now() + Duration::minutes(1));
    let (token, _) = staff_first(db, "agent").await;
    assert_eq!(wrong(&token, &visitor()).await, Flaw::WrongSecond);
    assert_eq!(one!(world, i64, TOLD), 2);
    // Of whom no address is known nobody is written to, and without its template nothing is; the tries count all the same.
    let (token, _) = staff_first(db, "quiet").await;
    assert_eq!(wrong(&token, &visitor()).await, Flaw::WrongSecond);
    world.clock.set(db.now() + Duration::minutes(1));
    let (token, _) = staff_first(db, "agent").await;
    sql!(
        world,
        "UPDATE templates SET code = 'gone' WHERE code = 'staff_kept_out'"
    );
    let before = one!(world, i64, TRIES);
    assert_eq!(wrong(&token, &visitor()).await, Flaw::WrongSecond);
    assert_eq!((one!(world, i64, TOLD), one!(world, i64, TRIES)), (2, before + 1));
});

both_engines!(
    what_the_demonstration_gave_its_inbox_shows_and_nothing_else,
    async |world| {
        let db = &world.db;
        let agent = employ(world, "agent").await;
        let secret = factors::give_totp(db, &SYSTEM, agent).await.expect("given");
        employ(world, "other").await;
        let (token, _) = staff_first(db, "other").await;
        let own = factors::setup(db, &token)
            .await
            .expect("read")
            .pending
            .totp
            .expect("offered");
        factors::setup_totp(db, &token, &own.code(db.now()), &visitor())
            .await
            .expect("set up");
        let shown = factors::demonstration_codes(db).await.expect("read");
        assert_eq!(shown.len(), 1);
        assert_eq!(
            (shown[0].login.as_str(), shown[0].code.clone()),
            ("agent", secret.code(db.now()))
        );
        assert!((1..=30).contains(&shown[0].seconds_left));
        let (token, is_setup) = staff_first(db, "agent").await;
        assert!(!is_setup);
        let opened = factors::second_by_code(db, &token, Purpose::Staff, &shown[0].code, &visitor()).await;
        let agent_in = opened.expect("in");
        crm::factor::reset(db, &System::at_the_command_line(), agent)
            .await
            .expect("reset");
        assert!(
            who::staff(db, &agent_in.token, &visitor())
                .await
                .expect("read")
                .is_none()
        );
        assert!(staff_first(db, "agent").await.1, "sets up anew");
    }
);

both_engines!(
    s14_a_way_in_that_was_begun_by_an_old_password_is_over_with_it,
    async |world| {
        let db = &world.db;
        let agent = employ(world, "agent").await;
        let line = System::at_the_command_line();
        let hash = password::hash("another one of theirs").await.expect("hashed");
        // At the second step, and where one is set up for the first time.
        for has_factor in [true, false] {
            let (token, is_setup) = {
                if has_factor {
                    factors::give_totp(db, &SYSTEM, agent).await.expect("given");
                }
                staff_first(db, "agent").await
            };
            assert_eq!(is_setup, !has_factor);
            if has_factor {
                crm::factor::reset(db, &line, agent).await.expect("reset");
            } else {
                crm::staff::store::set_password(db, &line, agent, &hash)
                    .await
                    .expect("another password");
            }
            assert!(matches!(factors::setup(db, &token).await, Err(Error::Stale)));
            let code = factors::setup_totp(db, &token, "000000", &visitor()).await;
            assert!(matches!(code, Err(Error::Stale)), "{code:?}");
        }
    }
);

both_engines!(
    s14_another_password_of_a_customer_ends_what_waits_for_a_second_step,
    async |world| {
        let db = &world.db;
        let anna = anna(world).await;
        let (secret, _) = turn_on(db, &by(db, &anna)).await;
        world.clock.set(db.now() + Duration::seconds(60));
        let thief = first_step(db).await;
        let fresh = anna.fresh(db).expect("fresh");
        confirm::set_password(db, &fresh, PASSWORD, "другие длинные слова дома", &visitor())
            .await
            .expect("changed");
        let told = second(db, &thief, &secret.code(db.now())).await;
        assert!(matches!(told, Err(Error::Stale)));
    }
);

both_engines!(
    s11_codes_of_an_app_are_tried_a_hundred_times_a_day_from_everywhere,
    async |world| {
        let db = &world.db;
        let anna = anna(world).await;
        let (secret, codes) = turn_on(db, &by(db, &anna)).await;
        world.clock.set(db.now() + Duration::seconds(60));
        let token = first_step(db).await;
        let mut wrong = 0;
        for n in 0..40 {
            let thief = from(&format!("203.0.113.{n}"));
            for _ in 0..5 {
                let told = factors::second_by_code(db, &token, Purpose::SignIn, "000000", &thief).await;
                wrong += usize::from(matches!(told, Err(Error::Invalid(_))));
            }
        }
        assert_eq!(wrong, 100);
        // Not even the right one is compared then, from anywhere; what is too long to be guessed still opens.
        let told = second(db, &token, &secret.code(db.now())).await;
        assert!(matches!(told, Err(Error::TooMany { .. })));
        second(db, &token, &codes[0]).await.expect("by a recovery code");
        world.clock.set(db.now() + Duration::hours(25));
        let token = first_step(db).await;
        second(db, &token, &secret.code(db.now())).await.expect("a day later");
    }
);

both_engines!(
    s11_strangers_on_ones_network_keep_nobody_from_a_second_step,
    async |world| {
        let db = &world.db;
        let anna = anna(world).await;
        let (secret, _) = turn_on(db, &by(db, &anna)).await;
        world.clock.set(db.now() + Duration::seconds(60));
        let token = first_step(db).await;
        for n in 0..50 {
            let phone = format!("+7900111{n:04}");
            let told = signin::by_password(db, &phone, "not the password", Lang::Ru, &visitor()).await;
            assert!(matches!(told.map(drop), Err(Error::Invalid(_))), "{n}");
        }
        let told = signin::by_password(db, PHONE, PASSWORD, Lang::Ru, &visitor()).await;
        assert!(matches!(told.map(drop), Err(Error::TooMany { .. })));
        second(db, &token, &secret.code(db.now())).await.expect("in");
    }
);

both_engines!(staff_change_their_password_and_end_their_sessions, async |world| {
    let db = &world.db;
    let id = employ(world, "agent").await;
    let secret = factors::give_totp(db, &SYSTEM, id).await.expect("given");
    let mut opened = Vec::new();
    for later in [0, 30] {
        let (token, _) = staff_first(db, "agent").await;
        let code = secret.code(db.now() + Duration::seconds(later));
        opened.push(
            factors::second_by_code(db, &token, Purpose::Staff, &code, &visitor())
                .await
                .expect("in"),
        );
    }
    let (one, two) = (staff_of(db, &opened[0]).await, staff_of(db, &opened[1]).await);
    assert_eq!(crm::staff::store::sessions(db, &one).await.expect("read").len(), 2);
    let fresh = one.fresh(db).expect("fresh");
    let end = async |id| crm::staff::store::end_session(db, &fresh, id).await;
    end(Some(two.session())).await.expect("ended");
    assert!(matches!(end(Some(two.session())).await, Err(Error::NotFound)));
    assert!(
        who::staff(db, &opened[1].token, &visitor())
            .await
            .expect("read")
            .is_none()
    );
    let change = async |current: &str, typed: &str| {
        crm::staff::store::change_password(db, &fresh, current, typed, &visitor()).await
    };
    assert_eq!(flaw(change("", "пятьдесят лошадей у реки").await), Flaw::Missing);
    assert_eq!(
        flaw(change("не тот пароль совсем", "пятьдесят лошадей у реки").await),
        Flaw::WrongPassword
    );
    assert_eq!(flaw(change(PASSWORD, "agentagentagentagent").await), Flaw::WeakPassword);
    change(PASSWORD, "пятьдесят лошадей у реки").await.expect("changed");
    // And all others at once.
    world.clock.set(db.now() + Duration::minutes(2));
    let (token, _) = match signin::staff_by_password(db, "agent", "пятьдесят лошадей у реки", Lang::Ru, &visitor())
        .await
    {
        Ok(StaffEntered::SecondFactor(token)) => (token, false),
        _ => panic!("the second factor is asked for"),
    };
    let code = secret.code(db.now());
    let third = factors::second_by_code(db, &token, Purpose::Staff, &code, &visitor())
        .await
        .expect("in");
    end(None).await.expect("ended");
    assert!(who::staff(db, &third.token, &visitor()).await.expect("read").is_none());
    assert!(
        who::staff(db, &opened[0].token, &visitor())
            .await
            .expect("read")
            .is_some()
    );
    let old = signin::staff_by_password(db, "agent", PASSWORD, Lang::Ru, &visitor()).await;
    assert_eq!(flaw(old), Flaw::WrongPassword);
});
