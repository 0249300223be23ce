//! What became of every program and every rule that counted when a customer bought something. What they gave is told as it was
//! written down then; why rules gave nothing is asked once more, with what is known now of all that was booked before.

use super::told;
use crate::db::Conn;
use crate::error::Error;
use crate::id::{ProgramId, PurchaseId, RuleId, StoreId};
use crate::lang::Localized;
use crate::on;
use crate::points::store::{self as points, Sold, Stays};
use crate::purchase::Way;
use crate::rule::RuleVersion;
use crate::rule::store::asking::{self, Deal};
use crate::rule::store::{Timeline, timeline};
use crate::who::Subject;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// What became of all that counted when something was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The programs that paid a share then, whether or not the customer was in them.
    pub shares: Vec<Share>,
    /// The rules, in the order in which they were asked.
    pub rules: Vec<Asked>,
}

/// What a program paid of its own when something was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// What the program is called.
    pub program: Localized,
    /// Its share then, in hundredths of a percent.
    pub share: i64,
    /// Whether the customer was a member when it counted.
    pub is_member: bool,
    /// The points that the share brought, in hundredths; what rules gave in the program is told with them.
    pub earned: i64,
}

/// A rule that counted when something was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which.
    pub by: RuleVersion,
    /// What it was called then.
    pub name: Localized,
    /// What became of it.
    pub answer: Answer,
}

/// What became of a rule. Money is in minor units, points are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It gave something.
    Gave {
        /// What it took off.
        discount: i64,
        /// The points that it gave.
        points: i64,
    },
    /// The first thing that kept it from giving anything.
    Failed(Localized),
    /// It gave nothing, and by what is known now it could have: its budget was used up, or something became known later.
    Unclear,
}

#[derive(sqlx::FromRow)]
struct Head {
    at: DateTime<Utc>,
    claimed_at: Option<DateTime<Utc>>,
    store_id: Option<StoreId>,
    channel: Option<String>,
    payments: String,
    points_used: i64,
}

/// What became of the programs and rules that counted when a customer bought something. Fails with [`Error::NotFound`] for what
/// is no sale of theirs.
pub async fn why(conn: &mut Conn, of: Subject, id: PurchaseId) -> Result<Why, Error> {
    const HEAD: &str = "SELECT p.at, p.claimed_at, p.store_id, p.channel, p.payments, CAST(COALESCE((SELECT SUM(w.points) \
        FROM line_payments w JOIN purchase_lines l ON l.id = w.line_id WHERE l.purchase_id = p.id), 0) AS BIGINT) AS points_used \
        FROM purchases p WHERE p.id = $1 AND p.customer_id = $2 AND p.kind = 'sale'";
    let head: Option<Head> = on!(conn, |c| sqlx::query_as(HEAD)
        .bind(id)
        .bind(of.id())
        .fetch_optional(c)
        .await)?;
    let head = head.ok_or(Error::NotFound)?;
    let timeline = timeline(conn).await?;
    let stays = Stays::load(conn, &BTreeSet::from([of.id()])).await?;
    let member_at = head.claimed_at.unwrap_or(head.at);
    let deal = Deal {
        purchase: id,
        at: head.at,
        customer: Some(of.id()),
        member: stays.of(timeline.programs(), Some(of.id()), member_at, head.at),
        store: head.store_id,
        way: Way::from_words(head.channel.as_deref(), &head.payments),
        coupons: Vec::new(),
        lines: sold(conn, id).await?.iter().map(Sold::line).collect(),
        points_used: head.points_used,
    };
    let shares = shares(conn, &timeline, &deal).await?;
    let Some((rules, outcome)) = asking::once_more(conn, &timeline, &deal, head.claimed_at).await? else {
        let rules = Vec::new();
        return Ok(Why { shares, rules });
    };
    let given = given(conn, id).await?;
    let asked = told(conn, &rules, &outcome).await?.rules.into_iter().map(|rule| Asked {
        by: rule.by,
        name: rule.name,
        answer: match (given.get(&rule.by.id), rule.reason) {
            (Some((discount, points)), _) => Answer::Gave {
                discount: *discount,
                points: *points,
            },
            (None, Some(reason)) => Answer::Failed(reason.words),
            (None, None) => Answer::Unclear,
        },
    });
    let rules = asked.collect();
    Ok(Why { shares, rules })
}

/// The shares of the programs that were open then. What rules gave in a program is part of what a line earned there, and is no
/// part of its share.
async fn shares(conn: &mut Conn, timeline: &Timeline, deal: &Deal) -> Result<Vec<Share>, Error> {
    const SQL: &str = "SELECT a.program_id, CAST(SUM(a.points) - COALESCE((SELECT SUM(g.amount) FROM grants g \
        WHERE g.purchase_id = $1 AND g.program_id = a.program_id AND g.kind = 'points'), 0) AS BIGINT) \
        FROM accruals a JOIN purchase_lines l ON l.id = a.line_id WHERE l.purchase_id = $1 GROUP BY a.program_id";
    let earned: Vec<(ProgramId, i64)> = on!(conn, |c| sqlx::query_as(SQL).bind(deal.purchase).fetch_all(c).await)?;
    let earned: BTreeMap<ProgramId, i64> = earned.into_iter().collect();
    let open: Vec<(ProgramId, i64, i64)> = timeline.programs().shares(deal.at).collect();
    let names = points::names(conn, &open.iter().map(|(program, ..)| *program).collect()).await?;
    let share = |(program, _, share): &(ProgramId, i64, i64)| {
        Some(Share {
            program: names.get(program)?.1.clone(),
            share: *share,
            is_member: deal.member.contains(program),
            earned: earned.get(program).copied().unwrap_or_default(),
        })
    };
    Ok(open.iter().filter_map(share).collect())
}

/// What was bought, with what rules took off it.
async fn sold(conn: &mut Conn, id: PurchaseId) -> Result<Vec<Sold>, Error> {
    const SQL: &str = "SELECT l.id AS line, l.article_id AS article, l.quantity, l.price, l.discount, \
        CAST(COALESCE((SELECT SUM(g.amount) FROM grants g WHERE g.purchase_id = l.purchase_id AND g.line_id = l.id \
        AND g.kind = 'discount'), 0) AS BIGINT) AS taken, a.payable \
        FROM purchase_lines l JOIN articles a ON a.id = l.article_id \
        WHERE l.purchase_id = $1 AND l.quantity > 0 ORDER BY l.ordinal";
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_all(c).await)?)
}

/// What rules gave for a purchase: off the price, and points.
async fn given(conn: &mut Conn, id: PurchaseId) -> Result<BTreeMap<RuleId, (i64, i64)>, Error> {
    const SQL: &str = "SELECT rule_id, CAST(SUM(CASE WHEN kind = 'discount' THEN amount ELSE 0 END) AS BIGINT), \
        CAST(SUM(CASE WHEN kind = 'points' THEN amount ELSE 0 END) AS BIGINT) FROM grants WHERE purchase_id = $1 GROUP BY rule_id";
    let rows: Vec<(RuleId, i64, i64)> = on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_all(c).await)?;
    Ok(rows
        .into_iter()
        .map(|(rule, off, points)| (rule, (off, points)))
        .collect())
}
