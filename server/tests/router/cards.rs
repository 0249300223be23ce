//! The card: its page, the code that a phone shows and a till takes, blocking one that is lost, binding one of plastic.

use crate::api::{TillApi, pointers, problem, read, till};
use crate::common::html::tags;
use crate::common::{Customer, PASSWORD, Reply, TestApp, Town};
use app::ROUTES;
use axum::http::StatusCode;
use chrono::Duration;
use crm::card::code::{Secret, step_of, text};
use crm::till::Scope;
use serde_json::{Value, json};

/// What the page of a card gives the script that shows its codes.
#[derive(Clone)]
struct Shown {
    number: String,
    secret: Secret,
    /// The server's time, in milliseconds since 1970.
    now: i64,
}

impl Shown {
    fn of(page: &Reply) -> Self {
        let tags = tags(&page.body);
        let place = tags.iter().find(|tag| tag.get("data-rotating").is_some());
        let place = place.expect("a place for the code");
        let told = |name: &str| place.get(name).expect("told").to_owned();
        Self {
            number: told("data-number"),
            secret: Secret::parse(&told("data-secret")).expect("a secret"),
            now: told("data-now").parse().expect("a time"),
        }
    }

    async fn by(who: &mut Customer) -> Self {
        Self::of(&who.get("/card").await)
    }

    /// What a phone shows now, or some steps later.
    fn code(&self, app: &TestApp, later: i64) -> String {
        let step = step_of(app.world.db.now().timestamp()) + later;
        text(&self.number, &self.secret.digits(step))
    }
}

/// A number as it stands in the words of a page.
fn spaced(number: &str) -> String {
    crm::card::show(number).replace('\u{a0}', " ")
}

async fn identify(till: &TillApi, card: &str) -> Reply {
    till.post("/customers/identify", &json!({ "card": card })).await
}

/// A card of plastic on stock; its number.
async fn blank(till: &TillApi, twelve: &str) -> String {
    let number = format!("{twelve}{}", crm::card::check_digit(twelve).expect("a digit"));
    let written = till.post("/cards", &json!({ "numbers": [number] })).await;
    assert_eq!(read(&written)["written"], 1, "{}", written.body);
    number
}

/// The card is one tap away for whoever has the cabinet on the home screen, and its page says how it comes there.
#[tokio::test]
async fn the_card_comes_onto_the_home_screen() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let article = "/help/home-screen";
    assert!(anna.get("/card").await.body.contains(&format!("href=\"{article}\"")));
    assert_eq!(anna.get(article).await.status, StatusCode::OK);
    let manifest = read(&app.anybody().get("/manifest.webmanifest").await);
    let shortcut = &manifest["shortcuts"][0];
    assert_eq!(shortcut["name"], "Карта", "in the language of the shop: {manifest}");
    let at = shortcut["url"].as_str().expect("an address");
    assert!(
        at.starts_with(manifest["scope"].as_str().expect("a scope")),
        "{manifest}"
    );
    assert_eq!(anna.get(at).await.status, StatusCode::OK);
    let icon = shortcut["icons"][0]["src"].as_str().expect("an icon");
    let icons = manifest["icons"].as_array().expect("icons");
    assert!(icons.iter().any(|one| one["src"] == icon), "{manifest}");
}

#[tokio::test]
async fn the_page_is_complete_without_a_script() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let page = anna.get("/card").await;
    let shown = Shown::of(&page);
    let words = page.text();
    assert!(
        words.contains("Анна") && words.contains(&spaced(&shown.number)),
        "{words}"
    );
    let tags = tags(&page.body);
    let pictures: Vec<_> = tags
        .iter()
        .filter(|tag| tag.name == "svg" && tag.get("role") == Some("img"))
        .map(|tag| (tag.get("aria-label").expect("a name"), tag.get("viewBox").is_some()))
        .collect();
    let ean = format!("Штрихкод карты, номер {}", shown.number);
    assert_eq!(
        pictures,
        [
            (ean.as_str(), true),
            // Filled in by the script, and hidden until then.
            ("QR-код для кассы, меняется каждые полминуты", false),
            ("QR-код с номером карты", true),
            ("Номер карты в Code 128", true),
        ]
    );
    let place = tags.iter().find(|tag| tag.get("data-rotating").is_some());
    assert!(place.is_some_and(|tag| tag.get("hidden").is_some()));
    assert_eq!(shown.now, app.world.db.now().timestamp_millis());
    assert!(anna.get("/").await.body.contains("href=\"/card\""), "home leads there");
}

