//! Attempts, codes and sessions in the database.
//!
//! A known and an unknown phone take the same steps, see the same answers and cause the same messages up to the code;
//! only who holds the phone learns whether there is an account.

use super::{Attempt, CODE_DIGITS, Device, Draft, password};
use crate::audit::{self, Actor};
use crate::card::store as cards;
use crate::consent::{Act, AskedAt, store as consents};
use crate::contact::{Email, Kind, Phone, store as contacts};
use crate::customer::store as customers;
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::{self, Check, Flaw};
use crate::id::{AttemptId, CodeId, CustomerId, SessionId, StaffId};
use crate::lang::Lang;
use crate::on;
use crate::outbox;
use crate::program::store as programs;
use crate::who::{self, Customer, Opened, SessionOf, Staff, System, Token, Visitor};
use chrono::{DateTime, Duration, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sqlx::types::Json;
use subtle::ConstantTimeEq;

/// How long a code is good for.
pub const CODE_LIFE: Duration = Duration::minutes(10);
/// How often a wrong code may be typed.
const CODE_TRIES: i64 = 5;
/// How long an attempt waits for its end.
const ATTEMPT_LIFE: Duration = Duration::hours(2);
/// Pause before another code goes to the same phone.
const RESEND_AFTER: Duration = Duration::seconds(30);
/// How far the clocks of two nodes may be apart. A code from later than that was made before the clock was set back, and
/// how old it is nobody can tell: it is not taken, and does not keep another from being sent.
const SKEW: Duration = Duration::minutes(1);
/// Codes to one phone within an hour.
const CODES_PER_ADDRESS: i64 = 8;
/// Codes asked for from one network within an hour: a shop's wireless network serves a queue.
const CODES_PER_NETWORK: i64 = 60;
/// Wrong passwords for one sign-in from one network within a quarter of an hour. From another network the owner still
/// comes in, and by code always: nobody can lock a customer out.
const FAILURES: i64 = 8;
/// Wrong passwords from one network within a quarter of an hour, whoever they were for.
const FAILURES_PER_NETWORK: i64 = 50;

#[derive(sqlx::FromRow)]
struct AttemptRow {
    id: AttemptId,
    phone: String,
    language: Lang,
    verified_at: Option<DateTime<Utc>>,
    #[sqlx(json(nullable))]
    draft: Option<Draft>,
}

/// The attempt of this browser, if it is still open.
async fn attempt_row(conn: &mut Conn, token: &Token) -> Result<AttemptRow, Error> {
    const SQL: &str = "SELECT id, phone, language, verified_at, draft FROM attempts \
                       WHERE token_hash = $1 AND finished_at IS NULL AND expires_at > $2";
    let now = conn.now();
    let row: Option<AttemptRow> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(token.hash())
        .bind(now)
        .fetch_optional(c)
        .await)?;
    row.ok_or(Error::Stale)
}

/// How far the attempt of this browser has come. Fails with [`Error::Stale`] when there is none.
pub async fn attempt(db: &Db, token: &Token) -> Result<Attempt, Error> {
    const SENT: &str = "SELECT created_at FROM codes WHERE attempt_id = $1 ORDER BY created_at DESC LIMIT 1";
    let mut conn = db.read().await?;
    let row = attempt_row(&mut conn, token).await?;
    let code_sent_at = on!(conn, |c| sqlx::query_scalar(SENT).bind(row.id).fetch_optional(c).await)?;
    Ok(Attempt {
        phone: row.phone,
        is_verified: row.verified_at.is_some(),
        code_sent_at,
        draft: row.draft,
    })
}

/// Starts an attempt and sends a code. Field: `phone`.
pub async fn start(db: &Db, phone: &str, lang: Lang, visitor: &Visitor) -> Result<Token, Error> {
    const SQL: &str = "INSERT INTO attempts (id, token_hash, phone, network, language, created_at, expires_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let phone = Phone::parse(phone, &db.shop().country).map_err(|flaw| Error::field("phone", flaw))?;
    let token = Token::random();
    let (phone, hash) = (phone.as_str(), &token.hash());
    db.write(|tx| {
        scoped(async move {
            let (id, now) = (AttemptId::new(), tx.now());
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(hash)
                .bind(phone)
                .bind(&visitor.network)
                .bind(lang)
                .bind(now)
                .bind(now + ATTEMPT_LIFE)
                .execute(c)
                .await
                .map(drop))?;
            send_code(tx, id, phone, lang, visitor).await
        })
    })
    .await?;
    Ok(token)
}

