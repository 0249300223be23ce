//! Programs and their tiers, as a marketer writes them.

use crate::common::{BY, Browser, Reply, TestApp};
use crate::rules::put;
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;

const CLUB: &str = "/admin/programs/club";
const TIERS: &str = "/admin/programs/club/tiers";

/// The page's words, with plain spaces.
async fn words(staff: &mut Browser, at: &str) -> String {
    staff.get(at).await.text().replace('\u{a0}', " ")
}

/// Puts a tier into the draft.
async fn tier(staff: &mut Browser, ru: &str, en: &str, threshold: &str) -> Reply {
    let at = format!("{TIERS}?tier=new");
    put(
        staff,
        &at,
        "tiers.tier",
        &[("ru", ru), ("en", en), ("threshold", threshold)],
    )
    .await
}

#[tokio::test]
async fn tiers_are_drafted_tried_on_members_published_and_withdrawn() {
    let app = TestApp::new().await;
    let anna = app
        .customer("Анна")
        .await
        .with_purchase("A-1", "Чайник", 1_500_00)
        .await;
    app.customer("Борис").await;
    let mut staff = app.staff_as("mara", "marketer").await;
    assert!(words(&mut staff, TIERS).await.contains("Уровней у программы пока нет"));
    let begun = staff.send(TIERS, "tiers.begin", &[]).await;
    assert_eq!(
        begun.location(),
        format!("{TIERS}?done=begun#draft"),
        "{}",
        begun.text()
    );
    let page = staff.get(TIERS).await;
    assert!(page.text().contains("добавьте хотя бы один уровень"), "{}", page.text());
    assert!(!page.body.contains("tiers.publish"), "nothing can be published");

    // Each field is told what is wrong with it.
    let wrong = tier(&mut staff, " ", "Gold", "много").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.message("tiers.tier", "ru"), "Заполните это поле");
    assert_eq!(
        wrong.message("tiers.tier", "threshold"),
        "Напишите число: например 150 или 12,5"
    );
    let gold = tier(&mut staff, "Золото", "Gold", "5 000").await;
    assert_eq!(gold.location(), format!("{TIERS}?done=saved#tiers"), "{}", gold.text());
    let silver = tier(&mut staff, "Серебро", "Silver", "1000,50").await;
    assert_eq!(
        silver.location(),
        format!("{TIERS}?done=saved#tiers"),
        "{}",
        silver.text()
    );
    let same = tier(&mut staff, "Медь", "Copper", "5000").await;
    assert_eq!(same.message("tiers.tier", "threshold"), "Такой уже есть");
    let page = words(&mut staff, TIERS).await;
    let (silver, gold) = (page.find("Серебро: от 1 000,50 ₽"), page.find("Золото: от 5 000,00 ₽"));
    assert!(silver.is_some() && silver < gold, "the lowest comes first: {page}");
    let measure = |window, length, grace, downgrade| {
        [
            ("measure", "sum"),
            ("window", window),
            ("length", length),
            ("grace", grace),
            ("grace_unit", "months"),
            ("downgrade", downgrade),
        ]
    };
    let graceless = put(&mut staff, TIERS, "tiers.measure", &measure("months", "0", "", "step")).await;
    assert_eq!(graceless.message("tiers.measure", "length"), "Число от 1 до 3660");
    assert_eq!(graceless.message("tiers.measure", "grace"), "Заполните это поле");
    put(&mut staff, TIERS, "tiers.measure", &measure("months", "6", "2", "step")).await;
    let page = words(&mut staff, TIERS).await;
    for part in [
        "Считаем сумму покупок за последние 6 месяцев",
        "хранится ещё 2 месяца",
        "становится на ступень ниже",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }

    // Whoever was quicker wins.
    let mut other = app.staff("max").await;
    let first = format!("{TIERS}?tier=0");
    let there = other.get(&first).await.form("tiers.tier");
    let seen = there.get("seen").map(str::to_owned).expect("a field");
    app.world.clock.set(start() + Duration::seconds(5));
    put(
        &mut staff,
        &first,
        "tiers.tier",
        &[("ru", "Серебро"), ("en", "Silver"), ("threshold", "1000")],
    )
    .await;
    let late = [
        ("seen", seen.as_str()),
        ("at", "0"),
        ("ru", "Олово"),
        ("en", "Tin"),
        ("threshold", "7"),
    ];
    let late = other.send(&first, "tiers.tier", &late).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(late.text().contains("изменил кто-то другой"), "{}", late.text());
    let twice = other.send(TIERS, "tiers.begin", &[]).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);

    // Who would move is told before, and nothing is written.
    let preview = words(&mut staff, &format!("{TIERS}?preview=yes")).await;
    assert!(
        preview.contains("Перейдёт 1 участник. Всего участников: 2."),
        "{preview}"
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM tier_standings").await, 0);
    let past = put(&mut staff, TIERS, "tiers.publish", &[("from", "2020-01-01T10:00")]).await;
    assert_eq!(past.message("tiers.publish", "from"), "Этот момент уже прошёл");
    let published = put(&mut staff, TIERS, "tiers.publish", &[("from", "")]).await;
    assert_eq!(
        published.location(),
        format!("{TIERS}?done=published"),
        "{}",
        published.text()
    );
    crm::rule::tier::store::run_due(&app.world.db, &BY)
        .await
        .expect("the daily work");
    let page = staff.get(TIERS).await;
    let counts: Vec<&str> = page
        .body
        .split("<td class=\"num\">")
        .skip(1)
        .map(|cell| &cell[..1])
        .collect();
    // Threshold and members of: none, silver, gold.
    assert_eq!((counts[1], counts[3], counts[5]), ("1", "1", "0"), "{}", page.body);

    // The next version, with its differences; then none.
    staff.send(TIERS, "tiers.begin", &[]).await;
    put(&mut staff, TIERS, "tiers.tier_remove", &[("at", "1")]).await;
    app.world.clock.set(start() + Duration::seconds(10));
    put(&mut staff, TIERS, "tiers.publish", &[("from", "")]).await;
    let page = staff.get(TIERS).await.body.replace('\u{a0}', " ");
    assert!(page.contains("<del>Золото: от 5 000,00 ₽</del>"), "{page}");
    staff.send(TIERS, "tiers.begin", &[]).await;
    let gone = staff.send(TIERS, "tiers.discard", &[]).await;
    assert_eq!(gone.location(), format!("{TIERS}?done=discarded"), "{}", gone.text());
    let gone = staff.send(TIERS, "tiers.discard", &[]).await;
    assert!(gone.text().contains("изменил кто-то другой"), "{}", gone.text());
    let gone = staff.send(TIERS, "tiers.withdraw", &[("from", "")]).await;
    assert_eq!(gone.location(), format!("{TIERS}?done=withdrawn"), "{}", gone.text());
    assert!(words(&mut staff, TIERS).await.contains("Уровни сняты"));
    let mut anna = anna;
    assert!(!anna.get("/programs/club").await.text().contains("уровень"));
    let log = app
        .texts("SELECT action FROM audit WHERE action LIKE 'tiers.%' ORDER BY id")
        .await;
    for action in [
        "tiers.change",
        "tiers.preview",
        "tiers.publish",
        "tiers.discard",
        "tiers.withdraw",
    ] {
        assert!(log.iter().any(|one| one == action), "{action}: {log:?}");
    }
}

