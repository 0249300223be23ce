//! Outside accounts: the way to a provider and back, what comes of it for customers and staff, linking and unlinking.

use crm::contact::Kind;
use crm::customer::PersonForm;
use crm::db::Db;
use crm::error::Error;
use crm::factor::Known;
use crm::flaw::Flaw;
use crm::id::CustomerId;
use crm::identity::store::{
    self as identity, Confirmed, Errand, HANDOFF_LIFE, Leaving, Link, Purpose, Refusal, Returned, StaffClaims,
    StaffEntered,
};
use crm::identity::{Linked, Outside};
use crm::lang::{Lang, Localized};
use crm::signin::Draft;
use crm::signin::attempts;
use crm::signin::store::{self as signin, Details, Verified};
use crm::staff::{NewStaff, Role, store as staff};
use crm::testing::World;
use crm::who::{self, Customer, System, Token, Visitor};
use crm::{both_engines, outbox};

use crate::common::people::{one, sql};

const BY: System = System::at_the_command_line();

fn visitor() -> Visitor {
    Visitor {
        network: "192.0.2.7".into(),
        device: "Test".into(),
        ..Visitor::default()
    }
}

fn account(subject: &str) -> Outside {
    Outside {
        provider: "test".into(),
        called: Localized::new("Тест", "Test"),
        issuer: "https://sso.example.com".into(),
        subject: subject.into(),
        shown: format!("{subject}@example.com"),
        name: Some("Зоя".into()),
        surname: Some("Лебедева".into()),
        email: Some(format!("{subject}@example.com")),
        birthday: Some("1990-05-03".into()),
        proved_at: None,
    }
}

/// The same, who proved there so many seconds ago who they are.
fn proved(db: &Db, subject: &str, seconds: i64) -> Outside {
    Outside {
        proved_at: Some(db.now() - chrono::Duration::seconds(seconds)),
        ..account(subject)
    }
}

async fn ready(world: &World) -> &Db {
    crm::content::load(&world.db, &BY).await.expect("content loads");
    &world.db
}

/// There and back again.
async fn travel(db: &Db, errand: Errand<'_>) -> Returned {
    let nonce = Token::random();
    let leaving = Leaving {
        provider: "test",
        errand,
        nonce: &nonce,
        verifier: "a verifier",
        next: "/points",
        network: "192.0.2.7",
    };
    let handoff = identity::leave(db, leaving).await.expect("left");
    let returned = identity::come_back(db, "test", &handoff.state, &handoff.browser).await;
    let returned = returned.expect("came back");
    assert_eq!(returned.nonce(), nonce.secret());
    returned
}

async fn sign_in(db: &Db, outside: &Outside) -> (Token, Verified) {
    let returned = travel(db, Errand::SignIn).await;
    identity::sign_in(db, &returned, outside, Lang::Ru, &visitor())
        .await
        .expect("taken")
}

async fn last_code(db: &Db) -> String {
    let inbox = outbox::inbox(db, 20).await.expect("inbox");
    let message = inbox.iter().find(|m| m.template == "sign_in_code").expect("a code");
    message.body.chars().filter(char::is_ascii_digit).take(6).collect()
}

/// Gives the phone of an attempt and proves it.
async fn prove_phone(db: &Db, token: &Token, phone: &str) -> Verified {
    signin::give_phone(db, token, phone, &visitor()).await.expect("sent");
    let code = last_code(db).await;
    signin::verify(db, token, &code, &visitor()).await.expect("proved")
}

/// Somebody who has registered by phone.
async fn registered(world: &World, phone: &str) -> Customer {
    let db = &world.db;
    let token = signin::start(db, phone, Lang::Ru, &visitor()).await.expect("sent");
    let code = last_code(db).await;
    signin::verify(db, &token, &code, &visitor()).await.expect("proved");
    finish(db, &token).await
}

/// Fills the registration in and ends it.
async fn finish(db: &Db, token: &Token) -> Customer {
    let details = Details {
        draft: Draft {
            person: PersonForm {
                name: "Зоя".into(),
                surname: "Лебедева".into(),
                day: "3".into(),
                month: "5".into(),
                year: "1990".into(),
            },
            email: String::new(),
            consents: vec!["personal_data".into(), "loyalty_rules".into()],
            password_hash: None,
        },
        ..Details::default()
    };
    signin::save_draft(db, token, &details).await.expect("saved");
    let opened = signin::register(db, token, Lang::Ru, None, &visitor())
        .await
        .expect("registered");
    proof(db, &opened.token).await
}

