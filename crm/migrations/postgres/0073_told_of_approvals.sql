-- Staff are told in their inbox that something waits for their consent, and what became of what they asked for; a correction of points
-- names the request that it is for. The same version exists for the other engine.

CREATE TABLE approval_notices (
    id             UUID NOT NULL PRIMARY KEY,
    staff_id       UUID NOT NULL REFERENCES staff (id),        -- who is told
    at             TIMESTAMPTZ NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('asked', 'approved', 'refused')),
    adjustment_id  UUID REFERENCES adjustments (id),           -- of a correction of points
    promotion_id   UUID REFERENCES promotions (id),            -- or of a promotion
    by_id          UUID NOT NULL REFERENCES staff (id),        -- who asked, or decided
    read_at        TIMESTAMPTZ,
    CHECK ((adjustment_id IS NULL) <> (promotion_id IS NULL))
);
CREATE INDEX approval_notices_staff ON approval_notices (staff_id, at, id);
CREATE INDEX approval_notices_unread ON approval_notices (staff_id) WHERE read_at IS NULL;
CREATE INDEX approval_notices_adjustment ON approval_notices (adjustment_id) WHERE adjustment_id IS NOT NULL;
CREATE INDEX approval_notices_promotion ON approval_notices (promotion_id) WHERE promotion_id IS NOT NULL;

ALTER TABLE adjustments ADD COLUMN request_id UUID REFERENCES requests (id);   -- what it is for; none: nobody said

CREATE INDEX promotions_awaiting ON promotions (asked_at) WHERE asked_at IS NOT NULL;

-- What somebody is told is not always about a request.
ALTER TABLE request_changes ALTER COLUMN request_id DROP NOT NULL;
ALTER TABLE request_changes ADD CONSTRAINT request_changes_told CHECK (request_id IS NOT NULL OR staff_id IS NOT NULL);