/// Sends another code; the one before is dead. [`Error::TooMany`] within half a minute of the last.
pub async fn resend(db: &Db, token: &Token, visitor: &Visitor) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            let attempt = attempt_row(tx, token).await?;
            send_code(tx, attempt.id, &attempt.phone, attempt.language, visitor).await
        })
    })
    .await
}

/// Makes a code, stores its keyed hash and puts the message into the outbox.
async fn send_code(tx: &mut Tx, attempt: AttemptId, phone: &str, lang: Lang, visitor: &Visitor) -> Result<(), Error> {
    const LAST: &str = "SELECT created_at FROM codes WHERE address = $1 ORDER BY created_at DESC LIMIT 1";
    const BY_ADDRESS: &str = "SELECT COUNT(*) FROM codes WHERE address = $1 AND created_at > $2";
    const BY_NETWORK: &str = "SELECT COUNT(*) FROM codes WHERE network = $1 AND created_at > $2";
    const KILL: &str = "UPDATE codes SET used_at = $2 WHERE attempt_id = $1 AND used_at IS NULL";
    const INSERT: &str = "INSERT INTO codes (id, attempt_id, address, network, code_hash, tries, created_at, expires_at) \
                          VALUES ($1, $2, $3, $4, $5, 0, $6, $7)";
    let now = tx.now();
    let hour_ago = now - Duration::hours(1);
    let last: Option<DateTime<Utc>> = on!(tx, |c| sqlx::query_scalar(LAST).bind(phone).fetch_optional(c).await)?;
    if let Some(wait) = last
        .filter(|last| *last <= now + SKEW)
        .map(|last| (last + RESEND_AFTER - now).num_seconds())
        .filter(|wait| *wait > 0)
    {
        return Err(Error::TooMany {
            retry_after: u32::try_from(wait).unwrap_or(30),
        });
    }
    let by_address: i64 = on!(tx, |c| sqlx::query_scalar(BY_ADDRESS)
        .bind(phone)
        .bind(hour_ago)
        .fetch_one(c)
        .await)?;
    let by_network: i64 = on!(tx, |c| sqlx::query_scalar(BY_NETWORK)
        .bind(&visitor.network)
        .bind(hour_ago)
        .fetch_one(c)
        .await)?;
    if by_address >= CODES_PER_ADDRESS || by_network >= CODES_PER_NETWORK {
        return Err(Error::TooMany { retry_after: 3600 });
    }
    let code = format!(
        "{:0width$}",
        rand::random_range(0..10_u32.pow(CODE_DIGITS as u32)),
        width = CODE_DIGITS
    );
    let hash = keyed_hash(&code_key(tx).await?, attempt, &code);
    on!(tx, |c| sqlx::query(KILL)
        .bind(attempt)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    on!(tx, |c| sqlx::query(INSERT)
        .bind(CodeId::new())
        .bind(attempt)
        .bind(phone)
        .bind(&visitor.network)
        .bind(hash)
        .bind(now)
        .bind(now + CODE_LIFE)
        .execute(c)
        .await
        .map(drop))?;
    let minutes = CODE_LIFE.num_minutes().to_string();
    let shop = tx.shop().name.clone();
    let to = outbox::To {
        channel: outbox::Channel::Sms,
        address: phone,
        customer: None,
    };
    outbox::send(
        tx,
        to,
        "sign_in_code",
        lang,
        &[("code", &code), ("minutes", &minutes), ("shop", &shop)],
    )
    .await?;
    Ok(())
}

/// The secret that codes are hashed with: made at first use, kept in the database.
async fn code_key(tx: &mut Tx) -> Result<Vec<u8>, sqlx::Error> {
    const INSERT: &str = "INSERT INTO settings (key, value) VALUES ('code_key', $1) ON CONFLICT (key) DO NOTHING";
    const SELECT: &str = "SELECT value FROM settings WHERE key = 'code_key'";
    on!(tx, |c| sqlx::query(INSERT)
        .bind(Token::random().secret())
        .execute(c)
        .await
        .map(drop))?;
    let key: String = on!(tx, |c| sqlx::query_scalar(SELECT).fetch_one(c).await)?;
    Ok(key.into_bytes())
}

fn keyed_hash(key: &[u8], attempt: AttemptId, code: &str) -> Vec<u8> {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(attempt.0.as_bytes());
    mac.update(code.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// What a right code leads to.
pub enum Verified {
    /// The phone is known: signed in.
    SignedIn(Opened),
    /// The phone is new: registration goes on.
    Register,
}

#[derive(sqlx::FromRow)]
struct CodeRow {
    id: CodeId,
    code_hash: Vec<u8>,
    tries: i64,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// Takes the code that was typed. Field: `code`. A wrong one counts even though the call fails.
pub async fn verify(db: &Db, token: &Token, code: &str, visitor: &Visitor) -> Result<Verified, Error> {
    const LAST: &str = "SELECT id, code_hash, tries, created_at, expires_at FROM codes WHERE attempt_id = $1 \
                        AND used_at IS NULL ORDER BY created_at DESC LIMIT 1";
    const TRY: &str = "UPDATE codes SET tries = tries + 1 WHERE id = $1";
    const USE: &str = "UPDATE codes SET used_at = $2 WHERE id = $1";
    const VERIFIED: &str = "UPDATE attempts SET verified_at = $2 WHERE id = $1";
    let typed: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if typed.is_empty() {
        return Err(Error::field("code", Flaw::Missing));
    }
    // The failure is a value here, so that its transaction commits and the try is counted.
    let typed = &typed;
    let outcome: Result<Verified, Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                let now = tx.now();
                let attempt = attempt_row(tx, token).await?;
                let row: Option<CodeRow> = on!(tx, |c| sqlx::query_as(LAST).bind(attempt.id).fetch_optional(c).await)?;
                let Some(row) = row else {
                    return Ok(Err(Flaw::ExpiredCode));
                };
                if row.expires_at <= now || row.created_at > now + SKEW || row.tries >= CODE_TRIES {
                    // Dead for good, also when the clock is set back.
                    on!(tx, |c| sqlx::query(USE)
                        .bind(row.id)
                        .bind(now)
                        .execute(c)
                        .await
                        .map(drop))?;
                    return Ok(Err(Flaw::ExpiredCode));
                }
                let hash = keyed_hash(&code_key(tx).await?, attempt.id, typed);
                if !bool::from(hash.ct_eq(&row.code_hash)) {
                    on!(tx, |c| sqlx::query(TRY).bind(row.id).execute(c).await.map(drop))?;
                    refused(tx, "code", visitor).await?;
                    let left = CODE_TRIES - row.tries - 1;
                    return Ok(Err(if left > 0 {
                        Flaw::WrongCode { left: left as u32 }
                    } else {
                        Flaw::ExpiredCode
                    }));
                }
                on!(tx, |c| sqlx::query(USE)
                    .bind(row.id)
                    .bind(now)
                    .execute(c)
                    .await
                    .map(drop))?;
                on!(tx, |c| sqlx::query(VERIFIED)
                    .bind(attempt.id)
                    .bind(now)
                    .execute(c)
                    .await
                    .map(drop))?;
                match contacts::holder(tx, Kind::Phone, &attempt.phone).await? {
                    Some(customer) => {
                        finish(tx, attempt.id).await?;
                        Ok(Ok(Verified::SignedIn(let_in(tx, customer, "code", visitor).await?)))
                    }
                    None => Ok(Ok(Verified::Register)),
                }
            })
        })
        .await?;
    outcome.map_err(|flaw| Error::field("code", flaw))
}

