//! Points that go from one customer to another, and corrections by staff.

use crate::common::people::{self, staff as agent};
use crate::common::*;
use chrono::Duration;
use crm::both_engines;
use crm::db::Db;
use crm::error::Error;
use crm::flaw::Flaw;
use crm::id::{ProgramId, TransferId};
use crm::points::store::{SpendError, TransferError, adjustments, run_due as work, transfers};
use crm::points::{
    AdjustmentState, NewAdjustment, NewTransfer, Policy, Receiver, TransactionKind, TransferState, store,
};
use crm::request::mention;
use crm::staff::Role;
use crm::staff::approval::Step;
use crm::testing::{World, start};
use crm::who::{self, Reason, Staff, Subject};

/// Two customers since long ago, the first with 10.00 and 10.00 points, the second with a card.
pub(crate) struct Pair {
    pub(crate) anna: Subject,
    pub(crate) boris: Subject,
    pub(crate) card: String,
    pub(crate) family: ProgramId,
}

pub(crate) async fn pair(world: &World) -> Pair {
    let db = ready(world).await;
    let (anna, boris) = (since(db, 100).await, since(db, 100).await);
    let card = card(db, boris, "active").await;
    let family = program(db, "family").await;
    fund(db, anna, 10_00, start()).await;
    fund(db, anna, 10_00, start() + days(10)).await;
    world.clock.set(start() + days(11));
    Pair {
        anna,
        boris,
        card,
        family,
    }
}

/// Somebody who registered some days before the test begins.
async fn since(db: &Db, n: i64) -> Subject {
    let who = customer(db).await;
    const SQL: &str = "UPDATE customers SET registered_at = $2 WHERE id = $1";
    execute!(db, SQL, who.id(), start() - days(n))
        .await
        .expect("registered");
    who
}

pub(crate) async fn give(
    db: &Db,
    from: Subject,
    card: &str,
    program: ProgramId,
    points: i64,
) -> Result<TransferId, TransferError> {
    let by = sign_in(db, from).await;
    let new = NewTransfer {
        to: Receiver::Card(card.into()),
        program,
        points,
    };
    transfers::transfer(db, &by.fresh(db).expect("fresh"), &new).await
}

async fn states(db: &Db, of: Subject) -> Vec<(bool, i64, TransferState)> {
    let mut conn = db.read().await.expect("a connection");
    let list = transfers::list(&mut conn, of, None, 10).await.expect("a list");
    list.iter().map(|t| (t.is_sent, t.points, t.state)).collect()
}

both_engines!(points_arrive_with_the_day_on_which_they_expire, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    give(db, pair.anna, &pair.card, pair.family, 12_00).await.expect("sent");
    assert_eq!(held(db, pair.anna).await, (8_00, 0));
    assert_eq!(held(db, pair.boris).await, (0, 0), "on their way");
    assert_eq!(states(db, pair.anna).await, [(true, 12_00, TransferState::Pending)]);
    assert_eq!(states(db, pair.boris).await, []);
    assert_books_agree(db).await;

    let sent = start() + days(11);
    world
        .clock
        .set(sent + Duration::minutes(60) - Duration::microseconds(1));
    assert_eq!(work(db, &BY).await.expect("too early").transferred, 0);
    world.clock.set(sent + days(1));
    let other = Db::open(&world.url, (**db.shop()).clone(), world.clock.clone())
        .await
        .expect("a second process");
    let all = tokio::join!(work(db, &BY), work(&other, &BY), work(db, &BY));
    let arrived = [all.0, all.1, all.2].map(|report| report.expect("done").transferred);
    assert_eq!(arrived.iter().sum::<u64>(), 1, "once");
    assert_eq!(
        lots(db, pair.boris).await,
        [(10_00, start() + days(90)), (2_00, start() + days(100))]
    );
    for (who, sign) in [(pair.anna, -1), (pair.boris, 1)] {
        let mut conn = db.read().await.expect("a connection");
        let newest = store::history(&mut conn, who, None, 1)
            .await
            .expect("a history")
            .remove(0);
        assert_eq!(
            (newest.kind, newest.points()),
            (TransactionKind::Transfer, sign * 12_00)
        );
        let at = if sign < 0 { sent } else { sent + Duration::minutes(60) };
        assert_eq!(newest.at, at, "as of the moment it was due");
    }
    assert_eq!(states(db, pair.boris).await, [(false, 12_00, TransferState::Completed)]);
    let sent = transfers::list(&mut db.read().await.expect("a connection"), pair.anna, None, 1)
        .await
        .expect("a list");
    let stale = transfers::cancel(db, &sign_in(db, pair.anna).await, sent[0].id).await;
    assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
    assert_books_agree(db).await;
    // What arrived can be spent.
    spend(db, pair.boris, pair.family, 12_00).await;
    assert_eq!(held(db, pair.boris).await, (0, 0));
    assert_books_agree(db).await;
});

both_engines!(a_message_has_dates_as_its_reader_writes_them, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    people::contact(world, pair.anna.id(), crm::contact::Kind::Email, "anna@example.com").await;
    execute!(db, "UPDATE contacts SET verified_at = created_at")
        .await
        .expect("proved");
    execute!(db, "UPDATE customers SET language = 'en' WHERE id = $1", pair.anna.id())
        .await
        .expect("she reads English");
    give(db, pair.anna, &pair.card, pair.family, 1_00).await.expect("sent");
    let body = people::one!(world, String, "SELECT body FROM outbox WHERE template = 'points_sent'");
    let until = db.shop().local(start() + days(11) + Duration::minutes(60));
    assert!(body.contains(&crm::lang::Lang::En.moment(until)), "{body}");
});

both_engines!(
    points_go_to_a_phone_and_nobody_learns_whose_it_is_before,
    async |world| {
        let db = &world.db;
        let pair = pair(world).await;
        let (his, nobodys) = ("+79005550001", "+79005550002");
        people::contact(world, pair.boris.id(), crm::contact::Kind::Phone, his).await;
        let to = |phone: &str| NewTransfer {
            to: Receiver::Phone(phone.into()),
            program: pair.family,
            points: 1_00,
        };
        let send = async |phone: &str| {
            let by = sign_in(db, pair.anna).await;
            transfers::transfer(db, &by.fresh(db).expect("fresh"), &to(phone)).await
        };
        // It was not proved yet to be his.
        assert!(matches!(send(his).await, Err(TransferError::Recipient)));
        execute!(db, "UPDATE contacts SET verified_at = created_at")
            .await
            .expect("proved");
        let by = sign_in(db, pair.anna).await;
        let fresh = by.fresh(db).expect("fresh");
        let plans = [
            transfers::plan(db, &fresh, &to(his)).await.expect("planned"),
            transfers::plan(db, &fresh, &to(nobodys)).await.expect("planned"),
        ];
        assert_eq!(plans[0], plans[1], "the same of a phone that nobody has");
        assert_eq!(plans[0].name, None);
        send(his).await.expect("sent");
        assert!(matches!(send(nobodys).await, Err(TransferError::Recipient)));
        // Whoever blocked their card is not found by their phone either.
        execute!(
            db,
            "UPDATE cards SET state = 'blocked' WHERE customer_id = $1",
            pair.boris.id()
        )
        .await
        .expect("blocked");
        assert!(matches!(send(his).await, Err(TransferError::Recipient)));
        assert_eq!(held(db, pair.anna).await, (19_00, 0));
        // What was refused counts as well: five phones a day.
        assert!(matches!(send(nobodys).await, Err(TransferError::Recipient)));
        for phone in [his, nobodys] {
            let told = send(phone).await;
            assert!(
                matches!(told, Err(TransferError::Crm(Error::TooMany { .. }))),
                "{told:?}"
            );
        }
        world.clock.set(db.now() + days(1));
        assert!(
            matches!(send(nobodys).await, Err(TransferError::Recipient)),
            "another day"
        );
    }
);

