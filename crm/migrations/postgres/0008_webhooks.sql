-- Webhooks: the shop's other systems are told of what happened, tried again until they have taken it, by any number of
-- nodes. The same version exists for the other engine.

CREATE TABLE webhooks (
    id                UUID NOT NULL PRIMARY KEY,
    url               TEXT NOT NULL,
    description       TEXT NOT NULL,
    events            JSONB NOT NULL,  -- what it wants to be told of, a list of kinds
    secret            BYTEA NOT NULL,  -- signatures are computed from it, so it stands here as it is
    old_secret        BYTEA,           -- the one before it, which signs as well
    old_secret_until  TIMESTAMPTZ,     -- until then
    created_at        TIMESTAMPTZ NOT NULL,
    disabled_at       TIMESTAMPTZ,     -- from when on it is told nothing
    disabled_because  TEXT,            -- paused, gone, failing
    delivered_at      TIMESTAMPTZ,     -- when it took something last
    failing_since     TIMESTAMPTZ,     -- since when it has taken nothing
    failed_at         TIMESTAMPTZ,     -- when it did not last, and why
    failure           TEXT,
    -- Who delivers to it just now, and until when nobody else does: one at a time, whichever node it is.
    claimed_by        TEXT,
    claimed_until     TIMESTAMPTZ,
    removed_at        TIMESTAMPTZ
);

CREATE TABLE webhook_events (
    id       UUID NOT NULL PRIMARY KEY,
    kind     TEXT NOT NULL,
    payload  TEXT NOT NULL,  -- the body as it is sent, byte for byte, for it is signed
    at       TIMESTAMPTZ NOT NULL
);
CREATE INDEX webhook_events_age ON webhook_events (at);

CREATE TABLE webhook_deliveries (
    id            UUID NOT NULL PRIMARY KEY,
    webhook_id    UUID NOT NULL REFERENCES webhooks (id),
    event_id      UUID NOT NULL REFERENCES webhook_events (id),
    state         TEXT NOT NULL,  -- pending, delivered, failed
    attempts      BIGINT NOT NULL DEFAULT 0,
    next_at       TIMESTAMPTZ,    -- only while it is pending
    tried_at      TIMESTAMPTZ,    -- the last try: when, what was answered, what was wrong, how long it took
    status        BIGINT,
    error         TEXT,
    milliseconds  BIGINT,
    delivered_at  TIMESTAMPTZ,
    created_at    TIMESTAMPTZ NOT NULL,
    UNIQUE (event_id, webhook_id)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (webhook_id, created_at, id);
