//! Carrying messages, by any number of workers on any number of nodes. A worker claims a few that are due in a short
//! transaction, carries them outside of any, and writes down what came of it. Where a node dies in between, its claim
//! runs out and another one takes the message: it goes at least once, and carriers get its id to tell doubles by.

use super::Channel;
use crate::consent::{Aim, pace, unsubscribe};
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::id::{CustomerId, OutboxId};
use crate::lang::Lang;
use crate::limits::{self, Notice};
use crate::on;
use crate::who::System;
use chrono::{DateTime, Duration, Utc};

/// How often a message is tried: with the pauses of [`pause`], for a day and a half.
pub const MAX_TRIES: i64 = 15;
/// The pause after the first failure, where nobody waits in front of a screen.
const FIRST_PAUSE: Duration = Duration::seconds(30);
/// The same for a code, which is good for minutes.
const FIRST_PAUSE_URGENT: Duration = Duration::seconds(5);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::hours(6);
/// How long a message about safety waits before it asks again whether the budget of text messages has something left.
const BUDGET_PAUSE: Duration = Duration::minutes(10);
/// The error of a message that nobody wants any more.
pub const EXPIRED: &str = "expired";
/// The error of a message that a node stopped over at the last try.
pub const INTERRUPTED: &str = "interrupted";
/// The error of a promotional message that its customer does not want any more.
pub const UNWANTED: &str = "unwanted";
/// The error of a text message to a country that none may go to any more.
pub const CLOSED: &str = "closed";
/// How much of a carrier's words is kept.
const ERROR_LENGTH: usize = 300;

/// What is wrong where a carrier did not take a message. It is written down before the carrier's own words, so that pages can say
/// it in theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The carrier answered, and does not take the message.
    Refused,
    /// Nobody is there, or the line broke.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// The carrier's certificate is not to be trusted.
    Certificate,
    /// The carrier does not let us in.
    SignIn,
}

impl Trouble {
    /// Each of them.
    pub const ALL: [Self; 5] = [
        Self::Refused,
        Self::Unreachable,
        Self::TimedOut,
        Self::Certificate,
        Self::SignIn,
    ];

    /// As it is written down.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Certificate => "certificate",
            Self::SignIn => "sign_in",
        }
    }

    /// What was written down, read back: the trouble, and the carrier's words. Others than carriers name no trouble.
    pub fn read(error: &str) -> Option<(Self, &str)> {
        let (code, words) = error.split_once(": ")?;
        let trouble = Self::ALL.into_iter().find(|one| one.as_str() == code)?;
        Some((trouble, words))
    }
}

/// A message in the hands of one worker.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Claimed {
    /// Its id.
    pub id: OutboxId,
    /// What it travels by.
    pub channel: Channel,
    /// The phone in E.164 or the e-mail address.
    pub address: String,
    /// Its language.
    pub language: Lang,
    /// Its subject, one line.
    pub subject: String,
    /// Its text.
    pub body: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// Of a promotional e-mail: the address by which a mail provider unsubscribes its reader (RFC 8058).
    #[sqlx(skip)]
    pub unsubscribe: Option<String>,
    /// What it is about, where it is promotional, and to whom it goes.
    aim: Option<Aim>,
    waits_for_budget: bool,
    customer_id: Option<CustomerId>,
    expires_at: Option<DateTime<Utc>>,
    masked_body: Option<String>,
    claimed_by: String,
    tries: i64,
}

/// What became of a message that was not carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is tried again then.
    Later(DateTime<Utc>),
    /// It is not tried any more.
    Failed,
    /// The claim had run out, and somebody else has it.
    Lost,
}

/// Takes the secrets out of a message, in an `UPDATE` that knows the time as `$1`.
macro_rules! redact {
    () => {
        "subject = COALESCE(masked_subject, subject), body = COALESCE(masked_body, body), \
         redacted_at = CASE WHEN masked_body IS NULL THEN redacted_at ELSE $1 END, \
         masked_subject = NULL, masked_body = NULL"
    };
}

