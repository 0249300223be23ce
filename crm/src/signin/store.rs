//! Ways in, registration and sessions in the database.
//!
//! A known and an unknown phone take the same steps, see the same answers and cause the same messages up to the code;
//! only who holds the phone learns whether there is an account.

use super::attempts::{self, AttemptRow, Begin, Purpose};
use super::{Device, Draft, codes, history, known, notice, password, strength};
use crate::audit::{self, Actor};
use crate::card::store as cards;
use crate::consent::{Act, AskedAt, store as consents};
use crate::contact::{Email, Kind, Phone, store as contacts};
use crate::customer::{PersonForm, store as customers};
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::factor::{self, Owner};
use crate::flaw::{Check, Flaw};
use crate::id::{CodeId, CustomerId, SessionId, StaffId};
use crate::identity::store as identity;
use crate::invite::store as invitations;
use crate::lang::Lang;
use crate::merge;
use crate::on;
use crate::outbox;
use crate::program::store as programs;
use crate::request::store::queues;
use crate::rule::Occasion;
use crate::rule::store::rewarding;
use crate::staff::store::close_link;
use crate::till::counter;
use crate::webhook::event::Cause;
use crate::who::{self, Customer, Fresh, Opened, SessionOf, Staff, System, Token, Visitor};
use chrono::Duration;
use sqlx::types::Json;

/// Wrong passwords for one sign-in from one network within a quarter of an hour. From another network the owner still
/// comes in, and by code always: nobody can lock a customer out.
const FAILURES: i64 = 8;
/// Wrong passwords from one network within a quarter of an hour, whoever they were for.
const FAILURES_PER_NETWORK: i64 = 50;
/// Wrong second factors for one account within a day, from everywhere: further codes of an app are not compared (NIST SP
/// 800-63B allows a hundred). Whoever types them has given the first factor; the owner has passkeys and recovery codes
/// besides.
const WRONG_SECONDS: i64 = 100;

/// Starts an attempt and sends a code. Field: `phone`.
pub async fn start(db: &Db, phone: &str, lang: Lang, visitor: &Visitor) -> Result<Token, Error> {
    let phone = Phone::parse(phone, &db.shop().country).map_err(|flaw| Error::field("phone", flaw))?;
    start_by(db, (Kind::Phone, phone.as_str()), lang, visitor).await
}

/// Starts an attempt and sends a code to an e-mail address, whether it is known or not. Field: `email`.
pub async fn start_by_email(db: &Db, email: &str, lang: Lang, visitor: &Visitor) -> Result<Token, Error> {
    let email = Email::parse(email).map_err(|flaw| Error::field("email", flaw))?;
    start_by(db, (Kind::Email, email.as_str()), lang, visitor).await
}

async fn start_by(db: &Db, address: (Kind, &str), lang: Lang, visitor: &Visitor) -> Result<Token, Error> {
    db.write(|tx| {
        scoped(async move {
            let what = Begin {
                address: Some(address),
                ..Begin::default()
            };
            let (id, token) = attempts::begin(tx, Purpose::SignIn, what, lang, visitor).await?;
            codes::send(tx, (Purpose::SignIn, id), address, lang, visitor).await?;
            Ok(token)
        })
    })
    .await
}

/// Sends another code; the one before is dead. [`Error::TooMany`] within half a minute of the last.
pub async fn resend(db: &Db, token: &Token, purpose: Purpose, visitor: &Visitor) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            let attempt = attempts::row(tx, token, purpose).await?;
            codes::send(tx, (purpose, attempt.id), attempt.address()?, attempt.language, visitor).await
        })
    })
    .await
}

