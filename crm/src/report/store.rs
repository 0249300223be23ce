//! Figures by day, kept, so that a report of a year reads some thousands of rows and not millions of receipt lines.
//!
//! Whatever changes what is counted says of which moment it was ([`Tx::touch`](crate::db::Tx::touch)); at the end of its
//! transaction a row for each such day is written ([`mark`]), a row of its own, so that no two tills wait for each other. The
//! job ([`run_due`]) takes the marks of a day away and counts that day anew in the same transaction: what was committed before
//! is counted, and what is committed later has left a mark that is still there. [`verify`] counts everything anew and
//! compares.
//!
//! - A day is the shop's. Receipts count on their own day, whenever they come; points on the day on which they were written
//!   down, as in the books for the shop's accounts.
//! - Voided receipts count nowhere.
//! - An article counts in the category that it is in now: where one is moved, all days are counted anew ([`recount`]).
//! - A tier is the one that was noticed before the receipt, or before the points were written down.
//! - The shop of points is that of the receipt that brought them, took them or paid with them.
//! - What is owed by age, who is a member, and what customers found out by themselves, is counted once and stays: none of it can be found
//!   out later.
//! - Who registered, joined and left is marked by nothing, and looked at again and again ([`people`]).

pub mod explained;
mod people;
pub mod reading;
pub mod saved;

use super::{month_of, next_month};
use crate::content::{set_setting, setting};
use crate::db::{self, Bind, Conn, Db, ListQuery, Lock, Rows, Tx, scoped};
use crate::error::Error;
use crate::id::{ArticleId, CustomerId, PurchaseId};
use crate::on;
use crate::points::store::exports;
use crate::who::System;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What stands where a figure hangs on no shop or no part.
pub(super) const NIL: Uuid = Uuid::nil();
/// The setting that says by which time zone the days were counted; without it they are counted from the beginning.
const ZONE: &str = "reports.zone";

/// What is counted of a day, as a list within a query.
macro_rules! daily {
    () => {
        "'receipts', 'returns', 'sales', 'returned', 'known', 'discount', 'category_sales', 'category_pieces', \
         'tier_receipts', 'tier_sales', 'issued', 'spent', 'expired', 'adjusted', \
         'tier_issued', 'tier_spent', 'tier_expired', 'tier_adjusted'"
    };
}
/// What is counted of a month, likewise.
macro_rules! monthly {
    () => {
        "'customers', 'store_customers'"
    };
}

/// What is marked to be counted: a day, or a month by its first one.
const DAY: &str = "day";
const MONTH: &str = "month";

