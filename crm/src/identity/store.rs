//! Outside accounts in the database: the way to a provider and back, and what comes of it. What was proved elsewhere
//! counts only together with what was proved here, in the same browser.

use super::{Linked, Outside, is_way_left};
use crate::audit::{self, Actor};
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::factor::{self, Known, Owner};
use crate::flaw::{self, Flaw};
use crate::id::{CustomerId, HandoffId, IdentityId, SessionId, StaffId};
use crate::lang::Lang;
use crate::limits;
use crate::on;
use crate::signin::attempts::{self, Begin};
use crate::signin::store::{Verified, arrive, let_staff_in, password_hash, refused};
use crate::signin::{notice, password};
use crate::staff::store::{disable_in, end_sessions, enter, record, set_role_in};
use crate::staff::{Role, login};
use crate::who::{self, Customer, Fresh, Opened, Staff, System, Token, Visitor};
use chrono::{DateTime, Duration, Utc};

/// How long somebody may take at the provider.
pub const HANDOFF_LIFE: Duration = Duration::minutes(10);
/// How far a provider's clock may be behind ours.
const LEEWAY: Duration = Duration::minutes(1);

/// What somebody is sent to a provider for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Purpose {
    /// A customer comes in, or registers.
    SignIn,
    /// A customer who is signed in links an account.
    Link,
    /// A member of staff comes in.
    Staff,
    /// Somebody who is signed in proves anew who they are.
    Confirm,
}

/// What somebody is sent to a provider for, with the proof that they may.
#[derive(Clone, Copy, Debug)]
pub enum Errand<'a> {
    /// A customer comes in, or registers.
    SignIn,
    /// A customer who has just proved who they are links an account.
    Link(&'a Fresh<'a, Customer>),
    /// A member of staff comes in.
    Staff,
    /// Somebody who is signed in proves anew who they are.
    Confirm(Known<'a>),
}

/// A way to a provider that is about to begin.
#[derive(Clone, Copy, Debug)]
pub struct Leaving<'a> {
    /// The provider's name in the configuration.
    pub provider: &'a str,
    /// What for.
    pub errand: Errand<'a>,
    /// Comes back in the ID token.
    pub nonce: &'a Token,
    /// The secret whose hash the provider is told (PKCE, RFC 7636).
    pub verifier: &'a str,
    /// Where somebody wanted to go here.
    pub next: &'a str,
    /// The network that they are on.
    pub network: &'a str,
}

/// Ways to providers that one network may begin within an hour: each is a row, and anybody may ask for one.
const PER_NETWORK: u32 = 120;

/// What a way to a provider is known by when it comes back.
pub struct Handoff {
    /// Goes to the provider and comes back in the address.
    pub state: Token,
    /// Stays in the browser's cookie.
    pub browser: Token,
}

/// Notes that somebody leaves for a provider. [`Error::TooMany`] for a network that leaves all the time, [`Error::Forbidden`]
/// for whoever has a second factor here and would prove anew by less.
pub async fn leave(db: &Db, leaving: Leaving<'_>) -> Result<Handoff, Error> {
    const SQL: &str = "INSERT INTO handoffs (id, state_hash, browser_hash, provider, purpose, nonce, verifier, customer_id, \
                       session_id, next, created_at, expires_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let handoff = Handoff {
        state: Token::random(),
        browser: Token::random(),
    };
    let (purpose, customer, session) = match leaving.errand {
        Errand::SignIn => (Purpose::SignIn, None, None),
        Errand::Link(by) => (Purpose::Link, Some(by.id()), Some(by.session())),
        Errand::Staff => (Purpose::Staff, None, None),
        Errand::Confirm(by) => (Purpose::Confirm, by.owner().columns().0, Some(by.session())),
    };
    let (state, browser) = (&handoff.state.hash(), &handoff.browser.hash());
    db.write(|tx| {
        scoped(async move {
            if !limits::take(tx, &format!("handoff {}", leaving.network), PER_NETWORK).await? {
                return Err(Error::TooMany { retry_after: 3600 });
            }
            if let Errand::Confirm(by) = leaving.errand
                && factor::has_second(tx, by.owner()).await?
            {
                return Err(Error::Forbidden);
            }
            let now = tx.now();
            on!(tx, |c| sqlx::query(SQL)
                .bind(HandoffId::new())
                .bind(state)
                .bind(browser)
                .bind(leaving.provider)
                .bind(purpose)
                .bind(leaving.nonce.secret())
                .bind(leaving.verifier)
                .bind(customer)
                .bind(session)
                .bind(leaving.next)
                .bind(now)
                .bind(now + HANDOFF_LIFE)
                .execute(c)
                .await
                .map(drop))?;
            Ok::<_, Error>(())
        })
    })
    .await?;
    Ok(handoff)
}

