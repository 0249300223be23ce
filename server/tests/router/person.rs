//! What staff see of a customer at once and do beside requests: the history with its filters, what to do next, talks, tasks, notes,
//! what purchases were for.

use crate::common::html::tags;
use crate::common::{Browser, Customer, Reply, TestApp, Town};
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;

async fn card(who: &Customer) -> String {
    format!("/admin/customers/{}", who.id().await)
}

/// Fields of a talk with these in it.
fn talk<'a>(outcome: &'a str, note: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("channel", "call_in"),
        ("script", "free"),
        ("outcome", outcome),
        ("note", note),
        ("minutes", ""),
        ("corrects", ""),
    ]
}

/// Whether a page leads somewhere.
fn leads(page: &Reply, href: &str) -> bool {
    tags(&page.body).iter().any(|tag| tag.get("href") == Some(href))
}

/// Sends the first form of this name of a page as it stands there, with these fields in it.
async fn put(who: &mut Browser, at: &str, form: &str, fields: &[(&str, &str)]) -> Reply {
    let mut there = who.get(at).await.form(form);
    for (name, value) in fields {
        there.fields.retain(|(held, _)| held != name);
        there.fields.push(((*name).to_owned(), (*value).to_owned()));
    }
    who.submit(at, &there).await
}

#[tokio::test]
async fn a_call_is_written_down_in_one_line_and_stands_in_the_history() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut agent = app.staff_as("petrov", "agent").await;
    let at = card(&anna).await;
    let page = agent.get(&at).await;
    let link = format!("{at}/talk?channel=visit&script=free");
    assert!(leads(&page, &link), "one click from the card: {}", page.body);

    // The form has an answer to everything already, and the cursor in the note.
    let form = format!("{at}/talk?channel=visit&script=away");
    let page = agent.get(&form).await;
    assert!(page.body.contains("autofocus"), "{}", page.body);
    page.assert_says("спросите, всё ли в порядке");
    let blank = page.form("interaction.add");
    assert_eq!(blank.get("channel"), Some("visit"));
    assert_eq!(blank.get("outcome"), Some("will_come"));
    let fields = crate::common::with(talk("unheard_of", "Про баллы"), &[("minutes", "много")]);
    let wrong = agent.send(&form, "interaction.add", &fields).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.message("interaction.add", "outcome"), "Выберите из списка");
    assert!(
        wrong
            .message("interaction.add", "minutes")
            .starts_with("Напишите число")
    );
    assert_eq!(
        wrong.form("interaction.add").get("note"),
        Some("Про баллы"),
        "what was typed stays"
    );
    let good = agent
        .send(&form, "interaction.add", &talk("later", "Ждёт <b>ответа</b>"))
        .await;
    good.assert_leads_to(&format!("{at}?done=talk"));
    let page = agent.get(&at).await;
    page.assert_says("Звонок от покупателя: Вернёмся позже");
    assert!(
        page.text().contains("Ждёт <b>ответа</b>") && !page.body.contains("<b>ответа"),
        "it is text"
    );

    // The customer learns that it was written down, and by which role.
    assert!(
        anna.get("/profile/views")
            .await
            .text()
            .contains("Записан разговор с вами")
    );

    // By whoever wrote it, for an hour.
    let id = app
        .text("SELECT lower(hex(id)) FROM interactions WHERE outcome = 'later'")
        .await;
    let id: crm::id::InteractionId = id.parse().expect("an id");
    let entry = format!("{at}/talks/{id}");
    assert!(leads(&page, &entry), "{}", page.body);
    let mut other = app.staff_as("ivanova", "agent").await;
    let seen = other.get(&entry).await;
    assert!(!seen.body.contains("interaction.change"), "{}", seen.body);
    let mended = put(&mut agent, &entry, "interaction.change", &[("note", "Ждёт звонка")]).await;
    mended.assert_leads_to(&format!("{entry}?done=changed"));
    app.assert_row("interaction.change").await;
    let open = agent.get(&entry).await.form("interaction.change");
    // An hour later; the agent would have to come in again.
    app.execute("UPDATE interactions SET at = '2026-11-21T11:00:00+00:00'")
        .await;
    let late = agent.submit(&entry, &open).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("Исправьте её новой записью");
    let page = agent.get(&entry).await;
    assert!(!page.body.contains("interaction.change"), "{}", page.body);
    let correct = format!("{at}/talk?channel=call_in&script=free&corrects={id}");
    assert!(leads(&page, &correct), "{}", page.body);
    let corrected = put(&mut other, &correct, "interaction.add", &[("note", "Не ждёт")]).await;
    corrected.assert_leads_to(&format!("{at}?done=talk"));
    assert!(agent.get(&entry).await.text().contains("Эту запись исправили другой"));
    assert!(agent.get(&at).await.text().contains("Исправлено позже"));
}

