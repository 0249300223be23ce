-- Spending and what comes back of it, transfers between customers, corrections by staff. The same version exists for the
-- other engine.

-- Words that a kind may be: a column whose check changes is made anew.
DROP INDEX accounts_customer;
DROP INDEX accounts_program;
ALTER TABLE accounts ADD COLUMN new_kind TEXT NOT NULL DEFAULT 'pending'
    CHECK (new_kind IN ('pending', 'active', 'issued', 'expired', 'spent', 'adjustment', 'transfer'));
UPDATE accounts SET new_kind = kind;
ALTER TABLE accounts DROP COLUMN kind;
ALTER TABLE accounts RENAME COLUMN new_kind TO kind;
CREATE UNIQUE INDEX accounts_customer ON accounts (customer_id, program_id, kind) WHERE customer_id IS NOT NULL;
CREATE UNIQUE INDEX accounts_program ON accounts (program_id, kind) WHERE customer_id IS NULL;

DROP TRIGGER transactions_no_update;
ALTER TABLE transactions ADD COLUMN new_kind TEXT NOT NULL DEFAULT 'accrual'
    CHECK (new_kind IN ('accrual', 'activation', 'expiry', 'return', 'redemption', 'adjustment', 'refund', 'transfer', 'void'));
UPDATE transactions SET new_kind = kind;
ALTER TABLE transactions DROP COLUMN kind;
ALTER TABLE transactions RENAME COLUMN new_kind TO kind;
CREATE TRIGGER transactions_no_update BEFORE UPDATE ON transactions BEGIN SELECT RAISE(ABORT, 'transactions is append-only'); END;

-- What reservations hold of an active balance: a projection of them.
ALTER TABLE accounts ADD COLUMN reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0);
CREATE INDEX accounts_reserved ON accounts (customer_id, program_id) WHERE reserved > 0;

-- The lot whose points this one carries on, where they may not go on in it: on the other side of a transfer, or with a
-- longer term after a return.
ALTER TABLE lots ADD COLUMN origin_id BLOB REFERENCES lots (id);
CREATE INDEX lots_origin ON lots (origin_id) WHERE origin_id IS NOT NULL;

-- The receipt line for which it was taken: the one that it paid for, or the one whose return took it back.
ALTER TABLE allocations ADD COLUMN line_id BLOB REFERENCES purchase_lines (id);
CREATE INDEX allocations_line ON allocations (line_id) WHERE line_id IS NOT NULL;

-- What went back of what was taken from a lot, and into which lot: the same, or one that carries it on.
CREATE TABLE restorations (
    id              BLOB NOT NULL PRIMARY KEY,
    allocation_id   BLOB NOT NULL REFERENCES allocations (id),
    transaction_id  BLOB NOT NULL REFERENCES transactions (id),
    lot_id          BLOB NOT NULL REFERENCES lots (id),
    points          INTEGER NOT NULL CHECK (points > 0)
) STRICT;
CREATE INDEX restorations_allocation ON restorations (allocation_id);
CREATE INDEX restorations_lot ON restorations (lot_id);
CREATE TRIGGER restorations_no_update BEFORE UPDATE ON restorations BEGIN SELECT RAISE(ABORT, 'restorations is append-only'); END;
CREATE TRIGGER restorations_no_delete BEFORE DELETE ON restorations BEGIN SELECT RAISE(ABORT, 'restorations is append-only'); END;

-- What a return could not take back because the balance may not go further below zero.
ALTER TABLE accruals ADD COLUMN forgiven INTEGER NOT NULL DEFAULT 0 CHECK (forgiven >= 0);

-- What was paid for a receipt line with points, and how much of it went back.
CREATE TABLE line_payments (
    line_id     BLOB NOT NULL REFERENCES purchase_lines (id),
    program_id  BLOB NOT NULL REFERENCES programs (id),
    points      INTEGER NOT NULL CHECK (points > 0),
    given_back  INTEGER NOT NULL DEFAULT 0 CHECK (given_back >= 0 AND given_back <= points),
    PRIMARY KEY (line_id, program_id)
) STRICT;

