//! Queues in the database: who works in them, what they allow, which topics lead there, and who is given what comes in.

use super::{Held, levels, live};
use crate::audit::{self, Actor};
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::flaw::{Check, Flaw};
use crate::id::{CustomerId, QueueId, RequestId, StaffId, TopicId};
use crate::lang::Localized;
use crate::on;
use crate::request::Status;
use crate::request::desk::{Agent, Beginning, Mode, Move, Priority, Queue, Rules, Uses, Who};
use crate::staff::{Colleague, Right};
use crate::who::{STAFF_IDLE, Staff, System};
use crate::work::Round;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::types::Json;

/// The longest name, in characters.
const NAME_MAX: usize = 60;
/// How many requests one transaction of the minutely work gives to people.
const TOGETHER: i64 = 100;

#[derive(sqlx::FromRow)]
struct Row {
    id: QueueId,
    code: String,
    #[sqlx(json)]
    name: Localized,
    mode: Mode,
    #[sqlx(json)]
    steps: Vec<Move>,
    close_by: Who,
    reopen_by: Who,
    customer_closes: bool,
    reopen_days: Option<i64>,
    changed_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
}

impl From<Row> for Queue {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            code: row.code,
            name: row.name,
            mode: row.mode,
            rules: Rules {
                steps: row.steps,
                close_by: row.close_by,
                reopen_by: row.reopen_by,
                customer_closes: row.customer_closes,
                reopen_days: row.reopen_days,
            },
            changed_at: row.changed_at,
            closed_at: row.closed_at,
        }
    }
}

macro_rules! queues {
    ($rest:literal) => {
        concat!(
            "SELECT q.id, q.code, q.name, q.mode, q.steps, q.close_by, q.reopen_by, q.customer_closes, q.reopen_days, \
             q.changed_at, q.closed_at FROM queues q ",
            $rest
        )
    };
}

// What requests about a topic `t`, which may stand below `p`, come into: its queue `q`, else that of the topic above, `u`; one that is
// closed is none.
macro_rules! topics_with_queues {
    () => {
        "topics t LEFT JOIN topics p ON p.id = t.parent_id \
         LEFT JOIN queues q ON q.id = t.queue_id AND q.closed_at IS NULL \
         LEFT JOIN queues u ON u.id = p.queue_id AND u.closed_at IS NULL"
    };
}

// Whether a member of staff `s` has a session that is open: `$2` is now, `$3` since when whoever was not seen is signed out.
macro_rules! signed_in {
    () => {
        "EXISTS (SELECT 1 FROM sessions x WHERE x.staff_id = s.id AND x.ended_at IS NULL AND x.expires_at > $2 \
         AND x.seen_at > $3)"
    };
}

// The roles `o` of members of staff `s` that let them open requests.
macro_rules! opens_requests {
    () => {
        "JOIN roles o ON o.code = s.role AND CAST(o.rights AS TEXT) LIKE '%\"requests\"%'"
    };
}

/// All queues, by their codes.
pub async fn list(conn: &mut Conn, by: &Staff) -> Result<Vec<Queue>, Error> {
    const SQL: &str = queues!("ORDER BY q.code");
    by.may(Right::Requests)?;
    let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
    Ok(rows.into_iter().map(Queue::from).collect())
}

/// One queue with everybody who works here, those of the queue first. Fails with [`Error::NotFound`].
pub async fn read(conn: &mut Conn, by: &Staff, id: QueueId) -> Result<(Queue, Vec<Agent>), Error> {
    const SQL: &str = queues!("WHERE q.id = $1");
    const AGENTS: &str = concat!(
        "SELECT s.id, s.name, a.capacity, s.takes_requests AND ",
        signed_in!(),
        " AS takes_requests FROM staff s LEFT JOIN queue_agents a ON a.staff_id = s.id AND a.queue_id = $1 \
         WHERE s.disabled_at IS NULL ORDER BY a.capacity IS NULL, s.name, s.id"
    );
    by.may(Right::Desk)?;
    let now = conn.now();
    let row: Option<Row> = on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
    let row = row.ok_or(Error::NotFound)?;
    let agents = on!(conn, |c| sqlx::query_as(AGENTS)
        .bind(id)
        .bind(now)
        .bind(now - STAFF_IDLE)
        .fetch_all(c)
        .await)?;
    Ok((row.into(), agents))
}

