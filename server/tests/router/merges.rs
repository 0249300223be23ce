//! Two accounts of one customer, from page to page: both proved by codes, merged, parted; nobody learns whether there is an
//! account; staff who find two of one person.

use crate::api::{read, till};
use crate::common::html::tags;
use crate::common::{Customer, Reply, TestApp};
use axum::http::StatusCode;
use chrono::Duration;
use crm::contact::show_phone;
use crm::till::Scope;
use serde_json::json;

const PAGE: &str = "/merge";
const MERGED: &str = "SELECT COUNT(*) FROM merges WHERE undone_at IS NULL";

/// Names the other account.
async fn name(who: &mut Customer, other: &str) -> Reply {
    let asked = who.send(PAGE, "merge.ask", &[("other", other)]).await;
    asked.assert_leads_to(PAGE);
    who.get(PAGE).await
}

/// Types the code that went to the other account; the page that follows.
async fn prove(app: &TestApp, who: &mut Customer, phone: &str) -> Reply {
    let code = app.code_of("merge_code", phone).await;
    let proved = who.send(PAGE, "merge.code", &[("code", &code)]).await;
    proved.assert_leads_to(PAGE);
    who.get(PAGE).await
}

/// As a page's text has it: every space is one.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Six digits that are not these.
fn unlike(digits: &str) -> &'static str {
    if digits == "000000" { "000001" } else { "000000" }
}

/// The number of a customer's card.
async fn card_of(app: &TestApp, who: &Customer) -> String {
    let id = who.id().await;
    let mut conn = app.world.db.read().await.expect("a connection");
    let subject = crate::common::BY.subject(id);
    let cards = crm::card::store::of(&mut conn, subject).await.expect("read");
    cards.first().expect("a card").number.clone()
}

