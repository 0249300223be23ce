//! What cargo alone does not do, as `cargo xtask <command>`.

mod bench;
mod build_id;
mod compress;
mod site;
mod state;
mod wasm;

use anyhow::{Context, Result, bail};
use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

const HELP: &str = "\
cargo xtask <command>

  site [--profile dev|demo|release]
      Builds what a browser downloads into target/site: the WebAssembly of the islands, its JavaScript, the loader,
      the style sheet and the files of public/, each with a Brotli and a gzip copy, and site.json, which names them.
      A step whose inputs did not change since the last call is skipped.

      dev      quick to build, large to download: cargo's dev profile, no wasm-opt, light compression
      demo     as small as it gets: cargo's profile `wasm`, wasm-opt -Oz, Brotli 11
      release  the same files as demo (the default)

  bench [--profile measure|release] [--seconds N] [--lines N]
        [--only pages|api|import|search|reports|requests|customer]
      Measures the product beside the same pages written by hand (benches/): requests a second, page weights, start,
      memory, what tills ask, and the import of N lines (a million, 0 for none). Each line has its budget and whether
      it is met. Both sides are built by the same profile, `measure` if none is named. Receipts on PostgreSQL are
      measured on the server that KABINET_BENCH_POSTGRES names, or on one of its own where psql and pgbench are there.
      What makes a large database first is left out where it is not named, and asked on both engines: `--only search`
      looks for people among a million customers (`--customers N`), `--only reports` shows reports over 20 million
      receipt lines (`--lines N`), `--only requests` the first and a far page of a million requests (`--requests N`),
      `--only customer` the card of a customer with 5,000 entries in the history (`--entries N`).

  bench pages [--only /points]
      Looks at every page that customers see by Lighthouse, as a phone that is simulated, and prints what it found, what each
      page weighs, and which budgets are missed; fails if one is. `--only` leaves out the pages whose address begins
      differently. KABINET_TEST_CHROMIUM names the browser; without it, the one that Playwright downloaded is taken.

  help
      This text.
";

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] | ["help" | "--help" | "-h", ..] | [_, "--help" | "-h"] => std::io::stdout()
            .write_all(HELP.as_bytes())
            .context("the help could not be printed"),
        ["site"] => site::build(&root()?, site::Profile::Release),
        ["site", "--profile", name] => site::build(&root()?, name.parse()?),
        ["site", ..] => bail!("`site` takes `--profile dev`, `--profile demo` or `--profile release`, nothing else"),
        ["bench", "pages", rest @ ..] => bench::pages(&root()?, rest),
        ["bench", "--profile", profile, rest @ ..] => bench::run(&root()?, profile, rest),
        ["bench", rest @ ..] => bench::run(&root()?, "measure", rest),
        [other, ..] => bail!("there is no command `{other}`; `cargo xtask help` lists what there is"),
    }
}

/// The workspace's root: cargo tells a program that it runs where its manifest lies.
fn root() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.map(Path::to_owned).context("xtask has no folder above it")
}
