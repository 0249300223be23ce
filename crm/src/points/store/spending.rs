//! Spending: points are reserved, and then captured or let go.
//!
//! A reservation is a promise to a till, for a while. It lowers at once what else can be spent, and what it holds does not
//! expire until it ends. What it captures is taken from the lots that expire first, of those that were not over when it was made,
//! and spread over the lines of the receipt that it paid, so that a return knows which points to give back.
//!
//! A receipt that comes late is paid by what is left of the points: the goods are gone, and a receipt that is refused would lose
//! the purchase as well. What expired since they were sold comes back for it. Nobody gets into debt by it.

use super::super::{Drawn, Paid, Reservation, ReservationState, Wish};
use super::{
    AccountKind, BATCH, Book, Over, TransactionKind, Undone, active, active_lots, draw_from, lock, rules, settle,
};
use crate::contact::change;
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::{Error, holds_database_errors};
use crate::id::{CustomerId, LineId, LotId, ProgramId, PurchaseId, ReservationId, TransactionId};
use crate::on;
use crate::who::{Subject, System};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// Why points were not spent; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SpendError {
    /// There are not as many that could be spent.
    #[error("{missing} hundredths of a point are missing")]
    NotEnough {
        /// How many are missing, in hundredths.
        missing: i64,
    },
    /// No number to reserve, or to capture of what was reserved.
    #[error("not an amount to spend")]
    Amount,
    /// The receipt has less to pay with points: a point pays 1.00, and nothing is paid of what has come back.
    #[error("at most {most} hundredths of a point can pay for this receipt")]
    TooMuch {
        /// The most, in hundredths.
        most: i64,
    },
    /// The main phone number changes, or just has: nothing is promised meanwhile.
    #[error("points are not spent until {until}")]
    Frozen {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// The key stands for another wish, or the reservation was captured otherwise.
    #[error("asked for something else before")]
    Reused,
    /// The reservation has ended, in this state.
    #[error("the reservation has ended")]
    Ended(ReservationState),
    /// What was sold before the reservation was made is not paid under it.
    #[error("the reservation was made after the sale")]
    MadeAfter,
    /// Everything else.
    #[error(transparent)]
    Crm(#[from] Error),
}

holds_database_errors!(SpendError);

const COLUMNS: &str = "SELECT id, program_id, customer_id, points, state, captured, purchase_id, transaction_id, created_at, \
                       expires_at FROM reservations WHERE id = $1 AND customer_id = $2";

/// Reserves points of a customer for a while. The same wish under the same key is the same reservation, whatever has
/// become of it; another wish under that key is [`SpendError::Reused`]. [`SpendError::Frozen`] around a change of the main number.
pub async fn reserve(db: &Db, by: &System, of: Subject, wish: &Wish) -> Result<Reservation, SpendError> {
    db.write(|tx| scoped(reserve_in(tx, by, of, wish))).await
}

/// The same, within a transaction.
pub async fn reserve_in(tx: &mut Tx, _by: &System, of: Subject, wish: &Wish) -> Result<Reservation, SpendError> {
    const NEW: &str = "INSERT INTO reservations (id, source, key, program_id, customer_id, points, state, created_at, \
        expires_at) VALUES ($1, $2, $3, $4, $5, $6, 'held', $7, $8) ON CONFLICT (source, key) DO NOTHING";
    const KNOWN: &str = "SELECT id, program_id, customer_id, points FROM reservations WHERE source = $1 AND key = $2";
    const HOLD: &str = "UPDATE accounts SET reserved = reserved + $3 WHERE customer_id = $1 AND program_id = $2 \
        AND kind = 'active' AND balance - reserved >= $3";
    if wish.points <= 0 {
        return Err(SpendError::Amount);
    }
    let (now, id, customer) = (tx.now(), ReservationId::new(), of.id());
    let expires_at = now + tx.shop().points.reserve_term();
    let inserted = on!(tx, |c| sqlx::query(NEW)
        .bind(id)
        .bind(&wish.source)
        .bind(&wish.key)
        .bind(wish.program)
        .bind(customer)
        .bind(wish.points)
        .bind(now)
        .bind(expires_at)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if inserted == 0 {
        let known: (ReservationId, ProgramId, CustomerId, i64) = on!(tx, |c| sqlx::query_as(KNOWN)
            .bind(&wish.source)
            .bind(&wish.key)
            .fetch_one(c)
            .await)?;
        if (known.1, known.2, known.3) != (wish.program, customer, wish.points) {
            return Err(SpendError::Reused);
        }
        lapse(tx, now, Some(customer)).await?;
        return find(tx, of, known.0).await;
    }
    settle(tx, customer, now).await?;
    if let Some(until) = change::frozen_until(tx, customer).await? {
        return Err(SpendError::Frozen { until });
    }
    let held = on!(tx, |c| sqlx::query(HOLD)
        .bind(customer)
        .bind(wish.program)
        .bind(wish.points)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if held == 0 {
        let (balance, reserved) = active(tx, customer, wish.program).await?;
        return Err(SpendError::NotEnough {
            missing: wish.points - (balance - reserved).max(0),
        });
    }
    find(tx, of, id).await
}

/// A customer's reservation as it stands. [`Error::NotFound`] for somebody else's.
pub(crate) async fn find(conn: &mut Conn, of: Subject, id: ReservationId) -> Result<Reservation, SpendError> {
    let found: Option<Reservation> = on!(conn, |c| sqlx::query_as(COLUMNS)
        .bind(id)
        .bind(of.id())
        .fetch_optional(c)
        .await)?;
    Ok(found.ok_or(Error::NotFound)?)
}

/// Captures `points` of a reservation, all or a part: they are spent, on a receipt of the same customer where one is
/// named, and the rest of the reservation can be spent elsewhere again. Captured once more in the same way it is left as it
/// is. Points that a return took in the meantime are [`SpendError::NotEnough`]; what is there can still be captured.
pub async fn capture(
    db: &Db,
    by: &System,
    of: Subject,
    id: ReservationId,
    points: i64,
    purchase: Option<PurchaseId>,
) -> Result<Reservation, SpendError> {
    db.write(|tx| scoped(capture_in(tx, by, of, id, points, purchase)))
        .await
}

/// The same, within a transaction, as that which books the receipt.
pub async fn capture_in(
    tx: &mut Tx,
    _by: &System,
    of: Subject,
    id: ReservationId,
    points: i64,
    purchase: Option<PurchaseId>,
) -> Result<Reservation, SpendError> {
    let (now, customer) = (tx.now(), of.id());
    let payable = match purchase {
        Some(purchase) => payable(tx, customer, purchase, 0).await?,
        None => Vec::new(),
    };
    settle(tx, customer, now).await?;
    let held = find(tx, of, id).await?;
    match held.state {
        ReservationState::Held => {}
        ReservationState::Captured if (held.captured, held.purchase_id) == (points, purchase) => return Ok(held),
        ReservationState::Captured => return Err(SpendError::Reused),
        state => return Err(SpendError::Ended(state)),
    }
    if points <= 0 || points > held.points {
        return Err(SpendError::Amount);
    }
    // What was over by then is kept for those alone who were promised it before.
    let lots = active_lots(tx, (customer, held.program_id), Some(held.created_at)).await?;
    let there: i64 = lots.iter().map(|(_, left)| left).sum();
    if there < points {
        return Err(SpendError::NotEnough {
            missing: points - there,
        });
    }
    let taking = Taking {
        points,
        unpaid: 0,
        lots,
        promised: 0,
        expired: Vec::new(),
        purchase,
    };
    take(tx, &held, taking, &payable).await?;
    find(tx, of, id).await
}

/// The same for a receipt that may come late. What was sold within the term of a reservation that has lapsed since, and whatever is
/// late by all clocks ([`rules::is_late`]), takes what is there, be it nothing, and what is missing is written down as unpaid. What
/// expired since it was sold is there as well, and goes first, as it would have gone then.
pub(crate) async fn capture_late(
    tx: &mut Tx,
    by: &System,
    of: Subject,
    id: ReservationId,
    points: i64,
    (purchase, sold_at): (PurchaseId, DateTime<Utc>),
) -> Result<Reservation, SpendError> {
    let (now, customer) = (tx.now(), of.id());
    settle(tx, customer, now).await?;
    let held = find(tx, of, id).await?;
    // By the till's clock.
    let is_promised = held.created_at - rules::CLOCKS <= sold_at;
    let is_within = is_promised && sold_at < held.expires_at + rules::CLOCKS;
    let is_late = rules::is_late(sold_at, now);
    let is_sold = match held.state {
        ReservationState::Held if is_late && !is_promised => return Err(SpendError::MadeAfter),
        ReservationState::Held => is_late,
        ReservationState::Expired => is_within || is_promised && is_late,
        // Who let the points go themselves, or has spent them on something else, says what cannot be.
        ReservationState::Captured | ReservationState::Cancelled => false,
    };
    if !is_sold {
        return capture_in(tx, by, of, id, points, Some(purchase)).await;
    }
    if points <= 0 || points > held.points {
        return Err(SpendError::Amount);
    }
    let payable = payable(tx, customer, purchase, points).await?;
    // Nothing is sold under a promise before it is made, whatever the till's clock says; and while it held, nothing of it expired.
    let since = if is_within { held.created_at } else { sold_at };
    let is_held = held.state == ReservationState::Held;
    let lots = active_lots(tx, (customer, held.program_id), is_held.then_some(since)).await?;
    let left: i64 = lots.iter().map(|(_, left)| left).sum();
    // What still holds comes before other promises, and keeps its points from expiring: only what is missing can be over.
    let (promised, over) = match is_held {
        true => (0, points - left.min(points)),
        false => (active(tx, customer, held.program_id).await?.1, points),
    };
    let spent_at = sold_at.max(since);
    let mut expired = Over::since(tx, (customer, held.program_id), since).await?;
    let expired = expired.take(over, |one| one.activates_at <= spent_at);
    let back: i64 = expired.iter().map(|(.., part)| part).sum();
    let there = back + (points - back).min((left - promised).max(0));
    let taking = Taking {
        points: there,
        unpaid: points - there,
        lots,
        promised,
        expired,
        purchase: Some(purchase),
    };
    take(tx, &held, taking, &payable).await?;
    find(tx, of, id).await
}

/// What of a reservation is taken.
struct Taking {
    points: i64,
    /// What should have been taken beside, and is gone.
    unpaid: i64,
    /// The lots that it may be taken from, each with what is left there.
    lots: Vec<(LotId, i64)>,
    /// What others were promised of the first of them.
    promised: i64,
    /// Of the points: what had expired of lots, and comes back for it.
    expired: Vec<Undone>,
    purchase: Option<PurchaseId>,
}

/// Takes what a reservation pays, spread over the lines of a receipt where there is one, and ends it.
async fn take(tx: &mut Tx, held: &Reservation, taking: Taking, payable: &[(LineId, i64)]) -> Result<(), SpendError> {
    let Taking {
        points,
        unpaid,
        lots,
        promised,
        expired,
        purchase,
    } = taking;
    let (now, place) = (tx.now(), (held.program_id, held.customer_id));
    let shares: Vec<i64> = payable.iter().map(|(_, share)| *share).collect();
    let paid: Vec<(Option<LineId>, i64)> = match purchase {
        None => vec![(None, points)],
        Some(_) => {
            let parts = rules::spread(points, &shares).ok_or(SpendError::TooMuch {
                most: shares.iter().sum(),
            })?;
            payable.iter().map(|(line, _)| Some(*line)).zip(parts).collect()
        }
    };
    let mut book = Book::new();
    let back = book.undo_expiry(now, place, purchase, &expired);
    let mut drawn: Vec<(LotId, i64)> = expired.into_iter().map(|(_, lot, part)| (lot, part)).collect();
    drawn.extend(draw_from(tx, lots, points - back, promised).await?);
    let transaction = (points > 0).then(|| {
        let changes = [(AccountKind::Active, -points)];
        let (kind, against) = (TransactionKind::Redemption, Some(AccountKind::Spent));
        book.post(now, kind, place, purchase, now, &changes, against)
    });
    if let Some(transaction) = transaction {
        for (lot, part, line) in meet(drawn, &paid) {
            book.allocate(lot, transaction, part, line);
        }
    }
    book.write(tx).await?;
    for (line, part) in paid {
        if let Some(line) = line.filter(|_| part > 0) {
            pay(tx, line, held.program_id, part).await?;
        }
    }
    let captured = End {
        state: ReservationState::Captured,
        captured: points,
        unpaid,
        purchase,
        transaction,
        at: now,
    };
    Ok(end(tx, held, captured).await?)
}

/// The reservations that a customer's receipt was to be paid with, each with how many of its points, those that were gone by then
/// among them.
pub(crate) async fn redeemed_on(
    conn: &mut Conn,
    of: CustomerId,
    purchase: PurchaseId,
) -> Result<Vec<(ReservationId, i64)>, sqlx::Error> {
    const SQL: &str =
        "SELECT id, captured + unpaid FROM reservations WHERE customer_id = $1 AND purchase_id = $2 ORDER BY id";
    on!(conn, |c| sqlx::query_as(SQL).bind(of).bind(purchase).fetch_all(c).await)
}

/// What of a receipt can be paid with points, line by line: what was bought, less what points paid already. Nothing of a
/// line of which anything came back. [`Error::NotFound`] for a receipt of somebody else, and for one that was voided.
/// Nobody returns anything of it until the transaction ends. Where points have paid for more (`sold`) than may be paid with points by
/// what articles are today, they paid for all lines.
async fn payable(
    tx: &mut Tx,
    customer: CustomerId,
    purchase: PurchaseId,
    sold: i64,
) -> Result<Vec<(LineId, i64)>, SpendError> {
    const HEAD: &str = "UPDATE purchases SET total = total WHERE id = $1 AND customer_id = $2 AND voided_at IS NULL";
    const LOCK: &str = "UPDATE purchase_lines SET returned = returned WHERE purchase_id = $1";
    const LINES: &str = "SELECT l.id, CAST(l.amount - COALESCE((SELECT SUM(w.points) FROM line_payments w \
        WHERE w.line_id = l.id), 0) AS BIGINT), a.payable FROM purchase_lines l JOIN articles a ON a.id = l.article_id \
        WHERE l.purchase_id = $1 AND l.quantity > 0 AND l.amount > 0 AND l.returned = 0 ORDER BY l.ordinal";
    let rows = on!(tx, |c| sqlx::query(HEAD)
        .bind(purchase)
        .bind(customer)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        return Err(Error::NotFound.into());
    }
    on!(tx, |c| sqlx::query(LOCK).bind(purchase).execute(c).await.map(drop))?;
    let lines: Vec<(LineId, i64, bool)> = on!(tx, |c| sqlx::query_as(LINES).bind(purchase).fetch_all(c).await)?;
    let costs: i64 = lines.iter().filter(|(.., may)| *may).map(|(_, left, _)| left).sum();
    let paid = lines.into_iter().filter(|(.., may)| *may || costs < sold);
    Ok(paid.map(|(line, left, _)| (line, left)).collect())
}

/// Which lot pays how much of which line: both in their order.
fn meet(lots: Vec<(LotId, i64)>, lines: &[(Option<LineId>, i64)]) -> Vec<(LotId, i64, Option<LineId>)> {
    let mut parts = Vec::new();
    let mut lines = lines.iter().copied();
    let mut line = lines.next();
    for (lot, mut points) in lots {
        while let Some((id, wants)) = line.as_mut().filter(|_| points > 0) {
            let part = points.min(*wants);
            if part > 0 {
                parts.push((lot, part, *id));
            }
            points -= part;
            *wants -= part;
            if *wants == 0 {
                line = lines.next();
            }
        }
    }
    parts
}

/// Writes down that points paid for a line.
async fn pay(tx: &mut Tx, line: LineId, program: ProgramId, points: i64) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO line_payments (line_id, program_id, points) VALUES ($1, $2, $3) \
        ON CONFLICT (line_id, program_id) DO UPDATE SET points = line_payments.points + excluded.points";
    on!(tx, |c| sqlx::query(SQL)
        .bind(line)
        .bind(program)
        .bind(points)
        .execute(c)
        .await
        .map(drop))
}

/// How a reservation ends.
struct End {
    state: ReservationState,
    captured: i64,
    unpaid: i64,
    purchase: Option<PurchaseId>,
    transaction: Option<TransactionId>,
    at: DateTime<Utc>,
}

/// Ends a reservation: what it held, if it still did, can be spent elsewhere. Whoever calls this has locked its customer.
async fn end(tx: &mut Tx, held: &Reservation, how: End) -> Result<(), sqlx::Error> {
    const END: &str = "UPDATE reservations SET state = $2, captured = $3, purchase_id = $4, transaction_id = $5, \
                       ended_at = $6, unpaid = $7 WHERE id = $1";
    const RELEASE: &str = "UPDATE accounts SET reserved = reserved - $3 WHERE customer_id = $1 AND program_id = $2 \
                           AND kind = 'active'";
    on!(tx, |c| sqlx::query(END)
        .bind(held.id)
        .bind(how.state)
        .bind(how.captured)
        .bind(how.purchase)
        .bind(how.transaction)
        .bind(how.at)
        .bind(how.unpaid)
        .execute(c)
        .await
        .map(drop))?;
    if held.state != ReservationState::Held {
        return Ok(());
    }
    on!(tx, |c| sqlx::query(RELEASE)
        .bind(held.customer_id)
        .bind(held.program_id)
        .bind(held.points)
        .execute(c)
        .await
        .map(drop))
}

/// Lets a reservation go. One that nobody holds any more is left as it is; one that was captured is
/// [`SpendError::Ended`].
pub async fn cancel(db: &Db, by: &System, of: Subject, id: ReservationId) -> Result<Reservation, SpendError> {
    db.write(|tx| scoped(cancel_in(tx, by, of, id))).await
}

/// The same, within a transaction.
pub async fn cancel_in(tx: &mut Tx, _by: &System, of: Subject, id: ReservationId) -> Result<Reservation, SpendError> {
    let now = tx.now();
    settle(tx, of.id(), now).await?;
    let held = find(tx, of, id).await?;
    match held.state {
        ReservationState::Held => {}
        ReservationState::Captured => return Err(SpendError::Ended(held.state)),
        ReservationState::Cancelled | ReservationState::Expired => return Ok(held),
    }
    let cancelled = End {
        state: ReservationState::Cancelled,
        captured: 0,
        unpaid: 0,
        purchase: None,
        transaction: None,
        at: now,
    };
    end(tx, &held, cancelled).await?;
    find(tx, of, id).await
}

/// What points paid for the lines of a customer's receipt. Empty for a receipt of somebody else.
pub async fn paid_on(conn: &mut Conn, of: Subject, purchase: PurchaseId) -> Result<Vec<Paid>, Error> {
    const SQL: &str = "SELECT w.line_id AS line, w.program_id AS program, v.name, w.points, w.given_back \
        FROM line_payments w \
        JOIN purchase_lines l ON l.id = w.line_id JOIN purchases p ON p.id = l.purchase_id \
        JOIN programs g ON g.id = w.program_id \
        JOIN program_versions v ON v.program_id = g.id AND v.version = COALESCE((SELECT MAX(n.version) \
        FROM program_versions n WHERE n.program_id = g.id AND n.published_at <= $3), 1) \
        WHERE l.purchase_id = $1 AND p.customer_id = $2 ORDER BY l.ordinal, g.position, g.id";
    let now = conn.now();
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(purchase)
        .bind(of.id())
        .bind(now)
        .fetch_all(c)
        .await)?)
}

