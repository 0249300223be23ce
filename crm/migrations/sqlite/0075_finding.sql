-- Requests by how urgent they are, names of files, comments of ratings and numbers of receipts among the words that requests are
-- found by, accounts by their birthday, and which accounts are of two persons. The same version exists for the other engine.

-- What is urgent comes first. A column, because an index over the expression would give the order, and no way to begin in the middle.
ALTER TABLE requests ADD COLUMN urgency INTEGER GENERATED ALWAYS AS
    (CASE priority WHEN 'urgent' THEN 0 WHEN 'high' THEN 1 WHEN 'normal' THEN 2 ELSE 3 END) VIRTUAL;
CREATE INDEX requests_urgency ON requests (urgency, waits_from, id);
CREATE INDEX requests_unclosed_urgency ON requests (urgency, waits_from, id) WHERE status <> 'closed';

CREATE TRIGGER attachments_unindex_insert AFTER INSERT ON attachments BEGIN
    INSERT INTO unindexed_requests (request_id) SELECT request_id FROM messages WHERE id = NEW.message_id ON CONFLICT (request_id) DO NOTHING;
END;
CREATE TRIGGER attachments_unindex_delete AFTER DELETE ON attachments BEGIN
    INSERT INTO unindexed_requests (request_id) SELECT request_id FROM messages WHERE id = OLD.message_id ON CONFLICT (request_id) DO NOTHING;
END;
CREATE TRIGGER request_ratings_unindex_insert AFTER INSERT ON request_ratings BEGIN
    INSERT INTO unindexed_requests (request_id) VALUES (NEW.request_id) ON CONFLICT (request_id) DO NOTHING;
END;
CREATE TRIGGER request_ratings_unindex_update AFTER UPDATE OF comment ON request_ratings BEGIN
    INSERT INTO unindexed_requests (request_id) VALUES (NEW.request_id) ON CONFLICT (request_id) DO NOTHING;
END;
CREATE TRIGGER request_links_unindex_insert AFTER INSERT ON request_links BEGIN
    INSERT INTO unindexed_requests (request_id) VALUES (NEW.request_id) ON CONFLICT (request_id) DO NOTHING;
END;
CREATE TRIGGER request_links_unindex_delete AFTER DELETE ON request_links BEGIN
    INSERT INTO unindexed_requests (request_id) VALUES (OLD.request_id) ON CONFLICT (request_id) DO NOTHING;
END;

-- Those that have something of the kind are put together anew.
INSERT INTO unindexed_requests (request_id)
    SELECT r.id FROM requests r
    WHERE r.purchase_id IS NOT NULL
        OR r.id IN (SELECT m.request_id FROM attachments a JOIN messages m ON m.id = a.message_id)
        OR r.id IN (SELECT request_id FROM request_ratings WHERE comment <> '')
        OR r.id IN (SELECT request_id FROM request_links WHERE purchase_id IS NOT NULL)
    ON CONFLICT (request_id) DO NOTHING;

CREATE INDEX customers_birthday ON customers (birthday, search, id) WHERE birthday IS NOT NULL;

-- Accounts that staff found to be of two persons, however alike they are. They stay so when one of them is merged into a third.
CREATE TABLE distinct_customers (
    older_id  BLOB NOT NULL REFERENCES customers (id),
    newer_id  BLOB NOT NULL REFERENCES customers (id),
    staff_id  BLOB NOT NULL REFERENCES staff (id),     -- who says so
    at        TEXT NOT NULL,
    PRIMARY KEY (older_id, newer_id),
    CHECK (older_id < newer_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX distinct_customers_newer ON distinct_customers (newer_id);
