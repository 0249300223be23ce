-- Service levels: when support works, how soon it answers, and the clocks of requests. The same version exists for the other engine.

CREATE TABLE level_calendars (
    id          UUID NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    time_zone   TEXT NOT NULL,               -- its IANA name
    week        JSONB NOT NULL,              -- of each day from Monday pairs of minutes: work begins, work ends
    days        JSONB NOT NULL,              -- the same by date, where a day is unlike its weekday; nothing: a holiday
    changed_at  TIMESTAMPTZ NOT NULL
);

-- In how many minutes of working time what is promised; none: it is not.
CREATE TABLE level_policies (
    id             UUID NOT NULL PRIMARY KEY,
    calendar_id    UUID NOT NULL REFERENCES level_calendars (id),
    topic_id       UUID REFERENCES topics (id),          -- none: about anything
    priority       TEXT CHECK (priority IN ('low', 'normal', 'high', 'urgent')),   -- none: whichever
    first_answer   BIGINT CHECK (first_answer > 0),
    next_answer    BIGINT CHECK (next_answer > 0),
    solution       BIGINT CHECK (solution > 0),
    warn_percent   BIGINT NOT NULL CHECK (warn_percent BETWEEN 1 AND 99),   -- of the time, after which whoever works on it is warned
    lead_percent   BIGINT CHECK (lead_percent > 0),     -- after which the leads are told
    queue_percent  BIGINT CHECK (queue_percent > 0),    -- after which it is nobody's again
    changed_at     TIMESTAMPTZ NOT NULL,
    CHECK (first_answer IS NOT NULL OR next_answer IS NOT NULL OR solution IS NOT NULL)
);
CREATE UNIQUE INDEX level_policies_once ON level_policies (topic_id, priority) NULLS NOT DISTINCT;

-- What a customer is owed. It runs until it is met or dropped, and stands still while the customer is waited for.
CREATE TABLE request_clocks (
    id           UUID NOT NULL PRIMARY KEY,
    request_id   UUID NOT NULL REFERENCES requests (id),
    kind         TEXT NOT NULL CHECK (kind IN ('first_answer', 'next_answer', 'solution')),
    minutes      BIGINT NOT NULL,  -- that were promised
    started_at   TIMESTAMPTZ NOT NULL,
    paused_at    TIMESTAMPTZ,      -- since when it stands still
    paused       BIGINT NOT NULL,  -- seconds of working time for which it stood still before
    warn_at      TIMESTAMPTZ,      -- when what comes, as long as nothing else happens
    due_at       TIMESTAMPTZ,
    lead_at      TIMESTAMPTZ,
    queue_at     TIMESTAMPTZ,
    next_at      TIMESTAMPTZ,      -- the first of these that has not come yet; none while it stands still
    warned_at    TIMESTAMPTZ,      -- when it came
    breached_at  TIMESTAMPTZ,      -- the moment at which it was due, once that was over
    led_at       TIMESTAMPTZ,
    queued_at    TIMESTAMPTZ,
    met_at       TIMESTAMPTZ,
    dropped_at   TIMESTAMPTZ       -- nobody waited for it any more
);
CREATE UNIQUE INDEX request_clocks_running ON request_clocks (request_id, kind) WHERE met_at IS NULL AND dropped_at IS NULL;
CREATE INDEX request_clocks_request ON request_clocks (request_id);
CREATE INDEX request_clocks_next ON request_clocks (next_at, id) WHERE next_at IS NOT NULL;
CREATE INDEX request_clocks_started ON request_clocks (started_at);

-- What a member of staff is told of promises that run out.
CREATE TABLE level_notices (
    id          UUID NOT NULL PRIMARY KEY,
    staff_id    UUID NOT NULL REFERENCES staff (id),
    at          TIMESTAMPTZ NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('warning', 'breach', 'escalation', 'returned')),
    request_id  UUID NOT NULL REFERENCES requests (id),
    read_at     TIMESTAMPTZ
);
CREATE INDEX level_notices_staff ON level_notices (staff_id, at, id);
CREATE INDEX level_notices_unread ON level_notices (staff_id) WHERE read_at IS NULL;
CREATE INDEX level_notices_request ON level_notices (request_id);

-- A right that is new; who runs a team or the system has it.
UPDATE roles SET rights = rights || '["levels"]' WHERE code IN ('lead', 'administrator');
