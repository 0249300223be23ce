//! How many text messages may go, counted by all nodes together.

use crate::common::people::{SYSTEM, customer, one, topic};
use chrono::{DateTime, TimeDelta, Utc};
use crm::clock::Clock;
use crm::db::Db;
use crm::error::Error;
use crm::limits::{self, Limits, Notice, SmsDay};
use crm::shop::Shop;
use crm::testing::{World, start};

/// The same database with limits of its own, as another node has them.
async fn node(world: &World, limits: Limits) -> (Db, Clock) {
    let clock = Clock::fixed(start());
    let shop = Shop {
        limits,
        ..Shop::default()
    };
    let db = Db::open(&world.url, shop, clock.clone()).await.expect("it opens");
    (db, clock)
}

async fn ask(db: &Db, phone: &str, network: &str) -> Result<(), Error> {
    db.write(|tx| crm::db::scoped(async move { limits::check_sms(tx, phone, network).await }))
        .await
}

/// How many of `times` are let through.
async fn allowed(db: &Db, phone: &str, network: &str, times: usize) -> usize {
    let mut through = 0;
    for _ in 0..times {
        match ask(db, phone, network).await {
            Ok(()) => through += 1,
            Err(Error::TooMany { .. }) => {}
            Err(e) => panic!("{e}"),
        }
    }
    through
}

fn few() -> Limits {
    Limits {
        sms_per_number: 2,
        sms_per_network: 5,
        sms_per_day: 1000,
        sms_elsewhere: 3,
        sms_prefixes: [("375".to_owned(), 4), ("37533".to_owned(), 0)].into(),
        ..Limits::default()
    }
}

crm::both_engines!(s08_numbers_and_networks_have_their_share_of_an_hour, async |world| {
    let (db, clock) = node(world, few()).await;
    assert_eq!(allowed(&db, "+79001234567", "192.0.2.1", 4).await, 2);
    // From elsewhere the number has had its share as well; another number from here has not.
    assert_eq!(allowed(&db, "+79001234567", "192.0.2.2", 1).await, 0);
    assert_eq!(allowed(&db, "+79001234568", "192.0.2.1", 3).await, 2);
    assert_eq!(allowed(&db, "+79001234569", "192.0.2.1", 3).await, 1);
    assert_eq!(allowed(&db, "+79001234569", "192.0.2.3", 3).await, 1);
    // Another node counts with the same counters.
    let (other, _) = node(world, few()).await;
    assert_eq!(allowed(&other, "+79001234567", "192.0.2.9", 1).await, 0);
    clock.set(start() + TimeDelta::minutes(59));
    assert_eq!(allowed(&db, "+79001234567", "192.0.2.4", 1).await, 0);
    clock.set(start() + TimeDelta::hours(1));
    assert_eq!(allowed(&db, "+79001234567", "192.0.2.1", 4).await, 2);
});

crm::both_engines!(s08_other_countries_have_small_budgets, async |world| {
    let (db, _) = node(world, few()).await;
    let mut n = 0;
    let mut to = async |prefix: &str, digits: usize, times: usize| {
        let mut through = 0;
        for _ in 0..times {
            n += 1;
            let phone = format!("+{prefix}{n:0digits$}");
            through += allowed(&db, &phone, &format!("192.0.2.{n}"), 1).await;
        }
        through
    };
    assert_eq!(to("7900", 7, 12).await, 12, "the shop's own country");
    assert_eq!(to("37529", 7, 6).await, 4, "a country that is named");
    assert_eq!(to("37533", 7, 2).await, 0, "a network in it that is closed");
    assert_eq!(to("99890", 7, 5).await, 3, "one that is not named");
    assert_eq!(to("996555", 6, 5).await, 3, "another one");
});

