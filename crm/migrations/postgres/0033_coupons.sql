-- Coupons, segments of customers, and shops whose clock is another one. The same version exists for the other engine.

CREATE TABLE coupon_series (
    id          UUID NOT NULL PRIMARY KEY,
    code        TEXT NOT NULL UNIQUE,              -- what rules call it
    name        JSONB NOT NULL,                     -- what its coupons are for
    valid_days  BIGINT CHECK (valid_days > 0),    -- for so many days after the one on which it is issued a coupon is good
    last_day    DATE,                              -- and no longer than on this day
    uses        BIGINT NOT NULL CHECK (uses > 0), -- how often each may be used
    bearer      BOOLEAN NOT NULL,                  -- by whoever brings it; otherwise by whom it was issued to
    created_at  TIMESTAMPTZ NOT NULL,
    closed_at   TIMESTAMPTZ,                              -- from then on none is issued
    CHECK (valid_days IS NOT NULL OR last_day IS NOT NULL)
);

CREATE TABLE coupons (
    id           UUID NOT NULL PRIMARY KEY,
    series_id    UUID NOT NULL REFERENCES coupon_series (id),
    code         TEXT NOT NULL UNIQUE,
    customer_id  UUID REFERENCES customers (id),   -- whom a rule gave it; none: it was made to be handed out
    grant_id     UUID UNIQUE REFERENCES grants (id),
    issued_at    TIMESTAMPTZ NOT NULL,                    -- when what it was given for happened
    expires_at   TIMESTAMPTZ NOT NULL,                    -- the first moment at which it is good no more
    uses         BIGINT NOT NULL CHECK (uses > 0),
    CHECK ((customer_id IS NULL) = (grant_id IS NULL))
);
CREATE INDEX coupons_customer ON coupons (customer_id, expires_at, id);
CREATE INDEX coupons_series ON coupons (series_id, id);

-- It counts as long as something of the purchase is kept: what came back as a whole, or was voided, used nothing.
CREATE TABLE coupon_uses (
    coupon_id    UUID NOT NULL REFERENCES coupons (id),
    purchase_id  UUID NOT NULL REFERENCES purchases (id),
    at           TIMESTAMPTZ NOT NULL,                    -- of the purchase
    PRIMARY KEY (coupon_id, purchase_id)
);
CREATE INDEX coupon_uses_purchase ON coupon_uses (purchase_id);

CREATE TABLE segments (
    id          UUID NOT NULL PRIMARY KEY,
    code        TEXT NOT NULL UNIQUE,              -- what rules call it
    name        JSONB NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE segment_members (
    segment_id   UUID NOT NULL REFERENCES segments (id),
    customer_id  UUID NOT NULL REFERENCES customers (id),
    added_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (segment_id, customer_id)
);
CREATE INDEX segment_members_customer ON segment_members (customer_id);

-- The IANA name of the time zone by which a shop's clock goes; none: the chain's.
ALTER TABLE stores ADD COLUMN time_zone TEXT;
