-- What customers see of their cabinet. The same version exists for the other engine.

-- The page that a request was written from: what it shows and which one, 'program/club'.
ALTER TABLE requests ADD COLUMN about TEXT;

-- When a customer was through with being shown around, or said that they need none of it. Who is here already needs none.
ALTER TABLE customers ADD COLUMN toured_at TEXT;
UPDATE customers SET toured_at = registered_at;

-- How somebody came into a customer's cabinet, or tried to: told to its customer for a while.
CREATE TABLE sign_ins (
    id           BLOB NOT NULL PRIMARY KEY,
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    at           TEXT NOT NULL,
    way          TEXT NOT NULL,                  -- 'code', 'password', 'passkey' and so on
    is_let_in    INTEGER NOT NULL,
    device       TEXT NOT NULL,                  -- what the browser said of itself
    network      TEXT NOT NULL                   -- without its last part
) STRICT;
CREATE INDEX sign_ins_customer ON sign_ins (customer_id, at, id);
CREATE INDEX sign_ins_age ON sign_ins (at, id);
