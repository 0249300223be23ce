//! The program `kabinet`.

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use crm::backup;
use crm::clock::Clock;
use crm::db::Db;
use crm::who::System;
use server::config::Config;
use server::metrics::{self, Metrics};
use server::router::App;
use server::{channels, demo, doctor, import, jobs, pace, router, site, stop, telemetry, webhooks};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::time::Instant;

/// Rows of the database are made on one thread and freed on another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Personal cabinet and loyalty CRM of a retail chain.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    /// The configuration file; it may be missing
    #[arg(long, default_value = "kabinet.toml", env = "KABINET_CONFIG", global = true)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the site
    Serve,
    /// Bring the database's schema up to date and fill in what every installation starts with
    Migrate {
        /// Only say what would be applied; exit code 1 when that is anything
        #[arg(long)]
        check: bool,
    },
    /// Fill an empty database with made-up people on real purchases; does nothing the second time
    Demo {
        /// Only the receipts of a few dozen customers: quick enough for tests
        #[arg(long)]
        small: bool,
    },
    /// Bring data in
    #[command(subcommand)]
    Import(ImportCommand),
    /// Copy the SQLite database to a file while it is in use, and look the copy through
    Backup {
        /// The copy; nothing may be there yet
        file: PathBuf,
    },
    /// Bring a copy back as the SQLite database; stop the server first
    Restore {
        /// The copy
        file: PathBuf,
        /// Put a database that is there aside, under another name
        #[arg(long)]
        replace: bool,
    },
    /// Try a copy out: bring it back into a temporary place and compare it with the database
    Drill {
        /// The copy; without it one is made, and removed at the end
        file: Option<PathBuf>,
        /// Where there is room for it; the system's folder for temporary files without it
        #[arg(long)]
        folder: Option<PathBuf>,
    },
    /// Look a running installation over and say what to do about what is wrong
    Doctor(doctor::Args),
    /// Points ledger
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// The log of who read and changed what
    #[command(subcommand)]
    Audit(server::audit::AuditCommand),
    /// Reports
    #[command(subcommand)]
    Report(server::reports::ReportCommand),
    /// People who work here
    #[command(subcommand)]
    Staff(server::staff::StaffCommand),
    /// Tills and other systems that ask through the API, and their keys
    #[command(subcommand)]
    Till(server::tills::TillCommand),
    /// The configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Subcommand)]
enum ImportCommand {
    /// Import purchases from a file, plain or .gz; safe to run again
    Purchases(import::Args),
}

#[derive(Subcommand)]
enum LedgerCommand {
    /// Compare every balance, lot, reservation, transfer, receipt and tier with what it is made of; exit code 1 when any
    /// differs
    Verify,
    /// Print a hash over every posting: two databases with the same one hold the same ledger
    Hash,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Say what is wrong with the configuration, or that nothing is
    Check,
    /// Print the example with every key
    Example,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    channels::install_cryptography();
    match run(cli).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("kabinet: {e:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the command line speaks through standard output")]
async fn run(cli: Cli) -> anyhow::Result<()> {
    if let Command::Config(ConfigCommand::Example) = cli.command {
        print!("{}", include_str!("../../kabinet.example.toml"));
        return Ok(());
    }
    let config = match Config::load(&cli.config) {
        Ok(config) => config,
        Err(problems) => bail!(
            "the configuration has {} problem(s):\n  {}",
            problems.len(),
            problems.join("\n  ")
        ),
    };
    // Several libraries bring TLS; one of its engines serves them all.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let traces = telemetry::start(&config).map_err(anyhow::Error::msg)?;
    load_password_list(&config)?;
    let done = command(cli.command, config).await;
    traces.end().await;
    done
}

