//! Coming in through outside providers: the way there and the way back. Both are links, not forms: a form would be
//! stopped by our own policy once it is redirected to the provider (`form-action`).

pub mod client;
pub mod config;

use crate::router::{self, App};
use app::account::sign_in::{onward_to, set_attempt};
use app::admin::places;
use app::cx::{Cx, cookie};
use app::route::{Next, with_next, with_untrusted_next};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use chrono::TimeDelta;
use client::{Answer, Peer, Said, Trouble, text};
use config::{SecondFactor, Whom};
use crm::factor::Known;
use crm::identity::store::{
    self as identity, Confirmed, Errand, Leaving, Link, Purpose, Refusal, Returned, StaffClaims, StaffEntered,
};
use crm::identity::{Outside, birthday};
use crm::signin::store::Verified;
use crm::staff::Role;
use crm::who::{CUSTOMER_ABSOLUTE, STAFF_ABSOLUTE, Token};
use islands::AppError;
use oauth2::PkceCodeChallenge;
use serde_json::Value;
use std::sync::Arc;

/// Where customers see what lets them in.
const PROFILE: &str = "/profile/providers";
/// The longest address to come back to that is kept along the way.
const NEXT_LIMIT: usize = 500;
/// The longest text that is kept of what a provider says.
const TEXT_LIMIT: usize = 100;

/// The routes that are no pages: the way there and the way back.
pub fn routes(app: &App) -> Vec<(&'static str, MethodRouter)> {
    let doors = Arc::new(Doors::new(app));
    let there = doors.clone();
    vec![
        (
            "/sign-in/with/{provider}",
            get(async move |request: Request| there.open(request, Direction::There).await),
        ),
        (
            "/sign-in/back/{provider}",
            get(async move |request: Request| doors.open(request, Direction::Back).await),
        ),
    ]
}

#[derive(Clone, Copy)]
enum Direction {
    There,
    Back,
}

/// Every provider of the configuration.
struct Doors {
    app: App,
    peers: Vec<Peer>,
}

/// Why somebody is led back without having come in, as the page names it in `?outside=`.
#[derive(Clone, Copy)]
enum Told {
    Down,
    Denied,
    Stale,
    Failed,
    Taken,
    Refused,
    Declined,
    Unasked,
    Another,
}

impl Told {
    const fn code(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Denied => "denied",
            Self::Stale => "stale",
            Self::Failed => "failed",
            Self::Taken => "taken",
            Self::Refused => "refused",
            Self::Declined => "declined",
            Self::Unasked => "unasked",
            Self::Another => "another",
        }
    }
}

impl Doors {
    fn new(app: &App) -> Self {
        let peer = |http: &reqwest::Client, provider: &config::Provider| {
            Peer::new(provider.clone(), http.clone(), &app.config.public_url)
        };
        let peers = match client::http() {
            Ok(http) => app.config.providers.iter().map(|p| peer(&http, p)).collect(),
            Err(e) => {
                tracing::error!(error = %e, "nothing can be asked of providers");
                Vec::new()
            }
        };
        Self {
            app: app.clone(),
            peers,
        }
    }

    async fn open(&self, request: Request, direction: Direction) -> Response {
        let (mut parts, _) = request.into_parts();
        let cx = match router::at_hand(&self.app, &mut parts).await {
            Ok(cx) => cx,
            Err(response) => return response,
        };
        let outcome = match (self.peer(&cx), direction) {
            (Err(error), _) => Err(error),
            // A browser that only looks ahead walks no way that can be walked once.
            (Ok(_), _) if !cx.is_visit => Err(AppError::Busy),
            (Ok(peer), Direction::There) => there(peer, &cx, &parts.headers, &self.app.config.public_url).await,
            (Ok(peer), Direction::Back) => back(peer, &cx).await,
        };
        router::lead(&self.app, &cx, outcome).await
    }

    fn peer(&self, cx: &Cx) -> Result<&Peer, AppError> {
        let id = cx.params.get("provider").ok_or(AppError::NotFound)?;
        let found = self.peers.iter().find(|peer| peer.config.id == *id);
        found.ok_or(AppError::NotFound)
    }
}

/// Whether a link was followed on a page of ours. Linking an account begins nowhere else: on another site somebody could
/// be led to link an account that is not theirs.
fn is_led_from_here(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    match (text("sec-fetch-site"), text("referer")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(referer)) => referer
            .strip_prefix(public_url)
            .is_some_and(|rest| rest.starts_with('/')),
        (None, None) => false,
    }
}

