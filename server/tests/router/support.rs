//! What customers think of answers, and what the thread says comes next.

use crate::common::{Browser, TestApp, Town};
use axum::http::StatusCode;
use chrono::Duration;

/// Answers a request as the agent does.
async fn answer(agent: &mut Browser, number: &str) {
    let at = format!("/admin/requests/{number}");
    let form = agent.get(&at).await.form("request.answer");
    let sent = [
        ("seen", form.get("seen").expect("seen")),
        ("text", "Баллы придут завтра"),
    ];
    let reply = agent.send(&at, "request.answer", &sent).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text());
}

#[tokio::test]
async fn an_answer_is_rated_seen_by_staff_and_changed_for_a_week() {
    let mut town = Town::new().await;
    let at = format!("/support/{}", town.request);
    assert!(
        !town.anna.get(&at).await.body.contains("request.rate"),
        "nothing to rate yet"
    );
    let good = [("score", "4"), ("comment", "Быстро <b>")];
    let early = town.anna.send(&at, "request.rate", &good).await;
    assert_eq!(early.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(early.text().contains("Сейчас оценить нельзя"), "{}", early.text());

    answer(&mut town.agent, &town.request).await;
    let wrong = town
        .anna
        .send(&at, "request.rate", &[("score", ""), ("comment", "Так")])
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.message("request.rate", "score"), "Выберите из списка");
    assert_eq!(wrong.form("request.rate").get("comment"), Some("Так"));
    let rated = town.anna.send(&at, "request.rate", &good).await;
    assert_eq!(rated.location(), format!("{at}?done=rated"), "{}", rated.text());
    let page = town.anna.get(rated.location()).await;
    for words in [
        "Спасибо, оценка записана.",
        "Ваша оценка: 4 из 5.",
        "Изменить оценку можно до",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let form = page.form("request.rate");
    assert_eq!(
        (form.get("score"), form.get("comment")),
        (Some("4"), Some("Быстро <b>"))
    );

    let desk = format!("/admin/requests/{}", town.request);
    let seen = town.agent.get(&desk).await.text();
    assert!(
        seen.contains("Оценка покупателя: 4 из 5") && seen.contains("Быстро <b>"),
        "{seen}"
    );
    let others = town.boris.send(&at, "request.rate", &good).await;
    assert_eq!(others.status, StatusCode::NOT_FOUND);

    let app = &town.app;
    app.world.clock.set(app.world.db.now() + Duration::days(7));
    let page = town.anna.get(&at).await;
    assert!(page.text().contains("Ваша оценка: 4 из 5."), "{}", page.text());
    assert!(!page.body.contains("request.rate"), "a week is over");
}
