//! Transfers: a customer gives points to another. They leave the sender's balance at once, arrive after a while, and keep
//! the day on which they expire.

use super::super::{Allowance, Before, NewTransfer, OtherSide, Planned, REASON_MAX, Receiver, Transfer, written};
use super::returns::{Restoring, taken_by};
use super::{
    AccountKind, Activated, BATCH, Book, LotState, NewLot, Over, TransactionKind, activate, active, draw, draw_first,
    lock, settle,
};
use crate::contact::change;
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::{Error, holds_database_errors};
use crate::flaw::Flaw;
use crate::id::{CustomerId, LotId, ProgramId, TransactionId, TransferId};
use crate::lang::Lang;
use crate::limits;
use crate::notification;
use crate::on;
use crate::signin::notice::{self, RECEIVED};
use crate::staff::Right;
use crate::who::{Customer, Fresh, Staff, Subject};
use chrono::{DateTime, Datelike as _, Utc};
use std::collections::HashMap;
use uuid::Uuid;

/// How often a customer may ask within an hour what a transfer would do.
const ASKED: u32 = 30;
/// How often a customer may give points within an hour: each time two people are sent a message.
const GIVEN: u32 = 20;

/// How many phones a customer may give points to within a day, and everybody in one network together: it shows that somebody
/// has them, and phones can be guessed.
const PHONES: [u32; 2] = [5, 50];
/// The same of cards, each question counted, found or not: of a card it is told that somebody has it, and how their name begins and
/// ends. To give points asks three times: when the card is typed, on the page that asks once more, and when it is done.
const CARDS: [u32; 2] = [150, 1500];

