//! Speaking to a provider: discovery, the code for tokens, what the ID token and the account say. Nothing that it
//! answers is believed before it is checked, and nothing of it may be large or late.

use super::config::{Kind, Provider, is_safe};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use crm::identity::store::Returned;
use crm::who::Token;
use futures::future::BoxFuture;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreIdToken,
    CoreIdTokenVerifier, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, ClaimsVerificationError, IssuerUrl, Nonce, ProviderMetadata,
    SignatureVerificationError,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most that an answer may hold.
const LIMIT: usize = 256 * 1024;
/// How long what was discovered is taken for true.
const DISCOVERED_FOR: Duration = Duration::from_secs(3600);
/// How far clocks may differ.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);
/// The longest subject (OpenID Connect Core 1.0, 2).
const SUBJECT_LIMIT: usize = 255;
/// Signatures that are believed. Those by a shared secret are not: who may check them could also make them.
const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Why nothing came of a provider. For the log: people read other words.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It does not answer, or not as it should.
    #[error("it does not answer: {0}")]
    Down(String),
    /// It answers, and what it says is not true.
    #[error("it is not believed: {0}")]
    Disbelieved(String),
}

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection.
    #[error("{0}")]
    Connection(#[from] reqwest::Error),
    /// More than [`LIMIT`].
    #[error("the answer is larger than {LIMIT} bytes")]
    TooLarge,
    /// Cannot happen with what was received.
    #[error("{0}")]
    Response(#[from] oauth2::http::Error),
}

/// What discovery says besides the usual.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct More {
    /// RFC 9207: the issuer comes back in the address.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}
impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What OpenID Connect adds to the answer of the token endpoint.
#[derive(Debug, Deserialize, Serialize)]
struct WithIdToken {
    id_token: Option<String>,
}
impl ExtraTokenFields for WithIdToken {}

type Tokens = StandardTokenResponse<WithIdToken, BasicTokenType>;
type Client = oauth2::Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Where a provider is spoken to.
pub struct Endpoints {
    authorize: AuthUrl,
    token: TokenUrl,
    userinfo: Option<String>,
    /// The client's secret goes into the body instead of a header.
    is_secret_in_body: bool,
    metadata: Option<Arc<Metadata>>,
}

/// What a provider said of whoever came back.
#[derive(Clone, Debug)]
pub struct Said {
    /// The account.
    pub subject: String,
    /// Everything: the claims of the ID token and the description of the account.
    pub claims: Value,
    /// The claims of the ID token alone, which are signed.
    pub signed: Value,
    /// When whoever it is proved it there, where the ID token says so (`auth_time`).
    pub proved_at: Option<DateTime<Utc>>,
}

/// A provider with what was discovered of it.
pub struct Peer {
    /// Its configuration.
    pub config: Provider,
    http: Http,
    redirect: String,
    discovered: Mutex<Option<(Instant, Arc<Metadata>)>>,
}

/// One request after another, each in bounded time and space.
struct Http {
    client: reqwest::Client,
    timeout: Duration,
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    // Boxed: of a closure's future the compiler cannot tell that it may move to another thread (rust-lang/rust #110338).
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let mut request = reqwest::Request::try_from(request)?;
            *request.timeout_mut() = Some(self.timeout);
            let mut response = self.client.execute(request).await?;
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                if body.len() + chunk.len() > LIMIT {
                    return Err(HttpError::TooLarge);
                }
                body.extend_from_slice(&chunk);
            }
            let mut answer = oauth2::http::Response::builder().status(response.status());
            for (name, value) in response.headers() {
                answer = answer.header(name, value);
            }
            Ok(answer.body(body)?)
        })
    }
}

/// What speaks HTTP to providers: without redirects, for an answer that leads elsewhere is none.
pub fn http() -> Result<reqwest::Client, reqwest::Error> {
    // Taken already when something else of the program speaks TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(3))
        .user_agent("Kabinet")
        .build()
}

impl Peer {
    /// A provider; nothing is asked of it yet.
    pub fn new(config: Provider, client: reqwest::Client, public_url: &str) -> Self {
        Self {
            redirect: format!("{public_url}/sign-in/back/{}", config.id),
            http: Http {
                client,
                timeout: Duration::from_secs(config.timeout_seconds),
            },
            config,
            discovered: Mutex::default(),
        }
    }

