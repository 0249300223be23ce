-- Who had a request last and lost it, so that it does not go straight back to them. The same version exists for the other engine.

ALTER TABLE requests ADD COLUMN lost_by UUID REFERENCES staff (id);             -- until somebody else has it, or it is answered
ALTER TABLE requests ADD COLUMN lost_late BOOLEAN NOT NULL DEFAULT FALSE;       -- their time ran out
