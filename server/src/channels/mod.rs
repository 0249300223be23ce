//! Carriers of messages. Each configured one has a worker that takes what is due from the outbox, carries it, and
//! writes down what came of it; any number of nodes may do so at once.

pub mod reports;
pub mod sms;
pub mod smtp;

use crate::config::Config;
use crm::db::Db;
use crm::limits;
use crm::outbox::Channel;
use crm::outbox::delivery::{self, Claimed, Fate, Trouble};
use crm::who::System;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often a worker looks for messages.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many messages a worker takes at once, and carries at the same time.
const BATCH: i64 = 10;
/// How much longer than a carrier may take a claim lasts: the rest is writing down what came of it.
const MARGIN: Duration = Duration::from_secs(60);

/// Why a message was not carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Trying again is of no use: it is about this message, not about the carrier or its mood.
    pub is_permanent: bool,
    /// Of what kind it is.
    pub trouble: Trouble,
    /// In words, without secrets of the configuration.
    pub words: String,
}

impl Refusal {
    /// One that may pass.
    fn for_now(trouble: Trouble, words: impl Into<String>) -> Self {
        Self {
            is_permanent: false,
            trouble,
            words: words.into(),
        }
    }
}

/// What carries the messages of one channel.
pub enum Carrier {
    /// E-mail to a relay.
    Mail(smtp::Mailer),
    /// Text messages to a gateway.
    Sms(Box<sms::Gateway>),
}

impl Carrier {
    /// The carriers that are configured.
    pub fn all(config: &Config) -> Result<Vec<Self>, String> {
        let mut carriers = Vec::new();
        if config.mail.is_configured() {
            carriers.push(Self::Mail(smtp::Mailer::new(&config.mail)?));
        }
        if config.sms.is_configured() {
            carriers.push(Self::Sms(Box::new(sms::Gateway::new(&config.sms, client()?)?)));
        }
        Ok(carriers)
    }

    /// What it carries.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Mail(_) => Channel::Email,
            Self::Sms(_) => Channel::Sms,
        }
    }

    fn timeout(&self) -> Duration {
        match self {
            Self::Mail(mailer) => mailer.timeout(),
            Self::Sms(gateway) => gateway.timeout(),
        }
    }

    /// Carries a message; what the carrier calls it, where it says so.
    async fn carry(&self, message: &Claimed) -> Result<Option<String>, Refusal> {
        let carried = async {
            match self {
                Self::Mail(mailer) => mailer.send(message).await,
                Self::Sms(gateway) => gateway.send(message).await,
            }
        };
        // The timeouts of the libraries are for each step; this one is for all of it, so that the claim outlasts it.
        let late = |_| {
            let words = format!("no answer within {} s", self.timeout().as_secs());
            Err(Refusal::for_now(Trouble::TimedOut, words))
        };
        tokio::time::timeout(self.timeout(), carried).await.unwrap_or_else(late)
    }
}

/// Libraries tell of a certificate that nobody vouches for as of any line that broke, but for their words.
fn without_trust(words: &str) -> Option<Trouble> {
    words.contains("certificate").then_some(Trouble::Certificate)
}

/// An error with its causes.
pub(crate) fn chain(e: &dyn std::error::Error) -> String {
    let mut words = e.to_string();
    let mut source = e.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !words.contains(&said) {
            words = format!("{words}: {said}");
        }
        source = cause.source();
    }
    words
}

/// Installs the one implementation of cryptography that all TLS here uses. Calling it again changes nothing.
pub fn install_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The client for everything that speaks HTTP to the outside. It follows no redirect: what it was sent is for the host
/// that is configured, and for nobody else.
pub fn client() -> Result<reqwest::Client, String> {
    builder()
        .build()
        .map_err(|e| format!("the HTTP client cannot be made: {e}"))
}

