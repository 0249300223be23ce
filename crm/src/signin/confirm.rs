//! Proving anew who one is, before what is dangerous: the session becomes fresh and gets another token.

use super::attempts::{self, Begin, Purpose};
use super::store::{check_current, check_password, password_hash};
use super::{codes, known, notice, strength};
use crate::contact::{Contact, Kind, store as contacts};
use crate::customer::store as customers;
use crate::db::{Db, scoped};
use crate::error::Error;
use crate::factor::{self, Owner};
use crate::flaw::{Flaw, PASSWORD_MIN};
use crate::id::ContactId;
use crate::on;
use crate::who::{self, Customer, Fresh, Opened, Token, Visitor};

/// By what a customer may prove anew who they are.
#[derive(Clone, Debug)]
pub struct Ways {
    /// By the second factor, and then by nothing less.
    pub second_factor: bool,
    /// By the password.
    pub password: bool,
    /// By a code to one of these, the primary phone first.
    pub contacts: Vec<Contact>,
}

/// What a customer can choose from.
pub async fn ways(db: &Db, by: &Customer) -> Result<Ways, Error> {
    let mut conn = db.read().await?;
    let second_factor = factor::has_second(&mut conn, Owner::Customer(by.id())).await?;
    let password = password_hash(&mut conn, by.id()).await?.is_some();
    let mut all = contacts::of(&mut conn, by.me()).await?;
    all.retain(|contact| contact.verified_at.is_some());
    Ok(Ways {
        second_factor,
        password,
        contacts: all,
    })
}

/// Sends a code to a verified contact. [`Error::NotFound`] for any other.
pub async fn start(db: &Db, by: &Customer, contact: ContactId, visitor: &Visitor) -> Result<Token, Error> {
    let found = ways(db, by).await?.contacts.into_iter().find(|c| c.id == contact);
    let found = &found.ok_or(Error::NotFound)?;
    send(db, by, (Purpose::Confirm, "confirm.code"), found, visitor).await
}

/// Sends a code, and writes down that it was asked for.
async fn send(
    db: &Db,
    by: &Customer,
    (purpose, action): (Purpose, &str),
    contact: &Contact,
    visitor: &Visitor,
) -> Result<Token, Error> {
    db.write(|tx| {
        scoped(async move {
            let address = (contact.kind, contact.value.as_str());
            let what = Begin {
                address: Some(address),
                customer: Some(by.id()),
                ..Begin::default()
            };
            let (id, token) = attempts::begin(tx, purpose, what, by.language(), visitor).await?;
            codes::send(tx, (purpose, id), address, by.language(), visitor).await?;
            by.record(tx, action, Some(contact.id.0)).await?;
            Ok(token)
        })
    })
    .await
}

/// Takes the code of [`start`]. Field: `code`. Where there is a second factor a code alone is [`Error::Forbidden`].
pub async fn by_code(db: &Db, by: &Customer, token: &Token, code: &str, visitor: &Visitor) -> Result<Opened, Error> {
    let typed = &codes::typed(code)?;
    let outcome: Result<Opened, Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                let attempt = attempts::row(tx, token, Purpose::Confirm).await?;
                if attempt.customer_id != Some(by.id()) {
                    return Err(Error::Stale);
                }
                if factor::has_second(tx, Owner::Customer(by.id())).await? {
                    return Err(Error::Forbidden);
                }
                if let Err(flaw) = codes::take(tx, &attempt, typed, visitor).await? {
                    return Ok(Err(flaw));
                }
                attempts::finish(tx, attempt.id).await?;
                by.record(tx, "confirm", None).await?;
                let opened = who::renew_session(tx, by.session()).await?;
                if attempt.kind == Some(Kind::Phone) {
                    who::phone_proved(tx, &opened.token).await?;
                }
                Ok(Ok(opened))
            })
        })
        .await?;
    outcome.map_err(|flaw| Error::field("code", flaw))
}

/// Takes the password. Field: `password`. Where there is a second factor a password alone is [`Error::Forbidden`].
pub async fn by_password(db: &Db, by: &Customer, typed: &str, visitor: &Visitor) -> Result<Opened, Error> {
    let mut conn = db.read().await?;
    if factor::has_second(&mut conn, Owner::Customer(by.id())).await? {
        return Err(Error::Forbidden);
    }
    let hash = password_hash(&mut conn, by.id()).await?;
    drop(conn);
    let subject = by.id().to_string();
    if !check_password(db, (subject.as_str(), None), typed, hash.as_deref(), visitor).await? {
        return Err(Error::field("password", Flaw::WrongPassword));
    }
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "confirm", None).await?;
            Ok(who::renew_session(tx, by.session()).await?)
        })
    })
    .await
}

