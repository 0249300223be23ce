//! Articles in the database.

pub mod managing;
pub mod words;

use crate::db::{self, Bind, Conn, ListQuery, Rows, Tx};
use crate::error::Error;
use crate::id::{ArticleId, CategoryId};
use crate::lang::{Localized, fold};
use crate::on;
use crate::report::store as report;
use crate::staff::Right;
use crate::who::{Staff, System};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The ids of articles by their codes, with those that were not known added. A name is taken once: as long as an
/// article has none, its code stands for it.
pub async fn ensure(
    tx: &mut Tx,
    _by: &System,
    articles: &BTreeMap<&str, Option<&str>>,
) -> Result<HashMap<String, ArticleId>, sqlx::Error> {
    let mut missing = Rows::new(
        "INSERT INTO articles (id, code, name, search)",
        // Somebody else may add it in the same moment.
        "ON CONFLICT (code) DO NOTHING",
    );
    let mut found = known(tx, articles).await?;
    for (code, name) in articles {
        if !found.contains_key(*code) {
            let name = name.unwrap_or(code);
            missing.push([
                Bind::Id(ArticleId::new().0),
                Bind::Text((*code).to_owned()),
                Bind::Text(name.to_owned()),
                Bind::Text(fold(name)),
            ]);
        }
    }
    if !missing.is_empty() {
        db::insert(tx, missing).await?;
        found = known(tx, articles).await?;
    }
    for (code, (id, known)) in &found {
        if let Some(Some(name)) = articles.get(code.as_str())
            && known == code
            && name != known
        {
            const SQL: &str = "UPDATE articles SET name = $2, search = $3 WHERE id = $1";
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(*name)
                .bind(fold(name))
                .execute(c)
                .await
                .map(drop))?;
        }
    }
    Ok(found.into_iter().map(|(code, (id, _))| (code, id)).collect())
}

async fn known(
    tx: &mut Tx,
    articles: &BTreeMap<&str, Option<&str>>,
) -> Result<HashMap<String, (ArticleId, String)>, sqlx::Error> {
    let mut found = HashMap::new();
    let codes: Vec<&str> = articles.keys().copied().collect();
    for part in codes.chunks(1024) {
        let query = ListQuery::new("SELECT id, code, name FROM articles")
            .within("code", part.iter().map(|code| Bind::Text((*code).to_owned())));
        let rows: Vec<(ArticleId, String, String)> = db::list(tx, query).await?;
        found.extend(rows.into_iter().map(|(id, code, name)| (code, (id, name))));
    }
    Ok(found)
}

/// The articles that stand in no category yet: their ids and names.
pub async fn uncategorized(conn: &mut Conn, _by: &System) -> Result<Vec<(ArticleId, String)>, sqlx::Error> {
    const SQL: &str = "SELECT id, name FROM articles WHERE category_id IS NULL ORDER BY code";
    on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)
}

/// Gives an article another name.
pub async fn rename(tx: &mut Tx, _by: &System, id: ArticleId, name: &str) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE articles SET name = $2, search = $3 WHERE id = $1 AND name <> $2";
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(name)
        .bind(fold(name))
        .execute(c)
        .await
        .map(drop))
}