/// Adds a queue that allows everything to everybody. Fails with flaws at `key`, which is its code and may be taken, and at
/// `name_ru` and `name_en`.
pub async fn create(db: &Db, by: &Staff, code: &str, name: &Localized) -> Result<QueueId, Error> {
    by.may(Right::Desk)?;
    db.write(|tx| {
        scoped(async move {
            let mut check = Check::new();
            let code = check.field("key", crate::till::code(code)).unwrap_or_default();
            let name = check.words("name", name, NAME_MAX);
            check.result()?;
            let id = enter(tx, &code, &name).await?;
            by.record(tx, "queue.create", None, Some(id.0), &code).await?;
            Ok(id)
        })
    })
    .await
}

/// The same at the command line, of what was checked before.
pub async fn create_by_system(tx: &mut Tx, _by: &System, code: &str, name: &Localized) -> Result<QueueId, Error> {
    enter(tx, code, name).await
}

async fn enter(tx: &mut Tx, code: &str, name: &Localized) -> Result<QueueId, Error> {
    const SQL: &str = "INSERT INTO queues (id, code, name, mode, steps, close_by, reopen_by, customer_closes, reopen_days, \
                       created_at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)";
    let (id, now, rules) = (QueueId::new(), tx.now(), Rules::default());
    unless_taken(on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(code)
        .bind(Json(name))
        .bind(Mode::default())
        .bind(Json(&rules.steps))
        .bind(rules.close_by)
        .bind(rules.reopen_by)
        .bind(rules.customer_closes)
        .bind(rules.reopen_days)
        .bind(now)
        .execute(c)
        .await
        .map(drop)))?;
    Ok(id)
}

