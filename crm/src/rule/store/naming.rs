//! What the things are called that rules point to.

use crate::db::{self, Bind, Conn, ListQuery};
use crate::error::Error;
use crate::id::{ArticleId, CategoryId, ProgramId, PromotionId, StoreId, TierId};
use crate::lang::Localized;
use crate::on;
use crate::points::store::{self as points, LIST};
use crate::rule::store::versions;
use crate::rule::tier::Tiers;
use crate::rule::{Condition, Effect, Fault, Problem, Rule, Target};
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};

/// A tier that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTier {
    /// Its program.
    pub program: ProgramId,
    /// Its id.
    pub id: TierId,
    /// What it was called last.
    pub name: Localized,
    /// Whether anybody can stand in it now or later.
    pub counts: bool,
}

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
    /// By program, those of the latest version first.
    pub tiers: Vec<NamedTier>,
    /// Promotions by their titles, the one that ends last first.
    pub promotions: Vec<(PromotionId, Localized)>,
    /// The regions that shops are in, in the order of the alphabet.
    pub regions: Vec<String>,
    /// Series of coupons by their codes.
    pub series: Vec<(String, Localized)>,
    /// Segments by their codes.
    pub segments: Vec<(String, Localized)>,
}

impl Names {
    fn has(&self, target: Target) -> bool {
        match target {
            Target::Article(id) => self.articles.contains_key(&id),
            Target::Category(id) => self.categories.iter().any(|(known, _)| *known == id),
            Target::Store(id) => self.stores.iter().any(|(known, ..)| *known == id),
            Target::Program(id) => self.programs.iter().any(|(known, _)| *known == id),
            Target::Tier(program, id) => self.tiers.iter().any(|tier| tier.program == program && tier.id == id),
            Target::Promotion(id) => self.promotions.iter().any(|(known, _)| *known == id),
        }
    }

    /// What these names lack of what a rule that they were read for points to: such a rule is not published.
    pub fn unknown(&self, rule: &Rule) -> Vec<Fault> {
        let targets = rule.targets().into_iter();
        let unknown = targets.filter(|(_, target)| !self.has(*target));
        unknown
            .map(|(pointer, _)| Fault {
                pointer,
                problem: Problem::Unknown,
            })
            .collect()
    }

    /// The series and segments that a rule names and nobody has made yet: it may be published all the same, and they be made
    /// later.
    pub fn not_made(&self, rule: &Rule) -> Vec<Fault> {
        let lacks = |known: &[(String, Localized)], named: Vec<(String, &str)>| -> Vec<String> {
            let missing = named
                .into_iter()
                .filter(|(_, code)| known.iter().all(|(other, _)| other != code));
            missing.map(|(pointer, _)| pointer).collect()
        };
        let series = lacks(&self.series, rule.named_series());
        let segments = lacks(&self.segments, rule.named_segments());
        let fault = |pointer| Fault {
            pointer,
            problem: Problem::Unknown,
        };
        series.into_iter().chain(segments).map(fault).collect()
    }
}

