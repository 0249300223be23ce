//! What stands behind the movements of a statement: which lots, what had put the points there, and which lines of receipts
//! brought them. For a whole page of movements at once, so that a page takes as many questions as a line.

use super::super::{Before, By, Entry, Explained, Lot, Origin, Remaining, Share};
use super::{EARNED, LIST, LotState, TransactionKind, earned, rewards, transfers};
use crate::db::{self, Bind, Conn, ListQuery};
use crate::error::Error;
use crate::id::{LotId, ProgramId, PurchaseId, TransactionId};
use crate::lang::Localized;
use crate::on;
use crate::who::Subject;
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// What first put points into a lot. One that carries another lot's points on has them from there; what another customer
/// had done to earn them is not told.
#[derive(sqlx::FromRow)]
struct Source {
    source_id: TransactionId,
    source_program: ProgramId,
    source_kind: TransactionKind,
    source_at: DateTime<Utc>,
    purchase_id: Option<PurchaseId>,
    document: Option<String>,
}

/// The columns of [`Source`].
macro_rules! source {
    () => {
        "s.id AS source_id, s.program_id AS source_program, s.kind AS source_kind, s.at AS source_at, \
         e.id AS purchase_id, e.document"
    };
}

/// Where they come from, in a query over `lots l`.
macro_rules! of_lots {
    () => {
        " LEFT JOIN lots b ON b.id = l.origin_id AND b.customer_id = l.customer_id \
         JOIN transactions s ON s.id = COALESCE(b.transaction_id, l.transaction_id) \
         LEFT JOIN purchases e ON e.id = s.purchase_id AND e.customer_id = l.customer_id"
    };
}

/// The article of an allocation `x`.
macro_rules! of_articles {
    () => {
        " LEFT JOIN purchase_lines i ON i.id = x.line_id LEFT JOIN articles r ON r.id = i.article_id"
    };
}

/// What these sources were, told in words of the ledger.
async fn origins(conn: &mut Conn, of: Subject, sources: Vec<&Source>) -> Result<HashMap<TransactionId, Origin>, Error> {
    let sources: BTreeMap<TransactionId, &Source> =
        sources.into_iter().map(|source| (source.source_id, source)).collect();
    let sent = sources.values().filter(|s| s.source_kind == TransactionKind::Transfer);
    let sent: Vec<_> = sent.map(|s| (s.source_id, s.source_program, s.source_at)).collect();
    let mut others = transfers::others(conn, of, &sent).await?;
    let rewarded = sources.values().filter(|s| s.purchase_id.is_none());
    let rewarded: Vec<TransactionId> = rewarded.map(|s| s.source_id).collect();
    let mut rewards = rewards::of(conn, of, &rewarded).await?;
    let origin = |(id, source): (TransactionId, &Source)| {
        let origin = Origin {
            kind: source.source_kind,
            at: source.source_at,
            purchase: source.purchase_id,
            document: source.document.clone(),
            reward: rewards.remove(&id),
            other: others.remove(&id),
        };
        (id, origin)
    };
    Ok(sources.into_iter().map(origin).collect())
}