async fn proof(db: &Db, token: &Token) -> Customer {
    let found = who::customer(db, token, &visitor()).await.expect("the database");
    found.expect("signed in")
}

async fn templates(db: &Db) -> Vec<String> {
    let inbox = outbox::inbox(db, 100).await.expect("inbox");
    inbox.into_iter().map(|m| m.template).collect()
}

async fn linked(db: &Db, by: &Customer) -> Vec<Linked> {
    identity::linked(db, by).await.expect("linked")
}

async fn actions(world: &World, action: &str) -> i64 {
    one!(world, i64, "SELECT COUNT(*) FROM audit WHERE action = $1", action)
}

both_engines!(a_way_is_walked_once_in_its_own_browser_and_in_time, async |world| {
    let db = &world.db;
    let nonce = Token::random();
    let leaving = Leaving {
        provider: "test",
        errand: Errand::SignIn,
        nonce: &nonce,
        verifier: "a verifier",
        next: "/points",
        network: "192.0.2.7",
    };
    let handoff = identity::leave(db, leaving).await.expect("left");
    let come_back =
        async |provider: &str, state: &Token, browser: &Token| identity::come_back(db, provider, state, browser).await;
    let other = Token::random();
    for (provider, state, browser) in [
        ("test", &handoff.state, &other),
        ("test", &other, &handoff.browser),
        ("another", &handoff.state, &handoff.browser),
    ] {
        assert!(matches!(come_back(provider, state, browser).await, Err(Error::Stale)));
    }
    // None of those tries has used it up.
    let returned = come_back("test", &handoff.state, &handoff.browser).await.expect("back");
    assert_eq!(
        (returned.purpose(), returned.verifier(), returned.next()),
        (Purpose::SignIn, "a verifier", "/points")
    );
    assert!(matches!(
        come_back("test", &handoff.state, &handoff.browser).await,
        Err(Error::Stale)
    ));
    let late = identity::leave(db, leaving).await.expect("left");
    world.clock.set(db.now() + HANDOFF_LIFE);
    assert!(matches!(
        come_back("test", &late.state, &late.browser).await,
        Err(Error::Stale)
    ));
    let stored = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM handoffs WHERE state_hash = $1 OR browser_hash = $2",
        handoff.state.secret().as_bytes().to_vec(),
        handoff.browser.secret().as_bytes().to_vec(),
    );
    assert_eq!(stored, 0, "only hashes are kept");
});

both_engines!(a_new_person_registers_and_then_comes_in_by_the_account, async |world| {
    let db = ready(world).await;
    let (token, verified) = sign_in(db, &account("zoya")).await;
    assert!(matches!(verified, Verified::Phone));
    let attempt = attempts::attempt(db, &token, attempts::Purpose::SignIn)
        .await
        .expect("open");
    assert_eq!(attempt.outside, Some(account("zoya")));
    assert!(matches!(
        prove_phone(db, &token, "+79000000001").await,
        Verified::Register
    ));
    let zoya = finish(db, &token).await;
    let before = linked(db, &zoya).await;
    assert_eq!((before.len(), before[0].shown.as_str()), (1, "zoya@example.com"));
    assert_eq!(actions(world, "identity.link").await, 1);
    // Who has just registered by it need not be told.
    assert!(!templates(db).await.contains(&"identity_linked".to_owned()));

    world.clock.set(db.now() + chrono::Duration::hours(1));
    let again = Outside {
        shown: "zoya@new.example.com".into(),
        ..account("zoya")
    };
    let (_, verified) = sign_in(db, &again).await;
    let Verified::SignedIn(opened) = verified else {
        panic!("signed in at once")
    };
    assert_eq!(proof(db, &opened.token).await.id(), zoya.id());
    let after = linked(db, &zoya).await;
    assert_eq!((after.len(), after[0].shown.as_str()), (1, "zoya@new.example.com"));
    assert_eq!(
        (after[0].linked_at, after[0].used_at),
        (before[0].linked_at, Some(db.now()))
    );
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM audit WHERE action = 'sign_in' AND reason = 'provider:test'"
        ),
        1
    );
});

