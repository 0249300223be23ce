-- Tiers of programs: what was written and published, and where each customer stands. The same version exists for the
-- other engine.

CREATE TABLE tier_versions (
    program_id    UUID NOT NULL REFERENCES programs (id),
    version       BIGINT NOT NULL CHECK (version > 0),
    state         TEXT NOT NULL CHECK (state IN ('draft', 'published')),
    definition    JSONB NOT NULL,
    changed_at    TIMESTAMPTZ NOT NULL,
    changed_by    UUID REFERENCES staff (id),  -- none: the command line
    effective_at  TIMESTAMPTZ,               -- from when on it counts, which may lie ahead
    published_at  TIMESTAMPTZ,
    published_by  UUID REFERENCES staff (id),
    PRIMARY KEY (program_id, version),
    CHECK ((state = 'published') = (effective_at IS NOT NULL)),
    CHECK ((state = 'published') = (published_at IS NOT NULL))
);
CREATE UNIQUE INDEX tier_versions_draft ON tier_versions (program_id) WHERE state = 'draft';
CREATE TRIGGER tier_versions_append_only BEFORE UPDATE OR DELETE ON tier_versions FOR EACH ROW WHEN (OLD.state = 'published') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER tier_versions_not_truncated BEFORE TRUNCATE ON tier_versions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Each time somebody stood differently than before.
CREATE TABLE tier_changes (
    id           UUID NOT NULL PRIMARY KEY,
    customer_id  UUID NOT NULL REFERENCES customers (id),
    program_id   UUID NOT NULL REFERENCES programs (id),
    version      BIGINT NOT NULL,              -- of the tiers
    tier_id      UUID,                         -- none: no tier
    since        DATE,                         -- the day on which it began
    why          TEXT NOT NULL CHECK (why IN ('earned', 'grace', 'kept')),
    until        DATE,                         -- the first day after the grace
    at           TIMESTAMPTZ NOT NULL,         -- when it was noticed
    FOREIGN KEY (program_id, version) REFERENCES tier_versions (program_id, version),
    CHECK ((tier_id IS NULL) = (since IS NULL)),
    CHECK ((why = 'grace') = (until IS NOT NULL))
);
CREATE INDEX tier_changes_customer ON tier_changes (customer_id, id);
CREATE TRIGGER tier_changes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tier_changes FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The last change of each customer in each program: a projection, with what the daily work goes by.
CREATE TABLE tier_standings (
    customer_id  UUID NOT NULL REFERENCES customers (id),
    program_id   UUID NOT NULL REFERENCES programs (id),
    version      BIGINT NOT NULL,              -- of the tiers that were asked
    tier_id      UUID,
    since        DATE,
    why          TEXT NOT NULL,
    until        DATE,
    due_on       DATE NOT NULL,                -- the day on which to look again, if nothing is bought before
    PRIMARY KEY (customer_id, program_id),
    FOREIGN KEY (program_id, version) REFERENCES tier_versions (program_id, version)
);
