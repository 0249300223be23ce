-- Requests that staff write down in the words of a customer who called or came. The same version exists for the other engine.

-- Of a message of a customer that staff wrote down, `staff_id` is who did.
ALTER TABLE messages ADD COLUMN way TEXT CHECK (way IN ('call_in', 'call_out', 'visit', 'other'));   -- how the customer said it; none: they wrote it themselves
ALTER TABLE messages ADD COLUMN interaction_id BLOB REFERENCES interactions (id);                   -- the talk in which they did
CREATE INDEX messages_interaction ON messages (interaction_id) WHERE interaction_id IS NOT NULL;

-- SQLite changes no check: the table is made anew.
CREATE TABLE notifications_with_taken (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    kind         TEXT NOT NULL CHECK (kind IN ('active', 'answer', 'closed', 'correction', 'expiry', 'invitation', 'received', 'reward',
                                               'security', 'taken', 'tier')),
    about        TEXT NOT NULL,               -- the number of a request, the code of a template, why points were corrected
    points       INTEGER,
    day          TEXT,                        -- on which points expire, or became active
    key          TEXT NOT NULL,
    at           TEXT NOT NULL,
    read_at      TEXT,
    transfer_id  BLOB REFERENCES transfers (id),   -- of points that somebody gave
    name         TEXT,                        -- of a tier or a rule, in each language
    UNIQUE (customer_id, key)
) STRICT;
INSERT INTO notifications_with_taken (id, customer_id, kind, about, points, day, key, at, read_at, transfer_id, name)
    SELECT id, customer_id, kind, about, points, day, key, at, read_at, transfer_id, name FROM notifications;
DROP TABLE notifications;
ALTER TABLE notifications_with_taken RENAME TO notifications;
CREATE INDEX notifications_customer ON notifications (customer_id, at, id);
CREATE INDEX notifications_unread ON notifications (customer_id) WHERE read_at IS NULL;
CREATE INDEX notifications_age ON notifications (at, id);
