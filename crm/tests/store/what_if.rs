//! What a purchase would bring, and what became of the rules of one that was made: told before and afterwards as the till
//! books it, on both engines.

use crate::common::*;
use crate::rules::{TENTH, fixed, member, publish, rule, times};
use crate::tills::{sale, till};
use chrono::Duration;
use crm::both_engines;
use crm::db::Db;
use crm::error::Error;
use crm::id::PurchaseId;
use crm::purchase::claim::claim;
use crm::quote::what_if::{self, Change, Forecast, Item, Plan};
use crm::quote::why::{Answer, Share, why};
use crm::rule::store as rules;
use crm::rule::{Channel, Payment};
use crm::testing::start;
use crm::till::Scope;
use crm::till::receipt::{self as receipts, NewReceipt};
use crm::who::{Customer, Subject};
use std::collections::BTreeSet;

/// One article at a price, bought now.
async fn plan(db: &Db, who: &Customer, code: &str, price: i64) -> Plan {
    let mut conn = db.read().await.expect("a connection");
    let found = what_if::by_codes(&mut conn, who.me(), &BTreeSet::from([code]))
        .await
        .expect("found");
    Plan {
        at: db.now(),
        store: None,
        payment: None,
        items: vec![Item {
            article: found.first().map(|one| one.id),
            quantity: 1,
            price,
        }],
    }
}

async fn forecast(db: &Db, who: &Customer, plan: &Plan) -> Forecast {
    what_if::forecast(db, who.me(), plan).await.expect("told")
}

fn earns(forecast: &Forecast) -> i64 {
    forecast.quote.earns.iter().map(|points| points.points).sum()
}

async fn reasons(db: &Db, of: Subject, id: PurchaseId) -> Vec<(String, Answer)> {
    let mut conn = db.read().await.expect("a connection");
    let asked = why(&mut conn, of, id).await.expect("told");
    asked
        .rules
        .into_iter()
        .map(|rule| (rule.name.en, rule.answer))
        .collect()
}

/// The points that a receipt earned.
async fn booked(db: &Db, who: Subject, id: PurchaseId) -> i64 {
    let lines = receipt(db, who, id).await.lines;
    lines.iter().flat_map(|line| &line.earned).map(|one| one.points).sum()
}

