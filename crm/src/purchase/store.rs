//! Purchases in the database: booking and reading.

use super::{
    Booked, Bought, Filter, Kind, Line, LineOutcome, Month, NewLine, NewPurchase, Often, Original, Page, Purchase,
    Receipt, Reference, Spending, Spent, Statement, StoreName, Way, amount,
};
use crate::article::store as articles;
use crate::db::{self, Bind, Conn, Db, ListQuery, Rows, Tx, scoped};
use crate::error::Error;
use crate::id::{ArticleId, CategoryId, CustomerId, LineId, PurchaseId, StoreId, TillId};
use crate::lang::{Localized, fold};
use crate::on;
use crate::points::store::{self as points, LIST, Occasion, Sale, Sold, returns, spending};
use crate::points::{Before, Difference, TransactionKind};
use crate::rule::store::{self as rules, Timeline, timeline};
use crate::rule::{Channel, Tree, tier};
use crate::search::{self, WORDS_MAX};
use crate::webhook::event::Cause;
use crate::who::{Subject, System};
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Lines on their way into the database, and what they earn.
struct Desk {
    timeline: Arc<Timeline>,
    lines: Rows,
    sales: Vec<Sale>,
    /// Whose lines they are.
    customers: HashSet<CustomerId>,
    /// The receipts that this transaction books.
    new: HashSet<PurchaseId>,
}

impl Desk {
    fn rows() -> Rows {
        Rows::new(
            "INSERT INTO purchase_lines (id, purchase_id, ordinal, article_id, quantity, price, discount, amount, \
             original_line_id)",
            "",
        )
    }

    fn line(&mut self, purchase: PurchaseId, line: &NewLine, original: Option<LineId>) -> Result<LineId, Error> {
        let id = LineId::new();
        let amount = amount(line.quantity, line.price, line.discount)
            .ok_or_else(|| db::Error::Inconsistent("a line's amount is beyond all bounds".into()))?;
        self.lines.push([
            Bind::Id(id.0),
            Bind::Id(purchase.0),
            Bind::Int(line.ordinal),
            Bind::Id(line.article.0),
            Bind::Int(line.quantity),
            Bind::Int(line.price),
            Bind::Int(line.discount),
            Bind::Int(amount),
            Bind::MaybeId(original.map(|id| id.0)),
        ]);
        Ok(id)
    }

    /// Writes what has gathered.
    async fn flush(&mut self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        db::insert(tx, std::mem::replace(&mut self.lines, Self::rows())).await?;
        let sales = std::mem::take(&mut self.sales);
        points::accrue(tx, &self.timeline, &sales, &self.new).await?;
        self.customers.clear();
        Ok(())
    }

    /// Writes what a return may ask for: of a named receipt anything, else what its own customer bought. To write at
    /// every return would take a third of an import's time.
    async fn flush_for(
        &mut self,
        tx: &mut Tx,
        customer: Option<CustomerId>,
        original: &Original,
    ) -> Result<(), sqlx::Error> {
        let waits = customer.is_some_and(|customer| self.customers.contains(&customer));
        if waits || matches!(original, Original::Document(_) | Original::Line { .. }) {
            self.flush(tx).await?;
        }
        Ok(())
    }
}

#[derive(sqlx::FromRow)]
struct KnownRow {
    id: PurchaseId,
    customer_id: Option<CustomerId>,
    at: DateTime<Utc>,
    channel: Option<String>,
    payments: String,
}

#[derive(sqlx::FromRow)]
struct KnownLine {
    ordinal: i64,
    article_id: ArticleId,
    quantity: i64,
    price: i64,
    discount: i64,
    original_line_id: Option<LineId>,
}

/// Books receipts in the order given, each once: what is known by source, document and place is left as it is, a line
/// in a new place of a known receipt is added to it. Returns find their originals, points are earned and taken back, and
/// points that had paid for what comes back go back. A line that brings back more than the line that it names holds is
/// [`Error::NotBought`], and one whose receipt is not there yet waits for it. A line with an amount beyond [`super::AMOUNT_MAX`] is refused with the whole transaction: check before.
pub async fn book(tx: &mut Tx, by: &System, purchases: &[NewPurchase]) -> Result<Vec<Booked>, Error> {
    book_by(tx, by, None, purchases).await
}

