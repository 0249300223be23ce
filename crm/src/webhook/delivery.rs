//! Telling receivers, by any number of nodes. A node claims a receiver that something is due for, and from then on until the
//! claim runs out nobody else talks to it: one request at a time, and who is slow is slow for itself alone. What came of
//! each try is written down together with the claim of the next, so a node that dies loses nothing, and something is told
//! twice at worst: receivers tell doubles by the event's id.

use super::secret::Secret;
use super::{Because, State};
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::id::{DeliveryId, WebhookEventId, WebhookId};
use crate::on;
use crate::outbox::delivery::{scatter, short};
use crate::who::System;
use chrono::{DateTime, Duration, Utc};

/// The pauses between tries, before chance has its say (Standard Webhooks, "Deliverability and reliability").
pub const PAUSES: [Duration; 9] = [
    Duration::seconds(5),
    Duration::minutes(5),
    Duration::minutes(30),
    Duration::hours(2),
    Duration::hours(5),
    Duration::hours(10),
    Duration::hours(14),
    Duration::hours(20),
    Duration::hours(24),
];
/// How often something is told at most.
pub const MAX_ATTEMPTS: i64 = PAUSES.len() as i64 + 1;
/// A receiver that has taken nothing for so long is switched off: what is told once has been given up by then.
pub const PATIENCE: Duration = Duration::days(3);
/// By this status a receiver says that it wants nothing any more (RFC 9110, 15.5.11).
const GONE: u16 = 410;
/// The error of what a node stopped over at the last try.
pub const INTERRUPTED: &str = "interrupted";

/// Something to be told, in the hands of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Its id.
    pub id: DeliveryId,
    /// Whom.
    pub webhook: WebhookId,
    /// Of what: the same for all receivers and at every try.
    pub event: WebhookEventId,
    /// Where.
    pub url: String,
    /// What, byte for byte.
    pub body: String,
    /// What it is signed with.
    secrets: Vec<Secret>,
    attempts: i64,
    claim: String,
}

impl Claimed {
    /// The headers of a try at this moment. There are two signatures while a secret is exchanged, parted by a space.
    pub fn headers(&self, at: DateTime<Utc>) -> [(&'static str, String); 3] {
        let id = self.event.to_string();
        let signatures: Vec<String> = self
            .secrets
            .iter()
            .map(|secret| secret.sign(&id, at, &self.body))
            .collect();
        [
            ("webhook-id", id),
            ("webhook-timestamp", at.timestamp().to_string()),
            ("webhook-signature", signatures.join(" ")),
        ]
    }
}

/// What came of a try.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The status of the answer; none where there was no answer.
    pub status: Option<u16>,
    /// What was answered, or why nothing was, in words.
    pub words: String,
    /// How long it took.
    pub took: std::time::Duration,
    /// How long the receiver asks to be left alone (`Retry-After`).
    pub again_in: Option<std::time::Duration>,
}

impl Outcome {
    fn is_taken(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// What became of something told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was taken.
    Taken,
    /// It is told again then.
    Later(DateTime<Utc>),
    /// It is not told any more.
    Failed,
    /// The claim had run out, and somebody else has it.
    Lost,
}

/// What a try led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// For what was told.
    pub fate: Fate,
    /// For the receiver, where it was switched off.
    pub switched_off: Option<Because>,
    /// What the same receiver is told next; nobody else talks to it meanwhile.
    pub next: Option<Claimed>,
}

/// True for a receiver `w` that something is due for at `$1`, and that nobody talks to.
macro_rules! is_due {
    () => {
        "w.disabled_at IS NULL AND (w.claimed_until IS NULL OR w.claimed_until <= $1) AND EXISTS \
         (SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = 'pending' AND d.next_at <= $1)"
    };
}

macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (SELECT w.id FROM webhooks w WHERE ",
            is_due!(),
            " ORDER BY w.id ",
            $lock,
            ") UPDATE webhooks SET claimed_by = $2, claimed_until = $3 WHERE id IN (SELECT id FROM due) RETURNING id"
        )
    };
}

/// How receivers are claimed, where the engines truly differ: on PostgreSQL nodes step over rows that another one is about
/// to claim, by a lock that leaves alone whoever writes down an event for them; on SQLite there is one writer.
const fn claim_sql(is_postgres: bool) -> &'static str {
    if is_postgres {
        claim!("FOR NO KEY UPDATE SKIP LOCKED")
    } else {
        claim!("")
    }
}