crm::both_engines!(
    s08_the_days_budget_ends_at_midnight_and_what_is_refused_leaves_no_row,
    async |world| {
        let day = Limits {
            sms_per_day: 3,
            ..few()
        };
        let (db, clock) = node(world, day).await;
        let today = async || {
            limits::sms_today(&mut db.read().await.expect("a connection"))
                .await
                .expect("read")
        };
        assert_eq!(today().await, SmsDay { sent: 0, budget: 3 });
        for n in 0..3 {
            assert!(!today().await.is_spent());
            assert_eq!(
                allowed(&db, &format!("+7900123456{n}"), &format!("192.0.2.{n}"), 1).await,
                1
            );
        }
        assert_eq!(today().await, SmsDay { sent: 3, budget: 3 });
        assert!(today().await.is_spent());
        let rows = one!(world, i64, "SELECT COUNT(*) FROM limits");
        for n in 3..9 {
            let refused = ask(&db, &format!("+7900123456{n}"), &format!("192.0.2.{n}")).await;
            // It is noon in UTC and three in the afternoon in Moscow.
            assert!(
                matches!(refused, Err(Error::TooMany { retry_after: 32_400 })),
                "{refused:?}"
            );
        }
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM limits"), rows);
        assert_eq!(today().await.sent, 3);
        let midnight: DateTime<Utc> = "2026-11-21T21:00:00Z".parse().expect("a time");
        clock.set(midnight - TimeDelta::seconds(1));
        assert_eq!(allowed(&db, "+79001234567", "192.0.2.9", 1).await, 0);
        clock.set(midnight);
        assert_eq!(today().await.sent, 0);
        assert_eq!(allowed(&db, "+79001234567", "192.0.2.9", 1).await, 1);

        clock.set(midnight + TimeDelta::days(3) + TimeDelta::seconds(1));
        limits::sweep(&db, &SYSTEM).await.expect("swept");
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM limits"), 0);
    }
);

crm::both_engines!(a_customer_writes_so_many_requests_and_messages_an_hour, async |world| {
    use crm::request::{NewRequest, store as requests};
    let writing = Limits {
        requests_per_customer: 2,
        messages_per_customer: 3,
        ..few()
    };
    let (db, clock) = node(world, writing).await;
    let (anna, boris) = (customer(world, "Анна", "К").await, customer(world, "Борис", "К").await);
    topic(world, "other", 1).await;
    let new = NewRequest {
        topic: "other".into(),
        text: "Где баллы?".into(),
        purchase: String::new(),
    };
    let create = async |by| requests::create(&db, by, &new, &[]).await;
    let first = create(&anna).await.expect("the first");
    create(&anna).await.expect("the second");
    assert!(matches!(create(&anna).await, Err(Error::TooMany { retry_after: 3600 })));
    create(&boris).await.expect("somebody else's share is their own");
    for _ in 0..3 {
        requests::answer(&db, &anna, first, "Ещё вопрос", &[])
            .await
            .expect("an answer");
    }
    let fourth = requests::answer(&db, &anna, first, "Ещё вопрос", &[]).await;
    assert!(matches!(fourth, Err(Error::TooMany { retry_after: 3600 })));
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM messages"),
        6,
        "what was refused is not there"
    );
    clock.set(start() + TimeDelta::hours(1));
    create(&anna).await.expect("the next hour");
});

crm::both_engines!(s08_many_at_once_get_no_more_than_one_after_another, async |world| {
    let day = Limits {
        sms_per_day: 7,
        sms_per_network: 1000,
        ..few()
    };
    let (db, _) = node(world, day).await;
    let asked = (0..30).map(|n| {
        let db = db.clone();
        async move { allowed(&db, &format!("+79001234{n:03}"), "192.0.2.1", 1).await }
    });
    let through: usize = futures::future::join_all(asked).await.into_iter().sum();
    assert_eq!(through, 7);
});