/// The same for receipts that a till sent.
pub(crate) async fn book_by(
    tx: &mut Tx,
    _by: &System,
    till: Option<TillId>,
    purchases: &[NewPurchase],
) -> Result<Vec<Booked>, Error> {
    let mut rows = Rows::new(
        "INSERT INTO purchases (id, source, document, kind, customer_id, store_id, at, line_count, total, channel, payments, \
         till_id)",
        "ON CONFLICT (source, document) DO NOTHING RETURNING id",
    );
    let mut ids = Vec::with_capacity(purchases.len());
    for p in purchases {
        let id = PurchaseId::new();
        ids.push(id);
        rows.push([
            Bind::Id(id.0),
            Bind::Text(p.source.clone()),
            Bind::Text(p.document.clone()),
            Bind::Word(p.kind.as_str()),
            Bind::MaybeId(p.customer.map(|id| id.0)),
            Bind::MaybeId(p.store.map(|id| id.0)),
            Bind::Time(p.at),
            Bind::Int(p.lines.len() as i64),
            Bind::Int(
                p.lines
                    .iter()
                    .filter_map(|l| amount(l.quantity, l.price, l.discount))
                    .sum(),
            ),
            Bind::MaybeWord(p.way.channel.map(Channel::as_str)),
            Bind::Text(p.way.payment_words()),
            Bind::MaybeId(till.map(|id| id.0)),
        ]);
    }
    let new: HashSet<PurchaseId> = db::insert_returning::<(PurchaseId,)>(tx, rows)
        .await?
        .into_iter()
        .map(|(id,)| id)
        .collect();

    let mut desk = Desk {
        timeline: timeline(tx).await?,
        lines: Desk::rows(),
        sales: Vec::new(),
        customers: HashSet::new(),
        new,
    };
    let mut booked = Vec::with_capacity(purchases.len());
    let mut buyers = BTreeSet::new();
    // What came back, which counts for whoever bought it.
    let mut back = Vec::new();
    // Receipts of this batch whose lines are still to come.
    let mut ahead = desk.new.clone();
    for (p, id) in purchases.iter().zip(ids) {
        ahead.remove(&id);
        let mut outcomes = vec![LineOutcome::Taken(None); p.lines.len()];
        let (id, customer, at, way, is_new) = if desk.new.contains(&id) {
            tx.happened(Cause::Booked(id));
            (id, p.customer, p.at, p.way.clone(), true)
        } else {
            // It may be one of this very batch.
            desk.flush(tx).await?;
            let known = compare(tx, p, &mut outcomes).await?;
            let way = Way::from_words(known.channel.as_deref(), &known.payments);
            (known.id, known.customer_id, known.at, way, false)
        };
        tx.touch(at);
        buyers.extend(customer);
        let unpayable = match p.points_used {
            0 => HashSet::new(),
            used => {
                let unpayable = articles::unpayable(tx, p.lines.iter().map(|line| line.article)).await?;
                let bought = p.lines.iter().filter(|line| line.quantity > 0);
                let costs: i64 = bought
                    .filter(|line| !unpayable.contains(&line.article))
                    .filter_map(|line| amount(line.quantity, line.price, line.discount))
                    .sum();
                // Points that have paid for more than what may be paid with points today paid for all of it: who captures them
                // spreads them so. A receipt that is not late is refused then.
                if costs < used { HashSet::new() } else { unpayable }
            }
        };
        let mut sold = Vec::new();
        let mut returned = Vec::new();
        for (line, outcome) in p.lines.iter().zip(&mut outcomes) {
            if *outcome != LineOutcome::Taken(None) {
                continue;
            }
            let (original, awaited) = if line.quantity < 0 && line.original != Original::None {
                desk.flush_for(tx, customer, &line.original).await?;
                bring_back(tx, p, customer, at, line, &ahead).await?
            } else {
                (None, false)
            };
            let line_id = desk.line(id, line, original)?;
            desk.customers.extend(customer);
            if awaited {
                *outcome = LineOutcome::Waiting;
                desk.flush(tx).await?;
                wait(tx, line_id, &line.original).await?;
            } else if let Some(original) = original {
                *outcome = LineOutcome::Taken(Some(original));
                returned.push(original);
            } else if line.quantity > 0 {
                sold.push(Sold {
                    line: line_id,
                    article: line.article,
                    quantity: line.quantity,
                    price: line.price,
                    discount: line.discount,
                    taken: line.rule_discount.clamp(0, line.discount.max(0)),
                    payable: !unpayable.contains(&line.article),
                });
            }
        }
        if !returned.is_empty() {
            returns::give_back(tx, id, at, &returned).await?;
            returns::take_back(tx, TransactionKind::Return, id, at, &returned).await?;
            back.append(&mut returned);
        }
        // What is nobody's earns nothing; a discount of a rule takes from its budget all the same, and a coupon is used.
        let is_asked = customer.is_some() || !p.coupons.is_empty() || sold.iter().any(|line| line.taken > 0);
        if !sold.is_empty() && is_asked {
            desk.sales.push(Sale {
                purchase: id,
                customer,
                at,
                member_at: at,
                store: p.store,
                way,
                coupons: p.coupons.clone(),
                points_used: p.points_used,
                occasion: if is_new { Occasion::New } else { Occasion::Grown },
                lines: sold,
            });
        }
        if !is_new {
            add_up(tx, id, p, &outcomes).await?;
        }
        booked.push(Booked {
            id,
            new: is_new,
            lines: outcomes,
        });
    }
    desk.flush(tx).await?;
    let sales = purchases
        .iter()
        .filter(|p| p.lines.iter().any(|line| line.quantity > 0));
    // Until points have paid for their part of a sale nothing of it has come back: [`match_returns_of`] is called then.
    let sales = sales.filter(|p| p.points_used == 0);
    let documents = sales.map(|p| p.document.as_str()).collect();
    buyers.extend(match_waiting(tx, Some(&documents)).await?.1);
    buyers.extend(owners(tx, &back).await?);
    tier::store::refresh(tx, &desk.timeline, &buyers).await?;
    Ok(booked)
}

/// Who bought these lines.
pub(super) async fn owners(conn: &mut Conn, lines: &[LineId]) -> Result<BTreeSet<CustomerId>, sqlx::Error> {
    const SELECT: &str = "SELECT DISTINCT p.customer_id FROM purchase_lines l JOIN purchases p ON p.id = l.purchase_id";
    let mut owners = BTreeSet::new();
    for part in lines.chunks(LIST) {
        let query = ListQuery::new(SELECT)
            .within("l.id", part.iter().map(|id| Bind::Id(id.0)))
            .filter("p.customer_id IS NOT NULL", []);
        let found: Vec<(CustomerId,)> = db::list(conn, query).await?;
        owners.extend(found.into_iter().map(|(id,)| id));
    }
    Ok(owners)
}

/// What counts of a receipt for a customer: towards a tier, and in the sums of rules.
#[derive(sqlx::FromRow)]
pub(crate) struct Counted {
    pub(crate) customer_id: CustomerId,
    pub(crate) at: DateTime<Utc>,
    pub(crate) id: PurchaseId,
    pub(crate) is_sale: bool,
    /// It is a sale, and not all of it came back.
    pub(crate) is_kept: bool,
    /// When its customer claimed it, if it was nobody's before.
    pub(crate) claimed_at: Option<DateTime<Utc>>,
    /// What was paid, in minor units; of what came back below zero.
    pub(crate) total: i64,
}

/// What customers bought, from a moment on or all of it. What comes back counts for whoever bought it, whoever brings it: a
/// return is taken off the one and given to the other where they are two.
pub(crate) async fn counted(
    conn: &mut Conn,
    of: &[CustomerId],
    since: Option<DateTime<Utc>>,
) -> Result<Vec<Counted>, sqlx::Error> {
    // Of most receipts nothing came back, and an index of what did says so.
    const RECEIPTS: &str = "SELECT p.customer_id, p.at, p.id, p.kind = 'sale' AS is_sale, p.kind = 'sale' AND \
        (NOT EXISTS (SELECT 1 FROM purchase_lines b WHERE b.purchase_id = p.id AND b.returned > 0) OR \
        EXISTS (SELECT 1 FROM purchase_lines k WHERE k.purchase_id = p.id AND k.quantity > k.returned)) AS is_kept, \
        p.claimed_at, p.total FROM purchases p";
    const BY_OTHERS: &str = "SELECT s.customer_id, p.at, p.id, FALSE AS is_sale, FALSE AS is_kept, p.claimed_at, \
        l.amount AS total FROM purchases s JOIN purchase_lines o ON o.purchase_id = s.id AND o.returned > 0 \
        JOIN purchase_lines l ON l.original_line_id = o.id \
        JOIN purchases p ON p.id = l.purchase_id AND (p.customer_id IS NULL OR p.customer_id <> s.customer_id)";
    const OF_OTHERS: &str = "SELECT p.customer_id, p.at, p.id, FALSE AS is_sale, FALSE AS is_kept, p.claimed_at, \
        -l.amount AS total FROM purchases p JOIN purchase_lines l ON l.purchase_id = p.id AND l.original_line_id IS NOT NULL \
        JOIN purchase_lines o ON o.id = l.original_line_id \
        JOIN purchases s ON s.id = o.purchase_id AND (s.customer_id IS NULL OR s.customer_id <> p.customer_id)";
    let of = || of.iter().map(|id| Bind::Id(id.0));
    // One question for all three: a tier is reckoned with every receipt.
    let counting = |query: ListQuery, customer: &'static str| {
        let query = query.within(customer, of()).filter("p.voided_at IS NULL", []);
        match since {
            Some(since) => query.filter("p.at >= ?", [Bind::Time(since)]),
            None => query,
        }
    };
    let query = counting(ListQuery::new(RECEIPTS), "p.customer_id");
    let query = counting(query.and_all(BY_OTHERS), "s.customer_id");
    db::list(conn, counting(query.and_all(OF_OTHERS), "p.customer_id")).await
}

