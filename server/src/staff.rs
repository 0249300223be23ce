//! `kabinet staff`: the first administrator, and emergencies.

use crate::config::Config;
use crate::outside::config::Whom;
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use crm::db::Db;
use crm::id::StaffId;
use crm::identity::{Outside, store as identity};
use crm::signin::{password, strength};
use crm::staff::{NewStaff, Role, store};
use crm::who::System;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::IsTerminal as _;

/// What can be done about staff at the command line: for the first administrator, and for emergencies.
#[derive(Debug, Subcommand)]
pub enum StaffCommand {
    /// Add a member of staff; the password is asked for twice, or is a line of the standard input
    Add(StaffAdd),
    /// Everybody who works or worked here
    List,
    /// End somebody's access at once
    Disable {
        /// Their login
        login: String,
    },
    /// Let somebody in again who was disabled
    Enable {
        /// Their login
        login: String,
    },
    /// Give somebody another role; their sessions end
    Role {
        /// Their login
        login: String,
        /// The role's code: agent, lead, administrator, or one of your own
        role: String,
    },
    /// Give somebody another password, asked for twice or a line of the standard input; their sessions end
    Password {
        /// Their login
        login: String,
    },
    /// Let somebody who is here already come in by an outside provider; their sessions end
    Link {
        /// Their login
        login: String,
        /// The provider's id in the configuration
        provider: String,
        /// What the provider knows their account by: the claim sub
        subject: String,
    },
    /// Remove somebody's second factors: they set up new ones when they sign in next. For when a phone is lost
    ResetFactors {
        /// Their login
        login: String,
    },
}

/// Who is added.
#[derive(Debug, Args)]
pub struct StaffAdd {
    /// What they sign in with
    login: String,
    /// Their name, as customers read it
    name: String,
    /// What they may do: agent, lead, administrator, or a role of your own
    #[arg(long, default_value = crm::staff::Role::AGENT)]
    role: String,
}

/// Does it.
#[expect(clippy::print_stdout, reason = "the command line speaks through standard output")]
pub async fn run(db: &Db, config: &Config, command: StaffCommand) -> anyhow::Result<()> {
    let by = &System::at_the_command_line();
    match command {
        StaffCommand::Add(StaffAdd { login, name, role }) => {
            let password_hash = password::hash(&read_password(&[&login, &name])?).await?;
            let new = NewStaff {
                login,
                name,
                role: Role::new(role),
                language: config.shop.language,
                password_hash,
            };
            store::create(db, by, &new).await?;
            println!("Added {}.", new.login);
        }
        StaffCommand::List => {
            for entry in store::all(db, by).await? {
                let store::Entry {
                    login,
                    name,
                    role,
                    is_disabled,
                    factors,
                } = entry;
                let state = if is_disabled { "disabled" } else { "active" };
                println!(
                    "{login:<24}{:<16}{state:<10}{factors} second factor(s)  {name}",
                    role.code()
                );
            }
        }
        StaffCommand::Disable { login } => {
            store::disable(db, by, find(db, &login).await?).await?;
            println!("{login} is out; every session has ended.");
        }
        StaffCommand::Enable { login } => {
            store::enable(db, by, &login)
                .await
                .with_context(|| format!("nobody who is disabled signs in as {login:?}"))?;
            println!("{login} may come in again.");
        }
        StaffCommand::Role { login, role } => {
            let role = Role::new(role);
            store::set_role(db, by, find(db, &login).await?, &role)
                .await
                .with_context(|| format!("is there a role {:?}?", role.code()))?;
            println!("{login} has the role {} from the next sign-in on.", role.code());
        }
        StaffCommand::Password { login } => {
            let id = find(db, &login).await?;
            let hash = password::hash(&read_password(&[&login])?).await?;
            store::set_password(db, by, id, &hash).await?;
            println!("{login} has another password; every session has ended.");
        }
        StaffCommand::Link {
            login,
            provider,
            subject,
        } => {
            let id = find(db, &login).await?;
            let known = config.providers.iter().find(|p| p.id == provider);
            let Some(known) = known.filter(|p| p.whom == Whom::Staff) else {
                bail!("the configuration has no provider {provider:?} for staff");
            };
            let outside = Outside {
                called: known.name.localized(),
                issuer: known.issuer().to_owned(),
                shown: login.clone(),
                subject,
                provider,
                ..Outside::default()
            };
            identity::link_staff(db, by, id, &outside)
                .await
                .context("is this account linked to somebody else?")?;
            println!("{login} comes in by {} from now on.", outside.provider);
        }
        StaffCommand::ResetFactors { login } => {
            crm::factor::reset(db, by, find(db, &login).await?).await?;
            println!("{login} sets up a second factor at the next sign-in; every session has ended.");
        }
    }
    Ok(())
}

async fn find(db: &Db, login: &str) -> anyhow::Result<StaffId> {
    match store::by_login(&mut db.read().await?, login).await? {
        Some(account) => Ok(account.id),
        None => bail!("nobody here signs in as {login:?}"),
    }
}

/// A password, fit to be one: a line of the standard input, or typed twice and unseen where that is a terminal.
fn read_password(own: &[&str]) -> anyhow::Result<String> {
    let password = if std::io::stdin().is_terminal() {
        // Before anything is asked, so that nothing is seen of who types at once.
        let _unseen = Unseen::begin().context("the terminal cannot be kept from showing the password")?;
        let password = ask("Password: ")?;
        if ask("The same once more: ")? != password {
            bail!("that was another password; nothing was changed");
        }
        password
    } else {
        read_line()?
    };
    match strength::check(&password, own) {
        Ok(()) => Ok(password),
        Err(crm::flaw::Flaw::TooShort { min }) => bail!("the password is too short: {min} characters or more"),
        Err(_) => bail!("the password is too easy to guess: take several words that belong together for you alone"),
    }
}

/// Asks beside what is printed, which may go to a file.
fn ask(what: &str) -> anyhow::Result<String> {
    eprint!("{what}");
    read_line()
}

/// A line of the standard input.
fn read_line() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .context("the password comes on the standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// As long as it lives, the terminal shows nothing of what is typed but the end of the line.
struct Unseen {
    before: Termios,
}

impl Unseen {
    fn begin() -> rustix::io::Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        unseen.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(std::io::stdin(), OptionalActions::Now, &unseen)?;
        Ok(Self { before })
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}
