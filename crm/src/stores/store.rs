//! Shops and categories in the database.

pub mod category;
pub mod managing;

use super::{Category, NewStore, Store};
use crate::db::{self, Conn, Tx};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::{CategoryId, StoreId};
use crate::lang::{Lang, Localized, fold};
use crate::on;
use crate::rule::store::REVISION;
use crate::who::System;
use chrono_tz::Tz;
use sqlx::types::Json;
use std::collections::HashMap;

/// The shops that are not closed for good, by town and name as the language sorts them.
pub async fn list(conn: &mut Conn, lang: Lang) -> Result<Vec<Store>, Error> {
    const SQL: &str = "SELECT id, code, name, town, address, latitude, longitude, hours, phone, time_zone, \
                       exceptions FROM stores WHERE closed_at IS NULL OR closed_at > $1";
    let now = conn.now();
    let mut stores: Vec<Store> = on!(conn, |c| sqlx::query_as(SQL).bind(now).fetch_all(c).await)?;
    stores.sort_by_cached_key(|s| (fold(s.town.get(lang)), fold(s.name.get(lang)), s.id));
    Ok(stores)
}

/// The time zone by which the clock of a shop goes; the chain's where it has none of its own, or nobody says which shop.
pub(crate) async fn zone_of(conn: &mut Conn, store: Option<StoreId>) -> Result<Tz, sqlx::Error> {
    const SQL: &str = "SELECT time_zone FROM stores WHERE id = $1";
    let name: Option<Option<String>> = match store {
        Some(id) => on!(conn, |c| sqlx::query_scalar(SQL).bind(id).fetch_optional(c).await)?,
        None => None,
    };
    Ok(conn.shop().zone_of(name.flatten().as_deref()))
}

/// The categories, in the order the shop gave them.
pub async fn categories(conn: &mut Conn) -> Result<Vec<Category>, Error> {
    const SQL: &str = "SELECT id, code, name FROM categories ORDER BY position, id";
    Ok(on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?)
}

/// Writes a shop down, or replaces the one with its code.
pub async fn put(tx: &mut Tx, _by: &System, new: &NewStore) -> Result<StoreId, Error> {
    const SQL: &str = "INSERT INTO stores (id, code, name, town, address, latitude, longitude, hours, phone, region, \
                       time_zone, exceptions) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, COALESCE($12, '[]')) \
                       ON CONFLICT (code) DO UPDATE SET name = excluded.name, town = excluded.town, address = excluded.address, \
                       latitude = excluded.latitude, longitude = excluded.longitude, hours = excluded.hours, \
                       phone = excluded.phone, region = excluded.region, time_zone = excluded.time_zone, \
                       exceptions = COALESCE($12, stores.exceptions) RETURNING id";
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
        .bind(new.time_zone.as_deref().map(str::trim))
        .bind(new.exceptions.as_ref().map(Json))
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

#[derive(sqlx::FromRow)]
struct NestedRow {
    id: CategoryId,
    code: String,
    parent_id: Option<CategoryId>,
}

/// Puts categories into others, each by the code of the one that it lies right within (empty: within none). They may come in
/// any order. A flaw stands with the place of its category: [`Flaw::NotAChoice`] where no category has the code, and
/// [`Flaw::Circle`] where it would lie within itself; then nothing is to be kept of the transaction.
pub async fn nest(tx: &mut Tx, _by: &System, parents: &[(CategoryId, &str)]) -> Result<Vec<(usize, Flaw)>, Error> {
    put_within(tx, parents).await
}

async fn put_within(tx: &mut Tx, parents: &[(CategoryId, &str)]) -> Result<Vec<(usize, Flaw)>, Error> {
    const ALL: &str = "SELECT id, code, parent_id FROM categories";
    const PUT: &str = "UPDATE categories SET parent_id = $2 WHERE id = $1";
    // Rules are prepared anew, and nobody else moves a category until the transaction ends: two could close a circle.
    db::next_number(tx, REVISION).await?;
    let rows: Vec<NestedRow> = on!(tx, |c| sqlx::query_as(ALL).fetch_all(c).await)?;
    let codes: HashMap<&str, CategoryId> = rows.iter().map(|row| (row.code.as_str(), row.id)).collect();
    let mut above: HashMap<CategoryId, CategoryId> =
        rows.iter().filter_map(|row| Some((row.id, row.parent_id?))).collect();
    let mut flaws = Vec::new();
    for (place, (id, code)) in parents.iter().enumerate() {
        match codes.get(code) {
            _ if code.is_empty() => {
                above.remove(id);
            }
            Some(parent) => {
                above.insert(*id, *parent);
            }
            None => flaws.push((place, Flaw::NotAChoice)),
        }
    }
    for (place, (id, _)) in parents.iter().enumerate() {
        let up = std::iter::successors(above.get(id), |parent| above.get(*parent));
        // Others may go round in a circle of which this one is no part.
        if up.take(rows.len()).any(|parent| parent == id) {
            flaws.push((place, Flaw::Circle));
        }
    }
    for (id, _) in parents.iter().filter(|_| flaws.is_empty()) {
        on!(tx, |c| sqlx::query(PUT)
            .bind(id)
            .bind(above.get(id).copied())
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(flaws)
}
