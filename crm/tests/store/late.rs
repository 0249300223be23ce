//! What comes late or out of order from tills: returns before their sales, sales after what paid for them lapsed or the card
//! was blocked, on both engines.

use crate::common::people::{administrator, agent, moments_after, one, role};
use crate::common::*;
use crate::tills::{back, sale, till};
use chrono::{DateTime, Duration, Utc};
use crm::both_engines;
use crm::card::store as cards;
use crm::checkup;
use crm::db::{Db, scoped};
use crm::error::Error;
use crm::flaw::Flaw;
use crm::points::store::SpendError;
use crm::points::{Policy, Reservation, ReservationState, TransactionKind, store as points_store};
use crm::purchase::claim::claim;
use crm::purchase::store as purchases;
use crm::purchase::void::{void, void_in};
use crm::testing::{World, start};
use crm::till::counter::CounterError;
use crm::till::receipt::{self, Item, NewReceipt, Receipt, ReceiptError};
use crm::till::{Scope, redeem, waiting};
use crm::who::{Subject, Till};
use tokio::sync::Notify;

fn minutes(n: i64) -> Duration {
    Duration::minutes(n)
}

fn points(receipt: &Receipt) -> i64 {
    receipt.paid.iter().map(|one| one.points).sum()
}

/// Somebody with 30.00 points of the family program.
async fn rich(db: &Db) -> Subject {
    let anna = customer(db).await;
    fund(db, anna, 30_00, start()).await;
    anna
}

async fn hold(db: &Db, by: &Till, who: Subject, key: &str, points: i64) -> Reservation {
    let wish = redeem::Wish {
        customer: who.id(),
        program: Some("family"),
        points,
        key,
    };
    let wish = &wish;
    db.write(|tx| scoped(redeem::reserve(tx, by, wish)))
        .await
        .expect("reserved")
}

/// A sale of 200.00, paid in part by what was reserved.
fn paying(document: &str, who: Subject, at: DateTime<Utc>, held: &Reservation, points: i64) -> NewReceipt {
    NewReceipt {
        customer: Some(who.id()),
        at,
        redeem: Some((held.id, points)),
        ..sale(document)
    }
}

/// A line that brings back one piece of the first line of a receipt.
fn back_of(document: &str) -> Item {
    back("-", document).lines.remove(0)
}

/// What points paid for each line of a receipt.
async fn receipt_of(db: &Db, who: Subject, id: crm::id::PurchaseId) -> Vec<i64> {
    let receipt = crate::common::receipt(db, who, id).await;
    let paid = |line: &crm::purchase::Line| line.paid.iter().map(|one| one.points).sum();
    receipt.lines.iter().map(paid).collect()
}

/// How many points a reservation paid, and how many it should have paid and could not.
async fn paid(world: &World, held: &Reservation) -> (String, i64, i64) {
    const SQL: &str = "SELECT state, captured, unpaid FROM reservations WHERE id = $1";
    let mut conn = world.db.read().await.expect("a connection");
    crm::on!(conn, |c| sqlx::query_as(SQL).bind(held.id).fetch_one(c).await).expect("read")
}

both_engines!(
    a_return_before_its_sale_is_its_buyers_once_the_sale_is_there,
    async |world| {
        let db = ready(world).await;
        let till = till(db, "one", "shop", &Scope::ALL).await;
        let anna = customer(db).await;
        join(db, anna, "club", start()).await;
        let returned = NewReceipt {
            at: start() + minutes(10),
            ..back("R-1", "S-1")
        };
        let waits = receipt::book(db, &till, &returned).await.expect("booked");
        assert_eq!(waits.customer, None, "nobody knows whose");
        let bought = NewReceipt {
            customer: Some(anna.id()),
            ..sale("S-1")
        };
        receipt::book(db, &till, &bought).await.expect("booked");
        let mut conn = db.read().await.expect("a connection");
        let (all, _) = receipt::of_customer(&mut conn, &till, anna.id(), None, 10)
            .await
            .expect("read");
        let documents: Vec<_> = all.iter().map(|one| one.document.as_str()).collect();
        assert_eq!(documents, ["R-1", "S-1"]);
        let month = purchases::spending(&mut conn, anna, 1).await.expect("read");
        assert_eq!((month[0].receipts, month[0].total), (2, 100_00));
        drop(conn);
        let again = receipt::book(db, &till, &returned).await.expect("the same once more");
        assert!(again.known && again.customer == Some(anna.id()), "{again:?}");
        // One that says whose it is, and somebody else's, is another one.
        let boris = customer(db).await;
        let otherwise = NewReceipt {
            customer: Some(boris.id()),
            ..returned
        };
        let conflict = receipt::book(db, &till, &otherwise).await;
        assert!(matches!(conflict, Err(ReceiptError::Conflict)), "{conflict:?}");
        assert_books_agree(db).await;
    }
);

