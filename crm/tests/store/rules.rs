//! Rules in the database: drafts and versions, what they give when something is bought, what caps allow, and how it is
//! explained afterwards, on both engines.

use crate::common::people::{self, SYSTEM, marketer};
use crate::common::*;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use crm::both_engines;
use crm::db::{Db, scoped};
use crm::error::Error;
use crm::flaw::Flaw;
use crm::id::{ProgramId, PurchaseId, RuleId};
use crm::lang::Localized;
use crm::points::{Earned, Source};
use crm::purchase::claim::claim;
use crm::purchase::{Kind, Way};
use crm::rule::store::{self as rules, PublishError};
use crm::rule::{Channel, Payment, Place, Problem, Rule, RuleVersion};
use crm::testing::start;
use crm::till::catalogue::{self, NewArticle, NewCategory};
use crm::till::receipt::{self, Basket, Item, NewReceipt};
use crm::till::{NewTill, Scope};
use crm::who::{self, Subject, Till};
use futures::future::join_all;

/// A rule by the JSON of its conditions and effects, and of what else it says.
pub(crate) fn rule(name: &str, conditions: &str, effects: &str, more: &str) -> Rule {
    let json = format!(
        r#"{{"name": {{"ru": "{name} по-русски", "en": "{name}"}}, "conditions": [{conditions}], "effects": [{effects}]{more}}}"#
    );
    serde_json::from_str(&json).unwrap_or_else(|e| panic!("{json}: {e}"))
}

