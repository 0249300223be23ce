//! Requests in the database: what customers see and do, then what staff does.

pub mod bulk;
pub mod index;
pub mod queues;
pub mod saved;
pub mod tags;

use super::attachment::{self, Attachment, Checked};
use super::draft::{self, Draft};
use super::level::store as levels;
use super::live;
use super::mention;
use super::{
    About, Along, Assignee, Author, Counts, Cursor, Filter, Message, NewRating, NewRequest, Rating, Row, Sort,
    StaffMessage, StaffThread, Status, Step, Summary, TakenDown, Thread, Topic, USUAL_DAYS, Upload, text,
};
use crate::customer::store as customers;
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::Error;
use crate::flaw::{Check, Flaw};
use crate::id::{
    AttachmentId, CustomerId, InteractionId, MessageId, PurchaseId, RatingId, RequestId, StaffId, TopicId,
};
use crate::interaction::{Way, store as interactions};
use crate::lang::{Lang, Localized, fold};
use crate::limits;
use crate::notification::{self, Kind};
use crate::on;
use crate::shop::MB;
use crate::staff::Right;
use crate::webhook::event::Cause;
use crate::who::{Customer, Reason, Staff, Subject, System};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::types::Json;

/// Topics by a condition of `t` and of `p` above it, which binds the moment as `$1`.
macro_rules! topics {
    ($condition:literal) => {
        concat!(
            "SELECT t.id, t.code, t.name, p.name FROM topics t LEFT JOIN topics p ON p.id = t.parent_id WHERE ",
            $condition,
            " ORDER BY COALESCE(p.position, t.position), COALESCE(p.id, t.id), t.parent_id IS NOT NULL, t.position, t.id"
        )
    };
}

/// The topics that a new request can be about, in the order the shop gave them: those below another one follow it, and are called
/// by both names. What is below a topic that is closed is closed with it.
pub async fn topics(conn: &mut Conn) -> Result<Vec<Topic>, Error> {
    const OPEN: &str =
        topics!("(t.closed_at IS NULL OR t.closed_at > $1) AND (p.closed_at IS NULL OR p.closed_at > $1)");
    named(conn, OPEN).await
}

/// The other topics, likewise: nothing new is about them, and what was written is still found by them.
pub async fn closed_topics(conn: &mut Conn, by: &Staff) -> Result<Vec<Topic>, Error> {
    const CLOSED: &str = topics!("t.closed_at <= $1 OR p.closed_at <= $1");
    by.may(Right::Requests)?;
    named(conn, CLOSED).await
}

async fn named(conn: &mut Conn, sql: &'static str) -> Result<Vec<Topic>, Error> {
    type Found = (TopicId, String, Json<Localized>, Option<Json<Localized>>);
    let now = conn.now();
    let found: Vec<Found> = on!(conn, |c| sqlx::query_as(sql).bind(now).fetch_all(c).await)?;
    let topic = |(id, code, Json(name), above): Found| Topic {
        id,
        code,
        name: match above {
            Some(Json(above)) => Localized {
                ru: format!("{}: {}", above.ru, name.ru),
                en: format!("{}: {}", above.en, name.en),
            },
            None => name,
        },
    };
    Ok(found.into_iter().map(topic).collect())
}

/// A request that this transaction changes.
#[derive(sqlx::FromRow)]
pub(super) struct Held {
    pub(super) id: RequestId,
    pub(super) number: i64,
    pub(super) customer_id: CustomerId,
    pub(super) topic_id: TopicId,
    pub(super) language: Lang,
    pub(super) status: Status,
    pub(super) assignee_id: Option<StaffId>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) waiting_since: Option<DateTime<Utc>>,
    pub(super) closed_at: Option<DateTime<Utc>>,
    merged_into: Option<RequestId>,
    /// When it was written or last opened again.
    since: DateTime<Utc>,
    /// Who had it last and gave it back, or whose time ran out.
    lost_by: Option<StaffId>,
    /// It was their time that ran out.
    lost_late: bool,
}

/// What there is to a step beside the step itself.
#[derive(Clone, Copy)]
pub(super) struct Change {
    pub(super) step: Step,
    pub(super) assignee: Option<StaffId>,
    pub(super) answered: bool,
}

impl Held {
    /// Takes hold of a request until the transaction ends; of this customer, where one is given. It is read by an
    /// update that changes nothing, because that locks the row on PostgreSQL and is the same SQL on both engines. For one
    /// that went into another one, that one is held.
    pub(super) async fn by_number(tx: &mut Tx, number: i64, of: Option<CustomerId>) -> Result<Self, Error> {
        const SQL: &str = "UPDATE requests SET updated_at = updated_at \
                           WHERE id = (SELECT COALESCE(m.merged_into, m.id) FROM requests m WHERE m.number = $1) \
                           AND customer_id = COALESCE($2, customer_id) \
                           RETURNING id, number, customer_id, topic_id, language, status, assignee_id, updated_at, \
                           waiting_since, closed_at, merged_into, COALESCE(reopened_at, created_at) AS since, \
                           lost_by, lost_late";
        // It may have gone into another one while it was waited for: then that one is held the second time.
        for _ in 0..2 {
            let held: Option<Self> = on!(tx, |c| sqlx::query_as(SQL)
                .bind(number)
                .bind(of)
                .fetch_optional(c)
                .await)?;
            let held = held.ok_or(Error::NotFound)?;
            if held.merged_into.is_none() {
                return Ok(held);
            }
        }
        Err(Error::Stale)
    }

    /// The time of what happens now: after all that happened before, even within a microsecond or on a machine
    /// whose clock is behind, because unread and out of date are told by it.
    pub(super) fn moment(&self, tx: &Tx) -> DateTime<Utc> {
        tx.now().max(self.updated_at + TimeDelta::microseconds(1))
    }

    /// Takes a step. Fails with [`Error::Stale`] where it cannot be taken from here.
    pub(super) async fn take(&self, tx: &mut Tx, at: DateTime<Utc>, change: Change) -> Result<(), Error> {
        const SQL: &str = "UPDATE requests SET status = $2, assignee_id = $3, updated_at = $4, waiting_since = $5, \
                           answered_at = COALESCE(answered_at, $6), closed_at = $7, reopened_at = COALESCE($8, reopened_at), \
                           lost_by = $9, lost_late = $10 WHERE id = $1";
        let status = self.status.after(change.step).ok_or(Error::Stale)?;
        let waiting_since = status.is_waiting_for_staff().then(|| self.waiting_since.unwrap_or(at));
        let closed_at = (status == Status::Closed).then(|| self.closed_at.unwrap_or(at));
        let is_reopened = self.status == Status::Closed && status != Status::Closed;
        let (lost_by, lost_late) = self.lost_after(change);
        if is_reopened {
            note_step(tx, self.id, REOPENED, at).await?;
        } else if self.status != Status::Closed && status == Status::Closed {
            note_step(tx, self.id, CLOSED, at).await?;
        }
        on!(tx, |c| sqlx::query(SQL)
            .bind(self.id)
            .bind(status)
            .bind(change.assignee)
            .bind(at)
            .bind(waiting_since)
            .bind(change.answered.then_some(at))
            .bind(closed_at)
            .bind(is_reopened.then_some(at))
            .bind(lost_by)
            .bind(lost_late)
            .execute(c)
            .await
            .map(drop))?;
        levels::follow(tx, self.id, at, change.answered).await
    }

    /// Who lost it last after a change, and whether their time ran out. It is forgotten once it is answered or somebody else's.
    fn lost_after(&self, change: Change) -> (Option<StaffId>, bool) {
        match (self.assignee_id, change.assignee) {
            _ if change.answered => (None, false),
            (Some(from), None) => (Some(from), false),
            (_, Some(to)) if self.lost_by != Some(to) => (None, false),
            _ => (self.lost_by, self.lost_late),
        }
    }

    /// Takes a step that leaves the rest alone.
    pub(super) async fn step(&self, tx: &mut Tx, step: Step) -> Result<(), Error> {
        let at = self.moment(tx);
        self.take(
            tx,
            at,
            Change {
                step,
                assignee: self.assignee_id,
                answered: false,
            },
        )
        .await
    }
}