/// Sends a code to a contact that is not proved yet. [`Error::NotFound`] for any other.
pub async fn start_contact(
    db: &Db,
    by: &Fresh<'_, Customer>,
    contact: ContactId,
    visitor: &Visitor,
) -> Result<Token, Error> {
    let all = contacts::of(&mut db.read().await?, by.me()).await?;
    let found = all.iter().find(|c| c.id == contact && c.verified_at.is_none());
    let found = found.ok_or(Error::NotFound)?;
    send(db, by, (Purpose::Contact, "contact.code"), found, visitor).await
}

/// Takes the code of [`start_contact`]. Field: `code`; [`Flaw::TakenElsewhere`] when another customer has proved the
/// contact before, which nobody learns who did not type the right code.
pub async fn contact(db: &Db, by: &Customer, token: &Token, code: &str, visitor: &Visitor) -> Result<Kind, Error> {
    let typed = &codes::typed(code)?;
    let outcome: Result<Kind, Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                let attempt = attempts::row(tx, token, Purpose::Contact).await?;
                if attempt.customer_id != Some(by.id()) {
                    return Err(Error::Stale);
                }
                if let Err(flaw) = codes::take(tx, &attempt, typed, visitor).await? {
                    return Ok(Err(flaw));
                }
                let (kind, address) = attempt.address()?;
                if contacts::holder(tx, kind, address).await?.is_none() {
                    notice::contact_added(tx, by.id(), kind, address).await?;
                }
                if !contacts::keep_proved(tx, by.id(), kind, address).await? {
                    return Ok(Err(Flaw::TakenElsewhere));
                }
                attempts::finish(tx, attempt.id).await?;
                by.record(tx, "contact.verify", None).await?;
                customers::reward_profile(tx, by.id()).await?;
                Ok(Ok(kind))
            })
        })
        .await?;
    outcome.map_err(|flaw| Error::field("code", flaw))
}

/// Sets or changes the password. Fields: `password`, and `current`, the one until now, unless there is none or its owner
/// has proved anew in this session who they are: who forgot it does that by a code (ASVS 5.0, 6.2.3). Beside a second
/// factor a shorter one is enough. Every other session ends, and the customer is told.
pub async fn set_password(
    db: &Db,
    by: &Fresh<'_, Customer>,
    current: &str,
    typed: &str,
    visitor: &Visitor,
) -> Result<(), Error> {
    let mut conn = db.read().await?;
    let held = password_hash(&mut conn, by.id()).await?;
    let has_second = factor::has_second(&mut conn, Owner::Customer(by.id())).await?;
    let profile = customers::profile(&mut conn, by.me()).await?;
    drop(conn);
    // Judged first: what is wrong with the new one costs no try of the old one.
    let birthday = profile.person.birthday.map(|day| day.to_string()).unwrap_or_default();
    let mut own = vec![
        profile.person.name.as_str(),
        &profile.person.surname,
        &birthday,
        &db.shop().name,
    ];
    own.extend(profile.contacts.iter().map(|c| c.value.trim_start_matches('+')));
    let judge = if has_second {
        strength::check_beside
    } else {
        strength::check
    };
    judge(typed, &own).map_err(|flaw| Error::field("password", flaw))?;
    if let Some(held) = held.filter(|_| !by.has_proved_anew()) {
        check_current(db, &by.id().to_string(), current, &held, visitor).await?;
    }
    let is_short = typed.chars().count() < PASSWORD_MIN;
    let hash = super::password::hash(typed).await?;
    put_password(db, by, Some(&hash), is_short).await
}

/// Removes the password: from now on its owner comes in by a code. Every other session ends, and they are told.
pub async fn remove_password(db: &Db, by: &Fresh<'_, Customer>) -> Result<(), Error> {
    put_password(db, by, None, false).await
}

async fn put_password(db: &Db, by: &Fresh<'_, Customer>, hash: Option<&str>, is_short: bool) -> Result<(), Error> {
    const SQL: &str = "UPDATE customers SET password_hash = $2, password_short = $3 WHERE id = $1";
    const OTHERS: &str = "UPDATE sessions SET ended_at = $3 WHERE customer_id = $1 AND id <> $2 AND ended_at IS NULL";
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            // Holds the customer's row, as turning the second factor off does: neither slips past the other.
            on!(tx, |c| sqlx::query(SQL)
                .bind(by.id())
                .bind(hash)
                .bind(is_short)
                .execute(c)
                .await
                .map(drop))?;
            if is_short && !factor::has_second(tx, Owner::Customer(by.id())).await? {
                return Err(Error::field("password", Flaw::TooShort { min: PASSWORD_MIN }));
            }
            on!(tx, |c| sqlx::query(OTHERS)
                .bind(by.id())
                .bind(by.session())
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            attempts::drop_half_done(tx, Owner::Customer(by.id())).await?;
            known::forget_all(tx, by.id(), Some(by.session())).await?;
            by.record(tx, "password.change", None).await?;
            notice::send(tx, by.id(), "password_changed", &[]).await
        })
    })
    .await
}