/// Somebody who came back from a provider, in the browser that left for it, for the first time.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Returned {
    purpose: Purpose,
    session_id: Option<SessionId>,
    nonce: String,
    verifier: String,
    next: String,
    created_at: DateTime<Utc>,
}

impl Returned {
    /// What they left for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// What the ID token has to hold.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// What the provider wants to see for the code.
    pub fn verifier(&self) -> &str {
        &self.verifier
    }

    /// Where they wanted to go here.
    pub fn next(&self) -> &str {
        &self.next
    }

    /// Whether the provider has asked them since they left, and did not merely know them from before.
    fn was_asked(&self, outside: &Outside) -> bool {
        outside.proved_at.is_some_and(|at| at >= self.created_at - LEEWAY)
    }
}

/// Takes somebody back who comes from a provider. [`Error::Stale`] when nobody left so, when they left from another
/// browser or for another provider, were away for too long, or came back already.
pub async fn come_back(db: &Db, provider: &str, state: &Token, browser: &Token) -> Result<Returned, Error> {
    const SQL: &str = "UPDATE handoffs SET used_at = $4 WHERE state_hash = $1 AND browser_hash = $2 AND provider = $3 \
                       AND used_at IS NULL AND expires_at > $4 RETURNING purpose, session_id, \
                       nonce, verifier, next, created_at";
    let (state, browser) = (&state.hash(), &browser.hash());
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let row: Option<Returned> = on!(tx, |c| sqlx::query_as(SQL)
                .bind(state)
                .bind(browser)
                .bind(provider)
                .bind(now)
                .fetch_optional(c)
                .await)?;
            row.ok_or(Error::Stale)
        })
    })
    .await
}

/// Writes down that what a provider said was not believed.
pub async fn disbelieve(db: &Db, provider: &str, visitor: &Visitor) -> Result<(), Error> {
    let way = &way(provider);
    db.write(|tx| scoped(async move { Ok(refused(tx, way, visitor).await?) }))
        .await
}

/// How the log calls coming in by a provider.
fn way(provider: &str) -> String {
    format!("provider:{provider}")
}

/// Whose an outside account is here.
#[derive(sqlx::FromRow)]
struct Held {
    id: IdentityId,
    customer_id: Option<CustomerId>,
    staff_id: Option<StaffId>,
}

/// The customer, or with `staff` the member of staff, who has linked an outside account.
async fn held(conn: &mut Conn, outside: &Outside, staff: bool) -> Result<Option<Held>, sqlx::Error> {
    const CUSTOMER: &str = "SELECT id, customer_id, staff_id FROM identities \
                            WHERE issuer = $1 AND subject = $2 AND customer_id IS NOT NULL";
    const STAFF: &str = "SELECT id, customer_id, staff_id FROM identities \
                         WHERE issuer = $1 AND subject = $2 AND staff_id IS NOT NULL";
    let sql = if staff { STAFF } else { CUSTOMER };
    on!(conn, |c| sqlx::query_as(sql)
        .bind(&outside.issuer)
        .bind(&outside.subject)
        .fetch_optional(c)
        .await)
}

/// Notes that somebody came in by an outside account, and what they know it by now.
async fn used(tx: &mut Tx, id: IdentityId, outside: &Outside) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE identities SET used_at = $2, shown = $3, provider = $4 WHERE id = $1";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(now)
        .bind(&outside.shown)
        .bind(&outside.provider)
        .execute(c)
        .await
        .map(drop))
}

