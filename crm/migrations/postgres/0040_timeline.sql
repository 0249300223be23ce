-- What staff do beside requests: talks with customers by a script, follow-up tasks, notes; what a purchase was for; and indexes by
-- which a long history is read page by page. The same version exists for the other engine.

-- What is said in a talk, step by step. Of each code the highest version counts.
CREATE TABLE scripts (
    code          TEXT NOT NULL,
    version       BIGINT NOT NULL,
    position      BIGINT NOT NULL,
    name          JSONB NOT NULL,
    steps         JSONB NOT NULL,                  -- a list of texts in both languages
    published_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (code, version)
);

-- What may come of it.
CREATE TABLE script_outcomes (
    script    TEXT NOT NULL,
    version   BIGINT NOT NULL,
    code      TEXT NOT NULL,
    position  BIGINT NOT NULL,
    name      JSONB NOT NULL,
    PRIMARY KEY (script, version, code),
    FOREIGN KEY (script, version) REFERENCES scripts (code, version)
);

-- A call, a visit or another talk.
CREATE TABLE interactions (
    id           UUID NOT NULL PRIMARY KEY,
    customer_id  UUID NOT NULL REFERENCES customers (id),
    staff_id     UUID NOT NULL REFERENCES staff (id),
    channel      TEXT NOT NULL CHECK (channel IN ('call_in', 'call_out', 'visit', 'other')),
    script       TEXT NOT NULL,
    version      BIGINT NOT NULL,
    outcome      TEXT NOT NULL,
    note         TEXT NOT NULL,
    minutes      BIGINT CHECK (minutes > 0),       -- none: nobody looked at the clock
    corrects_id  UUID REFERENCES interactions (id),
    at           TIMESTAMPTZ NOT NULL,
    changed_at   TIMESTAMPTZ NOT NULL,
    FOREIGN KEY (script, version, outcome) REFERENCES script_outcomes (script, version, code)
);
CREATE INDEX interactions_customer ON interactions (customer_id, at, id);
CREATE INDEX interactions_corrects ON interactions (corrects_id) WHERE corrects_id IS NOT NULL;

-- What somebody is to do for a customer until a day of the shop.
CREATE TABLE tasks (
    id           UUID NOT NULL PRIMARY KEY,
    customer_id  UUID NOT NULL REFERENCES customers (id),
    request_id   UUID REFERENCES requests (id),
    title        TEXT NOT NULL,
    due_on       DATE NOT NULL,
    owner_id     UUID NOT NULL REFERENCES staff (id),
    created_by   UUID NOT NULL REFERENCES staff (id),
    created_at   TIMESTAMPTZ NOT NULL,
    changed_at   TIMESTAMPTZ NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('open', 'done', 'cancelled')),
    ended_at     TIMESTAMPTZ,
    CHECK ((state = 'open') = (ended_at IS NULL))
);
CREATE INDEX tasks_customer ON tasks (customer_id, due_on, id);
CREATE INDEX tasks_due ON tasks (due_on, id) WHERE state = 'open';
CREATE INDEX tasks_owner ON tasks (owner_id, due_on, id) WHERE state = 'open';
CREATE INDEX tasks_ended ON tasks (ended_at, id) WHERE state <> 'open';
CREATE INDEX tasks_owner_ended ON tasks (owner_id, ended_at, id) WHERE state <> 'open';

-- What colleagues should know of a customer.
CREATE TABLE customer_notes (
    id           UUID NOT NULL PRIMARY KEY,
    customer_id  UUID NOT NULL REFERENCES customers (id),
    staff_id     UUID NOT NULL REFERENCES staff (id),
    body         TEXT NOT NULL,
    is_pinned    BOOLEAN NOT NULL,
    at           TIMESTAMPTZ NOT NULL
);
CREATE INDEX customer_notes_customer ON customer_notes (customer_id, is_pinned, at, id);

-- What something is bought for.
CREATE TABLE purchase_purposes (
    code      TEXT NOT NULL PRIMARY KEY,
    position  BIGINT NOT NULL,
    name      JSONB NOT NULL
);
ALTER TABLE purchases ADD COLUMN purpose TEXT REFERENCES purchase_purposes (code);  -- none: nobody told

-- A history is read by when something began, too.
CREATE INDEX requests_created ON requests (customer_id, created_at, id);
DROP INDEX sessions_customer;
CREATE INDEX sessions_customer ON sessions (customer_id, created_at, id);

-- A right that is new: to see and hand on the tasks of others.
UPDATE roles SET rights = rights || '["tasks"]' WHERE code IN ('lead', 'administrator');
