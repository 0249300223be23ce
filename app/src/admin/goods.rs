//! What is sold: articles and the categories that they are in, as staff write them. A new one is there at once, and a change is a
//! draft until it is published.

use super::coming::{self, Coming, done_here};
use super::rules::named;
use super::shops::{found, search, sections};
use super::versions::seen_if_any;
use super::{changes, find, looked_for};
use crate::cabinet::{back, flash};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{AddBox, Check, DataTable, Field, FormBox, Head, Select, pairs, table_or};
use crm::article::store as articles;
use crm::article::store::managing::{self as article, Record as Article};
use crm::audit::Object;
use crm::catalogue::{self, Item, Record};
use crm::db::Conn;
use crm::flaw::{Check as Flaws, Flaw};
use crm::id::{ArticleId, CategoryId};
use crm::staff::Right;
use crm::stores::store as stores;
use crm::stores::store::category::{self as categories, Record as Category};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

const ARTICLES: &str = "/admin/articles";
const CATEGORIES: &str = "/admin/categories";
/// How many articles stand on a page.
const PAGE: usize = 50;

/// A text, or none for an empty field.
fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.trim().is_empty())
}

/// A category as its form sends it.
#[derive(Deserialize)]
pub struct CategoryFields {
    ru: String,
    en: String,
    parent: String,
    after: String,
}

impl CategoryFields {
    fn read(self, code: String) -> Result<Category, AppError> {
        let mut flaws = Flaws::new();
        let name = named(&mut flaws, &self.ru, &self.en);
        if !flaws.is_clean() {
            return Err(AppError::Invalid { flaws: flaws.flaws() });
        }
        Ok(Category {
            code,
            name,
            parent: filled(self.parent),
            after: filled(self.after),
        })
    }
}

/// Adds a category.
#[derive(Deserialize)]
pub struct AddCategory {
    key: String,
    #[serde(flatten)]
    fields: CategoryFields,
}

impl Form for AddCategory {
    const NAME: &'static str = "category.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let new = self.fields.read(self.key)?;
        let id = categories::create(&cx.db, cx.staff()?, &new).await?;
        Ok(Next::to(format!("{CATEGORIES}/{id}?done=created")))
    }
}

/// Writes what the category at hand is to say as a draft. `seen` is its record as it was shown, in JSON, and `draft` when the
/// draft that was shown was changed; empty: there was none.
#[derive(Deserialize)]
pub struct ChangeCategory {
    seen: String,
    #[serde(default)]
    draft: String,
    #[serde(flatten)]
    fields: CategoryFields,
}

impl Form for ChangeCategory {
    const NAME: &'static str = "category.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CategoryId = cx.param("id")?;
        let seen: Category = serde_json::from_str(&self.seen).map_err(|_| AppError::Refused)?;
        let new = self.fields.read(seen.code.clone())?;
        let [seen, new] = [seen, new].map(Record::Category);
        let seen = (&seen, seen_if_any(&self.draft)?);
        catalogue::write(&cx.db, cx.staff()?, Item::Category(id), seen, &new).await?;
        Ok(done_here(cx, "drafted"))
    }
}

/// An article as its form sends it.
#[derive(Deserialize)]
pub struct ArticleFields {
    name: String,
    category: String,
    brand: String,
    #[serde(default)]
    payable: String,
}

impl ArticleFields {
    fn read(self, code: String) -> Article {
        Article {
            code,
            name: self.name,
            category: filled(self.category),
            brand: filled(self.brand),
            payable: self.payable == "yes",
        }
    }
}

/// Adds an article.
#[derive(Deserialize)]
pub struct AddArticle {
    key: String,
    #[serde(flatten)]
    fields: ArticleFields,
}

impl Form for AddArticle {
    const NAME: &'static str = "article.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let new = self.fields.read(self.key);
        let id = article::create(&cx.db, cx.staff()?, &new).await?;
        Ok(Next::to(format!("{ARTICLES}/{id}?done=created")))
    }
}

