//! Factors in the database: setting them up, giving them on the way in, proving by them anew who one is.

use super::passkey::{self, Answer, Bound, Purpose as Asked, Question};
use super::totp::{self, Secret};
use super::{By, Factor, Known, Overview, Owner, recovery, removal};
use crate::audit::{self, Actor};
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::{self, Flaw, PASSWORD_MIN};
use crate::id::{AttemptId, CustomerId, FactorId, StaffId};
use crate::lang::Lang;
use crate::on;
use crate::outbox;
use crate::signin::attempts::{self, AttemptRow, Purpose};
use crate::signin::codes::typed;
use crate::signin::history;
use crate::signin::store::{conclude, failed, let_in, let_staff_in, throttle_of, throttle_second};
use crate::staff::store::end_sessions;
use crate::who::{self, Opened, Subject, System, Token, Visitor};
use chrono::{DateTime, Utc};

/// The longest name of a passkey, in characters.
pub const NAME_MAX: usize = 60;
/// Marks the codes that the demonstration's inbox shows.
const DEMONSTRATION: &str = "demonstration";

/// Whether somebody has a second factor, without which they are not let in. For a customer that is the codes of an app,
/// which they turned on for this; for a member of staff a passkey is as good. A customer's passkey is a way in by
/// itself, and asks no more of the other ways.
pub(crate) async fn has_second(conn: &mut Conn, owner: Owner) -> Result<bool, sqlx::Error> {
    const SQL: &str = "SELECT COUNT(*) FROM factors WHERE (customer_id = $1 OR staff_id = $2) AND confirmed_at IS NOT NULL \
                       AND (kind = 'totp' OR (kind = 'passkey' AND staff_id IS NOT NULL))";
    let (customer, staff) = owner.columns();
    let count: i64 = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(customer)
        .bind(staff)
        .fetch_one(c)
        .await)?;
    Ok(count > 0)
}

/// The same of a customer, for whoever reads their data.
pub async fn has_second_step(conn: &mut Conn, of: Subject) -> Result<bool, Error> {
    Ok(has_second(conn, Owner::Customer(of.id())).await?)
}

/// Removes every factor of a member of staff and ends their sessions: the next sign-in sets up new ones.
pub async fn reset(db: &Db, _by: &System, staff: StaffId) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            reset_in(tx, staff).await?;
            crate::staff::store::record(tx, "staff.reset_factors", staff).await?;
            Ok(())
        })
    })
    .await
}

/// The same, within a transaction.
pub(crate) async fn reset_in(tx: &mut Tx, staff: StaffId) -> Result<(), sqlx::Error> {
    const SQL: &str = "DELETE FROM factors WHERE staff_id = $1";
    on!(tx, |c| sqlx::query(SQL).bind(staff).execute(c).await.map(drop))?;
    end_sessions(tx, staff).await
}

/// What somebody has.
pub async fn overview(db: &Db, of: Known<'_>) -> Result<Overview, Error> {
    let mut conn = db.read().await?;
    let owner = of.owner();
    let password_short = match owner {
        Owner::Customer(id) => password_short(&mut conn, id).await?,
        Owner::Staff(_) => false,
    };
    let totp = confirmed(&mut conn, owner, "totp").await?.into_iter().next();
    let passkeys = confirmed(&mut conn, owner, "passkey").await?;
    let codes = confirmed(&mut conn, owner, "recovery").await?;
    Ok(Overview {
        totp,
        passkeys,
        codes_left: codes.iter().filter(|code| code.used_at.is_none()).count(),
        codes_wait: waiting(&mut conn, owner).await?.is_some(),
        has_second: has_second(&mut conn, owner).await?,
        password_short,
    })
}

async fn password_short(conn: &mut Conn, customer: CustomerId) -> Result<bool, sqlx::Error> {
    const SQL: &str = "SELECT password_short FROM customers WHERE id = $1";
    on!(conn, |c| sqlx::query_scalar(SQL).bind(customer).fetch_one(c).await)
}

async fn confirmed(conn: &mut Conn, owner: Owner, kind: &str) -> Result<Vec<Factor>, sqlx::Error> {
    const SQL: &str = "SELECT id, name, created_at, used_at FROM factors WHERE (customer_id = $1 OR staff_id = $2) \
                       AND kind = $3 AND confirmed_at IS NOT NULL ORDER BY created_at DESC, id DESC";
    let (customer, staff) = owner.columns();
    on!(conn, |c| sqlx::query_as(SQL)
        .bind(customer)
        .bind(staff)
        .bind(kind)
        .fetch_all(c)
        .await)
}

