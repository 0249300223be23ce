//! Receipts as tills send them: sales, returns, voids. A till that was cut off sends later, out of order and twice; what
//! counts is the time on the receipt, and that each is booked once.

use super::counter::{self, AHEAD, CounterError};
use crate::article::store as articles;
use crate::contact::change;
use crate::coupon::store as coupons;
use crate::coupon::{Coupon, Presented, Refusal};
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::{Error, holds_database_errors};
use crate::id::{ArticleId, CustomerId, PurchaseId, ReservationId, StoreId};
use crate::lang::Localized;
use crate::on;
use crate::points::Before;
use crate::points::rules::is_late;
use crate::points::store::{self as points, LIST, SpendError, spending};
use crate::purchase::code::{new_code, receipt_code};
use crate::purchase::void::{VoidError, void_in};
use crate::purchase::{self, Kind, LineOutcome, NewLine, NewPurchase, Original, Way, store as purchases};
use crate::quote::{Payable, Quote, earns, told};
use crate::rule;
use crate::rule::store::asking::{self, Deal};
use crate::rule::store::timeline;
use crate::till::{Scope, redeem};
use crate::who::{Subject, Till};
use chrono::{DateTime, SubsecRound as _, Utc};
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The most lines of a receipt.
pub const LINES_MAX: usize = 500;
/// The most coupons of a receipt.
const COUPONS_MAX: usize = 20;
/// The longest number of a receipt, or code or name of an article, in characters.
pub const TEXT_MAX: usize = 100;

/// A line of a receipt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The article's code.
    pub article: String,
    /// Its name; none: the one that is known, or the code.
    pub name: Option<String>,
    /// How many, above zero.
    pub quantity: i64,
    /// The price of one, in minor units.
    pub price: i64,
    /// Off the whole line, in minor units.
    pub discount: i64,
    /// Of the discount: what rules took off, as a quote told.
    pub rule_discount: i64,
    /// Of a return: the line that it brings back, by the number of its receipt and its place in it from 1.
    pub original: Option<(String, i64)>,
}

/// A sale or a return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReceipt {
    /// Which of the two.
    pub kind: Kind,
    /// Its number, unique within the till's source.
    pub document: String,
    /// When, by the till's clock.
    pub at: DateTime<Utc>,
    /// The code of the shop; none: where the till stands.
    pub store: Option<String>,
    /// Whose it is, by what the till was told before.
    pub customer: Option<CustomerId>,
    /// Whose it is, by the card.
    pub card: Option<String>,
    /// Its lines.
    pub lines: Vec<Item>,
    /// What of the customer's reserved points pays for it, in hundredths.
    pub redeem: Option<(ReservationId, i64)>,
    /// What its QR or its foot says, where it has a code of its own.
    pub code: Option<String>,
    /// How it was bought and paid.
    pub way: Way,
    /// The codes of the coupons that were presented.
    pub coupons: Vec<String>,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is missing.
    Missing,
    /// It is longer than so many characters.
    TooLong(usize),
    /// It has a NUL, which PostgreSQL keeps in no text.
    Nul,
    /// There are more than so many.
    TooMany(usize),
    /// A number that is not above zero.
    NotPositive,
    /// A number below zero.
    Negative,
    /// A sum beyond all bounds.
    TooLarge,
    /// More than the line costs.
    MoreThanPrice,
    /// More than the line's whole discount.
    MoreThanDiscount,
    /// No record has this code.
    Unknown,
    /// A time that has not come yet.
    InFuture,
    /// A time before tills had clocks: what counts it says nothing.
    LongAgo,
    /// No code of a receipt.
    NotACode,
    /// Only where the receipt is somebody's.
    NeedsCustomer,
    /// Only one of two fields may be there.
    Either,
}

/// A field, by its JSON pointer (RFC 6901) in what was sent, and what is wrong with it.
pub type Fault = (String, Problem);

/// Why a receipt was not booked; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// Fields do not fit.
    #[error("invalid: {0:?}")]
    Invalid(Vec<Fault>),
    /// A receipt of this number is there, and says something else.
    #[error("a receipt of this number says something else")]
    Conflict,
    /// The code of the receipt is another receipt's.
    #[error("the code is another receipt's")]
    CodeTaken,
    /// The card.
    #[error(transparent)]
    Counter(CounterError),
    /// The points that were to pay.
    #[error(transparent)]
    Spend(SpendError),
    /// The void.
    #[error(transparent)]
    Void(VoidError),
    /// Everything else.
    #[error(transparent)]
    Crm(#[from] Error),
}

