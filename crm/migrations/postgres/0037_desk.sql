-- The desk of support: queues with who works in them and which steps they allow, priorities, tags, filters that are kept, changes of
-- many requests at once, and the words by which requests are found. The same version exists for the other engine.

-- A queue: whose requests are whose, and which steps they take. A request comes into the queue of its topic.
CREATE TABLE queues (
    id          UUID NOT NULL PRIMARY KEY,
    code        TEXT NOT NULL UNIQUE,
    name        JSONB NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('by_hand', 'round_robin')),   -- who a request is given to that comes in
    steps       JSONB NOT NULL,               -- pairs [from, to] of statuses that staff may set by hand
    close_by    TEXT NOT NULL CHECK (close_by IN ('anyone', 'assignee', 'lead')),
    reopen_by   TEXT NOT NULL CHECK (reopen_by IN ('anyone', 'assignee', 'lead')),
    created_at  TIMESTAMPTZ NOT NULL
);

-- Who may be given requests of a queue; nobody: everybody.
CREATE TABLE queue_agents (
    queue_id     UUID NOT NULL REFERENCES queues (id),
    staff_id     UUID NOT NULL REFERENCES staff (id),
    capacity     BIGINT NOT NULL CHECK (capacity > 0),   -- so many requests that wait for them at the most are given in turn
    assigned_at  TIMESTAMPTZ,                       -- when one was given in turn last
    PRIMARY KEY (queue_id, staff_id)
);
CREATE INDEX queue_agents_staff ON queue_agents (staff_id);

-- Somebody is there and takes requests that are given in turn.
ALTER TABLE staff ADD COLUMN takes_requests BOOLEAN NOT NULL DEFAULT FALSE;

-- What a request about a topic begins with; without a queue that of the topic above.
ALTER TABLE topics ADD COLUMN queue_id UUID REFERENCES queues (id);
ALTER TABLE topics ADD COLUMN priority TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'urgent'));

ALTER TABLE requests ADD COLUMN queue_id UUID REFERENCES queues (id);
ALTER TABLE requests ADD COLUMN priority TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'urgent'));
ALTER TABLE requests ADD COLUMN due_at TIMESTAMPTZ;    -- until when staff has to do something
-- Who waits for nothing is sorted as if they began to at the end of time, and so is what is never due. An index over the expression
-- would give the order, and no way to begin in the middle of it.
ALTER TABLE requests ADD COLUMN waits_from TIMESTAMPTZ GENERATED ALWAYS AS (COALESCE(waiting_since, '9999-12-31T00:00:00+00:00'::timestamptz)) STORED;
ALTER TABLE requests ADD COLUMN due_from TIMESTAMPTZ GENERATED ALWAYS AS (COALESCE(due_at, '9999-12-31T00:00:00+00:00'::timestamptz)) STORED;

-- Words that staff put on requests.
CREATE TABLE request_tags (
    request_id  UUID NOT NULL REFERENCES requests (id),
    tag         TEXT COLLATE "C" NOT NULL,               -- folded
    PRIMARY KEY (request_id, tag)
);
CREATE INDEX request_tags_tag ON request_tags (tag, request_id);

