-- What customers tell of themselves if they like to: a questionnaire, what else they like, where they live. The same version exists
-- for the other engine.

-- Of each code the highest version counts that has begun. What is guarded, as an income, staff see by a right of its own.
CREATE TABLE questionnaire_questions (
    code          TEXT NOT NULL,
    version       BIGINT NOT NULL,
    position      BIGINT NOT NULL,
    enabled       BOOLEAN NOT NULL,
    is_guarded    BOOLEAN NOT NULL,
    title         JSONB NOT NULL,
    why           JSONB NOT NULL,                   -- what the answer is used for
    published_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (code, version)
);

CREATE TABLE questionnaire_choices (
    question  TEXT NOT NULL,
    version   BIGINT NOT NULL,
    code      TEXT NOT NULL,
    position  BIGINT NOT NULL,
    name      JSONB NOT NULL,
    PRIMARY KEY (question, version, code),
    FOREIGN KEY (question, version) REFERENCES questionnaire_questions (code, version)
);

-- One answer to each question at most; none is one as well, and is no row.
CREATE TABLE answers (
    customer_id  UUID NOT NULL REFERENCES customers (id),
    question     TEXT NOT NULL,
    version      BIGINT NOT NULL,
    choice       TEXT NOT NULL,
    at           TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (customer_id, question),
    FOREIGN KEY (question, version, choice) REFERENCES questionnaire_choices (question, version, code)
);

-- What a customer likes, in their own words.
CREATE TABLE wishes (
    customer_id  UUID NOT NULL PRIMARY KEY REFERENCES customers (id),
    brands       TEXT NOT NULL,
    sizes        TEXT NOT NULL,
    occasions    TEXT NOT NULL,                      -- what they shop for: a holiday, a journey
    wishes       TEXT NOT NULL,                      -- what else they would like
    changed_at   TIMESTAMPTZ NOT NULL
);

ALTER TABLE customers ADD COLUMN address TEXT;
-- How often the birthday was changed since it was told, or since staff allowed it once more.
ALTER TABLE customers ADD COLUMN birthday_changes BIGINT NOT NULL DEFAULT 0;

UPDATE roles SET rights = rights || '["income"]' WHERE code = 'administrator';

-- Rules are asked when somebody has answered the questionnaire, too.
ALTER TABLE rewards DROP CONSTRAINT rewards_occasion_check;
ALTER TABLE rewards ADD CONSTRAINT rewards_occasion_check
    CHECK (occasion IN ('registration', 'referral', 'profile', 'questionnaire', 'day'));
