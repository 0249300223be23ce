-- What customers take home of their data, and how it is erased. The same version exists for the other engine.

CREATE TABLE exports (
    id             BLOB NOT NULL PRIMARY KEY,
    customer_id    BLOB NOT NULL REFERENCES customers (id),
    state          TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    asked_at       TEXT NOT NULL,
    finished_at    TEXT,
    size           INTEGER NOT NULL DEFAULT 0,    -- of the archive in bytes
    -- Who makes it just now, until when nobody else does, and how many began.
    claimed_by     TEXT,
    claimed_until  TEXT,
    tries          INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX exports_customer ON exports (customer_id, asked_at);
CREATE INDEX exports_open ON exports (asked_at, id) WHERE state IN ('waiting', 'running');
CREATE INDEX exports_finished ON exports (finished_at);

-- The archive, in pieces.
CREATE TABLE export_parts (
    export_id  BLOB NOT NULL REFERENCES exports (id),
    ordinal    INTEGER NOT NULL,                  -- from 0
    bytes      BLOB NOT NULL,
    PRIMARY KEY (export_id, ordinal)
) STRICT;

-- What was sent to a customer, and where they are or were a member.
CREATE INDEX outbox_customer ON outbox (customer_id, created_at, id) WHERE customer_id IS NOT NULL;
CREATE INDEX memberships_customer ON memberships (customer_id, joined_at);

-- Customers who want everything that says who they are to be erased: asked for, and done after a while unless they think
-- better of it.
CREATE TABLE erasures (
    id            BLOB NOT NULL PRIMARY KEY,
    customer_id   BLOB NOT NULL REFERENCES customers (id),
    asked_at      TEXT NOT NULL,
    due_at        TEXT NOT NULL,
    cancelled_at  TEXT,
    done_at       TEXT
) STRICT;
CREATE UNIQUE INDEX erasures_open ON erasures (customer_id) WHERE cancelled_at IS NULL AND done_at IS NULL;
CREATE INDEX erasures_due ON erasures (due_at) WHERE cancelled_at IS NULL AND done_at IS NULL;
CREATE INDEX erasures_customer ON erasures (customer_id, asked_at);

ALTER TABLE customers ADD COLUMN erased_at TEXT;   -- since when nothing here says who it was
CREATE INDEX customers_erased ON customers (id) WHERE erased_at IS NOT NULL;

-- The log stays as it was written but for one thing: of whoever was erased it forgets reasons and networks.
DROP TRIGGER audit_no_update;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
    WHEN NEW.id IS NOT OLD.id OR NEW.at IS NOT OLD.at OR NEW.actor IS NOT OLD.actor OR NEW.actor_id IS NOT OLD.actor_id
        OR NEW.action IS NOT OLD.action OR NEW.customer_id IS NOT OLD.customer_id OR NEW.object_id IS NOT OLD.object_id
        OR NEW.reason <> '' OR NEW.network <> ''
        OR NOT EXISTS (SELECT 1 FROM customers c WHERE c.id = OLD.customer_id AND c.erased_at IS NOT NULL)
    BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