both_engines!(transfers_are_listed_page_by_page, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    // Two of the same moment, so that a page ends between them.
    for n in 0..5 {
        if n != 3 {
            world.clock.set(db.now() + Duration::minutes(1));
        }
        give(db, pair.anna, &pair.card, pair.family, 1_00).await.expect("sent");
    }
    let mut conn = db.read().await.expect("a connection");
    let all = transfers::list(&mut conn, pair.anna, None, 10).await.expect("all");
    assert_eq!(all.len(), 5);
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = transfers::list(&mut conn, pair.anna, before, 2).await.expect("a page");
        let Some(last) = page.last() else { break };
        before = Some((last.created_at, last.id.0));
        found.extend(page);
    }
    assert_eq!(found, all);
});

both_engines!(what_arrives_can_be_spent_though_the_daily_work_is_late, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    give(db, pair.anna, &pair.card, pair.family, 12_00).await.expect("sent");
    world.clock.set(start() + days(12));
    reserve(db, pair.boris, pair.family, "1", 12_00)
        .await
        .expect("it is there");
    assert_books_agree(db).await;
});

both_engines!(points_on_their_way_can_be_called_back, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    let own = lots(db, pair.anna).await;
    let id = give(db, pair.anna, &pair.card, pair.family, 12_00).await.expect("sent");
    let by_boris = transfers::cancel(db, &sign_in(db, pair.boris).await, id).await;
    assert!(matches!(by_boris, Err(Error::NotFound)), "{by_boris:?}");
    let anna = sign_in(db, pair.anna).await;
    world.clock.set(start() + days(11) + Duration::minutes(59));
    transfers::cancel(db, &anna, id).await.expect("called back");
    assert_eq!(lots(db, pair.anna).await, own);
    let again = transfers::cancel(db, &anna, id).await;
    assert!(matches!(again, Err(Error::Stale)), "{again:?}");
    assert_eq!(states(db, pair.anna).await, [(true, 12_00, TransferState::Cancelled)]);
    assert_eq!(states(db, pair.boris).await, []);
    // From the moment they are due on it is too late, though the daily work has not come round.
    let id = give(db, pair.anna, &pair.card, pair.family, 1_00).await.expect("sent");
    world.clock.set(start() + days(11) + Duration::minutes(119));
    let late = transfers::cancel(db, &anna, id).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    assert_books_agree(db).await;
});

both_engines!(s15_points_are_given_by_a_fresh_proof_alone, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    let anna = sign_in(db, pair.anna).await;
    assert!(anna.fresh(db).is_ok());
    world.clock.set(start() + days(11) + who::FRESH);
    assert!(matches!(anna.fresh(db), Err(Error::NotFresh)));
});

both_engines!(who_may_give_and_be_given_points, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    let new = since(db, 10).await;
    let (own, blocked, cards_new) = (
        card(db, pair.anna, "active").await,
        card(db, pair.boris, "blocked").await,
        card(db, new, "active").await,
    );
    for card in [own.as_str(), &blocked, &cards_new, "2900000000018", "", "12"] {
        let told = give(db, pair.anna, card, pair.family, 1_00).await;
        assert!(matches!(told, Err(TransferError::Recipient)), "{card}: {told:?}");
    }
    fund(db, new, 10_00, start()).await;
    let told = give(db, new, &pair.card, pair.family, 1_00).await;
    let from = start() + days(20);
    assert!(
        matches!(told, Err(TransferError::TooNew { from: at }) if at == from),
        "{told:?}"
    );
    world.clock.set(from);
    give(db, new, &pair.card, pair.family, 1_00).await.expect("long enough");
    give(db, pair.anna, &cards_new, pair.family, 1_00)
        .await
        .expect("long enough");
    for points in [0, -1_00] {
        let told = give(db, pair.anna, &pair.card, pair.family, points).await;
        assert!(matches!(told, Err(TransferError::Amount)), "{told:?}");
    }
    reserve(db, pair.anna, pair.family, "1", 15_00).await.expect("reserved");
    let told = give(db, pair.anna, &pair.card, pair.family, 5_00).await;
    assert!(
        matches!(told, Err(TransferError::NotEnough { missing: 1_00 })),
        "{told:?}"
    );
    assert_books_agree(db).await;
});

both_engines!(no_more_is_given_than_a_day_and_a_month_allow, async |world| {
    let pair = pair(world).await;
    let policy = Policy {
        transfers_per_day: 3,
        transfers_per_month: 4,
        ..Policy::default()
    };
    let db = &with_policy(world, policy).await;
    let give = async |points| give(db, pair.anna, &pair.card, pair.family, points).await;
    let told = give(3_01).await;
    assert!(matches!(told, Err(TransferError::Limit { left: 3_00 })), "{told:?}");
    let first = give(2_00).await.expect("sent");
    let told = give(1_01).await;
    assert!(matches!(told, Err(TransferError::Limit { left: 1_00 })), "{told:?}");
    transfers::cancel(db, &sign_in(db, pair.anna).await, first)
        .await
        .expect("called back");
    give(3_00).await.expect("what came back does not count");
    // Midnight where the shop is; the clock of the test begins on 21 November, so that this is the 3rd of December.
    world.clock.set(start() + days(12));
    let told = give(1_01).await;
    assert!(
        matches!(told, Err(TransferError::Limit { left: 1_00 })),
        "the month: {told:?}"
    );
    give(1_00).await.expect("sent");
    world.clock.set(start() + days(45));
    give(3_00).await.expect("another month");
    assert_books_agree(db).await;
});

