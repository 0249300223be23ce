//! Spending, what comes back of it, and voids.

use crate::common::*;
use chrono::Duration;
use crm::both_engines;
use crm::db::{Db, scoped};
use crm::id::{ProgramId, PurchaseId, ReservationId};
use crm::points::store::{SpendError, run_due as work, spending};
use crm::points::{self, LotState, Paid, Policy, Report, Reservation, ReservationState, TransactionKind, Wish, store};
use crm::purchase::void::{VoidError, void};
use crm::purchase::{Filter, LineOutcome, store as purchases};
use crm::testing::start;
use crm::who::Subject;
use futures::future::join_all;

async fn capture(
    db: &Db,
    who: Subject,
    id: ReservationId,
    points: i64,
    purchase: Option<PurchaseId>,
) -> Result<Reservation, SpendError> {
    spending::capture(db, &BY, who, id, points, purchase).await
}

async fn cancel(db: &Db, who: Subject, id: ReservationId) -> Result<Reservation, SpendError> {
    spending::cancel(db, &BY, who, id).await
}

/// Pays for a receipt with points.
async fn pay(db: &Db, who: Subject, program: ProgramId, points: i64, purchase: PurchaseId) {
    let held = reserve(db, who, program, &purchase.to_string(), points)
        .await
        .expect("reserved");
    capture(db, who, held.id, points, Some(purchase))
        .await
        .expect("captured");
}

async fn paid(db: &Db, who: Subject, purchase: PurchaseId) -> Vec<(i64, i64)> {
    let mut conn = db.read().await.expect("a connection");
    let paid: Vec<Paid> = spending::paid_on(&mut conn, who, purchase).await.expect("read");
    paid.iter().map(|paid| (paid.points, paid.given_back)).collect()
}

both_engines!(a_reserve_lowers_what_else_can_be_spent_at_once, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    let family = program(db, "family").await;
    let none = reserve(db, anna, family, "0", 5).await;
    assert!(matches!(none, Err(SpendError::NotEnough { missing: 5 })), "{none:?}");
    for who in [anna, boris] {
        fund(db, who, 10_00, start()).await;
    }
    join(db, anna, "club", start()).await;
    slip("club", anna, start()).line("apple", 1, 100_00).book(db).await;

    let held = reserve(db, anna, family, "1", 6_00).await.expect("reserved");
    assert_eq!((held.state, held.points), (ReservationState::Held, 6_00));
    assert_eq!(held.expires_at, start() + Duration::minutes(30));
    assert_eq!(reserve(db, anna, family, "1", 6_00).await.expect("the same"), held);
    for (who, program, points) in [
        (anna, family, 6_01),
        (boris, family, 6_00),
        (anna, program(db, "club").await, 6_00),
    ] {
        let other = reserve(db, who, program, "1", points).await;
        assert!(matches!(other, Err(SpendError::Reused)), "{other:?}");
    }
    for points in [0, -1] {
        let none = reserve(db, anna, family, "2", points).await;
        assert!(matches!(none, Err(SpendError::Amount)), "{none:?}");
    }
    let more = reserve(db, anna, family, "2", 4_01).await;
    assert!(matches!(more, Err(SpendError::NotEnough { missing: 1 })), "{more:?}");
    let waiting = reserve(db, anna, program(db, "club").await, "2", 1).await;
    assert!(
        matches!(waiting, Err(SpendError::NotEnough { missing: 1 })),
        "what waits for its day is not to be spent: {waiting:?}"
    );
    assert_eq!(balance(db, anna).await.spendable(), 4_00);
    world.clock.set(start() + Duration::minutes(5));
    reserve(db, anna, family, "2", 4_00).await.expect("the rest");
    let balance = balance(db, anna).await;
    assert_eq!(
        (balance.active, balance.reserved, balance.pending),
        (10_00, 10_00, 3_00)
    );
    assert_eq!(balance.spendable(), 0);
    for one in &balance.programs {
        let until = (one.program == family).then(|| start() + Duration::minutes(35));
        assert_eq!(one.reserved_until, until, "the later of both");
    }
    assert_books_agree(db).await;
});

both_engines!(
    a_capture_takes_all_or_a_part_from_the_lots_that_expire_first,
    async |world| {
        let db = ready(world).await;
        let (anna, boris) = (customer(db).await, customer(db).await);
        let family = program(db, "family").await;
        // Booked first, and expires last.
        fund(db, anna, 10_00, start() + days(10)).await;
        fund(db, anna, 10_00, start()).await;
        world.clock.set(start() + days(11));
        let held = reserve(db, anna, family, "1", 15_00).await.expect("reserved");
        for points in [0, -1, 15_01] {
            let no = capture(db, anna, held.id, points, None).await;
            assert!(matches!(no, Err(SpendError::Amount)), "{no:?}");
        }
        let not_his = capture(db, boris, held.id, 1_00, None).await;
        assert!(
            matches!(not_his, Err(SpendError::Crm(crm::Error::NotFound))),
            "{not_his:?}"
        );
        let captured = capture(db, anna, held.id, 12_00, None).await.expect("captured");
        assert_eq!((captured.state, captured.captured), (ReservationState::Captured, 12_00));
        assert_eq!(lots(db, anna).await, [(8_00, start() + days(100))]);
        let now = balance(db, anna).await;
        assert_eq!((now.active, now.reserved), (8_00, 0), "what was not captured is free");
        assert_eq!(
            capture(db, anna, held.id, 12_00, None).await.expect("once more"),
            captured
        );
        assert_eq!(balance(db, anna).await.active, 8_00);
        let otherwise = capture(db, anna, held.id, 3_00, None).await;
        assert!(matches!(otherwise, Err(SpendError::Reused)), "{otherwise:?}");
        let too_late = cancel(db, anna, held.id).await;
        assert!(
            matches!(too_late, Err(SpendError::Ended(ReservationState::Captured))),
            "{too_late:?}"
        );
        let mut conn = db.read().await.expect("a connection");
        let newest = store::history(&mut conn, anna, None, 1)
            .await
            .expect("a history")
            .remove(0);
        assert_eq!(
            (newest.kind, newest.points(), newest.balance),
            (TransactionKind::Redemption, -12_00, 8_00)
        );
        assert_books_agree(db).await;
    }
);

