//! Odd patterns: what each rule finds, just below its limits and at them; found once; what was decided about does not come back;
//! and the spending that staff stop.

use crate::common::people::{self, lead, one, sql};
use crate::common::*;
use crate::transfers::give;
use chrono::{DateTime, Duration, Utc};
use crm::both_engines;
use crm::db::Db;
use crm::error::Error;
use crm::flaw::Flaw;
use crm::fraud::finding::{look, run_due};
use crm::fraud::store::{self as alerts, NewSetting};
use crm::fraud::{EvidenceKind, Row, Rule, State, stop};
use crm::id::{CustomerId, FraudAlertId};
use crm::merge::{MergeError, Obstacle};
use crm::points::store::{SpendError, TransferError};
use crm::testing::{World, start};
use crm::who::{Staff, Subject};

/// Looks for everything; how many alerts are new.
async fn found(db: &Db) -> u64 {
    look(db, &BY, || true).await.expect("looked")
}

async fn open(db: &Db, by: &Staff) -> Vec<Row> {
    alerts::list(db, by, State::Open, None, None, 50).await.expect("alerts")
}

/// The only one that is open.
async fn only(db: &Db, by: &Staff) -> Row {
    let all = open(db, by).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_iter().next().expect("one")
}

async fn dismiss(db: &Db, by: &Staff, id: FraudAlertId) -> Result<(), Error> {
    let (alert, ..) = alerts::open(db, by, id, None, 50).await.expect("an alert");
    alerts::dismiss(db, by, id, alert.changed_at, "Школьная столовая").await
}

/// Sets the limits of a rule; what is empty stays.
async fn set(db: &Db, by: &Staff, rule: Rule, [least, days, share]: [&str; 3]) {
    let all = alerts::settings(&mut db.read().await.expect("a connection"), by).await;
    let all = all.expect("settings");
    let old = all.iter().find(|one| one.rule == rule).expect("the rule");
    let new = NewSetting {
        enabled: true,
        least: least.into(),
        days: days.into(),
        share: share.into(),
    };
    alerts::set_rule(db, by, rule, old.changed_at, &new).await.expect("set");
}

/// Books small sales, one a minute from a moment on.
async fn buy(db: &Db, who: Subject, many: i64, from: DateTime<Utc>) {
    for minute in 0..many {
        slip(&CustomerId::new().to_string(), who, from + Duration::minutes(minute))
            .line("чай", 1, 100)
            .book(db)
            .await;
    }
}

both_engines!(many_purchases_a_day_are_found_once, async |world| {
    let db = ready(world).await;
    let (anna, boris, by) = (customer(db).await, customer(db).await, lead(world).await);
    // Seven on one day, and more on the day before, are nothing odd: the limit is eight.
    buy(db, anna, 7, start()).await;
    buy(db, anna, 7, start() - days(1)).await;
    buy(db, boris, 1, start()).await;
    assert_eq!(found(db).await, 0);
    buy(db, anna, 1, start() + Duration::minutes(30)).await;
    assert_eq!(found(db).await, 1);
    assert_eq!(found(db).await, 0, "found already");
    let alert = only(db, &by).await;
    assert_eq!(
        (alert.rule, alert.measure, alert.customer_id),
        (Rule::ManyPurchases, 8, anna.id())
    );
    // One more on that day stands with the same alert, and makes what was read before stale.
    let (read, ..) = alerts::open(db, &by, alert.id, None, 50).await.expect("read");
    world.clock.set(start() + Duration::hours(1));
    buy(db, anna, 1, start() + Duration::minutes(40)).await;
    assert_eq!(found(db).await, 0);
    assert_eq!(only(db, &by).await.measure, 9);
    let late = alerts::dismiss(db, &by, alert.id, read.changed_at, "Ничего").await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let (_, parties, evidence) = alerts::open(db, &by, alert.id, None, 50).await.expect("read");
    assert_eq!(parties.iter().map(|one| one.id).collect::<Vec<_>>(), [anna.id()]);
    assert_eq!(evidence.len(), 9);
    assert!(
        evidence
            .iter()
            .all(|one| one.kind == EvidenceKind::Purchase && one.document.is_some())
    );
    // Dismissed, it does not come back for the same receipts, nor for a few more: as many new ones are something new.
    dismiss(db, &by, alert.id).await.expect("dismissed");
    assert_eq!(found(db).await, 0);
    buy(db, anna, 7, start() + Duration::minutes(50)).await;
    assert_eq!(found(db).await, 0, "seven");
    buy(db, anna, 1, start() + Duration::minutes(59)).await;
    assert_eq!(found(db).await, 1, "eight");
    assert_eq!(only(db, &by).await.measure, 8);
});

