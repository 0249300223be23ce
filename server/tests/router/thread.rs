//! What staff do at a request beside answering: links, requests that go together and apart, notes that name a colleague, drafts,
//! macros, single keys.

use crate::common::html::tags;
use crate::common::{BY, Browser, Reply, TestApp, Town, with};
use axum::http::StatusCode;
use chrono::Duration;
use crm::id::TierId;
use crm::lang::Localized;
use crm::rule::Window;
use crm::rule::tier::{Downgrade, Measure, Tier, Tiers, store as tiers};
use crm::testing::start;

/// Another request of Anna's; its number.
async fn another(town: &mut Town, text: &str) -> String {
    let sent = [("topic", "other"), ("text", text), ("purchase", "")];
    let reply = town.anna.send("/support/new", "request.create", &sent).await;
    let at = reply.location().split('?').next().expect("a path");
    at.rsplit('/').next().expect("a number").to_owned()
}

/// What a form of the page says that it has seen.
async fn seen(who: &mut Browser, at: &str, form: &str) -> String {
    let form = who.get(at).await.form(form);
    form.get("seen").expect("a field").to_owned()
}

#[tokio::test]
async fn requests_go_together_and_the_customer_reads_one_conversation() {
    let mut town = Town::new().await;
    let other = another(&mut town, "Другой вопрос").await;
    let (kept, desk) = (town.request.clone(), format!("/admin/requests/{}", town.request));
    let page = town.agent.get(&desk).await;
    page.assert_says("Присоединить другие обращения");
    let wrong = town.agent.send(&desk, "request.merge", &[]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.message("request.merge", "others"), "Заполните это поле");
    let merged = town.agent.send(&desk, "request.merge", &[("others[]", &other)]).await;
    merged.assert_leads_to(&format!("{desk}?done=merged"));

    let list = town.anna.get("/support").await;
    assert!(
        list.body.contains(&format!("href=\"/support/{kept}\"")),
        "{}",
        list.body
    );
    assert!(
        !list.body.contains(&format!("href=\"/support/{other}\"")),
        "{}",
        list.body
    );
    for number in [&kept, &other] {
        let thread = town.anna.get(&format!("/support/{number}")).await;
        for words in ["Где мои баллы?", "Другой вопрос", &format!("№ {kept}")] {
            assert!(thread.words().contains(words), "{words}: {}", thread.words());
        }
        let file = format!("/support/{kept}/files/");
        assert!(
            thread.body.contains(&file),
            "its files are still there: {}",
            thread.body
        );
        let staff = town.agent.get(&format!("/admin/requests/{number}")).await;
        assert!(staff.words().contains(&format!("из № {other}")), "{}", staff.words());
    }
    assert_eq!(
        town.boris.get(&format!("/support/{other}")).await.status,
        StatusCode::NOT_FOUND
    );
    // What is answered in the one that went is said in the one that is left.
    let said = town
        .anna
        .send(&format!("/support/{other}"), "request.answer", &[("text", "И вот ещё")])
        .await;
    assert_eq!(said.status, StatusCode::SEE_OTHER);
    assert!(town.agent.get(&desk).await.text().contains("И вот ещё"));

    let parted = town.agent.send(&desk, "request.part", &[("merged", &other)]).await;
    parted.assert_leads_to(&format!("{desk}?done=parted"));
    let thread = town.anna.get(&format!("/support/{other}")).await;
    assert!(!thread.text().contains("Где мои баллы?"), "{}", thread.text());
    let again = town.agent.send(&desk, "request.part", &[("merged", &other)]).await;
    assert_eq!(
        again.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "it says that it is too late"
    );
    town.agent.send(&desk, "request.merge", &[("others[]", &other)]).await;
    town.app
        .execute("UPDATE request_merges SET at = '2020-01-01T00:00:00+00:00'")
        .await;
    let late = town.agent.send(&desk, "request.part", &[("merged", &other)]).await;
    late.assert_says("прошло больше 14 дней");
    assert!(!late.body.contains("value=\"request.part\""), "and is offered no more");
}

