-- Files that staff bring in, and tables that they take away. The same version exists for the other engine.

CREATE TABLE imports (
    id             UUID NOT NULL PRIMARY KEY,
    staff_id       UUID NOT NULL REFERENCES staff (id),
    kind           TEXT NOT NULL CHECK (kind IN ('customers', 'cards', 'articles', 'purchases')),
    name           TEXT NOT NULL,                 -- of the file
    language       TEXT NOT NULL,                 -- of the reasons
    columns        JSONB NOT NULL,                 -- the first line of the file
    mapping        JSONB NOT NULL,                 -- which field is in which column
    total          BIGINT NOT NULL,              -- lines
    is_trial       BOOLEAN NOT NULL,              -- nothing of it stays
    state          TEXT NOT NULL CHECK (state IN ('ready', 'waiting', 'running', 'done', 'failed', 'cancelled')),
    line           BIGINT NOT NULL DEFAULT 0,    -- the last one that was looked at
    added          BIGINT NOT NULL DEFAULT 0,
    changed        BIGINT NOT NULL DEFAULT 0,
    known          BIGINT NOT NULL DEFAULT 0,
    refused        BIGINT NOT NULL DEFAULT 0,
    created_at     TIMESTAMPTZ NOT NULL,
    asked_at       TIMESTAMPTZ,                          -- when it was begun last
    finished_at    TIMESTAMPTZ,
    -- Who runs it just now, until when nobody else does, and how many began.
    claimed_by     TEXT,
    claimed_until  TIMESTAMPTZ,
    tries          BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX imports_newest ON imports (created_at, id);
CREATE INDEX imports_open ON imports (asked_at, id) WHERE state IN ('waiting', 'running');

-- What is in a file; gone a week after its import.
CREATE TABLE import_rows (
    import_id  UUID NOT NULL REFERENCES imports (id),
    line       BIGINT NOT NULL,                  -- of the file, from 1
    cells      TEXT NOT NULL,                     -- texts, as JSON
    flaw       TEXT CHECK (flaw IN ('open_quote', 'too_long')),    -- why the cells cannot be told apart
    PRIMARY KEY (import_id, line)
);

CREATE TABLE import_refusals (
    import_id  UUID NOT NULL REFERENCES imports (id),
    line       BIGINT NOT NULL,
    reason     TEXT NOT NULL,                     -- in words
    PRIMARY KEY (import_id, line)
);

CREATE TABLE extracts (
    id             UUID NOT NULL PRIMARY KEY,
    staff_id       UUID NOT NULL REFERENCES staff (id),
    kind           TEXT NOT NULL CHECK (kind IN ('customers', 'purchases', 'points', 'requests')),
    columns        JSONB NOT NULL,                 -- which were asked for
    format         TEXT NOT NULL CHECK (format IN ('csv', 'xlsx')),
    language       TEXT NOT NULL,
    from_day       DATE,
    to_day         DATE,
    state          TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'too_large')),
    row_count      BIGINT NOT NULL DEFAULT 0,    -- written so far
    size           BIGINT NOT NULL DEFAULT 0,    -- bytes, once it is done
    asked_at       TIMESTAMPTZ NOT NULL,
    finished_at    TIMESTAMPTZ,
    claimed_by     TEXT,
    claimed_until  TIMESTAMPTZ,
    tries          BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX extracts_staff ON extracts (staff_id, asked_at, id);
CREATE INDEX extracts_open ON extracts (asked_at, id) WHERE state IN ('waiting', 'running');
CREATE INDEX extracts_finished ON extracts (finished_at) WHERE finished_at IS NOT NULL;

-- The file in pieces; gone after a day.
CREATE TABLE extract_parts (
    extract_id  UUID NOT NULL REFERENCES extracts (id),
    ordinal     BIGINT NOT NULL,
    bytes       BYTEA NOT NULL,
    PRIMARY KEY (extract_id, ordinal)
);

-- What moved of points, by its day: a table that is taken away begins there.
CREATE INDEX transactions_at ON transactions (at, id);

-- Whoever was brought in by a file waits for their sign-in as whoever joined at a till does, and no till is named.
ALTER TABLE enrolments ALTER COLUMN till_id DROP NOT NULL;

-- Rights that are new.
UPDATE roles SET rights = rights || '["import"]' WHERE code = 'administrator';
UPDATE roles SET rights = rights || '["export"]' WHERE code IN ('administrator', 'lead', 'marketer', 'analyst');
