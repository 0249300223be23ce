-- Another phone becomes the main one after a while, in which points are not spent. The same version exists for the other engine.

CREATE TABLE number_changes (
    id            UUID NOT NULL PRIMARY KEY,
    customer_id   UUID NOT NULL REFERENCES customers (id),
    phone         TEXT NOT NULL,              -- the one that becomes the main one
    link_hash     BYTEA NOT NULL UNIQUE,      -- SHA-256 of the token in the link that calls it off
    asked_at      TIMESTAMPTZ NOT NULL,
    due_at        TIMESTAMPTZ NOT NULL,       -- when it becomes the main one
    frozen_until  TIMESTAMPTZ NOT NULL,       -- until then points are not spent, and never before it is done
    done_at       TIMESTAMPTZ,
    cancelled_at  TIMESTAMPTZ
);
CREATE UNIQUE INDEX number_changes_one ON number_changes (customer_id) WHERE done_at IS NULL AND cancelled_at IS NULL;
CREATE INDEX number_changes_due ON number_changes (due_at) WHERE done_at IS NULL AND cancelled_at IS NULL;
CREATE INDEX number_changes_customer ON number_changes (customer_id, frozen_until) WHERE cancelled_at IS NULL;
CREATE INDEX number_changes_age ON number_changes (frozen_until);
