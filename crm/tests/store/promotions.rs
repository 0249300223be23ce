//! Promotions.

use crate::common::people::{SYSTEM, administrator, again, marketer, moments_after, one, sql, text};
use crate::common::{customer, days, ready, receipt, sign_in, slip};
use crate::rules::{TENTH, fixed, member, publish, rule};
use chrono::{DateTime, TimeDelta, Utc};
use crm::error::Error;
use crm::flaw::Flaw;
use crm::id::{PromotionId, RuleId, StoreId};
use crm::promotion::store::offers::{self, Stand};
use crm::promotion::store::outcome::{self, Outcome};
use crm::promotion::store::{self, managing};
use crm::promotion::{NewPromotion, Promotion, Stage, State};
use crm::request::mention;
use crm::rule::tier::Measure;
use crm::staff::approval::Step;
use crm::stores::{Hours, NewStore, store as stores};
use crm::testing::{World, start};
use crm::who::{Staff, Subject};
use sqlx::types::Json;

pub(crate) fn promotion(code: &str, from: i64, to: i64) -> NewPromotion {
    NewPromotion {
        code: code.into(),
        title: text(code),
        conditions: text("<b>15 %</b> off, 😀"),
        starts_at: start() + TimeDelta::hours(from),
        ends_at: start() + TimeDelta::hours(to),
        must_activate: false,
        stores: Vec::new(),
        rules: Vec::new(),
    }
}

pub(crate) async fn put(world: &World, new: &NewPromotion) -> PromotionId {
    world
        .db
        .write(|tx| crm::db::scoped(async move { store::put(tx, &SYSTEM, new).await }))
        .await
        .expect("written")
}

async fn running(world: &World, at: DateTime<Utc>) -> Vec<Promotion> {
    store::running(&mut world.db.read().await.expect("a connection"), at)
        .await
        .expect("read")
}

async fn shop(world: &World, code: &str) -> StoreId {
    let new = &NewStore {
        code: code.into(),
        name: text(code),
        town: text("town"),
        address: text("address"),
        latitude: None,
        longitude: None,
        hours: Hours::try_from([None; 7]).expect("possible hours"),
        phone: None,
        region: None,
        time_zone: None,
        exceptions: None,
    };
    world
        .db
        .write(|tx| crm::db::scoped(async move { stores::put(tx, &SYSTEM, new).await }))
        .await
        .expect("written")
}

crm::both_engines!(
    a_promotion_holds_from_its_first_moment_to_before_its_last,
    async |world| {
        put(world, &promotion("long", 0, 20)).await;
        put(world, &promotion("short", 0, 10)).await;
        put(world, &promotion("over", -5, 0)).await;
        put(world, &promotion("later", 1, 5)).await;
        let codes = async |at| running(world, at).await.into_iter().map(|p| p.code).collect::<Vec<_>>();
        assert_eq!(codes(start()).await, ["short", "long"]);
        assert_eq!(codes(start() - TimeDelta::microseconds(1)).await, ["over"]);
        assert_eq!(codes(start() + TimeDelta::hours(1)).await, ["later", "short", "long"]);
        assert_eq!(codes(start() + TimeDelta::hours(10)).await, ["long"]);
    }
);