/// Takes the receivers that something is due for, each with the first of it; they are this node's for as long as `hold`.
pub async fn claim(db: &Db, _by: &System, hold: Duration) -> Result<Vec<Claimed>, Error> {
    const ANY: &str = concat!("SELECT w.id FROM webhooks w WHERE ", is_due!(), " LIMIT 1");
    // Most of the time nothing is due, and the one writer of SQLite is not asked for nothing.
    let mut conn = db.read().await?;
    let now = conn.now();
    let any: Option<WebhookId> = on!(conn, |c| sqlx::query_scalar(ANY).bind(now).fetch_optional(c).await)?;
    drop(conn);
    if any.is_none() {
        return Ok(Vec::new());
    }
    let (claimed, given_up) = db
        .write(|tx| {
            scoped(async move {
                let (now, sql) = (tx.now(), claim_sql(tx.is_postgres()));
                let claim = uuid::Uuid::now_v7().to_string();
                let webhooks: Vec<WebhookId> = on!(tx, |c| sqlx::query_scalar(sql)
                    .bind(now)
                    .bind(&claim)
                    .bind(now + hold)
                    .fetch_all(c)
                    .await)?;
                let (mut claimed, mut given_up) = (Vec::with_capacity(webhooks.len()), 0);
                for webhook in webhooks {
                    let (first, interrupted) = next(tx, webhook, &claim).await?;
                    given_up += interrupted;
                    match first {
                        Some(first) => claimed.push(first),
                        None => release(tx, webhook, &claim).await?,
                    }
                }
                Ok::<_, Error>((claimed, given_up))
            })
        })
        .await?;
    metrics::counter!("kabinet_webhooks_failed_total").increment(given_up);
    Ok(claimed)
}

#[derive(sqlx::FromRow)]
struct Row {
    url: String,
    secret: Vec<u8>,
    old_secret: Option<Vec<u8>>,
    old_secret_until: Option<DateTime<Utc>>,
    payload: String,
}

/// The next that a receiver is to be told, counted as tried, and how many were given up because nodes stopped over them.
async fn next(tx: &mut Tx, webhook: WebhookId, claim: &str) -> Result<(Option<Claimed>, u64), sqlx::Error> {
    const GIVE_UP: &str = "UPDATE webhook_deliveries SET state = 'failed', next_at = NULL, error = $4 \
        WHERE webhook_id = $1 AND state = 'pending' AND next_at <= $2 AND attempts >= $3";
    const NEXT: &str = "UPDATE webhook_deliveries SET attempts = attempts + 1, tried_at = $2 WHERE id = \
        (SELECT id FROM webhook_deliveries WHERE webhook_id = $1 AND state = 'pending' AND next_at <= $2 \
        ORDER BY next_at, id LIMIT 1) RETURNING id, event_id, attempts";
    const WHAT: &str = "SELECT w.url, w.secret, w.old_secret, w.old_secret_until, e.payload \
        FROM webhooks w, webhook_events e WHERE w.id = $1 AND e.id = $2";
    let now = tx.now();
    let given_up = on!(tx, |c| sqlx::query(GIVE_UP)
        .bind(webhook)
        .bind(now)
        .bind(MAX_ATTEMPTS)
        .bind(INTERRUPTED)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    let found: Option<(DeliveryId, WebhookEventId, i64)> = on!(tx, |c| sqlx::query_as(NEXT)
        .bind(webhook)
        .bind(now)
        .fetch_optional(c)
        .await)?;
    let Some((id, event, attempts)) = found else {
        return Ok((None, given_up));
    };
    let row: Row = on!(tx, |c| sqlx::query_as(WHAT)
        .bind(webhook)
        .bind(event)
        .fetch_one(c)
        .await)?;
    let old = row
        .old_secret
        .filter(|_| row.old_secret_until.is_some_and(|until| now < until));
    let claimed = Claimed {
        id,
        webhook,
        event,
        url: row.url,
        body: row.payload,
        secrets: std::iter::once(row.secret).chain(old).map(Secret::stored).collect(),
        attempts,
        claim: claim.to_owned(),
    };
    Ok((Some(claimed), given_up))
}

async fn release(tx: &mut Tx, webhook: WebhookId, claim: &str) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE webhooks SET claimed_by = NULL, claimed_until = NULL WHERE id = $1 AND claimed_by = $2";
    on!(tx, |c| sqlx::query(SQL)
        .bind(webhook)
        .bind(claim)
        .execute(c)
        .await
        .map(drop))
}