    /// What its issuer says of itself, asked anew when that was long ago, or when `anew`.
    async fn metadata(&self, anew: bool) -> Result<Arc<Metadata>, Trouble> {
        let held = self.discovered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, metadata)) = held.filter(|(at, _)| !anew && at.elapsed() < DISCOVERED_FOR) {
            return Ok(metadata);
        }
        let issuer = IssuerUrl::new(self.config.issuer().to_owned()).map_err(|e| Trouble::Down(e.to_string()))?;
        let metadata = Metadata::discover_async(issuer, &self.http)
            .await
            .map_err(|e| Trouble::Down(causes(&e)))?;
        let urls = [
            Some(metadata.authorization_endpoint().as_str()),
            metadata.token_endpoint().map(|url| url.as_str()),
            metadata.userinfo_endpoint().map(|url| url.as_str()),
        ];
        if let Some(url) = urls.into_iter().flatten().find(|url| !is_safe(url)) {
            return Err(Trouble::Disbelieved(format!("it leads to {url}")));
        }
        let metadata = Arc::new(metadata);
        *self.discovered.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), metadata.clone()));
        Ok(metadata)
    }

    /// Where it is spoken to.
    pub async fn endpoints(&self) -> Result<Endpoints, Trouble> {
        let unusable = |e: oauth2::url::ParseError| Trouble::Down(e.to_string());
        let Some(known) = self.config.addresses() else {
            let metadata = self.metadata(false).await?;
            let token = metadata.token_endpoint().cloned();
            let methods = metadata.token_endpoint_auth_methods_supported();
            let has = |method: CoreClientAuthMethod| methods.is_some_and(|all| all.contains(&method));
            return Ok(Endpoints {
                authorize: metadata.authorization_endpoint().clone(),
                token: token.ok_or_else(|| Trouble::Down("it has no token endpoint".into()))?,
                userinfo: metadata.userinfo_endpoint().map(|url| url.as_str().to_owned()),
                is_secret_in_body: has(CoreClientAuthMethod::ClientSecretPost)
                    && !has(CoreClientAuthMethod::ClientSecretBasic),
                metadata: Some(metadata),
            });
        };
        Ok(Endpoints {
            authorize: AuthUrl::new(known.authorize.to_owned()).map_err(unusable)?,
            token: TokenUrl::new(known.token.to_owned()).map_err(unusable)?,
            userinfo: Some(known.userinfo.to_owned()),
            is_secret_in_body: false,
            metadata: None,
        })
    }

    fn client(&self, endpoints: &Endpoints) -> Result<Client, Trouble> {
        let redirect = RedirectUrl::new(self.redirect.clone()).map_err(|e| Trouble::Down(e.to_string()))?;
        let client = oauth2::Client::new(ClientId::new(self.config.client_id.clone()))
            .set_auth_uri(endpoints.authorize.clone())
            .set_token_uri(endpoints.token.clone())
            .set_redirect_uri(redirect)
            .set_auth_type(if endpoints.is_secret_in_body {
                AuthType::RequestBody
            } else {
                AuthType::BasicAuth
            });
        match self.secret()? {
            // VK ID knows a confidential application by another parameter.
            Some(secret) if self.config.kind != Kind::Vk => Ok(client.set_client_secret(ClientSecret::new(secret))),
            _ => Ok(client),
        }
    }

    /// Read anew each time, so that a secret can be changed while the server runs.
    fn secret(&self) -> Result<Option<String>, Trouble> {
        let secret = self.config.client_secret.as_ref().map(crate::secret::Secret::reveal);
        secret.transpose().map_err(Trouble::Down)
    }

    /// The address that a browser is sent to. With OpenID Connect the provider is told how long ago somebody may have proved
    /// there who they are, and so has to say when that was; with `max_age` 0 it is to ask, whether it knows them or not.
    pub fn way_there(
        &self,
        endpoints: &Endpoints,
        state: &Token,
        nonce: &Token,
        challenge: PkceCodeChallenge,
        max_age: Option<TimeDelta>,
    ) -> Result<String, Trouble> {
        let client = self.client(endpoints)?;
        let state = state.secret().to_owned();
        let mut request = client
            .authorize_url(|| CsrfToken::new(state))
            .set_pkce_challenge(challenge)
            .add_scopes(self.config.scopes().into_iter().map(Scope::new));
        if endpoints.metadata.is_some() {
            request = request.add_extra_param("nonce", nonce.secret().to_owned());
            if let Some(max_age) = max_age {
                request = request.add_extra_param("max_age", max_age.num_seconds().to_string());
            }
            // Some providers know this one alone.
            if max_age.is_some_and(|age| age.is_zero()) {
                request = request.add_extra_param("prompt", "login");
            }
        }
        Ok(request.url().0.into())
    }

    /// The issuer in the address that somebody came back by: where it has to stand, and wherever it stands, it is the one
    /// they were sent to (RFC 9207).
    pub fn check_issuer(&self, endpoints: &Endpoints, came: Option<&str>) -> Result<(), Trouble> {
        let Some(metadata) = &endpoints.metadata else {
            return Ok(());
        };
        let must = metadata
            .additional_metadata()
            .authorization_response_iss_parameter_supported;
        match came {
            Some(issuer) if issuer == metadata.issuer().as_str() => Ok(()),
            None if !must => Ok(()),
            _ => Err(Trouble::Disbelieved("the answer is another issuer's".into())),
        }
    }

    /// Gives the code for tokens and learns who it is.
    pub async fn whoever(
        &self,
        endpoints: &Endpoints,
        returned: &Returned,
        answer: &Answer<'_>,
        now: DateTime<Utc>,
    ) -> Result<Said, Trouble> {
        let client = self.client(endpoints)?;
        let mut request = client
            .exchange_code(AuthorizationCode::new(answer.code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(returned.verifier().to_owned()));
        if self.config.kind == Kind::Vk {
            request = request
                .add_extra_param("device_id", answer.device.unwrap_or_default())
                .add_extra_param("state", answer.state);
            if let Some(secret) = self.secret()? {
                request = request.add_extra_param("service_token", secret);
            }
        }
        let tokens = request.request_async(&self.http).await.map_err(|e| match e {
            // What the provider writes besides is for people who know it; its own word for the matter is enough.
            RequestTokenError::ServerResponse(said) => {
                Trouble::Disbelieved(format!("the code: {}", said.error().as_ref()))
            }
            RequestTokenError::Parse(..) => Trouble::Down("the answer of the token endpoint cannot be read".into()),
            other => Trouble::Down(causes(&other)),
        })?;
        let signed = match &endpoints.metadata {
            Some(metadata) => self.signed(metadata, &tokens, returned, now).await?,
            None => Value::Null,
        };
        let mut claims = signed.clone();
        if let Some(url) = &endpoints.userinfo {
            let described = self.described(url, tokens.access_token()).await?;
            // OpenID Connect Core 1.0, 5.3.2: a description of somebody else must not be used.
            if !signed.is_null() && described.get("sub") != signed.get("sub") {
                return Err(Trouble::Disbelieved("the account described is another one".into()));
            }
            match (&mut claims, described) {
                (Value::Object(claims), Value::Object(more)) => claims.extend(more),
                (claims, described) => *claims = described,
            }
        }
        let profile = self.config.profile();
        let subject = profile.subject.as_deref().and_then(|pointer| text(&claims, pointer));
        let subject = subject.filter(|subject| subject.len() <= SUBJECT_LIMIT);
        let proved_at = signed.get("auth_time").and_then(Value::as_i64);
        let proved_at = proved_at.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        Ok(Said {
            // Whoever will prove it tomorrow has not proved it yet.
            proved_at: proved_at.filter(|at| *at <= now + LEEWAY),
            subject: subject.ok_or_else(|| Trouble::Disbelieved("it does not name the account".into()))?,
            claims,
            signed,
        })
    }

    /// The claims of the ID token, once all is checked that OpenID Connect Core 1.0, 3.1.3.7 asks for.
    async fn signed(
        &self,
        metadata: &Arc<Metadata>,
        tokens: &Tokens,
        returned: &Returned,
        now: DateTime<Utc>,
    ) -> Result<Value, Trouble> {
        let raw = tokens.extra_fields().id_token.as_deref();
        let raw = raw.ok_or_else(|| Trouble::Disbelieved("there is no ID token".into()))?;
        let token: CoreIdToken = raw
            .parse()
            .map_err(|_| Trouble::Disbelieved("the ID token cannot be read".into()))?;
        let nonce = Nonce::new(returned.nonce().to_owned());
        let checked = self.check(metadata, &token, tokens.access_token(), &nonce, now);
        match checked {
            // Providers change their keys.
            Err(Doubt::Claims(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            ))) => {
                let metadata = self.metadata(true).await?;
                self.check(&metadata, &token, tokens.access_token(), &nonce, now)?;
            }
            other => other?,
        }
        let payload = raw.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let claims = payload.and_then(|json| serde_json::from_slice(&json).ok());
        claims.ok_or_else(|| Trouble::Disbelieved("the claims cannot be read".into()))
    }

    fn check(
        &self,
        metadata: &Metadata,
        token: &CoreIdToken,
        access: &AccessToken,
        nonce: &Nonce,
        now: DateTime<Utc>,
    ) -> Result<(), Doubt> {
        let client_id = ClientId::new(self.config.client_id.clone());
        let verifier = CoreIdTokenVerifier::new_public_client(
            client_id.clone(),
            metadata.issuer().clone(),
            metadata.jwks().clone(),
        )
        .set_allowed_algs(SIGNATURES)
        .set_time_fn(move || now - LEEWAY)
        .set_issue_time_verifier_fn(move |at| {
            let is_future = at > now + LEEWAY;
            if is_future {
                Err("issued in the future".into())
            } else {
                Ok(())
            }
        });
        let claims = token.claims(&verifier, nonce).map_err(Doubt::Claims)?;
        if claims.authorized_party().is_some_and(|party| *party != client_id) {
            return Err(Doubt::Other("it was made for another party"));
        }
        if let Some(expected) = claims.access_token_hash() {
            let made = token.signing_alg().and_then(|alg| {
                let key = token.signing_key(&verifier)?;
                AccessTokenHash::from_token(access, alg, key)
                    .map_err(|e| SignatureVerificationError::Other(e.to_string()))
            });
            if made.ok().as_ref() != Some(expected) {
                return Err(Doubt::Other("the access token is another one's"));
            }
        }
        Ok(())
    }

    /// What the provider says of the account that an access token is for.
    async fn described(&self, url: &str, access: &AccessToken) -> Result<Value, Trouble> {
        let request = oauth2::http::Request::builder()
            .uri(url)
            .header("accept", "application/json");
        let bearer = |scheme: &str| format!("{scheme} {}", access.secret());
        let request = match self.config.kind {
            Kind::Oidc | Kind::Oauth2 => request.header("authorization", bearer("Bearer")).body(Vec::new()),
            Kind::Yandex => request.header("authorization", bearer("OAuth")).body(Vec::new()),
            Kind::Vk => {
                let body = form_urlencoded::Serializer::new(String::new())
                    .append_pair("client_id", &self.config.client_id)
                    .append_pair("access_token", access.secret())
                    .finish();
                request
                    .method("POST")
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(body.into_bytes())
            }
        };
        let request = request.map_err(|_| Trouble::Down("the access token is none".into()))?;
        let answer = self.http.call(request).await.map_err(|e| Trouble::Down(causes(&e)))?;
        if answer.status() != 200 {
            return Err(Trouble::Down(format!("the account: {}", answer.status())));
        }
        serde_json::from_slice(answer.body()).map_err(|_| Trouble::Down("the account cannot be read".into()))
    }
}

/// What came back in the address.
pub struct Answer<'a> {
    /// The code.
    pub code: &'a str,
    /// The state, which VK ID wants to see once more.
    pub state: &'a str,
    /// What VK ID calls the browser.
    pub device: Option<&'a str>,
}

/// Why an ID token is not believed.
enum Doubt {
    Claims(ClaimsVerificationError),
    Other(&'static str),
}

impl From<Doubt> for Trouble {
    fn from(doubt: Doubt) -> Self {
        Self::Disbelieved(match doubt {
            Doubt::Claims(e) => causes(&e),
            Doubt::Other(why) => why.to_owned(),
        })
    }
}

/// A text or a number in what a provider said, as text; nothing where it is empty.
pub fn text(said: &Value, pointer: &str) -> Option<String> {
    let text = match said.pointer(pointer)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// An error with what caused it, for the log.
fn causes(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut cause = e.source();
    while let Some(e) = cause {
        text = format!("{text}: {e}");
        cause = e.source();
    }
    text
}
