-- What customers are told of points, and corrections by staff within a day and a month. The same version exists for the
-- other engine.

-- What the customer is told of why; the reason is for colleagues.
ALTER TABLE adjustments ADD COLUMN note TEXT NOT NULL DEFAULT '';
-- What somebody corrected without anybody's consent is summed.
CREATE INDEX adjustments_by ON adjustments (asked_by, created_at);
-- A line of a statement tells why it was corrected.
CREATE INDEX adjustments_transaction ON adjustments (transaction_id) WHERE transaction_id IS NOT NULL;

-- More kinds of what is told. Who gave points is found by the transfer: a name that is kept here would outlast its erasure.
ALTER TABLE notifications DROP CONSTRAINT notifications_kind_check;
ALTER TABLE notifications ADD CONSTRAINT notifications_kind_check CHECK (kind IN ('active', 'answer', 'closed', 'correction', 'expiry',
    'invitation', 'received', 'reward', 'security', 'tier'));
ALTER TABLE notifications ADD COLUMN transfer_id UUID REFERENCES transfers (id);   -- of points that somebody gave
ALTER TABLE notifications ADD COLUMN name JSONB;               -- of a tier or a rule, in each language
UPDATE notifications n SET about = '', key = 'received ' || n.id::text, transfer_id = (
    SELECT t.id FROM transfers t JOIN transactions x ON x.id = t.in_id
    WHERE t.to_id = n.customer_id AND t.points = n.points AND x.recorded_at = n.at LIMIT 1)
    WHERE n.kind = 'received';
