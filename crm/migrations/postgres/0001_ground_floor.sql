-- The ground floor: everything that Kabinet knows. The same version exists for the other engine;
-- a test compares the two folders column by column.
--
-- Conventions: ids are UUIDv7; money and points are integers in minor units; times are UTC, microseconds;
-- texts in several languages are JSON objects {"ru": "...", "en": "..."}.

-- What the shop is made of ------------------------------------------------------------------------------------

CREATE TABLE stores (
    id         UUID NOT NULL PRIMARY KEY,
    code       TEXT NOT NULL UNIQUE,
    name       JSONB NOT NULL,
    town       JSONB NOT NULL,
    address    JSONB NOT NULL,
    latitude   BIGINT,                       -- microdegrees
    longitude  BIGINT,
    hours      JSONB NOT NULL,                 -- seven entries from Monday: [open, close] in minutes of the day, or null
    phone      TEXT,
    closed_at  TIMESTAMPTZ
);

CREATE TABLE categories (
    id        UUID NOT NULL PRIMARY KEY,
    code      TEXT NOT NULL UNIQUE,
    name      JSONB NOT NULL,
    position  BIGINT NOT NULL
);

CREATE TABLE articles (
    id           UUID NOT NULL PRIMARY KEY,
    code         TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    search       TEXT NOT NULL,               -- the name, folded for search
    category_id  UUID REFERENCES categories (id)
);
CREATE INDEX articles_category ON articles (category_id);

-- Customers -----------------------------------------------------------------------------------------------------

CREATE TABLE customers (
    id                  UUID NOT NULL PRIMARY KEY,
    name                TEXT NOT NULL,
    surname             TEXT NOT NULL,
    search              TEXT COLLATE "C" NOT NULL,      -- surname and name, folded for search
    birthday            DATE,
    language            TEXT NOT NULL,
    favourite_store_id  UUID REFERENCES stores (id),
    password_hash       TEXT,
    source              TEXT NOT NULL,        -- web, staff, till, or the name of an import
    external_id         TEXT,                 -- the customer's number in that source
    registered_at       TIMESTAMPTZ NOT NULL,
    updated_at          TIMESTAMPTZ NOT NULL,
    UNIQUE (source, external_id)
);
CREATE INDEX customers_search ON customers (search, id);
CREATE INDEX customers_registered ON customers (registered_at, id);

CREATE TABLE contacts (
    id           UUID NOT NULL PRIMARY KEY,
    customer_id  UUID NOT NULL REFERENCES customers (id),
    kind         TEXT NOT NULL CHECK (kind IN ('phone', 'email')),
    value        TEXT COLLATE "C" NOT NULL,               -- E.164, or an address in lower case
    is_primary   BOOLEAN NOT NULL,
    verified_at  TIMESTAMPTZ,
    created_at   TIMESTAMPTZ NOT NULL,
    UNIQUE (customer_id, kind, value)
);
CREATE UNIQUE INDEX contacts_verified ON contacts (kind, value) WHERE verified_at IS NOT NULL;
CREATE UNIQUE INDEX contacts_primary ON contacts (customer_id, kind) WHERE is_primary;
CREATE INDEX contacts_value ON contacts (value);

CREATE TABLE customer_categories (
    customer_id  UUID NOT NULL REFERENCES customers (id),
    category_id  UUID NOT NULL REFERENCES categories (id),
    PRIMARY KEY (customer_id, category_id)
);

CREATE TABLE customer_channels (
    customer_id  UUID NOT NULL REFERENCES customers (id),
    channel      TEXT NOT NULL CHECK (channel IN ('sms', 'email', 'phone')),
    PRIMARY KEY (customer_id, channel)
);

-- Consents: a purpose has texts by version; what a customer did is a row that never changes -----------------------

CREATE TABLE consent_purposes (
    id        UUID NOT NULL PRIMARY KEY,
    code      TEXT NOT NULL UNIQUE,
    required  BOOLEAN NOT NULL,                  -- without it there is no membership
    asked_at  TEXT NOT NULL CHECK (asked_at IN ('registration', 'child')),
    position  BIGINT NOT NULL
);

CREATE TABLE consent_texts (
    id            UUID NOT NULL PRIMARY KEY,
    purpose_id    UUID NOT NULL REFERENCES consent_purposes (id),
    version       BIGINT NOT NULL,
    title         JSONB NOT NULL,
    body          JSONB NOT NULL,
    published_at  TIMESTAMPTZ NOT NULL,
    UNIQUE (purpose_id, version)
);

