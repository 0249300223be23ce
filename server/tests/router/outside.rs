//! Coming in through outside providers, with a provider that can misbehave.

use crate::common::{Browser, HOME, Reply, TestApp, details, encode};
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use crm::testing::start;
use crm::who::Token;
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};
use server::outside::config::{Kind, Name, Profile, Provider, Roles, SecondFactor, Whom};
use server::secret::Secret;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

const CLIENT: &str = "shop";
const SECRET: &str = "a secret between the two";

/// What the provider does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    None,
    NonceOfAnother,
    NoNonce,
    AudienceOfAnother,
    MadeForAnother,
    IssuerOfAnother,
    KeyOfAnother,
    NoSignature,
    SharedSecret,
    Expired,
    FromTheFuture,
    NoIdToken,
    AccessTokenOfAnother,
    AccountOfAnother,
    FactorUnsigned,
    AsksNobody,
    NoProofTime,
    Broken,
    Huge,
    Slow,
    Elsewhere,
    NoJson,
    MetadataOfAnother,
}

/// What is wrong with an ID token, one thing each.
const LIES: [Fault; 13] = [
    Fault::NonceOfAnother,
    Fault::NoNonce,
    Fault::AudienceOfAnother,
    Fault::MadeForAnother,
    Fault::IssuerOfAnother,
    Fault::KeyOfAnother,
    Fault::NoSignature,
    Fault::SharedSecret,
    Fault::Expired,
    Fault::FromTheFuture,
    Fault::NoIdToken,
    Fault::AccessTokenOfAnother,
    Fault::AccountOfAnother,
];

/// What was asked for with a code.
struct Grant {
    challenge: String,
    nonce: Option<String>,
    /// It was asked how long ago they were asked there, so it has to say.
    is_timed: bool,
    redirect: String,
    account: Value,
}

struct Inner {
    issuer: String,
    key: SigningKey,
    key_id: String,
    fault: Fault,
    now: DateTime<Utc>,
    /// Since when everybody is signed in there.
    since: DateTime<Utc>,
    grants: HashMap<String, Grant>,
    accounts: HashMap<String, Value>,
    /// What came to the token endpoint.
    asked: Vec<HashMap<String, String>>,
    discovered: usize,
}

/// A provider on a port of its own.
#[derive(Clone)]
struct Peer(Arc<Mutex<Inner>>);

fn random() -> String {
    Token::random().secret().to_owned()
}

fn key() -> SigningKey {
    SigningKey::from_slice(&Sha256::digest(random())).expect("a key")
}

impl Peer {
    async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let peer = Self(Arc::new(Mutex::new(Inner {
            issuer: format!("http://127.0.0.1:{port}"),
            key: key(),
            key_id: "1".into(),
            fault: Fault::None,
            now: start(),
            since: start(),
            grants: HashMap::new(),
            accounts: HashMap::new(),
            asked: Vec::new(),
            discovered: 0,
        })));
        let router = Router::new().fallback(answer).with_state(peer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        peer
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().expect("nobody panicked"))
    }

    fn issuer(&self) -> String {
        self.with(|inner| inner.issuer.clone())
    }

    /// From now on it does something wrong.
    fn does(&self, fault: Fault) {
        self.with(|inner| inner.fault = fault);
    }

    /// Somebody agrees at the provider: the address that they come back by, as a path.
    fn agree(&self, way_there: &str, account: &Value) -> String {
        let asked = query(way_there);
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], CLIENT);
        assert_eq!(asked["code_challenge_method"], "S256");
        let code = random();
        let grant = Grant {
            challenge: asked["code_challenge"].clone(),
            nonce: asked.get("nonce").cloned(),
            is_timed: asked.contains_key("max_age"),
            redirect: asked["redirect_uri"].clone(),
            account: account.clone(),
        };
        let path = grant.redirect.strip_prefix(HOME).expect("back to us").to_owned();
        let issuer = self.issuer();
        let must_ask = asked.get("prompt").is_some_and(|prompt| prompt == "login");
        self.with(|inner| {
            if must_ask && inner.fault != Fault::AsksNobody {
                inner.since = inner.now;
            }
            inner.grants.insert(code.clone(), grant);
        });
        let back = [("code", code), ("state", asked["state"].clone()), ("iss", issuer)];
        format!("{path}?{}", encode(&back))
    }
}

