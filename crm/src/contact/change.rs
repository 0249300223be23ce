//! Another phone becomes the main one, and slowly: who has stolen a session, or was lent a phone for a minute, should not
//! have the number by the time its owner has read a message.
//!
//! Until the waiting is over the number until now stays the main one. Every other proved contact is told at once, with a link
//! that calls the change off without a sign-in; so does any open session, and staff. Meanwhile, and as long again after the
//! change, points are neither reserved nor given away ([`frozen`]); what is bought earns as ever. Nothing makes it faster,
//! and nobody has to have the number until now for it to happen.

use super::{Contact, Kind, show_phone, store as contacts};
use crate::audit::{self, Actor};
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw;
use crate::id::{CustomerId, NumberChangeId};
use crate::limits;
use crate::on;
use crate::signin::notice;
use crate::staff::Right;
use crate::staff::store::REASON_MAX;
use crate::who::{Customer, Fresh, Reason, Staff, Subject, System, Token, Visitor};
use crate::work::Round;
use chrono::{DateTime, Duration, Utc};

/// How often one customer may begin a change within an hour: each time messages go to all contacts.
const PER_HOUR: u32 = 3;
/// How many characters the token of a link has.
const TOKEN: usize = 43;

/// A change that is on its way.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct NumberChange {
    /// Its id.
    pub id: NumberChangeId,
    /// The number that becomes the main one.
    pub phone: String,
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
    /// When it happens.
    pub due_at: DateTime<Utc>,
}

/// The change that is on its way.
pub async fn of(conn: &mut Conn, subject: Subject) -> Result<Option<NumberChange>, Error> {
    Ok(live(conn, subject.id()).await?)
}

async fn live(conn: &mut Conn, customer: CustomerId) -> Result<Option<NumberChange>, sqlx::Error> {
    const SQL: &str = "SELECT id, phone, asked_at, due_at FROM number_changes WHERE customer_id = $1 AND done_at IS NULL \
                       AND cancelled_at IS NULL";
    on!(conn, |c| sqlx::query_as(SQL).bind(customer).fetch_optional(c).await)
}

/// Until when the customer's points are not to be spent; `None` when they are. While a change is on its way it is only
/// reckoned, for the work that completes it may be late.
pub async fn frozen(conn: &mut Conn, subject: Subject) -> Result<Option<DateTime<Utc>>, Error> {
    Ok(frozen_by_change(conn, subject.id()).await?)
}

/// The same within the crate.
pub(crate) async fn frozen_by_change(
    conn: &mut Conn,
    customer: CustomerId,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    const SQL: &str = "SELECT frozen_until FROM number_changes WHERE customer_id = $1 AND cancelled_at IS NULL \
                       AND (done_at IS NULL OR frozen_until > $2) ORDER BY frozen_until DESC LIMIT 1";
    let now = conn.now();
    on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(customer)
        .bind(now)
        .fetch_optional(c)
        .await)
}

/// For who moves the points: until when they are not to be spent, because of a change, of another account that has just gone
/// into this one, or of staff who stopped it ([`crate::fraud::stop`]).
pub(crate) async fn frozen_until(conn: &mut Conn, customer: CustomerId) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    const SQL: &str = "SELECT f.frozen_until FROM (SELECT frozen_until FROM number_changes WHERE customer_id = $1 \
                       AND cancelled_at IS NULL AND (done_at IS NULL OR frozen_until > $2) \
                       UNION ALL SELECT frozen_until FROM merges WHERE kept_id = $1 AND undone_at IS NULL \
                       AND frozen_until > $2 \
                       UNION ALL SELECT ends_at FROM spending_stops WHERE customer_id = $1 AND lifted_at IS NULL \
                       AND ends_at > $2) f ORDER BY f.frozen_until DESC LIMIT 1";
    let now = conn.now();
    on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(customer)
        .bind(now)
        .fetch_optional(c)
        .await)
}

