//! Counts in the database.

use super::Limits;
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::on;
use crate::who::System;
use chrono::{DateTime, Duration, Utc};

/// The span that the hourly limits are for.
const HOUR: Duration = Duration::hours(1);
/// Counts are kept in slots of this many seconds, so that an hour is twelve rows and not one for each message.
const SLOT: i64 = 5 * 60;
/// How long counts are kept: the longest span is a day of the shop.
const KEPT: Duration = Duration::days(3);
/// The key of all messages of a day.
const DAY: &str = "sms.day";

/// Counts a code that is about to go by SMS, in the transaction that sends it; fails with [`Error::TooMany`] where the
/// number, the network, the country or the day has had its share. What is refused is not counted, for its transaction is
/// undone; and the day is asked first, so that there are never more rows than the day has messages.
pub async fn check_sms(tx: &mut Tx, phone: &str, network: &str) -> Result<(), Error> {
    let limits = tx.shop().limits.clone();
    let now = tx.now();
    let (midnight, next) = day(tx);
    let sent = add(tx, DAY, midnight).await?;
    if sent > i64::from(limits.sms_per_day) {
        let wait = (next - now).num_seconds();
        return Err(refuse("day", u32::try_from(wait).unwrap_or(3600).max(1)));
    }
    let country = tx.shop().country.clone();
    if let Some((prefix, budget)) = budget(&limits, phone, &country) {
        within(tx, "prefix", &prefix, budget).await?;
    }
    within(tx, "network", network, limits.sms_per_network).await?;
    within(tx, "number", phone, limits.sms_per_number).await
}

/// When a message by SMS that nobody asked for may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Now, and it is counted.
    Now,
    /// Not before the country or the day has some of its budget left: it is counted then.
    Later,
    /// The number has had its share of them, or nothing goes to its country.
    Never,
}

/// Counts a message by SMS that nobody asked for, in the transaction of what it tells of: the change that it tells of stands
/// whenever it may go. The number has a share of its own for these, so that they keep no codes from it, and is asked first, so
/// that they use up no day.
pub async fn notify(tx: &mut Tx, phone: &str) -> Result<Notice, Error> {
    let most = tx.shop().limits.sms_notices_per_number;
    if take(tx, &format!("sms.notice:{phone}"), most).await? {
        notify_now(tx, phone).await
    } else {
        refused("notice");
        Ok(Notice::Never)
    }
}

/// The same for one that is in the number's share already: by the budgets of its country and of the day. What is refused is not
/// counted, for it comes back.
pub(crate) async fn notify_now(tx: &mut Tx, phone: &str) -> Result<Notice, Error> {
    let country = country(tx, phone);
    if matches!(country, Some((_, 0))) {
        refused("prefix");
        return Ok(Notice::Never);
    }
    // Counting first locks the rows, so that two at once cannot both be the last one.
    let (midnight, _) = day(tx);
    if add(tx, DAY, midnight).await? > i64::from(tx.shop().limits.sms_per_day) {
        take_back(tx, DAY, midnight).await?;
        refused("day");
        return Ok(Notice::Later);
    }
    if let Some((key, most)) = &country
        && !take(tx, key, *most).await?
    {
        take_back(tx, key, slot(tx.now())).await?;
        take_back(tx, DAY, midnight).await?;
        refused("prefix");
        return Ok(Notice::Later);
    }
    Ok(Notice::Now)
}

/// The key that a number's country is counted by, if it is, and how many may go there within an hour.
fn country(conn: &Conn, phone: &str) -> Option<(String, u32)> {
    let shop = conn.shop();
    budget(&shop.limits, phone, &shop.country).map(|(prefix, most)| (format!("sms.prefix:{prefix}"), most))
}

fn refused(what: &'static str) {
    metrics::counter!("kabinet_sms_refused_total", "limit" => what).increment(1);
}

/// Whether what nobody asked for would not come to this number at once, because too much has gone to it within the hour, or
/// because the budget of its country or of the day is spent.
pub(crate) async fn hears_no_more(conn: &mut Conn, phone: &str) -> Result<bool, Error> {
    let most = conn.shop().limits.sms_notices_per_number;
    if is_used_up(conn, &format!("sms.notice:{phone}"), most).await? {
        return Ok(true);
    }
    if let Some((key, most)) = country(conn, phone)
        && is_used_up(conn, &key, most).await?
    {
        refused("prefix");
        return Ok(true);
    }
    let is_spent = sms_today(conn).await?.is_spent();
    if is_spent {
        refused("day");
    }
    Ok(is_spent)
}

