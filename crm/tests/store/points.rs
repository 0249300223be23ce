//! Points: earning, waiting, expiring, taking back.

use crate::common::*;

use crm::both_engines;
use crm::points::{self, LotState, TransactionKind, store};
use crm::testing::{World, start};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

both_engines!(points_wait_then_can_be_spent_then_expire, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    join(db, anna, "club", start()).await;
    let booked = slip("1", anna, start())
        .line("apple", 3, 10_33)
        .line("plum", 1, 33)
        .book(db)
        .await;

    assert_eq!(held(db, anna).await, (0, 92));
    assert_eq!(
        run_due(world, start() + days(14) - chrono::Duration::microseconds(1)).await,
        points::Report::default()
    );
    assert_eq!(
        run_due(world, start() + days(14)).await,
        points::Report {
            activated: 1,
            ..points::Report::default()
        }
    );
    let balance = balance(db, anna).await;
    assert_eq!((balance.active, balance.pending), (92, 0));
    let expiry = points::Expiry {
        points: 92,
        at: start() + days(379),
    };
    assert_eq!(
        (balance.next_expiry, balance.programs[0].next_expiry),
        (Some(expiry), Some(expiry))
    );
    assert_eq!(balance.programs[0].name.en, "Neighbours’ Club");

    let lines = receipt(db, anna, booked.id).await.lines;
    let earned = &lines[0].earned[0];
    assert_eq!(
        (earned.points, earned.taken_back, earned.state, earned.share),
        (92, 0, LotState::Active, 300)
    );
    assert_eq!(
        (earned.activates_at, earned.expires_at),
        (start() + days(14), start() + days(379))
    );
    assert_eq!(lines[1].earned, [], "33 kopecks earn less than a hundredth of a point");

    // Late: what expired on its day is booked as of that day.
    assert_eq!(
        run_due(world, start() + days(500)).await,
        points::Report {
            expired: 1,
            ..points::Report::default()
        }
    );
    assert_eq!(held(db, anna).await, (0, 0));
    let mut conn = db.read().await.expect("a connection");
    let history = store::history(&mut conn, anna, None, 10).await.expect("a history");
    let told: Vec<_> = history
        .iter()
        .map(|e| (e.kind, e.at - start(), e.points(), e.balance))
        .collect();
    assert_eq!(
        told,
        [
            (TransactionKind::Expiry, days(379), -92, 0),
            (TransactionKind::Activation, days(14), 92, 92),
            (TransactionKind::Accrual, days(0), 92, 0),
        ]
    );
    assert!(
        history
            .iter()
            .all(|e| e.purchase == Some(booked.id) && e.document.as_deref() == Some("1"))
    );
    let terms: Vec<_> = history.iter().map(|e| e.term).collect();
    assert_eq!(terms, [None, None, Some((start() + days(14), start() + days(379)))]);
    assert_books_agree(db).await;
});

both_engines!(the_daily_work_may_run_late_twice_and_at_once, async |world| {
    let db = ready(world).await;
    let mut all = Vec::new();
    for n in 0..30 {
        let who = customer(db).await;
        join(db, who, "club", start()).await;
        all.push(slip(&n.to_string(), who, start()).line("apple", 1, 100_00));
    }
    book(db, &all).await;
    world.clock.set(start() + days(400));
    let other = crm::db::Db::open(&world.url, (**db.shop()).clone(), world.clock.clone())
        .await
        .expect("a second process");
    let (a, b, c) = futures_join(db, &other).await;
    assert_eq!(
        (
            a.activated + b.activated + c.activated,
            a.expired + b.expired + c.expired
        ),
        (30, 30)
    );
    assert_eq!(store::run_due(db, &BY).await.expect("again"), points::Report::default());
    assert_books_agree(db).await;
});

