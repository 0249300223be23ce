//! What comes late from a till that was cut off, and what its clock says.

use crate::api::{pointers, problem, read, till};
use crate::common::{BY, TestApp};
use axum::http::StatusCode;
use chrono::{DateTime, Duration, Utc};
use crm::till::Scope;
use serde_json::{Value, json};

fn minutes(n: i64) -> Duration {
    Duration::minutes(n)
}

/// A sale of 1,000.00, of which a member of the club earns 30.00.
fn sale(document: &str, customer: &str, at: DateTime<Utc>) -> Value {
    json!({"document": document, "at": at, "customer": customer,
        "lines": [{"article": "tea", "name": "Чай", "quantity": 1, "price": 100_000}]})
}

#[tokio::test]
async fn who_joins_at_a_till_earns_from_then_on_by_its_own_clock() {
    let app = TestApp::new().await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let now = app.world.db.now();
    let enrol = async |at: Option<DateTime<Utc>>| {
        let mut body = json!({"phone": app.free_phone()});
        if let Some(at) = at {
            body["at"] = json!(at);
        }
        till.post("/customers", &body).await
    };
    let who = async |at| {
        let joined = enrol(at).await;
        assert_eq!(joined.status, StatusCode::CREATED, "{}", joined.body);
        read(&joined)["customer"].as_str().expect("an id").to_owned()
    };
    let earned = async |document: &str, customer: &str, ago: Duration| {
        let sold = till.post("/purchases", &sale(document, customer, now - ago)).await;
        assert_eq!(sold.status, StatusCode::CREATED, "{}", sold.body);
        read(&sold)["earned"][0]["points"].as_i64().unwrap_or_default()
    };

    // The clock lags, or a minute went by in between.
    let anna = who(None).await;
    assert_eq!(earned("A-1", &anna, minutes(10)).await, 3_000);
    assert_eq!(
        earned("A-2", &anna, minutes(11)).await,
        0,
        "no clock is as wrong as that"
    );
    // The till was cut off, and tells when it was.
    let boris = who(Some(now - Duration::hours(3))).await;
    assert_eq!(earned("B-1", &boris, Duration::hours(3)).await, 3_000);
    assert_eq!(earned("B-2", &boris, Duration::hours(4)).await, 0);
    // What is ahead of ours is now, and what is too old is as old as a receipt may be that somebody claims.
    let vera = who(Some(now + Duration::hours(23))).await;
    assert_eq!(earned("V-1", &vera, minutes(0)).await, 3_000);
    let gleb = who(Some(now - Duration::days(300))).await;
    assert_eq!(earned("G-1", &gleb, Duration::days(30)).await, 3_000);
    assert_eq!(earned("G-2", &gleb, Duration::days(31)).await, 0);
    let wrong = enrol(Some(now + Duration::hours(25))).await;
    let said = problem(&wrong, StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(pointers(&said), [("/at", "in_the_future")]);
    // Who registers on the web and buys at once is no other.
    let dina = app.customer("Дина").await.id().await.to_string();
    assert_eq!(earned("D-1", &dina, minutes(9)).await, 3_000);
}

#[tokio::test]
async fn what_points_paid_while_the_till_was_cut_off_is_booked() {
    let app = TestApp::new().await;
    let till = till(&app, "till-1", &Scope::ALL).await;
    let anna = app.customer("Анна").await.id().await.to_string();
    till.post("/purchases", &sale("S-0", &anna, app.world.db.now())).await;
    let then = app.world.db.now() + Duration::days(15);
    app.world.clock.set(then);
    let reserve = async |points: i64| {
        let held = till
            .post("/reservations", &json!({"customer": anna, "points": points}))
            .await;
        read(&held)["reservation"].as_str().expect("an id").to_owned()
    };
    let paying = |document: &str, id: &str, points: i64| {
        let mut sale = sale(document, &anna, then + minutes(5));
        sale["redeem"] = json!({"reservation": id, "points": points});
        sale
    };
    let first = reserve(3_000).await;
    app.world.clock.set(then + minutes(45));
    reserve(1_000).await;
    let late = paying("S-1", &first, 2_500);
    let booked = till.post("/purchases", &late).await;
    assert_eq!(booked.status, StatusCode::CREATED, "{}", booked.body);
    let booked = read(&booked);
    assert_eq!(
        (&booked["paid"][0]["points"], &booked["unpaid"]),
        (&json!(2_000), &json!(500)),
        "{booked}"
    );
    assert_eq!(booked["earned"][0]["points"], 2_925, "3 % of the 975.00 in money");
    let known = read(&till.post("/purchases", &late).await);
    assert_eq!((&known["known"], &known["unpaid"]), (&json!(true), &json!(500)));
    assert_eq!(read(&till.get("/purchases/S-0").await)["unpaid"], 0);

    // Share, least and step of what points pay hold for the receipt as they did for the quote.
    app.world.clock.set(then + minutes(90));
    let second = reserve(1_000).await;
    let mut much = paying("S-2", &second, 1_000);
    much["at"] = json!(then + minutes(90));
    much["lines"][0]["price"] = json!(1_500);
    let said = problem(&till.post("/purchases", &much).await, StatusCode::CONFLICT, "too_much");
    assert_eq!(said["most"], 700, "half of 15.00 in full points");
    assert!(
        said["detail"].as_str().is_some_and(|detail| detail.contains("700")),
        "{said}"
    );
    much["redeem"]["points"] = json!(700);
    assert_eq!(till.post("/purchases", &much).await.status, StatusCode::CREATED);
    assert_eq!(
        crm::points::store::verify(&app.world.db, &BY).await.expect("verified"),
        []
    );
}

#[tokio::test]
async fn what_expired_before_its_receipt_came_is_told_in_the_cabinet() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let who = anna.id().await.to_string();
    let till = till(&app, "till-1", &Scope::ALL).await;
    app.execute("UPDATE memberships SET joined_at = '2020-01-01T00:00:00Z'")
        .await;
    let now = app.world.db.now();
    // Fourteen days of waiting and a year after it there is a quarter of an hour left.
    let long_ago = now - Duration::days(14 + 365) + minutes(15);
    let earned = till.post("/purchases", &sale("S-0", &who, long_ago)).await;
    assert_eq!(earned.status, StatusCode::CREATED, "{}", earned.body);
    let held = till
        .post("/reservations", &json!({"customer": who, "points": 3_000}))
        .await;
    assert_eq!(held.status, StatusCode::CREATED, "{}", held.body);
    app.world.clock.set(now + minutes(60));
    crm::points::store::run_due(&app.world.db, &BY).await.expect("done");
    let expired = anna.browser.get("/points").await.text();
    assert!(!expired.contains("Сгорание отменено"), "{expired}");

    let mut late = sale("S-1", &who, now + minutes(5));
    late["redeem"] = json!({"reservation": read(&held)["reservation"], "points": 3_000});
    let booked = till.post("/purchases", &late).await;
    assert_eq!(booked.status, StatusCode::CREATED, "{}", booked.body);
    let booked = read(&booked);
    assert_eq!(
        (&booked["paid"][0]["points"], &booked["unpaid"]),
        (&json!(3_000), &json!(0)),
        "{booked}"
    );
    let told = anna.browser.get("/points").await.text();
    for words in ["Сгорание отменено", "Ради него они вернулись", "Оплата баллами"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!(
        crm::points::store::verify(&app.world.db, &BY).await.expect("verified"),
        []
    );
}
