-- A receipt of three lines as pgbench books it: what the product sends to PostgreSQL for one, statement by statement
-- and in its order. A paragraph that begins with SELECT only reads.

\set customer random(1, :customers)
\set basket random(1, :baskets)

-- Who buys what, and ids that sort by time: what a till and the product know without asking.
SELECT c.customer_id, c.account_id, b.*, i.id || '1' AS id_1, i.id || '2' AS id_2, i.id || '3' AS id_3
FROM bench_customers c, bench_baskets b,
(SELECT LPAD(TO_HEX((EXTRACT(EPOCH FROM CLOCK_TIMESTAMP()) * 1000)::bigint), 12, '0') || '70008'
|| LEFT(MD5(RANDOM()::text), 14) AS id) i WHERE c.n = :customer AND b.n = :basket \gset

SELECT t.id, k.id AS key, t.code, t.source, t.store_id, k.scopes, k.used_at FROM api_keys k
JOIN tills t ON t.id = k.till_id WHERE k.key_hash = :key_hash AND k.revoked_at IS NULL AND t.disabled_at IS NULL;

SELECT fingerprint, answer FROM idempotency_keys WHERE scope = :scope AND key = :id_1;

BEGIN;

INSERT INTO idempotency_keys (scope, key, fingerprint, created_at) VALUES (:scope, :id_1, :key_hash, NOW())
ON CONFLICT (scope, key) DO NOTHING;

SELECT COALESCE(merged_into, id) FROM customers WHERE id = :customer_id;

SELECT id, code, name FROM articles WHERE code IN (:code_1, :code_2, :code_3, :code_3);

INSERT INTO purchases (id, source, document, kind, customer_id, store_id, at, line_count, total, channel, payments, till_id)
VALUES (:id_1, :source, :id_1, 'sale', :customer_id, NULL, NOW(), 3, :total, NULL, '', :till)
ON CONFLICT (source, document) DO NOTHING RETURNING id;

SELECT pg_advisory_xact_lock_shared(7737573839762453505);

SELECT p.id, p.automatic, p.closed_at, v.version, v.share, v.delay_days, v.term_days, v.published_at,
COALESCE((SELECT n.value FROM sequences n WHERE n.name = 'rules'), 0) AS revision
FROM programs p JOIN program_versions v ON v.program_id = p.id ORDER BY p.id, v.published_at, v.version;

INSERT INTO purchase_lines (id, purchase_id, ordinal, article_id, quantity, price, discount, amount, original_line_id)
VALUES (:id_1, :id_1, 1, :article_1, :quantity_1, :price_1, 0, :amount_1, NULL),
(:id_2, :id_1, 2, :article_2, :quantity_2, :price_2, 0, :amount_2, NULL),
(:id_3, :id_1, 3, :article_3, :quantity_3, :price_3, 0, :amount_3, NULL);

SELECT customer_id, program_id, joined_at, left_at FROM memberships WHERE customer_id IN (:customer_id);

SELECT id, program_id, customer_id, kind, partner_key FROM accounts WHERE (customer_id IS NULL AND partner_key IS NULL)
UNION ALL SELECT id, program_id, customer_id, kind, partner_key FROM accounts WHERE customer_id IN (:customer_id);

INSERT INTO accounts (id, program_id, customer_id, kind, balance)
VALUES (:account_id, :program, :customer_id, 'pending', :points)
ON CONFLICT (id) DO UPDATE SET balance = accounts.balance + excluded.balance
RETURNING program_id, customer_id, kind, balance;

INSERT INTO transactions (id, program_id, customer_id, kind, purchase_id, at, recorded_at, reward_id)
VALUES (:id_1, :program, :customer_id, 'accrual', :id_1, NOW(), NOW(), NULL);

INSERT INTO postings (id, transaction_id, account_id, amount)
VALUES (:id_1, :id_1, :account_id, :points), (:id_2, :id_1, :issued, -(:points)::bigint);

INSERT INTO lots (id, transaction_id, program_id, customer_id, points, remaining, state, activates_at, expires_at, origin_id)
VALUES (:id_1, :id_1, :program, :customer_id, :points, :points, 'pending',
NOW() + :delay::bigint * INTERVAL '24 hours', NOW() + (:delay::bigint + :term::bigint) * INTERVAL '24 hours', NULL);

