-- Requests by how urgent they are, names of files, comments of ratings and numbers of receipts among the words that requests are
-- found by, accounts by their birthday, and which accounts are of two persons. The same version exists for the other engine.

-- What is urgent comes first. A column, because an index over the expression would give the order, and no way to begin in the middle.
ALTER TABLE requests ADD COLUMN urgency BIGINT GENERATED ALWAYS AS
    (CASE priority WHEN 'urgent' THEN 0 WHEN 'high' THEN 1 WHEN 'normal' THEN 2 ELSE 3 END) STORED;
CREATE INDEX requests_urgency ON requests (urgency, waits_from, id);
CREATE INDEX requests_unclosed_urgency ON requests (urgency, waits_from, id) WHERE status <> 'closed';

CREATE FUNCTION unindex_attachment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unindexed_requests (request_id)
    SELECT request_id FROM messages WHERE id IN (OLD.message_id, NEW.message_id)
    ON CONFLICT (request_id) DO UPDATE SET request_id = EXCLUDED.request_id;
    RETURN NULL;
END $$;

CREATE TRIGGER attachments_unindex AFTER INSERT OR DELETE ON attachments FOR EACH ROW EXECUTE FUNCTION unindex_attachment();
CREATE TRIGGER request_ratings_unindex AFTER INSERT OR UPDATE OF comment ON request_ratings FOR EACH ROW EXECUTE FUNCTION unindex();
CREATE TRIGGER request_links_unindex AFTER INSERT OR DELETE ON request_links FOR EACH ROW EXECUTE FUNCTION unindex();

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
    older_id  UUID NOT NULL REFERENCES customers (id),
    newer_id  UUID NOT NULL REFERENCES customers (id),
    staff_id  UUID NOT NULL REFERENCES staff (id),     -- who says so
    at        TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (older_id, newer_id),
    CHECK (older_id < newer_id)
);
CREATE INDEX distinct_customers_newer ON distinct_customers (newer_id);
