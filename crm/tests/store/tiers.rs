//! Tiers in the database: versions, where customers stand as they buy and as days pass, and who is told, on both engines.

use crate::common::people::{self, SYSTEM, marketer, one};
use crate::common::*;
use chrono::{DateTime, Datelike, Duration, NaiveDate, Utc};
use crm::both_engines;
use crm::db::{Db, scoped};
use crm::error::Error;
use crm::flaw::Flaw;
use crm::id::{CustomerId, MembershipId, ProgramId, TierId, WebhookId};
use crm::lang::Localized;
use crm::program::store as programs;
use crm::purchase::claim::claim;
use crm::purchase::void::void;
use crm::rule::store::{self as rules, PublishError};
use crm::rule::tier::store::{self as tiers, Change};
use crm::rule::tier::{Downgrade, Measure, Standing, Tier, Tiers, Why};
use crm::rule::{Rule, Span, Window};
use crm::testing::{World, start};
use crm::who::Subject;
use futures::future::join_all;
use serde_json::{Value, json};

const SILVER: TierId = TierId(uuid::Uuid::from_u128(1));
const GOLD: TierId = TierId(uuid::Uuid::from_u128(2));

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

/// Silver from 1,000 and gold from 5,000 rubles within a year.
pub(crate) fn two(downgrade: Downgrade, grace: Option<Span>) -> Tiers {
    let tier = |id, ru: &str, en: &str, threshold| Tier {
        id,
        name: Localized::new(ru, en),
        threshold,
    };
    Tiers {
        measure: Measure::Sum,
        window: Window::Last(Span::Months(12)),
        downgrade,
        grace,
        tiers: vec![
            tier(SILVER, "Серебро", "Silver", 1_000_00),
            tier(GOLD, "Золото", "Gold", 5_000_00),
        ],
    }
}

async fn publish(db: &Db, program: ProgramId, is: &Tiers) -> i64 {
    tiers::publish_by_system(db, &SYSTEM, program, is, None)
        .await
        .expect("published")
}

/// A member of the club and the club.
async fn member(db: &Db) -> (Subject, ProgramId) {
    let who = customer(db).await;
    join(db, who, "club", start() - days(365)).await;
    (who, program(db, "club").await)
}

/// Somebody bought something.
async fn buy(db: &Db, who: Subject, document: &str, at: DateTime<Utc>, price: i64) {
    slip(document, who, at).line("tea", 1, price).book(db).await;
}

async fn standing(db: &Db, who: Subject, program: ProgramId) -> Standing {
    let mut conn = db.read().await.expect("a connection");
    let found = tiers::standing(&mut conn, who, program).await.expect("reckoned");
    found.expect("a member").1
}

async fn changes(db: &Db, who: Subject) -> Vec<Change> {
    let mut conn = db.read().await.expect("a connection");
    tiers::changes(&mut conn, who).await.expect("read")
}

/// Where somebody stood, the first first: tier, since when, and why.
async fn steps(db: &Db, who: Subject) -> Vec<(Option<TierId>, Option<NaiveDate>, Why)> {
    let all = changes(db, who).await;
    all.iter().rev().map(|one| (one.tier, one.since, one.why)).collect()
}

/// What is kept of where somebody stands: the tier and how many rows there are.
async fn kept(world: &World, who: Subject) -> (Option<TierId>, i64) {
    let tier = one!(
        world,
        Option<TierId>,
        "SELECT tier_id FROM tier_standings WHERE customer_id = $1",
        who.id()
    );
    let rows = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM tier_standings WHERE customer_id = $1",
        who.id()
    );
    (tier, rows)
}

/// Does the daily work at a moment.
async fn work(world: &World, at: DateTime<Utc>) -> u64 {
    world.clock.set(at);
    tiers::run_due(&world.db, &BY).await.expect("the daily work is done")
}

/// Noon of a day.
fn noon(text: &str) -> DateTime<Utc> {
    day(text).and_hms_opt(9, 0, 0).expect("a time").and_utc()
}

/// A receiver that wants to be told of tiers.
async fn receiver(db: &Db) {
    const SQL: &str = "INSERT INTO webhooks (id, url, description, events, secret, created_at) \
                       VALUES ($1, 'https://erp.example.com/hooks', 'Stock', $2, $3, $4)";
    let (events, secret) = (&sqlx::types::Json(vec!["tier.changed"]), &vec![7_u8; 32]);
    execute!(db, SQL, WebhookId::new(), events, secret, db.now())
        .await
        .expect("a receiver");
}

