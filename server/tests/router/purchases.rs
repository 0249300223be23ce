//! What a customer reads of their purchases.

use crate::common::TestApp;

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
