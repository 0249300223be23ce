//! Places to run in, and the processes.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// How often a long test repeats itself.
pub fn times(variable: &str, otherwise: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => otherwise,
    }
}

/// The program: the one that was built with the tests, unless another is named.
fn program() -> PathBuf {
    std::env::var_os("KABINET_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_kabinet").into(), PathBuf::from)
}

/// Runs a command to its end, which has to be a good one; tells what it printed.
fn finished(command: &mut Command) -> String {
    let done = command.output().expect("it starts");
    let printed = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{command:?}: {}\n{printed}\n{}",
        done.status,
        String::from_utf8_lossy(&done.stderr)
    );
    printed
}

/// A folder with a site, and a database, both gone at the end.
pub struct Place {
    pub dir: TempDir,
    pub url: String,
}

/// The demonstration, made once and copied for each test.
static SQLITE: OnceCell<TempDir> = OnceCell::const_new();
static POSTGRES: OnceCell<String> = OnceCell::const_new();

impl Place {
    fn empty(url: impl FnOnce(&Path) -> String) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let site = dir.path().join("site");
        std::fs::create_dir(&site).expect("a folder for the site");
        let module = serde_json::json!({"js": "/pkg/a.js", "wasm": "/pkg/a.wasm", "loader": "/pkg/l.js"});
        let json = serde_json::json!({
            "build": server::site::BUILD, "css": "/pkg/a.css", "islands": module, "rotating": module,
            "offline": "/pkg/o.js", "live": "/pkg/v.js", "scan": {"js": "/pkg/s.js", "decoder": "/pkg/d.js"},
        });
        std::fs::write(site.join("site.json"), json.to_string()).expect("written");
        let url = url(dir.path());
        Self { dir, url }
    }

    /// An empty SQLite database.
    pub fn empty_sqlite() -> Self {
        Self::empty(|dir| format!("sqlite:{}", dir.join("kabinet.db").display()))
    }

    /// A small demonstration in SQLite.
    pub async fn sqlite() -> Self {
        let place = Self::empty_sqlite();
        place.copy_demonstration(place.dir.path()).await;
        place
    }

    /// The same in a folder of the caller's.
    pub async fn sqlite_in(folder: &Path) -> Self {
        let place = Self::empty(|_| format!("sqlite:{}", folder.join("kabinet.db").display()));
        place.copy_demonstration(folder).await;
        place
    }

    async fn copy_demonstration(&self, folder: &Path) {
        let template = SQLITE
            .get_or_init(|| async {
                let made = Self::empty_sqlite();
                made.run(&["demo", "--small"]);
                made.dir
            })
            .await;
        for entry in std::fs::read_dir(template.path()).expect("the template") {
            let entry = entry.expect("an entry");
            if entry.file_name().to_string_lossy().starts_with("kabinet.db") {
                std::fs::copy(entry.path(), folder.join(entry.file_name())).expect("copied");
            }
        }
    }

    /// An empty database on a PostgreSQL server.
    pub async fn empty_postgres(server: &str) -> Self {
        let name = format!("fault_{}", uuid::Uuid::now_v7().simple());
        create(server, &name, "template1").await;
        Self::empty(|_| on_server(server, &name))
    }

    /// A small demonstration on the tests' own PostgreSQL server.
    pub async fn postgres() -> Self {
        let server = postgres_server();
        let template = POSTGRES
            .get_or_init(|| async {
                let name = format!("fault_template_{}", uuid::Uuid::now_v7().simple());
                create(&server, &name, "template1").await;
                let made = Self::empty(|_| on_server(&server, &name));
                finished(made.older_command().args(["demo", "--small"]));
                name
            })
            .await;
        let name = format!("fault_{}", uuid::Uuid::now_v7().simple());
        create(&server, &name, template).await;
        Self::empty(|_| on_server(&server, &name))
    }

    /// The program with this place's configuration and nothing of the tests' own environment.
    pub fn command(&self) -> Command {
        self.configured(Command::new(program()))
    }

    /// The program that an installation is upgraded from. `KABINET_TEST_UPGRADE_FROM` is a folder with `kabinet` and the
    /// `site` of its build, as `make release` makes it, of an older source; without it, it is the same program.
    pub fn older_command(&self) -> Command {
        let Some(folder) = std::env::var_os("KABINET_TEST_UPGRADE_FROM").map(PathBuf::from) else {
            return self.command();
        };
        let mut command = self.configured(Command::new(folder.join("kabinet")));
        command.env("KABINET_SITE_DIR", folder.join("site"));
        command
    }

    /// [`Self::command`] behind another program that starts it, whose last argument it becomes.
    pub fn command_behind(&self, mut first: Command) -> Command {
        first.arg(program());
        self.configured(first)
    }

    fn configured(&self, mut command: Command) -> Command {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", self.dir.path())
            .env("KABINET_DATABASE_URL", &self.url)
            .env("KABINET_SITE_DIR", self.dir.path().join("site"))
            .env("KABINET_TRUSTED_PROXIES", "[\"127.0.0.1\"]")
            .env("KABINET_DRAIN_SECONDS", "3")
            // One session asks for pages as fast as it can.
            .env("KABINET_LIMITS__PAGES_PER_SESSION", "0")
            .env("KABINET_LIMITS__PAGES_PER_NETWORK", "0")
            .env("KABINET_LIMITS__REQUESTS_PER_CUSTOMER", "1000000")
            .env("KABINET_LIMITS__MESSAGES_PER_CUSTOMER", "1000000")
            .env("KABINET_LOG", "warn")
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command of the program to its end, which has to be a good one; tells what it printed.
    pub fn run(&self, arguments: &[&str]) -> String {
        finished(self.command().args(arguments))
    }

    /// Looks the whole database through: SQLite's own check, and balances against postings.
    pub async fn assert_sound(&self) {
        if self.url.starts_with("sqlite:") {
            let mut conn = self.sqlite_connection().await;
            let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check")
                .fetch_all(&mut conn)
                .await
                .expect("a check");
            assert_eq!(found, ["ok"]);
            let dangling = sqlx::query("PRAGMA foreign_key_check")
                .fetch_all(&mut conn)
                .await
                .expect("a check");
            assert!(dangling.is_empty(), "{} references lead nowhere", dangling.len());
            conn.close().await.expect("closed");
        }
        let said = self.run(&["ledger", "verify"]);
        assert!(said.contains("in order"), "{said}");
    }

    pub async fn sqlite_connection(&self) -> SqliteConnection {
        SqliteConnection::connect(&self.url).await.expect("the database opens")
    }

    pub async fn postgres_connection(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("the database answers")
    }

    /// A column of texts, with the same query on either engine.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        if self.url.starts_with("sqlite:") {
            let mut conn = self.sqlite_connection().await;
            let rows = sqlx::query_scalar(sql).fetch_all(&mut conn).await.expect("rows");
            conn.close().await.expect("closed");
            rows
        } else {
            let mut conn = self.postgres_connection().await;
            sqlx::query_scalar(sql).fetch_all(&mut conn).await.expect("rows")
        }
    }

    /// One figure.
    pub async fn count(&self, sql: &'static str) -> i64 {
        if self.url.starts_with("sqlite:") {
            let mut conn = self.sqlite_connection().await;
            let n = sqlx::query_scalar(sql).fetch_one(&mut conn).await.expect("a figure");
            conn.close().await.expect("closed");
            n
        } else {
            let mut conn = self.postgres_connection().await;
            sqlx::query_scalar(sql).fetch_one(&mut conn).await.expect("a figure")
        }
    }
}

