//! Erasing who a customer was. They ask ([`ask`]), may think better of it for a while ([`cancel`]), and then the daily work
//! ([`run_due`]) takes away everything that says who it was: name, contacts, children, preferences, ways in, what was written
//! and sent, to others as well where it names them. Purchases, points, and acts of consent stay for the books, under an id that
//! leads to nobody, and points keep their terms.
//!
//! What is kept for a short while only goes by itself: what staff looked for, attempts to come in, keys of forms.

use crate::audit::{self, Actor};
use crate::contact::store as contacts;
use crate::customer::store as customers;
use crate::db::{Conn, Db, Lock, Tx, scoped};
use crate::error::Error;
use crate::extract;
use crate::find::store as find;
use crate::flaw::{self, Check, Flaw};
use crate::id::{CustomerId, ErasureId};
use crate::import::forget;
use crate::lang::Lang;
use crate::merge;
use crate::on;
use crate::program::store as programs;
use crate::request::store::index as words;
use crate::signin::notice;
use crate::staff::Right;
use crate::staff::store::REASON_MAX;
use crate::who::{Customer, Fresh, Reason, Staff, Subject, System};
use crate::work::Round;
use chrono::{DateTime, Duration, Utc};

/// What stands in the place of a name: nobody's, and seen to be.
const NOBODY: &str = "—";

/// Messages to the other sides of a customer's transfers, which name the customer: `$1`. They were written when the points
/// left, arrived, or came back.
macro_rules! of_transfers {
    () => {
        "template IN ('points_sent', 'points_received', 'points_taken_back', 'points_brought_back') AND EXISTS \
         (SELECT 1 FROM transfers t LEFT JOIN transactions x ON x.id = t.in_id \
         WHERE ((t.from_id = $1 AND t.to_id = outbox.customer_id) OR (t.to_id = $1 AND t.from_id = outbox.customer_id)) \
         AND (outbox.created_at = t.created_at OR outbox.created_at = t.ended_at OR outbox.created_at = x.recorded_at)) \
         AND customer_id IN (SELECT to_id FROM transfers WHERE from_id = $1 UNION SELECT from_id FROM transfers WHERE to_id = $1)"
    };
}

/// What goes before whoever it was is told, for it must not go along: `$1` is the customer.
const FIRST: &[&str] = &[
    "DELETE FROM codes WHERE attempt_id IN (SELECT a.id FROM attempts a WHERE a.customer_id = $1 \
     OR a.address IN (SELECT value FROM contacts WHERE customer_id = $1 AND verified_at IS NOT NULL) \
     OR a.email IN (SELECT value FROM contacts WHERE customer_id = $1 AND verified_at IS NOT NULL))",
    "DELETE FROM attempts WHERE customer_id = $1 \
     OR address IN (SELECT value FROM contacts WHERE customer_id = $1 AND verified_at IS NOT NULL) \
     OR email IN (SELECT value FROM contacts WHERE customer_id = $1 AND verified_at IS NOT NULL)",
    "DELETE FROM outbox WHERE customer_id = $1",
    // Codes from before there was a customer.
    "DELETE FROM outbox WHERE customer_id IS NULL \
     AND address IN (SELECT value FROM contacts WHERE customer_id = $1 AND verified_at IS NOT NULL)",
];

