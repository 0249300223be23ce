-- Who registered, joined, left and was erased is kept by day for reports, and counted by a job. The same version exists for the other
-- engine.

-- Who was erased on a day.
CREATE INDEX customers_erased_at ON customers (erased_at) WHERE erased_at IS NOT NULL;
