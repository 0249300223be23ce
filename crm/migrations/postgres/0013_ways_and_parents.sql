-- How something was bought and paid, and categories within categories. The same version exists for the other engine.

ALTER TABLE categories ADD COLUMN parent_id UUID REFERENCES categories (id);   -- the one that it lies right within
CREATE INDEX categories_parent ON categories (parent_id) WHERE parent_id IS NOT NULL;

ALTER TABLE purchases ADD COLUMN channel TEXT;                       -- none: nobody told
ALTER TABLE purchases ADD COLUMN payments TEXT NOT NULL DEFAULT '';  -- words parted by spaces; empty: nobody told

ALTER TABLE import_lines ADD COLUMN channel TEXT NOT NULL DEFAULT '';
ALTER TABLE import_lines ADD COLUMN payments TEXT NOT NULL DEFAULT '';

-- What rules gave while a version without the budget was in force had not been counted.
UPDATE rule_usages SET
    value = (SELECT CAST(COALESCE(SUM(g.amount), 0) AS BIGINT) FROM grants g
             WHERE g.rule_id = rule_usages.rule_id AND g.kind IN ('discount', 'points')),
    times = (SELECT COUNT(DISTINCT COALESCE(g.purchase_id, g.id)) FROM grants g WHERE g.rule_id = rule_usages.rule_id);
