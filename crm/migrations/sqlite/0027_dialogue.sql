-- The dialogue: commands, texts and settings by version, conversations and what was said in them. The same version exists for
-- the other engine.

-- Of each code the highest version counts that has begun.
CREATE TABLE dialogue_commands (
    code         TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    position     INTEGER NOT NULL,
    enabled      INTEGER NOT NULL,
    name         TEXT    NOT NULL,                -- what the button says
    words        TEXT    NOT NULL,                -- what people type for it, parted by commas
    published_at TEXT    NOT NULL,
    PRIMARY KEY (code, version)
) STRICT;

CREATE TABLE dialogue_texts (
    code         TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    body         TEXT    NOT NULL,
    published_at TEXT    NOT NULL,
    PRIMARY KEY (code, version)
) STRICT;

CREATE TABLE dialogue_settings (
    code         TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    value        INTEGER NOT NULL,
    published_at TEXT    NOT NULL,
    PRIMARY KEY (code, version)
) STRICT;

-- A conversation is a customer's, one for each channel, or that of whoever holds a token and is not known yet.
CREATE TABLE conversations (
    id           BLOB    NOT NULL PRIMARY KEY,
    channel      TEXT    NOT NULL CHECK (channel IN ('web', 'messenger', 'sms')),
    customer_id  BLOB    REFERENCES customers (id),
    token_hash   BLOB    UNIQUE,
    state        TEXT    NOT NULL,
    revision     INTEGER NOT NULL,
    created_at   TEXT    NOT NULL,
    updated_at   TEXT    NOT NULL,
    expires_at   TEXT    NOT NULL,                -- from then on the state counts no more, nor the token
    UNIQUE (customer_id, channel),
    CHECK ((customer_id IS NULL) <> (token_hash IS NULL))
) STRICT;
CREATE INDEX conversations_updated ON conversations (updated_at, id);

CREATE TABLE conversation_messages (
    id              BLOB NOT NULL PRIMARY KEY,
    conversation_id BLOB NOT NULL REFERENCES conversations (id),
    at              TEXT NOT NULL,
    author          TEXT NOT NULL CHECK (author IN ('person', 'shop')),
    body            TEXT NOT NULL,
    link            TEXT                          -- where the message leads: words and path
) STRICT;
CREATE INDEX conversation_messages_of ON conversation_messages (conversation_id, at, id);
CREATE INDEX conversation_messages_age ON conversation_messages (at, id);
