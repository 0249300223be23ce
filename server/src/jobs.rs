//! What runs by itself: messages leave, points activate and expire, tiers end, birthdays come, answers and tasks fall due, what customers take
//! home is packed, odd patterns are looked for, what staff bring in is gone through and what they take away is written, names are
//! written down for the search, what is new of the audit log is sealed, what nobody needs any more goes. Every job can run late,
//! twice or on several nodes with the same result.

use crate::channels::{self, Carrier};
use crate::{exports, reports, webhooks};
use crm::audit::seal;
use crm::db::Db;
use crm::rule::store::simulating;
use crm::who::System;
use crm::work::Round;
use metrics::{counter, gauge, histogram};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

/// How often messages go to the development inbox.
const INBOX_EVERY: Duration = Duration::from_secs(2);
/// How often queue and budgets are looked at, and codes that have run out are taken out of messages.
const WATCH_EVERY: Duration = Duration::from_secs(60);
/// How often simulations that wait are looked for: somebody sits in front of them.
const SIMULATIONS_EVERY: Duration = Duration::from_secs(2);
/// How often files that staff bring in are looked for, and tables that they take away: somebody sits in front of them.
const TABLES_EVERY: Duration = Duration::from_secs(2);
/// How often exports that wait are looked for: somebody may sit in front of one, and is written to otherwise.
const EXPORTS_EVERY: Duration = Duration::from_secs(5);
/// How often points that are due are looked for.
const POINTS_EVERY: Duration = Duration::from_secs(60);
/// How often is looked which answers are due: promises are counted in minutes.
const LEVELS_EVERY: Duration = Duration::from_secs(60);
/// How many differences of the ledger are logged one by one; `kabinet ledger verify` prints them all.
const SHOWN: usize = 20;
/// How often what is new of the audit log is sealed.
const SEALS_EVERY: Duration = Duration::from_secs(60);
/// How often days of reports that changed are counted again.
const REPORTS_EVERY: Duration = Duration::from_secs(300);
/// How often the house is swept, and how often is looked whose tier may be another one today, whose day has come, what odd
/// patterns there are, and whether the ledger and the audit log were compared.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// The jobs that run.
#[must_use]
pub struct Jobs {
    stop: watch::Sender<bool>,
    handles: Vec<JoinHandle<()>>,
}

impl Jobs {
    /// What tells them to stop: no round begins any more, and whoever takes work takes no more of it.
    pub fn stopper(&self) -> watch::Sender<bool> {
        self.stop.clone()
    }

    /// Stops them, lets the rounds that have begun end until `deadline`, and breaks off what has not ended then. Every
    /// change of a job is a transaction, so that one that was broken off happened or did not.
    pub async fn end(self, deadline: tokio::time::Instant) {
        self.stop.send_replace(true);
        for mut handle in self.handles {
            if tokio::time::timeout_at(deadline, &mut handle).await.is_err() {
                tracing::warn!("a job did not end in time and is broken off");
                handle.abort();
            }
        }
    }
}

