//! Two accounts of one person become one. The *kept* one stays, the *absorbed* one goes into it: its cards, contacts, purchases,
//! points, requests lead to the kept one from then on, and for a while it can be undone. For a shorter while points are not
//! spent, as around a change of the main number.
//!
//! What leads to a customer by a column goes over by that column, and each row that does is written down (`moves`), so that
//! exactly these go back. Lots of points are such rows, with a transaction of the ledger on either side
//! (`crate::points::store::merging`). History stays where it was written: postings, grants, rewards, acts of consent, the log.
//! Whoever asks history about somebody asks about the accounts that went into theirs as well (`heirs`).

mod duplicates;
mod moves;
pub mod pairs;
mod preview;
mod proof;

pub use duplicates::{Duplicate, Likeness, duplicates};
pub use preview::{Preview, Side, Sum, preview, preview_by_staff};
pub use proof::{Proved, Step, ask, prove_phone, step, take_code};

use crate::audit::{self, Actor};
use crate::contact::{Contact, change, store as contacts};
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::{Error, holds_database_errors};
use crate::factor::{self, Owner};
use crate::flaw::{self, Flaw};
use crate::id::{CustomerId, MergeId, StaffId};
use crate::on;
use crate::points::store::{self as points, merging};
use crate::report::store as report;
use crate::request;
use crate::rule::store::timeline;
use crate::rule::tier;
use crate::signin::attempts;
use crate::signin::notice;
use crate::staff::Right;
use crate::staff::store::REASON_MAX;
use crate::who::{Customer, Fresh, Reason, Staff, Subject, System, Token};
use chrono::{DateTime, Duration, Utc};
use std::collections::{BTreeSet, HashMap};

/// For how long it can be undone.
pub const UNDO: Duration = Duration::days(14);

/// What keeps two accounts from becoming one, or from parting again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// They are one account already.
    Same,
    /// One of them was merged before: into another, or so lately that it can be undone.
    Merged,
    /// One of them is to be erased, or was.
    Erasing,
    /// The main number of one of them changes, or just has.
    Frozen,
    /// The one that would go has a second step of signing in, which would be walked around.
    SecondFactor,
    /// The one that would stay joined at a till, and was never completed.
    Unregistered,
    /// Points of one of them are below zero.
    Debt,
    /// A till holds points of one of them just now.
    Held,
    /// Points are on their way from one of them, or to it.
    OnTheWay,
    /// Without the other's numbers one of them could not be come into any more.
    Unreachable,
}

/// Why accounts were not merged, or not parted; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// Something stands in the way.
    #[error("in the way: {0:?}")]
    Obstacle(Obstacle),
    /// Everything else.
    #[error(transparent)]
    Crm(#[from] Error),
}

holds_database_errors!(MergeError);

/// A merge that can still be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Its id.
    pub id: MergeId,
    /// The account that stays.
    pub kept: CustomerId,
    /// The one that went into it.
    pub absorbed: CustomerId,
    /// What its holder is called.
    pub name: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Until when it can be undone.
    pub undo_until: DateTime<Utc>,
    /// Points that came along, in hundredths: those that could be spent and those that could not yet.
    pub came: i64,
    /// Of them: what would go back now.
    pub back: i64,
    /// What keeps it from being undone just now.
    pub obstacle: Option<Obstacle>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: MergeId,
    kept_id: CustomerId,
    absorbed_id: CustomerId,
    at: DateTime<Utc>,
    undo_until: DateTime<Utc>,
    filled: String,
}

/// The merge of a customer that can still be undone, whichever of the two they are.
async fn live(conn: &mut Conn, customer: CustomerId) -> Result<Option<Row>, sqlx::Error> {
    const SQL: &str = "SELECT id, kept_id, absorbed_id, at, undo_until, filled FROM merges \
                       WHERE (kept_id = $1 OR absorbed_id = $1) AND undone_at IS NULL AND undo_until > $2 \
                       ORDER BY at DESC LIMIT 1";
    let now = conn.now();
    on!(conn, |c| sqlx::query_as(SQL)
        .bind(customer)
        .bind(now)
        .fetch_optional(c)
        .await)
}

