-- What staff do for a customer, each by a right of its own. The same version exists for the other engine.

-- A look at the cabinet as its customer sees it: of one session of staff, for a while. Each page of it is a row of the log.
CREATE TABLE views (
    id           BLOB NOT NULL PRIMARY KEY,
    staff_id     BLOB NOT NULL REFERENCES staff (id),
    session_id   BLOB NOT NULL,                   -- whose browser shows it: one of that member of staff
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    reason       TEXT NOT NULL,
    begun_at     TEXT NOT NULL,
    ends_at      TEXT NOT NULL,                   -- when it is over by itself
    ended_at     TEXT                             -- before that, by whoever looked
) STRICT;
CREATE UNIQUE INDEX views_session ON views (session_id) WHERE ended_at IS NULL;
CREATE INDEX views_customer ON views (customer_id);

-- Rights that are new. Whoever answers customers blocks a card that is lost; the rest is for who runs a team or the system.
UPDATE roles SET rights = json_insert(rights, '$[#]', 'cards') WHERE code IN ('agent', 'lead', 'administrator');
UPDATE roles SET rights = json_insert(rights, '$[#]', 'purchases') WHERE code IN ('lead', 'administrator');
UPDATE roles SET rights = json_insert(rights, '$[#]', 'contacts') WHERE code IN ('lead', 'administrator');
UPDATE roles SET rights = json_insert(rights, '$[#]', 'personal_data') WHERE code IN ('lead', 'administrator');
UPDATE roles SET rights = json_insert(rights, '$[#]', 'view_as') WHERE code IN ('lead', 'administrator');