-- Points that a till has been promised.
CREATE TABLE reservations (
    id              BLOB NOT NULL PRIMARY KEY,
    source          TEXT NOT NULL,
    key             TEXT NOT NULL,            -- the caller's own
    program_id      BLOB NOT NULL REFERENCES programs (id),
    customer_id     BLOB NOT NULL REFERENCES customers (id),
    points          INTEGER NOT NULL CHECK (points > 0),
    state           TEXT NOT NULL CHECK (state IN ('held', 'captured', 'cancelled', 'expired')),
    captured        INTEGER NOT NULL DEFAULT 0 CHECK (captured >= 0 AND captured <= points),
    purchase_id     BLOB REFERENCES purchases (id),
    transaction_id  BLOB REFERENCES transactions (id),
    created_at      TEXT NOT NULL,
    expires_at      TEXT NOT NULL,
    ended_at        TEXT,
    UNIQUE (source, key)
) STRICT;
CREATE INDEX reservations_held ON reservations (expires_at) WHERE state = 'held';
CREATE INDEX reservations_customer ON reservations (customer_id, created_at);

-- Points on their way from one customer to another.
CREATE TABLE transfers (
    id            BLOB NOT NULL PRIMARY KEY,
    program_id    BLOB NOT NULL REFERENCES programs (id),
    from_id       BLOB NOT NULL REFERENCES customers (id),
    to_id         BLOB NOT NULL REFERENCES customers (id),
    points        INTEGER NOT NULL CHECK (points > 0),
    state         TEXT NOT NULL CHECK (state IN ('pending', 'completed', 'cancelled', 'reversed')),
    out_id        BLOB NOT NULL REFERENCES transactions (id),   -- what took them from the sender
    in_id         BLOB REFERENCES transactions (id),            -- what gave them to the receiver
    created_at    TEXT NOT NULL,
    completes_at  TEXT NOT NULL,
    ended_at      TEXT,                       -- cancelled or reversed
    staff_id      BLOB REFERENCES staff (id), -- who reversed it
    reason        TEXT NOT NULL
) STRICT;
CREATE INDEX transfers_from ON transfers (from_id, created_at);
CREATE INDEX transfers_to ON transfers (to_id, created_at);
CREATE INDEX transfers_pending ON transfers (completes_at) WHERE state = 'pending';

-- What staff gave or took, or asks to.
CREATE TABLE adjustments (
    id              BLOB NOT NULL PRIMARY KEY,
    program_id      BLOB NOT NULL REFERENCES programs (id),
    customer_id     BLOB NOT NULL REFERENCES customers (id),
    points          INTEGER NOT NULL CHECK (points <> 0),
    reason          TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('awaiting', 'booked', 'refused')),
    asked_by        BLOB NOT NULL REFERENCES staff (id),
    decided_by      BLOB REFERENCES staff (id),   -- none: within the cap of whoever asked
    transaction_id  BLOB REFERENCES transactions (id),
    created_at      TEXT NOT NULL,
    decided_at      TEXT,
    CHECK (asked_by <> decided_by)
) STRICT;
CREATE INDEX adjustments_awaiting ON adjustments (created_at, id) WHERE state = 'awaiting';
CREATE INDEX adjustments_customer ON adjustments (customer_id, created_at);

-- A receipt that counts no more.
ALTER TABLE purchases ADD COLUMN voided_at TEXT;

-- Lines of returns that came before their sale, and the line that each brings back.
CREATE TABLE waiting_returns (
    line_id   BLOB NOT NULL PRIMARY KEY REFERENCES purchase_lines (id),
    document  TEXT NOT NULL,
    ordinal   INTEGER NOT NULL
) STRICT;

-- A right that is new; who runs a team or the system has it.
UPDATE roles SET rights = json_insert(rights, '$[#]', 'points') WHERE code IN ('lead', 'administrator');