/// Ends a message's time in the queue, in an `UPDATE`.
macro_rules! leave {
    () => {
        "due_at = NULL, claimed_by = NULL, claimed_until = NULL"
    };
}

/// True for a message that may be claimed at `$1`.
macro_rules! is_free {
    () => {
        "state = 'queued' AND (claimed_until IS NULL OR claimed_until <= $1)"
    };
}

macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (SELECT id FROM outbox WHERE channel = $2 AND due_at <= $1 AND ",
            is_free!(),
            " ORDER BY due_at, id LIMIT $5 ",
            $lock,
            ") UPDATE outbox SET claimed_by = $3, claimed_until = $4, tries = tries + 1 \
             WHERE id IN (SELECT id FROM due) \
             RETURNING id, channel, address, language, subject, body, created_at, aim, waits_for_budget, customer_id, \
             expires_at, masked_body, claimed_by, tries"
        )
    };
}

/// How messages are claimed, where the engines truly differ: on PostgreSQL workers step over rows that another one is
/// about to claim; on SQLite there is one writer, and nobody to step over.
const fn claim_sql(is_postgres: bool) -> &'static str {
    if is_postgres {
        claim!("FOR UPDATE SKIP LOCKED")
    } else {
        claim!("")
    }
}

/// Takes up to `limit` messages of a channel that are due; they are this worker's for as long as `hold`.
pub async fn claim(
    db: &Db,
    by: &System,
    channel: Channel,
    worker: &str,
    hold: Duration,
    limit: i64,
) -> Result<Vec<Claimed>, Error> {
    // Most of the time nothing is due, and the one writer of SQLite is not asked for nothing.
    if !is_due(db, channel).await? {
        return Ok(Vec::new());
    }
    give_up(db, by).await?;
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let sql = claim_sql(tx.is_postgres());
            let claimed: Vec<Claimed> = on!(tx, |c| sqlx::query_as(sql)
                .bind(now)
                .bind(channel)
                .bind(worker)
                .bind(now + hold)
                .bind(limit)
                .fetch_all(c)
                .await)?;
            let mut wanted = Vec::with_capacity(claimed.len());
            for mut message in claimed {
                if !is_wanted(tx, &message).await? {
                    continue;
                }
                if let (Channel::Email, Some((aim, customer))) = (channel, message.aim.zip(message.customer_id)) {
                    message.unsubscribe = Some(unsubscribe::link(tx, customer, aim, channel.of_consent()).await?);
                }
                wanted.push(message);
            }
            Ok(wanted)
        })
    })
    .await
}

/// Lets a text message wait until the budgets of its country and of the day have something left.
pub(crate) async fn wait_for_budget(tx: &mut Tx, id: OutboxId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE outbox SET waits_for_budget = $2, due_at = $3, first_due_at = $3 WHERE id = $1";
    let at = tx.now() + BUDGET_PAUSE;
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(true)
        .bind(at)
        .execute(c)
        .await
        .map(drop))
}