pub(crate) fn fixed(program: ProgramId, points: i64) -> String {
    format!(r#"{{"points_fixed": {{"program": "{program}", "points": {points}, "each": "purchase"}}}}"#)
}

pub(crate) fn times(program: ProgramId, factor: i64) -> String {
    format!(r#"{{"points_times": {{"program": "{program}", "factor": {factor}}}}}"#)
}

pub(crate) const TENTH: &str = r#"{"percent_off": {"share": 1000, "each": "line"}}"#;

pub(crate) async fn publish(db: &Db, rule: &Rule) -> RuleVersion {
    rules::publish_by_system(db, &SYSTEM, None, rule, None)
        .await
        .expect("published")
}

async fn publish_again(db: &Db, id: RuleId, rule: &Rule, from: Option<DateTime<Utc>>) -> RuleVersion {
    rules::publish_by_system(db, &SYSTEM, Some(id), rule, from)
        .await
        .expect("published")
}

/// What rules gave: kind, amount, version, in their order.
async fn grants(db: &Db) -> Vec<(String, i64, i64)> {
    let mut conn = db.read().await.expect("a connection");
    crm::on!(conn, |c| sqlx::query_as(
        "SELECT kind, amount, version FROM grants ORDER BY id"
    )
    .fetch_all(c)
    .await)
    .expect("read")
}

/// What a receipt earned, line by line.
async fn earned(db: &Db, who: Subject, id: PurchaseId) -> Vec<Earned> {
    let lines = receipt(db, who, id).await.lines;
    lines.into_iter().flat_map(|line| line.earned).collect()
}

async fn points(db: &Db, who: Subject, id: PurchaseId) -> i64 {
    earned(db, who, id).await.iter().map(|one| one.points).sum()
}

/// A member of the club and the club.
pub(crate) async fn member(db: &Db) -> (Subject, ProgramId) {
    let who = customer(db).await;
    join(db, who, "club", start() - days(365)).await;
    (who, program(db, "club").await)
}

async fn till(db: &Db) -> Till {
    let new = NewTill {
        code: "one".into(),
        name: "One".into(),
        source: "shop".into(),
        store: None,
    };
    let id = crm::till::store::create_by_system(db, &BY, &new).await.expect("a till");
    let key = crm::till::store::create_key_by_system(db, &BY, id, &Scope::ALL)
        .await
        .expect("a key");
    who::till(db, &key).await.expect("no error").expect("a good key")
}

fn item(article: &str, quantity: i64, price: i64) -> Item {
    Item {
        article: article.into(),
        quantity,
        price,
        ..Item::default()
    }
}

/// What somebody bought without a card.
fn loose(document: &str, at: DateTime<Utc>) -> NewReceipt {
    NewReceipt {
        kind: Kind::Sale,
        document: document.into(),
        at,
        store: None,
        customer: None,
        card: None,
        lines: vec![item("tea", 1, 100_00)],
        redeem: None,
        code: None,
        way: Way::default(),
        coupons: Vec::new(),
    }
}

both_engines!(a_rule_is_drafted_published_scheduled_and_withdrawn, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let mara = marketer(world).await;
    let one = |points| rule("Welcome", "", &fixed(club, points), "");

    let id = rules::create(db, &mara, &rule("Welcome", "", "", ""))
        .await
        .expect("a draft");
    let draft = async || {
        let all = rules::history(db, &mara, id).await.expect("its history");
        all.into_iter().find(|version| version.effective_at.is_none())
    };
    let shown = draft().await.expect("a draft");
    let fresh = mara.fresh(db).expect("fresh");
    let faulty = rules::publish(db, &fresh, id, shown.changed_at, None).await;
    let Err(PublishError::Faulty(faults)) = faulty else {
        panic!("a rule that gives nothing is published: {faulty:?}")
    };
    assert_eq!(
        (faults[0].pointer.as_str(), faults[0].problem),
        ("/effects", Problem::Missing)
    );

    world.clock.set(start() + Duration::minutes(1));
    let late = rules::change(db, &mara, id, None, &one(10_00)).await;
    assert!(
        matches!(late, Err(Error::Stale)),
        "somebody else began a draft: {late:?}"
    );
    rules::change(db, &mara, id, Some(shown.changed_at), &one(10_00))
        .await
        .expect("changed");
    let late = rules::change(db, &mara, id, Some(shown.changed_at), &one(11_00)).await;
    assert!(matches!(late, Err(Error::Stale)), "somebody else changed it: {late:?}");
    let stale = rules::publish(db, &fresh, id, shown.changed_at, None).await;
    assert!(matches!(stale, Err(PublishError::Crm(Error::Stale))), "{stale:?}");
    let shown = draft().await.expect("a draft");
    let past = rules::publish(db, &fresh, id, shown.changed_at, Some(start())).await;
    assert!(
        matches!(&past, Err(PublishError::Crm(Error::Invalid(flaws))) if flaws == &[("from".to_owned(), Flaw::TooLate)]),
        "{past:?}"
    );
    let first = rules::publish(db, &fresh, id, shown.changed_at, None)
        .await
        .expect("published");
    assert_eq!(first, RuleVersion { id, version: 1 });

    // The next version counts from Monday on, and a third one is thrown away.
    let monday = start() + days(2);
    rules::change(db, &mara, id, None, &one(20_00)).await.expect("a draft");
    let shown = draft().await.expect("a draft");
    let second = rules::publish(db, &fresh, id, shown.changed_at, Some(monday))
        .await
        .expect("published");
    rules::change(db, &mara, id, None, &one(90_00)).await.expect("a draft");
    let stale = rules::discard(db, &mara, id, db.now() - Duration::seconds(1)).await;
    assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
    rules::discard(db, &mara, id, db.now()).await.expect("thrown away");
    let none = rules::discard(db, &mara, id, db.now()).await;
    assert!(matches!(none, Err(Error::NotFound)), "{none:?}");
    assert_eq!(second.version, 2);
    let list = rules::list(db, &mara).await.expect("listed");
    let version = |version: &Option<rules::Version>| version.as_ref().map(|one| one.version);
    assert_eq!(
        (
            list.len(),
            version(&list[0].current),
            version(&list[0].next),
            version(&list[0].draft)
        ),
        (1, Some(1), Some(2), None)
    );
    assert_eq!(
        list[0].current.as_ref().and_then(|one| one.published_by.as_deref()),
        Some("Мара")
    );

    rules::change(db, &mara, id, None, &one(70_00)).await.expect("a draft");
    let friday = start() + days(6);
    let gone = rules::withdraw(db, &fresh, id, Some(friday)).await.expect("withdrawn");
    assert_eq!(gone.version, 3);
    assert_eq!(draft().await.map(|one| one.version), Some(4), "the draft stays");

    // What is to count on Thursday is called off. What was published before it is to end on Friday, and does.
    let thursday = start() + days(5);
    let shown = draft().await.expect("a draft");
    let fourth = rules::publish(db, &fresh, id, shown.changed_at, Some(thursday))
        .await
        .expect("published");
    for counts in [first.version, fourth.version + 1] {
        let refused = rules::call_off(db, &fresh, id, counts).await;
        assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    }
    rules::call_off(db, &fresh, id, fourth.version)
        .await
        .expect("called off");
    let again = rules::call_off(db, &fresh, id, fourth.version).await;
    assert!(matches!(again, Err(Error::NotFound)), "{again:?}");
    let history = rules::history(db, &mara, id).await.expect("read");
    let newest = history.first().expect("a version");
    assert_eq!(
        (newest.version, newest.effective_at),
        (fourth.version, Some(thursday)),
        "it is kept"
    );
    assert_eq!(newest.called_off_at, Some(db.now()));
    assert_eq!(newest.called_off_by, newest.published_by);
    // Where nothing else was published there is nothing to withdraw then either.
    let other = rules::create(db, &mara, &one(1)).await.expect("a rule");
    let written = |all: Vec<rules::Entry>| all.into_iter().find(|entry| entry.id == other).expect("there");
    let all = rules::list(db, &mara).await.expect("listed");
    let called = all.iter().find(|entry| entry.id == id).expect("there");
    assert_eq!(called.last, Some(one(20_00)), "not what was called off");
    let shown = written(all).draft.expect("a draft").changed_at;
    rules::publish(db, &fresh, other, shown, Some(thursday))
        .await
        .expect("published");
    let entry = written(rules::list(db, &mara).await.expect("listed"));
    assert_eq!(version(&entry.next), Some(1));
    rules::call_off(db, &fresh, other, 1).await.expect("called off");
    let entry = written(rules::list(db, &mara).await.expect("listed"));
    assert_eq!((version(&entry.current), version(&entry.next)), (None, None));
    assert!(entry.last.is_some(), "it still has a name");
    let nothing = rules::withdraw(db, &fresh, other, None).await;
    assert!(matches!(nothing, Err(Error::NotFound)), "{nothing:?}");

    let mut given = Vec::new();
    for at in [
        start(),
        start() + Duration::minutes(1),
        monday - Duration::seconds(1),
        monday,
        thursday,
        friday - Duration::seconds(1),
        friday,
    ] {
        let sale = slip(&at.to_string(), anna, at).line("tea", 1, 10_00).book(db).await;
        given.push(points(db, anna, sale.id).await);
    }
    assert_eq!(given, [30, 10_30, 10_30, 20_30, 20_30, 20_30, 30]);
    assert_books_agree(db).await;

    let agent = people::staff(world, "agent").await;
    assert!(matches!(
        rules::create(db, &agent, &one(1)).await,
        Err(Error::Forbidden)
    ));
    assert!(matches!(
        rules::change(db, &agent, id, None, &one(1)).await,
        Err(Error::Forbidden)
    ));
    assert!(matches!(rules::list(db, &agent).await, Err(Error::Forbidden)));
    assert!(matches!(rules::history(db, &agent, id).await, Err(Error::Forbidden)));
    let nothing = rules::history(db, &mara, RuleId::new()).await;
    assert!(matches!(nothing, Err(Error::NotFound)), "{nothing:?}");
    let nothing = rules::change(db, &mara, RuleId::new(), None, &one(1)).await;
    assert!(matches!(nothing, Err(Error::NotFound)), "{nothing:?}");
    world.clock.set(start() + Duration::minutes(20));
    assert!(matches!(mara.fresh(db), Err(Error::NotFresh)));
});

both_engines!(
    the_database_refuses_to_change_what_was_published_or_given,
    async |world| {
        let db = ready(world).await;
        let (anna, club) = member(db).await;
        let first = publish(db, &rule("Ten", "", &fixed(club, 10_00), "")).await;
        slip("1", anna, start()).line("tea", 1, 10_00).book(db).await;
        let mara = marketer(world).await;
        rules::change(db, &mara, first.id, None, &rule("Ten", "", "", ""))
            .await
            .expect("a draft");
        for sql in [
            "UPDATE rule_versions SET definition = NULL WHERE state = 'published'",
            "UPDATE rule_versions SET state = 'draft' WHERE version = 1",
            "UPDATE rule_versions SET called_off_at = changed_at, version = 7 WHERE version = 1",
            "DELETE FROM rule_versions WHERE version = 1",
            "UPDATE grants SET amount = 1",
            "DELETE FROM grants",
        ] {
            let told = execute!(db, sql).await.expect_err("refused").to_string();
            assert!(told.contains("append-only"), "{sql}: {told}");
        }
        let counts = "UPDATE rule_versions SET called_off_at = effective_at WHERE version = 1";
        let told = execute!(db, counts)
            .await
            .expect_err("what counts is not called off")
            .to_string();
        assert!(told.to_lowercase().contains("check"), "{told}");
        assert_eq!(
            execute!(db, "UPDATE rule_versions SET changed_by = NULL WHERE state = 'draft'")
                .await
                .expect("a draft"),
            1
        );
        let second = execute!(
            db,
            "INSERT INTO rule_versions (rule_id, version, state, definition, changed_at) \
         SELECT rule_id, version + 1, state, definition, changed_at FROM rule_versions WHERE state = 'draft'"
        )
        .await;
        assert!(second.is_err(), "at most one draft");
    }
);

both_engines!(a_weekend_doubles_what_the_program_gives, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let doubled = publish(
        db,
        &rule("Weekend", r#"{"weekday": ["Sat", "Sun"]}"#, &times(club, 20_000), ""),
    )
    .await;
    let saturday = slip("1", anna, start())
        .line("tea", 1, 100_00)
        .line("cup", 1, 50_50)
        .book(db)
        .await;
    let sold = earned(db, anna, saturday.id).await;
    assert_eq!(sold.iter().map(|one| one.points).collect::<Vec<_>>(), [6_00, 3_02]);
    let parts: Vec<_> = sold[0]
        .parts
        .iter()
        .map(|part| (part.by, part.name.en.as_str(), part.amount))
        .collect();
    assert_eq!(parts.len(), 2, "{parts:?}");
    assert_eq!((parts[0].0, parts[0].2), (Source::Program(1), 3_00));
    assert_eq!(parts[1], (Source::Rule(doubled), "Weekend", 3_00));
    // 21:00 UTC on Sunday is Monday where the shop is.
    for (at, points_then) in [
        (start() + days(1), 6_00),
        (start() + days(1) + Duration::hours(9), 3_00),
    ] {
        let sale = slip(&at.to_string(), anna, at).line("tea", 1, 100_00).book(db).await;
        assert_eq!(points(db, anna, sale.id).await, points_then, "{at}");
    }
    assert_books_agree(db).await;

    // Who is no member is given nothing, and neither is a program that nobody is in.
    let boris = customer(db).await;
    publish(db, &rule("Gift", "", &fixed(club, 10_00), "")).await;
    let sale = slip("B", boris, start()).line("tea", 1, 100_00).book(db).await;
    assert_eq!(earned(db, boris, sale.id).await, []);
});

both_engines!(birthdays_and_first_purchases_are_known, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let (born, child) = (
        NaiveDate::from_ymd_opt(1990, 11, 24).expect("a day"),
        NaiveDate::from_ymd_opt(2020, 12, 1).expect("a day"),
    );
    execute!(db, "UPDATE customers SET birthday = $2 WHERE id = $1", anna.id(), born)
        .await
        .expect("born");
    const CONSENT: &str = "INSERT INTO consents (id, customer_id, text_id, act, language, source, at) \
                           SELECT $1, $2, id, 'given', 'ru', 'web', $3 FROM consent_texts LIMIT 1";
    const CHILD: &str =
        "INSERT INTO children (id, customer_id, birthday, consent_id, created_at) VALUES ($1, $2, $3, $4, $5)";
    let consent = crm::id::ConsentId::new();
    execute!(db, CONSENT, consent, anna.id(), start())
        .await
        .expect("a consent");
    execute!(db, CHILD, crm::id::ChildId::new(), anna.id(), child, consent, start())
        .await
        .expect("a child");
    publish(
        db,
        &rule(
            "Birthday",
            r#"{"birthday": {"of": "customer", "before": 1}}"#,
            &fixed(club, 100_00),
            "",
        ),
    )
    .await;
    publish(
        db,
        &rule("Child", r#"{"birthday": {"of": "child"}}"#, &fixed(club, 7_00), ""),
    )
    .await;
    publish(db, &rule("First", r#""first_purchase""#, &fixed(club, 50_00), "")).await;
    let third = r#"{"purchase_sum": {"window": {"last": {"days": 4}}, "sum": {"at_least": 20000}}}"#;
    publish(db, &rule("Much", third, &fixed(club, 1_00), "")).await;
    let mut given = Vec::new();
    for day in [0, 2, 3, 4, 10] {
        let at = start() + days(day);
        let sale = slip(&at.to_string(), anna, at).line("tea", 1, 100_00).book(db).await;
        given.push(points(db, anna, sale.id).await - 3_00);
    }
    assert_eq!(given, [50_00, 100_00, 101_00, 1_00, 7_00]);
    // In one transaction each sees those before it, whatever the order in which they are sent.
    let (boris, _) = member(db).await;
    let two = [
        slip("B-2", boris, start() + Duration::hours(1)).line("tea", 1, 100_00),
        slip("B-1", boris, start()).line("tea", 1, 100_00),
    ];
    let booked = book(db, &two).await;
    assert_eq!(points(db, boris, booked[0].id).await, 3_00);
    assert_eq!(points(db, boris, booked[1].id).await, 53_00);
    assert_books_agree(db).await;
});

both_engines!(caps_hold_across_purchases_and_a_return_frees_nothing, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let caps = r#", "caps": {"day": {"times": 2}, "customer": {"value": 2500}}"#;
    publish(db, &rule("Ten", "", &fixed(club, 10_00), caps)).await;
    let mut given = Vec::new();
    for (n, day) in [0, 0, 0, 1, 2].into_iter().enumerate() {
        let at = start() + days(day);
        let sale = slip(&n.to_string(), anna, at).line("tea", 1, 10_00).book(db).await;
        given.push(points(db, anna, sale.id).await - 30);
    }
    assert_eq!(given, [10_00, 10_00, 0, 5_00, 0], "twice a day, and 25 in all");
    slip("R", anna, start() + days(3))
        .line("tea", -1, 10_00)
        .of("0")
        .book(db)
        .await;
    let sale = slip("again", anna, start() + days(4))
        .line("tea", 1, 10_00)
        .book(db)
        .await;
    assert_eq!(points(db, anna, sale.id).await, 30);
    // Within one transaction they hold as well, and everybody has their own.
    let (boris, _) = member(db).await;
    let slips: Vec<_> = (0..3)
        .map(|n| slip(&format!("B-{n}"), boris, start()).line("tea", 1, 10_00))
        .collect();
    let mut given = Vec::new();
    for one in book(db, &slips).await {
        given.push(points(db, boris, one.id).await - 30);
    }
    assert_eq!(given, [10_00, 10_00, 0]);
    assert_books_agree(db).await;
});

both_engines!(many_at_once_pass_no_cap_and_overspend_no_budget, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    publish(
        db,
        &rule(
            "Once",
            "",
            &fixed(club, 10_00),
            r#", "caps": {"customer": {"times": 1}}"#,
        ),
    )
    .await;
    let budget = publish(
        db,
        &rule(
            "Budget",
            "",
            &fixed(club, 100_00),
            r#", "caps": {"budget": {"value": 55000}}"#,
        ),
    )
    .await;
    let all = (0..20).map(|n| {
        let db = db.clone();
        tokio::spawn(async move {
            slip(&n.to_string(), anna, start())
                .line("tea", 1, 10_00)
                .book(&db)
                .await
                .id
        })
    });
    let mut sum = 0;
    for id in join_all(all).await {
        sum += points(db, anna, id.expect("booked")).await - 30;
    }
    assert_eq!(sum, 10_00 + 550_00, "once, and the whole budget");
    let mut people = Vec::new();
    for _ in 0..20 {
        people.push(member(db).await.0);
    }
    // A new budget, and twenty customers at twenty tills.
    publish_again(
        db,
        budget.id,
        &rule(
            "Budget",
            "",
            &fixed(club, 100_00),
            r#", "caps": {"budget": {"value": 100000, "times": 12}}"#,
        ),
        None,
    )
    .await;
    world.clock.set(start() + Duration::minutes(1));
    let all = people.iter().enumerate().map(|(n, who)| {
        let (db, who) = (db.clone(), *who);
        tokio::spawn(async move {
            (
                who,
                slip(&format!("P-{n}"), who, db.now())
                    .line("tea", 1, 10_00)
                    .book(&db)
                    .await
                    .id,
            )
        })
    });
    let mut sum = 0;
    for one in join_all(all).await {
        let (who, id) = one.expect("booked");
        sum += points(db, who, id).await - 30 - 10_00;
    }
    assert_eq!(sum, 450_00, "what was given before counts");
    let mut conn = db.read().await.expect("a connection");
    let used: Vec<(i64, i64)> = crm::on!(conn, |c| sqlx::query_as("SELECT value, times FROM rule_usages")
        .fetch_all(c)
        .await)
    .expect("read");
    assert_eq!(used, [(1_000_00, 11)]);
    drop(conn);
    assert_books_agree(db).await;
});

both_engines!(a_discount_is_what_the_till_took_off_and_no_more, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    publish(db, &rule("Tenth", "", TENTH, "")).await;
    publish(
        db,
        &rule("Much", r#"{"basket_sum": {"at_least": 20000}}"#, &fixed(club, 1_00), ""),
    )
    .await;
    for (off, recorded, earned) in [
        (20_00, Some(20_00), 5_40 + 1_00),
        (30_00, Some(20_00), 5_10 + 1_00),
        (5_00, Some(5_00), 5_85 + 1_00),
        (0, None, 6_00 + 1_00),
    ] {
        let before = grants(db).await.len();
        let sale = slip(&off.to_string(), anna, start())
            .line("tea", 2, 100_00)
            .off_by_rules(off)
            .book(db)
            .await;
        assert_eq!(points(db, anna, sale.id).await, earned, "of what was paid: {off}");
        let given = grants(db).await.split_off(before);
        let discounts: Vec<i64> = given
            .iter()
            .filter(|(kind, ..)| kind == "discount")
            .map(|(_, n, _)| *n)
            .collect();
        assert_eq!(discounts, Vec::from_iter(recorded), "{off}");
        let told = receipt(db, anna, sale.id).await.lines;
        let off: i64 = told
            .iter()
            .flat_map(|line| &line.discounts)
            .map(|part| part.amount)
            .sum();
        assert_eq!(Some(off).filter(|off| *off > 0), recorded);
    }
    assert_books_agree(db).await;
});

both_engines!(a_return_takes_back_its_part_of_every_bonus, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    publish(db, &rule("Weekend", "", &times(club, 30_000), "")).await;
    publish(db, &rule("Fixed", "", &fixed(club, 10_00), "")).await;
    let sale = slip("1", anna, start())
        .line("tea", 4, 100_00)
        .line("cup", 1, 100_00)
        .book(db)
        .await;
    // 3 % of 400 and of 100, three times, and ten points split by what was paid.
    let sold = earned(db, anna, sale.id).await;
    assert_eq!(
        sold.iter().map(|one| one.points).collect::<Vec<_>>(),
        [36_00 + 8_00, 9_00 + 2_00]
    );
    slip("R", anna, start() + days(1))
        .line("tea", -1, 100_00)
        .of("1")
        .book(db)
        .await;
    let sold = earned(db, anna, sale.id).await;
    assert_eq!(sold.iter().map(|one| one.taken_back).collect::<Vec<_>>(), [11_00, 0]);
    assert_eq!(held(db, anna).await, (0, 44_00));
    assert_books_agree(db).await;
});