both_engines!(
    a_sale_matches_the_returns_that_wait_for_it_and_no_others,
    async |world| {
        const ELSEWHERE: &str = "UPDATE waiting_returns SET document = 'S-1'";
        let db = ready(world).await;
        let till = till(db, "one", "shop", &Scope::ALL).await;
        receipt::book(db, &till, &sale("S-1")).await.expect("booked");
        receipt::book(db, &till, &back("R-1", "S-2")).await.expect("booked");
        // As if both had been booked at the same moment.
        execute!(db, ELSEWHERE).await.expect("changed");
        let waiting = async || one!(world, i64, "SELECT COUNT(*) FROM waiting_returns");
        receipt::book(db, &till, &sale("S-3")).await.expect("booked");
        assert_eq!(waiting().await, 1, "a sale looks for its own");
        assert_eq!(purchases::match_returns(db, &BY).await.expect("done"), 1);
        assert_eq!(waiting().await, 0);
        assert_books_agree(db).await;
    }
);

both_engines!(
    returns_that_wait_for_their_sale_are_told_the_longest_first_until_it_comes,
    async |world| {
        let db = ready(world).await;
        let till = till(db, "one", "shop", &Scope::ALL).await;
        store(db, "klin").await;
        let anna = customer(db).await;
        let (ada, agent) = (administrator(world).await, agent(world).await);
        role(world, "keeper", r#"["tills"]"#).await;
        let keeper = moments_after(world, "kira", "Кира", "keeper").await;
        let mut sent = Vec::new();
        // Two of them are of one moment.
        for (document, of, at) in [("R-1", "S-2", 20), ("R-2", "S-1", 10), ("R-3", "S-1", 10)] {
            let new = NewReceipt {
                at: start() + minutes(at),
                ..back(document, of)
            };
            let booked = receipt::book(db, &till, &new).await.expect("booked");
            sent.push((new.at, booked.id));
        }
        let annas = NewReceipt {
            at: start() + minutes(30),
            store: Some("klin".into()),
            customer: Some(anna.id()),
            lines: vec![back_of("S-2"), back_of("S-3")],
            ..back("R-4", "S-2")
        };
        let booked = receipt::book(db, &till, &annas).await.expect("booked");
        sent.push((annas.at, booked.id));
        // One that was voided waits for nothing.
        receipt::book(db, &till, &back("R-5", "S-9")).await.expect("booked");
        void(db, &BY, "shop", "R-5").await.expect("voided");
        sent.sort_unstable();
        let sent: Vec<_> = sent.into_iter().map(|(_, id)| id).collect();

        let (mut told, mut after) = (Vec::new(), None);
        for (rows, is_last) in [(3, false), (1, true)] {
            let (page, next) = waiting::list(db, &ada, after, 3).await.expect("a page");
            assert_eq!((page.len(), next.is_none()), (rows, is_last));
            told.extend(page);
            after = next;
        }
        let ids: Vec<_> = told.iter().map(|one| one.id).collect();
        assert_eq!(ids, sent);
        let last = &told[3];
        assert_eq!((last.document.as_str(), last.total), ("R-4", -200_00));
        assert_eq!(last.sales, ["S-2", "S-3"]);
        assert_eq!((last.customer_id, last.name.as_str()), (Some(anna.id()), "Анна"));
        assert_eq!(last.till.as_ref().map(|(_, code)| code.as_str()), Some("one"));
        let shop = last.store.as_ref().expect("a shop");
        assert_eq!(shop.name.ru, "Магазин klin");
        assert_eq!((told[0].customer_id, &told[0].store), (None, &None));
        const READ: &str = "SELECT COUNT(*) FROM audit WHERE action = 'return.read' AND customer_id IS NOT NULL";
        assert_eq!(one!(world, i64, READ), 1, "whose return was shown");

        let refused = waiting::list(db, &agent, None, 10).await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
        let (page, next) = waiting::list(db, &keeper, None, 4).await.expect("a page");
        assert_eq!((page.len(), next), (4, None), "a full page that is the last");
        assert!(
            page.iter().all(|one| one.customer_id.is_none() && one.name.is_empty()),
            "who may not see customers is told of none: {page:?}"
        );
        assert_eq!(one!(world, i64, READ), 1);

        world.clock.set(start() + days(2));
        let late = checkup::returns_without_sale(db, &BY).await.expect("asked");
        assert_eq!(
            late,
            (5, Some("S-1".to_owned())),
            "lines, and what is voided is none of them"
        );
        for (document, left) in [("S-1", vec!["R-1", "R-4"]), ("S-2", vec!["R-4"]), ("S-3", vec![])] {
            let bought = NewReceipt {
                customer: Some(anna.id()),
                ..sale(document)
            };
            receipt::book(db, &till, &bought).await.expect("booked");
            let (page, _) = waiting::list(db, &ada, None, 10).await.expect("a page");
            let documents: Vec<_> = page.iter().map(|one| one.document.as_str()).collect();
            assert_eq!(documents, left, "{document} came");
        }
        assert_books_agree(db).await;
    }
);

both_engines!(a_receipt_that_is_being_voided_is_not_claimed, async |world| {
    let db = ready(world).await;
    let till = till(db, "one", "shop", &Scope::ALL).await;
    let anna = customer(db).await;
    join(db, anna, "club", start()).await;
    let anna = sign_in(db, anna).await;
    let booked = receipt::book(db, &till, &sale("S-1")).await.expect("booked");
    let code = booked.code.expect("a code");
    let begun = &Notify::new();
    let voiding = db.write(|tx| {
        scoped(async move {
            let id = void_in(tx, &BY, "shop", "S-1").await?;
            begun.notify_one();
            // Long enough for the claim to come to where it has to wait.
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            Ok::<_, crm::purchase::void::VoidError>(id)
        })
    });
    let claiming = async {
        begun.notified().await;
        claim(db, &anna, &code).await
    };
    let (voided, claimed) = tokio::join!(voiding, claiming);
    voided.expect("voided");
    assert!(
        matches!(&claimed, Err(Error::Invalid(flaws)) if flaws[0].1 == Flaw::NoReceipt),
        "{claimed:?}"
    );
    assert_eq!(held(db, anna.me()).await, (0, 0));
    let taken = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM purchases WHERE customer_id IS NOT NULL"
    );
    assert_eq!(taken, 0);
    assert_books_agree(db).await;
});

