-- Promotions as marketers write them: an idea has a name alone, a draft says everything, and what is published is offered.
ALTER TABLE promotions ADD COLUMN stage TEXT NOT NULL DEFAULT 'published' CHECK (stage IN ('idea', 'draft', 'published'));
ALTER TABLE promotions ADD COLUMN must_activate BOOLEAN NOT NULL DEFAULT FALSE;   -- counts for whoever switched it on

-- The rules that carry a promotion out; no row: words alone.
CREATE TABLE promotion_rules (
    promotion_id  UUID NOT NULL REFERENCES promotions (id),
    rule_id       UUID NOT NULL REFERENCES rules (id),
    PRIMARY KEY (promotion_id, rule_id)
);

-- Who switched which promotion on, and when.
CREATE TABLE activations (
    customer_id   UUID NOT NULL REFERENCES customers (id),
    promotion_id  UUID NOT NULL REFERENCES promotions (id),
    at            TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (customer_id, promotion_id)
);
