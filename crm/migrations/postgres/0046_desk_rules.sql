-- What macros do beside answering, what a queue leaves to customers, and what a request was that another one went into. The same
-- version exists for the other engine.

ALTER TABLE macros ADD COLUMN priority TEXT CHECK (priority IN ('low', 'normal', 'high', 'urgent'));   -- none: it stays
ALTER TABLE macros ADD COLUMN tags JSONB NOT NULL DEFAULT '[]';      -- that a request has afterwards
ALTER TABLE macros ADD COLUMN untags JSONB NOT NULL DEFAULT '[]';    -- and has no more

-- Whether customers close their requests themselves, and for how many days they open one again that was closed; none: always.
ALTER TABLE queues ADD COLUMN customer_closes BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE queues ADD COLUMN reopen_days BIGINT CHECK (reopen_days >= 0);
-- When it was written down like this: of two who change it at once the second is told.
ALTER TABLE queues ADD COLUMN changed_at TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01T00:00:00+00:00';

-- When the request was closed that another one went into and that is open by that; none: it was not.
ALTER TABLE request_merges ADD COLUMN kept_closed_at TIMESTAMPTZ;

-- Nobody has read these before there was a page for them, and they are no news any more.
UPDATE level_notices SET read_at = at;
