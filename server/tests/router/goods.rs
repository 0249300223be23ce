//! Articles and categories, as staff write them, and what of it their pages tell.

use crate::common::{BY, Browser, Reply, TestApp};
use axum::http::StatusCode;
use chrono::Duration;
use crm::db::scoped;
use crm::who::Token;
use std::collections::BTreeMap;

const CATEGORIES: &str = "/admin/categories";
const ARTICLES: &str = "/admin/articles";

/// Adds a category and tells where its page is.
async fn add(staff: &mut Browser, code: &str, ru: &str, parent: &str, after: &str) -> String {
    let fields = [
        ("key", code),
        ("ru", ru),
        ("en", code),
        ("parent", parent),
        ("after", after),
    ];
    let made = staff.send(CATEGORIES, "category.add", &fields).await;
    let at = made.location().split('?').next().unwrap_or_default().to_owned();
    assert!(at.starts_with(CATEGORIES), "{}", made.text());
    at
}

/// Sends a form of a page with what is seen there, and some of it changed.
async fn save(staff: &mut Browser, at: &str, form: &str, changed: &[(&str, &str)]) -> Reply {
    let mut there = staff.get(at).await.form(form);
    for (name, value) in changed {
        there = there.with(name, value);
    }
    let fields: Vec<(&str, &str)> = there
        .fields
        .iter()
        .filter(|(name, value)| !(name.starts_with('_') || name == "payable" && value == "no"))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    staff.send(at, form, &fields).await
}

/// Publishes the draft of a page at once.
async fn publish(staff: &mut Browser, at: &str) {
    let reply = save(staff, at, "catalogue.publish", &[]).await;
    reply.assert_leads_to(&format!("{at}?done=published"));
}

/// The codes of the categories in the order of their page.
async fn order(staff: &mut Browser) -> Vec<String> {
    let page = staff.get(CATEGORIES).await.body;
    let codes = page.split("<td><code>").skip(1);
    codes
        .filter_map(|rest| Some(rest.split_once("</code>")?.0.to_owned()))
        .collect()
}