both_engines!(
    who_would_have_points_is_told_before_and_not_without_end,
    async |world| {
        let db = &world.db;
        let pair = pair(world).await;
        let plan = async |card: &str, points| {
            let by = sign_in(db, pair.anna).await;
            let new = NewTransfer {
                to: Receiver::Card(card.into()),
                program: pair.family,
                points,
            };
            transfers::plan(db, &by.fresh(db).expect("fresh"), &new).await
        };
        let planned = plan(&pair.card, 20_00).await.expect("it would go");
        assert_eq!(
            (planned.name.as_deref(), planned.arrives_at),
            (Some("А•••а"), start() + days(11) + Duration::minutes(60))
        );
        let told = plan(&pair.card, 20_01).await;
        assert!(matches!(told, Err(TransferError::NotEnough { missing: 1 })), "{told:?}");
        for _ in 0..28 {
            let told = plan("2900000000018", 1_00).await;
            assert!(matches!(told, Err(TransferError::Recipient)), "{told:?}");
        }
        let told = plan(&pair.card, 1_00).await;
        assert!(
            matches!(told, Err(TransferError::Crm(Error::TooMany { .. }))),
            "{told:?}"
        );
        assert_eq!(
            (states(db, pair.anna).await, held(db, pair.anna).await),
            (vec![], (20_00, 0))
        );
        world.clock.set(start() + days(11) + Duration::minutes(61));
        plan(&pair.card, 1_00).await.expect("an hour later");
        assert_books_agree(db).await;
    }
);

both_engines!(numbers_of_cards_are_not_gone_through, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    let to = |card: &str| NewTransfer {
        to: Receiver::Card(card.into()),
        program: pair.family,
        points: 1,
    };
    let by = sign_in(db, pair.anna).await;
    let fresh = by.fresh(db).expect("fresh");
    // Neither by giving at once, which asks no question before.
    for n in 0..150 {
        let told = match n % 10 {
            0 => transfers::plan(db, &fresh, &to("2900000000018")).await.map(drop),
            _ => transfers::transfer(db, &fresh, &to("2900000000018")).await.map(drop),
        };
        assert!(matches!(told, Err(TransferError::Recipient)), "{n}: {told:?}");
    }
    let too_many = |told: Result<(), TransferError>| matches!(told, Err(TransferError::Crm(Error::TooMany { .. })));
    assert!(too_many(transfers::plan(db, &fresh, &to(&pair.card)).await.map(drop)));
    assert!(too_many(
        transfers::transfer(db, &fresh, &to(&pair.card)).await.map(drop)
    ));
    assert_eq!(held(db, pair.anna).await, (20_00, 0));
    world.clock.set(db.now() + days(1));
    give(db, pair.anna, &pair.card, pair.family, 1)
        .await
        .expect("another day");
    assert_books_agree(db).await;
});

both_engines!(nobody_is_flooded_with_messages_of_points, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    for _ in 0..20 {
        give(db, pair.anna, &pair.card, pair.family, 1).await.expect("sent");
    }
    let told = give(db, pair.anna, &pair.card, pair.family, 1).await;
    assert!(
        matches!(told, Err(TransferError::Crm(Error::TooMany { .. }))),
        "{told:?}"
    );
    assert_eq!(held(db, pair.anna).await, (19_80, 0));
    world.clock.set(start() + days(11) + Duration::minutes(61));
    give(db, pair.anna, &pair.card, pair.family, 1).await.expect("sent");
    assert_books_agree(db).await;
});

both_engines!(both_sides_are_told_in_their_language, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    const SPEAKS: &str = "UPDATE customers SET language = 'en', name = 'Boris' WHERE id = $1";
    execute!(db, SPEAKS, pair.boris.id()).await.expect("changed");
    people::contact(world, pair.anna.id(), crm::contact::Kind::Phone, "+79000000001").await;
    people::contact(world, pair.boris.id(), crm::contact::Kind::Email, "boris@example.com").await;
    execute!(db, "UPDATE contacts SET verified_at = created_at")
        .await
        .expect("proved");
    let told = async || {
        let all = crm::outbox::inbox(db, 10).await.expect("the outbox");
        all.into_iter()
            .rev()
            .map(|m| (m.template, m.address, m.body))
            .collect::<Vec<_>>()
    };
    give(db, pair.anna, &pair.card, pair.family, 1_50).await.expect("sent");
    world.clock.set(start() + days(12));
    let late = start() + days(12);
    // Whoever asks for their points first lets them arrive; then the daily work tells nobody once more.
    store::bring_up_to_date(db, pair.boris).await.expect("arrived");
    run_due(world, late).await;
    let all = told().await;
    assert_eq!(all.len(), 2, "{all:?}");
    let [sent, received] = [&all[0], &all[1]];
    assert_eq!((&*sent.0, &*sent.1), ("points_sent", "+79000000001"));
    assert!(sent.2.contains("Сколько: 1,50. Кому: Boris."), "{}", sent.2);
    assert_eq!((&*received.0, &*received.1), ("points_received", "boris@example.com"));
    assert!(received.2.contains("How many: 1.50. From: Анна."), "{}", received.2);

    // A shop without such a message: points move all the same.
    execute!(db, "DELETE FROM templates WHERE code LIKE 'points%'")
        .await
        .expect("gone");
    give(db, pair.anna, &pair.card, pair.family, 1_00).await.expect("sent");
    run_due(world, start() + days(13)).await;
    assert_eq!((held(db, pair.boris).await, told().await.len()), ((2_50, 0), 2));
    assert_books_agree(db).await;
});

both_engines!(a_statement_names_the_other_side_of_a_transfer, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    const NAME: &str = "UPDATE customers SET name = 'Борис' WHERE id = $1";
    execute!(db, NAME, pair.boris.id()).await.expect("named");
    let moved = async |who| {
        let mut conn = db.read().await.expect("a connection");
        let all = store::history(&mut conn, who, None, 20).await.expect("a history");
        let of_them = all.into_iter().filter(|entry| entry.kind == TransactionKind::Transfer);
        of_them
            .map(|entry| {
                let other = entry.other.expect("somebody");
                (entry.active, other.name, other.is_back)
            })
            .collect::<Vec<_>>()
    };
    let id = give(db, pair.anna, &pair.card, pair.family, 1_00).await.expect("sent");
    transfers::cancel(db, &sign_in(db, pair.anna).await, id)
        .await
        .expect("back");
    let id = give(db, pair.anna, &pair.card, pair.family, 2_00).await.expect("sent");
    run_due(world, start() + days(12)).await;
    let lead = with_right(world, "lena", "administrator").await;
    transfers::reverse(db, &lead.fresh(db).expect("fresh"), id, "fraud")
        .await
        .expect("back");
    let of = |points: i64, name: &str, is_back| (points, name.to_owned(), is_back);
    let mut of_anna = moved(pair.anna).await;
    of_anna.sort_unstable();
    assert_eq!(
        of_anna,
        [
            of(-2_00, "Борис", false),
            of(-1_00, "Борис", false),
            of(1_00, "Борис", true),
            of(2_00, "Борис", true)
        ]
    );
    assert_eq!(
        moved(pair.boris).await,
        [of(-2_00, "Анна", true), of(2_00, "Анна", false)]
    );
});