both_engines!(
    a_reserve_that_lapsed_pays_for_what_was_sold_within_its_term,
    async |world| {
        let db = ready(world).await;
        let till = till(db, "one", "shop", &Scope::ALL).await;
        let anna = rich(db).await;
        let first = hold(db, &till, anna, "points-1", 20_00).await;
        let second = hold(db, &till, anna, "points-2", 10_00).await;
        world.clock.set(start() + minutes(60));
        // Somebody asked meanwhile, so it has ended for all to see.
        run_due(world, start() + minutes(60)).await;
        assert_eq!(paid(world, &first).await, ("expired".into(), 0, 0));
        let in_time = paying("S-1", anna, start() + minutes(20), &first, 15_00);
        let booked = receipt::book(db, &till, &in_time).await.expect("booked");
        assert_eq!(points(&booked), 15_00);
        assert_eq!(paid(world, &first).await, ("captured".into(), 15_00, 0));
        assert_eq!(held(db, anna).await, (15_00, 0));
        assert!(receipt::book(db, &till, &in_time).await.expect("once more").known);
        let twice = receipt::book(db, &till, &paying("S-2", anna, start(), &first, 15_00)).await;
        assert!(
            matches!(twice, Err(ReceiptError::Spend(SpendError::Reused))),
            "{twice:?}"
        );

        // What is sold just now, after it had lapsed, is another matter: who sells can still choose.
        let too_late = receipt::book(db, &till, &paying("S-2", anna, start() + minutes(60), &second, 1_00)).await;
        assert!(
            matches!(
                too_late,
                Err(ReceiptError::Spend(SpendError::Ended(ReservationState::Expired)))
            ),
            "{too_late:?}"
        );
        let before = receipt::book(db, &till, &paying("S-2", anna, start() - minutes(11), &second, 1_00)).await;
        assert!(
            matches!(before, Err(ReceiptError::Spend(SpendError::Ended(_)))),
            "{before:?}"
        );
        let more = receipt::book(db, &till, &paying("S-2", anna, start(), &second, 11_00)).await;
        assert!(matches!(more, Err(ReceiptError::Spend(SpendError::Amount))), "{more:?}");

        // Most of the points are promised elsewhere by now, and that promise stands.
        let third = hold(db, &till, anna, "points-3", 12_00).await;
        let late = paying("S-2", anna, start() + minutes(39), &second, 10_00);
        let booked = receipt::book(db, &till, &late).await.expect("the goods are gone");
        assert_eq!(points(&booked), 3_00, "what nobody else was promised");
        assert_eq!(paid(world, &second).await, ("captured".into(), 3_00, 7_00));
        let balance = balance(db, anna).await;
        assert_eq!((balance.active, balance.reserved), (12_00, 12_00));
        let kept = receipt::book(db, &till, &paying("S-3", anna, db.now(), &third, 12_00)).await;
        assert_eq!(points(&kept.expect("as promised")), 12_00);
        // What comes back of it gives back what was paid.
        let returned = NewReceipt {
            at: db.now(),
            lines: vec![Item {
                quantity: 2,
                ..back("-", "S-2").lines[0].clone()
            }],
            ..back("R-2", "S-2")
        };
        receipt::book(db, &till, &returned).await.expect("booked");
        assert_eq!(held(db, anna).await, (3_00, 0));
        assert_books_agree(db).await;
    }
);

both_engines!(
    what_points_paid_for_comes_back_though_its_return_came_first,
    async |world| {
        let db = ready(world).await;
        let till = till(db, "one", "shop", &Scope::ALL).await;
        let anna = rich(db).await;
        join(db, anna, "club", start()).await;
        let reserved = hold(db, &till, anna, "points-1", 20_00).await;
        let returned = NewReceipt {
            at: start() + minutes(10),
            ..back("R-1", "S-1")
        };
        receipt::book(db, &till, &returned).await.expect("it waits");
        let late = paying("S-1", anna, start() + minutes(1), &reserved, 20_00);
        let booked = receipt::book(db, &till, &late).await.expect("booked");
        // Of two pieces one is back by now, and half of what paid for them.
        assert_eq!(points(&booked), 10_00);
        assert_eq!(held(db, anna).await.0, 30_00 - 20_00 + 10_00);
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM waiting_returns"), 0);
        assert_books_agree(db).await;
    }
);