/// Why points were not given to somebody else; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// There are not as many that could be given.
    #[error("{missing} hundredths of a point are missing")]
    NotEnough {
        /// How many are missing, in hundredths.
        missing: i64,
    },
    /// No number to give.
    #[error("not an amount to give")]
    Amount,
    /// More than may be given within a day or a month.
    #[error("at most {left} hundredths of a point may be given now")]
    Limit {
        /// What may still be given now, in hundredths.
        left: i64,
    },
    /// The sender has not been a customer for long enough.
    #[error("points may be given from {from} on")]
    TooNew {
        /// From when on they may give points.
        from: DateTime<Utc>,
    },
    /// The sender's main phone number changes, or just has.
    #[error("points are not given until {until}")]
    Frozen {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// The card or phone is not that of somebody else who may be given points. It is not told why: whose it is, and since
    /// when, is not the sender's to learn.
    #[error("nobody who may be given points has this card or phone")]
    Recipient,
    /// Everything else.
    #[error(transparent)]
    Crm(#[from] Error),
}

holds_database_errors!(TransferError);

/// Gives points to whoever has a card or a phone. They are taken from the lots that expire first, and arrive when the shop's
/// waiting time is over. The sender is told by a message, and the receiver when they arrive. More than twenty times within an
/// hour, or to more cards or phones than a day allows, whether or not anybody has them: [`Error::TooMany`].
pub async fn transfer(db: &Db, by: &Fresh<'_, Customer>, new: &NewTransfer) -> Result<TransferId, TransferError> {
    const NEW: &str = "INSERT INTO transfers (id, program_id, from_id, to_id, points, state, out_id, created_at, \
                       completes_at, reason) VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $8, '')";
    count(db, by, &new.to).await?;
    db.write(|tx| {
        scoped(async move {
            let (now, id) = (tx.now(), TransferId::new());
            let wait = tx.shop().points.transfer_wait();
            // The receiver is held as well, before anything is asked: no points go to an account that is just going into another
            // one, or to somebody who is just being erased.
            let mut sides = vec![by.id().0];
            match recipient(tx, by.id(), &new.to).await {
                Ok(to) => sides.push(to.0),
                Err(TransferError::Recipient) => {}
                Err(e) => return Err(e),
            }
            lock(tx, &sides).await?;
            let reserved = allowed(tx, by, new).await?;
            let to = recipient(tx, by.id(), &new.to).await?;
            if !sides.contains(&to.0) {
                return Err(TransferError::Recipient);
            }
            if !limits::take(tx, &format!("transfers:{}", by.id()), GIVEN).await? {
                return Err(Error::TooMany { retry_after: 3600 }.into());
            }
            let mut book = Book::new();
            let out = book.post(
                now,
                TransactionKind::Transfer,
                (new.program, by.id()),
                None,
                now,
                &[(AccountKind::Active, -new.points)],
                Some(AccountKind::Transfer),
            );
            for (lot, points) in draw_first(tx, (by.id(), new.program), new.points, reserved).await? {
                book.allocate(lot, out, points, None);
            }
            book.write(tx).await?;
            on!(tx, |c| sqlx::query(NEW)
                .bind(id)
                .bind(new.program)
                .bind(by.id())
                .bind(to)
                .bind(new.points)
                .bind(out)
                .bind(now)
                .bind(now + wait)
                .execute(c)
                .await
                .map(drop))?;
            by.record(tx, "transfer.create", Some(id.0)).await?;
            tell(tx, "points_sent", id, (by.id(), to), new.points, now + wait).await?;
            if wait.is_zero() {
                complete(tx, now, Some(to)).await?;
            }
            Ok(id)
        })
    })
    .await
}

/// Counts a question about a card or a phone, by itself: what is refused is undone, and would be forgotten.
async fn count(db: &Db, by: &Customer, to: &Receiver) -> Result<(), Error> {
    let (what, most) = match to {
        Receiver::Card(_) => ("card", CARDS),
        Receiver::Phone(_) => ("phone", PHONES),
    };
    let keys = &[
        format!("transfer.{what}:{}", by.id()),
        format!("transfer.{what}.network:{}", by.network()),
    ];
    db.write(|tx| {
        scoped(async move {
            for (key, most) in keys.iter().zip(most) {
                limits::within_today(tx, key, most).await?;
            }
            Ok(())
        })
    })
    .await
}

/// A name by which whoever knows it sees that it is the right one, and nobody else learns it: `Б•••с`. Of a short one there is but
/// the beginning.
fn hint(name: &str) -> String {
    const DOTS: &str = "•••";
    let letters: Vec<char> = name.trim().chars().collect();
    match letters.as_slice() {
        [first, _, _, .., last] => format!("{first}{DOTS}{last}"),
        [first, ..] => format!("{first}{DOTS}"),
        [] => DOTS.to_owned(),
    }
}

/// What a transfer would do: who would have the points, and when. Moves nothing, and fails as [`transfer`] would, but that it
/// takes each phone for somebody's. Asked more than thirty times within an hour, or about more cards than a day allows:
/// [`Error::TooMany`].
pub async fn plan(db: &Db, by: &Fresh<'_, Customer>, new: &NewTransfer) -> Result<Planned, TransferError> {
    let key = &format!("transfer:{}", by.id());
    // Counted by itself: what is refused is undone, and would be forgotten.
    let may = db
        .write(|tx| scoped(async move { limits::take(tx, key, ASKED).await }))
        .await?;
    if !may {
        return Err(Error::TooMany { retry_after: 3600 }.into());
    }
    if let Receiver::Card(_) = new.to {
        count(db, by, &new.to).await?;
    }
    db.write(|tx| {
        scoped(async move {
            allowed(tx, by, new).await?;
            let name = match &new.to {
                Receiver::Card(_) => {
                    let to = recipient(tx, by.id(), &new.to).await?;
                    Some(hint(&person(tx, to).await?.0))
                }
                Receiver::Phone(_) => None,
            };
            let arrives_at = tx.now() + tx.shop().points.transfer_wait();
            Ok(Planned { name, arrives_at })
        })
    })
    .await
}

/// What is reserved of the sender's points, if nothing on their side speaks against a transfer. Nobody else moves their points
/// until the transaction ends.
async fn allowed(tx: &mut Tx, by: &Customer, new: &NewTransfer) -> Result<i64, TransferError> {
    if new.points <= 0 {
        return Err(TransferError::Amount);
    }
    let now = tx.now();
    let since = registered_at(tx, by.id()).await? + tx.shop().points.transfer_after();
    if since > now {
        return Err(TransferError::TooNew { from: since });
    }
    settle(tx, by.id(), now).await?;
    if let Some(until) = change::frozen_until(tx, by.id()).await? {
        return Err(TransferError::Frozen { until });
    }
    let left = allowance_of(tx, by.id(), now).await?.left();
    if new.points > left {
        return Err(TransferError::Limit { left });
    }
    let (balance, reserved) = active(tx, by.id(), new.program).await?;
    if balance - reserved < new.points {
        return Err(TransferError::NotEnough {
            missing: new.points - (balance - reserved).max(0),
        });
    }
    Ok(reserved)
}

/// Since when somebody is a customer; of accounts that were merged, with the younger one: points that are new to the shop are
/// not given away by way of an old account.
async fn registered_at(conn: &mut Conn, customer: CustomerId) -> Result<DateTime<Utc>, sqlx::Error> {
    const SQL: &str =
        "SELECT registered_at FROM customers WHERE id = $1 OR merged_into = $1 ORDER BY registered_at DESC LIMIT 1";
    on!(conn, |c| sqlx::query_scalar(SQL).bind(customer).fetch_one(c).await)
}

/// Who has a card or a phone, if it is somebody else who may be given points, and who is not about to be erased. Whoever blocked their card is as little found by
/// their phone, and a phone that nobody has takes as many questions as one that somebody has.
async fn recipient(tx: &mut Tx, sender: CustomerId, to: &Receiver) -> Result<CustomerId, TransferError> {
    const BY_CARD: &str = "SELECT c.id FROM cards k JOIN customers c ON c.id = k.customer_id \
        WHERE k.number = $1 AND k.state = 'active' AND c.id <> $2 AND c.registered_at <= $3 AND NOT EXISTS (SELECT 1 \
        FROM erasures e WHERE e.customer_id = c.id AND e.cancelled_at IS NULL AND e.done_at IS NULL)";
    const BY_PHONE: &str = "SELECT c.id FROM contacts p JOIN customers c ON c.id = p.customer_id \
        WHERE p.kind = 'phone' AND p.value = $1 AND p.verified_at IS NOT NULL AND c.id <> $2 AND c.registered_at <= $3 \
        AND EXISTS (SELECT 1 FROM cards k WHERE k.customer_id = c.id AND k.state = 'active') AND NOT EXISTS (SELECT 1 \
        FROM erasures e WHERE e.customer_id = c.id AND e.cancelled_at IS NULL AND e.done_at IS NULL)";
    let (sql, value) = match to {
        Receiver::Card(card) => (BY_CARD, crate::card::number(card).ok_or(TransferError::Recipient)?),
        Receiver::Phone(phone) => (BY_PHONE, phone.clone()),
    };
    let before = tx.now() - tx.shop().points.transfer_after();
    let found: Option<CustomerId> = on!(tx, |c| sqlx::query_scalar(sql)
        .bind(&value)
        .bind(sender)
        .bind(before)
        .fetch_optional(c)
        .await)?;
    found.ok_or(TransferError::Recipient)
}

/// How many points a customer may give, and from when on.
pub async fn allowance(conn: &mut Conn, of: Subject) -> Result<Allowance, Error> {
    let now = conn.now();
    Ok(allowance_of(conn, of.id(), now).await?)
}

/// The same within a transaction. Days and months are those where the shop is; what came back does not count.
async fn allowance_of(conn: &mut Conn, sender: CustomerId, now: DateTime<Utc>) -> Result<Allowance, sqlx::Error> {
    const GIVEN: &str = "SELECT CAST(COALESCE(SUM(points), 0) AS BIGINT) FROM transfers \
                         WHERE from_id = $1 AND created_at >= $2 AND state IN ('pending', 'completed')";
    let shop = conn.shop().clone();
    let today = shop.day(now);
    let mut given = [0_i64; 2];
    for (sum, first) in given.iter_mut().zip([today, today.with_day(1).unwrap_or(today)]) {
        *sum = on!(conn, |c| sqlx::query_scalar(GIVEN)
            .bind(sender)
            .bind(shop.midnight(first))
            .fetch_one(c)
            .await)?;
    }
    let from = registered_at(conn, sender).await? + shop.points.transfer_after();
    let (per_day, per_month) = (
        shop.points.transfers_per_day * 100,
        shop.points.transfers_per_month * 100,
    );
    Ok(Allowance {
        per_day,
        per_month,
        left_today: (per_day - given[0]).max(0),
        left_this_month: (per_month - given[1]).max(0),
        from: Some(from).filter(|from| *from > now),
    })
}

/// Somebody's name, without the surname, and their language.
async fn person(conn: &mut Conn, id: CustomerId) -> Result<(String, Lang), sqlx::Error> {
    const SQL: &str = "SELECT name, language FROM customers WHERE id = $1";
    on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_one(c).await)
}

