//! Looking for what is odd: an hourly job walks over what was booked since the last time and a while before, asks each rule about
//! it, and writes down what was found with what speaks for it. It can run late, twice or on several nodes with the same result:
//! of each customer, rule and thing there is one open alert, and what stands in another one, or in one that was decided about,
//! speaks for no new one.
//!
//! Receipts and transfers are met in the order of their ids, which is that of booking: so what comes late from a till is met as
//! well, and an hour costs what was booked in it. What was found is told by their own times.

use super::{COUNTED_MAX, EvidenceKind, Limits, Rule};
use crate::content::{set_setting, setting};
use crate::db::{self, Bind, Conn, Db, Rows, Tx, scoped};
use crate::error::Error;
use crate::id::{CustomerId, FraudAlertId, ProgramId, PurchaseId, StoreId, TillId, TransferId};
use crate::on;
use crate::purchase::Kind;
use crate::who::System;
use crate::work;
use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The facts about the database that say how far receipts and transfers were looked at, and when somebody began to.
const PURCHASES: &str = "fraud_purchases";
const TRANSFERS: &str = "fraud_transfers";
const BEGUN: &str = "fraud_looked_at";
/// How many receipts or transfers are looked at before that is written down.
const BATCH: i64 = 1_000;
/// From how long before the last one on is looked once more, in milliseconds: what was being booked then may not have been seen.
const OVERLAP: u128 = 10 * 60 * 1_000;
/// What is older is let be: an import of many years would be a list of what nobody can ask about any more. No rule looks back
/// further than [`Rule::most`] says.
const BACK: Duration = Duration::days(60);
/// The most transfers of one customer that are followed.
const FOLLOWED: i64 = 50;

/// The rules that are looked for.
type Rules = BTreeMap<Rule, Limits>;

/// What was found.
struct Found {
    rule: Rule,
    limits: Limits,
    /// Whom and what it is about.
    mark: String,
    customer: CustomerId,
    measure: i64,
    out_of: Option<i64>,
    evidence: Vec<Proof>,
}

/// What speaks for it.
#[derive(sqlx::FromRow)]
struct Proof {
    kind: EvidenceKind,
    id: Uuid,
    customer_id: CustomerId,
    at: DateTime<Utc>,
}

/// True for the receipt `p` unless it stands in an alert of the rule `$1` that is about something other than `$2` or was decided
/// about. By `CROSS JOIN` SQLite begins with the receipt, and not with all that the rule ever found.
macro_rules! is_untold {
    () => {
        "NOT EXISTS (SELECT 1 FROM fraud_evidence e CROSS JOIN fraud_alerts a WHERE e.row_id = p.id \
         AND a.id = e.alert_id AND a.rule = $1 AND (a.mark <> $2 OR a.state <> 'open'))"
    };
}

/// The columns of a [`Proof`] out of sales of the customer `$3` that count.
macro_rules! sales_of {
    ($rest:literal) => {
        concat!(
            "SELECT 'purchase' AS kind, p.id, p.customer_id, p.at FROM purchases p WHERE p.customer_id = $3 \
             AND p.kind = 'sale' AND p.voided_at IS NULL AND ",
            is_untold!(),
            $rest
        )
    };
}

/// Looks, once an hour by one node. `goes_on` says whether there is time for more. How many alerts are new.
pub async fn run_due(db: &Db, by: &System, goes_on: impl Fn() -> bool + Send + Sync) -> Result<u64, Error> {
    match work::once_in(db, BEGUN, Duration::minutes(55)).await? {
        true => look(db, by, goes_on).await,
        false => Ok(0),
    }
}

/// The same at once.
pub async fn look(db: &Db, by: &System, goes_on: impl Fn() -> bool + Send + Sync) -> Result<u64, Error> {
    let rules = rules(&mut db.read().await?).await?;
    let found = look_at_purchases(db, by, &rules, &goes_on).await?;
    Ok(found + look_at_transfers(db, by, &rules, &goes_on).await?)
}