async fn futures_join(db: &crm::db::Db, other: &crm::db::Db) -> (points::Report, points::Report, points::Report) {
    let (a, b, c) = tokio::join!(
        store::run_due(db, &BY),
        store::run_due(other, &BY),
        store::run_due(db, &BY)
    );
    (a.expect("done"), b.expect("done"), c.expect("done"))
}

both_engines!(only_members_earn_and_by_the_terms_of_their_day, async |world| {
    const VERSION: &str = "INSERT INTO program_versions (program_id, version, name, summary, terms, share, delay_days, \
        term_days, published_at) SELECT program_id, 2, name, summary, terms, 1000, 0, 10, $2 FROM program_versions \
        WHERE program_id = $1";
    let db = ready(world).await;
    let club = program(db, "club").await;
    execute!(db, VERSION, club, start() + days(10))
        .await
        .expect("a new version");
    let anna = customer(db).await;
    join(db, anna, "club", start() - days(5)).await;
    leave(db, anna, "club", start() + days(20)).await;
    for (day, earned) in [(-6, 0), (-5, 300), (9, 300), (10, 1000), (19, 1000), (20, 0)] {
        let (active, pending) = held(db, anna).await;
        slip(&day.to_string(), anna, start() + days(day))
            .line("apple", 1, 100_00)
            .book(db)
            .await;
        let after = held(db, anna).await;
        assert_eq!(after.0 + after.1 - active - pending, earned, "day {day}");
    }
    execute!(db, "UPDATE programs SET closed_at = $2 WHERE id = $1", club, start())
        .await
        .expect("closed");
    join(db, anna, "club", start()).await;
    let before = held(db, anna).await;
    slip("closed", anna, start() + days(1))
        .line("apple", 1, 100_00)
        .book(db)
        .await;
    assert_eq!(held(db, anna).await, before);
    assert_books_agree(db).await;
});

both_engines!(a_return_takes_back_what_the_line_earned, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    join(db, anna, "club", start()).await;
    let sale = slip("1", anna, start())
        .line("apple", 3, 33_50)
        .line("plum", 1, 100_00)
        .book(db)
        .await;
    assert_eq!(held(db, anna).await, (0, 301 + 300));
    // floor(301 / 3), then floor(301 × 2 / 3) less that, then the rest.
    for (n, left) in [(1, 501), (2, 401), (3, 300)] {
        slip(&format!("R{n}"), anna, start() + days(n))
            .line("apple", -1, 33_50)
            .book(db)
            .await;
        assert_eq!(held(db, anna).await, (0, left), "{n}");
    }
    let receipt = receipt(db, anna, sale.id).await;
    assert_eq!(receipt.lines[0].earned[0].taken_back, 301);
    assert_eq!(receipt.lines[1].earned[0].taken_back, 0);
    assert_eq!(receipt.head.points, 300);
    // A fourth has nothing to come back to.
    slip("R4", anna, start() + days(4))
        .line("apple", -1, 33_50)
        .book(db)
        .await;
    assert_eq!(held(db, anna).await, (0, 300));
    assert_books_agree(db).await;
});

both_engines!(what_expired_is_not_taken_back, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    join(db, anna, "club", start()).await;
    slip("1", anna, start()).line("apple", 1, 100_00).book(db).await;
    slip("2", anna, start() + days(300))
        .line("plum", 1, 100_00)
        .book(db)
        .await;
    // The job has not run: the return itself brings the lots up to its day.
    world.clock.set(start() + days(380));
    slip("R", anna, start() + days(380))
        .line("apple", -1, 100_00)
        .book(db)
        .await;
    assert_eq!(held(db, anna).await, (300, 0));
    assert_books_agree(db).await;
});

