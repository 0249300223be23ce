//! What the database knows of a customer's value and rhythm.

use super::{Rhythm, Value, rhythm};
use crate::db::Conn;
use crate::error::Error;
use crate::on;
use crate::purchase::Kind;
use crate::who::Subject;
use chrono::{DateTime, Months, NaiveDate, Utc};

/// What a customer bought in the last twelve months and how often they came then, receipts that were voided left out.
pub async fn bought(conn: &mut Conn, of: Subject) -> Result<(Value, Option<Rhythm>), Error> {
    const SQL: &str = "SELECT at, kind, total FROM purchases WHERE customer_id = $1 AND at >= $2 AND at <= $3 \
                       AND voided_at IS NULL ORDER BY at, id";
    let (shop, now) = (conn.shop().clone(), conn.now());
    let today = shop.day(now);
    let first = today.checked_sub_months(Months::new(12)).unwrap_or(today);
    let rows: Vec<(DateTime<Utc>, Kind, i64)> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .bind(shop.midnight(first))
        .bind(now)
        .fetch_all(c)
        .await)?;
    let sales = || rows.iter().filter(|(_, kind, _)| *kind == Kind::Sale);
    let purchases = sales().count() as i64;
    let paid: i64 = sales().map(|(_, _, total)| total).sum();
    let value = Value {
        sum: rows.iter().map(|(_, _, total)| total).sum(),
        purchases,
        average: paid.checked_div(purchases).unwrap_or_default(),
    };
    let days: Vec<NaiveDate> = sales().map(|(at, ..)| shop.day(*at)).collect();
    Ok((value, rhythm(&days, today)))
}

/// The request of a customer whose answer is awaited longest: its number, and since when.
pub async fn waiting(conn: &mut Conn, of: Subject) -> Result<Option<(i64, DateTime<Utc>)>, Error> {
    const SQL: &str = "SELECT number, waiting_since FROM requests WHERE customer_id = $1 AND waiting_since IS NOT NULL \
                       AND status <> 'closed' ORDER BY waiting_since, number LIMIT 1";
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .fetch_optional(c)
        .await)?)
}