/// Takes the phone of somebody who began with an e-mail address or at an outside provider and has no card yet, and
/// sends a code to it. Field: `phone`. [`Error::Stale`] for an attempt that began by phone.
pub async fn give_phone(db: &Db, token: &Token, phone: &str, visitor: &Visitor) -> Result<(), Error> {
    const SQL: &str = "UPDATE attempts SET kind = $2, address = $3, proved_at = NULL WHERE id = $1";
    let phone = &Phone::parse(phone, &db.shop().country).map_err(|flaw| Error::field("phone", flaw))?;
    db.write(|tx| {
        scoped(async move {
            let attempt = attempts::row(tx, token, Purpose::SignIn).await?;
            if attempt.email.is_none() && attempt.identity.is_none() {
                return Err(Error::Stale);
            }
            on!(tx, |c| sqlx::query(SQL)
                .bind(attempt.id)
                .bind(Kind::Phone)
                .bind(phone.as_str())
                .execute(c)
                .await
                .map(drop))?;
            let to = (Kind::Phone, phone.as_str());
            codes::send(tx, (Purpose::SignIn, attempt.id), to, attempt.language, visitor).await
        })
    })
    .await
}

/// What a first factor leads to.
pub enum Verified {
    /// The customer is known: signed in.
    SignedIn(Opened),
    /// The customer is known and has a second factor, which is still to come.
    SecondFactor,
    /// The e-mail address is new: the phone comes next.
    Phone,
    /// The phone is new: registration goes on.
    Register,
}

/// Takes the code that was typed. Field: `code`. A wrong one counts even though the call fails.
pub async fn verify(db: &Db, token: &Token, code: &str, visitor: &Visitor) -> Result<Verified, Error> {
    const PROVED: &str = "UPDATE attempts SET proved_at = $2 WHERE id = $1";
    const EMAIL: &str = "UPDATE attempts SET email = address, kind = NULL, address = NULL WHERE id = $1";
    let typed = &codes::typed(code)?;
    let outcome: Result<Verified, Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                let attempt = attempts::row(tx, token, Purpose::SignIn).await?;
                let (kind, address) = attempt.address()?;
                if let Err(flaw) = codes::take(tx, &attempt, typed, visitor).await? {
                    // A code that is dead may be sent for ever: a try of it is none.
                    if matches!(flaw, Flaw::WrongCode { .. })
                        && let Some(customer) = contacts::holder(tx, kind, address).await?
                    {
                        history::note(tx, customer, way_of(kind), false, visitor).await?;
                    }
                    return Ok(Err(flaw));
                }
                let now = tx.now();
                if let Some(customer) = contacts::holder(tx, kind, address).await? {
                    return Ok(Ok(arrive(tx, &attempt, customer, way_of(kind), visitor).await?));
                }
                if kind == Kind::Email {
                    on!(tx, |c| sqlx::query(EMAIL).bind(attempt.id).execute(c).await.map(drop))?;
                    return Ok(Ok(Verified::Phone));
                }
                on!(tx, |c| sqlx::query(PROVED)
                    .bind(attempt.id)
                    .bind(now)
                    .execute(c)
                    .await
                    .map(drop))?;
                Ok(Ok(Verified::Register))
            })
        })
        .await?;
    outcome.map_err(|flaw| Error::field("code", flaw))
}

/// How the log calls coming in by a code.
fn way_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Phone => "code",
        Kind::Email => "email",
    }
}

/// The first factor has led to a customer: in, or on to the second factor.
pub(crate) async fn arrive(
    tx: &mut Tx,
    attempt: &AttemptRow,
    customer: CustomerId,
    way: &str,
    visitor: &Visitor,
) -> Result<Verified, Error> {
    const SQL: &str = "UPDATE attempts SET customer_id = $2, way = $3 WHERE id = $1";
    if !factor::has_second(tx, Owner::Customer(customer)).await? {
        return Ok(Verified::SignedIn(conclude(tx, attempt, customer, way, visitor).await?));
    }
    on!(tx, |c| sqlx::query(SQL)
        .bind(attempt.id)
        .bind(customer)
        .bind(way)
        .execute(c)
        .await
        .map(drop))?;
    Ok(Verified::SecondFactor)
}