/// Starts the jobs, a worker for each carrier, and the one that tells other systems. Where there is a development inbox,
/// messages go there.
pub fn start(db: &Db, has_inbox: bool, carriers: Vec<Carrier>, sender: webhooks::Sender) -> Jobs {
    let system = System::at_the_command_line();
    let (stop, stopping) = watch::channel(false);
    let mut jobs = vec![
        every("points", POINTS_EVERY, db, stopping.clone(), move |db| async move {
            let mut round = Round::default();
            round.took(crm::purchase::store::match_returns(&db, &system).await);
            round.took(crm::points::store::run_due(&db, &system).await);
            round.took(crm::contact::change::run_due(&db, &system).await);
            round.end()
        }),
        every("catalogue", LEVELS_EVERY, db, stopping.clone(), move |db| async move {
            crm::catalogue::run_due(&db, &system).await.map(drop)
        }),
        every("tiers", SWEEP_EVERY, db, stopping.clone(), move |db| async move {
            crm::rule::tier::store::run_due(&db, &system).await.map(drop)
        }),
        every("days", SWEEP_EVERY, db, stopping.clone(), move |db| async move {
            let mut round = Round::default();
            round.took(crm::notification::run_due(&db, &system).await);
            round.took(crm::rule::store::days::run_due(&db, &system).await);
            round.end()
        }),
        every("sweep", SWEEP_EVERY, db, stopping.clone(), move |db| async move {
            let mut round = Round::default();
            round.took(crm::factor::removal::run_due(&db, &system).await);
            round.took(crm::limits::sweep(&db, &system).await);
            round.took(crm::export::sweep(&db, &system).await);
            round.took(crm::import::sweep(&db, &system).await);
            round.took(crm::erasure::run_due(&db, &system).await);
            // With the files that somebody was in who is erased by now.
            round.took(crm::extract::sweep(&db, &system).await);
            round.took(crm::webhook::delivery::sweep(&db, &system).await);
            round.took(crm::help::store::sweep(&db, &system).await);
            round.took(crm::dialogue::store::sweep(&db, &system).await);
            round.took(crm::request::live::sweep(&db, &system).await);
            round.took(crm::request::store::bulk::sweep(&db, &system).await);
            round.took(crm::request::draft::sweep(&db, &system).await);
            round.took(crm::outbox::delivery::forget(&db, &system).await);
            round.took(crm::notification::forget(&db, &system).await);
            round.took(crm::signin::store::sweep(&db, &system).await);
            round.end()
        }),
        every("ledger", SWEEP_EVERY, db, stopping.clone(), move |db| async move {
            let Some(differences) = crm::points::store::verify_daily(&db, &system).await? else {
                return Ok(());
            };
            for difference in differences.iter().take(SHOWN) {
                tracing::error!(%difference, "the ledger is not in order");
            }
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
            gauge!("kabinet_ledger_differences").set(differences.len() as f64);
            Ok(())
        }),
        every("seals", SEALS_EVERY, db, stopping.clone(), move |db| async move {
            seal::run_due(&db, &system).await.map(drop)
        }),
        every("audit", SWEEP_EVERY, db, stopping.clone(), move |db| async move {
            watch_audit(&db, &system).await
        }),
        every("messages", WATCH_EVERY, db, stopping.clone(), move |db| async move {
            let mut round = Round::default();
            round.took(crm::outbox::delivery::sweep(&db, &system).await);
            round.took(channels::watch(&db, &system).await);
            round.took(webhooks::watch(&db, &system).await);
            round.end()
        }),
        every("desk", WATCH_EVERY, db, stopping.clone(), move |db| async move {
            let mut round = Round::default();
            round.took(crm::request::store::queues::run_due(&db, &system).await);
            round.took(crm::task::store::run_due(&db, &system).await);
            round.took(crm::request::store::index::run_due(&db, &system).await);
            round.took(crm::article::store::words::run_due(&db, &system).await);
            round.end()
        }),
    ];
    let stop_simulating = stopping.clone();
    jobs.push(every(
        "simulations",
        SIMULATIONS_EVERY,
        db,
        stopping.clone(),
        move |db| {
            let stopping = stop_simulating.clone();
            async move {
                let goes_on = || !*stopping.borrow();
                while goes_on() && simulating::run_next(&db, &system, goes_on).await? {}
                Ok(())
            }
        },
    ));
    let stop_importing = stopping.clone();
    jobs.push(every("imports", TABLES_EVERY, db, stopping.clone(), move |db| {
        let stopping = stop_importing.clone();
        async move {
            let goes_on = || !*stopping.borrow();
            while goes_on() && crm::import::run_next(&db, &system, goes_on).await? {}
            Ok(())
        }
    }));
    let stop_extracting = stopping.clone();
    jobs.push(every("extracts", TABLES_EVERY, db, stopping.clone(), move |db| {
        let stopping = stop_extracting.clone();
        async move {
            let goes_on = || !*stopping.borrow();
            while goes_on() && crm::extract::run_next(&db, &system, goes_on).await? {}
            Ok(())
        }
    }));
    let stop_filling = stopping.clone();
    jobs.push(every("words", SWEEP_EVERY, db, stopping.clone(), move |db| {
        let stopping = stop_filling.clone();
        async move {
            let goes_on = || !*stopping.borrow();
            crm::find::store::fill(&db, &system, goes_on).await.map(drop)
        }
    }));
    let stop_telling = stopping.clone();
    jobs.push(every("levels", LEVELS_EVERY, db, stopping.clone(), move |db| {
        let stopping = stop_telling.clone();
        async move {
            let goes_on = || !*stopping.borrow();
            crm::request::level::store::run_due(&db, &system, goes_on).await
        }
    }));
    let stop_exporting = stopping.clone();
    jobs.push(every("exports", EXPORTS_EVERY, db, stopping.clone(), move |db| {
        let stopping = stop_exporting.clone();
        async move {
            let goes_on = || !*stopping.borrow();
            while goes_on() && exports::run_next(&db, &system).await? {}
            Ok(())
        }
    }));
    let stop_counting = stopping.clone();
    jobs.push(every("reports", REPORTS_EVERY, db, stopping.clone(), move |db| {
        let stopping = stop_counting.clone();
        async move {
            let goes_on = || !*stopping.borrow();
            let mut round = Round::default();
            round.took(crm::report::store::run_due(&db, &system, goes_on).await);
            round.took(crm::promotion::store::outcome::run_due(&db, &system, goes_on).await);
            round.took(crm::rfm::store::run_due(&db, &system, goes_on).await);
            round.took(reports::send_due(&db, &system).await);
            round.end()
        }
    }));
    let stop_finding = stopping.clone();
    jobs.push(every("fraud", SWEEP_EVERY, db, stopping.clone(), move |db| {
        let stopping = stop_finding.clone();
        async move {
            let goes_on = || !*stopping.borrow();
            let found = crm::fraud::finding::run_due(&db, &system, goes_on).await?;
            if found > 0 {
                tracing::info!(found, "odd patterns were found");
            }
            Ok(())
        }
    }));
    if has_inbox {
        jobs.push(every(
            "inbox",
            INBOX_EVERY,
            db,
            stopping.clone(),
            move |db| async move { crm::outbox::deliver_to_inbox(&db, &system).await.map(drop) },
        ));
    }
    jobs.extend(channels::start(db, carriers, &stopping));
    jobs.push(webhooks::start(db, sender, &stopping));
    Jobs { stop, handles: jobs }
}