holds_database_errors!(ReceiptError);

impl From<CounterError> for ReceiptError {
    fn from(e: CounterError) -> Self {
        match e {
            CounterError::Crm(e) => Self::Crm(e),
            other => Self::Counter(other),
        }
    }
}

impl From<SpendError> for ReceiptError {
    fn from(e: SpendError) -> Self {
        match e {
            SpendError::Crm(e) => Self::Crm(e),
            other => Self::Spend(other),
        }
    }
}

impl From<VoidError> for ReceiptError {
    fn from(e: VoidError) -> Self {
        match e {
            VoidError::Crm(e) => Self::Crm(e),
            other => Self::Void(other),
        }
    }
}

/// Points of one program, in hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Points {
    /// The program's code.
    pub program: String,
    /// Its name.
    pub name: Localized,
    /// How many.
    pub points: i64,
}

/// A receipt that is booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its id.
    pub id: PurchaseId,
    /// Its number.
    pub document: String,
    /// It was there before, and was left as it is.
    pub known: bool,
    /// Whose it is.
    pub customer: Option<CustomerId>,
    /// When it was voided.
    pub voided_at: Option<DateTime<Utc>>,
    /// What it earned, less what came back.
    pub earned: Vec<Points>,
    /// What of points paid for it, less what was given back.
    pub paid: Vec<Points>,
    /// What of points should have paid as well, and was gone when the receipt came late; in hundredths.
    pub unpaid: i64,
    /// Of a return: how many of its lines name a sale that has not come, and take nothing back until it does.
    pub waiting: i64,
    /// The code by which it may be claimed, as long as it is nobody's.
    pub code: Option<String>,
    /// How it was bought and paid, as it was told first.
    pub way: Way,
    /// The coupons that were sent with it, and what became of each; where none were sent, those that it has used.
    pub presented: Vec<Presented>,
    /// The coupons that it was given.
    pub coupons: Vec<Coupon>,
}

/// A receipt of a customer as it was sent, with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bought {
    /// Its id.
    pub id: PurchaseId,
    /// Which of the two.
    pub kind: Kind,
    /// Its number.
    pub document: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The code of the shop.
    pub store: Option<String>,
    /// How it was bought and paid.
    pub way: Way,
    /// When it was voided.
    pub voided_at: Option<DateTime<Utc>>,
    /// What was paid, in minor units; of a return below zero.
    pub total: i64,
    /// Its lines in their order; of a return as it was sent, above zero. What rules took off is what they own up to.
    pub lines: Vec<Item>,
}

impl NewReceipt {
    /// What is wrong with it, as far as that can be seen without the database.
    pub fn faults(&self, now: DateTime<Utc>) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut text = |pointer: String, value: &str| {
            if value.trim().is_empty() {
                faults.push((pointer, Problem::Missing));
            } else if value.chars().count() > TEXT_MAX {
                faults.push((pointer, Problem::TooLong(TEXT_MAX)));
            } else if value.contains('\0') {
                faults.push((pointer, Problem::Nul));
            }
        };
        text("/document".into(), &self.document);
        for (i, line) in self.lines.iter().enumerate() {
            text(format!("/lines/{i}/article"), &line.article);
            if let Some(name) = &line.name {
                text(format!("/lines/{i}/name"), name);
            }
            if let Some((document, _)) = &line.original {
                text(format!("/lines/{i}/original/document"), document);
            }
        }
        let mut fault = |pointer: String, problem| faults.push((pointer, problem));
        if self.at > now + AHEAD {
            fault("/at".into(), Problem::InFuture);
        } else if self.at < DateTime::UNIX_EPOCH {
            fault("/at".into(), Problem::LongAgo);
        }
        if self.customer.is_some() && self.card.is_some() {
            fault("/card".into(), Problem::Either);
        }
        if self.lines.is_empty() {
            fault("/lines".into(), Problem::Missing);
        } else if self.lines.len() > LINES_MAX {
            fault("/lines".into(), Problem::TooMany(LINES_MAX));
        }
        for (i, line) in self.lines.iter().enumerate() {
            let at = |field: &str| format!("/lines/{i}/{field}");
            if line.quantity <= 0 {
                fault(at("quantity"), Problem::NotPositive);
            }
            if line.price < 0 {
                fault(at("price"), Problem::Negative);
            }
            if line.discount < 0 {
                fault(at("discount"), Problem::Negative);
            }
            match line.rule_discount {
                0.. if line.rule_discount <= line.discount.max(0) => {}
                0.. => fault(at("rule_discount"), Problem::MoreThanDiscount),
                _ => fault(at("rule_discount"), Problem::Negative),
            }
            match purchase::amount(line.quantity, line.price, line.discount) {
                None => fault(at("price"), Problem::TooLarge),
                Some(amount) if amount < 0 => fault(at("discount"), Problem::MoreThanPrice),
                Some(_) => {}
            }
            match (&line.original, self.kind) {
                (None, Kind::Return) => fault(at("original"), Problem::Missing),
                (Some((_, place)), Kind::Return) if *place <= 0 => fault(at("original/line"), Problem::NotPositive),
                _ => {}
            }
        }
        if let Some((_, points)) = self.redeem {
            if points <= 0 {
                fault("/redeem/points".into(), Problem::NotPositive);
            }
            if self.customer.is_none() && self.card.is_none() {
                fault("/redeem".into(), Problem::NeedsCustomer);
            }
        }
        if self.coupons.len() > COUPONS_MAX {
            fault("/coupons".into(), Problem::TooMany(COUPONS_MAX));
        }
        for (i, coupon) in self.coupons.iter().enumerate() {
            if coupon.chars().count() > TEXT_MAX {
                fault(format!("/coupons/{i}"), Problem::TooLong(TEXT_MAX));
            }
        }
        if self.code.as_deref().is_some_and(|code| receipt_code(code).is_none()) {
            fault("/code".into(), Problem::NotACode);
        }
        faults
    }
}

