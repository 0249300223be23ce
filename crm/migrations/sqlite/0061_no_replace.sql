-- Where a row takes the place of another (INSERT OR REPLACE), SQLite takes that one away without a word to the triggers that keep it.
-- So these look whether a row is there whose place would be taken. PostgreSQL knows no such statement: there is nothing to do there.

CREATE TRIGGER allocations_no_replace BEFORE INSERT ON allocations WHEN EXISTS (SELECT 1 FROM allocations WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'allocations is append-only'); END;
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_sealed_no_replace BEFORE INSERT ON audit_sealed WHEN EXISTS (SELECT 1 FROM audit_sealed WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'audit_sealed is append-only'); END;
CREATE TRIGGER audit_seals_no_replace BEFORE INSERT ON audit_seals WHEN EXISTS (SELECT 1 FROM audit_seals WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'audit_seals is append-only'); END;
CREATE TRIGGER catalogue_versions_no_replace BEFORE INSERT ON catalogue_versions WHEN EXISTS (SELECT 1 FROM catalogue_versions WHERE item_id = NEW.item_id
    AND version = NEW.version AND applied_at IS NOT NULL)
    BEGIN SELECT RAISE(ABORT, 'catalogue_versions is append-only'); END;
CREATE TRIGGER consents_no_replace BEFORE INSERT ON consents WHEN EXISTS (SELECT 1 FROM consents WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'consents is append-only'); END;
CREATE TRIGGER grants_no_replace BEFORE INSERT ON grants WHEN EXISTS (SELECT 1 FROM grants WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'grants is append-only'); END;
CREATE TRIGGER postings_no_replace BEFORE INSERT ON postings WHEN EXISTS (SELECT 1 FROM postings WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'postings is append-only'); END;
CREATE TRIGGER promotion_versions_no_replace BEFORE INSERT ON promotion_versions WHEN EXISTS (SELECT 1 FROM promotion_versions WHERE promotion_id = NEW.promotion_id AND version = NEW.version)
    BEGIN SELECT RAISE(ABORT, 'promotion_versions is append-only'); END;
CREATE TRIGGER restorations_no_replace BEFORE INSERT ON restorations WHEN EXISTS (SELECT 1 FROM restorations WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'restorations is append-only'); END;
CREATE TRIGGER rewards_no_replace BEFORE INSERT ON rewards WHEN EXISTS (SELECT 1 FROM rewards WHERE id = NEW.id
    OR customer_id = NEW.customer_id AND rule_id = NEW.rule_id AND period = NEW.period)
    BEGIN SELECT RAISE(ABORT, 'rewards is append-only'); END;
CREATE TRIGGER rule_versions_no_replace BEFORE INSERT ON rule_versions WHEN EXISTS (SELECT 1 FROM rule_versions WHERE rule_id = NEW.rule_id
    AND version = NEW.version AND state = 'published')
    BEGIN SELECT RAISE(ABORT, 'rule_versions is append-only'); END;
CREATE TRIGGER text_versions_no_replace BEFORE INSERT ON text_versions WHEN EXISTS (SELECT 1 FROM text_versions WHERE text_id = NEW.text_id
    AND version = NEW.version AND state = 'published')
    BEGIN SELECT RAISE(ABORT, 'text_versions is append-only'); END;
CREATE TRIGGER tier_changes_no_replace BEFORE INSERT ON tier_changes WHEN EXISTS (SELECT 1 FROM tier_changes WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'tier_changes is append-only'); END;
CREATE TRIGGER tier_versions_no_replace BEFORE INSERT ON tier_versions WHEN EXISTS (SELECT 1 FROM tier_versions WHERE program_id = NEW.program_id
    AND version = NEW.version AND state = 'published')
    BEGIN SELECT RAISE(ABORT, 'tier_versions is append-only'); END;
CREATE TRIGGER transactions_no_replace BEFORE INSERT ON transactions WHEN EXISTS (SELECT 1 FROM transactions WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'transactions is append-only'); END;
