-- When the carrier said of a message that it took that it could not be delivered; its words stand in error.
ALTER TABLE outbox ADD COLUMN undelivered_at TIMESTAMPTZ;