/// What receivers were told, the first first.
async fn told(db: &Db) -> Vec<Value> {
    let mut conn = db.read().await.expect("a connection");
    let bodies: Vec<String> = crm::on!(conn, |c| sqlx::query_scalar(
        "SELECT payload FROM webhook_events ORDER BY id"
    )
    .fetch_all(c)
    .await)
    .expect("read");
    let read = |body: &String| serde_json::from_str(body).expect("JSON");
    bodies.iter().map(read).collect()
}

both_engines!(tiers_are_drafted_published_and_scheduled, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let mara = marketer(world).await;
    let mut wrong = two(Downgrade::Earned, None);
    wrong.tiers[1].threshold = 0;
    tiers::change(db, &mara, club, None, &wrong).await.expect("a draft");
    let versions = async || {
        let mut conn = db.read().await.expect("a connection");
        tiers::versions_of(&mut conn, &mara, club).await.expect("read")
    };
    let fresh = mara.fresh(db).expect("fresh");
    let shown = versions().await.remove(0);
    assert_eq!((shown.version, shown.effective_at), (1, None));
    let faulty = tiers::publish(db, &fresh, club, shown.changed_at, None).await;
    assert!(
        matches!(&faulty, Err(PublishError::Faulty(faults)) if faults[0].pointer == "/tiers/1/threshold"),
        "{faulty:?}"
    );

    world.clock.set(start() + Duration::minutes(1));
    let right = two(Downgrade::Earned, None);
    let late = tiers::change(db, &mara, club, None, &right).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    tiers::change(db, &mara, club, Some(shown.changed_at), &right)
        .await
        .expect("changed");
    let stale = tiers::publish(db, &fresh, club, shown.changed_at, None).await;
    assert!(matches!(stale, Err(PublishError::Crm(Error::Stale))), "{stale:?}");
    let shown = versions().await.remove(0);
    let past = tiers::publish(db, &fresh, club, shown.changed_at, Some(start())).await;
    assert!(
        matches!(&past, Err(PublishError::Crm(Error::Invalid(flaws))) if flaws == &[("from".to_owned(), Flaw::TooLate)]),
        "{past:?}"
    );
    let first = tiers::publish(db, &fresh, club, shown.changed_at, None).await;
    assert_eq!(first.expect("published"), 1);
    let nothing = tiers::publish(db, &fresh, club, shown.changed_at, None).await;
    assert!(
        matches!(nothing, Err(PublishError::Crm(Error::NotFound))),
        "{nothing:?}"
    );

    // From Monday on silver needs more.
    let monday = start() + days(2);
    let mut dearer = right.clone();
    dearer.tiers[0].threshold = 2_000_00;
    tiers::change(db, &mara, club, None, &dearer).await.expect("a draft");
    let shown = versions().await.remove(0);
    let second = tiers::publish(db, &fresh, club, shown.changed_at, Some(monday)).await;
    assert_eq!(second.expect("published"), 2);
    let all = versions().await;
    assert_eq!(
        all.iter()
            .map(|one| (one.version, one.effective_at))
            .collect::<Vec<_>>(),
        [(2, Some(monday)), (1, Some(start() + Duration::minutes(1)))]
    );
    assert_eq!(all[1].published_by.as_deref(), Some("Мара"));
    assert_eq!(
        (&all[1].definition, &all[0].definition),
        (&Some(right.clone()), &Some(dearer.clone()))
    );
    buy(db, anna, "1", start(), 1_500_00).await;
    assert_eq!(kept(world, anna).await, (Some(SILVER), 1));
    assert_eq!(work(world, monday - Duration::seconds(1)).await, 0);
    assert_eq!(work(world, monday).await, 1);
    assert_eq!(kept(world, anna).await, (None, 1));
    assert_eq!(changes(db, anna).await[0].version, 2);

    for sql in [
        "UPDATE tier_versions SET definition = definition",
        "DELETE FROM tier_versions",
        "UPDATE tier_changes SET tier_id = NULL",
        "DELETE FROM tier_changes",
    ] {
        let told = execute!(db, sql).await.expect_err("refused").to_string();
        assert!(told.contains("append-only"), "{sql}: {told}");
    }
    let agent = people::staff(world, "agent").await;
    let refused = tiers::change(db, &agent, club, None, &right).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let mut conn = db.read().await.expect("a connection");
    let refused = tiers::versions_of(&mut conn, &agent, club).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    drop(conn);
    let nothing = tiers::change(db, &mara, ProgramId::new(), None, &right).await;
    assert!(matches!(nothing, Err(Error::NotFound)), "{nothing:?}");
});

