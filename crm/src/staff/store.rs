//! Staff in the database.

use super::{Colleague, NewStaff, Right, Role, login};
use crate::audit::{self, Actor};
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::factor::Owner;
use crate::flaw::{self, Check, Flaw};
use crate::id::{CustomerId, SessionId, StaffId};
use crate::lang::Lang;
use crate::on;
use crate::signin::store::check_current;
use crate::signin::{Device, attempts, known, notice, password, strength};
use crate::who::{CUSTOMER_IDLE, Fresh, Reason, STAFF_IDLE, Staff, Subject, System, Visitor};

/// Enters a member of staff. Fails with flaws at `login`, `name` and `role`.
pub async fn create(db: &Db, _by: &System, new: &NewStaff) -> Result<StaffId, Error> {
    let mut check = Check::new();
    let login = check.field("login", login(&new.login));
    let name = check.field("name", flaw::name(&new.name));
    let (Some(login), Some(name)) = (&login, &name) else {
        return Err(Error::Invalid(check.flaws()));
    };
    db.write(|tx| {
        scoped(async move {
            check_role(tx, &new.role).await?;
            enter(tx, login, name, &new.role, new.language, &new.password_hash).await
        })
    })
    .await
}

/// The same, of what was checked before.
pub(crate) async fn enter(
    tx: &mut Tx,
    login: &str,
    name: &str,
    role: &Role,
    language: Lang,
    password_hash: &str,
) -> Result<StaffId, Error> {
    let id = insert(tx, login, name, None, role, language, password_hash).await?;
    record(tx, "staff.create", id).await?;
    Ok(id)
}

/// Writes a member of staff down, and nothing else. Fails with [`Flaw::Taken`] at `login`.
pub(super) async fn insert(
    tx: &mut Tx,
    login: &str,
    name: &str,
    email: Option<&str>,
    role: &Role,
    language: Lang,
    password_hash: &str,
) -> Result<StaffId, Error> {
    const SQL: &str = "INSERT INTO staff (id, login, name, email, role, language, password_hash, created_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let (id, now) = (StaffId::new(), tx.now());
    let inserted = on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(login)
        .bind(name)
        .bind(email)
        .bind(role)
        .bind(language)
        .bind(password_hash)
        .bind(now)
        .execute(c)
        .await
        .map(drop));
    inserted.map_err(|e| {
        if db::is_taken(&e) {
            Error::field("login", Flaw::Taken)
        } else {
            e.into()
        }
    })?;
    Ok(id)
}

/// Fails with [`Flaw::NotAChoice`] at `role` when there is no such role.
async fn check_role(tx: &mut Tx, role: &Role) -> Result<(), Error> {
    const SQL: &str = "SELECT code FROM roles WHERE code = $1";
    let found: Option<String> = on!(tx, |c| sqlx::query_scalar(SQL).bind(role).fetch_optional(c).await)?;
    found.map(drop).ok_or_else(|| Error::field("role", Flaw::NotAChoice))
}

/// Gives a member of staff another role. Their sessions end: what they may do has changed.
pub async fn set_role(db: &Db, _by: &System, id: StaffId, role: &Role) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            check_role(tx, role).await?;
            Ok(set_role_in(tx, id, role).await?)
        })
    })
    .await
}

/// The same, of a role that is there.
pub(crate) async fn set_role_in(tx: &mut Tx, id: StaffId, role: &Role) -> Result<(), sqlx::Error> {
    give_role(tx, id, role).await?;
    record(tx, "staff.role", id).await
}

/// The same, and nothing is written down: whoever calls this does so.
pub(super) async fn give_role(tx: &mut Tx, id: StaffId, role: &Role) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE staff SET role = $2 WHERE id = $1";
    on!(tx, |c| sqlx::query(SQL).bind(id).bind(role).execute(c).await.map(drop))?;
    end_sessions(tx, id).await
}

/// Lets somebody in again who was disabled. Fails with [`Error::NotFound`] for anybody else.
pub async fn enable(db: &Db, _by: &System, login: &str) -> Result<StaffId, Error> {
    const SQL: &str = "UPDATE staff SET disabled_at = NULL WHERE login = $1 AND disabled_at IS NOT NULL RETURNING id";
    let login = &login.trim().to_lowercase();
    db.write(|tx| {
        scoped(async move {
            let id: Option<StaffId> = on!(tx, |c| sqlx::query_scalar(SQL).bind(login).fetch_optional(c).await)?;
            let id = id.ok_or(Error::NotFound)?;
            record(tx, "staff.enable", id).await?;
            Ok(id)
        })
    })
    .await
}

/// Everybody who works or worked here, by login, for the command line.
pub async fn all(db: &Db, _by: &System) -> Result<Vec<Entry>, Error> {
    const SQL: &str = "SELECT login, name, role, disabled_at IS NOT NULL AS is_disabled, \
                       (SELECT COUNT(*) FROM factors f WHERE f.staff_id = staff.id AND f.confirmed_at IS NOT NULL \
                       AND f.kind <> 'recovery') AS factors FROM staff ORDER BY login";
    let mut conn = db.read().await?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?)
}

