-- Service levels: when support works, how soon it answers, and the clocks of requests. The same version exists for the other engine.

CREATE TABLE level_calendars (
    id          BLOB NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    time_zone   TEXT NOT NULL,               -- its IANA name
    week        TEXT NOT NULL,               -- of each day from Monday pairs of minutes: work begins, work ends
    days        TEXT NOT NULL,               -- the same by date, where a day is unlike its weekday; nothing: a holiday
    changed_at  TEXT NOT NULL
) STRICT;

-- In how many minutes of working time what is promised; none: it is not.
CREATE TABLE level_policies (
    id             BLOB NOT NULL PRIMARY KEY,
    calendar_id    BLOB NOT NULL REFERENCES level_calendars (id),
    topic_id       BLOB REFERENCES topics (id),          -- none: about anything
    priority       TEXT CHECK (priority IN ('low', 'normal', 'high', 'urgent')),   -- none: whichever
    first_answer   INTEGER CHECK (first_answer > 0),
    next_answer    INTEGER CHECK (next_answer > 0),
    solution       INTEGER CHECK (solution > 0),
    warn_percent   INTEGER NOT NULL CHECK (warn_percent BETWEEN 1 AND 99),   -- of the time, after which whoever works on it is warned
    lead_percent   INTEGER CHECK (lead_percent > 0),     -- after which the leads are told
    queue_percent  INTEGER CHECK (queue_percent > 0),    -- after which it is nobody's again
    changed_at     TEXT NOT NULL,
    CHECK (first_answer IS NOT NULL OR next_answer IS NOT NULL OR solution IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX level_policies_once ON level_policies (COALESCE(topic_id, x''), COALESCE(priority, ''));

-- What a customer is owed. It runs until it is met or dropped, and stands still while the customer is waited for.
CREATE TABLE request_clocks (
    id           BLOB NOT NULL PRIMARY KEY,
    request_id   BLOB NOT NULL REFERENCES requests (id),
    kind         TEXT NOT NULL CHECK (kind IN ('first_answer', 'next_answer', 'solution')),
    minutes      INTEGER NOT NULL,            -- that were promised
    started_at   TEXT NOT NULL,
    paused_at    TEXT,                        -- since when it stands still
    paused       INTEGER NOT NULL,            -- seconds of working time for which it stood still before
    warn_at      TEXT,                        -- when what comes, as long as nothing else happens
    due_at       TEXT,
    lead_at      TEXT,
    queue_at     TEXT,
    next_at      TEXT,                        -- the first of these that has not come yet; none while it stands still
    warned_at    TEXT,                        -- when it came
    breached_at  TEXT,                        -- the moment at which it was due, once that was over
    led_at       TEXT,
    queued_at    TEXT,
    met_at       TEXT,
    dropped_at   TEXT                         -- nobody waited for it any more
) STRICT;
CREATE UNIQUE INDEX request_clocks_running ON request_clocks (request_id, kind) WHERE met_at IS NULL AND dropped_at IS NULL;
CREATE INDEX request_clocks_request ON request_clocks (request_id);
CREATE INDEX request_clocks_next ON request_clocks (next_at, id) WHERE next_at IS NOT NULL;
CREATE INDEX request_clocks_started ON request_clocks (started_at);

-- What a member of staff is told of promises that run out.
CREATE TABLE level_notices (
    id          BLOB NOT NULL PRIMARY KEY,
    staff_id    BLOB NOT NULL REFERENCES staff (id),
    at          TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('warning', 'breach', 'escalation', 'returned')),
    request_id  BLOB NOT NULL REFERENCES requests (id),
    read_at     TEXT
) STRICT;
CREATE INDEX level_notices_staff ON level_notices (staff_id, at, id);
CREATE INDEX level_notices_unread ON level_notices (staff_id) WHERE read_at IS NULL;
CREATE INDEX level_notices_request ON level_notices (request_id);

-- A right that is new; who runs a team or the system has it.
UPDATE roles SET rights = json_insert(rights, '$[#]', 'levels') WHERE code IN ('lead', 'administrator');
