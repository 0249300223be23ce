//! Coming in by phone and code, registration, passwords, sessions.

use crate::common::people::{self, one, row, sql, template};
use crm::consent::store as consents;
use crm::contact::{Kind, store as contacts};
use crm::customer::{PersonForm, store as customers};
use crm::db::Db;
use crm::error::Error;
use crm::flaw::Flaw;
use crm::id::{EnrolmentId, FactorId, KnownDeviceId, RemovalId};
use crm::lang::Lang;
use crm::program::store as programs;
use crm::signin::Draft;
use crm::signin::attempts::{self, Purpose};
use crm::signin::history;
use crm::signin::store::{self as signin, Details, Entered, Verified};
use crm::testing::{World, start};
use crm::who::{self, Customer, Opened, System, Token, Visitor};
use crm::{both_engines, outbox};
use futures::future::join_all;

const PHONE: &str = "8 (900) 000-00-01";
const PASSWORD: &str = "корова летит над луной";

fn visitor() -> Visitor {
    Visitor {
        network: "192.0.2.7".into(),
        device: "Test".into(),
        ..Visitor::default()
    }
}

async fn ready(world: &World) -> &Db {
    crm::content::load(&world.db, &System::at_the_command_line())
        .await
        .expect("content loads");
    &world.db
}

async fn last_code(db: &Db) -> String {
    let inbox = outbox::inbox(db, 1).await.expect("inbox");
    inbox[0].body.chars().filter(char::is_ascii_digit).take(6).collect()
}

fn details() -> Details {
    Details {
        draft: Draft {
            person: PersonForm {
                name: "Анна-Мария".into(),
                surname: "O'Neill".into(),
                day: "29".into(),
                month: "2".into(),
                year: "1992".into(),
            },
            email: "Anna@Example.com".into(),
            consents: vec!["personal_data".into(), "loyalty_rules".into(), "marketing_email".into()],
            password_hash: None,
        },
        password: PASSWORD.into(),
        keep_password: false,
    }
}

/// Proves a phone; the attempt's token and where it led.
async fn prove(db: &Db, phone: &str) -> (Token, Verified) {
    let token = signin::start(db, phone, Lang::Ru, &visitor())
        .await
        .expect("a code is sent");
    let code = last_code(db).await;
    let verified = signin::verify(db, &token, &code, &visitor())
        .await
        .expect("the code fits");
    (token, verified)
}

async fn register(db: &Db) -> (Customer, Opened) {
    let (token, verified) = prove(db, PHONE).await;
    assert!(matches!(verified, Verified::Register));
    signin::save_draft(db, &token, &details())
        .await
        .expect("the details fit");
    let opened = signin::register(db, &token, Lang::Ru, None, &visitor())
        .await
        .expect("registered");
    let customer = who::customer(db, &opened.token, &visitor())
        .await
        .expect("read")
        .expect("signed in");
    (customer, opened)
}

async fn by_password(db: &Db, phone: &str, typed: &str, visitor: &Visitor) -> Result<Opened, Error> {
    match signin::by_password(db, phone, typed, Lang::Ru, visitor).await? {
        Entered::In(opened) => Ok(opened),
        Entered::SecondFactor(_) => panic!("nobody here has a second factor"),
    }
}

fn flaws(result: Result<(), Error>) -> Vec<(String, Flaw)> {
    match result {
        Err(Error::Invalid(flaws)) => flaws,
        other => panic!("{other:?}"),
    }
}