crm::both_engines!(
    colleagues_are_told_of_what_waits_and_whoever_asked_of_what_came_of_it,
    async |world| {
        let db = &world.db;
        ready(world).await;
        let (mara, ada) = (marketer(world).await, administrator(world).await);
        let (vera, agent) = (
            moments_after(world, "vera", "Вера", "marketer").await,
            moments_after(world, "agent", "Агния", "agent").await,
        );
        let fresh = ada.fresh(db).expect("fresh");
        let id = managing::create(db, &mara, "Bags", &text("Bags"), "")
            .await
            .expect("an idea");
        let idea = managing::read(db, &mara, id).await.expect("read").0.record;
        let new = NewPromotion {
            code: "bags".into(),
            ..promotion("Bag week", -1, 10)
        };
        // Mara wrote it and Vera asks: neither consents.
        managing::change(db, &mara, id, &idea, &new).await.expect("a draft");
        let told = async |who: &Staff| {
            let lines = mention::inbox(db, who, None, 20).await.expect("an inbox");
            let lines = lines.into_iter().filter(|one| one.promotion == Some(id));
            lines.map(|one| (one.step, one.by_whom)).collect::<Vec<_>>()
        };
        let waits = async |who: &Staff| {
            let who = again(world, who.id()).await;
            (who.unread(), who.promotions_waiting())
        };
        managing::ask(db, &vera, id, &new).await.expect("asked");
        assert!(managing::ask(db, &vera, id, &new).await.is_err());
        let line = |step, by: &str| (Some(step), Some(by.to_owned()));
        assert_eq!(told(&ada).await, [line(Step::Asked, "Вера")], "once");
        assert_eq!(waits(&ada).await, (1, 1));
        for who in [&mara, &vera, &agent] {
            assert_eq!(told(who).await, []);
            assert_eq!(waits(who).await.0, 0);
        }
        assert_eq!((waits(&mara).await.1, waits(&vera).await.1), (0, 0));

        // What was changed meanwhile waits no more, and nobody has decided.
        let other = NewPromotion {
            conditions: text("10 % off"),
            ..new.clone()
        };
        managing::change(db, &mara, id, &new, &other).await.expect("changed");
        assert_eq!((told(&ada).await, told(&vera).await), (vec![], vec![]));
        assert_eq!(waits(&ada).await, (0, 0));

        managing::ask(db, &mara, id, &other).await.expect("asked");
        assert_eq!((told(&ada).await.len(), told(&vera).await.len()), (1, 1));
        managing::refuse(db, &ada, id, &other, "Too dear")
            .await
            .expect("refused");
        assert_eq!(told(&mara).await, [line(Step::Refused, "Ада")]);
        assert_eq!((told(&ada).await, told(&vera).await), (vec![], vec![]));
        world.clock.set(db.now() + TimeDelta::seconds(1));
        managing::ask(db, &mara, id, &other).await.expect("asked");
        managing::approve(db, &fresh, id, &other).await.expect("published");
        assert_eq!(
            told(&mara).await,
            [line(Step::Approved, "Ада"), line(Step::Refused, "Ада")]
        );
        assert_eq!((waits(&mara).await, waits(&vera).await), ((2, 0), (0, 0)));
    }
);

