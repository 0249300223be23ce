//! Programs, as a customer sees them.

use crate::common::{BY, TestApp};
use axum::http::StatusCode;
use chrono::Duration;
use crm::id::TierId;
use crm::lang::Localized;
use crm::rule::tier::{Downgrade, Measure, Tier, Tiers, store as tiers};
use crm::rule::{Span, Window};

fn tier(n: u128, name: &str, threshold: i64) -> Tier {
    Tier {
        id: TierId(uuid::Uuid::from_u128(n)),
        name: Localized {
            ru: name.into(),
            en: format!("en {name}"),
        },
        threshold,
    }
}

#[tokio::test]
async fn a_program_shows_the_tier_what_the_next_one_needs_and_how_long_it_lasts() {
    let (app, mut anna) = TestApp::with_a_purchase().await;
    let mut words = async || {
        let page = anna.get("/programs/club").await;
        (page.words(), page.body)
    };
    let (text, body) = words().await;
    assert!(
        !text.contains("ровень") && !body.contains("<progress"),
        "a program without tiers: {text}"
    );

    let club = app.club().await;
    let publish = async |is: &Tiers| {
        tiers::publish_by_system(&app.world.db, &BY, club, is, None)
            .await
            .expect("published")
    };
    let mut is = Tiers {
        measure: Measure::Sum,
        window: Window::Last(Span::Days(3)),
        downgrade: Downgrade::Earned,
        grace: Some(Span::Days(3)),
        tiers: vec![tier(1, "Серебро", 1_000_00), tier(2, "Золото", 4_000_00)],
    };
    publish(&is).await;
    let (text, body) = words().await;
    for part in [
        "Ваш уровень: Серебро",
        "он останется у вас по 25 ноября включительно",
        "До уровня «Золото» осталось: 2 500,00 ₽",
        "Нужно за последние 3 дня: 4 000,00 ₽",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("Сохраняется"), "{text}");
    assert!(body.contains(r#"max="400000" value="150000""#), "{body}");

    // What was bought on the 20th counts no more on the 23rd.
    app.world.clock.set(crm::testing::start() + Duration::days(2));
    let (text, _) = words().await;
    for part in [
        "Ваш уровень: Серебро",
        "Сохраняется по 25 ноября включительно",
        "Чтобы он остался и дальше, нужно ещё: 1 000,00 ₽",
        "осталось: 4 000,00 ₽",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }

    is.measure = Measure::Count;
    is.window = Window::Ever;
    is.tiers = vec![tier(1, "Серебро", 4)];
    publish(&is).await;
    let (text, _) = words().await;
    for part in ["Уровня пока нет", "До уровня «Серебро» осталось: 3 покупки"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn programs_stand_side_by_side_and_a_tier_says_what_it_gives() {
    let app = TestApp::new().await;
    let (db, club) = (&app.world.db, app.club().await);
    let is = Tiers {
        measure: Measure::Sum,
        window: Window::Ever,
        downgrade: Downgrade::Earned,
        grace: None,
        tiers: vec![tier(1, "Серебро", 1_000_00), tier(2, "Золото", 4_000_00)],
    };
    tiers::publish_by_system(db, &BY, club, &is, None)
        .await
        .expect("published");
    let rule = serde_json::json!({
        "name": {"ru": "Золотая скидка", "en": "Gold discount"},
        "conditions": [
            {"tier": {"program": club, "tiers": [TierId(uuid::Uuid::from_u128(2))]}},
            {"basket_sum": {"at_least": 500_00}}
        ],
        "effects": [
            {"percent_off": {"share": 500, "each": "line"}},
            {"message": {"to": "cashier", "text": {"ru": "Предложите пакет", "en": "Offer a bag"}}}
        ]
    });
    app.publish(rule).await;
    let mut anna = app
        .customer("Анна")
        .await
        .with_purchase("A-1", "Чайник", 1_500_00)
        .await;
    let text = anna.get("/programs").await.text();
    for part in ["Сравнить программы", "Серебро, Золото", "Баллами от цены"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = anna.get("/programs/club").await.words();
    for part in [
        "Что добавит уровень «Золото»",
        "скидка 5 % на каждую строку",
        "Если: покупка на сумму от 500,00 ₽",
        "Уровень «Серебро»: покупок для него достаточно",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("Предложите пакет"), "what cashiers are told: {text}");
    // Whoever is in it already has it, and whoever is no member sees what there would be.
    let mut boris = app
        .customer("Борис")
        .await
        .with_purchase("B-1", "Чайник", 5_000_00)
        .await;
    let text = boris.get("/programs/club").await.text();
    assert!(
        !text.contains("Что добавит") && text.contains("Золотая скидка"),
        "{text}"
    );
    boris.send("/programs/club/leave", "program.leave", &[]).await;
    let text = boris.get("/programs/club").await.text();
    assert!(
        !text.contains("Ваш уровень") && text.contains("Золотая скидка"),
        "{text}"
    );
    assert!(
        text.contains("Вы вышли") && !text.contains("Уровня больше нет"),
        "{text}"
    );
}

#[tokio::test]
async fn terms_stay_readable_by_version() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    for (version, published_at) in [("2", "2026-11-21T00:00:00+00:00"), ("3", "2999-01-01T00:00:00+00:00")] {
        let sql = "INSERT INTO program_versions (program_id, version, name, summary, terms, share, delay_days, term_days, \
                   published_at) SELECT program_id, CAST(json_extract($1, '$[0]') AS INTEGER), name, summary, \
                   json_object('ru', 'Условия ' || json_extract($1, '$[0]'), 'en', 'Terms'), 777, delay_days, term_days, \
                   json_extract($1, '$[1]') FROM program_versions WHERE version = 1 \
                   AND program_id = (SELECT id FROM programs WHERE code = 'club')";
        app.run(sql, &format!(r#"["{version}", "{published_at}"]"#)).await;
    }
    let text = anna.get("/programs/club").await.words();
    for part in ["7,77 %", "Условия 2", "Версия 1, с", "Версия 2, с", "Вы вступили"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("Версия 3"), "nobody is told what lies ahead: {text}");
    let text = anna.get("/programs/club?version=1").await.words();
    assert!(
        text.contains("К сегодняшним условиям") && text.contains("их сменили новые"),
        "{text}"
    );
    assert!(!text.contains("7,77 %") && !text.contains("Условия 2"), "{text}");
    let newest = anna.get("/programs/club?version=2").await;
    newest.assert_says("Выйти из программы");
    for version in ["3", "0", "x"] {
        let page = anna.get(&format!("/programs/club?version={version}")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{version}");
    }
}
