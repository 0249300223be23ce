-- Tasks of a customer that ended, for the history of their card. The same version exists for the other engine.

CREATE INDEX tasks_customer_ended ON tasks (customer_id, ended_at, id) WHERE state <> 'open';
