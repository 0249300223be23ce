-- The page of a shop, an article or a category shows what staff changed of it.
CREATE INDEX audit_object ON audit (object_id, at) WHERE object_id IS NOT NULL;

-- What the next version of a program's terms would say. A version may count from later on: published_at is since when it counts.
CREATE TABLE program_drafts (
    program_id  UUID NOT NULL PRIMARY KEY REFERENCES programs (id),
    terms       JSONB NOT NULL,
    changed_at  TIMESTAMPTZ NOT NULL,
    changed_by  UUID NOT NULL REFERENCES staff (id)
);
