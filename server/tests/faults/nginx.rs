//! One node behind nginx, by the file that is shipped, `deploy/nginx.conf`: what is let through, whose words the answers are, and
//! what is seen of a restart. The TLS is left to the other proxy (`scale_out.rs`): here browsers speak in the clear.

use crate::browser::Browser;
use crate::node::{Node, Place};
use crate::ports::free_address;
use crate::scale_out::{assert_guarded, certificate};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is shipped.
const SHIPPED: &str = include_str!("../../../deploy/nginx.conf");

/// nginx as it is shipped, on this machine; it ends with this value.
struct Nginx {
    child: Child,
    /// Where it leads to https.
    plain: SocketAddr,
    /// Where it passes requests on.
    address: SocketAddr,
}

fn program() -> PathBuf {
    let places = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&places)
        .chain(["/usr/sbin".into()])
        .map(|place| place.join("nginx"));
    places
        .find(|program| program.exists())
        .expect("nginx is on this machine (apt-get install nginx-light)")
}

impl Nginx {
    fn start(program: &Path, folder: &Path, node: SocketAddr) -> Self {
        let [plain, address] = [free_address(), free_address()];
        let certificate = certificate(folder);
        let mut text = SHIPPED.to_owned();
        // What an administrator changes, and what belongs to the machine; all the rest stays.
        for (shipped, here) in [
            (
                "    listen 80 default_server;\n",
                format!("    listen {plain} default_server;\n"),
            ),
            ("    listen [::]:80 default_server;\n", String::new()),
            ("    listen 80;\n", format!("    listen {plain};\n")),
            ("    listen [::]:80;\n", String::new()),
            ("    listen 443 ssl http2;\n", format!("    listen {address};\n")),
            ("    listen [::]:443 ssl http2;\n", String::new()),
            ("/etc/ssl/kabinet/fullchain.pem", certificate.display().to_string()),
            ("/etc/ssl/kabinet/privkey.pem", certificate.display().to_string()),
            (
                "    server 127.0.0.1:3000 max_fails=1 fail_timeout=5s;\n",
                format!("    server {node} max_fails=1 fail_timeout=5s;\n"),
            ),
        ] {
            assert_eq!(text.matches(shipped).count(), 1, "deploy/nginx.conf and {shipped:?}");
            text = text.replace(shipped, &here);
        }
        let at = |name: &str| folder.join(name).display().to_string();
        std::fs::write(at("kabinet.conf"), text).expect("written");
        // What Debian has around it, with everything that is written in one folder.
        let around = format!(
            "daemon off;\nuser root;\npid {};\nevents {{}}\nhttp {{\naccess_log off;\nclient_body_temp_path {};\n\
             proxy_temp_path {};\nfastcgi_temp_path {};\nuwsgi_temp_path {};\nscgi_temp_path {};\ninclude {};\n}}\n",
            at("nginx.pid"),
            at("bodies"),
            at("answers"),
            at("fastcgi"),
            at("uwsgi"),
            at("scgi"),
            at("kabinet.conf"),
        );
        std::fs::write(at("nginx.conf"), around).expect("written");
        let log = std::fs::File::create(at("nginx.log")).expect("a log");
        let child = Command::new(program)
            .args(["-e", "stderr", "-p"])
            .arg(folder)
            .arg("-c")
            .arg(at("nginx.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nginx starts");
        let started = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            let said = std::fs::read_to_string(at("nginx.log")).unwrap_or_default();
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "nginx does not listen: {said}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { child, plain, address }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Asked to end, it takes its workers along; killed, it would leave them behind.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", pid.as_str()]).status();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_one_node_behind_nginx_keeps_its_words_and_is_found_again_after_a_restart() {
    let program = program();
    let place = Place::sqlite().await;
    let node = Node::start(&place);
    let address = node.address;
    let nginx = Nginx::start(&program, place.dir.path(), address);
    let by_nginx = |at: SocketAddr| Browser::by_proxy(at, "club.example.com", address);

    let mut browser = by_nginx(nginx.address);
    assert_guarded(&place, &mut browser).await;
    let moved = by_nginx(nginx.plain).get("/card").await.expect("an answer");
    assert_eq!((moved.status, moved.location()), (308, "https://club.example.com/card"));

    // A till's batch is let through; of what is too much, pages and the API say so themselves, up to the wall behind them.
    let batch = "/api/v1/purchases/batch";
    for (path, bytes, status, is_nodes) in [
        ("/support/new", 100_000, 413, true),
        ("/admin/imports", 200_000, 413, true),
        ("/profile/person", 100_000, 413, true),
        ("/profile/person", 200_000, 413, false),
        (batch, 200_000, 401, true),
        (batch, server::api::BODY_LIMIT + 1, 413, true),
    ] {
        browser.reconnect();
        let sent = browser.send("POST", path, &"x".repeat(bytes)).await;
        let reply = sent.unwrap_or_else(|e| panic!("{path}, {bytes} bytes: {e}"));
        assert_eq!(reply.status, status, "{path}, {bytes} bytes: {}", reply.body);
        assert_eq!(
            reply.header("x-request-id").is_some(),
            is_nodes,
            "{path}, {bytes} bytes"
        );
    }

    // Whoever comes while the one node is away reads nginx's own words; once it is back, pages come again by themselves.
    let status = tokio::task::spawn_blocking(move || node.terminate())
        .await
        .expect("waited");
    assert_eq!(status.code(), Some(0), "SIGTERM is a peaceful end");
    browser.reconnect();
    assert_eq!(browser.get("/card").await.expect("an answer").status, 502);
    let node = Node::start_at(&place, address);
    let started = Instant::now();
    loop {
        browser.reconnect();
        let page = browser.get("/card").await.expect("an answer");
        if page.status == 200 {
            break;
        }
        assert_eq!(page.status, 502, "{}", page.body);
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "nginx does not find the node again"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!node.logged().contains("ERROR"), "{}", node.logged());
}
