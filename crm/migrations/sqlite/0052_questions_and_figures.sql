-- Staff write the questions of the questionnaire, version by version, and leads read what their agents did. The same version exists for
-- the other engine.

ALTER TABLE questionnaire_questions ADD COLUMN published_by BLOB REFERENCES staff (id);      -- none: it came with the program

-- Reports of talks and of points that staff gave.
CREATE INDEX interactions_at ON interactions (at, staff_id);
CREATE INDEX adjustments_decided ON adjustments (decided_at) WHERE state = 'booked';

-- Whoever consents to what agents ask for looks up what they did.
UPDATE roles SET rights = json_insert(rights, '$[#]', 'audit')
    WHERE code = 'lead' AND NOT EXISTS (SELECT 1 FROM json_each(rights) WHERE value = 'audit');

-- Agents give points for goodwill, up to the cap of their role; beyond it, or without one, whoever has the right to points consents.
UPDATE roles SET rights = json_insert(rights, '$[#]', 'goodwill')
    WHERE code = 'agent' OR EXISTS (SELECT 1 FROM json_each(rights) WHERE value = 'points');
