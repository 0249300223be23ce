//! Kabinet's benchmarks, called by `cargo xtask bench`: each line has a figure, its budget, and whether it is met.
//! Comparisons are ratios of two programs on one machine in one run; everything stays on this machine and ends by
//! itself.

mod api;
mod card;
mod engine;
mod import;
mod load;
mod pages;
mod postgres;
mod process;
mod report;
mod reports;
mod requests;
mod search;
mod signin;
mod weight;

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use load::Target;
use pages::{Asked, Side};
use process::{Process, free_address};
use report::{Budget, Report};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The demonstration's customer.
const CUSTOMER: &str = "17841";
const TOKEN: &str = "a-token-of-the-benchmark-which-no-browser-ever-gets";

#[derive(Parser)]
struct Args {
    /// The program that is measured
    #[arg(long)]
    kabinet: PathBuf,
    /// The pages written by hand
    #[arg(long)]
    bare: PathBuf,
    /// What browsers download
    #[arg(long)]
    site: PathBuf,
    /// A file of purchases, the data set Online Retail
    #[arg(long)]
    sample: PathBuf,
    /// Seconds of each turn
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Lines to import, a million unless it is said (none leaves the import out), or that reports are made of, 20 million
    #[arg(long)]
    lines: Option<usize>,
    /// Customers that are looked for
    #[arg(long, default_value_t = 1_000_000)]
    customers: u64,
    /// Requests in the list of staff
    #[arg(long, default_value_t = 1_000_000)]
    requests: u64,
    /// Entries in the history of a customer
    #[arg(long, default_value_t = 5_000)]
    entries: u64,
    /// Leaves the other parts out
    #[arg(long)]
    only: Option<Part>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Pages, and signing in
    Pages,
    /// What tills ask, on both engines
    Api,
    /// The import
    Import,
    /// The search of staff among a million customers, on both engines. It takes minutes, so only where it is named
    Search,
    /// Reports over 20 million receipt lines, on both engines; likewise
    Reports,
    /// The list of a million requests, on both engines; likewise
    Requests,
    /// The card of a customer with a long history, on both engines; likewise
    Customer,
}

impl Args {
    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let turn = Duration::from_secs(args.seconds);
    let mut report = Report::default();
    if args.wants(Part::Pages) || args.wants(Part::Api) {
        let file = folder.join("kabinet.db");
        let mut demo = kabinet(&args, &sqlite(&file));
        Process::start(demo.arg("demo").stdout(Stdio::null()))?
            .wait()
            .context("kabinet demo")?;
        compared_today(&file)?;
        settled(&args, &file).await?;
        if args.wants(Part::Pages) {
            pages(&args, &file, &mut report, turn).await?;
        }
        if args.wants(Part::Api) {
            api::measure(&mut report, &args, &file, turn).await?;
            postgres::measure(&mut report, &args, folder, turn).await?;
        }
    }
    let lines = args.lines.unwrap_or(1_000_000);
    if args.wants(Part::Import) && lines > 0 {
        let database = sqlite(&folder.join("import.db"));
        import::measure(&mut report, &args.sample, folder, lines, &|| kabinet(&args, &database))?;
    }
    match args.only {
        Some(Part::Search) => search::measure(&mut report, &args, folder).await?,
        Some(Part::Reports) => reports::measure(&mut report, &args, folder).await?,
        Some(Part::Requests) => requests::measure(&mut report, &args, folder).await?,
        Some(Part::Customer) => card::measure(&mut report, &args, folder).await?,
        _ => {}
    }
    report.close();
    Ok(())
}

