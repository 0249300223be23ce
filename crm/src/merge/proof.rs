//! Proving that another account is one's own as well: a code to one's own phone, and a code to the other account. Whether
//! there is such an account nobody learns who does not hold its phone: the answer is the same, and so is that to a wrong code.

use crate::card;
use crate::contact::{Email, Kind, Phone, store as contacts};
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::{AttemptId, CustomerId};
use crate::limits;
use crate::on;
use crate::signin::attempts::{self, Begin, Purpose};
use crate::signin::codes;
use crate::who::{self, Customer, FRESH, Fresh, Token, Visitor};
use chrono::{DateTime, Utc};

/// How many accounts a customer may name within an hour.
const PER_HOUR: u32 = 6;
/// What an attempt is about: one's own phone, or the other account.
const OWN: &str = "own";
const OTHER: &str = "other";

/// What a code has proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proved {
    /// One's own phone: the other account comes next.
    Own,
    /// The other account: what becomes of both comes next.
    Other,
}

/// Sends a code to one's own phone. [`Error::NotFound`] where none is proved.
pub async fn prove_phone(db: &Db, by: &Fresh<'_, Customer>, visitor: &Visitor) -> Result<Token, Error> {
    db.write(|tx| {
        scoped(async move {
            let all = contacts::verified(tx, by.id()).await?;
            let phones = || all.iter().filter(|contact| contact.kind == Kind::Phone);
            let phone = phones().find(|phone| phone.is_primary).or_else(|| phones().next());
            let phone = phone.ok_or(Error::NotFound)?;
            let address = (Kind::Phone, phone.value.as_str());
            let (id, token) = begin(tx, by, Some(address), OWN, visitor).await?;
            codes::send(tx, (Purpose::Merge, id), address, by.language(), visitor).await?;
            Ok(token)
        })
    })
    .await
}

async fn begin(
    tx: &mut Tx,
    by: &Customer,
    address: Option<(Kind, &str)>,
    way: &str,
    visitor: &Visitor,
) -> Result<(AttemptId, Token), sqlx::Error> {
    let what = Begin {
        address,
        customer: Some(by.id()),
        way,
        ..Begin::default()
    };
    attempts::begin(tx, Purpose::Merge, what, by.language(), visitor).await
}

/// Sends a code to another account, named by a phone, an e-mail address or the number of a card. The field is `other`. The
/// answer is the same where there is no such account, or no code may go there now. [`Error::TooMany`] when asked too soon or
/// too often, [`Error::Forbidden`] before one's own phone was proved in this session.
pub async fn ask(db: &Db, by: &Fresh<'_, Customer>, typed: &str, visitor: &Visitor) -> Result<Token, Error> {
    const LAST: &str = "SELECT created_at FROM attempts WHERE customer_id = $1 AND purpose = 'merge' AND way = $2 \
                        ORDER BY created_at DESC LIMIT 1";
    if !by.has_proved_phone(db) {
        return Err(Error::Forbidden);
    }
    let named = &read(typed, &db.shop().country).map_err(|flaw| Error::field("other", flaw))?;
    let target = find(&mut db.read().await?, named).await?;
    if target.as_ref().is_some_and(|target| target.customer == by.id()) {
        return Err(Error::field("other", Flaw::Taken));
    }
    let (target, key) = (target.as_ref(), &format!("merge:{}", by.id()));
    // Counted by itself: what is refused is undone, and would be forgotten.
    let may = db
        .write(|tx| scoped(async move { limits::take(tx, key, PER_HOUR).await }))
        .await?;
    if !may {
        return Err(Error::TooMany { retry_after: 3600 });
    }
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let last: Option<DateTime<Utc>> = on!(tx, |c| sqlx::query_scalar(LAST)
                .bind(by.id())
                .bind(OTHER)
                .fetch_optional(c)
                .await)?;
            let wait = last.map_or(0, |last| (last + codes::RESEND_AFTER - now).num_seconds());
            if wait > 0 {
                return Err(Error::TooMany {
                    retry_after: u32::try_from(wait).unwrap_or(30),
                });
            }
            let address = target.map(|target| (target.kind, target.address.as_str()));
            let (id, token) = begin(tx, by, address, OTHER, visitor).await?;
            let is_sent = match address {
                Some(address) => {
                    match codes::send(tx, (Purpose::Merge, id), address, by.language(), visitor).await {
                        Ok(()) => true,
                        // That a number has had its share tells that there is one.
                        Err(Error::TooMany { .. }) => false,
                        Err(e) => return Err(e),
                    }
                }
                None => false,
            };
            if !is_sent {
                codes::pretend(tx, id, visitor).await?;
            }
            by.record(tx, "merge.ask", Some(id.0)).await?;
            Ok(token)
        })
    })
    .await
}

/// What an account was named by.
enum Named {
    Contact(Kind, String),
    Card(String),
}

fn read(typed: &str, country: &str) -> Result<Named, Flaw> {
    if typed.contains('@') {
        return Ok(Named::Contact(Kind::Email, Email::parse(typed)?.as_str().to_owned()));
    }
    match card::number(typed) {
        Some(number) => Ok(Named::Card(number)),
        None => Ok(Named::Contact(
            Kind::Phone,
            Phone::parse(typed, country)?.as_str().to_owned(),
        )),
    }
}

