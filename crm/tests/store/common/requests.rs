//! Requests, as customers write them and staff answer.

use super::people::{SYSTEM, text};
use chrono::{DateTime, Utc};
use crm::Error;
use crm::db::Db;
use crm::id::{BulkId, QueueId, TopicId};
use crm::request::desk::{Mode, Priority, Rules};
use crm::request::live;
use crm::request::store::bulk::{self, Act};
use crm::request::store::queues;
use crm::request::{NewRequest, StaffThread, Thread, store};
use crm::testing::World;
use crm::who::{Customer, Staff};

/// A request about a topic; its number.
pub(crate) async fn write_about(world: &World, by: &Customer, topic: &str, text: &str) -> i64 {
    let new = NewRequest {
        topic: topic.into(),
        text: text.into(),
        purchase: String::new(),
    };
    store::create(&world.db, by, &new, &[]).await.expect("a request")
}

/// A request about a card.
pub(crate) async fn write(world: &World, by: &Customer, text: &str) -> i64 {
    write_about(world, by, "card", text).await
}

/// A request as its customer sees it.
pub(crate) async fn thread(world: &World, by: &Customer, number: i64) -> Thread {
    store::thread(&world.db, by.me(), number).await.expect("a thread")
}

/// A request as staff see it.
pub(crate) async fn opened(world: &World, by: &Staff, number: i64) -> StaffThread {
    store::open(&world.db, by, number).await.expect("a thread").1
}

/// What the forms of staff say of when they were made.
pub(crate) async fn seen(world: &World, by: &Staff, number: i64) -> DateTime<Utc> {
    opened(world, by, number).await.updated_at
}

/// Reads and answers, as an agent does.
pub(crate) async fn answer(world: &World, by: &Staff, number: i64, text: &str) {
    let seen = seen(world, by, number).await;
    store::staff_answer(&world.db, by, number, text, &[], seen)
        .await
        .expect("answered");
}

/// A queue of one topic.
pub(crate) async fn queue(world: &World, by: &Staff, topic: TopicId, mode: Mode, rules: &Rules) -> QueueId {
    let name = &text("billing");
    let id = queues::create(&world.db, by, "billing", name).await.expect("a queue");
    let mut conn = world.db.read().await.expect("a connection");
    let (written, _) = queues::read(&mut conn, by, id).await.expect("a queue");
    drop(conn);
    let seen = written.changed_at;
    queues::change(&world.db, by, id, seen, name, mode, rules)
        .await
        .expect("changed");
    let (was, is) = ((None, Priority::Normal), (Some(id), Priority::Normal));
    queues::set_beginnings(&world.db, by, &[(topic, was, is)])
        .await
        .expect("set");
    id
}

/// Does something with many requests, as who sees them as they are now.
pub(crate) async fn change(db: &Db, by: &Staff, numbers: &[i64], acts: &[Act]) -> Result<BulkId, Error> {
    let last = live::last(&mut db.read().await?, &SYSTEM).await?;
    bulk::change(db, by, numbers, acts, last).await
}
