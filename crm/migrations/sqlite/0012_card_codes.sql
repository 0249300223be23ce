-- The code that a phone shows at the till, and tills among those who read. The same version exists for the other engine.

ALTER TABLE cards ADD COLUMN secret BLOB;          -- of an electronic card that tills take; none before it was first shown
ALTER TABLE cards ADD COLUMN code_step INTEGER;    -- the step of the newest code that was taken
ALTER TABLE cards ADD COLUMN code_till BLOB REFERENCES tills (id);    -- who took it

-- SQLite changes no check: the table is made anew. Dropping a table calls no trigger.
CREATE TABLE audit_with_tills (
    id           BLOB NOT NULL PRIMARY KEY,
    at           TEXT NOT NULL,
    actor        TEXT NOT NULL CHECK (actor IN ('customer', 'staff', 'till', 'system', 'anonymous')),
    actor_id     BLOB,
    action       TEXT NOT NULL,
    customer_id  BLOB REFERENCES customers (id),
    object_id    BLOB,
    reason       TEXT NOT NULL,
    network      TEXT NOT NULL
) STRICT;
INSERT INTO audit_with_tills (id, at, actor, actor_id, action, customer_id, object_id, reason, network)
    SELECT id, at, actor, actor_id, action, customer_id, object_id, reason, network FROM audit;
DROP TABLE audit;
ALTER TABLE audit_with_tills RENAME TO audit;
CREATE INDEX audit_customer ON audit (customer_id, at);
CREATE INDEX audit_actor ON audit (actor_id, at);
CREATE INDEX audit_at ON audit (at, id);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