both_engines!(a_reserve_whose_points_are_all_gone_keeps_no_sale_out, async |world| {
    let db = ready(world).await;
    let till = till(db, "one", "shop", &Scope::ALL).await;
    let anna = rich(db).await;
    join(db, anna, "club", start()).await;
    let lost = hold(db, &till, anna, "points-1", 20_00).await;
    world.clock.set(start() + minutes(60));
    let family = program(db, "family").await;
    spend(db, anna, family, 30_00).await;
    let late = paying("S-1", anna, start() + minutes(1), &lost, 20_00);
    let booked = receipt::book(db, &till, &late).await.expect("booked");
    assert_eq!(
        (points(&booked), booked.earned[0].points),
        (0, 5_40),
        "3 % of the money that was paid"
    );
    assert_eq!(paid(world, &lost).await, ("captured".into(), 0, 20_00));
    assert_eq!(held(db, anna).await.0, 0, "nobody is in debt");
    assert_books_agree(db).await;
});

both_engines!(what_expired_after_a_sale_pays_for_it_all_the_same, async |world| {
    let db = ready(world).await;
    let till = till(db, "one", "shop", &Scope::ALL).await;
    let anna = customer(db).await;
    fund(db, anna, 20_00, start()).await;
    fund(db, anna, 20_00, start() + days(50)).await;
    let over = start() + days(90);
    world.clock.set(over - minutes(10));
    let first = hold(db, &till, anna, "points-1", 5_00).await;
    let second = hold(db, &till, anna, "points-2", 16_00).await;
    run_due(world, over + minutes(60)).await;
    assert_eq!(
        lots(db, anna).await,
        [(20_00, over + days(50))],
        "what was promised is over"
    );
    let late = paying("S-1", anna, over - minutes(5), &first, 5_00);
    let booked = receipt::book(db, &till, &late).await.expect("booked");
    assert_eq!((points(&booked), booked.unpaid), (5_00, 0));
    assert_eq!(held(db, anna).await, (20_00, 0), "only what was needed is back");
    assert_books_agree(db).await;
    // The statement tells what came back and where it went.
    let mut conn = db.read().await.expect("a connection");
    let told = points_store::history(&mut conn, anna, None, 3)
        .await
        .expect("a statement");
    let moved: Vec<_> = told.iter().map(|one| (one.kind, one.active, one.balance)).collect();
    assert_eq!(
        moved,
        [
            (TransactionKind::Redemption, -5_00, 20_00),
            (TransactionKind::Expiry, 5_00, 25_00),
            (TransactionKind::Expiry, -20_00, 20_00),
        ]
    );
    assert_eq!(told[1].purchase, Some(booked.id));
    let explained = points_store::explain(&mut conn, anna, &told).await.expect("explained");
    let came_back = &explained[&told[1].id].given_back;
    assert_eq!(
        came_back
            .iter()
            .map(|share| (share.points, share.expires_at))
            .collect::<Vec<_>>(),
        [(5_00, over)]
    );
    drop(conn);
    // The next one takes what is left of them, and one point of those that still last.
    let late = paying("S-2", anna, over - minutes(4), &second, 16_00);
    let booked = receipt::book(db, &till, &late).await.expect("booked");
    assert_eq!((points(&booked), booked.unpaid), (16_00, 0));
    assert_eq!(lots(db, anna).await, [(19_00, over + days(50))]);
    // What it paid comes back as ever: what was over, where it can be spent for a while.
    let returned = NewReceipt {
        at: db.now(),
        lines: vec![Item {
            quantity: 2,
            ..back_of("S-1")
        }],
        ..back("R-1", "S-1")
    };
    receipt::book(db, &till, &returned).await.expect("booked");
    assert_eq!(held(db, anna).await, (24_00, 0));
    run_due(world, over + days(400)).await;
    assert_eq!(held(db, anna).await, (0, 0));
    assert_books_agree(db).await;
});

both_engines!(a_sale_of_before_its_reservation_is_not_paid_under_it, async |world| {
    let db = ready(world).await;
    let till = till(db, "one", "shop", &Scope::ALL).await;
    let anna = rich(db).await;
    world.clock.set(start() + minutes(60));
    let promised = hold(db, &till, anna, "points-1", 10_00).await;
    let before = receipt::book(db, &till, &paying("S-1", anna, start() + minutes(49), &promised, 10_00)).await;
    assert!(
        matches!(before, Err(ReceiptError::Spend(SpendError::MadeAfter))),
        "{before:?}"
    );
    // Within what clocks are apart it may have been after all.
    let sold = paying("S-1", anna, start() + minutes(51), &promised, 10_00);
    assert_eq!(points(&receipt::book(db, &till, &sold).await.expect("booked")), 10_00);
});

