//! Signing in: what a password costs beside its bare hash, what a flood of them does to everybody else, and whether the
//! time of an answer tells who has an account.

use crate::load::{Target, run};
use crate::process::Process;
use crate::report::{Budget, Report};
use anyhow::{Context, Result, ensure};
use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

const PASSWORD: &str = "корова летит над луной";
const WRONG: &str = "другая корова летит мимо";
/// Samples of each kind whose times are compared.
const SAMPLES: usize = 2000;

/// argon2id as the product has it: 19 MiB, two passes, one lane.
fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|e| anyhow::anyhow!("{e}"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<String> {
    let hash = argon2()?.hash_password(password.as_bytes());
    Ok(hash.map_err(|e| anyhow::anyhow!("{e}"))?.to_string())
}

/// The phone of the nth made-up customer, and one that nobody has.
fn known(n: usize) -> String {
    format!("+7901{n:07}")
}

fn unknown(n: usize) -> String {
    format!("+7902{n:07}")
}

/// Customers with proved phones, all of them with one password.
pub fn prepare(file: &Path) -> Result<()> {
    let mut db = rusqlite::Connection::open(file)?;
    let (now, hash) = (chrono::Utc::now().to_rfc3339(), hash(PASSWORD)?);
    let tx = db.transaction()?;
    for n in 0..SAMPLES {
        let id = uuid::Uuid::now_v7();
        tx.execute(
            "INSERT INTO customers (id, name, surname, search, language, password_hash, source, registered_at, updated_at) \
             VALUES (?1, 'Анна', 'К', 'к анна', 'ru', ?2, 'web', ?3, ?3)",
            rusqlite::params![id, hash, now],
        )?;
        tx.execute(
            "INSERT INTO contacts (id, customer_id, kind, value, is_primary, verified_at, created_at) \
             VALUES (?1, ?2, 'phone', ?3, 1, ?4, ?4)",
            rusqlite::params![uuid::Uuid::now_v7(), id, known(n), now],
        )?;
    }
    Ok(tx.commit()?)
}

/// A connection that sends forms.
struct Sender {
    address: SocketAddr,
    connection: SendRequest<Full<Bytes>>,
}

impl Sender {
    async fn new(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Self { address, connection })
    }

    /// Sends a form of the page of signing in, as from the nth network; the answer without its body, and its time.
    async fn send(&mut self, form: &str, fields: &[(&str, &str)], network: usize) -> Result<(Response<()>, Duration)> {
        let key = uuid::Uuid::new_v4().simple().to_string();
        let own = [("_fn", form), ("_key", &key)];
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(own.iter().chain(fields))
            .finish();
        let [_, a, b, c] = u32::try_from(network)?.to_be_bytes();
        let request = Request::post("/sign-in?by=password")
            .header("host", self.address.to_string())
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-forwarded-for", format!("10.{a}.{b}.{c}"))
            .body(Full::new(Bytes::from(body)))?;
        self.connection.ready().await.context("the server hung up")?;
        let started = Instant::now();
        let response: Response<Incoming> = self.connection.send_request(request).await?;
        let (head, body) = response.into_parts();
        body.collect().await?;
        Ok((Response::from_parts(head, ()), started.elapsed()))
    }
}

/// Everything about signing in. `server` has to take `X-Forwarded-For` from this machine.
pub async fn measure(report: &mut Report, server: &Process, page: &Target, lasting: Duration) -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    report.section("Signing in by password, argon2id 19 MiB × 2");
    let bare = bare_hashes(cores, lasting)?;
    let ours = sign_ins(page.address, cores * 2, lasting).await?;
    let core = cores as f64;
    report.line("bare hashes a second and core", bare / core, "/s", Budget::None);
    report.line("sign-ins a second and core", ours / core, "/s", Budget::None);
    report.line("ratio", ours / bare, "×", Budget::AtLeast(0.8));
    flood(report, server, page, ours * 10.0, lasting).await?;
    report.section(&format!(
        "Times of known and unknown phones, 2 × {SAMPLES} samples in turns"
    ));
    timing(report, page.address, "a wrong password", Way::Password).await?;
    timing(report, page.address, "a code asked for", Way::Code).await
}

/// Comparisons a second that all cores make with nothing else around them.
fn bare_hashes(cores: usize, lasting: Duration) -> Result<f64> {
    let started = Instant::now();
    let threads: Vec<_> = (0..cores)
        .map(|_| {
            std::thread::spawn(move || -> Result<u32> {
                let mut done = 0;
                while started.elapsed() < lasting {
                    hash(PASSWORD)?;
                    done += 1;
                }
                Ok(done)
            })
        })
        .collect();
    let mut done = 0;
    for thread in threads {
        done += thread.join().map_err(|_| anyhow::anyhow!("a thread broke off"))??;
    }
    Ok(f64::from(done) / started.elapsed().as_secs_f64())
}

