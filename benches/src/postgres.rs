//! Receipts on PostgreSQL, beside the same SQL sent by pgbench. `KABINET_BENCH_POSTGRES` names the server; psql and pgbench
//! are spoken to as programs, so that no driver has to be built.

use crate::api::{self, ARTICLES, CUSTOMERS, LINES, Receipts, SOURCE};
use crate::load::{Bodies, CONNECTIONS, run};
use crate::pages::{ROUNDS, WARM_UP, median};
use crate::process::Process;
use crate::report::{Budget, Report};
use crate::{Args, kabinet, serve};
use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const SERVER: &str = "KABINET_BENCH_POSTGRES";
/// What pgbench sends for a receipt.
const SCRIPT: &str = include_str!("receipt.sql");

/// A database of the benchmark's own; gone at the end.
pub(crate) struct Database {
    server: String,
    name: &'static str,
}

impl Database {
    /// Makes it with these options. One that an interrupted run left behind goes first.
    pub(crate) fn make(server: &str, name: &'static str, options: &str) -> Result<Self> {
        let database = Self {
            server: server.to_owned(),
            name,
        };
        database.remove()?;
        psql(server, &format!("CREATE DATABASE {name} {options}"))?;
        Ok(database)
    }

    fn remove(&self) -> Result<String> {
        psql(
            &self.server,
            &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
        )
    }

    /// Its address: the server's with another name.
    pub(crate) fn url(&self) -> String {
        let (base, query) = match self.server.split_once('?') {
            Some((base, query)) => (base, format!("?{query}")),
            None => (self.server.as_str(), String::new()),
        };
        let host = base.rsplit_once('/').map_or(base, |(host, _)| host);
        format!("{host}/{}{query}", self.name)
    }

    pub(crate) fn ask(&self, sql: &str) -> Result<String> {
        psql(&self.url(), sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // What stays behind is removed by the next run.
        let _ = self.remove();
    }
}

/// Runs SQL; tells the rows of the answer, columns parted by `|`.
pub(crate) fn psql(url: &str, sql: &str) -> Result<String> {
    let mut command = Command::new("psql");
    command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"]);
    command.args(["--set", "ON_ERROR_STOP=1", "--dbname", url, "--command", sql]);
    let said = command.stderr(Stdio::inherit()).output().context("psql")?;
    ensure!(said.status.success(), "psql ended with {}", said.status);
    Ok(String::from_utf8(said.stdout)?.trim().to_owned())
}

/// Books receipts through the API and by pgbench in turns; without a server it says so.
pub async fn measure(report: &mut Report, args: &Args, folder: &Path, turn: Duration) -> Result<()> {
    report.section("Receipts of three lines (POST /api/v1/purchases), the same SQL as pgbench, PostgreSQL");
    let Ok(server) = std::env::var(SERVER) else {
        report.note(&format!("left out: {SERVER} names no server"));
        return Ok(());
    };
    let ours = Database::make(&server, "kabinet_bench", "")?;
    let mut demo = kabinet(args, &ours.url());
    demo.args(["demo", "--small"]).stdout(Stdio::null());
    Process::start(&mut demo)?.wait().context("kabinet demo")?;
    let key = api::add_till(args, &ours.url())?;
    let first = |rows: String| -> Vec<String> {
        let column = |row: &str| row.split('|').next().unwrap_or_default().to_owned();
        rows.lines().map(column).collect()
    };
    let receipts = Receipts::new(first(ours.ask(CUSTOMERS)?), first(ours.ask(ARTICLES)?))?;
    let hand = Database::make(&server, "kabinet_bench_by_hand", "TEMPLATE kabinet_bench")?;
    let script = Script::write(&hand, folder, &receipts, &key)?;

    let (process, address, _) = serve(args, &ours.url())?;
    let bodies: Bodies = Arc::new(move || receipts.next_body());
    let post = api::target(address, &key, "/api/v1/purchases", Some(bodies));
    let mut acknowledged = run(&post, WARM_UP, None).await?.requests;
    for file in [&script.all, &script.writes] {
        script.run(&hand, file, WARM_UP)?;
    }
    let (mut rates, mut all, mut writes, mut cpus) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before = process.cpu()?;
        let run = run(&post, turn, None).await?;
        cpus.push((process.cpu()? - before).as_secs_f64() * 1e6 / run.requests as f64);
        rates.push(run.per_second());
        acknowledged += run.requests;
        all.push(script.run(&hand, &script.all, turn)?);
        writes.push(script.run(&hand, &script.writes, turn)?);
    }
    let (rate, all, writes) = (median(rates), median(all), median(writes));
    report.note(&ours.ask(
        "SELECT 'PostgreSQL ' || CURRENT_SETTING('server_version') || ', fsync ' || CURRENT_SETTING('fsync') \
         || ', synchronous_commit ' || CURRENT_SETTING('synchronous_commit')",
    )?);
    report.line("receipts a second", rate, "/s", Budget::None);
    report.line("receipts a second, pgbench", all, "/s", Budget::None);
    report.line("ratio", rate / all, "×", Budget::AtLeast(0.7));
    report.line(
        "processor time of a receipt, our process",
        median(cpus),
        "µs",
        Budget::None,
    );
    report.line(
        "receipts a second, pgbench, only what writes",
        writes,
        "/s",
        Budget::None,
    );
    report.line("ratio to what only writes", rate / writes, "×", Budget::None);
    let count = format!("SELECT COUNT(*) FROM purchases WHERE source = '{SOURCE}'");
    api::acknowledgements(report, acknowledged, ours.ask(&count)?.parse()?);
    for database in [&ours, &hand] {
        api::verify(args, &database.url())?;
    }
    Ok(())
}

