//! The routes: every page of [`app::ROUTES`] with the forms behind it, the few of [`others`], and the files that browsers
//! download. There is no other way to add one, so what walks over the two tables has seen all of the site.

use crate::config::Config;
use crate::guard::{self, BODY_LIMIT, Gate, LoggedPath, Proof, Refusal, RequestId};
use crate::pace::Pace;
use crate::{api, callbacks, exports, live, outside, session, site, unsubscribe};
use app::admin::places;
use app::cx::{Cx, Inner, Outcome, Site, Theme, cookie};
use app::render::{self, Rendered};
use app::route::{Access, Answer, FILES, FormEntry, Next, Route};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next as Inward};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use crm::db::{Db, Key};
use crm::lang::Lang;
use crm::request::Upload;
use crm::shop::{Attachments, MB};
use crm::who::{self, Token, Visitor};
use islands::AppError;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tower::ServiceExt as _;
use tower_http::compression::CompressionLayer;
use tower_http::services::ServeDir;

/// When to come again if the machine had no time for a password.
const BUSY_SECONDS: u32 = 5;
/// Fields that are never shown again, and not part of what identifies a repeated request.
const SECRETS: [&str; 5] = ["password", "current", "code", "question", "credential"];
/// How browsers send a form without files.
const FORM: &str = "application/x-www-form-urlencoded";
/// The header by which the browser's own code asks for an answer it can follow itself.
const ENHANCE: HeaderName = HeaderName::from_static("kabinet-enhance");
/// How soon a browser or a proxy may come again after 503, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("10");
const NEXT: HeaderName = HeaderName::from_static("kabinet-next");

/// What every request is served with.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub db: Db,
    /// The configuration.
    pub config: Arc<Config>,
    /// Addresses of the built files.
    pub site: Arc<Site>,
    /// This is a demonstration.
    pub is_demonstration: bool,
    /// The server is about to stop: nobody new should be sent here.
    pub is_draining: Arc<AtomicBool>,
    /// How fast it is asked.
    pub pace: Arc<Pace>,
}

/// A route that is no page.
pub struct Other {
    /// Its path, with `{name}` for what varies.
    pub path: String,
    /// How whoever asks proves who they are.
    pub proof: Proof,
    /// It counts among the pages that somebody asks for.
    pub is_paced: bool,
    handler: MethodRouter,
}

impl Other {
    /// A route for browsers and for everybody.
    pub fn open(path: impl Into<String>, handler: MethodRouter) -> Self {
        Self {
            path: path.into(),
            proof: Proof::Cookie,
            is_paced: true,
            handler,
        }
    }

    /// The same, for what tells everybody the same and costs nothing.
    pub fn free(path: impl Into<String>, handler: MethodRouter) -> Self {
        Self {
            is_paced: false,
            ..Self::open(path, handler)
        }
    }

    /// A route for programs that send a key or secret with every request, and counts who asks by it. Its handler never sees a
    /// cookie.
    pub fn keyed(path: impl Into<String>, handler: MethodRouter) -> Self {
        Self {
            proof: Proof::Key,
            is_paced: false,
            ..Self::open(path, handler)
        }
    }

    /// A route that people follow a link to, and programs too: the link is the proof. Its handler never sees a cookie.
    pub fn link(path: impl Into<String>, handler: MethodRouter) -> Self {
        Self {
            proof: Proof::Key,
            ..Self::open(path, handler)
        }
    }
}

/// Every route that is no page.
pub fn others(app: &App) -> Vec<Other> {
    let manifest = site::manifest(app.db.shop()).to_string();
    let theme = site::theme_css(app.db.shop());
    let mut others = vec![
        Other::free(
            "/manifest.webmanifest",
            get(|| text("application/manifest+json", "max-age=3600", manifest)),
        ),
        Other::free(&app.site.theme, get(|| text("text/css", "max-age=3600", theme))),
        Other::free("/healthz", get(async || "ok\n")),
        Other::free("/readyz", get(ready).with_state(app.clone())),
        Other::open(places::HOME, get(to_first_place).with_state(app.clone())),
        Other::open(exports::PATH, get(exports::hand_out).with_state(app.clone())),
        Other::open(exports::STAFF_PATH, get(exports::hand_to_staff).with_state(app.clone())),
    ];
    let outside = outside::routes(app).into_iter();
    others.extend(outside.map(|(path, handler)| Other::open(path, handler)));
    let live = live::routes(app).into_iter();
    others.extend(live.map(|(path, handler)| Other::open(path, handler)));
    let api = api::routes(app).into_iter();
    others.extend(api.map(|(path, handler)| Other::keyed(path, handler)));
    let callbacks = callbacks::routes(app).into_iter();
    others.extend(callbacks.map(|(path, handler)| Other::keyed(path, handler)));
    let links = unsubscribe::routes(app).into_iter();
    others.extend(links.map(|(path, handler)| Other::link(path, handler)));
    others
}