/// The names for these rules.
pub async fn names(conn: &mut Conn, rules: &[&Rule]) -> Result<Names, Error> {
    const CATEGORIES: &str = "SELECT id, name FROM categories ORDER BY position, id";
    const STORES: &str = "SELECT id, name, town FROM stores ORDER BY code";
    const PROGRAMS: &str = "SELECT p.id, v.name FROM programs p JOIN program_versions v ON v.program_id = p.id \
                            WHERE v.version = COALESCE((SELECT MAX(n.version) FROM program_versions n \
                            WHERE n.program_id = p.id AND n.published_at <= $1), 1) \
                            ORDER BY p.position";
    const PROMOTIONS: &str = "SELECT id, title FROM promotions ORDER BY ends_at DESC, id DESC";
    const REGIONS: &str = "SELECT DISTINCT region FROM stores WHERE region IS NOT NULL ORDER BY region";
    const SERIES: &str = "SELECT code, name FROM coupon_series ORDER BY code";
    const SEGMENTS: &str = "SELECT code, name FROM segments ORDER BY code";
    type Named<T> = Vec<(T, Json<Localized>)>;
    let now = conn.now();
    let categories: Named<CategoryId> = on!(conn, |c| sqlx::query_as(CATEGORIES).fetch_all(c).await)?;
    let stores: Vec<(StoreId, Json<Localized>, Json<Localized>)> =
        on!(conn, |c| sqlx::query_as(STORES).fetch_all(c).await)?;
    let programs: Named<ProgramId> = on!(conn, |c| sqlx::query_as(PROGRAMS).bind(now).fetch_all(c).await)?;
    let promotions: Named<PromotionId> = on!(conn, |c| sqlx::query_as(PROMOTIONS).fetch_all(c).await)?;
    let regions = on!(conn, |c| sqlx::query_scalar(REGIONS).fetch_all(c).await)?;
    let series: Named<String> = on!(conn, |c| sqlx::query_as(SERIES).fetch_all(c).await)?;
    let segments: Named<String> = on!(conn, |c| sqlx::query_as(SEGMENTS).fetch_all(c).await)?;
    let wanted: BTreeSet<ArticleId> = rules
        .iter()
        .flat_map(|rule| rule.targets())
        .filter_map(|(_, target)| match target {
            Target::Article(id) => Some(id),
            _ => None,
        })
        .collect();
    Ok(Names {
        articles: articles(conn, &wanted).await?,
        categories: categories.into_iter().map(|(id, Json(name))| (id, name)).collect(),
        stores: stores
            .into_iter()
            .map(|(id, Json(name), Json(town))| (id, name, town))
            .collect(),
        programs: programs.into_iter().map(|(id, Json(name))| (id, name)).collect(),
        tiers: tiers(conn).await?,
        promotions: promotions.into_iter().map(|(id, Json(title))| (id, title)).collect(),
        regions,
        series: series.into_iter().map(|(code, Json(name))| (code, name)).collect(),
        segments: segments.into_iter().map(|(code, Json(name))| (code, name)).collect(),
    })
}

async fn articles(
    conn: &mut Conn,
    wanted: &BTreeSet<ArticleId>,
) -> Result<BTreeMap<ArticleId, (String, String)>, sqlx::Error> {
    let mut articles = BTreeMap::new();
    let wanted: Vec<ArticleId> = wanted.iter().copied().collect();
    for part in wanted.chunks(LIST) {
        let query =
            ListQuery::new("SELECT id, code, name FROM articles").within("id", part.iter().map(|id| Bind::Id(id.0)));
        let rows: Vec<(ArticleId, String, String)> = db::list(conn, query).await?;
        articles.extend(rows.into_iter().map(|(id, code, name)| (id, (code, name))));
    }
    Ok(articles)
}

/// The tiers that were published of any program, by program.
async fn tiers(conn: &mut Conn) -> Result<Vec<NamedTier>, sqlx::Error> {
    let now = conn.now();
    let all = versions::of_all::<Tiers>(conn).await?;
    let mut published: BTreeMap<ProgramId, Vec<_>> = BTreeMap::new();
    for (program, version) in all {
        if let Some(at) = version.counts_from() {
            let versions = published.entry(ProgramId(program)).or_default();
            versions.push((at, version.version, version.definition));
        }
    }
    let mut tiers: Vec<NamedTier> = Vec::new();
    for (program, mut versions) in published {
        versions.sort_by_key(|(at, version, _)| (*at, *version));
        let current = versions.iter().rposition(|(at, ..)| *at <= now).unwrap_or_default();
        for (place, (.., definition)) in versions.into_iter().enumerate().rev() {
            for tier in definition.into_iter().flat_map(|tiers| tiers.tiers) {
                if !tiers
                    .iter()
                    .any(|known| known.program == program && known.id == tier.id)
                {
                    tiers.push(NamedTier {
                        program,
                        id: tier.id,
                        name: tier.name,
                        counts: place >= current,
                    });
                }
            }
        }
    }
    Ok(tiers)
}

