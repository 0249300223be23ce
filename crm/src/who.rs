//! Who is asking, and of whom. Functions of the CRM demand these proofs, and only this module makes them, from
//! evidence: a forgotten check does not compile.

use crate::audit::{self, Actor};
use crate::db::{Db, Tx, scoped};
use crate::error::Error;
use crate::id::{ApiKeyId, CustomerId, SessionId, StaffId, StoreId, TillId, ViewId};
use crate::lang::Lang;
use crate::on;
use crate::staff::{Right, Role, why};
use crate::till::Scope;
use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};
use sqlx::types::Json;
use std::ops::Deref;

/// A secret that a browser holds: 256 random bits. It is stored as its SHA-256 only and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one from the operating system's generator.
    pub fn random() -> Self {
        use base64::Engine as _;
        Self(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
    }

    /// The one that a browser sent.
    pub fn received(value: &str) -> Self {
        Self(value.to_owned())
    }

    /// What goes into the cookie.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// What is stored.
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0.as_bytes()).to_vec()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Where a request came from, for limits and the log.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    /// The address of the network.
    pub network: String,
    /// What the browser says of itself.
    pub device: String,
    /// The token of a customer's session that the browser has already; a sign-in ends that session.
    pub customer_session: Option<Token>,
    /// The same of a session of staff.
    pub staff_session: Option<Token>,
    /// The page asks by itself, whether anybody is at it or not: that does not keep a session alive.
    pub is_by_itself: bool,
    /// The token by which the browser is known again, if it has come in before.
    pub known_device: Option<Token>,
}

/// Of whom data is read. Only a proof hands one out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject(CustomerId);

impl Subject {
    /// The customer's id.
    pub fn id(&self) -> CustomerId {
        self.0
    }
}

/// A customer who is signed in.
#[derive(Clone, Debug)]
pub struct Customer {
    id: CustomerId,
    session: SessionId,
    token: Token,
    name: String,
    language: Lang,
    unread: i64,
    last_change: i64,
    network: String,
    came_in_at: DateTime<Utc>,
    authenticated_at: DateTime<Utc>,
    erased_on: Option<DateTime<Utc>>,
    number_due: Option<DateTime<Utc>>,
    frozen_until: Option<DateTime<Utc>>,
    is_stopped: bool,
    phone_at: Option<DateTime<Utc>>,
    merged_until: Option<DateTime<Utc>>,
    needs_tour: bool,
}

/// How long a proof of who somebody is lets them do what is dangerous (ASVS 5.0, 7.5.1).
pub const FRESH: Duration = Duration::minutes(15);
/// How far the clocks of two nodes may be apart. What is later than that was written before the clock was set back, and
/// how old it is nobody can tell.
pub(crate) const SKEW: Duration = Duration::minutes(1);

/// Whether a proof of this age is fresh.
fn is_fresh(age: Duration) -> bool {
    -SKEW <= age && age < FRESH
}

/// Somebody who proved moments ago who they are. What could lock them out or cost them their points demands this proof.
#[derive(Clone, Copy, Debug)]
pub struct Fresh<'a, P>(&'a P);

impl<P> Deref for Fresh<'_, P> {
    type Target = P;
    fn deref(&self) -> &P {
        self.0
    }
}

