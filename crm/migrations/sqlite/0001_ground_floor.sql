-- The ground floor: everything that Kabinet knows. The same version exists for the other engine;
-- a test compares the two folders column by column.
--
-- Conventions: ids are UUIDv7; money and points are integers in minor units; times are UTC, microseconds;
-- texts in several languages are JSON objects {"ru": "...", "en": "..."}.

-- What the shop is made of ------------------------------------------------------------------------------------

CREATE TABLE stores (
    id         BLOB NOT NULL PRIMARY KEY,
    code       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    town       TEXT NOT NULL,
    address    TEXT NOT NULL,
    latitude   INTEGER,                       -- microdegrees
    longitude  INTEGER,
    hours      TEXT NOT NULL,                 -- seven entries from Monday: [open, close] in minutes of the day, or null
    phone      TEXT,
    closed_at  TEXT
) STRICT;

CREATE TABLE categories (
    id        BLOB NOT NULL PRIMARY KEY,
    code      TEXT NOT NULL UNIQUE,
    name      TEXT NOT NULL,
    position  INTEGER NOT NULL
) STRICT;

CREATE TABLE articles (
    id           BLOB NOT NULL PRIMARY KEY,
    code         TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    search       TEXT NOT NULL,               -- the name, folded for search
    category_id  BLOB REFERENCES categories (id)
) STRICT;
CREATE INDEX articles_category ON articles (category_id);

-- Customers -----------------------------------------------------------------------------------------------------

CREATE TABLE customers (
    id                  BLOB NOT NULL PRIMARY KEY,
    name                TEXT NOT NULL,
    surname             TEXT NOT NULL,
    search              TEXT NOT NULL,        -- surname and name, folded for search
    birthday            TEXT,
    language            TEXT NOT NULL,
    favourite_store_id  BLOB REFERENCES stores (id),
    password_hash       TEXT,
    source              TEXT NOT NULL,        -- web, staff, till, or the name of an import
    external_id         TEXT,                 -- the customer's number in that source
    registered_at       TEXT NOT NULL,
    updated_at          TEXT NOT NULL,
    UNIQUE (source, external_id)
) STRICT;
CREATE INDEX customers_search ON customers (search, id);
CREATE INDEX customers_registered ON customers (registered_at, id);

CREATE TABLE contacts (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    kind         TEXT NOT NULL CHECK (kind IN ('phone', 'email')),
    value        TEXT NOT NULL,               -- E.164, or an address in lower case
    is_primary   INTEGER NOT NULL,
    verified_at  TEXT,
    created_at   TEXT NOT NULL,
    UNIQUE (customer_id, kind, value)
) STRICT;
CREATE UNIQUE INDEX contacts_verified ON contacts (kind, value) WHERE verified_at IS NOT NULL;
CREATE UNIQUE INDEX contacts_primary ON contacts (customer_id, kind) WHERE is_primary = 1;
CREATE INDEX contacts_value ON contacts (value);

CREATE TABLE customer_categories (
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    category_id  BLOB NOT NULL REFERENCES categories (id),
    PRIMARY KEY (customer_id, category_id)
) STRICT;

CREATE TABLE customer_channels (
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    channel      TEXT NOT NULL CHECK (channel IN ('sms', 'email', 'phone')),
    PRIMARY KEY (customer_id, channel)
) STRICT;

-- Consents: a purpose has texts by version; what a customer did is a row that never changes -----------------------

CREATE TABLE consent_purposes (
    id        BLOB NOT NULL PRIMARY KEY,
    code      TEXT NOT NULL UNIQUE,
    required  INTEGER NOT NULL,                  -- without it there is no membership
    asked_at  TEXT NOT NULL CHECK (asked_at IN ('registration', 'child')),
    position  INTEGER NOT NULL
) STRICT;

CREATE TABLE consent_texts (
    id            BLOB NOT NULL PRIMARY KEY,
    purpose_id    BLOB NOT NULL REFERENCES consent_purposes (id),
    version       INTEGER NOT NULL,
    title         TEXT NOT NULL,
    body          TEXT NOT NULL,
    published_at  TEXT NOT NULL,
    UNIQUE (purpose_id, version)
) STRICT;

CREATE TABLE consents (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    text_id      BLOB NOT NULL REFERENCES consent_texts (id),
    act          TEXT NOT NULL CHECK (act IN ('given', 'withdrawn')),
    language     TEXT NOT NULL,
    source       TEXT NOT NULL,
    at           TEXT NOT NULL
) STRICT;
CREATE INDEX consents_customer ON consents (customer_id, at);