#[tokio::test]
async fn a_talk_leads_to_the_request_that_came_of_it() {
    const FORM: &str = "request.take_down";
    let app = TestApp::new().await;
    let (anna, boris) = (app.customer("Анна").await, app.customer("Борис").await);
    let mut agent = app.staff_as("petrov", "agent").await;
    let at = card(&anna).await;
    let script = format!("{at}/talk?channel=call_out&script=missing_points");
    let asked = [("channel", "call_out"), ("script", "missing_points")];
    let fields = crate::common::with(talk("request", "Нет баллов за чайник"), &asked);
    let said = agent.send(&script, "interaction.add", &fields).await;
    let to = said.location().to_owned();
    let entry = to
        .strip_suffix("?done=request#take-down")
        .unwrap_or_else(|| panic!("where it is written down: {to}"));
    assert!(entry.starts_with(&format!("{at}/talks/")), "{to}");
    let page = agent.get(&format!("{entry}?done=request")).await;
    page.assert_says("Теперь запишите обращение");
    assert_eq!(page.form(FORM).get("channel"), Some("call_out"), "as they talked");
    let is_open = |page: &Reply| {
        let after = page.body.split("id=\"take-down\"").nth(1).unwrap_or_default();
        let fold = tags(after).into_iter().find(|tag| tag.name == "details");
        fold.expect("a fold").has("open")
    };
    assert!(is_open(&page), "it is what comes next: {}", page.body);

    let wrong = put(&mut agent, entry, FORM, &[("topic", "card"), ("text", "")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.message(FORM, "text"), "Запишите, что говорит покупатель");
    let fields = [("topic", "card"), ("text", "Не начислили баллы")];
    let written = put(&mut agent, entry, FORM, &fields).await;
    let number = written
        .location()
        .strip_prefix("/admin/requests/")
        .and_then(|rest| rest.strip_suffix("?done=taken"))
        .expect("a request")
        .to_owned();
    let request = agent.get(written.location()).await;
    request.assert_says("Звонок покупателю, сотрудник:");
    assert!(
        leads(&request, &format!("{entry}?request={number}")),
        "{}",
        request.body
    );
    let page = agent.get(entry).await;
    assert!(
        page.words().contains(&format!("открыто обращение № {number}")),
        "{}",
        page.words()
    );
    assert!(leads(&page, &format!("/admin/requests/{number}")), "{}", page.body);
    assert!(!is_open(&page), "there is one");

    // Corrected later, and that once more, it is the same talk: its request is open already.
    let mut first = entry.to_owned();
    for note in ["Нет баллов за тостер", "Нет баллов за миксер"] {
        let id = first.rsplit('/').next().expect("an id");
        let correct = format!("{script}&corrects={id}");
        let fields = [("outcome", "request"), ("note", note)];
        let said = put(&mut agent, &correct, "interaction.add", &fields).await;
        let to = said.location().to_owned();
        let page = agent.get(&to).await;
        page.assert_says("Обращение по нему уже открыто");
        assert!(leads(&page, &format!("/admin/requests/{number}")), "{}", page.body);
        assert!(!is_open(&page), "no second one is asked for: {}", page.body);
        first = to
            .strip_suffix("?done=request")
            .expect("the top of its page")
            .to_owned();
    }
    // What leads to a request only by its correction does ask for one.
    let told = crate::common::with(talk("told", "Про карту"), &[]);
    let to = agent.send(&format!("{at}/talk"), "interaction.add", &told).await;
    to.assert_leads_to(&format!("{at}?done=talk"));
    let id = app
        .text("SELECT lower(hex(id)) FROM interactions WHERE outcome = 'told'")
        .await;
    let id: crm::id::InteractionId = id.parse().expect("an id");
    let correct = format!("{script}&corrects={id}");
    let said = put(&mut agent, &correct, "interaction.add", &[("outcome", "request")]).await;
    let page = agent.get(said.location()).await;
    page.assert_says("Теперь запишите обращение");
    assert!(is_open(&page), "it is what comes next: {}", page.body);

    // A talk with somebody else opens none.
    let foreign = entry.replace(&at, &card(&boris).await);
    let sent = crate::common::with(fields.to_vec(), &[("purchase", ""), ("channel", "call_in")]);
    let refused = agent.send(&foreign, FORM, &sent).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text());
    assert_eq!(app.count("SELECT COUNT(*) FROM requests").await, 1);
}