#[tokio::test]
async fn a_message_begins_a_request_and_both_lead_to_each_other() {
    let mut town = Town::new().await;
    let (at, desk) = (
        format!("/support/{}", town.request),
        format!("/admin/requests/{}", town.request),
    );
    assert!(
        !town.agent.get(&desk).await.body.contains("request.split"),
        "the first stays"
    );
    town.app.world.clock.set(start() + Duration::minutes(5));
    town.anna
        .send(&at, "request.answer", &[("text", "А карта моя где?")])
        .await;
    let form = town.agent.get(&desk).await.form("request.split");
    let reply = town.agent.submit(&desk, &form).await;
    let there = reply.location().to_owned();
    assert!(there.ends_with("?done=split"), "{there}: {}", reply.text());
    let number = there
        .trim_start_matches("/admin/requests/")
        .split('?')
        .next()
        .expect("a number");
    let new = town.anna.get(&format!("/support/{number}")).await;
    assert!(
        new.text().contains("А карта моя где?") && new.body.contains(&format!("href=\"{at}\"")),
        "{}",
        new.text()
    );
    let old = town.anna.get(&at).await;
    assert!(!old.text().contains("А карта моя где?"), "{}", old.text());
    assert!(
        old.body.contains(&format!("href=\"/support/{number}\"")),
        "{}",
        old.body
    );
    assert!(town.agent.get(&desk).await.text().contains("Разделено"));
    let gone = town
        .agent
        .submit(&desk, &form.clone().with("_key", &"k".repeat(20)))
        .await;
    assert_eq!(gone.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(gone.text().contains("Обновите"), "it says why: {}", gone.text());
}

/// How many links the page of a request shows that can be taken away.
fn links(page: &Reply) -> usize {
    page.body.matches("value=\"request.unlink\"").count()
}

#[tokio::test]
async fn a_request_is_linked_with_another_one_a_receipt_and_a_line() {
    let mut town = Town::new().await;
    let other = another(&mut town, "Другой вопрос").await;
    let desk = format!("/admin/requests/{}", town.request);
    let wrong = [("bond", "related"), ("number", "999")];
    let wrong = town.agent.send(&desk, "request.link", &wrong).await;
    assert_eq!(
        wrong.message("request.link", "number"),
        "Под таким номером ничего нет. Проверьте его"
    );
    let right = [("bond", "duplicate"), ("number", other.as_str())];
    let linked = town.agent.send(&desk, "request.link", &right).await;
    linked.assert_leads_to(&format!("{desk}?done=linked"));
    let mirrored = town.agent.get(&format!("/admin/requests/{other}")).await;
    assert_eq!(links(&mirrored), 1, "{}", mirrored.text());

    let none = [("about", ""), ("document", ""), ("line", "")];
    let none = town.agent.send(&desk, "request.link_purchase", &none).await;
    assert_eq!(none.message("request.link_purchase", "about"), "Выберите из списка");
    let line = [("about", ""), ("document", "A-1"), ("line", "1")];
    let line = town.agent.send(&desk, "request.link_purchase", &line).await;
    line.assert_leads_to(&format!("{desk}?done=linked"));
    let receipt = town.purchase.clone();
    let whole = [("about", receipt.as_str()), ("document", ""), ("line", "")];
    town.agent.send(&desk, "request.link_purchase", &whole).await;
    let page = town.agent.get(&desk).await;
    for words in ["Строка чека", "Чайник", "чек № A-1", "Убрать связь"] {
        assert!(page.words().contains(words), "{words}: {}", page.words());
    }
    let form = page.form("request.unlink");
    let unlinked = town.agent.submit(&desk, &form).await;
    unlinked.assert_leads_to(&format!("{desk}?done=unlinked"));
    assert_eq!(
        links(&town.agent.get(&desk).await),
        2,
        "the line and the receipt are left"
    );
    assert_eq!(links(&town.agent.get(&format!("/admin/requests/{other}")).await), 0);
    let again = form.with("_key", &"k".repeat(20));
    let again = town.agent.submit(&desk, &again).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    again.assert_says("Этого здесь больше нет");
}

#[tokio::test]
async fn whom_a_note_names_sees_it_at_the_bell_and_in_the_inbox() {
    let mut town = Town::new().await;
    let desk = format!("/admin/requests/{}", town.request);
    let mut petrov = town.app.staff_as("petrov", "agent").await;
    let wrong = [("text", "@petrov и @sidorov, взгляните")];
    let wrong = town.agent.send(&desk, "request.note", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        wrong.message("request.note", "text").contains("«@sidorov» здесь нет"),
        "{}",
        wrong.text()
    );
    let note = "@petrov, взгляни <script>alert(1)</script>";
    let noted = town.agent.send(&desk, "request.note", &[("text", note)]).await;
    noted.assert_leads_to(&format!("{desk}?done=noted"));
    town.app.assert_row("request.note").await;
    let queue = petrov.get("/admin/requests").await;
    queue.assert_says("Уведомления, новых: 1");
    let inbox = petrov.get("/admin/inbox").await;
    inbox.assert_says(note);
    assert!(!inbox.body.contains("<script>alert"), "it is text");
    let link = tags(&inbox.body)
        .iter()
        .find_map(|tag| tag.get("href").filter(|href| href.contains("#m-")).map(str::to_owned));
    let link = link.expect("it leads to the note");
    let (page, mark) = link.split_once('#').expect("a mark");
    let page = petrov.get(page).await;
    assert!(page.body.contains(&format!("id=\"{mark}\"")), "{mark}: {}", page.body);
    assert!(!page.text().contains("Уведомления, новых"), "it was seen");
    assert!(
        town.agent
            .get("/admin/inbox")
            .await
            .text()
            .contains("Здесь появятся заметки")
    );
    let mut analyst = town.app.staff_as("nina", "analyst").await;
    assert_eq!(analyst.get("/admin/inbox").await.status, StatusCode::FORBIDDEN);
    let mut marketer = town.app.staff_as("mara", "marketer").await;
    marketer.get("/admin/inbox").await.assert_says("Здесь появятся заметки");
}

#[tokio::test]
async fn a_draft_is_shown_to_its_writer_alone_until_it_is_sent() {
    let mut town = Town::new().await;
    let desk = format!("/admin/requests/{}", town.request);
    let mut petrov = town.app.staff_as("petrov", "agent").await;
    let value = seen(&mut town.agent, &desk, "request.answer").await;
    let draft = [
        ("seen", value.as_str()),
        ("text", "Они </textarea> придут"),
        ("act", "keep"),
    ];
    let kept = town.agent.send(&desk, "request.answer", &draft).await;
    kept.assert_leads_to(&format!("{desk}?done=kept"));
    let text = async |who: &mut Browser| {
        who.get(&desk)
            .await
            .form("request.answer")
            .get("text")
            .map(str::to_owned)
    };
    assert_eq!(text(&mut town.agent).await.as_deref(), Some("Они </textarea> придут"));
    assert_eq!(text(&mut petrov).await.as_deref(), Some(""), "nobody else's");
    let thread = town.anna.get(&format!("/support/{}", town.request)).await;
    assert!(!thread.body.contains("придут"), "nothing was sent");
    let note = [("text", "Спросить склад"), ("act", "keep")];
    town.agent.send(&desk, "request.note", &note).await;
    let page = town.agent.get(&desk).await;
    assert_eq!(page.form("request.note").get("text"), Some("Спросить склад"));
    let long = "я".repeat(4001);
    let long = [("seen", value.as_str()), ("text", long.as_str()), ("act", "keep")];
    let long = town.agent.send(&desk, "request.answer", &long).await;
    assert_eq!(long.status, StatusCode::UNPROCESSABLE_ENTITY);
    let sent = [("seen", value.as_str()), ("text", "Они придут")];
    let sent = town.agent.send(&desk, "request.answer", &sent).await;
    sent.assert_leads_to(&format!("{desk}?done=answered"));
    assert_eq!(text(&mut town.agent).await.as_deref(), Some(""));
    assert_eq!(
        town.app.count("SELECT COUNT(*) FROM request_drafts").await,
        1,
        "the note is still written"
    );
}

#[tokio::test]
async fn of_two_who_take_a_request_at_once_one_has_it() {
    let town = Town::new().await;
    let desk = format!("/admin/requests/{}", town.request);
    let mut petrov = town.app.staff_as("petrov", "agent").await;
    let mut sidorov = town.app.staff_as("sidorov", "agent").await;
    let form = petrov.get(&desk).await.form("request.assign");
    let from = form.get("from").expect("a field").to_owned();
    let taken = petrov.send(&desk, "request.assign", &[("from", from.as_str())]).await;
    taken.assert_leads_to(&format!("{desk}?done=assigned"));
    let late = sidorov.send(&desk, "request.assign", &[("from", from.as_str())]).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("обращение изменилось");
    assert!(late.text().contains("petrov"), "it says whose it is: {}", late.text());
    // Whoever has read that may take it over, and the one who had it cannot hand it back by what they read before.
    let now = late.form("request.assign").get("from").expect("a field").to_owned();
    let over = sidorov.send(&desk, "request.assign", &[("from", now.as_str())]).await;
    over.assert_leads_to(&format!("{desk}?done=assigned"));
    let back = petrov.send(&desk, "request.unassign", &[("from", now.as_str())]).await;
    assert_eq!(back.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn what_a_customer_is_to_the_shop_stands_beside_their_request() {
    let mut town = Town::new().await;
    let second = another(&mut town, "Другой вопрос").await;
    let desk = format!("/admin/requests/{second}");
    let club = town.app.club().await;
    let silver = Tier {
        id: TierId(uuid::Uuid::from_u128(1)),
        name: Localized::new("Серебро", "Silver"),
        threshold: 1_00,
    };
    let is = Tiers {
        measure: Measure::Sum,
        window: Window::Ever,
        downgrade: Downgrade::Earned,
        grace: None,
        tiers: vec![silver],
    };
    tiers::publish_by_system(&town.app.world.db, &BY, club, &is, None)
        .await
        .expect("published");
    let card = format!("/admin/customers/{}", town.anna.id().await);
    let figures = town.agent.get(&card).await.words();
    let (_, sum) = figures.split_once(" за 12 месяцев ").expect("a figure");
    let (sum, _) = sum.split_once(" ₽").expect("a sum");
    let page = town.agent.get(&desk).await;
    let value = format!(" за 12 месяцев: {sum} ₽");
    for words in [value.as_str(), "Открытые обращения: 2", "Серебро"] {
        assert!(page.words().contains(words), "{words}: {}", page.words());
    }
    // Whoever may open no cards reads none of it; the request they do.
    town.app
        .execute("INSERT INTO roles (code, name, rights, position) VALUES ('clerk', '{}', '[\"requests\"]', 9)")
        .await;
    let mut clerk = town.app.staff_as("petrov", "clerk").await;
    let page = clerk.get(&desk).await;
    page.assert_says("Другой вопрос");
    for words in ["за 12 месяцев", "Открытые обращения", "Серебро"] {
        assert!(!page.words().contains(words), "{words}: {}", page.words());
    }
}

/// What a form of a macro sends.
fn prepared<'a>(key: &'a str, answer: &'a str, sends: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("key", key),
        ("name", "Ответ про баллы"),
        ("shared", "yes"),
        ("answer_ru", answer),
        ("answer_en", ""),
        ("sends", sends),
        ("status", "closed"),
        ("assign", "me"),
    ]
}

#[tokio::test]
async fn a_macro_is_written_shown_and_carried_out() {
    let mut town = Town::new().await;
    let desk = format!("/admin/requests/{}", town.request);
    let answer = "Здравствуйте, {{customer.name}}! № {{request.number}}, {{points.balance}}. {{agent.name}}";
    let wrong = prepared("points", "{{customer.phone}}", "");
    let wrong = town.agent.send("/admin/macros", "macro.create", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        wrong.message("macro.create", "answer_ru").contains("«customer.phone»"),
        "{}",
        wrong.text()
    );
    let created = town
        .agent
        .send("/admin/macros", "macro.create", &prepared("points", answer, ""))
        .await;
    let at = created.location().split('?').next().expect("a path").to_owned();
    let page = town.agent.get(&at).await;
    assert!(
        page.words().contains("Здравствуйте, Анна! № 1024, 1 248. agent"),
        "{}",
        page.words()
    );

    // Who has no right to what is everybody's sees it, and changes nothing.
    let mut petrov = town.app.staff_as("petrov", "agent").await;
    assert!(!petrov.get(&at).await.body.contains("macro.change"));
    let theirs = with(prepared("mine", "", ""), &[("seen", "1")]);
    let refused = petrov.send(&at, "macro.change", &theirs).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    petrov.send(&at, "macro.remove", &[]).await;
    assert!(
        petrov.get(&at).await.text().contains("points"),
        "it is still there, as it was"
    );

    // Into the field: the customer reads nothing yet.
    let menu = petrov.get(&desk).await;
    let filled = format!("Здравствуйте, Анна! № {},", town.request);
    assert!(menu.words().contains(&filled), "as it would be here: {}", menu.words());
    let id = at.rsplit('/').next().expect("an id").to_owned();
    let value = seen(&mut petrov, &desk, "request.macro").await;
    let run = [("seen", value.as_str()), ("id", id.as_str())];
    let ran = petrov.send(&desk, "request.macro", &run).await;
    ran.assert_leads_to(&format!("{desk}?done=macro"));
    let page = petrov.get(&desk).await;
    let form = page.form("request.answer");
    let text = form.get("text").expect("a field");
    assert!(text.starts_with(&filled) && text.ends_with(". petrov"), "{text}");
    assert!(page.text().contains("Открыть снова"), "it was closed: {}", page.text());
    let thread = town.anna.get(&format!("/support/{}", town.request)).await;
    assert!(!thread.text().contains("petrov"), "{}", thread.text());
    let told = town.anna.get("/notifications").await.text().replace('\u{a0}', " ");
    let closed = format!("Обращение № {} закрыто", town.request);
    assert!(told.contains(&closed), "as by hand, she is told: {told}");
    let late = town.agent.send(&desk, "request.macro", &run).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY, "it moved on meanwhile");

    // Sent at once.
    let read = seen(&mut town.agent, &at, "macro.change").await;
    let new = prepared("points", "Готово, {{customer.name}}", "yes");
    let sorting = [
        ("seen", read.as_str()),
        ("priority", "urgent"),
        ("tags", "Баллы, VIP"),
        ("untags", "никогда"),
    ];
    let new = with(new, &sorting);
    let changed = town.agent.send(&at, "macro.change", &new).await;
    changed.assert_leads_to(&format!("{at}?done=changed"));
    let late = town.agent.send(&at, "macro.change", &new).await;
    assert_eq!(
        late.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "it is another one by now"
    );
    let page = town.agent.get(&at).await;
    let form = page.form("macro.change");
    assert_eq!(
        (form.get("priority"), form.get("tags"), form.get("untags")),
        (Some("urgent"), Some("vip, баллы"), Some("никогда"))
    );
    let does = "приоритет: срочный, ставит метки #vip #баллы, снимает метки #никогда";
    assert!(page.words().contains(does), "{}", page.words());
    let value = seen(&mut town.agent, &desk, "request.macro").await;
    let run = [("seen", value.as_str()), ("id", id.as_str())];
    let sent = town.agent.send(&desk, "request.macro", &run).await;
    sent.assert_leads_to(&format!("{desk}?done=answered"));
    let form = town.agent.get(&desk).await.form("request.sort");
    assert_eq!(
        (form.get("priority"), form.get("tags")),
        (Some("urgent"), Some("vip, баллы"))
    );
    let thread = town.anna.get(&format!("/support/{}", town.request)).await;
    thread.assert_says("Готово, Анна");
    let removed = town.agent.send(&at, "macro.remove", &[]).await;
    removed.assert_leads_to("/admin/macros?done=removed");
    assert_eq!(town.agent.get(&at).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_macro_gives_a_request_to_a_colleague_or_a_queue_with_another_topic() {
    let mut town = Town::new().await;
    let desk = format!("/admin/requests/{}", town.request);
    let mut petrov = town.app.staff_as("petrov", "agent").await;
    let list = town.agent.get("/admin/macros").await;
    list.assert_says("передаёт в очередь «Платежи»");
    list.assert_says("передаёт обращение: petrov");
    let choice = |words: &str| {
        let all = tags(&list.body);
        let found = all.iter().find(|tag| tag.name == "option" && tag.text.trim() == words);
        let value = found.and_then(|tag| tag.get("value")).unwrap_or_default().to_owned();
        assert!(!value.is_empty(), "{words}: {}", list.text());
        value
    };
    let (to_petrov, to_queue) = (
        &choice("передаёт обращение: petrov"),
        &choice("передаёт в очередь «Платежи»"),
    );
    let topic = &choice("Карта");
    let made_up = "agent:00000000-0000-0000-0000-000000000000";
    fn of<'a>(key: &'a str, assign: &'a str, topic: &'a str) -> Vec<(&'a str, &'a str)> {
        with(
            prepared(key, "", ""),
            &[("assign", assign), ("topic", topic), ("status", "")],
        )
    }
    let wrong = town
        .agent
        .send("/admin/macros", "macro.create", &of("wrong", "", "none"))
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.text());
    assert_eq!(wrong.message("macro.create", "topic"), "Выберите из списка");
    let wrong = town
        .agent
        .send("/admin/macros", "macro.create", &of("wrong", made_up, ""))
        .await;
    assert_eq!(wrong.message("macro.create", "assign"), "Выберите из списка");

    let run = async |town: &mut Town, at: &str| {
        let id = at.rsplit('/').next().expect("an id").to_owned();
        let value = seen(&mut town.agent, &desk, "request.macro").await;
        let run = [("seen", value.as_str()), ("id", id.as_str())];
        let ran = town.agent.send(&desk, "request.macro", &run).await;
        ran.assert_leads_to(&format!("{desk}?done=macro"));
    };
    let create = async |town: &mut Town, form: Vec<(&str, &str)>| {
        let created = town.agent.send("/admin/macros", "macro.create", &form).await;
        created.location().split('?').next().expect("a path").to_owned()
    };
    let give = create(&mut town, of("give", to_petrov, topic)).await;
    let page = town.agent.get(&give).await;
    let form = page.form("macro.change");
    let chosen = (form.get("assign"), form.get("topic"));
    assert_eq!(chosen, (Some(to_petrov.as_str()), Some(topic.as_str())));
    page.assert_says("передаёт обращение: petrov");
    run(&mut town, &give).await;
    let page = town.agent.get(&desk).await;
    page.assert_says("Отвечает petrov");
    assert_eq!(page.form("request.sort").get("topic"), Some("card"));
    petrov
        .get("/admin/inbox")
        .await
        .assert_says(&format!("Вам передали обращение № {}", town.request));

    let put = create(&mut town, of("put", to_queue, "")).await;
    run(&mut town, &put).await;
    let page = town.agent.get(&desk).await;
    page.assert_says("Никто не отвечает");
    page.assert_says("Платежи");
}