/// Says of an article what rules ask about: its brand (an empty one takes it away), and whether points may pay for it. What
/// is left out stays as it is.
pub async fn describe(
    tx: &mut Tx,
    _by: &System,
    id: ArticleId,
    brand: Option<&str>,
    payable: Option<bool>,
) -> Result<(), sqlx::Error> {
    const BRAND: &str = "UPDATE articles SET brand = NULLIF($2, '') WHERE id = $1";
    const PAYABLE: &str = "UPDATE articles SET payable = $2 WHERE id = $1";
    if let Some(brand) = brand {
        on!(tx, |c| sqlx::query(BRAND)
            .bind(id)
            .bind(brand)
            .execute(c)
            .await
            .map(drop))?;
    }
    if let Some(payable) = payable {
        on!(tx, |c| sqlx::query(PAYABLE)
            .bind(id)
            .bind(payable)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}

/// What is known of articles by their codes: the id, and whether points may pay for it.
pub async fn by_codes(
    conn: &mut Conn,
    codes: &BTreeSet<&str>,
) -> Result<HashMap<String, (ArticleId, bool)>, sqlx::Error> {
    let query = ListQuery::new("SELECT code, id, payable FROM articles")
        .within("code", codes.iter().map(|code| Bind::Text((*code).to_owned())));
    let rows: Vec<(String, ArticleId, bool)> = db::list(conn, query).await?;
    Ok(rows
        .into_iter()
        .map(|(code, id, payable)| (code, (id, payable)))
        .collect())
}

/// Those of these articles that points may not pay for.
pub(crate) async fn unpayable(
    conn: &mut Conn,
    articles: impl Iterator<Item = ArticleId>,
) -> Result<HashSet<ArticleId>, sqlx::Error> {
    let query = ListQuery::new("SELECT id FROM articles")
        .within("id", articles.map(|id| Bind::Id(id.0)))
        .filter("NOT payable", []);
    let rows: Vec<(ArticleId,)> = db::list(conn, query).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Codes and names of articles.
pub(crate) async fn names(
    conn: &mut Conn,
    articles: &BTreeSet<ArticleId>,
) -> Result<HashMap<ArticleId, (String, String)>, sqlx::Error> {
    let query =
        ListQuery::new("SELECT id, code, name FROM articles").within("id", articles.iter().map(|id| Bind::Id(id.0)));
    let rows: Vec<(ArticleId, String, String)> = db::list(conn, query).await?;
    Ok(rows.into_iter().map(|(id, code, name)| (id, (code, name))).collect())
}

/// An article in the list of staff.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Listed {
    /// Its id.
    pub id: ArticleId,
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Its brand, as rules name it.
    pub brand: Option<String>,
    /// Whether points may pay for it.
    pub payable: bool,
    /// The category that it is in.
    #[sqlx(json(nullable))]
    pub category: Option<Localized>,
}

/// Articles by their codes, as many as `limit` behind the code `after`; with `find` those whose name or code it is a part of.
pub async fn list(conn: &mut Conn, by: &Staff, find: &str, after: &str, limit: i64) -> Result<Vec<Listed>, Error> {
    by.may(Right::Shops)?;
    // No text holds the character that PostgreSQL takes in none.
    let [find, after] = [find, after].map(|text| text.replace('\0', ""));
    let mut query = ListQuery::new(
        "SELECT a.id, a.code, a.name, a.brand, a.payable, c.name AS category FROM articles a \
         LEFT JOIN categories c ON c.id = a.category_id",
    )
    .filter("a.code > ?", [Bind::Text(after)]);
    let find = find.trim();
    if !find.is_empty() {
        let pattern = format!("%{}%", db::like(&fold(find)));
        let folded = [Bind::Text(pattern.clone()), Bind::Text(pattern)];
        query = query.filter(
            "a.search LIKE ? ESCAPE '\\' OR LOWER(a.code) LIKE ? ESCAPE '\\'",
            folded,
        );
    }
    Ok(db::list(conn, query.tail("ORDER BY a.code").limit(limit)).await?)
}

/// Puts an article into a category, or out of any.
pub async fn categorize(
    tx: &mut Tx,
    _by: &System,
    id: ArticleId,
    category: Option<CategoryId>,
) -> Result<(), sqlx::Error> {
    const WAS: &str = "SELECT category_id FROM articles WHERE id = $1";
    const SQL: &str = "UPDATE articles SET category_id = $2 WHERE id = $1";
    let was: Option<CategoryId> = on!(tx, |c| sqlx::query_scalar(WAS).bind(id).fetch_one(c).await)?;
    if was == category {
        return Ok(());
    }
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(category)
        .execute(c)
        .await
        .map(drop))?;
    report::recount(tx, id).await
}
