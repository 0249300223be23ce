//! The API as a till sees it.

use crate::common::{BY, Reply, SAME_SITE, TestApp};
use axum::http::{Method, StatusCode};
use chrono::{DateTime, Duration, Utc};
use crm::points::ByPhone;
use crm::till::{NewTill, Scope};
use serde_json::{Value, json};
use server::api;
use std::sync::atomic::{AtomicU32, Ordering};

/// A till with a key.
#[derive(Clone)]
pub(crate) struct TillApi {
    app: TestApp,
    id: crm::id::TillId,
    key: String,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Something that nobody used before.
fn fresh(what: &str) -> String {
    format!("{what}-{:08}", COUNT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) async fn till(app: &TestApp, code: &str, scopes: &[Scope]) -> TillApi {
    let new = NewTill {
        code: code.into(),
        name: "Касса".into(),
        source: "shop".into(),
        store: None,
    };
    let db = &app.world.db;
    let id = crm::till::store::create_by_system(db, &BY, &new).await.expect("a till");
    let key = crm::till::store::create_key_by_system(db, &BY, id, scopes)
        .await
        .expect("a key");
    TillApi {
        app: app.clone(),
        id,
        key: key.secret().to_owned(),
    }
}

impl TillApi {
    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
        let bearer = format!("Bearer {}", self.key);
        let mut all = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        all.extend(headers);
        let at = format!("{}{path}", api::PREFIX);
        self.app.anybody().request(method, &at, &all, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, &[], Vec::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_as(path, &fresh("key"), body).await
    }

    async fn post_as(&self, path: &str, key: &str, body: &Value) -> Reply {
        let method = if ["/stores", "/categories", "/articles"].contains(&path) {
            Method::PUT
        } else {
            Method::POST
        };
        self.ask(method, path, &[("idempotency-key", key)], body.to_string().into_bytes())
            .await
    }

    /// Sells something for so much.
    async fn sell(&self, customer: &str, price: i64, at: DateTime<Utc>) -> Value {
        let sale = json!({
            "document": fresh("sale"), "at": at, "customer": customer,
            "lines": [{"article": "tea", "name": "Чай", "quantity": 1, "price": price}],
        });
        let reply = self.post("/purchases", &sale).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
        read(&reply)
    }
}

pub(crate) fn read(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap_or_else(|e| panic!("{} is JSON: {e}: {}", reply.path, reply.body))
}

/// A problem of a kind, as RFC 9457 says it.
pub(crate) fn problem(reply: &Reply, status: StatusCode, code: &str) -> Value {
    assert_eq!(reply.status, status, "{}", reply.body);
    assert_eq!(
        reply.header("content-type"),
        "application/problem+json",
        "{}",
        reply.body
    );
    let problem = read(reply);
    assert_eq!(problem["code"], code, "{problem}");
    assert_eq!(problem["status"], status.as_u16(), "{problem}");
    assert_eq!(problem["type"], format!("/api/docs#{code}"), "{problem}");
    problem
}

/// The fields at fault.
pub(crate) fn pointers(problem: &Value) -> Vec<(&str, &str)> {
    let errors = problem["errors"].as_array().expect("errors");
    errors
        .iter()
        .map(|e| {
            (
                e["pointer"].as_str().expect("a pointer"),
                e["code"].as_str().expect("a code"),
            )
        })
        .collect()
}

/// The words of a page without the spaces.
fn dense(reply: &Reply) -> String {
    reply.text().chars().filter(|c| !c.is_whitespace()).collect()
}

/// The number of somebody's card.
async fn card(who: &mut crate::common::Customer) -> String {
    let page = who.browser.get("/card").await.text();
    let digits: String = page.chars().filter(|c| !c.is_whitespace()).collect();
    let at = digits.find("290").expect("a card's number");
    digits[at..at + 13].to_owned()
}

#[tokio::test]
async fn a_card_is_shown_points_are_earned_pay_and_come_back() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let now = app.world.db.now();

    let reply = till
        .post("/customers/identify", &json!({"card": card(&mut anna).await}))
        .await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    let found = read(&reply);
    let who = found["customer"].as_str().expect("an id").to_owned();
    assert_eq!(found["name"], "Анна");

    let basket = json!({"customer": who, "lines": [{"article": "tea", "quantity": 2, "price": 50_000, "discount": 1}]});
    let quote = read(&till.post("/quotes", &basket).await);
    assert_eq!(quote["total"], 99_999);
    assert_eq!(
        quote["earns"][0]["points"], 2_999,
        "3 % of 999.99, rounded down: {quote}"
    );
    assert_eq!(quote["payable"]["most"], 0, "nothing to spend yet");

    let sale = till.sell(&who, 100_000, now).await;
    assert_eq!(sale["earned"][0]["points"], 3_000, "{sale}");
    assert_eq!(sale["known"], false);
    assert_eq!(sale["code"], Value::Null, "it is somebody's");

    // Two weeks later they can be spent.
    app.world.clock.set(now + Duration::days(15));
    let later = app.world.db.now();
    let quote = read(&till.post("/quotes", &basket).await);
    assert_eq!(
        quote["payable"],
        json!({"program": "club", "available": 3_000, "most": 3_000, "least": 100, "step": 100})
    );
    let wish = json!({"customer": who, "points": 2_000});
    let held = read(&till.post("/reservations", &wish).await);
    assert_eq!((&held["state"], &held["points"]), (&json!("held"), &json!(2_000)));
    let more = till
        .post("/reservations", &json!({"customer": who, "points": 1_001}))
        .await;
    assert_eq!(problem(&more, StatusCode::CONFLICT, "not_enough_points")["missing"], 1);
    let id = held["reservation"].as_str().expect("an id");
    let paid = json!({
        "document": "S-2", "at": later, "customer": who,
        "lines": [{"article": "tea", "quantity": 1, "price": 10_000}, {"article": "cup", "quantity": 2, "price": 5_000}],
        "redeem": {"reservation": id, "points": 1_500},
    });
    let receipt = till.post("/purchases", &paid).await;
    assert_eq!(receipt.status, StatusCode::CREATED, "{}", receipt.body);
    assert_eq!(read(&receipt)["paid"][0]["points"], 1_500);
    assert_eq!(
        read(&receipt)["earned"][0]["points"],
        554,
        "3 % of 92.50 of each line: what points pay earns nothing"
    );
    let state = read(&till.get(&format!("/reservations/{id}")).await);
    assert_eq!(
        (&state["state"], &state["captured"]),
        (&json!("captured"), &json!(1_500))
    );
    let left = read(&till.get(&format!("/customers/{who}")).await);
    assert_eq!(
        left["balances"][0]["available"], 1_500,
        "what was not captured is free again: {left}"
    );

    // The customer's receipt says so, and with which points.
    let page = anna
        .browser
        .get(&format!(
            "/purchases/{}",
            read(&receipt)["purchase"].as_str().expect("an id")
        ))
        .await;
    let page_text = dense(&page);
    for words in [
        "Оплаченобаллами−15",
        "изнихбаллами7,50",
        "Клубсоседей,3%,условияверсии1",
    ] {
        assert!(page_text.contains(words), "{words}: {page_text}");
    }
    let earned_on = format!("href=\"/purchases/{}\"", sale["purchase"].as_str().expect("an id"));
    assert!(page.body.contains(&earned_on), "{page_text}");

    // Half of the cups come back, with their half of what points paid for them.
    let back = json!({
        "document": "R-1", "at": later, "lines": [{
            "article": "cup", "quantity": 1, "price": 5_000, "original": {"document": "S-2", "line": 2},
        }],
    });
    let returned = till.post("/returns", &back).await;
    assert_eq!(returned.status, StatusCode::CREATED, "{}", returned.body);
    assert_eq!(read(&returned)["customer"], who, "whoever bought it");
    let receipt = read(&till.get("/purchases/S-2").await);
    assert_eq!(
        receipt["paid"][0]["points"], 1_125,
        "750 paid for the cups, half of them went back: {receipt}"
    );
    let mut again = back.clone();
    again["document"] = json!("R-2");
    again["lines"][0]["quantity"] = json!(2);
    let too_many = till.post("/returns", &again).await;
    let said = problem(&too_many, StatusCode::CONFLICT, "not_bought");
    assert_eq!(pointers(&said), [("/lines/0/quantity", "not_bought")]);
    assert_eq!(said["most"], 1);

    // The cashier had taken the wrong receipt.
    let no = till.post("/purchases/S-2/void", &json!({})).await;
    problem(&no, StatusCode::CONFLICT, "returned");
    let void = till.post("/purchases/R-1/void", &json!({})).await;
    assert_eq!(void.status, StatusCode::OK, "{}", void.body);
    assert_ne!(read(&void)["voided_at"], Value::Null);
    let receipt = read(&till.get("/purchases/S-2").await);
    assert_eq!(receipt["paid"][0]["points"], 1_500, "as before: {receipt}");
    assert!(
        dense(&anna.browser.get("/purchases").await).contains("200,00₽"),
        "the customer sees it"
    );
    assert_eq!(
        crm::points::store::verify(&app.world.db, &BY).await.expect("verified"),
        []
    );
}

/// Who looks into the cabinet at the counter sees why not all of the points can be spent.
#[tokio::test]
async fn points_that_a_till_holds_are_shown_until_it_lets_go_of_them() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let who = anna.id().await.to_string();
    till.sell(&who, 100_000, app.world.db.now()).await;
    app.world.clock.set(app.world.db.now() + Duration::days(15));
    crm::points::store::run_due(&app.world.db, &BY).await.expect("done");
    let holds = "придержалакасса";
    for page in ["/", "/points"] {
        let text = dense(&anna.browser.get(page).await).to_lowercase();
        assert!(text.contains("30баллов") && !text.contains(holds), "{page}: {text}");
    }

    let held = read(
        &till
            .post("/reservations", &json!({"customer": who, "points": 2_000}))
            .await,
    );
    let until = app.world.db.now() + Duration::minutes(30);
    let until = app.world.db.shop().local(until).format("%H:%M");
    let home = dense(&anna.browser.get("/").await);
    for words in [
        "Вашибаллы30баллов",
        "Можнопотратитьсейчас10",
        &format!("Придержалакассадо{until}20"),
    ] {
        assert!(home.contains(words), "{words}: {home}");
    }
    let points = dense(&anna.browser.get("/points").await);
    assert!(points.contains("Можнотратить10баллов"), "{points}");
    assert!(points.contains(&format!("ещё20придержалакассадо{until}")), "{points}");
    anna.browser.send("/", "language", &[("language", "en")]).await;
    let home = dense(&anna.browser.get("/").await);
    let points = dense(&anna.browser.get("/points").await);
    assert!(home.contains(&format!("Heldbyatilluntil{until}20")), "{home}");
    assert!(points.contains(&format!("atillholds20moreuntil{until}")), "{points}");
    anna.browser.send("/", "language", &[("language", "ru")]).await;