/// What goes then.
const THEN: &[&str] = &[
    "DELETE FROM limits WHERE key IN (SELECT 'sms.number:' || value FROM contacts WHERE customer_id = $1) \
     OR key IN (SELECT 'sms.notice:' || value FROM contacts WHERE customer_id = $1)",
    "DELETE FROM number_changes WHERE customer_id = $1",
    "DELETE FROM contacts WHERE customer_id = $1",
    "DELETE FROM children WHERE customer_id = $1",
    "DELETE FROM customer_categories WHERE customer_id = $1",
    "DELETE FROM customer_channels WHERE customer_id = $1",
    "DELETE FROM wishes WHERE customer_id = $1",
    "DELETE FROM answers WHERE customer_id = $1",
    "DELETE FROM sessions WHERE customer_id = $1",
    "DELETE FROM known_devices WHERE customer_id = $1",
    "DELETE FROM sign_ins WHERE customer_id = $1",
    "DELETE FROM factors WHERE customer_id = $1",
    "DELETE FROM identities WHERE customer_id = $1",
    "DELETE FROM handoffs WHERE customer_id = $1",
    "DELETE FROM enrolments WHERE customer_id = $1",
    "DELETE FROM invite_codes WHERE customer_id = $1",
    "DELETE FROM activations WHERE customer_id = $1",
    "DELETE FROM segment_members WHERE customer_id = $1",
    "DELETE FROM customer_rfm WHERE customer_id = $1",
    "DELETE FROM distinct_customers WHERE older_id = $1 OR newer_id = $1",
    "DELETE FROM conversation_messages WHERE conversation_id IN (SELECT id FROM conversations WHERE customer_id = $1)",
    "DELETE FROM conversations WHERE customer_id = $1",
    "DELETE FROM question_votes WHERE question_id IN (SELECT id FROM questions WHERE customer_id = $1)",
    "DELETE FROM questions WHERE customer_id = $1",
    "DELETE FROM customer_notes WHERE customer_id = $1",
    "UPDATE interactions SET note = '' WHERE customer_id = $1",
    "DELETE FROM task_notices WHERE task_id IN (SELECT id FROM tasks WHERE customer_id = $1)",
    "UPDATE tasks SET title = '' WHERE customer_id = $1",
    "DELETE FROM explanations WHERE customer_id = $1",
    "DELETE FROM message_wishes WHERE customer_id = $1",
    "DELETE FROM notifications WHERE customer_id = $1",
    "DELETE FROM export_parts WHERE export_id IN (SELECT id FROM exports WHERE customer_id = $1)",
    "DELETE FROM exports WHERE customer_id = $1",
    "DELETE FROM attachment_parts WHERE attachment_id IN (SELECT a.id FROM requests r JOIN messages m ON m.request_id = r.id \
     JOIN attachments a ON a.message_id = m.id WHERE r.customer_id = $1)",
    "DELETE FROM attachments WHERE message_id IN (SELECT m.id FROM requests r JOIN messages m ON m.request_id = r.id \
     WHERE r.customer_id = $1)",
    "DELETE FROM request_changes WHERE request_id IN (SELECT id FROM requests WHERE customer_id = $1)",
    "DELETE FROM request_presence WHERE request_id IN (SELECT id FROM requests WHERE customer_id = $1)",
    "DELETE FROM request_bulk_items WHERE request_id IN (SELECT id FROM requests WHERE customer_id = $1)",
    "DELETE FROM request_tags WHERE request_id IN (SELECT id FROM requests WHERE customer_id = $1)",
    "DELETE FROM level_notices WHERE request_id IN (SELECT id FROM requests WHERE customer_id = $1)",
    "DELETE FROM request_drafts WHERE request_id IN (SELECT id FROM requests WHERE customer_id = $1)",
    "DELETE FROM request_links WHERE request_id IN (SELECT id FROM requests WHERE customer_id = $1) \
     OR other_id IN (SELECT id FROM requests WHERE customer_id = $1)",
    "DELETE FROM staff_notices WHERE message_id IN (SELECT m.id FROM requests r JOIN messages m ON m.request_id = r.id \
     WHERE r.customer_id = $1)",
    "UPDATE request_ratings SET comment = '' WHERE request_id IN (SELECT id FROM requests WHERE customer_id = $1)",
    "UPDATE messages SET body = '', search = '' WHERE request_id IN (SELECT id FROM requests WHERE customer_id = $1)",
    "DELETE FROM approval_notices WHERE adjustment_id IN (SELECT id FROM adjustments WHERE customer_id = $1)",
    "DELETE FROM approval_notices WHERE receipt_correction_id IN (SELECT r.id FROM purchases p \
     JOIN receipt_corrections r ON r.purchase_id = p.id WHERE p.customer_id = $1)",
    "UPDATE adjustments SET reason = '', note = '' WHERE customer_id = $1",
    "UPDATE receipt_corrections SET reason = '' WHERE purchase_id IN (SELECT id FROM purchases WHERE customer_id = $1)",
    "UPDATE transfers SET reason = '' WHERE from_id = $1 OR to_id = $1",
    "UPDATE merges SET reason = '', undo_reason = '' WHERE kept_id = $1 OR absorbed_id = $1",
    "UPDATE views SET reason = '' WHERE customer_id = $1",
    "UPDATE fraud_alerts SET reason = '' WHERE customer_id = $1 \
     OR id IN (SELECT alert_id FROM fraud_evidence WHERE customer_id = $1)",
    "UPDATE spending_stops SET reason = '', lift_reason = '' WHERE customer_id = $1",
    concat!("DELETE FROM outbox WHERE state = 'queued' AND ", of_transfers!()),
];