#[tokio::test]
async fn a_category_is_added_named_moved_and_put_within_another() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let wrong = [
        ("key", "чай"),
        ("ru", "Чай"),
        ("en", "Tea"),
        ("parent", "none"),
        ("after", ""),
    ];
    let wrong = staff.send(CATEGORIES, "category.add", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let code = "Подходят латинские буквы, цифры, дефис и подчёркивание";
    assert_eq!(wrong.message("category.add", "key"), code);
    assert_eq!(wrong.message("category.add", "parent"), "Выберите из списка");
    let nameless = [
        ("key", "tea"),
        ("ru", "Чай"),
        ("en", " "),
        ("parent", ""),
        ("after", ""),
    ];
    let nameless = staff.send(CATEGORIES, "category.add", &nameless).await;
    assert_eq!(nameless.message("category.add", "en"), "Заполните это поле");

    let tea = add(&mut staff, "tea", "Чай", "", "").await;
    add(&mut staff, "dishes", "Посуда", "", "tea").await;
    let green = add(&mut staff, "green", "Зелёный", "tea", "").await;
    assert_eq!(order(&mut staff).await, ["green", "tea", "dishes"]);
    let twice = [
        ("key", "tea"),
        ("ru", "Чай"),
        ("en", "Tea"),
        ("parent", ""),
        ("after", ""),
    ];
    let twice = staff.send(CATEGORIES, "category.add", &twice).await;
    assert_eq!(twice.message("category.add", "key"), "Такой уже есть");

    let filled = staff.get(&green).await.form("category.change");
    assert_eq!([filled.get("parent"), filled.get("after")], [Some("tea"), Some("")]);
    let seen = filled.get("seen").map(str::to_owned).expect("a field");
    app.world.clock.set(crm::testing::start() + Duration::seconds(5));
    let moved = save(
        &mut staff,
        &green,
        "category.change",
        &[("after", "dishes"), ("ru", "Зелёный чай")],
    )
    .await;
    moved.assert_leads_to(&format!("{green}?done=drafted"));
    assert_eq!(
        order(&mut staff).await,
        ["green", "tea", "dishes"],
        "a draft moves nothing"
    );
    let page = staff.get(&green).await.body;
    assert!(page.contains("<del>") && page.contains("<ins>"), "{page}");
    publish(&mut staff, &green).await;
    assert_eq!(order(&mut staff).await, ["tea", "dishes", "green"]);
    // A colleague saw it as it was before.
    let late = save(
        &mut staff,
        &green,
        "category.change",
        &[("seen", &seen), ("ru", "Сенча")],
    )
    .await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("изменил кто-то другой");
    let circle = save(&mut staff, &tea, "category.change", &[("parent", "green")]).await;
    assert!(
        circle
            .message("category.change", "parent")
            .contains("Получился бы круг"),
        "{}",
        circle.text()
    );
    let itself = save(&mut staff, &tea, "category.change", &[("parent", "tea")]).await;
    assert_eq!(itself.message("category.change", "parent"), "Выберите из списка");
    let out = save(&mut staff, &green, "category.change", &[("parent", "")]).await;
    out.assert_leads_to(&format!("{green}?done=drafted"));
    publish(&mut staff, &green).await;

    let page = staff.get(&green).await.text();
    for told in [
        "Внутри категории: Чай (tea) → пусто",
        "Название: «Зелёный / green» → «Зелёный чай / green»",
        "Стоит после: пусто → Посуда (dishes)",
        "Создано",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    let mut agent = app.staff_as("agent", "agent").await;
    for at in [CATEGORIES, green.as_str()] {
        assert_eq!(agent.get(at).await.status, StatusCode::FORBIDDEN, "{at}");
    }
    let refused = [
        ("seen", seen.as_str()),
        ("ru", "Чай"),
        ("en", "Tea"),
        ("parent", ""),
        ("after", ""),
    ];
    let refused = agent.send(&green, "category.change", &refused).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let nowhere = format!("{CATEGORIES}/{}", uuid::Uuid::nil());
    assert_eq!(staff.get(&nowhere).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_article_is_added_once_by_whoever_changes_them() {
    const HAS_CODE: &str = "С этим кодом уже есть товар";
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    add(&mut staff, "dishes", "Посуда", "", "").await;
    let page = staff.get(ARTICLES).await;
    let empty = page.form("article.add");
    assert_eq!([empty.get("key"), empty.get("payable")], [Some(""), Some("yes")]);
    let wrong = [("key", " "), ("name", ""), ("category", "none"), ("brand", "Сосна")];
    let wrong = staff.send(ARTICLES, "article.add", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    for (field, message) in [
        ("key", "Заполните это поле"),
        ("name", "Заполните это поле"),
        ("category", "Выберите из списка"),
    ] {
        assert_eq!(wrong.message("article.add", field), message, "{field}");
    }
    let typed = wrong.form("article.add");
    assert_eq!([typed.get("brand"), typed.get("payable")], [Some("Сосна"), None]);
    let long = "Ч".repeat(101);
    let long = [
        ("key", long.as_str()),
        ("name", "Чашка"),
        ("category", ""),
        ("brand", ""),
    ];
    let long = staff.send(ARTICLES, "article.add", &long).await;
    assert_eq!(long.message("article.add", "key"), "Не больше 100 знаков");
    let articles = async || app.count("SELECT COUNT(*) FROM articles").await;
    assert_eq!(articles().await, 0, "what was refused is not there");

    let cup = [
        ("key", " Cup/46 "),
        ("name", " Чашка «Ёлка» "),
        ("category", "dishes"),
        ("brand", " Сосна "),
        ("payable", "yes"),
    ];
    let key = Token::random();
    let made = staff.send_keyed(ARTICLES, "article.add", key.secret(), &cup).await;
    let to = made.location().to_owned();
    let at = to.strip_suffix("?done=created").expect("the page of the article");
    assert!(at.starts_with(&format!("{ARTICLES}/")), "{at}");
    let again = staff.send_keyed(ARTICLES, "article.add", key.secret(), &cup).await;
    again.assert_leads_to(&to);
    assert_eq!(articles().await, 1, "one key adds one");
    let rows = app
        .texts("SELECT action FROM audit WHERE action = 'article.create'")
        .await;
    assert_eq!(rows.len(), 1);
    let page = staff.get(&to).await;
    for told in ["Товар добавлен", "Cup/46", "Создано"] {
        page.assert_says(told);
    }
    let form = page.form("article.change");
    let held = ["name", "category", "brand", "payable"].map(|name| form.get(name));
    assert_eq!(held, [Some("Чашка «Ёлка»"), Some("dishes"), Some("Сосна"), Some("yes")]);
    let list = staff.get(ARTICLES).await;
    assert!(list.body.contains(&format!("href=\"{at}\"")), "it is there at once");
    assert!(!list.text().contains(HAS_CODE));

    // The code is taken: the page leads to the article that has it.
    let twice = [("key", "Cup/46 "), ("name", "Кружка"), ("category", ""), ("brand", "")];
    let twice = staff.send(ARTICLES, "article.add", &twice).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(twice.message("article.add", "key"), "Такой уже есть");
    let told = twice.body.split(HAS_CODE).nth(1).expect("the page says whose it is");
    let told = told.split("</p>").next().unwrap_or_default();
    assert!(
        told.contains(&format!("href=\"{at}\"")) && told.contains("Чашка «Ёлка»"),
        "{told}"
    );
    let mug = [("key", "mug"), ("name", "Кружка"), ("category", ""), ("brand", "")];
    let made = staff.send(ARTICLES, "article.add", &mug).await;
    let form = staff.get(made.location()).await.form("article.change");
    let held = ["category", "brand", "payable"].map(|name| form.get(name));
    assert_eq!(held, [Some(""), Some(""), None], "points may not pay for it");

    let mut agent = app.staff_as("agent", "agent").await;
    let refused = [("key", "jug"), ("name", "Кувшин"), ("category", ""), ("brand", "")];
    let refused = agent.send(ARTICLES, "article.add", &refused).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(articles().await, 2);
}

#[tokio::test]
async fn an_article_is_changed_and_its_page_tells_what_of_it() {
    let app = TestApp::new().await;
    let names = &BTreeMap::from([("cup", Some("Чашка"))]);
    let made = app.world.db.write(|tx| {
        scoped(async move {
            crm::article::store::ensure(tx, &BY, names)
                .await
                .map_err(crm::Error::from)
        })
    });
    let at = format!("{ARTICLES}/{}", made.await.expect("written")["cup"]);
    let mut staff = app.staff_as("mara", "marketer").await;
    let dishes = add(&mut staff, "dishes", "Посуда", "", "").await;
    assert!(staff.get(ARTICLES).await.body.contains(&format!("href=\"{at}\"")));
    let page = staff.get(&at).await;
    page.assert_says("Пока ничего не меняли");
    let seen = page
        .form("article.change")
        .get("seen")
        .map(str::to_owned)
        .expect("a field");

    let wrong = save(
        &mut staff,
        &at,
        "article.change",
        &[("name", " "), ("category", "none")],
    )
    .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.message("article.change", "name"), "Заполните это поле");
    assert_eq!(wrong.message("article.change", "category"), "Выберите из списка");
    let changed = [
        ("name", "Чашка «Ёлка»"),
        ("category", "dishes"),
        ("brand", " Сосна "),
        ("payable", "no"),
    ];
    let saved = save(&mut staff, &at, "article.change", &changed).await;
    saved.assert_leads_to(&format!("{at}?done=drafted"));
    let list = staff.get(ARTICLES).await.text();
    assert!(list.contains("Чашка") && !list.contains("Ёлка"), "{list}");
    publish(&mut staff, &at).await;
    let late = save(
        &mut staff,
        &at,
        "article.change",
        &[("seen", &seen), ("name", "Кружка")],
    )
    .await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("изменил кто-то другой");
    let page = staff.get(&at).await;
    let form = page.form("article.change");
    let held = ["name", "category", "brand", "payable"].map(|name| form.get(name));
    assert_eq!(held, [Some("Чашка «Ёлка»"), Some("dishes"), Some("Сосна"), None]);
    for told in [
        "Опубликовано",
        "Название: «Чашка» → «Чашка «Ёлка»»",
        "Категория: пусто → Посуда (dishes)",
        "Марка: пусто → «Сосна»",
        "Можно оплатить баллами: да → нет",
    ] {
        assert!(page.text().contains(told), "{told}: {}", page.text());
    }
    // It is found by its new name, and may leave its category.
    let sent = staff.send(ARTICLES, "article.find", &[("q", "ёлка")]).await;
    let found = sent.location().to_owned();
    assert!(staff.get(&found).await.text().contains("Посуда"), "{found}");
    save(&mut staff, &at, "article.change", &[("category", ""), ("brand", "")]).await;
    publish(&mut staff, &at).await;
    let form = staff.get(&at).await.form("article.change");
    assert_eq!(["category", "brand"].map(|name| form.get(name)), [Some(""), Some("")]);
    // What was saved as it was is no change.
    let before = app
        .texts("SELECT action FROM audit WHERE action = 'article.draft'")
        .await
        .len();
    save(&mut staff, &at, "article.change", &[]).await;
    let after = app
        .texts("SELECT action FROM audit WHERE action = 'article.draft'")
        .await
        .len();
    assert_eq!([before, after], [2, 2]);

    let mut agent = app.staff_as("agent", "agent").await;
    let page = agent.get(&at).await;
    assert_eq!(page.status, StatusCode::OK, "whoever looks for articles reads them");
    assert!(!page.body.contains("name=\"brand\""), "and changes nothing");
    let refused = [
        ("seen", seen.as_str()),
        ("name", "Кружка"),
        ("category", ""),
        ("brand", ""),
    ];
    let refused = agent.send(&at, "article.change", &refused).await;
    refused.assert_says("Этого сделать нельзя");
    assert!(dishes.starts_with(CATEGORIES));
}