both_engines!(a_new_phone_registers_and_a_known_one_signs_in, async |world| {
    let db = ready(world).await;
    let (customer, _) = register(db).await;
    assert_eq!((customer.name(), customer.language()), ("Анна-Мария", Lang::Ru));
    let mut conn = db.read().await.expect("conn");
    let cards = crm::card::store::of(&mut conn, customer.me()).await.expect("cards");
    assert_eq!(cards.len(), 1);
    assert_eq!(crm::card::number(&cards[0].number).as_ref(), Some(&cards[0].number));
    assert!(cards[0].number.starts_with("290"));
    let profile = customers::profile(&mut conn, customer.me()).await.expect("profile");
    let kept: Vec<_> = profile
        .contacts
        .iter()
        .map(|c| (c.kind, c.value.as_str(), c.verified_at.is_some()))
        .collect();
    assert_eq!(
        kept,
        [
            (Kind::Phone, "+79000000001", true),
            (Kind::Email, "anna@example.com", false)
        ]
    );
    let mut given: Vec<_> = consents::history(&mut conn, customer.me())
        .await
        .expect("consents")
        .into_iter()
        .map(|c| c.code)
        .collect();
    given.sort();
    assert_eq!(given, ["loyalty_rules", "marketing_email", "personal_data"]);
    let joined: Vec<_> = programs::list(&mut conn, customer.me()).await.expect("programs");
    let joined: Vec<_> = joined
        .iter()
        .filter(|p| p.joined_at.is_some())
        .map(|p| p.code.as_str())
        .collect();
    assert_eq!(joined, ["club"]);
    drop(conn);
    // The welcome went out together with the card, to an address that nobody has proved: it does not name the number.
    let mail = outbox::inbox(db, 1).await.expect("inbox");
    assert!(
        mail[0].template == "welcome" && mail[0].body.contains("Анна") && !mail[0].body.contains(&cards[0].number),
        "{}",
        mail[0].body
    );
    world.clock.set(db.now() + chrono::Duration::minutes(1));
    let (_, verified) = prove(db, "+79000000001").await;
    assert!(matches!(verified, Verified::SignedIn(_)));
});

both_engines!(newer_words_of_a_message_take_the_place_of_older_ones, async |world| {
    // What an older program left behind.
    template(world, "welcome", 1, "Your card", "Its number is {card}", start()).await;
    let db = ready(world).await;
    register(db).await;
    let mail = outbox::inbox(db, 1).await.expect("inbox");
    assert!(
        mail[0].template == "welcome" && mail[0].body.contains("кабинете"),
        "{}",
        mail[0].body
    );
});

both_engines!(a_known_and_an_unknown_phone_cause_the_same, async |world| {
    let db = ready(world).await;
    register(db).await;
    world.clock.set(db.now() + chrono::Duration::hours(2));
    let before = outbox::inbox(db, 50).await.expect("inbox").len();
    signin::start(db, PHONE, Lang::Ru, &visitor()).await.expect("known");
    signin::start(db, "+79000000002", Lang::Ru, &visitor())
        .await
        .expect("unknown");
    let sent = outbox::inbox(db, 50).await.expect("inbox");
    assert_eq!(sent.len(), before + 2);
    assert_eq!(sent[0].template, sent[1].template);
});

both_engines!(a_code_has_five_tries_ten_minutes_and_one_use, async |world| {
    let db = ready(world).await;
    let token = signin::start(db, PHONE, Lang::En, &visitor()).await.expect("sent");
    let code = last_code(db).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(
            flaws(signin::verify(db, &token, wrong, &visitor()).await.map(drop))[0]
                .1
                .clone(),
        );
    }
    let left = |left| Flaw::WrongCode { left };
    assert_eq!(told, [left(4), left(3), left(2), left(1), Flaw::ExpiredCode]);
    // Dead even for the right code now.
    assert_eq!(
        flaws(signin::verify(db, &token, &code, &visitor()).await.map(drop))[0].1,
        Flaw::ExpiredCode
    );
    world.clock.set(db.now() + chrono::Duration::seconds(31));
    signin::resend(db, &token, Purpose::SignIn, &visitor())
        .await
        .expect("another");
    let code = last_code(db).await;
    world.clock.set(db.now() + chrono::Duration::minutes(10));
    assert_eq!(
        flaws(signin::verify(db, &token, &code, &visitor()).await.map(drop))[0].1,
        Flaw::ExpiredCode
    );
    signin::resend(db, &token, Purpose::SignIn, &visitor())
        .await
        .expect("another");
    let code = last_code(db).await;
    // Spaces between the digits are how people copy them.
    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
    assert!(matches!(
        signin::verify(db, &token, &spaced, &visitor()).await,
        Ok(Verified::Register)
    ));
    assert_eq!(
        flaws(signin::verify(db, &token, &code, &visitor()).await.map(drop))[0].1,
        Flaw::ExpiredCode
    );
});