/// Books a sale or a return, once. The same number with the same lines once more is left as it is and told as known.
pub async fn book(db: &Db, by: &Till, new: &NewReceipt) -> Result<Receipt, ReceiptError> {
    db.write(|tx| scoped(book_in(tx, by, new))).await
}

/// The same, within a transaction.
pub async fn book_in(tx: &mut Tx, by: &Till, new: &NewReceipt) -> Result<Receipt, ReceiptError> {
    const CODE: &str = "UPDATE purchases SET receipt_code = $2 WHERE id = $1";
    let system = by.with(Scope::Purchases)?;
    let faults = new.faults(tx.now());
    if !faults.is_empty() {
        return Err(ReceiptError::Invalid(faults));
    }
    let store = store(tx, by, new.store.as_deref()).await?;
    let customer = match (&new.card, new.customer) {
        (Some(card), _) => Some(counter::holder_of(tx, card, new.at).await?),
        (None, Some(id)) => Some(known_customer(tx, id).await?),
        // Who brings something back is whoever bought it.
        (None, None) if new.kind == Kind::Return => buyer(tx, by, new).await?,
        (None, None) => None,
    };
    let lines = lines(tx, by, new).await?;
    let document = new.document.trim().to_owned();
    let purchase = NewPurchase {
        source: by.source().to_owned(),
        document: document.clone(),
        kind: new.kind,
        customer,
        store,
        at: new.at.trunc_subsecs(6),
        way: new.way.clone(),
        points_used: new.redeem.map_or(0, |(_, points)| points),
        coupons: new.coupons.clone(),
        lines,
    };
    let booked = purchases::book_by(tx, &system, Some(by.id()), std::slice::from_ref(&purchase)).await?;
    let booked = booked.into_iter().next().ok_or(Error::NotFound)?;
    if !booked.new {
        let is_same = booked.lines.iter().all(|line| matches!(line, LineOutcome::Known(_)))
            && is_same_head(tx, booked.id, &purchase, new).await?
            && (new.kind == Kind::Sale || brings_back_the_same(tx, booked.id, new).await?)
            && match customer {
                Some(customer) => spending::redeemed_on(tx, customer, booked.id).await? == Vec::from_iter(new.redeem),
                None => true,
            };
        if !is_same {
            return Err(ReceiptError::Conflict);
        }
        return read(tx, by, booked.id, true, &new.coupons).await;
    }
    let code = match &new.code {
        Some(raw) => receipt_code(raw),
        None if customer.is_none() && new.kind == Kind::Sale => Some(new_code()),
        None => None,
    };
    if let Some(code) = code {
        let kept = on!(tx, |c| sqlx::query(CODE)
            .bind(booked.id)
            .bind(&code)
            .execute(c)
            .await
            .map(drop));
        match kept {
            Err(e) if db::is_taken(&e) => return Err(ReceiptError::CodeTaken),
            kept => kept?,
        }
    }
    if let (Some((reservation, points)), Some(customer)) = (new.redeem, customer) {
        by.with(Scope::Points)?;
        // What was sold already is not held against what the shop allows today: what it allowed then is configuration, which keeps
        // no history, and the goods are gone either way.
        if !is_late(purchase.at, tx.now()) {
            allow(tx, &purchase).await?;
        }
        let subject = system.subject(customer);
        // Known to the tills of its source alone.
        if redeem::holder(tx, by, reservation).await?.id() != customer {
            return Err(SpendError::Crm(Error::NotFound).into());
        }
        let receipt = (booked.id, purchase.at);
        spending::capture_late(tx, &system, subject, reservation, points, receipt).await?;
        purchases::match_returns_of(tx, &purchase.document).await?;
    }
    read(tx, by, booked.id, false, &new.coupons).await
}

