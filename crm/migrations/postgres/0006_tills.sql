-- Tills: who asks through the API, what a receipt of theirs keeps beside its lines, who joined at one. The same version
-- exists for the other engine.

CREATE TABLE tills (
    id           UUID NOT NULL PRIMARY KEY,
    code         TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    source       TEXT NOT NULL,               -- of its receipts: their numbers are unique within it
    store_id     UUID REFERENCES stores (id), -- none: it says of each receipt where it was
    created_at   TIMESTAMPTZ NOT NULL,
    disabled_at  TIMESTAMPTZ
);

-- A till may have several at once, so that one is exchanged without a pause.
CREATE TABLE api_keys (
    id          UUID NOT NULL PRIMARY KEY,
    till_id     UUID NOT NULL REFERENCES tills (id),
    key_hash    BYTEA NOT NULL UNIQUE,
    hint        TEXT NOT NULL,                -- its last characters, to tell one from another
    scopes      JSONB NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    used_at     TIMESTAMPTZ,
    revoked_at  TIMESTAMPTZ
);
CREATE INDEX api_keys_till ON api_keys (till_id, created_at);

ALTER TABLE purchases ADD COLUMN till_id UUID REFERENCES tills (id);
-- What is printed on the receipt, so that it can be claimed without a card, once.
ALTER TABLE purchases ADD COLUMN receipt_code TEXT;
ALTER TABLE purchases ADD COLUMN claimed_at TIMESTAMPTZ;
CREATE UNIQUE INDEX purchases_receipt_code ON purchases (receipt_code) WHERE receipt_code IS NOT NULL;

-- Who joined at a till with nothing but a phone. Whoever proves the phone takes the record over.
CREATE TABLE enrolments (
    id            UUID NOT NULL PRIMARY KEY,
    till_id       UUID NOT NULL REFERENCES tills (id),
    customer_id   UUID NOT NULL UNIQUE REFERENCES customers (id),
    phone         TEXT NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    completed_at  TIMESTAMPTZ
);
CREATE UNIQUE INDEX enrolments_open ON enrolments (phone) WHERE completed_at IS NULL;

-- What was written down on a day, for the shop's accounts.
CREATE INDEX transactions_recorded ON transactions (recorded_at);

-- A right that is new; who runs the system has it.
UPDATE roles SET rights = rights || '["tills"]' WHERE code = 'administrator';
