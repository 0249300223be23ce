-- Spending and what comes back of it, transfers between customers, corrections by staff. The same version exists for the
-- other engine.

-- Words that a kind may be.
ALTER TABLE accounts DROP CONSTRAINT accounts_kind_check, ADD CONSTRAINT accounts_kind_check
    CHECK (kind IN ('pending', 'active', 'issued', 'expired', 'spent', 'adjustment', 'transfer'));
ALTER TABLE transactions DROP CONSTRAINT transactions_kind_check, ADD CONSTRAINT transactions_kind_check
    CHECK (kind IN ('accrual', 'activation', 'expiry', 'return', 'redemption', 'adjustment', 'refund', 'transfer', 'void'));

-- What reservations hold of an active balance: a projection of them.
ALTER TABLE accounts ADD COLUMN reserved BIGINT NOT NULL DEFAULT 0 CHECK (reserved >= 0);
CREATE INDEX accounts_reserved ON accounts (customer_id, program_id) WHERE reserved > 0;

-- The lot whose points this one carries on, where they may not go on in it: on the other side of a transfer, or with a
-- longer term after a return.
ALTER TABLE lots ADD COLUMN origin_id UUID REFERENCES lots (id);
CREATE INDEX lots_origin ON lots (origin_id) WHERE origin_id IS NOT NULL;

-- The receipt line for which it was taken: the one that it paid for, or the one whose return took it back.
ALTER TABLE allocations ADD COLUMN line_id UUID REFERENCES purchase_lines (id);
CREATE INDEX allocations_line ON allocations (line_id) WHERE line_id IS NOT NULL;

-- What went back of what was taken from a lot, and into which lot: the same, or one that carries it on.
CREATE TABLE restorations (
    id              UUID NOT NULL PRIMARY KEY,
    allocation_id   UUID NOT NULL REFERENCES allocations (id),
    transaction_id  UUID NOT NULL REFERENCES transactions (id),
    lot_id          UUID NOT NULL REFERENCES lots (id),
    points          BIGINT NOT NULL CHECK (points > 0)
);
CREATE INDEX restorations_allocation ON restorations (allocation_id);
CREATE INDEX restorations_lot ON restorations (lot_id);
CREATE TRIGGER restorations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON restorations FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What a return could not take back because the balance may not go further below zero.
ALTER TABLE accruals ADD COLUMN forgiven BIGINT NOT NULL DEFAULT 0 CHECK (forgiven >= 0);

-- What was paid for a receipt line with points, and how much of it went back.
CREATE TABLE line_payments (
    line_id     UUID NOT NULL REFERENCES purchase_lines (id),
    program_id  UUID NOT NULL REFERENCES programs (id),
    points      BIGINT NOT NULL CHECK (points > 0),
    given_back  BIGINT NOT NULL DEFAULT 0 CHECK (given_back >= 0 AND given_back <= points),
    PRIMARY KEY (line_id, program_id)
);

-- Points that a till has been promised.
CREATE TABLE reservations (
    id              UUID NOT NULL PRIMARY KEY,
    source          TEXT NOT NULL,
    key             TEXT NOT NULL,            -- the caller's own
    program_id      UUID NOT NULL REFERENCES programs (id),
    customer_id     UUID NOT NULL REFERENCES customers (id),
    points          BIGINT NOT NULL CHECK (points > 0),
    state           TEXT NOT NULL CHECK (state IN ('held', 'captured', 'cancelled', 'expired')),
    captured        BIGINT NOT NULL DEFAULT 0 CHECK (captured >= 0 AND captured <= points),
    purchase_id     UUID REFERENCES purchases (id),
    transaction_id  UUID REFERENCES transactions (id),
    created_at      TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL,
    ended_at        TIMESTAMPTZ,
    UNIQUE (source, key)
);
CREATE INDEX reservations_held ON reservations (expires_at) WHERE state = 'held';
CREATE INDEX reservations_customer ON reservations (customer_id, created_at);

-- Points on their way from one customer to another.
CREATE TABLE transfers (
    id            UUID NOT NULL PRIMARY KEY,
    program_id    UUID NOT NULL REFERENCES programs (id),
    from_id       UUID NOT NULL REFERENCES customers (id),
    to_id         UUID NOT NULL REFERENCES customers (id),
    points        BIGINT NOT NULL CHECK (points > 0),
    state         TEXT NOT NULL CHECK (state IN ('pending', 'completed', 'cancelled', 'reversed')),
    out_id        UUID NOT NULL REFERENCES transactions (id),   -- what took them from the sender
    in_id         UUID REFERENCES transactions (id),            -- what gave them to the receiver
    created_at    TIMESTAMPTZ NOT NULL,
    completes_at  TIMESTAMPTZ NOT NULL,
    ended_at      TIMESTAMPTZ,                       -- cancelled or reversed
    staff_id      UUID REFERENCES staff (id), -- who reversed it
    reason        TEXT NOT NULL
);
CREATE INDEX transfers_from ON transfers (from_id, created_at);
CREATE INDEX transfers_to ON transfers (to_id, created_at);
CREATE INDEX transfers_pending ON transfers (completes_at) WHERE state = 'pending';

-- What staff gave or took, or asks to.
CREATE TABLE adjustments (
    id              UUID NOT NULL PRIMARY KEY,
    program_id      UUID NOT NULL REFERENCES programs (id),
    customer_id     UUID NOT NULL REFERENCES customers (id),
    points          BIGINT NOT NULL CHECK (points <> 0),
    reason          TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('awaiting', 'booked', 'refused')),
    asked_by        UUID NOT NULL REFERENCES staff (id),
    decided_by      UUID REFERENCES staff (id),   -- none: within the cap of whoever asked
    transaction_id  UUID REFERENCES transactions (id),
    created_at      TIMESTAMPTZ NOT NULL,
    decided_at      TIMESTAMPTZ,
    CHECK (asked_by <> decided_by)
);
CREATE INDEX adjustments_awaiting ON adjustments (created_at, id) WHERE state = 'awaiting';
CREATE INDEX adjustments_customer ON adjustments (customer_id, created_at);

-- A receipt that counts no more.
ALTER TABLE purchases ADD COLUMN voided_at TIMESTAMPTZ;

-- Lines of returns that came before their sale, and the line that each brings back.
CREATE TABLE waiting_returns (
    line_id   UUID NOT NULL PRIMARY KEY REFERENCES purchase_lines (id),
    document  TEXT NOT NULL,
    ordinal   BIGINT NOT NULL
);

-- A right that is new; who runs a team or the system has it.
UPDATE roles SET rights = rights || '["points"]' WHERE code IN ('lead', 'administrator');
