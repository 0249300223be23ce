//! What stands before every route: where a change comes from, how much may be sent, and the headers that browsers act
//! by. All of it lies around the whole router, so a route that is added later has it too.

use crate::config::Config;
use crate::metrics::Answering;
use crate::{api, session, telemetry};
use axum::body::{Body, HttpBody as _};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use crm::shop::MB;
use futures::{StreamExt as _, stream};
use http_body_util::Limited;
use metrics::counter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How much a form may send; on the pages where people come in, far less.
pub const BODY_LIMIT: usize = 64 * 1024;
const SIGN_IN_LIMIT: usize = 4 * 1024;
/// What is in the paths where people prove who they are, or choose a password: each such body may cost a hash of one.
const PROVING: [&str; 3] = ["sign-in", "/confirm", "/admin/join/"];
/// A new passkey may bring an RSA key and what else the device says of it, and the question comes back with it.
const SETUP_LIMIT: usize = 16 * 1024;
/// The longest path with its query, in bytes. Our own stay below a thousand.
const URI_LIMIT: usize = 8 * 1024;
/// How much of a body that nobody wanted is read all the same, and for how long: as much as the proxies of `deploy/` let
/// through where files may be sent.
const LEFT_OVER: usize = 32 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(2);

/// Scripts and styles come from files of ours alone; nothing inline, no frames around us.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self' data: blob:; manifest-src 'self'; worker-src 'self'; connect-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";
/// What pages may ask a browser for, with the camera or without it.
macro_rules! permissions {
    ($camera:literal) => {
        concat!(
            "accelerometer=(), browsing-topics=(), camera=(",
            $camera,
            "), display-capture=(), geolocation=(self), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), \
             publickey-credentials-create=(self), publickey-credentials-get=(self), screen-wake-lock=(self), usb=()"
        )
    };
}
/// The page that reads a receipt by the camera. No other may open it.
const WITH_CAMERA: &str = "/purchases/claim";

/// How whoever asks a route proves who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By a cookie, which a browser sends along whoever made it ask: a change has to come from our own pages.
    Cookie,
    /// By a key in a header, which no page can make a browser send, or a secret in the address, which no page knows. Cookies
    /// do not reach such a route, so nothing on it can come to rely on them.
    Key,
}

/// Why a request does not reach any handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A change that another site asked for, or nobody says who.
    Foreign,
    /// The body is larger than the route takes.
    TooLarge,
    /// The address is longer than any of ours.
    TooLong,
    /// A browser fetches a page ahead of time whose reading is written down: nobody has read it.
    AheadOfTime,
}

/// Decides which requests reach a handler.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The address that browsers see.
    pub public_url: String,
    /// Paths of the routes that are proved by a key.
    pub keyed: Vec<String>,
    /// How much a form may send that has files with it.
    pub upload_limit: usize,
}

impl Gate {
    /// Why a request goes no further; `None` for one that may.
    pub fn refusal(&self, request: &Request) -> Option<Refusal> {
        let (path, headers) = (request.uri().path(), request.headers());
        let length = request.uri().path_and_query().map_or(0, |all| all.as_str().len());
        if length > URI_LIMIT {
            Some(Refusal::TooLong)
        } else if (path.starts_with("/admin") || path == api::DOCS) && is_ahead_of_time(headers) {
            Some(Refusal::AheadOfTime)
        } else if is_change(request.method()) && !self.is_keyed(request) && !is_from_here(headers, &self.public_url) {
            Some(Refusal::Foreign)
        } else if announced(headers).is_some_and(|length| length > self.limit(request) as u64) {
            Some(Refusal::TooLarge)
        } else {
            None
        }
    }

    /// The request as its handler may have it: with a body that ends at the limit, announced or not, and without cookies
    /// where a key is the proof.
    pub fn opened(&self, mut request: Request) -> Request {
        if self.is_keyed(&request) {
            request.headers_mut().remove(header::COOKIE);
        }
        let limit = self.limit(&request);
        request.map(|body| Body::new(Limited::new(body, limit)))
    }

    /// How much a request may send. Files make a form large only where a page has one that takes them.
    fn limit(&self, request: &Request) -> usize {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let page = route.and_then(|path| app::ROUTES.iter().find(|route| route.path == path));
        match page.filter(|page| is_multipart(request.headers()) && page.takes_files()) {
            // The rest of a megabyte is for what is typed.
            Some(page) => page.file_mb().map_or(self.upload_limit, |mb| (mb + 1) * MB),
            None => limit(request.uri().path()),
        }
    }

    fn is_keyed(&self, request: &Request) -> bool {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        route.is_some_and(|route| self.keyed.iter().any(|keyed| keyed == route))
    }
}

fn limit(path: &str) -> usize {
    if path.starts_with(api::PREFIX) {
        api::BODY_LIMIT
    } else if path.ends_with("/setup") {
        SETUP_LIMIT
    } else if PROVING.iter().any(|part| path.contains(part)) {
        SIGN_IN_LIMIT
    } else {
        BODY_LIMIT
    }
}