fn query(url: &str) -> HashMap<String, String> {
    let (_, query) = url.split_once('?').expect("a query");
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// The address with another value of a parameter, or without it.
fn with(url: &str, name: &str, value: Option<&str>) -> String {
    let (path, _) = url.split_once('?').expect("a query");
    let mut all = query(url);
    all.remove(name);
    all.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    format!("{path}?{}", encode(&all.into_iter().collect::<Vec<_>>()))
}

/// Answers whatever is asked of the provider.
async fn answer(State(peer): State<Peer>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 64 * 1024).await.expect("a body");
    let sent: HashMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    match (parts.method.as_str(), parts.uri.path()) {
        ("GET", "/.well-known/openid-configuration") => discovery(&peer).await,
        ("GET", "/keys") => keys(&peer),
        ("POST", "/token") => token(&peer, &parts.headers, sent).await,
        ("GET", "/account") => account(&peer, &parts.headers),
        ("POST", "/account") => vk_account(&peer, &sent),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn discovery(peer: &Peer) -> Response {
    let fault = peer.with(|inner| {
        inner.discovered += 1;
        inner.fault
    });
    let issuer = peer.issuer();
    match fault {
        Fault::Broken => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::Huge => return Json(json!({ "issuer": issuer, "padding": "x".repeat(2_000_000) })).into_response(),
        Fault::Slow => std::future::pending::<()>().await,
        Fault::Elsewhere => return (StatusCode::FOUND, [(header::LOCATION, format!("{issuer}/keys"))]).into_response(),
        Fault::NoJson => return "<html>".into_response(),
        _ => {}
    }
    let said = match fault {
        Fault::MetadataOfAnother => "https://evil.example",
        _ => issuer.as_str(),
    };
    Json(json!({
        "issuer": said,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/account"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "authorization_response_iss_parameter_supported": true,
    }))
    .into_response()
}

fn keys(peer: &Peer) -> Response {
    let (key, id) = peer.with(|inner| (*inner.key.verifying_key(), inner.key_id.clone()));
    let point = key.to_sec1_point(false);
    let bytes = point.as_bytes();
    let (x, y) = (
        URL_SAFE_NO_PAD.encode(&bytes[1..33]),
        URL_SAFE_NO_PAD.encode(&bytes[33..65]),
    );
    Json(json!({ "keys": [{ "kty": "EC", "crv": "P-256", "use": "sig", "kid": id, "x": x, "y": y }] })).into_response()
}

async fn token(peer: &Peer, headers: &HeaderMap, asked: HashMap<String, String>) -> Response {
    let refuse = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    peer.with(|inner| inner.asked.push(asked.clone()));
    match peer.with(|inner| inner.fault) {
        Fault::Broken => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::Huge => return Json(json!({ "access_token": "x".repeat(2_000_000) })).into_response(),
        Fault::Slow => std::future::pending::<()>().await,
        Fault::Elsewhere => return (StatusCode::FOUND, [(header::LOCATION, "/account")]).into_response(),
        Fault::NoJson => return "<html>".into_response(),
        _ => {}
    }
    let basic = format!(
        "Basic {}",
        STANDARD.encode(format!("{CLIENT}:{}", SECRET.replace(' ', "+")))
    );
    let is_vk = asked.contains_key("device_id");
    if !is_vk
        && headers
            .get("authorization")
            .is_none_or(|sent| sent.as_bytes() != basic.as_bytes())
    {
        return refuse("invalid_client");
    }
    // A code is for one use.
    let Some(grant) = asked
        .get("code")
        .and_then(|code| peer.with(|inner| inner.grants.remove(code)))
    else {
        return refuse("invalid_grant");
    };
    let verifier = asked.get("code_verifier").map(String::as_str).unwrap_or_default();
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    if challenge != grant.challenge || asked.get("redirect_uri") != Some(&grant.redirect) {
        return refuse("invalid_grant");
    }
    let access = random();
    let mut answer = json!({ "access_token": access, "token_type": "Bearer", "expires_in": 3600 });
    peer.with(|inner| {
        if grant.nonce.is_some() && inner.fault != Fault::NoIdToken {
            answer["id_token"] = inner.id_token(&grant, &access).into();
        }
        inner.accounts.insert(access, grant.account);
    });
    Json(answer).into_response()
}

impl Inner {
    fn id_token(&self, grant: &Grant, access: &str) -> String {
        let now = self.now.timestamp();
        let hash = Sha256::digest(access);
        let mut claims = json!({
            "iss": self.issuer,
            "sub": grant.account["sub"],
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": grant.nonce,
            "at_hash": URL_SAFE_NO_PAD.encode(&hash[..16]),
        });
        if grant.is_timed && self.fault != Fault::NoProofTime {
            claims["auth_time"] = self.since.timestamp().into();
        }
        for own in ["amr", "acr", "realm_access"] {
            let is_left_out = own != "realm_access" && self.fault == Fault::FactorUnsigned;
            if let Some(value) = grant.account.get(own).filter(|_| !is_left_out) {
                claims[own] = value.clone();
            }
        }
        match self.fault {
            Fault::NonceOfAnother => claims["nonce"] = "another".into(),
            Fault::NoNonce => drop(claims.as_object_mut().expect("claims").remove("nonce")),
            Fault::AudienceOfAnother => claims["aud"] = "another".into(),
            Fault::MadeForAnother => claims["azp"] = "another".into(),
            Fault::IssuerOfAnother => claims["iss"] = "http://127.0.0.1:1".into(),
            Fault::Expired => claims["exp"] = (now - 61).into(),
            Fault::FromTheFuture => claims["iat"] = (now + 61).into(),
            Fault::AccessTokenOfAnother => claims["at_hash"] = URL_SAFE_NO_PAD.encode([7; 16]).into(),
            _ => {}
        }
        let alg = match self.fault {
            Fault::NoSignature => "none",
            Fault::SharedSecret => "HS256",
            _ => "ES256",
        };
        let head = json!({ "alg": alg, "kid": self.key_id, "typ": "JWT" });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&head), encode(&claims));
        let signature = match self.fault {
            Fault::NoSignature => Vec::new(),
            Fault::SharedSecret => {
                let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
                mac.update(signed.as_bytes());
                mac.finalize().into_bytes().to_vec()
            }
            Fault::KeyOfAnother => sign(&key(), &signed),
            _ => sign(&self.key, &signed),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn sign(key: &SigningKey, text: &str) -> Vec<u8> {
    let signature: p256::ecdsa::Signature = key.sign(text.as_bytes());
    signature.to_bytes().to_vec()
}

fn account(peer: &Peer, headers: &HeaderMap) -> Response {
    let sent = headers
        .get("authorization")
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let Some(access) = sent.strip_prefix("Bearer ").or_else(|| sent.strip_prefix("OAuth ")) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let (account, fault) = peer.with(|inner| (inner.accounts.get(access).cloned(), inner.fault));
    let Some(mut account) = account else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    if fault == Fault::AccountOfAnother {
        account["sub"] = "another".into();
    }
    Json(account).into_response()
}

fn vk_account(peer: &Peer, sent: &HashMap<String, String>) -> Response {
    assert_eq!(sent["client_id"], CLIENT);
    match peer.with(|inner| inner.accounts.get(&sent["access_token"]).cloned()) {
        Some(account) => Json(account).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

fn provider(peer: &Peer, id: &str, kind: Kind) -> Provider {
    provider_at(peer.issuer(), id, kind)
}

pub(crate) fn provider_at(issuer: String, id: &str, kind: Kind) -> Provider {
    let at = |path: &str| (kind != Kind::Oidc).then(|| format!("{issuer}{path}"));
    Provider {
        id: id.into(),
        name: Name::One("Тест ID".into()),
        kind,
        whom: Whom::Customers,
        client_id: CLIENT.into(),
        client_secret: (kind != Kind::Vk).then(|| Secret::Inline(SECRET.into())),
        issuer: Some(issuer.clone()),
        authorize_url: at("/authorize"),
        token_url: at("/token"),
        userinfo_url: at("/account"),
        scopes: None,
        profile: Profile::default(),
        timeout_seconds: 1,
        roles: None,
        create: false,
        second_factor: SecondFactor::Ours,
        second_factor_values: vec!["mfa".into()],
    }
}

fn for_staff(peer: &Peer) -> Provider {
    Provider {
        whom: Whom::Staff,
        create: true,
        second_factor: SecondFactor::Provider,
        roles: Some(Roles {
            claim: "/realm_access/roles".into(),
            map: vec![
                ("kabinet-administrator".into(), "administrator".into()),
                ("kabinet-agent".into(), "agent".into()),
            ],
        }),
        ..provider(peer, "work", Kind::Oidc)
    }
}

async fn site(peer: &Peer) -> TestApp {
    TestApp::with_providers(vec![provider(peer, "test", Kind::Oidc), for_staff(peer)]).await
}

fn zoya() -> Value {
    json!({
        "sub": "zoya-1",
        "given_name": "Зоя",
        "family_name": "Лебедева",
        "email": "zoya@example.com",
        "email_verified": true,
        "birthdate": "1990-05-03",
    })
}

/// Leaves for a provider; the address there.
async fn leave(who: &mut Browser, path: &str) -> String {
    let reply = follow(who, path).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text());
    reply.location().to_owned()
}

/// There and back again.
async fn come_by(who: &mut Browser, peer: &Peer, account: &Value) -> Reply {
    let there = leave(who, "/sign-in/with/test").await;
    who.get(&peer.agree(&there, account)).await
}

/// Gives a phone on the way and proves it.
async fn prove_own(who: &mut Browser, phone: &str) -> Reply {
    let asked = who
        .send("/sign-in/phone", "sign_in.give_phone", &[("phone", phone)])
        .await;
    asked.assert_leads_to("/sign-in/code");
    let code = who.app.code(phone).await;
    who.send("/sign-in/code", "sign_in.verify", &[("code", &code)]).await
}

/// A customer who has registered through the provider.
async fn registered(app: &TestApp, peer: &Peer, account: &Value) -> Browser {
    let mut who = app.anybody();
    assert_eq!(
        come_by(&mut who, peer, account).await.location(),
        "/sign-in/phone?next=/"
    );
    let phone = app.free_phone();
    assert_eq!(prove_own(&mut who, &phone).await.location(), "/sign-in/details");
    let saved = who.send("/sign-in/details", "sign_in.details", &details("Зоя")).await;
    saved.assert_leads_to("/sign-in/review");
    let done = who.send("/sign-in/review", "sign_in.register", &[]).await;
    assert_eq!(done.location(), "/welcome?done=registered");
    who
}

/// Follows a link of ours.
async fn follow(who: &mut Browser, path: &str) -> Reply {
    let here = [("sec-fetch-site", "same-origin")];
    who.request(axum::http::Method::GET, path, &here, Vec::new()).await
}

async fn identities(app: &TestApp) -> i64 {
    app.count("SELECT COUNT(*) FROM identities").await
}

fn is_in(who: &Browser) -> bool {
    who.cookies.contains_key("__Host-kabinet")
}

#[tokio::test]
async fn a_new_person_registers_with_what_the_provider_knows_and_comes_in_by_it() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    let mut who = app.anybody();
    let page = who.get("/sign-in?next=/points").await;
    page.assert_says("Войти через Тест ID");
    assert!(page.body.contains("href=\"/sign-in/with/test?next=/points\""));
    let there = leave(&mut who, "/sign-in/with/test?next=/points").await;
    let asked = query(&there);
    assert_eq!(asked["scope"], "openid profile email");
    assert_eq!(asked["redirect_uri"], format!("{HOME}/sign-in/back/test"));
    assert!(asked["state"].len() >= 32 && asked["nonce"].len() >= 32);
    let back = who.get(&peer.agree(&there, &zoya())).await;
    assert_eq!(back.location(), "/sign-in/phone?next=/points");
    assert!(who.get("/sign-in/phone").await.text().contains("zoya@example.com"));
    let phone = app.free_phone();
    assert_eq!(prove_own(&mut who, &phone).await.location(), "/sign-in/details");
    let form = who.get("/sign-in/details").await.form("sign_in.details");
    for (name, value) in [
        ("name", "Зоя"),
        ("surname", "Лебедева"),
        ("email", "zoya@example.com"),
        ("day", "3"),
        ("month", "5"),
        ("year", "1990"),
    ] {
        assert!(
            form.fields.contains(&(name.to_owned(), value.to_owned())),
            "{name}: {:?}",
            form.fields
        );
    }
    let mut sent = details("Зоя");
    sent.retain(|(name, _)| *name != "email");
    sent.push(("email", "zoya@example.com"));
    who.send("/sign-in/details", "sign_in.details", &sent).await;
    let done = who.send("/sign-in/review", "sign_in.register", &[]).await;
    assert_eq!(done.location(), "/welcome?done=registered");
    // What a provider calls a verified address is proved here by our own code only.
    assert_eq!(
        app.count("SELECT COUNT(*) FROM contacts WHERE kind = 'email' AND verified_at IS NOT NULL")
            .await,
        0
    );
    who.send("/card", "sign_out", &[]).await;
    assert!(!is_in(&who));
    let there = leave(&mut who, "/sign-in/with/test?next=/points").await;
    assert_eq!(who.get(&peer.agree(&there, &zoya())).await.location(), "/points");
    assert!(is_in(&who) && !who.cookies.contains_key("__Host-kabinet_handoff"));
    assert!(who.get("/").await.text().contains("Зоя"));
}

#[tokio::test]
async fn s19_the_verifier_is_sent_and_the_secret_too() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    let mut who = app.anybody();
    let there = leave(&mut who, "/sign-in/with/test").await;
    let challenge = query(&there)["code_challenge"].clone();
    assert_eq!(
        who.get(&peer.agree(&there, &zoya())).await.location(),
        "/sign-in/phone?next=/"
    );
    let asked = peer.with(|inner| inner.asked.clone());
    assert_eq!(asked.len(), 1);
    let verifier = &asked[0]["code_verifier"];
    assert!(verifier.len() >= 43);
    assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), challenge);
    assert!(!there.contains(verifier.as_str()));
    // A code that was asked for with another challenge is worth nothing.
    let mut other = app.anybody();
    let theirs = leave(&mut other, "/sign-in/with/test").await;
    let there = leave(&mut who, "/sign-in/with/test").await;
    let stolen = query(&peer.agree(&theirs, &zoya()))["code"].clone();
    let back = with(&peer.agree(&there, &zoya()), "code", Some(&stolen));
    assert_eq!(who.get(&back).await.location(), "/sign-in?outside=failed");
    // Where a provider gives no ID token, and so no nonce, that hangs on the verifier alone.
    let asked = peer.with(|inner| inner.asked.clone());
    assert_ne!(asked[0]["code_verifier"], asked[1]["code_verifier"]);
}

