//! What came of a promotion, by what the rules that carry it out booked. Each figure is one question to the database, which its
//! page tells in words; what was voided counts nowhere. The grants of its rules may be millions, so that a job counts it
//! once an hour, and no more once nothing is to come.

use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::id::PromotionId;
use crate::on;
use crate::staff::Right;
use crate::who::{Staff, System};
use chrono::{DateTime, Duration, Utc};

/// How old figures may be.
const FRESH: Duration = Duration::hours(1);
/// For how long after its end tills may still send what belongs to it, and purchases are voided.
const LATE: Duration = Duration::days(30);

/// What came of a promotion, in figures. Money and points are hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Outcome {
    /// When they were counted.
    pub at: DateTime<Utc>,
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

/// What came of a promotion until it was counted last; none where that is yet to come.
pub async fn of(conn: &mut Conn, by: &Staff, id: PromotionId) -> Result<Option<Outcome>, Error> {
    const SQL: &str = "SELECT at, purchases, customers, points, discount, sales, sales_before FROM promotion_outcomes \
                       WHERE promotion_id = $1";
    by.may(Right::Rules)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?)
}

/// A promotion that is to be counted.
#[derive(sqlx::FromRow)]
struct Due {
    id: PromotionId,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    counted_at: Option<DateTime<Utc>>,
}

/// Counts each promotion that has begun and has rules, where its figures are an hour old and something is to come, or where there
/// are none. Returns how many it counted.
pub async fn run_due(db: &Db, _by: &System, goes_on: impl Fn() -> bool) -> Result<u64, Error> {
    const DUE: &str = "SELECT p.id, p.starts_at, p.ends_at, o.at AS counted_at FROM promotions p \
                       LEFT JOIN promotion_outcomes o ON o.promotion_id = p.id \
                       WHERE p.stage = 'published' AND p.starts_at <= $1 AND (o.at IS NULL OR o.at <= $2) \
                       AND EXISTS (SELECT 1 FROM promotion_rules r WHERE r.promotion_id = p.id) ORDER BY p.ends_at DESC, p.id";
    let mut conn = db.read().await?;
    let now = conn.now();
    let due: Vec<Due> = on!(conn, |c| sqlx::query_as(DUE)
        .bind(now)
        .bind(now - FRESH)
        .fetch_all(c)
        .await)?;
    drop(conn);
    let mut counted = 0;
    for one in due {
        if one.counted_at.is_some_and(|at| at >= one.ends_at + LATE) {
            continue;
        }
        if !goes_on() {
            break;
        }
        let new = count(&mut db.read().await?, &one).await?;
        db.write(|tx| scoped(keep(tx, one.id, new))).await?;
        counted += 1;
    }
    Ok(counted)
}

async fn keep(tx: &mut Tx, id: PromotionId, new: Outcome) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO promotion_outcomes (promotion_id, at, purchases, customers, points, discount, sales, \
                       sales_before) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (promotion_id) DO UPDATE SET \
                       at = excluded.at, purchases = excluded.purchases, customers = excluded.customers, \
                       points = excluded.points, discount = excluded.discount, sales = excluded.sales, \
                       sales_before = excluded.sales_before";
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(new.at)
        .bind(new.purchases)
        .bind(new.customers)
        .bind(new.points)
        .bind(new.discount)
        .bind(new.sales)
        .bind(new.sales_before)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

async fn count(conn: &mut Conn, promotion: &Due) -> Result<Outcome, Error> {
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
    let (id, from, at) = (promotion.id, promotion.starts_at, conn.now());
    // What is compared are times of one length.
    let to = promotion.ends_at.min(at);
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
        at,
        purchases,
        customers,
        points,
        discount,
        sales,
        sales_before,
    })
}