/// Whether a message that was claimed may go now. One about safety may wait for the budget of text messages. A promotional one
/// was written for a time that suited its customer; since then it may have been tried and missed it, and the customer may have
/// thought better of it. It is put back, or given up.
async fn is_wanted(tx: &mut Tx, message: &Claimed) -> Result<bool, Error> {
    const LATER: &str = "UPDATE outbox SET due_at = $1, first_due_at = $1, tries = tries - 1, claimed_by = NULL, \
                         claimed_until = NULL WHERE id = $2";
    const COUNTED: &str = "UPDATE outbox SET waits_for_budget = $1 WHERE id = $2";
    const NEVER: &str = concat!(
        "UPDATE outbox SET state = 'failed', error = $3, ",
        redact!(),
        ", ",
        leave!(),
        " WHERE id = $2"
    );
    let now = tx.now();
    if message.waits_for_budget {
        match limits::notify_now(tx, &message.address).await? {
            Notice::Now => on!(tx, |c| sqlx::query(COUNTED)
                .bind(false)
                .bind(message.id)
                .execute(c)
                .await
                .map(drop))?,
            Notice::Later => {
                on!(tx, |c| sqlx::query(LATER)
                    .bind(now + BUDGET_PAUSE)
                    .bind(message.id)
                    .execute(c)
                    .await
                    .map(drop))?;
                return Ok(false);
            }
            // Its country was closed while it waited.
            Notice::Never => {
                on!(tx, |c| sqlx::query(NEVER)
                    .bind(now)
                    .bind(message.id)
                    .bind(CLOSED)
                    .execute(c)
                    .await
                    .map(drop))?;
                return Ok(false);
            }
        }
    }
    let Some((aim, customer)) = message.aim.zip(message.customer_id) else {
        return Ok(true);
    };
    match pace::decide(tx, customer, aim, message.channel.of_consent(), message.id).await? {
        Some(at) if at <= now => return Ok(true),
        Some(at) => on!(tx, |c| sqlx::query(LATER)
            .bind(at)
            .bind(message.id)
            .execute(c)
            .await
            .map(drop))?,
        None => on!(tx, |c| sqlx::query(NEVER)
            .bind(now)
            .bind(message.id)
            .bind(UNWANTED)
            .execute(c)
            .await
            .map(drop))?,
    }
    Ok(false)
}

async fn is_due(db: &Db, channel: Channel) -> Result<bool, Error> {
    const SQL: &str = concat!(
        "SELECT tries FROM outbox WHERE channel = $2 AND due_at <= $1 AND ",
        is_free!(),
        " LIMIT 1"
    );
    let mut conn = db.read().await?;
    let now = conn.now();
    let found: Option<i64> = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(now)
        .bind(channel)
        .fetch_optional(c)
        .await)?;
    Ok(found.is_some())
}

/// Gives up what nobody wants any more because it has run out, and what a node died over at its last try.
async fn give_up(db: &Db, _by: &System) -> Result<(), Error> {
    const SQL: &str = concat!(
        "UPDATE outbox SET state = 'failed', error = CASE WHEN expires_at <= $1 THEN $3 ELSE $4 END, ",
        redact!(),
        ", ",
        leave!(),
        " WHERE ",
        is_free!(),
        " AND (expires_at <= $1 OR tries >= $2) RETURNING channel"
    );
    let given_up: Vec<Channel> = db
        .write(|tx| {
            scoped(async move {
                let now = tx.now();
                Ok::<_, Error>(on!(tx, |c| sqlx::query_scalar(SQL)
                    .bind(now)
                    .bind(MAX_TRIES)
                    .bind(EXPIRED)
                    .bind(INTERRUPTED)
                    .fetch_all(c)
                    .await)?)
            })
        })
        .await?;
    for channel in given_up {
        count("kabinet_outbox_failed_total", channel);
    }
    Ok(())
}

/// Writes down that a message was carried, and what the carrier calls it; the code in it goes. True unless that was
/// known already.
pub async fn sent(db: &Db, _by: &System, message: &Claimed, reference: Option<&str>) -> Result<bool, Error> {
    // Whoever holds the claim by now: it has gone.
    const SQL: &str = concat!(
        "UPDATE outbox SET state = 'sent', sent_at = $1, error = NULL, reference = $3, ",
        redact!(),
        ", ",
        leave!(),
        " WHERE id = $2 AND state = 'queued'"
    );
    let reference = reference.map(short);
    let reference = reference.as_deref();
    let rows = db
        .write(|tx| {
            scoped(async move {
                let now = tx.now();
                Ok::<_, Error>(on!(tx, |c| sqlx::query(SQL)
                    .bind(now)
                    .bind(message.id)
                    .bind(reference)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))?)
            })
        })
        .await?;
    if rows == 1 {
        count("kabinet_outbox_sent_total", message.channel);
    }
    Ok(rows == 1)
}

