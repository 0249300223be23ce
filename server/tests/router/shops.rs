//! Shops, as staff write them, and articles, as they look them up.

use crate::common::{BY, Browser, Reply, TestApp, with};
use axum::http::StatusCode;
use crm::db::scoped;
use std::collections::BTreeMap;

const LIST: &str = "/admin/stores";

/// Everything that a shop's form sends, with some of it changed.
fn shop<'a>(changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    with(
        vec![
            ("name_ru", "На Советской"),
            ("name_en", "On Sovetskaya"),
            ("town_ru", "Тверь"),
            ("town_en", "Tver"),
            ("address_ru", "Советская, 1"),
            ("address_en", "1 Sovetskaya"),
            ("region", "tver"),
            ("phone", "8 900 000-99-01"),
            ("latitude", "56,8587"),
            ("longitude", "35.9176"),
            ("time_zone", ""),
            ("mon_from", "09:00"),
            ("mon_to", "21:00"),
            ("sun_from", "00:00"),
            ("sun_to", "00:00"),
        ],
        changed,
    )
}

/// Looks for something, and follows to what was found.
async fn find(staff: &mut Browser, at: &str, form: &str, text: &str) -> Reply {
    let sent = staff.send(at, form, &[("q", text)]).await;
    let found = sent.location().to_owned();
    staff.get(&found).await
}

/// Publishes the draft of a shop's page, at once or from a moment on.
async fn publish(staff: &mut Browser, at: &str, from: &str) -> Reply {
    let page = staff.get(at).await;
    let form = page.form("catalogue.publish");
    let seen = form.get("seen").map(str::to_owned).expect("a field");
    let sent = [("seen", seen.as_str()), ("from", from)];
    staff.send(at, "catalogue.publish", &sent).await
}

/// What staff change of a shop is nobody's until it is published, and what is scheduled not before its time.
#[tokio::test]
async fn a_shop_changes_when_its_draft_is_published() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let mut anna = app.customer("Анна").await;
    let made = staff.send(LIST, "store.add", &shop(&[("key", "tver-1")])).await;
    let at = made.location().split('?').next().unwrap_or_default().to_owned();
    let shown = async |staff: &mut Browser| {
        let form = staff.get(&at).await.form("store.change");
        ["seen", "draft"].map(|name| form.get(name).unwrap_or_default().to_owned())
    };
    let [seen, draft] = shown(&mut staff).await;
    assert_eq!(draft, "");
    // The clock stands at 15:00 on 21 November 2026.
    let days = "2026-11-21\n2026-11-22 10:00–15:00";
    let wrong = shop(&[("seen", &seen), ("exceptions", "завтра")]);
    let wrong = staff.send(&at, "store.change", &wrong).await;
    assert_eq!(
        wrong.message("store.change", "exceptions"),
        "Не удаётся прочитать: строка 1"
    );
    let other = shop(&[("seen", &seen), ("exceptions", days)]);
    staff.send(&at, "store.change", &other).await;
    let told = anna.get("/stores").await.text();
    assert!(!told.contains("10:00–15:00"), "a draft is nobody's: {told}");
    let page = staff.get(&at).await;
    assert!(page.body.contains("<ins>Особые дни: 2026-11-21"), "{}", page.body);
    // A colleague who did not see the draft does not write over it.
    let blind = shop(&[("seen", &seen), ("phone", "")]);
    let blind = staff.send(&at, "store.change", &blind).await;
    blind.assert_says("изменил кто-то другой");

    let late = publish(&mut staff, &at, "2020-01-01T10:00").await;
    assert_eq!(late.message("catalogue.publish", "from"), "Этот момент уже прошёл");
    let planned = publish(&mut staff, &at, "2026-11-21T15:10").await;
    planned.assert_leads_to(&format!("{at}?done=scheduled"));
    assert!(!anna.get("/stores").await.text().contains("10:00–15:00"));
    let back = staff.send(&at, "catalogue.withdraw", &[]).await;
    back.assert_leads_to(&format!("{at}?done=withdrawn"));
    publish(&mut staff, &at, "2026-11-21T15:10").await;
    app.world
        .clock
        .set(crm::testing::start() + chrono::Duration::minutes(12));
    for times in [1, 0] {
        let done = crm::catalogue::run_due(&app.world.db, &BY).await.expect("carried out");
        assert_eq!(done, times);
    }
    let there = anna.get("/stores").await.text();
    assert!(
        there.contains("Сегодня закрыто") && there.contains("10:00–15:00"),
        "{there}"
    );
    let page = staff.get(&at).await.text();
    for told in ["Вступило в силу", "по расписанию", "Запланировано"] {
        assert!(page.contains(told), "{told}: {page}");
    }

    // A draft that is thrown away leaves nothing, and nobody publishes without a fresh proof.
    let [seen, _] = shown(&mut staff).await;
    let other = shop(&[("seen", &seen), ("exceptions", days), ("phone", "")]);
    staff.send(&at, "store.change", &other).await;
    app.world
        .clock
        .set(crm::testing::start() + chrono::Duration::minutes(40));
    assert!(!staff.get(&at).await.body.contains("catalogue.publish"));
    let discard = staff.get(&at).await.form("catalogue.discard");
    let thrown = staff.submit(&at, &discard).await;
    thrown.assert_leads_to(&format!("{at}?done=discarded"));
    assert_eq!(shown(&mut staff).await[1], "");
}