/// Notes which line a return waits for.
async fn wait(tx: &mut Tx, line: LineId, original: &Original) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO waiting_returns (line_id, document, ordinal) VALUES ($1, $2, $3)";
    let Original::Line { document, ordinal } = original else {
        return Ok(());
    };
    on!(tx, |c| sqlx::query(SQL)
        .bind(line)
        .bind(document)
        .bind(ordinal)
        .execute(c)
        .await
        .map(drop))
}

#[derive(sqlx::FromRow)]
struct WaitingRow {
    id: LineId,
    purchase_id: PurchaseId,
    document: String,
    quantity: i64,
    at: DateTime<Utc>,
    brought_at: DateTime<Utc>,
    original: LineId,
    buyer: Option<CustomerId>,
    bringer: Option<CustomerId>,
}

/// Matches returns that came before their sales, where these are there by now: those that wait for one of some documents, or
/// all. Tells how many, and for whom something else counts now. One that brings back more than was bought stands alone from then
/// on: its money was given back long ago.
async fn match_waiting(
    tx: &mut Tx,
    documents: Option<&BTreeSet<&str>>,
) -> Result<(u64, BTreeSet<CustomerId>), sqlx::Error> {
    // The later of the two: a till's clock may be wrong.
    const SELECT: &str = "SELECT w.id, w.purchase_id, r.document, -w.quantity AS quantity, \
        CASE WHEN s.at > r.at THEN s.at ELSE r.at END AS at, r.at AS brought_at, l.id AS original, s.customer_id AS buyer, \
        r.customer_id AS bringer FROM waiting_returns a \
        JOIN purchase_lines w ON w.id = a.line_id JOIN purchases r ON r.id = w.purchase_id \
        JOIN purchases s ON s.source = r.source AND s.document = a.document \
        JOIN purchase_lines l ON l.purchase_id = s.id AND l.ordinal = a.ordinal AND l.article_id = w.article_id";
    const ORDER: &str = "ORDER BY r.at, r.id, w.ordinal";
    const CLAIM: &str = "DELETE FROM waiting_returns WHERE line_id = $1";
    const MATCH: &str = "UPDATE purchase_lines SET original_line_id = $2 WHERE id = $1";
    // Whoever brings back and says no name is whoever bought it.
    const OWN: &str = "UPDATE purchases SET customer_id = $2 WHERE id = $1 AND customer_id IS NULL";
    // Mostly there are none, and then nobody has to look for their sales.
    const ANY: &str = "SELECT line_id FROM waiting_returns LIMIT 1";
    let any: Option<LineId> = on!(tx, |c| sqlx::query_scalar(ANY).fetch_optional(c).await)?;
    let (mut matched, mut customers) = (0, BTreeSet::new());
    if any.is_none() {
        return Ok((matched, customers));
    }
    let select = || ListQuery::new(SELECT).filter("r.voided_at IS NULL", []);
    let rows: Vec<WaitingRow> = match documents {
        None => db::list(tx, select().tail(ORDER)).await?,
        Some(documents) => {
            let documents: Vec<&str> = documents.iter().copied().collect();
            let mut rows = Vec::new();
            for part in documents.chunks(LIST) {
                let documents = part.iter().map(|document| Bind::Text((*document).to_owned()));
                rows.extend(db::list(tx, select().within("a.document", documents).tail(ORDER)).await?);
            }
            rows
        }
    };
    for row in rows {
        // Voided since it was read, by another process: it waits for nothing, and is left as it is.
        if !hold(tx, row.purchase_id).await? {
            continue;
        }
        let claimed = on!(tx, |c| sqlx::query(CLAIM)
            .bind(row.id)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        if claimed == 0 {
            continue;
        }
        if !count_back(tx, row.original, row.quantity).await? {
            tracing::warn!(
                document = row.document,
                "a return brings back more than its sale held, and stands alone"
            );
            continue;
        }
        on!(tx, |c| sqlx::query(MATCH)
            .bind(row.id)
            .bind(row.original)
            .execute(c)
            .await
            .map(drop))?;
        on!(tx, |c| sqlx::query(OWN)
            .bind(row.purchase_id)
            .bind(row.buyer)
            .execute(c)
            .await
            .map(drop))?;
        tx.touch(row.brought_at);
        returns::give_back(tx, row.purchase_id, row.at, &[row.original]).await?;
        returns::take_back(tx, TransactionKind::Return, row.purchase_id, row.at, &[row.original]).await?;
        matched += 1;
        customers.extend(row.buyer.into_iter().chain(row.bringer));
    }
    Ok((matched, customers))
}

/// Matches what came back before this sale, once points have paid for their part of it.
pub(crate) async fn match_returns_of(tx: &mut Tx, document: &str) -> Result<(), Error> {
    let (_, customers) = match_waiting(tx, Some(&BTreeSet::from([document]))).await?;
    let timeline = timeline(tx).await?;
    tier::store::refresh(tx, &timeline, &customers).await?;
    Ok(())
}

/// Matches returns that came before their sales: a return and its sale that are booked at the same moment do not see each
/// other. Part of the daily work; it may come late, twice, or from several processes at once. Tells how many it matched.
pub async fn match_returns(db: &Db, _: &System) -> Result<u64, Error> {
    db.write(|tx| {
        scoped(async move {
            let (matched, customers) = match_waiting(tx, None).await?;
            let timeline = timeline(tx).await?;
            tier::store::refresh(tx, &timeline, &customers).await?;
            Ok::<_, Error>(matched)
        })
    })
    .await
}

/// Sees to it that nobody voids a receipt until the transaction ends; false where it is voided.
async fn hold(tx: &mut Tx, purchase: PurchaseId) -> Result<bool, sqlx::Error> {
    const SQL: &str = "UPDATE purchases SET document = document WHERE id = $1 AND voided_at IS NULL";
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(purchase)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows > 0)
}

/// Counts pieces of a line as come back; false where that many are not left, or the sale is voided. The sale is held first: beside
/// the line alone PostgreSQL would read it as it was before a void that is waited for.
async fn count_back(tx: &mut Tx, line: LineId, quantity: i64) -> Result<bool, sqlx::Error> {
    const SALE: &str = "SELECT purchase_id FROM purchase_lines WHERE id = $1";
    const SQL: &str = "UPDATE purchase_lines SET returned = returned + $2 WHERE id = $1 AND quantity - returned >= $2";
    let sale: PurchaseId = on!(tx, |c| sqlx::query_scalar(SALE).bind(line).fetch_one(c).await)?;
    if !hold(tx, sale).await? {
        return Ok(false);
    }
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(line)
        .bind(quantity)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows > 0)
}

