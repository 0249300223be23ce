-- Points that a partner pays for come out of the partner's own account, and go back there. The same version exists for the
-- other engine.

-- Words that a kind may be: a column whose check changes is made anew.
DROP INDEX accounts_customer;
DROP INDEX accounts_program;
ALTER TABLE accounts ADD COLUMN new_kind TEXT NOT NULL DEFAULT 'pending'
    CHECK (new_kind IN ('pending', 'active', 'issued', 'partner', 'expired', 'spent', 'adjustment', 'transfer'));
UPDATE accounts SET new_kind = kind;
ALTER TABLE accounts DROP COLUMN kind;
ALTER TABLE accounts RENAME COLUMN new_kind TO kind;
-- Whose, of an account `partner`: a key of the partner's, for there need not be more known of them here.
ALTER TABLE accounts ADD COLUMN partner_key TEXT
    CHECK ((kind = 'partner') = (partner_key IS NOT NULL) AND (partner_key IS NULL OR customer_id IS NULL));
CREATE UNIQUE INDEX accounts_customer ON accounts (customer_id, program_id, kind) WHERE customer_id IS NOT NULL;
CREATE UNIQUE INDEX accounts_program ON accounts (program_id, kind) WHERE customer_id IS NULL AND partner_key IS NULL;
CREATE UNIQUE INDEX accounts_partner ON accounts (partner_key, program_id) WHERE partner_key IS NOT NULL;

-- What partners pay of what a line earned, and how much of that went back to them. The rest is the shop's.
CREATE TABLE fundings (
    line_id      BLOB NOT NULL,
    program_id   BLOB NOT NULL,
    partner_key  TEXT NOT NULL,
    points       INTEGER NOT NULL CHECK (points > 0),
    taken_back   INTEGER NOT NULL DEFAULT 0 CHECK (taken_back >= 0 AND taken_back <= points),
    PRIMARY KEY (line_id, program_id, partner_key),
    FOREIGN KEY (line_id, program_id) REFERENCES accruals (line_id, program_id)
) STRICT;

-- A reward is what one rule gives, so one pays for all of it; none: the shop.
ALTER TABLE reward_accruals ADD COLUMN partner_key TEXT;
