-- How lately, how often and for how much somebody bought in the last twelve months, each as a fifth of all buyers: RFM, counted by a
-- daily job. The same version exists for the other engine.

CREATE TABLE customer_rfm (
    customer_id  UUID NOT NULL PRIMARY KEY REFERENCES customers (id),
    last_at      TIMESTAMPTZ NOT NULL,         -- the last purchase
    purchases    BIGINT NOT NULL,
    paid         BIGINT NOT NULL,              -- in minor units, less what was given back
    counted_on   DATE NOT NULL,
    recency      BIGINT NOT NULL DEFAULT 0,    -- 1 to 5, the best is 5; 0: not told yet
    frequency    BIGINT NOT NULL DEFAULT 0,
    monetary     BIGINT NOT NULL DEFAULT 0,
    segment      TEXT NOT NULL DEFAULT ''      -- what the three say together
);
