-- Weaker passwords beside a second factor, stronger recovery codes. The same version exists for the other engine.

-- The password is one that may stand only beside a second factor.
ALTER TABLE customers ADD COLUMN password_short INTEGER NOT NULL DEFAULT 0;

-- Recovery codes were kept by a plain hash, and those not yet saved as they are. Nobody can hash them better without the
-- code: their owners make new ones, and the page of the second factor says that none is left.
DELETE FROM factors WHERE kind = 'recovery';

-- What staff look for, for as long as they may come back to what was found: names and phones stand in no address.
CREATE TABLE searches (
    id          BLOB NOT NULL PRIMARY KEY,
    staff_id    BLOB NOT NULL REFERENCES staff (id),
    text        TEXT NOT NULL,
    created_at  TEXT NOT NULL
) STRICT;
CREATE INDEX searches_age ON searches (created_at);

-- Second factors of customers who have lost theirs: asked for, granted by staff, and gone after a while.
CREATE TABLE factor_removals (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    asked_at     TEXT NOT NULL,
    staff_id     BLOB REFERENCES staff (id),
    due_at       TEXT,                            -- when it goes; none: nobody has granted it
    ended_at     TEXT                             -- done, or called off
) STRICT;
CREATE INDEX factor_removals_customer ON factor_removals (customer_id);
CREATE INDEX factor_removals_due ON factor_removals (due_at) WHERE ended_at IS NULL;
