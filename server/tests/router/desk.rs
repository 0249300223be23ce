//! The desk of support: queues as a lead sets them up, many requests at once and the way back, filters that are kept, tags, and
//! the search.

use crate::common::html::{Tag, forms, tags};
use crate::common::{BY, Browser, Customer, PNG, Reply, TestApp, Town};
use axum::http::StatusCode;
use chrono::Duration;
use crm::who::Token;

const LIST: &str = "/admin/requests";

/// Writes a request; its number.
async fn ask(who: &mut Customer, topic: &str, text: &str) -> String {
    let sent = [("topic", topic), ("text", text), ("purchase", "")];
    let reply = who.send("/support/new", "request.create", &sent).await;
    let at = reply.location().to_owned();
    let path = at.split('?').next().and_then(|path| path.rsplit('/').next());
    path.filter(|number| !number.is_empty())
        .unwrap_or_else(|| panic!("{}", reply.text()))
        .to_owned()
}

/// Narrows the list to words.
async fn find(who: &mut Browser, words: &str) -> Reply {
    let fields = [("status", "all"), ("assignee", ""), ("topic", ""), ("q", words)];
    let found = who.send(LIST, "request.find", &fields).await;
    assert_eq!(found.status, StatusCode::SEE_OTHER, "{}", found.text());
    who.get(found.location()).await
}

/// What the list says of when it was shown.
async fn seen(who: &mut Browser, at: &str) -> String {
    let form = who.get(at).await.form("request.bulk");
    form.get("seen").expect("it says what was seen").to_owned()
}

/// Does something with these requests, as who sees them as they are now.
async fn change(who: &mut Browser, numbers: &[&str], fields: &[(&str, &str)]) -> Reply {
    let seen = seen(who, "/admin/requests?status=all").await;
    let chosen = numbers.iter().map(|number| ("numbers[]", *number));
    let sent: Vec<_> = chosen
        .chain(fields.iter().copied())
        .chain([("seen", seen.as_str())])
        .collect();
    who.send(LIST, "request.bulk", &sent).await
}

#[tokio::test]
async fn many_requests_change_at_once_and_go_back_within_a_minute() {
    let mut town = Town::new().await;
    let first = town.request.clone();
    let second = ask(&mut town.anna, "card", "Где карта?").await;
    let third = ask(&mut town.anna, "card", "И ещё").await;
    let agent = &mut town.agent;
    let page = agent.get(LIST).await;
    page.assert_says("Изменить отмеченные");

    // Nothing chosen, nothing to do, and what cannot be: each says so, and what was typed is still there.
    let nothing = change(agent, &[], &[("tag", "Доставка")]).await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        nothing.message("request.bulk", "numbers"),
        "Отметьте хотя бы одно обращение"
    );
    assert_eq!(nothing.form("request.bulk").get("tag"), Some("Доставка"));
    let idle = change(agent, &[&first], &[]).await;
    assert_eq!(idle.message("request.bulk", "acts"), "Выберите, что изменить");
    let is_ticked = |tag: &Tag| tag.get("value") == Some(first.as_str()) && tag.has("checked");
    assert!(tags(&idle.body).iter().any(is_ticked), "its box is still ticked");
    let wrong = change(agent, &[&first], &[("priority", "asap")]).await;
    assert_eq!(wrong.message("request.bulk", "priority"), "Выберите из списка");

    let all = [first.as_str(), second.as_str(), third.as_str()];
    let fields = [
        ("status", "closed"),
        ("priority", "urgent"),
        ("tag", "Доставка"),
        ("assignee", "me"),
    ];
    let done = change(agent, &all, &fields).await;
    let at = done.location().to_owned();
    assert!(
        at.starts_with("/admin/requests?done=bulk&bulk="),
        "{at}: {}",
        done.text()
    );
    let told = agent.get(&at).await;
    told.assert_says("Изменено 3 обращения.");
    let state = "SELECT status || ' ' || priority || ' ' || (assignee_id IS NOT NULL) || ' ' || COALESCE((SELECT tag FROM \
                 request_tags WHERE request_id = requests.id), '') FROM requests ORDER BY number";
    assert_eq!(town.app.texts(state).await, ["closed urgent 1 доставка"; 3]);
    // Somebody else is told nothing of it, and cannot undo it.
    let mut other = town.app.staff_as("petrov", "agent").await;
    assert!(!other.get(&at).await.text().contains("Изменено"));
    let undo = told.form("request.undo");
    let refused = other
        .submit(&at, &undo.clone().with("_key", Token::random().secret()))
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text());
    // One of them moves on, and stays so.
    let reopened = town
        .anna
        .send(&format!("/support/{second}"), "request.reopen", &[])
        .await;
    assert_eq!(reopened.status, StatusCode::SEE_OTHER, "{}", reopened.text());
    let undone = town.agent.submit(&at, &undo).await;
    assert!(
        undone.location().ends_with("restored=2&kept=1"),
        "{}",
        undone.location()
    );
    let told = town.agent.get(undone.location()).await.text();
    assert!(told.contains("Вернули как было 2 обращения."), "{told}");
    assert!(told.contains("1 обращение успели изменить"), "{told}");
    assert_eq!(
        town.app.texts(state).await,
        ["new normal 0 ", "open urgent 1 доставка", "new normal 0 "]
    );

    // The same again is no change, and says so by number; after a minute there is no way back.
    let again = change(&mut town.agent, &[&second], &[("priority", "urgent")]).await;
    let told = town.agent.get(again.location()).await.text();
    assert!(told.contains("Изменено 0 обращений."), "{told}");
    assert!(told.contains(&format!("Уже так: № {second}")), "{told}");
    let late = change(&mut town.agent, &[&first], &[("priority", "low")]).await;
    let at = late.location().to_owned();
    let undo = town.agent.get(&at).await.form("request.undo");
    town.app
        .world
        .clock
        .set(town.app.world.db.now() + Duration::seconds(61));
    assert!(!town.agent.get(&at).await.body.contains("request.undo"));
    let late = town.agent.submit(&at, &undo).await;
    late.assert_says("Отменить уже нельзя");
    assert_eq!(
        town.app
            .count("SELECT COUNT(*) FROM audit WHERE action IN ('request.bulk', 'request.bulk_undo')")
            .await,
        4
    );
}