/// What ends at a moment: `$2`.
const AT: &[&str] = &[
    "INSERT INTO request_steps (request_id, kind, at) SELECT id, 'closed', $2 FROM requests \
     WHERE customer_id = $1 AND status <> 'closed'",
    "UPDATE requests SET status = 'closed', closed_at = $2, updated_at = $2, waiting_since = NULL, due_at = NULL \
     WHERE customer_id = $1 AND status <> 'closed'",
    "UPDATE tasks SET state = 'cancelled', ended_at = $2, changed_at = $2 WHERE customer_id = $1 AND state = 'open'",
    "UPDATE request_clocks SET dropped_at = $2, next_at = NULL WHERE met_at IS NULL AND dropped_at IS NULL \
     AND request_id IN (SELECT id FROM requests WHERE customer_id = $1)",
    "UPDATE factor_removals SET ended_at = $2 WHERE customer_id = $1 AND ended_at IS NULL",
    // Its number stays taken, and no till takes it.
    "UPDATE cards SET state = 'blocked', secret = NULL, blocked_at = COALESCE(blocked_at, $2) WHERE customer_id = $1",
    // What nobody is to use any more.
    "UPDATE coupons SET expires_at = $2 WHERE customer_id = $1 AND expires_at > $2",
    "UPDATE memberships SET left_at = $2 WHERE customer_id = $1 AND left_at IS NULL",
    "UPDATE views SET ended_at = $2 WHERE customer_id = $1 AND ended_at IS NULL",
    "UPDATE spending_stops SET lifted_at = $2 WHERE customer_id = $1 AND lifted_at IS NULL",
    // Nobody is left to be asked about it.
    "UPDATE fraud_alerts SET state = 'dismissed', decided_at = $2, changed_at = $2 WHERE customer_id = $1 AND state = 'open'",
    // What colleagues were asked to consent to: nobody is left to give it to, or to take it from.
    "UPDATE adjustments SET state = 'refused', decided_at = $2 WHERE customer_id = $1 AND state = 'awaiting'",
    "UPDATE receipt_corrections SET state = 'refused', decided_at = $2 WHERE state = 'awaiting' \
     AND purchase_id IN (SELECT id FROM purchases WHERE customer_id = $1)",
    // What is erased parts no more.
    "UPDATE merges SET undo_until = $2 WHERE kept_id = $1 AND undone_at IS NULL AND undo_until > $2",
    concat!(
        "UPDATE outbox SET body = '', masked_body = NULL, redacted_at = $2 WHERE state <> 'queued' AND ",
        of_transfers!()
    ),
];

/// An erasure that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Erasure {
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
    /// When it is done.
    pub due_at: DateTime<Utc>,
}

/// The erasure of a customer that is on its way.
pub async fn of(conn: &mut Conn, of: Subject) -> Result<Option<Erasure>, Error> {
    const SQL: &str =
        "SELECT asked_at, due_at FROM erasures WHERE customer_id = $1 AND cancelled_at IS NULL AND done_at IS NULL";
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .fetch_optional(c)
        .await)?)
}

/// Asks for it, for somebody who has just proved who they are and says that they know what it means. Field: `agreed`. Every
/// verified contact is told. [`Error::Stale`] where it is on its way already, or the account went into another one.
pub async fn ask(db: &Db, by: &Fresh<'_, Customer>, agreed: bool) -> Result<(), Error> {
    if !agreed {
        return Err(Error::field("agreed", Flaw::MustAgree));
    }
    db.write(|tx| {
        scoped(async move {
            let id = ask_in(tx, by.id()).await?;
            Ok(by.record(tx, "erasure.ask", Some(id.0)).await?)
        })
    })
    .await
}

