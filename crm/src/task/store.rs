//! Tasks in the database. Whoever may work with customers writes tasks down, also for a colleague, and changes their own; with the
//! right [`Right::Tasks`] also those of others. What comes into an inbox by that [`crate::request::mention`] reads.

use super::{ALL_DAY, End, Kind, Load, NewTask, News, OwnerLoad, Past, Place, State, TITLE_MAX, Task, Which, minute};
use crate::customer::store as customers;
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::Error;
use crate::flaw::{self, Check, Flaw};
use crate::id::{CustomerId, NoticeId, RequestId, StaffId, TaskId};
use crate::on;
use crate::request::live;
use crate::staff::Right;
use crate::who::{Staff, Subject, System};
use crate::work::Round;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Timelike as _, Utc};
use std::collections::HashMap;

/// A task is due within so many days.
const AHEAD: Days = Days::new(3 * 366);
/// How many tasks one round of the job tells of.
const TOGETHER: i64 = 1_000;

const SELECT: &str = "SELECT t.id, t.customer_id, c.name, c.surname, r.number AS request, t.title, t.due_on, t.due_minute, \
    t.kind, t.owner_id, s.name AS owner, t.state, t.changed_at, t.ended_at FROM tasks t JOIN customers c ON c.id = t.customer_id \
    JOIN staff s ON s.id = t.owner_id LEFT JOIN requests r ON r.id = t.request_id";

/// Writes a task down. Fails with flaws at `title`, `due`, `time`, `kind`, `owner` and `request`, with [`Error::NotFound`] where there is no such customer,
/// and with [`Error::Stale`] where they are nobody any more.
pub async fn add(db: &Db, by: &Staff, customer: CustomerId, new: &NewTask) -> Result<TaskId, Error> {
    by.may(Right::Customers)?;
    db.write(|tx| {
        scoped(async move {
            customers::is_alive(tx, customer).await?;
            let now = tx.now();
            let local = tx.shop().local(now);
            let mut check = Check::new();
            let title = check.field("title", flaw::text(&new.title, TITLE_MAX));
            let due = until(&mut check, &new.due, &new.time, (local.date(), minute(local)));
            let kind = check.field("kind", kind(&new.kind));
            let owner = owner(tx, &new.owner).await?;
            let owner = check.field("owner", owner);
            let request = request(tx, customer, &new.request).await?;
            let request = check.field("request", request);
            let (Some(title), Some(due), Some(kind), Some(owner), Some(request)) = (title, due, kind, owner, request)
            else {
                return Err(Error::Invalid(check.flaws()));
            };
            let task = Past {
                customer,
                title,
                due_on: due.0,
                due_minute: due.1,
                kind,
                owner,
                by: by.id(),
                at: now,
            };
            let id = enter(tx, &task, request).await?;
            by.record(tx, "task.add", Some(customer), Some(id.0), "").await?;
            tell_by(tx, by, owner, News::Given, id).await?;
            Ok(id)
        })
    })
    .await
}

/// Writes down a task of before, which may be late by now.
pub async fn put(tx: &mut Tx, _by: &System, past: &Past) -> Result<TaskId, Error> {
    Ok(enter(tx, past, None).await?)
}

async fn enter(tx: &mut Tx, task: &Past, request: Option<RequestId>) -> Result<TaskId, sqlx::Error> {
    const SQL: &str = "INSERT INTO tasks (id, customer_id, request_id, title, due_on, owner_id, created_by, created_at, \
                       changed_at, state, due_minute, kind) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $11)";
    let id = TaskId::new();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(task.customer)
        .bind(request)
        .bind(&task.title)
        .bind(task.due_on)
        .bind(task.owner)
        .bind(task.by)
        .bind(task.at)
        .bind(State::Open)
        .bind(task.due_minute)
        .bind(task.kind)
        .execute(c)
        .await
        .map(drop))?;
    Ok(id)
}

/// The day and the minute of it until which a task is due, from this moment on, with flaws at `due` and `time`.
fn until(check: &mut Check, day: &str, time: &str, from: (NaiveDate, i64)) -> Option<(NaiveDate, i64)> {
    let day = check.field("due", due(day, from.0));
    let time = check.field("time", hour(time));
    let until = (day?, time?);
    let is_over = until < from;
    check.field("time", if is_over { Err(Flaw::InThePast) } else { Ok(until) })
}