/// Writes what the article at hand is to say as a draft, as [`ChangeCategory`] does.
#[derive(Deserialize)]
pub struct ChangeArticle {
    seen: String,
    #[serde(default)]
    draft: String,
    #[serde(flatten)]
    fields: ArticleFields,
}

impl Form for ChangeArticle {
    const NAME: &'static str = "article.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: ArticleId = cx.param("id")?;
        let seen: Article = serde_json::from_str(&self.seen).map_err(|_| AppError::Refused)?;
        let new = self.fields.read(seen.code.clone());
        let [seen, new] = [seen, new].map(Record::Article);
        let seen = (&seen, seen_if_any(&self.draft)?);
        catalogue::write(&cx.db, cx.staff()?, Item::Article(id), seen, &new).await?;
        Ok(done_here(cx, "drafted"))
    }
}

/// Looks for articles. As in every search of staff, what is typed stands in no address.
#[derive(Deserialize)]
pub struct FindArticles {
    q: String,
}

impl Form for FindArticles {
    const NAME: &'static str = "article.find";
    const REPEATS: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        found(cx, &self.q).await
    }
}

/// What a category is called, with its code: two may have one name.
fn called(cx: &Cx, category: &Category) -> String {
    format!("{} ({})", cx.pick(&category.name), category.code)
}

/// The categories to choose from by their codes, behind words for none.
fn choices(cx: &Cx, none: &str, all: &[(CategoryId, Category)]) -> Vec<(String, String)> {
    let offered = all
        .iter()
        .map(|(_, category)| (category.code.clone(), called(cx, category)));
    std::iter::once((String::new(), none.to_owned()))
        .chain(offered)
        .collect()
}

/// The categories.
pub async fn categories(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_shops;
    let all = categories::list(&mut cx.db.read().await?, cx.staff()?).await?;
    let parent = |code: &str| all.iter().find(|(_, category)| category.code == code);
    let rows: Vec<_> = all
        .iter()
        .map(|(id, category)| {
            let within = category.parent.as_deref().and_then(parent);
            view! {
                <tr>
                    <td class="grow"><a href=format!("{CATEGORIES}/{id}")><bdi>{cx.pick(&category.name)}</bdi></a></td>
                    <td>{within.map(|(_, parent)| view! { <bdi>{cx.pick(&parent.name)}</bdi> })}</td>
                    <td><code>{category.code.clone()}</code></td>
                </tr>
            }
        })
        .collect();
    let heads = vec![Head::Words(t.name), Head::Words(t.within), Head::Words(t.code)];
    let list = table_or(t.no_categories, t.categories, heads, rows);
    let mut labels = category_labels(&cx);
    labels.insert(0, ("key".to_owned(), t.code.to_owned()));
    // Whatever is new stands behind the others, unless somebody says otherwise.
    let last = all.last().map(|(_, category)| category.code.clone());
    let inside = cx.clone();
    let fields = move || category_fields(&inside, &all, None, last.as_deref());
    let view = view! {
        <h1>{t.categories}</h1>
        {sections(&cx)}
        <p class="lead">{t.categories_lead}</p>
        {list}
        <AddBox<AddCategory> title=t.new_category labels=labels>
            <Field name="key" label=t.code hint=t.category_code_hint/>
            {fields()}
            <button class="btn btn-primary">{t.create_category}</button>
        </AddBox<AddCategory>>
    };
    Ok(Body::new(t.categories, Frame::Admin, view))
}

fn category_labels(cx: &Cx) -> Vec<(String, String)> {
    let (t, of_rules) = (&cx.t().admin_shops, &cx.t().admin_rules);
    pairs([
        ("ru", of_rules.name_ru),
        ("en", of_rules.name_en),
        ("parent", t.within),
        ("after", t.after),
    ])
}

