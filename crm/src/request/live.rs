//! What comes of requests while somebody looks: every change of one is a row under a number, so that a page that is open can
//! be told that there is something new, and which colleagues have a request open.
//!
//! A row says that something changed and not what: whoever may read it reads it as ever.

use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::Error;
use crate::id::{CustomerId, RequestId, StaffId};
use crate::on;
use crate::staff::Right;
use crate::who::{Customer, Staff, System};
use chrono::TimeDelta;

/// Where the numbers come from. The sequence is held from a number until its transaction ends, so numbers are seen in their
/// order: whoever has seen one will see none below it any more. So a number is taken last in a transaction.
const SEQUENCE: &str = "request_change";
/// How long somebody is there after they last said so.
const HERE: TimeDelta = TimeDelta::seconds(30);
/// How long changes are kept: for pages that were left for so long and are looked at again.
const KEEP: TimeDelta = TimeDelta::days(7);
/// How many changes a page is told of that come all at once; of more the last ones.
const MISSED: i64 = 100;

/// What kind of change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Kind {
    /// A customer wrote a request.
    Opened,
    /// The customer wrote, closed or opened it again.
    Said,
    /// Staff did something that the customer sees.
    Answered,
    /// Staff did something that the customer does not see.
    Inside,
    /// Somebody of staff came, or began or stopped to write.
    Here,
}

impl Kind {
    /// As it is stored, and as pages are told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Said => "said",
            Self::Answered => "answered",
            Self::Inside => "inside",
            Self::Here => "here",
        }
    }
}

/// A change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Change {
    /// Its number: larger than those of all changes that were seen before it.
    pub id: i64,
    /// The number of the request; 0 where it is about none.
    pub number: i64,
    /// Whose request it is.
    pub customer: Option<CustomerId>,
    /// What kind it is.
    pub kind: Kind,
    /// Who of staff alone is told, for it stands in their inbox; none: whoever may see the request.
    pub staff: Option<StaffId>,
}

const SELECT: &str = "SELECT c.id, COALESCE(r.number, 0) AS number, r.customer_id AS customer, c.kind, c.staff_id AS staff \
                      FROM request_changes c LEFT JOIN requests r ON r.id = c.request_id";

/// Notes a change, last in its transaction.
pub(super) async fn note(tx: &mut Tx, request: RequestId, kind: Kind) -> Result<(), sqlx::Error> {
    put(tx, Some(request), kind, None).await
}

/// Notes, likewise last, that some of staff have something new in their inbox that is about a request.
pub(super) async fn ring(tx: &mut Tx, request: RequestId, told: &[StaffId]) -> Result<(), sqlx::Error> {
    for staff in told {
        put(tx, Some(request), Kind::Inside, Some(*staff)).await?;
    }
    Ok(())
}

/// Notes, likewise last, that something came into their inbox, or went, that is about no request.
pub(crate) async fn ring_bells(tx: &mut Tx, told: &[StaffId]) -> Result<(), sqlx::Error> {
    for staff in told {
        put(tx, None, Kind::Inside, Some(*staff)).await?;
    }
    Ok(())
}

async fn put(tx: &mut Tx, request: Option<RequestId>, kind: Kind, staff: Option<StaffId>) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO request_changes (id, request_id, kind, staff_id, at) VALUES ($1, $2, $3, $4, $5)";
    let (id, now) = (db::next_number(tx, SEQUENCE).await?, tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(request)
        .bind(kind)
        .bind(staff)
        .bind(now)
        .execute(c)
        .await
        .map(drop))
}

/// Whether a request changed after that number, beside who looked at it. Pages that are older than changes are kept belong to
/// sessions that are over.
pub(super) async fn changed_since(tx: &mut Tx, request: RequestId, seen: i64) -> Result<bool, sqlx::Error> {
    const SQL: &str = "SELECT COUNT(*) FROM request_changes \
                       WHERE request_id = $1 AND id > $2 AND staff_id IS NULL AND kind <> 'here'";
    let later: i64 = on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(request)
        .bind(seen)
        .fetch_one(c)
        .await)?;
    Ok(later > 0)
}

