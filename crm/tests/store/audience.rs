//! How lately, how often and for how much customers buy, and who is found by what is known of them, on both engines.

use crate::common::people::{agent, lead, marketer, one, sql};
use crate::common::*;
use crm::audience::{self, Filter, Last};
use crm::both_engines;
use crm::consent::{Act, store as consents};
use crm::customer::Channel;
use crm::db::Db;
use crm::error::Error;
use crm::flaw::Flaw;
use crm::id::{CustomerId, SegmentId};
use crm::lang::{Lang, Localized};
use crm::rfm::{Group, Scores, store as rfm};
use crm::segment;
use crm::testing::start;
use crm::who::{Staff, Subject};

/// Five who bought: the first once, long ago and for little, the fifth five times, lately and for much.
async fn buyers(db: &Db) -> Vec<Subject> {
    let mut all = Vec::new();
    for n in 1..=5_i64 {
        let who = customer(db).await;
        for receipt in 1..=n {
            slip(&format!("R-{n}-{receipt}"), who, start() - days(60 - 10 * n))
                .line("чай", 1, n * 1_000)
                .book(db)
                .await;
        }
        all.push(who);
    }
    all
}

async fn scores(db: &Db, who: Subject) -> Option<(i64, i64, i64)> {
    let mut conn = db.read().await.expect("a connection");
    let scores = rfm::of(&mut conn, who).await.expect("read");
    scores.map(
        |Scores {
             recency,
             frequency,
             monetary,
         }| (recency, frequency, monetary),
    )
}

async fn count(db: &Db) -> bool {
    rfm::run_due(db, &BY, || true).await.expect("counted")
}

both_engines!(fifths_of_all_buyers_are_told_once_a_day, async |world| {
    let db = ready(world).await;
    let all = buyers(db).await;
    let (never, long_ago) = (customer(db).await, customer(db).await);
    slip("OLD", long_ago, start() - days(400))
        .line("чай", 1, 900_000)
        .book(db)
        .await;
    assert!(rfm::counted(db).await.expect("read").is_none());
    let stopped = rfm::run_due(db, &BY, || false).await.expect("stopped");
    assert!(!stopped && rfm::counted(db).await.expect("read").is_none());
    assert!(count(db).await);
    for (who, n) in all.iter().zip(1..) {
        assert_eq!(scores(db, *who).await, Some((n, n, n)));
    }
    for who in [never, long_ago] {
        assert_eq!(scores(db, who).await, None, "bought nothing in twelve months");
    }
    let counted = rfm::counted(db).await.expect("read").expect("counted");
    let groups: Vec<_> = counted
        .groups
        .iter()
        .map(|one| (one.group, one.customers, one.paid))
        .collect();
    let expected = [
        (Group::Champions, 2, 41_000),
        (Group::Attention, 1, 9_000),
        (Group::Sleeping, 2, 5_000),
    ];
    assert_eq!(groups, expected);
    assert!(!count(db).await, "once a day");
    let (first, last) = (all[0].id(), all[4].id());
    // On the next day it is as it is then: what was voided and who is erased counts no more, and nothing of it is left.
    sql!(
        world,
        "UPDATE purchases SET voided_at = $2 WHERE customer_id = $1",
        last,
        start()
    );
    sql!(
        world,
        "UPDATE customers SET erased_at = $2 WHERE id = $1",
        first,
        start()
    );
    world.clock.set(start() + days(1));
    assert!(count(db).await);
    for gone in [all[4], all[0]] {
        assert_eq!(scores(db, gone).await, None);
    }
    assert_eq!(scores(db, all[1]).await, Some((1, 1, 1)));
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM customer_rfm"), 3);
});

/// Who is found, by somebody who sees it.
async fn found(db: &Db, by: &Staff, filter: Filter) -> Vec<CustomerId> {
    let found = audience::look(db, by, &filter, None, 50).await.expect("looked");
    let lines = found.lines.expect("a lead sees them");
    assert_eq!(found.count, lines.len() as i64);
    let mut ids: Vec<_> = lines.into_iter().map(|line| line.id).collect();
    ids.sort_unstable();
    ids
}

