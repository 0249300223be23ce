-- Tiers of programs: what was written and published, and where each customer stands. The same version exists for the
-- other engine.

CREATE TABLE tier_versions (
    program_id    BLOB NOT NULL REFERENCES programs (id),
    version       INTEGER NOT NULL CHECK (version > 0),
    state         TEXT NOT NULL CHECK (state IN ('draft', 'published')),
    definition    TEXT NOT NULL,
    changed_at    TEXT NOT NULL,
    changed_by    BLOB REFERENCES staff (id),  -- none: the command line
    effective_at  TEXT,                        -- from when on it counts, which may lie ahead
    published_at  TEXT,
    published_by  BLOB REFERENCES staff (id),
    PRIMARY KEY (program_id, version),
    CHECK ((state = 'published') = (effective_at IS NOT NULL)),
    CHECK ((state = 'published') = (published_at IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX tier_versions_draft ON tier_versions (program_id) WHERE state = 'draft';
CREATE TRIGGER tier_versions_no_update BEFORE UPDATE ON tier_versions WHEN OLD.state = 'published'
    BEGIN SELECT RAISE(ABORT, 'tier_versions is append-only'); END;
CREATE TRIGGER tier_versions_no_delete BEFORE DELETE ON tier_versions WHEN OLD.state = 'published'
    BEGIN SELECT RAISE(ABORT, 'tier_versions is append-only'); END;

-- Each time somebody stood differently than before.
CREATE TABLE tier_changes (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    program_id   BLOB NOT NULL REFERENCES programs (id),
    version      INTEGER NOT NULL,             -- of the tiers
    tier_id      BLOB,                         -- none: no tier
    since        TEXT,                         -- the day on which it began
    why          TEXT NOT NULL CHECK (why IN ('earned', 'grace', 'kept')),
    until        TEXT,                         -- the first day after the grace
    at           TEXT NOT NULL,                -- when it was noticed
    FOREIGN KEY (program_id, version) REFERENCES tier_versions (program_id, version),
    CHECK ((tier_id IS NULL) = (since IS NULL)),
    CHECK ((why = 'grace') = (until IS NOT NULL))
) STRICT;
CREATE INDEX tier_changes_customer ON tier_changes (customer_id, id);
CREATE TRIGGER tier_changes_no_update BEFORE UPDATE ON tier_changes BEGIN SELECT RAISE(ABORT, 'tier_changes is append-only'); END;
CREATE TRIGGER tier_changes_no_delete BEFORE DELETE ON tier_changes BEGIN SELECT RAISE(ABORT, 'tier_changes is append-only'); END;

-- The last change of each customer in each program: a projection, with what the daily work goes by.
CREATE TABLE tier_standings (
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    program_id   BLOB NOT NULL REFERENCES programs (id),
    version      INTEGER NOT NULL,             -- of the tiers that were asked
    tier_id      BLOB,
    since        TEXT,
    why          TEXT NOT NULL,
    until        TEXT,
    due_on       TEXT NOT NULL,                -- the day on which to look again, if nothing is bought before
    PRIMARY KEY (customer_id, program_id),
    FOREIGN KEY (program_id, version) REFERENCES tier_versions (program_id, version)
) STRICT;