#[tokio::test]
async fn a_shop_is_added_changed_closed_and_found() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let wrong = shop(&[
        ("key", "магазин"),
        ("mon_to", "08:00"),
        ("tue_from", "09:00"),
        ("latitude", "север"),
    ]);
    let wrong = staff.send(LIST, "store.add", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    for (field, message) in [
        ("mon_to", "Конец раньше начала: проверьте оба"),
        ("tue_to", "Заполните это поле"),
        ("latitude", "Напишите число: например 150 или 12,5"),
    ] {
        assert_eq!(wrong.message("store.add", field), message, "{field}");
    }
    let wrong = [
        ("key", "магазин"),
        ("name_en", " "),
        ("latitude", "91"),
        ("phone", "12"),
        ("time_zone", "Moscow"),
    ];
    let wrong = staff.send(LIST, "store.add", &shop(&wrong)).await;
    for (field, message) in [
        ("key", "Подходят латинские буквы, цифры, дефис и подчёркивание"),
        ("name_en", "Заполните это поле"),
        ("latitude", "Число от -90 до 90"),
        ("phone", "Проверьте номер, например +7 900 123-45-67"),
        (
            "time_zone",
            "Такого часового пояса нет. Напишите, например, Asia/Yekaterinburg",
        ),
    ] {
        assert_eq!(wrong.message("store.add", field), message, "{field}");
    }
    assert_eq!(
        wrong.form("store.add").get("key"),
        Some("магазин"),
        "what was typed stays"
    );
    let made = staff.send(LIST, "store.add", &shop(&[("key", "tver-1")])).await;
    let at = made.location().split('?').next().unwrap_or_default().to_owned();
    assert!(at.starts_with("/admin/stores/"), "{}", made.text());
    let twice = staff.send(LIST, "store.add", &shop(&[("key", "tver-1")])).await;
    assert_eq!(twice.message("store.add", "key"), "Такой уже есть");
    let mut anna = app.customer("Анна").await;
    let there = anna.get("/stores").await.text();
    assert!(
        there.contains("9:00–21:00") && there.contains("круглосуточно"),
        "{there}"
    );

    // A colleague saw the same; whoever is quicker wins.
    let page = staff.get(&at).await;
    let seen = page
        .form("store.change")
        .get("seen")
        .map(str::to_owned)
        .expect("a field");
    let moved = shop(&[("seen", seen.as_str()), ("address_ru", "Советская, 2")]);
    let saved = staff.send(&at, "store.change", &moved).await;
    saved.assert_leads_to(&format!("{at}?done=drafted"));
    assert!(!anna.get("/stores").await.text().contains("Советская, 2"));
    let published = publish(&mut staff, &at, "").await;
    published.assert_leads_to(&format!("{at}?done=published"));
    assert!(anna.get("/stores").await.text().contains("Советская, 2"));
    let late = staff.send(&at, "store.change", &shop(&[("seen", seen.as_str())])).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("изменил кто-то другой");
    let log = app
        .texts("SELECT reason FROM audit WHERE action = 'store.publish'")
        .await;
    assert_eq!(
        log,
        [r#"address: {"en":"1 Sovetskaya","ru":"Советская, 1"} → {"en":"1 Sovetskaya","ru":"Советская, 2"}"#]
    );

    let page = staff.get(&at).await.text();
    for told in [
        "Создано",
        "Адрес: «Советская, 1 / 1 Sovetskaya» → «Советская, 2 / 1 Sovetskaya»",
        "mara",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }

    let found = find(&mut staff, LIST, "store.find", "СОВЕТ").await;
    found.assert_says("tver-1");
    let found = find(&mut staff, LIST, "store.find", "Рязань").await;
    found.assert_says("Ничего не нашлось");
    let closed = staff.send(&at, "store.switch", &[("open", "false")]).await;
    closed.assert_leads_to(&format!("{at}?done=closed"));
    assert!(!anna.get("/stores").await.text().contains("На Советской"));
    let twice = staff.send(&at, "store.switch", &[("open", "false")]).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    let opened = staff.send(&at, "store.switch", &[("open", "true")]).await;
    opened.assert_leads_to(&format!("{at}?done=reopened"));
    assert!(anna.get("/stores").await.text().contains("На Советской"));
}

#[tokio::test]
async fn articles_are_read_page_by_page() {
    let app = TestApp::new().await;
    let articles: Vec<String> = (0..60).map(|n| format!("tea-{n:02}")).collect();
    let articles: &BTreeMap<&str, Option<&str>> = &articles
        .iter()
        .map(|code| (code.as_str(), Some("Чай «Ёлка»")))
        .collect();
    let written = app.world.db.write(|tx| {
        scoped(async move {
            crm::article::store::ensure(tx, &BY, articles)
                .await
                .map_err(crm::Error::from)
        })
    });
    written.await.expect("written");
    let mut staff = app.staff_as("mara", "marketer").await;
    let first = staff.get("/admin/articles").await;
    let count = |body: &str| body.matches("<td><code>").count();
    assert_eq!(count(&first.body), 50);
    let next = "/admin/articles?after=tea-49";
    assert!(first.body.contains(next), "{}", first.body);
    assert_eq!(count(&staff.get(next).await.body), 10);
    for (text, expected) in [("TEA-07", 1), ("чай «елка»", 50), ("%", 0)] {
        let found = find(&mut staff, "/admin/articles", "article.find", text).await;
        assert_eq!(count(&found.body), expected, "{text}");
    }

    let mut agent = app.staff_as("agent", "agent").await;
    for at in [LIST, "/admin/articles"] {
        assert_eq!(agent.get(at).await.status, StatusCode::FORBIDDEN, "{at}");
    }
    let refused = agent.send(LIST, "store.add", &shop(&[("key", "tver-9")])).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

/// Puts a shop of a town down, somewhere or nowhere.
async fn put_shop(app: &TestApp, code: &str, town: &str, place: Option<(i64, i64)>) -> crm::id::StoreId {
    let text = |text: &str| crm::lang::Localized::new(text, text);
    let shop = &crm::stores::NewStore {
        code: code.into(),
        name: text(code),
        town: text(town),
        address: text("Ленина, 1"),
        latitude: place.map(|(latitude, _)| latitude),
        longitude: place.map(|(_, longitude)| longitude),
        hours: crm::stores::Hours::try_from([Some([540, 1260]); 7]).expect("possible hours"),
        phone: None,
        region: None,
        time_zone: None,
        exceptions: None,
    };
    let written = app
        .world
        .db
        .write(|tx| scoped(async move { crm::stores::store::put(tx, &BY, shop).await }));
    written.await.expect("a shop")
}

/// The towns of the shops on a page, in their order.
fn towns(page: &Reply) -> Vec<&'static str> {
    let all = ["Дубна", "Клин", "Тверь", "Ржев"];
    let mut found: Vec<_> = all
        .into_iter()
        .filter_map(|town| Some((page.body.find(&format!("<h2>{town}, "))?, town)))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, town)| town).collect()
}