#[tokio::test]
async fn s19_the_state_is_of_this_browser_for_one_use_and_ten_minutes() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    registered(&app, &peer, &zoya()).await;
    let mut who = app.anybody();
    let there = leave(&mut who, "/sign-in/with/test").await;
    let back = peer.agree(&there, &zoya());
    let before = app.everything(&["handoffs", "limits"]).await;
    for wrong in [
        with(&back, "state", None),
        with(&back, "state", Some("")),
        with(&back, "state", Some("another")),
        back.replace("/back/test", "/back/work"),
    ] {
        let reply = who.get(&wrong).await;
        assert!(
            reply.location().ends_with("sign-in?outside=stale"),
            "{wrong}: {}",
            reply.location()
        );
    }
    // Login CSRF: somebody else's way back, in a browser that left for nowhere, and in one that left by itself.
    let mut victim = app.anybody();
    assert_eq!(victim.get(&back).await.location(), "/sign-in?outside=stale");
    leave(&mut victim, "/sign-in/with/test").await;
    assert_eq!(victim.get(&back).await.location(), "/sign-in?outside=stale");
    assert!(!is_in(&victim) && !is_in(&who));
    assert_eq!(
        app.everything(&["handoffs", "limits"]).await,
        before,
        "nothing came of any of it"
    );
    assert!(peer.with(|inner| inner.asked.len()) == 1, "nobody asked the provider");
    assert!(
        who.get("/sign-in?outside=stale")
            .await
            .text()
            .contains("Вход не закончен")
    );

    let cookies = who.cookies.clone();
    assert_eq!(who.get(&back).await.location(), "/");
    assert!(is_in(&who));
    // Once more with everything that the browser had.
    let mut again = app.anybody();
    again.cookies = cookies;
    assert_eq!(again.get(&back).await.location(), "/sign-in?outside=stale");
    assert!(!is_in(&again));

    let mut late = app.anybody();
    let there = leave(&mut late, "/sign-in/with/test").await;
    app.world.clock.set(start() + Duration::minutes(10));
    peer.with(|inner| inner.now = start() + Duration::minutes(10));
    assert_eq!(
        late.get(&peer.agree(&there, &zoya())).await.location(),
        "/sign-in?outside=stale"
    );
    assert!(!is_in(&late));
}

#[tokio::test]
async fn s19_the_cookie_of_the_way_is_bound_to_the_host_and_short() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    let reply = follow(&mut app.anybody(), "/sign-in/with/test").await;
    let set = reply.header("set-cookie");
    let (_, rest) = set.split_once(';').expect("attributes");
    assert!(set.starts_with("__Host-kabinet_handoff="), "{set}");
    assert_eq!(rest, " Max-Age=600; Path=/; HttpOnly; SameSite=Lax; Secure");
    let state = query(reply.location())["state"].clone();
    assert!(!set.contains(&state));
    let hashes = "SELECT COUNT(*) FROM handoffs WHERE length(state_hash) = 32 AND length(browser_hash) = 32";
    assert_eq!(app.count(hashes).await, 1);
}

