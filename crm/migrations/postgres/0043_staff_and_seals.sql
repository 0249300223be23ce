-- Staff who are invited, roles that the shop makes itself, and seals over the audit log. The same version exists for the other engine.

-- Where an invitation goes.
ALTER TABLE staff ADD COLUMN email TEXT;

-- Who was invited and has not come in yet: the link opens one page, once, and there a password is chosen.
CREATE TABLE staff_invites (
    staff_id    UUID NOT NULL PRIMARY KEY REFERENCES staff (id),
    token_hash  BYTEA NOT NULL UNIQUE,   -- SHA-256 of what the link ends with
    created_at  TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ NOT NULL,
    used_at     TIMESTAMPTZ
);

-- Each seal is a hash over the one before it and over the rows of the log that were new. It refers to none of them: a row that is
-- gone has to be found, and a reference would only make it go another way.
CREATE TABLE audit_seals (
    id         BIGINT NOT NULL PRIMARY KEY,   -- 1, 2, 3, without a gap
    at         TIMESTAMPTZ NOT NULL,
    first_row  UUID NOT NULL,
    last_row   UUID NOT NULL,
    until      TIMESTAMPTZ NOT NULL,         -- the moment of its last row: from a while before it on is looked for what is new
    row_count  BIGINT NOT NULL,
    hash       BYTEA NOT NULL
);

-- Which row stands in which seal. What erasure takes out of a row goes into its seal as a hash over it and over a random nonce,
-- which goes with it: afterwards nobody can try out what stood there, and the seal still holds.
CREATE TABLE audit_sealed (
    id        UUID NOT NULL PRIMARY KEY,   -- of the row
    seal_id   BIGINT NOT NULL,
    nonce     BYTEA,
    erasable  BYTEA NOT NULL
);
CREATE INDEX audit_sealed_seal ON audit_sealed (seal_id);

-- The log is narrowed by what was done, too.
CREATE INDEX audit_action ON audit (action, at);

-- Seals stay as they are. Of a sealed row the nonce may go, and nothing else may change.
CREATE TRIGGER audit_seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_sealed_append_only BEFORE DELETE OR TRUNCATE ON audit_sealed FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE FUNCTION refuse_change_of_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.seal_id, NEW.erasable) IS NOT DISTINCT FROM (OLD.id, OLD.seal_id, OLD.erasable) AND NEW.nonce IS NULL THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'audit_sealed is append-only';
END $$;
CREATE TRIGGER audit_sealed_no_update BEFORE UPDATE ON audit_sealed FOR EACH ROW EXECUTE FUNCTION refuse_change_of_sealed();
REVOKE UPDATE, DELETE, TRUNCATE ON audit_seals, audit_sealed FROM PUBLIC, CURRENT_USER;
GRANT UPDATE (nonce) ON audit_sealed TO CURRENT_USER;
