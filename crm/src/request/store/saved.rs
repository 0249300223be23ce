//! Filters of requests that staff keep, with how many there are. What was looked for in words is not kept: it may be a name.

use super::narrowed;
use crate::db::{self, Conn, Db, ListQuery, scoped};
use crate::error::Error;
use crate::flaw;
use crate::id::FilterId;
use crate::on;
use crate::request::Filter;
use crate::request::desk::{COUNT_MAX, FILTER_NAME_MAX, FILTERS_MAX, SavedFilter};
use crate::staff::Right;
use crate::who::Staff;
use sqlx::types::Json;

/// The most that colleagues' filters are shown beside one's own.
const LIST: i64 = 40;

#[derive(sqlx::FromRow)]
struct Row {
    id: FilterId,
    name: String,
    is_own: bool,
    is_shared: bool,
    #[sqlx(json)]
    filter: Filter,
}

/// One's own filters and those that colleagues share, the oldest first.
pub async fn list(conn: &mut Conn, by: &Staff) -> Result<Vec<SavedFilter>, Error> {
    const OWN: &str = "SELECT id, name, TRUE AS is_own, is_shared, filter FROM saved_filters WHERE staff_id = $1 \
                       ORDER BY created_at, id LIMIT $2";
    const SHARED: &str = "SELECT id, name, FALSE AS is_own, is_shared, filter FROM saved_filters \
                          WHERE is_shared AND staff_id <> $1 ORDER BY created_at, id LIMIT $2";
    by.may(Right::Requests)?;
    let mut rows: Vec<Row> = Vec::new();
    for sql in [OWN, SHARED] {
        let more: Vec<Row> = on!(conn, |c| sqlx::query_as(sql)
            .bind(by.id())
            .bind(LIST)
            .fetch_all(c)
            .await)?;
        rows.extend(more);
    }
    let mut filters = Vec::new();
    for row in rows {
        let count = count(conn, by, &row.filter).await?;
        filters.push(SavedFilter {
            id: row.id,
            name: row.name,
            is_own: row.is_own,
            is_shared: row.is_shared,
            filter: row.filter,
            count,
        });
    }
    Ok(filters)
}

/// How many a filter lets through, up to [`COUNT_MAX`]; none where it lets through what is closed, of which there is too much.
pub async fn count(conn: &mut Conn, by: &Staff, filter: &Filter) -> Result<Option<i64>, Error> {
    by.may(Right::Requests)?;
    if !filter.is_unclosed() {
        return Ok(None);
    }
    let query = ListQuery::new("SELECT COUNT(*) FROM (SELECT 1 AS one FROM requests r");
    let query = narrowed(query, by, filter, conn).limit(COUNT_MAX).tail(") x");
    let counted: Vec<(i64,)> = db::list(conn, query).await?;
    Ok(counted.first().map(|(count,)| *count))
}

/// Keeps a filter, without what was looked for. Fails with a flaw at `name`, and with [`Error::TooMany`] for who keeps many.
pub async fn save(db: &Db, by: &Staff, name: &str, is_shared: bool, filter: &Filter) -> Result<FilterId, Error> {
    const HOLD: &str = "UPDATE staff SET name = name WHERE id = $1";
    const KEPT: &str = "SELECT COUNT(*) FROM saved_filters WHERE staff_id = $1";
    const SQL: &str = "INSERT INTO saved_filters (id, staff_id, name, is_shared, filter, created_at) \
                       VALUES ($1, $2, $3, $4, $5, $6)";
    by.may(Right::Requests)?;
    let name = &flaw::text(name, FILTER_NAME_MAX).map_err(|flaw| Error::field("name", flaw))?;
    let filter = &Filter {
        text: String::new(),
        ..filter.clone()
    };
    db.write(|tx| {
        scoped(async move {
            // Of two at once the second counts what the first kept.
            on!(tx, |c| sqlx::query(HOLD).bind(by.id()).execute(c).await.map(drop))?;
            let kept: i64 = on!(tx, |c| sqlx::query_scalar(KEPT).bind(by.id()).fetch_one(c).await)?;
            if kept >= FILTERS_MAX {
                return Err(Error::TooMany { retry_after: 0 });
            }
            let (id, now) = (FilterId::new(), tx.now());
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(by.id())
                .bind(name)
                .bind(is_shared)
                .bind(Json(filter))
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            by.record(tx, "filter.save", None, Some(id.0), "").await?;
            Ok(id)
        })
    })
    .await
}

/// Keeps a filter no longer: one's own, or for a lead a shared one. Fails with [`Error::NotFound`] for any other.
pub async fn remove(db: &Db, by: &Staff, id: FilterId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM saved_filters WHERE id = $1 AND (staff_id = $2 OR (is_shared AND $3))";
    by.may(Right::Requests)?;
    db.write(|tx| {
        scoped(async move {
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(by.id())
                .bind(by.has(Right::Desk))
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::NotFound);
            }
            Ok(by.record(tx, "filter.remove", None, Some(id.0), "").await?)
        })
    })
    .await
}
