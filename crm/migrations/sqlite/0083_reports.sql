-- Customers who found out by themselves, each once a day, and receipts that staff put right by the day on which they did. The same
-- version exists for the other engine.

-- Who looked on the days that are counted is gone: there the larger of the two parts stands, which counts nobody in both.
INSERT INTO report_figures (figure, day, store_id, part_id, value)
    SELECT 'alone', day, store_id, part_id, MAX(value) FROM report_figures WHERE figure IN ('chats', 'looks')
    GROUP BY day, store_id, part_id;

CREATE INDEX receipt_corrections_decided ON receipt_corrections (decided_at) WHERE state = 'booked';
