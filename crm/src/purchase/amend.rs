//! What staff do with a receipt that was wrong and that its till does not put right: a return that the till did not send, or a void of
//! the whole. Lines and sums are those of the till, and nobody edits them (why so: `docs/decisions/0055-receipts-are-not-edited.md`).
//!
//! [`preview`] does it and lets the database undo it, so that it tells what [`amend`] does. Beyond the points that somebody may give or
//! take alone ([`adjustments::allowance`]) it waits until a colleague consents ([`approve`]); by then it may come to something else.

use super::store as purchases;
use super::void::{VoidError, void_in};
use super::{Kind, NewLine, NewPurchase, Original, Way};
use crate::customer::store as customers;
use crate::db::{self, AsDatabaseError, Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::factor::Owner;
use crate::factor::store::hold as hold_owner;
use crate::flaw;
use crate::id::{ArticleId, CustomerId, ProgramId, PurchaseId, ReceiptCorrectionId, StaffId, StoreId};
use crate::lang::{Lang, Localized};
use crate::notification;
use crate::on;
use crate::points::store::{self as points, adjustments};
use crate::points::{Balance, Before, written};
use crate::staff::Right;
use crate::staff::approval::{self, Step, What};
use crate::staff::store::REASON_MAX;
use crate::who::{Fresh, Reason, Staff, Subject, System};
use chrono::{DateTime, Utc};
use std::convert::Infallible;
use uuid::Uuid;

/// How a receipt is put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Of these lines, by their places, so many pieces came back.
    Return(Vec<(i64, i64)>),
    /// It was a mistake as a whole.
    Void,
}

impl Act {
    /// As it is stored, and as pages name it: `void`, or `1:2,3:1`.
    pub fn word(&self) -> String {
        match self {
            Self::Void => "void".to_owned(),
            Self::Return(pieces) => {
                let pieces: Vec<_> = pieces.iter().map(|(place, many)| format!("{place}:{many}")).collect();
                pieces.join(",")
            }
        }
    }

    /// From such a word. Each line stands there once, with one piece at least.
    pub fn from_word(word: &str) -> Option<Self> {
        if word == "void" {
            return Some(Self::Void);
        }
        let piece = |part: &str| {
            let (place, many) = part.split_once(':')?;
            Some((place.parse().ok()?, many.parse().ok().filter(|many: &i64| *many > 0)?))
        };
        let pieces: Option<Vec<(i64, i64)>> = word.split(',').map(piece).collect();
        let pieces = pieces?;
        let is_once = pieces
            .windows(2)
            .all(|two| matches!(two, [(one, _), (other, _)] if one < other));
        is_once.then_some(Self::Return(pieces))
    }
}

/// What it changes in one program, in hundredths of points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The program.
    pub program: ProgramId,
    /// Its name.
    pub name: Localized,
    /// Of what can be spent.
    pub active: i64,
    /// Of what waits for its day.
    pub pending: i64,
}

/// What it changes in the points of whose the receipt is, program by program where anything changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect(pub Vec<Change>);

impl Effect {
    pub(super) fn between(before: &Balance, after: &Balance) -> Self {
        let changes = after.programs.iter().map(|after| {
            let before = before.programs.iter().find(|before| before.program == after.program);
            let (active, pending) = before.map_or((0, 0), |before| (before.active, before.pending));
            Change {
                program: after.program,
                name: after.name.clone(),
                active: after.active - active,
                pending: after.pending - pending,
            }
        });
        Self(
            changes
                .filter(|change| (change.active, change.pending) != (0, 0))
                .collect(),
        )
    }

    /// How many points come or go by it.
    pub fn moved(&self) -> i64 {
        self.0.iter().map(|one| one.active.abs() + one.pending.abs()).sum()
    }

    /// What the customer has more by it; below zero less.
    pub fn total(&self) -> i64 {
        self.0.iter().map(|one| one.active + one.pending).sum()
    }

    /// The same in a word, by which it is known again.
    pub fn word(&self) -> String {
        let word = |one: &Change| format!("{}:{}:{}", one.program, one.active, one.pending);
        self.0.iter().map(word).collect::<Vec<_>>().join(",")
    }
}

/// What became of a correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum State {
    /// A colleague has to consent.
    Awaiting,
    /// It is in the books.
    Booked,
    /// A colleague did not consent, or its customer was erased.
    Refused,
}