/// What the card of the shop of a town says.
fn card(page: &Reply, town: &str) -> String {
    let mut cards = page.body.split("<article").skip(1);
    cards
        .find(|card| card.contains(&format!("<h2>{town}, ")))
        .unwrap_or_default()
        .to_owned()
}

/// Of many shops the first stand open, and all others behind how many they are; both are sorted.
#[tokio::test]
async fn many_shops_are_folded_away_behind_the_first() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let shops = |page: &str| page.matches("<article class=\"program\"").count();
    for n in 0..24 {
        put_shop(&app, &format!("many-{n:02}"), "Клин", None).await;
    }
    let all = anna.get("/stores").await;
    assert_eq!(shops(&all.body), 24);
    assert!(!all.text().contains("Показать ещё"), "{}", all.text());
    for n in 0..6 {
        put_shop(&app, &format!("more-{n}"), "Ржев", None).await;
    }
    let page = anna.get("/stores").await;
    let (open, folded) = page
        .body
        .split_once("Показать ещё 6")
        .expect("the others are folded away");
    assert_eq!([shops(open), shops(folded)], [24, 6]);
    assert_eq!(page.body.matches("data-shops").count(), 2);
    let near = anna.get("/stores?near=%D0%A0%D0%B6%D0%B5%D0%B2").await;
    let (open, folded) = near.body.split_once("Показать ещё 6").expect("the others");
    assert!(open.contains("<h2>Ржев") && !folded.contains("<h2>Ржев"), "{folded}");
}

