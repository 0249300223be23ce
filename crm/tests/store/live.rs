//! That something changed of a request, and who of staff has one open.

use crate::common::people::{SYSTEM, customer, lead, marketer, moments_after, one, role, sql, staff, text, topic};
use crate::common::requests::{change, seen, write};
use chrono::TimeDelta;
use crm::Error;
use crm::request::desk::Priority;
use crm::request::level::Told;
use crm::request::live::{self, Change, Kind, Listener, Present};
use crm::request::store::bulk::{self, Act};
use crm::request::store::queues;
use crm::request::{Status, mention, store};
use crm::staff::Right;
use crm::testing::World;
use crm::who::{self, Staff};
use futures::future::join_all;

async fn after(world: &World, number: i64) -> Vec<Change> {
    let mut conn = world.db.read().await.expect("a connection");
    live::after(&mut conn, &SYSTEM, number, 1000).await.expect("changes")
}

async fn missed(world: &World, by: Listener, number: i64) -> Vec<(i64, Kind)> {
    let mut conn = world.db.read().await.expect("a connection");
    let found = by.missed(&mut conn, number).await.expect("changes");
    assert!(
        found.iter().all(|change| by.hears(change)),
        "told now as it is told later"
    );
    found.iter().map(|change| (change.number, change.kind)).collect()
}

fn colleague(name: &str, is_writing: bool) -> Present {
    Present {
        name: name.into(),
        is_writing,
    }
}