CREATE TABLE children (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    birthday     TEXT NOT NULL,
    consent_id   BLOB NOT NULL REFERENCES consents (id),
    created_at   TEXT NOT NULL
) STRICT;
CREATE INDEX children_customer ON children (customer_id);

-- Cards --------------------------------------------------------------------------------------------------------

CREATE TABLE cards (
    id           BLOB NOT NULL PRIMARY KEY,
    number       TEXT NOT NULL UNIQUE,        -- EAN-13 with its check digit
    kind         TEXT NOT NULL CHECK (kind IN ('virtual', 'plastic')),
    state        TEXT NOT NULL CHECK (state IN ('active', 'blocked')),
    customer_id  BLOB REFERENCES customers (id),    -- none: handed out, not yet bound
    issued_at    TEXT NOT NULL,
    bound_at     TEXT
) STRICT;
CREATE INDEX cards_customer ON cards (customer_id);

-- Programs -----------------------------------------------------------------------------------------------------

CREATE TABLE programs (
    id         BLOB NOT NULL PRIMARY KEY,
    code       TEXT NOT NULL UNIQUE,
    position   INTEGER NOT NULL,
    automatic  INTEGER NOT NULL,                 -- everybody who registers is a member
    closed_at  TEXT
) STRICT;

CREATE TABLE program_versions (
    program_id    BLOB NOT NULL REFERENCES programs (id),
    version       INTEGER NOT NULL,
    name          TEXT NOT NULL,
    summary       TEXT NOT NULL,
    terms         TEXT NOT NULL,
    share         INTEGER NOT NULL,               -- of the paid price, in hundredths of a percent
    delay_days    INTEGER NOT NULL,               -- until points can be spent
    term_days     INTEGER NOT NULL,               -- from then on, until they expire
    published_at  TEXT NOT NULL,
    PRIMARY KEY (program_id, version)
) STRICT;

CREATE TABLE memberships (
    id             BLOB NOT NULL PRIMARY KEY,
    program_id     BLOB NOT NULL REFERENCES programs (id),
    customer_id    BLOB NOT NULL REFERENCES customers (id),
    terms_version  INTEGER NOT NULL,
    joined_at      TEXT NOT NULL,
    left_at        TEXT
) STRICT;
CREATE UNIQUE INDEX memberships_current ON memberships (customer_id, program_id) WHERE left_at IS NULL;
CREATE INDEX memberships_program ON memberships (program_id);

-- Purchases ----------------------------------------------------------------------------------------------------

CREATE TABLE purchases (
    id           BLOB NOT NULL PRIMARY KEY,
    source       TEXT NOT NULL,
    document     TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('sale', 'return')),
    customer_id  BLOB REFERENCES customers (id),
    store_id     BLOB REFERENCES stores (id),
    at           TEXT NOT NULL,
    line_count   INTEGER NOT NULL,
    total        INTEGER NOT NULL,                -- negative for a return
    UNIQUE (source, document)
) STRICT;
CREATE INDEX purchases_customer ON purchases (customer_id, at, id);
CREATE INDEX purchases_at ON purchases (at, id);

CREATE TABLE purchase_lines (
    id                BLOB NOT NULL PRIMARY KEY,
    purchase_id       BLOB NOT NULL REFERENCES purchases (id),
    ordinal           INTEGER NOT NULL,           -- of the line in its document, from 1, in the source's order
    article_id        BLOB NOT NULL REFERENCES articles (id),
    quantity          INTEGER NOT NULL,           -- negative on a return
    price             INTEGER NOT NULL,
    discount          INTEGER NOT NULL DEFAULT 0,
    amount            INTEGER NOT NULL,           -- what was paid: quantity × price − discount
    returned          INTEGER NOT NULL DEFAULT 0, -- how many of them came back
    original_line_id  BLOB REFERENCES purchase_lines (id),
    UNIQUE (purchase_id, ordinal)
) STRICT;
CREATE INDEX purchase_lines_article ON purchase_lines (article_id);
CREATE INDEX purchase_lines_original ON purchase_lines (original_line_id);

-- Where an import puts the lines of a file until they are booked receipt by receipt.
CREATE TABLE import_lines (
    source    TEXT NOT NULL,
    line      INTEGER NOT NULL,                   -- of the file, from 1
    document  TEXT NOT NULL,
    at        TEXT NOT NULL,
    customer  TEXT NOT NULL,                  -- empty: unknown
    store     TEXT NOT NULL,
    article   TEXT NOT NULL,
    name      TEXT NOT NULL,
    quantity  INTEGER NOT NULL,
    price     INTEGER NOT NULL,
    discount  INTEGER NOT NULL,
    original  TEXT NOT NULL,                  -- the document that a return names, where the format has one
    PRIMARY KEY (source, line)
) STRICT;
CREATE INDEX import_lines_document ON import_lines (source, document, line);
CREATE INDEX import_lines_order ON import_lines (source, at, document, line);