both_engines!(a_reservation_pays_at_the_tills_of_its_source_alone, async |world| {
    let db = ready(world).await;
    let one = till(db, "one", "shop", &Scope::ALL).await;
    let other = till(db, "other", "market", &Scope::ALL).await;
    let anna = rich(db).await;
    let promised = hold(db, &one, anna, "points-1", 10_00).await;
    let there = receipt::book(db, &other, &paying("S-1", anna, db.now(), &promised, 10_00)).await;
    assert!(matches!(there, Err(ReceiptError::Crm(Error::NotFound))), "{there:?}");
    let here = receipt::book(db, &one, &paying("S-1", anna, db.now(), &promised, 10_00)).await;
    assert_eq!(points(&here.expect("booked")), 10_00);
});

both_engines!(
    the_code_of_a_voided_receipt_is_free_for_the_one_in_its_place,
    async |world| {
        let db = ready(world).await;
        let till = till(db, "one", "shop", &Scope::ALL).await;
        let anna = customer(db).await;
        join(db, anna, "club", start()).await;
        let of = |document: &str| NewReceipt {
            code: Some("ABCD-1234-EFGH".into()),
            ..sale(document)
        };
        receipt::book(db, &till, &of("S-1")).await.expect("booked");
        let twice = receipt::book(db, &till, &of("S-2")).await;
        assert!(matches!(twice, Err(ReceiptError::CodeTaken)), "{twice:?}");
        db.write(|tx| scoped(void_in(tx, &BY, "shop", "S-1")))
            .await
            .expect("voided");
        receipt::book(db, &till, &of("S-2")).await.expect("in its place");
        let anna = sign_in(db, anna).await;
        let claimed = claim(db, &anna, "ABCD-1234-EFGH").await.expect("claimed");
        let document = one!(world, String, "SELECT document FROM purchases WHERE id = $1", claimed);
        assert_eq!(document, "S-2");
    }
);

both_engines!(
    what_brought_points_that_were_over_and_paid_takes_them_back,
    async |world| {
        let db = ready(world).await;
        let till = till(db, "one", "shop", &Scope::ALL).await;
        let anna = customer(db).await;
        join(db, anna, "family", start()).await;
        slip("S", anna, start()).line("apple", 1, 500_00).book(db).await;
        leave(db, anna, "family", start() + minutes(1)).await;
        let over = start() + days(90);
        world.clock.set(over - minutes(10));
        let promised = hold(db, &till, anna, "points-1", 10_00).await;
        run_due(world, over + minutes(60)).await;
        let late = paying("S-1", anna, over - minutes(5), &promised, 10_00);
        assert_eq!(points(&receipt::book(db, &till, &late).await.expect("booked")), 10_00);
        // What is over is not taken back; what was spent is owed.
        slip("R", anna, db.now())
            .line("apple", -1, 500_00)
            .of_line("S", 1)
            .book(db)
            .await;
        assert_eq!(held(db, anna).await, (-10_00, 0));
        assert_books_agree(db).await;
    }
);

both_engines!(what_was_over_before_its_promise_stays_over, async |world| {
    let db = ready(world).await;
    let till = till(db, "one", "shop", &Scope::ALL).await;
    let anna = customer(db).await;
    fund(db, anna, 20_00, start()).await;
    fund(db, anna, 20_00, start() + days(50)).await;
    let over = start() + days(90);
    world.clock.set(over + minutes(5));
    let promised = hold(db, &till, anna, "points-1", 10_00).await;
    world.clock.set(over + minutes(60));
    let family = program(db, "family").await;
    spend(db, anna, family, 20_00).await;
    // By a till's clock that lags it was sold before they were over.
    let late = paying("S-1", anna, over - minutes(1), &promised, 10_00);
    let booked = receipt::book(db, &till, &late).await.expect("booked");
    assert_eq!((points(&booked), booked.unpaid), (0, 10_00));
    assert_eq!(held(db, anna).await, (0, 0));
    assert_books_agree(db).await;
});

both_engines!(
    what_a_promise_kept_from_expiring_pays_though_its_day_was_before_the_sale,
    async |world| {
        let db = ready(world).await;
        let till = till(db, "one", "shop", &Scope::ALL).await;
        let anna = customer(db).await;
        fund(db, anna, 20_00, start()).await;
        fund(db, anna, 20_00, start() + days(50)).await;
        let over = start() + days(90);
        world.clock.set(over - minutes(5));
        let promised = hold(db, &till, anna, "points-1", 20_00).await;
        world.clock.set(over + minutes(60));
        let late = paying("S-1", anna, over + minutes(10), &promised, 20_00);
        let booked = receipt::book(db, &till, &late).await.expect("booked");
        assert_eq!((points(&booked), booked.unpaid), (20_00, 0));
        assert_eq!(lots(db, anna).await, [(20_00, over + days(50))]);
        assert_books_agree(db).await;
    }
);