/// The same by staff, for a customer who asked them and may think better of it as ever. Fields: `agreed`, that the customer
/// knows what it means; `reason`, which is written down.
pub async fn ask_by_staff(
    db: &Db,
    by: &Fresh<'_, Staff>,
    customer: CustomerId,
    agreed: bool,
    reason: &str,
) -> Result<(), Error> {
    by.may(Right::PersonalData)?;
    let mut check = Check::new();
    let agreed = check.field("agreed", agreed.then_some(()).ok_or(Flaw::MustAgree));
    let reason = check.field("reason", flaw::text(reason, REASON_MAX));
    let (Some(()), Some(reason)) = (agreed, &reason) else {
        return Err(Error::Invalid(check.flaws()));
    };
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, customer, Reason::Card).await?;
            let id = ask_in(tx, customer).await?;
            by.record(tx, "erasure.begin", Some(customer), Some(id.0), reason)
                .await?;
            Ok(())
        })
    })
    .await
}

async fn ask_in(tx: &mut Tx, customer: CustomerId) -> Result<ErasureId, Error> {
    const SQL: &str =
        "INSERT INTO erasures (id, customer_id, asked_at, due_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    const LANGUAGE: &str = "SELECT language FROM customers WHERE id = $1";
    // Of this and a merge at the same moment one sees what the other did: what went into another account is not erased for it.
    customers::hold(tx, customer).await?;
    customers::is_alive(tx, customer).await?;
    let (id, now) = (ErasureId::new(), tx.now());
    let due_at = now + Duration::days(i64::from(tx.shop().erasure_days));
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(customer)
        .bind(now)
        .bind(due_at)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        return Err(Error::Stale);
    }
    let lang: Lang = on!(tx, |c| sqlx::query_scalar(LANGUAGE).bind(customer).fetch_one(c).await)?;
    let due = lang.moment(tx.shop().local(due_at));
    tell(tx, customer, "erasure_asked", &[("due", &due)]).await?;
    Ok(id)
}

/// Thinks better of it, from any session of the customer. [`Error::NotFound`] when there is none on its way.
pub async fn cancel(db: &Db, by: &Customer) -> Result<(), Error> {
    const SQL: &str = "UPDATE erasures SET cancelled_at = $2 WHERE customer_id = $1 AND cancelled_at IS NULL AND done_at IS NULL \
                       RETURNING id";
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let id: Option<ErasureId> = on!(tx, |c| sqlx::query_scalar(SQL)
                .bind(by.id())
                .bind(now)
                .fetch_optional(c)
                .await)?;
            let id = id.ok_or(Error::NotFound)?;
            by.record(tx, "erasure.cancel", Some(id.0)).await?;
            tell(tx, by.id(), "erasure_cancelled", &[]).await
        })
    })
    .await
}

/// Tells every verified contact.
async fn tell(tx: &mut Tx, customer: CustomerId, template: &str, values: &[(&str, &str)]) -> Result<(), Error> {
    for contact in contacts::verified(tx, customer).await? {
        notice::send_to(tx, customer, (contact.kind, &contact.value), template, values).await?;
    }
    Ok(())
}

/// Erases whose time has come, and the last messages to those who were erased once they have gone; how many were erased.
pub async fn run_due(db: &Db, by: &System) -> Result<u64, Error> {
    const SQL: &str = "SELECT id, customer_id FROM erasures WHERE cancelled_at IS NULL AND done_at IS NULL AND due_at <= $1 \
                       ORDER BY due_at, id";
    const GONE: &str = "DELETE FROM outbox WHERE state <> 'queued' \
                        AND customer_id IN (SELECT id FROM customers WHERE erased_at IS NOT NULL)";
    // What still happens to points that are in the books is told to nobody.
    const TOLD: &str =
        "DELETE FROM notifications WHERE customer_id IN (SELECT id FROM customers WHERE erased_at IS NOT NULL)";
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(GONE).execute(c).await.map(drop))?;
            on!(tx, |c| sqlx::query(TOLD).execute(c).await.map(drop))?;
            Ok::<_, Error>(())
        })
    })
    .await?;
    let mut conn = db.read().await?;
    let now = conn.now();
    let due: Vec<(ErasureId, CustomerId)> = on!(conn, |c| sqlx::query_as(SQL).bind(now).fetch_all(c).await)?;
    drop(conn);
    let (mut done, mut round) = (0, Round::default());
    for (id, customer) in due {
        let lines = &lines_of(&mut db.read().await?, customer).await?;
        let erased = db.write(|tx| scoped(carry_out(tx, by, id, customer, lines))).await;
        done += u64::from(round.took(erased) == Some(true));
    }
    round.end()?;
    Ok(done)
}