crm::both_engines!(nodes_add_what_they_counted_and_learn_the_sum, async |world| {
    let db = &world.db;
    let minute = start();
    let first = limits::exchange(db, &SYSTEM, minute, &[(-5, 10), (7, 20)]).await;
    assert_eq!(first.expect("told"), [(-5, 10), (7, 20)]);
    let second = limits::exchange(db, &SYSTEM, minute, &[(7, 12)]).await;
    assert_eq!(second.expect("told"), [(7, 32)], "what another node told as well");
    let next = limits::exchange(db, &SYSTEM, minute + TimeDelta::minutes(1), &[(7, 1)]).await;
    assert_eq!(next.expect("told"), [(7, 1)], "another minute");
    let many: Vec<(i64, u32)> = (0..500).map(|key| (key, 1)).collect();
    let told = futures::future::join_all((0..8).map(|_| limits::exchange(db, &SYSTEM, minute, &many))).await;
    let most = told.into_iter().map(|sums| sums.expect("told")[0].1).max();
    assert_eq!(most, Some(8), "at once");
    world.clock.set(start() + TimeDelta::hours(2));
    limits::sweep(db, &SYSTEM).await.expect("swept");
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM paces"), 0);
});

crm::both_engines!(anything_may_be_counted, async |world| {
    let db = &world.db;
    let take = async |key: &'static str, limit| {
        db.write(|tx| crm::db::scoped(async move { limits::take(tx, key, limit).await }))
            .await
            .expect("counted")
    };
    let one_by_one = [take("x", 2).await, take("x", 2).await, take("x", 2).await];
    assert_eq!(one_by_one, [true, true, false]);
    let at_once = futures::future::join_all((0..20).map(|_| take("y", 7))).await;
    assert_eq!(at_once.into_iter().filter(|taken| *taken).count(), 7);
});

crm::both_engines!(s08_messages_about_changes_have_a_share_of_their_own, async |world| {
    let limits = Limits {
        sms_notices_per_number: 2,
        sms_per_day: 6,
        ..few()
    };
    let (db, clock) = node(world, limits).await;
    let tell = async |phone: &'static str| {
        let when: Result<Notice, Error> = db
            .write(|tx| crm::db::scoped(async move { limits::notify(tx, phone).await }))
            .await;
        when.expect("counted")
    };
    let phone = "+79001234567";
    let told = [
        tell(phone).await,
        tell(phone).await,
        tell(phone).await,
        tell(phone).await,
    ];
    assert_eq!(told, [Notice::Now, Notice::Now, Notice::Never, Notice::Never]);
    // They keep no code from the number, and what was refused has used up nothing of the day.
    assert_eq!(allowed(&db, phone, "192.0.2.1", 3).await, 2);
    // Countries have their share, and the day has its own.
    assert_eq!(tell("+375331234567").await, Notice::Never, "nothing goes there");
    assert_eq!(
        [tell("+79001234568").await, tell("+79001234569").await],
        [Notice::Now, Notice::Now]
    );
    assert_eq!(tell("+79001234570").await, Notice::Later, "six in a day");
    clock.set(start() + TimeDelta::days(1));
    assert_eq!(tell(phone).await, Notice::Now);
});

crm::both_engines!(
    s08_messages_that_nobody_asked_for_keep_to_their_budgets_at_once,
    async |world| {
        let limits = Limits {
            sms_per_day: 7,
            ..few()
        };
        let (db, _) = node(world, limits).await;
        let db = &db;
        let tell = async |phone: String| {
            let phone = &phone;
            let when: Result<Notice, Error> = db
                .write(|tx| crm::db::scoped(async move { limits::notify(tx, phone).await }))
                .await;
            when.expect("counted")
        };
        let told = |all: Vec<Notice>| all.into_iter().filter(|it| *it == Notice::Now).count();
        let there = (0..20).map(|n| tell(format!("+9989012345{n:02}")));
        assert_eq!(told(futures::future::join_all(there).await), 3, "of a country");
        let at_home = (0..20).map(|n| tell(format!("+79001234{n:03}")));
        assert_eq!(
            told(futures::future::join_all(at_home).await),
            4,
            "what is left of the day"
        );
        let today = limits::sms_today(&mut db.read().await.expect("a connection")).await;
        assert_eq!(
            today.expect("read"),
            SmsDay { sent: 7, budget: 7 },
            "what is refused is not counted"
        );
    }
);