both_engines!(
    a_late_sale_is_booked_though_its_promise_still_holds_and_its_points_are_gone,
    async |world| {
        let db = ready(world).await;
        let till = till(db, "one", "shop", &Scope::ALL).await;
        let anna = customer(db).await;
        join(db, anna, "family", start()).await;
        slip("S", anna, start()).line("apple", 2, 500_00).book(db).await;
        leave(db, anna, "family", start() + minutes(1)).await;
        let promised = hold(db, &till, anna, "points-1", 20_00).await;
        slip("R", anna, start() + minutes(2))
            .line("apple", -1, 500_00)
            .of_line("S", 1)
            .book(db)
            .await;
        world.clock.set(start() + minutes(20));
        let online = paying("S-1", anna, db.now(), &promised, 20_00);
        let refused = receipt::book(db, &till, &online).await;
        assert!(
            matches!(
                refused,
                Err(ReceiptError::Spend(SpendError::NotEnough { missing: 10_00 }))
            ),
            "who sells can still choose: {refused:?}"
        );
        let late = paying("S-1", anna, start() + minutes(5), &promised, 20_00);
        let booked = receipt::book(db, &till, &late).await.expect("the goods are gone");
        assert_eq!((points(&booked), booked.unpaid), (10_00, 10_00));
        assert_eq!(paid(world, &promised).await, ("captured".into(), 10_00, 10_00));
        let balance = balance(db, anna).await;
        assert_eq!((balance.active, balance.reserved), (0, 0));
        assert_books_agree(db).await;
    }
);

both_engines!(what_was_sold_after_the_term_of_its_promise_is_booked, async |world| {
    let db = ready(world).await;
    let till = &till(db, "one", "shop", &Scope::ALL).await;
    let anna = rich(db).await;
    let first = hold(db, till, anna, "points-1", 10_00).await;
    let second = hold(db, till, anna, "points-2", 19_00).await;
    let let_go = &hold(db, till, anna, "points-3", 1_00).await;
    db.write(|tx| scoped(redeem::cancel(tx, till, let_go.id)))
        .await
        .expect("let go");
    run_due(world, start() + minutes(120)).await;
    let online = receipt::book(db, till, &paying("S-1", anna, db.now(), &first, 10_00)).await;
    assert!(
        matches!(
            online,
            Err(ReceiptError::Spend(SpendError::Ended(ReservationState::Expired)))
        ),
        "{online:?}"
    );
    let late = paying("S-1", anna, start() + minutes(90), &first, 10_00);
    let booked = receipt::book(db, till, &late).await.expect("booked");
    assert_eq!((points(&booked), booked.unpaid), (10_00, 0));
    let others = hold(db, till, anna, "points-4", 15_00).await;
    let late = paying("S-2", anna, start() + minutes(90), &second, 19_00);
    let booked = receipt::book(db, till, &late).await.expect("booked");
    assert_eq!((points(&booked), booked.unpaid), (5_00, 14_00), "other promises stand");
    assert_eq!(paid(world, &others).await, ("held".into(), 0, 0));
    // What its own till has let go cannot have paid.
    let contradicts = receipt::book(db, till, &paying("S-3", anna, start() + minutes(5), let_go, 1_00)).await;
    assert!(
        matches!(
            contradicts,
            Err(ReceiptError::Spend(SpendError::Ended(ReservationState::Cancelled)))
        ),
        "{contradicts:?}"
    );
    assert_books_agree(db).await;
});

both_engines!(
    what_was_sold_is_not_held_against_what_the_shop_allows_today,
    async |world| {
        ready(world).await;
        let policy = Policy {
            pay_share: 30,
            pay_least: 5,
            pay_step: 2,
            ..Policy::default()
        };
        let db = &with_policy(world, policy).await;
        let till = till(db, "one", "shop", &Scope::ALL).await;
        let anna = rich(db).await;
        join(db, anna, "club", start()).await;
        let first = hold(db, &till, anna, "points-1", 15_00).await;
        let second = hold(db, &till, anna, "points-2", 11_00).await;
        execute!(db, "UPDATE articles SET payable = FALSE WHERE code = 'gift'")
            .await
            .expect("changed");
        let of = |document: &str, lines: &[(&str, i64)], held: &Reservation| NewReceipt {
            lines: lines
                .iter()
                .map(|(article, price)| Item {
                    article: (*article).into(),
                    quantity: 1,
                    price: *price,
                    ..Item::default()
                })
                .collect(),
            ..paying(document, anna, start() + minutes(1), held, held.points)
        };
        let most = of("S-1", &[("tea", 20_00), ("gift", 100_00)], &first);
        let none = of("S-2", &[("gift", 100_00)], &second);
        for new in [&most, &none] {
            let online = receipt::book(db, &till, new).await;
            assert!(
                matches!(online, Err(ReceiptError::Spend(SpendError::TooMuch { .. }))),
                "{online:?}"
            );
        }
        world.clock.set(start() + minutes(60));
        let booked = receipt::book(db, &till, &most).await.expect("booked");
        assert_eq!((points(&booked), booked.unpaid), (15_00, 0));
        let lines = receipt_of(db, anna, booked.id).await;
        assert_eq!(lines, [15_00, 0], "where what may be paid today is enough, it is that");
        assert_eq!(booked.earned[0].points, 15 + 3_00, "3 % of 5.00 and of 100.00");
        let booked = receipt::book(db, &till, &none).await.expect("booked");
        assert_eq!((points(&booked), booked.unpaid), (11_00, 0));
        assert_eq!(receipt_of(db, anna, booked.id).await, [11_00]);
        assert_eq!(booked.earned[0].points, 2_67, "3 % of 89.00");
        assert_books_agree(db).await;
    }
);