CREATE TABLE consents (
    id           UUID NOT NULL PRIMARY KEY,
    customer_id  UUID NOT NULL REFERENCES customers (id),
    text_id      UUID NOT NULL REFERENCES consent_texts (id),
    act          TEXT NOT NULL CHECK (act IN ('given', 'withdrawn')),
    language     TEXT NOT NULL,
    source       TEXT NOT NULL,
    at           TIMESTAMPTZ NOT NULL
);
CREATE INDEX consents_customer ON consents (customer_id, at);

CREATE TABLE children (
    id           UUID NOT NULL PRIMARY KEY,
    customer_id  UUID NOT NULL REFERENCES customers (id),
    birthday     DATE NOT NULL,
    consent_id   UUID NOT NULL REFERENCES consents (id),
    created_at   TIMESTAMPTZ NOT NULL
);
CREATE INDEX children_customer ON children (customer_id);

-- Cards --------------------------------------------------------------------------------------------------------

CREATE TABLE cards (
    id           UUID NOT NULL PRIMARY KEY,
    number       TEXT NOT NULL UNIQUE,        -- EAN-13 with its check digit
    kind         TEXT NOT NULL CHECK (kind IN ('virtual', 'plastic')),
    state        TEXT NOT NULL CHECK (state IN ('active', 'blocked')),
    customer_id  UUID REFERENCES customers (id),    -- none: handed out, not yet bound
    issued_at    TIMESTAMPTZ NOT NULL,
    bound_at     TIMESTAMPTZ
);
CREATE INDEX cards_customer ON cards (customer_id);

-- Programs -----------------------------------------------------------------------------------------------------

CREATE TABLE programs (
    id         UUID NOT NULL PRIMARY KEY,
    code       TEXT NOT NULL UNIQUE,
    position   BIGINT NOT NULL,
    automatic  BOOLEAN NOT NULL,                 -- everybody who registers is a member
    closed_at  TIMESTAMPTZ
);

CREATE TABLE program_versions (
    program_id    UUID NOT NULL REFERENCES programs (id),
    version       BIGINT NOT NULL,
    name          JSONB NOT NULL,
    summary       JSONB NOT NULL,
    terms         JSONB NOT NULL,
    share         BIGINT NOT NULL,               -- of the paid price, in hundredths of a percent
    delay_days    BIGINT NOT NULL,               -- until points can be spent
    term_days     BIGINT NOT NULL,               -- from then on, until they expire
    published_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (program_id, version)
);

CREATE TABLE memberships (
    id             UUID NOT NULL PRIMARY KEY,
    program_id     UUID NOT NULL REFERENCES programs (id),
    customer_id    UUID NOT NULL REFERENCES customers (id),
    terms_version  BIGINT NOT NULL,
    joined_at      TIMESTAMPTZ NOT NULL,
    left_at        TIMESTAMPTZ
);
CREATE UNIQUE INDEX memberships_current ON memberships (customer_id, program_id) WHERE left_at IS NULL;
CREATE INDEX memberships_program ON memberships (program_id);

-- Purchases ----------------------------------------------------------------------------------------------------

CREATE TABLE purchases (
    id           UUID NOT NULL PRIMARY KEY,
    source       TEXT NOT NULL,
    document     TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('sale', 'return')),
    customer_id  UUID REFERENCES customers (id),
    store_id     UUID REFERENCES stores (id),
    at           TIMESTAMPTZ NOT NULL,
    line_count   BIGINT NOT NULL,
    total        BIGINT NOT NULL,                -- negative for a return
    UNIQUE (source, document)
);
CREATE INDEX purchases_customer ON purchases (customer_id, at, id);
CREATE INDEX purchases_at ON purchases (at, id);

CREATE TABLE purchase_lines (
    id                UUID NOT NULL PRIMARY KEY,
    purchase_id       UUID NOT NULL REFERENCES purchases (id),
    ordinal           BIGINT NOT NULL,           -- of the line in its document, from 1, in the source's order
    article_id        UUID NOT NULL REFERENCES articles (id),
    quantity          BIGINT NOT NULL,           -- negative on a return
    price             BIGINT NOT NULL,
    discount          BIGINT NOT NULL DEFAULT 0,
    amount            BIGINT NOT NULL,           -- what was paid: quantity × price − discount
    returned          BIGINT NOT NULL DEFAULT 0, -- how many of them came back
    original_line_id  UUID REFERENCES purchase_lines (id),
    UNIQUE (purchase_id, ordinal)
);
CREATE INDEX purchase_lines_article ON purchase_lines (article_id);
CREATE INDEX purchase_lines_original ON purchase_lines (original_line_id);

