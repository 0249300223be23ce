//! Shops, categories and articles, as another system of the shop keeps them.

use super::receipt::TEXT_MAX;
use crate::article::store as articles;
use crate::audit::Actor;
use crate::catalogue::{Before, Kind};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::flaw::{self, Check, Flaw};
use crate::id::CategoryId;
use crate::lang::{Lang, Localized};
use crate::on;
use crate::stores::{NewStore, degrees, store, time_zone};
use crate::till::Scope;
use crate::who::{System, Till};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Who changed it, and how, for the history of what was there.
fn sent(by: &Till) -> (Actor, Uuid, &'static str) {
    (Actor::Till, by.id().0, "sent")
}

fn words(check: &mut Check, pointer: &str, text: &Localized) {
    for lang in Lang::ALL {
        check.field(
            &format!("{pointer}/{}", lang.code()),
            flaw::text(text.get(lang), TEXT_MAX),
        );
    }
}

/// Writes shops down; those of the same codes are replaced. Flaws come by JSON pointer without the first slash.
pub async fn put_stores(tx: &mut Tx, by: &Till, stores: &[NewStore]) -> Result<(), Error> {
    let system = by.with(Scope::Catalogue)?;
    let mut check = Check::new();
    for (i, new) in stores.iter().enumerate() {
        check.field(&format!("stores/{i}/code"), flaw::text(&new.code, TEXT_MAX));
        for (name, text) in [("name", &new.name), ("town", &new.town), ("address", &new.address)] {
            words(&mut check, &format!("stores/{i}/{name}"), text);
        }
        if let Some(region) = &new.region {
            check.field(&format!("stores/{i}/region"), flaw::text(region, TEXT_MAX));
        }
        for (name, value, most) in [("latitude", new.latitude, 90), ("longitude", new.longitude, 180)] {
            if let Some(value) = value {
                check.field(&format!("stores/{i}/{name}"), degrees(value, most));
            }
        }
        if let Some(zone) = &new.time_zone {
            check.field(&format!("stores/{i}/time_zone"), time_zone(zone));
        }
    }
    check.result()?;
    let codes: Vec<&str> = stores.iter().map(|new| new.code.as_str()).collect();
    let before = Before::held(tx, Kind::Stores, &codes).await?;
    for new in stores {
        store::put(tx, &system, new).await?;
    }
    Ok(before.record(tx, sent(by), Kind::Stores, &codes).await?)
}

/// A category to be written down.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct NewCategory {
    /// What rules and files call it.
    pub code: String,
    /// Its name.
    #[sqlx(json)]
    pub name: Localized,
    /// The code of the category that it lies right within; none: as it was, and empty: within none any more.
    pub parent: Option<String>,
}

/// Writes categories down, in the order in which they are shown. One may lie within another that comes later. A parent that
/// is not there is [`Flaw::NotAChoice`], and one that lies within the category itself [`Flaw::Circle`].
pub async fn put_categories(tx: &mut Tx, by: &Till, categories: &[NewCategory]) -> Result<(), Error> {
    let system = by.with(Scope::Catalogue)?;
    let mut check = Check::new();
    for (i, new) in categories.iter().enumerate() {
        check.field(&format!("categories/{i}/code"), flaw::text(&new.code, TEXT_MAX));
        words(&mut check, &format!("categories/{i}/name"), &new.name);
    }
    check.result()?;
    let codes: Vec<&str> = categories.iter().map(|new| new.code.trim()).collect();
    let before = Before::held(tx, Kind::Categories, &codes).await?;
    let (mut places, mut parents) = (Vec::new(), Vec::new());
    for (place, new) in categories.iter().enumerate() {
        let position = i64::try_from(place + 1).unwrap_or(i64::MAX);
        let id = store::put_category(tx, &system, new.code.trim(), &new.name, position).await?;
        if let Some(parent) = &new.parent {
            places.push(place);
            parents.push((id, parent.trim()));
        }
    }
    if !parents.is_empty() {
        let mut check = Check::new();
        for (place, flaw) in store::nest(tx, &system, &parents).await? {
            check.field::<()>(&format!("categories/{}/parent", places[place]), Err(flaw));
        }
        check.result()?;
    }
    Ok(before.record(tx, sent(by), Kind::Categories, &codes).await?)
}

/// An article to be written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct NewArticle {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The code of its category; none: as it was, and empty: in none any more.
    pub category: Option<String>,
    /// Its brand, as rules name it; none: as it was, and empty: none any more.
    pub brand: Option<String>,
    /// Whether points may pay for it; none: as it was, and at first they may.
    pub payable: Option<bool>,
}