/// Compares a receipt with the one of its number that is there, line by line.
async fn compare(tx: &mut Tx, p: &NewPurchase, outcomes: &mut [LineOutcome]) -> Result<KnownRow, Error> {
    const HEAD: &str =
        "SELECT id, customer_id, at, channel, payments FROM purchases WHERE source = $1 AND document = $2";
    const LINES: &str = "SELECT ordinal, article_id, quantity, price, discount, original_line_id \
                         FROM purchase_lines WHERE purchase_id = $1 ORDER BY ordinal";
    let known: KnownRow = on!(tx, |c| sqlx::query_as(HEAD)
        .bind(&p.source)
        .bind(&p.document)
        .fetch_one(c)
        .await)?;
    let lines: Vec<KnownLine> = on!(tx, |c| sqlx::query_as(LINES).bind(known.id).fetch_all(c).await)?;
    for (line, outcome) in p.lines.iter().zip(outcomes) {
        let Ok(place) = lines.binary_search_by_key(&line.ordinal, |there| there.ordinal) else {
            continue;
        };
        let there = &lines[place];
        let is_same = (there.article_id, there.quantity, there.price, there.discount)
            == (line.article, line.quantity, line.price, line.discount);
        *outcome = if is_same {
            LineOutcome::Known(there.original_line_id)
        } else {
            LineOutcome::Conflict
        };
    }
    Ok(known)
}

/// Adds the lines that a known receipt grew by to its sums.
async fn add_up(tx: &mut Tx, id: PurchaseId, p: &NewPurchase, outcomes: &[LineOutcome]) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE purchases SET line_count = line_count + $2, total = total + $3 WHERE id = $1";
    let added = || {
        let lines = p.lines.iter().zip(outcomes);
        lines
            .filter(|(_, outcome)| matches!(outcome, LineOutcome::Taken(_)))
            .map(|(line, _)| line)
    };
    let count = added().count() as i64;
    if count == 0 {
        return Ok(());
    }
    let total: i64 = added().filter_map(|l| amount(l.quantity, l.price, l.discount)).sum();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(count)
        .bind(total)
        .execute(c)
        .await
        .map(drop))
}

/// Finds the line that a negative one brings back, and counts it as returned. The second is true where its receipt has to
/// be waited for.
async fn bring_back(
    tx: &mut Tx,
    p: &NewPurchase,
    customer: Option<CustomerId>,
    at: DateTime<Utc>,
    line: &NewLine,
    ahead: &HashSet<PurchaseId>,
) -> Result<(Option<LineId>, bool), Error> {
    const LATEST: &str = "UPDATE purchase_lines SET returned = returned + $5 WHERE id = \
        (SELECT l.id FROM purchases p JOIN purchase_lines l ON l.purchase_id = p.id \
        WHERE p.customer_id = $1 AND p.at < $2 AND l.article_id = $3 AND l.price = $4 AND l.quantity - l.returned >= $5 \
        AND p.voided_at IS NULL ORDER BY p.at DESC, p.id DESC, l.ordinal LIMIT 1) \
        AND quantity - returned >= $5 RETURNING id";
    const NAMED: &str = "UPDATE purchase_lines SET returned = returned + $6 WHERE id = \
        (SELECT l.id FROM purchases p JOIN purchase_lines l ON l.purchase_id = p.id \
        WHERE p.source = $1 AND p.document = $2 AND p.at <= $3 AND l.article_id = $4 AND l.price = $5 \
        AND l.quantity - l.returned >= $6 AND p.voided_at IS NULL ORDER BY l.ordinal LIMIT 1) \
        AND quantity - returned >= $6 RETURNING id";
    let NewLine { article, price, .. } = line;
    let found: Option<(LineId,)> = match (&line.original, customer) {
        (Original::Line { document, ordinal }, _) => {
            return bring_back_line(tx, p, line, (document, *ordinal), ahead).await;
        }
        (Original::Document(document), _) => on!(tx, |c| sqlx::query_as(NAMED)
            .bind(&p.source)
            .bind(document)
            .bind(at)
            .bind(article)
            .bind(price)
            .bind(-line.quantity)
            .fetch_optional(c)
            .await)?,
        (Original::Latest, Some(customer)) => on!(tx, |c| sqlx::query_as(LATEST)
            .bind(customer)
            .bind(at)
            .bind(article)
            .bind(price)
            .bind(-line.quantity)
            .fetch_optional(c)
            .await)?,
        (Original::Latest, None) | (Original::None, _) => None,
    };
    Ok((found.map(|(id,)| id), false))
}

/// Brings back pieces of one line and no other.
async fn bring_back_line(
    tx: &mut Tx,
    p: &NewPurchase,
    line: &NewLine,
    (document, ordinal): (&str, i64),
    ahead: &HashSet<PurchaseId>,
) -> Result<(Option<LineId>, bool), Error> {
    const SALE: &str = "SELECT id FROM purchases WHERE source = $1 AND document = $2";
    const LINE: &str = "SELECT l.id, CASE WHEN p.voided_at IS NULL THEN l.quantity - l.returned ELSE 0 END \
        FROM purchase_lines l JOIN purchases p ON p.id = l.purchase_id \
        WHERE l.purchase_id = $1 AND l.ordinal = $2 AND l.article_id = $3 AND l.quantity > 0";
    let sale: Option<PurchaseId> = on!(tx, |c| sqlx::query_scalar(SALE)
        .bind(&p.source)
        .bind(document)
        .fetch_optional(c)
        .await)?;
    let Some(sale) = sale.filter(|sale| !ahead.contains(sale)) else {
        return Ok((None, true));
    };
    let mut left = 0;
    // The second look is at what somebody left who was faster.
    for _ in 0..2 {
        let known: Option<(LineId, i64)> = on!(tx, |c| sqlx::query_as(LINE)
            .bind(sale)
            .bind(ordinal)
            .bind(line.article)
            .fetch_optional(c)
            .await)?;
        let Some((id, rest)) = known else { break };
        left = rest;
        if left < -line.quantity {
            break;
        }
        if count_back(tx, id, -line.quantity).await? {
            return Ok((Some(id), false));
        }
    }
    Err(Error::NotBought {
        document: p.document.clone(),
        ordinal: line.ordinal,
        quantity: -line.quantity,
        left,
    })
}

#[derive(sqlx::FromRow)]
struct PurchaseRow {
    id: PurchaseId,
    source: String,
    document: String,
    kind: Kind,
    store_id: Option<StoreId>,
    store_name: Option<Json<Localized>>,
    store_town: Option<Json<Localized>>,
    store_zone: Option<String>,
    at: DateTime<Utc>,
    line_count: i64,
    total: i64,
    points: i64,
    returned: i64,
    voided_at: Option<DateTime<Utc>>,
}