#[tokio::test]
async fn a_history_is_narrowed_and_goes_on_where_it_ended() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await.with_purchase("A-1", "Чайник", 150_000).await;
    let mut agent = app.staff_as("petrov", "agent").await;
    let at = card(&anna).await;
    for n in 0..60 {
        agent
            .send(
                &format!("{at}/talk"),
                "interaction.add",
                &talk("told", &format!("номер {n:02}.")),
            )
            .await;
    }
    let first = agent.get(&format!("{at}?kind=calls&kind=visits")).await;
    assert!(first.text().contains("номер 59.") && first.text().contains("номер 10."));
    assert!(!first.text().contains("номер 09."), "a page has fifty");
    let more = tags(&first.body)
        .into_iter()
        .find(|tag| tag.get("rel") == Some("next"))
        .and_then(|tag| tag.get("href").map(str::to_owned))
        .expect("a way on");
    assert!(more.contains("kind=calls&kind=visits"), "the filter stays: {more}");
    let second = agent.get(more.trim_end_matches("#history")).await;
    assert!(second.text().contains("номер 09.") && second.text().contains("номер 00."));
    assert!(!second.text().contains("номер 10."), "nothing stands there twice");
    let purchases = agent.get(&format!("{at}?kind=purchases")).await.text();
    assert!(!purchases.contains("номер 59."), "{purchases}");
    let nothing = agent.get(&format!("{at}?kind=calls&to=2026-11-20")).await.text();
    assert!(nothing.contains("Ничего не нашлось."), "{nothing}");
    for strange in [
        "kind=x",
        "from=2026-02-31",
        "after=1_1",
        "after=1_99_00000000-0000-0000-0000-000000000000",
    ] {
        assert_eq!(
            agent.get(&format!("{at}?{strange}")).await.status,
            StatusCode::OK,
            "{strange}"
        );
    }
}

#[tokio::test]
async fn purchases_stand_on_the_card_page_by_page() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    for n in 10..35 {
        anna = anna.with_purchase(&format!("A-{n}"), "Чайник", 1_000).await;
    }
    let mut agent = app.staff_as("petrov", "agent").await;
    let at = card(&anna).await;
    let begin = format!("{at}?before=");
    let shown = |page: &Reply| -> Vec<i32> {
        let text = page.text();
        (10..35).filter(|n| text.contains(&format!("A-{n}"))).collect()
    };
    let earlier = |page: &Reply| -> Option<String> {
        let all = tags(&page.body);
        let mut links = all.iter().filter_map(|tag| tag.get("href"));
        links.find(|href| href.starts_with(&begin)).map(str::to_owned)
    };
    let first = agent.get(&at).await;
    assert_eq!(shown(&first).len(), 20);
    let more = earlier(&first).expect("a way on");
    let second = agent.get(more.trim_end_matches("#purchases")).await;
    let mut all = [shown(&first), shown(&second)].concat();
    all.sort_unstable();
    assert_eq!(all, (10..35).collect::<Vec<_>>(), "each once");
    assert_eq!(earlier(&second), None);
    assert!(leads(&second, &format!("{at}#purchases")), "and back: {}", second.body);
}

