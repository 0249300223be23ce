//! Another main phone number: it waits, the number until now hears of it, and points stay where they are.

use crate::common::people::{agent, contact, one, sql};
use crate::common::{BY, assert_books_agree, balance, customer, days, fund, ready, reserve, run_due, sign_in, slip};
use crate::transfers::{give, pair};
use chrono::{DateTime, Duration, Utc};
use crm::both_engines;
use crm::contact::{Kind, change, store as contacts};
use crm::db::{Db, scoped};
use crm::error::Error;
use crm::flaw::Flaw;
use crm::limits::{self, Limits, Notice};
use crm::points::store::{SpendError, TransferError, spending};
use crm::shop::Shop;
use crm::testing::{World, start};
use crm::who::{Subject, Visitor};
use futures::future::join_all;
use std::collections::BTreeSet;

const OLD: &str = "+79000000001";
const NEW: &str = "+79000000002";
const OTHER: &str = "+79000000003";
const EMAIL: &str = "anna@example.com";

/// A customer's main number, e-mail address, and two more numbers, all of them proved.
async fn with_numbers(world: &World, who: Subject) {
    let db = &world.db;
    contact(world, who.id(), Kind::Phone, OLD).await;
    contact(world, who.id(), Kind::Email, EMAIL).await;
    let by = sign_in(db, who).await;
    for phone in [NEW, OTHER] {
        contacts::add(db, &by.fresh(db).expect("fresh"), Kind::Phone, phone)
            .await
            .expect("added");
    }
    sql!(world, "UPDATE contacts SET verified_at = created_at");
}

async fn id_of(db: &Db, who: Subject, phone: &str) -> crm::id::ContactId {
    let mut conn = db.read().await.expect("a connection");
    let all = contacts::of(&mut conn, who).await.expect("read");
    all.iter().find(|c| c.value == phone).expect("there").id
}

/// Makes a number the main one, as somebody who has just proved who they are.
async fn begin(db: &Db, who: Subject, phone: &str) -> Result<Option<DateTime<Utc>>, Error> {
    let (by, id) = (sign_in(db, who).await, id_of(db, who, phone).await);
    contacts::make_primary(db, &by.fresh(db).expect("fresh"), id).await
}

async fn main_number(world: &World) -> String {
    one!(
        world,
        String,
        "SELECT value FROM contacts WHERE kind = 'phone' AND is_primary"
    )
}

/// To whom messages of a template went.
async fn told(db: &Db, template: &str) -> Vec<String> {
    let all = crm::outbox::inbox(db, 100).await.expect("read");
    let of_it = all.into_iter().filter(|m| m.template == template);
    let addresses: BTreeSet<String> = of_it.map(|m| m.address).collect();
    addresses.into_iter().collect()
}

/// The end of the newest link.
async fn link(db: &Db) -> String {
    let all = crm::outbox::inbox(db, 100).await.expect("read");
    let newest = all.iter().find(|m| m.template == "number_begun").expect("sent");
    let (_, rest) = newest.body.split_once("/number-change/").expect("a link");
    rest.split_whitespace().next().expect("its end").to_owned()
}

async fn is_on_its_way(db: &Db, who: Subject) -> bool {
    let mut conn = db.read().await.expect("a connection");
    change::of(&mut conn, who).await.expect("read").is_some()
}

both_engines!(s15_another_main_number_waits_and_comes_once, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    with_numbers(world, anna).await;
    let due = start() + Duration::hours(24);
    assert_eq!(begin(db, anna, NEW).await.expect("begun"), Some(due));
    assert_eq!(
        told(db, "number_begun").await,
        [OLD, OTHER, EMAIL],
        "all but the new one"
    );
    // Asked for once more it comes no sooner and no later, and no other number slips in.
    world.clock.set(start() + Duration::hours(2));
    assert_eq!(begin(db, anna, NEW).await.expect("the same"), Some(due));
    let other = begin(db, anna, OTHER).await;
    assert!(matches!(other, Err(Error::Stale)), "{other:?}");
    let now = sign_in(db, anna).await;
    assert_eq!(now.number_due(), Some(due));
    assert_eq!(now.frozen_until(), Some(due + Duration::hours(24)));
    world.clock.set(due - Duration::microseconds(1));
    assert_eq!(change::run_due(db, &BY).await.expect("too early"), 0);
    assert_eq!(main_number(world).await, OLD);

    // Three days late, on two nodes and twice.
    let late = due + days(3);
    world.clock.set(late);
    let other = Db::open(&world.url, (**db.shop()).clone(), world.clock.clone())
        .await
        .expect("a second process");
    let all = tokio::join!(
        change::run_due(db, &BY),
        change::run_due(&other, &BY),
        change::run_due(db, &BY)
    );
    assert_eq!(
        [all.0, all.1, all.2].map(|n| n.expect("done")).iter().sum::<u64>(),
        1,
        "once"
    );
    assert_eq!(main_number(world).await, NEW);
    assert_eq!(told(db, "phone_changed").await, [OLD, EMAIL]);
    assert_eq!(told(db, "number_changed").await, [NEW]);
    let now = sign_in(db, anna).await;
    assert_eq!(now.number_due(), None);
    assert_eq!(
        now.frozen_until(),
        Some(late + Duration::hours(24)),
        "from when it was done"
    );
    let rows = "SELECT COUNT(*) FROM audit WHERE action IN ('number.begin', 'number.done')";
    assert_eq!(one!(world, i64, rows), 2);
    world.clock.set(late + Duration::hours(24));
    assert_eq!(sign_in(db, anna).await.frozen_until(), None);

    // What is over is forgotten, and what is on its way is not.
    begin(db, anna, OTHER).await.expect("begun");
    world
        .clock
        .set(late + Duration::hours(24) + days(30) + Duration::microseconds(1));
    crm::signin::store::sweep(db, &BY).await.expect("swept");
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM number_changes"), 1);
    assert!(is_on_its_way(db, anna).await);
});

