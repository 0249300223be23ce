//! Corrections by staff: points given or taken with a reason, of which the customer is told. Beyond what a role may do alone at
//! once, and one member of staff within a day and a month, another has to consent.

use super::super::{Adjustment, AdjustmentAllowance, AdjustmentState, Before, NewAdjustment, Waiting, written};
use super::transfers::checked_reason;
use super::{
    AccountKind, Activated, Book, LotState, NewLot, SpendError, TransactionKind, active, draw_first, programs, settle,
};
use crate::customer::store as customers;
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::Error;
use crate::factor::Owner;
use crate::factor::store::hold;
use crate::flaw::Flaw;
use crate::id::{AdjustmentId, CustomerId, LotId, ProgramId, RequestId, TransactionId};
use crate::lang::Lang;
use crate::notification;
use crate::on;
use crate::staff::Right;
use crate::staff::approval::{self, Step, What};
use crate::who::{Fresh, Staff, Subject};
use chrono::{DateTime, Datelike as _};
use std::collections::HashMap;
use uuid::Uuid;

/// The most that one correction may give or take, in hundredths.
const MOST: i64 = 100_000_000_000;

/// Gives points to a customer whose card is open, or takes them, which [`Right::Goodwill`] is not enough for; at once where
/// [`allowance`] allows it, else it waits for somebody else's consent. Given points last as long as those that the program pays
/// for a purchase of today, without the waiting. Taking more than can be spent is [`SpendError::NotEnough`], a program that is not there
/// [`Error::NotFound`], a customer who is nobody any more [`Error::Stale`]. Fields: `reason`, `note`, `request`, which is to be one of
/// the customer's.
pub async fn adjust(
    db: &Db,
    by: &Fresh<'_, Staff>,
    of: Subject,
    new: &NewAdjustment,
) -> Result<Adjustment, SpendError> {
    const NEW: &str = "INSERT INTO adjustments (id, program_id, customer_id, points, reason, note, state, asked_by, \
                       created_at, request_id) VALUES ($1, $2, $3, $4, $5, $6, 'awaiting', $7, $8, $9)";
    if new.points < 0 || !by.has(Right::Goodwill) {
        by.may(Right::Points)?;
    }
    let reason = &checked_reason("reason", &new.reason)?;
    let note = &checked_reason("note", &new.note)?;
    if new.points == 0 || new.points.abs() > MOST {
        return Err(SpendError::Amount);
    }
    db.write(|tx| {
        scoped(async move {
            let (now, id) = (tx.now(), AdjustmentId::new());
            // Two corrections at once are counted one after the other.
            hold(tx, Owner::Staff(by.id())).await?;
            // Nor do points go to an account that is just going into another one: nobody comes in there any more.
            customers::hold(tx, of.id()).await?;
            customers::is_alive(tx, of.id()).await?;
            let alone = allowance(tx, by).await?.now();
            if programs(tx).await?.0.last_terms(new.program, now).is_none() {
                return Err(Error::NotFound.into());
            }
            let request = match new.request {
                Some(number) => Some(request_of(tx, of.id(), number).await?),
                None => None,
            };
            on!(tx, |c| sqlx::query(NEW)
                .bind(id)
                .bind(new.program)
                .bind(of.id())
                .bind(new.points)
                .bind(reason)
                .bind(note)
                .bind(by.id())
                .bind(now)
                .bind(request)
                .execute(c)
                .await
                .map(drop))?;
            if new.points.abs() <= alone {
                let transaction = book(tx, (new.program, of.id()), new.points).await?;
                decide(tx, id, AdjustmentState::Booked, None, Some(transaction)).await?;
                tell(tx, id, of.id(), new.points, note).await?;
                by.record(tx, "points.adjust", Some(of.id()), Some(id.0), reason)
                    .await?;
            } else {
                by.record(tx, "points.ask", Some(of.id()), Some(id.0), reason).await?;
                approval::ask(tx, by, What::Correction(id), None).await?;
            }
            find(tx, id).await
        })
    })
    .await
}

/// A request of the customer's by its number, or the one that it went into.
async fn request_of(tx: &mut Tx, customer: CustomerId, number: i64) -> Result<RequestId, Error> {
    const SQL: &str = "SELECT COALESCE(merged_into, id) FROM requests WHERE number = $1 AND customer_id = $2";
    let found: Option<RequestId> = on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(number)
        .bind(customer)
        .fetch_optional(c)
        .await)?;
    found.ok_or_else(|| Error::field("request", Flaw::NoSuchNumber))
}

/// For which requests, by their numbers, these movements of a customer were made, as far as somebody said so.
pub async fn requests(
    conn: &mut Conn,
    of: Subject,
    moved: &[TransactionId],
) -> Result<HashMap<TransactionId, i64>, Error> {
    const SQL: &str = "SELECT a.transaction_id, r.number FROM adjustments a JOIN requests r ON r.id = a.request_id";
    let query = ListQuery::new(SQL)
        .filter("a.customer_id = ?", [Bind::Id(of.id().0)])
        .within("a.transaction_id", moved.iter().map(|id| Bind::Id(id.0)));
    let rows: Vec<(TransactionId, i64)> = db::list(conn, query).await?;
    Ok(rows.into_iter().collect())
}