-- Where an import puts the lines of a file until they are booked receipt by receipt.
CREATE TABLE import_lines (
    source    TEXT NOT NULL,
    line      BIGINT NOT NULL,                   -- of the file, from 1
    document  TEXT NOT NULL,
    at        TIMESTAMPTZ NOT NULL,
    customer  TEXT NOT NULL,                  -- empty: unknown
    store     TEXT NOT NULL,
    article   TEXT NOT NULL,
    name      TEXT NOT NULL,
    quantity  BIGINT NOT NULL,
    price     BIGINT NOT NULL,
    discount  BIGINT NOT NULL,
    original  TEXT NOT NULL,                  -- the document that a return names, where the format has one
    PRIMARY KEY (source, line)
);
CREATE INDEX import_lines_document ON import_lines (source, document, line);
CREATE INDEX import_lines_order ON import_lines (source, at, document, line);

-- Points: an append-only double-entry ledger -----------------------------------------------------------------------

CREATE TABLE accounts (
    id           UUID NOT NULL PRIMARY KEY,
    program_id   UUID NOT NULL REFERENCES programs (id),
    customer_id  UUID REFERENCES customers (id),
    kind         TEXT NOT NULL CHECK (kind IN ('pending', 'active', 'issued', 'expired', 'spent', 'adjustment')),
    balance      BIGINT NOT NULL DEFAULT 0       -- a projection of the postings
);
CREATE UNIQUE INDEX accounts_customer ON accounts (customer_id, program_id, kind) WHERE customer_id IS NOT NULL;
CREATE UNIQUE INDEX accounts_program ON accounts (program_id, kind) WHERE customer_id IS NULL;