both_engines!(a_known_phone_is_linked_and_told, async |world| {
    let db = ready(world).await;
    let anna = registered(world, "+79000000002").await;
    world.clock.set(db.now() + chrono::Duration::minutes(1));
    let (token, verified) = sign_in(db, &account("anna")).await;
    assert!(matches!(verified, Verified::Phone));
    let Verified::SignedIn(opened) = prove_phone(db, &token, "+79000000002").await else {
        panic!("signed in")
    };
    assert_eq!(proof(db, &opened.token).await.id(), anna.id());
    assert_eq!(linked(db, &anna).await.len(), 1);
    let told = outbox::inbox(db, 100).await.expect("inbox");
    let told = told.iter().find(|m| m.template == "identity_linked").expect("told");
    assert!(told.body.contains("Тест"), "{}", told.body);
});

// An e-mail address is no proof, not even a verified one that names a customer here (ASVS 5.0, 10.5.2).
both_engines!(an_address_links_nothing, async |world| {
    let db = ready(world).await;
    let anna = registered(world, "+79000000003").await;
    let id = anna.id();
    sql!(
        world,
        "INSERT INTO contacts (id, customer_id, kind, value, is_primary, verified_at, created_at) \
         VALUES ($1, $2, $3, 'anna@example.com', $4, $5, $5)",
        crm::id::ContactId::new(),
        id,
        Kind::Email,
        true,
        db.now(),
    );
    let (_, verified) = sign_in(db, &account("anna")).await;
    assert!(
        matches!(verified, Verified::Phone),
        "the phone is asked for all the same"
    );
    assert!(linked(db, &anna).await.is_empty());
});

both_engines!(a_second_factor_is_still_asked, async |world| {
    let db = ready(world).await;
    let (token, _) = sign_in(db, &account("zoya")).await;
    prove_phone(db, &token, "+79000000004").await;
    let zoya = finish(db, &token).await;
    second_factor(world, Some(zoya.id()), None).await;
    let (token, verified) = sign_in(db, &account("zoya")).await;
    assert!(matches!(verified, Verified::SecondFactor));
    let attempt = attempts::attempt(db, &token, attempts::Purpose::SignIn)
        .await
        .expect("open");
    assert!(attempt.needs_second && attempt.outside.is_none());
});

/// A confirmed second factor.
async fn second_factor(world: &World, customer: Option<CustomerId>, staff: Option<crm::id::StaffId>) {
    sql!(
        world,
        "INSERT INTO factors (id, customer_id, staff_id, kind, name, data, created_at, confirmed_at) \
         VALUES ($1, $2, $3, 'totp', 'phone', 'secret', $4, $4)",
        crm::id::FactorId::new(),
        customer,
        staff,
        world.db.now(),
    );
}

both_engines!(linking_is_for_who_left_to_do_so, async |world| {
    let db = ready(world).await;
    let anna = registered(world, "+79000000005").await;
    let boris = registered(world, "+79000000006").await;
    let fresh = anna.fresh(db).expect("just registered");
    let returned = travel(db, Errand::Link(&fresh)).await;
    // Boris is signed in by the time Anna comes back.
    assert!(matches!(
        identity::link_own(db, &boris, &returned, &account("a")).await,
        Err(Error::Stale)
    ));
    // Nor does what she began in one session end in another, which proved nothing to begin it.
    let elsewhere = crate::common::sign_in(db, anna.me()).await;
    assert!(matches!(
        identity::link_own(db, &elsewhere, &returned, &account("a")).await,
        Err(Error::Stale)
    ));
    assert!(linked(db, &anna).await.is_empty());
    let link = async |by: &Customer, subject: &str| {
        let fresh = by.fresh(db).expect("just registered");
        let returned = travel(db, Errand::Link(&fresh)).await;
        identity::link_own(db, by, &returned, &account(subject))
            .await
            .expect("an answer")
    };
    assert_eq!(link(&anna, "a").await, Link::New);
    assert_eq!(link(&anna, "a").await, Link::Already);
    assert_eq!(link(&boris, "a").await, Link::Others);
    assert_eq!(linked(db, &anna).await.len(), 1);
    assert!(linked(db, &boris).await.is_empty());
    assert_eq!(
        templates(db).await.iter().filter(|t| *t == "identity_linked").count(),
        1
    );
    // A way for coming in is none for linking, and the other way round.
    let in_only = travel(db, Errand::SignIn).await;
    assert!(matches!(
        identity::link_own(db, &anna, &in_only, &account("b")).await,
        Err(Error::Stale)
    ));
    let link_only = travel(db, Errand::Link(&fresh)).await;
    let refused = identity::sign_in(db, &link_only, &account("a"), Lang::Ru, &visitor()).await;
    assert!(matches!(refused, Err(Error::Forbidden)));
    // Two accounts at one issuer are two, and two of one name at two issuers as well.
    assert!(matches!(sign_in(db, &account("b")).await.1, Verified::Phone));
    let elsewhere = Outside {
        issuer: "https://other.example.com".into(),
        ..account("a")
    };
    assert!(matches!(sign_in(db, &elsewhere).await.1, Verified::Phone));
});