/// Links an outside account to its owner here; true when it was not linked before. Whoever calls this has seen both
/// proved in the same browser. An account that somebody else has linked already stays theirs: [`Error::Stale`].
pub(crate) async fn link(tx: &mut Tx, owner: Owner, outside: &Outside) -> Result<bool, Error> {
    const SQL: &str = "INSERT INTO identities (id, customer_id, staff_id, provider, issuer, subject, shown, linked_at, used_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING";
    let now = tx.now();
    let (customer, staff) = owner.columns();
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(IdentityId::new())
        .bind(customer)
        .bind(staff)
        .bind(&outside.provider)
        .bind(&outside.issuer)
        .bind(&outside.subject)
        .bind(&outside.shown)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 1 {
        return Ok(true);
    }
    let theirs = held(tx, outside, staff.is_some()).await?;
    match theirs.filter(|held| (held.customer_id, held.staff_id) == owner.columns()) {
        Some(held) => {
            used(tx, held.id, outside).await?;
            Ok(false)
        }
        None => Err(Error::Stale),
    }
}

/// Tells a customer that an outside account lets them in from now on.
pub(crate) async fn tell_linked(tx: &mut Tx, customer: CustomerId, outside: &Outside) -> Result<(), Error> {
    let called = called(tx, customer, outside).await?;
    notice::send(tx, customer, "identity_linked", &[("provider", &called)]).await
}

/// What a provider is called in a customer's language.
async fn called(tx: &mut Tx, customer: CustomerId, outside: &Outside) -> Result<String, sqlx::Error> {
    const SQL: &str = "SELECT language FROM customers WHERE id = $1";
    let lang: Lang = on!(tx, |c| sqlx::query_scalar(SQL).bind(customer).fetch_one(c).await)?;
    Ok(outside.called.get(lang).to_owned())
}

/// What comes of an outside account for a customer: one that is linked is a first factor given; one that is not begins
/// an attempt in which the phone comes next, and is linked when that attempt ends. The token is the attempt's.
pub async fn sign_in(
    db: &Db,
    returned: &Returned,
    outside: &Outside,
    lang: Lang,
    visitor: &Visitor,
) -> Result<(Token, Verified), Error> {
    if returned.purpose != Purpose::SignIn {
        return Err(Error::Forbidden);
    }
    db.write(|tx| {
        scoped(async move {
            let way = way(&outside.provider);
            let held = held(tx, outside, false).await?;
            let what = Begin {
                way: &way,
                outside: held.is_none().then_some(outside),
                ..Begin::default()
            };
            let (_, token) = attempts::begin(tx, attempts::Purpose::SignIn, what, lang, visitor).await?;
            let Some((id, customer)) = held.and_then(|held| Some((held.id, held.customer_id?))) else {
                return Ok((token, Verified::Phone));
            };
            used(tx, id, outside).await?;
            let attempt = attempts::row(tx, &token, attempts::Purpose::SignIn).await?;
            let verified = arrive(tx, &attempt, customer, &way, visitor).await?;
            if let Verified::SignedIn(opened) = &verified {
                who::proved_elsewhere(tx, &opened.token, outside.proved_at).await?;
            }
            Ok((token, verified))
        })
    })
    .await
}

/// What came of linking an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// It lets the customer in from now on.
    New,
    /// It did so before.
    Already,
    /// It is another customer's.
    Others,
}

/// Links an account to the customer who left to do so. [`Error::Stale`] when that was somebody else, or another session.
pub async fn link_own(db: &Db, by: &Customer, returned: &Returned, outside: &Outside) -> Result<Link, Error> {
    if returned.purpose != Purpose::Link || returned.session_id != Some(by.session()) {
        return Err(Error::Stale);
    }
    let linked = db
        .write(|tx| {
            scoped(async move {
                if !link(tx, Owner::Customer(by.id()), outside).await? {
                    return Ok(Link::Already);
                }
                by.record(tx, "identity.link", None).await?;
                tell_linked(tx, by.id(), outside).await?;
                Ok(Link::New)
            })
        })
        .await;
    match linked {
        Err(Error::Stale) => Ok(Link::Others),
        other => other,
    }
}

/// The outside accounts that let a customer in, the first linked first.
pub async fn linked(db: &Db, by: &Customer) -> Result<Vec<Linked>, Error> {
    const SQL: &str = "SELECT id, provider, shown, linked_at, used_at FROM identities WHERE customer_id = $1 \
                       ORDER BY linked_at, id";
    let mut conn = db.read().await?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(by.id()).fetch_all(c).await)?)
}

