-- Two accounts of one person become one, for a while so that it can be undone. The same version exists for the other engine.

-- Attempts live for two hours: those on their way begin anew.
DROP TABLE codes;
DROP TABLE attempts;

-- One way in, or one thing to be proved on the way: bound to a browser by its token, kept until it ends.
CREATE TABLE attempts (
    id           UUID NOT NULL PRIMARY KEY,
    token_hash   BYTEA NOT NULL UNIQUE,
    purpose      TEXT NOT NULL CHECK (purpose IN ('sign_in', 'staff', 'contact', 'confirm', 'counter', 'merge')),
    kind         TEXT CHECK (kind IN ('phone', 'email')),   -- of the address
    address      TEXT,                            -- where codes go: E.164, or an address in lower case
    proved_at    TIMESTAMPTZ,                            -- when the address was proved
    email        TEXT,                            -- an e-mail address that was proved before the phone
    identity     JSONB,                            -- whom an outside provider says it is; linked when the attempt ends
    customer_id  UUID REFERENCES customers (id),  -- whom the first factor led to, or who proves something
    staff_id     UUID REFERENCES staff (id),
    way          TEXT NOT NULL,                   -- how the first factor was given; of a merge: whose contact it is, own or other
    network      TEXT NOT NULL,
    language     TEXT NOT NULL,
    draft        JSONB,                            -- what the person typed on the way to a card
    created_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,
    finished_at  TIMESTAMPTZ
);
CREATE INDEX attempts_age ON attempts (created_at);
CREATE INDEX attempts_customer ON attempts (customer_id, created_at) WHERE customer_id IS NOT NULL;

CREATE TABLE codes (
    id          UUID NOT NULL PRIMARY KEY,
    attempt_id  UUID NOT NULL REFERENCES attempts (id),
    address     TEXT NOT NULL,
    network     TEXT NOT NULL,
    code_hash   BYTEA NOT NULL,                   -- keyed: six digits alone are no secret
    tries       BIGINT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ NOT NULL,
    used_at     TIMESTAMPTZ
);
CREATE INDEX codes_attempt ON codes (attempt_id);
CREATE INDEX codes_address ON codes (address, created_at);
CREATE INDEX codes_network ON codes (network, created_at);

-- When whoever holds the session last proved by a code to hold the main phone.
ALTER TABLE sessions ADD COLUMN phone_at TIMESTAMPTZ;

-- Words that a kind may be.
ALTER TABLE transactions DROP CONSTRAINT transactions_kind_check, ADD CONSTRAINT transactions_kind_check
    CHECK (kind IN ('accrual', 'activation', 'expiry', 'return', 'redemption', 'adjustment', 'refund', 'transfer', 'void', 'merge'));

-- Whom an account went to.
ALTER TABLE customers ADD COLUMN merged_into UUID REFERENCES customers (id);
CREATE INDEX customers_merged ON customers (merged_into) WHERE merged_into IS NOT NULL;
-- A number in an import that is also that of somebody's card.
CREATE INDEX customers_external ON customers (external_id) WHERE external_id IS NOT NULL;

CREATE TABLE merges (
    id           UUID NOT NULL PRIMARY KEY,
    kept_id      UUID NOT NULL REFERENCES customers (id),
    absorbed_id  UUID NOT NULL REFERENCES customers (id),
    at           TIMESTAMPTZ NOT NULL,
    undo_until   TIMESTAMPTZ NOT NULL,
    frozen_until TIMESTAMPTZ NOT NULL,            -- until then points are not spent
    staff_id     UUID REFERENCES staff (id),      -- none: the customer
    reason       TEXT NOT NULL,
    filled       TEXT NOT NULL,                   -- what the kept one had not: words parted by spaces
    undone_at    TIMESTAMPTZ,
    undone_by    UUID REFERENCES staff (id),
    undo_reason  TEXT NOT NULL DEFAULT '',
    CHECK (kept_id <> absorbed_id)
);
CREATE UNIQUE INDEX merges_once ON merges (absorbed_id) WHERE undone_at IS NULL;
CREATE INDEX merges_kept ON merges (kept_id, at);
CREATE INDEX merges_absorbed ON merges (absorbed_id, at);

-- Which rows went over, so that exactly these go back.
CREATE TABLE merge_moves (
    merge_id  UUID NOT NULL REFERENCES merges (id),
    kind      TEXT NOT NULL,                      -- mostly the table
    row_id    UUID NOT NULL,
    PRIMARY KEY (merge_id, kind, row_id)
);

-- How many points came along.
CREATE TABLE merge_points (
    merge_id    UUID NOT NULL REFERENCES merges (id),
    program_id  UUID NOT NULL REFERENCES programs (id),
    active      BIGINT NOT NULL CHECK (active >= 0),
    pending     BIGINT NOT NULL CHECK (pending >= 0),
    PRIMARY KEY (merge_id, program_id)
);

-- A right that is new; who runs a team or the system has it.
UPDATE roles SET rights = rights || '["merge"]' WHERE code IN ('lead', 'administrator');
