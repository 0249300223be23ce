-- Odd patterns: rules with their limits, what was found by them, and spending that staff stop. The same version exists for the other
-- engine.

CREATE TABLE fraud_rules (
    code        TEXT    NOT NULL PRIMARY KEY,
    position    INTEGER NOT NULL,
    enabled     INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    why         TEXT    NOT NULL,        -- why it is odd
    least       INTEGER NOT NULL CHECK (least > 0),   -- from how many on, or from how many whole points on
    days        INTEGER NOT NULL CHECK (days > 0),    -- within how many days
    share       INTEGER NOT NULL CHECK (share > 0),   -- from how many per cent on
    changed_at  TEXT    NOT NULL
) STRICT;

CREATE TABLE fraud_alerts (
    id           BLOB    NOT NULL PRIMARY KEY,
    rule         TEXT    NOT NULL REFERENCES fraud_rules (code),
    mark         TEXT    NOT NULL,       -- whom and what it is about: of each there is one open alert
    customer_id  BLOB    NOT NULL REFERENCES customers (id),
    state        TEXT    NOT NULL CHECK (state IN ('open', 'dismissed', 'confirmed')),
    measure      INTEGER NOT NULL,       -- how many there were, or how many hundredths of points
    out_of       INTEGER,                -- of how many
    limits       TEXT    NOT NULL,       -- of the rule, as they were
    found_at     TEXT    NOT NULL,
    changed_at   TEXT    NOT NULL,
    decided_at   TEXT,
    staff_id     BLOB    REFERENCES staff (id),
    reason       TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX fraud_alerts_open ON fraud_alerts (rule, mark) WHERE state = 'open';
CREATE INDEX fraud_alerts_state ON fraud_alerts (state, found_at, id);
CREATE INDEX fraud_alerts_rule ON fraud_alerts (rule, state, found_at, id);
CREATE INDEX fraud_alerts_customer ON fraud_alerts (customer_id);

-- What speaks for it: receipts, transfers, and transactions of points.
CREATE TABLE fraud_evidence (
    id           BLOB NOT NULL PRIMARY KEY,
    alert_id     BLOB NOT NULL REFERENCES fraud_alerts (id),
    kind         TEXT NOT NULL CHECK (kind IN ('purchase', 'transfer', 'transaction')),
    row_id       BLOB NOT NULL,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    at           TEXT NOT NULL,
    UNIQUE (alert_id, row_id)
) STRICT;
CREATE INDEX fraud_evidence_place ON fraud_evidence (alert_id, at, id);
CREATE INDEX fraud_evidence_row ON fraud_evidence (row_id);
CREATE INDEX fraud_evidence_customer ON fraud_evidence (customer_id, alert_id);

-- Customers whose points are not to be spent for a while, because staff said so.
CREATE TABLE spending_stops (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    alert_id     BLOB NOT NULL REFERENCES fraud_alerts (id),
    staff_id     BLOB NOT NULL REFERENCES staff (id),
    reason       TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    ends_at      TEXT NOT NULL,
    lifted_at    TEXT,                   -- before it was over, or when it was
    lifted_by    BLOB REFERENCES staff (id),
    lift_reason  TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX spending_stops_one ON spending_stops (customer_id) WHERE lifted_at IS NULL;
CREATE INDEX spending_stops_customer ON spending_stops (customer_id, created_at, id);

-- Receipts of one till, or of a shop of which no till is known.
CREATE INDEX purchases_place ON purchases (COALESCE(store_id, till_id), COALESCE(till_id, store_id), at);

-- A right that is new.
UPDATE roles SET rights = json_insert(rights, '$[#]', 'fraud') WHERE code IN ('administrator', 'lead');