both_engines!(withdrawn_tiers_are_nobodys, async |world| {
    let db = ready(world).await;
    receiver(db).await;
    let (anna, club) = member(db).await;
    let (boris, _) = member(db).await;
    let mara = marketer(world).await;
    let fresh = mara.fresh(db).expect("fresh");
    let published = async || {
        let mut conn = db.read().await.expect("a connection");
        tiers::are_published(&mut conn, &SYSTEM, club).await.expect("read")
    };
    let never = tiers::withdraw(db, &fresh, club, None).await;
    assert!(matches!(never, Err(Error::NotFound)), "{never:?}");
    let two = two(Downgrade::Earned, None);
    tiers::change(db, &mara, club, None, &two).await.expect("a draft");
    assert!(!published().await);
    tiers::discard(db, &mara, club, db.now()).await.expect("thrown away");
    let nothing = tiers::discard(db, &mara, club, db.now()).await;
    assert!(matches!(nothing, Err(Error::NotFound)), "{nothing:?}");
    publish(db, club, &two).await;
    assert!(published().await);
    buy(db, anna, "1", start(), 1_500_00).await;
    assert_eq!(work(world, start() + Duration::hours(1)).await, 0);

    tiers::change(db, &mara, club, None, &two).await.expect("a draft");
    let monday = start() + days(2);
    let withdrawn = tiers::withdraw(db, &fresh, club, Some(monday)).await;
    assert_eq!(withdrawn.expect("withdrawn"), 2);
    let mut conn = db.read().await.expect("a connection");
    let all = tiers::versions_of(&mut conn, &mara, club).await.expect("read");
    drop(conn);
    let said: Vec<_> = all.iter().map(|one| (one.version, one.definition.is_some())).collect();
    assert_eq!(said, [(3, true), (2, false), (1, true)], "the draft stands behind it");

    assert_eq!(work(world, monday - Duration::seconds(1)).await, 0);
    assert_eq!(work(world, monday).await, 1);
    assert_eq!(work(world, monday + Duration::hours(1)).await, 0, "once more");
    assert_eq!(kept(world, anna).await, (None, 1));
    let mut conn = db.read().await.expect("a connection");
    let nowhere = tiers::standing(&mut conn, anna, club).await.expect("reckoned");
    assert!(nowhere.is_none());
    drop(conn);
    buy(db, boris, "2", monday, 9_000_00).await;
    assert_eq!(steps(db, boris).await, []);
    let names: Vec<_> = told(db)
        .await
        .iter()
        .map(|one| one["data"]["name"]["en"].clone())
        .collect();
    assert_eq!(names, [json!("Silver"), Value::Null]);

    // They come back.
    let draft = tiers::publish(db, &fresh, club, all[0].changed_at, None).await;
    assert_eq!(draft.expect("published"), 3);
    assert_eq!(work(world, monday + days(1)).await, 2);
    assert_eq!(
        (kept(world, anna).await, kept(world, boris).await),
        ((Some(SILVER), 1), (Some(GOLD), 1))
    );
    let agent = people::agent(world).await;
    let refused = tiers::withdraw(db, &agent.fresh(db).expect("fresh"), club, None).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let refused = tiers::discard(db, &agent, club, db.now()).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
});

both_engines!(who_would_move_is_told_before_tiers_are_published, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let (boris, _) = member(db).await;
    member(db).await;
    let mara = marketer(world).await;
    buy(db, anna, "1", start(), 1_500_00).await;
    buy(db, boris, "2", start(), 6_000_00).await;
    let two = two(Downgrade::Earned, None);
    let preview = async |is: &Tiers| tiers::preview(db, &mara, club, is).await.expect("asked");
    let at_first = preview(&two).await;
    assert_eq!((at_first.members, at_first.is_whole, at_first.moved()), (3, true, 2));
    assert_eq!(at_first.moves[&(None, Some(GOLD))], 1);
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM tier_standings"),
        0,
        "nothing is written"
    );

    publish(db, club, &two).await;
    work(world, start() + Duration::hours(1)).await;
    assert_eq!(preview(&two).await.moved(), 0);
    let mut dearer = two.clone();
    dearer.tiers[0].threshold = 2_000_00;
    let moves = preview(&dearer).await.moves;
    assert_eq!(moves.into_iter().collect::<Vec<_>>(), [((Some(SILVER), None), 1)]);
    let mut conn = db.read().await.expect("a connection");
    let mut counts = tiers::counts(&mut conn, &mara, club).await.expect("counted");
    counts.sort();
    assert_eq!(counts, [(None, 1), (Some(SILVER), 1), (Some(GOLD), 1)]);
    let agent = people::staff(world, "agent").await;
    let refused = tiers::counts(&mut conn, &agent, club).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    drop(conn);
    let refused = tiers::preview(db, &agent, club, &two).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
});

