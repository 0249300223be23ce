//! What returns and voids do to points: what lines earned is taken back, what was paid for them with points goes back to
//! the lots that it came from, and a void does the opposite of the return that it undoes.

use super::{
    AccountKind, Activated, Book, LotState, Over, SpendError, TransactionKind, Undone, active, draw, draw_first,
    rewards, rules, settle,
};
use crate::db::{self, Bind, Conn, ListQuery, Tx};
use crate::error::Error;
use crate::id::{AllocationId, CustomerId, LineId, LotId, ProgramId, PurchaseId, RewardId, TransactionId};
use crate::on;
use chrono::{DateTime, Utc};

/// Something that lines have in a program: earned points, or payments with points.
type Holding = (CustomerId, ProgramId, LineId);

/// Holdings of these lines, customer by customer, program by program.
async fn holdings(conn: &mut Conn, select: &'static str, lines: &[LineId]) -> Result<Vec<Holding>, sqlx::Error> {
    let query = ListQuery::new(select)
        .within("a.line_id", lines.iter().map(|id| Bind::Id(id.0)))
        .tail("ORDER BY 1, 2, 3");
    db::list(conn, query).await
}

const EARNED: &str = "SELECT t.customer_id, a.program_id, a.line_id FROM accruals a JOIN lots t ON t.id = a.lot_id";
const PAID: &str = "SELECT p.customer_id, a.program_id, a.line_id FROM line_payments a \
    JOIN purchase_lines l ON l.id = a.line_id JOIN purchases p ON p.id = l.purchase_id";

/// How many of a line came back, within a query over `purchase_lines l` and `purchases p`: of a receipt that was voided
/// all of them.
macro_rules! returned {
    () => {
        "CASE WHEN p.voided_at IS NULL THEN l.returned ELSE l.quantity END AS returned"
    };
}

/// An allocation of which something may go back.
#[derive(sqlx::FromRow)]
pub(super) struct Taken {
    id: AllocationId,
    lot_id: LotId,
    /// Whose the lot is: where accounts were merged or parted since, not whoever it was taken from.
    customer_id: CustomerId,
    /// What did not go back yet.
    pub(super) points: i64,
    state: LotState,
    expires_at: DateTime<Utc>,
    /// The lot that this customer's points began in.
    root: LotId,
}

macro_rules! taken {
    ($where:literal) => {
        concat!(
            "SELECT * FROM (SELECT x.id, x.lot_id, t.customer_id, CAST(x.points - COALESCE((SELECT SUM(r.points) FROM restorations r \
             WHERE r.allocation_id = x.id), 0) AS BIGINT) AS points, t.state, t.expires_at, \
             COALESCE((SELECT o.id FROM lots o WHERE o.id = t.origin_id AND o.customer_id = t.customer_id), t.id) AS root \
             FROM allocations x JOIN transactions y ON y.id = x.transaction_id JOIN lots t ON t.id = x.lot_id \
             WHERE ",
            $where,
            ") z WHERE z.points > 0 ORDER BY z.id DESC"
        )
    };
}

/// What was taken for a line in a program by transactions of a kind, the last first.
async fn taken_for(
    tx: &mut Tx,
    line: LineId,
    program: ProgramId,
    kind: TransactionKind,
) -> Result<Vec<Taken>, sqlx::Error> {
    const SQL: &str = taken!("x.line_id = $1 AND y.program_id = $2 AND y.kind = $3");
    on!(tx, |c| sqlx::query_as(SQL)
        .bind(line)
        .bind(program)
        .bind(kind)
        .fetch_all(c)
        .await)
}

/// What returns took of a reward in a program, the last first.
pub(super) async fn taken_for_reward(
    tx: &mut Tx,
    reward: RewardId,
    program: ProgramId,
) -> Result<Vec<Taken>, sqlx::Error> {
    const SQL: &str = taken!("y.reward_id = $1 AND y.program_id = $2 AND y.kind = 'return'");
    on!(tx, |c| sqlx::query_as(SQL)
        .bind(reward)
        .bind(program)
        .fetch_all(c)
        .await)
}

/// What one transaction took, the last first.
pub(super) async fn taken_by(tx: &mut Tx, transaction: TransactionId) -> Result<Vec<Taken>, sqlx::Error> {
    const SQL: &str = taken!("x.transaction_id = $1");
    on!(tx, |c| sqlx::query_as(SQL).bind(transaction).fetch_all(c).await)
}