both_engines!(s15_a_change_of_number_is_called_off_from_anywhere, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    with_numbers(world, anna).await;
    let agent = agent(world).await;
    let by = sign_in(db, anna).await;
    assert!(matches!(change::cancel(db, &by).await, Err(Error::NotFound)));
    // From a session, and not from somebody else's.
    begin(db, anna, NEW).await.expect("begun");
    let not_his = change::cancel(db, &sign_in(db, boris).await).await;
    assert!(matches!(not_his, Err(Error::NotFound)), "{not_his:?}");
    let first = link(db).await;
    change::cancel(db, &by).await.expect("called off");
    assert!(!is_on_its_way(db, anna).await);
    assert_eq!(sign_in(db, anna).await.frozen_until(), None, "points are free at once");
    assert_eq!(told(db, "number_kept").await, [EMAIL]);
    // By the link, once; that of the change before is none any more.
    world.clock.set(start() + Duration::minutes(1));
    begin(db, anna, NEW).await.expect("begun");
    let second = link(db).await;
    assert_ne!(first, second);
    let none = "A".repeat(43);
    for (wrong, is_known) in [
        ("", false),
        ("x", false),
        (none.as_str(), false),
        (first.as_str(), true),
    ] {
        match change::cancel_by_link(db, wrong, &Visitor::default()).await {
            Err(Error::Stale) => assert!(is_known, "{wrong}"),
            Err(Error::NotFound) => assert!(!is_known, "{wrong}"),
            other => panic!("{wrong}: {other:?}"),
        }
    }
    assert!(is_on_its_way(db, anna).await);
    change::cancel_by_link(db, &second, &Visitor::default())
        .await
        .expect("called off");
    let again = change::cancel_by_link(db, &second, &Visitor::default()).await;
    assert!(matches!(again, Err(Error::Stale)), "{again:?}");
    let stored = "SELECT COUNT(*) FROM number_changes WHERE LENGTH(link_hash) = 32";
    assert_eq!(one!(world, i64, stored), 2);
    // By staff, who say why.
    world.clock.set(start() + Duration::minutes(2));
    begin(db, anna, NEW).await.expect("begun");
    let fresh = agent.fresh(db).expect("fresh");
    match change::stop(db, &fresh, anna.id(), " ").await {
        Err(Error::Invalid(flaws)) => assert_eq!(flaws, [("reason".to_owned(), Flaw::Missing)]),
        other => panic!("{other:?}"),
    }
    change::stop(db, &fresh, anna.id(), "Позвонил с прежнего")
        .await
        .expect("called off");
    let twice = change::stop(db, &fresh, anna.id(), "Позвонил с прежнего").await;
    assert!(matches!(twice, Err(Error::Stale)), "{twice:?}");
    let why = "SELECT COUNT(*) FROM audit WHERE action = 'number.stop' AND actor = 'staff' AND reason = 'Позвонил с прежнего'";
    assert_eq!(one!(world, i64, why), 1);
    // Not again and again: each time everybody is written to.
    world.clock.set(start() + Duration::minutes(3));
    let more = begin(db, anna, NEW).await;
    assert!(matches!(more, Err(Error::TooMany { .. })), "{more:?}");
    assert!(!is_on_its_way(db, anna).await);
    // By removing the number that was to come.
    world.clock.set(start() + Duration::hours(2));
    begin(db, anna, NEW).await.expect("begun");
    let by = sign_in(db, anna).await;
    let id = id_of(db, anna, NEW).await;
    contacts::remove(db, &by.fresh(db).expect("fresh"), id)
        .await
        .expect("removed");
    assert!(!is_on_its_way(db, anna).await);
    world.clock.set(start() + days(9));
    assert_eq!(change::run_due(db, &BY).await.expect("nothing"), 0);
    assert_eq!(main_number(world).await, OLD);
});

