//! `kabinet doctor`: looks a running installation over, from the inside and from where browsers come, and says of each
//! thing whether it is well and what to do if not. It changes nothing; the one form that it sends, to see a cookie,
//! chooses the theme of a browser that does not exist.

use crate::channels;
use crate::channels::sms::Gateway;
use crate::channels::smtp::Mailer;
use crate::config::Config;
use crate::metrics::Process;
use crate::outside::config::Whom;
use crate::{demo, site};
use anyhow::bail;
use chrono::{DateTime, TimeDelta, Utc};
use crm::checkup;
use crm::clock::Clock;
use crm::db::Db;
use crm::limits::{self, SmsDay};
use crm::who::System;
use reqwest::header::{self, HeaderMap};
use reqwest::{Client, Response};
use serde::Serialize;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long anything outside may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many transactions of the ledger are compared; `kabinet ledger verify` compares all.
const NEWEST: i64 = 1_000;

/// How to tell it.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// For machines: one object with a list of lines
    #[arg(long)]
    pub json: bool,
    /// Also send a test message to this e-mail address
    #[arg(long, value_name = "ADDRESS")]
    pub send_to: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Not looked at: somebody else has to.
    Unseen,
    /// Somebody should look at it soon.
    Warning,
    /// Customers are hurt by it, or will be.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// What.
    pub check: &'static str,
    /// How it is.
    pub state: State,
    /// What was seen.
    pub found: String,
    /// What to do, unless it is well.
    pub advice: Option<String>,
}

fn ok(check: &'static str, found: impl Into<String>) -> Line {
    Line {
        check,
        state: State::Ok,
        found: found.into(),
        advice: None,
    }
}

