//! Three nodes on one PostgreSQL behind a proxy, without sticky sessions; one is killed, one is upgraded.
//!
//! The proxy is HAProxy, because it asks `/readyz` of each node by itself and takes a node away before it stops; nginx
//! learns of a node that is gone only by a customer's failed request. It runs by the file that is shipped,
//! `deploy/haproxy.cfg`: TLS, headers, limits, checks and all. It tries a request again on another node when no
//! connection came about, and a GET also when the connection broke without an answer. A form is never sent twice by the
//! proxy: whether the first one was done nobody knows. Then the browser's own code sends it again under its key (the
//! island falls back to a plain submit on any answer that is no page of ours), and without scripts the person does so by
//! reloading. The clients here do the same once, and count how often.

use crate::browser::{Browser, PASSWORD, free_phone, key, register};
use crate::load::{Customer, Sent, assert_kept, assert_memberships};
use crate::node::{Node, Place, postgres_server, times};
use crate::ports::free_address;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What is shipped.
const SHIPPED: &str = include_str!("../../../deploy/haproxy.cfg");

/// Where people come in: by the proxy, but for the inbox, which a node shows.
#[derive(Clone, Copy)]
struct Door {
    proxy: SocketAddr,
    node: SocketAddr,
}

impl Door {
    fn browser(self) -> Browser {
        Browser::by_proxy(self.proxy, "club.example.com", self.node)
    }
}

/// HAProxy as it is shipped, on this machine; it ends with this value.
struct Proxy {
    child: Child,
    door: Door,
}

impl Proxy {
    /// Starts it before these nodes; the last of them shows the inbox.
    fn start(folder: &Path, nodes: &[SocketAddr]) -> Self {
        let [plain, secure, address] = [free_address(), free_address(), free_address()];
        let mut listed = String::new();
        for (i, node) in nodes.iter().enumerate() {
            writeln!(listed, "    server node{i} {node}").expect("written");
        }
        let certificate = certificate(folder);
        let mut text = SHIPPED.to_owned();
        // What an administrator changes, and what belongs to the machine; all the rest stays.
        for (shipped, here) in [
            ("    log /dev/log local0\n", String::new()),
            ("    user haproxy\n    group haproxy\n", String::new()),
            ("bind :80,[::]:80 v6only\n", format!("bind {plain}\n")),
            (
                "bind :443,[::]:443 v6only ssl crt /etc/haproxy/certs/club.example.com.pem",
                format!("bind {secure} accept-proxy ssl crt {}", certificate.display()),
            ),
            ("    server a 127.0.0.1:3000\n", listed),
            (
                "server as-it-is 127.0.0.1:3000 ",
                format!("server as-it-is {} ", nodes[0]),
            ),
        ] {
            assert_eq!(text.matches(shipped).count(), 1, "deploy/haproxy.cfg and {shipped:?}");
            text = text.replace(shipped, &here);
        }
        // The TLS of the browsers. It says where each connection comes from, as the network would.
        write!(
            text,
            "\ndefaults\n    mode tcp\n    timeout connect 2s\n    timeout client 60s\n    timeout server 60s\n\n\
             listen browsers\n    bind {address}\n    server proxy {secure} ssl verify none send-proxy\n"
        )
        .expect("written");
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
        let door = Door {
            proxy: address,
            node: *nodes.last().expect("a node"),
        };
        Self { child, door }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A certificate with its key, signed by itself.
pub fn certificate(folder: &Path) -> PathBuf {
    let file = folder.join("club.example.com.pem");
    let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=club.example.com";
    let done = Command::new("openssl")
        .args(words.split(' '))
        .arg("-keyout")
        .arg(&file)
        .arg("-out")
        .arg(&file)
        .output()
        .expect("openssl is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    file
}

#[derive(Default)]
struct Counts {
    sign_ins: AtomicU64,
    pages: AtomicU64,
    sent_again: AtomicU64,
}

/// Signs in by password in a new browser. A form without an answer is sent once more under its key.
async fn sign_in(door: Door, phone: &str, counts: &Counts) {
    let mut browser = door.browser();
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
    let mut nodes: Vec<Option<Node>> = addresses
        .map(|address| Some(Node::spawn(place.older_command(), &place, address)))
        .into();
    nodes.iter().flatten().for_each(Node::wait_until_ready);
    // The last node is neither killed nor upgraded.
    let proxy = Proxy::start(place.dir.path(), &addresses);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let mut customers = Vec::new();
    for name in 0..4 {
        customers.push(Customer::with(proxy.door.browser(), name).await);
    }
    let mut phones = Vec::new();
    for _ in 0..3 {
        let phone = free_phone();
        register(&mut proxy.door.browser(), &phone, PASSWORD)
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
            let (counts, is_over, door) = (counts.clone(), is_over.clone(), proxy.door);
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    sign_in(door, &phone, &counts).await;
                }
            })
        })
        .collect();

    let third = Duration::from_secs_f64(seconds as f64 / 3.0);
    tokio::time::sleep(third).await;
    nodes[0].take().expect("it runs").kill_9();
    tokio::time::sleep(third).await;
    // An upgrade as docs/operations.md has it: the schema first, under the old nodes; then one stops in peace, and the
    // killed one and it come back as the new version. The last one stays with the old version to the end.
    const SCHEMA: &str = "SELECT MAX(version) FROM _sqlx_migrations";
    let older_schema = place.count(SCHEMA).await;
    place.run(&["migrate"]);
    let schema = place.count(SCHEMA).await;
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
        "scale-out: 3 nodes, one killed, one upgraded (schema {older_schema} to {schema}); {sign_ins} sign-ins, {pages} pages, {kept} changes; failed 0; \
         {again} forms were cut off by the kill and sent again under their keys"
    );
}

