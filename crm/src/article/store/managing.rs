//! Articles as staff see them, who add them here and change them by [`crate::catalogue`]. Another system that keeps them replaces
//! the same records through the API.

use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::find::store as find;
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

/// Adds an article. Its code is as tills send it, letter by letter. Fails with flaws at its fields; `key`, the code, may be taken.
pub async fn create(db: &Db, by: &Staff, new: &Record) -> Result<ArticleId, Error> {
    const SQL: &str = "INSERT INTO articles (id, code, name, search, category_id, brand, payable) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    by.may(Right::Shops)?;
    db.write(|tx| {
        scoped(async move {
            let mut check = Check::new();
            let code = check.field("key", flaw::text(&new.code, TEXT_MAX)).unwrap_or_default();
            let (new, category) = checked(tx, check, new, &code).await?;
            let id = ArticleId::new();
            let inserted = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(&new.code)
                .bind(&new.name)
                .bind(fold(&new.name))
                .bind(category)
                .bind(&new.brand)
                .bind(new.payable)
                .execute(c)
                .await
                .map(drop));
            unless_taken(inserted)?;
            by.record(tx, "article.create", None, Some(id.0), "").await?;
            Ok(id)
        })
    })
    .await
}

/// The article that has a code, and its name.
pub async fn by_code(conn: &mut Conn, by: &Staff, code: &str) -> Result<Option<(ArticleId, String)>, Error> {
    const SQL: &str = "SELECT id, name FROM articles WHERE code = $1";
    by.may(Right::Shops)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(code).fetch_optional(c).await)?)
}

/// One article, for its page, which whoever looks for anything may open. That it was looked at is written down. Fails with
/// [`Error::NotFound`].
pub async fn read(db: &Db, by: &Staff, id: ArticleId) -> Result<Record, Error> {
    if !find::may(by) {
        return Err(Error::Forbidden);
    }
    db.write(|tx| {
        scoped(async move {
            let record = of(tx, id).await?;
            by.record(tx, "article.read", None, Some(id.0), "").await?;
            Ok(record)
        })
    })
    .await
}

/// The same for whoever is about to change it.
pub async fn get(conn: &mut Conn, by: &Staff, id: ArticleId) -> Result<Record, Error> {
    by.may(Right::Shops)?;
    of(conn, id).await
}

/// One article, whoever asks. Fails with [`Error::NotFound`].
pub(crate) async fn of(conn: &mut Conn, id: ArticleId) -> Result<Record, Error> {
    const SQL: &str = "SELECT a.code, a.name, c.code AS category, a.brand, a.payable FROM articles a \
                       LEFT JOIN categories c ON c.id = a.category_id WHERE a.id = $1";
    let found: Option<Record> = on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
    found.ok_or(Error::NotFound)
}

/// An article with its id.
#[derive(sqlx::FromRow)]
struct Known {
    id: ArticleId,
    #[sqlx(flatten)]
    record: Record,
}

/// The articles of these codes, as they are now.
pub(crate) async fn by_codes(conn: &mut Conn, codes: &[&str]) -> Result<Vec<(ArticleId, Record)>, sqlx::Error> {
    const SQL: &str = "SELECT a.id, a.code, a.name, c.code AS category, a.brand, a.payable FROM articles a \
                       LEFT JOIN categories c ON c.id = a.category_id";
    let mut found = Vec::new();
    for part in codes.chunks(1024) {
        let part = part.iter().map(|code| Bind::Text((*code).to_owned()));
        let known: Vec<Known> = db::list(conn, ListQuery::new(SQL).within("a.code", part)).await?;
        found.extend(known.into_iter().map(|one| (one.id, one.record)));
    }
    Ok(found)
}

/// Puts what was checked in the place of what an article says that is held.
pub(crate) async fn put(tx: &mut Tx, id: ArticleId, new: &Record) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE articles SET name = $2, search = $3, category_id = $4, brand = $5, payable = $6 WHERE id = $1";
    let before = of(tx, id).await?;
    let (new, category) = checked(tx, Check::new(), new, &before.code).await?;
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
    Ok(())
}

/// Sees to it that nobody else changes an article until the transaction ends.
pub(crate) async fn hold(tx: &mut Tx, id: ArticleId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE articles SET code = code WHERE id = $1";
    on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))
}

/// The same as it is kept, with the category that it is in. `check` has what is wrong already.
pub(crate) async fn checked(
    conn: &mut Conn,
    mut check: Check,
    new: &Record,
    code: &str,
) -> Result<(Record, Option<CategoryId>), Error> {
    const SQL: &str = "SELECT id FROM categories WHERE code = $1";
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