#[tokio::test]
async fn two_accounts_proved_by_codes_become_one_and_part_again() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await.with_purchase("A-1", "Чай", 100_000).await;
    let mut old = app.customer("Анна").await.with_purchase("B-1", "Чай", 200_000).await;
    let (new_phone, old_phone) = (anna.phone.clone(), old.phone.clone());
    let cards = [card_of(&app, &anna).await, card_of(&app, &old).await];
    let old_id = old.id().await;
    assert!(anna.get("/profile").await.body.contains("href=\"/merge\""));

    let silent = anna.send(PAGE, "merge.ask", &[("other", "")]).await;
    assert_eq!(
        silent.message("merge.ask", "other"),
        "Напишите телефон, почту или номер карты"
    );
    let own = anna.send(PAGE, "merge.ask", &[("other", &new_phone)]).await;
    assert_eq!(own.message("merge.ask", "other"), "Это уже есть в вашем профиле");
    let page = name(&mut anna, &old_phone).await;
    page.assert_says("Если такой счёт есть");
    assert!(!page.text().contains("B-1") && !page.body.contains("merge.confirm"));
    let code = app.code_of("merge_code", &old_phone).await;
    let wrong = anna.send(PAGE, "merge.code", &[("code", unlike(&code))]).await;
    assert!(
        wrong.message("merge.code", "code").contains("Код не подошёл"),
        "{}",
        wrong.text()
    );
    // Nothing was proved yet.
    let early = anna.send(PAGE, "merge.confirm", &[("agreed", "yes")]).await;
    assert_eq!(early.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = prove(&app, &mut anna, &old_phone).await;
    for words in ["Что получится", "2 чека на", &plain(&show_phone(&old_phone))] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    for number in &cards {
        assert!(
            page.text().contains(&plain(&crm::card::show(number))),
            "{}",
            page.text()
        );
    }
    let unsure = anna.send(PAGE, "merge.confirm", &[]).await;
    assert_eq!(unsure.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(app.count(MERGED).await, 0);
    let merged = anna.send(PAGE, "merge.confirm", &[("agreed", "yes")]).await;
    merged.assert_leads_to("/merge?done=merged");
    let page = anna.get(merged.location()).await;
    page.assert_says("теперь это один счёт");
    assert!(
        anna.get("/").await.text().contains("Вернуть как было можно до"),
        "on every page"
    );
    let told = "SELECT COUNT(*) FROM outbox WHERE template = 'merge_done' AND body LIKE '%/merge%'";
    assert_eq!(app.count(told).await, 2, "both numbers hear of it");

    // The session of the other account is over, its number and its card lead here.
    assert_eq!(old.get("/").await.location(), "/sign-in");
    let mut again = app.anybody();
    assert_eq!(again.prove(&old_phone).await.location(), "/");
    let contacts = again.get("/profile/contacts").await.text();
    assert!(contacts.contains(&plain(&show_phone(&new_phone))), "{contacts}");
    let till = till(&app, "counter", &[Scope::Customers]).await;
    let who = async |card: &str| read(&till.post("/customers/identify", &json!({ "card": card })).await);
    let [first, second] = [who(&cards[0]).await, who(&cards[1]).await];
    assert_eq!(first["customer"], second["customer"], "{first} {second}");
    let kept_by_till = read(&till.get(&format!("/customers/{old_id}")).await);
    assert_eq!(
        kept_by_till["customer"], first["customer"],
        "an id that a till was told of before"
    );

    let unsure = anna.send(PAGE, "merge.undo", &[]).await;
    assert_eq!(unsure.status, StatusCode::UNPROCESSABLE_ENTITY);
    let parted = anna.send(PAGE, "merge.undo", &[("agreed", "yes")]).await;
    parted.assert_leads_to("/sign-in");
    assert_eq!(app.count(MERGED).await, 0);
    for action in ["merge.ask", "merge.do", "merge.undo"] {
        app.assert_row(action).await;
    }
    for browser in [&mut anna.browser, &mut again] {
        assert_eq!(browser.get("/").await.location(), "/sign-in", "every session ended");
    }
    let mut back = app.anybody();
    assert_eq!(back.prove(&old_phone).await.location(), "/");
    let contacts = back.get("/profile/contacts").await.text();
    assert!(!contacts.contains(&plain(&show_phone(&new_phone))), "{contacts}");
    let [first, second] = [who(&cards[0]).await, who(&cards[1]).await];
    assert_ne!(first["customer"], second["customer"], "{first} {second}");
}

#[tokio::test]
async fn nobody_learns_by_merging_who_has_an_account() {
    let app = TestApp::new().await;
    let old = app.customer("Ольга").await;
    let card = card_of(&app, &old).await;
    let nobodys = app.free_phone();
    // A card that nobody has: another check digit, and the right one for it.
    let twelve = if &card[..12] == "290000000001" {
        "290000000002"
    } else {
        "290000000001"
    };
    let blank = format!("{twelve}{}", crm::card::check_digit(twelve).expect("twelve digits"));
    let mut told = Vec::new();
    for other in [&old.phone, &card, &nobodys, &blank, &"nobody@example.com".to_owned()] {
        let mut anna = app.customer("Анна").await;
        let mut heard = vec![name(&mut anna, other).await.text()];
        for _ in 0..6 {
            let wrong = anna.send(PAGE, "merge.code", &[("code", "12")]).await;
            heard.push(format!("{} {}", wrong.status, wrong.message("merge.code", "code")));
        }
        let again = anna.send(PAGE, "merge.ask", &[("other", other)]).await;
        heard.push(again.status.to_string());
        told.push(heard);
        // Another one may be asked for after half a minute.
        app.world.clock.set(app.world.db.now() + Duration::minutes(1));
    }
    for heard in &told {
        assert_eq!(heard, &told[0]);
    }
    let sent = "SELECT COUNT(*) FROM outbox WHERE template = 'merge_code'";
    assert_eq!(
        app.count(sent).await,
        2,
        "to the phone, named by itself and by its card"
    );
    // What came of it stands in nobody's cookie: another customer's code opens nothing.
    let mut anna = app.customer("Анна").await;
    let mut boris = app.customer("Борис").await;
    name(&mut anna, &old.phone).await;
    let attempt = anna.cookies["__Host-kabinet_attempt"].clone();
    boris.browser.cookies.insert("__Host-kabinet_attempt".into(), attempt);
    let code = app.code_of("merge_code", &old.phone).await;
    let stolen = boris.send(PAGE, "merge.code", &[("code", &code)]).await;
    assert_eq!(stolen.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", stolen.text());
    assert!(!boris.get(PAGE).await.body.contains("merge.confirm"));
}

#[tokio::test]
async fn a_second_step_is_not_walked_around() {
    let app = TestApp::new().await;
    let old = app.customer("Ольга").await;
    app.run(
        "INSERT INTO factors (id, customer_id, kind, name, data, created_at, confirmed_at) \
         SELECT randomblob(16), customer_id, 'totp', '', 'x', created_at, created_at FROM contacts WHERE value = $1",
        &old.phone,
    )
    .await;
    let mut anna = app.customer("Анна").await;
    name(&mut anna, &old.phone).await;
    let page = prove(&app, &mut anna, &old.phone).await;
    page.assert_says("включён второй шаг входа");
    assert!(!page.body.contains("value=\"merge.confirm\""));
    let forced = anna.send(PAGE, "merge.confirm", &[("agreed", "yes")]).await;
    assert_eq!(forced.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", forced.text());
    assert_eq!(app.count("SELECT COUNT(*) FROM merges").await, 0);
}

#[tokio::test]
async fn ones_own_phone_is_proved_as_well() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let old = app.customer("Ольга").await;
    // As if she had come in by a password.
    app.execute("UPDATE sessions SET phone_at = NULL").await;
    let page = anna.get(PAGE).await;
    assert!(!page.body.contains("value=\"merge.ask\"") && page.body.contains("value=\"merge.prove\""));
    let forced = anna.send(PAGE, "merge.ask", &[("other", &old.phone)]).await;
    assert!(forced.status.is_client_error(), "{}", forced.status);
    app.world.clock.set(app.world.db.now() + Duration::seconds(31));
    let sent = anna.send(PAGE, "merge.prove", &[]).await;
    sent.assert_leads_to(PAGE);
    assert!(anna.get(PAGE).await.text().contains("на ваш телефон"));
    let phone = anna.phone.clone();
    let page = prove(&app, &mut anna, &phone).await;
    assert!(page.body.contains("value=\"merge.ask\""), "{}", page.text());
    // Begun anew there is nothing left of what was typed.
    name(&mut anna, &old.phone).await;
    let anew = anna.send(PAGE, "merge.anew", &[]).await;
    assert_eq!(anew.location(), PAGE);
    assert!(anna.get(PAGE).await.body.contains("value=\"merge.ask\""));
    // A proof of a quarter of an hour ago is none.
    app.world.clock.set(app.world.db.now() + Duration::minutes(16));
    let late = anna.send(PAGE, "merge.ask", &[("other", &old.phone)]).await;
    assert_eq!(late.location(), "/confirm?next=/merge");
}

#[tokio::test]
async fn an_account_whose_name_is_spelt_otherwise_is_proposed() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    let (other, strange) = (app.customer("Anna").await, app.customer("Ольга").await);
    let card = format!("/admin/customers/{}", anna.id().await);
    let mut lead = app.staff_as("lead", "lead").await;
    let page = lead.get(&card).await;
    page.assert_says("Совпадают: день рождения и похожее имя");
    let proposed = |id| format!("href=\"{card}/merge/{id}\"");
    assert!(page.body.contains(&proposed(other.id().await)), "{}", page.text());
    assert!(!page.body.contains(&proposed(strange.id().await)), "{}", page.text());
}

#[tokio::test]
async fn pairs_that_look_alike_are_worked_through_and_two_persons_stay_two() {
    const PAIRS: &str = "/admin/duplicates";
    let app = TestApp::new().await;
    let (mut first, mut second) = (app.customer("Анна").await, app.customer("Анна").await);
    app.customer("Ольга").await;
    let (older, newer) = (first.id().await, second.id().await);
    let mut agent = app.staff_as("agent", "agent").await;
    assert!(
        !agent.get("/admin/customers").await.body.contains(PAIRS),
        "not for an agent"
    );
    assert_eq!(agent.get(PAIRS).await.status, StatusCode::FORBIDDEN);

    let mut lead = app.staff_as("lead", "lead").await;
    let customers = lead.get("/admin/customers").await;
    assert!(
        customers.body.contains(&format!("href=\"{PAIRS}\"")),
        "{}",
        customers.body
    );
    let page = lead.get(PAIRS).await;
    page.assert_says("имя и день рождения");
    assert!(!page.text().contains("Ольга"), "{}", page.text());
    let there = format!("/admin/customers/{older}/merge/{newer}");
    assert!(page.body.contains(&format!("href=\"{there}\"")), "{}", page.body);
    assert_eq!(lead.get(&there).await.status, StatusCode::OK);

    let done = lead.submit(PAIRS, &page.form("duplicate.dismiss")).await;
    done.assert_leads_to(&format!("/admin/duplicates?done=dismissed&pair={newer}.{older}"));
    let page = lead.get(done.location()).await;
    page.assert_says("это разные люди");
    page.assert_says("Похожих счетов нет");
    let card = lead.get(&format!("/admin/customers/{older}")).await;
    assert!(!card.body.contains(&there), "nor on the card: {}", card.text());
    // Each learns that their data were looked at, and nothing of anybody else.
    for who in [&mut first, &mut second] {
        let looks = who.get("/profile/views").await;
        looks.assert_says("Проверены ваши данные");
        for hint in ["похож", "счёт", "совпад", "разны"] {
            assert!(!looks.text().to_lowercase().contains(hint), "{hint}: {}", looks.text());
        }
    }
    let log = "SELECT COUNT(*) FROM audit WHERE actor = 'staff' AND action = 'duplicate.dismiss'";
    assert_eq!(app.count(log).await, 2);
    // A slip of the hand is undone where it was made, once.
    let undo = lead.get(done.location()).await.form("duplicate.propose");
    let undone = lead.submit(done.location(), &undo).await;
    undone.assert_leads_to("/admin/duplicates?done=proposed");
    let page = lead.get(undone.location()).await;
    page.assert_says("пара снова в списке");
    assert!(page.body.contains(&format!("href=\"{there}\"")), "{}", page.body);
    let looks = first.get("/profile/views").await.text();
    assert_eq!(looks.matches("Проверены ваши данные").count(), 2, "{looks}");
    let log = "SELECT COUNT(*) FROM audit WHERE actor = 'staff' AND action = 'duplicate.propose'";
    assert_eq!(app.count(log).await, 2);
    let [newer, older] = [newer, older].map(|id| id.to_string());
    let pair = [("newer", newer.as_str()), ("older", older.as_str())];
    let twice = lead.send(done.location(), "duplicate.propose", &pair).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", twice.text());
    twice.assert_says("Отменять нечего");
    // What is nobody's pair is none.
    let nobody = uuid::Uuid::nil().to_string();
    let strange = [("newer", nobody.as_str()), ("older", nobody.as_str())];
    let refused = lead.send(PAIRS, "duplicate.dismiss", &strange).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text());
}

