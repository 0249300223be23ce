-- Staff are told in their inbox of corrections of receipts that wait for consent; what was promised is found by when it fell due. The
-- same version exists for the other engine.

-- SQLite changes no check: the table is made anew.
CREATE TABLE approval_notices_of_receipts (
    id                     BLOB NOT NULL PRIMARY KEY,
    staff_id               BLOB NOT NULL REFERENCES staff (id),        -- who is told
    at                     TEXT NOT NULL,
    kind                   TEXT NOT NULL CHECK (kind IN ('asked', 'approved', 'refused')),
    adjustment_id          BLOB REFERENCES adjustments (id),           -- of a correction of points
    receipt_correction_id  BLOB REFERENCES receipt_corrections (id),   -- or of a receipt
    promotion_id           BLOB REFERENCES promotions (id),            -- or of a promotion
    by_id                  BLOB NOT NULL REFERENCES staff (id),        -- who asked, or decided
    read_at                TEXT,
    CHECK ((adjustment_id IS NOT NULL) + (receipt_correction_id IS NOT NULL) + (promotion_id IS NOT NULL) = 1)
) STRICT;
INSERT INTO approval_notices_of_receipts (id, staff_id, at, kind, adjustment_id, promotion_id, by_id, read_at)
    SELECT id, staff_id, at, kind, adjustment_id, promotion_id, by_id, read_at FROM approval_notices;
DROP TABLE approval_notices;
ALTER TABLE approval_notices_of_receipts RENAME TO approval_notices;
CREATE INDEX approval_notices_staff ON approval_notices (staff_id, at, id);
CREATE INDEX approval_notices_unread ON approval_notices (staff_id) WHERE read_at IS NULL;
CREATE INDEX approval_notices_adjustment ON approval_notices (adjustment_id) WHERE adjustment_id IS NOT NULL;
CREATE INDEX approval_notices_receipt ON approval_notices (receipt_correction_id) WHERE receipt_correction_id IS NOT NULL;
CREATE INDEX approval_notices_promotion ON approval_notices (promotion_id) WHERE promotion_id IS NOT NULL;

-- When it fell due; what stood still when it came has no such moment, and counts when it came.
CREATE INDEX request_clocks_fell_due ON request_clocks (COALESCE(breached_at, due_at, met_at));
