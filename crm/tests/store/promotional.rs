//! Promotional messages: to whoever agreed, when they want them, on both engines. The hours themselves are decided by a pure
//! function with tests of its own (`crm::consent::pace`).

use crate::common::people::{again, contact, lead, one};
use crate::common::*;
use chrono::{DateTime, Duration, Utc};
use crm::both_engines;
use crm::consent::pace::{self, Wishes, WishesForm};
use crm::consent::{Act, Aim, store as consents, unsubscribe};
use crm::contact::Kind;
use crm::db::{Db, scoped};
use crm::error::Error;
use crm::id::OutboxId;
use crm::lang::{Lang, Localized};
use crm::limits::Limits;
use crm::outbox::delivery::{self, Claimed, Fate, UNWANTED};
use crm::outbox::promotion;
use crm::outbox::staff as desk;
use crm::outbox::{self, Channel, State, To};
use crm::shop::Shop;
use crm::staff::store as staff_store;
use crm::testing::{World, start};
use crm::who::{Customer, Subject, Visitor};
use futures::future::join_all;

const HOLD: Duration = Duration::minutes(5);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment")
}

/// Somebody with a phone and an e-mail address who agrees to these.
async fn who_gave(world: &World, codes: &[&str]) -> Customer {
    let db = &world.db;
    let by = sign_in(db, customer(db).await).await;
    contact(world, by.id(), Kind::Phone, "+79000000001").await;
    contact(world, by.id(), Kind::Email, "anna@example.com").await;
    execute!(db, "UPDATE contacts SET verified_at = created_at")
        .await
        .expect("proved");
    for code in codes {
        consents::change(db, &by, code, Act::Given, 1, Lang::Ru)
            .await
            .expect("given");
    }
    by
}

async fn promote(db: &Db, to: &Customer) -> Option<OutboxId> {
    let text = &Localized::new("чай дешевле", "tea for less");
    db.write(|tx| {
        scoped(async move { promotion::send(tx, to.id(), Aim::Marketing, "reward", &[("text", text)]).await })
    })
    .await
    .expect("written, or not")
}

async fn claim(db: &Db, channel: Channel) -> Vec<Claimed> {
    delivery::claim(db, &BY, channel, "worker", HOLD, 10)
        .await
        .expect("claimed")
}

/// Carries what is due by SMS; how many messages.
async fn carry(db: &Db) -> usize {
    let claimed = claim(db, Channel::Sms).await;
    for message in &claimed {
        assert!(delivery::sent(db, &BY, message, None).await.expect("sent"));
    }
    claimed.len()
}

async fn due(db: &Db) -> Vec<DateTime<Utc>> {
    let mut conn = db.read().await.expect("a connection");
    let sql = "SELECT due_at FROM outbox WHERE state = 'queued' ORDER BY id";
    crm::on!(conn, |c| sqlx::query_scalar(sql).fetch_all(c).await).expect("read")
}

async fn wish(db: &Db, by: &Customer, per_week: &str, paused_until: &str) {
    let form = WishesForm {
        quiet_from: "21".into(),
        quiet_until: "9".into(),
        per_week: per_week.into(),
        paused_until: paused_until.into(),
    };
    pace::set_wishes(db, by, &form).await.expect("kept");
}

async fn wishes(db: &Db, of: Subject) -> Wishes {
    let mut conn = db.read().await.expect("a connection");
    pace::wishes(&mut conn, of).await.expect("read")
}

both_engines!(a_message_goes_by_what_was_agreed_to, async |world| {
    let db = ready(world).await;
    let neither = who_gave(world, &["marketing_phone", "surveys_sms", "surveys_email"]).await;
    assert_eq!(
        promote(db, &neither).await,
        None,
        "to be called and asked is another thing"
    );
    execute!(db, "DELETE FROM contacts").await.expect("gone");
    let both = who_gave(world, &["marketing_sms", "marketing_email"]).await;
    promote(db, &both).await.expect("written");
    world.clock.set(start() + days(8));
    consents::change(db, &both, "marketing_email", Act::Withdrawn, 1, Lang::Ru)
        .await
        .expect("withdrawn");
    promote(db, &both).await.expect("written");
    let inbox = outbox::inbox(db, 10).await.expect("the inbox");
    let ways: Vec<_> = inbox
        .iter()
        .map(|message| (message.channel, message.address.as_str()))
        .collect();
    assert_eq!(
        ways,
        [(Channel::Sms, "+79000000001"), (Channel::Email, "anna@example.com")]
    );
    assert!(inbox[0].body.starts_with("Анна, чай дешевле"), "{}", inbox[0].body);
    // An address that nobody proved is nobody's.
    execute!(db, "UPDATE contacts SET verified_at = NULL")
        .await
        .expect("not proved");
    assert_eq!(promote(db, &both).await, None);
});