/// The fields of a category: what it may lie within and stand behind are the others.
fn category_fields(cx: &Cx, others: &[(CategoryId, Category)], held: Option<&Category>, after: Option<&str>) -> Html {
    let (t, of_rules) = (&cx.t().admin_shops, &cx.t().admin_rules);
    let name = held.map(|held| held.name.clone()).unwrap_or_default();
    let parent = held.and_then(|held| held.parent.clone()).unwrap_or_default();
    let parents = choices(cx, t.within_none, others);
    let places = choices(cx, t.at_first, others);
    view! {
        <Field name="ru" label=of_rules.name_ru value=name.ru/>
        <Field name="en" label=of_rules.name_en value=name.en/>
        <Select name="parent" label=t.within hint=t.within_hint options=parents value=parent/>
        <Select name="after" label=t.after options=places value=after.unwrap_or_default()/>
    }
    .into_html()
}

/// One category.
pub async fn category(cx: Cx) -> Result<Body, AppError> {
    let (t, of_rules) = (&cx.t().admin_shops, &cx.t().admin_rules);
    let id: CategoryId = cx.param("id")?;
    let mut others = categories::read(&cx.db, cx.staff()?, id).await?;
    let at = others
        .iter()
        .position(|(other, _)| *other == id)
        .ok_or(AppError::NotFound)?;
    let labels = [
        ("name", t.name),
        ("ru", of_rules.name_ru),
        ("en", of_rules.name_en),
        ("parent", t.within),
        ("after", t.after),
    ];
    let show = category_named(&cx, &others);
    let changes = changes::section(&cx, Object::Category(id), &labels, &show).await?;
    let (_, held) = others.remove(at);
    let coming = Coming::of(&cx, Record::Category(held.clone())).await?;
    let next = match coming.next() {
        Record::Category(next) => next.clone(),
        _ => held.clone(),
    };
    let draft = coming.seen();
    let coming = coming.view(&cx, |record| coming::lines(&cx, record, &labels, &show));
    let title = cx.pick(&held.name);
    let seen = serde_json::to_string(&held).map_err(|_| AppError::Internal)?;
    let done = [&[("created", t.done_category)][..], &coming::done(&cx)].concat();
    let (inside, labels, code) = (cx.clone(), category_labels(&cx), held.code.clone());
    let fields = move || category_fields(&inside, &others, Some(&next), next.after.as_deref());
    let view = view! {
        {back(CATEGORIES, t.categories)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &done)}
        <p><code>{code}</code></p>
        {coming}
        <section class="section narrow" aria-labelledby="edit">
            <h2 id="edit">{t.edit_category}</h2>
            <p class="hint">{t.draft_hint}</p>
            <FormBox<ChangeCategory> labels=labels stale=t.stale>
                <input type="hidden" name="seen" value=seen/>
                <input type="hidden" name="draft" value=draft/>
                {fields()}
                <button class="btn btn-primary">{of_rules.save}</button>
            </FormBox<ChangeCategory>>
        </section>
        {changes}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// The name of a category where a change tells of its code.
fn category_named(cx: &Cx, all: &[(CategoryId, Category)]) -> impl Fn(&str, &Value) -> Option<String> + use<> {
    let names: BTreeMap<String, String> = all
        .iter()
        .map(|(_, category)| (category.code.clone(), called(cx, category)))
        .collect();
    move |field, value| {
        let names_one = matches!(field, "parent" | "after" | "category");
        value
            .as_str()
            .filter(|_| names_one)
            .and_then(|code| names.get(code).cloned())
    }
}

/// The articles, page by page.
pub async fn articles(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_shops;
    let after = cx.query("after").unwrap_or_default();
    let (search_id, find) = looked_for(&cx).await?.unzip();
    let find = find.unwrap_or_default();
    // One more tells whether there is another page.
    let limit = PAGE as i64 + 1;
    let mut conn = cx.db.read().await?;
    let mut all = articles::list(&mut conn, cx.staff()?, &find, after, limit).await?;
    let shelves = categories::list(&mut conn, cx.staff()?).await?;
    let taken = taken(&cx, &mut conn).await?;
    drop(conn);
    let has_more = all.len() > PAGE;
    all.truncate(PAGE);
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            view! {
                <tr>
                    <td><code>{one.code.clone()}</code></td>
                    <td class="grow"><a href=format!("{ARTICLES}/{}", one.id)><bdi>{one.name.clone()}</bdi></a></td>
                    <td>{one.category.as_ref().map(|name| cx.pick(name))}</td>
                    <td>{one.brand.clone()}</td>
                    <td>{if one.payable { t.may_pay } else { t.may_not_pay }}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.code),
        Head::Words(t.article),
        Head::Words(t.category),
        Head::Words(t.brand),
        Head::Words(t.pays),
    ];
    let list = match rows.is_empty() {
        true => view! { <p class="muted" role="status">{t.none_found}</p> }.into_html(),
        false => view! { <DataTable label=t.articles heads=heads rows=rows.into_html()/> }.into_html(),
    };
    let at = |after: &str| {
        let find = search_id.map(|id| ("find", id.to_string()));
        let after = Some(("after", after.to_owned())).filter(|(_, after)| !after.is_empty());
        let query: BTreeMap<_, _> = find.into_iter().chain(after).collect();
        format!("{ARTICLES}?{}", serde_qs::to_string(&query).unwrap_or_default())
    };
    let next = all.last().filter(|_| has_more).map(|last| at(&last.code));
    let next = next.map(|href| view! { <a class="btn" rel="next" href=href>{t.next}</a> });
    let first = (!after.is_empty()).then(|| view! { <a class="btn btn-quiet" href=at("")>{t.first}</a> });
    let mut labels = pairs(article_labels(&cx));
    labels.insert(0, ("key".to_owned(), t.code.to_owned()));
    let inside = cx.clone();
    let fields = move || article_fields(&inside, &shelves, None);
    let view = view! {
        <h1>{t.articles}</h1>
        {sections(&cx)}
        <p class="lead">{t.articles_lead}</p>
        {search::<FindArticles>(&cx, t.find_article, find)}
        {list}
        <div class="pages"><span></span><div class="actions">{first} {next}</div></div>
        <AddBox<AddArticle> title=t.new_article labels=labels>
            <p class="hint">{t.article_hint}</p>
            <Field name="key" label=t.code hint=t.article_code_hint/>
            {taken}
            {fields()}
            <button class="btn btn-primary">{t.create_article}</button>
        </AddBox<AddArticle>>
    };
    Ok(Body::new(t.articles, Frame::Admin, view))
}