impl From<PurchaseRow> for Purchase {
    fn from(row: PurchaseRow) -> Self {
        Self {
            id: row.id,
            source: row.source,
            document: row.document,
            kind: row.kind,
            store: store_name(row.store_id, row.store_name, row.store_town, row.store_zone),
            at: row.at,
            lines: row.line_count,
            total: row.total,
            points: row.points,
            returned: row.returned > 0,
            voided_at: row.voided_at,
        }
    }
}

/// A shop that may be joined to a receipt.
pub(crate) fn store_name(
    id: Option<StoreId>,
    name: Option<Json<Localized>>,
    town: Option<Json<Localized>>,
    time_zone: Option<String>,
) -> Option<StoreName> {
    Some(StoreName {
        id: id?,
        name: name?.0,
        town: town?.0,
        time_zone,
    })
}

/// What a list shows of a receipt.
const SELECT: &str = "SELECT p.id, p.source, p.document, p.kind, p.store_id, s.name AS store_name, \
    s.town AS store_town, s.time_zone AS store_zone, p.at, p.line_count, p.total, p.voided_at, \
    CAST(COALESCE((SELECT SUM(a.points - a.taken_back) FROM purchase_lines l JOIN accruals a ON a.line_id = l.id \
    WHERE l.purchase_id = p.id), 0) AS BIGINT) AS points, \
    CAST(COALESCE((SELECT SUM(l.returned) FROM purchase_lines l WHERE l.purchase_id = p.id), 0) AS BIGINT) AS returned \
    FROM purchases p LEFT JOIN stores s ON s.id = p.store_id";

#[derive(sqlx::FromRow)]
struct CategoryRow {
    id: CategoryId,
    #[sqlx(json)]
    name: Localized,
    parent_id: Option<CategoryId>,
}

/// All categories with what they lie within.
async fn all_categories(conn: &mut Conn) -> Result<Vec<CategoryRow>, Error> {
    const SQL: &str = "SELECT id, name, parent_id FROM categories";
    Ok(on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?)
}

/// A pattern of LIKE for what contains a text.
fn containing(text: &str) -> String {
    format!("%{}%", db::like(text))
}

/// One of the words that an article has to have.
macro_rules! has_word {
    () => {
        "(a.search LIKE ? ESCAPE '\\' OR LOWER(a.code) LIKE ? ESCAPE '\\')"
    };
}

/// An article that has each word or lies in a category of that name. There is a place for each of [`WORDS_MAX`] words, and one that
/// is not needed lets everything through.
macro_rules! has_words {
    () => {
        concat!(
            "a.category_id IN (@) OR (",
            has_word!(),
            " AND ",
            has_word!(),
            " AND ",
            has_word!(),
            " AND ",
            has_word!(),
            " AND ",
            has_word!(),
            " AND ",
            has_word!(),
            " AND ",
            has_word!(),
            " AND ",
            has_word!(),
            ")"
        )
    };
}

/// A receipt of this number, or with such an article.
const HAS_WORDS: &str = concat!(
    "LOWER(p.document) LIKE ? ESCAPE '\\' OR EXISTS (SELECT 1 FROM purchase_lines l JOIN articles a ON a.id = l.article_id \
     WHERE l.purchase_id = p.id AND (",
    has_words!(),
    "))"
);

/// Each category that lies in another, and that one.
fn tree(categories: &[CategoryRow]) -> Tree {
    categories
        .iter()
        .filter_map(|one| Some((one.id, one.parent_id?)))
        .collect()
}

/// What a folded text asks of an article (`has_words!`): the patterns of its words, and the categories of that name with all that
/// lies in them.
fn sought(text: &str, categories: &[CategoryRow]) -> (Vec<Bind>, Vec<Bind>) {
    let mut words = search::sought(text);
    // What has no word that says something is looked for as it stands.
    if words.is_empty() {
        words.push(text.to_owned());
    }
    let has_all = |name: &str| {
        let name = fold(name);
        words.iter().all(|word| name.contains(word.as_str()))
    };
    let named: Vec<CategoryId> = categories
        .iter()
        .filter(|one| has_all(&one.name.ru) || has_all(&one.name.en))
        .map(|one| one.id)
        .collect();
    let patterns = (0..WORDS_MAX).flat_map(|nth| {
        let pattern = words.get(nth).map_or_else(|| "%".to_owned(), |word| containing(word));
        [Bind::Text(pattern.clone()), Bind::Text(pattern)]
    });
    let within = tree(categories).within(&named).into_iter().map(|id| Bind::Id(id.0));
    (patterns.collect(), within.collect())
}

/// The conditions of a filter, added to a query over `purchases p`.
async fn filtered(conn: &mut Conn, query: ListQuery, of: Subject, filter: &Filter) -> Result<ListQuery, Error> {
    let text = filter.text.as_deref().map(fold).filter(|text| !text.is_empty());
    // Names are folded here and not in the database, for there are some dozens of them.
    let categories = match (&text, filter.category) {
        (None, None) => Vec::new(),
        _ => all_categories(conn).await?,
    };
    let mut query = query
        .filter("p.customer_id = ?", [Bind::Id(of.id().0)])
        .filter("p.voided_at IS NULL", []);
    if let Some(text) = text {
        let (patterns, within) = sought(&text, &categories);
        let binds = std::iter::once(Bind::Text(containing(&text))).chain(patterns);
        query = query.filter_in(HAS_WORDS, binds, within);
    }
    if let Some(category) = filter.category {
        query = query.filter_in(
            "EXISTS (SELECT 1 FROM purchase_lines l JOIN articles a ON a.id = l.article_id \
             WHERE l.purchase_id = p.id AND a.category_id IN (@))",
            [],
            tree(&categories)
                .within(&[category])
                .into_iter()
                .map(|id| Bind::Id(id.0)),
        );
    }
    if let Some(least) = filter.least {
        query = query.filter("ABS(p.total) >= ?", [Bind::Int(least)]);
    }
    if let Some(most) = filter.most {
        query = query.filter("ABS(p.total) <= ?", [Bind::Int(most)]);
    }
    if let Some(store) = filter.store {
        query = query.filter("p.store_id = ?", [Bind::Id(store.0)]);
    }
    let shop = conn.shop();
    if let Some(from) = filter.from {
        query = query.filter("p.at >= ?", [Bind::Time(shop.midnight(from))]);
    }
    if let Some(next) = filter.to.and_then(|to| to.checked_add_days(Days::new(1))) {
        query = query.filter("p.at < ?", [Bind::Time(shop.midnight(next))]);
    }
    Ok(query)
}

/// The first day of the month of a moment, where the shop is.
fn month_of(conn: &Conn, at: DateTime<Utc>) -> NaiveDate {
    let day = conn.shop().day(at);
    day.with_day(1).unwrap_or(day)
}

/// The first day of the month after the one that begins on `first`.
fn next_month(first: NaiveDate) -> NaiveDate {
    first.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX)
}

