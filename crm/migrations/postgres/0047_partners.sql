-- Partners whom data of customers may be passed to. The same version exists for the other engine.

CREATE TABLE partners (
    id          UUID        NOT NULL PRIMARY KEY,
    code        TEXT        NOT NULL UNIQUE,
    name        JSONB       NOT NULL,
    is_active   BOOLEAN     NOT NULL,    -- nobody is asked about the others, nor is anything passed to them
    created_at  TIMESTAMPTZ NOT NULL
);

-- Whether data may be passed to a partner is a purpose of its own.
ALTER TABLE consent_purposes ADD COLUMN partner_id UUID REFERENCES partners (id);
CREATE UNIQUE INDEX consent_purposes_partner ON consent_purposes (partner_id) WHERE partner_id IS NOT NULL;
-- What the partner was called when the text was published: receipts stay as they were.
ALTER TABLE consent_texts ADD COLUMN partner JSONB;

-- A right that is new.
UPDATE roles SET rights = rights || '["partners"]' WHERE code IN ('administrator', 'partner_manager');
