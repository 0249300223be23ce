//! The texts of the shop as staff edit them: what is wrong stands at its field, what is published counts at once, and what was
//! said before stays to be read.

use crate::common::{Browser, TestApp, with};
use crate::rules::put;
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;

const LIST: &str = "/admin/texts";
const CODE: &str = "/admin/texts/template/sign_in_code";

/// Everything that a message says, with some of it changed.
fn message<'a>(changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("head_ru", "Код"),
        ("head_en", "Code"),
        ("body_ru", "Ваш код: {code}, на {minutes} минут"),
        ("body_en", "Your code: {code}, for {minutes} minutes"),
    ];
    for (name, value) in changed {
        all.retain(|(other, _)| other != name);
        all.push((name, value));
    }
    all
}

/// Publishes the draft of the page.
async fn publish(staff: &mut Browser, at: &str) {
    let reply = put(staff, at, "text.publish", &[]).await;
    reply.assert_leads_to(&format!("{at}?done=published"));
}

#[tokio::test]
async fn a_message_is_checked_drafted_looked_at_published_and_compared() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let page = staff.get(CODE).await.text();
    for words in ["{code}", "{minutes}", "(без неё нельзя)", "По SMS: частей"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let wrong = message(&[
        ("head_ru", "Код {cod}"),
        ("head_en", " "),
        ("body_ru", "Ваш код на {minutes} минут"),
        ("body_en", "{code} {minutes} {shop"),
    ]);
    let wrong = put(&mut staff, CODE, "text.draft", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    for (field, words) in [
        ("head_ru", "Переменной «cod» здесь нет"),
        ("head_en", "Заполните это поле"),
        ("body_ru", "Без переменной «code»"),
        ("body_en", "Переменной «{shop» здесь нет"),
    ] {
        let said = wrong.message("text.draft", field);
        assert!(said.starts_with(words), "{field}: {said}");
    }
    assert_eq!(
        wrong.form("text.draft").get("head_ru"),
        Some("Код {cod}"),
        "what was typed stays"
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM text_versions").await, 0);

    let html = message(&[("body_ru", "<script>alert(1)</script> {code}, {minutes} минут")]);
    let saved = put(&mut staff, CODE, "text.draft", &html).await;
    saved.assert_leads_to(&format!("{CODE}?done=drafted#draft"));
    let page = staff.get(CODE).await;
    assert!(
        page.text().contains("482913"),
        "samples stand for variables: {}",
        page.text()
    );
    assert!(!page.body.contains("<script>alert"), "it is text");
    assert!(page.body.contains("<ins>&lt;script&gt;"), "{}", page.body);
    // A draft changes nothing; what is published counts at once.
    app.customer("Анна").await;
    const SENT: &str = "SELECT body FROM outbox WHERE template = 'sign_in_code' ORDER BY id DESC LIMIT 1";
    assert!(app.text(SENT).await.contains("код входа"), "{}", app.text(SENT).await);
    put(&mut staff, CODE, "text.draft", &message(&[])).await;
    let mut colleague = app.staff("max").await;
    let late = colleague.send(CODE, "text.draft", &message(&[("seen", "")])).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("изменил кто-то другой");
    app.world.clock.set(start() + Duration::seconds(5));
    publish(&mut staff, CODE).await;
    app.customer("Борис").await;
    assert!(
        app.text(SENT).await.starts_with("Ваш код: "),
        "{}",
        app.text(SENT).await
    );
    let page = staff.get(CODE).await;
    for words in ["Версия 1", "вместе с Kabinet", "Версия 2", "mara"] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    assert!(
        page.body.contains("<ins>Ваш код: {code}, на {minutes} минут</ins>"),
        "{}",
        page.body
    );
    let twice = colleague.send(CODE, "text.publish", &[("seen", "1")]).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    twice.assert_says("изменил кто-то другой");
    put(&mut staff, CODE, "text.draft", &message(&[("head_ru", "Другой")])).await;
    let gone = put(&mut staff, CODE, "text.discard", &[]).await;
    gone.assert_leads_to(&format!("{CODE}?done=discarded"));
    assert!(!staff.get(CODE).await.text().contains("Другой"));
    // The next start of the program leaves it as it is.
    crm::content::load(&app.world.db, &crate::common::BY)
        .await
        .expect("loaded");
    app.customer("Вера").await;
    assert!(app.text(SENT).await.starts_with("Ваш код: "));

    // What is dangerous is for who has just proved who they are.
    put(&mut staff, CODE, "text.draft", &message(&[("head_ru", "Другой")])).await;
    let seen = staff.get(CODE).await.form("text.publish");
    app.world.clock.set(start() + Duration::minutes(20));
    assert!(!staff.get(CODE).await.body.contains("text.publish"));
    let asked = staff.submit(CODE, &seen).await;
    asked.assert_leads_to(&format!("/admin/confirm?next={CODE}"));
}

#[tokio::test]
async fn another_text_of_a_consent_leaves_the_one_that_was_agreed_to() {
    let app = TestApp::new().await;
    app.customer("Анна").await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let at = "/admin/texts/consent/personal_data";
    let page = staff.get(at).await.text();
    assert!(
        page.contains("Кто согласился раньше, остаётся при том тексте"),
        "{page}"
    );
    assert!(page.contains("С нынешним текстом согласились, раз: 1."), "{page}");
    let text = [
        ("head_ru", "Согласие"),
        ("head_en", "Consent"),
        ("body_ru", "Новый текст, магазин {shop}"),
        ("body_en", "New words"),
    ];
    let wrong = put(&mut staff, at, "text.draft", &text).await;
    let said = wrong.message("text.draft", "body_ru");
    assert!(said.starts_with("Переменной «shop» здесь нет"), "{said}");
    let text = [&text[..2], &[("body_ru", "Новый текст"), ("body_en", "New words")][..]].concat();
    put(&mut staff, at, "text.draft", &text).await;
    publish(&mut staff, at).await;
    let mut anybody = app.anybody();
    assert!(
        anybody
            .get("/consents/personal_data")
            .await
            .text()
            .contains("Новый текст")
    );
    let old = anybody.get("/consents/personal_data?version=1").await.text();
    assert!(old.contains("Отмечая этот пункт"), "{old}");
    let agreed = "SELECT t.version || '' FROM consents c JOIN consent_texts t ON t.id = c.text_id \
                  JOIN consent_purposes p ON p.id = t.purpose_id WHERE p.code = 'personal_data' ORDER BY c.at, c.id";
    app.world.clock.set(start() + Duration::minutes(1));
    app.customer("Борис").await;
    assert_eq!(app.texts(agreed).await, ["1", "2"]);
    assert!(staff.get(at).await.text().contains("согласились, раз: 1."));
}

#[tokio::test]
async fn topics_are_added_put_below_others_and_closed() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let topic = |key: &'static str, parent: &'static str, open: bool| {
        let mut all = vec![
            ("key", key),
            ("head_ru", "Доставка"),
            ("head_en", "Delivery"),
            ("position", "3"),
            ("parent", parent),
        ];
        all.extend(open.then_some(("open", "yes")));
        all
    };
    for (fields, field, words) in [
        (topic("доставка", "", true), "key", "Подходят латинские буквы"),
        (topic("card", "", true), "key", "Такой уже есть"),
        (topic("delivery", "nowhere", true), "parent", "Выберите из списка"),
    ] {
        let wrong = staff.send(LIST, "text.create", &fields).await;
        let said = wrong.message("text.create", field);
        assert!(said.starts_with(words), "{field}: {said}");
    }
    let made = staff
        .send(LIST, "text.create", &topic("delivery", "purchase", true))
        .await;
    let at = "/admin/texts/topic/delivery";
    made.assert_leads_to(&format!("{at}?done=created"));
    assert!(!anna.get("/support/new").await.text().contains("Доставка"), "a draft");
    publish(&mut staff, at).await;
    let shown = "Покупка или возврат: Доставка";
    let page = anna.get("/support/new").await.text();
    assert!(page.contains(shown), "{page}");
    assert!(
        page.find(shown) < page.find("Мои данные"),
        "it follows the one above it"
    );
    let fields = [("topic", "delivery"), ("text", "Где курьер?"), ("purchase", "")];
    let sent = anna.send("/support/new", "request.create", &fields).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text());

    // One that has topics below it stands below none, and is the parent of what is closed with it.
    let above = "/admin/texts/topic/purchase";
    let circle = [
        ("head_ru", "Покупка"),
        ("head_en", "Purchase"),
        ("position", "2"),
        ("parent", "card"),
        ("open", "yes"),
    ];
    let circle = put(&mut staff, above, "text.draft", &circle).await;
    assert_eq!(circle.message("text.draft", "parent"), "Выберите из списка");
    let closed = [
        ("head_ru", "Покупка"),
        ("head_en", "Purchase"),
        ("position", "2"),
        ("parent", ""),
    ];
    put(&mut staff, above, "text.draft", &closed).await;
    publish(&mut staff, above).await;
    assert!(!anna.get("/support/new").await.text().contains("Доставка"));
    assert!(
        anna.get("/support/1").await.text().contains("Доставка"),
        "old requests keep it"
    );
    let refused = anna.send("/support/new", "request.create", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    // Somebody has to be able to write.
    app.execute("UPDATE topics SET closed_at = '2026-01-01' WHERE code <> 'card'")
        .await;
    let last = [
        ("head_ru", "Карта"),
        ("head_en", "Card"),
        ("position", "1"),
        ("parent", ""),
    ];
    let last = put(&mut staff, "/admin/texts/topic/card", "text.draft", &last).await;
    assert_eq!(last.status, StatusCode::UNPROCESSABLE_ENTITY);
    last.assert_says("Хотя бы одна тема");
    // What was never published goes with its draft.
    staff.send(LIST, "text.create", &topic("other-one", "", true)).await;
    let gone = put(&mut staff, "/admin/texts/topic/other-one", "text.discard", &[]).await;
    gone.assert_leads_to(&format!("{LIST}?kind=topic&done=discarded"));
    assert_eq!(
        staff.get("/admin/texts/topic/other-one").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_chat_says_and_hears_what_staff_write() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let phrase = "/admin/texts/phrase/balance";
    let lost = [("body_ru", "На карте баллы"), ("body_en", "{points} points")];
    let lost = put(&mut staff, phrase, "text.draft", &lost).await;
    let said = lost.message("text.draft", "body_ru");
    assert!(said.starts_with("Без переменной «points»"), "{said}");
    let text = [("body_ru", "Накоплено: {points}!"), ("body_en", "Saved up: {points}!")];
    put(&mut staff, phrase, "text.draft", &text).await;
    publish(&mut staff, phrase).await;
    let command = "/admin/texts/command/balance";
    let words = [
        ("head_ru", "Мои баллы"),
        ("head_en", "My points"),
        ("body_ru", "сколько накоплено, счёт"),
        ("body_en", "account"),
        ("position", "1"),
        ("open", "yes"),
    ];
    put(&mut staff, command, "text.draft", &words).await;
    publish(&mut staff, command).await;
    anna.send("/chat", "chat.say", &[("text", "Сколько накоплено")]).await;
    let page = anna.get("/chat").await.text();
    assert!(page.contains("Накоплено: "), "{page}");
    assert!(page.contains("Мои баллы"), "{page}");
    // Taken from what is offered.
    let closed = [&words[..5]].concat();
    put(&mut staff, command, "text.draft", &closed).await;
    publish(&mut staff, command).await;
    assert!(!anna.get("/chat").await.text().contains("Мои баллы"));
}

/// Each text can be opened, and each variable of each has a sample.
#[tokio::test]
async fn every_text_is_previewed_with_samples() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let codes = "SELECT 'template/' || code FROM templates UNION SELECT 'consent/' || code FROM consent_purposes \
                 UNION SELECT 'topic/' || code FROM topics UNION SELECT 'command/' || code FROM dialogue_commands \
                 UNION SELECT 'phrase/' || code FROM dialogue_texts";
    let codes = app.texts(codes).await;
    assert!(codes.len() > 100, "{}", codes.len());
    for code in &codes {
        let page = staff.get(&format!("{LIST}/{code}")).await;
        assert_eq!(page.status, StatusCode::OK, "{code}");
        assert!(!page.text().contains("нет примера"), "{code}: {}", page.text());
    }
    for kind in ["template", "consent", "topic", "command", "phrase"] {
        let page = staff.get(&format!("{LIST}?kind={kind}")).await;
        let listed = codes.iter().filter(|code| code.starts_with(kind));
        for code in listed {
            assert!(page.body.contains(&format!("href=\"{LIST}/{code}\"")), "{code}");
        }
    }
    let mut agent = app.staff_as("petrov", "agent").await;
    for at in [LIST, CODE] {
        assert_eq!(agent.get(at).await.status, StatusCode::FORBIDDEN, "{at}");
    }
    for (at, form, fields) in [
        (CODE, "text.draft", message(&[("seen", "")])),
        (CODE, "text.discard", vec![("seen", "1")]),
        (CODE, "text.publish", vec![("seen", "1")]),
        (
            LIST,
            "text.create",
            vec![("key", "x1"), ("head_ru", "x"), ("head_en", "x"), ("position", "1")],
        ),
    ] {
        let refused = agent.send(at, form, &fields).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{form}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM texts").await, 0);
}

/// A script of talks is changed by another version, which whoever did not see the last one does not write.
#[tokio::test]
async fn a_script_of_talks_gets_another_version() {
    let app = TestApp::new().await;
    let mut mara = app.staff_as("mara", "marketer").await;
    let at = "/admin/scripts/missing_points";
    let says = [
        ("seen", "1"),
        ("name_ru", "Пропали баллы"),
        ("name_en", "Points are gone"),
        (
            "steps",
            "Поздоровайтесь / Say hello\nСпросите номер чека / Ask for the receipt",
        ),
        ("outcomes", "found: Нашли / Found"),
    ];
    let wrong = with(says.to_vec(), &[("outcomes", "found: Нашли")]);
    let wrong = mara.send(at, "script.change", &wrong).await;
    assert_eq!(
        wrong.message("script.change", "outcomes"),
        "Не удаётся прочитать: строка 1"
    );
    let saved = mara.send(at, "script.change", &says).await;
    saved.assert_leads_to(&format!("{at}?done=saved"));
    let page = mara.get(at).await;
    for told in [
        "<ins>Спросите номер чека / Ask for the receipt</ins>",
        "Версия 2",
        "mara",
    ] {
        assert!(page.body.contains(told), "{told}: {}", page.body);
    }
    let late = mara.send(at, "script.change", &says).await;
    late.assert_says("изменил кто-то другой");
    let mut agent = app.staff_as("agent", "agent").await;
    for path in ["/admin/scripts", at] {
        assert_eq!(agent.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

/// What the chat goes by is set in numbers, which count at once.
#[tokio::test]
async fn what_the_chat_goes_by_is_set() {
    const AT: &str = "/admin/dialogue";
    let app = TestApp::new().await;
    let mut mara = app.staff_as("mara", "marketer").await;
    let form = mara.get(AT).await.form("dialogue.set");
    let seen = form.get("seen").expect("a field").to_owned();
    let says = [
        ("seen", seen.as_str()),
        ("state_minutes", "60"),
        ("kept_days", "7"),
        ("purchases_shown", "3"),
        ("offers_shown", "0"),
    ];
    let wrong = mara.send(AT, "dialogue.set", &says).await;
    assert_eq!(wrong.message("dialogue.set", "offers_shown"), "Число от 1 до 20");
    let says = with(says.to_vec(), &[("offers_shown", "2")]);
    let saved = mara.send(AT, "dialogue.set", &says).await;
    saved.assert_leads_to(&format!("{AT}?done=saved"));
    assert_eq!(mara.get(AT).await.form("dialogue.set").get("kept_days"), Some("7"));
    let late = mara.send(AT, "dialogue.set", &says).await;
    late.assert_says("изменил кто-то другой");
    let mut agent = app.staff_as("agent", "agent").await;
    assert_eq!(agent.get(AT).await.status, StatusCode::FORBIDDEN);
}