#[tokio::test]
async fn all_that_the_filter_finds_changes_with_one_tick() {
    let mut town = Town::new().await;
    ask(&mut town.anna, "card", "Про варежки").await;
    ask(&mut town.anna, "card", "И снова варежки").await;
    let page = find(&mut town.agent, "варежк").await;
    let at = page.path.clone();
    let shown = seen(&mut town.agent, &at).await;
    let sent = [("all", "yes"), ("tag", "зима"), ("seen", shown.as_str())];
    let done = town.agent.send(&at, "request.bulk", &sent).await;
    let told = town.agent.get(done.location()).await.text();
    assert!(told.contains("Изменено 2 обращения."), "{told}");
    assert_eq!(
        town.app
            .count("SELECT COUNT(*) FROM request_tags WHERE tag = 'зима'")
            .await,
        2
    );
    // Where what was looked for is known no more, all of it is not everything there is.
    let mut vera = town.app.staff_as("vera", "agent").await;
    for at in [at.as_str(), "/admin/requests?status=all&topic=gone"] {
        let sent = [("all", "yes"), ("tag", "лето"), ("seen", shown.as_str())];
        let lost = vera.send(at, "request.bulk", &sent).await;
        assert_eq!(lost.status, StatusCode::UNPROCESSABLE_ENTITY, "{at}: {}", lost.text());
        assert!(lost.text().contains("здесь всё изменилось"), "{at}: {}", lost.text());
    }
    assert_eq!(
        town.app
            .count("SELECT COUNT(*) FROM request_tags WHERE tag = 'лето'")
            .await,
        0
    );
}

#[tokio::test]
async fn whoever_was_quicker_in_the_list_is_overwritten_by_nobody() {
    let mut town = Town::new().await;
    let number = town.request.clone();
    let mut vera = town.app.staff_as("vera", "agent").await;
    let whose = "SELECT s.login FROM requests r JOIN staff s ON s.id = r.assignee_id";
    let refused = format!("Изменились, пока вы смотрели список: № {number}");
    // Both look at the list, and both take it.
    let theirs = town.agent.get(LIST).await.form("request.bulk");
    let hers = vera.get(LIST).await.form("request.bulk");
    let done = vera
        .submit(LIST, &hers.with("numbers[]", &number).with("assignee", "me"))
        .await;
    vera.get(done.location()).await.assert_says("Изменено 1 обращение.");
    let late = town
        .agent
        .submit(LIST, &theirs.with("numbers[]", &number).with("assignee", "me"))
        .await;
    let told = town.agent.get(late.location()).await.text();
    assert!(
        told.contains("Изменено 0 обращений.") && told.contains(&refused),
        "{told}"
    );
    assert_eq!(town.app.texts(whose).await, ["vera"]);

    // Of all that is found nothing is changed either that changed since, or came in.
    let hers = vera.get(LIST).await.form("request.bulk");
    ask(&mut town.anna, "card", "Где карта?").await;
    let agents = change(&mut town.agent, &[&number], &[("priority", "urgent")]).await;
    assert_eq!(agents.status, StatusCode::SEE_OTHER, "{}", agents.text());
    let late = vera
        .submit(LIST, &hers.with("all", "yes").with("priority", "low"))
        .await;
    let told = vera.get(late.location()).await.text();
    assert!(
        told.contains("Изменено 0 обращений.") && told.contains(&refused),
        "{told}"
    );
    let low = "SELECT COUNT(*) FROM requests WHERE priority = 'low'";
    assert_eq!(town.app.count(low).await, 0);

    // Who sees whose it is may take it, and who had it is told.
    change(&mut town.agent, &[&number], &[("assignee", "me")]).await;
    assert!(!town.app.texts(whose).await.contains(&"vera".to_owned()));
    vera.get("/admin/inbox")
        .await
        .assert_says(&format!("Обращение № {number} больше не ваше"));
}

