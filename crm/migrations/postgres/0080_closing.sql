-- Queues, calendars and parts of the help that nothing new takes; what staff chose when they took a table away last. The same version
-- exists for the other engine.

-- Since when nothing new takes it. What has one keeps it.
ALTER TABLE queues ADD COLUMN closed_at TIMESTAMPTZ;
ALTER TABLE level_calendars ADD COLUMN closed_at TIMESTAMPTZ;
ALTER TABLE help_categories ADD COLUMN closed_at TIMESTAMPTZ;

-- Receipts of this shop alone; none: of all.
ALTER TABLE extracts ADD COLUMN store_id UUID REFERENCES stores (id);

-- The last choice of each member of staff for tables of a kind: it outlives the file.
CREATE TABLE extract_choices (
    staff_id  UUID NOT NULL REFERENCES staff (id),
    kind      TEXT NOT NULL CHECK (kind IN ('customers', 'purchases', 'points', 'requests')),
    columns   JSONB NOT NULL,
    format    TEXT NOT NULL CHECK (format IN ('csv', 'xlsx')),
    store_id  UUID REFERENCES stores (id),
    PRIMARY KEY (staff_id, kind)
);
