//! Service levels: as leads set them up, as agents see what is due, and what nobody hides.

use crate::common::{BY, Browser, Reply, TestApp, with};
use axum::http::StatusCode;
use chrono::Duration;

const LIST: &str = "/admin/levels";
const LATE: &str = "/admin/requests?status=overdue";

/// Everything that a calendar's form sends, with some of it changed.
fn calendar<'a>(changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let all = vec![
        ("name", "Поддержка"),
        ("time_zone", "Europe/Moscow"),
        ("mon", "9–13, 14–20"),
        ("tue", "9–20"),
        ("wed", "9–20"),
        ("thu", "9–20"),
        ("fri", "9–20"),
        ("sat", "9–18"),
        ("sun", ""),
        ("days", "2026-11-28"),
    ];
    with(all, changed)
}

/// Likewise of a policy.
fn policy<'a>(changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let all = vec![
        ("topic", ""),
        ("priority", ""),
        ("first_answer", "30"),
        ("next_answer", ""),
        ("solution", "600"),
        ("warn", "80"),
        ("lead", "100"),
        ("queue", ""),
    ];
    with(all, changed)
}

async fn calendar_id(app: &TestApp) -> String {
    let id: uuid::Uuid = app
        .text("SELECT lower(hex(id)) FROM level_calendars")
        .await
        .parse()
        .expect("an id");
    id.to_string()
}

/// Sets up a calendar and a policy for everything.
async fn set_up(app: &TestApp, lead: &mut Browser) {
    let added = lead.send(LIST, "level.calendar_add", &calendar(&[])).await;
    added.assert_leads_to(&format!("{LIST}?done=calendar_added"));
    let id = calendar_id(app).await;
    let sent = policy(&[("calendar", id.as_str())]);
    let added = lead.send(LIST, "level.policy_add", &sent).await;
    added.assert_leads_to(&format!("{LIST}?done=policy_added"));
}

/// Sends the form of a page with what is seen there, and some of it changed.
async fn save(staff: &mut Browser, form: &str, changed: &[(&str, &str)]) -> Reply {
    let mut there = staff.get(LIST).await.form(form);
    for (name, value) in changed {
        there = there.with(name, value);
    }
    staff.submit(LIST, &there).await
}

