-- What customers take home of their data. The same version exists for the other engine.

CREATE TABLE exports (
    id             UUID NOT NULL PRIMARY KEY,
    customer_id    UUID NOT NULL REFERENCES customers (id),
    state          TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    asked_at       TIMESTAMPTZ NOT NULL,
    finished_at    TIMESTAMPTZ,
    size           BIGINT NOT NULL DEFAULT 0,    -- of the archive in bytes
    -- Who makes it just now, until when nobody else does, and how many began.
    claimed_by     TEXT,
    claimed_until  TIMESTAMPTZ,
    tries          BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX exports_customer ON exports (customer_id, asked_at);
CREATE INDEX exports_open ON exports (asked_at, id) WHERE state IN ('waiting', 'running');
CREATE INDEX exports_finished ON exports (finished_at);

-- The archive, in pieces.
CREATE TABLE export_parts (
    export_id  UUID NOT NULL REFERENCES exports (id),
    ordinal    BIGINT NOT NULL,                  -- from 0
    bytes      BYTEA NOT NULL,
    PRIMARY KEY (export_id, ordinal)
);

-- What was sent to a customer, and where they are or were a member.
CREATE INDEX outbox_customer ON outbox (customer_id, created_at) WHERE customer_id IS NOT NULL;
CREATE INDEX memberships_customer ON memberships (customer_id, joined_at);