INSERT INTO accruals (line_id, program_id, program_version, lot_id, points)
VALUES (:id_1, :program, :version, :id_1, :points_1), (:id_2, :program, :version, :id_1, :points_2),
(:id_3, :program, :version, :id_1, :points_3);

SELECT invited_id, inviter_id, created_at FROM invitations WHERE invited_id IN (:customer_id) AND (purchase_id IS NULL);

SELECT line_id FROM waiting_returns LIMIT 1;

SELECT id FROM customers WHERE id = :customer_id ORDER BY id FOR NO KEY UPDATE;

SELECT p.customer_id, p.at, p.id, p.kind = 'sale' AS is_sale, p.total FROM purchases p
WHERE p.customer_id IN (:customer_id) AND (p.voided_at IS NULL)
UNION ALL SELECT p.customer_id, p.at, p.id, FALSE, l.amount FROM purchases s
JOIN purchase_lines o ON o.purchase_id = s.id AND o.returned > 0
JOIN purchase_lines l ON l.original_line_id = o.id
JOIN purchases p ON p.id = l.purchase_id AND (p.customer_id IS NULL OR p.customer_id <> s.customer_id)
WHERE s.customer_id IN (:customer_id) AND (p.voided_at IS NULL)
UNION ALL SELECT p.customer_id, p.at, p.id, FALSE, -l.amount FROM purchases p
JOIN purchase_lines l ON l.purchase_id = p.id AND l.original_line_id IS NOT NULL
JOIN purchase_lines o ON o.id = l.original_line_id
JOIN purchases s ON s.id = o.purchase_id AND (s.customer_id IS NULL OR s.customer_id <> p.customer_id)
WHERE p.customer_id IN (:customer_id) AND (p.voided_at IS NULL);

SELECT customer_id, program_id, joined_at FROM memberships WHERE customer_id IN (:customer_id) AND (left_at IS NULL);

SELECT customer_id, program_id, version, tier_id, since, why, until, due_on FROM tier_standings
WHERE customer_id IN (:customer_id);

SELECT p.id, p.document, p.customer_id, p.at, p.voided_at, p.receipt_code, p.channel, p.payments,
CAST(COALESCE((SELECT SUM(r.unpaid) FROM reservations r WHERE r.customer_id = p.customer_id
AND r.purchase_id = p.id), 0) AS BIGINT) AS unpaid,
EXISTS (SELECT 1 FROM grants g WHERE g.purchase_id = p.id) AS is_given,
CASE WHEN p.kind = 'return' THEN (SELECT COUNT(*) FROM purchase_lines l JOIN waiting_returns w ON w.line_id = l.id
WHERE l.purchase_id = p.id) ELSE 0 END AS waiting FROM purchases p WHERE p.id = :id_1;

SELECT s.is_paid, g.code, v.name, CAST(SUM(s.points) AS BIGINT) FROM
(SELECT FALSE AS is_paid, a.program_id, a.points - a.taken_back AS points FROM purchase_lines l
JOIN accruals a ON a.line_id = l.id JOIN lots t ON t.id = a.lot_id
WHERE l.purchase_id = :id_1 AND t.customer_id = :customer_id
UNION ALL SELECT TRUE, w.program_id, w.points - w.given_back FROM purchase_lines l
JOIN line_payments w ON w.line_id = l.id JOIN purchases p ON p.id = l.purchase_id
WHERE l.purchase_id = :id_1 AND p.customer_id = :customer_id) s
JOIN programs g ON g.id = s.program_id JOIN program_versions v ON v.program_id = g.id AND v.version =
COALESCE((SELECT MAX(n.version) FROM program_versions n WHERE n.program_id = g.id AND n.published_at <= now()), 1)
GROUP BY s.is_paid, g.id, g.code, v.name ORDER BY g.id;

UPDATE idempotency_keys SET answer = :answer WHERE scope = :scope AND key = :id_1;

SELECT id, events FROM webhooks WHERE disabled_at IS NULL;

INSERT INTO report_marks (id, day, kind) VALUES (:id_1, (NOW() AT TIME ZONE 'Europe/Moscow')::date, 'day');

COMMIT;