async fn rules(conn: &mut Conn) -> Result<Rules, Error> {
    const SQL: &str = "SELECT code, least, days, share FROM fraud_rules WHERE enabled";
    let rows: Vec<(String, i64, i64, i64)> = on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
    // One that another release knows is let be.
    let rules = rows.into_iter().filter_map(|(code, least, days, share)| {
        let limits = Limits { least, days, share };
        Some((Rule::from_word(&code)?, limits))
    });
    Ok(rules.collect())
}

/// After which id is looked on.
async fn begin(db: &Db, key: &str) -> Result<Uuid, Error> {
    let told = setting(db, key).await?.and_then(|id| id.parse::<Uuid>().ok());
    // The first 48 bits of an id are the time, in milliseconds.
    Ok(told.map_or(Uuid::nil(), |id| {
        Uuid::from_u128(id.as_u128().saturating_sub(OVERLAP << 80))
    }))
}

/// Writes down what was found, and how far was looked; how many alerts are new.
async fn keep(db: &Db, by: &System, key: &str, last: Uuid, found: &[Found]) -> Result<u64, Error> {
    let mut new = 0;
    for one in found {
        new += u64::from(db.write(|tx| scoped(raise(tx, one))).await?);
    }
    let last = &last.to_string();
    db.write(|tx| scoped(async move { Ok::<_, Error>(set_setting(tx, by, key, last).await?) }))
        .await?;
    Ok(new)
}