/// Removes what was offered of a kind, or what is in use.
pub(crate) async fn clear(tx: &mut Tx, owner: Owner, kind: &str, is_confirmed: bool) -> Result<(), sqlx::Error> {
    const SQL: &str = "DELETE FROM factors WHERE (customer_id = $1 OR staff_id = $2) AND kind = $3 \
                       AND (confirmed_at IS NOT NULL) = $4";
    let (customer, staff) = owner.columns();
    on!(tx, |c| sqlx::query(SQL)
        .bind(customer)
        .bind(staff)
        .bind(kind)
        .bind(is_confirmed)
        .execute(c)
        .await
        .map(drop))
}

/// A row of TOTP or of a recovery code.
async fn insert(
    tx: &mut Tx,
    owner: Owner,
    (kind, name, data): (&str, &str, &str),
    confirmed_at: Option<DateTime<Utc>>,
) -> Result<FactorId, sqlx::Error> {
    const SQL: &str = "INSERT INTO factors (id, customer_id, staff_id, kind, name, data, created_at, confirmed_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let (id, now) = (FactorId::new(), tx.now());
    let (customer, staff) = owner.columns();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(customer)
        .bind(staff)
        .bind(kind)
        .bind(name)
        .bind(data)
        .bind(now)
        .bind(confirmed_at)
        .execute(c)
        .await
        .map(drop))?;
    Ok(id)
}

/// Offers the codes of an app: a secret that counts once a first code of it was right. What was offered before goes.
pub(crate) async fn offer(tx: &mut Tx, owner: Owner) -> Result<(), Error> {
    clear(tx, owner, "totp", false).await?;
    insert(tx, owner, ("totp", "", &Secret::random().text()), None).await?;
    Ok(())
}

/// Offers the codes of an app to somebody who has none, or who changes the phone.
pub async fn offer_totp(db: &Db, by: &By<'_>) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            offer(tx, by.owner()).await?;
            by.known().record(tx, "factor.offer", None).await?;
            Ok(())
        })
    })
    .await
}

/// What is set up and not in use yet. It holds secrets: only whoever proved who they are may see it.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The secret that is offered.
    pub totp: Option<Secret>,
    /// The account's name in the app, and in the list of passkeys that a device keeps.
    pub account: String,
    /// Recovery codes that wait to be saved, in the browser that they were made in.
    pub codes: Vec<String>,
}

/// What is set up and not in use yet.
pub async fn pending(db: &Db, by: &By<'_>) -> Result<Pending, Error> {
    pending_of(&mut db.read().await?, by.owner(), by.known().token()).await
}

async fn pending_of(conn: &mut Conn, owner: Owner, token: &Token) -> Result<Pending, Error> {
    let waiting = waiting(conn, owner).await?;
    Ok(Pending {
        totp: offered(conn, owner).await?.map(|(_, secret)| secret),
        account: account(conn, owner).await?.0,
        codes: waiting
            .and_then(|(_, stored)| recovery::offered(&stored, token))
            .unwrap_or_default(),
    })
}

/// The account's name, and its owner's.
async fn account(conn: &mut Conn, owner: Owner) -> Result<(String, String), sqlx::Error> {
    const CUSTOMER: &str = "SELECT COALESCE((SELECT k.value FROM contacts k WHERE k.customer_id = c.id \
                            AND k.kind = 'phone' AND k.is_primary), c.name), c.name FROM customers c WHERE c.id = $1";
    const STAFF: &str = "SELECT login, name FROM staff WHERE id = $1";
    let sql = match owner {
        Owner::Customer(_) => CUSTOMER,
        Owner::Staff(_) => STAFF,
    };
    on!(conn, |c| sqlx::query_as(sql).bind(owner.id()).fetch_one(c).await)
}

async fn offered(conn: &mut Conn, owner: Owner) -> Result<Option<(FactorId, Secret)>, Error> {
    const SQL: &str = "SELECT id, data FROM factors WHERE (customer_id = $1 OR staff_id = $2) AND kind = 'totp' \
                       AND confirmed_at IS NULL";
    let (customer, staff) = owner.columns();
    let row: Option<(FactorId, String)> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(customer)
        .bind(staff)
        .fetch_optional(c)
        .await)?;
    row.map(|(id, text)| Ok((id, stored(&text)?))).transpose()
}

fn stored(text: &str) -> Result<Secret, Error> {
    let inconsistent = || db::Error::Inconsistent("the secret of a TOTP cannot be read".into());
    Ok(Secret::parse(text).ok_or_else(inconsistent)?)
}

/// What is stored of recovery codes that wait to be saved.
async fn waiting(conn: &mut Conn, owner: Owner) -> Result<Option<(FactorId, String)>, sqlx::Error> {
    const SQL: &str = "SELECT id, data FROM factors WHERE (customer_id = $1 OR staff_id = $2) AND kind = 'recovery' \
                       AND confirmed_at IS NULL ORDER BY id DESC LIMIT 1";
    let (customer, staff) = owner.columns();
    on!(conn, |c| sqlx::query_as(SQL)
        .bind(customer)
        .bind(staff)
        .fetch_optional(c)
        .await)
}