/// Changes a queue. `seen` is when it was written down as it was shown: fails with [`Error::Stale`] where it is another one by now,
/// with [`Error::NotFound`], and with flaws at `name_ru` and `name_en`.
pub async fn change(
    db: &Db,
    by: &Staff,
    id: QueueId,
    seen: DateTime<Utc>,
    name: &Localized,
    mode: Mode,
    rules: &Rules,
) -> Result<(), Error> {
    // Nobody else changes it meanwhile.
    const HOLD: &str = "UPDATE queues SET changed_at = changed_at WHERE id = $1 RETURNING changed_at";
    const SQL: &str = "UPDATE queues SET name = $2, mode = $3, steps = $4, close_by = $5, reopen_by = $6, \
                       customer_closes = $7, reopen_days = $8, changed_at = $9 WHERE id = $1";
    by.may(Right::Desk)?;
    db.write(|tx| {
        scoped(async move {
            let before: Option<DateTime<Utc>> = on!(tx, |c| sqlx::query_scalar(HOLD).bind(id).fetch_optional(c).await)?;
            if before.ok_or(Error::NotFound)? != seen {
                return Err(Error::Stale);
            }
            let mut check = Check::new();
            let name = check.words("name", name, NAME_MAX);
            check.result()?;
            let changed_at = tx.now().max(seen + TimeDelta::microseconds(1));
            // Only steps that there are, in their order.
            let mut steps = crate::request::desk::moves();
            steps.retain(|step| rules.steps.contains(step));
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(Json(&name))
                .bind(mode)
                .bind(Json(&steps))
                .bind(rules.close_by)
                .bind(rules.reopen_by)
                .bind(rules.customer_closes)
                .bind(rules.reopen_days)
                .bind(changed_at)
                .execute(c)
                .await
                .map(drop))?;
            Ok(by.record(tx, "queue.change", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// What uses a queue, so that it cannot be removed.
pub async fn uses(conn: &mut Conn, by: &Staff, id: QueueId) -> Result<Uses, Error> {
    by.may(Right::Desk)?;
    uses_of(conn, id).await
}

async fn uses_of(conn: &mut Conn, id: QueueId) -> Result<Uses, Error> {
    const TOPICS: &str = "SELECT name FROM topics WHERE queue_id = $1 ORDER BY position, id";
    const MACROS: &str = "SELECT m.name, s.name FROM macros m LEFT JOIN staff s ON s.id = m.owner_id \
                          WHERE m.queue_id = $1 ORDER BY m.name, m.id";
    const UNCLOSED: &str = "SELECT COUNT(*) FROM requests WHERE queue_id = $1 AND status <> 'closed'";
    const REQUESTS: &str = "SELECT EXISTS (SELECT 1 FROM requests WHERE queue_id = $1)";
    let topics: Vec<Json<Localized>> = on!(conn, |c| sqlx::query_scalar(TOPICS).bind(id).fetch_all(c).await)?;
    Ok(Uses {
        topics: topics.into_iter().map(|Json(name)| name).collect(),
        macros: on!(conn, |c| sqlx::query_as(MACROS).bind(id).fetch_all(c).await)?,
        unclosed: on!(conn, |c| sqlx::query_scalar(UNCLOSED).bind(id).fetch_one(c).await)?,
        has_requests: on!(conn, |c| sqlx::query_scalar(REQUESTS).bind(id).fetch_one(c).await)?,
    })
}

/// Lets things come into a queue again, or no more: topics, macros and people that lead there lead nowhere while it is closed, and
/// what is in it stays. Fails with [`Error::NotFound`].
pub async fn set_open(db: &Db, by: &Staff, id: QueueId, is_open: bool) -> Result<(), Error> {
    const SQL: &str = "UPDATE queues SET closed_at = $2 WHERE id = $1";
    by.may(Right::Desk)?;
    db.write(|tx| {
        scoped(async move {
            let (_, closed_at) = hold(tx, id).await?;
            if closed_at.is_none() == is_open {
                return Ok(());
            }
            let now = tx.now();
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind((!is_open).then_some(now))
                .execute(c)
                .await
                .map(drop))?;
            let action = if is_open { "queue.reopen" } else { "queue.close" };
            Ok(by.record(tx, action, None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Removes a queue that nothing uses, and who works in it from it. Fails with [`Error::Stale`] where something does, and with
/// [`Error::NotFound`].
pub async fn remove(db: &Db, by: &Staff, id: QueueId) -> Result<(), Error> {
    const AGENTS: &str = "DELETE FROM queue_agents WHERE queue_id = $1";
    const SQL: &str = "DELETE FROM queues WHERE id = $1";
    by.may(Right::Desk)?;
    db.write(|tx| {
        scoped(async move {
            let (code, _) = hold(tx, id).await?;
            if !uses_of(tx, id).await?.is_empty() {
                return Err(Error::Stale);
            }
            on!(tx, |c| sqlx::query(AGENTS).bind(id).execute(c).await.map(drop))?;
            on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))?;
            Ok(by.record(tx, "queue.remove", None, Some(id.0), &code).await?)
        })
    })
    .await
}

/// The code of a queue, and since when it is closed; nobody else changes it until the transaction ends. Fails with
/// [`Error::NotFound`].
async fn hold(tx: &mut Tx, id: QueueId) -> Result<(String, Option<DateTime<Utc>>), Error> {
    const SQL: &str = "UPDATE queues SET code = code WHERE id = $1 RETURNING code, closed_at";
    let held: Option<(String, Option<DateTime<Utc>>)> =
        on!(tx, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
    held.ok_or(Error::NotFound)
}

/// Whether requests may be put into a queue.
pub(in crate::request) async fn is_open(conn: &mut Conn, id: QueueId) -> Result<bool, Error> {
    const SQL: &str = "SELECT COUNT(*) FROM queues WHERE id = $1 AND closed_at IS NULL";
    let open: i64 = on!(conn, |c| sqlx::query_scalar(SQL).bind(id).fetch_one(c).await)?;
    Ok(open > 0)
}

/// Says how many requests of a queue somebody is given in turn at the most; none: they are not of the queue. `seen` is how many
/// they were given as it was shown: fails with [`Error::Stale`] where it is another number by now, and with [`Error::NotFound`] for
/// an unknown queue or colleague.
pub async fn set_agent(
    db: &Db,
    by: &Staff,
    queue: QueueId,
    agent: StaffId,
    seen: Option<i64>,
    capacity: Option<i64>,
) -> Result<(), Error> {
    // Nobody else says so meanwhile.
    const HOLD: &str = "UPDATE queues SET code = code WHERE id = $1";
    const HELD: &str = "SELECT capacity FROM queue_agents WHERE queue_id = $1 AND staff_id = $2";
    by.may(Right::Desk)?;
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(HOLD).bind(queue).execute(c).await.map(drop))?;
            let held: Option<i64> = on!(tx, |c| sqlx::query_scalar(HELD)
                .bind(queue)
                .bind(agent)
                .fetch_optional(c)
                .await)?;
            if held != seen {
                return Err(Error::Stale);
            }
            put_agent(tx, queue, agent, capacity).await?;
            let reason = capacity.map(|capacity| capacity.to_string()).unwrap_or_default();
            Ok(by.record(tx, "queue.agent", None, Some(queue.0), &reason).await?)
        })
    })
    .await
}

async fn put_agent(tx: &mut Tx, queue: QueueId, agent: StaffId, capacity: Option<i64>) -> Result<(), Error> {
    const KNOWN: &str = "SELECT COUNT(*) FROM queues q JOIN staff s ON s.id = $2 WHERE q.id = $1";
    const GO: &str = "DELETE FROM queue_agents WHERE queue_id = $1 AND staff_id = $2";
    const COME: &str = "INSERT INTO queue_agents (queue_id, staff_id, capacity) VALUES ($1, $2, $3) \
                        ON CONFLICT (queue_id, staff_id) DO UPDATE SET capacity = excluded.capacity";
    let known: i64 = on!(tx, |c| sqlx::query_scalar(KNOWN)
        .bind(queue)
        .bind(agent)
        .fetch_one(c)
        .await)?;
    if known == 0 {
        return Err(Error::NotFound);
    }
    match capacity {
        Some(capacity) => on!(tx, |c| sqlx::query(COME)
            .bind(queue)
            .bind(agent)
            .bind(capacity)
            .execute(c)
            .await
            .map(drop))?,
        None => on!(tx, |c| sqlx::query(GO)
            .bind(queue)
            .bind(agent)
            .execute(c)
            .await
            .map(drop))?,
    }
    Ok(())
}

/// What requests about each topic begin with, in the order of the topics.
pub async fn beginnings(conn: &mut Conn, by: &Staff) -> Result<Vec<Beginning>, Error> {
    const SQL: &str = "SELECT t.id, t.code, t.name, t.parent_id IS NOT NULL AS is_below, t.queue_id AS queue, t.priority \
                       FROM topics t LEFT JOIN topics p ON p.id = t.parent_id \
                       ORDER BY COALESCE(p.position, t.position), COALESCE(p.id, t.id), t.parent_id IS NOT NULL, \
                       t.position, t.id";
    by.may(Right::Desk)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?)
}

/// What requests about a topic begin with: a queue, if any, and a priority.
pub type Begins = (Option<QueueId>, Priority);

/// Says what requests about each of some topics begin with from now on: all of it or nothing. Of each topic it takes what was shown
/// and what is to be: fails with [`Error::Stale`] where it is something else by now, with [`Error::NotFound`] for an unknown topic,
/// and for a queue that is unknown, or closed and not the topic's already, with a flaw at the id of the topic that was to lead there.
pub async fn set_beginnings(db: &Db, by: &Staff, all: &[(TopicId, Begins, Begins)]) -> Result<(), Error> {
    // Nobody else says so meanwhile.
    const HOLD: &str = "UPDATE topics SET code = code WHERE id = $1 RETURNING queue_id, priority";
    by.may(Right::Desk)?;
    db.write(|tx| {
        scoped(async move {
            for &(topic, seen, (queue, priority)) in all {
                let held: Option<Begins> = on!(tx, |c| sqlx::query_as(HOLD).bind(topic).fetch_optional(c).await)?;
                if held.ok_or(Error::NotFound)? != seen {
                    return Err(Error::Stale);
                }
                put_beginning(tx, topic, queue, priority).await?;
                by.record(tx, "queue.topic", None, Some(topic.0), "").await?;
            }
            Ok(())
        })
    })
    .await
}

/// The same at the command line.
pub async fn set_beginning_by_system(
    tx: &mut Tx,
    _by: &System,
    topic: TopicId,
    queue: Option<QueueId>,
    priority: Priority,
) -> Result<(), Error> {
    put_beginning(tx, topic, queue, priority).await
}

async fn put_beginning(tx: &mut Tx, topic: TopicId, queue: Option<QueueId>, priority: Priority) -> Result<(), Error> {
    const KNOWN: &str = "SELECT q.id FROM queues q WHERE q.id = $1 AND (q.closed_at IS NULL \
                         OR EXISTS (SELECT 1 FROM topics t WHERE t.id = $2 AND t.queue_id = q.id))";
    const SQL: &str = "UPDATE topics SET queue_id = $2, priority = $3 WHERE id = $1";
    if let Some(queue) = queue {
        let known: Option<QueueId> = on!(tx, |c| sqlx::query_scalar(KNOWN)
            .bind(queue)
            .bind(topic)
            .fetch_optional(c)
            .await)?;
        known.ok_or_else(|| Error::field(&topic.to_string(), Flaw::NotAChoice))?;
    }
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(topic)
        .bind(queue)
        .bind(priority)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 { Err(Error::NotFound) } else { Ok(()) }
}

// Who is there --------------------------------------------------------------------------------------------------------

/// Whether somebody takes requests that are given in turn; none where no open queue gives them any.
pub async fn presence(conn: &mut Conn, by: &Staff) -> Result<Option<bool>, Error> {
    const SQL: &str = "SELECT s.takes_requests FROM staff s WHERE s.id = $1 AND EXISTS (SELECT 1 FROM queue_agents a \
                       JOIN queues q ON q.id = a.queue_id WHERE a.staff_id = s.id AND q.mode = 'round_robin' \
                       AND q.closed_at IS NULL)";
    by.may(Right::Requests)?;
    Ok(on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(by.id())
        .fetch_optional(c)
        .await)?)
}

/// Whoever comes in after they were gone takes no requests in turn until they say so again: the shift before is over.
pub(crate) async fn new_shift(tx: &mut Tx, staff: StaffId) -> Result<(), sqlx::Error> {
    const SQL: &str = concat!(
        "UPDATE staff SET takes_requests = FALSE WHERE id = $1 AND takes_requests \
         AND NOT EXISTS (SELECT 1 FROM staff s WHERE s.id = $1 AND ",
        signed_in!(),
        ")"
    );
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(staff)
        .bind(now)
        .bind(now - STAFF_IDLE)
        .execute(c)
        .await
        .map(drop))
}

/// Says whether one takes requests that are given in turn, for as long as one is signed in.
pub async fn set_presence(db: &Db, by: &Staff, takes_requests: bool) -> Result<(), Error> {
    const SQL: &str = "UPDATE staff SET takes_requests = $2 WHERE id = $1";
    by.may(Right::Requests)?;
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(SQL)
                .bind(by.id())
                .bind(takes_requests)
                .execute(c)
                .await
                .map(drop))?;
            let reason = if takes_requests { "on" } else { "off" };
            Ok(by.record(tx, "queue.presence", None, None, reason).await?)
        })
    })
    .await
}