/// Every factor is given: keeps what was proved on the way, ends the attempt, and lets the customer in.
pub(crate) async fn conclude(
    tx: &mut Tx,
    attempt: &AttemptRow,
    customer: CustomerId,
    way: &str,
    visitor: &Visitor,
) -> Result<Opened, Error> {
    if let Some(email) = &attempt.email {
        if way != "registration" && contacts::holder(tx, Kind::Email, email).await?.is_none() {
            notice::contact_added(tx, customer, Kind::Email, email).await?;
        }
        contacts::keep_proved(tx, customer, Kind::Email, email).await?;
        customers::reward_profile(tx, customer).await?;
    }
    if let Some(outside) = &attempt.identity {
        let is_new = identity::link(tx, Owner::Customer(customer), outside).await?;
        if is_new {
            identity::record_linked(tx, customer, visitor).await?;
        }
        // Who has just registered by it knows.
        if is_new && way != "registration" {
            identity::tell_linked(tx, customer, outside).await?;
        }
    }
    attempts::finish(tx, attempt.id).await?;
    let_in(tx, customer, way, visitor).await
}

/// Opens a customer's session, writes down how they came in, and tells them of a device that was never here before.
pub(crate) async fn let_in(tx: &mut Tx, customer: CustomerId, way: &str, visitor: &Visitor) -> Result<Opened, Error> {
    // A passkey of an account that went to another one opens neither.
    if merge::heir(tx, customer).await? != customer {
        return Err(Error::Stale);
    }
    audit::without_session(tx, Actor::Customer, customer, "sign_in", way, visitor).await?;
    history::note(tx, customer, way, true, visitor).await?;
    let of = SessionOf::Customer(customer);
    let (device, is_new) = known::remember(tx, of, visitor.known_device.as_ref()).await?;
    if is_new {
        notice::new_device(tx, customer, way, visitor).await?;
    }
    replace(tx, visitor.customer_session.as_ref()).await?;
    let opened = who::open_session(tx, of, visitor, device).await?;
    if matches!(way, "code" | "registration") {
        who::phone_proved(tx, &opened.token).await?;
    }
    Ok(opened)
}

/// Ends the session that a browser brought along to a sign-in: it has another one now (ASVS 5.0, 7.2.4).
async fn replace(tx: &mut Tx, brought: Option<&Token>) -> Result<(), Error> {
    match brought {
        Some(token) => end_by_token(tx, token, "replaced").await,
        None => Ok(()),
    }
}

pub(crate) async fn refused(tx: &mut Tx, way: &str, visitor: &Visitor) -> Result<(), sqlx::Error> {
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
    let attempt = attempts::row(&mut conn, token, Purpose::SignIn).await?;
    let (phone, _) = attempt.proved_phone()?;
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
        check.field(
            "password",
            new_password(&details.password, &draft, phone, &db.shop().name),
        );
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

/// A new password must be hard to guess for whoever knows the person.
fn new_password(password: &str, draft: &Draft, phone: &str, shop: &str) -> Result<(), Flaw> {
    let PersonForm {
        name,
        surname,
        day,
        month,
        year,
    } = &draft.person;
    let birthday = format!("{day:0>2}.{month:0>2}.{year}");
    strength::check(password, &[name, surname, &birthday, &draft.email, phone, shop])
}

/// Makes the customer of a reviewed draft: record, contacts, consents, programs, card, welcome, session, all or
/// nothing. `invite` is the code of whoever invited them, as the browser brought it along; one that nobody has is none.
/// [`Error::Stale`] when the draft is not there or the phone was registered meanwhile.
pub async fn register(
    db: &Db,
    token: &Token,
    lang: Lang,
    invite: Option<&str>,
    visitor: &Visitor,
) -> Result<Opened, Error> {
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let attempt = attempts::row(tx, token, Purpose::SignIn).await?;
            let (phone, verified_at) = attempt.proved_phone()?;
            let draft = attempt.draft.as_ref().ok_or(Error::Stale)?;
            // The day or the rules may have changed since the draft was saved.
            let mut check = Check::new();
            let person = draft
                .person
                .check(&mut check, tx.shop().day(now), tx.shop().minimum_age);
            check.result()?;
            let Some(person) = person else { return Err(Error::Stale) };
            if contacts::holder(tx, Kind::Phone, phone).await?.is_some() {
                return Err(Error::Stale);
            }
            let hash = draft.password_hash.as_deref();
            // Who joined at a till or was registered by staff takes over what began there: the card, and what was bought since.
            let id = match counter::take_over(tx, phone).await? {
                Some(id) => {
                    customers::complete(tx, id, &person, lang, hash).await?;
                    contacts::keep_proved(tx, id, Kind::Phone, phone).await?;
                    id
                }
                None => {
                    let id = customers::insert(tx, &person, lang, hash, "web").await?;
                    contacts::put(tx, id, Kind::Phone, phone, true, Some(verified_at)).await?;
                    id
                }
            };
            tx.happened(Cause::Registered(id));
            let email = Email::parse(&draft.email).ok();
            if let Some(email) = &email {
                contacts::put_told(tx, id, email.as_str()).await?;
            }
            for purpose in consents::purposes(tx, AskedAt::Registration).await? {
                if draft.consents.contains(&purpose.code) {
                    consents::record(tx, id, purpose.text_id, Act::Given, lang, "web").await?;
                }
            }
            programs::enter_automatic(tx, id, now).await?;
            cards::issue_virtual(tx, id).await?;
            if let Some(email) = &email {
                let shop = tx.shop().name.clone();
                let to = outbox::To {
                    channel: outbox::Channel::Email,
                    address: email.as_str(),
                    customer: Some(id),
                };
                // The address may not be proved yet: the number of the card stays behind the sign-in.
                let values = [("name", person.name.as_str()), ("shop", &shop)];
                outbox::send(tx, to, "welcome", lang, &values).await?;
            }
            if let Some(code) = invite {
                invitations::accept(tx, id, code).await?;
            }
            rewarding::on(tx, Occasion::Registration, id).await?;
            conclude(tx, &attempt, id, "registration", visitor).await
        })
    })
    .await
}