impl Customer {
    /// The proof for what is dangerous. [`Error::NotFresh`] when they have to prove anew who they are.
    pub fn fresh(&self, db: &Db) -> Result<Fresh<'_, Self>, Error> {
        if is_fresh(db.now() - self.authenticated_at) {
            Ok(Fresh(self))
        } else {
            Err(Error::NotFresh)
        }
    }

    /// Their own data.
    pub fn me(&self) -> Subject {
        Subject(self.id)
    }

    /// Their id.
    pub fn id(&self) -> CustomerId {
        self.id
    }

    /// The session that proves it.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Whether they proved who they are once more after they came in.
    pub fn has_proved_anew(&self) -> bool {
        self.authenticated_at > self.came_in_at
    }

    /// The network that they are at.
    pub(crate) fn network(&self) -> &str {
        &self.network
    }

    /// The secret that the session's browser holds.
    pub(crate) fn token(&self) -> &Token {
        &self.token
    }

    /// The name to greet by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The language they chose.
    pub fn language(&self) -> Lang {
        self.language
    }

    /// When they are erased, if they asked for it and have not thought better of it.
    pub fn erased_on(&self) -> Option<DateTime<Utc>> {
        self.erased_on
    }

    /// When another phone number becomes their main one, if one is on its way.
    pub fn number_due(&self) -> Option<DateTime<Utc>> {
        self.number_due
    }

    /// Until when their points are not to be spent, because the main number changes or just has, another account has just
    /// gone into theirs, or staff stopped it.
    pub fn frozen_until(&self) -> Option<DateTime<Utc>> {
        self.frozen_until
    }

    /// Whether staff stopped the spending of their points.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Whether they proved moments ago, by a code in this session, to hold a phone of theirs.
    pub fn has_proved_phone(&self, db: &Db) -> bool {
        self.phone_at.is_some_and(|at| is_fresh(db.now() - at))
    }

    /// Until when it can be undone that another account was merged into theirs, if one was.
    pub fn merged_until(&self) -> Option<DateTime<Utc>> {
        self.merged_until
    }

    /// How many notifications they had not read when they asked.
    pub fn unread(&self) -> i64 {
        self.unread
    }

    /// The number of the last change of a request when they asked; see [`crate::request::live`].
    pub fn last_change(&self) -> i64 {
        self.last_change
    }

    /// Whether they are still to be shown around: they joined lately, and were not yet.
    pub fn needs_tour(&self) -> bool {
        self.needs_tour
    }

    /// Writes down what the customer did.
    pub(crate) async fn record(
        &self,
        tx: &mut Tx,
        action: &str,
        object: Option<uuid::Uuid>,
    ) -> Result<(), sqlx::Error> {
        let entry = audit::Entry {
            actor: Actor::Customer,
            actor_id: Some(self.id.0),
            action,
            customer: Some(self.id),
            object,
            reason: "",
            network: &self.network,
        };
        audit::record(tx, entry).await
    }
}

/// Why a member of staff opens a customer's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Looking for somebody.
    Search,
    /// Working on their request.
    Request,
    /// The customer's own card was opened.
    Card,
    /// Looking after a message to them.
    Message,
    /// What they tell of their income was opened.
    Income,
}

impl Reason {
    /// As it stands in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Request => "request",
            Self::Card => "card",
            Self::Message => "message",
            Self::Income => "income",
        }
    }
}

/// A member of staff who is signed in.
#[derive(Clone, Debug)]
pub struct Staff {
    id: StaffId,
    session: SessionId,
    token: Token,
    name: String,
    role: Role,
    rights: Vec<Right>,
    language: Lang,
    last_change: i64,
    unread: i64,
    corrections_waiting: i64,
    promotions_waiting: i64,
    has_shortcuts: bool,
    network: String,
    authenticated_at: DateTime<Utc>,
    viewing: Option<Viewing>,
}

/// A look at the cabinet as its customer sees it, which a member of staff has begun: [`crate::staff::view`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewing {
    /// Its id.
    pub id: ViewId,
    /// Whose cabinet it is.
    pub customer: CustomerId,
    /// Why, in the words of whoever looks.
    pub reason: String,
    /// When it is over.
    pub ends_at: DateTime<Utc>,
}

/// A member of staff who looks at a page as its customer sees it. It reads, and nothing else: what changes something asks for
/// a [`Customer`].
#[derive(Clone, Debug)]
pub struct Viewer {
    customer: CustomerId,
    name: String,
    needs_tour: bool,
}

impl Viewer {
    /// Whose data the page shows.
    pub fn me(&self) -> Subject {
        Subject(self.customer)
    }

