//! Reports that are sent by e-mail, and the command that counts them anew.

use app::admin::reports::letter;
use clap::Subcommand;
use crm::db::Db;
use crm::report::store::{self as reports, saved};
use crm::who::System;
use crm::work::Round;

/// Sends what is to be sent today. What fails keeps nothing else waiting, and comes again with the next round. Tells how many
/// were sent.
pub async fn send_due(db: &Db, by: &System) -> Result<u64, crm::Error> {
    let (mut round, mut sent) = (Round::default(), 0);
    for due in saved::due(db, by, &mut round).await? {
        let (period, table) = letter(&due, db.shop());
        let done = round.took(saved::send(db, by, &due, &period, &table).await);
        sent += u64::from(done == Some(true));
    }
    round.end()?;
    Ok(sent)
}

/// What can be done about reports at the command line.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ReportCommand {
    /// Count every day anew and compare with what is kept; exit code 1 when anything differs
    Verify,
}

/// Does it.
#[expect(clippy::print_stdout, reason = "the command line speaks through standard output")]
pub async fn run(db: &Db, command: ReportCommand) -> anyhow::Result<()> {
    let ReportCommand::Verify = command;
    let differences = reports::verify(db, &System::at_the_command_line()).await?;
    for difference in &differences {
        println!("{difference}");
    }
    match differences.len() {
        0 => {
            println!("The reports are in order.");
            Ok(())
        }
        count => anyhow::bail!("{count} difference(s)"),
    }
}