/// A customer's receipts, the newest first, `limit` of them from `before` on; and where the next page begins, if there is one.
pub async fn page(
    conn: &mut Conn,
    of: Subject,
    filter: &Filter,
    before: Option<Before>,
    limit: usize,
) -> Result<(Vec<Purchase>, Option<Before>), Error> {
    let mut query = filtered(conn, ListQuery::new(SELECT), of, filter).await?;
    if let Some((at, id)) = before {
        query = query.filter("(p.at, p.id) < (?, ?)", [Bind::Time(at), Bind::Id(id)]);
    }
    let query = query.tail("ORDER BY p.at DESC, p.id DESC").limit(limit as i64 + 1);
    let mut rows: Vec<PurchaseRow> = db::list(conn, query).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|oldest| (oldest.at, oldest.id.0));
    Ok((rows.into_iter().map(Into::into).collect(), next))
}

/// The same by month, with what was bought in each.
pub async fn list(
    conn: &mut Conn,
    of: Subject,
    filter: &Filter,
    before: Option<Before>,
    limit: usize,
) -> Result<Page, Error> {
    let (found, next) = page(conn, of, filter, before, limit).await?;
    let (Some(newest), Some(oldest)) = (found.first(), found.last()) else {
        return Ok(Page::default());
    };
    let first = month_of(conn, oldest.at);
    let end = next_month(month_of(conn, newest.at));
    let totals = totals(conn, of, filter, first, end).await?;
    let mut months: Vec<(Month, Vec<Purchase>)> = Vec::new();
    for purchase in found {
        let first = month_of(conn, purchase.at);
        if months.last().is_none_or(|(month, _)| month.first != first) {
            let (receipts, total) = totals.get(&first).copied().unwrap_or_default();
            months.push((Month { first, receipts, total }, Vec::new()));
        }
        if let Some((_, purchases)) = months.last_mut() {
            purchases.push(purchase);
        }
    }
    Ok(Page { months, next })
}

/// What a search found on each of these receipts: the name and the price of the first article that it is about. A receipt that was
/// found by its number has none.
pub async fn matches(
    conn: &mut Conn,
    of: Subject,
    text: &str,
    receipts: &[PurchaseId],
) -> Result<BTreeMap<PurchaseId, (String, i64)>, Error> {
    const SELECT: &str = "SELECT l.purchase_id, a.name, l.price FROM purchase_lines l \
        JOIN purchases p ON p.id = l.purchase_id JOIN articles a ON a.id = l.article_id";
    let text = fold(text);
    if text.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (patterns, within) = sought(&text, &all_categories(conn).await?);
    let query = ListQuery::new(SELECT)
        .within("l.purchase_id", receipts.iter().map(|id| Bind::Id(id.0)))
        .filter("p.customer_id = ?", [Bind::Id(of.id().0)])
        .filter_in(has_words!(), patterns, within)
        .tail("ORDER BY l.purchase_id, l.ordinal");
    let rows: Vec<(PurchaseId, String, i64)> = db::list(conn, query).await?;
    let mut first = BTreeMap::new();
    for (receipt, name, price) in rows {
        first.entry(receipt).or_insert((name, price));
    }
    Ok(first)
}

/// Receipts and their sums by month, from the month that begins on `from` up to `end`, which begins another.
async fn totals(
    conn: &mut Conn,
    of: Subject,
    filter: &Filter,
    from: NaiveDate,
    end: NaiveDate,
) -> Result<BTreeMap<NaiveDate, (i64, i64)>, Error> {
    const SELECT: &str = "SELECT m.first, COUNT(*), CAST(SUM(p.total) AS BIGINT) \
                          FROM spans m JOIN purchases p ON p.at >= m.first AND p.at < m.next";
    let shop = conn.shop().clone();
    let spans: Vec<_> = std::iter::successors(Some(from), |first| Some(next_month(*first)))
        .take_while(|first| *first < end)
        .map(|first| (shop.midnight(first), shop.midnight(next_month(first))))
        .collect();
    let query = filtered(conn, ListQuery::over(&spans, SELECT), of, filter)
        .await?
        .tail("GROUP BY m.first");
    let rows: Vec<(DateTime<Utc>, i64, i64)> = db::list(conn, query).await?;
    Ok(rows
        .into_iter()
        .map(|(first, receipts, total)| (month_of(conn, first), (receipts, total)))
        .collect())
}

/// The receipts that a filter lets through with what is on them, the first first: the last `most` of them.
pub async fn statement(conn: &mut Conn, of: Subject, filter: &Filter, most: usize) -> Result<Statement, Error> {
    const LINES: &str = "SELECT l.purchase_id, a.code, a.name, l.quantity, l.price, l.discount, l.amount \
        FROM purchase_lines l JOIN articles a ON a.id = l.article_id";
    let query = filtered(conn, ListQuery::new(SELECT), of, filter).await?;
    let query = query.tail("ORDER BY p.at DESC, p.id DESC").limit(most as i64 + 1);
    let mut heads: Vec<PurchaseRow> = db::list(conn, query).await?;
    let is_cut = heads.len() > most;
    heads.truncate(most);
    let query = ListQuery::new(LINES)
        .within("l.purchase_id", heads.iter().map(|head| Bind::Id(head.id.0)))
        .tail("ORDER BY l.purchase_id, l.ordinal");
    let rows: Vec<Bought> = db::list(conn, query).await?;
    let mut lines: BTreeMap<PurchaseId, Vec<Bought>> = BTreeMap::new();
    for row in rows {
        lines.entry(row.purchase_id).or_default().push(row);
    }
    let with_lines = |head: PurchaseRow| {
        let of_it = lines.remove(&head.id).unwrap_or_default();
        (Purchase::from(head), of_it)
    };
    let receipts = heads.into_iter().rev().map(with_lines).collect();
    Ok(Statement { receipts, is_cut })
}

/// The last `n` receipts.
pub async fn latest(conn: &mut Conn, of: Subject, n: i64) -> Result<Vec<Purchase>, Error> {
    let query = ListQuery::new(SELECT)
        .filter("p.customer_id = ?", [Bind::Id(of.id().0)])
        .filter("p.voided_at IS NULL", [])
        .tail("ORDER BY p.at DESC, p.id DESC")
        .limit(n);
    Ok(db::list::<PurchaseRow>(conn, query)
        .await?
        .into_iter()
        .map(Into::into)
        .collect())
}

/// What was spent in each of the last `months` months, this one last, in the shop's time zone. A month without
/// receipts has a row of zeros.
pub async fn spending(conn: &mut Conn, of: Subject, months: u32) -> Result<Vec<Month>, Error> {
    let current = month_of(conn, conn.now());
    let first = current
        .checked_sub_months(Months::new(months.saturating_sub(1)))
        .unwrap_or(current);
    let totals = totals(conn, of, &Filter::default(), first, next_month(current)).await?;
    Ok(std::iter::successors(Some(first), |first| Some(next_month(*first)))
        .take(months as usize)
        .map(|first| {
            let (receipts, total) = totals.get(&first).copied().unwrap_or_default();
            Month { first, receipts, total }
        })
        .collect())
}

