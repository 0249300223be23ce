//! Messages to people.

use crate::common::people::{SYSTEM, customer, one, sql, staff, template};
use chrono::{DateTime, TimeDelta, Utc};
use crm::error::Error;
use crm::id::OutboxId;
use crm::lang::Lang;
use crm::outbox::delivery::{self, Claimed, Fate, Report};
use crm::outbox::staff::{self as desk, Filter};
use crm::outbox::{self, Channel, State, To};
use crm::testing::{World, start};
use crm::who::Staff;
use std::collections::BTreeMap;
use std::sync::Mutex;

const TO: To<'_> = To {
    channel: Channel::Sms,
    address: "+79000000001",
    customer: None,
};

async fn send(world: &World, code: &str, lang: Lang, values: &[(&str, &str)]) -> Result<(), crm::Error> {
    world
        .db
        .write(|tx| crm::db::scoped(async move { outbox::send(tx, TO, code, lang, values).await.map(drop) }))
        .await
}

crm::both_engines!(the_newest_published_version_is_sent, async |world| {
    template(world, "hello", 1, "Old", "Old {name}", start()).await;
    template(world, "hello", 2, "Hi {name}", "Hi {name}, <b>'{x}'</b>", start()).await;
    template(world, "hello", 3, "Later", "Later", start() + TimeDelta::seconds(1)).await;
    send(
        world,
        "hello",
        Lang::En,
        &[("name", "A\r\nBcc: x {x}"), ("x", "'; DROP 😀")],
    )
    .await
    .expect("sent");
    world.clock.set(start() + TimeDelta::seconds(1));
    send(world, "hello", Lang::Ru, &[]).await.expect("sent");

    let inbox = outbox::inbox(&world.db, 10).await.expect("read");
    assert_eq!(inbox.len(), 2);
    assert_eq!((inbox[0].subject.as_str(), inbox[0].language), ("ru Later", Lang::Ru));
    assert_eq!(inbox[1].subject, "Hi A  Bcc: x {x}");
    assert_eq!(inbox[1].body, "Hi A\r\nBcc: x {x}, <b>''; DROP 😀'</b>");
    assert_eq!(
        (inbox[1].channel, inbox[1].address.as_str(), inbox[1].state),
        (Channel::Sms, "+79000000001", State::Queued)
    );
    assert_eq!(outbox::inbox(&world.db, 1).await.expect("read"), inbox[..1]);
});

crm::both_engines!(a_message_with_a_hole_is_not_sent, async |world| {
    template(world, "hello", 1, "Hi", "Hi {name}", start()).await;
    let told = send(world, "hello", Lang::En, &[("nam", "x")])
        .await
        .expect_err("a hole")
        .to_string();
    assert!(told.contains("{name}"), "{told}");
    assert!(send(world, "unknown", Lang::En, &[]).await.is_err());
    assert_eq!(outbox::inbox(&world.db, 10).await.expect("read"), []);
});

crm::both_engines!(a_message_goes_with_the_change_it_tells_of, async |world| {
    template(world, "hello", 1, "Hi", "Hi", start()).await;
    let undone: Result<(), crm::Error> = world
        .db
        .write(|tx| {
            crm::db::scoped(async move {
                outbox::send(tx, TO, "hello", Lang::En, &[]).await?;
                Err(crm::Error::Stale)
            })
        })
        .await;
    undone.expect_err("undone");
    assert_eq!(outbox::inbox(&world.db, 10).await.expect("read"), []);
});

crm::both_engines!(what_is_queued_is_delivered_once, async |world| {
    template(world, "hello", 1, "Hi", "Hi", start()).await;
    for _ in 0..3 {
        send(world, "hello", Lang::En, &[]).await.expect("sent");
    }
    sql!(
        world,
        "UPDATE outbox SET state = 'failed' WHERE id = (SELECT id FROM outbox ORDER BY id LIMIT 1)"
    );
    assert_eq!(
        outbox::deliver_to_inbox(&world.db, &SYSTEM).await.expect("delivered"),
        2
    );
    assert_eq!(
        outbox::deliver_to_inbox(&world.db, &SYSTEM).await.expect("delivered"),
        0
    );
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM outbox WHERE state = 'sent' AND sent_at IS NOT NULL"
        ),
        2
    );
});