/// Somebody registers through a proxy, and it shows what is for customers alone.
pub(crate) async fn assert_guarded(place: &Place, browser: &mut Browser) {
    register(browser, &free_phone(), PASSWORD).await.expect("registered");
    // Where people are is what the proxy saw, not what they said.
    let networks = place.texts("SELECT DISTINCT network FROM attempts").await;
    assert!(
        !networks.is_empty() && networks.iter().all(|network| network.starts_with("127.")),
        "{networks:?}"
    );
    for path in ["/inbox", "/inbox/", "/metrics"] {
        browser.reconnect();
        let reply = browser.get(path).await.expect("an answer");
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.header("x-request-id").is_none(), "{path} got to the node");
    }
}

/// One node behind the same proxy: what is let through, whose words the answers are, and that a restart is not seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_one_node_behind_the_proxy_is_restarted_and_nobody_notices() {
    let place = Place::sqlite().await;
    let node = Node::start(&place);
    let address = node.address;
    let proxy = Proxy::start(place.dir.path(), &[address]);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let mut browser = proxy.door.browser();
    assert_guarded(&place, &mut browser).await;
    // A till's batch is let through; of what is too much, pages and the API say so themselves.
    let batch = "/api/v1/purchases/batch";
    for (path, bytes, status, kind) in [
        ("/support/new", 100_000, 413, "text/html"),
        ("/admin/imports", 200_000, 413, "text/html"),
        (batch, 200_000, 401, "application/problem+json"),
        (batch, server::api::BODY_LIMIT + 1, 413, "application/problem+json"),
    ] {
        browser.reconnect();
        let sent = browser.send("POST", path, &"x".repeat(bytes)).await;
        let reply = sent.unwrap_or_else(|e| panic!("{path}, {bytes} bytes: {e}"));
        assert_eq!(reply.status, status, "{path}, {bytes} bytes: {}", reply.body);
        assert!(reply.header("x-request-id").is_some(), "{path}: the proxy's own words");
        let found = reply.header("content-type").unwrap_or_default();
        assert!(found.starts_with(kind), "{path}, {bytes} bytes: {found}");
    }

    let is_over = Arc::new(AtomicBool::new(false));
    let reading = {
        let (is_over, door) = (is_over.clone(), proxy.door);
        tokio::spawn(async move {
            let (mut browser, mut pages) = (door.browser(), 0_u64);
            while !is_over.load(Ordering::Relaxed) {
                let page = browser.get("/sign-in").await.expect("a page");
                assert_eq!(page.status, 200, "{}", page.body);
                pages += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            pages
        })
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    let status = tokio::task::spawn_blocking(move || node.terminate())
        .await
        .expect("waited");
    assert_eq!(status.code(), Some(0), "SIGTERM is a peaceful end");
    let node = Node::start_at(&place, address);
    tokio::time::sleep(Duration::from_secs(2)).await;
    is_over.store(true, Ordering::Relaxed);
    let pages = reading.await.expect("every page came");
    assert!(pages > 20, "hardly anything was tried: {pages} pages");
    assert!(!node.logged().contains("ERROR"), "{}", node.logged());
    eprintln!("one node behind the proxy: restarted while {pages} pages were asked for; failed 0");
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
        "UPDATE outbox SET state = 'queued', sent_at = NULL, due_at = now()",
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
    // Promotional messages wait for a civil hour.
    let waiting = "SELECT (SELECT COUNT(*) FROM lots WHERE state = 'pending' AND activates_at <= now()) + \
                   (SELECT COUNT(*) FROM lots WHERE state = 'active' AND expires_at <= now()) + \
                   (SELECT COUNT(*) FROM outbox WHERE state = 'queued' AND aim IS NULL)";
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
