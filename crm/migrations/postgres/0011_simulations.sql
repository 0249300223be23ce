-- Simulations: what a rule would have given on the purchases of the last months. The same version exists for the other
-- engine.

CREATE TABLE simulations (
    id             UUID NOT NULL PRIMARY KEY,
    rule_id        UUID NOT NULL REFERENCES rules (id),
    version        BIGINT NOT NULL,              -- of the rule, perhaps a draft
    definition     JSONB NOT NULL,               -- what it said then
    months         BIGINT NOT NULL CHECK (months BETWEEN 1 AND 24),
    asked_by       UUID NOT NULL REFERENCES staff (id),
    state          TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    done           BIGINT NOT NULL DEFAULT 0,    -- purchases looked at
    total          BIGINT NOT NULL DEFAULT 0,    -- purchases to look at
    result         JSONB,                        -- only when it is done
    created_at     TIMESTAMPTZ NOT NULL,
    started_at     TIMESTAMPTZ,                  -- the last try
    finished_at    TIMESTAMPTZ,
    -- Who runs it just now, until when nobody else does, and how many began.
    claimed_by     TEXT,
    claimed_until  TIMESTAMPTZ,
    tries          BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX simulations_newest ON simulations (rule_id, created_at, id);
CREATE INDEX simulations_open ON simulations (created_at, id) WHERE state IN ('waiting', 'running');
