//! A database that goes away, and one whose connections are all taken.

use crate::browser::{LONGEST, customer, key};
use crate::load::{Customer, Sent, assert_kept, assert_memberships};
use crate::node::{Node, Place};
use sqlx::Connection as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A PostgreSQL of the test's own, stopped at the end.
struct Server {
    name: String,
    url: String,
}

impl Server {
    fn tool(action: &str, name: &str) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/postgres.sh");
        let done = Command::new(script)
            .args([action, name])
            .output()
            .expect("tools/postgres.sh");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    fn start() -> Self {
        let name = format!("fault-{}", std::process::id());
        let url = Self::tool("start", &name);
        Self { name, url }
    }

    fn restart(&self) {
        Self::tool("restart", &self.name);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        Self::tool("stop", &self.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_restart_of_postgresql_is_survived_without_one_of_ours() {
    let server = Server::start();
    let place = Place::empty_postgres(&server.url).await;
    place.run(&["demo", "--small"]);
    let node = Node::start(&place);
    let mut customers = Vec::new();
    for name in 0..6 {
        customers.push(Customer::new(node.address, name).await);
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let busy: Vec<_> = customers
        .into_iter()
        .map(|mut customer| {
            let is_over = is_over.clone();
            tokio::spawn(async move {
                let mut refused = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let sent = match customer.settle().await {
                        Some(sent) => sent,
                        None => customer.step().await,
                    };
                    match sent {
                        Sent::Acknowledged => {}
                        Sent::Refused(503) => refused += 1,
                        other => panic!("{other:?} for {:?}", customer.open),
                    }
                    let page = customer.browser.get("/").await.expect("an answer");
                    match page.status {
                        200 => {}
                        _ => {
                            page.assert_unavailable();
                            refused += 1;
                        }
                    }
                }
                (customer, refused)
            })
        })
        .collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        server.restart();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    is_over.store(true, Ordering::Relaxed);
    let (mut customers, mut refused) = (Vec::new(), 0);
    for task in busy {
        let (customer, n) = task.await.expect("a customer");
        customers.push(customer);
        refused += n;
    }
    for customer in &mut customers {
        if let Some(sent) = customer.settle().await {
            assert_eq!(sent, Sent::Acknowledged);
        }
        assert_eq!(customer.browser.get("/").await.expect("an answer").status, 200);
    }
    let kept = assert_kept(&place, &customers, &[0; 6]).await;
    assert_memberships(&mut customers).await;
    assert_eq!(node.terminate().code(), Some(0));
    place.assert_sound().await;
    assert!(kept > 20, "hardly anything was tried: {kept}");
    eprintln!("PostgreSQL restarted 3 times: {kept} changes acknowledged and kept, {refused} answers of 503, no other");
}

/// Asks for pages while the database makes everybody wait; nobody waits longer than they have to.
async fn everybody_is_told(node: &Node, browsers: &[crate::browser::Browser]) -> Duration {
    let started = Instant::now();
    let waiting: Vec<_> = browsers
        .iter()
        .map(|browser| {
            let mut browser = browser.again();
            tokio::spawn(async move { browser.get("/").await.expect("an answer") })
        })
        .collect();
    // What needs no database is there meanwhile.
    let mut stranger = crate::browser::Browser::new(node.address);
    for path in ["/healthz", "/sign-in"] {
        assert_eq!(stranger.get(path).await.expect("an answer").status, 200, "{path}");
    }
    for reply in waiting {
        reply.await.expect("asked").assert_unavailable();
    }
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_used_up_connections_are_told_and_come_back() {
    let place = Place::postgres().await;
    let node = Node::start(&place);
    let anna = customer(node.address).await;
    let browsers: Vec<_> = (0..40).map(|_| anna.again()).collect();
    // Whoever asks who somebody is waits, and keeps a connection.
    let mut other = place.postgres_connection().await;
    sqlx::query("BEGIN").execute(&mut other).await.expect("begun");
    sqlx::query("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        .execute(&mut other)
        .await
        .expect("locked");
    let took = everybody_is_told(&node, &browsers).await;
    sqlx::query("ROLLBACK").execute(&mut other).await.expect("let go");
    assert!(took < LONGEST, "{took:?}");
    for browser in &browsers {
        let page = browser.again().get("/").await.expect("an answer");
        assert_eq!(page.status, 200, "{}", page.body);
    }
    assert_eq!(node.terminate().code(), Some(0));
    eprintln!(
        "connections used up: 40 requests answered 503 within {:.1} s, 40 of 40 fine afterwards",
        took.as_secs_f64()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_sqlite_held_by_another_process_is_told_and_comes_back() {
    let place = Place::sqlite().await;
    let node = Node::start(&place);
    let mut anna = customer(node.address).await;
    let mut other = place.sqlite_connection().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("begun");
    let started = Instant::now();
    let key = key();
    let fields = [("topic", "other"), ("text", "Когда откроетесь?"), ("purchase", "")];
    let refused = anna
        .post("/support/new", "request.create", &key, &fields)
        .await
        .expect("an answer");
    let took = started.elapsed();
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.body.contains("Когда откроетесь?") && refused.body.contains("Сейчас сохранить не получается"));
    assert_eq!(
        anna.get("/support").await.expect("an answer").status,
        200,
        "reading goes on"
    );
    sqlx::query("ROLLBACK").execute(&mut other).await.expect("let go");
    other.close().await.expect("closed");
    let again = anna
        .post("/support/new", "request.create", &key, &fields)
        .await
        .expect("an answer");
    assert_eq!(again.status, 303, "{}", again.body);
    assert_eq!(
        place
            .count("SELECT COUNT(*) FROM messages WHERE body = 'Когда откроетесь?'")
            .await,
        1
    );
    assert_eq!(node.terminate().code(), Some(0));
    eprintln!(
        "SQLite held by another process: 503 after {:.1} s, taken afterwards under the same key",
        took.as_secs_f64()
    );
}