/// Which points paid for a customer's receipt, those that would have expired first first. Empty for a receipt of somebody
/// else.
pub async fn drawn_on(conn: &mut Conn, of: Subject, purchase: PurchaseId) -> Result<Vec<Drawn>, Error> {
    const SQL: &str = "SELECT l.program_id AS program, CAST(SUM(a.points) AS BIGINT) AS points, l.expires_at, \
        e.id AS purchase, e.document FROM purchase_lines i JOIN allocations a ON a.line_id = i.id \
        JOIN transactions s ON s.id = a.transaction_id AND s.kind = 'redemption' \
        JOIN lots l ON l.id = a.lot_id JOIN lots o ON o.id = COALESCE(l.origin_id, l.id) \
        JOIN transactions t ON t.id = o.transaction_id \
        LEFT JOIN purchases e ON e.id = t.purchase_id AND e.customer_id = $2 \
        WHERE i.purchase_id = $1 AND l.customer_id = $2 GROUP BY l.id, l.program_id, l.expires_at, e.id, e.document \
        ORDER BY l.expires_at, l.id";
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(purchase)
        .bind(of.id())
        .fetch_all(c)
        .await)?)
}

/// Ends reservations that nobody captured in time: everybody's (a batch), or one customer's (all). Tells how many.
pub(super) async fn lapse(tx: &mut Tx, until: DateTime<Utc>, customer: Option<CustomerId>) -> Result<u64, sqlx::Error> {
    const WHOSE: &str = "SELECT customer_id FROM reservations WHERE state = 'held' AND expires_at <= $1 \
                         AND ($2 IS NULL OR customer_id = $2) ORDER BY expires_at, id LIMIT $3";
    const DUE: &str = "SELECT id, program_id, customer_id, points, state, captured, purchase_id, transaction_id, created_at, \
                       expires_at FROM reservations WHERE customer_id = $1 AND state = 'held' AND expires_at <= $2";
    let due: Vec<CustomerId> = on!(tx, |c| sqlx::query_scalar(WHOSE)
        .bind(until)
        .bind(customer)
        .bind(BATCH)
        .fetch_all(c)
        .await)?;
    let mut lapsed = 0;
    for customer in BTreeSet::from_iter(due) {
        lock(tx, &[customer.0]).await?;
        let rows: Vec<Reservation> = on!(tx, |c| sqlx::query_as(DUE)
            .bind(customer)
            .bind(until)
            .fetch_all(c)
            .await)?;
        for held in rows {
            let expired = End {
                state: ReservationState::Expired,
                captured: 0,
                unpaid: 0,
                purchase: None,
                transaction: None,
                at: held.expires_at,
            };
            end(tx, &held, expired).await?;
            lapsed += 1;
        }
    }
    Ok(lapsed)
}
