//! The way for a customer who has lost the app and the recovery codes: support removes the second factor, after a proof
//! and a wait (ASVS 5.0, 6.4.4).
//!
//! Whoever asks has just given a one-time code that went to a verified contact, in an attempt that stops at the second
//! factor. Staff who have made sure of them grant it, and three days later it is gone. Each time every verified contact is
//! told, and from each of them, as from any open session, it can be called off; so it is when the second factor is given.

use super::store::{clear, has_second, hold};
use super::{Known, Owner};
use crate::audit::{self, Actor};
use crate::contact::store as contacts;
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw;
use crate::id::{CustomerId, RemovalId};
use crate::limits;
use crate::on;
use crate::signin::attempts::{self, AttemptRow, Purpose};
use crate::signin::codes::code_key;
use crate::signin::notice;
use crate::staff::Right;
use crate::staff::store::REASON_MAX;
use crate::who::{Customer, Fresh, Reason, Staff, Subject, System, Token, Visitor};
use crate::work::Round;
use chrono::{DateTime, Duration, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How long it takes from the word of staff until the second factor is gone: long enough to read a message on a journey.
pub const WAIT: Duration = Duration::hours(72);
/// How long somebody who asked may take to come to the staff.
pub const ASKED_FOR: Duration = Duration::days(14);
/// How often one customer may ask within an hour: each time messages go to all contacts.
const PER_HOUR: u32 = 3;

/// A removal that is asked for or on its way.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Removal {
    /// Its id.
    pub id: RemovalId,
    /// When the customer asked for it.
    pub asked_at: DateTime<Utc>,
    /// When the second factor goes; `None` while no member of staff has granted it.
    pub due_at: Option<DateTime<Utc>>,
}

/// The removal that is asked for or on its way.
pub async fn of(conn: &mut Conn, subject: Subject) -> Result<Option<Removal>, Error> {
    Ok(live(conn, subject.id()).await?)
}

async fn live(conn: &mut Conn, customer: CustomerId) -> Result<Option<Removal>, sqlx::Error> {
    const SQL: &str = "SELECT id, asked_at, due_at FROM factor_removals WHERE customer_id = $1 AND ended_at IS NULL \
                       AND (due_at IS NOT NULL OR asked_at > $2) ORDER BY asked_at DESC LIMIT 1";
    let since = conn.now() - ASKED_FOR;
    on!(conn, |c| sqlx::query_as(SQL)
        .bind(customer)
        .bind(since)
        .fetch_optional(c)
        .await)
}

/// Whom an attempt is of that a code to a verified contact has brought to the second factor; else [`Error::Forbidden`].
fn proved(attempt: &AttemptRow) -> Result<CustomerId, Error> {
    let customer = attempt.customer_id.ok_or(Error::Stale)?;
    match attempt.way.as_str() {
        "code" | "email" => Ok(customer),
        _ => Err(Error::Forbidden),
    }
}

/// Whether the removal may be asked for in the attempt of this browser.
pub async fn may_ask(db: &Db, token: &Token) -> Result<bool, Error> {
    let attempt = attempts::row(&mut db.read().await?, token, Purpose::SignIn).await?;
    Ok(proved(&attempt).is_ok())
}

/// Asks for the removal, in an attempt that stops at the second factor. [`Error::Forbidden`] where no one-time code was
/// given in it. A second time changes nothing.
pub async fn ask(db: &Db, token: &Token, visitor: &Visitor) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO factor_removals (id, customer_id, asked_at) VALUES ($1, $2, $3)";
    db.write(|tx| {
        scoped(async move {
            let attempt = attempts::row(tx, token, Purpose::SignIn).await?;
            let customer = proved(&attempt)?;
            hold(tx, Owner::Customer(customer)).await?;
            if !has_second(tx, Owner::Customer(customer)).await? {
                return Err(Error::Stale);
            }
            if live(tx, customer).await?.is_some() {
                return Ok(());
            }
            if !limits::take(tx, &format!("removal:{customer}"), PER_HOUR).await? {
                return Err(Error::TooMany { retry_after: 3600 });
            }
            let (id, now) = (RemovalId::new(), tx.now());
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(customer)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            audit::without_session(tx, Actor::Customer, customer, "removal.ask", &attempt.way, visitor).await?;
            tell(tx, customer, Some(id), "removal_asked", ASKED_FOR).await
        })
    })
    .await
}