both_engines!(a_reserve_that_is_cancelled_can_be_spent_elsewhere, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    let family = program(db, "family").await;
    fund(db, anna, 10_00, start()).await;
    let held = reserve(db, anna, family, "1", 10_00).await.expect("reserved");
    let gone = cancel(db, anna, held.id).await.expect("cancelled");
    assert_eq!(gone.state, ReservationState::Cancelled);
    assert_eq!(cancel(db, anna, held.id).await.expect("once more"), gone);
    let no = capture(db, anna, held.id, 1_00, None).await;
    assert!(
        matches!(no, Err(SpendError::Ended(ReservationState::Cancelled))),
        "{no:?}"
    );
    let same = reserve(db, anna, family, "1", 10_00).await.expect("known");
    assert_eq!(
        same.state,
        ReservationState::Cancelled,
        "a key is one reservation for ever"
    );
    reserve(db, anna, family, "2", 10_00).await.expect("free again");
    assert_books_agree(db).await;
});

both_engines!(a_reserve_that_nobody_captured_ends_by_itself, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    let family = program(db, "family").await;
    let mut held = Vec::new();
    for who in [anna, boris] {
        fund(db, who, 10_00, start()).await;
        for n in 0..3 {
            let key = format!("{n}-{}", who.id());
            held.push(reserve(db, who, family, &key, 3_00).await.expect("reserved"));
        }
    }
    world
        .clock
        .set(start() + Duration::minutes(30) - Duration::microseconds(1));
    assert_eq!(work(db, &BY).await.expect("too early"), Report::default());
    capture(db, anna, held[0].id, 1_00, None).await.expect("in time");
    world.clock.set(start() + Duration::minutes(30));
    // The daily work has not come round, and it is all the same.
    let late = capture(db, anna, held[1].id, 1_00, None).await;
    assert!(
        matches!(late, Err(SpendError::Ended(ReservationState::Expired))),
        "{late:?}"
    );
    assert_eq!(
        cancel(db, anna, held[1].id).await.expect("gone").state,
        ReservationState::Expired
    );
    reserve(db, anna, family, "9", 9_00).await.expect("free again");

    world.clock.set(start() + days(1));
    let other = Db::open(&world.url, (**db.shop()).clone(), world.clock.clone())
        .await
        .expect("a second process");
    let all = tokio::join!(work(db, &BY), work(&other, &BY), work(db, &BY));
    let lapsed = [all.0, all.1, all.2].map(|report| report.expect("done").lapsed);
    assert_eq!(lapsed.iter().sum::<u64>(), 4, "three of Boris, one of Anna: each once");
    assert_eq!(work(db, &BY).await.expect("again"), Report::default());
    for (who, active) in [(anna, 9_00), (boris, 10_00)] {
        let balance = balance(db, who).await;
        assert_eq!((balance.active, balance.reserved), (active, 0));
    }
    assert_books_agree(db).await;
});

both_engines!(what_is_reserved_does_not_expire_until_the_reserve_ends, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    let family = program(db, "family").await;
    let mut held = Vec::new();
    for who in [anna, boris] {
        fund(db, who, 10_00, start()).await;
        fund(db, who, 5_00, start() + Duration::minutes(1)).await;
    }
    world.clock.set(start() + days(90) - Duration::minutes(10));
    for who in [anna, boris] {
        let key = who.id().to_string();
        held.push(reserve(db, who, family, &key, 6_00).await.expect("reserved"));
    }
    world.clock.set(start() + days(90) + Duration::minutes(5));
    let report = work(db, &BY).await.expect("done");
    assert_eq!(
        report.expired, 4,
        "a part of the first lot and all of the second, of both"
    );
    assert_eq!(work(db, &BY).await.expect("again").expired, 0);
    for who in [anna, boris] {
        assert_eq!(lots(db, who).await, [(6_00, start() + days(90))]);
        assert_books_agree(db).await;
    }
    let more = reserve(db, anna, family, "more", 1).await;
    assert!(matches!(more, Err(SpendError::NotEnough { missing: 1 })), "{more:?}");
    capture(db, anna, held[0].id, 6_00, None).await.expect("as promised");
    cancel(db, boris, held[1].id).await.expect("cancelled");
    work(db, &BY).await.expect("done");
    for who in [anna, boris] {
        assert_eq!(held_and_reserved(db, who).await, (0, 0));
    }
    let mut conn = db.read().await.expect("a connection");
    let newest = store::history(&mut conn, boris, None, 1)
        .await
        .expect("a history")
        .remove(0);
    assert_eq!(
        (newest.kind, newest.at, newest.points()),
        (
            TransactionKind::Expiry,
            start() + days(90) + Duration::minutes(1),
            -5_00
        )
    );
    assert_books_agree(db).await;
});