/// Takes the first code of what was offered: from now on it is the second factor, in place of the one before.
/// Recovery codes are made with the first. What is wrong is a value, so that the try counts.
async fn confirm_offer(
    tx: &mut Tx,
    owner: Owner,
    token: &Token,
    typed: &str,
    visitor: &Visitor,
) -> Result<Result<FactorId, Flaw>, Error> {
    const SQL: &str = "UPDATE factors SET confirmed_at = $2, used_at = $2, last_step = $3 \
                       WHERE id = $1 AND confirmed_at IS NULL";
    let (subject, now) = (subject(owner), tx.now());
    throttle_second(tx, &subject, true, visitor).await?;
    let (id, secret) = offered(tx, owner).await?.ok_or(Error::Stale)?;
    let Some(step) = secret.step(typed, now) else {
        failed(tx, &subject, "totp", visitor).await?;
        return Ok(Err(Flaw::WrongSecond));
    };
    clear(tx, owner, "totp", true).await?;
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(now)
        .bind(step)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        return Err(Error::Stale);
    }
    codes_with_the_first(tx, owner, token).await?;
    Ok(Ok(id))
}

/// Recovery codes for somebody who has none, to be shown in the browser with this token.
async fn codes_with_the_first(tx: &mut Tx, owner: Owner, token: &Token) -> Result<(), Error> {
    let left = confirmed(tx, owner, "recovery").await?;
    if left.is_empty() && has_second(tx, owner).await? {
        make(tx, owner, token).await?;
    }
    Ok(())
}

/// Makes ten recovery codes that wait to be saved; until then those before are good.
async fn make(tx: &mut Tx, owner: Owner, token: &Token) -> Result<(), sqlx::Error> {
    clear(tx, owner, "recovery", false).await?;
    insert(tx, owner, ("recovery", "", &recovery::offer(token)), None).await?;
    Ok(())
}

/// Recovery codes about to come into use: what stood for them, and their hashes.
struct Kept {
    id: FactorId,
    hashes: Vec<String>,
}

/// Hashes the codes that wait in the browser with this token: that takes its time, so it is done before the transaction.
/// [`Error::Stale`] when none wait.
async fn to_keep(db: &Db, owner: Owner, token: &Token) -> Result<Kept, Error> {
    let waiting = waiting(&mut db.read().await?, owner).await?;
    let found = waiting.and_then(|(id, stored)| Some((id, recovery::offered(&stored, token)?)));
    let (id, codes) = found.ok_or(Error::Stale)?;
    let hashes = recovery::hashes(codes).await?;
    Ok(Kept { id, hashes })
}

/// Puts the codes that waited into use; those before are dead. [`Error::Stale`] when others wait by now.
async fn keep(tx: &mut Tx, owner: Owner, kept: &Kept) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM factors WHERE id = $1 AND confirmed_at IS NULL";
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(kept.id)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        return Err(Error::Stale);
    }
    clear(tx, owner, "recovery", true).await?;
    let now = tx.now();
    for hash in &kept.hashes {
        insert(tx, owner, ("recovery", "", hash), Some(now)).await?;
    }
    Ok(())
}

/// Against whom wrong codes are counted.
fn subject(owner: Owner) -> String {
    format!("second {}", owner.id())
}

/// Takes the first code of the app. Field: `code`.
pub async fn confirm_totp(db: &Db, by: &By<'_>, code: &str, visitor: &Visitor) -> Result<(), Error> {
    let typed = &typed(code)?;
    let outcome: Result<(), Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                match confirm_offer(tx, by.owner(), by.known().token(), typed, visitor).await? {
                    Ok(id) => Ok(Ok(by.changed(tx, "factor.totp_on", Some(id)).await?)),
                    Err(flaw) => Ok(Err(flaw)),
                }
            })
        })
        .await?;
    outcome.map_err(|flaw| Error::field("code", flaw))
}

/// Makes new recovery codes that wait to be saved. [`Error::Stale`] for somebody without a second factor.
pub async fn make_codes(db: &Db, by: &By<'_>) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            if !has_second(tx, by.owner()).await? {
                return Err(Error::Stale);
            }
            make(tx, by.owner(), by.known().token()).await?;
            by.known().record(tx, "recovery.make", None).await?;
            Ok(())
        })
    })
    .await
}

/// The codes that waited are saved: from now on they count, and those before are dead.
pub async fn keep_codes(db: &Db, by: &By<'_>) -> Result<(), Error> {
    let kept = &to_keep(db, by.owner(), by.known().token()).await?;
    db.write(|tx| {
        scoped(async move {
            keep(tx, by.owner(), kept).await?;
            by.changed(tx, "recovery.keep", None).await
        })
    })
    .await
}

