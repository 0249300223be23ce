-- Who comes in, by which ways, with which rights. The same version exists for the other engine.

-- Attempts live for two hours: those on their way begin anew.
DROP TABLE codes;
DROP TABLE attempts;

-- One way in, or one thing to be proved on the way: bound to a browser by its token, kept until it ends.
CREATE TABLE attempts (
    id           UUID NOT NULL PRIMARY KEY,
    token_hash   BYTEA NOT NULL UNIQUE,
    purpose      TEXT NOT NULL CHECK (purpose IN ('sign_in', 'staff', 'contact', 'confirm')),
    kind         TEXT CHECK (kind IN ('phone', 'email')),   -- of the address
    address      TEXT,                            -- where codes go: E.164, or an address in lower case
    proved_at    TIMESTAMPTZ,                            -- when the address was proved
    email        TEXT,                            -- an e-mail address that was proved before the phone
    identity     JSONB,                            -- whom an outside provider says it is; linked when the attempt ends
    customer_id  UUID REFERENCES customers (id),  -- whom the first factor led to; the second is still to come
    staff_id     UUID REFERENCES staff (id),
    way          TEXT NOT NULL,                   -- how the first factor was given
    network      TEXT NOT NULL,
    language     TEXT NOT NULL,
    draft        JSONB,                            -- what the person typed on the way to a card
    created_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,
    finished_at  TIMESTAMPTZ
);
CREATE INDEX attempts_age ON attempts (created_at);

CREATE TABLE codes (
    id          UUID NOT NULL PRIMARY KEY,
    attempt_id  UUID NOT NULL REFERENCES attempts (id),
    address     TEXT NOT NULL,
    network     TEXT NOT NULL,
    code_hash   BYTEA NOT NULL,                -- keyed: six digits alone are no secret
    tries       BIGINT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ NOT NULL,
    used_at     TIMESTAMPTZ
);
CREATE INDEX codes_attempt ON codes (attempt_id);
CREATE INDEX codes_address ON codes (address, created_at);
CREATE INDEX codes_network ON codes (network, created_at);

-- When whoever holds the session last proved who they are. Sessions from before must prove it again.
ALTER TABLE sessions ADD COLUMN authenticated_at TIMESTAMPTZ NOT NULL DEFAULT 'epoch';

-- What besides a code or a password proves who somebody is.
CREATE TABLE factors (
    id             UUID NOT NULL PRIMARY KEY,
    customer_id    UUID REFERENCES customers (id),
    staff_id       UUID REFERENCES staff (id),
    kind           TEXT NOT NULL CHECK (kind IN ('totp', 'passkey', 'recovery')),
    name           TEXT NOT NULL,             -- what its owner calls it
    data           TEXT NOT NULL,             -- the secret, the public key, or the hash of a recovery code
    credential_id  BYTEA UNIQUE,               -- of a passkey, as browsers name it
    last_step      BIGINT,                   -- of a TOTP: the step of the last code taken, which is not taken again
    created_at     TIMESTAMPTZ NOT NULL,
    confirmed_at   TIMESTAMPTZ,                      -- until then it was only offered
    used_at        TIMESTAMPTZ,
    CHECK ((customer_id IS NULL) <> (staff_id IS NULL))
);
CREATE INDEX factors_customer ON factors (customer_id);
CREATE INDEX factors_staff ON factors (staff_id);

-- Questions that a passkey has answered, so that none is answered twice (W3C Web Authentication, 13.4.3). Until then a
-- question is sealed in its page.
CREATE TABLE ceremonies (
    id          UUID NOT NULL PRIMARY KEY,
    bound_to    BYTEA NOT NULL,                -- hash of the token of the session or attempt that asked
    state       TEXT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX ceremonies_age ON ceremonies (created_at);

-- Accounts elsewhere that let somebody in here: known by issuer and subject, never by an e-mail address.
CREATE TABLE identities (
    id           UUID NOT NULL PRIMARY KEY,
    customer_id  UUID REFERENCES customers (id),
    staff_id     UUID REFERENCES staff (id),
    provider     TEXT NOT NULL,
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    shown        TEXT NOT NULL,               -- what its owner knows it by: an e-mail address, a name
    linked_at    TIMESTAMPTZ NOT NULL,
    used_at      TIMESTAMPTZ,
    CHECK ((customer_id IS NULL) <> (staff_id IS NULL))
);
CREATE UNIQUE INDEX identities_customer_subject ON identities (issuer, subject) WHERE customer_id IS NOT NULL;
CREATE UNIQUE INDEX identities_staff_subject ON identities (issuer, subject) WHERE staff_id IS NOT NULL;
CREATE INDEX identities_customer ON identities (customer_id);
CREATE INDEX identities_staff ON identities (staff_id);

-- Ways to an outside provider and back: each is walked once, in the browser that began it.
CREATE TABLE handoffs (
    id           UUID NOT NULL PRIMARY KEY,
    state_hash   BYTEA NOT NULL UNIQUE,
    browser_hash BYTEA NOT NULL,               -- of the token in the browser's cookie
    provider     TEXT NOT NULL,
    purpose      TEXT NOT NULL CHECK (purpose IN ('sign_in', 'link', 'staff')),
    nonce        TEXT NOT NULL,
    verifier     TEXT NOT NULL,               -- PKCE (RFC 7636)
    customer_id  UUID REFERENCES customers (id),   -- who links
    next         TEXT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,
    used_at      TIMESTAMPTZ
);
CREATE INDEX handoffs_age ON handoffs (created_at);

-- Roles are sets of rights.
CREATE TABLE roles (
    code        TEXT NOT NULL PRIMARY KEY,
    name        JSONB NOT NULL,
    rights      JSONB NOT NULL,
    position    BIGINT NOT NULL
);

ALTER TABLE staff ADD COLUMN role_code TEXT NOT NULL DEFAULT 'agent';
UPDATE staff SET role_code = role;
ALTER TABLE staff DROP COLUMN role;
ALTER TABLE staff RENAME COLUMN role_code TO role;