/// How [`note_step`] calls what it writes down.
pub(super) const CLOSED: &str = "closed";
/// See [`CLOSED`].
pub(super) const REOPENED: &str = "reopened";

/// Writes down that a request was closed, or opened again: reports count each time, whatever becomes of it later.
pub(super) async fn note_step(
    tx: &mut Tx,
    request: RequestId,
    kind: &'static str,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO request_steps (request_id, kind, at) VALUES ($1, $2, $3)";
    on!(tx, |c| sqlx::query(SQL)
        .bind(request)
        .bind(kind)
        .bind(at)
        .execute(c)
        .await
        .map(drop))
}

/// What the audit log calls a step.
const fn action(step: Step) -> &'static str {
    match step {
        Step::CustomerAnswers => "request.reply",
        Step::CustomerCloses => "request.close",
        Step::CustomerReopens => "request.reopen",
        Step::StaffAnswers => "request.answer",
        Step::StaffNotes => "request.note",
        Step::StaffSets(_) => "request.status",
        Step::StaffTakes => "request.assign",
        Step::StaffReleases => "request.unassign",
    }
}

/// Adds a message; its id. A staff member's id makes it the staff's; a note is the staff's in any case, the shop's own where
/// nobody wrote it.
pub(super) async fn say(
    tx: &mut Tx,
    request: RequestId,
    staff: Option<StaffId>,
    internal: bool,
    body: &str,
    at: DateTime<Utc>,
) -> Result<MessageId, sqlx::Error> {
    const SQL: &str = "INSERT INTO messages (id, request_id, author, staff_id, internal, body, search, at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let author = if staff.is_some() || internal {
        Author::Staff
    } else {
        Author::Customer
    };
    let id = MessageId::new();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(request)
        .bind(author)
        .bind(staff)
        .bind(internal)
        .bind(body)
        .bind(fold(body))
        .bind(at)
        .execute(c)
        .await
        .map(drop))?;
    Ok(id)
}

/// The largest piece of a file that is one row.
const PART: usize = 1 << 20;

/// Keeps the files of a message.
async fn attach(tx: &mut Tx, message: MessageId, files: &[Checked<'_>], at: DateTime<Utc>) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO attachments (id, message_id, ordinal, name, kind, size, at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    const KEEP: &str = "INSERT INTO attachment_parts (attachment_id, ordinal, bytes) VALUES ($1, $2, $3)";
    for (nth, file) in (1_i64..).zip(files) {
        let (id, size) = (AttachmentId::new(), i64::try_from(file.bytes.len()).unwrap_or(i64::MAX));
        on!(tx, |c| sqlx::query(SQL)
            .bind(id)
            .bind(message)
            .bind(nth)
            .bind(file.name)
            .bind(file.kind)
            .bind(size)
            .bind(at)
            .execute(c)
            .await
            .map(drop))?;
        for (ordinal, part) in (0_i64..).zip(file.bytes.chunks(PART)) {
            on!(tx, |c| sqlx::query(KEEP)
                .bind(id)
                .bind(ordinal)
                .bind(part)
                .execute(c)
                .await
                .map(drop))?;
        }
    }
    Ok(())
}

/// Whether a customer may send these files today. Two messages at the same moment are counted one after the other.
async fn within_the_day(tx: &mut Tx, by: &Customer, files: &[Checked<'_>]) -> Result<Result<(), Flaw>, Error> {
    const SENT: &str = "SELECT CAST(COALESCE(SUM(a.size), 0) AS BIGINT) FROM requests r \
                        JOIN messages m ON m.request_id = r.id JOIN attachments a ON a.message_id = m.id \
                        WHERE r.customer_id = $1 AND m.author = 'customer' AND a.at >= $2";
    if files.is_empty() {
        return Ok(Ok(()));
    }
    customers::hold(tx, by.id()).await?;
    let today = tx.shop().midnight(tx.shop().day(tx.now()));
    let sent: i64 = on!(tx, |c| sqlx::query_scalar(SENT)
        .bind(by.id())
        .bind(today)
        .fetch_one(c)
        .await)?;
    let more: usize = files.iter().map(|file| file.bytes.len()).sum();
    let max = tx.shop().attachments.day_mb;
    let is_within = usize::try_from(sent).is_ok_and(|sent| sent + more <= max * MB);
    Ok(if is_within {
        Ok(())
    } else {
        Err(Flaw::FilesOfADay { max })
    })
}

/// What is wrong with words and files of a message, both at once.
fn said<'a>(raw: &str, files: &'a [Upload], db: &Db) -> Result<(String, Vec<Checked<'a>>), Error> {
    let mut check = Check::new();
    let body = check.field("text", text(raw));
    let files = check.field("files", attachment::check(files, &db.shop().attachments));
    match (body, files) {
        (Some(body), Some(files)) => Ok((body, files)),
        _ => Err(Error::Invalid(check.flaws())),
    }
}

/// The ids of a request and of those that went into it, within a query that binds its id as `$1`.
macro_rules! together {
    () => {
        "(SELECT x.id FROM requests x WHERE x.id = $1 OR x.merged_into = $1)"
    };
}

/// The files of a request, message by message.
async fn files_of(conn: &mut Conn, request: RequestId) -> Result<Vec<Attachment>, sqlx::Error> {
    const SQL: &str = concat!(
        "SELECT a.id, a.message_id, a.name, a.kind, a.size FROM messages m JOIN attachments a ON a.message_id = m.id \
         WHERE m.request_id IN ",
        together!(),
        " ORDER BY m.at, m.id, a.ordinal"
    );
    on!(conn, |c| sqlx::query_as(SQL).bind(request).fetch_all(c).await)
}

/// Those of one message.
fn files_with(files: &[Attachment], message: MessageId) -> Vec<Attachment> {
    files
        .iter()
        .filter(|file| file.message_id == message)
        .cloned()
        .collect()
}

pub(super) struct Begun {
    pub(super) customer: CustomerId,
    pub(super) topic: TopicId,
    pub(super) purchase: Option<PurchaseId>,
    pub(super) about: Option<String>,
    pub(super) language: Lang,
    pub(super) at: DateTime<Utc>,
}

/// Begins a request without a message; its id and number.
pub(super) async fn begin(tx: &mut Tx, new: Begun) -> Result<(RequestId, i64), Error> {
    const SQL: &str = "INSERT INTO requests (id, number, customer_id, topic_id, purchase_id, status, language, created_at, \
                       updated_at, waiting_since, customer_seen_at, about) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8, $8, $9)";
    let id = RequestId::new();
    let number = db::next_number(tx, "request").await?;
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(number)
        .bind(new.customer)
        .bind(new.topic)
        .bind(new.purchase)
        .bind(Status::New)
        .bind(new.language)
        .bind(new.at)
        .bind(new.about.as_deref())
        .execute(c)
        .await
        .map(drop))?;
    queues::place(tx, id, new.topic).await?;
    Ok((id, number))
}

/// What a customer says first.
struct First<'a> {
    body: &'a str,
    files: &'a [Checked<'a>],
    /// A note that staff alone see.
    note: Option<&'a str>,
    taken: Option<Taken>,
}

/// How it was said, where staff wrote it down.
struct Taken {
    by: StaffId,
    way: Way,
    talk: Option<InteractionId>,
}

/// Begins a request with what its customer says; its id and number. [`give_out`] comes next.
async fn receive(tx: &mut Tx, begun: Begun, first: First<'_>) -> Result<(RequestId, i64), Error> {
    const TAKEN: &str = "UPDATE messages SET staff_id = $2, way = $3, interaction_id = $4 WHERE id = $1";
    let at = begun.at;
    let (id, number) = begin(tx, begun).await?;
    tx.happened(Cause::Opened(id));
    let message = say(tx, id, None, false, first.body, at).await?;
    attach(tx, message, first.files, at).await?;
    if let Some(taken) = first.taken {
        on!(tx, |c| sqlx::query(TAKEN)
            .bind(message)
            .bind(taken.by)
            .bind(taken.way)
            .bind(taken.talk)
            .execute(c)
            .await
            .map(drop))?;
    }
    if let Some(note) = first.note {
        // Of one moment, and ids grow: it stands after what the customer said.
        say(tx, id, None, true, note, at).await?;
    }
    levels::follow(tx, id, at, false).await?;
    Ok((id, number))
}