both_engines!(a_later_reserve_keeps_nothing_that_was_over_before_it, async |world| {
    let db = ready(world).await;
    let family = program(db, "family").await;
    let end = start() + days(90);
    let mut all = Vec::new();
    for name in ["anna", "boris", "clara", "dora"] {
        world.clock.set(start());
        let who = customer(db).await;
        fund(db, who, 10_00, start()).await;
        fund(db, who, 10_00, start() + days(1)).await;
        world.clock.set(end - Duration::minutes(10));
        let first = reserve(db, who, family, &format!("{name} 1"), 10_00)
            .await
            .expect("reserved");
        world.clock.set(end + Duration::minutes(5));
        let second = reserve(db, who, family, &format!("{name} 2"), 10_00)
            .await
            .expect("reserved");
        all.push((who, first.id, second.id));
    }
    work(db, &BY).await.expect("the daily work");
    let (over, other) = ((10_00, end), (10_00, end + days(1)));
    for (who, ..) in &all {
        assert_eq!(lots(db, *who).await, [over, other], "promised before they were over");
    }
    // The later one takes nothing of what was over when it was made.
    let (anna, first, second) = all[0];
    capture(db, anna, second, 10_00, None).await.expect("captured");
    assert_eq!(lots(db, anna).await, [over]);
    cancel(db, anna, first).await.expect("cancelled");
    work(db, &BY).await.expect("the daily work");
    assert_eq!(held_and_reserved(db, anna).await, (0, 0));
    // Once the earlier one ends they expire, though as many points are still reserved.
    let (boris, first, second) = all[1];
    cancel(db, boris, first).await.expect("cancelled");
    work(db, &BY).await.expect("the daily work");
    assert_eq!(lots(db, boris).await, [other]);
    capture(db, boris, second, 10_00, None).await.expect("as promised");
    // The earlier one pays with them until then.
    let (clara, first, _) = all[2];
    capture(db, clara, first, 10_00, None).await.expect("as promised");
    assert_eq!(lots(db, clara).await, [other]);
    assert_eq!(held_and_reserved(db, clara).await, (10_00, 10_00));
    // It ends by itself as well.
    let (dora, _, second) = all[3];
    run_due(world, end + Duration::minutes(20)).await;
    assert_eq!(lots(db, dora).await, [other]);
    capture(db, dora, second, 10_00, None).await.expect("as promised");
    assert_books_agree(db).await;
});

both_engines!(
    points_that_are_promised_at_the_moment_they_end_do_not_expire,
    async |world| {
        let db = ready(world).await;
        let anna = customer(db).await;
        let family = program(db, "family").await;
        fund(db, anna, 10_00, start()).await;
        let end = start() + days(90);
        world.clock.set(end - Duration::microseconds(1));
        let wish = &Wish {
            source: "till".into(),
            key: "1".into(),
            program: family,
            points: 10_00,
        };
        // The daily work comes round while the promise is not written down yet.
        let clock = &world.clock;
        let (held, daily) = db
            .write(|tx| {
                scoped(async move {
                    let held = spending::reserve_in(tx, &BY, anna, wish).await?;
                    clock.set(end);
                    let other = db.clone();
                    let daily = tokio::spawn(async move { work(&other, &BY).await });
                    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                    Ok::<_, SpendError>((held, daily))
                })
            })
            .await
            .expect("reserved");
        let report = daily.await.expect("no panic").expect("done");
        assert_eq!(report.expired, 0);
        assert_eq!(held_and_reserved(db, anna).await, (10_00, 10_00));
        capture(db, anna, held.id, 10_00, None).await.expect("as promised");
        assert_books_agree(db).await;
    }
);

async fn held_and_reserved(db: &Db, who: Subject) -> (i64, i64) {
    let balance = balance(db, who).await;
    (balance.active, balance.reserved)
}

both_engines!(
    s21_a_hundred_redeem_one_balance_and_nothing_is_spent_twice,
    async |world| {
        let db = ready(world).await;
        let anna = customer(db).await;
        let family = program(db, "family").await;
        fund(db, anna, 4_00, start()).await;
        fund(db, anna, 6_00, start() + Duration::minutes(1)).await;
        let all = (0..100).map(|n| {
            let db = db.clone();
            tokio::spawn(async move {
                let held = reserve(&db, anna, family, &format!("till {n}"), 30).await?;
                capture(&db, anna, held.id, 30, None).await
            })
        });
        let (mut done, mut missing) = (0, 0);
        for one in join_all(all).await {
            match one.expect("no panic") {
                Ok(captured) => {
                    assert_eq!(captured.captured, 30);
                    done += 1;
                }
                Err(SpendError::NotEnough { .. }) => missing += 1,
                Err(e) => panic!("{e}"),
            }
        }
        assert_eq!((done, missing), (33, 67));
        assert_eq!(held_and_reserved(db, anna).await, (10, 0));
        assert_books_agree(db).await;
    }
);

both_engines!(
    s21_one_key_a_hundred_times_is_one_reserve_and_one_capture,
    async |world| {
        let db = ready(world).await;
        let anna = customer(db).await;
        let family = program(db, "family").await;
        fund(db, anna, 10_00, start()).await;
        let all = (0..100).map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                let held = reserve(&db, anna, family, "1", 4_00).await.expect("reserved");
                capture(&db, anna, held.id, 4_00, None).await.expect("captured").id
            })
        });
        let ids: Vec<_> = join_all(all)
            .await
            .into_iter()
            .map(|id| id.expect("no panic"))
            .collect();
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(held_and_reserved(db, anna).await, (6_00, 0));
        assert_books_agree(db).await;
    }
);