#[derive(sqlx::FromRow)]
struct LotRow {
    moved_by: TransactionId,
    id: LotId,
    points: i64,
    state: LotState,
    activates_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct ShareRow {
    moved_by: TransactionId,
    lot_id: LotId,
    points: i64,
    expires_at: DateTime<Utc>,
    article: Option<String>,
    #[sqlx(flatten)]
    source: Source,
}

/// What the movements of a page did, each in full.
pub async fn explain(
    conn: &mut Conn,
    of: Subject,
    entries: &[Entry],
) -> Result<HashMap<TransactionId, Explained>, Error> {
    let mut explained: HashMap<TransactionId, Explained> = HashMap::new();
    for entries in entries.chunks(LIST) {
        let lots = lots(conn, of, entries).await?;
        let taken = taken(conn, of, entries).await?;
        let given_back = given_back(conn, of, entries).await?;
        let sources: Vec<&Source> = taken.iter().chain(&given_back).map(|row| &row.source).collect();
        let origins = origins(conn, of, sources).await?;
        let mut earned: HashMap<LotId, Vec<_>> = HashMap::new();
        for part in lots.chunks(LIST) {
            let query = ListQuery::new(EARNED).within("a.lot_id", part.iter().map(|lot| Bind::Id(lot.id.0)));
            for line in self::earned(conn, of, query).await? {
                earned.entry(line.1.lot).or_default().push(line);
            }
        }
        for row in taken {
            let shares = &mut explained.entry(row.moved_by).or_default().taken;
            add(shares, row, &origins);
        }
        for row in given_back {
            let shares = &mut explained.entry(row.moved_by).or_default().given_back;
            add(shares, row, &origins);
        }
        for row in lots {
            let told = explained.entry(row.moved_by).or_default();
            // What went back into a lot of its own is told as that.
            if told.given_back.iter().any(|share| share.lot == row.id) {
                continue;
            }
            told.lots.push(Lot {
                id: row.id,
                points: row.points,
                state: row.state,
                activates_at: row.activates_at,
                expires_at: row.expires_at,
                // The accrual of a lot and its activation may stand on one page.
                earned: earned.get(&row.id).cloned().unwrap_or_default(),
            });
        }
    }
    Ok(explained)
}

/// Adds a share; what is of the same lot and for the same article is one.
fn add(shares: &mut Vec<Share>, row: ShareRow, origins: &HashMap<TransactionId, Origin>) {
    let known = shares
        .iter_mut()
        .find(|share| share.lot == row.lot_id && share.article == row.article);
    match (known, origins.get(&row.source.source_id)) {
        (Some(share), _) => share.points += row.points,
        (None, Some(origin)) => shares.push(Share {
            lot: row.lot_id,
            points: row.points,
            expires_at: row.expires_at,
            article: row.article,
            origin: origin.clone(),
        }),
        (None, None) => {}
    }
}

fn ids<'a>(entries: impl Iterator<Item = &'a Entry>) -> impl Iterator<Item = Bind> {
    entries.map(|entry| Bind::Id(entry.id.0))
}

/// The lots that movements opened. An activation names none: it is that of the lot whose day it was, and which the same
/// receipt or reward had brought.
async fn lots(conn: &mut Conn, of: Subject, entries: &[Entry]) -> Result<Vec<LotRow>, sqlx::Error> {
    const OPENED: &str = "SELECT l.transaction_id AS moved_by, l.id, l.points, l.state, l.activates_at, l.expires_at \
                          FROM lots l";
    const ACTIVATED: &str = "SELECT m.id AS moved_by, l.id, l.points, l.state, l.activates_at, l.expires_at \
        FROM transactions m JOIN lots l ON l.customer_id = m.customer_id AND l.program_id = m.program_id \
        AND l.activates_at = m.at JOIN transactions s ON s.id = l.transaction_id AND s.kind = 'accrual' \
        AND COALESCE(s.purchase_id, s.reward_id) = COALESCE(m.purchase_id, m.reward_id)";
    let (activations, others): (Vec<&Entry>, Vec<&Entry>) = entries
        .iter()
        .partition(|entry| entry.kind == TransactionKind::Activation);
    let opened = ListQuery::new(OPENED)
        .within("l.transaction_id", ids(others.into_iter()))
        .filter("l.customer_id = ?", [Bind::Id(of.id().0)])
        .tail("ORDER BY l.expires_at, l.id");
    let activated = ListQuery::new(ACTIVATED)
        .within("m.id", ids(activations.into_iter()))
        .filter("m.customer_id = ?", [Bind::Id(of.id().0)])
        .tail("ORDER BY l.id");
    let mut rows: Vec<LotRow> = db::list(conn, opened).await?;
    rows.extend(db::list::<LotRow>(conn, activated).await?);
    Ok(rows)
}

/// What movements took out of lots.
async fn taken(conn: &mut Conn, of: Subject, entries: &[Entry]) -> Result<Vec<ShareRow>, sqlx::Error> {
    const SELECT: &str = concat!(
        "SELECT x.transaction_id AS moved_by, x.lot_id, x.points, l.expires_at, r.name AS article, ",
        source!(),
        " FROM allocations x JOIN lots l ON l.id = x.lot_id",
        of_lots!(),
        of_articles!()
    );
    let query = ListQuery::new(SELECT)
        .within("x.transaction_id", ids(entries.iter()))
        .filter("l.customer_id = ?", [Bind::Id(of.id().0)])
        .tail("ORDER BY l.expires_at, x.id");
    db::list(conn, query).await
}