#[tokio::test]
async fn what_was_found_to_be_two_persons_is_found_again_and_taken_back() {
    const PAIRS: &str = "/admin/duplicates";
    const DIFFERENT: &str = "/admin/duplicates/different";
    let app = TestApp::new().await;
    let mut all = Vec::new();
    for _ in 0..7 {
        all.push(app.customer("Анна").await.id().await.to_string());
    }
    let mut agent = app.staff_as("agent", "agent").await;
    assert_eq!(agent.get(DIFFERENT).await.status, StatusCode::FORBIDDEN);

    let mut lead = app.staff_as("lead", "lead").await;
    let link = format!("href=\"{DIFFERENT}\"");
    assert!(lead.get(PAIRS).await.body.contains(&link), "there is a way");
    lead.get(DIFFERENT).await.assert_says("Таких пар пока нет");
    for (nth, newer) in all.iter().enumerate() {
        for older in &all[..nth] {
            let pair = [("newer", newer.as_str()), ("older", older.as_str())];
            lead.send(PAIRS, "duplicate.dismiss", &pair)
                .await
                .assert_leads_to(&format!("{PAIRS}?done=dismissed&pair={newer}.{older}"));
        }
    }

    // A colleague who thinks better of it later finds them page by page, and who said so.
    let mut other = app.staff_as("second", "lead").await;
    let page = other.get(DIFFERENT).await;
    page.assert_says("lead, 21");
    assert_eq!(page.body.matches("value=\"duplicate.propose\"").count(), 20);
    let next = tags(&page.body)
        .into_iter()
        .find(|tag| tag.get("rel") == Some("next"))
        .and_then(|tag| tag.get("href").map(str::to_owned))
        .expect("the way to the next page");
    let page = other.get(&next).await;
    assert_eq!(page.body.matches("value=\"duplicate.propose\"").count(), 1, "{next}");
    let there = format!("/admin/customers/{}/merge/{}", all[0], all[1]);
    assert!(
        page.body.contains(&there),
        "what was said first comes last: {}",
        page.body
    );
    let form = page.form("duplicate.propose");
    let slower = lead.get(&next).await.form("duplicate.propose");
    let done = other.submit(&next, &form).await;
    done.assert_leads_to(&format!("{next}&done=proposed"));
    let page = other.get(done.location()).await;
    page.assert_says("снова среди похожих");
    page.assert_says("Дальше таких пар нет");
    assert!(other.get(PAIRS).await.body.contains(&there), "proposed again");
    let log = "SELECT COUNT(*) FROM audit WHERE actor = 'staff' AND action = 'duplicate.propose'";
    assert_eq!(app.count(log).await, 2, "told in the log of both");
    let listed = "SELECT COUNT(*) FROM audit WHERE action = 'duplicate.list' AND reason = 'different: 20 shown'";
    assert_eq!(app.count(listed).await, 1);
    // Who was slower is told so, though the pair is no longer there to say it.
    let late = lead.submit(&next, &slower).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", late.text());
    late.assert_says("Отменять нечего");
    assert_eq!(app.count(log).await, 2);
}

