-- What changed of requests, for pages that are open and show it as it comes, and which colleagues have a request open. The same version exists for the other engine.

CREATE TABLE request_changes (
    id          INTEGER NOT NULL PRIMARY KEY,    -- of the sequence request_change: in the order in which they were committed
    request_id  BLOB NOT NULL REFERENCES requests (id),
    kind        TEXT NOT NULL CHECK (kind IN ('opened', 'said', 'answered', 'inside', 'here')),
    at          TEXT NOT NULL
) STRICT;
CREATE INDEX request_changes_request ON request_changes (request_id);
CREATE INDEX request_changes_age ON request_changes (at, id);

CREATE TABLE request_presence (
    request_id  BLOB NOT NULL REFERENCES requests (id),
    staff_id    BLOB NOT NULL REFERENCES staff (id),
    is_writing  INTEGER NOT NULL,                -- there is something in the field of the answer
    seen_at     TEXT NOT NULL,
    PRIMARY KEY (request_id, staff_id)
) STRICT;
CREATE INDEX request_presence_age ON request_presence (seen_at);