/// What lots of a customer paid of debts in a program, the last first. A debt is paid by the transaction that brings the points.
async fn paid_debts(tx: &mut Tx, (program, customer): (ProgramId, CustomerId)) -> Result<Vec<Taken>, sqlx::Error> {
    const SQL: &str = taken!(
        "t.customer_id = $1 AND t.program_id = $2 AND x.line_id IS NULL AND 0 < (SELECT SUM(o.amount) FROM postings o \
         JOIN accounts a ON a.id = o.account_id WHERE o.transaction_id = y.id AND a.kind = 'active')"
    );
    on!(tx, |c| sqlx::query_as(SQL)
        .bind(customer)
        .bind(program)
        .fetch_all(c)
        .await)
}

/// Points that go back to where they came from.
#[derive(Default)]
pub(super) struct Restoring {
    parts: Vec<(Taken, i64)>,
    /// What goes to the pending account.
    pub(super) pending: i64,
    /// What goes to the active account.
    pub(super) active: i64,
}

impl Restoring {
    /// Adds up to `points` out of what was taken, and tells how many that is.
    pub(super) fn add(&mut self, taken: Vec<Taken>, points: i64) -> i64 {
        let mut left = points;
        for one in taken {
            let part = one.points.min(left);
            if part == 0 {
                break;
            }
            left -= part;
            match one.state {
                LotState::Pending => self.pending += part,
                LotState::Active | LotState::Expired => self.active += part,
            }
            self.parts.push((one, part));
        }
        points - left
    }

    /// Adds a debt that was none after all. What of it nobody has paid yet is owed no more, and what paid the rest is free again,
    /// the last first: it would have had less to pay. Tells how many points nobody here is known to have paid: accounts were
    /// merged or parted since.
    pub(super) async fn lift_debt(
        &mut self,
        tx: &mut Tx,
        book: &mut Book,
        (program, customer): (ProgramId, CustomerId),
        debt: i64,
    ) -> Result<i64, sqlx::Error> {
        if debt == 0 {
            return Ok(0);
        }
        let (balance, _) = active(tx, customer, program).await?;
        let unpaid = debt.min((-balance).max(0));
        book.lifted.insert((program, customer), unpaid);
        self.active += unpaid;
        let paid = paid_debts(tx, (program, customer)).await?;
        Ok(debt - unpaid - self.add(paid, debt - unpaid))
    }

    /// Puts them back under a transaction of `at`: into their own lot with its own term, or, where that ends before
    /// `until` or is somebody else's by now, into one that carries it on until then.
    pub(super) async fn apply(
        self,
        tx: &mut Tx,
        book: &mut Book,
        transaction: TransactionId,
        (program, customer): (ProgramId, CustomerId),
        at: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const BACK: &str = "UPDATE lots SET remaining = remaining + $2 WHERE id = $1";
        for (taken, points) in self.parts {
            let is_kept = match taken.state {
                LotState::Pending => true,
                LotState::Active => taken.customer_id == customer && taken.expires_at >= until,
                LotState::Expired => false,
            };
            if !is_kept {
                let term = (at, taken.expires_at.max(until));
                let lot = book.carry_on(transaction, (program, customer), points, term, taken.root);
                book.restore(taken.id, transaction, lot, points);
                continue;
            }
            on!(tx, |c| sqlx::query(BACK)
                .bind(taken.lot_id)
                .bind(points)
                .execute(c)
                .await
                .map(drop))?;
            book.restore(taken.id, transaction, taken.lot_id, points);
            if taken.state != LotState::Pending {
                book.activated.push(Activated {
                    lot: taken.lot_id,
                    transaction,
                    program,
                    customer,
                    points,
                });
            }
        }
        Ok(())
    }
}

#[derive(sqlx::FromRow)]
struct OwedRow {
    points: i64,
    taken_back: i64,
    forgiven: i64,
    quantity: i64,
    returned: i64,
    lot_id: LotId,
    lot_points: i64,
    lot_remaining: i64,
    lot_state: LotState,
    lot_expires_at: DateTime<Utc>,
    lot_expired: i64,
    lot_taken_back: i64,
    /// Partners pay for a part of it.
    is_funded: bool,
}