#[tokio::test]
async fn shops_are_listed_from_a_town_outwards_with_what_holds_in_each() {
    let app = TestApp::new().await;
    put_shop(&app, "klin", "Клин", Some((56_339_000, 36_728_000))).await;
    let tver = put_shop(&app, "tver", "Тверь", Some((56_858_700, 35_917_600))).await;
    let dubna = put_shop(&app, "dubna", "Дубна", Some((56_732_000, 37_166_900))).await;
    put_shop(&app, "rzhev", "Ржев", None).await;
    let mut anna = app.customer("Анна").await;
    let page = anna.get("/stores").await;
    assert_eq!(towns(&page), ["Дубна", "Клин", "Ржев", "Тверь"]);
    // The clock stands at 15:00 in Moscow.
    assert_eq!(page.text().matches("Открыто до 21:00").count(), 4, "{}", page.text());
    // In Vladivostok it is 22:00.
    app.execute("UPDATE stores SET time_zone = 'Asia/Vladivostok' WHERE code = 'rzhev'")
        .await;
    let text = anna.get("/stores").await.text();
    assert_eq!(text.matches("Открыто до 21:00").count(), 3, "{text}");
    assert_eq!(text.matches("Уже закрыто").count(), 1, "{text}");
    assert_eq!(text.matches("Откроется завтра в 9:00").count(), 1, "{text}");
    // It is a Saturday; there, this shop opens on Tuesdays alone.
    app.execute("UPDATE stores SET hours = '[null,[600,1200],null,null,null,null,null]' WHERE code = 'rzhev'")
        .await;
    let rzhev = card(&anna.get("/stores").await, "Ржев").replace('\u{a0}', " ");
    assert!(
        rzhev.contains("Сегодня закрыто") && rzhev.contains("Откроется 24 ноября в 10:00"),
        "{rzhev}"
    );
    // And one that is never open promises nothing.
    app.execute("UPDATE stores SET hours = '[null,null,null,null,null,null,null]' WHERE code = 'rzhev'")
        .await;
    let rzhev = card(&anna.get("/stores").await, "Ржев");
    assert!(
        rzhev.contains("Сегодня закрыто") && !rzhev.contains("Откроется"),
        "{rzhev}"
    );
    assert!(page.body.contains("data-lat=\"56339000\"") && page.body.contains("src=\"/near.js\""));
    for (near, expected) in [
        ("%D0%9A%D0%BB%D0%B8%D0%BD", ["Клин", "Дубна", "Тверь", "Ржев"]),
        ("%D0%A2%D0%B2%D0%B5%D1%80%D1%8C", ["Тверь", "Клин", "Дубна", "Ржев"]),
        // Of nobody knows where: first all the same.
        ("%D0%A0%D0%B6%D0%B5%D0%B2", ["Ржев", "Дубна", "Клин", "Тверь"]),
        (
            "%D0%90%D1%81%D1%82%D0%B0%D0%BD%D0%B0",
            ["Дубна", "Клин", "Ржев", "Тверь"],
        ),
    ] {
        let page = anna.get(&format!("/stores?near={near}")).await;
        assert_eq!(towns(&page), expected, "{near}");
    }
    // By words of the address, in any order and with any ending.
    for (asked, expected) in [
        ("%D1%82%D0%B2%D0%B5%D1%80%D0%B8", &["Тверь"][..]),
        ("DUBNA+%D0%B4%D1%83%D0%B1%D0%BD%D0%B0", &["Дубна"]),
        ("%D0%BF%D0%B0%D1%80%D0%B8%D0%B6", &[]),
        ("%3F", &["Дубна", "Клин", "Ржев", "Тверь"]),
    ] {
        let page = anna.get(&format!("/stores?q={asked}")).await;
        assert_eq!(towns(&page), expected, "{asked}");
        assert_eq!(
            page.text().contains("По этому адресу магазинов нет"),
            expected.is_empty(),
            "{asked}"
        );
    }
    let here = &crm::promotion::NewPromotion {
        code: "candles".into(),
        title: crm::lang::Localized::new("Три свечи", "Three candles"),
        conditions: crm::lang::Localized::default(),
        starts_at: app.world.db.now(),
        ends_at: app.world.db.now() + chrono::Duration::days(1),
        must_activate: false,
        stores: vec![dubna, tver],
        rules: Vec::new(),
    };
    let put = app
        .world
        .db
        .write(|tx| scoped(async move { crm::promotion::store::put(tx, &BY, here).await }));
    put.await.expect("a promotion");
    let page = anna.get("/stores").await;
    for (town, has) in [("Тверь", true), ("Дубна", true), ("Клин", false), ("Ржев", false)] {
        assert_eq!(card(&page, town).contains("Три свечи"), has, "{town}");
    }
    assert!(anna.get("/offers").await.body.contains("/stores?offer=candles"));
    let page = anna
        .get("/stores?offer=candles&near=%D0%A2%D0%B2%D0%B5%D1%80%D1%8C")
        .await;
    assert_eq!(towns(&page), ["Тверь", "Дубна"]);
    page.assert_says("Где действует: Три свечи");
    // A search among them that finds nothing leads back to them, and keeps the town.
    let near = "near=%D0%A2%D0%B2%D0%B5%D1%80%D1%8C";
    let page = anna
        .get(&format!(
            "/stores?offer=candles&{near}&q=%D0%BF%D0%B0%D1%80%D0%B8%D0%B6"
        ))
        .await;
    page.assert_says("Среди магазинов этой акции такого адреса нет");
    assert!(
        page.body
            .replace("&amp;", "&")
            .contains(&format!("href=\"/stores?offer=candles&{near}\"")),
        "{}",
        page.body
    );
    // What is over, or never was, says so above all shops.
    let over = "Эта акция закончилась";
    assert!(!page.text().contains(over), "{}", page.text());
    let page = anna.get("/stores?offer=nothing").await;
    assert_eq!(towns(&page).len(), 4);
    page.assert_says(over);
    let told = page.body.split(over).nth(1).unwrap_or_default();
    let told = told.split("</div>").next().unwrap_or_default();
    assert!(told.contains("href=\"/offers\""), "{told}");

    // What has to be switched on says so in every shop, leads there, and holds from then on.
    app.some_promotion().await;
    let page = anna.get("/stores").await;
    for town in ["Тверь", "Клин"] {
        let card = card(&page, town);
        assert!(card.contains("href=\"/offers#offer-tea_week\""), "{card}");
        assert!(card.contains("нужно включить"), "{card}");
        assert!(!card.contains("<li>Неделя чая"), "it does not hold yet: {card}");
    }
    anna.send("/offers", "offer.activate", &[("offer", "tea_week")]).await;
    let page = anna.get("/stores").await;
    for town in ["Тверь", "Дубна", "Клин", "Ржев"] {
        let card = card(&page, town);
        assert!(
            card.contains("<li>Неделя чая") && !card.contains("нужно включить"),
            "{town}: {card}"
        );
    }
}