both_engines!(
    s15_a_number_that_would_not_hear_of_it_stays_the_main_one,
    async |world| {
        let db = ready(world).await;
        let anna = customer(db).await;
        with_numbers(world, anna).await;
        // Whoever is in may bring about one message after another, until none comes any more.
        for _ in 0..db.shop().limits.sms_notices_per_number {
            let may: Result<Notice, Error> = db
                .write(|tx| scoped(async move { limits::notify(tx, OLD).await }))
                .await;
            assert_eq!(may.expect("counted"), Notice::Now);
        }
        let deaf = begin(db, anna, NEW).await;
        assert!(matches!(deaf, Err(Error::TooMany { .. })), "{deaf:?}");
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM number_changes"), 0);
        world.clock.set(start() + Duration::minutes(66));
        begin(db, anna, NEW).await.expect("it hears again");
        assert!(told(db, "number_begun").await.contains(&OLD.to_owned()));
    }
);

both_engines!(
    s15_what_is_about_safety_waits_for_the_budget_and_is_not_lost,
    async |world| {
        let db = ready(world).await;
        let anna = customer(db).await;
        with_numbers(world, anna).await;
        sql!(world, "DELETE FROM contacts WHERE kind = 'email'");
        // Somebody has spent the messages of the day.
        let shop = Shop {
            limits: Limits {
                sms_per_day: 1,
                ..Limits::default()
            },
            ..(**db.shop()).clone()
        };
        let db = &Db::open(&world.url, shop, world.clock.clone())
            .await
            .expect("another node");
        let spent: Result<Notice, Error> = db
            .write(|tx| scoped(async move { limits::notify(tx, "+79000000009").await }))
            .await;
        assert_eq!(spent.expect("counted"), Notice::Now);
        // Another main number does not even begin: its old one would not hear of it in time.
        let deaf = begin(db, anna, NEW).await;
        assert!(matches!(deaf, Err(Error::TooMany { .. })), "{deaf:?}");
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM number_changes"), 0);
        // What cannot wait itself happens, and the message of it waits.
        let by = sign_in(db, anna).await;
        let fresh = by.fresh(db).expect("fresh");
        crm::signin::confirm::set_password(db, &fresh, "", "пятьдесят лошадей у реки", &Visitor::default())
            .await
            .expect("set");
        assert_eq!(told(db, "password_changed").await, [OLD]);
        let carried = async |hours| {
            world.clock.set(start() + Duration::hours(hours));
            let hold = Duration::minutes(1);
            let claimed = crm::outbox::delivery::claim(db, &BY, crm::outbox::Channel::Sms, "worker", hold, 10).await;
            claimed.expect("claimed").len()
        };
        assert_eq!(
            [carried(0).await, carried(1).await, carried(8).await],
            [0, 0, 0],
            "the day is spent"
        );
        assert_eq!(carried(10).await, 1, "another day of the shop has begun");
        assert_eq!(one!(world, i64, "SELECT tries FROM outbox"), 1, "waiting is no try");
        let today = limits::sms_today(&mut db.read().await.expect("a connection")).await;
        assert!(today.expect("read").is_spent(), "it is counted when it goes");
        // That one is carried. The next one waits as well, until nothing may go to its country any more.
        sql!(world, "DELETE FROM outbox WHERE tries = 1");
        let by = sign_in(db, anna).await;
        let fresh = by.fresh(db).expect("fresh");
        let before = "пятьдесят лошадей у реки";
        crm::signin::confirm::set_password(db, &fresh, before, "сорок коров за лесом", &Visitor::default())
            .await
            .expect("set");
        assert_eq!(carried(11).await, 0);
        let shop = Shop {
            limits: Limits {
                sms_prefixes: [("7".to_owned(), 0)].into(),
                ..Limits::default()
            },
            ..(**db.shop()).clone()
        };
        let closed = &Db::open(&world.url, shop, world.clock.clone())
            .await
            .expect("another node");
        world.clock.set(start() + Duration::hours(12));
        let hold = Duration::minutes(1);
        let claimed = crm::outbox::delivery::claim(closed, &BY, crm::outbox::Channel::Sms, "worker", hold, 10).await;
        assert_eq!(claimed.expect("claimed").len(), 0);
        let error = one!(
            world,
            String,
            "SELECT error FROM outbox WHERE state = 'failed' AND due_at IS NULL"
        );
        assert_eq!(error, crm::outbox::delivery::CLOSED);
    }
);