/// Tells one side of a transfer by a message what became of it: `{points}`, the `{other}` side, and `{until}`, when they
/// arrive. Points move all the same where the shop has no such message, and where one side was erased, who is told nothing.
async fn tell(
    tx: &mut Tx,
    template: &str,
    id: TransferId,
    (to, other): (CustomerId, CustomerId),
    given: i64,
    until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    const ERASED: &str = "SELECT erased_at IS NOT NULL FROM customers WHERE id = $1";
    let is_erased: bool = on!(tx, |c| sqlx::query_scalar(ERASED).bind(to).fetch_one(c).await)?;
    if is_erased {
        return Ok(());
    }
    let (_, lang) = person(tx, to).await?;
    let (other, _) = person(tx, other).await?;
    let until = lang.moment(tx.shop().local(until));
    let points = written(lang, given);
    if template == RECEIVED {
        let new = notification::New {
            kind: notification::Kind::Received,
            about: "",
            name: None,
            points: Some(given),
            transfer: Some(id),
            key: format!("received {id}"),
        };
        notification::put(tx, to, new).await?;
    }
    let values = [("points", points.as_str()), ("other", &other), ("until", &until)];
    match notice::send(tx, to, template, &values).await {
        Ok(()) => Ok(()),
        Err(Error::Database(db::Error::Driver(e))) => Err(e),
        Err(e) => {
            tracing::error!(error = %e, template, "points move, and nobody is told");
            Ok(())
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: TransferId,
    program_id: ProgramId,
    from_id: CustomerId,
    to_id: CustomerId,
    points: i64,
    out_id: TransactionId,
    in_id: Option<TransactionId>,
    completes_at: DateTime<Utc>,
}

/// Calls points back that have not arrived yet: they go back to the lots that they came from. [`Error::Stale`] once they
/// have arrived or were called back, [`Error::NotFound`] for what somebody else sent.
pub async fn cancel(db: &Db, by: &Customer, id: TransferId) -> Result<(), Error> {
    const KNOWN: &str = "SELECT id FROM transfers WHERE id = $1 AND from_id = $2";
    const CANCEL: &str = "UPDATE transfers SET state = 'cancelled', ended_at = $3 WHERE id = $1 AND from_id = $2 \
        AND state = 'pending' AND completes_at > $3 \
        RETURNING id, program_id, from_id, to_id, points, out_id, in_id, completes_at";
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            settle(tx, by.id(), now).await?;
            let known: Option<TransferId> = on!(tx, |c| sqlx::query_scalar(KNOWN)
                .bind(id)
                .bind(by.id())
                .fetch_optional(c)
                .await)?;
            known.ok_or(Error::NotFound)?;
            let row: Option<Row> = on!(tx, |c| sqlx::query_as(CANCEL)
                .bind(id)
                .bind(by.id())
                .bind(now)
                .fetch_optional(c)
                .await)?;
            let row = row.ok_or(Error::Stale)?;
            bring_back(tx, &row, now).await?;
            Ok(by.record(tx, "transfer.cancel", Some(id.0)).await?)
        })
    })
    .await
}

