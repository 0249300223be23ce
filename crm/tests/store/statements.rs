//! Statements of points: what stands behind each movement, which of them are asked for, what expires when, and a period
//! from its beginning to its end, on both engines.

use crate::common::*;
use crate::rules::{fixed, publish, rule};
use crate::transfers::{give, pair};
use crm::both_engines;
use crm::db::Db;
use crm::id::TransactionId;
use crm::points::store::{self, spending};
use crm::points::{By, Entry, Explained, Filter, LotState, Remaining, Share, Sort, Source, TransactionKind};
use crm::testing::start;
use crm::who::Subject;
use std::collections::{BTreeMap, HashMap};

/// Everything that moved somebody's points, the first first, and what stands behind it.
async fn explained(db: &Db, who: Subject) -> (Vec<Entry>, HashMap<TransactionId, Explained>) {
    let mut conn = db.read().await.expect("a connection");
    let mut all = store::history(&mut conn, who, None, 100).await.expect("a history");
    all.reverse();
    let explained = store::explain(&mut conn, who, &all).await.expect("explained");
    (all, explained)
}

/// Points, the document of the receipt that had earned them, the article for which they moved, and the day, counted from the
/// beginning, on which they expire.
type Told<'a> = (i64, Option<&'a str>, Option<&'a str>, i64);

fn told(shares: &[Share]) -> Vec<Told<'_>> {
    let mut told = Vec::new();
    for share in shares {
        let (document, article) = (share.origin.document.as_deref(), share.article.as_deref());
        told.push((share.points, document, article, (share.expires_at - start()).num_days()));
    }
    told
}

both_engines!(each_movement_opens_to_what_stands_behind_it, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    let family = program(db, "family").await;
    join(db, anna, "family", start()).await;
    let tea = publish(db, &rule("Tea", "", &fixed(family, 7_00), "")).await;
    let day = |n: i64| start() + days(n);

    world.clock.set(day(1));
    let first = slip("1", anna, day(1)).line("apple", 1, 100_00).book(db).await.id;
    leave(db, anna, "family", day(2)).await;
    world.clock.set(day(3));
    let second = slip("2", anna, day(3)).line("pear", 1, 50_00).book(db).await.id;
    let held = reserve(db, anna, family, "1", 4_00).await.expect("reserved");
    spending::capture(db, &BY, anna, held.id, 4_00, Some(second))
        .await
        .expect("captured");
    world.clock.set(day(4));
    slip("3", anna, day(4)).line("pear", -1, 50_00).book(db).await;
    world.clock.set(day(5));
    spend(db, anna, family, 6_00).await;
    world.clock.set(day(6));
    slip("4", anna, day(6)).line("apple", -1, 100_00).book(db).await;
    world.clock.set(day(7));
    join(db, anna, "family", day(7)).await;
    slip("5", anna, day(7)).line("fig", 1, 500_00).book(db).await;
    run_due(world, day(200)).await;

    let (all, behind) = explained(db, anna).await;
    let moved: Vec<_> = all.iter().map(|entry| (entry.kind, entry.points())).collect();
    assert_eq!(
        moved,
        [
            (TransactionKind::Accrual, 9_00),
            (TransactionKind::Redemption, -4_00),
            (TransactionKind::Refund, 4_00),
            (TransactionKind::Redemption, -6_00),
            (TransactionKind::Return, -9_00),
            (TransactionKind::Accrual, 17_00),
            (TransactionKind::Expiry, -11_00),
        ]
    );
    let of = |n: usize| &behind[&all[n].id];

    // Which lines brought them, by the terms of the program and by which version of which rule.
    let lot = &of(0).lots[0];
    assert_eq!((lot.points, lot.activates_at, lot.expires_at), (9_00, day(1), day(91)));
    let (article, earned) = &lot.earned[0];
    assert_eq!((article.as_str(), earned.share, earned.points), ("apple", 200, 9_00));
    let parts: Vec<_> = earned.parts.iter().map(|part| (part.by, part.amount)).collect();
    assert_eq!(parts, [(Source::Program(1), 2_00), (Source::Rule(tea), 7_00)]);
    assert_eq!(lot.earned.len(), 1);

    // Which paid, and for what; and where they went when it came back.
    assert_eq!(told(&of(1).taken), [(4_00, Some("1"), Some("pear"), 91)]);
    assert_eq!(of(1).taken[0].origin.purchase, Some(first));
    assert_eq!(told(&of(2).given_back), [(4_00, Some("1"), Some("pear"), 91)]);
    assert_eq!((of(2).lots.len(), of(2).taken.len()), (0, 0));
    assert_eq!(told(&of(3).taken), [(6_00, Some("1"), None, 91)]);

    // What was gone became a debt, and the next points paid it.
    assert_eq!(told(&of(4).taken), [(3_00, Some("1"), Some("apple"), 91)]);
    assert_eq!((of(4).debt(&all[4]), of(4).paid_debt(&all[4])), (6_00, 0));
    assert_eq!((of(5).debt(&all[5]), of(5).paid_debt(&all[5])), (0, 6_00));
    assert_eq!(of(5).lots[0].earned[0].0, "fig");
    assert_eq!(told(&of(6).taken), [(11_00, Some("5"), None, 97)]);

    // An activation is that of the lot whose day it was.
    join(db, boris, "club", day(200)).await;
    slip("6", boris, day(200)).line("plum", 1, 100_00).book(db).await;
    run_due(world, day(300)).await;
    let (his, of_his) = explained(db, boris).await;
    assert_eq!(his.len(), 2);
    assert_eq!(his[1].kind, TransactionKind::Activation);
    assert_eq!(of_his[&his[1].id].lots, of_his[&his[0].id].lots);
    assert_eq!(of_his[&his[1].id].lots[0].earned[0].0, "plum");

    // Nobody else's movements are told of, whoever asks for them.
    let mut conn = db.read().await.expect("a connection");
    let foreign = store::explain(&mut conn, boris, &all).await.expect("asked");
    assert_eq!(foreign, HashMap::new());
    drop(conn);
    assert_books_agree(db).await;
});