both_engines!(what_paid_for_returned_lines_goes_back_to_its_own_lots, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    let family = program(db, "family").await;
    fund(db, anna, 10_00, start()).await;
    fund(db, anna, 10_00, start() + days(10)).await;
    let day = async |n: i64| {
        world.clock.set(start() + days(n));
        work(db, &BY).await.expect("the daily work");
        start() + days(n)
    };
    let at = day(20).await;
    let sale = slip("S", anna, at)
        .line("apple", 2, 10_00)
        .line("plum", 1, 5_00)
        .line("pear", 3, 0);
    let sale = sale.book(db).await.id;
    pay(db, anna, family, 15_00, sale).await;
    // In proportion to what each line costs; the free pears took none.
    assert_eq!(paid(db, anna, sale).await, [(12_00, 0), (3_00, 0)]);
    assert_eq!(lots(db, anna).await, [(5_00, start() + days(100))]);
    // The receipt tells which points those were, and what had earned them.
    let mut conn = db.read().await.expect("a connection");
    let receipt = purchases::receipt(&mut conn, anna, sale).await.expect("a receipt");
    let by_line: Vec<_> = receipt
        .lines
        .iter()
        .map(|line| line.paid.iter().map(|p| p.points).sum::<i64>())
        .collect();
    assert_eq!(by_line, [12_00, 3_00, 0]);
    let drawn: Vec<_> = receipt
        .drawn
        .iter()
        .map(|d| (d.points, d.expires_at, d.program))
        .collect();
    assert_eq!(
        drawn,
        [(10_00, start() + days(90), family), (5_00, start() + days(100), family)]
    );
    for drawn in &receipt.drawn {
        let earned = purchases::receipt(&mut conn, anna, drawn.purchase.expect("a purchase"))
            .await
            .expect("earned");
        assert_eq!(Some(&earned.head.document), drawn.document.as_ref());
        assert_eq!(earned.lines[0].name, "gift");
    }
    drop(conn);

    // Half of the apples: what was taken last comes back first, 2.00 of the second lot and 4.00 of the first.
    let at = day(21).await;
    slip("R1", anna, at)
        .line("apple", -1, 10_00)
        .of_line("S", 1)
        .book(db)
        .await;
    let own = [(4_00, start() + days(90)), (7_00, start() + days(100))];
    assert_eq!(lots(db, anna).await, own);
    assert_books_agree(db).await;

    // Late, but the own term is longer than the shop's 14 days.
    let at = day(80).await;
    slip("R2", anna, at)
        .line("plum", -1, 5_00)
        .of_line("S", 2)
        .book(db)
        .await;
    assert_eq!(
        lots(db, anna).await,
        [(4_00, start() + days(90)), (10_00, start() + days(100))]
    );

    // Later than that: they last for 14 days from the return on, in a lot of their own.
    let at = day(85).await;
    let back = slip("R3", anna, at)
        .line("apple", -1, 10_00)
        .of_line("S", 1)
        .book(db)
        .await;
    let three = [
        (4_00, start() + days(90)),
        (6_00, start() + days(99)),
        (10_00, start() + days(100)),
    ];
    assert_eq!(lots(db, anna).await, three);
    assert_eq!(paid(db, anna, sale).await, [(12_00, 12_00), (3_00, 3_00)]);
    let mut conn = db.read().await.expect("a connection");
    let newest = store::history(&mut conn, anna, None, 1)
        .await
        .expect("a history")
        .remove(0);
    assert_eq!(
        (newest.kind, newest.points(), newest.purchase, newest.balance),
        (TransactionKind::Refund, 6_00, Some(back.id), 20_00)
    );
    drop(conn);
    assert_books_agree(db).await;
    for (n, left) in [(89, 20_00), (90, 16_00), (98, 16_00), (99, 10_00), (100, 0)] {
        day(n).await;
        assert_eq!(held(db, anna).await, (left, 0), "{n}");
    }
    // All of it had expired, and comes back once more for 14 days.
    let at = day(120).await;
    fund(db, anna, 20_00, at).await;
    let again = slip("S2", anna, at).line("fig", 1, 20_00).book(db).await.id;
    pay(db, anna, family, 20_00, again).await;
    let at = day(300).await;
    slip("R4", anna, at)
        .line("fig", -1, 20_00)
        .of_line("S2", 1)
        .book(db)
        .await;
    assert_eq!(lots(db, anna).await, [(20_00, start() + days(314))]);
    assert_books_agree(db).await;
});

both_engines!(
    with_no_minimum_term_points_come_back_with_the_day_they_had,
    async |world| {
        ready(world).await;
        let db = &with_policy(
            world,
            Policy {
                refund_days: 0,
                ..Policy::default()
            },
        )
        .await;
        let anna = customer(db).await;
        let family = program(db, "family").await;
        fund(db, anna, 10_00, start()).await;
        let sale = slip("S", anna, start() + days(1))
            .line("apple", 2, 5_00)
            .book(db)
            .await
            .id;
        pay(db, anna, family, 10_00, sale).await;
        world.clock.set(start() + days(89));
        slip("R1", anna, start() + days(89))
            .line("apple", -1, 5_00)
            .of_line("S", 1)
            .book(db)
            .await;
        assert_eq!(lots(db, anna).await, [(5_00, start() + days(90))]);
        run_due(world, start() + days(91)).await;
        slip("R2", anna, start() + days(91))
            .line("apple", -1, 5_00)
            .of_line("S", 1)
            .book(db)
            .await;
        run_due(world, start() + days(91)).await;
        assert_eq!(held(db, anna).await, (0, 0), "their day was yesterday");
        assert_books_agree(db).await;
    }
);

both_engines!(only_what_a_receipt_costs_can_be_paid_with_points, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    let family = program(db, "family").await;
    fund(db, anna, 100_00, start()).await;
    let sale = slip("S", anna, start())
        .line("apple", 1, 10_00)
        .line("plum", 1, 5_00)
        .book(db)
        .await
        .id;
    let of_boris = slip("B", boris, start()).line("apple", 1, 10_00).book(db).await.id;
    let held = reserve(db, anna, family, "1", 20_00).await.expect("reserved");
    let too_much = capture(db, anna, held.id, 15_01, Some(sale)).await;
    assert!(
        matches!(too_much, Err(SpendError::TooMuch { most: 15_00 })),
        "{too_much:?}"
    );
    for other in [of_boris, PurchaseId::new()] {
        let told = capture(db, anna, held.id, 1_00, Some(other)).await;
        assert!(matches!(told, Err(SpendError::Crm(crm::Error::NotFound))), "{told:?}");
    }
    assert_eq!(
        held_and_reserved(db, anna).await,
        (100_00, 20_00),
        "nothing was changed"
    );
    capture(db, anna, held.id, 3_00, Some(sale)).await.expect("captured");
    slip("R", anna, start() + days(1))
        .line("plum", -1, 5_00)
        .of_line("S", 2)
        .book(db)
        .await;
    assert_eq!(paid(db, anna, sale).await, [(2_00, 0), (1_00, 1_00)]);
    let held = reserve(db, anna, family, "2", 20_00).await.expect("reserved");
    let rest = capture(db, anna, held.id, 9_00, Some(sale)).await;
    assert!(matches!(rest, Err(SpendError::TooMuch { most: 8_00 })), "{rest:?}");
    capture(db, anna, held.id, 8_00, Some(sale)).await.expect("captured");
    assert_eq!(paid(db, anna, sale).await, [(10_00, 0), (1_00, 1_00)]);
    assert!(paid(db, boris, sale).await.is_empty(), "it is not his");
    assert_books_agree(db).await;
});

