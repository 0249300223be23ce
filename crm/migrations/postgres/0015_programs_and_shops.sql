-- What staff edit: who published a version of a program, and a right that is new. The same version exists for the other
-- engine.

ALTER TABLE program_versions ADD COLUMN published_by UUID REFERENCES staff (id);   -- none: it came with the program

UPDATE roles SET rights = rights || '["shops"]' WHERE code IN ('administrator', 'marketer');