/// Unlinks an outside account; the customer is told, with what the provider is `called`. [`Error::NotFound`] for one that
/// is not theirs; [`Flaw::LastOne`] at `identity` when nothing else would let them in.
pub async fn unlink(db: &Db, by: &Fresh<'_, Customer>, id: IdentityId, called: &str) -> Result<(), Error> {
    const DELETE: &str = "DELETE FROM identities WHERE id = $1 AND customer_id = $2";
    const CONTACTS: &str = "SELECT COUNT(*) FROM contacts WHERE customer_id = $1 AND verified_at IS NOT NULL";
    const PASSKEYS: &str = "SELECT COUNT(*) FROM factors WHERE customer_id = $1 AND kind = 'passkey' \
                            AND confirmed_at IS NOT NULL";
    let customer = by.id();
    db.write(|tx| {
        scoped(async move {
            let rows = on!(tx, |c| sqlx::query(DELETE)
                .bind(id)
                .bind(customer)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::NotFound);
            }
            let contacts: i64 = on!(tx, |c| sqlx::query_scalar(CONTACTS).bind(customer).fetch_one(c).await)?;
            let passkeys: i64 = on!(tx, |c| sqlx::query_scalar(PASSKEYS).bind(customer).fetch_one(c).await)?;
            let has_password = password_hash(tx, customer).await?.is_some();
            if !is_way_left(contacts, has_password, passkeys) {
                return Err(Error::field("identity", Flaw::LastOne));
            }
            by.record(tx, "identity.unlink", Some(id.0)).await?;
            notice::send(tx, customer, "identity_unlinked", &[("provider", called)]).await
        })
    })
    .await
}

/// What a provider says of a member of staff, read as the configuration says.
#[derive(Clone, Debug)]
pub struct StaffClaims {
    /// The role that their claim is mapped to.
    pub role: Option<Role>,
    /// What they sign in as.
    pub login: Option<String>,
    /// Their name.
    pub name: Option<String>,
    /// Whoever is not known here yet is entered.
    pub create: bool,
    /// They gave a second factor there, and that counts.
    pub has_second: bool,
}

/// What came of a member of staff who came from a provider.
pub enum StaffEntered {
    /// Signed in.
    In(Opened),
    /// Their second factor is still to come, in the attempt with this token.
    SecondFactor(Token),
    /// They have no second factor yet and set one up, in the attempt with this token.
    SetUp(Token),
    /// Not let in.
    Refused(Refusal),
}

/// Why a member of staff was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The provider gives them no role here. Whoever had access has none any more.
    NoRole,
    /// The configuration names a role that is not there.
    NoSuchRole,
    /// They are disabled.
    Disabled,
    /// Nobody here has linked this account, and the configuration does not let new people in.
    Unknown,
    /// They are new, and their login is somebody else's or cannot be one.
    Login,
}

impl Refusal {
    /// As it stands in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRole => "no role",
            Self::NoSuchRole => "no such role",
            Self::Disabled => "disabled",
            Self::Unknown => "unknown",
            Self::Login => "login",
        }
    }
}

/// What comes of an outside account for a member of staff. Their role follows the claim at every sign-in; without one
/// their access ends here too, and an administrator gives it back.
pub async fn staff_sign_in(
    db: &Db,
    returned: &Returned,
    outside: &Outside,
    claims: &StaffClaims,
    lang: Lang,
    visitor: &Visitor,
) -> Result<StaffEntered, Error> {
    if returned.purpose != Purpose::Staff {
        return Err(Error::Forbidden);
    }
    // A password that nobody knows, for somebody who comes in by the provider alone.
    let known = held(&mut db.read().await?, outside, true).await?;
    let hash = &match known {
        None if claims.create => password::hash(Token::random().secret()).await?,
        _ => String::new(),
    };
    db.write(|tx| {
        scoped(async move {
            let way = way(&outside.provider);
            let staff = match admit(tx, outside, claims, lang, hash).await? {
                Ok(staff) => staff,
                Err(refusal) => {
                    refused(tx, &format!("{way} {}", refusal.as_str()), visitor).await?;
                    return Ok(StaffEntered::Refused(refusal));
                }
            };
            if claims.has_second {
                let opened = let_staff_in(tx, staff, &way, visitor).await?;
                who::proved_elsewhere(tx, &opened.token, outside.proved_at).await?;
                return Ok(StaffEntered::In(opened));
            }
            let what = Begin {
                staff: Some(staff),
                way: &way,
                ..Begin::default()
            };
            let (_, token) = attempts::begin(tx, attempts::Purpose::Staff, what, lang, visitor).await?;
            Ok(if factor::has_second(tx, Owner::Staff(staff)).await? {
                StaffEntered::SecondFactor(token)
            } else {
                factor::store::offer(tx, Owner::Staff(staff)).await?;
                StaffEntered::SetUp(token)
            })
        })
    })
    .await
}

