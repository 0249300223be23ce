-- Odd patterns: rules with their limits, what was found by them, and spending that staff stop. The same version exists for the other
-- engine.

CREATE TABLE fraud_rules (
    code        TEXT NOT NULL PRIMARY KEY,
    position    BIGINT NOT NULL,
    enabled     BOOLEAN NOT NULL,
    name        JSONB NOT NULL,
    why         JSONB NOT NULL,        -- why it is odd
    least       BIGINT NOT NULL CHECK (least > 0),   -- from how many on, or from how many whole points on
    days        BIGINT NOT NULL CHECK (days > 0),    -- within how many days
    share       BIGINT NOT NULL CHECK (share > 0),   -- from how many per cent on
    changed_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE fraud_alerts (
    id           UUID NOT NULL PRIMARY KEY,
    rule         TEXT NOT NULL REFERENCES fraud_rules (code),
    mark         TEXT NOT NULL,       -- whom and what it is about: of each there is one open alert
    customer_id  UUID NOT NULL REFERENCES customers (id),
    state        TEXT NOT NULL CHECK (state IN ('open', 'dismissed', 'confirmed')),
    measure      BIGINT NOT NULL,       -- how many there were, or how many hundredths of points
    out_of       BIGINT,                -- of how many
    limits       JSONB NOT NULL,       -- of the rule, as they were
    found_at     TIMESTAMPTZ NOT NULL,
    changed_at   TIMESTAMPTZ NOT NULL,
    decided_at   TIMESTAMPTZ,
    staff_id     UUID REFERENCES staff (id),
    reason       TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX fraud_alerts_open ON fraud_alerts (rule, mark) WHERE state = 'open';
CREATE INDEX fraud_alerts_state ON fraud_alerts (state, found_at, id);
CREATE INDEX fraud_alerts_rule ON fraud_alerts (rule, state, found_at, id);
CREATE INDEX fraud_alerts_customer ON fraud_alerts (customer_id);

-- What speaks for it: receipts, transfers, and transactions of points.
CREATE TABLE fraud_evidence (
    id           UUID NOT NULL PRIMARY KEY,
    alert_id     UUID NOT NULL REFERENCES fraud_alerts (id),
    kind         TEXT NOT NULL CHECK (kind IN ('purchase', 'transfer', 'transaction')),
    row_id       UUID NOT NULL,
    customer_id  UUID NOT NULL REFERENCES customers (id),
    at           TIMESTAMPTZ NOT NULL,
    UNIQUE (alert_id, row_id)
);
CREATE INDEX fraud_evidence_place ON fraud_evidence (alert_id, at, id);
CREATE INDEX fraud_evidence_row ON fraud_evidence (row_id);
CREATE INDEX fraud_evidence_customer ON fraud_evidence (customer_id, alert_id);

-- Customers whose points are not to be spent for a while, because staff said so.
CREATE TABLE spending_stops (
    id           UUID NOT NULL PRIMARY KEY,
    customer_id  UUID NOT NULL REFERENCES customers (id),
    alert_id     UUID NOT NULL REFERENCES fraud_alerts (id),
    staff_id     UUID NOT NULL REFERENCES staff (id),
    reason       TEXT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    ends_at      TIMESTAMPTZ NOT NULL,
    lifted_at    TIMESTAMPTZ,                   -- before it was over, or when it was
    lifted_by    UUID REFERENCES staff (id),
    lift_reason  TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX spending_stops_one ON spending_stops (customer_id) WHERE lifted_at IS NULL;
CREATE INDEX spending_stops_customer ON spending_stops (customer_id, created_at, id);

-- Receipts of one till, or of a shop of which no till is known.
CREATE INDEX purchases_place ON purchases (COALESCE(store_id, till_id), COALESCE(till_id, store_id), at);

-- A right that is new.
UPDATE roles SET rights = rights || '["fraud"]' WHERE code IN ('administrator', 'lead');