both_engines!(what_is_kept_of_tiers_is_compared_with_the_purchases, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    publish(db, club, &two(Downgrade::Earned, Some(Span::Days(30)))).await;
    buy(db, anna, "1", start(), 1_500_00).await;
    let differences = async || {
        let all = tiers::verify(db, &BY).await.expect("compared");
        all.into_iter()
            .map(|one| (one.what, one.id, one.expected, one.found))
            .collect::<Vec<_>>()
    };
    assert_eq!(differences().await, []);
    execute!(db, "UPDATE tier_standings SET tier_id = $1", GOLD)
        .await
        .expect("spoilt");
    assert_eq!(
        differences().await,
        [("a tier is what the purchases say", anna.id().0, 1, 2)]
    );
    execute!(
        db,
        "UPDATE tier_standings SET tier_id = $1, since = $2",
        SILVER,
        day("2026-11-20")
    )
    .await
    .expect("spoilt");
    let began = i64::from(day("2026-11-21").num_days_from_ce());
    assert_eq!(
        differences().await,
        [("a tier began when the purchases say", anna.id().0, began, began - 1)]
    );
    // Whoever is to be looked at anyway is no difference.
    world.clock.set(start() + days(400));
    assert_eq!(differences().await, []);
});

both_engines!(a_threshold_is_reached_with_the_purchase, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    buy(db, anna, "0", start() - days(1), 1_00).await;
    let mut conn = db.read().await.expect("a connection");
    let nothing = tiers::standing(&mut conn, anna, club).await.expect("reckoned");
    assert!(nothing.is_none(), "the program has no tiers");
    drop(conn);

    publish(db, club, &two(Downgrade::Earned, None)).await;
    buy(db, anna, "1", start(), 998_99).await;
    let low = standing(db, anna, club).await;
    assert_eq!((low.tier, low.next.map(|next| next.missing)), (None, Some(1)));
    assert_eq!(steps(db, anna).await, []);
    buy(db, anna, "2", start(), 1).await;
    buy(db, anna, "3", start(), 4_000_00).await;
    let today = Some(day("2026-11-21"));
    assert_eq!(
        steps(db, anna).await,
        [(Some(SILVER), today, Why::Earned), (Some(GOLD), today, Why::Earned)]
    );
    assert_eq!(kept(world, anna).await, (Some(GOLD), 1));
    let high = standing(db, anna, club).await;
    assert_eq!((high.tier, high.counted, high.next), (Some(GOLD), 5_000_00, None));

    // Who is no member stands nowhere.
    let boris = customer(db).await;
    buy(db, boris, "B", start(), 9_000_00).await;
    assert_eq!(steps(db, boris).await, []);
    let mut conn = db.read().await.expect("a connection");
    let nothing = tiers::standing(&mut conn, boris, club).await.expect("reckoned");
    assert!(nothing.is_none());
});

both_engines!(a_tier_is_lost_step_by_step_however_late_the_work_comes, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let (boris, _) = member(db).await;
    publish(db, club, &two(Downgrade::Step, Some(Span::Days(30)))).await;
    buy(db, anna, "1", start(), 5_000_00).await;
    assert_eq!(work(world, noon("2027-11-20")).await, 0);
    // The day begins where the shop is, three hours before it does in UTC.
    assert_eq!(work(world, noon("2027-11-20") + Duration::hours(12)).await, 1);
    let until = day("2027-12-21");
    let graced = standing(db, anna, club).await;
    assert_eq!((graced.tier, graced.why), (Some(GOLD), Why::Grace { until }));
    assert_eq!(work(world, noon("2027-12-20")).await, 0);
    assert_eq!(work(world, noon("2027-12-21")).await, 1);
    assert_eq!(kept(world, anna).await, (Some(SILVER), 1));
    assert_eq!(work(world, noon("2027-12-21")).await, 0, "once more");
    // A month late.
    assert_eq!(work(world, noon("2028-02-20")).await, 1);
    let (gold, silver) = (Some(day("2026-11-21")), Some(day("2027-12-21")));
    assert_eq!(
        steps(db, anna).await,
        [
            (Some(GOLD), gold, Why::Earned),
            (Some(GOLD), gold, Why::Grace { until }),
            (
                Some(SILVER),
                silver,
                Why::Grace {
                    until: day("2028-01-20")
                }
            ),
            (None, None, Why::Earned),
        ]
    );

    // Whose receipt of then comes only now has come to the same.
    buy(db, boris, "2", start(), 5_000_00).await;
    assert_eq!(standing(db, boris, club).await, standing(db, anna, club).await);
    assert_eq!(steps(db, boris).await, []);
});

