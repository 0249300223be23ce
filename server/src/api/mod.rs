//! The API for tills and other systems: JSON over HTTP under `/api/v1`.
//!
//! Whoever asks sends `Authorization: Bearer <key>`; the key is a till's (`crm::till`) and good for some scopes. A change
//! carries an `Idempotency-Key`: the same key with the same body gets the stored answer, with another body 409. Errors are
//! problem details ([`problem`]). What goes over the wire stands in [`shapes`], and the OpenAPI document is made of both.
//!
//! # How to add an endpoint
//! 1. What is sent and answered: `shapes.rs`, with units and examples.
//! 2. A handler in the file of its area, with `#[utoipa::path]`, a line or two into `crm`.
//! 3. A line in [`ENDPOINTS`], and the handler in [`Document`]. A test compares the two.
//! 4. A test through the router in `server/tests/router/api.rs`; the access matrix finds the path by itself.

mod batch;
mod catalogue;
mod customers;
mod exports;
mod part;
mod points;
pub mod problem;
mod purchases;
mod rate;
pub mod shapes;

use crate::router::App;
use crate::session;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use crm::db::{self, Change, Key, Tx, scoped};
use crm::id::TillId;
use crm::till::Scope;
use crm::who::{self, Till, Token};
use problem::Problem;
use rate::Strangers;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// Where the paths of this version begin.
pub const PREFIX: &str = "/api/v1";

/// The page about the API, for staff.
pub const DOCS: &str = "/api/docs";

/// The most bytes of a request: 500 receipts fit.
pub const BODY_LIMIT: usize = 2 * 1024 * 1024;

/// The header with the key of a change.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Kabinet",
        description = "For tills and other systems of the shop. Money is in minor units of the shop's currency (1250 is 12.50), \
                       points are hundredths (1250 is shown as 12.50), times are RFC 3339.\n\nEvery request carries \
                       `Authorization: Bearer <key>`. Every change carries an `Idempotency-Key` of 8 to 100 characters: the \
                       same key with the same body gets the same answer for at least 7 days, with another body 409."
    ),
    paths(
        customers::identify,
        customers::confirm,
        customers::enrol,
        customers::get,
        purchases::of_customer,
        purchases::quote,
        purchases::book,
        purchases::find,
        purchases::void,
        purchases::give_back,
        batch::book,
        points::reserve,
        points::get,
        points::capture,
        points::cancel,
        catalogue::list_stores,
        catalogue::stores,
        catalogue::list_categories,
        catalogue::categories,
        catalogue::list_articles,
        catalogue::articles,
        catalogue::cards,
        exports::postings,
        exports::liability,
        document,
    ),
    components(schemas(problem::Details)),
    modifiers(&Security)
)]
pub struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let key = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A key of a till, as an administrator gave it out"))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(key));
    }
}

/// Every path with what answers there.
pub fn routes(app: &App) -> Vec<(String, MethodRouter)> {
    let strangers = Arc::<Strangers>::default();
    let keyed = |handlers: MethodRouter<App>| {
        handlers
            .layer(middleware::from_fn_with_state(
                (app.clone(), strangers.clone()),
                authenticate,
            ))
            .with_state(app.clone())
    };
    let endpoints: Vec<(&str, MethodRouter<App>)> = vec![
        ("/customers/identify", post(customers::identify)),
        ("/customers/confirmations", post(customers::confirm)),
        ("/customers", post(customers::enrol)),
        ("/customers/{customer}", get(customers::get)),
        ("/customers/{customer}/purchases", get(purchases::of_customer)),
        ("/quotes", post(purchases::quote)),
        ("/purchases", post(purchases::book)),
        ("/purchases/batch", post(batch::book)),
        ("/purchases/{document}", get(purchases::find)),
        ("/purchases/{document}/void", post(purchases::void)),
        ("/returns", post(purchases::give_back)),
        ("/reservations", post(points::reserve)),
        ("/reservations/{reservation}", get(points::get)),
        ("/reservations/{reservation}/capture", post(points::capture)),
        ("/reservations/{reservation}/cancel", post(points::cancel)),
        ("/stores", get(catalogue::list_stores).put(catalogue::stores)),
        (
            "/categories",
            get(catalogue::list_categories).put(catalogue::categories),
        ),
        ("/articles", get(catalogue::list_articles).put(catalogue::articles)),
        ("/cards", post(catalogue::cards)),
        ("/exports/postings", get(exports::postings)),
        ("/exports/liability", get(exports::liability)),
        ("/openapi.json", get(document)),
    ];
    endpoints
        .into_iter()
        .map(|(path, handlers)| (format!("{PREFIX}{path}"), keyed(handlers)))
        .collect()
}