/// What every such client has in common.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    install_cryptography();
    reqwest::Client::builder()
        .user_agent(concat!("Kabinet/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
}

/// Takes what is due and carries it; how many messages there were. `worker` names who has them.
pub async fn round(db: &Db, by: &System, carrier: &Carrier, worker: &str) -> Result<usize, crm::Error> {
    let hold = chrono::Duration::from_std(carrier.timeout() + MARGIN).unwrap_or(chrono::Duration::minutes(5));
    let claimed = delivery::claim(db, by, carrier.channel(), worker, hold, BATCH).await?;
    let carried = claimed.iter().map(|message| carry(db, by, carrier, message));
    let results = futures::future::join_all(carried).await;
    results.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(claimed.len())
}

async fn carry(db: &Db, by: &System, carrier: &Carrier, message: &Claimed) -> Result<(), crm::Error> {
    let (id, channel) = (message.id, message.channel.as_str());
    match carrier.carry(message).await {
        Ok(reference) => {
            if !delivery::sent(db, by, message, reference.as_deref()).await? {
                tracing::warn!(%id, channel, "a message went twice: its claim had run out");
            }
        }
        Err(refusal) => {
            // The carrier's words may repeat an address, so they stand in the database and not in the log.
            let error = format!("{}: {}", refusal.trouble.as_str(), refusal.words);
            match delivery::not_sent(db, by, message, refusal.is_permanent, &error).await? {
                Fate::Later(at) => tracing::info!(%id, channel, %at, "a message was not sent; it is tried again"),
                Fate::Failed => tracing::warn!(%id, channel, "a message could not be sent"),
                Fate::Lost => tracing::warn!(%id, channel, "the claim of a message had run out"),
            }
        }
    }
    Ok(())
}

/// Starts a worker for each carrier. Told to stop, they let what is being carried arrive and take nothing more.
pub fn start(db: &Db, carriers: Vec<Carrier>, stopping: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
    carriers
        .into_iter()
        .map(|carrier| tokio::spawn(work(db.clone(), carrier, stopping.clone())))
        .collect()
}

async fn work(db: Db, carrier: Carrier, mut stopped: watch::Receiver<bool>) {
    let by = System::at_the_command_line();
    let worker = format!("{} {:08x}", std::process::id(), rand::random::<u32>());
    while !*stopped.borrow() {
        let is_busy = match round(&db, &by, &carrier, &worker).await {
            Ok(carried) => carried as i64 == BATCH,
            Err(e) => {
                tracing::error!(error = %e, channel = carrier.channel().as_str(), "messages were not carried; they come again");
                false
            }
        };
        if !is_busy {
            let _ = tokio::time::timeout(LOOK_EVERY, stopped.changed()).await;
        }
    }
}

/// Says at the start what carries messages, and what will wait because nothing does.
pub fn announce(carriers: &[Carrier], has_inbox: bool) {
    for channel in Channel::ALL {
        let name = channel.as_str();
        if carriers.iter().any(|carrier| carrier.channel() == channel) {
            tracing::info!(channel = name, "messages are sent");
        } else if !has_inbox {
            tracing::warn!(channel = name, "no transport is configured: messages wait in the queue");
        }
    }
}

/// Shows the queue and the day's budget of text messages in the metrics, and raises the alarm when it is spent.
pub async fn watch(db: &Db, by: &System) -> Result<(), crm::Error> {
    let mut conn = db.read().await?;
    let now = conn.now();
    let backlog = delivery::backlog(&mut conn, by).await?;
    let day = limits::sms_today(&mut conn).await?;
    drop(conn);
    for channel in Channel::ALL {
        let queue = backlog.iter().find(|queue| queue.channel == channel);
        // What waits on purpose is due later than now.
        let age = queue.map_or(0.0, |queue| (now - queue.due_since).as_seconds_f64().max(0.0));
        let waiting = queue.map_or(0.0, |queue| queue.waiting as f64);
        metrics::gauge!("kabinet_outbox_queue_length", "channel" => channel.as_str()).set(waiting);
        metrics::gauge!("kabinet_outbox_oldest_seconds", "channel" => channel.as_str()).set(age);
    }
    metrics::gauge!("kabinet_sms_today").set(day.sent as f64);
    metrics::gauge!("kabinet_sms_budget").set(day.budget as f64);
    if day.is_spent() {
        tracing::error!(
            alarm = "sms_budget_spent",
            sent = day.sent,
            "the day's budget of text messages is spent: no more codes go by SMS until tomorrow"
        );
    }
    Ok(())
}
