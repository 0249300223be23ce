//! Shops, categories and articles, as another system of the shop keeps them.

use super::receipt::TEXT_MAX;
use crate::article::store as articles;
use crate::db::Tx;
use crate::error::Error;
use crate::flaw::{self, Check, Flaw};
use crate::id::CategoryId;
use crate::lang::{Lang, Localized};
use crate::on;
use crate::stores::{NewStore, store};
use crate::till::Scope;
use crate::who::Till;
use std::collections::{BTreeMap, HashMap};

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
    }
    check.result()?;
    for new in stores {
        store::put(tx, &system, new).await?;
    }
    Ok(())
}

/// Writes categories down, in the order in which they are shown.
pub async fn put_categories(tx: &mut Tx, by: &Till, categories: &[(String, Localized)]) -> Result<(), Error> {
    let system = by.with(Scope::Catalogue)?;
    let mut check = Check::new();
    for (i, (code, name)) in categories.iter().enumerate() {
        check.field(&format!("categories/{i}/code"), flaw::text(code, TEXT_MAX));
        words(&mut check, &format!("categories/{i}/name"), name);
    }
    check.result()?;
    for (position, (code, name)) in (1..).zip(categories) {
        store::put_category(tx, &system, code.trim(), name, position).await?;
    }
    Ok(())
}

/// An article to be written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewArticle {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The code of its category.
    pub category: Option<String>,
    /// Its brand, as rules name it; none: as it was, and empty: none any more.
    pub brand: Option<String>,
    /// Whether points may pay for it; none: as it was, and at first they may.
    pub payable: Option<bool>,
}

/// Writes articles down; those of the same codes are replaced. A category that is not there is [`Flaw::NotAChoice`].
pub async fn put_articles(tx: &mut Tx, by: &Till, new: &[NewArticle]) -> Result<(), Error> {
    const CATEGORIES: &str = "SELECT code, id FROM categories";
    let system = by.with(Scope::Catalogue)?;
    let known: Vec<(String, CategoryId)> = on!(tx, |c| sqlx::query_as(CATEGORIES).fetch_all(c).await)?;
    let known: HashMap<String, CategoryId> = known.into_iter().collect();
    let mut check = Check::new();
    for (i, article) in new.iter().enumerate() {
        check.field(&format!("articles/{i}/code"), flaw::text(&article.code, TEXT_MAX));
        check.field(&format!("articles/{i}/name"), flaw::text(&article.name, TEXT_MAX));
        if let Some(brand) = article.brand.as_ref().filter(|brand| !brand.trim().is_empty()) {
            check.field(&format!("articles/{i}/brand"), flaw::text(brand, TEXT_MAX));
        }
        if article.category.as_ref().is_some_and(|code| !known.contains_key(code)) {
            check.field::<()>(&format!("articles/{i}/category"), Err(Flaw::NotAChoice));
        }
    }
    check.result()?;
    let names: BTreeMap<&str, Option<&str>> = new
        .iter()
        .map(|article| (article.code.trim(), Some(article.name.trim())))
        .collect();
    let ids = articles::ensure(tx, &system, &names).await?;
    for article in new {
        let Some(id) = ids.get(article.code.trim()) else {
            continue;
        };
        articles::rename(tx, &system, *id, article.name.trim()).await?;
        let brand = article.brand.as_deref().map(str::trim);
        articles::describe(tx, &system, *id, brand, article.payable).await?;
        if let Some(category) = article.category.as_ref().and_then(|code| known.get(code)) {
            articles::categorize(tx, &system, *id, *category).await?;
        }
    }
    Ok(())
}