/// Grants the removal to a customer whom a member of staff knows to be who they say; it takes effect after [`WAIT`].
/// Field: `reason`, how they made sure. [`Error::Stale`] when nobody asked, or it was granted already.
pub async fn grant(db: &Db, by: &Fresh<'_, Staff>, customer: CustomerId, reason: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE factor_removals SET due_at = $2, staff_id = $3 WHERE id = $1 AND due_at IS NULL \
                       AND ended_at IS NULL";
    by.may(Right::Customers)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, customer, Reason::Card).await?;
            hold(tx, Owner::Customer(customer)).await?;
            let asked = live(tx, customer).await?.ok_or(Error::Stale)?;
            let due_at = tx.now() + WAIT;
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(asked.id)
                .bind(due_at)
                .bind(by.id())
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::Stale);
            }
            by.record(tx, "removal.grant", Some(customer), Some(asked.id.0), reason)
                .await?;
            tell(tx, customer, Some(asked.id), "removal_granted", WAIT).await
        })
    })
    .await
}

/// Calls the removal off, from any session of the customer. [`Error::NotFound`] when there is none.
pub async fn cancel(db: &Db, by: &Customer) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            if end(tx, by.id()).await? == 0 {
                return Err(Error::NotFound);
            }
            Ok(Known::Customer(by).record(tx, "removal.cancel", None).await?)
        })
    })
    .await
}

/// Calls the removal off by the link that every contact was sent. [`Error::NotFound`] for what is no such link,
/// [`Error::Stale`] when there is nothing to call off any more.
pub async fn cancel_by_link(db: &Db, link: &str, visitor: &Visitor) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE factor_removals SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL RETURNING customer_id";
    let (id, mark) = read_link(link).ok_or(Error::NotFound)?;
    db.write(|tx| {
        scoped(async move {
            let expected = mark_of(&code_key(tx).await?, id);
            if !bool::from(expected.as_bytes().ct_eq(mark.as_bytes())) {
                return Err(Error::NotFound);
            }
            let now = tx.now();
            let customer: Option<CustomerId> = on!(tx, |c| sqlx::query_scalar(SQL)
                .bind(id)
                .bind(now)
                .fetch_optional(c)
                .await)?;
            let customer = customer.ok_or(Error::Stale)?;
            Ok(audit::without_session(tx, Actor::Customer, customer, "removal.cancel", "link", visitor).await?)
        })
    })
    .await
}

/// Whether a text looks like the end of such a link; whether it is one, nobody is told before it is used.
pub fn is_link(link: &str) -> bool {
    read_link(link).is_some()
}

fn read_link(link: &str) -> Option<(RemovalId, &str)> {
    let (id, mark) = link.split_once('_')?;
    let is_mark = mark.len() == 64 && mark.bytes().all(|b| b.is_ascii_hexdigit());
    Some((id.parse().ok()?, mark)).filter(|_| is_mark)
}