/// The whole site.
pub fn build(app: &App) -> Router {
    guarded(app, others(app))
}

/// The pages and these other routes, with everything that stands before a route.
pub fn guarded(app: &App, others: Vec<Other>) -> Router {
    let keyed = others.iter().filter(|other| other.proof == Proof::Key);
    let gate = Gate {
        public_url: app.config.public_url.clone(),
        keyed: keyed.map(|other| other.path.clone()).collect(),
        upload_limit: app.config.attachments.body_limit(),
    };
    let free = others.iter().filter(|other| !other.is_paced);
    let free: Arc<[String]> = free.map(|other| other.path.clone()).collect();
    bare(app, others)
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state((app.clone(), Arc::new(gate)), admit))
        // Before what refuses: a refusal is a page as well, and asks the database who reads it.
        .layer(middleware::from_fn_with_state((app.clone(), free), slow_down))
        .layer(middleware::from_fn(guard::read_on))
        .layer(middleware::from_fn_with_state(app.clone(), catch_panics))
        .layer(middleware::from_fn_with_state(app.config.is_https(), guard::headers))
        .layer(middleware::from_fn_with_state(app.config.clone(), guard::trace))
        .layer(middleware::from_fn_with_state(app.is_draining.clone(), leave))
}

/// The same routes with nothing before them: what the benchmarks compare with.
pub fn bare(app: &App, others: Vec<Other>) -> Router {
    let mut router = Router::new();
    for route in app::ROUTES {
        router = router.route(route.path, page(app, route));
    }
    for other in others {
        router = router.route(&other.path, other.handler);
    }
    router.fallback(nowhere(app)).method_not_allowed_fallback(not_allowed)
}

/// Lets a request through to its handler, or says why not.
async fn admit(State((app, gate)): State<(App, Arc<Gate>)>, request: Request, next: Inward) -> Response {
    let path = request.uri().path();
    // Where nothing is, a program is told so whatever it sends: it has no page of ours to come from.
    if is_api(path) && request.extensions().get::<MatchedPath>().is_none() {
        return api::nowhere(StatusCode::NOT_FOUND);
    }
    let Some(refusal) = gate.refusal(&request) else {
        return next.run(gate.opened(request)).await;
    };
    let error = match refusal {
        Refusal::AheadOfTime => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Refusal::TooLong => return (StatusCode::URI_TOO_LONG, "URI Too Long\n").into_response(),
        Refusal::Foreign => {
            let path = LoggedPath::of(&request);
            tracing::warn!(path = path.as_str(), "a change from another site was refused");
            AppError::Refused
        }
        Refusal::TooLarge if is_api(path) => return api::too_large().into_response(),
        Refusal::TooLarge if path.starts_with(callbacks::PREFIX) => return callbacks::too_large(),
        Refusal::TooLarge => AppError::TooLarge,
    };
    error_page(&app, request.into_parts().0, &error).await
}