both_engines!(s08_codes_that_are_guessed_at_once_have_five_tries, async |world| {
    let db = ready(world).await;
    let token = &signin::start(db, PHONE, Lang::Ru, &visitor()).await.expect("sent");
    let code = last_code(db).await;
    let wrong = &if code == "000000" { "000001" } else { "000000" };
    let guesses = (0..30).map(|_| async move { signin::verify(db, token, wrong, &visitor()).await.map(drop) });
    let told = join_all(guesses).await;
    let mut left: Vec<u32> = told
        .into_iter()
        .filter_map(|told| match flaws(told)[0].1 {
            Flaw::WrongCode { left } => Some(left),
            _ => None,
        })
        .collect();
    left.sort_unstable();
    assert_eq!(left, [1, 2, 3, 4], "each guess was one of the five");
    assert_eq!(
        flaws(signin::verify(db, token, &code, &visitor()).await.map(drop))[0].1,
        Flaw::ExpiredCode
    );
});

both_engines!(s08_one_code_is_sent_where_many_are_asked_for_at_once, async |world| {
    let db = ready(world).await;
    let asked = (0..20).map(|_| async move { signin::start(db, PHONE, Lang::Ru, &visitor()).await.is_ok() });
    let sent = join_all(asked).await.into_iter().filter(|sent| *sent).count();
    assert_eq!(sent, 1);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM codes"), 1);
});

both_engines!(s08_passwords_that_are_guessed_at_once_have_eight_tries, async |world| {
    let db = ready(world).await;
    let guesses = (0..20).map(|_| async move { by_password(db, PHONE, "wrong", &visitor()).await.map(drop) });
    let told = join_all(guesses).await;
    assert_eq!(people::guesses(&told), (8, 12), "{told:?}");
});

both_engines!(codes_are_bound_to_their_attempt_and_rare, async |world| {
    let db = ready(world).await;
    let mine = signin::start(db, PHONE, Lang::Ru, &visitor()).await.expect("sent");
    let code = last_code(db).await;
    assert!(matches!(
        signin::start(db, PHONE, Lang::Ru, &visitor()).await,
        Err(Error::TooMany { retry_after: 1..=30 })
    ));
    world.clock.set(db.now() + chrono::Duration::seconds(31));
    let theirs = signin::start(db, PHONE, Lang::Ru, &visitor()).await.expect("sent");
    assert!(signin::verify(db, &theirs, &code, &visitor()).await.is_err());
    assert!(signin::verify(db, &mine, &code, &visitor()).await.is_ok());
    let mut sent = 2;
    while sent < 20 {
        world.clock.set(db.now() + chrono::Duration::seconds(31));
        match signin::start(db, PHONE, Lang::Ru, &visitor()).await {
            Ok(_) => sent += 1,
            Err(Error::TooMany { .. }) => break,
            Err(e) => panic!("{e}"),
        }
    }
    assert_eq!(sent, 8);
});