/// What every endpoint may answer, and what those may that read a body.
const ALWAYS: [(&str, &str); 4] = [
    ("401", "`unauthorized`: the request carries no key that is good"),
    ("403", "`scope_missing`: the key is not good for this"),
    ("429", "`too_many`: `Retry-After` says when to come again"),
    ("503", "`unavailable`: send the same again, under the same key"),
];
const WITH_BODY: [(&str, &str); 3] = [
    (
        "400",
        "`malformed`: not JSON; `key_missing`: no `Idempotency-Key` where one has to be",
    ),
    ("413", "`too_large`"),
    ("422", "`invalid`: fields do not fit, named in `errors`"),
];

/// The document as JSON, with what is the same for every endpoint.
pub fn description() -> serde_json::Value {
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for operation in paths.filter_map(|(_, methods)| methods.as_object_mut()).flatten() {
        let (_, operation) = operation;
        let has_body = operation.get("requestBody").is_some();
        let common = ALWAYS.iter().chain(WITH_BODY.iter().filter(|_| has_body));
        let Some(responses) = operation["responses"].as_object_mut() else {
            continue;
        };
        for (status, words) in common {
            responses
                .entry(*status)
                .or_insert_with(|| serde_json::json!({"description": words, "content": {}}));
        }
        for (_, response) in responses.iter_mut().filter(|(status, _)| status.as_str() >= "400") {
            response["content"] = serde_json::json!({
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
            });
        }
    }
    document
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "about", security(("key" = [])),
    responses((status = 200, description = "The OpenAPI document", content_type = "application/json")))]
async fn document(call: Call) -> Json<serde_json::Value> {
    Json(call.app.site.api.clone())
}

/// Lets only tills through, and not too fast; says in the headers of every answer how much is left.
async fn authenticate(
    State((app, strangers)): State<(App, Arc<Strangers>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let headers = request.headers();
    let network = session::visitor(peer, headers, &app.config.trusted_proxies).network;
    let till = match till(&app, &strangers, &network, headers).await {
        Ok(till) => till,
        Err(problem) => return problem.into_response(),
    };
    let limit = app.db.shop().limits.requests_per_till;
    let left = app.pace.take("till", &till.id().to_string(), app.db.now(), limit);
    let mut response = match left.refused {
        false => {
            request.extensions_mut().insert(till);
            next.run(request).await
        }
        true => too_many(left.seconds).into_response(),
    };
    left.write(response.headers_mut(), limit);
    response
}

fn too_many(seconds: u32) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many", "Too many requests").retry_after(seconds)
}

/// The till whose key came.
async fn till(app: &App, strangers: &Strangers, network: &str, headers: &HeaderMap) -> Result<Till, Problem> {
    let refused = || {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "The request carries no key that is good",
        )
    };
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, key) = sent.and_then(|sent| sent.split_once(' ')).ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused());
    }
    let key = Token::received(key.trim());
    let (now, limit) = (app.db.now(), app.db.shop().limits.pages_per_network);
    if let Some(seconds) = strangers.refuse(network, &key.hash(), now, limit) {
        return Err(too_many(seconds));
    }
    let found = who::till(&app.db, &key).await?;
    strangers.note(network, key.hash(), found.is_some(), now);
    found.ok_or_else(refused)
}

/// Who asks, with what every handler needs.
pub(crate) struct Call {
    pub(crate) app: App,
    pub(crate) till: Till,
}