both_engines!(receipts_that_do_not_count_make_no_alert, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    buy(db, anna, 7, start()).await;
    // A return, one that is void, and days that are long gone.
    slip("back", anna, start() + Duration::minutes(20))
        .line("чай", -1, 100)
        .book(db)
        .await;
    buy(db, anna, 1, start() + Duration::minutes(30)).await;
    sql!(
        world,
        "UPDATE purchases SET voided_at = $1 WHERE at = $2",
        start(),
        start() + Duration::minutes(30)
    );
    buy(db, anna, 20, start() - days(61)).await;
    assert_eq!(found(db).await, 0);
    let far: String = one!(
        world,
        String,
        "SELECT value FROM settings WHERE key = 'fraud_purchases'"
    );
    let last: uuid::Uuid = one!(world, uuid::Uuid, "SELECT id FROM purchases ORDER BY id DESC LIMIT 1");
    assert_eq!(far, last.to_string(), "the next time begins there");
    // What was booked long before that is not met again.
    sql!(world, "UPDATE purchases SET voided_at = NULL");
    let later = &uuid::Uuid::from_u128(last.as_u128() + ((11 * 60 * 1_000) << 80)).to_string();
    sql!(
        world,
        "UPDATE settings SET value = $1 WHERE key = 'fraud_purchases'",
        later.as_str()
    );
    assert_eq!(found(db).await, 0);
    sql!(world, "DELETE FROM settings WHERE key = 'fraud_purchases'");
    assert_eq!(found(db).await, 1);
});

both_engines!(one_node_looks_once_an_hour, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    assert_eq!(run_due(db, &BY, || true).await.expect("looked"), 0);
    buy(db, anna, 8, start()).await;
    assert_eq!(run_due(db, &BY, || true).await.expect("too early"), 0);
    world.clock.set(start() + Duration::hours(1));
    let (one, two) = tokio::join!(run_due(db, &BY, || true), run_due(db, &BY, || true));
    assert_eq!(one.expect("looked") + two.expect("looked"), 1);
    // A stop in between loses nothing.
    let boris = customer(db).await;
    buy(db, boris, 8, start()).await;
    assert_eq!(look(db, &BY, || false).await.expect("stopped"), 0);
    assert_eq!(found(db).await, 1);
});

/// Buys goods that earn so many points, spends some of them, and brings the goods back after some days.
async fn spend_and_return(world: &World, points: i64, spent: i64, after: i64) -> Subject {
    let db = &world.db;
    let who = customer(db).await;
    let family = program(db, "family").await;
    let at = db.now();
    join(db, who, "family", at).await;
    let document = CustomerId::new().to_string();
    slip(&document, who, at).line("ковёр", 1, points * 50).book(db).await;
    sql!(
        world,
        "DELETE FROM memberships WHERE program_id = $1 AND customer_id = $2",
        family,
        who.id()
    );
    world.clock.set(at + days(1));
    if spent > 0 {
        spend(db, who, family, spent).await;
    }
    let back = at + days(after);
    world.clock.set(back);
    slip(&CustomerId::new().to_string(), who, back)
        .line("ковёр", -1, points * 50)
        .of(&document)
        .book(db)
        .await;
    who
}

both_engines!(points_spent_before_the_goods_came_back_are_found, async |world| {
    let db = ready(world).await;
    let by = lead(world).await;
    set(db, &by, Rule::SpentAndReturned, ["300", "20", ""]).await;
    let by = people::again(world, by.id()).await;
    // A hundredth of a point less than the limit, one day too late, and nothing spent at all.
    spend_and_return(world, 400_00, 299_99, 5).await;
    spend_and_return(world, 400_00, 400_00, 21).await;
    spend_and_return(world, 400_00, 0, 2).await;
    assert_eq!(found(db).await, 0);
    let anna = spend_and_return(world, 400_00, 300_00, 20).await;
    assert_eq!(found(db).await, 1);
    assert_eq!(found(db).await, 0, "found already");
    let by = people::again(world, by.id()).await;
    let alert = only(db, &by).await;
    assert_eq!(
        (alert.rule, alert.measure, alert.customer_id),
        (Rule::SpentAndReturned, 300_00, anna.id())
    );
    let (_, _, evidence) = alerts::open(db, &by, alert.id, None, 50).await.expect("read");
    let kinds: Vec<_> = evidence
        .iter()
        .map(|one| (one.kind, one.is_return, one.points))
        .collect();
    assert_eq!(
        kinds,
        [
            (EvidenceKind::Purchase, true, None),
            (EvidenceKind::Transaction, false, Some(300_00)),
            (EvidenceKind::Purchase, false, None),
        ],
        "the newest first"
    );
    dismiss(db, &by, alert.id).await.expect("dismissed");
    assert_eq!(found(db).await, 0, "it does not come back");
});

