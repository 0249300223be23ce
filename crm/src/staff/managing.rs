//! Staff as colleagues with the right look after them: inviting, another name, e-mail, password or role, letting nobody in any more.
//!
//! Nobody does any of it to themselves, nor to somebody who may do what they may not, nor takes the last administrator away. What
//! an administrator who is locked out needs is at the command line ([`super::store`]).

use super::roles::{self, is_within};
use super::store::{REASON_MAX, close_link, end_one, end_sessions, give_role, insert, sessions_of, shut_out};
use super::{Right, Role, login};
use crate::audit::{self, Actor, difference};
use crate::contact::{Email, change::is_link};
use crate::db::{Conn, Db, Lock, Tx, scoped};
use crate::error::Error;
use crate::factor;
use crate::flaw::{self, Check, Flaw};
use crate::id::{SessionId, StaffId};
use crate::lang::{Lang, Localized};
use crate::on;
use crate::outbox;
use crate::request::live;
use crate::request::store::bulk;
use crate::signin::store::{StaffEntered, staff_proved};
use crate::signin::{Device, password, strength};
use crate::task::store as tasks;
use crate::who::{Fresh, STAFF_IDLE, Staff, Token, Visitor};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

/// For how long a link is good by which a password is chosen, in hours.
const LINK_HOURS: i64 = 72;

/// A member of staff, as a colleague sees them.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Member {
    /// Their id.
    pub id: StaffId,
    /// What they sign in as.
    pub login: String,
    /// Their name.
    pub name: String,
    /// Where links go by which they choose a password.
    pub email: Option<String>,
    /// The language they read.
    pub language: Lang,
    /// Their role.
    pub role: Role,
    /// What it is called.
    #[sqlx(json)]
    pub role_name: Localized,
    /// What it lets them do.
    #[sqlx(json)]
    pub rights: Vec<Right>,
    /// When they were last here. What is older than a month nobody knows.
    pub seen_at: Option<DateTime<Utc>>,
    /// How many sessions of theirs are open.
    pub sessions: i64,
    /// They have a second factor.
    pub has_second: bool,
    /// Since when they are let in no more.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Until when their invitation is good, if they have not come in by it yet.
    pub invited_until: Option<DateTime<Utc>>,
    /// Until when a link is good by which they choose another password, if there is one.
    pub reset_until: Option<DateTime<Utc>>,
    /// They are the last administrator who can come in.
    pub is_last: bool,
}

impl Member {
    /// Whether somebody may change anything about them.
    pub fn is_changed_by(&self, by: &Staff) -> bool {
        self.id != by.id() && is_within(by, &self.rights)
    }

    /// Whether a link may be sent to them by which they choose another password: who has not come in yet is invited again.
    pub fn gets_password_links(&self) -> bool {
        self.invited_until.is_none() && self.disabled_at.is_none() && self.email.is_some()
    }

    /// What is said of them beside their role.
    pub fn details(&self) -> Details {
        Details {
            name: self.name.clone(),
            email: self.email.clone(),
        }
    }
}

/// Of administrators those who can come in; whom it is asked about is `s`.
macro_rules! other_administrators {
    () => {
        "(SELECT COUNT(*) FROM staff o WHERE o.role = 'administrator' AND o.disabled_at IS NULL AND o.id <> s.id \
         AND NOT EXISTS (SELECT 1 FROM staff_invites v WHERE v.staff_id = o.id AND v.used_at IS NULL \
         AND NOT v.is_reset))"
    };
}

/// `$1` is now, `$2` since when whoever was not seen is signed out.
macro_rules! members {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.login, s.name, s.email, s.language, s.role, r.name AS role_name, r.rights, s.disabled_at, \
             (SELECT MAX(x.seen_at) FROM sessions x WHERE x.staff_id = s.id) AS seen_at, \
             (SELECT COUNT(*) FROM sessions x WHERE x.staff_id = s.id AND x.ended_at IS NULL AND x.expires_at > $1 \
             AND x.seen_at > $2) AS sessions, \
             EXISTS (SELECT 1 FROM factors f WHERE f.staff_id = s.id AND f.confirmed_at IS NOT NULL \
             AND f.kind IN ('totp', 'passkey')) AS has_second, \
             (SELECT i.expires_at FROM staff_invites i WHERE i.staff_id = s.id AND i.used_at IS NULL AND NOT i.is_reset) \
             AS invited_until, \
             (SELECT i.expires_at FROM staff_invites i WHERE i.staff_id = s.id AND i.used_at IS NULL AND i.is_reset \
             AND i.expires_at > $1) AS reset_until, \
             (s.role = 'administrator' AND s.disabled_at IS NULL AND ",
            other_administrators!(),
            " = 0) AS is_last FROM staff s JOIN roles r ON r.code = s.role ",
            $rest
        )
    };
}