/// The minute of the day as a field of times sends it; nothing: some time of the day.
fn hour(raw: &str) -> Result<i64, Flaw> {
    let raw = raw.trim();
    if raw.is_empty() {
        return Ok(ALL_DAY);
    }
    // Some browsers tell seconds as well.
    let time = ["%H:%M", "%H:%M:%S"]
        .into_iter()
        .find_map(|format| NaiveTime::parse_from_str(raw, format).ok());
    let time = time.ok_or(Flaw::NotATime)?;
    Ok(i64::from(time.hour() * 60 + time.minute()))
}

fn kind(code: &str) -> Result<Kind, Flaw> {
    if code.is_empty() {
        return Ok(Kind::Other);
    }
    let found = Kind::ALL.into_iter().find(|(_, known)| *known == code);
    found.map(|(kind, _)| kind).ok_or(Flaw::NotAChoice)
}

/// A day as a field of dates sends it: from today on.
fn due(raw: &str, today: NaiveDate) -> Result<NaiveDate, Flaw> {
    let raw = raw.trim();
    if raw.is_empty() {
        return Err(Flaw::Missing);
    }
    let due = NaiveDate::parse_from_str(raw, "%Y-%m-%d").map_err(|_| Flaw::NotADate)?;
    match due {
        due if due < today => Err(Flaw::InThePast),
        due if today.checked_add_days(AHEAD).is_none_or(|last| due > last) => Err(Flaw::NotADate),
        due => Ok(due),
    }
}

/// A colleague who works here and may work with customers.
async fn owner(tx: &mut Tx, raw: &str) -> Result<Result<StaffId, Flaw>, Error> {
    let Ok(id) = raw.parse::<StaffId>() else {
        return Ok(Err(Flaw::NotAChoice));
    };
    let known = owners(tx).await?.into_iter().any(|(one, _)| one == id);
    Ok(if known { Ok(id) } else { Err(Flaw::NotAChoice) })
}

/// Those to whom a task may be given, by name.
async fn owners(conn: &mut Conn) -> Result<Vec<(StaffId, String)>, sqlx::Error> {
    const SQL: &str = "SELECT s.id, s.name, r.rights FROM staff s JOIN roles r ON r.code = s.role \
                       WHERE s.disabled_at IS NULL ORDER BY s.name, s.id";
    let rows: Vec<(StaffId, String, sqlx::types::Json<serde_json::Value>)> =
        on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
    let may = |rights: &serde_json::Value| {
        let rights = rights.as_array().map(Vec::as_slice).unwrap_or_default();
        rights.iter().any(|right| right == "customers")
    };
    let rows = rows.into_iter().filter(|(_, _, rights)| may(&rights.0));
    Ok(rows.map(|(id, name, _)| (id, name)).collect())
}

/// Those to whom a task may be given, by name.
pub async fn colleagues(conn: &mut Conn, by: &Staff) -> Result<Vec<(StaffId, String)>, Error> {
    by.may(Right::Customers)?;
    Ok(owners(conn).await?)
}

/// The customer's request of this number; none where nothing was typed.
async fn request(tx: &mut Tx, customer: CustomerId, raw: &str) -> Result<Result<Option<RequestId>, Flaw>, Error> {
    const SQL: &str = "SELECT id FROM requests WHERE number = $1 AND customer_id = $2";
    let raw = raw.trim().trim_start_matches(['#', '№']).trim();
    if raw.is_empty() {
        return Ok(Ok(None));
    }
    let Ok(number) = raw.parse::<i64>() else {
        return Ok(Err(Flaw::NotANumber));
    };
    let found: Option<RequestId> = on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(number)
        .bind(customer)
        .fetch_optional(c)
        .await)?;
    Ok(found.map(Some).ok_or(Flaw::NotAChoice))
}

/// A task that this transaction changes.
#[derive(sqlx::FromRow)]
struct Held {
    id: TaskId,
    customer_id: CustomerId,
    owner_id: StaffId,
    created_by: StaffId,
    state: State,
    changed_at: DateTime<Utc>,
}

