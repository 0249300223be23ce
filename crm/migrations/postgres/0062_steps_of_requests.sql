-- When requests were closed and opened again, each time: reports count these, and what comes later changes none of them. The same
-- version exists for the other engine.
CREATE TABLE request_steps (
    request_id  UUID NOT NULL REFERENCES requests (id),
    kind        TEXT NOT NULL CHECK (kind IN ('closed', 'reopened')),
    at          TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (request_id, at, kind)
);
CREATE INDEX request_steps_at ON request_steps (at);

-- Of what was before the last of each is known. What was opened again had been closed: nobody knows when, so it counts at that moment.
INSERT INTO request_steps (request_id, kind, at)
    SELECT id, 'closed', reopened_at FROM requests WHERE reopened_at IS NOT NULL;
INSERT INTO request_steps (request_id, kind, at)
    SELECT id, 'reopened', reopened_at FROM requests WHERE reopened_at IS NOT NULL;
INSERT INTO request_steps (request_id, kind, at)
    SELECT id, 'closed', closed_at FROM requests WHERE closed_at IS NOT NULL AND merged_into IS NULL
    ON CONFLICT DO NOTHING;
