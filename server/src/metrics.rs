//! Figures for Prometheus, on an address of their own: what they tell is not the public's business.
//!
//! They go through the facade `metrics`, which does nothing at all until [`install`] was called. What names a series is
//! one of few: the pattern of a route and never a path, a class of statuses and never an address.

use crate::site;
use axum::Router;
use axum::body::Body;
use axum::extract::MatchedPath;
use axum::http::{Method, Request, StatusCode, header};
use axum::routing::get;
use crm::clock::Clock;
use crm::db::Db;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::Arc;
use std::time::Duration;

/// Seconds; what somebody waits for lies between the second and the last but two.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// How often samples are put into their buckets when nobody asks for them.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// What is collected.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    db: Db,
    started: i64,
}

/// Starts collecting, once in a process, before anything else begins that counts.
pub fn install() -> Result<PrometheusHandle, String> {
    let handle = PrometheusBuilder::new()
        .set_buckets(&BUCKETS)
        .map_err(|e| e.to_string())?
        .install_recorder()
        .map_err(|e| e.to_string())?;
    describe();
    Ok(handle)
}

fn describe() {
    describe_gauge!("kabinet_build_info", "The program: always 1");
    describe_counter!(
        "kabinet_http_requests_total",
        "Answers by route, method and class of status"
    );
    describe_histogram!(
        "kabinet_http_request_seconds",
        "Seconds from a request's head to its answer's"
    );
    describe_gauge!("kabinet_http_requests_in_flight", "Requests that are being answered");
    describe_counter!(
        "kabinet_http_clients_total",
        "Requests by how the client's address was learnt: direct, forwarded (by a trusted proxy), unforwarded (a trusted \
         proxy did not name it), ignored (somebody who is not trusted named one)"
    );
    describe_gauge!("kabinet_db_connections_limit", "Connections that a pool may have");
    describe_gauge!("kabinet_db_connections_in_use", "Connections lent out");
    describe_gauge!("kabinet_db_connections_idle", "Connections open and free");
    describe_gauge!("kabinet_db_connections_waiting", "Those who wait for a connection");
    describe_counter!("kabinet_job_runs_total", "Rounds of a job");
    describe_counter!("kabinet_job_failures_total", "Rounds of a job that failed");
    describe_histogram!("kabinet_job_seconds", "Seconds that a round of a job took");
    describe_gauge!(
        "kabinet_job_last_success_timestamp_seconds",
        "When a job last ended well, in seconds since 1970"
    );
    describe_gauge!(
        "kabinet_ledger_differences",
        "Places where the ledger did not agree with itself when this node last compared it"
    );
    describe_gauge!(
        "kabinet_audit_faults",
        "Whether the audit log was not as it was sealed when this node last compared it"
    );
    describe_gauge!(
        "kabinet_password_hashes_waiting",
        "Password hashes that wait for their turn"
    );
    describe_gauge!(
        "kabinet_password_hashes_running",
        "Password hashes that are being computed"
    );
    describe_counter!(
        "kabinet_password_hashes_refused_total",
        "Password hashes that waited too long"
    );
    describe_counter!(
        "kabinet_http_slowed_total",
        "Pages not shown because a session or a network asked too fast"
    );
    describe_gauge!(
        "kabinet_live_streams",
        "Streams that pages have open to be told of what comes"
    );
    describe_gauge!(
        "process_start_time_seconds",
        "When the process began, in seconds since 1970"
    );
    describe_gauge!("process_resident_memory_bytes", "Memory that the process holds");
    describe_gauge!("process_threads", "Threads of the process");
    describe_gauge!("process_open_fds", "Files and sockets that the process has open");
    describe_gauge!("process_max_fds", "Files and sockets that the process may have open");
}