/// Whether somebody comes in by an act of their own: a link on a page of ours, or an address that they typed or kept.
/// Another site could otherwise begin a sign-in for whoever looks at it (ASVS 5.0, 7.6.2).
fn is_asked_for(headers: &HeaderMap, public_url: &str) -> bool {
    let is_typed = headers.get("sec-fetch-site").is_some_and(|site| site == "none");
    is_typed || is_led_from_here(headers, public_url)
}

/// Who is signed in, of those whom a provider lets in.
fn known<'a>(peer: &Peer, cx: &'a Cx) -> Option<Known<'a>> {
    match peer.config.whom {
        Whom::Staff => cx.staff.as_ref().map(Known::Staff),
        Whom::Customers => cx.customer.as_ref().map(Known::Customer),
    }
}

/// Where those come in whom a provider lets in.
fn sign_in_page(peer: &Peer) -> &'static str {
    match peer.config.whom {
        Whom::Staff => "/admin/sign-in",
        Whom::Customers => "/sign-in",
    }
}

/// Sends somebody to a provider.
async fn there(peer: &Peer, cx: &Cx, headers: &HeaderMap, public_url: &str) -> Result<String, AppError> {
    let wanted = cx.query("next").filter(|next| next.len() <= NEXT_LIMIT);
    let is_link = cx.query("link").is_some();
    let is_confirm = cx.query("confirm").is_some();
    let comes_in = !is_confirm && (peer.config.whom == Whom::Staff || (cx.customer.is_none() && !is_link));
    if comes_in && !is_asked_for(headers, public_url) {
        return Ok(with_untrusted_next(sign_in_page(peer), wanted));
    }
    let fresh;
    let (errand, next) = match (peer.config.whom, &cx.customer) {
        _ if is_confirm => {
            let Some(by) = known(peer, cx) else {
                return Ok(with_untrusted_next(sign_in_page(peer), wanted));
            };
            let next = match by {
                Known::Staff(_) => {
                    let wanted = wanted.filter(|next| next.starts_with("/admin/"));
                    Next::to_untrusted(wanted, "/admin/security")
                }
                Known::Customer(_) => Next::to_untrusted(wanted, "/profile/security"),
            };
            // Another site could otherwise lead somebody to prove anew what it has in mind.
            if !is_led_from_here(headers, public_url) {
                return Ok(with_next(confirm_page(peer), next.path()));
            }
            if !peer.config.confirms() {
                return Ok(place(peer, cx, Some(next.path()), Told::Unasked));
            }
            (Errand::Confirm(by), next)
        }
        (Whom::Staff, _) => {
            let wanted = wanted.filter(|next| next.starts_with("/admin/"));
            (Errand::Staff, Next::to_untrusted(wanted, places::HOME))
        }
        (Whom::Customers, None) if is_link => return Ok(format!("/sign-in?next={PROFILE}")),
        (Whom::Customers, Some(_)) if is_link && !is_led_from_here(headers, public_url) => return Ok(PROFILE.into()),
        (Whom::Customers, Some(customer)) if is_link => {
            let Ok(by) = customer.fresh(&cx.db) else {
                return Ok(format!("/confirm?next={PROFILE}"));
            };
            fresh = by;
            (Errand::Link(&fresh), Next::to(PROFILE))
        }
        (Whom::Customers, Some(_)) => return Ok(Next::to_untrusted(wanted, "/").path().to_owned()),
        (Whom::Customers, None) => (Errand::SignIn, Next::to_untrusted(wanted, "/")),
    };
    let confirm = is_confirm.then_some(next.path());
    // Whoever proved it there longer ago than a session of ours may last is asked there again. A link makes nothing fresh.
    let max_age = match errand {
        Errand::Confirm(_) => Some(TimeDelta::zero()),
        Errand::Staff => Some(STAFF_ABSOLUTE),
        Errand::SignIn => Some(CUSTOMER_ABSOLUTE),
        Errand::Link(_) => None,
    };
    let endpoints = match peer.endpoints().await {
        Ok(endpoints) => endpoints,
        Err(trouble) => return Ok(tell(peer, cx, confirm, &trouble)),
    };
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let nonce = Token::random();
    let leaving = Leaving {
        provider: &peer.config.id,
        errand,
        nonce: &nonce,
        verifier: verifier.secret(),
        next: next.path(),
        network: &cx.visitor.network,
    };
    let handoff = identity::leave(&cx.db, leaving).await?;
    match peer.way_there(&endpoints, &handoff.state, &nonce, challenge, max_age) {
        Ok(url) => {
            let until = cx.db.now() + identity::HANDOFF_LIFE;
            cx.set_cookie(cookie::HANDOFF, Some(handoff.browser.secret().to_owned()), Some(until));
            Ok(url)
        }
        Err(trouble) => Ok(tell(peer, cx, confirm, &trouble)),
    }
}