/// Where the money of the last `months` months went, this one included, and what was saved in that time.
pub async fn spent(conn: &mut Conn, of: Subject, months: u32) -> Result<Spending, Error> {
    const LINES: &str = "SELECT m.first, a.category_id, CAST(SUM(l.amount) AS BIGINT), CAST(SUM(l.discount) AS BIGINT) \
        FROM spans m JOIN purchases p ON p.at >= m.first AND p.at < m.next \
        JOIN purchase_lines l ON l.purchase_id = p.id JOIN articles a ON a.id = l.article_id";
    const POINTS: &str = "SELECT CAST(COALESCE(SUM(w.points - w.given_back), 0) AS BIGINT) FROM purchases p \
        JOIN purchase_lines l ON l.purchase_id = p.id JOIN line_payments w ON w.line_id = l.id \
        WHERE p.customer_id = $1 AND p.voided_at IS NULL AND p.at >= $2";
    let current = month_of(conn, conn.now());
    let first = current
        .checked_sub_months(Months::new(months.saturating_sub(1)))
        .unwrap_or(current);
    let shop = conn.shop().clone();
    let since = shop.midnight(first);
    let months: Vec<NaiveDate> = std::iter::successors(Some(first), |first| Some(next_month(*first)))
        .take_while(|first| *first <= current)
        .collect();
    let spans: Vec<_> = months
        .iter()
        .map(|first| (shop.midnight(*first), shop.midnight(next_month(*first))))
        .collect();
    let query = ListQuery::over(&spans, LINES)
        .filter("p.customer_id = ?", [Bind::Id(of.id().0)])
        .filter("p.voided_at IS NULL", [])
        .tail("GROUP BY m.first, a.category_id");
    let lines: Vec<(DateTime<Utc>, Option<CategoryId>, i64, i64)> = db::list(conn, query).await?;
    let points: i64 = on!(conn, |c| sqlx::query_scalar(POINTS)
        .bind(of.id())
        .bind(since)
        .fetch_one(c)
        .await)?;
    let all = all_categories(conn).await?;
    let above = |id: &CategoryId| all.iter().find(|one| one.id == *id).and_then(|one| one.parent_id);
    let mut sums: BTreeMap<Option<CategoryId>, BTreeMap<NaiveDate, i64>> = BTreeMap::new();
    for (first, category, amount, _) in &lines {
        // No category lies deeper than there are categories.
        let outermost = category.and_then(|id| std::iter::successors(Some(id), above).take(all.len()).last());
        let first = month_of(conn, *first);
        *sums.entry(outermost).or_default().entry(first).or_default() += amount;
    }
    let name = |id: CategoryId| all.iter().find(|one| one.id == id).map(|one| one.name.clone());
    let mut categories: Vec<Spent> = sums
        .into_iter()
        .map(|(id, sums)| Spent {
            name: id.and_then(name),
            sum: sums.values().sum(),
            by_month: months
                .iter()
                .map(|first| sums.get(first).copied().unwrap_or_default())
                .collect(),
        })
        .collect();
    categories.sort_by_key(|spent| std::cmp::Reverse(spent.sum));
    Ok(Spending {
        months,
        categories,
        discounts: lines.iter().map(|(.., discount)| discount).sum(),
        points,
    })
}

#[derive(sqlx::FromRow)]
struct OftenRow {
    article: ArticleId,
    code: String,
    name: String,
    times: i64,
    price: i64,
    at: DateTime<Utc>,
    purchase: PurchaseId,
    store_id: Option<StoreId>,
    store_name: Option<Json<Localized>>,
    store_town: Option<Json<Localized>>,
    store_zone: Option<String>,
}

/// The articles that a customer bought more than once, the most frequent first: `limit` of them after a place in the list, which is
/// how often the one before was bought, when last, and which one it is.
pub async fn often(
    conn: &mut Conn,
    of: Subject,
    after: Option<(i64, Before)>,
    limit: i64,
) -> Result<Vec<Often>, Error> {
    const SQL: &str = "WITH bought AS (SELECT l.article_id, l.price, l.ordinal, p.at, p.id, p.store_id FROM purchases p \
        JOIN purchase_lines l ON l.purchase_id = p.id WHERE p.customer_id = $1 AND p.voided_at IS NULL \
        AND p.kind = 'sale' AND l.quantity > l.returned), \
        counted AS (SELECT article_id, COUNT(DISTINCT id) AS times FROM bought GROUP BY article_id \
        HAVING COUNT(DISTINCT id) > 1), \
        latest AS (SELECT article_id, price, at, id, store_id, ROW_NUMBER() OVER \
        (PARTITION BY article_id ORDER BY at DESC, id DESC, ordinal DESC) AS place FROM bought) \
        SELECT a.id AS article, a.code, a.name, o.times, t.price, t.at, t.id AS purchase, t.store_id, s.name AS store_name, \
        s.town AS store_town, s.time_zone AS store_zone \
        FROM counted o JOIN latest t ON t.article_id = o.article_id AND t.place = 1 \
        JOIN articles a ON a.id = o.article_id LEFT JOIN stores s ON s.id = t.store_id \
        WHERE (o.times, t.at, a.id) < ($2, $3, $4) ORDER BY o.times DESC, t.at DESC, a.id DESC LIMIT $5";
    // Nothing is bought so often.
    let (times, (at, id)) = after.unwrap_or((i64::MAX, (conn.now(), uuid::Uuid::nil())));
    let rows: Vec<OftenRow> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .bind(times)
        .bind(at)
        .bind(id)
        .bind(limit)
        .fetch_all(c)
        .await)?;
    Ok(rows
        .into_iter()
        .map(|row| Often {
            article: row.article,
            code: row.code,
            name: row.name,
            times: row.times,
            price: row.price,
            at: row.at,
            store: store_name(row.store_id, row.store_name, row.store_town, row.store_zone),
            purchase: row.purchase,
        })
        .collect())
}

/// The shops in which a customer has bought, for the filter, by name.
pub async fn stores(conn: &mut Conn, of: Subject) -> Result<Vec<StoreName>, Error> {
    const SQL: &str = "SELECT s.id, s.name, s.town, s.time_zone FROM stores s WHERE s.id IN \
                       (SELECT store_id FROM purchases WHERE customer_id = $1) ORDER BY s.code";
    type Row = (StoreId, Json<Localized>, Json<Localized>, Option<String>);
    let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL).bind(of.id()).fetch_all(c).await)?;
    let named = |(id, name, town, time_zone): Row| StoreName {
        id,
        name: name.0,
        town: town.0,
        time_zone,
    };
    Ok(rows.into_iter().map(named).collect())
}

#[derive(sqlx::FromRow)]
struct LineRow {
    id: LineId,
    ordinal: i64,
    code: String,
    name: String,
    quantity: i64,
    price: i64,
    discount: i64,
    amount: i64,
    returned: i64,
    original_id: Option<PurchaseId>,
    original_document: Option<String>,
    original_at: Option<DateTime<Utc>>,
}