/// The lines of files that tell of a customer, or of an account that went into theirs. Files may be long: whoever writes does not
/// wait for it.
async fn lines_of(conn: &mut Conn, customer: CustomerId) -> Result<Vec<forget::Line>, Error> {
    let mut lines = forget::lines_of(conn, customer).await?;
    for absorbed in merge::heirs(conn, &[customer]).await?.into_keys() {
        lines.extend(forget::lines_of(conn, absorbed).await?);
    }
    Ok(lines)
}

/// Erases one customer; false when they thought better of it meanwhile, or another node was faster.
async fn carry_out(
    tx: &mut Tx,
    _by: &System,
    id: ErasureId,
    customer: CustomerId,
    lines: &[forget::Line],
) -> Result<bool, Error> {
    const DONE: &str = "UPDATE erasures SET done_at = $2 WHERE id = $1 AND cancelled_at IS NULL AND done_at IS NULL";
    let now = tx.now();
    let rows = on!(tx, |c| sqlx::query(DONE)
        .bind(id)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        return Ok(false);
    }
    // What is just being put into a seal of the log would keep its nonce.
    tx.lock(Lock::Sealing, false).await?;
    // Accounts that went into this one say who it was as well.
    let mut absorbed: Vec<CustomerId> = merge::heirs(tx, &[customer]).await?.into_keys().collect();
    absorbed.sort_unstable();
    for one in absorbed {
        erase(tx, id, one).await?;
    }
    erase(tx, id, customer).await?;
    forget::forget(tx, lines).await?;
    extract::expire_personal(tx).await?;
    Ok(true)
}

/// Takes away what says who one account was.
async fn erase(tx: &mut Tx, id: ErasureId, customer: CustomerId) -> Result<(), Error> {
    const CUSTOMER: &str = "UPDATE customers SET name = $3, surname = '', search = '', birthday = NULL, address = NULL, \
                            favourite_store_id = NULL, password_hash = NULL, external_id = NULL, updated_at = $2, erased_at = $2 WHERE id = $1";
    // The database lets this be changed of whoever is erased, and nothing else of the log.
    const LOG: &str = "UPDATE audit SET reason = '', network = '' WHERE customer_id = $1";
    // The seals of the log hold a hash of both, which nobody can try out without the nonce.
    const NONCES: &str =
        "UPDATE audit_sealed SET nonce = NULL WHERE id IN (SELECT id FROM audit WHERE customer_id = $1)";
    let now = tx.now();
    // What is done for them at the same moment is done before, and found here, or finds that they are gone.
    customers::hold(tx, customer).await?;
    for &sql in FIRST {
        on!(tx, |c| sqlx::query(sql).bind(customer).execute(c).await.map(drop))?;
    }
    tell(tx, customer, "erasure_done", &[]).await?;
    for &sql in THEN {
        on!(tx, |c| sqlx::query(sql).bind(customer).execute(c).await.map(drop))?;
    }
    for &sql in AT {
        on!(tx, |c| sqlx::query(sql)
            .bind(customer)
            .bind(now)
            .execute(c)
            .await
            .map(drop))?;
    }
    words::forget(tx, customer).await?;
    programs::stand(tx, customer).await?;
    on!(tx, |c| sqlx::query(CUSTOMER)
        .bind(customer)
        .bind(now)
        .bind(NOBODY)
        .execute(c)
        .await
        .map(drop))?;
    find::replace(tx, customer, "", "").await?;
    for sql in [LOG, NONCES] {
        on!(tx, |c| sqlx::query(sql).bind(customer).execute(c).await.map(drop))?;
    }
    let entry = audit::Entry {
        actor: Actor::System,
        actor_id: None,
        action: "erasure.done",
        customer: Some(customer),
        object: Some(id.0),
        reason: "",
        network: "",
    };
    Ok(audit::record(tx, entry).await?)
}