both_engines!(
    s21_a_hundred_transfers_at_once_give_away_no_more_than_there_is,
    async |world| {
        let db = &world.db;
        let pair = pair(world).await;
        let by = sign_in(db, pair.anna).await;
        let all = (0..100).map(|_| {
            let (db, by) = (db.clone(), by.clone());
            let new = NewTransfer {
                to: Receiver::Card(pair.card.clone()),
                program: pair.family,
                points: 1_50,
            };
            tokio::spawn(async move { transfers::transfer(&db, &by.fresh(&db).expect("fresh"), &new).await })
        });
        let mut sent = 0;
        for one in futures::future::join_all(all).await {
            match one.expect("no panic") {
                Ok(_) => sent += 1,
                Err(TransferError::NotEnough { .. }) => {}
                Err(e) => panic!("{e}"),
            }
        }
        assert_eq!((sent, held(db, pair.anna).await), (13, (50, 0)));
        run_due(world, start() + days(12)).await;
        assert_eq!(held(db, pair.boris).await, (19_50, 0));
        assert_books_agree(db).await;
    }
);

/// A member of staff with the right and a role of their own, moments after they came in.
async fn with_right(world: &World, login: &str, role: &str) -> Staff {
    let db = &world.db;
    let id = agent(world, login).await.id();
    people::role(world, role, r#"["customers", "points"]"#).await;
    const ROLE: &str = "UPDATE staff SET role = $2 WHERE id = $1";
    let role = role.to_owned();
    let role = role.as_str();
    execute!(db, ROLE, id, role).await.expect("a role");
    people::again(world, id).await
}

async fn logged(db: &Db, action: &str) -> Vec<(crm::id::CustomerId, String)> {
    const SQL: &str =
        "SELECT customer_id, reason FROM audit WHERE action = $1 AND customer_id IS NOT NULL ORDER BY at, id";
    let mut conn = db.read().await.expect("a connection");
    crm::on!(conn, |c| sqlx::query_as(SQL).bind(action).fetch_all(c).await).expect("the log")
}

both_engines!(what_ended_on_its_way_is_nobodys_debt, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    // It arrives half an hour after its end.
    world.clock.set(start() + days(90) - Duration::minutes(30));
    let id = give(db, pair.anna, &pair.card, pair.family, 10_00).await.expect("sent");
    run_due(world, start() + days(91)).await;
    assert_eq!(held(db, pair.boris).await, (0, 0));
    let lead = with_right(world, "lena", "administrator").await;
    transfers::reverse(db, &lead.fresh(db).expect("fresh"), id, "fraud")
        .await
        .expect("back");
    assert_eq!(held(db, pair.boris).await, (0, 0), "they never had it");
    assert_eq!(held(db, pair.anna).await, (20_00, 0));
    assert_books_agree(db).await;
});

both_engines!(staff_bring_a_transfer_back_with_a_reason, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    let own = lots(db, pair.anna).await;
    let lead = with_right(world, "lena", "administrator").await;
    let nobody = people::again(world, agent(world, "oleg").await.id()).await;
    let id = give(db, pair.anna, &pair.card, pair.family, 12_00).await.expect("sent");
    let told = transfers::reverse(db, &nobody.fresh(db).expect("fresh"), id, "fraud").await;
    assert!(matches!(told, Err(Error::Forbidden)), "{told:?}");
    for reason in ["", "  "] {
        let told = transfers::reverse(db, &lead.fresh(db).expect("fresh"), id, reason).await;
        assert!(
            matches!(&told, Err(Error::Invalid(flaws)) if flaws[..] == [("reason".into(), Flaw::Missing)]),
            "{told:?}"
        );
    }
    let told = transfers::reverse(db, &lead.fresh(db).expect("fresh"), TransferId::new(), "fraud").await;
    assert!(matches!(told, Err(Error::NotFound)), "{told:?}");
    // On its way.
    transfers::reverse(db, &lead.fresh(db).expect("fresh"), id, "the account was taken over")
        .await
        .expect("brought back");
    assert_eq!(lots(db, pair.anna).await, own);
    let told = transfers::reverse(db, &lead.fresh(db).expect("fresh"), id, "again").await;
    assert!(matches!(told, Err(Error::Stale)), "{told:?}");
    assert_books_agree(db).await;

    // Arrived, and a part of it is spent: the receiver's other points pay, and then they owe.
    let id = give(db, pair.anna, &pair.card, pair.family, 12_00).await.expect("sent");
    fund(db, pair.boris, 3_00, start() + days(11)).await;
    run_due(world, start() + days(12)).await;
    spend(db, pair.boris, pair.family, 11_00).await;
    world.clock.set(start() + days(80));
    let lead = people::again(world, lead.id()).await;
    transfers::reverse(db, &lead.fresh(db).expect("fresh"), id, "the account was taken over")
        .await
        .expect("brought back");
    assert_eq!(held(db, pair.boris).await, (-8_00, 0));
    // What had less than 14 days to go has 14 days now.
    assert_eq!(
        lots(db, pair.anna).await,
        [(10_00, start() + days(94)), (10_00, start() + days(100))]
    );
    assert_eq!(states(db, pair.boris).await, [(false, 12_00, TransferState::Reversed)]);
    let rows = logged(db, "transfer.reverse").await;
    assert_eq!(rows.len(), 4, "both sides, both times");
    assert!(rows.iter().all(|(_, reason)| reason == "the account was taken over"));
    assert_books_agree(db).await;
});

both_engines!(
    what_expired_at_the_receiver_is_no_debt_of_theirs_when_a_transfer_comes_back,
    async |world| {
        let db = &world.db;
        let pair = pair(world).await;
        let id = give(db, pair.anna, &pair.card, pair.family, 12_00).await.expect("sent");
        fund(db, pair.boris, 3_00, start() + days(11)).await;
        // Of what arrived ten points end on day 90, two on day 100.
        run_due(world, start() + days(95)).await;
        assert_eq!(held(db, pair.boris).await, (5_00, 0));
        let lead = with_right(world, "lena", "administrator").await;
        transfers::reverse(db, &lead.fresh(db).expect("fresh"), id, "the account was taken over")
            .await
            .expect("brought back");
        assert_eq!(held(db, pair.boris).await, (3_00, 0), "their own are theirs");
        assert_eq!(held(db, pair.anna).await, (20_00, 0));
        assert_books_agree(db).await;
    }
);

both_engines!(nobody_gives_points_to_who_is_about_to_be_erased, async |world| {
    const ASKED: &str = "INSERT INTO erasures (id, customer_id, asked_at, due_at) VALUES ($1, $2, $3, $4)";
    let db = &world.db;
    let pair = pair(world).await;
    let (id, now) = (TransferId::new(), db.now());
    execute!(db, ASKED, id, pair.boris.id(), now, now + days(14))
        .await
        .expect("asked");
    let told = give(db, pair.anna, &pair.card, pair.family, 1_00).await;
    assert!(matches!(told, Err(TransferError::Recipient)), "{told:?}");
    const CANCELLED: &str = "UPDATE erasures SET cancelled_at = $2 WHERE id = $1";
    execute!(db, CANCELLED, id, now).await.expect("cancelled");
    give(db, pair.anna, &pair.card, pair.family, 1_00).await.expect("sent");
});