/// What came of proving anew at a provider who one is.
pub enum Confirmed {
    /// The session is fresh and has another token.
    Renewed(Opened),
    /// The provider does not say that it has asked them just now, nor of staff that they gave their second factor.
    Unasked,
    /// They came back with an account that does not let them in here.
    Another,
    /// The provider gives a member of staff no access any more.
    Refused(Refusal),
}

/// The providers by which somebody has come in, or may.
pub async fn providers(db: &Db, by: Known<'_>) -> Result<Vec<String>, Error> {
    const SQL: &str = "SELECT DISTINCT provider FROM identities WHERE customer_id = $1 OR staff_id = $2";
    let (customer, staff) = by.owner().columns();
    let mut conn = db.read().await?;
    Ok(on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(customer)
        .bind(staff)
        .fetch_all(c)
        .await)?)
}

/// Takes back a customer who left to prove anew who they are. [`Error::Stale`] when that was somebody else, or another
/// session; [`Error::Forbidden`] for whoever has a second factor: nothing less proves it.
pub async fn confirm(
    db: &Db,
    by: &Customer,
    returned: &Returned,
    outside: &Outside,
    visitor: &Visitor,
) -> Result<Confirmed, Error> {
    let by = Known::Customer(by);
    db.write(|tx| {
        scoped(async move {
            may_confirm(tx, by, returned).await?;
            let held = held(tx, outside, false).await?;
            let Some((id, customer)) = held.and_then(|held| Some((held.id, held.customer_id?))) else {
                return unconfirmed(tx, outside, Confirmed::Another, visitor).await;
            };
            if Owner::Customer(customer) != by.owner() {
                return unconfirmed(tx, outside, Confirmed::Another, visitor).await;
            }
            if !returned.was_asked(outside) {
                return unconfirmed(tx, outside, Confirmed::Unasked, visitor).await;
            }
            used(tx, id, outside).await?;
            Ok(Confirmed::Renewed(factor::store::renew(tx, by).await?))
        })
    })
    .await
}

/// The same of a member of staff. Here too their role follows the claim: where it is another one, their sessions end.
pub async fn staff_confirm(
    db: &Db,
    by: &Staff,
    returned: &Returned,
    outside: &Outside,
    claims: &StaffClaims,
    visitor: &Visitor,
) -> Result<Confirmed, Error> {
    let (lang, by) = (by.language(), Known::Staff(by));
    db.write(|tx| {
        scoped(async move {
            may_confirm(tx, by, returned).await?;
            // Without the hash of a password nobody new is entered.
            let staff = match admit(tx, outside, claims, lang, "").await? {
                Ok(staff) => staff,
                Err(Refusal::Unknown) => return unconfirmed(tx, outside, Confirmed::Another, visitor).await,
                Err(refusal) => return unconfirmed(tx, outside, Confirmed::Refused(refusal), visitor).await,
            };
            if Owner::Staff(staff) != by.owner() {
                return unconfirmed(tx, outside, Confirmed::Another, visitor).await;
            }
            if !claims.has_second || !returned.was_asked(outside) {
                return unconfirmed(tx, outside, Confirmed::Unasked, visitor).await;
            }
            Ok(Confirmed::Renewed(factor::store::renew(tx, by).await?))
        })
    })
    .await
}

/// Whether somebody is who left to prove it anew, and may do so at a provider.
async fn may_confirm(tx: &mut Tx, by: Known<'_>, returned: &Returned) -> Result<(), Error> {
    if returned.purpose != Purpose::Confirm || returned.session_id != Some(by.session()) {
        return Err(Error::Stale);
    }
    if factor::has_second(tx, by.owner()).await? {
        return Err(Error::Forbidden);
    }
    Ok(())
}