/// A correction of a receipt, as its page tells it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Correction {
    /// Its id.
    pub id: ReceiptCorrectionId,
    /// What is done, as [`Act::word`] says it.
    pub act: String,
    /// Why.
    pub reason: String,
    /// What became of it.
    pub state: State,
    /// The name of who asked for it.
    pub colleague: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// A correction that waits for consent.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Waiting {
    /// The correction.
    #[sqlx(flatten)]
    pub correction: Correction,
    /// Who asked for it.
    pub asked_by: StaffId,
    /// How many points come or go by it, as far as was known when it was asked for.
    pub points: i64,
    /// The receipt.
    pub purchase_id: PurchaseId,
    /// Its number.
    pub document: String,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// Their name.
    pub name: String,
    /// Their surname.
    pub surname: String,
}

/// What was tried, and is undone with its transaction.
enum Tried {
    /// It can be done, and comes to this.
    Undone(Effect),
    /// It cannot.
    Failed(VoidError),
}

impl From<VoidError> for Tried {
    fn from(e: VoidError) -> Self {
        Self::Failed(e)
    }
}

impl From<Error> for Tried {
    fn from(e: Error) -> Self {
        Self::Failed(e.into())
    }
}

impl From<sqlx::Error> for Tried {
    fn from(e: sqlx::Error) -> Self {
        Self::Failed(e.into())
    }
}

impl From<db::Error> for Tried {
    fn from(e: db::Error) -> Self {
        Self::Failed(e.into())
    }
}

impl AsDatabaseError for Tried {
    fn database(&self) -> Option<&db::Error> {
        match self {
            Self::Undone(_) => None,
            Self::Failed(e) => e.database(),
        }
    }
    fn repeated() -> Self {
        Self::Failed(VoidError::repeated())
    }
}

/// What it would come to. [`VoidError::Returned`] and [`VoidError::NotEnough`] as with a void; [`Error::Stale`] for a receipt that is
/// void already, for more pieces than are left of a line, for a return that brings back what somebody else bought, and for an account
/// that is nobody's any more.
pub async fn preview(db: &Db, by: &Staff, receipt: (CustomerId, PurchaseId), act: &Act) -> Result<Effect, VoidError> {
    by.may(Right::Purchases)?;
    let tried: Result<Infallible, Tried> = db
        .write(|tx| {
            scoped(async move {
                let (effect, _) = put_right(tx, receipt, act).await?;
                Err(Tried::Undone(effect))
            })
        })
        .await;
    match tried {
        Err(Tried::Undone(effect)) => Ok(effect),
        Err(Tried::Failed(e)) => Err(e),
    }
}

/// Puts a receipt right, or asks a colleague to consent where more points come or go by it than somebody may give or take alone. `seen`
/// is what the preview said, in a word: [`Error::Stale`] where it comes to something else by now, and where something waits for consent
/// already. Field: `reason`, which is written down and told to the customer. Otherwise it fails as [`preview`] does.
pub async fn amend(
    db: &Db,
    by: &Fresh<'_, Staff>,
    receipt: (CustomerId, PurchaseId),
    act: &Act,
    seen: &str,
    reason: &str,
) -> Result<State, VoidError> {
    const WAITS: &str = "SELECT COUNT(*) FROM receipt_corrections WHERE purchase_id = $1 AND state = 'awaiting'";
    by.may(Right::Purchases)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    let tried: Result<(), Tried> = db
        .write(|tx| {
            scoped(async move {
                // Two corrections at once are counted one after the other.
                hold_owner(tx, Owner::Staff(by.id())).await?;
                by.open_in(tx, receipt.0, Reason::Card).await?;
                let (effect, document) = put_right(tx, receipt, act).await?;
                let waits: i64 = on!(tx, |c| sqlx::query_scalar(WAITS).bind(receipt.1).fetch_one(c).await)?;
                if waits > 0 || effect.word() != seen {
                    return Err(Error::Stale.into());
                }
                if effect.moved() > adjustments::allowance(tx, by).await?.now() {
                    return Err(Tried::Undone(effect));
                }
                let id = note(tx, by, receipt.1, act, (&effect, reason), State::Booked).await?;
                let action = match act {
                    Act::Return(_) => "purchase.return",
                    Act::Void => "purchase.void",
                };
                by.record(tx, action, Some(receipt.0), Some(receipt.1.0), &told(act, reason))
                    .await?;
                tell(tx, receipt.0, (&document, id.0), effect.total(), reason).await?;
                Ok(())
            })
        })
        .await;
    let effect = &match tried {
        Ok(()) => return Ok(State::Booked),
        Err(Tried::Failed(e)) => return Err(e),
        Err(Tried::Undone(effect)) => effect,
    };
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, receipt.0, Reason::Card).await?;
            customers::hold(tx, receipt.0).await?;
            customers::is_alive(tx, receipt.0).await?;
            let id = note(tx, by, receipt.1, act, (effect, reason), State::Awaiting).await?;
            by.record(
                tx,
                "purchase.ask",
                Some(receipt.0),
                Some(receipt.1.0),
                &told(act, reason),
            )
            .await?;
            approval::ask(tx, by, What::Receipt(id), None).await?;
            Ok::<_, VoidError>(State::Awaiting)
        })
    })
    .await
}