both_engines!(a_return_takes_what_is_reserved_as_well, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    let family = program(db, "family").await;
    join(db, anna, "family", start()).await;
    slip("S", anna, start()).line("apple", 2, 500_00).book(db).await;
    let held = reserve(db, anna, family, "1", 15_00).await.expect("reserved");
    slip("R", anna, start() + days(1))
        .line("apple", -1, 500_00)
        .of_line("S", 1)
        .book(db)
        .await;
    assert_eq!(held_and_reserved(db, anna).await, (10_00, 15_00));
    assert_books_agree(db).await;
    let gone = capture(db, anna, held.id, 15_00, None).await;
    assert!(matches!(gone, Err(SpendError::NotEnough { missing: 5_00 })), "{gone:?}");
    capture(db, anna, held.id, 10_00, None).await.expect("what is there");
    assert_eq!(held_and_reserved(db, anna).await, (0, 0));
    assert_books_agree(db).await;
});

both_engines!(a_return_takes_down_to_the_floor_and_lets_the_rest_go, async |world| {
    ready(world).await;
    let db = &with_policy(
        world,
        Policy {
            floor: -2,
            ..Policy::default()
        },
    )
    .await;
    let anna = customer(db).await;
    let family = program(db, "family").await;
    join(db, anna, "family", start()).await;
    slip("S", anna, start()).line("apple", 3, 500_00).book(db).await;
    spend(db, anna, family, 29_00).await;
    // 10.00 were earned by each: 1.00 is there, 2.00 may be owed, 7.00 are let go.
    let back = slip("R1", anna, start() + days(1))
        .line("apple", -1, 500_00)
        .of_line("S", 1);
    back.book(db).await;
    assert_eq!(held(db, anna).await, (-2_00, 0));
    assert_books_agree(db).await;
    fund(db, anna, 50_00, start() + days(2)).await;
    assert_eq!(held(db, anna).await, (48_00, 0));
    // What was let go is not asked for again.
    slip("R2", anna, start() + days(3))
        .line("apple", -1, 500_00)
        .of_line("S", 1)
        .book(db)
        .await;
    assert_eq!(held(db, anna).await, (38_00, 0));
    // The first return is voided: 10.00 less are owed, of which 7.00 were never taken.
    void(db, &BY, "till", "R1").await.expect("voided");
    assert_eq!(held(db, anna).await, (41_00, 0));
    assert_books_agree(db).await;
});

both_engines!(a_line_brings_back_no_more_than_was_bought, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    join(db, anna, "club", start()).await;
    slip("S", anna, start())
        .line("apple", 2, 100_00)
        .line("plum", 1, 5_00)
        .book(db)
        .await;
    let before = held(db, anna).await;
    let at = start() + days(1);
    for (back, place, left) in [
        (slip("R", anna, at).line("apple", -3, 100_00).of_line("S", 1), 1, 2),
        (
            slip("R", anna, at)
                .line("plum", -1, 5_00)
                .of_line("S", 2)
                .line("apple", -9, 100_00)
                .of_line("S", 1),
            2,
            2,
        ),
        (slip("R", anna, at).line("apple", -1, 100_00).of_line("S", 2), 1, 0),
        (slip("R", anna, at).line("apple", -1, 100_00).of_line("S", 3), 1, 0),
    ] {
        match back.try_book(db).await {
            Err(crm::Error::NotBought {
                document,
                ordinal,
                left: rest,
                ..
            }) => {
                assert_eq!((document.as_str(), ordinal, rest), ("R", place, left));
            }
            told => panic!("{told:?}"),
        }
        assert_eq!(held(db, anna).await, before, "nothing of it was booked");
    }
    let mut conn = db.read().await.expect("a connection");
    let page = purchases::list(&mut conn, anna, &Filter::default(), None, 10)
        .await
        .expect("a list");
    assert_eq!(page.months[0].1.len(), 1);
    drop(conn);
    slip("R", anna, at)
        .line("apple", -2, 100_00)
        .of_line("S", 1)
        .book(db)
        .await;
    let no_more = slip("R2", anna, at)
        .line("apple", -1, 100_00)
        .of_line("S", 1)
        .try_book(db)
        .await;
    assert!(
        matches!(no_more, Err(crm::Error::NotBought { left: 0, .. })),
        "{no_more:?}"
    );
    // The same return once more is the same return.
    let again = slip("R", anna, at)
        .line("apple", -2, 100_00)
        .of_line("S", 1)
        .book(db)
        .await;
    assert!(
        matches!(again.lines[..], [LineOutcome::Known(Some(_))]),
        "{:?}",
        again.lines
    );
    assert_books_agree(db).await;
});

both_engines!(s21_a_hundred_bring_the_same_line_back_and_one_succeeds, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    let family = program(db, "family").await;
    fund(db, anna, 10_00, start()).await;
    let sale = slip("S", anna, start()).line("apple", 1, 10_00).book(db).await.id;
    pay(db, anna, family, 10_00, sale).await;
    let all = (0..100).map(|n| {
        let db = db.clone();
        let back = slip(&format!("R{n}"), anna, start() + days(1))
            .line("apple", -1, 10_00)
            .of_line("S", 1);
        tokio::spawn(async move { back.try_book(&db).await })
    });
    let mut done = 0;
    for one in join_all(all).await {
        match one.expect("no panic") {
            Ok(_) => done += 1,
            Err(crm::Error::NotBought { left: 0, .. }) => {}
            Err(e) => panic!("{e}"),
        }
    }
    assert_eq!((done, held(db, anna).await), (1, (10_00, 0)));
    assert_books_agree(db).await;
});