/// The number of the last change.
pub async fn last(conn: &mut Conn, _by: &System) -> Result<i64, Error> {
    const SQL: &str = "SELECT value FROM sequences WHERE name = $1";
    let last: Option<i64> = on!(conn, |c| sqlx::query_scalar(SQL).bind(SEQUENCE).fetch_optional(c).await)?;
    Ok(last.unwrap_or_default())
}

/// The changes of all requests after a number, in their order, so many at most.
pub async fn after(conn: &mut Conn, _by: &System, number: i64, limit: i64) -> Result<Vec<Change>, Error> {
    let query = ListQuery::new(SELECT).filter("c.id > ?", [Bind::Int(number)]);
    Ok(db::list(conn, query.tail("ORDER BY c.id").limit(limit)).await?)
}

/// Of which changes somebody may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener(Hears);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hears {
    Customer(CustomerId),
    /// What somebody of staff is told themselves, and what changes of what they look at.
    Staff(StaffId, Sight),
}

/// What somebody of staff looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    Request(i64),
    Queue,
    Elsewhere,
}

impl Listener {
    /// A customer: of what happens to their requests.
    pub fn customer(by: &Customer) -> Self {
        Self(Hears::Customer(by.id()))
    }

    /// Staff before any page: of what comes into their inbox.
    pub fn bell(by: &Staff) -> Result<Self, Error> {
        by.may_be_told()?;
        Ok(Self(Hears::Staff(by.id(), Sight::Elsewhere)))
    }

    /// Staff before the queue: of what happens to any request as well, but not of who has one open.
    pub fn queue(by: &Staff) -> Result<Self, Error> {
        by.may(Right::Requests)?;
        Ok(Self(Hears::Staff(by.id(), Sight::Queue)))
    }

    /// Staff before a request: of all that happens to it as well, or to the one that it went into.
    pub async fn request(conn: &mut Conn, by: &Staff, number: i64) -> Result<Self, Error> {
        const SQL: &str = "SELECT number FROM requests \
                           WHERE id = (SELECT COALESCE(m.merged_into, m.id) FROM requests m WHERE m.number = $1)";
        by.may(Right::Requests)?;
        let found: Option<i64> = on!(conn, |c| sqlx::query_scalar(SQL).bind(number).fetch_optional(c).await)?;
        let number = found.ok_or(Error::NotFound)?;
        Ok(Self(Hears::Staff(by.id(), Sight::Request(number))))
    }

    /// One of these rights they need as long as they listen.
    pub fn rights(&self) -> &'static [Right] {
        match self.0 {
            Hears::Customer(_) => &[],
            Hears::Staff(_, Sight::Elsewhere) => &Right::TOLD,
            Hears::Staff(_, Sight::Request(_) | Sight::Queue) => &[Right::Requests],
        }
    }

    /// Whether they may be told of a change.
    pub fn hears(&self, change: &Change) -> bool {
        match (self.0, change.staff) {
            (Hears::Customer(id), _) => {
                change.customer == Some(id) && matches!(change.kind, Kind::Said | Kind::Answered)
            }
            (Hears::Staff(id, _), Some(told)) => told == id,
            (Hears::Staff(_, Sight::Request(number)), None) => change.number == number,
            (Hears::Staff(_, Sight::Queue), None) => change.kind != Kind::Here,
            (Hears::Staff(_, Sight::Elsewhere), None) => false,
        }
    }

    /// Of what they were not told after a number, in its order; of very much the end.
    pub async fn missed(&self, conn: &mut Conn, number: i64) -> Result<Vec<Change>, Error> {
        let query = ListQuery::new(SELECT).filter("c.id > ?", [Bind::Int(number)]);
        let query = match self.0 {
            Hears::Customer(id) => query
                .filter("r.customer_id = ?", [Bind::Id(id.0)])
                .filter("c.kind IN ('said', 'answered')", []),
            Hears::Staff(id, Sight::Request(number)) => query.filter(
                "c.staff_id = ? OR c.staff_id IS NULL AND r.number = ?",
                [Bind::Id(id.0), Bind::Int(number)],
            ),
            Hears::Staff(id, Sight::Queue) => query.filter(
                "c.staff_id = ? OR c.staff_id IS NULL AND c.kind <> 'here'",
                [Bind::Id(id.0)],
            ),
            Hears::Staff(id, Sight::Elsewhere) => query.filter("c.staff_id = ?", [Bind::Id(id.0)]),
        };
        let mut found: Vec<Change> = db::list(conn, query.tail("ORDER BY c.id DESC").limit(MISSED)).await?;
        found.reverse();
        Ok(found)
    }
}