both_engines!(a_correction_that_waits_is_not_booked_for_who_is_gone, async |world| {
    let pair = pair(world).await;
    let policy = Policy {
        adjustments_per_day: 1,
        ..Policy::default()
    };
    let db = &with_policy(world, policy).await;
    let (lead, other) = (
        with_right(world, "lena", "lead").await,
        with_right(world, "mira", "lead").await,
    );
    let anna = lead.open(db, pair.anna.id(), Reason::Card).await.expect("opened");
    let asked = adjustments::adjust(
        db,
        &lead.fresh(db).expect("fresh"),
        anna,
        &correction(pair.family, 4_00),
    )
    .await;
    let asked = asked.expect("asked");
    assert_eq!(asked.state, AdjustmentState::Awaiting);
    const ERASED: &str = "UPDATE customers SET erased_at = $2 WHERE id = $1";
    execute!(db, ERASED, pair.anna.id(), db.now()).await.expect("erased");
    let told = adjustments::approve(db, &other.fresh(db).expect("fresh"), asked.id).await;
    assert!(matches!(told, Err(SpendError::Crm(Error::Stale))), "{told:?}");
    assert_eq!(held(db, pair.anna).await, (20_00, 0));
});

fn correction(program: ProgramId, points: i64) -> NewAdjustment {
    NewAdjustment {
        program,
        points,
        reason: " the till was broken ".into(),
        note: "за ошибку кассы".into(),
        request: None,
    }
}

/// What is told of consents in somebody's inbox, the newest first.
async fn inbox(world: &World, by: &Staff) -> Vec<(Option<Step>, Option<i64>, i64)> {
    let all = mention::inbox(&world.db, by, None, 20).await.expect("an inbox");
    all.into_iter().map(|one| (one.step, one.points, one.number)).collect()
}

/// How many lines of the inbox are new, and how many corrections wait for somebody.
async fn waits_for(world: &World, who: &Staff) -> (i64, i64) {
    let who = people::again(world, who.id()).await;
    (who.unread(), who.corrections_waiting())
}

both_engines!(
    whoever_may_consent_is_told_and_whoever_asked_of_what_came_of_it,
    async |world| {
        let db = &world.db;
        let pair = pair(world).await;
        let (lead, other, third) = (
            with_right(world, "lena", "lead").await,
            with_right(world, "mira", "lead").await,
            with_right(world, "nina", "lead").await,
        );
        let gone = with_right(world, "gone", "lead").await.id();
        execute!(db, "UPDATE staff SET disabled_at = created_at WHERE id = $1", gone)
            .await
            .expect("disabled");
        let (agent, mara) = (
            agent(world, "oleg").await,
            people::moments_after(world, "mara", "Мара", "marketer").await,
        );
        let by = sign_in(db, pair.anna).await;
        let number = requests::write_about(world, &by, "other", "Где баллы?").await;
        let anna = lead.open(db, pair.anna.id(), Reason::Card).await.expect("opened");
        let new = NewAdjustment {
            request: Some(number),
            ..correction(pair.family, 500_01)
        };
        let asked = adjustments::adjust(db, &lead.fresh(db).expect("fresh"), anna, &new)
            .await
            .expect("asked");
        assert_eq!(asked.request, Some(number));
        adjustments::adjust(
            db,
            &lead.fresh(db).expect("fresh"),
            anna,
            &correction(pair.family, 1_00),
        )
        .await
        .expect("within the cap: nobody is asked");
        for who in [&other, &third] {
            assert_eq!(inbox(world, who).await, [(Some(Step::Asked), Some(500_01), number)]);
            assert_eq!(waits_for(world, who).await, (1, 1));
        }
        for who in [&lead, &agent, &mara] {
            assert_eq!(inbox(world, who).await, [], "who asked, or may not consent");
        }
        assert_eq!(waits_for(world, &lead).await, (0, 0));
        assert_eq!(
            people::one!(world, i64, "SELECT COUNT(*) FROM approval_notices"),
            2,
            "nor who does not work here any more"
        );
        let (waiting, _) = adjustments::awaiting(db, &other, None, 10).await.expect("a list");
        assert_eq!(waiting[0].adjustment.request, Some(number));

        // One of them has read it; the other need not any more once it is decided.
        mention::mark_read(db, &third, db.now()).await.expect("read");
        assert_eq!(
            waits_for(world, &third).await,
            (0, 1),
            "read, and it waits all the same"
        );
        world.clock.set(db.now() + Duration::seconds(1));
        adjustments::approve(db, &third.fresh(db).expect("fresh"), asked.id)
            .await
            .expect("approved");
        let late = adjustments::approve(db, &other.fresh(db).expect("fresh"), asked.id).await;
        assert!(matches!(late, Err(SpendError::Crm(Error::Stale))), "{late:?}");
        assert_eq!(inbox(world, &other).await, []);
        assert_eq!(waits_for(world, &other).await, (0, 0));
        assert_eq!(inbox(world, &third).await, [(Some(Step::Asked), Some(500_01), number)]);
        let lines = mention::inbox(db, &lead, None, 20).await.expect("an inbox");
        let told: Vec<_> = lines
            .iter()
            .map(|one| (one.step, one.points, one.number, one.by_whom.as_deref(), one.customer))
            .collect();
        let outcome = (
            Some(Step::Approved),
            Some(500_01),
            number,
            Some("nina"),
            Some(pair.anna.id()),
        );
        assert_eq!(told, [outcome], "once, and by whom");
        assert_eq!(waits_for(world, &lead).await, (1, 0));
        let mut conn = db.read().await.expect("a connection");
        let moved = store::history(&mut conn, anna, None, 1).await.expect("a history")[0].id;
        let of = adjustments::requests(&mut conn, anna, &[moved]).await.expect("read");
        drop(conn);
        assert_eq!(of.get(&moved), Some(&number), "the history tells what it was for");

        // A refusal is told likewise, and each bell rings.
        world.clock.set(db.now() + Duration::seconds(1));
        let asked = adjustments::adjust(
            db,
            &lead.fresh(db).expect("fresh"),
            anna,
            &correction(pair.family, 600_00),
        )
        .await
        .expect("asked");
        adjustments::refuse(db, &other, asked.id).await.expect("refused");
        assert_eq!(
            inbox(world, &lead).await,
            [
                (Some(Step::Refused), Some(600_00), 0),
                (Some(Step::Approved), Some(500_01), number)
            ]
        );
        const RUNG: &str = "SELECT COUNT(*) FROM request_changes WHERE request_id IS NULL AND staff_id = $1";
        for (who, rung) in [(&lead, 2), (&other, 4), (&third, 4), (&agent, 0), (&mara, 0)] {
            assert_eq!(people::one!(world, i64, RUNG, who.id()), rung, "{}", who.name());
        }

        // Whoever may not consent any more sees nothing of what waits.
        adjustments::adjust(
            db,
            &lead.fresh(db).expect("fresh"),
            anna,
            &correction(pair.family, 700_00),
        )
        .await
        .expect("asked");
        assert_eq!(waits_for(world, &other).await.0, 1);
        let id = other.id();
        execute!(db, "UPDATE staff SET role = 'marketer' WHERE id = $1", id)
            .await
            .expect("a role");
        let other = people::again(world, other.id()).await;
        assert_eq!((inbox(world, &other).await, other.unread()), (vec![], 0));
    }
);

