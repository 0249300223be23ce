//! Tags of requests in the database.

use crate::db::{Conn, Db, scoped};
use crate::error::Error;
use crate::id::{FilterId, MacroId, RequestId};
use crate::on;
use crate::request::Filter;
use crate::request::desk::{self, Tag};
use crate::staff::Right;
use crate::who::Staff;
use sqlx::types::Json;
use std::collections::{BTreeSet, HashMap};

/// The most tags that a list shows.
const LIST: i64 = 1000;

/// All tags and how often each is there.
pub async fn list(conn: &mut Conn, by: &Staff) -> Result<Vec<Tag>, Error> {
    const SQL: &str = "SELECT tag, COUNT(*) FROM request_tags GROUP BY tag ORDER BY tag LIMIT $1";
    by.may(Right::Desk)?;
    let all: Vec<(String, i64)> = on!(conn, |c| sqlx::query_as(SQL).bind(LIST).fetch_all(c).await)?;
    let unclosed: HashMap<String, i64> = in_use(conn, by).await?.into_iter().collect();
    let tag = |(tag, requests): (String, i64)| Tag {
        unclosed: unclosed.get(&tag).copied().unwrap_or_default(),
        tag,
        requests,
    };
    Ok(all.into_iter().map(tag).collect())
}

/// The tags of requests that are not closed, and on how many each is.
pub async fn in_use(conn: &mut Conn, by: &Staff) -> Result<Vec<(String, i64)>, Error> {
    // CROSS: SQLite begins with the requests then, of which there are few.
    const SQL: &str = "SELECT g.tag, COUNT(*) FROM requests r CROSS JOIN request_tags g \
                       WHERE g.request_id = r.id AND r.status <> 'closed' GROUP BY g.tag ORDER BY g.tag LIMIT $1";
    by.may(Right::Requests)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(LIST).fetch_all(c).await)?)
}

/// The tags of a request.
pub(super) async fn of(conn: &mut Conn, request: RequestId) -> Result<Vec<String>, sqlx::Error> {
    const SQL: &str = "SELECT tag FROM request_tags WHERE request_id = $1 ORDER BY tag";
    on!(conn, |c| sqlx::query_scalar(SQL).bind(request).fetch_all(c).await)
}

/// Calls a tag otherwise wherever it stands, in kept filters and macros too; where both stand, one is left. Fails with
/// [`Error::NotFound`] for a tag that is nowhere, and with a flaw at `to`.
pub async fn rename(db: &Db, by: &Staff, from: &str, to: &str) -> Result<(), Error> {
    const COME: &str = "INSERT INTO request_tags (request_id, tag) SELECT request_id, $2 FROM request_tags WHERE tag = $1 \
                        ON CONFLICT (request_id, tag) DO NOTHING";
    const GO: &str = "DELETE FROM request_tags WHERE tag = $1";
    const FILTERS: &str = "SELECT id, filter FROM saved_filters ORDER BY id";
    const FILTER: &str = "UPDATE saved_filters SET filter = $2 WHERE id = $1";
    const MACROS: &str = "SELECT id, tags, untags FROM macros ORDER BY id";
    const MACRO: &str = "UPDATE macros SET tags = $2, untags = $3, changed_at = $4 WHERE id = $1";
    type Prepared = (MacroId, Json<Vec<String>>, Json<Vec<String>>);
    by.may(Right::Desk)?;
    let to = &desk::tag(to).map_err(|flaw| Error::field("to", flaw))?;
    if from == to {
        return Ok(());
    }
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(COME).bind(from).bind(to).execute(c).await.map(drop))?;
            let gone = on!(tx, |c| sqlx::query(GO)
                .bind(from)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if gone == 0 {
                return Err(Error::NotFound);
            }
            let filters: Vec<(FilterId, Json<Filter>)> = on!(tx, |c| sqlx::query_as(FILTERS).fetch_all(c).await)?;
            for (id, Json(mut filter)) in filters.into_iter().filter(|(_, filter)| filter.tag == from) {
                filter.tag.clone_from(to);
                on!(tx, |c| sqlx::query(FILTER)
                    .bind(id)
                    .bind(Json(&filter))
                    .execute(c)
                    .await
                    .map(drop))?;
            }
            let now = tx.now();
            let macros: Vec<Prepared> = on!(tx, |c| sqlx::query_as(MACROS).fetch_all(c).await)?;
            let called = |tags: &[String]| -> BTreeSet<String> {
                let tags = tags.iter().map(|tag| if tag == from { to } else { tag });
                tags.cloned().collect()
            };
            for (id, Json(tags), Json(untags)) in macros {
                if tags.iter().chain(&untags).all(|tag| tag != from) {
                    continue;
                }
                on!(tx, |c| sqlx::query(MACRO)
                    .bind(id)
                    .bind(Json(called(&tags)))
                    .bind(Json(called(&untags)))
                    .bind(now)
                    .execute(c)
                    .await
                    .map(drop))?;
            }
            Ok(by
                .record(tx, "tag.rename", None, None, &format!("{from} → {to}"))
                .await?)
        })
    })
    .await
}