impl Held {
    /// Takes hold of an open task that is somebody's to change. `seen` is the [`Task::changed_at`] of what was read:
    /// [`Error::Stale`] where it is another one by now, or where the task has ended.
    async fn take(tx: &mut Tx, by: &Staff, id: TaskId, seen: DateTime<Utc>) -> Result<Self, Error> {
        const SQL: &str = "UPDATE tasks SET changed_at = changed_at WHERE id = $1 \
                           RETURNING id, customer_id, owner_id, created_by, state, changed_at";
        let held: Option<Self> = on!(tx, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
        let held = held.ok_or(Error::NotFound)?;
        if held.owner_id != by.id() {
            by.may(Right::Tasks)?;
        }
        if held.changed_at != seen || held.state != State::Open {
            return Err(Error::Stale);
        }
        Ok(held)
    }

    /// The moment of a change, later than the one before though the clock stands still.
    fn now(&self, tx: &Tx) -> DateTime<Utc> {
        tx.now().max(self.changed_at + TimeDelta::microseconds(1))
    }
}

/// Ends a task: it was done, or it is not to be done. Somebody else's takes the right [`Right::Tasks`], else [`Error::Forbidden`];
/// [`Error::Stale`] where it was changed since `seen`, and [`Error::NotFound`].
pub async fn end(db: &Db, by: &Staff, id: TaskId, seen: DateTime<Utc>, end: End) -> Result<(), Error> {
    const SQL: &str = "UPDATE tasks SET state = $2, ended_at = $3, changed_at = $3 WHERE id = $1";
    by.may(Right::Customers)?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::take(tx, by, id, seen).await?;
            let now = held.now(tx);
            let (state, news) = match end {
                End::Done => (State::Done, News::Done),
                End::Cancelled => (State::Cancelled, News::Cancelled),
            };
            on!(tx, |c| sqlx::query(SQL)
                .bind(held.id)
                .bind(state)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            let customer = Some(held.customer_id);
            match end {
                End::Done => by.record(tx, "task.done", customer, Some(id.0), "").await?,
                End::Cancelled => by.record(tx, "task.cancel", customer, Some(id.0), "").await?,
            }
            Ok(tell_by(tx, by, held.created_by, news, id).await?)
        })
    })
    .await
}

/// Gives a task to somebody else, or another day and hour. Fails with flaws at `owner`, `due` and `time`, and as [`end`] does. What is
/// over may stay as it is.
pub async fn assign(
    db: &Db,
    by: &Staff,
    id: TaskId,
    seen: DateTime<Utc>,
    to: &str,
    [day, time]: [&str; 2],
) -> Result<(), Error> {
    const NOW: &str = "SELECT due_on, due_minute FROM tasks WHERE id = $1";
    // At another hour it is told anew.
    const SQL: &str = "UPDATE tasks SET owner_id = $2, due_on = $3, due_minute = $4, changed_at = $5, \
                       reminded_at = CASE WHEN due_on = $3 AND due_minute = $4 THEN reminded_at END WHERE id = $1";
    by.may(Right::Customers)?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::take(tx, by, id, seen).await?;
            let now = held.now(tx);
            let before: (NaiveDate, i64) = on!(tx, |c| sqlx::query_as(NOW).bind(id).fetch_one(c).await)?;
            let local = tx.shop().local(now);
            let mut check = Check::new();
            let owner = owner(tx, to).await?;
            let owner = check.field("owner", owner);
            let due = until(&mut check, day, time, (local.date(), minute(local)).min(before));
            let (Some(owner), Some(due)) = (owner, due) else {
                return Err(Error::Invalid(check.flaws()));
            };
            on!(tx, |c| sqlx::query(SQL)
                .bind(held.id)
                .bind(owner)
                .bind(due.0)
                .bind(due.1)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            by.record(tx, "task.assign", Some(held.customer_id), Some(id.0), "")
                .await?;
            if owner != held.owner_id {
                tell_by(tx, by, owner, News::Given, id).await?;
            }
            Ok(())
        })
    })
    .await
}