#[tokio::test]
async fn s19_no_lie_of_an_id_token_is_believed() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    registered(&app, &peer, &zoya()).await;
    for lie in LIES {
        peer.does(lie);
        let before = app
            .count("SELECT COUNT(*) FROM audit WHERE action = 'sign_in.refused'")
            .await;
        let mut who = app.anybody();
        let reply = come_by(&mut who, &peer, &zoya()).await;
        assert_eq!(reply.location(), "/sign-in?outside=failed", "{lie:?}");
        assert!(
            !is_in(&who) && !who.cookies.contains_key("__Host-kabinet_attempt"),
            "{lie:?}"
        );
        let after = app
            .count("SELECT COUNT(*) FROM audit WHERE action = 'sign_in.refused'")
            .await;
        assert_eq!(after, before + 1, "{lie:?} is in the log");
    }
    peer.does(Fault::None);
    let mut who = app.anybody();
    assert_eq!(come_by(&mut who, &peer, &zoya()).await.location(), "/", "the truth is");
    assert!(is_in(&who));
    assert!(who.get("/sign-in?outside=failed").await.location() == "/");
    assert!(
        app.anybody()
            .get("/sign-in?outside=failed")
            .await
            .text()
            .contains("не прошёл проверку")
    );
}

#[tokio::test]
async fn s19_clocks_may_differ_by_a_minute_and_no_more() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    registered(&app, &peer, &zoya()).await;
    for (seconds, expected) in [(-59, "/"), (59, "/"), (61, "/sign-in?outside=failed")] {
        peer.with(|inner| inner.now = start() + Duration::seconds(seconds));
        let mut who = app.anybody();
        assert_eq!(
            come_by(&mut who, &peer, &zoya()).await.location(),
            expected,
            "{seconds}"
        );
    }
    // An hour behind, the token of five minutes is over.
    peer.with(|inner| inner.now = start() - Duration::hours(1));
    assert_eq!(
        come_by(&mut app.anybody(), &peer, &zoya()).await.location(),
        "/sign-in?outside=failed"
    );
}

#[tokio::test]
async fn s19_the_answer_is_of_the_issuer_that_was_asked() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    for issuer in [None, Some("https://another.example.com")] {
        let mut who = app.anybody();
        let there = leave(&mut who, "/sign-in/with/test").await;
        let back = with(&peer.agree(&there, &zoya()), "iss", issuer);
        assert_eq!(who.get(&back).await.location(), "/sign-in?outside=failed", "{issuer:?}");
    }
    assert!(peer.with(|inner| inner.asked.is_empty()), "the code went nowhere");
}

#[tokio::test]
async fn s19_a_code_is_used_once() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    let mut who = app.anybody();
    let there = leave(&mut who, "/sign-in/with/test").await;
    let first = peer.agree(&there, &zoya());
    assert_eq!(who.get(&first).await.location(), "/sign-in/phone?next=/");
    let code = query(&first)["code"].clone();
    let there = leave(&mut who, "/sign-in/with/test").await;
    let second = with(&peer.agree(&there, &zoya()), "code", Some(&code));
    assert_eq!(who.get(&second).await.location(), "/sign-in?outside=failed");
}

/// Not by an unverified e-mail address, and not by one that both sides call verified.
#[tokio::test]
async fn s19_an_address_links_nothing() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    let anna = app.customer("Анна").await;
    let proof = anna.proof().await;
    let db = &app.world.db;
    let fresh = proof.fresh(db).expect("just registered");
    crm::contact::store::add(db, &fresh, crm::contact::Kind::Email, "anna@example.com")
        .await
        .expect("a contact");
    for is_verified in [false, true] {
        if is_verified {
            app.execute("UPDATE contacts SET verified_at = created_at WHERE kind = 'email'")
                .await;
        }
        let account = json!({ "sub": "thief", "email": "anna@example.com", "email_verified": is_verified });
        let mut thief = app.anybody();
        let reply = come_by(&mut thief, &peer, &account).await;
        assert_eq!(reply.location(), "/sign-in/phone?next=/", "the phone is asked for");
        assert!(!is_in(&thief));
    }
    assert_eq!(identities(&app).await, 0);
}

/// Both were proved in this browser, so they are linked, and the customer is told.
#[tokio::test]
async fn s19_a_phone_proved_in_the_same_browser_links() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    let anna = app.customer("Анна").await;
    app.world.clock.set(start() + Duration::minutes(1));
    peer.with(|inner| inner.now = start() + Duration::minutes(1));
    let mut who = app.anybody();
    come_by(&mut who, &peer, &zoya()).await;
    assert_eq!(identities(&app).await, 0, "not before the phone is proved");
    assert_eq!(prove_own(&mut who, &anna.phone).await.location(), "/");
    assert!(who.get("/").await.text().contains("Анна"));
    assert_eq!(identities(&app).await, 1);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM outbox WHERE template = 'identity_linked'")
            .await,
        1
    );
    // A phone that comes by the other form afterwards carries no account along.
    let boris = app.customer("Борис").await;
    app.world.clock.set(start() + Duration::minutes(3));
    peer.with(|inner| inner.now = start() + Duration::minutes(3));
    let mut other = app.anybody();
    let account = json!({ "sub": "somebody else" });
    come_by(&mut other, &peer, &account).await;
    assert_eq!(other.prove(&boris.phone).await.location(), "/");
    assert_eq!(identities(&app).await, 1);
}

#[tokio::test]
async fn s19_somebody_elses_account_is_not_linked() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    registered(&app, &peer, &zoya()).await;
    let mut anna = app.customer("Анна").await;
    let there = follow(&mut anna, "/sign-in/with/test?link=1")
        .await
        .location()
        .to_owned();
    let reply = anna.get(&peer.agree(&there, &zoya())).await;
    assert_eq!(reply.location(), "/profile/providers?outside=taken");
    assert!(
        anna.get(reply.location())
            .await
            .text()
            .contains("Эта учётная запись занята")
    );
    assert_eq!(identities(&app).await, 1);
    // Nor to whoever is signed in when somebody else comes back.
    let own = json!({ "sub": "anna" });
    let there = follow(&mut anna, "/sign-in/with/test?link=1")
        .await
        .location()
        .to_owned();
    let back = peer.agree(&there, &own);
    let boris = app.customer("Борис").await;
    let mut mixed = anna.browser.clone();
    mixed
        .cookies
        .insert("__Host-kabinet".into(), boris.cookies["__Host-kabinet"].clone());
    assert_eq!(mixed.get(&back).await.location(), "/profile/providers?outside=stale");
    assert_eq!(identities(&app).await, 1);
    // Nor to herself in another session than the one that began it.
    app.world.clock.set(start() + Duration::minutes(1));
    peer.with(|inner| inner.now = start() + Duration::minutes(1));
    let there = follow(&mut anna, "/sign-in/with/test?link=1")
        .await
        .location()
        .to_owned();
    let back = peer.agree(&there, &own);
    let mut elsewhere = app.anybody();
    elsewhere.prove(&anna.phone).await;
    let mut mixed = anna.browser.clone();
    mixed
        .cookies
        .insert("__Host-kabinet".into(), elsewhere.cookies["__Host-kabinet"].clone());
    assert_eq!(mixed.get(&back).await.location(), "/profile/providers?outside=stale");
    assert_eq!(identities(&app).await, 1);
}

