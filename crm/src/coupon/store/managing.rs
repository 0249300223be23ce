//! Series of coupons as marketers write them, and the coupons that they hand out themselves.

use super::super::Series;
use super::{Terms, new, rows};
use crate::audit::difference;
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::flaw::{Check, Flaw};
use crate::id::SeriesId;
use crate::lang::Localized;
use crate::on;
use crate::staff::Right;
use crate::who::{Fresh, Staff, System};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use sqlx::types::Json;

/// The longest name, in characters.
const NAME_MAX: usize = 120;
/// The most days for which a coupon is good.
const DAYS_MAX: i64 = 3_650;
/// The most times that one may be used.
const USES_MAX: i64 = 1_000;
/// The most coupons that are made at once.
pub const MAKE_MAX: i64 = 1_000;
/// How many a file of them has at most.
pub const HANDED_MAX: i64 = 50_000;

/// A series in the list of staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: SeriesId,
    /// What it says.
    pub record: Series,
    /// Since when it issues none.
    pub closed_at: Option<DateTime<Utc>>,
    /// How many coupons there are of it.
    pub issued: i64,
    /// How often they were used.
    pub used: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: SeriesId,
    code: String,
    #[sqlx(json)]
    name: Localized,
    valid_days: Option<i64>,
    last_day: Option<NaiveDate>,
    uses: i64,
    bearer: bool,
    closed_at: Option<DateTime<Utc>>,
    issued: i64,
    used: i64,
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            record: Series {
                code: row.code,
                name: row.name,
                valid_days: row.valid_days,
                last_day: row.last_day,
                uses: row.uses,
                bearer: row.bearer,
            },
            closed_at: row.closed_at,
            issued: row.issued,
            used: row.used,
        }
    }
}

macro_rules! entries {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.code, s.name, s.valid_days, s.last_day, s.uses, s.bearer, s.closed_at, \
             (SELECT COUNT(*) FROM coupons c WHERE c.series_id = s.id) AS issued, \
             (SELECT COUNT(*) FROM coupons c JOIN coupon_uses u ON u.coupon_id = c.id WHERE c.series_id = s.id AND ",
            is_kept!("u.purchase_id"),
            ") AS used FROM coupon_series s ",
            $rest
        )
    };
}

/// Every series by its code, those that issue none any more behind the others. That they were looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<Vec<Entry>, Error> {
    const SQL: &str = entries!("ORDER BY s.closed_at IS NOT NULL, s.code");
    by.may(Right::Rules)?;
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "series.list", None, None, "").await?) }))
        .await?;
    // Counting takes as long as there are coupons, and on SQLite nobody else writes while a transaction lasts.
    let mut conn = db.read().await?;
    let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// One series, for its page. That it was looked at is written down. Fails with [`Error::NotFound`].
pub async fn read(db: &Db, by: &Staff, id: SeriesId) -> Result<Entry, Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let entry = get(tx, id).await?;
            by.record(tx, "series.read", None, Some(id.0), "").await?;
            Ok(entry)
        })
    })
    .await
}

async fn get(conn: &mut Conn, id: SeriesId) -> Result<Entry, Error> {
    const SQL: &str = entries!("WHERE s.id = $1");
    let row: Option<Row> = on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
    Ok(row.ok_or(Error::NotFound)?.into())
}

/// The same as it is kept, with what is wrong at `name_ru`, `valid_days` and so on.
fn checked(check: &mut Check, new: &Series) -> Series {
    let name = check.words("name", &new.name, NAME_MAX);
    let within = |n: i64, max: i64| match (1..=max).contains(&n) {
        true => Ok(()),
        false => Err(Flaw::OutOfRange { min: 1, max }),
    };
    let days = match (new.valid_days, new.last_day) {
        (Some(days), _) => within(days, DAYS_MAX),
        (None, Some(_)) => Ok(()),
        (None, None) => Err(Flaw::Missing),
    };
    check.field("valid_days", days);
    let day = match new.last_day {
        Some(day) if !(2000..=2200).contains(&day.year()) => Err(Flaw::NotADate),
        _ => Ok(()),
    };
    check.field("last_day", day);
    check.field("uses", within(new.uses, USES_MAX));
    Series { name, ..new.clone() }
}

/// Writes a new series down. Fails with flaws at its fields; `key`, which is its code, may be taken.
pub async fn create(db: &Db, by: &Staff, new: &Series) -> Result<SeriesId, Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let id = enter(tx, new).await?;
            by.record(tx, "series.create", None, Some(id.0), "").await?;
            Ok(id)
        })
    })
    .await
}

/// The same for the command line and the demonstration.
pub async fn create_by_system(db: &Db, _by: &System, new: &Series) -> Result<SeriesId, Error> {
    db.write(|tx| scoped(enter(tx, new))).await
}

async fn enter(tx: &mut Tx, new: &Series) -> Result<SeriesId, Error> {
    const SQL: &str = "INSERT INTO coupon_series (id, code, name, valid_days, last_day, uses, bearer, created_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let mut check = Check::new();
    let code = check.field("key", crate::till::code(&new.code)).unwrap_or_default();
    let new = checked(&mut check, new);
    check.result()?;
    let (id, now) = (SeriesId::new(), tx.now());
    let inserted = on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(&code)
        .bind(Json(&new.name))
        .bind(new.valid_days)
        .bind(new.last_day)
        .bind(new.uses)
        .bind(new.bearer)
        .bind(now)
        .execute(c)
        .await
        .map(drop));
    unless_taken(inserted)?;
    Ok(id)
}

