-- Queues, calendars and parts of the help that nothing new takes, since when. What has one keeps it. The same version exists for the
-- other engine.

ALTER TABLE queues ADD COLUMN closed_at TEXT;
ALTER TABLE level_calendars ADD COLUMN closed_at TEXT;
ALTER TABLE help_categories ADD COLUMN closed_at TEXT;