// What becomes of requests --------------------------------------------------------------------------------------------

/// Gives a request what its topic says: a queue, that of the topic above where it has no open one itself, and a priority.
pub(super) async fn place(tx: &mut Tx, request: RequestId, topic: TopicId) -> Result<(), sqlx::Error> {
    const SQL: &str = concat!(
        "UPDATE requests SET priority = (SELECT t.priority FROM topics t WHERE t.id = $2), queue_id = \
         (SELECT COALESCE(q.id, u.id) FROM ",
        topics_with_queues!(),
        " WHERE t.id = $2) WHERE id = $1"
    );
    on!(tx, |c| sqlx::query(SQL)
        .bind(request)
        .bind(topic)
        .execute(c)
        .await
        .map(drop))
}

// Agents `a` of a queue who are there, `s`, and may open a request: a role that takes that away leaves them in the queue, and whoever
// signs out, or is signed out, is not there.
macro_rules! there {
    () => {
        concat!(
            "queue_agents a JOIN staff s ON s.id = a.staff_id AND s.takes_requests AND s.disabled_at IS NULL AND ",
            signed_in!(),
            " ",
            opens_requests!()
        )
    };
}

/// Gives a request to whoever is there and has the fewest that wait for them, of those the one who was given
/// none for the longest; to nobody where all have as many as they take, or its queue gives nothing in turn. Whoever gave it back
/// comes last, and whoever let its time run out gets it by hand alone. Who that is: it stands
/// in their inbox, and [`live::ring`] is to tell them. Two requests of one queue are given one after the other; somebody of two
/// queues may get one too many in the same moment.
pub(super) async fn hand_out(tx: &mut Tx, request: RequestId) -> Result<Option<StaffId>, Error> {
    const QUEUE: &str = "UPDATE queues SET code = code WHERE mode = 'round_robin' \
                         AND id = (SELECT queue_id FROM requests WHERE id = $1) RETURNING id";
    const NEXT: &str = concat!(
        "SELECT staff_id FROM (SELECT a.staff_id, a.capacity, \
         CASE WHEN a.staff_id = l.lost_by THEN 1 ELSE 0 END AS lost, \
         COALESCE(a.assigned_at, '1970-01-01T00:00:00+00:00') AS since, \
         (SELECT COUNT(*) FROM requests r WHERE r.assignee_id = a.staff_id AND r.status <> 'closed' \
         AND r.status <> 'waiting') AS held FROM ",
        there!(),
        " JOIN requests l ON l.id = $4 AND (NOT l.lost_late OR l.lost_by <> a.staff_id) \
         WHERE a.queue_id = $1) x WHERE x.held < x.capacity ORDER BY x.lost, x.held, x.since, x.staff_id LIMIT 1"
    );
    const GIVE: &str = "UPDATE requests SET assignee_id = $2, lost_late = FALSE, \
                        lost_by = CASE WHEN lost_by = $2 THEN lost_by END WHERE id = $1";
    const GIVEN: &str = "UPDATE queue_agents SET assigned_at = $3 WHERE queue_id = $1 AND staff_id = $2";
    let queue: Option<QueueId> = on!(tx, |c| sqlx::query_scalar(QUEUE).bind(request).fetch_optional(c).await)?;
    let Some(queue) = queue else { return Ok(None) };
    let now = tx.now();
    let next: Option<StaffId> = on!(tx, |c| sqlx::query_scalar(NEXT)
        .bind(queue)
        .bind(now)
        .bind(now - STAFF_IDLE)
        .bind(request)
        .fetch_optional(c)
        .await)?;
    let Some(staff) = next else { return Ok(None) };
    on!(tx, |c| sqlx::query(GIVE)
        .bind(request)
        .bind(staff)
        .execute(c)
        .await
        .map(drop))?;
    on!(tx, |c| sqlx::query(GIVEN)
        .bind(queue)
        .bind(staff)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    levels::give(tx, request, staff).await?;
    Ok(Some(staff))
}

/// Gives what waits in queues and is nobody's to who is there by now and takes more, the most urgent first.
pub async fn run_due(db: &Db, _by: &System) -> Result<(), Error> {
    // Who takes more is asked once for a queue, however many wait in it; for what somebody let run late, whether anybody else does.
    const SQL: &str = concat!(
        "SELECT r.number FROM requests r WHERE r.status <> 'closed' AND r.status <> 'waiting' \
         AND r.assignee_id IS NULL AND r.queue_id IN (SELECT q.id FROM queues q WHERE q.mode = 'round_robin' \
         AND EXISTS (SELECT 1 FROM ",
        there!(),
        " WHERE a.queue_id = q.id AND a.capacity > (SELECT COUNT(*) FROM requests h \
         WHERE h.assignee_id = a.staff_id AND h.status <> 'closed' AND h.status <> 'waiting'))) \
         AND (NOT r.lost_late OR EXISTS (SELECT 1 FROM ",
        there!(),
        " WHERE a.queue_id = r.queue_id AND a.staff_id <> r.lost_by AND a.capacity > (SELECT COUNT(*) FROM requests h \
         WHERE h.assignee_id = a.staff_id AND h.status <> 'closed' AND h.status <> 'waiting'))) \
         ORDER BY CASE r.priority WHEN 'urgent' THEN 0 WHEN 'high' THEN 1 WHEN 'normal' THEN 2 ELSE 3 END, \
         r.created_at, r.id LIMIT $1"
    );
    let mut conn = db.read().await?;
    let now = conn.now();
    let waiting: Vec<i64> = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(TOGETHER)
        .bind(now)
        .bind(now - STAFF_IDLE)
        .fetch_all(c)
        .await)?;
    drop(conn);
    let mut round = Round::default();
    for number in waiting {
        round.took(db.write(|tx| scoped(hand_over(tx, number))).await);
    }
    round.end()
}

