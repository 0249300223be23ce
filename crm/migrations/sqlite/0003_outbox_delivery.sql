-- Messages on their way out: tried again until they are carried, by any number of nodes. And limits.

-- How often a message was tried.
ALTER TABLE outbox ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
-- When it is tried next; only while it is queued.
ALTER TABLE outbox ADD COLUMN due_at TEXT;
-- From when on nobody wants it any more, as a code that has run out; none: it is wanted whenever it comes.
ALTER TABLE outbox ADD COLUMN expires_at TEXT;
-- Who carries it just now, and until when nobody else takes it.
ALTER TABLE outbox ADD COLUMN claimed_by TEXT;
ALTER TABLE outbox ADD COLUMN claimed_until TEXT;
-- Why the last try failed, in words.
ALTER TABLE outbox ADD COLUMN error TEXT;
-- What the carrier calls it.
ALTER TABLE outbox ADD COLUMN reference TEXT;
-- When the carrier said that it has arrived.
ALTER TABLE outbox ADD COLUMN delivered_at TEXT;
-- The same words without the code or link in them; only as long as the message holds one.
ALTER TABLE outbox ADD COLUMN masked_subject TEXT;
ALTER TABLE outbox ADD COLUMN masked_body TEXT;
-- When the code or link was taken out: what is left cannot be sent again.
ALTER TABLE outbox ADD COLUMN redacted_at TEXT;

UPDATE outbox SET due_at = created_at WHERE state = 'queued';
-- Codes sent until now have long run out, and where they stand in the text was not written down.
UPDATE outbox SET body = '', redacted_at = created_at WHERE template = 'sign_in_code';

DROP INDEX outbox_queue;
CREATE INDEX outbox_due ON outbox (channel, due_at) WHERE state = 'queued';
CREATE INDEX outbox_failed ON outbox (created_at) WHERE state = 'failed';
CREATE INDEX outbox_secrets ON outbox (expires_at) WHERE masked_body IS NOT NULL;
CREATE INDEX outbox_newest ON outbox (created_at, id);
CREATE INDEX outbox_address ON outbox (address, created_at);
CREATE INDEX outbox_reference ON outbox (channel, reference) WHERE reference IS NOT NULL;

-- How often something happened within a span of time, counted by all nodes together.
CREATE TABLE limits (
    key        TEXT NOT NULL,
    starts_at  TEXT NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (key, starts_at)
) STRICT;
CREATE INDEX limits_age ON limits (starts_at);