fn unseen(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Line {
    Line {
        state: State::Unseen,
        ..warning(check, found, advice)
    }
}

fn warning(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Line {
    Line {
        check,
        state: State::Warning,
        found: found.into(),
        advice: Some(advice.into()),
    }
}

fn wrong(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Line {
    Line {
        state: State::Wrong,
        ..warning(check, found, advice)
    }
}

/// Looks, tells, and fails when something is wrong.
#[expect(clippy::print_stdout, reason = "the command line speaks through standard output")]
pub async fn run(config: &Config, args: &Args) -> anyhow::Result<()> {
    let lines = look(config, args).await;
    let bad = lines.iter().filter(|line| line.state == State::Wrong).count();
    if args.json {
        println!("{}", serde_json::json!({ "ok": bad == 0, "lines": lines }));
    } else {
        for line in &lines {
            let state = match line.state {
                State::Ok => "ok     ",
                State::Unseen => "unseen ",
                State::Warning => "WARNING",
                State::Wrong => "WRONG  ",
            };
            println!("{state}  {}: {}", line.check, line.found);
            if let Some(advice) = &line.advice {
                println!("         → {advice}");
            }
        }
    }
    if bad > 0 {
        bail!("{bad} thing(s) are wrong");
    }
    Ok(())
}

/// Looks everything over.
async fn look(config: &Config, args: &Args) -> Vec<Line> {
    let mut lines = settings(config);
    let figures = Figures::of(config).await;
    lines.extend(database(config).await);
    lines.extend(disk(config));
    lines.extend(backups(config));
    lines.push(match site::load(&config.site_dir(), &config.shop()) {
        Ok(_) => ok(
            "site folder",
            format!("{} is of this build", config.site_dir().display()),
        ),
        Err(why) => wrong(
            "site folder",
            why,
            "put the program and the site folder of one release beside each other",
        ),
    });
    lines.extend(server(config, figures.as_ref()));
    lines.extend(public(config).await);
    // After our own requests, so that there is something to see.
    lines.push(forwarded(config, Figures::of(config).await.as_ref()));
    lines.extend(mail(config, args).await);
    lines.extend(sms(config).await);
    lines
}

/// What is allowed by the configuration and yet not meant for customers.
fn settings(config: &Config) -> Vec<Line> {
    const CHECK: &str = "configuration";
    let host = host(config);
    let is_local = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    let mut lines = Vec::new();
    if !config.is_https() && !is_local {
        lines.push(wrong(
            CHECK,
            format!("public_url is {}", config.public_url),
            "put a proxy with TLS in front and set public_url to its https address: without it passwords travel in the \
             clear",
        ));
    }
    if config.is_https() && config.trusted_proxies.is_empty() {
        lines.push(wrong(
            CHECK,
            "public_url is https and trusted_proxies is empty",
            "name the address of the proxy there: without it all customers count as one, and one who mistypes his \
             password locks everybody's sign-in",
        ));
    }
    if config
        .metrics_address()
        .is_some_and(|address| address.ip().is_unspecified())
    {
        lines.push(warning(
            CHECK,
            format!("metrics_listen is {}", config.metrics_listen),
            "listen on an address that only the machines that watch can reach, or close the port in the firewall",
        ));
    }
    if !is_local && config.shop.phone.is_empty() && config.shop.email.is_empty() {
        lines.push(warning(
            CHECK,
            "neither shop.phone nor shop.email is set",
            "set one of them: who cannot sign in reads on no page how to reach the shop",
        ));
    }
    if lines.is_empty() {
        lines.push(ok(CHECK, "in order"));
    }
    lines
}

/// The host of the public address, with its port if it has one.
fn host(config: &Config) -> &str {
    let rest = config.public_url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(':')
        .next()
        .filter(|_| !rest.starts_with('['))
        .unwrap_or(rest)
}

/// The database and what it holds.
async fn database(config: &Config) -> Vec<Line> {
    let by = System::at_the_command_line();
    let url = match config.database() {
        Ok(url) => url,
        Err(why) => return vec![wrong("database", why, "see that the server may read the file")],
    };
    let schema = match crm::db::schema(&url).await {
        Ok(schema) => schema,
        Err(e @ crm::db::Error::Driver(_)) => {
            return vec![wrong(
                "database",
                e.to_string(),
                "see that it runs, that its address in database_url is right, and what its own log says",
            )];
        }
        Err(e) => return vec![wrong("schema", e.to_string(), "see docs/operations.md, Upgrade")],
    };
    let mut lines = Vec::new();
    match schema.version {
        None => {
            return vec![wrong(
                "schema",
                "the database is empty",
                "see that database_url names the right one; `kabinet migrate` fills a new one",
            )];
        }
        Some(version) if schema.pending.is_empty() => lines.push(ok("schema", format!("version {version}"))),
        Some(version) => {
            let count = schema.pending.len();
            return vec![wrong(
                "schema",
                format!("version {version}, {count} migration(s) are pending"),
                "back up, then `kabinet migrate`",
            )];
        }
    }
    match Db::open_as_it_is(&url, config.shop(), Clock::default()).await {
        Ok(db) => lines.extend(contents(config, &db, &by).await.unwrap_or_else(|e| {
            vec![wrong(
                "database",
                e.to_string(),
                "see what the log of the server and of the database say",
            )]
        })),
        Err(e) => lines.push(wrong("database", e.to_string(), "see what its own log says")),
    }
    lines
}

async fn contents(config: &Config, db: &Db, by: &System) -> Result<Vec<Line>, crm::Error> {
    let mut lines = vec![ok("database", format!("{db:?} answers"))];
    if let Some(difference) = checkup::clock_difference(db, by).await? {
        lines.push(clock("clock of the database", difference));
    }
    let differences = checkup::newest_of_the_ledger(db, by, NEWEST).await?;
    lines.push(match differences.first() {
        None => ok("ledger", format!("the newest {NEWEST} transactions are in order")),
        Some(first) => wrong(
            "ledger",
            format!("{} difference(s), the first: {first:?}", differences.len()),
            "stop redemptions, `kabinet ledger verify` lists them all; see docs/operations.md",
        ),
    });
    lines.push(seals(crm::audit::seal::waiting_since(db, by).await?, db.now()));
    let outbox = checkup::outbox(db, by).await?;
    let waits = outbox.due_since.map_or(TimeDelta::zero(), |at| db.now() - at);
    let minutes = waits.num_minutes();
    let late = format!("the first could have gone {minutes} minutes ago");
    let stuck = "see whether the server runs, and the lines on mail and SMS; codes for sign-in do not arrive either";
    lines.push(match minutes {
        ..2 => ok("messages", "none is late"),
        2..10 => warning("messages", late, stuck),
        _ => wrong("messages", late, stuck),
    });
    if outbox.failed > 0 {
        lines.push(warning(
            "messages",
            format!("{} could not be carried", outbox.failed),
            "the log says why; see docs/operations.md",
        ));
    }
    lines.push(match checkup::returns_without_sale(db, by).await? {
        (count, Some(document)) => warning(
            "returns",
            format!("{count} line(s) brought back have waited for their sale for over a day, the oldest for {document}"),
            "they stand at /admin/tills/waiting; have the till send the sale, or void the return there and send it again with \
             the right number; see docs/operations.md, At night",
        ),
        _ => ok("returns", "none has waited for its sale for over a day"),
    });
    lines.push(text_messages(limits::sms_today(&mut db.read().await?).await?));
    lines.push(staff(config, checkup::managers(db, by).await?));
    if config.is_https() && crm::content::setting(db, demo::MARK).await?.is_some() {
        lines.push(wrong(
            "demonstration",
            "this database is a demonstration: /inbox shows the codes for sign-in to whoever has a password of its staff",
            "start with a database of your own",
        ));
    }
    Ok(lines)
}

/// What is left of the day's text messages.
fn text_messages(day: SmsDay) -> Line {
    const CHECK: &str = "text messages";
    let found = format!("{} of {} of today are sent", day.sent, day.budget);
    if day.is_spent() {
        wrong(
            CHECK,
            format!("{found}: no code goes by SMS until midnight"),
            "see at /admin/messages where they went; if to strangers, close their countries (limits.sms_prefixes), if to \
             customers, raise limits.sms_per_day, and restart",
        )
    } else {
        ok(CHECK, found)
    }
}

/// Whether somebody can come in who looks after staff.
fn staff(config: &Config, managers: usize) -> Line {
    const CHECK: &str = "staff";
    let come_by_themselves = config.providers.iter().any(|p| p.whom == Whom::Staff && p.create);
    match managers {
        0 if come_by_themselves => ok(CHECK, "nobody looks after staff yet; whom the provider lets in may"),
        0 => wrong(
            CHECK,
            "no administrator can come in",
            "`kabinet staff add LOGIN NAME --role administrator`, or `staff enable LOGIN` for one who was disabled",
        ),
        _ => ok(CHECK, format!("{managers} may look after their colleagues")),
    }
}

/// How old the oldest row of the audit log is that stands in no seal.
fn seals(since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Line {
    const CHECK: &str = "audit log";
    let Some(since) = since else {
        return ok(CHECK, "every row is sealed");
    };
    let minutes = (now - since).num_minutes();
    let found = format!("the oldest row that is not sealed is {minutes} minutes old");
    let advice = "see whether the server runs, and what its log says of the job seals: nobody could tell whether such rows were \
                  changed";
    match minutes {
        ..10 => ok(CHECK, found),
        10..60 => warning(CHECK, found, advice),
        _ => wrong(CHECK, found, advice),
    }
}

fn clock(check: &'static str, difference: TimeDelta) -> Line {
    let seconds = difference.num_seconds().abs();
    let found = format!("{:+.1} s beside ours", difference.num_milliseconds() as f64 / 1000.0);
    let advice = "let both machines keep time by NTP (`timedatectl`): codes, sessions and points go by it";
    match seconds {
        ..3 => ok(check, found),
        3..30 => warning(check, found, advice),
        _ => wrong(check, found, advice),
    }
}

/// The file of a SQLite database; none on PostgreSQL.
fn database_file(config: &Config) -> Option<PathBuf> {
    let url = config.database().ok()?;
    let path = url.strip_prefix("sqlite:")?;
    Some(path.split('?').next().unwrap_or(path).trim_start_matches("//").into())
}

/// Room on the disk, and who may read what lies there.
fn disk(config: &Config) -> Vec<Line> {
    let Some(file) = database_file(config) else {
        return vec![unseen(
            "disk",
            "not looked at, for the database is PostgreSQL's",
            "watch the disk where it runs: when it is full, nothing can be changed any more and sign-in stops",
        )];
    };
    let mut lines = Vec::new();
    let size = file.metadata().map(|meta| meta.len()).unwrap_or_default();
    let folder = file
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let advice = "make room: when it is full, nothing can be changed any more and sign-in stops";
    match rustix::fs::statvfs(folder) {
        Err(e) => lines.push(wrong(
            "disk",
            format!("{}: {e}", folder.display()),
            "see that the folder is there",
        )),
        Ok(disk) => {
            let (free, all) = (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize);
            let percent = free * 100 / all.max(1);
            let found = format!(
                "{} MB free ({percent} %), the database has {} MB",
                free >> 20,
                size >> 20
            );
            lines.push(if free < 256 << 20 {
                wrong("disk", found, advice)
            } else if free < (1 << 30).max(2 * size) {
                warning("disk", found, format!("{advice}; a copy needs as much as the database"))
            } else {
                ok("disk", found)
            });
        }
    }
    if file.metadata().is_ok_and(|meta| meta.mode() & 0o077 != 0) {
        lines.push(warning(
            "database file",
            format!("others than its owner may read {}", file.display()),
            format!("chmod 600 {}, and UMask=0077 for the server", file.display()),
        ));
    }
    lines
}

/// How old the newest copy is.
fn backups(config: &Config) -> Vec<Line> {
    const CHECK: &str = "backups";
    let dir = &config.backup_dir;
    if dir.as_os_str().is_empty() {
        return match database_file(config) {
            Some(_) => vec![warning(
                CHECK,
                "backup_dir is not set, so nobody looks whether there are copies",
                "`kabinet backup` every night, and set backup_dir to where the copies lie",
            )],
            None => vec![unseen(
                CHECK,
                "not looked at: backup_dir is for copies of SQLite",
                "watch the base backups and the archive of PostgreSQL; see docs/operations.md, PostgreSQL",
            )],
        };
    }
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) => {
            return vec![wrong(
                CHECK,
                format!("{}: {e}", dir.display()),
                "see that the folder is there",
            )];
        }
    };
    let newest = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_none_or(|ending| ending != "part"))
        .filter_map(|entry| Some((entry.metadata().ok().filter(std::fs::Metadata::is_file)?, entry.path())))
        .max_by_key(|(meta, _)| meta.mtime());
    let Some((meta, path)) = newest else {
        return vec![wrong(
            CHECK,
            format!("there is none in {}", dir.display()),
            "see why the nightly `kabinet backup` does not run",
        )];
    };
    let hours = (Clock::default().now().timestamp() - meta.mtime()) / 3600;
    let found = format!("the newest, {}, is {hours} hours old", path.display());
    let advice = "see why the nightly `kabinet backup` does not run";
    let mut lines = vec![match hours {
        ..=26 => ok(CHECK, found),
        27..=50 => warning(CHECK, found, advice),
        _ => wrong(CHECK, found, advice),
    }];
    if meta.mode() & 0o077 != 0 {
        lines.push(warning(
            CHECK,
            format!("others than its owner may read {}", path.display()),
            "chmod 600: everything about every customer is in there",
        ));
    }
    lines
}

/// Figures that the running server serves.
struct Figures(String);

impl Figures {
    async fn of(config: &Config) -> Option<Self> {
        let address = config.metrics_address()?;
        let answer = client()
            .ok()?
            .get(format!("http://{address}/metrics"))
            .send()
            .await
            .ok()?;
        answer.text().await.ok().map(Self)
    }

    /// The value of a series, named as it stands there.
    fn get(&self, series: &str) -> Option<f64> {
        let line = self
            .0
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        line.trim().parse().ok()
    }
}

/// The server itself: is it of this build, has it enough files.
fn server(config: &Config, figures: Option<&Figures>) -> Vec<Line> {
    const CHECK: &str = "server";
    let mut lines = Vec::new();
    if let Some(figures) = figures {
        let is_ours = figures.0.contains(&format!("build=\"{}\"", site::BUILD));
        lines.push(if is_ours {
            ok(CHECK, "runs and is of this build")
        } else {
            warning(
                CHECK,
                "the server that runs is of another build",
                "restart it to finish the upgrade",
            )
        });
    } else if config.metrics_address().is_some() {
        lines.push(wrong(
            CHECK,
            format!("nobody answers at {}", config.metrics_listen),
            "see whether it runs: `systemctl status kabinet`",
        ));
    }
    let own = Process::look();
    let open = figures.and_then(|f| f.get("process_open_fds"));
    let most = figures
        .and_then(|f| f.get("process_max_fds"))
        .or_else(|| own.most_files.map(|most| most as f64));
    let advice = "raise it (LimitNOFILE in the unit): every connection is one, and without it nobody gets in";
    lines.push(match (open, most) {
        (_, None) => ok("open files", "the system does not tell"),
        (Some(open), Some(most)) if open > most * 0.8 => wrong("open files", format!("{open} of {most}"), advice),
        (_, Some(most)) if most < 4096.0 => warning("open files", format!("at most {most}"), advice),
        (Some(open), Some(most)) => ok("open files", format!("{open} of {most}")),
        (None, Some(most)) => ok("open files", format!("at most {most}")),
    });
    lines
}

fn client() -> Result<Client, reqwest::Error> {
    Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_info(true)
        .user_agent("kabinet-doctor")
        .build()
}

/// An error of the client with its causes: the first says only that something failed.
fn causes(e: &reqwest::Error) -> String {
    let mut told = e.to_string();
    let mut cause = std::error::Error::source(e);
    while let Some(inner) = cause {
        told.push_str(": ");
        told.push_str(&inner.to_string());
        cause = inner.source();
    }
    told
}

/// The site as browsers see it.
async fn public(config: &Config) -> Vec<Line> {
    let url = &config.public_url;
    let unreachable = |e: &reqwest::Error| {
        wrong(
            "public address",
            causes(e),
            "see that its name leads here, that the proxy runs, and that its certificate is good",
        )
    };
    let client = match client() {
        Ok(client) => client,
        Err(e) => return vec![unreachable(&e)],
    };
    let ready = match client.get(format!("{url}/readyz")).send().await {
        Ok(ready) => ready,
        Err(e) => return vec![unreachable(&e)],
    };
    let mut lines = Vec::new();
    let now = Clock::default().now();
    if let Some(date) = date(ready.headers()) {
        // The header counts whole seconds.
        lines.push(clock(
            "clock of the public address",
            date - now + TimeDelta::milliseconds(500),
        ));
    }
    if config.is_https() {
        lines.push(certificate(&ready, now));
    }
    let status = ready.status();
    let body = ready.text().await.unwrap_or_default();
    let is_ours = body == "ready\n";
    lines.push(match (status.as_u16(), is_ours) {
        (200, true) => ok("public address", format!("{url} leads to a server that is ready")),
        (503, _) => wrong(
            "public address",
            format!("{url}/readyz: {}", body.trim()),
            "see the log of the server",
        ),
        _ => {
            return vec![wrong(
                "public address",
                format!("{url}/readyz answers {status}, not by kabinet"),
                "see where the proxy sends requests",
            )];
        }
    });
    match client.get(format!("{url}/metrics")).send().await {
        Ok(found) if found.status().as_u16() == 404 => lines.push(ok("metrics", "not public")),
        Ok(found) => lines.push(wrong(
            "metrics",
            format!("{url}/metrics answers {}", found.status()),
            "let the proxy send nothing to metrics_listen",
        )),
        Err(e) => lines.push(unreachable(&e)),
    }
    match client
        .get(format!("{url}/sign-in"))
        .header(header::ACCEPT_ENCODING, "br, gzip")
        .send()
        .await
    {
        Ok(page) => {
            lines.push(headers(config, page.headers()));
            lines.push(if page.headers().contains_key(header::CONTENT_ENCODING) {
                ok("compression", "pages come compressed")
            } else {
                warning(
                    "compression",
                    "pages come as they are",
                    "let the proxy pass Accept-Encoding on and leave what comes back as it is",
                )
            });
        }
        Err(e) => lines.push(unreachable(&e)),
    }
    let form = format!("_fn=theme&_key={}&theme=auto", app::form_key());
    let sent = client
        .post(format!("{url}/sign-in"))
        .header(header::ORIGIN, url)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form);
    match sent.send().await {
        Ok(answer) => lines.push(cookies(config, &answer)),
        Err(e) => lines.push(unreachable(&e)),
    }
    if config.is_https() {
        lines.push(plain_http(config, &client).await);
    }
    lines
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

/// How long the certificate lasts by which an answer came.
fn certificate(answer: &Response, now: DateTime<Utc>) -> Line {
    let info = answer.extensions().get::<reqwest::tls::TlsInfo>();
    lasts(info.and_then(|info| info.peer_certificate()).and_then(ends_at), now)
}

/// When a certificate ends, in seconds since 1970.
fn ends_at(der: &[u8]) -> Option<i64> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

fn lasts(until: Option<i64>, now: DateTime<Utc>) -> Line {
    const CHECK: &str = "certificate";
    let advice = "see why it is not renewed: browsers turn everybody away when it ends";
    let Some(until) = until else {
        return warning(CHECK, "cannot be read", advice);
    };
    let days = (until - now.timestamp()) / 86_400;
    let found = format!("good for {days} more days");
    match days {
        ..3 => wrong(CHECK, found, advice),
        3..14 => warning(CHECK, found, advice),
        _ => ok(CHECK, found),
    }
}

/// The headers that browsers act by, as they arrive.
fn headers(config: &Config, headers: &HeaderMap) -> Line {
    const EXPECTED: [(&str, &str); 7] = [
        ("content-security-policy", "default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("permissions-policy", "camera=()"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", "no-store"),
        ("x-request-id", ""),
    ];
    let mut expected = EXPECTED.to_vec();
    if config.is_https() {
        expected.push(("strict-transport-security", "max-age=63072000"));
    }
    let astray: Vec<String> = expected
        .into_iter()
        .filter_map(|(name, part)| {
            let mut values = headers.get_all(name).iter();
            let first = values.next().and_then(|value| value.to_str().ok());
            match (first, values.next()) {
                (None, _) => Some(format!("{name} is missing")),
                (Some(_), Some(_)) => Some(format!("{name} comes twice")),
                (Some(value), None) if !value.contains(part) => Some(format!("{name} is {value:?}")),
                (Some(_), None) => None,
            }
        })
        .collect();
    if astray.is_empty() {
        ok("headers", "all arrive")
    } else {
        wrong(
            "headers",
            astray.join(", "),
            "let the proxy leave the headers of answers as they are",
        )
    }
}

/// The cookie of a form, as it arrives.
fn cookies(config: &Config, answer: &Response) -> Line {
    const CHECK: &str = "cookies";
    let advice = "see that public_url is the address that browsers use, and let the proxy leave Set-Cookie as it is";
    let lines: Vec<String> = answer
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok().map(str::to_owned))
        .collect();
    let Some(line) = lines.first() else {
        return wrong(
            CHECK,
            format!("a form was answered {} and set none", answer.status()),
            advice,
        );
    };
    let attributes: Vec<String> = line.split(';').skip(1).map(|a| a.trim().to_ascii_lowercase()).collect();
    let mut wanted = vec!["httponly", "samesite=lax", "path=/"];
    if config.is_https() {
        wanted.push("secure");
    }
    let mut missing: Vec<&str> = wanted
        .into_iter()
        .filter(|a| !attributes.iter().any(|b| b == a))
        .collect();
    if config.is_https() && !line.starts_with("__Host-") {
        missing.push("__Host-");
    }
    if missing.is_empty() {
        ok(CHECK, "HttpOnly, SameSite and what else they need")
    } else {
        wrong(CHECK, format!("without {}", missing.join(", ")), advice)
    }
}

