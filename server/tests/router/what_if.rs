//! A purchase that is planned, and what became of the rules of one that was made.

use crate::common::{BY, Customer, Reply, TestApp};
use axum::http::StatusCode;
use crm::db::scoped;
use crm::purchase::{Kind, NewLine, NewPurchase, Original, Way};
use serde_json::json;
use std::collections::BTreeMap;

/// The words of a page with plain spaces.
fn words(reply: &Reply) -> String {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.path);
    reply.words()
}

/// A shop with a rule for large purchases and one for whoever pays by card, and somebody who has bought a kettle there.
async fn shop() -> (TestApp, Customer) {
    let app = TestApp::new().await;
    let tenth = json!([{"percent_off": {"share": 1000, "each": "line"}}]);
    app.publish(
        json!({"name": {"ru": "Крупная покупка", "en": "Large"}, "conditions": [{"basket_sum": {"at_least": 500_000}}],
            "effects": tenth}),
    )
    .await;
    app.publish(
        json!({"name": {"ru": "Картой дешевле", "en": "By card"}, "conditions": [{"payment": ["card"]}], "effects": tenth}),
    )
    .await;
    let anna = app
        .customer("Анна")
        .await
        .with_purchase("A-1", "Чайник", 1_500_00)
        .await;
    (app, anna)
}