/// The question for a new passkey.
pub async fn ask_new_passkey(db: &Db, by: &By<'_>) -> Result<Option<Question>, Error> {
    let (account, name) = account(&mut db.read().await?, by.owner()).await?;
    let bound = Bound::Session(by.known().session());
    passkey::ask_new(db, by.owner(), (&account, &name), bound).await
}

/// A passkey's name as it is kept. Field: `name`.
fn passkey_name(raw: &str) -> Result<String, Error> {
    flaw::text(raw, NAME_MAX).map_err(|flaw| Error::field("name", flaw))
}

/// Takes a new passkey. Fields: `name`, `credential`.
pub async fn add_passkey(db: &Db, by: &By<'_>, name: &str, answer: Answer<'_>) -> Result<(), Error> {
    let name = &passkey_name(name)?;
    let outcome: Result<(), Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                let bound = Bound::Session(by.known().session());
                match passkey::take_new(tx, by.owner(), name, bound, answer).await? {
                    Ok(id) => {
                        codes_with_the_first(tx, by.owner(), by.known().token()).await?;
                        by.changed(tx, "factor.passkey_add", Some(id)).await?;
                        Ok(Ok(()))
                    }
                    Err(flaw) => Ok(Err(flaw)),
                }
            })
        })
        .await?;
    outcome.map_err(|flaw| Error::field("credential", flaw))
}

/// Gives a passkey another name. Field: `name`. [`Error::NotFound`] for what is not theirs.
pub async fn rename_passkey(db: &Db, by: &By<'_>, id: FactorId, name: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE factors SET name = $4 WHERE id = $1 AND (customer_id = $2 OR staff_id = $3) \
                       AND kind = 'passkey'";
    let name = &passkey_name(name)?;
    db.write(|tx| {
        scoped(async move {
            let (customer, staff) = by.owner().columns();
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(customer)
                .bind(staff)
                .bind(name)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::NotFound);
            }
            by.known().record(tx, "factor.passkey_rename", Some(id.0)).await?;
            Ok(())
        })
    })
    .await
}

/// Removes the codes of an app or a passkey; recovery codes go with the last second factor. [`Error::NotFound`] for
/// what is not theirs, [`Error::Forbidden`] for the last one of a member of staff, [`Flaw::TooShort`] at `password` for
/// the last one of a customer whose password is too short to open by itself.
pub async fn remove(db: &Db, by: &By<'_>, id: FactorId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM factors WHERE id = $1 AND (customer_id = $2 OR staff_id = $3) \
                       AND kind IN ('totp', 'passkey') AND confirmed_at IS NOT NULL RETURNING kind";
    db.write(|tx| {
        scoped(async move {
            let owner = by.owner();
            let (customer, staff) = owner.columns();
            let password_short = hold(tx, owner).await?;
            let kind: Option<String> = on!(tx, |c| sqlx::query_scalar(SQL)
                .bind(id)
                .bind(customer)
                .bind(staff)
                .fetch_optional(c)
                .await)?;
            let kind = kind.ok_or(Error::NotFound)?;
            if !has_second(tx, owner).await? {
                if staff.is_some() {
                    return Err(Error::Forbidden);
                }
                if password_short {
                    return Err(Error::field("password", Flaw::TooShort { min: PASSWORD_MIN }));
                }
                clear(tx, owner, "recovery", true).await?;
                clear(tx, owner, "recovery", false).await?;
                if let Some(customer) = customer {
                    removal::settle(tx, customer, &Visitor::default()).await?;
                }
            }
            by.changed(tx, &format!("factor.{kind}_remove"), Some(id)).await
        })
    })
    .await
}

/// Holds the owner's row until the transaction ends. Two removals at once would each leave the other's factor, and one
/// beside a change of the password would not see how short that is: they go one after the other. Returns whether it is
/// short.
pub(crate) async fn hold(tx: &mut Tx, owner: Owner) -> Result<bool, sqlx::Error> {
    const STAFF: &str = "UPDATE staff SET login = login WHERE id = $1";
    const CUSTOMER: &str =
        "UPDATE customers SET password_short = password_short WHERE id = $1 RETURNING password_short";
    match owner {
        Owner::Staff(id) => {
            on!(tx, |c| sqlx::query(STAFF).bind(id).execute(c).await.map(drop))?;
            Ok(false)
        }
        Owner::Customer(id) => on!(tx, |c| sqlx::query_scalar(CUSTOMER).bind(id).fetch_one(c).await),
    }
}

/// A code as it was typed, ready to be compared.
enum Typed {
    /// Of the app.
    Totp(String),
    /// A recovery code, hashed as the stored ones are; `None` where there is none to compare with.
    Recovery(Option<String>),
}