both_engines!(
    a_receipt_that_comes_late_is_asked_by_the_rules_of_its_own_time,
    async |world| {
        let db = ready(world).await;
        let (anna, club) = member(db).await;
        let first = publish(db, &rule("Old", "", &fixed(club, 10_00), "")).await;
        // Another node, which has read the rules already.
        let node = Db::open(&world.url, crm::shop::Shop::default(), world.clock.clone())
            .await
            .expect("it opens");
        slip("0", anna, start()).line("tea", 1, 10_00).book(&node).await;
        world.clock.set(start() + days(1));
        let second = publish_again(db, first.id, &rule("New", "", &fixed(club, 20_00), ""), None).await;
        assert_eq!(second.version, 2);
        world.clock.set(start() + days(3));
        let late = slip("late", anna, start() + Duration::hours(1))
            .line("tea", 1, 10_00)
            .book(&node)
            .await;
        let today = slip("today", anna, db.now()).line("tea", 1, 10_00).book(&node).await;
        let before = slip("before", anna, start() - days(1))
            .line("tea", 1, 10_00)
            .book(&node)
            .await;
        for (id, expected) in [(late.id, 10_30), (today.id, 20_30), (before.id, 30)] {
            assert_eq!(points(db, anna, id).await, expected);
        }
        // Its explanation is in the words of its time.
        for (id, by, name, amount) in [(late.id, first, "Old", 10_00), (today.id, second, "New", 20_00)] {
            let told = earned(db, anna, id).await;
            let parts: Vec<_> = told.iter().flat_map(|one| &one.parts).collect();
            assert_eq!(parts.len(), 2, "{parts:?}");
            assert_eq!(
                (parts[1].by, parts[1].name.en.as_str(), parts[1].amount),
                (Source::Rule(by), name, amount)
            );
        }
    }
);