#[expect(clippy::print_stdout, reason = "the command line speaks through standard output")]
async fn command(command: Command, config: Config) -> anyhow::Result<()> {
    let system = System::at_the_command_line();
    match command {
        Command::Config(_) => {
            println!("The configuration is in order.");
            Ok(())
        }
        Command::Serve => serve(config).await,
        Command::Migrate { check: true } => check_schema(&config).await,
        Command::Migrate { check: false } => {
            open(&config).await?;
            println!("The database is up to date.");
            Ok(())
        }
        Command::Demo { small } => {
            let db = open(&config).await?;
            demo::fill(&db, &config, small).await
        }
        Command::Import(ImportCommand::Purchases(args)) => {
            let db = open(&config).await?;
            Ok(import::run(&db, &args).await?)
        }
        Command::Backup { file } => {
            let contents = backup::backup(&database(&config)?, &file).await?;
            println!("Copied to {}.\n{}", file.display(), describe(&contents));
            Ok(())
        }
        Command::Restore { file, replace } => {
            let now = Clock::default().now();
            let (contents, aside) = backup::restore(&database(&config)?, &file, replace, now).await?;
            if let Some(aside) = aside {
                println!("The database that was there is {} now.", aside.display());
            }
            println!("Brought back.\n{}", describe(&contents));
            // An older copy gets the schema of today, and its points the days that have passed.
            verify(&open(&config).await?, &system).await
        }
        Command::Drill { file, folder } => drill(&config, file.as_deref(), folder).await,
        Command::Ledger(LedgerCommand::Verify) => verify(&open_as_it_is(&config).await?, &system).await,
        Command::Ledger(LedgerCommand::Hash) => {
            let db = open_as_it_is(&config).await?;
            println!("{}", crm::checkup::ledger_hash(&db, &system).await?);
            Ok(())
        }
        Command::Audit(command) => server::audit::run(&open_as_it_is(&config).await?, command).await,
        Command::Report(command) => server::reports::run(&open_as_it_is(&config).await?, command).await,
        Command::Staff(command) => server::staff::run(&open(&config).await?, &config, command).await,
        Command::Till(command) => server::tills::run(&open(&config).await?, command).await,
        Command::Doctor(args) => doctor::run(&config, &args).await,
    }
}

/// What a copy holds, in lines.
fn describe(contents: &backup::Contents) -> String {
    format!(
        "  schema {}, {} customers, {} receipts, {} postings\n  ledger {}",
        contents.schema, contents.customers, contents.purchases, contents.postings, contents.ledger
    )
}

/// Compares all that the ledger, the receipts and the tiers keep with what it is made of; an error when anything differs.
#[expect(clippy::print_stdout, reason = "the command line speaks through standard output")]
async fn verify(db: &Db, system: &System) -> anyhow::Result<()> {
    let mut differences = crm::points::store::verify(db, system).await?;
    differences.extend(crm::purchase::store::verify(db, system).await?);
    differences.extend(crm::rule::tier::store::verify(db, system).await?);
    for difference in &differences {
        println!("{difference}");
    }
    if differences.is_empty() {
        println!("The ledger is in order.");
        Ok(())
    } else {
        bail!("{} difference(s)", differences.len())
    }
}

/// The database's address.
fn database(config: &Config) -> anyhow::Result<String> {
    config.database().map_err(anyhow::Error::msg)
}

/// Opens the database to look at it: nothing is migrated, nothing is filled in.
async fn open_as_it_is(config: &Config) -> anyhow::Result<Db> {
    Db::open_as_it_is(&database(config)?, config.shop(), Clock::default())
        .await
        .context("cannot open the database")
}

/// Says what `migrate` would apply; an error when that is anything.
#[expect(clippy::print_stdout, reason = "the command line speaks through standard output")]
async fn check_schema(config: &Config) -> anyhow::Result<()> {
    let schema = crm::db::schema(&database(config)?)
        .await
        .context("cannot look at the schema")?;
    let version = schema
        .version
        .map_or_else(|| "none".to_owned(), |version| version.to_string());
    println!("The database has schema {version}.");
    for (version, name) in &schema.pending {
        println!("  {version} {name} would be applied");
    }
    match schema.pending.len() {
        0 => Ok(()),
        count => bail!("{count} migration(s) are pending; `kabinet migrate` applies them"),
    }
}

/// Tries a copy out in a folder of its own, which is gone afterwards.
#[expect(clippy::print_stdout, reason = "the command line speaks through standard output")]
async fn drill(config: &Config, file: Option<&Path>, folder: Option<PathBuf>) -> anyhow::Result<()> {
    let place = tempfile::Builder::new()
        .prefix("kabinet-drill-")
        .tempdir_in(folder.unwrap_or_else(std::env::temp_dir))
        .context("cannot make a folder for the drill")?;
    let done = backup::drill(&database(config)?, file, place.path(), config.shop(), Clock::default()).await?;
    if let Some(copying) = done.copying {
        println!("Copied in {:.1} s.", copying.as_secs_f64());
    }
    println!(
        "Brought back in {:.1} s, compared in {:.1} s; the ledger is in order and the same as in the database.\n{}",
        done.restoring.as_secs_f64(),
        done.comparing.as_secs_f64(),
        describe(&done.contents)
    );
    Ok(())
}

