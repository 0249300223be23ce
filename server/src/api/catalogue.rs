//! Shops, categories, articles and blank cards, in bulk from whatever system keeps them.

use super::part::{Part, Wanted, cursor};
use super::problem::{Details, Problem};
use super::shapes::{ArticleList, Articles, Cards, Categories, CategoryList, StoreList, Stores, Written};
use super::{Answer, Call, Once, PREFIX, Query, Sent};
use axum::http::StatusCode;
use crm::db::scoped;
use crm::stores::{Hours, NewStore};
use crm::till::{Scope, catalogue, counter};

/// The most records of a request.
const MOST: usize = 5_000;

fn few(field: &str, count: usize) -> Result<(), Problem> {
    if count > MOST {
        return Err(Problem::invalid().at(format!("/{field}"), "too_many", format!("There are more than {MOST}")));
    }
    Ok(())
}

/// Writes shops down; those of the same codes are replaced.
#[utoipa::path(put, path = "/api/v1/stores", tag = "catalogue", request_body = Stores, security(("key" = ["catalogue"])),
    params(("Idempotency-Key" = String, Header, description = "8 to 100 characters", min_length = 8, max_length = 100)),
    responses(
        (status = 200, description = "Written", body = Written),
        (status = 409, description = "`key_reused`", body = Details),
        (status = 422, description = "Fields do not fit: nothing is written", body = Details)))]
pub(super) async fn stores(call: Call, once: Once, sent: Sent<Stores>) -> Result<Answer, Problem> {
    call.may(Scope::Catalogue)?;
    few("stores", sent.body.stores.len())?;
    let mut stores = Vec::with_capacity(sent.body.stores.len());
    for (i, store) in sent.body.stores.iter().cloned().enumerate() {
        let hours = Hours::try_from(store.hours)
            .map_err(|e| Problem::invalid().at(format!("/stores/{i}/hours"), "not_hours", e.to_string()))?;
        stores.push(NewStore {
            code: store.code,
            name: store.name.into(),
            town: store.town.into(),
            address: store.address.into(),
            latitude: store.latitude,
            longitude: store.longitude,
            hours,
            phone: store.phone,
            region: store.region,
            time_zone: store.time_zone,
            // Staff keep them; what another system sends leaves them as they are.
            exceptions: None,
        });
    }
    let (till, stores) = (&call.till, &stores);
    call.once(&once, &sent, |tx| {
        scoped(async move {
            catalogue::put_stores(tx, till, stores).await?;
            written(stores.len())
        })
    })
    .await
}

/// Writes categories down in the order in which they are shown; those of the same codes are replaced. One may lie within
/// another that comes later.
#[utoipa::path(put, path = "/api/v1/categories", tag = "catalogue", request_body = Categories, security(("key" = ["catalogue"])),
    params(("Idempotency-Key" = String, Header, description = "8 to 100 characters", min_length = 8, max_length = 100)),
    responses(
        (status = 200, description = "Written", body = Written),
        (status = 409, description = "`key_reused`", body = Details),
        (status = 422, description = "Fields do not fit: nothing is written", body = Details)))]
pub(super) async fn categories(call: Call, once: Once, sent: Sent<Categories>) -> Result<Answer, Problem> {
    call.may(Scope::Catalogue)?;
    few("categories", sent.body.categories.len())?;
    let categories: Vec<_> = sent
        .body
        .categories
        .iter()
        .cloned()
        .map(|category| catalogue::NewCategory {
            code: category.code,
            name: category.name.into(),
            parent: category.parent,
        })
        .collect();
    let (till, categories) = (&call.till, &categories);
    call.once(&once, &sent, |tx| {
        scoped(async move {
            catalogue::put_categories(tx, till, categories).await?;
            written(categories.len())
        })
    })
    .await
}

/// Writes articles down; those of the same codes are replaced.
#[utoipa::path(put, path = "/api/v1/articles", tag = "catalogue", request_body = Articles, security(("key" = ["catalogue"])),
    params(("Idempotency-Key" = String, Header, description = "8 to 100 characters", min_length = 8, max_length = 100)),
    responses(
        (status = 200, description = "Written", body = Written),
        (status = 409, description = "`key_reused`", body = Details),
        (status = 422, description = "Fields do not fit: nothing is written", body = Details)))]
pub(super) async fn articles(call: Call, once: Once, sent: Sent<Articles>) -> Result<Answer, Problem> {
    call.may(Scope::Catalogue)?;
    few("articles", sent.body.articles.len())?;
    let articles: Vec<_> = sent
        .body
        .articles
        .iter()
        .cloned()
        .map(|article| catalogue::NewArticle {
            code: article.code,
            name: article.name,
            category: article.category.map(Option::unwrap_or_default),
            brand: article.brand,
            payable: article.payable,
        })
        .collect();
    let (till, articles) = (&call.till, &articles);
    call.once(&once, &sent, |tx| {
        scoped(async move {
            catalogue::put_articles(tx, till, articles).await?;
            written(articles.len())
        })
    })
    .await
}

