-- Files that go along with what is written to support and by it. The same version exists for the other engine.

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