-- Points: an append-only double-entry ledger -----------------------------------------------------------------------

CREATE TABLE accounts (
    id           BLOB NOT NULL PRIMARY KEY,
    program_id   BLOB NOT NULL REFERENCES programs (id),
    customer_id  BLOB REFERENCES customers (id),
    kind         TEXT NOT NULL CHECK (kind IN ('pending', 'active', 'issued', 'expired', 'spent', 'adjustment')),
    balance      INTEGER NOT NULL DEFAULT 0       -- a projection of the postings
) STRICT;
CREATE UNIQUE INDEX accounts_customer ON accounts (customer_id, program_id, kind) WHERE customer_id IS NOT NULL;
CREATE UNIQUE INDEX accounts_program ON accounts (program_id, kind) WHERE customer_id IS NULL;

CREATE TABLE transactions (
    id           BLOB NOT NULL PRIMARY KEY,
    program_id   BLOB NOT NULL REFERENCES programs (id),
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    kind         TEXT NOT NULL CHECK (kind IN ('accrual', 'activation', 'expiry', 'return', 'redemption', 'adjustment')),
    purchase_id  BLOB REFERENCES purchases (id),
    at           TEXT NOT NULL,               -- when it took effect
    recorded_at  TEXT NOT NULL
) STRICT;
CREATE INDEX transactions_customer ON transactions (customer_id, at, id);
CREATE INDEX transactions_purchase ON transactions (purchase_id);

CREATE TABLE postings (
    id              BLOB NOT NULL PRIMARY KEY,
    transaction_id  BLOB NOT NULL REFERENCES transactions (id),
    account_id      BLOB NOT NULL REFERENCES accounts (id),
    amount          INTEGER NOT NULL CHECK (amount <> 0)
) STRICT;
CREATE INDEX postings_transaction ON postings (transaction_id);
CREATE INDEX postings_account ON postings (account_id);

CREATE TABLE lots (
    id              BLOB NOT NULL PRIMARY KEY,
    transaction_id  BLOB NOT NULL REFERENCES transactions (id),   -- the accrual that made it
    program_id      BLOB NOT NULL REFERENCES programs (id),
    customer_id     BLOB NOT NULL REFERENCES customers (id),
    points          INTEGER NOT NULL CHECK (points > 0),
    remaining       INTEGER NOT NULL CHECK (remaining >= 0 AND remaining <= points),   -- a projection of the allocations
    state           TEXT NOT NULL CHECK (state IN ('pending', 'active', 'expired')),
    activates_at    TEXT NOT NULL,
    expires_at      TEXT NOT NULL
) STRICT;
CREATE INDEX lots_customer ON lots (customer_id, program_id, expires_at);
CREATE INDEX lots_pending ON lots (activates_at) WHERE state = 'pending';
CREATE INDEX lots_active ON lots (expires_at) WHERE state = 'active';
CREATE INDEX lots_transaction ON lots (transaction_id);

CREATE TABLE allocations (
    id              BLOB NOT NULL PRIMARY KEY,
    lot_id          BLOB NOT NULL REFERENCES lots (id),
    transaction_id  BLOB NOT NULL REFERENCES transactions (id),
    points          INTEGER NOT NULL CHECK (points > 0)
) STRICT;
CREATE INDEX allocations_lot ON allocations (lot_id);
CREATE INDEX allocations_transaction ON allocations (transaction_id);

-- What each receipt line earned, under which version of the program, in which lot.
CREATE TABLE accruals (
    line_id          BLOB NOT NULL REFERENCES purchase_lines (id),
    program_id       BLOB NOT NULL REFERENCES programs (id),
    program_version  INTEGER NOT NULL,
    lot_id           BLOB NOT NULL REFERENCES lots (id),
    points           INTEGER NOT NULL CHECK (points > 0),
    taken_back       INTEGER NOT NULL DEFAULT 0 CHECK (taken_back >= 0 AND taken_back <= points),
    PRIMARY KEY (line_id, program_id)
) STRICT;
CREATE INDEX accruals_lot ON accruals (lot_id);

-- Promotions ---------------------------------------------------------------------------------------------------