/// Writes articles down; those of the same codes are replaced. A category that is not there is [`Flaw::NotAChoice`].
pub async fn put_articles(tx: &mut Tx, by: &Till, new: &[NewArticle]) -> Result<(), Error> {
    let system = by.with(Scope::Catalogue)?;
    let codes: Vec<&str> = new.iter().map(|article| article.code.trim()).collect();
    let before = Before::held(tx, Kind::Articles, &codes).await?;
    write_articles(tx, &system, new).await?;
    Ok(before.record(tx, sent(by), Kind::Articles, &codes).await?)
}

/// The same for whoever may.
pub(crate) async fn write_articles(tx: &mut Tx, by: &System, new: &[NewArticle]) -> Result<(), Error> {
    const CATEGORIES: &str = "SELECT code, id FROM categories";
    let known: Vec<(String, CategoryId)> = on!(tx, |c| sqlx::query_as(CATEGORIES).fetch_all(c).await)?;
    let known: HashMap<String, CategoryId> = known.into_iter().collect();
    let mut check = Check::new();
    for (i, article) in new.iter().enumerate() {
        check.field(&format!("articles/{i}/code"), flaw::text(&article.code, TEXT_MAX));
        check.field(&format!("articles/{i}/name"), flaw::text(&article.name, TEXT_MAX));
        if let Some(brand) = article.brand.as_ref().filter(|brand| !brand.trim().is_empty()) {
            check.field(&format!("articles/{i}/brand"), flaw::text(brand, TEXT_MAX));
        }
        if article
            .category
            .as_ref()
            .is_some_and(|code| !code.is_empty() && !known.contains_key(code))
        {
            check.field::<()>(&format!("articles/{i}/category"), Err(Flaw::NotAChoice));
        }
    }
    check.result()?;
    let names: BTreeMap<&str, Option<&str>> = new
        .iter()
        .map(|article| (article.code.trim(), Some(article.name.trim())))
        .collect();
    let ids = articles::ensure(tx, by, &names).await?;
    for article in new {
        let Some(id) = ids.get(article.code.trim()) else {
            continue;
        };
        articles::rename(tx, by, *id, article.name.trim()).await?;
        let brand = article.brand.as_deref().map(str::trim);
        articles::describe(tx, by, *id, brand, article.payable).await?;
        if let Some(code) = &article.category {
            articles::categorize(tx, by, *id, known.get(code).copied()).await?;
        }
    }
    Ok(())
}

/// A part of a list, by code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<T> {
    /// What is in it.
    pub records: Vec<T>,
    /// The code after which the next part begins, if there is one.
    pub next: Option<String>,
}

/// Asks for a part: `$1` is the code after which it begins, and `$2` one record more than it has at most.
async fn part<T>(
    conn: &mut Conn,
    by: &Till,
    sql: &'static str,
    after: &str,
    limit: i64,
    code: fn(&T) -> &str,
) -> Result<Part<T>, Error>
where
    T: Send + Unpin,
    for<'r> T: sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + sqlx::FromRow<'r, sqlx::postgres::PgRow>,
{
    by.with(Scope::Catalogue)?;
    let mut records: Vec<T> = on!(conn, |c| sqlx::query_as::<_, T>(sql)
        .bind(after)
        .bind(limit + 1)
        .fetch_all(c)
        .await)?;
    let limit = usize::try_from(limit).unwrap_or_default();
    let has_more = records.len() > limit;
    records.truncate(limit);
    let next = records.last().filter(|_| has_more).map(|last| code(last).to_owned());
    Ok(Part { records, next })
}

/// Shops by code, those after a code, closed ones too.
pub async fn stores(conn: &mut Conn, by: &Till, after: &str, limit: i64) -> Result<Part<NewStore>, Error> {
    const SQL: &str = "SELECT code, name, town, address, latitude, longitude, hours, phone, region, time_zone, \
                       exceptions FROM stores WHERE code > $1 ORDER BY code LIMIT $2";
    part(conn, by, SQL, after, limit, |store: &NewStore| &store.code).await
}

/// Categories, likewise.
pub async fn categories(conn: &mut Conn, by: &Till, after: &str, limit: i64) -> Result<Part<NewCategory>, Error> {
    const SQL: &str = "SELECT c.code, c.name, p.code AS parent FROM categories c LEFT JOIN categories p ON p.id = c.parent_id \
                       WHERE c.code > $1 ORDER BY c.code LIMIT $2";
    part(conn, by, SQL, after, limit, |category: &NewCategory| &category.code).await
}

/// Articles, likewise.
pub async fn articles(conn: &mut Conn, by: &Till, after: &str, limit: i64) -> Result<Part<NewArticle>, Error> {
    const SQL: &str = "SELECT a.code, a.name, c.code AS category, a.brand, a.payable FROM articles a \
                       LEFT JOIN categories c ON c.id = a.category_id WHERE a.code > $1 ORDER BY a.code LIMIT $2";
    part(conn, by, SQL, after, limit, |article: &NewArticle| &article.code).await
}
