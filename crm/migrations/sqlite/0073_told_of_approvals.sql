-- Staff are told in their inbox that something waits for their consent, and what became of what they asked for; a correction of points
-- names the request that it is for. The same version exists for the other engine.

CREATE TABLE approval_notices (
    id             BLOB NOT NULL PRIMARY KEY,
    staff_id       BLOB NOT NULL REFERENCES staff (id),        -- who is told
    at             TEXT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('asked', 'approved', 'refused')),
    adjustment_id  BLOB REFERENCES adjustments (id),           -- of a correction of points
    promotion_id   BLOB REFERENCES promotions (id),            -- or of a promotion
    by_id          BLOB NOT NULL REFERENCES staff (id),        -- who asked, or decided
    read_at        TEXT,
    CHECK ((adjustment_id IS NULL) <> (promotion_id IS NULL))
) STRICT;
CREATE INDEX approval_notices_staff ON approval_notices (staff_id, at, id);
CREATE INDEX approval_notices_unread ON approval_notices (staff_id) WHERE read_at IS NULL;
CREATE INDEX approval_notices_adjustment ON approval_notices (adjustment_id) WHERE adjustment_id IS NOT NULL;
CREATE INDEX approval_notices_promotion ON approval_notices (promotion_id) WHERE promotion_id IS NOT NULL;

ALTER TABLE adjustments ADD COLUMN request_id BLOB REFERENCES requests (id);   -- what it is for; none: nobody said

CREATE INDEX promotions_awaiting ON promotions (asked_at) WHERE asked_at IS NOT NULL;

-- What somebody is told is not always about a request. SQLite takes no NOT NULL away: the table is made anew.
CREATE TABLE request_changes_and_others (
    id          INTEGER NOT NULL PRIMARY KEY,    -- of the sequence request_change: in the order in which they were committed
    request_id  BLOB REFERENCES requests (id),   -- none: something else came into somebody's inbox
    kind        TEXT NOT NULL CHECK (kind IN ('opened', 'said', 'answered', 'inside', 'here')),
    at          TEXT NOT NULL,
    staff_id    BLOB REFERENCES staff (id),      -- who alone is told of it; none: whoever may see the request
    CHECK (request_id IS NOT NULL OR staff_id IS NOT NULL)
) STRICT;
INSERT INTO request_changes_and_others (id, request_id, kind, at, staff_id)
    SELECT id, request_id, kind, at, staff_id FROM request_changes;
DROP TABLE request_changes;
ALTER TABLE request_changes_and_others RENAME TO request_changes;
CREATE INDEX request_changes_request ON request_changes (request_id);
CREATE INDEX request_changes_age ON request_changes (at, id);
