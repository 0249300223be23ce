//! Coupons and segments: as marketers make them, as tills send them and as customers see them.

use crate::api::{pointers, problem, read, till};
use crate::common::{BY, Browser, Reply, TestApp};
use axum::http::StatusCode;
use chrono::Duration;
use crm::rule::Rule;
use crm::rule::store as rules;
use crm::till::Scope;
use serde_json::{Value, json};

const LIST: &str = "/admin/coupons";

/// Everything that a series' form sends, with some of it changed.
fn series<'a>(changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("key", "next"),
        ("name_ru", "Скидка 10 % на чай"),
        ("name_en", "10% off tea"),
        ("valid_days", "10"),
        ("last_day", ""),
        ("uses", "1"),
    ];
    for (name, value) in changed {
        all.retain(|(other, _)| other != name);
        all.push((name, value));
    }
    all
}

/// The address of what was made.
fn made(reply: &Reply) -> String {
    let at = reply.location().split('?').next().unwrap_or_default().to_owned();
    assert!(!at.is_empty(), "{}", reply.text());
    at
}

async fn publish(app: &TestApp, conditions: Value, effects: Value) {
    let rule = json!({"name": {"ru": "Чай", "en": "Tea"}, "conditions": conditions, "effects": effects});
    let rule: Rule = serde_json::from_value(rule).expect("a rule");
    rules::publish_by_system(&app.world.db, &BY, None, &rule, None)
        .await
        .expect("published");
}