/// Gives one that waits to somebody, where it is still nobody's.
async fn hand_over(tx: &mut Tx, number: i64) -> Result<(), Error> {
    const MOVED: &str = "UPDATE requests SET updated_at = $2 WHERE id = $1";
    let held = Held::by_number(tx, number, None).await?;
    if held.assignee_id.is_some() || !held.status.is_waiting_for_staff() {
        return Ok(());
    }
    let Some(staff) = hand_out(tx, held.id).await? else {
        return Ok(());
    };
    let at = held.moment(tx);
    on!(tx, |c| sqlx::query(MOVED)
        .bind(held.id)
        .bind(at)
        .execute(c)
        .await
        .map(drop))?;
    record(tx, held.customer_id, held.id).await?;
    live::note(tx, held.id, live::Kind::Inside).await?;
    Ok(live::ring(tx, held.id, &[staff]).await?)
}

async fn record(tx: &mut Tx, customer: CustomerId, request: RequestId) -> Result<(), sqlx::Error> {
    let entry = audit::Entry {
        actor: Actor::System,
        actor_id: None,
        action: "request.hand_out",
        customer: Some(customer),
        object: Some(request.0),
        reason: "",
        network: "",
    };
    audit::record(tx, entry).await
}

/// What the queue of a request allows; everything where it is of none.
async fn rules_of(conn: &mut Conn, request: RequestId) -> Result<Rules, Error> {
    const SQL: &str = queues!("JOIN requests r ON r.queue_id = q.id WHERE r.id = $1");
    let row: Option<Row> = on!(conn, |c| sqlx::query_as(SQL).bind(request).fetch_optional(c).await)?;
    Ok(row.map(|row| Queue::from(row).rules).unwrap_or_default())
}

