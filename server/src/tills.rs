//! `kabinet till`: tills and keys where no administrator is at hand, as in scripts.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use crm::db::Db;
use crm::till::{NewTill, Scope, store};
use crm::who::System;

/// What can be done about tills at the command line.
#[derive(Debug, Subcommand)]
pub enum TillCommand {
    /// Add a till and print its first key, which is not to be had again
    Add(TillAdd),
    /// Make another key of a till and print it
    Key {
        /// The till's code
        code: String,
        /// What the key is good for
        #[arg(long, value_delimiter = ',', default_value = "customers,purchases,points")]
        scopes: Vec<String>,
    },
}

/// What is added.
#[derive(Debug, Args)]
pub struct TillAdd {
    /// What people and logs call it: tver-1
    code: String,
    /// Its name
    name: String,
    /// Where its receipts come from: numbers are unique within a source
    #[arg(long, default_value = "pos")]
    source: String,
    /// What the key is good for: customers, purchases, points, catalogue, accounting
    #[arg(long, value_delimiter = ',', default_value = "customers,purchases,points")]
    scopes: Vec<String>,
}

/// Does it.
#[expect(clippy::print_stdout, reason = "the command line speaks through standard output")]
pub async fn run(db: &Db, command: TillCommand) -> anyhow::Result<()> {
    let by = &System::at_the_command_line();
    let key = match command {
        TillCommand::Add(TillAdd {
            code,
            name,
            source,
            scopes,
        }) => {
            let scopes = read(&scopes)?;
            let new = NewTill {
                code,
                name,
                source,
                store: None,
            };
            let id = store::create_by_system(db, by, &new).await?;
            store::create_key_by_system(db, by, id, &scopes).await?
        }
        TillCommand::Key { code, scopes } => {
            let scopes = read(&scopes)?;
            let id = store::by_code(db, by, &code).await?;
            let id = id.with_context(|| format!("there is no till {code:?}"))?;
            store::create_key_by_system(db, by, id, &scopes)
                .await
                .context("a till has at most three keys that are good: revoke one in the admin section")?
        }
    };
    println!("{}", key.secret());
    Ok(())
}

fn read(words: &[String]) -> anyhow::Result<Vec<Scope>> {
    let mut scopes = Vec::new();
    for word in words {
        match Scope::from_word(word.trim()) {
            Some(scope) => scopes.push(scope),
            None => bail!("{word:?} is none of {}", Scope::ALL.map(Scope::as_str).join(", ")),
        }
    }
    Ok(scopes)
}
