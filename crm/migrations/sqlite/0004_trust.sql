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