/// Whether somebody may take a step by hand with a request that somebody works on by then, or nobody.
pub(in crate::request) async fn may_set(
    conn: &mut Conn,
    by: &Staff,
    request: RequestId,
    step: Move,
    assignee: Option<StaffId>,
) -> Result<bool, Error> {
    let rules = rules_of(conn, request).await?;
    Ok(rules.allow(step, assignee == Some(by.id()), by.has(Right::Desk)))
}

/// The same of a request that is of this queue by then.
pub(in crate::request) async fn may_set_in(
    conn: &mut Conn,
    by: &Staff,
    queue: Option<QueueId>,
    step: Move,
    assignee: Option<StaffId>,
) -> Result<bool, Error> {
    const SQL: &str = queues!("WHERE q.id = $1");
    let row: Option<Row> = on!(conn, |c| sqlx::query_as(SQL).bind(queue).fetch_optional(c).await)?;
    let rules = row.map(|row| Queue::from(row).rules).unwrap_or_default();
    Ok(rules.allow(step, assignee == Some(by.id()), by.has(Right::Desk)))
}

/// Whether the customer may close a request, and go on with it or open it again.
pub(super) async fn customer_may(
    conn: &mut Conn,
    request: RequestId,
    closed_at: Option<DateTime<Utc>>,
) -> Result<(bool, bool), Error> {
    let rules = rules_of(conn, request).await?;
    let now = conn.now();
    Ok((rules.customer_closes, rules.customer_reopens(closed_at, now)))
}

