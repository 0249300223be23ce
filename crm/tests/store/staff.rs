//! Staff.

use crate::common::people::{
    SYSTEM, contact, customer, one, program, purchase, role, sql, staff, staff_token, template, text, topic,
};
use chrono::TimeDelta;
use crm::Error;
use crm::contact::Kind;
use crm::flaw::Flaw;
use crm::id::{AccountId, AuditId, ConsentId, ConsentTextId, MembershipId, PostingId, PurposeId, TransactionId};
use crm::lang::Lang;
use crm::request::{NewRequest, store as requests};
use crm::staff::{NewStaff, Role, store};
use crm::testing::start;
use crm::timeline::{EventKind, Filter, store as timeline};
use crm::who::{self, Reason, Visitor};
use crm::{audit, outbox};
use sqlx::types::Json;

fn new(login: &str, name: &str) -> NewStaff {
    NewStaff {
        login: login.into(),
        name: name.into(),
        role: Role::new(Role::ADMINISTRATOR),
        language: Lang::En,
        password_hash: "$hash".into(),
    }
}

crm::both_engines!(staff_is_entered_found_and_let_go, async |world| {
    let (gone, token) = staff_token(world, "Boris").await;
    role(world, Role::ADMINISTRATOR, r#"["staff"]"#).await;
    let id = store::create(&world.db, &SYSTEM, &new(" Anna.K ", "Anna K"))
        .await
        .expect("entered");
    for (login, name, flaws) in [
        ("anna.K", "x", vec![("login", Flaw::Taken)]),
        (" ", "<b>", vec![("login", Flaw::Missing), ("name", Flaw::NotAName)]),
    ] {
        let flaws: Vec<_> = flaws
            .into_iter()
            .map(|(field, flaw)| (field.to_owned(), flaw))
            .collect();
        match store::create(&world.db, &SYSTEM, &new(login, name)).await {
            Err(Error::Invalid(found)) => assert_eq!(found, flaws),
            other => panic!("{other:?}"),
        }
    }
    let mut conn = world.db.read().await.expect("a connection");
    let account = store::by_login(&mut conn, "ANNA.k")
        .await
        .expect("read")
        .expect("found");
    assert_eq!(
        (account.id, account.name.as_str(), account.role, account.language),
        (id, "Anna K", Role::new(Role::ADMINISTRATOR), Lang::En)
    );
    assert_eq!(account.password_hash, "$hash");
    for nobody in ["anna", "", "anna.k\0", "' OR ''='"] {
        assert!(
            store::by_login(&mut conn, nobody).await.expect("read").is_none(),
            "{nobody}"
        );
    }
    let names = |colleagues: Vec<crm::staff::Colleague>| colleagues.into_iter().map(|c| c.name).collect::<Vec<_>>();
    assert_eq!(
        names(store::colleagues(&mut conn, &gone).await.expect("read")),
        ["Anna K", "Boris"]
    );
    drop(conn);

    store::disable(&world.db, &SYSTEM, gone.id()).await.expect("let go");
    assert!(matches!(
        store::disable(&world.db, &SYSTEM, gone.id()).await,
        Err(Error::NotFound)
    ));
    assert!(
        who::staff(&world.db, &token, &Visitor::default())
            .await
            .expect("read")
            .is_none()
    );
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM sessions WHERE ended_at IS NOT NULL"),
        1
    );
    let mut conn = world.db.read().await.expect("a connection");
    assert!(store::by_login(&mut conn, "boris").await.expect("read").is_none());
    assert_eq!(
        names(store::colleagues(&mut conn, &gone).await.expect("read")),
        ["Anna K"]
    );
    drop(conn);
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM audit WHERE action IN ('staff.create', 'staff.disable') AND actor = 'system'"
        ),
        3
    );
});