/// Writes one alert down, or adds to the open one about the same; whether it is new.
async fn raise(tx: &mut Tx, one: &Found) -> Result<bool, Error> {
    const NEW: &str = "INSERT INTO fraud_alerts (id, rule, mark, customer_id, state, measure, out_of, limits, found_at, changed_at) \
                       VALUES ($1, $2, $3, $4, 'open', $5, $6, $7, $8, $8) ON CONFLICT (rule, mark) WHERE state = 'open' DO NOTHING";
    // Nobody decides about it meanwhile: what is added now nobody has read.
    const OPEN: &str =
        "UPDATE fraud_alerts SET state = state WHERE rule = $1 AND mark = $2 AND state = 'open' RETURNING id";
    const GREW: &str = "UPDATE fraud_alerts SET measure = $2, out_of = $3, changed_at = $4 WHERE id = $1";
    let now = tx.now();
    let rows = on!(tx, |c| sqlx::query(NEW)
        .bind(FraudAlertId::new())
        .bind(one.rule)
        .bind(&one.mark)
        .bind(one.customer)
        .bind(one.measure)
        .bind(one.out_of)
        .bind(Json(&one.limits))
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    let is_new = rows == 1;
    let id: Option<FraudAlertId> = on!(tx, |c| sqlx::query_scalar(OPEN)
        .bind(one.rule)
        .bind(&one.mark)
        .fetch_optional(c)
        .await)?;
    // A colleague decided in this very moment.
    let Some(id) = id else { return Ok(false) };
    let mut proofs = Rows::new(
        "INSERT INTO fraud_evidence (id, alert_id, kind, row_id, customer_id, at)",
        "ON CONFLICT (alert_id, row_id) DO NOTHING RETURNING id",
    );
    for proof in &one.evidence {
        proofs.push([
            Bind::Id(Uuid::now_v7()),
            Bind::Id(id.0),
            Bind::Word(proof.kind.as_str()),
            Bind::Id(proof.id),
            Bind::Id(proof.customer_id.0),
            Bind::Time(proof.at),
        ]);
    }
    let added: Vec<(Uuid,)> = db::insert_returning(tx, proofs).await?;
    if !added.is_empty() && !is_new {
        on!(tx, |c| sqlx::query(GREW)
            .bind(id)
            .bind(one.measure)
            .bind(one.out_of)
            .bind(now)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(is_new)
}

/// Whether a row stands in an alert of a rule that is about something else or was decided about.
async fn is_told(conn: &mut Conn, rule: Rule, mark: &str, row: Uuid) -> Result<bool, Error> {
    const SQL: &str = "SELECT COUNT(*) FROM fraud_evidence e CROSS JOIN fraud_alerts a WHERE e.row_id = $3 \
                       AND a.id = e.alert_id AND a.rule = $1 AND (a.mark <> $2 OR a.state <> 'open')";
    let told: i64 = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(rule)
        .bind(mark)
        .bind(row)
        .fetch_one(c)
        .await)?;
    Ok(told > 0)
}

// Receipts --------------------------------------------------------------------------------------------------------------

/// A receipt that was booked.
#[derive(sqlx::FromRow)]
struct Receipt {
    id: PurchaseId,
    kind: Kind,
    customer_id: Option<CustomerId>,
    store_id: Option<StoreId>,
    till_id: Option<TillId>,
    at: DateTime<Utc>,
    voided_at: Option<DateTime<Utc>>,
}

/// A till within a shop. Where one of them is not known, the other stands for it.
type Place = (Uuid, Uuid);

impl Receipt {
    fn place(&self) -> Option<Place> {
        let (store, till) = (self.store_id.map(|id| id.0), self.till_id.map(|id| id.0));
        Some((store.or(till)?, till.or(store)?))
    }
}

async fn look_at_purchases(
    db: &Db,
    by: &System,
    rules: &Rules,
    goes_on: &(impl Fn() -> bool + Send + Sync),
) -> Result<u64, Error> {
    const SQL: &str = "SELECT id, kind, customer_id, store_id, till_id, at, voided_at FROM purchases WHERE id > $1 \
                       ORDER BY id LIMIT $2";
    let (mut after, mut new) = (begin(db, PURCHASES).await?, 0);
    while goes_on() {
        let mut conn = db.read().await?;
        let since = conn.now() - BACK;
        let receipts: Vec<Receipt> = on!(conn, |c| sqlx::query_as(SQL).bind(after).bind(BATCH).fetch_all(c).await)?;
        let Some(last) = receipts.last() else { break };
        after = last.id.0;
        let mut found = Vec::new();
        // Of each customer a day, and a place with the latest time there, are asked about once.
        let mut of_days: BTreeSet<(CustomerId, NaiveDate)> = BTreeSet::new();
        let mut of_places: BTreeMap<(CustomerId, Place), DateTime<Utc>> = BTreeMap::new();
        for receipt in receipts.iter().filter(|one| one.voided_at.is_none() && one.at >= since) {
            match (receipt.kind, receipt.customer_id) {
                (Kind::Return, _) => found.extend(spent_and_returned(&mut conn, rules, receipt).await?),
                (Kind::Sale, None) => {}
                (Kind::Sale, Some(customer)) => {
                    let day = conn.shop().day(receipt.at);
                    of_days.insert((customer, day));
                    if let Some(place) = receipt.place() {
                        let latest = of_places.entry((customer, place)).or_insert(receipt.at);
                        *latest = (*latest).max(receipt.at);
                    }
                }
            }
        }
        for (customer, day) in of_days {
            found.extend(many_purchases(&mut conn, rules, customer, day).await?);
        }
        for ((customer, place), until) in of_places {
            found.extend(one_till(&mut conn, rules, customer, place, until).await?);
        }
        drop(conn);
        new += keep(db, by, PURCHASES, after, &found).await?;
    }
    Ok(new)
}

/// Many purchases of a customer on one day.
async fn many_purchases(
    conn: &mut Conn,
    rules: &Rules,
    customer: CustomerId,
    day: NaiveDate,
) -> Result<Option<Found>, Error> {
    const SQL: &str = sales_of!(" AND p.at >= $4 AND p.at < $5 ORDER BY p.at, p.id LIMIT $6");
    let rule = Rule::ManyPurchases;
    let Some(&limits) = rules.get(&rule) else {
        return Ok(None);
    };
    let shop = conn.shop().clone();
    let mark = format!("{customer} {day}");
    let evidence: Vec<Proof> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(rule)
        .bind(&mark)
        .bind(customer)
        .bind(shop.midnight(day))
        .bind(shop.midnight(day + Days::new(1)))
        .bind(COUNTED_MAX)
        .fetch_all(c)
        .await)?;
    let measure = count(&evidence);
    Ok((measure >= limits.least).then_some(Found {
        rule,
        limits,
        mark,
        customer,
        measure,
        out_of: None,
        evidence,
    }))
}

fn count(evidence: &[Proof]) -> i64 {
    i64::try_from(evidence.len()).unwrap_or(i64::MAX)
}

/// A large share of the receipts of one till, up to a moment.
async fn one_till(
    conn: &mut Conn,
    rules: &Rules,
    customer: CustomerId,
    (store, till): Place,
    until: DateTime<Utc>,
) -> Result<Option<Found>, Error> {
    const THEIRS: &str = sales_of!(
        " AND COALESCE(p.store_id, p.till_id) = $4 AND COALESCE(p.till_id, p.store_id) = $5 AND p.at > $6 AND p.at <= $7 \
         ORDER BY p.at, p.id LIMIT $8"
    );
    const ALL: &str = "SELECT COUNT(*) FROM purchases p WHERE COALESCE(p.store_id, p.till_id) = $1 \
                       AND COALESCE(p.till_id, p.store_id) = $2 AND p.at > $3 AND p.at <= $4 AND p.kind = 'sale' \
                       AND p.customer_id IS NOT NULL AND p.voided_at IS NULL";
    let rule = Rule::OneTill;
    let Some(&limits) = rules.get(&rule) else {
        return Ok(None);
    };
    let since = until - Duration::days(limits.days);
    let mark = format!("{customer} {store} {till}");
    let evidence: Vec<Proof> = on!(conn, |c| sqlx::query_as(THEIRS)
        .bind(rule)
        .bind(&mark)
        .bind(customer)
        .bind(store)
        .bind(till)
        .bind(since)
        .bind(until)
        .bind(COUNTED_MAX)
        .fetch_all(c)
        .await)?;
    let measure = count(&evidence);
    if measure < limits.least {
        return Ok(None);
    }
    let all: i64 = on!(conn, |c| sqlx::query_scalar(ALL)
        .bind(store)
        .bind(till)
        .bind(since)
        .bind(until)
        .fetch_one(c)
        .await)?;
    Ok((measure * 100 >= limits.share * all).then_some(Found {
        rule,
        limits,
        mark,
        customer,
        measure,
        out_of: Some(all),
        evidence,
    }))
}

/// What a return took back of the points that a sale had put into a lot.
#[derive(sqlx::FromRow)]
struct TakenBack {
    lot_id: Uuid,
    sale: PurchaseId,
    customer_id: CustomerId,
    at: DateTime<Utc>,
    points: i64,
}

/// Points that were spent before the goods came back that had earned them. What paid is known lot by lot, so points of other
/// purchases are not taken for them.
async fn spent_and_returned(conn: &mut Conn, rules: &Rules, receipt: &Receipt) -> Result<Vec<Found>, Error> {
    const EARNED: &str = "SELECT a.lot_id, s.id AS sale, s.customer_id, s.at, CAST(SUM(a.taken_back) AS BIGINT) AS points \
        FROM purchase_lines l JOIN purchase_lines o ON o.id = l.original_line_id JOIN accruals a ON a.line_id = o.id \
        JOIN purchases s ON s.id = o.purchase_id WHERE l.purchase_id = $1 AND a.taken_back > 0 AND s.customer_id IS NOT NULL \
        AND s.at >= $2 GROUP BY a.lot_id, s.id, s.customer_id, s.at ORDER BY s.at, s.id, a.lot_id";
    // What went back to the lot since then was not kept.
    const SPENT: &str = "SELECT t.id, t.at, x.points - CAST(COALESCE((SELECT SUM(r.points) FROM restorations r \
        WHERE r.allocation_id = x.id), 0) AS BIGINT) AS points FROM allocations x JOIN transactions t ON t.id = x.transaction_id \
        WHERE x.lot_id = $1 AND t.kind IN ('redemption', 'transfer') AND t.at <= $2 ORDER BY t.at, t.id";
    let rule = Rule::SpentAndReturned;
    let Some(&limits) = rules.get(&rule) else {
        return Ok(Vec::new());
    };
    let earned: Vec<TakenBack> = on!(conn, |c| sqlx::query_as(EARNED)
        .bind(receipt.id)
        .bind(receipt.at - Duration::days(limits.days))
        .fetch_all(c)
        .await)?;
    // A sale may have earned in several programs, and so in several lots.
    let mut by_sale: BTreeMap<PurchaseId, Found> = BTreeMap::new();
    for lot in earned {
        let mark = lot.sale.to_string();
        if is_told(conn, rule, &mark, receipt.id.0).await? {
            continue;
        }
        let spent: Vec<(Uuid, DateTime<Utc>, i64)> = on!(conn, |c| sqlx::query_as(SPENT)
            .bind(lot.lot_id)
            .bind(receipt.at)
            .fetch_all(c)
            .await)?;
        let spent: Vec<_> = spent.into_iter().filter(|(_, _, points)| *points > 0).collect();
        let points: i64 = spent.iter().map(|(_, _, points)| points).sum();
        let customer = lot.customer_id;
        let proof = |kind, id, at| Proof {
            kind,
            id,
            customer_id: customer,
            at,
        };
        let found = by_sale.entry(lot.sale).or_insert_with(|| Found {
            rule,
            limits,
            mark,
            customer,
            measure: 0,
            out_of: None,
            evidence: vec![
                proof(EvidenceKind::Purchase, lot.sale.0, lot.at),
                proof(EvidenceKind::Purchase, receipt.id.0, receipt.at),
            ],
        });
        found.measure += points.min(lot.points);
        let spendings = spent
            .into_iter()
            .map(|(id, at, _)| proof(EvidenceKind::Transaction, id, at));
        found.evidence.extend(spendings);
    }
    let least = limits.least.saturating_mul(100);
    Ok(by_sale.into_values().filter(|found| found.measure >= least).collect())
}

// Transfers -------------------------------------------------------------------------------------------------------------

/// A transfer of points.
#[derive(Clone, sqlx::FromRow)]
struct Transfer {
    id: TransferId,
    program_id: ProgramId,
    from_id: CustomerId,
    to_id: CustomerId,
    state: String,
    created_at: DateTime<Utc>,
}

/// The columns of a [`Transfer`].
macro_rules! transfers {
    ($rest:literal) => {
        concat!(
            "SELECT id, program_id, from_id, to_id, state, created_at FROM transfers",
            $rest
        )
    };
}

/// Those that went on or came before, `$1` being who gave or was given: within a time, the latest first.
macro_rules! near {
    ($whose:literal) => {
        concat!(
            transfers!(" WHERE "),
            $whose,
            " = $1 AND program_id = $2 AND created_at >= $3 AND created_at <= $4 AND state IN ('pending', 'completed') \
             ORDER BY created_at DESC, id DESC LIMIT $5"
        )
    };
}

async fn look_at_transfers(
    db: &Db,
    by: &System,
    rules: &Rules,
    goes_on: &(impl Fn() -> bool + Send + Sync),
) -> Result<u64, Error> {
    const SQL: &str = transfers!(" WHERE id > $1 ORDER BY id LIMIT $2");
    let (mut after, mut new) = (begin(db, TRANSFERS).await?, 0);
    while goes_on() {
        let mut conn = db.read().await?;
        let since = conn.now() - BACK;
        let given: Vec<Transfer> = on!(conn, |c| sqlx::query_as(SQL).bind(after).bind(BATCH).fetch_all(c).await)?;
        let Some(last) = given.last() else { break };
        after = last.id.0;
        let mut found = Vec::new();
        let counts =
            |one: &&Transfer| ["pending", "completed"].contains(&one.state.as_str()) && one.created_at >= since;
        for one in given.iter().filter(counts) {
            found.extend(ring(&mut conn, rules, one).await?);
        }
        drop(conn);
        new += keep(db, by, TRANSFERS, after, &found).await?;
    }
    Ok(new)
}

/// A ring that this transfer closed.
async fn ring(conn: &mut Conn, rules: &Rules, closing: &Transfer) -> Result<Option<Found>, Error> {
    let rule = Rule::Ring;
    let Some(&limits) = rules.get(&rule) else {
        return Ok(None);
    };
    let Some(way) = way_back(conn, closing, Duration::days(limits.days)).await? else {
        return Ok(None);
    };
    let mut members: Vec<String> = way.iter().map(|one| one.from_id.to_string()).collect();
    members.sort_unstable();
    let mark = members.join(" ");
    let mut is_new = false;
    for one in &way {
        is_new |= !is_told(conn, rule, &mark, one.id.0).await?;
    }
    let evidence: Vec<Proof> = way
        .iter()
        .map(|one| Proof {
            kind: EvidenceKind::Transfer,
            id: one.id.0,
            customer_id: one.from_id,
            at: one.created_at,
        })
        .collect();
    Ok(is_new.then_some(Found {
        rule,
        limits,
        mark,
        customer: closing.from_id,
        measure: count(&evidence),
        out_of: None,
        evidence,
    }))
}

/// The transfers by which the points of one came back to whoever gave them, this one first: the shortest way of three or four,
/// from both ends.
async fn way_back(conn: &mut Conn, closing: &Transfer, within: Duration) -> Result<Option<Vec<Transfer>>, Error> {
    const ON: &str = near!("from_id");
    const BEFORE: &str = near!("to_id");
    let (first, second) = (closing.from_id, closing.to_id);
    let before = near(conn, BEFORE, first, closing, within).await?;
    if first == second || before.is_empty() {
        return Ok(None);
    }
    let last = |from: CustomerId| before.iter().find(|one| one.from_id == from).cloned();
    let mut on = near(conn, ON, second, closing, within).await?;
    on.retain(|one| one.to_id != first && one.to_id != second);
    for one in &on {
        if let Some(last) = last(one.to_id) {
            return Ok(Some(vec![closing.clone(), one.clone(), last]));
        }
    }
    let mut seen = BTreeSet::new();
    for one in on.iter().filter(|one| seen.insert(one.to_id)) {
        let third = one.to_id;
        for another in near(conn, ON, third, closing, within).await? {
            let fourth = another.to_id;
            if [first, second, third].contains(&fourth) {
                continue;
            }
            if let Some(last) = last(fourth) {
                return Ok(Some(vec![closing.clone(), one.clone(), another, last]));
            }
        }
    }
    Ok(None)
}

/// What somebody gave or was given before a transfer, in its program.
async fn near(
    conn: &mut Conn,
    sql: &'static str,
    who: CustomerId,
    closing: &Transfer,
    within: Duration,
) -> Result<Vec<Transfer>, Error> {
    Ok(on!(conn, |c| sqlx::query_as(sql)
        .bind(who)
        .bind(closing.program_id)
        .bind(closing.created_at - within)
        .bind(closing.created_at)
        .bind(FOLLOWED)
        .fetch_all(c)
        .await)?)
}