/// The reason, and what is done.
fn told(act: &Act, reason: &str) -> String {
    match act {
        Act::Void => reason.to_owned(),
        Act::Return(_) => format!("{reason} ({})", act.word()),
    }
}

/// Writes a correction down. [`Error::Stale`] where one of the same receipt waits already.
async fn note(
    tx: &mut Tx,
    by: &Staff,
    purchase: PurchaseId,
    act: &Act,
    (effect, reason): (&Effect, &str),
    state: State,
) -> Result<ReceiptCorrectionId, Error> {
    const SQL: &str = "INSERT INTO receipt_corrections (id, purchase_id, act, points, reason, state, asked_by, created_at, \
                       decided_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
    let (id, now) = (ReceiptCorrectionId::new(), tx.now());
    let decided_at = (state != State::Awaiting).then_some(now);
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(purchase)
        .bind(act.word())
        .bind(effect.moved())
        .bind(reason)
        .bind(state)
        .bind(by.id())
        .bind(now)
        .bind(decided_at)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    match rows {
        0 => Err(Error::Stale),
        _ => Ok(id),
    }
}

#[derive(sqlx::FromRow)]
struct Head {
    source: String,
    document: String,
    kind: Kind,
    store_id: Option<StoreId>,
    is_voided: bool,
}

#[derive(sqlx::FromRow)]
struct LineRow {
    ordinal: i64,
    article_id: ArticleId,
    quantity: i64,
    price: i64,
    discount: i64,
    returned: i64,
}

/// Does it, and tells what it came to, and the number of the receipt.
async fn put_right(
    tx: &mut Tx,
    (customer, purchase): (CustomerId, PurchaseId),
    act: &Act,
) -> Result<(Effect, String), VoidError> {
    // Changes nothing: whoever else voids it, or brings something of it back, is done by then.
    const HEAD: &str = "UPDATE purchases SET total = total WHERE id = $1 AND customer_id = $2 \
                        RETURNING source, document, kind, store_id, voided_at IS NOT NULL AS is_voided";
    const LINES: &str = "UPDATE purchase_lines SET returned = returned WHERE purchase_id = $1 \
                         RETURNING ordinal, article_id, quantity, price, discount, returned";
    const OF_OTHERS: &str = "SELECT COUNT(*) FROM purchase_lines l JOIN purchase_lines o ON o.id = l.original_line_id \
                             JOIN purchases s ON s.id = o.purchase_id \
                             WHERE l.purchase_id = $1 AND (s.customer_id IS NULL OR s.customer_id <> $2)";
    let system = System::at_the_command_line();
    let head: Option<Head> = on!(tx, |c| sqlx::query_as(HEAD)
        .bind(purchase)
        .bind(customer)
        .fetch_optional(c)
        .await)?;
    let head = head.ok_or(Error::NotFound)?;
    let lines: Vec<LineRow> = on!(tx, |c| sqlx::query_as(LINES).bind(purchase).fetch_all(c).await)?;
    let before = settled(tx, customer).await?;
    let of_others: i64 = on!(tx, |c| sqlx::query_scalar(OF_OTHERS)
        .bind(purchase)
        .bind(customer)
        .fetch_one(c)
        .await)?;
    if head.is_voided || of_others > 0 {
        return Err(Error::Stale.into());
    }
    match act {
        Act::Void => {
            void_in(tx, &system, &head.source, &head.document).await?;
        }
        Act::Return(pieces) => bring_back(tx, &system, customer, &head, &lines, pieces).await?,
    }
    let after = points::balance(tx, system.subject(customer)).await?;
    Ok((Effect::between(&before, &after), head.document))
}

/// What somebody has before a receipt of theirs is corrected: what was due by now is no part of that. Nobody else moves their points
/// until the transaction ends.
pub(super) async fn settled(tx: &mut Tx, customer: CustomerId) -> Result<Balance, Error> {
    customers::hold(tx, customer).await?;
    customers::is_alive(tx, customer).await?;
    let now = tx.now();
    points::settle(tx, customer, now).await?;
    points::balance(tx, System::at_the_command_line().subject(customer)).await
}

