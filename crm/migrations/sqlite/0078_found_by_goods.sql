-- Requests that are about a receipt are put together anew: they are found by what was bought as well.
INSERT INTO unindexed_requests (request_id)
    SELECT r.id FROM requests r
    WHERE r.purchase_id IS NOT NULL OR r.id IN (SELECT request_id FROM request_links WHERE purchase_id IS NOT NULL)
    ON CONFLICT (request_id) DO NOTHING;