/// A line of [`all`].
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Entry {
    /// What they sign in as.
    pub login: String,
    /// Their name.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// They are let in no more.
    pub is_disabled: bool,
    /// How many second factors they have.
    pub factors: i64,
}

/// Ends every session of a member of staff, and every way in that waits for its second half: who has only the password
/// that was changed comes in by none of them.
pub(crate) async fn end_sessions(tx: &mut Tx, id: StaffId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE sessions SET ended_at = $2 WHERE staff_id = $1 AND ended_at IS NULL";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL).bind(id).bind(now).execute(c).await.map(drop))?;
    attempts::drop_half_done(tx, Owner::Staff(id)).await
}

/// The link of a member of staff, by which a password is chosen, is worth nothing any more: they have a way in of their own.
pub(crate) async fn close_link(tx: &mut Tx, id: StaffId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE staff_invites SET used_at = $2 WHERE staff_id = $1 AND used_at IS NULL";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL).bind(id).bind(now).execute(c).await.map(drop))
}

/// Lets a member of staff in no more: their sessions end now. Fails with [`Error::NotFound`] for nobody, and for one
/// who is gone already.
pub async fn disable(db: &Db, _by: &System, id: StaffId) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            if disable_in(tx, id).await? {
                Ok(())
            } else {
                Err(Error::NotFound)
            }
        })
    })
    .await
}

/// The same, within a transaction; false for nobody, and for one who is gone already.
pub(crate) async fn disable_in(tx: &mut Tx, id: StaffId) -> Result<bool, sqlx::Error> {
    let is_out = shut_out(tx, id).await?;
    if is_out {
        record(tx, "staff.disable", id).await?;
    }
    Ok(is_out)
}

/// The same, and nothing is written down: whoever calls this does so.
pub(super) async fn shut_out(tx: &mut Tx, id: StaffId) -> Result<bool, sqlx::Error> {
    const SQL: &str = "UPDATE staff SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL";
    let now = tx.now();
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        return Ok(false);
    }
    end_sessions(tx, id).await?;
    // A link for another password does not wait until they are let in again.
    const LINK: &str = "UPDATE staff_invites SET expires_at = $2 WHERE staff_id = $1 AND is_reset AND used_at IS NULL \
                        AND expires_at > $2";
    on!(tx, |c| sqlx::query(LINK).bind(id).bind(now).execute(c).await.map(drop))?;
    Ok(true)
}

pub(crate) async fn record(tx: &mut Tx, action: &str, object: StaffId) -> Result<(), sqlx::Error> {
    let entry = audit::Entry {
        actor: Actor::System,
        actor_id: None,
        action,
        customer: None,
        object: Some(object.0),
        reason: "",
        network: "",
    };
    audit::record(tx, entry).await
}

/// What sign-in needs to know of a member of staff. It holds the password's hash, so it is never printed.
#[derive(sqlx::FromRow)]
pub struct Account {
    /// Their id.
    pub id: StaffId,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The language they read.
    pub language: Lang,
    /// The password's hash.
    pub password_hash: String,
}

/// Who signs in by this login as typed, if they still work here.
pub async fn by_login(conn: &mut Conn, raw: &str) -> Result<Option<Account>, Error> {
    const SQL: &str =
        "SELECT id, name, role, language, password_hash FROM staff WHERE login = $1 AND disabled_at IS NULL";
    let Ok(login) = login(raw) else { return Ok(None) };
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(login).fetch_optional(c).await)?)
}

/// Those who work here, by name.
pub async fn colleagues(conn: &mut Conn, _by: &Staff) -> Result<Vec<Colleague>, Error> {
    const SQL: &str = "SELECT id, name FROM staff WHERE disabled_at IS NULL ORDER BY name, id";
    Ok(on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?)
}

/// Gives a member of staff another password; their sessions end.
pub async fn set_password(db: &Db, _by: &System, id: StaffId, hash: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE staff SET password_hash = $2 WHERE id = $1";
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(SQL).bind(id).bind(hash).execute(c).await.map(drop))?;
            end_sessions(tx, id).await?;
            close_link(tx, id).await?;
            record(tx, "staff.password", id).await?;
            Ok(())
        })
    })
    .await
}

/// Where a member of staff is signed in, the last seen first.
pub async fn sessions(db: &Db, by: &Staff) -> Result<Vec<Device>, Error> {
    Ok(sessions_of(&mut db.read().await?, by.id()).await?)
}

/// The same of anybody.
pub(super) async fn sessions_of(conn: &mut Conn, id: StaffId) -> Result<Vec<Device>, sqlx::Error> {
    const SQL: &str = "SELECT id, device, network, created_at, seen_at FROM sessions \
                       WHERE staff_id = $1 AND ended_at IS NULL AND expires_at > $2 AND seen_at > $3 \
                       ORDER BY seen_at DESC, id DESC";
    let now = conn.now();
    on!(conn, |c| sqlx::query_as(SQL)
        .bind(id)
        .bind(now)
        .bind(now - STAFF_IDLE)
        .fetch_all(c)
        .await)
}