#[tokio::test]
async fn leads_set_up_when_what_is_due_and_nobody_else_does() {
    let app = TestApp::new().await;
    let mut lead = app.staff_as("lada", "lead").await;
    let wrong = calendar(&[("name", ""), ("time_zone", "Mars"), ("mon", "9"), ("days", "завтра")]);
    let wrong = lead.send(LIST, "level.calendar_add", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    for (field, message) in [
        ("name", "Заполните это поле"),
        ("mon", "Напишите часы по порядку: например 9:00–13:00, 14:00–18:00"),
        ("days", "Не удаётся прочитать: строка 1"),
    ] {
        assert_eq!(wrong.message("level.calendar_add", field), message, "{field}");
    }
    assert!(!wrong.message("level.calendar_add", "time_zone").is_empty());
    assert_eq!(wrong.form("level.calendar_add").get("mon"), Some("9"));
    let added = lead.send(LIST, "level.calendar_add", &calendar(&[])).await;
    added.assert_leads_to(&format!("{LIST}?done=calendar_added"));

    let id = calendar_id(&app).await;
    let wrong = policy(&[("calendar", id.as_str()), ("first_answer", "скоро"), ("warn", "100")]);
    let wrong = lead.send(LIST, "level.policy_add", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    for (field, message) in [
        ("first_answer", "Напишите число: например 150 или 12,5"),
        ("warn", "Число от 1 до 99"),
    ] {
        assert_eq!(wrong.message("level.policy_add", field), message, "{field}");
    }
    let sent = policy(&[("calendar", id.as_str())]);
    let added = lead.send(LIST, "level.policy_add", &sent).await;
    added.assert_leads_to(&format!("{LIST}?done=policy_added"));

    // Written ten minutes before the end of a Friday, before a Saturday without work.
    let written = lead.send(LIST, "level.preview", &[("at", "2026-11-27T19:50")]).await;
    written.assert_leads_to(&format!("{LIST}?at=2026-11-27T19:50"));
    let page = lead.get(written.location()).await.words();
    for words in [
        "27 ноября, пятница, 19:50",
        "Любая тема, любой приоритет",
        "30 ноября, понедельник, 09:20",
        "30 ноября, понедельник, 19:50",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }

    for (at, message) in [
        ("", "Заполните это поле"),
        ("2026-11-31T19:50", "Такой даты нет: проверьте день, месяц и год"),
    ] {
        let wrong = lead.send(LIST, "level.preview", &[("at", at)]).await;
        assert_eq!(wrong.message("level.preview", "at"), message, "{at}");
    }

    let changed = save(&mut lead, "level.calendar_change", &[("days", "")]).await;
    changed.assert_leads_to(&format!("{LIST}?done=saved"));
    let page = lead.get(&format!("{LIST}?at=2026-11-27T19:50")).await.words();
    assert!(page.contains("28 ноября, суббота, 09:20"), "{page}");
    let log = app
        .texts("SELECT reason FROM audit WHERE action = 'level.calendar_change'")
        .await;
    assert_eq!(log, ["days: {\"2026-11-28\":[]} → {}"]);
    let changed = save(&mut lead, "level.policy_change", &[("first_answer", "10")]).await;
    changed.assert_leads_to(&format!("{LIST}?done=saved"));
    let mut late = lead.get(LIST).await.form("level.policy_change");
    late = late.with("seen", "1").with("first_answer", "20");
    let late = lead.submit(LIST, &late).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("кто-то успел раньше");

    let mut agent = app.staff_as("agent", "agent").await;
    assert_eq!(agent.get(LIST).await.status, StatusCode::FORBIDDEN);
    let refused = agent.send(LIST, "level.preview", &[("at", "2026-11-27T19:50")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let refused = agent.send(LIST, "level.calendar_add", &calendar(&[])).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(app.count("SELECT COUNT(*) FROM level_calendars").await, 1);

    // What a policy has is closed and not removed; the page says which one.
    let page = lead.get(LIST).await;
    assert!(!page.body.contains("level.calendar_remove"), "{}", page.text());
    page.assert_says("Чтобы удалить его, сначала выберите в них другой: Любая тема, любой приоритет");
    let refused = lead.send(LIST, "level.calendar_remove", &[("id", id.as_str())]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.assert_says("уже считает какое-то правило");
    let closed = save(&mut lead, "level.calendar_switch", &[]).await;
    closed.assert_leads_to(&format!("{LIST}?done=calendar_closed"));
    let page = lead.get(closed.location()).await;
    page.assert_says("Чтобы написать правило, сначала добавьте календарь");
    let taken = lead
        .send(LIST, "level.policy_add", &with(sent, &[("priority", "low")]))
        .await;
    assert_eq!(taken.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", taken.text());
    let changed = save(&mut lead, "level.policy_change", &[("first_answer", "12")]).await;
    changed.assert_leads_to(&format!("{LIST}?done=saved"));
    let opened = save(&mut lead, "level.calendar_switch", &[]).await;
    opened.assert_leads_to(&format!("{LIST}?done=calendar_reopened"));

    let removed = save(&mut lead, "level.policy_remove", &[]).await;
    removed.assert_leads_to(&format!("{LIST}?done=policy_removed"));
    assert!(lead.get(removed.location()).await.text().contains("сроки не считаются"));
    let gone = save(&mut lead, "level.calendar_remove", &[]).await;
    gone.assert_leads_to(&format!("{LIST}?done=calendar_removed"));
    assert_eq!(app.count("SELECT COUNT(*) FROM level_calendars").await, 0);
    let log = app
        .texts("SELECT action || ' ' || reason FROM audit WHERE action LIKE 'level.calendar_%' ORDER BY id")
        .await;
    assert_eq!(
        log[log.len() - 3..],
        [
            "level.calendar_close ",
            "level.calendar_reopen ",
            "level.calendar_remove Поддержка"
        ]
    );
}

#[tokio::test]
async fn what_is_due_stands_in_the_queue_and_what_is_late_everywhere() {
    let app = TestApp::new().await;
    let mut lead = app.staff_as("lada", "lead").await;
    let mut agent = app.staff_as("agent", "agent").await;
    let mut anna = app.customer("Анна").await;
    set_up(&app, &mut lead).await;
    // Saturday, three in the afternoon.
    let sent = [("topic", "other"), ("text", "Где баллы?"), ("purchase", "")];
    let asked = anna.send("/support/new", "request.create", &sent).await;
    let number = asked.location().replace("/support/", "").replace("?done=sent", "");
    let request = format!("/admin/requests/{number}");
    // Where no answers tell yet how long it takes, the customer reads by when one is meant to come.
    let meant = "Постараемся ответить до этого времени: 21 ноября, 15:30.";
    let thread = anna.get(&format!("/support/{number}")).await.words();
    assert!(thread.contains(meant), "{thread}");

    let due = "ответить до 15:30, осталось: 30 минут";
    for (at, due) in [("/admin/requests", "ответить: ещё 30 минут"), (request.as_str(), due)] {
        let page = agent.get(at).await.words();
        assert!(page.contains(due), "{at}: {page}");
        assert!(!page.contains("росрочено"), "{at}: {page}");
    }
    let solution = "решить до 23 ноября, 17:00";
    assert!(
        agent.get(&request).await.words().contains(solution),
        "three hours, four before dinner on Monday, three after it"
    );
    assert!(agent.get(LATE).await.text().contains("Ничего не просрочено"));

    app.world.clock.set(app.world.db.now() + Duration::minutes(31));
    let thread = anna.get(&format!("/support/{number}")).await.words();
    assert!(
        !thread.contains("Постараемся"),
        "what is over is promised no more: {thread}"
    );
    let late = "Просрочено надо было ответить до 15:30, прошло: 1 минута";
    for (at, late) in [("/admin/requests", "Просрочено 1 минута"), (request.as_str(), late)] {
        let page = agent.get(at).await;
        assert!(page.words().contains(late), "{at}: {}", page.words());
    }
    // Nobody works on it, so the lead is told, once and until it was read.
    for _ in 0..2 {
        crm::request::level::store::run_due(&app.world.db, &BY, || true)
            .await
            .expect("it runs");
    }
    let page = lead.get("/admin/requests").await;
    page.assert_says("Уведомления, новых: 1");
    let inbox = lead.get("/admin/inbox").await;
    let words = format!("Обращение № {number} ждёт старшего");
    inbox.assert_says(&words);
    assert!(inbox.body.contains(&format!("href=\"{request}\"")), "{}", inbox.body);
    assert!(!lead.get("/admin/requests").await.text().contains("Уведомления, новых"));
    let told = agent.get("/admin/requests").await;
    assert!(!told.text().contains("Уведомления, новых"), "{}", told.text());
    // Whatever the queue is narrowed to.
    let narrowed = agent.get("/admin/requests?status=closed").await;
    assert!(narrowed.words().contains("Просрочены 1"), "{}", narrowed.words());
    assert!(narrowed.body.contains(&format!("href=\"{LATE}\"")));
    let list = agent.get(LATE).await;
    let hrefs: Vec<_> = crate::common::html::tags(&list.body)
        .iter()
        .filter_map(|tag| tag.get("href").map(str::to_owned))
        .filter(|href| href.starts_with(&request))
        .collect();
    assert!(hrefs.iter().any(|href| href.contains("status=overdue")), "{hrefs:?}");
    assert!(list.words().contains("1 минута"), "{}", list.words());

    let seen = agent.get(&request).await.form("request.answer");
    let sent = [("seen", seen.get("seen").expect("seen")), ("text", "На месте")];
    let answered = agent.send(&request, "request.answer", &sent).await;
    assert_eq!(answered.status, StatusCode::SEE_OTHER, "{}", answered.text());
    app.assert_row("request.answer").await;
    let page = agent.get(&request).await.words();
    assert!(page.contains("решить: время стоит, ждём покупателя"), "{page}");
    assert!(agent.get(LATE).await.text().contains("Ничего не просрочено"));
    assert!(!agent.get("/admin/requests").await.words().contains("росрочено"));
    // The report of requests tells it by period, and nothing of what did not fall due.
    let report = lead.get("/admin/reports/requests?period=week").await.words();
    for said in [
        "Доля первых ответов в срок",
        "Первые ответы в срок по темам",
        "Первые ответы в срок по сотрудникам",
        "обещанное считается в том периоде, на который пришёлся его срок",
    ] {
        assert!(report.contains(said), "{said}: {report}");
    }
    assert!(!report.contains("Решения в срок по темам"), "{report}");
    let file = lead.get("/admin/reports/requests/table.csv?period=week").await;
    for line in [
        "\nДоля первых ответов в срок;0;\r\n",
        "\nПервых ответов не в срок;1;0\r\n",
        "\nДругое;0;0;1;;0;0\r\n",
    ] {
        assert!(file.body.contains(line), "{line}: {}", file.body);
    }
    // What a customer reads says nothing of it.
    let thread = anna.get(&format!("/support/{number}")).await.text();
    assert!(
        !thread.contains("росрочено") && !thread.contains("осталось"),
        "{thread}"
    );
}