/// Whoever said which shop they like best finds its town first, and may choose another one or none.
#[tokio::test]
async fn the_town_of_the_favourite_shop_comes_first() {
    let app = TestApp::new().await;
    put_shop(&app, "klin", "Клин", Some((56_339_000, 36_728_000))).await;
    put_shop(&app, "tver", "Тверь", Some((56_858_700, 35_917_600))).await;
    put_shop(&app, "dubna", "Дубна", Some((56_732_000, 37_166_900))).await;
    let mut anna = app.customer("Анна").await;
    let mut boris = app.customer("Борис").await;
    app.execute(
        "UPDATE customers SET favourite_store_id = (SELECT id FROM stores WHERE code = 'tver') WHERE name = 'Анна'",
    )
    .await;
    let chosen = |page: &Reply| {
        let (_, select) = page.body.split_once("name=\"near\"").expect("the choice of a town");
        let tags = crate::common::html::tags(select);
        let mut options = tags.iter().filter(|tag| tag.has("selected"));
        options.find_map(|tag| tag.get("value").map(str::to_owned))
    };
    for (at, town, expected) in [
        ("/stores", "Тверь", ["Тверь", "Клин", "Дубна"]),
        // An address with nothing chosen.
        ("/stores?near=", "Тверь", ["Тверь", "Клин", "Дубна"]),
        (
            "/stores?near=%D0%9A%D0%BB%D0%B8%D0%BD",
            "Клин",
            ["Клин", "Дубна", "Тверь"],
        ),
        ("/stores?near=all", "all", ["Дубна", "Клин", "Тверь"]),
    ] {
        let page = anna.get(at).await;
        assert_eq!(towns(&page), expected, "{at}");
        assert_eq!(chosen(&page).as_deref(), Some(town), "{at}");
    }
    let page = boris.get("/stores").await;
    assert_eq!(towns(&page), ["Дубна", "Клин", "Тверь"]);
    assert_eq!(chosen(&page).as_deref(), Some("all"));
    // A shop that is closed for good is nobody's.
    app.execute("UPDATE stores SET closed_at = '2026-01-01T00:00:00+00:00' WHERE code = 'tver'")
        .await;
    assert_eq!(towns(&anna.get("/stores").await), ["Дубна", "Клин"]);
}