/// Somebody's lots after a return of the 80th day that came then, or two weeks later, and after another one that came in time.
async fn after_a_return(world: &World, spent: i64, is_late: bool) -> [Vec<(i64, DateTime<Utc>)>; 2] {
    let db = &world.db;
    world.clock.set(start());
    let who = customer(db).await;
    join(db, who, "family", start()).await;
    let document = |name: &str| format!("{name}-{}", who.id());
    slip(&document("S"), who, start())
        .line("apple", 2, 250_00)
        .book(db)
        .await;
    world.clock.set(start() + days(1));
    let family = program(db, "family").await;
    spend(db, who, family, spent).await;
    for day in [2, 50] {
        let at = start() + days(day);
        world.clock.set(at);
        slip(&document(&day.to_string()), who, at)
            .line("plum", 1, 500_00)
            .book(db)
            .await;
    }
    let back = |day: i64| {
        slip(&document(&format!("R{day}")), who, start() + days(day))
            .line("apple", -1, 250_00)
            .of_line(&document("S"), 1)
    };
    if !is_late {
        world.clock.set(start() + days(80));
        back(80).book(db).await;
    }
    run_due(world, start() + days(95)).await;
    if is_late {
        back(80).book(db).await;
    }
    let first = lots(db, who).await;
    world.clock.set(start() + days(96));
    back(96).book(db).await;
    [first, lots(db, who).await]
}

both_engines!(
    a_late_return_takes_what_has_expired_since_before_what_still_lasts,
    async |world| {
        let db = ready(world).await;
        let last = start() + days(140);
        // All of what the line had earned was spent, or a part of it: then the rest was there when it came back.
        for (spent, left) in [(10_00, 5_00), (4_00, 6_00)] {
            let in_time = after_a_return(world, spent, false).await;
            assert_eq!(in_time, [vec![(10_00, last)], vec![(left, last)]], "{spent}");
            assert_eq!(after_a_return(world, spent, true).await, in_time, "{spent}");
        }
        assert_books_agree(db).await;
    }
);

/// What somebody who owes 3.00 has after a return of points that waited, which came then or when they had paid the debt.
async fn after_a_return_of_what_waits(world: &World, is_late: bool) -> (i64, i64) {
    let db = &world.db;
    world.clock.set(start());
    let who = customer(db).await;
    join(db, who, "club", start()).await;
    let document = |name: &str| format!("{name}-{}", who.id());
    let at = |day: i64| start() + days(day);
    slip(&document("D"), who, at(0)).line("apple", 1, 100_00).book(db).await;
    world.clock.set(at(15));
    let club = program(db, "club").await;
    spend(db, who, club, 3_00).await;
    world.clock.set(at(16));
    slip(&document("RD"), who, at(16))
        .line("apple", -1, 100_00)
        .of_line(&document("D"), 1)
        .book(db)
        .await;
    assert_eq!(held(db, who).await, (-3_00, 0));
    world.clock.set(at(20));
    slip(&document("P"), who, at(20)).line("plum", 1, 200_00).book(db).await;
    let back = slip(&document("RP"), who, at(22))
        .line("plum", -1, 200_00)
        .of_line(&document("P"), 1);
    if !is_late {
        world.clock.set(at(22));
        back.book(db).await;
    }
    run_due(world, at(40)).await;
    if is_late {
        assert_eq!(held(db, who).await, (3_00, 0), "what came has paid the debt");
        back.book(db).await;
    }
    held(db, who).await
}

both_engines!(
    a_return_of_what_waited_takes_the_same_when_it_comes_after_its_day,
    async |world| {
        let db = ready(world).await;
        assert_eq!(after_a_return_of_what_waits(world, false).await, (-3_00, 0));
        assert_eq!(after_a_return_of_what_waits(world, true).await, (-3_00, 0));
        assert_books_agree(db).await;
    }
);

both_engines!(points_pay_no_more_of_a_receipt_than_the_shop_allows, async |world| {
    ready(world).await;
    let policy = Policy {
        pay_share: 30,
        pay_least: 5,
        pay_step: 2,
        ..Policy::default()
    };
    let db = &with_policy(world, policy).await;
    let till = till(db, "one", "shop", &Scope::ALL).await;
    let anna = rich(db).await;
    execute!(db, "UPDATE articles SET payable = FALSE WHERE code = 'gift'")
        .await
        .expect("changed");
    let mut small = sale("S-1");
    small.lines[0].quantity = 1;
    small.lines[0].price = 50_00;
    small.lines[0].discount = 10_00;
    small.lines.push(Item {
        article: "gift".into(),
        quantity: 1,
        price: 500_00,
        ..Item::default()
    });
    let held = hold(db, &till, anna, "points-1", 30_00).await;
    // 30 % of 40.00 are 12.00; a gift is not to be paid so.
    for (wanted, allowed) in [
        (14_00, 12_00),
        (30_00, 12_00),
        (11_00, 10_00),
        (10_50, 10_00),
        (4_00, 0),
    ] {
        let new = NewReceipt {
            customer: Some(anna.id()),
            redeem: Some((held.id, wanted)),
            ..small.clone()
        };
        let refused = receipt::book(db, &till, &new).await;
        assert!(
            matches!(refused, Err(ReceiptError::Spend(SpendError::TooMuch { most })) if most == allowed),
            "{wanted}: {refused:?}"
        );
    }
    let new = NewReceipt {
        customer: Some(anna.id()),
        redeem: Some((held.id, 12_00)),
        ..small
    };
    assert_eq!(points(&receipt::book(db, &till, &new).await.expect("booked")), 12_00);
    assert_books_agree(db).await;
});

