//! The clocks of requests in the database: how they follow what happens, what comes of time alone, and what staff read of them.

use super::super::{Status, live};
use super::{Calendar, Days, Plan, Policy, Promise, Told, Week, choose};
use crate::audit::{self, Actor};
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::Error;
use crate::id::{CalendarId, ClockId, LevelNoticeId, RequestId, StaffId, TopicId};
use crate::on;
use crate::request::desk::Priority;
use crate::staff::Right;
use crate::who::{Staff, Subject, System};
use crate::work::Round;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::types::Json;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// How many clocks the job looks up at once.
const TOGETHER: i64 = 100;

/// Every policy.
pub(super) async fn policies(conn: &mut Conn) -> Result<Vec<Policy>, sqlx::Error> {
    const SQL: &str = "SELECT id, calendar_id, topic_id, priority, first_answer, next_answer, solution, warn_percent, \
                       lead_percent, queue_percent, changed_at FROM level_policies ORDER BY id";
    on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)
}

/// A calendar that a policy names.
async fn calendar(conn: &mut Conn, id: CalendarId) -> Result<Calendar, sqlx::Error> {
    const SQL: &str = "SELECT time_zone, week, days FROM level_calendars WHERE id = $1";
    let (zone, Json(week), Json(days)): (String, Json<Week>, Json<Days>) =
        on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_one(c).await)?;
    Ok(Calendar::new(conn.shop().zone_of(Some(&zone)), week, days))
}

/// What of a request moves its clocks.
#[derive(sqlx::FromRow)]
struct State {
    topic_id: TopicId,
    above: Option<TopicId>,
    priority: Priority,
    status: Status,
    /// It went into another one.
    is_merged: bool,
    /// When it was written or last opened again.
    since: DateTime<Utc>,
    waiting_since: Option<DateTime<Utc>>,
    answered_at: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
}

/// How a clock ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// What was promised was done, in time or not.
    Met,
    /// Nobody waits for it any more.
    Dropped,
}

impl State {
    async fn read(tx: &mut Tx, request: RequestId) -> Result<Self, sqlx::Error> {
        const SQL: &str = "SELECT r.topic_id, t.parent_id AS above, r.priority, r.status, r.merged_into IS NOT NULL AS is_merged, \
                           COALESCE(r.reopened_at, r.created_at) AS since, r.waiting_since, r.answered_at, r.due_at \
                           FROM requests r JOIN topics t ON t.id = r.topic_id WHERE r.id = $1";
        on!(tx, |c| sqlx::query_as(SQL).bind(request).fetch_one(c).await)
    }

    /// How a clock of this kind ends here, if it does.
    fn end(&self, kind: Promise, is_answered: bool) -> Option<End> {
        let is_closed = self.status == Status::Closed;
        match kind {
            // It is waited for in the other one.
            _ if self.is_merged => Some(End::Dropped),
            Promise::Solution => is_closed.then_some(End::Met),
            Promise::FirstAnswer if is_answered || self.answered_at.is_some() => Some(End::Met),
            Promise::NextAnswer if is_answered => Some(End::Met),
            Promise::FirstAnswer | Promise::NextAnswer => is_closed.then_some(End::Dropped),
        }
    }

    /// Whether a clock of this kind stands still here: the customer is waited for. Whoever has not been answered once was asked
    /// nothing, whatever the status says, so the first answer does not wait for them.
    fn stands(&self, kind: Promise) -> bool {
        self.status == Status::Waiting && kind != Promise::FirstAnswer
    }

    /// What is owed that no clock runs for yet, and since when.
    fn missing(&self, running: &[Clock]) -> Vec<(Promise, DateTime<Utc>)> {
        let runs = |is: fn(Promise) -> bool| running.iter().any(|clock| is(clock.kind));
        let mut missing = Vec::new();
        if let Some(asked_at) = self.waiting_since.filter(|_| !runs(|kind| kind != Promise::Solution)) {
            missing.push(match self.answered_at {
                // Where it was waited for in one that went into it, longer than since it was written.
                None => (Promise::FirstAnswer, self.since.min(asked_at)),
                Some(_) => (Promise::NextAnswer, asked_at),
            });
        }
        if self.status != Status::Closed && !runs(|kind| kind == Promise::Solution) {
            missing.push((Promise::Solution, self.since));
        }
        missing
    }
}

