//! What staff do with one request or with many at once: give it to somebody, set its status, priority, topic and tags. A change
//! of many is told request by request, and undone within a minute.

use super::{Change, Held, index, levels, live, narrowed, queues, tags};
use crate::db::{self, Conn, Db, ListQuery, Tx, scoped};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::{BulkId, QueueId, RequestId, StaffId, TopicId};
use crate::notification::{self, Kind};
use crate::on;
use crate::request::desk::{Priority, TAGS_MAX};
use crate::request::level::Told;
use crate::request::{Filter, Status, Step};
use crate::staff::{Colleague, Right};
use crate::who::{Reason, Staff, System};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

/// How many one transaction changes.
const TOGETHER: usize = 100;
/// The most that are changed at once.
pub const MOST: i64 = 1000;
/// For how long a change of many can be undone.
pub const UNDO: TimeDelta = TimeDelta::minutes(1);
/// For how long it is told what became of it.
const KEEP: TimeDelta = TimeDelta::days(1);

/// One thing that is done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is about something else, and comes into the queue of that.
    Topic(TopicId),
    /// It is as urgent as this.
    Priority(Priority),
    /// It has this tag.
    Tag(String),
    /// It has this tag no more.
    Untag(String),
    /// Somebody works on it, or nobody.
    Assign(Option<StaffId>),
    /// It is in this queue, and nobody's: whoever works there takes it, or is given it in turn.
    Queue(QueueId),
    /// It has this status.
    Status(Status),
}

/// Why nothing was changed of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Refused {
    /// It is so already.
    Same,
    /// Its queue does not allow the status to them.
    Status,
    /// Whom it was to be given to does not work in its queue.
    Agent,
    /// It has as many tags as there may be.
    Tags,
    /// Somebody changed it, or its customer wrote, after it was shown.
    Changed,
}

/// What of a request is changed here, as it was before.
#[derive(Serialize, Deserialize, sqlx::FromRow)]
pub(in crate::request) struct Values {
    status: Status,
    assignee_id: Option<StaffId>,
    priority: Priority,
    topic_id: TopicId,
    queue_id: Option<QueueId>,
    waiting_since: Option<DateTime<Utc>>,
    closed_at: Option<DateTime<Utc>>,
    reopened_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
    #[sqlx(skip)]
    tags: Vec<String>,
}

impl Values {
    async fn read(tx: &mut Tx, request: RequestId) -> Result<Self, sqlx::Error> {
        const SQL: &str = "SELECT status, assignee_id, priority, topic_id, queue_id, waiting_since, closed_at, reopened_at, \
                           updated_at FROM requests WHERE id = $1";
        let mut values: Self = on!(tx, |c| sqlx::query_as(SQL).bind(request).fetch_one(c).await)?;
        values.tags = tags::of(tx, request).await?;
        Ok(values)
    }

    /// Whether there is nothing to do.
    fn is_so(&self, act: &Act) -> bool {
        match act {
            Act::Topic(topic) => self.topic_id == *topic,
            Act::Priority(priority) => self.priority == *priority,
            Act::Tag(tag) => self.tags.contains(tag),
            Act::Untag(tag) => !self.tags.contains(tag),
            Act::Assign(to) => self.assignee_id == *to,
            Act::Queue(to) => self.queue_id == Some(*to) && self.assignee_id.is_none(),
            Act::Status(to) => self.status == *to,
        }
    }
}

