-- A customer may prove at the counter that a phone is theirs. The same version exists for the other engine.

-- Attempts live for two hours: those on their way begin anew.
DROP TABLE codes;
DROP TABLE attempts;

-- One way in, or one thing to be proved on the way: bound to a browser by its token, kept until it ends.
CREATE TABLE attempts (
    id           BLOB NOT NULL PRIMARY KEY,
    token_hash   BLOB NOT NULL UNIQUE,
    purpose      TEXT NOT NULL CHECK (purpose IN ('sign_in', 'staff', 'contact', 'confirm', 'counter')),
    kind         TEXT CHECK (kind IN ('phone', 'email')),   -- of the address
    address      TEXT,                            -- where codes go: E.164, or an address in lower case
    proved_at    TEXT,                            -- when the address was proved
    email        TEXT,                            -- an e-mail address that was proved before the phone
    identity     TEXT,                            -- whom an outside provider says it is; linked when the attempt ends
    customer_id  BLOB REFERENCES customers (id),  -- whom the first factor led to; the second is still to come
    staff_id     BLOB REFERENCES staff (id),
    way          TEXT NOT NULL,                   -- how the first factor was given
    network      TEXT NOT NULL,
    language     TEXT NOT NULL,
    draft        TEXT,                            -- what the person typed on the way to a card
    created_at   TEXT NOT NULL,
    expires_at   TEXT NOT NULL,
    finished_at  TEXT
) STRICT;
CREATE INDEX attempts_age ON attempts (created_at);

CREATE TABLE codes (
    id          BLOB NOT NULL PRIMARY KEY,
    attempt_id  BLOB NOT NULL REFERENCES attempts (id),
    address     TEXT NOT NULL,
    network     TEXT NOT NULL,
    code_hash   BLOB NOT NULL,                -- keyed: six digits alone are no secret
    tries       INTEGER NOT NULL,
    created_at  TEXT NOT NULL,
    expires_at  TEXT NOT NULL,
    used_at     TEXT
) STRICT;
CREATE INDEX codes_attempt ON codes (attempt_id);
CREATE INDEX codes_address ON codes (address, created_at);
CREATE INDEX codes_network ON codes (network, created_at);