both_engines!(one_card_at_one_till_is_found_by_number_and_share, async |world| {
    let db = ready(world).await;
    let by = lead(world).await;
    set(db, &by, Rule::OneTill, ["4", "30", "50"]).await;
    let (here, there) = (store(db, "one").await, store(db, "two").await);
    let anna = customer(db).await;
    let sell = async |who: Subject, store, ago: i64| {
        slip(&CustomerId::new().to_string(), who, start() - days(ago))
            .line("чай", 1, 100)
            .at_store(store)
            .book(db)
            .await;
    };
    // Elsewhere, too long ago, and without a card: none of them counts.
    sell(anna, there, 1).await;
    sell(anna, here, 45).await;
    let nobody = slip("nobody", anna, start())
        .line("чай", 1, 100)
        .at_store(here)
        .nobody();
    nobody.book(db).await;
    for ago in 1..=3 {
        sell(anna, here, ago).await;
    }
    assert_eq!(found(db).await, 0, "three are too few");
    for ago in 1..=5 {
        sell(customer(db).await, here, ago).await;
    }
    sell(anna, here, 4).await;
    assert_eq!(found(db).await, 0, "four of nine are less than a half");
    sell(anna, here, 5).await;
    assert_eq!(found(db).await, 1, "five of ten are a half");
    assert_eq!(found(db).await, 0, "found already");
    let alert = only(db, &by).await;
    assert_eq!(
        (alert.rule, alert.measure, alert.out_of, alert.customer_id),
        (Rule::OneTill, 5, Some(10), anna.id())
    );
    let (whole, _, evidence) = alerts::open(db, &by, alert.id, None, 50).await.expect("read");
    assert_eq!((whole.limits.least, whole.limits.days, whole.limits.share), (4, 30, 50));
    assert!(evidence.iter().all(|one| one.store.is_some()), "{evidence:?}");
    dismiss(db, &by, alert.id).await.expect("dismissed");
    sell(anna, here, 0).await;
    assert_eq!(found(db).await, 0, "one more is nothing new");
});

/// So many customers with points to give, and the number of a card of each.
async fn givers(world: &World, many: usize) -> Vec<(Subject, String)> {
    let db = &world.db;
    let mut all = Vec::new();
    for _ in 0..many {
        let who = customer(db).await;
        sql!(
            world,
            "UPDATE customers SET registered_at = $2 WHERE id = $1",
            who.id(),
            start() - days(100)
        );
        fund(db, who, 100_00, start()).await;
        all.push((who, card(db, who, "active").await));
    }
    all
}

both_engines!(points_in_a_ring_are_found, async |world| {
    let db = ready(world).await;
    let family = program(db, "family").await;
    let all = givers(world, 14).await;
    let pass = async |from: usize, to: usize| {
        give(db, all[from].0, &all[to].1, family, 10_00).await.expect("given");
    };
    world.clock.set(start() + days(1));
    // There and back is no ring, and neither is one that is not closed, or takes five.
    pass(0, 1).await;
    pass(1, 0).await;
    pass(2, 3).await;
    pass(3, 4).await;
    for from in 7..11 {
        pass(from, from + 1).await;
    }
    pass(11, 7).await;
    assert_eq!(found(db).await, 0);
    world.clock.set(start() + days(15));
    pass(4, 2).await;
    assert_eq!(found(db).await, 1, "closed within fourteen days");
    assert_eq!(found(db).await, 0, "found already");
    let by = lead(world).await;
    let alert = only(db, &by).await;
    assert_eq!((alert.rule, alert.measure), (Rule::Ring, 3));
    let (_, parties, evidence) = alerts::open(db, &by, alert.id, None, 50).await.expect("read");
    assert_eq!(parties.len(), 3);
    assert!(
        evidence
            .iter()
            .all(|one| one.kind == EvidenceKind::Transfer && one.points == Some(10_00) && one.to_id.is_some())
    );
    for who in [2, 3, 4] {
        let mut conn = db.read().await.expect("a connection");
        let of = alerts::of_customer(&mut conn, &by, all[who].0).await.expect("read");
        assert_eq!(of.len(), 1, "each of them has a part in it");
    }
    dismiss(db, &by, alert.id).await.expect("dismissed");
    assert_eq!(found(db).await, 0, "it does not come back");
    // Four, and then one that took too long.
    pass(5, 6).await;
    pass(6, 12).await;
    pass(12, 13).await;
    assert_eq!(found(db).await, 0);
    pass(13, 5).await;
    assert_eq!(found(db).await, 1);
    let by = people::again(world, by.id()).await;
    assert_eq!(only(db, &by).await.measure, 4);
    let late = givers(world, 3).await;
    world.clock.set(start() + days(20));
    give(db, late[0].0, &late[1].1, family, 10_00).await.expect("given");
    give(db, late[1].0, &late[2].1, family, 10_00).await.expect("given");
    world.clock.set(start() + days(34) + Duration::seconds(1));
    give(db, late[2].0, &late[0].1, family, 10_00).await.expect("given");
    assert_eq!(found(db).await, 0, "more than fourteen days");
});