/// Fails with a flaw at `topic` where there is no such topic, and at `assignee` where there is no such colleague or open queue: a form
/// names one or the other.
async fn check(tx: &mut Tx, acts: &[Act]) -> Result<(), Error> {
    const TOPIC: &str = "SELECT COUNT(*) FROM topics WHERE id = $1";
    const STAFF: &str = "SELECT COUNT(*) FROM staff WHERE id = $1 AND disabled_at IS NULL";
    const QUEUE: &str = "SELECT COUNT(*) FROM queues WHERE id = $1 AND closed_at IS NULL";
    for act in acts {
        let (field, known): (_, i64) = match act {
            Act::Topic(id) => (
                "topic",
                on!(tx, |c| sqlx::query_scalar(TOPIC).bind(id).fetch_one(c).await)?,
            ),
            Act::Assign(Some(id)) => (
                "assignee",
                on!(tx, |c| sqlx::query_scalar(STAFF).bind(id).fetch_one(c).await)?,
            ),
            Act::Queue(id) => (
                "assignee",
                on!(tx, |c| sqlx::query_scalar(QUEUE).bind(id).fetch_one(c).await)?,
            ),
            _ => continue,
        };
        if known == 0 {
            return Err(Error::field(field, Flaw::NotAChoice));
        }
    }
    Ok(())
}

/// Does all of these with a request that is held, or nothing, and why.
pub(in crate::request) async fn carry_out(
    tx: &mut Tx,
    by: &Staff,
    held: &Held,
    acts: &[Act],
) -> Result<Result<Values, Refused>, Error> {
    let before = Values::read(tx, held.id).await?;
    let to_do: Vec<&Act> = acts.iter().filter(|act| !before.is_so(act)).collect();
    if to_do.is_empty() {
        return Ok(Err(Refused::Same));
    }
    let count = |is: fn(&Act) -> bool| to_do.iter().filter(|act| is(act)).count();
    let (on, off) = (
        count(|act| matches!(act, Act::Tag(_))),
        count(|act| matches!(act, Act::Untag(_))),
    );
    if on > 0 && (before.tags.len() + on).saturating_sub(off) > TAGS_MAX {
        return Ok(Err(Refused::Tags));
    }
    // Each is asked about as it will stand after those before it.
    let (mut queue, mut status, mut assignee) = (before.queue_id, before.status, before.assignee_id);
    for act in &to_do {
        match act {
            Act::Topic(topic) => queue = queues::of_topic(tx, *topic).await?,
            Act::Assign(Some(to)) => {
                let agents: Vec<Colleague> = queues::agents(tx, by, queue).await?;
                if agents.iter().all(|agent| agent.id != *to) {
                    return Ok(Err(Refused::Agent));
                }
                assignee = Some(*to);
                status = status.after(Step::StaffTakes).unwrap_or(status);
            }
            Act::Assign(None) => assignee = None,
            Act::Queue(to) => (queue, assignee) = (Some(*to), None),
            Act::Status(to) if *to == status => {}
            Act::Status(to) => {
                if !queues::may_set_in(tx, by, queue, (status, *to), assignee).await? {
                    return Ok(Err(Refused::Status));
                }
                status = *to;
            }
            Act::Priority(_) | Act::Tag(_) | Act::Untag(_) => {}
        }
    }
    for act in to_do {
        // Each step begins where the one before led to.
        let held = Held::by_number(tx, held.number, None).await?;
        carry_out_one(tx, by, &held, act).await?;
    }
    if let Some(to) = given(by, &before, acts) {
        levels::give(tx, held.id, to).await?;
    }
    if let Some(from) = lost(by, &before, acts) {
        levels::take(tx, held.id, from).await?;
    }
    // Another topic or priority may promise something else.
    let at = held.moment(tx);
    levels::follow(tx, held.id, at, false).await?;
    Ok(Ok(before))
}