/// Writes down that nothing was proved, and why.
async fn unconfirmed(
    tx: &mut Tx,
    outside: &Outside,
    outcome: Confirmed,
    visitor: &Visitor,
) -> Result<Confirmed, Error> {
    let why = match &outcome {
        Confirmed::Unasked => "unasked",
        Confirmed::Refused(refusal) => refusal.as_str(),
        Confirmed::Another | Confirmed::Renewed(_) => "another",
    };
    refused(tx, &format!("{} {why}", way(&outside.provider)), visitor).await?;
    Ok(outcome)
}

/// Who it is, with the role that their claim says. A refusal is a value: what it changes has to be kept.
async fn admit(
    tx: &mut Tx,
    outside: &Outside,
    claims: &StaffClaims,
    lang: Lang,
    hash: &str,
) -> Result<Result<StaffId, Refusal>, Error> {
    const ROLE: &str = "SELECT COUNT(*) FROM roles WHERE code = $1";
    const STAFF: &str = "SELECT role, disabled_at IS NOT NULL FROM staff WHERE id = $1";
    let held = held(tx, outside, true).await?;
    let known = held.and_then(|held| Some((held.id, held.staff_id?)));
    let Some(role) = &claims.role else {
        if let Some((_, staff)) = known {
            disable_in(tx, staff).await?;
        }
        return Ok(Err(Refusal::NoRole));
    };
    let roles: i64 = on!(tx, |c| sqlx::query_scalar(ROLE).bind(role).fetch_one(c).await)?;
    if roles == 0 {
        return Ok(Err(Refusal::NoSuchRole));
    }
    let Some((id, staff)) = known else {
        return enter_new(tx, outside, claims, role, lang, hash).await;
    };
    let (had, is_disabled): (Role, bool) = on!(tx, |c| sqlx::query_as(STAFF).bind(staff).fetch_one(c).await)?;
    if is_disabled {
        return Ok(Err(Refusal::Disabled));
    }
    if had != *role {
        set_role_in(tx, staff, role).await?;
    }
    used(tx, id, outside).await?;
    Ok(Ok(staff))
}

async fn enter_new(
    tx: &mut Tx,
    outside: &Outside,
    claims: &StaffClaims,
    role: &Role,
    lang: Lang,
    hash: &str,
) -> Result<Result<StaffId, Refusal>, Error> {
    const TAKEN: &str = "SELECT COUNT(*) FROM staff WHERE login = $1";
    if !claims.create || hash.is_empty() {
        return Ok(Err(Refusal::Unknown));
    }
    let Some(login) = claims.login.as_deref().and_then(|raw| login(raw).ok()) else {
        return Ok(Err(Refusal::Login));
    };
    // Who has this login here is not who has it there until an administrator says so.
    let taken: i64 = on!(tx, |c| sqlx::query_scalar(TAKEN).bind(&login).fetch_one(c).await)?;
    if taken > 0 {
        return Ok(Err(Refusal::Login));
    }
    let name = claims.name.as_deref().and_then(|raw| flaw::name(raw).ok());
    let staff = enter(tx, &login, name.as_deref().unwrap_or(&login), role, lang, hash).await?;
    link(tx, Owner::Staff(staff), outside).await?;
    record(tx, "identity.link", staff).await?;
    Ok(Ok(staff))
}

/// Links an outside account to a member of staff who is here already; their sessions end. [`Error::Stale`] when somebody
/// else has it.
pub async fn link_staff(db: &Db, _by: &System, staff: StaffId, outside: &Outside) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            link(tx, Owner::Staff(staff), outside).await?;
            end_sessions(tx, staff).await?;
            Ok(record(tx, "identity.link", staff).await?)
        })
    })
    .await
}

/// Writes down that a customer's outside account was linked on the way in.
pub(crate) async fn record_linked(tx: &mut Tx, customer: CustomerId, visitor: &Visitor) -> Result<(), sqlx::Error> {
    audit::without_session(tx, Actor::Customer, customer, "identity.link", "sign_in", visitor).await
}
