//! Staff register whoever calls or stands at the desk, at the page of customers.

use crate::api::till;
use crate::common::html::tags;
use crate::common::{Reply, TestApp, Town};
use axum::http::StatusCode;
use crm::till::Scope;
use crm::who::Token;
use serde_json::json;

const AT: &str = "/admin/customers";
const FORM: &str = "customer.enter";
const PEOPLE: &str = "SELECT COUNT(*) FROM customers";

/// What the form sends.
fn fields<'a>(phone: &'a str, card: &'a str) -> [(&'a str, &'a str); 6] {
    [
        ("phone", phone),
        ("name", "Вера"),
        ("surname", "Яковлева"),
        ("email", "vera@example.com"),
        ("language", "ru"),
        ("card", card),
    ]
}

/// Whether the form of a page is unfolded.
fn is_open(page: &Reply) -> bool {
    let fold = tags(&page.body)
        .iter()
        .any(|tag| tag.get("class") == Some("fold") && tag.get("open").is_some());
    fold && page.body.contains(FORM)
}

#[tokio::test]
async fn whom_a_search_did_not_find_is_registered_and_completes_it_at_home() {
    let app = TestApp::new().await;
    let mut lead = app.staff_as("lada", "lead").await;
    let phone = app.free_phone();
    let digit = crm::card::check_digit("290000000001").expect("a digit");
    let number = format!("290000000001{digit}");
    let stock = till(&app, "till-1", &Scope::ALL).await;
    stock.post("/cards", &json!({"numbers": [number]})).await;

    // Before anything is looked for it is folded, and empty.
    let page = lead.get(AT).await;
    assert!(!is_open(&page));
    assert_eq!(page.form(FORM).get("phone"), Some(""));
    let found = lead.find(&phone.replace("+7", "8")).await;
    let page = lead.get(&found).await;
    page.assert_says("Никого не нашлось");
    assert!(is_open(&page), "{}", page.text());
    let form = page.form(FORM);
    assert_eq!(form.get("phone"), Some(phone.as_str()), "what was looked for");

    let form = form.with("name", "Вера").with("surname", "Яковлева");
    let form = form.with("email", "vera@example.com").with("card", &number);
    let done = lead.submit(&found, &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
    let card = done.location().to_owned();
    assert!(card.starts_with(AT) && card.ends_with("?done=entered"), "{card}");
    // Nobody is asked why: she told her phone.
    let page = lead.first(&card).await;
    for words in ["Покупатель зарегистрирован", "Яковлева Вера", "vera@example.com"]
    {
        page.assert_says(words);
    }
    let history = card.replace("?done=entered", "?kind=changes");
    lead.get(&history)
        .await
        .assert_says("Покупателя зарегистрировал сотрудник");
    app.assert_row("customer.enter").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM consents").await, 0, "hers to give");
    let sent = "SELECT COUNT(*) FROM outbox WHERE customer_id IS NOT NULL";
    assert_eq!(app.count(sent).await, 0, "as at a till");
    let of_her = "SELECT COUNT(*) FROM cards k JOIN customers c ON c.id = k.customer_id WHERE k.kind = 'plastic' AND c.name = 'Вера'";
    assert_eq!(app.count(of_her).await, 1);

    // At home she proves the phone, agrees, and reads who registered her.
    let mut vera = app.anybody();
    vera.prove(&phone).await;
    let mut told = crate::common::details("Вера");
    told.retain(|(name, _)| *name != "email");
    told.push(("email", "yakovleva@example.com"));
    let details = vera.send("/sign-in/details", "sign_in.details", &told).await;
    details.assert_leads_to("/sign-in/review");
    let registered = vera.send("/sign-in/review", "sign_in.register", &[]).await;
    registered.assert_leads_to("/welcome?done=registered");
    assert_eq!(app.count(PEOPLE).await, 1, "the same record");
    let views = vera.get("/profile/views").await.text();
    for words in ["Вас зарегистрировали в клубе", "вы назвали телефон, почту или карту"]
    {
        assert!(views.contains(words), "{words}: {views}");
    }
}

#[tokio::test]
async fn a_form_that_is_sent_twice_registers_once() {
    let app = TestApp::new().await;
    let mut lead = app.staff_as("lada", "lead").await;
    let (phone, key) = (app.free_phone(), Token::random());
    let mut sent = Vec::new();
    for _ in 0..2 {
        let reply = lead.send_keyed(AT, FORM, key.secret(), &fields(&phone, "")).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text());
        sent.push(reply.location().to_owned());
    }
    assert_eq!(sent[0], sent[1]);
    assert_eq!(app.count(PEOPLE).await, 1);
}

