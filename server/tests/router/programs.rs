//! Programs, as a customer sees them.

use crate::common::TestApp;
use chrono::Duration;
use crm::id::{ProgramId, TierId};
use crm::lang::Localized;
use crm::rule::tier::{Downgrade, Measure, Tier, Tiers, store as tiers};
use crm::rule::{Span, Window};
use crm::who::System;

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
    let app = TestApp::new().await;
    let mut anna = app
        .customer("Анна")
        .await
        .with_purchase("A-1", "Чайник", 1_500_00)
        .await;
    let mut words = async || {
        let page = anna.get("/programs/club").await;
        (page.text().replace('\u{a0}', " "), page.body)
    };
    let (text, body) = words().await;
    assert!(
        !text.contains("ровень") && !body.contains("<progress"),
        "a program without tiers: {text}"
    );

    let club = app
        .text("SELECT lower(hex(id)) FROM programs WHERE code = 'club'")
        .await;
    let club: ProgramId = club.parse().expect("an id");
    let publish = async |is: &Tiers| {
        tiers::publish_by_system(&app.world.db, &System::at_the_command_line(), club, is, None)
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
    for part in ["Ваш уровень: Серебро", "До уровня «Золото» осталось: 2 500,00 ₽"]
    {
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