/// The article that has the code already which was typed for a new one.
async fn taken(cx: &Cx, conn: &mut Conn) -> Result<Option<Html>, AppError> {
    let flaw = AppError::field("key", Flaw::Taken);
    let sent = cx.outcome.as_ref();
    let sent = sent.filter(|sent| sent.form == AddArticle::NAME && sent.error == flaw);
    let code = sent.and_then(|sent| sent.values.iter().find(|(name, _)| name == "key"));
    let Some((_, code)) = code else {
        return Ok(None);
    };
    let held = article::by_code(conn, cx.staff()?, code.trim()).await?;
    let words = cx.t().admin_shops.has_code;
    Ok(held.map(|(id, name)| {
        view! { <p>{words} " " <a href=format!("{ARTICLES}/{id}")><bdi>{name}</bdi></a></p> }.into_html()
    }))
}

fn article_labels(cx: &Cx) -> [(&'static str, &'static str); 4] {
    let t = &cx.t().admin_shops;
    [
        ("name", t.name),
        ("category", t.category),
        ("brand", t.brand),
        ("payable", t.may_be_paid),
    ]
}

/// The fields of an article beside its code.
fn article_fields(cx: &Cx, shelves: &[(CategoryId, Category)], held: Option<&Article>) -> Html {
    let t = &cx.t().admin_shops;
    let name = held.map(|held| held.name.clone()).unwrap_or_default();
    let category = held.and_then(|held| held.category.clone()).unwrap_or_default();
    let brand = held.and_then(|held| held.brand.clone()).unwrap_or_default();
    // Points may pay for what is new, as they may where another system does not say.
    let payable = held.is_none_or(|held| held.payable);
    let categories = choices(cx, t.within_none, shelves);
    view! {
        <Field name="name" label=t.name value=name/>
        <Select name="category" label=t.category options=categories value=category/>
        <Field name="brand" label=t.brand hint=t.brand_hint value=brand optional=true/>
        <Check name="payable" checked=payable>{t.may_be_paid}</Check>
    }
    .into_html()
}

