-- Tills: who asks through the API, what a receipt of theirs keeps beside its lines, who joined at one. The same version
-- exists for the other engine.

CREATE TABLE tills (
    id           BLOB NOT NULL PRIMARY KEY,
    code         TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    source       TEXT NOT NULL,               -- of its receipts: their numbers are unique within it
    store_id     BLOB REFERENCES stores (id), -- none: it says of each receipt where it was
    created_at   TEXT NOT NULL,
    disabled_at  TEXT
) STRICT;

-- A till may have several at once, so that one is exchanged without a pause.
CREATE TABLE api_keys (
    id          BLOB NOT NULL PRIMARY KEY,
    till_id     BLOB NOT NULL REFERENCES tills (id),
    key_hash    BLOB NOT NULL UNIQUE,
    hint        TEXT NOT NULL,                -- its last characters, to tell one from another
    scopes      TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    used_at     TEXT,
    revoked_at  TEXT
) STRICT;
CREATE INDEX api_keys_till ON api_keys (till_id, created_at);

ALTER TABLE purchases ADD COLUMN till_id BLOB REFERENCES tills (id);
-- What is printed on the receipt, so that it can be claimed without a card, once.
ALTER TABLE purchases ADD COLUMN receipt_code TEXT;
ALTER TABLE purchases ADD COLUMN claimed_at TEXT;
CREATE UNIQUE INDEX purchases_receipt_code ON purchases (receipt_code) WHERE receipt_code IS NOT NULL;

-- Who joined at a till with nothing but a phone. Whoever proves the phone takes the record over.
CREATE TABLE enrolments (
    id            BLOB NOT NULL PRIMARY KEY,
    till_id       BLOB NOT NULL REFERENCES tills (id),
    customer_id   BLOB NOT NULL UNIQUE REFERENCES customers (id),
    phone         TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    completed_at  TEXT
) STRICT;
CREATE UNIQUE INDEX enrolments_open ON enrolments (phone) WHERE completed_at IS NULL;

-- What was written down on a day, for the shop's accounts.
CREATE INDEX transactions_recorded ON transactions (recorded_at);

-- A right that is new; who runs the system has it.
UPDATE roles SET rights = json_insert(rights, '$[#]', 'tills') WHERE code = 'administrator';
