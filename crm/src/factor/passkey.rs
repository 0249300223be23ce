//! Passkeys: W3C Web Authentication with user verification, so that having the device and being its owner are both
//! proved, and discoverable, so that nobody types a name.
//!
//! A question is put to a browser when a page is shown, and showing a page changes nothing: the question travels with
//! the page, signed, and bound to the session or attempt that it was put to. It is good for five minutes and for one
//! answer; that it was answered is written down (`ceremonies`) with what the answer changes.

use super::Owner;
use crate::db::{Conn, Db, Tx};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::{CeremonyId, CustomerId, FactorId, SessionId, StaffId};
use crate::on;
use crate::shop::Shop;
use crate::signin::codes;
use crate::signin::store::refused;
use crate::who::{Token, Visitor};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, Duration, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use webauthn_rs::prelude::{
    CredentialID, DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Webauthn, WebauthnBuilder, WebauthnError,
};

/// How long a question waits for its answer.
pub const LIFE: Duration = Duration::minutes(5);

/// A question as a page carries it.
#[derive(Clone, Debug)]
pub struct Question {
    /// What the browser is asked, as `PublicKeyCredential.parse…OptionsFromJSON` takes it.
    pub options: String,
    /// What the server has to remember of it, signed; it comes back with the answer.
    pub sealed: String,
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// [`Question::sealed`].
    pub question: &'a str,
    /// The credential as `toJSON` of the browser makes it.
    pub credential: &'a str,
}

/// What a question is for: the answer to one is none to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Purpose {
    Add,
    SignIn,
    Second,
    Confirm,
}

/// To whom a question was put: their session, or the token of their attempt or browser.
pub(crate) enum Bound<'a> {
    Session(SessionId),
    Token(&'a Token),
}