#[tokio::test]
async fn s19_linking_begins_on_our_own_pages_with_a_fresh_proof() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    let mut anna = app.customer("Анна").await;
    for header in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "none"),
        ("x-nothing", "at all"),
    ] {
        let reply = anna
            .request(
                axum::http::Method::GET,
                "/sign-in/with/test?link=1",
                &[header],
                Vec::new(),
            )
            .await;
        assert_eq!(reply.location(), "/profile/providers", "{header:?}");
    }
    assert_eq!(
        follow(&mut app.anybody(), "/sign-in/with/test?link=1").await.location(),
        "/sign-in?next=/profile/providers"
    );
    app.world.clock.set(start() + Duration::minutes(15));
    assert_eq!(
        follow(&mut anna, "/sign-in/with/test?link=1").await.location(),
        "/confirm?next=/profile/providers"
    );
    assert!(!anna.get("/profile/providers").await.body.contains("link=1"));
    assert_eq!(app.count("SELECT COUNT(*) FROM handoffs").await, 0);
}

#[tokio::test]
async fn a_customer_links_and_unlinks_in_the_profile() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    let mut anna = app.customer("Анна").await;
    assert!(
        anna.get("/profile/security")
            .await
            .body
            .contains("href=\"/profile/providers\"")
    );
    let page = anna.get("/profile/providers").await;
    assert!(
        page.body.contains("href=\"/sign-in/with/test?link=1\""),
        "{}",
        page.text()
    );
    assert!(!page.body.contains("/sign-in/with/work"), "that one is for staff");
    let there = follow(&mut anna, "/sign-in/with/test?link=1")
        .await
        .location()
        .to_owned();
    let reply = anna.get(&peer.agree(&there, &zoya())).await;
    assert_eq!(reply.location(), "/profile/providers?done=linked");
    let page = anna.get(reply.location()).await;
    page.assert_says("zoya@example.com");
    assert!(!page.body.contains("device.end_others"), "she is nowhere else");
    let mut elsewhere = app.anybody();
    app.world.clock.set(start() + Duration::minutes(1));
    elsewhere.prove(&anna.phone).await;
    let page = anna.get(reply.location()).await;
    page.form("device.end_others");
    let unlink = page.form("provider.unlink");

    let mut boris = app.customer("Борис").await;
    let refused = boris.submit("/profile/providers", &unlink).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!refused.text().contains("zoya@example.com"), "{}", refused.text());
    assert_eq!(identities(&app).await, 1);

    // The last way in stays, whatever became of the phone.
    app.execute("UPDATE contacts SET verified_at = NULL").await;
    let refused = anna.submit("/profile/providers", &unlink).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("role=\"alert\""), "{}", refused.text());
    assert_eq!(identities(&app).await, 1);
    app.execute("UPDATE contacts SET verified_at = created_at").await;

    app.world.clock.set(start() + Duration::minutes(15));
    assert_eq!(
        anna.submit("/profile/providers", &unlink).await.location(),
        "/confirm?next=/profile/providers"
    );
    assert_eq!(identities(&app).await, 1);
    app.world.clock.set(start() + Duration::minutes(14));
    let done = anna.submit("/profile/providers", &unlink).await;
    done.assert_leads_to("/profile/providers?done=unlinked");
    app.assert_row("identity.unlink").await;
    assert_eq!(identities(&app).await, 0);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM outbox WHERE template IN ('identity_linked', 'identity_unlinked')")
            .await,
        2
    );
}

#[tokio::test]
async fn s19_nobody_is_led_to_another_site() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    registered(&app, &peer, &zoya()).await;
    let long = format!("/{}", "x".repeat(600));
    for next in [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a b",
        &long,
    ] {
        let mut who = app.anybody();
        let path = format!("/sign-in/with/test?{}", encode(&[("next", next)]));
        let there = leave(&mut who, &path).await;
        assert_eq!(who.get(&peer.agree(&there, &zoya())).await.location(), "/", "{next}");
        // Signed in already, the provider is not asked at all.
        let again = who.get(&path).await;
        assert_eq!(again.location(), "/", "{next}");
    }
    let mut clerk = app.anybody();
    let there = leave(&mut clerk, "/sign-in/with/work?next=/points").await;
    let account = json!({ "sub": "o", "preferred_username": "olga", "amr": ["mfa"], "realm_access": { "roles": ["kabinet-agent"] } });
    assert_eq!(clerk.get(&peer.agree(&there, &account)).await.location(), "/admin");
}

/// A browser that came in meanwhile and now comes back from a provider has one session, not two (7.2.4).
#[tokio::test]
async fn s13_the_session_that_a_browser_had_ends_when_it_comes_back_from_a_provider() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    registered(&app, &peer, &zoya()).await;
    let anna = app.customer("Анна").await;
    let mut who = app.anybody();
    let there = leave(&mut who, "/sign-in/with/test").await;
    app.world.clock.set(start() + Duration::minutes(1));
    assert_eq!(who.prove(&anna.phone).await.location(), "/");
    let mut old = app.anybody();
    old.cookies = who.cookies.clone();
    assert_eq!(who.get(&peer.agree(&there, &zoya())).await.location(), "/");
    assert_ne!(who.cookies["__Host-kabinet"], old.cookies["__Host-kabinet"]);
    assert!(who.get("/").await.text().contains("Зоя"));
    assert_eq!(old.get("/card").await.location(), "/sign-in?next=/card");
    assert!(
        anna.browser.clone().get("/").await.text().contains("Анна"),
        "on another device she stays"
    );
}

/// What is discovered has to be of the issuer that the configuration names (10.5.3).
#[tokio::test]
async fn s19_what_another_issuer_says_of_itself_is_not_believed() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    peer.does(Fault::MetadataOfAnother);
    let reply = follow(&mut app.anybody(), "/sign-in/with/test").await;
    assert_eq!(reply.location(), "/sign-in?outside=down");
    assert_eq!(app.count("SELECT COUNT(*) FROM handoffs").await, 0, "nobody left");
    peer.does(Fault::None);
    let there = leave(&mut app.anybody(), "/sign-in/with/test").await;
    assert!(there.starts_with(&peer.issuer()), "{there}");
}

/// A link or a picture on another site begins no sign-in: whoever follows it finds our page of ways in (7.6.2).
#[tokio::test]
async fn s19_a_sign_in_begins_on_our_own_pages_or_at_a_typed_address() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    for (provider, page) in [("test", "/sign-in"), ("work", "/admin/sign-in")] {
        let path = format!("/sign-in/with/{provider}");
        for header in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("referer", "https://evil.example/"),
            ("x-nothing", "at all"),
        ] {
            let get = axum::http::Method::GET;
            let mut who = app.anybody();
            let reply = who.request(get.clone(), &path, &[header], Vec::new()).await;
            assert_eq!(reply.location(), page, "{header:?}");
            assert!(who.cookies.is_empty(), "{header:?}");
            let wanted = who
                .request(get.clone(), &format!("{path}?next=/points"), &[header], Vec::new())
                .await;
            assert_eq!(wanted.location(), format!("{page}?next=/points"), "{header:?}");
            let elsewhere = who
                .request(get, &format!("{path}?next=//evil.example"), &[header], Vec::new())
                .await;
            assert_eq!(elsewhere.location(), page, "{header:?}");
        }
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM handoffs").await, 0, "nobody left");
    for header in [
        ("sec-fetch-site", "none"),
        ("referer", "https://club.example.com/sign-in"),
    ] {
        let reply = app
            .anybody()
            .request(axum::http::Method::GET, "/sign-in/with/test", &[header], Vec::new())
            .await;
        assert!(reply.location().starts_with(&peer.issuer()), "{header:?}");
    }
}