/// Gives a request that came in to whoever is to answer it, and tells who is there.
async fn give_out(tx: &mut Tx, id: RequestId) -> Result<(), Error> {
    let given = queues::hand_out(tx, id).await?;
    live::note(tx, id, live::Kind::Opened).await?;
    Ok(live::ring(tx, id, given.as_slice()).await?)
}

/// Begins a request of a customer with what they said elsewhere; its id.
pub(crate) async fn begin_with(
    tx: &mut Tx,
    customer: CustomerId,
    topic: TopicId,
    language: Lang,
    body: &str,
) -> Result<RequestId, Error> {
    let at = tx.now();
    let begun = Begun {
        customer,
        topic,
        purchase: None,
        about: None,
        language,
        at,
    };
    let first = First {
        body,
        files: &[],
        note: None,
        taken: None,
    };
    let (id, _) = receive(tx, begun, first).await?;
    give_out(tx, id).await?;
    Ok(id)
}

// The customer's side -------------------------------------------------------------------------------------------------

/// Writes a request; its number. Fails with flaws at `topic`, `text`, `files` and `purchase`, which has to be the customer's
/// own, and with [`Error::TooMany`] for a customer who writes one after another.
pub async fn create(db: &Db, by: &Customer, new: &NewRequest, files: &[Upload]) -> Result<i64, Error> {
    create_with(db, by, new, files, Along::default()).await
}

/// The same, with what goes along.
pub async fn create_with(
    db: &Db,
    by: &Customer,
    new: &NewRequest,
    files: &[Upload],
    along: Along<'_>,
) -> Result<i64, Error> {
    db.write(|tx| {
        scoped(async move {
            let mut check = Check::new();
            let topic = open_topic(tx, &new.topic).await?;
            let topic = check.field("topic", topic);
            let body = check.field("text", text(&new.text));
            let purchase = own_purchase(tx, by.me(), &new.purchase).await?;
            let purchase = check.field("purchase", purchase);
            let files = check.field("files", attachment::check(files, &tx.shop().attachments));
            let (Some(topic), Some(body), Some(purchase), Some(files)) = (topic, body, purchase, files) else {
                return Err(Error::Invalid(check.flaws()));
            };
            within_the_day(tx, by, &files)
                .await?
                .map_err(|flaw| Error::field("files", flaw))?;
            let limit = tx.shop().limits.requests_per_customer;
            if !limits::take(tx, &format!("request:{}", by.id()), limit).await? {
                return Err(Error::TooMany { retry_after: 3600 });
            }
            let at = tx.now();
            let begun = Begun {
                customer: by.id(),
                topic,
                purchase,
                about: along.about.map(About::to_string),
                language: by.language(),
                at,
            };
            let first = First {
                body: &body,
                files: &files,
                note: along.note,
                taken: None,
            };
            let (id, number) = receive(tx, begun, first).await?;
            by.record(tx, "request.create", Some(id.0)).await?;
            give_out(tx, id).await?;
            Ok(number)
        })
    })
    .await
}

/// The topic with this code, if something new can be about it.
pub(crate) async fn open_topic(tx: &mut Tx, code: &str) -> Result<Result<TopicId, Flaw>, Error> {
    if code.is_empty() {
        return Ok(Err(Flaw::Missing));
    }
    let topic = topics(tx).await?.into_iter().find(|topic| topic.code == code);
    Ok(topic.map(|topic| topic.id).ok_or(Flaw::NotAChoice))
}

async fn own_purchase(tx: &mut Tx, of: Subject, id: &str) -> Result<Result<Option<PurchaseId>, Flaw>, Error> {
    const SQL: &str = "SELECT id FROM purchases WHERE id = $1 AND customer_id = $2";
    if id.is_empty() {
        return Ok(Ok(None));
    }
    let Ok(id) = id.parse::<PurchaseId>() else {
        return Ok(Err(Flaw::NotAChoice));
    };
    let own: Option<PurchaseId> = on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(id)
        .bind(of.id())
        .fetch_optional(c)
        .await)?;
    Ok(own.map(Some).ok_or(Flaw::NotAChoice))
}

/// True for a request of table `r` with an answer that its customer has not seen, be it in one that went into it.
macro_rules! unread {
    () => {
        "EXISTS (SELECT 1 FROM requests x JOIN messages m ON m.request_id = x.id \
         WHERE (x.id = r.id OR x.merged_into = r.id) AND m.author = 'staff' AND NOT m.internal \
         AND m.at > x.customer_seen_at)"
    };
}

/// A customer's requests, the last touched first; those after `after`.
pub async fn list(conn: &mut Conn, of: Subject, after: Option<Cursor>, limit: i64) -> Result<Vec<Summary>, Error> {
    const SELECT: &str = concat!(
        "SELECT r.id, r.number, t.name AS topic, r.status, r.created_at, r.updated_at, ",
        unread!(),
        " AS unread FROM requests r JOIN topics t ON t.id = r.topic_id"
    );
    let mut query = ListQuery::new(SELECT)
        .filter("r.customer_id = ?", [Bind::Id(of.id().0)])
        .filter("r.merged_into IS NULL", []);
    if let Some(after) = after {
        query = query.filter(
            "(r.updated_at, r.id) < (?, ?)",
            [Bind::Time(after.at), Bind::Id(after.id.0)],
        );
    }
    Ok(db::list(conn, query.tail("ORDER BY r.updated_at DESC, r.id DESC").limit(limit)).await?)
}

