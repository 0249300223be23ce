//! What goes out: messages from the outbox by real carriers to a real mail server and a real gateway, webhooks to real
//! receivers.

mod mail;
mod peers;
mod people;
#[path = "../ports/mod.rs"]
mod ports;
mod texts;
mod webhooks;

use chrono::{DateTime, TimeDelta, Utc};
use crm::db::scoped;
use crm::lang::Lang;
use crm::outbox::{self, Channel, State, To};
use crm::testing::World;
use crm::who::System;
use server::channels::{self, Carrier};
use server::config::Config;
use std::time::Duration;

pub(crate) const BY: System = System::at_the_command_line();

/// A database with the shop's templates.
pub(crate) async fn ready() -> World {
    let world = crm::testing::sqlite().await;
    crm::content::load(&world.db, &BY).await.expect("content loads");
    world
}

/// Queues a message whose text holds this name.
pub(crate) async fn write(world: &World, channel: Channel, address: &str, name: &str) {
    world
        .db
        .write(|tx| {
            scoped(async move {
                let to = To {
                    channel,
                    address,
                    customer: None,
                };
                let values = [("name", name), ("number", "7"), ("shop", "Сосна")];
                outbox::send(tx, to, "request_answered", Lang::Ru, &values)
                    .await
                    .map(drop)
            })
        })
        .await
        .expect("queued");
}

/// Queues a code by SMS.
pub(crate) async fn write_code(world: &World, phone: &str, code: &str) {
    world
        .db
        .write(|tx| {
            scoped(async move {
                let to = To {
                    channel: Channel::Sms,
                    address: phone,
                    customer: None,
                };
                let values = [("code", code), ("minutes", "10"), ("shop", "Сосна")];
                outbox::send(tx, to, "sign_in_code", Lang::Ru, &values).await.map(drop)
            })
        })
        .await
        .expect("queued");
}

/// The one carrier of a configuration.
pub(crate) fn carrier(config: &Config) -> Carrier {
    let mut carriers = Carrier::all(config).expect("the configuration works");
    assert_eq!(carriers.len(), 1);
    carriers.remove(0)
}

/// One round of a worker. It has an end, whatever the other side does.
pub(crate) async fn round(world: &World, carrier: &Carrier) -> usize {
    let round = channels::round(&world.db, &BY, carrier, "worker");
    tokio::time::timeout(Duration::from_secs(60), round)
        .await
        .expect("a round ends by itself")
        .expect("the database answers")
}

/// What the outbox knows of the messages, by address.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Kept {
    pub(crate) address: String,
    pub(crate) state: State,
    pub(crate) tries: i64,
    pub(crate) error: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) due_at: Option<DateTime<Utc>>,
    pub(crate) delivered_at: Option<DateTime<Utc>>,
}

pub(crate) async fn kept(world: &World) -> Vec<Kept> {
    const SQL: &str =
        "SELECT address, state, tries, error, reference, due_at, delivered_at FROM outbox ORDER BY address";
    let mut conn = world.db.read().await.expect("a connection");
    crm::on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await).expect("read")
}

/// The one message.
pub(crate) async fn one(world: &World) -> Kept {
    let mut all = kept(world).await;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// Lets the time come when every message is due.
pub(crate) async fn wait(world: &World) {
    let due = kept(world).await.iter().filter_map(|kept| kept.due_at).max();
    world.clock.set(due.expect("something waits") + TimeDelta::seconds(1));
}