/// Refuses points that pay more of a receipt than the shop allows, less, or not in its steps.
async fn allow(conn: &mut Conn, new: &NewPurchase) -> Result<(), ReceiptError> {
    let unpayable = articles::unpayable(conn, new.lines.iter().map(|line| line.article)).await?;
    let payable = new.lines.iter().filter(|line| !unpayable.contains(&line.article));
    let costs = payable
        .filter_map(|line| purchase::amount(line.quantity, line.price, line.discount))
        .sum();
    let most = conn.shop().points.most_payable(costs, new.points_used);
    match most == new.points_used {
        true => Ok(()),
        false => Err(SpendError::TooMuch { most }.into()),
    }
}

/// The shop of a receipt. A code that is not known is a fault.
async fn store(conn: &mut Conn, by: &Till, code: Option<&str>) -> Result<Option<StoreId>, ReceiptError> {
    const SQL: &str = "SELECT id FROM stores WHERE code = $1";
    let Some(code) = code else { return Ok(by.store()) };
    let found: Option<StoreId> = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(code.trim())
        .fetch_optional(c)
        .await)?;
    match found {
        Some(id) => Ok(Some(id)),
        None => Err(ReceiptError::Invalid(vec![("/store".into(), Problem::Unknown)])),
    }
}

async fn known_customer(conn: &mut Conn, id: CustomerId) -> Result<CustomerId, ReceiptError> {
    // A till may have been told of an account that has been merged since.
    const SQL: &str = "SELECT COALESCE(merged_into, id) FROM customers WHERE id = $1";
    let found: Option<CustomerId> = on!(conn, |c| sqlx::query_scalar(SQL).bind(id).fetch_optional(c).await)?;
    found.ok_or_else(|| ReceiptError::Invalid(vec![("/customer".into(), Problem::Unknown)]))
}

/// Whose receipt the first line of a return was on, if that is known.
async fn buyer(conn: &mut Conn, by: &Till, new: &NewReceipt) -> Result<Option<CustomerId>, sqlx::Error> {
    const SQL: &str = "SELECT customer_id FROM purchases WHERE source = $1 AND document = $2";
    let Some((document, _)) = new.lines.iter().find_map(|line| line.original.as_ref()) else {
        return Ok(None);
    };
    let found: Option<Option<CustomerId>> = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(by.source())
        .bind(document.trim())
        .fetch_optional(c)
        .await)?;
    Ok(found.flatten())
}

/// The lines as they are booked, with articles that were not known written down.
async fn lines(tx: &mut Tx, by: &Till, new: &NewReceipt) -> Result<Vec<NewLine>, ReceiptError> {
    let system = by.with(Scope::Purchases)?;
    let mut names: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for line in &new.lines {
        let name = names.entry(line.article.trim()).or_default();
        *name = name.or(line.name.as_deref().map(str::trim));
    }
    let ids = articles::ensure(tx, &system, &names).await?;
    let sign = if new.kind == Kind::Return { -1 } else { 1 };
    let line = |(ordinal, line): (i64, &Item)| {
        Some(NewLine {
            ordinal,
            article: *ids.get(line.article.trim())?,
            quantity: sign * line.quantity,
            price: line.price,
            discount: sign * line.discount,
            rule_discount: if new.kind == Kind::Sale { line.rule_discount } else { 0 },
            original: match &line.original {
                Some((document, place)) if new.kind == Kind::Return => Original::Line {
                    document: document.trim().to_owned(),
                    ordinal: *place,
                },
                _ => Original::None,
            },
        })
    };
    let lines: Option<Vec<NewLine>> = (1..).zip(&new.lines).map(line).collect();
    lines.ok_or_else(|| Error::from(db::Error::Inconsistent("an article was not written down".into())).into())
}