both_engines!(of_first_purchases_the_one_that_is_booked_first_counts, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let till = till(db).await;
    publish(db, &rule("First", r#""first_purchase""#, &fixed(club, 50_00), "")).await;
    let mut given = Vec::new();
    // The one that comes late, with an earlier time, finds the other one booked.
    for hours in [2, 1, 3] {
        let at = start() + Duration::hours(hours);
        let sale = slip(&at.to_string(), anna, at).line("tea", 1, 100_00).book(db).await;
        given.push(points(db, anna, sale.id).await - 3_00);
    }
    assert_eq!(given, [50_00, 0, 0]);

    // What was bought without a card becomes somebody's when it is claimed.
    let (boris, _) = member(db).await;
    let mut codes = Vec::new();
    for document in ["L-1", "L-2"] {
        let booked = receipt::book(db, &till, &loose(document, start()))
            .await
            .expect("booked");
        codes.push(booked.code.expect("a code"));
    }
    let me = sign_in(db, boris).await;
    let mut given = Vec::new();
    for code in &codes {
        let id = claim(db, &me, code).await.expect("claimed");
        given.push(points(db, boris, id).await - 3_00);
    }
    assert_eq!(given, [50_00, 0]);
    // A quote asks what is booked now, whatever its time.
    let basket = Basket {
        customer: Some(boris.id()),
        lines: vec![item("tea", 1, 100_00)],
        ..Basket::default()
    };
    let quote = receipt::quote(db, &till, &basket).await.expect("a quote");
    assert_eq!(quote.earns.iter().map(|one| one.points).collect::<Vec<_>>(), [3_00]);

    // A void leaves nothing booked, and what comes next is the first.
    let (vera, _) = member(db).await;
    slip("V-1", vera, start()).line("tea", 1, 100_00).book(db).await;
    crm::purchase::void::void(db, &BY, "till", "V-1").await.expect("voided");
    let next = slip("V-2", vera, start()).line("tea", 1, 100_00).book(db).await;
    assert_eq!(points(db, vera, next.id).await, 53_00);
    assert_books_agree(db).await;
});

both_engines!(a_third_purchase_of_a_month_is_the_third_once, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let till = till(db).await;
    world.clock.set(start() - days(60));
    let third = r#"{"purchase_count": {"window": "month", "count": {"at_least": 2, "at_most": 2}}}"#;
    publish(db, &rule("Third", third, &fixed(club, 50_00), "")).await;
    let much = r#"{"purchase_sum": {"window": "month", "sum": {"at_least": 20000, "at_most": 29999}}}"#;
    publish(db, &rule("Much", much, &fixed(club, 7_00), "")).await;
    world.clock.set(start());
    let at = |n: i64| start() - days(7 - n);
    let given = async |id: PurchaseId| points(db, anna, id).await - 3_00;
    // Six of them, and the third to the fifth without the card.
    let mut codes = Vec::new();
    for n in 3..=5 {
        let receipt = loose(&format!("L-{n}"), at(n));
        let booked = receipt::book(db, &till, &receipt).await.expect("booked");
        codes.push(booked.code.expect("a code"));
    }
    for (n, expected) in [(1, 0), (2, 0), (6, 57_00)] {
        let slip = slip(&n.to_string(), anna, at(n)).line("tea", 1, 100_00);
        assert_eq!(given(slip.book(db).await.id).await, expected, "{n}");
    }
    // The newest first: each has two before it.
    let me = sign_in(db, anna).await;
    for code in codes.iter().rev() {
        let id = claim(db, &me, code).await.expect("claimed");
        assert_eq!(given(id).await, 0);
    }

    // The same for what a till tells of late, at once and one after the other.
    let (boris, _) = member(db).await;
    let of_boris = |document: &str, n: i64| slip(document, boris, at(n)).line("tea", 1, 100_00);
    let given = async |id: PurchaseId| points(db, boris, id).await - 3_00;
    let first = book(db, &[of_boris("B-1", 1), of_boris("B-2", 2), of_boris("B-6", 6)]).await;
    assert_eq!(given(first[2].id).await, 57_00);
    let late = [of_boris("B-5", 5), of_boris("B-4", 4)];
    for booked in book(db, &late).await {
        assert_eq!(given(booked.id).await, 0);
    }
    assert_eq!(given(of_boris("B-3", 3).book(db).await.id).await, 0);
    // Of another month it is the third of that one.
    let mut given_before = Vec::new();
    for n in [-20, -19, -18] {
        let booked = of_boris(&format!("B{n}"), n).book(db).await;
        given_before.push(given(booked.id).await);
    }
    assert_eq!(given_before, [0, 0, 57_00]);
    assert_books_agree(db).await;
});