    /// The customer's name, as the page greets by it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// See [`Customer::needs_tour`].
    pub fn needs_tour(&self) -> bool {
        self.needs_tour
    }
}

impl Staff {
    /// The look at a customer's cabinet that they have begun, while it lasts.
    pub fn viewing(&self) -> Option<&Viewing> {
        self.viewing.as_ref().filter(|_| self.has(Right::ViewAs))
    }

    /// Opens one page of the cabinet that they look at, and writes down that it was opened, and why. `None` where they look at
    /// none, or its customer is gone.
    pub async fn view(&self, db: &Db, page: &str) -> Result<Option<Viewer>, Error> {
        const SQL: &str = "SELECT name, toured_at IS NULL AND registered_at > $2 FROM customers WHERE id = $1 \
                           AND erased_at IS NULL AND merged_into IS NULL";
        let Some(viewing) = self.viewing() else {
            return Ok(None);
        };
        let customer = viewing.customer;
        let reason = &format!("{page} {}", viewing.reason);
        db.write(|tx| {
            scoped(async move {
                let since = tx.now() - NEW;
                let found: Option<(String, bool)> = on!(tx, |c| sqlx::query_as(SQL)
                    .bind(customer)
                    .bind(since)
                    .fetch_optional(c)
                    .await)?;
                let Some((name, needs_tour)) = found else {
                    return Ok(None);
                };
                self.record(tx, "view.read", Some(customer), Some(viewing.id.0), reason)
                    .await?;
                Ok(Some(Viewer {
                    customer,
                    name,
                    needs_tour,
                }))
            })
        })
        .await
    }

    /// The proof for what is dangerous. [`Error::NotFresh`] when they have to prove anew who they are.
    pub fn fresh(&self, db: &Db) -> Result<Fresh<'_, Self>, Error> {
        if is_fresh(db.now() - self.authenticated_at) {
            Ok(Fresh(self))
        } else {
            Err(Error::NotFresh)
        }
    }

    /// Whether their role has a right.
    pub fn has(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }

    /// [`Error::Forbidden`] unless their role has the right.
    pub fn may(&self, right: Right) -> Result<(), Error> {
        if self.has(right) { Ok(()) } else { Err(Error::Forbidden) }
    }

    /// [`Error::Forbidden`] unless something may come into their inbox.
    pub fn may_be_told(&self) -> Result<(), Error> {
        if Right::TOLD.iter().any(|right| self.has(*right)) {
            Ok(())
        } else {
            Err(Error::Forbidden)
        }
    }

    /// Their id.
    pub fn id(&self) -> StaffId {
        self.id
    }

    /// The session that proves it.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The secret that the session's browser holds.
    pub(crate) fn token(&self) -> &Token {
        &self.token
    }

    /// Their name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Their role.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// The language they chose.
    pub fn language(&self) -> Lang {
        self.language
    }

    /// The number of the last change of a request when they asked; see [`crate::request::live`].
    pub fn last_change(&self) -> i64 {
        self.last_change
    }

    /// How many lines of their inbox they have not seen.
    pub fn unread(&self) -> i64 {
        self.unread
    }

    /// How many corrections of points and of receipts wait for somebody's consent, but not those that they asked for.
    pub fn corrections_waiting(&self) -> i64 {
        self.corrections_waiting
    }

    /// The same of promotions, but not those that they asked for or wrote.
    pub fn promotions_waiting(&self) -> i64 {
        self.promotions_waiting
    }

    /// Whether single keys do something on their pages.
    pub fn has_shortcuts(&self) -> bool {
        self.has_shortcuts
    }

    /// Opens one customer's data and writes down that it was opened. Fails with [`Error::NotFound`].
    pub async fn open(&self, db: &Db, id: CustomerId, reason: Reason) -> Result<Subject, Error> {
        db.write(|tx| scoped(async move { self.open_in(tx, id, reason).await }))
            .await
    }

    /// The same, within a transaction.
    pub async fn open_in(&self, tx: &mut Tx, id: CustomerId, reason: Reason) -> Result<Subject, Error> {
        const SQL: &str = "SELECT id FROM customers WHERE id = $1";
        self.may(match reason {
            Reason::Request => Right::Requests,
            Reason::Message => Right::Messages,
            Reason::Income => Right::Income,
            Reason::Search | Reason::Card => Right::Customers,
        })?;
        let found: Option<(CustomerId,)> = on!(tx, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
        found.ok_or(Error::NotFound)?;
        // A card is opened for the reason that was told today.
        let told = match reason {
            Reason::Card => why::today(tx, self, id).await?,
            _ => None,
        };
        let (reason, object) = told.unwrap_or_else(|| (reason.as_str().to_owned(), None));
        self.record(tx, "customer.read", Some(id), object, &reason).await?;
        Ok(Subject(id))
    }

    /// Writes down what a member of staff did or read.
    pub(crate) async fn record(
        &self,
        tx: &mut Tx,
        action: &str,
        customer: Option<CustomerId>,
        object: Option<uuid::Uuid>,
        reason: &str,
    ) -> Result<(), sqlx::Error> {
        let entry = audit::Entry {
            actor: Actor::Staff,
            actor_id: Some(self.id.0),
            action,
            customer,
            object,
            reason,
            network: &self.network,
        };
        audit::record(tx, entry).await
    }
}

