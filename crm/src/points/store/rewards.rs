//! Rewards in the ledger: points that rules gave on another occasion than a purchase, each in a lot of its own, and what
//! becomes of those that a friend's purchase brought when it comes back.

use super::super::{LotState, Reward};
use super::returns::{Restoring, taken_for_reward};
use super::{AccountKind, Book, Over, Programs, TransactionKind, active, draw, draw_first, rules, settle};
use crate::db::{self, Bind, Conn, ListQuery, Rows, Tx};
use crate::error::Error;
use crate::id::{CustomerId, LineId, LotId, ProgramId, PurchaseId, RewardId, RuleId, TransactionId};
use crate::lang::Localized;
use crate::on;
use crate::rule::{Occasion, RuleVersion};
use crate::who::Subject;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::types::Json;
use std::collections::{BTreeSet, HashMap};

/// Points that a reward gives in a program.
pub(crate) struct Earning {
    pub(crate) reward: RewardId,
    pub(crate) customer: CustomerId,
    pub(crate) program: ProgramId,
    /// In hundredths.
    pub(crate) points: i64,
    /// The partner who pays for them; none: the shop.
    pub(crate) partner: Option<String>,
}

/// Books what rewards give, by the terms of the programs at a moment. The rewards are written down already.
pub(crate) async fn accrue(
    tx: &mut Tx,
    programs: &Programs,
    at: DateTime<Utc>,
    earnings: Vec<Earning>,
) -> Result<(), sqlx::Error> {
    let customers: BTreeSet<CustomerId> = earnings.iter().map(|earning| earning.customer).collect();
    for customer in customers {
        settle(tx, customer, at).await?;
    }
    let mut rows = Rows::new(
        "INSERT INTO reward_accruals (reward_id, program_id, program_version, lot_id, points, partner_key)",
        "",
    );
    let mut book = Book::new();
    let now = tx.now();
    for Earning {
        reward,
        customer,
        program,
        points,
        partner,
    } in earnings
    {
        let Some((version, terms)) = programs.terms(program, at) else {
            continue;
        };
        book.reward = Some(reward);
        book.funded.extend(partner.clone().map(|partner| (partner, points)));
        let lot = book.earn(now, (program, customer), None, at, terms, points);
        rows.push([
            Bind::Id(reward.0),
            Bind::Id(program.0),
            Bind::Int(version),
            Bind::Id(lot.0),
            Bind::Int(points),
            Bind::MaybeText(partner),
        ]);
    }
    book.write(tx).await?;
    db::insert(tx, rows).await
}

#[derive(sqlx::FromRow)]
struct OwedRow {
    purchase_id: PurchaseId,
    points: i64,
    taken_back: i64,
    forgiven: i64,
    lot_id: LotId,
    lot_remaining: i64,
    lot_state: LotState,
    lot_expires_at: DateTime<Utc>,
    lot_expired: i64,
    partner_key: Option<String>,
}

/// What a reward gave in a program and what became of it. What expired of lots that carry its own on has expired of it,
/// unless it came back for a late sale.
async fn owed(tx: &mut Tx, reward: RewardId, program: ProgramId) -> Result<OwedRow, sqlx::Error> {
    const SQL: &str = "SELECT r.purchase_id, a.points, a.taken_back, a.forgiven, a.partner_key, t.id AS lot_id, \
        t.remaining AS lot_remaining, t.state AS lot_state, t.expires_at AS lot_expires_at, \
        CAST(COALESCE((SELECT SUM(x.points - COALESCE((SELECT SUM(b.points) FROM restorations b WHERE b.allocation_id = x.id), 0)) \
        FROM allocations x JOIN transactions y ON y.id = x.transaction_id \
        WHERE y.kind = 'expiry' AND x.lot_id IN (SELECT o.id FROM lots o WHERE o.id = t.id \
        OR (o.origin_id = t.id AND o.customer_id = t.customer_id))), 0) AS BIGINT) AS lot_expired \
        FROM reward_accruals a JOIN rewards r ON r.id = a.reward_id JOIN lots t ON t.id = a.lot_id \
        WHERE a.reward_id = $1 AND a.program_id = $2";
    on!(tx, |c| sqlx::query_as(SQL)
        .bind(reward)
        .bind(program)
        .fetch_one(c)
        .await)
}