#[tokio::test]
async fn who_does_not_want_to_is_told_so_kindly() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    for (error, expected) in [
        ("access_denied", "/sign-in?outside=denied"),
        ("server_error", "/sign-in?outside=down"),
        ("<script>", "/sign-in?outside=down"),
    ] {
        let mut who = app.anybody();
        let there = leave(&mut who, "/sign-in/with/test").await;
        let back = [
            ("error", error.to_owned()),
            ("error_description", "<b>words of somebody else</b>".to_owned()),
            ("state", query(&there)["state"].clone()),
            ("iss", peer.issuer()),
        ];
        let reply = who.get(&format!("/sign-in/back/test?{}", encode(&back))).await;
        assert_eq!(reply.location(), expected);
        let page = who.get(reply.location()).await;
        assert!(page.body.contains("role=\"alert\"") && page.text().contains("Войти через Тест ID"));
        assert!(page.text().contains("Получить код"), "the other ways are there");
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_stops_nothing_else() {
    let peer = Peer::new().await;
    // Nobody listens there any more.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = gone.local_addr().expect("an address").port();
    drop(gone);
    let nowhere = Provider {
        issuer: Some(format!("http://127.0.0.1:{port}")),
        ..provider(&peer, "nowhere", Kind::Oidc)
    };
    let app = TestApp::with_providers(vec![provider(&peer, "test", Kind::Oidc), nowhere]).await;
    assert_eq!(
        follow(&mut app.anybody(), "/sign-in/with/nowhere").await.location(),
        "/sign-in?outside=down"
    );
    const FAULTS: [Fault; 5] = [Fault::Broken, Fault::Huge, Fault::Slow, Fault::Elsewhere, Fault::NoJson];
    for fault in FAULTS {
        peer.does(fault);
        let reply = follow(&mut app.anybody(), "/sign-in/with/test").await;
        assert_eq!(reply.location(), "/sign-in?outside=down", "{fault:?}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM handoffs").await, 0, "nobody left");
    // It comes back, and breaks again while somebody is there.
    for fault in FAULTS {
        peer.does(Fault::None);
        let mut who = app.anybody();
        let there = leave(&mut who, "/sign-in/with/test").await;
        let back = peer.agree(&there, &zoya());
        peer.does(fault);
        assert_eq!(who.get(&back).await.location(), "/sign-in?outside=down", "{fault:?}");
        assert!(!is_in(&who));
    }
    assert_eq!(identities(&app).await, 0);
    // What was discovered once is remembered.
    let before = peer.with(|inner| inner.discovered);
    peer.does(Fault::None);
    leave(&mut app.anybody(), "/sign-in/with/test").await;
    assert_eq!(peer.with(|inner| inner.discovered), before);
    assert!(
        app.anybody()
            .get("/sign-in?outside=down")
            .await
            .text()
            .contains("сейчас не работает")
    );
}

#[tokio::test]
async fn a_provider_may_change_its_key() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    registered(&app, &peer, &zoya()).await;
    peer.with(|inner| {
        inner.key = key();
        inner.key_id = "2".into();
    });
    assert_eq!(come_by(&mut app.anybody(), &peer, &zoya()).await.location(), "/");
}

#[tokio::test]
async fn a_provider_that_nobody_configured_is_no_page() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    for path in ["/sign-in/with/another", "/sign-in/back/another?code=1&state=2"] {
        let reply = app.anybody().get(path).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
        assert!(reply.header("content-security-policy").contains("form-action 'self'"));
    }
    let plain = TestApp::new().await;
    assert_eq!(
        plain.anybody().get("/sign-in/with/test").await.status,
        StatusCode::NOT_FOUND
    );
    assert!(!plain.anybody().get("/sign-in").await.text().contains("Войти через"));
}

#[tokio::test]
async fn a_browser_that_looks_ahead_begins_no_way() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    let mut who = app.anybody().with("sec-purpose", "prefetch;prerender");
    assert_eq!(
        who.get("/sign-in/with/test").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM handoffs").await, 0);
}

/// Yandex ID and VK ID, spoken to as their documentation says, on addresses of ours.
#[tokio::test]
async fn presets_read_their_own_answers() {
    let peer = Peer::new().await;
    let app = TestApp::with_providers(vec![
        provider(&peer, "yandex", Kind::Yandex),
        provider(&peer, "vk", Kind::Vk),
    ])
    .await;
    let yandex = json!({
        "id": "1000034426", "login": "zoya", "first_name": "Зоя", "last_name": "Лебедева",
        "default_email": "zoya@yandex.ru", "birthday": "1990-05-03", "client_id": CLIENT,
    });
    let vk = json!({
        "user": { "user_id": "1234567890", "first_name": "Зоя", "last_name": "Лебедева", "birthday": "03.05.1990" },
    });
    for (id, account, subject, shown) in [
        ("yandex", yandex, "1000034426", "zoya@yandex.ru"),
        ("vk", vk, "1234567890", "Зоя Лебедева"),
    ] {
        let mut who = app.anybody();
        let there = leave(&mut who, &format!("/sign-in/with/{id}")).await;
        assert!(!there.contains("nonce="), "{there}");
        let mut back = peer.agree(&there, &account);
        if id == "vk" {
            back.push_str("&device_id=d-1&type=code_v2&ext_id=e");
        }
        assert_eq!(who.get(&back).await.location(), "/sign-in/phone?next=/", "{id}");
        assert!(who.get("/sign-in/phone").await.text().contains(shown), "{id}");
        let asked = peer.with(|inner| inner.asked.last().cloned()).expect("asked");
        assert!(asked["code_verifier"].len() >= 43);
        if id == "vk" {
            assert_eq!(
                (asked["device_id"].as_str(), asked["client_id"].as_str()),
                ("d-1", CLIENT)
            );
            assert_eq!(asked["state"], query(&there)["state"]);
        }
        let phone = app.free_phone();
        assert_eq!(prove_own(&mut who, &phone).await.location(), "/sign-in/details");
        let form = who.get("/sign-in/details").await.form("sign_in.details");
        for (name, value) in [
            ("name", "Зоя"),
            ("surname", "Лебедева"),
            ("day", "3"),
            ("month", "5"),
            ("year", "1990"),
        ] {
            assert!(
                form.fields.contains(&(name.to_owned(), value.to_owned())),
                "{id} {name}"
            );
        }
        let pending = app
            .count("SELECT COUNT(*) FROM attempts WHERE identity IS NOT NULL AND finished_at IS NULL")
            .await;
        assert_eq!(pending, 1);
        who.send("/sign-in/details", "sign_in.details", &details("Зоя")).await;
        who.send("/sign-in/review", "sign_in.register", &[]).await;
        let kept = match subject {
            "1000034426" => "SELECT COUNT(*) FROM identities WHERE provider = 'yandex' AND subject = '1000034426'",
            _ => "SELECT COUNT(*) FROM identities WHERE provider = 'vk' AND subject = '1234567890'",
        };
        assert_eq!(app.count(kept).await, 1, "{id}");
    }
}

