-- What customers are told of points, and corrections by staff within a day and a month. The same version exists for the
-- other engine.

-- What the customer is told of why; the reason is for colleagues.
ALTER TABLE adjustments ADD COLUMN note TEXT NOT NULL DEFAULT '';
-- What somebody corrected without anybody's consent is summed.
CREATE INDEX adjustments_by ON adjustments (asked_by, created_at);
-- A line of a statement tells why it was corrected.
CREATE INDEX adjustments_transaction ON adjustments (transaction_id) WHERE transaction_id IS NOT NULL;

-- More kinds of what is told. Who gave points is found by the transfer: a name that is kept here would outlast its erasure.
CREATE TABLE notifications_new (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    kind         TEXT NOT NULL CHECK (kind IN ('active', 'answer', 'closed', 'correction', 'expiry', 'invitation', 'received', 'reward',
                                               'security', 'tier')),
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
INSERT INTO notifications_new (id, customer_id, kind, about, points, day, key, at, read_at, transfer_id)
    SELECT n.id, n.customer_id, n.kind, CASE WHEN n.kind = 'received' THEN '' ELSE n.about END, n.points, n.day,
        CASE WHEN n.kind = 'received' THEN 'received ' || lower(hex(n.id)) ELSE n.key END, n.at, n.read_at,
        CASE WHEN n.kind = 'received' THEN (SELECT t.id FROM transfers t JOIN transactions x ON x.id = t.in_id
            WHERE t.to_id = n.customer_id AND t.points = n.points AND x.recorded_at = n.at LIMIT 1) END
    FROM notifications n;
DROP TABLE notifications;
ALTER TABLE notifications_new RENAME TO notifications;
CREATE INDEX notifications_customer ON notifications (customer_id, at, id);
CREATE INDEX notifications_unread ON notifications (customer_id) WHERE read_at IS NULL;
CREATE INDEX notifications_age ON notifications (at, id);