/// A customer's requests that are not settled or have an answer not seen yet, the last touched first.
pub async fn current(conn: &mut Conn, of: Subject, limit: i64) -> Result<Vec<Summary>, Error> {
    const SQL: &str = concat!(
        "SELECT * FROM (SELECT r.id, r.number, t.name AS topic, r.status, r.created_at, r.updated_at, ",
        unread!(),
        " AS unread FROM requests r JOIN topics t ON t.id = r.topic_id \
         WHERE r.customer_id = $1 AND r.merged_into IS NULL) s \
         WHERE s.status <> 'closed' OR s.unread ORDER BY s.updated_at DESC, s.id DESC LIMIT $2"
    );
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

/// How many of a customer's requests are not closed.
pub async fn open_count(conn: &mut Conn, of: Subject) -> Result<i64, Error> {
    const SQL: &str = "SELECT COUNT(*) FROM requests WHERE customer_id = $1 AND status <> 'closed'";
    Ok(on!(conn, |c| sqlx::query_scalar(SQL).bind(of.id()).fetch_one(c).await)?)
}

/// How many of a customer's requests have an answer that the customer has not seen.
pub async fn unread_count(conn: &mut Conn, of: Subject) -> Result<i64, Error> {
    const SQL: &str = concat!(
        "SELECT COUNT(*) FROM requests r WHERE r.customer_id = $1 AND r.merged_into IS NULL AND ",
        unread!()
    );
    Ok(on!(conn, |c| sqlx::query_scalar(SQL).bind(of.id()).fetch_one(c).await)?)
}

/// One request of a customer with what was said to them and by them; another's is [`Error::NotFound`]. For one that went into
/// another one, that one.
pub async fn thread(db: &Db, of: Subject, number: i64) -> Result<Thread, Error> {
    #[derive(sqlx::FromRow)]
    struct Head {
        id: RequestId,
        number: i64,
        topic_id: TopicId,
        #[sqlx(json)]
        topic: Localized,
        status: Status,
        purchase_id: Option<PurchaseId>,
        about: Option<String>,
        created_at: DateTime<Utc>,
        answered_at: Option<DateTime<Utc>>,
        closed_at: Option<DateTime<Utc>>,
        since: DateTime<Utc>,
    }
    const HEAD: &str = "SELECT r.id, r.number, r.topic_id, t.name AS topic, r.status, r.purchase_id, r.about, r.created_at, \
                        r.answered_at, r.closed_at, COALESCE(r.reopened_at, r.created_at) AS since \
                        FROM requests r JOIN topics t ON t.id = r.topic_id \
                        WHERE r.id = (SELECT COALESCE(m.merged_into, m.id) FROM requests m WHERE m.number = $1) \
                        AND r.customer_id = $2";
    const MESSAGES: &str = concat!(
        "SELECT m.id, m.author, m.body, m.at, m.author = 'staff' AND m.at > r.customer_seen_at AS unread, m.way \
         FROM messages m JOIN requests r ON r.id = m.request_id WHERE m.request_id IN ",
        together!(),
        " AND NOT m.internal ORDER BY m.at, m.id"
    );
    const PARTS: &str = "SELECT o.number FROM request_links l \
                         JOIN requests o ON o.id = CASE WHEN l.request_id = $1 THEN l.other_id ELSE l.request_id END \
                         WHERE l.kind = 'split' AND (l.request_id = $1 OR l.other_id = $1) AND o.customer_id = $2 \
                         ORDER BY o.number";
    let mut conn = db.read().await?;
    let head: Option<Head> = on!(&mut conn, |c| sqlx::query_as(HEAD)
        .bind(number)
        .bind(of.id())
        .fetch_optional(c)
        .await)?;
    let Head {
        id,
        number,
        topic_id,
        topic,
        status,
        purchase_id,
        about,
        created_at,
        answered_at,
        closed_at,
        since,
    } = head.ok_or(Error::NotFound)?;
    let parts: Vec<i64> = on!(&mut conn, |c| sqlx::query_scalar(PARTS)
        .bind(id)
        .bind(of.id())
        .fetch_all(c)
        .await)?;
    let mut messages: Vec<Message> = on!(&mut conn, |c| sqlx::query_as(MESSAGES).bind(id).fetch_all(c).await)?;
    let files = files_of(&mut conn, id).await?;
    for message in &mut messages {
        message.files = files_with(&files, message.id);
    }
    let (may_close, may_go_on) = queues::customer_may(&mut conn, id, closed_at).await?;
    let rating = ratings(&mut conn, id, since).await?.pop();
    let answered = |message: &Message| message.author == Author::Staff && message.at >= since;
    let may_rate = (status == Status::Closed || messages.iter().any(answered))
        && rating.as_ref().is_none_or(|rating| rating.may_change(conn.now()));
    Ok(Thread {
        number,
        topic_id,
        topic,
        status,
        purchase: purchase_id,
        about: about.and_then(|about| about.parse().ok()),
        created_at,
        answered_at,
        closed_at,
        messages,
        parts,
        rating,
        may_rate,
        may_close,
        may_go_on,
    })
}

/// How long half of those who lately wrote about a topic waited for the first answer at most; see [`super::usual_wait`]. The last
/// few hundred tell it as well as all of a busy month.
pub async fn usual_wait(conn: &mut Conn, topic: TopicId) -> Result<Option<TimeDelta>, Error> {
    const ANSWERED: &str = "SELECT created_at, answered_at FROM requests WHERE topic_id = $1 AND answered_at > $2 \
                            ORDER BY answered_at DESC LIMIT 500";
    const WAITING: &str = "SELECT created_at FROM requests WHERE topic_id = $1 AND answered_at IS NULL \
                           AND status IN ('new', 'open') LIMIT 500";
    let now = conn.now();
    let answered: Vec<(DateTime<Utc>, DateTime<Utc>)> = on!(conn, |c| sqlx::query_as(ANSWERED)
        .bind(topic)
        .bind(now - TimeDelta::days(USUAL_DAYS))
        .fetch_all(c)
        .await)?;
    let waiting: Vec<DateTime<Utc>> = on!(conn, |c| sqlx::query_scalar(WAITING).bind(topic).fetch_all(c).await)?;
    // What the shop began itself nobody waited for.
    let answered = answered.iter().map(|(from, to)| *to - *from);
    let answered = answered.filter(|waited| *waited > TimeDelta::zero()).collect();
    let waiting: Vec<TimeDelta> = waiting.iter().map(|from| now - *from).collect();
    Ok(super::usual_wait(answered, &waiting))
}

/// Which files of a request somebody may be given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    /// Of what its customer and the shop said to each other.
    OfTheCustomer,
    /// Those of notes, too.
    WithNotes,
}

/// A file of a request, and what is in it.
async fn read(conn: &mut Conn, request: i64, id: AttachmentId, of: Files) -> Result<(Attachment, Vec<u8>), Error> {
    const SQL: &str = "SELECT a.id, a.message_id, a.name, a.kind, a.size FROM attachments a \
                       JOIN messages m ON m.id = a.message_id JOIN requests r ON r.id = m.request_id \
                       WHERE a.id = $1 AND (r.number = $2 \
                       OR r.merged_into = (SELECT k.id FROM requests k WHERE k.number = $2)) \
                       AND ($3 OR NOT m.internal)";
    const PARTS: &str = "SELECT bytes FROM attachment_parts WHERE attachment_id = $1 ORDER BY ordinal";
    let found: Option<Attachment> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(id)
        .bind(request)
        .bind(of == Files::WithNotes)
        .fetch_optional(c)
        .await)?;
    let found = found.ok_or(Error::NotFound)?;
    let parts: Vec<Vec<u8>> = on!(conn, |c| sqlx::query_scalar(PARTS).bind(id).fetch_all(c).await)?;
    Ok((found, parts.concat()))
}

/// A file of a customer's request; another's is [`Error::NotFound`], and so is one of a note.
pub async fn file(conn: &mut Conn, of: Subject, number: i64, id: AttachmentId) -> Result<(Attachment, Vec<u8>), Error> {
    const OWN: &str = "SELECT COUNT(*) FROM requests WHERE number = $1 AND customer_id = $2";
    let own: i64 = on!(conn, |c| sqlx::query_scalar(OWN)
        .bind(number)
        .bind(of.id())
        .fetch_one(c)
        .await)?;
    if own == 0 {
        return Err(Error::NotFound);
    }
    read(conn, number, id, Files::OfTheCustomer).await
}

/// Remembers that the customer was shown this thread: what it held is read from now on, what came meanwhile is not.
pub async fn mark_seen(db: &Db, by: &Customer, shown: &Thread) -> Result<(), Error> {
    const SQL: &str = "UPDATE requests SET customer_seen_at = $3 \
                       WHERE (number = $1 OR merged_into = (SELECT k.id FROM requests k WHERE k.number = $1)) \
                       AND customer_id = $2 AND customer_seen_at < $3";
    let Some(last) = shown
        .messages
        .iter()
        .filter(|message| message.unread)
        .map(|message| message.at)
        .max()
    else {
        return Ok(());
    };
    let (number, customer) = (shown.number, by.id());
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(SQL)
                .bind(number)
                .bind(customer)
                .bind(last)
                .execute(c)
                .await
                .map(drop))?;
            Ok(())
        })
    })
    .await
}

/// Adds what the customer has to say. A request that waits or was closed is open again. Fails with flaws at `text` and
/// `files`, and with [`Error::Forbidden`] where the queue lets nobody open what was closed so long ago.
pub async fn answer(db: &Db, by: &Customer, number: i64, raw: &str, files: &[Upload]) -> Result<(), Error> {
    let (body, files) = &said(raw, files, db)?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::by_number(tx, number, Some(by.id())).await?;
            let (_, may_go_on) = queues::customer_may(tx, held.id, held.closed_at).await?;
            if !may_go_on {
                return Err(Error::Forbidden);
            }
            let limit = tx.shop().limits.messages_per_customer;
            if !limits::take(tx, &format!("message:{}", by.id()), limit).await? {
                return Err(Error::TooMany { retry_after: 3600 });
            }
            within_the_day(tx, by, files)
                .await?
                .map_err(|flaw| Error::field("files", flaw))?;
            let at = held.moment(tx);
            let message = say(tx, held.id, None, false, body, at).await?;
            attach(tx, message, files, at).await?;
            let change = Change {
                step: Step::CustomerAnswers,
                assignee: held.assignee_id,
                answered: false,
            };
            held.take(tx, at, change).await?;
            by.record(tx, action(Step::CustomerAnswers), Some(held.id.0)).await?;
            Ok(live::note(tx, held.id, live::Kind::Said).await?)
        })
    })
    .await
}