both_engines!(
    a_message_is_held_over_the_night_and_what_is_needed_is_not,
    async |world| {
        let db = ready(world).await;
        let anna = who_gave(world, &["marketing_sms"]).await;
        let (night, morning) = (at("2026-11-21T19:00:00Z"), at("2026-11-22T06:00:00Z"));
        world.clock.set(night);
        promote(db, &anna).await.expect("written");
        assert_eq!(due(db).await, [morning]);
        let to = To {
            channel: Channel::Sms,
            address: "+79000000001",
            customer: Some(anna.id()),
        };
        db.write(|tx| {
            scoped(async move {
                let values = [("code", "123456"), ("minutes", "10"), ("shop", "Сосна")];
                outbox::send(tx, to, "sign_in_code", Lang::Ru, &values).await
            })
        })
        .await
        .expect("a code");
        assert_eq!(carry(db).await, 1, "the code");
        world.clock.set(morning - Duration::seconds(1));
        assert_eq!(carry(db).await, 0);
        world.clock.set(morning);
        assert_eq!(carry(db).await, 1);
    }
);

both_engines!(no_more_come_within_a_week_than_are_wanted, async |world| {
    let db = ready(world).await;
    let anna = who_gave(world, &["marketing_sms"]).await;
    assert_eq!(wishes(db, anna.me()).await.per_week, 3, "by the shop's word");
    wish(db, &anna, "2", "").await;
    for _ in 0..4 {
        promote(db, &anna).await.expect("written");
    }
    let week = days(7);
    assert_eq!(due(db).await, [start(), start(), start() + week, start() + week]);
    // Somebody who carries them late shifts those that follow.
    world.clock.set(start() + days(1));
    assert_eq!(carry(db).await, 2);
    world.clock.set(start() + week);
    assert_eq!(carry(db).await, 0, "six days after the last");
    world.clock.set(start() + days(8));
    assert_eq!(carry(db).await, 2);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM outbox WHERE state = 'sent'"), 4);
    // Whoever wants none is written none.
    wish(db, &anna, "0", "").await;
    assert_eq!(promote(db, &anna).await, None);
});

both_engines!(many_who_write_at_once_do_not_write_more, async |world| {
    let db = ready(world).await;
    let anna = who_gave(world, &["marketing_sms"]).await;
    wish(db, &anna, "1", "").await;
    let written = join_all((0..8).map(|_| promote(db, &anna))).await;
    assert!(written.iter().all(Option::is_some));
    let mut due = due(db).await;
    due.sort();
    for pair in due.windows(2) {
        assert!(pair[1] - pair[0] >= days(7), "{due:?}");
    }
});

both_engines!(
    what_waits_is_held_or_given_up_when_its_customer_thinks_better_of_it,
    async |world| {
        let db = ready(world).await;
        let anna = who_gave(world, &["marketing_sms"]).await;
        promote(db, &anna).await.expect("written");
        wish(db, &anna, "3", "2026-11-30").await;
        assert_eq!(
            wishes(db, anna.me()).await.paused_until.map(|day| day.to_string()),
            Some("2026-11-30".into())
        );
        assert_eq!(carry(db).await, 0);
        let back = at("2026-11-30T06:00:00Z");
        assert_eq!(due(db).await, [back]);
        // The pause ends early: it may go at once.
        world.clock.set(start() + Duration::hours(1));
        wish(db, &anna, "3", "").await;
        assert_eq!(carry(db).await, 1);

        promote(db, &anna).await.expect("written");
        consents::withdraw_all(db, &anna, Lang::Ru).await.expect("withdrawn");
        assert_eq!(carry(db).await, 0);
        assert!(due(db).await.is_empty());
        let why = one!(world, Option<String>, "SELECT error FROM outbox WHERE state = 'failed'");
        assert_eq!(why.as_deref(), Some(UNWANTED));
    }
);