CREATE TABLE transactions (
    id           UUID NOT NULL PRIMARY KEY,
    program_id   UUID NOT NULL REFERENCES programs (id),
    customer_id  UUID NOT NULL REFERENCES customers (id),
    kind         TEXT NOT NULL CHECK (kind IN ('accrual', 'activation', 'expiry', 'return', 'redemption', 'adjustment')),
    purchase_id  UUID REFERENCES purchases (id),
    at           TIMESTAMPTZ NOT NULL,               -- when it took effect
    recorded_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX transactions_customer ON transactions (customer_id, at, id);
CREATE INDEX transactions_purchase ON transactions (purchase_id);

CREATE TABLE postings (
    id              UUID NOT NULL PRIMARY KEY,
    transaction_id  UUID NOT NULL REFERENCES transactions (id),
    account_id      UUID NOT NULL REFERENCES accounts (id),
    amount          BIGINT NOT NULL CHECK (amount <> 0)
);
CREATE INDEX postings_transaction ON postings (transaction_id);
CREATE INDEX postings_account ON postings (account_id);

CREATE TABLE lots (
    id              UUID NOT NULL PRIMARY KEY,
    transaction_id  UUID NOT NULL REFERENCES transactions (id),   -- the accrual that made it
    program_id      UUID NOT NULL REFERENCES programs (id),
    customer_id     UUID NOT NULL REFERENCES customers (id),
    points          BIGINT NOT NULL CHECK (points > 0),
    remaining       BIGINT NOT NULL CHECK (remaining >= 0 AND remaining <= points),   -- a projection of the allocations
    state           TEXT NOT NULL CHECK (state IN ('pending', 'active', 'expired')),
    activates_at    TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL
);
CREATE INDEX lots_customer ON lots (customer_id, program_id, expires_at);
CREATE INDEX lots_pending ON lots (activates_at) WHERE state = 'pending';
CREATE INDEX lots_active ON lots (expires_at) WHERE state = 'active';
CREATE INDEX lots_transaction ON lots (transaction_id);

CREATE TABLE allocations (
    id              UUID NOT NULL PRIMARY KEY,
    lot_id          UUID NOT NULL REFERENCES lots (id),
    transaction_id  UUID NOT NULL REFERENCES transactions (id),
    points          BIGINT NOT NULL CHECK (points > 0)
);
CREATE INDEX allocations_lot ON allocations (lot_id);
CREATE INDEX allocations_transaction ON allocations (transaction_id);

-- What each receipt line earned, under which version of the program, in which lot.
CREATE TABLE accruals (
    line_id          UUID NOT NULL REFERENCES purchase_lines (id),
    program_id       UUID NOT NULL REFERENCES programs (id),
    program_version  BIGINT NOT NULL,
    lot_id           UUID NOT NULL REFERENCES lots (id),
    points           BIGINT NOT NULL CHECK (points > 0),
    taken_back       BIGINT NOT NULL DEFAULT 0 CHECK (taken_back >= 0 AND taken_back <= points),
    PRIMARY KEY (line_id, program_id)
);
CREATE INDEX accruals_lot ON accruals (lot_id);

-- Promotions ---------------------------------------------------------------------------------------------------

CREATE TABLE promotions (
    id          UUID NOT NULL PRIMARY KEY,
    code        TEXT NOT NULL UNIQUE,
    version     BIGINT NOT NULL,
    title       JSONB NOT NULL,
    conditions  JSONB NOT NULL,
    starts_at   TIMESTAMPTZ NOT NULL,
    ends_at     TIMESTAMPTZ NOT NULL
);
CREATE INDEX promotions_period ON promotions (ends_at, starts_at);

-- Where it holds; no row: in every store.
CREATE TABLE promotion_stores (
    promotion_id  UUID NOT NULL REFERENCES promotions (id),
    store_id      UUID NOT NULL REFERENCES stores (id),
    PRIMARY KEY (promotion_id, store_id)
);

-- Staff and requests -------------------------------------------------------------------------------------------

CREATE TABLE staff (
    id             UUID NOT NULL PRIMARY KEY,
    login          TEXT NOT NULL UNIQUE,
    name           TEXT NOT NULL,
    role           TEXT NOT NULL CHECK (role IN ('agent', 'administrator')),
    language       TEXT NOT NULL,
    password_hash  TEXT NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    disabled_at    TIMESTAMPTZ
);

CREATE TABLE topics (
    id         UUID NOT NULL PRIMARY KEY,
    code       TEXT NOT NULL UNIQUE,
    version    BIGINT NOT NULL,
    name       JSONB NOT NULL,
    position   BIGINT NOT NULL,
    closed_at  TIMESTAMPTZ
);

CREATE TABLE requests (
    id                UUID NOT NULL PRIMARY KEY,
    number            BIGINT NOT NULL UNIQUE,    -- what people say on the phone
    customer_id       UUID NOT NULL REFERENCES customers (id),
    topic_id          UUID NOT NULL REFERENCES topics (id),
    purchase_id       UUID REFERENCES purchases (id),
    status            TEXT NOT NULL CHECK (status IN ('new', 'open', 'waiting', 'closed')),
    assignee_id       UUID REFERENCES staff (id),
    language          TEXT NOT NULL,
    created_at        TIMESTAMPTZ NOT NULL,
    updated_at        TIMESTAMPTZ NOT NULL,          -- the last message or change
    waiting_since     TIMESTAMPTZ,                   -- the first word of the customer that staff owes an answer; none while waiting or closed
    answered_at       TIMESTAMPTZ,                   -- the first answer of staff
    closed_at         TIMESTAMPTZ,
    customer_seen_at  TIMESTAMPTZ NOT NULL           -- messages of staff after it are unread
);
CREATE INDEX requests_customer ON requests (customer_id, updated_at, id);
CREATE INDEX requests_status ON requests (status, updated_at, id);
CREATE INDEX requests_assignee ON requests (assignee_id, status);

CREATE TABLE messages (
    id          UUID NOT NULL PRIMARY KEY,
    request_id  UUID NOT NULL REFERENCES requests (id),
    author      TEXT NOT NULL CHECK (author IN ('customer', 'staff')),
    staff_id    UUID REFERENCES staff (id),
    internal    BOOLEAN NOT NULL,                -- a note between staff
    body        TEXT NOT NULL,
    search      TEXT NOT NULL,               -- the body, folded for search
    at          TIMESTAMPTZ NOT NULL
);
CREATE INDEX messages_request ON messages (request_id, at, id);

-- Signing in ---------------------------------------------------------------------------------------------------

-- One attempt to come in by phone: bound to a browser by its token, kept until it ends in a session.
CREATE TABLE attempts (
    id           UUID NOT NULL PRIMARY KEY,
    token_hash   BYTEA NOT NULL UNIQUE,
    phone        TEXT NOT NULL,
    network      TEXT NOT NULL,
    language     TEXT NOT NULL,
    verified_at  TIMESTAMPTZ,
    draft        JSONB,                        -- what the person typed on the way to a card
    created_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,
    finished_at  TIMESTAMPTZ
);

CREATE TABLE codes (
    id          UUID NOT NULL PRIMARY KEY,
    attempt_id  UUID NOT NULL REFERENCES attempts (id),
    address     TEXT NOT NULL,
    network     TEXT NOT NULL,
    code_hash   BYTEA NOT NULL,                -- keyed: six digits alone are no secret
    tries       BIGINT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ NOT NULL,
    used_at     TIMESTAMPTZ
);
CREATE INDEX codes_attempt ON codes (attempt_id);
CREATE INDEX codes_address ON codes (address, created_at);
CREATE INDEX codes_network ON codes (network, created_at);

-- Passwords that did not fit, for throttling.
CREATE TABLE failures (
    id       UUID NOT NULL PRIMARY KEY,
    subject  TEXT NOT NULL,                   -- whose sign-in, as typed and folded
    network  TEXT NOT NULL,
    at       TIMESTAMPTZ NOT NULL
);
CREATE INDEX failures_subject ON failures (subject, at);
CREATE INDEX failures_network ON failures (network, at);

CREATE TABLE sessions (
    id            UUID NOT NULL PRIMARY KEY,
    token_hash    BYTEA NOT NULL UNIQUE,
    customer_id   UUID REFERENCES customers (id),
    staff_id      UUID REFERENCES staff (id),
    device        TEXT NOT NULL,              -- the browser's own words, shortened
    network       TEXT NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    seen_at       TIMESTAMPTZ NOT NULL,
    expires_at    TIMESTAMPTZ NOT NULL,
    ended_at      TIMESTAMPTZ,
    CHECK ((customer_id IS NULL) <> (staff_id IS NULL))
);
CREATE INDEX sessions_customer ON sessions (customer_id);
CREATE INDEX sessions_staff ON sessions (staff_id);

-- Messages to people ---------------------------------------------------------------------------------------------

CREATE TABLE templates (
    code          TEXT NOT NULL,
    version       BIGINT NOT NULL,
    subject       JSONB NOT NULL,
    body          JSONB NOT NULL,
    published_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (code, version)
);

CREATE TABLE outbox (
    id           UUID NOT NULL PRIMARY KEY,
    channel      TEXT NOT NULL CHECK (channel IN ('sms', 'email')),
    address      TEXT NOT NULL,
    customer_id  UUID REFERENCES customers (id),
    template     TEXT NOT NULL,
    language     TEXT NOT NULL,
    subject      TEXT NOT NULL,
    body         TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'failed')),
    created_at   TIMESTAMPTZ NOT NULL,
    sent_at      TIMESTAMPTZ
);
CREATE INDEX outbox_queue ON outbox (created_at) WHERE state = 'queued';