crm::both_engines!(each_step_is_a_change_and_is_told_to_whom_it_concerns, async |world| {
    topic(world, "card", 1).await;
    let (anna, boris) = (customer(world, "Anna", "K").await, customer(world, "Boris", "K").await);
    let agent = staff(world, "agent").await;
    let db = &world.db;
    let number = write(world, &anna, "hello").await;
    let other = write(world, &boris, "hello").await;
    store::answer(db, &anna, number, "one more", &[])
        .await
        .expect("answered");
    store::assign_to_me(db, &agent, number, None).await.expect("taken");
    store::note(db, &agent, number, "hm", &[]).await.expect("noted");
    let moment = seen(world, &agent, number).await;
    store::staff_answer(db, &agent, number, "so it is", &[], moment)
        .await
        .expect("answered");
    let moment = seen(world, &agent, number).await;
    store::set_status(db, &agent, number, Status::Closed, moment)
        .await
        .expect("closed");
    store::reopen(db, &anna, number).await.expect("opened");
    let all = after(world, 0).await;
    let kinds: Vec<_> = all.iter().map(|change| (change.number, change.kind)).collect();
    let of_anna = [
        (number, Kind::Said),
        (number, Kind::Inside),
        (number, Kind::Inside),
        (number, Kind::Answered),
        (number, Kind::Answered),
        (number, Kind::Said),
    ];
    let opened = [(number, Kind::Opened), (other, Kind::Opened)];
    assert_eq!(kinds, [&opened[..], &of_anna].concat());
    assert!((1..).zip(&all).all(|(id, change)| change.id == id), "{all:?}");
    assert_eq!((all[0].customer, all[1].customer), (Some(anna.id()), Some(boris.id())));
    assert_eq!(after(world, 7).await, all[7..], "what is known is not told again");

    let mut conn = db.read().await.expect("a connection");
    assert_eq!(live::last(&mut conn, &SYSTEM).await.expect("the last"), 8);
    let of_request = Listener::request(&mut conn, &agent, number).await.expect("it is there");
    let nothing = Listener::request(&mut conn, &agent, 99).await;
    assert!(matches!(nothing, Err(Error::NotFound)));
    role(world, "marketer", r#"["rules"]"#).await;
    let mara = marketer(world).await;
    assert!(matches!(Listener::queue(&mara), Err(Error::Forbidden)));
    let bell = Listener::bell(&mara).expect("consents may be hers to give");
    assert_eq!(missed(world, bell, 0).await, [], "but requests are not hers to hear of");
    assert_eq!(bell.rights(), Right::TOLD);
    assert_eq!(Listener::queue(&agent).expect("theirs").rights(), [Right::Requests]);
    role(world, "analyst", r#"["reports"]"#).await;
    let nina = moments_after(world, "nina", "Нина", "analyst").await;
    assert!(matches!(Listener::bell(&nina), Err(Error::Forbidden)));
    let hers = Listener::request(&mut conn, &mara, number).await;
    assert!(matches!(hers, Err(Error::Forbidden)));
    drop(conn);
    let without_notes = [Kind::Said, Kind::Answered, Kind::Answered, Kind::Said].map(|kind| (number, kind));
    assert_eq!(missed(world, Listener::customer(&anna), 0).await, without_notes);
    assert_eq!(missed(world, Listener::customer(&boris), 0).await, []);
    live::be_here(db, &agent, number, true).await.expect("here");
    let queue = Listener::queue(&agent).expect("it is theirs");
    assert_eq!(missed(world, queue, 0).await, kinds, "but not who has one open");
    assert_eq!(missed(world, queue, 2).await, of_anna);
    let bell = Listener::bell(&agent).expect("it is theirs");
    assert_eq!(missed(world, bell, 0).await, [], "nobody told them anything");
    let here = [(number, Kind::Here)];
    assert_eq!(missed(world, of_request, 2).await, [&of_anna[..], &here].concat());
});

crm::both_engines!(what_comes_into_an_inbox_rings_for_whoever_it_is_for, async |world| {
    let card = topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    role(world, "lead", r#"["requests", "desk"]"#).await;
    let (lead, olga, petr) = (
        lead(world).await,
        staff(world, "olga").await,
        staff(world, "petr").await,
    );
    let db = &world.db;
    let rings = async |of: &Staff| missed(world, Listener::bell(of).expect("theirs"), 0).await.len();
    let told = async |of: &Staff| {
        let inbox = mention::inbox(db, of, None, 10).await.expect("an inbox");
        inbox.iter().map(|one| (one.number, one.level)).collect::<Vec<_>>()
    };
    let number = write(world, &anna, "hello").await;
    store::note(db, &olga, number, "@petr, @olga, look", &[])
        .await
        .expect("noted");
    assert_eq!(
        (rings(&petr).await, rings(&olga).await),
        (1, 0),
        "whoever wrote it knows"
    );

    let later = || world.clock.set(world.db.now() + TimeDelta::seconds(1));
    later();
    // By a colleague; whoever takes one for themselves is told nothing.
    let sort = async |by: &Staff, act: Act| {
        let moment = seen(world, by, number).await;
        bulk::sort(db, by, number, &[act], moment).await.expect("sorted");
    };
    sort(&olga, Act::Assign(Some(petr.id()))).await;
    sort(&olga, Act::Assign(Some(petr.id()))).await;
    assert_eq!(told(&petr).await, [(number, Some(Told::Given)), (number, None)], "once");
    later();
    sort(&olga, Act::Assign(Some(olga.id()))).await;
    assert_eq!(
        told(&petr).await[..2],
        [(number, Some(Told::Taken)), (number, Some(Told::Given))]
    );
    assert_eq!((rings(&petr).await, rings(&olga).await), (3, 0));
    assert_eq!(told(&olga).await, []);

    // Many at once; undone in time, it was never said.
    later();
    let act = [Act::Assign(Some(petr.id()))];
    let id = change(db, &olga, &[number], &act).await.expect("given");
    assert_eq!(told(&petr).await.len(), 4);
    bulk::undo(db, &olga, id).await.expect("undone");
    assert_eq!(told(&petr).await.len(), 3);
    assert_eq!(rings(&petr).await, 5, "the bell counts it no more");

    // In turn, as it comes in and by the job.
    let name = &text("billing");
    let queue = queues::create(db, &lead, "billing", name).await.expect("a queue");
    let (was, is) = ((None, Priority::Normal), (Some(queue), Priority::Normal));
    queues::set_beginnings(db, &lead, &[(card, was, is)])
        .await
        .expect("set");
    sql!(world, "UPDATE queues SET mode = 'round_robin'");
    // She has one already.
    queues::set_agent(db, &lead, queue, olga.id(), None, Some(2))
        .await
        .expect("of it");
    queues::set_presence(db, &olga, true).await.expect("there");
    let given = write(world, &anna, "one").await;
    let waits = write(world, &anna, "two").await;
    assert_eq!(told(&olga).await, [(given, Some(Told::Given))]);
    queues::set_agent(db, &lead, queue, olga.id(), Some(2), Some(9))
        .await
        .expect("of it");
    queues::run_due(db, &SYSTEM).await.expect("given");
    assert_eq!(told(&olga).await.len(), 2);
    let bell = Listener::bell(&olga).expect("theirs");
    let numbers: Vec<_> = missed(world, bell, 0)
        .await
        .into_iter()
        .map(|(number, _)| number)
        .collect();
    assert_eq!(numbers, [given, waits]);
    // Before a request and before the queue they hear it as well; others hear nothing of it.
    let mut conn = db.read().await.expect("a connection");
    let before = Listener::request(&mut conn, &olga, number).await.expect("it is there");
    drop(conn);
    let rung = after(world, 0)
        .await
        .into_iter()
        .filter(|one| one.staff == Some(olga.id()));
    for change in rung {
        let queue = [&olga, &petr].map(|who| Listener::queue(who).expect("theirs").hears(&change));
        assert_eq!((before.hears(&change), queue), (true, [true, false]));
        assert!(!Listener::customer(&anna).hears(&change));
    }
});

crm::both_engines!(what_was_not_done_is_no_change, async |world| {
    topic(world, "card", 1).await;
    let (anna, boris) = (customer(world, "Anna", "K").await, customer(world, "Boris", "K").await);
    let agent = staff(world, "agent").await;
    let db = &world.db;
    let number = write(world, &anna, "hello").await;
    let moment = seen(world, &agent, number).await - TimeDelta::seconds(1);
    let late = store::staff_answer(db, &agent, number, "late", &[], moment).await;
    assert!(matches!(late, Err(Error::Stale)));
    assert!(store::answer(db, &boris, number, "mine?", &[]).await.is_err());
    assert!(store::answer(db, &anna, number, " ", &[]).await.is_err());
    assert!(store::reopen(db, &anna, number).await.is_err());
    assert_eq!(after(world, 1).await, []);
});

crm::both_engines!(changes_are_seen_in_the_order_of_their_numbers, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let agent = &staff(world, "agent").await;
    let mut numbers = Vec::new();
    for _ in 0..8 {
        numbers.push(write(world, &anna, "hello").await);
    }
    let writes = join_all(numbers.into_iter().map(|number| async move {
        for _ in 0..5 {
            store::note(&world.db, agent, number, "hm", &[]).await.expect("noted");
        }
    }));
    // A number that is seen after a larger one would never be told.
    let reads = async {
        let mut last = 8;
        while last < 48 {
            for change in after(world, last).await {
                last += 1;
                assert_eq!(change.id, last);
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(writes, reads);
});

crm::both_engines!(colleagues_see_each_other_for_half_a_minute, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (olga, petr) = (staff(world, "olga").await, staff(world, "petr").await);
    let db = &world.db;
    let number = write(world, &anna, "hello").await;
    let other = write(world, &anna, "hello").await;
    let be_here = async |who: &Staff, number: i64, is_writing: bool| live::be_here(db, who, number, is_writing).await;
    assert_eq!(be_here(&olga, number, false).await.expect("here"), []);
    assert_eq!(
        be_here(&petr, number, true).await.expect("here"),
        [colleague("olga", false)]
    );
    assert_eq!(
        be_here(&olga, number, false).await.expect("here"),
        [colleague("petr", true)]
    );
    assert_eq!(
        be_here(&olga, other, false).await.expect("here"),
        [],
        "at that one is nobody"
    );
    let here = [(number, Kind::Here), (number, Kind::Here), (other, Kind::Here)];
    let told = async || {
        let all = after(world, 2).await;
        all.iter()
            .map(|change| (change.number, change.kind))
            .collect::<Vec<_>>()
    };
    assert_eq!(told().await, here, "who stays as they are is no news");
    be_here(&petr, number, false).await.expect("here");
    assert_eq!(told().await.len(), 4, "who stops to write is");

    world.clock.set(db.now() + TimeDelta::seconds(29));
    be_here(&olga, number, false).await.expect("here");
    let request = store::open(db, &olga, number).await.expect("a thread").1.id;
    let mut conn = db.read().await.expect("a connection");
    let seen = live::present(&mut conn, &olga, request).await.expect("read");
    assert_eq!(seen, [colleague("petr", false)]);
    drop(conn);
    world.clock.set(db.now() + TimeDelta::seconds(1));
    assert_eq!(be_here(&olga, number, false).await.expect("here"), [], "he is gone");
    assert_eq!(
        be_here(&petr, number, false).await.expect("here"),
        [colleague("olga", false)]
    );
    assert_eq!(told().await.len(), 5, "who comes again is news");

    assert!(matches!(be_here(&olga, 99, false).await, Err(Error::NotFound)));
    role(world, "marketer", r#"["rules"]"#).await;
    let mara = marketer(world).await;
    assert!(matches!(be_here(&mara, number, false).await, Err(Error::Forbidden)));
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM request_presence"), 3);
});

crm::both_engines!(what_is_old_is_swept_and_numbers_go_on, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let agent = staff(world, "agent").await;
    let number = write(world, &anna, "hello").await;
    live::be_here(&world.db, &agent, number, false).await.expect("here");
    world.clock.set(world.db.now() + TimeDelta::days(7));
    live::sweep(&world.db, &SYSTEM).await.expect("swept");
    assert_eq!(after(world, 0).await.len(), 2, "a week is kept");
    world.clock.set(world.db.now() + TimeDelta::seconds(1));
    live::sweep(&world.db, &SYSTEM).await.expect("swept");
    assert_eq!(after(world, 0).await, []);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM request_presence"), 0);
    write(world, &anna, "hello").await;
    assert_eq!(after(world, 0).await[0].id, 3);
});

crm::both_engines!(a_session_lasts_until_it_ends_whoever_asks, async |world| {
    let anna = customer(world, "Anna", "K").await;
    let agent = staff(world, "agent").await;
    let lasts = async |session| {
        who::lasts(&world.db, session, &[Right::Points, Right::Requests])
            .await
            .expect("read")
    };
    assert!(lasts(anna.session()).await && lasts(agent.session()).await);
    sql!(world, "UPDATE staff SET role = 'marketer' WHERE login = 'agent'");
    assert!(!lasts(agent.session()).await, "who may not read requests any more");
    sql!(world, "UPDATE staff SET role = 'agent' WHERE login = 'agent'");
    world
        .clock
        .set(world.db.now() + who::STAFF_IDLE - TimeDelta::seconds(1));
    assert!(lasts(agent.session()).await);
    world.clock.set(world.db.now() + TimeDelta::seconds(1));
    assert!(!lasts(agent.session()).await, "to ask does not keep it alive");
    assert!(lasts(anna.session()).await);
    // These sessions are for a day.
    world.clock.set(world.db.now() + TimeDelta::days(1));
    assert!(!lasts(anna.session()).await);
});
