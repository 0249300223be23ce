//! Tills and their keys in the database. Who gives out keys has proved moments ago who they are: a key opens every
//! customer's points.

use super::{ApiKey, Entry, NewTill, Scope};
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::flaw::{Check, Flaw};
use crate::id::{ApiKeyId, StoreId, TillId};
use crate::lang::Localized;
use crate::on;
use crate::staff::Right;
use crate::who::{Fresh, Staff, System, Token};
use chrono::{DateTime, Utc};
use sqlx::types::Json;

/// How many keys of a till may be good at the same time: one in use, one that takes its place, one in reserve.
pub const MOST_KEYS: i64 = 3;

/// With these letters a key begins, so that people and scanners of leaks know what it is.
const PREFIX: &str = "kbt_";

/// Adds a till. Fails with flaws at `key` (its code), `name`, `source` and `store`.
pub async fn create(db: &Db, by: &Fresh<'_, Staff>, new: &NewTill) -> Result<TillId, Error> {
    by.may(Right::Tills)?;
    db.write(|tx| {
        scoped(async move {
            let id = enter(tx, new).await?;
            by.record(tx, "till.create", None, Some(id.0), "").await?;
            Ok(id)
        })
    })
    .await
}

/// The same for the command line.
pub async fn create_by_system(db: &Db, _by: &System, new: &NewTill) -> Result<TillId, Error> {
    db.write(|tx| scoped(enter(tx, new))).await
}

async fn enter(tx: &mut Tx, new: &NewTill) -> Result<TillId, Error> {
    const STORE: &str = "SELECT id FROM stores WHERE id = $1";
    const SQL: &str =
        "INSERT INTO tills (id, code, name, source, store_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    let mut check = Check::new();
    let Some(new) = new.check(&mut check) else {
        return Err(Error::Invalid(check.flaws()));
    };
    if let Some(store) = new.store {
        let found: Option<StoreId> = on!(tx, |c| sqlx::query_scalar(STORE).bind(store).fetch_optional(c).await)?;
        found.ok_or(Error::field("store", Flaw::NotAChoice))?;
    }
    let (id, now) = (TillId::new(), tx.now());
    let inserted = on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(&new.code)
        .bind(&new.name)
        .bind(&new.source)
        .bind(new.store)
        .bind(now)
        .execute(c)
        .await
        .map(drop));
    unless_taken(inserted)?;
    Ok(id)
}

/// Makes a key and tells its secret, which is not to be had again. [`Error::NotFound`] for no till, and
/// [`Flaw::LastOne`] at `scopes` where it is good for nothing; [`Error::Stale`] where there are [`MOST_KEYS`] already.
pub async fn create_key(db: &Db, by: &Fresh<'_, Staff>, till: TillId, scopes: &[Scope]) -> Result<Token, Error> {
    by.may(Right::Tills)?;
    db.write(|tx| {
        scoped(async move {
            let (id, secret) = enter_key(tx, till, scopes).await?;
            by.record(tx, "till.key.create", None, Some(id.0), "").await?;
            Ok(secret)
        })
    })
    .await
}

/// The same for the command line.
pub async fn create_key_by_system(db: &Db, _by: &System, till: TillId, scopes: &[Scope]) -> Result<Token, Error> {
    db.write(|tx| scoped(async move { Ok(enter_key(tx, till, scopes).await?.1) }))
        .await
}

async fn enter_key(tx: &mut Tx, till: TillId, scopes: &[Scope]) -> Result<(ApiKeyId, Token), Error> {
    // Takes the till, so that two at once do not make one key too many.
    const TILL: &str = "UPDATE tills SET code = code WHERE id = $1 AND disabled_at IS NULL";
    const COUNT: &str = "SELECT COUNT(*) FROM api_keys WHERE till_id = $1 AND revoked_at IS NULL";
    const SQL: &str =
        "INSERT INTO api_keys (id, till_id, key_hash, hint, scopes, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    if scopes.is_empty() {
        return Err(Error::field("scopes", Flaw::Missing));
    }
    let rows = on!(tx, |c| sqlx::query(TILL)
        .bind(till)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        return Err(Error::NotFound);
    }
    let good: i64 = on!(tx, |c| sqlx::query_scalar(COUNT).bind(till).fetch_one(c).await)?;
    if good >= MOST_KEYS {
        return Err(Error::Stale);
    }
    let (id, now) = (ApiKeyId::new(), tx.now());
    let secret = Token::received(&format!("{PREFIX}{}", Token::random().secret()));
    let hint = secret
        .secret()
        .get(secret.secret().len() - 4..)
        .unwrap_or_default()
        .to_owned();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(till)
        .bind(secret.hash())
        .bind(&hint)
        .bind(Json(scopes))
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    Ok((id, secret))
}