#[tokio::test]
async fn s18_what_codes_are_made_of_is_on_the_owners_page_and_nowhere_else() {
    let mut town = Town::new().await;
    let page = town.anna.get("/card").await;
    let (hers, his) = (Shown::of(&page), Shown::by(&mut town.boris).await);
    assert_ne!(hers.secret, his.secret);
    assert_eq!(page.header("cache-control"), "no-store");
    let mut seen = 0;
    for route in ROUTES {
        let at = town.path(route.path).await.expect("a sample");
        let mut pages = vec![town.boris.get(&at).await, town.agent.get(&at).await];
        // The page that is kept on her device shows the same card.
        if !matches!(at.as_str(), "/card" | "/card/offline") {
            pages.push(town.anna.get(&at).await);
        }
        if matches!(at.as_str(), "/admin/customers" | "/admin/find") {
            let found = town.agent.find_at(&at, "Лебедева").await;
            pages.push(town.agent.get(&found).await);
        }
        for page in pages {
            assert!(!page.body.contains(&hers.secret.text()), "{at}");
            seen += 1;
        }
    }
    assert!(seen > 2 * ROUTES.len());
    let till = till(&town.app, "till-1", &Scope::ALL).await;
    let told = identify(&till, &hers.code(&town.app, 0)).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    assert!(!told.body.contains(&hers.secret.text()));
    // Neither does the log of what happened hold a code or a secret.
    let digits = hers.code(&town.app, 0).split_off(13);
    let rows = town.app.everything(&[]).await;
    let log: Vec<_> = rows.iter().filter(|row| row.starts_with("audit")).collect();
    assert!(log.len() > 5 && log.iter().all(|row| !row.contains(&digits)), "{log:?}");
}

#[tokio::test]
async fn s08_a_till_takes_the_code_of_a_phone_once() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let (one, two) = (
        till(&app, "till-1", &Scope::ALL).await,
        till(&app, "till-2", &Scope::ALL).await,
    );
    let shown = Shown::by(&mut anna).await;
    let code = shown.code(&app, 0);
    let reply = identify(&one, &code).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    let found = read(&reply);
    assert_eq!(found["customer"], json!(anna.id().await.to_string()));
    assert_eq!(found["card"], json!(shown.number));
    // The answer got lost; a scanner ends with a line break.
    assert_eq!(identify(&one, &format!("{code}\r\n")).await.body, reply.body);
    let refused = async |till: &TillApi, code: &str, kind: &str| {
        let said = problem(&identify(till, code).await, StatusCode::CONFLICT, kind);
        assert_eq!(pointers(&said), [("/card", kind)]);
        assert!(!said.to_string().contains(&code[13..]), "{said}");
    };
    refused(&two, &code, "card_code_replayed").await;
    refused(&one, &shown.code(&app, -1), "card_code_replayed").await;
    refused(&two, &shown.code(&app, 2), "card_code_wrong").await;
    assert_eq!(identify(&two, &shown.code(&app, 1)).await.status, StatusCode::OK);
    // The number goes on as before.
    assert_eq!(identify(&two, &shown.number).await.status, StatusCode::OK);

    // Whatever else takes a card asks for the customer.
    let line = json!([{"article": "tea", "quantity": 1, "price": 100}]);
    let code = shown.code(&app, 1);
    let sale = json!({"document": "S-1", "at": app.world.db.now(), "card": code, "lines": line});
    let quote = json!({"card": code, "lines": line});
    let joining = json!({"phone": app.free_phone(), "card": code});
    for (path, body) in [("/quotes", quote), ("/purchases", sale), ("/customers", joining)] {
        let said = problem(&one.post(path, &body).await, StatusCode::CONFLICT, "identify_first");
        assert_eq!(pointers(&said), [("/card", "identify_first")], "{path}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM purchases").await, 0);

    for _ in 0..19 {
        refused(&one, &shown.code(&app, 9), "card_code_wrong").await;
    }
    app.world.clock.set(app.world.db.now() + Duration::seconds(60));
    let over = identify(&one, &shown.code(&app, 1)).await;
    problem(&over, StatusCode::TOO_MANY_REQUESTS, "too_many");
    assert_eq!(over.header("retry-after"), "3600");
}