impl FromRequestParts<App> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let till = parts.extensions.get::<Till>().cloned();
        Ok(Self {
            app: app.clone(),
            till: till.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "No key"))?,
        })
    }
}

/// A segment of the path as an id; whatever else stands there names nothing.
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, app).await;
        path.map(|path| Self(path.0)).map_err(|_| Problem::not_found())
    }
}

/// What the address asks beside its path.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, app).await;
        query
            .map(|query| Self(query.0))
            .map_err(|e| Problem::invalid().at("", "unreadable", e.body_text()))
    }
}

/// What was sent, read as JSON.
pub(crate) struct Sent<T> {
    pub(crate) body: T,
    fingerprint: Vec<u8>,
}

impl<T: DeserializeOwned> FromRequest<App> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, _: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        // The layer before us lets only so much through.
        let bytes = to_bytes(body, usize::MAX).await.map_err(|_| too_large())?;
        let mut hash = Sha256::new();
        hash.update(parts.method.as_str());
        hash.update(parts.uri.path());
        hash.update([0]);
        hash.update(&bytes);
        Ok(Self {
            body: read_body(&bytes)?,
            fingerprint: hash.finalize().to_vec(),
        })
    }
}

/// What stands in a body; the fuzzers ask, too.
#[doc(hidden)]
pub fn read_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // A request that says no more than its address may leave the body away.
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let body = serde_path_to_error::deserialize(&mut reader).map_err(|e| unreadable(&e))?;
    reader.end().map_err(|e| malformed(&e))?;
    Ok(body)
}

/// More bytes than are taken.
pub(crate) fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request is too large")
        .detail(format!("At most {BODY_LIMIT} bytes are taken; send a batch in parts"))
}

fn malformed(e: &serde_json::Error) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed", "The body is not JSON").detail(e.to_string())
}

fn unreadable(e: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    if !e.inner().is_data() {
        return malformed(e.inner());
    }
    let pointer: String = e
        .path()
        .iter()
        .map(|segment| match segment {
            serde_path_to_error::Segment::Seq { index } => format!("/{index}"),
            serde_path_to_error::Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            serde_path_to_error::Segment::Enum { variant } => format!("/{variant}"),
            serde_path_to_error::Segment::Unknown => String::new(),
        })
        .collect();
    Problem::invalid().at(pointer, "unreadable", e.inner().to_string())
}

/// The key of a change.
pub(crate) struct Once(String);

impl FromRequestParts<App> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let key = parts.headers.get(IDEMPOTENCY_KEY).and_then(|value| value.to_str().ok());
        let key = key.map(str::trim).unwrap_or_default();
        if (8..=100).contains(&key.len()) {
            Ok(Self(key.to_owned()))
        } else {
            Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "key_missing",
                "A change carries an Idempotency-Key of 8 to 100 characters",
            ))
        }
    }
}

impl Once {
    /// The key itself.
    pub(crate) fn key(&self) -> &str {
        &self.0
    }
}

/// An answer that is kept with its key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    status: u16,
    body: serde_json::Value,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_value(body)
            .map_err(|e| db::Error::Inconsistent(format!("an answer cannot be written: {e}")))?;
        Ok(Self {
            status: status.as_u16(),
            body,
        })
    }

    /// As it is kept with its key.
    fn text(&self) -> Result<String, Problem> {
        let text = serde_json::to_string(self)
            .map_err(|e| db::Error::Inconsistent(format!("an answer cannot be kept: {e}")))?;
        Ok(text)
    }

    /// 201 for what is new, 200 for what was there.
    pub(crate) fn made(is_new: bool, body: &impl Serialize) -> Result<Self, Problem> {
        Self::new(if is_new { StatusCode::CREATED } else { StatusCode::OK }, body)
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        (status, Json(self.body)).into_response()
    }
}

fn scope_of(till: TillId) -> String {
    format!("till:{till}")
}