/// A till, or another system, that proved by a key what it is.
#[derive(Clone, Debug)]
pub struct Till {
    id: TillId,
    key: ApiKeyId,
    code: String,
    source: String,
    store: Option<StoreId>,
    scopes: Vec<Scope>,
}

impl Till {
    /// Its id.
    pub fn id(&self) -> TillId {
        self.id
    }

    /// The key that proves it.
    pub fn key(&self) -> ApiKeyId {
        self.key
    }

    /// What people and logs call it.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Where its receipts come from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where it stands.
    pub fn store(&self) -> Option<StoreId> {
        self.store
    }

    /// The proof for what the key is good for, else [`Error::Forbidden`]. What a till may do stands on functions that the
    /// system itself uses, so a forgotten question does not compile.
    pub fn with(&self, scope: Scope) -> Result<System, Error> {
        if self.scopes.contains(&scope) {
            Ok(System(()))
        } else {
            Err(Error::Forbidden)
        }
    }

    /// Writes down what a till read of a customer, and why.
    pub(crate) async fn record(
        &self,
        tx: &mut Tx,
        action: &str,
        customer: CustomerId,
        object: Option<uuid::Uuid>,
        reason: &str,
    ) -> Result<(), sqlx::Error> {
        let entry = audit::Entry {
            actor: Actor::Till,
            actor_id: Some(self.id.0),
            action,
            customer: Some(customer),
            object,
            reason,
            network: "",
        };
        audit::record(tx, entry).await
    }
}

/// The system itself: imports, jobs, the command line.
#[derive(Clone, Copy, Debug)]
pub struct System(());

impl System {
    /// For the binary alone: whoever runs it holds the database anyway.
    pub const fn at_the_command_line() -> Self {
        Self(())
    }

    /// Data of one customer.
    pub fn subject(&self, id: CustomerId) -> Subject {
        Subject(id)
    }
}

/// How long a customer may be away before the session ends, and how long it lasts at most.
pub const CUSTOMER_IDLE: Duration = Duration::days(30);
/// See [`CUSTOMER_IDLE`].
pub const CUSTOMER_ABSOLUTE: Duration = Duration::days(180);
/// The same for staff.
pub const STAFF_IDLE: Duration = Duration::hours(2);
/// See [`STAFF_IDLE`].
pub const STAFF_ABSOLUTE: Duration = Duration::hours(12);