both_engines!(
    a_message_that_failed_in_the_evening_is_tried_in_the_morning,
    async |world| {
        let db = ready(world).await;
        let anna = who_gave(world, &["marketing_sms"]).await;
        let evening = at("2026-11-21T17:59:50Z");
        world.clock.set(evening);
        promote(db, &anna).await.expect("written");
        let message = claim(db, Channel::Sms).await.remove(0);
        let fate = delivery::not_sent(db, &BY, &message, false, "busy")
            .await
            .expect("noted");
        let Fate::Later(later) = fate else { panic!("{fate:?}") };
        assert!(later > evening + Duration::seconds(10), "past nine: {later}");
        world.clock.set(later);
        assert_eq!(carry(db).await, 0);
        assert_eq!(due(db).await, [at("2026-11-22T06:00:00Z")]);
        assert_eq!(one!(world, i64, "SELECT tries FROM outbox"), 1, "a look is no try");
        world.clock.set(at("2026-11-22T06:00:00Z"));
        assert_eq!(carry(db).await, 1);
        assert_eq!(one!(world, State, "SELECT state FROM outbox"), State::Sent);
    }
);

both_engines!(what_waits_on_purpose_is_not_late_and_what_fails_is, async |world| {
    let db = ready(world).await;
    let anna = who_gave(world, &["marketing_sms"]).await;
    execute!(db, "DELETE FROM contacts WHERE kind = 'email'")
        .await
        .expect("gone");
    // What the metrics and the doctor go by.
    let due_since = async || {
        let mut conn = db.read().await.expect("a connection");
        let backlog = delivery::backlog(&mut conn, &BY).await.expect("counted");
        drop(conn);
        let since = crm::checkup::outbox(db, &BY).await.expect("looked at").due_since;
        assert_eq!(backlog.iter().map(|queue| queue.due_since).min(), since);
        since
    };
    assert_eq!(due_since().await, None);

    // A notice that waits for the budget of text messages, twice.
    let spent = Shop {
        limits: Limits {
            sms_per_day: 0,
            ..Limits::default()
        },
        ..Shop::default()
    };
    let spent = Db::open(&world.url, spent, world.clock.clone())
        .await
        .expect("it opens");
    let lead = lead(world).await;
    staff_store::end_customer_sessions(&spent, &lead, anna.id(), "Чужой вход")
        .await
        .expect("ended");
    let pause = Duration::minutes(10);
    assert_eq!(due_since().await, Some(start() + pause));
    world.clock.set(start() + pause);
    assert_eq!(claim(&spent, Channel::Sms).await, []);
    assert_eq!(due_since().await, Some(start() + pause + pause));
    world.clock.set(start() + pause + pause);
    assert_eq!(carry(db).await, 1);

    // A promotion that waits for the morning, fails then, and waits for the next one.
    let (night, morning) = (at("2026-11-21T19:00:00Z"), at("2026-11-22T06:00:00Z"));
    world.clock.set(night);
    promote(db, &anna).await.expect("written");
    assert_eq!(due_since().await, Some(morning));
    world.clock.set(morning);
    let message = claim(db, Channel::Sms).await.remove(0);
    let fate = delivery::not_sent(db, &BY, &message, false, "busy")
        .await
        .expect("noted");
    let Fate::Later(later) = fate else { panic!("{fate:?}") };
    assert_eq!(due(db).await, [later]);
    assert_eq!(due_since().await, Some(morning), "another try hides nothing");
    world.clock.set(at("2026-11-22T19:00:00Z"));
    assert_eq!(carry(db).await, 0);
    assert_eq!(due_since().await, Some(morning + days(1)));

    // A dead letter that somebody sends again is late from then on.
    execute!(
        db,
        "UPDATE outbox SET state = 'failed', due_at = NULL WHERE state = 'queued'"
    )
    .await
    .expect("given up");
    let later = morning + days(2);
    world.clock.set(later);
    desk::send_again(db, &again(world, lead.id()).await, message.id)
        .await
        .expect("queued");
    assert_eq!(due_since().await, Some(later));
});