/// Everybody who works or worked here, by name, and the roles that there are. That they were looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<(Vec<Member>, Vec<roles::Entry>), Error> {
    const SQL: &str = members!("ORDER BY s.name, s.id");
    by.may(Right::Staff)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "staff.list", None, None, "").await?;
            let now = tx.now();
            let members: Vec<Member> = on!(tx, |c| sqlx::query_as(SQL)
                .bind(now)
                .bind(now - STAFF_IDLE)
                .fetch_all(c)
                .await)?;
            Ok::<_, Error>((members, roles::all(tx).await?))
        })
    })
    .await
}

/// One of them. That they were looked at is written down. Fails with [`Error::NotFound`].
pub async fn read(db: &Db, by: &Staff, id: StaffId) -> Result<(Member, Vec<roles::Entry>), Error> {
    by.may(Right::Staff)?;
    db.write(|tx| {
        scoped(async move {
            let member = get(tx, id).await?;
            by.record(tx, "staff.read", None, Some(id.0), "").await?;
            Ok::<_, Error>((member, roles::all(tx).await?))
        })
    })
    .await
}

/// Where somebody is signed in, the last seen first. That they were looked at [`read`] writes down.
pub async fn sessions(conn: &mut Conn, by: &Staff, id: StaffId) -> Result<Vec<Device>, Error> {
    by.may(Right::Staff)?;
    Ok(sessions_of(conn, id).await?)
}

/// How many requests and how many tasks of somebody are open.
pub async fn open_work(conn: &mut Conn, by: &Staff, id: StaffId) -> Result<(i64, i64), Error> {
    const SQL: &str = "SELECT (SELECT COUNT(*) FROM requests WHERE assignee_id = $1 AND status <> 'closed'), \
                       (SELECT COUNT(*) FROM tasks WHERE owner_id = $1 AND state = 'open')";
    by.may(Right::Staff)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_one(c).await)?)
}

/// Those to whom what somebody has open may be handed over, by name: who has come in, is let in, and may do both, tasks and requests.
pub async fn successors(conn: &mut Conn, by: &Staff) -> Result<Vec<Member>, Error> {
    const SQL: &str = members!("WHERE s.disabled_at IS NULL ORDER BY s.name, s.id");
    by.may(Right::Staff)?;
    let now = conn.now();
    let mut members: Vec<Member> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(now)
        .bind(now - STAFF_IDLE)
        .fetch_all(c)
        .await)?;
    members.retain(|member| {
        let may = |right| member.rights.contains(&right);
        member.invited_until.is_none() && may(Right::Customers) && may(Right::Requests)
    });
    Ok(members)
}

/// What was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handed {
    /// To whom.
    pub to: StaffId,
    /// How many tasks.
    pub tasks: i64,
    /// How many requests.
    pub requests: i64,
}

