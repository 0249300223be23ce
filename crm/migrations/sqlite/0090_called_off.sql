-- A version that does not count yet can be called off: it stays, and is passed over. Nothing else of what is published changes.
-- The same version exists for the other engine.

ALTER TABLE rule_versions ADD COLUMN called_off_at TEXT CHECK (called_off_at < effective_at);
ALTER TABLE rule_versions ADD COLUMN called_off_by BLOB REFERENCES staff (id);
DROP TRIGGER rule_versions_no_update;
CREATE TRIGGER rule_versions_no_update BEFORE UPDATE ON rule_versions WHEN OLD.state = 'published'
    AND NOT (OLD.called_off_at IS NULL AND NEW.called_off_at IS NOT NULL
        AND NEW.rule_id IS OLD.rule_id AND NEW.version IS OLD.version AND NEW.state IS OLD.state AND NEW.definition IS OLD.definition AND NEW.changed_at IS OLD.changed_at
        AND NEW.changed_by IS OLD.changed_by AND NEW.effective_at IS OLD.effective_at AND NEW.published_at IS OLD.published_at AND NEW.published_by IS OLD.published_by)
    BEGIN SELECT RAISE(ABORT, 'rule_versions is append-only'); END;

ALTER TABLE tier_versions ADD COLUMN called_off_at TEXT CHECK (called_off_at < effective_at);
ALTER TABLE tier_versions ADD COLUMN called_off_by BLOB REFERENCES staff (id);
DROP TRIGGER tier_versions_no_update;
CREATE TRIGGER tier_versions_no_update BEFORE UPDATE ON tier_versions WHEN OLD.state = 'published'
    AND NOT (OLD.called_off_at IS NULL AND NEW.called_off_at IS NOT NULL
        AND NEW.program_id IS OLD.program_id AND NEW.version IS OLD.version AND NEW.state IS OLD.state AND NEW.definition IS OLD.definition AND NEW.changed_at IS OLD.changed_at
        AND NEW.changed_by IS OLD.changed_by AND NEW.effective_at IS OLD.effective_at AND NEW.published_at IS OLD.published_at AND NEW.published_by IS OLD.published_by)
    BEGIN SELECT RAISE(ABORT, 'tier_versions is append-only'); END;

ALTER TABLE text_versions ADD COLUMN called_off_at TEXT CHECK (called_off_at < effective_at);
ALTER TABLE text_versions ADD COLUMN called_off_by BLOB REFERENCES staff (id);