#[tokio::test]
async fn a_basket_is_put_together_and_worked_out() {
    let (app, mut anna) = shop().await;
    assert!(words(&anna.get("/what-if").await).contains("Добавьте товар или впишите сумму"));

    // Found by a part of its name, and added at the price of the last time.
    let found = anna.get("/what-if?find=чайн").await;
    assert!(words(&found).contains("1 500,00 ₽"), "{}", found.body);
    assert!(found.body.contains("name=\"add\" value=\"Чайник\""), "{}", found.body);
    let added = anna.get("/what-if?find=чайн&add=Чайник").await;
    let told = words(&added);
    assert!(
        told.contains("К оплате1 500,00 ₽") || told.contains("К оплате 1 500,00 ₽"),
        "{told}"
    );
    assert!(told.contains("+45"), "3 % of it: {told}");
    assert!(
        added.body.contains("name=\"price0\" value=\"1500,00\""),
        "{}",
        added.body
    );
    assert!(told.contains("Если платить картой"), "{told}");
    assert!(told.contains("Ещё 2 правила здесь не сработают"), "{told}");
    assert!(!words(&anna.get("/what-if?find=никель").await).contains("Чайник"));

    // Four of them are a large purchase; just a sum counts too.
    let four = words(&anna.get("/what-if?code0=Чайник&quantity0=4&price0=1500,00").await);
    assert!(
        four.contains("Без скидок") && four.contains("−600,00 ₽") && four.contains("5 400,00 ₽"),
        "{four}"
    );
    let sum = words(&anna.get("/what-if?sum=6%20000").await);
    assert!(sum.contains("5 400,00 ₽"), "{sum}");
    let by_card = words(&anna.get("/what-if?sum=1000&payment=card").await);
    assert!(by_card.contains("900,00 ₽"), "{by_card}");

    // Nothing of it is kept.
    assert_eq!(app.count("SELECT COUNT(*) FROM purchases").await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM grants").await, 0);
}

#[tokio::test]
async fn a_line_is_taken_out_and_what_was_typed_elsewhere_stays() {
    let (_app, anna) = shop().await;
    let mut anna = anna.with_purchase("A-2", "Чай", 100_00).await;
    let basket = "code0=Чайник&quantity0=2&price0=1400&code1=Чай&quantity1=7&price1=95,50&sum=12&day=2026-11-25&find=";
    let page = anna.get(&format!("/what-if?{basket}")).await;
    for nth in [0, 1] {
        let button = format!("name=\"remove\" value=\"{nth}\"");
        assert!(page.body.contains(&button), "{button}: {}", page.body);
    }
    // Enter presses the first button.
    let place = |name: &str| page.body.find(&format!("name=\"{name}\""));
    assert!(place("find") < place("remove"), "{}", page.body);

    let rest = anna.get(&format!("/what-if?{basket}&remove=0")).await;
    for typed in [
        "name=\"code0\" value=\"Чай\"",
        "name=\"quantity0\" value=\"7\"",
        "name=\"price0\" value=\"95,50\"",
        "name=\"sum\" value=\"12\"",
        "name=\"day\" value=\"2026-11-25\"",
    ] {
        assert!(rest.body.contains(typed), "{typed}: {}", rest.body);
    }
    assert!(!rest.body.contains("name=\"code1\""), "{}", rest.body);
    for odd in ["2", "-1", "x"] {
        let all = anna.get(&format!("/what-if?{basket}&remove={odd}")).await;
        assert!(all.body.contains("name=\"code1\""), "{odd}: {}", all.body);
    }
}

#[tokio::test]
async fn what_is_mistyped_in_a_basket_is_said_at_its_field_and_stays() {
    let (_app, mut anna) = shop().await;
    for (typed, field, message) in [
        ("code0=Чайник&quantity0=x&price0=5", "quantity0", "Напишите число"),
        ("code0=Чайник&quantity0=0&price0=5", "quantity0", "Напишите число"),
        ("code0=Чайник&quantity0=1&price0=-5", "price0", "Напишите число"),
        ("code0=Чайник&quantity0=999999999&price0=999999", "price0", "от 0 до"),
        ("sum=много", "sum", "Напишите число"),
        ("sum=5&day=2026-02-31", "day", "Такой даты нет"),
        ("sum=5&day=2020-01-01", "day", "уже"),
        ("sum=5&day=2027-11-23", "day", "не позже 22"),
        ("sum=5&day=2199-12-31", "day", "не позже 22"),
        ("sum=5&time=25:00", "time", "Напишите время так"),
        // It is 15:00.
        ("sum=5&time=14:59", "time", "уже прошло"),
        ("sum=5&day=2026-11-21&time=09:00", "time", "уже прошло"),
    ] {
        let page = anna.get(&format!("/what-if?{typed}")).await;
        let told = words(&page);
        assert!(told.contains("Поправьте отмеченное"), "{typed}: {told}");
        let at = page
            .body
            .find(&format!("id=\"{field}-message\""))
            .unwrap_or_else(|| panic!("{typed}: {}", page.body));
        let said: String = page.body[at..].chars().take(120).collect();
        assert!(said.contains(message), "{typed}: {said}");
    }
    for fine in [
        "time=15:00",
        "time=15:01",
        "day=2026-11-22&time=09:00",
        "day=2027-11-22",
        "day=2026-11-21",
    ] {
        let told = words(&anna.get(&format!("/what-if?sum=5&{fine}")).await);
        assert!(!told.contains("Поправьте отмеченное"), "{fine}: {told}");
    }
    // What nobody sells any more is no line, and hostile text is text.
    let page = anna
        .get("/what-if?code0=%22%3E%3Cscript%3E&quantity0=1&price0=1&find=%3Cb%3E")
        .await;
    assert!(
        !page.body.contains("<script>") && !page.body.contains("<b><"),
        "{}",
        page.body
    );
    let crowd: String = (0..30)
        .map(|n| format!("&code{n}=Чайник&quantity{n}=1&price{n}=1"))
        .collect();
    let full = words(&anna.get(&format!("/what-if?x=1{crowd}")).await);
    assert!(full.contains("больше не поместится"), "{full}");
    let with_a_sum = words(&anna.get(&format!("/what-if?sum=100{crowd}")).await);
    assert!(
        with_a_sum.contains("120,00 ₽"),
        "a sum counts beside them: {with_a_sum}"
    );
}

#[tokio::test]
async fn s17_a_receipt_is_planned_and_explained_to_whoever_bought_alone() {
    let (app, mut anna) = shop().await;
    let none = app.text("SELECT lower(hex(id)) FROM purchases").await;
    let none = uuid::Uuid::parse_str(&none).expect("an id");
    let none = words(&anna.get(&format!("/purchases/{none}/why")).await);
    assert!(none.contains("особых правил не было"), "before the first rule: {none}");
    app.world.clock.set(app.world.db.now() + chrono::Duration::days(2));
    let mut anna = anna.with_purchase("A-2", "Чайник", 1_500_00).await;
    let id = app
        .text("SELECT lower(hex(id)) FROM purchases WHERE document = 'A-2'")
        .await;
    let id = uuid::Uuid::parse_str(&id).expect("an id");
    let again = anna.get(&format!("/what-if?like={id}")).await;
    assert!(again.body.contains("name=\"code0\" value=\"Чайник\""), "{}", again.body);

    let why = words(&anna.get(&format!("/purchases/{id}/why")).await);
    assert!(why.contains("Не сработали") && !why.contains("В тот момент"), "{why}");
    assert!(
        why.contains("Крупная покупка, версия 1") && why.contains("5 000,00"),
        "{why}"
    );
    let receipt = anna.get(&format!("/purchases/{id}")).await;
    assert!(receipt.body.contains(&format!("href=\"/purchases/{id}/why\"")));
    assert!(receipt.body.contains(&format!("href=\"/what-if?like={id}\"")));

    let mut boris = app.customer("Борис").await;
    for path in [format!("/what-if?like={id}"), format!("/purchases/{id}/why")] {
        assert_eq!(boris.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_receipt_of_more_lines_than_a_plan_holds_is_planned_whole() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let customer = anna.id().await;
    let codes: Vec<String> = (1..=25).map(|n| format!("T-{n:02}")).collect();
    let names: BTreeMap<&str, Option<&str>> = codes.iter().map(|code| (code.as_str(), Some(code.as_str()))).collect();
    let (codes, names) = (&codes, &names);
    let booked = app.world.db.write(|tx| {
        scoped(async move {
            let articles = crm::article::store::ensure(tx, &BY, names).await?;
            let line = |(ordinal, code): (i64, &String)| NewLine {
                ordinal,
                article: articles[code.as_str()],
                quantity: 2,
                price: 100_00,
                discount: 0,
                rule_discount: 0,
                original: Original::None,
            };
            let purchase = NewPurchase {
                source: "till".into(),
                document: "A-1".into(),
                kind: Kind::Sale,
                customer: Some(customer),
                store: None,
                at: tx.now(),
                way: Way::default(),
                points_used: 0,
                lines: (1..).zip(codes).map(line).collect(),
                coupons: Vec::new(),
            };
            crm::purchase::store::book(tx, &BY, &[purchase]).await
        })
    });
    let id = booked.await.expect("booked")[0].id;
    let page = anna.get(&format!("/what-if?like={id}")).await;
    let told = words(&page);
    assert!(
        page.body.contains("value=\"T-20\"") && !page.body.contains("value=\"T-21\""),
        "{}",
        page.body
    );
    assert!(told.contains("Ещё 5 товаров этого чека"), "{told}");
    assert!(page.body.contains("name=\"sum\" value=\"1000,00\""), "{}", page.body);
    assert!(
        told.contains("5 000,00 ₽") && told.contains("+150"),
        "all of it: {told}"
    );
}