/// Hands what somebody who is let in no more has open over to one of [`successors`]: all tasks in one transaction, then the requests,
/// a hundred in a transaction. Requests of queues in which the colleague does not work stay. It takes the rights that it would take to
/// hand them over one by one. Fails with a flaw at `to`, with [`Error::NotFound`] for nobody, and with [`Error::Stale`] for who is let
/// in.
pub async fn hand_over(db: &Db, by: &Staff, from: StaffId, to: &str) -> Result<Handed, Error> {
    for right in [Right::Staff, Right::Tasks, Right::Requests] {
        by.may(right)?;
    }
    let (colleague, tasks) = db
        .write(|tx| {
            scoped(async move {
                // Until this is over nobody is shut out, nor let in again.
                tx.lock(Lock::Staff, false).await?;
                get(tx, from).await?.disabled_at.ok_or(Error::Stale)?;
                let mut colleagues = successors(tx, by).await?.into_iter();
                let colleague = colleagues.find(|colleague| colleague.id.to_string() == to);
                let colleague = colleague.ok_or_else(|| Error::field("to", Flaw::NotAChoice))?;
                let tasks = tasks::hand_over(tx, by, from, colleague.id).await?;
                let told = format!("{tasks} tasks → {}", colleague.login);
                by.record(tx, "staff.hand_over", None, Some(from.0), &told).await?;
                if tasks > 0 && colleague.id != by.id() {
                    live::ring_bells(tx, &[colleague.id]).await?;
                }
                Ok::<_, Error>((colleague, tasks))
            })
        })
        .await?;
    let requests = bulk::give_all(db, by, from, Some((colleague.id, colleague.login.as_str()))).await?;
    Ok(Handed {
        to: colleague.id,
        tasks,
        requests,
    })
}

async fn get(conn: &mut Conn, id: StaffId) -> Result<Member, Error> {
    const SQL: &str = members!("WHERE s.id = $3");
    let now = conn.now();
    let found: Option<Member> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(now)
        .bind(now - STAFF_IDLE)
        .bind(id)
        .fetch_optional(c)
        .await)?;
    found.ok_or(Error::NotFound)
}

/// The member, if whoever asks may change them, for as long as the transaction lasts.
async fn hold(tx: &mut Tx, by: &Staff, id: StaffId) -> Result<Member, Error> {
    by.may(Right::Staff)?;
    tx.lock(Lock::Staff, true).await?;
    let member = get(tx, id).await?;
    match member.is_changed_by(by) {
        true => Ok(member),
        false => Err(Error::Forbidden),
    }
}

/// Who is invited, as typed.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// What they will sign in as.
    pub login: String,
    /// Their name.
    pub name: String,
    /// Where the invitation goes.
    pub email: String,
    /// Their role.
    pub role: Role,
}

/// Writes a member of staff down and invites them by a link, which is sent to them and returned. Fails with flaws at `login`,
/// `name`, `email`, and at `role` where there is none such or it may do what whoever invites may not.
pub async fn invite(db: &Db, by: &Fresh<'_, Staff>, new: &Invitation) -> Result<(StaffId, String), Error> {
    by.may(Right::Staff)?;
    let mut check = Check::new();
    let login = check.field("login", login(&new.login));
    let name = check.field("name", flaw::name(&new.name));
    let email = check.field("email", Email::parse(&new.email));
    let (Some(login), Some(name), Some(email)) = (&login, &name, &email) else {
        return Err(Error::Invalid(check.flaws()));
    };
    // Nobody signs in by a password that nobody knows; they choose their own.
    let hash = &password::hash(Token::random().secret()).await?;
    let language = db.shop().language;
    db.write(|tx| {
        scoped(async move {
            tx.lock(Lock::Staff, true).await?;
            check_role(tx, by, &new.role).await?;
            let id = insert(tx, login, name, Some(email.as_str()), &new.role, language, hash).await?;
            let link = send(tx, id, name, email.as_str(), language, false).await?;
            by.record(tx, "staff.invite", None, Some(id.0), new.role.code()).await?;
            Ok((id, link))
        })
    })
    .await
}

/// That there is such a role, and that somebody may give it; else [`Flaw::NotAChoice`] at `role`.
async fn check_role(tx: &mut Tx, by: &Staff, role: &Role) -> Result<(), Error> {
    let entry = roles::get(tx, role).await?;
    match entry.is_some_and(|entry| entry.is_within(by)) {
        true => Ok(()),
        false => Err(Error::field("role", Flaw::NotAChoice)),
    }
}