/// The same, with what undoing it would do.
pub async fn of(conn: &mut Conn, of: Subject) -> Result<Option<Merged>, Error> {
    const NAME: &str = "SELECT name FROM customers WHERE id = $1";
    const CAME: &str =
        "SELECT CAST(COALESCE(SUM(active + pending), 0) AS BIGINT) FROM merge_points WHERE merge_id = $1";
    const BACK: &str = "SELECT CAST(COALESCE(SUM(l.remaining), 0) AS BIGINT) FROM merge_moves v JOIN lots l ON l.id = v.row_id \
                        AND l.customer_id = $2 WHERE v.merge_id = $1 AND v.kind = 'lots'";
    let Some(row) = live(conn, of.id()).await? else {
        return Ok(None);
    };
    let name = on!(conn, |c| sqlx::query_scalar(NAME)
        .bind(row.absorbed_id)
        .fetch_one(c)
        .await)?;
    let came = on!(conn, |c| sqlx::query_scalar(CAME).bind(row.id).fetch_one(c).await)?;
    let back = on!(conn, |c| sqlx::query_scalar(BACK)
        .bind(row.id)
        .bind(row.kept_id)
        .fetch_one(c)
        .await)?;
    let obstacle = obstacle_to_undo(conn, &row).await?;
    Ok(Some(Merged {
        id: row.id,
        kept: row.kept_id,
        absorbed: row.absorbed_id,
        name,
        at: row.at,
        undo_until: row.undo_until,
        came,
        back,
        obstacle,
    }))
}

/// Into which account this one went, for good or not; `None` for one that stands by itself.
pub async fn gone_into(conn: &mut Conn, of: Subject) -> Result<Option<CustomerId>, Error> {
    let heir = heir(conn, of.id()).await?;
    Ok(Some(heir).filter(|heir| *heir != of.id()))
}

/// Whose an account is by now: the one that it went into, or itself.
pub(crate) async fn heir(conn: &mut Conn, customer: CustomerId) -> Result<CustomerId, sqlx::Error> {
    const SQL: &str = "SELECT COALESCE(merged_into, id) FROM customers WHERE id = $1";
    on!(conn, |c| sqlx::query_scalar(SQL).bind(customer).fetch_one(c).await)
}

/// The accounts that went into one of these, each with the one that it went into.
pub(crate) async fn heirs(conn: &mut Conn, of: &[CustomerId]) -> Result<HashMap<CustomerId, CustomerId>, sqlx::Error> {
    let query = ListQuery::new("SELECT id, merged_into FROM customers")
        .within("merged_into", of.iter().map(|id| Bind::Id(id.0)));
    let rows: Vec<(CustomerId, CustomerId)> = db::list(conn, query).await?;
    Ok(rows.into_iter().collect())
}

/// Who merges accounts, or parts them.
#[derive(Clone, Copy)]
enum By<'a> {
    /// Their holder.
    Customer(&'a Customer),
    /// A member of staff, and why.
    Staff(&'a Staff, &'a str),
}

impl By<'_> {
    /// Writes it down for both accounts.
    async fn note(self, tx: &mut Tx, action: &str, both: [CustomerId; 2], merge: MergeId) -> Result<(), sqlx::Error> {
        for customer in both {
            match self {
                Self::Staff(by, why) => {
                    by.record(tx, action, Some(customer), Some(merge.0), why).await?;
                }
                Self::Customer(by) if by.id() == customer => by.record(tx, action, Some(merge.0)).await?,
                Self::Customer(by) => {
                    let entry = audit::Entry {
                        actor: Actor::Customer,
                        actor_id: Some(by.id().0),
                        action,
                        customer: Some(customer),
                        object: Some(merge.0),
                        reason: "",
                        network: "",
                    };
                    audit::record(tx, entry).await?;
                }
            }
        }
        Ok(())
    }

    fn staff(self) -> Option<(StaffId, String)> {
        match self {
            Self::Customer(_) => None,
            Self::Staff(by, why) => Some((by.id(), why.to_owned())),
        }
    }
}

/// Merges the account that was proved in this browser ([`take_code`]) into one's own. Field: `agreed`. [`Error::Stale`] where
/// nothing was proved, or too long ago.
pub async fn confirm(db: &Db, by: &Fresh<'_, Customer>, token: &Token, agreed: bool) -> Result<(), MergeError> {
    if !agreed {
        return Err(Error::field("agreed", Flaw::MustAgree).into());
    }
    db.write(|tx| {
        scoped(async move {
            let (attempt, absorbed) = proof::proved(tx, by, token).await?;
            merge(tx, By::Customer(by), by.id(), absorbed).await?;
            attempts::finish(tx, attempt).await?;
            Ok(())
        })
    })
    .await
}