/// Writes down why a message was not carried. It is tried again after a pause, unless the failure is permanent, was the
/// last of [`MAX_TRIES`], or the pause would outlast the message.
pub async fn not_sent(
    db: &Db,
    _by: &System,
    message: &Claimed,
    is_permanent: bool,
    error: &str,
) -> Result<Fate, Error> {
    const LATER: &str = "UPDATE outbox SET error = $2, due_at = $1, claimed_by = NULL, claimed_until = NULL \
                         WHERE id = $3 AND state = 'queued' AND claimed_by = $4 AND tries = $5";
    const NEVER: &str = concat!(
        "UPDATE outbox SET state = 'failed', error = $2, ",
        redact!(),
        ", ",
        leave!(),
        " WHERE id = $3 AND state = 'queued' AND claimed_by = $4 AND tries = $5"
    );
    let due_at = db.now() + pause(message.tries, message.expires_at.is_some(), rand::random());
    let is_over = is_permanent || message.tries >= MAX_TRIES || message.expires_at.is_some_and(|end| end <= due_at);
    let error = &without_secrets(error, &message.body, message.masked_body.as_deref());
    let rows = db
        .write(|tx| {
            scoped(async move {
                let (sql, at) = if is_over { (NEVER, tx.now()) } else { (LATER, due_at) };
                Ok::<_, Error>(on!(tx, |c| sqlx::query(sql)
                    .bind(at)
                    .bind(error)
                    .bind(message.id)
                    .bind(&message.claimed_by)
                    .bind(message.tries)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))?)
            })
        })
        .await?;
    Ok(match (rows, is_over) {
        (0, _) => Fate::Lost,
        (_, true) => {
            count("kabinet_outbox_failed_total", message.channel);
            Fate::Failed
        }
        (_, false) => {
            count("kabinet_outbox_retried_total", message.channel);
            Fate::Later(due_at)
        }
    })
}

/// What a carrier tells later of a message that it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the carrier calls the message, or our own id of it where the carrier keeps that.
    pub reference: String,
    /// Why it did not arrive; none: it has arrived.
    pub failure: Option<String>,
}

/// Writes down what a carrier reports, in any order and however often: what has arrived stays so, and of failures the
/// first counts. Gives back the reports of messages that nobody knows to have gone.
pub async fn reported(db: &Db, _by: &System, channel: Channel, reports: &[Report]) -> Result<Vec<Report>, Error> {
    // A message that is sent again is another one to the carrier, so what is queued is not meant.
    const GONE: &str = "SELECT id FROM outbox \
                        WHERE channel = $1 AND sent_at IS NOT NULL AND (reference = $2 OR id = $3)";
    const ARRIVED: &str = "UPDATE outbox SET state = 'sent', error = NULL, delivered_at = $1, undelivered_at = NULL \
                           WHERE id = $2 AND sent_at IS NOT NULL AND delivered_at IS NULL";
    const FAILED: &str = "UPDATE outbox SET state = 'failed', error = $3, undelivered_at = $1 \
                          WHERE id = $2 AND state = 'sent' AND delivered_at IS NULL";
    let (mut gone, mut unknown) = (Vec::new(), Vec::new());
    // Strangers' ids are no reason to ask for the one writer of SQLite.
    let mut conn = db.read().await?;
    for report in reports {
        let (reference, own) = (short(&report.reference), report.reference.parse::<OutboxId>().ok());
        let found: Vec<OutboxId> = on!(conn, |c| sqlx::query_scalar(GONE)
            .bind(channel)
            .bind(&reference)
            .bind(own)
            .fetch_all(c)
            .await)?;
        if found.is_empty() {
            unknown.push(report.clone());
        }
        let failure = report.failure.as_deref().map(short);
        gone.extend(found.into_iter().map(|id| (id, failure.clone())));
    }
    drop(conn);
    if gone.is_empty() {
        return Ok(unknown);
    }
    // Nodes that are told of the same messages take them in the same order.
    gone.sort_by_key(|(id, _)| *id);
    let gone = &gone;
    let (arrived, failed): (u64, u64) = db
        .write(|tx| {
            scoped(async move {
                let (now, mut arrived, mut failed) = (tx.now(), 0, 0);
                for (id, failure) in gone {
                    match failure {
                        None => {
                            arrived += on!(tx, |c| sqlx::query(ARRIVED)
                                .bind(now)
                                .bind(*id)
                                .execute(c)
                                .await
                                .map(|done| done.rows_affected()))?;
                        }
                        Some(words) => {
                            failed += on!(tx, |c| sqlx::query(FAILED)
                                .bind(now)
                                .bind(*id)
                                .bind(words)
                                .execute(c)
                                .await
                                .map(|done| done.rows_affected()))?;
                        }
                    }
                }
                Ok::<_, Error>((arrived, failed))
            })
        })
        .await?;
    metrics::counter!("kabinet_outbox_delivered_total", "channel" => channel.as_str()).increment(arrived);
    metrics::counter!("kabinet_outbox_undelivered_total", "channel" => channel.as_str()).increment(failed);
    Ok(unknown)
}

