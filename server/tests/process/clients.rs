//! The examples of the documentation, as a shop's programmer would run them.

use crate::common::{Installation, told};
use serde_json::json;
use std::process::Command;

fn example(name: &str) -> String {
    format!("{}/../docs/api/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn the_examples_of_the_documentation_work() {
    let here = Installation::new();
    here.succeed(&["migrate"]);
    let key = here.succeed(&[
        "till",
        "add",
        "tver-1",
        "Till",
        "--scopes",
        "customers,purchases,points,catalogue",
    ]);
    let key = key.trim();
    let server = here.serve().await;
    let url = format!("http://{}", here.address);
    let card = format!(
        "290000000001{}",
        crm::card::check_digit("290000000001").expect("a digit")
    );
    let post = async |path: &str, body: serde_json::Value| {
        let sent = server
            .client
            .post(format!("{url}/api/v1{path}"))
            .bearer_auth(key)
            .header("idempotency-key", format!("test-{path}"))
            .json(&body)
            .send()
            .await
            .expect("an answer");
        assert!(sent.status().is_success(), "{}", sent.text().await.unwrap_or_default());
    };
    post("/cards", json!({"numbers": [card]})).await;
    post("/customers", json!({"phone": "+79000000045", "card": card})).await;

    let curl = Command::new("bash")
        .arg(example("first-purchase.sh"))
        .envs([("KABINET", url.as_str()), ("KEY", key), ("CARD", &card)])
        .output()
        .expect("bash");
    assert!(curl.status.success(), "{}", told(&curl));
    let said = String::from_utf8_lossy(&curl.stdout);
    // 3 % of 698.00.
    assert!(said.contains("\"points\":2094"), "{said}");

    let python = Command::new("python3")
        .args([example("till.py").as_str(), &url, key, &card])
        .current_dir(here.path("."))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python3");
    assert!(python.status.success(), "{}", told(&python));
    assert_eq!(String::from_utf8_lossy(&python.stdout), "earned 1047\nleft 0\n");
    let journal = std::fs::read_to_string(here.path("journal.jsonl")).expect("the journal");
    assert_eq!(
        journal.lines().count(),
        4,
        "two changes, and both are struck out: {journal}"
    );
    drop(server);
    here.succeed(&["ledger", "verify"]);
}
