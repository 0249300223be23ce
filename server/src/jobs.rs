//! What runs by itself: messages leave, points activate and expire, what nobody needs any more goes. Every job can run
//! late, twice or on several nodes with the same result.

use crm::db::Db;
use crm::who::System;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often messages go to the development inbox.
const INBOX_EVERY: Duration = Duration::from_secs(2);
/// How often queue and budgets are looked at, and codes that have run out are taken out of messages.
const WATCH_EVERY: Duration = Duration::from_secs(60);
/// How often points that are due are looked for.
const POINTS_EVERY: Duration = Duration::from_secs(60);
/// How often the house is swept.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Starts the jobs; they end when the handles are dropped. Where there is a development inbox, messages go there.
pub fn start(db: &Db, has_inbox: bool) -> Vec<JoinHandle<()>> {
    let system = System::at_the_command_line();
    let mut jobs = vec![
        every(POINTS_EVERY, db, move |db| async move {
            crm::points::store::run_due(&db, &system).await.map(drop)
        }),
        every(SWEEP_EVERY, db, move |db| async move {
            crm::limits::sweep(&db, &system).await?;
            crm::signin::store::sweep(&db, &system).await
        }),
        every(WATCH_EVERY, db, move |db| async move {
            crm::outbox::delivery::sweep(&db, &system).await?;
            crate::channels::watch(&db, &system).await
        }),
    ];
    if has_inbox {
        jobs.push(every(INBOX_EVERY, db, move |db| async move {
            crm::outbox::deliver_to_inbox(&db, &system).await.map(drop)
        }));
    }
    jobs
}

/// Runs a job again and again. A failure is logged, and the next round comes all the same.
fn every<F, R>(pause: Duration, db: &Db, job: F) -> JoinHandle<()>
where
    F: Fn(Db) -> R + Send + 'static,
    R: Future<Output = Result<(), crm::Error>> + Send,
{
    let db = db.clone();
    tokio::spawn(async move {
        loop {
            if let Err(e) = job(db.clone()).await {
                tracing::error!(error = %e, "a job failed; it comes again");
            }
            tokio::time::sleep(pause).await;
        }
    })
}