both_engines!(a_receipt_that_comes_late_counts_on_its_own_day, async |world| {
    let db = ready(world).await;
    receiver(db).await;
    let (anna, club) = member(db).await;
    publish(db, club, &two(Downgrade::Earned, None)).await;
    buy(db, anna, "1", start(), 600_00).await;
    buy(db, anna, "2", start() - days(10), 600_00).await;
    buy(db, anna, "3", start() - days(20), 1_000_00).await;
    assert_eq!(
        steps(db, anna).await,
        [
            (Some(SILVER), Some(day("2026-11-21")), Why::Earned),
            (Some(SILVER), Some(day("2026-11-01")), Why::Earned)
        ]
    );
    assert_eq!(told(db).await.len(), 1, "it is the same tier");
});

both_engines!(returns_voids_and_claims_change_a_tier, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    publish(db, club, &two(Downgrade::Earned, None)).await;
    buy(db, anna, "1", start() - days(2), 1_000_00).await;
    assert_eq!(kept(world, anna).await, (Some(SILVER), 1));
    slip("R", anna, start() - days(1))
        .line("tea", -1, 1_000_00)
        .book(db)
        .await;
    assert_eq!(kept(world, anna).await, (None, 1));
    void(db, &BY, "till", "R").await.expect("voided");
    assert_eq!(kept(world, anna).await, (Some(SILVER), 1));
    void(db, &BY, "till", "1").await.expect("voided");
    assert_eq!(kept(world, anna).await, (None, 1));

    slip("N", anna, start())
        .nobody()
        .line("tea", 1, 5_000_00)
        .book(db)
        .await;
    execute!(
        db,
        "UPDATE purchases SET receipt_code = 'ABCD2345' WHERE document = 'N'"
    )
    .await
    .expect("a code");
    let me = sign_in(db, anna).await;
    claim(db, &me, "ABCD2345").await.expect("claimed");
    assert_eq!(kept(world, anna).await, (Some(GOLD), 1));
    assert_books_agree(db).await;
});

both_engines!(
    who_leaves_has_no_tier_and_has_it_again_when_they_come_back,
    async |world| {
        let db = ready(world).await;
        receiver(db).await;
        let (anna, club) = member(db).await;
        let mut easy = two(Downgrade::Earned, None);
        easy.tiers[0].threshold = 0;
        publish(db, club, &easy).await;
        assert_eq!(work(world, start()).await, 1);
        assert_eq!(work(world, start() + days(1)).await, 0);
        let since = Some(day("2025-11-21"));
        assert_eq!(steps(db, anna).await, [(Some(SILVER), since, Why::Earned)]);

        let me = sign_in(db, anna).await;
        programs::leave(db, &me, "club").await.expect("left");
        assert_eq!(kept(world, anna).await, (None, 1));
        assert_eq!(work(world, start() + days(2)).await, 0);
        world.clock.set(start() + days(1));
        programs::join(db, &me, "club", 1).await.expect("joined");
        assert_eq!(kept(world, anna).await, (Some(SILVER), 1));
        let names: Vec<_> = told(db)
            .await
            .iter()
            .map(|one| one["data"]["name"]["en"].clone())
            .collect();
        assert_eq!(names, [json!("Silver"), Value::Null, json!("Silver")]);
    }
);