/// Whether somebody may answer: an answer to what is closed opens it again.
pub(in crate::request) async fn may_answer(conn: &mut Conn, by: &Staff, held: &Held) -> Result<bool, Error> {
    if held.status != Status::Closed {
        return Ok(true);
    }
    let rules = rules_of(conn, held.id).await?;
    let is_theirs = held.assignee_id == Some(by.id());
    Ok(rules.reopen_by.holds(is_theirs, by.has(Right::Desk)))
}

/// Who may be given requests of a queue: those who were named, or everybody where nobody was, or a request is of no queue; of these
/// who may open requests.
pub async fn agents(conn: &mut Conn, by: &Staff, queue: Option<QueueId>) -> Result<Vec<Colleague>, Error> {
    const NAMED: &str = concat!(
        "SELECT s.id, s.name FROM staff s JOIN queue_agents a ON a.staff_id = s.id AND a.queue_id = $1 ",
        opens_requests!(),
        " WHERE s.disabled_at IS NULL ORDER BY s.name, s.id"
    );
    const EVERYBODY: &str = concat!(
        "SELECT s.id, s.name FROM staff s ",
        opens_requests!(),
        " WHERE s.disabled_at IS NULL ORDER BY s.name, s.id"
    );
    const IS_NAMED: &str = "SELECT COUNT(*) FROM queue_agents WHERE queue_id = $1";
    by.may(Right::Requests)?;
    // Whoever was named may have gone, or lost the right: it is not everybody's by that.
    let named: i64 = on!(conn, |c| sqlx::query_scalar(IS_NAMED).bind(queue).fetch_one(c).await)?;
    if named > 0 {
        return Ok(on!(conn, |c| sqlx::query_as(NAMED).bind(queue).fetch_all(c).await)?);
    }
    Ok(on!(conn, |c| sqlx::query_as(EVERYBODY).fetch_all(c).await)?)
}