both_engines!(s15_points_stay_while_the_number_changes_and_after, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    with_numbers(world, pair.anna).await;
    let before = reserve(db, pair.anna, pair.family, "before", 5_00)
        .await
        .expect("reserved");
    let begun = db.now();
    begin(db, pair.anna, NEW).await.expect("begun");
    let thaws = begun + Duration::hours(48);
    let is_frozen = async |key: &str, until: DateTime<Utc>| {
        let held = reserve(db, pair.anna, pair.family, key, 1_00).await;
        assert!(
            matches!(held, Err(SpendError::Frozen { until: at }) if at == until),
            "{held:?}"
        );
        let given = give(db, pair.anna, &pair.card, pair.family, 1_00).await;
        assert!(
            matches!(given, Err(TransferError::Frozen { until: at }) if at == until),
            "{given:?}"
        );
    };
    is_frozen("1", thaws).await;
    // What a till was promised before is kept, under its key too; and what is bought earns.
    let same = reserve(db, pair.anna, pair.family, "before", 5_00).await;
    assert_eq!(same.expect("the same"), before);
    spending::capture(db, &BY, pair.anna, before.id, 5_00, None)
        .await
        .expect("captured");
    let active = balance(db, pair.anna).await.active;
    fund(db, pair.anna, 3_00, db.now()).await;
    run_due(world, db.now()).await;
    assert_eq!(balance(db, pair.anna).await.active, active + 3_00);
    // Nobody else's stay.
    fund(db, pair.boris, 3_00, db.now()).await;
    reserve(db, pair.boris, pair.family, "his", 1_00)
        .await
        .expect("reserved");
    // Overdue, done, and until the end.
    world.clock.set(begun + Duration::hours(24));
    is_frozen("2", thaws).await;
    change::run_due(db, &BY).await.expect("done");
    world.clock.set(thaws - Duration::microseconds(1));
    is_frozen("3", thaws).await;
    world.clock.set(thaws);
    reserve(db, pair.anna, pair.family, "4", 1_00)
        .await
        .expect("free again");
    give(db, pair.anna, &pair.card, pair.family, 1_00)
        .await
        .expect("free again");
    assert_books_agree(db).await;
});

both_engines!(s15_no_till_is_quicker_than_a_change_that_has_begun, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    let (anna, family) = (pair.anna, pair.family);
    with_numbers(world, anna).await;
    let tills: Vec<_> = (0..8)
        .map(|n| {
            let db = db.clone();
            tokio::spawn(async move { reserve(&db, anna, family, &n.to_string(), 1_00).await })
        })
        .collect();
    let gift = {
        let (db, card) = (db.clone(), pair.card.clone());
        tokio::spawn(async move { give(&db, anna, &card, family, 1_00).await })
    };
    begin(db, anna, NEW).await.expect("begun");
    // It has begun: whoever comes now is too late, whatever is still under way.
    let late = reserve(db, anna, family, "late", 1_00).await;
    assert!(matches!(late, Err(SpendError::Frozen { .. })), "{late:?}");
    let mut held = 0;
    for done in join_all(tills).await {
        match done.expect("no panic") {
            Ok(_) => held += 1_00,
            Err(SpendError::Frozen { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    let given = match gift.await.expect("no panic") {
        Ok(_) => 1_00,
        Err(TransferError::Frozen { .. }) => 0,
        Err(other) => panic!("{other:?}"),
    };
    let now = balance(db, anna).await;
    assert_eq!(
        (now.active, now.reserved),
        (20_00 - given, held),
        "and nothing else moved"
    );
    assert_books_agree(db).await;
});

both_engines!(a_shop_may_change_numbers_at_once, async |world| {
    ready(world).await;
    let shop = Shop {
        number_change_hours: 0,
        ..(**world.db.shop()).clone()
    };
    let db = &Db::open(&world.url, shop, world.clock.clone()).await.expect("it opens");
    let anna = customer(db).await;
    with_numbers(world, anna).await;
    assert_eq!(begin(db, anna, NEW).await.expect("changed"), None);
    assert_eq!(main_number(world).await, NEW);
    assert_eq!(told(db, "phone_changed").await, [OLD, EMAIL]);
    assert_eq!(sign_in(db, anna).await.frozen_until(), None);
});

both_engines!(who_is_erased_has_no_number_on_its_way, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    with_numbers(world, anna).await;
    slip("S-1", anna, start()).line("чай", 1, 100_00).book(db).await;
    let by = sign_in(db, anna).await;
    crm::erasure::ask(db, &by.fresh(db).expect("fresh"), true)
        .await
        .expect("asked");
    world.clock.set(start() + days(14));
    begin(db, anna, NEW).await.expect("begun");
    assert_eq!(crm::erasure::run_due(db, &BY).await.expect("erased"), 1);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM number_changes"), 0);
    world.clock.set(start() + days(16));
    assert_eq!(change::run_due(db, &BY).await.expect("nothing"), 0);
});