#[tokio::test]
async fn a_shift_ends_with_the_session() {
    let mut town = Town::new().await;
    for sql in [
        "UPDATE queues SET mode = 'round_robin'",
        "UPDATE topics SET queue_id = (SELECT id FROM queues)",
    ] {
        town.app.execute(sql).await;
    }
    let id = town.app.employ_as("vera", "agent").await;
    let given = crm::factor::store::give_totp(&town.app.world.db, &BY, id).await;
    let secret = given.expect("a second factor");
    town.app
        .execute(
            "INSERT INTO queue_agents (queue_id, staff_id, capacity) \
             SELECT q.id, s.id, 9 FROM queues q, staff s WHERE s.login = 'vera'",
        )
        .await;
    let mut vera = town.app.enter("vera", &secret).await;
    let given = "SELECT COUNT(*) FROM requests WHERE assignee_id IS NOT NULL";
    let page = vera.get(LIST).await;
    let here = vera.submit(LIST, &page.form("queue.presence")).await;
    vera.get(here.location()).await.assert_says("пока вы не выйдете");
    ask(&mut town.anna, "card", "Потеряла карту").await;
    assert_eq!(town.app.count(given).await, 1);
    vera.send("/admin/sign-in", "staff_sign_out", &[]).await;
    ask(&mut town.anna, "card", "И ещё одну").await;
    assert_eq!(town.app.count(given).await, 1, "nobody is there");
    // The next shift begins when she says so.
    let clock = &town.app.world.clock;
    clock.set(town.app.world.db.now() + Duration::minutes(1));
    let mut vera = town.app.enter("vera", &secret).await;
    vera.get(LIST).await.assert_says("Обращения по очереди вы не берёте");
    ask(&mut town.anna, "card", "И третью").await;
    assert_eq!(town.app.count(given).await, 1);
    // Another device of hers changes nothing of it.
    let page = vera.get(LIST).await;
    vera.submit(LIST, &page.form("queue.presence")).await;
    let clock = &town.app.world.clock;
    clock.set(town.app.world.db.now() + Duration::minutes(1));
    let mut other = town.app.enter("vera", &secret).await;
    other.get(LIST).await.assert_says("Обращения по очереди вы берёте");
}

