//! Programs as staff write them, on both engines.

use crate::common::people::{self, marketer, one, text};
use crate::common::*;
use chrono::Duration;
use crm::both_engines;
use crm::error::Error;
use crm::flaw::Flaw;
use crm::id::ProgramId;
use crm::lang::Localized;
use crm::program::store as programs;
use crm::program::store::managing::{self, Terms};
use crm::testing::{World, start};

fn terms(share: i64) -> Terms {
    Terms {
        name: text("Tea club"),
        summary: text("Points for tea"),
        terms: text("Drink tea"),
        share,
        delay_days: 0,
        term_days: 90,
    }
}

/// What was written down of programs, as `action reason`, the first first.
async fn log(world: &World) -> Vec<String> {
    let mut conn = world.db.read().await.expect("a connection");
    let rows: Vec<(String, String)> = crm::on!(conn, |c| sqlx::query_as(
        "SELECT action, reason FROM audit WHERE action LIKE 'program.%' ORDER BY id"
    )
    .fetch_all(c)
    .await)
    .expect("read");
    rows.iter()
        .map(|(action, reason)| format!("{action} {reason}").trim().to_owned())
        .collect()
}

both_engines!(a_program_is_added_and_its_terms_replaced, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let fresh = mara.fresh(db).expect("fresh");
    let made = managing::create(db, &fresh, " Tea ", false, &terms(500))
        .await
        .expect("added");
    let taken = managing::create(db, &fresh, "tea", false, &terms(500)).await;
    assert!(
        matches!(&taken, Err(Error::Invalid(flaws)) if flaws == &[("key".to_owned(), Flaw::Taken)]),
        "{taken:?}"
    );
    let nonsense = Terms {
        name: Localized::new(" ", "a".repeat(61)),
        share: 10_001,
        delay_days: -1,
        term_days: 0,
        ..terms(1)
    };
    let refused = managing::create(db, &fresh, "чай", false, &nonsense).await;
    let Err(Error::Invalid(flaws)) = refused else {
        panic!("{refused:?}")
    };
    let at: Vec<&str> = flaws.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(at, ["key", "name_ru", "name_en", "share", "delay", "term"]);
    assert_eq!(flaws[3].1, Flaw::OutOfRange { min: 0, max: 100 });

    // Somebody joins under the first terms, buys, and buys again under the second.
    let anna = customer(db).await;
    let me = sign_in(db, anna).await;
    programs::join(db, &me, "tea", 1).await.expect("joined");
    let lots = async || {
        one!(
            world,
            i64,
            "SELECT CAST(COALESCE(SUM(points), 0) AS BIGINT) FROM lots WHERE program_id = $1",
            made
        )
    };
    world.clock.set(start() + Duration::minutes(1));
    slip("1", anna, db.now()).line("tea", 1, 100_00).book(db).await;
    assert_eq!(lots().await, 5_00);
    let nothing = managing::publish(db, &fresh, "tea", db.now(), None).await;
    assert!(matches!(nothing, Err(Error::Stale)), "{nothing:?}");
    managing::write(db, &mara, "tea", None, &terms(1_000))
        .await
        .expect("written");
    let quicker = managing::write(db, &mara, "tea", None, &terms(1)).await;
    assert!(matches!(quicker, Err(Error::Stale)), "{quicker:?}");
    let seen = db.now();
    let stale = managing::publish(db, &fresh, "tea", seen - Duration::seconds(1), None).await;
    assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
    let second = managing::publish(db, &fresh, "tea", seen, None).await;
    assert_eq!(second.expect("published"), 2);
    world.clock.set(start() + Duration::minutes(2));
    slip("2", anna, db.now()).line("tea", 1, 100_00).book(db).await;
    assert_eq!(lots().await, 15_00);

    let (entry, versions) = managing::history(db, &mara, "tea").await.expect("read");
    assert_eq!(
        (entry.version, entry.share, entry.members, entry.points),
        (2, 1_000, 1, 15_00)
    );
    let said: Vec<_> = versions
        .iter()
        .map(|one| (one.version, one.terms.share, one.members))
        .collect();
    assert_eq!(said, [(2, 1_000, 0), (1, 500, 1)], "Anna agreed to the first");
    assert_eq!(versions[0].published_by.as_deref(), Some(mara.name()));
    let all = managing::list(db, &mara).await.expect("listed");
    let codes: Vec<&str> = all.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, ["club", "family", "holiday", "tea"], "the new one stands behind");
    assert_eq!(
        log(world).await,
        [
            "program.create",
            "program.join",
            "program.draft",
            "program.publish 1 → 2",
            "program.read",
            "program.list"
        ]
    );
    // What a customer reads of it.
    let mut conn = db.read().await.expect("a connection");
    let told = programs::versions(&mut conn, made).await.expect("read");
    assert_eq!(told.iter().map(|one| one.version).collect::<Vec<_>>(), [2, 1]);
    let first = programs::of_version(&mut conn, anna, made, 1).await.expect("read");
    assert_eq!((first.version, first.share, first.joined_at.is_some()), (1, 500, true));
    let ahead = programs::of_version(&mut conn, anna, made, 3).await;
    assert!(matches!(ahead, Err(Error::NotFound)), "{ahead:?}");
    let times = programs::memberships(&mut conn, anna, made).await.expect("read");
    let times: Vec<_> = times.iter().map(|time| (time.terms_version, time.left_at)).collect();
    assert_eq!(times, [(1, None)]);
    drop(conn);
    let nothing = managing::history(db, &mara, "nothing").await;
    assert!(matches!(nothing, Err(Error::NotFound)), "{nothing:?}");
    let nothing = managing::publish(db, &fresh, "nothing", seen, None).await;
    assert!(matches!(nothing, Err(Error::NotFound)), "{nothing:?}");
    assert_books_agree(db).await;
});