/// What pgbench runs.
struct Script {
    /// Every statement that the product sends.
    all: PathBuf,
    /// The same without those that only read.
    writes: PathBuf,
    /// What is the same for every receipt.
    values: Vec<(String, String)>,
}

impl Script {
    fn write(hand: &Database, folder: &Path, receipts: &Receipts, key: &str) -> Result<Self> {
        // Every basket that the receipts of the API have, and every customer, by number.
        hand.ask(&format!(
            "CREATE TABLE bench_customers AS SELECT ROW_NUMBER() OVER () AS n, c.* FROM ({CUSTOMERS}) c; \
             ALTER TABLE bench_customers ADD PRIMARY KEY (n); \
             CREATE TABLE bench_baskets AS WITH a AS (SELECT ROW_NUMBER() OVER () AS n, b.* FROM ({ARTICLES}) b) \
             SELECT x.n, x.id AS article_1, x.code AS code_1, y.id AS article_2, y.code AS code_2, z.id AS article_3, \
             z.code AS code_3 FROM a x JOIN a y ON y.n = x.n + 1 JOIN a z ON z.n = x.n + 2; \
             ALTER TABLE bench_baskets ADD PRIMARY KEY (n); ANALYZE"
        ))?;
        let program = hand.ask(
            "SELECT p.id, a.id, v.version, v.share, v.delay_days, v.term_days, v.name FROM programs p \
             JOIN program_versions v ON v.program_id = p.id JOIN accounts a ON a.program_id = p.id \
             WHERE p.automatic AND a.kind = 'issued'",
        )?;
        let [program, issued, version, share, delay, term, name] =
            <[&str; 7]>::try_from(program.splitn(7, '|').collect::<Vec<_>>())
                .map_err(|_| anyhow::anyhow!("the demonstration has another program for everybody: {program}"))?;
        let till = hand.ask(&format!("SELECT id FROM tills WHERE source = '{SOURCE}'"))?;
        let share: i64 = share.parse()?;
        let amounts = LINES.map(|(quantity, price)| quantity * price);
        let points = amounts.map(|amount| amount * share / 10_000);
        let key_hash: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
        // As long as the product's.
        let id = uuid::Uuid::nil();
        let answer = format!(
            "{{\"status\":201,\"body\":{{\"channel\":null,\"code\":null,\"coupons\":[],\"customer\":\"{id}\",\"document\":\"{SOURCE}-12345\",\
             \"earned\":[{{\"name\":{name},\"points\":{},\"program\":\"club\"}}],\"known\":false,\"paid\":[],\
             \"payments\":[],\"presented\":[],\"purchase\":\"{id}\",\"unpaid\":0,\"voided_at\":null,\"waiting\":0}}}}",
            points.iter().sum::<i64>()
        );
        let mut values = vec![
            ("customers".to_owned(), receipts.customers.len().to_string()),
            ("baskets".to_owned(), hand.ask("SELECT COUNT(*) FROM bench_baskets")?),
            ("scope".to_owned(), format!("till:{till}")),
            ("till".to_owned(), till),
            ("source".to_owned(), SOURCE.to_owned()),
            ("key_hash".to_owned(), format!("\\x{key_hash}")),
            ("answer".to_owned(), answer),
            ("program".to_owned(), program.to_owned()),
            ("issued".to_owned(), issued.to_owned()),
            ("version".to_owned(), version.to_owned()),
            ("delay".to_owned(), delay.to_owned()),
            ("term".to_owned(), term.to_owned()),
            ("total".to_owned(), amounts.iter().sum::<i64>().to_string()),
            ("points".to_owned(), points.iter().sum::<i64>().to_string()),
        ];
        for (n, (quantity, price)) in LINES.iter().enumerate() {
            let named = [
                ("quantity", *quantity),
                ("price", *price),
                ("amount", amounts[n]),
                ("points", points[n]),
            ];
            values.extend(named.map(|(name, value)| (format!("{name}_{}", n + 1), value.to_string())));
        }
        let only_reads = |part: &&str| part.starts_with("SELECT");
        let writes: Vec<&str> = SCRIPT.split("\n\n").filter(|part| !only_reads(part)).collect();
        let files = [
            (folder.join("receipt.sql"), SCRIPT.to_owned()),
            (folder.join("writes.sql"), writes.join("\n\n")),
        ];
        for (file, script) in &files {
            std::fs::write(file, script)?;
        }
        let [(all, _), (writes, _)] = files;
        Ok(Self { all, writes, values })
    }

    /// Books for so long, and tells how many a second that is.
    fn run(&self, hand: &Database, file: &Path, lasting: Duration) -> Result<f64> {
        let mut pgbench = Command::new("pgbench");
        pgbench.args(["--no-vacuum", "--protocol", "prepared", "--jobs", "2"]);
        pgbench.args(["--client", &CONNECTIONS.to_string()]);
        pgbench.args(["--time", &lasting.as_secs().max(1).to_string()]);
        for (name, value) in &self.values {
            pgbench.arg("--define").arg(format!("{name}={value}"));
        }
        let said = pgbench
            .arg("--file")
            .arg(file)
            .arg(hand.url())
            .output()
            .context("pgbench")?;
        let out = String::from_utf8_lossy(&said.stdout);
        ensure!(
            said.status.success(),
            "pgbench ended with {}:\n{out}{}",
            said.status,
            String::from_utf8_lossy(&said.stderr)
        );
        let rate = out.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|rate| rate.split_whitespace().next());
        Ok(rate.context("pgbench does not say how fast it was")?.parse()?)
    }
}