async fn carry_out_one(tx: &mut Tx, by: &Staff, held: &Held, act: &Act) -> Result<(), Error> {
    const PRIORITY: &str = "UPDATE requests SET priority = $2 WHERE id = $1";
    const TOPIC: &str = "UPDATE requests SET topic_id = $2, queue_id = $3 WHERE id = $1";
    const QUEUE: &str = "UPDATE requests SET queue_id = $2 WHERE id = $1";
    const TAG: &str =
        "INSERT INTO request_tags (request_id, tag) VALUES ($1, $2) ON CONFLICT (request_id, tag) DO NOTHING";
    const UNTAG: &str = "DELETE FROM request_tags WHERE request_id = $1 AND tag = $2";
    const MOVED: &str = "UPDATE requests SET updated_at = $2 WHERE id = $1";
    let at = held.moment(tx);
    let (action, step) = match act {
        Act::Assign(Some(to)) => ("request.assign", Some((Step::StaffTakes, Some(*to)))),
        Act::Assign(None) => ("request.unassign", Some((Step::StaffReleases, None))),
        Act::Status(to) => ("request.status", Some((Step::StaffSets(*to), held.assignee_id))),
        Act::Queue(_) => ("request.sort", held.assignee_id.map(|_| (Step::StaffReleases, None))),
        Act::Topic(_) | Act::Priority(_) | Act::Tag(_) | Act::Untag(_) => ("request.sort", None),
    };
    if let Some((step, assignee)) = step {
        // Who takes it may have brought it where it was to be.
        if step != Step::StaffSets(held.status) {
            let change = Change {
                step,
                assignee,
                answered: false,
            };
            held.take(tx, at, change).await?;
        }
    }
    match act {
        Act::Topic(topic) => {
            let queue = queues::of_topic(tx, *topic).await?;
            on!(tx, |c| sqlx::query(TOPIC)
                .bind(held.id)
                .bind(topic)
                .bind(queue)
                .execute(c)
                .await
                .map(drop))?;
        }
        Act::Queue(queue) => on!(tx, |c| sqlx::query(QUEUE)
            .bind(held.id)
            .bind(queue)
            .execute(c)
            .await
            .map(drop))?,
        Act::Priority(priority) => on!(tx, |c| sqlx::query(PRIORITY)
            .bind(held.id)
            .bind(priority)
            .execute(c)
            .await
            .map(drop))?,
        Act::Tag(tag) => on!(tx, |c| sqlx::query(TAG)
            .bind(held.id)
            .bind(tag)
            .execute(c)
            .await
            .map(drop))?,
        Act::Untag(tag) => on!(tx, |c| sqlx::query(UNTAG)
            .bind(held.id)
            .bind(tag)
            .execute(c)
            .await
            .map(drop))?,
        Act::Status(Status::Closed) => {
            notification::add(tx, held.customer_id, Kind::Closed, &held.number.to_string(), None).await?;
        }
        Act::Assign(_) | Act::Status(_) => {}
    }
    on!(tx, |c| sqlx::query(MOVED)
        .bind(held.id)
        .bind(at)
        .execute(c)
        .await
        .map(drop))?;
    let (customer, reason) = (Some(held.customer_id), Reason::Request.as_str());
    Ok(by.record(tx, action, customer, Some(held.id.0), reason).await?)
}

/// To whom these give a request: to a colleague of whoever does them.
fn given(by: &Staff, before: &Values, acts: &[Act]) -> Option<StaffId> {
    acts.iter().find_map(|act| match act {
        Act::Assign(Some(to)) if *to != by.id() && before.assignee_id != Some(*to) => Some(*to),
        _ => None,
    })
}

/// From whom these take one, likewise: whoever gives their own away knows.
fn lost(by: &Staff, before: &Values, acts: &[Act]) -> Option<StaffId> {
    let is_taken = |from: StaffId| {
        acts.iter().any(|act| match act {
            Act::Assign(to) => *to != Some(from),
            Act::Queue(_) => true,
            _ => false,
        })
    };
    before.assignee_id.filter(|from| *from != by.id() && is_taken(*from))
}

/// Who finds in their inbox what these did with a request: they are to be told, last in the transaction.
pub(in crate::request) fn told(by: &Staff, before: &Values, acts: &[Act]) -> Vec<StaffId> {
    let both = [given(by, before, acts), lost(by, before, acts)];
    both.into_iter().flatten().collect()
}

/// What pages that show a request are told: of a status its customer, too.
pub(in crate::request) fn kind(acts: &[Act]) -> live::Kind {
    if acts.iter().any(|act| matches!(act, Act::Status(_))) {
        live::Kind::Answered
    } else {
        live::Kind::Inside
    }
}

// One request ---------------------------------------------------------------------------------------------------------

