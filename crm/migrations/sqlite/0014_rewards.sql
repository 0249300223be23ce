-- Rewards on other occasions than a purchase, and who invited whom. The same version exists for the other engine.

-- Month and day of a birthday as one number (229: 29 February), so that an index finds those of a day.
ALTER TABLE customers ADD COLUMN birth_md INTEGER GENERATED ALWAYS AS
    (CAST(substr(birthday, 6, 2) AS INTEGER) * 100 + CAST(substr(birthday, 9, 2) AS INTEGER)) VIRTUAL;
CREATE INDEX customers_birth_md ON customers (birth_md, id);
ALTER TABLE children ADD COLUMN birth_md INTEGER GENERATED ALWAYS AS
    (CAST(substr(birthday, 6, 2) AS INTEGER) * 100 + CAST(substr(birthday, 9, 2) AS INTEGER)) VIRTUAL;
CREATE INDEX children_birth_md ON children (birth_md, customer_id);

-- What a rule gave to a customer on an occasion: once for each period.
CREATE TABLE rewards (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    occasion     TEXT NOT NULL CHECK (occasion IN ('registration', 'referral', 'profile', 'day')),
    rule_id      BLOB NOT NULL,
    version      INTEGER NOT NULL,
    rule_group   TEXT,                        -- of the rules of a group one gives for a period
    period       TEXT NOT NULL,
    purchase_id  BLOB REFERENCES purchases (id),   -- the first one of whoever was invited; not the customer's to see
    at           TEXT NOT NULL,
    FOREIGN KEY (rule_id, version) REFERENCES rule_versions (rule_id, version),
    UNIQUE (customer_id, rule_id, period)
) STRICT;
CREATE INDEX rewards_purchase ON rewards (purchase_id) WHERE purchase_id IS NOT NULL;
CREATE TRIGGER rewards_no_update BEFORE UPDATE ON rewards BEGIN SELECT RAISE(ABORT, 'rewards is append-only'); END;
CREATE TRIGGER rewards_no_delete BEFORE DELETE ON rewards BEGIN SELECT RAISE(ABORT, 'rewards is append-only'); END;

-- The points of a reward, as accruals are those of a receipt line.
CREATE TABLE reward_accruals (
    reward_id        BLOB NOT NULL REFERENCES rewards (id),
    program_id       BLOB NOT NULL REFERENCES programs (id),
    program_version  INTEGER NOT NULL,
    lot_id           BLOB NOT NULL UNIQUE REFERENCES lots (id),
    points           INTEGER NOT NULL CHECK (points > 0),
    taken_back       INTEGER NOT NULL DEFAULT 0 CHECK (taken_back >= 0 AND taken_back <= points),
    forgiven         INTEGER NOT NULL DEFAULT 0 CHECK (forgiven >= 0),
    PRIMARY KEY (reward_id, program_id)
) STRICT;

ALTER TABLE transactions ADD COLUMN reward_id BLOB REFERENCES rewards (id);
ALTER TABLE grants ADD COLUMN reward_id BLOB REFERENCES rewards (id);

-- What a customer hands on to friends.
CREATE TABLE invite_codes (
    customer_id  BLOB NOT NULL PRIMARY KEY REFERENCES customers (id),
    code         TEXT NOT NULL UNIQUE,
    created_at   TEXT NOT NULL
) STRICT;

-- Who registered by whose code.
CREATE TABLE invitations (
    invited_id   BLOB NOT NULL PRIMARY KEY REFERENCES customers (id),
    inviter_id   BLOB NOT NULL REFERENCES customers (id),
    created_at   TEXT NOT NULL,
    purchase_id  BLOB REFERENCES purchases (id),   -- the first one afterwards
    bought_at    TEXT,
    rewarded_at  TEXT,                        -- when rules gave the inviter something for it
    CHECK (invited_id <> inviter_id),
    CHECK ((purchase_id IS NULL) = (bought_at IS NULL))
) STRICT;
CREATE INDEX invitations_inviter ON invitations (inviter_id, created_at);
CREATE INDEX invitations_purchase ON invitations (purchase_id) WHERE purchase_id IS NOT NULL;
