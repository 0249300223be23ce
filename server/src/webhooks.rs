//! Tells the shop's other systems what happened. Every node looks for receivers that something is due for, talks to each
//! by a task of its own, one request at a time, and writes down what came of it: who is slow delays nobody else.
//!
//! Staff type the addresses, so they are looked at where the connection is made: the names are looked up here, and only
//! what [`address::is_called`] allows is connected to. What a name means may change between two looks, so there is only
//! one.

use crate::channels::{builder, chain};
use crm::db::Db;
use crm::webhook::delivery::{self, Claimed, Fate, Outcome};
use crm::webhook::{Policy, address};
use crm::who::System;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Response, Url, header};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How often a node looks for receivers.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a receiver may take (Standard Webhooks: 15 to 30 s).
const TIMEOUT: Duration = Duration::from_secs(15);
/// How much longer than that a claim lasts: the rest is writing down what came of it.
const MARGIN: Duration = Duration::from_secs(60);
/// How much of an answer is read, in bytes, and for how long: its status has said already what counts.
const ANSWER_MAX: usize = 2048;
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Sends.
#[derive(Clone)]
pub struct Sender {
    https: Client,
    http: Client,
    policy: Policy,
    timeout: Duration,
}

/// Looks names up, and leaves out what is not called.
struct Guard {
    policy: Policy,
    is_https: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, is_https) = (self.policy.clone(), self.is_https);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let called: Vec<SocketAddr> = found
                .filter(|found| address::is_called(&policy, is_https, found.ip()))
                .collect();
            if called.is_empty() {
                return Err(NOT_CALLED.into());
            }
            Ok(Box::new(called.into_iter()) as Addrs)
        })
    }
}

/// What is said of an address that is not called.
const NOT_CALLED: &str = "the address is not on the internet (webhooks.private_networks), or never called";

impl Sender {
    /// One that calls whom the shop allows.
    pub fn new(policy: &Policy) -> Result<Self, String> {
        let client = |is_https| {
            let policy = policy.clone();
            builder()
                .dns_resolver(std::sync::Arc::new(Guard { policy, is_https }))
                // A proxy would look names up by itself, and connect to whatever it finds.
                .no_proxy()
                .build()
                .map_err(|e| format!("the HTTP client cannot be made: {e}"))
        };
        Ok(Self {
            https: client(true)?,
            http: client(false)?,
            policy: policy.clone(),
            timeout: TIMEOUT,
        })
    }

    /// The same with less patience.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// For how long a receiver is this node's.
    fn hold(&self) -> chrono::Duration {
        chrono::Duration::from_std(self.timeout + MARGIN).unwrap_or(chrono::Duration::minutes(5))
    }

    /// Tells a receiver; what came of it.
    async fn tell(&self, db: &Db, told: &Claimed) -> Outcome {
        let began = Instant::now();
        let outcome = self.ask(db, told).await;
        Outcome {
            took: began.elapsed(),
            ..outcome
        }
    }

    async fn ask(&self, db: &Db, told: &Claimed) -> Outcome {
        let none = |words: String| Outcome {
            words,
            ..Outcome::default()
        };
        let Ok(url) = Url::parse(&told.url) else {
            return none("this is no address".into());
        };
        let is_https = url.scheme() == "https";
        // Numbers are not looked up, so nobody but us asks whether they are called.
        if let Some(number) = address::literal(&url).flatten()
            && !address::is_called(&self.policy, is_https, number)
        {
            return none(NOT_CALLED.into());
        }
        let client = if is_https { &self.https } else { &self.http };
        let mut request = client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(told.body.clone());
        for (name, value) in told.headers(db.now()) {
            request = request.header(name, value);
        }
        match tokio::time::timeout(self.timeout, request.send()).await {
            Ok(Ok(response)) => Outcome {
                status: Some(response.status().as_u16()),
                again_in: again_in(&response),
                words: tokio::time::timeout(ANSWER_WITHIN, beginning(response))
                    .await
                    .unwrap_or_default(),
                ..Outcome::default()
            },
            Ok(Err(e)) => none(format!("cannot be reached: {}", chain(&e.without_url()))),
            Err(_) => none(format!("no answer within {} s", self.timeout.as_secs_f32())),
        }
    }
}