both_engines!(the_same_account_twice_on_the_way_is_the_first_ones, async |world| {
    let db = ready(world).await;
    let (first, _) = sign_in(db, &account("zoya")).await;
    let (second, _) = sign_in(db, &account("zoya")).await;
    prove_phone(db, &first, "+79000000007").await;
    let zoya = finish(db, &first).await;
    // The other tab, with another phone: it must not take the account over.
    prove_phone(db, &second, "+79000000008").await;
    let details = Details::default();
    assert!(
        signin::save_draft(db, &second, &details).await.is_err(),
        "nothing typed yet"
    );
    let mut draft = Draft {
        consents: vec!["personal_data".into(), "loyalty_rules".into()],
        ..Draft::default()
    };
    draft.person = PersonForm {
        name: "Зоя".into(),
        surname: "Вторая".into(),
        day: "3".into(),
        month: "5".into(),
        year: "1990".into(),
    };
    let details = Details {
        draft,
        ..Details::default()
    };
    signin::save_draft(db, &second, &details).await.expect("saved");
    let refused = signin::register(db, &second, Lang::Ru, None, &visitor()).await;
    assert!(matches!(refused, Err(Error::Stale)));
    assert_eq!(linked(db, &zoya).await.len(), 1);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM customers"), 1, "all or nothing");
});

both_engines!(unlinking_tells_and_leaves_a_way_in, async |world| {
    let db = ready(world).await;
    let (token, _) = sign_in(db, &account("zoya")).await;
    prove_phone(db, &token, "+79000000009").await;
    let zoya = finish(db, &token).await;
    let boris = registered(world, "+79000000010").await;
    let (id, owner) = (linked(db, &zoya).await[0].id, zoya.id());
    let fresh = zoya.fresh(db).expect("just registered");
    let others = boris.fresh(db).expect("just registered");
    assert!(matches!(
        identity::unlink(db, &others, id, "Тест").await,
        Err(Error::NotFound)
    ));
    // Without a proved contact, a password or a passkey it would be the last way in.
    sql!(
        world,
        "UPDATE contacts SET verified_at = NULL WHERE customer_id = $1",
        owner
    );
    let refused = identity::unlink(db, &fresh, id, "Тест").await;
    assert!(
        matches!(&refused, Err(Error::Invalid(flaws)) if *flaws == [("identity".to_owned(), Flaw::LastOne)]),
        "{refused:?}"
    );
    assert_eq!(linked(db, &zoya).await.len(), 1);
    sql!(
        world,
        "INSERT INTO factors (id, customer_id, kind, name, data, created_at, confirmed_at) \
         VALUES ($1, $2, 'passkey', 'laptop', '{}', $3, $3)",
        crm::id::FactorId::new(),
        owner,
        db.now(),
    );
    identity::unlink(db, &fresh, id, "Тест")
        .await
        .expect("a passkey is left");
    sql!(
        world,
        "UPDATE contacts SET verified_at = created_at WHERE customer_id = $1",
        owner
    );
    let returned = travel(db, Errand::Link(&fresh)).await;
    identity::link_own(db, &zoya, &returned, &account("zoya"))
        .await
        .expect("linked anew");
    let id = linked(db, &zoya).await[0].id;
    identity::unlink(db, &fresh, id, "Тест").await.expect("a phone is left");
    let told = outbox::inbox(db, 100).await.expect("inbox");
    let told = told.iter().find(|m| m.template == "identity_unlinked").expect("told");
    assert!(told.body.contains("Тест"), "{}", told.body);
    assert_eq!(actions(world, "identity.unlink").await, 2);
    assert!(matches!(sign_in(db, &account("zoya")).await.1, Verified::Phone));
    // An hour later who they are has to be proved anew before that.
    world.clock.set(db.now() + chrono::Duration::hours(1));
    assert!(matches!(zoya.fresh(db), Err(Error::NotFresh)));
});