both_engines!(a_correction_is_for_a_request_of_its_customer, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    let lead = with_right(world, "lena", "lead").await;
    let anna = lead.open(db, pair.anna.id(), Reason::Card).await.expect("opened");
    let boris = sign_in(db, pair.boris).await;
    let his = requests::write_about(world, &boris, "other", "Где баллы?").await;
    for number in [his, 99_999] {
        let new = NewAdjustment {
            request: Some(number),
            ..correction(pair.family, 1_00)
        };
        let told = adjustments::adjust(db, &lead.fresh(db).expect("fresh"), anna, &new).await;
        let is_told = matches!(&told, Err(SpendError::Crm(Error::Invalid(flaws)))
            if flaws == &[("request".to_owned(), Flaw::NoSuchNumber)]);
        assert!(is_told, "{told:?}");
    }
    assert_eq!(people::one!(world, i64, "SELECT COUNT(*) FROM adjustments"), 0);
});

both_engines!(many_small_corrections_need_consent_as_a_large_one_does, async |world| {
    let pair = pair(world).await;
    let policy = Policy {
        adjustments_per_day: 10,
        adjustments_per_month: 12,
        ..Policy::default()
    };
    let db = &with_policy(world, policy).await;
    let (lead, other) = (
        with_right(world, "lena", "lead").await,
        with_right(world, "mira", "lead").await,
    );
    let anna = lead.open(db, pair.anna.id(), Reason::Card).await.expect("opened");
    // At once, from two pages: of three times four, two are booked.
    let (four, fresh) = (&correction(pair.family, 4_00), &lead.fresh(db).expect("fresh"));
    let all = tokio::join!(
        adjustments::adjust(db, fresh, anna, four),
        adjustments::adjust(db, fresh, anna, four),
        adjustments::adjust(db, fresh, anna, four),
    );
    let all = [all.0, all.1, all.2].map(|done| done.expect("booked or asked"));
    let booked = all.iter().filter(|one| one.state == AdjustmentState::Booked);
    assert_eq!(booked.count(), 2);
    assert_eq!(held(db, anna).await, (28_00, 0));
    let left = async |by: &Staff| {
        let mut conn = db.read().await.expect("a connection");
        let left = adjustments::allowance(&mut conn, by).await.expect("summed");
        (left.left_today, left.left_this_month, left.now())
    };
    assert_eq!(left(&lead).await, (2_00, 4_00, 2_00));
    assert_eq!(left(&other).await, (10_00, 12_00, 10_00), "each for themselves");
    // What is taken counts as what is given does, and what a colleague consented to does not.
    let taken = adjustments::adjust(
        db,
        &lead.fresh(db).expect("fresh"),
        anna,
        &correction(pair.family, -2_00),
    )
    .await;
    assert_eq!(taken.expect("taken").state, AdjustmentState::Booked);
    let waits = all.iter().find(|one| one.state == AdjustmentState::Awaiting);
    let waits = waits.expect("one waits").id;
    adjustments::approve(db, &other.fresh(db).expect("fresh"), waits)
        .await
        .expect("approved");
    assert_eq!(left(&lead).await, (0, 2_00, 0));
    world.clock.set(db.now() + days(1));
    assert_eq!(left(&lead).await, (10_00, 2_00, 2_00));
    let lead = people::again(world, lead.id()).await;
    let more = adjustments::adjust(
        db,
        &lead.fresh(db).expect("fresh"),
        anna,
        &correction(pair.family, 2_01),
    )
    .await;
    assert_eq!(
        more.expect("asked").state,
        AdjustmentState::Awaiting,
        "the month is full"
    );
    world.clock.set(db.now() + days(31));
    assert_eq!(left(&lead).await, (10_00, 12_00, 10_00), "a new month");
    assert_books_agree(db).await;
});

both_engines!(the_customer_is_told_of_a_correction_and_why, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    people::contact(world, pair.anna.id(), crm::contact::Kind::Email, "anna@example.com").await;
    execute!(db, "UPDATE contacts SET verified_at = created_at")
        .await
        .expect("proved");
    let (lead, other) = (
        with_right(world, "lena", "lead").await,
        with_right(world, "mira", "lead").await,
    );
    let anna = lead.open(db, pair.anna.id(), Reason::Card).await.expect("opened");
    let mute = NewAdjustment {
        note: " ".into(),
        ..correction(pair.family, 1_00)
    };
    let told = adjustments::adjust(db, &lead.fresh(db).expect("fresh"), anna, &mute).await;
    assert!(matches!(told, Err(SpendError::Crm(Error::Invalid(_)))), "{told:?}");
    adjustments::adjust(
        db,
        &lead.fresh(db).expect("fresh"),
        anna,
        &correction(pair.family, -1_50),
    )
    .await
    .expect("taken");
    let asked = adjustments::adjust(
        db,
        &lead.fresh(db).expect("fresh"),
        anna,
        &correction(pair.family, 600_00),
    )
    .await
    .expect("asked");
    let told = async || {
        let mut conn = db.read().await.expect("a connection");
        let all = crm::notification::list(&mut conn, anna, None, 20).await.expect("read");
        let all = all
            .into_iter()
            .filter(|one| one.kind == crm::notification::Kind::Correction);
        let mut all: Vec<_> = all.map(|one| (one.points, one.about)).collect();
        all.sort();
        all
    };
    let taken = (Some(-1_50), "за ошибку кассы".to_owned());
    assert_eq!(told().await, std::slice::from_ref(&taken), "what waits is not told yet");
    adjustments::approve(db, &other.fresh(db).expect("fresh"), asked.id)
        .await
        .expect("approved");
    assert_eq!(told().await, [taken, (Some(600_00), "за ошибку кассы".to_owned())]);
    const BODIES: &str = "SELECT COUNT(*) FROM outbox WHERE template = 'points_corrected' AND address = 'anna@example.com' \
                          AND body LIKE '%за ошибку кассы%' AND (body LIKE '%−1,50%' OR body LIKE '%+600%') \
                          AND body NOT LIKE '%the till was broken%'";
    assert_eq!(people::one!(world, i64, BODIES), 2);
    let mut conn = db.read().await.expect("a connection");
    let newest = store::history(&mut conn, anna, None, 1).await.expect("a history");
    assert_eq!(newest[0].note.as_deref(), Some("за ошибку кассы"));
});

