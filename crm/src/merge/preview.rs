//! What would become of two accounts.

use super::{Obstacle, bring_up_to_date, moves, obstacle, proof};
use crate::card::{Card, store as cards};
use crate::customer::{Profile, store as customers};
use crate::db::{Conn, Db, scoped};
use crate::error::Error;
use crate::id::{CustomerId, ProgramId};
use crate::lang::Localized;
use crate::on;
use crate::points::Balance;
use crate::points::store as points;
use crate::program::store as programs;
use crate::rule::store::timeline;
use crate::rule::tier;
use crate::staff::Right;
use crate::who::{Customer, Fresh, Reason, Staff, System, Token};
use std::collections::BTreeMap;

/// What one of the accounts holds.
#[derive(Clone, Debug)]
pub struct Side {
    /// Its id.
    pub id: CustomerId,
    /// Name, contacts, children.
    pub profile: Profile,
    /// Its cards.
    pub cards: Vec<Card>,
    /// Its points.
    pub balance: Balance,
    /// How many receipts.
    pub purchases: i64,
    /// What they come to, in minor units, less what came back.
    pub total: i64,
    /// How many requests.
    pub requests: i64,
}

/// What the merged account has in a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// What the program is called.
    pub name: Localized,
    /// To be spent, in hundredths.
    pub active: i64,
    /// Waiting for their day.
    pub pending: i64,
    /// Of what is to be spent: promised to a till.
    pub reserved: i64,
    /// They would be a member.
    pub is_member: bool,
    /// What their tier would be called.
    pub tier: Option<Localized>,
}

/// What would become of two accounts.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The one that stays.
    pub kept: Side,
    /// The one that goes into it.
    pub absorbed: Side,
    /// Its programs.
    pub programs: Vec<Sum>,
    /// What it agrees to and would not any more, because the other one took it back.
    pub withdrawn: Vec<Localized>,
    /// What stands in the way.
    pub obstacle: Option<Obstacle>,
}

/// For whoever proved in this browser that the other account is theirs. [`Error::Stale`] where they did not.
pub async fn preview(db: &Db, by: &Fresh<'_, Customer>, token: &Token) -> Result<Preview, Error> {
    let (_, absorbed) = proof::proved(&mut db.read().await?, by, token).await?;
    both(db, by.id(), absorbed).await
}

/// For staff. That both were looked at is written down.
pub async fn preview_by_staff(db: &Db, by: &Staff, kept: CustomerId, absorbed: CustomerId) -> Result<Preview, Error> {
    by.may(Right::Merge)?;
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, kept, Reason::Card).await?;
            by.open_in(tx, absorbed, Reason::Card).await?;
            Ok::<_, Error>(())
        })
    })
    .await?;
    both(db, kept, absorbed).await
}

async fn both(db: &Db, kept: CustomerId, absorbed: CustomerId) -> Result<Preview, Error> {
    bring_up_to_date(db, [kept, absorbed]).await?;
    let mut conn = db.read().await?;
    let conn = &mut conn;
    let obstacle = obstacle(conn, kept, absorbed).await?;
    let programs = sums(conn, kept, absorbed).await?;
    let (ours, theirs) = (
        moves::last_acts(conn, kept).await?,
        moves::last_acts(conn, absorbed).await?,
    );
    let withdrawn = moves::stricter(&ours, &theirs);
    Ok(Preview {
        programs,
        withdrawn: withdrawn.into_iter().map(|consent| consent.title.clone()).collect(),
        kept: side(conn, kept).await?,
        absorbed: side(conn, absorbed).await?,
        obstacle,
    })
}

async fn side(conn: &mut Conn, id: CustomerId) -> Result<Side, Error> {
    const BOUGHT: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(total), 0) AS BIGINT) FROM purchases WHERE customer_id = $1 \
                          AND voided_at IS NULL";
    const ASKED: &str = "SELECT COUNT(*) FROM requests WHERE customer_id = $1";
    let subject = System::at_the_command_line().subject(id);
    let (purchases, total): (i64, i64) = on!(conn, |c| sqlx::query_as(BOUGHT).bind(id).fetch_one(c).await)?;
    let requests = on!(conn, |c| sqlx::query_scalar(ASKED).bind(id).fetch_one(c).await)?;
    Ok(Side {
        id,
        profile: customers::profile(conn, subject).await?,
        cards: cards::of(conn, subject).await?,
        balance: points::balance(conn, subject).await?,
        purchases,
        total,
        requests,
    })
}

/// A program in which there is nothing yet.
fn nothing(name: &Localized) -> Sum {
    Sum {
        name: name.clone(),
        active: 0,
        pending: 0,
        reserved: 0,
        is_member: false,
        tier: None,
    }
}

/// What both have together, program by program.
async fn sums(conn: &mut Conn, kept: CustomerId, absorbed: CustomerId) -> Result<Vec<Sum>, Error> {
    let timeline = timeline(conn).await?;
    let mut tiers = tier::store::together(conn, &timeline, [kept, absorbed]).await?;
    let mut order: Vec<ProgramId> = Vec::new();
    let mut sums: BTreeMap<ProgramId, Sum> = BTreeMap::new();
    for customer in [kept, absorbed] {
        let subject = System::at_the_command_line().subject(customer);
        for program in programs::list(conn, subject).await? {
            if !order.contains(&program.id) {
                order.push(program.id);
            }
            let sum = sums.entry(program.id).or_insert_with(|| nothing(&program.name));
            sum.is_member |= program.joined_at.is_some();
        }
        for held in points::balance(conn, subject).await?.programs {
            if !order.contains(&held.program) {
                order.push(held.program);
            }
            let sum = sums.entry(held.program).or_insert_with(|| nothing(&held.name));
            sum.active += held.active;
            sum.pending += held.pending;
            sum.reserved += held.reserved;
        }
    }
    let told = order.into_iter().filter_map(|program| {
        let mut sum = sums.remove(&program)?;
        sum.tier = tiers.remove(&program);
        let is_something = sum.is_member || sum.active != 0 || sum.pending != 0;
        is_something.then_some(sum)
    });
    Ok(told.collect())
}
