-- What customers take home of their data, and how it is erased. The same version exists for the other engine.

CREATE TABLE exports (
    id             UUID NOT NULL PRIMARY KEY,
    customer_id    UUID NOT NULL REFERENCES customers (id),
    state          TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    asked_at       TIMESTAMPTZ NOT NULL,
    finished_at    TIMESTAMPTZ,
    size           BIGINT NOT NULL DEFAULT 0,    -- of the archive in bytes
    -- Who makes it just now, until when nobody else does, and how many began.
    claimed_by     TEXT,
    claimed_until  TIMESTAMPTZ,
    tries          BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX exports_customer ON exports (customer_id, asked_at);
CREATE INDEX exports_open ON exports (asked_at, id) WHERE state IN ('waiting', 'running');
CREATE INDEX exports_finished ON exports (finished_at);

-- The archive, in pieces.
CREATE TABLE export_parts (
    export_id  UUID NOT NULL REFERENCES exports (id),
    ordinal    BIGINT NOT NULL,                  -- from 0
    bytes      BYTEA NOT NULL,
    PRIMARY KEY (export_id, ordinal)
);

-- What was sent to a customer, and where they are or were a member.
CREATE INDEX outbox_customer ON outbox (customer_id, created_at, id) WHERE customer_id IS NOT NULL;
CREATE INDEX memberships_customer ON memberships (customer_id, joined_at);

-- Customers who want everything that says who they are to be erased: asked for, and done after a while unless they think
-- better of it.
CREATE TABLE erasures (
    id            UUID NOT NULL PRIMARY KEY,
    customer_id   UUID NOT NULL REFERENCES customers (id),
    asked_at      TIMESTAMPTZ NOT NULL,
    due_at        TIMESTAMPTZ NOT NULL,
    cancelled_at  TIMESTAMPTZ,
    done_at       TIMESTAMPTZ
);
CREATE UNIQUE INDEX erasures_open ON erasures (customer_id) WHERE cancelled_at IS NULL AND done_at IS NULL;
CREATE INDEX erasures_due ON erasures (due_at) WHERE cancelled_at IS NULL AND done_at IS NULL;
CREATE INDEX erasures_customer ON erasures (customer_id, asked_at);

ALTER TABLE customers ADD COLUMN erased_at TIMESTAMPTZ;   -- since when nothing here says who it was
CREATE INDEX customers_erased ON customers (id) WHERE erased_at IS NOT NULL;

-- The log stays as it was written but for one thing: of whoever was erased it forgets reasons and networks.
CREATE FUNCTION refuse_change_of_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.at, NEW.actor, NEW.actor_id, NEW.action, NEW.customer_id, NEW.object_id)
        IS NOT DISTINCT FROM (OLD.id, OLD.at, OLD.actor, OLD.actor_id, OLD.action, OLD.customer_id, OLD.object_id)
        AND NEW.reason = '' AND NEW.network = ''
        AND EXISTS (SELECT 1 FROM customers c WHERE c.id = OLD.customer_id AND c.erased_at IS NOT NULL)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'audit is append-only';
END $$;
DROP TRIGGER audit_append_only ON audit;
CREATE TRIGGER audit_append_only BEFORE DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change_of_audit();
-- Its owner was left without the right to change anything of it.
GRANT UPDATE (reason, network) ON audit TO CURRENT_USER;
