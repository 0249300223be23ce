//! What the cabinet tells a customer of: an answer, a request that support closed, points that come, go or will expire, a tier, what
//! touches their safety. Written down in the transaction of what it tells of; a visit to the page reads all of it.

use crate::contact::Kind as Contact;
use crate::db::{self, Bind, Conn, Db, Rows, Tx, scoped};
use crate::error::Error;
use crate::id::{CustomerId, NotificationId, TransferId};
use crate::lang::{Lang, Localized};
use crate::limits;
use crate::on;
use crate::outbox;
use crate::points::{Before, written};
use crate::who::{Customer, Subject, System};
use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use sqlx::types::Json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How many days before points expire that is told.
const AHEAD: u64 = 7;
/// The template that tells of points that will expire.
const EXPIRE: &str = "points_expire";
/// How long nothing more is written by e-mail of points that will expire.
const MAIL_PAUSE: Duration = Duration::days(7);
/// How many customers are told of it at once.
const BATCH: usize = 100;
/// What is booked later than this is history that was brought in, and nobody is told of it.
const NEWS: Duration = Duration::days(1);

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Kind {
    /// Points can be spent from now on; those of a day are told together.
    Active,
    /// Support answered a request, or there is news of a question that was asked in public.
    Answer,
    /// Support closed a request.
    Closed,
    /// Staff gave or took points.
    Correction,
    /// Points will expire.
    Expiry,
    /// A friend's first purchase was rewarded.
    Invitation,
    /// Somebody gave points.
    Received,
    /// A rule gave something on another occasion than a purchase.
    Reward,
    /// Something about safety, which was sent by a message as well.
    Security,
    /// Staff wrote a request down in the customer's words.
    Taken,
    /// Another tier of a program.
    Tier,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Answer => "answer",
            Self::Closed => "closed",
            Self::Correction => "correction",
            Self::Expiry => "expiry",
            Self::Invitation => "invitation",
            Self::Received => "received",
            Self::Reward => "reward",
            Self::Security => "security",
            Self::Taken => "taken",
            Self::Tier => "tier",
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
    /// The number of the request or the id of the question, the name of who gave points, the code of the message's template, why
    /// points were corrected.
    pub about: String,
    /// What a tier, a rule or the topic of a request that the shop began is called; none for a tier that is no more.
    pub name: Option<Json<Localized>>,
    /// Of a message: its subject, as the newest version of its template has it.
    pub subject: Option<Json<Localized>>,
    /// How many points, in hundredths.
    pub points: Option<i64>,
    /// The day on which they expire or became active.
    pub day: Option<NaiveDate>,
    /// When.
    pub at: DateTime<Utc>,
    /// When it was read.
    pub read_at: Option<DateTime<Utc>>,
}

/// One that is to be written down.
pub(crate) struct New<'a> {
    pub(crate) kind: Kind,
    pub(crate) about: &'a str,
    pub(crate) name: Option<&'a Localized>,
    pub(crate) points: Option<i64>,
    pub(crate) transfer: Option<TransferId>,
    /// Of one customer's that have the same key one is told.
    pub(crate) key: String,
}

/// Writes one down that happens now. Several messages about one thing are one notification.
pub(crate) async fn add(
    tx: &mut Tx,
    customer: CustomerId,
    kind: Kind,
    about: &str,
    points: Option<i64>,
) -> Result<(), sqlx::Error> {
    let key = format!(
        "{} {about} {} {}",
        kind.as_str(),
        points.unwrap_or_default(),
        tx.now().timestamp_micros()
    );
    let new = New {
        kind,
        about,
        name: None,
        points,
        transfer: None,
        key,
    };
    put(tx, customer, new).await
}

/// The same, of which a name or a transfer tells.
pub(crate) async fn put(tx: &mut Tx, customer: CustomerId, new: New<'_>) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO notifications (id, customer_id, kind, about, name, points, transfer_id, key, at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(NotificationId::new())
        .bind(customer)
        .bind(new.kind)
        .bind(new.about)
        .bind(new.name.map(Json))
        .bind(new.points)
        .bind(new.transfer)
        .bind(&new.key)
        .bind(now)
        .execute(c)
        .await
        .map(drop))
}