both_engines!(many_at_once_write_down_each_change_once, async |world| {
    let db = ready(world).await;
    receiver(db).await;
    let club = program(db, "club").await;
    // More than a batch, in one transaction.
    let crowd: Vec<Subject> = (0..300).map(|_| BY.subject(CustomerId::new())).collect();
    let of = &crowd;
    let made: Result<(), Error> = db
        .write(|tx| {
            scoped(async move {
                const PERSON: &str = "INSERT INTO customers (id, name, surname, search, language, source, registered_at, \
                                      updated_at) VALUES ($1, 'Анна', 'К', 'к анна', 'ru', 'web', $2, $2)";
                const MEMBER: &str = "INSERT INTO memberships (id, program_id, customer_id, terms_version, joined_at) \
                                      VALUES ($1, $2, $3, 1, $4)";
                let now = tx.now();
                for who in of {
                    crm::on!(tx, |c| sqlx::query(PERSON).bind(who.id()).bind(now).execute(c).await.map(drop))?;
                    crm::on!(tx, |c| sqlx::query(MEMBER)
                        .bind(MembershipId::new())
                        .bind(club)
                        .bind(who.id())
                        .bind(now)
                        .execute(c)
                        .await
                        .map(drop))?;
                }
                Ok(())
            })
        })
        .await;
    made.expect("they are there");
    let slips: Vec<Slip> = crowd
        .iter()
        .enumerate()
        .map(|(n, who)| slip(&n.to_string(), *who, start()).line("tea", 1, 1_000_00))
        .collect();
    book(db, &slips).await;
    publish(db, club, &two(Downgrade::Earned, None)).await;

    // Another node has its own pool.
    let second = Db::open(&world.url, (**db.shop()).clone(), world.clock.clone())
        .await
        .expect("a second node");
    let nodes = [db.clone(), second.clone(), db.clone(), second];
    let done = join_all(nodes.map(|node| tokio::spawn(async move { tiers::run_due(&node, &BY).await }))).await;
    let changed: u64 = done
        .into_iter()
        .map(|done| done.expect("it ends").expect("it works"))
        .sum();
    assert_eq!(changed, 300);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM tier_standings"), 300);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM tier_changes"), 300);
    assert_eq!(told(db).await.len(), 300);
    assert_eq!(tiers::run_due(db, &BY).await.expect("once more"), 0);

    // Two tills at once: whichever is second sees what the first one sold.
    let anna = crowd[0];
    let sales = (0..8).map(|n| {
        let (db, slip) = (
            db.clone(),
            slip(&format!("T-{n}"), anna, start()).line("cup", 1, 500_00),
        );
        tokio::spawn(async move { slip.book(&db).await })
    });
    for sale in join_all(sales).await {
        sale.expect("booked");
    }
    assert_eq!(kept(world, anna).await, (Some(GOLD), 1));
    assert_eq!(changes(db, anna).await.len(), 2);
});

both_engines!(a_rule_asks_for_the_tier_at_the_time_of_the_sale, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    publish(db, club, &two(Downgrade::Earned, None)).await;
    let json = json!({
        "name": {"ru": "Золотым", "en": "For gold"},
        "conditions": [
            {"tier": {"program": club, "tiers": [GOLD]}},
            {"purchase_count": {"window": {"last": {"days": 1}}, "count": {"at_most": 9}}}
        ],
        "effects": [{"points_fixed": {"program": club, "points": 10_00, "each": "purchase"}}]
    });
    let rule: Rule = serde_json::from_value(json).expect("a rule");
    rules::publish_by_system(db, &SYSTEM, None, &rule, None)
        .await
        .expect("published");
    let given = async || one!(world, i64, "SELECT COUNT(*) FROM grants");
    let hour = Duration::hours(1);
    world.clock.set(start() + days(400));
    // The sale that reaches gold is none of gold yet; the next one is.
    buy(db, anna, "1", start() + hour, 5_000_00).await;
    assert_eq!(given().await, 0);
    buy(db, anna, "2", start() + hour * 2, 1_00).await;
    assert_eq!(given().await, 1);
    // It comes late, and was before.
    buy(db, anna, "3", start() + hour / 2, 1_00).await;
    assert_eq!(given().await, 1);
    // The last day of the year, and the day after it.
    buy(db, anna, "4", noon("2027-11-20"), 1_00).await;
    assert_eq!(given().await, 2);
    buy(db, anna, "5", noon("2027-11-21"), 1_00).await;
    assert_eq!(given().await, 2);
    // Gold in a program that they are no member of is nothing.
    let boris = customer(db).await;
    buy(db, boris, "6", start(), 9_000_00).await;
    buy(db, boris, "7", start() + hour, 1_00).await;
    assert_eq!(given().await, 2);
    assert_books_agree(db).await;
});

