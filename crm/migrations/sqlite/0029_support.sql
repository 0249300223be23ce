-- Files that go along with what is written to support and by it. The same version exists for the other engine.

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