both_engines!(
    a_receipt_that_says_otherwise_how_points_pay_is_another_one,
    async |world| {
        let db = ready(world).await;
        let till = till(db, "one", "shop", &Scope::ALL).await;
        let anna = rich(db).await;
        let (first, second) = (
            hold(db, &till, anna, "points-1", 4_00).await,
            hold(db, &till, anna, "points-2", 4_00).await,
        );
        let sold = paying("S-1", anna, start(), &first, 3_00);
        receipt::book(db, &till, &sold).await.expect("booked");
        let again = receipt::book(db, &till, &sold).await.expect("the same once more");
        assert!(again.known && points(&again) == 3_00, "{again:?}");
        let unpaid = NewReceipt {
            redeem: None,
            ..sold.clone()
        };
        let money = NewReceipt {
            document: "S-2".into(),
            ..unpaid.clone()
        };
        receipt::book(db, &till, &money).await.expect("booked");
        assert!(
            receipt::book(db, &till, &money)
                .await
                .expect("the same once more")
                .known
        );
        // What a till believes that points paid was paid by them, or it is told.
        for other in [
            unpaid,
            paying("S-1", anna, start(), &first, 2_00),
            paying("S-1", anna, start(), &second, 3_00),
            paying("S-2", anna, start(), &second, 3_00),
        ] {
            let refused = receipt::book(db, &till, &other).await;
            assert!(matches!(refused, Err(ReceiptError::Conflict)), "{other:?}: {refused:?}");
        }
        assert_eq!(paid(world, &second).await.1, 0, "nothing was taken");
        assert_books_agree(db).await;
    }
);

both_engines!(what_was_sold_before_its_card_was_blocked_is_booked, async |world| {
    let db = ready(world).await;
    let till = till(db, "one", "shop", &Scope::ALL).await;
    let anna = customer(db).await;
    join(db, anna, "club", start()).await;
    let number = card(db, anna, "active").await;
    let id = one!(world, crm::id::CardId, "SELECT id FROM cards");
    world.clock.set(start() + minutes(60));
    let me = sign_in(db, anna).await;
    cards::block(db, &me.fresh(db).expect("fresh"), id)
        .await
        .expect("blocked");
    world.clock.set(start() + minutes(90));
    let at = |document: &str, at: DateTime<Utc>| NewReceipt {
        card: Some(number.clone()),
        at,
        ..sale(document)
    };
    let before = receipt::book(db, &till, &at("S-1", start() + minutes(59))).await;
    assert_eq!(before.expect("booked").customer, Some(anna.id()));
    for late in [minutes(60), minutes(90)] {
        let after = receipt::book(db, &till, &at("S-2", start() + late)).await;
        assert!(
            matches!(after, Err(ReceiptError::Counter(CounterError::Blocked))),
            "{after:?}"
        );
    }
    // Of one that was blocked before anybody wrote down when, nothing is taken.
    execute!(db, "UPDATE cards SET blocked_at = NULL")
        .await
        .expect("changed");
    let unknown = receipt::book(db, &till, &at("S-2", start())).await;
    assert!(
        matches!(unknown, Err(ReceiptError::Counter(CounterError::Blocked))),
        "{unknown:?}"
    );
});

both_engines!(a_till_whose_clock_is_ahead_ends_no_points_early, async |world| {
    let db = ready(world).await;
    let till = till(db, "one", "shop", &Scope::ALL).await;
    let anna = rich(db).await;
    join(db, anna, "club", start()).await;
    // Her points end on the ninetieth day.
    let now = start() + Duration::hours(89 * 24 + 12);
    world.clock.set(now);
    let bought = NewReceipt {
        customer: Some(anna.id()),
        at: now - minutes(5),
        ..sale("S-1")
    };
    receipt::book(db, &till, &bought).await.expect("booked");
    let returned = NewReceipt {
        at: now + Duration::hours(20),
        ..back("R-1", "S-1")
    };
    receipt::book(db, &till, &returned).await.expect("booked");
    let ended = async || one!(world, i64, "SELECT COUNT(*) FROM transactions WHERE kind = 'expiry'");
    assert_eq!(ended().await, 0, "their day has not come");
    run_due(world, now + Duration::hours(13)).await;
    assert_eq!(ended().await, 1, "now it has");
    assert_books_agree(db).await;
});