/// What a line earned in a program and what became of it. What expired of lots that carry its own on has expired of it,
/// unless it came back for a late sale.
async fn owed(tx: &mut Tx, line: LineId, program: ProgramId) -> Result<OwedRow, sqlx::Error> {
    const SQL: &str = concat!(
        "SELECT a.points, a.taken_back, a.forgiven, l.quantity, ",
        returned!(),
        ", t.id AS lot_id, t.points AS lot_points, t.remaining AS lot_remaining, t.state AS lot_state, t.expires_at AS lot_expires_at, \
         CAST(COALESCE((SELECT SUM(x.points - COALESCE((SELECT SUM(b.points) FROM restorations b WHERE b.allocation_id = x.id), 0)) \
         FROM allocations x JOIN transactions y ON y.id = x.transaction_id \
         WHERE y.kind = 'expiry' AND x.lot_id IN (SELECT o.id FROM lots o WHERE o.id = t.id \
         OR (o.origin_id = t.id AND o.customer_id = t.customer_id))), 0) AS BIGINT) AS lot_expired, \
         CAST((SELECT SUM(taken_back) FROM accruals WHERE lot_id = t.id) AS BIGINT) AS lot_taken_back, \
         EXISTS (SELECT 1 FROM fundings f WHERE f.line_id = a.line_id AND f.program_id = a.program_id) AS is_funded \
         FROM accruals a JOIN purchase_lines l ON l.id = a.line_id JOIN purchases p ON p.id = l.purchase_id \
         JOIN lots t ON t.id = a.lot_id WHERE a.line_id = $1 AND a.program_id = $2"
    );
    on!(tx, |c| sqlx::query_as(SQL).bind(line).bind(program).fetch_one(c).await)
}

/// Writes down how much more of what a line earned was taken back and let go; less where the numbers are below zero.
async fn count_taken(
    tx: &mut Tx,
    line: LineId,
    program: ProgramId,
    taken: i64,
    forgiven: i64,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE accruals SET taken_back = taken_back + $3, forgiven = forgiven + $4 \
                       WHERE line_id = $1 AND program_id = $2";
    on!(tx, |c| sqlx::query(SQL)
        .bind(line)
        .bind(program)
        .bind(taken)
        .bind(forgiven)
        .execute(c)
        .await
        .map(drop))
}