both_engines!(a_movement_tells_its_shop_and_a_correction_why, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    join(db, anna, "family", start()).await;
    let tver = crate::common::store(db, "tver").await;
    slip("T-1", anna, start())
        .line("apple", 1, 100_00)
        .at_store(tver)
        .book(db)
        .await;
    slip("T-2", anna, start()).line("apple", 1, 100_00).book(db).await;
    let (all, _) = explained(db, anna).await;
    let of = |document: &str| {
        let found = all.iter().find(|entry| entry.document.as_deref() == Some(document));
        found.expect("a movement").store.clone()
    };
    assert!(of("T-1").is_some_and(|name| name.ru.contains("tver")), "{all:?}");
    assert_eq!(of("T-2"), None);
    assert!(all.iter().all(|entry| entry.note.is_none()));
});

both_engines!(
    receipts_that_brought_fewer_points_than_the_programs_share_are_found,
    async |world| {
        let db = ready(world).await;
        let (anna, boris) = (customer(db).await, customer(db).await);
        let buy = async |document: &str, who: Subject| {
            slip(document, who, db.now()).line("apple", 1, 100_00).book(db).await;
            world.clock.set(db.now() + days(1));
        };
        // In no program yet, then in one, and in a second one of which nobody knew in time.
        buy("none", anna).await;
        join(db, anna, "family", db.now()).await;
        buy("full", anna).await;
        buy("fewer", anna).await;
        join(db, anna, "club", db.now() - days(1)).await;
        buy("both", anna).await;
        buy("his", boris).await;
        slip("back", anna, db.now())
            .line("apple", -1, 100_00)
            .of("both")
            .book(db)
            .await;
        let mut conn = db.read().await.expect("a connection");
        let found = store::short(&mut conn, anna, 50).await.expect("read");
        let told: Vec<_> = found
            .iter()
            .map(|one| (&*one.document, one.earned, one.share))
            .collect();
        let (family, club) = (2_00, 3_00);
        assert_eq!(told, [("fewer", family, family + club), ("none", 0, 0)]);
        let last = store::short(&mut conn, anna, 2).await.expect("read");
        assert_eq!(last.len(), 1, "of the last two, both and fewer");
    }
);