both_engines!(
    a_closed_program_takes_nobody_and_gives_nothing_until_it_opens,
    async |world| {
        let db = ready(world).await;
        let mara = marketer(world).await;
        let fresh = mara.fresh(db).expect("fresh");
        let anna = customer(db).await;
        join(db, anna, "club", start() - days(30)).await;
        let me = sign_in(db, customer(db).await).await;
        let postings = async || one!(world, i64, "SELECT COUNT(*) FROM postings");
        let open = managing::reopen(db, &fresh, "club").await;
        assert!(matches!(open, Err(Error::Stale)), "{open:?}");
        managing::close(db, &fresh, "club").await.expect("closed");
        let twice = managing::close(db, &fresh, "club").await;
        assert!(matches!(twice, Err(Error::Stale)), "{twice:?}");
        world.clock.set(start() + Duration::minutes(1));
        slip("1", anna, db.now()).line("tea", 1, 100_00).book(db).await;
        assert_eq!(postings().await, 0);
        let shut = programs::join(db, &me, "club", 1).await;
        assert!(matches!(shut, Err(Error::NotFound)), "{shut:?}");
        managing::reopen(db, &fresh, "club").await.expect("open");
        world.clock.set(start() + Duration::minutes(2));
        slip("2", anna, db.now()).line("tea", 1, 100_00).book(db).await;
        assert!(postings().await > 0);
        programs::join(db, &me, "club", 1).await.expect("joined");

        managing::set_automatic(db, &mara, "club", false)
            .await
            .expect("changed");
        assert!(
            !managing::get(&mut db.read().await.expect("a connection"), &mara, "club")
                .await
                .expect("read")
                .automatic
        );
        managing::set_automatic(db, &mara, "club", true).await.expect("changed");
        assert_eq!(
            log(world).await,
            [
                "program.close",
                "program.reopen",
                "program.join",
                "program.by_choice",
                "program.automatic"
            ]
        );
    }
);

