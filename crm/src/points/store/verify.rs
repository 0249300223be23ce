//! Compares the projections of the ledger with what they are made of.

use super::super::Difference;
use crate::db::Db;
use crate::error::Error;
use crate::on;
use crate::who::System;
use crate::work;
use uuid::Uuid;

/// Compares every projection with what it is made of. An empty answer is the only good one.
pub async fn verify(db: &Db, _: &System) -> Result<Vec<Difference>, Error> {
    const CHECKS: &[(&str, &str)] = &[
        (
            "a transaction sums to zero",
            "SELECT transaction_id, CAST(0 AS BIGINT), CAST(SUM(amount) AS BIGINT) FROM postings \
             GROUP BY transaction_id HAVING SUM(amount) <> 0",
        ),
        (
            "a balance is the sum of its postings",
            "SELECT a.id, CAST(COALESCE(o.total, 0) AS BIGINT), a.balance FROM accounts a \
             LEFT JOIN (SELECT account_id, SUM(amount) AS total FROM postings GROUP BY account_id) o \
             ON o.account_id = a.id WHERE a.customer_id IS NOT NULL AND a.balance <> COALESCE(o.total, 0)",
        ),
        (
            "an account of a program keeps no balance",
            "SELECT id, CAST(0 AS BIGINT), balance FROM accounts WHERE customer_id IS NULL AND balance <> 0",
        ),
        (
            "a lot holds what was not taken from it, or went back to it",
            "SELECT t.id, CAST(t.points - COALESCE(x.total, 0) + COALESCE(r.total, 0) AS BIGINT), t.remaining FROM lots t \
             LEFT JOIN (SELECT lot_id, SUM(points) AS total FROM allocations GROUP BY lot_id) x ON x.lot_id = t.id \
             LEFT JOIN (SELECT b.lot_id, SUM(b.points) AS total FROM restorations b \
             JOIN allocations f ON f.id = b.allocation_id AND f.lot_id = b.lot_id GROUP BY b.lot_id) r ON r.lot_id = t.id \
             WHERE t.remaining <> t.points - COALESCE(x.total, 0) + COALESCE(r.total, 0) \
             OR (t.state = 'expired' AND t.remaining <> 0)",
        ),
        (
            "no more goes back than was taken",
            "SELECT x.id, x.points, CAST(SUM(r.points) AS BIGINT) FROM allocations x \
             JOIN restorations r ON r.allocation_id = x.id GROUP BY x.id, x.points HAVING SUM(r.points) > x.points",
        ),
        (
            "pending points lie in pending lots",
            "SELECT a.id, CAST(COALESCE(t.total, 0) AS BIGINT), a.balance FROM accounts a \
             LEFT JOIN (SELECT customer_id, program_id, SUM(remaining) AS total FROM lots WHERE state = 'pending' \
             GROUP BY customer_id, program_id) t ON t.customer_id = a.customer_id AND t.program_id = a.program_id \
             WHERE a.kind = 'pending' AND a.balance <> COALESCE(t.total, 0)",
        ),
        (
            "active points lie in active lots, and a debt only where they are empty",
            "SELECT a.id, CAST(COALESCE(t.total, 0) AS BIGINT), a.balance FROM accounts a \
             LEFT JOIN (SELECT customer_id, program_id, SUM(remaining) AS total FROM lots WHERE state = 'active' \
             GROUP BY customer_id, program_id) t ON t.customer_id = a.customer_id AND t.program_id = a.program_id \
             WHERE a.kind = 'active' AND CASE WHEN a.balance < 0 THEN 0 ELSE a.balance END <> COALESCE(t.total, 0)",
        ),
        (
            "a lot is what its lines earned, or a reward gave",
            "SELECT t.id, CAST(COALESCE(x.total, 0) + COALESCE(w.points, 0) AS BIGINT), t.points FROM lots t \
             JOIN transactions y ON y.id = t.transaction_id AND y.kind = 'accrual' \
             LEFT JOIN (SELECT lot_id, SUM(points) AS total FROM accruals GROUP BY lot_id) x ON x.lot_id = t.id \
             LEFT JOIN reward_accruals w ON w.lot_id = t.id \
             WHERE t.points <> COALESCE(x.total, 0) + COALESCE(w.points, 0)",
        ),
        (
            "what was taken from lots of a reward was taken back of what it gave",
            "SELECT a.lot_id, CAST(x.total AS BIGINT), a.taken_back FROM reward_accruals a \
             JOIN (SELECT y.reward_id, y.program_id, SUM(f.points - COALESCE((SELECT SUM(b.points) FROM restorations b \
             WHERE b.allocation_id = f.id), 0)) AS total FROM allocations f JOIN transactions y ON y.id = f.transaction_id \
             WHERE y.reward_id IS NOT NULL AND y.kind = 'return' GROUP BY y.reward_id, y.program_id) x \
             ON x.reward_id = a.reward_id AND x.program_id = a.program_id WHERE a.taken_back < x.total",
        ),
        (
            "what was taken from lots for a line was taken back of what it earned",
            "SELECT a.lot_id, CAST(x.total AS BIGINT), a.taken_back FROM accruals a \
             JOIN (SELECT f.line_id, y.program_id, SUM(f.points - COALESCE((SELECT SUM(b.points) FROM restorations b \
             WHERE b.allocation_id = f.id), 0)) AS total FROM allocations f JOIN transactions y ON y.id = f.transaction_id \
             WHERE f.line_id IS NOT NULL AND y.kind IN ('return', 'void') GROUP BY f.line_id, y.program_id) x \
             ON x.line_id = a.line_id AND x.program_id = a.program_id WHERE a.taken_back < x.total",
        ),
        (
            "what partners pay of a line is a part of what it earned, and what went back to them of what was taken back",
            "SELECT a.lot_id, a.points, CAST(f.points AS BIGINT) FROM accruals a JOIN (SELECT line_id, program_id, \
             SUM(points) AS points, SUM(taken_back) AS taken_back FROM fundings GROUP BY line_id, program_id) f \
             ON f.line_id = a.line_id AND f.program_id = a.program_id \
             WHERE f.points > a.points OR f.taken_back > a.taken_back \
             OR f.points - f.taken_back > a.points - a.taken_back",
        ),
        (
            "the account of a partner is what they pay and was not taken back",
            "SELECT a.id, CAST(-COALESCE(f.total, 0) AS BIGINT), CAST(COALESCE(o.total, 0) AS BIGINT) FROM accounts a \
             LEFT JOIN (SELECT program_id, partner_key, SUM(points - taken_back) AS total FROM \
             (SELECT program_id, partner_key, points, taken_back FROM fundings UNION ALL \
             SELECT program_id, partner_key, points, taken_back FROM reward_accruals WHERE partner_key IS NOT NULL) u \
             GROUP BY program_id, partner_key) f ON f.program_id = a.program_id AND f.partner_key = a.partner_key \
             LEFT JOIN (SELECT p.account_id, SUM(p.amount) AS total FROM postings p \
             JOIN accounts b ON b.id = p.account_id AND b.kind = 'partner' GROUP BY p.account_id) o ON o.account_id = a.id \
             WHERE a.kind = 'partner' AND COALESCE(o.total, 0) <> -COALESCE(f.total, 0)",
        ),
        (
            "what a partner pays has an account of theirs",
            "SELECT f.line_id, f.points, CAST(0 AS BIGINT) FROM fundings f WHERE NOT EXISTS (SELECT 1 FROM accounts a \
             WHERE a.kind = 'partner' AND a.program_id = f.program_id AND a.partner_key = f.partner_key)",
        ),
        (
            "what paid for a line was taken from lots",
            "SELECT w.line_id, CAST(COALESCE(x.total, 0) AS BIGINT), w.points - w.given_back FROM line_payments w \
             LEFT JOIN (SELECT f.line_id, y.program_id, SUM(f.points - COALESCE((SELECT SUM(b.points) FROM restorations b \
             WHERE b.allocation_id = f.id), 0)) AS total FROM allocations f JOIN transactions y ON y.id = f.transaction_id \
             WHERE f.line_id IS NOT NULL AND y.kind = 'redemption' GROUP BY f.line_id, y.program_id) x \
             ON x.line_id = w.line_id AND x.program_id = w.program_id WHERE w.points - w.given_back <> COALESCE(x.total, 0)",
        ),
        (
            "what was spent was taken from lots",
            "SELECT t.id, CAST(-SUM(o.amount) AS BIGINT), CAST(COALESCE((SELECT SUM(x.points) FROM allocations x \
             WHERE x.transaction_id = t.id), 0) AS BIGINT) FROM transactions t JOIN postings o ON o.transaction_id = t.id \
             JOIN accounts a ON a.id = o.account_id AND a.kind = 'active' WHERE t.kind = 'redemption' GROUP BY t.id \
             HAVING -SUM(o.amount) <> COALESCE((SELECT SUM(x.points) FROM allocations x WHERE x.transaction_id = t.id), 0)",
        ),
        (
            "what is reserved is what reservations hold",
            "SELECT a.id, CAST(COALESCE(r.total, 0) AS BIGINT), a.reserved FROM accounts a LEFT JOIN \
             (SELECT customer_id, program_id, SUM(points) AS total FROM reservations WHERE state = 'held' \
             GROUP BY customer_id, program_id) r ON r.customer_id = a.customer_id AND r.program_id = a.program_id \
             AND a.kind = 'active' WHERE a.reserved <> COALESCE(r.total, 0)",
        ),
        (
            "what was captured is what was spent",
            "SELECT r.id, CAST(COALESCE(o.amount, 0) AS BIGINT), -r.captured FROM reservations r \
             LEFT JOIN (SELECT p.transaction_id, SUM(p.amount) AS amount FROM postings p JOIN accounts a ON a.id = p.account_id \
             AND a.kind = 'active' GROUP BY p.transaction_id) o ON o.transaction_id = r.transaction_id \
             WHERE -r.captured <> COALESCE(o.amount, 0)",
        ),
        (
            "what is on its way is what transfers wait for",
            "SELECT a.id, CAST(COALESCE(t.total, 0) AS BIGINT), CAST(COALESCE(o.total, 0) AS BIGINT) FROM accounts a \
             LEFT JOIN (SELECT program_id, SUM(points) AS total FROM transfers WHERE state = 'pending' GROUP BY program_id) t \
             ON t.program_id = a.program_id LEFT JOIN (SELECT p.account_id, SUM(p.amount) AS total FROM postings p \
             JOIN accounts b ON b.id = p.account_id AND b.kind = 'transfer' GROUP BY p.account_id) o ON o.account_id = a.id \
             WHERE a.kind = 'transfer' AND COALESCE(o.total, 0) <> COALESCE(t.total, 0)",
        ),
        (
            "a lot is with whom it came to, or whom a merge brought it to",
            "SELECT l.id, CAST(0 AS BIGINT), CAST(1 AS BIGINT) FROM lots l JOIN transactions t ON t.id = l.transaction_id \
             WHERE l.customer_id <> t.customer_id AND NOT EXISTS (SELECT 1 FROM merges m JOIN merge_moves v \
             ON v.merge_id = m.id AND v.kind = 'lots' AND v.row_id = l.id \
             WHERE m.kept_id = l.customer_id AND m.undone_at IS NULL)",
        ),
        (
            "what staff gave or took is in the books",
            "SELECT d.id, CASE WHEN d.state = 'booked' THEN d.points ELSE 0 END, CAST(COALESCE(o.amount, 0) AS BIGINT) \
             FROM adjustments d LEFT JOIN (SELECT p.transaction_id, SUM(p.amount) AS amount FROM postings p \
             JOIN accounts a ON a.id = p.account_id AND a.kind = 'active' GROUP BY p.transaction_id) o \
             ON o.transaction_id = d.transaction_id \
             WHERE CASE WHEN d.state = 'booked' THEN d.points ELSE 0 END <> COALESCE(o.amount, 0)",
        ),
        (
            "what a budget has paid is what its rule gave",
            "SELECT u.rule_id, CAST(COALESCE(g.total, 0) AS BIGINT), u.value FROM rule_usages u LEFT JOIN \
             (SELECT rule_id, SUM(amount) AS total FROM grants WHERE kind IN ('discount', 'points') GROUP BY rule_id) g \
             ON g.rule_id = u.rule_id WHERE u.value <> COALESCE(g.total, 0)",
        ),
        (
            "a budget has paid as often as its rule gave",
            "SELECT u.rule_id, CAST(COALESCE(g.total, 0) AS BIGINT), u.times FROM rule_usages u LEFT JOIN \
             (SELECT rule_id, COUNT(DISTINCT COALESCE(purchase_id, reward_id, id)) AS total FROM grants GROUP BY rule_id) g \
             ON g.rule_id = u.rule_id WHERE u.times <> COALESCE(g.total, 0)",
        ),
    ];
    let mut conn = db.read().await?;
    let mut differences = Vec::new();
    for &(what, sql) in CHECKS {
        let rows: Vec<(Uuid, i64, i64)> = on!(conn, |c| sqlx::query_as(sql).fetch_all(c).await)?;
        differences.extend(rows.into_iter().map(|(id, expected, found)| Difference {
            what,
            id,
            expected,
            found,
        }));
    }
    Ok(differences)
}

/// Compares everything, receipts and tiers included, once a day: of all processes the first that asks after a day has gone by.
/// `None` where it was done today already; where it fails, it is done again some hours later.
pub async fn verify_daily(db: &Db, by: &System) -> Result<Option<Vec<Difference>>, Error> {
    let everything = async {
        let mut differences = verify(db, by).await?;
        differences.extend(crate::purchase::store::verify(db, by).await?);
        differences.extend(crate::rule::tier::store::verify(db, by).await?);
        Ok::<_, Error>(differences)
    };
    work::once_a_day(db, "ledger_verified_at", everything).await
}