both_engines!(
    what_was_spent_is_taken_from_other_lots_and_the_rest_is_a_debt,
    async |world| {
        let db = ready(world).await;
        let club = program(db, "club").await;
        let anna = customer(db).await;
        join(db, anna, "club", start()).await;
        slip("1", anna, start()).line("apple", 1, 100_00).book(db).await;
        slip("2", anna, start() + days(1)).line("plum", 1, 50_00).book(db).await;
        run_due(world, start() + days(20)).await;
        spend(db, anna, club, 300).await;
        assert_eq!(held(db, anna).await, (150, 0));
        slip("3", anna, start() + days(20))
            .line("pear", 1, 120_00)
            .book(db)
            .await;
        slip("R", anna, start() + days(21))
            .line("apple", -1, 100_00)
            .book(db)
            .await;
        // 150 came from the other lot, 150 are owed; what waits is left alone.
        assert_eq!(held(db, anna).await, (-150, 360));
        assert_books_agree(db).await;
        run_due(world, start() + days(34)).await;
        assert_eq!(held(db, anna).await, (210, 0));
        assert_eq!(
            balance(db, anna).await.next_expiry.map(|e| e.points),
            Some(210),
            "the lot paid the debt"
        );
        assert_books_agree(db).await;
        // Points without a delay pay at once.
        join(db, anna, "family", start() + days(34)).await;
        slip("4", anna, start() + days(35))
            .line("fig", 1, 100_00)
            .book(db)
            .await;
        let family = program(db, "family").await;
        spend(db, anna, family, 200).await;
        slip("R2", anna, start() + days(36))
            .line("fig", -1, 100_00)
            .book(db)
            .await;
        slip("5", anna, start() + days(36))
            .line("fig", 1, 200_00)
            .book(db)
            .await;
        let of_family = balance(db, anna)
            .await
            .programs
            .into_iter()
            .find(|p| p.program == family)
            .expect("an account");
        assert_eq!(
            (of_family.active, of_family.next_expiry.map(|e| e.points)),
            (200, Some(200))
        );
        assert_books_agree(db).await;
    }
);

both_engines!(a_statement_is_read_page_by_page_and_adds_up, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    for who in [anna, boris] {
        join(db, who, "club", start()).await;
        join(db, who, "family", start()).await;
        for n in 0..6 {
            slip(&format!("{n}-{}", who.id()), who, start() + days(n))
                .line("apple", 1, 100_00 * (n + 1))
                .book(db)
                .await;
        }
    }
    run_due(world, start() + days(17)).await;
    let mut conn = db.read().await.expect("a connection");
    let whole = store::history(&mut conn, anna, None, 100).await.expect("all of it");
    assert_eq!(whole.len(), 12 + 4);
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let page = store::history(&mut conn, anna, before, 5).await.expect("a page");
        let Some(last) = page.last() else { break };
        before = Some((last.at, last.id.0));
        paged.extend(page);
    }
    assert_eq!(paged, whole);
    let mut total = 0;
    for entry in whole.iter().rev() {
        total += entry.active;
        assert_eq!(entry.total, total, "all programs together");
    }
    for program in balance(db, anna).await.programs {
        let mut running = 0;
        for entry in whole.iter().rev().filter(|e| e.program == program.program) {
            running += entry.active;
            assert_eq!(entry.balance, running);
        }
        assert_eq!(running, program.active);
    }
});

both_engines!(points_are_shown_to_their_owner_only, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    join(db, anna, "club", start()).await;
    let booked = slip("1", anna, start()).line("apple", 1, 100_00).book(db).await;
    let mut conn = db.read().await.expect("a connection");
    assert_eq!(
        store::earned_on(&mut conn, anna, booked.id).await.expect("read").len(),
        1
    );
    assert_eq!(store::earned_on(&mut conn, boris, booked.id).await.expect("read"), []);
    assert_eq!(store::history(&mut conn, boris, None, 10).await.expect("read"), []);
    assert_eq!(
        store::balance(&mut conn, boris).await.expect("read"),
        points::Balance::default()
    );
});