/// Brings a transfer back, because something is wrong with it: the sender gets every point back, the receiver loses them,
/// first out of what arrived, also what of it expired there, then out of other active points, then below zero whatever the floor. [`Error::Stale`] when it
/// has come back already. Both are told by a message, the receiver if they had them. Field: `reason`.
pub async fn reverse(db: &Db, by: &Fresh<'_, Staff>, id: TransferId, reason: &str) -> Result<(), Error> {
    const FIND: &str =
        "SELECT id, program_id, from_id, to_id, points, out_id, in_id, completes_at FROM transfers WHERE id = $1";
    const REVERSE: &str = "UPDATE transfers SET state = 'reversed', ended_at = $2, staff_id = $3, reason = $4 \
        WHERE id = $1 AND state IN ('pending', 'completed') \
        RETURNING id, program_id, from_id, to_id, points, out_id, in_id, completes_at";
    by.may(Right::Points)?;
    let reason = &checked_reason("reason", reason)?;
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let row: Option<Row> = on!(tx, |c| sqlx::query_as(FIND).bind(id).fetch_optional(c).await)?;
            let row = row.ok_or(Error::NotFound)?;
            let mut sides = [row.from_id, row.to_id];
            sides.sort_unstable();
            for side in sides {
                settle(tx, side, now).await?;
            }
            let row: Option<Row> = on!(tx, |c| sqlx::query_as(REVERSE)
                .bind(id)
                .bind(now)
                .bind(by.id())
                .bind(reason)
                .fetch_optional(c)
                .await)?;
            let row = row.ok_or(Error::Stale)?;
            if let Some(arrived) = row.in_id {
                take_from_receiver(tx, &row, arrived, now).await?;
                tell(tx, "points_taken_back", id, (row.to_id, row.from_id), row.points, now).await?;
            }
            let until = now + tx.shop().points.refund_term();
            bring_back(tx, &row, until).await?;
            tell(tx, "points_brought_back", id, (row.from_id, row.to_id), row.points, now).await?;
            for side in sides {
                by.record(tx, "transfer.reverse", Some(side), Some(id.0), reason)
                    .await?;
            }
            Ok(())
        })
    })
    .await
}