/// Reads a code that was typed. A recovery code takes as long as a password, so it is hashed before the transaction, and
/// only where not too many were wrong.
async fn read_code(db: &Db, owner: Owner, code: &str, visitor: &Visitor) -> Result<Typed, Error> {
    const SQL: &str = "SELECT data FROM factors WHERE (customer_id = $1 OR staff_id = $2) AND kind = 'recovery' \
                       AND confirmed_at IS NOT NULL AND used_at IS NULL LIMIT 1";
    let typed = typed(code)?;
    if typed.chars().count() != recovery::DIGITS {
        return Ok(Typed::Totp(typed));
    }
    let mut conn = db.read().await?;
    throttle_of(&mut conn, &subject(owner), visitor).await?;
    let (customer, staff) = owner.columns();
    let stored: Option<String> = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(customer)
        .bind(staff)
        .fetch_optional(c)
        .await)?;
    drop(conn);
    Ok(Typed::Recovery(match stored {
        Some(stored) => recovery::hash_like(&stored, &typed).await?,
        None => None,
    }))
}

/// Takes a code of the app, or a recovery code in its place. What is wrong is a value, so that the try counts. Returns
/// which it was.
async fn take_code(
    tx: &mut Tx,
    owner: Owner,
    typed: &Typed,
    visitor: &Visitor,
) -> Result<Result<&'static str, Flaw>, Error> {
    let subject = subject(owner);
    throttle_second(tx, &subject, matches!(typed, Typed::Totp(_)), visitor).await?;
    let (way, fits) = match typed {
        Typed::Totp(code) => ("totp", take_totp(tx, owner, code).await?),
        Typed::Recovery(Some(hash)) => ("recovery", take_recovery(tx, owner, hash).await?),
        Typed::Recovery(None) => ("recovery", false),
    };
    if fits {
        return Ok(Ok(way));
    }
    failed(tx, &subject, way, visitor).await?;
    Ok(Err(Flaw::WrongSecond))
}

