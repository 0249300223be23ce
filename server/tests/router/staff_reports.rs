//! Reports as staff read them, narrow them, take them home, save them and have them sent.

use crate::common::{BY, Browser, TestApp, Town};
use axum::http::StatusCode;
use chrono::Duration;
use crm::lang::Localized;
use crm::rule::tier::{self, Downgrade, Measure};
use crm::rule::{Span, Window};
use crm::testing::start;

const LIST: &str = "/admin/reports";

/// Counts what is due.
async fn count(app: &TestApp) {
    crm::report::store::run_due(&app.world.db, &BY, || true)
        .await
        .expect("counted");
}

/// The id of the report that was saved last.
async fn newest(app: &TestApp) -> String {
    app.text("SELECT lower(hex(id)) FROM saved_reports ORDER BY id DESC LIMIT 1")
        .await
}

/// What a page says, with plain spaces.
async fn words(who: &mut Browser, at: &str) -> String {
    let reply = who.get(at).await;
    assert_eq!(reply.status, StatusCode::OK, "{at}: {}", reply.text());
    reply.words()
}

#[tokio::test]
async fn a_report_tells_figures_beside_those_before_and_names_nobody() {
    let (app, anna) = TestApp::with_a_purchase().await;
    anna.with_purchase("A-2", "Ложка", 500_00).await;
    count(&app).await;
    let mut mara = app.staff_as("mara", "marketer").await;
    let page = words(&mut mara, "/admin/reports/purchases").await;
    for said in [
        "2 000,00 ₽",
        "1 000,00 ₽",
        "сравнить не с чем",
        "По магазинам",
        "Без магазина",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("Лебедева") && !page.contains("Анна"), "{page}");
    // A week later the same is what was before.
    app.world.clock.set(start() + Duration::days(7));
    let before = words(
        &mut app.staff_as("mira", "marketer").await,
        "/admin/reports/purchases?period=week",
    )
    .await;
    assert!(before.contains("меньше на 2 000,00 ₽ (100 %)"), "{before}");
    let mut again = app.staff_as("mura", "marketer").await;
    for kind in ["points", "members", "requests", "self_service"] {
        words(&mut again, &format!("{LIST}/{kind}")).await;
    }
    let unknown = again.get("/admin/reports/everything").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn reports_are_for_whoever_has_the_right() {
    let app = TestApp::new().await;
    let mut agent = app.staff_as("agent", "agent").await;
    for at in [LIST, "/admin/reports/points", "/admin/reports/points/table.csv"] {
        assert_eq!(agent.get(at).await.status, StatusCode::FORBIDDEN, "{at}");
    }
    let saved = agent
        .send("/admin/reports/points", "report.save", &[("name", "Мой")])
        .await;
    assert_eq!(saved.status, StatusCode::FORBIDDEN);
    assert!(!agent.get("/admin/requests").await.body.contains(LIST));
    for role in ["lead", "marketer", "administrator"] {
        let mut who = app.staff_as(role, role).await;
        assert_eq!(who.get(LIST).await.status, StatusCode::OK, "{role}");
    }
}

#[tokio::test]
async fn a_period_that_cannot_be_read_is_told_at_its_field() {
    let app = TestApp::new().await;
    let mut mara = app.staff_as("mara", "marketer").await;
    for (query, said) in [
        ("from=2026-11-10", "Заполните это поле"),
        ("from=2026-11-10&to=2026-11-01", "Конец раньше начала"),
        ("from=2020-11-10&to=2026-11-01", "Не больше двух лет"),
        ("from=2026-02-30&to=2026-11-01", "Такой даты нет"),
    ] {
        let page = mara.get(&format!("/admin/reports/points?{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        assert!(page.body.contains("aria-invalid=\"true\""), "{query}");
        assert!(page.words().contains(said), "{query}: {}", page.words());
    }
    let minutes = mara.get("/admin/reports/self_service?minutes=0").await;
    assert!(minutes.words().contains("Число от 1 до 240"), "{}", minutes.words());
}

#[tokio::test]
async fn a_spreadsheet_has_what_the_page_has() {
    let (app, _anna) = TestApp::with_a_purchase().await;
    count(&app).await;
    let mut mara = app.staff_as("mara", "marketer").await;
    let file = mara.get("/admin/reports/purchases/table.csv?period=week").await;
    assert_eq!(file.status, StatusCode::OK, "{}", file.text());
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    for line in [
        "Показатель;За период;До этого\r\n",
        "Продажи;1500,00;0,00\r\n",
        "2026-11-20;1500,00;1;1500,00;0,00\r\n",
    ] {
        assert!(file.body.contains(line), "{line}: {}", file.body);
    }
    assert!(!file.body.contains("Анна"), "{}", file.body);
    // Each that is taken is a row of the log; what is only looked at is none.
    words(&mut mara, "/admin/reports/points").await;
    let shop = app.some_store().await;
    let narrowed =
        format!("/admin/reports/points/table.csv?from=2026-11-01&to=2026-11-20&store={shop}&period=elsewhere");
    assert_eq!(mara.get(&narrowed).await.status, StatusCode::OK);
    let told = "SELECT reason FROM audit WHERE action = 'report.export' ORDER BY at, id";
    assert_eq!(
        app.texts(told).await,
        [
            "purchases: from=2026-11-15&to=2026-11-21".to_owned(),
            format!("points: from=2026-11-01&to=2026-11-20&store={shop}"),
        ]
    );
    let mut ada = app.staff_as("ada", "administrator").await;
    let log = words(&mut ada, "/admin/audit?action=report.export").await;
    assert!(log.contains("Скачан отчёт"), "{log}");
}

#[tokio::test]
async fn what_is_opened_again_keeps_its_time_of_solution() {
    let mut town = Town::new().await;
    let mut mara = town.app.staff_as("mara", "marketer").await;
    let thread = format!("/support/{}", town.request);
    for (minutes, form) in [(42, "request.close"), (50, "request.reopen"), (90, "request.close")] {
        town.app.world.clock.set(start() + Duration::minutes(minutes));
        let sent = town.anna.send(&thread, form, &[]).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{form}: {}", sent.text());
        let file = mara.get("/admin/reports/requests/table.csv").await;
        assert!(
            file.body.contains("\nДо первого решения;42;\r\n"),
            "{form}: {}",
            file.body
        );
    }
    let page = words(&mut mara, "/admin/reports/requests").await;
    for said in [
        "42 мин",
        "Если обращение потом открыли снова, время его решения не меняется",
        "Обращения, которые начал магазин, стоят отдельно",
        "Начато магазином",
        "первый ответ считается тому, кто его дал",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
}

#[tokio::test]
async fn a_report_is_saved_shared_and_removed() {
    let app = TestApp::new().await;
    let mut mara = app.staff_as("mara", "marketer").await;
    let at = "/admin/reports/purchases?period=last_month&next=elsewhere";
    let wrong = mara.send(at, "report.save", &[("name", " ")]).await;
    assert_eq!(wrong.message("report.save", "name"), "Заполните это поле");
    let saved = mara
        .send(at, "report.save", &[("name", "За месяц"), ("shared", "yes")])
        .await;
    saved.assert_leads_to("/admin/reports?done=saved");
    let page = mara.get(LIST).await;
    assert!(page.words().contains("За месяц"), "{}", page.words());
    assert!(
        page.body
            .contains("href=\"/admin/reports/purchases?period=last_month\""),
        "{}",
        page.body
    );

    let mut lada = app.staff_as("lada", "lead").await;
    let hers = lada.get(LIST).await;
    assert!(hers.words().contains("Сохранил(а) mara"), "{}", hers.words());
    assert!(!hers.body.contains("report.remove"), "it is Mara's");
    let id = newest(&app).await;
    let refused = lada.send(LIST, "report.remove", &[("id", &id)]).await;
    refused.assert_says("Этого здесь больше нет");
    let gone = mara.send(LIST, "report.remove", &[("id", &id)]).await;
    gone.assert_leads_to("/admin/reports?done=removed");
    assert_eq!(app.count("SELECT COUNT(*) FROM saved_reports").await, 0);
    let log = "SELECT action FROM audit WHERE action LIKE 'report.%' ORDER BY at, id";
    assert_eq!(app.texts(log).await, ["report.save", "report.remove"]);
}

/// A shop where Anna bought and which is her favourite, and a tier that she gets there.
async fn some_parts(app: &TestApp) -> (crm::id::StoreId, crm::id::TierId) {
    let shop = app.some_store().await;
    app.execute("UPDATE customers SET favourite_store_id = (SELECT id FROM stores WHERE code = 'klin')")
        .await;
    app.execute("UPDATE purchases SET store_id = (SELECT id FROM stores WHERE code = 'klin')")
        .await;
    let silver = tier::Tier {
        id: crm::id::TierId::new(),
        name: Localized::new("Серебро", "Silver"),
        threshold: 100_00,
    };
    let id = silver.id;
    let tiers = tier::Tiers {
        measure: Measure::Sum,
        window: Window::Last(Span::Days(30)),
        downgrade: Downgrade::Earned,
        grace: None,
        tiers: vec![silver],
    };
    tier::store::publish_by_system(&app.world.db, &BY, app.club().await, &tiers, None)
        .await
        .expect("published");
    tier::store::run_due(&app.world.db, &BY).await.expect("looked at");
    (shop, id)
}

#[tokio::test]
async fn a_report_is_narrowed_by_shop_tier_and_program_or_says_why_not() {
    let (app, _anna) = TestApp::with_a_purchase().await;
    let (shop, silver) = some_parts(&app).await;
    let club = app.club().await;
    count(&app).await;
    let mut mara = app.staff_as("mara", "marketer").await;
    let (of_shop, of_tier, of_club) = (
        format!("store={shop}"),
        format!("tier={silver}"),
        format!("program={club}"),
    );
    let (at_klin, with_silver) = ("Магазин: Клин, Клин", "Уровень: Серебро");
    for (kind, query, said, missing) in [
        (
            "purchases",
            &of_shop,
            vec![at_klin, "1 500,00 ₽", "По программам покупки не делятся"],
            vec![],
        ),
        (
            "purchases",
            &of_tier,
            vec![with_silver, "Возвраты, скидки, категории"],
            vec!["По категориям"],
        ),
        (
            "points",
            &of_shop,
            vec![at_klin, "ни к какому магазину не относятся"],
            vec!["Баллы на руках по возрасту"],
        ),
        (
            "points",
            &of_tier,
            vec![with_silver, "Сгорело"],
            vec!["Баллы на руках по возрасту"],
        ),
        (
            "points",
            &of_club,
            vec![
                "Программа:",
                "Баллы на руках по возрасту",
                "По возрасту баллы посчитаны в начале дня 21 ноября 2026",
            ],
            vec!["ни к какому магазину"],
        ),
        (
            "members",
            &of_shop,
            vec![
                at_klin,
                "Из них купили за 30 дней",
                "Покупатели за месяц",
                "не позже чем через день",
            ],
            vec![],
        ),
        (
            "members",
            &of_tier,
            vec![with_silver, "По магазинам", "вышли те, у кого он был"],
            vec!["По программам", "не позже чем через день"],
        ),
        (
            "members",
            &of_club,
            vec!["Программа:", "По уровням", "смотрите, кто купил за 30 дней"],
            vec!["вышли те"],
        ),
        (
            "requests",
            &of_shop,
            vec![at_klin, "Разговоры и задачи сотрудников по магазинам"],
            vec!["Разговоров"],
        ),
        (
            "requests",
            &of_tier,
            vec![with_silver, "По программам обращения не делятся"],
            vec!["Разговоров"],
        ),
        (
            "requests",
            &of_club,
            vec!["По программам обращения не делятся", "Разговоров"],
            vec!["Программа:"],
        ),
        (
            "self_service",
            &of_shop,
            vec!["По магазинам, уровням и программам этот отчёт не делится"],
            vec![at_klin],
        ),
    ] {
        let page = words(&mut mara, &format!("{LIST}/{kind}?{query}")).await;
        for said in said {
            assert!(page.contains(said), "{kind}?{query}: {said}: {page}");
        }
        for missing in missing {
            assert!(!page.contains(missing), "{kind}?{query}: {missing}: {page}");
        }
    }
    let file = mara.get(&format!("{LIST}/members/table.csv?{of_shop}&{of_tier}")).await;
    for line in ["Магазин;Клин, Клин\r\n", "Уровень;Серебро\r\n", "Участники в конце;1;"]
    {
        assert!(file.body.contains(line), "{line}: {}", file.body);
    }

    // What is saved is narrowed as it was, and so is what is sent.
    let at = format!("{LIST}/requests?period=last_week&{of_shop}&{of_tier}");
    let saved = mara.send(&at, "report.save", &[("name", "Клин")]).await;
    saved.assert_leads_to("/admin/reports?done=saved");
    let list = mara.get(LIST).await;
    assert!(
        list.body.replace("&amp;", "&").contains(&format!("href=\"{at}\"")),
        "{}",
        list.body
    );
    let id = newest(&app).await;
    let monday = [("id", id.as_str()), ("every", "week"), ("email", "mara@example.com")];
    let done = mara.send(LIST, "report.schedule", &monday).await;
    done.assert_leads_to("/admin/reports?done=scheduled");
    app.world.clock.set(start() + Duration::days(2));
    assert_eq!(server::reports::send_due(&app.world.db, &BY).await.expect("sent"), 1);
    let letters = crm::outbox::inbox(&app.world.db, 20).await.expect("the outbox");
    let letter = letters
        .iter()
        .find(|letter| letter.template == "report")
        .expect("it was sent");
    for said in [at_klin, with_silver] {
        assert!(letter.body.contains(said), "{said}: {}", letter.body);
    }
}

#[tokio::test]
async fn a_report_goes_by_email_on_its_day_once() {
    let (app, _anna) = TestApp::with_a_purchase().await;
    let mut mara = app.staff_as("mara", "marketer").await;
    let at = "/admin/reports/purchases?period=last_week";
    let saved = mara.send(at, "report.save", &[("name", "За неделю")]).await;
    saved.assert_leads_to("/admin/reports?done=saved");
    let id = newest(&app).await;
    let wrong = [("id", id.as_str()), ("every", "week"), ("email", "mara@")];
    let wrong = mara.send(LIST, "report.schedule", &wrong).await;
    wrong.assert_says("Проверьте адрес");
    let right = [("id", id.as_str()), ("every", "week"), ("email", "mara@example.com")];
    let done = mara.send(LIST, "report.schedule", &right).await;
    done.assert_leads_to("/admin/reports?done=scheduled");
    assert!(
        words(&mut mara, LIST)
            .await
            .contains("Следующее письмо 23 ноября 2026 на mara@example.com")
    );

    // An address may be anybody's: it takes a fresh proof.
    app.world.clock.set(start() + Duration::minutes(16));
    let late = mara.get(LIST).await;
    assert!(!late.body.contains("report.schedule"), "{}", late.text());
    assert!(late.body.contains("href=\"/admin/confirm?next="), "{}", late.text());
    let elsewhere = [("id", id.as_str()), ("every", "week"), ("email", "rival@example.com")];
    let refused = mara.send(LIST, "report.schedule", &elsewhere).await;
    assert!(refused.location().starts_with("/admin/confirm"), "{}", refused.text());
    let kept = "SELECT email FROM saved_reports";
    assert_eq!(app.text(kept).await, "mara@example.com");

    let send = async || server::reports::send_due(&app.world.db, &BY).await.expect("sent");
    assert_eq!(send().await, 0, "not before Monday");
    app.world.clock.set(start() + Duration::days(2));
    count(&app).await;
    assert_eq!((send().await, send().await), (1, 0), "once");
    let log = "SELECT reason FROM audit WHERE action IN ('report.schedule', 'report.sent') ORDER BY at, id";
    assert_eq!(
        app.texts(log).await,
        ["week: mara@example.com", "purchases: mara@example.com"]
    );
    let letters = crm::outbox::inbox(&app.world.db, 20).await.expect("the outbox");
    let letter = letters
        .iter()
        .find(|letter| letter.template == "report")
        .expect("it was sent");
    let body = letter.body.replace('\u{a0}', " ");
    for said in [
        "Продажи: 1 500,00 ₽",
        "По магазинам",
        "https://club.example.com/admin/reports/purchases?period=last_week",
    ] {
        assert!(body.contains(said), "{said}: {body}");
    }
    assert!(!body.contains("Анна"), "{body}");
}

#[tokio::test]
async fn what_was_saved_is_told_as_an_estimate_with_its_parts() {
    let (app, mut anna) = TestApp::with_a_purchase().await;
    let purchase = app.text("SELECT lower(hex(id)) FROM purchases LIMIT 1").await;
    for _ in 0..2 {
        assert_eq!(
            anna.get(&format!("/purchases/{purchase}/why")).await.status,
            StatusCode::OK
        );
    }
    assert_eq!(anna.get("/what-if").await.status, StatusCode::OK);
    let missing = format!("/support/new?receipt={purchase}&line=");
    anna.get(&missing).await;
    anna.get(&format!("/support/new?receipt={purchase}&line=all")).await;
    let kinds = "SELECT kind FROM explanations ORDER BY kind";
    assert_eq!(app.texts(kinds).await, ["missing", "what_if", "why"]);
    app.world.clock.set(start() + Duration::days(2));
    count(&app).await;
    let mut mara = app.staff_as("mara", "marketer").await;
    let at = "/admin/reports/self_service?from=2026-11-21&to=2026-11-22&minutes=10";
    let page = words(&mut mara, at).await;
    for said in ["Это оценка", "Обращений не понадобилось 1", "10 мин = 1 × 10 мин"]
    {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM explanations").await, 0);
}
