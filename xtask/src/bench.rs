//! Builds the product and the programs of `benches/` by the same profile, and runs the benchmarks; or the product alone, for
//! Lighthouse to look at its pages.

use crate::site;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names the PostgreSQL server that is measured.
const POSTGRES: &str = "KABINET_BENCH_POSTGRES";

/// `profile` is `measure`, which is quick to build, or `release`; the rest goes to the benchmark itself.
pub(crate) fn run(root: &Path, profile: &str, arguments: &[&str]) -> Result<()> {
    site::build(root, site::Profile::Release)?;
    let target = target(root);
    let benches = target.join("benches");
    cargo(root, &["build", "--profile", profile, "--package", "server"])?;
    let manifest = root.join("benches/Cargo.toml");
    cargo(
        root,
        &[
            "build",
            "--profile",
            profile,
            "--manifest-path",
            &manifest.to_string_lossy(),
            "--target-dir",
            &benches.to_string_lossy(),
        ],
    )?;
    let built = benches.join(profile);
    let only = arguments.iter().position(|argument| *argument == "--only");
    let only = only.and_then(|at| arguments.get(at + 1)).copied();
    let postgres = match only {
        None | Some("api" | "search" | "reports" | "requests" | "customer") => Postgres::start(root)?,
        Some(_) => None,
    };
    let status = Command::new(built.join("bench"))
        .envs(postgres.iter().map(|server| (POSTGRES, &server.url)))
        .arg("--kabinet")
        .arg(target.join(profile).join("kabinet"))
        .arg("--bare")
        .arg(built.join("bare"))
        .arg("--site")
        .arg(root.join("target/site"))
        .arg("--sample")
        .arg(root.join("server/demo/online_retail_sample.csv.gz"))
        .args(arguments)
        .status()
        .context("the benchmark did not start")?;
    drop(postgres);
    ensure!(status.success(), "the benchmark broke off: {status}");
    if only.is_some() {
        return Ok(());
    }
    // What stands before every route, and what rules cost, is measured within one process.
    for (package, bench) in [("server", "layers"), ("crm", "rules")] {
        cargo(
            root,
            &["bench", "--profile", profile, "--package", package, "--bench", bench],
        )?;
    }
    Ok(())
}

/// Looks at every page that customers see by Lighthouse, on the site that is shipped. The rest goes to the script itself.
pub(crate) fn pages(root: &Path, arguments: &[&str]) -> Result<()> {
    site::build(root, site::Profile::Release)?;
    cargo(root, &["build", "--profile", "measure", "--package", "server"])?;
    // Its packages are many, and nothing else needs them.
    let installed = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"])
        .current_dir(root.join("benches"))
        .status()
        .context("npm did not start")?;
    ensure!(installed.success(), "npm could not install the packages of benches/");
    let status = Command::new("node")
        .arg(root.join("benches/lighthouse.mjs"))
        .args(arguments)
        .env("KABINET_PROGRAM", target(root).join("measure/kabinet"))
        .env("KABINET_SITE_DIR", root.join("target/site"))
        .status()
        .context("node did not start")?;
    ensure!(status.success(), "not every page is within its budgets");
    Ok(())
}

/// Where cargo puts what it builds.
fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into)
}

/// A server of our own, where none is named and the programs are there; it ends with this value.
struct Postgres {
    url: String,
    script: PathBuf,
}

impl Postgres {
    fn start(root: &Path) -> Result<Option<Self>> {
        let is_there = |program| {
            let version = Command::new(program).arg("--version").stdout(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        };
        if std::env::var_os(POSTGRES).is_some() || !is_there("psql") || !is_there("pgbench") {
            return Ok(None);
        }
        let script = root.join("tools/postgres.sh");
        let said = Command::new(&script)
            .args(["start", "bench", "durable"])
            .stderr(Stdio::inherit())
            .output()
            .context("tools/postgres.sh did not start")?;
        ensure!(said.status.success(), "tools/postgres.sh ended with {}", said.status);
        let url = String::from_utf8(said.stdout)?.trim().to_owned();
        Ok(Some(Self { url, script }))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Where that fails the next start of the same name takes it up again.
        let _ = Command::new(&self.script).args(["stop", "bench"]).status();
    }
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(arguments).current_dir(root).status()?;
    ensure!(status.success(), "cargo {} failed", arguments.join(" "));
    Ok(())
}