/// Takes out of all messages the codes that have run out, wherever the message is: those that went to the development
/// inbox, and those that wait for a transport.
pub async fn sweep(db: &Db, by: &System) -> Result<(), Error> {
    const SQL: &str = concat!(
        "UPDATE outbox SET ",
        redact!(),
        " WHERE masked_body IS NOT NULL AND expires_at <= $1 AND state <> 'queued'"
    );
    give_up(db, by).await?;
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            on!(tx, |c| sqlx::query(SQL).bind(now).execute(c).await.map(drop))?;
            Ok(())
        })
    })
    .await
}

/// Removes messages that went longer ago than the shop keeps them, and dead letters that were written longer ago: it took
/// two days at most to give them up. The whole row goes, for without address and words it says nothing.
pub async fn forget(db: &Db, _by: &System) -> Result<(), Error> {
    // None went before it was written, so the index of what was written finds them.
    const SQL: &str = "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE created_at < $1 AND state <> 'queued' \
                       AND COALESCE(sent_at, created_at) < $1 ORDER BY created_at, id LIMIT $2)";
    let keep = Duration::days(i64::from(db.shop().messages.keep_days));
    db::sweep(db, SQL, db.now() - keep).await
}

/// What waits in the queue.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Backlog {
    /// By this.
    pub channel: Channel,
    /// How many.
    pub waiting: i64,
    /// Since when one of them could have gone; later than now where all wait for their hour.
    pub due_since: DateTime<Utc>,
}

/// Since when a message could have gone, in SQL. Tries that failed leave it as it is; quiet hours and budgets, which are
/// nobody's fault, move it. A node of a version before that knew nothing of it may have written the message.
macro_rules! due_since {
    () => {
        "MIN(COALESCE(first_due_at, created_at))"
    };
}
pub(crate) use due_since;

/// What waits, by channel; a channel without a queue is not there.
pub async fn backlog(conn: &mut Conn, _by: &System) -> Result<Vec<Backlog>, Error> {
    const SQL: &str = concat!(
        "SELECT channel, COUNT(*) AS waiting, ",
        due_since!(),
        " AS due_since FROM outbox WHERE state = 'queued' GROUP BY channel ORDER BY channel"
    );
    Ok(on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?)
}

