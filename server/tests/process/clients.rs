//! The examples of the documentation, as a shop's programmer would run them.

use crate::common::{Installation, told};
use crate::ports::free_address;
use serde_json::json;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

fn example(name: &str) -> String {
    format!("{}/../docs/api/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The receiver of the documentation, and a row for it: staff who add one come in by a second factor.
struct Receiver {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Receiver {
    async fn start(database: &str) -> Self {
        use sqlx::Connection as _;
        let (address, key) = (free_address(), [7_u8; 32]);
        let secret = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key);
        let mut child = Command::new("python3")
            .args([example("webhooks.py"), address.port().to_string()])
            .env("SECRETS", format!("whsec_AAAA whsec_{secret}"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut receiver = Self { child, lines };
        assert_eq!(receiver.said(), "listening");
        let mut conn = sqlx::SqliteConnection::connect(database).await.expect("the database");
        sqlx::query(
            "INSERT INTO webhooks (id, url, description, events, secret, created_at) \
             VALUES ($1, $2, 'Example', '[\"purchase.booked\", \"balance.changed\"]', $3, '2026-11-01T00:00:00+00:00')",
        )
        .bind(uuid::Uuid::now_v7())
        .bind(format!("http://{address}/hooks"))
        .bind(key.to_vec())
        .execute(&mut conn)
        .await
        .expect("a row");
        receiver
    }

    fn said(&mut self) -> String {
        self.lines.next().expect("it goes on").expect("text")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_examples_of_the_documentation_work() {
    let here = Installation::new().with("KABINET_WEBHOOKS__PRIVATE_NETWORKS", "true");
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
    let mut receiver = Receiver::start(&here.database_url()).await;
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

    let mut heard: Vec<String> = (0..4).map(|_| receiver.said()).collect();
    heard.sort();
    let balance = |points| format!("balance.changed [{{'program': 'club', 'active': 0, 'pending': {points}}}]");
    assert_eq!(
        heard,
        [
            balance(1047),
            balance(2094),
            "purchase.booked return -34900".into(),
            "purchase.booked sale 69800".into(),
        ]
    );

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
    // What was sold while the till was cut off and is refused stays for a person to look at.
    let offline = r#"
import sys
sys.path.insert(0, sys.argv[1])
from till import Till, now
# A power cut left half a line.
with open("offline.jsonl", "w") as journal:
    journal.write('{"key": "torn')
till = Till(sys.argv[2], sys.argv[3], "offline.jsonl")
till.is_online = False
lines = [{"article": "TEA-1", "quantity": 1, "price": 100}]
for card in ["2999999999990", sys.argv[4]]:
    till.change("/purchases", {"document": "OFFLINE-" + card, "at": now(), "card": card, "lines": lines})
till.is_online = True
till.send_again()
again = Till(sys.argv[2], sys.argv[3], "offline.jsonl")
print(again.waiting(), again.send_again())
[kept] = again.refused()
print(kept["problem"]["code"], kept["body"]["document"])
again.settle(kept["key"])
print(again.refused())
"#;
    let python = Command::new("python3")
        .args(["-c", offline, &example(""), &url, key, &card])
        .current_dir(here.path("."))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python3");
    assert!(python.status.success(), "{}", told(&python));
    assert_eq!(
        String::from_utf8_lossy(&python.stdout),
        "[] []\ncard_unknown OFFLINE-2999999999990\n[]\n"
    );
    drop(server);
    here.succeed(&["ledger", "verify"]);
}