/// Gives everything that somebody has to do to somebody else, and each task tells it as with [`assign`]; how many those were. Whether
/// they may has been asked by whoever calls this, and [`live::ring_bells`] is to come last in the transaction.
pub(crate) async fn hand_over(tx: &mut Tx, by: &Staff, from: StaffId, to: StaffId) -> Result<i64, Error> {
    const HOLD: &str = "UPDATE tasks SET changed_at = changed_at WHERE owner_id = $1 AND state = 'open' \
                        RETURNING id, customer_id, owner_id, created_by, state, changed_at";
    const SQL: &str = "UPDATE tasks SET owner_id = $2, changed_at = $3 WHERE id = $1";
    let tasks: Vec<Held> = on!(tx, |c| sqlx::query_as(HOLD).bind(from).fetch_all(c).await)?;
    for held in &tasks {
        let now = held.now(tx);
        on!(tx, |c| sqlx::query(SQL)
            .bind(held.id)
            .bind(to)
            .bind(now)
            .execute(c)
            .await
            .map(drop))?;
        by.record(tx, "task.assign", Some(held.customer_id), Some(held.id.0), "")
            .await?;
        if to != by.id() {
            put_notice(tx, to, News::Given, held.id, Some(by.id())).await?;
        }
    }
    Ok(tasks.len() as i64)
}

// What staff are told -------------------------------------------------------------------------------------------------

/// Tells somebody what a colleague did with a task, last in its transaction; whoever did it themselves knows.
async fn tell_by(tx: &mut Tx, by: &Staff, to: StaffId, news: News, task: TaskId) -> Result<(), sqlx::Error> {
    if to == by.id() {
        return Ok(());
    }
    put_notice(tx, to, news, task, Some(by.id())).await?;
    live::ring_bells(tx, &[to]).await
}

async fn put_notice(
    tx: &mut Tx,
    to: StaffId,
    news: News,
    task: TaskId,
    by: Option<StaffId>,
) -> Result<(), sqlx::Error> {
    const SQL: &str =
        "INSERT INTO task_notices (id, staff_id, at, kind, task_id, by_id) VALUES ($1, $2, $3, $4, $5, $6)";
    let (id, now) = (NoticeId::new(), tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(to)
        .bind(now)
        .bind(news)
        .bind(task)
        .bind(by)
        .execute(c)
        .await
        .map(drop))
}

/// Tells whoever has a task to do that its hour has come, once, on whichever node comes first. What has no hour is not told, nor what
/// was over the day before: it stands among what is late.
pub async fn run_due(db: &Db, _by: &System) -> Result<(), Error> {
    const SQL: &str = "SELECT id FROM tasks WHERE state = 'open' AND reminded_at IS NULL AND due_minute < $1 AND due_on >= $2 \
                       AND (due_on, due_minute) <= ($3, $4) ORDER BY due_on, due_minute, id LIMIT $5";
    let local = db.shop().local(db.now());
    let yesterday = local.date() - Days::new(1);
    let mut conn = db.read().await?;
    let due: Vec<TaskId> = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(ALL_DAY)
        .bind(yesterday)
        .bind(local.date())
        .bind(minute(local))
        .bind(TOGETHER)
        .fetch_all(c)
        .await)?;
    drop(conn);
    let mut round = Round::default();
    for task in due {
        round.took(db.write(|tx| scoped(remind(tx, task))).await);
    }
    round.end()
}

/// Tells it of one, where it is still so.
async fn remind(tx: &mut Tx, task: TaskId) -> Result<(), Error> {
    const SQL: &str = "UPDATE tasks SET reminded_at = $2 WHERE id = $1 AND state = 'open' AND reminded_at IS NULL \
                       AND due_minute < $3 AND (due_on, due_minute) <= ($4, $5) RETURNING owner_id";
    let now = tx.now();
    let local = tx.shop().local(now);
    let owner: Option<StaffId> = on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(task)
        .bind(now)
        .bind(ALL_DAY)
        .bind(local.date())
        .bind(minute(local))
        .fetch_optional(c)
        .await)?;
    let Some(owner) = owner else { return Ok(()) };
    put_notice(tx, owner, News::Due, task, None).await?;
    Ok(live::ring_bells(tx, &[owner]).await?)
}

// What staff read -----------------------------------------------------------------------------------------------------

/// The open tasks of a customer, whoever is to do them, what is due first first.
pub async fn of(conn: &mut Conn, of: Subject) -> Result<Vec<Task>, Error> {
    let query = ListQuery::new(SELECT)
        .filter("t.customer_id = ?", [Bind::Id(of.id().0)])
        .filter("t.state = 'open'", []);
    Ok(db::list(conn, query.tail("ORDER BY t.due_on, t.due_minute, t.id").limit(MOST)).await?)
}

/// So many open tasks of one customer are shown.
const MOST: i64 = 50;