fn olga(roles: &[&str], amr: &[&str]) -> Value {
    json!({
        "sub": "olga-1",
        "preferred_username": "olga",
        "given_name": "Ольга",
        "family_name": "Ли",
        "realm_access": { "roles": roles },
        "amr": amr,
    })
}

async fn work(who: &mut Browser, peer: &Peer, account: &Value) -> Reply {
    let there = leave(who, "/sign-in/with/work?next=/admin/customers").await;
    who.get(&peer.agree(&there, account)).await
}

#[tokio::test]
async fn staff_come_in_with_the_role_of_their_claim() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    let page = app.anybody().get("/admin/sign-in?next=/admin/customers").await;
    assert!(
        page.body.contains("href=\"/sign-in/with/work?next=/admin/customers\""),
        "{}",
        page.text()
    );
    assert!(!page.body.contains("/sign-in/with/test"), "that one is for customers");
    let mut who = app.anybody();
    let roles = ["other", "kabinet-agent", "kabinet-administrator"];
    let reply = work(&mut who, &peer, &olga(&roles, &["pwd", "mfa"])).await;
    assert_eq!(reply.location(), "/admin/customers");
    assert_eq!(who.get("/admin/customers").await.status, StatusCode::OK);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM staff WHERE login = 'olga' AND role = 'administrator'")
            .await,
        1,
        "the first of the map that she has"
    );
    // A role that vanishes there ends the access here at the next sign-in.
    let mut later = app.anybody();
    let reply = work(&mut later, &peer, &olga(&["other"], &["mfa"])).await;
    assert_eq!(reply.location(), "/admin/sign-in?outside=refused");
    assert!(
        later
            .get(reply.location())
            .await
            .text()
            .contains("Обратитесь к администратору")
    );
    assert!(
        who.get("/admin/customers")
            .await
            .location()
            .starts_with("/admin/sign-in")
    );
    assert!(!later.cookies.contains_key("__Host-kabinet_staff"));
}

#[tokio::test]
async fn s09_staff_give_our_second_factor_unless_the_id_token_says_that_theirs_was_given() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    for amr in [&[][..], &["pwd"][..]] {
        let mut who = app.anybody();
        let reply = work(&mut who, &peer, &olga(&["kabinet-agent"], amr)).await;
        assert_eq!(
            reply.location(),
            "/admin/sign-in/setup?next=/admin/customers",
            "{amr:?}"
        );
        assert!(!who.cookies.contains_key("__Host-kabinet_staff"));
        assert!(who.cookies.contains_key("__Host-kabinet_staff_attempt"));
    }
    // What the account says beside the ID token nobody has signed.
    peer.does(Fault::FactorUnsigned);
    let mut who = app.anybody();
    let reply = work(&mut who, &peer, &olga(&["kabinet-agent"], &["mfa"])).await;
    assert_eq!(reply.location(), "/admin/sign-in/setup?next=/admin/customers");
    peer.does(Fault::None);
    // Where the configuration counts on ours alone, nothing that the provider says changes that.
    let ours = Provider {
        second_factor: SecondFactor::Ours,
        ..for_staff(&peer)
    };
    let app = TestApp::with_providers(vec![ours]).await;
    let mut who = app.anybody();
    let reply = work(&mut who, &peer, &olga(&["kabinet-agent"], &["mfa"])).await;
    assert_eq!(reply.location(), "/admin/sign-in/setup?next=/admin/customers");
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions").await, 0);
}

#[tokio::test]
async fn s19_staff_are_known_by_their_account_and_never_by_a_name() {
    let peer = Peer::new().await;
    let closed = Provider {
        create: false,
        ..for_staff(&peer)
    };
    let app = TestApp::with_providers(vec![closed]).await;
    app.employ_as("olga", "agent").await;
    let mut who = app.anybody();
    let reply = work(&mut who, &peer, &olga(&["kabinet-administrator"], &["mfa"])).await;
    assert_eq!(reply.location(), "/admin/sign-in?outside=refused");
    // And where new people are let in, a login that is taken stays whose it is.
    let app = TestApp::with_providers(vec![for_staff(&peer)]).await;
    app.employ_as("olga", "agent").await;
    let mut who = app.anybody();
    let reply = work(&mut who, &peer, &olga(&["kabinet-administrator"], &["mfa"])).await;
    assert_eq!(reply.location(), "/admin/sign-in?outside=refused");
    assert_eq!(
        app.count("SELECT COUNT(*) FROM staff WHERE role = 'administrator'")
            .await,
        0
    );
    assert_eq!(identities(&app).await, 0);
}

/// So much later, here and there.
fn later(app: &TestApp, peer: &Peer, minutes: i64) {
    let now = start() + Duration::minutes(minutes);
    app.world.clock.set(now);
    peer.with(|inner| inner.now = now);
}

/// Something dangerous that staff do: where it leads to.
async fn ends_others(who: &mut Browser) -> String {
    let reply = who.send("/admin/security", "staff.end_others", &[]).await;
    reply.location().to_owned()
}

const ASKED: &str = "/admin/confirm?next=/admin/security";
const AT_WORK: &str = "/sign-in/with/work?next=/admin/security&confirm=1";

#[tokio::test]
async fn s15_staff_without_a_factor_of_their_own_prove_it_anew_at_the_provider() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    let account = olga(&["kabinet-agent"], &["mfa"]);
    let mut who = app.anybody();
    assert_eq!(work(&mut who, &peer, &account).await.location(), "/admin/customers");
    assert_eq!(ends_others(&mut who).await, "/admin/security?done=others");
    later(&app, &peer, 15);
    assert_eq!(ends_others(&mut who).await, ASKED);
    let page = who.get(ASKED).await;
    page.assert_says("Подтвердить через Тест ID");
    assert!(
        !page.body.contains("confirm.second"),
        "she has no codes: {}",
        page.text()
    );
    assert!(page.body.replace("&amp;", "&").contains(AT_WORK), "{}", page.body);
    let there = leave(&mut who, AT_WORK).await;
    let asked = query(&there);
    assert_eq!((asked["prompt"].as_str(), asked["max_age"].as_str()), ("login", "0"));
    let old = who.cookies["__Host-kabinet_staff"].clone();
    let back = who.get(&peer.agree(&there, &account)).await;
    assert_eq!(back.location(), "/admin/security");
    assert_ne!(
        who.cookies["__Host-kabinet_staff"], old,
        "another token for another proof"
    );
    assert_eq!(ends_others(&mut who).await, "/admin/security?done=others");
    assert_eq!(
        app.count("SELECT COUNT(*) FROM audit WHERE action = 'confirm'").await,
        1
    );
    assert_eq!(
        app.count("SELECT COUNT(*) FROM sessions").await,
        1,
        "it is the same session"
    );
}