/// Whether a request that changes something comes from our own pages. `Sec-Fetch-Site` says so where the browser sends
/// it, else `Origin`; a request with neither, or with one of them twice, is refused (ASVS 5.0, 3.5.1).
fn is_from_here(headers: &HeaderMap, public_url: &str) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (sites.next(), sites.next(), origins.next(), origins.next()) {
        (Some(site), None, _, None) => site == "same-origin",
        (None, None, Some(origin), None) => origin == public_url,
        _ => false,
    }
}

/// A browser fetches pages that somebody may open next (`Sec-Purpose`, Fetch Standard): nobody has seen them then.
pub fn is_ahead_of_time(headers: &HeaderMap) -> bool {
    headers
        .get("sec-purpose")
        .is_some_and(|purpose| purpose.as_bytes().starts_with(b"prefetch"))
}

/// Whether a body is a form of several parts, as browsers send it where files may be among them (RFC 7578).
pub fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        kind.trim_start()
            .to_ascii_lowercase()
            .starts_with("multipart/form-data")
    })
}

/// The length that a body says it has.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads what an answer left of the body before it goes out. A proxy that is still sending takes a connection that closes
/// for a fault: it answers 502 in our place, and some of them take the node away for a while.
pub async fn read_on(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    // Who asks before sending sends nothing when the answer is no.
    let is_asked_for = !request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body.into_data_stream()));
    let given = stream::unfold(body.clone(), |body| async move {
        let chunk = body.lock().await.next().await?;
        Some((chunk, body))
    });
    let response = next.run(Request::from_parts(parts, Body::from_stream(given))).await;
    if is_asked_for {
        let rest = async {
            let (mut body, mut read) = (body.lock().await, 0);
            while let Some(Ok(chunk)) = body.next().await {
                read += chunk.len();
                if read > LEFT_OVER {
                    break;
                }
            }
        };
        // Whoever takes longer is answered now.
        let _ = tokio::time::timeout(PATIENCE, rest).await;
    }
    response
}

/// Sets the headers of every answer, whatever made it.
pub async fn headers(State(is_https): State<bool>, request: Request, next: Next) -> Response {
    let has_camera = request.uri().path() == WITH_CAMERA;
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    let permissions = if has_camera {
        permissions!("self")
    } else {
        permissions!("")
    };
    set(HeaderName::from_static("permissions-policy"), permissions);
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    // What is not said to be public is personal.
    set(header::CACHE_CONTROL, "no-store");
    if is_https {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains");
    }
    response
}

/// True for methods that may change something.
fn is_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// The parameters of paths that a log may have: ids and numbers, which open nothing by themselves. Whatever else a route calls
/// a parameter is cut, so one that is added later tells nothing before somebody has thought about it. What opens something is
/// called `secret` ([`app::ROUTES`], [`crate::router::others`]).
pub const LOGGED: [&str; 12] = [
    "code",
    "customer",
    "document",
    "file",
    "id",
    "kind",
    "number",
    "other",
    "provider",
    "purchase",
    "reservation",
    "talk",
];

/// A path as the log may have it: some links are secrets by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedPath(String);

impl LoggedPath {
    /// The path of a request, by the route that it has found.
    pub fn of(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        Self(logged(route, request.uri().path()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn logged(route: Option<&str>, path: &str) -> String {
    let Some(route) = route else {
        // An address that is nearly ours would hold the secret of ours: the first word is enough. A slash may come as `%2F`.
        let word = path.trim_start_matches('/');
        return match word.split_once(['/', '%']) {
            Some((word, _)) => format!("/{word}/…"),
            None => path.to_owned(),
        };
    };
    let parts = route.split('/').zip(path.split('/')).map(|(expected, part)| {
        let name = expected.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        if name.is_none_or(|name| LOGGED.contains(&name)) {
            part
        } else {
            "…"
        }
    });
    parts.collect::<Vec<_>>().join("/")
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
    let (method, path) = (request.method().clone(), LoggedPath::of(&request));
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
    span.in_scope(|| tracing::info!(%method, path = path.as_str(), status = status.as_u16(), ms, "done"));
    answering.end(status);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_no_address_that_is_a_secret() {
        for (route, path, expected) in [
            (Some("/purchases"), "/purchases", "/purchases"),
            (
                Some("/admin/requests/{number}/files/{file}"),
                "/admin/requests/7/files/1f",
                "/admin/requests/7/files/1f",
            ),
            (
                Some("/callbacks/sms/{secret}"),
                "/callbacks/sms/0123456789",
                "/callbacks/sms/…",
            ),
            (Some("/join/{secret}"), "/join/ABCDEFGH", "/join/…"),
            // A parameter that nobody has thought about.
            (Some("/new/{thing}/{id}"), "/new/0123456789/7", "/new/…/7"),
            // Nearly ours.
            (None, "/unsubscribe/0000_marketing_email_abcd/x", "/unsubscribe/…"),
            (None, "//unsubscribe/0000_marketing_email_abcd", "/unsubscribe/…"),
            (None, "/unsubscribe%2F0000_marketing_email_abcd", "/unsubscribe/…"),
            (None, "/robots.txt", "/robots.txt"),
        ] {
            assert_eq!(logged(route, path), expected);
        }
    }
}