/// Lets so many pages a minute through to their handlers. Whatever may cost the database something is a page here, also one
/// that does not exist; files and what a proxy asks for are not counted, and programs are by their keys.
async fn slow_down(State((app, free)): State<(App, Arc<[String]>)>, request: Request, next: Inward) -> Response {
    let path = request.uri().path();
    let is_free = match request.extensions().get::<MatchedPath>() {
        Some(route) => free.iter().any(|path| path == route.as_str()),
        None => is_api(path) || is_file(&request),
    };
    if is_free {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let visitor = session::visitor(peer, &parts.headers, &app.config.trusted_proxies);
    let tokens = session::received(&parts.headers, app.config.is_https());
    let name = if parts.uri.path().starts_with("/admin") {
        cookie::STAFF
    } else {
        cookie::SESSION
    };
    let (now, limits) = (app.db.now(), &app.db.shop().limits);
    let Some(retry_after) = app.pace.refuse(&visitor.network, tokens.get(name), now, limits) else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    metrics::counter!("kabinet_http_slowed_total").increment(1);
    let mut response = nobodys_error(&app, parts, &AppError::TooMany { retry_after }).await;
    response.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
    response
}

/// A handler that panics is our fault like any other: its reader gets the page that says so, not a closed connection.
async fn catch_panics(State(app): State<App>, request: Request, next: Inward) -> Response {
    use futures::FutureExt as _;
    use std::panic::AssertUnwindSafe;
    // What the page of the error needs to know; the request itself is gone by then.
    let mut asked = Request::new(());
    *asked.method_mut() = request.method().clone();
    *asked.uri_mut() = request.uri().clone();
    for name in [header::COOKIE, header::ACCEPT_LANGUAGE] {
        for value in request.headers().get_all(&name) {
            asked.headers_mut().append(&name, value.clone());
        }
    }
    if let Some(id) = request.extensions().get::<RequestId>() {
        asked.extensions_mut().insert(id.clone());
    }
    let path = LoggedPath::of(&request);
    if let Ok(response) = AssertUnwindSafe(next.run(request)).catch_unwind().await {
        return response;
    }
    tracing::error!(path = path.as_str(), "a handler panicked");
    if is_api(asked.uri().path()) {
        return api::nowhere(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let page = error_page(&app, asked.into_parts().0, &AppError::Internal);
    match AssertUnwindSafe(page).catch_unwind().await {
        Ok(page) => page,
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n").into_response(),
    }
}

/// While the server is about to stop, asks whoever keeps a connection to let it go after this answer: a request that is
/// sent along it at the moment it closes would be lost.
async fn leave(State(is_draining): State<Arc<AtomicBool>>, request: Request, next: Inward) -> Response {
    let mut response = next.run(request).await;
    if is_draining.load(Ordering::Relaxed) {
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What a page has at hand, for a route that is none; or the answer for when that cannot be had.
pub(crate) async fn at_hand(app: &App, parts: &mut Parts) -> Result<Cx, Response> {
    match context(app, parts).await {
        Ok(cx) => Ok(cx),
        Err((cx, error)) => Err(html(app, &cx, render::error(&cx, &error).await)),
    }
}

/// Leads on from a route that is no page, to any address that the program made, or says why not.
pub(crate) async fn lead(app: &App, cx: &Cx, outcome: Result<String, AppError>) -> Response {
    let rendered = match outcome {
        Ok(there) => Rendered::Redirect(there),
        Err(error) => render::error(cx, &error).await,
    };
    html(app, cx, rendered)
}

/// Whether requests should be sent here: not while the server is about to stop, nor without a database. That the process
/// lives is another question (`/healthz`): restarting it would mend neither.
async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    if app.is_draining.load(Ordering::Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else if app.db.is_there().await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
    }
}

/// Leads staff to the first place that they have the right to, and whoever is none to where staff come in.
async fn to_first_place(State(app): State<App>, request: Request) -> Response {
    let mut parts = request.into_parts().0;
    match at_hand(&app, &mut parts).await {
        Ok(cx) => {
            let there = cx.staff.as_ref().map_or("/admin/sign-in", places::first);
            lead(&app, &cx, Ok(there.to_owned())).await
        }
        Err(response) => response,
    }
}

async fn text(kind: &'static str, cache: &'static str, text: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)], text)
}

fn page(app: &App, route: &'static Route) -> MethodRouter {
    let (shown, sent) = (app.clone(), app.clone());
    get(async move |request: Request| show(&shown, route, request).await)
        .post(async move |request: Request| send(&sent, route, request).await)
}

/// Where no page is: a file, or a page that says so and still offers language and theme.
fn nowhere(app: &App) -> MethodRouter {
    const NOWHERE: Route = Route {
        path: "",
        access: Access::Public,
        answer: Answer::Page(|_| Box::pin(async { Err(AppError::NotFound) })),
        forms: &[],
    };
    let sent = app.clone();
    get(files)
        .with_state(app.clone())
        .post(async move |request: Request| send(&sent, &NOWHERE, request).await)
}

/// A page asked for by a method that it does not know. Which ones it knows, axum writes into `Allow`.
async fn not_allowed(request: Request) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    if is_api(request.uri().path()) {
        return api::nowhere(status);
    }
    (status, "Method Not Allowed\n").into_response()
}