/// How much of a purchase came back: what was paid for all of it and for what came back, and whether that is all.
async fn came_back(tx: &mut Tx, purchase: PurchaseId) -> Result<(i64, i64, bool), sqlx::Error> {
    const SQL: &str = "SELECT l.amount, l.quantity, \
        CASE WHEN p.voided_at IS NULL THEN l.returned ELSE l.quantity END FROM purchase_lines l \
        JOIN purchases p ON p.id = l.purchase_id WHERE l.purchase_id = $1 AND l.quantity > 0";
    let lines: Vec<(i64, i64, i64)> = on!(tx, |c| sqlx::query_as(SQL).bind(purchase).fetch_all(c).await)?;
    let bought = lines.iter().map(|(amount, ..)| amount).sum();
    let back = lines
        .iter()
        .map(|(amount, quantity, returned)| rules::owed(*amount, *quantity, *returned))
        .sum();
    let is_all = lines.iter().all(|(_, quantity, returned)| returned >= quantity);
    Ok((bought, back, is_all))
}

/// What a reward of so many points owes back.
fn target(points: i64, (bought, back, is_all): (i64, i64, bool)) -> i64 {
    match is_all {
        true => points,
        // Not all of it: what is left is worth something, even where it was paid with points.
        false => rules::owed(points, bought.max(back + 1), back),
    }
}

async fn count_taken(
    tx: &mut Tx,
    reward: RewardId,
    program: ProgramId,
    taken: i64,
    forgiven: i64,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE reward_accruals SET taken_back = taken_back + $3, forgiven = forgiven + $4 \
                       WHERE reward_id = $1 AND program_id = $2";
    on!(tx, |c| sqlx::query(SQL)
        .bind(reward)
        .bind(program)
        .bind(taken)
        .bind(forgiven)
        .execute(c)
        .await
        .map(drop))
}

/// Takes rewards back, or gives them again, as far as the purchases that brought them came back: called where what came back
/// of these lines has changed. The proportion is that of the money, and all where everything is back.
pub(super) async fn follow(
    tx: &mut Tx,
    kind: TransactionKind,
    at: DateTime<Utc>,
    lines: &[LineId],
) -> Result<(), sqlx::Error> {
    // Whose points it gave: accounts may have been merged since.
    const SELECT: &str = "SELECT DISTINCT t.customer_id, a.program_id, r.id FROM rewards r \
        JOIN reward_accruals a ON a.reward_id = r.id JOIN lots t ON t.id = a.lot_id \
        JOIN purchase_lines l ON l.purchase_id = r.purchase_id";
    let query = ListQuery::new(SELECT)
        .within("l.id", lines.iter().map(|id| Bind::Id(id.0)))
        .tail("ORDER BY 1, 2, 3");
    for (customer, program, reward) in db::list::<(CustomerId, ProgramId, RewardId)>(tx, query).await? {
        settle(tx, customer, at).await?;
        let row = owed(tx, reward, program).await?;
        let target = target(row.points, came_back(tx, row.purchase_id).await?);
        let owed = target - row.taken_back - row.forgiven;
        let mut book = Book::new();
        book.reward = Some(reward);
        let whose = (program, customer);
        match owed {
            0 => continue,
            1.. => take(tx, &mut book, kind, whose, at, reward, &row, owed).await?,
            _ => give_again(tx, &mut book, whose, at, reward, &row, -owed).await?,
        }
        book.write(tx).await?;
    }
    Ok(())
}

/// Takes from the reward's own lot first, then from the customer's other active lots, and then below zero down to the shop's
/// floor, as a return takes what a line earned, with what expired after `at`.
#[expect(
    clippy::too_many_arguments,
    reason = "a posting is these words; a struct would only name them again"
)]
async fn take(
    tx: &mut Tx,
    book: &mut Book,
    kind: TransactionKind,
    (program, customer): (ProgramId, CustomerId),
    at: DateTime<Utc>,
    reward: RewardId,
    row: &OwedRow,
    owed: i64,
) -> Result<(), sqlx::Error> {
    let floor = tx.shop().points.floor();
    let mut over = Over::since(tx, (customer, program), at).await?;
    let (mut balance, _) = active(tx, customer, program).await?;
    let (was_over, is_over) = over.of(row.lot_id);
    let lot = rules::Lot {
        points: row.points,
        remaining: row.lot_remaining + is_over,
        expired: row.lot_expired - was_over,
        taken_back: row.taken_back,
    };
    let back = lot.take_back(owed);
    let own = back.own.min(row.lot_remaining);
    if own > 0 {
        draw(tx, row.lot_id, own).await?;
    }
    let (undone, less) = over.take_back((row.lot_id, back.own - own), back.others, at);
    let others = draw_first(tx, (customer, program), back.others - less, 0).await?;
    let lent: i64 = others.iter().map(|(_, points)| points).sum();
    let own_active = match row.lot_state {
        LotState::Pending => 0,
        LotState::Active | LotState::Expired => own,
    };
    balance -= own_active + lent;
    let debt = (back.others - less - lent).min((balance - floor).max(0));
    let again = book.undo_expiry(tx.now(), (program, customer), None, &undone);
    let taken = own + again + lent + debt;
    count_taken(tx, reward, program, taken, back.own + back.others - taken).await?;
    if taken == 0 {
        return Ok(());
    }
    let changes = [
        (AccountKind::Pending, own_active - own),
        (AccountKind::Active, -(own_active + again + lent + debt)),
    ];
    book.funded
        .extend(row.partner_key.clone().map(|partner| (partner, -taken)));
    // Whose purchase it was is not the customer's to see.
    let transaction = book.post(
        tx.now(),
        kind,
        (program, customer),
        None,
        at,
        &changes,
        Some(AccountKind::Issued),
    );
    let own = (own > 0).then_some((row.lot_id, own));
    let again = undone.into_iter().map(|(_, lot, part)| (lot, part));
    for (lot, points) in own.into_iter().chain(again).chain(others) {
        book.allocate(lot, transaction, points, None);
    }
    Ok(())
}

