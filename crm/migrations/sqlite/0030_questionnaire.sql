-- What customers tell of themselves if they like to: a questionnaire, what else they like, where they live. The same version exists
-- for the other engine.

-- Of each code the highest version counts that has begun. What is guarded, as an income, staff see by a right of its own.
CREATE TABLE questionnaire_questions (
    code          TEXT NOT NULL,
    version       INTEGER NOT NULL,
    position      INTEGER NOT NULL,
    enabled       INTEGER NOT NULL,
    is_guarded    INTEGER NOT NULL,
    title         TEXT NOT NULL,
    why           TEXT NOT NULL,                   -- what the answer is used for
    published_at  TEXT NOT NULL,
    PRIMARY KEY (code, version)
) STRICT;

CREATE TABLE questionnaire_choices (
    question  TEXT NOT NULL,
    version   INTEGER NOT NULL,
    code      TEXT NOT NULL,
    position  INTEGER NOT NULL,
    name      TEXT NOT NULL,
    PRIMARY KEY (question, version, code),
    FOREIGN KEY (question, version) REFERENCES questionnaire_questions (code, version)
) STRICT;

-- One answer to each question at most; none is one as well, and is no row.
CREATE TABLE answers (
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    question     TEXT NOT NULL,
    version      INTEGER NOT NULL,
    choice       TEXT NOT NULL,
    at           TEXT NOT NULL,
    PRIMARY KEY (customer_id, question),
    FOREIGN KEY (question, version, choice) REFERENCES questionnaire_choices (question, version, code)
) STRICT;

-- What a customer likes, in their own words.
CREATE TABLE wishes (
    customer_id  BLOB NOT NULL PRIMARY KEY REFERENCES customers (id),
    brands       TEXT NOT NULL,
    sizes        TEXT NOT NULL,
    occasions    TEXT NOT NULL,                      -- what they shop for: a holiday, a journey
    wishes       TEXT NOT NULL,                      -- what else they would like
    changed_at   TEXT NOT NULL
) STRICT;

ALTER TABLE customers ADD COLUMN address TEXT;
-- How often the birthday was changed since it was told, or since staff allowed it once more.
ALTER TABLE customers ADD COLUMN birthday_changes INTEGER NOT NULL DEFAULT 0;

UPDATE roles SET rights = json_insert(rights, '$[#]', 'income') WHERE code = 'administrator';

-- Rules are asked when somebody has answered the questionnaire, too.
-- SQLite changes no constraint of a table that is there: it is written anew, and what refers to it finds the
-- same rows again before the transaction ends.
PRAGMA defer_foreign_keys = ON;
CREATE TABLE rewards_before AS SELECT * FROM rewards;
DROP TABLE rewards;
CREATE TABLE rewards (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    occasion     TEXT NOT NULL CHECK (occasion IN ('registration', 'referral', 'profile', 'questionnaire', 'day')),
    rule_id      BLOB NOT NULL,
    version      INTEGER NOT NULL,
    rule_group   TEXT,                        -- of the rules of a group one gives for a period
    period       TEXT NOT NULL,
    purchase_id  BLOB REFERENCES purchases (id),   -- the first one of whoever was invited; not the customer's to see
    at           TEXT NOT NULL,
    FOREIGN KEY (rule_id, version) REFERENCES rule_versions (rule_id, version),
    UNIQUE (customer_id, rule_id, period)
) STRICT;
INSERT INTO rewards (id, customer_id, occasion, rule_id, version, rule_group, period, purchase_id, at)
    SELECT id, customer_id, occasion, rule_id, version, rule_group, period, purchase_id, at FROM rewards_before;
DROP TABLE rewards_before;
CREATE INDEX rewards_purchase ON rewards (purchase_id) WHERE purchase_id IS NOT NULL;
CREATE TRIGGER rewards_no_update BEFORE UPDATE ON rewards BEGIN SELECT RAISE(ABORT, 'rewards is append-only'); END;
CREATE TRIGGER rewards_no_delete BEFORE DELETE ON rewards BEGIN SELECT RAISE(ABORT, 'rewards is append-only'); END;
