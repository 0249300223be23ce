//! How the server stops: nobody new is sent to it, those who are there are served, and at a set time it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Waits for the signal to stop. After SIGTERM requests are still taken for a while, so that a proxy that asks `/readyz`
/// learns of it before it is turned away; a second signal ends that. Jobs begin no new round from the first one on.
pub async fn asked(is_draining: Arc<AtomicBool>, drain: Duration, jobs: watch::Sender<bool>) {
    let (mut interrupt, mut terminate) = (of(SignalKind::interrupt()), of(SignalKind::terminate()));
    let is_urgent = tokio::select! {
        () = next(&mut interrupt) => true,
        () = next(&mut terminate) => false,
    };
    jobs.send_replace(true);
    is_draining.store(true, Ordering::Relaxed);
    if !is_urgent {
        tracing::info!(
            seconds = drain.as_secs(),
            "stopping: not ready any more, requests are still taken"
        );
        tokio::select! {
            () = tokio::time::sleep(drain) => {}
            () = next(&mut interrupt) => {}
            () = next(&mut terminate) => {}
        }
    }
    tracing::info!("stopping: requests in flight are finished");
}

fn of(kind: SignalKind) -> Option<Signal> {
    signal(kind)
        .inspect_err(|e| tracing::error!(error = %e, "a signal cannot be waited for"))
        .ok()
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