/// A receipt with its lines, what they earned, and what came back. Fails with [`Error::NotFound`] where it is not this
/// customer's.
pub async fn receipt(conn: &mut Conn, of: Subject, id: PurchaseId) -> Result<Receipt, Error> {
    const LINES: &str = "SELECT l.id, l.ordinal, a.code, a.name, l.quantity, l.price, l.discount, l.amount, l.returned, \
        p.id AS original_id, p.document AS original_document, p.at AS original_at \
        FROM purchase_lines l JOIN articles a ON a.id = l.article_id \
        LEFT JOIN purchase_lines o ON o.id = l.original_line_id \
        LEFT JOIN purchases p ON p.id = o.purchase_id AND p.customer_id = $2 \
        WHERE l.purchase_id = $1 ORDER BY l.ordinal";
    const RETURNS: &str = "SELECT r.original_line_id, p.id, p.document, p.at, -r.quantity, \
        COALESCE(p.customer_id = $2, FALSE) FROM purchase_lines l \
        JOIN purchase_lines r ON r.original_line_id = l.id JOIN purchases p ON p.id = r.purchase_id \
        WHERE l.purchase_id = $1 AND p.voided_at IS NULL ORDER BY p.at, p.id, r.ordinal";
    const TOOK_BACK: &str = "SELECT v.name, CAST(-SUM(o.amount) AS BIGINT) FROM transactions t \
        JOIN postings o ON o.transaction_id = t.id JOIN accounts a ON a.id = o.account_id AND a.customer_id = $2 \
        JOIN programs p ON p.id = t.program_id JOIN program_versions v ON v.program_id = p.id AND v.version = \
        COALESCE((SELECT MAX(w.version) FROM program_versions w WHERE w.program_id = p.id AND w.published_at <= $3), 1) \
        WHERE t.purchase_id = $1 AND t.kind = 'return' GROUP BY v.name, p.position, p.id ORDER BY p.position, p.id";
    const TOLD: &str = "SELECT channel, payments, purpose FROM purchases WHERE id = $1";
    let query = ListQuery::new(SELECT)
        .filter("p.id = ?", [Bind::Id(id.0)])
        .filter("p.customer_id = ?", [Bind::Id(of.id().0)]);
    let head: PurchaseRow = db::list(conn, query).await?.pop().ok_or(Error::NotFound)?;
    let (channel, payments, purpose): (Option<String>, String, Option<String>) =
        on!(conn, |c| sqlx::query_as(TOLD).bind(id).fetch_one(c).await)?;
    let rows: Vec<LineRow> = on!(conn, |c| sqlx::query_as(LINES)
        .bind(id)
        .bind(of.id())
        .fetch_all(c)
        .await)?;
    let returns: Vec<(LineId, PurchaseId, String, DateTime<Utc>, i64, bool)> = on!(conn, |c| sqlx::query_as(RETURNS)
        .bind(id)
        .bind(of.id())
        .fetch_all(c)
        .await)?;
    let now = conn.now();
    let took_back: Vec<(Json<Localized>, i64)> = on!(conn, |c| sqlx::query_as(TOOK_BACK)
        .bind(id)
        .bind(of.id())
        .bind(now)
        .fetch_all(c)
        .await)?;
    let earned = points::earned_on(conn, of, id).await?;
    let paid = spending::paid_on(conn, of, id).await?;
    let drawn = match paid.is_empty() {
        true => Vec::new(),
        false => spending::drawn_on(conn, of, id).await?,
    };
    let given = rules::parts_of(conn, &BTreeSet::from([id])).await?;
    let lines = rows
        .into_iter()
        .map(|row| Line {
            id: row.id,
            ordinal: row.ordinal,
            code: row.code,
            name: row.name,
            quantity: row.quantity,
            price: row.price,
            discount: row.discount,
            amount: row.amount,
            returned: row.returned,
            earned: earned.iter().filter(|earned| earned.line == row.id).cloned().collect(),
            paid: paid.iter().filter(|paid| paid.line == row.id).cloned().collect(),
            discounts: given.discounts(row.id),
            returns: returns
                .iter()
                .filter(|(line, ..)| *line == row.id)
                .map(|(_, purchase, document, at, quantity, own)| Reference {
                    purchase: *purchase,
                    document: document.clone(),
                    at: *at,
                    quantity: *quantity,
                    own: *own,
                })
                .collect(),
            original: match (row.original_id, row.original_document, row.original_at) {
                (Some(purchase), Some(document), Some(at)) => Some(Reference {
                    purchase,
                    document,
                    at,
                    quantity: -row.quantity,
                    own: true,
                }),
                _ => None,
            },
        })
        .collect();
    let took_back = took_back.into_iter().map(|(name, points)| (name.0, points)).collect();
    Ok(Receipt {
        head: head.into(),
        way: Way::from_words(channel.as_deref(), &payments),
        purpose,
        lines,
        took_back,
        drawn,
    })
}

/// Compares the sums of receipts with their lines, and what was returned with the returns.
pub async fn verify(db: &Db, _: &System) -> Result<Vec<Difference>, Error> {
    const CHECKS: [(&str, &str); 3] = [
        (
            "a receipt's total is the sum of its lines",
            "SELECT p.id, CAST(COALESCE(l.total, 0) AS BIGINT), p.total FROM purchases p LEFT JOIN \
             (SELECT purchase_id, SUM(amount) AS total FROM purchase_lines GROUP BY purchase_id) l \
             ON l.purchase_id = p.id WHERE p.total <> COALESCE(l.total, 0)",
        ),
        (
            "a receipt knows how many lines it has",
            "SELECT p.id, CAST(COALESCE(l.total, 0) AS BIGINT), p.line_count FROM purchases p LEFT JOIN \
             (SELECT purchase_id, COUNT(*) AS total FROM purchase_lines GROUP BY purchase_id) l \
             ON l.purchase_id = p.id WHERE p.line_count <> COALESCE(l.total, 0)",
        ),
        (
            "what came back of a line is what returns brought",
            "SELECT l.id, CAST(COALESCE(r.total, 0) AS BIGINT), l.returned FROM purchase_lines l LEFT JOIN \
             (SELECT b.original_line_id, -SUM(b.quantity) AS total FROM purchase_lines b \
             JOIN purchases p ON p.id = b.purchase_id WHERE b.original_line_id IS NOT NULL AND p.voided_at IS NULL \
             GROUP BY b.original_line_id) r ON r.original_line_id = l.id \
             WHERE l.returned <> COALESCE(r.total, 0) OR l.returned > ABS(l.quantity)",
        ),
    ];
    let mut conn = db.read().await?;
    let mut differences = Vec::new();
    for (what, sql) in CHECKS {
        let rows: Vec<(uuid::Uuid, i64, i64)> = on!(conn, |c| sqlx::query_as(sql).fetch_all(c).await)?;
        differences.extend(rows.into_iter().map(|(id, expected, found)| Difference {
            what,
            id,
            expected,
            found,
        }));
    }
    Ok(differences)
}