/// A figure's place within a day: what it is, of which shop and which part.
type Place = (&'static str, Uuid, Uuid);
/// The figures of a day; those that are zero are not there.
type Counted = BTreeMap<Place, i64>;

/// Writes down which days are to be counted again, at the end of the transaction that changed something of them.
pub(crate) async fn mark(tx: &mut Tx, days: &BTreeSet<NaiveDate>) -> Result<(), sqlx::Error> {
    marks(tx, days, DAY).await
}

async fn marks(tx: &mut Tx, days: &BTreeSet<NaiveDate>, kind: &'static str) -> Result<(), sqlx::Error> {
    let mut rows = Rows::new("INSERT INTO report_marks (id, day, kind)", "");
    for day in days {
        rows.push([Bind::Id(Uuid::now_v7()), Bind::Day(*day), Bind::Word(kind)]);
    }
    db::insert(tx, rows).await
}

/// Has all days counted again, in the background: an article went to another category, and it may have been sold on any.
pub(crate) async fn recount(tx: &mut Tx, article: ArticleId) -> Result<(), sqlx::Error> {
    const SQL: &str =
        "DELETE FROM settings WHERE key = $1 AND EXISTS (SELECT 1 FROM purchase_lines l WHERE l.article_id = $2)";
    on!(tx, |c| sqlx::query(SQL)
        .bind(ZONE)
        .bind(article)
        .execute(c)
        .await
        .map(drop))
}

/// Has the days counted again on which a customer bought: their receipts become somebody else's.
pub(crate) async fn touch_customer(tx: &mut Tx, customer: CustomerId) -> Result<(), sqlx::Error> {
    const SQL: &str = "SELECT at FROM purchases WHERE customer_id = $1";
    let moments: Vec<DateTime<Utc>> = on!(tx, |c| sqlx::query_scalar(SQL).bind(customer).fetch_all(c).await)?;
    for at in moments {
        tx.touch(at);
    }
    Ok(())
}

/// Has the days counted again on which points of a receipt were written down: it was in another shop.
pub(crate) async fn touch_points(tx: &mut Tx, purchase: PurchaseId) -> Result<(), sqlx::Error> {
    const SQL: &str = "SELECT recorded_at FROM transactions WHERE purchase_id = $1";
    let moments: Vec<DateTime<Utc>> = on!(tx, |c| sqlx::query_scalar(SQL).bind(purchase).fetch_all(c).await)?;
    for at in moments {
        tx.touch(at);
    }
    Ok(())
}

/// Counts what is due: days that changed, months in which they lie, what is owed today and who is a member, what customers
/// found out by themselves, and who came and went. Part of the regular work; it may come late, twice, or from several processes
/// at once. Ends early when `goes_on` says so. Tells how many days it counted because they had changed.
pub async fn run_due(db: &Db, by: &System, goes_on: impl Fn() -> bool) -> Result<u64, Error> {
    if setting(db, ZONE).await?.as_deref() != Some(db.shop().zone().name()) {
        db.write(|tx| scoped(begin(tx, by))).await?;
    }
    let mut counted = 0;
    // Days before months, for these are marked by them; each once a round, for what is sold marks today all the time.
    for kind in [DAY, MONTH] {
        let days = marked(&mut db.read().await?, kind).await?;
        for day in days {
            if !goes_on() {
                return Ok(counted);
            }
            db.write(|tx| scoped(count_anew(tx, day, kind))).await?;
            counted += 1;
        }
    }
    stand(db).await?;
    explained::run_due(db).await?;
    people::run_due(db, goes_on).await?;
    Ok(counted)
}

/// What is to be counted, the latest first: that is looked at.
async fn marked(conn: &mut Conn, kind: &'static str) -> Result<Vec<NaiveDate>, sqlx::Error> {
    const SQL: &str = "SELECT DISTINCT day FROM report_marks WHERE kind = $1 ORDER BY day DESC";
    on!(conn, |c| sqlx::query_scalar(SQL).bind(kind).fetch_all(c).await)
}

/// Begins to count from the first receipt on.
async fn begin(tx: &mut Tx, by: &System) -> Result<(), Error> {
    // Figures stay until their day is counted; by another zone the first and the last may be none any more.
    const GONE: &str = concat!(
        "DELETE FROM report_figures WHERE figure IN (",
        daily!(),
        ") AND (day < $1 OR day > $2)"
    );
    tx.lock(Lock::Counting, true).await?;
    people::again(tx).await?;
    if let Some((first, last)) = span(tx).await? {
        on!(tx, |c| sqlx::query(GONE)
            .bind(first)
            .bind(last)
            .execute(c)
            .await
            .map(drop))?;
        let days = first.iter_days().take_while(|day| *day <= last).collect();
        mark(tx, &days).await?;
    }
    let zone = tx.shop().zone().name();
    Ok(set_setting(tx, by, ZONE, zone).await?)
}

/// The first and the last day of which there is something to be counted.
async fn span(conn: &mut Conn) -> Result<Option<(NaiveDate, NaiveDate)>, sqlx::Error> {
    const SQL: [&str; 4] = [
        "SELECT MIN(at) FROM purchases",
        "SELECT MAX(at) FROM purchases",
        "SELECT MIN(recorded_at) FROM transactions",
        "SELECT MAX(recorded_at) FROM transactions",
    ];
    let mut days = BTreeSet::new();
    for sql in SQL {
        let at: Option<DateTime<Utc>> = on!(conn, |c| sqlx::query_scalar(sql).fetch_one(c).await)?;
        days.extend(at.map(|at| conn.shop().day(at)));
    }
    Ok(days.first().copied().zip(days.last().copied()))
}

/// Takes the marks of a day or a month away and counts it.
async fn count_anew(tx: &mut Tx, day: NaiveDate, kind: &'static str) -> Result<(), Error> {
    const CLAIM: &str = "DELETE FROM report_marks WHERE day = $1 AND kind = $2";
    const OF_DAY: &str = concat!(
        "DELETE FROM report_figures WHERE figure IN (",
        daily!(),
        ") AND day = $1"
    );
    const OF_MONTH: &str = concat!(
        "DELETE FROM report_figures WHERE figure IN (",
        monthly!(),
        ") AND day = $1"
    );
    tx.lock(Lock::Counting, true).await?;
    on!(tx, |c| sqlx::query(CLAIM)
        .bind(day)
        .bind(kind)
        .execute(c)
        .await
        .map(drop))?;
    let (gone, counted) = match kind {
        MONTH => (OF_MONTH, count_month(tx, day).await?),
        _ => (OF_DAY, count_day(tx, day).await?),
    };
    on!(tx, |c| sqlx::query(gone).bind(day).execute(c).await.map(drop))?;
    keep(tx, day, &counted).await?;
    if kind == DAY {
        marks(tx, &BTreeSet::from([month_of(day)]), MONTH).await?;
    }
    Ok(())
}

/// Writes figures down.
async fn keep(tx: &mut Tx, day: NaiveDate, counted: &Counted) -> Result<(), sqlx::Error> {
    let mut rows = Rows::new(
        "INSERT INTO report_figures (figure, day, store_id, part_id, value)",
        "ON CONFLICT (figure, day, store_id, part_id) DO UPDATE SET value = excluded.value",
    );
    for ((figure, store, part), value) in counted {
        rows.push([
            Bind::Word(figure),
            Bind::Day(day),
            Bind::Id(*store),
            Bind::Id(*part),
            Bind::Int(*value),
        ]);
    }
    db::insert(tx, rows).await
}

fn add(counted: &mut Counted, place: Place, value: i64) {
    if value != 0 {
        *counted.entry(place).or_default() += value;
    }
}

#[derive(sqlx::FromRow)]
struct OfStore {
    store_id: Option<Uuid>,
    receipts: i64,
    returns: i64,
    sales: i64,
    returned: i64,
    known: i64,
}

#[derive(sqlx::FromRow)]
struct OfCategory {
    store_id: Option<Uuid>,
    category_id: Option<Uuid>,
    sales: i64,
    pieces: i64,
    discount: i64,
}

#[derive(sqlx::FromRow)]
struct OfTier {
    store_id: Option<Uuid>,
    tier_id: Uuid,
    receipts: i64,
    sales: i64,
}

/// Counts a day.
async fn count_day(conn: &mut Conn, day: NaiveDate) -> Result<Counted, sqlx::Error> {
    const STORES: &str = "SELECT p.store_id, COUNT(CASE WHEN p.kind = 'sale' THEN 1 END) AS receipts, \
        COUNT(CASE WHEN p.kind = 'return' THEN 1 END) AS returns, \
        CAST(SUM(CASE WHEN p.kind = 'sale' THEN p.total ELSE 0 END) AS BIGINT) AS sales, \
        CAST(SUM(CASE WHEN p.kind = 'return' THEN -p.total ELSE 0 END) AS BIGINT) AS returned, \
        COUNT(CASE WHEN p.kind = 'sale' THEN p.customer_id END) AS known \
        FROM purchases p WHERE p.at >= $1 AND p.at < $2 AND p.voided_at IS NULL GROUP BY p.store_id";
    const CATEGORIES: &str = "SELECT p.store_id, a.category_id, CAST(SUM(l.amount) AS BIGINT) AS sales, \
        CAST(SUM(l.quantity) AS BIGINT) AS pieces, \
        CAST(SUM(CASE WHEN l.quantity > 0 THEN l.discount ELSE 0 END) AS BIGINT) AS discount \
        FROM purchases p JOIN purchase_lines l ON l.purchase_id = p.id JOIN articles a ON a.id = l.article_id \
        WHERE p.at >= $1 AND p.at < $2 AND p.voided_at IS NULL GROUP BY p.store_id, a.category_id";
    // Of each program the change that was noticed last before the receipt.
    const TIERS: &str = "SELECT p.store_id, c.tier_id, COUNT(*) AS receipts, CAST(SUM(p.total) AS BIGINT) AS sales \
        FROM purchases p JOIN tier_changes c ON c.customer_id = p.customer_id AND c.at < p.at AND c.tier_id IS NOT NULL \
        WHERE p.at >= $1 AND p.at < $2 AND p.voided_at IS NULL AND p.kind = 'sale' AND NOT EXISTS \
        (SELECT 1 FROM tier_changes n WHERE n.customer_id = c.customer_id AND n.program_id = c.program_id AND n.at < p.at \
        AND (n.at, n.id) > (c.at, c.id)) GROUP BY p.store_id, c.tier_id";
    const POINTS: &str = "SELECT t.program_id, a.kind, p.store_id, CAST(SUM(o.amount) AS BIGINT) FROM transactions t \
        JOIN postings o ON o.transaction_id = t.id JOIN accounts a ON a.id = o.account_id \
        LEFT JOIN purchases p ON p.id = t.purchase_id \
        WHERE t.recorded_at >= $1 AND t.recorded_at < $2 AND a.customer_id IS NULL \
        GROUP BY t.program_id, a.kind, p.store_id";
    const TIER_POINTS: &str = "SELECT c.tier_id, a.kind, p.store_id, CAST(SUM(o.amount) AS BIGINT) FROM transactions t \
        JOIN tier_changes c ON c.customer_id = t.customer_id AND c.program_id = t.program_id AND c.at < t.recorded_at \
        AND c.tier_id IS NOT NULL JOIN postings o ON o.transaction_id = t.id JOIN accounts a ON a.id = o.account_id \
        LEFT JOIN purchases p ON p.id = t.purchase_id \
        WHERE t.recorded_at >= $1 AND t.recorded_at < $2 AND a.customer_id IS NULL AND NOT EXISTS \
        (SELECT 1 FROM tier_changes n WHERE n.customer_id = c.customer_id AND n.program_id = c.program_id \
        AND n.at < t.recorded_at AND (n.at, n.id) > (c.at, c.id)) GROUP BY c.tier_id, a.kind, p.store_id";
    let (first, next) = moments(conn, day, day.succ_opt().unwrap_or(day));
    let mut counted = Counted::new();
    let stores: Vec<OfStore> = on!(conn, |c| sqlx::query_as(STORES)
        .bind(first)
        .bind(next)
        .fetch_all(c)
        .await)?;
    for row in stores {
        let store = row.store_id.unwrap_or(NIL);
        for (figure, value) in [
            ("receipts", row.receipts),
            ("returns", row.returns),
            ("sales", row.sales),
            ("returned", row.returned),
            ("known", row.known),
        ] {
            add(&mut counted, (figure, store, NIL), value);
        }
    }
    let categories: Vec<OfCategory> = on!(conn, |c| sqlx::query_as(CATEGORIES)
        .bind(first)
        .bind(next)
        .fetch_all(c)
        .await)?;
    for row in categories {
        let store = row.store_id.unwrap_or(NIL);
        let category = row.category_id.unwrap_or(NIL);
        add(&mut counted, ("category_sales", store, category), row.sales);
        add(&mut counted, ("category_pieces", store, category), row.pieces);
        add(&mut counted, ("discount", store, NIL), row.discount);
    }
    let tiers: Vec<OfTier> = on!(conn, |c| sqlx::query_as(TIERS)
        .bind(first)
        .bind(next)
        .fetch_all(c)
        .await)?;
    for row in tiers {
        let store = row.store_id.unwrap_or(NIL);
        add(&mut counted, ("tier_receipts", store, row.tier_id), row.receipts);
        add(&mut counted, ("tier_sales", store, row.tier_id), row.sales);
    }
    for (sql, [issued, adjusted, spent, expired]) in [
        (POINTS, ["issued", "adjusted", "spent", "expired"]),
        (
            TIER_POINTS,
            ["tier_issued", "tier_adjusted", "tier_spent", "tier_expired"],
        ),
    ] {
        let points: Vec<(Uuid, String, Option<Uuid>, i64)> =
            on!(conn, |c| sqlx::query_as(sql).bind(first).bind(next).fetch_all(c).await)?;
        for (part, account, store, amount) in points {
            // What leaves a program's account comes to customers, and the other way about.
            let (figure, value) = match account.as_str() {
                // Whoever pays for them.
                "issued" | "partner" => (issued, -amount),
                "adjustment" => (adjusted, -amount),
                "spent" => (spent, amount),
                "expired" => (expired, amount),
                _ => continue,
            };
            add(&mut counted, (figure, store.unwrap_or(NIL), part), value);
        }
    }
    Ok(counted)
}

/// Counts who bought in a month, which begins on a day: in all, and shop by shop.
async fn count_month(conn: &mut Conn, first: NaiveDate) -> Result<Counted, sqlx::Error> {
    const ALL: &str = "SELECT COUNT(DISTINCT customer_id) FROM purchases \
        WHERE at >= $1 AND at < $2 AND voided_at IS NULL AND kind = 'sale'";
    const STORES: &str = "SELECT store_id, COUNT(DISTINCT customer_id) FROM purchases \
        WHERE at >= $1 AND at < $2 AND voided_at IS NULL AND kind = 'sale' GROUP BY store_id";
    let (begin, end) = moments(conn, first, next_month(first));
    let mut counted = Counted::new();
    let all: i64 = on!(conn, |c| sqlx::query_scalar(ALL)
        .bind(begin)
        .bind(end)
        .fetch_one(c)
        .await)?;
    add(&mut counted, ("customers", NIL, NIL), all);
    let stores: Vec<(Option<Uuid>, i64)> = on!(conn, |c| sqlx::query_as(STORES)
        .bind(begin)
        .bind(end)
        .fetch_all(c)
        .await)?;
    for (store, customers) in stores {
        add(&mut counted, ("store_customers", store.unwrap_or(NIL), NIL), customers);
    }
    Ok(counted)
}

/// The first moment of a day, and that of another one.
pub(super) fn moments(conn: &Conn, first: NaiveDate, next: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
    (conn.shop().midnight(first), conn.shop().midnight(next))
}

/// What is owed in lots of the ages that the shop's accounts tell, by its figure.
pub(super) const OWED: [(i64, &str); 6] = [
    (0, "owed_0"),
    (30, "owed_30"),
    (90, "owed_90"),
    (180, "owed_180"),
    (365, "owed_365"),
    (730, "owed_730"),
];

/// Whoever bought within so many days is active.
const ACTIVE: i64 = 30;

/// Counts customers and those of them who are active, by their favourite shop: all of them, the members of each program, and those
/// who have each tier.
async fn count_members(conn: &mut Conn) -> Result<Counted, sqlx::Error> {
    macro_rules! members {
        ($part:literal, $from:literal, $and:literal, $by:literal) => {
            concat!(
                "SELECT c.favourite_store_id, ",
                $part,
                ", COUNT(*), COUNT(CASE WHEN EXISTS (SELECT 1 FROM purchases p WHERE p.customer_id = c.id AND p.at >= $1 \
                 AND p.kind = 'sale' AND p.voided_at IS NULL) THEN 1 END) FROM ",
                $from,
                " WHERE c.merged_into IS NULL AND c.erased_at IS NULL",
                $and,
                " GROUP BY c.favourite_store_id",
                $by
            )
        };
    }
    const ALL: &str = members!("CAST(NULL AS UUID)", "customers c", "", "");
    const PROGRAMS: &str = members!(
        "m.program_id",
        "memberships m JOIN customers c ON c.id = m.customer_id",
        " AND m.left_at IS NULL",
        ", m.program_id"
    );
    const TIERS: &str = members!(
        "s.tier_id",
        "tier_standings s JOIN memberships m ON m.customer_id = s.customer_id AND m.program_id = s.program_id \
         JOIN customers c ON c.id = s.customer_id",
        " AND m.left_at IS NULL AND s.tier_id IS NOT NULL",
        ", s.tier_id"
    );
    let since = conn.now() - Duration::days(ACTIVE);
    // A zero stands there as well: it says that the day was counted.
    let mut counted = Counted::from([(("members", NIL, NIL), 0)]);
    for sql in [ALL, PROGRAMS, TIERS] {
        let rows: Vec<(Option<Uuid>, Option<Uuid>, i64, i64)> =
            on!(conn, |c| sqlx::query_as(sql).bind(since).fetch_all(c).await)?;
        for (store, part, members, active) in rows {
            let (store, part) = (store.unwrap_or(NIL), part.unwrap_or(NIL));
            add(&mut counted, ("members", store, part), members);
            add(&mut counted, ("active", store, part), active);
        }
    }
    Ok(counted)
}

/// Counts what is owed by age and who is a member, once a day, when it begins: to ask all lots and all customers takes its time. So that
/// is how the day before ended.
async fn stand(db: &Db) -> Result<(), Error> {
    const KNOWN: &str = "SELECT day FROM report_figures WHERE figure = 'owed_0' AND day = $1 LIMIT 1";
    const PROGRAMS: &str = "SELECT id, code FROM programs";
    let today = db.shop().day(db.now());
    let mut conn = db.read().await?;
    let known: Option<NaiveDate> = on!(conn, |c| sqlx::query_scalar(KNOWN).bind(today).fetch_optional(c).await)?;
    if known.is_some() {
        return Ok(());
    }
    let programs: Vec<(Uuid, String)> = on!(conn, |c| sqlx::query_as(PROGRAMS).fetch_all(c).await)?;
    let owed = exports::owed(&mut conn).await?;
    let mut counted = count_members(&mut conn).await?;
    drop(conn);
    // A zero as well.
    counted.insert(("owed_0", NIL, NIL), 0);
    for one in owed {
        let program = programs.iter().find(|(_, code)| *code == one.program);
        let figure = OWED.iter().find(|(from, _)| *from == one.from_days);
        if let (Some((program, _)), Some((_, figure))) = (program, figure) {
            *counted.entry((*figure, NIL, *program)).or_default() += one.points;
        }
    }
    let counted = &counted;
    db.write(|tx| scoped(async move { Ok(keep(tx, today, counted).await?) }))
        .await
}

/// A figure that is kept and is not what counting finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The day, or the first of the month.
    pub day: NaiveDate,
    /// The figure.
    pub figure: String,
    /// Of which shop; nil: none, or all.
    pub store: Uuid,
    /// Of which category, tier or program; nil: none.
    pub part: Uuid,
    /// What is kept.
    pub kept: i64,
    /// What there is.
    pub counted: i64,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            day,
            figure,
            store,
            part,
            kept,
            counted,
        } = self;
        write!(
            f,
            "{day} {figure} (shop {store}, part {part}): {kept} is kept, {counted} is counted"
        )
    }
}

