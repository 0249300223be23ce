//! Metrics: what is in them, where they are, and that nobody can make them grow.

use crate::common::{Installation, Server};
use std::collections::BTreeSet;

async fn scrape(here: &Installation, server: &Server) -> String {
    let url = format!("http://{}/metrics", here.metrics);
    let answer = server.client.get(url).send().await.expect("metrics are served");
    assert_eq!(answer.status(), 200);
    assert!(
        answer.headers()["content-type"]
            .to_str()
            .expect("text")
            .starts_with("text/plain; version=0.0.4")
    );
    answer.text().await.expect("a text")
}

/// The value of a series as it is named there.
fn value(figures: &str, series: &str) -> f64 {
    let line = figures
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in:\n{figures}"))
        .parse()
        .expect("a number")
}

/// Every series that tells of requests, without its value.
fn series(figures: &str) -> BTreeSet<&str> {
    let lines = figures.lines().filter(|line| line.starts_with("kabinet_http_"));
    lines.filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect()
}

#[tokio::test]
async fn s25_metrics_are_on_an_address_of_their_own() {
    let here = Installation::new();
    let server = here.serve().await;
    assert_eq!(server.get("/metrics").await.expect("answered").status(), 404);
    let figures = scrape(&here, &server).await;
    assert!(figures.contains("kabinet_build_info"), "{figures}");
    let url = format!("http://{}/", here.metrics);
    assert_eq!(server.client.get(url).send().await.expect("answered").status(), 404);
    // And nowhere unless somebody says where.
    let quiet = Installation::new().with("KABINET_METRICS_LISTEN", "");
    let silent = quiet.serve().await;
    let url = format!("http://{}/metrics", quiet.metrics);
    assert!(silent.client.get(url).send().await.is_err());
}

#[tokio::test]
async fn figures_tell_of_requests_databases_jobs_hashes_and_the_process() {
    let here = Installation::new();
    let server = here.serve().await;
    assert_eq!(
        server
            .get("/purchases/no-such-id?secret=1")
            .await
            .expect("answered")
            .status(),
        303
    );
    for _ in 0..3 {
        assert_eq!(server.get("/sign-in").await.expect("answered").status(), 200);
    }
    // Nobody is called so, and yet a hash is computed.
    let body = "_fn=staff.sign_in&_key=0123456789abcdef&login=nobody&password=nothing";
    assert_eq!(server.send("/admin/sign-in", body).await.status(), 422);
    server.logged("/admin/sign-in").await;

    // The jobs of a server that has just started read, and write one after the other.
    let mut figures = scrape(&here, &server).await;
    for _ in 0..100 {
        let all = ["waiting{pool=\"write\"}", "in_use{pool=\"read\"}"];
        if all
            .iter()
            .all(|one| value(&figures, &format!("kabinet_db_connections_{one}")) == 0.0)
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        figures = scrape(&here, &server).await;
    }
    let is = |series: &str, expected: f64| assert_eq!(value(&figures, series), expected, "{series}");
    is(
        "kabinet_http_requests_total{route=\"/sign-in\",method=\"GET\",status=\"2xx\"}",
        3.0,
    );
    is(
        "kabinet_http_requests_total{route=\"/admin/sign-in\",method=\"POST\",status=\"4xx\"}",
        1.0,
    );
    is(
        "kabinet_http_requests_total{route=\"/purchases/{id}\",method=\"GET\",status=\"3xx\"}",
        1.0,
    );
    is("kabinet_http_request_seconds_count{route=\"/sign-in\"}", 3.0);
    is(
        "kabinet_http_request_seconds_bucket{route=\"/sign-in\",le=\"+Inf\"}",
        3.0,
    );
    is("kabinet_http_requests_in_flight", 0.0);
    is("kabinet_http_clients_total{address=\"direct\"}", 5.0);
    is("kabinet_db_connections_limit{pool=\"write\"}", 1.0);
    is("kabinet_db_connections_in_use{pool=\"read\"}", 0.0);
    is("kabinet_db_connections_waiting{pool=\"write\"}", 0.0);
    assert!(value(&figures, "kabinet_db_connections_idle{pool=\"read\"}") >= 1.0);
    for job in ["points", "sweep"] {
        assert!(value(&figures, &format!("kabinet_job_runs_total{{job=\"{job}\"}}")) >= 1.0);
        is(&format!("kabinet_job_failures_total{{job=\"{job}\"}}"), 0.0);
        assert!(value(&figures, &format!("kabinet_job_seconds_count{{job=\"{job}\"}}")) >= 1.0);
        let last = value(
            &figures,
            &format!("kabinet_job_last_success_timestamp_seconds{{job=\"{job}\"}}"),
        );
        assert!(last >= value(&figures, "process_start_time_seconds") - 1.0);
    }
    is("kabinet_password_hashes_running", 0.0);
    is("kabinet_password_hashes_waiting", 0.0);
    assert!(value(&figures, "process_resident_memory_bytes") > 1_000_000.0);
    assert!(value(&figures, "process_open_fds") > 3.0);
    assert!(value(&figures, "process_max_fds") > value(&figures, "process_open_fds"));
    assert!(value(&figures, "process_start_time_seconds") > 1_700_000_000.0);
    assert!(
        !figures.contains("secret") && !figures.contains("no-such-id"),
        "{figures}"
    );
}