fn claims(role: Option<&str>) -> StaffClaims {
    StaffClaims {
        role: role.map(Role::new),
        login: Some("Olga@Example.com".into()),
        name: Some("Ольга Ли".into()),
        create: true,
        has_second: true,
    }
}

async fn enter(db: &Db, claims: &StaffClaims) -> StaffEntered {
    let returned = travel(db, Errand::Staff).await;
    identity::staff_sign_in(db, &returned, &account("olga"), claims, Lang::Ru, &visitor())
        .await
        .expect("an answer")
}

async fn is_in(db: &Db, entered: &StaffEntered) -> Option<who::Staff> {
    let StaffEntered::In(opened) = entered else { return None };
    who::staff(db, &opened.token, &visitor()).await.expect("the database")
}

fn refusal(entered: &StaffEntered) -> Option<Refusal> {
    match entered {
        StaffEntered::Refused(refusal) => Some(*refusal),
        _ => None,
    }
}

both_engines!(staff_come_in_with_the_role_of_their_claim, async |world| {
    let db = ready(world).await;
    let first = enter(db, &claims(Some("agent"))).await;
    let olga = is_in(db, &first).await.expect("in");
    assert_eq!((olga.role().code(), olga.name()), ("agent", "Ольга Ли"));
    // Another role there is another role here, and the sessions with the old one end.
    let second = enter(db, &claims(Some("administrator"))).await;
    assert_eq!(is_in(db, &second).await.expect("in").role().code(), "administrator");
    assert!(is_in(db, &first).await.is_none());
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM staff"), 1);
    // A role that this shop does not have is a mistake of the configuration: it ends nothing.
    assert_eq!(
        refusal(&enter(db, &claims(Some("astronaut"))).await),
        Some(Refusal::NoSuchRole)
    );
    assert!(is_in(db, &second).await.is_some());
    // Without a role their access is over, and a role that comes back does not give it back by itself.
    assert_eq!(refusal(&enter(db, &claims(None)).await), Some(Refusal::NoRole));
    assert!(is_in(db, &second).await.is_none());
    assert_eq!(
        refusal(&enter(db, &claims(Some("agent"))).await),
        Some(Refusal::Disabled)
    );
    staff::enable(db, &BY, "olga@example.com").await.expect("enabled");
    assert!(is_in(db, &enter(db, &claims(Some("agent"))).await).await.is_some());
    assert_eq!(actions(world, "sign_in.refused").await, 3);
});

both_engines!(
    staff_give_our_second_factor_where_theirs_does_not_count,
    async |world| {
        let db = ready(world).await;
        let ours = StaffClaims {
            has_second: false,
            ..claims(Some("agent"))
        };
        let StaffEntered::SetUp(token) = enter(db, &ours).await else {
            panic!("they have none yet")
        };
        let attempt = attempts::attempt(db, &token, attempts::Purpose::Staff)
            .await
            .expect("open");
        assert!(attempt.needs_second);
        let olga = staff::by_login(&mut db.read().await.expect("a connection"), "olga@example.com").await;
        second_factor(world, None, Some(olga.expect("read").expect("entered").id)).await;
        assert!(matches!(enter(db, &ours).await, StaffEntered::SecondFactor(_)));
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM sessions"), 0);
    }
);

both_engines!(nobody_becomes_staff_by_a_name, async |world| {
    let db = ready(world).await;
    let closed = StaffClaims {
        create: false,
        ..claims(Some("agent"))
    };
    assert_eq!(refusal(&enter(db, &closed).await), Some(Refusal::Unknown));
    let new = NewStaff {
        login: "olga@example.com".into(),
        name: "Ольга".into(),
        role: Role::new(Role::AGENT),
        language: Lang::Ru,
        password_hash: "$argon2id$hash".into(),
    };
    let id = staff::create(db, &BY, &new).await.expect("employed");
    // The same login there proves nothing here.
    assert_eq!(
        refusal(&enter(db, &claims(Some("administrator"))).await),
        Some(Refusal::Login)
    );
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM identities"), 0);
    identity::link_staff(db, &BY, id, &account("olga"))
        .await
        .expect("linked");
    assert!(
        is_in(db, &enter(db, &closed).await)
            .await
            .is_some_and(|olga| olga.id() == id)
    );
    // What is staff's lets no customer in.
    assert!(matches!(sign_in(db, &account("olga")).await.1, Verified::Phone));
    let customers = travel(db, Errand::SignIn).await;
    let refused = identity::staff_sign_in(db, &customers, &account("olga"), &closed, Lang::Ru, &visitor()).await;
    assert!(matches!(refused, Err(Error::Forbidden)));
});

