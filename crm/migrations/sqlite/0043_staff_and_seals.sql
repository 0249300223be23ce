-- Staff who are invited, roles that the shop makes itself, and seals over the audit log. The same version exists for the other engine.

-- Where an invitation goes.
ALTER TABLE staff ADD COLUMN email TEXT;

-- Who was invited and has not come in yet: the link opens one page, once, and there a password is chosen.
CREATE TABLE staff_invites (
    staff_id    BLOB NOT NULL PRIMARY KEY REFERENCES staff (id),
    token_hash  BLOB NOT NULL UNIQUE,   -- SHA-256 of what the link ends with
    created_at  TEXT NOT NULL,
    expires_at  TEXT NOT NULL,
    used_at     TEXT
) STRICT;

-- Each seal is a hash over the one before it and over the rows of the log that were new. It refers to none of them: a row that is
-- gone has to be found, and a reference would only make it go another way.
CREATE TABLE audit_seals (
    id         INTEGER NOT NULL PRIMARY KEY,   -- 1, 2, 3, without a gap
    at         TEXT NOT NULL,
    first_row  BLOB NOT NULL,
    last_row   BLOB NOT NULL,
    until      TEXT NOT NULL,         -- the moment of its last row: from a while before it on is looked for what is new
    row_count  INTEGER NOT NULL,
    hash       BLOB NOT NULL
) STRICT;

-- Which row stands in which seal. What erasure takes out of a row goes into its seal as a hash over it and over a random nonce,
-- which goes with it: afterwards nobody can try out what stood there, and the seal still holds.
CREATE TABLE audit_sealed (
    id        BLOB NOT NULL PRIMARY KEY,   -- of the row
    seal_id   INTEGER NOT NULL,
    nonce     BLOB,
    erasable  BLOB NOT NULL
) STRICT;
CREATE INDEX audit_sealed_seal ON audit_sealed (seal_id);

-- The log is narrowed by what was done, too.
CREATE INDEX audit_action ON audit (action, at);

-- Seals stay as they are. Of a sealed row the nonce may go, and nothing else may change.
CREATE TRIGGER audit_seals_no_update BEFORE UPDATE ON audit_seals BEGIN SELECT RAISE(ABORT, 'audit_seals is append-only'); END;
CREATE TRIGGER audit_seals_no_delete BEFORE DELETE ON audit_seals BEGIN SELECT RAISE(ABORT, 'audit_seals is append-only'); END;
CREATE TRIGGER audit_sealed_no_delete BEFORE DELETE ON audit_sealed BEGIN SELECT RAISE(ABORT, 'audit_sealed is append-only'); END;
CREATE TRIGGER audit_sealed_no_update BEFORE UPDATE ON audit_sealed
    WHEN NEW.id IS NOT OLD.id OR NEW.seal_id IS NOT OLD.seal_id OR NEW.erasable IS NOT OLD.erasable OR NEW.nonce IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'audit_sealed is append-only'); END;
