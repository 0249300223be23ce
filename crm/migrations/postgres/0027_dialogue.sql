-- The dialogue: commands, texts and settings by version, conversations and what was said in them. The same version exists for
-- the other engine.

-- Of each code the highest version counts that has begun.
CREATE TABLE dialogue_commands (
    code         TEXT    NOT NULL,
    version      BIGINT  NOT NULL,
    position     BIGINT  NOT NULL,
    enabled      BOOLEAN NOT NULL,
    name         JSONB   NOT NULL,                -- what the button says
    words        JSONB   NOT NULL,                -- what people type for it, parted by commas
    published_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (code, version)
);

CREATE TABLE dialogue_texts (
    code         TEXT    NOT NULL,
    version      BIGINT  NOT NULL,
    body         JSONB   NOT NULL,
    published_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (code, version)
);

CREATE TABLE dialogue_settings (
    code         TEXT    NOT NULL,
    version      BIGINT  NOT NULL,
    value        BIGINT  NOT NULL,
    published_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (code, version)
);

-- A conversation is a customer's, one for each channel, or that of whoever holds a token and is not known yet.
CREATE TABLE conversations (
    id           UUID    NOT NULL PRIMARY KEY,
    channel      TEXT    NOT NULL CHECK (channel IN ('web', 'messenger', 'sms')),
    customer_id  UUID    REFERENCES customers (id),
    token_hash   BYTEA   UNIQUE,
    state        JSONB   NOT NULL,
    revision     BIGINT  NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    updated_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,                -- from then on the state counts no more, nor the token
    UNIQUE (customer_id, channel),
    CHECK ((customer_id IS NULL) <> (token_hash IS NULL))
);
CREATE INDEX conversations_updated ON conversations (updated_at, id);

CREATE TABLE conversation_messages (
    id              UUID NOT NULL PRIMARY KEY,
    conversation_id UUID NOT NULL REFERENCES conversations (id),
    at              TIMESTAMPTZ NOT NULL,
    author          TEXT NOT NULL CHECK (author IN ('person', 'shop')),
    body            TEXT NOT NULL,
    link            JSONB                         -- where the message leads: words and path
);
CREATE INDEX conversation_messages_of ON conversation_messages (conversation_id, at, id);
CREATE INDEX conversation_messages_age ON conversation_messages (at, id);
