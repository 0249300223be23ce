//! Builds the product and the programs of `benches/` by the same profile, and runs the benchmarks.

use crate::site;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// `profile` is `measure`, which is quick to build, or `release`; the rest goes to the benchmark itself.
pub(crate) fn run(root: &Path, profile: &str, arguments: &[&str]) -> Result<()> {
    site::build(root, site::Profile::Release)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
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
    let status = Command::new(built.join("bench"))
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
    ensure!(status.success(), "the benchmark broke off: {status}");
    // What stands before every route, and what rules cost, is measured within one process.
    for (package, bench) in [("server", "layers"), ("crm", "rules")] {
        cargo(
            root,
            &["bench", "--profile", profile, "--package", package, "--bench", bench],
        )?;
    }
    Ok(())
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(arguments).current_dir(root).status()?;
    ensure!(status.success(), "cargo {} failed", arguments.join(" "));
    Ok(())
}