/// Each step once: a code that somebody read over a shoulder is used up.
async fn take_totp(tx: &mut Tx, owner: Owner, typed: &str) -> Result<bool, Error> {
    const SELECT: &str = "SELECT id, data FROM factors WHERE (customer_id = $1 OR staff_id = $2) AND kind = 'totp' \
                          AND confirmed_at IS NOT NULL";
    const TAKE: &str = "UPDATE factors SET last_step = $2, used_at = $3 \
                        WHERE id = $1 AND (last_step IS NULL OR last_step < $2)";
    let (customer, staff) = owner.columns();
    let now = tx.now();
    let row: Option<(FactorId, String)> = on!(tx, |c| sqlx::query_as(SELECT)
        .bind(customer)
        .bind(staff)
        .fetch_optional(c)
        .await)?;
    let Some((id, text)) = row else { return Ok(false) };
    let Some(step) = stored(&text)?.step(typed, now) else {
        return Ok(false);
    };
    let rows = on!(tx, |c| sqlx::query(TAKE)
        .bind(id)
        .bind(step)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

async fn take_recovery(tx: &mut Tx, owner: Owner, hash: &str) -> Result<bool, Error> {
    const SQL: &str = "UPDATE factors SET used_at = $4 WHERE (customer_id = $1 OR staff_id = $2) AND kind = 'recovery' \
                       AND data = $3 AND confirmed_at IS NOT NULL AND used_at IS NULL";
    let (customer, staff) = owner.columns();
    let now = tx.now();
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(customer)
        .bind(staff)
        .bind(hash)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// The attempt of this browser and whom its first factor led to. [`Error::Stale`] where the second is not to be given.
async fn arrived(conn: &mut Conn, token: &Token, purpose: Purpose) -> Result<(AttemptRow, Owner), Error> {
    let attempt = attempts::row(conn, token, purpose).await?;
    let owner = match purpose {
        Purpose::SignIn => attempt.customer_id.map(Owner::Customer),
        Purpose::Staff => attempt.staff_id.map(Owner::Staff),
        Purpose::Contact | Purpose::Confirm | Purpose::Counter | Purpose::Merge => None,
    };
    let owner = owner.ok_or(Error::Stale)?;
    Ok((attempt, owner))
}

/// Both factors are given: opens the session and writes down by what.
async fn let_through(
    tx: &mut Tx,
    attempt: &AttemptRow,
    owner: Owner,
    second: &str,
    visitor: &Visitor,
) -> Result<Opened, Error> {
    let (actor, customer) = match owner {
        Owner::Customer(id) => (Actor::Customer, Some(id)),
        Owner::Staff(_) => (Actor::Staff, None),
    };
    let entry = audit::Entry {
        actor,
        actor_id: Some(owner.id()),
        action: "sign_in.second",
        customer,
        object: None,
        reason: second,
        network: &visitor.network,
    };
    audit::record(tx, entry).await?;
    match owner {
        Owner::Customer(id) => {
            removal::settle(tx, id, visitor).await?;
            conclude(tx, attempt, id, &attempt.way, visitor).await
        }
        Owner::Staff(id) => {
            attempts::finish(tx, attempt.id).await?;
            let_staff_in(tx, id, &attempt.way, visitor).await
        }
    }
}

/// The first factor was right and the second was not: whoever they were after is told.
async fn kept_out(tx: &mut Tx, attempt: AttemptId, owner: Owner, visitor: &Visitor) -> Result<(), Error> {
    match owner {
        Owner::Customer(id) => Ok(history::note(tx, id, "second", false, visitor).await?),
        Owner::Staff(id) => write_to_staff(tx, attempt, id, visitor).await,
    }
}

/// Writes to a member of staff that somebody gave their first factor and not the second: once since the attempt began, however
/// often they try, and to whom an e-mail address is known. The try counts also where the message cannot be written.
async fn write_to_staff(tx: &mut Tx, attempt: AttemptId, staff: StaffId, visitor: &Visitor) -> Result<(), Error> {
    const SQL: &str = "SELECT s.name, s.email, s.language FROM staff s JOIN attempts a ON a.id = $2 \
                       WHERE s.id = $1 AND s.email IS NOT NULL AND NOT EXISTS (SELECT 1 FROM outbox o \
                       WHERE o.address = s.email AND o.created_at >= a.created_at AND o.template = $3)";
    const TEMPLATE: &str = "staff_kept_out";
    let found: Option<(String, String, Lang)> = on!(tx, |c| sqlx::query_as(SQL)
        .bind(staff)
        .bind(attempt)
        .bind(TEMPLATE)
        .fetch_optional(c)
        .await)?;
    let Some((name, address, lang)) = found else {
        return Ok(());
    };
    let shop = tx.shop().clone();
    let at = shop.local(tx.now()).format("%d.%m.%Y %H:%M").to_string();
    let to = outbox::To {
        channel: outbox::Channel::Email,
        address: &address,
        customer: None,
    };
    let values = [
        ("name", name.as_str()),
        ("shop", shop.name.as_str()),
        ("url", shop.url.as_str()),
        ("at", at.as_str()),
        ("network", visitor.network.as_str()),
    ];
    match outbox::send(tx, to, TEMPLATE, lang, &values).await {
        Err(Error::Database(db::Error::Inconsistent(why))) => {
            tracing::error!(%why, "a second factor was wrong, and its owner is not told");
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Takes the second factor of an attempt as a code of the app or a recovery code. Field: `code`.
pub async fn second_by_code(
    db: &Db,
    token: &Token,
    purpose: Purpose,
    code: &str,
    visitor: &Visitor,
) -> Result<Opened, Error> {
    let (_, owner) = arrived(&mut db.read().await?, token, purpose).await?;
    let typed = &read_code(db, owner, code, visitor).await?;
    let outcome: Result<Opened, Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                let (attempt, owner) = arrived(tx, token, purpose).await?;
                match take_code(tx, owner, typed, visitor).await? {
                    Ok(second) => Ok(Ok(let_through(tx, &attempt, owner, second, visitor).await?)),
                    Err(flaw) => {
                        kept_out(tx, attempt.id, owner, visitor).await?;
                        Ok(Err(flaw))
                    }
                }
            })
        })
        .await?;
    outcome.map_err(|flaw| Error::field("code", flaw))
}

/// The question for the second factor of an attempt. `None` where there is no passkey to answer with, [`Error::Stale`]
/// where no second factor is to be given.
pub async fn ask_second(db: &Db, token: &Token, purpose: Purpose) -> Result<Option<Question>, Error> {
    let mut conn = db.read().await?;
    let (_, owner) = arrived(&mut conn, token, purpose).await?;
    if confirmed(&mut conn, owner, "passkey").await?.is_empty() {
        return Ok(None);
    }
    drop(conn);
    passkey::ask(db, Asked::Second, Bound::Token(token)).await
}

/// Takes the second factor of an attempt as a passkey. Field: `credential`.
pub async fn second_by_passkey(
    db: &Db,
    token: &Token,
    purpose: Purpose,
    answer: Answer<'_>,
    visitor: &Visitor,
) -> Result<Opened, Error> {
    let outcome: Result<Opened, Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                let (attempt, owner) = arrived(tx, token, purpose).await?;
                match passkey::take(tx, Asked::Second, Bound::Token(token), answer, visitor).await? {
                    Ok(found) if found == owner => Ok(Ok(let_through(tx, &attempt, owner, "passkey", visitor).await?)),
                    // Somebody else's passkey proves nothing of who began.
                    Ok(_) => {
                        kept_out(tx, attempt.id, owner, visitor).await?;
                        Ok(Err(Flaw::WrongPasskey))
                    }
                    Err(flaw) => {
                        kept_out(tx, attempt.id, owner, visitor).await?;
                        Ok(Err(flaw))
                    }
                }
            })
        })
        .await?;
    outcome.map_err(|flaw| Error::field("credential", flaw))
}