/// How many points a member of staff may give or take alone. Days and months are those where the shop is; what somebody else
/// consented to does not count; what came or went by receipts that they corrected does ([`crate::purchase::amend`]).
pub async fn allowance(conn: &mut Conn, by: &Staff) -> Result<AdjustmentAllowance, Error> {
    const BOOKED: &str = "SELECT CAST((SELECT COALESCE(SUM(ABS(points)), 0) FROM adjustments \
                          WHERE asked_by = $1 AND created_at >= $2 AND state = 'booked' AND decided_by IS NULL) \
                          + (SELECT COALESCE(SUM(points), 0) FROM receipt_corrections \
                          WHERE asked_by = $1 AND created_at >= $2 AND state = 'booked' AND decided_by IS NULL) AS BIGINT)";
    let shop = conn.shop().clone();
    let today = shop.day(conn.now());
    let mut booked = [0_i64; 2];
    for (sum, first) in booked.iter_mut().zip([today, today.with_day(1).unwrap_or(today)]) {
        *sum = on!(conn, |c| sqlx::query_scalar(BOOKED)
            .bind(by.id())
            .bind(shop.midnight(first))
            .fetch_one(c)
            .await)?;
    }
    let [of_today, of_month] = booked;
    Ok(AdjustmentAllowance {
        at_once: shop.points.adjustment_cap(by.role()),
        left_today: (shop.points.adjustments_per_day * 100 - of_today).max(0),
        left_this_month: (shop.points.adjustments_per_month * 100 - of_month).max(0),
    })
}

/// Tells the customer what was corrected and why, in the cabinet and by a message.
async fn tell(tx: &mut Tx, id: AdjustmentId, customer: CustomerId, points: i64, note: &str) -> Result<(), sqlx::Error> {
    let new = notification::New {
        kind: notification::Kind::Correction,
        about: note,
        name: None,
        points: Some(points),
        transfer: None,
        key: format!("correction {id}"),
    };
    notification::put(tx, customer, new).await?;
    let values = |lang: Lang| {
        let sign = if points > 0 { "+" } else { "" };
        let points = format!("{sign}{}", written(lang, points));
        vec![("points", points), ("note", note.to_owned())]
    };
    notification::write(tx, customer, "points_corrected", true, values).await
}

/// Consents to a correction that somebody else asked for, and books it. One's own is [`Error::Forbidden`], one that was
/// decided, or whose customer is gone since, [`Error::Stale`].
pub async fn approve(db: &Db, by: &Fresh<'_, Staff>, id: AdjustmentId) -> Result<Adjustment, SpendError> {
    db.write(|tx| {
        scoped(async move {
            by.may(Right::Points)?;
            hold_whom(tx, id).await?;
            let row = awaiting_in(tx, by, id).await?;
            customers::is_alive(tx, row.customer_id).await?;
            let transaction = book(tx, (row.program_id, row.customer_id), row.points).await?;
            decide(tx, id, AdjustmentState::Booked, Some(by), Some(transaction)).await?;
            tell(tx, id, row.customer_id, row.points, &row.note).await?;
            by.record(tx, "points.approve", Some(row.customer_id), Some(id.0), &row.reason)
                .await?;
            approval::over(tx, by, What::Correction(id), Some((row.asked_by, Step::Approved))).await?;
            find(tx, id).await
        })
    })
    .await
}

/// Does not consent to a correction: nothing is booked. Fails as [`approve`] does.
pub async fn refuse(db: &Db, by: &Staff, id: AdjustmentId) -> Result<Adjustment, SpendError> {
    db.write(|tx| {
        scoped(async move {
            let row = awaiting_in(tx, by, id).await?;
            decide(tx, id, AdjustmentState::Refused, Some(by), None).await?;
            by.record(tx, "points.refuse", Some(row.customer_id), Some(id.0), &row.reason)
                .await?;
            approval::over(tx, by, What::Correction(id), Some((row.asked_by, Step::Refused))).await?;
            find(tx, id).await
        })
    })
    .await
}