both_engines!(a_network_that_leaves_all_the_time_is_stopped, async |world| {
    let db = ready(world).await;
    let nonce = Token::random();
    let leaving = |network: &'static str| Leaving {
        provider: "test",
        errand: Errand::SignIn,
        nonce: &nonce,
        verifier: "a verifier",
        next: "/",
        network,
    };
    let mut left = 0;
    while identity::leave(db, leaving("192.0.2.7")).await.is_ok() {
        left += 1;
        assert!(left < 1000, "somebody has to stop it");
    }
    assert_eq!(left, 120);
    assert!(matches!(
        identity::leave(db, leaving("192.0.2.7")).await,
        Err(Error::TooMany { retry_after: 3600 })
    ));
    assert!(
        identity::leave(db, leaving("198.51.100.1")).await.is_ok(),
        "others go on"
    );
    world.clock.set(db.now() + chrono::Duration::minutes(66));
    assert!(
        identity::leave(db, leaving("192.0.2.7")).await.is_ok(),
        "and an hour later it may"
    );
});

both_engines!(a_proof_given_elsewhere_is_as_old_as_it_is_there, async |world| {
    let db = ready(world).await;
    let (token, _) = sign_in(db, &account("zoya")).await;
    prove_phone(db, &token, "+79000000021").await;
    let zoya = finish(db, &token).await;
    assert!(zoya.fresh(db).is_ok(), "by the code to her phone");
    // A clock that is ahead makes nothing fresher than now.
    for (seconds, is_fresh) in [(-30, true), (0, true), (14 * 60 + 59, true), (15 * 60, false)] {
        let (_, verified) = sign_in(db, &proved(db, "zoya", seconds)).await;
        let Verified::SignedIn(opened) = verified else {
            panic!("signed in at once")
        };
        let zoya = proof(db, &opened.token).await;
        assert_eq!(zoya.fresh(db).is_ok(), is_fresh, "{seconds}");
        assert!(!zoya.has_proved_anew(), "{seconds}");
        let returned = travel(db, Errand::Staff).await;
        let outside = proved(db, "olga", seconds);
        let entered =
            identity::staff_sign_in(db, &returned, &outside, &claims(Some("agent")), Lang::Ru, &visitor()).await;
        let olga = is_in(db, &entered.expect("an answer")).await.expect("in");
        assert_eq!(olga.fresh(db).is_ok(), is_fresh, "{seconds}");
    }
    // A provider that does not say when proves nothing fresh.
    let (_, verified) = sign_in(db, &account("zoya")).await;
    let Verified::SignedIn(opened) = verified else {
        panic!("signed in at once")
    };
    assert!(matches!(proof(db, &opened.token).await.fresh(db), Err(Error::NotFresh)));
    let olga = is_in(db, &enter(db, &claims(Some("agent"))).await).await.expect("in");
    assert!(matches!(olga.fresh(db), Err(Error::NotFresh)));
});