/// Whether programs ask there, which are answered in JSON whatever is wrong.
fn is_api(path: &str) -> bool {
    path.starts_with(api::PREFIX)
}

/// An error as a page of its own.
async fn error_page(app: &App, mut parts: Parts, error: &AppError) -> Response {
    let cx = match context(app, &mut parts).await {
        Ok(cx) | Err((cx, _)) => cx,
    };
    html(app, &cx, render::error(&cx, error).await)
}

/// The same for nobody in particular: the database is not asked who reads it.
async fn nobodys_error(app: &App, mut parts: Parts, error: &AppError) -> Response {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let visitor = session::visitor(peer, &parts.headers, &app.config.trusted_proxies);
    let tokens = session::received(&parts.headers, app.config.is_https());
    let cx = match gather(app, &mut parts, (tokens, visitor, Ok((None, None, None)))).await {
        Ok(cx) | Err((cx, _)) => cx,
    };
    html(app, &cx, render::error(&cx, error).await)
}

/// Whether somebody asks for what is called like a file. Nobody counts these, so they cost no look into the database, not even
/// where there is no such file.
fn is_file(request: &Request) -> bool {
    let name = request.uri().path().rsplit('/').next();
    matches!(*request.method(), Method::GET | Method::HEAD) && name.is_some_and(|name| name.contains('.'))
}

