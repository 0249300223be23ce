-- Who one is can be proved anew at an outside provider. The same version exists for the other engine.

-- Ways to a provider live for ten minutes: those on their way begin anew.
DROP TABLE handoffs;

-- Ways to an outside provider and back: each is walked once, in the browser that began it.
CREATE TABLE handoffs (
    id           BLOB NOT NULL PRIMARY KEY,
    state_hash   BLOB NOT NULL UNIQUE,
    browser_hash BLOB NOT NULL,               -- of the token in the browser's cookie
    provider     TEXT NOT NULL,
    purpose      TEXT NOT NULL CHECK (purpose IN ('sign_in', 'link', 'staff', 'confirm')),
    nonce        TEXT NOT NULL,
    verifier     TEXT NOT NULL,               -- PKCE (RFC 7636)
    customer_id  BLOB REFERENCES customers (id),   -- who links, or proves anew who they are
    session_id   BLOB,                        -- the session of whoever proves anew who they are; it may be gone meanwhile
    next         TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    expires_at   TEXT NOT NULL,
    used_at      TEXT
) STRICT;
CREATE INDEX handoffs_age ON handoffs (created_at);