/// Sign-ins a second with this many browsers at once.
async fn sign_ins(address: SocketAddr, browsers: usize, lasting: Duration) -> Result<f64> {
    let started = Instant::now();
    let tasks: Vec<_> = (0..browsers)
        .map(|n| {
            tokio::spawn(async move {
                let (mut sender, mut done) = (Sender::new(address).await?, 0);
                let phone = known(n);
                while started.elapsed() < lasting {
                    let fields = [("phone", phone.as_str()), ("password", PASSWORD)];
                    let (answer, _) = sender.send("sign_in.password", &fields, n).await?;
                    ensure!(answer.status() == 303, "a sign-in was answered {}", answer.status());
                    done += 1;
                }
                Ok(done)
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await??;
    }
    Ok(f64::from(done) / started.elapsed().as_secs_f64())
}

/// Asks for another page while sign-ins come at a rate that cannot be served.
async fn flood(report: &mut Report, server: &Process, page: &Target, rate: f64, lasting: Duration) -> Result<()> {
    let before = server.memory().unwrap_or_default();
    let (address, count) = (page.address, (rate * lasting.as_secs_f64()) as usize);
    let started = Instant::now();
    let flood = tokio::spawn(async move {
        let mut tasks = Vec::with_capacity(count);
        for n in 0..count {
            tokio::time::sleep_until((started + Duration::from_secs_f64(n as f64 / rate)).into()).await;
            tasks.push(tokio::spawn(async move {
                let phone = known(n % SAMPLES);
                let fields = [("phone", phone.as_str()), ("password", PASSWORD)];
                let (answer, _) = Sender::new(address).await?.send("sign_in.password", &fields, n).await?;
                let is_busy = answer.status() == 503 && answer.headers().contains_key("retry-after");
                ensure!(
                    is_busy || answer.status() == 303,
                    "a sign-in was answered {}",
                    answer.status()
                );
                Ok(is_busy)
            }));
        }
        let mut busy = 0;
        for task in tasks {
            busy += usize::from(task.await??);
        }
        Ok::<usize, anyhow::Error>(busy)
    });
    let others = run(page, lasting, Some(50.0)).await?;
    let busy = flood.await??;
    let grown = server.peak_memory().unwrap_or_default().saturating_sub(before);
    report.section("Ten times as many sign-ins as can be served");
    report.line("sign-ins asked for", count as f64, "", Budget::None);
    report.line(
        "answered 503 with Retry-After",
        100.0 * busy as f64 / count as f64,
        "%",
        Budget::None,
    );
    report.line(
        "p50 of another page meanwhile",
        others.quantile(0.5),
        "ms",
        Budget::None,
    );
    report.line(
        "p99 of another page meanwhile",
        others.quantile(0.99),
        "ms",
        Budget::AtMost(250.0),
    );
    report.line(
        "memory, the most above what it was",
        grown as f64 / 1e6,
        "MB",
        Budget::AtMost(110.0),
    );
    Ok(())
}

#[derive(Clone, Copy)]
enum Way {
    Password,
    Code,
}

/// Asks for a known and an unknown phone in turns, each time from a network of its own, and compares the times by Welch's
/// t: with p of a hundredth or more nothing tells them apart.
async fn timing(report: &mut Report, address: SocketAddr, what: &str, way: Way) -> Result<()> {
    let mut sender = Sender::new(address).await?;
    let mut times = [Vec::with_capacity(SAMPLES), Vec::with_capacity(SAMPLES)];
    for n in 0..SAMPLES {
        // Neither is always first.
        let order = if n % 2 == 0 { [0, 1] } else { [1, 0] };
        for kind in order {
            let phone = if kind == 0 { known(n) } else { unknown(n) };
            let network = 1_000_000 + 4 * n + kind + if matches!(way, Way::Code) { 2 } else { 0 };
            let (answer, time) = match way {
                Way::Password => {
                    let fields = [("phone", phone.as_str()), ("password", WRONG)];
                    sender.send("sign_in.password", &fields, network).await?
                }
                Way::Code => {
                    sender
                        .send("sign_in.start", &[("phone", phone.as_str())], network)
                        .await?
                }
            };
            let expected = if matches!(way, Way::Password) { 422 } else { 303 };
            ensure!(answer.status() == expected, "{what} was answered {}", answer.status());
            times[kind].push(time.as_secs_f64() * 1e6);
        }
    }
    let medians = times.clone().map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    // The longest hundredth is the machine's own doing and would drown what is looked for.
    let kept = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times.truncate(times.len() * 99 / 100);
        times
    });
    let p = welch(&kept[0], &kept[1])?;
    report.line(&format!("{what}, known, median"), medians[0], "µs", Budget::None);
    report.line(&format!("{what}, unknown, median"), medians[1], "µs", Budget::None);
    report.line(&format!("{what}, p of Welch's t"), p, "", Budget::AtLeast(0.01));
    Ok(())
}

/// The chance that two samples of one mean differ as much as these.
fn welch(a: &[f64], b: &[f64]) -> Result<f64> {
    let moments = |sample: &[f64]| {
        let n = sample.len() as f64;
        let mean = sample.iter().sum::<f64>() / n;
        let variance = sample.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, variance / n, n)
    };
    let ((mean_a, var_a, n_a), (mean_b, var_b, n_b)) = (moments(a), moments(b));
    let t = (mean_a - mean_b) / (var_a + var_b).sqrt();
    let freedom = (var_a + var_b).powi(2) / (var_a.powi(2) / (n_a - 1.0) + var_b.powi(2) / (n_b - 1.0));
    let distribution = StudentsT::new(0.0, 1.0, freedom).context("Welch's t")?;
    Ok(2.0 * distribution.cdf(-t.abs()))
}
