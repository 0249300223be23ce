-- Rules as data: what was written, published and given; what conditions ask of articles and shops. The same version
-- exists for the other engine.

CREATE TABLE rules (
    id          BLOB NOT NULL PRIMARY KEY,
    created_at  TEXT NOT NULL,
    created_by  BLOB REFERENCES staff (id)    -- none: the command line
) STRICT;

CREATE TABLE rule_versions (
    rule_id       BLOB NOT NULL REFERENCES rules (id),
    version       INTEGER NOT NULL CHECK (version > 0),
    state         TEXT NOT NULL CHECK (state IN ('draft', 'published')),
    definition    TEXT,                       -- none: from then on the rule is withdrawn
    changed_at    TEXT NOT NULL,
    changed_by    BLOB REFERENCES staff (id),
    effective_at  TEXT,                       -- from when on it counts, which may lie ahead
    published_at  TEXT,
    published_by  BLOB REFERENCES staff (id),
    PRIMARY KEY (rule_id, version),
    CHECK ((state = 'published') = (effective_at IS NOT NULL)),
    CHECK ((state = 'published') = (published_at IS NOT NULL)),
    CHECK (state = 'published' OR definition IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX rule_versions_draft ON rule_versions (rule_id) WHERE state = 'draft';
CREATE TRIGGER rule_versions_no_update BEFORE UPDATE ON rule_versions WHEN OLD.state = 'published'
    BEGIN SELECT RAISE(ABORT, 'rule_versions is append-only'); END;
CREATE TRIGGER rule_versions_no_delete BEFORE DELETE ON rule_versions WHEN OLD.state = 'published'
    BEGIN SELECT RAISE(ABORT, 'rule_versions is append-only'); END;

-- What each version gave. Amounts are hundredths of money or points, or pieces of a gift.
CREATE TABLE grants (
    id           BLOB NOT NULL PRIMARY KEY,
    purchase_id  BLOB REFERENCES purchases (id),         -- none: on another occasion
    line_id      BLOB REFERENCES purchase_lines (id),    -- none: for the purchase as a whole
    customer_id  BLOB REFERENCES customers (id),         -- none: to whoever bought
    rule_id      BLOB NOT NULL,
    version      INTEGER NOT NULL,
    effect       INTEGER NOT NULL,            -- which of the version's effects, from 0
    kind         TEXT NOT NULL CHECK (kind IN ('discount', 'points', 'gift', 'coupon', 'message')),
    program_id   BLOB REFERENCES programs (id),
    amount       INTEGER NOT NULL CHECK (amount >= 0),
    day          TEXT NOT NULL,               -- of the calendar where the shop is, for caps
    at           TEXT NOT NULL,               -- of the purchase
    FOREIGN KEY (rule_id, version) REFERENCES rule_versions (rule_id, version),
    CHECK ((kind = 'points') = (program_id IS NOT NULL))
) STRICT;
CREATE INDEX grants_purchase ON grants (purchase_id);
CREATE INDEX grants_usage ON grants (rule_id, customer_id, day);
CREATE TRIGGER grants_no_update BEFORE UPDATE ON grants BEGIN SELECT RAISE(ABORT, 'grants is append-only'); END;
CREATE TRIGGER grants_no_delete BEFORE DELETE ON grants BEGIN SELECT RAISE(ABORT, 'grants is append-only'); END;

-- What rules with a budget gave: a projection of the grants, and the row that whoever gives more holds meanwhile.
CREATE TABLE rule_usages (
    rule_id  BLOB NOT NULL PRIMARY KEY REFERENCES rules (id),
    value    INTEGER NOT NULL CHECK (value >= 0),
    times    INTEGER NOT NULL CHECK (times >= 0)
) STRICT;

-- What conditions ask about.
ALTER TABLE articles ADD COLUMN brand TEXT;
ALTER TABLE articles ADD COLUMN payable INTEGER NOT NULL DEFAULT 1;   -- points may pay for it
ALTER TABLE stores ADD COLUMN region TEXT;

-- A right that is new; who runs the system has it.
UPDATE roles SET rights = json_insert(rights, '$[#]', 'rules') WHERE code = 'administrator';
