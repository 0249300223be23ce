-- Weaker passwords beside a second factor, stronger recovery codes. The same version exists for the other engine.

-- The password is one that may stand only beside a second factor.
ALTER TABLE customers ADD COLUMN password_short INTEGER NOT NULL DEFAULT 0;

-- Recovery codes were kept by a plain hash, and those not yet saved as they are. Nobody can hash them better without the
-- code: their owners make new ones, and the page of the second factor says that none is left.
DELETE FROM factors WHERE kind = 'recovery';