CREATE TABLE promotions (
    id          BLOB NOT NULL PRIMARY KEY,
    code        TEXT NOT NULL UNIQUE,
    version     INTEGER NOT NULL,
    title       TEXT NOT NULL,
    conditions  TEXT NOT NULL,
    starts_at   TEXT NOT NULL,
    ends_at     TEXT NOT NULL
) STRICT;
CREATE INDEX promotions_period ON promotions (ends_at, starts_at);

-- Where it holds; no row: in every store.
CREATE TABLE promotion_stores (
    promotion_id  BLOB NOT NULL REFERENCES promotions (id),
    store_id      BLOB NOT NULL REFERENCES stores (id),
    PRIMARY KEY (promotion_id, store_id)
) STRICT;

-- Staff and requests -------------------------------------------------------------------------------------------

CREATE TABLE staff (
    id             BLOB NOT NULL PRIMARY KEY,
    login          TEXT NOT NULL UNIQUE,
    name           TEXT NOT NULL,
    role           TEXT NOT NULL CHECK (role IN ('agent', 'administrator')),
    language       TEXT NOT NULL,
    password_hash  TEXT NOT NULL,
    created_at     TEXT NOT NULL,
    disabled_at    TEXT
) STRICT;

CREATE TABLE topics (
    id         BLOB NOT NULL PRIMARY KEY,
    code       TEXT NOT NULL UNIQUE,
    version    INTEGER NOT NULL,
    name       TEXT NOT NULL,
    position   INTEGER NOT NULL,
    closed_at  TEXT
) STRICT;

CREATE TABLE requests (
    id                BLOB NOT NULL PRIMARY KEY,
    number            INTEGER NOT NULL UNIQUE,    -- what people say on the phone
    customer_id       BLOB NOT NULL REFERENCES customers (id),
    topic_id          BLOB NOT NULL REFERENCES topics (id),
    purchase_id       BLOB REFERENCES purchases (id),
    status            TEXT NOT NULL CHECK (status IN ('new', 'open', 'waiting', 'closed')),
    assignee_id       BLOB REFERENCES staff (id),
    language          TEXT NOT NULL,
    created_at        TEXT NOT NULL,
    updated_at        TEXT NOT NULL,          -- the last message or change
    waiting_since     TEXT,                   -- the first word of the customer that staff owes an answer; none while waiting or closed
    answered_at       TEXT,                   -- the first answer of staff
    closed_at         TEXT,
    customer_seen_at  TEXT NOT NULL           -- messages of staff after it are unread
) STRICT;
CREATE INDEX requests_customer ON requests (customer_id, updated_at, id);
CREATE INDEX requests_status ON requests (status, updated_at, id);
CREATE INDEX requests_assignee ON requests (assignee_id, status);

CREATE TABLE messages (
    id          BLOB NOT NULL PRIMARY KEY,
    request_id  BLOB NOT NULL REFERENCES requests (id),
    author      TEXT NOT NULL CHECK (author IN ('customer', 'staff')),
    staff_id    BLOB REFERENCES staff (id),
    internal    INTEGER NOT NULL,                -- a note between staff
    body        TEXT NOT NULL,
    search      TEXT NOT NULL,               -- the body, folded for search
    at          TEXT NOT NULL
) STRICT;
CREATE INDEX messages_request ON messages (request_id, at, id);

-- Signing in ---------------------------------------------------------------------------------------------------

-- One attempt to come in by phone: bound to a browser by its token, kept until it ends in a session.
CREATE TABLE attempts (
    id           BLOB NOT NULL PRIMARY KEY,
    token_hash   BLOB NOT NULL UNIQUE,
    phone        TEXT NOT NULL,
    network      TEXT NOT NULL,
    language     TEXT NOT NULL,
    verified_at  TEXT,
    draft        TEXT,                        -- what the person typed on the way to a card
    created_at   TEXT NOT NULL,
    expires_at   TEXT NOT NULL,
    finished_at  TEXT
) STRICT;

CREATE TABLE codes (
    id          BLOB NOT NULL PRIMARY KEY,
    attempt_id  BLOB NOT NULL REFERENCES attempts (id),
    address     TEXT NOT NULL,
    network     TEXT NOT NULL,
    code_hash   BLOB NOT NULL,                -- keyed: six digits alone are no secret
    tries       INTEGER NOT NULL,
    created_at  TEXT NOT NULL,
    expires_at  TEXT NOT NULL,
    used_at     TEXT
) STRICT;
CREATE INDEX codes_attempt ON codes (attempt_id);
CREATE INDEX codes_address ON codes (address, created_at);
CREATE INDEX codes_network ON codes (network, created_at);

