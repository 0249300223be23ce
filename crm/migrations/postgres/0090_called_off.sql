-- A version that does not count yet can be called off: it stays, and is passed over. Nothing else of what is published changes.
-- The same version exists for the other engine.

CREATE FUNCTION refuse_change_but_calling_off() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.called_off_at IS NULL AND NEW.called_off_at IS NOT NULL
        AND to_jsonb(NEW) - 'called_off_at' - 'called_off_by' = to_jsonb(OLD) - 'called_off_at' - 'called_off_by' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;

ALTER TABLE rule_versions ADD COLUMN called_off_at TIMESTAMPTZ CHECK (called_off_at < effective_at);
ALTER TABLE rule_versions ADD COLUMN called_off_by UUID REFERENCES staff (id);
DROP TRIGGER rule_versions_append_only ON rule_versions;
CREATE TRIGGER rule_versions_no_update BEFORE UPDATE ON rule_versions FOR EACH ROW WHEN (OLD.state = 'published') EXECUTE FUNCTION refuse_change_but_calling_off();
CREATE TRIGGER rule_versions_no_delete BEFORE DELETE ON rule_versions FOR EACH ROW WHEN (OLD.state = 'published') EXECUTE FUNCTION refuse_change();

ALTER TABLE tier_versions ADD COLUMN called_off_at TIMESTAMPTZ CHECK (called_off_at < effective_at);
ALTER TABLE tier_versions ADD COLUMN called_off_by UUID REFERENCES staff (id);
DROP TRIGGER tier_versions_append_only ON tier_versions;
CREATE TRIGGER tier_versions_no_update BEFORE UPDATE ON tier_versions FOR EACH ROW WHEN (OLD.state = 'published') EXECUTE FUNCTION refuse_change_but_calling_off();
CREATE TRIGGER tier_versions_no_delete BEFORE DELETE ON tier_versions FOR EACH ROW WHEN (OLD.state = 'published') EXECUTE FUNCTION refuse_change();

ALTER TABLE text_versions ADD COLUMN called_off_at TIMESTAMPTZ CHECK (called_off_at < effective_at);
ALTER TABLE text_versions ADD COLUMN called_off_by UUID REFERENCES staff (id);