/// What of a request is changed by hand, for its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sorted {
    /// The topic.
    pub topic: TopicId,
    /// Its queue.
    pub queue: Option<QueueId>,
    /// How urgent it is.
    pub priority: Priority,
    /// Its tags.
    pub tags: Vec<String>,
    /// Who may be given it.
    pub agents: Vec<Colleague>,
    /// What its status may be set to.
    pub steps: Vec<Status>,
}

/// What of a request is changed by hand. Who reads it has opened the request, which is written down. Fails with
/// [`Error::NotFound`].
pub async fn sorted(conn: &mut Conn, by: &Staff, number: i64) -> Result<Sorted, Error> {
    const SQL: &str = "SELECT id, topic_id, queue_id, priority FROM requests \
                       WHERE id = (SELECT COALESCE(m.merged_into, m.id) FROM requests m WHERE m.number = $1)";
    type Found = (RequestId, TopicId, Option<QueueId>, Priority);
    by.may(Right::Requests)?;
    let found: Option<Found> = on!(conn, |c| sqlx::query_as(SQL).bind(number).fetch_optional(c).await)?;
    let (id, topic, queue, priority) = found.ok_or(Error::NotFound)?;
    Ok(Sorted {
        topic,
        queue,
        priority,
        tags: tags::of(conn, id).await?,
        agents: queues::agents(conn, by, queue).await?,
        steps: queues::steps(conn, by, number).await?,
    })
}

/// Does these with one request. `seen` is the `updated_at` that was read: fails with [`Error::Stale`] when it has moved on
/// since, with a flaw at `topic` or `assignee`, and with [`Error::Forbidden`] for a status that its queue does not allow to them.
pub async fn sort(db: &Db, by: &Staff, number: i64, acts: &[Act], seen: DateTime<Utc>) -> Result<(), Error> {
    by.may(Right::Requests)?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::by_number(tx, number, None).await?;
            if held.updated_at != seen {
                return Err(Error::Stale);
            }
            // What stays as it is may be of a colleague who is gone.
            let before = Values::read(tx, held.id).await?;
            let to_do: Vec<Act> = acts.iter().filter(|act| !before.is_so(act)).cloned().collect();
            check(tx, &to_do).await?;
            match carry_out(tx, by, &held, acts).await? {
                Ok(before) => {
                    live::note(tx, held.id, kind(acts)).await?;
                    Ok(live::ring(tx, held.id, &told(by, &before, acts)).await?)
                }
                Err(Refused::Same) => Ok(()),
                Err(Refused::Agent) => Err(Error::field("assignee", Flaw::NotAChoice)),
                Err(Refused::Tags) => Err(Error::field("tags", Flaw::TooManyLines { max: TAGS_MAX })),
                Err(Refused::Status) => Err(Error::Forbidden),
                Err(Refused::Changed) => Err(Error::Stale),
            }
        })
    })
    .await
}

/// Says how urgent a request is and puts tags on it, at the command line: beside what is promised of it nothing else changes.
pub async fn sort_by_system(
    tx: &mut Tx,
    _by: &System,
    number: i64,
    priority: Priority,
    tags: &[String],
) -> Result<(), Error> {
    const PRIORITY: &str = "UPDATE requests SET priority = $2 WHERE number = $1 RETURNING id";
    const TAG: &str =
        "INSERT INTO request_tags (request_id, tag) VALUES ($1, $2) ON CONFLICT (request_id, tag) DO NOTHING";
    let id: Option<RequestId> = on!(tx, |c| sqlx::query_scalar(PRIORITY)
        .bind(number)
        .bind(priority)
        .fetch_optional(c)
        .await)?;
    let id = id.ok_or(Error::NotFound)?;
    for tag in tags {
        on!(tx, |c| sqlx::query(TAG).bind(id).bind(tag).execute(c).await.map(drop))?;
    }
    let now = tx.now();
    levels::follow(tx, id, now, false).await
}

// Many of them --------------------------------------------------------------------------------------------------------