/// Begins a change from one proved phone to another; when it happens. Asked for once more it is the same, and no sooner.
/// [`Error::Stale`] while another number is on its way, [`Error::TooMany`] too where the number until now would not hear of it.
pub(super) async fn begin(
    tx: &mut Tx,
    by: &Customer,
    (from, to): (&Contact, &Contact),
    wait: Duration,
) -> Result<DateTime<Utc>, Error> {
    const SQL: &str = "INSERT INTO number_changes (id, customer_id, phone, link_hash, asked_at, due_at, frozen_until) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let (id, token, now) = (NumberChangeId::new(), Token::random(), tx.now());
    let due_at = now + wait;
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(by.id())
        .bind(&to.value)
        .bind(token.hash())
        .bind(now)
        .bind(due_at)
        .bind(due_at + wait)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        let known = live(tx, by.id()).await?.filter(|known| known.phone == to.value);
        return Ok(known.ok_or(Error::Stale)?.due_at);
    }
    // Somebody may have used up the messages to that number, or all of them, so that this one would not come: the waiting
    // begins when it is told of.
    if limits::hears_no_more(tx, &from.value).await?
        || !limits::take(tx, &format!("number_change:{}", by.id()), PER_HOUR).await?
    {
        return Err(Error::TooMany { retry_after: 3600 });
    }
    by.record(tx, "number.begin", Some(id.0)).await?;
    let hours = wait.num_hours().to_string();
    let link = format!("{}/number-change/{}", tx.shop().url, token.secret());
    let phone = show_phone(&to.value);
    let values = [("hours", hours.as_str()), ("phone", &phone), ("link", &link)];
    for contact in contacts::verified(tx, by.id()).await? {
        if contact.id != to.id {
            notice::send_to(tx, by.id(), (contact.kind, &contact.value), "number_begun", &values).await?;
        }
    }
    Ok(due_at)
}

/// Calls the change off, from any session of the customer. [`Error::NotFound`] when there is none.
pub async fn cancel(db: &Db, by: &Customer) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            let id = end(tx, by.id()).await?.ok_or(Error::NotFound)?;
            by.record(tx, "number.cancel", Some(id.0)).await?;
            notice::send(tx, by.id(), "number_kept", &[]).await
        })
    })
    .await
}

/// The same by staff, who say why. Field: `reason`. [`Error::Stale`] when there is none any more.
pub async fn stop(db: &Db, by: &Fresh<'_, Staff>, customer: CustomerId, reason: &str) -> Result<(), Error> {
    by.may(Right::Customers)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, customer, Reason::Card).await?;
            let id = end(tx, customer).await?.ok_or(Error::Stale)?;
            by.record(tx, "number.stop", Some(customer), Some(id.0), reason).await?;
            notice::send(tx, customer, "number_kept", &[]).await
        })
    })
    .await
}

/// The same by the link that the other contacts were sent, once. [`Error::NotFound`] for what is no such link,
/// [`Error::Stale`] when there is nothing to call off any more.
pub async fn cancel_by_link(db: &Db, link: &str, visitor: &Visitor) -> Result<(), Error> {
    const SQL: &str = "UPDATE number_changes SET cancelled_at = $2 WHERE link_hash = $1 AND done_at IS NULL \
                       AND cancelled_at IS NULL RETURNING customer_id";
    const KNOWN: &str = "SELECT customer_id FROM number_changes WHERE link_hash = $1";
    if !is_link(link) {
        return Err(Error::NotFound);
    }
    let hash = &Token::received(link).hash();
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let known: Option<CustomerId> = on!(tx, |c| sqlx::query_scalar(KNOWN).bind(hash).fetch_optional(c).await)?;
            known.ok_or(Error::NotFound)?;
            let customer: Option<CustomerId> = on!(tx, |c| sqlx::query_scalar(SQL)
                .bind(hash)
                .bind(now)
                .fetch_optional(c)
                .await)?;
            let customer = customer.ok_or(Error::Stale)?;
            audit::without_session(tx, Actor::Customer, customer, "number.cancel", "link", visitor).await?;
            notice::send(tx, customer, "number_kept", &[]).await
        })
    })
    .await
}