/// A reason as staff typed it in a field: something, and not too much.
pub(super) fn checked_reason(field: &str, raw: &str) -> Result<String, Error> {
    let reason = raw.trim();
    let flaw = match reason.chars().count() {
        0 => Flaw::Missing,
        n if n > REASON_MAX => Flaw::TooLong { max: REASON_MAX },
        _ if reason.chars().any(char::is_control) => Flaw::ControlCharacters,
        _ => return Ok(reason.to_owned()),
    };
    Err(Error::field(field, flaw))
}

/// Takes what arrived from the receiver again. What of it expired there was never spent: its expiry is undone for it, so that it
/// becomes nobody's debt.
async fn take_from_receiver(
    tx: &mut Tx,
    row: &Row,
    arrived: TransactionId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    const LOTS: &str = "SELECT id, remaining FROM lots WHERE transaction_id = $1 ORDER BY expires_at, id";
    let whose = (row.program_id, row.to_id);
    let lots: Vec<(LotId, i64)> = on!(tx, |c| sqlx::query_as(LOTS).bind(arrived).fetch_all(c).await)?;
    let mut drawn = Vec::new();
    let mut left = row.points;
    for (lot, remaining) in lots.iter().filter(|(_, remaining)| *remaining > 0) {
        draw(tx, *lot, *remaining).await?;
        drawn.push((*lot, *remaining));
        left -= remaining;
    }
    // Of what arrived, whenever it was over: what ended on its way ended in the moment in which it arrived.
    let mut over = Over::since(tx, (row.to_id, row.program_id), DateTime::UNIX_EPOCH).await?;
    let undone = over.take(left, |one| lots.iter().any(|(lot, _)| *lot == one.lot_id));
    drawn.extend(undone.iter().map(|(_, lot, part)| (*lot, *part)));
    let mut book = Book::new();
    left -= book.undo_expiry(now, whose, None, &undone);
    let transaction = book.post(
        now,
        TransactionKind::Transfer,
        whose,
        None,
        now,
        &[(AccountKind::Active, -row.points)],
        Some(AccountKind::Transfer),
    );
    drawn.extend(draw_first(tx, (row.to_id, row.program_id), left, 0).await?);
    for (lot, points) in drawn {
        book.allocate(lot, transaction, points, None);
    }
    book.write(tx).await
}