/// The numbers of all that a filter lets through, up to [`MOST`].
pub async fn numbers(db: &Db, by: &Staff, filter: &Filter) -> Result<Vec<i64>, Error> {
    by.may(Right::Requests)?;
    if !filter.text.is_empty() {
        index::refresh(db, index::BEFORE_A_SEARCH).await?;
    }
    let mut conn = db.read().await?;
    let query = narrowed(ListQuery::new("SELECT r.number FROM requests r"), by, filter, &conn);
    let found: Vec<(i64,)> = db::list(&mut conn, query.tail("ORDER BY r.number").limit(MOST)).await?;
    Ok(found.into_iter().map(|(number,)| number).collect())
}

/// Does these with many requests, a hundred in a transaction: with each all of it or nothing. `seen` is the number of the last change
/// ([`live::last`]) that was there when they were shown: what changed since is left alone. What became of them is told by
/// [`outcome`]. Fails with a flaw at `topic` or `assignee`, at `acts` where there is nothing to do, and at `numbers` where
/// there are none or too many.
pub async fn change(db: &Db, by: &Staff, numbers: &[i64], acts: &[Act], seen: i64) -> Result<BulkId, Error> {
    const BULK: &str = "INSERT INTO request_bulks (id, staff_id, at) VALUES ($1, $2, $3)";
    by.may(Right::Requests)?;
    // Each once, and always in the same order, so that two of these do not wait for each other.
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    if acts.is_empty() {
        return Err(Error::field("acts", Flaw::Missing));
    }
    if numbers.is_empty() {
        return Err(Error::field("numbers", Flaw::Missing));
    }
    let max = usize::try_from(MOST).unwrap_or(usize::MAX);
    if numbers.len() > max {
        return Err(Error::field("numbers", Flaw::TooManyLines { max }));
    }
    let id = BulkId::new();
    db.write(|tx| {
        scoped(async move {
            check(tx, acts).await?;
            let now = tx.now();
            on!(tx, |c| sqlx::query(BULK)
                .bind(id)
                .bind(by.id())
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            Ok::<_, Error>(by.record(tx, "request.bulk", None, Some(id.0), "").await?)
        })
    })
    .await?;
    for some in numbers.chunks(TOGETHER) {
        db.write(|tx| scoped(change_some(tx, by, id, some, acts, seen))).await?;
    }
    Ok(id)
}

async fn change_some(
    tx: &mut Tx,
    by: &Staff,
    id: BulkId,
    numbers: &[i64],
    acts: &[Act],
    seen: i64,
) -> Result<(), Error> {
    const ITEM: &str = "INSERT INTO request_bulk_items (bulk_id, request_id, refused, was, changed_at) \
                        VALUES ($1, $2, $3, $4, (SELECT updated_at FROM requests WHERE id = $5))";
    const REFUSED: &str = "INSERT INTO request_bulk_items (bulk_id, request_id, refused) VALUES ($1, $2, $3)";
    let mut changed = Vec::new();
    for number in numbers {
        let held = match Held::by_number(tx, *number, None).await {
            // One that went into another one is changed as that one.
            Ok(held) if held.number != *number => continue,
            Ok(held) => held,
            // A number that somebody made up.
            Err(Error::NotFound) => continue,
            Err(e) => return Err(e),
        };
        // It is held by now, so nobody changes it any more.
        let done = match live::changed_since(tx, held.id, seen).await? {
            true => Err(Refused::Changed),
            false => carry_out(tx, by, &held, acts).await?,
        };
        match done {
            Err(refused) => on!(tx, |c| sqlx::query(REFUSED)
                .bind(id)
                .bind(held.id)
                .bind(refused)
                .execute(c)
                .await
                .map(drop))?,
            Ok(before) => {
                on!(tx, |c| sqlx::query(ITEM)
                    .bind(id)
                    .bind(held.id)
                    .bind(None::<Refused>)
                    .bind(Json(&before))
                    .bind(held.id)
                    .execute(c)
                    .await
                    .map(drop))?;
                changed.push((held.id, told(by, &before, acts)));
            }
        }
    }
    // Numbers of changes are taken last in a transaction.
    for (request, told) in changed {
        live::note(tx, request, kind(acts)).await?;
        live::ring(tx, request, &told).await?;
    }
    Ok(())
}

/// Makes the open requests of somebody who is let in no more nobody's again, a hundred in a transaction; how many those were. What
/// its queue gives in turn, the next round gives to others. Fails with [`Error::NotFound`] for nobody, and with [`Error::Stale`]
/// for who is let in.
pub async fn hand_back(db: &Db, by: &Staff, from: StaffId) -> Result<i64, Error> {
    const GONE: &str = "SELECT disabled_at IS NOT NULL FROM staff WHERE id = $1";
    by.may(Right::Staff)?;
    db.write(|tx| {
        scoped(async move {
            let gone: Option<bool> = on!(tx, |c| sqlx::query_scalar(GONE).bind(from).fetch_optional(c).await)?;
            if !gone.ok_or(Error::NotFound)? {
                return Err(Error::Stale);
            }
            Ok(by.record(tx, "staff.hand_back", None, Some(from.0), "").await?)
        })
    })
    .await?;
    give_all(db, by, from, None).await
}

/// Gives the open requests of somebody to a colleague, named by id and login, or to nobody, a hundred in a transaction; how many those
/// were. Those stay that the colleague may not be given. Whether whoever asks may has been asked by whoever calls this.
pub(crate) async fn give_all(db: &Db, by: &Staff, from: StaffId, to: Option<(StaffId, &str)>) -> Result<i64, Error> {
    const OPEN: &str = "SELECT number FROM requests WHERE assignee_id = $1 AND status <> 'closed' AND number > $2 \
                        ORDER BY number LIMIT $3";
    let (mut after, mut given) = (0_i64, 0_i64);
    loop {
        let mut conn = db.read().await?;
        let some: Vec<i64> = on!(&mut conn, |c| sqlx::query_scalar(OPEN)
            .bind(from)
            .bind(after)
            .bind(TOGETHER as i64)
            .fetch_all(c)
            .await)?;
        drop(conn);
        let Some(last) = some.last().copied() else {
            return Ok(given);
        };
        let some = &some;
        given += db.write(|tx| scoped(give_some(tx, by, from, to, some))).await?;
        after = last;
    }
}

async fn give_some(
    tx: &mut Tx,
    by: &Staff,
    from: StaffId,
    to: Option<(StaffId, &str)>,
    numbers: &[i64],
) -> Result<i64, Error> {
    let told = [to.map(|(id, _)| id), Some(from)];
    let told: Vec<StaffId> = told.into_iter().flatten().filter(|id| *id != by.id()).collect();
    let act = [Act::Assign(to.map(|(id, _)| id))];
    let mut handed = Vec::new();
    for number in numbers {
        let held = Held::by_number(tx, *number, None).await?;
        // Somebody was quicker, or it went into another one.
        if held.number != *number || held.assignee_id != Some(from) || held.status == Status::Closed {
            continue;
        }
        if carry_out(tx, by, &held, &act).await?.is_ok() {
            handed.push(held.id);
        }
    }
    // Of a colleague the log says whom, and each transaction how many.
    if let Some((_, login)) = to
        && !handed.is_empty()
    {
        let told = format!("{} requests → {login}", handed.len());
        by.record(tx, "staff.hand_over", None, Some(from.0), &told).await?;
    }
    // Numbers of changes are taken last in a transaction.
    for request in &handed {
        live::note(tx, *request, live::Kind::Inside).await?;
        live::ring(tx, *request, &told).await?;
    }
    Ok(handed.len() as i64)
}

/// What became of a change of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Of how many requests something was changed.
    pub changed: i64,
    /// Of which nothing, and why, by their numbers.
    pub refused: Vec<(i64, Refused)>,
    /// It can be undone now.
    pub may_undo: bool,
}