/// Sends a new link by which a password is chosen; it takes the place of the one before. `is_reset` for who has come in before.
async fn send(
    tx: &mut Tx,
    id: StaffId,
    name: &str,
    email: &str,
    language: Lang,
    is_reset: bool,
) -> Result<String, Error> {
    // An invitation that is used meanwhile stays so.
    const SQL: &str = "INSERT INTO staff_invites (staff_id, token_hash, created_at, expires_at, is_reset) \
                       VALUES ($1, $2, $3, $4, $5) \
                       ON CONFLICT (staff_id) DO UPDATE SET token_hash = excluded.token_hash, \
                       created_at = excluded.created_at, expires_at = excluded.expires_at, is_reset = excluded.is_reset, \
                       used_at = CASE WHEN excluded.is_reset THEN NULL ELSE staff_invites.used_at END";
    let (token, now) = (Token::random(), tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(token.hash())
        .bind(now)
        .bind(now + Duration::hours(LINK_HOURS))
        .bind(is_reset)
        .execute(c)
        .await
        .map(drop))?;
    let shop = tx.shop().clone();
    let link = format!("{}/admin/join/{}", shop.url, token.secret());
    let hours = LINK_HOURS.to_string();
    let to = outbox::To {
        channel: outbox::Channel::Email,
        address: email,
        customer: None,
    };
    let values = [
        ("name", name),
        ("shop", shop.name.as_str()),
        ("link", link.as_str()),
        ("hours", hours.as_str()),
    ];
    let template = if is_reset { "staff_password" } else { "staff_invited" };
    outbox::send(tx, to, template, language, &values).await?;
    Ok(link)
}

/// Invites somebody once more who has not come in yet; the link before is worth nothing then. [`Error::Stale`] where they have,
/// or are let in no more.
pub async fn invite_again(db: &Db, by: &Fresh<'_, Staff>, id: StaffId) -> Result<String, Error> {
    let language = db.shop().language;
    db.write(|tx| {
        scoped(async move {
            let member = hold(tx, by, id).await?;
            let is_open = member.invited_until.is_some() && member.disabled_at.is_none();
            let email = member.email.filter(|_| is_open).ok_or(Error::Stale)?;
            let link = send(tx, id, &member.name, &email, language, false).await?;
            by.record(tx, "staff.invite", None, Some(id.0), "again").await?;
            Ok(link)
        })
    })
    .await
}

/// Sends somebody a link by which they choose another password; it goes to them alone, and their second factor stays. Field:
/// `reason`. [`Error::Stale`] for who [gets none](Member::gets_password_links).
pub async fn send_password_link(db: &Db, by: &Fresh<'_, Staff>, id: StaffId, typed: &str) -> Result<(), Error> {
    by.may(Right::Staff)?;
    let reason = &reason(typed)?;
    db.write(|tx| {
        scoped(async move {
            let member = hold(tx, by, id).await?;
            let email = member.email.as_deref().filter(|_| member.gets_password_links());
            let email = email.ok_or(Error::Stale)?;
            send(tx, id, &member.name, email, member.language, true).await?;
            by.record(tx, "staff.password_link", None, Some(id.0), reason).await?;
            Ok(())
        })
    })
    .await
}

/// What is said of a member of staff beside their role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Their name.
    pub name: String,
    /// Where links go by which they choose a password, if it is known.
    pub email: Option<String>,
}

/// Changes what is said of a member of staff. `seen` is what it said when it was shown: [`Error::Stale`] where it says something else
/// by now. A link that went to another address is worth nothing any more, and they are told at the old one and at the new one.
/// Fields: `name`, `email`.
pub async fn change(db: &Db, by: &Fresh<'_, Staff>, id: StaffId, seen: &Details, new: &Details) -> Result<(), Error> {
    const SQL: &str = "UPDATE staff SET name = $2, email = $3 WHERE id = $1";
    const EXPIRE: &str =
        "UPDATE staff_invites SET expires_at = $2 WHERE staff_id = $1 AND used_at IS NULL AND expires_at > $2";
    by.may(Right::Staff)?;
    let mut check = Check::new();
    let name = check.field("name", flaw::name(&new.name));
    let email = check.field("email", new.email.as_deref().map(Email::parse).transpose());
    let (Some(name), Some(email)) = (name, email) else {
        return Err(Error::Invalid(check.flaws()));
    };
    let new = &Details {
        name,
        email: email.map(|email| email.as_str().to_owned()),
    };
    db.write(|tx| {
        scoped(async move {
            let member = hold(tx, by, id).await?;
            let before = member.details();
            if before != *seen {
                return Err(Error::Stale);
            }
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(&new.name)
                .bind(new.email.as_deref())
                .execute(c)
                .await
                .map(drop))?;
            if before.email != new.email {
                let now = tx.now();
                on!(tx, |c| sqlx::query(EXPIRE)
                    .bind(id)
                    .bind(now)
                    .execute(c)
                    .await
                    .map(drop))?;
                for address in [&before.email, &new.email].into_iter().flatten() {
                    tell_of_email(tx, by, &new.name, address, member.language).await?;
                }
            }
            by.record(tx, "staff.change", None, Some(id.0), &difference(&before, new))
                .await?;
            Ok(())
        })
    })
    .await
}

