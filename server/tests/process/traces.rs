//! Traces, as a collector receives them.

use crate::common::{Installation, Server};
use axum::body::Bytes;
use axum::http::Uri;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// A collector, which keeps what it is sent.
struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Bytes>>>,
}

impl Collector {
    async fn start() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = received.clone();
        let take = async move |uri: Uri, body: Bytes| {
            assert_eq!(uri.path(), "/v1/traces");
            kept.lock().expect("the list").push(body);
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(take)).await });
        Self { address, received }
    }

    fn spans(&self) -> Vec<Span> {
        let received = self.received.lock().expect("the list");
        let requests = received
            .iter()
            .map(|body| ExportTraceServiceRequest::decode(body.clone()).expect("OTLP"));
        requests
            .flat_map(|request| request.resource_spans)
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .collect()
    }

    /// Whether anything that came holds a text.
    fn holds(&self, text: &str) -> bool {
        let received = self.received.lock().expect("the list");
        received
            .iter()
            .any(|body| body.windows(text.len()).any(|part| part == text.as_bytes()))
    }
}

fn attribute(span: &Span, key: &str) -> Option<Value> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.clone()?.value
}

/// Asks for a page under a trace of somebody else's, with secrets in the query and a cookie, reports as a gateway of text
/// messages to addresses that end in a secret, and sends a form; the id of the first request.
async fn ask(server: &mut Server) -> String {
    let page = server
        .client
        .get(server.url("/sign-in?next=hunter2"))
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .header("cookie", "kabinet=hunter3")
        .send()
        .await
        .expect("answered");
    let id = page.headers()["x-request-id"].to_str().expect("text").to_owned();
    // Where nobody is listened to, and where nothing is.
    for (path, expected) in [("/callbacks/sms/hunter2", 404), ("/callbacks/sms/hunter2/", 403)] {
        let report = server.client.post(server.url(path)).body("id=1&status=1");
        assert_eq!(report.send().await.expect("answered").status(), expected, "{path}");
    }
    let body = "_fn=theme&_key=0123456789abcdef&theme=dark";
    assert_eq!(server.send("/sign-in", body).await.status(), 303);
    server.terminate();
    assert!(server.ended().await.success());
    id
}

const THEIRS: &str = "0af7651916cd43dd8448eb211c80319c";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_collector_receives_requests_transactions_and_jobs_and_nothing_secret() {
    let collector = Collector::start().await;
    let here = Installation::new()
        .with("KABINET_DRAIN_SECONDS", "0")
        .with("KABINET_TRUSTED_PROXIES", "[\"127.0.0.1\"]")
        .with(
            "KABINET_TELEMETRY__OTLP_ENDPOINT",
            &format!("http://{}", collector.address),
        )
        .with("KABINET_TELEMETRY__SERVICE_NAME", "club");
    let mut server = here.serve().await;
    let id = ask(&mut server).await;

    let spans = collector.spans();
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let [page] = named("GET /sign-in")[..] else {
        panic!("{:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>())
    };
    assert_eq!(
        attribute(page, "http.route"),
        Some(Value::StringValue("/sign-in".into()))
    );
    assert_eq!(attribute(page, "http.response.status_code"), Some(Value::IntValue(200)));
    assert_eq!(attribute(page, "request.id"), Some(Value::StringValue(id.clone())));
    // A trusted proxy began the trace.
    assert_eq!(
        (hex(&page.trace_id), hex(&page.parent_span_id)),
        (THEIRS.into(), "b7ad6b7169203331".into())
    );
    let [form] = named("POST /sign-in")[..] else {
        panic!("one form")
    };
    let inside: Vec<_> = named("transaction")
        .into_iter()
        .filter(|span| span.trace_id == form.trace_id)
        .collect();
    assert!(
        !inside.is_empty() && inside.iter().all(|span| span.parent_span_id == form.span_id),
        "{inside:?}"
    );
    assert_eq!(named("job points").len(), 1);
    assert!(collector.holds("club"));
    for secret in ["hunter2", "hunter3", "next="] {
        assert!(!collector.holds(secret), "{secret}");
    }
    // The log tells where the reports went, and not by which secret.
    server.logged("/callbacks/sms/…").await;
    server.logged("a change from another site was refused").await;
    let log = server.log();
    assert!(!log.iter().any(|line| line.contains("hunter2")), "{log:?}");
    // The same id stands in the log.
    assert!(
        server
            .log()
            .iter()
            .any(|line| line.contains(&id) && line.contains("/sign-in")),
        "{:?}",
        server.log()
    );
}

#[tokio::test]
async fn s22_nobody_but_a_trusted_proxy_continues_a_trace() {
    let collector = Collector::start().await;
    let here = Installation::new().with("KABINET_DRAIN_SECONDS", "0").with(
        "KABINET_TELEMETRY__OTLP_ENDPOINT",
        &format!("http://{}", collector.address),
    );
    let mut server = here.serve().await;
    ask(&mut server).await;
    let spans = collector.spans();
    let page = spans.iter().find(|span| span.name == "GET /sign-in").expect("the page");
    assert_ne!(hex(&page.trace_id), THEIRS);
}

#[tokio::test]
async fn a_collector_that_is_not_there_stops_nobody() {
    let nobody = crate::ports::free_address();
    let here = Installation::new()
        .with("KABINET_DRAIN_SECONDS", "0")
        .with("KABINET_TELEMETRY__OTLP_ENDPOINT", &format!("http://{nobody}"));
    let mut server = here.serve().await;
    ask(&mut server).await;
}
