-- Files that go along with what is written to support and by it, and what customers think of the answers. The same version exists for the other engine.

CREATE TABLE attachments (
    id          BLOB NOT NULL PRIMARY KEY,
    message_id  BLOB NOT NULL REFERENCES messages (id),
    ordinal     INTEGER NOT NULL,                  -- from 1, as they were chosen
    name        TEXT NOT NULL,                  -- what its owner calls it: shown, and no more
    kind        TEXT NOT NULL CHECK (kind IN ('jpeg', 'png', 'webp', 'pdf')),
    size        INTEGER NOT NULL,                  -- in bytes
    at          TEXT NOT NULL,
    UNIQUE (message_id, ordinal)
) STRICT;

-- A file, in pieces.
CREATE TABLE attachment_parts (
    attachment_id  BLOB NOT NULL REFERENCES attachments (id),
    ordinal        INTEGER NOT NULL,               -- from 0
    bytes          BLOB NOT NULL,
    PRIMARY KEY (attachment_id, ordinal)
) STRICT;

-- Since when a request that was closed is open again: what was thought of it before is about what was before.
ALTER TABLE requests ADD COLUMN reopened_at TEXT;

-- What a customer thinks of how a request was answered.
CREATE TABLE request_ratings (
    id          BLOB NOT NULL PRIMARY KEY,
    request_id  BLOB NOT NULL REFERENCES requests (id),
    score       INTEGER NOT NULL CHECK (score BETWEEN 1 AND 5),
    comment     TEXT NOT NULL,
    at          TEXT NOT NULL,
    changed_at  TEXT NOT NULL
) STRICT;
CREATE INDEX request_ratings_request ON request_ratings (request_id, at);

-- How long customers wait for the first answer, topic by topic.
CREATE INDEX requests_answered ON requests (topic_id, answered_at);