both_engines!(gifts_do_not_tell_what_had_earned_them, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    give(db, pair.anna, &pair.card, pair.family, 10_00).await.expect("sent");
    run_due(world, start() + days(12)).await;
    spend(db, pair.boris, pair.family, 10_00).await;

    let (hers, behind) = explained(db, pair.anna).await;
    let sent = &behind[&hers[2].id].taken[0];
    assert!(sent.origin.document.is_some(), "it was her receipt that earned them");
    let (his, behind) = explained(db, pair.boris).await;
    assert_eq!(his[0].kind, TransactionKind::Transfer);
    let lot = &behind[&his[0].id].lots[0];
    assert_eq!((lot.points, lot.expires_at), (10_00, start() + days(90)));
    assert!(lot.earned.is_empty(), "what Anna bought is not his to see");
    let spent = &behind[&his[1].id].taken[0].origin;
    assert_eq!(
        (spent.kind, spent.purchase, spent.document.as_deref()),
        (TransactionKind::Transfer, None, None)
    );
    assert_eq!(spent.other.as_ref().map(|other| other.name.as_str()), Some("Анна"));
});

fn sort_of(entry: &Entry) -> Sort {
    match entry.kind {
        TransactionKind::Accrual | TransactionKind::Activation => Sort::Earned,
        TransactionKind::Redemption => Sort::Spent,
        TransactionKind::Expiry => Sort::Expired,
        _ => Sort::Other,
    }
}

both_engines!(a_filter_leaves_the_balances_as_they_are, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    for code in ["club", "family"] {
        join(db, anna, code, start()).await;
    }
    let family = program(db, "family").await;
    for n in 0..12 {
        let at = start() + days(n);
        world.clock.set(at);
        slip(&n.to_string(), anna, at).line("apple", 1, 100_00).book(db).await;
        spend(db, anna, family, 1_00).await;
    }
    world.clock.set(start() + days(12));
    slip("R", anna, start() + days(12))
        .line("apple", -1, 100_00)
        .book(db)
        .await;
    run_due(world, start() + days(100)).await;
    let (whole, _) = explained(db, anna).await;
    let mut conn = db.read().await.expect("a connection");
    let zone = db.shop().clone();
    let mut asked = vec![Filter::default()];
    asked.extend(Sort::ALL.map(|sort| Filter {
        sort: Some(sort),
        ..Filter::default()
    }));
    asked.push(Filter {
        program: Some(family),
        ..Filter::default()
    });
    let (from, to) = (Some(zone.day(start() + days(3))), Some(zone.day(start() + days(8))));
    asked.push(Filter {
        from,
        to,
        ..Filter::default()
    });
    asked.push(Filter {
        program: Some(family),
        sort: Some(Sort::Spent),
        from,
        to,
    });
    for filter in asked {
        let expected: Vec<Entry> = whole
            .iter()
            .rev()
            .filter(|entry| filter.program.is_none_or(|program| entry.program == program))
            .filter(|entry| filter.sort.is_none_or(|sort| sort_of(entry) == sort))
            .filter(|entry| filter.from.is_none_or(|from| zone.day(entry.at) >= from))
            .filter(|entry| filter.to.is_none_or(|to| zone.day(entry.at) <= to))
            .cloned()
            .collect();
        assert!(!expected.is_empty(), "{filter:?} finds something");
        let mut found = Vec::new();
        let mut before = None;
        loop {
            let page = store::movements(&mut conn, anna, &filter, before, 3)
                .await
                .expect("a page");
            let Some(last) = page.last() else { break };
            before = Some((last.at, last.id.0));
            found.extend(page);
        }
        assert_eq!(found, expected, "{filter:?}");
    }
});