/// Merges an account into another, for staff who say why. Field: `reason`.
pub async fn merge_by_staff(
    db: &Db,
    by: &Fresh<'_, Staff>,
    kept: CustomerId,
    absorbed: CustomerId,
    reason: &str,
) -> Result<(), MergeError> {
    by.may(Right::Merge)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, kept, Reason::Card).await?;
            by.open_in(tx, absorbed, Reason::Card).await?;
            merge(tx, By::Staff(by, reason), kept, absorbed).await
        })
    })
    .await
}

/// Undoes the merge of a customer: every session ends, and both come in by their own numbers again. [`Error::NotFound`] where
/// there is none that can be undone.
pub async fn undo(db: &Db, by: &Fresh<'_, Customer>) -> Result<(), MergeError> {
    db.write(|tx| {
        scoped(async move {
            let row = live(tx, by.id()).await?.ok_or(Error::NotFound)?;
            part(tx, By::Customer(by), row).await
        })
    })
    .await
}

/// The same for staff, who say why. Field: `reason`. [`Error::Stale`] where there is nothing to undo any more.
pub async fn undo_by_staff(
    db: &Db,
    by: &Fresh<'_, Staff>,
    customer: CustomerId,
    reason: &str,
) -> Result<(), MergeError> {
    by.may(Right::Merge)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, customer, Reason::Card).await?;
            let row = live(tx, customer).await?.ok_or(Error::Stale)?;
            part(tx, By::Staff(by, reason), row).await
        })
    })
    .await
}

/// What of it is true of either of two accounts, asked at once.
#[derive(sqlx::FromRow)]
struct Found {
    merged: bool,
    erasing: bool,
    unregistered: bool,
    debt: bool,
    held: bool,
    on_the_way: bool,
}

/// What keeps the second account from going into the first.
async fn obstacle(conn: &mut Conn, kept: CustomerId, absorbed: CustomerId) -> Result<Option<Obstacle>, sqlx::Error> {
    const SQL: &str = "SELECT \
        EXISTS (SELECT 1 FROM customers WHERE id IN ($1, $2) AND merged_into IS NOT NULL) \
        OR EXISTS (SELECT 1 FROM merges WHERE (kept_id IN ($1, $2) OR absorbed_id IN ($1, $2)) AND undone_at IS NULL \
        AND undo_until > $3) AS merged, \
        EXISTS (SELECT 1 FROM customers WHERE id IN ($1, $2) AND erased_at IS NOT NULL) \
        OR EXISTS (SELECT 1 FROM erasures WHERE customer_id IN ($1, $2) AND cancelled_at IS NULL AND done_at IS NULL) AS erasing, \
        EXISTS (SELECT 1 FROM enrolments WHERE customer_id = $1 AND completed_at IS NULL) AS unregistered, \
        EXISTS (SELECT 1 FROM accounts WHERE customer_id IN ($1, $2) AND balance < 0) AS debt, \
        EXISTS (SELECT 1 FROM accounts WHERE customer_id IN ($1, $2) AND reserved > 0) AS held, \
        EXISTS (SELECT 1 FROM transfers WHERE (from_id IN ($1, $2) OR to_id IN ($1, $2)) AND state = 'pending') AS on_the_way";
    if kept == absorbed {
        return Ok(Some(Obstacle::Same));
    }
    let now = conn.now();
    let found: Found = on!(conn, |c| sqlx::query_as(SQL)
        .bind(kept)
        .bind(absorbed)
        .bind(now)
        .fetch_one(c)
        .await)?;
    let mut is_frozen = false;
    for customer in [kept, absorbed] {
        is_frozen |= change::frozen_until(conn, customer).await?.is_some();
    }
    let has_second = factor::has_second(conn, Owner::Customer(absorbed)).await?;
    let all = [
        (found.merged, Obstacle::Merged),
        (found.erasing, Obstacle::Erasing),
        (is_frozen, Obstacle::Frozen),
        (has_second, Obstacle::SecondFactor),
        (found.unregistered, Obstacle::Unregistered),
        (found.debt, Obstacle::Debt),
        (found.held, Obstacle::Held),
        (found.on_the_way, Obstacle::OnTheWay),
    ];
    Ok(all.into_iter().find(|(is, _)| *is).map(|(_, obstacle)| obstacle))
}