impl Metrics {
    /// Collects for a server over this database.
    pub fn new(handle: PrometheusHandle, db: Db) -> Self {
        let started = Clock::default().now().timestamp();
        let upkeep = handle.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP_EVERY).await;
                upkeep.run_upkeep();
            }
        });
        Self { handle, db, started }
    }

    /// Everything, in Prometheus' text format. What nobody tells of by himself is looked up now.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge is a float; nothing here reaches 2^53"
    )]
    pub fn render(&self) -> String {
        gauge!("kabinet_build_info", "version" => env!("CARGO_PKG_VERSION"), "build" => site::BUILD).set(1.0);
        for pool in self.db.pools() {
            gauge!("kabinet_db_connections_limit", "pool" => pool.name).set(pool.limit as f64);
            gauge!("kabinet_db_connections_in_use", "pool" => pool.name).set(pool.in_use as f64);
            gauge!("kabinet_db_connections_idle", "pool" => pool.name).set(pool.idle as f64);
            gauge!("kabinet_db_connections_waiting", "pool" => pool.name).set(pool.waiting as f64);
        }
        gauge!("process_start_time_seconds").set(self.started as f64);
        let process = Process::look();
        for (name, value) in [
            ("process_resident_memory_bytes", process.memory),
            ("process_threads", process.threads),
            ("process_open_fds", process.open_files),
            ("process_max_fds", process.most_files),
        ] {
            // Where the system does not tell there is no figure rather than a wrong one.
            if let Some(value) = value {
                gauge!(name).set(value as f64);
            }
        }
        self.handle.render()
    }
}

/// What Linux tells of a process (proc(5)).
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open files and sockets.
    pub open_files: Option<u64>,
    /// As many as there may be.
    pub most_files: Option<u64>,
}

impl Process {
    /// Looks at this process.
    pub fn look() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let number = |text: &str, line: &str| {
            let rest = text.lines().find_map(|l| l.strip_prefix(line))?;
            rest.split_whitespace().next()?.parse::<u64>().ok()
        };
        Self {
            memory: number(&status, "VmRSS:").map(|kilobytes| kilobytes * 1024),
            threads: number(&status, "Threads:"),
            open_files: std::fs::read_dir("/proc/self/fd").ok().map(|dir| dir.count() as u64),
            most_files: number(&limits, "Max open files"),
        }
    }
}

/// Counts a request among those in flight, for as long as it lives.
struct InFlight;

impl InFlight {
    fn begin() -> Self {
        gauge!("kabinet_http_requests_in_flight").increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!("kabinet_http_requests_in_flight").decrement(1.0);
    }
}

/// A request that is being answered.
pub struct Answering {
    route: Arc<str>,
    method: &'static str,
    began: std::time::Instant,
    _in_flight: InFlight,
}

impl Answering {
    /// From a request that has found its route.
    pub fn begin(request: &Request<Body>) -> Self {
        Self {
            route: route(request),
            method: method(request.method()),
            began: std::time::Instant::now(),
            _in_flight: InFlight::begin(),
        }
    }

    /// The pattern of its route, or `other` for all that have none: files, and what does not exist.
    pub fn pattern(&self) -> &Arc<str> {
        &self.route
    }

    /// Its method, or `OTHER` for one that no page knows.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// How long it has taken.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// It is answered.
    pub fn end(self, status: StatusCode) {
        let class = match status.as_u16() / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        counter!("kabinet_http_requests_total", "route" => self.route.clone(), "method" => self.method, "status" => class)
            .increment(1);
        histogram!("kabinet_http_request_seconds", "route" => self.route.clone()).record(self.began.elapsed());
    }
}

fn route(request: &Request<Body>) -> Arc<str> {
    match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().into(),
        None => "other".into(),
    }
}

fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "OTHER",
    }
}

/// What is served on the address for those who watch, and nowhere else.
pub fn router(metrics: Metrics) -> Router {
    const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";
    Router::new().route(
        "/metrics",
        get(async move || ([(header::CONTENT_TYPE, KIND)], metrics.render())),
    )
}
