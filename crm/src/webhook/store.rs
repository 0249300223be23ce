//! Receivers of events as staff look after them. Who adds or changes one has proved moments ago who they are: a receiver
//! hears of every purchase.

use super::address::address;
use super::secret::Secret;
use super::{Because, Kind, State, event};
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::Error;
use crate::flaw::{self, Check, Flaw};
use crate::id::{DeliveryId, WebhookId};
use crate::on;
use crate::points::Before;
use crate::staff::Right;
use crate::who::{Fresh, Staff};
use chrono::{DateTime, Duration, Utc};
use sqlx::types::Json;

/// How many receivers there may be: a node talks to all of them at once.
pub const MOST: i64 = 32;
/// For how long the secret until now signs beside a new one.
pub const BOTH_SECRETS: Duration = Duration::hours(24);

/// A receiver as staff enter it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewWebhook {
    /// Its address.
    pub url: String,
    /// What people call it.
    pub description: String,
    /// What it wants to be told of.
    pub events: Vec<Kind>,
}

impl NewWebhook {
    /// The same as it is kept, with what is wrong at `url`, `description` and `events`.
    fn check(&self, db: &Db) -> Result<Self, Error> {
        let mut check = Check::new();
        let url = check.field("url", address(&self.url, &db.shop().webhooks));
        let description = check.field("description", flaw::text(&self.description, 80));
        let events = if self.events.is_empty() {
            Err(Flaw::Missing)
        } else {
            Ok(self.events.clone())
        };
        match (url, description, check.field("events", events)) {
            (Some(url), Some(description), Some(events)) => Ok(Self {
                url,
                description,
                events,
            }),
            _ => Err(Error::Invalid(check.flaws())),
        }
    }

    fn words(&self) -> Json<Vec<&'static str>> {
        Json(self.events.iter().map(|kind| kind.as_str()).collect())
    }
}

/// A receiver, without its secret, which is shown once to who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: WebhookId,
    /// Its address.
    pub url: String,
    /// What people call it.
    pub description: String,
    /// What it wants to be told of.
    pub events: Vec<Kind>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// Since when it is told nothing, and why.
    pub off: Option<(DateTime<Utc>, Because)>,
    /// When it took something last.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Since when it has taken nothing, although it was told something.
    pub failing_since: Option<DateTime<Utc>>,
    /// When it did not take something last, and why in its or our words.
    pub failure: Option<(DateTime<Utc>, String)>,
    /// Until when the secret before this one signs as well.
    pub old_secret_until: Option<DateTime<Utc>>,
    /// How many wait to be told.
    pub waiting: i64,
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    id: WebhookId,
    url: String,
    description: String,
    events: Json<Vec<String>>,
    created_at: DateTime<Utc>,
    disabled_at: Option<DateTime<Utc>>,
    disabled_because: Option<Because>,
    delivered_at: Option<DateTime<Utc>>,
    failing_since: Option<DateTime<Utc>>,
    failed_at: Option<DateTime<Utc>>,
    failure: Option<String>,
    old_secret_until: Option<DateTime<Utc>>,
    waiting: i64,
}

const SELECT: &str = "SELECT w.id, w.url, w.description, w.events, w.created_at, w.disabled_at, w.disabled_because, \
    w.delivered_at, w.failing_since, w.failed_at, w.failure, w.old_secret_until, \
    (SELECT COUNT(*) FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = 'pending') AS waiting \
    FROM webhooks w";

impl EntryRow {
    fn entry(self, now: DateTime<Utc>) -> Entry {
        Entry {
            id: self.id,
            url: self.url,
            description: self.description,
            events: self.events.iter().filter_map(|word| Kind::from_word(word)).collect(),
            created_at: self.created_at,
            off: self.disabled_at.zip(self.disabled_because),
            delivered_at: self.delivered_at,
            failing_since: self.failing_since,
            failure: self.failed_at.zip(self.failure),
            old_secret_until: self.old_secret_until.filter(|until| now < *until),
            waiting: self.waiting,
        }
    }
}

/// Every receiver, the oldest first. That they were looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<Vec<Entry>, Error> {
    by.may(Right::Tills)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "webhook.list", None, None, "").await?;
            let now = tx.now();
            let query = ListQuery::new(SELECT)
                .filter("w.removed_at IS NULL", [])
                .tail("ORDER BY w.created_at, w.id");
            let rows: Vec<EntryRow> = db::list(tx, query).await?;
            Ok(rows.into_iter().map(|row| row.entry(now)).collect())
        })
    })
    .await
}

/// One receiver. That it was looked at is written down. Fails with [`Error::NotFound`].
pub async fn get(db: &Db, by: &Staff, id: WebhookId) -> Result<Entry, Error> {
    by.may(Right::Tills)?;
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let query = ListQuery::new(SELECT)
                .filter("w.id = ?", [Bind::Id(id.0)])
                .filter("w.removed_at IS NULL", []);
            let mut rows: Vec<EntryRow> = db::list(tx, query).await?;
            let entry = rows.pop().ok_or(Error::NotFound)?.entry(now);
            by.record(tx, "webhook.read", None, Some(id.0), "").await?;
            Ok(entry)
        })
    })
    .await
}

