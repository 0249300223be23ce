//! Shops and categories in the database.

pub mod managing;

use super::{Category, NewStore, Store};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::id::{CategoryId, StoreId};
use crate::lang::{Lang, Localized, fold};
use crate::on;
use crate::who::System;
use sqlx::types::Json;

/// The shops that are not closed for good, by town and name as the language sorts them.
pub async fn list(conn: &mut Conn, lang: Lang) -> Result<Vec<Store>, Error> {
    const SQL: &str = "SELECT id, code, name, town, address, latitude, longitude, hours, phone FROM stores \
                       WHERE closed_at IS NULL OR closed_at > $1";
    let now = conn.now();
    let mut stores: Vec<Store> = on!(conn, |c| sqlx::query_as(SQL).bind(now).fetch_all(c).await)?;
    stores.sort_by_cached_key(|s| (fold(s.town.get(lang)), fold(s.name.get(lang)), s.id));
    Ok(stores)
}

/// The categories, in the order the shop gave them.
pub async fn categories(conn: &mut Conn) -> Result<Vec<Category>, Error> {
    const SQL: &str = "SELECT id, code, name FROM categories ORDER BY position, id";
    Ok(on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?)
}

/// Writes a shop down, or replaces the one with its code.
pub async fn put(tx: &mut Tx, _by: &System, new: &NewStore) -> Result<StoreId, Error> {
    const SQL: &str = "INSERT INTO stores (id, code, name, town, address, latitude, longitude, hours, phone, region) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (code) DO UPDATE SET \
                       name = excluded.name, town = excluded.town, address = excluded.address, \
                       latitude = excluded.latitude, longitude = excluded.longitude, hours = excluded.hours, \
                       phone = excluded.phone, region = excluded.region RETURNING id";
    Ok(on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(StoreId::new())
        .bind(&new.code)
        .bind(Json(&new.name))
        .bind(Json(&new.town))
        .bind(Json(&new.address))
        .bind(new.latitude)
        .bind(new.longitude)
        .bind(Json(&new.hours))
        .bind(&new.phone)
        .bind(new.region.as_deref().map(str::trim))
        .fetch_one(c)
        .await)?)
}

/// Writes a category down, or replaces the one with its code. Categories are listed by `position`.
pub async fn put_category(
    tx: &mut Tx,
    _by: &System,
    code: &str,
    name: &Localized,
    position: i64,
) -> Result<CategoryId, Error> {
    const SQL: &str = "INSERT INTO categories (id, code, name, position) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (code) DO UPDATE SET name = excluded.name, position = excluded.position RETURNING id";
    Ok(on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(CategoryId::new())
        .bind(code)
        .bind(Json(name))
        .bind(position)
        .fetch_one(c)
        .await)?)
}