/// Gives again what had been taken back: what was let go counts first, then the debt that it had made, then lots.
async fn give_again(
    tx: &mut Tx,
    book: &mut Book,
    (program, customer): (ProgramId, CustomerId),
    at: DateTime<Utc>,
    reward: RewardId,
    row: &OwedRow,
    surplus: i64,
) -> Result<(), sqlx::Error> {
    let forgiven = surplus.min(row.forgiven);
    let again = (surplus - forgiven).min(row.taken_back);
    let taken = taken_for_reward(tx, reward, program).await?;
    let from_lots: i64 = taken.iter().map(|one| one.points).sum();
    let debt = again.min((row.taken_back - from_lots).max(0));
    let mut restoring = Restoring::default();
    restoring.add(taken, again - debt);
    let rest = restoring.lift_debt(tx, book, (program, customer), debt).await?;
    count_taken(tx, reward, program, -again, -forgiven).await?;
    if again == 0 {
        return Ok(());
    }
    let changes = [
        (AccountKind::Pending, restoring.pending),
        (AccountKind::Active, restoring.active + rest),
    ];
    book.funded
        .extend(row.partner_key.clone().map(|partner| (partner, again)));
    let transaction = book.post(
        tx.now(),
        TransactionKind::Void,
        (program, customer),
        None,
        at,
        &changes,
        Some(AccountKind::Issued),
    );
    if rest > 0 {
        let term = (at, row.lot_expires_at.max(at));
        book.carry_on(transaction, (program, customer), rest, term, row.lot_id);
    }
    restoring
        .apply(tx, book, transaction, (program, customer), at, at)
        .await
}

/// Of a version of a rule: what it is called. The rest may be in words of another release.
#[derive(Deserialize)]
struct Named {
    name: Localized,
}

#[derive(sqlx::FromRow)]
struct RewardRow {
    transaction_id: TransactionId,
    occasion: String,
    rule_id: RuleId,
    version: i64,
    named: Option<Json<Named>>,
    program_version: i64,
    lot_id: LotId,
    state: LotState,
    points: i64,
    taken_back: i64,
    partner_key: Option<String>,
    activates_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// For which rewards a customer's transactions moved points; those of purchases, staff and other people are left out.
pub async fn of(
    conn: &mut Conn,
    of: Subject,
    transactions: &[TransactionId],
) -> Result<HashMap<TransactionId, Reward>, Error> {
    const SELECT: &str = "SELECT t.id AS transaction_id, r.occasion, r.rule_id, r.version, v.definition AS named, \
        a.program_version, a.lot_id, l.state, a.points, a.taken_back, a.partner_key, l.activates_at, l.expires_at FROM transactions t \
        JOIN rewards r ON r.id = t.reward_id JOIN rule_versions v ON v.rule_id = r.rule_id AND v.version = r.version \
        JOIN reward_accruals a ON a.reward_id = r.id AND a.program_id = t.program_id JOIN lots l ON l.id = a.lot_id";
    let mut found = HashMap::new();
    for part in transactions.chunks(super::LIST) {
        let query = ListQuery::new(SELECT)
            .within("t.id", part.iter().map(|id| Bind::Id(id.0)))
            .filter("t.customer_id = ?", [Bind::Id(of.id().0)]);
        for row in db::list::<RewardRow>(conn, query).await? {
            // What a newer program may have written here is no occasion that we know.
            let Some(occasion) = Occasion::from_word(&row.occasion) else {
                continue;
            };
            let reward = Reward {
                occasion,
                by: RuleVersion {
                    id: row.rule_id,
                    version: row.version,
                },
                name: row.named.map(|named| named.0.name).unwrap_or_default(),
                program_version: row.program_version,
                lot: row.lot_id,
                state: row.state,
                points: row.points,
                taken_back: row.taken_back,
                partner: row.partner_key,
                activates_at: row.activates_at,
                expires_at: row.expires_at,
            };
            found.insert(row.transaction_id, reward);
        }
    }
    Ok(found)
}
