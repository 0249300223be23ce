-- Promotions by stages, and what the shop runs on by drafts. The same version exists for the other engine.

ALTER TABLE promotions ADD COLUMN note TEXT NOT NULL DEFAULT '';           -- what it is about, for staff alone
ALTER TABLE promotions ADD COLUMN written_by UUID REFERENCES staff (id);   -- who wrote last what is to be published next
ALTER TABLE promotions ADD COLUMN asked_at TIMESTAMPTZ;                           -- since when that waits for somebody else's consent
ALTER TABLE promotions ADD COLUMN asked_by UUID REFERENCES staff (id);
ALTER TABLE promotions ADD COLUMN refusal TEXT;                            -- why nobody consented when it was asked last
ALTER TABLE promotions ADD COLUMN conclusion TEXT;                         -- what came of it, in a marketer's words

-- What the next version of a promotion would say that is published already.
CREATE TABLE promotion_drafts (
    promotion_id  UUID NOT NULL PRIMARY KEY REFERENCES promotions (id),
    record        JSONB NOT NULL,
    changed_at    TIMESTAMPTZ NOT NULL,
    changed_by    UUID NOT NULL REFERENCES staff (id)
);

-- What was published of a promotion, and by whose consent.
CREATE TABLE promotion_versions (
    promotion_id  UUID NOT NULL REFERENCES promotions (id),
    version       BIGINT NOT NULL CHECK (version > 0),
    record        JSONB NOT NULL,
    published_at  TIMESTAMPTZ NOT NULL,
    published_by  UUID NOT NULL REFERENCES staff (id),
    PRIMARY KEY (promotion_id, version)
);
CREATE TRIGGER promotion_versions_append_only BEFORE UPDATE OR DELETE ON promotion_versions FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER promotion_versions_not_truncated BEFORE TRUNCATE ON promotion_versions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What came of a promotion, as it was counted last: the grants of its rules may be millions.
CREATE TABLE promotion_outcomes (
    promotion_id  UUID NOT NULL PRIMARY KEY REFERENCES promotions (id),
    at            TIMESTAMPTZ NOT NULL,              -- when it was counted
    purchases     BIGINT NOT NULL,
    customers     BIGINT NOT NULL,
    points        BIGINT NOT NULL,
    discount      BIGINT NOT NULL,
    sales         BIGINT NOT NULL,
    sales_before  BIGINT NOT NULL
);

-- What staff would change of a shop, a category or an article: what stood there when they began, and what is to stand there.
CREATE TABLE catalogue_drafts (
    item_id     UUID NOT NULL PRIMARY KEY,
    edit        JSONB NOT NULL,
    changed_at  TIMESTAMPTZ NOT NULL,
    changed_by  UUID NOT NULL REFERENCES staff (id)
);

-- What they published of it. It counts from published_at on, which may lie ahead, and is carried out then.
CREATE TABLE catalogue_versions (
    item_id       UUID NOT NULL,
    version       BIGINT NOT NULL CHECK (version > 0),
    edit          JSONB NOT NULL,
    published_at  TIMESTAMPTZ NOT NULL,
    published_by  UUID NOT NULL REFERENCES staff (id),
    applied_at    TIMESTAMPTZ,                       -- none: it is still to be carried out
    PRIMARY KEY (item_id, version)
);
CREATE INDEX catalogue_versions_due ON catalogue_versions (published_at) WHERE applied_at IS NULL;
CREATE TRIGGER catalogue_versions_append_only BEFORE UPDATE OR DELETE ON catalogue_versions FOR EACH ROW WHEN (OLD.applied_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER catalogue_versions_not_truncated BEFORE TRUNCATE ON catalogue_versions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Staff write scripts of talks, version by version.
ALTER TABLE scripts ADD COLUMN published_by UUID REFERENCES staff (id);      -- none: it came with the program

-- Days on which a shop keeps other hours than those of its week: [{"day": "2027-01-01", "hours": null}, …].
ALTER TABLE stores ADD COLUMN exceptions JSONB NOT NULL DEFAULT '[]';

-- What is published is not thrown away. Of the catalogue the triggers tell it from what is still to be carried out.
REVOKE TRUNCATE ON catalogue_versions FROM PUBLIC, CURRENT_USER;
REVOKE UPDATE, DELETE, TRUNCATE ON promotion_versions FROM PUBLIC, CURRENT_USER;
