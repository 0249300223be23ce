//! An installation, and the server that runs in it.

use crate::ports::free_address;
use reqwest::{Client, redirect};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// For how long anything is waited for that has to come. Nothing is asserted about how long it took.
const PATIENCE: Duration = Duration::from_secs(60);

/// A password that is taken.
pub(crate) const PASSWORD: &str = "пятьдесят лошадей у реки";

/// A folder with a configuration, a database and a site folder of this build.
pub(crate) struct Installation {
    dir: tempfile::TempDir,
    /// Where the server listens.
    pub(crate) address: SocketAddr,
    /// Where its metrics are.
    pub(crate) metrics: SocketAddr,
    settings: Vec<(String, String)>,
}

impl Installation {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let site = dir.path().join("site");
        std::fs::create_dir(&site).expect("a site folder");
        let (address, metrics) = (free_address(), free_address());
        let new = Self {
            dir,
            address,
            metrics,
            settings: Vec::new(),
        };
        new.write_site(server::site::BUILD);
        let database = new.database_url();
        new.with("KABINET_DATABASE_URL", &database)
            .with("KABINET_LISTEN", &address.to_string())
            .with("KABINET_PUBLIC_URL", &format!("http://{address}"))
            .with("KABINET_METRICS_LISTEN", &metrics.to_string())
            .with("KABINET_LIMITS__PAGES_PER_NETWORK", "0")
    }

    /// With a variable set.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Without the variable that names the database.
    pub(crate) fn without_database(mut self) -> Self {
        self.settings.retain(|(name, _)| name != "KABINET_DATABASE_URL");
        self
    }

    /// A file in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the site folder of a build.
    pub(crate) fn write_site(&self, build: &str) {
        let module = serde_json::json!({"loader": "", "js": "", "wasm": ""});
        let json = serde_json::json!({
            "build": build, "css": "/pkg/a.css", "islands": module, "rotating": module, "offline": "",
            "live": "",
            "scan": {"js": "", "decoder": ""},
        });
        std::fs::write(self.path("site/site.json"), json.to_string()).expect("written");
    }

    /// The program with these arguments.
    fn program(&self, arguments: &[&str]) -> Command {
        self.command(env!("CARGO_BIN_EXE_kabinet"), arguments)
    }

    /// Another program where this one runs, with its settings.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("KABINET_SITE_DIR", "site")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// The database's address, for a look behind the program's back.
    pub(crate) fn database_url(&self) -> String {
        format!("sqlite:{}", self.path("kabinet.db").display())
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.program(arguments).output().expect("the program runs")
    }

    /// Runs a command that has to succeed; what it printed.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command that reads a line.
    pub(crate) fn tell(&self, arguments: &[&str], line: &str) -> Output {
        let mut child = self
            .program(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut input = child.stdin.take().expect("a pipe");
        // Whoever does not read it says why.
        let _ = writeln!(input, "{line}");
        drop(input);
        child.wait_with_output().expect("it ends")
    }

    /// Runs a command at a terminal, where somebody types a line at each of these prompts; whether it succeeded, and all that was
    /// to be seen there.
    pub(crate) fn at_a_terminal(&self, arguments: &[&str], typed: &[(&str, &str)]) -> (bool, String) {
        let line = format!("{} {}", env!("CARGO_BIN_EXE_kabinet"), arguments.join(" "));
        let mut child = self
            // It would not show what comes by a pipe, and nobody would see that the program does.
            .command(
                "script",
                &[
                    "--quiet",
                    "--echo",
                    "always",
                    "--return",
                    "--command",
                    &line,
                    "/dev/null",
                ],
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script, of util-linux, runs");
        let mut input = child.stdin.take().expect("a pipe");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe")).bytes();
        let mut seen = Vec::new();
        for (prompt, words) in typed {
            while !seen.ends_with(prompt.as_bytes()) {
                let Some(byte) = output.next() else {
                    panic!("no {prompt:?}: {}", String::from_utf8_lossy(&seen))
                };
                seen.push(byte.expect("a byte"));
            }
            writeln!(input, "{words}").expect("typed");
        }
        // The terminal is there until the program has ended.
        seen.extend(output.map_while(Result::ok));
        let status = child.wait().expect("it ends");
        drop(input);
        (status.success(), String::from_utf8_lossy(&seen).into_owned())
    }

    /// An administrator, as the first one comes to be.
    pub(crate) fn employ(&self, login: &str) {
        let added = self.tell(
            &["staff", "add", login, "Ольга Верная", "--role", "administrator"],
            PASSWORD,
        );
        assert!(added.status.success(), "{}", told(&added));
    }

    /// Books a receipt, which makes postings.
    pub(crate) fn buy(&self, document: &str) {
        let csv = format!("document,at,customer,article,quantity,price\n{document},2026-11-01 12:00,7,A,1,100.00\n");
        std::fs::write(self.path("receipts.csv"), csv).expect("written");
        self.succeed(&["import", "purchases", "receipts.csv", "--format", "kabinet"]);
    }

    /// Starts the server and waits until it is ready.
    pub(crate) async fn serve(&self) -> Server {
        let mut child = self
            .program(&["serve"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (stderr, lines) = (child.stderr.take().expect("a pipe"), log.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().expect("the log").push(line);
            }
        });
        let server = Server {
            child,
            log,
            address: self.address,
            client: client(),
        };
        let began = Instant::now();
        while server.get("/readyz").await.is_none_or(|answer| answer.status() != 200) {
            assert!(began.elapsed() < PATIENCE, "not ready: {:?}", server.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }
}

/// Everything that a command said.
pub(crate) fn told(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A client that keeps its connections and follows nothing.
pub(crate) fn client() -> Client {
    // The other tests of this program do it as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .expect("a client")
}

/// A server that runs. It is gone when this is dropped.
pub(crate) struct Server {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
}

impl Server {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// An answer, if there is one.
    pub(crate) async fn get(&self, path: &str) -> Option<reqwest::Response> {
        self.client.get(self.url(path)).send().await.ok()
    }

    /// Sends a form.
    pub(crate) async fn send(&self, path: &str, body: &str) -> reqwest::Response {
        self.client
            .post(self.url(path))
            .header("origin", self.url(""))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.to_owned())
            .send()
            .await
            .expect("an answer")
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().expect("the log").clone()
    }

    /// Waits until it has logged something.
    pub(crate) async fn logged(&self, text: &str) {
        let began = Instant::now();
        while !self.log().iter().any(|line| line.contains(text)) {
            assert!(began.elapsed() < PATIENCE, "no {text:?} in {:?}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end: {:?}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs one statement on a database, behind the program's back.
pub(crate) async fn execute(url: &str, sql: &'static str) {
    use sqlx::Connection as _;
    let mut conn = sqlx::SqliteConnection::connect(url).await.expect("the database opens");
    sqlx::query(sql).execute(&mut conn).await.expect("the statement runs");
    conn.close().await.expect("closed");
}

/// What a query counts in a database.
pub(crate) async fn count(url: &str, sql: &'static str) -> i64 {
    use sqlx::Connection as _;
    let mut conn = sqlx::SqliteConnection::connect(url).await.expect("the database opens");
    let found = sqlx::query_scalar(sql).fetch_one(&mut conn).await.expect("a number");
    conn.close().await.expect("closed");
    found
}

/// The names in a folder.
pub(crate) fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .expect("read")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
