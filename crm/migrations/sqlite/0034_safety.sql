-- Messages about safety wait until a text message may go. The same version exists for the other engine.

-- It is counted in the budgets of text messages when it goes, for they were spent when it was written.
ALTER TABLE outbox ADD COLUMN waits_for_budget INTEGER NOT NULL DEFAULT 0;