#[tokio::test]
async fn the_card_says_what_to_do_next_and_whether_one_may_call() {
    let mut town = Town::new().await;
    let at = card(&town.anna).await;
    let page = town.agent.get(&at).await.text();
    assert!(
        !page.contains("Ждёт ответа на обращение"),
        "it was written a moment ago: {page}"
    );
    town.app.world.clock.set(start() + Duration::hours(25));
    // Who was away for so long comes in again.
    let mut agent = town.app.staff("later").await;
    let page = agent.get(&at).await;
    let words = format!("Ждёт ответа на обращение № {}", town.request);
    page.assert_says(&words);
    assert!(leads(&page, &format!("/admin/requests/{}", town.request)));

    // Someone who came every nine days and has not come for three weeks.
    let boris = card(&town.boris).await;
    const SQL: &str = "INSERT INTO purchases (id, source, document, kind, customer_id, at, line_count, total) \
        SELECT randomblob(16), 'x', d.n, 'sale', c.customer_id, d.at, 0, 10000 FROM contacts c, (SELECT '1' AS n, \
        '2026-10-14T10:00:00+00:00' AS at UNION ALL SELECT '2', '2026-10-23T10:00:00+00:00' \
        UNION ALL SELECT '3', '2026-11-01T10:00:00+00:00') d WHERE c.value = $1";
    town.app.run(SQL, &town.boris.phone).await;
    let page = agent.get(&boris).await;
    let words = page.words();
    assert!(
        words.contains("Обычно приходит раз в 9 дней, а последний раз 21 день назад"),
        "{words}"
    );
    assert!(words.contains("3 покупки за 12 месяцев"), "{words}");
    assert!(
        words.contains("Согласия на звонки нет"),
        "he has agreed to none: {words}"
    );
    assert!(
        leads(&page, &format!("{boris}/talk?channel=visit&script=away")),
        "{}",
        page.body
    );
    town.app
        .run(
            "INSERT INTO consents (id, customer_id, text_id, act, language, source, at) SELECT randomblob(16), c.customer_id, t.id, \
             'given', 'ru', 'web', '2026-11-21T12:00:00+00:00' FROM contacts c, consent_texts t \
             JOIN consent_purposes p ON p.id = t.purpose_id WHERE p.code = 'marketing_phone' AND c.value = $1",
            &town.boris.phone,
        )
        .await;
    let page = agent.get(&boris).await;
    assert!(!page.words().contains("Согласия на звонки нет"), "{}", page.words());
    assert!(
        leads(&page, &format!("{boris}/talk?channel=call_out&script=away")),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn a_task_goes_from_the_card_to_a_colleague_and_to_its_end() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    let mut agent = app.staff_as("petrov", "agent").await;
    let mut lead = app.staff_as("ivanova", "lead").await;
    let at = card(&anna).await;
    let form = agent.get(&at).await.form("task.add");
    let wrong = agent.submit(&at, &form.clone().with("due", "2026-11-20")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.message("task.add", "title"), "Напишите, что сделать");
    assert!(!wrong.message("task.add", "due").is_empty());
    let odd = form.clone().with("time", "полдень").with("kind", "fax");
    let odd = agent.submit(&at, &odd).await;
    assert_eq!(odd.message("task.add", "time"), "Напишите время, например 15:00");
    assert_eq!(odd.message("task.add", "kind"), "Выберите из списка");
    let good = form
        .with("title", "Перезвонить <Анне>")
        .with("due", "2026-11-21")
        .with("time", "23:30")
        .with("kind", "call");
    let good = agent.submit(&at, &good).await;
    good.assert_leads_to(&format!("{at}?done=task_added"));
    // It is on their list, and where their day begins.
    let mine = agent.get("/admin/tasks").await;
    for words in ["Перезвонить <Анне>", "Лебедева Анна", "Сегодня до 23:30", "Звонок"]
    {
        assert!(mine.text().contains(words), "{words}: {}", mine.text());
    }
    let queue = agent.get("/admin/requests").await.text();
    assert!(queue.contains("на сегодня 1, просрочено 0"), "{queue}");
    assert!(lead.get("/admin/tasks").await.text().contains("Дел здесь нет."));

    // The next day it is late, and the lead sees whose it is.
    app.execute("UPDATE tasks SET due_on = '2026-11-20'").await;
    let page = lead.get("/admin/tasks?tab=overdue").await;
    assert!(
        page.text().contains("Кто опаздывает") && page.text().contains("petrov"),
        "{}",
        page.text()
    );
    let agents = agent.get("/admin/tasks?tab=all").await;
    assert!(
        !leads(&agents, "/admin/tasks?tab=all"),
        "an agent sees their own: {}",
        agents.body
    );
    assert!(
        !agent
            .get("/admin/tasks?tab=overdue")
            .await
            .text()
            .contains("Кто опаздывает")
    );
    let me = app
        .text("SELECT lower(hex(id)) FROM staff WHERE login = 'ivanova'")
        .await;
    let me: crm::id::StaffId = me.parse().expect("an id");
    let me = me.to_string();
    let handed = put(
        &mut lead,
        "/admin/tasks?tab=overdue",
        "task.assign",
        &[("owner", me.as_str()), ("due", "2026-11-30")],
    )
    .await;
    handed.assert_leads_to("/admin/tasks?done=task_assigned");
    // The hour went with it; taken away, it is the day.
    lead.get("/admin/tasks").await.assert_says("23:30");
    let put_off = put(&mut lead, "/admin/tasks", "task.assign", &[("time", "")]).await;
    put_off.assert_leads_to("/admin/tasks?done=task_assigned");
    assert!(!lead.get("/admin/tasks").await.text().contains("23:30"));
    // The agent gave it, and sees what has become of it among the rest that they gave.
    agent
        .get("/admin/tasks?tab=given")
        .await
        .assert_says("Перезвонить <Анне>");
    lead.get("/admin/tasks?tab=given").await.assert_says("Дел здесь нет.");
    // On the card the agent sees it, and does not end it any more: neither by a button nor without one.
    let page = agent.get(&at).await;
    assert!(
        page.text().contains("Перезвонить <Анне>") && !page.body.contains("task.end"),
        "{}",
        page.text()
    );
    let id = app.text("SELECT lower(hex(id)) FROM tasks").await;
    let sent = [("task", id.as_str()), ("seen", "0"), ("end", "done")];
    let refused = agent.send("/admin/tasks", "task.end", &sent).await;
    refused.assert_says("Этого сделать нельзя");
    let done = put(&mut lead, "/admin/tasks", "task.end", &[("end", "done")]).await;
    done.assert_leads_to("/admin/tasks?done=task_done");
    // That it is done the agent's bell tells, and where it stands.
    agent.get("/admin/requests").await.assert_says("Уведомления, новых: 1");
    let inbox = agent.get("/admin/inbox").await;
    inbox.assert_says("ваше поручение выполнено");
    inbox.assert_says("Перезвонить <Анне>");
    assert!(leads(&inbox, &format!("{at}?kind=tasks#history")), "{}", inbox.body);
    assert!(!agent.get("/admin/requests").await.text().contains("новых: 1"));
    let late = lead.send("/admin/tasks", "task.end", &sent).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("Дело уже изменили");
    assert!(lead.get("/admin/tasks?tab=ended").await.text().contains("Сделано"));
    // It stands in the history with what it was, and the way there beside the tasks.
    let page = agent.get(&at).await;
    let way = format!("{at}?kind=tasks#history");
    assert!(leads(&page, &way), "{}", page.body);
    let ended = agent.get(way.trim_end_matches("#history")).await.text();
    for words in ["Дело сделано", "Перезвонить <Анне>"] {
        assert!(ended.contains(words), "{words}: {ended}");
    }
    let changes = agent.get(&format!("{at}?kind=changes")).await.text();
    assert!(!changes.contains("Дело сделано"), "it is told once: {changes}");
    // Another one is called off, and both stand there.
    let form = agent.get(&at).await.form("task.add");
    let form = form.with("title", "Поздравить").with("due", "2026-11-30");
    agent.submit(&at, &form).await;
    put(&mut agent, &at, "task.end", &[("end", "cancelled")]).await;
    let ended = agent.get(&format!("{at}?kind=tasks")).await.text();
    for words in ["Дело отменено", "Поздравить", "Дело сделано", "Перезвонить <Анне>"]
    {
        assert!(ended.contains(words), "{words}: {ended}");
    }
}

#[tokio::test]
async fn calls_stand_apart_from_visits_and_boxes_are_ticked_together() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await.with_purchase("A-1", "Чайник", 150_000).await;
    let mut agent = app.staff_as("petrov", "agent").await;
    let at = card(&anna).await;
    for (way, note) in [
        ("call_out", "про чайник"),
        ("visit", "за чайником"),
        ("other", "в лифте"),
    ] {
        let fields = crate::common::with(talk("told", note), &[("channel", way)]);
        let noted = agent.send(&format!("{at}/talk"), "interaction.add", &fields).await;
        noted.assert_leads_to(&format!("{at}?done=talk"));
    }
    let all = ["про чайник", "за чайником", "в лифте", "Покупка на"];
    for (asked, expected) in [
        ("", &all[..]),
        ("?kind=calls", &["про чайник"]),
        ("?kind=visits", &["за чайником"]),
        ("?kind=other_talks", &["в лифте"]),
        ("?kind=visits&kind=calls", &["про чайник", "за чайником"]),
        (
            "?kind=calls&kind=x&kind=purchases&from=&to=",
            &["про чайник", "Покупка на"],
        ),
        ("?kind=x", &all),
    ] {
        let page = agent.get(&format!("{at}{asked}")).await;
        for one in all {
            let is_there = page.text().contains(one);
            assert_eq!(is_there, expected.contains(&one), "{asked}, {one}: {}", page.text());
        }
        // What was ticked is ticked still.
        let all_tags = tags(&page.body);
        let boxes = all_tags
            .iter()
            .filter(|tag| tag.get("name") == Some("kind") && tag.get("type") == Some("checkbox"));
        assert_eq!(boxes.clone().count(), 11);
        for tag in boxes {
            let code = tag.get("value").expect("a value");
            let is_asked = asked.contains(&format!("kind={code}"));
            assert_eq!(tag.has("checked"), is_asked, "{asked}: {code}");
        }
    }
    // The language is chosen in between, and the boxes stay.
    let asked = format!("{at}?kind=calls&kind=visits");
    let chosen = agent.send(&asked, "language", &[("language", "ru")]).await;
    assert_eq!(chosen.location(), asked);
}

