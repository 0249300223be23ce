-- Staff are told in their inbox of corrections of receipts that wait for consent; what was promised is found by when it fell due. The
-- same version exists for the other engine.

ALTER TABLE approval_notices ADD COLUMN receipt_correction_id UUID REFERENCES receipt_corrections (id);   -- or of a receipt
ALTER TABLE approval_notices DROP CONSTRAINT approval_notices_check;
ALTER TABLE approval_notices ADD CONSTRAINT approval_notices_check
    CHECK (num_nonnulls(adjustment_id, receipt_correction_id, promotion_id) = 1);
CREATE INDEX approval_notices_receipt ON approval_notices (receipt_correction_id) WHERE receipt_correction_id IS NOT NULL;

-- When it fell due; what stood still when it came has no such moment, and counts when it came.
CREATE INDEX request_clocks_fell_due ON request_clocks (COALESCE(breached_at, due_at, met_at));
