//! Receipts that brought no points, or fewer than the shares of the customer's programs: where somebody looks who misses some.

use super::super::Short;
use super::Stays;
use crate::db::{self, Bind, Conn, ListQuery};
use crate::error::Error;
use crate::id::{ProgramId, PurchaseId};
use crate::lang::Localized;
use crate::on;
use crate::rule::store::timeline;
use crate::who::Subject;
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use std::collections::{BTreeSet, HashMap};

#[derive(sqlx::FromRow)]
struct Head {
    id: PurchaseId,
    at: DateTime<Utc>,
    claimed_at: Option<DateTime<Utc>>,
    document: String,
    store: Option<Json<Localized>>,
}

#[derive(sqlx::FromRow)]
struct Line {
    purchase_id: PurchaseId,
    amount: i64,
    by_points: i64,
    earned: i64,
}

/// Of a customer's last receipts, `last` of them, those that brought less than the shares of their programs, or nothing at all;
/// the newest first. What came back later counts as it was bought.
pub async fn short(conn: &mut Conn, of: Subject, last: i64) -> Result<Vec<Short>, Error> {
    const HEADS: &str = "SELECT p.id, p.at, p.claimed_at, p.document, s.name AS store FROM purchases p \
        LEFT JOIN stores s ON s.id = p.store_id WHERE p.customer_id = $1 AND p.kind = 'sale' AND p.voided_at IS NULL \
        ORDER BY p.at DESC, p.id DESC LIMIT $2";
    const LINES: &str = "SELECT l.purchase_id, l.amount, \
        CAST(COALESCE((SELECT SUM(w.points) FROM line_payments w WHERE w.line_id = l.id), 0) AS BIGINT) AS by_points, \
        CAST(COALESCE((SELECT SUM(a.points) FROM accruals a WHERE a.line_id = l.id), 0) AS BIGINT) AS earned \
        FROM purchase_lines l";
    let heads: Vec<Head> = on!(conn, |c| sqlx::query_as(HEADS)
        .bind(of.id())
        .bind(last)
        .fetch_all(c)
        .await)?;
    let query = ListQuery::new(LINES)
        .within("l.purchase_id", heads.iter().map(|head| Bind::Id(head.id.0)))
        .filter("l.quantity > 0", []);
    let mut lines: HashMap<PurchaseId, Vec<Line>> = HashMap::new();
    for line in db::list::<Line>(conn, query).await? {
        lines.entry(line.purchase_id).or_default().push(line);
    }
    let timeline = timeline(conn).await?;
    let stays = Stays::load(conn, &BTreeSet::from([of.id()])).await?;
    let programs = timeline.programs();
    let short = heads.into_iter().filter_map(|head| {
        let lines = lines.get(&head.id)?;
        let member = stays.of(programs, Some(of.id()), head.claimed_at.unwrap_or(head.at), head.at);
        let share = |program: &ProgramId| {
            let terms = programs.terms(*program, head.at).map(|(_, terms)| terms);
            let line = |line: &Line| terms.map_or(0, |terms| terms.earned(line.amount - line.by_points));
            lines.iter().map(line).sum::<i64>()
        };
        let short = Short {
            purchase: head.id,
            at: head.at,
            document: head.document,
            store: head.store.map(|name| name.0),
            earned: lines.iter().map(|line| line.earned).sum(),
            share: member.iter().map(share).sum(),
        };
        let paid: i64 = lines.iter().map(|line| line.amount - line.by_points).sum();
        (short.earned < short.share || short.earned == 0 && paid > 0).then_some(short)
    });
    Ok(short.collect())
}
