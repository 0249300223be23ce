-- Staff are told that a request was given to them, and their pages hear of it; what macros do beside; the hour and the kind of a task.
-- The same version exists for the other engine.

ALTER TABLE level_notices DROP CONSTRAINT level_notices_kind_check;
ALTER TABLE level_notices ADD CONSTRAINT level_notices_kind_check
    CHECK (kind IN ('warning', 'breach', 'escalation', 'returned', 'given'));

ALTER TABLE request_changes ADD COLUMN staff_id UUID REFERENCES staff (id);   -- who alone is told of it; none: whoever may see the request

ALTER TABLE macros ADD COLUMN assignee_id UUID REFERENCES staff (id);   -- a colleague who works on the request afterwards
ALTER TABLE macros ADD COLUMN queue_id UUID REFERENCES queues (id);     -- a queue that it goes into, for whoever works there
ALTER TABLE macros ADD COLUMN topic_id UUID REFERENCES topics (id);     -- what it is about afterwards; none: it stays

ALTER TABLE tasks ADD COLUMN due_minute BIGINT NOT NULL DEFAULT 1440 CHECK (due_minute BETWEEN 0 AND 1440);   -- of the day; 1440: all of it
ALTER TABLE tasks ADD COLUMN kind TEXT NOT NULL DEFAULT 'other' CHECK (kind IN ('call', 'letter', 'other'));
DROP INDEX tasks_customer;
DROP INDEX tasks_due;
DROP INDEX tasks_owner;
CREATE INDEX tasks_customer ON tasks (customer_id, due_on, due_minute, id);
CREATE INDEX tasks_due ON tasks (due_on, due_minute, id) WHERE state = 'open';
CREATE INDEX tasks_owner ON tasks (owner_id, due_on, due_minute, id) WHERE state = 'open';