/// Takes somebody back who comes from a provider.
async fn back(peer: &Peer, cx: &Cx) -> Result<String, AppError> {
    let provider = peer.config.id.as_str();
    let (Some(state), Some(browser)) = (cx.query("state"), cx.token(cookie::HANDOFF)) else {
        tracing::warn!(provider, "somebody came back who never left from this browser");
        return Ok(place(peer, cx, None, Told::Stale));
    };
    let returned = match identity::come_back(&cx.db, provider, &Token::received(state), browser).await {
        Ok(returned) => returned,
        Err(crm::Error::Stale) => {
            tracing::warn!(
                provider,
                "somebody came back who did not leave so, or too late, or twice"
            );
            return Ok(place(peer, cx, None, Told::Stale));
        }
        Err(e) => return Err(e.into()),
    };
    cx.set_cookie(cookie::HANDOFF, None, None);
    let confirm = (returned.purpose() == Purpose::Confirm).then(|| returned.next());
    let said = match listen(peer, cx, state, &returned).await {
        Ok(Some(said)) => said,
        Ok(None) if confirm.is_some() => return Ok(place(peer, cx, confirm, Told::Declined)),
        Ok(None) => return Ok(place(peer, cx, None, Told::Denied)),
        Err(trouble) => {
            if matches!(trouble, Trouble::Disbelieved(_)) {
                identity::disbelieve(&cx.db, provider, &cx.visitor).await?;
            }
            return Ok(tell(peer, cx, confirm, &trouble));
        }
    };
    let outside = outside(peer, &said);
    match returned.purpose() {
        Purpose::SignIn => sign_in(cx, &returned, &outside).await,
        Purpose::Link => link(peer, cx, &returned, &outside).await,
        Purpose::Staff => staff(peer, cx, &returned, &outside, &said).await,
        Purpose::Confirm => confirm_by(peer, cx, &returned, &outside, &said).await,
    }
}

/// What the provider says of whoever came back; nothing when they did not want to.
async fn listen(peer: &Peer, cx: &Cx, state: &str, returned: &Returned) -> Result<Option<Said>, Trouble> {
    let endpoints = peer.endpoints().await?;
    peer.check_issuer(&endpoints, cx.query("iss"))?;
    match cx.query("error") {
        Some("access_denied") => return Ok(None),
        Some(error) => {
            let error: String = error
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
                .take(40)
                .collect();
            return Err(Trouble::Down(format!("it says {error}")));
        }
        None => {}
    }
    let answer = Answer {
        code: cx
            .query("code")
            .ok_or_else(|| Trouble::Disbelieved("there is no code".into()))?,
        state,
        device: cx.query("device_id"),
    };
    peer.whoever(&endpoints, returned, &answer, cx.db.now()).await.map(Some)
}

/// Writes down what is wrong, and leads to where the other ways are.
fn tell(peer: &Peer, cx: &Cx, confirm: Option<&str>, trouble: &Trouble) -> String {
    tracing::warn!(provider = peer.config.id, %trouble, "nothing came of a provider");
    let told = match trouble {
        Trouble::Down(_) => Told::Down,
        Trouble::Disbelieved(_) => Told::Failed,
    };
    place(peer, cx, confirm, told)
}

/// Where those whom a provider lets in prove anew who they are.
fn confirm_page(peer: &Peer) -> &'static str {
    match peer.config.whom {
        Whom::Staff => "/admin/confirm",
        Whom::Customers => "/confirm",
    }
}