/// A clock that has not ended.
#[derive(Clone, Copy, sqlx::FromRow)]
struct Clock {
    id: ClockId,
    kind: Promise,
    started_at: DateTime<Utc>,
    /// Since when it stands still.
    paused_at: Option<DateTime<Utc>>,
    /// For how many seconds of working time it stood still before.
    paused: i64,
    warn_at: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
    lead_at: Option<DateTime<Utc>>,
    queue_at: Option<DateTime<Utc>>,
    next_at: Option<DateTime<Utc>>,
    warned_at: Option<DateTime<Utc>>,
    breached_at: Option<DateTime<Utc>>,
    led_at: Option<DateTime<Utc>>,
    queued_at: Option<DateTime<Utc>>,
}

impl Clock {
    fn new(kind: Promise, started_at: DateTime<Utc>) -> Self {
        Self {
            id: ClockId::new(),
            kind,
            started_at,
            paused_at: None,
            paused: 0,
            warn_at: None,
            due_at: None,
            lead_at: None,
            queue_at: None,
            next_at: None,
            warned_at: None,
            breached_at: None,
            led_at: None,
            queued_at: None,
        }
    }

    /// Those of a request.
    async fn running(tx: &mut Tx, request: RequestId) -> Result<Vec<Self>, sqlx::Error> {
        const SQL: &str = "SELECT id, kind, started_at, paused_at, paused, warn_at, due_at, lead_at, queue_at, next_at, \
                           warned_at, breached_at, led_at, queued_at FROM request_clocks \
                           WHERE request_id = $1 AND met_at IS NULL AND dropped_at IS NULL ORDER BY kind";
        on!(tx, |c| sqlx::query_as(SQL).bind(request).fetch_all(c).await)
    }

    /// Lets it run or stand still from a moment on, and reckons anew what happens when.
    fn reckon(&mut self, policy: &Policy, calendar: &Calendar, at: DateTime<Utc>, is_waiting: bool) {
        match (self.paused_at, is_waiting) {
            (Some(since), false) => {
                self.paused += calendar.between(since, at).num_seconds();
                self.paused_at = None;
            }
            (None, true) => self.paused_at = Some(at),
            (Some(_), true) | (None, false) => {}
        }
        let stood = TimeDelta::seconds(self.paused);
        let plan = Plan::of(policy, self.kind, calendar, self.started_at, stood);
        self.warn_at = plan.map(|plan| plan.warn_at);
        self.due_at = plan.map(|plan| plan.due_at);
        self.lead_at = plan.and_then(|plan| plan.lead_at);
        self.queue_at = plan.and_then(|plan| plan.queue_at);
        if let Some(since) = self.paused_at {
            // What was late before the customer was asked stays late; nothing else is due until they answer.
            self.due_at = self.due_at.filter(|due| *due < since);
            self.breached_at = self.breached_at.or(self.due_at);
        }
        self.next_at = self.next();
    }

    /// When the next thing comes of time alone.
    fn next(&self) -> Option<DateTime<Utc>> {
        let steps = [
            (self.warn_at, self.warned_at),
            (self.due_at, self.breached_at),
            (self.lead_at, self.led_at),
            (self.queue_at, self.queued_at),
        ];
        let to_come = steps.into_iter().filter(|(_, done)| done.is_none());
        let is_running = self.paused_at.is_none();
        to_come.filter_map(|(at, _)| at).min().filter(|_| is_running)
    }

