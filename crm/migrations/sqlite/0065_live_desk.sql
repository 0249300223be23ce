-- Staff are told that a request was given to them, and their pages hear of it; what macros do beside; the hour and the kind of a task.
-- The same version exists for the other engine.

-- SQLite changes no check: the table is made anew.
CREATE TABLE level_notices_with_given (
    id          BLOB NOT NULL PRIMARY KEY,
    staff_id    BLOB NOT NULL REFERENCES staff (id),
    at          TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('warning', 'breach', 'escalation', 'returned', 'given')),
    request_id  BLOB NOT NULL REFERENCES requests (id),
    read_at     TEXT
) STRICT;
INSERT INTO level_notices_with_given (id, staff_id, at, kind, request_id, read_at)
    SELECT id, staff_id, at, kind, request_id, read_at FROM level_notices;
DROP TABLE level_notices;
ALTER TABLE level_notices_with_given RENAME TO level_notices;
CREATE INDEX level_notices_staff ON level_notices (staff_id, at, id);
CREATE INDEX level_notices_unread ON level_notices (staff_id) WHERE read_at IS NULL;
CREATE INDEX level_notices_request ON level_notices (request_id);

ALTER TABLE request_changes ADD COLUMN staff_id BLOB REFERENCES staff (id);   -- who alone is told of it; none: whoever may see the request

ALTER TABLE macros ADD COLUMN assignee_id BLOB REFERENCES staff (id);   -- a colleague who works on the request afterwards
ALTER TABLE macros ADD COLUMN queue_id BLOB REFERENCES queues (id);     -- a queue that it goes into, for whoever works there
ALTER TABLE macros ADD COLUMN topic_id BLOB REFERENCES topics (id);     -- what it is about afterwards; none: it stays

ALTER TABLE tasks ADD COLUMN due_minute INTEGER NOT NULL DEFAULT 1440 CHECK (due_minute BETWEEN 0 AND 1440);   -- of the day; 1440: all of it
ALTER TABLE tasks ADD COLUMN kind TEXT NOT NULL DEFAULT 'other' CHECK (kind IN ('call', 'letter', 'other'));
DROP INDEX tasks_customer;
DROP INDEX tasks_due;
DROP INDEX tasks_owner;
CREATE INDEX tasks_customer ON tasks (customer_id, due_on, due_minute, id);
CREATE INDEX tasks_due ON tasks (due_on, due_minute, id) WHERE state = 'open';
CREATE INDEX tasks_owner ON tasks (owner_id, due_on, due_minute, id) WHERE state = 'open';