impl Call {
    /// Does a change once: under a key that is known its stored answer is given again. Key, change and answer are one
    /// transaction, so there is none without the others.
    pub(crate) async fn once<'env, T, F>(&'env self, once: &Once, sent: &Sent<T>, change: F) -> Result<Answer, Problem>
    where
        F: for<'tx> Fn(&'tx mut Tx) -> Change<'tx, 'env, Result<Answer, Problem>> + Sync,
    {
        let scope = scope_of(self.till.id());
        if let Some(known) = self.answered(&scope, once, &sent.fingerprint).await? {
            return Ok(known);
        }
        let keyed = self.app.db.with_key(Key {
            scope: scope.clone(),
            key: once.0.clone(),
            fingerprint: sent.fingerprint.clone(),
        });
        let (change, kept) = (&change, (&scope, &once.0));
        let done: Result<Answer, Problem> = keyed
            .write(|tx| {
                scoped(async move {
                    let answer = change(tx).await?;
                    let text = answer.text()?;
                    db::keep_answer(tx, kept.0, kept.1, &text).await?;
                    Ok(answer)
                })
            })
            .await;
        match done {
            // The same request at the same moment: the other one did it.
            Err(problem) if problem.is_repeated() => {
                let known = self.answered(&scope, once, &sent.fingerprint).await?;
                known.ok_or(problem)
            }
            other => other,
        }
    }

    /// Claims the key of a request that is several changes, before the first of them: of two bodies at the same moment one has it,
    /// and the other is refused before it changes anything. The stored answer, where one was given before. A key that was claimed
    /// by the same body and has no answer yet is no obstacle: it was cut off, or runs just now, and each of its changes is made once
    /// all the same.
    pub(crate) async fn claim<T>(&self, once: &Once, sent: &Sent<T>) -> Result<Option<Answer>, Problem> {
        let scope = scope_of(self.till.id());
        if let Some(known) = self.answered(&scope, once, &sent.fingerprint).await? {
            return Ok(Some(known));
        }
        let keyed = self.app.db.with_key(Key {
            scope: scope.clone(),
            key: once.0.clone(),
            fingerprint: sent.fingerprint.clone(),
        });
        let claimed: Result<(), Problem> = keyed.write(|_| scoped(async { Ok(()) })).await;
        match claimed {
            Err(problem) if problem.is_repeated() => self.answered(&scope, once, &sent.fingerprint).await,
            other => other.map(|()| None),
        }
    }

    /// Keeps the answer to a request whose key was claimed ([`Call::claim`]). Where the same request was answered meanwhile, its
    /// first answer counts.
    pub(crate) async fn keep<T>(&self, once: &Once, sent: &Sent<T>, answer: Answer) -> Result<Answer, Problem> {
        let scope = scope_of(self.till.id());
        let text = answer.text()?;
        self.app.db.store_answer(&scope, &once.0, &text).await?;
        let known = self.answered(&scope, once, &sent.fingerprint).await?;
        Ok(known.unwrap_or(answer))
    }

    /// The answer that was given under this key before; a key that was used for something else is refused.
    async fn answered(&self, scope: &str, once: &Once, fingerprint: &[u8]) -> Result<Option<Answer>, Problem> {
        let Some((known, answer)) = self.app.db.key_answer(scope, &once.0).await? else {
            return Ok(None);
        };
        if known != fingerprint {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "key_reused",
                "The Idempotency-Key was used for another request",
            ));
        }
        let answer = answer.and_then(|text| serde_json::from_str(&text).ok());
        Ok(answer)
    }

    /// Fails unless the key is good for this.
    pub(crate) fn may(&self, scope: Scope) -> Result<(), Problem> {
        Ok(self.till.with(scope).map(drop)?)
    }
}

/// Says in JSON why no handler of the API answers: nothing is at this address, it is not asked by this method, or the
/// handler broke.
pub(crate) fn nowhere(status: StatusCode) -> Response {
    let problem = match status {
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(status, "method_not_allowed", "Not asked by this method"),
        StatusCode::INTERNAL_SERVER_ERROR => Problem::new(
            status,
            "internal",
            "Something is wrong on our side; send the same again later",
        ),
        _ => Problem::not_found(),
    };
    problem.into_response()
}
