//! Articles as staff write them. Another system that keeps them replaces the same records through the API.

use crate::audit::difference;
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::{self, Check, Flaw};
use crate::id::{ArticleId, CategoryId};
use crate::lang::fold;
use crate::on;
use crate::report::store as report;
use crate::staff::Right;
use crate::till::receipt::TEXT_MAX;
use crate::who::Staff;
use serde::{Deserialize, Serialize};

/// An article as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Record {
    /// What tills and files call it.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The code of its category.
    pub category: Option<String>,
    /// Its brand, as rules name it.
    pub brand: Option<String>,
    /// Whether points may pay for it.
    pub payable: bool,
}

/// One article, for its page. That it was looked at is written down. Fails with [`Error::NotFound`].
pub async fn read(db: &Db, by: &Staff, id: ArticleId) -> Result<Record, Error> {
    by.may(Right::Shops)?;
    db.write(|tx| {
        scoped(async move {
            let record = get(tx, by, id).await?;
            by.record(tx, "article.read", None, Some(id.0), "").await?;
            Ok(record)
        })
    })
    .await
}

/// The same for whoever is about to change it.
pub async fn get(conn: &mut Conn, by: &Staff, id: ArticleId) -> Result<Record, Error> {
    const SQL: &str = "SELECT a.code, a.name, c.code AS category, a.brand, a.payable FROM articles a \
                       LEFT JOIN categories c ON c.id = a.category_id WHERE a.id = $1";
    by.may(Right::Shops)?;
    let found: Option<Record> = on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
    found.ok_or(Error::NotFound)
}

/// Changes an article, but for its code. `seen` is the record as it was shown: [`Error::Stale`] where it is another one by
/// now. Fails with flaws at fields, and with [`Error::NotFound`]. What changed is written down, before and after.
pub async fn change(db: &Db, by: &Staff, id: ArticleId, seen: &Record, new: &Record) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE articles SET name = $2, search = $3, category_id = $4, brand = $5, payable = $6 WHERE id = $1";
    by.may(Right::Shops)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            let before = get(tx, by, id).await?;
            if before != *seen {
                return Err(Error::Stale);
            }
            let (new, category) = checked(tx, new, &before.code).await?;
            if new == before {
                return Ok(());
            }
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(&new.name)
                .bind(fold(&new.name))
                .bind(category)
                .bind(&new.brand)
                .bind(new.payable)
                .execute(c)
                .await
                .map(drop))?;
            if new.category != before.category {
                report::recount(tx, id).await?;
            }
            let changed = difference(&before, &new);
            Ok(by.record(tx, "article.change", None, Some(id.0), &changed).await?)
        })
    })
    .await
}

/// Sees to it that nobody else changes an article until the transaction ends.
async fn hold(tx: &mut Tx, id: ArticleId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE articles SET code = code WHERE id = $1";
    on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))
}

/// The same as it is kept, with the category that it is in.
async fn checked(conn: &mut Conn, new: &Record, code: &str) -> Result<(Record, Option<CategoryId>), Error> {
    const SQL: &str = "SELECT id FROM categories WHERE code = $1";
    let mut check = Check::new();
    let name = check.field("name", flaw::text(&new.name, TEXT_MAX)).unwrap_or_default();
    let brand = match new.brand.as_deref().map(str::trim) {
        None | Some("") => None,
        Some(brand) => check.field("brand", flaw::text(brand, TEXT_MAX)),
    };
    let category: Option<CategoryId> = match &new.category {
        None => None,
        Some(code) => {
            let found = on!(conn, |c| sqlx::query_scalar(SQL).bind(code).fetch_optional(c).await)?;
            check.field("category", found.ok_or(Flaw::NotAChoice))
        }
    };
    check.result()?;
    let record = Record {
        code: code.to_owned(),
        name,
        category: new.category.clone(),
        brand,
        payable: new.payable,
    };
    Ok((record, category))
}