-- A filter of the list that somebody keeps.
CREATE TABLE saved_filters (
    id          UUID NOT NULL PRIMARY KEY,
    staff_id    UUID NOT NULL REFERENCES staff (id),
    name        TEXT NOT NULL,
    is_shared   BOOLEAN NOT NULL,            -- colleagues see it too
    filter      JSONB NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX saved_filters_staff ON saved_filters (staff_id, created_at);
CREATE INDEX saved_filters_shared ON saved_filters (created_at) WHERE is_shared;

-- A change of many requests at once, to be told and undone: gone after a day.
CREATE TABLE request_bulks (
    id         UUID NOT NULL PRIMARY KEY,
    staff_id   UUID NOT NULL REFERENCES staff (id),
    at         TIMESTAMPTZ NOT NULL,
    undone_at  TIMESTAMPTZ
);
CREATE INDEX request_bulks_age ON request_bulks (at, id);

-- What became of one request.
CREATE TABLE request_bulk_items (
    bulk_id     UUID NOT NULL REFERENCES request_bulks (id),
    request_id  UUID NOT NULL REFERENCES requests (id),
    refused     TEXT,                        -- why nothing was changed
    was         JSONB,                        -- what is brought back
    changed_at  TIMESTAMPTZ,                        -- what its updated_at became: another one means that it was changed since
    PRIMARY KEY (bulk_id, request_id),
    CHECK ((refused IS NULL) = (was IS NOT NULL)),
    CHECK ((refused IS NULL) = (changed_at IS NOT NULL))
);
CREATE INDEX request_bulk_items_request ON request_bulk_items (request_id);

-- The words of each request, under its number: of messages, notes, tags, names. Words come made by the program, as a list, so
-- that both engines find the same.
CREATE TABLE request_words (
    number  BIGINT NOT NULL PRIMARY KEY,
    words   TSVECTOR NOT NULL
);
CREATE INDEX request_words_words ON request_words USING GIN (words);

-- Requests whose words are to be put together anew. Triggers say which, whoever changes what; the program does it. A row that is
-- there is written again and so held: who takes it away waits, and reads what was changed.
CREATE TABLE unindexed_requests (
    request_id  UUID NOT NULL PRIMARY KEY REFERENCES requests (id)
);
INSERT INTO unindexed_requests (request_id) SELECT id FROM requests;

CREATE FUNCTION unindex() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO unindexed_requests (request_id) VALUES (OLD.request_id)
        ON CONFLICT (request_id) DO UPDATE SET request_id = EXCLUDED.request_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO unindexed_requests (request_id) VALUES (NEW.request_id)
        ON CONFLICT (request_id) DO UPDATE SET request_id = EXCLUDED.request_id;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION unindex_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unindexed_requests (request_id) VALUES (NEW.id)
    ON CONFLICT (request_id) DO UPDATE SET request_id = EXCLUDED.request_id;
    RETURN NULL;
END $$;

CREATE FUNCTION unindex_customer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unindexed_requests (request_id) SELECT id FROM requests WHERE customer_id = NEW.id ORDER BY id
    ON CONFLICT (request_id) DO UPDATE SET request_id = EXCLUDED.request_id;
    RETURN NULL;
END $$;

CREATE TRIGGER messages_unindex AFTER INSERT OR UPDATE OF search, request_id ON messages FOR EACH ROW EXECUTE FUNCTION unindex();
CREATE TRIGGER request_tags_unindex AFTER INSERT OR DELETE ON request_tags FOR EACH ROW EXECUTE FUNCTION unindex();
CREATE TRIGGER requests_unindex AFTER UPDATE OF customer_id ON requests FOR EACH ROW EXECUTE FUNCTION unindex_request();
CREATE TRIGGER customers_unindex AFTER UPDATE OF search ON customers FOR EACH ROW WHEN (NEW.search <> OLD.search) EXECUTE FUNCTION unindex_customer();

-- Lists by each order, whatever is narrowed to. What is not closed is little of all there is: its order and its counts come out
-- of indexes that hold nothing else.
CREATE INDEX requests_newest ON requests (created_at, id);
CREATE INDEX requests_updated ON requests (updated_at, id);
CREATE INDEX requests_waiting ON requests (waits_from, id);
CREATE INDEX requests_topic ON requests (topic_id, updated_at, id);
CREATE INDEX requests_queue ON requests (queue_id, updated_at, id);
CREATE INDEX requests_assigned ON requests (assignee_id, updated_at, id);
CREATE INDEX requests_unclosed ON requests (assignee_id, status, queue_id, topic_id, priority, due_at, id) WHERE status <> 'closed';
CREATE INDEX requests_unclosed_topic ON requests (topic_id, assignee_id, status, queue_id, priority, due_at, id) WHERE status <> 'closed';
CREATE INDEX requests_unclosed_queue ON requests (queue_id, assignee_id, status, topic_id, priority, due_at, id) WHERE status <> 'closed';
CREATE INDEX requests_unclosed_waiting ON requests (waits_from, id) WHERE status <> 'closed';
CREATE INDEX requests_unclosed_due ON requests (due_from, id) WHERE status <> 'closed';

-- A right that is new.
UPDATE roles SET rights = rights || '["desk"]' WHERE code IN ('lead', 'administrator');