both_engines!(books_that_do_not_agree_are_found, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    join(db, anna, "club", start()).await;
    slip("1", anna, start()).line("apple", 2, 100_00).book(db).await;
    assert_books_agree(db).await;
    let found = async || {
        let mut found = store::verify(db, &BY).await.expect("compared");
        found.extend(crm::purchase::store::verify(db, &BY).await.expect("compared"));
        found.into_iter().map(|d| d.what).collect::<Vec<_>>()
    };
    for (spoil, mend, finds) in [
        (
            "UPDATE accounts SET balance = balance + 1 WHERE kind = 'issued'",
            "UPDATE accounts SET balance = balance - 1 WHERE kind = 'issued'",
            vec!["an account of a program keeps no balance"],
        ),
        (
            "UPDATE accounts SET balance = balance + 1 WHERE kind = 'pending'",
            "UPDATE accounts SET balance = balance - 1 WHERE kind = 'pending'",
            vec![
                "a balance is the sum of its postings",
                "pending points lie in pending lots",
            ],
        ),
        (
            "UPDATE lots SET remaining = remaining - 1",
            "UPDATE lots SET remaining = remaining + 1",
            vec![
                "a lot holds what was not taken from it, or went back to it",
                "pending points lie in pending lots",
            ],
        ),
        (
            "UPDATE lots SET state = 'active'",
            "UPDATE lots SET state = 'pending'",
            vec!["pending points lie in pending lots"],
        ),
        (
            "UPDATE accruals SET points = points + 1",
            "UPDATE accruals SET points = points - 1",
            vec!["a lot is what its lines earned, or a reward gave"],
        ),
        (
            "UPDATE purchases SET total = total + 1",
            "UPDATE purchases SET total = total - 1",
            vec!["a receipt's total is the sum of its lines"],
        ),
        (
            "UPDATE purchases SET line_count = 2",
            "UPDATE purchases SET line_count = 1",
            vec!["a receipt knows how many lines it has"],
        ),
        (
            "UPDATE purchase_lines SET returned = 1",
            "UPDATE purchase_lines SET returned = 0",
            vec!["what came back of a line is what returns brought"],
        ),
    ] {
        execute!(db, spoil).await.expect("spoilt");
        assert_eq!(found().await, finds, "{spoil}");
        execute!(db, mend).await.expect("mended");
        assert_books_agree(db).await;
    }
    for (table, sql) in [
        ("transactions", "UPDATE transactions SET kind = 'expiry'"),
        ("transactions", "DELETE FROM transactions"),
        ("postings", "UPDATE postings SET amount = 1"),
        ("postings", "DELETE FROM postings"),
    ] {
        let told = execute!(db, sql).await.expect_err("refused").to_string();
        assert!(told.contains(&format!("{table} is append-only")), "{told}");
    }
    const HALF: &str = "INSERT INTO postings (id, transaction_id, account_id, amount) \
                        SELECT $1, transaction_id, account_id, 5 FROM postings WHERE amount > 0";
    execute!(db, HALF, uuid::Uuid::now_v7())
        .await
        .expect("half a transaction");
    assert_eq!(
        found().await,
        ["a transaction sums to zero", "a balance is the sum of its postings"]
    );
});

both_engines!(
    the_books_are_compared_once_a_day_by_one_of_all_processes,
    async |world| {
        let db = ready(world).await;
        let anna = customer(db).await;
        join(db, anna, "club", start()).await;
        slip("1", anna, start()).line("apple", 1, 100_00).book(db).await;
        execute!(db, "UPDATE accounts SET balance = balance + 1 WHERE kind = 'issued'")
            .await
            .expect("spoilt");
        execute!(db, "UPDATE purchases SET total = total + 1")
            .await
            .expect("spoilt");
        for (hours, n) in [(0, 1), (23, 0), (24, 1), (47, 0), (500, 1)] {
            world.clock.set(start() + chrono::Duration::hours(hours));
            let all = futures::future::join_all((0..5).map(|_| store::verify_daily(db, &BY))).await;
            let found: Vec<_> = all.into_iter().filter_map(|one| one.expect("compared")).collect();
            assert_eq!(found.len(), n, "{hours} h");
            assert!(found.iter().all(|found| found.len() == 2), "{found:?}");
        }
    }
);

