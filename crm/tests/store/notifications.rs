//! What the cabinet tells customers of, and the messages that went to them, on both engines.

use crate::common::people::{agent, contact, one, topic};
use crate::common::*;
use crm::both_engines;
use crm::contact::{Kind as Way, store as contacts};
use crm::db::{Db, scoped};
use crm::lang::Lang;
use crm::notification::{self, Kind, Notification};
use crm::outbox::own::{self, Sent};
use crm::outbox::{self, Channel, To};
use crm::points::store::transfers;
use crm::points::{NewTransfer, Receiver};
use crm::request::{NewRequest, store as requests};
use crm::testing::{World, start};
use crm::who::{Subject, Visitor};

async fn told(db: &Db, of: Subject) -> Vec<Notification> {
    let mut conn = db.read().await.expect("a connection");
    notification::list(&mut conn, of, None, 100).await.expect("read")
}

/// What each tells, the newest first.
async fn words(db: &Db, of: Subject) -> Vec<(Kind, String, Option<i64>)> {
    let all = told(db, of).await;
    all.into_iter().map(|one| (one.kind, one.about, one.points)).collect()
}

both_engines!(an_answer_is_told_and_read_by_whose_it_is, async |world| {
    let db = ready(world).await;
    topic(world, "hello", 9).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    let new = NewRequest {
        topic: "hello".into(),
        text: "Где баллы?".into(),
        purchase: String::new(),
    };
    let by = sign_in(db, anna).await;
    let number = requests::create(db, &by, &new, &[]).await.expect("a request");
    assert_eq!(by.unread(), 0);
    let staff = agent(world).await;
    let seen = requests::open(db, &staff, number).await.expect("read").1.updated_at;
    requests::staff_answer(db, &staff, number, "На месте", &[], seen)
        .await
        .expect("answered");
    // She has no e-mail address, and is told all the same.
    assert_eq!(words(db, anna).await, [(Kind::Answer, number.to_string(), None)]);
    assert_eq!(words(db, boris).await, []);
    let at = told(db, anna).await[0].at;
    assert_eq!(sign_in(db, anna).await.unread(), 1);
    notification::mark_read(db, &sign_in(db, boris).await, at)
        .await
        .expect("nothing");
    assert_eq!(sign_in(db, anna).await.unread(), 1, "it is hers to read");
    notification::mark_read(db, &sign_in(db, anna).await, at - days(1))
        .await
        .expect("nothing");
    assert_eq!(sign_in(db, anna).await.unread(), 1, "what came later is new");
    notification::mark_read(db, &sign_in(db, anna).await, at)
        .await
        .expect("read");
    assert_eq!(sign_in(db, anna).await.unread(), 0);
    assert!(told(db, anna).await[0].read_at.is_some());
});

both_engines!(what_touches_safety_is_told_once_for_all_its_messages, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    contact(world, anna.id(), Way::Phone, "+79000000001").await;
    contact(world, anna.id(), Way::Email, "anna@example.com").await;
    execute!(db, "UPDATE contacts SET verified_at = created_at")
        .await
        .expect("proved");
    let by = sign_in(db, anna).await;
    let fresh = by.fresh(db).expect("fresh");
    contacts::add(db, &fresh, Way::Phone, "+79000000002")
        .await
        .expect("added");
    execute!(
        db,
        "UPDATE contacts SET verified_at = created_at WHERE value = '+79000000002'"
    )
    .await
    .expect("proved");
    let mut conn = db.read().await.expect("a connection");
    let all = contacts::of(&mut conn, anna).await.expect("read");
    drop(conn);
    let second = all.iter().find(|c| c.value == "+79000000002").expect("there").id;
    contacts::make_primary(db, &fresh, second).await.expect("changed");
    // The number before and the e-mail address were both written to.
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM outbox WHERE template = 'number_begun'"
        ),
        2
    );
    assert_eq!(words(db, anna).await, [(Kind::Security, "number_begun".into(), None)]);
    let subject = told(db, anna).await.remove(0).subject.expect("a subject");
    assert_eq!(subject.0.ru, "Основной номер скоро сменится");
    // It is told also to whom no message reaches.
    let boris = customer(db).await;
    let by = sign_in(db, boris).await;
    let (fresh, password) = (by.fresh(db).expect("fresh"), "пятьдесят лошадей у реки");
    crm::signin::confirm::set_password(db, &fresh, "", password, &Visitor::default())
        .await
        .expect("set");
    assert_eq!(
        words(db, boris).await,
        [(Kind::Security, "password_changed".into(), None)]
    );
});

