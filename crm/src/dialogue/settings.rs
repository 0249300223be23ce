//! Numbers that the dialogue goes by, as staff set them: what changes is another version, which counts at once.

use super::store::catalogue;
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::{Check, Flaw};
use crate::on;
use crate::staff::Right;
use crate::who::Staff;
use std::collections::BTreeMap;

/// Each with the least and the most that it may be.
pub const SETTINGS: [(&str, i64, i64); 4] = [
    ("state_minutes", 5, 24 * 60),
    ("kept_days", 1, 30),
    ("purchases_shown", 1, 20),
    ("offers_shown", 1, 20),
];

/// What is set, by code, and which state of it that is. That it was looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<(BTreeMap<String, i64>, i64), Error> {
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "dialogue.read", None, None, "").await?;
            Ok((catalogue(tx).await?.settings, state(tx).await?))
        })
    })
    .await
}

/// Higher with each change.
async fn state(conn: &mut Conn) -> Result<i64, sqlx::Error> {
    const SQL: &str = "SELECT COUNT(*) FROM dialogue_settings";
    on!(conn, |c| sqlx::query_scalar(SQL).fetch_one(c).await)
}

/// Sets all of them to what was typed. `seen` is the state that was shown: [`Error::Stale`] where it is another one by now. Fails
/// with flaws at their codes.
pub async fn set(db: &Db, by: &Staff, seen: i64, typed: &BTreeMap<String, String>) -> Result<(), Error> {
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            if state(tx).await? != seen {
                return Err(Error::Stale);
            }
            let mut check = Check::new();
            let mut values = Vec::new();
            for (code, min, max) in SETTINGS {
                let raw = typed.get(code).map_or("", |raw| raw.trim());
                let value = match (raw, raw.parse::<i64>()) {
                    ("", _) => Err(Flaw::Missing),
                    (_, Err(_)) => Err(Flaw::NotANumber),
                    (_, Ok(value)) if (min..=max).contains(&value) => Ok(value),
                    (_, Ok(_)) => Err(Flaw::OutOfRange { min, max }),
                };
                values.extend(check.field(code, value).map(|value| (code, value)));
            }
            check.result()?;
            let held = catalogue(tx).await?.settings;
            let mut changes = Vec::new();
            for (code, value) in values {
                let before = held.get(code).copied();
                if before == Some(value) {
                    continue;
                }
                match enter(tx, code, value).await {
                    Err(e) if db::is_taken(&e) => return Err(Error::Stale),
                    other => other?,
                }
                let before = before.map_or_else(String::new, |before| before.to_string());
                changes.push(format!("{code} {before} → {value}"));
            }
            if !changes.is_empty() {
                by.record(tx, "dialogue.set", None, None, &changes.join("; ")).await?;
            }
            Ok(())
        })
    })
    .await
}

async fn enter(tx: &mut Tx, code: &str, value: i64) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO dialogue_settings (code, version, value, published_at) \
                       VALUES ($1, (SELECT COALESCE(MAX(version), 0) + 1 FROM dialogue_settings WHERE code = $1), $2, $3)";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(code)
        .bind(value)
        .bind(now)
        .execute(c)
        .await
        .map(drop))
}
