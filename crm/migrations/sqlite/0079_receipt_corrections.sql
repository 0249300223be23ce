-- What staff do with a receipt that was wrong and that its till does not put right: what came back of it, or that it was a mistake as a
-- whole. Beyond what somebody may do alone it waits for a colleague. Whose it is says the receipt. The same version exists for the other
-- engine.

CREATE TABLE receipt_corrections (
    id           BLOB NOT NULL PRIMARY KEY,
    purchase_id  BLOB NOT NULL REFERENCES purchases (id),
    act          TEXT NOT NULL,                                    -- 'void', or the places of the lines and how many pieces: '1:2,3:1'
    points       INTEGER NOT NULL CHECK (points >= 0),             -- hundredths of points that come or go by it, as it was asked for
    reason       TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('awaiting', 'booked', 'refused')),
    asked_by     BLOB NOT NULL REFERENCES staff (id),
    decided_by   BLOB REFERENCES staff (id),                       -- none: within what whoever asked may do alone
    created_at   TEXT NOT NULL,
    decided_at   TEXT,
    CHECK (asked_by <> decided_by)
) STRICT;
CREATE INDEX receipt_corrections_awaiting ON receipt_corrections (created_at, id) WHERE state = 'awaiting';
CREATE UNIQUE INDEX receipt_corrections_open ON receipt_corrections (purchase_id) WHERE state = 'awaiting';
CREATE INDEX receipt_corrections_purchase ON receipt_corrections (purchase_id, created_at, id);
CREATE INDEX receipt_corrections_by ON receipt_corrections (asked_by, created_at);