both_engines!(another_tier_is_told_and_a_grace_is_not, async |world| {
    let db = ready(world).await;
    receiver(db).await;
    let (anna, club) = member(db).await;
    publish(db, club, &two(Downgrade::Earned, Some(Span::Days(30)))).await;
    buy(db, anna, "1", start(), 1_000_00).await;
    assert_eq!(work(world, noon("2027-11-21")).await, 1);
    assert_eq!(work(world, noon("2027-12-21")).await, 1);
    assert_eq!(
        told(db).await,
        [
            json!({"type": "tier.changed", "timestamp": "2026-11-21T12:00:00.000000Z", "data": {
                "customer": anna.id(), "program": "club", "tier": SILVER,
                "name": {"ru": "Серебро", "en": "Silver"}, "since": "2026-11-21"}}),
            json!({"type": "tier.changed", "timestamp": "2027-12-21T09:00:00.000000Z", "data": {
                "customer": anna.id(), "program": "club", "tier": null, "name": null, "since": null}}),
        ]
    );
});

both_engines!(
    a_customer_is_told_of_another_tier_and_not_of_the_first_look,
    async |world| {
        let db = ready(world).await;
        let (anna, club) = member(db).await;
        let (boris, _) = member(db).await;
        buy(db, boris, "0", start() - days(1), 9_000_00).await;
        publish(db, club, &two(Downgrade::Earned, None)).await;
        work(world, start()).await;
        buy(db, anna, "1", start(), 1_000_00).await;
        work(world, noon("2027-11-21")).await;
        let told = async |who| {
            let mut conn = db.read().await.expect("a connection");
            let all = crm::notification::list(&mut conn, who, None, 10).await.expect("read");
            let tiers = all.into_iter().filter(|one| one.kind == crm::notification::Kind::Tier);
            tiers.map(|one| one.name.map(|name| name.0.ru)).collect::<Vec<_>>()
        };
        assert_eq!(told(anna).await, [None, Some("Серебро".to_owned())], "the newest first");
        assert_eq!(told(boris).await, [None], "gold was his before anybody looked");
    }
);

both_engines!(what_comes_back_counts_for_whoever_bought_it, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let (boris, _) = member(db).await;
    publish(db, club, &two(Downgrade::Earned, None)).await;
    buy(db, anna, "A-1", start(), 5_000_00).await;
    buy(db, boris, "B-1", start(), 5_000_00).await;
    let nobodys = slip("N-1", anna, start()).line("tea", 1, 5_000_00).nobody();
    nobodys.book(db).await;
    let both = async || (kept(world, anna).await.0, kept(world, boris).await.0);
    assert_eq!(both().await, (Some(GOLD), Some(GOLD)));
    // Boris brings back what Anna bought, and what nobody did.
    let hour = Duration::hours(1);
    let theirs = slip("R-1", boris, start() + hour)
        .line("tea", -1, 5_000_00)
        .of_line("A-1", 1);
    theirs.book(db).await;
    let nobodys = slip("R-2", boris, start() + hour)
        .line("tea", -1, 5_000_00)
        .of_line("N-1", 1);
    nobodys.book(db).await;
    assert_eq!(both().await, (None, Some(GOLD)));
    assert_eq!(standing(db, boris, club).await.tier, Some(GOLD));
    assert_books_agree(db).await;
    void(db, &BY, "till", "R-1").await.expect("voided");
    assert_eq!(both().await, (Some(GOLD), Some(GOLD)));

    // The sums of rules go the same way.
    let much = r#"{"purchase_sum": {"window": {"last": {"days": 4}}, "sum": {"at_least": 500000}}}"#;
    let fixed = format!(r#"{{"points_fixed": {{"program": "{club}", "points": 1000, "each": "purchase"}}}}"#);
    crate::rules::publish(db, &crate::rules::rule("Much", much, &fixed, "")).await;
    let given = async |who: Subject, document: &str| {
        let at = start() + hour * 2;
        let sale = slip(document, who, at).line("tea", 1, 100_00).book(db).await;
        let lines = receipt(db, who, sale.id).await.lines;
        lines[0].earned.iter().map(|one| one.points).sum::<i64>() - 3_00
    };
    assert_eq!((given(anna, "A-2").await, given(boris, "B-2").await), (10_00, 10_00));
    // Those that came before their sale.
    let early = |document, price| {
        let slip = slip(document, boris, start() + hour).line("tea", -1, price);
        slip.of_line("A-3", 1)
    };
    early("R-3", 5_100_00).nobody().book(db).await;
    early("R-5", 5_100_00).book(db).await;
    assert_eq!(both().await, (Some(GOLD), None), "nobody knows yet whose it was");
    slip("A-3", anna, start()).line("tea", 2, 5_100_00).book(db).await;
    assert_eq!(both().await, (Some(GOLD), Some(GOLD)));
    let again = slip("R-4", boris, start() + hour)
        .line("tea", -1, 5_000_00)
        .of_line("A-1", 1);
    again.book(db).await;
    assert_eq!(both().await, (None, Some(GOLD)));
    assert_eq!((given(anna, "A-4").await, given(boris, "B-4").await), (0, 10_00));
    assert_books_agree(db).await;
});

