//! What the things are called that rules point to.

use crate::db::{self, Bind, Conn, ListQuery};
use crate::error::Error;
use crate::id::{ArticleId, CategoryId, ProgramId, StoreId};
use crate::lang::Localized;
use crate::on;
use crate::points::store::LIST;
use crate::rule::{Condition, Effect, Rule};
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};

/// Names of what rules may point to: of articles those that they do, of everything else all there are.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Code and name of each article.
    pub articles: BTreeMap<ArticleId, (String, String)>,
    /// In the order of the shop.
    pub categories: Vec<(CategoryId, Localized)>,
    /// Name and town, closed ones too.
    pub stores: Vec<(StoreId, Localized, Localized)>,
    /// In the order of the shop.
    pub programs: Vec<(ProgramId, Localized)>,
    /// The regions that shops are in, in the order of the alphabet.
    pub regions: Vec<String>,
}

/// The names for these rules.
pub async fn names(conn: &mut Conn, rules: &[&Rule]) -> Result<Names, Error> {
    const CATEGORIES: &str = "SELECT id, name FROM categories ORDER BY position, id";
    const STORES: &str = "SELECT id, name, town FROM stores ORDER BY code";
    const PROGRAMS: &str = "SELECT p.id, v.name FROM programs p JOIN program_versions v ON v.program_id = p.id \
                            WHERE v.version = (SELECT MAX(n.version) FROM program_versions n WHERE n.program_id = p.id) \
                            ORDER BY p.position";
    const REGIONS: &str = "SELECT DISTINCT region FROM stores WHERE region IS NOT NULL ORDER BY region";
    type Named<T> = Vec<(T, Json<Localized>)>;
    let categories: Named<CategoryId> = on!(conn, |c| sqlx::query_as(CATEGORIES).fetch_all(c).await)?;
    let stores: Vec<(StoreId, Json<Localized>, Json<Localized>)> =
        on!(conn, |c| sqlx::query_as(STORES).fetch_all(c).await)?;
    let programs: Named<ProgramId> = on!(conn, |c| sqlx::query_as(PROGRAMS).fetch_all(c).await)?;
    let regions = on!(conn, |c| sqlx::query_scalar(REGIONS).fetch_all(c).await)?;
    let mut wanted = BTreeSet::new();
    for rule in rules {
        for condition in &rule.conditions {
            collect(condition, &mut wanted);
        }
        wanted.extend(rule.effects.iter().filter_map(|effect| match effect {
            Effect::Gift { article, .. } => Some(*article),
            _ => None,
        }));
    }
    let mut articles = BTreeMap::new();
    let wanted: Vec<ArticleId> = wanted.into_iter().collect();
    for part in wanted.chunks(LIST) {
        let query =
            ListQuery::new("SELECT id, code, name FROM articles").within("id", part.iter().map(|id| Bind::Id(id.0)));
        let rows: Vec<(ArticleId, String, String)> = db::list(conn, query).await?;
        articles.extend(rows.into_iter().map(|(id, code, name)| (id, (code, name))));
    }
    Ok(Names {
        articles,
        categories: categories.into_iter().map(|(id, Json(name))| (id, name)).collect(),
        stores: stores
            .into_iter()
            .map(|(id, Json(name), Json(town))| (id, name, town))
            .collect(),
        programs: programs.into_iter().map(|(id, Json(name))| (id, name)).collect(),
        regions,
    })
}

/// The articles that a condition names, itself and in those within it.
fn collect(condition: &Condition, articles: &mut BTreeSet<ArticleId>) {
    if let Condition::Article(ids) = condition {
        articles.extend(ids);
    }
    for (_, inner) in condition.nested() {
        collect(inner, articles);
    }
}
