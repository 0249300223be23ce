-- Reports by shop and tier: points are told by the shop of their receipt and by the tier, members by their favourite shop. The same
-- version exists for the other engine.

-- Members of a shop.
CREATE INDEX customers_favourite ON customers (favourite_store_id, registered_at);

-- Without it all days are counted from the beginning, in the background.
DELETE FROM settings WHERE key = 'reports.zone';