/// Whether who types the address without https gets there.
async fn plain_http(config: &Config, client: &Client) -> Line {
    const CHECK: &str = "redirect to https";
    let host = host(config);
    if config
        .public_url
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
    {
        return ok(
            CHECK,
            "the address has a port of its own, so there is nothing to redirect",
        );
    }
    let advice = "let the proxy answer every request on port 80 with 308 to the same address on https";
    match client.get(format!("http://{host}/sign-in")).send().await {
        Ok(answer) => {
            let there = answer
                .headers()
                .get(header::LOCATION)
                .and_then(|value| value.to_str().ok());
            if answer.status().is_redirection() && there.is_some_and(|there| there.starts_with("https://")) {
                ok(CHECK, "in order")
            } else {
                wrong(CHECK, format!("http://{host} answers {}", answer.status()), advice)
            }
        }
        Err(_) => warning(CHECK, format!("nobody answers at http://{host}"), advice),
    }
}

/// Whether the server learns where its clients are.
fn forwarded(config: &Config, figures: Option<&Figures>) -> Line {
    const CHECK: &str = "clients' addresses";
    let Some(figures) = figures else {
        return warning(
            CHECK,
            "cannot be seen without the server's metrics",
            "set metrics_listen, for example to 127.0.0.1:9464",
        );
    };
    let count = |how: &str| {
        let series = format!("kabinet_http_clients_total{{address=\"{how}\"}}");
        figures.get(&series).unwrap_or_default()
    };
    let [direct, forwarded, unforwarded, ignored] = ["direct", "forwarded", "unforwarded", "ignored"].map(count);
    let found = format!(
        "{forwarded} requests with an address from a trusted proxy, {unforwarded} without one, {ignored} with one from \
         somebody else, {direct} straight from clients"
    );
    if ignored > forwarded {
        wrong(
            CHECK,
            found,
            "X-Forwarded-For comes from a proxy that trusted_proxies does not name: its clients count as one",
        )
    } else if unforwarded > forwarded {
        wrong(
            CHECK,
            found,
            "let the proxy set X-Forwarded-For to the client's address: its clients count as one",
        )
    } else if config.is_https() && direct > forwarded {
        wrong(
            CHECK,
            found,
            "requests come by something that does not name its clients: let the proxy set X-Forwarded-For, and name the \
             proxy in trusted_proxies",
        )
    } else {
        ok(CHECK, found)
    }
}