/// What became of a change of many, for who made it; none of somebody else's, and of one that is gone.
pub async fn outcome(conn: &mut Conn, by: &Staff, id: BulkId) -> Result<Option<Outcome>, Error> {
    const BULK: &str = "SELECT at, undone_at IS NOT NULL FROM request_bulks WHERE id = $1 AND staff_id = $2";
    const CHANGED: &str = "SELECT COUNT(*) FROM request_bulk_items WHERE bulk_id = $1 AND refused IS NULL";
    const REFUSED: &str = "SELECT r.number, i.refused FROM request_bulk_items i JOIN requests r ON r.id = i.request_id \
                           WHERE i.bulk_id = $1 AND i.refused IS NOT NULL ORDER BY r.number";
    by.may(Right::Requests)?;
    let bulk: Option<(DateTime<Utc>, bool)> = on!(conn, |c| sqlx::query_as(BULK)
        .bind(id)
        .bind(by.id())
        .fetch_optional(c)
        .await)?;
    let Some((at, is_undone)) = bulk else {
        return Ok(None);
    };
    let changed: i64 = on!(conn, |c| sqlx::query_scalar(CHANGED).bind(id).fetch_one(c).await)?;
    let refused: Vec<(i64, Refused)> = on!(conn, |c| sqlx::query_as(REFUSED).bind(id).fetch_all(c).await)?;
    Ok(Some(Outcome {
        changed,
        refused,
        may_undo: changed > 0 && !is_undone && conn.now() < at + UNDO,
    }))
}