/// The customer has what was needed. Fails with [`Error::Stale`] when the request is closed already, and with
/// [`Error::Forbidden`] where the queue leaves closing to staff.
pub async fn close(db: &Db, by: &Customer, number: i64) -> Result<(), Error> {
    customer_step(db, by, number, Step::CustomerCloses).await
}

/// The customer was not helped after all. Fails with [`Error::Stale`] when the request is not closed, and with
/// [`Error::Forbidden`] where it was closed too long ago for its queue.
pub async fn reopen(db: &Db, by: &Customer, number: i64) -> Result<(), Error> {
    customer_step(db, by, number, Step::CustomerReopens).await
}

/// What a customer thought of a request since a moment, oldest first.
async fn ratings(conn: &mut Conn, request: RequestId, since: DateTime<Utc>) -> Result<Vec<Rating>, sqlx::Error> {
    const SQL: &str = "SELECT id, score, comment, at, changed_at FROM request_ratings \
                       WHERE request_id = $1 AND at > $2 ORDER BY at, id";
    on!(conn, |c| sqlx::query_as(SQL)
        .bind(request)
        .bind(since)
        .fetch_all(c)
        .await)
}

/// Says what the customer thinks of how a request was answered, or otherwise than before. Fails with flaws at `score` and
/// `comment`, and with [`Error::Stale`] where there is nothing to think of yet, or it was said too long ago.
pub async fn rate(db: &Db, by: &Customer, number: i64, new: &NewRating) -> Result<(), Error> {
    const ANSWERS: &str = "SELECT COUNT(*) FROM messages WHERE request_id = $1 AND author = 'staff' AND NOT internal \
                           AND at >= $2";
    const FIRST: &str = "INSERT INTO request_ratings (id, request_id, score, comment, at, changed_at) \
                         VALUES ($1, $2, $3, $4, $5, $5)";
    const AGAIN: &str = "UPDATE request_ratings SET score = $2, comment = $3, changed_at = $4 WHERE id = $1";
    let mut check = Check::new();
    let score = check.field("score", new.score());
    let comment = check.field("comment", new.comment());
    let (Some(score), Some(comment)) = (score, comment) else {
        return Err(Error::Invalid(check.flaws()));
    };
    let comment = &comment;
    db.write(|tx| {
        scoped(async move {
            let held = Held::by_number(tx, number, Some(by.id())).await?;
            let answers: i64 = on!(tx, |c| sqlx::query_scalar(ANSWERS)
                .bind(held.id)
                .bind(held.since)
                .fetch_one(c)
                .await)?;
            if held.status != Status::Closed && answers == 0 {
                return Err(Error::Stale);
            }
            // After it was opened, even within a microsecond: that tells what it is about.
            let at = tx.now().max(held.since + TimeDelta::microseconds(1));
            match ratings(tx, held.id, held.since).await?.pop() {
                None => on!(tx, |c| sqlx::query(FIRST)
                    .bind(RatingId::new())
                    .bind(held.id)
                    .bind(score)
                    .bind(comment)
                    .bind(at)
                    .execute(c)
                    .await
                    .map(drop))?,
                Some(before) if before.may_change(at) => on!(tx, |c| sqlx::query(AGAIN)
                    .bind(before.id)
                    .bind(score)
                    .bind(comment)
                    .bind(at)
                    .execute(c)
                    .await
                    .map(drop))?,
                Some(_) => return Err(Error::Stale),
            }
            by.record(tx, "request.rate", Some(held.id.0)).await?;
            Ok(())
        })
    })
    .await
}

async fn customer_step(db: &Db, by: &Customer, number: i64, step: Step) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            let held = Held::by_number(tx, number, Some(by.id())).await?;
            held.status.after(step).ok_or(Error::Stale)?;
            let (may_close, may_go_on) = queues::customer_may(tx, held.id, held.closed_at).await?;
            let is_allowed = if step == Step::CustomerCloses {
                may_close
            } else {
                may_go_on
            };
            if !is_allowed {
                return Err(Error::Forbidden);
            }
            held.step(tx, step).await?;
            by.record(tx, action(step), Some(held.id.0)).await?;
            Ok(live::note(tx, held.id, live::Kind::Said).await?)
        })
    })
    .await
}

// The staff's side ----------------------------------------------------------------------------------------------------

macro_rules! queue {
    ($place:expr) => {
        concat!(
            "SELECT r.id, r.number, c.name, c.surname, t.name AS topic, COALESCE((SELECT SUBSTR(m.body, 1, 160) \
             FROM messages m WHERE m.request_id = r.id ORDER BY m.at, m.id LIMIT 1), '') AS beginning, r.status, \
             s.name AS assignee, r.created_at, r.updated_at, r.waiting_since, r.priority, r.urgency, r.due_at, \
             COALESCE((SELECT string_agg(g.tag, ', ' ORDER BY g.tag) FROM request_tags g WHERE g.request_id = r.id), '') AS tags, ",
            $place,
            " AS place FROM requests r JOIN customers c ON c.id = r.customer_id JOIN topics t ON t.id = r.topic_id \
             LEFT JOIN staff s ON s.id = r.assignee_id"
        )
    };
}

/// Requests for staff to work on; those after `after`, a cursor of a row of the same order. Written into the audit log.
pub async fn queue(
    db: &Db,
    by: &Staff,
    filter: &Filter,
    sort: Sort,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Row>, Error> {
    by.may(Right::Requests)?;
    if !filter.text.is_empty() {
        // What was said a moment ago is to be found, too.
        index::refresh(db, index::BEFORE_A_SEARCH).await?;
    }
    let (select, keyset, tail) = match sort {
        Sort::Waiting => (
            queue!("r.waits_from"),
            "(r.waits_from, r.id) > (?, ?)",
            "ORDER BY r.waits_from, r.id",
        ),
        Sort::Newest => (
            queue!("r.created_at"),
            "(r.created_at, r.id) < (?, ?)",
            "ORDER BY r.created_at DESC, r.id DESC",
        ),
        Sort::Updated => (
            queue!("r.updated_at"),
            "(r.updated_at, r.id) < (?, ?)",
            "ORDER BY r.updated_at DESC, r.id DESC",
        ),
        Sort::Due => (
            queue!("r.due_from"),
            "(r.due_from, r.id) > (?, ?)",
            "ORDER BY r.due_from, r.id",
        ),
        Sort::Priority => (
            queue!("r.waits_from"),
            "(r.urgency, r.waits_from, r.id) > (?, ?, ?)",
            "ORDER BY r.urgency, r.waits_from, r.id",
        ),
    };
    let mut conn = db.read().await?;
    let mut query = narrowed(ListQuery::new(select), by, filter, &conn);
    if let Some(after) = after {
        let place = [Bind::Time(after.at), Bind::Id(after.id.0)];
        query = match sort {
            Sort::Priority => query.filter(keyset, std::iter::once(Bind::Int(after.urgency)).chain(place)),
            _ => query.filter(keyset, place),
        };
    }
    let rows: Vec<Row> = db::list(&mut conn, query.tail(tail).limit(limit)).await?;
    drop(conn);
    let reason = &format!("{} shown{}", rows.len(), told(filter));
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "request.queue", None, None, reason).await?) }))
        .await?;
    Ok(rows)
}

/// What a filter narrows to, as the log tells it: ids and codes, and of what is looked for that there are words.
fn told(filter: &Filter) -> String {
    let assignee = match filter.assignee {
        Assignee::Anyone => None,
        Assignee::Me => Some("assignee me".to_owned()),
        Assignee::Nobody => Some("assignee nobody".to_owned()),
        Assignee::Of(id) => Some(format!("assignee {id}")),
    };
    let parts = [
        filter.status.map(|status| format!("status {}", status.code())),
        (filter.unclosed && !filter.overdue).then(|| "status unclosed".to_owned()),
        filter.overdue.then(|| "status overdue".to_owned()),
        assignee,
        filter.topic.map(|id| format!("topic {id}")),
        filter.queue.map(|id| format!("queue {id}")),
        (!filter.tag.is_empty()).then(|| format!("tag {}", filter.tag)),
        filter.priority.map(|priority| format!("priority {}", priority.code())),
        (!filter.text.is_empty()).then(|| "find words".to_owned()),
    ];
    parts.into_iter().flatten().map(|part| format!(", {part}")).collect()
}

