//! Notes on customers in the database.

use super::{NOTE_MAX, Note, Place};
use crate::customer::store as customers;
use crate::db::{Conn, Db, scoped};
use crate::error::Error;
use crate::flaw;
use crate::id::{CustomerId, NoteId};
use crate::on;
use crate::staff::Right;
use crate::who::{Staff, Subject};

macro_rules! notes {
    ($after:literal) => {
        concat!(
            "SELECT n.id, n.staff_id, s.name AS staff, n.body, n.is_pinned, n.at FROM customer_notes n \
             JOIN staff s ON s.id = n.staff_id WHERE n.customer_id = $1 ",
            $after,
            "ORDER BY n.is_pinned DESC, n.at DESC, n.id DESC LIMIT $2"
        )
    };
}

/// The notes on a customer, those that are pinned first, then the newest first: a page of them, those behind `after`.
pub async fn of(conn: &mut Conn, of: Subject, after: Option<Place>, limit: i64) -> Result<Vec<Note>, Error> {
    const FIRST: &str = notes!("");
    const NEXT: &str = notes!("AND (n.is_pinned, n.at, n.id) < ($3, $4, $5) ");
    let notes: Vec<Note> = match after {
        None => on!(conn, |c| sqlx::query_as(FIRST)
            .bind(of.id())
            .bind(limit)
            .fetch_all(c)
            .await)?,
        Some(place) => on!(conn, |c| sqlx::query_as(NEXT)
            .bind(of.id())
            .bind(limit)
            .bind(place.is_pinned)
            .bind(place.at)
            .bind(place.id)
            .fetch_all(c)
            .await)?,
    };
    Ok(notes)
}

/// Writes a note. Fails with a flaw at `body`, with [`Error::NotFound`] where there is no such customer, and with [`Error::Stale`]
/// where they are nobody any more.
pub async fn add(db: &Db, by: &Staff, customer: CustomerId, body: &str, is_pinned: bool) -> Result<NoteId, Error> {
    const SQL: &str =
        "INSERT INTO customer_notes (id, customer_id, staff_id, body, is_pinned, at) VALUES ($1, $2, $3, $4, $5, $6)";
    by.may(Right::Customers)?;
    let body = &flaw::text(body, NOTE_MAX).map_err(|flaw| Error::field("body", flaw))?;
    db.write(|tx| {
        scoped(async move {
            customers::is_alive(tx, customer).await?;
            let (id, now) = (NoteId::new(), tx.now());
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(customer)
                .bind(by.id())
                .bind(body)
                .bind(is_pinned)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            by.record(tx, "note.add", Some(customer), Some(id.0), "").await?;
            Ok(id)
        })
    })
    .await
}

/// Pins a note, or not any more. [`Error::Stale`] where it is so already, and [`Error::NotFound`].
pub async fn pin(db: &Db, by: &Staff, customer: CustomerId, id: NoteId, is_pinned: bool) -> Result<(), Error> {
    const SQL: &str = "UPDATE customer_notes SET is_pinned = $3 WHERE id = $1 AND customer_id = $2 AND is_pinned <> $3";
    const THERE: &str = "SELECT COUNT(*) FROM customer_notes WHERE id = $1 AND customer_id = $2";
    by.may(Right::Customers)?;
    db.write(|tx| {
        scoped(async move {
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(customer)
                .bind(is_pinned)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                let there: i64 = on!(tx, |c| sqlx::query_scalar(THERE)
                    .bind(id)
                    .bind(customer)
                    .fetch_one(c)
                    .await)?;
                return Err(if there == 0 { Error::NotFound } else { Error::Stale });
            }
            by.record(tx, "note.pin", Some(customer), Some(id.0), "").await?;
            Ok(())
        })
    })
    .await
}

/// Takes a note away, which only who wrote it may: one of somebody else's is [`Error::NotFound`] as well.
pub async fn remove(db: &Db, by: &Staff, customer: CustomerId, id: NoteId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM customer_notes WHERE id = $1 AND customer_id = $2 AND staff_id = $3";
    by.may(Right::Customers)?;
    db.write(|tx| {
        scoped(async move {
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(customer)
                .bind(by.id())
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::NotFound);
            }
            by.record(tx, "note.remove", Some(customer), Some(id.0), "").await?;
            Ok(())
        })
    })
    .await
}
