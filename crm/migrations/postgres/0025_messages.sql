-- Consents by channel, what a customer wants of promotional messages, what the cabinet tells of. The same version exists for
-- the other engine.

-- What promotional messages that somebody agrees to are about, and what they come by. Consents of another kind have neither.
ALTER TABLE consent_purposes ADD COLUMN aim TEXT CHECK (aim IN ('marketing', 'surveys'));
ALTER TABLE consent_purposes ADD COLUMN channel TEXT CHECK (channel IN ('sms', 'email', 'phone'));
-- Some are offered in the cabinet alone, so that registering stays short.
ALTER TABLE consent_purposes ADD COLUMN at_registration BOOLEAN NOT NULL DEFAULT TRUE;
UPDATE consent_purposes SET aim = 'marketing', channel = 'sms' WHERE code = 'marketing_sms';
UPDATE consent_purposes SET aim = 'marketing', channel = 'email' WHERE code = 'marketing_email';

-- When and how often promotional messages may come, where a customer wants it otherwise than the shop's configuration says.
CREATE TABLE message_wishes (
    customer_id   UUID NOT NULL PRIMARY KEY REFERENCES customers (id),
    quiet_from    BIGINT NOT NULL CHECK (quiet_from BETWEEN 0 AND 23),   -- hours of the shop's clock; the same twice: none is quiet
    quiet_until   BIGINT NOT NULL CHECK (quiet_until BETWEEN 0 AND 23),
    per_week      BIGINT NOT NULL CHECK (per_week >= 0),
    paused_until  DATE,                       -- the first day on which they may come again
    updated_at    TIMESTAMPTZ NOT NULL
);

-- What a promotional message is about; none: a message that the contract or somebody's safety needs.
ALTER TABLE outbox ADD COLUMN aim TEXT CHECK (aim IN ('marketing', 'surveys'));

-- What happened to a customer, as the cabinet tells it. Of one thing that is told under one key once.
CREATE TABLE notifications (
    id           UUID NOT NULL PRIMARY KEY,
    customer_id  UUID NOT NULL REFERENCES customers (id),
    kind         TEXT NOT NULL CHECK (kind IN ('answer', 'expiry', 'received', 'security')),
    about        TEXT NOT NULL,               -- the number of a request, the name of who gave points, the code of a template
    points       BIGINT,
    day          DATE,                        -- on which points expire
    key          TEXT NOT NULL,
    at           TIMESTAMPTZ NOT NULL,
    read_at      TIMESTAMPTZ,
    UNIQUE (customer_id, key)
);
CREATE INDEX notifications_customer ON notifications (customer_id, at, id);
CREATE INDEX notifications_unread ON notifications (customer_id) WHERE read_at IS NULL;
CREATE INDEX notifications_age ON notifications (at, id);
