//! The parts of the help as staff write them: their names and their order.

use crate::audit::difference;
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::flaw::{Check, Flaw};
use crate::id::HelpCategoryId;
use crate::lang::Localized;
use crate::on;
use crate::staff::Right;
use crate::who::Staff;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

/// The longest name of a part, in characters.
const NAME_MAX: usize = 60;
/// The last place that one can have.
const PLACE_MAX: i64 = 1000;

/// A part as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Part {
    /// Its lasting name.
    pub code: String,
    /// Its name.
    #[sqlx(json)]
    pub name: Localized,
    /// Its place among the others; of two with one place the code decides.
    pub position: i64,
    /// No article comes into it any more.
    pub is_closed: bool,
}

/// An article that stands in a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The code of the part.
    pub part: String,
    /// The code of the article.
    pub article: String,
    /// Its title there.
    pub title: Localized,
}

/// All of them, in their order. That they were looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<Vec<Part>, Error> {
    const SQL: &str = "SELECT code, name, position, closed_at IS NOT NULL AS is_closed FROM help_categories \
                       ORDER BY position, code";
    by.may(Right::Help)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "help.parts", None, None, "").await?;
            Ok(on!(tx, |c| sqlx::query_as(SQL).fetch_all(c).await)?)
        })
    })
    .await
}

/// Which articles stand in which part: by the version that counts, by one that lies ahead or by a draft, withdrawn ones as well.
pub async fn uses(conn: &mut Conn, by: &Staff) -> Result<Vec<Use>, Error> {
    const SQL: &str = "SELECT v.content ->> 'category' AS part, a.code, v.content -> 'title' AS title FROM help_articles a \
                       JOIN help_versions v ON v.article_id = a.id AND v.version >= COALESCE((SELECT MAX(n.version) \
                       FROM help_versions n WHERE n.article_id = a.id AND n.published_at <= $1), 0) \
                       UNION SELECT d.content ->> 'category', a.code, d.content -> 'title' FROM help_articles a \
                       JOIN help_drafts d ON d.article_id = a.id ORDER BY 1, 2";
    by.may(Right::Help)?;
    let now = conn.now();
    let found: Vec<(String, String, Json<Localized>)> =
        on!(conn, |c| sqlx::query_as(SQL).bind(now).fetch_all(c).await)?;
    let found = found
        .into_iter()
        .map(|(part, article, Json(title))| Use { part, article, title });
    let mut all: Vec<Use> = found.collect();
    // Two versions of one may be called differently.
    all.dedup_by(|one, before| (&one.part, &one.article) == (&before.part, &before.article));
    Ok(all)
}

/// Adds a part behind the others. Fails with flaws at `key`, `ru` and `en`.
pub async fn add(db: &Db, by: &Staff, key: &str, name: &Localized) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO help_categories (id, code, name, position) \
                       SELECT $1, $2, $3, COALESCE(MAX(position), 0) + 1 FROM help_categories";
    by.may(Right::Help)?;
    db.write(|tx| {
        scoped(async move {
            let mut check = Check::new();
            let code = check.field("key", crate::till::code(key)).unwrap_or_default();
            let name = check.only_words(name, NAME_MAX);
            check.result()?;
            let id = HelpCategoryId::new();
            let inserted = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(&code)
                .bind(Json(&name))
                .execute(c)
                .await
                .map(drop));
            unless_taken(inserted)?;
            Ok(by.record(tx, "help.part_add", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Changes a part, but for its code. `seen` is the part as it was shown: [`Error::Stale`] where it is another one by now. Fails
/// with flaws at `ru`, `en` and `position`, and with [`Error::NotFound`]. What changed is written down, before and after.
pub async fn change(db: &Db, by: &Staff, seen: &Part, name: &Localized, position: i64) -> Result<(), Error> {
    const SQL: &str = "UPDATE help_categories SET name = $2, position = $3 WHERE id = $1";
    by.may(Right::Help)?;
    db.write(|tx| {
        scoped(async move {
            let (id, before) = hold(tx, &seen.code).await?;
            if before != *seen {
                return Err(Error::Stale);
            }
            let mut check = Check::new();
            let name = check.only_words(name, NAME_MAX);
            let out = Flaw::OutOfRange { min: 1, max: PLACE_MAX };
            let is_within = (1..=PLACE_MAX).contains(&position);
            check.field("position", if is_within { Ok(()) } else { Err(out) });
            check.result()?;
            let after = Part {
                code: before.code.clone(),
                name,
                position,
                is_closed: before.is_closed,
            };
            if after == before {
                return Ok(());
            }
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(Json(&after.name))
                .bind(after.position)
                .execute(c)
                .await
                .map(drop))?;
            let changed = difference(&before, &after);
            Ok(by.record(tx, "help.part_change", None, Some(id.0), &changed).await?)
        })
    })
    .await
}

/// Lets articles come into a part again, or no more: those that stand in it stay. Fails with [`Error::NotFound`].
pub async fn set_open(db: &Db, by: &Staff, code: &str, is_open: bool) -> Result<(), Error> {
    const SQL: &str = "UPDATE help_categories SET closed_at = $2 WHERE id = $1";
    by.may(Right::Help)?;
    db.write(|tx| {
        scoped(async move {
            let (id, held) = hold(tx, code).await?;
            if held.is_closed != is_open {
                return Ok(());
            }
            let now = tx.now();
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind((!is_open).then_some(now))
                .execute(c)
                .await
                .map(drop))?;
            let action = if is_open { "help.part_reopen" } else { "help.part_close" };
            Ok(by.record(tx, action, None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Removes a part that no article stands in. Fails with [`Error::Stale`] where one does, and with [`Error::NotFound`].
pub async fn remove(db: &Db, by: &Staff, code: &str) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM help_categories WHERE id = $1";
    by.may(Right::Help)?;
    db.write(|tx| {
        scoped(async move {
            let (id, held) = hold(tx, code).await?;
            if uses(tx, by).await?.iter().any(|one| one.part == held.code) {
                return Err(Error::Stale);
            }
            on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))?;
            Ok(by.record(tx, "help.part_remove", None, Some(id.0), &held.code).await?)
        })
    })
    .await
}

/// One part, and nobody else changes it until the transaction ends. Fails with [`Error::NotFound`].
async fn hold(tx: &mut Tx, code: &str) -> Result<(HelpCategoryId, Part), Error> {
    const SQL: &str = "UPDATE help_categories SET position = position WHERE code = $1 \
                       RETURNING id, name, position, closed_at IS NOT NULL";
    let code = crate::till::code(code).map_err(|_| Error::NotFound)?;
    let held: Option<(HelpCategoryId, Json<Localized>, i64, bool)> =
        on!(tx, |c| sqlx::query_as(SQL).bind(&code).fetch_optional(c).await)?;
    let (id, Json(name), position, is_closed) = held.ok_or(Error::NotFound)?;
    let part = Part {
        code,
        name,
        position,
        is_closed,
    };
    Ok((id, part))
}
