//! Three nodes on one PostgreSQL behind a proxy, without sticky sessions; one is killed, one is upgraded.
//!
//! The proxy is HAProxy, because it asks `/readyz` of each node by itself and takes a node away before it stops; nginx
//! learns of a node that is gone only by a customer's failed request. It tries a request again on another node when no
//! connection came about, and a GET also when the connection broke without an answer. A form is never sent twice by the
//! proxy: whether the first one was done nobody knows. Then the browser's own code sends it again under its key (the
//! island falls back to a plain submit on any answer that is no page of ours), and without scripts the person does so by
//! reloading. The clients here do the same once, and count how often.

use crate::browser::{Browser, PASSWORD, free_phone, key, register};
use crate::load::{Customer, Sent, assert_kept, assert_memberships};
use crate::node::{Node, Place, free_address, postgres_server, times};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// HAProxy with a configuration of the test's own; it ends with this value.
struct Proxy {
    child: Child,
    address: SocketAddr,
}

impl Proxy {
    fn start(folder: &Path, nodes: &[SocketAddr]) -> Self {
        let address = free_address();
        let mut text = format!(
            "global\n  maxconn 1000\n\
             defaults\n  mode http\n  option forwardfor\n  option redispatch 1\n  retries 3\n  retry-on conn-failure empty-response\n  \
             timeout connect 2s\n  timeout client 30s\n  timeout server 30s\n  timeout queue 5s\n  timeout check 2s\n\
             frontend shop\n  bind {address}\n  default_backend nodes\n\
             backend nodes\n  balance roundrobin\n  option httpchk GET /readyz\n  http-check expect status 200\n  \
             http-request disable-l7-retry unless METH_GET\n  \
             default-server check inter 300ms fall 1 rise 1 observe layer4 error-limit 1 on-error mark-down\n"
        );
        for (i, node) in nodes.iter().enumerate() {
            writeln!(text, "  server node{i} {node}").expect("written");
        }
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, text).expect("written");
        let log = std::fs::File::create(folder.join("haproxy.log")).expect("a log");
        let program = if Path::new("/usr/sbin/haproxy").exists() {
            "/usr/sbin/haproxy"
        } else {
            "haproxy"
        };
        let child = Command::new(program)
            .args(["-db", "-f"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("haproxy is missing: apt-get install haproxy");
        let started = std::time::Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "the proxy does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { child, address }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Default)]
struct Counts {
    sign_ins: AtomicU64,
    pages: AtomicU64,
    sent_again: AtomicU64,
}

/// Signs in by password in a new browser. A form without an answer is sent once more under its key.
async fn sign_in(address: SocketAddr, phone: &str, counts: &Counts) {
    let mut browser = Browser::new(address);
    let key = key();
    let fields = [("phone", phone), ("password", PASSWORD)];
    for attempt in 1..=2 {
        match browser.post("/sign-in", "sign_in.password", &key, &fields).await {
            Ok(reply) if reply.status == 303 && browser.cookies.contains_key("kabinet") => break,
            Ok(reply) if attempt == 2 || !matches!(reply.status, 502 | 504) => {
                panic!("a sign-in failed: {} {}", reply.status, reply.body)
            }
            Err(e) if attempt == 2 => panic!("a sign-in failed: {e}"),
            Ok(_) | Err(_) => {
                // Nobody reloads a page sooner, and the proxy, which asks once a second, knows by then that the node is gone.
                tokio::time::sleep(Duration::from_millis(1500)).await;
                browser.reconnect();
                counts.sent_again.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    let home = browser.get("/").await.expect("a page");
    assert_eq!(home.status, 200, "signed in and not let in: {}", home.body);
    counts.sign_ins.fetch_add(1, Ordering::Relaxed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_three_nodes_one_killed_one_upgraded_and_nobody_notices() {
    let seconds = times("KABINET_TEST_SCALE_SECONDS", 15);
    const NOT_SENT: &str = "SELECT COUNT(*) FROM outbox WHERE state <> 'sent'";
    let place = Place::postgres().await;
    // The demonstration shows dead letters, too.
    let not_sent = place.count(NOT_SENT).await;
    let addresses = [free_address(), free_address(), free_address()];
    let mut nodes: Vec<Option<Node>> = addresses.map(|address| Some(Node::start_at(&place, address))).into();
    let proxy = Proxy::start(place.dir.path(), &addresses);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let mut customers = Vec::new();
    for name in 0..4 {
        customers.push(Customer::new(proxy.address, name).await);
    }
    let mut phones = Vec::new();
    for _ in 0..3 {
        let phone = free_phone();
        register(&mut Browser::new(proxy.address), &phone, PASSWORD)
            .await
            .expect("registered");
        phones.push(phone);
    }
    let codes_before = place.count("SELECT COUNT(*) FROM codes").await;
    assert_eq!(codes_before, 7, "one for each registration");

    let counts = Arc::new(Counts::default());
    let is_over = Arc::new(AtomicBool::new(false));
    let changing: Vec<_> = customers
        .into_iter()
        .map(|mut customer| {
            let (counts, is_over) = (counts.clone(), is_over.clone());
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let sent = match customer.settle().await {
                        Some(sent) => {
                            counts.sent_again.fetch_add(1, Ordering::Relaxed);
                            assert_eq!(sent, Sent::Acknowledged, "sent again: {:?}", customer.open);
                            continue;
                        }
                        None => customer.step().await,
                    };
                    if let Sent::Refused(status) = sent {
                        panic!("{status} for {:?}", customer.open);
                    }
                    for path in ["/", "/purchases", "/support"] {
                        let page = customer.browser.get(path).await.expect("a page");
                        assert_eq!(page.status, 200, "{path}: {}", page.body);
                        counts.pages.fetch_add(1, Ordering::Relaxed);
                    }
                }
                customer
            })
        })
        .collect();
    let entering: Vec<_> = phones
        .into_iter()
        .map(|phone| {
            let (counts, is_over, address) = (counts.clone(), is_over.clone(), proxy.address);
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    sign_in(address, &phone, &counts).await;
                }
            })
        })
        .collect();

    let third = Duration::from_secs_f64(seconds as f64 / 3.0);
    tokio::time::sleep(third).await;
    nodes[0].take().expect("it runs").kill_9();
    tokio::time::sleep(third).await;
    // An upgrade: one that stops in peace, then the killed one and it come back.
    let stopping = nodes[1].take().expect("it runs");
    let status = tokio::task::spawn_blocking(move || stopping.terminate())
        .await
        .expect("waited");
    assert_eq!(status.code(), Some(0), "SIGTERM is a peaceful end");
    for (node, address) in nodes.iter_mut().zip(addresses).take(2) {
        *node = Some(Node::start_at(&place, address));
    }
    tokio::time::sleep(third).await;
    is_over.store(true, Ordering::Relaxed);

    let mut customers = Vec::new();
    for task in changing {
        customers.push(task.await.expect("a customer"));
    }
    for task in entering {
        task.await.expect("every sign-in was a good one");
    }
    for customer in &mut customers {
        if let Some(sent) = customer.settle().await {
            assert_eq!(sent, Sent::Acknowledged, "sent again: {:?}", customer.open);
        }
    }
    let kept = assert_kept(&place, &customers, &[0; 4]).await;
    assert_memberships(&mut customers).await;
    // Messages are carried every two seconds.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(place.count(NOT_SENT).await, not_sent, "a message was lost");
    let messages = place
        .count("SELECT COUNT(*) FROM outbox WHERE template = 'sign_in_code'")
        .await;
    assert_eq!(
        messages,
        place.count("SELECT COUNT(*) FROM codes").await,
        "each code in one message"
    );
    for node in nodes.into_iter().flatten() {
        assert!(!node.logged().contains("ERROR"), "{}", node.logged());
    }
    place.assert_sound().await;
    let count = |n: &AtomicU64| n.load(Ordering::Relaxed);
    let (sign_ins, pages, again) = (count(&counts.sign_ins), count(&counts.pages), count(&counts.sent_again));
    assert!(
        sign_ins > 5 && kept > 20,
        "hardly anything was tried: {sign_ins} sign-ins, {kept} changes"
    );
    eprintln!(
        "scale-out: 3 nodes, one killed, one upgraded; {sign_ins} sign-ins, {pages} pages, {kept} changes; failed 0; \
         {again} forms were cut off by the kill and sent again under their keys"
    );
}

/// Nodes that start at the same moment on an empty database make it once, and whatever is due at that moment is done
/// once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_nodes_at_once_make_the_schema_once_and_do_each_job_once() {
    let empty = Place::empty_postgres(&postgres_server()).await;
    let nodes: Vec<Node> = (0..3)
        .map(|_| Node::spawn(empty.command(), &empty, free_address()))
        .collect();
    for node in &nodes {
        node.wait_until_ready();
    }
    assert_eq!(empty.count("SELECT COUNT(*) FROM programs").await, 3);
    assert_eq!(empty.count("SELECT COUNT(DISTINCT code) FROM programs").await, 3);
    drop(nodes);

    let place = Place::postgres().await;
    let mut conn = place.postgres_connection().await;
    // Everything that waits is due now, and half of what is active ends now.
    for sql in [
        "UPDATE lots SET activates_at = now() - interval '1 minute' WHERE state = 'pending'",
        "UPDATE lots SET expires_at = now() - interval '1 second' WHERE state = 'active' AND mod(points, 2) = 0",
        "UPDATE outbox SET state = 'queued', sent_at = NULL",
    ] {
        sqlx::query(sql).execute(&mut conn).await.expect("made due");
    }
    let pending = place
        .count("SELECT COUNT(*) FROM lots WHERE state = 'pending' AND remaining > 0")
        .await;
    let ending = place
        .count("SELECT COUNT(*) FROM lots WHERE state = 'active' AND remaining > 0 AND expires_at <= now()")
        .await;
    assert!(pending > 10 && ending > 10, "{pending} {ending}");
    let of = "SELECT COUNT(*) FROM transactions WHERE kind = 'activation'";
    let ended = "SELECT COUNT(*) FROM transactions WHERE kind = 'expiry'";
    let (activated_before, ended_before) = (place.count(of).await, place.count(ended).await);

    let nodes: Vec<Node> = (0..3)
        .map(|_| Node::spawn(place.command(), &place, free_address()))
        .collect();
    for node in &nodes {
        node.wait_until_ready();
    }
    let waiting = "SELECT (SELECT COUNT(*) FROM lots WHERE state = 'pending' AND activates_at <= now()) + \
                   (SELECT COUNT(*) FROM lots WHERE state = 'active' AND expires_at <= now()) + \
                   (SELECT COUNT(*) FROM outbox WHERE state = 'queued')";
    let started = std::time::Instant::now();
    while place.count(waiting).await > 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "the jobs do not get done");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Some of the lots that became active may have been among those that ended.
    let activated = place.count(of).await - activated_before;
    let expired = place.count(ended).await - ended_before;
    assert_eq!(activated, pending, "each lot became active once");
    assert_eq!(expired, ending, "each lot ended once");
    for node in nodes {
        assert!(!node.logged().contains("ERROR"), "{}", node.logged());
        assert_eq!(node.terminate().code(), Some(0));
    }
    place.assert_sound().await;
    eprintln!("jobs on 3 nodes at once: {activated} lots became active once, {expired} ended once");
}