/// Reads the list of stolen passwords, where one is configured.
fn load_password_list(config: &Config) -> anyhow::Result<()> {
    use std::io::BufRead as _;
    if config.password_list.as_os_str().is_empty() {
        return Ok(());
    }
    let file = std::fs::File::open(&config.password_list)
        .with_context(|| format!("password_list: {} cannot be read", config.password_list.display()))?;
    // Such lists hold lines of other encodings; what cannot be read cannot be typed either.
    let lines = std::io::BufReader::new(file).split(b'\n').map_while(Result::ok);
    let known = crm::signin::strength::refuse_stolen(lines.filter_map(|line| String::from_utf8(line).ok()));
    tracing::info!(known, "stolen passwords are refused");
    Ok(())
}

/// Opens the database with its schema up to date and its first content there.
async fn open(config: &Config) -> anyhow::Result<Db> {
    let url = database(config)?;
    if let Some(path) = url.strip_prefix("sqlite:")
        && let Some(dir) = std::path::Path::new(path.split('?').next().unwrap_or(path)).parent()
    {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
    }
    let db = Db::open(&url, config.shop(), Clock::default())
        .await
        .context("cannot open the database")?;
    crm::content::load(&db, &System::at_the_command_line())
        .await
        .context("cannot fill in the first content")?;
    Ok(db)
}

#[expect(clippy::print_stdout, reason = "the address is what a person waits for")]
async fn serve(config: Config) -> anyhow::Result<()> {
    // The allocator asks for pages of 2 MB, most of each of which a server that rests would hold in vain.
    #[cfg(target_os = "linux")]
    if let Err(e) = nix::sys::prctl::set_thp_disable(true) {
        tracing::debug!(error = %e, "large pages stay");
    }
    // Before the database is opened: what is counted from then on has somebody to count it.
    let figures = match config.metrics_address() {
        Some(address) => Some((address, metrics::install().map_err(anyhow::Error::msg)?)),
        None => None,
    };
    let db = open(&config).await?;
    let site = site::load(&config.site_dir(), db.shop()).map_err(anyhow::Error::msg)?;
    let is_demonstration = crm::content::setting(&db, demo::MARK).await?.is_some();
    let has_inbox = is_demonstration && !config.has_transport();
    let carriers = channels::Carrier::all(&config).map_err(anyhow::Error::msg)?;
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    if let Some((address, handle)) = figures {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address} for metrics"))?;
        println!("Metrics are on http://{}/metrics", listener.local_addr()?);
        let figures = metrics::router(Metrics::new(handle, db.clone()));
        tokio::spawn(async move { axum::serve(listener, figures).await });
    }
    channels::announce(&carriers, has_inbox);
    let sender = webhooks::Sender::new(&config.webhooks).map_err(anyhow::Error::msg)?;
    let jobs = jobs::start(&db, has_inbox, carriers, sender);
    println!("Kabinet serves {}", config.public_url);
    if has_inbox {
        println!("  development inbox: {}/inbox", config.public_url);
    }
    if is_demonstration {
        println!("  staff:             {}/admin/requests", config.public_url);
    }
    let is_draining = Arc::new(AtomicBool::new(false));
    let drain = Duration::from_secs(config.drain_seconds);
    let patience = Duration::from_secs(config.stop_seconds);
    let app = App {
        db,
        config: Arc::new(config),
        site: Arc::new(site),
        is_demonstration,
        is_draining: is_draining.clone(),
        pace: Arc::default(),
    };
    tokio::spawn(pace::share(app.pace.clone(), app.db.clone()));
    let router = router::build(&app).into_make_service_with_connect_info::<SocketAddr>();
    // Without it half of the pages wait 40 ms for a delayed acknowledgement.
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        if let Err(e) = stream.set_nodelay(true) {
            tracing::warn!(error = %e, "TCP_NODELAY could not be set");
        }
    });
    let (over, is_over) = tokio::sync::oneshot::channel();
    let asked = stop::asked(is_draining, drain, jobs.stopper());
    let served = axum::serve(listener, router).with_graceful_shutdown(async move {
        asked.await;
        let _ = over.send(Instant::now() + patience);
    });
    let mut deadline = None;
    let too_long = async {
        match is_over.await {
            Ok(at) => {
                deadline = Some(at);
                tokio::time::sleep_until(at).await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        served = served => served?,
        () = too_long => tracing::warn!("stopping: requests that took too long are broken off"),
    }
    jobs.end(deadline.unwrap_or_else(Instant::now)).await;
    Ok(())
}