/// For how long after they joined a customer is offered to be shown around.
const NEW: Duration = Duration::days(30);
/// `seen_at` is written at most this often: a page view is not worth a durable write.
const SEEN_EVERY: Duration = Duration::minutes(5);

#[derive(sqlx::FromRow)]
struct CustomerRow {
    session: SessionId,
    created_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
    authenticated_at: DateTime<Utc>,
    id: CustomerId,
    name: String,
    language: Lang,
    erased_on: Option<DateTime<Utc>>,
    number_due: Option<DateTime<Utc>>,
    frozen_until: Option<DateTime<Utc>>,
    merge_frozen: Option<DateTime<Utc>>,
    stopped_until: Option<DateTime<Utc>>,
    phone_at: Option<DateTime<Utc>>,
    merged_until: Option<DateTime<Utc>>,
    unread: i64,
    last_change: i64,
    needs_tour: bool,
}

#[derive(sqlx::FromRow)]
struct StaffRow {
    session: SessionId,
    seen_at: DateTime<Utc>,
    authenticated_at: DateTime<Utc>,
    id: StaffId,
    name: String,
    role: Role,
    #[sqlx(json)]
    rights: Vec<Right>,
    language: Lang,
    last_change: i64,
    unread: i64,
    corrections_waiting: i64,
    promotions_waiting: i64,
    has_shortcuts: bool,
    view_id: Option<ViewId>,
    viewed_id: Option<CustomerId>,
    view_reason: Option<String>,
    view_ends_at: Option<DateTime<Utc>>,
}

impl StaffRow {
    fn viewing(&self) -> Option<Viewing> {
        Some(Viewing {
            id: self.view_id?,
            customer: self.viewed_id?,
            reason: self.view_reason.clone()?,
            ends_at: self.view_ends_at?,
        })
    }
}

/// The customer of a session, if it is alive.
pub async fn customer(db: &Db, token: &Token, visitor: &Visitor) -> Result<Option<Customer>, Error> {
    const SQL: &str = "SELECT s.id AS session, s.created_at, s.seen_at, s.authenticated_at, c.id, c.name, c.language, \
                       s.phone_at, e.due_at AS erased_on, \
                       (SELECT MAX(m.undo_until) FROM merges m WHERE m.kept_id = c.id AND m.undone_at IS NULL \
                       AND m.undo_until > $2) AS merged_until, \
                       (SELECT n.due_at FROM number_changes n WHERE n.customer_id = c.id AND n.done_at IS NULL \
                       AND n.cancelled_at IS NULL) AS number_due, \
                       (SELECT MAX(n.frozen_until) FROM number_changes n WHERE n.customer_id = c.id \
                       AND n.cancelled_at IS NULL AND (n.done_at IS NULL OR n.frozen_until > $2)) AS frozen_until, \
                       (SELECT MAX(m.frozen_until) FROM merges m WHERE m.kept_id = c.id AND m.undone_at IS NULL \
                       AND m.frozen_until > $2) AS merge_frozen, \
                       (SELECT MAX(x.ends_at) FROM spending_stops x WHERE x.customer_id = c.id AND x.lifted_at IS NULL \
                       AND x.ends_at > $2) AS stopped_until, \
                       (SELECT COUNT(*) FROM notifications n WHERE n.customer_id = c.id AND n.read_at IS NULL) AS unread, \
                       COALESCE((SELECT q.value FROM sequences q WHERE q.name = 'request_change'), 0) AS last_change, \
                       c.toured_at IS NULL AND c.registered_at > $4 AS needs_tour \
                       FROM sessions s JOIN customers c ON c.id = s.customer_id \
                       LEFT JOIN erasures e ON e.customer_id = c.id AND e.cancelled_at IS NULL AND e.done_at IS NULL \
                       WHERE s.token_hash = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.seen_at > $3 \
                       AND c.merged_into IS NULL";
    let now = db.now();
    let mut conn = db.read().await?;
    let row: Option<CustomerRow> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(token.hash())
        .bind(now)
        .bind(now - CUSTOMER_IDLE)
        .bind(now - NEW)
        .fetch_optional(c)
        .await)?;
    drop(conn);
    let Some(row) = row else { return Ok(None) };
    if !visitor.is_by_itself {
        see(db, row.session, row.seen_at).await;
    }
    let CustomerRow {
        session,
        created_at,
        authenticated_at,
        id,
        name,
        language,
        erased_on,
        number_due,
        frozen_until,
        merge_frozen,
        stopped_until,
        phone_at,
        merged_until,
        unread,
        last_change,
        needs_tour,
        ..
    } = row;
    Ok(Some(Customer {
        id,
        session,
        token: token.clone(),
        name,
        language,
        unread,
        last_change,
        network: visitor.network.clone(),
        came_in_at: created_at,
        authenticated_at,
        erased_on,
        number_due,
        frozen_until: frozen_until.max(merge_frozen).max(stopped_until),
        is_stopped: stopped_until.is_some(),
        phone_at,
        merged_until,
        needs_tour,
    }))
}

