-- Questions that customers ask where everybody reads them, and texts of the shop as staff edit them. The same version exists for
-- the other engine.

CREATE TABLE questions (
    id            UUID NOT NULL PRIMARY KEY,
    customer_id   UUID NOT NULL REFERENCES customers (id),
    topic_id      UUID NOT NULL REFERENCES topics (id),
    language      TEXT NOT NULL,
    name          TEXT NOT NULL,                 -- whom everybody sees; empty: a customer
    asked         TEXT NOT NULL,                 -- the words of whoever asked
    body          TEXT NOT NULL,                 -- what is shown of them
    search        TEXT NOT NULL,                 -- what is shown and the answer, folded for search
    state         TEXT NOT NULL CHECK (state IN ('new', 'published', 'declined', 'moved')),
    reason        TEXT,                          -- why it was declined, as the customer reads it
    request_id    UUID REFERENCES requests (id), -- what it became, where it was answered in private
    answer        TEXT,
    article       TEXT,                          -- the code of the article of the help that says more
    asked_at      TIMESTAMPTZ NOT NULL,
    changed_at    TIMESTAMPTZ NOT NULL,
    published_at  TIMESTAMPTZ,                   -- when it was shown first
    answered_at   TIMESTAMPTZ,
    answered_by   UUID REFERENCES staff (id),
    CHECK ((state = 'declined') = (reason IS NOT NULL)),
    CHECK ((state = 'moved') = (request_id IS NOT NULL)),
    CHECK (state <> 'published' OR published_at IS NOT NULL),
    CHECK ((answer IS NULL) = (answered_at IS NULL))
);
CREATE INDEX questions_shown ON questions (published_at, id) WHERE state = 'published';
CREATE INDEX questions_topic ON questions (topic_id, published_at, id) WHERE state = 'published';
CREATE INDEX questions_article ON questions (article, published_at, id) WHERE state = 'published';
CREATE INDEX questions_state ON questions (state, asked_at, id);
CREATE INDEX questions_customer ON questions (customer_id, asked_at, id);
CREATE INDEX questions_request ON questions (request_id);

-- One vote of a reader on an answer a day. As with the help, who it was stands nowhere: voter is a keyed hash that is another one
-- tomorrow.
CREATE TABLE question_votes (
    question_id  UUID NOT NULL REFERENCES questions (id),
    day          DATE NOT NULL,
    voter        BYTEA NOT NULL,
    useful       BOOLEAN NOT NULL,
    voted_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (question_id, day, voter)
);

-- A topic may stand below another one.
ALTER TABLE topics ADD COLUMN parent_id UUID REFERENCES topics (id);

-- A text that was edited: templates, consents, topics, what the dialogue is asked and says. Its versions stand below; what counts
-- is written where it always stood, in the same transaction.
CREATE TABLE texts (
    id    UUID NOT NULL PRIMARY KEY,
    kind  TEXT NOT NULL CHECK (kind IN ('template', 'consent', 'topic', 'command', 'phrase')),
    code  TEXT NOT NULL,
    UNIQUE (kind, code)
);

CREATE TABLE text_versions (
    text_id       UUID NOT NULL REFERENCES texts (id),
    version       BIGINT NOT NULL CHECK (version > 0),
    state         TEXT NOT NULL CHECK (state IN ('draft', 'published')),
    definition    JSONB NOT NULL,
    changed_at    TIMESTAMPTZ NOT NULL,
    changed_by    UUID REFERENCES staff (id),    -- none: it came with the program
    effective_at  TIMESTAMPTZ,
    published_at  TIMESTAMPTZ,
    published_by  UUID REFERENCES staff (id),
    PRIMARY KEY (text_id, version),
    CHECK ((state = 'published') = (effective_at IS NOT NULL)),
    CHECK ((state = 'published') = (published_at IS NOT NULL))
);
CREATE UNIQUE INDEX text_versions_draft ON text_versions (text_id) WHERE state = 'draft';
CREATE TRIGGER text_versions_append_only BEFORE UPDATE OR DELETE ON text_versions FOR EACH ROW WHEN (OLD.state = 'published') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER text_versions_not_truncated BEFORE TRUNCATE ON text_versions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
REVOKE TRUNCATE ON text_versions FROM PUBLIC, CURRENT_USER;

-- How many agreed to a text, before there is another one.
CREATE INDEX consents_text ON consents (text_id);

-- Two rights that are new.
UPDATE roles SET rights = rights || '["questions"]' WHERE code IN ('administrator', 'lead', 'agent');
UPDATE roles SET rights = rights || '["texts"]' WHERE code IN ('administrator', 'marketer');