both_engines!(limits_are_set_by_whoever_may, async |world| {
    let db = ready(world).await;
    let (by, agent) = (lead(world).await, people::agent(world).await);
    let read = async |by: &Staff| alerts::settings(&mut db.read().await.expect("a connection"), by).await;
    assert!(matches!(read(&agent).await, Err(Error::Forbidden)));
    let before = read(&by).await.expect("settings");
    assert_eq!(before.iter().map(|one| one.rule).collect::<Vec<_>>(), Rule::ALL);
    let seen = before[0].changed_at;
    let mut new = NewSetting {
        enabled: true,
        least: "0".into(),
        days: "x".into(),
        ..NewSetting::default()
    };
    let forbidden = alerts::set_rule(db, &agent, Rule::ManyPurchases, seen, &new).await;
    assert!(matches!(forbidden, Err(Error::Forbidden)), "{forbidden:?}");
    // What a rule does not go by is not looked at; of more than are counted it would never find any.
    for typed in ["0", "1001"] {
        new.least = typed.into();
        let wrong = alerts::set_rule(db, &by, Rule::ManyPurchases, seen, &new).await;
        let Err(Error::Invalid(flaws)) = wrong else {
            panic!("{wrong:?}")
        };
        assert_eq!(flaws, [("least".to_owned(), Flaw::OutOfRange { min: 1, max: 1_000 })]);
    }
    new.least = "2".into();
    alerts::set_rule(db, &by, Rule::ManyPurchases, seen, &new)
        .await
        .expect("set");
    let stale = alerts::set_rule(db, &by, Rule::ManyPurchases, seen, &new).await;
    assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
    let log = one!(world, String, "SELECT reason FROM audit WHERE action = 'fraud.rule'");
    assert_eq!(log, "many_purchases: least: 8 → 2");
    buy(db, customer(db).await, 2, start()).await;
    assert_eq!(found(db).await, 1);
    // A content that is loaded once more leaves what staff set.
    crm::content::load(db, &BY).await.expect("loaded");
    assert_eq!(read(&by).await.expect("settings")[0].limits.least, 2);
    new.enabled = false;
    let seen = read(&by).await.expect("settings")[0].changed_at;
    alerts::set_rule(db, &by, Rule::ManyPurchases, seen, &new)
        .await
        .expect("off");
    buy(db, customer(db).await, 2, start()).await;
    assert_eq!(found(db).await, 0);
});

/// Somebody with an alert, and staff who may decide.
async fn suspected(world: &World) -> (Subject, FraudAlertId, Staff) {
    let db = ready(world).await;
    let (anna, by) = (customer(db).await, lead(world).await);
    people::contact(world, anna.id(), crm::contact::Kind::Phone, "+79000000001").await;
    sql!(world, "UPDATE contacts SET verified_at = created_at");
    sql!(world, "UPDATE customers SET registered_at = $1", start() - days(100));
    // What brought the points is the eighth.
    fund(db, anna, 100_00, start()).await;
    buy(db, anna, 7, start()).await;
    assert_eq!(found(db).await, 1);
    let alert = only(db, &by).await;
    (anna, alert.id, by)
}

