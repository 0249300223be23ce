//! Messages to people.

mod common {
    pub(crate) mod people;
}

use chrono::TimeDelta;
use common::people::{SYSTEM, one, sql, template};
use crm::lang::Lang;
use crm::outbox::{self, Channel, State, To};
use crm::testing::{World, start};

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