/// What a right password leads to.
pub enum Entered {
    /// Signed in.
    In(Opened),
    /// On to the second factor, in an attempt with this token.
    SecondFactor(Token),
}

/// Signs a customer in by phone and password. One answer for every failure: [`Flaw::WrongPassword`] at `password`.
pub async fn by_password(db: &Db, phone: &str, typed: &str, lang: Lang, visitor: &Visitor) -> Result<Entered, Error> {
    let phone = Phone::parse(phone, &db.shop().country).map_err(|flaw| Error::field("phone", flaw))?;
    let phone = phone.as_str();
    let mut conn = db.read().await?;
    let holder = contacts::holder(&mut conn, Kind::Phone, phone).await?;
    // Whether somebody has this phone must not be told by the time it takes: nobody's password is looked up as well.
    let hash = password_hash(&mut conn, holder.unwrap_or_else(CustomerId::new)).await?;
    drop(conn);
    let fits = check_password(db, (phone, holder), typed, hash.as_deref(), visitor).await?;
    let customer = holder
        .filter(|_| fits)
        .ok_or(Error::field("password", Flaw::WrongPassword))?;
    db.write(|tx| {
        scoped(async move {
            if !factor::has_second(tx, Owner::Customer(customer)).await? {
                return Ok(Entered::In(let_in(tx, customer, "password", visitor).await?));
            }
            let what = Begin {
                customer: Some(customer),
                way: "password",
                ..Begin::default()
            };
            let (_, token) = attempts::begin(tx, Purpose::SignIn, what, lang, visitor).await?;
            Ok(Entered::SecondFactor(token))
        })
    })
    .await
}

pub(crate) async fn password_hash(conn: &mut Conn, customer: CustomerId) -> Result<Option<String>, sqlx::Error> {
    const SQL: &str = "SELECT password_hash FROM customers WHERE id = $1";
    let hash: Option<Option<String>> = on!(conn, |c| sqlx::query_scalar(SQL).bind(customer).fetch_optional(c).await)?;
    Ok(hash.flatten())
}