/// Files that browsers download; the rest is a page that does not exist.
async fn files(State(app): State<App>, request: Request) -> Response {
    let is_built = request.uri().path().starts_with("/pkg/");
    let is_file = is_file(&request);
    let (parts, _) = request.into_parts();
    let mut copy = Request::new(Body::empty());
    *copy.method_mut() = parts.method.clone();
    *copy.uri_mut() = parts.uri.clone();
    *copy.headers_mut() = parts.headers.clone();
    let dir = ServeDir::new(app.config.site_dir())
        .precompressed_br()
        .append_index_html_on_directories(false);
    let found = match dir.oneshot(copy).await {
        Ok(found) if found.status() != StatusCode::NOT_FOUND && !parts.uri.path().ends_with("site.json") => found,
        _ if is_file => return nobodys_error(&app, parts, &AppError::NotFound).await,
        _ => return error_page(&app, parts, &AppError::NotFound).await,
    };
    let mut response = found.into_response();
    let cache = if is_built {
        // Built files carry a hash of their content in their names.
        "public, max-age=31536000, immutable"
    } else if parts.uri.path() == "/sw.js" {
        // The service worker: whoever asks is asking whether there is a new one.
        "no-cache"
    } else {
        "public, max-age=3600"
    };
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

/// Shows a page.
async fn show(app: &App, route: &Route, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match context(app, &mut parts).await {
        Ok(cx) => {
            let rendered = match route.answer {
                Answer::Page(_) => render::page(&cx, route).await,
                Answer::File(_) => file(&cx, *route).await,
            };
            html(app, &cx, rendered)
        }
        Err((cx, error)) => html(app, &cx, render::error(&cx, &error).await),
    }
}

/// Makes a file on a thread of its own: drawing one takes long, and would hold up whatever else waits for this one.
async fn file(cx: &Cx, route: Route) -> Rendered {
    let (theirs, runtime, span) = (cx.clone(), tokio::runtime::Handle::current(), tracing::Span::current());
    let make = move || span.in_scope(|| runtime.block_on(render::page(&theirs, &route)));
    match tokio::task::spawn_blocking(make).await {
        Ok(rendered) => rendered,
        Err(error) => {
            tracing::error!(%error, "a file could not be made");
            render::error(cx, &AppError::Internal).await
        }
    }
}

/// Takes a form: reads it, does it once, and shows where it leads or what was wrong with it.
async fn send(app: &App, route: &Route, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let is_enhanced = parts.headers.contains_key(&ENHANCE);
    let cx = match context(app, &mut parts).await {
        Ok(cx) => cx,
        Err((cx, error)) => return html(app, &cx, render::error(&cx, &error).await),
    };
    let refuse = async |error: AppError| html(app, &cx, render::error(&cx, &error).await);
    // The layer before us lets only so much through; of those who may not use the page, files are not even read.
    let sent = if guard::is_multipart(&parts.headers) {
        if !route.takes_files() {
            return refuse(AppError::Refused).await;
        }
        if let Some(there) = render::elsewhere(&cx, route.access) {
            return follow(app, &cx, is_enhanced, &there);
        }
        let allowed = route.file_mb().map_or(app.config.attachments, |file_mb| Attachments {
            files: 1,
            file_mb,
            ..app.config.attachments
        });
        Sent::read_parts(&parts.headers, body, &allowed).await
    } else {
        match to_bytes(body, usize::MAX).await {
            Ok(body) => Sent::read(&parts.headers, &body).ok_or(AppError::Refused),
            Err(_) => Err(AppError::TooLarge),
        }
    };
    let sent = match sent {
        Ok(sent) => sent,
        Err(error) => return refuse(error).await,
    };
    let Some(form) = route
        .forms
        .iter()
        .chain(app::EVERYWHERE)
        .find(|form| form.name == sent.form)
    else {
        return refuse(AppError::Refused).await;
    };
    if !sent.files.is_empty() && !form.takes_files {
        return refuse(AppError::Refused).await;
    }
    let everywhere = app::EVERYWHERE.iter().any(|f| f.name == form.name);
    // Whoever looks at somebody's cabinet changes nothing there, nor under their own name.
    if !everywhere && cx.viewing().is_some() {
        return refuse(AppError::Forbidden).await;
    }
    if let (false, Some(there)) = (everywhere, render::elsewhere(&cx, route.access)) {
        return follow(app, &cx, is_enhanced, &there);
    }
    let cx = with_files(&cx, sent.files.clone());
    match once(&cx, form, &sent).await {
        Ok(next) => follow(app, &cx, is_enhanced, next.path()),
        Err(AppError::NotFresh) => follow(app, &cx, is_enhanced, &render::confirm(&cx)),
        Err(error @ AppError::Refused) => html(app, &cx, render::error(&cx, &error).await),
        Err(error) => {
            let wait = retry_after(&error);
            let outcome = Outcome {
                form: sent.form.clone(),
                key: sent.key.clone(),
                error,
                values: sent.shown(),
            };
            let again = with_outcome(&cx, outcome);
            let mut response = html(app, &again, render::page(&again, route).await);
            if let Some(seconds) = wait {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            response
        }
    }
}

/// After how many seconds it may work (RFC 9110, 10.2.3).
fn retry_after(error: &AppError) -> Option<u32> {
    match error {
        AppError::TooMany { retry_after } => Some(*retry_after).filter(|seconds| *seconds > 0),
        AppError::Busy => Some(BUSY_SECONDS),
        _ => None,
    }
}

/// Runs a form unless its key was used: then the stored answer is given again.
async fn once(cx: &Cx, form: &FormEntry, sent: &Sent) -> Result<Next, AppError> {
    if form.repeats {
        return (form.run)(cx, &sent.body).await;
    }
    let scope = match (&cx.customer, &cx.staff, cx.token(cookie::ATTEMPT)) {
        (Some(customer), _, _) if !cx.path.starts_with("/admin") => customer.id().to_string(),
        (_, Some(staff), _) => staff.id().to_string(),
        (_, _, Some(attempt)) => hex(&attempt.hash()),
        _ => "anonymous".to_owned(),
    };
    if let Some(next) = answered(cx, &scope, sent).await? {
        return Ok(next);
    }
    let key = Key {
        scope: scope.clone(),
        key: sent.key.clone(),
        fingerprint: sent.fingerprint(&cx.path),
    };
    let keyed = with_db(cx, cx.db.with_key(key));
    let result = (form.run)(&keyed, &sent.body).await;
    // Cookies were set on the copy; they belong to the answer.
    let cookies = std::mem::take(&mut *keyed.cookies.lock().unwrap_or_else(PoisonError::into_inner));
    cx.cookies
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .extend(cookies);
    match result {
        Ok(next) => {
            // The change is done; under the same key again it would merely lead to the form's own page.
            if let Err(e) = cx.db.store_answer(&scope, &sent.key, next.path()).await {
                tracing::warn!(error = %e, "the answer to a change could not be stored");
            }
            Ok(next)
        }
        // The same form twice at the same moment: the other one did it.
        Err(error) => {
            keyed.db.release_key().await?;
            answered(cx, &scope, sent).await?.ok_or(error)
        }
    }
}

/// The answer given under this key before. A key that was used for something else is refused.
async fn answered(cx: &Cx, scope: &str, sent: &Sent) -> Result<Option<Next>, AppError> {
    match cx.db.key_answer(scope, &sent.key).await? {
        Some((fingerprint, _)) if fingerprint != sent.fingerprint(&cx.path) => Err(AppError::Refused),
        Some((_, answer)) => Ok(Some(Next::to(answer.unwrap_or_else(|| cx.path.clone())))),
        None => Ok(None),
    }
}

/// What the fuzzers ask: whether a body is a form of our pages, and what of it would be shown again.
#[doc(hidden)]
pub fn read_form(headers: &HeaderMap, body: &[u8]) -> Option<Vec<(String, String)>> {
    let sent = Sent::read(headers, body)?;
    sent.fingerprint("/");
    Some(sent.shown())
}

/// A form as it was sent.
struct Sent {
    form: String,
    key: String,
    body: String,
    values: Vec<(String, String)>,
    files: Arc<[Upload]>,
}

impl Sent {
    /// Reads a body; `None` when it is none of our pages'.
    fn read(headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        if !kind.trim().to_ascii_lowercase().starts_with(FORM) {
            return None;
        }
        let body = std::str::from_utf8(body).ok()?.to_owned();
        let values: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let get = |name: &str| values.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let (form, key) = (get("_fn")?, get("_key")?);
        (16..=100).contains(&key.len()).then_some(Self {
            form,
            key,
            body,
            values,
            files: Arc::default(),
        })
    }

    /// Reads a body of several parts (RFC 7578) as it comes in. Of a file that is too large, and of those beyond what a
    /// message takes, no more is kept than shows it.
    async fn read_parts(headers: &HeaderMap, body: Body, allowed: &Attachments) -> Result<Self, AppError> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let boundary = kind.and_then(|kind| multer::parse_boundary(kind).ok());
        let mut parts = multer::Multipart::new(body.into_data_stream(), boundary.ok_or(AppError::Refused)?);
        let broken = |error: multer::Error| match error {
            // The layer before us ends what is too long.
            multer::Error::StreamReadFailed(_) => AppError::TooLarge,
            _ => AppError::Refused,
        };
        let (mut values, mut files, mut typed) = (Vec::new(), Vec::new(), 0);
        while let Some(mut part) = parts.next_field().await.map_err(broken)? {
            let name = part.name().ok_or(AppError::Refused)?.to_owned();
            let file = part.file_name().map(str::to_owned);
            let most = match &file {
                Some(_) if name != FILES => return Err(AppError::Refused),
                Some(_) if files.len() >= allowed.files => 0,
                Some(_) => allowed.file_mb * MB + 1,
                None => BODY_LIMIT,
            };
            let mut bytes = Vec::new();
            while let Some(chunk) = part.chunk().await.map_err(broken)? {
                let room = most - bytes.len();
                bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            typed += name.len() + file.as_ref().map_or(bytes.len(), String::len) + 1;
            // As much as may be typed into any other form.
            if typed > BODY_LIMIT {
                return Err(AppError::TooLarge);
            }
            match file {
                // So a browser says that none was chosen.
                Some(name) if name.is_empty() && bytes.is_empty() => {}
                Some(name) => files.push(Upload { name, bytes }),
                None => values.push((name, String::from_utf8(bytes).map_err(|_| AppError::Refused)?)),
            }
        }
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&values)
            .finish();
        let form = [(header::CONTENT_TYPE, HeaderValue::from_static(FORM))];
        let mut sent = Self::read(&HeaderMap::from_iter(form), body.as_bytes()).ok_or(AppError::Refused)?;
        // The page that comes back says which are to be chosen again.
        let names = files.iter().map(|file| (FILES.to_owned(), file.name.clone()));
        sent.values.extend(names);
        sent.files = files.into();
        Ok(sent)
    }

    /// A hash of what was asked, secrets excepted: a stored hash of a password would be one more to guess from.
    fn fingerprint(&self, path: &str) -> Vec<u8> {
        use sha2::Digest as _;
        let mut hash = sha2::Sha256::new();
        hash.update(path);
        for (name, value) in self.values.iter().filter(|(name, _)| !SECRETS.contains(&name.as_str())) {
            hash.update([0]);
            hash.update(name);
            hash.update([1]);
            hash.update(value);
        }
        for file in self.files.iter() {
            hash.update([2]);
            hash.update(sha2::Sha256::digest(&file.bytes));
        }
        hash.finalize().to_vec()
    }

    /// What may be shown again.
    fn shown(&self) -> Vec<(String, String)> {
        self.values
            .iter()
            .filter(|(name, _)| !SECRETS.contains(&name.as_str()))
            .cloned()
            .collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Collects what a page has at hand. When the database does not say who asks, there is enough for the page of that error.
async fn context(app: &App, parts: &mut Parts) -> Result<Cx, (Cx, AppError)> {
    let tokens = session::received(&parts.headers, app.config.is_https());
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let visitor = Visitor {
        customer_session: tokens.get(cookie::SESSION).cloned(),
        staff_session: tokens.get(cookie::STAFF).cloned(),
        is_by_itself: parts.headers.contains_key(&live::BY_ITSELF),
        known_device: tokens.get(cookie::DEVICE).cloned(),
        ..session::visitor(peer, &parts.headers, &app.config.trusted_proxies)
    };
    let who = match who_asks(app, &tokens, &visitor).await {
        Ok((customer, staff)) => as_viewer(app, parts, customer, staff).await,
        Err(error) => Err(error),
    };
    gather(app, parts, (tokens, visitor, who)).await
}

/// Who asks, if the database says so.
type Asking = Result<(Option<who::Customer>, Option<who::Staff>, Option<who::Viewer>), crm::Error>;

/// While staff look at a customer's cabinet, nobody is signed in there. Each page of it that is shown is written down first; what
/// is sent is none.
async fn as_viewer(app: &App, parts: &Parts, customer: Option<who::Customer>, staff: Option<who::Staff>) -> Asking {
    let is_looking = staff.as_ref().is_some_and(|staff| staff.viewing().is_some());
    if !is_looking || parts.uri.path().starts_with("/admin") {
        return Ok((customer, staff, None));
    }
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let page = app::ROUTES
        .iter()
        .find(|route| route.access == Access::Customer && Some(route.path) == path && parts.method == Method::GET);
    let viewer = match (&staff, page) {
        (Some(staff), Some(page)) => staff.view(&app.db, page.path).await?,
        _ => None,
    };
    Ok((None, staff, viewer))
}

/// The same for whoever was found to ask.
async fn gather(
    app: &App,
    parts: &mut Parts,
    (tokens, visitor, who): (HashMap<&'static str, Token>, Visitor, Asking),
) -> Result<Cx, (Cx, AppError)> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let (customer, staff, viewer, failed) = match who {
        Ok((customer, staff, viewer)) => (customer, staff, viewer, None),
        Err(error) => (None, None, None, Some(AppError::from(error))),
    };
    // A page leads back to itself: `//host` would lead a browser to another site.
    let path = format!("/{}", parts.uri.path().trim_start_matches(['/', '\\']));
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let params = match RawPathParams::from_request_parts(parts, &()).await {
        Ok(params) => params.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        Err(_) => HashMap::new(),
    };
    let chosen = tokens
        .get(cookie::LANG)
        .and_then(|t: &Token| Lang::from_code(t.secret()));
    let saved = match (&staff, &customer) {
        (Some(staff), _) if path.starts_with("/admin") || viewer.is_some() => Some(staff.language()),
        (_, customer) => customer.as_ref().map(who::Customer::language),
    };
    let accepted = || Lang::from_accept(parts.headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?);
    let lang = saved.or(chosen).or_else(accepted).unwrap_or(app.db.shop().language);
    let theme = tokens
        .get(cookie::THEME)
        .map_or(Theme::Auto, |t| Theme::from_code(t.secret()));
    // It shows codes that open accounts: to who tries the demonstration out, not to who happens by.
    let is_at_home = || session::is_local(peer, parts.version, &parts.headers, &app.config.trusted_proxies);
    let has_inbox = app.is_demonstration && !app.config.has_transport() && (staff.is_some() || is_at_home());
    let cx = Cx(Arc::new(Inner {
        db: app.db.clone(),
        lang,
        theme,
        customer,
        staff,
        viewer,
        visitor,
        is_visit: parts.method == Method::GET && !guard::is_ahead_of_time(&parts.headers),
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        params,
        tokens,
        outcome: None,
        files: Arc::default(),
        site: app.site.clone(),
        is_demonstration: app.is_demonstration,
        has_inbox,
        has_transport: app.config.has_transport(),
        providers: app.config.offered().into(),
        request_id: parts
            .extensions
            .get::<RequestId>()
            .map(|id| id.0.to_string())
            .unwrap_or_default(),
        cookies: Mutex::default(),
        path,
    }));
    match failed {
        None => Ok(cx),
        Some(error) => Err((cx, error)),
    }
}

/// Whose the cookies are.
async fn who_asks(
    app: &App,
    tokens: &HashMap<&'static str, Token>,
    visitor: &Visitor,
) -> Result<(Option<who::Customer>, Option<who::Staff>), crm::Error> {
    let customer = match tokens.get(cookie::SESSION) {
        Some(token) => who::customer(&app.db, token, visitor).await?,
        None => None,
    };
    let staff = match tokens.get(cookie::STAFF) {
        Some(token) => who::staff(&app.db, token, visitor).await?,
        None => None,
    };
    Ok((customer, staff))
}

/// The same page with what came of a form.
fn with_outcome(cx: &Cx, outcome: Outcome) -> Cx {
    Cx(Arc::new(Inner {
        outcome: Some(outcome),
        ..copy(cx)
    }))
}

/// The same page with the files that came along with a form.
fn with_files(cx: &Cx, files: Arc<[Upload]>) -> Cx {
    Cx(Arc::new(Inner { files, ..copy(cx) }))
}

/// The same page on a database handle that carries a key.
fn with_db(cx: &Cx, db: Db) -> Cx {
    Cx(Arc::new(Inner { db, ..copy(cx) }))
}

fn copy(cx: &Cx) -> Inner {
    Inner {
        db: cx.db.clone(),
        lang: cx.lang,
        theme: cx.theme,
        customer: cx.customer.clone(),
        staff: cx.staff.clone(),
        viewer: cx.viewer.clone(),
        visitor: cx.visitor.clone(),
        is_visit: cx.is_visit,
        path: cx.path.clone(),
        query: cx.query.clone(),
        params: cx.params.clone(),
        tokens: cx.tokens.clone(),
        outcome: cx.outcome.clone(),
        files: cx.files.clone(),
        site: cx.site.clone(),
        is_demonstration: cx.is_demonstration,
        has_inbox: cx.has_inbox,
        has_transport: cx.has_transport,
        providers: cx.providers.clone(),
        request_id: cx.request_id.clone(),
        cookies: Mutex::new(cx.cookies.lock().unwrap_or_else(PoisonError::into_inner).clone()),
    }
}

/// Sends a rendered page, or a file, with the cookies that it set.
pub(crate) fn html(app: &App, cx: &Cx, rendered: Rendered) -> Response {
    let mut response = match rendered {
        Rendered::Html { status, html } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
            if status == StatusCode::SERVICE_UNAVAILABLE {
                response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            response
        }
        Rendered::File(file) => {
            let mut response = file.bytes.into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.kind));
            if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{}\"", file.name)) {
                headers.insert(header::CONTENT_DISPOSITION, value);
            }
            response
        }
        Rendered::Redirect(there) => redirect(&there),
    };
    add_cookies(app, cx, &mut response);
    response
}

/// Sends the browser on after a form: by a redirect, or in a header for code of ours that follows it itself.
fn follow(app: &App, cx: &Cx, is_enhanced: bool, path: &str) -> Response {
    let mut response = if is_enhanced {
        let mut response = StatusCode::NO_CONTENT.into_response();
        if let Ok(value) = HeaderValue::from_str(path) {
            response.headers_mut().insert(NEXT, value);
        }
        response
    } else {
        redirect(path)
    };
    add_cookies(app, cx, &mut response);
    response
}

fn redirect(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(value) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

fn add_cookies(app: &App, cx: &Cx, response: &mut Response) {
    let cookies = cx.cookies.lock().unwrap_or_else(PoisonError::into_inner);
    for set in cookies.iter() {
        if let Ok(value) = HeaderValue::from_str(&session::set_cookie(set, app.config.is_https(), app.db.now())) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
        // Who leaves, leaves nothing behind in the browser either (ASVS 5.0, 14.3.1).
        if set.value.is_none() && (set.name == cookie::SESSION || set.name == cookie::STAFF) {
            response.headers_mut().insert(
                HeaderName::from_static("clear-site-data"),
                HeaderValue::from_static("\"cache\", \"storage\""),
            );
        }
    }
}
