//! The program `kabinet`.

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use crm::backup;
use crm::clock::Clock;
use crm::db::Db;
use crm::who::System;
use server::config::{Config, LogFormat};
use server::router::App;
use server::{demo, import, jobs, router, site};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
    Migrate,
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
    /// Points ledger
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// People who work here
    #[command(subcommand)]
    Staff(server::staff::StaffCommand),
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
    /// Compare every balance with its postings and every lot with its allocations
    Verify,
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
    start_log(&config);
    let system = System::at_the_command_line();
    match cli.command {
        Command::Config(_) => {
            println!("The configuration is in order.");
            Ok(())
        }
        Command::Serve => serve(config).await,
        Command::Migrate => {
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
            let contents = backup::backup(&config.database_url, &file).await?;
            println!("Copied to {}.\n{}", file.display(), describe(&contents));
            Ok(())
        }
        Command::Restore { file, replace } => {
            let now = Clock::default().now();
            let (contents, aside) = backup::restore(&config.database_url, &file, replace, now).await?;
            if let Some(aside) = aside {
                println!("The database that was there is {} now.", aside.display());
            }
            println!("Brought back.\n{}", describe(&contents));
            // An older copy gets the schema of today, and its points the days that have passed.
            verify(&open(&config).await?, &system).await
        }
        Command::Ledger(LedgerCommand::Verify) => {
            let db = open(&config).await?;
            verify(&db, &system).await
        }
        Command::Staff(command) => server::staff::run(&open(&config).await?, &config, command).await,
    }
}

/// What a copy holds, in lines.
fn describe(contents: &backup::Contents) -> String {
    format!(
        "  schema {}, {} customers, {} receipts, {} postings\n  ledger {}",
        contents.schema, contents.customers, contents.purchases, contents.postings, contents.ledger
    )
}

/// Compares balances with postings and lots with allocations; an error when they differ.
#[expect(clippy::print_stdout, reason = "the command line speaks through standard output")]
async fn verify(db: &Db, system: &System) -> anyhow::Result<()> {
    let differences = crm::points::store::verify(db, system).await?;
    for difference in &differences {
        println!("{difference:?}");
    }
    if differences.is_empty() {
        println!("The ledger is in order.");
        Ok(())
    } else {
        bail!("{} difference(s)", differences.len())
    }
}

fn start_log(config: &Config) {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log).unwrap_or_else(|_| "info".into());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

/// Opens the database with its schema up to date and its first content there.
async fn open(config: &Config) -> anyhow::Result<Db> {
    if let Some(path) = config.database_url.strip_prefix("sqlite:")
        && let Some(dir) = std::path::Path::new(path.split('?').next().unwrap_or(path)).parent()
    {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
    }
    let db = Db::open(&config.database_url, config.shop(), Clock::default())
        .await
        .context("cannot open the database")?;
    crm::content::load(&db, &System::at_the_command_line())
        .await
        .context("cannot fill in the first content")?;
    Ok(db)
}

#[expect(clippy::print_stdout, reason = "the address is what a person waits for")]
async fn serve(config: Config) -> anyhow::Result<()> {
    let db = open(&config).await?;
    let site = site::load(&config.site_dir(), db.shop()).map_err(anyhow::Error::msg)?;
    let is_demonstration = crm::content::setting(&db, demo::MARK).await?.is_some();
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let jobs = jobs::start(&db, is_demonstration);
    println!("Kabinet serves {}", config.public_url);
    if is_demonstration {
        println!("  development inbox: {}/inbox", config.public_url);
        println!("  staff:             {}/admin/requests", config.public_url);
    }
    let is_draining = Arc::new(AtomicBool::new(false));
    let drain = Duration::from_secs(config.drain_seconds);
    let app = App {
        db,
        config: Arc::new(config),
        site: Arc::new(site),
        is_demonstration,
        is_draining: is_draining.clone(),
    };
    let router = router::build(&app).into_make_service_with_connect_info::<SocketAddr>();
    // Without it half of the pages wait 40 ms for a delayed acknowledgement.
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        if let Err(e) = stream.set_nodelay(true) {
            tracing::warn!(error = %e, "TCP_NODELAY could not be set");
        }
    });
    axum::serve(listener, router)
        .with_graceful_shutdown(stop(is_draining, drain))
        .await?;
    for job in jobs {
        job.abort();
    }
    Ok(())
}

/// Waits for the signal to stop. After SIGTERM requests are still taken for a while, so that a proxy that asks `/readyz`
/// learns of it before it is turned away; requests in flight are finished in any case.
async fn stop(is_draining: Arc<AtomicBool>, drain: Duration) {
    let interrupt = tokio::signal::ctrl_c();
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupt => {}
        () = terminate => {
            is_draining.store(true, Ordering::Relaxed);
            tracing::info!(seconds = drain.as_secs(), "stopping: not ready any more, requests are still taken");
            tokio::time::sleep(drain).await;
        }
    }
    tracing::info!("stopping: requests in flight are finished");
}
