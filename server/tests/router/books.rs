//! The same purchases lead to the same books, whether they are imported or come from a till.

use crate::common::{BY, TestApp};
use axum::http::{Method, StatusCode};
use chrono::{DateTime, Utc};
use crm::on;
use crm::points::store as points;
use crm::purchase::import::{Format, Options, run};
use crm::till::{NewTill, Scope};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use server::api;
use std::collections::BTreeSet;
use std::io::Read as _;

/// How many customers of the sample, unless `KABINET_TEST_BUYERS` says so.
const BUYERS: usize = 150;
/// How many receipts are sent at once.
const BATCH: usize = 100;

/// The receipts of some customers, as the sample has them: its lines in their order. Those who brought something back come first.
fn sample() -> String {
    let wanted = std::env::var("KABINET_TEST_BUYERS").ok();
    let wanted = wanted.map_or(BUYERS, |n| n.parse().expect("KABINET_TEST_BUYERS is a number"));
    let file = std::fs::File::open("demo/online_retail_sample.csv.gz").expect("the sample");
    let mut text = String::new();
    GzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("the sample is text");
    // The country, which comes last, has no comma in its name.
    let customer = |line: &str| line.rsplit(',').nth(1).unwrap_or_default().to_owned();
    let whose = |is_back: bool| -> BTreeSet<String> {
        let lines = text.lines().skip(1).filter(|line| line.starts_with('C') == is_back);
        lines.map(customer).filter(|id| !id.is_empty()).collect()
    };
    let (back, others) = (whose(true), whose(false));
    let some: BTreeSet<&String> = back.iter().chain(others.difference(&back)).take(wanted).collect();
    let lines = text.lines().enumerate();
    let chosen = lines.filter(|(i, line)| *i == 0 || some.contains(&customer(line)));
    chosen.map(|(_, line)| format!("{line}\n")).collect()
}

#[derive(sqlx::FromRow)]
struct Sold {
    document: String,
    kind: String,
    customer: crm::id::CustomerId,
    at: DateTime<Utc>,
    article: String,
    name: String,
    quantity: i64,
    price: i64,
    discount: i64,
    original: Option<String>,
    place: Option<i64>,
}

/// What was imported, as a till would send it: the earliest first, each with whether it is a return.
async fn receipts(app: &TestApp) -> Vec<(bool, Value)> {
    const SQL: &str = "SELECT p.document, p.kind, p.customer_id AS customer, p.at, a.code AS article, a.name, l.quantity, \
        l.price, l.discount, q.document AS original, o.ordinal AS place FROM purchases p \
        JOIN purchase_lines l ON l.purchase_id = p.id JOIN articles a ON a.id = l.article_id \
        LEFT JOIN purchase_lines o ON o.id = l.original_line_id LEFT JOIN purchases q ON q.id = o.purchase_id \
        WHERE p.source = 'import' ORDER BY p.at, p.id, l.ordinal";
    let mut conn = app.world.db.read().await.expect("a connection");
    let lines: Vec<Sold> = on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await).expect("lines");
    let mut receipts: Vec<(bool, Value)> = Vec::new();
    for line in lines {
        let is_return = line.kind == "return";
        let is_new = receipts
            .last()
            .is_none_or(|(_, last)| last["document"] != line.document);
        if is_new {
            let (document, at, customer) = (&line.document, line.at, line.customer.0);
            receipts.push((
                is_return,
                json!({"document": document, "at": at, "customer": customer, "lines": []}),
            ));
        }
        let mut item = json!({
            "article": line.article, "quantity": line.quantity.abs(), "price": line.price,
            "discount": line.discount.abs(),
        });
        if is_return {
            // What the import found no sale for waits at the counter for a receipt that never comes.
            let (document, place) = (
                line.original.unwrap_or("before the sample".into()),
                line.place.unwrap_or(1),
            );
            item["original"] = json!({"document": document, "line": place});
        } else {
            item["name"] = json!(line.name);
        }
        let (_, receipt) = receipts.last_mut().expect("one was begun");
        receipt["lines"].as_array_mut().expect("its lines").push(item);
    }
    receipts
}