#[tokio::test]
async fn a_lead_sets_queues_up_and_an_agent_works_by_them() {
    let mut town = Town::new().await;
    let mut vera = town.app.staff_as("vera", "agent").await;
    for at in ["/admin/queues", "/admin/tags"] {
        assert_eq!(vera.get(at).await.status, StatusCode::FORBIDDEN, "{at}");
        assert!(!vera.get(LIST).await.body.contains(at), "{at}");
        assert!(town.agent.get(LIST).await.body.contains(at), "{at}");
    }
    let lead = &mut town.agent;
    let fields = [("key", "lost cards"), ("name_ru", "Карты"), ("name_en", "Cards")];
    let wrong = lead.send("/admin/queues", "queue.create", &fields).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let created = lead
        .send(
            "/admin/queues",
            "queue.create",
            &[fields[1], fields[2], ("key", "cards")],
        )
        .await;
    let at = created.location().replace("?done=created", "");
    assert!(at.starts_with("/admin/queues/"), "{}", created.text());

    let page = lead.get(&at).await;
    assert_eq!(page.form("queue.change").get("mode"), Some("by_hand"));
    let seen = page.form("queue.change").get("seen").expect("a field").to_owned();
    // Without the box that lets customers close.
    let fields = [
        ("seen", seen.as_str()),
        ("name_ru", "Карты"),
        ("name_en", "Cards"),
        ("mode", "round_robin"),
        ("close_by", "lead"),
        ("reopen_by", "anyone"),
        ("steps[]", "new-open"),
        ("steps[]", "open-closed"),
        ("reopen_days", "2"),
    ];
    let wrong: Vec<_> = fields[..8].iter().copied().chain([("reopen_days", "скоро")]).collect();
    let wrong = lead.send(&at, "queue.change", &wrong).await;
    assert!(
        wrong.message("queue.change", "reopen_days").contains("Напишите число"),
        "{}",
        wrong.text()
    );
    let changed = lead.send(&at, "queue.change", &fields).await;
    changed.assert_leads_to(&format!("{at}?done=changed"));
    let late = lead.send(&at, "queue.change", &fields).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY, "somebody was quicker");
    assert_eq!(lead.get(&at).await.form("queue.change").get("reopen_days"), Some("2"));
    let ids = town
        .app
        .texts("SELECT lower(hex(id)) FROM staff WHERE login = 'vera'")
        .await;
    let id = uuid::Uuid::parse_str(&ids[0]).expect("an id").to_string();
    let lead = &mut town.agent;
    let wrong = lead
        .send(
            &at,
            "queue.agent",
            &[("seen", ""), ("agent", &id), ("capacity", "много")],
        )
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.text());
    let named = lead
        .send(&at, "queue.agent", &[("seen", ""), ("agent", &id), ("capacity", "1")])
        .await;
    named.assert_leads_to(&format!("{at}?done=agent"));
    let topics = forms(&lead.get("/admin/queues").await.body);
    let mut topics = topics.iter().filter(|form| form.name == "queue.topic");
    let form = topics.next().expect("a form").clone();
    assert!(topics.next().is_none(), "one for all topics");
    let ids = town
        .app
        .texts("SELECT lower(hex(id)) FROM topics WHERE code = 'card'")
        .await;
    let card = uuid::Uuid::parse_str(&ids[0]).expect("an id");
    let (of_queue, of_priority) = (format!("queue[t{card}]"), format!("priority[t{card}]"));
    let lead = &mut town.agent;
    let queue = at.rsplit('/').next().expect("an id").to_owned();
    for nonsense in ["x".to_owned(), uuid::Uuid::nil().to_string()] {
        let wrong = lead
            .submit("/admin/queues", &form.clone().with(&of_queue, &nonsense))
            .await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{nonsense}");
        assert!(!wrong.message("queue.topic", &of_queue).is_empty(), "{}", wrong.text());
    }
    let set = form.clone().with(&of_queue, &queue).with(&of_priority, "high");
    let set = lead.submit("/admin/queues", &set).await;
    set.assert_leads_to("/admin/queues?done=topic");
    // Whoever sees it as it was and changes it as well overwrites nothing.
    let late = form.clone().with(&of_priority, "urgent");
    let late = late.with("_key", Token::random().secret());
    let late = lead.submit("/admin/queues", &late).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", late.text());
    late.assert_says("Последнее изменение здесь:");
    // Whoever sees it as it was and changes another topic leaves this one alone.
    let changed = "SELECT COUNT(*) FROM audit WHERE action = 'queue.topic'";
    let own = form.fields.iter().filter(|(name, _)| !name.starts_with('_'));
    let own: Vec<_> = own.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let set = lead.send("/admin/queues", "queue.topic", &own).await;
    set.assert_leads_to("/admin/queues?done=topic");
    assert_eq!(
        town.app.count(changed).await,
        1,
        "and nothing is written of what did not change"
    );

    // Nobody is there yet; then Vera is, and takes one.
    let first = ask(&mut town.anna, "card", "Потеряла карту").await;
    let page = vera.get(LIST).await;
    page.assert_says("Обращения по очереди вы не берёте");
    let here = vera.submit(LIST, &page.form("queue.presence")).await;
    here.assert_leads_to("/admin/requests?done=present");
    town.app.assert_row("queue.presence").await;
    let second = ask(&mut town.anna, "card", "И ещё одну").await;
    let third = ask(&mut town.anna, "card", "И третью").await;
    let whose = |number: &str| {
        format!(
            "SELECT COUNT(*) FROM requests WHERE number = {number} AND assignee_id IS NOT NULL AND priority = 'high'"
        )
    };
    for (number, expected) in [(&first, 0), (&second, 1), (&third, 0)] {
        let sql: &'static str = whose(number).leak();
        assert_eq!(town.app.count(sql).await, expected, "{number}");
    }
    let mine = vera.get("/admin/requests?assignee=me").await.text();
    assert!(mine.contains("И ещё одну") && !mine.contains("И третью"), "{mine}");
    assert!(mine.contains("Высокий"), "{mine}");

    // Only a lead closes here, and the page of the request offers no more than that.
    let desk = format!("/admin/requests/{second}");
    let page = vera.get(&desk).await;
    page.assert_says("Очередь: Карты");
    assert!(
        !page.body.contains("value=\"closed\""),
        "no button for what is not theirs"
    );
    let seen = page.form("request.status").get("seen").expect("a field").to_owned();
    let sent = [("seen", seen.as_str()), ("status", "open")];
    let opened = vera.send(&desk, "request.status", &sent).await;
    assert_eq!(opened.status, StatusCode::SEE_OTHER, "{}", opened.text());
    let seen = vera.get(&desk).await.form("request.status");
    let seen = seen.get("seen").expect("a field");
    let sent = [("seen", seen), ("status", "closed")];
    let refused = vera.send(&desk, "request.status", &sent).await;
    refused.assert_says("Этого сделать нельзя");
    let told = change(&mut vera, &[&second], &[("status", "closed")]).await;
    let told = vera.get(told.location()).await.text();
    assert!(
        told.contains(&format!("Так менять состояние нельзя: № {second}")),
        "{told}"
    );
    let page = town.agent.get(&desk).await;
    assert!(page.body.contains("value=\"closed\""), "{}", page.text());
    // Nor does the customer, who opens it again for two days.
    let thread = format!("/support/{second}");
    assert!(!town.anna.get(&thread).await.body.contains("request.close"));
    let refused = town.anna.send(&thread, "request.close", &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.assert_says("Этого сделать нельзя");
    let closed = town.agent.send(&desk, "request.status", &sent).await;
    assert_eq!(closed.status, StatusCode::SEE_OTHER, "{}", closed.text());
    let page = town.anna.get(&thread).await;
    assert!(
        page.body.contains("request.reopen") && page.body.contains("request.answer"),
        "{}",
        page.text()
    );
    let later = Duration::days(2) + Duration::seconds(1);
    town.app.world.clock.set(town.app.world.db.now() + later);
    let page = town.anna.get(&thread).await;
    for form in ["request.reopen", "request.answer"] {
        assert!(!page.body.contains(form), "{form}: {}", page.text());
    }
    page.assert_says("Если вопрос вернулся, напишите новое");
    let late = town.anna.send(&thread, "request.answer", &[("text", "И ещё")]).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(late.form("request.answer").get("text"), Some("И ещё"), "it is not lost");
}