/// Where a code goes, and whose that is.
#[derive(sqlx::FromRow)]
struct Target {
    customer: CustomerId,
    kind: Kind,
    address: String,
}

/// The proved contact that was named; of a card its holder's, the main phone first.
async fn find(conn: &mut Conn, named: &Named) -> Result<Option<Target>, Error> {
    const CONTACT: &str = "SELECT customer_id AS customer, kind, value AS address FROM contacts WHERE kind = $1 AND value = $2 \
                           AND verified_at IS NOT NULL";
    const CARD: &str = "SELECT t.customer_id AS customer, t.kind, t.value AS address FROM cards k JOIN contacts t \
                        ON t.customer_id = k.customer_id AND t.verified_at IS NOT NULL \
                        WHERE k.number = $1 AND k.state = 'active' \
                        ORDER BY CASE WHEN t.kind = 'phone' THEN 0 ELSE 1 END, t.is_primary DESC, t.created_at, t.id LIMIT 1";
    Ok(match named {
        Named::Contact(kind, value) => on!(conn, |c| sqlx::query_as(CONTACT)
            .bind(kind)
            .bind(value)
            .fetch_optional(c)
            .await)?,
        Named::Card(number) => on!(conn, |c| sqlx::query_as(CARD).bind(number).fetch_optional(c).await)?,
    })
}

/// How far a customer has come in a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Their own phone is to be proved, unless none of theirs is.
    Phone {
        /// There is one to send a code to.
        is_there: bool,
    },
    /// They name the other account.
    Name,
    /// The code is waited for that went to their own phone, or to the other account.
    Code(Proved),
    /// Both are proved: they see what would become of them.
    Look,
}

/// How far a customer has come, by the attempt of their browser.
pub async fn step(db: &Db, by: &Customer, token: Option<&Token>) -> Result<Step, Error> {
    let mut conn = db.read().await?;
    let attempt = match token {
        Some(token) => match attempts::row(&mut conn, token, Purpose::Merge).await {
            Ok(attempt) => Some(attempt),
            Err(Error::Stale) => None,
            Err(e) => return Err(e),
        },
        None => None,
    };
    let since = conn.now() - FRESH;
    if let Some(attempt) = attempt.filter(|attempt| attempt.customer_id == Some(by.id())) {
        match attempt.proved_at {
            Some(at) if at > since => return Ok(Step::Look),
            // It was proved too long ago: they begin anew.
            Some(_) => {}
            None if attempt.way == OWN => return Ok(Step::Code(Proved::Own)),
            None => return Ok(Step::Code(Proved::Other)),
        }
    }
    if by.has_proved_phone(db) {
        return Ok(Step::Name);
    }
    let all = contacts::verified(&mut conn, by.id()).await?;
    Ok(Step::Phone {
        is_there: all.iter().any(|contact| contact.kind == Kind::Phone),
    })
}

/// Takes the code of [`prove_phone`] or [`ask`]. Field: `code`.
pub async fn take_code(
    db: &Db,
    by: &Fresh<'_, Customer>,
    token: &Token,
    code: &str,
    visitor: &Visitor,
) -> Result<Proved, Error> {
    const PROVED: &str = "UPDATE attempts SET proved_at = $2 WHERE id = $1";
    let typed = &codes::typed(code)?;
    let outcome: Result<Proved, Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                let attempt = attempts::row(tx, token, Purpose::Merge).await?;
                if attempt.customer_id != Some(by.id()) {
                    return Err(Error::Stale);
                }
                if let Err(flaw) = codes::take(tx, &attempt, typed, visitor).await? {
                    return Ok(Err(flaw));
                }
                if attempt.way == OWN {
                    who::phone_proved(tx, by.token()).await?;
                    attempts::finish(tx, attempt.id).await?;
                    return Ok(Ok(Proved::Own));
                }
                let now = tx.now();
                on!(tx, |c| sqlx::query(PROVED)
                    .bind(attempt.id)
                    .bind(now)
                    .execute(c)
                    .await
                    .map(drop))?;
                Ok(Ok(Proved::Other))
            })
        })
        .await?;
    outcome.map_err(|flaw| Error::field("code", flaw))
}

/// The account that was proved in this browser moments ago, and the attempt that proved it; else [`Error::Stale`].
pub(super) async fn proved(conn: &mut Conn, by: &Customer, token: &Token) -> Result<(AttemptId, CustomerId), Error> {
    let attempt = attempts::row(conn, token, Purpose::Merge).await?;
    let since = conn.now() - FRESH;
    let is_proved = attempt.proved_at.is_some_and(|at| at > since);
    if attempt.customer_id != Some(by.id()) || attempt.way != OTHER || !is_proved {
        return Err(Error::Stale);
    }
    let (kind, address) = attempt.address()?;
    let holder = contacts::holder(conn, kind, address).await?;
    Ok((attempt.id, holder.ok_or(Error::Stale)?))
}