/// What is known of an article, for whoever found it and may not change it.
async fn shown(cx: &Cx, held: Article) -> Result<Body, AppError> {
    let (t, of_changes) = (&cx.t().admin_shops, &cx.t().admin_changes);
    let all = stores::categories(&mut cx.db.read().await?).await?;
    let category = all
        .iter()
        .find(|one| held.category.as_deref() == Some(one.code.as_str()));
    let category = category.map_or_else(|| of_changes.nothing.to_owned(), |one| cx.pick(&one.name));
    let brand = held.brand.clone().unwrap_or_else(|| of_changes.nothing.to_owned());
    let pays = if held.payable { of_changes.yes } else { of_changes.no };
    let title = held.name.clone();
    let view = view! {
        {back(find::HERE, cx.t().admin_find.title)}
        <h1><bdi>{title.clone()}</bdi></h1>
        <dl class="kv panel">
            <div><dt>{t.code}</dt><dd><code>{held.code.clone()}</code></dd></div>
            <div><dt>{t.category}</dt><dd>{category}</dd></div>
            <div><dt>{t.brand}</dt><dd><bdi>{brand}</bdi></dd></div>
            <div><dt>{t.may_be_paid}</dt><dd>{pays}</dd></div>
        </dl>
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// One article.
pub async fn article(cx: Cx) -> Result<Body, AppError> {
    let (t, of_rules) = (&cx.t().admin_shops, &cx.t().admin_rules);
    let id: ArticleId = cx.param("id")?;
    let held = article::read(&cx.db, cx.staff()?, id).await?;
    if !cx.staff()?.has(Right::Shops) {
        return shown(&cx, held).await;
    }
    let all = categories::list(&mut cx.db.read().await?, cx.staff()?).await?;
    let title = held.name.clone();
    let labels = article_labels(&cx);
    let show = category_named(&cx, &all);
    let changes = changes::section(&cx, Object::Article(id), &labels, &show).await?;
    let seen = serde_json::to_string(&held).map_err(|_| AppError::Internal)?;
    let coming = Coming::of(&cx, Record::Article(held.clone())).await?;
    let next = match coming.next() {
        Record::Article(next) => next.clone(),
        _ => held.clone(),
    };
    let draft = coming.seen();
    let coming = coming.view(&cx, |record| coming::lines(&cx, record, &labels, &show));
    let done = [&[("created", t.done_article)][..], &coming::done(&cx)].concat();
    let (inside, labels, code) = (cx.clone(), pairs(labels), held.code.clone());
    let fields = move || article_fields(&inside, &all, Some(&next));
    let view = view! {
        {back(ARTICLES, t.articles)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &done)}
        <p><code>{code}</code></p>
        {coming}
        <section class="section narrow" aria-labelledby="edit">
            <h2 id="edit">{t.edit_article}</h2>
            <p class="hint">{t.article_hint} " " {t.draft_hint}</p>
            <FormBox<ChangeArticle> labels=labels stale=t.stale>
                <input type="hidden" name="seen" value=seen/>
                <input type="hidden" name="draft" value=draft/>
                {fields()}
                <button class="btn btn-primary">{of_rules.save}</button>
            </FormBox<ChangeArticle>>
        </section>
        {changes}
    };
    Ok(Body::new(title, Frame::Admin, view))
}