    /// Writes it down, new or as it is by now.
    async fn put(&self, tx: &mut Tx, request: RequestId, minutes: i64) -> Result<(), sqlx::Error> {
        const SQL: &str = "INSERT INTO request_clocks (id, request_id, kind, minutes, started_at, paused_at, paused, warn_at, \
                           due_at, lead_at, queue_at, next_at, warned_at, breached_at, led_at, queued_at) \
                           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
                           ON CONFLICT (id) DO UPDATE SET minutes = excluded.minutes, paused_at = excluded.paused_at, \
                           paused = excluded.paused, warn_at = excluded.warn_at, due_at = excluded.due_at, \
                           lead_at = excluded.lead_at, queue_at = excluded.queue_at, next_at = excluded.next_at, \
                           warned_at = excluded.warned_at, breached_at = excluded.breached_at, led_at = excluded.led_at, \
                           queued_at = excluded.queued_at";
        on!(tx, |c| sqlx::query(SQL)
            .bind(self.id)
            .bind(request)
            .bind(self.kind)
            .bind(minutes)
            .bind(self.started_at)
            .bind(self.paused_at)
            .bind(self.paused)
            .bind(self.warn_at)
            .bind(self.due_at)
            .bind(self.lead_at)
            .bind(self.queue_at)
            .bind(self.next_at)
            .bind(self.warned_at)
            .bind(self.breached_at)
            .bind(self.led_at)
            .bind(self.queued_at)
            .execute(c)
            .await
            .map(drop))
    }

    /// Ends it. That it was late is known from then on, also where the job had not come round yet.
    async fn end(&self, tx: &mut Tx, at: DateTime<Utc>, end: End) -> Result<(), sqlx::Error> {
        const SQL: &str =
            "UPDATE request_clocks SET met_at = $2, dropped_at = $3, breached_at = $4, next_at = NULL WHERE id = $1";
        let breached_at = self.breached_at.or(self.due_at.filter(|due| *due < at));
        on!(tx, |c| sqlx::query(SQL)
            .bind(self.id)
            .bind((end == End::Met).then_some(at))
            .bind((end == End::Dropped).then_some(at))
            .bind(breached_at)
            .execute(c)
            .await
            .map(drop))
    }
}