/// Counts every day and every month anew and compares. What is marked to be counted again is left out: it is known to be
/// behind. So is who came and went, which is compared once a day anyway.
pub async fn verify(db: &Db, _by: &System) -> Result<Vec<Difference>, Error> {
    const KEPT: &str = concat!(
        "SELECT MIN(day), MAX(day) FROM report_figures WHERE figure IN (",
        daily!(),
        ")"
    );
    let mut conn = db.read().await?;
    let kept: (Option<NaiveDate>, Option<NaiveDate>) = on!(conn, |c| sqlx::query_as(KEPT).fetch_one(c).await)?;
    let days: BTreeSet<NaiveDate> = span(&mut conn)
        .await?
        .into_iter()
        .flat_map(|(first, last)| [first, last])
        .chain(kept.0)
        .chain(kept.1)
        .collect();
    let (Some(first), Some(last)) = (days.first().copied(), days.last().copied()) else {
        return Ok(Vec::new());
    };
    let mut differences = Vec::new();
    for day in first.iter_days().take_while(|day| *day <= last) {
        differences.extend(compare(&mut conn, day, DAY).await?);
        if day == first || day == month_of(day) {
            differences.extend(compare(&mut conn, month_of(day), MONTH).await?);
        }
    }
    Ok(differences)
}