async fn finish(tx: &mut Tx, attempt: AttemptId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE attempts SET finished_at = $2, draft = NULL WHERE id = $1";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(attempt)
        .bind(now)
        .execute(c)
        .await
        .map(drop))
}

/// Opens a customer's session and writes down how they came in.
async fn let_in(tx: &mut Tx, customer: CustomerId, way: &str, visitor: &Visitor) -> Result<Opened, sqlx::Error> {
    let entry = audit::Entry {
        actor: Actor::Customer,
        actor_id: Some(customer.0),
        action: "sign_in",
        customer: Some(customer),
        object: None,
        reason: way,
        network: &visitor.network,
    };
    audit::record(tx, entry).await?;
    who::open_session(tx, SessionOf::Customer(customer), visitor).await
}

async fn refused(tx: &mut Tx, way: &str, visitor: &Visitor) -> Result<(), sqlx::Error> {
    let entry = audit::Entry {
        actor: Actor::Anonymous,
        actor_id: None,
        action: "sign_in.refused",
        customer: None,
        object: None,
        reason: way,
        network: &visitor.network,
    };
    audit::record(tx, entry).await
}

/// What the registration form sends.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// Name, surname, birthday, e-mail and consents.
    pub draft: Draft,
    /// The password, empty for none.
    pub password: String,
    /// Keep the password typed before: the form never shows it again.
    pub keep_password: bool,
}