/// Whether a receipt that is there says the same as one that came, but for what pays it: whose, when, how many lines.
async fn is_same_head(
    conn: &mut Conn,
    id: PurchaseId,
    new: &NewPurchase,
    sent: &NewReceipt,
) -> Result<bool, sqlx::Error> {
    const SQL: &str = "SELECT kind, customer_id, at, line_count, claimed_at IS NOT NULL FROM purchases WHERE id = $1";
    let (kind, customer, at, lines, is_claimed): (Kind, Option<CustomerId>, DateTime<Utc>, i64, bool) =
        on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_one(c).await)?;
    // What came without a card may have been claimed meanwhile, or be a return of which it has turned out whose it is.
    let is_nobodys = sent.customer.is_none() && sent.card.is_none();
    let is_theirs = customer == new.customer || is_nobodys && (is_claimed || kind == Kind::Return);
    Ok(kind == new.kind && is_theirs && at == new.at && lines == new.lines.len() as i64)
}

/// Whether a return that is there brings back the lines that one names that came. What stands alone names none any more.
async fn brings_back_the_same(conn: &mut Conn, id: PurchaseId, sent: &NewReceipt) -> Result<bool, sqlx::Error> {
    const SQL: &str = "SELECT l.ordinal, COALESCE(q.document, w.document), COALESCE(o.ordinal, w.ordinal) \
        FROM purchase_lines l LEFT JOIN purchase_lines o ON o.id = l.original_line_id \
        LEFT JOIN purchases q ON q.id = o.purchase_id LEFT JOIN waiting_returns w ON w.line_id = l.id \
        WHERE l.purchase_id = $1";
    let known: Vec<(i64, Option<String>, Option<i64>)> =
        on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_all(c).await)?;
    Ok(known.into_iter().all(|(ordinal, document, place)| {
        let line = (1..).zip(&sent.lines).find(|(n, _)| *n == ordinal);
        let named = line.and_then(|(_, line)| line.original.as_ref());
        match (named, document.zip(place)) {
            (Some((document, place)), Some(known)) => (document.trim(), *place) == (known.0.as_str(), known.1),
            _ => true,
        }
    }))
}

#[derive(sqlx::FromRow)]
struct HeadRow {
    id: PurchaseId,
    document: String,
    customer_id: Option<CustomerId>,
    at: DateTime<Utc>,
    voided_at: Option<DateTime<Utc>>,
    receipt_code: Option<String>,
    channel: Option<String>,
    payments: String,
    /// What of points should have paid as well.
    unpaid: i64,
    /// Whether rules gave anything for it.
    is_given: bool,
    /// How many of its lines wait for their sale.
    waiting: i64,
}

/// A receipt of the till's source by its number. Fails with [`Error::NotFound`].
pub async fn find(conn: &mut Conn, by: &Till, document: &str) -> Result<Receipt, ReceiptError> {
    const SQL: &str = "SELECT id FROM purchases WHERE source = $1 AND document = $2";
    by.with(Scope::Purchases)?;
    let id: Option<PurchaseId> = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(by.source())
        .bind(document.trim())
        .fetch_optional(c)
        .await)?;
    read(conn, by, id.ok_or(Error::NotFound)?, true, &[]).await
}