/// Adds a receiver and tells its secret, which is not shown again. Fails with flaws at `url`, `description` and `events`;
/// [`Error::Stale`] where there are [`MOST`] already.
pub async fn create(db: &Db, by: &Fresh<'_, Staff>, new: &NewWebhook) -> Result<(WebhookId, Secret), Error> {
    const COUNT: &str = "SELECT COUNT(*) FROM webhooks WHERE removed_at IS NULL";
    const SQL: &str =
        "INSERT INTO webhooks (id, url, description, events, secret, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    by.may(Right::Tills)?;
    let new = &new.check(db)?;
    db.write(|tx| {
        scoped(async move {
            let there: i64 = on!(tx, |c| sqlx::query_scalar(COUNT).fetch_one(c).await)?;
            if there >= MOST {
                return Err(Error::Stale);
            }
            let (id, secret, now) = (WebhookId::new(), Secret::random(), tx.now());
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(&new.url)
                .bind(&new.description)
                .bind(new.words())
                .bind(secret.bytes())
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            by.record(tx, "webhook.create", None, Some(id.0), "").await?;
            Ok((id, secret))
        })
    })
    .await
}

/// [`Error::NotFound`] unless a statement changed a receiver, which is then written down.
async fn changed(tx: &mut Tx, by: &Staff, id: WebhookId, action: &str, rows: u64) -> Result<(), Error> {
    if rows == 0 {
        return Err(Error::NotFound);
    }
    by.record(tx, action, None, Some(id.0), "").await?;
    Ok(())
}

/// Changes address, description and what it wants to be told of. What waits goes to the new address. `seen` is what it said when it
/// was shown: fails with [`Error::Stale`] where it says something else by now, with flaws as [`create`] does, and with
/// [`Error::NotFound`].
pub async fn change(
    db: &Db,
    by: &Fresh<'_, Staff>,
    id: WebhookId,
    seen: &NewWebhook,
    new: &NewWebhook,
) -> Result<(), Error> {
    // Nobody else changes it meanwhile.
    const HOLD: &str = "UPDATE webhooks SET url = url WHERE id = $1 AND removed_at IS NULL \
                        RETURNING url, description, events";
    const SQL: &str = "UPDATE webhooks SET url = $2, description = $3, events = $4, failing_since = NULL \
                       WHERE id = $1 AND removed_at IS NULL";
    by.may(Right::Tills)?;
    let new = &new.check(db)?;
    db.write(|tx| {
        scoped(async move {
            let held: Option<(String, String, Json<Vec<String>>)> =
                on!(tx, |c| sqlx::query_as(HOLD).bind(id).fetch_optional(c).await)?;
            let (url, description, events) = held.ok_or(Error::NotFound)?;
            let events = events.iter().filter_map(|word| Kind::from_word(word)).collect();
            let held = NewWebhook {
                url,
                description,
                events,
            };
            if held != *seen {
                return Err(Error::Stale);
            }
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(&new.url)
                .bind(&new.description)
                .bind(new.words())
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            changed(tx, by, id, "webhook.change", rows).await
        })
    })
    .await
}

/// Pauses a receiver, or tells it again, beginning with what waited. What happens while it is off it is not told of. Fails
/// with [`Error::NotFound`].
pub async fn switch(db: &Db, by: &Fresh<'_, Staff>, id: WebhookId, on: bool) -> Result<(), Error> {
    const SQL: &str = "UPDATE webhooks SET disabled_at = $2, disabled_because = $3, failing_since = NULL \
                       WHERE id = $1 AND removed_at IS NULL";
    by.may(Right::Tills)?;
    db.write(|tx| {
        scoped(async move {
            let off = (!on).then(|| (tx.now(), Because::Paused)).unzip();
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(off.0)
                .bind(off.1)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            let action = if on { "webhook.resume" } else { "webhook.pause" };
            changed(tx, by, id, action, rows).await
        })
    })
    .await
}

/// Removes a receiver, its secret, and what waited for it. Fails with [`Error::NotFound`].
pub async fn remove(db: &Db, by: &Fresh<'_, Staff>, id: WebhookId) -> Result<(), Error> {
    // The row itself stays until the sweep: a purchase may be writing an event for it at this very moment.
    const SQL: &str = "UPDATE webhooks SET removed_at = $2, disabled_at = COALESCE(disabled_at, $2), secret = $3, \
                       old_secret = NULL, old_secret_until = NULL WHERE id = $1 AND removed_at IS NULL";
    const DELIVERIES: &str = "DELETE FROM webhook_deliveries WHERE webhook_id = $1";
    const NOTHING: &[u8] = &[];
    by.may(Right::Tills)?;
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(now)
                .bind(NOTHING)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            on!(tx, |c| sqlx::query(DELIVERIES).bind(id).execute(c).await.map(drop))?;
            changed(tx, by, id, "webhook.remove", rows).await
        })
    })
    .await
}