/// Ends one of a member of staff's own sessions, or with `None` all but the one at hand. [`Error::NotFound`] for what is
/// not theirs.
pub async fn end_session(db: &Db, by: &Fresh<'_, Staff>, id: Option<SessionId>) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            match id {
                Some(id) => {
                    if !end_one(tx, by.id(), id).await? {
                        return Err(Error::NotFound);
                    }
                }
                None => end_others(tx, by).await?,
            }
            by.record(tx, "session.end", None, id.map(|id| id.0), "").await?;
            Ok(())
        })
    })
    .await
}

/// Ends an open session of a member of staff; false for what is none of theirs.
pub(super) async fn end_one(tx: &mut Tx, staff: StaffId, id: SessionId) -> Result<bool, sqlx::Error> {
    const SQL: &str = "UPDATE sessions SET ended_at = $3 WHERE staff_id = $1 AND id = $2 AND ended_at IS NULL";
    let now = tx.now();
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(staff)
        .bind(id)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows > 0)
}

/// Ends the sessions of a member of staff but the one at hand.
async fn end_others(tx: &mut Tx, by: &Staff) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE sessions SET ended_at = $3 WHERE staff_id = $1 AND id <> $2 AND ended_at IS NULL";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(by.id())
        .bind(by.session())
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    attempts::drop_half_done(tx, Owner::Staff(by.id())).await
}

/// Ends every session of a customer and tells them, for staff who were told that somebody else is in there (ASVS 5.0,
/// 7.4.5). Field: `reason`, which is written down. [`Error::Stale`] when none is open any more.
pub async fn end_customer_sessions(db: &Db, by: &Staff, id: CustomerId, reason: &str) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE sessions SET ended_at = $2 WHERE customer_id = $1 AND ended_at IS NULL AND expires_at > $2";
    by.may(Right::Customers)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            let subject = by.open_in(tx, id, Reason::Card).await?;
            let now = tx.now();
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(subject.id())
                .bind(now)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::Stale);
            }
            known::forget_all(tx, id, None).await?;
            by.record(tx, "customer.end_sessions", Some(id), None, reason).await?;
            notice::send(tx, id, "sessions_ended", &[]).await
        })
    })
    .await
}

/// How many sessions of a customer are open.
pub async fn open_sessions(conn: &mut Conn, of: Subject) -> Result<i64, Error> {
    const SQL: &str = "SELECT COUNT(*) FROM sessions WHERE customer_id = $1 AND ended_at IS NULL AND expires_at > $2 \
                       AND seen_at > $3";
    let now = conn.now();
    Ok(on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(of.id())
        .bind(now)
        .bind(now - CUSTOMER_IDLE)
        .fetch_one(c)
        .await)?)
}

/// The longest reason that staff give for what they do, in characters.
pub const REASON_MAX: usize = 200;

/// Changes a member of staff's own password; their other sessions end. Fields: `current`, the password until now, and
/// `password` (ASVS 5.0, 6.2.3). Who has forgotten it chooses another by a link that a colleague sends
/// ([`super::managing::send_password_link`]), or gets one at the command line.
pub async fn change_password(
    db: &Db,
    by: &Fresh<'_, Staff>,
    current: &str,
    typed: &str,
    visitor: &Visitor,
) -> Result<(), Error> {
    const NOW: &str = "SELECT login, password_hash FROM staff WHERE id = $1";
    const SQL: &str = "UPDATE staff SET password_hash = $2 WHERE id = $1";
    let mut conn = db.read().await?;
    let (login, hash): (String, String) = on!(conn, |c| sqlx::query_as(NOW).bind(by.id()).fetch_one(c).await)?;
    drop(conn);
    check_current(db, &login, current, &hash, visitor).await?;
    strength::check(typed, &[&login, by.name(), &db.shop().name]).map_err(|flaw| Error::field("password", flaw))?;
    let hash = &password::hash(typed).await?;
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(SQL)
                .bind(by.id())
                .bind(hash)
                .execute(c)
                .await
                .map(drop))?;
            end_others(tx, by).await?;
            close_link(tx, by.id()).await?;
            by.record(tx, "password.change", None, None, "").await?;
            Ok(())
        })
    })
    .await
}

/// Switches single keys off on the pages of whoever asks, or on again.
pub async fn set_shortcuts(db: &Db, by: &Staff, is_on: bool) -> Result<(), Error> {
    const SQL: &str = "UPDATE staff SET shortcuts = $2 WHERE id = $1";
    by.may(Right::Requests)?;
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(SQL)
                .bind(by.id())
                .bind(is_on)
                .execute(c)
                .await
                .map(drop))?;
            Ok(by.record(tx, "staff.shortcuts", None, Some(by.id().0), "").await?)
        })
    })
    .await
}
