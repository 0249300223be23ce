//! Promotions in the database.

macro_rules! promotions {
    ($rest:literal) => {
        concat!(
            "SELECT id, code, version, title, conditions, starts_at, ends_at, must_activate, stage FROM promotions ",
            $rest
        )
    };
}

pub mod managing;
pub mod offers;
pub mod outcome;

use super::{NewPromotion, Place, Promotion, Stage};
use crate::db::{self, Bind, Conn, ListQuery, Tx};
use crate::error::Error;
use crate::id::{PromotionId, RuleId, StoreId};
use crate::lang::Localized;
use crate::on;
use crate::rule::store::Timeline;
use crate::who::System;
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

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
    must_activate: bool,
    stage: Stage,
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
    const SQL: &str =
        promotions!("WHERE stage = 'published' AND ends_at > $1 AND starts_at <= $1 ORDER BY ends_at, id");
    let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL).bind(at).fetch_all(c).await)?;
    with_links(conn, rows).await
}

/// The promotions that were not over at a moment, the one that ends first at the head.
pub(crate) struct Unended {
    at: DateTime<Utc>,
    all: Vec<Promotion>,
}

impl Unended {
    /// Those that hold at a moment.
    fn running(&self, at: DateTime<Utc>) -> impl Iterator<Item = &Promotion> {
        self.all
            .iter()
            .filter(move |one| one.starts_at <= at && at < one.ends_at)
    }
}

/// The promotions that are not over now. They are kept with the rules; what is over by then stays among them.
async fn unended(conn: &mut Conn, timeline: &Timeline) -> Result<Arc<Unended>, Error> {
    const SQL: &str = promotions!("WHERE stage = 'published' AND ends_at > $1 ORDER BY ends_at, id");
    let at = conn.now();
    // Where the clock was set back, something may hold again.
    if let Some(known) = timeline.unended().filter(|known| known.at <= at) {
        return Ok(known);
    }
    let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL).bind(at).fetch_all(c).await)?;
    let all = with_links(conn, rows).await?;
    let read = Arc::new(Unended { at, all });
    if !conn.is_writing() {
        timeline.keep_unended(read.clone());
    }
    Ok(read)
}

/// The same with where they hold and what carries them out.
async fn with_links(conn: &mut Conn, rows: Vec<Row>) -> Result<Vec<Promotion>, Error> {
    const PLACES: &str = "SELECT l.promotion_id, s.id, s.name, s.town FROM promotion_stores l \
                          JOIN stores s ON s.id = l.store_id";
    const RULES: &str = "SELECT promotion_id, rule_id FROM promotion_rules";
    let ids: Vec<PromotionId> = rows.iter().map(|row| row.id).collect();
    let of = || ids.iter().map(|id| Bind::Id(id.0));
    let query = ListQuery::new(PLACES)
        .within("l.promotion_id", of())
        .tail("ORDER BY s.code");
    let mut places: HashMap<PromotionId, Vec<Place>> = HashMap::new();
    for PlaceRow {
        promotion_id,
        id,
        name,
        town,
    } in db::list(conn, query).await?
    {
        places.entry(promotion_id).or_default().push(Place { id, name, town });
    }
    let query = ListQuery::new(RULES)
        .within("promotion_id", of())
        .tail("ORDER BY rule_id");
    let mut rules: HashMap<PromotionId, Vec<RuleId>> = HashMap::new();
    for (promotion, rule) in db::list::<(PromotionId, RuleId)>(conn, query).await? {
        rules.entry(promotion).or_default().push(rule);
    }
    let linked = |row: Row| Promotion {
        places: places.remove(&row.id).unwrap_or_default(),
        rules: rules.remove(&row.id).unwrap_or_default(),
        id: row.id,
        code: row.code,
        version: row.version,
        title: row.title,
        conditions: row.conditions,
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        must_activate: row.must_activate,
    };
    Ok(rows.into_iter().map(linked).collect())
}