/// A page of what waits for consent, the longest first, those after `after`; and where the next page begins, if there is
/// one. Written into the audit log: that somebody looked, and for each customer whose points it shows.
pub async fn awaiting(
    db: &Db,
    by: &Staff,
    after: Option<Before>,
    limit: usize,
) -> Result<(Vec<Waiting>, Option<Before>), Error> {
    const SQL: &str = "SELECT a.id, a.program_id, a.customer_id, a.points, a.reason, a.note, a.state, a.asked_by, \
        a.decided_by, a.created_at, r.number AS request, c.name, c.surname, v.name AS program, s.name AS colleague \
        FROM adjustments a JOIN customers c ON c.id = a.customer_id JOIN staff s ON s.id = a.asked_by \
        LEFT JOIN requests r ON r.id = a.request_id \
        JOIN program_versions v ON v.program_id = a.program_id AND v.version = COALESCE((SELECT MAX(w.version) \
        FROM program_versions w WHERE w.program_id = a.program_id AND w.published_at <= $1), 1) \
        WHERE a.state = 'awaiting' AND (a.created_at, a.id) > ($2, $3) ORDER BY a.created_at, a.id LIMIT $4";
    by.may(Right::Points)?;
    let (at, id) = after.unwrap_or((DateTime::UNIX_EPOCH, Uuid::nil()));
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            // One more than is shown tells whether there is another page.
            let mut rows: Vec<Waiting> = on!(tx, |c| sqlx::query_as(SQL)
                .bind(now)
                .bind(at)
                .bind(id)
                .bind(limit as i64 + 1)
                .fetch_all(c)
                .await)?;
            let more = rows.len() > limit;
            rows.truncate(limit);
            let last = rows.last().filter(|_| more).map(|last| &last.adjustment);
            let next = last.map(|last| (last.created_at, last.id.0));
            by.record(tx, "points.read", None, None, "awaiting").await?;
            for Waiting { adjustment, .. } in &rows {
                by.record(
                    tx,
                    "points.read",
                    Some(adjustment.customer_id),
                    Some(adjustment.id.0),
                    "awaiting",
                )
                .await?;
            }
            Ok((rows, next))
        })
    })
    .await
}

/// Holds whoever a correction is for until the transaction ends. Whoever merges accounts holds them before what waits for consent,
/// which may be another one's by the time that they are done.
async fn hold_whom(tx: &mut Tx, id: AdjustmentId) -> Result<(), SpendError> {
    let mut whom = find(tx, id).await?.customer_id;
    loop {
        customers::hold(tx, whom).await?;
        let by_now = find(tx, id).await?.customer_id;
        if by_now == whom {
            return Ok(());
        }
        whom = by_now;
    }
}

/// A correction that waits, for somebody who may decide on it. Nobody else decides until the transaction ends.
async fn awaiting_in(tx: &mut Tx, by: &Staff, id: AdjustmentId) -> Result<Adjustment, SpendError> {
    const LOCK: &str = "UPDATE adjustments SET state = state WHERE id = $1";
    by.may(Right::Points)?;
    on!(tx, |c| sqlx::query(LOCK).bind(id).execute(c).await.map(drop))?;
    let row = find(tx, id).await?;
    if row.state != AdjustmentState::Awaiting {
        return Err(Error::Stale.into());
    }
    if row.asked_by == by.id() {
        return Err(Error::Forbidden.into());
    }
    Ok(row)
}

async fn find(tx: &mut Tx, id: AdjustmentId) -> Result<Adjustment, SpendError> {
    const SQL: &str = "SELECT a.id, a.program_id, a.customer_id, a.points, a.reason, a.note, a.state, a.asked_by, \
                       a.decided_by, a.created_at, r.number AS request FROM adjustments a \
                       LEFT JOIN requests r ON r.id = a.request_id WHERE a.id = $1";
    let found: Option<Adjustment> = on!(tx, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
    Ok(found.ok_or(Error::NotFound)?)
}

async fn decide(
    tx: &mut Tx,
    id: AdjustmentId,
    state: AdjustmentState,
    by: Option<&Staff>,
    transaction: Option<TransactionId>,
) -> Result<(), sqlx::Error> {
    const SQL: &str =
        "UPDATE adjustments SET state = $2, decided_by = $3, transaction_id = $4, decided_at = $5 WHERE id = $1";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(state)
        .bind(by.map(Staff::id))
        .bind(transaction)
        .bind(now)
        .execute(c)
        .await
        .map(drop))
}

/// Books a correction.
async fn book(
    tx: &mut Tx,
    (program, customer): (ProgramId, CustomerId),
    points: i64,
) -> Result<TransactionId, SpendError> {
    let now = tx.now();
    let terms = programs(tx).await?.0.last_terms(program, now).ok_or(Error::NotFound)?.1;
    settle(tx, customer, now).await?;
    let mut book = Book::new();
    let transaction = book.post(
        now,
        TransactionKind::Adjustment,
        (program, customer),
        None,
        now,
        &[(AccountKind::Active, points)],
        Some(AccountKind::Adjustment),
    );
    if points > 0 {
        let lot = LotId::new();
        book.lots.push(NewLot {
            id: lot,
            transaction,
            program,
            customer,
            points,
            state: LotState::Active,
            activates_at: now,
            expires_at: now + chrono::Duration::days(terms.term_days),
            origin: None,
        });
        book.activated.push(Activated {
            lot,
            transaction,
            program,
            customer,
            points,
        });
    } else {
        let (balance, reserved) = active(tx, customer, program).await?;
        if balance - reserved < -points {
            return Err(SpendError::NotEnough {
                missing: -points - (balance - reserved).max(0),
            });
        }
        for (lot, part) in draw_first(tx, (customer, program), -points, reserved).await? {
            book.allocate(lot, transaction, part, None);
        }
    }
    book.write(tx).await.map_err(db::Error::from)?;
    Ok(transaction)
}