/// Checks the details of a registration and lets them wait for the review. Flaws stand at `name`, `surname`,
/// `birthday`, `email`, `password` and `consent_<code>`. Needs a proved phone, else [`Error::Stale`].
pub async fn save_draft(db: &Db, token: &Token, details: &Details) -> Result<(), Error> {
    const SQL: &str = "UPDATE attempts SET draft = $2 WHERE id = $1";
    let mut conn = db.read().await?;
    let attempt = attempt_row(&mut conn, token).await?;
    attempt.verified_at.ok_or(Error::Stale)?;
    let purposes = consents::purposes(&mut conn, AskedAt::Registration).await?;
    drop(conn);
    let mut draft = details.draft.clone();
    let mut check = Check::new();
    draft
        .person
        .check(&mut check, db.shop().day(db.now()), db.shop().minimum_age);
    if !draft.email.trim().is_empty() {
        check.field("email", Email::parse(&draft.email));
    }
    if !details.password.is_empty() {
        check.field("password", new_password(&details.password, &draft, &attempt.phone));
    }
    for purpose in purposes
        .iter()
        .filter(|p| p.required && !draft.consents.contains(&p.code))
    {
        check.field::<()>(&format!("consent_{}", purpose.code), Err(Flaw::MustAgree));
    }
    check.result()?;
    draft.consents.retain(|code| purposes.iter().any(|p| p.code == *code));
    draft.password_hash = if !details.password.is_empty() {
        Some(password::hash(&details.password).await?)
    } else if details.keep_password {
        attempt.draft.and_then(|before| before.password_hash)
    } else {
        None
    };
    let (id, draft) = (attempt.id, &draft);
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(Json(draft))
                .execute(c)
                .await
                .map(drop))?;
            Ok(())
        })
    })
    .await
}

/// A new password must be long enough and not be made of what others know: the person's own data.
fn new_password(password: &str, draft: &Draft, phone: &str) -> Result<(), Flaw> {
    flaw::password(password)?;
    let folded = password.to_lowercase();
    let own = [
        draft.person.name.as_str(),
        &draft.person.surname,
        &draft.email,
        phone.trim_start_matches('+'),
    ];
    let mut rest = folded.clone();
    for part in own
        .iter()
        .map(|part| part.trim().to_lowercase())
        .filter(|part| part.chars().count() > 2)
    {
        rest = rest.replace(&part, "");
    }
    // What is left without one's own data has to be a password still; one sign over and over is none.
    let distinct = rest.chars().collect::<std::collections::BTreeSet<_>>().len();
    if rest.chars().count() < 8 || distinct < 5 {
        Err(Flaw::WeakPassword)
    } else {
        Ok(())
    }
}

/// Makes the customer of a reviewed draft: record, contacts, consents, programs, card, welcome, session, all or
/// nothing. [`Error::Stale`] when the draft is not there or the phone was registered meanwhile.
pub async fn register(db: &Db, token: &Token, lang: Lang, visitor: &Visitor) -> Result<Opened, Error> {
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let attempt = attempt_row(tx, token).await?;
            let verified_at = attempt.verified_at.ok_or(Error::Stale)?;
            let draft = attempt.draft.ok_or(Error::Stale)?;
            // The day or the rules may have changed since the draft was saved.
            let mut check = Check::new();
            let person = draft
                .person
                .check(&mut check, tx.shop().day(now), tx.shop().minimum_age);
            check.result()?;
            let Some(person) = person else { return Err(Error::Stale) };
            if contacts::holder(tx, Kind::Phone, &attempt.phone).await?.is_some() {
                return Err(Error::Stale);
            }
            let id = customers::insert(tx, &person, lang, draft.password_hash.as_deref(), "web").await?;
            contacts::put(tx, id, Kind::Phone, &attempt.phone, true, Some(verified_at)).await?;
            let email = Email::parse(&draft.email).ok();
            if let Some(email) = &email {
                contacts::put(tx, id, Kind::Email, email.as_str(), true, None).await?;
            }
            for purpose in consents::purposes(tx, AskedAt::Registration).await? {
                if draft.consents.contains(&purpose.code) {
                    consents::record(tx, id, purpose.text_id, Act::Given, lang, "web").await?;
                }
            }
            programs::enter_automatic(tx, id, now).await?;
            let card = cards::issue_virtual(tx, id).await?;
            if let Some(email) = &email {
                let shop = tx.shop().name.clone();
                let to = outbox::To {
                    channel: outbox::Channel::Email,
                    address: email.as_str(),
                    customer: Some(id),
                };
                let values = [("name", person.name.as_str()), ("card", &card.number), ("shop", &shop)];
                outbox::send(tx, to, "welcome", lang, &values).await?;
            }
            finish(tx, attempt.id).await?;
            Ok(let_in(tx, id, "registration", visitor).await?)
        })
    })
    .await
}

