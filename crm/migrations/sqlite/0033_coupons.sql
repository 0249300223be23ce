-- Coupons, segments of customers, and shops whose clock is another one. The same version exists for the other engine.

CREATE TABLE coupon_series (
    id          BLOB NOT NULL PRIMARY KEY,
    code        TEXT NOT NULL UNIQUE,              -- what rules call it
    name        TEXT NOT NULL,                     -- what its coupons are for
    valid_days  INTEGER CHECK (valid_days > 0),    -- for so many days after the one on which it is issued a coupon is good
    last_day    TEXT,                              -- and no longer than on this day
    uses        INTEGER NOT NULL CHECK (uses > 0), -- how often each may be used
    bearer      INTEGER NOT NULL,                  -- by whoever brings it; otherwise by whom it was issued to
    created_at  TEXT NOT NULL,
    closed_at   TEXT,                              -- from then on none is issued
    CHECK (valid_days IS NOT NULL OR last_day IS NOT NULL)
) STRICT;

CREATE TABLE coupons (
    id           BLOB NOT NULL PRIMARY KEY,
    series_id    BLOB NOT NULL REFERENCES coupon_series (id),
    code         TEXT NOT NULL UNIQUE,
    customer_id  BLOB REFERENCES customers (id),   -- whom a rule gave it; none: it was made to be handed out
    grant_id     BLOB UNIQUE REFERENCES grants (id),
    issued_at    TEXT NOT NULL,                    -- when what it was given for happened
    expires_at   TEXT NOT NULL,                    -- the first moment at which it is good no more
    uses         INTEGER NOT NULL CHECK (uses > 0),
    CHECK ((customer_id IS NULL) = (grant_id IS NULL))
) STRICT;
CREATE INDEX coupons_customer ON coupons (customer_id, expires_at, id);
CREATE INDEX coupons_series ON coupons (series_id, id);

-- It counts as long as something of the purchase is kept: what came back as a whole, or was voided, used nothing.
CREATE TABLE coupon_uses (
    coupon_id    BLOB NOT NULL REFERENCES coupons (id),
    purchase_id  BLOB NOT NULL REFERENCES purchases (id),
    at           TEXT NOT NULL,                    -- of the purchase
    PRIMARY KEY (coupon_id, purchase_id)
) STRICT;
CREATE INDEX coupon_uses_purchase ON coupon_uses (purchase_id);

CREATE TABLE segments (
    id          BLOB NOT NULL PRIMARY KEY,
    code        TEXT NOT NULL UNIQUE,              -- what rules call it
    name        TEXT NOT NULL,
    created_at  TEXT NOT NULL
) STRICT;

CREATE TABLE segment_members (
    segment_id   BLOB NOT NULL REFERENCES segments (id),
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    added_at     TEXT NOT NULL,
    PRIMARY KEY (segment_id, customer_id)
) STRICT;
CREATE INDEX segment_members_customer ON segment_members (customer_id);

-- The IANA name of the time zone by which a shop's clock goes; none: the chain's.
ALTER TABLE stores ADD COLUMN time_zone TEXT;
