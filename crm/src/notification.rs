//! What the cabinet tells a customer of: an answer, a request that support closed, points that will expire, points that
//! somebody gave, what touches their safety. Written down in the transaction of what it tells of; a visit to the page reads all of it.

use crate::content::{set_setting, setting};
use crate::db::{self, Bind, Conn, Db, Rows, Tx, scoped};
use crate::error::Error;
use crate::id::{CustomerId, NotificationId};
use crate::lang::Localized;
use crate::on;
use crate::points::Before;
use crate::who::{Customer, Subject, System};
use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use sqlx::types::Json;
use uuid::Uuid;

/// How many days before points expire that is told.
const AHEAD: u64 = 7;
/// The setting with the last day of which it was told what expires on it.
const TOLD: &str = "expiry_told";
/// How many customers are told of it at once.
const BATCH: i64 = 500;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Kind {
    /// Support answered a request, or there is news of a question that was asked in public.
    Answer,
    /// Support closed a request.
    Closed,
    /// Points will expire.
    Expiry,
    /// Somebody gave points.
    Received,
    /// Something about safety, which was sent by a message as well.
    Security,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Closed => "closed",
            Self::Expiry => "expiry",
            Self::Received => "received",
            Self::Security => "security",
        }
    }
}

/// One of them.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// What it tells.
    pub kind: Kind,
    /// The number of the request or the id of the question, the name of who gave points, the code of the message's template.
    pub about: String,
    /// Of a message: its subject, as the newest version of its template has it.
    pub subject: Option<Json<Localized>>,
    /// How many points, in hundredths.
    pub points: Option<i64>,
    /// The day on which they expire.
    pub day: Option<NaiveDate>,
    /// When.
    pub at: DateTime<Utc>,
    /// When it was read.
    pub read_at: Option<DateTime<Utc>>,
}

/// Writes one down that happens now. Several messages about one thing are one notification.
pub(crate) async fn add(
    tx: &mut Tx,
    customer: CustomerId,
    kind: Kind,
    about: &str,
    points: Option<i64>,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO notifications (id, customer_id, kind, about, points, key, at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let now = tx.now();
    let key = format!(
        "{} {about} {} {}",
        kind.as_str(),
        points.unwrap_or_default(),
        now.timestamp_micros()
    );
    on!(tx, |c| sqlx::query(SQL)
        .bind(NotificationId::new())
        .bind(customer)
        .bind(kind)
        .bind(about)
        .bind(points)
        .bind(key)
        .bind(now)
        .execute(c)
        .await
        .map(drop))
}

/// A customer's, the newest first, those before `before`.
pub async fn list(
    conn: &mut Conn,
    of: Subject,
    before: Option<Before>,
    limit: i64,
) -> Result<Vec<Notification>, Error> {
    const SQL: &str = "SELECT n.id, n.kind, n.about, t.subject, n.points, n.day, n.at, n.read_at FROM notifications n \
                       LEFT JOIN templates t ON n.kind = 'security' AND t.code = n.about \
                       AND t.version = (SELECT MAX(o.version) FROM templates o WHERE o.code = n.about) \
                       WHERE n.customer_id = $1 AND (n.at, n.id) < ($2, $3) ORDER BY n.at DESC, n.id DESC LIMIT $4";
    let last = (conn.now() + Duration::days(1), Uuid::max());
    let (at, id) = before.unwrap_or(last);
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .bind(at)
        .bind(id)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

/// Notes that a customer has seen the page: everything up to a moment is read.
pub async fn mark_read(db: &Db, by: &Customer, until: DateTime<Utc>) -> Result<(), Error> {
    const SQL: &str = "UPDATE notifications SET read_at = $2 WHERE customer_id = $1 AND read_at IS NULL AND at <= $3";
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            on!(tx, |c| sqlx::query(SQL)
                .bind(by.id())
                .bind(now)
                .bind(until)
                .execute(c)
                .await
                .map(drop))?;
            Ok(())
        })
    })
    .await
}

/// Tells of the points that expire within a week, day by day, each once; how many customers were told. Comes it late, the
/// days that are left are told of at once; comes it twice, nothing is told again.
pub async fn run_due(db: &Db, by: &System) -> Result<u64, Error> {
    let today = db.shop().day(db.now());
    let last = today + Days::new(AHEAD);
    let told = setting(db, TOLD).await?.and_then(|day| day.parse::<NaiveDate>().ok());
    let first = told.map_or(today, |day| day + Days::new(1)).max(today);
    let mut customers = 0;
    for day in first.iter_days().take_while(|day| *day <= last) {
        customers += tell(db, day).await?;
        let word = &day.to_string();
        db.write(|tx| scoped(async move { Ok::<_, Error>(set_setting(tx, by, TOLD, word).await?) }))
            .await?;
    }
    Ok(customers)
}

/// Tells of what expires on one day. What who was erased still has, nobody spends.
async fn tell(db: &Db, day: NaiveDate) -> Result<u64, Error> {
    const SQL: &str = "SELECT customer_id, CAST(SUM(remaining) AS BIGINT) FROM lots WHERE state = 'active' AND remaining > 0 \
                       AND expires_at >= $1 AND expires_at < $2 AND customer_id > $3 \
                       AND customer_id NOT IN (SELECT id FROM customers WHERE erased_at IS NOT NULL) \
                       GROUP BY customer_id ORDER BY customer_id LIMIT $4";
    let shop = db.shop();
    let (begin, end) = (shop.midnight(day), shop.midnight(day + Days::new(1)));
    let (mut after, mut told) = (CustomerId(Uuid::nil()), 0);
    loop {
        let mut conn = db.read().await?;
        let found: Vec<(CustomerId, i64)> = on!(conn, |c| sqlx::query_as(SQL)
            .bind(begin.max(db.now()))
            .bind(end)
            .bind(after)
            .bind(BATCH)
            .fetch_all(c)
            .await)?;
        drop(conn);
        let Some((last, _)) = found.last() else {
            return Ok(told);
        };
        after = *last;
        told += found.len() as u64;
        let found = &found;
        db.write(|tx| {
            scoped(async move {
                let mut rows = Rows::new(
                    "INSERT INTO notifications (id, customer_id, kind, about, points, day, key, at)",
                    "ON CONFLICT DO NOTHING",
                );
                for (customer, points) in found {
                    rows.push([
                        Bind::Id(NotificationId::new().0),
                        Bind::Id(customer.0),
                        Bind::Word(Kind::Expiry.as_str()),
                        Bind::Text(String::new()),
                        Bind::Int(*points),
                        Bind::Day(day),
                        Bind::Text(format!("expiry {day}")),
                        Bind::Time(tx.now()),
                    ]);
                }
                Ok::<_, Error>(db::insert(tx, rows).await?)
            })
        })
        .await?;
    }
}

/// Removes those that are as old as messages that are kept no longer.
pub async fn forget(db: &Db, _by: &System) -> Result<(), Error> {
    const SQL: &str =
        "DELETE FROM notifications WHERE id IN (SELECT id FROM notifications WHERE at < $1 ORDER BY at, id LIMIT $2)";
    let keep = Duration::days(i64::from(db.shop().messages.keep_days));
    db::sweep(db, SQL, db.now() - keep).await
}