both_engines!(
    details_are_checked_field_by_field_and_wait_for_the_review,
    async |world| {
        let db = ready(world).await;
        let token = signin::start(db, PHONE, Lang::Ru, &visitor()).await.expect("sent");
        // Nothing is asked before the phone is proved.
        assert!(matches!(
            signin::save_draft(db, &token, &details()).await,
            Err(Error::Stale)
        ));
        let code = last_code(db).await;
        signin::verify(db, &token, &code, &visitor()).await.expect("fits");
        let mut bad = details();
        bad.draft.person.name = "<b>".into();
        bad.draft.person.day = "31".into();
        bad.draft.email = "anna@".into();
        bad.draft.consents = vec!["personal_data".into(), "nonsense".into()];
        bad.password = "короткий".into();
        let found = flaws(signin::save_draft(db, &token, &bad).await);
        let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(
            fields,
            ["name", "birthday", "email", "password", "consent_loyalty_rules"]
        );
        for weak in [
            "79000000001 anna@example.com",
            "aaaaaaaaaaaaaaaaaaaa",
            "Анна-Мария O'Neill 1",
        ] {
            let found = flaws(
                signin::save_draft(
                    db,
                    &token,
                    &Details {
                        password: weak.into(),
                        ..details()
                    },
                )
                .await,
            );
            assert_eq!(found, [("password".to_owned(), Flaw::WeakPassword)], "{weak}");
        }
        assert!(matches!(
            signin::register(db, &token, Lang::Ru, None, &visitor()).await,
            Err(Error::Stale)
        ));
        signin::save_draft(db, &token, &details()).await.expect("fits");
        let again = Details {
            password: String::new(),
            keep_password: true,
            ..details()
        };
        signin::save_draft(db, &token, &again).await.expect("fits");
        let attempt = attempts::attempt(db, &token, Purpose::SignIn).await.expect("open");
        let draft = attempt.draft.expect("it waits");
        assert_eq!(draft.person, details().draft.person);
        assert!(
            draft
                .password_hash
                .is_some_and(|h| h.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"))
        );
    }
);

both_engines!(
    a_password_signs_in_and_wrong_ones_are_counted_per_network,
    async |world| {
        let db = ready(world).await;
        register(db).await;
        assert!(by_password(db, "9000000001", PASSWORD, &visitor()).await.is_ok());
        let known = flaws(by_password(db, PHONE, "wrong", &visitor()).await.map(drop));
        let unknown = flaws(by_password(db, "+79000000009", "wrong", &visitor()).await.map(drop));
        assert_eq!(known, unknown);
        for _ in 0..7 {
            by_password(db, PHONE, "wrong", &visitor()).await.err().expect("wrong");
        }
        assert!(matches!(
            by_password(db, PHONE, PASSWORD, &visitor()).await,
            Err(Error::TooMany { .. })
        ));
        // The owner still comes in from elsewhere.
        let home = Visitor {
            network: "198.51.100.1".into(),
            ..visitor()
        };
        assert!(by_password(db, PHONE, PASSWORD, &home).await.is_ok());
    }
);

both_engines!(sessions_end_when_they_should, async |world| {
    let db = ready(world).await;
    let (customer, first) = register(db).await;
    let second = by_password(db, PHONE, PASSWORD, &visitor()).await.expect("in");
    assert_eq!(signin::devices(db, &customer).await.expect("list").len(), 2);
    signin::end_device(db, &customer.fresh(db).expect("fresh"), None)
        .await
        .expect("the others end");
    assert!(
        who::customer(db, &second.token, &visitor())
            .await
            .expect("read")
            .is_none()
    );
    assert!(
        who::customer(db, &first.token, &visitor())
            .await
            .expect("read")
            .is_some()
    );
    signin::sign_out(db, &first.token).await.expect("out");
    assert!(
        who::customer(db, &first.token, &visitor())
            .await
            .expect("read")
            .is_none()
    );
    let third = by_password(db, PHONE, PASSWORD, &visitor()).await.expect("in");
    world.clock.set(db.now() + who::CUSTOMER_IDLE);
    assert!(
        who::customer(db, &third.token, &visitor())
            .await
            .expect("read")
            .is_none()
    );
});

both_engines!(browsers_that_are_known_are_few_and_forgotten_in_time, async |world| {
    let db = ready(world).await;
    let (customer, opened) = register(db).await;
    let id = customer.id();
    let first = opened.device.expect("it is known from now on");
    for n in 0..25_i64 {
        sql!(
            world,
            "INSERT INTO known_devices (id, customer_id, token_hash, created_at, seen_at) VALUES ($1, $2, $3, $4, $4)",
            KnownDeviceId::new(),
            id,
            Token::random().hash(),
            start() + chrono::Duration::seconds(n + 1),
        );
    }
    world.clock.set(start() + chrono::Duration::hours(1));
    let count = "SELECT COUNT(*) FROM known_devices";
    by_password(db, PHONE, PASSWORD, &visitor()).await.expect("in");
    assert_eq!(one!(world, i64, count), 20, "the last ones");
    // The one of the registration was the oldest of all.
    let with_first = Visitor {
        known_device: Some(first.clone()),
        ..visitor()
    };
    let again = by_password(db, PHONE, PASSWORD, &with_first).await.expect("in");
    assert_ne!(
        again.device.expect("a token").secret(),
        first.secret(),
        "what is forgotten is none of ours"
    );
    let told = "SELECT COUNT(*) FROM outbox WHERE template = 'new_device'";
    assert_eq!(one!(world, i64, told), 2);
    world
        .clock
        .set(start() + chrono::Duration::hours(2) + crm::signin::known::KEPT);
    signin::sweep(db, &System::at_the_command_line()).await.expect("swept");
    assert_eq!(one!(world, i64, count), 0);
});

both_engines!(profiles_change_field_by_field, async |world| {
    let db = ready(world).await;
    let (customer, _) = register(db).await;
    let fresh = customer.fresh(db).expect("just registered");
    contacts::add(db, &fresh, Kind::Phone, "8 900 000 00 02")
        .await
        .expect("added");
    assert_eq!(
        flaws(contacts::add(db, &fresh, Kind::Phone, "+7 900 000-00-02").await),
        [("phone".to_owned(), Flaw::Taken)]
    );
    contacts::add(db, &fresh, Kind::Email, "second@example.com")
        .await
        .expect("added");
    let list = async || {
        let mut conn = db.read().await.expect("conn");
        contacts::of(&mut conn, customer.me()).await.expect("contacts")
    };
    let all = list().await;
    assert_eq!(all.len(), 4);
    assert_eq!(
        flaws(contacts::remove(db, &fresh, all[0].id).await),
        [("phone".to_owned(), Flaw::LastOne)]
    );
    // What nobody proved never becomes the main one, over whatever.
    let refused = contacts::make_primary(db, &fresh, all[3].id).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    sql!(
        world,
        "UPDATE contacts SET verified_at = created_at WHERE kind = 'email'"
    );
    contacts::make_primary(db, &fresh, all[3].id).await.expect("primary");
    contacts::remove(db, &fresh, all[3].id).await.expect("removed");
    let all = list().await;
    assert!(
        all.iter().any(|c| c.value == "anna@example.com" && c.is_primary),
        "{all:?}"
    );

    let child = |day: &str, agreed| customers::ChildForm {
        day: day.into(),
        month: "2".into(),
        year: "2020".into(),
        agreed,
    };
    let found = flaws(customers::add_child(db, &customer, &child("31", false), Lang::Ru).await);
    assert_eq!(
        found.iter().map(|f| f.0.as_str()).collect::<Vec<_>>(),
        ["child", "child_consent"]
    );
    customers::add_child(db, &customer, &child("28", true), Lang::Ru)
        .await
        .expect("added");
    let mut conn = db.read().await.expect("conn");
    let profile = customers::profile(&mut conn, customer.me()).await.expect("profile");
    drop(conn);
    customers::remove_child(db, &customer, profile.children[0].id, Lang::Ru)
        .await
        .expect("removed");
    let mut conn = db.read().await.expect("conn");
    let history = consents::history(&mut conn, customer.me()).await.expect("history");
    let acts: Vec<_> = history.iter().filter(|c| c.code == "child").map(|c| c.act).collect();
    assert_eq!(acts, [crm::consent::Act::Withdrawn, crm::consent::Act::Given]);
});

both_engines!(programs_are_joined_under_the_terms_that_were_shown, async |world| {
    let db = ready(world).await;
    let (customer, _) = register(db).await;
    assert!(matches!(
        programs::join(db, &customer, "family", 7).await,
        Err(Error::Stale)
    ));
    assert!(matches!(
        programs::join(db, &customer, "nothing", 1).await,
        Err(Error::NotFound)
    ));
    for _ in 0..2 {
        programs::join(db, &customer, "family", 1)
            .await
            .expect("joined, and again nothing");
    }
    programs::leave(db, &customer, "family").await.expect("left");
    programs::join(db, &customer, "family", 1).await.expect("and back");
    let mut conn = db.read().await.expect("conn");
    assert!(
        programs::get(&mut conn, customer.me(), "family")
            .await
            .expect("it is there")
            .joined_at
            .is_some()
    );
});

both_engines!(consents_are_given_and_withdrawn_and_required_ones_stay, async |world| {
    use crm::consent::Act;
    let db = ready(world).await;
    let (customer, _) = register(db).await;
    assert!(matches!(
        consents::change(db, &customer, "personal_data", Act::Withdrawn, 1, Lang::Ru).await,
        Err(Error::Forbidden)
    ));
    // A text that nobody showed, and the consent that only a child's birthday brings.
    assert!(matches!(
        consents::change(db, &customer, "marketing_sms", Act::Given, 2, Lang::Ru).await,
        Err(Error::Stale)
    ));
    for act in [Act::Given, Act::Withdrawn] {
        assert!(matches!(
            consents::change(db, &customer, "child", act, 1, Lang::Ru).await,
            Err(Error::NotFound)
        ));
    }
    for act in [Act::Given, Act::Withdrawn, Act::Withdrawn, Act::Given] {
        consents::change(db, &customer, "marketing_email", act, 1, Lang::Ru)
            .await
            .expect("changed");
    }
    let mut conn = db.read().await.expect("conn");
    let history = consents::history(&mut conn, customer.me()).await.expect("history");
    let acts: Vec<_> = history
        .iter()
        .filter(|c| c.code == "marketing_email")
        .map(|c| c.act)
        .collect();
    assert_eq!(acts, [Act::Given, Act::Withdrawn, Act::Given]);
});

both_engines!(a_key_lets_a_change_happen_once, async |world| {
    use crm::db::Key;
    let db = ready(world).await;
    let (customer, _) = register(db).await;
    let fresh = &customer.fresh(db).expect("just registered");
    let keyed = || {
        db.with_key(Key {
            scope: customer.id().to_string(),
            key: "k".into(),
            fingerprint: vec![1],
        })
    };
    // A change that fails does not use the key up.
    contacts::add(&keyed(), fresh, Kind::Email, "anna@example.com")
        .await
        .expect_err("taken");
    let once = keyed();
    contacts::add(&once, fresh, Kind::Email, "new@example.com")
        .await
        .expect("added");
    let again = contacts::add(&keyed(), fresh, Kind::Email, "other@example.com").await;
    assert!(matches!(again, Err(Error::Repeated)), "{again:?}");
    db.store_answer(&customer.id().to_string(), "k", "/profile")
        .await
        .expect("stored");
    let known = db.key_answer(&customer.id().to_string(), "k").await.expect("read");
    assert_eq!(known, Some((vec![1], Some("/profile".into()))));
});

both_engines!(s08_an_expired_code_stays_so_when_the_clock_is_set_back, async |world| {
    let db = ready(world).await;
    let begin = db.now();
    register(db).await;
    world.clock.set(begin + chrono::Duration::minutes(1));
    let token = signin::start(db, PHONE, Lang::Ru, &visitor()).await.expect("sent");
    let code = last_code(db).await;
    let typed = async || flaws(signin::verify(db, &token, &code, &visitor()).await.map(drop));
    world.clock.set(begin + chrono::Duration::minutes(12));
    assert_eq!(typed().await, [("code".into(), Flaw::ExpiredCode)]);
    world.clock.set(begin + chrono::Duration::minutes(2));
    assert_eq!(typed().await, [("code".into(), Flaw::ExpiredCode)]);
});

both_engines!(
    a_code_from_before_the_clock_was_set_back_keeps_no_other_one_back,
    async |world| {
        let db = ready(world).await;
        let begin = db.now();
        register(db).await;
        world.clock.set(begin + chrono::Duration::hours(1));
        let token = signin::start(db, PHONE, Lang::Ru, &visitor()).await.expect("sent");
        let code = last_code(db).await;
        world.clock.set(begin + chrono::Duration::minutes(5));
        let refused = signin::verify(db, &token, &code, &visitor()).await.map(drop);
        assert_eq!(flaws(refused), [("code".into(), Flaw::ExpiredCode)]);
        signin::resend(db, &token, Purpose::SignIn, &visitor())
            .await
            .expect("at once");
        let inbox = outbox::inbox(db, 10).await.expect("inbox");
        let sent = inbox.iter().find(|m| m.created_at == db.now()).expect("another code");
        let code: String = sent.body.chars().filter(char::is_ascii_digit).take(6).collect();
        let entered = signin::verify(db, &token, &code, &visitor()).await.expect("it fits");
        assert!(matches!(entered, Verified::SignedIn(_)));
    }
);

both_engines!(what_nobody_needs_any_more_goes_in_its_time, async |world| {
    const COUNTS: [&str; 6] = [
        "SELECT COUNT(*) FROM codes",
        "SELECT COUNT(*) FROM attempts",
        "SELECT COUNT(*) FROM idempotency_keys",
        "SELECT COUNT(*) FROM factors",
        "SELECT COUNT(*) FROM factor_removals",
        "SELECT COUNT(*) FROM enrolments",
    ];
    let db = ready(world).await;
    let begin = db.now();
    signin::start(db, PHONE, Lang::Ru, &visitor()).await.expect("sent");
    let key = crm::db::Key {
        scope: "a".into(),
        key: "b".into(),
        fingerprint: vec![1],
    };
    let keyed = db.with_key(key);
    let done: Result<(), Error> = keyed.write(|_| crm::db::scoped(async { Ok(()) })).await;
    done.expect("done under the key");
    let (anna, boris) = (row(world, "Анна", "К").await, row(world, "Борис", "К").await);
    for confirmed in [None, Some(begin)] {
        sql!(
            world,
            "INSERT INTO factors (id, customer_id, kind, name, data, created_at, confirmed_at) \
             VALUES ($1, $2, 'totp', '', 'secret', $3, $4)",
            FactorId::new(),
            anna,
            begin,
            confirmed,
        );
    }
    // Nobody granted the first, the second is on its way, the third is over.
    for (due, ended) in [(None, None), (Some(begin), None), (Some(begin), Some(begin))] {
        sql!(
            world,
            "INSERT INTO factor_removals (id, customer_id, asked_at, due_at, ended_at) VALUES ($1, $2, $3, $4, $5)",
            RemovalId::new(),
            anna,
            begin,
            due,
            ended,
        );
    }
    let new = crm::till::NewTill {
        code: "till".into(),
        name: "Касса".into(),
        source: "pos".into(),
        store: None,
    };
    let by = System::at_the_command_line();
    let till = crm::till::store::create_by_system(db, &by, &new).await.expect("a till");
    for (customer, phone, completed) in [(anna, "+79000000001", Some(begin)), (boris, "+79000000002", None)] {
        sql!(
            world,
            "INSERT INTO enrolments (id, till_id, customer_id, phone, created_at, completed_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            EnrolmentId::new(),
            till,
            customer,
            phone,
            begin,
            completed,
        );
    }

    let just_after = chrono::Duration::microseconds(1);
    for (days, moment, left) in [
        (2, chrono::Duration::zero(), [1, 1, 1, 2, 3, 2]),
        (2, just_after, [0, 1, 1, 2, 3, 2]),
        (3, just_after, [0, 0, 1, 2, 3, 2]),
        (7, just_after, [0, 0, 0, 2, 3, 2]),
        (30, chrono::Duration::zero(), [0, 0, 0, 2, 3, 2]),
        (30, just_after, [0, 0, 0, 1, 1, 1]),
        (300, just_after, [0, 0, 0, 1, 1, 1]),
    ] {
        world.clock.set(begin + chrono::Duration::days(days) + moment);
        signin::sweep(db, &by).await.expect("swept");
        for (sql, left) in COUNTS.into_iter().zip(left) {
            assert_eq!(one!(world, i64, sql), left, "{sql}, after {days} days and {moment}");
        }
    }
    for kept in [
        "SELECT COUNT(*) FROM factors WHERE confirmed_at IS NOT NULL",
        "SELECT COUNT(*) FROM factor_removals WHERE due_at IS NOT NULL AND ended_at IS NULL",
        "SELECT COUNT(*) FROM enrolments WHERE completed_at IS NULL",
    ] {
        assert_eq!(one!(world, i64, kept), 1, "{kept}");
    }
});

both_engines!(who_was_kept_out_is_told_to_whom_they_were_after, async |world| {
    let db = ready(world).await;
    let (anna, _) = register(db).await;
    for (phone, typed) in [(PHONE, "wrong"), ("+79000000009", "wrong"), (PHONE, PASSWORD)] {
        let _ = by_password(db, phone, typed, &visitor()).await;
    }
    world.clock.set(start() + chrono::Duration::minutes(1));
    let token = signin::start(db, PHONE, Lang::Ru, &visitor()).await.expect("a code");
    let right = last_code(db).await;
    let wrong = if right == "000000" { "000001" } else { "000000" };
    // Once the code is dead nothing more is written down.
    for _ in 0..8 {
        assert!(signin::verify(db, &token, wrong, &visitor()).await.is_err());
    }
    let mut conn = db.read().await.expect("a connection");
    let all = history::list(&mut conn, anna.me(), None, 100).await.expect("read");
    let told: Vec<_> = all.iter().rev().map(|one| (one.way.as_str(), one.is_let_in)).collect();
    assert_eq!(
        told[..3],
        [("registration", true), ("password", false), ("password", true)]
    );
    assert!(
        told[3..].iter().all(|one| *one == ("code", false)) && (4..=7).contains(&told.len()),
        "{told:?}"
    );
    assert!(
        all.iter().all(|one| one.network == "192.0.2.*" && one.device == "Test"),
        "{all:?}"
    );
    let (first, rest) = (all[0].at, all[0].id.0);
    let next = history::list(&mut conn, anna.me(), Some((first, rest)), 1)
        .await
        .expect("read");
    assert_eq!(next, all[1..2]);
});