async fn within(tx: &mut Tx, what: &'static str, whose: &str, limit: u32) -> Result<(), Error> {
    if take(tx, &format!("sms.{what}:{whose}"), limit).await? {
        Ok(())
    } else {
        Err(refuse(what, 3600))
    }
}

fn refuse(what: &'static str, retry_after: u32) -> Error {
    refused(what);
    Error::TooMany { retry_after }
}

/// Counts one of something that may be had `limit` times within an hour; false when that were too many.
pub async fn take(tx: &mut Tx, key: &str, limit: u32) -> Result<bool, Error> {
    // Counting first locks the slot, so that two at once cannot both be the last one.
    let at = slot(tx.now());
    add(tx, key, at).await?;
    Ok(counted(tx, key).await? <= i64::from(limit))
}

/// Counts one of something that may be had `limit` times within a day of the shop; false when that were too many.
pub(crate) async fn take_today(tx: &mut Tx, key: &str, limit: u32) -> Result<bool, Error> {
    let (midnight, _) = day(tx);
    Ok(add(tx, key, midnight).await? <= i64::from(limit))
}

/// The same, failing with [`Error::TooMany`].
pub(crate) async fn within_today(tx: &mut Tx, key: &str, limit: u32) -> Result<(), Error> {
    if take_today(tx, key, limit).await? {
        return Ok(());
    }
    let (_, next) = day(tx);
    let wait = (next - tx.now()).num_seconds();
    Err(Error::TooMany {
        retry_after: u32::try_from(wait).unwrap_or(3600).max(1),
    })
}

/// Whether something was counted as often as it may be within an hour. For what is counted only once it went wrong.
pub async fn is_used_up(conn: &mut Conn, key: &str, limit: u32) -> Result<bool, Error> {
    Ok(counted(conn, key).await? >= i64::from(limit))
}

async fn counted(conn: &mut Conn, key: &str) -> Result<i64, sqlx::Error> {
    const SQL: &str = "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM limits WHERE key = $1 AND starts_at > $2";
    let now = conn.now();
    on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(key)
        .bind(now - HOUR)
        .fetch_one(c)
        .await)
}

async fn add(tx: &mut Tx, key: &str, starts_at: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    const SQL: &str = "INSERT INTO limits (key, starts_at, count) VALUES ($1, $2, 1) \
                       ON CONFLICT (key, starts_at) DO UPDATE SET count = limits.count + 1 RETURNING count";
    on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(key)
        .bind(starts_at)
        .fetch_one(c)
        .await)
}

/// Takes back what was counted in this transaction.
async fn take_back(tx: &mut Tx, key: &str, starts_at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE limits SET count = count - 1 WHERE key = $1 AND starts_at = $2";
    on!(tx, |c| sqlx::query(SQL)
        .bind(key)
        .bind(starts_at)
        .execute(c)
        .await
        .map(drop))
}

/// The slot of a moment.
fn slot(now: DateTime<Utc>) -> DateTime<Utc> {
    let start = now.timestamp() - now.timestamp().rem_euclid(SLOT);
    DateTime::from_timestamp(start, 0).unwrap_or(now)
}

/// What counts for a number's country and how many may go there within an hour: the longest beginning that is named,
/// else its calling code; none for the shop's own country, where nothing is named.
fn budget(limits: &Limits, phone: &str, country: &str) -> Option<(String, u32)> {
    let digits = phone.trim_start_matches('+');
    let named = limits
        .sms_prefixes
        .iter()
        .filter(|(prefix, _)| digits.starts_with(prefix.as_str()))
        .max_by_key(|(prefix, _)| prefix.len());
    if let Some((prefix, budget)) = named {
        return Some((prefix.clone(), *budget));
    }
    let number = phonenumber::parse(None, phone).ok();
    let there = number.as_ref().and_then(|number| number.country().id());
    if there.is_some() && there == country.parse().ok() {
        return None;
    }
    // Countries share calling codes, so what is counted is the code.
    let code = number.map_or_else(String::new, |number| number.code().value().to_string());
    Some((code, limits.sms_elsewhere))
}

