-- The desk of support: queues with who works in them and which steps they allow, priorities, tags, filters that are kept, changes of
-- many requests at once, and the words by which requests are found. The same version exists for the other engine.

-- A queue: whose requests are whose, and which steps they take. A request comes into the queue of its topic.
CREATE TABLE queues (
    id          BLOB NOT NULL PRIMARY KEY,
    code        TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    mode        TEXT NOT NULL CHECK (mode IN ('by_hand', 'round_robin')),   -- who a request is given to that comes in
    steps       TEXT NOT NULL,               -- pairs [from, to] of statuses that staff may set by hand
    close_by    TEXT NOT NULL CHECK (close_by IN ('anyone', 'assignee', 'lead')),
    reopen_by   TEXT NOT NULL CHECK (reopen_by IN ('anyone', 'assignee', 'lead')),
    created_at  TEXT NOT NULL
) STRICT;

-- Who may be given requests of a queue; nobody: everybody.
CREATE TABLE queue_agents (
    queue_id     BLOB NOT NULL REFERENCES queues (id),
    staff_id     BLOB NOT NULL REFERENCES staff (id),
    capacity     INTEGER NOT NULL CHECK (capacity > 0),   -- so many requests that wait for them at the most are given in turn
    assigned_at  TEXT,                       -- when one was given in turn last
    PRIMARY KEY (queue_id, staff_id)
) STRICT;
CREATE INDEX queue_agents_staff ON queue_agents (staff_id);

-- Somebody is there and takes requests that are given in turn.
ALTER TABLE staff ADD COLUMN takes_requests INTEGER NOT NULL DEFAULT 0;

-- What a request about a topic begins with; without a queue that of the topic above.
ALTER TABLE topics ADD COLUMN queue_id BLOB REFERENCES queues (id);
ALTER TABLE topics ADD COLUMN priority TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'urgent'));

ALTER TABLE requests ADD COLUMN queue_id BLOB REFERENCES queues (id);
ALTER TABLE requests ADD COLUMN priority TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'urgent'));
ALTER TABLE requests ADD COLUMN due_at TEXT;    -- until when staff has to do something
-- Who waits for nothing is sorted as if they began to at the end of time, and so is what is never due. An index over the expression
-- would give the order, and no way to begin in the middle of it.
ALTER TABLE requests ADD COLUMN waits_from TEXT GENERATED ALWAYS AS (COALESCE(waiting_since, '9999-12-31T00:00:00+00:00')) VIRTUAL;
ALTER TABLE requests ADD COLUMN due_from TEXT GENERATED ALWAYS AS (COALESCE(due_at, '9999-12-31T00:00:00+00:00')) VIRTUAL;

-- Words that staff put on requests.
CREATE TABLE request_tags (
    request_id  BLOB NOT NULL REFERENCES requests (id),
    tag         TEXT NOT NULL,               -- folded
    PRIMARY KEY (request_id, tag)
) STRICT;
CREATE INDEX request_tags_tag ON request_tags (tag, request_id);

-- A filter of the list that somebody keeps.
CREATE TABLE saved_filters (
    id          BLOB NOT NULL PRIMARY KEY,
    staff_id    BLOB NOT NULL REFERENCES staff (id),
    name        TEXT NOT NULL,
    is_shared   INTEGER NOT NULL,            -- colleagues see it too
    filter      TEXT NOT NULL,
    created_at  TEXT NOT NULL
) STRICT;
CREATE INDEX saved_filters_staff ON saved_filters (staff_id, created_at);
CREATE INDEX saved_filters_shared ON saved_filters (created_at) WHERE is_shared = 1;

-- A change of many requests at once, to be told and undone: gone after a day.
CREATE TABLE request_bulks (
    id         BLOB NOT NULL PRIMARY KEY,
    staff_id   BLOB NOT NULL REFERENCES staff (id),
    at         TEXT NOT NULL,
    undone_at  TEXT
) STRICT;
CREATE INDEX request_bulks_age ON request_bulks (at, id);

-- What became of one request.
CREATE TABLE request_bulk_items (
    bulk_id     BLOB NOT NULL REFERENCES request_bulks (id),
    request_id  BLOB NOT NULL REFERENCES requests (id),
    refused     TEXT,                        -- why nothing was changed
    was         TEXT,                        -- what is brought back
    changed_at  TEXT,                        -- what its updated_at became: another one means that it was changed since
    PRIMARY KEY (bulk_id, request_id),
    CHECK ((refused IS NULL) = (was IS NOT NULL)),
    CHECK ((refused IS NULL) = (changed_at IS NOT NULL))
) STRICT;
CREATE INDEX request_bulk_items_request ON request_bulk_items (request_id);

-- The words of each request, under its number: of messages, notes, tags, names. Words come made by the program, one blank
-- between two, so that nothing but blanks parts them here and both engines find the same. What is taken out leaves nothing behind.
CREATE VIRTUAL TABLE request_words USING fts5(words, tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* P* S* Co'");
INSERT INTO request_words (request_words, rank) VALUES ('secure-delete', 1);

-- Requests whose words are to be put together anew. Triggers say which, whoever changes what; the program does it.
CREATE TABLE unindexed_requests (
    request_id  BLOB NOT NULL PRIMARY KEY REFERENCES requests (id)
) STRICT;
INSERT INTO unindexed_requests (request_id) SELECT id FROM requests;

CREATE TRIGGER messages_unindex_insert AFTER INSERT ON messages BEGIN
    INSERT INTO unindexed_requests (request_id) VALUES (NEW.request_id) ON CONFLICT (request_id) DO NOTHING;
END;
CREATE TRIGGER messages_unindex_update AFTER UPDATE OF search, request_id ON messages BEGIN
    INSERT INTO unindexed_requests (request_id) VALUES (OLD.request_id) ON CONFLICT (request_id) DO NOTHING;
    INSERT INTO unindexed_requests (request_id) VALUES (NEW.request_id) ON CONFLICT (request_id) DO NOTHING;
END;
CREATE TRIGGER request_tags_unindex_insert AFTER INSERT ON request_tags BEGIN
    INSERT INTO unindexed_requests (request_id) VALUES (NEW.request_id) ON CONFLICT (request_id) DO NOTHING;
END;
CREATE TRIGGER request_tags_unindex_delete AFTER DELETE ON request_tags BEGIN
    INSERT INTO unindexed_requests (request_id) VALUES (OLD.request_id) ON CONFLICT (request_id) DO NOTHING;
END;
CREATE TRIGGER requests_unindex AFTER UPDATE OF customer_id ON requests BEGIN
    INSERT INTO unindexed_requests (request_id) VALUES (NEW.id) ON CONFLICT (request_id) DO NOTHING;
END;
CREATE TRIGGER customers_unindex AFTER UPDATE OF search ON customers WHEN NEW.search <> OLD.search BEGIN
    INSERT INTO unindexed_requests (request_id) SELECT id FROM requests WHERE customer_id = NEW.id ON CONFLICT (request_id) DO NOTHING;
END;

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
UPDATE roles SET rights = json_insert(rights, '$[#]', 'desk') WHERE code IN ('lead', 'administrator');