#[tokio::test]
async fn s15_a_provider_that_asked_nobody_proves_nothing_anew() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    let account = olga(&["kabinet-agent"], &["mfa"]);
    let mut who = app.anybody();
    work(&mut who, &peer, &account).await;
    later(&app, &peer, 15);
    let weak = olga(&["kabinet-agent"], &["pwd"]);
    let mut another = account.clone();
    another["sub"] = "another".into();
    for (fault, account, told) in [
        (Fault::AsksNobody, &account, "unasked"),
        (Fault::NoProofTime, &account, "unasked"),
        (Fault::None, &weak, "unasked"),
        (Fault::None, &another, "another"),
    ] {
        peer.does(fault);
        let there = leave(&mut who, AT_WORK).await;
        let back = who.get(&peer.agree(&there, account)).await;
        assert_eq!(back.location(), format!("{ASKED}&outside={told}"), "{fault:?}");
        let page = who.get(back.location()).await;
        assert!(page.body.contains("role=\"alert\""), "{}", page.text());
        page.assert_says("Подтвердить через Тест ID");
        assert_eq!(ends_others(&mut who).await, ASKED, "{fault:?}");
    }
    assert!(
        who.get(&format!("{ASKED}&outside=unasked"))
            .await
            .text()
            .contains("должны быть auth_time")
    );
    assert_eq!(
        app.count("SELECT COUNT(*) FROM audit WHERE action = 'sign_in.refused'")
            .await,
        4
    );
    assert_eq!(
        app.count("SELECT COUNT(*) FROM staff").await,
        1,
        "nobody was entered by it"
    );
    // Who does not want to is told so where the other ways are, or would be.
    peer.does(Fault::None);
    let there = leave(&mut who, AT_WORK).await;
    let no = [
        ("error", "access_denied".to_owned()),
        ("state", query(&there)["state"].clone()),
        ("iss", peer.issuer()),
    ];
    let back = who.get(&format!("/sign-in/back/work?{}", encode(&no))).await;
    assert_eq!(back.location(), format!("{ASKED}&outside=declined"));
    // A role that vanished there ends the access here, whatever else was proved.
    let there = leave(&mut who, AT_WORK).await;
    let back = who.get(&peer.agree(&there, &olga(&["other"], &["mfa"]))).await;
    assert_eq!(back.location(), "/admin/sign-in?outside=refused");
    assert!(ends_others(&mut who).await.starts_with("/admin/sign-in"));
}

/// Whoever finds a browser that is signed in at the provider has proved nothing.
#[tokio::test]
async fn s15_a_sign_in_is_as_fresh_as_the_proof_at_the_provider() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    let account = olga(&["kabinet-agent"], &["mfa"]);
    for (fault, age, expected) in [
        (Fault::None, 0, "/admin/security?done=others"),
        (Fault::None, 14, "/admin/security?done=others"),
        (Fault::None, 15, ASKED),
        (Fault::None, 300, ASKED),
        (Fault::NoProofTime, 0, ASKED),
    ] {
        peer.does(fault);
        peer.with(|inner| inner.since = start() - Duration::minutes(age));
        let mut who = app.anybody();
        let there = leave(&mut who, "/sign-in/with/work").await;
        assert_eq!(query(&there)["max_age"], "43200", "as long as a session of staff lasts");
        assert!(!query(&there).contains_key("prompt"));
        assert_eq!(who.get(&peer.agree(&there, &account)).await.location(), "/admin");
        assert_eq!(ends_others(&mut who).await, expected, "{fault:?} {age}");
    }
}

#[tokio::test]
async fn s15_proving_anew_begins_on_our_own_pages_and_for_who_has_nothing_better() {
    let peer = Peer::new().await;
    let app = site(&peer).await;
    let mut nobody = app.anybody();
    assert_eq!(
        follow(&mut nobody, AT_WORK).await.location(),
        "/admin/sign-in?next=/admin/security"
    );
    let id = app.employ_as("olga", "agent").await;
    let by = crm::who::System::at_the_command_line();
    let db = &app.world.db;
    let secret = crm::factor::store::give_totp(db, &by, id)
        .await
        .expect("a second factor");
    let account = crm::identity::Outside {
        provider: "work".into(),
        issuer: peer.issuer(),
        subject: "olga-1".into(),
        shown: "olga".into(),
        ..Default::default()
    };
    crm::identity::store::link_staff(db, &by, id, &account)
        .await
        .expect("linked");
    let mut who = app.enter("olga", &secret).await;
    for header in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "none"),
        ("x-nothing", "at all"),
    ] {
        let get = axum::http::Method::GET;
        let reply = who.request(get, AT_WORK, &[header], Vec::new()).await;
        assert_eq!(reply.location(), ASKED, "{header:?}");
    }
    // With the codes of an app nothing less proves it.
    let page = who.get(ASKED).await;
    assert!(page.body.contains("confirm.second") && !page.text().contains("Подтвердить через"));
    let refused = follow(&mut who, AT_WORK).await;
    assert!(refused.status.is_client_error(), "{}", refused.status);
    assert_eq!(app.count("SELECT COUNT(*) FROM handoffs").await, 0, "nobody left");
}

#[tokio::test]
async fn s15_customers_who_came_by_an_old_session_elsewhere_prove_it_anew() {
    let peer = Peer::new().await;
    let app = TestApp::with_providers(vec![
        provider(&peer, "test", Kind::Oidc),
        provider(&peer, "yandex", Kind::Yandex),
    ])
    .await;
    let mut who = registered(&app, &peer, &zoya()).await;
    who.send("/card", "sign_out", &[]).await;
    peer.with(|inner| inner.since = start() - Duration::hours(1));
    assert_eq!(come_by(&mut who, &peer, &zoya()).await.location(), "/");
    let asked = who.send("/devices", "device.end_others", &[]).await;
    assert_eq!(asked.location(), "/confirm?next=/devices");
    let page = who.get(asked.location()).await;
    page.assert_says("Подтвердить через Тест ID");
    page.form("confirm.send");
    let way = "/sign-in/with/test?next=/devices&confirm=1";
    assert!(page.body.replace("&amp;", "&").contains(way), "{}", page.body);
    let there = leave(&mut who, way).await;
    assert_eq!(who.get(&peer.agree(&there, &zoya())).await.location(), "/devices");
    let done = who.send("/devices", "device.end_others", &[]).await;
    done.assert_leads_to("/devices?done=others");

    // Plain OAuth cannot say when somebody was asked: a code does it.
    let mut anna = app.customer("Анна").await;
    let account = json!({ "id": "77", "login": "anna", "default_email": "anna@yandex.ru" });
    let there = leave(&mut anna, "/sign-in/with/yandex?link=1").await;
    let linked = anna.get(&peer.agree(&there, &account)).await;
    assert_eq!(linked.location(), "/profile/providers?done=linked");
    anna.send("/card", "sign_out", &[]).await;
    let there = leave(&mut anna, "/sign-in/with/yandex").await;
    assert!(!there.contains("max_age"), "{there}");
    assert_eq!(anna.get(&peer.agree(&there, &account)).await.location(), "/");
    let asked = anna.send("/devices", "device.end_others", &[]).await;
    assert_eq!(asked.location(), "/confirm?next=/devices");
    let page = anna.get(asked.location()).await;
    page.form("confirm.send");
    assert!(!page.text().contains("Подтвердить через"), "{}", page.text());
    let typed = follow(&mut anna, "/sign-in/with/yandex?next=/devices&confirm=1").await;
    assert_eq!(typed.location(), "/confirm?next=/devices&outside=unasked");
}
