-- What staff do beside requests: talks with customers by a script, follow-up tasks, notes; what a purchase was for; and indexes by
-- which a long history is read page by page. The same version exists for the other engine.

-- What is said in a talk, step by step. Of each code the highest version counts.
CREATE TABLE scripts (
    code          TEXT NOT NULL,
    version       INTEGER NOT NULL,
    position      INTEGER NOT NULL,
    name          TEXT NOT NULL,
    steps         TEXT NOT NULL,                  -- a list of texts in both languages
    published_at  TEXT NOT NULL,
    PRIMARY KEY (code, version)
) STRICT;

-- What may come of it.
CREATE TABLE script_outcomes (
    script    TEXT NOT NULL,
    version   INTEGER NOT NULL,
    code      TEXT NOT NULL,
    position  INTEGER NOT NULL,
    name      TEXT NOT NULL,
    PRIMARY KEY (script, version, code),
    FOREIGN KEY (script, version) REFERENCES scripts (code, version)
) STRICT;

-- A call, a visit or another talk.
CREATE TABLE interactions (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    staff_id     BLOB NOT NULL REFERENCES staff (id),
    channel      TEXT NOT NULL CHECK (channel IN ('call_in', 'call_out', 'visit', 'other')),
    script       TEXT NOT NULL,
    version      INTEGER NOT NULL,
    outcome      TEXT NOT NULL,
    note         TEXT NOT NULL,
    minutes      INTEGER CHECK (minutes > 0),       -- none: nobody looked at the clock
    corrects_id  BLOB REFERENCES interactions (id),
    at           TEXT NOT NULL,
    changed_at   TEXT NOT NULL,
    FOREIGN KEY (script, version, outcome) REFERENCES script_outcomes (script, version, code)
) STRICT;
CREATE INDEX interactions_customer ON interactions (customer_id, at, id);
CREATE INDEX interactions_corrects ON interactions (corrects_id) WHERE corrects_id IS NOT NULL;

-- What somebody is to do for a customer until a day of the shop.
CREATE TABLE tasks (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    request_id   BLOB REFERENCES requests (id),
    title        TEXT NOT NULL,
    due_on       TEXT NOT NULL,
    owner_id     BLOB NOT NULL REFERENCES staff (id),
    created_by   BLOB NOT NULL REFERENCES staff (id),
    created_at   TEXT NOT NULL,
    changed_at   TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('open', 'done', 'cancelled')),
    ended_at     TEXT,
    CHECK ((state = 'open') = (ended_at IS NULL))
) STRICT;
CREATE INDEX tasks_customer ON tasks (customer_id, due_on, id);
CREATE INDEX tasks_due ON tasks (due_on, id) WHERE state = 'open';
CREATE INDEX tasks_owner ON tasks (owner_id, due_on, id) WHERE state = 'open';
CREATE INDEX tasks_ended ON tasks (ended_at, id) WHERE state <> 'open';
CREATE INDEX tasks_owner_ended ON tasks (owner_id, ended_at, id) WHERE state <> 'open';

-- What colleagues should know of a customer.
CREATE TABLE customer_notes (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    staff_id     BLOB NOT NULL REFERENCES staff (id),
    body         TEXT NOT NULL,
    is_pinned    INTEGER NOT NULL,
    at           TEXT NOT NULL
) STRICT;
CREATE INDEX customer_notes_customer ON customer_notes (customer_id, is_pinned, at, id);

-- What something is bought for.
CREATE TABLE purchase_purposes (
    code      TEXT NOT NULL PRIMARY KEY,
    position  INTEGER NOT NULL,
    name      TEXT NOT NULL
) STRICT;
ALTER TABLE purchases ADD COLUMN purpose TEXT REFERENCES purchase_purposes (code);  -- none: nobody told

-- A history is read by when something began, too.
CREATE INDEX requests_created ON requests (customer_id, created_at, id);
DROP INDEX sessions_customer;
CREATE INDEX sessions_customer ON sessions (customer_id, created_at, id);

-- A right that is new: to see and hand on the tasks of others.
UPDATE roles SET rights = json_insert(rights, '$[#]', 'tasks') WHERE code IN ('lead', 'administrator');
