//! Promotions in the database.

use super::{Brief, NewPromotion, Place, Promotion};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::id::{PromotionId, StoreId};
use crate::lang::Localized;
use crate::on;
use crate::who::System;
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use std::collections::{BTreeSet, HashMap};

#[derive(sqlx::FromRow)]
struct Row {
    id: PromotionId,
    code: String,
    version: i64,
    #[sqlx(json)]
    title: Localized,
    #[sqlx(json)]
    conditions: Localized,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct PlaceRow {
    promotion_id: PromotionId,
    id: StoreId,
    #[sqlx(json)]
    name: Localized,
    #[sqlx(json)]
    town: Localized,
}

/// The promotions that hold at a moment, the one that ends first at the head.
pub async fn running(conn: &mut Conn, at: DateTime<Utc>) -> Result<Vec<Promotion>, Error> {
    const SQL: &str = "SELECT id, code, version, title, conditions, starts_at, ends_at FROM promotions \
                       WHERE ends_at > $1 AND starts_at <= $1 ORDER BY ends_at, id";
    const PLACES: &str = "SELECT l.promotion_id, s.id, s.name, s.town FROM promotions p \
                          JOIN promotion_stores l ON l.promotion_id = p.id JOIN stores s ON s.id = l.store_id \
                          WHERE p.ends_at > $1 AND p.starts_at <= $1 ORDER BY s.code";
    let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL).bind(at).fetch_all(c).await)?;
    let places: Vec<PlaceRow> = on!(conn, |c| sqlx::query_as(PLACES).bind(at).fetch_all(c).await)?;
    let mut by_promotion: HashMap<PromotionId, Vec<Place>> = HashMap::new();
    for PlaceRow {
        promotion_id,
        id,
        name,
        town,
    } in places
    {
        by_promotion
            .entry(promotion_id)
            .or_default()
            .push(Place { id, name, town });
    }
    let with_places = |Row {
                           id,
                           code,
                           version,
                           title,
                           conditions,
                           starts_at,
                           ends_at,
                       }| {
        let places = by_promotion.remove(&id).unwrap_or_default();
        Promotion {
            id,
            code,
            version,
            title,
            conditions,
            starts_at,
            ends_at,
            places,
        }
    };
    Ok(rows.into_iter().map(with_places).collect())
}

/// Those that hold at a moment and end first, up to `limit`: what they give and on what conditions.
pub async fn ending(conn: &mut Conn, at: DateTime<Utc>, limit: i64) -> Result<Vec<Brief>, Error> {
    const SQL: &str = "SELECT title, conditions, ends_at FROM promotions WHERE ends_at > $1 AND starts_at <= $1 \
                       ORDER BY ends_at, id LIMIT $2";
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(at)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

/// Writes a promotion down, or replaces the one with its code. The version goes up when something is different, so
/// that loading the same twice changes nothing.
pub async fn put(tx: &mut Tx, _by: &System, new: &NewPromotion) -> Result<PromotionId, Error> {
    const HELD: &str =
        "SELECT id, code, version, title, conditions, starts_at, ends_at FROM promotions WHERE code = $1";
    const HELD_STORES: &str = "SELECT store_id FROM promotion_stores WHERE promotion_id = $1";
    const PUT: &str = "INSERT INTO promotions (id, code, version, title, conditions, starts_at, ends_at) \
                       VALUES ($1, $2, 1, $3, $4, $5, $6) ON CONFLICT (code) DO UPDATE SET \
                       version = promotions.version + 1, title = excluded.title, conditions = excluded.conditions, \
                       starts_at = excluded.starts_at, ends_at = excluded.ends_at RETURNING id";
    const CLEAR: &str = "DELETE FROM promotion_stores WHERE promotion_id = $1";
    const PLACE: &str = "INSERT INTO promotion_stores (promotion_id, store_id) VALUES ($1, $2)";
    let stores: BTreeSet<StoreId> = new.stores.iter().copied().collect();
    let held: Option<Row> = on!(tx, |c| sqlx::query_as(HELD).bind(&new.code).fetch_optional(c).await)?;
    if let Some(held) = held {
        let places: Vec<StoreId> = on!(tx, |c| sqlx::query_scalar(HELD_STORES).bind(held.id).fetch_all(c).await)?;
        let same = held.title == new.title
            && held.conditions == new.conditions
            && (held.starts_at, held.ends_at) == (new.starts_at, new.ends_at)
            && places.into_iter().collect::<BTreeSet<_>>() == stores;
        if same {
            return Ok(held.id);
        }
    }
    let id: PromotionId = on!(tx, |c| sqlx::query_scalar(PUT)
        .bind(PromotionId::new())
        .bind(&new.code)
        .bind(Json(&new.title))
        .bind(Json(&new.conditions))
        .bind(new.starts_at)
        .bind(new.ends_at)
        .fetch_one(c)
        .await)?;
    on!(tx, |c| sqlx::query(CLEAR).bind(id).execute(c).await.map(drop))?;
    for store in stores {
        on!(tx, |c| sqlx::query(PLACE)
            .bind(id)
            .bind(store)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(id)
}