/// What movements put back, each with the lot that it is in now.
async fn given_back(conn: &mut Conn, of: Subject, entries: &[Entry]) -> Result<Vec<ShareRow>, sqlx::Error> {
    // By the customer's lots, for restorations are found by lot.
    const SELECT: &str = concat!(
        "SELECT g.transaction_id AS moved_by, g.lot_id, g.points, n.expires_at, r.name AS article, ",
        source!(),
        " FROM lots n JOIN restorations g ON g.lot_id = n.id JOIN allocations x ON x.id = g.allocation_id \
         JOIN lots l ON l.id = x.lot_id",
        of_lots!(),
        of_articles!()
    );
    let back = |entry: &&Entry| {
        matches!(
            entry.kind,
            TransactionKind::Expiry | TransactionKind::Refund | TransactionKind::Transfer | TransactionKind::Void
        )
    };
    let query = ListQuery::new(SELECT)
        .within("g.transaction_id", ids(entries.iter().filter(back)))
        .filter("n.customer_id = ?", [Bind::Id(of.id().0)])
        .tail("ORDER BY n.expires_at, g.id");
    db::list(conn, query).await
}

#[derive(sqlx::FromRow)]
struct RemainingRow {
    id: LotId,
    program_id: ProgramId,
    name: Json<Localized>,
    points: i64,
    state: LotState,
    activates_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    #[sqlx(flatten)]
    source: Source,
}

/// When the last points of a customer expire, and how many on the same day of the shop; none without points that could.
pub async fn last_to_expire(conn: &mut Conn, of: Subject) -> Result<Option<(DateTime<Utc>, i64)>, Error> {
    const LAST: &str = "SELECT MAX(expires_at) FROM lots WHERE customer_id = $1 AND remaining > 0 \
                        AND state IN ('pending', 'active')";
    const SUM: &str = "SELECT CAST(SUM(remaining) AS BIGINT) FROM lots WHERE customer_id = $1 AND remaining > 0 \
                       AND state IN ('pending', 'active') AND expires_at >= $2";
    let last: Option<DateTime<Utc>> = on!(conn, |c| sqlx::query_scalar(LAST).bind(of.id()).fetch_one(c).await)?;
    let Some(last) = last else { return Ok(None) };
    let shop = conn.shop();
    let day = shop.midnight(shop.day(last));
    let sum: i64 = on!(conn, |c| sqlx::query_scalar(SUM)
        .bind(of.id())
        .bind(day)
        .fetch_one(c)
        .await)?;
    Ok(Some((last, sum)))
}

/// What a customer has left, lot by lot, by one of its days, the nearest first, from after `after` on.
pub async fn remaining(
    conn: &mut Conn,
    of: Subject,
    by: By,
    after: Option<Before>,
    limit: i64,
) -> Result<Vec<Remaining>, Error> {
    const SELECT: &str = concat!(
        "SELECT l.id, l.program_id, v.name, l.remaining AS points, l.state, l.activates_at, l.expires_at, ",
        source!(),
        " FROM lots l JOIN programs p ON p.id = l.program_id JOIN program_versions v ON v.program_id = p.id",
        of_lots!()
    );
    const CURRENT: &str = "v.version = COALESCE((SELECT MAX(w.version) FROM program_versions w \
                           WHERE w.program_id = p.id AND w.published_at <= ?), 1)";
    let (states, place, order) = match by {
        By::Expiry => (
            "l.remaining > 0 AND l.state IN ('pending', 'active')",
            "(l.expires_at, l.id) > (?, ?)",
            "ORDER BY l.expires_at, l.id",
        ),
        By::Activation => (
            "l.remaining > 0 AND l.state = 'pending'",
            "(l.activates_at, l.id) > (?, ?)",
            "ORDER BY l.activates_at, l.id",
        ),
    };
    let (at, id) = after.unwrap_or((DateTime::UNIX_EPOCH, Uuid::nil()));
    let query = ListQuery::new(SELECT)
        .filter("l.customer_id = ?", [Bind::Id(of.id().0)])
        .filter(states, [])
        .filter(CURRENT, [Bind::Time(conn.now())])
        .filter(place, [Bind::Time(at), Bind::Id(id)])
        .tail(order)
        .limit(limit);
    let rows: Vec<RemainingRow> = db::list(conn, query).await?;
    let sources: Vec<&Source> = rows.iter().map(|row| &row.source).collect();
    let origins = origins(conn, of, sources).await?;
    let left = |row: RemainingRow| {
        Some(Remaining {
            lot: row.id,
            program: row.program_id,
            name: row.name.0,
            points: row.points,
            state: row.state,
            activates_at: row.activates_at,
            expires_at: row.expires_at,
            origin: origins.get(&row.source.source_id)?.clone(),
        })
    };
    Ok(rows.into_iter().filter_map(left).collect())
}