crm::both_engines!(only_what_a_colleague_consented_to_is_offered, async |world| {
    ready(world).await;
    let (mara, ada) = (marketer(world).await, administrator(world).await);
    let [own, fresh] = [&mara, &ada].map(|staff| staff.fresh(&world.db).expect("fresh"));
    let id = managing::create(&world.db, &mara, "Bags", &text("Bags"), "")
        .await
        .expect("an idea");
    let read = async || managing::read(&world.db, &mara, id).await.expect("read").0;
    let idea = read().await;
    assert_eq!((idea.stage, idea.record.code.as_str()), (Stage::Idea, "bags"));
    let new = NewPromotion {
        code: "bags".into(),
        ..promotion("Bag week", -1, 10)
    };
    let asked = managing::ask(&world.db, &mara, id, &idea.record).await;
    assert!(matches!(asked, Err(Error::Stale)), "an idea says too little");
    managing::change(&world.db, &mara, id, &idea.record, &new)
        .await
        .expect("a draft");
    let late = managing::change(&world.db, &mara, id, &idea.record, &new).await;
    assert!(matches!(late, Err(Error::Stale)));
    let draft = read().await;
    assert_eq!((draft.stage, &draft.record), (Stage::Draft, &new));
    let unasked = managing::approve(&world.db, &fresh, id, &new).await;
    assert!(matches!(unasked, Err(Error::Stale)), "nobody asked: {unasked:?}");

    managing::ask(&world.db, &mara, id, &new).await.expect("asked");
    assert_eq!(read().await.state(start()), State::Approval);
    let twice = managing::ask(&world.db, &mara, id, &new).await;
    assert!(matches!(twice, Err(Error::Stale)), "{twice:?}");
    let by_herself = managing::approve(&world.db, &own, id, &new).await;
    assert!(matches!(by_herself, Err(Error::Forbidden)), "{by_herself:?}");
    let by_herself = managing::refuse(&world.db, &mara, id, &new, "No").await;
    assert!(matches!(by_herself, Err(Error::Forbidden)), "{by_herself:?}");
    let empty = managing::refuse(&world.db, &ada, id, &new, " ").await;
    assert!(
        matches!(&empty, Err(Error::Invalid(flaws)) if flaws == &[("reason".to_owned(), Flaw::Missing)]),
        "{empty:?}"
    );
    managing::refuse(&world.db, &ada, id, &new, "Too dear")
        .await
        .expect("refused");
    let refused = read().await;
    assert_eq!(
        (refused.state(start()), refused.desk.refusal.as_deref()),
        (State::Draft, Some("Too dear"))
    );
    assert_eq!(running(world, start()).await, []);

    // Whoever changes what waits has written it, and consent is asked for anew.
    managing::ask(&world.db, &mara, id, &new).await.expect("asked again");
    let cheaper = NewPromotion {
        conditions: text("10 % off"),
        ..new.clone()
    };
    managing::change(&world.db, &ada, id, &new, &cheaper)
        .await
        .expect("changed by a colleague");
    assert_eq!(read().await.state(start()), State::Draft);
    managing::ask(&world.db, &mara, id, &cheaper).await.expect("asked");
    for author in [&own, &fresh] {
        let refused = managing::approve(&world.db, author, id, &cheaper).await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    }
    managing::change(&world.db, &mara, id, &cheaper, &new)
        .await
        .expect("changed back");
    managing::ask(&world.db, &mara, id, &new).await.expect("asked");
    let other = managing::approve(&world.db, &fresh, id, &cheaper).await;
    assert!(
        matches!(other, Err(Error::Stale)),
        "what was shown is what is published"
    );
    managing::approve(&world.db, &fresh, id, &new).await.expect("published");
    assert_eq!(running(world, start()).await[0].code, "bags");
    assert_eq!(read().await.state(start()), State::Running);

    // What is published stays as it is until a colleague consents to the next version.
    let longer = NewPromotion {
        ends_at: start() + TimeDelta::hours(20),
        ..new.clone()
    };
    managing::change(&world.db, &mara, id, &new, &longer)
        .await
        .expect("a next version");
    let offered = async || running(world, start()).await.remove(0).ends_at;
    assert_eq!(offered().await, new.ends_at);
    managing::ask(&world.db, &mara, id, &longer).await.expect("asked");
    assert_eq!(read().await.state(start()), State::Running);
    let waiting = managing::list(&world.db, &ada, Some(State::Approval), None, 9).await;
    assert_eq!(waiting.expect("listed").len(), 1, "among those that wait");
    managing::discard(&world.db, &mara, id, world.db.now())
        .await
        .expect("thrown away");
    let gone = managing::approve(&world.db, &fresh, id, &longer).await;
    assert!(matches!(gone, Err(Error::Stale)), "{gone:?}");
    managing::change(&world.db, &mara, id, &new, &longer)
        .await
        .expect("written again");
    managing::ask(&world.db, &mara, id, &longer).await.expect("asked");
    managing::approve(&world.db, &fresh, id, &longer)
        .await
        .expect("published");
    assert_eq!(offered().await, longer.ends_at);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM promotion_versions"), 2);
    for sql in [
        "UPDATE promotion_versions SET version = version + 100",
        "DELETE FROM promotion_versions",
    ] {
        assert!(crate::common::execute!(world.db, sql).await.is_err(), "{sql}");
    }

    managing::end(&world.db, &fresh, id).await.expect("ended");
    assert_eq!(running(world, start()).await, []);
    assert_eq!(read().await.state(start()), State::Ended);
    let over = managing::change(&world.db, &mara, id, &read().await.record, &new).await;
    assert!(matches!(over, Err(Error::Stale)));
    let before = managing::conclude(&world.db, &mara, id, "Nothing", "It sold").await;
    assert!(matches!(before, Err(Error::Stale)), "something else was written before");
    managing::conclude(&world.db, &mara, id, "", "It sold")
        .await
        .expect("concluded");
    assert_eq!(read().await.state(start()), State::Concluded);
    let mut conn = world.db.read().await.expect("a connection");
    assert_eq!(
        managing::counts(&mut conn, &mara).await.expect("counted"),
        [0, 0, 0, 0, 0, 0, 1]
    );
});

crm::both_engines!(an_idea_is_a_name_and_a_note, async |world| {
    ready(world).await;
    let mara = marketer(world).await;
    let title = crm::lang::Localized::new("Неделя сумок", "");
    let id = managing::create(&world.db, &mara, " ", &title, " Why not? ")
        .await
        .expect("an idea");
    let (idea, _) = managing::read(&world.db, &mara, id).await.expect("read");
    assert_eq!(idea.record.title.en, "Неделя сумок", "one language stands for both");
    assert_eq!(idea.desk.note, "Why not?");
    assert!(idea.record.code.starts_with("p-"), "{}", idea.record.code);
    let nothing = managing::create(&world.db, &mara, "", &Default::default(), "").await;
    assert!(
        matches!(&nothing, Err(Error::Invalid(flaws)) if flaws == &[("title_ru".to_owned(), Flaw::Missing)]),
        "{nothing:?}"
    );
    let late = managing::set_note(&world.db, &mara, id, "", "Because").await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    managing::set_note(&world.db, &mara, id, "Why not?", "One\r\ntwo")
        .await
        .expect("two lines");
    // As a browser sends what a page showed.
    managing::set_note(&world.db, &mara, id, "One\r\ntwo", "")
        .await
        .expect("none any more");
});