/// A query over requests, called `r`, narrowed to what a filter lets through.
fn narrowed(mut query: ListQuery, by: &Staff, filter: &Filter, conn: &Conn) -> ListQuery {
    if let Some(status) = filter.status {
        let condition = match status {
            Status::New => "r.status = 'new'",
            Status::Open => "r.status = 'open'",
            Status::Waiting => "r.status = 'waiting'",
            Status::Closed => "r.status = 'closed'",
        };
        query = query.filter(condition, []);
    }
    // In the words of the indexes that hold nothing else.
    if filter.is_unclosed() {
        query = query.filter("r.status <> 'closed'", []);
    }
    if filter.overdue {
        query = query.filter("r.due_from < ?", [Bind::Time(conn.now())]);
    }
    query = match filter.assignee {
        Assignee::Anyone => query,
        Assignee::Me => query.filter("r.assignee_id = ?", [Bind::Id(by.id().0)]),
        Assignee::Nobody => query.filter("r.assignee_id IS NULL", []),
        Assignee::Of(staff) => query.filter("r.assignee_id = ?", [Bind::Id(staff.0)]),
    };
    // One that went into another one is that one, and closed; it is found by what was said in it all the same.
    if filter.text.trim().is_empty() && !filter.is_unclosed() {
        query = query.filter("r.merged_into IS NULL", []);
    }
    if let Some(topic) = filter.topic {
        query = query.filter(
            "r.topic_id IN (SELECT id FROM topics WHERE id = ? OR parent_id = ?)",
            [Bind::Id(topic.0), Bind::Id(topic.0)],
        );
    }
    if let Some(queue) = filter.queue {
        query = query.filter("r.queue_id = ?", [Bind::Id(queue.0)]);
    }
    if !filter.tag.is_empty() {
        // Of what is not closed there is little, so it is looked at one by one; else what has the tag is.
        let condition = match filter.is_unclosed() {
            true => "EXISTS (SELECT 1 FROM request_tags g WHERE g.request_id = r.id AND g.tag = ?)",
            false => "r.id IN (SELECT request_id FROM request_tags WHERE tag = ?)",
        };
        query = query.filter(condition, [Bind::Text(filter.tag.clone())]);
    }
    if let Some(priority) = filter.priority {
        query = query.filter("r.priority = ?", [Bind::Word(priority.code())]);
    }
    index::narrow(query, filter, conn)
}

/// How many requests each tab of the queue holds.
pub async fn counts(conn: &mut Conn, by: &Staff) -> Result<Counts, Error> {
    by.may(Right::Requests)?;
    const SQL: &str = "SELECT COUNT(*) FILTER (WHERE assignee_id = $1) AS mine, \
                       COUNT(*) FILTER (WHERE assignee_id IS NULL) AS unassigned, \
                       COUNT(*) FILTER (WHERE status = 'new') AS new, COUNT(*) FILTER (WHERE status = 'open') AS open, \
                       COUNT(*) FILTER (WHERE status = 'waiting') AS waiting, \
                       COUNT(*) FILTER (WHERE due_at < $2) AS overdue FROM requests WHERE status <> 'closed'";
    let now = conn.now();
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(by.id())
        .bind(now)
        .fetch_one(c)
        .await)?)
}

/// Opens a request with its notes, and its customer's data with it; both are written into the audit log. For one that went into
/// another one, that one is opened.
pub async fn open(db: &Db, by: &Staff, number: i64) -> Result<(Subject, StaffThread), Error> {
    by.may(Right::Requests)?;
    #[derive(sqlx::FromRow)]
    struct Head {
        id: RequestId,
        number: i64,
        customer_id: CustomerId,
        name: String,
        surname: String,
        #[sqlx(json)]
        topic: Localized,
        status: Status,
        assignee_id: Option<StaffId>,
        assignee_name: Option<String>,
        language: Lang,
        purchase_id: Option<PurchaseId>,
        about: Option<String>,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
        waiting_since: Option<DateTime<Utc>>,
        answered_at: Option<DateTime<Utc>>,
        closed_at: Option<DateTime<Utc>>,
    }
    const HEAD: &str = "SELECT r.id, r.number, r.customer_id, c.name, c.surname, t.name AS topic, r.status, r.assignee_id, \
                        s.name AS assignee_name, r.language, r.purchase_id, r.about, r.created_at, r.updated_at, r.waiting_since, \
                        r.answered_at, r.closed_at FROM requests r JOIN customers c ON c.id = r.customer_id \
                        JOIN topics t ON t.id = r.topic_id LEFT JOIN staff s ON s.id = r.assignee_id \
                        WHERE r.id = (SELECT COALESCE(m.merged_into, m.id) FROM requests m WHERE m.number = $1)";
    const MESSAGES: &str = concat!(
        "SELECT m.id, r.number, m.author, s.name AS staff, m.internal, m.body, m.at, m.way, m.interaction_id AS talk \
         FROM messages m JOIN requests r ON r.id = m.request_id LEFT JOIN staff s ON s.id = m.staff_id WHERE m.request_id IN ",
        together!(),
        " ORDER BY m.at, m.id"
    );
    db.write(|tx| {
        scoped(async move {
            let head: Option<Head> = on!(tx, |c| sqlx::query_as(HEAD).bind(number).fetch_optional(c).await)?;
            let head = head.ok_or(Error::NotFound)?;
            let subject = by.open_in(tx, head.customer_id, Reason::Request).await?;
            by.record(
                tx,
                "request.read",
                Some(head.customer_id),
                Some(head.id.0),
                Reason::Request.as_str(),
            )
            .await?;
            let mut messages: Vec<StaffMessage> =
                on!(tx, |c| sqlx::query_as(MESSAGES).bind(head.id).fetch_all(c).await)?;
            let files = files_of(tx, head.id).await?;
            for message in &mut messages {
                message.files = files_with(&files, message.id);
            }
            let ratings = ratings(tx, head.id, head.created_at).await?;
            let thread = StaffThread {
                id: head.id,
                number: head.number,
                customer: head.customer_id,
                name: head.name,
                surname: head.surname,
                topic: head.topic,
                status: head.status,
                assignee: head.assignee_id,
                assignee_name: head.assignee_name,
                language: head.language,
                purchase: head.purchase_id,
                about: head.about.and_then(|about| about.parse().ok()),
                created_at: head.created_at,
                updated_at: head.updated_at,
                waiting_since: head.waiting_since,
                answered_at: head.answered_at,
                closed_at: head.closed_at,
                messages,
                ratings,
            };
            Ok((subject, thread))
        })
    })
    .await
}

/// A file of a request as staff read it: by a right of its own, and written into the audit log.
pub async fn staff_file(db: &Db, by: &Staff, number: i64, id: AttachmentId) -> Result<(Attachment, Vec<u8>), Error> {
    by.may(Right::Requests)?;
    by.may(Right::Documents)?;
    const OF: &str = "SELECT id, customer_id FROM requests WHERE number = $1";
    db.write(|tx| {
        scoped(async move {
            let of: Option<(RequestId, CustomerId)> =
                on!(tx, |c| sqlx::query_as(OF).bind(number).fetch_optional(c).await)?;
            let (request, customer) = of.ok_or(Error::NotFound)?;
            let found = read(tx, number, id, Files::WithNotes).await?;
            by.record(
                tx,
                "attachment.read",
                Some(customer),
                Some(request.0),
                Reason::Request.as_str(),
            )
            .await?;
            Ok(found)
        })
    })
    .await
}

