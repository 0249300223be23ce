-- By a link like that of an invitation, whoever has come in before chooses another password. The same version exists for the other
-- engine.

ALTER TABLE staff_invites ADD COLUMN is_reset INTEGER NOT NULL DEFAULT 0;   -- its owner has come in before
