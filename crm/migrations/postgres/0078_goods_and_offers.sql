-- Requests that are about a receipt are put together anew: they are found by what was bought as well.
INSERT INTO unindexed_requests (request_id)
    SELECT r.id FROM requests r
    WHERE r.purchase_id IS NOT NULL OR r.id IN (SELECT request_id FROM request_links WHERE purchase_id IS NOT NULL)
    ON CONFLICT (request_id) DO NOTHING;

-- Promotions are kept in memory with the rules, under the number of these: whoever changes what is offered raises it.
CREATE FUNCTION offered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sequences (name, value) VALUES ('rules', 1) ON CONFLICT (name) DO UPDATE SET value = sequences.value + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER promotions_offered
    AFTER INSERT OR DELETE OR UPDATE OF version, title, conditions, starts_at, ends_at, must_activate, stage ON promotions
    FOR EACH ROW EXECUTE FUNCTION offered();
CREATE TRIGGER promotion_rules_offered AFTER INSERT OR DELETE ON promotion_rules FOR EACH ROW EXECUTE FUNCTION offered();
CREATE TRIGGER promotion_stores_offered AFTER INSERT OR DELETE ON promotion_stores FOR EACH ROW EXECUTE FUNCTION offered();
CREATE TRIGGER stores_offered AFTER UPDATE OF name, town ON stores FOR EACH ROW
    WHEN (NEW.name <> OLD.name OR NEW.town <> OLD.town) EXECUTE FUNCTION offered();