/// Sees to it that the next transaction goes to the account of each partner who pays for what a line earned as far as it is
/// theirs, now that `taken` of its `points` were taken back in all.
async fn back_to_partners(
    tx: &mut Tx,
    book: &mut Book,
    (line, program): (LineId, ProgramId),
    points: i64,
    taken: i64,
) -> Result<(), sqlx::Error> {
    const FUNDED: &str = "SELECT partner_key, points, taken_back FROM fundings WHERE line_id = $1 AND program_id = $2";
    const COUNT: &str =
        "UPDATE fundings SET taken_back = $4 WHERE line_id = $1 AND program_id = $2 AND partner_key = $3";
    let mut funded: Vec<(String, i64, i64)> = on!(tx, |c| sqlx::query_as(FUNDED)
        .bind(line)
        .bind(program)
        .fetch_all(c)
        .await)?;
    // Always in the same order, whatever the engine's: on it depends whose part is rounded.
    funded.sort_unstable();
    let parts: Vec<i64> = funded.iter().map(|(_, points, _)| *points).collect();
    let back = rules::back_to_partners(points, taken, &parts);
    for ((partner, _, before), now) in funded.into_iter().zip(back) {
        if now != before {
            on!(tx, |c| sqlx::query(COUNT)
                .bind(line)
                .bind(program)
                .bind(&partner)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            *book.funded.entry(partner).or_default() += before - now;
        }
    }
    Ok(())
}

/// Takes back what lines earned of which more came back: call it once `returned` of the lines has grown, or their receipt
/// was voided. `purchase` is the return, or the voided receipt. Tells how many points it took.
///
/// It takes from the line's own lot first, pending or active, then from the customer's other active lots, and then below
/// zero down to the shop's floor; what is beyond that is let go for good. It takes what is reserved as well: a promise to a
/// till is no shield. What expired after `at` is taken as it would have been then, before other lots.
pub(crate) async fn take_back(
    tx: &mut Tx,
    kind: TransactionKind,
    purchase: PurchaseId,
    at: DateTime<Utc>,
    lines: &[LineId],
) -> Result<i64, sqlx::Error> {
    let accruals = holdings(tx, EARNED, lines).await?;
    let (now, floor) = (tx.now(), tx.shop().points.floor());
    let mut book = Book::new();
    let mut total = 0;
    for accruals in accruals.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let (customer, program, _) = accruals[0];
        settle(tx, customer, at).await?;
        let mut over = Over::since(tx, (customer, program), at).await?;
        let mut undone: Vec<Undone> = Vec::new();
        let (mut balance, _) = active(tx, customer, program).await?;
        let (mut from_pending, mut from_active) = (0, 0);
        let mut drawn: Vec<(LotId, i64, LineId)> = Vec::new();
        for (_, _, line) in accruals {
            let row = owed(tx, *line, program).await?;
            let owed = rules::owed(row.points, row.quantity, row.returned) - row.taken_back - row.forgiven;
            let (was_over, is_over) = over.of(row.lot_id);
            let lot = rules::Lot {
                points: row.lot_points,
                remaining: row.lot_remaining + is_over,
                expired: row.lot_expired - was_over,
                taken_back: row.lot_taken_back,
            };
            let back = lot.take_back(owed);
            if back.own + back.others == 0 {
                continue;
            }
            let own = back.own.min(row.lot_remaining);
            if own > 0 {
                draw(tx, row.lot_id, own).await?;
                drawn.push((row.lot_id, own, *line));
            }
            let (expired, less) = over.take_back((row.lot_id, back.own - own), back.others, at);
            let again: i64 = expired.iter().map(|(.., part)| part).sum();
            drawn.extend(expired.iter().map(|(_, lot, part)| (*lot, *part, *line)));
            undone.extend(expired);
            let others = draw_first(tx, (customer, program), back.others - less, 0).await?;
            let lent: i64 = others.iter().map(|(_, points)| points).sum();
            drawn.extend(others.into_iter().map(|(lot, points)| (lot, points, *line)));
            let own_active = match row.lot_state {
                LotState::Pending => 0,
                LotState::Active | LotState::Expired => own,
            };
            balance -= own_active + lent;
            // What others cannot give stays as a debt: the active balance goes below zero.
            let debt = (back.others - less - lent).min((balance - floor).max(0));
            balance -= debt;
            from_pending += own - own_active;
            from_active += own_active + again + lent + debt;
            let taken = own + again + lent + debt;
            count_taken(tx, *line, program, taken, back.own + back.others - taken).await?;
            // What is let go the partner has paid for all the same.
            if row.is_funded {
                let now = row.taken_back + taken;
                back_to_partners(tx, &mut book, (*line, program), row.points, now).await?;
            }
        }
        if from_pending + from_active == 0 {
            continue;
        }
        total += from_pending + from_active;
        book.undo_expiry(now, (program, customer), Some(purchase), &undone);
        let transaction = book.post(
            now,
            kind,
            (program, customer),
            Some(purchase),
            at,
            &[
                (AccountKind::Pending, -from_pending),
                (AccountKind::Active, -from_active),
            ],
            Some(AccountKind::Issued),
        );
        for (lot, points, line) in drawn {
            book.allocate(lot, transaction, points, Some(line));
        }
    }
    book.write(tx).await?;
    rewards::follow(tx, kind, at, lines).await?;
    Ok(total)
}

