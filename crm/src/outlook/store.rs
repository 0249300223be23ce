//! What the database knows of a customer's value and rhythm.

use super::{ANSWER_WITHIN, Rhythm, Value, Waiting, rhythm};
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

/// The request of a customer whose answer is due first.
pub async fn waiting(conn: &mut Conn, of: Subject) -> Result<Option<Waiting>, Error> {
    const SQL: &str = "SELECT r.number, r.waiting_since, (SELECT MIN(c.due_at) FROM request_clocks c \
                       WHERE c.request_id = r.id AND c.kind <> 'solution' AND c.met_at IS NULL AND c.dropped_at IS NULL \
                       AND c.paused_at IS NULL) FROM requests r WHERE r.customer_id = $1 AND r.waiting_since IS NOT NULL \
                       AND r.status <> 'closed'";
    let rows: Vec<(i64, DateTime<Utc>, Option<DateTime<Utc>>)> =
        on!(conn, |c| sqlx::query_as(SQL).bind(of.id()).fetch_all(c).await)?;
    let all = rows.into_iter().map(|(number, since, due_at)| Waiting {
        number,
        since,
        due_at: due_at.unwrap_or(since + ANSWER_WITHIN),
    });
    Ok(all.min_by_key(|one| (one.due_at, one.number)))
}
