//! One-time codes: six digits, ten minutes, one use, five tries, bound to the attempt that asked, kept as a keyed hash.

use super::CODE_DIGITS;
use super::attempts::{AttemptRow, Purpose};
use super::store::refused;
use crate::contact::Kind;
use crate::db::{Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::{AttemptId, CodeId};
use crate::lang::Lang;
use crate::limits;
use crate::on;
use crate::outbox;
use crate::who::{SKEW, Token, Visitor};
use chrono::{DateTime, Duration, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How long a code is good for.
pub const CODE_LIFE: Duration = Duration::minutes(10);
/// How often a wrong code may be typed.
const CODE_TRIES: i64 = 5;
/// Pause before another code goes to the same address from the same network.
pub(crate) const RESEND_AFTER: Duration = Duration::seconds(30);
/// Codes to one address within an hour, asked for from one network. From another its owner still gets one: a stranger
/// who asks for codes keeps nobody out.
const CODES_PER_ADDRESS: i64 = 8;
/// Codes to one address within an hour from everywhere: nobody's phone rings all day.
const CODES_PER_ADDRESS_IN_ALL: i64 = 24;
/// Codes to one address within a day from everywhere: so many have five tries each, of a million codes that there are.
const CODES_PER_ADDRESS_A_DAY: i64 = 60;
/// Codes asked for from one network within an hour: a shop's wireless network serves a queue.
const CODES_PER_NETWORK: i64 = 60;

/// Makes a code, stores its keyed hash and puts the message into the outbox; the code before is dead.
/// [`Error::TooMany`] within half a minute of the last, or where too many were sent.
pub(crate) async fn send(
    tx: &mut Tx,
    (purpose, attempt): (Purpose, AttemptId),
    (kind, address): (Kind, &str),
    lang: Lang,
    visitor: &Visitor,
) -> Result<(), Error> {
    const KILL: &str = "UPDATE codes SET used_at = $2 WHERE attempt_id = $1 AND used_at IS NULL";
    const INSERT: &str = "INSERT INTO codes (id, attempt_id, address, network, code_hash, tries, created_at, expires_at) \
                          VALUES ($1, $2, $3, $4, $5, 0, $6, $7)";
    // Of several that ask at once the second sees what the first was sent.
    tx.lock_name(&format!("codes {address}")).await?;
    tx.lock_name(&format!("codes {}", visitor.network)).await?;
    check_limits(tx, address, visitor).await?;
    if kind == Kind::Phone {
        limits::check_sms(tx, address, &visitor.network).await?;
    }
    let now = tx.now();
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
        .bind(address)
        .bind(&visitor.network)
        .bind(hash)
        .bind(now)
        .bind(now + CODE_LIFE)
        .execute(c)
        .await
        .map(drop))?;
    let minutes = CODE_LIFE.num_minutes().to_string();
    let shop = tx.shop().name.clone();
    let link = format!("{}/sign-in/code?code={code}", tx.shop().url);
    let channel = match kind {
        Kind::Phone => outbox::Channel::Sms,
        Kind::Email => outbox::Channel::Email,
    };
    let template = match (purpose, kind) {
        (Purpose::SignIn | Purpose::Staff, Kind::Phone) => "sign_in_code",
        (Purpose::SignIn | Purpose::Staff, Kind::Email) => "email_code",
        (Purpose::Contact | Purpose::Confirm, _) => "confirm_code",
        (Purpose::Counter, _) => "counter_code",
        (Purpose::Merge, _) => "merge_code",
    };
    let to = outbox::To {
        channel,
        address,
        customer: None,
    };
    let values = [
        ("code", code.as_str()),
        ("minutes", &minutes),
        ("shop", &shop),
        ("link", &link),
    ];
    outbox::send(tx, to, template, lang, &values).await?;
    Ok(())
}

/// Stores a code that nobody is sent and nobody can type: what cannot be proved looks like what can.
pub(crate) async fn pretend(tx: &mut Tx, attempt: AttemptId, visitor: &Visitor) -> Result<(), sqlx::Error> {
    const INSERT: &str = "INSERT INTO codes (id, attempt_id, address, network, code_hash, tries, created_at, expires_at) \
                          VALUES ($1, $2, '', $3, $4, 0, $5, $6)";
    let now = tx.now();
    on!(tx, |c| sqlx::query(INSERT)
        .bind(CodeId::new())
        .bind(attempt)
        .bind(&visitor.network)
        .bind(Token::random().hash())
        .bind(now)
        .bind(now + CODE_LIFE)
        .execute(c)
        .await
        .map(drop))
}

async fn check_limits(tx: &mut Tx, address: &str, visitor: &Visitor) -> Result<(), Error> {
    const LAST: &str =
        "SELECT created_at FROM codes WHERE address = $1 AND network = $2 ORDER BY created_at DESC LIMIT 1";
    const BY_BOTH: &str = "SELECT COUNT(*) FROM codes WHERE address = $1 AND created_at > $2 AND network = $3";
    const BY_ADDRESS: &str = "SELECT COUNT(*) FROM codes WHERE address = $1 AND created_at > $2";
    const BY_NETWORK: &str = "SELECT COUNT(*) FROM codes WHERE network = $1 AND created_at > $2";
    let now = tx.now();
    let hour_ago = now - Duration::hours(1);
    let last: Option<DateTime<Utc>> = on!(tx, |c| sqlx::query_scalar(LAST)
        .bind(address)
        .bind(&visitor.network)
        .fetch_optional(c)
        .await)?;
    if let Some(wait) = last
        .filter(|last| *last <= now + SKEW)
        .map(|last| (last + RESEND_AFTER - now).num_seconds())
        .filter(|wait| *wait > 0)
    {
        return Err(Error::TooMany {
            retry_after: u32::try_from(wait).unwrap_or(30),
        });
    }
    let by_both: i64 = on!(tx, |c| sqlx::query_scalar(BY_BOTH)
        .bind(address)
        .bind(hour_ago)
        .bind(&visitor.network)
        .fetch_one(c)
        .await)?;
    let by_address: i64 = on!(tx, |c| sqlx::query_scalar(BY_ADDRESS)
        .bind(address)
        .bind(hour_ago)
        .fetch_one(c)
        .await)?;
    let by_network: i64 = on!(tx, |c| sqlx::query_scalar(BY_NETWORK)
        .bind(&visitor.network)
        .bind(hour_ago)
        .fetch_one(c)
        .await)?;
    let by_day: i64 = on!(tx, |c| sqlx::query_scalar(BY_ADDRESS)
        .bind(address)
        .bind(now - Duration::days(1))
        .fetch_one(c)
        .await)?;
    if by_day >= CODES_PER_ADDRESS_A_DAY {
        return Err(Error::TooMany { retry_after: 24 * 3600 });
    }
    if by_both >= CODES_PER_ADDRESS || by_address >= CODES_PER_ADDRESS_IN_ALL || by_network >= CODES_PER_NETWORK {
        return Err(Error::TooMany { retry_after: 3600 });
    }
    Ok(())
}

/// The secret that codes are hashed and questions to passkeys are signed with: made at first use, kept in the database.
pub(crate) async fn code_key(tx: &mut Tx) -> Result<Vec<u8>, sqlx::Error> {
    const INSERT: &str = "INSERT INTO settings (key, value) VALUES ('code_key', $1) ON CONFLICT (key) DO NOTHING";
    on!(tx, |c| sqlx::query(INSERT)
        .bind(Token::random().secret())
        .execute(c)
        .await
        .map(drop))?;
    let key: String = on!(tx, |c| sqlx::query_scalar(KEY).fetch_one(c).await)?;
    Ok(key.into_bytes())
}

const KEY: &str = "SELECT value FROM settings WHERE key = 'code_key'";

/// The same secret where nothing is changed otherwise.
pub(crate) async fn key(db: &Db) -> Result<Vec<u8>, Error> {
    let mut conn = db.read().await?;
    let key: Option<String> = on!(conn, |c| sqlx::query_scalar(KEY).fetch_optional(c).await)?;
    drop(conn);
    match key {
        Some(key) => Ok(key.into_bytes()),
        None => db.write(|tx| scoped(async move { Ok(code_key(tx).await?) })).await,
    }
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

/// A code as it was typed: people copy it with spaces. [`Flaw::Missing`] at `code` when there is nothing.
pub(crate) fn typed(raw: &str) -> Result<String, Error> {
    let typed: String = raw.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if typed.is_empty() {
        return Err(Error::field("code", Flaw::Missing));
    }
    Ok(typed)
}

#[derive(sqlx::FromRow)]
struct CodeRow {
    id: CodeId,
    code_hash: Vec<u8>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// Takes a code. What is wrong with it is a value, not an error: the transaction has to commit, so that the try counts.
pub(crate) async fn take(
    tx: &mut Tx,
    attempt: &AttemptRow,
    typed: &str,
    visitor: &Visitor,
) -> Result<Result<(), Flaw>, Error> {
    const LAST: &str = "SELECT id, code_hash, created_at, expires_at FROM codes WHERE attempt_id = $1 \
                        AND used_at IS NULL ORDER BY created_at DESC LIMIT 1";
    // It counts first, which locks the row: of several that try at once each sees what the others did.
    const TRY: &str =
        "UPDATE codes SET tries = tries + 1 WHERE id = $1 AND used_at IS NULL AND tries < $2 RETURNING tries";
    const USE: &str = "UPDATE codes SET used_at = $2 WHERE id = $1 AND used_at IS NULL";
    let now = tx.now();
    let row: Option<CodeRow> = on!(tx, |c| sqlx::query_as(LAST).bind(attempt.id).fetch_optional(c).await)?;
    let Some(row) = row else {
        return Ok(Err(Flaw::ExpiredCode));
    };
    let tries: Option<i64> = if row.expires_at <= now || row.created_at > now + SKEW {
        None
    } else {
        on!(tx, |c| sqlx::query_scalar(TRY)
            .bind(row.id)
            .bind(CODE_TRIES)
            .fetch_optional(c)
            .await)?
    };
    let Some(tries) = tries else {
        // Dead for good, also when the clock is set back.
        on!(tx, |c| sqlx::query(USE)
            .bind(row.id)
            .bind(now)
            .execute(c)
            .await
            .map(drop))?;
        return Ok(Err(Flaw::ExpiredCode));
    };
    let hash = keyed_hash(&code_key(tx).await?, attempt.id, typed);
    if !bool::from(hash.ct_eq(&row.code_hash)) {
        refused(tx, "code", visitor).await?;
        let left = CODE_TRIES - tries;
        return Ok(Err(if left > 0 {
            Flaw::WrongCode { left: left as u32 }
        } else {
            Flaw::ExpiredCode
        }));
    }
    let used = on!(tx, |c| sqlx::query(USE)
        .bind(row.id)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    // On PostgreSQL somebody else may have used it a moment ago.
    Ok(if used == 1 { Ok(()) } else { Err(Flaw::ExpiredCode) })
}