/// A receipt as it stands; `sent` are the coupons that came with it.
async fn read(
    conn: &mut Conn,
    by: &Till,
    id: PurchaseId,
    known: bool,
    sent: &[String],
) -> Result<Receipt, ReceiptError> {
    // A till waits for it after each receipt, so it is two questions: what is rare is asked about only where there is any.
    const HEAD: &str = "SELECT p.id, p.document, p.customer_id, p.at, p.voided_at, p.receipt_code, p.channel, p.payments, \
        CAST(COALESCE((SELECT SUM(r.unpaid) FROM reservations r WHERE r.customer_id = p.customer_id \
        AND r.purchase_id = p.id), 0) AS BIGINT) AS unpaid, \
        EXISTS (SELECT 1 FROM grants g WHERE g.purchase_id = p.id) AS is_given, \
        CASE WHEN p.kind = 'return' THEN (SELECT COUNT(*) FROM purchase_lines l JOIN waiting_returns w ON w.line_id = l.id \
        WHERE l.purchase_id = p.id) ELSE 0 END AS waiting FROM purchases p WHERE p.id = $1";
    // Each program by the name that it has now.
    const SUMS: &str = "SELECT s.is_paid, g.code, v.name, CAST(SUM(s.points) AS BIGINT) FROM \
        (SELECT FALSE AS is_paid, a.program_id, a.points - a.taken_back AS points FROM purchase_lines l \
        JOIN accruals a ON a.line_id = l.id JOIN lots t ON t.id = a.lot_id \
        WHERE l.purchase_id = $1 AND t.customer_id = $2 \
        UNION ALL SELECT TRUE, w.program_id, w.points - w.given_back FROM purchase_lines l \
        JOIN line_payments w ON w.line_id = l.id JOIN purchases p ON p.id = l.purchase_id \
        WHERE l.purchase_id = $1 AND p.customer_id = $2) s \
        JOIN programs g ON g.id = s.program_id JOIN program_versions v ON v.program_id = g.id AND v.version = \
        COALESCE((SELECT MAX(n.version) FROM program_versions n WHERE n.program_id = g.id AND n.published_at <= $3), 1) \
        GROUP BY s.is_paid, g.id, g.code, v.name ORDER BY g.id";
    let system = by.with(Scope::Purchases)?;
    let head: HeadRow = on!(conn, |c| sqlx::query_as(HEAD).bind(id).fetch_one(c).await)?;
    let bringing = coupons::Deal {
        customer: head.customer_id,
        at: head.at,
        purchase: id,
    };
    let presented = match (sent.is_empty(), known) {
        (true, false) => Vec::new(),
        (true, true) => coupons::used_by(conn, id).await?,
        (false, _) => coupons::outcome(conn, sent, bringing).await?,
    };
    let given = match head.is_given {
        true => coupons::given_for(conn, id).await?,
        false => Vec::new(),
    };
    let (mut earned, mut paid) = (Vec::new(), Vec::new());
    if let Some(customer) = head.customer_id {
        let (subject, now) = (system.subject(customer), conn.now());
        let sums: Vec<(bool, String, Json<Localized>, i64)> = on!(conn, |c| sqlx::query_as(SUMS)
            .bind(id)
            .bind(subject.id())
            .bind(now)
            .fetch_all(c)
            .await)?;
        for (is_paid, program, name, points) in sums {
            let list = if is_paid { &mut paid } else { &mut earned };
            list.push(Points {
                program,
                name: name.0,
                points,
            });
        }
    }
    Ok(Receipt {
        id: head.id,
        way: Way::from_words(head.channel.as_deref(), &head.payments),
        document: head.document,
        known,
        customer: head.customer_id,
        voided_at: head.voided_at,
        earned,
        paid,
        unpaid: head.unpaid,
        waiting: head.waiting,
        code: head.receipt_code.filter(|_| head.customer_id.is_none()),
        presented,
        coupons: given,
    })
}

#[derive(sqlx::FromRow)]
struct BoughtRow {
    id: PurchaseId,
    kind: Kind,
    document: String,
    at: DateTime<Utc>,
    store: Option<String>,
    channel: Option<String>,
    payments: String,
    voided_at: Option<DateTime<Utc>>,
    total: i64,
}

#[derive(sqlx::FromRow)]
struct ItemRow {
    purchase_id: PurchaseId,
    code: String,
    name: String,
    quantity: i64,
    price: i64,
    discount: i64,
    rule_discount: i64,
    original: Option<String>,
    original_ordinal: Option<i64>,
}

