//! The books for the shop's accounts: what was posted on which day, and what is still owed to customers.

use super::super::{AccountKind, LotState, TransactionKind};
use crate::db::{self, Conn, LONGEST, ListQuery};
use crate::error::Error;
use crate::who::System;
use chrono::{DateTime, Duration, NaiveDate, Utc};

/// The most days that are told at once.
pub const DAYS_MAX: i64 = 366;

/// How long a day stays open after its end, in seconds: a change that began on it is committed by then, or undone ([`LONGEST`]). Five
/// minutes more are for the commit itself, and for nodes whose clocks differ.
const CLOSING: i64 = LONGEST.as_secs() as i64 + 5 * 60;

/// Until when a day of this span is over and all the same not all of it may be there. What is told of a day that is not over
/// changes anyway, so nobody has to wait for it.
pub fn open_until(conn: &Conn, from: NaiveDate, to: NaiveDate) -> Option<DateTime<Utc>> {
    let (shop, now) = (conn.shop(), conn.now());
    let today = shop.day(now);
    let closed = shop.midnight(today) + Duration::seconds(CLOSING);
    let is_asked = (from..=to).contains(&today.pred_opt()?);
    (is_asked && now < closed).then_some(closed)
}

/// What was posted on a day to an account of a program, by the reason. Points are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The day on which it was written down, where the shop is: a day that is over and closed ([`open_until`]) does not change any
    /// more, whenever the receipts were.
    pub day: NaiveDate,
    /// The program's code.
    pub program: String,
    /// The account; those of customers are told together.
    pub account: AccountKind,
    /// Of an account `partner`: the partner's key.
    pub partner: Option<String>,
    /// Why.
    pub kind: TransactionKind,
    /// How many points came in less how many went out.
    pub points: i64,
    /// How many postings that are.
    pub postings: i64,
}

/// What was posted from a day up to another, both included; at most [`DAYS_MAX`] of them are looked at. The sums of a day
/// and program are zero together.
pub async fn postings(conn: &mut Conn, _by: &System, from: NaiveDate, to: NaiveDate) -> Result<Vec<Posted>, Error> {
    type Row = (
        DateTime<Utc>,
        String,
        AccountKind,
        Option<String>,
        TransactionKind,
        i64,
        i64,
    );
    const SELECT: &str = "SELECT m.first, p.code, a.kind, a.partner_key, t.kind, CAST(SUM(o.amount) AS BIGINT), COUNT(*) FROM spans m \
        JOIN transactions t ON t.recorded_at >= m.first AND t.recorded_at < m.next \
        JOIN postings o ON o.transaction_id = t.id JOIN accounts a ON a.id = o.account_id \
        JOIN programs p ON p.id = t.program_id";
    let shop = conn.shop().clone();
    let days = (to - from).num_days().clamp(-1, DAYS_MAX - 1);
    let spans: Vec<_> = (0..=days)
        .filter_map(|n| Some((from + Duration::days(n), (from + Duration::days(n)).succ_opt()?)))
        .map(|(day, next)| (shop.midnight(day), shop.midnight(next)))
        .collect();
    if spans.is_empty() {
        return Ok(Vec::new());
    }
    let query = ListQuery::over(&spans, SELECT)
        .tail("GROUP BY m.first, p.code, a.kind, a.partner_key, t.kind ORDER BY m.first, p.code, a.kind, a.partner_key, t.kind");
    let rows: Vec<Row> = db::list(conn, query).await?;
    Ok(rows
        .into_iter()
        .map(|(first, program, account, partner, kind, points, postings)| Posted {
            day: shop.day(first),
            program,
            account,
            partner,
            kind,
            points,
            postings,
        })
        .collect())
}

/// What is owed to customers of a program in lots of an age. Points are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The program's code.
    pub program: String,
    /// Whether they can be spent yet. What is on its way to another customer could be before.
    pub state: LotState,
    /// The youngest of them were earned this many days ago.
    pub from_days: i64,
    /// The oldest less than this many; none: however old.
    pub to_days: Option<i64>,
    /// How many points.
    pub points: i64,
    /// In how many lots.
    pub lots: i64,
}

/// The ages by which what is owed is told, in days.
const AGES: [i64; 6] = [0, 30, 90, 180, 365, 730];

/// What is owed just now, by the age of the lots. One that carries another one's points on, after a transfer or a return, is
/// as old as that one, and what is on its way to another customer is as old as the lots that it was taken from. Debts of
/// customers are not taken off: they stand in no lot.
pub async fn liability(conn: &mut Conn, _by: &System) -> Result<Vec<Owed>, Error> {
    owed(conn).await
}

/// The same, for reports.
pub(crate) async fn owed(conn: &mut Conn) -> Result<Vec<Owed>, Error> {
    const SELECT: &str = "SELECT p.code, l.state, m.first, CAST(SUM(l.remaining) AS BIGINT), COUNT(*) FROM spans m \
        JOIN transactions t ON t.at >= m.first AND t.at < m.next JOIN (WITH RECURSIVE \
        trail (program_id, state, remaining, transaction_id, origin_id) AS (\
        SELECT program_id, state, remaining, transaction_id, origin_id FROM lots WHERE remaining > 0 UNION ALL \
        SELECT f.program_id, 'active', x.points, f.transaction_id, f.origin_id FROM transfers w \
        JOIN allocations x ON x.transaction_id = w.out_id JOIN lots f ON f.id = x.lot_id WHERE w.state = 'pending' UNION ALL \
        SELECT b.program_id, b.state, b.remaining, o.transaction_id, o.origin_id FROM trail b JOIN lots o ON o.id = b.origin_id) \
        SELECT program_id, state, remaining, transaction_id FROM trail WHERE origin_id IS NULL) l \
        ON l.transaction_id = t.id JOIN programs p ON p.id = l.program_id";
    let now = conn.now();
    // What bears a time ahead of ours is as young as can be.
    let bounds: Vec<DateTime<Utc>> = AGES
        .iter()
        .map(|days| {
            if *days == 0 {
                super::far()
            } else {
                now - Duration::days(*days)
            }
        })
        .chain([DateTime::UNIX_EPOCH])
        .collect();
    let spans: Vec<_> = bounds.windows(2).map(|pair| (pair[1], pair[0])).collect();
    let query = ListQuery::over(&spans, SELECT)
        .tail("GROUP BY p.code, l.state, m.first ORDER BY p.code, l.state, m.first DESC");
    let rows: Vec<(String, LotState, DateTime<Utc>, i64, i64)> = db::list(conn, query).await?;
    Ok(rows
        .into_iter()
        .map(|(program, state, first, points, lots)| {
            let place = spans.iter().position(|span| span.0 == first).unwrap_or_default();
            Owed {
                program,
                state,
                from_days: AGES[place],
                to_days: AGES.get(place + 1).copied(),
                points,
                lots,
            }
        })
        .collect())
}