both_engines!(programs_are_written_by_who_has_the_right, async |world| {
    let db = ready(world).await;
    let agent = people::agent(world).await;
    let fresh = agent.fresh(db).expect("fresh");
    let mut conn = db.read().await.expect("a connection");
    let refused = [
        managing::list(db, &agent).await.err(),
        managing::get(&mut conn, &agent, "club").await.err(),
        managing::history(db, &agent, "club").await.err(),
        managing::create(db, &fresh, "tea", true, &terms(1)).await.err(),
        managing::draft(&mut conn, &agent, ProgramId::new()).await.err(),
        managing::write(db, &agent, "club", None, &terms(1)).await.err(),
        managing::discard(db, &agent, "club", start()).await.err(),
        managing::publish(db, &fresh, "club", start(), None).await.err(),
        managing::withdraw(db, &fresh, "club").await.err(),
        managing::set_automatic(db, &agent, "club", false).await.err(),
        managing::close(db, &fresh, "club").await.err(),
        managing::reopen(db, &fresh, "club").await.err(),
    ];
    for (n, error) in refused.iter().enumerate() {
        assert!(matches!(error, Some(Error::Forbidden)), "{n}: {error:?}");
    }
});

both_engines!(terms_that_lie_ahead_count_from_their_moment_on, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let fresh = mara.fresh(db).expect("fresh");
    let made = managing::create(db, &fresh, "tea", true, &terms(500))
        .await
        .expect("added");
    let begins = start() + Duration::minutes(5);
    managing::write(db, &mara, "tea", None, &terms(1_000))
        .await
        .expect("written");
    let late = managing::publish(db, &fresh, "tea", db.now(), Some(start() - Duration::seconds(1))).await;
    assert!(matches!(late, Err(Error::Invalid(_))), "{late:?}");
    let publish = async || {
        let draft = managing::draft(&mut db.read().await.expect("a connection"), &mara, made).await;
        let seen = draft.expect("read").expect("a draft").changed_at;
        managing::publish(db, &fresh, "tea", seen, Some(begins)).await
    };
    assert_eq!(publish().await.expect("published"), 2);
    // No other one before it has begun or is taken back.
    managing::write(db, &mara, "tea", None, &terms(1))
        .await
        .expect("written");
    let two = publish().await;
    assert!(matches!(two, Err(Error::Stale)), "{two:?}");
    managing::withdraw(db, &fresh, "tea").await.expect("taken back");
    let none = managing::withdraw(db, &fresh, "tea").await;
    assert!(matches!(none, Err(Error::Stale)), "{none:?}");
    managing::discard(db, &mara, "tea", db.now())
        .await
        .expect("the other draft had stayed");
    let none = managing::discard(db, &mara, "tea", db.now()).await;
    assert!(matches!(none, Err(Error::Stale)), "{none:?}");
    managing::write(db, &mara, "tea", None, &terms(1_000))
        .await
        .expect("written");
    assert_eq!(publish().await.expect("published"), 2);

    // A till's clock is ahead: what was bought under it keeps it from being taken back.
    slip("1", customer(db).await, begins)
        .line("tea", 1, 100_00)
        .book(db)
        .await;
    let bought = managing::withdraw(db, &fresh, "tea").await;
    assert!(matches!(bought, Err(Error::Stale)), "{bought:?}");

    // Until it begins the first is shown, agreed to and listed.
    let me = sign_in(db, customer(db).await).await;
    let shown = async || {
        let program = programs::get(&mut db.read().await.expect("a connection"), me.me(), "tea").await;
        program.expect("read").version
    };
    let listed = async || managing::list(db, &mara).await.expect("listed")[3].version;
    assert_eq!((shown().await, listed().await), (1, 1));
    let ahead = programs::join(db, &me, "tea", 2).await;
    assert!(matches!(ahead, Err(Error::Stale)), "{ahead:?}");
    world.clock.set(begins);
    assert_eq!((shown().await, listed().await), (2, 2));
    let behind = programs::join(db, &me, "tea", 1).await;
    assert!(matches!(behind, Err(Error::Stale)), "{behind:?}");
    programs::join(db, &me, "tea", 2).await.expect("joined");
    let begun = managing::withdraw(db, &fresh, "tea").await;
    assert!(matches!(begun, Err(Error::Stale)), "{begun:?}");
});
