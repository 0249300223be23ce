-- When an inviter had been rewarded often enough in the month of a friend's first purchase, so that nothing was given for it. The same
-- version exists for the other engine.
ALTER TABLE invitations ADD COLUMN capped_at TIMESTAMPTZ;