/// Signs a customer in by phone and password. One answer for every failure: [`Flaw::WrongPassword`] at `password`.
pub async fn by_password(db: &Db, phone: &str, typed: &str, visitor: &Visitor) -> Result<Opened, Error> {
    const SQL: &str = "SELECT password_hash FROM customers WHERE id = $1";
    let phone = Phone::parse(phone, &db.shop().country).map_err(|flaw| Error::field("phone", flaw))?;
    if typed.is_empty() {
        return Err(Error::field("password", Flaw::Missing));
    }
    let mut conn = db.read().await?;
    throttle(&mut conn, phone.as_str(), visitor).await?;
    let holder = contacts::holder(&mut conn, Kind::Phone, phone.as_str()).await?;
    let hash: Option<String> = on!(conn, |c| sqlx::query_scalar(SQL).bind(holder).fetch_optional(c).await)?.flatten();
    drop(conn);
    let fits = password::verify(typed, hash.as_deref()).await?;
    let phone = phone.as_str();
    db.write(|tx| {
        scoped(async move {
            match holder.filter(|_| fits) {
                Some(customer) => Ok(Some(let_in(tx, customer, "password", visitor).await?)),
                None => failed(tx, phone, visitor).await.map(|()| None),
            }
        })
    })
    .await?
    .ok_or(Error::field("password", Flaw::WrongPassword))
}

/// Signs a member of staff in. Fields as with [`by_password`].
pub async fn staff_by_password(db: &Db, login: &str, typed: &str, visitor: &Visitor) -> Result<Opened, Error> {
    const SQL: &str = "SELECT id, password_hash FROM staff WHERE login = $1 AND disabled_at IS NULL";
    let login = login.trim().to_lowercase();
    let mut check = Check::new();
    check.field("login", if login.is_empty() { Err(Flaw::Missing) } else { Ok(()) });
    check.field("password", if typed.is_empty() { Err(Flaw::Missing) } else { Ok(()) });
    check.result()?;
    let mut conn = db.read().await?;
    throttle(&mut conn, &login, visitor).await?;
    let found: Option<(StaffId, String)> = on!(conn, |c| sqlx::query_as(SQL).bind(&login).fetch_optional(c).await)?;
    drop(conn);
    let fits = password::verify(typed, found.as_ref().map(|(_, hash)| hash.as_str())).await?;
    let (login, found) = (&login, &found);
    db.write(|tx| {
        scoped(async move {
            match found.as_ref().filter(|_| fits) {
                Some((id, _)) => {
                    let entry = audit::Entry {
                        actor: Actor::Staff,
                        actor_id: Some(id.0),
                        action: "sign_in",
                        customer: None,
                        object: None,
                        reason: "password",
                        network: &visitor.network,
                    };
                    audit::record(tx, entry).await?;
                    Ok(Some(who::open_session(tx, SessionOf::Staff(*id), visitor).await?))
                }
                None => failed(tx, login, visitor).await.map(|()| None),
            }
        })
    })
    .await?
    .ok_or(Error::field("password", Flaw::WrongPassword))
}

/// Refuses to try further passwords where too many were wrong.
async fn throttle(conn: &mut Conn, subject: &str, visitor: &Visitor) -> Result<(), Error> {
    const BOTH: &str = "SELECT COUNT(*) FROM failures WHERE subject = $1 AND network = $2 AND at > $3";
    const NETWORK: &str = "SELECT COUNT(*) FROM failures WHERE network = $1 AND at > $2";
    let since = conn.now() - Duration::minutes(15);
    let both: i64 = on!(conn, |c| sqlx::query_scalar(BOTH)
        .bind(subject)
        .bind(&visitor.network)
        .bind(since)
        .fetch_one(c)
        .await)?;
    let network: i64 = on!(conn, |c| sqlx::query_scalar(NETWORK)
        .bind(&visitor.network)
        .bind(since)
        .fetch_one(c)
        .await)?;
    if both >= FAILURES || network >= FAILURES_PER_NETWORK {
        return Err(Error::TooMany { retry_after: 15 * 60 });
    }
    Ok(())
}

