//! Kabinet's benchmarks, called by `cargo xtask bench`: each line has a figure, its budget, and whether it is met.
//! Comparisons are ratios of two programs on one machine in one run; everything stays on this machine and ends by
//! itself.

mod import;
mod load;
mod pages;
mod process;
mod report;
mod signin;
mod weight;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use load::Target;
use pages::Side;
use process::{Process, free_address};
use report::{Budget, Report};
use sha2::{Digest, Sha256};
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
    /// Lines to import; none leaves the import out
    #[arg(long, default_value_t = 1_000_000)]
    lines: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir()?;
    let mut report = Report::default();
    pages(&args, folder.path(), &mut report).await?;
    if args.lines > 0 {
        let database = format!("sqlite:{}", folder.path().join("import.db").display());
        import::measure(&mut report, &args.sample, folder.path(), args.lines, &|| {
            kabinet(&args, &database)
        })?;
    }
    report.close();
    Ok(())
}

fn kabinet(args: &Args, database: &str) -> Command {
    let mut command = Command::new(&args.kabinet);
    command
        .env("KABINET_DATABASE_URL", database)
        .env("KABINET_SITE_DIR", &args.site)
        // A benchmark is one session that reads as fast as it can.
        .env("KABINET_LIMITS__PAGES_PER_SESSION", "4000000000")
        .env("KABINET_LIMITS__PAGES_PER_NETWORK", "4000000000")
        .env("KABINET_LOG", "warn");
    command
}

async fn pages(args: &Args, folder: &Path, report: &mut Report) -> Result<()> {
    let file = folder.join("kabinet.db");
    let database = format!("sqlite:{}", file.display());
    let mut demo = kabinet(args, &database);
    Process::start(demo.arg("demo").stdout(Stdio::null()))?
        .wait()
        .context("kabinet demo")?;
    sign_in(&file)?;
    signin::prepare(&file)?;

    let (address, by_hand) = (free_address()?, free_address()?);
    let mut serve = kabinet(args, &database);
    serve
        .env("KABINET_LISTEN", address.to_string())
        .env("KABINET_PUBLIC_URL", format!("http://{address}"))
        // Limits count by network; the benchmark comes from many.
        .env("KABINET_TRUSTED_PROXIES", "[\"127.0.0.1\"]")
        .arg("serve");
    serve.stdout(Stdio::null());
    let (ours, ready) = Process::serve(&mut serve, address)?;
    let mut bare = Command::new(&args.bare);
    bare.arg(&file).arg(&args.site).arg(by_hand.to_string());
    let (bare, _) = Process::serve(&mut bare, by_hand)?;

    let at = |address| {
        move |path: &str| Target {
            address,
            path: path.to_owned(),
            cookie: format!("kabinet={TOKEN}; lang=ru"),
        }
    };
    let (ours_at, bare_at) = (at(address), at(by_hand));
    let home = ours_at("/").get("identity").await?;
    ensure!(
        home.status == 200,
        "the benchmark's customer is not signed in: {}",
        home.status
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = ours.memory();

    weight::measure(report, &ours_at).await?;
    let turn = Duration::from_secs(args.seconds);
    let sides = (
        Side {
            process: &ours,
            target: &ours_at,
        },
        Side {
            process: &bare,
            target: &bare_at,
        },
    );
    pages::measure(report, "Home", "/", &sides.0, &sides.1, turn).await?;
    pages::measure(report, "Purchases", "/purchases", &sides.0, &sides.1, turn).await?;

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
