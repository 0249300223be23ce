-- Tiers by the number of purchases count those of which something is kept. The same version exists for the other engine.

-- Of whose purchases something came back, and who brought something back: the daily work looks where they stand.
UPDATE tier_standings SET due_on = '2000-01-01' WHERE customer_id IN (
    SELECT p.customer_id FROM purchase_lines l JOIN purchases p ON p.id = l.purchase_id
    WHERE (l.returned > 0 OR l.original_line_id IS NOT NULL) AND p.customer_id IS NOT NULL
);