/// Gives again what had been taken back for lines of which less came back: call it once `returned` of the lines has
/// shrunk, because their return was voided. `purchase` is that return. What was let go counts first, then the debt that it
/// had made, and then what was taken from lots, the last first. Everything has the term that it would have had: what was over
/// meanwhile comes back for this moment, and expires at once.
pub(crate) async fn give_again(
    tx: &mut Tx,
    purchase: PurchaseId,
    at: DateTime<Utc>,
    lines: &[LineId],
) -> Result<(), sqlx::Error> {
    let accruals = holdings(tx, EARNED, lines).await?;
    let now = tx.now();
    for accruals in accruals.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let (customer, program, _) = accruals[0];
        settle(tx, customer, at).await?;
        let mut book = Book::new();
        let mut restoring = Restoring::default();
        let mut debts: Vec<(LotId, DateTime<Utc>, i64)> = Vec::new();
        for (_, _, line) in accruals {
            let row = owed(tx, *line, program).await?;
            let target = rules::owed(row.points, row.quantity, row.returned);
            let surplus = (row.taken_back + row.forgiven - target).max(0);
            let forgiven = surplus.min(row.forgiven);
            let again = (surplus - forgiven).min(row.taken_back);
            let taken = taken_for(tx, *line, program, TransactionKind::Return).await?;
            let from_lots: i64 = taken.iter().map(|one| one.points).sum();
            let debt = again.min((row.taken_back - from_lots).max(0));
            if debt > 0 {
                debts.push((row.lot_id, row.lot_expires_at, debt));
            }
            restoring.add(taken, again - debt);
            count_taken(tx, *line, program, -again, -forgiven).await?;
            if row.is_funded {
                let now = row.taken_back - again;
                back_to_partners(tx, &mut book, (*line, program), row.points, now).await?;
            }
        }
        let owed: i64 = debts.iter().map(|(.., points)| points).sum();
        let mut rest = restoring.lift_debt(tx, &mut book, (program, customer), owed).await?;
        if rest + restoring.pending + restoring.active == 0 {
            continue;
        }
        let transaction = book.post(
            now,
            TransactionKind::Void,
            (program, customer),
            Some(purchase),
            at,
            &[
                (AccountKind::Pending, restoring.pending),
                (AccountKind::Active, restoring.active + rest),
            ],
            Some(AccountKind::Issued),
        );
        for (lot, expires_at, points) in debts {
            let part = points.min(rest);
            rest -= part;
            if part > 0 {
                let term = (at, expires_at.max(at));
                book.carry_on(transaction, (program, customer), part, term, lot);
            }
        }
        restoring
            .apply(tx, &mut book, transaction, (program, customer), at, at)
            .await?;
        book.write(tx).await?;
    }
    rewards::follow(tx, TransactionKind::Void, at, lines).await
}

#[derive(sqlx::FromRow)]
struct PaidRow {
    points: i64,
    given_back: i64,
    quantity: i64,
    returned: i64,
}

/// By how much what was given back of a payment falls short of what came back of its line; below zero where it exceeds it.
async fn missing(tx: &mut Tx, line: LineId, program: ProgramId) -> Result<i64, sqlx::Error> {
    const SQL: &str = concat!(
        "SELECT a.points, a.given_back, l.quantity, ",
        returned!(),
        " FROM line_payments a JOIN purchase_lines l ON l.id = a.line_id JOIN purchases p ON p.id = l.purchase_id \
         WHERE a.line_id = $1 AND a.program_id = $2"
    );
    let row: PaidRow = on!(tx, |c| sqlx::query_as(SQL).bind(line).bind(program).fetch_one(c).await)?;
    Ok(rules::owed(row.points, row.quantity, row.returned) - row.given_back)
}

async fn count_given(tx: &mut Tx, line: LineId, program: ProgramId, points: i64) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE line_payments SET given_back = given_back + $3 WHERE line_id = $1 AND program_id = $2";
    on!(tx, |c| sqlx::query(SQL)
        .bind(line)
        .bind(program)
        .bind(points)
        .execute(c)
        .await
        .map(drop))
}

/// Gives back the points that had paid for lines of which more came back: call it where [`take_back`] is called, and
/// before it. They go back to the lots that they came from, those that expire last first, and last at least for the shop's
/// term from `at` on.
pub(crate) async fn give_back(
    tx: &mut Tx,
    purchase: PurchaseId,
    at: DateTime<Utc>,
    lines: &[LineId],
) -> Result<(), sqlx::Error> {
    let payments = holdings(tx, PAID, lines).await?;
    let (now, until) = (tx.now(), at + tx.shop().points.refund_term());
    for payments in payments.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let (customer, program, _) = payments[0];
        settle(tx, customer, at).await?;
        let mut restoring = Restoring::default();
        for (_, _, line) in payments {
            let points = missing(tx, *line, program).await?;
            if points > 0 {
                let taken = taken_for(tx, *line, program, TransactionKind::Redemption).await?;
                let given = restoring.add(taken, points);
                count_given(tx, *line, program, given).await?;
            }
        }
        if restoring.active == 0 {
            continue;
        }
        let mut book = Book::new();
        let transaction = book.post(
            now,
            TransactionKind::Refund,
            (program, customer),
            Some(purchase),
            at,
            &[(AccountKind::Active, restoring.active)],
            Some(AccountKind::Spent),
        );
        restoring
            .apply(tx, &mut book, transaction, (program, customer), at, until)
            .await?;
        book.write(tx).await?;
    }
    Ok(())
}