/// What makes a link one of ours: nothing of it is stored.
fn mark_of(key: &[u8], id: RemovalId) -> String {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    mac.update(b"removal ");
    mac.update(id.0.as_bytes());
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Ends what is asked for or on its way; how many there were.
async fn end(tx: &mut Tx, customer: CustomerId) -> Result<u64, sqlx::Error> {
    const SQL: &str = "UPDATE factor_removals SET ended_at = $2 WHERE customer_id = $1 AND ended_at IS NULL";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(customer)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
}

/// The second factor was given, or its owner removed it: there is nothing left to remove for them.
pub(crate) async fn settle(tx: &mut Tx, customer: CustomerId, visitor: &Visitor) -> Result<(), sqlx::Error> {
    if end(tx, customer).await? > 0 {
        audit::without_session(tx, Actor::Customer, customer, "removal.cancel", "second", visitor).await?;
    }
    Ok(())
}

/// Removes the second factors whose time has come; how many.
pub async fn run_due(db: &Db, by: &System) -> Result<u64, Error> {
    const SQL: &str =
        "SELECT id, customer_id FROM factor_removals WHERE ended_at IS NULL AND due_at <= $1 ORDER BY due_at";
    let mut conn = db.read().await?;
    let now = conn.now();
    let due: Vec<(RemovalId, CustomerId)> = on!(conn, |c| sqlx::query_as(SQL).bind(now).fetch_all(c).await)?;
    drop(conn);
    let (mut done, mut round) = (0, Round::default());
    for (id, customer) in due {
        let removed = carry_out(db, by, id, customer).await;
        done += u64::from(round.took(removed) == Some(true));
    }
    round.end()?;
    Ok(done)
}

/// Removes one; false when it was called off meanwhile, or another node was faster.
async fn carry_out(db: &Db, _by: &System, id: RemovalId, customer: CustomerId) -> Result<bool, Error> {
    const END: &str = "UPDATE factor_removals SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    const PASSWORD: &str = "UPDATE customers SET password_hash = NULL, password_short = $2 WHERE id = $1";
    db.write(|tx| {
        scoped(async move {
            let (owner, now) = (Owner::Customer(customer), tx.now());
            let password_short = hold(tx, owner).await?;
            let rows = on!(tx, |c| sqlx::query(END)
                .bind(id)
                .bind(now)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Ok(false);
            }
            for kind in ["totp", "recovery"] {
                for is_confirmed in [true, false] {
                    clear(tx, owner, kind, is_confirmed).await?;
                }
            }
            // A password that was short beside the second factor does not open by itself.
            if password_short {
                on!(tx, |c| sqlx::query(PASSWORD)
                    .bind(customer)
                    .bind(false)
                    .execute(c)
                    .await
                    .map(drop))?;
            }
            audit::without_session(tx, Actor::System, customer, "removal.done", "", &Visitor::default()).await?;
            tell(tx, customer, None, "removal_done", WAIT).await?;
            Ok(true)
        })
    })
    .await
}

/// Tells every verified contact, with the link that calls it off where there is something to call off.
async fn tell(
    tx: &mut Tx,
    customer: CustomerId,
    removal: Option<RemovalId>,
    template: &str,
    life: Duration,
) -> Result<(), Error> {
    let hours = life.num_hours().to_string();
    let link = match removal {
        Some(id) => {
            let mark = mark_of(&code_key(tx).await?, id);
            format!("{}/second-step/{id}_{mark}", tx.shop().url)
        }
        None => String::new(),
    };
    let mut values = vec![("hours", hours.as_str())];
    if removal.is_some() {
        values.push(("link", &link));
    }
    for contact in contacts::verified(tx, customer).await? {
        notice::send_to(tx, customer, (contact.kind, &contact.value), template, &values).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_of_one_removal_and_one_key() {
        let (id, other) = (RemovalId::new(), RemovalId::new());
        let mark = mark_of(b"key", id);
        assert_ne!(mark, mark_of(b"another key", id));
        assert_ne!(mark, mark_of(b"key", other));
        assert_eq!(read_link(&format!("{id}_{mark}")), Some((id, mark.as_str())));
        for none in [
            "",
            "_",
            "x",
            &id.to_string(),
            &format!("{id}_"),
            &format!("{id}_{}", &mark[1..]),
            &format!("x_{mark}"),
        ] {
            assert!(!is_link(none), "{none}");
        }
    }
}
