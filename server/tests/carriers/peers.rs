//! What messages are handed to: a mail server and a gateway, both real, on loopback.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A mail server: aiosmtpd with the rules of `smtpd.py`.
pub(crate) struct Smtpd {
    child: Child,
    pub(crate) port: u16,
    received: Arc<Mutex<Vec<Value>>>,
}

impl Smtpd {
    pub(crate) fn start(options: &[&str]) -> Self {
        let python = std::env::var("KABINET_TEST_SMTPD")
            .expect("KABINET_TEST_SMTPD names a Python with aiosmtpd; `make test` sets it by tools/pypi.sh");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/carriers/smtpd.py");
        let mut child = Command::new(python)
            .arg(script)
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the mail server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut read = move || -> Option<Value> { serde_json::from_str(&lines.next()?.ok()?).ok() };
        let port = read().expect("the mail server tells its port")["port"]
            .as_u64()
            .expect("a port");
        let received: Arc<Mutex<Vec<Value>>> = Arc::default();
        let kept = received.clone();
        std::thread::spawn(move || {
            while let Some(message) = read() {
                kept.lock().expect("a lock").push(message);
            }
        });
        Self {
            child,
            port: u16::try_from(port).expect("a port"),
            received,
        }
    }

    /// What arrived: it has been acknowledged, so it is here or about to be.
    pub(crate) async fn received(&self, count: usize) -> Vec<Value> {
        for _ in 0..500 {
            let received = self.received.lock().expect("a lock").clone();
            if received.len() >= count {
                return received;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{count} messages were acknowledged, and did not arrive");
    }
}

impl Drop for Smtpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port where nobody listens.
pub(crate) fn free_port() -> u16 {
    crate::ports::free_address().port()
}

/// A server that takes every connection and never says a word.
pub(crate) fn silent() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept() {
            held.push(stream);
        }
    });
    port
}

/// A web server with a certificate, on a port of its own: openssl's.
pub(crate) struct Secured {
    child: Child,
    pub(crate) port: u16,
}

impl Secured {
    pub(crate) async fn start(certificates: &Certificates) -> Self {
        let port = free_port();
        // Held from the beginning, so that it ends with the test whatever becomes of it.
        let child = Command::new("openssl")
            .args([
                "s_server",
                "-quiet",
                "-www",
                "-accept",
                &format!("127.0.0.1:{port}"),
                "-cert",
            ])
            .arg(&certificates.certificate)
            .arg("-key")
            .arg(&certificates.key)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is installed");
        let secured = Self { child, port };
        for _ in 0..500 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return secured;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the web server does not listen");
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A certificate for `localhost` and the one that vouches for it.
pub(crate) struct Certificates {
    _dir: tempfile::TempDir,
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

pub(crate) fn certificates() -> Certificates {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("extensions"), "subjectAltName = DNS:localhost\n").expect("written");
    let openssl = |arguments: &str| {
        let done = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(dir.path())
            .output()
            .expect("openssl is installed");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!(
        "req -x509 {new} -keyout authority.key -out authority.pem -days 2 -subj /CN=authority"
    ));
    openssl(&format!(
        "req {new} -keyout key.pem -out request.pem -subj /CN=localhost"
    ));
    openssl(
        "x509 -req -in request.pem -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile extensions \
         -out certificate.pem",
    );
    Certificates {
        authority: at("authority.pem"),
        certificate: at("certificate.pem"),
        key: at("key.pem"),
        _dir: dir,
    }
}

/// A request that a gateway got.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// A gateway for text messages: says what it is told to say, else that it took the message.
#[derive(Clone)]
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Say(u16, &'static str),
    Redirect(String),
    Nothing,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let gateway = Self {
            address: listener.local_addr().expect("an address"),
            asked: Arc::default(),
            answers: Arc::default(),
        };
        let here = gateway.clone();
        let router = Router::new().fallback(async move |request: Request| here.answer(request).await);
        tokio::spawn(async move { axum::serve(listener, router).await });
        gateway
    }

    async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, 1 << 20).await.expect("a body");
        self.asked.lock().expect("a lock").push(Asked {
            method: parts.method.to_string(),
            uri: parts.uri.to_string(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).expect("UTF-8"),
        });
        let answer = self.answers.lock().expect("a lock").pop_front();
        let mut response = Response::new(Body::from(r#"{"ok": true, "id": 42}"#));
        match answer {
            None => {}
            Some(Answer::Say(status, body)) => {
                *response.body_mut() = Body::from(body);
                *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            }
            Some(Answer::Redirect(there)) => {
                *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
                response
                    .headers_mut()
                    .insert("location", there.parse().expect("an address"));
            }
            Some(Answer::Nothing) => std::future::pending().await,
        }
        response
    }

    /// What it says next.
    pub(crate) fn will(&self, answer: Answer) {
        self.answers.lock().expect("a lock").push_back(answer);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("a lock").clone()
    }

    pub(crate) fn url(&self, rest: &str) -> String {
        format!("http://{}{rest}", self.address)
    }

    /// Reports to whom it was told to report to; what it is answered.
    pub(crate) async fn call_back(&self, to: &str, header: (&str, &str), body: &str) -> (u16, String) {
        let client = server::channels::client().expect("a client");
        let request = client.post(to).header(header.0, header.1).body(body.to_owned());
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }
}
