-- What customers see of their cabinet. The same version exists for the other engine.

-- The page that a request was written from: what it shows and which one, 'program/club'.
ALTER TABLE requests ADD COLUMN about TEXT;

-- When a customer was through with being shown around, or said that they need none of it. Who is here already needs none.
ALTER TABLE customers ADD COLUMN toured_at TIMESTAMPTZ;
UPDATE customers SET toured_at = registered_at;