crm::both_engines!(
    s14_staff_end_a_customers_sessions_with_a_reason_and_the_customer_is_told,
    async |world| {
        crm::content::load(&world.db, &SYSTEM).await.expect("content loads");
        let (agent, token) = staff_token(world, "agent").await;
        let anna = customer(world, "Анна", "К").await;
        customer(world, "Борис", "К").await;
        contact(world, anna.id(), Kind::Phone, "+79000001234").await;
        sql!(world, "UPDATE contacts SET verified_at = created_at");
        let open = async || {
            let mut conn = world.db.read().await.expect("a connection");
            store::open_sessions(&mut conn, anna.me()).await.expect("counted")
        };
        assert_eq!(open().await, 1);
        let end = async |reason: &str| store::end_customer_sessions(&world.db, &agent, anna.id(), reason).await;
        assert!(matches!(end(" ").await, Err(Error::Invalid(_))));
        assert_eq!(open().await, 1);
        end("Чужой вход").await.expect("ended");
        assert_eq!(open().await, 0);
        assert!(matches!(end("Чужой вход").await, Err(Error::Stale)), "none is open");
        let rows = one!(
            world,
            i64,
            "SELECT COUNT(*) FROM audit WHERE action = 'customer.end_sessions' AND reason = 'Чужой вход' AND actor = 'staff'"
        );
        assert_eq!(rows, 1);
        let told = "SELECT COUNT(*) FROM outbox WHERE template = 'sessions_ended' AND address = '+79000001234'";
        assert_eq!(one!(world, i64, told), 1);
        let alive = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL";
        assert_eq!(one!(world, i64, alive), 2, "nobody else's");
        // Without the right nothing of it.
        role(world, "reader", r#"["requests"]"#).await;
        sql!(world, "UPDATE staff SET role = 'reader'");
        let visitor = crm::who::Visitor::default();
        let reader = crm::who::staff(&world.db, &token, &visitor)
            .await
            .expect("read")
            .expect("in");
        let refused = store::end_customer_sessions(&world.db, &reader, anna.id(), "x").await;
        assert!(matches!(refused, Err(Error::Forbidden)));
    }
);

crm::both_engines!(a_timeline_tells_everything_newest_first, async |world| {
    let (agent, anna, other) = (
        staff(world, "agent").await,
        customer(world, "Anna", "K").await,
        customer(world, "Other", "O").await,
    );
    let me = anna.id();
    topic(world, "card", 1).await;
    template(world, "request_answered", 1, "s", "b", start()).await;
    let tick = || world.clock.set(world.db.now() + TimeDelta::minutes(1));
    tick();
    let sale = purchase(world, me, "sale", world.db.now(), 12_345).await;
    tick();
    let back = purchase(world, me, "return", world.db.now(), -345).await;
    purchase(world, other.id(), "sale", world.db.now(), 1).await;
    tick();
    let club = program(world, "club").await;
    sql!(
        world,
        "INSERT INTO memberships (id, program_id, customer_id, terms_version, joined_at, left_at) VALUES ($1, $2, $3, 1, $4, $5)",
        MembershipId::new(),
        club,
        me,
        world.db.now(),
        world.db.now() + TimeDelta::hours(9),
    );
    tick();
    let (transaction, pending, issued) = (TransactionId::new(), AccountId::new(), AccountId::new());
    for (account, owner, kind) in [(pending, Some(me), "pending"), (issued, None, "issued")] {
        sql!(
            world,
            "INSERT INTO accounts (id, program_id, customer_id, kind) VALUES ($1, $2, $3, $4)",
            account,
            club,
            owner,
            kind
        );
    }
    sql!(
        world,
        "INSERT INTO transactions (id, program_id, customer_id, kind, purchase_id, at, recorded_at) VALUES ($1, $2, $3, 'accrual', $4, $5, $5)",
        transaction,
        club,
        me,
        sale,
        world.db.now(),
    );
    for (account, amount) in [(pending, 370_i64), (issued, -370)] {
        sql!(
            world,
            "INSERT INTO postings (id, transaction_id, account_id, amount) VALUES ($1, $2, $3, $4)",
            PostingId::new(),
            transaction,
            account,
            amount
        );
    }
    tick();
    let (purpose, consent_text) = (PurposeId::new(), ConsentTextId::new());
    sql!(
        world,
        "INSERT INTO consent_purposes (id, code, required, asked_at, position) VALUES ($1, 'marketing', $2, 'registration', 1)",
        purpose,
        false
    );
    sql!(
        world,
        "INSERT INTO consent_texts (id, purpose_id, version, title, body, published_at) VALUES ($1, $2, 1, $3, $3, $4)",
        consent_text,
        purpose,
        Json(text("x")),
        world.db.now(),
    );
    for act in ["given", "withdrawn"] {
        sql!(
            world,
            "INSERT INTO consents (id, customer_id, text_id, act, language, source, at) VALUES ($1, $2, $3, $4, 'en', 'web', $5)",
            ConsentId::new(),
            me,
            consent_text,
            act,
            world.db.now(),
        );
        tick();
    }
    let request = NewRequest {
        topic: "card".into(),
        text: "secret".into(),
        purchase: String::new(),
    };
    let number = requests::create(&world.db, &anna, &request, &[])
        .await
        .expect("a request");
    tick();
    requests::note(&world.db, &agent, number, "secret", &[])
        .await
        .expect("noted");
    tick();
    let seen = requests::open(&world.db, &agent, number).await.expect("opened").1;
    requests::staff_answer(&world.db, &agent, number, "secret", &[], seen.updated_at)
        .await
        .expect("answered");
    tick();
    requests::answer(&world.db, &anna, number, "secret", &[])
        .await
        .expect("answered");
    tick();
    requests::close(&world.db, &anna, number).await.expect("closed");
    let request = NewRequest {
        topic: "card".into(),
        text: "x".into(),
        purchase: String::new(),
    };
    let anothers = requests::create(&world.db, &other, &request, &[])
        .await
        .expect("a request");
    requests::close(&world.db, &other, anothers).await.expect("closed");
    // What the log holds of things that tell of themselves.
    for action in [
        "consent.give",
        "consent.withdraw",
        "program.join",
        "program.leave",
        "sign_in",
    ] {
        sql!(
            world,
            "INSERT INTO audit (id, at, actor, actor_id, action, customer_id, reason, network) \
             VALUES ($1, $2, 'customer', $3, $4, $3, '', '')",
            AuditId::new(),
            world.db.now(),
            me,
            action,
        );
    }

    let mut conn = world.db.read().await.expect("a connection");
    let all = Filter::default();
    let (events, more) = timeline::page(&mut conn, anna.me(), &all, None, 100)
        .await
        .expect("read");
    assert_eq!(more, None);
    let told: Vec<_> = events
        .iter()
        .map(|e| (e.kind, e.object, e.code.as_str(), e.amount))
        .collect();
    let request = Some(seen.id.0);
    let told_but_consents: Vec<_> = told
        .iter()
        .copied()
        .map(|(kind, object, code, amount)| match kind {
            EventKind::ConsentGiven | EventKind::ConsentWithdrawn => (kind, None, code, amount),
            EventKind::SignIn => (
                kind,
                Some(anna.session().0).filter(|id| object == Some(*id)),
                code,
                amount,
            ),
            _ => (kind, object, code, amount),
        })
        .collect();
    assert_eq!(
        told_but_consents,
        [
            (EventKind::Left, Some(club.0), "club", 0),
            (EventKind::Change, request, "request.close", 0),
            (EventKind::Message, request, "card", 1),
            (EventKind::Answer, request, "card", 1),
            (EventKind::Note, request, "card", 1),
            (EventKind::Request, request, "card", 1),
            (EventKind::ConsentWithdrawn, None, "marketing", 0),
            (EventKind::ConsentGiven, None, "marketing", 0),
            (EventKind::Points, Some(transaction.0), "accrual", 370),
            (EventKind::Joined, Some(club.0), "club", 0),
            (EventKind::Return, Some(back.0), "", -345),
            (EventKind::Sale, Some(sale.0), "", 12_345),
            (EventKind::SignIn, Some(anna.session().0), "Firefox", 0),
        ]
    );
    assert!(events.is_sorted_by_key(|event| std::cmp::Reverse(event.at)));
    let (first, more) = timeline::page(&mut conn, anna.me(), &all, None, 3).await.expect("read");
    assert_eq!(first, events[..3]);
    let (second, _) = timeline::page(&mut conn, anna.me(), &all, more, 100)
        .await
        .expect("read");
    assert_eq!(second, events[3..]);
    assert!(!format!("{events:?}").contains("secret"));
    drop(conn);
    assert_eq!(
        outbox::inbox(&world.db, 10).await.expect("read"),
        [],
        "a customer without an address is not written to"
    );
});

crm::both_engines!(who_looked_is_told_by_role, async |world| {
    let (agent, anna, other) = (
        staff(world, "agent").await,
        customer(world, "Anna", "K").await,
        customer(world, "Other", "O").await,
    );
    topic(world, "card", 1).await;
    let request = NewRequest {
        topic: "card".into(),
        text: "x".into(),
        purchase: String::new(),
    };
    let number = requests::create(&world.db, &anna, &request, &[])
        .await
        .expect("a request");
    agent.open(&world.db, other.id(), Reason::Card).await.expect("opened");
    agent.open(&world.db, anna.id(), Reason::Card).await.expect("opened");
    world.clock.set(start() + TimeDelta::minutes(1));
    requests::note(&world.db, &agent, number, "x", &[])
        .await
        .expect("noted");
    let mut conn = world.db.read().await.expect("a connection");
    let (looks, more) = audit::of_customer(&mut conn, anna.me(), None, 10).await.expect("read");
    assert_eq!(more, None);
    let told: Vec<_> = looks
        .iter()
        .map(|l| (l.at, l.by.clone(), l.action.as_str(), l.reason.as_str(), l.request))
        .collect();
    let agent = || audit::Reader::Staff(text(Role::AGENT));
    assert_eq!(
        told,
        [
            (
                start() + TimeDelta::minutes(1),
                agent(),
                "request.note",
                "request",
                Some(number)
            ),
            (start(), agent(), "customer.read", "card", None),
        ]
    );
    let (first, more) = audit::of_customer(&mut conn, anna.me(), None, 1).await.expect("read");
    assert_eq!(first, looks[..1]);
    let (second, end) = audit::of_customer(&mut conn, anna.me(), more, 1).await.expect("read");
    assert_eq!((second.as_slice(), end), (&looks[1..], None));
});

crm::both_engines!(looks_that_follow_soon_are_told_as_one, async |world| {
    let (agent, other, anna) = (
        staff(world, "agent").await,
        staff(world, "other").await,
        customer(world, "Anna", "K").await,
    );
    topic(world, "card", 1).await;
    let request = NewRequest {
        topic: "card".into(),
        text: "x".into(),
        purchase: String::new(),
    };
    let number = requests::create(&world.db, &anna, &request, &[])
        .await
        .expect("a request");
    // Two who look in turns, for eleven minutes, and a request that is read meanwhile.
    for minute in 0..=11 {
        world.clock.set(start() + TimeDelta::minutes(minute));
        for who in [&agent, &other] {
            who.open(&world.db, anna.id(), Reason::Card).await.expect("opened");
        }
        if minute % 2 == 0 {
            requests::open(&world.db, &agent, number).await.expect("read");
        }
        // What was done is told each time.
        if minute >= 10 {
            requests::note(&world.db, &agent, number, "x", &[])
                .await
                .expect("noted");
        }
    }
    let mut conn = world.db.read().await.expect("a connection");
    let (looks, _) = audit::of_customer(&mut conn, anna.me(), None, 20).await.expect("read");
    let told: Vec<_> = looks
        .iter()
        .map(|l| ((l.at - start()).num_minutes(), l.action.as_str(), l.times))
        .collect();
    assert_eq!(
        told,
        [
            (11, "request.note", 1),
            (11, "customer.read", 10),
            (11, "customer.read", 10),
            (10, "request.note", 1),
            (10, "request.read", 5),
            (1, "customer.read", 2),
            (1, "customer.read", 2),
            (0, "request.read", 1),
        ]
    );
    // Page by page it is the same in all, though a page may part what would be one.
    let (mut all, mut place) = (0, None);
    loop {
        let (page, next) = audit::of_customer(&mut conn, anna.me(), place, 2).await.expect("read");
        assert!((1..=2).contains(&page.len()));
        all += page.iter().map(|look| look.times).sum::<i64>();
        place = next;
        if place.is_none() {
            break;
        }
    }
    assert_eq!(all, told.iter().map(|(_, _, times)| times).sum::<i64>());
});