    let id = held["reservation"].as_str().expect("an id");
    let cancelled = till.post(&format!("/reservations/{id}/cancel"), &json!({})).await;
    assert_eq!(cancelled.status, StatusCode::OK, "{}", cancelled.body);
    for page in ["/", "/points"] {
        let text = dense(&anna.browser.get(page).await).to_lowercase();
        assert!(text.contains("30баллов") && !text.contains(holds), "{page}: {text}");
    }
}

#[tokio::test]
async fn the_same_key_is_done_once_and_gets_the_same_answer() {
    let app = TestApp::new().await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let sale = json!({
        "document": "S-1", "at": app.world.db.now(), "lines": [{"article": "tea", "quantity": 1, "price": 100}],
    });
    let first = till.post_as("/purchases", "one-key-1", &sale).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
    assert!(
        read(&first)["code"].as_str().is_some_and(|code| code.len() == 12),
        "{}",
        first.body
    );
    // As an hourly job does, which takes away what is too old: six days later the answer is still there.
    let now = app.world.db.now();
    app.world.clock.set(now + Duration::days(6));
    crm::signin::store::sweep(&app.world.db, &BY).await.expect("swept");
    let later = till.post_as("/purchases", "one-key-1", &sale).await;
    assert_eq!(
        (later.status, &later.body),
        (first.status, &first.body),
        "word for word"
    );
    app.world.clock.set(now);
    let before = app.everything(&["api_keys"]).await;
    let second = till.post_as("/purchases", "one-key-1", &sale).await;
    assert_eq!(
        (second.status, &second.body),
        (first.status, &first.body),
        "word for word"
    );
    assert_eq!(app.everything(&["api_keys"]).await, before, "and nothing more");

    let mut other = sale.clone();
    other["lines"][0]["price"] = json!(200);
    let refused = till.post_as("/purchases", "one-key-1", &other).await;
    problem(&refused, StatusCode::CONFLICT, "key_reused");
    let elsewhere = till.post_as("/reservations", "one-key-1", &sale).await;
    assert!(elsewhere.status.is_client_error(), "{}", elsewhere.body);
    let none = till
        .ask(Method::POST, "/purchases", &[], sale.to_string().into_bytes())
        .await;
    problem(&none, StatusCode::BAD_REQUEST, "key_missing");
    let short = till.post_as("/purchases", "short", &sale).await;
    problem(&short, StatusCode::BAD_REQUEST, "key_missing");

    // Under a new key the number tells that it is the same receipt, or another one.
    let known = till.post("/purchases", &sale).await;
    assert_eq!(
        (known.status, &read(&known)["known"]),
        (StatusCode::OK, &json!(true)),
        "{}",
        known.body
    );
    let conflict = till.post("/purchases", &other).await;
    problem(&conflict, StatusCode::CONFLICT, "document_conflict");
    let mut longer = sale.clone();
    longer["lines"] =
        json!([{"article": "tea", "quantity": 1, "price": 100}, {"article": "cup", "quantity": 1, "price": 1}]);
    problem(
        &till.post("/purchases", &longer).await,
        StatusCode::CONFLICT,
        "document_conflict",
    );
    // That a day is counted once more for reports, though nothing came of it, is nothing that was booked.
    let after = app.everything(&["api_keys", "idempotency_keys", "report_marks"]).await;
    let before: std::collections::BTreeSet<_> = before
        .into_iter()
        .filter(|row| !row.starts_with("idempotency_keys") && !row.starts_with("report_marks"))
        .collect();
    let changed: Vec<_> = after.symmetric_difference(&before).collect();
    assert!(
        changed.is_empty(),
        "what was refused left nothing behind, not even an article: {changed:#?}"
    );
}