/// Answers the customer, who gets an e-mail that says so where there is an address. Whoever answers a request that is
/// nobody's works on it from then on. `seen` is the `updated_at` of the thread that was read: fails with
/// [`Error::Stale`] when the request has moved on since, with flaws at `text` and `files`, and with [`Error::Forbidden`] where
/// the request is closed and not theirs to open again.
pub async fn staff_answer(
    db: &Db,
    by: &Staff,
    number: i64,
    raw: &str,
    files: &[Upload],
    seen: DateTime<Utc>,
) -> Result<(), Error> {
    by.may(Right::Requests)?;
    let (body, files) = &said(raw, files, db)?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::by_number(tx, number, None).await?;
            if held.updated_at != seen {
                return Err(Error::Stale);
            }
            if !queues::may_answer(tx, by, &held).await? {
                return Err(Error::Forbidden);
            }
            let at = held.moment(tx);
            let message = say(tx, held.id, Some(by.id()), false, body, at).await?;
            attach(tx, message, files, at).await?;
            let assignee = Some(held.assignee_id.unwrap_or(by.id()));
            held.take(
                tx,
                at,
                Change {
                    step: Step::StaffAnswers,
                    assignee,
                    answered: true,
                },
            )
            .await?;
            tell(tx, held.customer_id, held.number).await?;
            draft::forget(tx, by, held.id, Draft::Answer).await?;
            audit(tx, by, Step::StaffAnswers, &held).await?;
            Ok(live::note(tx, held.id, live::Kind::Answered).await?)
        })
    })
    .await
}

/// Writes to a customer who asked nothing: a request that begins with the words of the shop, waits for theirs, and is worked on by
/// whoever wrote; its number. It is answered in the moment in which it begins: nobody waited for that. Fails with flaws at `topic` and `text`, with [`Error::NotFound`] for nobody, and with
/// [`Error::Stale`] where the account is no more.
pub async fn write_to(db: &Db, by: &Staff, customer: CustomerId, topic: &str, raw: &str) -> Result<i64, Error> {
    const UNSEEN: &str = "UPDATE requests SET customer_seen_at = $2 WHERE id = $1";
    by.may(Right::Requests)?;
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, customer, Reason::Card).await?;
            // As where a caller's words are taken down.
            customers::hold(tx, customer).await?;
            customers::is_alive(tx, customer).await?;
            let mut check = Check::new();
            let topic = open_topic(tx, topic).await?;
            let topic = check.field("topic", topic);
            let body = check.field("text", text(raw));
            let (Some(topic), Some(body)) = (topic, body) else {
                return Err(Error::Invalid(check.flaws()));
            };
            let at = tx.now();
            let begun = Begun {
                customer,
                topic,
                purchase: None,
                about: None,
                language: language_of(tx, customer).await?,
                at,
            };
            let (id, number) = begin(tx, begun).await?;
            tx.happened(Cause::Opened(id));
            on!(tx, |c| sqlx::query(UNSEEN)
                .bind(id)
                .bind(at - TimeDelta::microseconds(1))
                .execute(c)
                .await
                .map(drop))?;
            let held = Held::by_number(tx, number, None).await?;
            say(tx, id, Some(by.id()), false, &body, at).await?;
            let change = Change {
                step: Step::StaffAnswers,
                assignee: Some(by.id()),
                answered: true,
            };
            held.take(tx, at, change).await?;
            tell_begun(tx, customer, topic, number).await?;
            by.record(
                tx,
                "request.begin",
                Some(customer),
                Some(id.0),
                Reason::Request.as_str(),
            )
            .await?;
            live::note(tx, id, live::Kind::Answered).await?;
            Ok(number)
        })
    })
    .await
}

/// Writes down in the words of a customer what they said on the phone or in a shop; the number of the request. From then on it is
/// one that they wrote themselves: it waits, is promised an answer and is given to whoever answers, and they are told that it is
/// there. Fails with flaws at `topic`, `text`, `purchase` and `channel`, with [`Error::NotFound`] for nobody and for a talk with
/// somebody else, and with [`Error::Stale`] where the account is no more.
pub async fn take_down(db: &Db, by: &Staff, customer: CustomerId, new: &TakenDown) -> Result<i64, Error> {
    by.may(Right::Requests)?;
    db.write(|tx| {
        scoped(async move {
            let subject = by.open_in(tx, customer, Reason::Card).await?;
            // Of this and a merge or an erasure at the same moment one sees what the other did.
            customers::hold(tx, customer).await?;
            customers::is_alive(tx, customer).await?;
            if let Some(talk) = new.talk {
                interactions::get(tx, subject, talk).await?;
            }
            let mut check = Check::new();
            let topic = open_topic(tx, &new.request.topic).await?;
            let topic = check.field("topic", topic);
            let body = check.field("text", text(&new.request.text));
            let purchase = own_purchase(tx, subject, &new.request.purchase).await?;
            let purchase = check.field("purchase", purchase);
            let way = check.field("channel", Way::from_code(&new.channel).ok_or(Flaw::NotAChoice));
            let (Some(topic), Some(body), Some(purchase), Some(way)) = (topic, body, purchase, way) else {
                return Err(Error::Invalid(check.flaws()));
            };
            let begun = Begun {
                customer,
                topic,
                purchase,
                about: None,
                language: language_of(tx, customer).await?,
                at: tx.now(),
            };
            let taken = Taken {
                by: by.id(),
                way,
                talk: new.talk,
            };
            let first = First {
                body: &body,
                files: &[],
                note: None,
                taken: Some(taken),
            };
            let (id, number) = receive(tx, begun, first).await?;
            by.record(tx, "request.take_down", Some(customer), Some(id.0), way.code())
                .await?;
            tell_of(tx, customer, number, Kind::Taken, "request_taken").await?;
            give_out(tx, id).await?;
            // What came in of themselves customers are not told of; of this their bell is to ring.
            live::note(tx, id, live::Kind::Answered).await?;
            Ok(number)
        })
    })
    .await
}

/// The requests that were written down from a talk of a customer, from what it corrects or from what corrects it: their numbers, and
/// what they are about.
pub async fn of_talk(conn: &mut Conn, of: Subject, talk: InteractionId) -> Result<Vec<(i64, Localized)>, Error> {
    // One talk is all entries that correct each other.
    const SQL: &str = "WITH RECURSIVE same (id) AS (SELECT i.id FROM interactions i WHERE i.id = $1 \
                       UNION SELECT o.id FROM same s JOIN interactions i ON i.id = s.id \
                       JOIN interactions o ON o.id = i.corrects_id OR o.corrects_id = i.id) \
                       SELECT r.number, t.name FROM messages m JOIN requests r ON r.id = m.request_id \
                       JOIN topics t ON t.id = r.topic_id WHERE m.interaction_id IN (SELECT id FROM same) \
                       AND r.customer_id = $2 ORDER BY r.number";
    let found: Vec<(i64, Json<Localized>)> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(talk)
        .bind(of.id())
        .fetch_all(c)
        .await)?;
    Ok(found.into_iter().map(|(number, Json(topic))| (number, topic)).collect())
}

async fn language_of(conn: &mut Conn, customer: CustomerId) -> Result<Lang, sqlx::Error> {
    const SQL: &str = "SELECT language FROM customers WHERE id = $1";
    on!(conn, |c| sqlx::query_scalar(SQL).bind(customer).fetch_one(c).await)
}

/// Tells a customer, in the cabinet and where there is an e-mail address that is proved, that there is an answer; what it says
/// stays behind the sign-in.
pub(super) async fn tell(tx: &mut Tx, customer: CustomerId, number: i64) -> Result<(), Error> {
    tell_of(tx, customer, number, Kind::Answer, "request_answered").await
}

async fn tell_of(
    tx: &mut Tx,
    customer: CustomerId,
    number: i64,
    kind: Kind,
    template: &'static str,
) -> Result<(), Error> {
    let number = number.to_string();
    notification::add(tx, customer, kind, &number, None).await?;
    let values = |_| vec![("number", number)];
    Ok(notification::write(tx, customer, template, false, values).await?)
}

/// The same of a request that the shop began: by the name of its topic the cabinet tells it from an answer.
async fn tell_begun(tx: &mut Tx, customer: CustomerId, topic: TopicId, number: i64) -> Result<(), Error> {
    let about = topics(tx).await?.into_iter().find(|one| one.id == topic);
    let number = number.to_string();
    let new = notification::New {
        kind: Kind::Answer,
        about: &number,
        name: about.as_ref().map(|topic| &topic.name),
        points: None,
        transfer: None,
        key: format!("begun {number}"),
    };
    notification::put(tx, customer, new).await?;
    let values = |_| vec![("number", number)];
    Ok(notification::write(tx, customer, "request_begun", false, values).await?)
}

