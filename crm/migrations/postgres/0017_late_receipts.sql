-- What comes late from a till that was cut off. The same version exists for the other engine.

ALTER TABLE cards ADD COLUMN blocked_at TIMESTAMPTZ;      -- none of a blocked card: before anybody wrote it down
UPDATE cards SET blocked_at = (SELECT MAX(a.at) FROM audit a WHERE a.action = 'card.block' AND a.object_id = cards.id)
    WHERE state = 'blocked';

-- What a receipt said that points paid, and what was gone when it came.
ALTER TABLE reservations ADD COLUMN unpaid BIGINT NOT NULL DEFAULT 0 CHECK (unpaid >= 0);

-- Returns that wait for a receipt, when it comes.
CREATE INDEX waiting_returns_document ON waiting_returns (document);

-- Of a customer's receipts the lines that came back, and those that bring something back: few of many.
CREATE INDEX purchase_lines_returned ON purchase_lines (purchase_id) WHERE returned > 0;
CREATE INDEX purchase_lines_back ON purchase_lines (purchase_id) WHERE original_line_id IS NOT NULL;
