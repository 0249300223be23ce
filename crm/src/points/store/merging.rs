//! Points of an account that becomes one with another, or of one that parts from it again. The lots themselves go over, with
//! what is left in them, their terms, and what lines and rewards they came from: so that a return still finds them, and undoing
//! it is exact. What the books say is a transaction on either side, through the program's account for what is on its way.

use super::{AccountKind, Activated, Book, LotState, TransactionKind, settle};
use crate::db::{self, Tx};
use crate::id::{CustomerId, LotId, MergeId, ProgramId};
use crate::on;
use std::collections::BTreeMap;

/// What went over in a program, in hundredths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// What can be spent.
    pub(crate) active: i64,
    /// What cannot yet.
    pub(crate) pending: i64,
}

#[derive(sqlx::FromRow)]
struct LotRow {
    id: LotId,
    program_id: ProgramId,
    state: LotState,
    remaining: i64,
}

/// Holds what two customers bought, and the lines that they were rewarded for, until the transaction ends. Everywhere a receipt is held
/// before its lines, and these before whose points they move: so whoever is going to hold customers with all their receipts
/// begins here. What is booked between this and the customers is held in the other order, as are several receipts that one return
/// names; there PostgreSQL ends one of two that wait for each other, and [`db::Db::write`] does it again.
pub(crate) async fn hold_bought(tx: &mut Tx, of: [CustomerId; 2]) -> Result<(), sqlx::Error> {
    const SALES: &str = "SELECT id FROM purchases WHERE customer_id = ANY($1) ORDER BY id FOR NO KEY UPDATE";
    const LINES: &str = "SELECT id FROM purchase_lines WHERE purchase_id IN \
        (SELECT id FROM purchases WHERE customer_id = ANY($1) UNION \
        SELECT purchase_id FROM rewards WHERE customer_id = ANY($1) AND purchase_id IS NOT NULL) ORDER BY id FOR NO KEY UPDATE";
    let of = of.map(|customer| customer.0);
    db::hold(tx, SALES, &of).await?;
    db::hold(tx, LINES, &of).await
}

/// Sees to it that nobody else moves the points of two customers until the transaction ends, nor takes back what was earned by
/// what either bought: who does that holds the lines first. What was due by now has happened. Call it once [`hold_bought`] and then
/// the customers are held: lines may have been booked between.
pub(crate) async fn take_hold(tx: &mut Tx, of: [CustomerId; 2]) -> Result<(), sqlx::Error> {
    const LINES: &str = "UPDATE purchase_lines SET returned = returned WHERE purchase_id IN \
        (SELECT id FROM purchases WHERE customer_id = $1 OR customer_id = $2)";
    const REWARDED: &str = "UPDATE purchase_lines SET returned = returned WHERE purchase_id IN \
        (SELECT purchase_id FROM rewards WHERE (customer_id = $1 OR customer_id = $2) AND purchase_id IS NOT NULL)";
    let [first, second] = of;
    for sql in [LINES, REWARDED] {
        on!(tx, |c| sqlx::query(sql)
            .bind(first)
            .bind(second)
            .execute(c)
            .await
            .map(drop))?;
    }
    let now = tx.now();
    for customer in [first.min(second), first.max(second)] {
        settle(tx, customer, now).await?;
    }
    Ok(())
}

/// Brings the lots that a merge names from one customer to another; how many points that is, program by program. Call it once
/// [`take_hold`] holds both.
pub(crate) async fn carry(
    tx: &mut Tx,
    merge: MergeId,
    (from, to): (CustomerId, CustomerId),
) -> Result<BTreeMap<ProgramId, Carried>, sqlx::Error> {
    const LOTS: &str = "UPDATE lots SET customer_id = $3 WHERE customer_id = $2 AND id IN \
        (SELECT row_id FROM merge_moves WHERE merge_id = $1 AND kind = 'lots') RETURNING id, program_id, state, remaining";
    let mut lots: Vec<LotRow> = on!(tx, |c| sqlx::query_as(LOTS)
        .bind(merge)
        .bind(from)
        .bind(to)
        .fetch_all(c)
        .await)?;
    lots.sort_unstable_by_key(|lot| lot.id);
    let mut carried: BTreeMap<ProgramId, Carried> = BTreeMap::new();
    for lot in &lots {
        let sums = carried.entry(lot.program_id).or_default();
        match lot.state {
            LotState::Pending => sums.pending += lot.remaining,
            LotState::Active | LotState::Expired => sums.active += lot.remaining,
        }
    }
    carried.retain(|_, sums| *sums != Carried::default());
    let now = tx.now();
    let mut book = Book::new();
    for (program, Carried { active, pending }) in &carried {
        let mut post = |customer, sign: i64| {
            let changes = [
                (AccountKind::Active, sign * active),
                (AccountKind::Pending, sign * pending),
            ];
            let (kind, against) = (TransactionKind::Merge, Some(AccountKind::Transfer));
            book.post(now, kind, (*program, customer), None, now, &changes, against)
        };
        post(from, -1);
        let transaction = post(to, 1);
        // A debt that is there is paid by what comes.
        let spendable = lots
            .iter()
            .filter(|lot| lot.program_id == *program && lot.state == LotState::Active && lot.remaining > 0);
        book.activated.extend(spendable.map(|lot| Activated {
            lot: lot.id,
            transaction,
            program: *program,
            customer: to,
            points: lot.remaining,
        }));
    }
    book.write(tx).await?;
    Ok(carried)
}