both_engines!(who_one_is_is_proved_anew_where_one_was_asked, async |world| {
    let db = ready(world).await;
    let olga = is_in(db, &enter(db, &claims(Some("agent"))).await).await.expect("in");
    let confirm = async |outside: &Outside, claims: &StaffClaims| {
        let returned = travel(db, Errand::Confirm(Known::Staff(&olga))).await;
        identity::staff_confirm(db, &olga, &returned, outside, claims, &visitor())
            .await
            .expect("an answer")
    };
    let all = claims(Some("agent"));
    let weak = StaffClaims {
        has_second: false,
        ..claims(Some("agent"))
    };
    for (outside, claims) in [
        (account("olga"), &all),
        (proved(db, "olga", 61), &all),
        (proved(db, "olga", 0), &weak),
    ] {
        assert!(matches!(confirm(&outside, claims).await, Confirmed::Unasked));
    }
    assert!(matches!(
        confirm(&proved(db, "stranger", 0), &all).await,
        Confirmed::Another
    ));
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM staff"), 1);
    assert_eq!(actions(world, "confirm").await, 0);
    // Another session of hers did not leave.
    let elsewhere = is_in(db, &enter(db, &claims(Some("agent"))).await).await.expect("in");
    let returned = travel(db, Errand::Confirm(Known::Staff(&olga))).await;
    let outside = proved(db, "olga", 0);
    assert!(matches!(
        identity::staff_confirm(db, &elsewhere, &returned, &outside, &all, &visitor()).await,
        Err(Error::Stale)
    ));
    // Nor is a way to come in one to prove anything anew, or the other way round.
    let in_only = travel(db, Errand::Staff).await;
    assert!(matches!(
        identity::staff_confirm(db, &olga, &in_only, &outside, &all, &visitor()).await,
        Err(Error::Stale)
    ));
    assert!(matches!(
        identity::staff_sign_in(db, &returned, &outside, &all, Lang::Ru, &visitor()).await,
        Err(Error::Forbidden)
    ));
    // A minute is for clocks.
    let Confirmed::Renewed(opened) = confirm(&proved(db, "olga", 60), &all).await else {
        panic!("she was asked")
    };
    let renewed = who::staff(db, &opened.token, &visitor()).await.expect("the database");
    let renewed = renewed.expect("signed in");
    assert_eq!(renewed.session(), olga.session());
    assert!(renewed.fresh(db).is_ok());
    assert_eq!(actions(world, "confirm").await, 1);
    // With a factor of her own nothing less proves it, whenever it came.
    let returned = travel(db, Errand::Confirm(Known::Staff(&renewed))).await;
    second_factor(world, None, Some(olga.id())).await;
    assert!(matches!(
        identity::staff_confirm(db, &renewed, &returned, &outside, &all, &visitor()).await,
        Err(Error::Forbidden)
    ));
    let nonce = Token::random();
    let leaving = Leaving {
        provider: "test",
        errand: Errand::Confirm(Known::Staff(&renewed)),
        nonce: &nonce,
        verifier: "a verifier",
        next: "/admin/security",
        network: "192.0.2.7",
    };
    assert!(matches!(identity::leave(db, leaving).await, Err(Error::Forbidden)));
});

both_engines!(a_customer_proves_anew_by_an_account_of_their_own, async |world| {
    let db = ready(world).await;
    let (token, _) = sign_in(db, &account("zoya")).await;
    prove_phone(db, &token, "+79000000022").await;
    let zoya = finish(db, &token).await;
    let (token, _) = sign_in(db, &account("boris")).await;
    prove_phone(db, &token, "+79000000023").await;
    let boris = finish(db, &token).await;
    assert_eq!(
        identity::providers(db, Known::Customer(&zoya)).await.expect("read"),
        ["test"]
    );
    let confirm = async |outside: &Outside| {
        let returned = travel(db, Errand::Confirm(Known::Customer(&zoya))).await;
        assert!(matches!(
            identity::confirm(db, &boris, &returned, outside, &visitor()).await,
            Err(Error::Stale)
        ));
        identity::confirm(db, &zoya, &returned, outside, &visitor())
            .await
            .expect("an answer")
    };
    for subject in ["boris", "nobody"] {
        let outcome = confirm(&proved(db, subject, 0)).await;
        assert!(matches!(outcome, Confirmed::Another), "{subject}");
    }
    assert!(matches!(confirm(&account("zoya")).await, Confirmed::Unasked));
    assert!(matches!(confirm(&proved(db, "zoya", 61)).await, Confirmed::Unasked));
    world.clock.set(db.now() + chrono::Duration::hours(1));
    let Confirmed::Renewed(opened) = confirm(&proved(db, "zoya", 0)).await else {
        panic!("she was asked")
    };
    assert!(proof(db, &opened.token).await.fresh(db).is_ok());
    // With the codes of an app nothing less proves it.
    let zoya = proof(db, &opened.token).await;
    let returned = travel(db, Errand::Confirm(Known::Customer(&zoya))).await;
    second_factor(world, Some(zoya.id()), None).await;
    assert!(matches!(
        identity::confirm(db, &zoya, &returned, &proved(db, "zoya", 0), &visitor()).await,
        Err(Error::Forbidden)
    ));
});