both_engines!(what_came_back_entirely_is_no_purchase_of_a_tier, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    let (boris, _) = member(db).await;
    let mut counting = two(Downgrade::Earned, None);
    counting.measure = Measure::Count;
    counting.tiers[0].threshold = 2;
    counting.tiers[1].threshold = 3;
    publish(db, club, &counting).await;
    for n in 1..=3 {
        let slip = slip(&n.to_string(), anna, start() - days(4 - n));
        slip.line("tea", 2, 1_00).line("cup", 1, 1_00).book(db).await;
    }
    let counted = async |who: Subject| (kept(world, who).await.0, standing(db, who, club).await.counted);
    assert_eq!(counted(anna).await, (Some(GOLD), 3));
    // With something of it left it is a purchase.
    let back = |document: &str, who: Subject, article: &str, quantity: i64, line: i64| {
        let slip = slip(document, who, start()).line(article, -quantity, 1_00);
        slip.of_line("3", line)
    };
    back("R-1", anna, "tea", 2, 1).book(db).await;
    assert_eq!(counted(anna).await, (Some(GOLD), 3));
    back("R-2", anna, "cup", 1, 2).book(db).await;
    assert_eq!(counted(anna).await, (Some(SILVER), 2));
    assert_books_agree(db).await;
    void(db, &BY, "till", "R-2").await.expect("voided");
    assert_eq!(counted(anna).await, (Some(GOLD), 3));
    // Whoever brings back what somebody else bought has bought nothing by that.
    back("R-3", boris, "cup", 1, 2).book(db).await;
    assert_eq!(counted(anna).await, (Some(SILVER), 2));
    assert_eq!(counted(boris).await, (None, 0));
    assert_books_agree(db).await;
});

both_engines!(what_tiers_give_is_told_and_what_they_were_called, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    publish(db, club, &two(Downgrade::Earned, None)).await;
    buy(db, anna, "1", start(), 1_500_00).await;
    let rule = |name: &str, conditions: Value, effects: Value| {
        let json = json!({"name": {"ru": name, "en": name}, "conditions": conditions, "effects": effects});
        serde_json::from_value::<Rule>(json).expect("a rule")
    };
    let gold = json!({"tier": {"program": club, "tiers": [GOLD]}});
    let off = json!({"percent_off": {"share": 500, "each": "line"}});
    let said = json!({"message": {"to": "cashier", "text": {"ru": "Тише", "en": "Hush"}}});
    for rule in [
        rule("given", json!([{"any": [gold, "first_purchase"]}]), json!([off, said])),
        rule("other way round", json!([{"not": gold}]), json!([off])),
        rule("segment", json!([gold, {"segment": ["tea"]}]), json!([off])),
        rule("words alone", json!([gold]), json!([said])),
    ] {
        let published = rules::publish_by_system(db, &SYSTEM, None, &rule, None).await;
        published.expect("published");
    }
    let mut conn = db.read().await.expect("a connection");
    let benefits = tiers::benefits(&mut conn, club).await.expect("read");
    let told: Vec<_> = benefits
        .iter()
        .map(|one| {
            (
                one.rule.name.en.as_str(),
                one.tiers.contains(&GOLD),
                one.rule.effects.len(),
            )
        })
        .collect();
    assert_eq!(told, [("given", true, 1)]);
    let elsewhere = program(db, "family").await;
    assert_eq!(tiers::benefits(&mut conn, elsewhere).await.expect("read"), []);
    let current = tiers::current(&mut conn).await.expect("read");
    assert_eq!(current.keys().collect::<Vec<_>>(), [&club]);
    drop(conn);

    let mut renamed = two(Downgrade::Earned, None);
    renamed.tiers[0].name.en = "Pearl".into();
    world.clock.set(start() + days(1));
    publish(db, club, &renamed).await;
    let mut conn = db.read().await.expect("a connection");
    let changes = tiers::changes_in(&mut conn, anna, club).await.expect("read");
    let called: Vec<_> = changes
        .iter()
        .map(|(change, tiers)| Some(tiers.as_ref()?.get(change.tier?)?.name.en.clone()))
        .collect();
    assert_eq!(called, [Some("Silver".to_owned())], "as it was called then");
    assert_eq!(tiers::changes_in(&mut conn, anna, elsewhere).await.expect("read"), []);
});