/// What became of an undoing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// How many requests are again what they were.
    pub restored: i64,
    /// How many were changed since, and left as they are.
    pub kept: i64,
}

/// Undoes a change of many, by who made it and within a minute: each request that was not changed since is again what it was.
/// Fails with [`Error::Stale`] when it is too late, or was undone before.
pub async fn undo(db: &Db, by: &Staff, id: BulkId) -> Result<Undone, Error> {
    const UNDONE: &str =
        "UPDATE request_bulks SET undone_at = $3 WHERE id = $1 AND staff_id = $2 AND undone_at IS NULL AND at > $4";
    const ITEMS: &str = "SELECT r.number FROM request_bulk_items i JOIN requests r ON r.id = i.request_id \
                         WHERE i.bulk_id = $1 AND i.refused IS NULL ORDER BY r.number";
    by.may(Right::Requests)?;
    let numbers: Vec<i64> = db
        .write(|tx| {
            scoped(async move {
                let now = tx.now();
                let rows = on!(tx, |c| sqlx::query(UNDONE)
                    .bind(id)
                    .bind(by.id())
                    .bind(now)
                    .bind(now - UNDO)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))?;
                if rows == 0 {
                    return Err(Error::Stale);
                }
                by.record(tx, "request.bulk_undo", None, Some(id.0), "").await?;
                Ok(on!(tx, |c| sqlx::query_scalar(ITEMS).bind(id).fetch_all(c).await)?)
            })
        })
        .await?;
    let mut undone = Undone::default();
    for some in numbers.chunks(TOGETHER) {
        let more = db.write(|tx| scoped(undo_some(tx, by, id, some))).await?;
        undone.restored += more.restored;
        undone.kept += more.kept;
    }
    Ok(undone)
}