/// Lets a customer in by a passkey alone: it proves the device and its owner at once. Field: `credential`. `browser` is
/// the token that [`passkey::ask_to_sign_in`] was asked with.
pub async fn sign_in_by_passkey(
    db: &Db,
    browser: &Token,
    answer: Answer<'_>,
    visitor: &Visitor,
) -> Result<Opened, Error> {
    let outcome: Result<Opened, Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                match passkey::take(tx, Asked::SignIn, Bound::Token(browser), answer, visitor).await? {
                    Ok(Owner::Customer(customer)) => Ok(Ok(let_in(tx, customer, "passkey", visitor).await?)),
                    // Staff come in by their own door.
                    Ok(Owner::Staff(_)) => Ok(Err(Flaw::WrongPasskey)),
                    Err(flaw) => Ok(Err(flaw)),
                }
            })
        })
        .await?;
    outcome.map_err(|flaw| Error::field("credential", flaw))
}

/// Proves anew who somebody is, by a code of the app or a recovery code. Field: `code`.
pub async fn confirm_by_code(db: &Db, by: Known<'_>, code: &str, visitor: &Visitor) -> Result<Opened, Error> {
    let typed = &read_code(db, by.owner(), code, visitor).await?;
    let outcome: Result<Opened, Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                match take_code(tx, by.owner(), typed, visitor).await? {
                    Ok(_) => Ok(Ok(renew(tx, by).await?)),
                    Err(flaw) => Ok(Err(flaw)),
                }
            })
        })
        .await?;
    outcome.map_err(|flaw| Error::field("code", flaw))
}

/// Makes a session fresh whose owner has just proved who they are, and writes it down.
pub(crate) async fn renew(tx: &mut Tx, by: Known<'_>) -> Result<Opened, Error> {
    by.record(tx, "confirm", None).await?;
    Ok(who::renew_session(tx, by.session()).await?)
}

/// The question for somebody who proves anew who they are. `None` where there is no passkey to answer with.
pub async fn ask_to_confirm(db: &Db, by: Known<'_>) -> Result<Option<Question>, Error> {
    if confirmed(&mut db.read().await?, by.owner(), "passkey")
        .await?
        .is_empty()
    {
        return Ok(None);
    }
    passkey::ask(db, Asked::Confirm, Bound::Session(by.session())).await
}

/// Proves anew who somebody is, by a passkey. Field: `credential`.
pub async fn confirm_by_passkey(
    db: &Db,
    by: Known<'_>,
    answer: Answer<'_>,
    visitor: &Visitor,
) -> Result<Opened, Error> {
    let outcome: Result<Opened, Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                match passkey::take(tx, Asked::Confirm, Bound::Session(by.session()), answer, visitor).await? {
                    Ok(found) if found == by.owner() => Ok(Ok(renew(tx, by).await?)),
                    Ok(_) => Ok(Err(Flaw::WrongPasskey)),
                    Err(flaw) => Ok(Err(flaw)),
                }
            })
        })
        .await?;
    outcome.map_err(|flaw| Error::field("credential", flaw))
}

/// How far a member of staff has come in setting up a second factor on the way in.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What is set up and not in use yet.
    pub pending: Pending,
    /// The second factor is there; the recovery codes are to be saved.
    pub is_done: bool,
}

/// How far a member of staff has come. [`Error::Stale`] for anybody who has a second factor already: they give it.
pub async fn setup(db: &Db, token: &Token) -> Result<Setup, Error> {
    let mut conn = db.read().await?;
    let (attempt, owner) = arrived(&mut conn, token, Purpose::Staff).await?;
    let is_done = attempt.proved_at.is_some();
    if !is_done && has_second(&mut conn, owner).await? {
        return Err(Error::Stale);
    }
    let pending = pending_of(&mut conn, owner, token).await?;
    Ok(Setup { pending, is_done })
}

/// The attempt of a member of staff who has nothing yet but the password.
async fn setting_up(tx: &mut Tx, token: &Token) -> Result<(AttemptRow, Owner), Error> {
    let (attempt, owner) = arrived(tx, token, Purpose::Staff).await?;
    if attempt.proved_at.is_some() || has_second(tx, owner).await? {
        return Err(Error::Stale);
    }
    Ok((attempt, owner))
}

