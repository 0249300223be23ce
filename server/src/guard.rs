//! What stands before every route: where a change comes from, and the headers that browsers act by.

use crate::config::Config;
use crate::metrics::Answering;
use crate::{session, telemetry};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use metrics::counter;
use std::net::SocketAddr;
use std::sync::Arc;

/// Scripts and styles come from files of ours alone; nothing inline, no frames around us.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self' data: blob:; manifest-src 'self'; worker-src 'self'; connect-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";
const PERMISSIONS: &str = "accelerometer=(), browsing-topics=(), camera=(self), display-capture=(), \
    geolocation=(self), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), \
    publickey-credentials-create=(self), publickey-credentials-get=(self), screen-wake-lock=(self), usb=()";

/// Whether a request that changes something comes from our own pages. `Sec-Fetch-Site` says so where the browser sends
/// it, else `Origin`; a request with neither is refused (ASVS 5.0, 3.5.1).
pub fn is_from_here(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin == public_url,
        (None, None) => false,
    }
}

/// Sets the headers of every answer, whatever made it.
pub async fn headers(State(is_https): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("permissions-policy"), PERMISSIONS);
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    // What is not said to be public is personal.
    set(header::CACHE_CONTROL, "no-store");
    if is_https {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains");
    }
    response
}

/// True for methods that change something.
pub fn is_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// The header in which an answer carries its request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request's id, for the log and the error page.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// Gives each request an id, which goes back in a header, counts it, and writes a line about it when it is done.
pub async fn trace(State(config): State<Arc<Config>>, mut request: Request, next: Next) -> Response {
    use tracing::Instrument as _;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;
    let id: Arc<str> = crm::id::AuditId::new().0.simple().to_string().into();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(RequestId(id.clone()));
    let answering = Answering::begin(&request);
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = session::address(peer.map(|peer| peer.0), request.headers(), &config.trusted_proxies);
    // Those who ask whether the server is well are no clients.
    if !matches!(path.as_str(), "/healthz" | "/readyz") {
        counter!("kabinet_http_clients_total", "address" => address.how.word()).increment(1);
    }
    // Spans of the level INFO are for the log, those of DEBUG for traces: a trace knows more and names nobody.
    let span = tracing::info_span!("request", id = %id);
    let traced = tracing::debug_span!(
        parent: &span,
        "answer",
        otel.name = format_args!("{} {}", answering.method(), answering.pattern()),
        otel.kind = "server",
        http.request.method = answering.method(),
        http.route = %answering.pattern(),
        request.id = %id,
    );
    if address.how.is_by_trusted_proxy() {
        telemetry::continue_trace(&traced, request.headers());
    }
    let mut response = next
        .run(request)
        .instrument(traced.clone())
        .instrument(span.clone())
        .await;
    let status = response.status();
    traced.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        traced.set_status(opentelemetry::trace::Status::error(""));
    }
    let ms = answering.elapsed().as_millis();
    span.in_scope(|| tracing::info!(%method, path, status = status.as_u16(), ms, "done"));
    answering.end(status);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
