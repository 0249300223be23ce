-- Since when a message could have gone: the alarms ask for it. Tries that fail leave it as it is; what waits on purpose, for quiet hours
-- or a budget, gets a later one. The same version exists for the other engine.
ALTER TABLE outbox ADD COLUMN first_due_at TEXT;
UPDATE outbox SET first_due_at = CASE WHEN aim IS NULL AND NOT waits_for_budget THEN created_at ELSE due_at END WHERE state = 'queued';