both_engines!(spending_is_stopped_for_a_while_and_lifted, async |world| {
    let (anna, alert, by) = suspected(world).await;
    let db = &world.db;
    let (agent, boris) = (people::agent(world).await, customer(db).await);
    let family = program(db, "family").await;
    let refused = stop::begin(db, &agent, alert, anna.id(), "Проверяем").await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let silent = stop::begin(db, &by, alert, anna.id(), " ").await;
    assert!(matches!(silent, Err(Error::Invalid(_))), "{silent:?}");
    let other = stop::begin(db, &by, alert, boris.id(), "Проверяем").await;
    assert!(matches!(other, Err(Error::NotFound)), "{other:?}");
    reserve(db, anna, family, "before", 1_00).await.expect("spent as ever");
    stop::begin(db, &by, alert, anna.id(), "Проверяем")
        .await
        .expect("stopped");
    let again = stop::begin(db, &by, alert, anna.id(), "Проверяем").await;
    assert!(matches!(again, Err(Error::Stale)), "{again:?}");
    let held = reserve(db, anna, family, "during", 1_00).await;
    let until = start() + days(stop::DAYS);
    assert!(
        matches!(held, Err(SpendError::Frozen { until: at }) if at == until),
        "{held:?}"
    );
    let card = card(db, boris, "active").await;
    let given = give(db, anna, &card, family, 1_00).await;
    assert!(
        matches!(given, Err(TransferError::Frozen { until: at }) if at == until),
        "{given:?}"
    );
    let session = sign_in(db, anna).await;
    assert_eq!((session.frozen_until(), session.is_stopped()), (Some(until), true));
    let messages = crm::outbox::inbox(db, 100).await.expect("the outbox");
    assert!(
        messages.iter().any(|one| one.template == "spending_stopped"),
        "she is told"
    );
    let fresh = &by.fresh(db).expect("fresh");
    stop::lift(db, fresh, anna.id(), "Всё в порядке").await.expect("lifted");
    let again = stop::lift(db, fresh, anna.id(), "Ещё раз").await;
    assert!(matches!(again, Err(Error::Stale)), "{again:?}");
    reserve(db, anna, family, "after", 1_00).await.expect("spent as ever");
    // One that nobody lifts is over by itself, and can be said anew.
    stop::begin(db, &by, alert, anna.id(), "Снова").await.expect("stopped");
    world.clock.set(until);
    assert!(!sign_in(db, anna).await.is_stopped());
    let by = people::again(world, by.id()).await;
    stop::begin(db, &by, alert, anna.id(), "И снова")
        .await
        .expect("stopped");
    // What the customer reads of the log tells of the stops, and not that somebody looks into them.
    let mut conn = db.read().await.expect("a connection");
    let (looks, _) = crm::audit::of_customer(&mut conn, anna, None, 50).await.expect("read");
    assert!(
        looks
            .iter()
            .any(|look| look.action == "spending.stop" && look.reason == "Проверяем")
    );
    assert!(looks.iter().all(|look| !look.action.starts_with("fraud.")), "{looks:?}");
});

both_engines!(an_alert_goes_over_with_a_merged_account_and_back, async |world| {
    let (anna, alert, by) = suspected(world).await;
    let db = &world.db;
    let kept = customer(db).await;
    people::contact(world, kept.id(), crm::contact::Kind::Phone, "+79000000002").await;
    sql!(world, "UPDATE contacts SET verified_at = created_at");
    let whose = async || -> [CustomerId; 2] {
        let of_alert = one!(world, CustomerId, "SELECT customer_id FROM fraud_alerts");
        let of_evidence = one!(
            world,
            CustomerId,
            "SELECT customer_id FROM fraud_evidence ORDER BY id LIMIT 1"
        );
        [of_alert, of_evidence]
    };
    crm::merge::merge_by_staff(db, &by.fresh(db).expect("fresh"), kept.id(), anna.id(), "Одна и та же")
        .await
        .expect("merged");
    assert_eq!(whose().await, [kept.id(); 2]);
    assert_eq!(
        found(db).await,
        0,
        "the same receipts are not found as those of the other account"
    );
    // What is stopped does not get away in the other account.
    stop::begin(db, &by, alert, kept.id(), "Проверяем")
        .await
        .expect("stopped");
    let undone = crm::merge::undo_by_staff(db, &by.fresh(db).expect("fresh"), kept.id(), "Разные").await;
    assert!(
        matches!(undone, Err(MergeError::Obstacle(Obstacle::Frozen))),
        "{undone:?}"
    );
    stop::lift(db, &by.fresh(db).expect("fresh"), kept.id(), "Всё в порядке")
        .await
        .expect("lifted");
    crm::merge::undo_by_staff(db, &by.fresh(db).expect("fresh"), kept.id(), "Разные")
        .await
        .expect("parted");
    assert_eq!(whose().await, [anna.id(); 2]);
    assert_eq!(alerts::open(db, &by, alert, None, 50).await.expect("read").2.len(), 8);
});