both_engines!(what_is_left_is_told_lot_by_lot, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    for code in ["club", "family"] {
        join(db, anna, code, start()).await;
    }
    let (club, family) = (program(db, "club").await, program(db, "family").await);
    for n in [0, 2] {
        slip(&n.to_string(), anna, start() + days(n))
            .line("apple", 1, 100_00)
            .book(db)
            .await;
    }
    world.clock.set(start() + days(3));
    // All of the first lot, and a part of the second.
    spend(db, anna, family, 3_00).await;
    let left = async |who: Subject| {
        let mut conn = db.read().await.expect("a connection");
        let left = store::remaining(&mut conn, who, By::Expiry, None, 100)
            .await
            .expect("read");
        let one = |lot: Remaining| {
            let document = lot.origin.document.expect("a receipt had earned them");
            (
                lot.program,
                lot.points,
                lot.state,
                (lot.expires_at - start()).num_days(),
                document,
            )
        };
        left.into_iter().map(one).collect::<Vec<_>>()
    };
    let (waits, counts) = (LotState::Pending, LotState::Active);
    let expected = [
        (family, 1_00, counts, 92, "2".to_owned()),
        (club, 3_00, waits, 379, "0".to_owned()),
        (club, 3_00, waits, 381, "2".to_owned()),
    ];
    assert_eq!(left(anna).await, expected);
    assert_eq!(left(boris).await, []);
    let mut conn = db.read().await.expect("a connection");
    for (by, lots) in [(By::Expiry, 3), (By::Activation, 2)] {
        let all = store::remaining(&mut conn, anna, by, None, 100).await.expect("all");
        assert_eq!(all.len(), lots, "{by:?}");
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store::remaining(&mut conn, anna, by, after, 1).await.expect("a page");
            let Some(last) = page.last() else { break };
            after = Some((by.at(last), last.lot.0));
            found.extend(page);
        }
        assert_eq!(found, all, "{by:?}");
    }
    drop(conn);
    run_due(world, start() + days(380)).await;
    assert_eq!(left(anna).await, [(club, 3_00, counts, 381, "2".to_owned())]);
});

both_engines!(a_statement_goes_on_where_the_one_before_ended, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    for code in ["club", "family"] {
        join(db, anna, code, start()).await;
    }
    let family = program(db, "family").await;
    for n in 0..4 {
        world.clock.set(start() + days(5 * n));
        slip(&n.to_string(), anna, start() + days(5 * n))
            .line("apple", 1, 100_00)
            .book(db)
            .await;
        spend(db, anna, family, 1_00).await;
    }
    run_due(world, start() + days(200)).await;
    let mut conn = db.read().await.expect("a connection");
    let shop = db.shop().clone();
    let first = shop.day(start());
    let (whole, _) = explained(db, anna).await;
    // Parts of a whole, also one in which nothing happened.
    let bounds = [0, 3, 4, 12, 95, 300].map(|n| first + days(n));
    let mut held = BTreeMap::new();
    let mut entries = Vec::new();
    for part in bounds.windows(2) {
        let to = part[1].pred_opt();
        let told = store::statement(&mut conn, anna, Some(part[0]), to, 1000)
            .await
            .expect("a statement");
        for ends in &told.programs {
            let before = held.insert(ends.program, ends.after).unwrap_or_default();
            assert_eq!(ends.before, before, "{part:?}");
            let moved = told.entries.iter().filter(|entry| entry.program == ends.program);
            assert_eq!(
                ends.after - ends.before,
                moved.map(|entry| entry.active).sum::<i64>(),
                "{part:?}"
            );
        }
        entries.extend(told.entries);
    }
    assert_eq!(entries, whole);
    let all = store::statement(&mut conn, anna, None, None, 1000)
        .await
        .expect("all of it");
    assert_eq!(all.entries, whole);
    let after: BTreeMap<_, _> = all.programs.iter().map(|ends| (ends.program, ends.after)).collect();
    assert_eq!(after, held);
    let his = store::statement(&mut conn, boris, None, None, 1000).await.expect("his");
    assert_eq!(his, crm::points::Statement::default());

    // The last of them, and what there was before those.
    assert!(!all.is_cut);
    let last = store::statement(&mut conn, anna, None, None, 3).await.expect("three");
    assert!(last.is_cut);
    assert_eq!(last.entries, whole[whole.len() - 3..]);
    for ends in &last.programs {
        let moved = last.entries.iter().filter(|entry| entry.program == ends.program);
        assert_eq!(ends.after - ends.before, moved.map(|entry| entry.active).sum::<i64>());
    }
    let after: BTreeMap<_, _> = last.programs.iter().map(|ends| (ends.program, ends.after)).collect();
    assert_eq!(after, held);
});