both_engines!(what_is_foretold_is_what_the_till_books, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    slip("before", anna, start() - days(1))
        .line("tea", 1, 100_00)
        .book(db)
        .await;
    publish(
        db,
        &rule(
            "Large",
            r#"{"basket_sum": {"at_least": 50000}}"#,
            &times(club, 20_000),
            "",
        ),
    )
    .await;
    publish(
        db,
        &rule(
            "Huge",
            r#"{"basket_sum": {"at_least": 5000000}}"#,
            &fixed(club, 5_00),
            "",
        ),
    )
    .await;
    publish(db, &rule("Tenth", r#"{"payment": ["card"]}"#, TENTH, "")).await;
    let by = sign_in(db, anna).await;

    let plan = plan(db, &by, "tea", 1_000_00).await;
    assert!(plan.items[0].article.is_some());
    let told = forecast(db, &by, &plan).await;
    assert_eq!((told.quote.total, told.quote.discount), (1_000_00, 0));
    let sale = slip("now", anna, db.now())
        .by(Channel::Till, &[])
        .line("tea", 1, 1_000_00)
        .book(db)
        .await;
    assert_eq!(earns(&told), 60_00);
    assert_eq!(booked(db, anna, sale.id).await, 60_00);
    let lot = told.earned.first().expect("earned");
    assert_eq!((lot.points, lot.active_from), (60_00, plan.at + days(14)));
    let failed: Vec<&str> = told
        .quote
        .rules
        .iter()
        .filter(|rule| rule.reason.is_some())
        .map(|rule| rule.name.en.as_str())
        .collect();
    assert_eq!(failed, ["Huge", "Tenth"]);

    // By card a tenth is taken off, so paying by it is better, and it is told.
    let better = told.better.first().expect("something is better");
    assert_eq!(better.change, Change::Payment(Payment::Card));
    assert_eq!((better.discount, better.earns), (100_00, 54_00));
    let by_card = forecast(
        db,
        &by,
        &Plan {
            payment: Some(Payment::Card),
            ..plan.clone()
        },
    )
    .await;
    assert_eq!((by_card.quote.total, earns(&by_card)), (900_00, 54_00));
    assert!(by_card.better.is_empty(), "{:?}", by_card.better);
    // What is just a sum is no article of any rule, and earns all the same.
    let sum = Plan {
        items: vec![Item {
            article: None,
            ..plan.items[0].clone()
        }],
        ..plan
    };
    assert_eq!(earns(&forecast(db, &by, &sum).await), 60_00);
});

both_engines!(
    a_day_that_brings_more_is_told_also_by_a_rule_that_is_to_come,
    async |world| {
        let db = ready(world).await;
        let (anna, club) = member(db).await;
        // A Saturday; the Monday after next is too far away.
        publish(db, &rule("Monday", r#"{"weekday": ["Mon"]}"#, &times(club, 20_000), "")).await;
        rules::publish_by_system(
            db,
            &BY,
            None,
            &rule("Soon", "", &fixed(club, 7_00), ""),
            Some(start() + days(4)),
        )
        .await
        .expect("published ahead");
        let by = sign_in(db, anna).await;
        let told = forecast(db, &by, &plan(db, &by, "tea", 100_00).await).await;
        assert_eq!(earns(&told), 3_00);
        let days_told: Vec<(Change, i64)> = told.better.iter().map(|one| (one.change, one.earns)).collect();
        let day = |n| Change::Day((start() + days(n)).date_naive());
        assert_eq!(
            days_told,
            [
                (day(4), 10_00),
                (day(5), 10_00),
                (day(6), 10_00),
                (day(7), 10_00),
                (day(2), 6_00)
            ]
        );
    }
);

both_engines!(points_that_would_expire_pay_first_and_others_are_kept, async |world| {
    let db = ready(world).await;
    let (anna, _) = member(db).await;
    let by = sign_in(db, anna).await;
    // Nothing to pay with: there is no choice.
    let wanted = plan(db, &by, "tea", 1_000_00).await;
    assert_eq!(forecast(db, &by, &wanted).await.payments.len(), 1);
    // Points of the family last for 90 days; these expire in 20.
    fund(db, anna, 40_00, start() - days(70)).await;
    fund(db, anna, 60_00, start()).await;
    let told = forecast(db, &by, &wanted).await;
    let ways: Vec<(i64, i64, i64, i64)> = told
        .payments
        .iter()
        .map(|way| (way.points, way.expiring, way.money, way.earns))
        .collect();
    // The forty are lost otherwise; each of the others earns three hundredths less.
    assert_eq!(
        ways,
        [
            (40_00, 40_00, 960_00, 28_80),
            (100_00, 40_00, 900_00, 27_00),
            (0, 0, 1_000_00, 30_00),
            // What the club gave for the purchases that brought the others.
            (60_00, 0, 940_00, 28_20)
        ]
    );
    // A till holds some, and they are not offered.
    let family = program(db, "family").await;
    reserve(db, anna, family, "held", 80_00).await.expect("reserved");
    let told = forecast(db, &by, &wanted).await;
    assert_eq!(told.payments[0].points, 20_00);
    // Later all of them are gone.
    let far = Plan {
        at: start() + days(500),
        ..wanted
    };
    assert_eq!(forecast(db, &by, &far).await.payments.len(), 1);
});

both_engines!(
    why_a_rule_gave_nothing_is_told_of_the_time_of_the_purchase,
    async |world| {
        let db = ready(world).await;
        let (anna, club) = member(db).await;
        publish(db, &rule("Fixed", "", &fixed(club, 1_00), "")).await;
        publish(
            db,
            &rule(
                "Second",
                r#"{"purchase_count": {"window": {"last": {"days": 30}}, "count": {"at_least": 1}}}"#,
                &fixed(club, 2_00),
                "",
            ),
        )
        .await;
        publish(
            db,
            &rule(
                "Once",
                "",
                &fixed(club, 3_00),
                r#", "caps": {"customer": {"times": 1}}"#,
            ),
        )
        .await;
        let first = slip("1", anna, start()).line("tea", 1, 100_00).book(db).await;
        let second = slip("2", anna, start() + days(1)).line("tea", 1, 100_00).book(db).await;
        world.clock.set(start() + days(2));
        publish(db, &rule("Later", "", &fixed(club, 4_00), "")).await;
        slip("3", anna, start() + days(2)).line("tea", 1, 100_00).book(db).await;

        let gave = |points| Answer::Gave { discount: 0, points };
        let one = reasons(db, anna, first.id).await;
        assert_eq!(
            one.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["Fixed", "Second", "Once"]
        );
        assert_eq!((&one[0].1, &one[2].1), (&gave(1_00), &gave(3_00)));
        assert!(
            matches!(&one[1].1, Answer::Failed(words) if words.en.contains('0')),
            "{one:?}"
        );
        let two = reasons(db, anna, second.id).await;
        assert_eq!((&two[0].1, &two[1].1), (&gave(1_00), &gave(2_00)));
        assert!(matches!(&two[2].1, Answer::Failed(_)), "{two:?}");
        // Nobody is told of somebody else's receipt.
        let other = customer(db).await;
        let mut conn = db.read().await.expect("a connection");
        assert!(matches!(why(&mut conn, other, first.id).await, Err(Error::NotFound)));
    }
);

both_engines!(why_goes_by_what_was_booked_by_then_whatever_its_time, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let till = till(db, "one", "shop", &Scope::ALL).await;
    let count = |range: &str| format!(r#"{{"purchase_count": {{"window": "ever", "count": {range}}}}}"#);
    let once = r#", "caps": {"customer": {"times": 1}}"#;
    for (name, conditions, points, more) in [
        ("First", r#""first_purchase""#.to_owned(), 50_00, ""),
        ("Again", count(r#"{"at_least": 1}"#), 20_00, ""),
        ("Third", count(r#"{"at_least": 2, "at_most": 2}"#), 30_00, ""),
        ("Once", String::new(), 10_00, once),
    ] {
        publish(db, &rule(name, &conditions, &fixed(club, points), more)).await;
    }
    // What each rule gave, or a number of the reason why it did not.
    let told = async |id: PurchaseId| {
        let answers = reasons(db, anna, id)
            .await
            .into_iter()
            .map(|(name, answer)| match answer {
                Answer::Gave { points, .. } => format!("{name} {points}"),
                Answer::Failed(words) => format!("{name}: {}", words.en),
                Answer::Unclear => format!("{name}?"),
            });
        answers.collect::<Vec<_>>()
    };
    let bought = async |document: &str, at| slip(document, anna, at).line("tea", 1, 100_00).book(db).await.id;
    let one = bought("13:00", start() + Duration::hours(1)).await;
    let late = bought("12:00", start()).await;
    let one = told(one).await;
    assert_eq!((one[0].as_str(), one[3].as_str()), ("First 5000", "Once 1000"));
    assert!(one[1].starts_with("Again:") && one[1].contains('0'), "{one:?}");
    let late = told(late).await;
    assert_eq!(late[0], "First: This is not the first purchase");
    assert!(late[1].starts_with("Again:") && late[1].contains('0'), "{late:?}");
    assert!(late[3].starts_with("Once:"), "{late:?}");

    // One that is claimed was booked then. By the clock of ids, which is no test's, that has to be far ahead.
    let now = start() + days(30_000);
    world.clock.set(now);
    let loose = NewReceipt { at: now, ..sale("L-1") };
    let loose = receipts::book(db, &till, &loose).await.expect("booked");
    let third = bought("3", now + Duration::hours(1)).await;
    let me = sign_in(db, anna).await;
    let claimed = claim(db, &me, &loose.code.expect("a code")).await.expect("claimed");
    let third = told(third).await;
    assert_eq!((third[1].as_str(), third[2].as_str()), ("Again 2000", "Third 3000"));
    let claimed = told(claimed).await;
    assert_eq!(claimed[0], "First: This is not the first purchase");
    assert_eq!(claimed[1], "Again 2000");
    assert!(
        claimed[2].starts_with("Third:") && claimed[2].contains('3'),
        "{claimed:?}"
    );
    assert!(claimed[3].starts_with("Once:"), "{claimed:?}");
});

both_engines!(
    what_a_program_gave_of_its_own_is_told_apart_from_what_rules_gave,
    async |world| {
        let db = ready(world).await;
        let (anna, club) = member(db).await;
        let plain = slip("1", anna, start() - days(1)).line("tea", 1, 100_00).book(db).await;
        publish(db, &rule("Twice", "", &times(club, 20_000), "")).await;
        let twice = slip("2", anna, start()).line("tea", 1, 100_00).book(db).await;
        // Not a member yet, and no member any more.
        let boris = customer(db).await;
        join(db, boris, "club", start() + days(1)).await;
        let before = slip("3", boris, start()).line("tea", 1, 100_00).book(db).await;
        leave(db, anna, "club", start() + days(2)).await;
        let after = slip("4", anna, start() + days(2)).line("tea", 1, 100_00).book(db).await;
        assert_eq!(booked(db, anna, twice.id).await, 6_00);
        for (who, id, is_member, earned) in [
            (anna, plain.id, true, 3_00),
            (anna, twice.id, true, 3_00),
            (boris, before.id, false, 0),
            (anna, after.id, false, 0),
        ] {
            let mut conn = db.read().await.expect("a connection");
            let shares = why(&mut conn, who, id).await.expect("told").shares;
            let of_club: Vec<&Share> = shares.iter().filter(|share| share.share == 300).collect();
            assert_eq!(of_club.len(), 1, "{shares:?}");
            assert_eq!(
                (of_club[0].is_member, of_club[0].earned),
                (is_member, earned),
                "{shares:?}"
            );
            // The others are told of as well.
            assert_eq!(shares.len(), 3, "{shares:?}");
        }
    }
);

both_engines!(a_receipt_is_planned_again, async |world| {
    let db = ready(world).await;
    let (anna, _) = member(db).await;
    let by = sign_in(db, anna).await;
    let sale = slip("1", anna, start())
        .line("tea", 1, 90_00)
        .line("cup", 2, 50_00)
        .line("tea", 3, 90_00)
        .book(db)
        .await;
    slip("2", anna, start() + days(1)).line("tea", 1, 95_00).book(db).await;
    let mut conn = db.read().await.expect("a connection");
    let again = what_if::of_receipt(&mut conn, by.me(), sale.id).await.expect("theirs");
    let told: Vec<(&str, i64, Option<i64>)> = again
        .iter()
        .map(|(one, n)| (one.code.as_str(), *n, one.price))
        .collect();
    assert_eq!(
        told,
        [("tea", 4, Some(95_00)), ("cup", 2, Some(50_00))],
        "at the last price"
    );
    let found = what_if::find(&mut conn, by.me(), "TE", 10).await.expect("found");
    assert_eq!(found.iter().map(|one| one.code.as_str()).collect::<Vec<_>>(), ["tea"]);
    assert_eq!(what_if::find(&mut conn, by.me(), "%", 10).await.expect("none"), []);
    let other = sign_in(db, customer(db).await).await;
    assert!(matches!(
        what_if::of_receipt(&mut conn, other.me(), sale.id).await,
        Err(Error::NotFound)
    ));
});