/// The address of a database in a file.
fn sqlite(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

fn kabinet(args: &Args, database: &str) -> Command {
    let mut command = Command::new(&args.kabinet);
    command
        // Ours, and no key of its configuration.
        .env_remove(postgres::SERVER)
        .env("KABINET_DATABASE_URL", database)
        .env("KABINET_SITE_DIR", &args.site)
        // A benchmark is one session or one till that asks as fast as it can.
        .env("KABINET_LIMITS__PAGES_PER_SESSION", "4000000000")
        .env("KABINET_LIMITS__PAGES_PER_NETWORK", "4000000000")
        .env("KABINET_LIMITS__REQUESTS_PER_TILL", "0")
        .env("KABINET_LOG", "warn");
    command
}

/// Starts the product over a database that is there; tells where it listens, and how long that took.
fn serve(args: &Args, database: &str) -> Result<(Process, SocketAddr, Duration)> {
    let address = free_address()?;
    let mut serve = kabinet(args, database);
    serve
        .env("KABINET_LISTEN", address.to_string())
        .env("KABINET_PUBLIC_URL", format!("http://{address}"))
        // Limits count by network; the benchmark comes from many.
        .env("KABINET_TRUSTED_PROXIES", "[\"127.0.0.1\"]")
        .arg("serve")
        .stdout(Stdio::null());
    let (process, ready) = Process::serve(&mut serve, address)?;
    Ok((process, address, ready))
}

/// Starts what is written by hand over the same file.
fn serve_bare(args: &Args, file: &Path) -> Result<(Process, SocketAddr)> {
    let address = free_address()?;
    let mut bare = Command::new(&args.bare);
    bare.arg(file).arg(&args.site).arg(address.to_string());
    let (process, _) = Process::serve(&mut bare, address)?;
    Ok((process, address))
}

async fn pages(args: &Args, file: &Path, report: &mut Report, turn: Duration) -> Result<()> {
    sign_in(file)?;
    signin::prepare(file)?;
    let (ours, address, ready) = serve(args, &sqlite(file))?;
    let (bare, by_hand) = serve_bare(args, file)?;

    let at = |address| {
        move |path: &str| Target {
            address,
            path: path.to_owned(),
            who: ("cookie", format!("kabinet={TOKEN}; lang=ru")),
            post: None,
        }
    };
    let (ours_at, bare_at) = (at(address), at(by_hand));
    let home = ours_at("/").ask("identity").await?;
    ensure!(
        home.status == 200,
        "the benchmark's customer is not signed in: {}",
        home.status
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = ours.memory();

    weight::measure(report, &ours_at).await?;
    let our_side = Side {
        process: &ours,
        target: &ours_at,
    };
    let bare_side = Side {
        process: &bare,
        target: &bare_at,
    };
    for (name, path) in [("Home", "/"), ("Purchases", "/purchases")] {
        let asked = Asked {
            name,
            path,
            ratio: 0.5,
            p99: Some(10.0),
        };
        pages::measure(report, &asked, [&our_side, &bare_side], turn).await?;
    }

    report.section("The server");
    let mb = |bytes: Option<u64>| bytes.unwrap_or_default() as f64 / 1e6;
    report.line(
        "from exec to listening, a database that is there",
        ready.as_secs_f64() * 1000.0,
        "ms",
        Budget::AtMost(300.0),
    );
    report.line("memory, idle after one page", mb(idle), "MB", Budget::AtMost(40.0));
    report.line(
        "memory, the most under the load above",
        mb(ours.peak_memory()),
        "MB",
        Budget::AtMost(150.0),
    );
    signin::measure(report, &ours, &ours_at("/profile"), turn).await
}

/// Notes that the ledger was compared, so that the server does not begin to: once a day that takes seconds and memory.
fn compared_today(file: &Path) -> Result<()> {
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let db = rusqlite::Connection::open(file)?;
    db.execute(
        "INSERT INTO settings (key, value) VALUES ('ledger_verified_at', ?1)",
        [now],
    )?;
    Ok(())
}

/// Lets the server do what a new database has it do at first: count each day for reports, and write down the words of requests and
/// articles. For a minute or so that takes as much of the machine as there is. The day of today is counted once an hour, so it waits.
async fn settled(args: &Args, file: &Path) -> Result<()> {
    const IS_DONE: &str = "SELECT EXISTS (SELECT 1 FROM settings WHERE key = 'reports.zone') \
        AND NOT EXISTS (SELECT 1 FROM report_marks WHERE day < date('now')) \
        AND EXISTS (SELECT 1 FROM report_figures WHERE figure = 'people') \
        AND NOT EXISTS (SELECT 1 FROM unindexed_requests) \
        AND NOT EXISTS (SELECT 1 FROM articles WHERE COALESCE(indexed, '') <> search)";
    let (_process, ..) = serve(args, &sqlite(file))?;
    let db = rusqlite::Connection::open(file)?;
    db.busy_timeout(Duration::from_secs(10))?;
    for _ in 0..3_000 {
        let is_done: bool = db.query_row(IS_DONE, [], |row| row.get(0))?;
        if is_done {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bail!("the days of the demonstration are not counted");
}

/// Opens a session of the demonstration's customer as the product stores it: by the hash of its token.
fn sign_in(file: &Path) -> Result<()> {
    let db = rusqlite::Connection::open(file)?;
    let now = chrono::Utc::now();
    let rows = db.execute(
        "INSERT INTO sessions (id, token_hash, customer_id, device, network, created_at, seen_at, expires_at) \
         SELECT ?1, ?2, id, 'bench', '127.0.0.1', ?3, ?3, ?4 FROM customers WHERE external_id = ?5",
        rusqlite::params![
            uuid::Uuid::now_v7(),
            Sha256::digest(TOKEN).to_vec(),
            now.to_rfc3339(),
            (now + chrono::TimeDelta::days(1)).to_rfc3339(),
            CUSTOMER
        ],
    )?;
    ensure!(rows == 1, "the demonstration has no customer {CUSTOMER}");
    Ok(())
}
