-- Simulations: what a rule would have given on the purchases of the last months. The same version exists for the other
-- engine.

CREATE TABLE simulations (
    id             BLOB NOT NULL PRIMARY KEY,
    rule_id        BLOB NOT NULL REFERENCES rules (id),
    version        INTEGER NOT NULL,              -- of the rule, perhaps a draft
    definition     TEXT NOT NULL,                 -- what it said then
    months         INTEGER NOT NULL CHECK (months BETWEEN 1 AND 24),
    asked_by       BLOB NOT NULL REFERENCES staff (id),
    state          TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    done           INTEGER NOT NULL DEFAULT 0,    -- purchases looked at
    total          INTEGER NOT NULL DEFAULT 0,    -- purchases to look at
    result         TEXT,                          -- only when it is done
    created_at     TEXT NOT NULL,
    started_at     TEXT,                          -- the last try
    finished_at    TEXT,
    -- Who runs it just now, until when nobody else does, and how many began.
    claimed_by     TEXT,
    claimed_until  TEXT,
    tries          INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX simulations_newest ON simulations (rule_id, created_at, id);
CREATE INDEX simulations_open ON simulations (created_at, id) WHERE state IN ('waiting', 'running');