/// The books of one source, without ids: every posting of every account, what each line earned, and what came back.
async fn books(app: &TestApp, source: &str) -> Vec<String> {
    const SQL: [&str; 3] = [
        "SELECT p.document || ' ' || t.kind || ' ' || t.at || ' ' || COALESCE(c.external_id, '-') || ' ' || a.kind || ' ' \
         || o.amount FROM purchases p JOIN transactions t ON t.purchase_id = p.id JOIN postings o ON o.transaction_id = t.id \
         JOIN accounts a ON a.id = o.account_id LEFT JOIN customers c ON c.id = a.customer_id WHERE p.source = $1",
        "SELECT p.document || ' ' || p.at || ' ' || c.external_id || ' ' || l.ordinal || ' ' || g.code || ' ' || a.points \
         || ' ' || t.points || ' ' || t.remaining || ' ' || t.activates_at || ' ' || t.expires_at \
         FROM purchases p JOIN purchase_lines l ON l.purchase_id = p.id JOIN customers c ON c.id = p.customer_id \
         JOIN accruals a ON a.line_id = l.id JOIN programs g ON g.id = a.program_id JOIN lots t ON t.id = a.lot_id \
         WHERE p.source = $1",
        "SELECT p.document || ' ' || p.kind || ' ' || p.line_count || ' ' || p.total || ' ' || l.ordinal || ' ' || a.code \
         || ' ' || l.quantity || ' ' || l.price || ' ' || l.discount || ' ' || l.returned FROM purchases p \
         JOIN purchase_lines l ON l.purchase_id = p.id JOIN articles a ON a.id = l.article_id WHERE p.source = $1",
    ];
    let mut conn = app.world.db.read().await.expect("a connection");
    let mut books = Vec::new();
    for sql in SQL {
        let mut rows: Vec<String> =
            on!(conn, |c| sqlx::query_scalar(sql).bind(source).fetch_all(c).await).expect("rows");
        rows.sort();
        assert!(!rows.is_empty(), "{source}: {sql}");
        books.extend(rows);
    }
    books
}

#[tokio::test]
async fn an_import_and_a_till_lead_to_the_same_books() {
    let app = TestApp::new().await;
    let db = &app.world.db;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sample.csv");
    std::fs::write(&file, sample()).expect("written");
    let options = Options {
        source: "import".into(),
        ..Options::new(Format::OnlineRetail)
    };
    let summary = run(db, &BY, &file, &options, |_| {}).await.expect("imported");
    assert!(summary.matched > 0 && summary.unmatched > 0, "{summary:?}");

    let new = NewTill {
        code: "till-1".into(),
        name: "Касса".into(),
        source: "shop".into(),
        store: None,
    };
    let id = crm::till::store::create_by_system(db, &BY, &new).await.expect("a till");
    let key = crm::till::store::create_key_by_system(db, &BY, id, &[Scope::Purchases]);
    let bearer = format!("Bearer {}", key.await.expect("a key").secret());
    for (number, part) in receipts(&app).await.chunks(BATCH).enumerate() {
        // In a batch the sales come first; none of these returns is of the same moment as its sale.
        let of =
            |wanted: bool| -> Vec<&Value> { part.iter().filter(|(is, _)| *is == wanted).map(|(_, r)| r).collect() };
        let body = json!({"purchases": of(false), "returns": of(true)})
            .to_string()
            .into_bytes();
        let number = format!("batch-{number:04}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", number.as_str()),
        ];
        let path = format!("{}/purchases/batch", api::PREFIX);
        let reply = app.anybody().request(Method::POST, &path, &headers, body).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
        let result: Value = serde_json::from_str(&reply.body).expect("JSON");
        assert_eq!(result["booked"], part.len(), "{}", reply.body);
    }

    points::run_due(db, &BY).await.expect("the daily work");
    assert!(points::verify(db, &BY).await.expect("the books are read").is_empty());
    let (imported, sent) = (books(&app, "import").await, books(&app, "shop").await);
    for (one, other) in imported.iter().zip(&sent) {
        assert_eq!(one, other, "imported and sent");
    }
    assert_eq!(imported.len(), sent.len());
}