/// The page that says why, and offers the other ways. Who left to prove anew who they are goes on from it to `confirm`.
fn place(peer: &Peer, cx: &Cx, confirm: Option<&str>, told: Told) -> String {
    if let Some(next) = confirm {
        return format!("{}&outside={}", with_next(confirm_page(peer), next), told.code());
    }
    let page = match (peer.config.whom, &cx.customer) {
        (Whom::Staff, _) => "/admin/sign-in",
        (Whom::Customers, Some(_)) => PROFILE,
        (Whom::Customers, None) => "/sign-in",
    };
    format!("{page}?outside={}", told.code())
}

async fn sign_in(cx: &Cx, returned: &Returned, outside: &Outside) -> Result<String, AppError> {
    let (token, verified) = identity::sign_in(&cx.db, returned, outside, cx.lang, &cx.visitor).await?;
    if !matches!(verified, Verified::SignedIn(_)) {
        set_attempt(cx, cookie::ATTEMPT, &token);
    }
    Ok(onward_to(cx, &verified, Some(returned.next())).path().to_owned())
}

async fn link(peer: &Peer, cx: &Cx, returned: &Returned, outside: &Outside) -> Result<String, AppError> {
    let Some(customer) = &cx.customer else {
        return Ok(format!("/sign-in?next={PROFILE}"));
    };
    match identity::link_own(&cx.db, customer, returned, outside).await {
        Ok(Link::New) => Ok(format!("{PROFILE}?done=linked")),
        Ok(Link::Already) => Ok(format!("{PROFILE}?done=already")),
        Ok(Link::Others) => Ok(place(peer, cx, None, Told::Taken)),
        // Somebody else is signed in here by now, or the same customer anew.
        Err(crm::Error::Stale) => Ok(place(peer, cx, None, Told::Stale)),
        Err(e) => Err(e.into()),
    }
}

/// Makes the session fresh of whoever left to prove anew who they are.
async fn confirm_by(
    peer: &Peer,
    cx: &Cx,
    returned: &Returned,
    outside: &Outside,
    said: &Said,
) -> Result<String, AppError> {
    let (name, confirmed) = match known(peer, cx) {
        Some(Known::Staff(staff)) => {
            let claims = staff_claims(peer, said);
            let confirmed = identity::staff_confirm(&cx.db, staff, returned, outside, &claims, &cx.visitor).await;
            (cookie::STAFF, confirmed)
        }
        Some(Known::Customer(customer)) => {
            let confirmed = identity::confirm(&cx.db, customer, returned, outside, &cx.visitor).await;
            (cookie::SESSION, confirmed)
        }
        None => return Ok(with_next(sign_in_page(peer), returned.next())),
    };
    let back = |told| place(peer, cx, Some(returned.next()), told);
    match confirmed {
        Ok(Confirmed::Renewed(opened)) => {
            cx.set_session(name, &opened);
            Ok(returned.next().to_owned())
        }
        Ok(Confirmed::Unasked) => {
            let provider = &peer.config.id;
            tracing::warn!(
                provider,
                "somebody came back without a word that they were asked there: no auth_time, an old one, or no second factor"
            );
            Ok(back(Told::Unasked))
        }
        Ok(Confirmed::Another) => Ok(back(Told::Another)),
        Ok(Confirmed::Refused(refusal)) => Ok(not_let_in(peer, cx, outside, refusal)),
        // Somebody else is signed in here by now.
        Err(crm::Error::Stale) => Ok(back(Told::Stale)),
        Err(e) => Err(e.into()),
    }
}

async fn staff(peer: &Peer, cx: &Cx, returned: &Returned, outside: &Outside, said: &Said) -> Result<String, AppError> {
    let claims = staff_claims(peer, said);
    let lang = cx.db.shop().language;
    let onward = |page: &str| with_next(page, returned.next());
    match identity::staff_sign_in(&cx.db, returned, outside, &claims, lang, &cx.visitor).await? {
        StaffEntered::In(opened) => {
            cx.set_session(cookie::STAFF, &opened);
            Ok(Next::to_untrusted(Some(returned.next()), places::HOME)
                .path()
                .to_owned())
        }
        StaffEntered::SecondFactor(token) => {
            set_attempt(cx, cookie::STAFF_ATTEMPT, &token);
            Ok(onward("/admin/sign-in/second"))
        }
        StaffEntered::SetUp(token) => {
            set_attempt(cx, cookie::STAFF_ATTEMPT, &token);
            Ok(onward("/admin/sign-in/setup"))
        }
        StaffEntered::Refused(refusal) => Ok(not_let_in(peer, cx, outside, refusal)),
    }
}