/// Whether a password fits; a wrong one is counted against `subject`, and told to the customer who was to come in by it. How many
/// were wrong is looked at before it is compared, which takes its time, and once more after: of many that are sent at once no more
/// are answered than of as many in a row. Field: `password`.
pub(crate) async fn check_password(
    db: &Db,
    (subject, coming): (&str, Option<CustomerId>),
    typed: &str,
    hash: Option<&str>,
    visitor: &Visitor,
) -> Result<bool, Error> {
    if typed.is_empty() {
        return Err(Error::field("password", Flaw::Missing));
    }
    throttle(&mut db.read().await?, subject, visitor).await?;
    let fits = password::verify(typed, hash).await?;
    if fits {
        throttle(&mut db.read().await?, subject, visitor).await?;
    } else {
        db.write(|tx| {
            scoped(async move {
                throttle_alone(tx, subject, visitor).await?;
                failed(tx, subject, "password", visitor).await?;
                match coming {
                    Some(customer) => history::note(tx, customer, "password", false, visitor).await?,
                    // As many statements as with somebody.
                    None => drop(password_hash(tx, CustomerId::new()).await?),
                }
                Ok::<_, Error>(())
            })
        })
        .await?;
    }
    Ok(fits)
}

/// Whether the password that is to be changed was typed right. Field: `current`; a wrong one is counted.
pub(crate) async fn check_current(
    db: &Db,
    subject: &str,
    typed: &str,
    hash: &str,
    visitor: &Visitor,
) -> Result<(), Error> {
    if typed.is_empty() {
        return Err(Error::field("current", Flaw::Missing));
    }
    if check_password(db, (subject, None), typed, Some(hash), visitor).await? {
        Ok(())
    } else {
        Err(Error::field("current", Flaw::WrongPassword))
    }
}

/// What the right password of a member of staff leads to: never in by itself.
pub enum StaffEntered {
    /// On to the second factor, in an attempt with this token.
    SecondFactor(Token),
    /// On to setting one up, in an attempt with this token.
    SetUp(Token),
}

/// Takes the login and password of a member of staff. Fields as with [`by_password`].
pub async fn staff_by_password(
    db: &Db,
    login: &str,
    typed: &str,
    lang: Lang,
    visitor: &Visitor,
) -> Result<StaffEntered, Error> {
    const SQL: &str = "SELECT id, password_hash FROM staff WHERE login = $1 AND disabled_at IS NULL";
    let login = &login.trim().to_lowercase();
    let mut check = Check::new();
    check.field("login", if login.is_empty() { Err(Flaw::Missing) } else { Ok(()) });
    check.field("password", if typed.is_empty() { Err(Flaw::Missing) } else { Ok(()) });
    check.result()?;
    let mut conn = db.read().await?;
    let found: Option<(StaffId, String)> = on!(conn, |c| sqlx::query_as(SQL).bind(login).fetch_optional(c).await)?;
    drop(conn);
    let hash = found.as_ref().map(|(_, hash)| hash.as_str());
    let fits = check_password(db, (login, None), typed, hash, visitor).await?;
    let found = found
        .filter(|_| fits)
        .ok_or(Error::field("password", Flaw::WrongPassword))?;
    let staff = found.0;
    db.write(|tx| scoped(staff_proved(tx, staff, lang, visitor))).await
}

/// Begins the way in of a member of staff whose password is proved.
pub(crate) async fn staff_proved(
    tx: &mut Tx,
    staff: StaffId,
    lang: Lang,
    visitor: &Visitor,
) -> Result<StaffEntered, Error> {
    let what = Begin {
        staff: Some(staff),
        way: "password",
        ..Begin::default()
    };
    let (_, token) = attempts::begin(tx, Purpose::Staff, what, lang, visitor).await?;
    if factor::has_second(tx, Owner::Staff(staff)).await? {
        return Ok(StaffEntered::SecondFactor(token));
    }
    factor::store::offer(tx, Owner::Staff(staff)).await?;
    Ok(StaffEntered::SetUp(token))
}

/// Opens a session of staff and writes down how they came in.
pub(crate) async fn let_staff_in(tx: &mut Tx, staff: StaffId, way: &str, visitor: &Visitor) -> Result<Opened, Error> {
    let entry = audit::Entry {
        actor: Actor::Staff,
        actor_id: Some(staff.0),
        action: "sign_in",
        customer: None,
        object: None,
        reason: way,
        network: &visitor.network,
    };
    audit::record(tx, entry).await?;
    // Whichever way they came in by, a link that was sent to them sets no password any more.
    close_link(tx, staff).await?;
    queues::new_shift(tx, staff).await?;
    let of = SessionOf::Staff(staff);
    let (device, _) = known::remember(tx, of, visitor.known_device.as_ref()).await?;
    replace(tx, visitor.staff_session.as_ref()).await?;
    Ok(who::open_session(tx, of, visitor, device).await?)
}

