-- Questions that customers ask where everybody reads them, and texts of the shop as staff edit them. The same version exists for
-- the other engine.

CREATE TABLE questions (
    id            BLOB NOT NULL PRIMARY KEY,
    customer_id   BLOB NOT NULL REFERENCES customers (id),
    topic_id      BLOB NOT NULL REFERENCES topics (id),
    language      TEXT NOT NULL,
    name          TEXT NOT NULL,                 -- whom everybody sees; empty: a customer
    asked         TEXT NOT NULL,                 -- the words of whoever asked
    body          TEXT NOT NULL,                 -- what is shown of them
    search        TEXT NOT NULL,                 -- what is shown and the answer, folded for search
    state         TEXT NOT NULL CHECK (state IN ('new', 'published', 'declined', 'moved')),
    reason        TEXT,                          -- why it was declined, as the customer reads it
    request_id    BLOB REFERENCES requests (id), -- what it became, where it was answered in private
    answer        TEXT,
    article       TEXT,                          -- the code of the article of the help that says more
    asked_at      TEXT NOT NULL,
    changed_at    TEXT NOT NULL,
    published_at  TEXT,                   -- when it was shown first
    answered_at   TEXT,
    answered_by   BLOB REFERENCES staff (id),
    CHECK ((state = 'declined') = (reason IS NOT NULL)),
    CHECK ((state = 'moved') = (request_id IS NOT NULL)),
    CHECK (state <> 'published' OR published_at IS NOT NULL),
    CHECK ((answer IS NULL) = (answered_at IS NULL))
) STRICT;
CREATE INDEX questions_shown ON questions (published_at, id) WHERE state = 'published';
CREATE INDEX questions_topic ON questions (topic_id, published_at, id) WHERE state = 'published';
CREATE INDEX questions_article ON questions (article, published_at, id) WHERE state = 'published';
CREATE INDEX questions_state ON questions (state, asked_at, id);
CREATE INDEX questions_customer ON questions (customer_id, asked_at, id);
CREATE INDEX questions_request ON questions (request_id);

-- One vote of a reader on an answer a day. As with the help, who it was stands nowhere: voter is a keyed hash that is another one
-- tomorrow.
CREATE TABLE question_votes (
    question_id  BLOB NOT NULL REFERENCES questions (id),
    day          TEXT NOT NULL,
    voter        BLOB NOT NULL,
    useful       INTEGER NOT NULL,
    voted_at     TEXT NOT NULL,
    PRIMARY KEY (question_id, day, voter)
) STRICT;

-- A topic may stand below another one.
ALTER TABLE topics ADD COLUMN parent_id BLOB REFERENCES topics (id);

-- A text that was edited: templates, consents, topics, what the dialogue is asked and says. Its versions stand below; what counts
-- is written where it always stood, in the same transaction.
CREATE TABLE texts (
    id    BLOB NOT NULL PRIMARY KEY,
    kind  TEXT NOT NULL CHECK (kind IN ('template', 'consent', 'topic', 'command', 'phrase')),
    code  TEXT NOT NULL,
    UNIQUE (kind, code)
) STRICT;

CREATE TABLE text_versions (
    text_id       BLOB NOT NULL REFERENCES texts (id),
    version       INTEGER NOT NULL CHECK (version > 0),
    state         TEXT NOT NULL CHECK (state IN ('draft', 'published')),
    definition    TEXT NOT NULL,
    changed_at    TEXT NOT NULL,
    changed_by    BLOB REFERENCES staff (id),    -- none: it came with the program
    effective_at  TEXT,
    published_at  TEXT,
    published_by  BLOB REFERENCES staff (id),
    PRIMARY KEY (text_id, version),
    CHECK ((state = 'published') = (effective_at IS NOT NULL)),
    CHECK ((state = 'published') = (published_at IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX text_versions_draft ON text_versions (text_id) WHERE state = 'draft';
CREATE TRIGGER text_versions_no_update BEFORE UPDATE ON text_versions WHEN OLD.state = 'published'
    BEGIN SELECT RAISE(ABORT, 'text_versions is append-only'); END;
CREATE TRIGGER text_versions_no_delete BEFORE DELETE ON text_versions WHEN OLD.state = 'published'
    BEGIN SELECT RAISE(ABORT, 'text_versions is append-only'); END;

-- How many agreed to a text, before there is another one.
CREATE INDEX consents_text ON consents (text_id);

-- Two rights that are new.
UPDATE roles SET rights = json_insert(rights, '$[#]', 'questions') WHERE code IN ('administrator', 'lead', 'agent');
UPDATE roles SET rights = json_insert(rights, '$[#]', 'texts') WHERE code IN ('administrator', 'marketer');