/// Writes down why a member of staff has no access, and leads to where they are told that they have none.
fn not_let_in(peer: &Peer, cx: &Cx, outside: &Outside, refusal: Refusal) -> String {
    let (provider, subject) = (&peer.config.id, &outside.subject);
    tracing::warn!(
        provider,
        subject,
        reason = refusal.as_str(),
        "a member of staff was not let in"
    );
    place(peer, cx, None, Told::Refused)
}

/// Whom the provider says it is, in our words.
fn outside(peer: &Peer, said: &Said) -> Outside {
    let profile = peer.config.profile();
    let get = |pointer: &Option<String>| {
        let text = text(&said.claims, pointer.as_deref()?)?;
        Some(text.chars().take(TEXT_LIMIT).collect::<String>())
    };
    let (name, surname, email) = (get(&profile.name), get(&profile.surname), get(&profile.email));
    let full = [name.as_deref(), surname.as_deref()].into_iter().flatten();
    let full = full.collect::<Vec<_>>().join(" ");
    let shown = get(&profile.shown).or_else(|| email.clone());
    let shown = shown.or_else(|| Some(full).filter(|full| !full.is_empty()));
    Outside {
        provider: peer.config.id.clone(),
        called: peer.config.name.localized(),
        issuer: peer.config.issuer().to_owned(),
        subject: said.subject.clone(),
        shown: shown.unwrap_or_else(|| said.subject.clone()),
        birthday: get(&profile.birthday).and_then(|raw| birthday(&raw)),
        proved_at: said.proved_at,
        name,
        surname,
        email,
    }
}

/// What the provider says of a member of staff, read as the configuration says.
fn staff_claims(peer: &Peer, said: &Said) -> StaffClaims {
    let config = &peer.config;
    let role = config.roles.as_ref().and_then(|roles| {
        let has = texts(&said.claims, &roles.claim);
        let found = roles.map.iter().find(|(value, _)| has.contains(&value.as_str()));
        found.map(|(_, role)| Role::new(role.clone()))
    });
    let profile = config.profile();
    let get = |pointer: &Option<String>| text(&said.claims, pointer.as_deref()?);
    let full = [get(&profile.name), get(&profile.surname)].into_iter().flatten();
    let full = full.collect::<Vec<_>>().join(" ");
    let given = texts(&said.signed, "/amr")
        .into_iter()
        .chain(texts(&said.signed, "/acr"));
    StaffClaims {
        role,
        login: get(&profile.login),
        name: Some(full).filter(|full| !full.is_empty()),
        create: config.create,
        has_second: config.second_factor == SecondFactor::Provider
            && given
                .into_iter()
                .any(|value| config.second_factor_values.iter().any(|v| v == value)),
    }
}

/// A claim that is a text or a list of texts.
fn texts<'a>(claims: &'a Value, pointer: &str) -> Vec<&'a str> {
    match claims.pointer(pointer) {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    #[test]
    fn s19_linking_begins_on_our_own_pages_alone() {
        let home = "https://club.example.com";
        for (name, value, expected) in [
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "cross-site", false),
            ("sec-fetch-site", "none", false),
            ("referer", "https://club.example.com/profile/providers", true),
            ("referer", "https://club.example.com.evil.example/", false),
            ("referer", "https://evil.example/?https://club.example.com/", false),
            ("origin", "https://club.example.com", false),
        ] {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            assert_eq!(is_led_from_here(&headers, home), expected, "{name}: {value}");
            // A sign-in may begin at an address that was typed as well; linking may not.
            let is_typed = (name, value) == ("sec-fetch-site", "none");
            assert_eq!(is_asked_for(&headers, home), expected || is_typed, "{name}: {value}");
        }
    }

    #[test]
    fn a_claim_is_a_text_or_a_list_of_texts() {
        let claims = serde_json::json!({ "realm_access": { "roles": ["a", 1, "b"] }, "role": "c", "n": 5 });
        assert_eq!(texts(&claims, "/realm_access/roles"), ["a", "b"]);
        assert_eq!(texts(&claims, "/role"), ["c"]);
        assert!(texts(&claims, "/n").is_empty() && texts(&claims, "/nothing").is_empty());
    }
}
