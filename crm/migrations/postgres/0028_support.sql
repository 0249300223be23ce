-- Files that go along with what is written to support and by it, and what customers think of the answers. The same version exists for the other engine.

CREATE TABLE attachments (
    id          UUID NOT NULL PRIMARY KEY,
    message_id  UUID NOT NULL REFERENCES messages (id),
    ordinal     BIGINT NOT NULL,                  -- from 1, as they were chosen
    name        TEXT NOT NULL,                  -- what its owner calls it: shown, and no more
    kind        TEXT NOT NULL CHECK (kind IN ('jpeg', 'png', 'webp', 'pdf')),
    size        BIGINT NOT NULL,                  -- in bytes
    at          TIMESTAMPTZ NOT NULL,
    UNIQUE (message_id, ordinal)
);

-- A file, in pieces.
CREATE TABLE attachment_parts (
    attachment_id  UUID NOT NULL REFERENCES attachments (id),
    ordinal        BIGINT NOT NULL,               -- from 0
    bytes          BYTEA NOT NULL,
    PRIMARY KEY (attachment_id, ordinal)
);

-- Since when a request that was closed is open again: what was thought of it before is about what was before.
ALTER TABLE requests ADD COLUMN reopened_at TIMESTAMPTZ;

-- What a customer thinks of how a request was answered.
CREATE TABLE request_ratings (
    id          UUID NOT NULL PRIMARY KEY,
    request_id  UUID NOT NULL REFERENCES requests (id),
    score       BIGINT NOT NULL CHECK (score BETWEEN 1 AND 5),
    comment     TEXT NOT NULL,
    at          TIMESTAMPTZ NOT NULL,
    changed_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX request_ratings_request ON request_ratings (request_id, at);

-- How long customers wait for the first answer, topic by topic.
CREATE INDEX requests_answered ON requests (topic_id, answered_at);
