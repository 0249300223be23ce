-- What staff do in a request beside answering: requests that belong together, notes that name a colleague, answers that are
-- prepared, drafts, keys. The same version exists for the other engine.

-- Requests of one customer that became one: those that went into another one point to it, and their messages stay where they are.
ALTER TABLE requests ADD COLUMN merged_into UUID REFERENCES requests (id);
CREATE INDEX requests_merged ON requests (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE request_merges (
    id             UUID NOT NULL PRIMARY KEY,
    kept_id        UUID NOT NULL REFERENCES requests (id),
    merged_id      UUID NOT NULL REFERENCES requests (id),
    status         TEXT NOT NULL CHECK (status IN ('new', 'open', 'waiting', 'closed')),  -- of the one that went, before
    waiting_since  TIMESTAMPTZ,
    closed_at      TIMESTAMPTZ,
    at             TIMESTAMPTZ NOT NULL,
    merged_by      UUID NOT NULL REFERENCES staff (id),
    undone_at      TIMESTAMPTZ,
    undone_by      UUID REFERENCES staff (id)            -- none: the accounts parted
);
CREATE UNIQUE INDEX request_merges_once ON request_merges (merged_id) WHERE undone_at IS NULL;
CREATE INDEX request_merges_kept ON request_merges (kept_id, at);

-- What a request has to do with: another one, a receipt, a line of one.
CREATE TABLE request_links (
    id           UUID NOT NULL PRIMARY KEY,
    request_id   UUID NOT NULL REFERENCES requests (id),
    kind         TEXT NOT NULL CHECK (kind IN ('related', 'duplicate', 'split', 'receipt', 'line')),
    other_id     UUID REFERENCES requests (id),
    purchase_id  UUID REFERENCES purchases (id),
    line_id      UUID REFERENCES purchase_lines (id),
    at           TIMESTAMPTZ NOT NULL,
    linked_by    UUID NOT NULL REFERENCES staff (id),
    CHECK ((kind IN ('related', 'duplicate', 'split')) = (other_id IS NOT NULL)),
    CHECK ((kind IN ('receipt', 'line')) = (purchase_id IS NOT NULL)),
    CHECK ((kind = 'line') = (line_id IS NOT NULL)),
    CHECK (other_id <> request_id)
);
CREATE INDEX request_links_request ON request_links (request_id, at, id);
CREATE INDEX request_links_other ON request_links (other_id);
CREATE INDEX request_links_purchase ON request_links (purchase_id);
CREATE INDEX request_links_line ON request_links (line_id);

-- What a member of staff is writing, and has not sent.
CREATE TABLE request_drafts (
    request_id  UUID NOT NULL REFERENCES requests (id),
    staff_id    UUID NOT NULL REFERENCES staff (id),
    kind        TEXT NOT NULL CHECK (kind IN ('answer', 'note')),
    body        TEXT NOT NULL,
    changed_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (request_id, staff_id, kind)
);
CREATE INDEX request_drafts_age ON request_drafts (changed_at);

-- What a member of staff is told of: a note that names them.
CREATE TABLE staff_notices (
    id          UUID NOT NULL PRIMARY KEY,
    staff_id    UUID NOT NULL REFERENCES staff (id),
    message_id  UUID NOT NULL REFERENCES messages (id),
    at          TIMESTAMPTZ NOT NULL,
    read_at     TIMESTAMPTZ
);
CREATE INDEX staff_notices_staff ON staff_notices (staff_id, at, id);
CREATE INDEX staff_notices_unread ON staff_notices (staff_id) WHERE read_at IS NULL;
CREATE INDEX staff_notices_message ON staff_notices (message_id);

-- What is prepared: an answer, and what is done with the request, by one key.
CREATE TABLE macros (
    id          UUID NOT NULL PRIMARY KEY,
    code        TEXT NOT NULL,                   -- by which it is found at the keyboard
    name        TEXT NOT NULL,
    owner_id    UUID REFERENCES staff (id),      -- whose it is; none: everybody's
    answer      JSONB NOT NULL,                   -- in both languages; empty: it says nothing
    sends       BOOLEAN NOT NULL,                -- the answer goes out at once; otherwise into the field, to be read over
    status      TEXT CHECK (status IN ('open', 'waiting', 'closed')),
    assign      TEXT CHECK (assign IN ('me', 'nobody')),
    changed_at  TIMESTAMPTZ NOT NULL,
    changed_by  UUID NOT NULL REFERENCES staff (id)
);
CREATE UNIQUE INDEX macros_shared ON macros (code) WHERE owner_id IS NULL;
CREATE UNIQUE INDEX macros_own ON macros (owner_id, code) WHERE owner_id IS NOT NULL;

-- Whether single keys do something on staff pages (WCAG 2.1.4: they can be switched off).
ALTER TABLE staff ADD COLUMN shortcuts BOOLEAN NOT NULL DEFAULT TRUE;

-- Who may write what is prepared for everybody.
UPDATE roles SET rights = rights || '["macros"]' WHERE code IN ('administrator', 'lead');
