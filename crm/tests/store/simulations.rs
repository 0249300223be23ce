//! Simulations: what a draft would have given on purchases that were made, reckoned by hand, and how nodes share the work,
//! on both engines.

use crate::common::people;
use crate::common::people::marketer;
use crate::common::*;
use crate::rules::{TENTH, fixed, member, publish, rule, times};
use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use crm::both_engines;
use crm::db::Db;
use crm::error::Error;
use crm::flaw::Flaw;
use crm::id::{ProgramId, RuleId, SimulationId};
use crm::purchase::void::void;
use crm::rule::explain::Capped;
use crm::rule::store::simulating::{self, Amounts, Figures, Report, Run, Simulation, State, Stop, Stopped};
use crm::rule::store::{self as rules, PublishError};
use crm::rule::{Channel, Payment, Rule, RuleVersion};
use crm::testing::{World, start};
use crm::who::{Staff, Subject};
use std::collections::BTreeMap;

/// An hour of a day of 2026, three hours earlier than the shop's clock.
fn at(month: u32, day: u32, hour: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, month, day, hour, 0, 0)
        .single()
        .expect("an hour")
}

/// Five sales of three months: of a member, of somebody who is none, and of nobody. One is too old, one was voided, and of
/// the first something came back.
async fn sold(db: &Db) -> (Subject, ProgramId) {
    let (anna, club) = member(db).await;
    let boris = customer(db).await;
    let slips = [
        slip("0", anna, at(8, 1, 12)).line("tea", 1, 100_00),
        slip("1", anna, at(9, 10, 12)).line("tea", 2, 100_00),
        slip("2", boris, at(9, 10, 13))
            .line("tea", 1, 50_00)
            .line("cup", 1, 30_00),
        slip("R", anna, at(9, 12, 12)).line("tea", -1, 100_00).of("1"),
        slip("3", anna, at(10, 5, 12)).line("cup", 1, 99_99),
        slip("4", anna, at(10, 6, 12)).nobody().line("tea", 1, 10_00),
        slip("5", anna, at(10, 6, 13)).line("tea", 1, 300_00),
        slip("6", anna, at(10, 7, 12)).line("tea", 1, 500_00),
    ];
    for slip in slips {
        slip.book(db).await;
    }
    void(db, &BY, "till", "6").await.expect("voided");
    (anna, club)
}

/// Publishes a rule long before the time that is looked at.
async fn publish_before(world: &World, rule: &Rule) -> RuleVersion {
    world.clock.set(start() - days(150));
    let published = publish(&world.db, rule).await;
    world.clock.set(start());
    published
}

async fn show(db: &Db, mara: &Staff, id: SimulationId) -> Simulation {
    let mut conn = db.read().await.expect("a connection");
    simulating::show(&mut conn, mara, id).await.expect("it is there")
}

async fn claim(db: &Db, batch: usize) -> Option<Run> {
    simulating::claim(db, &BY, batch).await.expect("no error")
}

/// Simulates a rule for the last three months, twice: at once, and two purchases at a time.
async fn simulate(db: &Db, mara: &Staff, id: RuleId) -> Report {
    let first = simulating::start(db, mara, id, 3).await.expect("it begins");
    assert!(simulating::run_next(db, &BY, || true).await.expect("it runs"));
    let second = simulating::start(db, mara, id, 3).await.expect("it begins");
    let mut run = claim(db, 2).await.expect("it waits");
    while run.step(db).await.expect("it goes on") {}
    let (first, second) = (show(db, mara, first).await, show(db, mara, second).await);
    assert_eq!((first.state, second.state), (State::Done, State::Done));
    assert_eq!((first.done, first.total), (second.done, second.total));
    assert_eq!(first.result, second.result, "twice the same");
    second.result.expect("a result")
}

async fn simulate_new(db: &Db, mara: &Staff, rule: &Rule) -> Report {
    let id = rules::create(db, mara, rule).await.expect("a draft");
    simulate(db, mara, id).await
}

fn amounts(discount: i64, points: &[(ProgramId, i64)]) -> Amounts {
    Amounts {
        discount,
        points: points.iter().copied().collect(),
    }
}

fn stopped<const N: usize>(expected: [(Stop, i64); N]) -> Vec<Stopped> {
    let one = |(by, purchases)| Stopped { by, purchases };
    expected.into_iter().map(one).collect()
}

