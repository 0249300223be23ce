//! Programs and their tiers, as a marketer writes them.

use crate::common::{BY, Browser, Reply, TestApp, with};
use crate::rules::put;
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;

const CLUB: &str = "/admin/programs/club";
const TIERS: &str = "/admin/programs/club/tiers";

/// The page's words, with plain spaces.
async fn words(staff: &mut Browser, at: &str) -> String {
    staff.get(at).await.words()
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
async fn how_points_pay_is_shown_and_where_it_is_set() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let page = staff.get(CLUB).await;
    let share = app.world.db.shop().points.pay_share;
    let share = format!("Баллами можно оплатить до {share} % чека");
    for said in [
        share.as_str(),
        "раздел [points]",
        "отмечают у самих товаров",
        "ограничивает каждое правило",
    ] {
        assert!(page.words().contains(said), "{said}: {}", page.words());
    }
    assert!(
        !page.body.contains("name=\"pay_"),
        "nobody changes it here: {}",
        page.text()
    );
}

#[tokio::test]
async fn tiers_are_drafted_tried_on_members_published_and_withdrawn() {
    let (app, anna) = TestApp::with_a_purchase().await;
    app.customer("Борис").await;
    let mut staff = app.staff_as("mara", "marketer").await;
    assert!(words(&mut staff, TIERS).await.contains("Уровней у программы пока нет"));
    let begun = staff.send(TIERS, "tiers.begin", &[]).await;
    begun.assert_leads_to(&format!("{TIERS}?done=begun#draft"));
    let page = staff.get(TIERS).await;
    page.assert_says("добавьте хотя бы один уровень");
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
    gold.assert_leads_to(&format!("{TIERS}?done=saved#tiers"));
    let silver = tier(&mut staff, "Серебро", "Silver", "1000,50").await;
    silver.assert_leads_to(&format!("{TIERS}?done=saved#tiers"));
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
    late.assert_says("изменил кто-то другой");
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
    published.assert_leads_to(&format!("{TIERS}?done=published"));
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
    let gone = put(&mut staff, TIERS, "tiers.discard", &[]).await;
    gone.assert_leads_to(&format!("{TIERS}?done=discarded"));
    let gone = staff.send(TIERS, "tiers.discard", &[("seen", "1")]).await;
    gone.assert_says("изменил кто-то другой");
    let gone = staff.send(TIERS, "tiers.withdraw", &[("from", "")]).await;
    gone.assert_leads_to(&format!("{TIERS}?done=withdrawn"));
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
    with(
        vec![
            ("name_ru", "Чайный клуб"),
            ("name_en", "Tea club"),
            ("summary_ru", "Баллы за чай"),
            ("summary_en", "Points for tea"),
            ("terms_ru", "Пейте чай"),
            ("terms_en", "Drink tea"),
            ("share", "5"),
            ("delay", "0"),
            ("term", "90"),
        ],
        changed,
    )
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
    made.assert_leads_to(&format!("{at}?done=created"));
    let mut anna = app.customer("Анна").await;
    assert!(anna.get("/programs/tea").await.text().contains("Пейте чай"));

    // A colleague who was quicker, and one who was not.
    app.world.clock.set(start() + Duration::seconds(5));
    let wrong = staff
        .send(at, "program.draft", &terms(&[("seen", ""), ("share", "много")]))
        .await;
    assert_eq!(
        wrong.message("program.draft", "share"),
        "Напишите число: например 150 или 12,5"
    );
    let saved = staff
        .send(at, "program.draft", &terms(&[("seen", ""), ("share", "7,5")]))
        .await;
    saved.assert_leads_to(&format!("{at}?done=drafted#draft"));
    let late = staff.send(at, "program.draft", &terms(&[("seen", "")])).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("изменил кто-то другой");
    assert!(
        !anna.get("/programs/tea").await.text().contains("7,5"),
        "a draft is nobody's yet"
    );
    let preview = words(&mut staff, &format!("{at}/preview")).await;
    assert!(preview.contains("7,5 %") && preview.contains("Пейте чай"), "{preview}");
    let past = put(&mut staff, at, "program.publish", &[("from", "2020-01-01T10:00")]).await;
    assert_eq!(past.message("program.publish", "from"), "Этот момент уже прошёл");
    let published = put(&mut staff, at, "program.publish", &[("from", "")]).await;
    published.assert_leads_to(&format!("{at}?done=published"));
    assert!(anna.get("/programs/tea").await.words().contains("7,5 %"));
    let page = staff.get(at).await.body.replace('\u{a0}', " ");
    assert!(page.contains("<del>Баллов: 5 % от оплаченного</del>"), "{page}");
    assert!(page.contains("<ins>Баллов: 7,5 % от оплаченного</ins>"), "{page}");

    for (form, fields, done) in [
        ("program.automatic", &[("on", "true")][..], "automatic"),
        ("program.automatic", &[("on", "false")], "by_choice"),
        ("program.close", &[], "closed"),
    ] {
        let sent = staff.send(at, form, fields).await;
        sent.assert_leads_to(&format!("{at}?done={done}"));
    }
    assert_eq!(anna.get("/programs/tea").await.status, StatusCode::NOT_FOUND);
    let twice = staff.send(at, "program.close", &[]).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(words(&mut staff, at).await.contains("Программа закрыта"));
    let opened = staff.send(at, "program.reopen", &[]).await;
    opened.assert_leads_to(&format!("{at}?done=reopened"));
    assert_eq!(anna.get("/programs/tea").await.status, StatusCode::OK);
    assert_eq!(staff.get("/admin/programs/nothing").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn terms_may_lie_ahead_and_be_taken_back_before_they_begin() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let mut anna = app.customer("Анна").await;
    let new = terms(&[("key", "tea"), ("automatic", "yes")]);
    staff.send("/admin/programs", "program.create", &new).await;
    let at = "/admin/programs/tea";
    let mut shown = async || anna.get("/programs/tea").await.words();
    let next = terms(&[("seen", ""), ("share", "9"), ("name_ru", "Большой чайный клуб")]);
    staff.send(at, "program.draft", &next).await;
    // Ten minutes from now, by the clock of the shop.
    let scheduled = put(&mut staff, at, "program.publish", &[("from", "2026-11-21T15:10")]).await;
    scheduled.assert_leads_to(&format!("{at}?done=scheduled"));
    let page = staff.get(at).await;
    for part in ["С 21 ноября", "Большой чайный клуб", "Отменить запланированное"]
    {
        assert!(page.words().contains(part), "{part}: {}", page.text());
    }
    assert!(
        shown().await.contains("5 %") && !shown().await.contains("Большой"),
        "not yet"
    );
    app.customer("Вера").await;
    let agreed = app.count("SELECT MAX(terms_version) FROM memberships").await;
    assert_eq!(agreed, 1, "who registers agrees to what counts now");
    let rule = "/admin/rules";
    let made = staff.send(rule, "rule.create", &[("ru", "Чай"), ("en", "Tea")]).await;
    let rule = made.location().split('?').next().unwrap_or_default().to_owned();
    let member = staff.get(&format!("{rule}?condition=new&kind=member")).await.text();
    assert!(
        member.contains("Чайный клуб") && !member.contains("Большой"),
        "{member}"
    );

    // Another draft waits until what lies ahead is taken back.
    let other = terms(&[("seen", ""), ("share", "2")]);
    staff.send(at, "program.draft", &other).await;
    let page = staff.get(at).await;
    assert!(!page.body.contains("program.publish"), "{}", page.text());
    let seen = page
        .form("program.draft")
        .get("seen")
        .map(str::to_owned)
        .expect("a field");
    let two = staff
        .send(at, "program.publish", &[("seen", &seen), ("from", "")])
        .await;
    assert_eq!(two.status, StatusCode::UNPROCESSABLE_ENTITY);
    two.assert_says("изменил кто-то другой");
    let discarded = staff.send(at, "program.discard", &[("seen", &seen)]).await;
    discarded.assert_leads_to(&format!("{at}?done=discarded"));
    let back = staff.send(at, "program.withdraw", &[]).await;
    back.assert_leads_to(&format!("{at}?done=withdrawn"));
    let draft = staff.get(at).await.form("program.draft");
    assert_eq!(draft.get("share"), Some("9"), "it is a draft again");
    let twice = staff.send(at, "program.withdraw", &[]).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);

    // Once it has begun it counts for everybody, and cannot be taken back.
    put(&mut staff, at, "program.publish", &[("from", "2026-11-21T15:10")]).await;
    app.world.clock.set(start() + Duration::minutes(11));
    assert!(shown().await.contains("9 %"), "{}", shown().await);
    let begun = staff.send(at, "program.withdraw", &[]).await;
    assert_eq!(begun.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_share_that_rules_multiply_says_so() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    assert!(!words(&mut staff, CLUB).await.contains("умножает долю программы"));
    let id = app.club().await;
    let rule = serde_json::json!({
        "name": {"ru": "Вдвое по средам", "en": "Double on Wednesdays"},
        "conditions": [{"weekday": ["Wed"]}],
        "effects": [{"points_times": {"program": id, "factor": 20_000}}]
    });
    app.publish(rule).await;
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