/// The shops by their codes, closed ones too. What is written meanwhile shifts nothing: each is told at most once.
#[utoipa::path(get, path = "/api/v1/stores", tag = "catalogue", security(("key" = ["catalogue"])),
    params(
        ("after" = Option<String>, Query, description = "The `next` of the part before; left out: from the beginning"),
        ("limit" = Option<i64>, Query, description = "How many at most; 100 where it is left out", minimum = 1, maximum = 500)),
    responses(
        (status = 200, description = "A part of the list; the header Link names the next one", body = StoreList),
        (status = 422, description = "`invalid`: the cursor is not one of this list, or the limit is out of its range", body = Details)))]
pub(super) async fn list_stores(call: Call, Query(wanted): Query<Wanted>) -> Result<Part<StoreList>, Problem> {
    call.may(Scope::Catalogue)?;
    let (after, limit) = (wanted.after("stores")?, wanted.limit()?);
    let found = catalogue::stores(&mut call.app.db.read().await?, &call.till, &after, limit).await?;
    let next = found.next.map(|code| cursor("stores", &code));
    Ok(Part {
        body: StoreList {
            stores: found.records.into_iter().map(Into::into).collect(),
            next: next.clone(),
        },
        path: format!("{PREFIX}/stores"),
        next: (next, limit),
    })
}

/// The categories by their codes. What is written meanwhile shifts nothing: each is told at most once.
#[utoipa::path(get, path = "/api/v1/categories", tag = "catalogue", security(("key" = ["catalogue"])),
    params(
        ("after" = Option<String>, Query, description = "The `next` of the part before; left out: from the beginning"),
        ("limit" = Option<i64>, Query, description = "How many at most; 100 where it is left out", minimum = 1, maximum = 500)),
    responses(
        (status = 200, description = "A part of the list; the header Link names the next one", body = CategoryList),
        (status = 422, description = "`invalid`: the cursor is not one of this list, or the limit is out of its range", body = Details)))]
pub(super) async fn list_categories(call: Call, Query(wanted): Query<Wanted>) -> Result<Part<CategoryList>, Problem> {
    call.may(Scope::Catalogue)?;
    let (after, limit) = (wanted.after("categories")?, wanted.limit()?);
    let found = catalogue::categories(&mut call.app.db.read().await?, &call.till, &after, limit).await?;
    let next = found.next.map(|code| cursor("categories", &code));
    Ok(Part {
        body: CategoryList {
            categories: found.records.into_iter().map(Into::into).collect(),
            next: next.clone(),
        },
        path: format!("{PREFIX}/categories"),
        next: (next, limit),
    })
}

/// The articles by their codes. What is written meanwhile shifts nothing: each is told at most once.
#[utoipa::path(get, path = "/api/v1/articles", tag = "catalogue", security(("key" = ["catalogue"])),
    params(
        ("after" = Option<String>, Query, description = "The `next` of the part before; left out: from the beginning"),
        ("limit" = Option<i64>, Query, description = "How many at most; 100 where it is left out", minimum = 1, maximum = 500)),
    responses(
        (status = 200, description = "A part of the list; the header Link names the next one", body = ArticleList),
        (status = 422, description = "`invalid`: the cursor is not one of this list, or the limit is out of its range", body = Details)))]
pub(super) async fn list_articles(call: Call, Query(wanted): Query<Wanted>) -> Result<Part<ArticleList>, Problem> {
    call.may(Scope::Catalogue)?;
    let (after, limit) = (wanted.after("articles")?, wanted.limit()?);
    let found = catalogue::articles(&mut call.app.db.read().await?, &call.till, &after, limit).await?;
    let next = found.next.map(|code| cursor("articles", &code));
    Ok(Part {
        body: ArticleList {
            articles: found.records.into_iter().map(Into::into).collect(),
            next: next.clone(),
        },
        path: format!("{PREFIX}/articles"),
        next: (next, limit),
    })
}

/// Writes blank plastic cards down, so that they can be handed out. Numbers that are no cards of the shop are left out.
#[utoipa::path(post, path = "/api/v1/cards", tag = "catalogue", request_body = Cards, security(("key" = ["catalogue"])),
    params(("Idempotency-Key" = String, Header, description = "8 to 100 characters", min_length = 8, max_length = 100)),
    responses(
        (status = 200, description = "Written, and left out", body = Written),
        (status = 409, description = "`key_reused`", body = Details),
        (status = 422, description = "Fields do not fit: nothing is written", body = Details)))]
pub(super) async fn cards(call: Call, once: Once, sent: Sent<Cards>) -> Result<Answer, Problem> {
    call.may(Scope::Catalogue)?;
    few("numbers", sent.body.numbers.len())?;
    let (till, numbers) = (&call.till, &sent.body.numbers);
    call.once(&once, &sent, |tx| {
        scoped(async move {
            let (new, rejected) = counter::put_cards(tx, till, numbers).await?;
            let written = Written { written: new, rejected };
            Answer::new(StatusCode::OK, &written)
        })
    })
    .await
}

fn written(count: usize) -> Result<Answer, Problem> {
    let written = Written {
        written: count as u64,
        rejected: Vec::new(),
    };
    Answer::new(StatusCode::OK, &written)
}