impl Bound<'_> {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Session(id) => id.0.as_bytes().to_vec(),
            Self::Token(token) => token.hash(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Sealed<S> {
    purpose: Purpose,
    until: DateTime<Utc>,
    state: S,
}

/// The other side of passkeys for a shop; `None` where its address has no name that keys can belong to.
fn party(shop: &Shop) -> Option<Webauthn> {
    let url = Url::parse(&shop.url).ok()?;
    let name = url.domain()?.to_owned();
    WebauthnBuilder::new(&name, &url).ok()?.rp_name(&shop.name).build().ok()
}

/// Whether passkeys can be used at all: they belong to a domain name, and a bare address has none.
pub fn is_possible(shop: &Shop) -> bool {
    party(shop).is_some()
}

fn failed(e: impl std::fmt::Display) -> Error {
    Error::Database(crate::db::Error::Inconsistent(format!("passkey: {e}")))
}

fn sign(key: &[u8], bound: &Bound<'_>, text: &str) -> Result<Hmac<Sha256>, Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(failed)?;
    mac.update(b"passkey");
    mac.update(&bound.bytes());
    mac.update(text.as_bytes());
    Ok(mac)
}

async fn seal<S: Serialize>(db: &Db, purpose: Purpose, bound: &Bound<'_>, state: S) -> Result<String, Error> {
    let key = codes::key(db).await?;
    let until = db.now() + LIFE;
    let json = serde_json::to_vec(&Sealed { purpose, until, state }).map_err(failed)?;
    let text = BASE64.encode(json);
    let mac = BASE64.encode(sign(&key, bound, &text)?.finalize().into_bytes());
    Ok(format!("{text}.{mac}"))
}

/// Opens what was sealed, and notes that it was answered: a second time, later, by another browser or for something
/// else it is [`Error::Stale`].
async fn open<S: DeserializeOwned>(tx: &mut Tx, purpose: Purpose, bound: &Bound<'_>, sealed: &str) -> Result<S, Error> {
    const SQL: &str = "INSERT INTO ceremonies (id, bound_to, state, created_at, expires_at) \
                       VALUES ($1, $2, 'answered', $3, $4) ON CONFLICT (id) DO NOTHING";
    let (text, mac) = sealed.split_once('.').ok_or(Error::Stale)?;
    let mac = BASE64.decode(mac).map_err(|_| Error::Stale)?;
    let key = codes::code_key(tx).await?;
    sign(&key, bound, text)?.verify_slice(&mac).map_err(|_| Error::Stale)?;
    let json = BASE64.decode(text).map_err(|_| Error::Stale)?;
    let opened: Sealed<S> = serde_json::from_slice(&json).map_err(|_| Error::Stale)?;
    let now = tx.now();
    if opened.purpose != purpose || opened.until <= now {
        return Err(Error::Stale);
    }
    let mut id = [0; 16];
    id.copy_from_slice(&Sha256::digest(text)[..16]);
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(CeremonyId(Uuid::from_bytes(id)))
        .bind(bound.bytes())
        .bind(now)
        .bind(opened.until)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 1 { Ok(opened.state) } else { Err(Error::Stale) }
}

/// Asks for any passkey of this shop. `None` where passkeys are not possible.
pub(crate) async fn ask(db: &Db, purpose: Purpose, bound: Bound<'_>) -> Result<Option<Question>, Error> {
    let Some(party) = party(db.shop()) else { return Ok(None) };
    let (options, state) = party.start_discoverable_authentication().map_err(failed)?;
    Ok(Some(Question {
        options: serde_json::to_string(&options.public_key).map_err(failed)?,
        sealed: seal(db, purpose, &bound, state).await?,
    }))
}

/// Asks for a new passkey of somebody, not on a device that has one already. `None` where passkeys are not possible.
pub(crate) async fn ask_new(
    db: &Db,
    owner: Owner,
    (account, name): (&str, &str),
    bound: Bound<'_>,
) -> Result<Option<Question>, Error> {
    const SQL: &str =
        "SELECT credential_id FROM factors WHERE (customer_id = $1 OR staff_id = $2) AND kind = 'passkey'";
    let Some(party) = party(db.shop()) else { return Ok(None) };
    let (customer, staff) = owner.columns();
    let mut conn = db.read().await?;
    let held: Vec<CredentialID> = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(customer)
        .bind(staff)
        .fetch_all(c)
        .await)?;
    drop(conn);
    let (options, state) = party
        .start_passkey_registration(owner.id(), account, name, Some(held))
        .map_err(failed)?;
    // Signing in without typing a name needs a key that the device finds by itself.
    let mut options = serde_json::to_value(&options.public_key).map_err(failed)?;
    let choice = &mut options["authenticatorSelection"];
    choice["residentKey"] = "required".into();
    choice["requireResidentKey"] = true.into();
    Ok(Some(Question {
        options: options.to_string(),
        sealed: seal(db, Purpose::Add, &bound, state).await?,
    }))
}

/// Takes a new passkey. What is wrong with it is a value, so that the question stays answered.
pub(crate) async fn take_new(
    tx: &mut Tx,
    owner: Owner,
    name: &str,
    bound: Bound<'_>,
    answer: Answer<'_>,
) -> Result<Result<FactorId, Flaw>, Error> {
    const SQL: &str = "INSERT INTO factors (id, customer_id, staff_id, kind, name, data, credential_id, created_at, \
                       confirmed_at) VALUES ($1, $2, $3, 'passkey', $4, $5, $6, $7, $7) ON CONFLICT DO NOTHING";
    let party = party(tx.shop()).ok_or(Error::Stale)?;
    let state: PasskeyRegistration = open(tx, Purpose::Add, &bound, answer.question).await?;
    let Ok(credential) = serde_json::from_str::<RegisterPublicKeyCredential>(answer.credential) else {
        return Ok(Err(Flaw::WrongPasskey));
    };
    let passkey = match party.finish_passkey_registration(&credential, &state) {
        Ok(passkey) => passkey,
        Err(e) => return Ok(Err(wrong(&e))),
    };
    let (id, now) = (FactorId::new(), tx.now());
    let data = serde_json::to_string(&passkey).map_err(failed)?;
    let (customer, staff) = owner.columns();
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(customer)
        .bind(staff)
        .bind(name)
        .bind(&data)
        .bind(passkey.cred_id().as_slice())
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    // One key is of one person.
    Ok(if rows == 1 { Ok(id) } else { Err(Flaw::Taken) })
}