/// Whether a request may be given to somebody.
pub(in crate::request) async fn may_be_given(
    conn: &mut Conn,
    by: &Staff,
    request: RequestId,
    to: StaffId,
) -> Result<bool, Error> {
    const SQL: &str = "SELECT queue_id FROM requests WHERE id = $1";
    let queue: Option<QueueId> = on!(conn, |c| sqlx::query_scalar(SQL).bind(request).fetch_one(c).await)?;
    Ok(agents(conn, by, queue).await?.iter().any(|agent| agent.id == to))
}

/// The queue of requests about a topic.
pub(super) async fn of_topic(conn: &mut Conn, topic: TopicId) -> Result<Option<QueueId>, Error> {
    const SQL: &str = concat!(
        "SELECT COALESCE(q.id, u.id) FROM ",
        topics_with_queues!(),
        " WHERE t.id = $1"
    );
    Ok(on!(conn, |c| sqlx::query_scalar(SQL).bind(topic).fetch_one(c).await)?)
}

/// The steps that somebody may take by hand with a request, by its number.
pub async fn steps(conn: &mut Conn, by: &Staff, number: i64) -> Result<Vec<Status>, Error> {
    const SQL: &str = "SELECT id, status, assignee_id FROM requests \
                       WHERE id = (SELECT COALESCE(m.merged_into, m.id) FROM requests m WHERE m.number = $1)";
    by.may(Right::Requests)?;
    let found: Option<(RequestId, Status, Option<StaffId>)> =
        on!(conn, |c| sqlx::query_as(SQL).bind(number).fetch_optional(c).await)?;
    let (request, status, assignee) = found.ok_or(Error::NotFound)?;
    let rules = rules_of(conn, request).await?;
    let is_theirs = assignee == Some(by.id());
    let is_lead = by.has(Right::Desk);
    Ok(status
        .by_hand()
        .filter(|to| rules.allow((status, *to), is_theirs, is_lead))
        .collect())
}