/// Notes that a second factor was set up in this attempt: whoever holds it may save the codes and come in.
async fn set_up(
    tx: &mut Tx,
    (attempt, token): (&AttemptRow, &Token),
    owner: Owner,
    action: &str,
    id: FactorId,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE attempts SET proved_at = $2 WHERE id = $1";
    let now = tx.now();
    codes_with_the_first(tx, owner, token).await?;
    on!(tx, |c| sqlx::query(SQL)
        .bind(attempt.id)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    let entry = audit::Entry {
        actor: Actor::Staff,
        actor_id: Some(owner.id()),
        action,
        customer: None,
        object: Some(id.0),
        reason: "",
        network: "",
    };
    audit::record(tx, entry).await?;
    Ok(())
}

/// Takes the first code of the app that a member of staff sets up on the way in. Field: `code`.
pub async fn setup_totp(db: &Db, token: &Token, code: &str, visitor: &Visitor) -> Result<(), Error> {
    let typed = &typed(code)?;
    let outcome: Result<(), Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                let (attempt, owner) = setting_up(tx, token).await?;
                match confirm_offer(tx, owner, token, typed, visitor).await? {
                    Ok(id) => Ok(Ok(set_up(tx, (&attempt, token), owner, "factor.totp_on", id).await?)),
                    Err(flaw) => Ok(Err(flaw)),
                }
            })
        })
        .await?;
    outcome.map_err(|flaw| Error::field("code", flaw))
}

/// The question for the passkey that a member of staff sets up on the way in.
pub async fn ask_setup_passkey(db: &Db, token: &Token) -> Result<Option<Question>, Error> {
    let mut conn = db.read().await?;
    let (_, owner) = arrived(&mut conn, token, Purpose::Staff).await?;
    let (account, name) = account(&mut conn, owner).await?;
    drop(conn);
    passkey::ask_new(db, owner, (&account, &name), Bound::Token(token)).await
}

/// Takes the passkey that a member of staff sets up on the way in. Fields: `name`, `credential`.
pub async fn setup_passkey(db: &Db, token: &Token, name: &str, answer: Answer<'_>) -> Result<(), Error> {
    let name = &passkey_name(name)?;
    let outcome: Result<(), Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                let (attempt, owner) = setting_up(tx, token).await?;
                match passkey::take_new(tx, owner, name, Bound::Token(token), answer).await? {
                    Ok(id) => {
                        clear(tx, owner, "totp", false).await?;
                        Ok(Ok(set_up(tx, (&attempt, token), owner, "factor.passkey_add", id).await?))
                    }
                    Err(flaw) => Ok(Err(flaw)),
                }
            })
        })
        .await?;
    outcome.map_err(|flaw| Error::field("credential", flaw))
}

/// The recovery codes are saved: the session of the member of staff opens. [`Error::Stale`] before a second factor was
/// set up in this very attempt.
pub async fn finish_setup(db: &Db, token: &Token, visitor: &Visitor) -> Result<Opened, Error> {
    let (attempt, owner) = arrived(&mut db.read().await?, token, Purpose::Staff).await?;
    attempt.proved_at.ok_or(Error::Stale)?;
    let kept = &to_keep(db, owner, token).await?;
    db.write(|tx| {
        scoped(async move {
            let (attempt, owner) = arrived(tx, token, Purpose::Staff).await?;
            keep(tx, owner, kept).await?;
            let_through(tx, &attempt, owner, "setup", visitor).await
        })
    })
    .await
}

/// Gives a member of staff the codes of an app without asking for a first one, for the demonstration: its inbox shows
/// them. What they had of the kind goes.
pub async fn give_totp(db: &Db, _by: &System, staff: StaffId) -> Result<Secret, Error> {
    let secret = Secret::random();
    let text = &secret.text();
    db.write::<_, Error, _>(|tx| {
        scoped(async move {
            let (owner, now) = (Owner::Staff(staff), tx.now());
            clear(tx, owner, "totp", true).await?;
            insert(tx, owner, ("totp", DEMONSTRATION, text), Some(now)).await?;
            crate::staff::store::record(tx, "staff.give_factor", staff).await?;
            Ok(())
        })
    })
    .await?;
    Ok(secret)
}

/// A code of the demonstration's staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownCode {
    /// Who signs in with it.
    pub login: String,
    /// The six digits of now.
    pub code: String,
    /// Seconds until the next ones.
    pub seconds_left: i64,
}

/// The codes that [`give_totp`] made, for the development inbox: whoever tries the demonstration out has no app for
/// them. Nobody else's are ever shown.
pub async fn demonstration_codes(db: &Db) -> Result<Vec<ShownCode>, Error> {
    const SQL: &str = "SELECT s.login, f.data FROM factors f JOIN staff s ON s.id = f.staff_id \
                       WHERE f.kind = 'totp' AND f.name = $1 AND f.confirmed_at IS NOT NULL ORDER BY s.login DESC";
    let mut conn = db.read().await?;
    let now = conn.now();
    let rows: Vec<(String, String)> = on!(conn, |c| sqlx::query_as(SQL).bind(DEMONSTRATION).fetch_all(c).await)?;
    rows.into_iter()
        .map(|(login, text)| {
            let (code, seconds_left) = (stored(&text)?.code(now), totp::seconds_left(now));
            Ok(ShownCode {
                login,
                code,
                seconds_left,
            })
        })
        .collect()
}