both_engines!(a_return_that_comes_before_its_sale_waits_for_it, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    join(db, anna, "club", start()).await;
    let early = slip("R", boris, start() + days(1))
        .line("apple", -1, 100_00)
        .of_line("S", 1);
    assert_eq!(early.book(db).await.lines, [LineOutcome::Waiting]);
    assert_eq!(
        early.book(db).await.lines,
        [LineOutcome::Known(None)],
        "once more changes nothing"
    );
    slip("R0", anna, start() + days(1))
        .line("apple", -9, 100_00)
        .of_line("S", 1)
        .book(db)
        .await;
    let sale = slip("S", anna, start())
        .line("apple", 3, 100_00)
        .line("plum", 1, 100_00);
    let sale = sale.book(db).await.id;
    assert_eq!(held(db, anna).await, (0, 9_00), "the points of three pieces");
    let lines = receipt(db, anna, sale).await.lines;
    assert_eq!((lines[0].returned, lines[1].returned), (1, 0));
    assert_eq!(lines[0].returns.len(), 1, "the one that brings back nine stands alone");
    assert_eq!(purchases::match_returns(db, &BY).await.expect("nothing to do"), 0);
    // In one batch, and in the wrong order.
    let both = [
        slip("R3", anna, start() + days(3))
            .line("fig", -1, 100_00)
            .of_line("S3", 1),
        slip("S3", anna, start() + days(2)).line("fig", 1, 100_00),
    ];
    book(db, &both).await;
    assert_eq!(held(db, anna).await, (0, 9_00));
    // Booked by two processes at once, neither saw the other: the daily work finds it.
    slip("S4", anna, start()).line("pear", 1, 100_00).book(db).await;
    let alone = slip("R4", anna, start() + days(1))
        .line("pear", -1, 100_00)
        .nobody()
        .book(db)
        .await
        .id;
    const APART: &str = "INSERT INTO waiting_returns (line_id, document, ordinal) \
                         SELECT id, 'S4', 1 FROM purchase_lines WHERE purchase_id = $1";
    execute!(db, APART, alone).await.expect("apart");
    assert_eq!(held(db, anna).await, (0, 12_00));
    assert_eq!(purchases::match_returns(db, &BY).await.expect("matched"), 1);
    assert_eq!(purchases::match_returns(db, &BY).await.expect("once"), 0);
    assert_eq!(held(db, anna).await, (0, 9_00));
    assert_books_agree(db).await;
});

both_engines!(a_return_that_is_voided_never_was, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    let family = program(db, "family").await;
    fund(db, anna, 10_00, start()).await;
    join(db, anna, "club", start()).await;
    let sale = slip("S", anna, start())
        .line("apple", 3, 10_00)
        .line("plum", 1, 10_00)
        .book(db)
        .await
        .id;
    pay(db, anna, family, 8_00, sale).await;
    let (before, own) = (held(db, anna).await, lots(db, anna).await);
    assert_eq!(before, (2_00, 1_20));
    for (n, n_returned) in [("R1", 2), ("R2", 1)] {
        slip(n, anna, start() + days(1))
            .line("apple", -n_returned, 10_00)
            .of_line("S", 1)
            .book(db)
            .await;
    }
    // Apples earned 90 and took 6.00.
    assert_eq!(held(db, anna).await, (8_00, 30));
    void(db, &BY, "till", "R1").await.expect("voided");
    assert_eq!(held(db, anna).await, (4_00, 90), "as if only one had come back");
    assert_eq!(paid(db, anna, sale).await, [(6_00, 2_00), (2_00, 0)]);
    assert_eq!(receipt(db, anna, sale).await.lines[0].returned, 1);
    void(db, &BY, "till", "R1").await.expect("once more changes nothing");
    void(db, &BY, "till", "R2").await.expect("voided");
    assert_eq!((held(db, anna).await, lots(db, anna).await), (before, own));
    assert_books_agree(db).await;
    // It can come back again.
    slip("R3", anna, start() + days(2))
        .line("apple", -3, 10_00)
        .of_line("S", 1)
        .book(db)
        .await;
    assert_eq!(held(db, anna).await, (8_00, 30));
    // What it gave back was spent: it cannot pay again.
    spend(db, anna, family, 7_00).await;
    let told = void(db, &BY, "till", "R3").await;
    assert!(matches!(told, Err(VoidError::NotEnough { missing: 5_00 })), "{told:?}");
    assert_eq!(held(db, anna).await, (1_00, 30), "nothing was changed");
    let nothing = void(db, &BY, "till", "nothing").await;
    assert!(
        matches!(nothing, Err(VoidError::Crm(crm::Error::NotFound))),
        "{nothing:?}"
    );
    let mut conn = db.read().await.expect("a connection");
    let seen: Vec<_> = purchases::latest(&mut conn, anna, 10).await.expect("a list");
    assert!(seen.iter().all(|p| !["R1", "R2"].contains(&p.document.as_str())));
    assert_books_agree(db).await;
});

both_engines!(a_voided_return_pays_the_debt_that_it_made, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    let club = program(db, "club").await;
    join(db, anna, "club", start()).await;
    let sale = slip("S", anna, start()).line("apple", 1, 100_00).book(db).await.id;
    run_due(world, start() + days(14)).await;
    spend(db, anna, club, 2_00).await;
    slip("R", anna, start() + days(15))
        .line("apple", -1, 100_00)
        .of_line("S", 1)
        .book(db)
        .await;
    assert_eq!(held(db, anna).await, (-2_00, 0));
    // Half of the debt is paid in the meantime.
    slip("S2", anna, start() + days(15))
        .line("plum", 1, 33_34)
        .book(db)
        .await;
    run_due(world, start() + days(30)).await;
    assert_eq!(held(db, anna).await, (-1_00, 0));
    void(db, &BY, "till", "R").await.expect("voided");
    assert_eq!(held(db, anna).await, (2_00, 0));
    // What paid is free again until its own day, and what was taken until its own.
    assert_eq!(
        lots(db, anna).await,
        [(1_00, start() + days(379)), (1_00, start() + days(394))]
    );
    let earned = &receipt(db, anna, sale).await.lines[0].earned[0];
    assert_eq!((earned.taken_back, earned.state), (0, LotState::Active));
    assert_books_agree(db).await;
});

