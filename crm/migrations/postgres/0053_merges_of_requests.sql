-- When a request was opened again before another one went into it: so it stands there once they part. The same version exists for
-- the other engine.
ALTER TABLE request_merges ADD COLUMN kept_reopened_at TIMESTAMPTZ;
