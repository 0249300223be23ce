//! `kabinet audit`: whether the audit log is what was sealed.

use anyhow::{Context as _, bail};
use clap::Subcommand;
use crm::audit::seal;
use crm::db::Db;
use crm::who::System;

/// What can be asked about the audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Compare every row with the seals over the log, and tell the first that is not as it was sealed; exit code 1 when there is
    /// one
    Verify {
        /// A seal as the program's log named it: its number and its hash, joined by a colon. Shows also that the end of the audit
        /// log was cut off or sealed anew
        #[arg(long, value_name = "NUMBER:HASH")]
        known: Option<String>,
    },
}

/// Asks it.
#[expect(clippy::print_stdout, reason = "the command line speaks through standard output")]
pub async fn run(db: &Db, command: AuditCommand) -> anyhow::Result<()> {
    let AuditCommand::Verify { known } = command;
    let known = known.as_deref().map(read).transpose()?;
    let report = seal::verify(db, &System::at_the_command_line(), known).await?;
    println!(
        "{} seal(s) over {} row(s) are in order; of {} row(s) the reason and the network were erased with their customer.",
        report.seals, report.rows, report.erased
    );
    if let Some(newest) = &report.newest {
        println!(
            "The newest of them is {}:{} of {}.",
            newest.id,
            newest.hash(),
            newest.at
        );
    }
    match report.fault {
        None => Ok(()),
        Some(fault) => bail!("the audit log is not as it was sealed: {fault}"),
    }
}

/// The number and the hash of a seal.
fn read(known: &str) -> anyhow::Result<(i64, &str)> {
    let (id, hash) = known.split_once(':').context("--known is not like 1234:5f3a…")?;
    Ok((id.parse().context("--known does not begin with a number")?, hash))
}
