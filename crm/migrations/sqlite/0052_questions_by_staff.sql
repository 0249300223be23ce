-- Staff write the questions of the questionnaire, version by version. The same version exists for the other engine.

ALTER TABLE questionnaire_questions ADD COLUMN published_by BLOB REFERENCES staff (id);      -- none: it came with the program
