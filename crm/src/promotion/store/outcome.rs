//! What came of a promotion, by what the rules that carry it out booked. Each figure is one question to the database, which its
//! page tells in words; what was voided counts nowhere.

use super::managing::Entry;
use crate::db::Conn;
use crate::error::Error;
use crate::on;
use crate::staff::Right;
use crate::who::Staff;

/// What came of a promotion, in figures. Money and points are hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Purchases of its time for which one of its rules gave something.
    pub purchases: i64,
    /// The customers who made them.
    pub customers: i64,
    /// Points that its rules gave in its time, on other occasions too; what was returned later is not taken off.
    pub points: i64,
    /// The discount that they gave, likewise.
    pub discount: i64,
    /// What these customers paid in all in its time, returns taken off.
    pub sales: i64,
    /// The same in a time as long that ended when it began.
    pub sales_before: i64,
}

// `$1` is the promotion, `$2` its first moment, and `$3` the first one after it.
macro_rules! purchases {
    () => {
        "FROM promotion_rules r JOIN grants g ON g.rule_id = r.rule_id JOIN purchases p ON p.id = g.purchase_id \
         WHERE r.promotion_id = $1 AND p.at >= $2 AND p.at < $3 AND p.voided_at IS NULL"
    };
}

/// What came of a promotion until now, or in the whole of its time where that is over.
pub async fn of(conn: &mut Conn, by: &Staff, promotion: &Entry) -> Result<Outcome, Error> {
    const TOOK_PART: &str = concat!(
        "SELECT COUNT(DISTINCT p.id), COUNT(DISTINCT p.customer_id) ",
        purchases!()
    );
    const GIVEN: &str = "SELECT CAST(COALESCE(SUM(CASE WHEN g.kind = 'points' THEN g.amount END), 0) AS BIGINT), \
        CAST(COALESCE(SUM(CASE WHEN g.kind = 'discount' THEN g.amount END), 0) AS BIGINT) \
        FROM promotion_rules r JOIN grants g ON g.rule_id = r.rule_id LEFT JOIN purchases p ON p.id = g.purchase_id \
        WHERE r.promotion_id = $1 AND g.at >= $2 AND g.at < $3 AND p.voided_at IS NULL";
    const SALES: &str = concat!(
        "SELECT CAST(COALESCE(SUM(s.total), 0) AS BIGINT) FROM purchases s WHERE s.at >= $4 AND s.at < $5 \
         AND s.voided_at IS NULL AND s.customer_id IN (SELECT p.customer_id ",
        purchases!(),
        ")"
    );
    by.may(Right::Rules)?;
    let (id, from) = (promotion.id, promotion.record.starts_at);
    // What is compared are times of one length.
    let to = promotion.record.ends_at.min(conn.now());
    let (purchases, customers): (i64, i64) = on!(conn, |c| sqlx::query_as(TOOK_PART)
        .bind(id)
        .bind(from)
        .bind(to)
        .fetch_one(c)
        .await)?;
    let (points, discount): (i64, i64) = on!(conn, |c| sqlx::query_as(GIVEN)
        .bind(id)
        .bind(from)
        .bind(to)
        .fetch_one(c)
        .await)?;
    let mut sales = [0_i64; 2];
    for (sum, (first, next)) in sales.iter_mut().zip([(from, to), (from - (to - from), from)]) {
        *sum = on!(conn, |c| sqlx::query_scalar(SALES)
            .bind(id)
            .bind(from)
            .bind(to)
            .bind(first)
            .bind(next)
            .fetch_one(c)
            .await)?;
    }
    let [sales, sales_before] = sales;
    Ok(Outcome {
        purchases,
        customers,
        points,
        discount,
        sales,
        sales_before,
    })
}