/// Whether a text looks like the end of such a link; whether it is one, nobody is told before it is used.
pub fn is_link(link: &str) -> bool {
    link.len() == TOKEN
        && link
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// A number was removed. If it was to become the main one, nothing is left to wait for: tells so, and which change ended.
pub(super) async fn removed(tx: &mut Tx, customer: CustomerId, phone: &str) -> Result<Option<NumberChangeId>, Error> {
    let is_it = live(tx, customer).await?.is_some_and(|known| known.phone == phone);
    if !is_it {
        return Ok(None);
    }
    let ended = end(tx, customer).await?;
    if ended.is_some() {
        notice::send(tx, customer, "number_kept", &[]).await?;
    }
    Ok(ended)
}

/// Ends the change that is on its way; which it was.
async fn end(tx: &mut Tx, customer: CustomerId) -> Result<Option<NumberChangeId>, sqlx::Error> {
    const SQL: &str = "UPDATE number_changes SET cancelled_at = $2 WHERE customer_id = $1 AND done_at IS NULL \
                       AND cancelled_at IS NULL RETURNING id";
    let now = tx.now();
    on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(customer)
        .bind(now)
        .fetch_optional(c)
        .await)
}

/// Completes the changes whose time has come; how many.
pub async fn run_due(db: &Db, by: &System) -> Result<u64, Error> {
    const SQL: &str = "SELECT id FROM number_changes WHERE done_at IS NULL AND cancelled_at IS NULL AND due_at <= $1 \
                       ORDER BY due_at, id";
    let mut conn = db.read().await?;
    let now = conn.now();
    let due: Vec<NumberChangeId> = on!(conn, |c| sqlx::query_scalar(SQL).bind(now).fetch_all(c).await)?;
    drop(conn);
    let (mut done, mut round) = (0, Round::default());
    for id in due {
        let changed = db.write(|tx| scoped(carry_out(tx, by, id))).await;
        done += u64::from(round.took(changed) == Some(true));
    }
    round.end()?;
    Ok(done)
}

/// Completes one; false when it was called off meanwhile, or another node was faster. Points stay frozen from now on, however
/// late it is.
async fn carry_out(tx: &mut Tx, by: &System, id: NumberChangeId) -> Result<bool, Error> {
    const DONE: &str = "UPDATE number_changes SET done_at = $2, frozen_until = $3 WHERE id = $1 AND done_at IS NULL \
                        AND cancelled_at IS NULL RETURNING customer_id, phone";
    let now = tx.now();
    let frozen_until = now + tx.shop().number_change_wait();
    let row: Option<(CustomerId, String)> = on!(tx, |c| sqlx::query_as(DONE)
        .bind(id)
        .bind(now)
        .bind(frozen_until)
        .fetch_optional(c)
        .await)?;
    let Some((customer, phone)) = row else { return Ok(false) };
    let all = contacts::of(tx, by.subject(customer)).await?;
    // Whoever removes the number calls the change off, so it is there.
    let Some(contact) = all.iter().find(|c| c.kind == Kind::Phone && c.value == phone) else {
        return Ok(false);
    };
    contacts::put_first(tx, customer, &all, contact).await?;
    notice::send_to(tx, customer, (Kind::Phone, &phone), "number_changed", &[]).await?;
    audit::without_session(tx, Actor::System, customer, "number.done", "", &Visitor::default()).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_as_long_as_tokens() {
        let token = Token::random();
        assert!(is_link(token.secret()));
        for none in [
            "",
            "x",
            &token.secret()[1..],
            &format!("{}x", token.secret()),
            &"/".repeat(TOKEN),
        ] {
            assert!(!is_link(none), "{none}");
        }
    }
}