pub(super) async fn audit(tx: &mut Tx, by: &Staff, step: Step, held: &Held) -> Result<(), Error> {
    Ok(by
        .record(
            tx,
            action(step),
            Some(held.customer_id),
            Some(held.id.0),
            Reason::Request.as_str(),
        )
        .await?)
}

/// Leaves a note for colleagues, with files. Nothing that the customer sees changes by it. Whom it names by `@login` is told of it.
/// Fails with flaws at `text` and `files`.
pub async fn note(db: &Db, by: &Staff, number: i64, raw: &str, files: &[Upload]) -> Result<(), Error> {
    by.may(Right::Requests)?;
    let (body, files) = &said(raw, files, db)?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::by_number(tx, number, None).await?;
            let named = mention::named(tx, body).await?;
            let at = held.moment(tx);
            let message = say(tx, held.id, Some(by.id()), true, body, at).await?;
            attach(tx, message, files, at).await?;
            let told = mention::tell(tx, by, &named, message, at).await?;
            draft::forget(tx, by, held.id, Draft::Note).await?;
            audit(tx, by, Step::StaffNotes, &held).await?;
            live::note(tx, held.id, live::Kind::Inside).await?;
            Ok(live::ring(tx, held.id, &told).await?)
        })
    })
    .await
}

/// Sets the status by hand; that it is closed the customer is told in the cabinet. `seen` as in [`staff_answer`]. Fails with a
/// flaw at `status` where it is no choice, and with [`Error::Forbidden`] where the queue does not allow it to them.
pub async fn set_status(db: &Db, by: &Staff, number: i64, to: Status, seen: DateTime<Utc>) -> Result<(), Error> {
    by.may(Right::Requests)?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::by_number(tx, number, None).await?;
            if held.updated_at != seen {
                return Err(Error::Stale);
            }
            let step = Step::StaffSets(to);
            held.status
                .after(step)
                .ok_or_else(|| Error::field("status", Flaw::NotAChoice))?;
            if !queues::may_set(tx, by, held.id, (held.status, to), held.assignee_id).await? {
                return Err(Error::Forbidden);
            }
            held.step(tx, step).await?;
            if to == Status::Closed {
                let (customer, about) = (held.customer_id, held.number.to_string());
                notification::add(tx, customer, Kind::Closed, &about, None).await?;
            }
            audit(tx, by, step, &held).await?;
            Ok(live::note(tx, held.id, live::Kind::Answered).await?)
        })
    })
    .await
}

/// Takes a request, from a colleague too, who is told; a new one is open then. `from` is whose it was when it was read: fails with
/// [`Error::Stale`] when it is somebody else's by now, so that of two who take it at once one does, and with
/// [`Error::Forbidden`] where others work in its queue.
pub async fn assign_to_me(db: &Db, by: &Staff, number: i64, from: Option<StaffId>) -> Result<(), Error> {
    assign(db, by, number, Step::StaffTakes, [from, Some(by.id())]).await
}

/// Hands a request back: it is nobody's then. `from` as in [`assign_to_me`].
pub async fn unassign(db: &Db, by: &Staff, number: i64, from: Option<StaffId>) -> Result<(), Error> {
    assign(db, by, number, Step::StaffReleases, [from, None]).await
}

async fn assign(
    db: &Db,
    by: &Staff,
    number: i64,
    step: Step,
    [from, assignee]: [Option<StaffId>; 2],
) -> Result<(), Error> {
    by.may(Right::Requests)?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::by_number(tx, number, None).await?;
            if held.assignee_id != from {
                return Err(Error::Stale);
            }
            if let Some(to) = assignee
                && !queues::may_be_given(tx, by, held.id, to).await?
            {
                return Err(Error::Forbidden);
            }
            let at = held.moment(tx);
            held.take(
                tx,
                at,
                Change {
                    step,
                    assignee,
                    answered: false,
                },
            )
            .await?;
            audit(tx, by, step, &held).await?;
            let lost = from.filter(|from| *from != by.id());
            if let Some(staff) = lost {
                levels::take(tx, held.id, staff).await?;
            }
            live::note(tx, held.id, live::Kind::Inside).await?;
            Ok(live::ring(tx, held.id, lost.as_slice()).await?)
        })
    })
    .await
}

// What happened elsewhere ---------------------------------------------------------------------------------------------

/// A request that was written and answered before, or is made up.
#[derive(Clone, Debug)]
pub struct Past {
    /// Whose it is.
    pub customer: CustomerId,
    /// The topic's code.
    pub topic: String,
    /// The receipt it is about.
    pub purchase: Option<PurchaseId>,
    /// The language it was written in.
    pub language: Lang,
    /// Whose turn it is.
    pub status: Status,
    /// Who works on it.
    pub assignee: Option<StaffId>,
    /// The customer has seen every answer.
    pub seen: bool,
    /// What was said, oldest first; the first one is the customer's.
    pub messages: Vec<PastMessage>,
}

/// A message of a [`Past`] request.
#[derive(Clone, Debug)]
pub struct PastMessage {
    /// Who wrote it; none: the customer.
    pub staff: Option<StaffId>,
    /// A note between staff.
    pub internal: bool,
    /// What they wrote.
    pub body: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Writes down a request with its history; its number. Its clocks go as they would have gone by the service levels of now. Fails with
/// [`Error::NotFound`] where the topic is unknown, and with a flaw at `messages` where there is none.
pub async fn put(tx: &mut Tx, _by: &System, past: &Past) -> Result<i64, Error> {
    const TOPIC: &str = "SELECT id FROM topics WHERE code = $1";
    const ASKED: &str =
        "UPDATE requests SET status = 'open', waiting_since = COALESCE(waiting_since, $2) WHERE id = $1";
    const ANSWERED: &str = "UPDATE requests SET status = 'waiting', waiting_since = NULL, \
                            answered_at = COALESCE(answered_at, $2) WHERE id = $1";
    const SQL: &str = "UPDATE requests SET status = $2, assignee_id = $3, updated_at = $4, waiting_since = $5, \
                       answered_at = $6, closed_at = $7, customer_seen_at = $8 WHERE id = $1";
    let topic: Option<TopicId> = on!(tx, |c| sqlx::query_scalar(TOPIC)
        .bind(&past.topic)
        .fetch_optional(c)
        .await)?;
    let topic = topic.ok_or(Error::NotFound)?;
    let spoken = || past.messages.iter().filter(|message| !message.internal);
    let (Some(first), Some(last)) = (spoken().next(), spoken().next_back()) else {
        return Err(Error::field("messages", Flaw::Missing));
    };
    let Past {
        customer,
        purchase,
        language,
        ..
    } = *past;
    let (id, number) = begin(
        tx,
        Begun {
            customer,
            topic,
            purchase,
            about: None,
            language,
            at: first.at,
        },
    )
    .await?;
    for message in &past.messages {
        say(tx, id, message.staff, message.internal, &message.body, message.at).await?;
        if message.internal {
            continue;
        }
        let turn = if message.staff.is_some() { ANSWERED } else { ASKED };
        on!(tx, |c| sqlx::query(turn)
            .bind(id)
            .bind(message.at)
            .execute(c)
            .await
            .map(drop))?;
        levels::follow(tx, id, message.at, message.staff.is_some()).await?;
    }
    let answered_at = spoken()
        .find(|message| message.staff.is_some())
        .map(|message| message.at);
    let owed = spoken()
        .rev()
        .take_while(|message| message.staff.is_none())
        .last()
        .unwrap_or(last);
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(past.status)
        .bind(past.assignee)
        .bind(last.at)
        .bind(past.status.is_waiting_for_staff().then_some(owed.at))
        .bind(answered_at)
        .bind((past.status == Status::Closed).then_some(last.at))
        .bind(if past.seen { last.at } else { first.at })
        .execute(c)
        .await
        .map(drop))?;
    if past.status == Status::Closed {
        note_step(tx, id, CLOSED, last.at).await?;
    }
    levels::follow(tx, id, last.at, false).await?;
    Ok(number)
}

/// Whether anybody ever wrote.
pub async fn exist(conn: &mut Conn, _by: &System) -> Result<bool, Error> {
    let found: i64 = on!(conn, |c| sqlx::query_scalar("SELECT COUNT(*) FROM requests")
        .fetch_one(c)
        .await)?;
    Ok(found > 0)
}
