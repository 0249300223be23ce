-- The code that a phone shows at the till, and tills among those who read. The same version exists for the other engine.

ALTER TABLE cards ADD COLUMN secret BYTEA;         -- of an electronic card that tills take; none before it was first shown
ALTER TABLE cards ADD COLUMN code_step BIGINT;     -- the step of the newest code that was taken
ALTER TABLE cards ADD COLUMN code_till UUID REFERENCES tills (id);    -- who took it

ALTER TABLE audit DROP CONSTRAINT audit_actor_check;
ALTER TABLE audit ADD CONSTRAINT audit_actor_check CHECK (actor IN ('customer', 'staff', 'till', 'system', 'anonymous'));