both_engines!(customers_are_found_by_what_is_known_of_them, async |world| {
    let db = ready(world).await;
    let all = buyers(db).await;
    let ids = |places: &[usize]| {
        let mut ids: Vec<_> = places.iter().map(|place| all[*place].id()).collect();
        ids.sort_unstable();
        ids
    };
    count(db).await;
    let (lead, mara) = (lead(world).await, marketer(world).await);
    let tver = store(db, "tver").await;
    let [first, second, _, fourth, fifth] = [0, 1, 2, 3, 4].map(|place| all[place].id());
    sql!(
        world,
        "UPDATE customers SET favourite_store_id = $2 WHERE id = $1",
        second,
        tver
    );
    join(db, all[2], "club", start()).await;
    let club = program(db, "club").await;
    let by = sign_in(db, all[3]).await;
    for act in [Act::Given, Act::Withdrawn, Act::Given] {
        consents::change(db, &by, "marketing_sms", act, 1, Lang::Ru)
            .await
            .expect("told");
    }
    let none = Filter::default();
    assert_eq!(found(db, &lead, none).await, ids(&[0, 1, 2, 3, 4]));
    for (filter, expected) in [
        (
            Filter {
                store: Some(tver),
                ..none
            },
            ids(&[1]),
        ),
        (
            Filter {
                program: Some(club),
                ..none
            },
            ids(&[2]),
        ),
        (
            Filter {
                channel: Some(Channel::Sms),
                ..none
            },
            ids(&[3]),
        ),
        (
            Filter {
                channel: Some(Channel::Email),
                ..none
            },
            ids(&[]),
        ),
        (
            Filter {
                group: Some(Group::Champions),
                ..none
            },
            ids(&[3, 4]),
        ),
        // They bought 50, 40, 30, 20 and 10 days ago.
        (
            Filter {
                last: Some(Last::Within(30)),
                ..none
            },
            ids(&[2, 3, 4]),
        ),
        (
            Filter {
                last: Some(Last::Before(30)),
                ..none
            },
            ids(&[0, 1]),
        ),
        (
            Filter {
                last: Some(Last::Before(90)),
                ..none
            },
            ids(&[]),
        ),
        (
            Filter {
                store: Some(tver),
                program: Some(club),
                ..none
            },
            ids(&[]),
        ),
    ] {
        assert_eq!(found(db, &lead, filter).await, expected, "{filter:?}");
    }
    consents::change(db, &by, "marketing_sms", Act::Withdrawn, 1, Lang::Ru)
        .await
        .expect("told");
    let by_sms = Filter {
        channel: Some(Channel::Sms),
        ..none
    };
    assert_eq!(found(db, &lead, by_sms).await, ids(&[]), "what was done last counts");
    // Page by page each of them once; what was looked for is in the log, by codes alone.
    let (mut after, mut met) = (None, Vec::new());
    for _ in 0..3 {
        let page = audience::look(db, &lead, &none, after, 2).await.expect("looked");
        met.extend(page.lines.expect("seen").into_iter().map(|line| line.id));
        after = page.next;
    }
    met.sort_unstable();
    assert_eq!((met, after), (ids(&[0, 1, 2, 3, 4]), None));
    let champions = Filter {
        group: Some(Group::Champions),
        ..none
    };
    found(db, &lead, champions).await;
    let log = "SELECT reason FROM audit WHERE action = 'audience.read' ORDER BY id DESC LIMIT 1";
    assert_eq!(one!(world, String, log), "2 shown, rfm champions");

    // Whoever writes rules sees how many, and keeps them as a segment; an agent does neither.
    let seen = audience::look(db, &mara, &champions, None, 50).await.expect("looked");
    assert_eq!((seen.count, seen.lines), (2, None));
    assert_eq!(one!(world, String, log), "2 found, rfm champions");
    let refused = audience::look(db, &agent(world).await, &none, None, 50).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let name = Localized::new("Лучшие", "Best");
    let best = segment::create(db, &mara, "best", &name).await.expect("created");
    let refused = audience::keep(db, &lead, &champions, best).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let nowhere = audience::keep(db, &mara, &champions, SegmentId::new()).await;
    assert!(matches!(nowhere, Err(Error::NotFound)), "{nowhere:?}");
    for changed in [2, 0] {
        assert_eq!(
            audience::keep(db, &mara, &champions, best).await.expect("kept"),
            changed
        );
    }
    let of_it = Filter {
        segment: Some(best),
        ..none
    };
    assert_eq!(found(db, &lead, of_it).await, ids(&[3, 4]));
    // Who went into another account, and who is erased, is found no more.
    sql!(
        world,
        "UPDATE customers SET merged_into = $2 WHERE id = $1",
        fourth,
        first
    );
    sql!(
        world,
        "UPDATE customers SET erased_at = $2 WHERE id = $1",
        fifth,
        start()
    );
    assert_eq!(found(db, &lead, none).await, ids(&[0, 1, 2]));
    assert_eq!(found(db, &lead, of_it).await, ids(&[]));
});

both_engines!(more_than_a_list_holds_are_put_into_no_segment, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let name = Localized::new("Все", "All");
    let all = segment::create(db, &mara, "all", &name).await.expect("created");
    let many = segment::LINES_MAX + 1;
    let ids: Vec<CustomerId> = (0..many).map(|_| CustomerId::new()).collect();
    for part in ids.chunks(1_000) {
        let written: Result<(), Error> = db
            .write(|tx| {
                crm::db::scoped(async move {
                    let now = tx.now();
                    let mut rows = crm::db::Rows::new(
                        "INSERT INTO customers (id, name, surname, search, language, source, registered_at, updated_at)",
                        "",
                    );
                    for id in part {
                        use crm::db::Bind;
                        let text = |text: &str| Bind::Text(text.to_owned());
                        rows.push([
                            Bind::Id(id.0),
                            text("А"),
                            text("Б"),
                            text("б а"),
                            text("ru"),
                            text("web"),
                            Bind::Time(now),
                            Bind::Time(now),
                        ]);
                    }
                    Ok(crm::db::insert(tx, rows).await?)
                })
            })
            .await;
        written.expect("written");
    }
    let kept = audience::keep(db, &mara, &Filter::default(), all).await;
    let flaw = (
        "segment".to_owned(),
        Flaw::TooManyLines {
            max: segment::LINES_MAX,
        },
    );
    assert!(
        matches!(&kept, Err(Error::Invalid(flaws)) if flaws[0] == flaw),
        "{kept:?}"
    );
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM segment_members"), 0);
    let seen = audience::look(db, &mara, &Filter::default(), None, 50)
        .await
        .expect("looked");
    assert_eq!(seen.count, audience::COUNT_MAX + 1, "no more are counted");
});