/// Whose failures are counted, as the table keeps it: who types a password into the field for the login leaves no password
/// there.
fn subject_key(subject: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(subject)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Refuses to try further passwords where too many were wrong.
pub(crate) async fn throttle(conn: &mut Conn, subject: &str, visitor: &Visitor) -> Result<(), Error> {
    const NETWORK: &str = "SELECT COUNT(*) FROM failures WHERE network = $1 AND at > $2";
    throttle_of(conn, subject, visitor).await?;
    let since = conn.now() - Duration::minutes(15);
    let network: i64 = on!(conn, |c| sqlx::query_scalar(NETWORK)
        .bind(&visitor.network)
        .bind(since)
        .fetch_one(c)
        .await)?;
    if network >= FAILURES_PER_NETWORK {
        return Err(Error::TooMany { retry_after: 15 * 60 });
    }
    Ok(())
}

/// The same of one account alone. What others on the network typed wrong keeps nobody from a second factor.
pub(crate) async fn throttle_of(conn: &mut Conn, subject: &str, visitor: &Visitor) -> Result<(), Error> {
    const SQL: &str = "SELECT COUNT(*) FROM failures WHERE subject = $1 AND network = $2 AND at > $3";
    let since = conn.now() - Duration::minutes(15);
    let count: i64 = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(subject_key(subject))
        .bind(&visitor.network)
        .bind(since)
        .fetch_one(c)
        .await)?;
    if count >= FAILURES {
        return Err(Error::TooMany { retry_after: 15 * 60 });
    }
    Ok(())
}

/// Refuses to take further second factors where too many were wrong, within the transaction that counts: others of this
/// account wait until it ends. A code of an app is short, so that it is also counted from everywhere.
pub(crate) async fn throttle_second(
    tx: &mut Tx,
    subject: &str,
    is_short: bool,
    visitor: &Visitor,
) -> Result<(), Error> {
    const SQL: &str = "SELECT COUNT(*) FROM failures WHERE subject = $1 AND at > $2";
    tx.lock_name(&format!("failures {subject}")).await?;
    throttle_of(tx, subject, visitor).await?;
    let since = tx.now() - Duration::days(1);
    let count: i64 = on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(subject_key(subject))
        .bind(since)
        .fetch_one(c)
        .await)?;
    if is_short && count >= WRONG_SECONDS {
        return Err(Error::TooMany {
            retry_after: 24 * 60 * 60,
        });
    }
    Ok(())
}

/// The same within the transaction that counts: others from this network wait until it ends, and see what it counted.
pub(crate) async fn throttle_alone(tx: &mut Tx, subject: &str, visitor: &Visitor) -> Result<(), Error> {
    tx.lock_name(&format!("failures {}", visitor.network)).await?;
    throttle(tx, subject, visitor).await
}