/// Writes the newest seal of the audit log down elsewhere, in our own log, and once a day compares the whole of it.
async fn watch_audit(db: &Db, by: &System) -> Result<(), crm::Error> {
    // What an upgrade or a long stop left behind has waited long enough to be taken for a fault.
    seal::run_due(db, by).await?;
    if let Some(newest) = seal::newest(db, by).await? {
        tracing::info!(seal = newest.id, hash = %newest.hash(), "the audit log is sealed up to here");
    }
    let Some(report) = seal::verify_daily(db, by).await? else {
        return Ok(());
    };
    if let Some(fault) = &report.fault {
        tracing::error!(%fault, "the audit log is not as it was sealed");
    }
    gauge!("kabinet_audit_faults").set(if report.fault.is_some() { 1.0 } else { 0.0 });
    Ok(())
}

/// Runs a job again and again until the server stops. A failure is logged, and the next round comes all the same.
fn every<F, R>(
    name: &'static str,
    pause: Duration,
    db: &Db,
    mut stopping: watch::Receiver<bool>,
    job: F,
) -> JoinHandle<()>
where
    F: Fn(Db) -> R + Send + 'static,
    R: Future<Output = Result<(), crm::Error>> + Send,
{
    let db = db.clone();
    tokio::spawn(async move {
        while !*stopping.borrow() {
            let began = Instant::now();
            let span = tracing::debug_span!("job", otel.name = format_args!("job {name}"));
            let result = job(db.clone()).instrument(span).await;
            histogram!("kabinet_job_seconds", "job" => name).record(began.elapsed());
            counter!("kabinet_job_runs_total", "job" => name).increment(1);
            // Both are there from the first round on: what never failed is zero, not missing.
            counter!("kabinet_job_failures_total", "job" => name).increment(u64::from(result.is_err()));
            match result {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a gauge is a float, and seconds are far from 2^53"
                )]
                Ok(()) => {
                    gauge!("kabinet_job_last_success_timestamp_seconds", "job" => name).set(db.now().timestamp() as f64)
                }
                Err(e) => tracing::error!(job = name, error = %e, "a job failed; it comes again"),
            }
            // When nobody is left who could say so, the server has stopped.
            let _ = tokio::time::timeout(pause, stopping.wait_for(|stop| *stop)).await;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::Semaphore;

    /// A job that waits in its round until it is let go, and counts how many it began and ended.
    async fn one_job() -> (Jobs, Arc<Semaphore>, Arc<[AtomicU32; 2]>) {
        let world = crm::testing::sqlite().await;
        let (stop, stopping) = watch::channel(false);
        let (free, counts) = (
            Arc::new(Semaphore::new(0)),
            Arc::new([AtomicU32::new(0), AtomicU32::new(0)]),
        );
        let (waits, counted) = (free.clone(), counts.clone());
        let handle = every("test", Duration::ZERO, &world.db, stopping, move |_| {
            let (waits, counted) = (waits.clone(), counted.clone());
            async move {
                counted[0].fetch_add(1, Ordering::SeqCst);
                waits.acquire().await.expect("it is never closed").forget();
                counted[1].fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        });
        while counts[0].load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let handles = vec![handle];
        (Jobs { stop, handles }, free, counts)
    }

    #[tokio::test]
    async fn a_round_that_has_begun_ends_and_no_other_begins() {
        let (jobs, free, counts) = one_job().await;
        jobs.stopper().send_replace(true);
        free.add_permits(10);
        jobs.end(tokio::time::Instant::now() + Duration::from_secs(60)).await;
        assert_eq!(counts.each_ref().map(|count| count.load(Ordering::SeqCst)), [1, 1]);
    }

    #[tokio::test]
    async fn a_round_that_takes_too_long_is_broken_off() {
        let (jobs, _free, counts) = one_job().await;
        jobs.end(tokio::time::Instant::now()).await;
        assert_eq!(counts.each_ref().map(|count| count.load(Ordering::SeqCst)), [1, 0]);
    }
}
