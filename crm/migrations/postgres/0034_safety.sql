-- Browsers that are known again, and messages about safety that wait until a text message may go. The same version exists for the other engine.

-- It is counted in the budgets of text messages when it goes, for they were spent when it was written.
ALTER TABLE outbox ADD COLUMN waits_for_budget BOOLEAN NOT NULL DEFAULT FALSE;

-- Browsers that somebody has come in by before. The token in a browser's cookie opens nothing.
CREATE TABLE known_devices (
    id           UUID NOT NULL PRIMARY KEY,
    customer_id  UUID REFERENCES customers (id),
    staff_id     UUID REFERENCES staff (id),
    token_hash   BYTEA NOT NULL,         -- SHA-256 of it; people who share a browser share it
    created_at   TIMESTAMPTZ NOT NULL,
    seen_at      TIMESTAMPTZ NOT NULL,   -- the last sign-in
    CHECK ((customer_id IS NULL) <> (staff_id IS NULL))
);
CREATE UNIQUE INDEX known_devices_customer ON known_devices (customer_id, token_hash);
CREATE UNIQUE INDEX known_devices_staff ON known_devices (staff_id, token_hash);
CREATE INDEX known_devices_token ON known_devices (token_hash);
CREATE INDEX known_devices_age ON known_devices (seen_at);

-- By which of them a session began.
ALTER TABLE sessions ADD COLUMN device_hash BYTEA;

-- That support closed a request is told as well.
ALTER TABLE notifications DROP CONSTRAINT notifications_kind_check;
ALTER TABLE notifications ADD CONSTRAINT notifications_kind_check
    CHECK (kind IN ('answer', 'closed', 'expiry', 'received', 'security'));

-- How fast pages are read and tills ask, as nodes tell each other once a second.
CREATE TABLE paces (
    key        BIGINT NOT NULL,           -- a hash of a session, a network or a till
    starts_at  TIMESTAMPTZ NOT NULL,   -- the minute
    count      BIGINT NOT NULL,
    PRIMARY KEY (key, starts_at)
);
CREATE INDEX paces_age ON paces (starts_at);
