-- The rights of the role by which `kabinet serve` uses the database, where another role owns it. Run in that database by its
-- owner after each `kabinet migrate`, for new tables have none of these; docs/operations.md tells the whole of it.
--
--   psql --single-transaction --set ON_ERROR_STOP=1 --file postgres-rights.sql postgres://kabinet_owner@host/kabinet

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO kabinet_app;

-- History is only added to. References are looked after with the rights of the owner, so this role needs no column of these.
REVOKE UPDATE, DELETE ON
    allocations, audit, audit_sealed, audit_seals, consents, grants, postings, promotion_versions, restorations, rewards,
    tier_changes, transactions
    FROM kabinet_app;
-- But of whoever is erased the log forgets what says who it was; a trigger lets nothing else through.
GRANT UPDATE (reason, network) ON audit TO kabinet_app;
GRANT UPDATE (nonce) ON audit_sealed TO kabinet_app;

-- What was migrated is looked at by whoever starts, and written down by the owner.
REVOKE INSERT, UPDATE, DELETE ON _sqlx_migrations FROM kabinet_app;