/// What keeps a merge from being undone.
async fn obstacle_to_undo(conn: &mut Conn, row: &Row) -> Result<Option<Obstacle>, sqlx::Error> {
    const ERASING: &str =
        "SELECT COUNT(*) FROM erasures WHERE customer_id = $1 AND cancelled_at IS NULL AND done_at IS NULL";
    const HELD: &str = "SELECT COUNT(*) FROM accounts WHERE customer_id = $1 AND reserved > 0";
    const STOPPED: &str =
        "SELECT COUNT(*) FROM spending_stops WHERE customer_id = $1 AND lifted_at IS NULL AND ends_at > $2";
    let now = conn.now();
    // The points of the other account would be free again.
    let stopped: i64 = on!(conn, |c| sqlx::query_scalar(STOPPED)
        .bind(row.kept_id)
        .bind(now)
        .fetch_one(c)
        .await)?;
    if stopped > 0 || change::frozen_by_change(conn, row.kept_id).await?.is_some() {
        return Ok(Some(Obstacle::Frozen));
    }
    for (sql, obstacle) in [(ERASING, Obstacle::Erasing), (HELD, Obstacle::Held)] {
        let found: i64 = on!(conn, |c| sqlx::query_scalar(sql).bind(row.kept_id).fetch_one(c).await)?;
        if found > 0 {
            return Ok(Some(obstacle));
        }
    }
    let is_reachable = moves::leaves_both_reachable(conn, row.id, row.kept_id).await?;
    Ok((!is_reachable).then_some(Obstacle::Unreachable))
}