/// How long the receiver asks to be left alone, where it says so in seconds.
fn again_in(response: &Response) -> Option<Duration> {
    let asked = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    asked.trim().parse().ok().map(Duration::from_secs)
}

/// The beginning of an answer. However much there is, no more is read.
async fn beginning(mut response: Response) -> String {
    let mut read = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        read.extend_from_slice(&chunk);
        if read.len() >= ANSWER_MAX {
            read.truncate(ANSWER_MAX);
            break;
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// Starts telling. Told to stop, it lets what is being told arrive and takes nothing more.
pub fn start(db: &Db, sender: Sender, stopping: &watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(work(db.clone(), sender, stopping.clone()))
}

async fn work(db: Db, sender: Sender, mut stopping: watch::Receiver<bool>) {
    let by = System::at_the_command_line();
    // There are few receivers, so each has a task.
    let mut talks = JoinSet::new();
    while !*stopping.borrow() {
        match delivery::claim(&db, &by, sender.hold()).await {
            Ok(claimed) => {
                for first in claimed {
                    talks.spawn(talk(db.clone(), sender.clone(), first, stopping.clone()));
                }
            }
            Err(e) => tracing::error!(error = %e, "webhooks were not looked for; they come again"),
        }
        while talks.try_join_next().is_some() {}
        let _ = tokio::time::timeout(LOOK_EVERY, stopping.wait_for(|stop| *stop)).await;
    }
    while talks.join_next().await.is_some() {}
}

/// Tells one receiver what is due, one after the other.
async fn talk(db: Db, sender: Sender, first: Claimed, stopping: watch::Receiver<bool>) {
    let by = System::at_the_command_line();
    let mut next = Some(first);
    while let Some(told) = next {
        let outcome = sender.tell(&db, &told).await;
        let hold = (!*stopping.borrow()).then(|| sender.hold());
        let (id, webhook) = (told.id, told.webhook);
        next = match delivery::settle(&db, &by, &told, &outcome, hold).await {
            Ok(settled) => {
                // The receiver's words may hold anything, so they stand in the database and not in the log.
                match settled.fate {
                    Fate::Taken => {}
                    Fate::Later(at) => {
                        tracing::info!(%id, %webhook, %at, status = ?outcome.status, "a webhook was not taken; it is sent again")
                    }
                    Fate::Failed => {
                        tracing::warn!(%id, %webhook, status = ?outcome.status, "a webhook could not be delivered")
                    }
                    Fate::Lost => tracing::warn!(%id, %webhook, "a webhook went twice: its claim had run out"),
                }
                if let Some(because) = settled.switched_off {
                    tracing::error!(alarm = "webhook_switched_off", %webhook, ?because, "a receiver of webhooks was switched off");
                }
                settled.next
            }
            Err(e) => {
                tracing::error!(error = %e, %id, "what came of a webhook was not written down; it goes again");
                None
            }
        };
    }
}

/// Shows what waits in the metrics.
pub async fn watch(db: &Db, by: &System) -> Result<(), crm::Error> {
    let mut conn = db.read().await?;
    let now = conn.now();
    let backlog = delivery::backlog(&mut conn, by).await?;
    drop(conn);
    let age = backlog.oldest.map_or(0.0, |oldest| (now - oldest).as_seconds_f64());
    metrics::gauge!("kabinet_webhooks_queue_length").set(backlog.waiting as f64);
    metrics::gauge!("kabinet_webhooks_oldest_seconds").set(age);
    metrics::gauge!("kabinet_webhooks_switched_off").set(backlog.switched_off as f64);
    Ok(())
}