both_engines!(points_that_arrive_and_that_expire_are_told, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    execute!(db, "UPDATE customers SET registered_at = $1", start() - days(100))
        .await
        .expect("long ago");
    let card = card(db, boris, "active").await;
    let family = program(db, "family").await;
    fund(db, anna, 10_00, start()).await;
    let by = sign_in(db, anna).await;
    let new = NewTransfer {
        to: Receiver::Card(card),
        program: family,
        points: 4_00,
    };
    transfers::transfer(db, &by.fresh(db).expect("fresh"), &new)
        .await
        .expect("sent");
    assert_eq!(words(db, boris).await, [], "they are on their way");
    let all = words(db, anna).await;
    assert!(all.contains(&(Kind::Security, "points_sent".into(), None)), "{all:?}");
    assert!(all.contains(&(Kind::Active, String::new(), Some(10_00))), "{all:?}");
    assert_eq!(all.len(), 2);
    run_due(world, start() + days(1)).await;
    assert_eq!(words(db, boris).await, [(Kind::Received, "Анна".into(), Some(4_00))]);

    // They last for ninety days from the purchase on.
    let notify = async |at| {
        world.clock.set(at);
        notification::run_due(db, &BY).await.expect("the daily work is done")
    };
    assert_eq!(notify(start() + days(82)).await, 0, "eight days before");
    assert_eq!(notify(start() + days(83)).await, 2);
    assert_eq!(notify(start() + days(83)).await, 0, "once");
    assert_eq!(notify(start() + days(84)).await, 0);
    let newest = told(db, anna).await.remove(0);
    assert_eq!((newest.kind, newest.points), (Kind::Expiry, Some(6_00)));
    assert_eq!(newest.day, Some(db.shop().day(start() + days(90))));
    assert_eq!(told(db, boris).await[0].points, Some(4_00));
});

both_engines!(
    what_comes_later_and_expires_on_a_day_that_was_told_is_told,
    async |world| {
        let db = ready(world).await;
        let (anna, boris) = (customer(db).await, customer(db).await);
        execute!(db, "UPDATE customers SET registered_at = $1", start() - days(100))
            .await
            .expect("long ago");
        let to_anna = card(db, anna, "active").await;
        let family = program(db, "family").await;
        fund(db, anna, 10_00, start()).await;
        fund(db, boris, 5_00, start()).await;
        world.clock.set(start() + days(84));
        assert_eq!(notification::run_due(db, &BY).await.expect("done"), 2);
        let by = sign_in(db, boris).await;
        let new = NewTransfer {
            to: Receiver::Card(to_anna),
            program: family,
            points: 3_00,
        };
        transfers::transfer(db, &by.fresh(db).expect("fresh"), &new)
            .await
            .expect("sent");
        run_due(world, start() + days(85)).await;
        assert_eq!(notification::run_due(db, &BY).await.expect("done"), 1);
        let told: Vec<_> = words(db, anna).await;
        let expiries: Vec<_> = told.iter().filter(|one| one.0 == Kind::Expiry).collect();
        assert_eq!(
            expiries,
            [&(Kind::Expiry, String::new(), Some(13_00))],
            "once, with all of it"
        );
        assert_eq!(notification::run_due(db, &BY).await.expect("done"), 0);
        // Spent, it is less, which is no news.
        spend(db, anna, family, 6_00).await;
        assert_eq!(notification::run_due(db, &BY).await.expect("done"), 0);
    }
);

both_engines!(points_that_expire_are_written_of_once_a_week, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    contact(world, anna.id(), Way::Email, "anna@example.com").await;
    execute!(db, "UPDATE contacts SET verified_at = created_at")
        .await
        .expect("proved");
    for n in [0, 2, 10] {
        fund(db, anna, 10_00, start() + days(n)).await;
    }
    const WRITTEN: &str = "SELECT COUNT(*) FROM outbox WHERE template = 'points_expire'";
    for (day, told, written) in [(83, 1, 1), (85, 1, 1), (93, 1, 2)] {
        world.clock.set(start() + days(day));
        assert_eq!(notification::run_due(db, &BY).await.expect("done"), told, "day {day}");
        assert_eq!(one!(world, i64, WRITTEN), written, "day {day}");
    }
    let bodies = "SELECT body FROM outbox WHERE template = 'points_expire' ORDER BY created_at LIMIT 1";
    let body = one!(world, String, bodies);
    let day = Lang::Ru.date(db.shop().day(start() + days(90)));
    assert!(body.contains(&day) && body.contains("10"), "{body}");
    assert!(body.contains("/points/expiry"), "{body}");
});