/// Writes down what came of a try, and hands out what the same receiver is told next, for as long as `hold`; without it
/// the receiver is let go.
pub async fn settle(
    db: &Db,
    _by: &System,
    told: &Claimed,
    outcome: &Outcome,
    hold: Option<Duration>,
) -> Result<Settled, Error> {
    const HOLD: &str =
        "UPDATE webhooks SET claimed_until = $3 WHERE id = $1 AND claimed_by = $2 AND disabled_at IS NULL";
    let (settled, given_up) = db
        .write(|tx| {
            scoped(async move {
                let (fate, switched_off) = if outcome.is_taken() {
                    (taken(tx, told, outcome).await?, None)
                } else {
                    not_taken(tx, told, outcome).await?
                };
                let (mut following, mut given_up) = (None, 0);
                if let Some(hold) = hold {
                    let until = tx.now() + hold;
                    let rows = on!(tx, |c| sqlx::query(HOLD)
                        .bind(told.webhook)
                        .bind(&told.claim)
                        .bind(until)
                        .execute(c)
                        .await
                        .map(|done| done.rows_affected()))?;
                    if rows == 1 {
                        (following, given_up) = next(tx, told.webhook, &told.claim).await?;
                    }
                }
                if following.is_none() {
                    release(tx, told.webhook, &told.claim).await?;
                }
                let settled = Settled {
                    fate,
                    switched_off,
                    next: following,
                };
                Ok::<_, Error>((settled, given_up))
            })
        })
        .await?;
    metrics::counter!("kabinet_webhooks_failed_total").increment(given_up);
    match settled.fate {
        Fate::Taken => metrics::counter!("kabinet_webhooks_delivered_total").increment(1),
        Fate::Later(_) => metrics::counter!("kabinet_webhooks_retried_total").increment(1),
        Fate::Failed => metrics::counter!("kabinet_webhooks_failed_total").increment(1),
        Fate::Lost => {}
    }
    Ok(settled)
}

fn milliseconds(outcome: &Outcome) -> i64 {
    i64::try_from(outcome.took.as_millis()).unwrap_or(i64::MAX)
}

