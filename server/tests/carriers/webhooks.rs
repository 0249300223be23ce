//! Webhooks, told to real receivers on loopback: one that is slow, one that fails, one that is gone, and one beside them.

use crate::BY;
use crate::peers::{Answer, Asked, Gateway, free_port, silent};
use chrono::Duration;
use crm::db::scoped;
use crm::id::{SessionId, WebhookId};
use crm::lang::Lang;
use crm::purchase::{self, NewLine, NewPurchase, Original};
use crm::shop::Shop;
use crm::staff::{NewStaff, Role};
use crm::testing::{World, sqlite_of};
use crm::webhook::secret::Secret;
use crm::webhook::store::{self, Delivery, NewWebhook};
use crm::webhook::{Because, Kind, Policy, State};
use crm::who::{self, Staff, Token, Visitor};
use server::webhooks::{self, Sender};
use sqlx::Connection as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration as Wait;
use tokio::sync::watch;

const OPEN: Policy = Policy {
    private_networks: true,
    keep_days: 30,
};

/// A shop, and somebody who looks after its systems.
async fn shop(policy: &Policy) -> (World, Staff) {
    let shop = Shop {
        webhooks: policy.clone(),
        ..Shop::default()
    };
    let world = sqlite_of(shop).await;
    crm::content::load(&world.db, &BY).await.expect("content loads");
    let new = NewStaff {
        login: "boss".into(),
        name: "Boss".into(),
        role: Role::new(Role::ADMINISTRATOR),
        language: Lang::En,
        password_hash: "$argon2id$hash".into(),
    };
    let id = crm::staff::store::create(&world.db, &BY, &new).await.expect("staff");
    let (token, now) = (Token::random(), world.db.now());
    sqlx::query(
        "INSERT INTO sessions (id, token_hash, staff_id, device, network, created_at, seen_at, expires_at, \
         authenticated_at) VALUES ($1, $2, $3, '', '', $4, $4, $5, $4)",
    )
    .bind(SessionId::new())
    .bind(token.hash())
    .bind(id)
    .bind(now)
    .bind(now + Duration::days(9))
    .execute(&mut connection(&world).await)
    .await
    .expect("a session");
    let boss = who::staff(&world.db, &token, &Visitor::default()).await;
    (world, boss.expect("no error").expect("signed in"))
}

/// Behind the CRM's back.
async fn connection(world: &World) -> sqlx::SqliteConnection {
    sqlx::SqliteConnection::connect(&world.url).await.expect("the database")
}

async fn add(world: &World, boss: &Staff, url: String) -> (WebhookId, Secret) {
    let new = NewWebhook {
        url,
        description: "Stock".into(),
        events: vec![Kind::PurchaseBooked],
    };
    let by = boss.fresh(&world.db).expect("fresh");
    store::create(&world.db, &by, &new).await.expect("added")
}

/// Books a sale, which all receivers want to be told of.
async fn sell(world: &World, document: &str) {
    let booked: Result<_, crm::Error> = world
        .db
        .write(|tx| {
            scoped(async move {
                let articles = crm::article::store::ensure(tx, &BY, &BTreeMap::from([("tea", Some("Tea"))])).await?;
                let purchase = NewPurchase {
                    source: "pos".into(),
                    document: document.into(),
                    kind: purchase::Kind::Sale,
                    customer: None,
                    store: None,
                    at: tx.now(),
                    way: purchase::Way::default(),
                    points_used: 0,
                    lines: vec![NewLine {
                        ordinal: 1,
                        article: articles["tea"],
                        quantity: 1,
                        price: 100_00,
                        discount: 0,
                        rule_discount: 0,
                        original: Original::None,
                    }],
                    coupons: Vec::new(),
                };
                purchase::store::book(tx, &BY, &[purchase]).await
            })
        })
        .await;
    booked.expect("booked");
}

async fn log(world: &World, boss: &Staff, id: WebhookId) -> Vec<Delivery> {
    let mut conn = world.db.read().await.expect("a connection");
    store::deliveries(&mut conn, boss, id, None, None, 100)
        .await
        .expect("read")
}