/// The receipts of a customer that came from the till's source, the newest first: `limit` of them from `before` on, and
/// where the next ones begin, if there are any. [`Error::NotFound`] for nobody.
pub async fn of_customer(
    conn: &mut Conn,
    by: &Till,
    customer: CustomerId,
    before: Option<Before>,
    limit: i64,
) -> Result<(Vec<Bought>, Option<Before>), Error> {
    const HEADS: &str = "SELECT p.id, p.kind, p.document, p.at, s.code AS store, p.channel, p.payments, p.voided_at, p.total \
                         FROM purchases p LEFT JOIN stores s ON s.id = p.store_id";
    // A return that waits for its sale names it all the same.
    const LINES: &str = "SELECT l.purchase_id, a.code, a.name, l.quantity, l.price, l.discount, \
        CAST(COALESCE((SELECT SUM(g.amount) FROM grants g WHERE g.line_id = l.id AND g.kind = 'discount' \
        AND g.purchase_id = l.purchase_id), 0) AS BIGINT) AS rule_discount, \
        COALESCE(q.document, w.document) AS original, COALESCE(o.ordinal, w.ordinal) AS original_ordinal \
        FROM purchase_lines l JOIN articles a ON a.id = l.article_id \
        LEFT JOIN purchase_lines o ON o.id = l.original_line_id LEFT JOIN purchases q ON q.id = o.purchase_id \
        LEFT JOIN waiting_returns w ON w.line_id = l.id";
    const KNOWN: &str = "SELECT COALESCE(merged_into, id) FROM customers WHERE id = $1";
    let system = by.with(Scope::Purchases)?;
    let known: Option<CustomerId> = on!(conn, |c| sqlx::query_scalar(KNOWN)
        .bind(customer)
        .fetch_optional(c)
        .await)?;
    let subject = system.subject(known.ok_or(Error::NotFound)?);
    let mut query = ListQuery::new(HEADS)
        .filter("p.customer_id = ?", [Bind::Id(subject.id().0)])
        .filter("p.source = ?", [Bind::Text(by.source().to_owned())]);
    if let Some((at, id)) = before {
        query = query.filter("(p.at, p.id) < (?, ?)", [Bind::Time(at), Bind::Id(id)]);
    }
    let query = query.tail("ORDER BY p.at DESC, p.id DESC").limit(limit + 1);
    let mut heads: Vec<BoughtRow> = db::list(conn, query).await?;
    let has_more = heads.len() as i64 > limit;
    heads.truncate(usize::try_from(limit).unwrap_or_default());
    let next = heads.last().filter(|_| has_more).map(|last| (last.at, last.id.0));
    let mut lines: HashMap<PurchaseId, Vec<ItemRow>> = HashMap::new();
    for part in heads.chunks(LIST) {
        let query = ListQuery::new(LINES)
            .within("l.purchase_id", part.iter().map(|head| Bind::Id(head.id.0)))
            .tail("ORDER BY l.purchase_id, l.ordinal");
        for line in db::list::<ItemRow>(conn, query).await? {
            lines.entry(line.purchase_id).or_default().push(line);
        }
    }
    let bought = |head: BoughtRow| {
        let sign = if head.kind == Kind::Return { -1 } else { 1 };
        let item = |line: ItemRow| Item {
            article: line.code,
            name: Some(line.name),
            quantity: sign * line.quantity,
            price: line.price,
            discount: sign * line.discount,
            rule_discount: line.rule_discount,
            original: line.original.zip(line.original_ordinal),
        };
        Bought {
            id: head.id,
            kind: head.kind,
            document: head.document,
            at: head.at,
            store: head.store,
            way: Way::from_words(head.channel.as_deref(), &head.payments),
            voided_at: head.voided_at,
            total: head.total,
            lines: lines
                .remove(&head.id)
                .unwrap_or_default()
                .into_iter()
                .map(item)
                .collect(),
        }
    };
    Ok((heads.into_iter().map(bought).collect(), next))
}

/// Voids a receipt of the till's source, once. Fails with [`Error::NotFound`].
pub async fn void(tx: &mut Tx, by: &Till, document: &str) -> Result<Receipt, ReceiptError> {
    let system = by.with(Scope::Purchases)?;
    let id = void_in(tx, &system, by.source(), document.trim()).await?;
    read(tx, by, id, true, &[]).await
}

/// A basket that nobody has paid yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basket {
    /// Who buys, by what the till was told before.
    pub customer: Option<CustomerId>,
    /// Who buys, by the card.
    pub card: Option<String>,
    /// The program whose points may pay; none: the first that everybody is a member of.
    pub program: Option<String>,
    /// The code of the shop; none: where the till stands.
    pub store: Option<String>,
    /// How it is bought, and how it is going to be paid, as far as that is known.
    pub way: Way,
    /// The codes of the coupons that are presented.
    pub coupons: Vec<String>,
    /// What is bought. What rules took off of it before does not count: they are asked anew.
    pub lines: Vec<Item>,
}