fn wrong(e: &WebauthnError) -> Flaw {
    tracing::info!(error = ?e, "a passkey was refused");
    Flaw::WrongPasskey
}

#[derive(sqlx::FromRow)]
struct Row {
    id: FactorId,
    customer_id: Option<CustomerId>,
    staff_id: Option<StaffId>,
    data: String,
}

/// Takes an answer and says whose passkey gave it. What is wrong with it is a value, so that the question stays
/// answered and the refusal in the log.
pub(crate) async fn take(
    tx: &mut Tx,
    purpose: Purpose,
    bound: Bound<'_>,
    answer: Answer<'_>,
    visitor: &Visitor,
) -> Result<Result<Owner, Flaw>, Error> {
    let party = party(tx.shop()).ok_or(Error::Stale)?;
    let state: DiscoverableAuthentication = open(tx, purpose, &bound, answer.question).await?;
    let owner = match serde_json::from_str::<PublicKeyCredential>(answer.credential) {
        Ok(credential) => check(tx, &party, state, &credential).await?,
        Err(_) => Err(Flaw::WrongPasskey),
    };
    if owner.is_err() {
        refused(tx, "passkey", visitor).await?;
    }
    Ok(owner)
}

async fn check(
    tx: &mut Tx,
    party: &Webauthn,
    state: DiscoverableAuthentication,
    credential: &PublicKeyCredential,
) -> Result<Result<Owner, Flaw>, Error> {
    const SQL: &str = "UPDATE factors SET data = $2, used_at = $3 WHERE id = $1 AND data = $4";
    let (user, key) = match party.identify_discoverable_authentication(credential) {
        Ok(found) => found,
        Err(e) => return Ok(Err(wrong(&e))),
    };
    let Some(row) = find(tx, key).await? else {
        return Ok(Err(Flaw::WrongPasskey));
    };
    let owner = match (row.customer_id, row.staff_id) {
        (Some(id), _) => Owner::Customer(id),
        (None, Some(id)) => Owner::Staff(id),
        (None, None) => return Err(failed("a factor of nobody")),
    };
    if owner.id() != user {
        return Ok(Err(Flaw::WrongPasskey));
    }
    let mut passkey: Passkey = serde_json::from_str(&row.data).map_err(failed)?;
    // Checks the challenge, where it was answered, that the owner was verified, the signature and the counter.
    let result = match party.finish_discoverable_authentication_v2(credential, state, &passkey) {
        Ok(result) => result,
        Err(e) => return Ok(Err(wrong(&e))),
    };
    passkey.update_credential(&result);
    let data = serde_json::to_string(&passkey).map_err(failed)?;
    let now = tx.now();
    // Where two answers with one counter come at once, the first is taken.
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(row.id)
        .bind(&data)
        .bind(now)
        .bind(&row.data)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(if rows == 1 { Ok(owner) } else { Err(Flaw::WrongPasskey) })
}

async fn find(conn: &mut Conn, credential: &[u8]) -> Result<Option<Row>, sqlx::Error> {
    const SQL: &str = "SELECT id, customer_id, staff_id, data FROM factors WHERE credential_id = $1 \
                       AND kind = 'passkey' AND confirmed_at IS NOT NULL";
    on!(conn, |c| sqlx::query_as(SQL).bind(credential).fetch_optional(c).await)
}

/// The question for somebody who is about to come in without saying who they are. `browser` is a token of its own or of
/// an attempt: the answer counts in the same browser alone.
pub async fn ask_to_sign_in(db: &Db, browser: &Token) -> Result<Option<Question>, Error> {
    ask(db, Purpose::SignIn, Bound::Token(browser)).await
}