async fn undo_some(tx: &mut Tx, by: &Staff, id: BulkId, numbers: &[i64]) -> Result<Undone, Error> {
    const BEFORE: &str = "SELECT i.was, i.changed_at, b.at FROM request_bulk_items i \
                          JOIN request_bulks b ON b.id = i.bulk_id WHERE i.bulk_id = $1 AND i.request_id = $2";
    // Its queue may be removed since.
    const BACK: &str = "UPDATE requests SET status = $2, assignee_id = $3, priority = $4, topic_id = $5, \
                        queue_id = (SELECT q.id FROM queues q WHERE q.id = $6), waiting_since = $7, closed_at = $8, \
                        reopened_at = $9, updated_at = $10 WHERE id = $1";
    const UNTAG: &str = "DELETE FROM request_tags WHERE request_id = $1";
    const TAG: &str = "INSERT INTO request_tags (request_id, tag) VALUES ($1, $2)";
    // Nor do reports count a slip of the hand.
    const UNSTEP: &str = "DELETE FROM request_steps WHERE request_id = $1 AND at > $2";
    // That it was closed the customer is told no more.
    const UNTELL: &str = "DELETE FROM notifications WHERE customer_id = $1 AND kind = $2 AND about = $3 AND at >= $4";
    let (mut undone, mut restored) = (Undone::default(), Vec::new());
    for number in numbers {
        let held = Held::by_number(tx, *number, None).await?;
        // It went into another one since.
        if held.number != *number {
            undone.kept += 1;
            continue;
        }
        let (Json(before), changed_at, since): (Json<Values>, DateTime<Utc>, DateTime<Utc>) =
            on!(tx, |c| sqlx::query_as(BEFORE).bind(id).bind(held.id).fetch_one(c).await)?;
        if held.updated_at != changed_at {
            undone.kept += 1;
            continue;
        }
        let is_status = held.status != before.status;
        let given = held
            .assignee_id
            .filter(|id| before.assignee_id != Some(*id) && *id != by.id());
        let lost = before
            .assignee_id
            .filter(|id| held.assignee_id != Some(*id) && *id != by.id());
        for (told, staff) in [(Told::Given, given), (Told::Taken, lost)] {
            if let Some(staff) = staff {
                levels::take_back(tx, held.id, staff, told, since).await?;
            }
        }
        on!(tx, |c| sqlx::query(BACK)
            .bind(held.id)
            .bind(before.status)
            .bind(before.assignee_id)
            .bind(before.priority)
            .bind(before.topic_id)
            .bind(before.queue_id)
            .bind(before.waiting_since)
            .bind(before.closed_at)
            .bind(before.reopened_at)
            .bind(before.updated_at)
            .execute(c)
            .await
            .map(drop))?;
        on!(tx, |c| sqlx::query(UNSTEP)
            .bind(held.id)
            .bind(before.updated_at)
            .execute(c)
            .await
            .map(drop))?;
        if is_status && held.status == Status::Closed {
            on!(tx, |c| sqlx::query(UNTELL)
                .bind(held.customer_id)
                .bind(Kind::Closed)
                .bind(held.number.to_string())
                .bind(since)
                .execute(c)
                .await
                .map(drop))?;
        }
        if tags::of(tx, held.id).await? != before.tags {
            on!(tx, |c| sqlx::query(UNTAG).bind(held.id).execute(c).await.map(drop))?;
            for tag in &before.tags {
                on!(tx, |c| sqlx::query(TAG)
                    .bind(held.id)
                    .bind(tag)
                    .execute(c)
                    .await
                    .map(drop))?;
            }
        }
        levels::turn_back(tx, held.id, before.updated_at).await?;
        let at = held.moment(tx);
        levels::follow(tx, held.id, at, false).await?;
        let (customer, reason) = (Some(held.customer_id), Reason::Request.as_str());
        by.record(tx, "request.undo", customer, Some(held.id.0), reason).await?;
        restored.push((held.id, is_status, [given, lost]));
        undone.restored += 1;
    }
    for (request, is_status, told) in restored {
        let kind = if is_status {
            live::Kind::Answered
        } else {
            live::Kind::Inside
        };
        live::note(tx, request, kind).await?;
        let told: Vec<StaffId> = told.into_iter().flatten().collect();
        live::ring(tx, request, &told).await?;
    }
    Ok(undone)
}

/// Forgets what nobody asks about any more.
pub async fn sweep(db: &Db, _by: &System) -> Result<(), Error> {
    const ITEMS: &str = "DELETE FROM request_bulk_items WHERE (bulk_id, request_id) IN (SELECT i.bulk_id, i.request_id \
                         FROM request_bulks b JOIN request_bulk_items i ON i.bulk_id = b.id WHERE b.at < $1 LIMIT $2)";
    const BULKS: &str = "DELETE FROM request_bulks WHERE id IN \
                         (SELECT b.id FROM request_bulks b WHERE b.at < $1 ORDER BY b.at, b.id LIMIT $2)";
    db::sweep(db, ITEMS, db.now() - KEEP).await?;
    db::sweep(db, BULKS, db.now() - KEEP).await
}