/// The server that the test command started.
pub fn postgres_server() -> String {
    std::env::var("KABINET_TEST_POSTGRES")
        .expect("KABINET_TEST_POSTGRES names a PostgreSQL server; `make test` starts one")
}

async fn create(server: &str, name: &str, template: &str) {
    let mut admin = PgConnection::connect(server).await.expect("the server answers");
    let sql = AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}"));
    sqlx::query(sql).execute(&mut admin).await.expect("a database");
}

fn on_server(server: &str, name: &str) -> String {
    let host = server.rsplit_once('/').map_or(server, |(host, _)| host);
    format!("{host}/{name}")
}

/// A server process; it ends with this value.
pub struct Node {
    child: Child,
    pub address: SocketAddr,
    pub log: PathBuf,
}

impl Node {
    /// Starts a server and waits until it is ready.
    pub fn start(place: &Place) -> Self {
        Self::start_at(place, crate::ports::free_address())
    }

    /// The same on an address, as after an upgrade.
    pub fn start_at(place: &Place, address: SocketAddr) -> Self {
        let node = Self::spawn(place.command(), place, address);
        node.wait_until_ready();
        node
    }

    /// Starts a server by a command and waits for nothing.
    pub fn spawn(mut command: Command, place: &Place, address: SocketAddr) -> Self {
        let log = place.dir.path().join(format!("serve-{}.log", address.port()));
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log");
        let child = command
            .arg("serve")
            .env("KABINET_LISTEN", address.to_string())
            .env("KABINET_PUBLIC_URL", format!("http://{address}"))
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("kabinet starts");
        Self { child, address, log }
    }

    pub fn wait_until_ready(&self) {
        let started = Instant::now();
        while !self.is_ready() {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "kabinet does not get ready:\n{}",
                self.logged()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn is_ready(&self) -> bool {
        use std::io::{Read as _, Write as _};
        let Ok(mut stream) = std::net::TcpStream::connect(self.address) else {
            return false;
        };
        let mut answer = String::new();
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .and_then(|()| stream.read_to_string(&mut answer))
            .is_ok_and(|_| answer.starts_with("HTTP/1.1 200"))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it as a loss of power would, as far as a process can tell.
    pub fn kill_9(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Asks it to end and waits for that.
    pub fn terminate(mut self) -> ExitStatus {
        let pid = self.pid().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        assert!(asked.success());
        self.child.wait().expect("gone")
    }

    /// The memory that it holds, in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        let kib: u64 = line
            .split_whitespace()
            .nth(1)
            .and_then(|n| n.parse().ok())
            .expect("a number");
        kib * 1024
    }

    /// How many files and sockets it has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid()))
            .expect("it runs")
            .count()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the log of {}:\n{}", self.address, self.logged());
        }
    }
}