both_engines!(staff_correct_points_up_to_the_cap_of_their_role, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    let lead = with_right(world, "lena", "lead").await;
    let nobody = people::moments_after(world, "oleg", "Олег", "marketer").await;
    let anna = lead.open(db, pair.anna.id(), Reason::Card).await.expect("opened");
    let told = adjustments::adjust(
        db,
        &nobody.fresh(db).expect("fresh"),
        anna,
        &correction(pair.family, 1_00),
    )
    .await;
    assert!(matches!(told, Err(SpendError::Crm(Error::Forbidden))), "{told:?}");
    let nothing = adjustments::adjust(db, &lead.fresh(db).expect("fresh"), anna, &correction(pair.family, 0)).await;
    assert!(matches!(nothing, Err(SpendError::Amount)), "{nothing:?}");
    for points in [1_00, 5_000_00] {
        let nowhere = adjustments::adjust(
            db,
            &lead.fresh(db).expect("fresh"),
            anna,
            &correction(ProgramId::new(), points),
        )
        .await;
        assert!(matches!(nowhere, Err(SpendError::Crm(Error::NotFound))), "{nowhere:?}");
    }
    let mute = NewAdjustment {
        reason: " ".into(),
        ..correction(pair.family, 1_00)
    };
    let told = adjustments::adjust(db, &lead.fresh(db).expect("fresh"), anna, &mute).await;
    assert!(matches!(told, Err(SpendError::Crm(Error::Invalid(_)))), "{told:?}");

    let given = adjustments::adjust(
        db,
        &lead.fresh(db).expect("fresh"),
        anna,
        &correction(pair.family, 500_00),
    )
    .await
    .expect("given");
    assert_eq!(
        (given.state, given.decided_by, &*given.reason),
        (AdjustmentState::Booked, None, "the till was broken")
    );
    assert_eq!(held(db, anna).await, (520_00, 0));
    assert_eq!(
        lots(db, anna).await[2],
        (500_00, start() + days(11 + 90)),
        "as long as the program's own"
    );
    reserve(db, anna, pair.family, "1", 100_00).await.expect("reserved");
    let told = adjustments::adjust(
        db,
        &lead.fresh(db).expect("fresh"),
        anna,
        &correction(pair.family, -420_01),
    )
    .await;
    assert!(matches!(told, Err(SpendError::NotEnough { missing: 1 })), "{told:?}");
    adjustments::adjust(
        db,
        &lead.fresh(db).expect("fresh"),
        anna,
        &correction(pair.family, -420_00),
    )
    .await
    .expect("taken");
    assert_eq!(held(db, anna).await, (100_00, 0));
    let mut conn = db.read().await.expect("a connection");
    let newest = store::history(&mut conn, anna, None, 2).await.expect("a history");
    assert_eq!(
        newest
            .iter()
            .map(|e| (e.kind, e.points(), e.term.is_some()))
            .collect::<Vec<_>>(),
        [
            (TransactionKind::Adjustment, -420_00, false),
            (TransactionKind::Adjustment, 500_00, true)
        ]
    );
    assert_eq!(logged(db, "points.adjust").await.len(), 2);
    assert_books_agree(db).await;
});

both_engines!(beyond_the_cap_somebody_else_consents, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    let (lead, other) = (
        with_right(world, "lena", "lead").await,
        with_right(world, "mira", "clerk").await,
    );
    let nobody = people::again(world, agent(world, "oleg").await.id()).await;
    let anna = lead.open(db, pair.anna.id(), Reason::Card).await.expect("opened");
    let asked = adjustments::adjust(
        db,
        &lead.fresh(db).expect("fresh"),
        anna,
        &correction(pair.family, 500_01),
    )
    .await
    .expect("asked");
    assert_eq!(asked.state, AdjustmentState::Awaiting);
    assert_eq!(held(db, anna).await, (20_00, 0));
    // A role that is not named has no cap.
    let of_clerk = other.open(db, pair.anna.id(), Reason::Card).await.expect("opened");
    let small = adjustments::adjust(
        db,
        &other.fresh(db).expect("fresh"),
        of_clerk,
        &correction(pair.family, -1),
    )
    .await
    .expect("asked");
    assert_eq!(small.state, AdjustmentState::Awaiting);

    let (waiting, next) = adjustments::awaiting(db, &other, None, 10).await.expect("a list");
    let told: Vec<_> = waiting
        .iter()
        .map(|w| (&w.adjustment, &*w.name, &*w.colleague))
        .collect();
    assert_eq!(told, [(&asked, "Анна", "lena"), (&small, "Анна", "mira")]);
    assert_eq!(next, None);
    assert_eq!(waiting[0].program.ru, "Семейная корзина");
    assert_eq!(logged(db, "points.read").await.len(), 2, "what staff read is logged");
    assert!(matches!(
        adjustments::awaiting(db, &nobody, None, 10).await,
        Err(Error::Forbidden)
    ));

    for (by, id) in [(&lead, asked.id), (&nobody, asked.id), (&other, small.id)] {
        let told = adjustments::approve(db, &by.fresh(db).expect("fresh"), id).await;
        assert!(matches!(told, Err(SpendError::Crm(Error::Forbidden))), "{told:?}");
        let told = adjustments::refuse(db, by, id).await;
        assert!(matches!(told, Err(SpendError::Crm(Error::Forbidden))), "{told:?}");
    }
    let refused = adjustments::refuse(db, &lead, small.id).await.expect("refused");
    assert_eq!(
        (refused.state, refused.decided_by),
        (AdjustmentState::Refused, Some(lead.id()))
    );
    let fresh = &other.fresh(db).expect("fresh");
    let all = (0..20).map(|_| adjustments::approve(db, fresh, asked.id));
    let done = futures::future::join_all(all).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "once");
    assert!(
        done.iter()
            .all(|done| matches!(done, Ok(_) | Err(SpendError::Crm(Error::Stale)))),
        "{done:?}"
    );
    assert_eq!(held(db, anna).await, (520_01, 0));
    let told = adjustments::refuse(db, &other, asked.id).await;
    assert!(matches!(told, Err(SpendError::Crm(Error::Stale))), "{told:?}");
    let told = adjustments::approve(db, &other.fresh(db).expect("fresh"), crm::id::AdjustmentId::new()).await;
    assert!(matches!(told, Err(SpendError::Crm(Error::NotFound))), "{told:?}");
    let nothing = adjustments::awaiting(db, &other, None, 10).await.expect("a list");
    assert_eq!(nothing, (vec![], None));
    assert_books_agree(db).await;
});