/// Tells a member of staff that a colleague changed their e-mail. It names no address: at the old one somebody else may read it.
async fn tell_of_email(tx: &mut Tx, by: &Staff, name: &str, address: &str, language: Lang) -> Result<(), Error> {
    let shop = tx.shop().clone();
    let at = shop.local(tx.now()).format("%d.%m.%Y %H:%M").to_string();
    let to = outbox::To {
        channel: outbox::Channel::Email,
        address,
        customer: None,
    };
    let values = [
        ("name", name),
        ("shop", shop.name.as_str()),
        ("at", at.as_str()),
        ("other", by.name()),
    ];
    outbox::send(tx, to, "staff_email_changed", language, &values).await?;
    Ok(())
}

/// Who chooses a password by a link: their login and name, and whether they have come in before. `None` for a link that is used, too
/// old or made up.
async fn invited(conn: &mut Conn, hash: &[u8]) -> Result<Option<(StaffId, String, String, bool)>, sqlx::Error> {
    const SQL: &str = "SELECT s.id, s.login, s.name, i.is_reset FROM staff_invites i JOIN staff s ON s.id = i.staff_id \
                       WHERE i.token_hash = $1 AND i.used_at IS NULL AND i.expires_at > $2 AND s.disabled_at IS NULL";
    let now = conn.now();
    on!(conn, |c| sqlx::query_as(SQL)
        .bind(hash)
        .bind(now)
        .fetch_optional(c)
        .await)
}

/// Comes in by a link, of an invitation for the first time: sets a password and leads on to the second factor. Sessions that were
/// open end. Field: `password`. [`Error::Stale`] for a link that is used, too old or made up.
pub async fn join(db: &Db, link: &str, typed: &str, lang: Lang, visitor: &Visitor) -> Result<StaffEntered, Error> {
    const PASSWORD: &str = "UPDATE staff SET password_hash = $2 WHERE id = $1";
    if !is_link(link) {
        return Err(Error::NotFound);
    }
    let token = &Token::received(link).hash();
    let (_, login, name, _) = invited(&mut db.read().await?, token).await?.ok_or(Error::Stale)?;
    strength::check(typed, &[&login, &name, &db.shop().name]).map_err(|flaw| Error::field("password", flaw))?;
    let hash = &password::hash(typed).await?;
    db.write(|tx| {
        scoped(async move {
            tx.lock(Lock::Staff, true).await?;
            let (id, _, _, is_reset) = invited(tx, token).await?.ok_or(Error::Stale)?;
            close_link(tx, id).await?;
            end_sessions(tx, id).await?;
            on!(tx, |c| sqlx::query(PASSWORD)
                .bind(id)
                .bind(hash)
                .execute(c)
                .await
                .map(drop))?;
            let entry = audit::Entry {
                actor: Actor::Staff,
                actor_id: Some(id.0),
                action: if is_reset { "staff.reset_password" } else { "staff.join" },
                customer: None,
                object: Some(id.0),
                reason: "",
                network: &visitor.network,
            };
            audit::record(tx, entry).await?;
            staff_proved(tx, id, lang, visitor).await
        })
    })
    .await
}

/// A reason as it is written down, or what is wrong at `reason`.
fn reason(typed: &str) -> Result<String, Error> {
    flaw::text(typed, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))
}