/// Books what came back as a receipt of its own, as a till would.
async fn bring_back(
    tx: &mut Tx,
    system: &System,
    customer: CustomerId,
    head: &Head,
    sold: &[LineRow],
    pieces: &[(i64, i64)],
) -> Result<(), Error> {
    if head.kind != Kind::Sale {
        return Err(Error::Stale);
    }
    let mut lines = Vec::new();
    for (place, many) in pieces {
        let line = sold.iter().find(|line| line.ordinal == *place && line.quantity > 0);
        let line = line.filter(|line| (1..=line.quantity - line.returned).contains(many));
        let line = line.ok_or(Error::Stale)?;
        // Of a discount each part takes what the parts before have left of it, so that all of them come to the whole.
        let part = |many: i64| line.discount * many / line.quantity;
        lines.push(NewLine {
            ordinal: lines.len() as i64 + 1,
            article: line.article_id,
            quantity: -many,
            price: line.price,
            discount: part(line.returned) - part(line.returned + many),
            rule_discount: 0,
            original: Original::Line {
                document: head.document.clone(),
                ordinal: *place,
            },
        });
    }
    let new = NewPurchase {
        source: head.source.clone(),
        document: free_number(tx, head).await?,
        kind: Kind::Return,
        customer: Some(customer),
        store: head.store_id,
        at: tx.now(),
        way: Way::default(),
        points_used: 0,
        coupons: Vec::new(),
        lines,
    };
    purchases::book(tx, system, &[new]).await?;
    Ok(())
}

/// A number for a return of a receipt that has none of a till: that of the receipt and which one it is.
async fn free_number(tx: &mut Tx, head: &Head) -> Result<String, sqlx::Error> {
    const SQL: &str = "SELECT COUNT(*) FROM purchases WHERE source = $1 AND document = $2";
    let mut which = 1;
    loop {
        let number = format!("{}~{which}", head.document);
        let taken: i64 = on!(tx, |c| sqlx::query_scalar(SQL)
            .bind(&head.source)
            .bind(&number)
            .fetch_one(c)
            .await)?;
        if taken == 0 {
            return Ok(number);
        }
        which += 1;
    }
}

/// Tells the customer that their receipt was corrected, and why, in the cabinet where points changed, and by a message.
pub(super) async fn tell(
    tx: &mut Tx,
    customer: CustomerId,
    (document, id): (&str, Uuid),
    points: i64,
    reason: &str,
) -> Result<(), sqlx::Error> {
    if points != 0 {
        let new = notification::New {
            kind: notification::Kind::Correction,
            about: reason,
            name: None,
            points: Some(points),
            transfer: None,
            key: format!("receipt {id}"),
        };
        notification::put(tx, customer, new).await?;
    }
    let values = |lang: Lang| {
        let sign = if points > 0 { "+" } else { "" };
        let points = format!("{sign}{}", written(lang, points));
        vec![
            ("number", document.to_owned()),
            ("points", points),
            ("note", reason.to_owned()),
        ]
    };
    notification::write(tx, customer, "receipt_corrected", true, values).await
}

/// A correction that waits, for somebody who may decide on it. Nobody else decides until the transaction ends.
async fn awaiting_in(tx: &mut Tx, by: &Staff, id: ReceiptCorrectionId) -> Result<Waiting, Error> {
    const LOCK: &str = "UPDATE receipt_corrections SET state = state WHERE id = $1";
    by.may(Right::Points)?;
    on!(tx, |c| sqlx::query(LOCK).bind(id).execute(c).await.map(drop))?;
    let query = db::ListQuery::new(WAITING).filter("r.id = ?", [db::Bind::Id(id.0)]);
    let found: Option<Waiting> = db::list(tx, query).await?.pop();
    let row = found.ok_or(Error::NotFound)?;
    if row.correction.state != State::Awaiting {
        return Err(Error::Stale);
    }
    if row.asked_by == by.id() {
        return Err(Error::Forbidden);
    }
    Ok(row)
}

const WAITING: &str = "SELECT r.id, r.act, r.reason, r.state, s.name AS colleague, r.created_at, r.asked_by, r.points, \
                       r.purchase_id, p.document, c.id AS customer_id, c.name, c.surname FROM receipt_corrections r \
                       JOIN purchases p ON p.id = r.purchase_id JOIN customers c ON c.id = p.customer_id \
                       JOIN staff s ON s.id = r.asked_by";