both_engines!(
    what_waits_for_consent_is_told_page_by_page_the_longest_first,
    async |world| {
        let db = &world.db;
        let pair = pair(world).await;
        let lead = with_right(world, "lena", "lead").await;
        let anna = lead.open(db, pair.anna.id(), Reason::Card).await.expect("opened");
        let mut asked = Vec::new();
        for n in 0..5 {
            // Two and two of the same moment.
            world.clock.set(start() + days(11) + Duration::minutes(n / 2));
            let new = correction(pair.family, 500_01 + n);
            asked.push(
                adjustments::adjust(db, &lead.fresh(db).expect("fresh"), anna, &new)
                    .await
                    .expect("asked"),
            );
        }
        asked.sort_by_key(|one| (one.created_at, one.id));
        let (mut told, mut after) = (Vec::new(), None);
        for (rows, is_last) in [(2, false), (2, false), (1, true)] {
            let (page, next) = adjustments::awaiting(db, &lead, after, 2).await.expect("a page");
            assert_eq!((page.len(), next.is_none()), (rows, is_last));
            told.extend(page.into_iter().map(|one| one.adjustment));
            after = next;
        }
        assert_eq!(told, asked);
        assert_eq!(
            logged(db, "points.read").await.len(),
            5,
            "one row for each that was shown"
        );
        let (page, next) = adjustments::awaiting(db, &lead, None, 5).await.expect("a page");
        assert_eq!((page.len(), next), (5, None), "a full page that is the last");
    }
);

both_engines!(
    books_of_transfers_and_corrections_that_do_not_agree_are_found,
    async |world| {
        let db = &world.db;
        let pair = pair(world).await;
        give(db, pair.anna, &pair.card, pair.family, 1_00).await.expect("sent");
        let lead = with_right(world, "lena", Role::ADMINISTRATOR).await;
        let anna = lead.open(db, pair.anna.id(), Reason::Card).await.expect("opened");
        adjustments::adjust(
            db,
            &lead.fresh(db).expect("fresh"),
            anna,
            &correction(pair.family, 1_00),
        )
        .await
        .expect("given");
        assert_books_agree(db).await;
        for (spoil, mend, finds) in [
            (
                "UPDATE transfers SET points = points + 1",
                "UPDATE transfers SET points = points - 1",
                "what is on its way is what transfers wait for",
            ),
            (
                "UPDATE adjustments SET points = points + 1",
                "UPDATE adjustments SET points = points - 1",
                "what staff gave or took is in the books",
            ),
        ] {
            execute!(db, spoil).await.expect("spoilt");
            let found: Vec<_> = store::verify(db, &BY)
                .await
                .expect("compared")
                .iter()
                .map(|d| d.what)
                .collect();
            assert_eq!(found, [finds], "{spoil}");
            execute!(db, mend).await.expect("mended");
            assert_books_agree(db).await;
        }
    }
);

both_engines!(what_is_owed_is_as_old_as_where_it_began, async |world| {
    let db = &world.db;
    let pair = pair(world).await;
    // The points that are 60 days old go to Boris, who pays with them and has them back when their term is nearly over.
    let owed = async || -> Vec<(i64, i64, i64)> {
        let mut conn = db.read().await.expect("a connection");
        let owed = store::exports::liability(&mut conn, &BY).await.expect("what is owed");
        owed.iter()
            .filter(|one| one.program == "family")
            .map(|one| (one.from_days, one.points, one.lots))
            .collect()
    };
    world.clock.set(start() + days(60));
    give(db, pair.anna, &pair.card, pair.family, 10_00).await.expect("sent");
    world.clock.set(start() + days(61));
    work(db, &BY).await.expect("the daily work is done");
    assert_eq!(held(db, pair.boris).await, (10_00, 0));
    assert_eq!(owed().await, [(30, 20_00, 2)], "a gift makes nothing young");
    let at = start() + days(85);
    world.clock.set(at);
    let sale = slip("S-1", pair.boris, at).line("tea", 1, 10_00).book(db).await;
    let kept = reserve(db, pair.boris, pair.family, "points-1", 10_00)
        .await
        .expect("reserved");
    crm::points::store::spending::capture(db, &BY, pair.boris, kept.id, 10_00, Some(sale.id))
        .await
        .expect("captured");
    slip("R-1", pair.boris, at)
        .line("tea", -1, 10_00)
        .of_line("S-1", 1)
        .book(db)
        .await;
    assert_eq!(held(db, pair.boris).await, (10_00, 0));
    world.clock.set(start() + days(91));
    work(db, &BY).await.expect("the daily work is done");
    assert_eq!(owed().await, [(30, 10_00, 1), (90, 10_00, 1)]);
    assert_books_agree(db).await;
});

both_engines!(points_on_their_way_are_owed_as_well, async |world| {
    // What customers have, and what is between two of them.
    const HELD: &str = "SELECT CAST(SUM(o.amount) AS BIGINT) FROM postings o JOIN accounts a ON a.id = o.account_id \
                        WHERE a.kind IN ('active', 'pending', 'transfer')";
    const BETWEEN: &str = "SELECT CAST(SUM(o.amount) AS BIGINT) FROM postings o JOIN accounts a ON a.id = o.account_id \
                           WHERE a.kind = 'transfer'";
    let db = &world.db;
    let pair = pair(world).await;
    let owed = async || -> Vec<(i64, i64, i64)> {
        let mut conn = db.read().await.expect("a connection");
        let owed = store::exports::liability(&mut conn, &BY).await.expect("what is owed");
        drop(conn);
        let sum: i64 = owed.iter().map(|one| one.points).sum();
        assert_eq!(sum, people::one!(world, i64, HELD), "{owed:?}");
        owed.iter().map(|one| (one.from_days, one.points, one.lots)).collect()
    };
    world.clock.set(start() + days(35));
    assert_eq!(owed().await, [(0, 10_00, 1), (30, 10_00, 1)]);
    give(db, pair.anna, &pair.card, pair.family, 12_00).await.expect("sent");
    assert_eq!(people::one!(world, i64, BETWEEN), 12_00);
    assert_eq!(owed().await, [(0, 10_00, 2), (30, 10_00, 1)]);
    world.clock.set(start() + days(36));
    work(db, &BY).await.expect("the daily work is done");
    assert_eq!(people::one!(world, i64, BETWEEN), 0);
    assert_eq!(owed().await, [(0, 10_00, 2), (30, 10_00, 1)]);
    let second = give(db, pair.anna, &pair.card, pair.family, 5_00).await.expect("sent");
    assert_eq!(owed().await, [(0, 10_00, 3), (30, 10_00, 1)]);
    let anna = sign_in(db, pair.anna).await;
    transfers::cancel(db, &anna, second).await.expect("called back");
    assert_eq!(owed().await, [(0, 10_00, 2), (30, 10_00, 1)]);
    assert_books_agree(db).await;
});