/// Counts what was wrong.
pub(crate) async fn failed(tx: &mut Tx, subject: &str, way: &str, visitor: &Visitor) -> Result<(), Error> {
    const INSERT: &str = "INSERT INTO failures (id, subject, network, at) VALUES ($1, $2, $3, $4)";
    let now = tx.now();
    on!(tx, |c| sqlx::query(INSERT)
        .bind(CodeId::new())
        .bind(subject_key(subject))
        .bind(&visitor.network)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    refused(tx, way, visitor).await?;
    Ok(())
}

/// Ends the session of a token, whoever's it is. An unknown token changes nothing.
pub async fn sign_out(db: &Db, token: &Token) -> Result<(), Error> {
    db.write(|tx| scoped(async move { end_by_token(tx, token, "").await }))
        .await
}

/// The same, within a transaction; the reason is for the log.
async fn end_by_token(tx: &mut Tx, token: &Token, reason: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE sessions SET ended_at = $2 WHERE token_hash = $1 AND ended_at IS NULL \
                       RETURNING id, customer_id, staff_id, network";
    let now = tx.now();
    let ended: Option<(SessionId, Option<CustomerId>, Option<StaffId>, String)> = on!(tx, |c| sqlx::query_as(SQL)
        .bind(token.hash())
        .bind(now)
        .fetch_optional(c)
        .await)?;
    let Some((session, customer, staff, network)) = ended else {
        return Ok(());
    };
    let (actor, actor_id) = match staff {
        Some(staff) => (Actor::Staff, Some(staff.0)),
        None => (Actor::Customer, customer.map(|id| id.0)),
    };
    let entry = audit::Entry {
        actor,
        actor_id,
        action: "sign_out",
        customer,
        object: Some(session.0),
        reason,
        network: &network,
    };
    Ok(audit::record(tx, entry).await?)
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

/// Ends one of a customer's sessions, or with `None` all but the one at hand. Whoever finds an open cabinet cannot shut
/// its owner out of the others: it takes a fresh proof (ASVS 5.0, 7.5.2).
pub async fn end_device(db: &Db, by: &Fresh<'_, Customer>, id: Option<SessionId>) -> Result<(), Error> {
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
            match id {
                Some(id) => known::forget(tx, by.id(), id).await?,
                None => known::forget_all(tx, by.id(), Some(by.session())).await?,
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

/// Removes what nobody needs any more: attempts and codes that are over, second factors that were offered and not taken,
/// removals of one that have ended, changes of the main number that are over, phones of who joined at a till and has come in since, keys of changes that cannot come
/// again, sessions long ended, sign-ins of long ago, browsers that nobody came in by for long.
pub async fn sweep(db: &Db, _by: &System) -> Result<(), Error> {
    macro_rules! old {
        ($table:literal, $is_old:literal) => {
            concat!(
                "DELETE FROM ",
                $table,
                " WHERE id IN (SELECT id FROM ",
                $table,
                " WHERE ",
                $is_old,
                " LIMIT $2)"
            )
        };
    }
    const KEYS: &str = "DELETE FROM idempotency_keys WHERE (scope, key) IN \
                        (SELECT scope, key FROM idempotency_keys WHERE created_at < $1 LIMIT $2)";
    // What nobody granted is forgotten by then, and what was granted is done or called off.
    const REMOVALS: &str = old!(
        "factor_removals",
        "asked_at < $1 AND (ended_at IS NOT NULL OR due_at IS NULL)"
    );
    const NUMBERS: &str = old!(
        "number_changes",
        "frozen_until < $1 AND (done_at IS NOT NULL OR cancelled_at IS NOT NULL)"
    );
    // Codes go before the attempts that they belong to. Staff see of a customer when they came in, so sessions that ended stay
    // until they would have run out.
    const OLD: [(&str, Duration); 14] = [
        (old!("ceremonies", "created_at < $1"), Duration::hours(1)),
        (old!("handoffs", "created_at < $1"), Duration::hours(1)),
        (old!("failures", "at < $1"), Duration::days(1)),
        (old!("searches", "created_at < $1"), who::STAFF_ABSOLUTE),
        (old!("codes", "created_at < $1"), Duration::days(2)),
        (old!("attempts", "created_at < $1"), Duration::days(3)),
        (KEYS, Duration::days(7)),
        (old!("sessions", "expires_at < $1"), Duration::days(30)),
        (old!("known_devices", "seen_at < $1"), known::KEPT),
        // Whoever was offered it has been away for too long to come back to it.
        (
            old!("factors", "confirmed_at IS NULL AND created_at < $1"),
            who::CUSTOMER_IDLE,
        ),
        (REMOVALS, Duration::days(30)),
        (NUMBERS, Duration::days(30)),
        (old!("enrolments", "completed_at < $1"), Duration::days(30)),
        (old!("sign_ins", "at < $1"), Duration::days(history::DAYS)),
    ];
    for (sql, age) in OLD {
        db::sweep(db, sql, db.now() - age).await?;
    }
    Ok(())
}
