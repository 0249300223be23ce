-- What customers see of their cabinet. The same version exists for the other engine.

-- The page that a request was written from: what it shows and which one, 'program/club'.
ALTER TABLE requests ADD COLUMN about TEXT;