/// The member of staff of a session, if it is alive and they still work here.
pub async fn staff(db: &Db, token: &Token, visitor: &Visitor) -> Result<Option<Staff>, Error> {
    const SQL: &str = "SELECT s.id AS session, s.seen_at, s.authenticated_at, p.id, p.name, p.role, r.rights, p.language, \
                       p.shortcuts AS has_shortcuts, \
                       CASE WHEN CAST(r.rights AS TEXT) LIKE '%\"requests\"%' THEN \
                       (SELECT COUNT(*) FROM staff_notices n WHERE n.staff_id = p.id AND n.read_at IS NULL) \
                       + (SELECT COUNT(*) FROM level_notices n WHERE n.staff_id = p.id AND n.read_at IS NULL) ELSE 0 END \
                       + (SELECT COUNT(*) FROM approval_notices n WHERE n.staff_id = p.id AND n.read_at IS NULL \
                       AND (n.kind <> 'asked' OR CAST(r.rights AS TEXT) \
                       LIKE CASE WHEN n.promotion_id IS NULL THEN '%\"points\"%' ELSE '%\"rules\"%' END)) \
                       + CASE WHEN CAST(r.rights AS TEXT) LIKE '%\"customers\"%' THEN \
                       (SELECT COUNT(*) FROM task_notices n WHERE n.staff_id = p.id AND n.read_at IS NULL) ELSE 0 END AS unread, \
                       (SELECT COUNT(*) FROM adjustments a WHERE a.state = 'awaiting' AND a.asked_by <> p.id) \
                       + (SELECT COUNT(*) FROM receipt_corrections a WHERE a.state = 'awaiting' AND a.asked_by <> p.id) \
                       AS corrections_waiting, \
                       (SELECT COUNT(*) FROM promotions a WHERE a.asked_at IS NOT NULL AND a.asked_by <> p.id \
                       AND (a.written_by IS NULL OR a.written_by <> p.id)) AS promotions_waiting, \
                       COALESCE((SELECT q.value FROM sequences q WHERE q.name = 'request_change'), 0) AS last_change, \
                       v.id AS view_id, v.customer_id AS viewed_id, v.reason AS view_reason, v.ends_at AS view_ends_at \
                       FROM sessions s JOIN staff p ON p.id = s.staff_id JOIN roles r ON r.code = p.role \
                       LEFT JOIN views v ON v.session_id = s.id AND v.ended_at IS NULL AND v.ends_at > $2 \
                       WHERE s.token_hash = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.seen_at > $3 \
                       AND p.disabled_at IS NULL";
    let now = db.now();
    let mut conn = db.read().await?;
    let row: Option<StaffRow> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(token.hash())
        .bind(now)
        .bind(now - STAFF_IDLE)
        .fetch_optional(c)
        .await)?;
    drop(conn);
    let Some(row) = row else { return Ok(None) };
    if !visitor.is_by_itself {
        see(db, row.session, row.seen_at).await;
    }
    let viewing = row.viewing();
    let StaffRow {
        session,
        authenticated_at,
        id,
        name,
        role,
        rights,
        language,
        last_change,
        unread,
        corrections_waiting,
        promotions_waiting,
        has_shortcuts,
        ..
    } = row;
    Ok(Some(Staff {
        id,
        session,
        token: token.clone(),
        name,
        role,
        rights,
        language,
        last_change,
        unread,
        corrections_waiting,
        promotions_waiting,
        has_shortcuts,
        network: visitor.network.clone(),
        authenticated_at,
        viewing,
    }))
}