#[tokio::test]
async fn s21_a_hundred_duplicates_at_once_have_one_effect() {
    a_hundred_duplicates_have_one_effect(&TestApp::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_duplicates_at_once_have_one_effect_on_postgres() {
    a_hundred_duplicates_have_one_effect(&TestApp::on_postgres().await).await;
}

async fn a_hundred_duplicates_have_one_effect(app: &TestApp) {
    let till = till(app, "till-1", &Scope::ALL).await;
    let now = app.world.db.now();
    let joined = till.post("/customers", &json!({"phone": "+79260000001"})).await;
    assert_eq!(joined.status, StatusCode::CREATED, "{}", joined.body);
    let who = read(&joined)["customer"].as_str().expect("an id").to_owned();
    till.sell(&who, 100_000, now).await;
    app.world.clock.set(now + Duration::days(20));
    let wish = json!({"customer": who, "points": 100});
    let sale = json!({
        "document": "S-1", "at": now, "customer": who, "lines": [{"article": "tea", "quantity": 1, "price": 10_000}],
    });
    for (path, body) in [("/reservations", &wish), ("/purchases", &sale)] {
        let key = fresh("many");
        let all = futures::future::join_all((0..100).map(|_| till.post_as(path, &key, body))).await;
        for reply in &all {
            assert_eq!(
                (reply.status, &reply.body),
                (StatusCode::CREATED, &all[0].body),
                "{path}"
            );
        }
    }
    let left = read(&till.get(&format!("/customers/{who}")).await);
    assert_eq!(left["balances"][0]["reserved"], 100, "{left}");
    // Each with a key of its own they are as many wishes: as many as there are points for.
    let wish = json!({"customer": who, "points": 500});
    let all = futures::future::join_all((0..100).map(|_| till.post("/reservations", &wish))).await;
    let held = all.iter().filter(|reply| reply.status == StatusCode::CREATED).count();
    let left = read(&till.get(&format!("/customers/{who}")).await);
    assert_eq!(held, 6, "32.00 points were left: {left}");
    for reply in all.iter().filter(|reply| reply.status != StatusCode::CREATED) {
        problem(reply, StatusCode::CONFLICT, "not_enough_points");
    }
    assert_eq!(
        crm::points::store::verify(&app.world.db, &BY).await.expect("verified"),
        []
    );
}

#[tokio::test]
async fn of_two_batches_at_once_one_counts() {
    of_two_batches_one_counts(&TestApp::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_batches_at_once_one_counts_on_postgres() {
    of_two_batches_one_counts(&TestApp::on_postgres().await).await;
}

async fn of_two_batches_one_counts(app: &TestApp) {
    let till = till(app, "till-1", &Scope::ALL).await;
    let now = app.world.db.now();
    let sale = |document: String, price: i64| {
        json!({
            "document": document, "at": now, "lines": [{"article": "tea", "quantity": 1, "price": price}],
        })
    };
    // Two bodies under one key: the one that comes first is booked, of the other nothing.
    let receipts = |name: &str| (0..3).map(|n| sale(format!("{name}-{n}"), 100)).collect::<Vec<_>>();
    let batches = ["A", "B"].map(|name| json!({"purchases": receipts(name)}));
    let key = fresh("batch");
    let all = futures::future::join_all((0..20).map(|n| till.post_as("/purchases/batch", &key, &batches[n % 2]))).await;
    let first = usize::from(all[0].status != StatusCode::OK);
    for (n, reply) in all.iter().enumerate() {
        if n % 2 == first {
            assert_eq!((reply.status, &reply.body), (StatusCode::OK, &all[first].body), "{n}");
        } else {
            problem(reply, StatusCode::CONFLICT, "key_reused");
        }
    }
    for (n, name) in ["A", "B"].iter().enumerate() {
        let expected = if n == first {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        };
        for place in 0..3 {
            let reply = till.get(&format!("/purchases/{name}-{place}")).await;
            assert_eq!(reply.status, expected, "{name}-{place}: {}", reply.body);
        }
    }
    // A key for each of them, and one number: whoever comes first is booked, the others are told what they are.
    let batches = [200, 300].map(|price| json!({"purchases": [sale("C-1".into(), price)]}));
    let all = futures::future::join_all((0..20).map(|n| till.post("/purchases/batch", &batches[n % 2]))).await;
    let all: Vec<Value> = all.iter().map(read).collect();
    let sum = |field: &str| all.iter().filter_map(|done| done[field].as_i64()).sum::<i64>();
    assert_eq!((sum("booked"), sum("known"), sum("rejected")), (1, 9, 10), "{all:?}");
    let refused = all.iter().filter(|done| done["rejected"] == 1);
    let problems: Vec<_> = refused
        .map(|done| &done["receipts"][0]["problem"])
        .map(|problem| (problem["status"].as_i64(), problem["code"].as_str()))
        .collect();
    assert_eq!(problems, [(Some(409), Some("document_conflict")); 10]);
}

/// A receipt that cannot be booked, whatever the reason, keeps nobody else out; and of times that no database of ours has none
/// comes that far.
#[tokio::test]
async fn a_receipt_that_fails_stops_nothing_of_its_batch() {
    const POISON: &str = "CREATE TRIGGER poison BEFORE INSERT ON purchases WHEN NEW.document = 'poison' \
                          BEGIN SELECT RAISE(ABORT, 'for a test'); END";
    let app = TestApp::new().await;
    app.execute(POISON).await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let sale = |document: &str| {
        json!({
            "document": document, "at": app.world.db.now(), "lines": [{"article": "tea", "quantity": 1, "price": 100}],
        })
    };
    let batch = json!({"purchases": [sale("S-1"), sale("poison"), sale("S-2")]});
    let done = read(&till.post("/purchases/batch", &batch).await);
    assert_eq!(
        (
            &done["booked"],
            &done["rejected"],
            &done["receipts"][1]["problem"]["status"]
        ),
        (&json!(2), &json!(1), &json!(500)),
        "{done}"
    );
}

#[tokio::test]
async fn times_that_no_till_has_are_refused() {
    for app in [TestApp::new().await, TestApp::on_postgres().await] {
        let till = till(&app, "till-1", &Scope::ALL).await;
        for at in ["-9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"] {
            let sale = json!({"document": "S-1", "at": at, "lines": [{"article": "tea", "quantity": 1, "price": 100}]});
            let said = problem(
                &till.post("/purchases", &sale).await,
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
            );
            assert_eq!(pointers(&said), [("/at", "long_ago")], "{at}");
        }
        for days in [
            "from=-9999-01-01&to=-9999-01-01",
            "from=%2B20000-01-01&to=%2B20000-01-01",
            "from=1969-12-31&to=1970-01-01",
        ] {
            let told = till.get(&format!("/exports/postings?{days}")).await;
            assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY, "{days}: {}", told.body);
        }
        let told = till.get("/exports/postings?from=9999-12-31&to=9999-12-31").await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    }
}

/// A return that names a sale that is not there says so, until the sale comes.
#[tokio::test]
async fn a_return_says_whether_its_sale_is_there() {
    let app = TestApp::new().await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let now = app.world.db.now();
    let tea = json!({"article": "tea", "quantity": 1, "price": 100});
    let back = json!({"article": "tea", "quantity": 1, "price": 100, "original": {"document": "S-1", "line": 1}});
    let returned = till
        .post("/returns", &json!({"document": "R-1", "at": now, "lines": [back]}))
        .await;
    assert_eq!(read(&returned)["waiting"], 1, "{}", returned.body);
    let late = app.world.db.now() + Duration::days(1) + Duration::minutes(1);
    app.world.clock.set(late);
    let found = crm::checkup::returns_without_sale(&app.world.db, &BY).await;
    assert_eq!(found.expect("asked"), (1, Some("S-1".to_owned())), "told by the doctor");
    let sold = till
        .post("/purchases", &json!({"document": "S-1", "at": now, "lines": [tea]}))
        .await;
    assert_eq!(read(&sold)["waiting"], 0);
    assert_eq!(read(&till.get("/purchases/R-1").await)["waiting"], 0);
    let found = crm::checkup::returns_without_sale(&app.world.db, &BY).await;
    assert_eq!(found.expect("asked"), (0, None));
}

#[tokio::test]
async fn a_return_of_a_known_number_that_names_another_line_is_refused() {
    let app = TestApp::new().await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let now = app.world.db.now();
    let tea = json!({"article": "tea", "quantity": 1, "price": 100});
    let sale = json!({"document": "S-1", "at": now, "lines": [tea, tea]});
    assert_eq!(till.post("/purchases", &sale).await.status, StatusCode::CREATED);
    let back = |number: &str, document: &str, line: i64| {
        json!({"document": number, "at": now, "lines": [{
            "article": "tea", "quantity": 1, "price": 100, "original": {"document": document, "line": line},
        }]})
    };
    // What it brings back is there, or is still to come.
    for (number, document) in [("R-1", "S-1"), ("R-2", "S-2")] {
        let first = till.post("/returns", &back(number, document, 1)).await;
        assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
        let same = till.post("/returns", &back(number, document, 1)).await;
        assert_eq!(
            (same.status, &read(&same)["known"]),
            (StatusCode::OK, &json!(true)),
            "{}",
            same.body
        );
        for (document, line) in [(document, 2), ("S-3", 1)] {
            let other = till.post("/returns", &back(number, document, line)).await;
            problem(&other, StatusCode::CONFLICT, "document_conflict");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s21_one_line_comes_back_once_and_one_receipt_is_claimed_by_one() {
    let app = TestApp::new().await;
    let (anna, boris) = (app.customer("Анна").await, app.customer("Борис").await);
    let till = till(&app, "till-1", &Scope::ALL).await;
    let now = app.world.db.now();
    let line = json!({"article": "tea", "name": "Чай", "quantity": 1, "price": 50_000});
    // A line that is brought back by a hundred returns, each with a key of its own.
    let who = anna.id().await.to_string();
    let sale = json!({"document": "S-1", "at": now, "customer": who, "lines": [line]});
    assert_eq!(till.post("/purchases", &sale).await.status, StatusCode::CREATED);
    let all: Vec<_> = (0..100)
        .map(|n| {
            let till = till.clone();
            let back = json!({"document": format!("R-{n}"), "at": now, "lines": [{
                "article": "tea", "quantity": 1, "price": 50_000, "original": {"document": "S-1", "line": 1},
            }]});
            tokio::spawn(async move { till.post("/returns", &back).await })
        })
        .collect();
    let mut taken = 0;
    for reply in all {
        let reply = reply.await.expect("an answer");
        if reply.status == StatusCode::CREATED {
            taken += 1;
        } else {
            assert!(reply.status.is_client_error(), "{}", reply.body);
        }
    }
    assert_eq!(taken, 1);
    // A receipt that two people claim, each several times: by one form again and again, and by others.
    let sale = json!({"document": "S-2", "at": now, "lines": [line]});
    let code = read(&till.post("/purchases", &sale).await)["code"]
        .as_str()
        .expect("a code")
        .to_owned();
    let all: Vec<_> = [&anna, &boris]
        .into_iter()
        .flat_map(|who| {
            let same = fresh("form-key");
            [same.clone(), same.clone(), same, fresh("form-key"), fresh("form-key")].map(|key| (who, key))
        })
        .map(|(who, key)| {
            let (mut browser, name, code) = (who.browser.clone(), who.name.clone(), code.clone());
            tokio::spawn(async move {
                let sent = [("receipt", code.as_str())];
                let reply = browser
                    .send_keyed("/purchases/claim", "purchase.claim", &key, &sent)
                    .await;
                (name, reply)
            })
        })
        .collect();
    let mut owners = std::collections::BTreeSet::new();
    for one in all {
        let (name, reply) = one.await.expect("an answer");
        if reply.location().ends_with("?done=claimed") {
            owners.insert(name);
        } else {
            // Refused, or sent while the same form was being taken: back to the page.
            let is_refused = reply.status == StatusCode::UNPROCESSABLE_ENTITY;
            assert!(is_refused || reply.location() == "/purchases/claim", "{}", reply.text());
        }
    }
    assert_eq!(owners.len(), 1, "{owners:?}");
    let claimed = "SELECT COUNT(*) FROM purchases WHERE claimed_at IS NOT NULL";
    assert_eq!(app.count(claimed).await, 1);
    assert_eq!(
        crm::points::store::verify(&app.world.db, &BY).await.expect("verified"),
        []
    );
}

#[tokio::test]
async fn a_till_that_was_cut_off_sends_later_out_of_order_and_twice() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    app.world.clock.set(app.world.db.now() + Duration::hours(2));
    let now = app.world.db.now();
    let who = anna.id().await.to_string();
    let sale = |document: &str, minutes: i64| {
        json!({
            "document": document, "at": now - Duration::minutes(minutes), "customer": who,
            "lines": [{"article": "tea", "quantity": 2, "price": 10_000}],
        })
    };
    let back = json!({
        "document": "R-1", "at": now - Duration::minutes(5),
        "lines": [{"article": "tea", "quantity": 1, "price": 10_000, "original": {"document": "S-1", "line": 1}}],
    });
    let single = till.post("/purchases", &sale("S-3", 30)).await;
    assert_eq!(single.status, StatusCode::CREATED, "{}", single.body);
    let mut unknown = sale("S-9", 3);
    unknown["store"] = json!("nowhere");
    let mut nothing = sale("S-8", 3);
    nothing["lines"][0]["quantity"] = json!(0);
    let batch = json!({
        "purchases": [sale("S-2", 10), unknown, sale("S-3", 30), nothing, sale("S-1", 60), sale("S-2", 10)],
        "returns": [back],
    });
    let key = fresh("batch");
    let first = till.post_as("/purchases/batch", &key, &batch).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let done = read(&first);
    assert_eq!(
        (&done["booked"], &done["known"], &done["rejected"]),
        (&json!(3), &json!(2), &json!(2)),
        "{done}"
    );
    assert_eq!(done["receipts"][1]["problem"]["errors"][0]["pointer"], "/store");
    assert_eq!(
        done["receipts"][3]["problem"]["errors"][0]["pointer"],
        "/lines/0/quantity"
    );
    let again = till.post_as("/purchases/batch", &key, &batch).await;
    assert_eq!(again.body, first.body, "the same key");
    let done = read(&till.post("/purchases/batch", &batch).await);
    assert_eq!(
        (&done["booked"], &done["known"]),
        (&json!(0), &json!(5)),
        "another key: {done}"
    );
    let left = read(&till.get(&format!("/customers/{who}")).await);
    assert_eq!(
        left["balances"][0]["pending"], 1_500,
        "3 % of three times 200.00 less 100.00: {left}"
    );
    let receipt = read(&till.get("/purchases/S-1").await);
    assert_eq!(receipt["earned"][0]["points"], 300, "{receipt}");
    assert_eq!(
        crm::points::store::verify(&app.world.db, &BY).await.expect("verified"),
        []
    );
}

#[tokio::test]
async fn who_joins_at_the_till_completes_it_at_home_and_keeps_what_was_bought() {
    let app = TestApp::new().await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let phone = app.free_phone();
    let number = |twelve: &str| format!("{twelve}{}", crm::card::check_digit(twelve).expect("a digit"));
    let (first, second) = (number("290000000001"), number("290000000002"));
    let stock = json!({"numbers": [first, second, "123", "4006381333931"]});
    let written = read(&till.post("/cards", &stock).await);
    assert_eq!(written, json!({"written": 2, "rejected": ["123", "4006381333931"]}));
    let blank = till.post("/customers/identify", &json!({"card": first})).await;
    problem(&blank, StatusCode::CONFLICT, "card_blank");

    let joined = till
        .post("/customers", &json!({"phone": phone, "card": first, "language": "ru"}))
        .await;
    assert_eq!(joined.status, StatusCode::CREATED, "{}", joined.body);
    let who = read(&joined)["customer"].as_str().expect("an id").to_owned();
    let again = till.post("/customers", &json!({"phone": phone, "card": first})).await;
    assert_eq!(
        (again.status, &read(&again)["customer"]),
        (StatusCode::OK, &json!(who)),
        "{}",
        again.body
    );
    let thief = till.post("/customers", &json!({"phone": phone, "card": second})).await;
    problem(&thief, StatusCode::CONFLICT, "phone_taken");
    let taken = till
        .post("/customers", &json!({"phone": app.free_phone(), "card": first}))
        .await;
    problem(&taken, StatusCode::CONFLICT, "card_taken");

    let now = app.world.db.now();
    let sale = json!({
        "document": "S-1", "at": now, "card": first, "lines": [{"article": "tea", "name": "Чай", "quantity": 1, "price": 100_000}],
    });
    let sold = read(&till.post("/purchases", &sale).await);
    assert_eq!(
        (&sold["customer"], &sold["earned"][0]["points"]),
        (&json!(who), &json!(3_000))
    );

    // At home: the phone is proved like anybody's, and the cabinet is theirs with all that is in it.
    let mut browser = app.anybody();
    browser.prove(&phone).await;
    let told = browser
        .send("/sign-in/details", "sign_in.details", &crate::common::details("Анна"))
        .await;
    told.assert_leads_to("/sign-in/review");
    let done = browser.send("/sign-in/review", "sign_in.register", &[]).await;
    done.assert_leads_to("/welcome?done=registered");
    assert!(dense(&browser.get("/purchases").await).contains("1000,00₽"));
    let home = dense(&browser.get("/").await);
    assert!(home.contains("+30"), "the points wait for their day: {home}");
    let found = read(&till.post("/customers/identify", &json!({"card": first})).await);
    assert_eq!((&found["customer"], &found["name"]), (&json!(who), &json!("Анна")));
    let known = till.post("/customers", &json!({"phone": phone})).await;
    problem(&known, StatusCode::CONFLICT, "phone_taken");
}

#[tokio::test]
async fn a_receipt_without_a_card_is_claimed_by_its_code_once() {
    let app = TestApp::new().await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let now = app.world.db.now();
    let line = json!({"article": "tea", "name": "Чай", "quantity": 2, "price": 50_000});
    let sale = json!({"document": "S-1", "at": now, "lines": [line]});
    let plain = read(&till.post("/purchases", &sale).await);
    let code = plain["code"].as_str().expect("a code").to_owned();
    let qr = "t=20261121T1500&s=500.00&fn=9960440300112233&i=12345&fp=987654321&n=1";
    let fiscal = json!({"document": "S-2", "at": now, "code": qr, "lines": [line]});
    assert_eq!(till.post("/purchases", &fiscal).await.status, StatusCode::CREATED);
    let mut same = fiscal.clone();
    same["document"] = json!("S-3");
    problem(
        &till.post("/purchases", &same).await,
        StatusCode::CONFLICT,
        "code_taken",
    );
    let old = json!({"document": "S-4", "at": now - Duration::days(31), "code": "OLD-1234-5678", "lines": [line]});
    assert_eq!(till.post("/purchases", &old).await.status, StatusCode::CREATED);
    // Half of the tea comes back before anybody claims it.
    let back = json!({"document": "R-1", "at": now, "lines": [{
        "article": "tea", "quantity": 1, "price": 50_000, "original": {"document": "S-1", "line": 1},
    }]});
    assert_eq!(till.post("/returns", &back).await.status, StatusCode::CREATED);

    // Who registers afterwards has the points of what they bought before.
    app.world.clock.set(now + Duration::hours(1));
    let (mut anna, mut boris) = (app.customer("Анна").await, app.customer("Борис").await);
    let claim = async |who: &mut crate::common::Customer, code: &str| {
        who.browser
            .send("/purchases/claim", "purchase.claim", &[("receipt", code)])
            .await
    };
    let typed = code.to_lowercase().chars().map(|c| format!("{c} ")).collect::<String>();
    let done = claim(&mut anna, &typed).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text());
    let page = anna.browser.get(done.location()).await;
    assert!(
        page.text().contains("Чек теперь ваш") && dense(&page).contains("Снятобаллов−15"),
        "{}",
        page.text()
    );
    assert!(claim(&mut anna, qr).await.location().starts_with("/purchases/"));
    let mine = claim(&mut anna, &code).await;
    assert_eq!(
        mine.location().split('?').next(),
        done.location().split('?').next(),
        "theirs already"
    );
    for (code, words) in [
        (code.as_str(), "уже в чьём-то кабинете"),
        ("OLD12345678", "слишком старый"),
        ("NOSUCHCODE1", "Такого чека нет"),
        ("чек", "Такого чека нет"),
        (" ", "Напишите код чека"),
    ] {
        let reply = claim(&mut boris, code).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{code}");
        assert!(reply.text().contains(words), "{code}: {}", reply.text());
        let shown = format!("name=\"receipt\" type=\"text\" value=\"{code}\"");
        assert!(
            code.trim().is_empty() || reply.body.contains(&shown),
            "{code} stays to be mended"
        );
    }
    for n in 0..10 {
        claim(&mut boris, &format!("GUESS{n:06}")).await;
    }
    let over = claim(&mut boris, "GUESS999999").await;
    assert_eq!(over.status, StatusCode::TOO_MANY_REQUESTS, "who guesses is stopped");
    let who = anna.id().await.to_string();
    let left = read(&till.get(&format!("/customers/{who}")).await);
    assert_eq!(
        left["balances"][0]["pending"], 4_500,
        "15.00 of the half, 30.00 of the other: {left}"
    );
    let again = read(&till.post("/purchases", &sale).await);
    assert_eq!(
        (&again["known"], &again["code"]),
        (&json!(true), &Value::Null),
        "sent again it is still the same"
    );
    assert_eq!(
        crm::points::store::verify(&app.world.db, &BY).await.expect("verified"),
        []
    );
    assert_eq!(
        crm::purchase::store::verify(&app.world.db, &BY)
            .await
            .expect("verified"),
        []
    );
}

#[tokio::test]
async fn a_phone_finds_somebody_only_where_the_shop_allows_it() {
    for by_phone in [ByPhone::Never, ByPhone::Confirmed, ByPhone::Told] {
        let app = TestApp::build(false, |config| config.points.identify_by_phone = by_phone).await;
        let anna = app.customer("Анна").await;
        let till = till(&app, "till-1", &Scope::ALL).await;
        let reply = till.post("/customers/identify", &json!({"phone": anna.phone})).await;
        let nobody = till
            .post("/customers/identify", &json!({"phone": app.free_phone()}))
            .await;
        let asked = till
            .post("/customers/confirmations", &json!({"phone": app.free_phone()}))
            .await;
        match by_phone {
            ByPhone::Never => {
                for reply in [reply, nobody, asked] {
                    problem(&reply, StatusCode::FORBIDDEN, "phone_not_allowed");
                }
            }
            ByPhone::Confirmed => {
                problem(&reply, StatusCode::FORBIDDEN, "confirmation_needed");
                problem(&nobody, StatusCode::FORBIDDEN, "confirmation_needed");
                problem(&asked, StatusCode::NOT_FOUND, "phone_unknown");
            }
            ByPhone::Told => {
                assert_eq!(read(&reply)["name"], "Анна", "{}", reply.body);
                problem(&nobody, StatusCode::NOT_FOUND, "phone_unknown");
            }
        }
    }
}

#[tokio::test]
async fn a_phone_is_confirmed_by_the_code_that_its_owner_tells() {
    let app = TestApp::build(false, |config| config.points.identify_by_phone = ByPhone::Confirmed).await;
    let anna = app.customer("Анна").await;
    let till = till(&app, "till-1", &[Scope::Customers]).await;
    let sent = async || {
        let messages = crm::outbox::inbox(&app.world.db, 100).await.expect("the outbox");
        messages.iter().filter(|m| m.template == "counter_code").count()
    };
    let phone = json!({"phone": anna.phone});
    let asked = till.post_as("/customers/confirmations", "ask-for-anna", &phone).await;
    assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.body);
    let again = till.post_as("/customers/confirmations", "ask-for-anna", &phone).await;
    assert_eq!(again.body, asked.body, "the lost answer once more");
    assert_eq!(sent().await, 1, "and no second message");
    problem(
        &till.post("/customers/confirmations", &phone).await,
        StatusCode::TOO_MANY_REQUESTS,
        "too_many",
    );

    let confirmation = read(&asked)["confirmation"].as_str().expect("it").to_owned();
    let tell = async |confirmation: &str, code: &str| {
        let told = json!({"confirmation": {"confirmation": confirmation, "code": code}});
        till.post("/customers/identify", &told).await
    };
    let code = app.code_of("counter_code", &anna.phone).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let refused = problem(&tell(&confirmation, wrong).await, StatusCode::CONFLICT, "code_wrong");
    assert_eq!(pointers(&refused), [("/confirmation/code", "code_wrong")]);
    problem(&tell("made-up", &code).await, StatusCode::CONFLICT, "code_over");
    let reply = tell(&confirmation, &format!("{} {}", &code[..3], &code[3..])).await;
    assert_eq!(read(&reply)["name"], "Анна", "{}", reply.body);
    assert_eq!(
        tell(&confirmation, &code).await.body,
        reply.body,
        "a lost answer once more"
    );
    app.world.clock.set(app.world.db.now() + Duration::minutes(10));
    problem(&tell(&confirmation, &code).await, StatusCode::CONFLICT, "code_over");

    let asked = till.post("/customers/confirmations", &phone).await;
    let confirmation = read(&asked)["confirmation"].as_str().expect("it").to_owned();
    let code = app.code_of("counter_code", &anna.phone).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for left in ["code_wrong", "code_wrong", "code_wrong", "code_wrong", "code_over"] {
        problem(&tell(&confirmation, wrong).await, StatusCode::CONFLICT, left);
    }
    problem(&tell(&confirmation, &code).await, StatusCode::CONFLICT, "code_over");
}

/// Every path of the API with each of its methods, and what would be sent there.
fn endpoints() -> Vec<(Method, String, Value)> {
    let document = serde_json::to_value(<api::Document as utoipa::OpenApi>::openapi()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let mut all = Vec::new();
    for (path, methods) in paths {
        let path = path
            .replace("/exports/postings", "/exports/postings?from=2026-11-01&to=2026-11-30")
            .strip_prefix(api::PREFIX)
            .expect("under the prefix")
            .replace("{document}", "S-1")
            .replace("{customer}", "0197a000-0000-7000-8000-000000000000")
            .replace("{reservation}", "0197a000-0000-7000-8000-000000000000");
        let body = match path.as_str() {
            "/customers/identify" => json!({"card": "2900000000018"}),
            "/customers" | "/customers/confirmations" => json!({"phone": "+79000000001"}),
            "/quotes" => json!({"lines": [{"article": "tea", "quantity": 1, "price": 1}]}),
            "/purchases" => {
                json!({"document": "S", "at": "2026-11-21T12:00:00Z", "lines": [{"article": "tea", "quantity": 1, "price": 1}]})
            }
            "/returns" => json!({"document": "R", "at": "2026-11-21T12:00:00Z", "lines": [{
                "article": "tea", "quantity": 1, "price": 1, "original": {"document": "S", "line": 1},
            }]}),
            "/purchases/batch" => json!({"purchases": []}),
            "/reservations" => json!({"customer": "0197a000-0000-7000-8000-000000000000", "points": 1}),
            "/stores" => json!({"stores": []}),
            "/categories" => json!({"categories": []}),
            "/articles" => json!({"articles": []}),
            "/cards" => json!({"numbers": []}),
            _ if path.ends_with("/capture") => json!({"points": 1}),
            _ => json!({}),
        };
        for method in methods.as_object().expect("methods").keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            all.push((method, path.clone(), body.clone()));
        }
    }
    all
}

#[tokio::test]
async fn the_document_names_every_path_and_no_other() {
    let app = TestApp::new().await;
    let routes: std::collections::BTreeSet<String> = api::routes(&app.app).into_iter().map(|(path, _)| path).collect();
    let document = <api::Document as utoipa::OpenApi>::openapi();
    let named: std::collections::BTreeSet<String> = document.paths.paths.keys().cloned().collect();
    assert_eq!(named, routes);
    let till = till(&app, "till-1", &[Scope::Accounting]).await;
    let served = till.get("/openapi.json").await;
    assert_eq!(served.status, StatusCode::OK, "whatever the key is good for");
    assert_eq!(read(&served)["openapi"], "3.1.0");
}

#[tokio::test]
async fn s17_a_key_opens_what_it_is_good_for_and_nothing_without_one() {
    let app = TestApp::build(false, |config| config.points.identify_by_phone = ByPhone::Confirmed).await;
    let all = till(&app, "till-1", &Scope::ALL).await;
    let mut tried = 0;
    for (method, path, body) in endpoints() {
        let send = async |who: &TillApi| {
            let headers = [("idempotency-key", fresh("key"))];
            let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            who.ask(method.clone(), &path, &headers, body.to_string().into_bytes())
                .await
        };
        // With every scope there is an answer of the endpoint itself.
        let good = send(&all).await;
        let refused = [
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::METHOD_NOT_ALLOWED,
        ];
        assert!(!refused.contains(&good.status), "{method} {path}: {}", good.body);
        assert!(!good.status.is_server_error(), "{method} {path}: {}", good.body);
        assert!(!good.header("ratelimit").is_empty(), "{method} {path}");
        if path == "/openapi.json" {
            continue;
        }
        let opened: Vec<Scope> = {
            let mut opened = Vec::new();
            for scope in Scope::ALL {
                let one = till(&app, &fresh("till"), &[scope]).await;
                if send(&one).await.status != StatusCode::FORBIDDEN {
                    opened.push(scope);
                }
            }
            opened
        };
        assert_eq!(opened.len(), 1, "{method} {path} is opened by {opened:?}");
        for key in ["", "kbt_wrong", "x y"] {
            let nobody = TillApi {
                key: key.into(),
                ..all.clone()
            };
            let reply = send(&nobody).await;
            problem(&reply, StatusCode::UNAUTHORIZED, "unauthorized");
            assert!(
                reply.header("www-authenticate").starts_with("Bearer"),
                "{method} {path}"
            );
        }
        tried += 1;
    }
    assert!(tried >= 17, "only {tried}");
}

#[tokio::test]
async fn s14_a_key_that_is_revoked_and_a_till_that_is_off_open_nothing() {
    let app = TestApp::new().await;
    let one = till(&app, "till-1", &Scope::ALL).await;
    let db = &app.world.db;
    let second = crm::till::store::create_key_by_system(db, &BY, one.id, &Scope::ALL)
        .await
        .expect("a key");
    let two = TillApi {
        key: second.secret().to_owned(),
        ..one.clone()
    };
    // Both are good while the one is exchanged for the other.
    for till in [&one, &two] {
        assert_eq!(till.get("/openapi.json").await.status, StatusCode::OK);
    }
    app.run(
        "UPDATE api_keys SET revoked_at = '2026-11-21T12:00:00+00:00' WHERE hint = substr(?, -4)",
        &one.key,
    )
    .await;
    problem(
        &one.get("/openapi.json").await,
        StatusCode::UNAUTHORIZED,
        "unauthorized",
    );
    assert_eq!(two.get("/openapi.json").await.status, StatusCode::OK);
    app.run(
        "UPDATE tills SET disabled_at = '2026-11-21T12:00:00+00:00' WHERE code = ?",
        "till-1",
    )
    .await;
    problem(
        &two.get("/openapi.json").await,
        StatusCode::UNAUTHORIZED,
        "unauthorized",
    );
    let stored = app.everything(&[]).await;
    for key in [&one.key, &two.key] {
        let hex: String = key.bytes().map(|b| format!("{b:02X}")).collect();
        assert!(
            !stored.iter().any(|row| row.contains(key) || row.contains(&hex)),
            "keys are stored hashed"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_is_named_by_its_pointer_and_nothing_is_kept() {
    let app = TestApp::new().await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let now = app.world.db.now();
    let before = app.everything(&["api_keys"]).await;
    let sale = json!({
        "document": "S-1", "at": now, "lines": [{"article": "tea", "quantity": 1, "price": 100}],
    });
    let with = |pointer: &str, value: Value| {
        let mut sale = sale.clone();
        match sale.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => sale[pointer.trim_start_matches('/')] = value,
        }
        sale
    };
    let cases = [
        ("/document", json!(" "), "/document", "missing"),
        ("/document", json!("x".repeat(101)), "/document", "too_long"),
        ("/document", json!("S\u{0}"), "/document", "nul"),
        ("/document", json!(7), "/document", "unreadable"),
        ("/at", json!("yesterday"), "/at", "unreadable"),
        ("/at", json!(now + Duration::days(2)), "/at", "in_future"),
        ("/lines", json!([]), "/lines", "missing"),
        ("/lines/0/quantity", json!(0), "/lines/0/quantity", "not_positive"),
        ("/lines/0/quantity", json!(1.5), "/lines/0/quantity", "unreadable"),
        ("/lines/0/quantity", json!(i64::MAX), "/lines/0/price", "too_large"),
        ("/lines/0/price", json!(-1), "/lines/0/price", "negative"),
        ("/lines/0/article", json!(""), "/lines/0/article", "missing"),
        ("/store", json!("nowhere"), "/store", "unknown"),
        (
            "/customer",
            json!("0197a000-0000-7000-8000-000000000000"),
            "/customer",
            "unknown",
        ),
        (
            "/redeem",
            json!({"reservation": "0197a000-0000-7000-8000-000000000000", "points": 1}),
            "/redeem",
            "needs_customer",
        ),
        ("/code", json!("short"), "/code", "not_a_code"),
    ];
    for (place, value, pointer, code) in cases {
        let reply = till.post("/purchases", &with(place, value.clone())).await;
        let said = problem(&reply, StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert!(pointers(&said).contains(&(pointer, code)), "{place} = {value}: {said}");
    }
    let misspelt = till.post("/purchases", &with("/dokument", json!("x"))).await;
    problem(&misspelt, StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let many: Vec<Value> = (0..501)
        .map(|_| json!({"article": "tea", "quantity": 1, "price": 1}))
        .collect();
    let reply = till.post("/purchases", &with("/lines", json!(many))).await;
    assert_eq!(
        pointers(&problem(&reply, StatusCode::UNPROCESSABLE_ENTITY, "invalid")),
        [("/lines", "too_many")]
    );
    let garbled = till
        .ask(
            Method::POST,
            "/purchases",
            &[("idempotency-key", "garbled-1")],
            b"{\"document\":".to_vec(),
        )
        .await;
    problem(&garbled, StatusCode::BAD_REQUEST, "malformed");
    let huge = vec![b' '; api::BODY_LIMIT + 1];
    let huge = till
        .ask(Method::POST, "/purchases", &[("idempotency-key", "huge-body")], huge)
        .await;
    problem(&huge, StatusCode::PAYLOAD_TOO_LARGE, "too_large");
    problem(&till.get("/nothing").await, StatusCode::NOT_FOUND, "not_found");
    problem(&till.get("/purchases/none").await, StatusCode::NOT_FOUND, "not_found");
    problem(&till.get("/customers/x").await, StatusCode::NOT_FOUND, "not_found");
    let method = till.ask(Method::DELETE, "/purchases", &[], Vec::new()).await;
    problem(&method, StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
    assert_eq!(app.everything(&["api_keys"]).await, before, "nothing is kept");
}

/// No program has to read a page of ours to learn that it misspelt an address.
#[tokio::test]
async fn where_nothing_is_and_what_is_asked_by_another_method_is_told_as_a_problem() {
    let app = TestApp::new().await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let before = app.everything(&["api_keys"]).await;
    let key = format!("Bearer {}", till.key);
    let with_key = [("authorization", key.as_str())];
    let sent = || b"{\"document\": \"S-1\"}".to_vec();
    for method in [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ] {
        // By a program, by one without a key, by a page of another site and by one of ours.
        for headers in [&with_key[..], &[], &[("origin", "https://evil.example")], &SAME_SITE] {
            for at in [
                "",
                "/",
                "/nothing",
                "/purchases/",
                "/purchases/S-1/nothing",
                "/purchases/S-1/void/S-2",
            ] {
                let at = format!("{}{at}", api::PREFIX);
                let reply = app.anybody().request(method.clone(), &at, headers, sent()).await;
                problem(&reply, StatusCode::NOT_FOUND, "not_found");
            }
        }
    }
    for (method, path, allowed) in [
        (Method::DELETE, "/purchases", "POST"),
        (Method::GET, "/purchases", "POST"),
        (Method::POST, "/purchases/S-1", "GET,HEAD"),
        (Method::POST, "/stores", "GET,HEAD,PUT"),
        (Method::PATCH, "/reservations/x/cancel", "POST"),
    ] {
        for headers in [&with_key[..], &[], &[("origin", "https://evil.example")]] {
            let at = format!("{}{path}", api::PREFIX);
            let reply = app.anybody().request(method.clone(), &at, headers, sent()).await;
            problem(&reply, StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
            assert_eq!(reply.header("allow"), allowed, "{method} {path}");
        }
    }
    assert_eq!(app.everything(&["api_keys"]).await, before);
}

#[tokio::test]
async fn a_till_that_asks_too_fast_is_told_when_to_come_again() {
    let app = TestApp::build(false, |config| config.limits.requests_per_till = 3).await;
    let (one, other) = (
        till(&app, "till-1", &Scope::ALL).await,
        till(&app, "till-2", &Scope::ALL).await,
    );
    for left in [2, 1, 0] {
        let reply = one.get("/openapi.json").await;
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.header("ratelimit"), format!("\"till\";r={left};t=60"));
        assert_eq!(reply.header("ratelimit-policy"), "\"till\";q=3;w=60");
    }
    let over = one.get("/openapi.json").await;
    problem(&over, StatusCode::TOO_MANY_REQUESTS, "too_many");
    assert_eq!(over.header("retry-after"), "60");
    assert_eq!(
        other.get("/openapi.json").await.status,
        StatusCode::OK,
        "the others' pace is their own"
    );
    app.world.clock.set(app.world.db.now() + Duration::seconds(60));
    assert_eq!(one.get("/openapi.json").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_books_are_told_by_day_and_by_age() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let (now, who) = (app.world.db.now(), anna.id().await.to_string());
    till.sell(&who, 100_000, now).await;
    app.world.clock.set(now + Duration::days(40));
    till.sell(&who, 20_000, app.world.db.now()).await;
    read(&till.get(&format!("/customers/{who}")).await);
    let books = read(&till.get("/exports/postings?from=2026-11-21&to=2026-12-31").await);
    let books = books["postings"].as_array().expect("postings");
    let days: std::collections::BTreeSet<&str> = books.iter().filter_map(|one| one["day"].as_str()).collect();
    assert_eq!(days.into_iter().collect::<Vec<_>>(), ["2026-11-21", "2026-12-31"]);
    assert_eq!(
        books.iter().filter_map(|one| one["points"].as_i64()).sum::<i64>(),
        0,
        "{books:?}"
    );
    let of = |day: &str, account: &str, kind: &str| {
        let found = books
            .iter()
            .find(|one| (&one["day"], &one["account"], &one["kind"]) == (&json!(day), &json!(account), &json!(kind)));
        found.and_then(|one| one["points"].as_i64())
    };
    assert_eq!(of("2026-11-21", "issued", "accrual"), Some(-3_000));
    assert_eq!(of("2026-12-31", "pending", "accrual"), Some(600));
    assert_eq!(
        of("2026-12-31", "active", "activation"),
        Some(3_000),
        "written down when it was found due"
    );
    let owed = read(&till.get("/exports/liability").await);
    assert_eq!(
        owed["owed"],
        json!([
            {"program": "club", "state": "active", "from_days": 30, "to_days": 90, "points": 3_000, "lots": 1},
            {"program": "club", "state": "pending", "from_days": 0, "to_days": 30, "points": 600, "lots": 1},
        ])
    );
    for (query, status) in [
        ("from=2026-11-21", StatusCode::UNPROCESSABLE_ENTITY),
        ("from=2026-11-21&to=2026-11-20", StatusCode::UNPROCESSABLE_ENTITY),
        ("from=2025-11-21&to=2026-11-22", StatusCode::UNPROCESSABLE_ENTITY),
        ("from=2026-02-30&to=2026-11-22", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        problem(
            &till.get(&format!("/exports/postings?{query}")).await,
            status,
            "invalid",
        );
    }
}

#[tokio::test]
async fn a_day_is_told_to_accounting_once_all_of_it_is_there() {
    let app = TestApp::new().await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let told = async |from: &str, to: &str| till.get(&format!("/exports/postings?from={from}&to={to}")).await;
    // Where the shop is.
    let midnight = "2026-11-21T21:00:00Z".parse::<DateTime<Utc>>().expect("a time");
    app.world.clock.set(midnight - Duration::seconds(1));
    assert_eq!(told("2026-11-21", "2026-11-21").await.status, StatusCode::OK, "so far");
    for minutes in [0, 5, 14] {
        app.world.clock.set(midnight + Duration::minutes(minutes));
        for (from, to) in [
            ("2026-11-21", "2026-11-21"),
            ("2026-11-01", "2026-11-22"),
            ("2026-11-21", "2026-11-30"),
        ] {
            let reply = told(from, to).await;
            let open = problem(&reply, StatusCode::CONFLICT, "day_open");
            assert_eq!(open["until"], "2026-11-21T21:15:00Z", "{open}");
            assert_eq!(reply.header("retry-after"), (60 * (15 - minutes)).to_string());
        }
        for (from, to) in [("2026-11-20", "2026-11-20"), ("2026-11-22", "2026-11-22")] {
            let reply = told(from, to).await;
            assert_eq!(reply.status, StatusCode::OK, "{from} after {minutes} minutes");
        }
    }
    app.world.clock.set(midnight + Duration::minutes(15));
    let closed = told("2026-11-01", "2026-11-22").await;
    assert_eq!(closed.status, StatusCode::OK, "{}", closed.body);
}

#[tokio::test]
async fn what_a_partner_pays_for_is_told_to_accounting_and_to_the_customer() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let club = app.club().await;
    app.publish(json!({
        "name": {"ru": "Банк дарит", "en": "A gift of the bank"}, "funded_by": "bank",
        "effects": [{"points_fixed": {"program": club, "points": 500, "each": "purchase"}}],
    }))
    .await;
    let (now, who) = (app.world.db.now(), anna.id().await.to_string());
    till.sell(&who, 100_000, now).await;
    let books = read(&till.get("/exports/postings?from=2026-11-21&to=2026-11-21").await);
    let books = books["postings"].as_array().expect("postings");
    let mut told: Vec<_> = books
        .iter()
        .map(|one| (one["account"].as_str(), one["partner"].as_str(), one["points"].as_i64()))
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            (Some("issued"), None, Some(-3_000)),
            (Some("partner"), Some("bank"), Some(-500)),
            (Some("pending"), None, Some(3_500)),
        ]
    );

    let id = app.text("SELECT lower(hex(id)) FROM purchases").await;
    let id: crm::id::PurchaseId = id.parse().expect("an id");
    let receipt = anna.get(&format!("/purchases/{id}")).await.text();
    assert!(
        receipt.contains("Банк дарит, версия 1, за счёт партнёра bank"),
        "{receipt}"
    );
    // What the program gives of its own the shop pays.
    assert!(!receipt.contains("условия версии 1, за счёт"), "{receipt}");
    let mut agent = app.staff("agent").await;
    let card = format!("/admin/customers/{who}/purchases/{id}");
    let seen = agent.get(&card).await.text();
    assert!(seen.contains("за счёт партнёра bank"), "{seen}");
}

#[tokio::test]
async fn shops_categories_and_articles_are_written_in_bulk() {
    let app = TestApp::new().await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let text = |word: &str| json!({"ru": word, "en": word});
    let stores = json!({"stores": [{
        "code": "s1", "name": text("Сосна"), "town": text("Тверь"), "address": text("Советская, 1"),
        "hours": [[540, 1260], null, null, null, null, null, null],
    }]});
    assert_eq!(read(&till.post("/stores", &stores).await)["written"], 1);
    let mut moved = stores.clone();
    moved["stores"][0]["town"] = text("Клин");
    assert_eq!(read(&till.post("/stores", &moved).await)["written"], 1);
    let mut anna = app.customer("Анна").await;
    let page = anna.browser.get("/stores").await.text();
    assert!(page.contains("Клин") && !page.contains("Тверь"), "{page}");
    let mut impossible = stores.clone();
    impossible["stores"][0]["hours"][1] = json!([600, 500]);
    let reply = till.post("/stores", &impossible).await;
    assert_eq!(
        pointers(&problem(&reply, StatusCode::UNPROCESSABLE_ENTITY, "invalid")),
        [("/stores/0/hours", "not_hours")]
    );

    let categories = json!({"categories": [{"code": "tea", "name": text("Чай")}]});
    assert_eq!(read(&till.post("/categories", &categories).await)["written"], 1);
    let articles = json!({"articles": [
        {"code": "t1", "name": "Чай чёрный", "category": "tea"}, {"code": "t2", "name": "Чай зелёный"},
    ]});
    assert_eq!(read(&till.post("/articles", &articles).await)["written"], 2);
    // What is left out stays; null takes the article out of its category, and so does an empty text.
    let category = async |article: Value| {
        let sent = till.post("/articles", &json!({"articles": [article]})).await;
        assert_eq!(sent.status, StatusCode::OK, "{}", sent.body);
        let list = read(&till.get("/articles?limit=1").await);
        list["articles"][0]["category"].clone()
    };
    let named = |category: Value| json!({"code": "t1", "name": "Чай чёрный", "category": category});
    assert_eq!(category(json!({"code": "t1", "name": "Чай чёрный"})).await, "tea");
    assert_eq!(category(named(Value::Null)).await, Value::Null);
    assert_eq!(category(named(json!("tea"))).await, "tea");
    assert_eq!(category(named(json!(""))).await, Value::Null);
    let wrong = json!({"articles": [{"code": "t3", "name": "", "category": "none"}]});
    let reply = till.post("/articles", &wrong).await;
    let said = problem(&reply, StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(
        pointers(&said),
        [
            ("/articles/0/name", "missing"),
            ("/articles/0/category", "not_a_choice")
        ]
    );
}

#[tokio::test]
async fn categories_lie_within_each_other_and_never_in_a_circle() {
    let app = TestApp::new().await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let category =
        |code: &str, parent: Value| json!({"code": code, "name": {"ru": code, "en": code}, "parent": parent});
    let all = json!({"categories": [
        category("green", json!("tea")), category("tea", json!("drinks")), category("drinks", Value::Null),
    ]});
    assert_eq!(read(&till.post("/categories", &all).await)["written"], 3);
    let listed = read(&till.get("/categories").await);
    assert_eq!(
        listed["categories"],
        json!([
            category("drinks", Value::Null),
            category("green", json!("tea")),
            category("tea", json!("drinks"))
        ])
    );
    // What was read is written again, and changes nothing.
    let again = json!({"categories": listed["categories"]});
    assert_eq!(read(&till.post("/categories", &again).await)["written"], 3);
    assert_eq!(read(&till.get("/categories").await), listed);
    let round = json!({"categories": [category("new", Value::Null), category("drinks", json!("green"))]});
    let reply = till.post("/categories", &round).await;
    let said = problem(&reply, StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(pointers(&said), [("/categories/1/parent", "circle")]);
    let nowhere = json!({"categories": [category("tea", json!("none"))]});
    let reply = till.post("/categories", &nowhere).await;
    let said = problem(&reply, StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(pointers(&said), [("/categories/0/parent", "not_a_choice")]);
    assert_eq!(
        read(&till.get("/categories").await),
        listed,
        "nothing of either was written"
    );

    let articles = json!({"articles": [{"code": "sencha", "name": "Сенча", "category": "green"}]});
    assert_eq!(till.post("/articles", &articles).await.status, StatusCode::OK);
    let drinks = {
        let mut conn = app.world.db.read().await.expect("a connection");
        crm::on!(conn, |c| sqlx::query_scalar::<_, uuid::Uuid>(
            "SELECT id FROM categories WHERE code = 'drinks'"
        )
        .fetch_one(c)
        .await)
        .expect("the category")
    };
    let off = json!([{"percent_off": {"share": 1_000, "each": "line"}}]);
    publish(&app, "Drinks", json!([{"category": [drinks]}]), off).await;
    let basket = json!({"lines": [
        {"article": "sencha", "quantity": 1, "price": 10_000}, {"article": "cup", "quantity": 1, "price": 10_000},
    ]});
    assert_eq!(read(&till.post("/quotes", &basket).await)["total"], 19_000);
    let out = json!({"categories": [category("tea", json!(""))]});
    assert_eq!(till.post("/categories", &out).await.status, StatusCode::OK);
    assert_eq!(read(&till.post("/quotes", &basket).await)["total"], 20_000);
}

/// Walks through a list in parts, by the cursors in the bodies, which the headers have to repeat.
async fn walk(till: &TillApi, path: &str, limit: usize, mut between: impl AsyncFnMut(usize)) -> Vec<Vec<Value>> {
    let mut parts = Vec::new();
    let mut at = format!("{path}?limit={limit}");
    loop {
        let reply = till.get(&at).await;
        assert_eq!(reply.status, StatusCode::OK, "{at}: {}", reply.body);
        let body = read(&reply);
        let name = path.rsplit('/').next().expect("a name");
        parts.push(body[name].as_array().expect("records").clone());
        let Some(next) = body["next"].as_str() else {
            assert_eq!((&body["next"], reply.header("link")), (&Value::Null, ""));
            return parts;
        };
        at = format!("{path}?after={next}&limit={limit}");
        assert_eq!(reply.header("link"), format!("<{}{at}>; rel=\"next\"", api::PREFIX));
        between(parts.len()).await;
    }
}

#[tokio::test]
async fn lists_are_read_in_parts_while_records_are_added() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let who = anna.id().await.to_string();
    let of_anna = format!("/customers/{who}/purchases");
    let once = async |parts: usize| assert_eq!(parts, 0, "there is one part and no other");
    for path in ["/stores", "/categories", "/articles", of_anna.as_str()] {
        assert_eq!(walk(&till, path, 10, &once).await, [Vec::<Value>::new()], "{path}");
    }

    let article =
        |code: String| json!({"code": code, "name": "Чай", "category": null, "brand": "Сосна", "payable": false});
    let put = async |codes: Vec<String>| {
        let articles: Vec<Value> = codes.into_iter().map(article).collect();
        let reply = till.post("/articles", &json!({"articles": articles})).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    };
    put((0..6).map(|n| format!("a{n}")).collect()).await;
    let full = walk(&till, "/articles", 6, &once).await;
    assert_eq!(full[0][5], article("a5".into()), "as it was sent");
    // Before and behind the place where the reader is something is added: what was there is told once.
    let parts = walk(&till, "/articles", 2, async |parts| {
        if parts == 2 {
            put(vec!["a00".into(), "a7".into()]).await;
        }
    })
    .await;
    let codes: Vec<Vec<&str>> = parts
        .iter()
        .map(|part| part.iter().filter_map(|one| one["code"].as_str()).collect())
        .collect();
    assert_eq!(
        codes,
        [vec!["a0", "a1"], vec!["a2", "a3"], vec!["a4", "a5"], vec!["a7"]]
    );

    let now = app.world.db.now();
    let mut sold = Vec::new();
    for n in 0..5 {
        sold.push(till.sell(&who, 1_000 + n, now - Duration::minutes(n)).await["document"].clone());
    }
    let parts = walk(&till, &of_anna, 2, async |parts| {
        if parts == 1 {
            till.sell(&who, 1, now + Duration::minutes(1)).await;
        }
    })
    .await;
    let documents: Vec<&Value> = parts.iter().flatten().map(|one| &one["document"]).collect();
    assert_eq!(
        documents,
        sold.iter().collect::<Vec<_>>(),
        "the newest first, and those that came later not at all"
    );

    // What is no cursor of this list, and what is no number of records.
    let cursor = async |path: &str| -> String {
        read(&till.get(&format!("{path}?limit=1")).await)["next"]
            .as_str()
            .expect("a cursor")
            .to_owned()
    };
    let boris = app.customer("Борис").await.id().await.to_string();
    let of_boris = format!("/customers/{boris}/purchases");
    let (articles, purchases) = (cursor("/articles").await, cursor(&of_anna).await);
    for (path, query, pointer, code) in [
        ("/articles", "after=", "/after", "not_a_cursor"),
        ("/articles", "after=a1", "/after", "not_a_cursor"),
        (
            "/articles",
            format!("after={purchases}").as_str(),
            "/after",
            "not_a_cursor",
        ),
        (
            "/stores",
            format!("after={articles}").as_str(),
            "/after",
            "not_a_cursor",
        ),
        (
            of_anna.as_str(),
            format!("after={articles}").as_str(),
            "/after",
            "not_a_cursor",
        ),
        (
            of_boris.as_str(),
            format!("after={purchases}").as_str(),
            "/after",
            "not_a_cursor",
        ),
        ("/categories", "limit=0", "/limit", "out_of_range"),
        ("/categories", "limit=501", "/limit", "out_of_range"),
        (of_anna.as_str(), "limit=all", "/limit", "out_of_range"),
    ] {
        let reply = till.get(&format!("{path}?{query}")).await;
        let said = problem(&reply, StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(pointers(&said), [(pointer, code)], "{path}?{query}");
    }
    let nobody = till
        .get("/customers/0197a000-0000-7000-8000-000000000000/purchases")
        .await;
    problem(&nobody, StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn s17_a_till_reads_the_receipts_of_its_own_source_alone() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    let ours = till(&app, "till-1", &Scope::ALL).await;
    let who = anna.id().await.to_string();
    ours.sell(&who, 1_000, app.world.db.now()).await;
    let new = NewTill {
        code: "kiosk-1".into(),
        name: "Киоск".into(),
        source: "kiosk".into(),
        store: None,
    };
    let db = &app.world.db;
    let id = crm::till::store::create_by_system(db, &BY, &new).await.expect("a till");
    let key = crm::till::store::create_key_by_system(db, &BY, id, &Scope::ALL)
        .await
        .expect("a key");
    let theirs = TillApi {
        id,
        key: key.secret().to_owned(),
        ..ours.clone()
    };
    let read_by = async |till: &TillApi| read(&till.get(&format!("/customers/{who}/purchases")).await);
    assert_eq!(read_by(&ours).await["purchases"].as_array().map(Vec::len), Some(1));
    assert_eq!(read_by(&theirs).await, json!({"purchases": [], "next": null}));
}

#[tokio::test]
async fn how_it_was_bought_and_paid_is_kept_and_asked() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let who = anna.id().await.to_string();
    let off = |share: i64| json!([{"percent_off": {"share": share, "each": "line"}}]);
    publish(&app, "Cash", json!([{"payment": ["cash"]}]), off(1_000)).await;
    publish(&app, "App", json!([{"channel": ["app"]}]), off(5_000)).await;
    let line = json!({"article": "tea", "name": "Чай", "quantity": 1, "price": 10_000});
    let quote = async |channel: Value, payments: Value| {
        let basket = json!({"lines": [line], "channel": channel, "payments": payments});
        read(&till.post("/quotes", &basket).await)
    };
    assert_eq!(quote(json!("till"), json!(["card", "cash"])).await["total"], 9_000);
    assert_eq!(quote(json!("app"), json!([])).await["total"], 5_000);
    let untold = quote(Value::Null, json!([])).await;
    assert_eq!(untold["total"], 10_000);
    let reasons: Vec<_> = untold["rules"]
        .as_array()
        .expect("rules")
        .iter()
        .map(|rule| &rule["reason"]["en"])
        .collect();
    let told = json!("Nobody told how it is paid, and it has to be: cash");
    assert!(reasons.contains(&&told), "{untold}");
    let plain = read(&till.post("/quotes", &json!({"lines": [line]})).await);
    assert_eq!(plain["total"], 10_000, "both may be left out");

    let sale = json!({
        "document": "S-1", "at": app.world.db.now(), "customer": who, "lines": [line],
        "channel": "self_service", "payments": ["certificate", "cash", "cash"],
    });
    let booked = till.post("/purchases", &sale).await;
    assert_eq!(booked.status, StatusCode::CREATED, "{}", booked.body);
    let told = |receipt: &Value| (receipt["channel"].clone(), receipt["payments"].clone());
    let expected = (json!("self_service"), json!(["cash", "certificate"]));
    assert_eq!(told(&read(&booked)), expected);
    assert_eq!(told(&read(&till.get("/purchases/S-1").await)), expected);
    let listed = read(&till.get(&format!("/customers/{who}/purchases")).await);
    assert_eq!(told(&listed["purchases"][0]), expected);
    assert_eq!(
        listed["purchases"][0]["lines"],
        json!([{
            "article": "tea", "name": "Чай", "quantity": 1, "price": 10_000, "discount": 0, "rule_discount": 0,
            "original": null,
        }])
    );
    // Sent again it is the same receipt, and keeps what was told first.
    let mut again = sale.clone();
    again["payments"] = json!(["card"]);
    let known = read(&till.post("/purchases", &again).await);
    assert_eq!((&known["known"], told(&known)), (&json!(true), expected));

    for (place, value, pointer) in [
        ("channel", json!("kiosk"), "/channel"),
        ("payments", json!(["cash", "barter"]), "/payments/1"),
        ("payments", json!("cash"), "/payments"),
    ] {
        let mut wrong = sale.clone();
        wrong["document"] = json!("S-2");
        wrong[place] = value;
        let reply = till.post("/purchases", &wrong).await;
        let said = problem(&reply, StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(pointers(&said), [(pointer, "unreadable")]);
    }
    // What may be said stands in the document.
    let document = read(&till.get("/openapi.json").await);
    let purchase = &document["components"]["schemas"]["NewPurchase"]["properties"];
    assert_eq!(
        purchase["channel"]["enum"],
        json!(["till", "self_service", "online", "app", null])
    );
    assert_eq!(
        purchase["payments"]["items"]["enum"],
        json!(["cash", "card", "transfer", "certificate", "credit", "other"])
    );
    let required = &document["components"]["schemas"]["NewPurchase"]["required"];
    assert_eq!(required, &json!(["document", "at", "lines"]));
}

/// Publishes a rule by the JSON of its conditions and effects.
async fn publish(app: &TestApp, name: &str, conditions: Value, effects: Value) -> crm::rule::RuleVersion {
    let rule = json!({
        "name": {"ru": format!("{name} по-русски"), "en": name}, "conditions": conditions, "effects": effects,
    });
    app.publish(rule).await
}

#[tokio::test]
async fn a_quote_names_what_is_missing() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let who = anna.id().await.to_string();
    let (store, category, cup) = (
        app.some_store().await,
        app.some_category().await,
        app.some_article().await,
    );
    let club = app.club().await;
    let gold = crm::id::TierId::new();
    let tiers = json!({
        "measure": "sum", "window": "ever", "downgrade": "never",
        "tiers": [{"id": gold, "name": {"ru": "Золото", "en": "Gold"}, "threshold": 100_000}],
    });
    let tiers = serde_json::from_value(tiers).expect("tiers");
    crm::rule::tier::store::publish_by_system(&app.world.db, &BY, club, &tiers, None)
        .await
        .expect("published");
    let off = json!([{"percent_off": {"share": 1_000, "each": "line"}}]);
    for (name, conditions, more) in [
        ("Shop", json!([{"store": [store]}]), json!({})),
        ("Cup", json!([{"article": [cup]}]), json!({})),
        ("Gold", json!([{"tier": {"program": club, "tiers": [gold]}}]), json!({})),
        (
            "Either",
            json!([{"any": [{"category": [category]}, {"payment": ["cash"]}]}]),
            json!({}),
        ),
        ("First", json!([]), json!({"priority": 9, "group": "one"})),
        ("Second", json!([]), json!({"group": "one"})),
    ] {
        let mut rule = json!({"name": {"ru": name, "en": name}, "conditions": conditions, "effects": off});
        let fields = rule.as_object_mut().expect("fields");
        fields.extend(more.as_object().expect("fields").clone());
        app.publish(rule).await;
    }
    let basket = json!({"customer": who, "lines": [{"article": "tea", "quantity": 1, "price": 10_000}]});
    let quote = read(&till.post("/quotes", &basket).await);
    let reason = |name: &str| {
        let rules = quote["rules"].as_array().expect("rules");
        let rule = rules.iter().find(|rule| rule["name"]["en"] == name);
        rule.expect("it is told")["reason"]["en"].clone()
    };
    for (rule, expected) in [
        ("Shop", "Holds in other shops: Клин, Клин"),
        ("Cup", "None of the articles is in the basket: Чашка"),
        ("Gold", "The customer has not the tier: Gold"),
        ("Either", "None of these holds: categories: Dishes; paid by: cash"),
        ("Second", "Another rule of its group was granted: First"),
    ] {
        assert_eq!(reason(rule), expected, "{rule}");
    }
}

#[tokio::test]
async fn a_quote_tells_discounts_points_words_and_reasons_and_the_receipt_keeps_them() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let who = anna.id().await.to_string();
    let articles = json!({"articles": [
        {"code": "tea", "name": "Чай", "brand": "Сосна", "payable": false}, {"code": "cup", "name": "Чашка"},
    ]});
    let written = till.post("/articles", &articles).await;
    assert_eq!(written.status, StatusCode::OK, "{}", written.body);
    let club = {
        let mut conn = app.world.db.read().await.expect("a connection");
        crm::on!(conn, |c| sqlx::query_scalar::<_, uuid::Uuid>(
            "SELECT id FROM programs WHERE code = 'club'"
        )
        .fetch_one(c)
        .await)
        .expect("the club")
    };
    let tea = publish(
        &app,
        "Tea",
        json!([{"brand": ["Сосна"]}]),
        json!([
            {"percent_off": {"share": 1_000, "each": "line"}},
            {"message": {"to": "receipt", "text": {"ru": "Чай дешевле", "en": "Tea for less"}}},
        ]),
    )
    .await;
    publish(
        &app,
        "Weekend",
        json!([{"weekday": ["Sat", "Sun"]}]),
        json!([{"points_times": {"program": club, "factor": 20_000}}]),
    )
    .await;
    let much = publish(
        &app,
        "Much",
        json!([{"basket_sum": {"at_least": 1_000_000}}]),
        json!([{"points_fixed": {"program": club, "points": 10_000, "each": "purchase"}}]),
    )
    .await;
    let basket = json!({"customer": who, "lines": [
        {"article": "tea", "quantity": 1, "price": 10_000}, {"article": "cup", "quantity": 1, "price": 10_000},
    ]});
    let reply = till.post("/quotes", &basket).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    let quote = read(&reply);
    assert_eq!((&quote["total"], &quote["discount"]), (&json!(19_000), &json!(1_000)));
    assert_eq!(
        quote["lines"],
        json!([
            {"discount": 1_000, "total": 9_000, "points": 540, "discounts": [{"rule": tea.id, "discount": 1_000}]},
            {"discount": 0, "total": 10_000, "points": 600, "discounts": []},
        ])
    );
    assert_eq!(quote["earns"][0]["points"], 1_140);
    assert_eq!(
        quote["messages"],
        json!([{"to": "receipt", "text": {"ru": "Чай дешевле", "en": "Tea for less"}}])
    );
    let rules = quote["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), 3, "{quote}");
    assert_eq!(
        rules.iter().find(|rule| rule["rule"] == json!(much.id)),
        Some(&json!({
            "rule": much.id, "version": 1, "name": {"ru": "Much по-русски", "en": "Much"}, "applies": false,
            "discount": 0, "points": 0, "condition": "/conditions/0",
            "reason": {
                "ru": "Сумма покупки: 200,00, нужно от 10\u{a0}000,00",
                "en": "The basket costs: 200.00, and it has to be at least 10,000.00",
            },
        }))
    );

    let sale = json!({
        "document": "S-1", "at": app.world.db.now(), "customer": who, "lines": [
            {"article": "tea", "quantity": 1, "price": 10_000, "discount": 1_000, "rule_discount": 1_000},
            {"article": "cup", "quantity": 1, "price": 10_000},
        ],
    });
    let booked = read(&till.post("/purchases", &sale).await);
    assert_eq!(booked["earned"][0]["points"], 1_140, "as it was quoted: {booked}");
    let receipt = booked["purchase"].as_str().expect("an id");
    let page = anna.browser.get(&format!("/purchases/{receipt}")).await;
    let words = page.text();
    assert!(words.contains("Weekend по-русски"), "the rule is named: {words}");
    assert!(
        dense(&page).contains("Weekendпо-русски,версия1+2,70"),
        "with its part: {words}"
    );

    // Whoever misses points writes from a line, and staff see what became of it.
    let missing = format!("/support/new?receipt={receipt}&line=");
    let hrefs: Vec<String> = page
        .body
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(crate::common::html::unescape)
        .filter(|href| href.starts_with(&missing))
        .collect();
    assert_eq!(hrefs.len(), 2, "one for each line: {hrefs:?}");
    let form = anna.browser.get(&hrefs[0]).await.form("request.create");
    assert_eq!(form.get("topic"), Some("points_missing"));
    let sent = anna
        .browser
        .submit(&hrefs[0], &form.with("text", "Где баллы за чай?"))
        .await;
    let number = sent.location().split(['/', '?']).nth(2).expect("a number").to_owned();
    let own = anna.browser.get(&format!("/support/{number}")).await.text();
    assert!(own.contains("Где баллы за чай?") && !own.contains("Weekend"), "{own}");
    let mut agent = app.staff("agent").await;
    let seen = agent.get(&format!("/admin/requests/{number}")).await;
    let seen = dense(&seen);
    for told in [
        "нехватаетбалловза«Чай»",
        "1.Чай(кодtea):1×100,00₽,оплачено90,00₽",
        "скидка10,00₽",
        "начислено5,40",
        "Weekendпо-русски,версия1)",
        "Teaпо-русски,версия1:скидка10,00₽",
        "Muchпо-русски,версия1:несработало.Суммапокупки:",
    ] {
        assert!(seen.contains(told), "{told}: {seen}");
    }
    assert!(!seen.contains("2.Чашка"), "it was asked about the tea: {seen}");

    let mut wrong = sale.clone();
    wrong["document"] = json!("S-2");
    wrong["lines"][0]["rule_discount"] = json!(1_001);
    wrong["lines"][1]["rule_discount"] = json!(-1);
    let refused = problem(
        &till.post("/purchases", &wrong).await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid",
    );
    assert_eq!(
        pointers(&refused),
        [
            ("/lines/0/rule_discount", "more_than_discount"),
            ("/lines/1/rule_discount", "negative")
        ]
    );
}

#[tokio::test]
async fn a_card_is_offered_to_who_has_none_from_a_sum_on() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let club = app.club().await;
    let text = |ru: &str, en: &str| json!({"ru": ru, "en": en});
    let (hint, shown) = (
        text("Предложите карту", "Offer a card"),
        text("Возьмите карту", "Take a card"),
    );
    publish(
        &app,
        "Card",
        json!([{"basket_sum": {"at_least": 100_000}}, {"not": {"member": [club]}}]),
        json!([
            {"message": {"to": "cashier", "text": hint}},
            {"message": {"to": "kiosk", "text": shown}},
        ]),
    )
    .await;
    let quote = async |price: i64, who: Option<String>| {
        let lines = json!([{"article": "tea", "quantity": 1, "price": price}]);
        let reply = till.post("/quotes", &json!({"customer": who, "lines": lines})).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
        read(&reply)["messages"].clone()
    };
    assert_eq!(
        quote(100_000, None).await,
        json!([{"to": "cashier", "text": hint}, {"to": "kiosk", "text": shown}])
    );
    assert_eq!(quote(99_999, None).await, json!([]), "below the sum");
    let who = anna.id().await.to_string();
    assert_eq!(quote(100_000, Some(who)).await, json!([]), "a member");

    // Whoever takes the card earns with what they are just buying, and is not asked again.
    let numbers = json!({"numbers": ["2900000000018"]});
    assert!(till.post("/cards", &numbers).await.status.is_success());
    let joining = json!({"phone": "+79260000018", "card": "2900000000018"});
    let joined = till.post("/customers", &joining).await;
    assert_eq!(joined.status, StatusCode::CREATED, "{}", joined.body);
    let who = read(&joined)["customer"].as_str().expect("an id").to_owned();
    assert_eq!(quote(100_000, Some(who.clone())).await, json!([]));
    let sold = till.sell(&who, 100_000, app.world.db.now()).await;
    assert_eq!(sold["earned"][0]["points"], 3_000, "{sold}");
}

#[tokio::test]
async fn a_quote_for_nobody_names_what_a_card_would_bring() {
    let app = TestApp::new().await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let stores = json!({"stores": [{
        "code": "north", "name": {"ru": "С", "en": "N"}, "town": {"ru": "С", "en": "N"},
        "address": {"ru": "С", "en": "N"}, "hours": [null, null, null, null, null, null, null], "region": "north",
        "time_zone": "Asia/Omsk",
    }]});
    let written = till.post("/stores", &stores).await;
    assert_eq!(written.status, StatusCode::OK, "{}", written.body);
    let listed = read(&till.get("/stores").await);
    assert_eq!(listed["stores"][0]["time_zone"], "Asia/Omsk", "{listed}");
    let mut nowhere = stores.clone();
    nowhere["stores"][0]["time_zone"] = json!("Omsk");
    let refused = till.post("/stores", &nowhere).await;
    let said = problem(&refused, StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(pointers(&said), [("/stores/0/time_zone", "not_a_time_zone")]);
    publish(
        &app,
        "North",
        json!([{"region": ["north"]}]),
        json!([{"amount_off": {"amount": 500, "each": "purchase"}}]),
    )
    .await;
    publish(
        &app,
        "First",
        json!(["first_purchase"]),
        json!([{"amount_off": {"amount": 700, "each": "purchase"}}]),
    )
    .await;
    let lines = json!([{"article": "tea", "quantity": 1, "price": 10_000}]);
    let there = read(&till.post("/quotes", &json!({"store": "north", "lines": lines})).await);
    assert_eq!((&there["total"], &there["payable"]), (&json!(9_500), &Value::Null));
    assert_eq!(there["earns"], json!([]));
    let reasons: Vec<_> = there["rules"]
        .as_array()
        .expect("rules")
        .iter()
        .map(|rule| &rule["reason"]["en"])
        .collect();
    assert!(reasons.contains(&&json!("Nobody is known who buys")), "{there}");
    let elsewhere = read(&till.post("/quotes", &json!({"lines": lines})).await);
    assert_eq!(elsewhere["total"], 10_000, "{elsewhere}");
    let nowhere = till.post("/quotes", &json!({"store": "nowhere", "lines": lines})).await;
    let said = problem(&nowhere, StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(pointers(&said), [("/store", "unknown")]);
}