/// Makes a new secret and tells it; the one until now signs beside it for [`BOTH_SECRETS`]. Fails with
/// [`Error::NotFound`].
pub async fn exchange_secret(db: &Db, by: &Fresh<'_, Staff>, id: WebhookId) -> Result<Secret, Error> {
    const SQL: &str = "UPDATE webhooks SET old_secret = secret, old_secret_until = $2, secret = $3 \
                       WHERE id = $1 AND removed_at IS NULL";
    by.may(Right::Tills)?;
    db.write(|tx| {
        scoped(async move {
            let (secret, until) = (Secret::random(), tx.now() + BOTH_SECRETS);
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(until)
                .bind(secret.bytes())
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            changed(tx, by, id, "webhook.secret", rows).await?;
            Ok(secret)
        })
    })
    .await
}

/// Tells a receiver that it is tried out, by the way of everything else. Fails with [`Error::NotFound`], and with
/// [`Error::Stale`] where it is off.
pub async fn test(db: &Db, by: &Staff, id: WebhookId) -> Result<(), Error> {
    by.may(Right::Tills)?;
    db.write(|tx| {
        scoped(async move {
            if !is_on(tx, id).await? {
                return Err(Error::Stale);
            }
            event::test(tx, id).await?;
            by.record(tx, "webhook.test", None, Some(id.0), "").await?;
            Ok(())
        })
    })
    .await
}

/// Whether a receiver is told anything. Fails with [`Error::NotFound`].
async fn is_on(conn: &mut Conn, id: WebhookId) -> Result<bool, Error> {
    const SQL: &str = "SELECT disabled_at IS NULL FROM webhooks WHERE id = $1 AND removed_at IS NULL";
    let found: Option<bool> = on!(conn, |c| sqlx::query_scalar(SQL).bind(id).fetch_optional(c).await)?;
    found.ok_or(Error::NotFound)
}

/// What became of telling a receiver of one event.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The word of its kind.
    pub kind: String,
    /// How far it has come.
    pub state: State,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next.
    pub next_at: Option<DateTime<Utc>>,
    /// When it was tried last.
    pub tried_at: Option<DateTime<Utc>>,
    /// The status of the last answer.
    pub status: Option<i64>,
    /// What the last answer said, or why there was none.
    pub error: Option<String>,
    /// How long the last try took.
    pub milliseconds: Option<i64>,
    /// When it happened.
    pub created_at: DateTime<Utc>,
}

/// What a receiver was and is to be told, the newest first, those before `before`; of some state, where one is given.
pub async fn deliveries(
    conn: &mut Conn,
    by: &Staff,
    id: WebhookId,
    state: Option<State>,
    before: Option<Before>,
    limit: i64,
) -> Result<Vec<Delivery>, Error> {
    const SELECT: &str = "SELECT d.id, e.kind, d.state, d.attempts, d.next_at, d.tried_at, d.status, d.error, \
        d.milliseconds, d.created_at FROM webhook_deliveries d JOIN webhook_events e ON e.id = d.event_id";
    by.may(Right::Tills)?;
    let mut query = ListQuery::new(SELECT).filter("d.webhook_id = ?", [Bind::Id(id.0)]);
    if let Some(state) = state {
        query = query.filter("d.state = ?", [Bind::Word(state.as_str())]);
    }
    if let Some((at, id)) = before {
        query = query.filter("(d.created_at, d.id) < (?, ?)", [Bind::Time(at), Bind::Id(id)]);
    }
    let query = query.tail("ORDER BY d.created_at DESC, d.id DESC").limit(limit);
    Ok(db::list(conn, query).await?)
}

/// Tells a receiver of one event once more, whatever became of it: as if it had not been tried, or, where it is to be tried
/// again anyway, at once. Fails with [`Error::NotFound`].
pub async fn redeliver(db: &Db, by: &Staff, id: WebhookId, delivery: DeliveryId) -> Result<(), Error> {
    const SQL: &str = "UPDATE webhook_deliveries SET next_at = $3, \
        attempts = CASE WHEN state = 'pending' THEN attempts ELSE 0 END, state = 'pending', delivered_at = NULL \
        WHERE webhook_id = $1 AND id = $2";
    by.may(Right::Tills)?;
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            is_on(tx, id).await?;
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(delivery)
                .bind(now)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::NotFound);
            }
            by.record(tx, "webhook.redeliver", None, Some(delivery.0), "").await?;
            Ok(())
        })
    })
    .await
}

/// The same for everything that happened from `since` on and was not taken; how many there were.
pub async fn redeliver_failed(db: &Db, by: &Staff, id: WebhookId, since: DateTime<Utc>) -> Result<u64, Error> {
    const SQL: &str = "UPDATE webhook_deliveries SET next_at = $3, \
        attempts = CASE WHEN state = 'pending' THEN attempts ELSE 0 END, state = 'pending' \
        WHERE webhook_id = $1 AND created_at >= $2 AND (state = 'failed' OR (state = 'pending' AND attempts > 0))";
    by.may(Right::Tills)?;
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            is_on(tx, id).await?;
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(since)
                .bind(now)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            let reason = format!("{rows} deliveries");
            by.record(tx, "webhook.redeliver", None, Some(id.0), &reason).await?;
            Ok(rows)
        })
    })
    .await
}