/// Tells what rules would take off a basket now, what it would earn where no points pay for it, and how many points may.
/// Nothing is kept, and nothing is promised: what counts is asked again when the receipt is booked.
pub async fn quote(db: &Db, by: &Till, basket: &Basket) -> Result<Quote, ReceiptError> {
    let system = by.with(Scope::Purchases)?;
    let now = db.now();
    let as_receipt = NewReceipt {
        kind: Kind::Sale,
        document: "-".into(),
        at: now,
        store: None,
        customer: basket.customer,
        card: basket.card.clone(),
        lines: basket.lines.clone(),
        redeem: None,
        code: None,
        way: Way::default(),
        coupons: basket.coupons.clone(),
    };
    let faults = as_receipt.faults(now);
    if !faults.is_empty() {
        return Err(ReceiptError::Invalid(faults));
    }
    let mut conn = db.read().await?;
    let store = store(&mut conn, by, basket.store.as_deref()).await?;
    let customer = match (&basket.card, basket.customer) {
        (Some(card), _) => Some(counter::holder_of(&mut conn, card, now).await?),
        (None, Some(id)) => Some(known_customer(&mut conn, id).await?),
        (None, None) => None,
    };
    drop(conn);
    let subject = customer.map(|customer| system.subject(customer));
    if let Some(subject) = subject {
        points::bring_up_to_date(db, subject).await?;
    }
    let mut conn = db.read().await?;
    let timeline = timeline(&mut conn).await?;
    let member = match subject {
        Some(subject) => points::member_of(&mut conn, &timeline, subject, now).await?,
        None => Vec::new(),
    };
    let bringing = coupons::Deal {
        customer,
        at: now,
        purchase: PurchaseId(uuid::Uuid::max()),
    };
    let mut presented = match basket.coupons.is_empty() {
        true => Vec::new(),
        false => coupons::presented(&mut conn, &basket.coupons, bringing).await?,
    };
    let good = presented.iter().filter(|one| one.refusal.is_none());
    let good = good.filter_map(|one| Some(one.series.as_ref()?.0.clone()));
    let deal = Deal {
        purchase: PurchaseId(uuid::Uuid::max()),
        at: now,
        customer,
        member,
        store,
        way: basket.way.clone(),
        coupons: good.collect(),
        lines: quoted_lines(&mut conn, &basket.lines).await?,
        points_used: 0,
    };
    let answers = asking::quote(&mut conn, &timeline, std::slice::from_ref(&deal)).await?;
    let (rules, outcome) = answers.into_iter().next().ok_or(Error::NotFound)?;
    let mut quote = told(&mut conn, &rules, &outcome).await?;
    let asked = asking::asked_series(&rules, &outcome);
    for one in &mut presented {
        let is_asked = one
            .series
            .as_ref()
            .is_some_and(|(series, _)| asked.contains(series.as_str()));
        one.refusal = one.refusal.or((!is_asked).then_some(Refusal::NotApplied));
    }
    quote.presented = presented;
    if let Some(subject) = subject {
        let lines = deal.lines.iter().zip(&outcome.lines).filter(|(line, _)| line.payable);
        let costs = lines.map(|(_, sums)| sums.paid).sum();
        quote.payable = payable(&mut conn, subject, basket.program.as_deref(), costs).await?;
        quote.earns = earns(&mut conn, &deal.member, &outcome).await?;
    }
    Ok(quote)
}

/// The lines of a basket as rules see them. What is not known yet is no rule's article.
async fn quoted_lines(conn: &mut Conn, items: &[Item]) -> Result<Vec<rule::Line>, sqlx::Error> {
    let codes: BTreeSet<&str> = items.iter().map(|item| item.article.trim()).collect();
    let known = articles::by_codes(conn, &codes).await?;
    let line = |item: &Item| {
        let (article, payable) = known
            .get(item.article.trim())
            .copied()
            .unwrap_or((ArticleId(uuid::Uuid::nil()), true));
        rule::Line {
            article,
            categories: Vec::new(),
            brand: None,
            quantity: item.quantity,
            price: item.price,
            discount: item.discount - item.rule_discount,
            payable,
            taken: None,
        }
    };
    Ok(items.iter().map(line).collect())
}

/// How many points may pay for what costs so much.
async fn payable(
    conn: &mut Conn,
    subject: Subject,
    code: Option<&str>,
    costs: i64,
) -> Result<Option<Payable>, ReceiptError> {
    let program = match counter::program(conn, code).await {
        Err(Error::NotFound) if code.is_some() => {
            return Err(ReceiptError::Invalid(vec![("/program".into(), Problem::Unknown)]));
        }
        Err(Error::NotFound) => return Ok(None),
        found => found?,
    };
    let names = points::names(conn, &BTreeSet::from([program])).await?;
    let balance = points::balance(conn, subject).await?;
    let held = balance.programs.iter().find(|held| held.program == program);
    let available = held.map_or(0, |held| (held.active - held.reserved).max(0));
    let frozen_until = change::frozen_until(conn, subject.id()).await?;
    let policy = &conn.shop().points;
    let most = match frozen_until {
        Some(_) => 0,
        None => policy.most_payable(costs, available),
    };
    Ok(names.get(&program).map(|(code, _)| Payable {
        program: code.clone(),
        available,
        most,
        least: policy.pay_least * 100,
        step: policy.pay_step * 100,
        frozen_until,
    }))
}