/// Gives the sender back what was taken, where it can be spent until `until` at least.
async fn bring_back(tx: &mut Tx, row: &Row, until: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let now = tx.now();
    let mut restoring = Restoring::default();
    let taken = taken_by(tx, row.out_id).await?;
    restoring.add(taken, row.points);
    let mut book = Book::new();
    let whose = (row.program_id, row.from_id);
    let transaction = book.post(
        now,
        TransactionKind::Transfer,
        whose,
        None,
        now,
        &[(AccountKind::Active, restoring.active)],
        Some(AccountKind::Transfer),
    );
    restoring.apply(tx, &mut book, transaction, whose, now, until).await?;
    book.write(tx).await
}

/// Lets transfers arrive that were sent long enough ago: everybody's (a batch), or those to one customer (all). Tells how
/// many.
pub(super) async fn complete(tx: &mut Tx, until: DateTime<Utc>, to: Option<CustomerId>) -> Result<u64, sqlx::Error> {
    const DUE: &str = "SELECT id, to_id, completes_at FROM transfers WHERE state = 'pending' AND completes_at <= $1 \
                       AND ($2 IS NULL OR to_id = $2) ORDER BY completes_at, id LIMIT $3";
    const COMPLETE: &str = "UPDATE transfers SET state = 'completed' WHERE id = $1 AND state = 'pending' \
                            RETURNING id, program_id, from_id, to_id, points, out_id, in_id, completes_at";
    const LOTS: &str = "SELECT t.id, x.points, t.expires_at FROM allocations x JOIN lots t ON t.id = x.lot_id \
                        WHERE x.transaction_id = $1 ORDER BY t.expires_at, t.id";
    const ARRIVED: &str = "UPDATE transfers SET in_id = $2 WHERE id = $1";
    let due: Vec<(TransferId, CustomerId, DateTime<Utc>)> = on!(tx, |c| sqlx::query_as(DUE)
        .bind(until)
        .bind(to)
        .bind(BATCH)
        .fetch_all(c)
        .await)?;
    let now = tx.now();
    let mut completed = 0;
    for (id, to, completes_at) in due {
        lock(tx, &[to.0]).await?;
        // What became active before it has paid debts before it.
        activate(tx, completes_at, Some(to)).await?;
        let row: Option<Row> = on!(tx, |c| sqlx::query_as(COMPLETE).bind(id).fetch_optional(c).await)?;
        let Some(row) = row else { continue };
        let lots: Vec<(LotId, i64, DateTime<Utc>)> =
            on!(tx, |c| sqlx::query_as(LOTS).bind(row.out_id).fetch_all(c).await)?;
        let mut book = Book::new();
        let transaction = book.post(
            now,
            TransactionKind::Transfer,
            (row.program_id, row.to_id),
            None,
            row.completes_at,
            &[(AccountKind::Active, row.points)],
            Some(AccountKind::Transfer),
        );
        for (origin, points, expires_at) in lots {
            let lot = LotId::new();
            book.lots.push(NewLot {
                id: lot,
                transaction,
                program: row.program_id,
                customer: row.to_id,
                points,
                state: LotState::Active,
                activates_at: row.completes_at,
                expires_at: expires_at.max(row.completes_at),
                origin: Some(origin),
            });
            book.activated.push(Activated {
                lot,
                transaction,
                program: row.program_id,
                customer: row.to_id,
                points,
            });
        }
        book.write(tx).await?;
        on!(tx, |c| sqlx::query(ARRIVED)
            .bind(row.id)
            .bind(transaction)
            .execute(c)
            .await
            .map(drop))?;
        tell(
            tx,
            RECEIVED,
            row.id,
            (row.to_id, row.from_id),
            row.points,
            row.completes_at,
        )
        .await?;
        completed += 1;
    }
    Ok(completed)
}

