-- Browsers that are known again, and messages about safety that wait until a text message may go. The same version exists for the other engine.

-- It is counted in the budgets of text messages when it goes, for they were spent when it was written.
ALTER TABLE outbox ADD COLUMN waits_for_budget INTEGER NOT NULL DEFAULT 0;

-- Browsers that somebody has come in by before. The token in a browser's cookie opens nothing.
CREATE TABLE known_devices (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB REFERENCES customers (id),
    staff_id     BLOB REFERENCES staff (id),
    token_hash   BLOB NOT NULL,          -- SHA-256 of it; people who share a browser share it
    created_at   TEXT NOT NULL,
    seen_at      TEXT NOT NULL,          -- the last sign-in
    CHECK ((customer_id IS NULL) <> (staff_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX known_devices_customer ON known_devices (customer_id, token_hash);
CREATE UNIQUE INDEX known_devices_staff ON known_devices (staff_id, token_hash);
CREATE INDEX known_devices_token ON known_devices (token_hash);
CREATE INDEX known_devices_age ON known_devices (seen_at);

-- By which of them a session began.
ALTER TABLE sessions ADD COLUMN device_hash BLOB;

-- That support closed a request is told as well. A check of SQLite is changed by another table.
CREATE TABLE new_notifications (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    kind         TEXT NOT NULL CHECK (kind IN ('answer', 'closed', 'expiry', 'received', 'security')),
    about        TEXT NOT NULL,               -- the number of a request, the name of who gave points, the code of a template
    points       INTEGER,
    day          TEXT,                        -- on which points expire
    key          TEXT NOT NULL,
    at           TEXT NOT NULL,
    read_at      TEXT,
    UNIQUE (customer_id, key)
) STRICT;
INSERT INTO new_notifications (id, customer_id, kind, about, points, day, key, at, read_at)
    SELECT id, customer_id, kind, about, points, day, key, at, read_at FROM notifications;
DROP TABLE notifications;
ALTER TABLE new_notifications RENAME TO notifications;
CREATE INDEX notifications_customer ON notifications (customer_id, at, id);
CREATE INDEX notifications_unread ON notifications (customer_id) WHERE read_at IS NULL;
CREATE INDEX notifications_age ON notifications (at, id);

-- How fast pages are read and tills ask, as nodes tell each other once a second.
CREATE TABLE paces (
    key        INTEGER NOT NULL,           -- a hash of a session, a network or a till
    starts_at  TEXT NOT NULL,          -- the minute
    count      INTEGER NOT NULL,
    PRIMARY KEY (key, starts_at)
) STRICT;
CREATE INDEX paces_age ON paces (starts_at);