/// Writes a promotion down and publishes it, or replaces the one with its code. The version goes up when something is
/// different, so that loading the same twice changes nothing.
pub async fn put(tx: &mut Tx, _by: &System, new: &NewPromotion) -> Result<PromotionId, Error> {
    const HELD: &str = promotions!("WHERE code = $1");
    const PUT: &str = "INSERT INTO promotions (id, code, version, title, conditions, starts_at, ends_at, must_activate, stage) \
                       VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8) ON CONFLICT (code) DO UPDATE SET \
                       version = promotions.version + 1, title = excluded.title, conditions = excluded.conditions, \
                       starts_at = excluded.starts_at, ends_at = excluded.ends_at, \
                       must_activate = excluded.must_activate, stage = excluded.stage, asked_at = NULL, asked_by = NULL \
                       RETURNING id";
    let held: Option<Row> = on!(tx, |c| sqlx::query_as(HELD).bind(&new.code).fetch_optional(c).await)?;
    if let Some(held) = held.filter(|held| held.stage == Stage::Published) {
        let id = held.id;
        let held = with_links(tx, vec![held]).await?.into_iter().next().map(record);
        let sorted = NewPromotion {
            stores: sorted(&new.stores),
            rules: sorted(&new.rules),
            ..new.clone()
        };
        if held == Some(sorted) {
            return Ok(id);
        }
    }
    let id: PromotionId = on!(tx, |c| sqlx::query_scalar(PUT)
        .bind(PromotionId::new())
        .bind(&new.code)
        .bind(Json(&new.title))
        .bind(Json(&new.conditions))
        .bind(new.starts_at)
        .bind(new.ends_at)
        .bind(new.must_activate)
        .bind(Stage::Published)
        .fetch_one(c)
        .await)?;
    link(tx, id, new).await?;
    Ok(id)
}

/// Each once, in the order in which they are compared.
fn sorted<T: Copy + Ord>(ids: &[T]) -> Vec<T> {
    ids.iter().copied().collect::<BTreeSet<T>>().into_iter().collect()
}

/// The same as it is written down.
fn record(promotion: Promotion) -> NewPromotion {
    NewPromotion {
        code: promotion.code,
        title: promotion.title,
        conditions: promotion.conditions,
        starts_at: promotion.starts_at,
        ends_at: promotion.ends_at,
        must_activate: promotion.must_activate,
        stores: sorted(&promotion.places.iter().map(|place| place.id).collect::<Vec<_>>()),
        rules: promotion.rules,
    }
}

/// Puts shops and rules in the place of those that a promotion had.
async fn link(tx: &mut Tx, id: PromotionId, new: &NewPromotion) -> Result<(), sqlx::Error> {
    const NO_STORES: &str = "DELETE FROM promotion_stores WHERE promotion_id = $1";
    const NO_RULES: &str = "DELETE FROM promotion_rules WHERE promotion_id = $1";
    // What came of it by other rules.
    const NO_OUTCOME: &str = "DELETE FROM promotion_outcomes WHERE promotion_id = $1";
    const STORE: &str = "INSERT INTO promotion_stores (promotion_id, store_id) VALUES ($1, $2)";
    const RULE: &str = "INSERT INTO promotion_rules (promotion_id, rule_id) VALUES ($1, $2)";
    for sql in [NO_STORES, NO_RULES, NO_OUTCOME] {
        on!(tx, |c| sqlx::query(sql).bind(id).execute(c).await.map(drop))?;
    }
    let stores = new.stores.iter().map(|store| (STORE, store.0));
    let rules = new.rules.iter().map(|rule| (RULE, rule.0));
    for (sql, of) in stores.chain(rules).collect::<BTreeSet<_>>() {
        on!(tx, |c| sqlx::query(sql).bind(id).bind(of).execute(c).await.map(drop))?;
    }
    Ok(())
}
