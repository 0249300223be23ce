-- Webhooks: the shop's other systems are told of what happened, tried again until they have taken it, by any number of
-- nodes. The same version exists for the other engine.

CREATE TABLE webhooks (
    id                BLOB NOT NULL PRIMARY KEY,
    url               TEXT NOT NULL,
    description       TEXT NOT NULL,
    events            TEXT NOT NULL,    -- what it wants to be told of, a list of kinds
    secret            BLOB NOT NULL,    -- signatures are computed from it, so it stands here as it is
    old_secret        BLOB,             -- the one before it, which signs as well
    old_secret_until  TEXT,             -- until then
    created_at        TEXT NOT NULL,
    disabled_at       TEXT,             -- from when on it is told nothing
    disabled_because  TEXT,             -- paused, gone, failing
    delivered_at      TEXT,             -- when it took something last
    failing_since     TEXT,             -- since when it has taken nothing
    failed_at         TEXT,             -- when it did not last, and why
    failure           TEXT,
    -- Who delivers to it just now, and until when nobody else does: one at a time, whichever node it is.
    claimed_by        TEXT,
    claimed_until     TEXT,
    removed_at        TEXT
) STRICT;

CREATE TABLE webhook_events (
    id       BLOB NOT NULL PRIMARY KEY,
    kind     TEXT NOT NULL,
    payload  TEXT NOT NULL,             -- the body as it is sent, byte for byte, for it is signed
    at       TEXT NOT NULL
) STRICT;
CREATE INDEX webhook_events_age ON webhook_events (at);

CREATE TABLE webhook_deliveries (
    id            BLOB NOT NULL PRIMARY KEY,
    webhook_id    BLOB NOT NULL REFERENCES webhooks (id),
    event_id      BLOB NOT NULL REFERENCES webhook_events (id),
    state         TEXT NOT NULL,        -- pending, delivered, failed
    attempts      INTEGER NOT NULL DEFAULT 0,
    next_at       TEXT,                 -- only while it is pending
    tried_at      TEXT,                 -- the last try: when, what was answered, what was wrong, how long it took
    status        INTEGER,
    error         TEXT,
    milliseconds  INTEGER,
    delivered_at  TEXT,
    created_at    TEXT NOT NULL,
    UNIQUE (event_id, webhook_id)
) STRICT;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (webhook_id, created_at, id);
