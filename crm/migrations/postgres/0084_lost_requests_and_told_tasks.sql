-- Who had a request last and lost it, so that it does not go straight back to them; tasks that staff are told of in their inbox. The
-- same version exists for the other engine.

ALTER TABLE requests ADD COLUMN lost_by UUID REFERENCES staff (id);             -- until somebody else has it, or it is answered
ALTER TABLE requests ADD COLUMN lost_late BOOLEAN NOT NULL DEFAULT FALSE;       -- their time ran out

CREATE TABLE task_notices (
    id        UUID NOT NULL PRIMARY KEY,
    staff_id  UUID NOT NULL REFERENCES staff (id),   -- who is told
    at        TIMESTAMPTZ NOT NULL,
    kind      TEXT NOT NULL CHECK (kind IN ('given', 'due', 'done', 'cancelled')),
    task_id   UUID NOT NULL REFERENCES tasks (id),
    by_id     UUID REFERENCES staff (id),            -- who gave or ended it; none: its hour has come
    read_at   TIMESTAMPTZ
);
CREATE INDEX task_notices_staff ON task_notices (staff_id, at, id);
CREATE INDEX task_notices_unread ON task_notices (staff_id) WHERE read_at IS NULL;
CREATE INDEX task_notices_task ON task_notices (task_id);

ALTER TABLE tasks ADD COLUMN reminded_at TIMESTAMPTZ;   -- when it was told that its hour has come; none: not yet, or it has another one by now
CREATE INDEX tasks_given ON tasks (created_by, due_on, due_minute, id) WHERE state = 'open';