#[tokio::test]
async fn a_macro_has_a_digit_and_the_page_says_so() {
    let mut town = Town::new().await;
    let desk = format!("/admin/requests/{}", town.request);
    let with_digit = |key: &'static str, digit: &'static str, sends: &'static str| {
        with(prepared(key, "Ответ", sends), &[("digit", digit)])
    };
    let wrong = town
        .agent
        .send("/admin/macros", "macro.create", &with_digit("points", "0", ""))
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!wrong.message("macro.create", "digit").is_empty(), "{}", wrong.text());
    let created = town
        .agent
        .send("/admin/macros", "macro.create", &with_digit("points", "4", ""))
        .await;
    let at = created.location().split('?').next().expect("a path").to_owned();
    let page = town.agent.get(&at).await;
    assert_eq!(page.form("macro.change").get("digit"), Some("4"));
    assert!(
        !page.text().contains("4, занята"),
        "not by another one: {}",
        page.text()
    );
    let list = town.agent.get("/admin/macros").await;
    list.assert_says("4, занята: Ответ про баллы (общий)");
    assert!(list.body.contains("<kbd>4</kbd>"), "{}", list.body);
    let taken = town
        .agent
        .send("/admin/macros", "macro.create", &with_digit("other", "4", ""))
        .await;
    assert_eq!(taken.status, StatusCode::UNPROCESSABLE_ENTITY);
    let message = taken.message("macro.create", "digit");
    assert!(message.contains("«Ответ про баллы»"), "{message}");
    let other = with_digit("other", "5", "yes");
    let sent = town.agent.send("/admin/macros", "macro.create", &other).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text());

    // The button of the menu says which key presses it, and the sheet names each with what is pressed for it.
    let buttons = |page: &Reply| {
        tags(&page.body)
            .iter()
            .filter_map(|tag| Some((tag.get("aria-keyshortcuts")?.to_owned(), tag.has("data-sends"))))
            .filter(|(keys, _)| keys.chars().all(|c| c.is_ascii_digit()))
            .collect::<Vec<_>>()
    };
    let page = town.agent.get(&desk).await;
    let mut shown = buttons(&page);
    shown.sort();
    assert_eq!(shown, [("4".to_owned(), false), ("5".to_owned(), true)]);
    // Once in the menu, and once in the sheet; in the sheet Enter opens a request as well.
    for (keys, times) in [("4", 2), ("5", 2), ("Enter", 3)] {
        let shown = page.body.matches(&format!("<kbd>{keys}</kbd>")).count();
        assert_eq!(shown, times, "{keys}: {}", page.body);
    }
    let sheet = town.agent.get("/admin/keys").await;
    sheet.assert_says("Ответ про баллы");
    // Somebody's own goes before everybody's, for them alone.
    let mut petrov = town.app.staff_as("petrov", "agent").await;
    let own = with(with_digit("own", "5", ""), &[("shared", "")]);
    let sent = petrov.send("/admin/macros", "macro.create", &own).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text());
    let mut theirs = buttons(&petrov.get(&desk).await);
    theirs.sort();
    assert_eq!(theirs, [("4".to_owned(), false), ("5".to_owned(), false)]);
    // Whoever has switched single keys off is promised none.
    town.agent.send("/admin/keys", "keys.switch", &[("on", "no")]).await;
    let page = town.agent.get(&desk).await;
    page.assert_says("Ответ про баллы");
    assert!(buttons(&page).is_empty(), "{}", page.body);
    assert!(!page.body.contains("<kbd>4</kbd>"), "{}", page.body);
}