#[tokio::test]
async fn notes_are_written_pinned_and_removed_on_the_card() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    let mut agent = app.staff_as("petrov", "agent").await;
    let mut other = app.staff_as("ivanova", "agent").await;
    let at = card(&anna).await;
    let empty = agent.send(&at, "note.add", &[("body", " ")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(empty.message("note.add", "body"), "Напишите заметку");
    let sent = [("body", "Плохо слышит </textarea>"), ("pinned", "yes")];
    let noted = agent.send(&at, "note.add", &sent).await;
    noted.assert_leads_to(&format!("{at}?done=noted"));
    let page = other.get(&at).await;
    assert!(page.text().contains("Плохо слышит </textarea>") && page.text().contains("закреплена"));
    assert!(!page.body.contains("note.remove"), "it is not hers");
    let unpinned = put(&mut other, &at, "note.pin", &[]).await;
    unpinned.assert_leads_to(&format!("{at}?done=unpinned"));
    let removed = put(&mut agent, &at, "note.remove", &[]).await;
    removed.assert_leads_to(&format!("{at}?done=removed"));
    assert!(agent.get(&at).await.text().contains("Заметок нет."));
}

#[tokio::test]
async fn older_notes_are_reached_from_page_to_page() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    let mut agent = app.staff_as("petrov", "agent").await;
    let at = card(&anna).await;
    let seen = |page: &Reply| {
        let text = page.text();
        (0..45)
            .filter(|n| text.contains(&format!("заметка {n:02}.")))
            .collect::<Vec<_>>()
    };
    let way = |page: &Reply| {
        let all = tags(&page.body);
        let found = all
            .iter()
            .filter_map(|tag| tag.get("href"))
            .find(|href| href.contains("?notes="));
        found.map(|href| href.trim_end_matches("#notes").to_owned())
    };
    for n in 0..45 {
        let (body, pinned) = (format!("заметка {n:02}."), if n == 3 { "yes" } else { "" });
        agent
            .send(&at, "note.add", &[("body", body.as_str()), ("pinned", pinned)])
            .await;
    }
    let first = agent.get(&at).await;
    assert_eq!(
        seen(&first),
        [&[3][..], &(26..45).collect::<Vec<_>>()].concat(),
        "pinned first"
    );
    let back = format!("{at}#notes");
    assert!(!leads(&first, &back), "it is the beginning");
    let second = agent.get(&way(&first).expect("older ones")).await;
    assert_eq!(seen(&second), (6..26).collect::<Vec<_>>());
    assert!(leads(&second, &back), "{}", second.body);
    let third = agent.get(&way(&second).expect("older ones")).await;
    assert_eq!(seen(&third), [0, 1, 2, 4, 5]);
    assert_eq!(way(&third), None, "{}", third.body);
    // One that is on a later page is pinned from there.
    let from = way(&second).expect("older ones");
    put(&mut agent, &from, "note.pin", &[])
        .await
        .assert_leads_to(&format!("{at}?done=pinned"));
    assert_eq!(seen(&agent.get(&at).await)[..2], [3, 5]);
    for strange in ["1", "2_1_1", "0_1_x", "0_99_00000000-0000-0000-0000-000000000000"] {
        let page = agent.get(&format!("{at}?notes={strange}")).await;
        assert_eq!(page.status, StatusCode::OK, "{strange}");
    }
}