/// Brings the clocks of a request in line with it, after whatever changed it: its status, its topic, its priority. `is_answered`
/// where staff have just answered. Said again it changes nothing.
pub(crate) async fn follow(tx: &mut Tx, request: RequestId, at: DateTime<Utc>, is_answered: bool) -> Result<(), Error> {
    const DUE: &str = "UPDATE requests SET due_at = $2 WHERE id = $1";
    let policies = policies(tx).await?;
    let running = Clock::running(tx, request).await?;
    if policies.is_empty() && running.is_empty() {
        return Ok(());
    }
    let state = State::read(tx, request).await?;
    let mut kept = Vec::new();
    for clock in running {
        match state.end(clock.kind, is_answered) {
            Some(end) => clock.end(tx, at, end).await?,
            None => kept.push(clock),
        }
    }
    let missing = state.missing(&kept);
    kept.extend(missing.into_iter().map(|(kind, since)| Clock::new(kind, since)));
    let policy = choose(&policies, state.topic_id, state.above, state.priority);
    let calendar = match policy {
        Some(policy) => Some(calendar(tx, policy.calendar_id).await?),
        None => None,
    };
    let mut due_at: Option<DateTime<Utc>> = None;
    for mut clock in kept {
        let promised = policy.zip(calendar.as_ref());
        let promised = promised.and_then(|(policy, calendar)| Some((policy, calendar, policy.minutes(clock.kind)?)));
        let Some((policy, calendar, minutes)) = promised else {
            // What is promised no more; of one that is new there is nothing to end.
            clock.end(tx, at, End::Dropped).await?;
            continue;
        };
        clock.reckon(policy, calendar, at, state.stands(clock.kind));
        clock.put(tx, request, minutes).await?;
        due_at = [due_at, clock.due_at].into_iter().flatten().min();
    }
    if due_at != state.due_at {
        on!(tx, |c| sqlx::query(DUE)
            .bind(request)
            .bind(due_at)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}

/// Lets the clocks of a request run again that ended after a moment, and takes away those that began after it: what changed it
/// then is undone. [`follow`] is to come after.
pub(crate) async fn turn_back(tx: &mut Tx, request: RequestId, to: DateTime<Utc>) -> Result<(), sqlx::Error> {
    const BEGUN: &str = "DELETE FROM request_clocks WHERE request_id = $1 AND started_at > $2 \
                         AND met_at IS NULL AND dropped_at IS NULL";
    const ENDED: &str = "UPDATE request_clocks SET met_at = NULL, dropped_at = NULL WHERE request_id = $1 \
                         AND (met_at > $2 OR dropped_at > $2) AND NOT EXISTS (SELECT 1 FROM request_clocks r \
                         WHERE r.request_id = $1 AND r.kind = request_clocks.kind AND r.met_at IS NULL AND r.dropped_at IS NULL)";
    for sql in [BEGUN, ENDED] {
        on!(tx, |c| sqlx::query(sql)
            .bind(request)
            .bind(to)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}

/// Has the customer wait for an answer in a request as long as in one that is about to go into it. [`follow`] is to come after, of both.
pub(crate) async fn wait_as_long(tx: &mut Tx, request: RequestId, going: RequestId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE request_clocks SET started_at = (SELECT MIN(g.started_at) FROM request_clocks g \
                       WHERE g.request_id IN ($1, $2) AND g.kind <> 'solution' AND g.met_at IS NULL AND g.dropped_at IS NULL) \
                       WHERE request_id = $1 AND kind <> 'solution' AND met_at IS NULL AND dropped_at IS NULL";
    on!(tx, |c| sqlx::query(SQL)
        .bind(request)
        .bind(going)
        .execute(c)
        .await
        .map(drop))
}

/// Ends what is owed of answers where the question itself went elsewhere.
pub(crate) async fn owe_no_answer(tx: &mut Tx, request: RequestId, at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    for clock in Clock::running(tx, request).await? {
        if clock.kind != Promise::Solution {
            clock.end(tx, at, End::Dropped).await?;
        }
    }
    Ok(())
}

/// Has every clock that runs reckoned anew by the next round of the job: policies or calendars are others by now.
pub(super) async fn reckon_all(tx: &mut Tx) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE request_clocks SET next_at = $1 \
                       WHERE met_at IS NULL AND dropped_at IS NULL AND paused_at IS NULL";
    // The job looks at what lies before its moment.
    let now = tx.now() - TimeDelta::microseconds(1);
    on!(tx, |c| sqlx::query(SQL).bind(now).execute(c).await.map(drop))
}

// What comes of time alone --------------------------------------------------------------------------------------------

/// Warns where time runs out, and says where it is over, each once, on whichever node comes first; all of it, as long as `goes_on`:
/// after a change of a policy every clock is looked after.
pub async fn run_due(db: &Db, _by: &System, goes_on: impl Fn() -> bool) -> Result<(), Error> {
    const SQL: &str = "SELECT next_at, id, request_id FROM request_clocks WHERE next_at < $1 AND (next_at, id) > ($2, $3) \
                       ORDER BY next_at, id LIMIT $4";
    let now = db.now();
    let mut round = Round::default();
    // What fails stays due, and nothing after it waits for that.
    let mut place = (DateTime::UNIX_EPOCH, ClockId(Uuid::nil()));
    loop {
        let mut conn = db.read().await?;
        let due: Vec<(DateTime<Utc>, ClockId, RequestId)> = on!(conn, |c| sqlx::query_as(SQL)
            .bind(now)
            .bind(place.0)
            .bind(place.1)
            .bind(TOGETHER)
            .fetch_all(c)
            .await)?;
        drop(conn);
        // Two clocks of one request are looked after together.
        for request in due.iter().map(|(_, _, request)| *request).collect::<BTreeSet<_>>() {
            if !goes_on() {
                return round.end();
            }
            round.took(db.write(|tx| scoped(tend(tx, request))).await);
        }
        let Some((at, id, _)) = due.last() else {
            return round.end();
        };
        place = (*at, *id);
    }
}

/// Looks after one request.
async fn tend(tx: &mut Tx, request: RequestId) -> Result<(), Error> {
    // Nobody else changes it meanwhile.
    const HOLD: &str = "UPDATE requests SET updated_at = updated_at WHERE id = $1 RETURNING assignee_id, updated_at";
    const WORKS: &str = "SELECT s.id FROM requests r JOIN staff s ON s.id = r.assignee_id \
                         WHERE r.id = $1 AND s.disabled_at IS NULL";
    const RETURN: &str = "UPDATE requests SET lost_by = assignee_id, lost_late = TRUE, assignee_id = NULL, updated_at = $2 \
                          WHERE id = $1";
    let now = tx.now();
    let (mut assignee, updated_at): (Option<StaffId>, DateTime<Utc>) =
        on!(tx, |c| sqlx::query_as(HOLD).bind(request).fetch_one(c).await)?;
    let mut works: Option<StaffId> = on!(tx, |c| sqlx::query_scalar(WORKS).bind(request).fetch_optional(c).await)?;
    follow(tx, request, now, false).await?;
    let (mut is_told, mut is_nobodys) = (false, false);
    let mut rung: Vec<StaffId> = Vec::new();
    for mut clock in Clock::running(tx, request).await? {
        if clock.next_at.is_none_or(|next| next >= now) {
            continue;
        }
        let comes =
            |at: Option<DateTime<Utc>>, done: Option<DateTime<Utc>>| done.is_none() && at.is_some_and(|at| at < now);
        let is_warned = comes(clock.warn_at, clock.warned_at);
        let is_broken = comes(clock.due_at, clock.breached_at);
        let is_led = comes(clock.lead_at, clock.led_at);
        let is_returned = comes(clock.queue_at, clock.queued_at);
        // Who is told that it is late need not be told that it will be.
        let told = match (is_broken, is_warned && clock.breached_at.is_none()) {
            (true, _) => Some(Told::Breach),
            (false, true) => Some(Told::Warning),
            (false, false) => None,
        };
        match (told, works) {
            (Some(told), Some(staff)) => {
                tell(tx, request, told, &[staff]).await?;
                rung.push(staff);
            }
            // Leads look after what nobody works on, and are told of it once.
            (Some(told), None) if !is_led => {
                let to = leads(tx).await?;
                tell(tx, request, told, &to).await?;
                rung.extend(to);
            }
            (_, _) => {}
        }
        if is_led {
            let to = leads(tx).await?;
            tell(tx, request, Told::Escalation, &to).await?;
            rung.extend(to);
        }
        if is_returned && let Some(staff) = assignee.take() {
            tell(tx, request, Told::Returned, &[staff]).await?;
            rung.push(staff);
            (works, is_nobodys) = (None, true);
        }
        is_told |= told.is_some() || is_led;
        let step = |is: bool, before: Option<DateTime<Utc>>| if is { Some(now) } else { before };
        clock.warned_at = step(is_warned, clock.warned_at);
        clock.breached_at = if is_broken { clock.due_at } else { clock.breached_at };
        clock.led_at = step(is_led, clock.led_at);
        clock.queued_at = step(is_returned, clock.queued_at);
        clock.next_at = clock.next();
        mark(tx, &clock).await?;
    }
    if is_nobodys {
        let at = now.max(updated_at + TimeDelta::microseconds(1));
        on!(tx, |c| sqlx::query(RETURN)
            .bind(request)
            .bind(at)
            .execute(c)
            .await
            .map(drop))?;
    }
    // Pages that show the request are told, and the bells of whoever is told, wherever they are; each once.
    if is_told || is_nobodys {
        rung.sort_unstable();
        rung.dedup();
        live::note(tx, request, live::Kind::Inside).await?;
        live::ring(tx, request, &rung).await?;
    }
    Ok(())
}

/// Writes down what has come of a clock.
async fn mark(tx: &mut Tx, clock: &Clock) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE request_clocks SET warned_at = $2, breached_at = $3, led_at = $4, queued_at = $5, next_at = $6 \
                       WHERE id = $1";
    on!(tx, |c| sqlx::query(SQL)
        .bind(clock.id)
        .bind(clock.warned_at)
        .bind(clock.breached_at)
        .bind(clock.led_at)
        .bind(clock.queued_at)
        .bind(clock.next_at)
        .execute(c)
        .await
        .map(drop))
}

/// Whoever is told as lead: those who look after levels and may open requests.
async fn leads(tx: &mut Tx) -> Result<Vec<StaffId>, sqlx::Error> {
    const SQL: &str = "SELECT s.id, r.rights FROM staff s JOIN roles r ON r.code = s.role \
                       WHERE s.disabled_at IS NULL ORDER BY s.id";
    let all: Vec<(StaffId, Json<Vec<Right>>)> = on!(tx, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
    let is_lead = |rights: &[Right]| {
        [Right::Levels, Right::Requests]
            .iter()
            .all(|right| rights.contains(right))
    };
    let leads = all.into_iter().filter(|(_, rights)| is_lead(&rights.0));
    Ok(leads.map(|(id, _)| id).collect())
}

/// Tells staff of a request, and writes down that it happened.
async fn tell(tx: &mut Tx, request: RequestId, told: Told, to: &[StaffId]) -> Result<(), sqlx::Error> {
    for staff in to {
        put_notice(tx, request, told, *staff).await?;
    }
    let entry = audit::Entry {
        actor: Actor::System,
        actor_id: None,
        action: "request.level",
        customer: None,
        object: Some(request.0),
        reason: told.as_str(),
        network: "",
    };
    audit::record(tx, entry).await
}

async fn put_notice(tx: &mut Tx, request: RequestId, told: Told, to: StaffId) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO level_notices (id, staff_id, at, kind, request_id) VALUES ($1, $2, $3, $4, $5)";
    let (id, now) = (LevelNoticeId::new(), tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(to)
        .bind(now)
        .bind(told)
        .bind(request)
        .execute(c)
        .await
        .map(drop))
}

/// Tells somebody of staff that a request is theirs. That it was given to them the log says by itself; [`live::ring`] is to come
/// last in the transaction.
pub(crate) async fn give(tx: &mut Tx, request: RequestId, to: StaffId) -> Result<(), sqlx::Error> {
    put_notice(tx, request, Told::Given, to).await
}

/// Tells somebody of staff likewise that a request is theirs no more: a colleague took it, or gave it to others.
pub(crate) async fn take(tx: &mut Tx, request: RequestId, from: StaffId) -> Result<(), sqlx::Error> {
    put_notice(tx, request, Told::Taken, from).await
}

/// Takes back what [`give`] or [`take`] said since a moment, where nobody has read it: the request went back.
pub(crate) async fn take_back(
    tx: &mut Tx,
    request: RequestId,
    from: StaffId,
    told: Told,
    since: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "DELETE FROM level_notices WHERE request_id = $1 AND staff_id = $2 AND kind = $3 AND at >= $4 \
                       AND read_at IS NULL";
    on!(tx, |c| sqlx::query(SQL)
        .bind(request)
        .bind(from)
        .bind(told)
        .bind(since)
        .execute(c)
        .await
        .map(drop))
}

// What staff read -----------------------------------------------------------------------------------------------------

/// What a customer is owed, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Due {
    /// Of which request.
    pub request_id: RequestId,
    /// What.
    pub kind: Promise,
    /// Until when; none while the customer is waited for and it was not late before.
    pub due_at: Option<DateTime<Utc>>,
    /// The customer is waited for.
    pub is_paused: bool,
}

/// What customers are owed in these requests, what is due first leading.
pub async fn of(conn: &mut Conn, by: &Staff, requests: &[RequestId]) -> Result<HashMap<RequestId, Vec<Due>>, Error> {
    const SQL: &str =
        "SELECT c.request_id, c.kind, c.due_at, c.paused_at IS NOT NULL AS is_paused FROM request_clocks c";
    by.may(Right::Requests)?;
    let query = ListQuery::new(SQL)
        .filter("c.met_at IS NULL AND c.dropped_at IS NULL", [])
        .within("c.request_id", requests.iter().map(|id| Bind::Id(id.0)))
        .tail("ORDER BY COALESCE(c.due_at, '9999-12-31T00:00:00+00:00'), c.kind");
    let found: Vec<Due> = db::list(conn, query).await?;
    let mut all: HashMap<RequestId, Vec<Due>> = HashMap::new();
    for due in found {
        all.entry(due.request_id).or_default().push(due);
    }
    Ok(all)
}

// What customers read -------------------------------------------------------------------------------------------------

/// By when the next answer in a customer's request is promised; none where nothing is, and where that moment is over.
pub async fn answer_by(conn: &mut Conn, of: Subject, number: i64) -> Result<Option<DateTime<Utc>>, Error> {
    const SQL: &str = "SELECT c.due_at FROM request_clocks c JOIN requests r ON r.id = c.request_id \
                       WHERE r.number = $1 AND r.customer_id = $2 AND c.kind <> 'solution' AND c.met_at IS NULL \
                       AND c.dropped_at IS NULL AND c.paused_at IS NULL AND c.due_at > $3 ORDER BY c.due_at LIMIT 1";
    let now = conn.now();
    Ok(on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(number)
        .bind(of.id())
        .bind(now)
        .fetch_optional(c)
        .await)?)
}