both_engines!(points_of_a_day_that_can_be_spent_are_told_together, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    fund(db, anna, 10_00, start()).await;
    let at = told(db, anna).await[0].at;
    notification::mark_read(db, &sign_in(db, anna).await, at)
        .await
        .expect("read");
    fund(db, anna, 5_00, start()).await;
    assert_eq!(words(db, anna).await, [(Kind::Active, String::new(), Some(15_00))]);
    assert_eq!(sign_in(db, anna).await.unread(), 1, "the sum is new");
    // What is brought in of long ago is no news.
    fund(db, anna, 5_00, start() - days(20)).await;
    assert_eq!(words(db, anna).await, [(Kind::Active, String::new(), Some(15_00))]);
});

both_engines!(what_is_due_is_told_late_and_what_is_over_is_not, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    for n in [0, 2, 4] {
        fund(db, anna, 10_00, start() + days(n)).await;
    }
    world.clock.set(start() + days(80));
    assert_eq!(notification::run_due(db, &BY).await.expect("done"), 0);
    // It did not run for ten days. The first of them are gone by then.
    run_due(world, start() + days(91)).await;
    assert_eq!(notification::run_due(db, &BY).await.expect("done"), 2);
    let told = told(db, anna).await;
    let expiries = told.iter().filter(|one| one.kind == Kind::Expiry);
    let told: Vec<_> = expiries.filter_map(|one| one.day).collect();
    let expected = [94, 92].map(|n| db.shop().day(start() + days(n)));
    assert_eq!(told.len(), 2);
    assert!(expected.iter().all(|day| told.contains(day)), "{told:?}");
});

both_engines!(who_was_erased_is_told_nothing_any_more, async |world| {
    let db = ready(world).await;
    let (anna, gone) = (customer(db).await, customer(db).await);
    for who in [anna, gone] {
        fund(db, who, 10_00, start()).await;
    }
    run_due(world, start() + days(1)).await;
    execute!(
        db,
        "UPDATE customers SET erased_at = registered_at WHERE id = $1",
        gone.id()
    )
    .await
    .expect("erased");
    world.clock.set(start() + days(83));
    assert_eq!(notification::run_due(db, &BY).await.expect("done"), 1);
    let expiries = async |who| {
        let told = told(db, who).await;
        told.iter().filter(|one| one.kind == Kind::Expiry).count()
    };
    assert_eq!([expiries(gone).await, expiries(anna).await], [0, 1]);
});

async fn write(db: &Db, channel: Channel, customer: Option<Subject>, code: &str) {
    let to = To {
        channel,
        address: match channel {
            Channel::Sms => "+79000000001",
            Channel::Email => "anna@example.com",
        },
        customer: customer.map(|who| who.id()),
    };
    db.write(|tx| {
        scoped(async move {
            let values = [("code", code), ("minutes", "10"), ("shop", "Сосна")];
            outbox::send(tx, to, "confirm_code", Lang::Ru, &values).await
        })
    })
    .await
    .expect("written");
}

async fn sent(world: &World, of: Subject, channel: Option<Channel>, before: Option<&Sent>, limit: i64) -> Vec<Sent> {
    let mut conn = world.db.read().await.expect("a connection");
    let before = before.map(|one| (one.created_at, one.id.0));
    own::list(&mut conn, of, channel, before, limit).await.expect("read")
}

both_engines!(
    messages_are_read_by_whom_they_went_to_without_their_codes,
    async |world| {
        let db = ready(world).await;
        let (anna, boris) = (customer(db).await, customer(db).await);
        write(db, Channel::Sms, Some(anna), "111111").await;
        write(db, Channel::Email, Some(anna), "222222").await;
        write(db, Channel::Sms, Some(boris), "333333").await;
        write(db, Channel::Sms, None, "444444").await;
        assert_eq!(sent(world, anna, None, None, 10).await, [], "nothing has gone yet");
        outbox::deliver_to_inbox(db, &BY).await.expect("gone");
        let all = sent(world, anna, None, None, 10).await;
        let channels: Vec<_> = all.iter().map(|one| one.channel).collect();
        assert_eq!(channels, [Channel::Email, Channel::Sms]);
        for one in &all {
            assert!(one.body.starts_with("•••••• — код подтверждения"), "{}", one.body);
            assert!(!one.subject.contains("222222"), "{}", one.subject);
        }
        assert_eq!(sent(world, anna, Some(Channel::Sms), None, 10).await, all[1..]);
        assert_eq!(sent(world, anna, None, None, 1).await, all[..1]);
        assert_eq!(sent(world, anna, None, Some(&all[0]), 1).await, all[1..]);
        assert_eq!(sent(world, boris, None, None, 10).await.len(), 1);
    }
);