/// Changes a series, but for its code and whose its coupons are: coupons that are issued from then on are as it says. `seen` is
/// the record as it was shown: [`Error::Stale`] where it is another one by now. Fails with flaws at fields, and with
/// [`Error::NotFound`]. What changed is written down, before and after.
pub async fn change(db: &Db, by: &Staff, id: SeriesId, seen: &Series, new: &Series) -> Result<(), Error> {
    const SQL: &str = "UPDATE coupon_series SET name = $2, valid_days = $3, last_day = $4, uses = $5 WHERE id = $1";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            let before = get(tx, id).await?.record;
            if before != *seen {
                return Err(Error::Stale);
            }
            let mut check = Check::new();
            let new = Series {
                code: before.code.clone(),
                bearer: before.bearer,
                ..checked(&mut check, new)
            };
            check.result()?;
            if new == before {
                return Ok(());
            }
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(Json(&new.name))
                .bind(new.valid_days)
                .bind(new.last_day)
                .bind(new.uses)
                .execute(c)
                .await
                .map(drop))?;
            let changed = difference(&before, &new);
            Ok(by.record(tx, "series.change", None, Some(id.0), &changed).await?)
        })
    })
    .await
}

/// From now on none of a series is issued, or some are again; those that there are stay good. [`Error::Stale`] where it is so
/// already, and [`Error::NotFound`].
pub async fn set_open(db: &Db, by: &Staff, id: SeriesId, open: bool) -> Result<(), Error> {
    const SQL: &str = "UPDATE coupon_series SET closed_at = $2 WHERE id = $1";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            if get(tx, id).await?.closed_at.is_none() == open {
                return Err(Error::Stale);
            }
            let closed_at = (!open).then(|| tx.now());
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(closed_at)
                .execute(c)
                .await
                .map(drop))?;
            let action = if open { "series.reopen" } else { "series.close" };
            Ok(by.record(tx, action, None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Makes coupons to be handed out, of a series that is good for whoever brings one. Fails with a flaw at `count`, with
/// [`Error::Stale`] where the series issues none, or its last day is over, and with [`Error::NotFound`] for one whose coupons
/// are a customer's each. Whoever has a code has what it is good for, so it takes a fresh proof, and so does reading them.
pub async fn make(db: &Db, by: &Fresh<'_, Staff>, id: SeriesId, count: i64) -> Result<(), Error> {
    by.may(Right::Rules)?;
    if !(1..=MAKE_MAX).contains(&count) {
        return Err(Error::field("count", Flaw::OutOfRange { min: 1, max: MAKE_MAX }));
    }
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            let Entry { record, closed_at, .. } = get(tx, id).await?;
            if !record.bearer {
                return Err(Error::NotFound);
            }
            let now = tx.now();
            let terms = Terms {
                id,
                code: record.code,
                valid_days: record.valid_days,
                last_day: record.last_day,
                uses: record.uses,
                closed_at,
            };
            let expires_at = terms.expires_at(tx.shop(), now);
            if terms.closed_at.is_some() || expires_at <= now {
                return Err(Error::Stale);
            }
            let mut rows = rows();
            for _ in 0..count {
                rows.push(new(&terms, None, now, expires_at));
            }
            db::insert(tx, rows).await?;
            Ok(by
                .record(tx, "series.make", None, Some(id.0), &count.to_string())
                .await?)
        })
    })
    .await
}

/// A coupon that is handed out.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Handed {
    /// Its code.
    pub code: String,
    /// The first moment at which it is good no more.
    pub expires_at: DateTime<Utc>,
    /// How often it may be used.
    pub uses: i64,
    /// How often it was.
    pub used: i64,
}

/// The coupons of a series that are to be handed out, in the order in which they were made, of very many the newest
/// [`HANDED_MAX`], and the code of the series. That they were taken away is written down. [`Error::NotFound`] for no series.
pub async fn handed(db: &Db, by: &Fresh<'_, Staff>, id: SeriesId) -> Result<(String, Vec<Handed>), Error> {
    const SQL: &str = concat!(
        "SELECT c.code, c.expires_at, c.uses, (SELECT COUNT(*) FROM coupon_uses u WHERE u.coupon_id = c.id AND ",
        is_kept!("u.purchase_id"),
        ") AS used FROM coupons c WHERE c.series_id = $1 AND c.customer_id IS NULL ORDER BY c.id DESC LIMIT $2"
    );
    by.may(Right::Rules)?;
    let code = db
        .write(|tx| {
            scoped(async move {
                let code = get(tx, id).await?.record.code;
                by.record(tx, "coupon.codes", None, Some(id.0), "").await?;
                Ok::<_, Error>(code)
            })
        })
        .await?;
    let mut conn = db.read().await?;
    let mut coupons: Vec<Handed> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(id)
        .bind(HANDED_MAX)
        .fetch_all(c)
        .await)?;
    coupons.reverse();
    Ok((code, coupons))
}

/// Sees to it that nobody else changes a series until the transaction ends.
async fn hold(tx: &mut Tx, id: SeriesId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE coupon_series SET code = code WHERE id = $1";
    on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))
}
