-- What triggers refuse is not allowed either: who switches a trigger off still changes no history. The owner may give itself
-- back what it takes here, as a later migration has to that changes such rows; but not by accident.
REVOKE UPDATE, DELETE, TRUNCATE ON
    allocations, audit, consents, grants, postings, restorations, rewards, tier_changes, transactions
    FROM PUBLIC, CURRENT_USER;

-- References are looked after with the rights of a table's owner, who locks rows for it, and a lock takes UPDATE on a column:
-- of what others refer to, and of what refers to the drafts of rules and tiers, which are thrown away and renumbered. It is
-- the one column that references hold as well; the triggers refuse to change it.
GRANT UPDATE (id) ON allocations, consents, grants, rewards, tier_changes, transactions TO CURRENT_USER;

-- Drafts stand in these, and no right tells a draft from what is published: the triggers alone do.
REVOKE TRUNCATE ON rule_versions, tier_versions FROM PUBLIC, CURRENT_USER;
