//! Requests over connections that stay open, as fast as they are answered or at a given rate.

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// Connections in use at once.
pub const CONNECTIONS: u32 = 16;

/// What a server answered.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Makes the body of each request, as JSON.
pub type Bodies = Arc<dyn Fn() -> String + Send + Sync>;

/// A path with what opens it.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub path: String,
    /// The header that says who asks, and its value.
    pub who: (&'static str, String),
    /// What is sent by POST, each under an idempotency key of its own; none: it is asked by GET.
    pub post: Option<Bodies>,
}

impl Target {
    fn request(&self, encoding: &str) -> Result<Request<Full<Bytes>>> {
        let (who, value) = &self.who;
        let request = Request::builder()
            .uri(&self.path)
            .header("host", self.address.to_string())
            .header(*who, value)
            .header("accept-encoding", encoding);
        Ok(match &self.post {
            None => request.body(Full::default())?,
            Some(body) => request
                .method(Method::POST)
                .header("content-type", "application/json")
                .header("idempotency-key", uuid::Uuid::new_v4().simple().to_string())
                .body(body().into())?,
        })
    }

    /// One request on a connection of its own. `encoding` is what the browser would take.
    pub async fn ask(&self, encoding: &str) -> Result<Answer> {
        let mut sender = connect(self.address).await?;
        let response = sender.send_request(self.request(encoding)?).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        })
    }
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// What a run came to.
pub struct Run {
    pub requests: u64,
    pub elapsed: Duration,
    /// In microseconds.
    pub latencies: Histogram<u64>,
}

impl Run {
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// In milliseconds.
    pub fn quantile(&self, q: f64) -> f64 {
        self.latencies.value_at_quantile(q) as f64 / 1000.0
    }
}

/// Asks for `lasting`: with `rate` that many requests a second over all connections, else each connection asks again
/// as soon as it was answered. At a rate, latency counts from the moment the request was due, so that a server that
/// stalls cannot hide the requests it kept waiting (G. Tene, "How NOT to Measure Latency").
pub async fn run(target: &Target, lasting: Duration, rate: Option<f64>) -> Result<Run> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|n| tokio::spawn(connection(target.clone(), start, lasting, rate, n)))
        .collect();
    let mut latencies = Histogram::new(3)?;
    for task in tasks {
        latencies.add(task.await??)?;
    }
    Ok(Run {
        requests: latencies.len(),
        elapsed: start.elapsed(),
        latencies,
    })
}

async fn connection(
    target: Target,
    start: Instant,
    lasting: Duration,
    rate: Option<f64>,
    number: u32,
) -> Result<Histogram<u64>> {
    let interval = rate.map(|rate| Duration::from_secs_f64(f64::from(CONNECTIONS) / rate));
    // The connections take turns.
    let mut due = start + interval.unwrap_or_default() * number / CONNECTIONS;
    let mut sender = connect(target.address).await?;
    let mut latencies = Histogram::new(3)?;
    while start.elapsed() < lasting {
        match interval {
            Some(interval) => {
                tokio::time::sleep_until(due.into()).await;
                due += interval;
            }
            None => due = Instant::now(),
        }
        let asked = interval.map_or(due, |interval| due - interval);
        sender.ready().await.context("the server hung up")?;
        let response = sender.send_request(target.request("identity")?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{} answered {status}: {body:?}", target.path);
        latencies.record(asked.elapsed().as_micros() as u64)?;
    }
    Ok(latencies)
}