/// What waits to be sent, and the text messages of a day: figures, and an alarm in the log when the budget is spent.
#[tokio::test]
async fn figures_tell_of_the_queue_of_messages_and_of_a_budget_that_is_spent() {
    let here = Installation::new().with("KABINET_LIMITS__SMS_PER_DAY", "1");
    let server = here.serve().await;
    let body = "_fn=sign_in.start&_key=0123456789abcdef&phone=%2B79001234567";
    assert_eq!(server.send("/sign-in", body).await.status(), 303);
    drop(server);
    // Both are looked at once a minute, and when a server starts.
    let server = here.serve().await;
    server.logged("sms_budget_spent").await;
    let figures = scrape(&here, &server).await;
    for (series, expected) in [
        ("kabinet_outbox_queue_length{channel=\"sms\"}", 1.0),
        ("kabinet_outbox_queue_length{channel=\"email\"}", 0.0),
        ("kabinet_outbox_oldest_seconds{channel=\"email\"}", 0.0),
        ("kabinet_sms_today", 1.0),
        ("kabinet_sms_budget", 1.0),
    ] {
        assert_eq!(value(&figures, series), expected, "{series}");
    }
    assert!(value(&figures, "kabinet_outbox_oldest_seconds{channel=\"sms\"}") > 0.0);
}

/// A gateway is answered the same whether a message is known or not; only here it is told.
#[tokio::test]
async fn reports_of_messages_that_nobody_knows_are_counted() {
    const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";
    let here = Installation::new()
        .with("KABINET_SMS__URL", "https://sms.example.com/send")
        .with("KABINET_SMS__REPORTS__SECRET", SECRET)
        .with("KABINET_SMS__REPORTS__ID", "/id")
        .with("KABINET_SMS__REPORTS__STATUS", "/status")
        .with("KABINET_SMS__REPORTS__DELIVERED", "[\"1\"]");
    let server = here.serve().await;
    let at = server.url(&format!("/callbacks/sms/{SECRET}"));
    for body in ["id=7&status=1", "id=7&status=0", "id=7"] {
        let answer = server.client.post(&at).body(body).send().await.expect("answered");
        assert_eq!(answer.status(), 200, "{body}");
    }
    let count = |result: &str| format!("kabinet_sms_reports_total{{result=\"{result}\"}}");
    let mut figures = scrape(&here, &server).await;
    assert_eq!(value(&figures, &count("known")), 0.0);
    for _ in 0..600 {
        if figures.contains(&format!("{} 1", count("unknown"))) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        figures = scrape(&here, &server).await;
    }
    for result in ["unknown", "other", "unreadable"] {
        assert_eq!(value(&figures, &count(result)), 1.0, "{result}");
    }
    let route = "kabinet_http_requests_total{route=\"/callbacks/sms/{secret}\",method=\"POST\",status=\"2xx\"}";
    assert_eq!(value(&figures, route), 3.0);
    assert!(!figures.contains("hunter2"), "{figures}");
}

#[tokio::test]
async fn whatever_is_asked_for_the_figures_stay_as_many() {
    let here = Installation::new();
    let server = here.serve().await;
    let ask = async |n: usize| {
        let method = reqwest::Method::from_bytes(format!("METHOD{n}").as_bytes()).expect("a method");
        for path in [format!("/{n}"), format!("/pkg/{n}.js"), format!("/purchases/{n}")] {
            server
                .client
                .request(method.clone(), server.url(&path))
                .send()
                .await
                .expect("answered");
            server.get(&path).await.expect("answered");
        }
    };
    ask(0).await;
    let before = scrape(&here, &server).await;
    for n in 1..20 {
        ask(n).await;
    }
    let after = scrape(&here, &server).await;
    let (before, after) = (series(&before), series(&after));
    assert_eq!(before, after);
    assert!(
        before.len() > 20
            && before
                .iter()
                .any(|series| series.contains("route=\"other\",method=\"OTHER\""))
    );
}
