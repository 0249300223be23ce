-- The page of a shop, an article or a category shows what staff changed of it.
CREATE INDEX audit_object ON audit (object_id, at) WHERE object_id IS NOT NULL;