-- Passwords that did not fit, for throttling.
CREATE TABLE failures (
    id       BLOB NOT NULL PRIMARY KEY,
    subject  TEXT NOT NULL,                   -- whose sign-in, as typed and folded
    network  TEXT NOT NULL,
    at       TEXT NOT NULL
) STRICT;
CREATE INDEX failures_subject ON failures (subject, at);
CREATE INDEX failures_network ON failures (network, at);

CREATE TABLE sessions (
    id            BLOB NOT NULL PRIMARY KEY,
    token_hash    BLOB NOT NULL UNIQUE,
    customer_id   BLOB REFERENCES customers (id),
    staff_id      BLOB REFERENCES staff (id),
    device        TEXT NOT NULL,              -- the browser's own words, shortened
    network       TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    seen_at       TEXT NOT NULL,
    expires_at    TEXT NOT NULL,
    ended_at      TEXT,
    CHECK ((customer_id IS NULL) <> (staff_id IS NULL))
) STRICT;
CREATE INDEX sessions_customer ON sessions (customer_id);
CREATE INDEX sessions_staff ON sessions (staff_id);

-- Messages to people ---------------------------------------------------------------------------------------------

CREATE TABLE templates (
    code          TEXT NOT NULL,
    version       INTEGER NOT NULL,
    subject       TEXT NOT NULL,
    body          TEXT NOT NULL,
    published_at  TEXT NOT NULL,
    PRIMARY KEY (code, version)
) STRICT;

CREATE TABLE outbox (
    id           BLOB NOT NULL PRIMARY KEY,
    channel      TEXT NOT NULL CHECK (channel IN ('sms', 'email')),
    address      TEXT NOT NULL,
    customer_id  BLOB REFERENCES customers (id),
    template     TEXT NOT NULL,
    language     TEXT NOT NULL,
    subject      TEXT NOT NULL,
    body         TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'failed')),
    created_at   TEXT NOT NULL,
    sent_at      TEXT
) STRICT;
CREATE INDEX outbox_queue ON outbox (created_at) WHERE state = 'queued';

-- Housekeeping -----------------------------------------------------------------------------------------------------

-- A change that came twice is done once: the key is stored in the change's own transaction.
CREATE TABLE idempotency_keys (
    scope        TEXT NOT NULL,
    key          TEXT NOT NULL,
    fingerprint  BLOB NOT NULL,
    answer       TEXT,
    created_at   TEXT NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE sequences (
    name   TEXT NOT NULL PRIMARY KEY,
    value  INTEGER NOT NULL
) STRICT;

-- Facts about this database: how the content was filled, whether it is a demonstration.
CREATE TABLE settings (
    key    TEXT NOT NULL PRIMARY KEY,
    value  TEXT NOT NULL
) STRICT;

CREATE TABLE audit (
    id           BLOB NOT NULL PRIMARY KEY,
    at           TEXT NOT NULL,
    actor        TEXT NOT NULL CHECK (actor IN ('customer', 'staff', 'system', 'anonymous')),
    actor_id     BLOB,
    action       TEXT NOT NULL,
    customer_id  BLOB REFERENCES customers (id),
    object_id    BLOB,
    reason       TEXT NOT NULL,
    network      TEXT NOT NULL
) STRICT;
CREATE INDEX audit_customer ON audit (customer_id, at);
CREATE INDEX audit_actor ON audit (actor_id, at);
CREATE INDEX audit_at ON audit (at, id);

-- What is written here stays as it was written: the database itself refuses.

CREATE TRIGGER transactions_no_update BEFORE UPDATE ON transactions BEGIN SELECT RAISE(ABORT, 'transactions is append-only'); END;
CREATE TRIGGER transactions_no_delete BEFORE DELETE ON transactions BEGIN SELECT RAISE(ABORT, 'transactions is append-only'); END;
CREATE TRIGGER postings_no_update BEFORE UPDATE ON postings BEGIN SELECT RAISE(ABORT, 'postings is append-only'); END;
CREATE TRIGGER postings_no_delete BEFORE DELETE ON postings BEGIN SELECT RAISE(ABORT, 'postings is append-only'); END;
CREATE TRIGGER allocations_no_update BEFORE UPDATE ON allocations BEGIN SELECT RAISE(ABORT, 'allocations is append-only'); END;
CREATE TRIGGER allocations_no_delete BEFORE DELETE ON allocations BEGIN SELECT RAISE(ABORT, 'allocations is append-only'); END;
CREATE TRIGGER consents_no_update BEFORE UPDATE ON consents BEGIN SELECT RAISE(ABORT, 'consents is append-only'); END;
CREATE TRIGGER consents_no_delete BEFORE DELETE ON consents BEGIN SELECT RAISE(ABORT, 'consents is append-only'); END;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