/// Counts a wrong password. Old counts go along, so the table stays small.
async fn failed(tx: &mut Tx, subject: &str, visitor: &Visitor) -> Result<(), Error> {
    const CLEAN: &str = "DELETE FROM failures WHERE at < $1";
    const INSERT: &str = "INSERT INTO failures (id, subject, network, at) VALUES ($1, $2, $3, $4)";
    let now = tx.now();
    on!(tx, |c| sqlx::query(CLEAN)
        .bind(now - Duration::hours(1))
        .execute(c)
        .await
        .map(drop))?;
    on!(tx, |c| sqlx::query(INSERT)
        .bind(CodeId::new())
        .bind(subject)
        .bind(&visitor.network)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    refused(tx, "password", visitor).await?;
    Ok(())
}

/// Ends the session of a token, whoever's it is. An unknown token changes nothing.
pub async fn sign_out(db: &Db, token: &Token) -> Result<(), Error> {
    const SQL: &str = "UPDATE sessions SET ended_at = $2 WHERE token_hash = $1 AND ended_at IS NULL";
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            on!(tx, |c| sqlx::query(SQL)
                .bind(token.hash())
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            Ok(())
        })
    })
    .await
}

/// The devices a customer is signed in on, the last seen first.
pub async fn devices(db: &Db, by: &Customer) -> Result<Vec<Device>, Error> {
    const SQL: &str = "SELECT id, device, network, created_at, seen_at FROM sessions \
                       WHERE customer_id = $1 AND ended_at IS NULL AND expires_at > $2 AND seen_at > $3 \
                       ORDER BY seen_at DESC, id DESC";
    let mut conn = db.read().await?;
    let now = conn.now();
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(by.id())
        .bind(now)
        .bind(now - who::CUSTOMER_IDLE)
        .fetch_all(c)
        .await)?)
}

/// Ends one of a customer's sessions, or with `None` all but the one at hand.
pub async fn end_device(db: &Db, by: &Customer, id: Option<SessionId>) -> Result<(), Error> {
    const ONE: &str = "UPDATE sessions SET ended_at = $3 WHERE customer_id = $1 AND id = $2 AND ended_at IS NULL";
    const OTHERS: &str = "UPDATE sessions SET ended_at = $3 WHERE customer_id = $1 AND id <> $2 AND ended_at IS NULL";
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let (sql, session) = match id {
                Some(id) => (ONE, id),
                None => (OTHERS, by.session()),
            };
            let rows = on!(tx, |c| sqlx::query(sql)
                .bind(by.id())
                .bind(session)
                .bind(now)
                .execute(c)
                .await
                .map(|r| r.rows_affected()))?;
            if id.is_some() && rows == 0 {
                return Err(Error::NotFound);
            }
            by.record(tx, "session.end", id.map(|id| id.0)).await?;
            Ok(())
        })
    })
    .await
}

/// Remembers the language that a member of staff switched to.
pub async fn change_staff_language(db: &Db, by: &Staff, lang: Lang) -> Result<(), Error> {
    const SQL: &str = "UPDATE staff SET language = $2 WHERE id = $1";
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(SQL)
                .bind(by.id())
                .bind(lang)
                .execute(c)
                .await
                .map(drop))?;
            Ok(())
        })
    })
    .await
}

/// Removes what nobody needs any more: attempts and codes that are over, keys of changes that cannot come again,
/// sessions long ended.
pub async fn sweep(db: &Db, _by: &System) -> Result<(), Error> {
    const OLD: [(&str, Duration); 4] = [
        ("DELETE FROM codes WHERE created_at < $1", Duration::days(2)),
        ("DELETE FROM attempts WHERE created_at < $1", Duration::days(3)),
        ("DELETE FROM idempotency_keys WHERE created_at < $1", Duration::days(7)),
        ("DELETE FROM sessions WHERE expires_at < $1", Duration::days(30)),
    ];
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            for (sql, age) in OLD {
                on!(tx, |c| sqlx::query(sql).bind(now - age).execute(c).await.map(drop))?;
            }
            Ok(())
        })
    })
    .await
}