#[tokio::test]
async fn s23_which_tills_read_of_a_customer_is_a_row() {
    let app = TestApp::build(false, |config| {
        config.points.identify_by_phone = crm::points::ByPhone::Confirmed;
    })
    .await;
    let mut anna = app.customer("Анна").await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let shown = Shown::by(&mut anna).await;
    let id = anna.id().await;
    identify(&till, &shown.number).await;
    identify(&till, &shown.code(&app, 0)).await;
    till.get(&format!("/customers/{id}")).await;
    let asked = till
        .post("/customers/confirmations", &json!({"phone": anna.phone}))
        .await;
    let told = json!({"confirmation": {
        "confirmation": read(&asked)["confirmation"], "code": app.code_of("counter_code", &anna.phone).await,
    }});
    let reply = till.post("/customers/identify", &told).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    till.post("/customers", &json!({"phone": app.free_phone()})).await;
    let rows = app
        .texts("SELECT reason FROM audit WHERE actor = 'till' AND action = 'customer.read' ORDER BY id")
        .await;
    assert_eq!(
        rows,
        [
            "customers card",
            "customers rotating",
            "customers known",
            "customers code",
            "customers joining"
        ]
    );
    // Each says which till it was, and all but the newcomer's whose data it read.
    let db = &app.world.db;
    let mut conn = db.read().await.expect("a connection");
    let (looks, _) = crm::audit::of_customer(&mut conn, anna.proof().await.me(), None, 10)
        .await
        .expect("read");
    assert_eq!(looks.len(), 4, "{looks:?}");
    assert!(
        looks
            .iter()
            .all(|look| look.by == crm::audit::Reader::Till("Касса".into()))
    );
    // Whom nobody found nobody read; a phone that nobody has is no customer.
    identify(&till, "2900000000018").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM audit WHERE actor = 'till'").await, 5);
}

#[tokio::test]
async fn s15_a_lost_card_is_blocked_by_its_owner_who_proved_anew() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut boris = app.customer("Борис").await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let lost = Shown::by(&mut anna).await;
    let page = anna.get("/card").await;
    let words = page.text();
    assert!(
        words.contains("вернуть её будет нельзя"),
        "what happens is said before: {words}"
    );
    let form = page.form("card.block");

    let before = app.everything(&[]).await;
    let foreign = boris.submit("/card", &form).await;
    assert_eq!(foreign.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", foreign.text());
    assert_eq!(app.everything(&[]).await, before, "somebody else's stays as it was");

    // Too long ago: nothing is offered, and what was offered before leads to the proof.
    let password = [("current", ""), ("password", PASSWORD)];
    let set = anna.send("/profile/security", "password.set", &password).await;
    assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.text());
    app.world.clock.set(app.world.db.now() + Duration::minutes(16));
    let stale = anna.get("/card").await;
    assert!(!stale.body.contains("value=\"card.block\"") && !stale.body.contains("value=\"card.bind\""));
    assert!(stale.body.contains("/confirm?next=/card"), "{}", stale.text());
    let sent = anna.submit("/card", &form).await;
    sent.assert_leads_to("/confirm?next=/card");
    assert_eq!(
        identify(&till, &lost.number).await.status,
        StatusCode::OK,
        "still taken"
    );
    let proved = anna
        .send("/confirm?next=/card", "confirm.password", &[("password", PASSWORD)])
        .await;
    proved.assert_leads_to("/card");
    app.assert_row("confirm").await;

    let form = anna.get("/card").await.form("card.block");
    let blocked = anna.submit("/card", &form).await;
    blocked.assert_leads_to("/card?done=blocked");
    let page = anna.get("/card?done=blocked").await;
    let new = Shown::of(&page);
    assert!(new.number != lost.number && new.secret != lost.secret);
    page.assert_says("Карта заблокирована");
    assert!(page.text().contains(&spaced(&lost.number)), "it is listed as blocked");
    for old in [lost.number.clone(), lost.code(&app, 0)] {
        problem(&identify(&till, &old).await, StatusCode::CONFLICT, "card_blocked");
    }
    let found = read(&identify(&till, &new.code(&app, 0)).await);
    assert_eq!(found["card"], Value::String(new.number));
    let messages = crm::outbox::inbox(&app.world.db, 20).await.expect("the outbox");
    let told: Vec<_> = messages
        .iter()
        .filter(|m| m.template == "card_blocked" && m.address == anna.phone)
        .collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].body.contains(&lost.number), "{}", told[0].body);

    // From a page of before: the same button under another key.
    let mut again = form.clone();
    for (name, value) in &mut again.fields {
        if name == "_key" {
            *value = crm::who::Token::random().secret().to_owned();
        }
    }
    let gone = anna.submit("/card", &again).await;
    assert_eq!(gone.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", gone.text());
    gone.assert_says("уже заблокирована");
}