/// Queues a message once more, as if it had not been tried: what a carrier still says of the last time is not about it.
/// True unless it is not among the dead letters, or its code was taken out.
pub(super) async fn queue_again(tx: &mut Tx, id: OutboxId) -> Result<bool, sqlx::Error> {
    const SQL: &str = "UPDATE outbox SET state = 'queued', tries = 0, due_at = $1, first_due_at = $1, sent_at = NULL, \
                       reference = NULL, undelivered_at = NULL \
                       WHERE id = $2 AND state = 'failed' AND redacted_at IS NULL";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(now)
        .bind(id)
        .execute(c)
        .await
        .map(|done| done.rows_affected() == 1))
}

fn count(name: &'static str, channel: Channel) {
    metrics::counter!(name, "channel" => channel.as_str()).increment(1);
}

/// How long to wait after this many tries: twice as long each time, and a quarter more or less by chance (`chance` from
/// 0 to 1), so that what failed together does not come back together.
pub fn pause(tries: i64, is_urgent: bool, chance: f64) -> Duration {
    let first = if is_urgent { FIRST_PAUSE_URGENT } else { FIRST_PAUSE };
    let doublings = (tries - 1).clamp(0, 20);
    scatter((first * (1 << doublings)).min(LONGEST_PAUSE), chance)
}

/// A pause that is a quarter longer or shorter by chance (`chance` from 0 to 1).
pub(crate) fn scatter(full: Duration, chance: f64) -> Duration {
    let milliseconds = full.num_milliseconds() as f64 * (0.75 + 0.5 * chance);
    Duration::milliseconds(milliseconds as i64)
}

/// A carrier's words without what the message keeps secret: a gateway may repeat what it was sent.
fn without_secrets(words: &str, body: &str, masked: Option<&str>) -> String {
    let mut words = words.to_owned();
    if let Some(masked) = masked {
        // What stands in the text and not in its masked form is the code or link.
        let parts = |text: &str| -> Vec<String> {
            text.split(|c: char| c.is_whitespace() || "«»\"'()<>,;".contains(c))
                .map(|part| part.trim_matches(['.', ':', '!', '?']).to_owned())
                .filter(|part| !part.is_empty())
                .collect()
        };
        let harmless = parts(masked);
        for secret in parts(body).iter().filter(|part| !harmless.contains(part)) {
            words = words.replace(secret.as_str(), super::MASK);
        }
    }
    short(&words)
}

/// One line of a length that a table bears.
pub(crate) fn short(words: &str) -> String {
    let words: String = words.chars().take(ERROR_LENGTH).collect();
    words.replace(char::is_control, " ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        let middle = |tries, urgent| pause(tries, urgent, 0.5).num_seconds();
        assert_eq!([1, 2, 3, 4].map(|n| middle(n, false)), [30, 60, 120, 240]);
        assert_eq!([1, 2, 3, 4].map(|n| middle(n, true)), [5, 10, 20, 40]);
        assert_eq!(middle(MAX_TRIES, false), LONGEST_PAUSE.num_seconds());
        assert_eq!(middle(i64::MAX, false), LONGEST_PAUSE.num_seconds());
        assert_eq!(pause(1, false, 0.0), Duration::milliseconds(22_500));
        assert_eq!(pause(1, false, 1.0), Duration::milliseconds(37_500));
    }

    #[test]
    fn a_carrier_that_repeats_the_code_is_not_quoted() {
        let (body, masked) = (
            "Код 123456. Никому его не говорите.",
            "Код ••••••. Никому его не говорите.",
        );
        let told = without_secrets("rejected text 'Код 123456.'\r\nspam", body, Some(masked));
        assert_eq!(told, "rejected text 'Код ••••••.'  spam");
        let link = "Откройте https://club.example.com/x?t=abc";
        let told = without_secrets("bad https://club.example.com/x?t=abc", link, Some("Откройте ••••••"));
        assert_eq!(told, "bad ••••••");
        assert_eq!(without_secrets("no such mailbox", body, None), "no such mailbox");
        assert_eq!(without_secrets(&"x".repeat(1000), body, None).len(), ERROR_LENGTH);
    }
}