/// Whether a session lasts: a customer's, or one of staff whose role still has one of these rights. To ask does not keep it alive.
pub async fn lasts(db: &Db, session: SessionId, rights: &[Right]) -> Result<bool, Error> {
    const SQL: &str = "SELECT r.rights FROM sessions s LEFT JOIN staff p ON p.id = s.staff_id \
                       LEFT JOIN roles r ON r.code = p.role \
                       WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND p.disabled_at IS NULL \
                       AND (s.customer_id IS NOT NULL AND s.seen_at > $3 OR r.code IS NOT NULL AND s.seen_at > $4)";
    let mut conn = db.read().await?;
    let now = conn.now();
    let found: Option<(Option<Json<Vec<Right>>>,)> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(session)
        .bind(now)
        .bind(now - CUSTOMER_IDLE)
        .bind(now - STAFF_IDLE)
        .fetch_optional(c)
        .await)?;
    Ok(found.is_some_and(|(held,)| held.is_none_or(|Json(held)| rights.iter().any(|right| held.contains(right)))))
}

/// How long a key of a till is used before that is written down again.
const KEY_SEEN_EVERY: Duration = Duration::minutes(1);

#[derive(sqlx::FromRow)]
struct TillRow {
    id: TillId,
    key: ApiKeyId,
    code: String,
    source: String,
    store_id: Option<StoreId>,
    #[sqlx(json)]
    scopes: Vec<Scope>,
    used_at: Option<DateTime<Utc>>,
}

/// The till of a key, if the key is good and the till is not switched off.
pub async fn till(db: &Db, key: &Token) -> Result<Option<Till>, Error> {
    const SQL: &str = "SELECT t.id, k.id AS key, t.code, t.source, t.store_id, k.scopes, k.used_at FROM api_keys k \
                       JOIN tills t ON t.id = k.till_id \
                       WHERE k.key_hash = $1 AND k.revoked_at IS NULL AND t.disabled_at IS NULL";
    const SEEN: &str = "UPDATE api_keys SET used_at = $2 WHERE id = $1";
    let mut conn = db.read().await?;
    let now = conn.now();
    let row: Option<TillRow> = on!(conn, |c| sqlx::query_as(SQL).bind(key.hash()).fetch_optional(c).await)?;
    drop(conn);
    let Some(row) = row else { return Ok(None) };
    if row.used_at.is_none_or(|at| now - at >= KEY_SEEN_EVERY) {
        write_seen(db, SEEN, row.key.0).await;
    }
    Ok(Some(Till {
        id: row.id,
        key: row.key,
        code: row.code,
        source: row.source,
        store: row.store_id,
        scopes: row.scopes,
    }))
}

/// Writes down that a session is in use. A page is shown all the same where the database can be read but not written.
async fn see(db: &Db, session: SessionId, seen_at: DateTime<Utc>) {
    if db.now() - seen_at < SEEN_EVERY {
        return;
    }
    write_seen(db, "UPDATE sessions SET seen_at = $2 WHERE id = $1", session.0).await;
}