#[tokio::test]
async fn single_keys_are_listed_and_can_be_switched_off() {
    let app = TestApp::new().await;
    let mut agent = app.staff_as("petrov", "agent").await;
    let page = agent.get("/admin/keys").await;
    for words in [
        "взять себе",
        "закрыть обращение",
        "к очереди",
        "выполнить макрос с этой цифрой",
        "отметить в списке",
        "вернуть в ничьи",
        "к просроченным обращениям",
        "к делам",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    // Nobody is promised a place that they may not open.
    app.execute("INSERT INTO roles (code, name, rights, position) VALUES ('clerk', '{\"ru\":\"\",\"en\":\"\"}', '[\"requests\"]', 9)")
        .await;
    let mut clerk = app.staff_as("clerk", "clerk").await;
    let page = clerk.get("/admin/keys").await;
    assert!(
        page.body.contains("data-go=\"i\"") && !page.body.contains("data-go=\"t\""),
        "{}",
        page.text()
    );
    let queue = agent.get("/admin/requests").await;
    assert!(queue.body.contains("<dialog") && queue.body.contains("src=\"/desk.js\""));
    assert!(queue.body.contains("data-find=\"\""), "the one of the search");
    let off = agent.send("/admin/keys", "keys.switch", &[("on", "no")]).await;
    off.assert_leads_to("/admin/keys?done=off");
    let queue = agent.get("/admin/requests").await;
    assert!(!queue.body.contains("<dialog") && !queue.body.contains("/desk.js"));
    assert!(queue.body.contains("id=\"bar-find\"") && !queue.body.contains("data-find"));
    assert!(
        queue.body.contains("src=\"/find.js\""),
        "Escape closes a menu all the same"
    );
    assert!(!queue.body.contains("aria-keyshortcuts=\"/\""), "nothing promises it");
    let mut other = app.staff_as("sidorov", "agent").await;
    assert!(
        other.get("/admin/requests").await.body.contains("<dialog"),
        "each for themselves"
    );
    let on = agent.send("/admin/keys", "keys.switch", &[("on", "yes")]).await;
    on.assert_leads_to("/admin/keys?done=on");
    assert!(agent.get("/admin/requests").await.body.contains("<dialog"));
    let mut marketer = app.staff_as("mara", "marketer").await;
    assert_eq!(marketer.get("/admin/keys").await.status, StatusCode::FORBIDDEN);
}