/// The names of what these rules give, and of nothing else: each customer's first page tells it.
pub async fn names_given(conn: &mut Conn, rules: &[Rule]) -> Result<Names, Error> {
    let (mut wanted, mut programs, mut series) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for effect in rules.iter().flat_map(|rule| &rule.effects) {
        match effect {
            Effect::Gift { article, .. } => {
                wanted.insert(*article);
            }
            Effect::Coupon { series: code } => {
                series.insert(code.as_str());
            }
            other => programs.extend(other.program()),
        }
    }
    let mut names = Names {
        articles: articles(conn, &wanted).await?,
        ..Names::default()
    };
    if !programs.is_empty() {
        let named = points::names(conn, &programs).await?;
        names.programs = named.into_iter().map(|(id, (_, name))| (id, name)).collect();
    }
    names.series = series_of(conn, series).await?;
    Ok(names)
}

/// What series of coupons are called, by their codes.
async fn series_of(conn: &mut Conn, codes: BTreeSet<&str>) -> Result<Vec<(String, Localized)>, sqlx::Error> {
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    let codes = codes.into_iter().map(|code| Bind::Text(code.to_owned()));
    let query = ListQuery::new("SELECT code, name FROM coupon_series").within("code", codes);
    let rows: Vec<(String, Json<Localized>)> = db::list(conn, query).await?;
    Ok(rows.into_iter().map(|(code, Json(name))| (code, name)).collect())
}

/// The names of what these conditions point to, of each list no more than `most`, and of nothing else: a till waits for them.
pub(crate) async fn names_of(conn: &mut Conn, conditions: &[&Condition], most: usize) -> Result<Names, sqlx::Error> {
    const CATEGORIES: &str = "SELECT id, name FROM categories";
    const STORES: &str = "SELECT id, name, town FROM stores";
    const PROMOTIONS: &str = "SELECT id, title FROM promotions";
    let (mut wanted, mut programs, mut of_tiers) = (BTreeSet::new(), BTreeSet::new(), false);
    let (mut categories, mut stores, mut promotions) = (Vec::new(), Vec::new(), Vec::new());
    for (_, target) in conditions.iter().flat_map(|condition| condition.targets("", most)) {
        match target {
            Target::Article(id) => {
                wanted.insert(id);
            }
            Target::Category(id) => categories.push(Bind::Id(id.0)),
            Target::Store(id) => stores.push(Bind::Id(id.0)),
            Target::Program(id) => {
                programs.insert(id);
            }
            Target::Tier(..) => of_tiers = true,
            Target::Promotion(id) => promotions.push(Bind::Id(id.0)),
        }
    }
    let series = conditions.iter().flat_map(|condition| condition.series(""));
    let mut names = Names {
        series: series_of(conn, series.map(|(_, code)| code).take(most).collect()).await?,
        ..Names::default()
    };
    if !wanted.is_empty() {
        names.articles = articles(conn, &wanted).await?;
    }
    if !categories.is_empty() {
        let query = ListQuery::new(CATEGORIES).within("id", categories);
        let rows: Vec<(CategoryId, Json<Localized>)> = db::list(conn, query).await?;
        names.categories = rows.into_iter().map(|(id, Json(name))| (id, name)).collect();
    }
    if !stores.is_empty() {
        let query = ListQuery::new(STORES).within("id", stores);
        let rows: Vec<(StoreId, Json<Localized>, Json<Localized>)> = db::list(conn, query).await?;
        let named = |(id, Json(name), Json(town))| (id, name, town);
        names.stores = rows.into_iter().map(named).collect();
    }
    if !programs.is_empty() {
        let named = points::names(conn, &programs).await?;
        names.programs = named.into_iter().map(|(id, (_, name))| (id, name)).collect();
    }
    if !promotions.is_empty() {
        let query = ListQuery::new(PROMOTIONS).within("id", promotions);
        let rows: Vec<(PromotionId, Json<Localized>)> = db::list(conn, query).await?;
        names.promotions = rows.into_iter().map(|(id, Json(title))| (id, title)).collect();
    }
    if of_tiers {
        names.tiers = tiers(conn).await?;
    }
    Ok(names)
}
