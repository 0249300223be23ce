-- What staff do for a customer, each by a right of its own. The same version exists for the other engine.

-- A look at the cabinet as its customer sees it: of one session of staff, for a while. Each page of it is a row of the log.
CREATE TABLE views (
    id           UUID NOT NULL PRIMARY KEY,
    staff_id     UUID NOT NULL REFERENCES staff (id),
    session_id   UUID NOT NULL,                   -- whose browser shows it: one of that member of staff
    customer_id  UUID NOT NULL REFERENCES customers (id),
    reason       TEXT NOT NULL,
    begun_at     TIMESTAMPTZ NOT NULL,
    ends_at      TIMESTAMPTZ NOT NULL,            -- when it is over by itself
    ended_at     TIMESTAMPTZ                      -- before that, by whoever looked
);
CREATE UNIQUE INDEX views_session ON views (session_id) WHERE ended_at IS NULL;
CREATE INDEX views_customer ON views (customer_id);

-- Rights that are new. Whoever answers customers blocks a card that is lost; the rest is for who runs a team or the system.
UPDATE roles SET rights = rights || '["cards"]' WHERE code IN ('agent', 'lead', 'administrator');
UPDATE roles SET rights = rights || '["purchases"]' WHERE code IN ('lead', 'administrator');
UPDATE roles SET rights = rights || '["contacts"]' WHERE code IN ('lead', 'administrator');
UPDATE roles SET rights = rights || '["personal_data"]' WHERE code IN ('lead', 'administrator');
UPDATE roles SET rights = rights || '["view_as"]' WHERE code IN ('lead', 'administrator');