both_engines!(what_came_back_entirely_is_no_purchase_before, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let third = r#"{"purchase_count": {"window": "ever", "count": {"at_least": 2}}}"#;
    publish(db, &rule("Third", third, &fixed(club, 50_00), "")).await;
    publish(db, &rule("First", r#""first_purchase""#, &fixed(club, 7_00), "")).await;
    let bought = async |document: &str, hours: i64| {
        let at = start() + Duration::hours(hours);
        let sale = slip(document, anna, at).line("tea", 2, 50_00).book(db).await;
        points(db, anna, sale.id).await - 3_00
    };
    let back = async |document: &str, of: &str, hours: i64| {
        let slip = slip(document, anna, start() + Duration::hours(hours)).line("tea", -1, 50_00);
        slip.of_line(of, 1).book(db).await;
    };
    assert_eq!(bought("1", 0).await, 7_00);
    back("R-1", "1", 1).await;
    back("R-2", "1", 2).await;
    // The first one stays the first: else whoever brings it back could be given its gift again.
    assert_eq!(bought("2", 3).await, 0);
    // Half of it is kept.
    back("R-3", "2", 4).await;
    assert_eq!(bought("3", 5).await, 0, "one before it is kept");
    assert_eq!(bought("4", 6).await, 50_00, "two are");
    assert_books_agree(db).await;
});

both_engines!(many_first_purchases_at_once_are_one, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    publish(db, &rule("First", r#""first_purchase""#, &fixed(club, 50_00), "")).await;
    let all = (0..20).map(|n| {
        let db = db.clone();
        tokio::spawn(async move {
            // Those that are sent later have the earlier times.
            let at = start() + Duration::minutes(20 - n);
            slip(&n.to_string(), anna, at).line("tea", 1, 10_00).book(&db).await.id
        })
    });
    let mut sum = 0;
    for id in join_all(all).await {
        sum += points(db, anna, id.expect("booked")).await - 30;
    }
    assert_eq!(sum, 50_00, "exactly one of them");
    assert_books_agree(db).await;
});

both_engines!(a_receipt_that_grows_has_one_cap_of_a_purchase, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let share = format!(r#"{{"points_share": {{"program": "{club}", "share": 1000}}}}"#);
    let capped = rule(
        "Capped",
        "",
        &share,
        r#", "caps": {"purchase": 2500, "budget": {"value": 100000}}"#,
    );
    publish(db, &capped).await;
    publish(db, &rule("Tenth", "", TENTH, r#", "caps": {"purchase": 1500}"#)).await;
    // 10.00 of 25, then 15.00 of the 20.00 that the new line would bring, then nothing.
    let one = slip("1", anna, start()).line("tea", 1, 100_00);
    let two = one.clone().line("cup", 1, 200_00);
    let three = two.clone().line("pot", 1, 300_00);
    let mut given = Vec::new();
    for slip in [&one, &two, &three] {
        let id = slip.book(db).await.id;
        given.push(points(db, anna, id).await);
    }
    assert_eq!(given, [3_00 + 10_00, 9_00 + 25_00, 18_00 + 25_00]);
    // In one transaction as well, and another receipt has a cap of its own.
    let (boris, _) = member(db).await;
    let of_boris = |slip: &Slip| Slip {
        document: "2".into(),
        who: Some(boris),
        ..slip.clone()
    };
    let booked = book(db, &[of_boris(&one), of_boris(&two), of_boris(&three)]).await;
    assert_eq!(points(db, boris, booked[0].id).await, 18_00 + 25_00);
    // What the till took off counts in the same way.
    let off = slip("3", anna, start()).line("tea", 1, 100_00).off_by_rules(10_00);
    off.book(db).await;
    let grown = off.clone().line("cup", 1, 100_00).off_by_rules(10_00);
    grown.book(db).await;
    let discounts: Vec<i64> = grants(db)
        .await
        .into_iter()
        .filter(|(kind, ..)| kind == "discount")
        .map(|(_, amount, _)| amount)
        .collect();
    assert_eq!(discounts, [10_00, 5_00]);
    assert_books_agree(db).await;
});

both_engines!(what_points_pay_earns_nothing, async |world| {
    ready(world).await;
    let policy = crm::points::Policy {
        pay_share: 100,
        ..crm::points::Policy::default()
    };
    let db = &with_policy(world, policy).await;
    let till = till(db).await;
    let (anna, club) = member(db).await;
    let family = program(db, "family").await;
    fund(db, anna, 200_00, start()).await;
    let articles = &[NewArticle {
        code: "card".into(),
        name: "Подарочная карта".into(),
        payable: Some(false),
        ..NewArticle::default()
    }];
    let by = &till;
    db.write(|tx| scoped(async move { catalogue::put_articles(tx, by, articles).await }))
        .await
        .expect("written");
    // At the till itself: of another source's reservations it knows nothing.
    let hold = async |key: &str, points: i64| {
        let wish = crm::points::Wish {
            source: till.source().to_owned(),
            key: key.into(),
            program: family,
            points,
        };
        let held = crm::points::store::spending::reserve(db, &BY, anna, &wish).await;
        held.expect("reserved")
    };
    let paid = async |document: &str, points: i64| {
        let held = hold(document, points).await;
        let sale = NewReceipt {
            kind: Kind::Sale,
            document: document.into(),
            at: db.now(),
            store: None,
            customer: Some(anna.id()),
            card: None,
            lines: vec![item("tea", 1, 100_00), item("cup", 3, 33_33), item("card", 1, 50_00)],
            redeem: Some((held.id, points)),
            code: None,
            way: Way::default(),
            coupons: Vec::new(),
        };
        receipt::book(db, &till, &sale).await.expect("booked").id
    };
    let lines =
        async |id: PurchaseId| -> Vec<i64> { earned(db, anna, id).await.iter().map(|one| one.points).collect() };
    // 40.00 of 199.99: half of it on each, and nothing on what points may not pay for.
    let first = paid("S-1", 40_00).await;
    assert_eq!(
        lines(first).await,
        [2_40, 2_39, 1_50],
        "3 % of 80.00, of 79.99 and of 50.00"
    );
    // The same with rules: once more as much, and an amount for each full hundred of money.
    publish(db, &rule("Double", "", &times(club, 20_000), "")).await;
    let per = format!(r#"{{"points_per": {{"program": "{club}", "points": 100, "per": 10000}}}}"#);
    publish(db, &rule("Hundred", r#"{"basket_sum": {"at_least": 24999}}"#, &per, "")).await;
    let second = paid("S-2", 60_00).await;
    let all: i64 = lines(second).await.iter().sum();
    // 3 % of 70.00, of 69.99 and of 50.00, and 1.00 of the 189.99; all of it twice.
    assert_eq!(all, 2 * (2_10 + 2_09 + 1_50 + 1_00));
    let mut conn = db.read().await.expect("a connection");
    // What earns nothing is what was spread when the points were captured.
    let spread: Vec<i64> = crm::on!(conn, |c| sqlx::query_scalar(
        "SELECT w.points FROM line_payments w JOIN purchase_lines l ON l.id = w.line_id          JOIN purchases p ON p.id = l.purchase_id WHERE p.document = 'S-1' ORDER BY l.ordinal"
    )
    .fetch_all(c)
    .await)
    .expect("read");
    assert_eq!(spread, [20_00, 20_00]);
    drop(conn);
    // What was paid with points alone earns nothing at all.
    let held = hold("S-3", 10_00).await;
    let sale = NewReceipt {
        kind: Kind::Sale,
        document: "S-3".into(),
        at: db.now(),
        store: None,
        customer: Some(anna.id()),
        card: None,
        lines: vec![item("cup", 1, 10_00)],
        redeem: Some((held.id, 10_00)),
        code: None,
        way: Way::default(),
        coupons: Vec::new(),
    };
    let booked = receipt::book(db, &till, &sale).await.expect("booked");
    assert_eq!((booked.earned, booked.paid[0].points), (vec![], 10_00));
    assert_books_agree(db).await;
});

both_engines!(the_books_tell_where_a_budget_and_its_grants_differ, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let budget = r#", "caps": {"budget": {"value": 100000}}"#;
    let with = rule("Ten", "", &fixed(club, 10_00), budget);
    let without = rule("Ten", "", &fixed(club, 10_00), "");
    let first = publish(db, &with).await;
    slip("1", anna, start()).line("tea", 1, 10_00).book(db).await;
    // A version without the budget counts for a day, then one that has it again: what was given meanwhile counts as well.
    publish_again(db, first.id, &without, None).await;
    publish_again(db, first.id, &with, Some(start() + days(1))).await;
    slip("2", anna, start()).line("tea", 1, 10_00).book(db).await;
    world.clock.set(start() + days(1));
    let both = [
        slip("3", anna, start()).line("tea", 1, 10_00),
        slip("4", anna, db.now()).line("tea", 1, 10_00),
    ];
    book(db, &both).await;
    let used = async || -> (i64, i64) {
        let mut conn = db.read().await.expect("a connection");
        crm::on!(conn, |c| sqlx::query_as("SELECT value, times FROM rule_usages")
            .fetch_one(c)
            .await)
        .expect("read")
    };
    assert_eq!(used().await, (40_00, 4));
    assert_books_agree(db).await;

    for (sql, what, expected, found) in [
        (
            "UPDATE rule_usages SET value = value - 1",
            "what a budget has paid is what its rule gave",
            40_00,
            39_99,
        ),
        (
            "UPDATE rule_usages SET value = value + 1, times = times + 1",
            "a budget has paid as often as its rule gave",
            4,
            5,
        ),
    ] {
        execute!(db, sql).await.expect("broken");
        let told = crm::points::store::verify(db, &BY).await.expect("compared");
        let told: Vec<_> = told
            .iter()
            .map(|one| (one.what, one.id, one.expected, one.found))
            .collect();
        assert_eq!(told, [(what, first.id.0, expected, found)]);
    }
});

both_engines!(the_first_budget_counts_what_is_just_being_given, async |world| {
    let db = ready(world).await;
    let till = till(db).await;
    let (anna, club) = member(db).await;
    let id = publish(db, &rule("Ten", "", &fixed(club, 10_00), "")).await.id;
    let sale = NewReceipt {
        kind: Kind::Sale,
        document: "S-1".into(),
        at: start(),
        store: None,
        customer: Some(anna.id()),
        card: None,
        lines: vec![item("tea", 1, 100_00)],
        redeem: None,
        code: None,
        way: Way::default(),
        coupons: Vec::new(),
    };
    let (till, sale, begun) = (&till, &sale, &tokio::sync::Notify::new());
    let booking = db.write(|tx| {
        scoped(async move {
            let booked = receipt::book_in(tx, till, sale).await?;
            begun.notify_one();
            // Long enough for the budget to come to where it has to wait.
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            Ok::<_, receipt::ReceiptError>(booked)
        })
    });
    let with = rule(
        "Ten",
        "",
        &fixed(club, 10_00),
        r#", "caps": {"budget": {"value": 100000}}"#,
    );
    let publishing = async {
        begun.notified().await;
        publish_again(db, id, &with, None).await
    };
    let (booked, _) = tokio::join!(booking, publishing);
    booked.expect("booked");
    assert_books_agree(db).await;
});

both_engines!(
    a_rule_that_gives_nothing_leaves_its_group_to_the_others,
    async |world| {
        let db = ready(world).await;
        let till = till(db).await;
        let (anna, club) = member(db).await;
        let boris = customer(db).await;
        let group = |priority| format!(r#", "group": "one", "priority": {priority}"#);
        publish(db, &rule("Points", "", &fixed(club, 10_00), &group(9))).await;
        publish(db, &rule("Off", "", TENTH, &group(1))).await;
        let quoted = async |who: Subject| {
            let basket = Basket {
                customer: Some(who.id()),
                lines: vec![item("tea", 1, 100_00)],
                ..Basket::default()
            };
            let quote = receipt::quote(db, &till, &basket).await.expect("a quote");
            let taken: Vec<bool> = quote.rules.iter().map(|rule| rule.reason.is_none()).collect();
            (quote.discount, taken)
        };
        assert_eq!(quoted(anna).await, (0, vec![true, false]), "a member has the points");
        assert_eq!(
            quoted(boris).await,
            (10_00, vec![false, true]),
            "nobody else can be given them"
        );
        let sale = slip("S-1", boris, start()).line("tea", 1, 100_00).off_by_rules(10_00);
        sale.book(db).await;
        assert_eq!(grants(db).await, [("discount".to_owned(), 10_00, 1)]);
    }
);

both_engines!(a_rule_asks_how_it_was_bought_and_paid, async |world| {
    let db = ready(world).await;
    let till = till(db).await;
    let (anna, club) = member(db).await;
    publish(
        db,
        &rule("Cash", r#"{"payment": ["cash", "other"]}"#, &fixed(club, 10_00), ""),
    )
    .await;
    publish(
        db,
        &rule("App", r#"{"channel": ["app", "online"]}"#, &fixed(club, 1_00), ""),
    )
    .await;
    let one = |document: &str| slip(document, anna, start()).line("tea", 1, 100_00);
    let mut given = Vec::new();
    for slip in [
        one("1"),
        one("2").by(Channel::Till, &[Payment::Card, Payment::Cash]),
        one("3").by(Channel::App, &[Payment::Card]),
        one("4").by(Channel::Online, &[Payment::Other]),
    ] {
        given.push(points(db, anna, slip.book(db).await.id).await - 3_00);
    }
    assert_eq!(given, [0, 10_00, 1_00, 11_00], "what nobody told holds nothing");
    // What was told first stays, and is asked when the receipt grows.
    let grown = one("2").line("cup", 1, 100_00).by(Channel::App, &[Payment::Card]);
    let id = grown.book(db).await.id;
    assert_eq!(
        points(db, anna, id).await,
        10_00 + 6_00,
        "it was given for cash already, and no app was there"
    );

    // A quote and a receipt that is claimed are asked in the same way.
    let basket = |payments: &[Payment]| Basket {
        customer: Some(anna.id()),
        lines: vec![item("tea", 1, 100_00)],
        way: Way::new(Some(Channel::SelfService), payments),
        ..Basket::default()
    };
    for (payments, earns) in [(&[Payment::Cash][..], 13_00), (&[], 3_00)] {
        let quote = receipt::quote(db, &till, &basket(payments)).await.expect("a quote");
        assert_eq!(quote.earns[0].points, earns, "{payments:?}");
    }
    let quote = receipt::quote(db, &till, &basket(&[])).await.expect("a quote");
    let reasons: Vec<_> = quote
        .rules
        .iter()
        .filter_map(|rule| Some(rule.reason.as_ref()?.words.en.as_str()))
        .collect();
    assert_eq!(
        reasons,
        [
            "Nobody told how it is paid, and it has to be: cash, another way",
            "Holds with another way to buy: app, site"
        ]
    );
    let loose = NewReceipt {
        kind: Kind::Sale,
        document: "L-1".into(),
        at: start(),
        store: None,
        customer: None,
        card: None,
        lines: vec![item("tea", 1, 100_00)],
        redeem: None,
        code: None,
        way: Way::new(Some(Channel::App), &[Payment::Cash]),
        coupons: Vec::new(),
    };
    let booked = receipt::book(db, &till, &loose).await.expect("booked");
    assert_eq!(booked.way, loose.way);
    let me = sign_in(db, anna).await;
    let id = claim(db, &me, &booked.code.expect("a code")).await.expect("claimed");
    assert_eq!(points(db, anna, id).await, 14_00);
    assert_books_agree(db).await;
});

both_engines!(a_category_holds_for_those_that_lie_within_it, async |world| {
    let db = ready(world).await;
    let till = &till(db).await;
    let (anna, club) = member(db).await;
    let category = |code: &str, parent: Option<&str>| NewCategory {
        code: code.into(),
        name: Localized::new(code, code),
        parent: parent.map(str::to_owned),
    };
    let put = async |categories: &[NewCategory]| {
        db.write(|tx| scoped(async move { catalogue::put_categories(tx, till, categories).await }))
            .await
    };
    // In any order: the one above comes last.
    put(&[
        category("green", Some("tea")),
        category("tea", Some("drinks")),
        category("drinks", None),
        category("cups", None),
    ])
    .await
    .expect("written");
    let articles: Vec<_> = ["green", "tea", "drinks", "cups"]
        .map(|code| NewArticle {
            code: format!("a-{code}"),
            name: code.into(),
            category: Some(code.into()),
            ..NewArticle::default()
        })
        .to_vec();
    let articles = &articles;
    db.write(|tx| scoped(async move { catalogue::put_articles(tx, till, articles).await }))
        .await
        .expect("written");
    let id = async |code: &'static str| -> uuid::Uuid {
        let mut conn = db.read().await.expect("a connection");
        crm::on!(conn, |c| sqlx::query_scalar(
            "SELECT id FROM categories WHERE code = $1"
        )
        .bind(code)
        .fetch_one(c)
        .await)
        .expect("read")
    };
    let (drinks, tea) = (id("drinks").await, id("tea").await);
    let line = format!(r#"{{"points_fixed": {{"program": "{club}", "points": 100, "each": "line"}}}}"#);
    publish(
        db,
        &rule("Drinks", &format!(r#"{{"category": ["{drinks}"]}}"#), &line, ""),
    )
    .await;
    publish(db, &rule("Tea", &format!(r#"{{"category": ["{tea}"]}}"#), &line, "")).await;
    let sell = async |document: &str| -> Vec<i64> {
        let slip = ["a-green", "a-tea", "a-drinks", "a-cups"]
            .iter()
            .fold(slip(document, anna, start()), |slip, code| slip.line(code, 1, 100_00));
        let id = slip.book(db).await.id;
        earned(db, anna, id).await.iter().map(|one| one.points - 3_00).collect()
    };
    assert_eq!(sell("1").await, [2_00, 2_00, 1_00, 0]);
    // Another node knows at once when a category is moved.
    let node = Db::open(&world.url, crm::shop::Shop::default(), world.clock.clone())
        .await
        .expect("it opens");
    slip("0", anna, start()).line("a-cups", 1, 1_00).book(&node).await;
    put(&[category("tea", Some("")), category("cups", Some("drinks"))])
        .await
        .expect("moved");
    let moved = slip("2", anna, start())
        .line("a-green", 1, 100_00)
        .line("a-cups", 1, 100_00);
    let moved = moved.book(&node).await.id;
    assert_eq!(points(db, anna, moved).await, 6_00 + 1_00 + 1_00);
    // What names no parent leaves it as it was.
    put(&[category("green", None), category("cups", None)])
        .await
        .expect("renamed");
    assert_eq!(sell("3").await, [1_00, 1_00, 1_00, 1_00]);

    let flaws = async |categories: &[NewCategory]| match put(categories).await {
        Err(Error::Invalid(flaws)) => flaws,
        other => panic!("{other:?}"),
    };
    let parent = |place: usize, flaw| (format!("categories/{place}/parent"), flaw);
    assert_eq!(
        flaws(&[category("tea", Some("none"))]).await,
        [parent(0, Flaw::NotAChoice)]
    );
    assert_eq!(flaws(&[category("tea", Some("tea"))]).await, [parent(0, Flaw::Circle)]);
    // Drinks within green, which lies within tea: a circle once tea is within drinks again.
    let round = [
        category("cups", Some("tea")),
        category("drinks", Some("green")),
        category("tea", Some("drinks")),
    ];
    assert_eq!(flaws(&round).await, [parent(1, Flaw::Circle), parent(2, Flaw::Circle)]);
    assert_eq!(sell("4").await, [1_00, 1_00, 1_00, 1_00], "nothing of it was kept");
    // Two who would close a circle together: one of them is refused.
    let (one, two) = ([category("cups", Some("tea"))], [category("tea", Some("cups"))]);
    let (one, two) = tokio::join!(put(&one), put(&two));
    assert_eq!(
        [one.is_ok(), two.is_ok()].iter().filter(|ok| **ok).count(),
        1,
        "{one:?} {two:?}"
    );
    assert_books_agree(db).await;
});

both_engines!(
    a_receipt_that_grows_is_given_once_what_is_for_the_purchase,
    async |world| {
        let db = ready(world).await;
        let (anna, club) = member(db).await;
        let (boris, _) = member(db).await;
        let effects = [
            fixed(club, 10_00),
            format!(r#"{{"points_fixed": {{"program": "{club}", "points": 100, "each": "line"}}}}"#),
            r#"{"message": {"to": "receipt", "text": {"ru": "Спасибо", "en": "Thanks"}}}"#.to_owned(),
        ];
        let budget = r#", "caps": {"budget": {"times": 10}}"#;
        publish(db, &rule("First", r#""first_purchase""#, &effects.join(", "), budget)).await;
        let one = |document, who| slip(document, who, start()).line("tea", 1, 100_00);
        let two = |document, who| one(document, who).line("cup", 1, 100_00);
        let id = one("1", anna).book(db).await.id;
        assert_eq!(points(db, anna, id).await, 14_00);
        let grown = two("1", anna).book(db).await;
        assert_eq!((grown.id, grown.new), (id, false));
        assert_eq!(points(db, anna, id).await, 18_00);
        // Within one transaction as well.
        let booked = book(db, &[one("2", boris), two("2", boris)]).await;
        assert_eq!(points(db, boris, booked[0].id).await, 18_00);
        let given = grants(db).await;
        let messages = given.iter().filter(|(kind, ..)| kind == "message").count();
        assert_eq!(messages, 2, "{given:?}");
        let mut conn = db.read().await.expect("a connection");
        let used: (i64, i64) = crm::on!(conn, |c| sqlx::query_as("SELECT value, times FROM rule_usages")
            .fetch_one(c)
            .await)
        .expect("read");
        assert_eq!(used, (24_00, 2), "of the budget");
        drop(conn);
        assert_books_agree(db).await;
    }
);

both_engines!(every_point_of_a_line_is_explained, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    join(db, anna, "family", start() - days(1)).await;
    let family = program(db, "family").await;
    slip("0", anna, start()).line("tea", 3, 33_33).book(db).await;
    publish(
        db,
        &rule("Times", "", &times(club, 25_000), r#", "caps": {"purchase": 111}"#),
    )
    .await;
    let both = format!("{}, {}", fixed(club, 1_01), fixed(family, 7));
    publish(db, &rule("Fixed", "", &both, "")).await;
    slip("1", anna, start() + Duration::hours(1))
        .line("tea", 3, 33_33)
        .line("cup", 1, 17_00)
        .book(db)
        .await;
    let mut conn = db.read().await.expect("a connection");
    let ids: Vec<PurchaseId> = crm::on!(conn, |c| sqlx::query_scalar(
        "SELECT id FROM purchases ORDER BY document"
    )
    .fetch_all(c)
    .await)
    .expect("read");
    for (id, lines) in ids.into_iter().zip([1, 2]) {
        let told = receipt(db, anna, id).await.lines;
        assert_eq!(told.len(), lines);
        assert!(told.iter().all(|line| !line.earned.is_empty()), "{told:?}");
        for one in told.iter().flat_map(|line| &line.earned) {
            assert!(!one.parts.is_empty(), "{one:?}");
            assert_eq!(
                one.parts.iter().map(|part| part.amount).sum::<i64>(),
                one.points,
                "{one:?}"
            );
            assert!(
                one.parts.iter().all(|part| part.amount > 0 && !part.name.ru.is_empty()),
                "{one:?}"
            );
        }
    }
});

both_engines!(a_receipt_without_a_card_takes_its_discount_once, async |world| {
    let db = ready(world).await;
    let till = till(db).await;
    let (anna, club) = member(db).await;
    let caps = r#", "caps": {"budget": {"times": 2}}"#;
    publish(db, &rule("Tenth", "", &format!("{TENTH}, {}", fixed(club, 1_00)), caps)).await;
    let sale = |document: &str| NewReceipt {
        kind: Kind::Sale,
        document: document.into(),
        at: start(),
        store: None,
        customer: None,
        card: None,
        lines: vec![Item {
            discount: 15_00,
            rule_discount: 10_00,
            ..item("tea", 1, 100_00)
        }],
        redeem: None,
        code: None,
        way: Way::default(),
        coupons: Vec::new(),
    };
    let booked = receipt::book(db, &till, &sale("S-1")).await.expect("booked");
    // 9.50 of what the till's own discount leaves.
    assert_eq!(grants(db).await, [("discount".to_owned(), 9_50, 1)]);
    let code = booked.code.expect("a code");
    let me = sign_in(db, anna).await;
    let id = claim(db, &me, &code).await.expect("claimed");
    assert_eq!(points(db, anna, id).await, 2_55 + 1_00);
    assert_eq!(
        grants(db).await,
        [("discount".to_owned(), 9_50, 1), ("points".to_owned(), 1_00, 1)]
    );
    let mut conn = db.read().await.expect("a connection");
    let used: (i64, i64) = crm::on!(conn, |c| sqlx::query_as("SELECT value, times FROM rule_usages")
        .fetch_one(c)
        .await)
    .expect("read");
    assert_eq!(used, (10_50, 1), "one receipt");
    drop(conn);
    let mut wrong = sale("S-2");
    wrong.lines[0].rule_discount = 15_01;
    let refused = receipt::book(db, &till, &wrong).await;
    let Err(receipt::ReceiptError::Invalid(faults)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        faults,
        [("/lines/0/rule_discount".to_owned(), receipt::Problem::MoreThanDiscount)]
    );
    assert_books_agree(db).await;
});

both_engines!(a_quote_tells_what_applies_and_why_the_rest_does_not, async |world| {
    let db = ready(world).await;
    let till = &till(db).await;
    let (anna, club) = member(db).await;
    let text = |word: &str| Localized::new(word, word);
    let categories = &[NewCategory {
        code: "drinks".into(),
        name: text("Напитки"),
        parent: None,
    }];
    let articles = &[
        NewArticle {
            code: "tea".into(),
            name: "Чай".into(),
            category: Some("drinks".into()),
            brand: Some("Сосна".into()),
            payable: Some(false),
        },
        NewArticle {
            code: "cup".into(),
            name: "Чашка".into(),
            ..NewArticle::default()
        },
    ];
    db.write(|tx| {
        scoped(async move {
            catalogue::put_categories(tx, till, categories).await?;
            catalogue::put_articles(tx, till, articles).await
        })
    })
    .await
    .expect("written");
    let mut conn = db.read().await.expect("a connection");
    let drinks: uuid::Uuid = crm::on!(conn, |c| sqlx::query_scalar(
        "SELECT id FROM categories WHERE code = 'drinks'"
    )
    .fetch_one(c)
    .await)
    .expect("read");
    let cup: uuid::Uuid = crm::on!(conn, |c| sqlx::query_scalar(
        "SELECT id FROM articles WHERE code = 'cup'"
    )
    .fetch_one(c)
    .await)
    .expect("read");
    drop(conn);
    let tenth = publish(
        db,
        &rule("Drinks", &format!(r#"{{"category": ["{drinks}"]}}"#), TENTH, ""),
    )
    .await;
    let brand = publish(
        db,
        &rule(
            "Brand",
            r#"{"brand": ["Сосна"]}"#,
            &format!(
                r#"{}, {{"gift": {{"article": "{cup}", "quantity": 1}}}}, {{"coupon": {{"series": "next"}}}},
                {{"message": {{"to": "cashier", "text": {{"ru": "Подарите чашку", "en": "Give a cup"}}}}}}"#,
                fixed(club, 5_00)
            ),
            "",
        ),
    )
    .await;
    let monday = publish(
        db,
        &rule(
            "Monday",
            r#"{"basket_sum": {"at_least": 1}}, {"weekday": ["Mon"]}"#,
            TENTH,
            "",
        ),
    )
    .await;
    let basket = Basket {
        customer: Some(anna.id()),
        lines: vec![item("tea", 1, 100_00), item("cup", 2, 50_00), item("new", 1, 10_00)],
        ..Basket::default()
    };
    let quote = receipt::quote(db, till, &basket).await.expect("a quote");
    assert_eq!((quote.total, quote.discount), (200_00, 10_00));
    let lines: Vec<_> = quote
        .lines
        .iter()
        .map(|line| (line.discount, line.total, line.points))
        .collect();
    assert_eq!(lines, [(10_00, 90_00, 2_70 + 5_00), (0, 100_00, 3_00), (0, 10_00, 30)]);
    assert_eq!(quote.lines[0].discounts, [(tenth, 10_00)]);
    assert_eq!(quote.earns.iter().map(|one| one.points).collect::<Vec<_>>(), [11_00]);
    assert_eq!(quote.gifts, [("cup".to_owned(), "Чашка".to_owned(), 1)]);
    assert_eq!(quote.coupons, ["next"]);
    assert_eq!(quote.messages.len(), 1);
    assert_eq!(
        (quote.messages[0].0, quote.messages[0].1.en.as_str()),
        (Place::Cashier, "Give a cup")
    );
    let rule = |by: RuleVersion| {
        quote
            .rules
            .iter()
            .find(|rule| rule.by == by)
            .expect("the rule was asked")
    };
    assert_eq!((rule(brand).points, rule(tenth).discount), (5_00, 10_00));
    assert_eq!(quote.rules.len(), 3, "what a program gives of its own is no rule");
    let reason = rule(monday).reason.as_ref().expect("a reason");
    assert_eq!(reason.pointer.as_deref(), Some("/conditions/1"));
    assert_eq!(
        (reason.words.ru.as_str(), reason.words.en.as_str()),
        ("Действует по дням: пн", "Holds on Mon")
    );
    assert!(grants(db).await.is_empty(), "nothing is kept");

    // Nobody is known: discounts and words, no points.
    let nobody = receipt::quote(
        db,
        till,
        &Basket {
            customer: None,
            ..basket.clone()
        },
    )
    .await
    .expect("a quote");
    assert_eq!((nobody.total, nobody.earns.len(), nobody.payable), (200_00, 0, None));

    // Points may pay for what is payable, half of it at most.
    fund(db, anna, 500_00, start()).await;
    let basket = Basket {
        program: Some("family".into()),
        ..basket
    };
    let quote = receipt::quote(db, till, &basket).await.expect("a quote");
    assert_eq!(
        quote.payable.map(|payable| payable.most),
        Some(55_00),
        "half of the cups and of what is new"
    );
    // The receipt says what was taken off, and is given what was quoted.
    let sale = NewReceipt {
        kind: Kind::Sale,
        document: "S-1".into(),
        at: start(),
        store: None,
        customer: Some(anna.id()),
        card: None,
        lines: vec![
            Item {
                discount: 10_00,
                rule_discount: 10_00,
                ..item("tea", 1, 100_00)
            },
            item("cup", 2, 50_00),
        ],
        redeem: None,
        code: None,
        way: Way::default(),
        coupons: Vec::new(),
    };
    let booked = receipt::book(db, till, &sale).await.expect("booked");
    assert_eq!(points(db, anna, booked.id).await, 2_70 + 5_00 + 3_00);
    let kinds: Vec<_> = grants(db)
        .await
        .into_iter()
        .map(|(kind, amount, _)| (kind, amount))
        .collect();
    let expected = [
        ("discount", 10_00),
        ("points", 5_00),
        ("gift", 1),
        ("coupon", 1),
        ("message", 1),
    ];
    assert_eq!(kinds, expected.map(|(kind, amount)| (kind.to_owned(), amount)));
    // What may not be paid with points is not.
    let held = reserve(db, anna, program(db, "family").await, "key-1", 100_01)
        .await
        .expect("reserved");
    let too_much = crm::points::store::spending::capture(db, &BY, anna, held.id, 100_01, Some(booked.id)).await;
    assert!(
        matches!(too_much, Err(crm::points::store::SpendError::TooMuch { most: 100_00 })),
        "{too_much:?}"
    );
});

both_engines!(regions_of_shops_are_known, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let (here, there) = (store(db, "here").await, store(db, "there").await);
    execute!(db, "UPDATE stores SET region = 'north' WHERE id = $1", here)
        .await
        .expect("written");
    publish(db, &rule("North", r#"{"region": ["north"]}"#, &fixed(club, 10_00), "")).await;
    let mut given = Vec::new();
    for (n, at) in [here, there].into_iter().enumerate() {
        let sale = slip(&n.to_string(), anna, start())
            .line("tea", 1, 10_00)
            .at_store(at)
            .book(db)
            .await;
        given.push(points(db, anna, sale.id).await);
    }
    assert_eq!(given, [10_30, 30]);
});