#[tokio::test]
async fn what_a_purchase_was_for_is_told_on_the_receipt() {
    let mut town = Town::new().await;
    town.app
        .execute("UPDATE purchases SET payments = 'cash certificate' WHERE document = 'A-1'")
        .await;
    let own = format!("/purchases/{}", town.purchase);
    let page = town.anna.get(&own).await;
    page.assert_says("Оплата: наличными, сертификатом");
    let told = town.anna.send(&own, "purchase.purpose", &[("purpose", "gift")]).await;
    told.assert_leads_to(&format!("{own}?done=purpose"));
    assert_eq!(
        town.anna.get(&own).await.form("purchase.purpose").get("purpose"),
        Some("gift")
    );
    let foreign = town.boris.send(&own, "purchase.purpose", &[("purpose", "gift")]).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    let at = format!("{}/purchases/{}", card(&town.anna).await, town.purchase);
    let page = town.agent.get(&at).await;
    page.assert_says("Оплата: наличными, сертификатом");
    assert_eq!(page.form("purchase.note_purpose").get("purpose"), Some("gift"));
    let wrong = town
        .agent
        .send(&at, "purchase.note_purpose", &[("seen", "gift"), ("purpose", "resale")])
        .await;
    assert_eq!(wrong.message("purchase.note_purpose", "purpose"), "Выберите из списка");
    let noted = town
        .agent
        .send(&at, "purchase.note_purpose", &[("seen", "gift"), ("purpose", "work")])
        .await;
    noted.assert_leads_to(&format!("{at}?done=purpose"));
    let page = town.anna.get("/profile/views").await.text();
    assert!(page.contains("Записано, для чего была ваша покупка"), "{page}");
}

