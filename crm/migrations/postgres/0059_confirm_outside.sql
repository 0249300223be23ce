-- Who one is can be proved anew at an outside provider. The same version exists for the other engine.

-- Ways to a provider live for ten minutes: those on their way begin anew.
DROP TABLE handoffs;

-- Ways to an outside provider and back: each is walked once, in the browser that began it.
CREATE TABLE handoffs (
    id           UUID NOT NULL PRIMARY KEY,
    state_hash   BYTEA NOT NULL UNIQUE,
    browser_hash BYTEA NOT NULL,               -- of the token in the browser's cookie
    provider     TEXT NOT NULL,
    purpose      TEXT NOT NULL CHECK (purpose IN ('sign_in', 'link', 'staff', 'confirm')),
    nonce        TEXT NOT NULL,
    verifier     TEXT NOT NULL,               -- PKCE (RFC 7636)
    customer_id  UUID REFERENCES customers (id),   -- who links, or proves anew who they are
    session_id   UUID,                        -- the session of whoever proves anew who they are; it may be gone meanwhile
    next         TEXT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,
    used_at      TIMESTAMPTZ
);
CREATE INDEX handoffs_age ON handoffs (created_at);
