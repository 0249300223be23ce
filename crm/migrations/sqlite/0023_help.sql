-- The help: articles by version, whether they were of use, and what was looked for. The same version exists for the other engine.

CREATE TABLE help_categories (
    id          BLOB    NOT NULL PRIMARY KEY,
    code        TEXT    NOT NULL UNIQUE,
    name        TEXT    NOT NULL,
    position    INTEGER NOT NULL
) STRICT;

CREATE TABLE help_articles (
    id          BLOB    NOT NULL PRIMARY KEY,
    code        TEXT    NOT NULL UNIQUE,
    position    INTEGER NOT NULL
) STRICT;

-- Of those that have begun the highest is shown, unless it was withdrawn or has expired.
CREATE TABLE help_versions (
    article_id   BLOB    NOT NULL REFERENCES help_articles (id),
    version      INTEGER NOT NULL,
    content      TEXT    NOT NULL,
    published_at TEXT    NOT NULL,
    published_by BLOB    REFERENCES staff (id),   -- none: it came with the program
    withdrawn_at TEXT,
    PRIMARY KEY (article_id, version)
) STRICT;

CREATE TABLE help_drafts (
    article_id  BLOB NOT NULL PRIMARY KEY REFERENCES help_articles (id),
    content     TEXT NOT NULL,
    changed_at  TEXT NOT NULL,
    changed_by  BLOB NOT NULL REFERENCES staff (id)
) STRICT;

-- One vote of a reader on an article a day. Who it was stands nowhere: voter is a keyed hash that is another one tomorrow.
CREATE TABLE help_votes (
    article_id  BLOB    NOT NULL,
    day         TEXT    NOT NULL,
    voter       BLOB    NOT NULL,
    version     INTEGER NOT NULL,
    language    TEXT    NOT NULL,
    useful      INTEGER NOT NULL,
    missing     TEXT,                             -- what the reader did not find in it
    voted_at    TEXT    NOT NULL,
    PRIMARY KEY (article_id, day, voter),
    FOREIGN KEY (article_id, version) REFERENCES help_versions (article_id, version)
) STRICT;
CREATE INDEX help_votes_missing ON help_votes (voted_at) WHERE missing IS NOT NULL;

-- What was looked for on a day, folded, and how often; nobody knows by whom.
CREATE TABLE help_searches (
    day         TEXT    NOT NULL,
    language    TEXT    NOT NULL,
    text        TEXT    NOT NULL,
    hits        INTEGER NOT NULL,
    times       INTEGER NOT NULL,
    last_at     TEXT    NOT NULL,
    PRIMARY KEY (day, language, text)
) STRICT;
CREATE INDEX help_searches_last ON help_searches (last_at);

UPDATE roles SET rights = json_insert(rights, '$[#]', 'help') WHERE code IN ('administrator', 'lead', 'marketer');