/// Who may not open customers writes nothing about them either.
#[tokio::test]
async fn s17_talks_tasks_and_notes_take_the_right_to_customers() {
    let mut town = Town::new().await;
    let mut marketer = town.app.staff_as("mara", "marketer").await;
    let at = card(&town.anna).await;
    let entry = town.path("/admin/customers/{id}/talks/{talk}").await.expect("a sample");
    let id = uuid::Uuid::nil().to_string();
    let new = format!("{at}/talk");
    let changed = [
        ("seen", "0"),
        ("note", ""),
        ("outcome", "told"),
        ("channel", "visit"),
        ("minutes", ""),
        ("script", "free"),
    ];
    let task = [
        ("title", "x"),
        ("due", "2026-11-30"),
        ("owner", id.as_str()),
        ("request", ""),
    ];
    let ended = [("task", id.as_str()), ("seen", "0"), ("end", "done")];
    let handed = [("task", id.as_str()), ("seen", "0"), ("owner", ""), ("due", "")];
    let pinned = [("note", id.as_str()), ("pin", "true")];
    let noted = talk("told", "x");
    type Sent<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);
    let forms: [Sent<'_>; 8] = [
        (&new, "interaction.add", &noted),
        (&entry, "interaction.change", &changed),
        (&at, "task.add", &task),
        ("/admin/tasks", "task.end", &ended),
        ("/admin/tasks", "task.assign", &handed),
        (&at, "note.add", &[("body", "x")]),
        (&at, "note.pin", &pinned),
        (&at, "note.remove", &pinned[..1]),
    ];
    for (at, form, fields) in forms {
        assert_eq!(marketer.get(at).await.status, StatusCode::FORBIDDEN, "{at}");
        let reply = marketer.send(at, form, fields).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{form}: {}", reply.text());
    }
    for counted in [
        "SELECT COUNT(*) FROM tasks",
        "SELECT COUNT(*) FROM customer_notes",
        "SELECT COUNT(*) - 1 FROM interactions",
    ] {
        assert_eq!(town.app.count(counted).await, 0, "{counted}");
    }
    assert_eq!(town.agent.get(&entry).await.status, StatusCode::OK);
}