async fn write_seen(db: &Db, sql: &'static str, id: uuid::Uuid) {
    let written: Result<(), Error> = db
        .write(|tx| {
            scoped(async move {
                let now = tx.now();
                on!(tx, |c| sqlx::query(sql).bind(id).bind(now).execute(c).await.map(drop))?;
                Ok(())
            })
        })
        .await;
    if let Err(e) = written {
        tracing::warn!(error = %e, "that a session or key is in use could not be written down");
    }
}

/// A session that was just opened: the proof for what follows, and the token for the browser.
pub struct Opened {
    /// For the cookie.
    pub token: Token,
    /// When the browser may forget it.
    pub expires_at: DateTime<Utc>,
    /// By which the browser is known again ([`crate::signin::known`]); none where it is the session that goes on.
    pub device: Option<Token>,
}

/// Whom a session is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SessionOf {
    Customer(CustomerId),
    Staff(StaffId),
}

impl SessionOf {
    /// As columns have it.
    pub(crate) const fn split(self) -> (Option<CustomerId>, Option<StaffId>) {
        match self {
            Self::Customer(id) => (Some(id), None),
            Self::Staff(id) => (None, Some(id)),
        }
    }
}

/// Opens a session in a browser that is known by `device` from now on. Whoever calls this has checked who it is.
pub(crate) async fn open_session(
    tx: &mut Tx,
    of: SessionOf,
    visitor: &Visitor,
    device: Token,
) -> Result<Opened, sqlx::Error> {
    const SQL: &str = "INSERT INTO sessions (id, token_hash, customer_id, staff_id, device, network, created_at, seen_at, \
                       authenticated_at, expires_at, device_hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $7, $8, $9)";
    let now = tx.now();
    let token = Token::random();
    let (customer, staff) = of.split();
    let expires_at = now
        + match of {
            SessionOf::Customer(_) => CUSTOMER_ABSOLUTE,
            SessionOf::Staff(_) => STAFF_ABSOLUTE,
        };
    on!(tx, |c| sqlx::query(SQL)
        .bind(SessionId::new())
        .bind(token.hash())
        .bind(customer)
        .bind(staff)
        .bind(&visitor.device)
        .bind(&visitor.network)
        .bind(now)
        .bind(expires_at)
        .bind(device.hash())
        .execute(c)
        .await
        .map(drop))?;
    Ok(Opened {
        token,
        expires_at,
        device: Some(device),
    })
}

/// Notes that whoever holds a session has just proved by a code to hold a phone of theirs.
pub(crate) async fn phone_proved(tx: &mut Tx, session: &Token) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE sessions SET phone_at = $2 WHERE token_hash = $1";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(session.hash())
        .bind(now)
        .execute(c)
        .await
        .map(drop))
}

/// Notes when the proof was given by which a session was opened, where it was given elsewhere: at a provider somebody may be
/// signed in for hours. Where the provider does not say when, it is no fresh one.
pub(crate) async fn proved_elsewhere(
    tx: &mut Tx,
    session: &Token,
    at: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE sessions SET authenticated_at = $2 WHERE token_hash = $1";
    // Its clock may be ahead of ours.
    let at = at.unwrap_or(DateTime::UNIX_EPOCH).min(tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(session.hash())
        .bind(at)
        .execute(c)
        .await
        .map(drop))
}

/// Notes that whoever holds a session has just proved who they are, and gives it another token, as every change of what
/// a session may do does (ASVS 5.0, 7.2.4). Whoever calls this has checked the proof.
pub(crate) async fn renew_session(tx: &mut Tx, session: SessionId) -> Result<Opened, sqlx::Error> {
    const SQL: &str =
        "UPDATE sessions SET token_hash = $2, authenticated_at = $3, seen_at = $3 WHERE id = $1 RETURNING expires_at";
    let now = tx.now();
    let token = Token::random();
    let expires_at = on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(session)
        .bind(token.hash())
        .bind(now)
        .fetch_one(c)
        .await)?;
    Ok(Opened {
        token,
        expires_at,
        device: None,
    })
}
