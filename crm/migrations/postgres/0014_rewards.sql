-- Rewards on other occasions than a purchase, and who invited whom. The same version exists for the other engine.

-- Month and day of a birthday as one number (229: 29 February), so that an index finds those of a day.
ALTER TABLE customers ADD COLUMN birth_md BIGINT GENERATED ALWAYS AS
    (CAST(EXTRACT(MONTH FROM birthday) * 100 + EXTRACT(DAY FROM birthday) AS BIGINT)) STORED;
CREATE INDEX customers_birth_md ON customers (birth_md, id);
ALTER TABLE children ADD COLUMN birth_md BIGINT GENERATED ALWAYS AS
    (CAST(EXTRACT(MONTH FROM birthday) * 100 + EXTRACT(DAY FROM birthday) AS BIGINT)) STORED;
CREATE INDEX children_birth_md ON children (birth_md, customer_id);

-- What a rule gave to a customer on an occasion: once for each period.
CREATE TABLE rewards (
    id           UUID NOT NULL PRIMARY KEY,
    customer_id  UUID NOT NULL REFERENCES customers (id),
    occasion     TEXT NOT NULL CHECK (occasion IN ('registration', 'referral', 'profile', 'day')),
    rule_id      UUID NOT NULL,
    version      BIGINT NOT NULL,
    rule_group   TEXT,                        -- of the rules of a group one gives for a period
    period       TEXT NOT NULL,
    purchase_id  UUID REFERENCES purchases (id),   -- the first one of whoever was invited; not the customer's to see
    at           TIMESTAMPTZ NOT NULL,
    FOREIGN KEY (rule_id, version) REFERENCES rule_versions (rule_id, version),
    UNIQUE (customer_id, rule_id, period)
);
CREATE INDEX rewards_purchase ON rewards (purchase_id) WHERE purchase_id IS NOT NULL;
CREATE TRIGGER rewards_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rewards FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The points of a reward, as accruals are those of a receipt line.
CREATE TABLE reward_accruals (
    reward_id        UUID NOT NULL REFERENCES rewards (id),
    program_id       UUID NOT NULL REFERENCES programs (id),
    program_version  BIGINT NOT NULL,
    lot_id           UUID NOT NULL UNIQUE REFERENCES lots (id),
    points           BIGINT NOT NULL CHECK (points > 0),
    taken_back       BIGINT NOT NULL DEFAULT 0 CHECK (taken_back >= 0 AND taken_back <= points),
    forgiven         BIGINT NOT NULL DEFAULT 0 CHECK (forgiven >= 0),
    PRIMARY KEY (reward_id, program_id)
);

ALTER TABLE transactions ADD COLUMN reward_id UUID REFERENCES rewards (id);
ALTER TABLE grants ADD COLUMN reward_id UUID REFERENCES rewards (id);

-- What a customer hands on to friends.
CREATE TABLE invite_codes (
    customer_id  UUID NOT NULL PRIMARY KEY REFERENCES customers (id),
    code         TEXT NOT NULL UNIQUE,
    created_at   TIMESTAMPTZ NOT NULL
);

-- Who registered by whose code.
CREATE TABLE invitations (
    invited_id   UUID NOT NULL PRIMARY KEY REFERENCES customers (id),
    inviter_id   UUID NOT NULL REFERENCES customers (id),
    created_at   TIMESTAMPTZ NOT NULL,
    purchase_id  UUID REFERENCES purchases (id),   -- the first one afterwards
    bought_at    TIMESTAMPTZ,
    rewarded_at  TIMESTAMPTZ,                 -- when rules gave the inviter something for it
    CHECK (invited_id <> inviter_id),
    CHECK ((purchase_id IS NULL) = (bought_at IS NULL))
);
CREATE INDEX invitations_inviter ON invitations (inviter_id, created_at);
CREATE INDEX invitations_purchase ON invitations (purchase_id) WHERE purchase_id IS NOT NULL;