/// Holds both accounts until the transaction ends, what was bought first: in the order of their ids, so that two who do the same
/// wait for each other.
async fn hold(tx: &mut Tx, both: [CustomerId; 2]) -> Result<(), Error> {
    const HOLD: &str = "UPDATE customers SET updated_at = updated_at WHERE id = $1";
    merging::hold_bought(tx, both).await?;
    let [first, second] = both;
    for customer in [first.min(second), first.max(second)] {
        let rows = on!(tx, |c| sqlx::query(HOLD)
            .bind(customer)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        if rows == 0 {
            return Err(Error::NotFound);
        }
    }
    Ok(merging::take_hold(tx, both).await?)
}

/// Lets one account go into another.
async fn merge(tx: &mut Tx, by: By<'_>, kept: CustomerId, absorbed: CustomerId) -> Result<(), MergeError> {
    const NEW: &str = "INSERT INTO merges (id, kept_id, absorbed_id, at, undo_until, frozen_until, staff_id, reason, filled) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    const CAME: &str = "INSERT INTO merge_points (merge_id, program_id, active, pending) VALUES ($1, $2, $3, $4)";
    const GONE: &str = "UPDATE customers SET merged_into = $2 WHERE id = $1";
    const SESSIONS: &str = "UPDATE sessions SET ended_at = $2 WHERE customer_id = $1 AND ended_at IS NULL";
    if kept == absorbed {
        return Err(MergeError::Obstacle(Obstacle::Same));
    }
    let both = [kept, absorbed];
    hold(tx, both).await?;
    if let Some(obstacle) = obstacle(tx, kept, absorbed).await? {
        return Err(MergeError::Obstacle(obstacle));
    }
    let (id, now) = (MergeId::new(), tx.now());
    let undo_until = now + UNDO;
    // Whoever was lent a phone for a minute should not have its points by the time its owner has read the message.
    let wait = tx.shop().number_change_wait();
    let told = told(tx, both).await?;
    let (staff, reason) = by.staff().unzip();
    let filled = moves::fill(tx, kept, absorbed).await?;
    on!(tx, |c| sqlx::query(NEW)
        .bind(id)
        .bind(kept)
        .bind(absorbed)
        .bind(now)
        .bind(undo_until)
        .bind(now + wait)
        .bind(staff)
        .bind(reason.as_deref().unwrap_or_default())
        .bind(&filled)
        .execute(c)
        .await
        .map(drop))?;
    report::touch_customer(tx, absorbed).await?;
    moves::go(tx, id, kept, absorbed).await?;
    for (program, came) in merging::carry(tx, id, (absorbed, kept)).await? {
        on!(tx, |c| sqlx::query(CAME)
            .bind(id)
            .bind(program)
            .bind(came.active)
            .bind(came.pending)
            .execute(c)
            .await
            .map(drop))?;
    }
    on!(tx, |c| sqlx::query(GONE)
        .bind(absorbed)
        .bind(kept)
        .execute(c)
        .await
        .map(drop))?;
    on!(tx, |c| sqlx::query(SESSIONS)
        .bind(absorbed)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    stand(tx, both).await?;
    by.note(tx, "merge.do", both, id).await?;
    let until = tx.shop().local(undo_until).format("%d.%m.%Y %H:%M").to_string();
    tell(tx, &told, "merge_done", &[("until", &until)]).await?;
    Ok(())
}

/// Lets two accounts part again.
async fn part(tx: &mut Tx, by: By<'_>, row: Row) -> Result<(), MergeError> {
    const UNDONE: &str =
        "UPDATE merges SET undone_at = $2, undone_by = $3, undo_reason = $4 WHERE id = $1 AND undone_at IS NULL";
    const BACK: &str = "UPDATE customers SET merged_into = NULL WHERE id = $1";
    // Somebody may have come in by a number that is another account's from now on.
    const SESSIONS: &str = "UPDATE sessions SET ended_at = $2 WHERE customer_id = $1 AND ended_at IS NULL";
    let both = [row.kept_id, row.absorbed_id];
    hold(tx, both).await?;
    if let Some(obstacle) = obstacle_to_undo(tx, &row).await? {
        return Err(MergeError::Obstacle(obstacle));
    }
    let now = tx.now();
    let (staff, reason) = by.staff().unzip();
    let rows = on!(tx, |c| sqlx::query(UNDONE)
        .bind(row.id)
        .bind(now)
        .bind(staff)
        .bind(reason.as_deref().unwrap_or_default())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        return Err(Error::Stale.into());
    }
    merging::carry(tx, row.id, (row.kept_id, row.absorbed_id)).await?;
    report::touch_customer(tx, row.kept_id).await?;
    moves::come_back(tx, row.id, row.kept_id, row.absorbed_id, &row.filled).await?;
    request::merge::come_apart(tx, both).await?;
    on!(tx, |c| sqlx::query(BACK)
        .bind(row.absorbed_id)
        .execute(c)
        .await
        .map(drop))?;
    on!(tx, |c| sqlx::query(SESSIONS)
        .bind(row.kept_id)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    stand(tx, both).await?;
    by.note(tx, "merge.undo", both, row.id).await?;
    let told = told(tx, both).await?;
    tell(tx, &told, "merge_undone", &[]).await?;
    Ok(())
}

/// Whoever is told, and where: every verified contact of both.
async fn told(tx: &mut Tx, both: [CustomerId; 2]) -> Result<Vec<(CustomerId, Contact)>, sqlx::Error> {
    let mut told = Vec::new();
    for customer in both {
        let theirs = contacts::verified(tx, customer).await?;
        told.extend(theirs.into_iter().map(|contact| (customer, contact)));
    }
    Ok(told)
}

async fn tell(
    tx: &mut Tx,
    told: &[(CustomerId, Contact)],
    template: &str,
    values: &[(&str, &str)],
) -> Result<(), Error> {
    for (customer, contact) in told {
        notice::send_to(tx, *customer, (contact.kind, &contact.value), template, values).await?;
    }
    Ok(())
}

/// Tiers go by what was bought, which is another account's now.
async fn stand(tx: &mut Tx, both: [CustomerId; 2]) -> Result<(), sqlx::Error> {
    let timeline = timeline(tx).await?;
    tier::store::refresh(tx, &timeline, &BTreeSet::from(both))
        .await
        .map(drop)
}

/// Lets what is due happen to both before somebody looks at what would become of them.
async fn bring_up_to_date(db: &Db, both: [CustomerId; 2]) -> Result<(), Error> {
    for customer in both {
        let subject = System::at_the_command_line().subject(customer);
        points::bring_up_to_date(db, subject).await?;
    }
    Ok(())
}
