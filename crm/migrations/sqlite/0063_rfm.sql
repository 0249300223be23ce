-- How lately, how often and for how much somebody bought in the last twelve months, each as a fifth of all buyers: RFM, counted by a
-- daily job. The same version exists for the other engine.

CREATE TABLE customer_rfm (
    customer_id  BLOB NOT NULL PRIMARY KEY REFERENCES customers (id),
    last_at      TEXT NOT NULL,                -- the last purchase
    purchases    INTEGER NOT NULL,
    paid         INTEGER NOT NULL,             -- in minor units, less what was given back
    counted_on   TEXT NOT NULL,
    recency      INTEGER NOT NULL DEFAULT 0,   -- 1 to 5, the best is 5; 0: not told yet
    frequency    INTEGER NOT NULL DEFAULT 0,
    monetary     INTEGER NOT NULL DEFAULT 0,
    segment      TEXT NOT NULL DEFAULT ''      -- what the three say together
) STRICT;