/// Whether mail can be sent: connects, greets, encrypts, signs in. A message goes only where one was asked for.
async fn mail(config: &Config, args: &Args) -> Vec<Line> {
    const ADVICE: &str = "look at [mail] in the configuration, and whether this machine may reach the relay";
    if !config.mail.is_configured() {
        return vec![ok("mail", "no relay is configured")];
    }
    let mailer = match Mailer::new(&config.mail) {
        Ok(mailer) => mailer,
        Err(words) => return vec![wrong("mail", words, ADVICE)],
    };
    let mut lines = vec![match mailer.check().await {
        Ok(()) => ok("mail", format!("{} takes our sign-in", config.mail.host)),
        Err(words) => wrong("mail", words, ADVICE),
    }];
    if let Some(address) = &args.send_to {
        lines.push(match mailer.greet(address, &config.shop.name).await {
            Ok(()) => ok("mail", format!("a message to {address} was taken")),
            Err(words) => wrong("mail", words, "look at the sender's address and the relay's log"),
        });
    }
    lines
}

/// Whether the gateway for text messages can be reached. Nothing is sent: that costs money. Where customers are to come, there
/// has to be one: nobody registers without a code that went to their phone.
async fn sms(config: &Config) -> Vec<Line> {
    if !config.sms.is_configured() {
        return vec![match (config.is_https(), config.mail.is_configured()) {
            (false, _) => ok("sms", "no gateway is configured"),
            (true, true) => wrong(
                "sms",
                "no gateway is configured: nobody can prove a phone, so nobody new can register",
                "fill in [sms] in the configuration, as docs/operations.md shows, and restart",
            ),
            (true, false) => wrong(
                "sms",
                "neither a gateway nor a mail relay is configured: nobody can receive a code",
                "fill in [sms], and [mail] as well, in the configuration, as docs/operations.md shows, and restart",
            ),
        }];
    }
    let gateway = channels::client().and_then(|client| Gateway::new(&config.sms, client));
    vec![match gateway {
        Err(words) => wrong("sms", words, "look at [sms] in the configuration"),
        Ok(gateway) => match gateway.check().await {
            Ok(host) => ok("sms", format!("{host} can be reached")),
            Err(words) => wrong(
                "sms",
                words,
                "look at sms.url, and whether this machine may reach the gateway",
            ),
        },
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_audit_log_that_wait_too_long_for_a_seal_are_told() {
        let now = DateTime::from_timestamp(1_795_262_400, 0).expect("a moment");
        let state = |minutes| seals(Some(now - TimeDelta::minutes(minutes)), now).state;
        assert_eq!(seals(None, now).state, State::Ok);
        assert_eq!(
            [0, 9, 10, 59, 60].map(state),
            [State::Ok, State::Ok, State::Warning, State::Warning, State::Wrong]
        );
    }

    #[test]
    fn a_certificate_that_ends_soon_or_cannot_be_read_is_told() {
        let now = DateTime::from_timestamp(1_795_262_400, 0).expect("a moment");
        let state = |days: i64| lasts(Some(now.timestamp() + days * 86_400), now).state;
        assert_eq!(
            [-1, 0, 2, 3, 13, 14, 90].map(state),
            [
                State::Wrong,
                State::Wrong,
                State::Wrong,
                State::Warning,
                State::Warning,
                State::Ok,
                State::Ok
            ]
        );
        assert_eq!(lasts(ends_at(b"no certificate"), now).state, State::Warning);
    }
}
