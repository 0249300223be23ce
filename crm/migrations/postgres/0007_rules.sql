-- Rules as data: what was written, published and given; what conditions ask of articles and shops. The same version
-- exists for the other engine.

CREATE TABLE rules (
    id          UUID NOT NULL PRIMARY KEY,
    created_at  TIMESTAMPTZ NOT NULL,
    created_by  UUID REFERENCES staff (id)    -- none: the command line
);

CREATE TABLE rule_versions (
    rule_id       UUID NOT NULL REFERENCES rules (id),
    version       BIGINT NOT NULL CHECK (version > 0),
    state         TEXT NOT NULL CHECK (state IN ('draft', 'published')),
    definition    JSONB,                      -- none: from then on the rule is withdrawn
    changed_at    TIMESTAMPTZ NOT NULL,
    changed_by    UUID REFERENCES staff (id),
    effective_at  TIMESTAMPTZ,                -- from when on it counts, which may lie ahead
    published_at  TIMESTAMPTZ,
    published_by  UUID REFERENCES staff (id),
    PRIMARY KEY (rule_id, version),
    CHECK ((state = 'published') = (effective_at IS NOT NULL)),
    CHECK ((state = 'published') = (published_at IS NOT NULL)),
    CHECK (state = 'published' OR definition IS NOT NULL)
);
CREATE UNIQUE INDEX rule_versions_draft ON rule_versions (rule_id) WHERE state = 'draft';
CREATE TRIGGER rule_versions_append_only BEFORE UPDATE OR DELETE ON rule_versions FOR EACH ROW WHEN (OLD.state = 'published') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rule_versions_not_truncated BEFORE TRUNCATE ON rule_versions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What each version gave. Amounts are hundredths of money or points, or pieces of a gift.
CREATE TABLE grants (
    id           UUID NOT NULL PRIMARY KEY,
    purchase_id  UUID REFERENCES purchases (id),         -- none: on another occasion
    line_id      UUID REFERENCES purchase_lines (id),    -- none: for the purchase as a whole
    customer_id  UUID REFERENCES customers (id),         -- none: to whoever bought
    rule_id      UUID NOT NULL,
    version      BIGINT NOT NULL,
    effect       BIGINT NOT NULL,             -- which of the version's effects, from 0
    kind         TEXT NOT NULL CHECK (kind IN ('discount', 'points', 'gift', 'coupon', 'message')),
    program_id   UUID REFERENCES programs (id),
    amount       BIGINT NOT NULL CHECK (amount >= 0),
    day          DATE NOT NULL,               -- of the calendar where the shop is, for caps
    at           TIMESTAMPTZ NOT NULL,        -- of the purchase
    FOREIGN KEY (rule_id, version) REFERENCES rule_versions (rule_id, version),
    CHECK ((kind = 'points') = (program_id IS NOT NULL))
);
CREATE INDEX grants_purchase ON grants (purchase_id);
CREATE INDEX grants_usage ON grants (rule_id, customer_id, day);
CREATE TRIGGER grants_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON grants FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What rules with a budget gave: a projection of the grants, and the row that whoever gives more holds meanwhile.
CREATE TABLE rule_usages (
    rule_id  UUID NOT NULL PRIMARY KEY REFERENCES rules (id),
    value    BIGINT NOT NULL CHECK (value >= 0),
    times    BIGINT NOT NULL CHECK (times >= 0)
);

-- What conditions ask about.
ALTER TABLE articles ADD COLUMN brand TEXT;
ALTER TABLE articles ADD COLUMN payable BOOLEAN NOT NULL DEFAULT TRUE;   -- points may pay for it
ALTER TABLE stores ADD COLUMN region TEXT;

-- A right that is new; who runs the system has it.
UPDATE roles SET rights = rights || '["rules"]' WHERE code = 'administrator';