/// What a return gave back of what had paid for a line, as far as it is still with this customer: into which lot, how many points,
/// and what is left there.
async fn refunded(
    tx: &mut Tx,
    purchase: PurchaseId,
    (program, customer): (ProgramId, CustomerId),
    line: LineId,
) -> Result<Vec<(LotId, i64, i64)>, sqlx::Error> {
    const SQL: &str = "SELECT t.id, CAST(SUM(r.points) AS BIGINT), t.remaining FROM allocations x \
        JOIN restorations r ON r.allocation_id = x.id JOIN transactions y ON y.id = r.transaction_id \
        JOIN lots t ON t.id = r.lot_id WHERE x.line_id = $1 AND y.purchase_id = $2 AND y.kind = 'refund' \
        AND t.program_id = $3 AND t.customer_id = $4 GROUP BY t.id, t.remaining, t.expires_at ORDER BY t.expires_at, t.id";
    on!(tx, |c| sqlx::query_as(SQL)
        .bind(line)
        .bind(purchase)
        .bind(program)
        .bind(customer)
        .fetch_all(c)
        .await)
}

/// Lets points pay again for lines of which less came back, because their return was voided: call it where [`give_again`]
/// is called, and after it. Points that are gone by now are [`SpendError::NotEnough`].
///
/// What the return gave back pays first, and what of it has expired since: otherwise a mistake would leave the customer points
/// that last longer than those that pay, or cost them points that they would have spent in time.
pub(crate) async fn pay_again(
    tx: &mut Tx,
    purchase: PurchaseId,
    at: DateTime<Utc>,
    lines: &[LineId],
) -> Result<(), SpendError> {
    let payments = holdings(tx, PAID, lines).await.map_err(Error::from)?;
    let now = tx.now();
    for payments in payments.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let (customer, program, _) = payments[0];
        settle(tx, customer, at).await?;
        let mut due = Vec::new();
        for (_, _, line) in payments {
            let points = -missing(tx, *line, program).await?;
            if points > 0 {
                due.push((*line, points));
                count_given(tx, *line, program, -points).await?;
            }
        }
        let points: i64 = due.iter().map(|(_, points)| points).sum();
        if points == 0 {
            continue;
        }
        let (balance, reserved) = active(tx, customer, program).await?;
        let mut over = Over::since(tx, (customer, program), DateTime::UNIX_EPOCH).await?;
        let mut undone: Vec<Undone> = Vec::new();
        let mut drawn: Vec<(LotId, i64, LineId)> = Vec::new();
        for (line, left) in &mut due {
            for (lot, given, remaining) in refunded(tx, purchase, (program, customer), *line).await? {
                let most = given.min(*left);
                let expired = over.take(most, |one| one.lot_id == lot);
                let again: i64 = expired.iter().map(|(.., part)| part).sum();
                let own = remaining.min(most - again);
                draw(tx, lot, own).await?;
                drawn.extend([(lot, again, *line), (lot, own, *line)]);
                undone.extend(expired);
                *left -= again + own;
            }
        }
        let free = (balance - reserved).max(0) + undone.iter().map(|(.., part)| part).sum::<i64>();
        if free < points {
            return Err(SpendError::NotEnough { missing: points - free });
        }
        let mut book = Book::new();
        book.undo_expiry(now, (program, customer), Some(purchase), &undone);
        let transaction = book.post(
            now,
            TransactionKind::Redemption,
            (program, customer),
            Some(purchase),
            at,
            &[(AccountKind::Active, -points)],
            Some(AccountKind::Spent),
        );
        for (line, left) in due {
            let others = draw_first(tx, (customer, program), left, reserved).await?;
            drawn.extend(others.into_iter().map(|(lot, part)| (lot, part, line)));
        }
        for (lot, part, line) in drawn.into_iter().filter(|(_, part, _)| *part > 0) {
            book.allocate(lot, transaction, part, Some(line));
        }
        book.write(tx).await?;
    }
    Ok(())
}