#[tokio::test]
async fn what_is_wrong_stands_at_its_field_and_whose_a_phone_is_below_a_link() {
    let town = Town::new().await;
    let mut lead = town.app.staff_as("lada", "lead").await;
    let before = town.app.count(PEOPLE).await;
    let free = town.app.free_phone();
    let wrong = [
        ("phone", "12"),
        ("name", "1"),
        ("surname", ""),
        ("email", "vera@"),
        ("language", "ru"),
        ("card", ""),
    ];
    let reply = lead.send(AT, FORM, &wrong).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    for field in ["phone", "name", "email"] {
        assert!(!reply.message(FORM, field).is_empty(), "{field}");
    }
    assert_eq!(reply.message(FORM, "surname"), "", "it may be empty");
    assert_eq!(reply.form(FORM).get("email"), Some("vera@"), "what was typed stays");
    let none = lead.send(AT, FORM, &fields("", "")).await;
    assert_eq!(none.message(FORM, "phone"), "Напишите номер телефона");

    // Somebody's card, and one that is none of the shop's.
    let annas = "SELECT n.number FROM cards n JOIN customers c ON c.id = n.customer_id WHERE c.name = 'Анна' LIMIT 1";
    let annas = town.app.text(annas).await;
    for number in [annas.as_str(), "4006381333931", "12"] {
        let reply = lead.send(AT, FORM, &fields(&free, number)).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{number}");
        assert!(
            reply.message(FORM, "card").contains("Привязать эту карту нельзя"),
            "{number}"
        );
    }

    // Somebody's phone: they are shown as a search would, and told by it.
    let phone = town.anna.phone.clone();
    let taken = lead.send(AT, FORM, &fields(&phone.replace("+7", "8"), "")).await;
    assert_eq!(taken.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(taken.message(FORM, "phone"), "Такой уже есть");
    taken.assert_says("С этим телефоном покупатель уже есть");
    town.app.assert_row("customer.search").await;
    let card = format!("{AT}/{}?find=", town.anna.id().await);
    let link = tags(&taken.body)
        .iter()
        .filter_map(|tag| tag.get("href").map(str::to_owned))
        .find(|href| href.starts_with(&card));
    let link = link.unwrap_or_else(|| panic!("no link to her: {}", taken.text()));
    lead.first(&link).await.assert_says("Лебедева Анна");
    assert_eq!(town.app.count(PEOPLE).await, before);

    // One who is registered and has proved nothing yet is there as well.
    let first = lead.send(AT, FORM, &fields(&free, "")).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.text());
    let again = lead.send(AT, FORM, &fields(&free, "")).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    again.assert_says("Яковлева Вера");
    assert_eq!(town.app.count(PEOPLE).await, before + 1);

    // Whose name nobody knows is called something, so that there is a link to them.
    let unnamed = town.app.free_phone();
    let only = fields(&unnamed, "").map(|(name, value)| match name {
        "phone" | "language" => (name, value),
        _ => (name, ""),
    });
    let sent = lead.send(AT, FORM, &only).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text());
    let found = lead.find(&unnamed).await;
    lead.get(&found).await.assert_says("Без имени");
}

#[tokio::test]
async fn s17_only_who_corrects_data_of_customers_registers_some() {
    let app = TestApp::new().await;
    let mut agent = app.staff_as("agent_alone", "agent").await;
    let phone = app.free_phone();
    let found = agent.find(&phone).await;
    assert!(!agent.get(&found).await.body.contains(FORM));
    let sent = agent.send(AT, FORM, &fields(&phone, "")).await;
    assert_eq!(sent.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", sent.text());
    sent.assert_says("Этого сделать нельзя");
    assert_eq!(app.count(PEOPLE).await, 0);

    // A role with this right alone registers with a phone and an e-mail, and adds none to an account that is there.
    app.execute(
        "INSERT INTO roles (code, name, rights, position) \
         VALUES ('desk', '{\"ru\": \"С\", \"en\": \"D\"}', '[\"customers\", \"personal_data\"]', 8)",
    )
    .await;
    let mut desk = app.staff_as("desk", "desk").await;
    let sent = desk.send(AT, FORM, &fields(&phone, "")).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text());
    assert_eq!(app.count(PEOPLE).await, 1);
    let card = sent.location().split('?').next().unwrap_or_default().to_owned();
    let acts = desk.get(&format!("{card}/acts")).await;
    assert_eq!(acts.status, StatusCode::OK, "{}", acts.text());
    assert!(acts.body.contains("customer.correct") && !acts.body.contains("contact.enter_phone"));
    let own = [("phone", "+79005550011"), ("reason", "Другой номер")];
    let refused = desk.send(&format!("{card}/acts"), "contact.enter_phone", &own).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text());
    let added = "SELECT COUNT(*) FROM contacts WHERE value = '+79005550011'";
    assert_eq!(app.count(added).await, 0);
}
