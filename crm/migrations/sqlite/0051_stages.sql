-- Promotions by stages, and what the shop runs on by drafts. The same version exists for the other engine.

ALTER TABLE promotions ADD COLUMN note TEXT NOT NULL DEFAULT '';           -- what it is about, for staff alone
ALTER TABLE promotions ADD COLUMN written_by BLOB REFERENCES staff (id);   -- who wrote last what is to be published next
ALTER TABLE promotions ADD COLUMN asked_at TEXT;                           -- since when that waits for somebody else's consent
ALTER TABLE promotions ADD COLUMN asked_by BLOB REFERENCES staff (id);
ALTER TABLE promotions ADD COLUMN refusal TEXT;                            -- why nobody consented when it was asked last
ALTER TABLE promotions ADD COLUMN conclusion TEXT;                         -- what came of it, in a marketer's words

-- What the next version of a promotion would say that is published already.
CREATE TABLE promotion_drafts (
    promotion_id  BLOB NOT NULL PRIMARY KEY REFERENCES promotions (id),
    record        TEXT NOT NULL,
    changed_at    TEXT NOT NULL,
    changed_by    BLOB NOT NULL REFERENCES staff (id)
) STRICT;

-- What was published of a promotion, and by whose consent.
CREATE TABLE promotion_versions (
    promotion_id  BLOB NOT NULL REFERENCES promotions (id),
    version       INTEGER NOT NULL CHECK (version > 0),
    record        TEXT NOT NULL,
    published_at  TEXT NOT NULL,
    published_by  BLOB NOT NULL REFERENCES staff (id),
    PRIMARY KEY (promotion_id, version)
) STRICT;
CREATE TRIGGER promotion_versions_no_update BEFORE UPDATE ON promotion_versions
    BEGIN SELECT RAISE(ABORT, 'promotion_versions is append-only'); END;
CREATE TRIGGER promotion_versions_no_delete BEFORE DELETE ON promotion_versions
    BEGIN SELECT RAISE(ABORT, 'promotion_versions is append-only'); END;

-- What came of a promotion, as it was counted last: the grants of its rules may be millions.
CREATE TABLE promotion_outcomes (
    promotion_id  BLOB NOT NULL PRIMARY KEY REFERENCES promotions (id),
    at            TEXT NOT NULL,              -- when it was counted
    purchases     INTEGER NOT NULL,
    customers     INTEGER NOT NULL,
    points        INTEGER NOT NULL,
    discount      INTEGER NOT NULL,
    sales         INTEGER NOT NULL,
    sales_before  INTEGER NOT NULL
) STRICT;

-- What staff would change of a shop, a category or an article: what stood there when they began, and what is to stand there.
CREATE TABLE catalogue_drafts (
    item_id     BLOB NOT NULL PRIMARY KEY,
    edit        TEXT NOT NULL,
    changed_at  TEXT NOT NULL,
    changed_by  BLOB NOT NULL REFERENCES staff (id)
) STRICT;

-- What they published of it. It counts from published_at on, which may lie ahead, and is carried out then.
CREATE TABLE catalogue_versions (
    item_id       BLOB NOT NULL,
    version       INTEGER NOT NULL CHECK (version > 0),
    edit          TEXT NOT NULL,
    published_at  TEXT NOT NULL,
    published_by  BLOB NOT NULL REFERENCES staff (id),
    applied_at    TEXT,                       -- none: it is still to be carried out
    PRIMARY KEY (item_id, version)
) STRICT;
CREATE INDEX catalogue_versions_due ON catalogue_versions (published_at) WHERE applied_at IS NULL;
CREATE TRIGGER catalogue_versions_no_update BEFORE UPDATE ON catalogue_versions WHEN OLD.applied_at IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'catalogue_versions is append-only'); END;
CREATE TRIGGER catalogue_versions_no_delete BEFORE DELETE ON catalogue_versions WHEN OLD.applied_at IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'catalogue_versions is append-only'); END;

-- Staff write scripts of talks, version by version.
ALTER TABLE scripts ADD COLUMN published_by BLOB REFERENCES staff (id);      -- none: it came with the program

-- Days on which a shop keeps other hours than those of its week: [{"day": "2027-01-01", "hours": null}, …].
ALTER TABLE stores ADD COLUMN exceptions TEXT NOT NULL DEFAULT '[]';