/// A colleague who has a request open.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Present {
    /// Their name.
    pub name: String,
    /// They have begun to write an answer.
    pub is_writing: bool,
}

/// Which colleagues have a request open.
pub async fn present(conn: &mut Conn, by: &Staff, request: RequestId) -> Result<Vec<Present>, Error> {
    const SQL: &str = "SELECT s.name, p.is_writing FROM request_presence p JOIN staff s ON s.id = p.staff_id \
                       WHERE p.request_id = $1 AND p.staff_id <> $2 AND p.seen_at > $3 ORDER BY s.name, s.id";
    by.may(Right::Requests)?;
    let since = conn.now() - HERE;
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(request)
        .bind(by.id())
        .bind(since)
        .fetch_all(c)
        .await)?)
}

/// Notes that somebody has a request open, for half a minute from now; which colleagues have it open, too.
pub async fn be_here(db: &Db, by: &Staff, number: i64, is_writing: bool) -> Result<Vec<Present>, Error> {
    const REQUEST: &str = "SELECT COALESCE(merged_into, id) FROM requests WHERE number = $1";
    const BEFORE: &str = "SELECT is_writing FROM request_presence \
                          WHERE request_id = $1 AND staff_id = $2 AND seen_at > $3";
    const SQL: &str = "INSERT INTO request_presence (request_id, staff_id, is_writing, seen_at) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (request_id, staff_id) DO UPDATE SET is_writing = excluded.is_writing, \
                       seen_at = excluded.seen_at";
    by.may(Right::Requests)?;
    db.write(|tx| {
        scoped(async move {
            let request: Option<RequestId> =
                on!(tx, |c| sqlx::query_scalar(REQUEST).bind(number).fetch_optional(c).await)?;
            let request = request.ok_or(Error::NotFound)?;
            let (staff, now): (StaffId, _) = (by.id(), tx.now());
            let before: Option<bool> = on!(tx, |c| sqlx::query_scalar(BEFORE)
                .bind(request)
                .bind(staff)
                .bind(now - HERE)
                .fetch_optional(c)
                .await)?;
            on!(tx, |c| sqlx::query(SQL)
                .bind(request)
                .bind(staff)
                .bind(is_writing)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            let others = present(tx, by, request).await?;
            // Who stays as they are is no news.
            if before != Some(is_writing) {
                note(tx, request, Kind::Here).await?;
            }
            Ok(others)
        })
    })
    .await
}

/// Removes what nobody comes back for.
pub async fn sweep(db: &Db, _by: &System) -> Result<(), Error> {
    const CHANGES: &str = "DELETE FROM request_changes WHERE id IN \
                           (SELECT id FROM request_changes WHERE at < $1 ORDER BY at, id LIMIT $2)";
    const PRESENCE: &str = "DELETE FROM request_presence WHERE (request_id, staff_id) IN \
                            (SELECT request_id, staff_id FROM request_presence WHERE seen_at < $1 ORDER BY seen_at LIMIT $2)";
    db::sweep(db, CHANGES, db.now() - KEEP).await?;
    db::sweep(db, PRESENCE, db.now() - KEEP).await
}
