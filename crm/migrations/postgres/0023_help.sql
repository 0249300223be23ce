-- The help: articles by version, whether they were of use, and what was looked for. The same version exists for the other engine.

CREATE TABLE help_categories (
    id          UUID   NOT NULL PRIMARY KEY,
    code        TEXT   NOT NULL UNIQUE,
    name        JSONB  NOT NULL,
    position    BIGINT NOT NULL
);

CREATE TABLE help_articles (
    id          UUID   NOT NULL PRIMARY KEY,
    code        TEXT   NOT NULL UNIQUE,
    position    BIGINT NOT NULL
);

-- Of those that have begun the highest is shown, unless it was withdrawn or has expired.
CREATE TABLE help_versions (
    article_id   UUID        NOT NULL REFERENCES help_articles (id),
    version      BIGINT      NOT NULL,
    content      JSONB       NOT NULL,
    published_at TIMESTAMPTZ NOT NULL,
    published_by UUID        REFERENCES staff (id),   -- none: it came with the program
    withdrawn_at TIMESTAMPTZ,
    PRIMARY KEY (article_id, version)
);

CREATE TABLE help_drafts (
    article_id  UUID        NOT NULL PRIMARY KEY REFERENCES help_articles (id),
    content     JSONB       NOT NULL,
    changed_at  TIMESTAMPTZ NOT NULL,
    changed_by  UUID        NOT NULL REFERENCES staff (id)
);

-- One vote of a reader on an article a day. Who it was stands nowhere: voter is a keyed hash that is another one tomorrow.
CREATE TABLE help_votes (
    article_id  UUID        NOT NULL,
    day         DATE        NOT NULL,
    voter       BYTEA       NOT NULL,
    version     BIGINT      NOT NULL,
    language    TEXT        NOT NULL,
    useful      BOOLEAN     NOT NULL,
    missing     TEXT,                                 -- what the reader did not find in it
    voted_at    TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (article_id, day, voter),
    FOREIGN KEY (article_id, version) REFERENCES help_versions (article_id, version)
);
CREATE INDEX help_votes_missing ON help_votes (voted_at) WHERE missing IS NOT NULL;

-- What was looked for on a day, folded, and how often; nobody knows by whom.
CREATE TABLE help_searches (
    day         DATE        NOT NULL,
    language    TEXT        NOT NULL,
    text        TEXT        NOT NULL,
    hits        BIGINT      NOT NULL,
    times       BIGINT      NOT NULL,
    last_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (day, language, text)
);
CREATE INDEX help_searches_last ON help_searches (last_at);

UPDATE roles SET rights = rights || '["help"]' WHERE code IN ('administrator', 'lead', 'marketer');
