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

SELECT id FROM customers WHERE id = :customer_id;

SELECT id, code, name FROM articles WHERE code IN (:code_1, :code_2, :code_3, :code_3);

INSERT INTO purchases (id, source, document, kind, customer_id, store_id, at, line_count, total, channel, payments)
VALUES (:id_1, :source, :id_1, 'sale', :customer_id, NULL, NOW(), 3, :total, NULL, '')
ON CONFLICT (source, document) DO NOTHING RETURNING id;

SELECT p.id, p.automatic, p.closed_at, v.version, v.share, v.delay_days, v.term_days, v.published_at
FROM programs p JOIN program_versions v ON v.program_id = p.id ORDER BY p.id, v.published_at, v.version;

INSERT INTO purchase_lines (id, purchase_id, ordinal, article_id, quantity, price, discount, amount, original_line_id)
VALUES (:id_1, :id_1, 1, :article_1, :quantity_1, :price_1, 0, :amount_1, NULL),
(:id_2, :id_1, 2, :article_2, :quantity_2, :price_2, 0, :amount_2, NULL),
(:id_3, :id_1, 3, :article_3, :quantity_3, :price_3, 0, :amount_3, NULL);

SELECT customer_id, program_id, joined_at, left_at FROM memberships WHERE customer_id IN (:customer_id);

SELECT id, program_id, customer_id, kind FROM accounts WHERE (customer_id IS NULL);

SELECT id, program_id, customer_id, kind FROM accounts WHERE customer_id IN (:customer_id);

INSERT INTO accounts (id, program_id, customer_id, kind, balance)
VALUES (:account_id, :program, :customer_id, 'pending', :points)
ON CONFLICT (id) DO UPDATE SET balance = accounts.balance + excluded.balance
RETURNING program_id, customer_id, kind, balance;

INSERT INTO transactions (id, program_id, customer_id, kind, purchase_id, at, recorded_at)
VALUES (:id_1, :program, :customer_id, 'accrual', :id_1, NOW(), NOW());

INSERT INTO postings (id, transaction_id, account_id, amount)
VALUES (:id_1, :id_1, :account_id, :points), (:id_2, :id_1, :issued, -(:points)::bigint);

INSERT INTO lots (id, transaction_id, program_id, customer_id, points, remaining, state, activates_at, expires_at, origin_id)
VALUES (:id_1, :id_1, :program, :customer_id, :points, :points, 'pending',
NOW() + :delay::bigint * INTERVAL '24 hours', NOW() + (:delay::bigint + :term::bigint) * INTERVAL '24 hours', NULL);

INSERT INTO accruals (line_id, program_id, program_version, lot_id, points)
VALUES (:id_1, :program, :version, :id_1, :points_1), (:id_2, :program, :version, :id_1, :points_2),
(:id_3, :program, :version, :id_1, :points_3);

SELECT line_id FROM waiting_returns LIMIT 1;

UPDATE purchases SET till_id = :till, receipt_code = NULL WHERE id = :id_1;

SELECT id, document, customer_id, voided_at, receipt_code, channel, payments FROM purchases WHERE id = :id_1;

SELECT a.line_id, a.program_id, a.program_version, v.name, v.share, a.lot_id, t.state, a.points, a.taken_back,
t.activates_at, t.expires_at FROM purchase_lines l JOIN accruals a ON a.line_id = l.id JOIN lots t ON t.id = a.lot_id
JOIN programs p ON p.id = a.program_id
JOIN program_versions v ON v.program_id = a.program_id AND v.version = a.program_version
WHERE l.purchase_id = :id_1 AND t.customer_id = :customer_id ORDER BY l.ordinal, p.position, p.id;

SELECT w.line_id AS line, w.program_id AS program, w.points, w.given_back FROM line_payments w
JOIN purchase_lines l ON l.id = w.line_id JOIN purchases p ON p.id = l.purchase_id
JOIN programs g ON g.id = w.program_id
WHERE l.purchase_id = :id_1 AND p.customer_id = :customer_id ORDER BY l.ordinal, g.position, g.id;

SELECT p.id, p.code, v.name FROM programs p JOIN program_versions v ON v.program_id = p.id
AND v.version = (SELECT MAX(w.version) FROM program_versions w WHERE w.program_id = p.id
AND w.published_at <= now()) WHERE p.id IN (:program);

INSERT INTO report_marks (id, day, kind) VALUES (:id_1, (NOW() AT TIME ZONE 'Europe/Moscow')::date, 'day');

UPDATE idempotency_keys SET answer = :answer WHERE scope = :scope AND key = :id_1;

COMMIT;