/// Consents to a correction that somebody else asked for, and does it. One's own is [`Error::Forbidden`], one that was decided
/// [`Error::Stale`]. Otherwise it fails as [`preview`] does, and waits on.
pub async fn approve(db: &Db, by: &Fresh<'_, Staff>, id: ReceiptCorrectionId) -> Result<(), VoidError> {
    db.write(|tx| {
        scoped(async move {
            let row = awaiting_in(tx, by, id).await?;
            let act = Act::from_word(&row.correction.act).ok_or(Error::Stale)?;
            let (effect, document) = put_right(tx, (row.customer_id, row.purchase_id), &act).await?;
            decide(tx, by, id, State::Booked).await?;
            let reason = &row.correction.reason;
            by.record(
                tx,
                "purchase.approve",
                Some(row.customer_id),
                Some(row.purchase_id.0),
                &told(&act, reason),
            )
            .await?;
            tell(tx, row.customer_id, (&document, id.0), effect.total(), reason).await?;
            approval::over(tx, by, What::Receipt(id), Some((row.asked_by, Step::Approved))).await?;
            Ok::<_, VoidError>(())
        })
    })
    .await
}

/// Does not consent to a correction: the receipt stays as it is. Fails as [`approve`] does.
pub async fn refuse(db: &Db, by: &Staff, id: ReceiptCorrectionId) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            let row = awaiting_in(tx, by, id).await?;
            decide(tx, by, id, State::Refused).await?;
            let reason = &row.correction.reason;
            by.record(
                tx,
                "purchase.refuse",
                Some(row.customer_id),
                Some(row.purchase_id.0),
                reason,
            )
            .await?;
            let told = Some((row.asked_by, Step::Refused));
            Ok(approval::over(tx, by, What::Receipt(id), told).await?)
        })
    })
    .await
}

async fn decide(tx: &mut Tx, by: &Staff, id: ReceiptCorrectionId, state: State) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE receipt_corrections SET state = $2, decided_by = $3, decided_at = $4 WHERE id = $1";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(state)
        .bind(by.id())
        .bind(now)
        .execute(c)
        .await
        .map(drop))
}

/// A page of what waits for consent, the longest first, those after `after`; and where the next page begins, if there is one. For each
/// customer whose receipt it shows a row is written into the audit log.
pub async fn awaiting(
    db: &Db,
    by: &Staff,
    after: Option<Before>,
    limit: usize,
) -> Result<(Vec<Waiting>, Option<Before>), Error> {
    by.may(Right::Points)?;
    let (at, id) = after.unwrap_or((DateTime::UNIX_EPOCH, Uuid::nil()));
    db.write(|tx| {
        scoped(async move {
            // One more than is shown tells whether there is another page.
            let query = db::ListQuery::new(WAITING)
                .filter("r.state = 'awaiting'", [])
                .filter("(r.created_at, r.id) > (?, ?)", [db::Bind::Time(at), db::Bind::Id(id)])
                .tail("ORDER BY r.created_at, r.id")
                .limit(limit as i64 + 1);
            let mut rows: Vec<Waiting> = db::list(tx, query).await?;
            let more = rows.len() > limit;
            rows.truncate(limit);
            let last = rows.last().filter(|_| more).map(|last| &last.correction);
            let next = last.map(|last| (last.created_at, last.id.0));
            for row in &rows {
                by.record(
                    tx,
                    "points.read",
                    Some(row.customer_id),
                    Some(row.purchase_id.0),
                    "awaiting",
                )
                .await?;
            }
            Ok((rows, next))
        })
    })
    .await
}

/// What staff corrected of a receipt, or asked to, the last first.
pub async fn of(conn: &mut Conn, of: Subject, purchase: PurchaseId) -> Result<Vec<Correction>, Error> {
    const SQL: &str = "SELECT r.id, r.act, r.reason, r.state, s.name AS colleague, r.created_at FROM receipt_corrections r \
                       JOIN purchases p ON p.id = r.purchase_id JOIN staff s ON s.id = r.asked_by \
                       WHERE r.purchase_id = $1 AND p.customer_id = $2 ORDER BY r.created_at DESC, r.id DESC LIMIT 50";
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(purchase)
        .bind(of.id())
        .fetch_all(c)
        .await)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_kept_as_words() {
        for act in [Act::Void, Act::Return(vec![(1, 2), (3, 1)])] {
            assert_eq!(Act::from_word(&act.word()), Some(act));
        }
        for wrong in ["", "1", "1:0", "1:-1", "1:2,1:1", "2:1,1:1", "void,1:1", "a:b", "1:2,"] {
            assert_eq!(Act::from_word(wrong), None, "{wrong}");
        }
    }
}