/// The till of a code.
pub async fn by_code(db: &Db, _by: &System, code: &str) -> Result<Option<TillId>, Error> {
    const SQL: &str = "SELECT id FROM tills WHERE code = $1";
    let mut conn = db.read().await?;
    Ok(on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(code)
        .fetch_optional(c)
        .await)?)
}

/// Makes a key worth nothing from now on. One that is already is left as it is.
pub async fn revoke_key(db: &Db, by: &Fresh<'_, Staff>, id: ApiKeyId) -> Result<(), Error> {
    const SQL: &str = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    by.may(Right::Tills)?;
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(now)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows > 0 {
                by.record(tx, "till.key.revoke", None, Some(id.0), "").await?;
            }
            Ok(())
        })
    })
    .await
}

/// Switches a till off, with all of its keys, or on again.
pub async fn switch(db: &Db, by: &Fresh<'_, Staff>, id: TillId, on: bool) -> Result<(), Error> {
    const SQL: &str = "UPDATE tills SET disabled_at = $2 WHERE id = $1";
    by.may(Right::Tills)?;
    db.write(|tx| {
        scoped(async move {
            let at = (!on).then(|| tx.now());
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(at)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::NotFound);
            }
            let action = if on { "till.enable" } else { "till.disable" };
            by.record(tx, action, None, Some(id.0), "").await?;
            Ok(())
        })
    })
    .await
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    id: TillId,
    code: String,
    name: String,
    source: String,
    store: Option<Json<Localized>>,
    disabled_at: Option<DateTime<Utc>>,
    used_at: Option<DateTime<Utc>>,
    keys: i64,
}

const SELECT: &str = "SELECT t.id, t.code, t.name, t.source, s.name AS store, t.disabled_at, \
    (SELECT MAX(k.used_at) FROM api_keys k WHERE k.till_id = t.id) AS used_at, \
    (SELECT COUNT(*) FROM api_keys k WHERE k.till_id = t.id AND k.revoked_at IS NULL) AS keys \
    FROM tills t LEFT JOIN stores s ON s.id = t.store_id";

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        Self {
            id: row.id,
            code: row.code,
            name: row.name,
            source: row.source,
            store: row.store.map(|name| name.0),
            disabled_at: row.disabled_at,
            used_at: row.used_at,
            keys: row.keys,
        }
    }
}

/// Every till, by code. That it was looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<Vec<Entry>, Error> {
    by.may(Right::Tills)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "till.list", None, None, "").await?;
            let query = db::ListQuery::new(SELECT).tail("ORDER BY t.code");
            let rows: Vec<EntryRow> = db::list(tx, query).await?;
            Ok(rows.into_iter().map(Into::into).collect())
        })
    })
    .await
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: ApiKeyId,
    hint: String,
    #[sqlx(json)]
    scopes: Vec<Scope>,
    created_at: DateTime<Utc>,
    used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

/// One till with its keys, the newest first. That it was looked at is written down. Fails with [`Error::NotFound`].
pub async fn get(db: &Db, by: &Staff, id: TillId) -> Result<(Entry, Vec<ApiKey>), Error> {
    by.may(Right::Tills)?;
    db.write(|tx| {
        scoped(async move {
            let query = db::ListQuery::new(SELECT).filter("t.id = ?", [db::Bind::Id(id.0)]);
            let mut rows: Vec<EntryRow> = db::list(tx, query).await?;
            let till = rows.pop().ok_or(Error::NotFound)?.into();
            by.record(tx, "till.read", None, Some(id.0), "").await?;
            Ok((till, keys(tx, id).await?))
        })
    })
    .await
}

async fn keys(conn: &mut Conn, till: TillId) -> Result<Vec<ApiKey>, sqlx::Error> {
    const SQL: &str = "SELECT id, hint, scopes, created_at, used_at, revoked_at FROM api_keys WHERE till_id = $1 \
                       ORDER BY created_at DESC, id DESC";
    let rows: Vec<KeyRow> = on!(conn, |c| sqlx::query_as(SQL).bind(till).fetch_all(c).await)?;
    Ok(rows
        .into_iter()
        .map(|row| ApiKey {
            id: row.id,
            hint: row.hint,
            scopes: row.scopes,
            created_at: row.created_at,
            used_at: row.used_at,
            revoked_at: row.revoked_at,
        })
        .collect())
}