/// Compares a day or a month.
async fn compare(conn: &mut Conn, day: NaiveDate, kind: &'static str) -> Result<Vec<Difference>, Error> {
    const OF_DAY: &str = concat!(
        "SELECT figure, store_id, part_id, value FROM report_figures WHERE figure IN (",
        daily!(),
        ") AND day = $1"
    );
    const OF_MONTH: &str = concat!(
        "SELECT figure, store_id, part_id, value FROM report_figures WHERE figure IN (",
        monthly!(),
        ") AND day = $1"
    );
    const WAITS: &str = "SELECT day FROM report_marks WHERE kind = 'day' AND day >= $1 AND day < $2 \
                         UNION ALL SELECT day FROM report_marks WHERE kind = 'month' AND day = $3 LIMIT 1";
    let mut differences = Vec::new();
    // A month waits for its days as well.
    let (next, month) = match kind {
        MONTH => (next_month(day), Some(day)),
        _ => (day.succ_opt().unwrap_or(day), None),
    };
    // A sale that is booked between the two looks is a difference and none: so twice.
    for _ in 0..2 {
        let sql = if kind == MONTH { OF_MONTH } else { OF_DAY };
        let kept: Vec<(String, Uuid, Uuid, i64)> = on!(conn, |c| sqlx::query_as(sql).bind(day).fetch_all(c).await)?;
        let counted = match kind {
            MONTH => count_month(conn, day).await?,
            _ => count_day(conn, day).await?,
        };
        let waits: Option<NaiveDate> = on!(conn, |c| sqlx::query_scalar(WAITS)
            .bind(day)
            .bind(next)
            .bind(month)
            .fetch_optional(c)
            .await)?;
        let mut both: BTreeMap<(String, Uuid, Uuid), (i64, i64)> = BTreeMap::new();
        for (figure, store, part, value) in kept {
            both.entry((figure, store, part)).or_default().0 = value;
        }
        for ((figure, store, part), value) in counted {
            both.entry((figure.to_owned(), store, part)).or_default().1 = value;
        }
        differences = both
            .into_iter()
            .filter(|(_, (kept, counted))| kept != counted)
            .map(|((figure, store, part), (kept, counted))| Difference {
                day,
                figure,
                store,
                part,
                kept,
                counted,
            })
            .collect();
        if differences.is_empty() || waits.is_some() {
            return Ok(Vec::new());
        }
    }
    Ok(differences)
}

/// The sums of figures by what a query groups by.
pub(super) async fn sums<K>(
    conn: &mut Conn,
    select: &'static str,
    tail: &'static str,
    figures: &[&'static str],
    (from, to): (NaiveDate, NaiveDate),
    (store, part): (Option<Uuid>, Option<Uuid>),
) -> Result<Vec<(String, K, i64)>, sqlx::Error>
where
    K: Send + Unpin,
    for<'r> (String, K, i64): sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + sqlx::FromRow<'r, sqlx::postgres::PgRow>,
{
    let mut query = ListQuery::new(select)
        .within("figure", figures.iter().map(|figure| Bind::Word(figure)))
        .filter("day >= ? AND day <= ?", [Bind::Day(from), Bind::Day(to)]);
    if let Some(store) = store {
        query = query.filter("store_id = ?", [Bind::Id(store)]);
    }
    if let Some(part) = part {
        query = query.filter("part_id = ?", [Bind::Id(part)]);
    }
    db::list(conn, query.tail(tail)).await
}