async fn taken(tx: &mut Tx, told: &Claimed, outcome: &Outcome) -> Result<Fate, sqlx::Error> {
    // Whoever holds the claim by now: it has arrived.
    const DELIVERY: &str = "UPDATE webhook_deliveries SET state = 'delivered', next_at = NULL, delivered_at = $2, \
        tried_at = $2, status = $3, error = NULL, milliseconds = $4 WHERE id = $1 AND state = 'pending'";
    const WEBHOOK: &str = "UPDATE webhooks SET delivered_at = $2, failing_since = NULL WHERE id = $1";
    let now = tx.now();
    let rows = on!(tx, |c| sqlx::query(DELIVERY)
        .bind(told.id)
        .bind(now)
        .bind(outcome.status.map(i64::from))
        .bind(milliseconds(outcome))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    on!(tx, |c| sqlx::query(WEBHOOK)
        .bind(told.webhook)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    Ok(if rows == 1 { Fate::Taken } else { Fate::Lost })
}

async fn not_taken(tx: &mut Tx, told: &Claimed, outcome: &Outcome) -> Result<(Fate, Option<Because>), sqlx::Error> {
    const DELIVERY: &str = "UPDATE webhook_deliveries SET state = $4, next_at = $5, tried_at = $3, status = $6, \
        error = $7, milliseconds = $8 WHERE id = $1 AND state = 'pending' AND attempts = $2";
    const WEBHOOK: &str = "UPDATE webhooks SET failing_since = COALESCE(failing_since, $2), failed_at = $2, failure = $3 \
        WHERE id = $1 RETURNING failing_since";
    const OFF: &str =
        "UPDATE webhooks SET disabled_at = $2, disabled_because = $3 WHERE id = $1 AND disabled_at IS NULL";
    let now = tx.now();
    let is_gone = outcome.status == Some(GONE);
    let later = pause(told.attempts, rand::random())
        .filter(|_| !is_gone)
        .map(|pause| now + pause.max(asked_for(outcome)));
    let state = if later.is_some() { State::Pending } else { State::Failed };
    let words = short(&outcome.words);
    let rows = on!(tx, |c| sqlx::query(DELIVERY)
        .bind(told.id)
        .bind(told.attempts)
        .bind(now)
        .bind(state)
        .bind(later)
        .bind(outcome.status.map(i64::from))
        .bind(&words)
        .bind(milliseconds(outcome))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        return Ok((Fate::Lost, None));
    }
    let failure = match outcome.status {
        Some(status) => format!("{status} {words}"),
        None => words,
    };
    let since: Option<DateTime<Utc>> = on!(tx, |c| sqlx::query_scalar(WEBHOOK)
        .bind(told.webhook)
        .bind(now)
        .bind(failure.trim())
        .fetch_one(c)
        .await)?;
    let because = if is_gone {
        Some(Because::Gone)
    } else {
        since.filter(|since| *since <= now - PATIENCE).map(|_| Because::Failing)
    };
    let mut switched_off = None;
    if let Some(because) = because {
        let rows = on!(tx, |c| sqlx::query(OFF)
            .bind(told.webhook)
            .bind(now)
            .bind(because)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        switched_off = (rows == 1).then_some(because);
    }
    Ok((later.map_or(Fate::Failed, Fate::Later), switched_off))
}

/// How long to wait after this many tries, a quarter more or less by chance (`chance` from 0 to 1); `None` after the last.
pub fn pause(attempts: i64, chance: f64) -> Option<Duration> {
    let full = PAUSES.get(usize::try_from(attempts - 1).ok()?)?;
    Some(scatter(*full, chance))
}

/// How long the receiver asks to be left alone, as far as it is listened to.
fn asked_for(outcome: &Outcome) -> Duration {
    const MOST: Duration = Duration::hours(24);
    outcome.again_in.map_or(Duration::zero(), |asked| {
        Duration::from_std(asked).unwrap_or(MOST).min(MOST)
    })
}

/// What waits to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Backlog {
    /// How many.
    pub waiting: i64,
    /// Since when the one that has waited longest.
    pub oldest: Option<DateTime<Utc>>,
    /// How many receivers were switched off because they were gone or took nothing.
    pub switched_off: i64,
}

/// What waits for receivers that are on.
pub async fn backlog(conn: &mut Conn, _by: &System) -> Result<Backlog, Error> {
    const SQL: &str = "SELECT COUNT(*) AS waiting, MIN(d.created_at) AS oldest, \
        (SELECT COUNT(*) FROM webhooks o WHERE o.removed_at IS NULL AND o.disabled_because IN ('gone', 'failing')) \
        AS switched_off FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id \
        WHERE d.state = 'pending' AND w.disabled_at IS NULL";
    Ok(on!(conn, |c| sqlx::query_as(SQL).fetch_one(c).await)?)
}

/// How many events one transaction of the sweep takes.
const SWEPT: i64 = 2000;

/// Removes events that are older than the shop keeps them, with what became of them, receivers that were removed, and old
/// secrets that sign no more.
pub async fn sweep(db: &Db, _by: &System) -> Result<(), Error> {
    macro_rules! old {
        () => {
            "(SELECT id FROM webhook_events WHERE at < $1 ORDER BY at, id LIMIT $2)"
        };
    }
    const DELIVERIES: &str = concat!("DELETE FROM webhook_deliveries WHERE event_id IN ", old!());
    const EVENTS: &str = concat!("DELETE FROM webhook_events WHERE id IN ", old!());
    const SECRETS: &str = "UPDATE webhooks SET old_secret = NULL, old_secret_until = NULL WHERE old_secret_until <= $1";
    // Whoever was just writing an event for it has long done so by then.
    const REMOVED: &str = "DELETE FROM webhooks WHERE removed_at < $1 AND NOT EXISTS \
        (SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = webhooks.id)";
    let keep = Duration::days(i64::from(db.shop().webhooks.keep_days));
    loop {
        let swept = db
            .write(|tx| {
                scoped(async move {
                    let now = tx.now();
                    let before = now - keep;
                    on!(tx, |c| sqlx::query(SECRETS).bind(now).execute(c).await.map(drop))?;
                    let mut swept = 0;
                    for sql in [DELIVERIES, EVENTS] {
                        swept = on!(tx, |c| sqlx::query(sql)
                            .bind(before)
                            .bind(SWEPT)
                            .execute(c)
                            .await
                            .map(|done| done.rows_affected()))?;
                    }
                    on!(tx, |c| sqlx::query(REMOVED).bind(before).execute(c).await.map(drop))?;
                    Ok::<_, Error>(swept)
                })
            })
            .await?;
        if swept < SWEPT as u64 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_those_of_the_standard() {
        let hours = |n| pause(n, 0.5).map(|pause| pause.num_seconds() as f64 / 3600.0);
        assert_eq!(pause(1, 0.5), Some(Duration::seconds(5)));
        assert_eq!(pause(2, 0.5), Some(Duration::minutes(5)));
        assert_eq!(
            [3, 4, 5, 6, 7, 8, 9].map(hours),
            [0.5, 2.0, 5.0, 10.0, 14.0, 20.0, 24.0].map(Some)
        );
        assert_eq!(pause(MAX_ATTEMPTS, 0.5), None);
        assert_eq!(pause(0, 0.5), None);
        assert_eq!(pause(2, 0.0), Some(Duration::seconds(225)));
        assert_eq!(pause(2, 1.0), Some(Duration::seconds(375)));
        // Whoever fails from the first try of an event on has had its time when that event is given up.
        assert!(PAUSES.iter().sum::<Duration>() * 3 / 4 < PATIENCE && PAUSES.iter().sum::<Duration>() > PATIENCE);
    }

    #[test]
    fn a_receiver_may_ask_for_a_day_and_no_more() {
        let asks = |seconds| {
            let again_in = Some(std::time::Duration::from_secs(seconds));
            asked_for(&Outcome {
                again_in,
                ..Outcome::default()
            })
        };
        assert_eq!(asks(90), Duration::seconds(90));
        assert_eq!(asks(u64::MAX), Duration::hours(24));
        assert_eq!(asked_for(&Outcome::default()), Duration::zero());
    }
}