/// The first moment of the shop's day and of the next one.
fn day(conn: &Conn) -> (DateTime<Utc>, DateTime<Utc>) {
    let shop = conn.shop();
    let today = shop.day(conn.now());
    let midnight = shop.midnight(today);
    let next = today.succ_opt().map_or(midnight, |tomorrow| shop.midnight(tomorrow));
    (midnight, next)
}

/// What of today's budget of text messages is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmsDay {
    /// How many codes were sent.
    pub sent: i64,
    /// How many may be.
    pub budget: i64,
}

impl SmsDay {
    /// Nothing more goes today.
    pub fn is_spent(&self) -> bool {
        self.sent >= self.budget
    }
}

/// What of today's budget of text messages is used.
pub async fn sms_today(conn: &mut Conn) -> Result<SmsDay, Error> {
    const SQL: &str = "SELECT count FROM limits WHERE key = $1 AND starts_at = $2";
    let (midnight, _) = day(conn);
    let sent: Option<i64> = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(DAY)
        .bind(midnight)
        .fetch_optional(c)
        .await)?;
    Ok(SmsDay {
        sent: sent.unwrap_or(0),
        budget: i64::from(conn.shop().limits.sms_per_day),
    })
}

/// Adds what a node has counted within a minute, by keys in their order, and tells what all nodes together have told of the
/// same.
pub async fn exchange(
    db: &Db,
    _by: &System,
    starts_at: DateTime<Utc>,
    counts: &[(i64, u32)],
) -> Result<Vec<(i64, i64)>, Error> {
    db.write(|tx| {
        scoped(async move {
            let mut rows = db::Rows::new(
                "INSERT INTO paces (key, starts_at, count)",
                "ON CONFLICT (key, starts_at) DO UPDATE SET count = paces.count + excluded.count RETURNING key, count",
            );
            for (key, count) in counts {
                rows.push([
                    db::Bind::Int(*key),
                    db::Bind::Time(starts_at),
                    db::Bind::Int(i64::from(*count)),
                ]);
            }
            Ok(db::insert_returning(tx, rows).await?)
        })
    })
    .await
}

/// Removes counts that limit nothing any more.
pub async fn sweep(db: &Db, _by: &System) -> Result<(), Error> {
    const PACES: &str = "DELETE FROM paces WHERE (key, starts_at) IN \
                         (SELECT key, starts_at FROM paces WHERE starts_at < $1 LIMIT $2)";
    db::sweep(db, PACES, db.now() - HOUR).await?;
    const SQL: &str = "DELETE FROM limits WHERE (key, starts_at) IN \
                       (SELECT key, starts_at FROM limits WHERE starts_at < $1 LIMIT $2)";
    db::sweep(db, SQL, db.now() - KEPT).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_budget() {
        let mut limits = Limits::default();
        let elsewhere = |code: &str| Some((code.to_owned(), limits.sms_elsewhere));
        // Russia and Kazakhstan share a calling code, and are two countries.
        assert_eq!(budget(&limits, "+79001234567", "RU"), None);
        assert_eq!(budget(&limits, "+77011234567", "KZ"), None);
        assert_eq!(budget(&limits, "+77011234567", "RU"), elsewhere("7"));
        assert_eq!(budget(&limits, "+375291234567", "RU"), elsewhere("375"));
        assert_eq!(budget(&limits, "+18762101234", "US"), elsewhere("1"));
        assert_eq!(budget(&limits, "+99", "RU"), elsewhere(""));
        limits.sms_prefixes = [("375", 100), ("37533", 5), ("7", 3)]
            .map(|(prefix, budget)| (prefix.to_owned(), budget))
            .into();
        let named = |prefix: &str, budget| Some((prefix.to_owned(), budget));
        assert_eq!(budget(&limits, "+375291234567", "RU"), named("375", 100));
        assert_eq!(budget(&limits, "+375331234567", "RU"), named("37533", 5));
        assert_eq!(budget(&limits, "+79001234567", "RU"), named("7", 3));
    }
}