both_engines!(
    what_paid_a_debt_that_was_none_lasts_as_long_as_it_would_have,
    async |world| {
        let db = ready(world).await;
        let (anna, boris) = (customer(db).await, customer(db).await);
        let family = program(db, "family").await;
        for (who, name) in [(anna, "A"), (boris, "B")] {
            world.clock.set(start());
            fund(db, who, 10_00, start()).await;
            join(db, who, "family", start()).await;
            slip(name, who, start()).line("apple", 1, 500_00).book(db).await;
            leave(db, who, "family", start() + Duration::minutes(1)).await;
            spend(db, who, family, 20_00).await;
            world.clock.set(start() + days(1));
            slip(&format!("R-{name}"), who, start() + days(1))
                .line("apple", -1, 500_00)
                .of_line(name, 1)
                .book(db)
                .await;
            assert_eq!(held(db, who).await, (-10_00, 0));
        }
        // What pays one of them lasts longer than what was earned by the apple, and what pays the other is over as well.
        world.clock.set(start() + days(2));
        fund(db, boris, 10_00, start() + days(2)).await;
        world.clock.set(start() + days(60));
        fund(db, anna, 20_00, start() + days(60)).await;
        run_due(world, start() + days(100)).await;
        assert_eq!((held(db, anna).await, held(db, boris).await), ((10_00, 0), (0, 0)));
        for name in ["R-A", "R-B"] {
            void(db, &BY, "till", name).await.expect("voided");
            assert_books_agree(db).await;
        }
        work(db, &BY).await.expect("the daily work");
        assert_eq!(lots(db, anna).await, [(20_00, start() + days(150))]);
        assert_eq!((held(db, anna).await, held(db, boris).await), ((20_00, 0), (0, 0)));
        let mut conn = db.read().await.expect("a connection");
        let last: Vec<_> = store::history(&mut conn, boris, None, 2)
            .await
            .expect("a history")
            .iter()
            .map(|e| (e.kind, e.points()))
            .collect();
        assert_eq!(
            last,
            [(TransactionKind::Expiry, -10_00), (TransactionKind::Void, 10_00)],
            "they came back, and were over"
        );
        assert_books_agree(db).await;
    }
);

both_engines!(the_debt_of_a_voided_return_alone_is_lifted, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    let family = program(db, "family").await;
    join(db, anna, "family", start()).await;
    slip("S", anna, start()).line("apple", 2, 500_00).book(db).await;
    leave(db, anna, "family", start() + Duration::minutes(1)).await;
    spend(db, anna, family, 20_00).await;
    for (name, day) in [("R1", 1), ("R2", 2)] {
        world.clock.set(start() + days(day));
        slip(name, anna, start() + days(day))
            .line("apple", -1, 500_00)
            .of_line("S", 1)
            .book(db)
            .await;
    }
    assert_eq!(held(db, anna).await, (-20_00, 0));
    // Three quarters are paid: a void frees what is more than the other half, and the other void the rest.
    for (points, day) in [(5_00, 3), (10_00, 4)] {
        world.clock.set(start() + days(day));
        fund(db, anna, points, start() + days(day)).await;
    }
    assert_eq!(held(db, anna).await, (-5_00, 0));
    void(db, &BY, "till", "R1").await.expect("voided");
    assert_eq!(lots(db, anna).await, [(5_00, start() + days(94))]);
    assert_books_agree(db).await;
    void(db, &BY, "till", "R2").await.expect("voided");
    assert_eq!(
        lots(db, anna).await,
        [(5_00, start() + days(93)), (10_00, start() + days(94))]
    );
    assert_eq!(held(db, anna).await, (15_00, 0));
    assert_books_agree(db).await;
});

both_engines!(what_a_voided_return_gave_back_is_what_pays_again, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    let family = program(db, "family").await;
    let mut sales = Vec::new();
    for (who, name) in [(anna, "A"), (boris, "B")] {
        world.clock.set(start() + days(2));
        fund(db, who, 10_00, start()).await;
        fund(db, who, 10_00, start() + days(2)).await;
        world.clock.set(start() + days(80));
        let sale = slip(name, who, start() + days(80)).line("apple", 1, 20_00);
        let sale = sale.book(db).await.id;
        pay(db, who, family, 10_00, sale).await;
        world.clock.set(start() + days(85));
        slip(&format!("R-{name}"), who, start() + days(85))
            .line("apple", -1, 20_00)
            .of_line(name, 1)
            .book(db)
            .await;
        // They come back for 14 days more.
        let both = [(10_00, start() + days(92)), (10_00, start() + days(99))];
        assert_eq!(lots(db, who).await, both);
        sales.push(sale);
    }
    world.clock.set(start() + days(86));
    void(db, &BY, "till", "R-A").await.expect("voided");
    assert_eq!(
        lots(db, anna).await,
        [(10_00, start() + days(92))],
        "a mistake makes nothing last longer"
    );
    assert_books_agree(db).await;
    // What it gave back is over by now, and would have paid.
    run_due(world, start() + days(100)).await;
    assert_eq!(held(db, boris).await, (0, 0));
    void(db, &BY, "till", "R-B").await.expect("voided");
    assert_eq!(held(db, boris).await, (0, 0));
    for (who, sale) in [(anna, sales[0]), (boris, sales[1])] {
        assert_eq!(paid(db, who, sale).await, [(10_00, 0)]);
    }
    assert_books_agree(db).await;
});

