-- The page of a shop, an article or a category shows what staff changed of it.
CREATE INDEX audit_object ON audit (object_id, at) WHERE object_id IS NOT NULL;

-- What the next version of a program's terms would say. A version may count from later on: published_at is since when it counts.
CREATE TABLE program_drafts (
    program_id  BLOB NOT NULL PRIMARY KEY REFERENCES programs (id),
    terms       TEXT NOT NULL,
    changed_at  TEXT NOT NULL,
    changed_by  BLOB NOT NULL REFERENCES staff (id)
) STRICT;
