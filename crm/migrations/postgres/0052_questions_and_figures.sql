-- Staff write the questions of the questionnaire, version by version, and leads read what their agents did. The same version exists for
-- the other engine.

ALTER TABLE questionnaire_questions ADD COLUMN published_by UUID REFERENCES staff (id);      -- none: it came with the program

-- Reports of talks and of points that staff gave.
CREATE INDEX interactions_at ON interactions (at, staff_id);
CREATE INDEX adjustments_decided ON adjustments (decided_at) WHERE state = 'booked';

-- Whoever consents to what agents ask for looks up what they did.
UPDATE roles SET rights = rights || '["audit"]' WHERE code = 'lead' AND NOT rights @> '["audit"]';

-- Agents give points for goodwill, up to the cap of their role; beyond it, or without one, whoever has the right to points consents.
UPDATE roles SET rights = rights || '["goodwill"]' WHERE code = 'agent' OR rights @> '["points"]';