/// The codes in a file of coupons.
async fn codes(staff: &mut Browser, at: &str) -> Vec<String> {
    let file = staff.get(&format!("{at}/codes.csv")).await;
    assert_eq!(file.status, StatusCode::OK, "{}", file.text());
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    let lines = file.body.lines().skip(1);
    lines
        .map(|line| line.split(';').next().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn a_series_is_written_by_marketers_and_nobody_else() {
    let app = TestApp::new().await;
    let mut mara = app.staff_as("mara", "marketer").await;
    let wrong = [("key", "чай"), ("name_en", ""), ("valid_days", "0"), ("uses", "много")];
    let wrong = mara.send(LIST, "series.add", &series(&wrong)).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        wrong.message("series.add", "uses"),
        "Напишите число: например 150 или 12,5"
    );
    let wrong = [("key", "чай"), ("name_en", ""), ("valid_days", "0"), ("uses", "0")];
    let wrong = mara.send(LIST, "series.add", &series(&wrong)).await;
    for (field, message) in [
        ("key", "Подходят латинские буквы, цифры, дефис и подчёркивание"),
        ("name_en", "Заполните это поле"),
        ("valid_days", "Число от 1 до 3650"),
        ("uses", "Число от 1 до 1000"),
    ] {
        assert_eq!(wrong.message("series.add", field), message, "{field}");
    }
    let at = made(&mara.send(LIST, "series.add", &series(&[])).await);
    let page = mara.get(&at).await;
    page.assert_says("именные");
    assert!(
        !page.body.contains("series.make"),
        "nobody hands out what is a customer's"
    );
    let seen = page
        .form("series.change")
        .get("seen")
        .map(str::to_owned)
        .expect("a record");
    let longer = series(&[("seen", seen.as_str()), ("valid_days", "20")]);
    let changed = mara.send(&at, "series.change", &longer).await;
    changed.assert_leads_to(&format!("{at}?done=saved"));
    let late = mara.send(&at, "series.change", &longer).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("изменил кто-то другой");
    let log = app
        .texts("SELECT reason FROM audit WHERE action = 'series.change'")
        .await;
    assert_eq!(log, ["valid_days: 10 → 20"]);
    let list = mara.get(LIST).await.text();
    assert!(list.contains("20 дней"), "{list}");

    // A rule names it by its name.
    let rule = [("ru", "Чай"), ("en", "Tea")];
    let rule = made(&mara.send("/admin/rules", "rule.create", &rule).await);
    for (part, form, field) in [
        ("condition", "rule.condition", ("choice[]", "next")),
        ("effect", "rule.effect", ("series", "next")),
    ] {
        let open = format!("{rule}?{part}=new&kind=coupon");
        let page = mara.get(&open).await.text();
        assert!(page.contains("Скидка 10 % на чай (next)"), "{page}");
        let kept = crate::rules::put(&mut mara, &open, form, &[field]).await;
        assert_eq!(kept.status, StatusCode::SEE_OTHER, "{}", kept.text());
    }
    let page = mara.get(&rule).await.text();
    for words in [
        "купоны серий: Скидка 10 % на чай (next)",
        "купон серии Скидка 10 % на чай (next)",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("такого в магазине нет"), "{page}");

    let bearer = [("key", "flyer"), ("bearer", "yes"), ("last_day", "2026-12-31")];
    let flyer = made(&mara.send(LIST, "series.add", &series(&bearer)).await);
    let many = mara.send(&flyer, "series.make", &[("count", "1001")]).await;
    assert_eq!(many.message("series.make", "count"), "Число от 1 до 1000");
    let three = mara.send(&flyer, "series.make", &[("count", "3")]).await;
    three.assert_leads_to(&format!("{flyer}?done=made"));
    let codes = codes(&mut mara, &flyer).await;
    assert_eq!(codes.len(), 3);
    assert!(codes.iter().all(|code| crm::coupon::code(code).as_ref() == Some(code)));
    let closed = mara.send(&flyer, "series.switch", &[("open", "false")]).await;
    closed.assert_leads_to(&format!("{flyer}?done=closed"));
    let none = mara.send(&flyer, "series.make", &[("count", "3")]).await;
    none.assert_says("сейчас не выдаётся");

    // A code is worth what it takes off: whoever makes or takes them has just proved who they are, and each time is a row.
    let taken =
        "SELECT COUNT(*) FROM audit WHERE action = 'coupon.codes' AND actor = 'staff' AND object_id IS NOT NULL";
    assert_eq!(app.count(taken).await, 1);
    app.world.clock.set(app.world.db.now() + Duration::minutes(16));
    let there = format!("/admin/confirm?next={flyer}");
    let late = mara.get(&flyer).await;
    assert!(late.body.contains(&format!("href=\"{there}\"")), "{}", late.text());
    assert!(!late.body.contains("codes.csv") && !late.body.contains("series.make"));
    let more = mara.send(&flyer, "series.make", &[("count", "3")]).await;
    more.assert_leads_to(&there);
    let file = mara.get(&format!("{flyer}/codes.csv")).await;
    file.assert_leads_to(&format!("{there}/codes.csv"));
    assert_eq!(file.body, "", "no code is told");
    assert_eq!(app.count("SELECT COUNT(*) FROM coupons").await, 3, "none was made");
    assert_eq!(app.count(taken).await, 1);

    let mut agent = app.staff_as("agent", "agent").await;
    for at in [LIST, &flyer, &format!("{flyer}/codes.csv"), "/admin/segments"] {
        assert_eq!(agent.get(at).await.status, StatusCode::FORBIDDEN, "{at}");
    }
    let refused = agent.send(LIST, "series.add", &series(&[("key", "mine")])).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_coupon_goes_from_a_purchase_to_the_cabinet_and_back_to_a_till() {
    let app = TestApp::new().await;
    let mut mara = app.staff_as("mara", "marketer").await;
    let at = made(&mara.send(LIST, "series.add", &series(&[])).await);
    publish(
        &app,
        json!([{"not": {"coupon": ["next"]}}]),
        json!([{"coupon": {"series": "next"}}]),
    )
    .await;
    publish(
        &app,
        json!([{"coupon": ["next"]}]),
        json!([{"percent_off": {"share": 1000, "each": "line"}}]),
    )
    .await;
    let mut anna = app.customer("Анна").await;
    let id = anna.id().await.to_string();
    assert!(!anna.get("/offers").await.text().contains("Ваши купоны"));
    let till = till(&app, "till-1", &Scope::ALL).await;
    let (now, lines) = (
        app.world.db.now(),
        json!([{"article": "tea", "quantity": 1, "price": 10_000}]),
    );
    let basket = json!({"customer": id, "lines": lines});
    let quote = read(&till.post("/quotes", &basket).await);
    assert_eq!((&quote["coupons"], &quote["presented"]), (&json!(["next"]), &json!([])));
    let sale = json!({"document": "S-1", "at": now, "customer": id, "lines": lines});
    let sold = read(&till.post("/purchases", &sale).await);
    let code = sold["coupons"][0]["coupon"].as_str().expect("a code").to_owned();
    assert_eq!(sold["coupons"][0]["series"], "next", "{sold}");
    assert_eq!(sold["coupons"][0]["name"]["en"], "10% off tea", "{sold}");

    let shown = crm::coupon::show(&code);
    let page = anna.get("/offers").await;
    for words in ["Ваши купоны", "Скидка 10 % на чай", "До 1 декабря", shown.as_str()] {
        let text = page.text().replace('\u{a0}', " ");
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(page.body.contains(&format!("aria-label=\"Код купона: {shown}\"")));
    let mut boris = app.customer("Борис").await;
    assert!(!boris.get("/offers").await.body.contains(&shown), "nobody else's");
    // A plan says what it would bring, to whom it belongs.
    let useful = "Ваши купоны, которые пригодятся";
    let plan = anna.get("/what-if?sum=100").await;
    for words in [useful, "Скидка 10 % на чай скидка 10,00 ₽"] {
        assert!(plan.words().contains(words), "{words}: {}", plan.words());
    }
    assert!(plan.body.contains("href=\"/offers#coupons\""), "{}", plan.body);
    let his = boris.get("/what-if?sum=100").await.text();
    assert!(!his.contains(useful), "{his}");
    let mut agent = app.staff_as("agent", "agent").await;
    let card = agent.get(&format!("/admin/customers/{id}")).await.text();
    assert!(card.contains(&shown) && card.contains("Действует"), "{card}");

    let told = json!([
        {"coupon": shown, "series": "next", "name": {"ru": "Скидка 10 % на чай", "en": "10% off tea"}, "taken": true, "reason": null},
        {"coupon": "none", "series": null, "name": null, "taken": false, "reason": "mistyped"},
    ]);
    let with = json!({"customer": id, "lines": lines, "coupons": [shown, "none"]});
    let quote = read(&till.post("/quotes", &with).await);
    assert_eq!((&quote["presented"], &quote["discount"]), (&told, &json!(1_000)));
    let sale = json!({
        "document": "S-2", "at": now, "customer": id, "coupons": [shown, "none"],
        "lines": [{"article": "tea", "quantity": 1, "price": 10_000, "discount": 1_000, "rule_discount": 1_000}],
    });
    let sold = till.post("/purchases", &sale).await;
    assert_eq!(sold.status, StatusCode::CREATED, "{}", sold.body);
    assert_eq!(
        (&read(&sold)["presented"], &read(&sold)["coupons"]),
        (&told, &json!([]))
    );
    // Once more under another key, and read.
    assert_eq!(read(&till.post("/purchases", &sale).await)["presented"], told);
    let found = read(&till.get("/purchases/S-2").await);
    assert_eq!(found["presented"][0]["coupon"], code.as_str(), "{found}");
    let quote = read(&till.post("/quotes", &with).await);
    assert_eq!(quote["presented"][0]["reason"], "used", "{quote}");
    // Within a batch each receipt tells of its own.
    let batch = json!({"purchases": [{"document": "S-3", "at": now, "lines": lines, "coupons": [code]}]});
    let batch = read(&till.post("/purchases/batch", &batch).await);
    let third = &batch["receipts"][0]["receipt"]["presented"][0];
    assert_eq!(third["reason"], "needs_customer", "{batch}");
    let page = anna.get("/offers").await.text();
    assert!(page.contains("использован") && !page.contains(&shown), "{page}");
    let plan = anna.get("/what-if?sum=100").await.text();
    assert!(!plan.contains(useful), "{plan}");
    let list = mara.get(&at).await.text();
    assert!(list.contains("Выдано 1") && list.contains("Использовано 1"), "{list}");

    let many = json!({"lines": lines, "coupons": vec!["x"; 21]});
    let many = till.post("/quotes", &many).await;
    let said = problem(&many, StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(pointers(&said), [("/coupons", "too_many")]);
}

#[tokio::test]
async fn every_reason_of_a_coupon_is_in_the_description_of_the_api() {
    let described = server::api::description();
    let words = &described["components"]["schemas"]["Presented"]["properties"]["reason"]["enum"];
    let expected: Vec<Value> = crm::coupon::Refusal::ALL
        .iter()
        .map(|reason| json!(reason.as_str()))
        .chain([Value::Null])
        .collect();
    assert_eq!(words, &json!(expected));
}

#[tokio::test]
async fn a_segment_is_put_together_by_a_list_or_a_file() {
    let app = TestApp::new().await;
    let mut mara = app.staff_as("mara", "marketer").await;
    let anna = app.customer("Анна").await;
    let boris = app.customer("Борис").await;
    let new = [("key", "vip"), ("name_ru", "Особые"), ("name_en", "")];
    let wrong = mara.send("/admin/segments", "segment.create", &new).await;
    assert_eq!(wrong.message("segment.create", "name_en"), "Заполните это поле");
    let new = [("key", "vip"), ("name_ru", "Особые"), ("name_en", "Special")];
    let at = made(&mara.send("/admin/segments", "segment.create", &new).await);
    let list = format!("{}\n+7 900 123\n", anna.phone);
    let put = [("act", "add"), ("numbers", list.as_str())];
    let wrong = mara.upload(&at, "segment.put", &put, &[]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.text());
    assert_eq!(
        wrong.message("segment.put", "numbers"),
        "Нет покупателя с такой картой или телефоном: строка 2"
    );
    assert!(wrong.body.contains(&anna.phone), "what was typed stays");
    let lenient = [put[0], put[1], ("lenient", "yes")];
    let done = mara.upload(&at, "segment.put", &lenient, &[]).await;
    done.assert_leads_to(&format!("{at}?done=put&changed=1&missing=1"));
    let said = mara.get(done.location()).await.text();
    assert!(said.contains("Изменилось у стольких покупателей: 1."), "{said}");

    // A file takes the place of what was typed.
    let file = format!("phone;name\r\n{};Борис\r\n", boris.phone);
    let of_file = [("act", "add"), ("numbers", "x"), ("lenient", "yes")];
    let done = mara
        .upload(&at, "segment.put", &of_file, &[("vip.csv", file.as_bytes())])
        .await;
    assert_eq!(done.location(), format!("{at}?done=put&changed=1&missing=1"));
    let strict = [("act", "take"), ("numbers", "")];
    let wrong = mara
        .upload(&at, "segment.put", &strict, &[("vip.csv", file.as_bytes())])
        .await;
    assert_eq!(
        wrong.message("segment.put", "files"),
        "Нет покупателя с такой картой или телефоном: строка 1"
    );
    let page = mara.get("/admin/segments").await;
    assert!(page.body.contains("<td class=\"num\">2</td>"), "{}", page.text());
    let id = anna.id().await;
    let mut agent = app.staff_as("agent", "agent").await;
    let card = agent.get(&format!("/admin/customers/{id}")).await.text();
    assert!(card.contains("Сегменты Особые"), "{card}");

    let gone = mara.send(&at, "segment.remove", &[]).await;
    gone.assert_leads_to("/admin/segments?done=removed");
    assert_eq!(mara.get(&at).await.status, StatusCode::NOT_FOUND);
    assert_eq!(app.count("SELECT COUNT(*) FROM segment_members").await, 0);
    let log = "SELECT action || ' ' || reason FROM audit WHERE action LIKE 'segment.%' AND action NOT LIKE '%.read' \
               AND action NOT LIKE '%.list' ORDER BY id";
    assert_eq!(
        app.texts(log).await,
        [
            "segment.create ",
            "segment.add 1",
            "segment.add 1",
            "segment.remove vip"
        ]
    );
}
