-- Promises of a first answer wait for nobody; staff are told that a request is theirs no more. The same version exists for the other
-- engine.

-- A first answer that stood still is owed: the job lets it run on.
UPDATE request_clocks SET next_at = paused_at
    WHERE kind = 'first_answer' AND paused_at IS NOT NULL AND met_at IS NULL AND dropped_at IS NULL;

ALTER TABLE level_notices DROP CONSTRAINT level_notices_kind_check;
ALTER TABLE level_notices ADD CONSTRAINT level_notices_kind_check
    CHECK (kind IN ('warning', 'breach', 'escalation', 'returned', 'given', 'taken'));