// Delivery ------------------------------------------------------------------------------------------------------------

const HOLD: TimeDelta = TimeDelta::minutes(5);

/// Text messages that a worker takes.
async fn claim(world: &World, worker: &str, limit: i64) -> Vec<Claimed> {
    delivery::claim(&world.db, &SYSTEM, Channel::Sms, worker, HOLD, limit)
        .await
        .expect("claimed")
}

/// The one text message that is due.
async fn claim_one(world: &World) -> Claimed {
    let mut claimed = claim(world, "a", 10).await;
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

async fn not_sent(world: &World, message: &Claimed, is_permanent: bool, error: &str) -> Fate {
    delivery::not_sent(&world.db, &SYSTEM, message, is_permanent, error)
        .await
        .expect("written down")
}

async fn sent(world: &World, message: &Claimed) -> bool {
    delivery::sent(&world.db, &SYSTEM, message, Some("R-1"))
        .await
        .expect("written down")
}

async fn hello(world: &World) {
    template(world, "hello", 1, "Hi", "Hi", start()).await;
}

/// Writes a message with a code that is good for ten minutes.
async fn code(world: &World) {
    template(
        world,
        "code",
        1,
        "Code {code}",
        "{code} is the code, good for {minutes} min",
        start(),
    )
    .await;
    send(world, "code", Lang::En, &[("code", "123456"), ("minutes", "10")])
        .await
        .expect("queued");
}

/// The newest message as the database holds it.
async fn text(world: &World) -> String {
    outbox::inbox(&world.db, 1).await.expect("read").remove(0).body
}

crm::both_engines!(a_message_is_one_workers_until_its_claim_runs_out, async |world| {
    hello(world).await;
    for _ in 0..3 {
        send(world, "hello", Lang::En, &[]).await.expect("queued");
    }
    let first = claim(world, "a", 2).await;
    let second = claim(world, "b", 10).await;
    assert_eq!((first.len(), second.len()), (2, 1));
    assert_eq!(claim(world, "c", 10).await, []);
    // By another channel there is nothing.
    let mail = delivery::claim(&world.db, &SYSTEM, Channel::Email, "m", HOLD, 10).await;
    assert_eq!(mail.expect("claimed"), []);

    // The first worker dies; when its claim has run out, another one takes what it had.
    world.clock.set(start() + HOLD);
    assert!(sent(world, &second[0]).await, "written down in the last moment");
    let taken = claim(world, "c", 10).await;
    let ids = |of: &[Claimed]| of.iter().map(|m| m.id).collect::<Vec<_>>();
    assert_eq!(ids(&taken), ids(&first));
    // What the dead one has to say after all changes nothing.
    assert_eq!(not_sent(world, &first[0], true, "late").await, Fate::Lost);
    // But a message that has gone has gone.
    assert!(sent(world, &first[1]).await);
    assert!(!sent(world, &taken[1]).await);
    assert!(sent(world, &taken[0]).await);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM outbox WHERE state = 'sent'"), 3);
});

crm::both_engines!(many_workers_at_once_send_nothing_twice, async |world| {
    const MESSAGES: usize = 60;
    hello(world).await;
    for _ in 0..MESSAGES {
        send(world, "hello", Lang::En, &[]).await.expect("queued");
    }
    let carried: Mutex<BTreeMap<OutboxId, usize>> = Mutex::default();
    let work = async |worker: &str| {
        loop {
            let claimed = claim(world, worker, 4).await;
            if claimed.is_empty() {
                break;
            }
            for message in claimed {
                *carried.lock().expect("a lock").entry(message.id).or_default() += 1;
                tokio::task::yield_now().await;
                assert!(sent(world, &message).await, "known already");
            }
        }
    };
    let [a, b, c, d] = [work("a"), work("b"), work("c"), work("d")];
    tokio::join!(a, b, c, d);
    let carried = carried.into_inner().expect("a lock");
    assert_eq!(carried.len(), MESSAGES);
    assert!(carried.values().all(|times| *times == 1), "{carried:?}");
});

crm::both_engines!(what_fails_is_tried_again_ever_later, async |world| {
    hello(world).await;
    send(world, "hello", Lang::En, &[]).await.expect("queued");
    let mut now = start();
    let mut pauses: Vec<TimeDelta> = Vec::new();
    for tried in 1.. {
        let message = claim_one(world).await;
        match not_sent(world, &message, false, "busy\r\nlater").await {
            Fate::Later(at) => {
                world.clock.set(at - TimeDelta::milliseconds(1));
                assert_eq!(claim(world, "b", 10).await, [], "before its time");
                world.clock.set(at);
                pauses.push(at - now);
                now = at;
            }
            fate => {
                assert_eq!((fate, tried), (Fate::Failed, delivery::MAX_TRIES));
                break;
            }
        }
    }
    assert!(
        pauses[0] >= TimeDelta::seconds(22) && pauses[0] <= TimeDelta::seconds(38),
        "{pauses:?}"
    );
    // Twice as long each time, by chance a quarter more or less, up to six hours.
    assert!(pauses.windows(3).take(8).all(|p| p[2] > p[0] * 2), "{pauses:?}");
    assert!(
        pauses.iter().all(|pause| *pause <= TimeDelta::minutes(450)),
        "{pauses:?}"
    );
    assert!(now - start() > TimeDelta::days(1), "{pauses:?}");

    // It is a dead letter now, and says why.
    world.clock.set(now + TimeDelta::days(9));
    assert_eq!(claim(world, "a", 10).await, []);
    let agent = staff(world, "agent").await;
    let rows = desk::list(&world.db, &agent, &Filter::default(), None, 10)
        .await
        .expect("listed");
    let row = &rows[0];
    assert_eq!(
        (row.state, row.tries, row.error.as_deref()),
        (State::Failed, delivery::MAX_TRIES, Some("busy  later"))
    );

    // Somebody mends the carrier and sends it again: as if it had not been tried.
    desk::send_again(&world.db, &agent, row.id).await.expect("queued again");
    let again = desk::send_again(&world.db, &agent, row.id).await;
    assert!(matches!(again, Err(Error::Stale)), "{again:?}");
    let message = claim_one(world).await;
    assert!(matches!(not_sent(world, &message, false, "busy").await, Fate::Later(_)));
    world.clock.set(now + TimeDelta::days(10));
    let message = claim_one(world).await;
    assert!(sent(world, &message).await);
    let letter = desk::open(&world.db, &agent, row.id).await.expect("opened");
    assert_eq!(
        (letter.row.state, letter.row.error, letter.due_at),
        (State::Sent, None, None)
    );
    assert_eq!(letter.reference.as_deref(), Some("R-1"));
    let resend = desk::send_again(&world.db, &agent, row.id).await;
    assert!(matches!(resend, Err(Error::Stale)), "{resend:?}");
    let made_up = desk::send_again(&world.db, &agent, OutboxId::new()).await;
    assert!(matches!(made_up, Err(Error::NotFound)), "{made_up:?}");
});

crm::both_engines!(a_permanent_failure_is_a_dead_letter_at_once, async |world| {
    hello(world).await;
    send(world, "hello", Lang::En, &[]).await.expect("queued");
    let message = claim_one(world).await;
    assert_eq!(not_sent(world, &message, true, "no such mailbox").await, Fate::Failed);
    world.clock.set(start() + TimeDelta::days(1));
    assert_eq!(claim(world, "a", 10).await, []);
});

crm::both_engines!(
    a_node_that_dies_over_a_message_each_time_does_not_do_so_for_ever,
    async |world| {
        hello(world).await;
        send(world, "hello", Lang::En, &[]).await.expect("queued");
        let mut claims = 0;
        while let [_] = claim(world, "a", 1).await.as_slice() {
            claims += 1;
            assert!(i64::from(claims) <= delivery::MAX_TRIES, "it does so for ever");
            world.clock.set(start() + HOLD * claims);
        }
        assert_eq!(i64::from(claims), delivery::MAX_TRIES);
        let error = one!(world, String, "SELECT error FROM outbox WHERE state = 'failed'");
        assert_eq!(error, delivery::INTERRUPTED);
    }
);

crm::both_engines!(s08_a_code_is_not_sent_when_it_has_run_out, async |world| {
    code(world).await;
    // Twenty-five seconds of trying, then the gateway is down for longer than the code lives.
    let message = claim_one(world).await;
    assert_eq!(message.body, "123456 is the code, good for 10 min");
    assert!(matches!(not_sent(world, &message, false, "busy").await, Fate::Later(_)));
    world.clock.set(start() + TimeDelta::minutes(10));
    assert_eq!(claim(world, "a", 10).await, []);
    assert_eq!(text(world).await, "•••••• is the code, good for 10 min");
    let agent = staff(world, "agent").await;
    let row = desk::list(&world.db, &agent, &Filter::default(), None, 1)
        .await
        .expect("listed")
        .remove(0);
    assert_eq!(
        (row.state, row.error.as_deref()),
        (State::Failed, Some(delivery::EXPIRED))
    );
    // There is nothing left to send again.
    let again = desk::send_again(&world.db, &agent, row.id).await;
    assert!(matches!(again, Err(Error::Stale)), "{again:?}");
});

crm::both_engines!(s08_a_code_stays_no_longer_than_it_is_needed, async |world| {
    code(world).await;
    let message = claim_one(world).await;
    assert!(sent(world, &message).await);
    assert_eq!(text(world).await, "•••••• is the code, good for 10 min", "sent");

    world.clock.set(start() + TimeDelta::seconds(1));
    send(world, "code", Lang::En, &[("code", "223344"), ("minutes", "10")])
        .await
        .expect("queued");
    let message = claim_one(world).await;
    assert_eq!(
        not_sent(world, &message, true, "rejected: 223344 is the code").await,
        Fate::Failed
    );
    assert_eq!(text(world).await, "•••••• is the code, good for 10 min", "failed");
    let error = one!(world, String, "SELECT error FROM outbox WHERE state = 'failed'");
    assert_eq!(
        error, "rejected: •••••• is the code",
        "a gateway that repeats what it got"
    );
});

crm::both_engines!(
    a_code_in_the_development_inbox_is_there_as_long_as_it_is_good,
    async |world| {
        code(world).await;
        outbox::deliver_to_inbox(&world.db, &SYSTEM).await.expect("delivered");
        let sweep = async || delivery::sweep(&world.db, &SYSTEM).await.expect("swept");
        world
            .clock
            .set(start() + TimeDelta::minutes(10) - TimeDelta::microseconds(1));
        sweep().await;
        assert_eq!(text(world).await, "123456 is the code, good for 10 min");
        // Staff read it without the code all the same.
        let agent = staff(world, "agent").await;
        let id = one!(world, OutboxId, "SELECT id FROM outbox");
        let letter = desk::open(&world.db, &agent, id).await.expect("opened");
        assert_eq!(
            (letter.body.as_str(), letter.is_masked),
            ("•••••• is the code, good for 10 min", true)
        );
        let rows = desk::list(&world.db, &agent, &Filter::default(), None, 1)
            .await
            .expect("listed");
        assert_eq!([&rows[0].subject, &letter.row.subject], ["Code ••••••"; 2]);
        world.clock.set(start() + TimeDelta::minutes(10));
        sweep().await;
        assert_eq!(text(world).await, "•••••• is the code, good for 10 min");
    }
);

crm::both_engines!(messages_are_kept_for_so_many_days, async |world| {
    // More than a sweep takes at once.
    const SENT: i64 = 2001;
    template(world, "hello", 1, "Hi", "Hi", start()).await;
    let sent: Result<(), Error> = world
        .db
        .write(|tx| {
            crm::db::scoped(async move {
                for _ in 0..SENT {
                    outbox::send(tx, TO, "hello", Lang::En, &[]).await?;
                }
                Ok(())
            })
        })
        .await;
    sent.expect("written");
    outbox::deliver_to_inbox(&world.db, &SYSTEM).await.expect("delivered");
    let gone = one!(world, OutboxId, "SELECT id FROM outbox LIMIT 1");
    send(world, "hello", Lang::En, &[]).await.expect("queued");
    sql!(
        world,
        "UPDATE outbox SET state = 'failed', due_at = NULL WHERE state = 'queued'"
    );
    // One waited for its transport, another one still does.
    send(world, "hello", Lang::En, &[]).await.expect("queued");
    let late = start() + TimeDelta::days(100);
    world.clock.set(late);
    outbox::deliver_to_inbox(&world.db, &SYSTEM).await.expect("delivered");
    send(world, "hello", Lang::En, &[]).await.expect("queued");
    sql!(
        world,
        "UPDATE outbox SET created_at = $1 WHERE state = 'queued'",
        start(),
    );

    let keep = TimeDelta::days(i64::from(world.db.shop().messages.keep_days));
    let just_after = TimeDelta::microseconds(1);
    for (at, sent, failed) in [
        (start() + keep, SENT + 1, 1),
        (start() + keep + just_after, 1, 0),
        (late + keep, 1, 0),
        (late + keep + just_after, 0, 0),
    ] {
        world.clock.set(at);
        delivery::forget(&world.db, &SYSTEM).await.expect("forgotten");
        let count = (
            one!(world, i64, "SELECT COUNT(*) FROM outbox WHERE state = 'sent'"),
            one!(world, i64, "SELECT COUNT(*) FROM outbox WHERE state = 'failed'"),
            one!(world, i64, "SELECT COUNT(*) FROM outbox WHERE state = 'queued'"),
        );
        assert_eq!(count, (sent, failed, 1), "at {at}");
    }
    // Whoever has its page open reads that it is not there.
    let agent = staff(world, "agent").await;
    let opened = desk::open(&world.db, &agent, gone).await;
    assert!(matches!(opened, Err(Error::NotFound)), "{opened:?}");
});

crm::both_engines!(without_a_transport_codes_run_out_and_the_rest_waits, async |world| {
    code(world).await;
    hello(world).await;
    send(world, "hello", Lang::En, &[]).await.expect("queued");
    world.clock.set(start() + TimeDelta::days(30));
    delivery::sweep(&world.db, &SYSTEM).await.expect("swept");
    let states = outbox::inbox(&world.db, 10).await.expect("read");
    let states: BTreeMap<_, _> = states.iter().map(|m| (m.template.as_str(), m.state)).collect();
    assert_eq!(states, [("code", State::Failed), ("hello", State::Queued)].into());
    let mut conn = world.db.read().await.expect("a connection");
    let backlog = delivery::backlog(&mut conn, &SYSTEM).await.expect("counted");
    let expected = delivery::Backlog {
        channel: Channel::Sms,
        waiting: 1,
        due_since: start(),
    };
    assert_eq!(backlog, [expected]);
});

/// Writes down a report; whether the message is known.
async fn reported(world: &World, reference: &str, failure: Option<&str>) -> bool {
    let report = Report {
        reference: reference.to_owned(),
        failure: failure.map(str::to_owned),
    };
    let unknown = delivery::reported(&world.db, &SYSTEM, Channel::Sms, std::slice::from_ref(&report)).await;
    let unknown = unknown.expect("written down");
    assert!(unknown.is_empty() || unknown == [report], "{unknown:?}");
    unknown.is_empty()
}

/// The one message as staff see it: its state, when it arrived, when it was said not to, and why.
async fn seen(world: &World, agent: &Staff) -> (State, Option<i64>, Option<i64>, Option<String>) {
    let mut rows = desk::list(&world.db, agent, &Filter::default(), None, 10)
        .await
        .expect("listed");
    assert_eq!(rows.len(), 1);
    let row = rows.remove(0);
    let seconds = |at: Option<DateTime<Utc>>| at.map(|at| (at - start()).num_seconds());
    let (arrived, failed) = (seconds(row.delivered_at), seconds(row.undelivered_at));
    (row.state, arrived, failed, row.error)
}

crm::both_engines!(a_carrier_says_once_that_a_message_has_arrived, async |world| {
    hello(world).await;
    let agent = staff(world, "agent").await;
    send(world, "hello", Lang::En, &[]).await.expect("queued");
    assert!(!reported(world, "R-1", None).await, "not sent yet");
    let message = claim_one(world).await;
    let own = message.id.to_string();
    assert!(!reported(world, &own, None).await, "being sent");
    assert!(sent(world, &message).await);
    assert!(!reported(world, "R-2", None).await);
    let other = Report {
        reference: "R-1".into(),
        failure: None,
    };
    let by_mail = delivery::reported(&world.db, &SYSTEM, Channel::Email, std::slice::from_ref(&other)).await;
    assert_eq!(by_mail.expect("read"), [other], "another carrier's");
    for (seconds, failure) in [(5, None), (6, None), (7, Some("too late"))] {
        world.clock.set(start() + TimeDelta::seconds(seconds));
        assert!(reported(world, "R-1", failure).await);
    }
    assert_eq!(
        seen(world, &agent).await,
        (State::Sent, Some(5), None, None),
        "the first one counts"
    );
});

crm::both_engines!(a_message_that_did_not_arrive_may_do_so_later, async |world| {
    hello(world).await;
    let agent = staff(world, "agent").await;
    send(world, "hello", Lang::En, &[]).await.expect("queued");
    let message = claim_one(world).await;
    assert!(sent(world, &message).await);
    // By our own id, where the carrier keeps that.
    let own = message.id.to_string();
    for (seconds, words) in [(5, "absent\r\nsubscriber"), (6, "again")] {
        world.clock.set(start() + TimeDelta::seconds(seconds));
        assert!(reported(world, &own, Some(words)).await);
    }
    let failed = (State::Failed, None, Some(5), Some("absent  subscriber".to_owned()));
    assert_eq!(seen(world, &agent).await, failed, "the first one counts");
    let broken = crm::checkup::outbox(&world.db, &SYSTEM).await.expect("counted").failed;
    assert_eq!(broken, 0, "the carrier did its work");
    world.clock.set(start() + TimeDelta::seconds(7));
    assert!(reported(world, "R-1", None).await);
    assert_eq!(seen(world, &agent).await, (State::Sent, Some(7), None, None));
});

crm::both_engines!(a_message_that_is_sent_again_is_another_one, async |world| {
    hello(world).await;
    let agent = staff(world, "agent").await;
    send(world, "hello", Lang::En, &[]).await.expect("queued");
    let message = claim_one(world).await;
    assert!(sent(world, &message).await);
    assert!(reported(world, "R-1", Some("absent")).await);
    desk::send_again(&world.db, &agent, message.id).await.expect("queued");
    assert!(!reported(world, "R-1", None).await, "that was the last time");
    assert_eq!(seen(world, &agent).await.0, State::Queued);
    let message = claim_one(world).await;
    delivery::sent(&world.db, &SYSTEM, &message, Some("R-2"))
        .await
        .expect("written down");
    assert!(!reported(world, "R-1", Some("absent")).await);
    assert!(reported(world, "R-2", None).await);
    assert_eq!(seen(world, &agent).await, (State::Sent, Some(0), None, None));
});

crm::both_engines!(a_code_that_did_not_arrive_is_not_sent_again, async |world| {
    code(world).await;
    let message = claim_one(world).await;
    assert!(sent(world, &message).await);
    assert!(reported(world, "R-1", Some("absent")).await);
    let agent = staff(world, "agent").await;
    let letter = desk::open(&world.db, &agent, message.id).await.expect("opened");
    assert_eq!((letter.row.state, letter.can_go_again()), (State::Failed, false));
    assert!(!text(world).await.contains("123456"));
});

crm::both_engines!(staff_find_messages_and_every_look_is_logged, async |world| {
    hello(world).await;
    template(world, "hello", 2, "Hello", "Hello", start()).await;
    template(world, "bye", 1, "Bye {name}", "Bye {name}", start()).await;
    let (agent, anna) = (staff(world, "agent").await, customer(world, "Anna", "K").await);
    for (i, (channel, address)) in [
        (Channel::Sms, "+79000000001"),
        (Channel::Email, "anna@example.com"),
        (Channel::Email, "anna_2@example.com"),
        (Channel::Sms, "+79000000001"),
    ]
    .into_iter()
    .enumerate()
    {
        world.clock.set(start() + TimeDelta::seconds(i as i64));
        let to = To {
            channel,
            address,
            customer: Some(anna.id()),
        };
        let code = if i == 3 { "bye" } else { "hello" };
        world
            .db
            .write(|tx| {
                crm::db::scoped(async move { outbox::send(tx, to, code, Lang::En, &[("name", "A")]).await.map(drop) })
            })
            .await
            .expect("queued");
    }
    let found = async |filter: Filter| -> Vec<i64> {
        let rows = desk::list(&world.db, &agent, &filter, None, 10).await.expect("listed");
        rows.iter()
            .map(|row| (row.created_at - start()).num_seconds())
            .collect()
    };
    let to = |address: &str| Filter {
        address: address.into(),
        ..Filter::default()
    };
    assert_eq!(found(Filter::default()).await, [3, 2, 1, 0]);
    assert_eq!(found(to("8 (900) 000-00-01")).await, [3, 0]);
    assert_eq!(found(to(" +7 900 000")).await, [3, 0]);
    assert_eq!(found(to("ANNA@")).await, [1]);
    assert_eq!(found(to(" Anna_2@example.com")).await, [2]);
    assert_eq!(found(to("anna_@example.com")).await, Vec::<i64>::new());
    assert_eq!(found(to("anna%")).await, Vec::<i64>::new());
    let mut filter = Filter {
        channel: Some(Channel::Sms),
        template: "hello".into(),
        ..Filter::default()
    };
    assert_eq!(found(filter.clone()).await, [0]);
    filter.state = Some(State::Sent);
    assert_eq!(found(filter).await, Vec::<i64>::new());

    // Page by page, without a gap.
    let mut before = None;
    let mut pages = Vec::new();
    loop {
        let rows = desk::list(&world.db, &agent, &Filter::default(), before, 3)
            .await
            .expect("listed");
        let Some(last) = rows.last() else { break };
        before = Some((last.created_at, last.id.0));
        pages.push(rows.len());
    }
    assert_eq!(pages, [3, 1]);

    let mut conn = world.db.read().await.expect("a connection");
    let counts = desk::counts(&mut conn, &agent).await.expect("counted");
    assert_eq!((counts.queued, counts.failed), (4, 0));
    let templates = desk::templates(&mut conn, &agent).await.expect("listed");
    let templates: Vec<_> = templates
        .iter()
        .map(|t| (t.code.as_str(), t.subject.en.as_str()))
        .collect();
    assert_eq!(templates, [("bye", "Bye {name}"), ("hello", "Hello")]);
    drop(conn);

    let id = outbox::inbox(&world.db, 1).await.expect("read")[0].id;
    let letter = desk::open(&world.db, &agent, id).await.expect("opened");
    assert_eq!(
        (letter.customer_id, letter.body.as_str(), letter.is_masked),
        (Some(anna.id()), "Bye A", false)
    );
    let missing = desk::open(&world.db, &agent, OutboxId::new()).await;
    assert!(matches!(missing, Err(Error::NotFound)), "{missing:?}");
    let logged = "SELECT COUNT(*) FROM audit WHERE actor_id = $1 AND action = 'message.read' AND customer_id = $2 AND object_id = $3";
    assert_eq!(one!(world, i64, logged, agent.id(), anna.id(), id), 1);
    let logged = "SELECT COUNT(*) FROM audit WHERE actor_id = $1 AND action = 'message.list' AND reason = '2 shown'";
    assert_eq!(one!(world, i64, logged, agent.id()), 2);
});