#[tokio::test]
async fn a_plastic_card_is_bound_by_its_number_and_shown_among_the_others() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let number = blank(&till, "290777777777").await;
    for (typed, said) in [
        ("", "Введите номер с карты"),
        ("12", "Привязать эту карту нельзя"),
        ("2900000000018", "Привязать эту карту нельзя"),
    ] {
        let refused = anna.send("/card", "card.bind", &[("number", typed)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{typed}");
        assert!(
            refused.message("card.bind", "number").contains(said),
            "{}",
            refused.text()
        );
    }
    let bound = anna
        .send("/card", "card.bind", &[("number", &crm::card::show(&number))])
        .await;
    bound.assert_leads_to("/card?done=bound");
    app.assert_row("card.bind").await;
    let page = anna.get("/card?done=bound").await;
    page.assert_says("Пластиковая карта привязана");
    assert!(page.text().contains(&spaced(&number)), "{}", page.text());
    assert_ne!(
        Shown::of(&page).number,
        number,
        "the electronic one has codes, so it is shown"
    );
    let found = read(&identify(&till, &number).await);
    assert_eq!(found["name"], "Анна");
    let messages = crm::outbox::inbox(&app.world.db, 20).await.expect("the outbox");
    assert_eq!(messages.iter().filter(|m| m.template == "card_bound").count(), 1);

    // Somebody else's try tells them nothing of whose it is, and they have ten an hour.
    let mut boris = app.customer("Борис").await;
    for _ in 0..10 {
        let refused = boris.send("/card", "card.bind", &[("number", &number)]).await;
        assert!(
            refused
                .message("card.bind", "number")
                .contains("Привязать эту карту нельзя"),
            "{}",
            refused.text()
        );
    }
    let over = boris.send("/card", "card.bind", &[("number", &number)]).await;
    assert_eq!(over.status, StatusCode::TOO_MANY_REQUESTS, "{}", over.text());

    // Both cards may be blocked; only with the last electronic one a new one comes.
    let forms: Vec<_> = crate::common::html::forms(&anna.get("/card").await.body)
        .into_iter()
        .filter(|form| form.name == "card.block")
        .collect();
    assert_eq!(forms.len(), 2);
    let blocked = anna.submit("/card", &forms[1]).await;
    blocked.assert_leads_to("/card?done=blocked");
    problem(&identify(&till, &number).await, StatusCode::CONFLICT, "card_blocked");
    assert_eq!(
        app.count("SELECT COUNT(*) FROM cards WHERE customer_id IS NOT NULL AND state = 'active'")
            .await,
        2
    );
}