/// Gives a member of staff another role; their sessions end. `seen` is the one that they had when they were shown:
/// [`Error::Stale`] where it is another one by now, and for the last administrator. Fields: `role` as with [`invite`], `reason`.
pub async fn set_role(
    db: &Db,
    by: &Fresh<'_, Staff>,
    id: StaffId,
    seen: &Role,
    role: &Role,
    typed: &str,
) -> Result<(), Error> {
    by.may(Right::Staff)?;
    let reason = &reason(typed)?;
    db.write(|tx| {
        scoped(async move {
            let member = hold(tx, by, id).await?;
            check_role(tx, by, role).await?;
            if member.role != *seen || (member.is_last && *role != member.role) {
                return Err(Error::Stale);
            }
            give_role(tx, id, role).await?;
            let told = format!("{} → {}; {reason}", member.role.code(), role.code());
            by.record(tx, "staff.role", None, Some(id.0), &told).await?;
            Ok(())
        })
    })
    .await
}

/// Lets a member of staff in no more; their sessions end. Field: `reason`. [`Error::Stale`] for the last administrator, and for
/// who is let in no more already.
pub async fn disable(db: &Db, by: &Fresh<'_, Staff>, id: StaffId, typed: &str) -> Result<(), Error> {
    by.may(Right::Staff)?;
    let reason = &reason(typed)?;
    db.write(|tx| {
        scoped(async move {
            let member = hold(tx, by, id).await?;
            if member.is_last || !shut_out(tx, id).await? {
                return Err(Error::Stale);
            }
            by.record(tx, "staff.disable", None, Some(id.0), reason).await?;
            Ok(())
        })
    })
    .await
}

/// Lets somebody in again. [`Error::Stale`] for who is let in already.
pub async fn enable(db: &Db, by: &Fresh<'_, Staff>, id: StaffId) -> Result<(), Error> {
    const SQL: &str = "UPDATE staff SET disabled_at = NULL WHERE id = $1";
    db.write(|tx| {
        scoped(async move {
            let member = hold(tx, by, id).await?;
            member.disabled_at.ok_or(Error::Stale)?;
            on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))?;
            by.record(tx, "staff.enable", None, Some(id.0), "").await?;
            Ok(())
        })
    })
    .await
}

/// Ends every session of a member of staff. Field: `reason`. [`Error::Stale`] where none is open.
pub async fn end_all_sessions(db: &Db, by: &Fresh<'_, Staff>, id: StaffId, typed: &str) -> Result<(), Error> {
    by.may(Right::Staff)?;
    let reason = &reason(typed)?;
    db.write(|tx| {
        scoped(async move {
            let member = hold(tx, by, id).await?;
            if member.sessions == 0 {
                return Err(Error::Stale);
            }
            end_sessions(tx, id).await?;
            by.record(tx, "staff.end_sessions", None, Some(id.0), reason).await?;
            Ok(())
        })
    })
    .await
}

/// Ends one session of a member of staff. Field: `reason`. [`Error::Stale`] where it is open no more, or none of theirs.
pub async fn end_session(
    db: &Db,
    by: &Fresh<'_, Staff>,
    id: StaffId,
    session: SessionId,
    typed: &str,
) -> Result<(), Error> {
    by.may(Right::Staff)?;
    let reason = &reason(typed)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, by, id).await?;
            if !end_one(tx, id, session).await? {
                return Err(Error::Stale);
            }
            by.record(tx, "staff.end_session", None, Some(id.0), reason).await?;
            Ok(())
        })
    })
    .await
}

/// Removes the second factors of a member of staff, for when a phone is lost: they set up new ones when they sign in next. Their
/// sessions end. Field: `reason`. [`Error::Stale`] where there are none.
pub async fn reset_factors(db: &Db, by: &Fresh<'_, Staff>, id: StaffId, typed: &str) -> Result<(), Error> {
    by.may(Right::Staff)?;
    let reason = &reason(typed)?;
    db.write(|tx| {
        scoped(async move {
            let member = hold(tx, by, id).await?;
            if !member.has_second {
                return Err(Error::Stale);
            }
            factor::store::reset_in(tx, id).await?;
            by.record(tx, "staff.reset_factors", None, Some(id.0), reason).await?;
            Ok(())
        })
    })
    .await
}
