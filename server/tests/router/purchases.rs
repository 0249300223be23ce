//! What a customer reads of their purchases.

use crate::common::{Customer, TestApp};

#[tokio::test]
async fn an_average_begins_with_the_first_purchase() {
    let app = TestApp::new().await;
    let mut anna = app
        .customer("Анна")
        .await
        .with_purchase("A-1", "Чайник", 1_500_00)
        .await;
    let page = anna.get("/purchases").await.text().replace('\u{a0}', " ");
    assert!(
        page.contains("За 12 месяцев 1 500 ₽, в среднем 1 500 ₽ в месяц"),
        "{page}"
    );
}

/// The id of a customer's only receipt.
async fn receipt_of(anna: &mut Customer) -> String {
    let page = anna.get("/purchases").await;
    let mut hrefs = page.body.split("href=\"/purchases/").skip(1);
    let id = hrefs.find_map(|rest| rest.get(..36).filter(|id| id.parse::<uuid::Uuid>().is_ok()));
    id.expect("a receipt").to_owned()
}

/// What is known of the points goes with a request that a receipt was asked about, and with no other.
#[tokio::test]
async fn missing_points_are_asked_about_from_the_receipt() {
    let app = TestApp::new().await;
    let mut anna = app
        .customer("Анна")
        .await
        .with_purchase("A-1", "Чайник", 1_500_00)
        .await;
    let mut boris = app.customer("Борис").await;
    let id = receipt_of(&mut anna).await;
    let at = format!("/support/new?receipt={id}&line=all");
    let form = anna.get(&at).await.form("request.create");
    assert_eq!(
        [form.get("topic"), form.get("purchase"), form.get("line")],
        [Some("points_missing"), Some(id.as_str()), Some("all")]
    );
    // A message that is missing keeps all of it.
    let refused = anna.submit(&at, &form.clone().with("text", "")).await;
    assert!(!refused.message("request.create", "text").is_empty());
    assert_eq!(refused.form("request.create").get("line"), Some("all"));

    assert!(
        anna.submit(&at, &form.with("text", "Где баллы?"))
            .await
            .location()
            .starts_with("/support/")
    );
    let notes = "SELECT body FROM messages WHERE internal ORDER BY at, id";
    let told = app.texts(notes).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let told = told[0].replace('\u{a0}', " ");
    for words in [
        "не хватает баллов за чек",
        "Чек № A-1, 20 ноября 2026, 15:00, 1 500,00 ₽",
        "1. Чайник (код Чайник): 1 × 1 500,00 ₽, оплачено 1 500,00 ₽\nбаллов не начислено",
        "Особых правил в момент покупки не было",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }

    // Another's receipt tells nothing, and a request about a receipt that asks nothing of the kind carries nothing.
    let page = boris.get(&at).await;
    assert_eq!(page.form("request.create").get("line"), None);
    let fields = [
        ("topic", "points_missing"),
        ("text", "Где?"),
        ("purchase", id.as_str()),
        ("line", "all"),
    ];
    let refused = boris.send("/support/new", "request.create", &fields).await;
    assert!(!refused.message("request.create", "purchase").is_empty());
    let plain = format!("/support/new?receipt={id}");
    let form = anna.get(&plain).await.form("request.create");
    assert!(
        anna.submit(&plain, &form.with("text", "Вопрос"))
            .await
            .location()
            .starts_with("/support/")
    );
    assert_eq!(app.texts(notes).await.len(), 1);
}