/// Where shops are chosen from, those of each town stand under its name.
#[tokio::test]
async fn shops_to_choose_from_stand_by_towns() {
    let app = TestApp::new().await;
    put_shop(&app, "b-1", "Тверь", None).await;
    put_shop(&app, "a-2", "Клин", None).await;
    let chosen = put_shop(&app, "a-1", "Клин", None).await;
    let mut anna = app.customer("Анна").await;
    let plan = format!("/what-if?store={chosen}");
    for at in ["/profile/preferences", &plan] {
        let page = anna.get(at).await;
        let (_, select) = page.body.split_once("name=\"store\"").expect("the choice of a shop");
        let (select, _) = select.split_once("</select>").expect("its end");
        let tags = crate::common::html::tags(select);
        let told: Vec<String> = tags
            .iter()
            .filter_map(|tag| match tag.name.as_str() {
                "optgroup" => tag.get("label").map(|town| format!("{town}:")),
                "option" if tag.get("value") != Some("") => Some(tag.text.trim().to_owned()),
                _ => None,
            })
            .collect();
        assert_eq!(told, ["Клин:", "a-1", "a-2", "Тверь:", "b-1"], "{at}");
        let selected = tags
            .iter()
            .find(|tag| tag.has("selected"))
            .and_then(|tag| tag.get("value"));
        let expected = if at == plan { chosen.to_string() } else { String::new() };
        assert_eq!(selected, Some(expected.as_str()), "{at}");
    }
}

/// Of so many shops that no page holds them each page leads to the next one, and one has all of them for the script that sorts.
#[tokio::test]
async fn very_many_shops_stand_on_pages() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    for n in 0..53 {
        put_shop(&app, &format!("many-{n:02}"), "Клин", Some((56_339_000, 36_728_000))).await;
    }
    let shops = |page: &Reply| {
        let tags = crate::common::html::tags(&page.body);
        tags.iter().filter(|tag| tag.name == "article").count()
    };
    let link = |page: &Reply, with: &str| {
        let tags = crate::common::html::tags(&page.body);
        let mut hrefs = tags.iter().filter_map(|tag| tag.get("href"));
        hrefs
            .find(|href| href.starts_with("/stores?") && href.contains(with))
            .map(str::to_owned)
    };
    let town = "near=%D0%9A%D0%BB%D0%B8%D0%BD";
    let first = anna.get(&format!("/stores?{town}")).await;
    assert_eq!(shops(&first), 50);
    let is_sorted_by_a_script = |page: &Reply| {
        let has_button = crate::common::html::tags(&page.body)
            .iter()
            .any(|tag| tag.has("data-near"));
        assert_eq!(has_button, page.body.contains("/near.js"), "{}", page.body);
        has_button
    };
    assert!(!is_sorted_by_a_script(&first));
    let next = link(&first, "after=").expect("there is more");
    assert!(next.contains(town), "the town stays: {next}");
    let second = anna.get(&next).await;
    assert_eq!(shops(&second), 3);
    assert!(second.body.contains(", many-52") && !second.body.contains(", many-49"));
    assert_eq!(link(&second, "after="), None);
    second.assert_says("К началу списка");
    let whole = anna.get(&link(&second, "all=").expect("all at once")).await;
    assert_eq!(shops(&whole), 53);
    assert!(is_sorted_by_a_script(&whole));
    // A shop that is not there any more is where the list begins.
    let gone = crm::id::StoreId::new();
    assert_eq!(shops(&anna.get(&format!("/stores?after={gone}")).await), 50);
}