/// What a select says where it is to be this.
fn choice(page: &Reply, words: &str) -> String {
    let all = tags(&page.body);
    let found = all.iter().find(|tag| tag.name == "option" && tag.text.trim() == words);
    let value = found.and_then(|tag| tag.get("value")).unwrap_or_default().to_owned();
    assert!(!value.is_empty(), "{words}: {}", page.text());
    value
}

#[tokio::test]
async fn a_queue_is_closed_while_something_uses_it_and_removed_afterwards() {
    let mut town = Town::new().await;
    let id = town.app.some_queue().await;
    let at = format!("/admin/queues/{id}");
    let lead = &mut town.agent;
    lead.get(&at).await.assert_says("на неё ничего не ссылается");
    // A topic leads there, a request came, and a macro puts others there.
    let topics = lead.get("/admin/queues").await.form("queue.topic");
    let card = town
        .app
        .text("SELECT lower(hex(id)) FROM topics WHERE code = 'card'")
        .await;
    let field = format!("queue[t{}]", uuid::Uuid::parse_str(&card).expect("an id"));
    let set = topics.clone().with(&field, &id.to_string());
    let lead = &mut town.agent;
    lead.submit("/admin/queues", &set)
        .await
        .assert_leads_to("/admin/queues?done=topic");
    let number = ask(&mut town.anna, "card", "Потеряла карту").await;
    town.app
        .execute("UPDATE macros SET queue_id = (SELECT id FROM queues), assign = NULL")
        .await;
    let lead = &mut town.agent;
    let page = lead.get(&at).await;
    for words in [
        "Сюда ведёт тема «Карта»",
        "Сюда передаёт макрос «Спасибо»",
        "Здесь 1 незакрытое обращение",
    ] {
        assert!(page.words().contains(words), "{words}: {}", page.words());
    }
    assert!(!page.body.contains("queue.remove"), "{}", page.text());
    let refused = lead.send(&at, "queue.remove", &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.assert_says("Очередь уже чем-то занята");

    // Closed, nothing new comes into it by any way; what is in it stays.
    let closed = lead.submit(&at, &page.form("queue.switch")).await;
    closed.assert_leads_to(&format!("{at}?done=closed"));
    lead.get(&at).await.assert_says("Новые обращения сюда не попадают");
    let second = ask(&mut town.anna, "card", "И ещё одну").await;
    let whose = "SELECT number || ' ' || (queue_id IS NOT NULL) FROM requests ORDER BY number DESC LIMIT 2";
    assert_eq!(
        town.app.texts(whose).await,
        [format!("{second} 0"), format!("{number} 1")]
    );
    let lead = &mut town.agent;
    let desk = format!("/admin/requests/{second}");
    let page = lead.get(&desk).await;
    assert!(!page.body.contains(&format!("queue:{id}")), "{}", page.body);
    let sorted = page.form("request.sort").with("assignee", &format!("queue:{id}"));
    let sorted = lead.submit(&desk, &sorted).await;
    assert_eq!(sorted.message("request.sort", "assignee"), "Выберите из списка");
    let prepared = town.app.some_macro().await.to_string();
    let lead = &mut town.agent;
    let seen = lead.get(&desk).await.form("request.sort");
    let run = [("seen", seen.get("seen").expect("a field")), ("id", prepared.as_str())];
    let run = lead.send(&desk, "request.macro", &run).await;
    assert_eq!(run.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", run.text());
    // The topic keeps it as a choice, another one does not get it.
    let form = lead.get("/admin/queues").await;
    form.assert_says("Платежи (закрыта)");
    let topics = form.form("queue.topic");
    let other = town
        .app
        .text("SELECT lower(hex(id)) FROM topics WHERE code = 'other'")
        .await;
    let other = format!("queue[t{}]", uuid::Uuid::parse_str(&other).expect("an id"));
    let lead = &mut town.agent;
    let wrong = lead
        .submit("/admin/queues", &topics.clone().with(&other, &id.to_string()))
        .await;
    assert!(!wrong.message("queue.topic", &other).is_empty(), "{}", wrong.text());

    // Open again, and once all of it went elsewhere, gone.
    let opened = lead.get(&at).await.form("queue.switch");
    lead.submit(&at, &opened)
        .await
        .assert_leads_to(&format!("{at}?done=reopened"));
    let third = ask(&mut town.anna, "card", "И третью").await;
    let first = town.app.texts(whose).await.swap_remove(0);
    assert_eq!(first, format!("{third} 1"));
    town.app.execute("UPDATE macros SET queue_id = NULL").await;
    town.app.execute("UPDATE requests SET queue_id = NULL").await;
    let lead = &mut town.agent;
    let topics = lead.get("/admin/queues").await.form("queue.topic").with(&field, "");
    lead.submit("/admin/queues", &topics)
        .await
        .assert_leads_to("/admin/queues?done=topic");
    let gone = lead.get(&at).await.form("queue.remove");
    let gone = lead.submit(&at, &gone).await;
    gone.assert_leads_to("/admin/queues?done=removed");
    assert_eq!(lead.get(&at).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        town.app
            .texts("SELECT action || ' ' || reason FROM audit WHERE action IN ('queue.close', 'queue.reopen', 'queue.remove') ORDER BY id")
            .await,
        ["queue.close ", "queue.reopen ", "queue.remove billing"]
    );
}

#[tokio::test]
async fn a_request_goes_into_another_queue_by_hand() {
    let mut town = Town::new().await;
    let desk = format!("/admin/requests/{}", town.request);
    let page = town.agent.get(&desk).await;
    let form = page.form("request.sort");
    let to_queue = choice(&page, "в очередь «Платежи»");
    let state = "SELECT COALESCE(q.code, '') || ' ' || COALESCE(s.login, '') FROM requests r \
                 LEFT JOIN queues q ON q.id = r.queue_id LEFT JOIN staff s ON s.id = r.assignee_id ORDER BY r.number LIMIT 1";
    let taken = town.agent.submit(&desk, &form.clone().with("assignee", "me")).await;
    assert!(taken.location().contains("done=sorted"), "{}", taken.text());
    let before = town.app.text(state).await;
    assert!(!before.starts_with("billing") && !before.ends_with(' '), "{before}");

    // A page that was read before somebody took it, a queue that is not there, another role.
    let late = form.clone().with("assignee", &to_queue);
    let late = town
        .agent
        .submit(&desk, &late.with("_key", Token::random().secret()))
        .await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("Пока вы заполняли, обращение изменилось");
    let form = town.agent.get(&desk).await.form("request.sort");
    for gone in ["queue:00000000-0000-0000-0000-000000000000", "queue:", "queue:billing"] {
        let wrong = form
            .clone()
            .with("assignee", gone)
            .with("_key", Token::random().secret());
        let wrong = town.agent.submit(&desk, &wrong).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{gone}");
        assert_eq!(
            wrong.message("request.sort", "assignee"),
            "Выберите из списка",
            "{gone}"
        );
    }
    let sent = form.with("assignee", &to_queue);
    let mut marketer = town.app.staff_as("ivanova", "marketer").await;
    let refused = marketer
        .submit(&desk, &sent.clone().with("_key", Token::random().secret()))
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(town.app.text(state).await, before, "nothing of it was done");

    let put = town.agent.submit(&desk, &sent).await;
    assert!(put.location().contains("done=sorted"), "{}", put.text());
    assert_eq!(town.app.text(state).await, "billing ");
    let page = town.agent.get(&desk).await;
    page.assert_says("Никто не отвечает");
    page.assert_says("Очередь: Платежи");
    assert_eq!(page.form("request.sort").get("assignee"), Some("nobody"));
    town.app.assert_row("request.sort").await;
    let told = town.anna.get("/profile/views").await;
    told.assert_says("Изменены тема, приоритет, очередь или метки обращения");

    // Many at once, and back.
    let other = ask(&mut town.anna, "other", "И ещё").await;
    let of_other = "SELECT COUNT(*) FROM requests WHERE queue_id IS NOT NULL";
    let before = town.app.count(of_other).await;
    let wrong = change(&mut town.agent, &[&other], &[("assignee", "queue:none")]).await;
    assert_eq!(wrong.message("request.bulk", "assignee"), "Выберите из списка");
    let done = change(&mut town.agent, &[&other], &[("assignee", to_queue.as_str())]).await;
    let at = done.location().to_owned();
    let told = town.agent.get(&at).await;
    told.assert_says("Изменено 1 обращение.");
    assert_eq!(town.app.count(of_other).await, before + 1);
    let undone = town.agent.submit(&at, &told.form("request.undo")).await;
    assert!(undone.location().contains("restored=1"), "{}", undone.location());
    assert_eq!(town.app.count(of_other).await, before);
}

#[tokio::test]
async fn a_request_is_put_where_it_belongs_from_its_page() {
    let mut town = Town::new().await;
    let desk = format!("/admin/requests/{}", town.request);
    let form = town.agent.get(&desk).await.form("request.sort");
    assert_eq!(form.get("priority"), Some("normal"));
    let many = (0..21).map(|n| format!("t{n}")).collect::<Vec<_>>().join(", ");
    let wrong = town.agent.submit(&desk, &form.clone().with("tags", &many)).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.text());
    assert_eq!(wrong.form("request.sort").get("tags"), Some(many.as_str()));
    let sent = form
        .with("topic", "card")
        .with("priority", "high")
        .with("assignee", "me")
        .with("tags", "Брак, VIP");
    let sorted = town.agent.submit(&desk, &sent).await;
    assert!(sorted.location().contains("done=sorted"), "{}", sorted.text());
    let page = town.agent.get(&desk).await;
    for words in ["Высокий", "#брак", "#vip"] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let form = page.form("request.sort");
    assert_eq!(
        (
            form.get("topic"),
            form.get("priority"),
            form.get("assignee"),
            form.get("tags")
        ),
        (Some("card"), Some("high"), Some("me"), Some("vip, брак"))
    );
    // A page that was read before that is out of date.
    let late = town
        .agent
        .submit(&desk, &sent.with("_key", Token::random().secret()))
        .await;
    late.assert_says("Пока вы заполняли, обращение изменилось");
    // A tag is taken off, and the rest stays; the customer sees none of it.
    let fewer = town.agent.submit(&desk, &form.with("tags", "vip")).await;
    assert_eq!(fewer.status, StatusCode::SEE_OTHER, "{}", fewer.text());
    assert_eq!(town.app.texts("SELECT tag FROM request_tags").await, ["vip"]);
    let thread = town.anna.get(&format!("/support/{}", town.request)).await;
    assert!(!thread.text().contains("vip") && !thread.text().contains("Высокий"));
}

#[tokio::test]
async fn a_filter_is_kept_with_how_many_there_are_and_shown_to_colleagues() {
    let mut town = Town::new().await;
    let mut vera = town.app.staff_as("vera", "agent").await;
    let at = "/admin/requests?assignee=nobody";
    let nameless = vera.send(at, "filter.save", &[("name", " ")]).await;
    assert_eq!(nameless.status, StatusCode::UNPROCESSABLE_ENTITY);
    let kept = vera
        .send(at, "filter.save", &[("name", "Ничьи <b>"), ("shared", "yes")])
        .await;
    kept.assert_leads_to("/admin/requests?assignee=nobody&done=kept");
    vera.send("/admin/requests?status=closed", "filter.save", &[("name", "Архив")])
        .await;
    let own = vera.get(at).await;
    let words = own.words();
    assert!(words.contains("Ничьи <b> 1") && words.contains("Архив"), "{words}");
    let theirs = town.agent.get(LIST).await;
    assert!(theirs.text().contains("Ничьи <b>") && !theirs.text().contains("Архив"));
    let mut other = town.app.staff_as("petrov", "agent").await;
    let page = other.get(LIST).await;
    assert!(page.text().contains("Ничьи <b>") && !page.body.contains("filter.remove"));
    // By who made it, or by a lead.
    let form = own.form("filter.remove");
    let refused = other
        .submit(LIST, &form.clone().with("_key", Token::random().secret()))
        .await;
    refused.assert_says("Этого здесь больше нет");
    let removed = vera.submit(LIST, &form).await;
    removed.assert_leads_to("/admin/requests?done=removed");
    assert!(!other.get(LIST).await.text().contains("Ничьи <b>"));
}

/// What a list was narrowed to stands in the log as the page calls it, but never what was looked for.
#[tokio::test]
async fn the_log_tells_in_words_what_the_list_was_narrowed_to() {
    let mut town = Town::new().await;
    let at = "/admin/requests?status=waiting&assignee=nobody&topic=card&priority=high&tag=vip";
    town.agent.get(at).await;
    find(&mut town.agent, "Лебедева").await;
    town.agent.get("/admin/tasks").await;
    let mut chief = town.app.staff_as("chief", "administrator").await;
    let log = chief.get("/admin/audit?action=request.queue").await.words();
    for words in [
        "показано 0 записей, Состояние: Ждём покупателя, Отвечает: Никто, Тема: ",
        ", Метка: vip, Приоритет: Высокий",
        ", искали слова",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(!log.contains("Лебедева"), "{log}");
    let log = chief.get("/admin/audit?action=task.list").await.words();
    assert!(log.contains("открытые дела, Отвечает: сам сотрудник"), "{log}");
}

#[tokio::test]
async fn a_topic_that_is_closed_since_still_narrows_the_list() {
    let mut town = Town::new().await;
    let other = ask(&mut town.anna, "other", "Где карта?").await;
    let at = "/admin/requests?topic=other";
    town.agent.send(at, "filter.save", &[("name", "Прочее")]).await;
    town.app
        .execute("UPDATE topics SET closed_at = '2020-01-01T00:00:00+00:00' WHERE code = 'other'")
        .await;
    let rows = |page: &Reply| -> Vec<String> {
        let rows = tags(&page.body).into_iter().filter(|tag| tag.name == "tr");
        rows.filter_map(|row| row.get("data-number").map(str::to_owned))
            .collect()
    };
    let page = town.agent.get(LIST).await;
    assert_eq!(rows(&page).len(), 2);
    assert!(page.words().contains("Прочее 1"), "{}", page.words());
    assert!(
        page.body.contains("href=\"/admin/requests?topic=other\""),
        "by the filter that is kept"
    );
    let page = town.agent.get(at).await;
    assert_eq!(rows(&page), [other.as_str()]);
    page.assert_says("(закрыта)");
    // What is done with all that is found is done with that alone.
    let shown = seen(&mut town.agent, at).await;
    let sent = [("all", "yes"), ("tag", "зима"), ("seen", shown.as_str())];
    let done = town.agent.send(at, "request.bulk", &sent).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
    let tagged = "SELECT CAST(r.number AS TEXT) FROM request_tags g JOIN requests r ON r.id = g.request_id";
    assert_eq!(town.app.texts(tagged).await, [other]);
    // About a topic that nobody knows there is nothing.
    let page = town.agent.get("/admin/requests?topic=gone").await;
    assert_eq!((page.status, rows(&page).len()), (StatusCode::OK, 0));
}

#[tokio::test]
async fn whatever_was_said_is_found_and_a_tag_is_called_otherwise() {
    let mut town = Town::new().await;
    let first = ask(&mut town.anna, "card", "Чайник протекает").await;
    let second = ask(&mut town.boris, "card", "Карта размагнитилась").await;
    let desk = format!("/admin/requests/{first}");
    let note = [("text", "Склад подтвердил брак партии")];
    town.agent.send(&desk, "request.note", &note).await;
    for (words, is_found) in [
        ("протек", true),
        ("партии чайник", true),
        (first.as_str(), true),
        ("размагнит", false),
        ("ротекает", false),
    ] {
        let page = find(&mut town.agent, words).await;
        assert_eq!(page.text().contains("Чайник протекает"), is_found, "{words}");
    }
    let page = find(&mut town.agent, "размагнит").await;
    assert!(page.text().contains("Карта размагнитилась"));
    change(&mut town.agent, &[&first, &second], &[("tag", "поломка")]).await;
    let wrong = [("from", "поломка"), ("to", ", ,")];
    let wrong = town.agent.send("/admin/tags", "tag.rename", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.text());
    let renamed = [("from", "поломка"), ("to", "Брак")];
    let renamed = town.agent.send("/admin/tags", "tag.rename", &renamed).await;
    renamed.assert_leads_to("/admin/tags?done=renamed");
    let all = town.agent.get(renamed.location()).await;
    assert!(all.words().contains("брак 2 2"), "{}", all.words());
    assert!(!all.text().contains("поломка"));
    let by_tag = town
        .agent
        .get("/admin/requests?tag=%D0%B1%D1%80%D0%B0%D0%BA")
        .await
        .text();
    assert!(by_tag.contains("Чайник протекает") && by_tag.contains("Карта размагнитилась"));
    let gone = [("from", "поломка"), ("to", "x")];
    let gone = town.agent.send("/admin/tags", "tag.rename", &gone).await;
    assert_eq!(gone.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", gone.text());
}

#[tokio::test]
async fn a_request_is_found_by_a_file_a_rating_and_a_receipt() {
    let mut town = Town::new().await;
    let fields = [("topic", "card"), ("text", "Вопрос с файлом"), ("purchase", "")];
    let files = [("Гарантия чайника.png", PNG)];
    let sent = town
        .anna
        .browser
        .upload("/support/new", "request.create", &fields, &files)
        .await;
    let at = sent.location().replace("?done=sent", "");
    let desk = at.replace("/support/", "/admin/requests/");
    let page = find(&mut town.agent, "гарантия чайника").await;
    page.assert_says("Вопрос с файлом");
    assert!(!find(&mut town.agent, "A-1").await.text().contains("Вопрос с файлом"));
    let receipt = [("about", ""), ("document", "A-1"), ("line", "")];
    let linked = town.agent.send(&desk, "request.link_purchase", &receipt).await;
    linked.assert_leads_to(&format!("{desk}?done=linked"));
    find(&mut town.agent, "A-1").await.assert_says("Вопрос с файлом");
    town.anna.send(&at, "request.close", &[]).await;
    let rated = [("score", "2"), ("comment", "Ждала слишком долго")];
    let rated = town.anna.send(&at, "request.rate", &rated).await;
    assert_eq!(rated.status, StatusCode::SEE_OTHER, "{}", rated.text());
    find(&mut town.agent, "слишком").await.assert_says("Вопрос с файлом");
}

#[tokio::test]
async fn the_most_urgent_are_shown_first_by_a_link_of_the_head() {
    let mut town = Town::new().await;
    let low = ask(&mut town.anna, "card", "Подождёт").await;
    let urgent = ask(&mut town.anna, "card", "Горит").await;
    change(&mut town.agent, &[&low], &[("priority", "low")]).await;
    change(&mut town.agent, &[&urgent], &[("priority", "urgent")]).await;
    let page = town.agent.get(LIST).await;
    let sorted = "/admin/requests?sort=priority";
    assert!(page.body.contains(&format!("href=\"{sorted}\"")), "{}", page.body);
    let page = town.agent.get(sorted).await.text();
    let place = |words: &str| page.find(words).unwrap_or_else(|| panic!("{words}: {page}"));
    assert!(place("Горит") < place("Подождёт"), "{page}");
    // A narrower list keeps the order.
    let fields = [
        ("status", "all"),
        ("assignee", ""),
        ("topic", ""),
        ("q", ""),
        ("sort", "priority"),
    ];
    let found = town.agent.send(LIST, "request.find", &fields).await;
    found.assert_leads_to("/admin/requests?sort=priority&status=all");
}

#[tokio::test]
async fn what_is_overdue_stands_in_a_view_of_its_own() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut agent = app.staff("agent").await;
    let first = ask(&mut anna, "card", "Первое").await;
    ask(&mut anna, "card", "Второе").await;
    app.run(
        "UPDATE requests SET due_at = '2020-01-01T00:00:00+00:00' WHERE number = CAST($1 AS INTEGER)",
        &first,
    )
    .await;
    let page = agent.get("/admin/requests?status=overdue").await;
    assert!(page.text().contains("Первое"));
    assert!(!page.text().contains("Второе"));
    assert!(page.words().contains("Просрочены 1"), "{}", page.words());
}
