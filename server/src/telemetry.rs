//! The log, and traces for a collector that speaks OTLP over HTTP. Without a collector nothing of a trace is made.

use crate::config::{Config, LogFormat, Telemetry};
use axum::http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_http::{Bytes, HeaderExtractor, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::pin::Pin;
use std::time::Duration;
use tokio::runtime::Handle;
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What has to be sent before the process ends.
#[must_use]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Sends what is left. Waits for the collector, but not for long.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        // It waits on the thread that calls it.
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(PATIENCE)).await;
        if let Ok(Err(e)) = ended {
            tracing::warn!(error = %e, "the last traces may be lost");
        }
    }
}

/// Starts the log and, when there is a collector, the traces.
pub fn start(config: &Config) -> Result<Traces, String> {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| "info".into());
    let log = fmt::layer().with_writer(std::io::stderr);
    let log = match config.log_format {
        LogFormat::Text => log.boxed(),
        LogFormat::Json => log.json().boxed(),
    };
    let registry = tracing_subscriber::registry().with(log.with_filter(filter));
    if config.telemetry.otlp_endpoint.is_empty() {
        registry.init();
        return Ok(Traces(None));
    }
    let provider = provider(&config.telemetry)?;
    // Our own spans, and of events what went wrong. What the exporter itself does is not traced.
    let ours = Targets::new()
        .with_target("server", Level::DEBUG)
        .with_target("crm", Level::DEBUG)
        .with_target("app", Level::DEBUG)
        .and(filter_fn(|meta| meta.is_span() || *meta.level() <= Level::WARN));
    let traces = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("kabinet"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    registry.with(traces.with_filter(ours)).init();
    Ok(Traces(Some(provider)))
}

fn provider(config: &Telemetry) -> Result<SdkTracerProvider, String> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new()?)
        .with_endpoint(format!("{}/v1/traces", config.otlp_endpoint.trim_end_matches('/')))
        .with_timeout(PATIENCE)
        .build()
        .map_err(|e| e.to_string())?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
            config.sample,
        ))))
        .with_resource(
            Resource::builder()
                .with_service_name(config.service_name.clone())
                .with_attribute(opentelemetry::KeyValue::new(
                    "service.version",
                    env!("CARGO_PKG_VERSION"),
                ))
                .build(),
        )
        .build())
}

/// Continues the trace that a proxy began. Only for requests that a trusted proxy sent: anybody else could have himself
/// traced, or write into the traces of others.
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    if !headers.contains_key("traceparent") {
        return;
    }
    let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    if parent.span().span_context().is_valid() {
        // Fails where nothing is traced.
        let _ = span.set_parent(parent);
    }
}

/// The client of the rest of the house for the exporter, which sends from a thread outside of the runtime.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

impl Client {
    fn new() -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| e.to_string())?;
        Ok(Self {
            client,
            runtime: Handle::current(),
        })
    }
}

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let answer = client.execute(request.try_into()?).await?;
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.clone_from(answer.headers());
            }
            Ok(response.body(answer.bytes().await?)?)
        });
        Box::pin(async move { sent.await? })
    }
}
