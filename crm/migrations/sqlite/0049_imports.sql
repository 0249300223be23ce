-- Files that staff bring in, and tables that they take away. The same version exists for the other engine.

CREATE TABLE imports (
    id             BLOB NOT NULL PRIMARY KEY,
    staff_id       BLOB NOT NULL REFERENCES staff (id),
    kind           TEXT NOT NULL CHECK (kind IN ('customers', 'cards', 'articles', 'purchases')),
    name           TEXT NOT NULL,                 -- of the file
    language       TEXT NOT NULL,                 -- of the reasons
    columns        TEXT NOT NULL,                 -- the first line of the file
    mapping        TEXT NOT NULL,                 -- which field is in which column
    total          INTEGER NOT NULL,              -- lines
    is_trial       INTEGER NOT NULL,              -- nothing of it stays
    state          TEXT NOT NULL CHECK (state IN ('ready', 'waiting', 'running', 'done', 'failed', 'cancelled')),
    line           INTEGER NOT NULL DEFAULT 0,    -- the last one that was looked at
    added          INTEGER NOT NULL DEFAULT 0,
    changed        INTEGER NOT NULL DEFAULT 0,
    known          INTEGER NOT NULL DEFAULT 0,
    refused        INTEGER NOT NULL DEFAULT 0,
    created_at     TEXT NOT NULL,
    asked_at       TEXT,                          -- when it was begun last
    finished_at    TEXT,
    -- Who runs it just now, until when nobody else does, and how many began.
    claimed_by     TEXT,
    claimed_until  TEXT,
    tries          INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX imports_newest ON imports (created_at, id);
CREATE INDEX imports_open ON imports (asked_at, id) WHERE state IN ('waiting', 'running');

-- What is in a file; gone a week after its import.
CREATE TABLE import_rows (
    import_id  BLOB NOT NULL REFERENCES imports (id),
    line       INTEGER NOT NULL,                  -- of the file, from 1
    cells      TEXT NOT NULL,                     -- texts, as JSON
    flaw       TEXT CHECK (flaw IN ('open_quote', 'too_long')),    -- why the cells cannot be told apart
    PRIMARY KEY (import_id, line)
) STRICT;

CREATE TABLE import_refusals (
    import_id  BLOB NOT NULL REFERENCES imports (id),
    line       INTEGER NOT NULL,
    reason     TEXT NOT NULL,                     -- in words
    PRIMARY KEY (import_id, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE extracts (
    id             BLOB NOT NULL PRIMARY KEY,
    staff_id       BLOB NOT NULL REFERENCES staff (id),
    kind           TEXT NOT NULL CHECK (kind IN ('customers', 'purchases', 'points', 'requests')),
    columns        TEXT NOT NULL,                 -- which were asked for
    format         TEXT NOT NULL CHECK (format IN ('csv', 'xlsx')),
    language       TEXT NOT NULL,
    from_day       TEXT,
    to_day         TEXT,
    state          TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'too_large')),
    row_count      INTEGER NOT NULL DEFAULT 0,    -- written so far
    size           INTEGER NOT NULL DEFAULT 0,    -- bytes, once it is done
    asked_at       TEXT NOT NULL,
    finished_at    TEXT,
    claimed_by     TEXT,
    claimed_until  TEXT,
    tries          INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX extracts_staff ON extracts (staff_id, asked_at, id);
CREATE INDEX extracts_open ON extracts (asked_at, id) WHERE state IN ('waiting', 'running');
CREATE INDEX extracts_finished ON extracts (finished_at) WHERE finished_at IS NOT NULL;

-- The file in pieces; gone after a day.
CREATE TABLE extract_parts (
    extract_id  BLOB NOT NULL REFERENCES extracts (id),
    ordinal     INTEGER NOT NULL,
    bytes       BLOB NOT NULL,
    PRIMARY KEY (extract_id, ordinal)
) STRICT;

-- What moved of points, by its day: a table that is taken away begins there.
CREATE INDEX transactions_at ON transactions (at, id);

-- Whoever was brought in by a file waits for their sign-in as whoever joined at a till does. Another nullability is another
-- table to SQLite.
CREATE TABLE new_enrolments (
    id            BLOB NOT NULL PRIMARY KEY,
    till_id       BLOB REFERENCES tills (id),     -- none: brought in by a file
    customer_id   BLOB NOT NULL UNIQUE REFERENCES customers (id),
    phone         TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    completed_at  TEXT
) STRICT;
INSERT INTO new_enrolments (id, till_id, customer_id, phone, created_at, completed_at)
    SELECT id, till_id, customer_id, phone, created_at, completed_at FROM enrolments;
DROP TABLE enrolments;
ALTER TABLE new_enrolments RENAME TO enrolments;
CREATE UNIQUE INDEX enrolments_open ON enrolments (phone) WHERE completed_at IS NULL;

-- Rights that are new.
UPDATE roles SET rights = json_insert(rights, '$[#]', 'import') WHERE code = 'administrator';
UPDATE roles SET rights = json_insert(rights, '$[#]', 'export') WHERE code IN ('administrator', 'lead', 'marketer', 'analyst');