/// Whether what is booked for this moment is told of, or is history.
pub(crate) fn is_news(conn: &Conn, at: DateTime<Utc>) -> bool {
    at > conn.now() - NEWS
}

/// Tells of points that can be spent from now on. What came earlier on the same day is told again, with the sum of both.
pub(crate) async fn active(tx: &mut Tx, points: &BTreeMap<CustomerId, i64>) -> Result<(), sqlx::Error> {
    let now = tx.now();
    let day = tx.shop().day(now);
    let mut rows = Rows::new(
        "INSERT INTO notifications (id, customer_id, kind, about, points, day, key, at)",
        "ON CONFLICT (customer_id, key) DO UPDATE SET points = notifications.points + excluded.points, \
         at = excluded.at, read_at = NULL",
    );
    for (customer, points) in points {
        rows.push([
            Bind::Id(NotificationId::new().0),
            Bind::Id(customer.0),
            Bind::Word(Kind::Active.as_str()),
            Bind::Text(String::new()),
            Bind::Int(*points),
            Bind::Day(day),
            Bind::Text(format!("active {day}")),
            Bind::Time(now),
        ]);
    }
    db::insert(tx, rows).await
}

/// Writes to a customer what the cabinet tells as well, and what the contract needs: at the verified primary e-mail address,
/// else, where `by_sms`, at the primary phone as far as [limits](crate::limits::Limits) go. `values` are made for their
/// language. What it tells of stands also where the shop has no such message.
pub(crate) async fn write(
    tx: &mut Tx,
    customer: CustomerId,
    template: &str,
    by_sms: bool,
    values: impl FnOnce(Lang) -> Vec<(&'static str, String)>,
) -> Result<(), sqlx::Error> {
    type Row = (Contact, String, String, Lang);
    const SQL: &str = "SELECT k.kind, k.value, c.name, c.language FROM contacts k JOIN customers c ON c.id = k.customer_id \
                       WHERE k.customer_id = $1 AND k.is_primary AND k.verified_at IS NOT NULL \
                       ORDER BY CASE WHEN k.kind = 'email' THEN 0 ELSE 1 END LIMIT 1";
    let found: Option<Row> = on!(tx, |c| sqlx::query_as(SQL).bind(customer).fetch_optional(c).await)?;
    let Some((kind, address, name, lang)) = found else {
        return Ok(());
    };
    let channel = match kind {
        Contact::Email => outbox::Channel::Email,
        Contact::Phone if by_sms => outbox::Channel::Sms,
        Contact::Phone => return Ok(()),
    };
    let shop = tx.shop().clone();
    let own = [("name", name), ("shop", shop.name.clone()), ("url", shop.url.clone())];
    let values: Vec<(&str, String)> = own.into_iter().chain(values(lang)).collect();
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let to = outbox::To {
        channel,
        address: &address,
        customer: Some(customer),
    };
    let sent = async {
        if kind == Contact::Phone && limits::notify(tx, &address).await? != limits::Notice::Now {
            return Ok(());
        }
        outbox::send(tx, to, template, lang, &values).await.map(drop)
    };
    match sent.await {
        Ok(()) => Ok(()),
        Err(Error::Database(db::Error::Driver(e))) => Err(e),
        Err(e) => {
            tracing::error!(error = %e, template, "something happened, and nobody is told");
            Ok(())
        }
    }
}

/// A customer's, the newest first, those before `before`.
pub async fn list(
    conn: &mut Conn,
    of: Subject,
    before: Option<Before>,
    limit: i64,
) -> Result<Vec<Notification>, Error> {
    const SQL: &str = "SELECT n.id, n.kind, COALESCE(g.name, n.about) AS about, n.name, t.subject, n.points, n.day, n.at, \
                       n.read_at FROM notifications n \
                       LEFT JOIN templates t ON n.kind = 'security' AND t.code = n.about \
                       AND t.version = (SELECT MAX(o.version) FROM templates o WHERE o.code = n.about) \
                       LEFT JOIN transfers x ON x.id = n.transfer_id LEFT JOIN customers g ON g.id = x.from_id \
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

/// Tells of the points that expire within a week, day by day; how many were told. Each is told once, and again where by now
/// more expires on that day: somebody gave points, or they came back.
pub async fn run_due(db: &Db, _: &System) -> Result<u64, Error> {
    let today = db.shop().day(db.now());
    let mut told = 0;
    for day in today.iter_days().take_while(|day| *day <= today + Days::new(AHEAD)) {
        told += tell(db, day).await?;
    }
    Ok(told)
}

/// Tells of what expires on one day, whoever does not know it yet.
async fn tell(db: &Db, day: NaiveDate) -> Result<u64, Error> {
    const SQL: &str = "SELECT l.customer_id, CAST(SUM(l.remaining) AS BIGINT) FROM lots l \
        JOIN customers c ON c.id = l.customer_id AND c.erased_at IS NULL \
        LEFT JOIN notifications n ON n.customer_id = l.customer_id AND n.key = $3 \
        WHERE l.state = 'active' AND l.remaining > 0 AND l.expires_at >= $1 AND l.expires_at < $2 \
        GROUP BY l.customer_id HAVING SUM(l.remaining) > COALESCE(MAX(n.points), 0) ORDER BY l.customer_id";
    let shop = db.shop();
    let (begin, end) = (shop.midnight(day), shop.midnight(day + Days::new(1)));
    let key = format!("expiry {day}");
    let mut conn = db.read().await?;
    let found: Vec<(CustomerId, i64)> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(begin.max(db.now()))
        .bind(end)
        .bind(&key)
        .fetch_all(c)
        .await)?;
    drop(conn);
    let mut told = 0;
    for part in found.chunks(BATCH) {
        told += db.write(|tx| scoped(told_now(tx, day, part))).await?;
    }
    Ok(told)
}

/// Writes down whom what expires on a day was told, and writes to them. Who was told by another node meanwhile is left out.
async fn told_now(tx: &mut Tx, day: NaiveDate, part: &[(CustomerId, i64)]) -> Result<u64, Error> {
    const WRITTEN: &str = "SELECT COUNT(*) FROM outbox WHERE customer_id = $1 AND template = $2 AND created_at > $3";
    let now = tx.now();
    let mut rows = Rows::new(
        "INSERT INTO notifications (id, customer_id, kind, about, points, day, key, at)",
        "ON CONFLICT (customer_id, key) DO UPDATE SET points = excluded.points, at = excluded.at, read_at = NULL \
         WHERE notifications.points < excluded.points RETURNING customer_id, points",
    );
    for (customer, points) in part {
        rows.push([
            Bind::Id(NotificationId::new().0),
            Bind::Id(customer.0),
            Bind::Word(Kind::Expiry.as_str()),
            Bind::Text(String::new()),
            Bind::Int(*points),
            Bind::Day(day),
            Bind::Text(format!("expiry {day}")),
            Bind::Time(now),
        ]);
    }
    let told: Vec<(CustomerId, i64)> = db::insert_returning(tx, rows).await?;
    for &(customer, points) in &told {
        let before: i64 = on!(tx, |c| sqlx::query_scalar(WRITTEN)
            .bind(customer)
            .bind(EXPIRE)
            .bind(now - MAIL_PAUSE)
            .fetch_one(c)
            .await)?;
        if before == 0 {
            let values = |lang: Lang| vec![("points", written(lang, points)), ("day", lang.date(day))];
            write(tx, customer, EXPIRE, false, values).await?;
        }
    }
    Ok(told.len() as u64)
}

/// Removes those that are as old as messages that are kept no longer.
pub async fn forget(db: &Db, _by: &System) -> Result<(), Error> {
    const SQL: &str =
        "DELETE FROM notifications WHERE id IN (SELECT id FROM notifications WHERE at < $1 ORDER BY at, id LIMIT $2)";
    let keep = Duration::days(i64::from(db.shop().messages.keep_days));
    db::sweep(db, SQL, db.now() - keep).await
}