both_engines!(a_sale_that_is_voided_takes_and_gives_everything_back, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    let family = program(db, "family").await;
    fund(db, anna, 10_00, start()).await;
    join(db, anna, "club", start()).await;
    let sale = slip("S", anna, start())
        .line("apple", 3, 10_00)
        .line("plum", 1, 10_00)
        .book(db)
        .await
        .id;
    pay(db, anna, family, 8_00, sale).await;
    slip("R", anna, start() + days(1))
        .line("plum", -1, 10_00)
        .of_line("S", 2)
        .book(db)
        .await;
    let told = void(db, &BY, "till", "S").await;
    assert!(matches!(told, Err(VoidError::Returned)), "{told:?}");
    void(db, &BY, "till", "R").await.expect("voided");
    assert_eq!(void(db, &BY, "till", "S").await.expect("voided"), sale);
    assert_eq!(void(db, &BY, "till", "S").await.expect("once"), sale);
    assert_eq!(held(db, anna).await, (10_00, 0));
    assert_eq!(lots(db, anna).await, [(10_00, start() + days(90))]);
    let told = receipt(db, anna, sale).await;
    assert_eq!(told.head.voided_at, Some(start()));
    assert_eq!(told.lines[0].earned[0].taken_back, 90);
    let late = slip("R2", anna, start() + days(1))
        .line("plum", -1, 10_00)
        .of_line("S", 2)
        .try_book(db)
        .await;
    assert!(matches!(late, Err(crm::Error::NotBought { left: 0, .. })), "{late:?}");
    slip("R3", anna, start() + days(1))
        .line("plum", -1, 10_00)
        .book(db)
        .await;
    assert_eq!(
        held(db, anna).await,
        (10_00, 0),
        "one that looks for its sale does not find it either"
    );
    let held_now = reserve(db, anna, family, "late", 1_00).await.expect("reserved");
    let gone = capture(db, anna, held_now.id, 1_00, Some(sale)).await;
    assert!(matches!(gone, Err(SpendError::Crm(crm::Error::NotFound))), "{gone:?}");
    let mut conn = db.read().await.expect("a connection");
    let spent = purchases::spending(&mut conn, anna, 1).await.expect("spending");
    assert_eq!(
        spent[0].total,
        10_00 * 50 - 10_00,
        "the gift less what was brought back alone; the voided receipt counts no more"
    );
    let kinds: Vec<_> = store::history(&mut conn, anna, None, 10)
        .await
        .expect("a history")
        .iter()
        .filter(|e| e.purchase == Some(sale) && e.kind == TransactionKind::Void)
        .map(points::Entry::points)
        .collect();
    assert_eq!(kinds, [-1_20]);
    assert_books_agree(db).await;
});

both_engines!(
    the_database_refuses_to_change_what_was_taken_and_given_back,
    async |world| {
        let db = ready(world).await;
        let anna = customer(db).await;
        let family = program(db, "family").await;
        fund(db, anna, 10_00, start()).await;
        let sale = slip("S", anna, start()).line("apple", 1, 10_00).book(db).await.id;
        pay(db, anna, family, 10_00, sale).await;
        slip("R", anna, start())
            .line("apple", -1, 10_00)
            .of_line("S", 1)
            .book(db)
            .await;
        for (table, sql) in [
            ("transactions", "UPDATE transactions SET kind = 'expiry'"),
            ("transactions", "DELETE FROM transactions"),
            ("postings", "UPDATE postings SET amount = 1"),
            ("postings", "DELETE FROM postings"),
            ("allocations", "UPDATE allocations SET points = 1"),
            ("allocations", "DELETE FROM allocations"),
            ("restorations", "UPDATE restorations SET points = 1"),
            ("restorations", "DELETE FROM restorations"),
        ] {
            let told = execute!(db, sql).await.expect_err("refused").to_string();
            assert!(told.contains(&format!("{table} is append-only")), "{told}");
        }
        assert_books_agree(db).await;
    }
);

both_engines!(books_of_spending_that_do_not_agree_are_found, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    let family = program(db, "family").await;
    fund(db, anna, 10_00, start()).await;
    let sale = slip("S", anna, start()).line("apple", 2, 4_00).book(db).await.id;
    pay(db, anna, family, 6_00, sale).await;
    slip("R", anna, start())
        .line("apple", -1, 4_00)
        .of_line("S", 1)
        .book(db)
        .await;
    reserve(db, anna, family, "held", 1_00).await.expect("reserved");
    assert_books_agree(db).await;
    for (spoil, mend, finds) in [
        (
            "UPDATE accounts SET reserved = reserved + 1 WHERE kind = 'active'",
            "UPDATE accounts SET reserved = reserved - 1 WHERE kind = 'active'",
            vec!["what is reserved is what reservations hold"],
        ),
        (
            "UPDATE reservations SET captured = captured - 1 WHERE state = 'captured'",
            "UPDATE reservations SET captured = captured + 1 WHERE state = 'captured'",
            vec!["what was captured is what was spent"],
        ),
        (
            "UPDATE line_payments SET given_back = given_back - 1",
            "UPDATE line_payments SET given_back = given_back + 1",
            vec!["what paid for a line was taken from lots"],
        ),
    ] {
        execute!(db, spoil).await.expect("spoilt");
        let found: Vec<_> = store::verify(db, &BY)
            .await
            .expect("compared")
            .iter()
            .map(|d| d.what)
            .collect();
        assert_eq!(found, finds, "{spoil}");
        execute!(db, mend).await.expect("mended");
        assert_books_agree(db).await;
    }
    const MORE: &str = "INSERT INTO restorations (id, allocation_id, transaction_id, lot_id, points) \
                        SELECT $1, allocation_id, transaction_id, lot_id, 500 FROM restorations";
    execute!(db, MORE, uuid::Uuid::now_v7())
        .await
        .expect("more than was taken");
    let found: Vec<_> = store::verify(db, &BY)
        .await
        .expect("compared")
        .iter()
        .map(|d| d.what)
        .collect();
    assert_eq!(
        found,
        [
            "a lot holds what was not taken from it, or went back to it",
            "no more goes back than was taken",
            "what paid for a line was taken from lots"
        ]
    );
});
