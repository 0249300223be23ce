//! A customer who wants to be erased: what is asked before, the way back, and coming again.

use crate::common::{BY, TestApp};
use axum::http::StatusCode;
use chrono::Duration;

const PAGE: &str = "/profile/erase";

#[tokio::test]
async fn s15_who_wants_to_be_erased_has_just_proved_who_they_are_and_may_think_better_of_it() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let page = anna.get(PAGE).await;
    for words in [
        "Что исчезнет",
        "Что останется",
        "через 14 дней",
        "Баллов у вас сейчас нет",
    ] {
        let text = page.text();
        assert!(text.to_lowercase().contains(&words.to_lowercase()), "{words}: {text}");
    }
    let unsure = anna.send(PAGE, "erasure.ask", &[]).await;
    assert_eq!(unsure.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!unsure.body.contains("erasure.cancel"), "nothing is on its way");
    let asked = anna.send(PAGE, "erasure.ask", &[("agreed", "yes")]).await;
    asked.assert_leads_to("/profile/erase?done=asked");
    let told = app
        .text("SELECT body FROM outbox WHERE template = 'erasure_asked'")
        .await;
    assert!(told.contains(PAGE), "{told}");

    // The way back is on every page of the cabinet.
    for at in ["/", "/card", PAGE] {
        let page = anna.get(at).await;
        assert!(page.text().contains("Ваши данные удалятся"), "{at}: {}", page.text());
        assert_eq!(page.body.matches("value=\"erasure.cancel\"").count(), 1, "{at}");
    }
    let back = anna.get("/").await.form("erasure.cancel");
    let cancelled = anna.submit(PAGE, &back).await;
    cancelled.assert_leads_to("/profile/erase?done=cancelled");
    assert!(!anna.get("/").await.body.contains("erasure.cancel"));
    let nothing = anna.send(PAGE, "erasure.cancel", &[]).await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", nothing.text());

    app.world.clock.set(app.world.db.now() + Duration::minutes(16));
    assert!(!anna.get(PAGE).await.body.contains("erasure.ask"), "only after a proof");
    let late = anna.send(PAGE, "erasure.ask", &[("agreed", "yes")]).await;
    assert_eq!(late.location(), "/confirm?next=/profile/erase");
}

#[tokio::test]
async fn who_was_erased_comes_again_as_somebody_else() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await.with_purchase("A-1", "Чайник", 250_000).await;
    let (id, phone) = (anna.id().await, anna.phone.clone());
    let asked = anna.send(PAGE, "erasure.ask", &[("agreed", "yes")]).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text());
    app.world.clock.set(app.world.db.now() + Duration::days(14));
    let erased = crm::erasure::run_due(&app.world.db, &BY).await.expect("erased");
    assert_eq!(erased, 1);
    assert_eq!(anna.get("/").await.location(), "/sign-in", "the session is over");

    // Staff see that somebody was there, and not who.
    let mut agent = app.staff("agent").await;
    let card = agent.get(&format!("/admin/customers/{id}")).await;
    assert_eq!(card.status, StatusCode::OK);
    assert!(!card.text().contains("Лебедева"), "{}", card.text());
    card.assert_says("Данные покупателя удалены");

    let mut again = app.anybody();
    assert_eq!(
        again.prove(&phone).await.location(),
        "/sign-in/details",
        "nobody is known by it"
    );
}
