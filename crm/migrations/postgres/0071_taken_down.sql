-- Requests that staff write down in the words of a customer who called or came. The same version exists for the other engine.

-- Of a message of a customer that staff wrote down, `staff_id` is who did.
ALTER TABLE messages ADD COLUMN way TEXT CHECK (way IN ('call_in', 'call_out', 'visit', 'other'));   -- how the customer said it; none: they wrote it themselves
ALTER TABLE messages ADD COLUMN interaction_id UUID REFERENCES interactions (id);                   -- the talk in which they did
CREATE INDEX messages_interaction ON messages (interaction_id) WHERE interaction_id IS NOT NULL;

ALTER TABLE notifications DROP CONSTRAINT notifications_kind_check;
ALTER TABLE notifications ADD CONSTRAINT notifications_kind_check CHECK (kind IN ('active', 'answer', 'closed', 'correction', 'expiry',
    'invitation', 'received', 'reward', 'security', 'taken', 'tier'));