/// What some of a customer's tasks are called, by their ids.
pub async fn titles(conn: &mut Conn, of: Subject, ids: &[TaskId]) -> Result<HashMap<TaskId, String>, Error> {
    let query = ListQuery::new("SELECT id, title FROM tasks")
        .filter("customer_id = ?", [Bind::Id(of.id().0)])
        .within("id", ids.iter().map(|id| Bind::Id(id.0)));
    let rows: Vec<(TaskId, String)> = db::list(conn, query).await?;
    Ok(rows.into_iter().collect())
}

/// A page of tasks with whom they are for, those after `after`: of one colleague, or with [`Right::Tasks`] of everybody (`None`); those
/// that one gave oneself are of everybody too. Written into the audit log.
pub async fn list(
    db: &Db,
    by: &Staff,
    which: Which,
    owner: Option<StaffId>,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Task>, Error> {
    by.may(Right::Customers)?;
    if owner != Some(by.id()) && which != Which::Given {
        by.may(Right::Tasks)?;
    }
    let mut query = ListQuery::new(SELECT);
    if which == Which::Given {
        let me = || [Bind::Id(by.id().0)];
        query = query.filter("t.created_by = ?", me()).filter("t.owner_id <> ?", me());
    }
    if let Some(owner) = owner {
        query = query.filter("t.owner_id = ?", [Bind::Id(owner.0)]);
    }
    query = match which {
        Which::Open | Which::Overdue | Which::Given => query.filter("t.state = 'open'", []),
        Which::Ended => query.filter("t.state <> 'open'", []),
    };
    if which == Which::Overdue {
        let now = db.shop().local(db.now());
        query = query.filter(
            "(t.due_on, t.due_minute) < (?, ?)",
            [Bind::Day(now.date()), Bind::Int(minute(now))],
        );
    }
    query = match after {
        None => query,
        Some(Place::Due(day, minute, id)) => query.filter(
            "(t.due_on, t.due_minute, t.id) > (?, ?, ?)",
            [Bind::Day(day), Bind::Int(minute), Bind::Id(id.0)],
        ),
        Some(Place::Ended(at, id)) => query.filter("(t.ended_at, t.id) < (?, ?)", [Bind::Time(at), Bind::Id(id.0)]),
    };
    let query = match which {
        Which::Open | Which::Overdue | Which::Given => query.tail("ORDER BY t.due_on, t.due_minute, t.id"),
        Which::Ended => query.tail("ORDER BY t.ended_at DESC, t.id DESC"),
    };
    let mut conn = db.read().await?;
    let tasks: Vec<Task> = db::list(&mut conn, query.limit(limit)).await?;
    drop(conn);
    let whose = match owner {
        Some(id) if id == by.id() => ", assignee me".to_owned(),
        Some(id) => format!(", assignee {id}"),
        None => String::new(),
    };
    let reason = &format!("{} shown, tasks {}{whose}", tasks.len(), which.code());
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "task.list", None, None, reason).await?) }))
        .await?;
    Ok(tasks)
}

/// What a member of staff still has to do.
pub async fn load(conn: &mut Conn, by: &Staff) -> Result<Load, Error> {
    const SQL: &str = "SELECT COUNT(*) AS open, COUNT(*) FILTER (WHERE due_on = $2 AND due_minute >= $3) AS today, \
                       COUNT(*) FILTER (WHERE (due_on, due_minute) < ($2, $3)) AS overdue FROM tasks \
                       WHERE owner_id = $1 AND state = 'open'";
    let now = conn.shop().local(conn.now());
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(by.id())
        .bind(now.date())
        .bind(minute(now))
        .fetch_one(c)
        .await)?)
}

/// What everybody still has to do, who is late with the most first. [`Error::Forbidden`] without [`Right::Tasks`].
pub async fn loads(conn: &mut Conn, by: &Staff) -> Result<Vec<OwnerLoad>, Error> {
    const SQL: &str = "SELECT s.id, s.name, COUNT(*) AS open, \
                       COUNT(*) FILTER (WHERE (t.due_on, t.due_minute) < ($1, $2)) AS overdue \
                       FROM tasks t JOIN staff s ON s.id = t.owner_id WHERE t.state = 'open' GROUP BY s.id, s.name \
                       ORDER BY 4 DESC, 3 DESC, s.name, s.id";
    by.may(Right::Tasks)?;
    let now = conn.shop().local(conn.now());
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(now.date())
        .bind(minute(now))
        .fetch_all(c)
        .await)?)
}