// Unsubscribing --------------------------------------------------------------------------------------------------------

/// The link in the e-mail that waits.
async fn link(db: &Db) -> (Claimed, String) {
    let message = claim(db, Channel::Email).await.remove(0);
    let link = message.unsubscribe.clone().expect("a promotional e-mail has one");
    (message, link)
}

both_engines!(an_email_carries_a_link_that_takes_back_its_own_consent, async |world| {
    let db = ready(world).await;
    let anna = who_gave(world, &["marketing_sms", "marketing_email", "surveys_email"]).await;
    promote(db, &anna).await.expect("written");
    let (message, link) = link(db).await;
    assert!(
        message
            .body
            .ends_with(&format!("Больше не присылать такие письма: {link}")),
        "{}",
        message.body
    );
    let token = link
        .strip_prefix("http://localhost:3000/unsubscribe/")
        .expect("a link of ours");
    // Once it has gone nobody finds the link in the database, and it is good all the same.
    assert!(delivery::sent(db, &BY, &message, None).await.expect("sent"));
    let kept = one!(world, String, "SELECT body FROM outbox");
    assert!(!kept.contains(token) && kept.ends_with("••••••"), "{kept}");
    world.clock.set(start() + days(1000));

    let about = unsubscribe::about(db, token).await.expect("ours");
    assert_eq!(
        (about.aim, about.address.as_deref()),
        (Aim::Marketing, Some("a•••@example.com"))
    );
    assert!(about.is_given);
    for _ in 0..2 {
        unsubscribe::withdraw(db, token, &Visitor::default())
            .await
            .expect("taken back");
        assert!(!unsubscribe::about(db, token).await.expect("still ours").is_given);
    }
    let mut conn = db.read().await.expect("a connection");
    let history = consents::history(&mut conn, anna.me()).await.expect("read");
    drop(conn);
    let taken: Vec<_> = history.iter().filter(|c| c.act == Act::Withdrawn).collect();
    assert_eq!(taken.len(), 1, "once, and nothing else");
    assert_eq!(
        (taken[0].code.as_str(), taken[0].source.as_str()),
        ("marketing_email", "link")
    );
    assert_eq!(
        one!(
            world,
            String,
            "SELECT reason FROM audit WHERE action = 'consent.withdraw'"
        ),
        "link"
    );
    // The other way that they agreed to is still open.
    promote(db, &anna).await.expect("written");
    assert_eq!(claim(db, Channel::Email).await, []);
    assert_eq!(carry(db).await, 1);
});

both_engines!(a_link_that_is_not_ours_takes_nothing_back, async |world| {
    let db = ready(world).await;
    let anna = who_gave(world, &["marketing_email", "surveys_email"]).await;
    promote(db, &anna).await.expect("written");
    let (_, link) = link(db).await;
    let token = link.rsplit('/').next().expect("its end");
    let before = one!(world, i64, "SELECT COUNT(*) FROM consents");
    for other in [
        token.replace("marketing", "surveys"),
        token.replace("email", "sms"),
        format!("{token}0"),
        token[..token.len() - 1].to_owned(),
        "x".into(),
        String::new(),
    ] {
        for result in [
            unsubscribe::withdraw(db, &other, &Visitor::default()).await,
            unsubscribe::about(db, &other).await.map(drop),
        ] {
            assert!(matches!(result, Err(Error::NotFound)), "{other}: {result:?}");
        }
    }
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM consents"), before);
});

both_engines!(what_is_no_promotion_has_no_such_link, async |world| {
    let db = ready(world).await;
    let to = To {
        channel: Channel::Email,
        address: "anna@example.com",
        customer: None,
    };
    db.write(|tx| {
        scoped(async move {
            let values = [("name", "Анна"), ("number", "7"), ("shop", "Сосна")];
            outbox::send(tx, to, "request_answered", Lang::Ru, &values).await
        })
    })
    .await
    .expect("written");
    assert_eq!(claim(db, Channel::Email).await.remove(0).unsubscribe, None);
});