/// Waits for what has to come. Nothing is asserted about how long it took.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..6000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Wait::from_millis(10)).await;
    }
    panic!("it never came to be: {what}");
}

/// A node that tells.
struct Node {
    stop: watch::Sender<bool>,
    handle: tokio::task::JoinHandle<()>,
}

impl Node {
    fn start(world: &World, timeout: Wait) -> Self {
        let (stop, stopping) = watch::channel(false);
        let sender = Sender::new(&world.db.shop().webhooks).expect("a client");
        let handle = webhooks::start(&world.db, sender.with_timeout(timeout), &stopping);
        Self { stop, handle }
    }
}

fn header(asked: &Asked, name: &str) -> String {
    asked.headers[name].to_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_slow_receiver_delays_nobody_else() {
    let (world, boss) = shop(&OPEN).await;
    let peers = [
        Gateway::start().await,
        Gateway::start().await,
        Gateway::start().await,
        Gateway::start().await,
    ];
    let [slow, flaky, gone, quick] = &peers;
    slow.will(Answer::Nothing);
    flaky.will(Answer::Say(500, "no room"));
    flaky.will(Answer::Say(503, "no room"));
    gone.will(Answer::Say(410, ""));
    let mut added = Vec::new();
    for peer in &peers {
        added.push(add(&world, &boss, peer.url("/hooks")).await);
    }
    for n in 0..5 {
        sell(&world, &format!("S-{n}")).await;
    }
    // The slow one would keep everybody waiting for a minute.
    let node = Node::start(&world, Wait::from_secs(60));
    until("the quick one has it all", async || quick.asked().len() == 5).await;
    until("the one that fails has all of it once", async || {
        flaky.asked().len() == 5
    })
    .await;
    until("the one that is gone is off", async || {
        let one = store::get(&world.db, &boss, added[2].0).await.expect("read");
        one.off.is_some_and(|(_, because)| because == Because::Gone)
    })
    .await;
    assert_eq!(slow.asked().len(), 1, "one at a time");
    assert_eq!(gone.asked().len(), 1, "and no more");

    // What the quick one got is signed, each once, the way it was written down.
    let secret = &added[3].1;
    let mut ids = BTreeSet::new();
    for asked in quick.asked() {
        assert_eq!((asked.method.as_str(), asked.uri.as_str()), ("POST", "/hooks"));
        assert_eq!(header(&asked, "content-type"), "application/json");
        let id = header(&asked, "webhook-id");
        assert_eq!(
            header(&asked, "webhook-timestamp"),
            world.db.now().timestamp().to_string()
        );
        assert_eq!(
            header(&asked, "webhook-signature"),
            secret.sign(&id, world.db.now(), &asked.body)
        );
        let body: serde_json::Value = serde_json::from_str(&asked.body).expect("JSON");
        assert_eq!(
            (&body["type"], &body["data"]["total"]),
            (&"purchase.booked".into(), &100_00.into())
        );
        ids.insert(id);
    }
    assert_eq!(ids.len(), 5);

    // What was not taken comes again, under the same ids.
    world.clock.set(world.db.now() + Duration::seconds(7));
    until("the one that failed twice has it all", async || {
        log(&world, &boss, added[1].0)
            .await
            .iter()
            .all(|one| one.state == State::Delivered)
    })
    .await;
    let got: Vec<String> = flaky.asked().iter().map(|asked| header(asked, "webhook-id")).collect();
    assert_eq!(got.len(), 7);
    assert_eq!(got.into_iter().collect::<BTreeSet<_>>(), ids);
    let tries: Vec<i64> = log(&world, &boss, added[1].0)
        .await
        .iter()
        .map(|one| one.attempts)
        .collect();
    assert_eq!(tries.iter().sum::<i64>(), 7, "{tries:?}");
    assert_eq!(slow.asked().len(), 1);
    node.handle.abort();
}

#[tokio::test]
async fn who_does_not_answer_is_given_up_for_now_and_what_is_begun_is_finished() {
    let (world, boss) = shop(&OPEN).await;
    let (mute, _) = add(&world, &boss, format!("http://127.0.0.1:{}/", silent())).await;
    let (nobody, _) = add(&world, &boss, format!("http://localhost:{}/", free_port())).await;
    sell(&world, "S-1").await;
    let node = Node::start(&world, Wait::from_millis(700));
    let said = async |id| {
        let one = log(&world, &boss, id).await.remove(0);
        assert_eq!(one.status, None);
        one.error.unwrap_or_default()
    };
    until("it was not reached", async || said(nobody).await.contains("refused")).await;
    // Told to stop in the middle of a request, the node waits for what comes of it.
    node.stop.send_replace(true);
    node.handle.await.expect("it stops");
    assert_eq!(said(mute).await, "no answer within 0.7 s");
    assert!(said(nobody).await.starts_with("cannot be reached: "));
    sell(&world, "S-2").await;
    tokio::time::sleep(Wait::from_millis(50)).await;
    assert_eq!(log(&world, &boss, mute).await[0].attempts, 0, "stopped");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_long_answer_not_read() {
    let (world, boss) = shop(&OPEN).await;
    let (peer, elsewhere) = (Gateway::start().await, Gateway::start().await);
    let (id, _) = add(&world, &boss, peer.url("/hooks")).await;
    peer.will(Answer::Redirect(elsewhere.url("/hooks")));
    peer.will(Answer::Say(500, Box::leak("я".repeat(5_000_000).into_boxed_str())));
    sell(&world, "S-1").await;
    sell(&world, "S-2").await;
    let node = Node::start(&world, Wait::from_secs(60));
    until("both failed", async || {
        log(&world, &boss, id).await.iter().all(|one| one.status.is_some())
    })
    .await;
    let tried = log(&world, &boss, id).await;
    let statuses: BTreeSet<_> = tried.iter().filter_map(|one| one.status).collect();
    assert_eq!(statuses, BTreeSet::from([307, 500]));
    assert!(tried.iter().all(|one| one.state == State::Pending));
    let longest = tried
        .iter()
        .filter_map(|one| one.error.as_ref())
        .map(|words| words.chars().count());
    assert_eq!(longest.max(), Some(300));
    assert_eq!(elsewhere.asked().len(), 0);
    node.handle.abort();
}

/// A server that counts who connects.
async fn counting() -> (u16, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let count = std::sync::Arc::<std::sync::atomic::AtomicUsize>::default();
    let counted = count.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    (port, count)
}

#[tokio::test]
async fn nobody_is_called_in_the_shops_own_network_unless_the_shop_says_so() {
    for (policy, is_called) in [(Policy::default(), false), (OPEN, true)] {
        let (world, boss) = shop(&policy).await;
        let (port, count) = counting().await;
        // A name says nothing before it is looked up, and what it means may change: it is looked at when it is called.
        let (named, _) = add(&world, &boss, format!("https://localhost:{port}/")).await;
        // The form refuses numbers; whatever is in the table, they are not called either.
        let (numbered, _) = add(&world, &boss, "https://example.com/".into()).await;
        sqlx::query("UPDATE webhooks SET url = $1 WHERE id = $2")
            .bind(format!("https://127.0.0.1:{port}/"))
            .bind(numbered)
            .execute(&mut connection(&world).await)
            .await
            .expect("written");
        sell(&world, "S-1").await;
        let node = Node::start(&world, Wait::from_secs(60));
        for id in [named, numbered] {
            until("it failed", async || log(&world, &boss, id).await[0].error.is_some()).await;
            let said = log(&world, &boss, id).await.remove(0).error.unwrap_or_default();
            assert_eq!(!said.contains("private_networks"), is_called, "{said}");
        }
        let called = count.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(called > 0, is_called, "{called} connections");
        node.handle.abort();
    }
}