/// Everything that a program says, with some of it changed.
fn terms<'a>(changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("name_ru", "Чайный клуб"),
        ("name_en", "Tea club"),
        ("summary_ru", "Баллы за чай"),
        ("summary_en", "Points for tea"),
        ("terms_ru", "Пейте чай"),
        ("terms_en", "Drink tea"),
        ("share", "5"),
        ("delay", "0"),
        ("term", "90"),
    ];
    for (name, value) in changed {
        all.retain(|(other, _)| other != name);
        all.push((name, value));
    }
    all
}

#[tokio::test]
async fn a_program_is_opened_changed_compared_closed_and_opened_again() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let list = "/admin/programs";
    let page = words(&mut staff, list).await;
    assert!(page.contains("Клуб соседей") && page.contains("3 %"), "{page}");
    let wrong = terms(&[("key", "чай"), ("share", "много"), ("term", "0"), ("name_en", "")]);
    let wrong = staff.send(list, "program.create", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    for (field, message) in [
        ("key", "Подходят латинские буквы, цифры, дефис и подчёркивание"),
        ("share", "Напишите число: например 150 или 12,5"),
        ("term", "Число от 1 до 36500"),
        ("name_en", "Заполните это поле"),
    ] {
        assert_eq!(wrong.message("program.create", field), message, "{field}");
    }
    let taken = staff.send(list, "program.create", &terms(&[("key", "club")])).await;
    assert_eq!(taken.message("program.create", "key"), "Такой уже есть");
    let made = staff.send(list, "program.create", &terms(&[("key", "Tea")])).await;
    let at = "/admin/programs/tea";
    assert_eq!(made.location(), format!("{at}?done=created"), "{}", made.text());
    let mut anna = app.customer("Анна").await;
    assert!(anna.get("/programs/tea").await.text().contains("Пейте чай"));

    // A colleague who was quicker, and one who was not.
    app.world.clock.set(start() + Duration::seconds(5));
    let seen = staff
        .get(at)
        .await
        .form("program.publish")
        .get("seen")
        .map(str::to_owned)
        .expect("a field");
    let more = terms(&[("seen", "1"), ("share", "7,5")]);
    let published = staff.send(at, "program.publish", &more).await;
    assert_eq!(
        published.location(),
        format!("{at}?done=published"),
        "{}",
        published.text()
    );
    let late = staff
        .send(at, "program.publish", &terms(&[("seen", seen.as_str())]))
        .await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(late.text().contains("изменил кто-то другой"), "{}", late.text());
    let page = staff.get(at).await.body.replace('\u{a0}', " ");
    assert!(page.contains("<del>Баллов: 5 % от оплаченного</del>"), "{page}");
    assert!(page.contains("<ins>Баллов: 7,5 % от оплаченного</ins>"), "{page}");

    for (form, fields, done) in [
        ("program.automatic", &[("on", "true")][..], "automatic"),
        ("program.automatic", &[("on", "false")], "by_choice"),
        ("program.close", &[], "closed"),
    ] {
        let sent = staff.send(at, form, fields).await;
        assert_eq!(sent.location(), format!("{at}?done={done}"), "{}", sent.text());
    }
    assert_eq!(anna.get("/programs/tea").await.status, StatusCode::NOT_FOUND);
    let twice = staff.send(at, "program.close", &[]).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(words(&mut staff, at).await.contains("Программа закрыта"));
    let opened = staff.send(at, "program.reopen", &[]).await;
    assert_eq!(opened.location(), format!("{at}?done=reopened"), "{}", opened.text());
    assert_eq!(anna.get("/programs/tea").await.status, StatusCode::OK);
    assert_eq!(staff.get("/admin/programs/nothing").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_share_that_rules_multiply_says_so() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    assert!(!words(&mut staff, CLUB).await.contains("умножает долю программы"));
    let id = app
        .text("SELECT lower(hex(id)) FROM programs WHERE code = 'club'")
        .await;
    let id: crm::id::ProgramId = id.parse().expect("an id");
    let rule = serde_json::json!({
        "name": {"ru": "Вдвое по средам", "en": "Double on Wednesdays"},
        "conditions": [{"weekday": ["Wed"]}],
        "effects": [{"points_times": {"program": id, "factor": 20_000}}]
    });
    let rule = serde_json::from_value(rule).expect("a rule");
    crm::rule::store::publish_by_system(&app.world.db, &BY, None, &rule, None)
        .await
        .expect("published");
    let page = words(&mut staff, CLUB).await;
    assert!(
        page.contains("Вдвое по средам") && page.contains("умножает долю программы"),
        "{page}"
    );
}

#[tokio::test]
async fn a_support_agent_writes_no_programs() {
    let app = TestApp::new().await;
    let mut agent = app.staff_as("agent", "agent").await;
    for (at, form) in [
        ("/admin/programs", "program.create"),
        (CLUB, "program.close"),
        (TIERS, "tiers.begin"),
    ] {
        assert_eq!(agent.get(at).await.status, StatusCode::FORBIDDEN, "{at}");
        let sent = agent.send(at, form, &terms(&[("key", "tea")])).await;
        assert_eq!(sent.status, StatusCode::FORBIDDEN, "{form}");
    }
}