both_engines!(a_discount_is_told_month_by_month, async |world| {
    let db = ready(world).await;
    let (_, club) = sold(db).await;
    let mara = marketer(world).await;
    // That it is to begin next year does not matter.
    let planned = rule("Tenth", "", TENTH, r#", "valid": {"from": "2027-01-01T00:00:00Z"}"#);
    let report = simulate_new(db, &mara, &planned).await;
    // 20.00, then 5.00 and 3.00; 9.99, 1.00 and 30.00. Less is paid, so the program gives less.
    let september = Figures {
        purchases: 2,
        reached: 2,
        customers: 2,
        sales: 280_00,
        given: amounts(28_00, &[]),
        change: amounts(28_00, &[(club, -60)]),
        ..Figures::default()
    };
    let october = Figures {
        purchases: 3,
        reached: 3,
        customers: 1,
        sales: 409_99,
        given: amounts(40_99, &[]),
        change: amounts(40_99, &[(club, -29 - 90)]),
        ..Figures::default()
    };
    assert_eq!(
        report.all,
        Figures {
            purchases: 5,
            reached: 5,
            customers: 2,
            sales: 689_99,
            given: amounts(68_99, &[]),
            change: amounts(68_99, &[(club, -1_79)]),
            ..Figures::default()
        }
    );
    let months: Vec<_> = report.months.into_iter().map(|one| (one.first, one.figures)).collect();
    let first = |month| NaiveDate::from_ymd_opt(2026, month, 1).expect("a day");
    assert_eq!(months, [(first(9), september), (first(10), october)]);
    assert_eq!(report.stopped, []);
});

both_engines!(points_reach_members_and_what_stops_a_rule_is_counted, async |world| {
    let db = ready(world).await;
    let (_, club) = sold(db).await;
    let mara = marketer(world).await;
    let share = format!(r#"{{"points_share": {{"program": "{club}", "share": 500}}}}"#);
    let dear = rule("Dear", r#"{"line_sum": {"at_least": 10000}}"#, &share, "");
    let report = simulate_new(db, &mara, &dear).await;
    assert_eq!(
        report.all,
        Figures {
            purchases: 5,
            reached: 2,
            customers: 1,
            sales: 500_00,
            given: amounts(0, &[(club, 10_00 + 15_00)]),
            change: amounts(0, &[(club, 25_00)]),
            ..Figures::default()
        }
    );
    assert_eq!(report.stopped, stopped([(Stop::Condition(0), 3)]));

    // Boris is no member, and nobody claimed the fourth receipt.
    let gift = format!(r#"{}, {{"coupon": {{"series": "NEXT"}}}}"#, fixed(club, 10_00));
    let report = simulate_new(db, &mara, &rule("Ten", "", &gift, "")).await;
    assert_eq!(
        (report.all.reached, report.all.coupons, &report.all.given),
        (3, 3, &amounts(0, &[(club, 30_00)]))
    );
    assert_eq!(report.stopped, stopped([(Stop::Nothing, 1), (Stop::Nobody, 1)]));

    let never = r#"{"all": [{"purchase_count": {"window": "ever", "count": {"at_least": 1}}}, {"basket_sum": {"at_least": 100000000}}]}"#;
    let never = rule("Never", never, &fixed(club, 10_00), "");
    let report = simulate_new(db, &mara, &never).await;
    assert_eq!(
        report.all,
        Figures {
            purchases: 5,
            ..Figures::default()
        }
    );
    assert_eq!(
        report.stopped,
        stopped([(Stop::Condition(2), 3), (Stop::Condition(1), 2)])
    );
    assert_eq!(
        never.clause(2).map(|clause| clause.pointer).as_deref(),
        Some("/conditions/0/all/1")
    );
});

both_engines!(what_receipts_do_not_tell_and_what_points_paid, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let one = |document: &str, day: u32| slip(document, anna, at(9, day, 12)).line("tea", 1, 100_00);
    one("1", 1).book(db).await;
    one("2", 2)
        .by(Channel::App, &[Payment::Cash, Payment::Card])
        .book(db)
        .await;
    one("3", 3).by(Channel::Till, &[Payment::Card]).book(db).await;
    let mara = marketer(world).await;
    let cash = rule("Cash", r#"{"payment": ["cash"]}"#, &fixed(club, 10_00), "");
    let report = simulate_new(db, &mara, &cash).await;
    assert_eq!(
        (report.all.reached, &report.all.given),
        (1, &amounts(0, &[(club, 10_00)]))
    );
    assert_eq!(
        report.stopped,
        stopped([(Stop::Unknown(0), 1), (Stop::Condition(0), 1)])
    );
    let app = rule("App", r#"{"channel": ["app"]}"#, &fixed(club, 10_00), "");
    let report = simulate_new(db, &mara, &app).await;
    assert_eq!(
        report.stopped,
        stopped([(Stop::Unknown(0), 1), (Stop::Condition(0), 1)])
    );

    // Of the third one points paid 40.00.
    fund(db, anna, 50_00, start()).await;
    let family = program(db, "family").await;
    let held = reserve(db, anna, family, "key-1", 40_00).await.expect("reserved");
    let mut conn = db.read().await.expect("a connection");
    let third: crm::id::PurchaseId = crm::on!(conn, |c| sqlx::query_scalar(
        "SELECT id FROM purchases WHERE document = '3'"
    )
    .fetch_one(c)
    .await)
    .expect("read");
    drop(conn);
    crm::points::store::spending::capture(db, &BY, anna, held.id, 40_00, Some(third))
        .await
        .expect("captured");
    let share = format!(r#"{{"points_share": {{"program": "{club}", "share": 1000}}}}"#);
    let card = rule("Card", r#"{"payment": ["card"]}, {"channel": ["till"]}"#, &share, "");
    let report = simulate_new(db, &mara, &card).await;
    assert_eq!(report.all.given, amounts(0, &[(club, 6_00)]));
});

both_engines!(caps_count_what_the_rule_would_have_given, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    for when in [at(9, 1, 9), at(9, 1, 10), at(9, 1, 11), at(9, 2, 9), at(10, 3, 9)] {
        slip(&when.to_string(), anna, when).line("tea", 1, 10_00).book(db).await;
    }
    let mara = marketer(world).await;
    let ten = |caps: &str| rule("Ten", "", &fixed(club, 10_00), &format!(r#", "caps": {{{caps}}}"#));
    let twice_a_day = ten(r#""day": {"times": 2}, "customer": {"value": 2500}"#);
    let report = simulate_new(db, &mara, &twice_a_day).await;
    assert_eq!(report.all.given, amounts(0, &[(club, 25_00)]));
    assert_eq!((report.all.reached, report.all.customers), (3, 1));
    assert_eq!(
        report.stopped,
        stopped([
            (Stop::UsedUp(Capped::DayTimes), 1),
            (Stop::UsedUp(Capped::CustomerValue), 1)
        ])
    );
    let months: Vec<_> = report
        .months
        .iter()
        .map(|one| (one.figures.purchases, one.figures.reached))
        .collect();
    assert_eq!(months, [(4, 3), (1, 0)]);

    let budget = simulate_new(db, &mara, &ten(r#""budget": {"value": 1500}"#)).await;
    assert_eq!(budget.all.given, amounts(0, &[(club, 15_00)]));
    assert_eq!(budget.stopped, stopped([(Stop::UsedUp(Capped::BudgetValue), 3)]));
});

both_engines!(other_rules_stand_as_they_stood_then, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let once = r#", "group": "g", "priority": 10, "caps": {"customer": {"times": 1}, "budget": {"value": 700}}"#;
    let old = rule(
        "Old",
        r#"{"basket_sum": {"at_least": 10000}}"#,
        &fixed(club, 5_00),
        once,
    );
    let old = publish_before(world, &old).await;
    for (day, price) in [(1, 100_00), (2, 100_00), (3, 50_00)] {
        let when = at(9, day, 12);
        slip(&when.to_string(), anna, when).line("tea", 1, price).book(db).await;
    }
    let mara = marketer(world).await;
    // The old one was used up after the first purchase, as it really was.
    let ten = |more: &str| rule("Ten", "", &fixed(club, 10_00), more);
    let report = simulate_new(db, &mara, &ten(r#", "group": "g""#)).await;
    assert_eq!(report.all.given, amounts(0, &[(club, 20_00)]));
    assert_eq!(report.all.change, amounts(0, &[(club, 20_00)]));
    assert_eq!(report.stopped, stopped([(Stop::Group(old.id), 1)]));
    // One that goes first takes its place.
    let report = simulate_new(db, &mara, &ten(r#", "group": "g", "priority": 20"#)).await;
    assert_eq!(report.all.given, amounts(0, &[(club, 30_00)]));
    assert_eq!(report.all.change, amounts(0, &[(club, 25_00)]));
    assert_eq!(report.stopped, []);
});

both_engines!(
    multipliers_and_discounts_that_stand_alone_are_asked_as_well,
    async |world| {
        let db = ready(world).await;
        let (anna, club) = member(db).await;
        publish_before(world, &rule("Double", "", &times(club, 20_000), "")).await;
        let alone = rule(
            "Alone",
            r#"{"basket_sum": {"at_least": 20000}}"#,
            TENTH,
            r#", "alone": true, "priority": 10"#,
        );
        let alone = publish_before(world, &alone).await;
        for (day, price) in [(1, 100_00), (2, 200_00)] {
            let when = at(9, day, 12);
            slip(&when.to_string(), anna, when).line("tea", 1, price).book(db).await;
        }
        let mara = marketer(world).await;
        // 5 % of 100.00 and, after the tenth, of 180.00; the other rule doubles them.
        let share = format!(r#"{{"points_share": {{"program": "{club}", "share": 500}}}}"#);
        let report = simulate_new(db, &mara, &rule("Share", "", &share, "")).await;
        assert_eq!(report.all.given, amounts(0, &[(club, 5_00 + 9_00)]));
        assert_eq!(report.all.change, amounts(0, &[(club, 28_00)]));
        // Three times 3 % is 6 % more.
        let report = simulate_new(db, &mara, &rule("Three", "", &times(club, 30_000), "")).await;
        assert_eq!(report.all.given, amounts(0, &[(club, 6_00 + 10_80)]));
        assert_eq!(report.all.change, report.all.given);
        let report = simulate_new(db, &mara, &rule("Tenth", "", TENTH, "")).await;
        assert_eq!(report.all.given, amounts(10_00, &[]));
        assert_eq!(report.stopped, stopped([(Stop::Closed(alone.id), 1)]));
    }
);

both_engines!(a_new_version_takes_the_place_of_the_one_before, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let tenth = publish_before(world, &rule("Tenth", "", TENTH, "")).await;
    slip("1", anna, at(9, 1, 12))
        .line("tea", 2, 100_00)
        .off_by_rules(20_00)
        .book(db)
        .await;
    let mara = marketer(world).await;
    // Without a draft, what was published last.
    let report = simulate(db, &mara, tenth.id).await;
    assert_eq!(report.all.given, amounts(20_00, &[]));
    let fifth = r#"{"percent_off": {"share": 2000, "each": "line"}}"#;
    rules::change(db, &mara, tenth.id, None, &rule("Fifth", "", fifth, ""))
        .await
        .expect("a draft");
    let report = simulate(db, &mara, tenth.id).await;
    assert_eq!(report.all.given, amounts(40_00, &[]));
    assert_eq!(report.all.change, amounts(40_00, &[(club, -1_20)]));
    assert_eq!(report.all.sales, 180_00);
    let mut conn = db.read().await.expect("a connection");
    let latest = simulating::latest(&mut conn, &mara, tenth.id).await.expect("read");
    let latest = latest.expect("it is there");
    assert_eq!((latest.rule.version, latest.definition.name.en.as_str()), (2, "Fifth"));
    assert_eq!((latest.until, latest.asked_by.as_str()), (start(), "Мара"));
    // Midnight in Moscow.
    assert_eq!(latest.from, at(8, 20, 21));
});

both_engines!(nothing_is_given_by_a_simulation, async |world| {
    const COUNTS: &str = "SELECT (SELECT COUNT(*) FROM transactions), (SELECT COUNT(*) FROM postings), \
                          (SELECT COUNT(*) FROM lots), (SELECT COUNT(*) FROM grants), (SELECT COUNT(*) FROM outbox), \
                          (SELECT CAST(COALESCE(SUM(value), 0) AS BIGINT) FROM rule_usages), \
                          (SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) FROM accounts WHERE kind = 'pending')";
    type Counts = (i64, i64, i64, i64, i64, i64, i64);
    let db = ready(world).await;
    let club = program(db, "club").await;
    let caps = r#", "caps": {"customer": {"value": 1500}, "budget": {"value": 5000}}"#;
    publish_before(world, &rule("Old", "", &fixed(club, 10_00), caps)).await;
    sold(db).await;
    let counts = async || -> Counts {
        let mut conn = db.read().await.expect("a connection");
        crm::on!(conn, |c| sqlx::query_as(COUNTS).fetch_one(c).await).expect("counted")
    };
    let before = counts().await;
    assert!(before.3 > 0, "{before:?}");
    let mara = marketer(world).await;
    let both = format!("{TENTH}, {}", fixed(club, 10_00));
    let report = simulate_new(db, &mara, &rule("New", "", &both, caps)).await;
    assert!(report.all.reached > 0);
    assert_eq!(counts().await, before);
    assert_books_agree(db).await;
});

both_engines!(what_a_node_leaves_another_one_takes, async |world| {
    let db = ready(world).await;
    sold(db).await;
    let mara = marketer(world).await;
    let id = rules::create(db, &mara, &rule("Tenth", "", TENTH, ""))
        .await
        .expect("a draft");
    let asked = simulating::start(db, &mara, id, 3).await.expect("it begins");
    assert_eq!(show(db, &mara, asked).await.state, State::Waiting);
    let mut slow = claim(db, 2).await.expect("it waits");
    assert!(slow.step(db).await.expect("it goes on"));
    let shown = show(db, &mara, asked).await;
    assert_eq!(
        (shown.state, shown.done, shown.total, shown.result.is_none()),
        (State::Running, 2, 6, true)
    );
    assert!(claim(db, 2).await.is_none(), "somebody has it");

    world.clock.set(start() + simulating::HOLD);
    // What was bought since it was asked for is none of it.
    slip("late", customer(db).await, start() + chrono::Duration::seconds(30))
        .line("tea", 1, 10_00)
        .book(db)
        .await;
    let mut other = claim(db, 3).await.expect("nobody says anything of it");
    assert!(!slow.step(db).await.expect("no error"), "it is another's");
    assert!(other.step(db).await.expect("it goes on"));
    let shown = show(db, &mara, asked).await;
    assert_eq!(
        (shown.done, shown.until),
        (3, start()),
        "the same purchases from the first on"
    );
    while other.step(db).await.expect("it goes on") {}
    let shown = show(db, &mara, asked).await;
    assert_eq!((shown.state, shown.done, shown.total), (State::Done, 6, 6));
    assert_eq!(shown.result.expect("a result").all.given, amounts(68_99, &[]));
    assert!(!simulating::run_next(db, &BY, || true).await.expect("no error"));

    // A node that stops gives it back, and that is no try.
    let asked = simulating::start(db, &mara, id, 3).await.expect("it begins");
    for _ in 0..5 {
        let mut run = claim(db, 2).await.expect("it waits");
        assert!(run.step(db).await.expect("it goes on"));
        run.give_back(db).await.expect("given back");
    }
    // One that no node survives is given up.
    for n in 1..=crm::work::MAX_TRIES {
        assert!(claim(db, 2).await.is_some(), "{n}");
        world.clock.set(db.now() + simulating::HOLD);
    }
    assert!(claim(db, 2).await.is_none());
    assert_eq!(show(db, &mara, asked).await.state, State::Failed);
});

both_engines!(a_simulation_is_cancelled_and_replaced, async |world| {
    let db = ready(world).await;
    sold(db).await;
    let mara = marketer(world).await;
    let tenth = rule("Tenth", "", TENTH, "");
    let id = rules::create(db, &mara, &tenth).await.expect("a draft");
    let asked = simulating::start(db, &mara, id, 3).await.expect("it begins");
    let mut run = claim(db, 2).await.expect("it waits");
    assert!(run.step(db).await.expect("it goes on"));
    simulating::cancel(db, &mara, asked).await.expect("cancelled");
    assert!(!run.step(db).await.expect("no error"), "it notices");
    let shown = show(db, &mara, asked).await;
    assert_eq!((shown.state, shown.result), (State::Cancelled, None));
    assert_eq!(shown.finished_at, Some(start()));
    let again = simulating::cancel(db, &mara, asked).await;
    assert!(matches!(again, Err(Error::Stale)), "{again:?}");
    let nothing = simulating::cancel(db, &mara, SimulationId::new()).await;
    assert!(matches!(nothing, Err(Error::NotFound)), "{nothing:?}");

    // Who begins another one of the same rule does not wait for the first; that of another rule stays.
    let other = rules::create(db, &mara, &tenth).await.expect("a draft");
    let other = simulating::start(db, &mara, other, 3).await.expect("it begins");
    let mut all = Vec::new();
    for _ in 0..simulating::KEPT + 2 {
        all.push(simulating::start(db, &mara, id, 3).await.expect("it begins"));
    }
    let mut conn = db.read().await.expect("a connection");
    let list = simulating::list(&mut conn, &mara, id, 100).await.expect("listed");
    drop(conn);
    all.reverse();
    all.truncate(20);
    assert_eq!(list.iter().map(|one| one.id).collect::<Vec<_>>(), all);
    let mut states: BTreeMap<&str, i64> = BTreeMap::new();
    for one in &list {
        *states
            .entry(if one.state.is_open() { "open" } else { "ended" })
            .or_default() += 1;
    }
    assert_eq!(states, BTreeMap::from([("ended", 19), ("open", 1)]));
    assert_eq!(show(db, &mara, other).await.state, State::Waiting);
});

both_engines!(who_may_simulate_what, async |world| {
    let db = ready(world).await;
    let club = program(db, "club").await;
    let mara = marketer(world).await;
    let id = rules::create(db, &mara, &rule("Nothing", "", "", ""))
        .await
        .expect("a draft");
    let faulty = simulating::start(db, &mara, id, 3).await;
    assert!(matches!(faulty, Err(PublishError::Faulty(_))), "{faulty:?}");
    let refused = async |id, months| match simulating::start(db, &mara, id, months).await {
        Err(PublishError::Crm(Error::Invalid(flaws))) => flaws,
        other => panic!("{other:?}"),
    };
    for months in [0, simulating::MOST_MONTHS + 1] {
        assert_eq!(refused(id, months).await, [("months".to_owned(), Flaw::NotAChoice)]);
    }
    let welcome = rule("Welcome", "", &fixed(club, 10_00), r#", "occasion": "registration""#);
    rules::change(db, &mara, id, Some(db.now()), &welcome)
        .await
        .expect("changed");
    assert_eq!(refused(id, 3).await, [("occasion".to_owned(), Flaw::NotAChoice)]);
    let nothing = simulating::start(db, &mara, RuleId::new(), 3).await;
    assert!(
        matches!(nothing, Err(PublishError::Crm(Error::NotFound))),
        "{nothing:?}"
    );
    let gone = publish(db, &rule("Tenth", "", TENTH, "")).await.id;
    rules::withdraw(db, &mara.fresh(db).expect("fresh"), gone, None)
        .await
        .expect("withdrawn");
    let gone = simulating::start(db, &mara, gone, 3).await;
    assert!(matches!(gone, Err(PublishError::Crm(Error::NotFound))), "{gone:?}");

    rules::change(db, &mara, id, Some(db.now()), &rule("Tenth", "", TENTH, ""))
        .await
        .expect("changed");
    let asked = simulating::start(db, &mara, id, 24).await.expect("it begins");
    let agent = people::staff(world, "agent").await;
    let started = simulating::start(db, &agent, id, 3).await;
    assert!(
        matches!(started, Err(PublishError::Crm(Error::Forbidden))),
        "{started:?}"
    );
    let cancelled = simulating::cancel(db, &agent, asked).await;
    assert!(matches!(cancelled, Err(Error::Forbidden)), "{cancelled:?}");
    let mut conn = db.read().await.expect("a connection");
    let shown = simulating::show(&mut conn, &agent, asked).await;
    assert!(matches!(shown, Err(Error::Forbidden)), "{shown:?}");
    let latest = simulating::latest(&mut conn, &agent, id).await;
    assert!(matches!(latest, Err(Error::Forbidden)), "{latest:?}");
    drop(conn);
    // Where nothing was sold, there is a result all the same.
    assert!(simulating::run_next(db, &BY, || true).await.expect("it runs"));
    assert_eq!(show(db, &mara, asked).await.result, Some(Report::default()));
});