crm::both_engines!(what_came_of_a_promotion_is_what_its_rules_booked, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let (anna, club) = member(db).await;
    let (boris, _) = member(db).await;
    let gift = &fixed(club, 50_00);
    let large = publish(db, &rule("Large", r#"{"basket_sum": {"at_least": 50000}}"#, gift, ""))
        .await
        .id;
    let id = carried_out(world, "week", 48, &[large]).await;
    // Within its time: one of Anna's brings points, another does not, and one is voided; of before it one.
    world.clock.set(start() + TimeDelta::hours(10));
    let hours = |n| start() + TimeDelta::hours(n);
    slip("before", anna, hours(-10)).line("tea", 1, 100_00).book(db).await;
    // Eleven hours of it are over, and this is earlier than as many before.
    slip("earlier", anna, hours(-20)).line("tea", 1, 300_00).book(db).await;
    slip("large", anna, hours(1)).line("tea", 1, 600_00).book(db).await;
    slip("small", anna, hours(2)).line("tea", 1, 200_00).book(db).await;
    slip("void", anna, hours(2)).line("tea", 1, 700_00).book(db).await;
    crate::common::execute!(db, "UPDATE purchases SET voided_at = at WHERE document = 'void'")
        .await
        .expect("voided");
    slip("others", boris, hours(3)).line("tea", 1, 400_00).book(db).await;
    let (entry, _) = managing::read(db, &mara, id).await.expect("read");
    let told = async || {
        outcome::run_due(db, &SYSTEM, || true).await.expect("counted");
        let mut conn = db.read().await.expect("a connection");
        outcome::of(&mut conn, &mara, id).await.expect("told").expect("counted")
    };
    assert_eq!(
        told().await,
        Outcome {
            at: start() + TimeDelta::hours(10),
            purchases: 1,
            customers: 1,
            points: 50_00,
            discount: 0,
            sales: 800_00,
            sales_before: 100_00,
        }
    );
    // It is counted once an hour, also after its end, when tills send what they kept; and no more a month later.
    let end = entry.record.ends_at;
    let count = async |document: &str, at: DateTime<Utc>| {
        world.clock.set(at);
        slip(document, anna, hours(3)).line("tea", 1, 600_00).book(db).await;
        told().await.purchases
    };
    assert_eq!(count("first", start() + TimeDelta::minutes(659)).await, 1);
    assert_eq!(count("second", end).await, 3);
    assert_eq!(count("third", end + TimeDelta::days(31)).await, 4);
    assert_eq!(count("fourth", end + TimeDelta::days(60)).await, 4);
});

/// Writes a promotion down that these rules carry out.
async fn carried_out(world: &World, code: &str, to: i64, rules: &[RuleId]) -> PromotionId {
    let new = NewPromotion {
        rules: rules.to_vec(),
        ..promotion(code, -1, to)
    };
    put(world, &new).await
}

/// How it stands with each promotion, in the order of the page.
async fn stands(world: &World, me: Subject) -> Vec<(String, Stand)> {
    let mut conn = world.db.read().await.expect("a connection");
    let all = offers::of(&mut conn, me).await.expect("told");
    all.into_iter().map(|one| (one.promotion.code, one.stand)).collect()
}

crm::both_engines!(a_promotion_tells_each_customer_whether_it_is_for_them, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let gift = &fixed(club, 50_00);
    slip("1", anna, start() - days(1)).line("tea", 1, 300_00).book(db).await;
    let made = async |name: &str, conditions: &str| publish(db, &rule(name, conditions, gift, "")).await.id;
    let large = made("Large", r#"{"basket_sum": {"at_least": 100000}}"#).await;
    let first = made("First", r#""first_purchase""#).await;
    let third = r#"{"purchase_count": {"window": "ever", "count": {"at_least": 3}}}, {"basket_sum": {"at_least": 9}}"#;
    let third = made("Third", third).await;
    let sum = r#"{"purchase_sum": {"window": {"last": {"days": 30}}, "sum": {"at_least": 150000}}}"#;
    let sum = made("Sum", sum).await;
    let soon = made("Soon", r#"{"tenure": {"at_least": 20}}"#).await;
    let later = made("Later", r#"{"tenure": {"at_least": 21}}"#).await;
    let idea = crm::rule::store::create(db, &marketer(world).await, &rule("Idea", "", gift, ""))
        .await
        .expect("a draft");
    carried_out(world, "first", 1, &[first]).await;
    carried_out(world, "third", 2, &[first, third]).await;
    carried_out(world, "sum", 3, &[sum]).await;
    carried_out(world, "idea", 4, &[idea]).await;
    carried_out(world, "large", 5, &[large]).await;
    carried_out(world, "words", 6, &[]).await;
    carried_out(world, "soon", 20 * 24, &[soon]).await;
    carried_out(world, "later", 20 * 24, &[later]).await;
    let all = stands(world, anna).await;
    let codes: Vec<&str> = all.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes[..5], ["large", "words", "third", "sum", "soon"]);
    // Points are for members, and that is why it holds for her.
    let mut conn = db.read().await.expect("a connection");
    let told = offers::of(&mut conn, anna).await.expect("told");
    drop(conn);
    let because = |code: &str| {
        let offer = told.iter().find(|one| one.promotion.code == code).expect(code);
        let told = offer
            .because
            .iter()
            .map(|why| why.ru.split(':').next().unwrap_or_default().to_owned());
        told.collect::<Vec<_>>()
    };
    assert_eq!(because("large"), ["Для участников программы"]);
    assert!(because("words").is_empty(), "what is for everybody");
    assert!(because("third").is_empty(), "what is missing is told in its place");
    // By their ends, and without what is for others: they are looked for farther on where one of the first is.
    let ending = async |who, limit| {
        let mut conn = db.read().await.expect("a connection");
        let found = offers::ending(&mut conn, who, limit).await.expect("told");
        found.into_iter().map(|one| one.promotion.code).collect::<Vec<_>>()
    };
    assert_eq!(ending(anna, 1).await, ["third", "sum", "large", "words", "soon"]);
    let of = |code: &str| {
        all.iter()
            .find(|(known, _)| known == code)
            .map(|(_, stand)| stand.clone())
    };
    assert_eq!(of("large"), Some(Stand::Holds), "what is to be bought keeps nobody out");
    let progress = |code| match of(code) {
        Some(Stand::Near { progress, .. }) => progress.map(|p| (p.measure, p.done, p.of)),
        other => panic!("{code}: {other:?}"),
    };
    assert_eq!(progress("third"), Some((Measure::Count, 1, 3)));
    assert_eq!(progress("sum"), Some((Measure::Sum, 300_00, 1_500_00)));
    assert_eq!(progress("soon"), None);
    assert!(matches!(of("later"), Some(Stand::Beyond { why: Some(_) })));
    assert_eq!(of("idea"), Some(Stand::Beyond { why: None }));
    let Some(Stand::Beyond { why: Some(why) }) = of("first") else {
        panic!("{:?}", of("first"));
    };
    assert_eq!(why.en, "For a first purchase");
    // Who is no member is given no points, and may join.
    let boris = customer(db).await;
    let all = stands(world, boris).await;
    let large = all.iter().find(|(code, _)| code == "large").map(|(_, stand)| stand);
    assert!(matches!(large, Some(Stand::Near { progress: None, .. })), "{large:?}");
});

// Promotions are kept in memory, and whatever changes what is told of them is told at once.
crm::both_engines!(what_is_offered_follows_whoever_changes_it, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let here = shop(world, "here").await;
    let first = publish(db, &rule("First", r#""first_purchase""#, &fixed(club, 50_00), ""))
        .await
        .id;
    let week = NewPromotion {
        stores: vec![here],
        rules: vec![first],
        ..promotion("week", -2, 24)
    };
    let id = put(world, &week).await;
    put(world, &promotion("over", -5, 0)).await;
    let told = async || {
        let mut conn = db.read().await.expect("a connection");
        let all = offers::of(&mut conn, anna).await.expect("told");
        let each = all.into_iter().map(|one| {
            let places = one.promotion.places.into_iter().map(|place| place.name.en);
            let places: Vec<_> = places.collect();
            (one.promotion.title.en, places.join(" "), one.stand == Stand::Holds)
        });
        each.collect::<Vec<_>>()
    };
    let offer = |title: &str, places: &str, holds| (title.to_owned(), places.to_owned(), holds);
    assert_eq!(told().await, [offer("week", "here", true)]);
    slip("1", anna, db.now()).line("tea", 1, 100_00).book(db).await;
    assert_eq!(told().await, [offer("week", "here", false)], "each asks for themselves");
    // By whatever way: records, a colleague's statement, another node.
    sql!(
        world,
        "UPDATE stores SET name = $1 WHERE id = $2",
        Json(text("there")),
        here
    );
    assert_eq!(told().await, [offer("week", "there", false)]);
    sql!(world, "DELETE FROM promotion_stores");
    assert_eq!(told().await, [offer("week", "", false)]);
    sql!(world, "DELETE FROM promotion_rules");
    assert_eq!(told().await, [offer("week", "", true)]);
    sql!(
        world,
        "INSERT INTO promotion_rules (promotion_id, rule_id) VALUES ($1, $2)",
        id,
        first
    );
    sql!(
        world,
        "INSERT INTO promotion_stores (promotion_id, store_id) VALUES ($1, $2)",
        id,
        here
    );
    assert_eq!(told().await, [offer("week", "there", false)]);
    sql!(
        world,
        "UPDATE promotions SET title = $1 WHERE id = $2",
        Json(text("days")),
        id
    );
    assert_eq!(told().await, [offer("days", "there", false)]);
    sql!(world, "UPDATE promotions SET stage = 'draft' WHERE id = $1", id);
    assert_eq!(told().await, []);
    sql!(world, "UPDATE promotions SET stage = 'published' WHERE id = $1", id);
    assert_eq!(told().await.len(), 1);

    // And the clock, whichever way it goes.
    world.clock.set(start() + TimeDelta::hours(24));
    assert_eq!(told().await, []);
    world.clock.set(start() - TimeDelta::hours(1));
    let both = told().await.into_iter().map(|(title, ..)| title).collect::<Vec<_>>();
    assert_eq!(both, ["over", "days"]);
    let later = publish(db, &rule("Gift", "", &fixed(club, 50_00), "")).await.id;
    let other = NewPromotion {
        rules: vec![later],
        ..promotion("next", -1, 30)
    };
    put(world, &other).await;
    assert_eq!(told().await.len(), 3);
    sql!(world, "DELETE FROM promotion_rules");
    sql!(world, "DELETE FROM promotion_stores");
    sql!(world, "DELETE FROM promotions");
    assert_eq!(told().await, []);
});

crm::both_engines!(what_ends_first_is_told_without_asking_about_the_others, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let gift = publish(db, &rule("Gift", "", &fixed(club, 50_00), "")).await.id;
    put(world, &promotion("words", -1, 2)).await;
    let tap = NewPromotion {
        must_activate: true,
        ..promotion("tap", -1, 3)
    };
    put(world, &tap).await;
    carried_out(world, "ruled", 4, &[gift]).await;
    put(world, &promotion("last", -1, 5)).await;
    for (limit, expected) in [
        (1, &[("words", Stand::Holds)][..]),
        (2, &[("words", Stand::Holds), ("tap", Stand::Off)]),
        (
            3,
            &[("words", Stand::Holds), ("tap", Stand::Off), ("ruled", Stand::Holds)],
        ),
    ] {
        let mut conn = db.read().await.expect("a connection");
        let found = offers::ending(&mut conn, anna, limit).await.expect("told");
        drop(conn);
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.promotion.code.as_str(), one.stand.clone()))
            .collect();
        assert_eq!(found, expected);
    }
});

crm::both_engines!(
    what_is_switched_on_counts_for_what_is_bought_afterwards,
    async |world| {
        let db = ready(world).await;
        let (anna, club) = member(db).await;
        let new = NewPromotion {
            must_activate: true,
            ..promotion("week", -1, 24)
        };
        let id = put(world, &new).await;
        let condition = format!(
            r#"{{"activated": ["{id}"]}}, {{"purchase_count": {{"window": "ever", "count": {{"at_most": 9}}}}}}"#
        );
        let asks = publish(db, &rule("Week", &condition, &fixed(club, 50_00), "")).await.id;
        let linked = NewPromotion {
            rules: vec![asks],
            ..new
        };
        put(world, &linked).await;
        assert_eq!(stands(world, anna).await, [("week".to_owned(), Stand::Off)]);
        let by = sign_in(db, anna).await;
        // A plan says what switching it on would bring.
        let plan = |price| crm::quote::what_if::Plan {
            at: db.now(),
            store: None,
            payment: None,
            items: vec![crm::quote::what_if::Item {
                article: None,
                quantity: 1,
                price,
            }],
        };
        let suggested = async |price: i64| {
            let told = crm::quote::what_if::forecast(db, by.me(), &plan(price))
                .await
                .expect("told");
            let offers = told.offers.into_iter();
            offers
                .map(|one| (one.code, one.discount, one.earns))
                .collect::<Vec<_>>()
        };
        assert_eq!(suggested(100_00).await, [("week".to_owned(), 0, 50_00)]);
        for other in ["", "none"] {
            let refused = offers::activate(db, &by, other).await;
            assert!(matches!(refused, Err(Error::NotFound)), "{other}");
        }
        let points = async |document: &str, at: DateTime<Utc>| {
            let sale = slip(document, anna, at).line("tea", 1, 100_00).book(db).await;
            let lines = receipt(db, anna, sale.id).await.lines;
            lines
                .iter()
                .flat_map(|line| &line.earned)
                .map(|one| one.points)
                .sum::<i64>()
        };
        assert_eq!(points("before", start() - TimeDelta::minutes(2)).await, 3_00);
        offers::activate(db, &by, "week").await.expect("switched on");
        offers::activate(db, &by, "week").await.expect("and once more");
        assert_eq!(
            one!(
                world,
                i64,
                "SELECT COUNT(*) FROM audit WHERE action = 'promotion.activate'"
            ),
            1
        );
        assert_eq!(stands(world, anna).await, [("week".to_owned(), Stand::Holds)]);
        assert_eq!(suggested(100_00).await, [], "it is on");
        // What was bought before, and is told of late, is given nothing for it.
        assert_eq!(points("late", start() - TimeDelta::minutes(1)).await, 3_00);
        assert_eq!(points("after", start()).await, 53_00);
        world.clock.set(start() + TimeDelta::hours(24));
        let over = offers::activate(db, &by, "week").await;
        assert!(matches!(over, Err(Error::NotFound)));
    }
);

crm::both_engines!(
    what_switching_on_would_bring_goes_by_the_clock_of_the_shop,
    async |world| {
        let db = ready(world).await;
        let (anna, club) = member(db).await;
        let (moscow, omsk) = (shop(world, "moscow").await, shop(world, "omsk").await);
        sql!(world, "UPDATE stores SET time_zone = 'Asia/Omsk' WHERE code = 'omsk'");
        let new = NewPromotion {
            must_activate: true,
            ..promotion("evening", -1, 24)
        };
        let id = put(world, &new).await;
        // It is 15:00 in Moscow and 18:00 in Omsk.
        let evening = format!(r#"{{"activated": ["{id}"]}}, {{"hours": {{"from": 1080, "to": 1440}}}}"#);
        let asks = publish(db, &rule("Evening", &evening, &fixed(club, 50_00), ""))
            .await
            .id;
        let linked = NewPromotion {
            rules: vec![asks],
            ..new
        };
        put(world, &linked).await;
        let by = sign_in(db, anna).await;
        let suggested = async |store: StoreId| {
            let plan = crm::quote::what_if::Plan {
                at: db.now(),
                store: Some(store),
                payment: None,
                items: vec![crm::quote::what_if::Item {
                    article: None,
                    quantity: 1,
                    price: 100_00,
                }],
            };
            let told = crm::quote::what_if::forecast(db, by.me(), &plan).await.expect("told");
            let offers = told.offers.into_iter();
            offers.map(|one| (one.code, one.earns)).collect::<Vec<_>>()
        };
        assert_eq!(suggested(moscow).await, []);
        assert_eq!(suggested(omsk).await, [("evening".to_owned(), 50_00)]);
    }
);

crm::both_engines!(what_is_over_tells_what_it_brought, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let boris = customer(db).await;
    let gift = publish(db, &rule("Gift", "", &fixed(club, 50_00), "")).await.id;
    let off = publish(db, &rule("Off", "", TENTH, "")).await.id;
    for (code, from, to, rules) in [
        ("both", -5, 1, vec![gift, off]),
        ("gift", -5, 2, vec![gift]),
        ("words", -5, 3, vec![]),
        ("later", 2, 4, vec![gift]),
        ("goes on", -5, 90 * 24, vec![gift]),
    ] {
        let new = NewPromotion {
            rules,
            ..promotion(code, from, to)
        };
        put(world, &new).await;
    }
    // The till took off what the rule gives.
    slip("1", anna, start())
        .line("tea", 1, 200_00)
        .off_by_rules(20_00)
        .book(db)
        .await;
    let over = async |me: Subject| {
        let mut conn = world.db.read().await.expect("a connection");
        let all = offers::over(&mut conn, me, None, 100).await.expect("told");
        let told = all
            .into_iter()
            .map(|one| (one.title.en, one.is_counted, one.discount, one.points));
        told.collect::<Vec<_>>()
    };
    assert_eq!(over(anna).await, []);
    world.clock.set(start() + TimeDelta::hours(5));
    let told = |both, gift| {
        [
            ("later".to_owned(), true, 0, 0),
            ("words".to_owned(), false, 0, 0),
            ("gift".to_owned(), true, 0, gift),
            ("both".to_owned(), true, both, gift),
        ]
    };
    assert_eq!(over(anna).await, told(20_00, 50_00));
    assert_eq!(over(boris).await, told(0, 0), "somebody else's is theirs");
    world.clock.set(start() + TimeDelta::days(400));
    let (mut codes, mut before) = (Vec::new(), None);
    loop {
        let mut conn = world.db.read().await.expect("a connection");
        let page = offers::over(&mut conn, anna, before, 2).await.expect("told");
        before = page.last().map(|last| (last.ended_at, last.id.0));
        if page.is_empty() {
            break;
        }
        codes.extend(page.into_iter().map(|one| one.title.en));
    }
    assert_eq!(
        codes,
        ["goes on", "later", "words", "gift", "both"],
        "however long ago, page by page"
    );
});

crm::both_engines!(what_is_used_up_says_when, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let gift = &fixed(club, 50_00);
    let capped = async |name: &str, caps: &str| publish(db, &rule(name, "", gift, caps)).await.id;
    let once = capped("Once", r#", "caps": {"customer": {"times": 1}}"#).await;
    let daily = capped("Daily", r#", "caps": {"day": {"times": 1}}"#).await;
    let budget = capped("Budget", r#", "caps": {"budget": {"times": 1}}"#).await;
    let open = capped("Open", "").await;
    for (code, rules) in [
        ("once", vec![once]),
        ("daily", vec![daily]),
        ("budget", vec![budget]),
        ("either", vec![once, open]),
    ] {
        carried_out(world, code, 48, &rules).await;
    }
    let of = async |me: Subject, code: &str| {
        let all = stands(world, me).await;
        all.into_iter().find(|(known, _)| known == code).map(|(_, stand)| stand)
    };
    for code in ["once", "daily", "budget", "either"] {
        assert_eq!(of(anna, code).await, Some(Stand::Holds), "{code}");
    }
    let at = start();
    slip("1", anna, at).line("tea", 1, 100_00).book(db).await;
    let used = |is_for_today| {
        Some(Stand::Used {
            at: Some(at),
            is_for_today,
        })
    };
    assert_eq!(of(anna, "once").await, used(false));
    assert_eq!(of(anna, "daily").await, used(true));
    assert_eq!(
        of(anna, "either").await,
        Some(Stand::Holds),
        "the other rule is still there"
    );
    assert!(
        matches!(of(anna, "budget").await, Some(Stand::Beyond { why: Some(_) })),
        "others may have used it"
    );
    world.clock.set(start() + TimeDelta::days(1));
    assert_eq!(of(anna, "daily").await, Some(Stand::Holds), "the next day");
    assert_eq!(of(anna, "once").await, used(false));
});

crm::both_engines!(a_promotion_names_its_shops_and_counts_its_changes, async |world| {
    let (b, a) = (shop(world, "b").await, shop(world, "a").await);
    put(world, &promotion("everywhere", 0, 30)).await;
    let mut new = promotion("here", 0, 10);
    new.stores = vec![b, a, b];
    let id = put(world, &new).await;
    assert_eq!(put(world, &new).await, id);
    let found = running(world, start()).await;
    assert_eq!(
        (found[0].id, found[0].version, &found[0].conditions),
        (id, 1, &new.conditions)
    );
    assert_eq!(found[0].places.iter().map(|p| p.id).collect::<Vec<_>>(), [a, b]);
    assert_eq!(
        (&found[0].places[0].name, &found[0].places[0].town),
        (&text("a"), &text("town"))
    );
    assert_eq!(found[1].places, []);

    new.stores = vec![a];
    assert_eq!(put(world, &new).await, id);
    let found = running(world, start()).await;
    assert_eq!(found[0].version, 2);
    assert_eq!(found[0].places.iter().map(|p| p.id).collect::<Vec<_>>(), [a]);
    new.title = text("else");
    put(world, &new).await;
    assert_eq!(running(world, start()).await[0].version, 3);
});