-- Housekeeping -----------------------------------------------------------------------------------------------------

-- A change that came twice is done once: the key is stored in the change's own transaction.
CREATE TABLE idempotency_keys (
    scope        TEXT NOT NULL,
    key          TEXT NOT NULL,
    fingerprint  BYTEA NOT NULL,
    answer       TEXT,
    created_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE sequences (
    name   TEXT NOT NULL PRIMARY KEY,
    value  BIGINT NOT NULL
);

-- Facts about this database: how the content was filled, whether it is a demonstration.
CREATE TABLE settings (
    key    TEXT NOT NULL PRIMARY KEY,
    value  TEXT NOT NULL
);

CREATE TABLE audit (
    id           UUID NOT NULL PRIMARY KEY,
    at           TIMESTAMPTZ NOT NULL,
    actor        TEXT NOT NULL CHECK (actor IN ('customer', 'staff', 'system', 'anonymous')),
    actor_id     UUID,
    action       TEXT NOT NULL,
    customer_id  UUID REFERENCES customers (id),
    object_id    UUID,
    reason       TEXT NOT NULL,
    network      TEXT NOT NULL
);
CREATE INDEX audit_customer ON audit (customer_id, at);
CREATE INDEX audit_actor ON audit (actor_id, at);
CREATE INDEX audit_at ON audit (at, id);

-- What is written here stays as it was written: the database itself refuses.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;

CREATE TRIGGER transactions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transactions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER postings_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON postings FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER allocations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON allocations FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER consents_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON consents FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