#[tokio::test]
async fn staff_find_two_accounts_of_one_person_and_merge_them_with_a_reason() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let old = app.customer("Анна").await;
    let (kept, absorbed) = (anna.id().await, old.id().await);
    let card = format!("/admin/customers/{kept}");
    let there = format!("{card}/merge/{absorbed}");
    let mut agent = app.staff_as("agent", "agent").await;
    assert!(!agent.get(&card).await.body.contains("/merge/"), "not for an agent");
    assert_eq!(agent.get(&there).await.status, StatusCode::FORBIDDEN);

    let mut lead = app.staff_as("lead", "lead").await;
    let page = lead.get(&card).await;
    page.assert_says("Совпадают: имя и день рождения");
    assert!(page.body.contains(&format!("href=\"{there}\"")));
    let nobody = lead.send(&card, "merge.find", &[("other", "Несуществующая")]).await;
    assert!(
        nobody.message("merge.find", "other").contains("не один покупатель"),
        "{}",
        nobody.text()
    );
    let found = lead.send(&card, "merge.find", &[("other", &old.phone)]).await;
    found.assert_leads_to(&there);
    let silent = lead.send(&there, "merge.do", &[("reason", " ")]).await;
    assert_eq!(silent.message("merge.do", "reason"), "Напишите, почему");
    assert_eq!(app.count(MERGED).await, 0);
    let done = lead
        .send(&there, "merge.do", &[("reason", "Потеряла прежний номер")])
        .await;
    done.assert_leads_to(&format!("{card}?done=merged"));
    let page = lead.get(done.location()).await;
    page.assert_says("К этому счёту присоединён другой");
    let gone = lead.get(&format!("/admin/customers/{absorbed}")).await;
    gone.assert_says("Этот счёт присоединён к другому");
    // Whoever looks for what was done with the account that stays finds what was done with the other one before.
    let log = format!("/admin/audit?action=customer.read&customer={kept}");
    let of_old = format!("title=\"{absorbed}\"");
    let page = lead.get(&log).await;
    page.assert_says("К этому счёту присоединён другой: его записи тоже здесь");
    assert!(page.body.contains(&of_old), "{}", page.text());
    let file = lead.get(&log.replace("/admin/audit?", "/admin/audit.csv?")).await;
    assert!(file.body.contains(&format!(";{absorbed};")), "{}", file.body);
    let looks = anna.get("/profile/views").await;
    for words in ["Объединены ваши счета", "Потеряла прежний номер"] {
        assert!(looks.text().contains(words), "{words}: {}", looks.text());
    }
    let twice = lead.send(&there, "merge.do", &[("reason", "Ещё раз")]).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", twice.text());

    let silent = lead.send(&card, "merge.part", &[("reason", "")]).await;
    assert_eq!(silent.message("merge.part", "reason"), "Напишите, почему");
    let parted = lead.send(&card, "merge.part", &[("reason", "Это две сестры")]).await;
    parted.assert_leads_to(&format!("{card}?done=parted"));
    let page = lead.get(&log).await;
    assert!(!page.text().contains("присоединён"), "{}", page.text());
    assert!(!page.body.contains(&of_old), "{}", page.text());
    assert_eq!(app.count(MERGED).await, 0);
    assert_eq!(anna.get("/").await.location(), "/sign-in", "each comes in anew");
    // Who has not proved for a while who they are does so first.
    app.world.clock.set(app.world.db.now() + Duration::minutes(16));
    let late = lead.send(&there, "merge.do", &[("reason", "Снова")]).await;
    assert_eq!(late.location(), format!("/admin/confirm?next={there}"));
    assert_eq!(app.count(MERGED).await, 0);
}