/// Something that happens to a customer.
#[derive(Clone, Debug)]
enum Event {
    Sale(Vec<(usize, i64, i64)>),
    Return { article: usize, quantity: i64, price: i64 },
    Join(usize),
    Leave(usize),
    Spend(usize, i64),
    Days(i64),
    Work,
    Again,
}

const PROGRAMS: [&str; 3] = ["club", "family", "holiday"];
const PRICES: [i64; 4] = [0, 33, 19_99, 1_250_00];

fn event() -> impl Strategy<Value = Event> {
    let price = || prop::sample::select(&PRICES[..]);
    prop_oneof![
        4 => prop::collection::vec((0..3_usize, 1..5_i64, price()), 1..4).prop_map(Event::Sale),
        4 => (0..3_usize, 1..4_i64, price()).prop_map(|(article, quantity, price)| Event::Return { article, quantity, price }),
        1 => (0..3_usize).prop_map(Event::Join),
        1 => (0..3_usize).prop_map(Event::Leave),
        2 => (0..3_usize, 1..5000_i64).prop_map(|(program, points)| Event::Spend(program, points)),
        3 => prop::sample::select(&[1_i64, 13, 80, 300][..]).prop_map(Event::Days),
        2 => Just(Event::Work),
        1 => Just(Event::Again),
    ]
}

/// Whatever happens, the books agree after every step.
async fn live(world: &World, events: Vec<Event>) {
    let db = &world.db;
    let mut now = start();
    world.clock.set(now);
    let who = customer(db).await;
    join(db, who, "club", now).await;
    join(db, who, "family", now).await;
    let mut last: Option<Slip> = None;
    for (n, event) in events.into_iter().enumerate() {
        let document = format!("{n}-{}", who.id());
        now += chrono::Duration::minutes(1);
        match event {
            Event::Sale(lines) => {
                let mut sale = slip(&document, who, now);
                for (article, quantity, price) in lines {
                    sale = sale.line(&article.to_string(), quantity, price);
                }
                sale.book(db).await;
                last = Some(sale);
            }
            Event::Return {
                article,
                quantity,
                price,
            } => {
                let back = slip(&document, who, now).line(&article.to_string(), -quantity, price);
                back.book(db).await;
                last = Some(back);
            }
            Event::Join(program) => join(db, who, PROGRAMS[program], now).await,
            Event::Leave(program) => leave(db, who, PROGRAMS[program], now).await,
            Event::Spend(program_, points) => spend(db, who, program(db, PROGRAMS[program_]).await, points).await,
            Event::Days(n) => now += days(n),
            Event::Work => {
                run_due(world, now).await;
            }
            Event::Again => {
                let before = held(db, who).await;
                if let Some(slip) = &last {
                    assert!(!slip.book(db).await.new);
                }
                assert_eq!(held(db, who).await, before);
            }
        }
        world.clock.set(now);
        assert_books_agree(db).await;
    }
    // In the end everything has expired, and only debts are left.
    run_due(world, now + days(2000)).await;
    let (active, pending) = held(db, who).await;
    assert!(active <= 0 && pending == 0, "{active} {pending}");
    assert_books_agree(db).await;
}

fn whatever_happens(world: impl Future<Output = World>, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let world = runtime.block_on(async {
        let world = world.await;
        ready(&world).await;
        world
    });
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&prop::collection::vec(event(), 1..30), |events| {
        runtime.block_on(live(&world, events));
        Ok(())
    });
    if let Err(e) = result {
        panic!("{e}");
    }
}

#[test]
fn the_books_agree_whatever_happens_sqlite() {
    whatever_happens(crm::testing::sqlite(), 40);
}

#[test]
fn the_books_agree_whatever_happens_postgres() {
    whatever_happens(crm::testing::postgres(), 20);
}
