-- Reports: figures by day that are kept, days that are to be counted, reports that staff saved, and the answers that customers
-- looked at by themselves. The same version exists for the other engine.

-- What a figure was on a day of the shop; a figure that does not hang on a shop or a part has nil there. customers and
-- store_customers are of a calendar month, and stand at its first day.
CREATE TABLE report_figures (
    figure    TEXT    NOT NULL,
    day       TEXT    NOT NULL,
    store_id  BLOB    NOT NULL,          -- nil: none, or all
    part_id   BLOB    NOT NULL,          -- a category, a tier, a program; nil: none
    value     INTEGER NOT NULL,
    PRIMARY KEY (figure, day, store_id, part_id)
) STRICT, WITHOUT ROWID;

-- Days, and months by their first day, that are to be counted again: each change of what is counted adds a row of its own, so
-- that no two wait for each other.
CREATE TABLE report_marks (
    id        BLOB    NOT NULL PRIMARY KEY,
    day       TEXT    NOT NULL,
    kind      TEXT NOT NULL CHECK (kind IN ('day', 'month'))
) STRICT;
CREATE INDEX report_marks_day ON report_marks (kind, day);

CREATE TABLE saved_reports (
    id          BLOB    NOT NULL PRIMARY KEY,
    staff_id    BLOB    NOT NULL REFERENCES staff (id),
    kind        TEXT    NOT NULL CHECK (kind IN ('purchases', 'points', 'members', 'requests', 'self_service')),
    name        TEXT    NOT NULL,
    query       TEXT    NOT NULL,        -- what follows the question mark
    shared      INTEGER NOT NULL,        -- colleagues see it as well
    every       TEXT    CHECK (every IN ('week', 'month')),
    email       TEXT,
    next_on     TEXT,                    -- the day on which it is sent next
    created_at  TEXT    NOT NULL,
    CHECK ((every IS NULL) = (email IS NULL) AND (every IS NULL) = (next_on IS NULL))
) STRICT;
CREATE INDEX saved_reports_staff ON saved_reports (staff_id, created_at, id);
CREATE INDEX saved_reports_due ON saved_reports (next_on) WHERE next_on IS NOT NULL;

-- Which customers looked at what the cabinet explains, once a day each; gone when the day is counted.
CREATE TABLE explanations (
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    day          TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('what_if', 'why', 'missing')),
    PRIMARY KEY (customer_id, day, kind)
) STRICT;
CREATE INDEX explanations_day ON explanations (day);

-- What reports ask for by time.
CREATE INDEX requests_closed ON requests (closed_at);
CREATE INDEX requests_reopened ON requests (reopened_at) WHERE reopened_at IS NOT NULL;
CREATE INDEX request_ratings_at ON request_ratings (at);
CREATE INDEX memberships_joined ON memberships (joined_at);
CREATE INDEX memberships_left ON memberships (left_at) WHERE left_at IS NOT NULL;
CREATE INDEX help_votes_day ON help_votes (day);

-- A right that is new.
UPDATE roles SET rights = json_insert(rights, '$[#]', 'reports') WHERE code IN ('administrator', 'lead', 'marketer');