/// What a customer sent and was sent, the newest first, from `before` on. What is on its way to them is not theirs to see yet.
pub async fn list(conn: &mut Conn, of: Subject, before: Option<Before>, limit: i64) -> Result<Vec<Transfer>, Error> {
    const SQL: &str = "SELECT t.id, t.program_id, t.from_id = $1 AS is_sent, c.name, t.points, t.state, t.created_at, \
        t.completes_at, t.ended_at FROM transfers t \
        JOIN customers c ON c.id = CASE WHEN t.from_id = $1 THEN t.to_id ELSE t.from_id END \
        WHERE (t.from_id = $1 OR (t.to_id = $1 AND t.in_id IS NOT NULL)) AND (t.created_at, t.id) < ($2, $3) \
        ORDER BY t.created_at DESC, t.id DESC LIMIT $4";
    let (at, id) = before.unwrap_or((super::far(), Uuid::max()));
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .bind(at)
        .bind(id)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

/// A transfer as far as lines of a statement can be found in it.
#[derive(sqlx::FromRow)]
struct Sides {
    name: String,
    program_id: ProgramId,
    out_id: TransactionId,
    in_id: Option<TransactionId>,
    ended_at: Option<DateTime<Utc>>,
}

/// Tells of each of these transactions of a customer that belongs to a transfer who is at its other end. What took points
/// out or brought them in is known by its id, what brought them back by its program and moment.
pub(super) async fn others(
    conn: &mut Conn,
    of: Subject,
    transactions: &[(TransactionId, ProgramId, DateTime<Utc>)],
) -> Result<HashMap<TransactionId, OtherSide>, sqlx::Error> {
    const SQL: &str = "SELECT c.name, t.program_id, t.out_id, t.in_id, t.ended_at FROM transfers t \
        JOIN customers c ON c.id = CASE WHEN t.from_id = $1 THEN t.to_id ELSE t.from_id END \
        WHERE t.from_id = $1 OR (t.to_id = $1 AND t.in_id IS NOT NULL)";
    if transactions.is_empty() {
        return Ok(HashMap::new());
    }
    let all: Vec<Sides> = on!(conn, |c| sqlx::query_as(SQL).bind(of.id()).fetch_all(c).await)?;
    let find = |(id, program, at): (TransactionId, ProgramId, DateTime<Utc>)| {
        let went = all.iter().find(|t| t.out_id == id || t.in_id == Some(id));
        let came_back = || all.iter().find(|t| t.program_id == program && t.ended_at == Some(at));
        let (found, is_back) = match went {
            Some(found) => (found, false),
            None => (came_back()?, true),
        };
        let name = found.name.clone();
        Some((id, OtherSide { name, is_back }))
    };
    Ok(transactions.iter().copied().filter_map(find).collect())
}

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn a_name_is_known_by_whoever_knows_it() {
        for (name, told) in [
            ("Борис", "Б•••с"),
            ("Anna", "A•••a"),
            ("Ева", "Е•••"),
            ("Ян", "Я•••"),
            ("Я", "Я•••"),
            ("", "•••"),
        ] {
            assert_eq!(hint(name), told, "{name}");
        }
    }
}
